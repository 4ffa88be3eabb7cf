"""What stands and lies about the sheet: walls, furniture, cables, things, rugs, what is in the camera's way.

Things keep clear of the sheet and of the feet, and where the photo shows them. Some touch the sheet, a few hide a part
of it; what lies on the sheet itself is named ``on_sheet...``. The truth of a scene comes from rays, so that it holds
for these too.
"""

from dataclasses import dataclass, replace
from functools import partial

import cv2
import mitsuba as mi
import numpy as np
import trimesh

from scenes import sheet
from scenes.rendering import surfaces
from scenes.rendering.draws import weighted
from scenes.rendering.meshes import SHEET_LIFT_MM, bitmap, grid, mesh, paint, two_sided
from scenes.rendering.objects import MAKERS, cuboid, household_colour, tube
from scenes.rendering.turns import plane_turn

FOOT_HALF_MM = 135.0  # from the middle of a foot to its heel and toes
FOOT_ROOM_MM = 75.0  # nothing stands nearer to a foot's axis
RUG_LIFT_MM = 0.15  # a rug lies under the sheet
RUG_KINDS = (("rug", 0.35), ("carpet", 0.4), ("fabric", 0.25))  # of floors
RUG_NEAR_WHITE_SHARE = 0.06
TRIES = 10
FARTHEST_MM = 3500.0


@dataclass(frozen=True)
class ThingsConfig:
    """What is drawn to stand about. Every ``*_share`` is a probability."""

    counts: tuple[float, ...] = (0.34, 0.26, 0.18, 0.12, 0.10)  # of 0, 1, 2, ... things
    kinds: tuple[tuple[str, float], ...] = (  # names of `objects.MAKERS` with their weights
        ("shoe", 0.06), ("shoe_pair", 0.1), ("box", 0.1), ("book", 0.09), ("paper", 0.13), ("device", 0.08),
        ("power_strip", 0.03), ("ruler", 0.04), ("tape_measure", 0.02), ("pen", 0.03), ("coin", 0.01), ("plate", 0.01),
        ("bowl", 0.02), ("bin", 0.02), ("bottle", 0.02), ("ball", 0.02), ("bricks", 0.02), ("bag", 0.04),
        ("cloth", 0.04), ("scale", 0.02), ("post", 0.09), ("chair", 0.05), ("star_base", 0.03))
    touching_share: float = 0.15  # of things, slid up to the sheet's edge
    covering_share: float = 0.06  # of things that may hide a part of the sheet
    covering_limit: float = 0.12  # of the sheet's area in the photo
    top_backdrop_share: float = 0.22  # a wall or a piece of furniture that cuts the photo, seen from above
    side_backdrop_share: float = 0.85  # the same in a view from near the floor
    backdrops: tuple[tuple[str, float], ...] = (("wall", 0.5), ("cabinet", 0.32), ("case", 0.18))
    cable_share: float = 0.13
    cable_over_share: float = 0.15  # of cables, across a corner of the sheet
    on_sheet_share: float = 0.05  # a pen, a coin, a ruler, a device on the paper
    rug_share: float = 0.06
    table_edge_share: float = 0.05  # the edge of a table between camera and floor; half of these find no room
    finger_share: float = 0.015  # a finger before the lens

    def __post_init__(self):
        unknown = [name for name, _ in self.kinds if name not in MAKERS]
        unknown += [name for name, _ in self.backdrops if name not in BACKDROPS]
        if unknown or not self.kinds or not self.backdrops:
            raise ValueError(f"kinds of things {unknown}: things are {', '.join(MAKERS)}, "
                             f"backdrops {', '.join(BACKDROPS)}")


