import json

import cv2
import numpy as np
import pytest

from scenes.dataset import read_dataset
from scenes.preparation import statistics
from scenes.preparation.encoding import standardise
from scenes.preparation.statistics import (
    PUBLISHED_EXAMPLE,
    PUBLISHED_SHARES,
    PixelDistribution,
    class_counts,
    dataset_statistics,
    published_moments,
    value_shares,
)


def noise(height, width, seed=3):
    return np.random.default_rng(seed).integers(5, 250, (height, width, 3), dtype=np.uint8)


def test_shares_of_the_values_of_a_hand_made_photo():
    photo = np.zeros((2, 2, 3), np.uint8)
    photo[0, 0] = (255, 7, 0)
    photo[0, 1] = (255, 8, 0)
    shares = value_shares(photo)
    assert shares.shape == (3, 256)
    assert shares[0, 255] == 0.5 and shares[0, 0] == 0.5
    assert shares[1, 7] == 0.25 and shares[1, 8] == 0.25 and shares[1, 0] == 0.5
    assert shares[2, 0] == 1


def test_a_large_photo_is_counted_in_parts(monkeypatch):
    photo = noise(37, 20)
    whole = value_shares(photo)
    monkeypatch.setattr(statistics, "_EXACT_COUNT", 100)
    assert (value_shares(photo) == whole).all()


def test_moments_are_those_of_the_pixels():
    photo = noise(30, 40)
    photo[..., 2] //= 2
    pixels = PixelDistribution(1, value_shares(photo))
    values = photo.reshape(-1, 3)
    np.testing.assert_allclose(pixels.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(pixels.std, values.std(axis=0), rtol=1e-12)
    assert pixels.low.tolist() == values.min(axis=0).tolist()
    assert pixels.high.tolist() == values.max(axis=0).tolist()


def test_each_photo_weighs_the_same_whatever_its_size(make_dataset):
    dark, bright = np.full((100, 100, 3), 10, np.uint8), np.full((200, 300, 3), 110, np.uint8)
    shapes = np.zeros((100, 100), np.uint8), np.ones((200, 300), np.uint8)
    folder = make_dataset(shapes, [dark, bright], feet=())
    result = dataset_statistics(read_dataset(folder))
    assert result.problems == ()
    assert result.pixels.photos == 2
    np.testing.assert_allclose(result.pixels.mean, 60, rtol=1e-12)
    np.testing.assert_allclose(result.pixels.std, 50, rtol=1e-12)
    np.testing.assert_allclose(result.classes.mean, [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(result.classes.std, [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(result.classes.of_all_pixels, [1 / 7, 6 / 7, 0, 0])
    assert result.classes.masks_with.tolist() == [1, 1, 0, 0]


def test_what_cannot_be_read_is_named_and_the_rest_counts(make_dataset, masks):
    folder = make_dataset(masks[:4])
    (folder / "images" / "000001.png").write_bytes(b"nothing")
    (folder / "masks" / "000002.png").unlink()
    wrong = masks[3].copy()
    wrong[0, 0] = 9
    cv2.imwrite(str(folder / "masks" / "000003.png"), wrong)
    seen = []
    result = dataset_statistics(read_dataset(folder), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 4) for k in range(1, 5)]
    assert result.pixels.photos == 3 and result.classes.masks == 2
    assert [line.split(": ")[0] for line in result.problems] == [
        str(folder / part) for part in ("images/000001.png", "masks/000002.png", "masks/000003.png")]
    assert "the mask holds 9" in result.problems[2]
    expected = np.mean([np.bincount(mask.ravel(), minlength=4) / mask.size for mask in masks[:2]], axis=0)
    np.testing.assert_allclose(result.classes.mean, expected, rtol=1e-12)


def test_nothing_readable_gives_no_numbers(make_dataset, masks):
    folder = make_dataset(masks[:1])
    (folder / "images" / "000000.png").unlink()
    (folder / "masks" / "000000.png").unlink()
    result = dataset_statistics(read_dataset(folder))
    assert result.pixels is None and result.classes is None and len(result.problems) == 2
    assert result.to_json()["pixels"] is None


def test_a_dataset_without_masks_is_its_photos(make_dataset, masks):
    folder = make_dataset(masks[:2])
    (folder / "masks" / "000000.png").unlink()
    result = dataset_statistics(read_dataset(folder), with_masks=False)
    assert result.pixels.photos == 2 and result.classes is None and result.problems == ()


def test_the_json_holds_ours_beside_the_published(make_dataset, masks):
    result = dataset_statistics(read_dataset(make_dataset(masks)))
    document = json.loads(json.dumps(result.to_json()))
    assert document["classes"]["sheet"]["published_mean_share"] == 0.25
    assert sum(document["classes"][name]["mean_share"] for name in ("background", "sheet", "left_foot",
                                                                    "right_foot")) == pytest.approx(1)
    assert sum(document["pixels"]["G"]["histogram"]) == pytest.approx(1)
    assert sum(PUBLISHED_SHARES) == pytest.approx(1)


def test_classes_beyond_the_four_are_refused():
    assert class_counts(np.array([[0, 1], [1, 3]], np.uint8)).tolist() == [1, 2, 0, 1]
    with pytest.raises(ValueError, match="holds 7"):
        class_counts(np.array([[0, 7]], np.uint8))


def test_the_published_moments_give_table_2():
    mean, std = published_moments()
    for values, published in PUBLISHED_EXAMPLE:
        np.testing.assert_allclose(standardise(values, mean, std), published, atol=1e-6)
    np.testing.assert_allclose(std, [69.84, 64.42, 63.11], atol=0.01)
