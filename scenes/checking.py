"""Everything that can be wrong with a dataset, named: file, rule, what is wrong and what to do.

Rules for corners, feet and class ids hold for category `sheet` alone; those for files, sizes, ids, duplicates and
finite numbers for datasets of every category.
"""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import numpy as np

from scenes.dataset import IMAGES, MASK_MODE, MASKS, SIDE_CLASSES, SPLITS, known_corners, mask_name
from scenes.document import (
    ANNOTATIONS,
    SHEET,
    Fault,
    document_fault,
    entries,
    is_number,
    is_whole,
    keypoint_category,
    masks_are_required,
    read_document,
    sheet_entries,
    short,
    structure_faults,
    valid_entries,
)
from scenes.images import open_image, refuse_truncated
from scenes.labels import NAMES
from scenes.labels import SHEET as SHEET_CLASS
from scenes.sheet import FORMATS, LONG_SIDES, order_corners

# Tools round coordinates, and a sheet turned by 45 degrees has two corners of the same x + y.
ORDER_TOLERANCE_PX = 0.5
# Sine of the angle between two sides below which three corners lie on a line: a homography needs more.
MIN_CORNER_SINE = 1e-4
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 exchange width and height


def check_dataset(folder):
    """Everything that is wrong with a dataset: list[Fault], empty when it is in order. No content raises."""
    folder = Path(folder)
    document, faults = read_document(folder)
    if faults:
        return faults
    category = keypoint_category(document) or SHEET
    faults = structure_faults(document, category)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        return faults  # every file would be one too many
    images = valid_entries(document, "images")
    annotations = valid_entries(document, "annotations", category)
    faults += _category_faults(document) + _duplicate_faults(images, annotations)
    by_image = {annotation["image_id"]: annotation for annotation in annotations}
    required = masks_are_required(document)
    for image in images:
        annotation = by_image.get(image["id"])
        if annotation is not None:
            faults += annotation_faults(image, annotation, category)
        faults += _image_faults(folder, image)
        faults += _mask_faults(folder, image, annotation, category, required)
    return faults + _duplicate_image_faults(folder, images) + extra_files(folder, images)


# The document


def _category_faults(document):
    faults = []
    sheets = sheet_entries(document)
    category = keypoint_category(document)
    if len(sheets) != 1 and category in (None, SHEET):
        faults.append(document_fault("category", f"categories holds {len(sheets)} of name 'sheet'; one is needed, or "
                                                 "just one other with the names of its keypoints"))
    for entry in sheets:
        for key, value in SHEET.to_coco().items():
            if key in ("keypoints", "skeleton") and entry.get(key) != value:
                faults.append(document_fault("category", f"{key} of category 'sheet' is {short(entry.get(key))}; "
                                                         f"it must be {value}"))
    name = (category or SHEET).name
    ids = {entry.get("id") for entry in valid_entries(document, "categories") if entry["name"] == name}
    for number, annotation in enumerate(entries(document, "annotations")):
        if isinstance(annotation, dict) and is_whole(annotation.get("category_id")):
            if annotation["category_id"] not in ids:
                faults.append(document_fault("category", f"annotations[{number}].category_id is "
                                                         f"{annotation['category_id']}, not that of {name!r}"))
    return faults


def _duplicate_faults(images, annotations):
    """Ids and names that are there twice; images without just one annotation, annotations without image."""
    faults = []
    for key, found in (("images", images), ("annotations", annotations)):
        for number, count in Counter(entry["id"] for entry in found).items():
            if count > 1:
                faults.append(document_fault("duplicate_id", f"{count} {key} have the id {number}"))
    stems = Counter(str(PurePosixPath(image["file_name"]).with_suffix("")) for image in images)
    for stem, count in stems.items():
        if count > 1:
            faults.append(document_fault("duplicate_file_name", f"{count} images have the name {stem}, and would "
                                                                "share a mask"))
    counts = Counter(annotation["image_id"] for annotation in annotations)
    for image in images:
        if counts[image["id"]] != 1:
            faults.append(document_fault("annotation_count", f"{image['file_name']} has {counts[image['id']]} "
                                                             "valid annotations; one is needed"))
    for image_id in counts.keys() - {image["id"] for image in images}:
        faults.append(document_fault("annotation_count", f"an annotation has image_id {image_id}, which no "
                                                         "valid image has"))
    return faults


