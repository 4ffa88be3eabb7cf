"""What things are made of, at random: skin, cloth, casings. Colours are sRGB, 0..255.

A surface is painted into a window uint8 (h, w) that tells where its thing is (255: all of the pixel), and comes as
float32 (h, w, 3). Directions are unit vectors (2,), x right, y down; lengths are pixels.
"""

import cv2
import numpy as np

# Skin from light to deep, and what clothes, boxes and cables around feet are often like.
SKIN = np.array([(238, 203, 180), (196, 141, 107), (112, 73, 54), (62, 42, 35)], float)
CLOTH = np.array([(28, 28, 32), (60, 62, 68), (35, 42, 66), (58, 76, 108), (104, 125, 152), (90, 78, 62),
                  (140, 125, 100), (190, 186, 178), (84, 88, 70), (110, 40, 44)], float)  # fmt: skip
CASING = np.array([(24, 24, 26), (50, 50, 54), (205, 205, 205), (178, 138, 96), (150, 112, 74), (120, 78, 46)], float)
CABLE = np.array([(20, 20, 20), (28, 28, 30), (225, 225, 220), (150, 150, 150), (205, 95, 30)], float)

FINEST_CELLS = 160  # of noise, along a picture


def turned(vector, angle):
    """`vector` (2,) turned by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])


def one_of(colours, rng):
    """A colour (3,) near one of `colours` (N, 3)."""
    return np.clip(colours[rng.integers(len(colours))] * rng.uniform(0.85, 1.15) + rng.normal(0, 8, 3), 4, 245)


def skin_colour(rng):
    """A colour (3,), anywhere from light to deep."""
    place = rng.uniform(0, len(SKIN) - 1)
    return np.array([np.interp(place, np.arange(len(SKIN)), channel) for channel in SKIN.T]) + rng.normal(0, 5, 3)


def cloth_colour(rng):
    """A colour (3,): mostly dark or faded, at times any."""
    return rng.uniform(10, 240, 3) if rng.random() < 0.3 else one_of(CLOTH, rng)


def casing_colour(rng):
    """A colour (3,): of cartons and devices mostly."""
    return rng.uniform(10, 235, 3) if rng.random() < 0.3 else one_of(CASING, rng)


def plain(window, colour, rng, shade=None):
    """`colour` (3,) all over, times `shade` (h, w) and a faint change of light."""
    height, width = window.shape
    glow = 1 + np.float32(rng.uniform(0, 0.10)) * field(window, width + height, width + height, (1.0, 0.0), rng)
    return _painted(colour, glow if shade is None else glow * shade)


def skin(window, px_per_mm, radius, to_light, rng):
    """Skin with blotches, rounded at its border."""
    blotches = field(window, 30 * px_per_mm, 20 * px_per_mm, (1.0, 0.0), rng)
    return _painted(skin_colour(rng), rounded(window, radius, to_light, rng) * (1 + np.float32(0.04) * blotches))


def cloth(window, px_per_mm, direction, radius, to_light, rng):
    """Cloth: plain, mottled, striped or checked, with folds along `direction`, rounded at its border."""
    kind = rng.random()
    folds = field(window, rng.uniform(60, 200) * px_per_mm, rng.uniform(12, 40) * px_per_mm, direction, rng)
    shade = rounded(window, radius, to_light, rng) * (1 + np.float32(rng.uniform(0.02, 0.14)) * folds)
    if kind < 0.25:
        size = rng.uniform(3, 25) * px_per_mm
        shade *= 1 + np.float32(rng.uniform(0.05, 0.25)) * field(window, size, size, direction, rng)
    colour = _painted(cloth_colour(rng), shade)
    if 0.25 <= kind < 0.55:
        stripes = _stripes(window, px_per_mm, turned(direction, rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1)), rng)
        if kind > 0.45:
            stripes = (stripes + _stripes(window, px_per_mm, turned(direction, rng.normal(0, 0.1)), rng)) / 2
        other = cloth_colour(rng) if rng.random() < 0.5 else np.full(3, rng.uniform(10, 240))
        weight = cv2.merge([np.float32(rng.uniform(0.2, 0.9)) * stripes] * 3)
        colour += weight * (_painted(other, shade) - colour)
    return colour


def casing(window, px_per_mm, direction, colour, rng):
    """A flat surface of `colour` (3,) with a sheen, and grain along `direction` at times, as of wood or cardboard."""
    far = sum(window.shape)
    factor = 1 + np.float32(rng.uniform(0, 0.15)) * field(window, far, far / 2, turned(direction, 1.0), rng)
    if rng.random() < 0.4:
        along, across = rng.uniform(10, 80) * px_per_mm, rng.uniform(2, 8) * px_per_mm
        factor += np.float32(rng.uniform(0.03, 0.2)) * field(window, along, across, direction, rng)
    return _painted(colour, factor)


def field(window, along, across, direction, rng):
    """Smooth noise float32 (h, w), mean 0 and about unit deviation, in cells that lie along `direction`."""
    height, width = window.shape
    reach = np.hypot(width, height)
    along, across = (max(size, 1.0, reach / FINEST_CELLS) for size in (along, across))
    cells = [int(reach / size) + 4 for size in (along, across)]
    grid = rng.standard_normal((cells[1], cells[0]), dtype=np.float32)
    x, y = direction
    to_grid = np.array([[x / along, y / along], [-y / across, x / across]])
    offset = (np.array(cells) - 1) / 2 - to_grid @ [width / 2, height / 2]
    return cv2.warpAffine(grid, np.column_stack([to_grid, offset]), (width, height),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)


def rounded(window, radius, to_light, rng):
    """Shading float32 (h, w), about 1, of a thing whose border is rounded off over `radius` pixels."""
    radius = max(float(radius), 1.0)
    inside = cv2.threshold(window, 127, 255, cv2.THRESH_BINARY)[1]
    # 1 at the border of the thing, 0 where it is flat; a thing that fills its window has no border.
    edge = np.maximum(1 - cv2.distanceTransform(inside, cv2.DIST_L2, 3) / np.float32(radius), 0)
    swell = cv2.GaussianBlur(np.sqrt(1 - edge * edge), (0, 0), max(0.6, radius / 6))
    slope = cv2.Sobel(swell, cv2.CV_32F, 1, 0, scale=radius * to_light[0] / 8)
    slope += cv2.Sobel(swell, cv2.CV_32F, 0, 1, scale=radius * to_light[1] / 8)
    deep, bright = rng.uniform(0.1, 0.35), rng.uniform(0.1, 0.4)
    return (1 - np.float32(deep) * edge) * (1 - np.float32(bright) * slope / np.sqrt(1 + slope * slope))


def _stripes(window, px_per_mm, direction, rng):
    """float32 (h, w): 1 on stripes across `direction`, 0 between, soft by about a pixel."""
    height, width = window.shape
    period = max(3.0, rng.uniform(6, 50) * px_per_mm)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    turns = np.float32(2 * np.pi / period) * (x * np.float32(direction[0]) + y * np.float32(direction[1]))
    wave = np.sin(turns + np.float32(rng.uniform(0, 2 * np.pi)))
    return np.clip((wave - np.float32(rng.uniform(-0.8, 0.8))) * np.float32(period / 6) + np.float32(0.5), 0, 1)


def _painted(colour, shade):
    """float32 (h, w, 3): `colour` (3,) times `shade` (h, w)."""
    return cv2.merge([shade * np.float32(channel) for channel in colour])
