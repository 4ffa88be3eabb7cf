"""The sheet's corners, sharpened on the photo at its full resolution.

The keypoints network sees a photo a few hundred pixels wide: a corner that is off by one of its pixels is off by
ten in the photo. The sheet's sides are steps from sheet to floor, so a band along each side of the network's
quadrilateral is cut out of the photo, coarse to fine, and the step is found in it:

1. *whole sides*, photo shrunk, search range 2.5 % of the photo's diagonal: gets from the network's error to the edge;
2. *pieces*, the part of each side that is next to a corner, narrower range: paper bends and curls, so the straight
   line over a whole side misses the corner that it should meet;
3. *pieces at full resolution*: sub-pixel steps and a robust line through them.

In each band the colours are projected on the direction of CIELAB that tells inside from outside best (Fisher's
linear discriminant between the medians of the two halves of the band), which also settles the polarity of the step.
A straight line through the band is then searched exhaustively (a Hough transform over its offsets at both ends): the
mean step along it decides, so that single strong edges (print, planks, the rim of a foot) do not.

Corners are the intersections of the pieces on their two sides.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.labels import SHEET

BY_EDGES = "edges"  # both edges next to the corner were found: their intersection
BY_ONE_EDGE = "edge"  # one edge was found: the network's corner moved onto it
BY_NETWORK = "network"  # as the network gave it
BY_MASK = "mask"  # from the outline of sheet and feet in the mask, in place of the network's
BY_SHAPE = "shape"  # from the other corners and the sheet's known shape

# Shares of the photo's diagonal.
SIDE_RANGE = 0.025  # the network is off by up to 1 %; beyond that the prior below should decide
SHIFT_LIMIT = 0.03  # a corner that moved further than this is not believed
PRIOR_SCALE = 0.02  # a line this far from the network's loses about two fifths of its score

CORNER_GAP = 0.015  # share of a side next to its corner that is left out: rounded and dog-eared corners
MIN_POSITIONS = 12  # positions with sheet beside them below which a piece is widened to the whole side
MIN_STEP = 0.3  # a found line's mean step, in units of the difference between inside and outside
ENOUGH_COLOURS = 500  # on either side of an edge
MIN_INLIERS = 0.4  # share of the positions along a piece whose own step lies on the line
MIN_CONTRAST_LAB = 4.0  # CIELAB difference between inside and outside below which luminance is used instead
SUPPORT_REACH = 0.012  # share of the diagonal to either side from which `edge_support` takes inside and outside
SUPPORT_WINDOW_PX = 3  # of the shrunk photo
MIN_ANGLE_DEG = 25.0  # two sides that meet under a smaller angle give no trustworthy intersection


@dataclass(frozen=True)
class Pass:
    """One run around the quadrilateral.

    long_side: px to which the photo is shrunk for it, about (None: not shrunk); range_share: search range to either
    side, share of the photo's diagonal; step_sigma_px: scale of the step filter; tolerance_px: how far an edge may
    wander from the straight line that is searched; positions: samples along a whole side; piece_share: share of a side
    that is fitted next to each of its corners (1: one line for the whole side).
    """

    long_side: int | None
    range_share: float
    step_sigma_px: float
    tolerance_px: int
    positions: int
    piece_share: float


PASSES = (
    Pass(long_side=900, range_share=SIDE_RANGE, step_sigma_px=1.5, tolerance_px=2, positions=100, piece_share=1.0),
    Pass(long_side=1400, range_share=0.012, step_sigma_px=1.5, tolerance_px=1, positions=150, piece_share=0.3),
    Pass(long_side=None, range_share=0.004, step_sigma_px=1.5, tolerance_px=0, positions=300, piece_share=0.2),
)


@dataclass(frozen=True)
class Line:
    """A fitted line: two points (2, 2) in photo pixels, and whether the evidence was enough to believe it."""

    points: np.ndarray
    found: bool


def sharpen_corners(rgb, corners, mask=None, passes=PASSES):
    """Move corners onto the intersections of the sheet's edges.

    rgb: uint8 (H, W, 3), RGB. corners: (4, 2) px of the photo, clockwise, convex. mask: class ids (h, w) that cover
    the whole photo at any resolution, or None; stretches of a side without sheet just inside are left out (a foot,
    a leg or a trouser lies over them).

    Returns corners float64 (4, 2) in the same order and a tuple of four of BY_EDGES, BY_ONE_EDGE, BY_NETWORK. Where
    the evidence is too thin the corner stays where it was.
    """
    start = np.asarray(corners, np.float64)
    height, width = rgb.shape[:2]
    diagonal = float(np.hypot(width, height))
    quad, found = start, (BY_NETWORK,) * 4
    for one in passes:
        shrunk, scale = _shrunk(rgb, one.long_side)
        moved, moved_found = _run_pass(shrunk, to_resized(quad, scale), mask, one)
        moved = from_resized(moved, scale)
        quad, found = _believable(start, quad, moved, found, moved_found, SHIFT_LIMIT * diagonal)
    return quad, found


def edge_support(rgb, corners):
    """How much of a quadrilateral's outline lies on steps between an inside and an outside: 0..1.

    rgb: uint8 (H, W, 3). corners: (4, 2) px, clockwise. The mean over the four sides of the step found within
    SUPPORT_WINDOW_PX of the side, in units of the difference between inside and outside there. What covers the sides
    lowers it: it compares quadrilaterals on one photo, not photos.
    """
    one = PASSES[0]
    shrunk, scale = _shrunk(rgb, one.long_side)
    quad = to_resized(corners, scale)
    reach = max(4.0, np.ceil(SUPPORT_REACH * float(np.hypot(*shrunk.shape[:2]))))
    offsets = np.arange(-reach, reach + 1)
    shares = np.linspace(CORNER_GAP, 1 - CORNER_GAP, one.positions)
    support = []
    for side in range(4):
        points, _ = _band((quad[side], quad[(side + 1) % 4]), shares, offsets)
        signal, in_photo = _inside_signal(shrunk, points, offsets)
        steps = np.where(in_photo, _steps(signal, one.step_sigma_px), 0.0)
        nearby = steps[:, np.abs(offsets) <= SUPPORT_WINDOW_PX].max(axis=1)
        support.append(float(np.clip(nearby, 0, 1).mean()))
    return float(np.mean(support))


def to_resized(points, scale):
    """Points (N, 2) px of a photo -> px of the photo resized by scale (2,) in x and y (half-pixel rule)."""
    return (np.asarray(points, np.float64) + 0.5) * scale - 0.5


def from_resized(points, scale):
    """Inverse of `to_resized`."""
    return (np.asarray(points, np.float64) + 0.5) / scale - 0.5


def is_convex(corners):
    """Whether corners (4, 2), clockwise in the image (y down), make a strictly convex quadrilateral."""
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    return bool(np.all(edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0))


def _shrunk(rgb, long_side):
    """rgb with a long side near long_side px, and the scale (2,) to it: shrunk by a whole number, which is several
    times as fast as by another. Rows and columns at the end that make no whole pixel are left out."""
    height, width = rgb.shape[:2]
    factor = 1 if long_side is None else max(1, round(max(height, width) / long_side))
    if factor == 1 or factor > min(height, width):
        return rgb, np.ones(2)
    size = width // factor, height // factor
    whole = rgb[: size[1] * factor, : size[0] * factor]
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.full(2, 1 / factor)


def _believable(start, before, after, found_before, found_after, limit_px):
    """Keep the corners of `after` that moved within reason; all of `before` when the result is not convex."""
    near = np.linalg.norm(after - start, axis=1) <= limit_px
    quad = np.where(near[:, None], after, before)
    if not is_convex(quad):
        return before, found_before
    # A pass that does not see an edge takes nothing away from what an earlier and coarser one saw.
    rank = {BY_NETWORK: 0, BY_ONE_EDGE: 1, BY_EDGES: 2}
    found = tuple(
        new if ok and rank[new] > rank[old] else old
        for new, old, ok in zip(found_after, found_before, near, strict=True)
    )
    return quad, found


def _run_pass(rgb, quad, mask, one):
    """One pass over the four sides; quad (4, 2) in pixels of rgb. Returns (corners (4, 2), found (4,))."""
    reach_px = max(4.0, one.range_share * float(np.hypot(*rgb.shape[:2])))
    ending, beginning = [], []  # per side: the line used at its second and at its first corner
    for side in range(4):
        ends = quad[side], quad[(side + 1) % 4]
        share = min(one.piece_share, 1 - CORNER_GAP)
        beginning.append(_fit_piece(rgb, ends, (CORNER_GAP, share), mask, reach_px, one))
        if one.piece_share == 1:
            ending.append(beginning[-1])
        else:
            ending.append(_fit_piece(rgb, ends, (1 - share, 1 - CORNER_GAP), mask, reach_px, one))
    corners, found = [], []
    for i in range(4):
        corner, how = _meet(ending[i - 1], beginning[i], quad[i])
        corners.append(corner)
        found.append(how)
    return np.array(corners), tuple(found)


def _meet(previous, following, corner):
    """The corner where the lines of its two sides meet, and how it was found."""
    if not (previous.found or following.found):
        return corner, BY_NETWORK
    if previous.found != following.found:
        line = previous if previous.found else following
        origin, direction = line.points[0], _unit(line.points[1] - line.points[0])
        return origin + direction * float((corner - origin) @ direction), BY_ONE_EDGE
    p, r = previous.points[0], _unit(previous.points[1] - previous.points[0])
    q, s = following.points[0], _unit(following.points[1] - following.points[0])
    cross = r[0] * s[1] - r[1] * s[0]
    if abs(cross) < np.sin(np.radians(MIN_ANGLE_DEG)):
        return corner, BY_NETWORK
    along = ((q - p)[0] * s[1] - (q - p)[1] * s[0]) / cross
    return p + along * r, BY_EDGES


def _unit(vector):
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _fit_piece(rgb, ends, span, mask, reach_px, one):
    """Fit the sheet's edge over a span (from, to), shares of the side between `ends`, all in pixels of rgb."""
    start, end = ends
    unfound = Line(np.array([start, end]), False)
    if np.linalg.norm(end - start) < 8:
        return unfound
    shares = _visible_shares(rgb.shape, ends, span, mask, reach_px, one.positions)
    if len(shares) < MIN_POSITIONS:
        shares = _visible_shares(rgb.shape, ends, (CORNER_GAP, 1 - CORNER_GAP), mask, reach_px, one.positions)
    if len(shares) < MIN_POSITIONS:
        return unfound
    offsets = np.arange(-np.ceil(reach_px), np.ceil(reach_px) + 1)
    points, inward = _band(ends, shares, offsets)
    signal, inside_photo = _inside_signal(rgb, points, offsets)
    steps = _steps(signal, one.step_sigma_px)
    steps[~inside_photo] = 0
    along = (shares - shares[0]) / (shares[-1] - shares[0])
    line, mean_step = _search_line(steps, offsets, along, one.tolerance_px, reach_px * PRIOR_SCALE / one.range_share)
    if mean_step < MIN_STEP:
        return unfound
    fitted = _refine_line(steps, offsets, along, line, 2 * one.step_sigma_px + one.tolerance_px)
    if fitted is None:
        return unfound
    direction = end - start
    feet = start + direction * shares[[0, -1], None]
    return Line(feet + inward * np.array(fitted)[:, None], True)