def annotation_faults(image, annotation, category=SHEET):
    """Faults of the annotation of one image, both valid entries of the document: its keypoints, numbers and
    attributes."""
    keypoints = keypoints_of(annotation)
    faults = _keypoint_faults(image, keypoints)
    if not faults:
        count = int((keypoints[:, 2] > 0).sum())
        if annotation["num_keypoints"] != count:
            faults.append(document_fault("num_keypoints", f"{image['file_name']}: num_keypoints is "
                                                          f"{annotation['num_keypoints']}; {count} have a visibility "
                                                          "above 0"))
        if category == SHEET:
            faults += _corner_faults(image, keypoints)
    return faults + _finite_faults(image, annotation) + attribute_faults(image, annotation, category)


def keypoints_of(annotation):
    """Keypoints of a valid entry of annotations: float64 (K, 3), x, y, v."""
    return np.array(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)


def _keypoint_faults(image, keypoints):
    """Faults after which nothing more can be said of keypoints (K, 3)."""
    corners, visibility = keypoints[:, :2], keypoints[:, 2]
    faults = []
    if not np.isfinite(corners).all():
        faults.append(document_fault("corner_not_finite", f"{image['file_name']}: coordinates are "
                                                          f"{short(corners.tolist())}; unknown ones are -1, -1"))
    if not np.isin(visibility, (0, 1, 2)).all():
        faults.append(document_fault("bad_visibility", f"{image['file_name']}: visibility is "
                                                       f"{short(visibility.tolist())}; 0, 1 and 2 are allowed"))
    return faults


def _corner_faults(image, keypoints):
    """Place, visibility and order of four corners (4, 3) of finite numbers."""
    corners, visibility = keypoints[:, :2], keypoints[:, 2]

    def fault(rule, message):
        return document_fault(rule, f"{image['file_name']}: {message}")

    faults = []
    known = known_corners(corners)
    outside, inside = corners_outside(corners, image), corners_inside(corners, image)
    for k in range(4):
        at = f"corner_{k + 1} at {corners[k].tolist()} in {image['width']} x {image['height']} pixels"
        if visibility[k] > 0 and outside[k]:
            faults.append(fault("visible_outside", f"{at} has visibility {visibility[k]:.0f}, not 0"))
        if visibility[k] == 0 and known[k] and inside[k]:
            faults.append(fault("invisible_inside", f"{at} has visibility 0, not 2, or 1 if covered"))
        if visibility[k] == 0 and not corners[k].any():
            faults.append(fault("unknown_at_zero", f"corner_{k + 1} is 0, 0 with visibility 0; a corner that cannot be "
                                                   "told is -1, -1"))
            known[k] = False
    if known.all() and not in_order(corners):
        faults.append(fault("corner_order", f"corners are {corners.tolist()}; they must go clockwise from the "
                                            "one of the smallest x + y: see scenes.sheet.order_corners"))
    if known.all() and not is_convex(corners[order_corners(corners)]):
        faults.append(fault("corner_shape", f"corners are {corners.tolist()}; no sheet of paper has this shape: two "
                                            "are the same, three on a line, or one within the others"))
    return faults


def corners_outside(corners, image):
    """Which corners (4, 2) are outside an image: bool (4,). Half a pixel at the border is neither in nor out, for
    some count it as in and some as out."""
    limits = np.array([image["width"], image["height"]]) - 0.5
    return ((corners < -0.5) | (corners > limits)).any(axis=1)


def corners_inside(corners, image):
    """Which corners (4, 2) are inside an image for certain: bool (4,)."""
    limits = np.array([image["width"], image["height"]]) - 1.0
    return ((corners > 0) & (corners < limits)).all(axis=1)


def in_order(corners):
    """Whether four known corners (4, 2) are in published order, within what tools round."""
    order = order_corners(corners)
    clockwise = np.array_equal(np.roll(order, -int(np.argmin(order))), np.arange(4))
    sums = corners.sum(axis=1)
    return bool(clockwise and sums[0] <= sums.min() + ORDER_TOLERANCE_PX)


def is_convex(corners):
    """Whether corners (4, 2), clockwise with y down, make a convex quadrilateral, as every sheet in a photo does."""
    sides = np.roll(corners, -1, axis=0) - corners
    after = np.roll(sides, -1, axis=0)
    lengths = np.linalg.norm(sides, axis=1)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    return bool((turns > MIN_CORNER_SINE * lengths * np.roll(lengths, -1)).all())


