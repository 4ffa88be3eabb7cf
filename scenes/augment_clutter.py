"""Print on the sheet and patches on the floor: what a scene may have more of without its truth knowing."""

import cv2
import numpy as np

from scenes.labels import BACKGROUND, SHEET
from scenes.sheet import homography


def add_clutter(picture, classes, corners, rng, config):
    """The picture with print on its sheet and things on its floor, each in a share of the samples.

    picture: uint8 (h, w, 3) RGB. classes: (h, w) class ids, or None: then nothing is added. corners: (4, 2)
    pixels, None where not all are known: then nothing is printed. config: `scenes.augment.AugmentConfig`.
    Returns uint8 (h, w, 3).
    """
    if classes is None:
        return picture
    if corners is not None and rng.random() < config.print_share:
        picture = _print_on_sheet(picture, classes, corners, rng)
    if rng.random() < config.clutter_share:
        picture = _lay_on_background(picture, classes, rng, config.clutter_count)
    return picture


def blend(picture, colour, alpha):
    """picture uint8 (h, w, 3) with colour (3,) or (h, w, 3), 0..255, laid over it by alpha (h, w) in 0..1."""
    alpha = alpha[..., None].astype(np.float32)
    return (picture + alpha * (np.asarray(colour, np.float32) - picture) + 0.5).astype(np.uint8)


def _where(classes, wanted):
    """float32 (h, w), 1 where the class is the wanted one, softer at its outline, 0 elsewhere."""
    return cv2.blur((classes == wanted).astype(np.float32), (3, 3)) * (classes == wanted)


def _print_on_sheet(picture, classes, corners, rng):
    """Dark strokes in the sheet's frame, so that a network learns that print is no hole in the sheet."""
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    if not 8 <= sides.min() <= sides.max() <= 4 * max(picture.shape):
        return picture  # too small to print on, or so near that strokes would be bars
    # About two page pixels to one of the picture, and any side of the sheet may be the page's top.
    turns = int(rng.integers(4))
    page_corners = np.roll(corners, -turns, axis=0)
    width, height = (int(np.clip(2 * length, 16, 640)) for length in np.roll(sides, -turns)[:2])
    page = _page(width, height, rng)
    frame = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)
    try:
        page_to_picture = homography(frame, page_corners)
    except ValueError:  # seen from the edge: nothing to print on
        return picture
    strokes = cv2.warpPerspective(page, page_to_picture, picture.shape[1::-1], flags=cv2.INTER_LINEAR)
    ink = rng.uniform(0, 90) + rng.uniform(0, 70, 3) * (rng.random() < 0.4)
    return blend(picture, ink, strokes * _where(classes, SHEET) * rng.uniform(0.35, 1.0) / 255)


def _page(width, height, rng):
    """A printed or written page: uint8 (height, width), 255 where there is ink."""
    page = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 4)):
        left, right = np.sort(rng.uniform(0.03, 0.97, 2)) * width
        above, below = np.sort(rng.uniform(0.03, 0.97, 2)) * height
        kind = rng.random()
        if kind < 0.65:
            _paragraph(page, (left, above, right, below), rng)
        elif kind < 0.85:
            for y in np.arange(above, below, rng.uniform(8, 30)):
                cv2.line(page, (int(left), int(y)), (int(right), int(y)), 255, int(rng.integers(1, 3)))
        else:
            filled = rng.random() < 0.3
            cv2.rectangle(page, (int(left), int(above)), (int(right), int(below)), 255,
                          -1 if filled else int(rng.integers(1, 4)))
    return page


def _paragraph(page, box, rng):
    """Words as zigzag strokes, line under line, in box (left, above, right, below); changes `page`."""
    left, above, right, below = box
    letter = rng.uniform(3, 14)  # height of a letter, page pixels
    thickness = int(rng.integers(1, 2 + (letter > 7)))
    for base in np.arange(above + letter, below, letter * rng.uniform(1.4, 2.4)):
        x = left
        while x < right:
            letters = int(rng.integers(2, 10))
            xs = x + np.arange(letters + 1) * letter * 0.6
            ys = base - rng.uniform(0, letter, letters + 1)
            cv2.polylines(page, [np.stack([xs, ys], axis=1).astype(np.int32)], False, 255, thickness)
            x = xs[-1] + letter
        if rng.random() < 0.15:
            above += letter


def _lay_on_background(picture, classes, rng, most):
    """Patches of flat or mottled colour, on background only: elsewhere the truth would not know them."""
    height, width = classes.shape
    background = _where(classes, BACKGROUND)
    for _ in range(rng.integers(1, most + 1) if most else 0):
        shape = np.zeros((height, width), np.uint8)
        centre = rng.uniform(0, 1, 2) * (width, height)
        radii = rng.uniform(0.04, 0.22, 2) * max(height, width)
        corners = 4 if rng.random() < 0.5 else int(rng.integers(5, 14))
        steps = np.arange(corners) + rng.uniform(0, 0.6 if corners > 4 else 0.2, corners)
        angles = 2 * np.pi * steps / corners
        outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii
        turn = rng.uniform(0, 2 * np.pi)
        outline = outline @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
        cv2.fillPoly(shape, [outline.astype(np.int32)], 1)
        colour = np.full((height, width, 3), rng.uniform(0, 255, 3), np.float32)
        if rng.random() < 0.5:
            cells = rng.integers(4, 40, 2)
            mottle = rng.normal(0, rng.uniform(10, 50), (*cells, 1)).astype(np.float32)
            colour = np.clip(colour + cv2.resize(mottle, (width, height))[..., None], 0, 255)
        picture = blend(picture, colour, shape * background)
    return picture
