"""The dataset on disk: images/NAME.jpg, masks/NAME.png and annotations.json; writing and reading it.

annotations.json is COCO keypoints, one annotation of category `sheet` with keypoints corner_1..4 for each
image, so that CVAT, Label Studio and GluonCV read it. What COCO has no field for is under `attributes` of
the annotation: {"sheet": {"format", "long_side", "corners_mm", "marks"}, "feet": [{"side", "length_mm", "width_mm",
"instep_mm", "arch_mm", "heel", "toe", "heel_mm", "toe_mm"}], "camera": Camera.to_json(), "lens": {"k1", "k2"},
"seed", "split", "view"}. The camera is the pinhole one; where the lens is none (k1 or k2 is not 0), OpenCV's radial
distortion comes on top. Masks are 8-bit PNG of one channel with the ids of `scenes.labels`.

A dataset may hold keypoints of another category in place of corners, with or without masks: see
`scenes.document`. `scenes.checking` names what is wrong with a dataset, `scenes.repair` repairs what is safe.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from scenes.document import (
    ANNOTATIONS,
    SHEET,
    keypoint_category,
    read_document,
    replace_document,
    structure_faults,
)
from scenes.images import open_image, refuse_truncated
from scenes.labels import LEFT_FOOT, RIGHT_FOOT

IMAGES = "images"
MASKS = "masks"
SPLITS = ("train", "validation", "test")
RECORD_KEYS = ("file_name", "width", "height", "corners", "visibility")
SIDE_CLASSES = {"left": LEFT_FOOT, "right": RIGHT_FOOT}
MASK_MODE = "L"


class DatasetError(ValueError):
    """A dataset that cannot be read or written; the message names file and key."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truth.

    name: file name without ending. image_path, mask_path: pathlib.Path. width, height: pixels. corners:
    float64 (K, 2), pixels, the keypoints of the dataset's category: K = 4 corners in published order for a
    sheet; (-1, -1) where unknown. visibility: int (K,), as in COCO: 2 seen, 1 covered, 0 outside the image.
    attributes: dict, as the module's docstring says; {} in a dataset from elsewhere.
    """

    name: str
    image_path: Path
    mask_path: Path
    width: int
    height: int
    corners: np.ndarray
    visibility: np.ndarray
    attributes: dict

    @property
    def file_name(self):
        """Path of the image under images/, with slashes."""
        return PurePosixPath(self.name).with_name(self.image_path.name).as_posix()


def known_corners(corners):
    """Which points (K, 2) have coordinates: bool (K,); (-1, -1) stands for unknown."""
    return ~(np.asarray(corners) == -1).all(axis=1)


def unknown_keypoints(corners, visibility):
    """Which annotated keypoints (..., K, 2) with visibility (..., K) nobody can tell: bool (..., K).

    There are two ways of saying it, both with visibility 0: this project's (-1, -1), and (0, 0) as in plain COCO.
    """
    return (visibility == 0) & ((corners == -1).all(axis=-1) | (corners == 0).all(axis=-1))


def mask_name(file_name):
    """Path under masks/ of the mask of an image, with slashes."""
    return PurePosixPath(file_name).with_suffix(".png").as_posix()


# Writing


def coco_document(samples_or_records, category=SHEET, masks=True):
    """COCO keypoints document, a dict, of Samples or of records as a renderer gives them.

    A record: {"file_name", "width", "height", "corners": [[x, y] * K], "visibility": [v * K], "attributes":
    {...}}, K the number of keypoints of `category`. Ids count from 1 in the order given. masks: False says that
    a dataset of sheets comes without masks. Raises DatasetError for a record without one of the keys.
    """
    images, annotations = [], []
    for number, item in enumerate(samples_or_records, start=1):
        record = _record(item) if isinstance(item, Sample) else item
        missing = [key for key in RECORD_KEYS if key not in record]
        if missing:
            raise DatasetError(f"record {number} lacks {', '.join(missing)}")
        images.append({"id": number, "file_name": record["file_name"],
                       "width": int(record["width"]), "height": int(record["height"])})
        annotations.append(_annotation(number, record, len(category.keypoints)))
    what = ("corners of a sheet of paper, clockwise from the smallest x + y," if category == SHEET
            else f"keypoints of category {category.name}")
    info = {"description": f"{what} in pixels whose centres are at integers"}
    if not masks:
        info["masks"] = False
    return {"info": info, "licenses": [], "images": images, "annotations": annotations,
            "categories": [category.to_coco()]}


def _record(sample):
    return {"file_name": sample.file_name, "width": sample.width, "height": sample.height,
            "corners": sample.corners, "visibility": sample.visibility, "attributes": sample.attributes}


def _annotation(number, record, count):
    corners = np.asarray(record["corners"], dtype=np.float64)
    visibility = np.asarray(record["visibility"])
    if corners.shape != (count, 2) or visibility.shape != (count,):
        raise DatasetError(f"{record['file_name']}: corners have shape {corners.shape} and visibility "
                           f"{visibility.shape}; ({count}, 2) and ({count},) are needed")
    keypoints = []
    for (x, y), v in zip(corners.tolist(), visibility.tolist(), strict=True):
        keypoints += [x, y, int(v)]
    box, area = box_and_area(corners, record["width"], record["height"])
    return {"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints,
            "num_keypoints": int((visibility > 0).sum()), "bbox": box, "area": area, "iscrowd": 0,
            "segmentation": [], "attributes": record.get("attributes", {})}


def box_and_area(points, width, height):
    """COCO's bbox [x, y, width, height] and area of keypoints (K, 2) in an image of that size: of what is in the
    image, unknown ones left out; zeros where all are unknown."""
    known = points[known_corners(points)]
    limits = np.array([width, height]) - 0.5
    low, high = (np.clip(edge(known, axis=0), -0.5, limits) if len(known) else np.zeros(2)
                 for edge in (np.min, np.max))
    (x, y), (across, down) = low.tolist(), (high - low).tolist()
    return [x, y, across, down], across * down


def write_annotations(folder, records, category=SHEET, masks=True):
    """Write annotations.json of `records` (or Samples) into `folder`: at once or not at all.

    category, masks: as in `coco_document`. Raises DatasetError for records that are incomplete or hold NaN or
    what JSON cannot hold.
    """
    folder = Path(folder)
    try:
        text = json.dumps(coco_document(records, category, masks), allow_nan=False, indent=1)
    except DatasetError as error:
        raise DatasetError(f"{folder / ANNOTATIONS}: {error}") from error
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{folder / ANNOTATIONS}: records must hold finite numbers, text, lists and dicts "
                           f"only: {error}") from error
    replace_document(folder, text)


# Reading


def read_dataset(folder, split=None, category=SHEET.name):
    """Samples of a dataset, in the order of its images: list[Sample]. Reads annotations.json alone.

    split: "train", "validation", "test", or None for all. category: name of the category that its keypoints must
    be of; None for any (`read_category` tells which). Raises DatasetError, with file and key, for a document that
    is missing, is not JSON, lacks something or is of another category; ValueError for another split.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    folder = Path(folder)
    document, found = _read(folder)
    if category not in (None, found.name):
        raise DatasetError(f"{folder / ANNOTATIONS}: its keypoints are of category {found.name!r}, not {category!r}")
    faults = structure_faults(document, found)
    if faults:
        raise DatasetError(f"{folder / ANNOTATIONS}: {faults[0].message}")
    annotations = {annotation["image_id"]: annotation for annotation in document["annotations"]}
    samples = []
    for number, image in enumerate(document["images"]):
        annotation = annotations.get(image["id"])
        if annotation is None:
            raise DatasetError(f"{folder / ANNOTATIONS}: images[{number}], {image['file_name']}, has no "
                               "annotation")
        if split is None or annotation.get("attributes", {}).get("split") == split:
            samples.append(_sample(folder, image, annotation))
    return samples


