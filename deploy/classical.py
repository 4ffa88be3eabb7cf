"""Sheet and feet without any network: colour clusters, straight contours, a threshold. The baseline to compare with.

Sheet. The photo's colours are clustered (k-means in CIELAB), and the unions of the lightest clusters are what may be
light paper. Their contours become polygons, whose long stretches with the lighter side within are taken together over
all unions, so that each side may come from another one. Every four of them that go round clockwise are a
quadrilateral, also where a foot covers a corner or the middle of a side. The one is taken along whose sides paper
begins most often and goes on beyond them least often, which is large, and which a camera may see of a sheet.

Foot. What differs from the paper's colour within the sheet, and what is of the same colour and hangs together with it
beside the sheet. Where it leaves the sheet there is a leg: it is cut off by the proportions of feet.

`Classical` answers what the networks answer to deploy.meter.FootMeter, which does all the rest alike: corners sharpened
on edges, camera, millimetres, warnings. Nothing tells one foot's pixels from the other's: sides are the outline's word.
Numbers were set on rendered training scenes.
"""

from itertools import combinations

import cv2
import numpy as np

from deploy.corners import from_resized, to_resized
from deploy.meter import NO_SHEET, Candidate, SheetError
from scenes.camera import decide_sheet
from scenes.labels import BACKGROUND, LEFT_FOOT, SHEET
from scenes.sheet import A4, corners_mm, homography, order_corners, transform

SEARCH_LONG_SIDE = 480  # px to which the photo is shrunk for the search of the sheet
FOOT_LONG_SIDE = 800  # and for the feet
MEDIAN_PX = 5  # filter that takes noise and fine print away before

# Clusters and contours.
CLUSTERS = 8  # of 4, 5, 6 and 8 the most: a corner's error below 3 % in 53 %, 52 %, 55 % and 58 % of 110 scenes
ROUNDS = 20  # of k-means
SAMPLE_STEP = 4  # every so many pixels, both ways, are clustered
OPENING_PX, CLOSING_PX = 5, 9
MIN_REGION_SHARE = 0.008  # of the photo, that a contour encloses
POLYGON_PX = 1.5  # tolerance of the polygon approximation

# Stretches, lengths as shares of the photo's diagonal.
MIN_STRETCH = 0.045
STRETCHES = 36  # the strongest that are combined
MIN_LIGHTER = 2.0  # by how much the inside is lighter, of 255
MAX_LIGHTER = 30.0  # contrast beyond which a stretch is no stronger
SAME_DEG, SAME_PX = 4.0, 4.0  # stretches this near to one another are one

# Quadrilaterals.
MIN_TURN_DEG = 30.0
MIN_SIDE = 0.06
MIN_OWN_SHARE = 0.15  # of a side, that its stretch must lie on
AREA_LIMITS = 0.012, 1.2  # shares of the photo's
MARGIN = 0.25  # how far outside the photo a corner may be, share of its longer side

# Scores.
POSITIONS = 32  # along a side
BESIDE_PX, DEEPER_PX = 4.0, 9.0
PAPER_DARKER, PAPER_LIGHTER, PAPER_CHROMA = 60.0, 30.0, 16.0  # how far paper's colour goes in shade, in print, in light
MIN_STEP = 7.0  # CIELAB, of 255, at the sheet's edge
BEYOND_COST, COVERED_COST, DARK_COST, OUTSIDE_COST = 1.0, 0.45, 0.5, 0.3
WEAKEST_SIDE_GAIN, WEAKEST_SIDE_LIMIT = 0.5, 0.3
AREA_GAIN, SHAPE_GAIN = 0.3, 0.8
LIGHT_GAIN, LIGHT_LEVEL = 0.002, 200.0
FINALISTS, SAME_QUAD_PX = 8, 3.0
# Probability that a quadrilateral of a score is right: logistic, fitted.
SURE_SLOPE, SURE_SCORE = 5.5, 0.775

