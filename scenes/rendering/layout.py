"""What stands where: the sheet, the feet and the camera of one scene, drawn from one generator.

World frame: millimetres, right-handed, z up, origin at the sheet's centre, the sheet's long side along y. The floor
is the plane z = 0.
"""

from dataclasses import dataclass

import numpy as np

from scenes import sheet
from scenes.camera import Camera
from scenes.rendering.lens import Lens, seen_at

NEAREST_CORNER_MM = 60.0  # from the camera's plane to the sheet's nearest corner
NEAREST_CAMERA_MM = 260.0  # nearer no phone focuses
FARTHEST_CAMERA_MM = 2600.0  # farther no hand holds one over the floor


@dataclass(frozen=True)
class StandingConfig:
    """Who stands where. A ``*_share`` is a probability; lengths are millimetres, turns degrees."""

    a4_share: float = 0.65  # the rest is US Letter
    feet_shares: tuple[float, float, float] = (0.2, 0.63, 0.17)  # no foot on the sheet, one, two
    across_share: float = 0.12  # the sheet lies across under the foot
    turn_deg: float = 7.0  # standard deviation of the toes against the sheet's side
    askew_share: float = 0.08  # a foot that stands at any angle, over a corner as a rule
    over_edge_share: float = 0.1  # toes or side over the sheet's edge
    heel_behind_mm: float = 25.0  # standard deviation of how far the heel stands behind the edge, one-sided
    other_foot_share: float = 0.2  # of single feet: the same person's other foot stands beside the sheet
    lifted_share: float = 0.01  # of single feet: it hovers over the sheet and is not on it
    lifted_mm: tuple[float, float] = (120.0, 250.0)  # lower ones look as if they stood
    bystander_share: float = 0.08  # somebody else's feet, in shoes as a rule
    bystander_shoe_share: float = 0.6


@dataclass(frozen=True)
class CameraConfig:
    """Where the photo is taken from. A ``*_share`` is a probability; angles are degrees."""

    side_share: float = 0.11  # near the floor, from the foot's left or right
    own_share: float = 0.42  # of the rest: one's own foot from above, the toes away from the photographer
    opposite_share: float = 0.28  # from in front of the toes
    quarter_share: float = 0.1  # from the side, from above; what is left comes from anywhere
    steep_share: float = 0.16  # of views from above: tilted by `steep_deg` instead of a few degrees
    tilt_deg: float = 17.0
    steep_deg: tuple[float, float] = (20.0, 62.0)
    side_deg: tuple[float, float] = (50.0, 78.0)
    roll_deg: float = 5.0
    shapes: tuple[float, float, float, float] = (0.6, 0.17, 0.05, 0.18)  # portrait, landscape, square, 9:16
    field_deg: tuple[float, float] = (48.0, 78.0)  # along the photo's long side: 24 to 40 mm phones
    wide_share: float = 0.08
    wide_field_deg: tuple[float, float] = (78.0, 100.0)
    fill: tuple[float, float] = (0.55, 1.0)  # sheet's extent over the photo's
    own_fill: tuple[float, float] = (0.42, 0.92)  # of one's own foot: the phone is over the knee
    far_share: float = 0.06
    far_fill: tuple[float, float] = (0.16, 0.5)
    close_share: float = 0.05  # the sheet is partly outside
    close_fill: tuple[float, float] = (0.98, 1.15)
    off_share: float = 0.04  # of photos whose sheet may be slid over the border
    distortion_share: float = 0.35
    distortion: float = 0.02  # standard deviation of k1 r^2 at the photo's corner
    wide_barrel: float = 0.1  # most of -k1 r^2 there of a wide lens; 0.148 and more would fold the picture over


# The same views through a lens without distortion.
PINHOLE = CameraConfig(distortion_share=0.0, wide_barrel=0.0)


@dataclass(frozen=True)
class FootPlace:
    """Where a foot stands: the middle of its outline, its toes' direction, whose it is."""

    side: str
    centre_mm: tuple[float, float]
    turn_deg: float  # toes' direction from +y, anticlockwise seen from above
    person: int = 0  # 0: who stands on the sheet; both feet of a person wear the same
    lifted_mm: float = 0.0  # sole over the sheet
    shod: bool = False


@dataclass(frozen=True)
class Layout:
    """One scene before it has any mesh or texture."""

    sheet_format: sheet.SheetFormat
    feet: tuple[FootPlace, ...]
    camera: Camera
    lens: Lens
    view: str  # "top", "left" or "right"


def look_at(position, target, up, focal_px, width, height):
    """A `Camera` at ``position`` that looks at ``target`` (3,), both mm, with ``up`` (3,) pointing up in the photo."""
    forward = np.asarray(target, float) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Camera(focal_px, ((width - 1) / 2, (height - 1) / 2), rotation, -rotation @ np.asarray(position, float),
                  width, height)


