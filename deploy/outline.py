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
# What the outline is laid with: at the mean ratio it came out 2 to 3 % too long on 1,200 feet of training scenes.
FITTED_LENGTH_PER_WIDTH = 2.50
LOG_RATIO_SD = 0.07
LENGTH_MM = 245.0
LOG_LENGTH_SD = 0.18
POINT_SD_MM = 4.0  # of one point of an outline around the mean outline
USED_POINTS = 90
# Neighbouring points of an outline err together: this many together count as one.
POINTS_PER_FACT = 6.0
MIDDLE_HEIGHT_MM = 20.0  # at which a point is held against all of a template's
START_HEIGHT_MM = 14.0
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
    sights = Sights(points, camera)
    starts = np.array([_start(sights, turn) for turn in np.arange(TURNS) * 2 * np.pi / TURNS])
    both = np.repeat(("left", "right"), TURNS)
    costs, coarse, _ = _refine(np.concatenate([starts, starts]), both, sights, weights, leg_mm, camera, bare,
                               COARSE_ROUNDS)
    own = np.concatenate([np.flatnonzero(both == side)[np.argsort(costs[both == side], kind="stable")[:FINALISTS]]
                          for side in ("left", "right")])
    costs, fine, covariances = _refine(coarse[own], both[own], sights, weights, leg_mm, camera, bare, FINE_ROUNDS)
    fits = {}
    for side in ("left", "right"):
        best = min(np.flatnonzero(both[own] == side), key=lambda i: costs[i])
        fits[side] = _as_fit(costs[best], fine[best], side, covariances[best])
    return fits


class Sights:
    """Lines of sight through pixels (N, 2) of a camera's photo: where each meets a plane over the sheet."""

    def __init__(self, points_px, camera):
        low, high = (camera.backproject(points_px, height) for height in (0.0, MIDDLE_HEIGHT_MM))
        self._foot, self._slope = low, (high - low) / MIDDLE_HEIGHT_MM
        self.middle = high

    def at(self, heights_mm):
        """Sheet x, y (..., N, 2), mm, of what is seen at heights (..., N); nan behind the horizon."""
        return self._foot + np.asarray(heights_mm)[..., None] * self._slope

    def __len__(self):
        return len(self._foot)


def _thinned(points, weights):
    seen = np.flatnonzero(weights > 0)
    if len(seen) > USED_POINTS:
        seen = seen[np.linspace(0, len(seen) - 1, USED_POINTS).astype(int)]
    return np.asarray(points, np.float64)[seen], np.asarray(weights, np.float64)[seen]


def _start(sights, turn):
    """Parameters (log length, log breadth, turn, x, y) with the toes' end at the foremost seen point."""
    plan = sights.at(np.full(len(sights), START_HEIGHT_MM))
    toes, right = np.array([-np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), np.sin(turn)])
    along, across = plan @ toes, plan @ right
    front = along > along.max() - 0.5 * np.ptp(along)
    width = float(np.clip(np.ptp(across[front]), 60, 120))
    length = float(np.clip(max(FITTED_LENGTH_PER_WIDTH * width, np.ptp(along)), 150, 320))
    middle = (along.max() - length / 2) * toes + (across[front].min() + across[front].max()) / 2 * right
    return np.array([np.log(length), np.log(width), turn, *middle])


def _templates(parameters, sides):
    """Points (P, 48, 2) mm on the sheet of mean outlines with parameters (P, 5), sides (P,); clockwise for a left foot,
    the other way for a right."""
    length, width, turn = np.exp(parameters[:, 0]), np.exp(parameters[:, 1]), parameters[:, 2]
    toes, right = np.stack([-np.sin(turn), np.cos(turn)], axis=1), np.stack([np.cos(turn), np.sin(turn)], axis=1)
    along = (OUTLINE[:, 0] - 0.5) * length[:, None]
    across = OUTLINE[:, 1] * (np.where(sides == "left", 1.0, -1.0) * width)[:, None]
    return parameters[:, None, 3:] + along[..., None] * toes[:, None] + across[..., None] * right[:, None]


def _residuals(parameters, sides, sights):
    """Signed distances (P, N) mm of N seen points from P templates, outside positive, each at the height of the
    template's nearest point; rounded rims seen at a slant are not corrected for."""
    templates = _templates(parameters, sides)
    # Squared distances but for a term that is the same for all points of a template.
    distances = (templates**2).sum(axis=2)[:, None] - 2 * sights.middle @ templates.transpose(0, 2, 1)
    nearest = np.argmin(distances, axis=2)
    tangents = np.roll(templates, -1, axis=1) - np.roll(templates, 1, axis=1)
    normals = np.stack([-tangents[..., 1], tangents[..., 0]], axis=2) / np.linalg.norm(tangents, axis=2)[..., None]
    outward = np.sign(((templates - parameters[:, None, 3:]) * normals).sum(axis=2).mean(axis=1))
    which = np.arange(len(parameters))[:, None]
    away = sights.at(OUTLINE[nearest, 2]) - templates[which, nearest]
    return outward[:, None] * (away * normals[which, nearest]).sum(axis=2)


