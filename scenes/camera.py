"""The pinhole camera that took a photo: its focal length and pose from the four corners of the sheet.

Camera frame as in OpenCV: x right, y down, z forward, millimetres. Sheet frame as in `scenes.sheet`: z up
out of the paper. No lens distortion: phones correct most of it before they save the photo.

A rectangle of known sides seen in perspective gives two equations on the camera (Z. Zhang, "A flexible new
technique for camera calibration", PAMI 2000): the two axes of the sheet are at a right angle, and their
lengths are as the sides. They fix the focal length where the sheet is tilted enough, and tell formats and
turns apart (Z. Zhang and L.-W. He, "Whiteboard scanning and image enhancement", Digital Signal Processing
2007).
"""

from dataclasses import dataclass
from math import atan2, degrees, exp, hypot, isfinite, log

import cv2
import numpy as np

from scenes.sheet import FORMATS, LONG_SIDES, corners_mm

# Diagonal of the 24 x 36 mm film frame, to which "35 mm equivalent" focal lengths refer (CIPA DCG-001).
FILM_DIAGONAL_MM = hypot(24.0, 36.0)
# Main cameras of phones are 23 to 28 mm equivalent; 26 mm is the commonest. In units of the photo's diagonal
# a focal length is its equivalent over the film's diagonal: 26 / 43.27 = 0.601.
DEFAULT_FOCAL_DIAGONALS = 26.0 / FILM_DIAGONAL_MM
# Standard deviation of log focal around that default: two of them span 16 to 43 mm, from ultra-wide to
# portrait lenses and moderate crops.
DEFAULT_FOCAL_LOG_SIGMA = 0.25
# EXIF focal lengths: whole millimetres of 26 are 2 % wide, focusing near lengthens a lens by 1 to 2 %, and
# video crops and corrected distortion shift it by as much again.
EXIF_FOCAL_LOG_SIGMA = 0.03
# 35 mm equivalents of 10 to 430 mm: outside, a header is wrong.
FOCAL_DIAGONALS_RANGE = (0.23, 10.0)
# A focal length searched for on the sheet lies within these (13 to 130 mm equivalent).
SEARCH_DIAGONALS_RANGE = (0.3, 3.0)
SEARCH_STEPS = 161

# How far a found corner is off, per coordinate, as a share of the photo's diagonal.
CORNER_SIGMA_DIAGONALS = 0.0015
# What no corner noise explains (paper that is not flat, residual distortion, a cropped photo whose middle is
# not the principal point): log of the sides' ratio, and the angle between the sides in radians.
MODEL_SIGMA = 0.008
# Share of photos in which a corner is simply wrong; then the corners say nothing about the format.
OUTLIER_SHARE = 1e-3
FORMAT_PRIOR = {"a4": 0.6, "letter": 0.4}

_EXIF_IFD = 0x8769
_FOCAL_LENGTH, _EXIF_WIDTH, _EXIF_HEIGHT = 0x920A, 0xA002, 0xA003
_PLANE_X_RESOLUTION, _PLANE_UNIT, _FOCAL_35MM = 0xA20E, 0xA210, 0xA405
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


def _intrinsics(focal_px, center_px):
    """(3, 3): camera millimetres to homogeneous pixels, square ones."""
    return np.array([[focal_px, 0, center_px[0]], [0, focal_px, center_px[1]], [0, 0, 1]])


