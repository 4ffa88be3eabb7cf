"""What a lens does to a pinhole picture: radial distortion of points and of pictures.

Model of Brown and Conrady with two radial terms, as in OpenCV: in units of the focal length and from the principal
point, a point at radius r is seen at r * (1 + k1 r^2 + k2 r^4). k1 < 0 is a barrel, as of wide-angle lenses.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from scenes.camera import Camera


@dataclass(frozen=True)
class Lens:
    """Radial distortion, OpenCV's k1 and k2; (0, 0) is the pinhole."""

    k1: float = 0.0
    k2: float = 0.0

    @property
    def is_pinhole(self):
        return self.k1 == 0.0 and self.k2 == 0.0


def distort(points, camera, lens):
    """Pinhole pixels (N, 2) -> where ``lens`` shows them, pixels (N, 2); NaN stays NaN."""
    offset = (np.asarray(points, np.float64) - camera.center_px) / camera.focal_px
    squared = (offset**2).sum(1, keepdims=True)
    return offset * (1 + lens.k1 * squared + lens.k2 * squared**2) * camera.focal_px + camera.center_px


def undistort(points, camera, lens):
    """The inverse of `distort`, to 1e-6 px within the photo: pixels (N, 2) of the photo -> pinhole pixels (N, 2)."""
    steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
    coefficients = np.array([lens.k1, lens.k2, 0.0, 0.0])
    matrix = camera.matrix
    points = np.asarray(points, np.float64).reshape(-1, 1, 2)
    return cv2.undistortPointsIter(points, matrix, coefficients, None, matrix, steps).reshape(-1, 2)


def pinhole_window(camera, lens):
    """The camera whose pinhole picture holds all that the photo shows, and its offset in pixels.

    Returns (camera, (left, top)): pixel (x, y) of the photo's pinhole frame is (x + left, y + top) of the new one.
    """
    if lens.is_pinhole:
        return camera, (0, 0)
    x, y = np.arange(camera.width), np.arange(camera.height)
    border = np.concatenate([np.column_stack([x, np.full_like(x, edge)]) for edge in (0, camera.height - 1)]
                            + [np.column_stack([np.full_like(y, edge), y]) for edge in (0, camera.width - 1)])
    seen = undistort(border, camera, lens)
    # One pixel more on every side for the interpolation.
    left, top = (max(0, math.ceil(-low) + 1) for low in seen.min(0))
    right, bottom = (max(0, math.ceil(high - size + 1) + 1)
                     for high, size in zip(seen.max(0), (camera.width, camera.height), strict=True))
    wide = replace(camera, center_px=camera.center_px + (left, top), width=camera.width + left + right,
                   height=camera.height + top + bottom)
    return wide, (left, top)


def through_lens(picture, camera, lens, offset, scale=1):
    """The photo that ``lens`` makes of a pinhole picture.

    picture: (h, w) uint8 class ids or (h, w, 3) float32, of the window of `pinhole_window`; with a ``scale`` the point
    (x, y) of the window is at scale * (x, y) of the picture, so that a pixel's own centre is always among its samples.
    camera: the photo's pinhole camera. offset: of the window. Class ids are taken from the nearest pixel, colours are
    interpolated. Returns (camera.height, camera.width[, 3]).
    """
    x, y = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
    source = undistort(np.column_stack([x.ravel(), y.ravel()]), camera, lens) + offset
    source = (source * scale).astype(np.float32).reshape(camera.height, camera.width, 2)
    how = cv2.INTER_NEAREST if picture.ndim == 2 else cv2.INTER_CUBIC
    return cv2.remap(picture, source, None, how, borderMode=cv2.BORDER_REPLICATE)


def seen_at(points_mm, camera: Camera, lens: Lens):
    """Sheet-frame points (N, 3) mm -> pixels (N, 2) of the photo, through pinhole and lens."""
    return distort(camera.project(points_mm), camera, lens)
