"""The plain layout of a data owner: a folder of images, label PNGs of class ids under the same names, a table of four
points.

    SRC/images/NAME.jpg, SRC/labels/NAME.png (or masks/), SRC/corners.csv (or any name)

Images, labels and table may lie in one folder. The table has the columns name, x1, y1, ... x4, y4 and, if wanted,
v1 ... v4, with or without a row of those names (with one, in any order); parted by commas, semicolons or tabs. Points
are pixels with centres at integers, in any order; an empty cell is a point that is not known. Without v a point in the
image counts as seen.
"""

import csv
import functools
from pathlib import Path

import numpy as np

from scenes.dataset import known_corners, mask_name, read_category, read_dataset
from scenes.document import SHEET
from scenes.exchange.formats import Source
from scenes.exchange.incoming import Incoming
from scenes.exchange.source import ImageFinder, Problem, Refused, SourceError, image_folder, read_table
from scenes.exchange.store import new_folder
from scenes.files import place
from scenes.repair import stored_class_ids

COORDINATES = tuple(f"{axis}{number}" for number in range(1, 5) for axis in "xy")
VISIBILITIES = tuple(f"v{number}" for number in range(1, 5))
LABELS = ("labels", "masks")
TABLE = "corners.csv"


def read_plain(path, options):
    """Source of the plain layout in the folder `path`, or in that of the table `path`. Raises SourceError where nothing
    can be read."""
    path = Path(path)
    table = read_table(_table_in(path))
    columns, rows = _columns(table)
    beside = path.is_file() and not options.images  # a table alone: whatever it names, among what lies there
    root = path.parent if beside else path
    images = options.images or image_folder(root)
    labels = next((root / name for name in LABELS if (root / name).is_dir()), images)
    finder = ImageFinder(images)
    if labels == images:
        twins = {path.with_suffix(".png") for path in finder.paths if path.suffix.lower() != ".png"} & set(finder.paths)
        finder.take(set(finder.paths) - twins)
        labels = labels if twins else None
    elif not any(labels.rglob("*.png")):
        labels = None
    items, problems, named = [], [], set()
    for line, cells in rows:
        try:
            image = finder.find(cells[columns["name"]] if columns["name"] < len(cells) else "")
            named.add(image)
            items.append(_incoming(table, columns, (line, cells), finder, image, labels))
        except Refused as refused:
            problems.append(refused.problem(str(table.path), line))
    problems += [Problem(str(image), None, "points_missing", f"{table.path} has no row for it")
                 for image in finder.paths if image not in named and not beside]
    return Source(items, problems, SHEET)


def _table_in(path):
    """The only CSV file in a folder."""
    if path.is_file():
        return path
    tables = sorted(path.glob("*.csv"))
    if len(tables) != 1:
        raise SourceError(path, "table", f"there are {len(tables)} CSV files in it; one with the four points is needed")
    return tables[0]


def _columns(table):
    """({column: place in a row}, rows without the one that names the columns)."""
    line, head = table.rows[0]
    named = len(head) > 1 and head[1] and not _is_number(table, head[1])
    names = [cell.casefold() for cell in head] if named else ["name", *COORDINATES, *VISIBILITIES][:len(head)]
    missing = [name for name in ("name", *COORDINATES) if name not in names]
    twice = [name for name in names if name and names.count(name) > 1]
    if missing or twice or sum(name in names for name in VISIBILITIES) not in (0, 4):
        wrong = ", ".join(missing or twice or VISIBILITIES)
        raise SourceError(table.path, "columns", f"{wrong}: missing or there twice; needed are name, x1, y1 to x4, y4, "
                                                 "and v1 to v4 all or none", line)
    return {name: place for place, name in enumerate(names)}, table.rows[1:] if named else table.rows


def _is_number(table, cell):
    try:
        table.number(cell, "")
    except Refused as refused:
        return refused.rule != "not_a_number"
    return True


def _incoming(table, columns, row, finder, image, labels):
    line, cells = row
    if len(cells) != len(columns):
        raise Refused("columns", f"the row has {len(cells)} cells; {len(columns)} are needed")
    points = np.array([table.number(cells[columns[name]], name) for name in COORDINATES]).reshape(4, 2)
    if (np.isnan(points[:, 0]) != np.isnan(points[:, 1])).any():
        raise Refused("half_a_point", "a point has one coordinate of two; leave both cells empty where it is not known")
    points[~known_corners(points)] = np.nan
    visibility = None
    if VISIBILITIES[0] in columns:
        visibility = np.array([table.number(cells[columns[name]], name) for name in VISIBILITIES])
        if not np.isin(visibility, (0, 1, 2)).all():
            raise Refused("bad_visibility", f"v1 to v4 are {visibility.tolist()}; 2 is seen, 1 covered, 0 outside")
        if (np.isnan(points).any(axis=1) & (visibility > 0)).any():
            raise Refused("half_a_point", "a point is seen or covered, and has no coordinates")
    name = finder.name_of(image)
    mask = functools.partial(_label_png, labels / mask_name(name)) if labels else None
    return Incoming(name, image, points, visibility, None, {}, mask, str(table.path), line)


def _label_png(path, size):
    if not path.is_file():
        raise Refused("label_missing", f"there is no {path}")
    try:
        ids = stored_class_ids(path)
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise Refused("label_unreadable", f"{path}: {type(error).__name__}: {error}") from error
    if ids is None:
        raise Refused("label_channels", f"{path} does not hold one class id a pixel: PNG of one channel is needed")
    return ids


def write_plain(folder, destination, link=False, advance=lambda: None):
    """Write a dataset of sheets in the plain layout into the new folder `destination`: (images written,
    list[Problem]).

    Held: images, masks, points and visibility; not held: attributes. link, advance: as in
    `scenes.exchange.store.store`. Raises DatasetError for a dataset that cannot be read, SourceError for one of
    another category and where something is at `destination`, OSError.
    """
    category = read_category(folder)
    if category != SHEET:
        raise SourceError(folder, "category", f"the plain layout holds the corners of sheets, not {category.name}")
    problems, rows = [], []
    with new_folder(destination) as target:
        for sample in read_dataset(folder):
            try:
                place(sample.image_path, target / "images" / sample.file_name, link)
                if sample.mask_path.is_file():
                    place(sample.mask_path, target / LABELS[0] / mask_name(sample.file_name), link)
                rows.append(_row(sample))
            except OSError as error:
                problems.append(Problem(str(sample.image_path), None, "unreadable", str(error)))
            advance()
        with open(target / TABLE, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("name", *COORDINATES, *VISIBILITIES), *rows])
    return len(rows), problems


def _row(sample):
    known = known_corners(sample.corners)
    points = [number if is_known else "" for point, is_known in zip(sample.corners.tolist(), known, strict=True)
              for number in point]
    return [sample.file_name, *points, *sample.visibility.tolist()]
