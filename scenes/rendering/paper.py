"""The sheet of paper as it lies on a floor: curled, bent, creased, its corners folded or cut; and other sheets by it.

World frame: millimetres, right-handed, z up, origin at the sheet's centre, its long side along y; the floor is the
plane z = 0 and flat paper lies at `SHEET_LIFT_MM`. A sheet's plane is its own flat surface in the same x and y. How it
bends is in `paper_bends`, what its corners lack in `paper_corners`.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from scenes.rendering.meshes import SHEET_LIFT_MM, bitmap, lattice, mesh, paint, two_sided
from scenes.rendering.paper_bends import (
    CREASE_MM,
    EDGES,
    crumpled_facets,
    curled_corner,
    ease_from_feet,
    lifted_edges,
    opened_folds,
    over_something,
    ripples,
    turned_by,
)
from scenes.rendering.paper_corners import folded_corner, sample_corner_kinds, without_corner
from scenes.rendering.printing import PLAIN_PRINT, PrintConfig, paper_colour, sheet_texture
from scenes.rendering.turns import upright_turn
from scenes.sheet import FORMATS
from scenes.sheet import corners_mm as flat_corners

CELL_MM = 5.0  # of the mesh: rounder than a pixel shows
UNDER_MM, OVER_MM = 0.2, 0.8  # how much lower or higher another sheet lies than ours
SHARED_SOLE = 0.4  # of a sole that may stand on the other one of two overlapping sheets
LOWEST_MM = 0.2  # nothing of a sheet is lower than this over the floor


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


def _lines(side, creases):
    """Places of the mesh's lines along one side, with one on either rim of every crease and one on it."""
    lines = np.linspace(-side / 2, side / 2, int(round(side / CELL_MM)) + 1)
    for at in creases:
        keep = (np.abs(lines - at) > 1.5 * CREASE_MM) | (np.abs(lines) == side / 2)
        lines = np.concatenate([lines[keep], at + CREASE_MM * np.array([-1.0, 0.0, 1.0])])
    return np.sort(lines)


FLAT = ((), ((), ()), False, None, ())  # what `_shape` says of a sheet without any bend


def _shape(rng, paper, config, standing):
    """Bends of the whole sheet: (bends, (crease lines across x, across y), facets or not, support, marks)."""
    corners = flat_corners(paper)
    bends, lines, support, marks = [], ([], []), None, []
    if rng.random() < config.crease:
        bends, lines = opened_folds(rng, config, paper, corners, standing)
        marks.append("crease")
    if rng.random() < config.bent:
        over, support = over_something(rng, config, corners, standing)
        bends += over
        marks += ["bent"] if over else []
    elif rng.random() < config.lift:
        bends += lifted_edges(rng, config, corners, standing)
        marks.append("lift")
    crumpled = rng.random() < config.crumpled
    return bends, lines, crumpled, support, marks + (["crumpled"] if crumpled else [])


def _worn(rng, texture, lines):
    """Darken ``texture`` along creases; their places are shares of the sides (across x, across y) from lower left."""
    for axis, places in enumerate(lines):
        for share in places:
            page = texture if axis else texture.transpose(1, 0, 2)
            row = round((1 - share if axis else share) * (len(page) - 1))
            factor = 1 - rng.uniform(0, 0.16) * rng.uniform(0.4, 1, page.shape[1])
            page[row] = page[row] * factor[:, None]


