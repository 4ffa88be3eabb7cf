"""The dataset on disk: images/NAME.jpg, masks/NAME.png and annotations.json; writing, reading and checking
it.

annotations.json is COCO keypoints, one annotation of category `sheet` with keypoints corner_1..4 for each
image, so that CVAT, Label Studio and GluonCV read it. What COCO has no field for is under `attributes` of
the annotation: {"sheet": {"format", "long_side"}, "feet": [{"side", "length_mm", "width_mm", "heel", "toe",
"heel_mm", "toe_mm"}], "camera": Camera.to_json(), "seed", "split", "view"}. Masks are 8-bit PNG of one
channel with the ids of `scenes.labels`.
"""

import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from scenes.images import refuse_truncated
from scenes.labels import LEFT_FOOT, NAMES, RIGHT_FOOT
from scenes.sheet import FORMATS, LONG_SIDES, order_corners

ANNOTATIONS = "annotations.json"
IMAGES = "images"
MASKS = "masks"
SPLITS = ("train", "validation", "test")
KEYPOINTS = ("corner_1", "corner_2", "corner_3", "corner_4")
SKELETON = ((1, 2), (2, 3), (3, 4), (4, 1))
CATEGORY = {"id": 1, "name": "sheet", "supercategory": "", "keypoints": list(KEYPOINTS),
            "skeleton": [list(bone) for bone in SKELETON]}
RECORD_KEYS = ("file_name", "width", "height", "corners", "visibility")
SIDE_CLASSES = {"left": LEFT_FOOT, "right": RIGHT_FOOT}
# Tools round coordinates, and a sheet turned by 45 degrees has two corners of the same x + y.
ORDER_TOLERANCE_PX = 0.5
MASK_MODE = "L"


class DatasetError(ValueError):
    """A dataset that cannot be read or written; the message names file and key."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truth.

    name: file name without ending. image_path, mask_path: pathlib.Path. width, height: pixels. corners:
    float64 (4, 2), pixels, published order, (-1, -1) where unknown. visibility: int (4,), as in COCO: 2
    seen, 1 covered, 0 outside the image. attributes: dict, as the module's docstring says; {} in a dataset
    from elsewhere.
    """

    name: str
    image_path: Path
    mask_path: Path
    width: int
    height: int
    corners: np.ndarray
    visibility: np.ndarray
    attributes: dict


@dataclass(frozen=True)
class Fault:
    """file: path in the dataset's folder, with slashes. rule: name of what is broken. message: what, and
    what to do."""

    file: str
    rule: str
    message: str

    def __str__(self):
        return f"{self.file}: {self.rule}: {self.message}"


def known_corners(corners):
    """Which corners (4, 2) have coordinates: bool (4,); (-1, -1) stands for unknown."""
    return ~(np.asarray(corners) == -1).all(axis=1)


# Writing


def coco_document(samples_or_records):
    """COCO keypoints document, a dict, of Samples or of records as a renderer gives them.

    A record: {"file_name", "width", "height", "corners": [[x, y] * 4], "visibility": [v * 4], "attributes":
    {...}}. Ids count from 1 in the order given. Raises DatasetError for a record without one of the keys.
    """
    images, annotations = [], []
    for number, item in enumerate(samples_or_records, start=1):
        record = _record(item) if isinstance(item, Sample) else item
        missing = [key for key in RECORD_KEYS if key not in record]
        if missing:
            raise DatasetError(f"record {number} lacks {', '.join(missing)}")
        images.append({"id": number, "file_name": record["file_name"],
                       "width": int(record["width"]), "height": int(record["height"])})
        annotations.append(_annotation(number, record))
    description = ("corners of a sheet of paper, clockwise from the smallest x + y, in pixels whose centres "
                   "are at integers")
    return {"info": {"description": description}, "licenses": [], "images": images,
            "annotations": annotations, "categories": [CATEGORY]}


def _record(sample):
    return {"file_name": sample.image_path.name, "width": sample.width, "height": sample.height,
            "corners": sample.corners, "visibility": sample.visibility, "attributes": sample.attributes}


