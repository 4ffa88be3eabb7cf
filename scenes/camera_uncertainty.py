"""How far a camera found from a sheet's four corners may be off: its focal length, its pose and what follows from them.

The errors behind it are carried through the least squares of `scenes.camera` to first order (R. Hartley and
A. Zisserman, "Multiple View Geometry in Computer Vision", chapter 5): corners that are off, paper that does not lie
flat, a lens that bends straight lines, and a focal length that is only known as well as where it is from knows it.
What is not linear (a tilt near zero, a focal length's logarithm) is read off a fixed set of draws through them.

Where another format or long side is possible, its camera has its share of the draws: taking A4 for Letter moves the
camera further than any noise.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.camera import DEFAULT_FOCAL_LOG_SIGMA, EXIF_FOCAL_LOG_SIGMA, camera_from_corners
from scenes.sheet import corners_mm

# What no corner's own error explains, as in rendered scenes: a radial shift of what is seen at the photo's corners, in
# shares of their distance from its middle, and corners that stand up from the floor.
LENS_SIGMA = 0.015
LIFT_SIGMA_MM = 3.0
HELD = 0.9  # share of the truths that an interval is meant to hold
RIVAL_SHARE = 0.1  # of probability, below which another format or long side is not looked at
DRAWS = 384  # normal draws of each of the sources of error; half of them are the others' negatives
_CORNERS, _LIFTS = 8, 4
_SOURCES = _CORNERS + 1 + _LIFTS + 1  # the last is the focal length's


@dataclass(frozen=True, eq=False)
class CameraUncertainty:
    """Half widths of intervals around a camera's values that are meant to hold the truth nine times in ten.

    focal_px, height_mm, tilt_deg: floats. translation_mm: (3,). rotation_deg: (3,), turns about the camera's own x, y
    and z axes. covariance: (7, 7), of (turns about these axes in radians, translation in mm, log of the focal length),
    given that format and long side are right; the half widths hold that they may not be.
    """

    focal_px: float
    height_mm: float
    tilt_deg: float
    translation_mm: np.ndarray
    rotation_deg: np.ndarray
    covariance: np.ndarray


def camera_uncertainty(decision, corners_px, sigmas_px, focal_px=None):
    """CameraUncertainty of a scenes.camera.SheetDecision.

    corners_px: (4, 2), the corners that it was made of, and sigmas_px: (4,), how far each may be off, standard
    deviations per coordinate, as it was made with them. focal_px: the focal length that it was made with, or None.
    Raises ValueError as `scenes.camera.camera_from_corners` does.
    """
    best = decision.camera
    root = error_root(best, corners_mm(decision.format, decision.long_side), sigmas_px, decision.focal_from)
    draws, shares = [_deviations(best, best, root)], [max(decision.confidence, RIVAL_SHARE)]
    for rival in decision.rivals:
        if rival.probability < RIVAL_SHARE:
            continue
        paper = corners_mm(rival.format, rival.long_side)
        try:
            camera, focal_from = camera_from_corners(corners_px, paper, (best.width, best.height), focal_px, sigmas_px)
        except ValueError:  # no camera sees such a sheet there
            continue
        draws.append(_deviations(best, camera, error_root(camera, paper, sigmas_px, focal_from)))
        shares.append(rival.probability)
    deviations = np.concatenate(draws, axis=1)
    weights = np.repeat(np.array(shares) / sum(shares) / DRAWS, DRAWS)
    # Where three corners hardly fix the pose, straight lines through it lead under the sheet and behind the camera.
    weights[(deviations[1] <= -best.height_mm) | (deviations[5] <= -best.translation_mm[2])] = 0.0
    weights /= weights.sum()
    half = _quantile(np.abs(deviations), weights, HELD)
    # Errors only ever add tilt to a camera that looks straight down: a tilt that may be none reaches down to it.
    leaning = np.linalg.norm(deviations[6:8], axis=0)
    may_be_none = best.tilt_deg <= _quantile(leaning[None], weights, HELD)[0]
    tilt = max(half[2], best.tilt_deg) if may_be_none else half[2]
    return CameraUncertainty(float(half[0]), float(half[1]), float(tilt), half[3:6], half[6:9], root @ root.T)


def error_root(camera, paper_mm, sigmas_px, focal_from):
    """Root (7, 14) of the covariance: what one standard deviation of each source of error does to turns, translation
    and log focal length.

    camera: scenes.camera.Camera from corners of sigmas_px (4,), of a sheet whose corners are paper_mm (4, 2).
    focal_from: "exif", "sheet" or "default". Sources: eight coordinates, the lens, four lifted corners, the focal
    length.
    """
    slope, lens, lift = _slopes(camera, paper_mm)
    sigmas = np.repeat(np.asarray(sigmas_px, np.float64), 2)
    noise = np.column_stack([np.diag(sigmas), LENS_SIGMA * lens, LIFT_SIGMA_MM * lift]) / sigmas[:, None]
    slope = slope / sigmas[:, None]
    if focal_from == "sheet":
        # The fit weighs the corners against what phones have, and the truth lies about that as the prior says.
        normal = slope.T @ slope
        normal[6, 6] += 1 / DEFAULT_FOCAL_LOG_SIGMA**2
        pull = np.eye(7)[:, 6:] / DEFAULT_FOCAL_LOG_SIGMA
        return np.linalg.solve(normal, np.column_stack([slope.T @ noise, pull]))
    focal_sigma = EXIF_FOCAL_LOG_SIGMA if focal_from == "exif" else DEFAULT_FOCAL_LOG_SIGMA
    pose = slope[:, :6]
    moved = np.column_stack([noise, -focal_sigma * slope[:, 6]])
    root = np.zeros((7, _SOURCES))
    root[:6] = np.linalg.solve(pose.T @ pose, pose.T @ moved)
    root[6, -1] = focal_sigma
    return root


def _slopes(camera, paper_mm):
    """Derivatives of the corners' coordinates: by turns, translation and log focal length (8, 7), by the lens (8,), by
    the height of each corner (8, 4)."""
    turned = np.asarray(paper_mm, np.float64) @ camera.rotation[:, :2].T
    x, y, z = (turned + camera.translation_mm).T
    seen = camera.focal_px * np.column_stack([x, y]) / z[:, None]
    by_place = np.zeros((4, 2, 3))
    by_place[:, 0, 0] = by_place[:, 1, 1] = camera.focal_px / z
    by_place[:, :, 2] = -seen / z[:, None]
    # A small turn w moves a point p by w x p.
    by_turn = np.cross(np.eye(3)[None], turned[:, None]).transpose(0, 2, 1)
    slope = np.concatenate([by_place @ by_turn, by_place, seen[:, :, None]], axis=2).reshape(8, 7)
    reach = (camera.width**2 + camera.height**2) / 4
    lens = (seen * (seen**2).sum(axis=1, keepdims=True) / reach).reshape(8)
    lift = np.zeros((4, 2, 4))
    lift[np.arange(4), :, np.arange(4)] = by_place @ camera.rotation[:, 2]
    return slope, lens, lift.reshape(8, 4)


def _standard_draws():
    half = np.random.default_rng(0).standard_normal((_SOURCES, DRAWS // 2))
    return np.concatenate([half, -half], axis=1)


_STANDARD = _standard_draws()


def _deviations(best, camera, root):
    """What draws around `camera` differ by from `best`: (9, DRAWS), in the order of CameraUncertainty's fields."""
    error = root @ _STANDARD
    angle = np.maximum(np.linalg.norm(error[:3], axis=0), 1e-12)
    axis = (error[:3] / angle).T
    up = camera.rotation[:, 2]
    ups = (up * np.cos(angle)[:, None] + np.cross(axis, up) * np.sin(angle)[:, None]
           + axis * ((axis @ up) * (1 - np.cos(angle)))[:, None])
    translation = camera.translation_mm[:, None] + error[3:6]
    height = -(ups.T * translation).sum(axis=0)
    tilt = np.degrees(np.arctan2(np.hypot(ups[:, 0], ups[:, 1]), -ups[:, 2]))
    apart = cv2.Rodrigues(camera.rotation @ best.rotation.T)[0]
    return np.vstack([camera.focal_px * np.exp(error[6]) - best.focal_px, height - best.height_mm,
                      tilt - best.tilt_deg, translation - best.translation_mm[:, None],
                      np.degrees(apart + error[:3])])


def _quantile(values, weights, share):
    """Weighted quantiles (R,) of the rows of values (R, N); weights (N,) sum to 1."""
    order = np.argsort(values, axis=1)
    below = np.cumsum(weights[order], axis=1)
    place = np.minimum((below < share).sum(axis=1), values.shape[1] - 1)
    return np.take_along_axis(values, order, axis=1)[np.arange(len(values)), place]
