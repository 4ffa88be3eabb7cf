"""From a photo to its Measurement: the networks, the corners, the camera, the feet.

    meter = Meter()
    measurement = meter.measure("photo.jpg")
    measurement.to_json()

`Meter.measure` raises PhotoError or SheetError where there is no answer; `Meter.measure_many` never stops at a photo
and yields a Failure instead.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from deploy.bundle import DEFAULT_FOLDER, Bundle, CropSpec
from deploy.consistency import consistent_corners
from deploy.corners import BY_NETWORK, edge_support, from_resized, is_convex, sharpen_corners, to_resized
from deploy.feet import STEEP_DEG, class_mask, find_feet
from keypoints.calibration import Calibration
from keypoints.quads import SHARED, decode_corners
from scenes.camera import decide_sheet
from scenes.images import InputSpec, Photo, PhotoError, fit_photo, input_to_photo, mask_to_photo, read_photo
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.sheet import FORMATS, corners_mm, order_corners, transform

logger = logging.getLogger(__name__)

BY_SHAPE = "shape"  # corner from the other corners and the sheet's known shape
BY_MASK = "mask"  # corner from the outline of sheet and feet in the mask, beside those of deploy.corners

# What OpenVINO computes in. Left to itself it takes bfloat16 on CPUs that have it, and one photo then gets other
# millimetres on another server or with another version of OpenVINO. Of an INT8 file the quantised layers are computed
# in INT8 all the same, and this is about what is between and around them; a CPU without VNNI adds up products of
# bytes in 16 bits, which can overflow, so that such a file may answer differently there.
PRECISION = "f32"
WORKING_LONG_SIDE = 1600  # px of the mask: finer than any network's, coarser than a 12-megapixel photo

# When corners and mask are believed. Shares of the photo's area unless said otherwise.
# Mean of the four heatmap peaks, 1 for certain corners, below which no sheet is believed, whatever the mask says:
# floors without a sheet, noise and white gave 0.04 to 0.43, rendered validation scenes 0.54 and more in 98 of 100.
MIN_MEAN_SCORE = 0.45
MIN_QUAD_SHARE = 0.004
MIN_SHEET_SHARE = 0.01  # sheet pixels in the mask below which it sees no sheet
GOOD_IOU = 0.7  # of the mask's outline with the quadrilateral around it: it has four corners
BAD_IOU = 0.5  # of the network's quadrilateral with the mask's outline, below which the network looks elsewhere
SURE_SUPPORT = 0.8  # share of the sides on edges above which the network's corners need no rival
SUPPORT_MARGIN = 0.02
SHAPE_SUPPORT = 0.4  # what corners of no possible sheet lose of it
BORDER_SHARE = 0.2  # of the outline of a sheet that lies on the photo's border: it is cut off
MASK_CONFIDENCE = 0.3  # of a corner that comes from the mask's outline
OUTSIDE = SHARED.index("outside")  # among the probabilities of a corner's visibility
WHOLE = "sheet"  # the kind of maps with the sheet's interior
STATES = ("visible", "covered", "outside")  # of a corner, in the order of those probabilities

# A corner is seen when there is sheet in the wedge just inside it, in millimetres along both sides.
WEDGE_MM = (6.0, 25.0)
WEDGE_SHEET_SHARE = 0.5

# Limits of the warnings.
DARK_LEVEL = 50.0  # median grey level, 0..255, of the sheet's pixels
BLUR_SIDE_PX = 600  # mean side of the sheet to which it is shrunk before its sharpness is measured
BLUR_VARIANCE = 6.0  # of the Laplacian of grey levels there, edges included; a blur of 0.4 % of the side gives 2 to 4
SECOND_SHEET_SHARE = 0.2  # sheet pixels in one piece outside the quadrilateral, share of the quadrilateral
SECOND_SHEET_MARGIN = 1.08  # the quadrilateral is grown by this first: a mask spills over
SMALL_SIDE_PX = 200.0  # mean side of the sheet in photo pixels: 1 px is more than a millimetre
SURE_FORMAT = 0.8
CONSISTENT = 0.5  # confidence below which the corners may belong to no sheet at all

# Standard deviations behind the uncertainties, set on rendered scenes.
CORNER_SIGMA_SHARE = {True: 0.0010, False: 0.006}  # of the photo's diagonal; sharpened or as the network gave it
MASK_SIGMA_NETWORK_PX = 0.35  # of the segmentation network's pixels

# What is cut out around a foot for the network of its side, beside the foot's own box: in long sides of that box.
SIDE_MARGIN = 1.0


NO_SHEET = ("no sheet of paper found: lay a white A4 or Letter sheet on a floor of another colour and photograph all "
            "of it from above")


class SheetError(Exception):
    """A photo without an answer. code: sheet_not_found or sheet_cut_off; message: one line with the way out."""

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self):
        return self.message


@dataclass(frozen=True)
class Networks:
    """What the meter asks: functions from uint8 (1, H, W, 3) RGB, and how a photo becomes their input.

    keypoints answers float (1, C, h, w) heatmaps of stride `stride`, of the kind `maps` (deploy.bundle.HEATMAPS);
    segmentation answers float (1, H, W, 4) probabilities of the classes of `scenes.labels` at its input's size. side
    may be missing: from a crop of one foot, uint8 (1, size, size, 4) RGB and mask as `side_spec` cuts it, to float
    (1, 2) probabilities of left and right. calibration: of the keypoints, or None.
    """

    keypoints: Callable[[np.ndarray], np.ndarray]
    keypoints_spec: InputSpec
    stride: int
    segmentation: Callable[[np.ndarray], np.ndarray]
    segmentation_spec: InputSpec
    side: Callable[[np.ndarray], np.ndarray] | None = None
    side_spec: CropSpec | None = None
    maps: str = "each"
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Corner:
    """A corner of the sheet in the photo. found_by: "edges", "edge", "network", "mask" or "shape" (of the sheet, by the
    other corners). state: one of STATES. confidence: 0..1; with a calibrated network the probability that the corner is
    in the photo and the network's place of it, before any sharpening, right (keypoints.calibration)."""

    x: float
    y: float
    confidence: float
    state: str
    found_by: str


