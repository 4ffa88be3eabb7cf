"""annotations.json as a document: read and written as a whole, its category, and the structure that readers of
COCO take for granted.

A dataset has one category of keypoints. Category `sheet` is what this project is about: four corners, for which
the rules of `scenes.checking` hold. A dataset of another category (a face and its 68 landmarks) has the names and
the number of keypoints that its document gives.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scenes.files import is_inner_path
from scenes.json_text import is_number, is_whole, parsed

ANNOTATIONS = "annotations.json"
LARGEST_SIZE = 2**31  # no format of images has more pixels in a row


@dataclass(frozen=True)
class Category:
    """What the keypoints of a dataset belong to. name; keypoints: their names, in order; skeleton: pairs of
    keypoints to be joined by a line, counted from 1 as in COCO."""

    name: str
    keypoints: tuple
    skeleton: tuple = ()

    def to_coco(self):
        """The category as it stands in the document: dict."""
        return {"id": 1, "name": self.name, "supercategory": "", "keypoints": list(self.keypoints),
                "skeleton": [list(bone) for bone in self.skeleton]}


SHEET = Category("sheet", ("corner_1", "corner_2", "corner_3", "corner_4"), ((1, 2), (2, 3), (3, 4), (4, 1)))


@dataclass(frozen=True)
class Fault:
    """file: path in the dataset's folder, with slashes. rule: name of what is broken. message: what, and what to
    do."""

    file: str
    rule: str
    message: str

    def __str__(self):
        return f"{self.file}: {self.rule}: {self.message}"


def document_fault(rule, message):
    """A Fault of annotations.json."""
    return Fault(ANNOTATIONS, rule, message)


def short(value):
    """repr of any value, cut to what fits into a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# Reading and writing


def read_document(folder):
    """(document, []) of a dataset's folder, or (None, faults) where there is none that can be read."""
    try:
        # Editors on Windows write a byte order mark, which JSON does not allow.
        return parsed((Path(folder) / ANNOTATIONS).read_text(encoding="utf-8-sig")), []
    except FileNotFoundError:
        return None, [document_fault("annotations_missing",
                                     "there is no such file: is this a dataset, and was its rendering finished?")]
    except (OSError, UnicodeDecodeError) as error:
        return None, [document_fault("annotations_unreadable", str(error))]
    except ValueError as error:
        return None, [document_fault("annotations_not_json", str(error))]


def replace_document(folder, text):
    """Put `text` into annotations.json of `folder`: at once or not at all. Raises OSError."""
    folder = Path(folder)
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


# Structure


def is_size(value):
    """Whether value can be a width or height in pixels."""
    return is_whole(value) and 0 < value < LARGEST_SIZE


def is_box(value):
    """Whether value is x, y, width, height."""
    return isinstance(value, list) and len(value) == 4 and all(map(is_number, value))


# (key, rule, test, what it must be) of the entries of each list: what readers of COCO take for granted.
_ENTRY_RULES = {
    "images": (
        ("id", "images_structure", is_whole, "a whole number"),
        ("file_name", "images_structure", is_inner_path, "the path of a file under images/"),
        ("width", "images_structure", is_size, "a number of pixels"),
        ("height", "images_structure", is_size, "a number of pixels")),
    "annotations": (
        ("id", "annotations_structure", is_whole, "a whole number"),
        ("image_id", "annotations_structure", is_whole, "the id of an image"),
        ("category_id", "annotations_structure", is_whole, "the id of a category"),
        ("num_keypoints", "annotations_structure", is_whole, "a whole number"),
        ("bbox", "annotations_structure", is_box, "x, y, width, height"),
        ("area", "annotations_structure", is_number, "a number"),
        ("iscrowd", "annotations_structure", is_whole, "0")),
    "categories": (
        ("id", "categories_structure", is_whole, "a whole number"),
        ("name", "categories_structure", lambda value: isinstance(value, str), "a name")),
}


