"""Tables of facial landmarks: the name of an image and 136 columns, x and y of 68 points.

The points and their parts are those of the 300-W markup (Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV
Workshops 2013); left and right are the face's own. Coordinates are pixels with centres at integers and may lie outside
the image: then their visibility is 0, in the image 2.
"""

import csv
from pathlib import Path

import numpy as np

from scenes.dataset import known_corners, read_category, read_dataset
from scenes.document import Category
from scenes.exchange.formats import Source
from scenes.exchange.incoming import Incoming
from scenes.exchange.source import ImageFinder, Problem, Refused, SourceError, image_folder, read_table
from scenes.exchange.store import new_folder
from scenes.files import place

# (part, points, whether its outline is closed), in the order of the columns.
PARTS = (("jaw", 17, False), ("right_brow", 5, False), ("left_brow", 5, False), ("nose_bridge", 4, False),
         ("nose_base", 5, False), ("right_eye", 6, True), ("left_eye", 6, True), ("outer_lip", 12, True),
         ("inner_lip", 8, True))
TABLE = "keypoints.csv"
# What stands over the names of the images: nothing, as pandas writes an index, or a word for them.
_NAME_HEADS = frozenset(("", "name", "unnamed: 0", "image", "image_name", "file", "file_name", "filename"))


def _face():
    names, bones = [], []
    for part, count, closed in PARTS:
        start = len(names) + 1
        names += [f"{part}_{number}" for number in range(1, count + 1)]
        bones += [(k, k + 1) for k in range(start, start + count - 1)]
        bones += [(start + count - 1, start)] if closed else []
    return Category("face", tuple(names), tuple(bones))


FACE = _face()


def read_landmarks(path, options):
    """Source of a table of landmarks. path: the table, or a folder with just one. Its images are anywhere under
    images/ beside it or else the table's folder, unless `options.images` says where. Raises SourceError where nothing
    can be read."""
    path = Path(path)
    tables = [path] if path.is_file() else sorted(path.glob("*.csv"))
    if len(tables) != 1:
        raise SourceError(path, "table", f"there are {len(tables)} CSV files in it; name the one to be imported")
    table = read_table(tables[0])
    finder = ImageFinder(options.images or image_folder(table.path.parent))
    rows = table.rows[1:] if table.rows[0][1][0].casefold() in _NAME_HEADS else table.rows
    if not any(len(cells) == 1 + 2 * len(FACE.keypoints) for _, cells in rows):
        raise SourceError(table.path, "columns", f"no row has a name and {2 * len(FACE.keypoints)} numbers",
                          table.rows[0][0])
    items, problems = [], []
    for line, cells in rows:
        try:
            items.append(_incoming(table, line, cells, finder))
        except Refused as refused:
            problems.append(refused.problem(str(table.path), line))
    return Source(items, problems, FACE)


def _incoming(table, line, cells, finder):
    count = 2 * len(FACE.keypoints)
    if len(cells) != 1 + count:
        raise Refused("columns", f"the row has {len(cells)} cells; a name and {count} numbers are needed")
    points = np.array([table.number(cell, number) for number, cell in enumerate(cells[1:])]).reshape(-1, 2)
    if (np.isnan(points[:, 0]) != np.isnan(points[:, 1])).any():
        raise Refused("half_a_point", "a point has one coordinate of two; leave both cells empty where it is not known")
    path = finder.find(cells[0])
    return Incoming(finder.name_of(path), path, points, None, None, {}, None, str(table.path), line)


def write_landmarks(folder, destination, link=False, advance=lambda: None):
    """Write a dataset of 68 facial landmarks as a table, with its images, into the new folder `destination`: (images
    written, list[Problem]).

    Held: images and points; not held: visibility, attributes, masks. link, advance: as in
    `scenes.exchange.store.store`. Raises DatasetError for a dataset that cannot be read, SourceError for one of
    another number of keypoints and where something is at `destination`, OSError.
    """
    category = read_category(folder)
    if len(category.keypoints) != len(FACE.keypoints):
        raise SourceError(folder, "category", f"a table of landmarks holds {len(FACE.keypoints)} points; "
                                              f"{category.name} has {len(category.keypoints)}")
    problems, rows = [], []
    with new_folder(destination) as target:
        for sample in read_dataset(folder, category=None):
            try:
                place(sample.image_path, target / "images" / sample.file_name, link)
                known = known_corners(sample.corners)
                rows.append([sample.file_name, *(number if is_known else "" for point, is_known
                                                 in zip(sample.corners.tolist(), known, strict=True)
                                                 for number in point)])
            except OSError as error:
                problems.append(Problem(str(sample.image_path), None, "unreadable", str(error)))
            advance()
        with open(target / TABLE, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["", *range(2 * len(FACE.keypoints))], *rows])
    return len(rows), problems