def _prior(parameters):
    """Log ratio and log length of parameters (P, 5) in standard deviations from what feet have: (P, 2)."""
    ratio = (parameters[:, 0] - parameters[:, 1] - np.log(FITTED_LENGTH_PER_WIDTH)) / LOG_RATIO_SD
    return np.stack([ratio, (parameters[:, 0] - np.log(LENGTH_MM)) / LOG_LENGTH_SD], axis=1)


def _refine(starts, sides, sights, weights, leg_mm, camera, bare, rounds):
    """Gauss-Newton with Huber weights from parameters (P, 5), all side by side: (costs (P,), parameters (P, 5),
    covariances (P, 5, 5))."""
    steps = np.array([0.01, 0.01, 0.01, 1.0, 1.0])
    p, sides_of_tried = starts.copy(), np.repeat(sides, 6)
    prior_slope = np.array([[1 / LOG_RATIO_SD, -1 / LOG_RATIO_SD, 0, 0, 0], [1 / LOG_LENGTH_SD, 0, 0, 0, 0]])
    moves = np.vstack([np.zeros(5), np.diag(steps)])
    for _ in range(rounds):
        tried = _residuals((p[:, None] + moves).reshape(-1, 5), sides_of_tried, sights) / POINT_SD_MM
        tried = tried.reshape(len(p), 6, -1)
        residual, slope = tried[:, 0], ((tried[:, 1:] - tried[:, :1]) / steps[:, None])
        robust = weights / np.maximum(1.0, np.abs(residual) / 1.5) / POINTS_PER_FACT
        normal = (slope * robust[:, None]) @ slope.transpose(0, 2, 1) + prior_slope.T @ prior_slope
        normal += np.diag([1e-6, 1e-6, 1e-3, 1e-9, 1e-9])
        downhill = (slope @ (robust * residual)[..., None])[..., 0] + _prior(p) @ prior_slope
        step = -np.linalg.solve(normal, downhill[..., None])[..., 0]
        p = p + np.clip(step, [-0.15, -0.15, -0.35, -30, -30], [0.15, 0.15, 0.35, 30, 30])
        p[:, :2] = np.clip(p[:, :2], np.log([110, 40]), np.log([350, 150]))
    return _costs(p, sides, sights, weights, leg_mm, camera, bare), p, np.linalg.inv(normal)


def _costs(p, sides, sights, weights, leg_mm, camera, bare):
    """How badly templates with parameters (P, 5) fit: (P,), in variances."""
    residual = np.abs(_residuals(p, sides, sights) / POINT_SD_MM)
    huber = np.where(residual <= 1.5, residual**2, 3.0 * residual - 2.25)
    middles = p[:, None, 3:]
    inner = np.concatenate([middles + (_templates(p, sides) - middles) * share for share in (0.3, 0.6, 0.85)], axis=1)
    inner = np.concatenate([inner, np.full((*inner.shape[:2], 1), 10.0)], axis=2)
    on_bare = bare(camera.project(inner.reshape(-1, 3))).reshape(len(p), -1).mean(axis=1)
    costs = huber @ weights / weights.sum() + SHEET_WITHIN * on_bare + (_prior(p) ** 2).sum(axis=1) / 10
    if len(leg_mm):
        toes = np.stack([-np.sin(p[:, 2]), np.cos(p[:, 2])], axis=1)
        along = ((leg_mm - middles) * toes[:, None]).sum(axis=2)
        costs = costs + LEG_AT_TOES * (along > LEG_FRONT_SHARE * np.exp(p[:, :1])).mean(axis=1)
    return costs


def _as_fit(cost, p, side, covariance):
    length = float(np.exp(p[0]))
    toes = np.array([-np.sin(p[2]), np.cos(p[2])])
    return Fit(length, float(np.exp(p[1])), toes, p[3:].copy(), side, float(cost),
               length * float(np.sqrt(max(covariance[0, 0], 0.0))))


def distances_mm(fit, points_px, camera):
    """Signed distances (N,) mm of outline points (N, 2) px from a Fit, outside positive."""
    turn = float(np.arctan2(-fit.toes[0], fit.toes[1]))
    parameters = np.array([np.log(fit.length_mm), np.log(fit.width_mm), turn, *fit.middle_mm])
    return _residuals(parameters[None], np.array([fit.side]), Sights(points_px, camera))[0]
