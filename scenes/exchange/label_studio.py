"""Label Studio: tasks with annotations as its JSON export has them, and as its JSON import takes them.

Points are in percent of the image's width and height, the whole picture from 0 to 100: the centre of pixel i of W is
at (i + 0.5) / W. A corner is a KeyPointLabels region named corner_1 to corner_4 (four points of other names do as well:
the dataset's order is told by their place). Label Studio has no visibility; a Choices tag for each region (perRegion)
says `covered` or `outside`, and a corner without is seen. Regions of the mask are PolygonLabels or BrushLabels.

Its JSON export is what to import. Its COCO export is read too, and holds less: whole pixels, no visibility, no brush
strokes, and the stored size of photos with an EXIF turn. JSON_MIN, CSV and YOLO are not read.

Only sheets: an export of tasks does not tell which labels are keypoints of one thing, nor their order.
"""

import functools
import json
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from scenes.dataset import DatasetError, known_corners, read_category, read_dataset, read_mask
from scenes.document import SHEET, is_number, is_size, short
from scenes.exchange import brush, coco
from scenes.exchange.formats import Source
from scenes.exchange.incoming import Incoming
from scenes.exchange.regions import SHEET_MASK, filled, paint
from scenes.exchange.source import (
    IMAGE_ENDINGS,
    ImageFinder,
    Problem,
    Refused,
    SourceError,
    image_folder,
    plain_path,
    read_json,
)
from scenes.exchange.store import new_folder
from scenes.files import place
from scenes.labels import NAMES

TASKS = "tasks.json"
CONFIG = "label_config.xml"
# Where the dataset's attributes travel: Label Studio keeps what stands in a task's data, and shows none of it.
DATA_KEY = "foliopie"
POINT_PERCENT = 0.5  # size of a point on the screen
STATES = {"covered": 1, "occluded": 1, "hidden": 1, "outside": 0}
_COCO = coco.Dialect(0.5, SHEET_MASK)
# Regions that say nothing of masks: boxes stand around things that have an outline as well.
_PASSED_OVER = ("rectanglelabels", "rectangle", "choices", "textarea", "rating", "number", "taxonomy", "relation",
                "datetime")


def read_label_studio(path, options):
    """Source of an export. path: the file, or a folder with just one; images are under
    images/ beside it or else its folder, unless `options.images` says where. Raises SourceError where nothing can be
    read."""
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    if len(files) != 1:
        raise SourceError(path, "export", f"there are {len(files)} JSON files in it; name the one to be imported")
    export = read_json(files[0])
    if isinstance(export.data, dict) and "images" in export.data and "annotations" in export.data:
        return coco.source_of([export], path, options, _COCO)
    if not isinstance(export.data, list):
        raise SourceError(export.path, "export", "this is no list of tasks: export as JSON")
    if export.data and all(isinstance(task, dict) and "data" not in task for task in export.data):
        raise SourceError(export.path, "export", "the tasks have no data: this may be JSON_MIN; export as JSON", 1)
    finder = ImageFinder(options.images or image_folder(export.path.parent))
    items, problems = [], []
    for number, task in enumerate(export.data):
        line = export.line(None, number)
        try:
            items.append(_incoming(task, finder, options.classes, str(export.path), line))
        except Refused as refused:
            problems.append(refused.problem(str(export.path), line))
    return Source(items, problems, SHEET)


def _incoming(task, finder, classes, file, line):
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        raise Refused("bad_task", "it has no data")
    address = _image_address(data)
    results = _results(task)
    size = _size(results)
    points, visibility = _corners(results, size)
    regions = _regions(results, classes)
    attributes = data.get(DATA_KEY)
    path = finder.find(address)
    return Incoming(finder.name_of(path), path, points, visibility, size,
                    attributes if isinstance(attributes, dict) else {},
                    functools.partial(_painted, regions) if regions else None, file, line)


def _image_address(data):
    """The value of the task's data that names an image."""
    for value in (data.get("image"), *data.values()):
        if isinstance(value, str) and plain_path(value).suffix.lower() in IMAGE_ENDINGS:
            return value
    raise Refused("bad_task", f"its data names no image: {short(data)}")