@dataclass(frozen=True)
class Caution:
    """A warning: something makes the answer less certain. code: from the closed list in the README."""

    code: str
    message: str


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured on one photo.

    sheet: scenes.camera.SheetDecision. corners: four Corner, clockwise from the smallest x + y. feet: deploy.feet.Foot,
    largest first. mask: class ids uint8 (h, w) over the whole photo, at most WORKING_LONG_SIDE long.
    """

    photo: str
    width: int
    height: int
    sheet: object
    corners: tuple
    feet: tuple
    warnings: tuple
    milliseconds: dict
    mask: np.ndarray = field(repr=False)

    def to_json(self):
        """Plain dict as the README describes it; all numbers finite."""
        camera = self.sheet.camera
        return {
            "photo": self.photo,
            "width": self.width,
            "height": self.height,
            "sheet": {
                "format": self.sheet.format.name,
                "long_side": self.sheet.long_side,
                "confidence": round(float(self.sheet.confidence), 3),
            },
            "corners": [_corner_json(corner) for corner in self.corners],
            "camera": {
                "focal_px": round(float(camera.focal_px), 2),
                "focal_from": self.sheet.focal_from,
                "height_mm": round(float(camera.height_mm), 1),
                "tilt_deg": round(float(camera.tilt_deg), 2),
                "sheet_to_image": np.asarray(camera.sheet_to_image, float).tolist(),
                "rotation": np.asarray(camera.rotation, float).tolist(),
                "translation_mm": np.asarray(camera.translation_mm, float).tolist(),
            },
            "feet": [_foot_json(foot) for foot in self.feet],
            "warnings": [{"code": warning.code, "message": warning.message} for warning in self.warnings],
            "milliseconds": {stage: round(spent, 1) for stage, spent in self.milliseconds.items()},
        }


@dataclass(frozen=True)
class Failure:
    """A photo without an answer, and why; code from the closed list in the README."""

    photo: str
    code: str
    message: str

    def to_json(self):
        return {"photo": self.photo, "error": {"code": self.code, "message": self.message}}


def _corner_json(corner):
    return {
        "x": round(corner.x, 2),
        "y": round(corner.y, 2),
        "visible": corner.state == "visible",
        "confidence": round(corner.confidence, 3),
        "state": corner.state,
        "found_by": corner.found_by,
    }


def _foot_json(foot):
    return {
        "side": foot.side,
        "side_confidence": round(foot.side_confidence, 3),
        "length_mm": round(foot.length_mm, 1),
        "width_mm": round(foot.width_mm, 1),
        "uncertainty_mm": {
            "length": round(foot.length_uncertainty_mm, 1),
            "width": round(foot.width_uncertainty_mm, 1),
        },
        "heel": [round(float(v), 1) for v in foot.heel],
        "toe": [round(float(v), 1) for v in foot.toe],
        "touches_border": foot.touches_border,
        "heel_hidden": foot.heel_hidden,
        "share_on_sheet": round(foot.share_on_sheet, 3),
    }


def load_networks(folder=DEFAULT_FOLDER, threads=None):
    """The networks of a bundle in OpenVINO. Raises deploy.bundle.BundleError."""
    from deploy.runtimes import OpenVinoRuntime

    bundle = Bundle.load(folder)
    return networks_of(bundle, {model: OpenVinoRuntime(bundle.model_path(model), PRECISION, threads)
                                for model in bundle.models})


def networks_of(bundle, called):
    """Networks of a Bundle that are asked by calling {model: function from uint8 (1, H, W, C) to float (1, ...)}."""
    return Networks(called["keypoints"], bundle.input_spec("keypoints"), int(bundle.output("keypoints")["stride"]),
                    called["segmentation"], bundle.input_spec("segmentation"),
                    called.get("side"), bundle.crop_spec() if "side" in called else None,
                    bundle.maps, bundle.calibration)


class Meter:
    """Measures photos with the networks of one bundle.

    bundle_folder: None for the bundle that ships with the package. networks: a Networks instead of a bundle.
    Raises deploy.bundle.BundleError. One photo at a time: a Meter is not safe to share between threads.
    """

    def __init__(self, bundle_folder=None, networks=None):
        self.networks = load_networks(bundle_folder or DEFAULT_FOLDER) if networks is None else networks

    def measure(self, photo, sheet="auto", name=None):
        """Measure one photo: a path or a scenes.images.Photo.

        sheet: "auto" or a name in scenes.sheet.FORMATS. name: what the answer calls the photo; the path by default.
        Raises PhotoError, SheetError, and ValueError for an unknown sheet.
        """
        formats = sheet_formats(sheet)
        started = time.perf_counter()
        name = name if name is not None else "" if isinstance(photo, Photo) else str(photo)
        photo = photo if isinstance(photo, Photo) else read_photo(photo)
        read = time.perf_counter()
        said, probabilities = self._ask(photo.rgb)
        asked = time.perf_counter()
        answer = _answer(photo, said, probabilities, formats, self.networks)
        milliseconds = {
            "read": 1e3 * (read - started),
            "networks": 1e3 * (asked - read),
            "geometry": 1e3 * (time.perf_counter() - asked),
        }
        height, width = photo.rgb.shape[:2]
        return Measurement(photo=name, width=width, height=height, milliseconds=milliseconds, **answer)

    def measure_many(self, photos, sheet="auto"):
        """Measure photos (paths or (name, path) pairs) one after the other: yields a Measurement or a Failure each."""
        sheet_formats(sheet)
        for photo in photos:
            name, path = photo if isinstance(photo, tuple) else (str(photo), photo)
            try:
                yield self.measure(Path(path), sheet, name)
            except (PhotoError, SheetError) as error:
                yield Failure(name, error.code, error.message)
            except Exception as error:  # one photo must never stop the others, whatever is wrong with it
                logger.debug("measuring %s", name, exc_info=True)
                yield Failure(name, "internal_error", f"{type(error).__name__}: {str(error)[:200]}; please report it")

    def _ask(self, rgb):
        """The networks' words on a photo: (Candidate, probabilities (h, w, 4) over the photo at the working size)."""
        networks = self.networks
        size = rgb.shape[1], rgb.shape[0]
        heatmaps = networks.keypoints(fit_photo(rgb, networks.keypoints_spec)[None])[0]
        points, heights, visibility = decode_corners(np.asarray(heatmaps, np.float32), networks.stride,
                                                     maps=networks.maps)
        scores = heights
        if visibility is not None:
            # Where a corner outside the photo lies is not known, only on which side: such a one is not to be believed.
            scores = scores * (1 - visibility[:, OUTSIDE])
        quad = transform(input_to_photo(size, networks.keypoints_spec), points)
        order = order_corners(quad)
        probabilities = networks.segmentation(fit_photo(rgb, networks.segmentation_spec)[None])[0]
        factor = min(1.0, WORKING_LONG_SIDE / max(size))
        working = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
        probabilities = mask_to_photo(np.asarray(probabilities, np.float32), working, networks.segmentation_spec)
        scores = np.clip(np.asarray(scores, float)[order], 0, 1)
        if networks.calibration is None:
            return Candidate(quad[order], scores, False, saw_whole=networks.maps == WHOLE), probabilities
        # What was tuned on raw scores goes on with them; what is told of the corners means what it says.
        confidences = networks.calibration.confidence(heights, visibility)[order]
        states = None if visibility is None else np.argmax(visibility, axis=1)[order]
        return Candidate(quad[order], scores, False, confidences, states, networks.maps == WHOLE), probabilities


