"""Outlines and run lengths, as annotation tools write them, to class masks and back.

Outlines are in continuous pixels: (0, 0) is the top left corner of the first pixel, so that pixel i covers i to i + 1.
That is how COCO, CVAT and Label Studio all draw them, and how pycocotools fills them.
"""

from dataclasses import dataclass

import numpy as np

from scenes.exchange.source import Refused
from scenes.labels import BACKGROUND, LEFT_FOOT, NAMES, RIGHT_FOOT, SHEET

# Feet stand on the sheet, and what is said to be background (a leg, a trouser) hides them: so it is painted.
_PAINTING_ORDER = (SHEET, LEFT_FOOT, RIGHT_FOOT, BACKGROUND)
# A region drawn by hand ends near the image's border. Far beyond lies a mistake, and filling it takes memory.
_FAR = 4
IGNORED = "ignore"
# CVAT cannot have a skeleton and a mask of the same name: there the mask of the sheet has its own.
SHEET_MASK = "sheet_mask"


@dataclass(frozen=True)
class ClassNames:
    """What names of regions mean. extra: {name: one of scenes.labels.NAMES or "ignore"} beside those names
    themselves and `sheet_mask`; letter case, spaces and hyphens do not matter."""

    extra: dict

    def __post_init__(self):
        table = {_plain(name): label for label, name in enumerate(NAMES)}
        table[SHEET_MASK] = SHEET
        for name, meaning in self.extra.items():
            table[_plain(name)] = None if meaning == IGNORED else NAMES.index(meaning)
        object.__setattr__(self, "_table", table)

    def label(self, name):
        """Class id of a region's name, None where it is to be ignored. Raises Refused for a name without meaning."""
        try:
            return self._table[_plain(name)]
        except KeyError:
            raise Refused("unknown_class", f"a region is called {name!r}; say what that is with --class "
                                           f"{name!r}=CLASS, CLASS one of {', '.join(NAMES)}, {IGNORED}") from None


def _plain(name):
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def paint(regions, size):
    """Class mask uint8 (H, W) of (class id, bool (H, W)) regions in an image of size (width, height)."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for label in _PAINTING_ORDER:
        for found, region in regions:
            if found == label:
                mask[region] = label
    return mask


def filled(polygons, size):
    """Pixels of polygons [x1, y1, x2, y2, ...] together, in an image of size (width, height): bool (H, W). Raises
    Refused."""
    for polygon in polygons:
        numbers = np.array(polygon, dtype=np.float64) if _is_flat(polygon) else np.empty(0)
        if len(numbers) < 6 or len(numbers) % 2 or not np.isfinite(numbers).all():
            raise Refused("bad_polygon", "an outline needs three points or more, x and y of each, all finite numbers")
        if np.abs(numbers).max() > _FAR * max(size):
            raise Refused("bad_polygon", f"an outline reaches {np.abs(numbers).max():.0f} pixels in an image of "
                                         f"{size[0]} x {size[1]}")
    from pycocotools import mask as coco_mask

    encoded = coco_mask.frPyObjects([[float(number) for number in polygon] for polygon in polygons], size[1], size[0])
    return coco_mask.decode(coco_mask.merge(encoded)).astype(bool)


def _is_flat(polygon):
    return isinstance(polygon, list) and all(isinstance(number, (int, float)) for number in polygon)


def from_run_lengths(encoded, size):
    """Pixels of COCO's run lengths {"size": [height, width], "counts": list or text}: bool (H, W). Raises Refused
    where they do not fill an image of size (width, height)."""
    counts = encoded.get("counts")
    if encoded.get("size") != [size[1], size[0]]:
        raise Refused("mask_size", f"a region has size {encoded.get('size')}; height and width of the image are "
                                   f"{[size[1], size[0]]}")
    if isinstance(counts, list):
        whole = all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
        if not whole or sum(counts) != size[0] * size[1]:
            raise Refused("bad_run_lengths", f"run lengths must be whole numbers that add up to {size[0] * size[1]}")
        values = np.arange(len(counts)) % 2 == 1
        return np.repeat(values, counts).reshape(size).T
    if not counts:  # pycocotools would read what is not there
        raise Refused("bad_run_lengths", "a region has no run lengths")
    from pycocotools import mask as coco_mask

    try:
        return coco_mask.decode({"size": encoded["size"], "counts": counts}).astype(bool)
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused("bad_run_lengths", f"packed run lengths cannot be read: {error}") from error


def run_lengths(region):
    """COCO's run lengths of a bool (H, W), not packed, as CVAT reads and writes them."""
    flat = region.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return {"size": list(region.shape), "counts": [0, *counts] if flat[0] else counts}
