"""What stands where: the sheet, the legs, the camera and the lamps of one scene, drawn from one generator.

World frame: millimetres, right-handed, z up, origin at the sheet's centre, the sheet's long side along y. The floor
is the plane z = 0.
"""

from dataclasses import dataclass

import numpy as np

from scenes import sheet
from scenes.camera import Camera

TOP_SHARE = 0.87  # of the photos; the rest is taken near the floor, from the left or the right of the foot
NEAREST_CORNER_MM = 60.0  # from the camera's plane to the sheet's nearest corner
LEG_TOP_MM = 430.0  # above this the leg must have left the photo: the mesh ends there


@dataclass(frozen=True)
class FootPlace:
    """Where a foot stands: the middle of its outline, its toes' direction and what it wears."""

    side: str
    centre_mm: tuple[float, float]
    turn_deg: float  # toes' direction from +y, anticlockwise seen from above
    sock: bool
    trouser_from_mm: float | None  # height where the trouser leg begins; None: bare


@dataclass(frozen=True)
class Layout:
    """One scene before it has any mesh or texture."""

    sheet_format: sheet.SheetFormat
    feet: tuple[FootPlace, ...]
    camera: Camera
    view: str  # "top", "left" or "right"
    clutter: int
    curl_mm: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # lift of each corner


def look_at(position, target, up, focal_px, width, height):
    """A `Camera` at ``position`` that looks at ``target`` (3,), both mm, with ``up`` (3,) pointing up in the photo."""
    forward = np.asarray(target, float) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Camera(focal_px, ((width - 1) / 2, (height - 1) / 2), rotation, -rotation @ np.asarray(position, float),
                  width, height)


def sample_feet(rng, paper):
    """None, one or two feet; now and then one more that stands beside the sheet."""
    count = rng.choice([0, 1, 2], p=[0.15, 0.65, 0.2])
    if count == 0:
        return ()
    along = rng.choice([0.0, 180.0]) if rng.random() < 0.88 else rng.choice([90.0, -90.0])
    along += np.clip(rng.normal(0, 7), -25, 25)
    forward = np.array([-np.sin(np.deg2rad(along)), np.cos(np.deg2rad(along))])
    rightward = np.array([forward[1], -forward[0]])
    sock = bool(rng.random() < 0.3)
    trouser = float(rng.uniform(70, 260)) if rng.random() < 0.55 else None
    back = -max(0.0, rng.normal(0, 25))  # the heel may hang over the sheet's edge behind
    middle = forward * (back + rng.normal(0, 12)) + rightward * rng.normal(0, 14)
    if count == 1:
        places = [(str(rng.choice(["left", "right"])), middle)]
        if rng.random() < 0.25:  # the other foot beside the sheet
            other = "left" if places[0][0] == "right" else "right"
            sign = 1 if other == "right" else -1
            reach = paper.short_mm / 2 + rng.uniform(70, 160)
            places.append((other, rightward * sign * reach + forward * rng.normal(-20, 60)))
    else:
        gap = rng.uniform(50, 68)
        places = [("left", middle - rightward * gap), ("right", middle + rightward * gap)]
    return tuple(FootPlace(side, tuple(map(float, centre)), float(along + rng.normal(0, 4)), sock, trouser)
                 for side, centre in places)


def _photo_size(rng, size):
    """``size`` = (long, short) in pixels, as a portrait, landscape or square photo; now and then 16:9."""
    long_side, short_side = max(size), min(size)
    kind = rng.choice(["portrait", "landscape", "square", "tall"], p=[0.6, 0.17, 0.05, 0.18])
    if kind == "tall":
        return round(long_side * 9 / 16), long_side
    if kind == "square":
        return short_side, short_side
    return (short_side, long_side) if kind == "portrait" else (long_side, short_side)


