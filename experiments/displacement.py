"""How far, and in what way, one segmentation lies beside another: sub-pixel, of whole pictures and of each class.

A move has four numbers: what stands at (x, y) in one picture stands at (x + shift_x + growth_x u, y + shift_y +
growth_y v) in the other, where (u, v) runs from (-1, -1) in the middle of the first pixel to (1, 1) in that of the
last. That is a shift and a stretch, all that a wrong resizing or padding can do to a picture. Units are pixels.
"""

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from scenes.labels import NAMES
from segmentation.metrics import confusion_matrix, iou, mean

LEVELS = (8, 4, 2)  # pictures are compared so many times smaller, one after another
SMALLEST_PX = 12  # of a picture made smaller
BLURS_PX = {8: (4.0, 1.5), 4: (1.5,), 2: (1.0,)}
STEPS = 12
STILL_PX = 0.005  # a step smaller than this, times the level, is the last
UNCHANGED = 1e-4  # of the pixels: what deploy.parity lets pass
SAME_MASK = 0.5  # mean IoU: below it the photo is not recognised
VARIES_SHARE = 0.8  # of the largest displacement: photos further apart than this are not moved alike
EXPLAINED = 0.5  # of the changed pixels: where moving back mends fewer, it is no move
UNSEEN_SHARE = 0.01  # of the input's side: a smaller displacement is not seen at a glance
SAME = 1 / 3  # of the largest displacement: less is none beside it
CLASS_SHARE = 0.002  # a class with fewer of the pixels has no place that could be told


@dataclass(frozen=True)
class Move:
    """shift_x, shift_y: pixels, in the middle. growth_x, growth_y: what the last pixel has more of it than the middle,
    and the first less."""

    shift_x: float = 0.0
    shift_y: float = 0.0
    growth_x: float = 0.0
    growth_y: float = 0.0

    def at(self, u, v):
        """(x, y) displacement at (u, v) of -1..1."""
        return self.shift_x + self.growth_x * u, self.shift_y + self.growth_y * v

    @property
    def first(self):
        """(x, y) displacement of the first pixel, at the top left."""
        return self.at(-1, -1)

    @property
    def last(self):
        """(x, y) displacement of the last pixel, at the bottom right."""
        return self.at(1, 1)


def find_move(native, other, start=None, grows=True):
    """The Move under which `other` is most like `native`, by least squares, from coarse to fine.

    native, other: float32 (H, W, C), of the same shape. start: Move to begin with. grows: whether it may stretch.
    """
    values = np.array(list(asdict(start or Move()).values()))
    height, width = native.shape[:2]
    for level in [level for level in LEVELS if min(height, width) >= SMALLEST_PX * level] or [1]:
        for blur in BLURS_PX.get(level, (1.0,)):
            values = _descend(*(_smaller(one, level, blur) for one in (native, other)), (height, width), values, grows)
    return Move(*map(float, values))


def undo(move, other):
    """(`other` moved back, bool (H, W): where it is known). other: float32 (H, W, C)."""
    height, width = other.shape[:2]
    x, y, inside = _positions((height, width), (height, width), np.array(list(asdict(move).values())))
    return _look_up(other, x, y), inside


def _smaller(picture, level, blur):
    size = max(picture.shape[1] // level, 1), max(picture.shape[0] // level, 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    return small.reshape(*small.shape[:2], -1)  # OpenCV drops a single channel's axis


def _axes(size):
    """u (1, W) and v (H, 1) of a picture's pixels. A picture made smaller reaches as far as the whole one, so that its
    first and last pixels, being larger, have their middles a little further in; that is made up for in `_positions`."""
    height, width = size
    return np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]


def _positions(size, whole, values):
    """Where each pixel of a picture is to be looked up under a move: x, y float32 and bool, (H, W). `size` of the
    picture, `whole` of the one in whose pixels the move is told."""
    (height, width), (whole_height, whole_width) = size, whole
    across, down = width / whole_width, height / whole_height
    u, v = _axes(size)
    # Of the whole picture's -1..1, where this picture's pixels have their middles.
    u, v = u * (whole_width - 1 / across) / (whole_width - 1), v * (whole_height - 1 / down) / (whole_height - 1)
    x = np.arange(width)[None] + across * (values[0] + values[2] * u) + np.zeros((height, 1))
    y = np.arange(height)[:, None] + down * (values[1] + values[3] * v) + np.zeros((1, width))
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return x.astype(np.float32), y.astype(np.float32), inside


def _look_up(picture, x, y):
    found = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(*x.shape, -1)


def _descend(native, other, whole, values, grows):
    """Gauss and Newton's steps on the squared difference. Returns the four numbers."""
    size = native.shape[:2]
    across, down = size[1] / whole[1], size[0] / whole[0]
    slope_y, slope_x = np.gradient(other, axis=(0, 1))
    u, v = _axes(size)
    for _ in range(STEPS):
        x, y, inside = _positions(size, whole, values)
        off = ((_look_up(other, x, y) - native) * inside[..., None]).astype(np.float64)
        along_x, along_y = (_look_up(slope.astype(np.float32), x, y) * inside[..., None] * scale
                            for slope, scale in ((slope_x, across), (slope_y, down)))
        columns = [along_x, along_y] + ([along_x * u[..., None], along_y * v[..., None]] if grows else [])
        slopes = np.stack([column.ravel() for column in columns], axis=1).astype(np.float64)
        normal = slopes.T @ slopes
        # A picture without edges in a direction tells nothing of it: it stays where it is.
        normal += np.eye(len(normal)) * (1e-4 * np.trace(normal) / len(normal) + 1e-9)
        step = -np.linalg.solve(normal, slopes.T @ off.ravel())
        values = values.copy()
        values[: len(step)] += step
        if np.abs(step).max() < STILL_PX / across:
            break
    return values


