"""Surfaces drawn over a limb: rings of points around it, from which socks, trouser legs and shoes are made."""

import numpy as np
from scipy.ndimage import gaussian_filter

from scenes.rendering.meshes import grid


def outline(ring, angle, radius, rings, around):
    """How far a limb reaches from its axis: (rings, around) float64, same unit as radius, periodic in the angle.

    ring (N,) int, angle (N,) radians, radius (N,): the limb's points. Of the points in a cell the farthest counts;
    empty cells take over what is around them, and all is smoothed by about a cell.
    """
    spoke = np.floor(angle / (2 * np.pi) * around).astype(int) % around
    inside = (ring >= 0) & (ring < rings)
    far = np.zeros(rings * around)
    np.maximum.at(far, ring[inside] * around + spoke[inside], radius[inside])
    far = far.reshape(rings, around)
    known = (far > 0).astype(float)
    smooth = np.zeros_like(far)
    weight = np.zeros_like(far)
    for sigma, trust in ((0.9, 1.0), (2.5, 1e-3), (8.0, 1e-6)):
        smooth += trust * gaussian_filter(far, sigma, mode=("nearest", "wrap"))
        weight += trust * gaussian_filter(known, sigma, mode=("nearest", "wrap"))
    return smooth / np.maximum(weight, 1e-12)


def closed(rings_mm):
    """(R, K + 1, 3): rings (R, K, 3) with their first point again at the end, where the texture meets itself."""
    return np.concatenate([rings_mm, rings_mm[:, :1]], 1)


def tube(rings_mm, along_mm=None):
    """Vertices (V, 3), faces (F, 3) and texture coordinates (V, 2) of rings (R, K, 3) joined one to the next.

    Texture u runs once around, v from 0 at the first ring to 1 at the last, by `along_mm` (R,) where it is given.
    """
    count, around = rings_mm.shape[:2]
    unit, faces = grid(around + 1, count)
    if along_mm is not None:
        share = (along_mm - along_mm[0]) / (along_mm[-1] - along_mm[0])
        unit = np.column_stack([unit[:, 0], np.repeat(share, around + 1)])
    return closed(rings_mm).reshape(-1, 3), faces, unit
