"""Repairing a dataset: what has one right answer is put right, and nothing else is touched.

Repaired, because the definition of the dataset, or a file beside it, gives the answer:

- corners in another order: the same four points round a convex quadrilateral have one published order; their
  visibility moves along. `attributes.sheet.long_side` speaks of published corners and stays.
- a corner seen or covered outside the image has visibility 0; one at 0, 0 or NaN with visibility 0 is COCO's, or a
  tool's, way of writing -1, -1.
- num_keypoints, bbox, area, iscrowd and ids of annotations are missing, wrong or given twice: they follow from the
  keypoints, or nothing refers to them. Width and height of an image that are missing: the file tells.
- the names and bones of category `sheet`, and its name where its keypoints are corner_1 to 4: corners are told by
  their place, not by their names.
- file_name with backslashes or with images/ before it, where that makes it the name of a file that is there.
- split, format, long side and foot's side in other letter case, splits called training, val, valid or testing;
  attributes that are empty and no object.
- masks whose stored numbers are class ids in another wrapping (palette, three or four equal channels, 16 bits, grey
  PNG of 2 or 4 bits, which readers stretch to 255; BMP or TIFF named .png), if they are then without any fault.
- an image that is there twice with the same annotation and the same mask: the later one goes.
- files that annotations.json does not know are moved to extra/, unless an image or mask is missing: then one of
  them may be that one under another name. What a repair replaces is moved there too, and annotations.json is kept
  as annotations.json.bak; nothing is deleted.

Left alone, because it would be a guess: class ids outside 0 to 3, JPEG masks (their ids are smeared), masks and images
of another size (scaled, cropped or another photo?), visibility 0 within the image (seen or covered?), corners of an
impossible shape, NaN in a corner that is seen, feet that mask and attributes disagree on, ids of images given twice,
missing or unreadable files, duplicates with different annotations.
"""

import copy
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from scenes.checking import (
    check_dataset,
    corners_outside,
    decoded_size,
    duplicate_images,
    extra_files,
    in_order,
    is_convex,
    keypoints_of,
    mask_content_faults,
)
from scenes.dataset import IMAGES, MASK_MODE, MASKS, SPLITS, box_and_area, known_corners, mask_name
from scenes.document import (
    ANNOTATIONS,
    SHEET,
    entries,
    is_box,
    is_keypoints,
    is_number,
    is_size,
    is_whole,
    keypoint_category,
    masks_are_required,
    read_document,
    replace_document,
    sheet_entries,
    valid_entries,
)
from scenes.files import is_inner_path
from scenes.images import open_image, refuse_truncated
from scenes.sheet import FORMATS, LONG_SIDES, order_corners

EXTRA = "extra"
SPLIT_NAMES = {**{split: split for split in SPLITS}, "training": "train", "val": "validation", "valid": "validation",
               "testing": "test"}
# Formats that keep every number as it was written.
LOSSLESS = ("PNG", "BMP", "TIFF")


@dataclass(frozen=True)
class Repair:
    """file: path in the dataset's folder, with slashes. rule: the fault that it mends. message: what was done."""

    file: str
    rule: str
    message: str

    def __str__(self):
        return f"{self.file}: {self.rule}: {self.message}"


def fix_dataset(folder):
    """Repair what is safe to repair in a dataset: list[Repair], empty when there was nothing.

    What is left is what `check_dataset` names afterwards. Interrupted, it leaves a dataset on which it can be run
    again; run again, it does nothing more. Raises OSError where the folder cannot be written.
    """
    folder = Path(folder)
    document, faults = read_document(folder)
    if faults or not isinstance(document, dict) or not check_dataset(folder):
        return []
    fixed = copy.deepcopy(document)
    repairs = _fix_images(folder, fixed) + _fix_category(fixed) + _fix_annotations(fixed)
    repairs += _drop_copies(folder, fixed)
    if fixed != document:
        _keep_backup(folder)
        replace_document(folder, json.dumps(fixed, indent=1))
    return repairs + _fix_masks(folder, fixed) + _move_extra_files(folder, fixed)