def compare_masks(native, other):
    """How two sets of probabilities of the same photos differ: dict for JSON.

    native, other: float32 (N, H, W, 4). "moves": of each photo; "shift", "first", "last": medians over them, (x, y) in
    pixels, in the middle, at the first and at the last pixel; "spread": the largest difference of shift between two
    photos. "classes": {name: {"shift", "centroid"}}, medians of the class's own shift and of how far its centroid
    moved, None where no photo shows it. "changed": share of pixels that change class; "explained": share of these that
    are right again when the picture is moved back, None where none changed. "iou", "mean_iou": with `native`.
    """
    moves = [find_move(*pair) for pair in zip(native, other, strict=True)]
    shifts = np.array([(move.shift_x, move.shift_y) for move in moves])
    wanted, found = native.argmax(-1), other.argmax(-1)
    matrix = confusion_matrix(wanted, found)
    ious = iou(matrix)
    return {
        "moves": [asdict(move) for move in moves],
        "shift": _medians(shifts), "first": _medians([move.first for move in moves]),
        "last": _medians([move.last for move in moves]), "spread": float(np.ptp(shifts, axis=0).max()),
        "classes": {name: _class(native[..., label], other[..., label], moves)
                    for label, name in enumerate(NAMES) if label},
        "changed": float((wanted != found).mean()), "explained": _explained(native, other, moves),
        "iou": {name: None if np.isnan(value) else float(value) for name, value in zip(NAMES, ious, strict=True)},
        "mean_iou": float(mean(ious)),
    }  # fmt: skip


# What a displacement looks like.
NOTHING, OUTLINES, DESTROYED = "nothing changes", "outlines change, not by one move", "no mask of the photo"
SHIFTS, GROWS, SPREADS, BOTH = ("the same everywhere", "grows from the first pixel", "spreads from the middle",
                                "shifts and grows")
VARIES = "another on each photo"
MOVED = (SHIFTS, GROWS, SPREADS, BOTH, VARIES)


def kind(found):
    """What `compare_masks` found, in one of the words above."""
    if found["changed"] <= UNCHANGED:
        return NOTHING
    first, middle, last = (np.abs(found[place]).max() for place in ("first", "shift", "last"))
    largest = max(first, middle, last)
    if found["explained"] is None or found["explained"] < EXPLAINED:
        return OUTLINES if found["mean_iou"] >= SAME_MASK else DESTROYED
    if found["spread"] > VARIES_SHARE * largest:
        return VARIES
    if np.abs(np.subtract(found["last"], found["first"])).max() < SAME * largest:
        return SHIFTS
    if middle < SAME * largest:
        return SPREADS
    return GROWS if first < SAME * largest else BOTH


def is_seen(found, side):
    """Whether `compare_masks` found a displacement that is seen at a glance. side: of the input, pixels."""
    largest = max(np.abs(found[place]).max() for place in ("first", "shift", "last"))
    return kind(found) in MOVED and largest >= UNSEEN_SHARE * side


def _class(native, other, moves):
    """One class's own shift and how far its centroid moved; native, other: float32 (N, H, W)."""
    height, width = native.shape[1:]
    shifts, centroids = [], []
    for one, two, move in zip(native, other, moves, strict=True):
        if (one > 0.5).mean() < CLASS_SHARE:
            continue
        (x, y), moved = _centroid(one), _centroid(two)
        start = Move(*move.at(2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1))
        own = find_move(one[..., None], two[..., None], start, grows=False)
        shifts.append((own.shift_x, own.shift_y))
        centroids.append((moved[0] - x, moved[1] - y))
    return {"shift": _medians(shifts), "centroid": _medians(centroids)} if shifts else None


def _centroid(weights):
    """(x, y) of weights (H, W); the middle where all are zero."""
    height, width = weights.shape
    total = float(weights.sum(dtype=np.float64))
    if total <= 0:
        return (width - 1) / 2, (height - 1) / 2
    return (float(weights.sum(axis=0, dtype=np.float64) @ np.arange(width)) / total,
            float(weights.sum(axis=1, dtype=np.float64) @ np.arange(height)) / total)


def _explained(native, other, moves):
    """Share of the changed pixels that moving back mends, less those that it spoils; what comes from outside the
    picture mends nothing."""
    before = after = 0
    for one, two, move in zip(native, other, moves, strict=True):
        wanted, changed = one.argmax(-1), one.argmax(-1) != two.argmax(-1)
        back, inside = undo(move, two)
        before += np.count_nonzero(changed)
        after += np.count_nonzero(np.where(inside, wanted != back.argmax(-1), changed))
    return 1 - after / before if before else None


def _medians(pairs):
    return [float(value) for value in np.median(np.asarray(pairs, float), axis=0)]