# Feet.
RIM_MM = 2.0  # of the sheet, that is half floor
OPENING_MM = 9.0  # what is thinner is print; a toe that is goes, too
PAPER_LIMITS = 38.0, 80.0  # between which Otsu's threshold is believed
DARKEST_PAPER = 40.0
CHROMA_WEIGHT = 4.0  # shade is less light, skin has another hue
MIN_FOOT_SHARE = 0.03  # of the sheet
FOOT_CLUSTERS, FLOOR_CLUSTERS, LIKE_FEET, SAMPLE = 3, 10, 20.0, 5000
REACH_MM = 130.0  # how far beside the sheet a foot may be
RIM_REACH_MM = 40.0  # beside the sheet, where it is told whether something leaves it
LEAVES_SHARE = 0.02  # of a foot beside the sheet or at the photo's border, below which no leg leaves it
AXIS_MM = 120.0  # around the tip of the toes, where the direction is taken
TIP_MM = 90.0  # behind it, where the breadth is
CUT_BREADTHS = 1.6  # from the tip to the leg; with 1.5 to 2.4 lengths were off by 16 to 30 mm, and rather too long
WIDTH_SHARE = 1.1
MAX_BREADTH_MM = 125.0
MASK_SIGMA_PX = 4.0  # of the photo at FOOT_LONG_SIDE; shadows and legs that are taken for feet are not in it

# Of BACKGROUND, SHEET, and a foot of either side -> probabilities of all classes.
PROBABILITIES = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0.5, 0.5]], np.float32)


def shrunk(rgb, long_side):
    """Photo uint8 (H, W, 3) of at most that longer side, and the scale (2,) in x and y from its pixels to the new."""
    height, width = rgb.shape[:2]
    factor = min(1.0, long_side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if factor < 1 else rgb
    return small, np.array([size[0] / width, size[1] / height])


def smooth_lab(rgb):
    """Colours in 8-bit CIELAB after a median filter: uint8 (H, W, 3) of uint8 RGB."""
    return cv2.cvtColor(cv2.medianBlur(rgb, MEDIAN_PX), cv2.COLOR_RGB2LAB)


def clusters(lab, count=CLUSTERS):
    """Cluster of every pixel, int (H, W), numbered from the lightest, and their centres float32 (K, 3).

    lab: uint8 (H, W, 3), CIELAB. The first guess is by lightness: nothing is random.
    """
    centres = cluster_centres(lab[::SAMPLE_STEP, ::SAMPLE_STEP].reshape(-1, 3), count)
    return nearest(lab, centres), centres


def cluster_centres(colours, count):
    """Centres float32 (K, 3) of colours (N, 3), the lightest first; K is `count`, or N where there are no more."""
    sample = np.ascontiguousarray(colours, np.float32)
    if len(sample) <= 1:  # OpenCV would take the channels for colours
        return sample
    count = min(count, len(sample))
    rank = np.argsort(np.argsort(sample[:, 0], kind="stable"), kind="stable")
    first = (rank * count // len(sample)).astype(np.int32)[:, None]
    stop = cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, ROUNDS, 0.5
    centres = cv2.kmeans(sample, count, first, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)[2]
    return centres[np.argsort(-centres[:, 0], kind="stable")]


def nearest(lab, centres):
    """Number of the nearest of centres (K, 3) to each colour of (..., 3): int, of its shape."""
    # |c - x|^2 less |x|^2, which is the same for all centres.
    distances = (centres**2).sum(axis=1) - 2 * (lab.astype(np.float32) @ centres.T)
    return distances.argmin(axis=-1)


def light_stretches(lab, numbers):
    """Straight stretches of the contours of light regions, strongest first: float (N, 4), from x, y to x, y, px.

    lab: uint8 (H, W, 3). numbers: clusters int (H, W), 0 the lightest. The lighter side is to the right of each, which
    is the inside of a sheet that they go round clockwise.
    """
    shape = numbers.shape
    opening, closing = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (OPENING_PX, CLOSING_PX))
    found = []
    for lightest in range(numbers.max()):
        region = (numbers <= lightest).astype(np.uint8)
        closed = cv2.morphologyEx(region, cv2.MORPH_CLOSE, closing)
        for one in (region, closed):
            outlines = cv2.findContours(cv2.morphologyEx(one, cv2.MORPH_OPEN, opening), cv2.RETR_EXTERNAL,
                                        cv2.CHAIN_APPROX_NONE)[0]
            found += [_long_edges(outline, shape) for outline in outlines
                      if cv2.contourArea(outline) >= MIN_REGION_SHARE * region.size]
    stretches = np.concatenate(found) if found else np.zeros((0, 4))
    lighter = _lighter_inside(stretches, lab)
    kept = lighter >= MIN_LIGHTER
    strength = np.linalg.norm(stretches[:, 2:] - stretches[:, :2], axis=1) * np.minimum(lighter, MAX_LIGHTER)
    return _merged(stretches[kept], strength[kept])[:STRETCHES]


def _long_edges(outline, shape):
    """Long edges (N, 4) of the polygon around a contour, clockwise, but those along the border of an image (h, w)."""
    polygon = cv2.approxPolyDP(outline, POLYGON_PX, True)[:, 0].astype(np.float64)
    if cv2.contourArea(polygon.astype(np.float32), oriented=True) < 0:
        polygon = polygon[::-1]
    following = np.roll(polygon, -1, axis=0)
    last = np.array([shape[1], shape[0]]) - 3
    on_border = (((polygon <= 2) & (following <= 2)) | ((polygon >= last) & (following >= last))).any(axis=1)
    is_long = np.linalg.norm(following - polygon, axis=1) > MIN_STRETCH * np.hypot(*shape)
    return np.column_stack([polygon, following])[is_long & ~on_border]


def _lighter_inside(stretches, lab):
    """By how much the right of stretches (N, 4) is lighter than the left, median along each: (N,)."""
    start, end = stretches[:, None, :2], stretches[:, None, 2:]
    points = start + (end - start) * _shares(16)[:, None]
    across = _right_of(end - start)
    inside, outside = (_colours(lab, points + side * BESIDE_PX * across)[0][..., 0] for side in (1, -1))
    return np.median(inside - outside, axis=1) if len(stretches) else np.zeros(0)


def _shares(count):
    return (np.arange(count) + 0.5) / count


def _right_of(vectors):
    """Unit vectors (..., 2) to the right of others, y down."""
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1) / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _colours(lab, points):
    """Colours float32 (..., 3) of the pixels at points (..., 2), and whether these lie in the image: bool (...)."""
    limits = np.array([lab.shape[1], lab.shape[0]])
    places = np.rint(points).astype(int)
    within = np.all((places >= 0) & (places < limits), axis=-1)
    places = np.clip(places, 0, limits - 1)
    return lab[places[..., 1], places[..., 0]].astype(np.float32), within


