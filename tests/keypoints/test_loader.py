import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from keypoints import loader
from keypoints.config import MEAN, STD, TrainConfig
from keypoints.coordinates import decode_coordinates
from keypoints.heatmaps import decode, encode_shared
from scenes.dataset import read_dataset, unknown_keypoints
from scenes.images import PhotoError, input_to_photo
from scenes.sheet import transform

CONFIG = TrainConfig(height=64, width=64, batch=4, augment=False)


def examples_of(folder, masks=False):
    return loader.load_examples(read_dataset(folder), 200, masks=masks)


def test_every_validation_sample_is_given_once_with_the_tail(make_sheets):
    examples = examples_of(make_sheets(10))
    batches = list(loader.plain_batches(examples, CONFIG))
    assert [batch.count for batch in batches] == [4, 4, 2]
    for batch in batches:
        assert batch.images.shape == (4, 3, 64, 64) and batch.targets.shape == (4, 4, 16, 16)
        assert batch.visibility.dtype == batch.images.dtype == np.float32
    assert batches[-1].visibility.tolist() == [[2, 2, 1, 2], [2, 2, 1, 2], [0] * 4, [0] * 4]
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
    found, _ = decode(loader.target(corners, np.full(4, 2), config), 4)
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
    _, plain, seen = loader.plain_sample(example, CONFIG)
    assert loader.target(plain, seen, CONFIG).any(axis=(1, 2)).tolist() == [True, False, True, True]
    for seed in range(5):
        _, moved, seen = loader.augmented_sample(example, CONFIG, np.random.default_rng(seed))
        assert np.isnan(moved).all(axis=1).sum() == 1
        assert seen[np.isnan(moved).all(axis=1)] == 0


def test_a_photo_of_another_size_than_annotated_is_named(sheets):
    with pytest.raises(ValueError, match="000000.jpg is 120 x 104, its annotation says 99 x 104"):
        loader.load_examples([replace(read_dataset(sheets)[0], width=99)], 200)


def test_a_visibility_that_there_is_not_and_a_damaged_photo_are_named(sheets):
    sample = read_dataset(sheets)[1]
    with pytest.raises(ValueError, match="000001.jpg: visibility is .2, 3, 1, 2.; 0, 1 and 2 are allowed"):
        loader.load_examples([replace(sample, visibility=np.array([2, 3, 1, 2]))], 200)
    sample.image_path.write_bytes(sample.image_path.read_bytes()[:300])
    with pytest.raises(PhotoError, match="000001.jpg: ") as told:
        loader.load_examples([sample], 200)
    assert told.value.code == "unreadable_image"


def test_unknown_is_said_in_two_ways_and_only_of_what_is_outside():
    corners = np.array([[-1.0, -1], [0, 0], [-1, 0], [0, 0], [-1, -1]])
    unknown = unknown_keypoints(corners, np.array([0, 0, 0, 2, 1]))
    assert unknown.tolist() == [True, True, False, False, False]
    assert unknown_keypoints(np.stack([corners] * 2), np.zeros((2, 5), int)).sum(axis=1).tolist() == [4, 4]


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


MASKS = replace(CONFIG, input="mask")


def test_masks_are_one_hot_and_lie_where_the_sheet_does(sheets):
    example = examples_of(sheets, masks=True)[0]
    picture, corners, _ = loader.plain_sample(example, MASKS)
    assert picture.shape == (64, 64) and picture.dtype == np.uint8
    given = loader.network_input([picture], MASKS)
    assert given.shape == (1, 4, 64, 64) and given.dtype == np.float32
    assert set(np.unique(given)) == {0, 1} and (given.sum(axis=1) == 1).all()
    outline = np.zeros((64, 64), np.uint8)
    cv2.fillPoly(outline, [np.round(corners).astype(np.int32)], 1)
    assert (outline & (given[0, 1] > 0)).sum() > 0.93 * (outline | (given[0, 1] > 0)).sum()
    assert not given[0, 2:].any()


def test_one_hot_by_hand():
    given = loader.one_hot(np.array([[[0, 3], [1, 2]]], np.uint8))
    assert given[0].tolist() == [[[1, 0], [0, 0]], [[0, 0], [1, 0]], [[0, 0], [0, 1]], [[0, 1], [0, 0]]]


def test_augmented_masks_are_those_of_the_same_change(sheets):
    example = examples_of(sheets, masks=True)[0]
    for seed in range(4):
        _, of_photo, _ = loader.augmented_sample(example, CONFIG, np.random.default_rng(seed))
        mask, of_mask, _ = loader.augmented_sample(example, MASKS, np.random.default_rng(seed))
        np.testing.assert_array_equal(of_photo, of_mask)
        centre = np.clip(np.round(of_mask.mean(axis=0)).astype(int), 0, 63)
        assert mask.shape == (64, 64) and set(np.unique(mask)) <= {0, 1} and (mask == 1).any()
        assert mask[centre[1], centre[0]] == 1 or not 0 < centre.min() <= centre.max() < 63


def test_a_sample_without_a_mask_is_named(sheets):
    samples = read_dataset(sheets)
    samples[1].mask_path.unlink()
    with pytest.raises(ValueError, match="sample 000001 has no mask, and input is 'mask'"):
        loader.require_masks(samples, MASKS)
    loader.require_masks(samples, CONFIG)
    example = examples_of(sheets, masks=True)[1]
    for make in (loader.plain_sample, lambda *a: loader.augmented_sample(*a, np.random.default_rng(0))):
        with pytest.raises(ValueError, match="--input rgb"):
            make(example, MASKS)


def test_classes_that_are_none_are_told(sheets):
    cv2.imwrite(str(sheets / "masks" / "000000.png"), np.full((104, 120), 7, np.uint8))
    with pytest.raises(ValueError, match="has the class 7; classes are 0 to 3"):
        examples_of(sheets, masks=True)


