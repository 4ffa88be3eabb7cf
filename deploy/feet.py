"""From a class mask and the camera to feet in millimetres.

A foot's outline in the mask is thrown onto planes parallel to the sheet and measured there as ISO 7250-1 says: length
along the axis from the heel's rearmost point to the tip of the second toe, breadth across it over the ball.

A foot is not flat. Its heel, toes and ball are bodies over the sheet, and a camera that is not straight above sees
their outline displaced. Each extreme is therefore measured where its line of sight meets the sheet, and what the foot's
part shows beyond its true extent there is taken off again: how much that is on average, by the slant of the line of
sight, is `Extreme.shown`.

Where the leg hides the heel, as it does in most photos from above, the mean outline of `deploy.outline` stands in for
what is not seen, and the foot says so.

Heights are means over 72 legs with real-shaped feet of people from children to old (foot length 165 to 274 mm): of the
vertex that is rearmost, foremost, innermost or outermost. What is shown at a slant is, for the sides, a mean over 400
such legs, and for heel and toes the median over the feet of 1,200 rendered training scenes with their true masks, where
the leg covers a part of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, log

import cv2
import numpy as np

from deploy.corners import from_resized, to_resized
from deploy.outline import AXIS_ACROSS, LENGTH_PER_WIDTH, LOG_RATIO_SD, distances_mm, fit_outline
from deploy.side_view import foot_profile, is_beside
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.sheet import mean_side


@dataclass(frozen=True)
class Extreme:
    """A part of the foot that ends it in one direction. height_mm: of its end over the sheet. shown: for each of
    SLANTS, how far beyond that end it shows where its line of sight meets the sheet, as a share of the foot's length;
    shown_sd: standard deviation of that among feet."""

    height_mm: float
    shown: tuple
    shown_sd: tuple

    def beyond(self, slants):
        """Mean and standard deviation, shares of the foot's length, (N,) each, at slants (N,)."""
        return np.interp(slants, SLANTS, self.shown), np.interp(slants, SLANTS, self.shown_sd)


# How far what is a millimetre higher is displaced in the direction of the extreme, mm: negative where the camera is
# further out than the extreme.
SLANTS = (-2, -1.5, -1, -0.75, -0.5, -0.375, -0.25, -0.125, 0, 0.125, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2)
# A heel that the camera does not stand behind is seen beside its leg, lower and further in than where it ends.
HEEL = Extreme(31.0, (-.088, -.076, -.062, -.052, -.039, -.032, -.024, -.013, 0, .018, .035, .049, .064, .095, .150,
                      .220, .290),
               (.017, .013, .010, .008, .006, .005, .004, .004, .004, .011, .018, .022, .030, .055, .070, .130, .170))
TOES = Extreme(13.7, (-.067, -.059, -.047, -.039, -.028, -.022, -.016, -.008, 0, .008, .016, .023, .032, .050, .075,
                      .121, .168),
               (.032, .025, .018, .014, .010, .008, .006, .004, .004, .005, .007, .008, .013, .020, .036, .053, .069))
MEDIAL = Extreme(14.0, (-.044, -.040, -.033, -.028, -.021, -.017, -.013, -.007, 0, .009, .019, .030, .045, .092, .150,
                        .276, .410),
                 (.008, .007, .005, .004, .003, .003, .002, .001, 0, .001, .003, .004, .008, .015, .021, .033, .044))
LATERAL = Extreme(11.9, (-.052, -.045, -.036, -.030, -.022, -.017, -.012, -.006, 0, .007, .015, .024, .033, .056, .100,
                         .220, .348),
                  (.010, .007, .005, .004, .003, .002, .002, .001, 0, .001, .002, .003, .004, .008, .020, .034, .044))
PLAN_HEIGHT_MM = 14.0  # plane on which direction and axis are decided

FOREFOOT_SHARE = 0.5  # breadth is taken in front of this share of the length
FOOT_TOP_MM = 80.0  # the class ends this high over the sole

