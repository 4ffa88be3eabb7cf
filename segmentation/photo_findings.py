"""What can be told of class maps of photos whose corners alone are annotated, and no masks.

The corners' quadrangle is where the sheet lies, covered or not. Inside it nearly everything should be sheet or foot:
the share that is neither tells how much of the sheet is lost. It cannot tell losses from what rightly is background
there: a leg over the sheet and its trouser, an object laid on it. So the share is a lower bound of what is right, most
useful on photos without a leg over the sheet, or compared between networks on the same photos. It cannot tell a sheet
from a foot either, nor how good the foot's outline is, and a foot outside the sheet is not looked at. Sheet outside the
quadrangle is wrong but for the row of pixels along the edges, second sheets, and paper that curls out of its outline.
"""

from collections.abc import Callable

import numpy as np

from scenes.conditions import Condition
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from segmentation.metrics import json_number
from segmentation.predictions import ClassMaps
from segmentation.subject import Subject

SIDES = {"left": LEFT_FOOT, "right": RIGHT_FOOT}

# A side is found where it has at least this share of the pixels that are called sheet or foot: a bare foot has a fifth
# of a sheet and more, a speck a few thousandths.
FOUND_SHARE = 0.03


class PhotoFindings:
    """Class maps beside annotated corners and sides. Arguments as `segmentation.evaluate.Findings`.

    per_sample: dict a photo, see `photo_figures`, with its name.
    """

    def __init__(
        self, subject: Subject, maps: ClassMaps, condition: Condition | None = None, progress: Callable | None = None
    ):
        self.per_sample = []
        for index, name in enumerate(maps.names):
            feet = subject.samples[index].attributes.get("feet")
            told = photo_figures(maps.at_photo(index), subject.corners(index, condition), feet)
            self.per_sample.append({"name": name} | told)
            if progress:
                progress(1)

    def figures(self) -> dict:
        """Everything that is told about all photos together, as JSON values: means of photos, each weighing alike."""
        rows = self.per_sample
        one_foot = [row for row in rows if row["side_right"] is not None]
        no_foot = [row for row in rows if row["feet"] == "none"]
        return {
            "samples": len(rows),
            "inside_sheet_or_foot": _spread([row["inside_sheet_or_foot"] for row in rows], "min"),
            "sheet_outside": _spread([row["sheet_outside"] for row in rows], "max"),
            "sides": {
                "photos": len(one_foot),
                "right": sum(row["side_right"] for row in one_foot),
                "majority_right": sum(row["majority_right"] for row in one_foot),
            },
            "no_foot": {"photos": len(no_foot), "none_found": sum(not row["sides_found"] for row in no_foot)},
        }

    def worst(self) -> list[int]:
        """Indices of all photos: those with a wrong side first, then those with the least inside the corners."""
        def rank(index):
            row = self.per_sample[index]
            wrong = row["majority_right"] is False, row["side_right"] is False
            inside = row["inside_sheet_or_foot"]
            return -sum(wrong), 1.0 if inside is None else inside

        return sorted(range(len(self.per_sample)), key=rank)


def photo_figures(classes: np.ndarray, corners: np.ndarray, feet: str | None) -> dict:
    """What can be told of one photo's class map.

    Args:
        classes: class ids (H, W).
        corners: float64 (4, 2), pixels of the map, NaN where nobody can tell: then there is nothing inside or outside.
        feet: "left" or "right" where exactly one foot, of that side, is to be found; "none"; anything else is not
            compared.

    Returns:
        "inside_sheet_or_foot": share of the pixels in the corners' quadrangle that are called sheet or foot;
        "inside_foot": a foot of either side; "sheet_outside": share of the pixels called sheet that are outside;
        "sides_found": the sides with at least `FOUND_SHARE` of what is called sheet or foot; "majority": the side of
        most foot pixels; "majority_share": how large a part of them; "feet": the annotation; "side_right": whether that
        side is found, and no other; "majority_right". None for a share of nothing and for what is not annotated.
    """
    named, foot = classes != 0, np.isin(classes, list(SIDES.values()))
    inside = in_quadrangle(classes.shape, corners) if np.isfinite(corners).all() else None
    counts = {side: np.count_nonzero(classes == class_id) for side, class_id in SIDES.items()}
    enough = max(1, FOUND_SHARE * np.count_nonzero(named))
    found = [side for side, count in counts.items() if count >= enough]
    most = max(counts, key=counts.get) if counts["left"] != counts["right"] else None
    one = feet if feet in SIDES else None
    return {
        "inside_sheet_or_foot": None if inside is None else _share(named & inside, inside),
        "inside_foot": None if inside is None else _share(foot & inside, inside),
        "sheet_outside": None if inside is None else _share((classes == SHEET) & ~inside, classes == SHEET),
        "sides_found": found,
        "majority": most,
        "majority_share": json_number(counts[most] / sum(counts.values())) if most else None,
        "feet": feet if isinstance(feet, str) else None,
        "side_right": None if one is None else found == [one],
        "majority_right": None if one is None else most == one,
    }


def in_quadrangle(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """Pixels of (H, W) whose centres lie in the polygon (K, 2), pixels, wherever its corners are: bool (H, W).

    By the number of edges to the right of a centre: odd inside. Of two polygons with a common edge each centre is in
    exactly one.
    """
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    inside = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crossing = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < crossing)
    return inside


def _share(part: np.ndarray, whole: np.ndarray) -> float | None:
    count = np.count_nonzero(whole)
    return round(np.count_nonzero(part) / count, 6) if count else None


def _spread(values: list, end: str) -> dict:
    """{"photos", "mean", "median", `end`: "min" or "max"} of the values that are not None."""
    values = [value for value in values if value is not None]
    if not values:
        return {"photos": 0, "mean": None, "median": None, end: None}
    functions = {"mean": np.mean, "median": np.median, end: {"min": np.min, "max": np.max}[end]}
    return {"photos": len(values)} | {name: json_number(function(values)) for name, function in functions.items()}
