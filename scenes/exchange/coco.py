"""COCO keypoints: as the format says it (`coco`), and as CVAT writes and reads it (`cvat`).

Both have one layout: annotations/person_keypoints_SUBSET.json with the keypoints, annotations/instances_SUBSET.json
with the regions, images/SUBSET/NAME or images/NAME. That is what CVAT's "COCO Keypoints 1.0" and "COCO 1.0" exports
are, unpacked over one another. A single document with both is read as well, with its images beside it.

They differ by half a pixel. COCO counts the pixels that a keypoint is on, from 0: centres at integers, as here (so
detectron2 reads it: it adds 0.5 to make them continuous). CVAT draws on the picture, whose top left corner is (0, 0):
the centre of the first pixel is at 0.5, 0.5. Outlines are continuous in both.

CVAT rounds to a hundredth of a pixel. In it a corner is a point of a skeleton; `outside` there is visibility 0,
`occluded` 1. A point that is outside is written as (0, 0, 0) or with the coordinates that it last had: what is said to
be outside and lies within the image is not known.
"""

import functools
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from scenes.dataset import (
    SPLITS,
    DatasetError,
    box_and_area,
    known_corners,
    read_category,
    read_dataset,
    read_mask,
)
from scenes.document import SHEET, Category, is_number, is_size, is_whole, keypoint_category, short
from scenes.exchange.formats import Source
from scenes.exchange.incoming import Incoming
from scenes.exchange.regions import SHEET_MASK, filled, from_run_lengths, paint, run_lengths
from scenes.exchange.source import ImageFinder, Problem, Refused, SourceError, image_folder, plain_path, read_json
from scenes.exchange.store import new_folder
from scenes.files import place
from scenes.labels import NAMES
from scenes.labels import SHEET as SHEET_CLASS
from scenes.repair import SPLIT_NAMES

ANNOTATIONS = "annotations"
KEYPOINTS = "person_keypoints"
INSTANCES = "instances"
DEFAULT_SUBSET = "default"
_TASK = re.compile(rf"(?:{KEYPOINTS}|{INSTANCES})_(?P<subset>.+)")


@dataclass(frozen=True)
class Dialect:
    """origin_px: where the centre of the first pixel is, in x and in y. sheet_region: name of the sheet's region."""

    origin_px: float
    sheet_region: str


COCO = Dialect(0.0, NAMES[SHEET_CLASS])
CVAT = Dialect(0.5, SHEET_MASK)


# Reading


@dataclass(frozen=True)
class _Entry:
    """An annotation of a document: the entry, its line and place in the list, its document's file and category."""

    value: dict
    file: str
    line: int | None
    where: str
    category: dict

    def refused(self, refused):
        """The same Refused, with the place of this entry."""
        return Refused(refused.rule, f"{self.where}: {refused.message}", (self.file, self.line))


@dataclass
class _Picture:
    """An image of a source with what is annotated on it. sizes: what its documents say, without repetition."""

    name: str
    subset: str | None
    file: str
    line: int | None
    sizes: list = field(default_factory=list)
    keypoints: list = field(default_factory=list)
    regions: list = field(default_factory=list)


def read_coco(path, options):
    """Source of COCO keypoints. path: a document, or a folder with documents in it or under annotations/. Raises
    SourceError where nothing can be read."""
    return _read(path, options, COCO)


def read_cvat(path, options):
    """Source of what CVAT exported, unpacked: as `read_coco`, with CVAT's half pixel."""
    return _read(path, options, CVAT)


def _read(path, options, dialect):
    path = Path(path)
    documents = [read_json(file) for file in _documents(path)]
    used = [document for document in documents if _is_coco(document.data)]
    if not used:
        raise SourceError(path, "not_coco", "there is no JSON document with images, annotations and categories")
    return source_of(used, path, options, dialect)


def _documents(path):
    if path.is_file():
        return [path]
    for folder in (path / ANNOTATIONS, path):
        found = sorted(folder.glob("*.json"))
        if found:
            return found
    raise SourceError(path, "not_coco", "there is no JSON document in it or under annotations/")


def _is_coco(data):
    return isinstance(data, dict) and all(isinstance(data.get(key), list)
                                          for key in ("images", "annotations", "categories"))


