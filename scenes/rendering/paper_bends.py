"""How a sheet of paper bends: curled corners, lifted edges, folds opened again, waves, a step that it lies over.

Paper bends but does not stretch: bends are cylindrical, given by the slope along the paper's own length, so that a
lifted edge also moves inwards (x = integral of the cosine, z = integral of the sine of the slope). Several bends are
added up, which is exact where they do not overlap and near enough where they are slight. Under the feet the sheet
stays flat. ``config`` is a `paper.SheetConfig`, ``corners`` (4, 2) mm are those of the flat sheet, ``standing`` (N, 2)
mm the points where feet stand, ``plane`` (N, 2) mm points of the flat sheet.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from scenes.rendering.draws import log_uniform
from scenes.rendering.turns import plane_turn

CREASE_MM = 1.0  # half of a crease's width
PINNED_MM = 40.0  # round every point that a foot stands on the sheet is flat
EASE_MM = 55.0  # over which a pinned sheet may rise from there
KNOTS_BEYOND_MM = 10.0  # the outermost knots of crumpled paper lie so far outside: every point is between some
CURLED_SHARE = 0.48  # of an edge that one curled corner may take
STEEPEST = 0.93  # sine of the slope where paper rises over a step
EDGES = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])  # outward, the corners' order: edge k begins at k


@dataclass(frozen=True)
class Bend:
    """A cylindrical bend: ``slope`` (K,) radians at ``along`` (K,) mm of the plane in ``direction`` (2,)."""

    direction: np.ndarray
    along: np.ndarray
    slope: np.ndarray
    still: float  # this far along the sheet keeps its place
    eased: bool = True  # dies away towards the feet; if not, it keeps clear of them by itself

    def displaced(self, plane):
        """Displacement (N, 3) of points (N, 2) of the plane; the lowest point of the profile stays down."""
        step = np.diff(self.along, prepend=self.along[0])
        inward = np.cumsum((np.cos(self.slope) - 1) * step)
        height = np.cumsum(np.sin(self.slope) * step)
        at = plane @ self.direction
        shift = np.interp(at, self.along, inward) - np.interp(self.still, self.along, inward)
        return np.column_stack([shift[:, None] * self.direction, np.interp(at, self.along, height - height.min())])


def _reach(plane, direction, standing):
    """Along ``direction`` (2,): (the sheet's end, how far the part pinned by feet reaches), mm."""
    pinned = (standing @ direction).max() + PINNED_MM if len(standing) else -np.inf
    return float((plane @ direction).max()), float(pinned)


def bend_along(corners, standing, direction, slope_at, eased=True):
    """The `Bend` with slope ``slope_at(along)`` in ``direction`` (2,)."""
    ends = corners @ direction
    along = np.linspace(ends.min() - 1, ends.max() + 1, 400)
    still = float((standing @ direction).mean()) if len(standing) else 0.0
    return Bend(direction, along, slope_at(along), still, eased)


def _arc(end, reach, lift):
    """Slope of a circular arc that begins ``reach`` before ``end`` and rises by ``lift`` (below 0.7 reach)."""
    angles = np.linspace(1e-3, 2.2, 200)
    turn = np.interp(min(lift / reach, 0.72), (1 - np.cos(angles)) / angles, angles)
    return lambda along: turn * np.clip((along - end + reach) / reach, 0, 1)


def curled_corner(rng, config, corners, standing, corner):
    """One curled corner, or None where a foot leaves no room: a roll across the corner."""
    direction = np.sign(corners[corner]) / np.sqrt(2) @ turned_by(np.clip(rng.normal(0, 11), -25, 25)).T
    end, pinned = _reach(corners, direction, standing)
    # Half of either edge stays straight: without it nothing would tell where the corner was.
    room = (np.abs(direction * corners[corner]) * 2 * CURLED_SHARE).min()
    reach = min(rng.uniform(22, 110), end - pinned + 15, room)
    least, most = config.curl_mm
    lift = min(least + rng.gamma(1.4, 6.0), most, 0.6 * reach)
    if reach < 20:
        return None
    return bend_along(corners, standing, direction, _arc(end, reach, lift))


def lifted_edges(rng, config, corners, standing):
    """One edge or two opposite ones that rise in an arc."""
    first = int(rng.integers(4))
    bends = []
    for edge in (first, (first + 2) % 4) if rng.random() < 0.45 else (first,):
        direction = EDGES[edge] @ turned_by(rng.normal(0, 3)).T
        end, pinned = _reach(corners, direction, standing)
        least, most = config.lift_mm
        reach = min(rng.uniform(40, 150), max(end - pinned, 30))
        lift = min(least + rng.gamma(1.5, 5.0), most, 0.6 * reach)
        bends.append(bend_along(corners, standing, direction, _arc(end, reach, lift)))
    return bends


def over_something(rng, config, corners, standing):
    """The sheet over a step or a bump outside the feet: ([bend], support), or ([], None) where there is no room."""
    direction = EDGES[rng.integers(4)] @ turned_by(rng.normal(0, 9)).T
    end, pinned = _reach(corners, direction, standing)
    height = log_uniform(rng, config.bent_mm)
    width = height * (rng.uniform(1.7, 3.5))  # of the rise, along the paper
    room = end - 5 - max(pinned, -0.5 * end)
    step = rng.random() < 0.7
    if room < width * (1 if step else 2):
        return [], None
    start = end - 5 - rng.uniform(width * (1 if step else 2), room)

    def slope(along):
        t = (along - start) / width
        rise = np.where((t > 0) & (t < 1), 6 * t * (1 - t), 0.0)
        if not step:
            rise -= np.where((t > 1) & (t < 2), 6 * (t - 1) * (2 - t), 0.0)
        return np.arcsin(np.clip(rise * height / width, -STEEPEST, STEEPEST))

    bend = bend_along(corners, standing, direction, slope, eased=False)
    moved = bend.displaced(direction[None] * (start + width))[0]
    place, top = start + width + float(moved[:2] @ direction), float(moved[2])
    if step:
        far = place + rng.uniform(120, 1500)
        section = np.array([[place, 0], [far, 0], [far, top], [place, top]])
    else:
        turn = np.linspace(0, 2 * np.pi, 13)[:-1]
        section = np.column_stack([place + np.cos(turn) * 0.46 * top, (1 + np.sin(turn)) * 0.46 * top])
    return [bend], (section, float(np.rad2deg(np.arctan2(direction[1], direction[0]))))


def opened_folds(rng, config, paper, corners, standing):
    """Folds in half, quarters or thirds, opened again: (bends, fold lines across x, across y)."""
    kind = rng.choice(["half", "half", "quarters", "thirds", "thirds_back"])
    bends, lines = [], ([], [])
    folds = {"half": [(1, 0.0)], "quarters": [(0, 0.0), (1, 0.0)]}.get(kind, [(1, -1 / 6), (1, 1 / 6)])
    if kind == "half" and rng.random() < 0.3:
        folds = [(0, 0.0)]
    sides, ridge = (paper.short_mm, paper.long_mm), rng.choice([-1.0, 1.0])
    for number, (axis, share) in enumerate(folds):
        at = sides[axis] * share + rng.normal(0, 1.5)
        height = rng.uniform(*config.crease_mm)
        length = rng.uniform(20, 70)  # over which the slope has died away
        steep = min(height / length, 0.5) * (-ridge if kind == "thirds_back" and number else ridge)

        def slope(along, at=at, steep=steep, length=length):
            return -steep * np.clip((along - at) / CREASE_MM, -1, 1) * np.exp(-np.abs(along - at) / length)

        bends.append(bend_along(corners, standing, np.eye(2)[axis], slope))
        lines[axis].append(at)
    return bends, lines


def ripples(rng, config, paper, plane):
    """Heights (N,) of slow waves along the edges that die away inwards."""
    strong = rng.random() < config.wave
    half = np.array([paper.short_mm, paper.long_mm]) / 2
    height = np.zeros(len(plane))
    for edge in EDGES:
        size = rng.uniform(*config.wave_mm) if strong and rng.random() < 0.6 else rng.gamma(1.5, config.ripple)
        inside = np.abs(edge) @ half - plane @ edge
        along = plane @ edge[::-1]
        wave = np.sin(along * 2 * np.pi / rng.uniform(90, 420) + rng.uniform(0, 2 * np.pi)) * 0.5 + 0.5
        height += size * wave**1.5 * np.exp(-np.maximum(inside, 0) / rng.uniform(12, 45))
    return height, ("wave",) if strong else ()


def crumpled_facets(rng, config, paper, plane):
    """Heights (N,) of crumpled paper: flat facets between ridges and dents at random places."""
    half = np.array([paper.short_mm, paper.long_mm]) / 2 + KNOTS_BEYOND_MM
    knots = rng.uniform(-half, half, (int(rng.integers(25, 90)), 2))
    rim = half * np.array([[-1, -1], [-1, 0], [-1, 1], [0, 1], [1, 1], [1, 0], [1, -1], [0, -1]])
    knots = np.concatenate([knots, rim])
    return rng.uniform(*config.crumpled_mm) * LinearNDInterpolator(knots, rng.beta(1.2, 2.2, len(knots)))(plane)


def turned_by(degrees):
    """Rotation matrix (2, 2), anticlockwise."""
    return plane_turn(np.deg2rad(degrees))


def ease_from_feet(plane, standing):
    """Weight (N,) of every displacement: 0 within `PINNED_MM` of a foot, 1 from `EASE_MM` further away."""
    if not len(standing):
        return np.ones(len(plane))
    distance, _ = cKDTree(standing).query(plane)
    t = np.clip((distance - PINNED_MM) / EASE_MM, 0, 1)
    return t * t * (3 - 2 * t)