def _annotation(number, record):
    corners = np.asarray(record["corners"], dtype=np.float64)
    visibility = np.asarray(record["visibility"])
    if corners.shape != (4, 2) or visibility.shape != (4,):
        raise DatasetError(f"{record['file_name']}: corners have shape {corners.shape} and visibility "
                           f"{visibility.shape}; (4, 2) and (4,) are needed")
    keypoints = []
    for (x, y), v in zip(corners.tolist(), visibility.tolist(), strict=True):
        keypoints += [x, y, int(v)]
    known = corners[known_corners(corners)]
    # COCO boxes and areas are of what is in the image.
    limits = np.array([record["width"], record["height"]]) - 0.5
    low, high = (np.clip(edge(known, axis=0), -0.5, limits) if len(known) else np.zeros(2)
                 for edge in (np.min, np.max))
    (x, y), (width, height) = low.tolist(), (high - low).tolist()
    return {"id": number, "image_id": number, "category_id": CATEGORY["id"], "keypoints": keypoints,
            "num_keypoints": int((visibility > 0).sum()), "bbox": [x, y, width, height],
            "area": width * height, "iscrowd": 0, "segmentation": [],
            "attributes": record.get("attributes", {})}


def write_annotations(folder, records):
    """Write annotations.json of `records` (or Samples) into `folder`: at once or not at all.

    Raises DatasetError for records that are incomplete or hold NaN or what JSON cannot hold.
    """
    folder = Path(folder)
    try:
        text = json.dumps(coco_document(records), allow_nan=False, indent=1)
    except DatasetError as error:
        raise DatasetError(f"{folder / ANNOTATIONS}: {error}") from error
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{folder / ANNOTATIONS}: records must hold finite numbers, text, lists and dicts "
                           f"only: {error}") from error
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".annotations.",
                                     delete=False) as file:
        try:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, folder / ANNOTATIONS)
        except BaseException:
            os.unlink(file.name)
            raise


# Reading


