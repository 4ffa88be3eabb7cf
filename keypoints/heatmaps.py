"""Corners as heatmaps and back: the encoder and its inverse, in numpy alone.

Frames. A heatmap pixel (u, v) has its centre at the input pixel ((u + 0.5) * stride - 0.5,
(v + 0.5) * stride - 0.5): the half-pixel rule of a resize by `stride`. x is to the right, y down.
"""

from itertools import combinations

import numpy as np

from scenes.sheet import order_corners

# A corner this many heatmap pixels outside the map still leaves enough of its peak inside to be found.
OUTSIDE_LIMIT_PX = 2.0
# Two maxima of the summed map nearer than this (heatmap pixels) are one corner.
SEPARATION_PX = 4.0
# So many maxima are looked at as corners; the rest is background. 7 of 4 are 35 quadrangles to score.
CANDIDATES = 7

# Least-squares quadratic a + gx*x + gy*y + hxx*x^2/2 + hxy*x*y + hyy*y^2/2 over a 3 x 3 patch: row k of this
# matrix times the nine values is the k-th of (gx, gy, hxx, hyy, hxy).
_GRID_Y, _GRID_X = (axis.ravel().astype(float) for axis in np.mgrid[-1:2, -1:2])
_FIT = np.linalg.pinv(
    np.stack([_GRID_X, _GRID_Y, _GRID_X**2 / 2, _GRID_Y**2 / 2, _GRID_X * _GRID_Y, np.ones(9)], axis=1)
)[:5]


def to_heatmap(points_px, stride):
    """Input pixels (..., 2) -> heatmap pixels (..., 2), both float64."""
    return (np.asarray(points_px, np.float64) + 0.5) / stride - 0.5


def to_input(points_uv, stride):
    """Heatmap pixels (..., 2) -> input pixels (..., 2), both float64."""
    return (np.asarray(points_uv, np.float64) + 0.5) * stride - 0.5


def encode(corners_px, present, size, stride, sigma_px):
    """One Gaussian a corner.

    corners_px: (K, 2) input pixels. present: (K,) bool; a covered corner is present, one that nobody can tell
    is not. size: (height, width) of the maps. sigma_px: standard deviation in heatmap pixels. Returns (K,
    height, width) float32 in [0, 1]: 1 at the corner's exact sub-pixel position (so the largest pixel is a
    little less), all zero for a corner that is absent, not finite, or more than OUTSIDE_LIMIT_PX outside.
    """
    height, width = size
    centres = to_heatmap(corners_px, stride)
    maps = np.zeros((len(centres), height, width), np.float32)
    for k, (u, v) in enumerate(centres):
        if not present[k] or not is_inside((u, v), size):
            continue
        along_x = np.exp(-0.5 * ((np.arange(width) - u) / sigma_px) ** 2)
        along_y = np.exp(-0.5 * ((np.arange(height) - v) / sigma_px) ** 2)
        maps[k] = along_y[:, None] * along_x
    return maps


def is_inside(point_uv, size):
    """Whether a heatmap point (u, v) is at most OUTSIDE_LIMIT_PX outside a map of size (height, width)."""
    height, width = size
    u, v = point_uv
    margin = OUTSIDE_LIMIT_PX + 0.5  # a map reaches half a pixel beyond its outer pixel centres
    return bool(-margin <= u <= width - 1 + margin and -margin <= v <= height - 1 + margin)


def decode(heatmaps, stride):
    """The highest point of each channel, to a fraction of a pixel.

    heatmaps: (K, height, width) real. Returns points (K, 2) float64 in input pixels and scores (K,) float64,
    the largest value of each channel cut to [0, 1]. A channel of one value gives its first pixel.
    Distribution-aware (Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose
    Estimation", CVPR 2020): the logarithm of a Gaussian is a quadratic, whose top is one Newton step from
    anywhere. The derivatives are a least-squares fit over 3 x 3 pixels, and beside a border the patch moves
    inside, which is why peaks up to OUTSIDE_LIMIT_PX outside the map come back too.
    """
    heatmaps = np.asarray(heatmaps, np.float64)
    points_uv = np.empty((len(heatmaps), 2))
    for k, heatmap in enumerate(heatmaps):
        row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
        points_uv[k] = _sharpen(heatmap, column, row)
    scores = np.clip(heatmaps.max(axis=(1, 2)), 0.0, 1.0)
    return to_input(points_uv, stride), scores


