"""What a network says, to be looked at: photo, truth and class map side by side, the worst samples first."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from scenes.gallery import captioned, write_gallery
from scenes.labels import PALETTE
from scenes.tables import told
from segmentation.evaluate import Judgement

PICTURE_PX = 480  # longer side of each panel
CORNERS = (60, 220, 60)  # RGB of the annotated corners' outline
TINT = 0.6  # share of a class's colour over the photo
CELL_PX = (560, 260)  # three panels beside each other


def write_failures(folder: Path, judgement: Judgement, count: int, progress: Callable | None = None) -> list[Path]:
    """Writes the `count` worst samples as NN-NAME.png, worst first, and contact-sheet.png.

    Args:
        folder: made where it is missing; `scenes.gallery.check_folder` first.
        progress: called with 1 after each picture.

    Returns:
        The paths written. Raises DataError and OSError.
    """
    subject, findings, maps = judgement.subject, judgement.findings, judgement.maps
    indices = findings.worst()[:count]
    of_photos = "inside_sheet_or_foot" in judgement.result

    def pictures():
        for place, index in enumerate(indices, start=1):
            rgb, said, row = subject.photo(index), maps.at_photo(index), findings.per_sample[index]
            if of_photos:
                panels = [outlined(one, subject.corners(index), subject.size(index)) for one in panels_of(rgb, said)]
            else:
                panels = panels_of(rgb, subject.truth(index), said)
            yield row["name"], captioned(
                np.hstack(panels), f"{place}: {row['name']}", photo_line(row) if of_photos else sample_line(row)
            )

    return write_gallery(folder, pictures(), len(indices), progress, CELL_PX)


def sample_line(row: dict) -> str:
    """A line about a sample of a dataset, see `segmentation.evaluate.Findings.per_sample`."""
    return f"mean IoU {told(row['mean_iou'], 3)}, left/right confused {told(row['left_right_confusion'], 2)}"


def photo_line(row: dict) -> str:
    """A line about an annotated photo, see `segmentation.photo_findings.photo_figures`."""
    side = f"{row['majority']} {row['majority_share']:.2f}" if row["majority"] else "no side"
    return (f"inside {told(row['inside_sheet_or_foot'], 3)}, sheet outside {told(row['sheet_outside'], 3)}, {side} "
            f"(is {row['feet'] or 'not annotated'})")


def panels_of(rgb: np.ndarray, *masks: np.ndarray) -> list[np.ndarray]:
    """The photo uint8 (H, W, 3) and, for each mask (H, W), the photo under its classes' colours: uint8 pictures with
    PICTURE_PX on the longer side."""
    height, width = rgb.shape[:2]
    scale = PICTURE_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    photo = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    small = [cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT) for mask in masks]
    return [photo, *(tinted(photo, mask) for mask in small)]


def tinted(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photo uint8 (H, W, 3) in grey, under the colours of the classes of `mask` (H, W); background stays grey."""
    grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
    share = np.where(mask > 0, TINT, 0.0)[..., None]
    return np.round(grey * (1 - share) + PALETTE[mask] * share).astype(np.uint8)


def outlined(picture: np.ndarray, corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A copy of the picture of a photo of `size` (width, height) with the quadrangle of `corners` (4, 2), pixels of the
    photo; as it is where a corner is not known or far outside."""
    drawn = picture.copy()
    points = (np.asarray(corners) + 0.5) * picture.shape[1::-1] / np.array(size) - 0.5
    if np.isfinite(points).all() and np.abs(points).max() < 1e5:  # OpenCV draws with whole numbers of 32 bits
        cv2.polylines(drawn, [np.round(points * 16).astype(np.int32)], True, CORNERS, 1, cv2.LINE_AA, shift=4)
    return drawn
