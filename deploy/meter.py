"""From a photo to its Measurement: the networks, the corners, the camera, the feet.

    meter = FootMeter.load()
    measurement = meter.measure("photo.jpg")
    measurement.to_json()

`FootMeter.measure` raises PhotoError or SheetError where there is no answer; `FootMeter.measure_many` never stops at a
photo and yields a Failure instead.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import cv2
import numpy as np

from deploy.batch import check_workers, in_order, in_processes
from deploy.bundle import DEFAULT_FOLDER, Bundle, CropSpec
from deploy.consistency import consistent_corners
from deploy.corner_uncertainty import corner_sigmas
from deploy.corners import (
    BY_MASK,
    BY_NETWORK,
    BY_SHAPE,
    edge_support,
    from_resized,
    is_convex,
    sharpen_corners,
    to_resized,
)
from deploy.feet import CONFIDENCE_90, Foot, class_mask, find_feet
from deploy.gate import Caution, SheetError, cautions, check, explained, look
from deploy.shoe_sizes import shoe_sizes
from keypoints.calibration import Calibration
from keypoints.quads import SHARED, decode_corners
from scenes.camera import SheetDecision, decide_sheet
from scenes.camera_uncertainty import CameraUncertainty, camera_uncertainty
from scenes.images import (
    InputSpec,
    PhotoError,
    PhotoLike,
    as_photo,
    fit_photo,
    input_to_photo,
    mask_to_photo,
)
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.processes import cores
from scenes.sheet import FORMATS, corners_mm, mean_side, order_corners, transform

logger = logging.getLogger(__name__)

# What OpenVINO computes in. Left to itself it takes bfloat16 on CPUs that have it, and one photo then gets other
# millimetres on another server or with another version of OpenVINO. Of an INT8 file the quantised layers are computed
# in INT8 all the same, and this is about what is between and around them; a CPU without VNNI adds up products of
# bytes in 16 bits, which can overflow, so that such a file may answer differently there.
PRECISION = "f32"
WORKING_LONG_SIDE = 768  # px of the mask: finer than any network's, coarser than the photo

# px that the longer side of a photo keeps when it is read to be measured. On 26 annotated photos sharpened corners are
# as near to the annotations at 1000 as at 4032 (median 0.02 % of the diagonal, 95 % 0.15 and 0.16).
ENOUGH_PX = 1000
# Mean side of the sheet in what was read so below which the whole photo is read after all.
ENOUGH_SIDE_PX = 200.0

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
CONSISTENT = 0.5  # confidence below which the corners may belong to no sheet at all
MASK_CONFIDENCE = 0.3  # of a corner that comes from the mask's outline
OUTSIDE = SHARED.index("outside")  # among the probabilities of a corner's visibility
WHOLE = "sheet"  # the kind of maps with the sheet's interior
STATES = ("visible", "covered", "outside")  # of a corner, in the order of those probabilities

# A corner is seen when there is sheet in the wedge just inside it, in millimetres along both sides.
WEDGE_MM = (6.0, 25.0)
WEDGE_SHEET_SHARE = 0.5

# Standard deviations behind the uncertainties, set on rendered scenes.
CORNER_SIGMA_SHARE = {True: 0.0010, False: 0.006}  # of the photo's diagonal; sharpened or as the network gave it
MASK_SIGMA_NETWORK_PX = 0.35  # of the segmentation network's pixels

# What is cut out around a foot for the network of its side, beside the foot's own box: in long sides of that box.
SIDE_MARGIN = 1.0


NO_SHEET = ("no sheet of paper found: lay a white A4 or Letter sheet on a floor of another colour and photograph all "
            "of it from above")


class Answerer(Protocol):
    """What a FootMeter asks before it measures: the Networks of a bundle, or deploy.classical.Classical without any."""

    def ask(self, photo):
        """(Candidate, probabilities float (h, w, 4) of the classes of `scenes.labels` over the whole photo, at any
        resolution) of a scenes.images.Photo. May raise SheetError."""

    def mask_sigma_px(self, size):
        """Standard deviation, in px of a photo of (width, height), of the outlines in those probabilities."""

    def side_of(self, rgb, sheet_to_image):
        """What deploy.feet.find_feet asks for the side of a region bool (h, w) over the photo, its probability of left;
        or None where there is no such word."""


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

    def ask(self, photo):
        """As Answerer.ask; probabilities at the working size."""
        rgb = photo.rgb
        size = rgb.shape[1], rgb.shape[0]
        heatmaps = self.keypoints(fit_photo(rgb, self.keypoints_spec)[None])[0]
        points, heights, visibility = decode_corners(np.asarray(heatmaps, np.float32), self.stride,
                                                     maps=self.maps)
        scores = heights
        if visibility is not None:
            # Where a corner outside the photo lies is not known, only on which side: such a one is not to be believed.
            scores = scores * (1 - visibility[:, OUTSIDE])
        quad = transform(input_to_photo(size, self.keypoints_spec), points)
        order = order_corners(quad)
        probabilities = self.segmentation(fit_photo(rgb, self.segmentation_spec)[None])[0]
        factor = min(1.0, WORKING_LONG_SIDE / max(size))
        working = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
        probabilities = mask_to_photo(np.asarray(probabilities, np.float32), working, self.segmentation_spec)
        scores = np.clip(np.asarray(scores, float)[order], 0, 1)
        if self.calibration is None:
            return Candidate(quad[order], scores, False, saw_whole=self.maps == WHOLE), probabilities
        # What was tuned on raw scores goes on with them; what is told of the corners means what it says.
        confidences = self.calibration.confidence(heights, visibility)[order]
        states = None if visibility is None else np.argmax(visibility, axis=1)[order]
        return Candidate(quad[order], scores, False, confidences, states, self.maps == WHOLE), probabilities

    def mask_sigma_px(self, size):
        """As Answerer.mask_sigma_px."""
        spec = self.segmentation_spec
        return MASK_SIGMA_NETWORK_PX * max(size) / max(spec.height, spec.width)

    def side_of(self, rgb, sheet_to_image):
        """As Answerer.side_of."""
        if self.side is None:
            return None

        def left_probability(region):
            crop = self.side_spec.cut(*surroundings(rgb, region, sheet_to_image))
            return float(self.side(crop[None])[0, 0])

        return left_probability


@dataclass(frozen=True)
class Corner:
    """A corner of the sheet in the photo. found_by: "edges", "edge", "network", "mask" or "shape" (of the sheet, by the
    other corners). state: one of STATES. confidence: 0..1; with a calibrated network the probability that the corner is
    in the photo and the network's place of it, before any sharpening, right (keypoints.calibration). uncertainty_px:
    half of a 90 % interval of x and of y alike, or None where nobody asked."""

    x: float
    y: float
    confidence: float
    state: str
    found_by: str
    uncertainty_px: float | None = None


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured on one photo.

    corners: four, clockwise from the smallest x + y. feet: largest first. milliseconds: spent, by stage. mask: class
    ids uint8 (h, w) over the whole photo, at most WORKING_LONG_SIDE long. uncertainty: of the camera, or None where
    nobody asked.
    """

    photo: str
    width: int
    height: int
    sheet: SheetDecision
    corners: tuple[Corner, ...]
    feet: tuple[Foot, ...]
    warnings: tuple[Caution, ...]
    milliseconds: dict[str, float]
    mask: np.ndarray = field(repr=False)
    uncertainty: CameraUncertainty | None = None

    def to_json(self) -> dict:
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
                **({"uncertainty": _uncertainty_json(self.uncertainty)} if self.uncertainty else {}),
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

    def to_json(self) -> dict:
        """Plain dict as the README describes it."""
        return {"photo": self.photo, "error": {"code": self.code, "message": self.message}}