def _sharpen(heatmap, column, row):
    """Sub-pixel (u, v) of the peak whose largest pixel is (column, row); the pixel itself where there is no
    peak."""
    height, width = heatmap.shape
    peak = heatmap[row, column]
    if peak <= 0 or height < 3 or width < 3:
        return np.array([column, row], float)
    u, v = min(max(column, 1), width - 2), min(max(row, 1), height - 2)
    # The floor keeps the logarithm finite where a network goes below zero; a Gaussian's patch is above it.
    patch = np.log(np.maximum(heatmap[v - 1 : v + 2, u - 1 : u + 2], peak * 1e-4)).ravel()
    gx, gy, hxx, hyy, hxy = _FIT @ patch
    determinant = hxx * hyy - hxy * hxy
    if hxx >= 0 or determinant <= 1e-12:  # not a hill
        return np.array([column, row], float)
    top = np.array([u, v]) - np.array([hyy * gx - hxy * gy, hxx * gy - hxy * gx]) / determinant
    # Inside the map the top lies within a pixel of the largest one; only at the border can it be farther out.
    margin = OUTSIDE_LIMIT_PX + 0.5
    low = np.array([column - (margin if column == 0 else 1), row - (margin if row == 0 else 1)])
    high = np.array(
        [column + (margin if column == width - 1 else 1), row + (margin if row == height - 1 else 1)]
    )
    return np.clip(top, low, high)


def decode_quad(heatmaps, stride):
    """The four corners of one sheet, whichever channels their peaks are in.

    heatmaps: (4, height, width) real. Returns points (4, 2) float64 in input pixels, ordered by
    scenes.sheet.order_corners in the input's frame, and scores (4,) float64 in [0, 1] in the same order.

    Which corner is the first jumps to its neighbour where the sheet is turned by about 45 degrees. There a
    network hedges: each corner has a part of its peak in two channels, and the highest point of each channel
    may name one corner twice and another never. In the sum of the channels every corner has one peak at every
    turn, so positions come from the sum. Of its maxima those four are taken that are a convex quadrangle and
    that the channels agree on best: going round, the k-th corner's peak may be in channels k + s and k + s +
    1, with one s for all four.
    """
    heatmaps = np.asarray(heatmaps, np.float64)
    total = heatmaps.sum(axis=0)
    peaks = _maxima(total)
    best_score, best = 0.0, None
    for chosen in combinations(peaks, 4):
        corners = np.array(chosen)
        corners = corners[order_corners(corners.astype(float))]
        if not _is_convex(corners):
            continue
        support = _channel_support(heatmaps, corners)
        if support.sum() > best_score:
            best_score, best = support.sum(), (corners, support)
    if best is None:
        points, scores = decode(heatmaps, stride)
    else:
        points = to_input([_sharpen(total, column, row) for column, row in best[0]], stride)
        scores = np.clip(best[1], 0.0, 1.0)
    order = order_corners(points)
    return points[order], scores[order]


def _maxima(heatmap):
    """The CANDIDATES highest local maxima above zero, SEPARATION_PX apart: list of (column, row), highest
    first."""
    padded = np.pad(heatmap, 1, constant_values=-np.inf)
    height, width = heatmap.shape
    around = [
        padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dx, dy) != (0, 0)
    ]
    rows, columns = np.nonzero((heatmap >= np.max(around, axis=0)) & (heatmap > 0))
    kept = []
    for index in np.argsort(-heatmap[rows, columns], kind="stable"):
        point = (int(columns[index]), int(rows[index]))
        if all(np.hypot(point[0] - u, point[1] - v) >= SEPARATION_PX for u, v in kept):
            kept.append(point)
            if len(kept) == CANDIDATES:
                break
    return kept


def _is_convex(corners):
    """Whether the quadrangle (4, 2), clockwise with y down, turns right at each of its corners."""
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    return bool(np.all(edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0))


def _channel_support(heatmaps, corners):
    """How high the channels stand at four ordered pixels (4, 2): (4,), for the cyclic shift that they suit
    best."""
    # Half peaks of one corner need not top out in the same pixel: the highest of 3 x 3 is what counts.
    height, width = heatmaps.shape[1:]
    high = np.array(
        [
            heatmaps[:, max(v - 1, 0) : min(v + 2, height), max(u - 1, 0) : min(u + 2, width)].max(
                axis=(1, 2)
            )
            for u, v in corners
        ]
    )
    high = np.maximum(high, 0.0)
    places = np.arange(4)
    supports = [
        np.minimum(high[places, (places + s) % 4] + high[places, (places + s + 1) % 4], 1.0) for s in range(4)
    ]
    return max(supports, key=np.sum)
