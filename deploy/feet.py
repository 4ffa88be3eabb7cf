"""From a class mask and the camera to feet in millimetres.

A foot's outline in the mask is thrown onto planes parallel to the sheet and measured there as ISO 7250-1 says: length
along the axis from the heel's rearmost point to the tip of the second toe, breadth across it over the ball.

A foot is not flat. Its heel, toes and ball are rounded bodies at some height over the sheet, and a camera that is not
straight above sees their outline displaced. Each extreme is therefore taken on the plane at its own height z, and what
a rounded body of radius r shows beyond its true extent, r (1 / cos(theta) - 1), is taken off again, with theta the
angle between the vertical and the line of sight's part in the plane of that extreme's direction and the vertical.

The model's heights, radii and shares were fitted on `scenes render` masks of legs with real-shaped feet, the training
split; their starting values are means over 72 such legs of people from children to old (foot length 165 to 274 mm).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

import cv2
import numpy as np

from deploy.corners import from_resized, to_resized
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET


@dataclass(frozen=True)
class Extreme:
    """Where a rounded part of the foot shows its outline: its height over the sheet, and its radius, in mm."""

    height_mm: float
    radius_mm: float


HEEL = Extreme(31.0, 25.0)
TOES = Extreme(13.7, 10.0)
MEDIAL = Extreme(14.0, 12.0)  # ball of the big toe
LATERAL = Extreme(11.9, 10.0)  # ball of the little toe
PLAN_HEIGHT_MM = 14.0  # plane on which direction and axis are decided

SECOND_TOE_SHARE = 0.46  # of the forefoot's breadth, from the big toe's side: tip of the second toe (sd 0.018)
FOREFOOT_SHARE = 0.5  # breadth is taken in front of this share of the length
LENGTH_PER_WIDTH = 2.54  # mean over the 72 legs (sd 0.114); stands in for a heel that the leg hides
LENGTH_PER_WIDTH_SD = 0.114
FOOT_TOP_MM = 80.0  # the class ends this high over the sole

MIN_SHEET_SHARE = 0.03  # a foot's outline covers a fifth or more of a sheet; below this it is a stray blob
MIN_ON_SHEET = 0.05  # share of a foot within the sheet's outline below which it does not stand on it
CLOSING_MM = 6.0  # tears narrower than this between parts of one foot are closed
MAX_WIDTH_MM = 140.0  # wider than any foot: two feet that touch, to be parted by their classes
SPLIT_SHARE = 0.25  # of a component that each side must have for it to be parted

# The side from the outline: the front of the toes runs back from the big toe to the little one.
SHAPE_SLOPE = 0.12  # slope of that front (mm forward per mm across) that makes one natural log unit of odds
NETWORK_LOG_ODDS_LIMIT = 1.5  # the network's side is not let count for more than this
BORDER_PX = 1.5  # of the mask: an outline this near to the photo's border is cut off there
CONFIDENCE_90 = 1.645  # standard deviations of half a 90 % interval


@dataclass(frozen=True, eq=False)
class Foot:
    """One measured foot. Points in pixels of the photo.

    side: "left" or "right", side_confidence 0.5..1. length_mm, width_mm: ISO 7250-1 foot length and foot breadth;
    length_uncertainty_mm, width_uncertainty_mm: half of a 90 % interval. heel, toe: (2,), ends of the measured length
    on the axis. contour: int32 (N, 2), outline. touches_border: the outline is cut off by the photo's border.
    heel_hidden: the leg lies over the heel, so the length is an estimate from the breadth. share_on_sheet: 0..1.
    """

    side: str
    side_confidence: float
    length_mm: float
    width_mm: float
    length_uncertainty_mm: float
    width_uncertainty_mm: float
    heel: np.ndarray
    toe: np.ndarray
    contour: np.ndarray
    touches_border: bool
    heel_hidden: bool
    share_on_sheet: float


@dataclass(frozen=True, eq=False)
class Axis:
    """A foot's own directions on the sheet's plane: unit vectors (2,) to its toes and to the right of them."""

    toes: np.ndarray

    @property
    def right(self):
        return np.array([self.toes[1], -self.toes[0]])


def find_feet(
    probabilities,
    camera,
    corners,
    corner_sigma_px,
    mask_sigma_px,
    left_probability: Callable[[np.ndarray], float] | None = None,
):
    """Measure every foot that stands on the sheet, largest first.

    probabilities: float (h, w, 4), classes as in `scenes.labels`, over the whole photo at any resolution.
    camera: scenes.camera.Camera of the photo. corners: (4, 2) px of the photo, the sheet's. corner_sigma_px,
    mask_sigma_px: standard deviations, in photo pixels, of a corner and of the mask's outline. left_probability:
    from an outline (N, 2) px of the photo to the probability that it is a left foot; it takes the place of the
    segmentation network's word on the side.
    """
    scale = np.array([probabilities.shape[1] / camera.width, probabilities.shape[0] / camera.height])
    labels = class_mask(probabilities)
    feet = []
    for region in _regions(probabilities, labels, to_resized(corners, scale), camera, scale):
        contour = _outline(region)
        outline = from_resized(contour, scale)
        share = _share_on_sheet(region, to_resized(corners, scale))
        if share < MIN_ON_SHEET or not np.isfinite(camera.backproject(outline, FOOT_TOP_MM)).all():
            continue
        p_left = _network_left(probabilities, region) if left_probability is None else left_probability(outline)
        foot = _measure(outline, labels, scale, camera, corners, p_left, (corner_sigma_px, mask_sigma_px), share)
        feet.append((float(region.sum()), foot))
    return [foot for _, foot in sorted(feet, key=lambda pair: -pair[0])]


def class_mask(probabilities):
    """Class ids uint8 (h, w) of probabilities (h, w, 4): foot wherever its two sides together beat the others."""
    foot = probabilities[..., LEFT_FOOT] + probabilities[..., RIGHT_FOOT]
    rest = np.where(probabilities[..., SHEET] > probabilities[..., BACKGROUND], SHEET, BACKGROUND)
    side = np.where(probabilities[..., LEFT_FOOT] >= probabilities[..., RIGHT_FOOT], LEFT_FOOT, RIGHT_FOOT)
    is_foot = foot > np.maximum(probabilities[..., SHEET], probabilities[..., BACKGROUND])
    return np.where(is_foot, side, rest).astype(np.uint8)


def _regions(probabilities, labels, quad, camera, scale):
    """Filled regions bool (h, w), one a foot, in pixels of the mask; quad (4, 2) the sheet there."""
    sheet_area = cv2.contourArea(quad.astype(np.float32))
    is_foot = (labels >= LEFT_FOOT).astype(np.uint8)
    pitch_mm = 1 / (_px_per_mm(camera) * scale.mean())
    reach = int(round(CLOSING_MM / pitch_mm / 2))
    if reach:
        shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        is_foot = cv2.morphologyEx(is_foot, cv2.MORPH_CLOSE, shape)
    regions = []
    for region in _filled_components(is_foot, MIN_SHEET_SHARE * sheet_area):
        left, right = (probabilities[..., side] for side in (LEFT_FOOT, RIGHT_FOOT))
        of_left = region & (cv2.blur(left, (5, 5)) >= cv2.blur(right, (5, 5)))
        shares = of_left.sum() / region.sum()
        short_mm = min(cv2.minAreaRect(_outline(region))[1]) * pitch_mm
        if short_mm > MAX_WIDTH_MM and SPLIT_SHARE < shares < 1 - SPLIT_SHARE:
            for part in (of_left, region & ~of_left):
                regions += _filled_components(part.astype(np.uint8), MIN_SHEET_SHARE * sheet_area)
        else:
            regions.append(region)
    return regions


def _px_per_mm(camera):
    """Pixels per millimetre at the sheet's centre, along the photo's less foreshortened direction."""
    return camera.focal_px / float(camera.translation_mm[2])


def _filled_components(mask, min_area):
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    regions = []
    for contour in contours:
        if cv2.contourArea(contour) >= max(min_area, 16):
            region = np.zeros(mask.shape, np.uint8)
            cv2.drawContours(region, [contour], -1, 1, cv2.FILLED)
            regions.append(region.astype(bool))
    return regions


def _outline(region):
    """Longest outer contour int32 (N, 2) of a region bool (h, w)."""
    contours, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(contours, key=len)[:, 0]


def _share_on_sheet(region, quad):
    inside = np.zeros(region.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.rint(quad).astype(np.int32), 1)
    return float((region & (inside > 0)).sum() / region.sum())


def _network_left(probabilities, region):
    left = float(probabilities[..., LEFT_FOOT][region].sum())
    right = float(probabilities[..., RIGHT_FOOT][region].sum())
    return (left + 1e-6) / (left + right + 2e-6)


def _measure(outline, labels, scale, camera, corners, p_left, sigmas_px, share):
    """The Foot of an outline (N, 2) px of the photo; labels (h, w) with its scale (2,) from photo to mask pixels."""
    plan = camera.backproject(outline, PLAN_HEIGHT_MM)
    axis = _toeward(plan, outline, labels, scale, camera, corners)
    side, confidence, axis = _side_and_axis(plan, axis, p_left)
    medial_right = side == "left"
    hidden = _heel_hidden(outline, plan, axis, labels, scale, camera, corners)

    rear = -_extent(outline, camera, -axis.toes, HEEL)
    front = _extent(outline, camera, axis.toes, TOES)
    middle = (rear + front) / 2
    fore = plan @ axis.toes > middle
    right = _extent(outline[fore], camera, axis.right, MEDIAL if medial_right else LATERAL)
    left = -_extent(outline[fore], camera, -axis.right, LATERAL if medial_right else MEDIAL)
    # Outlines run through the centres of their pixels: half a pixel is missing at either end.
    pixel_mm = 1 / (_px_per_mm(camera) * scale.mean())
    width = right - left + pixel_mm
    length = front - rear + pixel_mm
    if hidden:
        length = max(length, LENGTH_PER_WIDTH * width)
        rear = front + pixel_mm - length
    length_sd, width_sd = _standard_deviations(length, width, rear, front, axis, camera, corners, sigmas_px, hidden)
    heel, toe = _end_points(plan, axis, rear, front, camera)
    height, width_px = labels.shape
    contour = to_resized(outline, scale)
    touches = bool(np.any((contour < BORDER_PX) | (contour > np.array([width_px, height]) - 1 - BORDER_PX)))
    return Foot(
        side, confidence, float(length), float(width), CONFIDENCE_90 * length_sd, CONFIDENCE_90 * width_sd,
        heel, toe, np.rint(outline).astype(np.int32), touches, hidden, share,
    )


def _toeward(plan, outline, labels, scale, camera, corners):
    """Axis along the plan's longest direction, towards the toes.

    Two signs decide: the forefoot is broader than the heel, and the leg (background within the sheet's outline)
    stands on the heel's end.
    """
    moments = cv2.moments(plan.astype(np.float32)[:, None])
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    angle = 0.5 * np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"])
    axis = Axis(np.array([np.cos(angle), np.sin(angle)]))
    along, across = (plan - centre) @ axis.toes, (plan - centre) @ axis.right
    low, high = along.min(), along.max()
    share = (along - low) / (high - low)
    front, rear = (share > 0.6) & (share < 0.85), (share > 0.15) & (share < 0.4)
    if front.sum() < 4 or rear.sum() < 4:
        return axis
    broader = log(max(np.ptp(across[front]), 1.0) / max(np.ptp(across[rear]), 1.0))
    beside = _beside(outline, labels, scale, camera, corners, centre)
    is_leg = beside == BACKGROUND
    leg = float(is_leg[share < 0.3].mean() - is_leg[share > 0.7].mean())
    return axis if broader / 0.15 + leg / 0.25 > 0 else Axis(-axis.toes)


def _beside(outline, labels, scale, camera, corners, centre_mm, step_mm=5.0):
    """Class ids (N,) just outside each point of the outline; -1 where that is outside the sheet's outline.

    Background within the sheet is what lies over it and is no foot: the leg, a trouser.
    """
    plan = camera.backproject(outline, PLAN_HEIGHT_MM)
    away = plan - centre_mm
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    beyond = camera.project(np.column_stack([plan + step_mm * away, np.full(len(plan), PLAN_HEIGHT_MM)]))
    places = np.rint(to_resized(beyond, scale)).astype(int)
    limits = np.array([labels.shape[1], labels.shape[0]])
    within = np.all((places >= 0) & (places < limits), axis=1)
    places = np.clip(places, 0, limits - 1)
    quad = np.asarray(corners, np.float32)
    on_sheet = np.array([cv2.pointPolygonTest(quad, (float(x), float(y)), False) >= 0 for x, y in beyond])
    return np.where(within & on_sheet, labels[places[:, 1], places[:, 0]].astype(int), -1)


def _side_and_axis(plan, axis, p_left):
    """Side ("left"/"right"), its confidence, and the axis turned to run from the heel to the second toe."""
    odds = 0.0
    for _ in range(3):
        along, across = plan @ axis.toes, plan @ axis.right
        low, length = along.min(), np.ptp(along)
        fore = along > low + 0.6 * length
        left_end, breadth = across[fore].min(), np.ptp(across[fore])
        odds = _front_slope(along, across, left_end, breadth, low + 0.5 * length) / SHAPE_SLOPE
        network = log(max(p_left, 1e-3) / max(1 - p_left, 1e-3))
        odds += float(np.clip(network, -NETWORK_LOG_ODDS_LIMIT, NETWORK_LOG_ODDS_LIMIT))
        # Toes up and seen from above, a left foot's big toe is on the right.
        share = 1 - SECOND_TOE_SHARE if odds > 0 else SECOND_TOE_SHARE
        near = fore & (np.abs(across - left_end - share * breadth) < 0.06 * breadth)
        toe_along = along[near].max() if near.any() else along.max()
        toe = toe_along * axis.toes + (left_end + share * breadth) * axis.right
        rear = (along > low + 0.04 * length) & (along < low + 0.16 * length)
        middle = (across[rear].min() + across[rear].max()) / 2 if rear.any() else across[np.argmin(along)]
        heel = low * axis.toes + middle * axis.right
        axis = Axis((toe - heel) / np.linalg.norm(toe - heel))
    p = 1 / (1 + exp(-float(np.clip(odds, -30, 30))))
    return ("left" if p >= 0.5 else "right"), max(p, 1 - p), axis


def _front_slope(along, across, left_end, breadth, behind):
    """Slope of the line of the toes' tips, forward per mm to the right; 0 where it cannot be told."""
    shares = np.linspace(0.12, 0.88, 9)
    tips = []
    for share in shares:
        near = (along > behind) & (np.abs(across - left_end - share * breadth) < 0.06 * breadth)
        tips.append(along[near].max() if near.any() else np.nan)
    tips = np.array(tips)
    known = np.isfinite(tips)
    if known.sum() < 5:
        return 0.0
    return float(np.polyfit(shares[known] * breadth, tips[known], 1)[0])


def _heel_hidden(outline, plan, axis, labels, scale, camera, corners):
    """Whether the leg lies over the heel's end: background instead of sheet behind most of the rear outline."""
    along = plan @ axis.toes
    rear = along < along.min() + 0.12 * np.ptp(along)
    if not rear.any():
        return False
    centre = plan.mean(axis=0)
    classes = _beside(outline[rear], labels, scale, camera, corners, centre)
    known = classes >= 0
    return bool(known.sum() >= 0.3 * rear.sum() and (classes[known] == BACKGROUND).mean() > 0.6)


def _extent(outline, camera, direction, part):
    """Extent (mm along a unit direction (2,) of the sheet) of the outline's farthest point in that direction."""
    reach = camera.backproject(outline, part.height_mm) @ direction
    farthest = int(np.argmax(reach))
    return float(reach[farthest]) - part.radius_mm * (_slant(outline[farthest], direction, camera, part) - 1)


def _slant(pixel, direction, camera, part):
    """1 / cos(theta) of the line of sight to a pixel (2,), in the plane of a direction (2,) and the vertical."""
    place = camera.backproject(pixel[None], part.height_mm)[0]
    away = camera.position_mm
    tangent = float((away[:2] - place) @ direction) / max(float(away[2]) - part.height_mm, 1.0)
    return float(np.hypot(1.0, tangent))


def _end_points(plan, axis, rear, front, camera):
    """Heel and toe ends of the length in photo pixels: on the axis, at the heights of heel and toes."""
    along, across = plan @ axis.toes, plan @ axis.right
    share = (along - along.min()) / np.ptp(along)
    rear_across = across[share < 0.16]
    # The axis was made to go through the second toe's tip: its place across is that of the heel's middle.
    middle = (rear_across.min() + rear_across.max()) / 2
    ends = [place * axis.toes + middle * axis.right for place in (rear, front)]
    heights = (HEEL.height_mm, TOES.height_mm)
    heel, toe = camera.project(np.column_stack([ends, heights]))
    return heel, toe


def _standard_deviations(length, width, rear, front, axis, camera, corners, sigmas_px, hidden):
    """Standard deviations (length, width) in mm.

    Root sum of squares of: the scale, from corners that are off by sigma: two ends of a side of s pixels make
    length * sqrt(2) sigma / s, halved in square by the opposite side; the outline, off by its sigma at either end;
    the heights of heel and toes, off by 8 and 3 mm, seen under the tangents of their lines of sight; and, where the
    heel is hidden, the spread of length over breadth.
    """
    corner_sigma, mask_sigma = sigmas_px
    side = float(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).mean())
    scale_share = corner_sigma / side
    outline_mm = np.sqrt(2) * mask_sigma / _px_per_mm(camera)
    away = camera.position_mm
    along_camera = float(away[:2] @ axis.toes)
    rear_tangent = (along_camera - rear) / max(float(away[2]), 1.0)
    front_tangent = (along_camera - front) / max(float(away[2]), 1.0)
    heights_mm = np.hypot(8.0 * rear_tangent, 3.0 * front_tangent)
    side_tangent = float(np.hypot(*away[:2])) / max(float(away[2]), 1.0)
    width_sd = float(np.sqrt((scale_share * width) ** 2 + outline_mm**2 + (3.0 * side_tangent) ** 2 + 0.8**2))
    if hidden:
        return float(np.hypot(LENGTH_PER_WIDTH_SD * width, LENGTH_PER_WIDTH * width_sd)), width_sd
    return float(np.sqrt((scale_share * length) ** 2 + outline_mm**2 + heights_mm**2 + 1.0)), width_sd