def sheet_formats(sheet):
    """Names of the formats to choose from for "auto" or one name. Raises ValueError."""
    if sheet == "auto":
        return tuple(FORMATS)
    if sheet not in FORMATS:
        raise ValueError(f"sheet is {sheet!r}; it must be auto or one of {', '.join(FORMATS)}")
    return (sheet,)


def _answer(photo, said, probabilities, formats, networks):
    """Fields of the Measurement that come from the networks' words, as Meter._ask gives them; raises SheetError."""
    rgb = photo.rgb
    height, width = rgb.shape[:2]
    mask = class_mask(probabilities)
    scale = np.array([mask.shape[1] / width, mask.shape[0] / height])
    chosen, sharp, found = sharpest(photo, candidate_quads(said, mask, scale), mask, formats)
    # Moved corners may change which of them is the first.
    chosen, sharp, found = _reordered(order_corners(sharp), chosen, sharp, found)
    found = tuple(BY_MASK if chosen.by_mask and how == BY_NETWORK else how for how in found)
    chosen, sharp, found, decision = _as_a_sheet(photo, mask, chosen, sharp, found, formats)
    states = _states(chosen, found, corner_states(mask, scale, decision, sharp))
    corners = tuple(
        Corner(float(x), float(y), float(confidence), state, how)
        for (x, y), confidence, state, how in zip(sharp, chosen.told_confidences, states, found, strict=True)
    )
    diagonal = float(np.hypot(width, height))
    corner_sigma = diagonal * np.mean([CORNER_SIGMA_SHARE[how not in (BY_NETWORK, BY_MASK, BY_SHAPE)] for how in found])
    spec = networks.segmentation_spec
    mask_sigma = MASK_SIGMA_NETWORK_PX * max(height, width) / max(spec.height, spec.width)
    asked = _side_of(networks, rgb, decision.camera.sheet_to_image) if networks.side else None
    feet = tuple(find_feet(probabilities, decision.camera, sharp, corner_sigma, mask_sigma, asked, mask))
    mask = _with_sides(mask, feet, scale)
    warnings = _warnings(rgb, mask, scale, decision, corners, feet, len(formats) > 1)
    return {"sheet": decision, "corners": corners, "feet": feet, "warnings": warnings, "mask": mask}