def _outline(centre, half, turn_deg, gap=0.0):
    """Corners float32 (4, 2) mm of a turned rectangle, ``gap`` larger on every side."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (np.asarray(half) + gap)
    return (corners @ plane_turn(np.deg2rad(turn_deg)).T + centre).astype(np.float32)


def _overlap(first, second):
    """Area that two convex outlines (N, 2) share."""
    return cv2.intersectConvexConvex(np.float32(first), np.float32(second))[0]


def _sheet_outline(layout, gap=0.0):
    paper = layout.sheet_format
    return _outline((0, 0), (paper.short_mm / 2, paper.long_mm / 2), 0, gap)


def _foot_points(layout, tall=False):
    """Points (N, 2) mm along the axes of the feet; for something tall, also under the calves."""
    points = [np.empty((0, 2))]
    eye = layout.camera.position_mm[:2]
    for foot in layout.feet:
        turn = np.deg2rad(foot.turn_deg)
        ahead = np.array([-np.sin(turn), np.cos(turn)])
        points.append(np.asarray(foot.centre_mm) + np.linspace(-1, 1, 5)[:, None] * FOOT_HALF_MM * ahead)
        if tall:
            heel = np.asarray(foot.centre_mm) - ahead * 80
            way = eye - heel
            way /= max(np.linalg.norm(way), 1.0)
            points.append(heel + np.linspace(0, 350, 6)[:, None] * way)
            points.append(heel - np.linspace(0, 160, 3)[:, None] * ahead)
    return np.concatenate(points)


def _clear_of_feet(outline, points):
    return all(cv2.pointPolygonTest(outline, (float(x), float(y)), True) <= -FOOT_ROOM_MM for x, y in points)


def _seen_outline(layout, outline, height):
    """Convex hull (K, 2) px of a thing's box in the photo; None where a part of it is not before the camera."""
    box = np.concatenate([np.column_stack([outline, np.full(4, z)]) for z in (0.0, height)])
    pixels = layout.camera.project(box)
    return None if np.isnan(pixels).any() else cv2.convexHull(pixels.astype(np.float32))[:, 0]


def hidden_share(layout, outline, height):
    """Share of the sheet that a thing of an outline (4, 2) and height mm hides in the photo: 1 where it cannot be told.

    The sheet lies on the ground, so what is over it in the photo and stands on the ground stands before it.
    """
    hull = _seen_outline(layout, outline, height)
    quad = _seen_outline(layout, _sheet_outline(layout), 0.0)
    if hull is None or quad is None:
        return 1.0
    return _overlap(hull, quad) / max(cv2.contourArea(quad), 1.0)


def _in_photo(layout, outline, height):
    hull = _seen_outline(layout, outline, height)
    frame = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (layout.camera.width, layout.camera.height)
    return hull is not None and _overlap(hull, frame) > 0


@dataclass(eq=False)
class _Room:
    """What is taken already: outlines of things, and the face of a wall or cupboard that nothing reaches behind."""

    layout: object
    outlines: list
    normal: np.ndarray | None = None
    offset_mm: float = np.inf

    def takes(self, outline, height, limit):
        """Whether a thing fits there and hides no more than ``limit`` of the sheet."""
        layout = self.layout
        if self.normal is not None and (outline @ self.normal).max() > self.offset_mm:
            return False
        if any(_overlap(outline, other) > 0 for other in self.outlines):
            return False
        if _overlap(outline, _sheet_outline(layout, 1.5)) > 0 or not _clear_of_feet(outline, _foot_points(
                layout, height > 120)):
            return False
        eye = layout.camera.position_mm
        inside = cv2.pointPolygonTest(outline, (float(eye[0]), float(eye[1])), True)
        if inside > -60 and height > eye[2] - 150:
            return False
        return hidden_share(layout, outline, height) <= limit


def _spot(rng, camera, margin=0.12):
    """A place x, y (2,) mm on the floor that the photo shows, or shows beyond its border; nan for one too far."""
    pixel = rng.uniform(-margin, 1 + margin, 2) * (camera.width, camera.height)
    spot = camera.backproject(pixel[None])[0]
    return spot if np.linalg.norm(spot) < FARTHEST_MM else np.full(2, np.nan)