def _merged(stretches, strength):
    """Stretches (N, 4) without those that lie on a stronger one; what is seen in several unions counts for more."""
    kept, weights = [], []
    for number in np.argsort(-strength, kind="stable")[: 4 * STRETCHES]:
        start, end = stretches[number, :2], stretches[number, 2:]
        direction = (end - start) / np.linalg.norm(end - start)
        for place, other in enumerate(kept):
            along = (other[2:] - other[:2]) / np.linalg.norm(other[2:] - other[:2])
            across = np.array([-along[1], along[0]])
            if (direction @ along > np.cos(np.radians(SAME_DEG))
                    and max(abs((start - other[:2]) @ across), abs((end - other[:2]) @ across)) < SAME_PX):
                weights[place] += 0.25 * strength[number]
                break
        else:
            kept.append(stretches[number])
            weights.append(strength[number])
    return np.array(kept).reshape(-1, 4)[np.argsort(-np.array(weights), kind="stable")]


def quadrilaterals(stretches, shape):
    """Every convex quadrilateral whose sides lie on four stretches (N, 4), in their direction: (M, 4, 2), clockwise.

    shape: (h, w) of the image. A stretch need only be a part of its side: a foot may cover the rest.
    """
    directions = stretches[:, 2:] - stretches[:, :2]
    order = np.argsort(np.arctan2(directions[:, 1], directions[:, 0]), kind="stable")
    stretches, directions = stretches[order], directions[order]
    if len(stretches) < 4:
        return np.zeros((0, 4, 2))
    fours = np.array(list(combinations(range(len(stretches)), 4)))
    # In the order of their directions they turn clockwise, each by a bit less or more than a right angle.
    angles = np.arctan2(directions[:, 1], directions[:, 0])[fours]
    turns = np.diff(np.concatenate([angles, angles[:, :1] + 2 * np.pi], axis=1), axis=1)
    least = np.radians(MIN_TURN_DEG)
    fours = fours[((turns > least) & (turns < np.pi - least)).all(axis=1)]
    units = (directions / np.linalg.norm(directions, axis=1, keepdims=True))[fours]
    starts, ends = stretches[fours, :2], stretches[fours, 2:]
    corners = _crossings(np.roll(starts, 1, axis=1), np.roll(units, 1, axis=1), starts, units)
    lengths = ((np.roll(corners, -1, axis=1) - corners) * units).sum(axis=-1)
    own = [((points - corners) * units).sum(axis=-1) for points in (starts, ends)]
    overlap = np.minimum(own[1], lengths) - np.maximum(own[0], 0)
    height, width = shape
    areas = area(corners) / (height * width)
    margin = MARGIN * max(shape)
    near = ((corners > -margin) & (corners < np.array([width, height]) + margin)).all(axis=(1, 2))
    long_enough = (lengths > MIN_SIDE * np.hypot(*shape)).all(axis=1)
    on_own = (overlap > MIN_OWN_SHARE * lengths).all(axis=1)
    return corners[near & long_enough & on_own & (areas > AREA_LIMITS[0]) & (areas < AREA_LIMITS[1])]


