import threading
from dataclasses import replace

import numpy as np
import pytest

from keypoints import loader
from keypoints.config import MEAN, STD, TrainConfig
from keypoints.heatmaps import decode
from scenes.dataset import read_dataset
from scenes.images import input_to_photo
from scenes.sheet import transform

CONFIG = TrainConfig(height=64, width=64, batch=4, augment=False)


def examples_of(folder, masks=False):
    return loader.load_examples(read_dataset(folder), 200, masks=masks)


def test_every_validation_sample_is_given_once_with_the_tail(make_sheets):
    examples = examples_of(make_sheets(10))
    batches = list(loader.plain_batches(examples, CONFIG))
    assert [batch.count for batch in batches] == [4, 4, 2]
    assert all(len(batch.images) == 4 for batch in batches)
    given = np.concatenate([batch.images[:batch.count] for batch in batches])
    expected = loader.normalise([loader.plain_sample(example, CONFIG)[0] for example in examples])
    np.testing.assert_array_equal(given, expected)


def test_every_training_sample_is_in_an_epoch_and_batches_are_full():
    for count in (3, 4, 10):
        order = loader.training_order(count, CONFIG, 0)
        assert len(order) % CONFIG.batch == 0 and set(order) == set(range(count))
        assert sorted(order[:count]) == list(range(count))
    assert loader.training_order(10, CONFIG, 0).tolist() != loader.training_order(10, CONFIG, 1).tolist()


def test_an_epoch_is_a_function_of_seed_and_number(make_sheets):
    examples = examples_of(make_sheets(5), masks=True)
    config = replace(CONFIG, augment=True)

    def images(config, epoch):
        return np.concatenate([batch.images for batch in loader.training_batches(examples, config, epoch)])

    np.testing.assert_array_equal(images(config, 1), images(config, 1))
    assert not np.array_equal(images(config, 0), images(config, 1))
    assert not np.array_equal(images(config, 0), images(replace(config, seed=1), 0))


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "turn"])
def test_targets_are_where_the_corners_are(sheets, fit):
    config = replace(CONFIG, fit=fit, height=96, width=64)
    example = examples_of(sheets)[0]
    _, corners, _ = loader.plain_sample(example, config)
    found, _ = decode(loader.target(corners, config), 4)
    in_photo = transform(input_to_photo(example.size, config.input_spec), found)
    for corner in example.corners_in_photo:
        assert np.linalg.norm(in_photo - corner, axis=1).min() < 0.1


def test_large_photos_are_held_smaller_with_corners_that_follow(sheets):
    sample = read_dataset(sheets)[0]
    large, = loader.load_examples([sample], 1000)
    small, = loader.load_examples([sample], 60, masks=True)
    assert small.rgb.shape == (52, 60, 3) and small.mask.shape == (52, 60)
    assert large.rgb.shape == (104, 120, 3) and large.mask is None
    np.testing.assert_allclose(small.corners, (large.corners + 0.5) / 2 - 0.5)
    np.testing.assert_allclose(small.corners_in_photo, sample.corners)


def test_unknown_corners_have_no_target(sheets):
    sample = read_dataset(sheets)[0]
    corners, visibility = sample.corners.copy(), sample.visibility.copy()
    corners[1], visibility[1] = (-1, -1), 0
    example, = loader.load_examples([replace(sample, corners=corners, visibility=visibility)], 200)
    _, plain, _ = loader.plain_sample(example, CONFIG)
    assert loader.target(plain, CONFIG).any(axis=(1, 2)).tolist() == [True, False, True, True]
    for seed in range(5):
        _, moved, seen = loader.augmented_sample(example, CONFIG, np.random.default_rng(seed))
        assert np.isnan(moved).all(axis=1).sum() == 1
        assert seen[np.isnan(moved).all(axis=1)] == 0


def test_a_photo_of_another_size_than_annotated_is_named(sheets):
    with pytest.raises(ValueError, match="000000.jpg is 120 x 104, its annotation says 99 x 104"):
        loader.load_examples([replace(read_dataset(sheets)[0], width=99)], 200)


def test_normalise_puts_channels_first():
    image = np.zeros((1, 2, 3, 3), np.uint8)
    image[0, 1, 2] = 255, 0, 128
    normal = loader.normalise(image)
    assert normal.shape == (1, 3, 2, 3) and normal.dtype == np.float32
    expected = (np.array([255, 0, 128]) - MEAN) / STD
    np.testing.assert_allclose(normal[0, :, 1, 2], expected, rtol=1e-5)


def test_split_of_validation(make_sheets):
    named = read_dataset(make_sheets(5, ["train", "validation", "test", "train", "validation"]))
    training, validation, how = loader.split_samples(named)
    assert [s.name for s in training] == ["000000", "000003"] and how == "split"
    assert [s.name for s in validation] == ["000001", "000004"]
    bare = read_dataset(make_sheets(20))
    training, validation, how = loader.split_samples(bare)
    assert (len(training), len(validation), how) == (18, 2, "tail")
    assert not {s.name for s in training} & {s.name for s in validation}
    assert loader.split_samples(bare, named)[1:] == (named, "folder")
    with pytest.raises(ValueError, match="add samples"):
        loader.split_samples(bare[:1])


def test_prefetch_keeps_order_hands_faults_over_and_ends_its_thread():
    assert list(loader.prefetch(iter(range(50)))) == list(range(50))

    def broken():
        yield 1
        raise KeyError("lost")

    ahead = loader.prefetch(broken())
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="lost"):
        next(ahead)
    endless = loader.prefetch(iter(int, 1))
    assert next(endless) == 0
    endless.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