def _keep_backup(folder):
    """A copy of annotations.json under the first free name of annotations.json.bak, .bak2, .bak3 ..."""
    number = 1
    while (target := folder / f"{ANNOTATIONS}.bak{number if number > 1 else ''}").exists():
        number += 1
    shutil.copy2(folder / ANNOTATIONS, target)


# The document: each function changes it in place and returns the repairs.


def _repair(rule, message):
    return Repair(ANNOTATIONS, rule, message)


def _fix_images(folder, document):
    repairs = []
    for number, image in enumerate(entries(document, "images")):
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            continue
        where = f"images[{number}]"
        name = str(PurePosixPath(image["file_name"].replace("\\", "/"))).removeprefix(f"{IMAGES}/")
        usable = is_inner_path(name)
        # Of a name that no file can have, os.path says that it is none, where pathlib raises.
        if name != image["file_name"] and usable and (folder / IMAGES / name).is_file() \
                and not os.path.isfile(folder / IMAGES / image["file_name"]):
            repairs.append(_repair("images_structure", f"{where}.file_name {image['file_name']!r} is now {name!r}"))
            image["file_name"] = name
        if not (is_size(image.get("width")) and is_size(image.get("height"))) and usable:
            size = _size_of(folder / IMAGES / name)
            if size:
                image["width"], image["height"] = size
                repairs.append(_repair("images_structure", f"{where}: width and height {size[0]} x {size[1]} are the "
                                                           f"file's"))
    return repairs


def _size_of(path):
    try:
        return decoded_size(path)
    except Exception:  # unreadable: check_dataset says so
        return None


def _fix_category(document):
    repairs = []
    named = sheet_entries(document)
    with_points = [entry for entry in entries(document, "categories")
                   if isinstance(entry, dict) and entry.get("keypoints")]
    if not named and len(with_points) == 1 and with_points[0]["keypoints"] == list(SHEET.keypoints):
        repairs.append(_repair("category", f"category {with_points[0].get('name')!r} is now named 'sheet'"))
        with_points[0]["name"] = SHEET.name
        named = with_points
    if len(named) == 1:
        for key in ("keypoints", "skeleton"):
            value = SHEET.to_coco()[key]
            if named[0].get(key) != value:
                named[0][key] = value
                repairs.append(_repair("category", f"{key} of category 'sheet' written anew"))
    return repairs


def _fix_annotations(document):
    category = keypoint_category(document) or SHEET
    images = {image["id"]: image for image in valid_entries(document, "images")}
    repairs, ids = [], set()
    annotations = [entry for entry in entries(document, "annotations") if isinstance(entry, dict)]
    highest = max([entry["id"] for entry in annotations if is_whole(entry.get("id"))], default=0)
    for number, annotation in enumerate(annotations):
        if not is_whole(annotation.get("id")) or annotation["id"] in ids:
            highest += 1
            annotation["id"] = highest
            repairs.append(_repair("duplicate_id", f"annotations[{number}] has the new id {highest}"))
        ids.add(annotation["id"])
        image_id = annotation.get("image_id")
        image = images.get(image_id) if is_whole(image_id) else None
        if image is None:
            continue
        if is_keypoints(annotation.get("keypoints"), len(category.keypoints)):
            if category == SHEET:
                repairs += _fix_corners(image, annotation)
            repairs += _fix_numbers(image, annotation)
        repairs += _fix_attributes(image, annotation, category)
    return repairs


def _fix_corners(image, annotation):
    keypoints = keypoints_of(annotation)
    repairs = []

    def told(rule, message):
        repairs.append(_repair(rule, f"{image['file_name']}: {message}"))

    for k in np.flatnonzero(keypoints[:, 2] == 0):
        if not np.isfinite(keypoints[k]).all() or not keypoints[k].any():
            told("unknown_at_zero", f"corner_{k + 1}, {keypoints[k, :2].tolist()} with visibility 0, is now -1, -1")
            keypoints[k] = (-1, -1, 0)
    for k in np.flatnonzero(np.isin(keypoints[:, 2], (1, 2)) & corners_outside(keypoints[:, :2], image)):
        told("visible_outside", f"corner_{k + 1} at {keypoints[k, :2].tolist()} has visibility 0 now")
        keypoints[k, 2] = 0
    corners = keypoints[:, :2]
    if np.isfinite(corners).all() and known_corners(corners).all() and not in_order(corners):
        order = order_corners(corners)
        if is_convex(corners[order]):
            keypoints = keypoints[order]
            told("corner_order", f"corners that were {', '.join(str(k + 1) for k in order)} are now 1, 2, 3, 4")
    if repairs:
        annotation["keypoints"] = [number for x, y, v in keypoints.tolist()
                                   for number in (x, y, int(v) if np.isfinite(v) and v == int(v) else v)]
    return repairs


