"""Figures on labelled photos, by hand: how far seen corners are off, how classes overlap, and in whose frame."""

import numpy as np
import pytest
from PIL import Image

from deploy.labelled import LOST_PX, labelled_photos, of_corners, of_pixels
from keypoints.heatmaps import encode
from scenes.dataset import write_annotations
from scenes.images import InputSpec

CORNERS = np.array([[12.0, 12.0], [36.0, 14.0], [34.0, 50.0], [10.0, 48.0]])
SEEN = np.full(4, 2)


def drawn(corners):
    """A network that answers any image uint8 (1, 64, 48, 3) with heatmaps of `corners`."""
    return lambda image: encode(corners, SEEN, (16, 12), 4, 1.0)[None]


def test_corners_that_are_seen_count_with_what_they_are_off_and_lost_ones_alike():
    off = np.array([[2.0, 0], [0, 1], [0, 40], [0, 0]])
    truths = [(CORNERS + off, np.array([2, 2, 1, 2])), (CORNERS + off, SEEN)]
    photos = of_corners(np.zeros((2, 64, 48, 3), np.uint8), truths, 4, "each")
    figure, each = photos.judge(drawn(CORNERS))
    assert each == pytest.approx([-3 / 3, -(3 + LOST_PX) / 4], abs=0.05)
    assert figure == pytest.approx(-(6 + LOST_PX) / 7, abs=0.05)
    assert photos.judge(drawn(CORNERS), [1]) == (each[1], each[1:])
    assert photos.unit == "px"


def test_which_corner_is_the_first_does_not_matter():
    photos = of_corners(np.zeros((1, 64, 48, 3), np.uint8), [(np.roll(CORNERS, 1, axis=0), SEEN)], 4, "each")
    assert photos.judge(drawn(CORNERS))[0] == pytest.approx(0, abs=0.05)


def test_pixels_of_all_photos_count_together_and_bars_not_at_all():
    spec = InputSpec(4, 4, "letterbox")
    mask = np.zeros((2, 4), np.uint8)
    with_sheet = mask.copy()
    with_sheet[0, 0] = 1
    photos = of_pixels(np.zeros((2, 4, 4, 3), np.uint8), [((4, 2), mask), ((4, 2), with_sheet)], spec)
    answer = np.zeros((1, 4, 4, 4), np.float32)
    answer[..., 0] = 1
    answer[:, [0, 3], :, 3] = 2  # a foot in the bars above and below
    figure, each = photos.judge(lambda image: answer)
    assert each == [100.0, pytest.approx(100 * (7 / 8 + 0) / 2)]
    assert figure == pytest.approx(100 * (15 / 16 + 0) / 2)


@pytest.fixture
def dataset(tmp_path):
    """A function (splits) -> a dataset of one photo, 144 x 192 px, a split; the second has no corner that is seen."""

    def made(splits):
        folder = tmp_path / "data"
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        records = []
        for number, split in enumerate(splits):
            Image.fromarray(np.full((192, 144, 3), 40 * number, np.uint8)).save(folder / "images" / f"{number}.png")
            Image.fromarray(np.full((192, 144), number % 4, np.uint8)).save(folder / "masks" / f"{number}.png")
            records.append({"file_name": f"{number}.png", "width": 144, "height": 192, "corners": 3 * CORNERS,
                            "visibility": [1] * 4 if number == 1 else [2, 2, 1, 0],
                            "attributes": {"split": split}})  # fmt: skip
        write_annotations(folder, records)
        return folder

    return made


def test_photos_of_the_validation_split_come_in_the_networks_frame(bundle, dataset):
    folder = dataset(["train", "validation", "validation", "validation"])
    photos = labelled_photos(bundle, "keypoints", folder, 10)
    assert photos.inputs.shape == (2, 64, 48, 3) and photos.inputs[:, 0, 0, 0].tolist() == [80, 120]
    np.testing.assert_allclose(photos.truths[0][0], (3 * CORNERS + 0.5) / 3 - 0.5)
    pixels = labelled_photos(bundle, "segmentation", folder, 10)
    assert pixels.inputs.shape == (3, 24, 32, 3) and pixels.truths[0][0] == (144, 192)
    assert [truth[1][0, 0] for truth in pixels.truths] == [1, 2, 3]
    assert len(labelled_photos(bundle, "segmentation", folder, 2).inputs) == 2


def test_a_dataset_that_cannot_tell_is_refused(bundle, dataset):
    folder = dataset(["train", "validation"])
    with pytest.raises(ValueError, match="no photos of split 'validation' with a corner that is seen.*set no limit"):
        labelled_photos(bundle, "keypoints", folder, 10)
    (folder / "masks" / "1.png").unlink()
    with pytest.raises(ValueError, match="no photos of split 'validation' with a mask"):
        labelled_photos(bundle, "segmentation", folder, 10)