MIN_SHEET_SHARE = 0.03  # a foot's outline covers a fifth or more of a sheet; below this it is a stray blob
MIN_ON_SHEET = 0.05  # share of a foot within the sheet's outline below which it does not stand on it
CLOSING_MM = 6.0  # tears narrower than this between parts of one foot are closed
MAX_WIDTH_MM = 140.0  # wider than any foot: two feet that touch, to be parted by their classes
WITHIN_SHARE = 0.5  # of a part's outline that lies within a foot, from which on it is no foot of its own
SPLIT_SHARE = 0.25  # of a component that each side must have for it to be parted

COST_PER_LOG_ODDS = 0.5  # difference of the two sides' misfits that makes one natural log unit of odds
# What a word on the side counts at most, in natural log units of odds. On 180 feet of validation scenes the pixels'
# network and the one for the side were right on 92 % each, the fitted outlines on 86 %, and together on 94 %.
PIXELS_LOG_ODDS_LIMIT = 2.5
SIDE_LOG_ODDS_LIMIT = 3.4
OUTLINE_LOG_ODDS_LIMIT = 1.0
# Of the sum of their odds: all look at the same foot, and err together. With it the told confidence is right there.
TOGETHER = 0.6
SEEN, OFF_SHEET, LEG, OTHER_FOOT, BORDER = range(5)  # what a point of an outline is
BESIDE_MM = 4.0  # this far outside a point is looked at what lies beside it
OFF_SHEET_WEIGHT = 0.4  # beside the sheet, floor and leg are both background
NEAR_FIT_MM = 12.0  # points further from the fitted outline are no outline of this foot
MIN_HEEL_SHARE = 0.25  # of what is seen of a heel in what is told, below which it counts as hidden
SEEN_SD_MM = 2.0  # of an end of the outline that is seen from straight above
BORDER_PX = 1.5  # of the mask: an outline this near to the photo's border is cut off there
CONFIDENCE_90 = 1.645  # standard deviations of half a 90 % interval
STEEP_DEG = 40.0  # tilt beyond which a foot's height hides its own outline
# What the formula leaves out (masks that err all along one side, a leg taken for foot, the mean outline's own error)
# as a factor, set on rendered validation scenes: with it 90 % of the lengths and of the breadths of 122 feet lie within
# their intervals. Steep views are few there and told worse: 3 to 7 times on 15 feet.
UNCERTAINTY_FACTOR = 3.0
STEEP_UNCERTAINTY_FACTOR = 5.5
# The same of a foot measured on its profile: standard deviation of its length as a share of it, a factor on the scale
# that the corners give, and the standard deviation of the instep's height.
SIDE_LENGTH_SHARE, SIDE_SCALE_FACTOR, SIDE_INSTEP_SD_MM = 0.06, 1.2, 4.0
USEFUL_INSTEP_MM = 10.0  # half of a 90 % interval of the instep by the length alone, in rendered feet
SIDE_SURE = 0.75  # confidence of left or right below which it is not known which side of the foot is seen
# Seen from the side with a heel or toes that are not: the mean outline does not fit the top of a foot, and its length
# is further off than it knows (validation scenes: 36 to 43 mm in the median of 42 feet).
HALF_SEEN_FACTOR = 2.5
HEEL_UNDER_LEG = 0.3  # share of the profile's rear end with leg beside it above which that is no heel