def source_of(documents, path, options, dialect):
    """Source of COCO documents, JsonFiles, found at `path`; see `read_coco`."""
    problems = []
    chosen = _keypoint_category(documents)
    pictures = {}
    for document in documents:
        problems += _collect(document, pictures)
    reading = _Reading(_category_of(chosen, documents[0].path), chosen["name"], dialect, options.classes,
                       ImageFinder(options.images or _image_folder(path)))
    items = []
    for picture in pictures.values():
        try:
            items.append((reading.incoming(picture), picture.subset))
        except Refused as refused:
            problems.append(refused.problem(picture.file, picture.line))
    return Source(_without_subsets(items), problems, reading.category)


def _without_subsets(items):
    """Items of (Incoming, subset) pairs, named without the folder of their subset where that leaves names distinct."""
    bare = [item.name.removeprefix(f"{subset}/") for item, subset in items]
    if len({PurePosixPath(name).with_suffix("") for name in bare}) < len(bare):
        return [item for item, _ in items]
    return [replace(item, name=name) for (item, _), name in zip(items, bare, strict=True)]


def _keypoint_category(documents):
    """The entry of `categories` whose keypoints are imported: `sheet`, or the only one with keypoints, or the only
    one with four."""
    found = {}
    for document in documents:
        for entry in document.data["categories"]:
            if isinstance(entry, dict) and isinstance(entry.get("keypoints"), list) and entry["keypoints"]:
                found[str(entry.get("name"))] = {**entry, "name": str(entry.get("name"))}
    fours = [entry for entry in found.values() if len(entry["keypoints"]) == len(SHEET.keypoints)]
    if SHEET.name in found:
        return found[SHEET.name]
    if len(found) == 1:
        return next(iter(found.values()))
    if len(fours) == 1:
        return fours[0]
    said = f"of {', '.join(sorted(found))}, and none is 'sheet'" if found else "of none: export the skeletons too"
    raise SourceError(documents[0].path, "category", f"there are keypoints {said}")


def _category_of(entry, path):
    """Four keypoints are the corners of a sheet, whatever they are called: their place tells them apart."""
    if len(entry["keypoints"]) == len(SHEET.keypoints):
        return SHEET
    for skeleton in (entry.get("skeleton"), []):
        category = keypoint_category({"categories": [{**entry, "skeleton": skeleton}]})
        if category not in (None, SHEET):
            return category
    raise SourceError(path, "category", f"category {entry['name']!r} has keypoints {short(entry['keypoints'])}; a "
                                        "sheet has four, and names must be distinct")


def _image_folder(path):
    root = path if path.is_dir() else path.parent
    return image_folder(root.parent if root.name == ANNOTATIONS else root)


def _collect(document, pictures):
    """Put the entries of one document into `pictures`, {(subset, path): _Picture}: list[Problem] of those that
    cannot be used."""
    problems = []
    match = _TASK.fullmatch(document.path.stem)
    subset = match["subset"] if match else None
    file = str(document.path)
    by_id = {}
    for number, entry in enumerate(document.data["images"]):
        line = document.line("images", number)
        if not (isinstance(entry, dict) and is_whole(entry.get("id")) and isinstance(entry.get("file_name"), str)):
            problems.append(Problem(file, line, "bad_image", f"images[{number}] needs an id and a file_name, and is "
                                                             f"{short(entry)}"))
            continue
        if entry["id"] in by_id:
            problems.append(Problem(file, line, "duplicate_id", f"images[{number}].id is {entry['id']}, as of another "
                                                                "image"))
            continue
        path = plain_path(entry["file_name"]).as_posix()
        picture = pictures.setdefault((subset, path), _Picture(path, subset, file, line))
        by_id[entry["id"]] = picture
        size = (entry.get("width"), entry.get("height"))
        if all(map(is_size, size)) and size not in picture.sizes:
            picture.sizes.append(size)
    categories = {entry["id"]: entry for entry in document.data["categories"]
                  if isinstance(entry, dict) and is_whole(entry.get("id"))}
    for number, value in enumerate(document.data["annotations"]):
        line, where = document.line("annotations", number), f"annotations[{number}]"
        image_id, category_id = (value.get(key) if isinstance(value, dict) else None
                                 for key in ("image_id", "category_id"))
        if not is_whole(image_id) or image_id not in by_id:
            problems.append(Problem(file, line, "bad_annotation", f"{where}.image_id is {short(image_id)}, which no "
                                                                  "image has"))
        elif not is_whole(category_id) or category_id not in categories:
            problems.append(Problem(file, line, "bad_annotation", f"{where}.category_id is {short(category_id)}, "
                                                                  "which no category has"))
        else:
            entry = _Entry(value, file, line, where, categories[category_id])
            picture = by_id[image_id]
            if value.get("keypoints"):
                picture.keypoints.append(entry)
            if value.get("segmentation"):
                picture.regions.append(entry)
    return problems