def test_coordinates_are_in_units_of_the_input(sheets):
    config = TrainConfig(model="regression_resnet18_v1b", height=64, width=96)
    points = np.array([[-0.5, -0.5], [95.5, 63.5], [47.5, 15.5], [np.nan, np.nan]])
    units = loader.target(points, np.array([2, 2, 1, 0]), config)
    assert units.tolist() == [0, 0, 1, 1, 0.5, 0.25, 0, 0] and units.dtype == np.float32
    np.testing.assert_allclose(decode_coordinates(units, (64, 96))[:3], points[:3], atol=1e-5)


def test_shared_targets_are_of_what_is_seen_and_covered(sheets):
    config = replace(CONFIG, maps="shared")
    batch = next(loader.plain_batches(examples_of(sheets), config))
    assert batch.targets.shape == (4, 3, 16, 16)
    assert batch.targets[:, :2].max(axis=(2, 3)).min() > 0.5 and not batch.targets[:, 2].any()


SHEET = replace(CONFIG, maps="sheet")


def test_sheet_targets_are_the_shared_ones_and_where_the_sheet_is(sheets):
    examples = examples_of(sheets, masks=True)
    batch = next(loader.plain_batches(examples, SHEET))
    assert batch.targets.shape == (4, 4, 16, 16) and batch.targets.dtype == np.float32
    shared = next(loader.plain_batches(examples, replace(SHEET, maps="shared")))
    np.testing.assert_array_equal(batch.targets[:, :3], shared.targets)
    for example, interior in zip(examples, batch.targets[:, 3], strict=True):
        mask, _, _ = loader.plain_sample(example, MASKS)
        share = (mask == 1).reshape(16, 4, 16, 4).mean(axis=(1, 3))
        assert np.abs(interior - share).max() < 0.35 and np.abs(interior - share).mean() < 0.02
        assert interior.sum() == pytest.approx(share.sum(), rel=0.07)  # the mask's pixels are whole ones


def test_a_sheet_with_an_unknown_corner_has_peaks_and_no_interior():
    corners = np.array([[14.0, 14.0], [50.0, 16.0], [np.nan, np.nan], [12.0, 46.0]])
    drawn = loader.target(corners, np.array([2, 2, 0, 2]), SHEET)
    assert (drawn[3] == -1).all()
    np.testing.assert_array_equal(drawn[:3], encode_shared(corners, [2, 2, 0, 2], (16, 16), 4, SHEET.sigma_px))


def test_interiors_follow_the_augmentation(sheets):
    examples = examples_of(sheets, masks=True)
    changing, bare = replace(SHEET, augment=True), replace(MASKS, augment=True, maps="sheet")
    compared = 0
    for epoch in range(3):
        batch, of_masks = (next(loader.training_batches(examples, config, epoch)) for config in (changing, bare))
        np.testing.assert_array_equal(batch.targets, of_masks.targets)
        for interior, classes in zip(batch.targets[:, 3], of_masks.images, strict=True):
            sheet = classes[1].reshape(16, 4, 16, 4).mean(axis=(1, 3))
            # What an occluder covers is in the interior and not in the mask; the other way round there is nothing.
            assert interior.min() >= 0 and (sheet - interior).max() < 0.5
            compared += np.abs(interior - sheet).mean() < 0.02
    assert compared > 3


def test_landmarks_keep_their_order_and_their_unknowns(faces):
    config = replace(CONFIG, joints=68)
    samples = loader.read_samples(faces, config)
    example = loader.load_examples(samples, 200)[0]
    _, points, visibility = loader.plain_sample(example, config)
    assert np.isnan(points[0]).all() and visibility.tolist() == [0, *[2] * 66, 0]
    in_photo = transform(input_to_photo(example.size, config.input_spec), points[1:])
    np.testing.assert_allclose(in_photo, samples[0].corners[1:], atol=1e-9)
    assert loader.target(points, visibility, config).any(axis=(1, 2)).tolist() == [False, *[True] * 67]
    for seed in range(4):
        _, moved, seen = loader.augmented_sample(example, config, np.random.default_rng(seed))
        # One affine map moves them all, and does not mirror them.
        source = np.column_stack([points[1:], np.ones(67)])
        affine, *_ = np.linalg.lstsq(source, moved[1:], rcond=None)
        np.testing.assert_allclose(source @ affine, moved[1:], atol=1e-6)
        assert np.linalg.det(affine[:2]) > 0.4
        inside = ((moved >= -0.5) & (moved < 63.5)).all(axis=1)
        assert np.isnan(moved[0]).all() and seen[67] == 0
        assert seen[1:67].tolist() == np.where(inside, 2, 0)[1:67].tolist()


def test_a_dataset_of_other_keypoints_says_which_joints(faces, sheets):
    with pytest.raises(ValueError, match="68 keypoints a sample, of category 'face'.*--joints 68"):
        loader.read_samples(faces, CONFIG)
    with pytest.raises(ValueError, match="--joints 4"):
        loader.read_samples(sheets, replace(CONFIG, joints=68))
    assert len(loader.read_samples(sheets, CONFIG)) == 4


def test_workers_share_each_batch(make_sheets):
    examples = examples_of(make_sheets(6), masks=True)
    config = replace(CONFIG, augment=True)
    whole = list(loader.training_batches(examples, config, 1))
    shares = [list(loader.training_batches(examples, config, 1, rank, 2)) for rank in range(2)]
    for number, batch in enumerate(whole):
        for part in ("images", "targets", "visibility"):
            together = np.concatenate([getattr(share[number], part) for share in shares])
            np.testing.assert_array_equal(together, getattr(batch, part))


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