@dataclass(frozen=True, eq=False)
class Foot:
    """One measured foot. Points in pixels of the photo.

    side: "left" or "right", side_confidence 0.5..1. length_mm, width_mm: ISO 7250-1 foot length and foot breadth;
    length_uncertainty_mm, width_uncertainty_mm: half of a 90 % interval. heel, toe: (2,), ends of the measured length
    on the axis. contour: int32 (N, 2), outline. touches_border: the outline is cut off by the photo's border.
    heel_hidden: the leg lies over the heel, so the length is an estimate from the rest. share_on_sheet: 0..1.
    from_side: measured on its profile (deploy.side_view): the width is what feet of that length have. Then, where it is
    seen, instep_height_mm with half of a 90 % interval; else None.
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
    from_side: bool = False
    instep_height_mm: float | None = None
    instep_height_uncertainty_mm: float | None = None


def find_feet(
    probabilities,
    camera,
    corners,
    corner_sigma_px,
    mask_sigma_px,
    left_probability: Callable[[np.ndarray], float] | None = None,
    labels=None,
    side_sigma_px=None,
):
    """Measure every foot that stands on the sheet, largest first.

    probabilities: float (h, w, 4), classes as in `scenes.labels`, over the whole photo at any resolution.
    camera: scenes.camera.Camera of the photo. corners: (4, 2) px of the photo, the sheet's. corner_sigma_px,
    mask_sigma_px: standard deviations, in photo pixels, of a corner and of the mask's outline. left_probability:
    from a foot's filled region, bool (h, w) in pixels of `probabilities`, to the probability that it is a left one; it
    is heard beside the segmentation network's word on the side. labels: `class_mask(probabilities)` where the caller
    has it already. side_sigma_px: the corners' standard deviation in place of corner_sigma_px for feet that are
    measured from the side.
    """
    scale = np.array([probabilities.shape[1] / camera.width, probabilities.shape[0] / camera.height])
    labels = class_mask(probabilities) if labels is None else labels
    sigmas_px = corner_sigma_px, mask_sigma_px, corner_sigma_px if side_sigma_px is None else side_sigma_px

    def measured(region, labels):
        outline = from_resized(_outline(region), scale)
        share = _share_on_sheet(region, to_resized(corners, scale))
        if share < MIN_ON_SHEET or not np.isfinite(camera.backproject(outline, FOOT_TOP_MM)).all():
            return None
        network = _log_odds(_pixels_left(probabilities, region), PIXELS_LOG_ODDS_LIMIT), np.inf
        if left_probability is not None:
            asked = _log_odds(left_probability(region), SIDE_LOG_ODDS_LIMIT)
            network = TOGETHER * (network[0] + asked), TOGETHER * OUTLINE_LOG_ODDS_LIMIT
        return _measure(outline, labels, scale, camera, corners, network, sigmas_px, share)

    regions = _regions(probabilities, labels, to_resized(corners, scale), camera, scale)
    feet = [(region, foot) for region in regions if (foot := measured(region, labels)) is not None]
    while (pair := _one_foot(feet, camera)) is not None:
        region, joined = _joined(*(feet[place][0] for place in pair), labels)
        foot = measured(region, joined)
        if foot is None:
            break
        labels = joined
        feet = [one for place, one in enumerate(feet) if place not in pair] + [(region, foot)]
    return [foot for _, foot in sorted(feet, key=lambda one: -one[0].sum())]


def _one_foot(feet, camera):
    """Places of two of the feet [(region, Foot), ...] of which one stands within the other, or None: where two feet
    cannot be they are parts of one, whose middle the mask has lost. On planes, as the camera sees them."""
    for place, (_, foot) in enumerate(feet):
        heel, toe = (camera.backproject(point[None], PLAN_HEIGHT_MM)[0] for point in (foot.heel, foot.toe))
        length = np.linalg.norm(toe - heel)
        along = (toe - heel) / max(length, 1e-9)
        for other, (_, part) in enumerate(feet):
            if other == place or part.length_mm > foot.length_mm:
                continue
            points = camera.backproject(part.contour.astype(float), PLAN_HEIGHT_MM) - heel
            ahead, beside = points @ along, points @ [along[1], -along[0]]
            within = (ahead >= 0) & (ahead <= length) & (np.abs(beside) <= foot.width_mm / 2)
            if within.mean() >= WITHIN_SHARE:
                return place, other
    return None


def _joined(region, other, labels):
    """Region of two parts of a foot and what of the sheet lies between them, and labels with foot there."""
    hull = np.zeros(labels.shape, np.uint8)
    points = np.concatenate([_outline(region), _outline(other)])
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    between = (hull > 0) & (labels == SHEET)
    whole = _filled_components((region | other | between).astype(np.uint8), 0)
    joined = max(whole, key=np.sum)
    return joined, np.where(joined & (labels == SHEET), labels[region].max(), labels)


def class_mask(probabilities):
    """Class ids uint8 (h, w) of probabilities (h, w, 4): foot wherever its two sides together beat the others."""
    background, sheet, left, right = cv2.split(probabilities)
    labels = np.where(sheet > background, np.uint8(SHEET), np.uint8(BACKGROUND))
    side = np.where(left >= right, np.uint8(LEFT_FOOT), np.uint8(RIGHT_FOOT))
    return np.where(left + right > np.maximum(sheet, background), side, labels)


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


def _pixels_left(probabilities, region):
    left = float(probabilities[..., LEFT_FOOT][region].sum())
    right = float(probabilities[..., RIGHT_FOOT][region].sum())
    return (left + 1e-6) / (left + right + 2e-6)


def _log_odds(p, limit):
    """Natural log odds of a probability, within -limit..limit; 0 for one that is no number."""
    p = float(np.nan_to_num(p, nan=0.5))
    return float(np.clip(log(max(p, 1e-6) / max(1 - p, 1e-6)), -limit, limit))


def _measure(outline, labels, scale, camera, corners, network, sigmas_px, share):
    """The Foot of an outline (N, 2) px of the photo, or None; labels (h, w), scale (2,) from photo to mask pixels,
    network as in _decide_side."""
    kinds = _outline_kinds(outline, labels, scale, camera, corners)
    weights = np.select([kinds == SEEN, kinds == OFF_SHEET], [1.0, OFF_SHEET_WEIGHT], 0.0)
    fits = fit_outline(outline, weights, outline[kinds == LEG], camera, _bare_sheet(labels, scale))
    if not fits:
        return None
    side, confidence = _decide_side(fits, *network)
    fit = fits[side]
    pixel_mm = 1 / (_px_per_mm(camera) * scale.mean())
    (rear, front, left, right), shape_sds, hidden = _extents(outline, kinds, fit, camera)
    # Outlines run through the centres of their pixels: half a pixel is missing at either end.
    length, width = front - rear + pixel_mm, right - left + pixel_mm
    length_sd, width_sd = _standard_deviations(length, width, shape_sds, fit, camera, corners, sigmas_px, hidden)
    across = float(fit.middle_mm @ fit.right) + AXIS_ACROSS * fit.width_mm * (1 if side == "left" else -1)
    factor = STEEP_UNCERTAINTY_FACTOR if camera.tilt_deg > STEEP_DEG else UNCERTAINTY_FACTOR
    half_interval = CONFIDENCE_90 * factor
    ends = [along * fit.toes + across * fit.right for along in (rear, front)]
    heel, toe = camera.project(np.column_stack([ends, [HEEL.height_mm, TOES.height_mm]]))
    foot = Foot(
        side, confidence, float(length), float(width), half_interval * length_sd, half_interval * width_sd,
        heel, toe, np.rint(outline).astype(np.int32), bool((kinds == BORDER).any()), hidden, share,
    )
    profile = foot_profile(outline, camera, side) if camera.tilt_deg > STEEP_DEG else None
    if profile is None or (kinds[profile.at_heel] == LEG).mean() > HEEL_UNDER_LEG:
        doubt = HALF_SEEN_FACTOR if camera.tilt_deg > STEEP_DEG and is_beside(outline, camera) else 1.0
        return replace(foot, length_uncertainty_mm=doubt * foot.length_uncertainty_mm)
    return _from_the_side(foot, profile, camera, corners, sigmas_px[2])


def _from_the_side(foot, profile, camera, corners, corner_sigma_px):
    """The Foot with what its deploy.side_view.Profile tells; corners (4, 2) px, off by corner_sigma_px."""
    length = profile.length_mm
    side_px = mean_side(corners)
    scale_share = SIDE_SCALE_FACTOR * corner_sigma_px / side_px
    length_share = float(np.hypot(SIDE_LENGTH_SHARE, scale_share))
    width = length / LENGTH_PER_WIDTH
    ends = np.column_stack([[profile.heel_mm, profile.toe_mm], [HEEL.height_mm, TOES.height_mm]])
    heel, toe = camera.project(ends)
    sees = foot.side_confidence >= SIDE_SURE and not foot.touches_border
    instep = profile.instep_height_mm if sees else None
    half_instep = None if instep is None else CONFIDENCE_90 * float(np.hypot(SIDE_INSTEP_SD_MM, scale_share * instep))
    if instep is not None and half_instep > USEFUL_INSTEP_MM:
        instep = half_instep = None
    return replace(
        foot, length_mm=length, length_uncertainty_mm=CONFIDENCE_90 * length * length_share, width_mm=width,
        width_uncertainty_mm=CONFIDENCE_90 * width * float(np.hypot(LOG_RATIO_SD, length_share)), heel=heel, toe=toe,
        heel_hidden=False, from_side=True, instep_height_mm=instep,
        instep_height_uncertainty_mm=half_instep,
    )


def _outline_kinds(outline, labels, scale, camera, corners):
    """What each point of an outline (N, 2) px is: SEEN (sheet beside it), OFF_SHEET (not told by the mask: floor or
    leg), LEG (background over the sheet), OTHER_FOOT or BORDER (of the photo)."""
    points = to_resized(outline, scale)
    size = np.array([labels.shape[1], labels.shape[0]])
    # Outward normals, by the slope over a few points to either side.
    tangent = np.roll(points, -3, axis=0) - np.roll(points, 3, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    step = max(1.5, BESIDE_MM * _px_per_mm(camera) * float(scale.mean()))
    signed = cv2.contourArea(points.astype(np.float32), oriented=True)
    beside = points + step * normal * (-1.0 if signed > 0 else 1.0)
    places = np.clip(np.rint(beside).astype(int), 0, size - 1)
    classes = labels[places[:, 1], places[:, 0]]
    quad = np.asarray(corners, np.float32)
    on_sheet = np.array([cv2.pointPolygonTest(quad, (float(x), float(y)), False) >= 0
                         for x, y in from_resized(beside, scale)])
    kinds = np.where(classes == SHEET, SEEN, np.where(on_sheet, LEG, OFF_SHEET))
    kinds[classes >= LEFT_FOOT] = OTHER_FOOT
    kinds[((points < BORDER_PX) | (points > size - 1 - BORDER_PX)).any(axis=1)] = BORDER
    return kinds


def _bare_sheet(labels, scale):
    """Function from (M, 2) px of the photo to bool (M,): the mask has sheet there."""

    def bare(points):
        places = np.rint(to_resized(np.nan_to_num(points, nan=-1e6), scale)).astype(int)
        limits = np.array([labels.shape[1], labels.shape[0]])
        within = np.all((places >= 0) & (places < limits), axis=1)
        places = np.clip(places, 0, limits - 1)
        return within & (labels[places[:, 1], places[:, 0]] == SHEET)

    return bare


def _decide_side(fits, network_log_odds, outline_limit):
    """Side and its confidence from the networks' log odds of a left foot and from how well either side's outline fits,
    which counts for `outline_limit` log units at most."""
    of_outline = TOGETHER * (fits["right"].cost - fits["left"].cost) / COST_PER_LOG_ODDS
    odds = network_log_odds + float(np.clip(of_outline, -outline_limit, outline_limit))
    p = 1 / (1 + exp(-float(np.clip(odds, -30, 30))))
    return ("left" if p >= 0.5 else "right"), max(p, 1 - p)


def _extents(outline, kinds, fit, camera):
    """(rear, front, left, right) in mm along and across the fit's axis, the standard deviations of what their shapes
    show at a slant (4,), and whether the heel is hidden.

    Each is measured on the outline itself where that is seen, and is the fitted mean outline's where it is not.
    """
    middle = float(fit.middle_mm @ fit.toes), float(fit.middle_mm @ fit.right)
    plan = camera.backproject(outline, PLAN_HEIGHT_MM)
    along = (plan @ fit.toes - middle[0]) / fit.length_mm + 0.5
    distance = distances_mm(fit, outline, camera)
    trusted = ((kinds == SEEN) | (kinds == OFF_SHEET)) & (np.abs(distance) < NEAR_FIT_MM)
    medial_right = fit.side == "left"

    def extent(where, direction, part, fitted):
        return _extent(outline[where], camera, direction, part, fit.length_mm) if where.any() else (fitted, 0.0)

    across = plan @ fit.right - middle[1]
    # The heel's cap, not its sides, which show beside the leg; beside the sheet it may be the leg that is seen.
    cap = trusted & (along < 0.10) & (np.abs(across) < 0.2 * fit.width_mm)
    at_heel = cap & ((kinds == SEEN) | (np.abs(distance) < NEAR_FIT_MM / 2))
    hidden = not at_heel.any()
    rear, rear_sd = extent(at_heel, -fit.toes, HEEL, -(middle[0] - fit.length_mm / 2))
    front, front_sd = extent(trusted & (along > 0.85), fit.toes, TOES, middle[0] + fit.length_mm / 2)
    fore = trusted & (along > FOREFOOT_SHARE) & (along < 0.9)
    right, right_sd = extent(fore & (across > 0.3 * fit.width_mm), fit.right, MEDIAL if medial_right else LATERAL,
                             middle[1] + fit.width_mm / 2)
    left, left_sd = extent(fore & (across < -0.3 * fit.width_mm), -fit.right, LATERAL if medial_right else MEDIAL,
                           -(middle[1] - fit.width_mm / 2))
    if not hidden:
        # What is seen and what the rest of the outline says, by their certainty: at a steep slant a heel tells less.
        says = front - fit.length_mm
        share = fit.length_sd_mm**2 / (fit.length_sd_mm**2 + rear_sd**2 + SEEN_SD_MM**2)
        hidden = share < MIN_HEEL_SHARE
        rear, rear_sd = share * rear - (1 - share) * says, np.sqrt(share) * np.hypot(rear_sd, SEEN_SD_MM)
    return (-rear, front, -left, right), (rear_sd, front_sd, left_sd, right_sd), hidden


def _extent(outline, camera, direction, part, length_mm):
    """How far an outline (N, 2) px reaches along a unit direction (2,) of the sheet, mm, and the standard deviation of
    what is taken off for the slant, in a foot of that length."""
    reach = camera.backproject(outline, 0.0) @ direction
    away = camera.position_mm
    beyond, sd = part.beyond((reach - away[:2] @ direction) / max(float(away[2]), 1.0))
    reach = reach - length_mm * beyond
    farthest = int(np.argmax(reach))
    return float(reach[farthest]), float(length_mm * sd[farthest])


def _standard_deviations(length, width, shape_sds, fit, camera, corners, sigmas_px, hidden):
    """Standard deviations (length, width) in mm.

    Root sum of squares of: the scale, from corners that are off by sigma: two ends of a side of s pixels make
    length * sqrt(2) sigma / s, halved in square by the opposite side; the outline, off by its sigma at either end;
    what the shapes of heel, toes and sides show at a slant; and, where the heel is hidden, what the fit of the mean
    outline leaves open.
    """
    corner_sigma, mask_sigma, _ = sigmas_px
    side = mean_side(corners)
    scale_share = corner_sigma / side
    outline_mm = np.sqrt(2) * mask_sigma / _px_per_mm(camera)
    of_length, of_width = np.hypot(*shape_sds[:2]), np.hypot(*shape_sds[2:])
    width_sd = float(np.sqrt((scale_share * width) ** 2 + outline_mm**2 + of_width**2 + 0.8**2))
    if hidden:
        return float(np.hypot(fit.length_sd_mm, scale_share * length)), width_sd
    return float(np.sqrt((scale_share * length) ** 2 + outline_mm**2 + of_length**2 + 1.0)), width_sd
