"""A foot seen from beside it: its profile over the sheet.

From the side the far half of a foot's outline in the photo is no outline of its plan: it is the instep, up to 80 mm
above the sheet. Only the near border, where the foot meets the sheet, lies where a plan is read. It gives the foot's
direction and its middle; on the upright plane through that middle the whole outline becomes a profile, along and up,
whose ends are heel and toes.

The instep's height is the height of the top of the foot over the sheet at half of the foot's length, the dorsal arch
height of D. S. Williams and I. S. McClay, "Measurements used to characterize the foot and the medial longitudinal
arch", Physical Therapy 2000, as `scenes.rendering.foot` reads it off a mesh. ISO 7250-1 defines none.

Offsets and heights are set on 91 single feet in rendered training scenes seen from the side, with their true masks.
"""

from dataclasses import dataclass
from math import radians

import numpy as np

from deploy.outline import LENGTH_PER_WIDTH

NEAR_HEIGHT_MM = 8.0  # of the near border
NEAR_FACING = 0.6  # cosine of the angle between the outline's normal and the camera, on the sheet: the near border
NEAR_LEAST = 12  # points of it
NEAR_LONG_MM = 95.0  # at least so long: a heel or toes that are near are as broad as a foot
NORMAL_STEP = 4  # points to either side over which a normal is taken
ACROSS = 0.75  # cosine of axis and line of sight above which the foot is seen from its end
HEEL_MM, TOES_MM = (5.0, 50.0), (-5.0, 40.0)  # heights at which the heel's end and the toes' are looked for
HEEL_SHARE, TOES_SHARE = 0.15, 0.85  # of the length, where the heel's end is known by being higher
HIGHER_MM = 14.0
HEEL_END = 0.06  # of the length
BAND = 0.04  # of the length, to either side, over which the profile's top is taken
LENGTHS_MM = (130.0, 340.0)
ROUNDS = 3


@dataclass(frozen=True)
class Near:
    """What lies between the near border and the foot's middle: the axis turns away from the border by turn_deg towards
    the toes, and runs share of the breadth behind it. The instep's height is of_length of the length and of_top of the
    profile's top at INSTEP_TOP_SHARE. tells_instep: whether that is better than what the length alone tells."""

    turn_deg: float
    share: float
    of_length: float
    of_top: float
    tells_instep: bool


# Seen from the big toe's side, and from the little one's. At half of its length the profile is the leg's as often as
# the foot's; a little in front there is the same to see with less in the way. Left out one at a time, nine heights in
# ten were less than 6.7 and 3.1 mm off; by the length alone it is 9.8 and 5.7. True masks and cameras are the best
# case: what is little better there is none with others.
MEDIAL = Near(3.0, 0.14, 0.120, 0.542, False)
LATERAL = Near(6.0, 0.49, 0.117, 0.581, True)
INSTEP_TOP_SHARE = 0.55
# The heights so read, over the length, of whole feet: 98 in 100 are within. Lower ones are hidden by a hem; a foot that
# is too high for its length has no heel, which the mask took for leg.
INSTEP_PER_LENGTH = (0.235, 0.315)


@dataclass(frozen=True, eq=False)
class Profile:
    """length_mm. heel_mm, toe_mm: (2,), the ends of the axis on the sheet. axis: unit vector (2,), towards the toes.
    along_mm, up_mm: (N,), the outline's points on the upright plane through the axis, from the heel. near: MEDIAL or
    LATERAL."""

    length_mm: float
    heel_mm: np.ndarray
    toe_mm: np.ndarray
    axis: np.ndarray
    along_mm: np.ndarray
    up_mm: np.ndarray
    near: Near

    def top_mm(self, share):
        """The profile's height at a share of the length from the heel; nan where it has none."""
        near = np.abs(self.along_mm - share * self.length_mm) < BAND * self.length_mm
        return float(self.up_mm[near].max()) if near.any() else float("nan")

    @property
    def at_heel(self):
        """Which of the outline's points are at the heel's end: bool (N,)."""
        return (self.along_mm < HEEL_END * self.length_mm) & (self.up_mm < HEEL_MM[1])

    @property
    def instep_height_mm(self):
        """Height of the instep, or None where it is hidden or not told any better than by the length alone."""
        height = self.instep_per_length * self.length_mm
        return height if self.near.tells_instep and self.instep_per_length > INSTEP_PER_LENGTH[0] else None

    @property
    def instep_per_length(self):
        """Height of the instep as it seems over the length, nan where nothing is seen there."""
        return self.near.of_length + self.near.of_top * self.top_mm(INSTEP_TOP_SHARE) / self.length_mm


