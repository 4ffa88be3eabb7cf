"""How good networks and the whole pipeline are on a labelled set, whatever they run in."""

import cv2
import numpy as np

from deploy.golden import spread
from deploy.meter import FootMeter, SheetError
from keypoints.metrics import cyclic_errors, summarise
from keypoints.quads import decode_corners
from scenes.dataset import known_corners, read_dataset, read_mask
from scenes.images import PhotoError, fit_photo, input_to_photo, mask_to_photo, read_photo
from scenes.sheet import order_corners, transform
from segmentation.metrics import CLASSES, confusion_matrix, iou, json_number, mean

SPLITS = ("test", "validation")  # the first that a dataset has is judged by


def judged_samples(data, limit):
    """(at most `limit` Samples spread over the first of SPLITS that a dataset has, the split). limit: None for all.
    Raises ValueError where it has none of them."""
    for split in SPLITS:
        if samples := read_dataset(data, split):
            return spread(samples, min(limit or len(samples), len(samples))), split
    raise ValueError(f"{data} has no photo of split {' or '.join(SPLITS)} to judge runs by: give a dataset with one")


def classes_at(probabilities, rgb, spec):
    """Class ids (H, W) at the size of a photo uint8 (H, W, 3), as segmentation.evaluate has them."""
    return mask_to_photo(probabilities, (rgb.shape[1], rgb.shape[0]), spec).argmax(-1)


def judge_corners(answer, spec, stride, maps, samples):
    """How far the corners of a network are off on Samples, before anything is sharpened: dict for JSON.

    answer: function from uint8 (1, H, W, 3) at the size of the InputSpec `spec` to heatmaps. stride, maps: how these
    are decoded. "corners_px" has the median and p95 of the known corners, in pixels of the photo, and
    "corners_percent" in percent of its diagonal, after the cyclic shift that suits a photo best.
    """
    errors = _Errors()
    for sample in samples:
        rgb = read_photo(sample.image_path).rgb
        heatmaps = np.asarray(answer(fit_photo(rgb, spec)[None])[0], np.float32)
        points = transform(input_to_photo((rgb.shape[1], rgb.shape[0]), spec),
                           decode_corners(heatmaps, stride, maps=maps)[0])
        errors.add(points[order_corners(points)], sample)
    return errors.told()


def judge_pixels(answer, spec, samples):
    """"mean_iou" and "iou" of each class of a network on Samples with masks, at the photos' own size: dict for JSON.

    answer: function from uint8 (1, H, W, 3) at the size of the InputSpec `spec` to probabilities (1, H, W, 4).
    """
    matrix, told = np.zeros((CLASSES, CLASSES), np.int64), 0
    for sample in samples:
        if sample.mask_path.is_file():
            rgb, told = read_photo(sample.image_path).rgb, told + 1
            probabilities = np.asarray(answer(fit_photo(rgb, spec)[None])[0])
            matrix += confusion_matrix(read_mask(sample.mask_path), classes_at(probabilities, rgb, spec))
    return {"photos": told, **_iou_told(matrix)}


def judge_pipeline(networks, samples):
    """What Networks, or another deploy.meter.Answerer, lead to on Samples: dict for JSON.

    "answered", how many of "photos" were measured; corners after sharpening as in `judge_corners` and the mask as in
    `judge_pixels`, of the answered ones; "found", {sample's name: the four corners in pixels, or None}.
    """
    meter, errors, found = FootMeter(networks), _Errors(), {}
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    for sample in samples:
        try:
            measured = meter.measure(sample.image_path)
        except (PhotoError, SheetError):
            found[sample.name] = None
            continue
        corners = np.array([(corner.x, corner.y) for corner in measured.corners])
        found[sample.name] = np.round(corners, 3).tolist()
        errors.add(corners, sample)
        if sample.mask_path.is_file():
            truth = read_mask(sample.mask_path)
            mask = cv2.resize(measured.mask, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
            matrix += confusion_matrix(truth, mask)
    return {"photos": len(samples), "answered": sum(corners is not None for corners in found.values()),
            **errors.told(), **_iou_told(matrix), "found": found}


class _Errors:
    """Corners' distances from the truth, gathered photo by photo."""

    def __init__(self):
        self._pixels, self._percent = [], []

    def add(self, corners, sample):
        known = known_corners(sample.corners) & (np.asarray(sample.visibility) > 0)
        if len(known) != len(corners) or not known.any():
            return
        off = cyclic_errors(corners[None], sample.corners[None], known[None].astype(int))[0][known]
        self._pixels += off.tolist()
        self._percent += (100 * off / np.hypot(sample.width, sample.height)).tolist()

    def told(self):
        return {"corners_px": summarise(self._pixels), "corners_percent": summarise(self._percent)}


def _iou_told(matrix):
    values = iou(matrix)
    return {"mean_iou": json_number(mean(values)), "iou": [json_number(value) for value in values.tolist()]}