def _crossings(p, u, q, v):
    """Where lines through p along u meet lines through q along v: (..., 2)."""
    return p + (_cross(q - p, v) / _cross(u, v))[..., None] * u


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def area(corners):
    """Areas (N,) of quadrilaterals (N, 4, 2)."""
    x, y = corners[..., 0], corners[..., 1]
    return 0.5 * np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))


def quad_scores(corners, lab):
    """How much each quadrilateral (N, 4, 2), clockwise, looks like a sheet by its sides, area and light: (N,).

    lab: uint8 (H, W, 3). At positions along the sides there is paper within and something else beyond (good), paper on
    both sides (bad: the sheet goes on), no paper within (something covers it, or there is none).
    """
    if not len(corners):
        return np.zeros(0)
    sides = np.roll(corners, -1, axis=1) - corners
    points = corners[:, :, None] + sides[:, :, None] * _shares(POSITIONS)[:, None]
    across = _right_of(sides)[:, :, None]
    inner, inner_seen = _colours(lab, points + BESIDE_PX * across)
    outer, outer_seen = _colours(lab, points - BESIDE_PX * across)
    deeper, _ = _colours(lab, points + DEEPER_PX * across)
    own = np.concatenate([inner, deeper], axis=2).reshape(len(corners), -1, 3)
    level = np.percentile(own[..., 0], 75, axis=1)
    near = (np.abs(own[..., 0] - level[:, None]) < 25)[..., None]
    hue = (own[..., 1:] * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1)

    def is_paper(colours):
        lighter = colours[..., 0] - level[:, None, None]
        chroma = np.linalg.norm(colours[..., 1:] - hue[:, None, None], axis=-1)
        return (lighter > -PAPER_DARKER) & (lighter < PAPER_LIGHTER) & (chroma < PAPER_CHROMA)

    known = inner_seen & outer_seen
    paper = is_paper(inner) & known
    step = (np.linalg.norm(inner - outer, axis=-1) > MIN_STEP) & (inner[..., 0] - outer[..., 0] > -3)
    ends, goes_on = paper & step, paper & ~step & is_paper(outer)

    def share(where):
        return where.mean(axis=(1, 2))

    return (share(ends) - BEYOND_COST * share(goes_on) - COVERED_COST * share(known & ~paper)
            - DARK_COST * share(paper & ~ends & ~goes_on) - OUTSIDE_COST * share(~known)
            + WEAKEST_SIDE_GAIN * np.minimum(ends.mean(axis=2).min(axis=1), WEAKEST_SIDE_LIMIT)
            + AREA_GAIN * np.log(area(corners) / lab[..., 0].size) + LIGHT_GAIN * (level - LIGHT_LEVEL))


def find_sheet(rgb, focal_px=None):
    """The likeliest sheet: (corners float (4, 2) px, in published order, its score), or None without any.

    rgb: uint8 (H, W, 3). focal_px: in its pixels, or None. Scores compare between photos.
    """
    small, scale = shrunk(rgb, SEARCH_LONG_SIDE)
    lab = smooth_lab(small)
    quads = quadrilaterals(light_stretches(lab, clusters(lab)[0]), lab.shape[:2])
    scores, best = quad_scores(quads, lab), None
    for number in finalists(quads, scores):
        quad = quads[number][order_corners(quads[number])]
        score = scores[number] + SHAPE_GAIN * _shape_confidence(quad, lab.shape, focal_px and focal_px * scale.mean())
        if best is None or score > best[1]:
            best = quad, float(score)
    return best and (from_resized(best[0], scale), best[1])


def finalists(quads, scores):
    """Numbers of the quadrilaterals with the best scores, without those that are nearly the same as a better one."""
    chosen = []
    for number in np.argsort(-scores, kind="stable"):
        if len(chosen) == FINALISTS:
            break
        if all(np.abs(quads[number] - quads[other]).max() >= SAME_QUAD_PX for other in chosen):
            chosen.append(number)
    return chosen


