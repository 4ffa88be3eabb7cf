"""Corners of a sheet of paper that are rounded, cut, torn or folded over: what that does to its mesh."""

import numpy as np
from scipy.spatial import cKDTree

from scenes.rendering.paper_bends import PINNED_MM


def _split(points, faces, outside):
    """Cut a mesh along the line where ``outside`` (N,), linear on each face, is zero.

    Returns (points with the cut's added, faces inside, faces outside). The two share the points of the cut.
    """
    outside = np.where(np.abs(outside) < 1e-6, -1e-6, outside)  # a cut through a point would leave faces without area
    sign = outside > 0
    count = sign[faces].sum(1)
    inner, outer, cut = faces[count == 0], faces[count == 3], faces[(count == 1) | (count == 2)]
    if not len(cut):
        return points, inner, outer
    alone = np.where(sign[cut].sum(1) == 1, sign[cut].argmax(1), sign[cut].argmin(1))
    turned = np.take_along_axis(cut, (alone[:, None] + np.arange(3)) % 3, 1)  # the vertex that is alone comes first
    ends = np.concatenate([turned[:, [0, 1]], turned[:, [0, 2]]])
    pairs, where = np.unique(np.sort(ends, 1), axis=0, return_inverse=True)
    first, second = outside[pairs[:, 0]], outside[pairs[:, 1]]
    share = (first / (first - second))[:, None]
    added = points[pairs[:, 0]] * (1 - share) + points[pairs[:, 1]] * share
    p, q = (where.reshape(2, -1) + len(points))
    a, b, c = turned.T
    tip = np.stack([a, p, q], 1)
    rest = np.concatenate([np.stack([p, b, c], 1), np.stack([p, c, q], 1)])
    tip_out, rest_out = sign[a], np.tile(sign[b], 2)
    inner = np.concatenate([inner, tip[~tip_out], rest[~rest_out]])
    outer = np.concatenate([outer, tip[tip_out], rest[rest_out]])
    return np.concatenate([points, added]), inner, outer


def _from_corner(points, corner):
    """Distances (N, 2) of points from a corner (2,) along its two edges, inwards."""
    return (corner - points) * np.sign(corner)


def without_corner(rng, config, points, faces, corner, kind):
    """The mesh without what a rounded, cut or torn corner lacks: (points, faces)."""
    inward = _from_corner(points, corner)
    if kind == "rounded":
        radius = rng.uniform(*config.rounded_mm)
        past = inward.max(1) - radius  # beyond the arc along either edge nothing is cut
        outside = np.where(past < 0, np.hypot(*np.maximum(radius - inward, 0).T) - radius, -past)
    else:
        first, second = rng.uniform(*config.corner_mm) * rng.uniform((0.6, 0.6), 1)
        outside = 1 - inward[:, 0] / first - inward[:, 1] / second
        if kind == "torn":
            across = inward[:, 0] / first - inward[:, 1] / second
            for frequency in (3, 5, 9):
                outside += 0.3 / frequency * np.sin(across * frequency * rng.uniform(0.6, 1.4) + rng.uniform(0, 6.28))
            outside += rng.normal(0, 0.03, len(outside)) * (np.abs(outside) < 0.6)
    points, kept, _ = _split(points, faces, outside)
    return points, kept


def folded_corner(rng, config, points, faces, corner, standing):
    """A corner folded over: (points, faces, flap's faces, where its points rest (N, 2), their height (N,)) or None.

    The flap has points of its own, the mirror images of the corner's; it springs open by some degrees.
    """
    first, second = rng.uniform(*config.corner_mm) * rng.uniform((0.7, 0.7), 1)
    normal = np.array([second, first]) / np.hypot(first, second)  # of the fold, in distances from the corner
    fold = first * second / np.hypot(first, second)  # the corner's distance from the fold
    cut, kept, folded = _split(points, faces, fold - _from_corner(points, corner) @ normal)
    used, where = np.unique(folded, return_inverse=True)
    beyond = np.maximum(fold - _from_corner(cut[used], corner) @ normal, 0)
    spring = np.deg2rad(min(rng.exponential(9), 85) if rng.random() < 0.85 else rng.uniform(30, 100))
    outward = normal * np.sign(corner)
    rest = cut[used] - beyond[:, None] * outward * (1 + np.cos(spring))
    if len(standing) and cKDTree(standing).query(rest)[0].min() < PINNED_MM:
        return None
    return np.concatenate([cut, cut[used]]), kept, where.reshape(-1, 3) + len(cut), rest, 0.5 + beyond * np.sin(spring)


def sample_corner_kinds(rng, config):
    """What is the matter with each corner: four of None, "curl", "dog_ear", "rounded", "cut", "torn"."""
    kinds = [None] * 4
    if rng.random() < config.curl:
        for corner in rng.permutation(4)[:rng.choice([1, 2, 3, 4], p=[0.6, 0.27, 0.08, 0.05])]:
            kinds[corner] = "curl"
    for name in ("dog_ear", "rounded", "cut", "torn"):
        if rng.random() < getattr(config, name):
            all_round = name == "rounded" and rng.random() < 0.6
            for corner in range(4) if all_round else (int(rng.integers(4)),):
                kinds[corner] = name
    return kinds