def _keypoint_rule(category):
    count = len(category.keypoints)
    rule, what = ("corner_count", "four corners") if category == SHEET else ("keypoint_count", f"{count} keypoints")
    what = f"{what}: x, y, v of each, {3 * count} numbers"
    return "keypoints", rule, lambda value: is_keypoints(value, count), what


def is_keypoints(value, count):
    """Whether value is x, y, v of `count` keypoints."""
    return isinstance(value, list) and len(value) == 3 * count and all(map(is_number, value))


def entries(document, key):
    """document[key] where that is a list, else []."""
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, list) else []


def entry_faults(key, number, entry, category=SHEET):
    """Faults of one entry, number `number` of the list `key`, by itself."""
    where = f"{key}[{number}]"
    if not isinstance(entry, dict):
        return [document_fault(f"{key}_structure", f"{where} is {short(entry)}; an object is needed")]
    faults = []
    for name, rule, is_right, what in _ENTRY_RULES[key] + ((_keypoint_rule(category),) if key == "annotations" else ()):
        if name not in entry:
            faults.append(document_fault(rule, f"{where}.{name} is missing; it must be {what}"))
        elif not is_right(entry[name]):
            faults.append(document_fault(rule, f"{where}.{name} is {short(entry[name])}; it must be {what}"))
    if not isinstance(entry.get("attributes", {}), dict):
        faults.append(document_fault("attributes", f"{where}.attributes is {short(entry['attributes'])}; an object is "
                                                   "needed"))
    return faults


def valid_entries(document, key, category=SHEET):
    """The entries of the list `key` that are without fault by themselves."""
    return [entry for entry in entries(document, key) if not entry_faults(key, 0, entry, category)]


def structure_faults(document, category=SHEET):
    """Faults for which a reader of COCO would stumble or a Sample could not be made."""
    if not isinstance(document, dict):
        return [document_fault("annotations_structure", f"the document is {short(document)}; an object is needed")]
    faults = []
    for key in _ENTRY_RULES:
        if not isinstance(document.get(key), list):
            faults.append(document_fault(f"{key}_structure", f"{key} is missing or no list"))
        for number, entry in enumerate(entries(document, key)):
            faults += entry_faults(key, number, entry, category)
    return faults


# The category


def sheet_entries(document):
    """The entries of categories that are named `sheet`."""
    return [entry for entry in entries(document, "categories") if isinstance(entry, dict)
            and entry.get("name") == SHEET.name]


def keypoint_category(document):
    """The Category of a dataset's keypoints, or None where the document does not tell it.

    It is `sheet` where there is a category of that name; else the only one that has keypoints, unless those are
    the corners of a sheet.
    """
    if sheet_entries(document):
        return SHEET
    found = [entry for entry in entries(document, "categories") if isinstance(entry, dict) and entry.get("keypoints")]
    if len(found) != 1:
        return None
    name, keypoints, skeleton = found[0].get("name"), found[0]["keypoints"], found[0].get("skeleton") or []
    if not (isinstance(name, str) and _are_names(keypoints) and _is_skeleton(skeleton, len(keypoints))):
        return None
    category = Category(name, tuple(keypoints), tuple(map(tuple, skeleton)))
    return None if category.keypoints == SHEET.keypoints else category


def _are_names(value):
    return (isinstance(value, list) and all(isinstance(name, str) and name for name in value)
            and len(set(value)) == len(value))


def _is_skeleton(value, count):
    return isinstance(value, list) and all(
        isinstance(bone, list) and len(bone) == 2 and all(is_whole(end) and 1 <= end <= count for end in bone)
        for bone in value)


def masks_are_required(document):
    """Whether every image must have a mask: of sheets, unless the document says that there are none
    ("masks": false under "info")."""
    info = document.get("info")
    told = info.get("masks") if isinstance(info, dict) else None
    return keypoint_category(document) in (SHEET, None) and told is not False
