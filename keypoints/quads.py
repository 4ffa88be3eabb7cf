"""The four corners of one sheet in heatmaps: what is known of a quadrangle tells which peaks are its. Numpy alone.

A sheet's corners come in one of two kinds of heatmaps, frames as in keypoints.peaks.

Four maps, "each": one a corner, in published order (keypoints.heatmaps.encode). Which corner is the first jumps to
its neighbour where the sheet is turned by about 45 degrees; there a network hedges, and peaks are torn between two
channels.

Three maps, "shared": corners seen, corners covered, corners outside the photo, whichever corner it is. Nothing jumps
when the sheet turns. At every pixel the corner that is nearest counts, and it counts in the map of its visibility:
so the sum of the maps is one landscape with a hill of height 1 a corner, whatever can be seen of them, hills next
to each other keep their tops, and the share of a map in the sum is the probability of its visibility.
"""

from itertools import combinations

import numpy as np

from keypoints.peaks import (
    OUTSIDE_LIMIT_PX,
    highest,
    maxima,
    nearer_than,
    no_valley,
    refine,
    to_heatmap,
    to_input,
)
from scenes.sheet import order_corners

# Two maxima of the summed map nearer than this (heatmap pixels) are one corner, in four maps.
SEPARATION_PX = 4.0
# So many maxima are looked at as corners; the rest is background. 7 of 4 are 35 quadrangles to score.
CANDIDATES = 7
# In shared maps hills stand as near as corners do. Two maxima are one corner when nearer than the first, or up to
# the second without a valley between them. Tops 4 px apart can be in pixels 2.8 px apart.
SHARED_NEAREST_PX = 2.5
SHARED_VALLEY_PX = 6.0
VALLEY = 0.9  # of the lower top; between Gaussians of sigma s it is exp(-distance^2 / (8 s^2)): 0.61 for 4 px, s = 2
SHARED = ("seen", "covered", "outside")  # the three maps, in order
_SEEN = 2  # COCO's visibility of what is seen; map = _SEEN - visibility


def decode_corners(heatmaps, stride, method="dark"):
    """The four corners of one sheet from heatmaps (C, height, width) of either kind: C is 4 or 3.

    Returns points (4, 2) and scores (4,) as decode_quad and decode_shared do, and visibility (4, 3) as decode_shared
    does, or None for four maps, which do not tell it. Raises ValueError for another C.
    """
    count = len(heatmaps)
    if count == len(SHARED):
        return decode_shared(heatmaps, stride, method)
    if count == 4:
        return *decode_quad(heatmaps, stride, method), None
    raise ValueError(
        f"{count} heatmaps are no sheet's: there are 4, one a corner, or 3, shared; "
        "decode other keypoints with keypoints.heatmaps.decode"
    )


def decode_quad(heatmaps, stride, method="dark"):
    """The four corners of one sheet, whichever channels their peaks are in.

    heatmaps: (4, height, width) real. method: of keypoints.peaks.refine. Returns points (4, 2) float64 in input
    pixels, ordered by scenes.sheet.order_corners in the input's frame, and scores (4,) float64 in [0, 1] in the same
    order.

    Near a turn of 45 degrees each corner has a part of its peak in two channels, and the highest point of each
    channel may name one corner twice and another never. In the sum of the channels every corner has one peak at every
    turn, so positions come from the sum. Of its maxima those four are taken that are a convex quadrangle and
    that the channels agree on best: going round, the k-th corner's peak may be in channels k + s and k + s +
    1, with one s for all four.
    """
    heatmaps = np.asarray(heatmaps, np.float64)
    total = heatmaps.sum(axis=0)
    peaks = maxima(total, CANDIDATES, nearer_than(SEPARATION_PX))
    best_score, best = 0.0, None
    for chosen in combinations(peaks, 4):
        corners = np.array(chosen)
        corners = corners[order_corners(corners.astype(float))]
        if not (_turns(corners) > 0).all():
            continue
        support = _channel_support(heatmaps, corners)
        if support.sum() > best_score:
            best_score, best = support.sum(), (corners, support)
    if best is None:
        points, scores = to_input(highest(heatmaps, method), stride), heatmaps.max(axis=(1, 2))
    else:
        points = to_input([refine(total, column, row, method) for column, row in best[0]], stride)
        scores = best[1]
    order = order_corners(points)
    return points[order], np.clip(scores, 0.0, 1.0)[order]