def _slid_to_sheet(layout, centre, half, turn):
    """The centre moved towards the sheet's middle until its outline all but touches the sheet."""
    near, far = 0.0, 1.0
    for _ in range(9):
        middle = (near + far) / 2
        if _overlap(_outline(centre * middle, half, turn), _sheet_outline(layout, 1.8)) > 0:
            near = middle
        else:
            far = middle
    return centre * far


def _place_thing(rng, room, config, name):
    """{name: shape} of one thing, empty where no place for it was found."""
    layout = room.layout
    thing = MAKERS[weighted(rng, config.kinds)](rng)
    half = np.array(thing.half_mm)
    touching = rng.random() < config.touching_share
    limit = config.covering_limit if rng.random() < config.covering_share else 0.002
    for _ in range(TRIES):
        centre = _spot(rng, layout.camera)
        turn = rng.choice([0, 90]) + rng.normal(0, 4) if rng.random() < 0.3 else rng.uniform(0, 360)
        if np.isnan(centre).any():
            continue
        if touching:
            centre = _slid_to_sheet(layout, centre, half, turn)
        outline = _outline(centre, half, turn)
        if not room.takes(outline, thing.height_mm, limit) or not _in_photo(layout, outline, thing.height_mm):
            continue
        room.outlines.append(outline)
        return thing.build(name, centre, turn, 0.0)
    return {}


def _on_sheet(rng, layout):
    """A pen, a coin, a ruler, a phone on the paper, clear of the feet; empty where there is no room."""
    thing = MAKERS[weighted(rng, (("pen", 0.4), ("coin", 0.25), ("ruler", 0.2), ("device", 0.15)))](rng)
    reach = np.array([layout.sheet_format.short_mm, layout.sheet_format.long_mm]) / 2
    for _ in range(TRIES):
        centre, turn = rng.uniform(-1, 1, 2) * reach, rng.uniform(0, 360)
        if _clear_of_feet(_outline(centre, thing.half_mm, turn), _foot_points(layout)):
            return thing.build("on_sheet", centre, turn, SHEET_LIFT_MM + 0.3)
    return {}


def _cable(rng, room, over_sheet):
    """A cable in a slow curve, past the sheet or across one of its corners."""
    layout = room.layout
    radius = rng.uniform(1.5, 4.5)
    material = paint(household_colour(rng))
    corners = sheet.corners_mm(layout.sheet_format)
    for _ in range(TRIES):
        middle = _spot(rng, layout.camera, 0.0)
        if over_sheet:
            middle = corners[rng.integers(4)] * rng.uniform(0.8, 0.97)
        if np.isnan(middle).any():
            continue
        bearing = np.arctan2(middle[1], middle[0]) + np.pi / 2 + rng.normal(0, 0.5)
        s = np.linspace(-1, 1, 36) * rng.uniform(200, 900)
        bend = rng.normal(0, 1 / 900) * s + rng.uniform(0.1, 0.5) * np.sin(s / rng.uniform(60, 200) + rng.uniform(0, 6))
        heading = bearing + bend
        steps = np.stack([np.cos(heading), np.sin(heading)], 1) * (s[1] - s[0])
        path = steps.cumsum(0)
        path += middle - path[18]
        on_paper = (np.abs(path) < (np.abs(corners[0]) + radius + 2)).all(1)
        if not over_sheet and on_paper.any() or over_sheet and on_paper.sum() > 14:
            continue
        feet = _foot_points(layout)
        if len(feet) and np.linalg.norm(path[:, None] - feet[None], axis=2).min() < FOOT_ROOM_MM:
            continue
        height = np.full((len(path), 1), radius + SHEET_LIFT_MM + (0.3 if over_sheet else 0.0))
        points, faces = tube(np.column_stack([path, height]), radius)
        name = "on_sheet_cable" if over_sheet else "cable"
        return {name: mesh(name, points, faces, material)}
    return {}


