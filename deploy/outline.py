"""A mean foot outline laid on what is seen of a foot, so that a foot half under its leg can still be measured.

From above the leg hides the heel of most feet. What remains of the outline, toes, ball and sides, fixes a mean
outline of five parameters: length, breadth, direction and place. Each of its points has its own height over the
sheet, at which the seen outline is compared with it, so that a slanted view displaces both alike.

The outline is the mean over 120 legs with real-shaped feet, as drawn for rendered scenes (children and adults, length
over breadth 2.59 with a standard deviation of 0.18).
"""

from dataclasses import dataclass

import numpy as np

# Clockwise from above for a left foot, from the tip of the toes over the big toe: share of the length from the heel,
# place across in breadths from the forefoot's middle (towards the big toe: positive), height in mm. Radius around the
# middle: standard deviation 0.005 to 0.03 breadths in front of the heel, 0.05 at its corners.
OUTLINE = np.array([
    (0.986, 0.000, 11.1), (0.991, 0.164, 12.3), (0.997, 0.338, 12.8), (0.921, 0.443, 9.1),
    (0.815, 0.463, 15.0), (0.754, 0.495, 15.4), (0.694, 0.493, 14.1), (0.642, 0.470, 19.2),
    (0.602, 0.447, 24.6), (0.570, 0.427, 26.6), (0.544, 0.413, 29.8), (0.521, 0.403, 31.7),
    (0.500, 0.396, 33.0), (0.480, 0.392, 34.6), (0.459, 0.388, 36.4), (0.437, 0.387, 37.8),
    (0.412, 0.388, 39.6), (0.382, 0.391, 41.6), (0.344, 0.395, 43.8), (0.297, 0.396, 47.0),
    (0.235, 0.389, 47.1), (0.159, 0.358, 35.1), (0.069, 0.293, 28.2), (0.012, 0.163, 29.7),
    (0.004, 0.000, 29.8), (0.051, -0.150, 22.7), (0.125, -0.255, 22.3), (0.202, -0.313, 28.4),
    (0.268, -0.340, 27.0), (0.315, -0.361, 24.0), (0.351, -0.379, 21.8), (0.380, -0.396, 20.0),
    (0.407, -0.410, 19.6), (0.431, -0.421, 19.9), (0.454, -0.433, 19.0), (0.477, -0.444, 18.6),
    (0.500, -0.455, 17.7), (0.524, -0.466, 16.4), (0.550, -0.477, 15.1), (0.580, -0.489, 14.4),
    (0.613, -0.497, 13.2), (0.650, -0.498, 13.6), (0.693, -0.490, 14.7), (0.747, -0.481, 13.4),
    (0.815, -0.462, 11.3), (0.859, -0.378, 11.1), (0.902, -0.274, 13.4), (0.950, -0.150, 11.5),
])
AXIS_ACROSS = 0.058  # breadths: the line from the heel's rearmost point to the second toe lies on the big toe's side

LENGTH_PER_WIDTH = 2.59
LOG_RATIO_SD = 0.07
LENGTH_MM = 245.0
LOG_LENGTH_SD = 0.18
POINT_SD_MM = 4.0  # of one point of an outline around the mean outline
USED_POINTS = 90
# Neighbouring points of an outline err together: this many together count as one.
POINTS_PER_FACT = 6.0
LEG_HEIGHT_MM = 60.0  # roughly where leg and foot part in the mask
LEG_FRONT_SHARE = 0.15  # of the length, in front of the foot's middle: the leg is behind this
TURNS = 8
COARSE_ROUNDS, FINE_ROUNDS, FINALISTS = 3, 8, 2
SHEET_WITHIN = 12.0  # cost of a template that lies wholly on bare sheet
LEG_AT_TOES = 8.0  # cost of a template whose front half alone meets the leg