def _turns(corners):
    """Which way the quadrangle (4, 2) turns at each corner, (4,): above zero is right (clockwise with y down)."""
    arriving = corners - np.roll(corners, 1, axis=0)
    leaving = np.roll(corners, -1, axis=0) - corners
    return arriving[:, 0] * leaving[:, 1] - arriving[:, 1] * leaving[:, 0]


def _channel_support(heatmaps, corners):
    """How high the channels stand at four ordered pixels (4, 2): (4,), for the cyclic shift that they suit
    best."""
    # Half peaks of one corner need not top out in the same pixel: the highest of 3 x 3 is what counts.
    high = np.array([_patch(heatmaps, u, v).max(axis=(1, 2)) for u, v in corners])
    high = np.maximum(high, 0.0)
    places = np.arange(4)
    supports = [
        np.minimum(high[places, (places + s) % 4] + high[places, (places + s + 1) % 4], 1.0) for s in range(4)
    ]
    return max(supports, key=np.sum)


def _patch(heatmaps, column, row):
    """The 3 x 3 pixels round (column, row) of each map, fewer at the border."""
    return heatmaps[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]


def to_region(points_uv, size):
    """Heatmap points (..., 2) -> the nearest points, at most OUTSIDE_LIMIT_PX from a map of size (height, width).

    Points that near stay where they are. The region is convex (the map's area with a rounded margin), so the nearest
    point of it is one, and moves no farther than the point does: nothing jumps. On the region's border the
    nearest point still tells where outside the point lies: beside the map its place along the side, beyond a corner
    of the map the direction from there. How far away it lies is lost.
    """
    height, width = size
    points_uv = np.asarray(points_uv, np.float64)
    nearest = np.clip(points_uv, -0.5, [width - 0.5, height - 0.5])  # a map reaches half a pixel beyond its centres
    beyond = points_uv - nearest
    distance = np.linalg.norm(beyond, axis=-1, keepdims=True)
    return nearest + beyond * np.minimum(1.0, OUTSIDE_LIMIT_PX / np.maximum(distance, OUTSIDE_LIMIT_PX))


def encode_shared(corners_px, visibility, size, stride, sigma_px):
    """Corners as three maps: of those seen, those covered, those outside.

    corners_px: (K, 2) input pixels, in any order. visibility: (K,), as in COCO: 2 seen, 1 covered, 0 outside. size:
    (height, width) of the maps. sigma_px: standard deviation in heatmap pixels. Returns (3, height, width) float32 in
    [0, 1]. Every pixel has the Gaussian, 1 at its top, of the corner nearest to it, in that corner's map; it is zero
    in the other two. So the sum of the maps is the highest of the corners' Gaussians everywhere.

    A corner that is not finite (nobody can tell where it is) is in no map. One more than OUTSIDE_LIMIT_PX outside the
    map is drawn at `to_region` of it, and in the third map, whatever its visibility says. Raises ValueError for a
    visibility other than 0, 1, 2.
    """
    visibility = np.asarray(visibility)
    if not np.isin(visibility, (0, 1, 2)).all():
        raise ValueError(f"visibility is {visibility.tolist()}; each must be 2 (seen), 1 (covered) or 0 (outside)")
    height, width = size
    maps = np.zeros((len(SHARED), height, width), np.float32)
    centres = to_heatmap(corners_px, stride)
    known = np.isfinite(centres).all(axis=1)
    if not known.any():
        return maps
    centres = centres[known]
    drawn = to_region(centres, size)
    far = (drawn != centres).any(axis=1)
    place = np.where(far, SHARED.index("outside"), _SEEN - visibility[known].astype(int))
    along_x = (np.arange(width) - drawn[:, 0, None]) ** 2
    along_y = (np.arange(height) - drawn[:, 1, None]) ** 2
    squares = along_y[:, :, None] + along_x[:, None, :]
    landscape = np.exp(-0.5 * squares.min(axis=0) / sigma_px**2)
    owner = place[squares.argmin(axis=0)]
    for k in range(len(SHARED)):
        maps[k] = np.where(owner == k, landscape, 0.0)
    return maps