def _uncertainty_json(uncertainty):
    return {
        "focal_px": round(uncertainty.focal_px, 2),
        "height_mm": round(uncertainty.height_mm, 1),
        "tilt_deg": round(uncertainty.tilt_deg, 2),
        "translation_mm": np.round(uncertainty.translation_mm, 2).tolist(),
        "rotation_deg": np.round(uncertainty.rotation_deg, 2).tolist(),
        "covariance": uncertainty.covariance.tolist(),
    }


def _corner_json(corner):
    return {
        "x": round(corner.x, 2),
        "y": round(corner.y, 2),
        "visible": corner.state == "visible",
        "confidence": round(corner.confidence, 3),
        "state": corner.state,
        "found_by": corner.found_by,
        **({} if corner.uncertainty_px is None else {"uncertainty_px": round(corner.uncertainty_px, 2)}),
    }


def _foot_json(foot):
    uncertainty = {"length": round(foot.length_uncertainty_mm, 1), "width": round(foot.width_uncertainty_mm, 1)}
    instep = {}
    if foot.instep_height_mm is not None:
        instep = {"instep_height_mm": round(foot.instep_height_mm, 1)}
        uncertainty["instep_height"] = round(foot.instep_height_uncertainty_mm, 1)
    return {
        "side": foot.side,
        "side_confidence": round(foot.side_confidence, 3),
        "length_mm": round(foot.length_mm, 1),
        "width_mm": round(foot.width_mm, 1),
        "uncertainty_mm": uncertainty,
        "heel": [round(float(v), 1) for v in foot.heel],
        "toe": [round(float(v), 1) for v in foot.toe],
        "shoe_sizes": shoe_sizes(foot.length_mm).to_json(),
        "touches_border": foot.touches_border,
        "heel_hidden": foot.heel_hidden,
        "share_on_sheet": round(foot.share_on_sheet, 3),
        "from_side": foot.from_side,
        **instep,
    }