def _corners_done(rng, config, paper, kinds, standing, points, faces):
    """Corners folded or cut: (points, all faces, resting places (N, 2), extra heights (N,), marks)."""
    corners, flaps, marks = flat_corners(paper), [], []
    rest, raised = {}, {}
    for corner, kind in zip(corners, kinds, strict=True):
        if kind in ("rounded", "cut", "torn"):
            points, faces = without_corner(rng, config, points, faces, corner, kind)
            marks.append(kind)
        elif kind == "dog_ear":
            folded = folded_corner(rng, config, points, faces, corner, standing)
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
    kinds = sample_corner_kinds(rng, config)
    bends, lines, crumpled, support, found = _shape(rng, paper, config, standing) if not flat else FLAT
    sides = (paper.short_mm, paper.long_mm)
    _worn(rng, texture, [[at / side + 0.5 for at in places] for side, places in zip(sides, lines, strict=True)])
    points, faces = lattice(*(_lines(side, places) for side, places in zip(sides, lines, strict=True)))
    points, faces, rest, raised, cut = _corners_done(rng, config, paper, kinds, standing, points, faces)
    faces, points, rest, raised = _compact(faces, points, rest, raised)
    # The corners ride along with the points: what moves the sheet as a whole moves them too, what curls one does not.
    ride = np.concatenate([rest, corners])
    ease = ease_from_feet(ride, standing)[:, None]
    place = np.column_stack([ride, np.full(len(ride), SHEET_LIFT_MM)])
    place += sum(bend.displaced(ride) for bend in bends if not bend.eased)
    moved = sum((bend.displaced(ride) for bend in bends if bend.eased), np.zeros((len(ride), 3)))
    if not flat:
        waves, wavy = ripples(rng, config, paper, ride)
        moved[:, 2] += waves
        found += wavy
    if crumpled:
        moved[:, 2] += crumpled_facets(rng, config, paper, ride)
    curls = [curled_corner(rng, config, corners, standing, k) for k, kind in enumerate(kinds)
             if kind == "curl" and not flat]
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
    spin = upright_turn(np.deg2rad(turn_deg))
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
    own = (points - centre) @ turned_by(turn_deg)
    return (np.abs(own) < np.array([paper.short_mm, paper.long_mm]) / 2 + margin).all(1)


def _overlapping(rng, paper, config, standing, ours):
    """A sheet that shares a strip with ours, under or over it, or None when no try leaves the feet on ours."""
    other, colour = _another(rng, paper, config, ours)
    corners, mine = flat_corners(other), flat_corners(paper)
    for _ in range(6):
        edge = EDGES[rng.choice(4, p=[0.4, 0.1, 0.4, 0.1])]
        turn = rng.choice([90.0, 0.0, rng.uniform(-180, 180)], p=[0.55, 0.3, 0.15]) + rng.normal(0, 3)
        deep, slide = rng.uniform(5, 110), rng.normal(0, 30)
        centre = edge * ((mine @ edge).max() + (corners @ turned_by(turn).T @ edge).max() - deep) + edge[::-1] * slide
        if _within(standing, other, turn, centre).sum() > SHARED_SOLE * _within(standing, paper, 0, 0).sum():
            continue
        above = rng.random() < config.over
        if above and ours is not None:
            covered = ours.vertices_mm[_within(ours.vertices_mm[:, :2], other, turn, centre, 10.0)]
            above = not len(covered) or covered[:, 2].max() < SHEET_LIFT_MM + 0.35
        shared, _ = lattice(*(np.linspace(-side / 2, side / 2, 22) for side in (other.short_mm, other.long_mm)))
        world = shared @ turned_by(turn).T + centre
        shared = shared[_within(world, paper, 0, 0, 5.0)]
        feet = (standing - centre) @ turned_by(turn)
        found = sample_sheet(rng, other, replace(config, bent=0.0), np.concatenate([shared, feet]), colour)
        return _placed(found, turn, centre, OVER_MM if above else -UNDER_MM)
    return None


def _beside(rng, paper, config, feet_on_sheet, standing, ours):
    """A sheet that lies clear of ours and of the feet, or None where no try is."""
    other, colour = _another(rng, paper, config, ours)
    corners, mine = flat_corners(other), flat_corners(paper)
    for _ in range(6):
        away = EDGES[rng.integers(4)] @ turned_by(rng.normal(0, 15)).T
        turn = rng.choice([0.0, 90.0, rng.uniform(-180, 180)]) + rng.normal(0, 5)
        gap = (5 if feet_on_sheet else 40) + rng.gamma(1.3, 60)
        # Beyond a line that neither crosses, hence clear of each other.
        reach = (mine @ away).max() + (corners @ turned_by(turn).T @ away).max() + gap
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
    vertices[:, :2] = vertices[:, :2] @ turned_by(degrees).T
    count, k = len(section), np.arange(len(section))
    following = (k + 1) % count
    walls = np.concatenate([np.stack([k, following, following + count], 1),
                            np.stack([k, following + count, k + count], 1)])
    fan = np.stack([np.zeros(count - 2, int), k[1:-1], k[2:]], 1)
    colour = np.clip(rng.uniform(20, 220) + rng.normal(0, 14, 3), 5, 245)
    return mesh(name, vertices, np.concatenate([walls, fan, fan + count]), paint(colour), smooth=False)