def decode_shared(heatmaps, stride, method="dark"):
    """The four corners of one sheet, and how likely each is seen, covered or outside, from shared maps.

    heatmaps: (3, height, width) real, as encode_shared draws them. method: of keypoints.peaks.refine. Returns points
    (4, 2) float64 in input pixels, ordered by scenes.sheet.order_corners in the input's frame; scores (4,) float64,
    the height of the sum of the maps at each, cut to [0, 1]; and visibility (4, 3) float64, rows of sum 1:
    probabilities of seen, covered, outside, the maps' shares in the 3 x 3 pixels round the peak.

    Of up to CANDIDATES maxima of the sum those four are taken that are a convex quadrangle of the largest sum of
    scores; where no four are, the highest. What to believe:
    * a corner up to OUTSIDE_LIMIT_PX heatmap pixels outside the map has its position; its score is the height of what
      the map shows of its hill, 0.46 at the limit with sigma 2, however sure the network is.
    * a corner farther out comes back at that distance. The point tells on which side of the map it lies, and where
      along it or in what direction from the map's corner, but not how far away; it is no position to measure with.
    * next to a corner outside the map another within about 9 px spoils both: they share what the border shows of them,
      and come back up to 2.5 px off, or as one.
    * with fewer than four maxima the missing corners have score 0, equal probabilities and no position: they are put
      into the mean of those found, or the middle of the map.
    """
    heatmaps = np.asarray(heatmaps, np.float64)
    total = heatmaps.sum(axis=0)
    one_peak = no_valley(SHARED_NEAREST_PX, SHARED_VALLEY_PX, VALLEY)
    peaks = maxima(total, CANDIDATES, one_peak)
    chosen = _best_quad(total, peaks) or peaks[:4]
    points = np.array([refine(total, *pixel, method) for pixel in chosen]).reshape(-1, 2)
    scores = np.array([total[row, column] for column, row in chosen])
    visibility = np.array([_shares(heatmaps, *pixel) for pixel in chosen]).reshape(-1, len(SHARED))
    missing = 4 - len(chosen)
    if missing:
        middle = points.mean(axis=0) if chosen else (np.array(total.shape[::-1]) - 1) / 2
        points = np.concatenate([points, np.tile(middle, (missing, 1))])
        scores = np.concatenate([scores, np.zeros(missing)])
        visibility = np.concatenate([visibility, np.full((missing, len(SHARED)), 1 / len(SHARED))])
    points = to_input(points, stride)
    order = order_corners(points)
    return points[order], np.clip(scores, 0.0, 1.0)[order], visibility[order]


def _best_quad(total, peaks):
    """Four of the pixels `peaks` (column, row) that are a convex quadrangle with the highest sum; None without any."""
    tops = np.array([refine(total, *pixel) for pixel in peaks]).reshape(-1, 2)
    heights = np.array([min(total[row, column], 1.0) for column, row in peaks])
    best_height, best = 0.0, None
    for indices in combinations(range(len(peaks)), 4):
        height = heights[list(indices)].sum()
        if height > best_height and _may_be_convex(tops[list(indices)], total.shape):
            best_height, best = height, [peaks[k] for k in indices]
    return best


def _may_be_convex(points_uv, size):
    """Whether four heatmap points (4, 2), in any order, can be the corners of a convex quadrangle.

    A point outside the map may be drawn nearer than it is: how the outline turns at it and at its neighbours
    says nothing then, and they pass.
    """
    corners = points_uv[order_corners(points_uv)]
    height, width = size
    outside = ((corners < -0.5) | (corners > [width - 0.5, height - 0.5])).any(axis=1)
    excused = outside | np.roll(outside, 1) | np.roll(outside, -1)
    return bool((excused | (_turns(corners) > 0)).all())


def _shares(heatmaps, column, row):
    """Shares of the maps in the 3 x 3 pixels round (column, row): (C,) of sum 1; equal where all are zero or below."""
    sums = np.maximum(_patch(heatmaps, column, row), 0.0).sum(axis=(1, 2))
    return sums / sums.sum() if sums.sum() > 0 else np.full(len(heatmaps), 1 / len(heatmaps))
