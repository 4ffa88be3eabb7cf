"""The four corners of one sheet in heatmaps: what is known of a quadrangle tells which peaks are its.

A sheet's corners come in one of three kinds of heatmaps, frames as in keypoints.peaks.

Four maps, "each": one a corner, in published order (keypoints.heatmaps.encode). Which corner is the first jumps to
its neighbour where the sheet is turned by about 45 degrees; there a network hedges, and peaks are torn between two
channels.

Three maps, "shared": corners seen, corners covered, corners outside the photo, whichever corner it is. Nothing jumps
when the sheet turns. At every pixel the corner that is nearest counts, and it counts in the map of its visibility:
so the sum of the maps is one landscape with a hill of height 1 a corner, whatever can be seen of them, hills next
to each other keep their tops, and the share of a map in the sum is the probability of its visibility.

Four maps, "sheet": the shared ones, and logits of the sheet's interior, covered or not. A corner that leaves no mark is
where the straight edges of the interior meet (keypoints.outlines).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from keypoints import outlines
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
# With the interior's map. A peak is noticed from this height, and so many of them; it is a corner's from TRUSTED on,
# when nearer than NEAR of the sheet's side (root of its area) or NEAREST_PX; distance costs AWAY_COST of its height.
# The edges and the peak of a corner err independently, so that their middle is better than either. All of these were
# chosen on rendered validation scenes.
NOTICED, NOTICED_COUNT = 0.15, 5
TRUSTED = 0.5
NEAR, NEAREST_PX = 0.08, 2.0
AWAY_COST = 0.3
PEAK_SHARE = 0.5
HEIGHT_WEIGHT = 0.03  # of the heights under the four corners, beside an overlap of 0 to 1
SHORTLIST = 2  # guesses that are fitted
LEAST_OVERLAP = 0.3  # intersection over union, below which the interior says nothing
_SEEN = 2  # COCO's visibility of what is seen; map = _SEEN - visibility


def decode_corners(heatmaps, stride, method="dark", maps="each"):
    """The four corners of one sheet from heatmaps (C, height, width) of any kind.

    maps: "each", "shared" or "sheet" (keypoints.config.TrainConfig). Returns points (4, 2) and scores (4,) as
    decode_quad, decode_shared and decode_sheet do, and visibility (4, 3), or None for "each", which does not tell it.
    Raises ValueError for another number of maps than the kind has.
    """
    decoders = {"each": (4, decode_quad), "shared": (3, decode_shared), "sheet": (4, decode_sheet)}
    count, decode = decoders[maps]
    if len(heatmaps) != count:
        raise ValueError(
            f"{len(heatmaps)} heatmaps are no sheet's of maps {maps!r}, which has {count}; "
            "decode other keypoints with keypoints.heatmaps.decode"
        )
    found = decode(heatmaps, stride, method)
    return found if maps != "each" else (*found, None)


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


def decode_sheet(heatmaps, stride, method="dark"):
    """The four corners of one sheet from shared maps and the map of its interior.

    heatmaps: (4, height, width) real: shared maps as encode_shared draws them, and logits of the interior. Returns what
    decode_shared returns.

    The quadrangle is searched that overlaps the interior best and has the highest peaks under its corners: among the
    interior's own outline, every four of the peaks, and every three with a fourth that makes a parallelogram. The best
    few are fitted to the interior's border (keypoints.outlines.fitted) and drawn to the peaks near their corners. Of a
    corner that has such a peak, the answer lies at least half of the way from where the edges meet to the peak; one
    without, which is covered or outside the photo, is where the edges meet. Where the photo shows less than half of an
    edge, its corners outside are no better known than by decode_shared.
    """
    heatmaps = np.asarray(heatmaps, np.float64)
    shared, share = heatmaps[:3], (0.5 + 0.5 * np.tanh(heatmaps[3] / 2)).astype(np.float32)  # the logistic function
    total = shared.sum(axis=0)
    pixels = maxima(total, CANDIDATES, no_valley(SHARED_NEAREST_PX, SHARED_VALLEY_PX, VALLEY))
    peaks = Peaks.of(shared, total, pixels, method)
    corners = _best_sheet(share, total, peaks)
    if corners is None:
        return decode_shared(shared, stride, method)
    corners = peaks.drawn_near(corners, PEAK_SHARE)
    height, width = total.shape
    scores, visibility = np.zeros(4), np.zeros((4, len(SHARED)))
    for k, (column, row) in enumerate(np.clip(np.rint(corners), 0, [width - 1, height - 1]).astype(int)):
        scores[k], visibility[k] = _patch(total[None], column, row).max(), _shares(shared, column, row)
    points = to_input(corners, stride)
    order = order_corners(points)
    return points[order], np.clip(scores, 0.0, 1.0)[order], visibility[order]


@dataclass(frozen=True)
class Peaks:
    """Peaks of shared maps, highest first: tops (N, 2) in heatmap pixels, heights (N,), inside (N,), whether it is more
    likely a corner in the photo than one outside."""

    tops: np.ndarray
    heights: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(cls, shared, total, pixels, method):
        """Of the maxima `pixels` of the sum of the maps, refined by `method`."""
        outside = SHARED.index("outside")
        return cls(np.array([refine(total, *pixel, method) for pixel in pixels]).reshape(-1, 2),
                   np.array([total[row, column] for column, row in pixels]),
                   np.array([_shares(shared, *pixel).argmax() != outside for pixel in pixels], bool))

    def drawn_near(self, quad, share):
        """A quadrangle with each corner moved by `share` of the way to the peak that it has, if it has one: the highest
        of those that are TRUSTED, inside, and nearer than NEAR; distance costs height."""
        if not len(self.tops):
            return quad
        away = np.linalg.norm(self.tops - quad[:, None], axis=2) / max(NEAREST_PX, NEAR * np.sqrt(outlines.area(quad)))
        usable = (away < 1) & self.inside & (self.heights >= TRUSTED)
        worth = np.where(usable, self.heights - AWAY_COST * away, 0.0)
        way = self.tops[worth.argmax(axis=1)] - quad
        return quad + share * np.where(usable.any(axis=1, keepdims=True), way, 0.0)


def _best_sheet(share, total, peaks):
    """The quadrangle (4, 2), clockwise, that interior `share` and peaks agree on; None where there is none, or the
    interior says nothing."""
    outline = outlines.outline(share)
    noticed = peaks.tops[peaks.heights >= NOTICED][:NOTICED_COUNT]
    guesses = np.array([*([] if outline is None else [outline]), *outlines.quadrangles(noticed)]).reshape(-1, 4, 2)
    heights = HEIGHT_WEIGHT * _heights_under(total, guesses)
    worth = [outlines.rough_overlap(quad, share) + height for quad, height in zip(guesses, heights, strict=True)]
    best_worth, best = 0.0, None
    for index in np.argsort(np.negative(worth), kind="stable")[:SHORTLIST]:
        fitted = outlines.fitted(guesses[index], share)
        trials = np.array([guesses[index], fitted, peaks.drawn_near(fitted, 1.0), peaks.drawn_near(fitted, 0.5)])
        for tried, height in zip(trials, HEIGHT_WEIGHT * _heights_under(total, trials), strict=True):
            overlap = outlines.overlap(tried, share)
            value = overlap + height
            if overlap >= LEAST_OVERLAP and value > best_worth and outlines.is_convex(tried):
                best_worth, best = value, tried
    return best


def _heights_under(total, quads):
    """The sum of the map's values, 0 to 1 each, at the four corners of quadrangles (N, 4, 2): (N,); 0 outside the
    map."""
    height, width = total.shape
    inside = ((quads > -0.5) & (quads < [width - 0.5, height - 0.5])).all(axis=2)
    columns, rows = np.moveaxis(np.clip(np.rint(quads), 0, [width - 1, height - 1]).astype(int), 2, 0)
    return (np.clip(total[rows, columns], 0.0, 1.0) * inside).sum(axis=1)


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