def _results(task):
    """Regions of the annotation that counts: the ground truth, else the newest, and none that was skipped."""
    annotations = task.get("annotations", task.get("completions"))
    annotations = [one for one in annotations if isinstance(one, dict) and not one.get("was_cancelled")] \
        if isinstance(annotations, list) else []
    if not annotations:
        raise Refused("annotation_count", "it has no annotation, or was skipped")
    chosen = max(annotations, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at") or ""),
                                               str(one.get("created_at") or "")))
    results = chosen.get("result")
    if not isinstance(results, list) or not all(isinstance(one, dict) and isinstance(one.get("value", {}), dict)
                                                for one in results):
        raise Refused("bad_task", f"its result is {short(results)}; a list of regions is needed")
    return results


def _size(results):
    """(width, height) of the image that the regions were drawn on."""
    sizes = [[one["original_width"], one.get("original_height")] for one in results if "original_width" in one]
    if not sizes or any(size != sizes[0] for size in sizes) or not all(map(is_size, sizes[0])):
        raise Refused("bad_task", f"its regions tell the sizes {short(sizes)} of the image; one original_width and "
                                  "original_height is needed")
    if any(one.get("image_rotation") for one in results):
        raise Refused("image_rotation", "the image was turned in Label Studio, and the regions with it: turn it back")
    return tuple(sizes[0])


def _names(result, key):
    """Texts of the list under a key of a region's value."""
    names = result.get("value", {}).get(key)
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _kind(result):
    return str(result.get("type")).lower()


def _labels(result):
    """Names that a region has been given."""
    return _names(result, _kind(result)) + _names(result, "labels")


def _corners(results, size):
    """Points (4, 2), NaN where there is none, and visibility (4,)."""
    states = {str(one.get("id")): STATES[choice.casefold()] for one in results if _kind(one) == "choices"
              for choice in _names(one, "choices") if choice.casefold() in STATES}
    found = []
    for one in results:
        if _kind(one) not in ("keypointlabels", "keypoint"):
            continue
        percents = [one.get("value", {}).get(axis) for axis in "xy"]
        if not (all(map(is_number, percents)) and np.isfinite(percents).all()):
            raise Refused("bad_task", f"a point is at {short(percents)}; percents of width and height are needed")
        name = (_labels(one) or [""])[0].strip().casefold()
        found.append((name, np.array(percents) / 100 * size - 0.5, states.get(str(one.get("id")), 2)))
    names = [name for name, _, _ in found]
    named = set(names) <= set(SHEET.keypoints) and len(set(names)) == len(names)
    if len(found) > 4 or not found or (len(found) < 4 and not named):
        raise Refused("corner_count", f"it has {len(found)} points ({', '.join(names) or 'none'}); four are needed, or "
                                      "those of corner_1 to corner_4 that can be told")
    points, visibility = np.full((4, 2), np.nan), np.zeros(4, int)
    for place_in_order, (name, point, seen) in enumerate(found):
        k = SHEET.keypoints.index(name) if named else place_in_order
        points[k], visibility[k] = point, seen
    return points, visibility


def _regions(results, classes):
    """(class id, kind, value of the region) of all that belongs to the mask. Raises Refused for kinds that are not
    read."""
    regions = []
    for one in results:
        kind = _kind(one)
        if kind in ("keypointlabels", "keypoint", *_PASSED_OVER):
            continue
        value, labels = one.get("value", {}), _labels(one)
        if not labels:
            continue  # the shape of a region whose name stands in another result of the same id, or none at all
        label = classes.label(labels[0])
        if label is None:
            continue
        if "rle" in value:
            regions.append((label, "brush", value["rle"]))
        elif "points" in value:
            regions.append((label, "polygon", value["points"]))
        else:
            raise Refused("unsupported_region", f"a region of type {kind} cannot be read: use polygons or brushes")
    return regions