def _shape_confidence(quad, shape, focal_px):
    try:
        return decide_sheet(quad, (shape[1], shape[0]), focal_px).confidence
    except ValueError:  # no camera sees a sheet so
        return 0.0


def foot_regions(rgb, corners):
    """Feet with their legs over the sheet, and what hangs together with them beside it: bool (H, W).

    rgb: uint8 (H, W, 3). corners: (4, 2) px of it, in published order, the sheet's.
    """
    lab = smooth_lab(rgb)
    on_sheet = filled_quad(corners, lab.shape[:2])
    px_per_mm = np.sqrt(area(corners[None])[0] / (A4.short_mm * A4.long_mm))
    opening = _disc(OPENING_MM * px_per_mm)
    inside = cv2.erode(on_sheet.astype(np.uint8), _disc(RIM_MM * px_per_mm)) > 0
    if not inside.any():
        return inside
    distance = paper_distance(lab, inside)
    limit = np.clip(otsu(np.minimum(distance[inside], 255)), *PAPER_LIMITS)
    over = cv2.morphologyEx((inside & (distance > limit)).astype(np.uint8), cv2.MORPH_OPEN, opening)
    feet = _large_pieces(over, MIN_FOOT_SHARE * on_sheet.sum())
    if not feet.any():
        return feet
    everywhere = feet | _like_feet(lab, feet, ~on_sheet) | (on_sheet & ~inside & (distance > limit))
    everywhere = cv2.morphologyEx(everywhere.astype(np.uint8), cv2.MORPH_OPEN, opening) | feet
    count, pieces = cv2.connectedComponents(everywhere.astype(np.uint8), connectivity=4)
    has_feet = np.zeros(count, bool)
    has_feet[pieces[feet]] = True
    return _filled(has_feet[pieces])


def filled_quad(corners, shape):
    """Pixels of an image (h, w) within corners (4, 2): bool (h, w)."""
    inside = np.zeros(shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(corners * 16).astype(np.int32)], 1, shift=4)
    return inside > 0


def _disc(diameter_px):
    size = 2 * max(0, int(round(diameter_px / 2))) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def paper_distance(lab, inside):
    """How far each colour of lab uint8 (H, W, 3) is from the paper's, which is the lightest within `inside`, bool
    (H, W), not empty: float32 (H, W), of 255, as if the paper were light; in the dark all colours are near."""
    own = lab[inside]
    paper = np.median(own[own[:, 0] >= np.percentile(own[:, 0], 80) - 10], axis=0)
    off = (lab.astype(np.float32) - paper.astype(np.float32)) * (LIGHT_LEVEL / max(float(paper[0]), DARKEST_PAPER))
    return np.hypot(off[..., 0], CHROMA_WEIGHT * np.hypot(off[..., 1], off[..., 2]))


def otsu(values):
    """Otsu's threshold of values 0..255 (N,)."""
    kind = cv2.THRESH_BINARY | cv2.THRESH_OTSU
    return cv2.threshold(np.ascontiguousarray(values[None], np.uint8), 0, 255, kind)[0]


