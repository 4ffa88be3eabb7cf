import cv2
import numpy as np
import pytest

from scenes.dataset import write_annotations
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET

SIZE = (240, 320)
CORNERS = [[50, 50], [190, 60], [185, 270], [45, 262]]


def draw_mask(seed):
    """uint8 (320, 240): a turned sheet, and two feet with round toes and narrow gaps between them."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(SIZE[::-1], np.uint8)
    turn = cv2.getRotationMatrix2D((120, 160), rng.uniform(-25, 25), 1.0)

    def turned(points):
        return np.round(np.asarray(points, float) @ turn[:, :2].T + turn[:, 2]).astype(np.int32)

    cv2.fillPoly(mask, [turned([[50, 50], [190, 50], [190, 262], [50, 262]])], SHEET)
    for label, x in ((LEFT_FOOT, 90), (RIGHT_FOOT, 155)):
        sole = cv2.ellipse2Poly((x, 185), (24, 60), 0, 0, 360, 4)
        cv2.fillPoly(mask, [turned(sole)], label)
        for toe in range(5):
            centre = (x - 26 + 13 * toe, 122 + rng.integers(0, 8))
            cv2.fillPoly(mask, [turned(cv2.ellipse2Poly(tuple(map(int, centre)), (5, 14), 0, 0, 360, 8))], label)
    return mask


@pytest.fixture(scope="session")
def masks():
    """Six masks uint8 (320, 240)."""
    return [draw_mask(seed) for seed in range(6)]


def write_dataset(folder, masks, photos=None, feet=("left", "right"), splits=None):
    """A dataset of these masks; photos: uint8 (H, W, 3) each, written as PNG so that they stay as they are."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    records = []
    for k, mask in enumerate(masks):
        photo = np.full((*mask.shape, 3), 40 + 10 * k, np.uint8) if photos is None else photos[k]
        cv2.imwrite(str(folder / "images" / f"{k:06d}.png"), photo[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{k:06d}.png"), mask)
        attributes = {"split": splits[k] if splits else "train",
                      "feet": [{"side": side, "length_mm": 250.0, "width_mm": 95.0} for side in feet]}
        records.append({"file_name": f"{k:06d}.png", "width": mask.shape[1], "height": mask.shape[0],
                        "corners": CORNERS, "visibility": [2, 2, 2, 2], "attributes": attributes})
    write_annotations(folder, records)
    return folder


@pytest.fixture
def make_dataset(tmp_path):
    """A function (masks, photos=None, feet=..., splits=None) -> dataset folder."""
    return lambda *args, **options: write_dataset(tmp_path / "data", *args, **options)