def _finite_faults(image, annotation):
    """NaN and infinity outside the keypoints, which JSON does not know and other readers refuse."""
    faults = []
    others = {key: value for key, value in annotation.items() if key != "keypoints"}
    for where, value in _not_finite(others):
        faults.append(document_fault("not_finite", f"{image['file_name']}: {where} is {value}; a finite number is "
                                                   "needed"))
    box = annotation["bbox"]
    if min(box[2:]) < 0 or annotation["area"] < 0:
        faults.append(document_fault("bad_box", f"{image['file_name']}: bbox is {short(box)} and area "
                                                f"{annotation['area']}; neither width, height nor area can be "
                                                "negative"))
    return faults


def _not_finite(value, where=""):
    """(path, number) of every number in nested lists and dicts that is not finite."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in _not_finite(item, f"{where}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [found for k, item in enumerate(value) for found in _not_finite(item, f"{where}[{k}]")]
    return [] if not isinstance(value, float) or np.isfinite(value) else [(where, value)]


def told_feet(annotation):
    """Sides of the feet that the attributes tell of: set, or None where they say nothing (right)."""
    feet = annotation.get("attributes", {}).get("feet")
    if not isinstance(feet, list):
        return None
    sides = [foot.get("side") for foot in feet if isinstance(foot, dict)]
    return {side for side in SIDE_CLASSES if side in sides}


def attribute_faults(image, annotation, category=SHEET):
    """Attributes that are there must be right; a dataset from elsewhere may have none."""
    attributes = annotation.get("attributes", {})
    faults = []

    def require(holds, key, message):
        if not holds:
            faults.append(document_fault("attributes", f"{image['file_name']}: attributes.{key} {message}"))

    split = attributes.get("split", SPLITS[0])
    require(split in SPLITS, "split", f"is {short(split)}; it must be one of {', '.join(SPLITS)}")
    if category != SHEET:
        return faults
    sheet = attributes.get("sheet", {"format": "a4", "long_side": "vertical"})
    told = sheet if isinstance(sheet, dict) else {}
    require(told.get("format") in list(FORMATS), "sheet.format", f"must be one of {', '.join(FORMATS)}")
    require(told.get("long_side") in LONG_SIDES, "sheet.long_side", f"must be one of {', '.join(LONG_SIDES)}")
    feet = attributes.get("feet", [])
    require(isinstance(feet, list), "feet", f"is {short(feet)}; a list is needed")
    for number, foot in enumerate(feet if isinstance(feet, list) else []):
        foot = foot if isinstance(foot, dict) else {}
        require(foot.get("side") in ("left", "right"), f"feet[{number}].side", "must be left or right")
        for key in ("length_mm", "width_mm"):
            value = foot.get(key)
            require(is_number(value) and 0 < value < np.inf, f"feet[{number}].{key}",
                    f"is {short(value)}; it must be a positive number of millimetres")
    corners = keypoints_of(annotation)[:, :2]
    if feet and isinstance(feet, list) and np.isfinite(corners).all() and not known_corners(corners).any():
        faults.append(document_fault("foot_without_sheet", f"{image['file_name']}: attributes.feet tells of "
                                                           f"{short(feet)}, and no corner of a sheet is known"))
    return faults


# Files


def decoded_size(path):
    """(width, height) in pixels of an image file after its EXIF turn, every byte of it read. Raises nearly anything
    for a damaged file."""
    with open_image(path) as opened:
        width, height = opened.size
        try:
            turned = opened.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
        except Exception:  # a damaged header spoils no pixel, and read_photo ignores it as well
            turned = False
        # An eighth of the size is enough to read every byte, and saves the time of all pixels.
        opened.draft(None, (max(width // 8, 1), max(height // 8, 1)))
        refuse_truncated()
        opened.load()
    return (height, width) if turned else (width, height)


def _image_faults(folder, image):
    name = f"{IMAGES}/{image['file_name']}"
    path = folder / name
    if not path.is_file():
        return [Fault(name, "image_missing", f"{ANNOTATIONS} names it, but there is no such file")]
    try:
        size = decoded_size(path)
    except Exception as error:  # damaged files make decoders raise nearly anything
        return [Fault(name, "image_unreadable", f"{type(error).__name__}: {error}")]
    return _size_faults(name, "image_size", size, image)


def _mask_faults(folder, image, annotation, category, required):
    name = f"{MASKS}/{mask_name(image['file_name'])}"
    path = folder / name
    if not path.is_file():
        missing = Fault(name, "mask_missing", f"its image is in {ANNOTATIONS}, but there is no such file")
        return [missing] if required else []
    try:
        with open_image(path) as opened:
            mode, size, file_format = opened.mode, opened.size, opened.format
            refuse_truncated()
            mask = np.asarray(opened)
    except Exception as error:
        return [Fault(name, "mask_unreadable", f"{type(error).__name__}: {error}")]
    faults = _size_faults(name, "mask_size", size, image)
    if mode != MASK_MODE or file_format != "PNG":
        return faults + [Fault(name, "mask_channels", f"it is {file_format} of mode {mode}; PNG of one 8-bit "
                                                      "channel (mode L) is needed")]
    if category == SHEET:
        faults += mask_content_faults(name, mask, annotation)
    return faults


def mask_content_faults(name, mask, annotation):
    """Faults of the class ids uint8 (H, W) of a mask beside the annotation of its image, a valid entry or None.

    The feet must be those that the attributes tell of, no more and no fewer; where they say nothing, whatever
    there is. A foot that does not touch the sheet is background; where no pixel is sheet, none can.
    """
    counts = np.bincount(mask.ravel(), minlength=256)
    wrong = np.flatnonzero(counts[len(NAMES):]) + len(NAMES)
    faults = []
    if len(wrong):
        faults.append(Fault(name, "mask_value", f"it holds {wrong[:5].tolist()}; classes are 0 to {len(NAMES) - 1}"))
    feet = None if annotation is None else told_feet(annotation)
    for side, label in SIDE_CLASSES.items():
        if feet is not None and side in feet and not counts[label]:
            faults.append(Fault(name, "foot_missing", f"attributes tell of a {side} one; no pixel is {label}"))
        if feet is not None and side not in feet and counts[label]:
            faults.append(Fault(name, "foot_extra", f"attributes tell of no {side} one; {counts[label]} "
                                                    f"pixels are {label}"))
        if counts[label] and not counts[SHEET_CLASS]:
            faults.append(Fault(name, "foot_without_sheet", f"{counts[label]} pixels are {label}, a {side} foot; none "
                                                            f"is {SHEET_CLASS}, sheet"))
    return faults


def _size_faults(name, rule, size, image):
    if size == (image["width"], image["height"]):
        return []
    return [Fault(name, rule, f"it is {size[0]} x {size[1]} pixels; {ANNOTATIONS} says {image['width']} x "
                              f"{image['height']}")]


def duplicate_images(folder, images):
    """(name, name of an earlier one) of every image whose file has the same bytes as an earlier one's.

    images: valid entries of the document.
    """
    by_size = defaultdict(list)
    for name in dict.fromkeys(image["file_name"] for image in images):
        path = folder / IMAGES / name
        if path.is_file():
            by_size[path.stat().st_size].append(name)
    pairs = []
    for names in by_size.values():
        first = {}
        for name in names if len(names) > 1 else []:
            digest = hashlib.sha256((folder / IMAGES / name).read_bytes()).digest()
            if first.setdefault(digest, name) != name:
                pairs.append((name, first[digest]))
    return pairs


def _duplicate_image_faults(folder, images):
    """Images that are there twice: counted twice in training, or trained on and validated with."""
    return [Fault(f"{IMAGES}/{name}", "duplicate_image", f"it is {IMAGES}/{first} once more: keep one of them")
            for name, first in duplicate_images(folder, images)]


def extra_files(folder, images):
    """A Fault for each file under images/ and masks/ that belongs to none of `images`, valid entries of the
    document."""
    names = [image["file_name"] for image in images]
    expected = {IMAGES: {str(PurePosixPath(name)) for name in names}, MASKS: set(map(mask_name, names))}
    faults = []
    for part, rule in ((IMAGES, "image_extra"), (MASKS, "mask_extra")):
        found = {path.relative_to(folder / part).as_posix()
                 for path in (folder / part).rglob("*") if path.is_file()}
        faults += [Fault(f"{part}/{name}", rule, f"{ANNOTATIONS} does not know it")
                   for name in sorted(found - expected[part])]
    return faults
