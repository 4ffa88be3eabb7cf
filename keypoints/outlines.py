"""The sheet as a whole in a heatmap: where it lies, covered or not, as a map of its interior, and the four straight
edges of such a map.

A covered corner leaves no mark of its own in a photo. Its two edges do, where they come out from under what covers it:
the corner is where they meet. Frames are those of keypoints.peaks; a quadrangle is (4, 2), clockwise, in heatmap
pixels.
"""

from itertools import combinations

import cv2
import numpy as np

from keypoints.peaks import to_heatmap
from scenes.sheet import order_corners

FINER, SHIFT = 4, 4  # quadrangles are drawn so many times as large, with so many bits for parts of a pixel
SMALLEST_PX = 9.0  # interiors of less are no sheet
SAMPLES = 24  # points along an edge
END = 0.06  # of an edge, left out at both ends: corners of a map are round
REACH_PX = (4.0, 2.5, 1.5, 1.5)  # how far across an edge the map is looked at, pass by pass
STEP_PX = 0.25
FIRM = 0.02  # weight of the place that an edge has already: one that is covered stays there
OFF_PX = 0.5  # a point this far from its edge's line has half the say at the second look
_NEXT, _BEFORE = [1, 2, 3, 0], [3, 0, 1, 2]  # corners going round; four times as fast as numpy.roll


def encode_interior(corners_px, size, stride):
    """Where the sheet is: the share of each heatmap pixel that the quadrangle fills.

    corners_px: (4, 2) input pixels, clockwise, inside the input or not. size: (height, width) of the map. Returns
    float32 (height, width); all -1, which is no share, where a corner is not finite.
    """
    if not np.isfinite(corners_px).all():
        return np.full(size, -1.0, np.float32)
    return filled(to_heatmap(corners_px, stride), size)