def _visible_shares(shape, ends, span, mask, reach_px, positions):
    """Shares (n,) along the side within span that have sheet just inside, by the mask (h, w) or all without one."""
    count = max(MIN_POSITIONS, round(positions * (span[1] - span[0])))
    shares = np.linspace(span[0], span[1], count)
    if mask is None:
        return shares
    scale = np.array([mask.shape[1] / shape[1], mask.shape[0] / shape[0]])
    # Deeper than the search range, so that the network's own error does not read floor; twice, because masks tear.
    depths = np.array([1.0, 1.6]) * max(reach_px, 0.012 * float(np.hypot(*shape[:2])))
    points, _ = _band(ends, shares, depths)
    places = np.rint(to_resized(points.reshape(-1, 2), scale)).astype(int)
    inside = np.all((places >= 0) & (places < [mask.shape[1], mask.shape[0]]), axis=1)
    places = np.clip(places, 0, [mask.shape[1] - 1, mask.shape[0] - 1])
    is_sheet = (mask[places[:, 1], places[:, 0]] == SHEET) & inside
    return shares[is_sheet.reshape(count, len(depths)).any(axis=1)]


def _band(ends, shares, offsets):
    """Sample points (n, m, 2) of a band along a side: n shares along it, m offsets in px, positive inward."""
    start, end = ends
    direction = _unit(end - start)
    inward = np.array([-direction[1], direction[0]])  # clockwise order with y down: the sheet is to the right
    feet = start + (end - start) * shares[:, None]
    return feet[:, None] + inward * offsets[None, :, None], inward


