"""Things over the sheet: where they lie, how much they may hide, and what is then true.

What a thing hides is background in the mask, and a corner under it is covered: visibility 1, its coordinates stay.
A shadow beside it changes the picture only.
"""

import cv2
import numpy as np

from scenes.augment_clutter import blend
from scenes.augment_things import Surroundings, draw_thing
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.sheet import A4

MOST_UNSEEN = 2  # corners of the four: where as many are unseen already, no further one is covered
TRIES = 5  # for a thing that hides too much, each smaller than the one before
SHRINK = 0.8
SHADOW_DEPTH = (0.15, 0.6)  # share of the light that a shadow takes
COARSE = 2  # shadows are soft: drawn this many times smaller
PAPER_WHITE = 215.0  # sRGB value of a sheet in good light: what lies on it is lit as it is
KEPT = (SHEET, LEFT_FOOT, RIGHT_FOOT)  # classes of which only a share may be hidden


def lay_over(picture, told, room, corners, seen, rng, config):
    """One or more things laid over a picture, and what they hide.

    picture: uint8 (h, w, 3) RGB. told: uint8 (h, w) class ids. room: bool (h, w), where things can be, or None:
    everywhere. corners: (4, 2) pixels; seen: bool (4,), those in the picture and not covered. config:
    `scenes.augment.AugmentConfig`. Returns (picture uint8 (h, w, 3), hidden bool (h, w)). Never hides more than
    `config.occluder_hides` of the sheet or of a foot, nor corners beyond `MOST_UNSEEN`; a thing that would is
    drawn anew, smaller, and left out in the end. What each thing hides is a piece of sheet or foot at least.
    """
    hidden = np.zeros(told.shape, bool)
    places = np.flatnonzero(told != BACKGROUND)
    if not len(places) or config.occluder_count < 1:
        return picture, hidden
    rows, columns = np.unravel_index(places, told.shape)
    middle = np.array([columns.mean(), rows.mean()])
    around = _surroundings(told, len(places), rng)
    light = _light_on(picture, told == SHEET)
    most = [config.occluder_hides * np.count_nonzero(told == one) for one in KEPT]
    for _ in range(rng.integers(1, config.occluder_count + 1)):
        over_corner = rng.random() < config.occluder_corner_share
        size = rng.uniform(0.8, 1.5)
        for _ in range(TRIES):
            free = np.flatnonzero(seen & ~covered(corners, hidden))
            if over_corner and len(free) > 4 - MOST_UNSEEN:
                at = corners[rng.choice(free)]
            else:
                place = rng.integers(len(places))
                at = np.array([columns[place], rows[place]], float)
            thing = draw_thing(around, at, _away(at, middle, rng), size, rng)
            covers = [part.cover if room is None else part.cover * room for part in thing.parts]
            under = hidden | (np.max(covers, axis=0) > 127)
            if _allowed(hidden, under, told, most) and _few_corners(under, corners, seen):
                picture, hidden = _painted(picture, thing, covers, room, around, light, rng), under
                break
            size *= SHRINK
    return picture, hidden


def covered(corners, hidden):
    """Which corners (4, 2), pixels, lie on a hidden pixel of (h, w): bool (4,); none outside the picture does."""
    height, width = hidden.shape
    inside = ((corners >= -0.5) & (corners < np.array([width, height]) - 0.5)).all(axis=1)
    columns, rows = np.floor(np.where(inside[:, None], corners, 0) + 0.5).astype(int).T
    return inside & hidden[rows, columns]


def _surroundings(told, area_px, rng):
    """As for an A4 sheet of `area_px` pixels, seen from above; light from any side."""
    angle = rng.uniform(0, 2 * np.pi)
    px_per_mm = np.sqrt(area_px / (A4.short_mm * A4.long_mm))
    return Surroundings(told.shape[1], told.shape[0], px_per_mm, np.array([np.cos(angle), np.sin(angle)]))


def _light_on(picture, sheet):
    """float32 (3,): how bright white paper is in this picture, against good light, and half of its tint."""
    mean = np.array(cv2.mean(picture, sheet.astype(np.uint8))[:3]) if sheet.any() else np.full(3, PAPER_WHITE)
    gain = mean / PAPER_WHITE
    return np.clip((gain + gain.mean()) / 2, 0.15, 1.15).astype(np.float32)


def _away(at, middle, rng):
    """Unit vector from `middle` to `at`; any where they are one."""
    away = at - middle
    distance = np.linalg.norm(away)
    if distance >= 1:
        return away / distance
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _allowed(before, under, told, most):
    """Whether bool (h, w) may be hidden in all: something more than before, but of no class of `KEPT` too much."""
    classes = told[under]
    more = np.count_nonzero(classes) > np.count_nonzero(told[before])
    return more and all(np.count_nonzero(classes == one) <= limit for one, limit in zip(KEPT, most, strict=True))


def _few_corners(under, corners, seen):
    taken = np.count_nonzero(seen & covered(corners, under))
    return taken <= max(0, MOST_UNSEEN - np.count_nonzero(~seen))


def _painted(picture, thing, covers, room, around, light, rng):
    """The picture with the shadow of a thing and then its parts, clipped to `room`."""
    picture = _shaded(picture, thing, room, around, rng)
    grain = rng.uniform(0, 7)
    for part, cover in zip(thing.parts, covers, strict=True):
        if not cover.any():
            continue
        window = _window(cover)
        colour = part.paint(part.cover[window]) * light
        colour += np.float32(grain) * rng.standard_normal((*colour.shape[:2], 1), dtype=np.float32)
        picture[window] = blend(picture[window], np.clip(colour, 0, 255), cover[window] * np.float32(1 / 255))
    return picture


def _shaded(picture, thing, room, around, rng):
    """A copy of the picture with the shadow of a thing, also where the thing itself will be painted."""
    away_px = thing.above_mm * around.px_per_mm * rng.uniform(0.2, 1.0)
    soft_px = max(1.0, away_px * rng.uniform(0.3, 0.8))
    whole = np.max([part.cover for part in thing.parts], axis=0)
    small = cv2.resize(whole, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
    move = np.column_stack([np.eye(2), -around.to_light * away_px / COARSE])
    small = cv2.warpAffine(small, move, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    small = cv2.GaussianBlur(small, (0, 0), soft_px / COARSE)
    shadow = cv2.resize(small, (around.width, around.height), interpolation=cv2.INTER_LINEAR)
    if room is not None:
        shadow = shadow * room
    left = 1 - np.float32(rng.uniform(*SHADOW_DEPTH) / 255) * shadow
    return cv2.multiply(picture, cv2.merge([left] * 3), dtype=cv2.CV_8U)


def _window(cover):
    """Slices of the smallest rectangle that holds all of a cover (h, w) of something."""
    return tuple(slice(inside[0], inside[-1] + 1)
                 for inside in (np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))))