def _face(rng, layout):
    """Where a wall or a cupboard begins: (normal (2,) away from the sheet, distance in mm), or None.

    Sheet, feet and camera are on the near side. In a third of the cases it stands at the sheet's edge.
    """
    camera = layout.camera
    needed = np.concatenate([_sheet_outline(layout), _foot_points(layout)])
    for _ in range(TRIES):
        border = rng.choice(["top", "left", "right", "bottom"], p=[0.6, 0.18, 0.18, 0.04])
        along, inward = rng.uniform(0.1, 0.9), rng.uniform(-0.05, 0.35)
        share = {"top": (along, inward), "left": (inward, along), "right": (1 - inward, along),
                 "bottom": (along, 1 - inward)}[border]
        spot = camera.backproject(np.array([share]) * (camera.width, camera.height))[0]
        if np.isnan(spot).any() or np.linalg.norm(spot) > FARTHEST_MM:
            ahead = camera.rotation[2, :2]
            spot = ahead / max(np.linalg.norm(ahead), 1e-6) * rng.uniform(500, 2600)
        bearing = np.arctan2(spot[1], spot[0]) + rng.normal(0, 0.2)
        if rng.random() < 0.6:  # sheets are laid along walls
            bearing = np.round(bearing / (np.pi / 2)) * np.pi / 2 + rng.normal(0, 0.03)
        normal = np.array([np.cos(bearing), np.sin(bearing)])
        offset, least = float(spot @ normal), float((needed @ normal).max()) + 2.0
        if offset < least and (least - offset < 70 or rng.random() < 0.3):
            offset = least + rng.uniform(0, 6)
        if offset >= least and camera.position_mm[:2] @ normal < offset - 80:
            return normal, offset
    return None


def _panel(normal, along_mm, out_mm, low, high, width, depth, material):
    """A cuboid before or in a wall: its middle ``along_mm`` and its face ``out_mm`` along ``normal``."""
    across = np.array([-normal[1], normal[0]])
    centre = normal * (out_mm + depth / 2) + across * along_mm
    return cuboid((*centre, (low + high) / 2), (depth, width, high - low), np.rad2deg(np.arctan2(normal[1], normal[0])),
                  material)


def _seen_height(camera, normal, offset):
    """Height in mm up to which the photo shows a wall, with a little to spare."""
    pixels = np.array([[0, 0], [0.5, 0], [1, 0], [0, 1], [1, 1]]) * (camera.width, camera.height)
    rays = np.column_stack([(pixels - camera.center_px) / camera.focal_px, np.ones(5)]) @ camera.rotation
    reach = rays[:, :2] @ normal
    way = np.where(reach > 1e-3, (offset - camera.position_mm[:2] @ normal) / np.maximum(reach, 1e-3), 0)
    return float(np.clip(camera.position_mm[2] + (way * rays[:, 2]).max() + 200, 700, 3500))


def _wall(rng, layout, normal, offset):
    """A wall with its skirting board, now and then tiled, with a door in its frame."""
    white = np.clip(rng.uniform(200, 248) + rng.normal(0, 3, 3) + np.array([3, 0, -6]) * rng.normal(0, 1), 0, 250)
    colour = white if rng.random() < 0.75 else household_colour(rng)
    material = paint(colour)
    # No higher than it is seen, so that the light of windows beyond still comes in.
    height = max(_seen_height(layout.camera, normal, offset), 900.0)
    parts = {}
    door = rng.random() < 0.2
    offset = offset + (24 if door else 0)  # how far the door's frame stands out
    if rng.random() < 0.75:
        thick, high = rng.uniform(8, 20), rng.uniform(35, 130)
        board = white if rng.random() < 0.5 else household_colour(rng)
        parts["skirting"] = _panel(normal, 0, offset, 0, high, 8000, thick, paint(board))
        offset = offset + (0 if door else thick)
    parts["wall"] = _panel(normal, 0, offset, 0, height, 8000, 60, material)
    if door:
        along, width = rng.uniform(-900, 900), rng.uniform(650, 950)
        frame = white if rng.random() < 0.7 else household_colour(rng)
        for side in (-1, 1):
            parts[f"frame{side + 1}"] = _panel(normal, along + side * width / 2, offset - 24, 0, height, 70, 24,
                                               paint(frame))
        parts["door"] = _panel(normal, along, offset - 6, 8, height, width - 70, 8,
                               paint(frame if rng.random() < 0.5 else household_colour(rng)))
    return parts


