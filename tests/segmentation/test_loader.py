from dataclasses import replace

import cv2
import numpy as np
import pytest

from segmentation import loader
from segmentation.config import TrainConfig

CONFIG = TrainConfig(height=96, width=128, batch=2, seed=5)


def test_split_marked_in_the_data(make_dataset):
    data = make_dataset(6, splits=("train", "validation", "test"))
    training, held_out, how = loader.split_samples(data, validation=data)
    assert [s.name for s in training] == ["000000", "000003"] and [s.name for s in held_out] == ["000001", "000004"]
    assert how == "split"


def test_split_from_another_folder_or_the_tail(make_dataset):
    data, other = make_dataset(5), make_dataset(2, name="other")
    training, held_out, how = loader.split_samples(data, other)
    assert (len(training), len(held_out), how) == (5, 2, "folder")
    training, held_out, how = loader.split_samples(data)
    assert [s.name for s in held_out] == ["000004"] and len(training) == 4 and how == "tail"


def test_nothing_left_to_train_on(make_dataset):
    with pytest.raises(loader.DataError, match="0 samples to train on"):
        loader.split_samples(make_dataset(1))


def test_training_batches_depend_on_seed_epoch_and_index_alone(make_dataset):
    pixels = loader.read_pixels(loader.split_samples(make_dataset(8))[0])
    one = list(loader.training_batches(pixels, CONFIG, epoch=3, threads=1))
    three = list(loader.training_batches(pixels, CONFIG, epoch=3, threads=3))
    assert len(one) == len(three) == loader.steps_per_epoch(7, 2) == 3
    for a, b in zip(one, three, strict=True):
        assert a.images.dtype == np.uint8 and a.images.shape == (2, 96, 128, 3) and a.masks.shape == (2, 96, 128)
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.masks, b.masks)
    following = next(loader.training_batches(pixels, CONFIG, epoch=4))
    assert not np.array_equal(following.images, one[0].images)


def test_fewer_samples_than_a_batch(make_dataset):
    pixels = loader.read_pixels(loader.split_samples(make_dataset(4))[0])
    batches = list(loader.training_batches(pixels, TrainConfig(height=96, width=96, batch=8), epoch=0))
    assert [len(batch.images) for batch in batches] == [3]


def test_workers_share_each_batch(make_dataset):
    pixels = loader.read_pixels(loader.split_samples(make_dataset(8))[0])
    for config in (CONFIG, replace(CONFIG, batch=6), replace(CONFIG, batch=8)):
        whole = list(loader.training_batches(pixels, config, epoch=1))
        shares = [list(loader.training_batches(pixels, config, 1, rank=rank, workers=2)) for rank in range(2)]
        assert len(shares[0]) == len(shares[1]) == len(whole)
        for batch, *parts in zip(whole, *shares, strict=True):
            together = np.concatenate([part.images for part in parts])
            # Of fewer samples than a batch, one that has no like among the shares is left over.
            np.testing.assert_array_equal(together, batch.images[: len(together)])
            assert len(together) == min(config.batch, 6)
    with pytest.raises(loader.DataError, match="7 samples to train on are too few for 8 workers"):
        loader.training_batches(pixels, replace(CONFIG, batch=8), 1, rank=0, workers=8)


def test_validation_sees_every_sample_once(make_dataset):
    pixels = loader.read_pixels(loader.split_samples(make_dataset(6))[0])
    config = TrainConfig(height=112, width=112, batch=2)
    batches = list(loader.validation_batches(pixels, config, threads=2))
    assert [len(batch.images) for batch in batches] == [2, 2, 1]
    masks = np.concatenate([batch.masks for batch in batches])
    np.testing.assert_array_equal(masks, [one.mask for one in pixels])


def test_ahead_keeps_order_is_bounded_and_raises():
    started = []

    def make(part):
        started.append(part)
        if part == 30:
            raise RuntimeError("part 30")
        return part

    results = loader.ahead(make, list(range(40)), threads=2)
    assert next(results) == 0 and len(started) <= 6
    with pytest.raises(RuntimeError, match="part 30"):
        assert list(results) == []


def test_mask_of_another_size_is_named(make_dataset):
    data = make_dataset(2)
    cv2.imwrite(str(data / "masks" / "000000.png"), np.zeros((10, 112), np.uint8))
    with pytest.raises(loader.DataError, match="000000.png.*differs"):
        loader.read_pixels(loader.split_samples(data)[0])


def test_photo_that_cannot_be_read_is_named(make_dataset):
    data = make_dataset(2)
    (data / "images" / "000000.jpg").write_bytes(b"no photo")
    with pytest.raises(loader.DataError, match="000000.jpg"):
        loader.read_pixels(loader.split_samples(data)[0])
