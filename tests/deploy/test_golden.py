"""Golden images and crops: always the same, of a dataset where there is one, drawn else."""

import cv2
import numpy as np
import pytest
from PIL import Image

from deploy.bundle import CropSpec
from deploy.golden import PHOTOS, draw_scene, golden_crops, golden_inputs
from scenes.dataset import write_annotations
from scenes.images import InputSpec
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET

SPEC = CropSpec(32, 320.0, (0.0,) * 4, (1.0,) * 4)


def test_drawn_inputs_and_crops_are_the_same_at_every_call():
    spec = InputSpec(40, 30, "letterbox")
    assert (golden_inputs(spec) == golden_inputs(spec)).all() and golden_inputs(spec).shape == (PHOTOS + 1, 40, 30, 3)
    crops = golden_crops(SPEC)
    assert (crops == golden_crops(SPEC)).all() and crops.shape == (PHOTOS + 1, 32, 32, 4) and crops.dtype == np.uint8
    # The foot is in the middle, and nothing of it in the corners.
    assert (crops[:-1, 16, 16, 3] == 255).all() and (crops[:-1, 0, 0, 3] == 0).all()
    assert 0.3 < (crops[-1, ..., 3] > 127).mean() < 0.7


def test_a_drawn_scene_knows_its_foot():
    image, foot, sheet_to_image = draw_scene(np.random.default_rng(0))
    assert image.shape[:2] == foot.shape and sheet_to_image.shape == (3, 3)
    # One colour of skin, but for the ellipse's soft edge.
    assert image[cv2.erode(foot.astype(np.uint8), np.ones((5, 5))) > 0].std(axis=0).max() == 0


@pytest.fixture
def dataset(tmp_path):
    """Three photos of 120 x 160 px, one with both feet, one with the left one, one without."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    records = []
    for number, sides in enumerate([("left", "right"), ("left",), ()]):
        mask = np.zeros((160, 120), np.uint8)
        mask[20:140, 20:105] = SHEET
        for side in sides:
            x = 40 if side == "left" else 80
            mask[40:110, x - 12 : x + 12] = LEFT_FOOT if side == "left" else RIGHT_FOOT
        Image.fromarray(np.repeat(mask[..., None] * 60, 3, axis=2)).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
        feet = [{"side": side, "length_mm": 170.0, "width_mm": 59.0} for side in sides]
        records.append({"file_name": f"{number}.png", "width": 120, "height": 160, "visibility": [2] * 4,
                        "corners": [[20, 20], [105, 20], [105, 140], [20, 140]],
                        "attributes": {"sheet": {"format": "a4", "long_side": "vertical"}, "feet": feet}})  # fmt: skip
    write_annotations(tmp_path, records)
    return tmp_path


def test_crops_of_a_dataset_are_its_own_feet(dataset):
    crops = golden_crops(SPEC, dataset)
    assert len(crops) == 4  # two left feet, a right one, noise
    assert [int(crop[16, 16, 0]) for crop in crops[:-1]] == [120, 120, 180]
    # 170 x 59 mm at 10 mm a pixel
    rows, columns = (np.count_nonzero((crops[0, ..., 3] > 127).any(axis=axis)) for axis in (1, 0))
    assert (rows, columns) == (pytest.approx(17, abs=1.5), pytest.approx(6, abs=1.5))


def test_photos_without_masks_leave_drawn_crops(dataset, tmp_path):
    assert (golden_crops(SPEC, dataset / "images") == golden_crops(SPEC)).all()