def _cabinet(rng, layout, normal, offset):
    """A cupboard, a sofa, a bed: a front over a recessed plinth, often with drawers."""
    low = rng.choice([rng.uniform(0, 15), rng.uniform(50, 130), rng.uniform(120, 280)])
    high, width = low + rng.uniform(150, 800), rng.uniform(500, 2600)
    along = rng.uniform(-0.5, 0.5) * width
    colour = household_colour(rng)
    parts = {"cabinet": _panel(normal, along, offset, low, high, width, 550, paint(colour))}
    if low > 20:
        parts["plinth"] = _panel(normal, along, offset + rng.uniform(20, 90), 0, low, width, 400,
                                 paint(colour * rng.uniform(0.2, 0.9)))
    for k in range(int(rng.integers(0, 4))):
        x = along + (rng.uniform(-0.5, 0.5)) * width
        parts[f"joint{k}"] = _panel(normal, x, offset - 0.6, low, high, 4, 1.0, paint(colour * 0.35))
    return parts


def _case(rng, layout, normal, offset):
    """A computer's case, a loudspeaker, a suitcase: dark as a rule, its corner in the photo."""
    width, height = rng.uniform(180, 620), rng.uniform(250, 620)
    across = np.array([-normal[1], normal[0]])
    spot = _spot(rng, layout.camera, 0.0)
    along = rng.uniform(-300, 300) if np.isnan(spot).any() else float(spot @ across)
    colour = rng.uniform(6, 40, 3) if rng.random() < 0.6 else household_colour(rng)
    return {"case": _panel(normal, along, offset, 0, height, width, rng.uniform(200, 600), paint(colour))}


BACKDROPS = {"wall": _wall, "cabinet": _cabinet, "case": _case}


def _rug(floor_config, rng, layout):
    """A rug or mat on the floor and under the sheet, its border in the photo as a rule.

    floor_config: `FloorConfig`, which has the say about what textures there are.
    """
    spot = _spot(rng, layout.camera, 0.0)
    centre = rng.normal(0, 150, 2) if np.isnan(spot).any() else spot
    size = rng.uniform([350, 500], [1500, 2200])
    turn = rng.choice([0, 90]) + rng.normal(0, 12)
    known = dict(floor_config.kinds)
    kinds = tuple((kind, weight) for kind, weight in RUG_KINDS if kind in known) or floor_config.kinds
    near_white = min(floor_config.near_white_share, RUG_NEAR_WHITE_SHARE)
    floor = surfaces.sample_floor(rng, replace(floor_config, kinds=kinds, near_white_share=near_white, crumb_share=0.0))
    unit, faces = grid(2, 2)
    corners = _outline(centre, size / 2, turn)[[0, 1, 3, 2]]
    return {"rug": mesh("rug", np.column_stack([corners, np.full(4, RUG_LIFT_MM)]), faces,
                        two_sided(bitmap(floor.texture, "repeat")), texcoords=unit * size / floor.span_mm)}


