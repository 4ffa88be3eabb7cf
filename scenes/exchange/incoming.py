"""One image with its truth on the way into a dataset: put into the dataset's conventions, or refused."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.checking import attribute_faults, corners_inside, corners_outside, is_convex, mask_content_faults
from scenes.dataset import SPLITS, known_corners
from scenes.document import SHEET
from scenes.exchange.source import Refused
from scenes.labels import NAMES
from scenes.sheet import order_corners

UNKNOWN = (-1.0, -1.0)
CHECKED_ATTRIBUTES = ("split", "sheet", "feet")
# Where attributes go that have the name of one of ours and another form.
FOREIGN = "source"


@dataclass(frozen=True, eq=False)
class Incoming:
    """name: path in the dataset's images/, with slashes. image_path: the file. points: float (K, 2), pixels with
    centres at integers, NaN where not known. visibility: int (K,) as in COCO, or None: as the place tells. size:
    (width, height) that the source says, or None. attributes: dict. mask: makes the class mask uint8 (H, W) of an
    image of a size (width, height), or raises Refused; None where there is none. file, line: where it stands in the
    source."""

    name: str
    image_path: Path
    points: np.ndarray
    visibility: np.ndarray | None
    size: tuple | None
    attributes: dict
    mask: Callable | None
    file: str
    line: int | None


def settled(points, visibility, size, category=SHEET):
    """Keypoints as the dataset has them: (float64 (K, 2), int (K,)).

    points, visibility: as in Incoming. size: (width, height) of the image. What is not known (NaN or (-1, -1)), or
    said to be neither seen nor covered and yet within the image, is (-1, -1) with visibility 0; what is seen or
    covered outside the image gets visibility 0. Corners of a sheet come in published order, visibility moved along.
    Raises Refused for corners that no sheet has.
    """
    points = np.array(points, dtype=np.float64)
    image = {"width": size[0], "height": size[1]}
    unknown = np.isnan(points).any(axis=1) | ~known_corners(points)
    points[unknown] = UNKNOWN
    outside = corners_outside(points, image)
    visibility = np.where(outside, 0, 2) if visibility is None else np.where(outside, 0, visibility)
    told_absent = (visibility == 0) & corners_inside(points, image)
    points[told_absent] = UNKNOWN
    if category == SHEET and not (unknown | told_absent).any():
        order = order_corners(points)
        points, visibility = points[order], visibility[order]
        if not is_convex(points):
            raise Refused("corner_shape", f"corners are {points.tolist()}; no sheet of paper has this shape: two are "
                                          "the same, three on a line, or one within the others")
    return points, visibility.astype(int)


def tidy_attributes(attributes, split, category=SHEET):
    """Attributes that a dataset can hold: what has the name of one of its own and another form goes under `source`;
    `split`, where not None, is put where there is none. Raises Refused for numbers that are not finite."""
    if not _is_finite(attributes):
        raise Refused("not_finite", "an attribute is NaN or infinite, which JSON cannot hold")
    kept, foreign = {}, dict(attributes.get(FOREIGN, {})) if isinstance(attributes.get(FOREIGN), dict) else {}
    for key, value in attributes.items():
        annotation = {"keypoints": [0.0] * 3, "attributes": {key: value}}
        if key in CHECKED_ATTRIBUTES and attribute_faults({"file_name": ""}, annotation, category):
            foreign[key] = value
        elif key != FOREIGN:
            kept[key] = value
    if split in SPLITS:
        kept.setdefault("split", split)
    return {**kept, FOREIGN: foreign} if foreign else kept


def _is_finite(value):
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or bool(np.isfinite(value))


def checked_mask(mask, size, annotation):
    """The mask itself, uint8 (H, W), when it is one of an image of that size (width, height); else Refused."""
    if mask.shape != (size[1], size[0]):
        raise Refused("mask_size", f"the mask is {mask.shape[1]} x {mask.shape[0]} pixels, the image {size[0]} x "
                                   f"{size[1]}")
    faults = mask_content_faults("", mask, annotation)
    if faults:
        raise Refused(faults[0].rule, f"in the mask, {faults[0].message} (0 to {len(NAMES) - 1}: {', '.join(NAMES)})")
    return mask