def _fix_numbers(image, annotation):
    """What follows from the keypoints."""
    keypoints = keypoints_of(annotation)
    if not np.isfinite(keypoints).all():
        return []
    repairs = []
    count = int((keypoints[:, 2] > 0).sum())
    box, area = box_and_area(keypoints[:, :2], image["width"], image["height"])
    found = annotation.get("bbox")
    right_box = is_box(found) and bool(np.isfinite(found).all()) and min(found[2:]) >= 0
    right_area = is_number(annotation.get("area")) and 0 <= annotation["area"] < np.inf
    for key, value, is_right in (("num_keypoints", count, annotation.get("num_keypoints") == count),
                                 ("bbox", box, right_box), ("area", area, right_area),
                                 ("iscrowd", 0, is_whole(annotation.get("iscrowd")))):
        if not is_right:
            annotation[key] = value
            rule = "num_keypoints" if key == "num_keypoints" else "bad_box"
            repairs.append(_repair(rule, f"{image['file_name']}: {key} is now {value}"))
    return repairs


def _fix_attributes(image, annotation, category):
    if annotation.get("attributes", {}) in (None, [], "") and "attributes" in annotation:
        annotation["attributes"] = {}
        return [_repair("attributes", f"{image['file_name']}: empty attributes are an object now")]
    attributes = annotation.get("attributes")
    if not isinstance(attributes, dict):
        return []
    repairs = []

    def spell(holder, key, names, where):
        value = holder.get(key)
        right = names.get(value.strip().casefold()) if isinstance(value, str) else None
        if right is not None and right != value:
            holder[key] = right
            repairs.append(_repair("attributes", f"{image['file_name']}: attributes.{where} {value!r} is now "
                                                 f"{right!r}"))

    spell(attributes, "split", SPLIT_NAMES, "split")
    if category == SHEET and isinstance(attributes.get("sheet"), dict):
        spell(attributes["sheet"], "format", {name: name for name in FORMATS}, "sheet.format")
        spell(attributes["sheet"], "long_side", {name: name for name in LONG_SIDES}, "sheet.long_side")
    feet = attributes.get("feet")
    for number, foot in enumerate(feet if category == SHEET and isinstance(feet, list) else []):
        if isinstance(foot, dict):
            spell(foot, "side", {"left": "left", "right": "right"}, f"feet[{number}].side")
    return repairs


def _drop_copies(folder, document):
    """Images whose file, mask and annotation are all there once more: the later entries go."""
    category = keypoint_category(document) or SHEET
    by_image = {}
    for annotation in valid_entries(document, "annotations", category):
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    images = valid_entries(document, "images")
    by_id = {image["id"]: image for image in images}
    if len(by_id) < len(images):  # whose annotation is it?
        return []
    by_name = {image["file_name"]: image for image in images}
    repairs = []
    for name, earlier in duplicate_images(folder, images):
        image = by_name[name]
        if _are_copies(folder, by_name[earlier], image, by_image):
            document["images"].remove(image)
            document["annotations"].remove(by_image[image["id"]][0])
            repairs.append(Repair(f"{IMAGES}/{name}", "duplicate_image", f"taken out: with its annotation and mask it "
                                                                         f"is {IMAGES}/{earlier} once more"))
    return repairs


