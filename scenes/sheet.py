"""The sheet of paper: its formats, its corners and their order, and homographies between it and the image.

Sheet frame: millimetres, right-handed, origin at the centre of the sheet; seen from above x points right, y
up (away from the viewer) and z out of the paper towards the eye. Image frame: pixels, x right, y down, pixel
centres at integers.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SheetFormat:
    """A paper format: `name` as used in JSON and on the command line, sides in millimetres."""

    name: str
    short_mm: float
    long_mm: float


A4 = SheetFormat("a4", 210.0, 297.0)
LETTER = SheetFormat("letter", 215.9, 279.4)
FORMATS = {"a4": A4, "letter": LETTER}
LONG_SIDES = ("vertical", "horizontal")


def corners_mm(fmt, long_side="vertical"):
    """Corners of a sheet in its own frame: float64 (4, 2), millimetres, clockwise seen from above from
    top-left.

    fmt: SheetFormat. long_side: "vertical" (the long side along y) or "horizontal" (along x).
    Raises ValueError for another long_side.
    """
    if long_side not in LONG_SIDES:
        raise ValueError(f"long_side is {long_side!r}; it must be one of {', '.join(LONG_SIDES)}")
    width, height = (fmt.short_mm, fmt.long_mm) if long_side == "vertical" else (fmt.long_mm, fmt.short_mm)
    return np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) * np.array([width / 2, height / 2])


def order_corners(points):
    """Permutation that puts four image points in published order.

    points: (4, 2), pixels. Returns int (4,) such that points[order] goes clockwise in the image (y down)
    round the centroid and starts with the smallest x + y (of equals, the smaller y). The order of `points`
    does not matter as long as no two points coincide. Raises ValueError unless points is a finite (4, 2)
    array.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.shape != (4, 2) or not np.isfinite(points).all():
        raise ValueError(f"corners have shape {points.shape}; four finite x, y pairs are needed")
    # Summing sorted coordinates makes the centroid, hence the answer, bit-equal for every order of the input.
    centroid = np.sort(points, axis=0).sum(axis=0) / 4
    # With y down the angle grows clockwise.
    angles = np.arctan2(points[:, 1] - centroid[1], points[:, 0] - centroid[0])
    clockwise = np.lexsort((points[:, 0], points[:, 1], angles))
    first = np.lexsort((points[clockwise, 1], points[clockwise].sum(axis=1)))[0]
    return np.roll(clockwise, -first)


def mean_side(corners):
    """Mean length of the four sides between corners (4, 2), in their own unit."""
    corners = np.asarray(corners, np.float64)
    return float(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).mean())


def homography(source, target):
    """Homography from `source` to `target` points: float64 (3, 3), scaled so that its Frobenius norm is 1.

    source, target: (N, 2), N >= 4, any frame and unit. Normalised direct linear transform (Hartley, "In
    defense of the eight-point algorithm", PAMI 1997; Hartley & Zisserman, algorithm 4.2): exact for N = 4,
    least squares of the algebraic error above. The sign makes the third homogeneous coordinate of the
    sources' mean positive. Raises ValueError for other shapes, numbers that are not finite, or points of
    which three of four lie on a line.
    """
    source = np.asarray(source, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[0] < 4 or source.shape[1] != 2:
        raise ValueError(f"source {source.shape} and target {target.shape} must both be (N, 2) with N >= 4")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("homography of points that are not finite: drop or find the missing points first")
    from_source, from_target = _normalisation(source), _normalisation(target)
    x, y = transform(from_source, source).T
    u, v = transform(from_target, target).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows_u = np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], axis=1)
    rows_v = np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], axis=1)
    _, singular, right = np.linalg.svd(np.concatenate([rows_u, rows_v]))
    matrix = right[-1].reshape(3, 3)
    if singular[7] < 1e-9 * singular[0] or abs(np.linalg.det(matrix)) < 1e-9:
        raise ValueError("the points lie (nearly) on a line: no three of four corners may be collinear")
    matrix = np.linalg.inv(from_target) @ matrix @ from_source
    matrix = matrix / np.linalg.norm(matrix)
    return matrix if matrix[2] @ np.append(source.mean(axis=0), 1.0) > 0 else -matrix


def _normalisation(points):
    """Similarity (3, 3) that moves points (N, 2) to mean 0 and root mean square distance sqrt(2)."""
    mean = points.mean(axis=0)
    spread = np.sqrt(((points - mean) ** 2).sum(axis=1).mean())
    if spread == 0:
        raise ValueError("all points coincide: a homography needs four different ones")
    scale = np.sqrt(2) / spread
    return np.array([[scale, 0, -scale * mean[0]], [0, scale, -scale * mean[1]], [0, 0, 1]])


def transform(matrix, points):
    """Apply a homography or affine map: matrix (3, 3), points (N, 2) -> float64 (N, 2).

    Points on the line that the matrix sends to infinity come back as inf or nan, without a warning.
    """
    points = np.asarray(points, dtype=np.float64)
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return homogeneous[:, :2] / homogeneous[:, 2:]
