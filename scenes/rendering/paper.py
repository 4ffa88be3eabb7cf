"""The sheet of paper as it lies on a floor: curled, bent, creased, its corners folded or cut; and other sheets by it.

World frame: millimetres, right-handed, z up, origin at the sheet's centre, its long side along y; the floor is the
plane z = 0 and flat paper lies at `SHEET_LIFT_MM`. A sheet's plane is its own flat surface in the same x and y.

Paper bends but does not stretch: bends are cylindrical, given by the slope along the paper's own length, so that a
lifted edge also moves inwards (x = integral of the cosine, z = integral of the sine of the slope). Several bends are
added up, which is exact where they do not overlap and near enough where they are slight. Under the feet the sheet
stays flat.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from scenes.rendering.meshes import SHEET_LIFT_MM, bitmap, mesh, paint, two_sided
from scenes.rendering.printing import PLAIN_PRINT, PrintConfig, paper_colour, sheet_texture
from scenes.sheet import FORMATS
from scenes.sheet import corners_mm as flat_corners

CELL_MM = 5.0  # of the mesh: rounder than a pixel shows
CREASE_MM = 1.0  # half of a crease's width
PINNED_MM = 40.0  # round every point that a foot stands on the sheet is flat
EASE_MM = 55.0  # over which a pinned sheet may rise from there
UNDER_MM, OVER_MM = 0.2, 0.8  # how much lower or higher another sheet lies than ours
SHARED_SOLE = 0.4  # of a sole that may stand on the other one of two overlapping sheets
LOWEST_MM = 0.2  # nothing of a sheet is lower than this over the floor
CURLED_SHARE = 0.48  # of an edge that one curled corner may take
STEEPEST = 0.93  # sine of the slope where paper rises over a step
EDGES = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])  # outward, the corners' order: edge k begins at k


@dataclass(frozen=True)
class SheetConfig:
    """How sheets lie and what shape they are in. Chances are of one sheet, lengths mm, ranges (least, most).

    printing: tone and print. flat: chance of no bend at all. ripple: scale of the slight waves along the edges that
    other sheets have. wave, wave_mm: chance and height of strong ones. curl, curl_mm: chance of a sheet with curled
    corners (one, seldom more) and their lift. lift, lift_mm: whole edges that rise in an arc, as from a roll.
    bent, bent_mm: the sheet lies over a step or a bump. crease, crease_mm: folded once and opened again, height of
    the fold. crumpled, crumpled_mm: squeezed and smoothed out. dog_ear, rounded, cut, torn: chances of corners like
    that; corner_mm: how far from the corner they begin along the edges, rounded_mm: radius.

    overlapping: chance of a second sheet that overlaps (only with a foot on ours), over: that it lies over ours.
    beside: chance of another sheet beside. alike: chance that another sheet is of the same format and colour.
    """

    printing: PrintConfig = field(default_factory=PrintConfig)
    flat: float = 0.1
    ripple: float = 0.5
    wave: float = 0.12
    wave_mm: tuple[float, float] = (2.0, 9.0)
    curl: float = 0.35
    curl_mm: tuple[float, float] = (2.0, 30.0)
    lift: float = 0.16
    lift_mm: tuple[float, float] = (2.0, 25.0)
    bent: float = 0.07
    bent_mm: tuple[float, float] = (5.0, 40.0)
    crease: float = 0.14
    crease_mm: tuple[float, float] = (1.0, 6.0)
    crumpled: float = 0.05
    crumpled_mm: tuple[float, float] = (3.0, 12.0)
    dog_ear: float = 0.07
    rounded: float = 0.05
    cut: float = 0.03
    torn: float = 0.04
    corner_mm: tuple[float, float] = (8.0, 55.0)
    rounded_mm: tuple[float, float] = (2.0, 18.0)
    overlapping: float = 0.07
    over: float = 0.25
    beside: float = 0.08
    alike: float = 0.8


PLAIN_SHEET = SheetConfig(printing=PLAIN_PRINT, flat=1.0, ripple=0.0, wave=0.0, curl=0.0, lift=0.0, bent=0.0,
                          crease=0.0, crumpled=0.0, dog_ear=0.0, rounded=0.0, cut=0.0, torn=0.0, overlapping=0.0,
                          beside=0.0)


@dataclass(frozen=True)
class Sheet:
    """One sheet in the world.

    vertices_mm (N, 3). faces: int (M, 3), anticlockwise seen from above. texture: uint8 sRGB (rows, columns, 3), its
    first row at +y. texcoords: (N, 2), v = 0 at that row. corners_mm: (4, 3), the true corners in the order of
    `scenes.sheet.corners_mm`: where the edges next to a curled, folded or missing corner meet; of a sheet that is bent
    as a whole, its own. marks: names of what is the matter with it. colour: sRGB of the unprinted paper. support:
    ((K, 2) mm along the bend's direction and z, direction in degrees from +x) of what a bent sheet lies over, or None.
    """

    vertices_mm: np.ndarray
    faces: np.ndarray
    texcoords: np.ndarray
    texture: np.ndarray
    corners_mm: np.ndarray
    marks: tuple[str, ...]
    colour: tuple[float, float, float]
    support: tuple[np.ndarray, float] | None = None


@dataclass(frozen=True)
class _Bend:
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


def _bend(corners, standing, direction, slope_at, eased=True):
    """The `_Bend` with slope ``slope_at(along)`` in ``direction`` (2,)."""
    ends = corners @ direction
    along = np.linspace(ends.min() - 1, ends.max() + 1, 400)
    still = float((standing @ direction).mean()) if len(standing) else 0.0
    return _Bend(direction, along, slope_at(along), still, eased)


def _arc(end, reach, lift):
    """Slope of a circular arc that begins ``reach`` before ``end`` and rises by ``lift`` (below 0.7 reach)."""
    angles = np.linspace(1e-3, 2.2, 200)
    turn = np.interp(min(lift / reach, 0.72), (1 - np.cos(angles)) / angles, angles)
    return lambda along: turn * np.clip((along - end + reach) / reach, 0, 1)


def _curl(rng, config, corners, standing, corner):
    """One curled corner, or None where a foot leaves no room: a roll across the corner."""
    direction = np.sign(corners[corner]) / np.sqrt(2) @ _spin(np.clip(rng.normal(0, 11), -25, 25)).T
    end, pinned = _reach(corners, direction, standing)
    # Half of either edge stays straight: without it nothing would tell where the corner was.
    room = (np.abs(direction * corners[corner]) * 2 * CURLED_SHARE).min()
    reach = min(rng.uniform(22, 110), end - pinned + 15, room)
    least, most = config.curl_mm
    lift = min(least + rng.gamma(1.4, 6.0), most, 0.6 * reach)
    if reach < 20:
        return None
    return _bend(corners, standing, direction, _arc(end, reach, lift))


def _lifts(rng, config, corners, standing):
    """One edge or two opposite ones that rise in an arc."""
    first = int(rng.integers(4))
    bends = []
    for edge in (first, (first + 2) % 4) if rng.random() < 0.45 else (first,):
        direction = EDGES[edge] @ _spin(rng.normal(0, 3)).T
        end, pinned = _reach(corners, direction, standing)
        least, most = config.lift_mm
        reach = min(rng.uniform(40, 150), max(end - pinned, 30))
        lift = min(least + rng.gamma(1.5, 5.0), most, 0.6 * reach)
        bends.append(_bend(corners, standing, direction, _arc(end, reach, lift)))
    return bends


def _over(rng, config, corners, standing):
    """The sheet over a step or a bump outside the feet: ([bend], support), or ([], None) where there is no room."""
    direction = EDGES[rng.integers(4)] @ _spin(rng.normal(0, 9)).T
    end, pinned = _reach(corners, direction, standing)
    height = np.exp(rng.uniform(*np.log(config.bent_mm)))
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

    bend = _bend(corners, standing, direction, slope, eased=False)
    moved = bend.displaced(direction[None] * (start + width))[0]
    place, top = start + width + float(moved[:2] @ direction), float(moved[2])
    if step:
        far = place + rng.uniform(120, 1500)
        section = np.array([[place, 0], [far, 0], [far, top], [place, top]])
    else:
        turn = np.linspace(0, 2 * np.pi, 13)[:-1]
        section = np.column_stack([place + np.cos(turn) * 0.46 * top, (1 + np.sin(turn)) * 0.46 * top])
    return [bend], (section, float(np.rad2deg(np.arctan2(direction[1], direction[0]))))


def _creases(rng, config, paper, corners, standing):
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

        bends.append(_bend(corners, standing, np.eye(2)[axis], slope))
        lines[axis].append(at)
    return bends, lines


def _worn(rng, texture, lines):
    """Darken ``texture`` along creases; their places are shares of the sides (across x, across y) from lower left."""
    for axis, places in enumerate(lines):
        for share in places:
            page = texture if axis else texture.transpose(1, 0, 2)
            row = round((1 - share if axis else share) * (len(page) - 1))
            factor = 1 - rng.uniform(0, 0.16) * rng.uniform(0.4, 1, page.shape[1])
            page[row] = page[row] * factor[:, None]


def _ripples(rng, config, paper, plane):
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


def _facets(rng, config, paper, plane):
    """Heights (N,) of crumpled paper: flat facets between ridges and dents at random places."""
    half = np.array([paper.short_mm, paper.long_mm]) / 2 + 2 * CELL_MM
    knots = rng.uniform(-half, half, (int(rng.integers(25, 90)), 2))
    rim = half * np.array([[-1, -1], [-1, 0], [-1, 1], [0, 1], [1, 1], [1, 0], [1, -1], [0, -1]])
    knots = np.concatenate([knots, rim])
    return rng.uniform(*config.crumpled_mm) * LinearNDInterpolator(knots, rng.beta(1.2, 2.2, len(knots)))(plane)


def _spin(degrees):
    """Rotation matrix (2, 2), anticlockwise."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _ease(plane, standing):
    """Weight (N,) of every displacement: 0 within `PINNED_MM` of a foot, 1 from `EASE_MM` further away."""
    if not len(standing):
        return np.ones(len(plane))
    distance, _ = cKDTree(standing).query(plane)
    t = np.clip((distance - PINNED_MM) / EASE_MM, 0, 1)
    return t * t * (3 - 2 * t)


# --- the flat mesh and its corners ----------------------------------------------------------------------------------


def _lines(side, creases):
    """Places of the mesh's lines along one side, with one on either rim of every crease and one on it."""
    lines = np.linspace(-side / 2, side / 2, int(round(side / CELL_MM)) + 1)
    for at in creases:
        keep = (np.abs(lines - at) > 1.5 * CREASE_MM) | (np.abs(lines) == side / 2)
        lines = np.concatenate([lines[keep], at + CREASE_MM * np.array([-1.0, 0.0, 1.0])])
    return np.sort(lines)


def _lattice(xs, ys):
    """Points (N, 2) at all crossings and faces (M, 3), anticlockwise seen from above."""
    x, y = np.meshgrid(xs, ys)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    quads = np.stack([a, b, c, d], -1).reshape(-1, 4)
    return np.column_stack([x.ravel(), y.ravel()]), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _split(points, faces, outside):
    """Cut a mesh along the line where ``outside`` (N,), linear on each face, is zero.

    Returns (points with the cut's added, faces inside, faces outside). The two share the points of the cut.
    """
    outside = np.where(np.abs(outside) < 1e-6, -1e-6, outside)  # a cut through a point would leave faces without area
    sign = outside > 0
    count = sign[faces].sum(1)
    inner, outer, cut = faces[count == 0], faces[count == 3], faces[(count == 1) | (count == 2)]
    if not len(cut):
        return points, inner, outer
    alone = np.where(sign[cut].sum(1) == 1, sign[cut].argmax(1), sign[cut].argmin(1))
    turned = np.take_along_axis(cut, (alone[:, None] + np.arange(3)) % 3, 1)  # the vertex that is alone comes first
    ends = np.concatenate([turned[:, [0, 1]], turned[:, [0, 2]]])
    pairs, where = np.unique(np.sort(ends, 1), axis=0, return_inverse=True)
    first, second = outside[pairs[:, 0]], outside[pairs[:, 1]]
    share = (first / (first - second))[:, None]
    added = points[pairs[:, 0]] * (1 - share) + points[pairs[:, 1]] * share
    p, q = (where.reshape(2, -1) + len(points))
    a, b, c = turned.T
    tip = np.stack([a, p, q], 1)
    rest = np.concatenate([np.stack([p, b, c], 1), np.stack([p, c, q], 1)])
    tip_out, rest_out = sign[a], np.tile(sign[b], 2)
    inner = np.concatenate([inner, tip[~tip_out], rest[~rest_out]])
    outer = np.concatenate([outer, tip[tip_out], rest[rest_out]])
    return np.concatenate([points, added]), inner, outer


def _from_corner(points, corner):
    """Distances (N, 2) of points from a corner (2,) along its two edges, inwards."""
    return (corner - points) * np.sign(corner)


def _missing(rng, config, points, faces, corner, kind):
    """The mesh without what a rounded, cut or torn corner lacks: (points, faces)."""
    inward = _from_corner(points, corner)
    if kind == "rounded":
        radius = rng.uniform(*config.rounded_mm)
        past = inward.max(1) - radius  # beyond the arc along either edge nothing is cut
        outside = np.where(past < 0, np.hypot(*np.maximum(radius - inward, 0).T) - radius, -past)
    else:
        first, second = rng.uniform(*config.corner_mm) * rng.uniform((0.6, 0.6), 1)
        outside = 1 - inward[:, 0] / first - inward[:, 1] / second
        if kind == "torn":
            across = inward[:, 0] / first - inward[:, 1] / second
            for frequency in (3, 5, 9):
                outside += 0.3 / frequency * np.sin(across * frequency * rng.uniform(0.6, 1.4) + rng.uniform(0, 6.28))
            outside += rng.normal(0, 0.03, len(outside)) * (np.abs(outside) < 0.6)
    points, kept, _ = _split(points, faces, outside)
    return points, kept


def _dog_ear(rng, config, points, faces, corner, standing):
    """A corner folded over: (points, faces, flap's faces, where its points rest (N, 2), their height (N,)) or None.

    The flap has points of its own, the mirror images of the corner's; it springs open by some degrees.
    """
    first, second = rng.uniform(*config.corner_mm) * rng.uniform((0.7, 0.7), 1)
    normal = np.array([second, first]) / np.hypot(first, second)  # of the fold, in distances from the corner
    fold = first * second / np.hypot(first, second)  # the corner's distance from the fold
    cut, kept, folded = _split(points, faces, fold - _from_corner(points, corner) @ normal)
    used, where = np.unique(folded, return_inverse=True)
    beyond = np.maximum(fold - _from_corner(cut[used], corner) @ normal, 0)
    spring = np.deg2rad(min(rng.exponential(9), 85) if rng.random() < 0.85 else rng.uniform(30, 100))
    outward = normal * np.sign(corner)
    rest = cut[used] - beyond[:, None] * outward * (1 + np.cos(spring))
    if len(standing) and cKDTree(standing).query(rest)[0].min() < PINNED_MM:
        return None
    return np.concatenate([cut, cut[used]]), kept, where.reshape(-1, 3) + len(cut), rest, 0.5 + beyond * np.sin(spring)


def _corner_kinds(rng, config):
    """What is the matter with each corner: four of None, "curl", "dog_ear", "rounded", "cut", "torn"."""
    kinds = [None] * 4
    if rng.random() < config.curl:
        for corner in rng.permutation(4)[:rng.choice([1, 2, 3, 4], p=[0.6, 0.27, 0.08, 0.05])]:
            kinds[corner] = "curl"
    for name in ("dog_ear", "rounded", "cut", "torn"):
        if rng.random() < getattr(config, name):
            all_round = name == "rounded" and rng.random() < 0.6
            for corner in range(4) if all_round else (int(rng.integers(4)),):
                kinds[corner] = name
    return kinds


# --- the whole sheet ------------------------------------------------------------------------------------------------


FLAT = ((), ((), ()), False, None, ())  # what `_shape` says of a sheet without any bend


def _shape(rng, paper, config, standing):
    """Bends of the whole sheet: (bends, (crease lines across x, across y), facets or not, support, marks)."""
    corners = flat_corners(paper)
    bends, lines, support, marks = [], ([], []), None, []
    if rng.random() < config.crease:
        bends, lines = _creases(rng, config, paper, corners, standing)
        marks.append("crease")
    if rng.random() < config.bent:
        over, support = _over(rng, config, corners, standing)
        bends += over
        marks += ["bent"] if over else []
    elif rng.random() < config.lift:
        bends += _lifts(rng, config, corners, standing)
        marks.append("lift")
    crumpled = rng.random() < config.crumpled
    return bends, lines, crumpled, support, marks + (["crumpled"] if crumpled else [])


def _corners_done(rng, config, paper, kinds, standing, points, faces):
    """Corners folded or cut: (points, all faces, resting places (N, 2), extra heights (N,), marks)."""
    corners, flaps, marks = flat_corners(paper), [], []
    rest, raised = {}, {}
    for corner, kind in zip(corners, kinds, strict=True):
        if kind in ("rounded", "cut", "torn"):
            points, faces = _missing(rng, config, points, faces, corner, kind)
            marks.append(kind)
        elif kind == "dog_ear":
            folded = _dog_ear(rng, config, points, faces, corner, standing)
            if folded is not None:
                points, faces, flap, place, height = folded
                rest[len(points) - len(place)], raised[len(points) - len(place)] = place, height
                flaps.append(flap)
                marks.append(kind)
    resting, heights = points.copy(), np.zeros(len(points))
    for start in rest:
        resting[start:start + len(rest[start])] = rest[start]
        heights[start:start + len(rest[start])] = raised[start]
    return points, np.concatenate([faces, *flaps]), resting, heights, marks


def _compact(faces, *arrays):
    """Faces and arrays without the points that no face uses."""
    used, where = np.unique(faces, return_inverse=True)
    return where.reshape(-1, 3), *(array[used] for array in arrays)


def sample_sheet(rng, paper, config, standing_mm=(), colour=None):
    """One `Sheet` of format ``paper`` (`scenes.sheet.SheetFormat`) at the world's origin.

    ``standing_mm``: (N, 2) points where feet stand, mm; within `PINNED_MM` of them the sheet stays flat. ``colour``:
    (3,) sRGB of the paper, None draws it.
    """
    standing = np.asarray(standing_mm, float).reshape(-1, 2)
    corners = flat_corners(paper)
    colour = paper_colour(rng, config.printing) if colour is None else np.asarray(colour, float)
    texture, marks = sheet_texture(rng, paper.short_mm, paper.long_mm, config.printing, colour)
    flat = rng.random() < config.flat
    kinds = _corner_kinds(rng, config)
    bends, lines, crumpled, support, found = _shape(rng, paper, config, standing) if not flat else FLAT
    sides = (paper.short_mm, paper.long_mm)
    _worn(rng, texture, [[at / side + 0.5 for at in places] for side, places in zip(sides, lines, strict=True)])
    points, faces = _lattice(*(_lines(side, places) for side, places in zip(sides, lines, strict=True)))
    points, faces, rest, raised, cut = _corners_done(rng, config, paper, kinds, standing, points, faces)
    faces, points, rest, raised = _compact(faces, points, rest, raised)
    # The corners ride along with the points: what moves the sheet as a whole moves them too, what curls one does not.
    ride = np.concatenate([rest, corners])
    ease = _ease(ride, standing)[:, None]
    place = np.column_stack([ride, np.full(len(ride), SHEET_LIFT_MM)])
    place += sum(bend.displaced(ride) for bend in bends if not bend.eased)
    moved = sum((bend.displaced(ride) for bend in bends if bend.eased), np.zeros((len(ride), 3)))
    if not flat:
        waves, wavy = _ripples(rng, config, paper, ride)
        moved[:, 2] += waves
        found += wavy
    if crumpled:
        moved[:, 2] += _facets(rng, config, paper, ride)
    curls = [_curl(rng, config, corners, standing, k) for k, kind in enumerate(kinds) if kind == "curl" and not flat]
    curls = [curl for curl in curls if curl is not None]
    for curl in curls:
        moved[:-4] += curl.displaced(rest)
    place += moved * ease
    place[:-4, 2] += raised
    place[:, 2] = np.maximum(place[:, 2], LOWEST_MM)
    texcoords = points / sides * (1, -1) + 0.5
    marks += tuple(found) + tuple(sorted(set(cut))) + (("curl",) if curls else ())
    return Sheet(place[:-4], faces, texcoords, texture, place[-4:], marks, tuple(map(float, colour)), support)


def _placed(found, turn_deg, centre, rise):
    """A `Sheet` turned and moved: what `sample_sheet` made at the origin, ``centre`` (2,) and ``rise`` mm."""
    spin = np.eye(3)
    spin[:2, :2] = _spin(turn_deg)
    shift = np.array([*centre, rise])
    return replace(found, vertices_mm=found.vertices_mm @ spin.T + shift, corners_mm=found.corners_mm @ spin.T + shift)


def _another(rng, paper, config, ours):
    """Format and colour of another sheet: mostly of the same ream as ours."""
    if rng.random() < config.alike:
        # Two layers let less of the floor through than one: the seam is faint, but there.
        tone = 1 + rng.choice([-1, 1]) * rng.uniform(0.01, 0.04)
        return paper, np.clip(np.array(ours.colour) * tone, 90, 253) if ours is not None else None
    return list(FORMATS.values())[rng.integers(len(FORMATS))], None


def _within(points, paper, turn_deg, centre, margin=0.0):
    """Which points (N, 2) lie on a sheet of ``paper`` turned and moved there, or within ``margin`` of it."""
    own = (points - centre) @ _spin(turn_deg)
    return (np.abs(own) < np.array([paper.short_mm, paper.long_mm]) / 2 + margin).all(1)


def _overlapping(rng, paper, config, standing, ours):
    """A sheet that shares a strip with ours, under or over it, or None when no try leaves the feet on ours."""
    other, colour = _another(rng, paper, config, ours)
    corners, mine = flat_corners(other), flat_corners(paper)
    for _ in range(6):
        edge = EDGES[rng.choice(4, p=[0.4, 0.1, 0.4, 0.1])]
        turn = rng.choice([90.0, 0.0, rng.uniform(-180, 180)], p=[0.55, 0.3, 0.15]) + rng.normal(0, 3)
        deep, slide = rng.uniform(5, 110), rng.normal(0, 30)
        centre = edge * ((mine @ edge).max() + (corners @ _spin(turn).T @ edge).max() - deep) + edge[::-1] * slide
        if _within(standing, other, turn, centre).sum() > SHARED_SOLE * _within(standing, paper, 0, 0).sum():
            continue
        above = rng.random() < config.over
        if above and ours is not None:
            covered = ours.vertices_mm[_within(ours.vertices_mm[:, :2], other, turn, centre, 10.0)]
            above = not len(covered) or covered[:, 2].max() < SHEET_LIFT_MM + 0.35
        shared, _ = _lattice(*(np.linspace(-side / 2, side / 2, 22) for side in (other.short_mm, other.long_mm)))
        world = shared @ _spin(turn).T + centre
        shared = shared[_within(world, paper, 0, 0, 5.0)]
        feet = (standing - centre) @ _spin(turn)
        found = sample_sheet(rng, other, replace(config, bent=0.0), np.concatenate([shared, feet]), colour)
        return _placed(found, turn, centre, OVER_MM if above else -UNDER_MM)
    return None


def _beside(rng, paper, config, feet_on_sheet, standing, ours):
    """A sheet that lies clear of ours and of the feet, or None where no try is."""
    other, colour = _another(rng, paper, config, ours)
    corners, mine = flat_corners(other), flat_corners(paper)
    for _ in range(6):
        away = EDGES[rng.integers(4)] @ _spin(rng.normal(0, 15)).T
        turn = rng.choice([0.0, 90.0, rng.uniform(-180, 180)]) + rng.normal(0, 5)
        gap = (5 if feet_on_sheet else 40) + rng.gamma(1.3, 60)
        # Beyond a line that neither crosses, hence clear of each other.
        reach = (mine @ away).max() + (corners @ _spin(turn).T @ away).max() + gap
        centre = away * reach + away[::-1] * (-1, 1) * rng.uniform(-150, 150)
        if not _within(standing, other, turn, centre, 30.0).any():
            return _placed(sample_sheet(rng, other, replace(config, bent=0.0), (), colour), turn, centre, -UNDER_MM / 2)
    return None


def other_sheets(rng, paper, config, feet_on_sheet, standing_mm=(), ours=None):
    """Other sheets in the world, a list of none to two `Sheet`: one that overlaps ours, one beside it.

    The truth is the sheet with the foot, so without ``feet_on_sheet`` none overlaps ours. ``standing_mm``: (N, 2)
    points where feet stand: the other sheets have few of them or none. ``ours``: our `Sheet`; another is often of the
    same colour, and lies over it only where it is flat (None: ours is taken to be flat).
    """
    standing = np.asarray(standing_mm, float).reshape(-1, 2)
    found = []
    if feet_on_sheet and rng.random() < config.overlapping:
        found.append(_overlapping(rng, paper, config, standing, ours))
    if rng.random() < config.beside:
        found.append(_beside(rng, paper, config, feet_on_sheet, standing, ours))
    return [each for each in found if each is not None]


def sheet_mesh(name, sheet):
    """Mitsuba mesh of a `Sheet`, smooth where it is curved; its id is ``name``."""
    return mesh(name, sheet.vertices_mm, sheet.faces, two_sided(bitmap(sheet.texture, "clamp")),
                texcoords=sheet.texcoords, smooth=True)


def support_mesh(rng, name, sheet):
    """Mitsuba mesh of what a bent sheet lies over (the rim of a carpet or a board, a rod); None under other sheets."""
    if sheet.support is None:
        return None
    section, degrees = sheet.support
    length = rng.uniform(300, 1600)
    side = np.array([-length / 2, length / 2]) + rng.uniform(-0.3, 0.3) * (length - 300)
    rings = [np.column_stack([section[:, 0], np.full(len(section), at), section[:, 1]]) for at in side]
    vertices = np.concatenate(rings)
    vertices[:, :2] = vertices[:, :2] @ _spin(degrees).T
    count, k = len(section), np.arange(len(section))
    following = (k + 1) % count
    walls = np.concatenate([np.stack([k, following, following + count], 1),
                            np.stack([k, following + count, k + count], 1)])
    fan = np.stack([np.zeros(count - 2, int), k[1:-1], k[2:]], 1)
    colour = np.clip(rng.uniform(20, 220) + rng.normal(0, 14, 3), 5, 245)
    return mesh(name, vertices, np.concatenate([walls, fan, fan + count]), paint(colour), smooth=False)