def _reordered(order, candidate, corners, found):
    """The same (Candidate, corners (4, 2), how they were found (4,)) with corner order[i] in place i."""
    return candidate.reordered(order), corners[order], tuple(found[i] for i in order)


def _states(candidate, found, by_mask):
    """State of each corner, names out of STATES: what a calibrated network thinks likeliest of a corner that it found
    itself, and else what the mask shows.

    found: how the corners were found (4,). by_mask: as corner_states gives it. A place outside the photo cannot be
    seen, whatever the network thinks.
    """
    if candidate.states is None:
        return by_mask
    return [shown if how in (BY_MASK, BY_SHAPE) or shown == STATES[OUTSIDE] else STATES[likeliest]
            for likeliest, how, shown in zip(candidate.states, found, by_mask, strict=True)]


def _as_a_sheet(photo, mask, start, sharp, found, formats):
    """The Candidate `start`, corners (4, 2) and how they were found (4,), in one order, and the SheetDecision; raises
    SheetError.

    Corners that fit no sheet (see deploy.consistency) are replaced and sharpened once more from there; the first of
    the re-sharpened and the replaced ones that may be a sheet's is taken. start: before any sharpening.
    """
    height, width = photo.rgb.shape[:2]
    decision = _decide(photo, sharp, formats)
    if decision is not None and decision.confidence >= CONSISTENT:
        return start, sharp, found, decision
    fitted = consistent_corners(sharp, start.corners, start.scores, (width, height), photo.focal_px, formats)
    if fitted is not None and is_convex(fitted.corners):
        by_shape = tuple(how if kept else BY_SHAPE for how, kept in zip(found, fitted.believed, strict=True))
        again, again_found = sharpen_corners(photo.rgb, fitted.corners, mask)
        answers = [(again, tuple(b if a == BY_NETWORK else a for a, b in zip(again_found, by_shape, strict=True))),
                   (fitted.corners, by_shape)]
        for corners, how in answers:
            order = order_corners(corners)
            better = _decide(photo, corners[order], formats)
            if better is not None and better.confidence >= CONSISTENT:
                return *_reordered(order, start, corners, how), better
    if decision is None:
        raise SheetError("sheet_not_found", "the corners that were found cannot be those of a sheet: photograph "
                                            "the whole sheet from above")
    return start, sharp, found, decision