def read_dataset(folder, split=None):
    """Samples of a dataset, in the order of its images: list[Sample]. Reads annotations.json alone.

    split: "train", "validation", "test", or None for all. Raises DatasetError, with file and key, for a
    document that is missing, is not JSON or lacks something; ValueError for another split.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    folder = Path(folder)
    document, faults = _read_document(folder)
    faults = faults or _structure_faults(document)
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


def _sample(folder, image, annotation):
    name = PurePosixPath(image["file_name"])
    keypoints = np.array(annotation["keypoints"], dtype=np.float64).reshape(4, 3)
    if not np.isfinite(keypoints).all():
        raise DatasetError(f"{folder / ANNOTATIONS}: keypoints of {name} are not all finite numbers")
    return Sample(str(name.with_suffix("")), folder / IMAGES / name,
                  folder / MASKS / name.with_suffix(".png"), image["width"], image["height"],
                  keypoints[:, :2].copy(), keypoints[:, 2].astype(int), annotation.get("attributes", {}))


def read_mask(path):
    """Class mask uint8 (H, W), ids 0..3. Raises DatasetError unless the file is an 8-bit image of one
    channel."""
    try:
        with Image.open(path) as image:
            if image.mode != MASK_MODE:
                raise DatasetError(f"{path}: the mask is of mode {image.mode}; 8-bit grey (mode L) is needed")
            refuse_truncated()
            return np.array(image)
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{path}: the mask cannot be read: {error}") from error


# Checking


def check_dataset(folder):
    """Everything that is wrong with a dataset: list[Fault], empty when it is in order. No content raises."""
    folder = Path(folder)
    document, faults = _read_document(folder)
    if faults:
        return faults
    faults = _structure_faults(document)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        return faults  # every file would be one too many
    images = [image for image in _entries(document, "images") if not _entry_faults("images", 0, image)]
    annotations = [a for a in _entries(document, "annotations") if not _entry_faults("annotations", 0, a)]
    faults += _category_faults(document) + _duplicate_faults(images, annotations)
    by_image = {annotation["image_id"]: annotation for annotation in annotations}
    for image in images:
        annotation = by_image.get(image["id"])
        feet = None
        if annotation is not None:
            faults += _corner_faults(image, annotation) + _attribute_faults(image, annotation)
            feet = _told_feet(annotation)
        faults += _image_faults(folder, image) + _mask_faults(folder, image, feet)
    return faults + _extra_files(folder, images)


def _read_document(folder):
    """(document, []) or (None, faults)."""
    try:
        return json.loads((folder / ANNOTATIONS).read_text(encoding="utf-8")), []
    except FileNotFoundError:
        return None, [_fault("annotations_missing",
                             "there is no such file: is this a dataset, and was its rendering finished?")]
    except (OSError, UnicodeDecodeError) as error:
        return None, [_fault("annotations_unreadable", str(error))]
    except (json.JSONDecodeError, RecursionError) as error:
        return None, [_fault("annotations_not_json", str(error))]


def _fault(rule, message):
    """A fault of annotations.json."""
    return Fault(ANNOTATIONS, rule, message)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_id(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_inner_path(value):
    return (isinstance(value, str) and value not in ("", ".") and "\\" not in value and "\0" not in value
            and not PurePosixPath(value).is_absolute() and ".." not in PurePosixPath(value).parts)


def _is_keypoints(value):
    return isinstance(value, list) and len(value) == 12 and all(map(_is_number, value))


def _is_box(value):
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


# (key, rule, test, what it must be) of the entries of each list: what readers of COCO take for granted.
_ENTRY_RULES = {
    "images": (
        ("id", "images_structure", _is_id, "a whole number"),
        ("file_name", "images_structure", _is_inner_path, "the path of a file under images/"),
        ("width", "images_structure", _is_count, "a number of pixels"),
        ("height", "images_structure", _is_count, "a number of pixels")),
    "annotations": (
        ("id", "annotations_structure", _is_id, "a whole number"),
        ("image_id", "annotations_structure", _is_id, "the id of an image"),
        ("category_id", "annotations_structure", _is_id, "the id of a category"),
        ("keypoints", "corner_count", _is_keypoints, "four corners: x, y, v of each, 12 numbers"),
        ("num_keypoints", "annotations_structure", _is_id, "a whole number"),
        ("bbox", "annotations_structure", _is_box, "x, y, width, height"),
        ("area", "annotations_structure", _is_number, "a number"),
        ("iscrowd", "annotations_structure", _is_id, "0")),
    "categories": (
        ("id", "categories_structure", _is_id, "a whole number"),
        ("name", "categories_structure", lambda value: isinstance(value, str), "a name")),
}


def _entries(document, key):
    """document[key] where that is a list, else []."""
    entries = document.get(key) if isinstance(document, dict) else None
    return entries if isinstance(entries, list) else []


def _entry_faults(key, number, entry):
    where = f"{key}[{number}]"
    if not isinstance(entry, dict):
        return [_fault(f"{key}_structure", f"{where} is {_short(entry)}; an object is needed")]
    faults = []
    for name, rule, is_right, what in _ENTRY_RULES[key]:
        if name not in entry:
            faults.append(_fault(rule, f"{where}.{name} is missing; it must be {what}"))
        elif not is_right(entry[name]):
            faults.append(_fault(rule, f"{where}.{name} is {_short(entry[name])}; it must be {what}"))
    if not isinstance(entry.get("attributes", {}), dict):
        faults.append(_fault("attributes", f"{where}.attributes is {_short(entry['attributes'])}; an "
                                           "object is needed"))
    return faults


def _structure_faults(document):
    """Faults for which a reader of COCO would stumble or a Sample could not be made."""
    if not isinstance(document, dict):
        return [_fault("annotations_structure", f"the document is {_short(document)}; an object is needed")]
    faults = []
    for key in _ENTRY_RULES:
        if not isinstance(document.get(key), list):
            faults.append(_fault(f"{key}_structure", f"{key} is missing or no list"))
        for number, entry in enumerate(_entries(document, key)):
            faults += _entry_faults(key, number, entry)
    return faults


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _category_faults(document):
    faults = []
    categories = [category for category in _entries(document, "categories") if isinstance(category, dict)]
    sheets = [category for category in categories if category.get("name") == CATEGORY["name"]]
    if len(sheets) != 1:
        faults.append(_fault("category", f"categories holds {len(sheets)} of name 'sheet'; one is needed"))
    for category in sheets:
        for key in ("keypoints", "skeleton"):
            if category.get(key) != CATEGORY[key]:
                faults.append(_fault("category", f"{key} of category 'sheet' is {_short(category.get(key))}; "
                                                 f"it must be {CATEGORY[key]}"))
    sheet_ids = {category.get("id") for category in sheets if _is_id(category.get("id"))}
    for number, annotation in enumerate(_entries(document, "annotations")):
        if isinstance(annotation, dict) and _is_id(annotation.get("category_id")):
            if annotation["category_id"] not in sheet_ids:
                faults.append(_fault("category", f"annotations[{number}].category_id is "
                                                 f"{annotation['category_id']}, not that of 'sheet'"))
    return faults


def _duplicate_faults(images, annotations):
    """Ids and names that are there twice; images without just one annotation, annotations without image."""
    faults = []
    for key, entries in (("images", images), ("annotations", annotations)):
        for number, count in Counter(entry["id"] for entry in entries).items():
            if count > 1:
                faults.append(_fault("duplicate_id", f"{count} {key} have the id {number}"))
    stems = Counter(str(PurePosixPath(image["file_name"]).with_suffix("")) for image in images)
    for stem, count in stems.items():
        if count > 1:
            faults.append(_fault("duplicate_file_name", f"{count} images have the name {stem}, and would "
                                                        "share a mask"))
    counts = Counter(annotation["image_id"] for annotation in annotations)
    for image in images:
        if counts[image["id"]] != 1:
            faults.append(_fault("annotation_count", f"{image['file_name']} has {counts[image['id']]} "
                                                     "valid annotations; one is needed"))
    for image_id in counts.keys() - {image["id"] for image in images}:
        faults.append(_fault("annotation_count", f"an annotation has image_id {image_id}, which no "
                                                 "valid image has"))
    return faults


def _corner_faults(image, annotation):
    keypoints = np.array(annotation["keypoints"], dtype=np.float64).reshape(4, 3)
    corners, visibility = keypoints[:, :2], keypoints[:, 2]

    def fault(rule, message):
        return _fault(rule, f"{image['file_name']}: {message}")

    faults = []
    if not np.isfinite(corners).all():
        faults.append(fault("corner_not_finite", f"corners are {corners.tolist()}; an unknown one is -1, -1"))
    if not np.isin(visibility, (0, 1, 2)).all():
        faults.append(fault("bad_visibility", f"visibility is {visibility.tolist()}; 0, 1 and 2 are allowed"))
    if faults:
        return faults
    count = int((visibility > 0).sum())
    if annotation["num_keypoints"] != count:
        faults.append(fault("num_keypoints", f"num_keypoints is {annotation['num_keypoints']}; {count} "
                                             "corners have a visibility above 0"))
    known = known_corners(corners)
    # Half a pixel either way is left to those who count the border as in or out.
    limits = np.array([image["width"], image["height"]]) - 0.5
    outside = ((corners < -0.5) | (corners > limits)).any(axis=1)
    inside = ((corners > 0) & (corners < limits - 0.5)).all(axis=1)
    for k in range(4):
        at = f"corner_{k + 1} at {corners[k].tolist()} in {image['width']} x {image['height']} pixels"
        if visibility[k] > 0 and outside[k]:
            faults.append(fault("visible_outside", f"{at} has visibility {visibility[k]:.0f}, not 0"))
        if visibility[k] == 0 and known[k] and inside[k]:
            faults.append(fault("invisible_inside", f"{at} has visibility 0, not 2, or 1 if covered"))
    if known.all() and not _is_in_order(corners):
        faults.append(fault("corner_order", f"corners are {corners.tolist()}; they must go clockwise from the "
                                            "one of the smallest x + y: see scenes.sheet.order_corners"))
    return faults


def _is_in_order(corners):
    order = order_corners(corners)
    clockwise = np.array_equal(np.roll(order, -int(np.argmin(order))), np.arange(4))
    sums = corners.sum(axis=1)
    return clockwise and sums[0] <= sums.min() + ORDER_TOLERANCE_PX


def _told_feet(annotation):
    """Sides of the feet that the attributes tell of: set, or None where they say nothing (right)."""
    feet = annotation.get("attributes", {}).get("feet")
    if not isinstance(feet, list):
        return None
    sides = [foot.get("side") for foot in feet if isinstance(foot, dict)]
    return {side for side in SIDE_CLASSES if side in sides}


def _attribute_faults(image, annotation):
    """Attributes that are there must be right; a dataset from elsewhere may have none."""
    attributes = annotation.get("attributes", {})
    faults = []

    def require(holds, key, message):
        if not holds:
            faults.append(_fault("attributes", f"{image['file_name']}: attributes.{key} {message}"))

    split = attributes.get("split", SPLITS[0])
    require(split in SPLITS, "split", f"is {_short(split)}; it must be one of {', '.join(SPLITS)}")
    sheet = attributes.get("sheet", {"format": "a4", "long_side": "vertical"})
    told = sheet if isinstance(sheet, dict) else {}
    require(told.get("format") in list(FORMATS), "sheet.format", f"must be one of {', '.join(FORMATS)}")
    require(told.get("long_side") in LONG_SIDES, "sheet.long_side", f"must be one of {', '.join(LONG_SIDES)}")
    feet = attributes.get("feet", [])
    require(isinstance(feet, list), "feet", f"is {_short(feet)}; a list is needed")
    for number, foot in enumerate(feet if isinstance(feet, list) else []):
        foot = foot if isinstance(foot, dict) else {}
        require(foot.get("side") in ("left", "right"), f"feet[{number}].side", "must be left or right")
        for key in ("length_mm", "width_mm"):
            value = foot.get(key)
            require(_is_number(value) and 0 < value < np.inf, f"feet[{number}].{key}",
                    f"is {_short(value)}; it must be a positive number of millimetres")
    return faults


def _image_faults(folder, image):
    name = f"{IMAGES}/{image['file_name']}"
    path = folder / name
    if not path.is_file():
        return [Fault(name, "image_missing", "annotations.json names it, but there is no such file")]
    try:
        with Image.open(path) as opened:
            size = opened.size
            # An eighth of the size is enough to read every byte, and saves the time of all pixels.
            opened.draft(None, (size[0] // 8, size[1] // 8))
            refuse_truncated()
            opened.load()
    except Exception as error:  # damaged files make decoders raise nearly anything
        return [Fault(name, "image_unreadable", f"{type(error).__name__}: {error}")]
    return _size_faults(name, "image_size", size, image)


def _mask_faults(folder, image, feet):
    """feet: set of sides that must be in the mask, no more and no fewer; None: whatever there is."""
    name = PurePosixPath(MASKS, image["file_name"]).with_suffix(".png").as_posix()
    path = folder / name
    if not path.is_file():
        return [Fault(name, "mask_missing", "its image is in annotations.json, but there is no such file")]
    try:
        with Image.open(path) as opened:
            mode, size, file_format = opened.mode, opened.size, opened.format
            refuse_truncated()
            mask = np.asarray(opened)
    except Exception as error:
        return [Fault(name, "mask_unreadable", f"{type(error).__name__}: {error}")]
    faults = _size_faults(name, "mask_size", size, image)
    if mode != MASK_MODE or file_format != "PNG":
        return faults + [Fault(name, "mask_channels", f"it is {file_format} of mode {mode}; PNG of one 8-bit "
                                                      "channel (mode L) is needed")]
    counts = np.bincount(mask.ravel(), minlength=256)
    wrong = np.flatnonzero(counts[len(NAMES):]) + len(NAMES)
    if len(wrong):
        faults.append(Fault(name, "mask_value", f"it holds {wrong[:5].tolist()}; classes are 0 to "
                                                f"{len(NAMES) - 1}"))
    for side, label in SIDE_CLASSES.items():
        if feet is not None and side in feet and not counts[label]:
            faults.append(Fault(name, "foot_missing", f"attributes tell of a {side} one; no pixel is {label}"))
        if feet is not None and side not in feet and counts[label]:
            faults.append(Fault(name, "foot_extra", f"attributes tell of no {side} one; {counts[label]} "
                                                    f"pixels are {label}"))
    return faults


def _size_faults(name, rule, size, image):
    if size == (image["width"], image["height"]):
        return []
    return [Fault(name, rule, f"it is {size[0]} x {size[1]} pixels; annotations.json says {image['width']} x "
                              f"{image['height']}")]


def _extra_files(folder, images):
    names = [PurePosixPath(image["file_name"]) for image in images]
    expected = {IMAGES: set(map(str, names)), MASKS: {str(name.with_suffix(".png")) for name in names}}
    faults = []
    for part, rule in ((IMAGES, "image_extra"), (MASKS, "mask_extra")):
        found = {path.relative_to(folder / part).as_posix()
                 for path in (folder / part).rglob("*") if path.is_file()}
        faults += [Fault(f"{part}/{name}", rule, "annotations.json does not know it")
                   for name in sorted(found - expected[part])]
    return faults