def _painted(regions, size):
    """Class mask of the regions in an image of size (width, height)."""
    painted = []
    for label, kind, value in regions:
        if kind == "brush":
            painted.append((label, brush.decode(value, size)))
        else:
            scale = np.array(size) / 100
            if not (isinstance(value, list) and all(isinstance(point, list) and len(point) == 2
                                                    and all(map(is_number, point)) for point in value)):
                raise Refused("bad_polygon", f"an outline is {short(value)}; a list of x, y in percent is needed")
            polygon = (np.array(value, dtype=np.float64).reshape(-1, 2) * scale).ravel().tolist()
            painted.append((label, filled([polygon], size)))
    return paint(painted, size)


# Writing


def write_label_studio(folder, destination, link=False, advance=lambda: None):
    """Write a dataset of sheets as tasks with annotations, their labelling interface and images into the new folder
    `destination`: (images written, list[Problem]).

    Label Studio takes the images from its local files: LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT must be the folder, for
    the addresses in the tasks to be right. Held: points, visibility, masks, attributes (in the task's data). link,
    advance: as in `scenes.exchange.store.store`. Raises DatasetError for a dataset that cannot be read, SourceError
    for one of another category and where something is at `destination`, OSError.
    """
    category = read_category(folder)
    if category != SHEET:
        raise SourceError(folder, "category", f"only sheets go to Label Studio, not {category.name}: use coco or cvat")
    problems, tasks = [], []
    with new_folder(destination) as target:
        for sample in read_dataset(folder):
            try:
                task = _task(sample, len(tasks) + 1)
                place(sample.image_path, target / "images" / sample.file_name, link)
                tasks.append(task)
            except (DatasetError, OSError) as error:
                problems.append(Problem(str(sample.image_path), None, "unreadable", str(error)))
            advance()
        (target / TASKS).write_text(json.dumps(tasks) + "\n", encoding="utf-8")
        (target / CONFIG).write_text(_interface(), encoding="utf-8")
    return len(tasks), problems


def _task(sample, number):
    shared = {"to_name": "image", "original_width": sample.width, "original_height": sample.height,
              "image_rotation": 0}
    results = []
    size = np.array([sample.width, sample.height])
    for k in np.flatnonzero(known_corners(sample.corners)):
        x, y = ((sample.corners[k] + 0.5) / size * 100).tolist()
        point = {**shared, "id": f"corner{k + 1}", "value": {"x": x, "y": y, "width": POINT_PERCENT}}
        results.append({**point, "from_name": "corners", "type": "keypointlabels",
                        "value": {**point["value"], "keypointlabels": [SHEET.keypoints[k]]}})
        if sample.visibility[k] < 2:
            state = "covered" if sample.visibility[k] else "outside"
            results.append({**point, "from_name": "state", "type": "choices",
                            "value": {**point["value"], "choices": [state]}})
    mask = read_mask(sample.mask_path) if sample.mask_path.is_file() else np.zeros((0, 0), np.uint8)
    for label in range(1, len(NAMES)):
        if (mask == label).any():
            value = {"format": "rle", "rle": brush.encode(mask == label), "brushlabels": [NAMES[label]]}
            results.append({**shared, "id": NAMES[label], "from_name": "masks", "type": "brushlabels", "value": value})
    address = f"/data/local-files/?d={urllib.parse.quote(f'images/{sample.file_name}')}"
    return {"id": number, "data": {"image": address, DATA_KEY: sample.attributes},
            "annotations": [{"result": results, "was_cancelled": False, "ground_truth": False}]}


def _interface():
    """Label Studio's labelling interface for these tasks, as XML."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true")
    corners = ElementTree.SubElement(view, "KeyPointLabels", name="corners", toName="image", strokeWidth="1")
    for index, name in enumerate(SHEET.keypoints):
        # Without model_index Label Studio leaves keypoints out of its COCO export.
        ElementTree.SubElement(corners, "Label", value=name, model_index=str(index))
    state = ElementTree.SubElement(view, "Choices", name="state", toName="image", perRegion="true",
                                   visibleWhen="region-selected", whenTagName="corners")
    for name in ("covered", "outside"):
        ElementTree.SubElement(state, "Choice", value=name)
    for tag, name in (("BrushLabels", "masks"), ("PolygonLabels", "outlines")):
        labels = ElementTree.SubElement(view, tag, name=name, toName="image")
        for label in NAMES[1:]:
            ElementTree.SubElement(labels, "Label", value=label)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"
