"""Peaks of a heatmap: where they are, to a fraction of a pixel, and which of them are peaks of their own. Numpy
alone.

Frames. A heatmap pixel (u, v) has its centre at the input pixel ((u + 0.5) * stride - 0.5,
(v + 0.5) * stride - 0.5): the half-pixel rule of a resize by `stride`. x is to the right, y down.
"""

import numpy as np

# A corner this many heatmap pixels outside the map still leaves enough of its peak inside to be found.
OUTSIDE_LIMIT_PX = 2.0
METHODS = ("argmax", "quarter", "dark")
QUARTER_PX = 0.25

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


def refine(heatmap, column, row, method="dark"):
    """Sub-pixel (u, v), float64 (2,), of the peak of heatmap (height, width) whose largest pixel is (column, row).

    "argmax": the pixel itself; off by up to 0.5 heatmap pixels in u and in v. "quarter": 0.25 towards the higher of
    the two neighbours, in u and in v (Newell et al., "Stacked Hourglass Networks", ECCV 2016; Xiao et al., "Simple
    Baselines", ECCV 2018); off by up to 0.25. In the outermost rows and columns, where a neighbour is missing, the
    pixel's own coordinate stays, as published. "dark": the top of a Gaussian, exact on one (Zhang et al.,
    "Distribution-Aware Coordinate Representation for Human Pose Estimation", CVPR 2020); alone of the three it finds
    peaks outside the map. Raises ValueError for another method.
    """
    if method not in METHODS:
        raise ValueError(f"decoding method is {method!r}; choose one of: {', '.join(METHODS)}")
    if method == "dark":
        return _top_of_gaussian(heatmap, column, row)
    point = np.array([column, row], float)
    if method == "quarter":
        height, width = heatmap.shape
        if 0 < column < width - 1:
            point[0] += QUARTER_PX * np.sign(heatmap[row, column + 1] - heatmap[row, column - 1])
        if 0 < row < height - 1:
            point[1] += QUARTER_PX * np.sign(heatmap[row + 1, column] - heatmap[row - 1, column])
    return point


def _top_of_gaussian(heatmap, column, row):
    """The logarithm of a Gaussian is a quadratic, whose top is one Newton step from anywhere.

    The derivatives are a least-squares fit over 3 x 3 pixels, and beside a border the patch moves inside, which is
    why peaks up to OUTSIDE_LIMIT_PX outside the map come back too. The pixel itself where there is no peak.
    """
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
    high = np.array([column + (margin if column == width - 1 else 1), row + (margin if row == height - 1 else 1)])
    return np.clip(top, low, high)


def highest(heatmaps, method="dark"):
    """Heatmaps (K, height, width) -> sub-pixel (u, v) of the highest point of each, float64 (K, 2).

    A map of one value gives its first pixel. Raises ValueError for an unknown method.
    """
    points_uv = np.empty((len(heatmaps), 2))
    for k, heatmap in enumerate(heatmaps):
        row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
        points_uv[k] = refine(heatmap, column, row, method)
    return points_uv


def maxima(heatmap, count, one_peak):
    """Pixels of the highest local maxima above zero: list of at most `count` (column, row), highest first.

    one_peak(heatmap, kept, pixel): whether a pixel belongs to a higher maximum that is kept already; it is then left
    out. Both are (column, row).
    """
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
        if not any(one_peak(heatmap, other, point) for other in kept):
            kept.append(point)
            if len(kept) == count:
                break
    return kept


def nearer_than(distance_px):
    """A one_peak for `maxima`: two pixels nearer than this (heatmap pixels) are one peak."""

    def one_peak(_, first, second):
        return np.hypot(first[0] - second[0], first[1] - second[1]) < distance_px

    return one_peak


def no_valley(nearest_px, farthest_px, depth):
    """A one_peak for `maxima`: two pixels are one peak when nearer than nearest_px, and up to farthest_px when the map
    does not fall, on the straight line between them, below `depth` times the lower of the two."""

    def one_peak(heatmap, first, second):
        distance = np.hypot(first[0] - second[0], first[1] - second[1])
        if distance < nearest_px or distance >= farthest_px:
            return distance < nearest_px
        along = np.linspace(first, second, 2 * int(np.ceil(distance)) + 1)
        lowest = heatmap[np.rint(along[:, 1]).astype(int), np.rint(along[:, 0]).astype(int)].min()
        return lowest >= depth * min(heatmap[first[1], first[0]], heatmap[second[1], second[0]])

    return one_peak