def read_category(folder):
    """The Category of the keypoints of a dataset. Raises DatasetError for a document that cannot be read."""
    return _read(Path(folder))[1]


def _read(folder):
    """(document, Category). A document that does not tell its category is read as one of sheets."""
    document, faults = read_document(folder)
    if faults:
        raise DatasetError(f"{folder / ANNOTATIONS}: {faults[0].message}")
    return document, keypoint_category(document) or SHEET


def _sample(folder, image, annotation):
    name = PurePosixPath(image["file_name"])
    keypoints = np.array(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(keypoints).all():
        raise DatasetError(f"{folder / ANNOTATIONS}: keypoints of {name} are not all finite numbers")
    return Sample(str(name.with_suffix("")), folder / IMAGES / name, folder / MASKS / mask_name(name),
                  image["width"], image["height"], keypoints[:, :2].copy(), keypoints[:, 2].astype(int),
                  annotation.get("attributes", {}))


def read_mask(path):
    """Class mask uint8 (H, W), ids 0..3. Raises DatasetError unless the file is an 8-bit image of one
    channel."""
    try:
        with open_image(path) as image:
            if image.mode != MASK_MODE:
                raise DatasetError(f"{path}: the mask is of mode {image.mode}; 8-bit grey (mode L) is needed")
            refuse_truncated()
            return np.array(image)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: the mask cannot be read: there is no such file") from error
    except DatasetError:
        raise
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise DatasetError(f"{path}: the mask cannot be read: {error}") from error