def _finite_array(name, value, shape):
    """value as a new float64 array of that shape, or ValueError that names it."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"camera {name} is {value!r:.80}; it must be finite numbers of shape {shape}")
    return array


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with square pixels over a sheet.

    focal_px: focal length in pixels. center_px: float64 (2,), principal point; None stands for the middle of
    the photo, ((width - 1) / 2, (height - 1) / 2). rotation: float64 (3, 3), sheet to camera.
    translation_mm: float64 (3,), the sheet's origin in the camera frame. width, height: photo in pixels. A
    sheet point p projects to focal_px * q[:2] / q[2] + center_px with q = rotation @ p + translation_mm.
    """

    focal_px: float
    center_px: np.ndarray
    rotation: np.ndarray
    translation_mm: np.ndarray
    width: int
    height: int

    def __post_init__(self):
        center = ((self.width - 1) / 2, (self.height - 1) / 2) if self.center_px is None else self.center_px
        for name, value, shape in (("center_px", center, (2,)), ("rotation", self.rotation, (3, 3)),
                                   ("translation_mm", self.translation_mm, (3,))):
            array = _finite_array(name, value, shape)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "focal_px", float(_finite_array("focal_px", self.focal_px, ())))
        if self.focal_px <= 0:
            raise ValueError(f"camera focal_px is {self.focal_px}; it must be a positive number of pixels")

    @property
    def matrix(self):
        """Intrinsic matrix (3, 3), camera millimetres to homogeneous pixels."""
        return _intrinsics(self.focal_px, self.center_px)

    @property
    def position_mm(self):
        """Camera centre in the sheet frame, (3,), millimetres."""
        return -self.rotation.T @ self.translation_mm

    @property
    def height_mm(self):
        """Height of the camera centre over the sheet's plane."""
        return float(self.position_mm[2])

    @property
    def tilt_deg(self):
        """Angle between the line of sight and straight down, 0..180 degrees."""
        x, y, z = self.rotation[2]  # the line of sight, in the sheet frame
        return degrees(atan2(hypot(x, y), -z))

    @property
    def sheet_to_image(self):
        """Homography (3, 3) from sheet x, y in millimetres to pixels; positive third coordinate is before
        the camera."""
        return self.matrix @ np.column_stack([self.rotation[:, :2], self.translation_mm])

    def project(self, points_mm):
        """Sheet points (N, 3), mm -> pixels (N, 2); nan for points that are not before the camera."""
        points = np.asarray(points_mm, dtype=np.float64) @ self.rotation.T + self.translation_mm
        depth = np.where(points[:, 2:] > 0, points[:, 2:], np.nan)
        return self.focal_px * points[:, :2] / depth + self.center_px

    def backproject(self, points_px, height_mm=0.0):
        """Pixels (N, 2) -> sheet x, y (N, 2), mm, of what is seen there at `height_mm` over the sheet.

        height_mm: one number or one for each point, (N,). nan where the line of sight does not reach that
        height.
        """
        points = np.asarray(points_px, dtype=np.float64)
        rays = np.column_stack([(points - self.center_px) / self.focal_px, np.ones(len(points))])
        rays = rays @ self.rotation  # camera to sheet: the transpose, on row vectors
        position = self.position_mm
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (height_mm - position[2]) / rays[:, 2]
        along = np.where(np.isfinite(along) & (along > 0), along, np.nan)[:, None]
        return position[:2] + along * rays[:, :2]

    def enlarged(self, factor, size):
        """The same camera for the photo enlarged by a factor: pixel x becomes (x + 0.5) * factor - 0.5. size: (width,
        height) of the enlarged photo."""
        center = (self.center_px + 0.5) * factor - 0.5
        return Camera(self.focal_px * factor, center, self.rotation, self.translation_mm, *size)

    def to_json(self):
        """Plain dict of numbers and lists; `Camera.from_json` makes an equal camera of it."""
        return {"focal_px": self.focal_px, "center_px": self.center_px.tolist(),
                "rotation": self.rotation.tolist(), "translation_mm": self.translation_mm.tolist(),
                "width": int(self.width), "height": int(self.height)}

    @classmethod
    def from_json(cls, document):
        """Camera from what `to_json` gave. Raises ValueError that names a missing or wrong key."""
        keys = ("focal_px", "center_px", "rotation", "translation_mm", "width", "height")
        missing = [key for key in keys if key not in document]
        if missing:
            raise ValueError(f"camera lacks {', '.join(missing)}")
        return cls(*(document[key] for key in keys))