def load_networks(bundle=DEFAULT_FOLDER, threads=None):
    """The networks of a bundle, its folder or a Bundle, in OpenVINO, each with so many threads; may be asked from
    several. Raises deploy.bundle.BundleError."""
    from deploy.runtimes import OpenVinoRuntime

    bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    return networks_of(bundle, {model: OpenVinoRuntime(bundle.model_path(model), PRECISION, threads,
                                                       contents=bundle.network_files(model))
                                for model in bundle.models})


def networks_of(bundle, called):
    """Networks of a Bundle that are asked by calling {model: function from uint8 (1, H, W, C) to float (1, ...)}."""
    return Networks(called["keypoints"], bundle.input_spec("keypoints"), int(bundle.output("keypoints")["stride"]),
                    called["segmentation"], bundle.input_spec("segmentation"),
                    called.get("side"), bundle.crop_spec() if "side" in called else None,
                    bundle.maps, bundle.calibration)


class FootMeter:
    """Measures photos: `FootMeter.load().measure("photo.jpg")`.

    It keeps nothing of a photo, and may be used from several threads at once; the answers are those of one thread.
    networks: an Answerer, that may be asked from several threads, or the meter may not. bundle: the folder that they
    are from, or None. refuses: whether the gate may refuse a sheet that was found; False to see what comes out all the
    same.
    """

    def __init__(self, networks: Answerer, bundle: str | os.PathLike | None = None, refuses: bool = True) -> None:
        self.networks = networks
        self.bundle = bundle
        self.refuses = refuses

    @classmethod
    def load(cls, bundle: str | os.PathLike | None = None, threads: int | None = None) -> "FootMeter":
        """A meter with the networks of a bundle's folder, or of the bundle that ships with the package.

        threads: of each network; by default as many as there are cores. Raises deploy.bundle.BundleError.
        """
        bundle = bundle or DEFAULT_FOLDER
        return cls(load_networks(bundle, threads), bundle)

    def measure(self, photo: PhotoLike, sheet: str = "auto", name: str | None = None) -> Measurement:
        """Measure one photo: a path, the bytes of an image file, an array uint8 (H, W, 3), RGB and the right way up, or
        a scenes.images.Photo.

        sheet: "auto" or a name in scenes.sheet.FORMATS. name: what the answer calls the photo; by default the path, and
        nothing for what has none. Raises PhotoError, also for an array of another kind, SheetError, and ValueError for
        an unknown sheet.
        """
        formats = sheet_formats(sheet)
        started = time.perf_counter()
        name = _name_of(photo) if name is None else name
        given, photo = photo, as_photo(photo, ENOUGH_PX)
        read = time.perf_counter()
        said, probabilities = self.networks.ask(photo)
        asked = time.perf_counter()
        if photo.shrunk > 1 and mean_side(said.corners) < ENOUGH_SIDE_PX:
            said = replace(said, corners=from_resized(said.corners, np.full(2, 1 / photo.shrunk)))
            photo = as_photo(given)
        answer = _answer(photo, said, probabilities, formats, self.networks, self.refuses)
        answer = _in_file_pixels(answer, photo)
        milliseconds = {
            "read": 1e3 * (read - started),
            "networks": 1e3 * (asked - read),
            "geometry": 1e3 * (time.perf_counter() - asked),
        }
        width, height = photo.size
        return Measurement(photo=name, width=width, height=height, milliseconds=milliseconds, **answer)

    def measure_many(self, photos: Iterable[PhotoLike], sheet: str = "auto",
                     workers: int | None = None) -> Iterator[Measurement | Failure]:
        """Measure photos, as `measure` takes them, several at a time: yields a Measurement or a Failure each, in their
        order.

        photos: taken as they are needed, so that a generator of arrays never has all of them in memory. workers: how
        many at a time, one a core by default. With more than 1 a meter with a bundle starts as many processes, which
        load the networks once more (a second, 230 MB each), and any other takes threads. An exception where the answers
        are used, Ctrl-C among them, ends it at once. Raises ValueError for an unknown sheet or fewer than 1 worker,
        TypeError for one path instead of several photos, and deploy.bundle.BundleError.
        """
        if isinstance(photos, (str, bytes, os.PathLike)):
            raise TypeError(f"photos is one photo, {str(photos)[:80]!r}; it must be several: give a list of them")
        workers = cores() if workers is None else workers
        sheet_formats(sheet)
        check_workers(workers)
        if workers > 1 and isinstance(photos, Sized):
            workers = max(1, min(workers, len(photos)))
        if workers == 1 or self.bundle is None:
            return in_order(lambda photo: self.attempt(photo, sheet), photos, workers)
        # Read once: a process that begins later has the networks of the others.
        bundle = Bundle.load(self.bundle, hold=True)
        make = partial(_attempts_alone, bundle, sheet, max(1, cores() // workers))
        return in_processes(make, photos, workers, lambda photo, how: lost_photo(_name_of(photo), how))

    def attempt(self, photo: PhotoLike, sheet: str = "auto", name: str | None = None) -> Measurement | Failure:
        """As `measure`, with a Failure in place of every exception but that for an unknown sheet."""
        sheet_formats(sheet)
        name = _name_of(photo) if name is None else name
        try:
            return self.measure(photo, sheet, name)
        except (PhotoError, SheetError) as error:
            return Failure(name, error.code, error.message)
        except Exception as error:  # one photo must never stop the others, whatever is wrong with it
            logger.debug("measuring %s", name, exc_info=True)
            return Failure(name, "internal_error", f"{type(error).__name__}: {str(error)[:200]}; please report it")


def _attempts_alone(bundle, sheet, threads):
    """What a process of `FootMeter.measure_many` does with every photo."""
    return partial(meter_alone(bundle, threads).attempt, sheet=sheet)


def meter_alone(bundle, threads):
    """A FootMeter for a process beside others, with so many threads in all that it does; it keeps nothing of the
    Bundle but its networks."""
    cv2.setNumThreads(threads)
    return FootMeter(load_networks(bundle, threads))


def lost_photo(name, how):
    """The Failure of a photo over which a process died; how: one line on it."""
    return Failure(name, "internal_error", f"{how}; please report it")


def _name_of(photo):
    return os.fspath(photo) if isinstance(photo, (str, os.PathLike)) else ""


def sheet_formats(sheet):
    """Names of the formats to choose from for "auto" or one name. Raises ValueError."""
    if sheet == "auto":
        return tuple(FORMATS)
    if sheet not in FORMATS:
        raise ValueError(f"sheet is {sheet!r}; it must be auto or one of {', '.join(FORMATS)}")
    return (sheet,)


def _answer(photo, said, probabilities, formats, networks, refuses=True):
    """Fields of the Measurement that come from the words of an Answerer; raises SheetError."""
    rgb = photo.rgb
    height, width = rgb.shape[:2]
    mask = class_mask(probabilities)
    scale = np.array([mask.shape[1] / width, mask.shape[0] / height])
    try:
        candidates = candidate_quads(said, mask, scale)
    except SheetError as error:
        raise explained(error, rgb) from None
    chosen, sharp, found = sharpest(photo, candidates, mask, formats)
    # Moved corners may change which of them is the first.
    chosen, sharp, found = _reordered(order_corners(sharp), chosen, sharp, found)
    found = tuple(BY_MASK if chosen.by_mask and how == BY_NETWORK else how for how in found)
    chosen, sharp, found, decision = _as_a_sheet(photo, mask, chosen, sharp, found, formats)
    figures = look(rgb, mask, decision, sharp)
    if refuses:
        check(figures)
    states = _states(chosen, found, corner_states(mask, scale, decision, sharp))
    diagonal = float(np.hypot(width, height))
    sigmas = diagonal * corner_sigmas(found, states, chosen.told_confidences)
    # Once more, with what is known of each corner by now: only so does the confidence mean what it says.
    decision = _decide(photo, sharp, formats, sigmas) or decision
    corners = tuple(
        Corner(float(x), float(y), float(confidence), state, how, CONFIDENCE_90 * float(sigma))
        for (x, y), confidence, state, how, sigma
        in zip(sharp, chosen.told_confidences, states, found, sigmas, strict=True)
    )
    corner_sigma = diagonal * np.mean([CORNER_SIGMA_SHARE[how not in (BY_NETWORK, BY_MASK, BY_SHAPE)] for how in found])
    mask_sigma = networks.mask_sigma_px((width, height))
    asked = networks.side_of(rgb, decision.camera.sheet_to_image)
    feet = tuple(find_feet(probabilities, decision.camera, sharp, corner_sigma, mask_sigma, asked, mask,
                           float(np.sqrt(np.mean(sigmas**2)))))
    mask = _with_sides(mask, feet, scale)
    warnings = cautions(figures, decision, corners, feet, len(formats) > 1)
    return {"sheet": decision, "corners": corners, "feet": feet, "warnings": warnings, "mask": mask,
            "uncertainty": camera_uncertainty(decision, sharp, sigmas, photo.focal_px)}


def _in_file_pixels(answer, photo):
    """The fields of a Measurement with points in pixels of the file in place of those of a shrunk Photo."""
    if photo.shrunk == 1:
        return answer
    scale = np.full(2, 1 / photo.shrunk)
    corners = tuple(
        replace(corner, x=float(x), y=float(y), uncertainty_px=corner.uncertainty_px * photo.shrunk)
        for corner, (x, y) in zip(answer["corners"], from_resized([(c.x, c.y) for c in answer["corners"]], scale),
                                  strict=True))
    feet = tuple(replace(foot, heel=from_resized(foot.heel, scale), toe=from_resized(foot.toe, scale),
                         contour=np.rint(from_resized(foot.contour, scale)).astype(np.int32))
                 for foot in answer["feet"])  # fmt: skip
    sheet = replace(answer["sheet"], camera=answer["sheet"].camera.enlarged(photo.shrunk, photo.size))
    uncertainty = replace(answer["uncertainty"], focal_px=answer["uncertainty"].focal_px * photo.shrunk)
    return answer | {"sheet": sheet, "corners": corners, "feet": feet, "uncertainty": uncertainty}


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


def _decide(photo, corners, formats, sigmas_px=None):
    """SheetDecision, or None for corners that no camera sees so; sigmas_px as decide_sheet takes them."""
    try:
        return decide_sheet(corners, (photo.rgb.shape[1], photo.rgb.shape[0]), photo.focal_px, formats, sigmas_px)
    except ValueError:
        return None


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