@dataclass(frozen=True, eq=False)
class Fit:
    """A mean outline laid on a foot. toes: unit vector (2,) on the sheet; middle_mm: (2,), the outline's middle (half
    the length, the forefoot's middle across); side: "left" or "right"; cost: mean squared misfit, in variances.
    length_sd_mm: standard deviation of the length by the fit alone."""

    length_mm: float
    width_mm: float
    toes: np.ndarray
    middle_mm: np.ndarray
    side: str
    cost: float
    length_sd_mm: float

    @property
    def right(self):
        """Unit vector (2,) to the right of the toes' direction, seen from above."""
        return np.array([self.toes[1], -self.toes[0]])


def fit_outline(points_px, weights, leg_px, camera, bare):
    """Lay the mean outline on the seen parts of a foot's outline.

    points_px: (N, 2) px of the photo. weights: (N,), 0 for points that are no outline of the foot (the leg, the
    photo's border, another foot). leg_px: (K, 2) px, K may be 0: where the foot ends at its leg, which stands on the
    heel's half. camera: scenes.camera.Camera. bare: from (M, 2) px of the photo to bool (M,): bare sheet is seen there.
    Returns the best Fit of each side that could be laid, {"left": Fit, "right": Fit}; {} where too little is seen.
    """
    points, weights = _thinned(points_px, weights)
    leg_mm = camera.backproject(np.asarray(leg_px, np.float64).reshape(-1, 2), LEG_HEIGHT_MM)
    if len(points) < 12:
        return {}
    candidates = []
    for turn in np.arange(TURNS) * 2 * np.pi / TURNS:
        for side in ("left", "right"):
            start = _start(points, camera, turn)
            candidates.append(_refine(start, side, points, weights, leg_mm, camera, bare, COARSE_ROUNDS))
    fits = {}
    for side in ("left", "right"):
        own = sorted((c for c in candidates if c[2] == side), key=lambda c: c[0])[:FINALISTS]
        refined = [_refine(c[1], side, points, weights, leg_mm, camera, bare, FINE_ROUNDS) for c in own]
        best = min(refined, key=lambda c: c[0])
        fits[side] = _as_fit(best)
    return fits


def _thinned(points, weights):
    seen = np.flatnonzero(weights > 0)
    if len(seen) > USED_POINTS:
        seen = seen[np.linspace(0, len(seen) - 1, USED_POINTS).astype(int)]
    return np.asarray(points, np.float64)[seen], np.asarray(weights, np.float64)[seen]


def _start(points, camera, turn):
    """Parameters (log length, log breadth, turn, x, y) with the toes' end at the foremost seen point."""
    plan = camera.backproject(points, 14.0)
    toes, right = np.array([-np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), np.sin(turn)])
    along, across = plan @ toes, plan @ right
    front = along > along.max() - 0.5 * np.ptp(along)
    width = float(np.clip(np.ptp(across[front]), 60, 120))
    length = float(np.clip(max(LENGTH_PER_WIDTH * width, np.ptp(along)), 150, 320))
    middle = (along.max() - length / 2) * toes + (across[front].min() + across[front].max()) / 2 * right
    return np.array([np.log(length), np.log(width), turn, *middle])


def _template(parameters, side, outline=OUTLINE):
    """Points (48, 2) mm on the sheet of the mean outline; clockwise for a left foot, the other way for a right."""
    length, width, turn = np.exp(parameters[0]), np.exp(parameters[1]), parameters[2]
    toes, right = np.array([-np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), np.sin(turn)])
    across = outline[:, 1] if side == "left" else -outline[:, 1]
    return parameters[3:] + ((outline[:, 0] - 0.5) * length)[:, None] * toes + (across * width)[:, None] * right