@dataclass(frozen=True)
class Rival:
    """What the sheet may be as well: SheetFormat, long side as in SheetDecision, posterior probability 0..1."""

    format: object
    long_side: str
    probability: float


@dataclass(frozen=True)
class SheetDecision:
    """What the sheet is and the camera that follows.

    format: SheetFormat. long_side: "vertical" (corner 0 to 1 is the short side) or "horizontal". confidence:
    0..1, posterior probability of that format and side together. camera: Camera. focal_from: "exif",
    "sheet", "default". rivals: a Rival for every other format and side that was weighed, likeliest first.
    """

    format: object
    long_side: str
    confidence: float
    camera: Camera
    focal_from: str
    rivals: tuple = ()


def focal_from_exif(exif, width, height):
    """Focal length in pixels of a photo that is width x height pixels, or None where its header does not
    tell.

    exif: PIL.Image.Exif or a flat dict of EXIF tag numbers. FocalLengthIn35mmFilm is taken first (by
    diagonals, as CIPA DCG-001 defines it), then FocalLength with the focal plane's resolution, which counts
    the pixels of the photo as it was taken: PixelXDimension tells how much it was shrunk since. Nothing that
    a header may hold raises.
    """
    tags = dict(exif)
    if hasattr(exif, "get_ifd"):
        tags.update(exif.get_ifd(_EXIF_IFD))
    diagonal = hypot(width, height)
    equivalent = _positive(tags.get(_FOCAL_35MM))
    if equivalent:
        focal = equivalent / FILM_DIAGONAL_MM * diagonal
        if FOCAL_DIAGONALS_RANGE[0] < focal / diagonal < FOCAL_DIAGONALS_RANGE[1]:
            return focal
    length = _positive(tags.get(_FOCAL_LENGTH))
    resolution = _positive(tags.get(_PLANE_X_RESOLUTION))
    unit_mm = _UNIT_MM.get(tags.get(_PLANE_UNIT, 2))
    if not (length and resolution and unit_mm):
        return None
    taken = hypot(_positive(tags.get(_EXIF_WIDTH)) or 0, _positive(tags.get(_EXIF_HEIGHT)) or 0) or diagonal
    focal = length * resolution / unit_mm * diagonal / taken
    return focal if FOCAL_DIAGONALS_RANGE[0] < focal / diagonal < FOCAL_DIAGONALS_RANGE[1] else None