def _axes(turn_deg):
    """Unit vectors (2,) forward and to the right of toes turned by ``turn_deg`` from +y."""
    forward = np.array([-np.sin(np.deg2rad(turn_deg)), np.cos(np.deg2rad(turn_deg))])
    return forward, np.array([forward[1], -forward[0]])


def sample_feet(rng, paper, config):
    """The `FootPlace`s of a scene: on the sheet none, one or two; some beside it; seldom one that hovers."""
    count = rng.choice(3, p=config.feet_shares)
    across = rng.random() < config.across_share
    along = rng.choice([90.0, -90.0]) if across else rng.choice([0.0, 180.0])
    along += np.clip(rng.normal(0, config.turn_deg), -25, 25)
    if count == 1 and rng.random() < config.askew_share:
        along = rng.uniform(0, 360)
    forward, rightward = _axes(along)
    middle = forward * (rng.normal(0, 12) - max(0.0, rng.normal(0, config.heel_behind_mm)))
    middle = middle + rightward * rng.normal(0, 14)
    if count and rng.random() < config.over_edge_share:
        middle = middle + (forward * rng.uniform(30, 130) if rng.random() < 0.5
                           else rightward * rng.choice([-1, 1]) * rng.uniform(40, 100))
    places = []
    if count == 1:
        places = _single_foot(rng, paper, config, along, middle)
    elif count == 2:
        gap = rng.uniform(50, 68)
        places = [FootPlace(side, _point(middle + sign * rightward * gap), float(along + rng.normal(0, 4)))
                  for side, sign in (("left", -1), ("right", 1))]
    if rng.random() < config.bystander_share:
        places += _bystander(rng, paper, config)
    return tuple(places)


def _point(values):
    return tuple(map(float, values))


def _single_foot(rng, paper, config, along, middle):
    """One foot on the sheet, or over it, and perhaps the other one of the same person beside the sheet."""
    forward, rightward = _axes(along)
    side = str(rng.choice(["left", "right"]))
    lifted = rng.uniform(*config.lifted_mm) if rng.random() < config.lifted_share else 0.0
    places = [FootPlace(side, _point(middle), float(along + rng.normal(0, 4)), lifted_mm=float(lifted))]
    if rng.random() < config.other_foot_share:
        other, sign = ("left", -1) if side == "right" else ("right", 1)
        reach = paper.short_mm / 2 + rng.uniform(70, 160)
        centre = rightward * sign * reach + forward * rng.normal(-20, 60)
        places.append(FootPlace(other, _point(centre), float(along + rng.normal(0, 8))))
    return places


def _bystander(rng, paper, config):
    """One or both feet of another person beside the sheet."""
    bearing = rng.uniform(0, 2 * np.pi)
    outward = np.array([np.cos(bearing), np.sin(bearing)])
    centre = outward * (np.hypot(paper.short_mm, paper.long_mm) / 2 + rng.uniform(150, 420))
    # Most people look at what is photographed.
    turn = np.rad2deg(bearing) + 90 + rng.normal(0, 50)
    _, rightward = _axes(turn)
    shod, apart = bool(rng.random() < config.bystander_shoe_share), rng.uniform(60, 140)
    places = [FootPlace(side, _point(centre + sign * rightward * apart), float(turn + rng.normal(0, 8)), person=1,
                        shod=shod) for side, sign in (("left", -1), ("right", 1))]
    return places if rng.random() < 0.7 else places[:1]


def _photo_size(rng, size, shapes):
    """``size`` = (long, short) in pixels, as a portrait, landscape or square photo; now and then 16:9."""
    long_side, short_side = max(size), min(size)
    kind = rng.choice(4, p=shapes)
    if kind == 3:
        return round(long_side * 9 / 16), long_side
    if kind == 2:
        return short_side, short_side
    return (short_side, long_side) if kind == 0 else (long_side, short_side)


def _viewpoint(rng, config):
    """(view, bearing, tilt): the view is "own" (one's own foot, from above), "top", "left" or "right".

    Bearing 0 has the toes at the photo's top; a positive tilt puts the camera behind them.
    """
    if rng.random() < config.side_share:
        view = str(rng.choice(["left", "right"]))
        return view, (90 if view == "right" else -90) + rng.normal(0, 16), rng.uniform(*config.side_deg)
    tilt = rng.uniform(*config.steep_deg) if rng.random() < config.steep_share else abs(rng.normal(0, config.tilt_deg))
    kind = rng.random() - config.own_share
    if kind < 0:  # one's own foot: the phone is held ahead of one's knee, so it looks back rather than forward
        return "own", rng.normal(0, 14), rng.normal(-7, 11)
    if kind < config.opposite_share:
        return "top", 180 + rng.normal(0, 14), tilt
    if kind < config.opposite_share + config.quarter_share:
        return "top", rng.choice([90, -90]) + rng.normal(0, 14), tilt
    return "top", rng.uniform(0, 360), tilt