def _residuals(parameters, side, points, camera):
    """Signed distances (N,) mm of the seen points from the template, outside positive, each at the height of the
    template's nearest point; rounded rims seen at a slant are not corrected for."""
    template = _template(parameters, side)
    middle_height = camera.backproject(points, 20.0)
    nearest = np.argmin(((middle_height[:, None] - template[None]) ** 2).sum(axis=2), axis=1)
    place = camera.backproject(points, OUTLINE[nearest, 2])
    tangent = np.roll(template, -1, axis=0) - np.roll(template, 1, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1, keepdims=True)
    outward = np.sign(((template - parameters[3:]) * normal).sum(axis=1).mean())
    return outward * ((place - template[nearest]) * normal[nearest]).sum(axis=1)


def _prior(parameters):
    ratio = (parameters[0] - parameters[1] - np.log(LENGTH_PER_WIDTH)) / LOG_RATIO_SD
    return np.array([ratio, (parameters[0] - np.log(LENGTH_MM)) / LOG_LENGTH_SD])


def _refine(start, side, points, weights, leg_mm, camera, bare, rounds):
    """Gauss-Newton with Huber weights: (cost, parameters (5,), side, covariance (5, 5))."""
    steps = np.array([0.01, 0.01, 0.01, 1.0, 1.0])
    p = start.copy()
    covariance = np.eye(5)
    for _ in range(rounds):
        residual = _residuals(p, side, points, camera) / POINT_SD_MM
        slope = np.stack([(_residuals(p + step, side, points, camera) / POINT_SD_MM - residual) / step[i]
                          for i, step in enumerate(np.diag(steps))], axis=1)
        robust = weights / np.maximum(1.0, np.abs(residual) / 1.5) / POINTS_PER_FACT
        prior = _prior(p)
        prior_slope = np.array([[1 / LOG_RATIO_SD, -1 / LOG_RATIO_SD, 0, 0, 0], [1 / LOG_LENGTH_SD, 0, 0, 0, 0]])
        normal = slope.T @ (robust[:, None] * slope) + prior_slope.T @ prior_slope
        normal += np.diag([1e-6, 1e-6, 1e-3, 1e-9, 1e-9])
        step = -np.linalg.solve(normal, slope.T @ (robust * residual) + prior_slope.T @ prior)
        p = p + np.clip(step, [-0.15, -0.15, -0.35, -30, -30], [0.15, 0.15, 0.35, 30, 30])
        p[:2] = np.clip(p[:2], np.log([110, 40]), np.log([350, 150]))
        covariance = np.linalg.inv(normal)
    residual = np.abs(_residuals(p, side, points, camera) / POINT_SD_MM)
    huber = np.where(residual <= 1.5, residual**2, 3.0 * residual - 2.25)
    inner = np.concatenate([p[3:] + (_template(p, side) - p[3:]) * share for share in (0.3, 0.6, 0.85)])
    on_bare = float(bare(camera.project(np.column_stack([inner, np.full(len(inner), 10.0)]))).mean())
    cost = float((weights * huber).sum() / weights.sum() + SHEET_WITHIN * on_bare + (_prior(p) ** 2).sum() / 10)
    if len(leg_mm):
        at_toes = (leg_mm - p[3:]) @ np.array([-np.sin(p[2]), np.cos(p[2])]) > LEG_FRONT_SHARE * np.exp(p[0])
        cost += LEG_AT_TOES * float(at_toes.mean())
    return cost, p, side, covariance


def _as_fit(refined):
    cost, p, side, covariance = refined
    length = float(np.exp(p[0]))
    toes = np.array([-np.sin(p[2]), np.cos(p[2])])
    return Fit(length, float(np.exp(p[1])), toes, p[3:].copy(), side, cost,
               length * float(np.sqrt(max(covariance[0, 0], 0.0))))


def distances_mm(fit, points_px, camera):
    """Signed distances (N,) mm of outline points (N, 2) px from a Fit, outside positive."""
    turn = float(np.arctan2(-fit.toes[0], fit.toes[1]))
    parameters = np.array([np.log(fit.length_mm), np.log(fit.width_mm), turn, *fit.middle_mm])
    return _residuals(parameters, fit.side, np.asarray(points_px, np.float64), camera)