def _table_edge(rng, layout):
    """The edge of a table, a seat or a bag between camera and floor, across a border of the photo; not over a leg."""
    camera = layout.camera
    height = camera.position_mm[2] * rng.uniform(0.3, 0.75)
    border, cut, lean = rng.integers(3), rng.uniform(0.03, 0.16), rng.normal(0, 0.03)
    shares = (((0, cut - lean), (1, cut + lean)), ((cut - lean, 0), (cut + lean, 1)),
              ((1 - cut + lean, 0), (1 - cut - lean, 1)))[border]
    pixels = np.array([*shares, (0.5, 0.5)]) * (camera.width, camera.height)
    first, second, middle = camera.backproject(pixels, height)
    if np.isnan([first, second, middle]).any() or np.linalg.norm(second - first) > 2000:
        return {}
    along = (second - first) / np.linalg.norm(second - first)
    outward = np.array([along[1], -along[0]])
    outward = outward if (middle - first) @ outward < 0 else -outward
    if ((_foot_points(layout, tall=True) - first) @ outward > -FOOT_ROOM_MM).any():
        return {}
    centre, turn = (first + second) / 2 + outward * 300, np.rad2deg(np.arctan2(along[1], along[0]))
    thick = rng.uniform(5, 40)
    return {"table": cuboid((*centre, height - thick / 2), (2500, 600, thick), turn, paint(household_colour(rng)))}


def _finger(rng, layout):
    """A fingertip at the border of the lens."""
    camera = layout.camera
    depth = rng.uniform(28, 45)
    angle = rng.uniform(0, 2 * np.pi)
    out = np.array([np.cos(angle), np.sin(angle)])
    edge = np.array([camera.width, camera.height]) / 2 / np.maximum(np.abs(out), 1e-3)
    pixel = out * edge.min() * rng.uniform(0.92, 1.02) + out * 9.0 / depth * camera.focal_px * 0.6
    place = np.array([*(pixel / camera.focal_px * depth), depth]) @ camera.rotation + camera.position_mm
    shape = trimesh.creation.icosphere(3)
    skin = np.array([205, 150, 120]) * rng.uniform(0.3, 1.1)
    points = shape.vertices * (9.0, 14.0, 8.0) @ camera.rotation + place
    return {"finger": mesh("finger", points, shape.faces, paint(np.clip(skin, 5, 250)))}


def things(rng, layout, config, floor_config):
    """What is about the sheet: {name: Mitsuba shape}.

    layout: `Layout`; of it the sheet's format, feet, camera and view are used. config: `ThingsConfig`. floor_config:
    `FloorConfig`, for rugs. Names that begin with ``on_sheet`` lie on the paper, "rug" lies under it, "table" and
    "finger" are near the camera; all others stand clear of sheet and feet.
    """
    found, room = {}, _Room(layout, [])
    share = config.top_backdrop_share if layout.view == "top" else config.side_backdrop_share
    if rng.random() < share:
        face = _face(rng, layout)
        if face is not None:
            room.normal, room.offset_mm = face
            found |= BACKDROPS[weighted(rng, config.backdrops)](rng, layout, *face)
    for k in range(int(rng.choice(len(config.counts), p=config.counts))):
        found |= _place_thing(rng, room, config, f"thing{k}")
    if rng.random() < config.cable_share:
        found |= _cable(rng, room, rng.random() < config.cable_over_share)
    for share, make in ((config.on_sheet_share, _on_sheet), (config.rug_share, partial(_rug, floor_config)),
                        (config.table_edge_share, _table_edge), (config.finger_share, _finger)):
        if rng.random() < share:
            found |= make(rng, layout)
    # As objects: of nested dictionaries Mitsuba orders the shapes by chance.
    return {name: mi.load_dict(part | {"id": name}) if isinstance(part, dict) else part
            for name, part in found.items()}


PLAIN_THINGS = ThingsConfig(counts=(1.0,), top_backdrop_share=0.0, side_backdrop_share=0.0, cable_share=0.0,
                            on_sheet_share=0.0, rug_share=0.0, table_edge_share=0.0, finger_share=0.0)