def _decide(photo, corners, formats):
    """SheetDecision, or None for corners that no camera sees so."""
    try:
        return decide_sheet(corners, (photo.rgb.shape[1], photo.rgb.shape[0]), photo.focal_px, formats)
    except ValueError:
        return None


def _side_of(networks, rgb, sheet_to_image):
    """What `find_feet` asks for the side of a region bool (h, w) over the photo: the network's probability of left."""

    def left_probability(region):
        crop = networks.side_spec.cut(*surroundings(rgb, region, sheet_to_image))
        return float(networks.side(crop[None])[0, 0])

    return left_probability


def surroundings(rgb, region, sheet_to_image):
    """A region of a photo with what is around it, at the region's resolution: a large photo is not touched as a whole.

    rgb: uint8 (H, W, 3). region: bool (h, w), over the whole photo, at least one pixel, h <= H. sheet_to_image: (3, 3),
    to pixels of the photo. Returns the three for a part of the photo.
    """
    scale = np.array([rgb.shape[1] / region.shape[1], rgb.shape[0] / region.shape[0]])
    left, top, width, height = cv2.boundingRect(region.astype(np.uint8))
    margin = int(SIDE_MARGIN * max(width, height))
    low = np.maximum([left - margin, top - margin], 0)
    high = np.minimum([left + width + margin, top + height + margin], region.shape[::-1])
    # Pixels of the part to pixels of the photo. A crop is far coarser than the part, and averages it: no need to here.
    x, y = (low + 0.5) * scale - 0.5
    part_to_photo = np.array([[scale[0], 0, x], [0, scale[1], y], [0, 0, 1]])
    part = cv2.warpAffine(rgb, part_to_photo[:2], tuple(int(v) for v in high - low),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return part, region[low[1] : high[1], low[0] : high[0]], np.linalg.inv(part_to_photo) @ sheet_to_image


@dataclass(frozen=True, eq=False)
class Candidate:
    """Four corners that may be the sheet's: corners (4, 2) px of the photo, scores (4,) 0..1, and whether they come
    from the mask's outline instead of the keypoints network. Of a calibrated network also confidences (4,), and where
    it tells visibility states (4,), places in STATES. saw_whole: whether the network draws the sheet's interior too."""

    corners: np.ndarray
    scores: np.ndarray
    by_mask: bool
    confidences: np.ndarray | None = None
    states: np.ndarray | None = None
    saw_whole: bool = False

    @property
    def told_confidences(self):
        """What is told of the corners: (4,)."""
        return self.scores if self.confidences is None else self.confidences

    def reordered(self, order):
        """The same with corner order[i] in place i."""
        confidences, states = (None if part is None else part[order] for part in (self.confidences, self.states))
        return Candidate(self.corners[order], self.scores[order], self.by_mask, confidences, states, self.saw_whole)


def candidate_quads(said, mask, scale):
    """Quadrilaterals worth a look, the network's first: one or two Candidates. Raises SheetError for none.

    said: the network's Candidate, good or not. mask: class ids (h, w); scale (2,): mask pixels per photo pixel.
    """
    quad = said.corners
    if said.scores.mean() < MIN_MEAN_SCORE:
        raise SheetError("sheet_not_found", NO_SHEET)
    inside = to_resized(quad, scale)
    usable = (
        is_convex(quad)
        and cv2.contourArea(inside.astype(np.float32)) >= MIN_QUAD_SHARE * mask.size
    )
    networks = [said] if usable else []
    if networks and said.saw_whole:
        # It has an outline of its own, which knows what lies under a foot: the mask's makes it worse (mean error of the
        # corners seen in 100 rendered validation scenes 1.4 % of the diagonal with a choice, 0.8 % without).
        return networks
    outline = _sheet_outline(mask)
    if outline is None or cv2.contourArea(outline) < MIN_SHEET_SHARE * mask.size:
        if networks:
            return networks
        raise SheetError("sheet_not_found", NO_SHEET)
    own = enclosing_quad(outline)
    is_cut = _share_on_border(outline, mask.shape) > BORDER_SHARE
    if own is None or is_cut or convex_iou(own, outline) < GOOD_IOU:
        if networks:
            return networks
        if is_cut:
            raise SheetError("sheet_cut_off", "the sheet is cut off by the photo's border and its corners cannot be "
                                              "told: photograph the whole sheet")
        raise SheetError("sheet_not_found", "what looks like a sheet has no four corners: photograph the whole sheet "
                                            "from above, on a floor of another colour")
    own = from_resized(own[order_corners(own)], scale)
    masks = [Candidate(own, np.full(4, MASK_CONFIDENCE), True)] if is_convex(own) else []
    if networks and masks and convex_iou(inside, outline) < BAD_IOU:
        return masks
    if not networks + masks:
        raise SheetError("sheet_not_found", "the sheet's outline is no quadrilateral: photograph it from above")
    return networks + masks


def sharpest(photo, candidates, mask, formats):
    """Sharpen candidates and take the one whose sides lie on edges: (Candidate, corners (4, 2), found (4,)).

    The mask's outline has to be better than the network's corners by SUPPORT_MARGIN; it is not tried at all when
    those lie on edges nearly everywhere. Corners that may be a sheet's have an advantage, SHAPE_SUPPORT.
    """
    best = None
    for candidate in candidates:
        corners, found = sharpen_corners(photo.rgb, candidate.corners, mask)
        if len(candidates) == 1:
            return candidate, corners, found
        decision = _decide(photo, corners[order_corners(corners)], formats)
        support = edge_support(photo.rgb, corners) - SHAPE_SUPPORT * (1 - (decision.confidence if decision else 0.0))
        if best is None or support > best[0] + SUPPORT_MARGIN:
            best = support, candidate, corners, found
        if best[0] >= SURE_SUPPORT:
            break
    return best[1:]


def _sheet_outline(mask):
    """Convex hull int32 (N, 1, 2) of the sheet in the largest piece of sheet and feet; None without one."""
    contours, _ = cv2.findContours((mask >= SHEET).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contours = [contour for contour in contours if len(contour) >= 3]
    if not contours or not (mask == SHEET).any():
        return None
    piece = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(piece, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    sheet = ((mask == SHEET) & (piece > 0)).astype(np.uint8)
    # Hull of the sheet alone: a foot that hangs over the edge must not pull a corner with it.
    points = cv2.findNonZero(sheet)
    return None if points is None or len(points) < 4 else cv2.convexHull(points)


def enclosing_quad(hull):
    """Tight quadrilateral float64 (4, 2) around a convex hull (N, 1, 2); None where there is none.

    Sides are dropped one by one, always the one whose neighbours meet with the least area added: a corner that
    something covers is where its two sides would meet.
    """
    polygon = cv2.approxPolyDP(hull, 0.005 * cv2.arcLength(hull, True), True)[:, 0].astype(np.float64)
    while len(polygon) > 4:
        best = None
        for i in range(len(polygon)):
            before, a, b, after = (polygon[(i + k) % len(polygon)] for k in (-1, 0, 1, 2))
            meeting = _crossing(before, a, after, b)
            if meeting is None:
                continue
            added = abs((a - meeting)[0] * (b - meeting)[1] - (a - meeting)[1] * (b - meeting)[0]) / 2
            if best is None or added < best[0]:
                best = added, i, meeting
        if best is None:
            return None
        _, i, meeting = best
        following = (i + 1) % len(polygon)
        polygon[i] = meeting
        polygon = np.delete(polygon, following, axis=0)
    return polygon if len(polygon) == 4 else None


def _crossing(p, q, r, s):
    """Where the rays p -> q and r -> s, prolonged beyond q and s, meet; None where they part."""
    u, v = q - p, s - r
    cross = u[0] * v[1] - u[1] * v[0]
    if abs(cross) < 1e-9:
        return None
    w = r - p
    along_u, along_v = (w[0] * v[1] - w[1] * v[0]) / cross, (w[0] * u[1] - w[1] * u[0]) / cross
    return p + along_u * u if along_u >= 1 - 1e-9 and along_v >= 1 - 1e-9 else None


def convex_iou(a, b):
    """Intersection over union of two convex polygons, (N, 2) or (N, 1, 2)."""
    a, b = (cv2.convexHull(np.asarray(polygon, np.float32)) for polygon in (a, b))
    shared = cv2.intersectConvexConvex(a, b)[0]
    union = cv2.contourArea(a) + cv2.contourArea(b) - shared
    return float(shared / union) if union > 0 else 0.0


def _share_on_border(hull, shape):
    """Share of a hull's outline that runs along the border of its image of shape (h, w)."""
    points = hull[:, 0].astype(float)
    following = np.roll(points, -1, axis=0)
    lengths = np.linalg.norm(following - points, axis=1)
    limits = np.array([shape[1], shape[0]]) - 2
    low, high = (points <= 1) & (following <= 1), (points >= limits) & (following >= limits)
    return float(lengths[(low | high).any(axis=1)].sum() / max(lengths.sum(), 1e-9))


def corner_states(mask, scale, decision, corners):
    """State of each corner ("visible", "covered", "outside") by the class ids (h, w) in the wedge just inside it."""
    camera = decision.camera
    own = corners_mm(decision.format, decision.long_side)
    steps = np.linspace(*WEDGE_MM, 8)
    states = []
    for i, (x, y) in enumerate(corners):
        if not (-0.5 <= x <= camera.width - 0.5 and -0.5 <= y <= camera.height - 0.5):
            states.append("outside")
            continue
        sides = own[i - 1] - own[i], own[(i + 1) % 4] - own[i]
        to_previous, to_next = (side / np.linalg.norm(side) for side in sides)
        wedge = own[i] + (steps[:, None, None] * to_previous + steps[None, :, None] * to_next).reshape(-1, 2)
        places = np.rint(to_resized(transform(camera.sheet_to_image, wedge), scale)).astype(int)
        within = np.all((places >= 0) & (places < [mask.shape[1], mask.shape[0]]), axis=1)
        seen = mask[places[within, 1], places[within, 0]] == SHEET
        states.append("visible" if len(seen) and seen.mean() >= WEDGE_SHEET_SHARE else "covered")
    return states


def _with_sides(mask, feet, scale):
    """The mask with each measured foot wholly of its own side: the side is decided once a foot."""
    mask = mask.copy()
    for foot in feet:
        region = np.zeros(mask.shape, np.uint8)
        outline = np.rint(to_resized(foot.contour, scale)).astype(np.int32)
        cv2.drawContours(region, [outline], -1, 1, cv2.FILLED)
        mask[(region > 0) & (mask >= LEFT_FOOT)] = LEFT_FOOT if foot.side == "left" else RIGHT_FOOT
    return mask


def _warnings(rgb, mask, scale, decision, corners, feet, format_free):
    """Every Caution that a photo deserves, in the order of the sheet, the photo, the feet."""
    quad = np.array([[corner.x, corner.y] for corner in corners])
    warnings = []
    for state, code, what in (("covered", "corner_covered", "covered: its place is where the edges would meet"),
                              ("outside", "corner_outside", "outside the photo: its place is an estimate")):
        numbers = [str(i + 1) for i, corner in enumerate(corners) if corner.state == state]
        if numbers:
            warnings.append(Caution(code, f"corner {', '.join(numbers)} is {what}"))
    side = float(np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1).mean())
    if side < SMALL_SIDE_PX:
        warnings.append(Caution("sheet_small", f"the sheet's sides are {side:.0f} pixels on average: go nearer"))
    if format_free and decision.confidence < SURE_FORMAT:
        warnings.append(Caution("format_uncertain", f"the sheet may not be {decision.format.name} (confidence "
                                                    f"{decision.confidence:.2f}): say its format"))
    if second_sheet_share(mask, to_resized(quad, scale)) > SECOND_SHEET_SHARE:
        warnings.append(Caution("more_than_one_sheet", "there seems to be a second sheet: leave one in the photo"))
    level, sharpness = sheet_light(rgb, mask, quad)
    if level < DARK_LEVEL:
        warnings.append(Caution("too_dark", f"the sheet is dark (grey level {level:.0f} of 255): give it more light"))
    elif sharpness < BLUR_VARIANCE:
        warnings.append(Caution("blurred", f"the photo is blurred (sharpness {sharpness:.1f}): hold still and focus"))
    if feet and decision.camera.tilt_deg > STEEP_DEG:
        warnings.append(Caution("steep_view", f"the camera is tilted by {decision.camera.tilt_deg:.0f} degrees: "
                                              "measures from the side are uncertain; photograph from above"))
    if not feet:
        warnings.append(Caution("foot_not_found", "no foot found on the sheet"))
    if any(foot.touches_border for foot in feet):
        warnings.append(Caution("foot_cut_off", "a foot is cut off by the photo's border: its measures are too small"))
    if any(foot.heel_hidden for foot in feet):
        warnings.append(Caution("heel_hidden", "the leg hides a heel: that foot's length is estimated from the rest of "
                                               "its outline; photograph from straight above or from the toes' side"))
    return tuple(warnings)


def second_sheet_share(mask, quad):
    """Area of the largest piece of sheet outside a quadrilateral (4, 2) px of the mask, as a share of its own area."""
    centre = quad.mean(axis=0)
    grown = centre + (quad - centre) * SECOND_SHEET_MARGIN
    rest = (mask == SHEET).astype(np.uint8)
    cv2.fillConvexPoly(rest, np.rint(grown).astype(np.int32), 0)
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=4)
    largest = stats[1:, cv2.CC_STAT_AREA].max() if len(stats) > 1 else 0
    return float(largest / max(cv2.contourArea(quad.astype(np.float32)), 1.0))


def sheet_light(rgb, mask, quad):
    """Median grey level of the sheet's pixels, 0..255, and the variance of the Laplacian around the sheet.

    rgb: uint8 (H, W, 3); mask: class ids (h, w) over the photo; quad: (4, 2) px of the photo. The sheet with a rim
    of a twentieth of its size is shrunk to sides of BLUR_SIDE_PX, so that photos of all sizes compare; the edges
    count, for plain paper has nothing else on it.
    """
    height, width = rgb.shape[:2]
    low, high = quad.min(axis=0), quad.max(axis=0)
    rim = 0.05 * (high - low)
    x0, y0 = np.clip(np.floor(low - rim), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(high + rim), [x0 + 2, y0 + 2], [width, height]).astype(int)
    crop = rgb[y0:y1, x0:x1]
    factor = min(1.0, BLUR_SIDE_PX / float(np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1).mean()))
    crop = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else crop
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    classes = _crop_mask(mask, (width, height), (x0, y0, x1, y1))
    classes = cv2.resize(classes, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_NEAREST)
    paper = grey[classes == SHEET]
    level = float(np.median(paper if len(paper) else grey))
    return level, float(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 0.8), cv2.CV_32F).var())


def _crop_mask(mask, size, box):
    """The part of a mask over a photo of `size` (width, height) within a box (x0, y0, x1, y1) of the photo."""
    sx, sy = mask.shape[1] / size[0], mask.shape[0] / size[1]
    x0, y0, x1, y1 = box
    left, top = int(x0 * sx), int(y0 * sy)
    return mask[top : max(top + 1, int(round(y1 * sy))), left : max(left + 1, int(round(x1 * sx)))]