def _are_copies(folder, one, other, by_image):
    told = []
    for image in (one, other):
        annotations = by_image.get(image["id"], [])
        if len(annotations) != 1:
            return False
        mask = folder / MASKS / mask_name(image["file_name"])
        told.append(({key: value for key, value in annotations[0].items() if key not in ("id", "image_id")},
                     image["width"], image["height"], mask.read_bytes() if mask.is_file() else None))
    return told[0] == told[1]


# Files


def stored_class_ids(path):
    """The numbers that an image file of any lossless wrapping stores for its pixels, as class ids: uint8 (H, W), or
    None where it does not store one number from 0 to 255 a pixel.

    Palette images give their indices, images of several channels the value that all have (and no transparency),
    grey PNG of 2 or 4 bits the stored value, which Pillow and OpenCV multiply by 85 or 17. One bit says yes or no,
    not which class. Raises nearly anything for a damaged file, as decoders do.
    """
    with open_image(path) as image:
        if image.format not in LOSSLESS or image.mode == "1":
            return None
        refuse_truncated()
        image.load()
        numbers = np.asarray(image)
        if image.mode in ("LA", "RGB", "RGBA"):
            colours = numbers[..., :3] if image.mode != "LA" else numbers[..., :1]
            if (colours != colours[..., :1]).any() or (image.mode != "RGB" and (numbers[..., -1] != 255).any()):
                return None
            numbers = colours[..., 0]
        if image.mode == "L" and image.format == "PNG":
            numbers = numbers // (255 // (2 ** _bit_depth(path) - 1))
    if numbers.ndim != 2 or numbers.dtype.kind not in "ui" or not ((numbers >= 0) & (numbers <= 255)).all():
        return None
    return numbers.astype(np.uint8)


def _bit_depth(path):
    """Bits a sample of a PNG file: byte 24, in its first chunk (ISO/IEC 15948, 11.2.2)."""
    with open(path, "rb") as file:
        return file.read(25)[24]


def _is_plain(path):
    """Whether a mask is stored as the dataset wants it: PNG, grey, 8 bits."""
    with open_image(path) as image:
        return image.mode == MASK_MODE and image.format == "PNG" and _bit_depth(path) == 8


def _fix_masks(folder, document):
    category = keypoint_category(document) or SHEET
    by_image = {annotation["image_id"]: annotation
                for annotation in valid_entries(document, "annotations", category)}
    repairs = []
    for image in valid_entries(document, "images"):
        name = f"{MASKS}/{mask_name(image['file_name'])}"
        path = folder / name
        try:
            ids = None if not path.is_file() or _is_plain(path) else stored_class_ids(path)
        except Exception:  # damaged files make decoders raise nearly anything; check_dataset says so
            continue
        if ids is None or ids.shape != (image["height"], image["width"]):
            continue
        if category == SHEET and mask_content_faults(name, ids, by_image.get(image["id"])):
            continue
        kept = _free_name(folder, name)
        shutil.copy2(path, kept)
        beside = path.with_name(path.name + ".part")
        Image.fromarray(ids).save(beside, format="PNG")
        os.replace(beside, path)
        repairs.append(Repair(name, "mask_channels", f"its class ids are stored in one channel now; as it was: "
                                                     f"{kept.relative_to(folder).as_posix()}"))
    return repairs


def _move_extra_files(folder, document):
    images = valid_entries(document, "images")
    if len(images) < len(entries(document, "images")):  # an unread entry may be what an extra file belongs to
        return []
    expected = {IMAGES: [image["file_name"] for image in images],
                MASKS: [mask_name(image["file_name"]) for image in images] if masks_are_required(document) else []}
    repairs = []
    for fault in extra_files(folder, images):
        part = fault.file.partition("/")[0]
        if all((folder / part / name).is_file() for name in expected[part]):
            target = _free_name(folder, fault.file)
            os.replace(folder / fault.file, target)
            repairs.append(Repair(fault.file, fault.rule, f"moved to {target.relative_to(folder).as_posix()}"))
    return repairs


def _free_name(folder, name):
    """A path under extra/ for the file `name` of the dataset at which nothing is yet; its folder is made."""
    path = folder / EXTRA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while path.exists():
        number += 1
        path = (folder / EXTRA / name).with_stem(f"{Path(name).stem}-{number}")
    return path
