"""Things that get between camera and sheet, at random: arms, legs, boxes, cables, cloth.

Nothing here is a foot or has bare toes: all of it is background. Directions are unit vectors (2,) in the picture, x
right, y down; lengths are millimetres on the sheet until `Surroundings.px_per_mm` makes pixels of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from scenes.augment_surfaces import CABLE, casing, casing_colour, cloth, one_of, plain, rounded, skin, turned

FINE = 4  # outlines are drawn this many times larger and averaged, which makes their edges soft by a pixel
STEP_MM, STEP_PX = 15.0, 4.0  # between the points of a path, the larger of the two


@dataclass(frozen=True)
class Surroundings:
    """What a thing is drawn into.

    width, height: of the picture, pixels. px_per_mm: scale at the sheet. to_light: direction that light comes from.
    """

    width: int
    height: int
    px_per_mm: float
    to_light: np.ndarray

    @property
    def beyond(self):
        """A length in mm that leads out of the picture from anywhere in it."""
        return (self.width + self.height) / self.px_per_mm

    @property
    def step_mm(self):
        """Between the points of a path."""
        return max(STEP_MM, STEP_PX / self.px_per_mm)


@dataclass(frozen=True)
class Part:
    """One surface of a thing.

    cover: uint8 (h, w), 255 where it hides what is under it. paint: a window of that -> float32 (h, w, 3), sRGB.
    """

    cover: np.ndarray
    paint: Callable


@dataclass(frozen=True)
class Thing:
    """parts: from the lowest to the uppermost. above_mm: how far over the sheet, for its shadow."""

    parts: list
    above_mm: float


class Outline:
    """The union of areas, strokes and strips; points are (N, 2) pixels, pixel centres at integers."""

    def __init__(self, around):
        self._fine = np.zeros((around.height * FINE, around.width * FINE), np.uint8)

    def area(self, points):
        cv2.fillPoly(self._fine, [self._whole(points)], 255)

    def stroke(self, points, width_px):
        """A line of one width with round ends."""
        cv2.polylines(self._fine, [self._whole(points)], False, 255, max(1, round(width_px * FINE)))

    def strip(self, points, widths_px, cap):
        """A smooth line whose width changes from point to point.

        cap: length of the half ellipse before the first point, in half widths: 0 is a straight end.
        """
        along = np.gradient(np.asarray(points, np.float64), axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        half = np.asarray(widths_px)[:, None] / 2
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) * half
        left, right = self._whole(points + across), self._whole(points - across)
        for k in range(len(left) - 1):
            cv2.fillConvexPoly(self._fine, np.array([left[k], left[k + 1], right[k + 1], right[k]]), 255)
        if cap:
            angles = np.linspace(0, np.pi, 17)[:, None]
            self.area(points[0] + across[0] * np.cos(angles) - along[0] * half[0] * cap * np.sin(angles))

    def cover(self):
        """uint8 (h, w), 0..255: the share of each pixel that lies inside."""
        height, width = self._fine.shape
        half = cv2.resize(self._fine, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return cv2.resize(half, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA)

    @staticmethod
    def _whole(points):
        return np.clip(np.round((np.asarray(points) + 0.5) * FINE - 0.5), -30000, 30000).astype(np.int32)


def path(start, heading, length_mm, bend, around, rng):
    """Points (N, 2), pixels, from `start` on along `heading`, turning by about `bend` radians in 100 mm."""
    step = around.step_mm
    count = max(2, int(length_mm / step) + 1)
    turns = bend * np.sqrt(step / 100) * rng.standard_normal(count - 1)
    angles = np.arctan2(heading[1], heading[0]) + np.cumsum(turns)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * step * around.px_per_mm
    return np.concatenate([[start], start + np.cumsum(steps, axis=0)])


# Each draws itself so that the point `at` (2,), pixels, is under it; `outward` leads from the sheet's middle to `at`.


def arm(around, at, outward, size, rng):
    """A hand on or over the sheet with its arm coming in over the border, bare or in a sleeve."""
    mm = around.px_per_mm * size
    heading = turned(outward, rng.uniform(-0.9, 0.9))
    side = np.array([-heading[1], heading[0]]) * rng.choice([-1, 1])
    palm = at - heading * rng.uniform(-40, 120) * mm
    outline = Outline(around)
    _hand(outline, palm, heading, side, mm, rng)
    line = path(palm + heading * 20 * mm, heading, around.beyond, 0.12, around, rng)
    from_palm = np.arange(len(line)) * around.step_mm / size
    girth = np.interp(from_palm, [0, 40, 230, 400], [66, 56, 88, 100]) * rng.uniform(0.85, 1.1)
    outline.strip(line, girth * mm, cap=0)
    parts = [Part(outline.cover(), partial(skin, px_per_mm=mm, radius=22 * mm, to_light=around.to_light, rng=rng))]
    cuff = int(rng.uniform(30, 220) * size / around.step_mm)
    if rng.random() < 0.65 and cuff + 2 <= len(line):
        sleeve = Outline(around)
        sleeve.strip(line[cuff:], (girth * rng.uniform(1.15, 1.5) * mm)[cuff:], cap=rng.uniform(0, 0.15))
        parts.append(_in_cloth(around, sleeve, heading, 30 * mm, rng))
    return Thing(parts, rng.uniform(5, 70))


def _hand(outline, palm, heading, side, mm, rng):
    """Adds palm, fingers and thumb; the fingers point against `heading`, the thumb to `side`."""
    outline.stroke([palm - heading * 22 * mm, palm + heading * 22 * mm], 74 * mm)
    spread, stretched = rng.uniform(0, 0.22), rng.choice([rng.uniform(0.7, 1), rng.uniform(0, 0.1)])
    for number, (place, length) in enumerate(zip((29, 10, -10, -28), (72, 80, 75, 58), strict=True)):
        knuckle = palm - heading * 40 * mm + side * place * mm
        bent = length * stretched * rng.uniform(0.85, 1.05) * mm
        first = turned(-heading, rng.normal(0, 0.05)) + side * spread * (1.5 - number)
        joint = knuckle + first * bent * 0.55
        outline.stroke([knuckle, joint, joint + turned(first, rng.normal(0, 0.15)) * bent * 0.45], 17 * mm)
    thumb = palm + side * 30 * mm + heading * 10 * mm
    pointing = side * rng.uniform(0.3, 1.0) - heading
    joint = thumb + pointing * 32 * mm
    outline.stroke([thumb, joint, joint + (pointing - side * rng.uniform(0, 0.6)) * 24 * mm], 20 * mm)


def leg(around, at, outward, size, rng):
    """A leg: across a corner of the picture, or ending over `at` in a knee or, mostly, a hem."""
    width = rng.uniform(80, 180) * size
    through = rng.random() < 0.5
    heading = turned(outward, rng.choice([-1, 1]) * rng.uniform(1.0, 1.6) if through else rng.uniform(-0.8, 0.8))
    middle = at + outward * rng.uniform(0, 0.42) * width * around.px_per_mm
    line = path(middle, heading, around.beyond, 0.10, around, rng)
    bare = rng.random() < 0.25
    cap = rng.uniform(0.4, 0.9) if bare or rng.random() < 0.4 else rng.uniform(0.02, 0.12)
    if through:
        line = np.concatenate([path(middle, -heading, around.beyond, 0.10, around, rng)[:0:-1], line])
    else:
        line = np.concatenate([[at - heading * 0.1 * width * around.px_per_mm], line[1:]])
    places = np.linspace(0, 1, len(line))
    wobble = np.interp(places, np.linspace(0, 1, 30), rng.normal(1, 0.05, 30))
    widths = width * np.interp(places, [0, 1], rng.uniform(0.85, 1.3, 2)) * wobble * around.px_per_mm
    outline = Outline(around)
    outline.strip(line, widths, cap)
    radius = rng.uniform(0.2, 0.45) * widths.mean()
    if bare:
        part = Part(outline.cover(), partial(skin, px_per_mm=around.px_per_mm, radius=radius,
                                             to_light=around.to_light, rng=rng))
    else:
        part = _in_cloth(around, outline, heading, radius, rng)
    return Thing([part], rng.uniform(10, 120))


def _in_cloth(around, outline, direction, radius_px, rng):
    return Part(outline.cover(), partial(cloth, px_per_mm=around.px_per_mm, direction=direction, radius=radius_px,
                                         to_light=around.to_light, rng=rng))


def box(around, at, outward, size, rng):
    """Something with straight edges: a carton, a book, a telephone, a ruler, a piece of furniture."""
    long = np.exp(rng.uniform(np.log(60), np.log(700))) * size
    sides = np.array([long, long / np.exp(rng.uniform(0, np.log(6)))]) * around.px_per_mm
    turn = rng.uniform(0, 2 * np.pi)
    frame = np.stack([turned((1.0, 0.0), turn), turned((0.0, 1.0), turn)])
    # `at` is inside, not far from the edges that face the sheet's middle: what is large stands beside the sheet.
    inset = np.minimum(rng.uniform(5, 110, 2) * around.px_per_mm, 0.8 * sides)
    centre = at + (np.sign(frame @ outward) * (sides / 2 - inset)) @ frame
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    top = (square * (1 + rng.normal(0, 0.03, (4, 2))) * sides) @ frame + centre
    down = turned((1.0, 0.0), rng.uniform(0, 2 * np.pi)) * sides.min() * rng.uniform(0, 0.5)
    colour, parts = casing_colour(rng), []
    if rng.random() < 0.7:
        whole = Outline(around)
        whole.area(cv2.convexHull(np.concatenate([top, top + down]).astype(np.float32))[:, 0])
        parts.append(Part(whole.cover(), partial(plain, colour=colour * rng.uniform(0.35, 0.8), rng=rng)))
    flat = Outline(around)
    flat.area(top)
    if rng.random() < 0.3:  # rounded corners
        flat.stroke(np.concatenate([top, top[:1]]), 0.25 * sides.min())
    parts.append(Part(flat.cover(), partial(casing, px_per_mm=around.px_per_mm, direction=frame[0], colour=colour,
                                            rng=rng)))
    if rng.random() < 0.35:
        parts.append(_label(around, top, rng))
    return Thing(parts, float(np.clip(np.linalg.norm(down) / around.px_per_mm, 5, 80)))


def _label(around, top, rng):
    """A rectangle within the quadrilateral top (4, 2): a label, a screen, a lid."""
    low, high = np.sort(rng.uniform(0.04, 0.96, (2, 2)), axis=0)
    places = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    outline = Outline(around)
    outline.area(top[0] + places @ np.stack([top[1] - top[0], top[3] - top[0]]))
    return Part(outline.cover(), partial(plain, colour=rng.uniform(5, 235, 3), rng=rng))


def cable(around, at, outward, size, rng):
    """A cable, cord or strap that runs on over the border at one end or both."""
    heading = turned(outward, rng.uniform(-1.6, 1.6))
    line = path(at, heading, around.beyond, rng.uniform(0.1, 0.5), around, rng)
    length = around.beyond if rng.random() < 0.6 else rng.uniform(20, 150)
    back = path(at, turned(-heading, rng.normal(0, 0.3)), length, rng.uniform(0.1, 0.5), around, rng)
    thick = rng.choice([rng.uniform(4, 9), rng.uniform(9, 30)], p=[0.75, 0.25])
    width = max(1.6, thick * size * around.px_per_mm)
    outline = Outline(around)
    outline.stroke(np.concatenate([back[:0:-1], line]), width)
    if length < around.beyond and rng.random() < 0.6:  # a plug
        outline.stroke(back[-2:], 2.2 * width)
    colour = one_of(CABLE, rng)

    def paint(window):
        return plain(window, colour, rng, rounded(window, width / 2, around.to_light, rng))

    return Thing([Part(outline.cover(), paint)], rng.uniform(2, 12))


def heap(around, at, outward, size, rng):
    """Something soft with an outline of no particular shape: a towel, a bag, a sock, the hem of a robe."""
    radius = rng.uniform(35, 130) * size * around.px_per_mm
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    reach = np.ones_like(angles)
    for waves in range(2, 8):
        reach += rng.normal(0, 0.22 / waves) * np.cos(waves * angles + rng.uniform(0, 2 * np.pi))
    stretch = np.exp(rng.uniform(-0.5, 0.5))
    shape = np.stack([np.cos(angles) * stretch, np.sin(angles) / stretch], axis=1) * np.maximum(reach, 0.4)[:, None]
    turn = rng.uniform(0, 2 * np.pi)
    shape = shape @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline = Outline(around)
    outline.area(at + outward * rng.uniform(0, 0.35) * radius + shape * radius)
    direction = turned((1.0, 0.0), rng.uniform(0, np.pi))
    return Thing([_in_cloth(around, outline, direction, rng.uniform(4, 25) * around.px_per_mm, rng)],
                 rng.uniform(3, 25))


THINGS = (arm, leg, box, cable, heap)
OFTEN = np.array([0.28, 0.26, 0.22, 0.12, 0.12])


def draw_thing(around, at, outward, size, rng):
    """Any `Thing` over the point `at`; size: 1 as large as usual."""
    return THINGS[rng.choice(len(THINGS), p=OFTEN)](around, at, outward, size, rng)