def _positive(value):
    """float(value) where that is a positive finite number, else None: headers hold 0, 0/0 and text."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if isfinite(number) and number > 0 else None


def camera_from_corners(corners_px, corners_mm, size, focal_px=None, sigmas_px=None):
    """The camera that sees sheet corners at given pixels: (Camera, focal_from).

    corners_px: (4, 2), pixels, clockwise. corners_mm: (4, 2), the same corners in the sheet frame, as
    `scenes.sheet.corners_mm` gives them. size: (width, height) of the photo. focal_px: known focal length or
    None. sigmas_px: (4,), how far each corner may be off, standard deviations per coordinate; None: all alike,
    by CORNER_SIGMA_DIAGONALS.

    The principal point is the photo's middle. A given focal length is kept ("exif"). Else the one is
    searched for that best agrees with the corners and with what phones have ("sheet"); where the corners
    tell less than the habit of phones (views from nearly straight above), the default is kept ("default").
    The pose minimises the reprojection error. Raises ValueError where the corners are not a convex
    quadrilateral, clockwise, seen from above.
    """
    corners_px, sigmas_px = _checked_quad(corners_px), _checked_sigmas(sigmas_px, size)
    corners_mm = np.asarray(corners_mm, dtype=np.float64)
    diagonal = hypot(*size)
    if focal_px is not None:
        return _fit_pose(corners_px, corners_mm, size, sigmas_px, float(focal_px), focal_log_sigma=0.0), "exif"
    log_focals = np.linspace(*np.log(SEARCH_DIAGONALS_RANGE), SEARCH_STEPS) + log(diagonal)
    width, height = np.ptp(corners_mm, axis=0)
    misfit = _misfit(corners_px, sigmas_px, size, np.exp(log_focals), log(width / height))
    default = log(DEFAULT_FOCAL_DIAGONALS * diagonal)
    weights = np.exp(-0.5 * (misfit - misfit.min()))
    mean = weights @ log_focals / weights.sum()
    told_sigma = np.sqrt(weights @ (log_focals - mean) ** 2 / weights.sum())
    if told_sigma > DEFAULT_FOCAL_LOG_SIGMA:
        return _fit_pose(corners_px, corners_mm, size, sigmas_px, exp(default), focal_log_sigma=0.0), "default"
    best = np.argmin(misfit + ((log_focals - default) / DEFAULT_FOCAL_LOG_SIGMA) ** 2)
    camera = _fit_pose(corners_px, corners_mm, size, sigmas_px, exp(log_focals[best]), DEFAULT_FOCAL_LOG_SIGMA)
    return camera, "sheet"


def decide_sheet(corners_px, size, focal_px=None, formats=("a4", "letter"), sigmas_px=None):
    """Which format lies there, which side is the long one, and the camera: SheetDecision.

    corners_px: (4, 2), pixels, published order. size: (width, height) of the photo. focal_px: from EXIF, or
    None. formats: names in `scenes.sheet.FORMATS` to choose from; one name decides the long side alone. sigmas_px:
    as `camera_from_corners` takes them.

    Each of the (format, long side) pairs is weighed by how well a camera with square pixels, a centred
    principal point and a likely focal length explains the corners: the sides' ratio and right angle that the
    corners show at a focal length are Gaussian around the true ones, with the corners' noise carried
    through; the focal length is integrated out over a log-normal prior (narrow round EXIF's, wide round a
    phone's). Raises as `camera_from_corners` does, and KeyError for an unknown format.
    """
    corners_px, sigmas_px = _checked_quad(corners_px), _checked_sigmas(sigmas_px, size)
    diagonal = hypot(*size)
    center, sigma = ((focal_px, EXIF_FOCAL_LOG_SIGMA) if focal_px is not None
                     else (DEFAULT_FOCAL_DIAGONALS * diagonal, DEFAULT_FOCAL_LOG_SIGMA))
    deviations = np.linspace(-3.5, 3.5, 57)
    focals = center * np.exp(sigma * deviations)
    log_prior = -0.5 * deviations ** 2
    log_prior -= np.log(np.exp(log_prior).sum())
    hypotheses, scores = [], []
    for name in formats:
        for long_side in LONG_SIDES:
            width, height = np.ptp(corners_mm(FORMATS[name], long_side), axis=0)
            misfit = _misfit(corners_px, sigmas_px, size, focals, log(width / height))
            hypotheses.append((FORMATS[name], long_side))
            scores.append(np.logaddexp.reduce(log_prior - 0.5 * misfit) + log(FORMAT_PRIOR[name]))
    scores = np.array(scores)
    best = int(np.argmax(scores))
    guarded = np.logaddexp(scores, log(OUTLIER_SHARE))
    probabilities = np.exp(guarded - np.logaddexp.reduce(guarded))
    rivals = tuple(Rival(*hypotheses[k], float(probabilities[k])) for k in np.argsort(-scores)[1:])
    fmt, long_side = hypotheses[best]
    camera, focal_from = camera_from_corners(corners_px, corners_mm(fmt, long_side), size, focal_px, sigmas_px)
    return SheetDecision(fmt, long_side, float(probabilities[best]), camera, focal_from, rivals)


def _checked_quad(corners_px):
    """Corners as float64 (4, 2), or ValueError unless they turn clockwise (y down) at all four."""
    corners = np.ascontiguousarray(corners_px, dtype=np.float64)  # OpenCV takes no strided views
    if corners.shape != (4, 2) or not np.isfinite(corners).all():
        raise ValueError(f"corners have shape {corners.shape}; four finite x, y pairs are needed")
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    lengths = np.linalg.norm(after, axis=1)
    if not (turns > 1e-6 * lengths * np.roll(lengths, 1)).all():
        raise ValueError(f"corners {corners.round(1).tolist()} are no convex quadrilateral, clockwise: "
                         "put them in order with scenes.sheet.order_corners, or find them again")
    return corners


def _checked_sigmas(sigmas_px, size):
    """Standard deviations float64 (4,), all CORNER_SIGMA_DIAGONALS for None, or ValueError unless positive."""
    if sigmas_px is None:
        return np.full(4, CORNER_SIGMA_DIAGONALS * hypot(*size))
    sigmas = np.asarray(sigmas_px, dtype=np.float64)
    if sigmas.shape != (4,) or not (np.isfinite(sigmas) & (sigmas > 0)).all():
        raise ValueError(f"sigmas_px is {sigmas_px!r:.80}; it must be four positive numbers of pixels, one a corner")
    return sigmas


def _misfit(corners_px, sigmas_px, size, focals_px, log_aspect):
    """Chi-square (2 degrees of freedom) of the corners against a sheet of width / height exp(log_aspect):
    (F,).

    corners_px: (4, 2). focals_px: (F,), focal lengths to try. Distance is in units of what corners off by
    sigmas_px (4,) in each coordinate do to ratio and angle, together with MODEL_SIGMA.
    """
    shifts = np.diag(np.repeat(sigmas_px, 2)).reshape(8, 4, 2)
    centered = corners_px - (np.array(size) - 1) / 2
    seen = _ratio_and_angle(np.concatenate([centered[None], centered + shifts, centered - shifts]), focals_px)
    spread = (seen[1:9] - seen[9:]) / 2  # (8, F, 2): one standard deviation of each coordinate
    ratio, angle = seen[0, :, 0] - log_aspect, seen[0, :, 1]
    ratio_var = (spread[..., 0] ** 2).sum(axis=0) + MODEL_SIGMA ** 2
    angle_var = (spread[..., 1] ** 2).sum(axis=0) + MODEL_SIGMA ** 2
    covariance = (spread[..., 0] * spread[..., 1]).sum(axis=0)
    determinant = ratio_var * angle_var - covariance ** 2
    return (ratio ** 2 * angle_var - 2 * ratio * angle * covariance + angle ** 2 * ratio_var) / determinant


def _ratio_and_angle(quads, focals_px):
    """What rectangles the quads are at given focal lengths: float64 (B, F, 2).

    quads: (B, 4, 2), pixels from the principal point, clockwise from top-left. [..., 0]: log of width /
    height; [..., 1]: radians by which the angle between the sides differs from a right one.
    """
    axes = _axes_of_squares(quads)  # (B, 3, 2)
    x_axis, y_axis = axes[:, None, :, 0] / _per_focal(focals_px), axes[:, None, :, 1] / _per_focal(focals_px)
    x_norm, y_norm = np.linalg.norm(x_axis, axis=-1), np.linalg.norm(y_axis, axis=-1)
    cosine = np.clip((x_axis * y_axis).sum(axis=-1) / (x_norm * y_norm), -1, 1)
    return np.stack([np.log(x_norm / y_norm), np.arcsin(cosine)], axis=-1)


def _per_focal(focals_px):
    """Diagonal of the intrinsic matrix for each focal length: (F, 3)."""
    focals = np.asarray(focals_px, dtype=np.float64)
    return np.stack([focals, focals, np.ones_like(focals)], axis=-1)


def _axes_of_squares(quads):
    """First two columns of the homographies from the square (+-1, +-1), y up, to the quads: (B, 4, 2) -> (B,
    3, 2)."""
    square = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]], dtype=np.float64)
    # Near 1, so that the linear system is well scaled whatever the size of the photo.
    scale = np.abs(quads).max(axis=(1, 2), keepdims=True)
    u, v = np.moveaxis(quads / scale, -1, 0)  # (B, 4)
    x, y = np.broadcast_to(square[:, 0], u.shape), np.broadcast_to(square[:, 1], u.shape)
    one, zero = np.ones_like(u), np.zeros_like(u)
    rows = np.concatenate([np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1),
                           np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1)], axis=1)
    solution = np.linalg.solve(rows, np.concatenate([u, v], axis=1)[..., None])[..., 0]
    matrix = np.concatenate([solution, np.ones((len(quads), 1))], axis=1).reshape(-1, 3, 3)
    matrix[:, :2] *= scale
    return matrix[:, :, :2]


def _fit_pose(corners_px, corners_mm, size, sigmas_px, focal_px, focal_log_sigma):
    """Camera of least reprojection error, its focal length free to move by about focal_log_sigma (0: fixed).

    A planar target has two poses that look alike (Collins and Bartoli, "Infinitesimal plane-based pose
    estimation", IJCV 2014): both are refined and the one that fits better is taken. Raises ValueError where
    none is from above.
    """
    center = (np.array(size) - 1) / 2
    matrix = _intrinsics(focal_px, center)
    points = np.column_stack([corners_mm, np.zeros(4)])
    _, turns, shifts, _ = cv2.solvePnPGeneric(points, corners_px, matrix, None, flags=cv2.SOLVEPNP_IPPE)
    fits = []
    for turn, shift in zip(turns, shifts, strict=True):
        start = np.concatenate([turn.ravel(), shift.ravel(), [log(focal_px)]])
        if not np.isfinite(start).all():
            continue
        cost, solution = _refine(start, points, corners_px, sigmas_px, center, focal_log_sigma, hypot(*size))
        rotation = cv2.Rodrigues(solution[:3])[0]
        camera = Camera(exp(solution[6]), center, rotation, solution[3:6], *size)
        if camera.height_mm > 0 and np.isfinite(camera.project(points)).all():
            fits.append((cost, camera))
    if not fits:
        raise ValueError(f"no camera above the sheet sees corners at {corners_px.round(1).tolist()}: "
                         "find them again")
    return min(fits, key=lambda fit: fit[0])[1]


def _refine(start, points, corners_px, sigmas_px, center, focal_log_sigma, diagonal, iterations=50):
    """Levenberg-Marquardt on (rotation vector, translation, log focal): (cost, solution (7,)).

    Residuals: reprojection in units of the corners' sigmas and, where the focal length is free, its distance
    from the default in units of focal_log_sigma.
    """
    sigma_px = np.repeat(sigmas_px, 2)
    free = np.arange(7) < (7 if focal_log_sigma > 0 else 6)
    log_default = log(DEFAULT_FOCAL_DIAGONALS * diagonal)

    def residuals(p):
        focal = exp(p[6])
        projected, jacobian = cv2.projectPoints(points, p[:3], p[3:6], _intrinsics(focal, center), None)
        error = (projected.reshape(-1) - corners_px.reshape(-1)) / sigma_px
        # cv2 gives derivatives by fx and fy: log focal moves both, times the focal length.
        slope = np.column_stack([jacobian[:, :6], jacobian[:, 6:8].sum(axis=1) * focal]) / sigma_px[:, None]
        if focal_log_sigma > 0:
            error = np.append(error, (p[6] - log_default) / focal_log_sigma)
            slope = np.vstack([slope, np.eye(7)[6] / focal_log_sigma])
        return error, slope[:, free]

    solution, damping = start.copy(), 1e-3
    error, slope = residuals(solution)
    for _ in range(iterations):
        normal = slope.T @ slope
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -slope.T @ error)
        trial = solution.copy()
        trial[free] += step
        trial_error, trial_slope = residuals(trial)
        gain = error @ error - trial_error @ trial_error
        if gain > 0:
            solution, error, slope, damping = trial, trial_error, trial_slope, damping / 10
            if gain < 1e-9 * (error @ error + 1e-9):
                break
        else:
            damping *= 10
            if damping > 1e8:
                break
    return float(error @ error), solution
