"""Corners that no sheet could have, put right by the sheet's known shape.

A leg that lies over an edge can pass for that edge, and then the sharpened corners belong to no A4 or Letter sheet.
What a sheet can look like has seven unknowns (its pose and the focal length) and there are eight coordinates from the
edges and eight more from the network, so a robust fit finds which of them to believe.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.camera import (
    DEFAULT_FOCAL_DIAGONALS,
    DEFAULT_FOCAL_LOG_SIGMA,
    EXIF_FOCAL_LOG_SIGMA,
    FORMAT_PRIOR,
    camera_from_corners,
)
from scenes.sheet import FORMATS, LONG_SIDES, corners_mm

# Standard deviations of a corner, as shares of the photo's diagonal, when it is right. Of the network: from a certain
# to a doubtful peak, as the median errors of seen and covered corners on rendered validation scenes (0.4 and 2.7 %).
EDGE_SIGMA = 0.0015
NETWORK_SIGMA = (0.005, 0.04)
# Scale of the losses, beyond which a corner loses its say: bounded (Geman-McClure) for edges, which are right or
# altogether wrong, and slowly growing (Cauchy) for the network, which is never far off without saying so.
OUTLIER_SIGMAS = 2.0
BELIEVED_SIGMAS = 4.0  # a sharpened corner this near to the fitted sheet is kept as it is
FORMAT_PENALTY = {name: -2 * np.log(share) for name, share in FORMAT_PRIOR.items()}
ROUNDS = 25


@dataclass(frozen=True, eq=False)
class Consistent:
    """corners: float64 (4, 2) px, of a possible sheet. believed: bool (4,), where it is the sharpened corner."""

    corners: np.ndarray
    believed: np.ndarray


def consistent_corners(sharp, network, scores, size, focal_px=None, formats=tuple(FORMATS)):
    """The sheet that agrees best with what edges and network say of its corners, or None where no fit succeeds.

    sharp, network: (4, 2) px, the same corners in published order, sharpened and as the network gave them. scores:
    (4,) 0..1, the network's. size: (width, height) px. focal_px: from EXIF, or None. formats: names to choose from.
    """
    diagonal = float(np.hypot(*size))
    sure, doubtful = NETWORK_SIGMA
    seen = np.concatenate([sharp, network])
    sigmas = diagonal * np.concatenate([np.full(4, EDGE_SIGMA), doubtful + (sure - doubtful) * np.asarray(scores)])
    best = None
    for name in formats:
        for long_side in LONG_SIDES:
            model = corners_mm(FORMATS[name], long_side)
            for start in (network, sharp):
                fitted = _fit(start, model, seen, sigmas, size, focal_px)
                if fitted is not None and (best is None or fitted[0] + FORMAT_PENALTY[name] < best[0]):
                    best = fitted[0] + FORMAT_PENALTY[name], fitted[1]
    if best is None:
        return None
    believed = np.linalg.norm(best[1] - sharp, axis=1) < BELIEVED_SIGMAS * EDGE_SIGMA * diagonal
    return Consistent(np.where(believed[:, None], sharp, best[1]), believed)


def _fit(start, model, seen, sigmas, size, focal_px):
    """(cost, corners (4, 2) px) of the robust fit of a sheet of corners `model` (4, 2) mm; None where it fails."""
    try:
        camera, _ = camera_from_corners(start, model, size, focal_px)
    except ValueError:
        return None
    diagonal = float(np.hypot(*size))
    expected, spread = ((focal_px, EXIF_FOCAL_LOG_SIGMA) if focal_px is not None
                        else (DEFAULT_FOCAL_DIAGONALS * diagonal, DEFAULT_FOCAL_LOG_SIGMA))
    points = np.column_stack([model, np.zeros(4)])
    far = float(np.linalg.norm(camera.translation_mm))
    steps = np.array([1e-4] * 3 + [1e-4 * far] * 3 + [1e-4])
    p = np.concatenate([cv2.Rodrigues(camera.rotation)[0].ravel(), camera.translation_mm, [np.log(camera.focal_px)]])

    def residuals(p):
        pixels = _project(p, points, size)
        return np.append(((np.concatenate([pixels, pixels]) - seen) / sigmas[:, None]).ravel(),
                         (p[6] - np.log(expected)) / spread)

    def cost(r):
        squares = (r[:16].reshape(8, 2) ** 2).sum(axis=1) / OUTLIER_SIGMAS**2
        edges, guesses = squares[:4] / (1 + squares[:4]), np.log1p(squares[4:])
        return float(OUTLIER_SIGMAS**2 * (edges.sum() + guesses.sum()) + r[16] ** 2)

    r, damping = residuals(p), 1e-3
    for _ in range(ROUNDS):
        squares = (r[:16].reshape(8, 2) ** 2).sum(axis=1) / OUTLIER_SIGMAS**2
        weights = 1 / (1 + squares) ** np.repeat([2, 1], 4)
        weights = np.append(np.repeat(weights, 2), 1.0)
        slope = np.stack([(residuals(p + step) - r) / step.sum() for step in np.diag(steps)], axis=1)
        normal = slope.T @ (weights[:, None] * slope)
        try:
            step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slope.T @ (weights * r))
        except np.linalg.LinAlgError:
            return None
        tried = residuals(p + step)
        if np.isfinite(tried).all() and cost(tried) < cost(r):
            p, r, damping = p + step, tried, damping / 3
        else:
            damping *= 5
    return (cost(r), _project(p, points, size)) if np.isfinite(r).all() else None


def _project(p, points, size):
    """Pixels (4, 2) of points (4, 3) mm; p: rotation vector, translation in mm, log of the focal length in px."""
    rotation = cv2.Rodrigues(p[:3])[0]
    seen = points @ rotation.T + p[3:6]
    depth = np.where(seen[:, 2:] > 1.0, seen[:, 2:], np.nan)
    return np.exp(p[6]) * seen[:, :2] / depth + (np.array(size) - 1) / 2