@dataclass(frozen=True)
class _Reading:
    """What is the same for all images of a source."""

    category: Category
    name: str
    dialect: Dialect
    classes: object
    finder: ImageFinder

    def incoming(self, picture):
        """Incoming of a _Picture. Raises Refused."""
        if len(picture.sizes) > 1:
            raise Refused("image_size", f"{picture.name} has the sizes {picture.sizes} in different documents")
        mine = [entry for entry in picture.keypoints if str(entry.category.get("name")) == self.name]
        if len(mine) != 1:
            raise Refused("annotation_count", f"{picture.name} has {len(mine)} annotations of {self.name!r} with "
                                              "keypoints; one is needed"
                          + (": of two sheets, the one under the foot" if len(mine) > 1 else ""))
        try:
            points, visibility = self._points(mine[0])
        except Refused as refused:
            raise mine[0].refused(refused) from refused
        mask = None
        if self.category == SHEET and picture.regions:
            mask = functools.partial(_painted, self._labelled(picture.regions))
        attributes = mine[0].value.get("attributes")
        attributes = dict(attributes) if isinstance(attributes, dict) else {}
        split = SPLIT_NAMES.get((picture.subset or "").casefold())
        if split:
            attributes.setdefault("split", split)
        path = self.finder.find(f"{picture.subset}/{picture.name}" if picture.subset else picture.name)
        size = picture.sizes[0] if picture.sizes else None
        return Incoming(self.finder.name_of(path), path, points, visibility, size, attributes, mask, mine[0].file,
                        mine[0].line)

    def _points(self, entry):
        found = entry.value["keypoints"]
        count = len(self.category.keypoints)
        if not (isinstance(found, list) and len(found) == 3 * count and all(map(is_number, found))):
            raise Refused("keypoint_count", f"keypoints is {short(found)}; {3 * count} numbers are needed")
        keypoints = np.array(found, dtype=np.float64).reshape(-1, 3)
        if not np.isfinite(keypoints).all():
            raise Refused("not_finite", f"keypoints is {short(found)}; all must be finite")
        if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
            raise Refused("bad_visibility", f"keypoints has visibility {keypoints[:, 2].tolist()}; 0, 1 and 2 are "
                                            "allowed")
        points = keypoints[:, :2] - self.dialect.origin_px
        points[~keypoints.any(axis=1)] = np.nan
        return points, keypoints[:, 2].astype(int)

    def _labelled(self, regions):
        """(class id, entry) of the regions that are not to be ignored."""
        found = []
        for entry in regions:
            name = str(entry.category.get("name"))
            try:
                label = SHEET_CLASS if name == self.name else self.classes.label(name)
            except Refused as refused:
                raise entry.refused(refused) from refused
            if label is not None:
                found.append((label, entry))
        return found


def _painted(regions, size):
    """Class mask of (class id, _Entry) pairs in an image of size (width, height)."""
    return paint([(label, _pixels(entry, size)) for label, entry in regions], size)


def _pixels(entry, size):
    segmentation = entry.value["segmentation"]
    try:
        if isinstance(segmentation, dict):
            return from_run_lengths(segmentation, size)
        if isinstance(segmentation, list):
            return filled([polygon for polygon in segmentation if polygon != []], size)
        raise Refused("bad_polygon", f"segmentation is {short(segmentation)}; outlines or run lengths are needed")
    except Refused as refused:
        raise entry.refused(refused) from refused


# Writing


