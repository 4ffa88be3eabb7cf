"""Faults that photos have, put into good ones in steps: what the gate's limits are set on.

Amounts are told in millimetres of the sheet or in stops of light where a fault has such a unit, so that photos of all
sizes get the same fault.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from scenes.conditions import motion_blur
from scenes.sheet import mean_side

GAMMA = 2.2  # of the picture's values, near enough to what sRGB has
# What a phone's sensor adds to light of 0..1: noise that does not depend on the light, and that of counting it.
READ_NOISE, SHOT_NOISE = 0.004, 0.012


@dataclass(frozen=True, eq=False)
class Scene:
    """A photo with its truth. rgb: uint8 (H, W, 3). mask: class ids uint8 (H, W). corners: (4, 2) px."""

    rgb: np.ndarray
    mask: np.ndarray
    corners: np.ndarray

    @property
    def side_px(self):
        """Mean side of the sheet."""
        return mean_side(self.corners)


@dataclass(frozen=True)
class Fault:
    """A fault in steps, the first of which leaves the photo as it is.

    name, unit: words. figure: which of deploy.gate.Figures tells it. limit: the name of its limit in deploy.gate.
    code: of the warning, or of the error. worse: 1 where a fault makes the figure larger, else -1. steps: amounts.
    put: (Scene, amount, numpy.random.Generator) -> (rgb, the map (3, 3) from the photo's pixels before to those after).
    """

    name: str
    unit: str
    figure: str
    limit: str
    code: str
    worse: int
    steps: tuple
    put: Callable


def expose(rgb, stops, rng=None):
    """A photo uint8 (H, W, 3) as it would be with `stops` more light, or less below zero; with an rng in less light
    noise is lifted with the rest."""
    light = (rgb / np.float32(255)) ** GAMMA * np.float32(2.0**stops)
    if rng is not None:
        noise = np.sqrt(READ_NOISE**2 + SHOT_NOISE**2 * light)
        light = light + noise * rng.standard_normal(rgb.shape, np.float32)
    return (np.clip(light, 0, 1) ** np.float32(1 / GAMMA) * 255 + 0.5).astype(np.uint8)


def darken(scene, stops, rng):
    return expose(scene.rgb, -stops, rng if stops else None), np.eye(3)


def overexpose(scene, stops, rng):
    return expose(scene.rgb, stops), np.eye(3)


def _px_per_mm(scene):
    return scene.side_px / 253.5  # mean side of A4; Letter's differs by 2 %


def defocus(scene, sigma_mm, rng):
    sigma = sigma_mm * _px_per_mm(scene)
    return (cv2.GaussianBlur(scene.rgb, (0, 0), sigma) if sigma_mm else scene.rgb), np.eye(3)


def smear(scene, length_mm, rng):
    percent = 100 * length_mm * _px_per_mm(scene) / max(scene.rgb.shape[:2])
    return (motion_blur(scene.rgb, percent) if length_mm else scene.rgb), np.eye(3)


def shrink(scene, share, rng):
    """The whole photo at `share` of its sides."""
    height, width = scene.rgb.shape[:2]
    size = max(1, round(width * share)), max(1, round(height * share))
    x, y = size[0] / width, size[1] / height
    matrix = np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]])
    return (cv2.resize(scene.rgb, size, interpolation=cv2.INTER_AREA) if share < 1 else scene.rgb), matrix


def cut_off(scene, share, rng):
    """What is left of the photo's middle when so much goes on all sides that `share` of the sheet is outside; the
    middle stays, for the camera looks there."""
    height, width = scene.rgb.shape[:2]
    low, high = 0.05, 1.0
    for _ in range(20):
        zoom = (low + high) / 2
        low, high = (zoom, high) if outside(scene.corners, (width, height), zoom) > share else (low, zoom)
    left, top = (int(round(size * (1 - high) / 2)) if share else 0 for size in (width, height))
    matrix = np.array([[1.0, 0, -left], [0, 1.0, -top], [0, 0, 1]])
    return np.ascontiguousarray(scene.rgb[top : height - top, left : width - left]), matrix


def outside(corners, size, zoom=1.0):
    """Share of a convex quadrilateral (4, 2) px that is outside the middle `zoom` of a photo of size (width, height).
    """
    middle, half = (np.array(size) - 1) / 2, np.array(size) * zoom / 2
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    frame, quad = ((middle + half * signs).astype(np.float32), np.asarray(corners, np.float32))
    return 1 - cv2.intersectConvexConvex(frame, quad)[0] / max(cv2.contourArea(quad), 1e-9)


FAULTS = {fault.name: fault for fault in (
    Fault("darkness", "stops less light", "level", "DARK_LEVEL", "too_dark", -1, (0, 1, 2, 3, 4, 5, 6), darken),
    Fault("overexposure", "stops more light", "burnt_share", "BURNT_SHARE", "overexposed", 1,
          (0, 1, 1.5, 2, 2.5, 3, 4), overexpose),
    Fault("blur", "mm, sigma", "edge_mm", "EDGE_MM", "blurred", 1, (0, 1, 2, 3, 4, 6, 9), defocus),
    Fault("smear", "mm, length", "edge_mm", "EDGE_MM", "blurred", 1, (0, 3, 6, 9, 12, 18, 27), smear),
    Fault("smallness", "of the photo's sides", "side_px", "SMALL_SIDE_PX", "sheet_small", -1,
          (1, 0.7, 0.5, 0.35, 0.25, 0.18, 0.13), shrink),
    Fault("cut", "of the sheet outside", "outside_share", "CUT_OFF_SHARE", "sheet_cut_off", 1,
          (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45), cut_off),
)}  # fmt: skip