def _large_pieces(region, least_area):
    """Connected pieces of a region uint8 (H, W) of at least that many pixels: bool (H, W)."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(region, connectivity=4)
    kept = stats[:, cv2.CC_STAT_AREA] >= least_area
    kept[0] = False
    return kept[pieces]


def _filled(region):
    outlines = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = np.zeros(region.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled > 0


def _like_feet(lab, feet, beside):
    """Which pixels beside the sheet are nearer to the feet's colours than to those of the floor: bool (H, W)."""
    if not beside.any():
        return beside
    foot, floor = (cluster_centres(lab[where][:: 1 + where.sum() // SAMPLE], count)
                   for where, count in ((feet, FOOT_CLUSTERS), (beside, FLOOR_CLUSTERS)))
    # A leg beside the sheet makes a cluster there: one that is like a foot is no floor.
    apart = np.linalg.norm(floor[:, None] - foot, axis=-1).min(axis=1)
    floor = floor[apart > min(LIKE_FEET, apart.max() - 1e-3)]
    return beside & (nearest(lab, np.concatenate([foot, floor])) < len(foot))


def without_legs(region, corners):
    """The feet of feet with their legs: bool (H, W). Two feet that touch one another stay one.

    region: bool (H, W), as `foot_regions` gives it. corners: (4, 2) px, the sheet's.
    """
    feet = np.zeros(region.shape, bool)
    sheet_mm = _as_a4(corners)
    image_to_sheet = homography(corners, sheet_mm)
    last = np.array([region.shape[1], region.shape[0]]) - 1
    count, pieces = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    for number in range(1, count):
        pixels = np.argwhere(pieces == number)[:, ::-1]
        at_border = ((pixels < 2) | (pixels > last - 2)).any(axis=1)
        # What the camera sees above its horizon comes back from behind it, far away or mirrored.
        places = transform(image_to_sheet, pixels)
        foot = _is_foot(places, sheet_mm.max(axis=0), at_border)
        feet[pixels[foot, 1], pixels[foot, 0]] = True
    return feet


def _as_a4(corners):
    """Corners (4, 2) mm of a sheet that lies as the one at corners (4, 2) px does; the format hardly matters here."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return corners_mm(A4, "horizontal" if sides[0] + sides[2] > sides[1] + sides[3] else "vertical")


def _is_foot(places, half_sheet, at_border):
    """Which of the places (N, 2) mm of a connected piece are a foot's: bool (N,).

    half_sheet: (2,) mm. at_border: bool (N,), at the photo's border. A foot's tip is what is farthest from where the
    piece leaves sheet and photo, and what is CUT_BREADTHS behind it is leg.
    """
    near_sheet = (np.abs(places) < half_sheet + REACH_MM).all(axis=1)
    leaves = ~(np.abs(places) <= half_sheet).all(axis=1)  # so does a place on the horizon, which is no number
    if leaves.all():  # what foot_regions found there is the rim of something beside the sheet
        return ~leaves
    # Where it crosses the sheet's outline; beside it floor of a foot's colour may hang on.
    leaving = near_sheet & (leaves | at_border) & (np.abs(places) < half_sheet + RIM_REACH_MM).all(axis=1)
    if leaving.sum() < LEAVES_SHARE * (~leaves).sum():
        return near_sheet
    away = np.linalg.norm(places - places[leaving].mean(axis=0), axis=1)
    tip = places[np.where(leaves, 0.0, away).argmax()]
    around = near_sheet & (np.linalg.norm(places - tip, axis=1) < AXIS_MM)
    toes = _long_axis(places[around], tip)
    along, across = places @ toes, places @ np.array([toes[1], -toes[0]])
    near_tip = around & (along > along[around].max() - TIP_MM)
    low, high = np.percentile(across[near_tip], [1, 99])
    middle = (low + high) / 2
    breadth = min(high - low, MAX_BREADTH_MM)
    foot = near_sheet & (along > along[near_tip].max() - CUT_BREADTHS * breadth)
    return foot & (np.abs(across - middle) < WIDTH_SHARE * breadth)


def _long_axis(places, tip):
    """Unit vector (2,) along places (N, 2), towards the tip (2,)."""
    off = places - places.mean(axis=0)
    axis = np.linalg.eigh(off.T @ off)[1][:, 1]
    return axis if axis @ (tip - places.mean(axis=0)) >= 0 else -axis


def pixel_classes(rgb, corners):
    """BACKGROUND, SHEET, and LEFT_FOOT for feet of either side: uint8 (H, W).

    rgb: uint8 (H, W, 3). corners: (4, 2) px of it, in published order, the sheet's.
    """
    regions = foot_regions(rgb, corners)
    labels = np.where(without_legs(regions, corners), LEFT_FOOT, BACKGROUND).astype(np.uint8)
    labels[filled_quad(corners, regions.shape) & ~regions] = SHEET
    return labels


class Classical:
    """The deploy.meter.Answerer without networks."""

    def ask(self, photo):
        """As Answerer.ask. Raises SheetError where nothing is likely to be a sheet."""
        found = find_sheet(photo.rgb, photo.focal_px)
        if found is None:
            raise SheetError("sheet_not_found", NO_SHEET)
        corners, score = found
        small, scale = shrunk(photo.rgb, FOOT_LONG_SIDE)
        labels = pixel_classes(small, to_resized(corners, scale))
        # Its mask's outline is that of the same corners, and no rival of them.
        return Candidate(corners, np.full(4, sureness(score)), True, saw_whole=True), PROBABILITIES[labels]

    def mask_sigma_px(self, size):
        """As Answerer.mask_sigma_px."""
        return MASK_SIGMA_PX * max(1.0, max(size) / FOOT_LONG_SIDE)

    def side_of(self, rgb, sheet_to_image):
        """None: sides are the outline's word."""


def sureness(score):
    """Probability that a sheet of find_sheet's score is right, 0..1."""
    return float(1 / (1 + np.exp(-SURE_SLOPE * (score - SURE_SCORE))))