def write_coco(folder, destination, link=False, advance=lambda: None):
    """Write a dataset as COCO keypoints into the new folder `destination`: (images written, list[Problem]).

    Subsets are the splits, `default` without one. Held: keypoints and visibility, attributes, masks of sheets as run
    lengths; what is not known becomes 0, 0, 0. link, advance: as in `scenes.exchange.store.store`. Raises
    DatasetError for a dataset that cannot be read, SourceError, OSError.
    """
    return _write(folder, destination, link, advance, COCO)


def write_cvat(folder, destination, link=False, advance=lambda: None):
    """As `write_coco`, with CVAT's half pixel: to upload as "COCO Keypoints 1.0" and "COCO 1.0"."""
    return _write(folder, destination, link, advance, CVAT)


def _write(folder, destination, link, advance, dialect):
    category = read_category(folder)
    subsets, problems = {}, []
    with new_folder(destination) as target:
        for sample in read_dataset(folder, category=None):
            subset = sample.attributes.get("split")
            subset = subset if subset in SPLITS else DEFAULT_SUBSET
            documents = subsets.setdefault(subset, _Documents(category, dialect))
            image = target / "images" / subset / sample.file_name
            try:
                if not sample.image_path.is_file():
                    raise DatasetError("there is no such image")
                place(sample.image_path, image, link)
                documents.add(sample)
            except (DatasetError, OSError) as error:
                image.unlink(missing_ok=True)
                problems.append(Problem(str(sample.image_path), None, "unreadable", str(error)))
            advance()
        (target / ANNOTATIONS).mkdir()
        for subset, documents in subsets.items():
            documents.write(target / ANNOTATIONS, subset)
    return sum(len(documents.images) for documents in subsets.values()), problems


class _Documents:
    """The two documents of a subset, as they grow."""

    def __init__(self, category, dialect):
        self.category, self.dialect = category, dialect
        self.images, self.keypoints, self.regions = [], [], []

    def add(self, sample):
        """One sample. Raises DatasetError, OSError before anything is added."""
        has_mask = self.category == SHEET and sample.mask_path.is_file()
        mask = read_mask(sample.mask_path) if has_mask else np.zeros((0, 0), np.uint8)
        number = len(self.images) + 1
        self.images.append({"id": number, "width": sample.width, "height": sample.height,
                            "file_name": sample.file_name, "license": 0, "flickr_url": "", "coco_url": "",
                            "date_captured": 0})
        known = known_corners(sample.corners)[:, None]
        keypoints = np.column_stack([sample.corners + self.dialect.origin_px, sample.visibility]) * known
        box, area = box_and_area(sample.corners, sample.width, sample.height)
        self.keypoints.append({
            "id": number, "image_id": number, "category_id": 1, "segmentation": [], "area": area,
            "bbox": [box[0] + self.dialect.origin_px, box[1] + self.dialect.origin_px, *box[2:]], "iscrowd": 0,
            "attributes": sample.attributes, "num_keypoints": int((sample.visibility > 0).sum()),
            "keypoints": [value for x, y, v in keypoints.tolist() for value in (x, y, int(v))]})
        for label in range(1, len(NAMES)):
            if (mask == label).any():
                self.regions.append(self._region(mask == label, label, number))

    def _region(self, region, label, image_id):
        rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
        box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        # COCO marks run lengths with iscrowd 1; outlines would lose pixels.
        return {"id": len(self.regions) + 1, "image_id": image_id, "category_id": label,
                "segmentation": run_lengths(region), "area": float(region.sum()), "bbox": [float(n) for n in box],
                "iscrowd": 1, "attributes": {}}

    def write(self, folder, subset):
        names = {label: name for label, name in enumerate(NAMES) if label} | {SHEET_CLASS: self.dialect.sheet_region}
        regions = [{"id": label, "name": name, "supercategory": ""} for label, name in names.items()]
        self._dump(folder / f"{KEYPOINTS}_{subset}.json", self.keypoints, [self.category.to_coco()])
        if self.regions:
            self._dump(folder / f"{INSTANCES}_{subset}.json", self.regions, regions)

    def _dump(self, path, annotations, categories):
        document = {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {}, "categories": categories,
                    "images": self.images, "annotations": annotations}
        path.write_text(json.dumps(document) + "\n", encoding="utf-8")