def foot_profile(outline_px, camera, side):
    """The Profile of a foot that is seen from beside it, or None where it is not.

    outline_px: (N, 2) px of the photo, in order. camera: scenes.camera.Camera. side: "left" or "right".
    """
    border = _near_border(outline_px, camera)
    if border is None:
        return None
    middle, direction, away = border
    best = None
    for toes in (direction, -direction):
        # Seen across a left foot with its toes to the left, the camera is at its little toe.
        to_right = float(toes[1] * away[0] - toes[0] * away[1]) < 0
        near = MEDIAL if to_right == (side == "left") else LATERAL
        profile = _profile(outline_px, camera, middle, (toes, away), near)
        if profile is None or profile.instep_per_length > INSTEP_PER_LENGTH[1]:
            continue
        higher = profile.top_mm(HEEL_SHARE) - profile.top_mm(TOES_SHARE)
        if higher > HIGHER_MM and (best is None or higher > best[0]):
            best = higher, profile
    return best[1] if best else None


def is_beside(outline_px, camera):
    """Whether a foot with an outline (N, 2) px is seen from beside it, and not from its end."""
    return _near_border(outline_px, camera) is not None


def _near_border(outline_px, camera):
    """The straight line along the near border: (a point (2,), its direction (2,), the way from it to the foot (2,)), on
    the sheet; None where the foot is not seen from beside it."""
    plan = camera.backproject(outline_px, NEAR_HEIGHT_MM)
    if not np.isfinite(plan).all():
        return None
    to_camera = camera.position_mm[:2] - plan.mean(axis=0)
    to_camera /= max(float(np.linalg.norm(to_camera)), 1e-9)
    tangent = np.roll(plan, -NORMAL_STEP, axis=0) - np.roll(plan, NORMAL_STEP, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    following = np.roll(plan, -1, axis=0)
    turns_left = (plan[:, 0] * following[:, 1] - plan[:, 1] * following[:, 0]).sum() > 0
    near = plan[(normal if turns_left else -normal) @ to_camera > NEAR_FACING]
    if len(near) < NEAR_LEAST:
        return None
    weights = np.ones(len(near))
    for _ in range(8):  # robust: toes and a hanging hem are beside the line
        centre = weights @ near / weights.sum()
        offset = near - centre
        _, axes = np.linalg.eigh((offset * weights[:, None]).T @ offset)
        weights = 1 / np.maximum(1.0, np.abs(offset @ axes[:, 0]) / 3.0)
    direction, away = axes[:, 1], axes[:, 0]
    if abs(direction @ to_camera) > ACROSS:
        return None
    along = (near - centre) @ direction
    if np.ptp(along) < NEAR_LONG_MM:
        return None
    return centre + (along.min() + along.max()) / 2 * direction, direction, away if away @ to_camera < 0 else -away


def _profile(outline_px, camera, middle, directions, near):
    """The Profile with the toes in a direction; directions: (towards the toes, away from the camera), (2,) each."""
    toes, away = directions
    turn = radians(near.turn_deg)
    axis, across = toes * np.cos(turn) + away * np.sin(turn), away * np.cos(turn) - toes * np.sin(turn)
    length = 240.0
    for _ in range(ROUNDS):
        origin = middle + near.share * length / LENGTH_PER_WIDTH * away
        along, up = _on_plane(outline_px, camera, origin, axis, across)
        at_heel, at_toes = ((up > low) & (up < high) for low, high in (HEEL_MM, TOES_MM))
        if not (at_heel.any() and at_toes.any()):
            return None
        rear, front = along[at_heel].min(), along[at_toes].max()
        length = float(front - rear)
        if not LENGTHS_MM[0] < length < LENGTHS_MM[1]:
            return None
    return Profile(length, origin + rear * axis, origin + front * axis, axis, along - rear, up, near)


def _on_plane(points_px, camera, origin, axis, across):
    """Where points (N, 2) px are on the upright plane through origin (2,) along axis (2,): (along, up), (N,) mm each,
    nan behind the camera."""
    rays = np.column_stack([(points_px - camera.center_px) / camera.focal_px, np.ones(len(points_px))])
    rays = rays @ camera.rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (origin - camera.position_mm[:2]) @ across / (rays[:, :2] @ across)
    met = camera.position_mm + np.where(reach > 0, reach, np.nan)[:, None] * rays
    return (met[:, :2] - origin) @ axis, met[:, 2]