def sample_camera(rng, size, toes_deg, paper):
    """Camera and view for a sheet whose toes point ``toes_deg`` from +y; the sheet fills 0.25 to 1.05 of the photo.

    ``size`` is (width, height) as asked for. The photographer stands mostly behind the heel or opposite the toes.
    """
    width, height = _photo_size(rng, size)
    field_of_view = np.deg2rad(rng.uniform(48, 78))  # along the long side: 24 to 40 mm phones
    focal = max(width, height) / 2 / np.tan(field_of_view / 2)
    view = "top"
    if rng.random() < TOP_SHARE:
        tilt = abs(rng.normal(0, 17)) if rng.random() < 0.8 else rng.uniform(20, 62)
        kinds = (rng.normal(0, 14), 180 + rng.normal(0, 14), rng.choice([90, -90]) + rng.normal(0, 14),
                 rng.uniform(0, 360))
        kind = rng.choice(4, p=[0.52, 0.2, 0.1, 0.18])
        bearing = kinds[kind]
        if kind == 0:  # one's own foot: the phone is held ahead of one's knee, so it looks back rather than forward
            tilt = rng.normal(-7, 11)
    else:
        view = str(rng.choice(["left", "right"]))
        tilt = rng.uniform(50, 78)
        bearing = (90 if view == "right" else -90) + rng.normal(0, 16)
    # Bearing 0: the top of the photo is where the toes point; a positive tilt puts the camera behind the heel.
    heading = np.deg2rad(toes_deg + bearing)
    ahead = np.array([-np.sin(heading), np.cos(heading), 0.0])
    away = np.array([ahead[0] * -np.sin(np.deg2rad(tilt)), ahead[1] * -np.sin(np.deg2rad(tilt)),
                     np.cos(np.deg2rad(tilt))])
    roll = np.deg2rad(rng.normal(0, 5))
    up = np.array([ahead[0] * np.cos(roll) - ahead[1] * np.sin(roll), ahead[0] * np.sin(roll) + ahead[1] * np.cos(roll),
                   0.0])
    fill = 0.3 + 0.67 * rng.beta(1.6, 1.1) if rng.random() < 0.93 else rng.uniform(0.97, 1.15)
    half = np.array([paper.short_mm, paper.long_mm]) / 2
    corners = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) * half
    corners = np.concatenate([corners, np.zeros((4, 1))], 1)
    distance = 900.0
    for _ in range(4):  # the sheet's extent is nearly inverse to the distance: a few steps settle it
        camera = look_at(away * distance, (0, 0, 0), up, focal, width, height)
        seen = camera.project(corners)
        filled = max(np.ptp(seen[:, 0]) / width, np.ptp(seen[:, 1]) / height)
        distance = max(distance * filled / fill, 260.0)
    # What room is left around the sheet is shared out at random by sliding the camera, not turning it.
    slack = (1 - min(fill, 1)) * distance * np.array([width, height]) / focal / 2
    slide = rng.uniform(-1, 1, 2) * slack * (0.9 if rng.random() < 0.93 else 1.25)
    right = np.cross(-away, up)
    right /= np.linalg.norm(right)
    offset = right * slide[0] + up / np.linalg.norm(up) * slide[1] / max(np.cos(np.deg2rad(tilt)), 0.45)
    offset[2] = 0
    return look_at(away * distance + offset, offset, up, focal, width, height), view


def _in_front(camera, paper):
    """Whether the whole sheet lies before the camera; one that is nearer than the sheet is long may look past it."""
    corners = np.column_stack([sheet.corners_mm(paper), np.zeros(4)])
    return (corners @ camera.rotation[2] + camera.translation_mm[2]).min() > NEAREST_CORNER_MM


def sample_layout(rng, size):
    """A whole `Layout` for photos of ``size`` (width, height) pixels."""
    paper = sheet.A4 if rng.random() < 0.65 else sheet.LETTER
    feet = sample_feet(rng, paper)
    toes_deg = feet[0].turn_deg if feet else float(rng.choice([0, 90, 180, 270]))
    camera, view = sample_camera(rng, size, toes_deg, paper)
    while not _in_front(camera, paper):
        camera, view = sample_camera(rng, size, toes_deg, paper)
    curl = np.where(rng.random(4) < 0.3, rng.gamma(2.0, 4.0, 4), 0.0) * (rng.random() < 0.7)
    return Layout(paper, feet, camera, view, int(rng.integers(0, 5)), tuple(map(float, np.minimum(curl, 30.0))))
