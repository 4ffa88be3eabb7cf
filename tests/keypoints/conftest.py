import cv2
import numpy as np
import pytest

from scenes.dataset import write_annotations
from scenes.document import Category
from scenes.sheet import order_corners

WIDTH, HEIGHT = 120, 104


def write_sheets(folder, count, splits=None):
    """A dataset of light quadrangles on dark floors: photos, masks, annotations."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rng = np.random.default_rng(5)
    records = []
    for index in range(count):
        turn = rng.uniform(-0.3, 0.3)
        corners = np.array([[-25, -32], [25, -32], [25, 32], [-25, 32]]) @ [
            [np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + [WIDTH / 2, HEIGHT / 2]
        corners += rng.uniform(-6, 6, (4, 2))
        corners = corners[order_corners(corners)]
        image = np.full((HEIGHT, WIDTH, 3), rng.integers(20, 90, 3), np.uint8)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(image, [np.round(corners).astype(np.int32)], (235, 230, 225))
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
        cv2.imwrite(str(folder / "images" / f"{index:06d}.jpg"), image)
        cv2.imwrite(str(folder / "masks" / f"{index:06d}.png"), mask)
        attributes = {"feet": [], "split": splits[index]} if splits else {"feet": []}
        records.append({"file_name": f"{index:06d}.jpg", "width": WIDTH, "height": HEIGHT, "corners": corners.tolist(),
                        "visibility": [2, 2, 1, 2], "attributes": attributes})
    write_annotations(folder, records)
    return folder


@pytest.fixture
def sheets(tmp_path):
    """Four samples, one of them for validation."""
    return write_sheets(tmp_path / "sheets", 4, ["train", "train", "train", "validation"])


@pytest.fixture
def make_sheets(tmp_path):
    """A function (count, splits=None) -> dataset folder."""
    return lambda count, splits=None: write_sheets(tmp_path / f"sheets-{count}", count, splits)


@pytest.fixture
def faces(tmp_path):
    """Three samples with 68 landmarks each and no masks: the first unknown, the last outside the photo."""
    folder = tmp_path / "faces"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(6)
    records = []
    for index in range(3):
        points = rng.uniform(20, 80, (68, 2))
        points[0], points[67] = (-1, -1), (WIDTH + 5, 30)
        cv2.imwrite(str(folder / "images" / f"{index:06d}.jpg"), rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
        records.append({"file_name": f"{index:06d}.jpg", "width": WIDTH, "height": HEIGHT, "corners": points.tolist(),
                        "visibility": [0, *[2] * 66, 0], "attributes": {}})
    write_annotations(folder, records, Category("face", tuple(f"point_{k}" for k in range(68)), ()), masks=False)
    return folder
