"""Photos as they should not be: dark, flat, smeared, coarse, turned. What a network is worth when they are.

Each condition is a pure function of a photo, uint8 RGB (H, W, 3), and changes nothing of its size. The length of a
smear is a share of the photo, so that a photo and its smaller copy change alike. Only `turn` moves corners, and says
how.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.images import PADDING_GREY
from scenes.labels import BACKGROUND

# A corner that would leave the photo as it is turned comes to lie this share of the sides inside it.
MARGIN = 0.02


@dataclass(frozen=True)
class Condition:
    """A name of STEPS and how much of it; the unit is in UNITS. Raises ValueError for a name that is none."""

    name: str
    value: float

    def __post_init__(self):
        if self.name not in STEPS:
            raise ValueError(f"condition is {self.name!r}; choose one of: {', '.join(STEPS)}")


STEPS = {
    "brightness": (0.2, 0.4, 0.6, 0.8, 1.25, 1.5, 2.0),
    "contrast": (0.1, 0.2, 0.4, 0.6, 0.8, 1.5, 2.0),
    "motion_blur": (0.5, 1.0, 2.0, 3.0, 5.0),
    "low_resolution": (256, 192, 128, 96, 64, 48, 32),
    "turn": tuple(range(15, 360, 15)),
}
UNITS = {
    "brightness": "times",
    "contrast": "times",
    "motion_blur": "% of the longer side",
    "low_resolution": "px, longer side",
    "turn": "degrees",
}
# What there is to change where the network sees a mask of classes in place of the photo.
OF_MASKS = ("low_resolution", "turn")


def conditions(of_masks=False):
    """Every step of every condition, in order: list of Condition. of_masks: those alone that change a mask."""
    return [Condition(name, value) for name, values in STEPS.items() if not of_masks or name in OF_MASKS
            for value in values]


def brightness(rgb, factor):
    """Every value times `factor`, cut to 0..255."""
    return _to_bytes(rgb * np.float32(factor))


def contrast(rgb, factor):
    """Every value's distance from the photo's mean value times `factor`: 0 leaves one grey."""
    mean = rgb.mean(dtype=np.float64)
    return _to_bytes((rgb - np.float32(mean)) * np.float32(factor) + np.float32(mean))


def motion_blur(rgb, percent):
    """Smeared evenly along a line of `percent` of the longer side, from top left to bottom right.

    Across both edges of an upright sheet alike; the line is centred, so that no corner moves.
    """
    length = percent / 100 * max(rgb.shape[:2])
    kernel = line_kernel(length)
    return cv2.filter2D(rgb, -1, kernel, borderType=cv2.BORDER_REPLICATE)


def line_kernel(length):
    """Weights of a diagonal line of `length` pixels, float64 (side, side), odd side, sum 1, symmetric about the middle.

    Many points along the line are laid onto the four pixels round each, by bilinear shares.
    """
    reach = length / 2 * np.sqrt(0.5)
    side = 2 * int(np.ceil(reach)) + 1
    kernel = np.zeros((side + 1, side + 1))
    count = 8 * side
    places = side // 2 + reach * ((2 * np.arange(count) + 1) / count - 1)
    low = np.floor(places).astype(int)
    share = places - low
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weights = (share if dy else 1 - share) * (share if dx else 1 - share)
        np.add.at(kernel, (low + dy, low + dx), weights)
    kernel = kernel[:side, :side]
    return kernel / kernel.sum()


def low_resolution(rgb, longest_px):
    """Shrunk by averaging areas until the longer side has `longest_px` pixels, and linearly enlarged to what it was; a
    smaller photo stays as it is."""
    height, width = rgb.shape[:2]
    if longest_px >= max(height, width):
        return rgb
    small = _small_size((width, height), longest_px)
    return cv2.resize(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), (width, height),
                      interpolation=cv2.INTER_LINEAR)


def turn_matrix(size, corners, degrees):
    """The map (3, 3) from a photo's pixels to those of the turned photo of the same size.

    size: (width, height). corners: (K, 2), the pixels that have to stay in the picture. Turned clockwise as seen, about
    the middle; where a corner inside the photo would leave it, all becomes smaller until it stays, MARGIN inside.
    """
    width, height = size
    middle = (np.array(size) - 1) / 2
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.asarray(corners, float).reshape(-1, 2)
    half = np.array([width, height]) / 2
    inside = corners[(np.abs(corners - middle) <= half).all(axis=1)]
    reach = (np.abs((inside - middle) @ rotation.T) / half).max(initial=0.0)
    scale = (1 - 2 * MARGIN) / reach if reach > 1 else 1.0
    matrix = np.eye(3)
    matrix[:2, :2] = scale * rotation
    matrix[:2, 2] = middle - matrix[:2, :2] @ middle
    return matrix


def turn(rgb, matrix):
    """The photo turned by a `turn_matrix`; what comes in from outside is the grey of the network's bars."""
    return cv2.warpPerspective(rgb, matrix, rgb.shape[1::-1], flags=cv2.INTER_LINEAR,
                               borderValue=(PADDING_GREY,) * 3)


LOOKS = {
    "brightness": brightness, "contrast": contrast, "motion_blur": motion_blur, "low_resolution": low_resolution,
}  # fmt: skip


def photo_under(condition, rgb, matrix):
    """The photo under a Condition; matrix: what `matrix_under` gives for it."""
    return turn(rgb, matrix) if condition.name == "turn" else LOOKS[condition.name](rgb, condition.value)


def matrix_under(condition, size, corners):
    """The map (3, 3) from a photo's pixels before to those after: of a turn `turn_matrix`, else the identity."""
    return turn_matrix(size, corners, condition.value) if condition.name == "turn" else np.eye(3)


def turn_mask(mask, matrix, outside=BACKGROUND):
    """A class mask uint8 (H, W) turned as its photo, the nearest pixel's class; what comes in from outside is
    `outside`."""
    return cv2.warpPerspective(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST, borderValue=outside)


def coarse_mask(mask, longest_px):
    """A class mask as `low_resolution` would leave it where a network sees masks: classes are never mixed."""
    height, width = mask.shape
    if longest_px >= max(height, width):
        return mask
    small = cv2.resize(mask, _small_size((width, height), longest_px), interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _small_size(size, longest_px):
    scale = longest_px / max(size)
    return tuple(max(1, round(side * scale)) for side in size)


def _to_bytes(values):
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
