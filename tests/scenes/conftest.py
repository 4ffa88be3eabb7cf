"""A good dataset of three scenes, for the tests of what reads, checks, repairs and exchanges datasets."""

import numpy as np
import pytest
from PIL import Image

from scenes.dataset import write_annotations

SIZE = (64, 48)
CORNERS = [[10.25, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]


def record(number, feet=("left",), split="train"):
    return {"file_name": f"{number:06d}.jpg", "width": SIZE[0], "height": SIZE[1],
            "corners": [list(corner) for corner in CORNERS], "visibility": [2, 2, 1, 2],
            "attributes": {"sheet": {"format": "a4", "long_side": "horizontal"}, "seed": 7, "split": split,
                           "feet": [{"side": side, "length_mm": 250.0, "width_mm": 95.0} for side in feet]}}


@pytest.fixture
def records():
    """What stands in the annotations of `folder`, new for each test."""
    return [record(0), record(1, feet=(), split="validation"), record(2, feet=("left", "right"))]


@pytest.fixture
def folder(tmp_path, records):
    """A good dataset of three scenes: a left foot, no foot, both feet."""
    folder = tmp_path / "dataset"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rng = np.random.default_rng(1)
    for number, labels in enumerate([(1, 2), (1,), (1, 2, 3)]):
        noise = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{number:06d}.jpg")
        mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        for label in labels:
            mask[10 * label:10 * label + 5, 10:30] = label
        Image.fromarray(mask).save(folder / "masks" / f"{number:06d}.png")
    write_annotations(folder, records)
    return folder