def _optics(rng, config, size):
    """(width, height, focal length in pixels, `Lens`)."""
    width, height = _photo_size(rng, size, config.shapes)
    is_wide = rng.random() < config.wide_share
    field = rng.uniform(*(config.wide_field_deg if is_wide else config.field_deg))
    focal = max(width, height) / 2 / np.tan(np.deg2rad(field) / 2)
    bend = 0.0
    if is_wide:
        bend = -rng.uniform(0, config.wide_barrel)
    elif rng.random() < config.distortion_share:
        bend = np.clip(rng.normal(0, config.distortion), -0.06, 0.06)
    corner = np.hypot(width, height) / 2 / focal
    return width, height, focal, Lens(float(bend / corner**2))


def _fill(rng, config, ordinary):
    kind = rng.random()
    if kind < config.close_share:
        return rng.uniform(*config.close_fill)
    if kind < config.close_share + config.far_share:
        return rng.uniform(*config.far_fill)
    low, high = ordinary
    return low + (high - low) * rng.beta(1.6, 1.1)


def sample_camera(rng, size, toes_deg, paper, config, has_foot=True):
    """(`Camera`, `Lens`, view) for a sheet whose toes point ``toes_deg`` from +y; ``size`` is (width, height) px.

    The photographer stands mostly behind the heel or opposite the toes. The view is "top", "left" or "right".
    """
    width, height, focal, lens = _optics(rng, config, size)
    view, bearing, tilt = _viewpoint(rng, config)
    heading, tilt = np.deg2rad(toes_deg + bearing), np.deg2rad(tilt)
    ahead = np.array([-np.sin(heading), np.cos(heading), 0.0])
    away = ahead * -np.sin(tilt) + (0, 0, np.cos(tilt))
    roll = np.deg2rad(rng.normal(0, config.roll_deg))
    up = np.array([ahead[0] * np.cos(roll) - ahead[1] * np.sin(roll), ahead[0] * np.sin(roll) + ahead[1] * np.cos(roll),
                   0.0])
    fill = _fill(rng, config, config.own_fill if view == "own" and has_foot else config.fill)
    # Where the sheet lies in the room that is left: 0 at the photo's left or top border, 1 at its right or bottom one.
    spot = rng.uniform(-0.15, 1.15, 2) if rng.random() < config.off_share else rng.uniform(0.03, 0.97, 2)
    optics = focal, width, height
    return _framed(corners_of(paper), away, up, optics, lens, fill, spot), lens, "top" if view == "own" else view


def corners_of(paper):
    """The corners (4, 3) mm of a flat sheet on the floor."""
    return np.column_stack([sheet.corners_mm(paper), np.zeros(4)])


def _framed(corners, away, up, optics, lens, fill, spot):
    """A `Camera` in direction ``away`` whose photo the corners (4, 3) mm fill so far, at ``spot`` of what is left.

    The photographer steps back or nearer and slides the phone, without turning it.
    """
    focal, width, height = optics
    size = np.array([width, height])
    right = np.cross(-away, up)
    right /= np.linalg.norm(right)
    ahead = up / np.linalg.norm(up) / max(away[2], 0.45)  # on the floor, as long as it takes to see it move by 1
    distance, target = 900.0, np.zeros(3)
    for _ in range(8):  # extent and place are nearly linear in the camera's place: a few steps settle them
        camera = look_at(away * distance + target, target, up, *optics)
        seen = seen_at(corners, camera, lens)
        if not np.isfinite(seen).all():
            distance = min(distance * 1.5, FARTHEST_CAMERA_MM)
            continue
        filled = np.max(np.ptp(seen, axis=0) / size)
        shift = spot * (size - np.ptp(seen, axis=0)) - seen.min(0)
        target = target + (ahead * shift[1] - right * shift[0]) * distance / focal
        target[2] = 0
        distance = np.clip(distance * filled / fill, NEAREST_CAMERA_MM, FARTHEST_CAMERA_MM)
    return look_at(away * distance + target, target, up, *optics)


def _in_front(camera, paper):
    """Whether the whole sheet lies before the camera; one that is nearer than the sheet is long may look past it."""
    return (corners_of(paper) @ camera.rotation[2] + camera.translation_mm[2]).min() > NEAREST_CORNER_MM


def sample_layout(rng, size, standing, view):
    """A whole `Layout` for photos of ``size`` (width, height) pixels."""
    paper = sheet.A4 if rng.random() < standing.a4_share else sheet.LETTER
    feet = sample_feet(rng, paper, standing)
    on_sheet = [foot for foot in feet if foot.person == 0]
    toes_deg = on_sheet[0].turn_deg if on_sheet else float(rng.choice([0, 90, 180, 270]))
    while True:
        camera, lens, name = sample_camera(rng, size, toes_deg, paper, view, bool(on_sheet))
        if _in_front(camera, paper):
            return Layout(paper, feet, camera, lens, name)