def filled(quad, size):
    """The share of each pixel of a map of `size` (height, width) inside a quadrangle: float32, right to 0.25."""
    height, width = size
    finer = np.zeros((height * FINER, width * FINER), np.uint8)
    # OpenCV fills all pixels that the border touches: half a fine pixel too many on every side.
    points = (_shrunk(np.asarray(quad, np.float64), 0.5 / FINER) + 0.5) * FINER - 0.5
    cv2.fillConvexPoly(finer, _fixed_point(points), 255, shift=SHIFT)
    return cv2.resize(finer, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _fixed_point(points):
    """Points as OpenCV draws them: int32, with SHIFT bits for parts of a pixel."""
    return np.maximum(np.minimum(np.round(points * 2**SHIFT), 2**26), -(2**26)).astype(np.int32)


def _shrunk(quad, distance):
    """The quadrangle with each edge moved inwards."""
    lines = lines_of(quad)
    lines[:, 2] -= distance
    return meeting(lines, quad)


def lines_of(quad):
    """Edges k to k + 1 of a quadrangle going round clockwise (y down) as (4, 3): (a, b, c) with a x + b y + c = 0, unit
    normals (a, b), above zero inside."""
    edges = quad[_NEXT] - quad
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return np.column_stack([normals, -(normals * quad).sum(axis=1)])


def meeting(lines, otherwise):
    """Corner k, where lines k - 1 and k meet: (4, 2). Those of `otherwise` where they are all but parallel."""
    before = lines[_BEFORE]
    determinant = before[:, 0] * lines[:, 1] - before[:, 1] * lines[:, 0]
    safe = np.where(np.abs(determinant) < 0.05, 1.0, determinant)
    x = (before[:, 1] * lines[:, 2] - before[:, 2] * lines[:, 1]) / safe
    y = (before[:, 2] * lines[:, 0] - before[:, 0] * lines[:, 2]) / safe
    return np.where((np.abs(determinant) < 0.05)[:, None], otherwise, np.stack([x, y], axis=1))


def area(quad):
    """Of a quadrangle, in square heatmap pixels."""
    x, y = np.asarray(quad, np.float64).T
    return float(abs(x @ y[_NEXT] - y @ x[_NEXT]) / 2)


def overlap(quad, share):
    """How far a quadrangle is the interior of a map `share` (height, width) in [0, 1]: soft intersection over union."""
    inside = filled(quad, share.shape)
    return float(np.minimum(inside, share).sum() / max(np.maximum(inside, share).sum(), 1e-9))


def rough_overlap(quad, share):
    """`overlap` with whole pixels, a tenth of the work; a border pixel too large."""
    inside = np.zeros(share.shape, np.uint8)
    cv2.fillConvexPoly(inside, _fixed_point(np.asarray(quad)), 1, shift=SHIFT)
    common = share[inside > 0].sum()
    return float(common / max(share.sum() + inside.sum() - common, 1e-9))


def quadrangles(points):
    """Convex quadrangles, clockwise, that points (N, 2) may be corners of: every four, and every three with the fourth
    that makes a parallelogram, opposite each of them in turn."""
    found = [np.array(four) for four in combinations(points, 4)]
    for three in combinations(points, 3):
        for k in range(3):
            beside, opposite = (three[(k + 1) % 3], three[(k + 2) % 3]), three[k]
            found.append(np.array([*three, beside[0] + beside[1] - opposite]))
    found = [quad[order_corners(quad)] for quad in found]
    return [quad for quad in found if is_convex(quad)]


def is_convex(quad):
    """Whether a quadrangle turns right at each of its corners."""
    edges = quad[_NEXT] - quad
    return bool((_cross(edges, edges[_NEXT]) > 0).all())


def outline(share):
    """The quadrangle round the largest piece of a map of the interior (height, width) in [0, 1], clockwise; None where
    there is nothing of a sheet's size."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((share > 0.5).astype(np.uint8), connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < SMALLEST_PX:
        return None
    contours, _ = cv2.findContours((pieces == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(contours[0])[:, 0].astype(np.float64)  # clockwise where y is down
    if len(hull) < 4:
        return None
    if _cross(hull[1] - hull[0], hull[2] - hull[1]) < 0:
        hull = hull[::-1]
    return _four_sides(hull)


def _cross(first, second):
    """Of vectors (..., 2): (...); above zero where the second is clockwise of the first (y down)."""
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _four_sides(hull):
    """A convex polygon with its edges taken out one by one, each time the one whose neighbours, going on until they
    meet, add the least area; four are left, or None."""
    while len(hull) > 4:
        following, second = np.roll(hull, -1, axis=0), np.roll(hull, -2, axis=0)
        before = np.roll(hull, 1, axis=0)
        ahead, back, edge = hull - before, following - second, following - hull
        determinant = _cross(ahead, back)
        meets = determinant < -1e-9  # edges that run apart never meet
        along = _cross(edge, back) / np.where(meets, determinant, 1.0)
        apex = hull + along[:, None] * ahead
        added = np.where(meets & (along >= 0), np.abs(_cross(edge, apex - hull)), np.inf)
        k = int(np.argmin(added))
        if not np.isfinite(added[k]):
            return None
        hull = np.array([apex[k] if i == k else point for i, point in enumerate(hull) if i != (k + 1) % len(hull)])
    return hull if len(hull) == 4 else None


def fitted(quad, share):
    """A quadrangle moved onto the border of a map of the interior, each edge as a straight line: (4, 2).

    Across each edge the map is followed at SAMPLES points; a point counts by how steeply the map rises there, so that
    the part of an edge that the network sees decides, and an edge that it does not see stays where it is.
    """
    along = np.linspace(END, 1 - END, SAMPLES)[:, None]
    for reach in REACH_PX:
        lines = lines_of(quad)
        points = quad[:, None] + (quad[_NEXT] - quad)[:, None] * along
        normals = lines[:, None, :2]
        place, weight = _rises(share, points, normals, np.arange(-reach, reach + STEP_PX / 2, STEP_PX))
        quad = meeting(_lines(points + place[..., None] * normals, weight, points, lines), quad)
    return quad


def _rises(share, points, normals, offsets):
    """Where the map rises across the edges: (offset, weight), both (4, n).

    points: (4, n, 2), n of each edge. normals: (4, 1, 2), inwards. The offset is the mean place of the rise; the weight
    is the rise itself, in [0, 1], over its spread squared; 0 for points outside the map.
    """
    places = (points[:, :, None] + offsets[:, None] * normals[:, :, None]).astype(np.float32)
    rows = places.reshape(-1, len(offsets), 2)
    profile = cv2.remap(share, rows[..., 0], rows[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rise = np.maximum(np.diff(profile, axis=1), 0.0)
    middle = (offsets[1:] + offsets[:-1]) / 2
    total = rise.sum(axis=1)
    safe = np.maximum(total, 1e-6)
    mean = rise @ middle / safe
    spread = np.sqrt((rise * (middle - mean[:, None]) ** 2).sum(axis=1) / safe)
    weight = (np.minimum(total, 1.0) / (0.5 + spread) ** 2).reshape(points.shape[:2])
    height, width = share.shape
    inside = ((points >= 0) & (points <= [width - 1, height - 1])).all(axis=-1)
    return mean.reshape(points.shape[:2]), np.where(inside, weight, 0.0)


def _lines(found, weight, expected, before):
    """The lines of weighted least squares through the points of each edge: (4, 3), as lines_of has them.

    found: (4, n, 2), with weight (4, n). expected: (4, n, 2), where they were; they hold the line a little. before: (4,
    3), the lines until now, which tell the inside.
    """
    points = np.concatenate([found, expected], axis=1)
    held = np.full(weight.shape, FIRM)
    for _ in range(2):
        weights = np.concatenate([weight, held], axis=1)[..., None]
        centre = (weights * points).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
        across, down = points[..., 0] - centre[..., 0], points[..., 1] - centre[..., 1]
        xx, yy, xy = ((weights[..., 0] * part).sum(axis=1) for part in (across**2, down**2, across * down))
        direction = 0.5 * np.arctan2(2 * xy, xx - yy)  # of the largest spread
        normals = np.stack([-np.sin(direction), np.cos(direction)], axis=1)
        normals *= np.where((normals * before[:, :2]).sum(axis=1) < 0, -1.0, 1.0)[:, None]
        away = ((found - centre) * normals[:, None]).sum(axis=-1)
        weight = weight / (1 + (away / OFF_PX) ** 2)
    return np.column_stack([normals, -(normals * centre[:, 0]).sum(axis=1)])