def _inside_signal(rgb, points, offsets):
    """How much each sample of the band looks like the inside.

    points: (n, m, 2) px; offsets: (m,) px. Returns (signal float32 (n, m): 0 at the outside's median colour, 1 at
    the inside's, clipped to [-0.5, 1.5]; bool (n, m): the sample lies in the photo).
    """
    height, width = rgb.shape[:2]
    maps = points.astype(np.float32)
    colours = cv2.remap(rgb, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    in_photo = np.all((points >= 0) & (points <= [width - 1, height - 1]), axis=-1)
    far = 0.4 * offsets[-1]
    inside, outside = lab[:, offsets > far], lab[:, offsets < -far]
    if in_photo.all():
        inside, outside = inside.reshape(-1, 3), outside.reshape(-1, 3)
    else:
        inside, outside = inside[in_photo[:, offsets > far]], outside[in_photo[:, offsets < -far]]
    if len(inside) < 8 or len(outside) < 8:
        return np.zeros(lab.shape[:2]), in_photo
    # Evenly thinned out: medians and spreads of hundreds of colours are those of all.
    inside, outside = (part[:: 1 + len(part) // ENOUGH_COLOURS].astype(np.float64) for part in (inside, outside))
    inner, outer = np.median(inside, axis=0), np.median(outside, axis=0)
    difference = inner - outer
    if np.linalg.norm(difference) < MIN_CONTRAST_LAB:
        difference, weights = np.array([MIN_CONTRAST_LAB, 0, 0]), np.array([1.0, 0, 0])
    else:
        # 0.15 of the contrast as a floor of the spread: chroma that is noise-free by chance must not rule.
        floor = (0.15 * np.linalg.norm(difference) + 1.0) ** 2
        spread = sum(_covariance(_clipped(part - centre)) for part, centre in ((inside, inner), (outside, outer)))
        weights = np.linalg.solve(spread / 2 + floor * np.eye(3), difference)
    weights = weights / (difference @ weights)
    signal = lab @ weights.astype(np.float32) - np.float32(outer @ weights)
    return np.clip(signal, -0.5, 1.5), in_photo


def _clipped(residuals, limit=30.0):
    return np.clip(residuals, -limit, limit)


def _covariance(values):
    """Covariance (3, 3) of values (n, 3)."""
    around = values - values.mean(axis=0)
    return around.T @ around / max(len(values) - 1, 1)


def _steps(signal, sigma_px):
    """Step strength (n, m) of a band's signal towards the inside: 1 at an ideal step from 0 to 1, at most 1."""
    radius = int(np.ceil(3 * sigma_px))
    x = np.arange(-radius, radius + 1)
    # Mean of a one-sided Gaussian window inside minus the same outside.
    kernel = np.sign(x) * np.exp(-0.5 * (x / sigma_px) ** 2)
    kernel = kernel / np.abs(kernel).sum() * 2
    steps = cv2.filter2D(np.asarray(signal, np.float64), cv2.CV_64F, kernel[None], borderType=cv2.BORDER_REPLICATE)
    return np.clip(cv2.blur(steps, (1, 3)), -0.3, 1.0)


def _search_line(steps, offsets, along, tolerance_px, prior_px):
    """The straight line through a band with the largest mean step.

    Returns ((offset at along = 0, offset at along = 1), its mean step). Lines are scored with a prior that falls
    off with their distance from the network's side.
    """
    if tolerance_px:
        steps = cv2.dilate(steps, np.ones((1, 2 * tolerance_px + 1)))
    stride = 1 if len(offsets) <= 50 else 2
    grid = np.arange(0, len(offsets), stride)
    near, far = np.meshgrid(grid, grid, indexing="ij")
    rows = np.linspace(0, len(along) - 1, min(len(along), 48)).astype(int)[:, None, None]
    columns = np.rint(near + (far - near) * along[rows]).astype(np.int32)
    mean = steps.ravel()[rows * steps.shape[1] + columns].mean(axis=0)
    distance = np.maximum(np.abs(offsets[near]), np.abs(offsets[far])) / prior_px
    best = np.unravel_index(np.argmax(mean * np.exp(-0.5 * distance**2)), mean.shape)
    return (offsets[near[best]], offsets[far[best]]), float(mean[best])


def _refine_line(steps, offsets, along, line, window_px):
    """Robust line through the sub-pixel steps within window_px of a line; None when too few lie on it.

    Huber weights, seven rounds. Returns offsets (2,) px at along = 0 and 1.
    """
    middle = line[0] + (line[1] - line[0]) * along
    nearby = np.where(np.abs(offsets[None] - middle[:, None]) <= window_px, steps, -1.0)
    index = np.argmax(nearby, axis=1)
    rows = np.arange(len(along))
    index = np.clip(index, 1, len(offsets) - 2)
    left, top, right = steps[rows, index - 1], steps[rows, index], steps[rows, index + 1]
    curve = left - 2 * top + right
    ok = (top >= MIN_STEP) & (top >= left) & (top >= right) & (curve < -1e-9)
    if ok.sum() < MIN_POSITIONS / 2:
        return None
    place = offsets[index[ok]] + 0.5 * (left - right)[ok] / curve[ok]
    t, strength = along[ok], top[ok]
    design = np.stack([1 - t, t])
    ends, spread = np.array(line, float), 1.0
    for _ in range(7):
        residual = np.abs(place - ends @ design)
        spread = max(0.3, 1.4826 * _median(residual))
        weighted = design * (strength / np.maximum(1.0, residual / spread))
        ends = np.linalg.solve(weighted @ design.T, weighted @ place)
    residual = np.abs(place - ends @ design)
    if np.sum(residual <= max(1.5, 2.5 * spread)) < MIN_INLIERS * len(along):
        return None
    return ends


def _median(values):
    """Upper median of values (n,): numpy's own takes ten times as long on so few."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])
