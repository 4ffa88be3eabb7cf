"""How far corners are off, and GluonCV's heatmap accuracy, right and as published. Numpy only.

Corners are (N, 4, 2) in photo pixels, visibility (N, 4) as in COCO: 2 seen, 1 covered, 0 outside. Errors of
corners that are outside are not counted: nobody promised to find them.
"""

import numpy as np

ACCURACY_RADIUS = 0.05  # of the map's width in x and of its height in y: GluonCV's 0.5 of a tenth


def corner_errors(predicted, truth):
    """Euclidean distance of each corner to the one of the same place: (N, 4), in the corners' unit."""
    return np.linalg.norm(np.asarray(predicted, float) - np.asarray(truth, float), axis=-1)


def cyclic_errors(predicted, truth, visibility):
    """Like corner_errors, after turning each predicted quadrangle by the cyclic shift that suits its present
    corners best.

    The order's jump at a turn of 45 degrees is no error of position: this leaves it out. (N, 4), in the
    truth's places.
    """
    truth = np.asarray(truth, float)
    shifted = np.stack(
        [corner_errors(np.roll(predicted, shift, axis=1), truth) for shift in range(4)]
    )  # (4, N, 4)
    present = np.asarray(visibility) > 0
    best = np.where(present, shifted, 0.0).sum(axis=-1).argmin(axis=0)
    return shifted[best, np.arange(len(truth))]


def summarise(errors):
    """{"count", "mean", "median", "p95"} of a flat list of errors; the figures are None without any."""
    errors = np.asarray(errors, float)
    if not errors.size:
        return {"count": 0, "mean": None, "median": None, "p95": None}
    return {
        "count": int(errors.size),
        "mean": float(errors.mean()),
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
    }


def corner_report(predicted, truth, visibility, sizes):
    """Errors of N samples as a dict for JSON.

    sizes: (N, 2) width and height of the photos in pixels. The result has "direct" and "cyclic", each with
    "px" and "percent" (of the photo's diagonal), each with "all", "visible" and "covered" as `summarise`
    gives them.
    """
    visibility = np.asarray(visibility)
    diagonals = np.hypot(*np.asarray(sizes, float).T)[:, None]
    report = {}
    for name, errors in (
        ("direct", corner_errors(predicted, truth)),
        ("cyclic", cyclic_errors(predicted, truth, visibility)),
    ):
        report[name] = {
            unit: {
                which: summarise(scaled[chosen])
                for which, chosen in (
                    ("all", visibility > 0),
                    ("visible", visibility == 2),
                    ("covered", visibility == 1),
                )
            }
            for unit, scaled in (("px", errors), ("percent", 100 * errors / diagonals))
        }
    return report


def largest_pixels(heatmaps):
    """Heatmaps (N, K, h, w) -> (N, K, 2) (x, y) of the largest pixel, and its value (N, K)."""
    n, k, _, width = heatmaps.shape
    flat = heatmaps.reshape(n, k, -1)
    index = flat.argmax(axis=-1)
    return np.stack([index % width, index // width], axis=-1).astype(float), flat.max(axis=-1)


def heatmap_accuracy(predicted, target):
    """Share of peaks whose largest pixel is within ACCURACY_RADIUS of the map, in [0, 1]; None without any
    peak.

    predicted, target: (N, K, h, w). x counts in widths and y in heights. Every target with a peak counts
    once; a target without one (all zero: no corner there) does not.
    """
    points, _ = largest_pixels(predicted)
    truth, peak = largest_pixels(target)
    height, width = target.shape[2:]
    distance = np.linalg.norm((points - truth) / (width, height), axis=-1)
    counted = peak > 0
    return float((distance < ACCURACY_RADIUS)[counted].mean()) if counted.any() else None


def published_heatmap_accuracy(predicted, target):
    """The same as GluonCV 0.10's HeatmapAccuracy computes it, to be set beside published numbers.

    It differs in four ways: x is divided by the height and y by the width; targets with x <= 1 or y <= 1 do
    not count, wherever their peak is; a prediction without a value above 0 is put at (0, 0); and it is the
    mean over channels of each channel's share, not the share over all (GluonCV also takes that mean batch by
    batch; this is the mean over all samples at once). In [0, 1]; None where nothing counts.
    """
    points, value = largest_pixels(predicted)
    points = np.where((value > 0)[..., None], points, 0.0)
    truth, peak = largest_pixels(target)
    truth = np.where((peak > 0)[..., None], truth, 0.0)
    height, width = target.shape[2:]
    distance = np.linalg.norm((points - truth) / (height, width), axis=-1)
    counted = (truth > 1).all(axis=-1)
    shares = [
        (distance[:, k] < ACCURACY_RADIUS)[counted[:, k]].mean()
        for k in range(target.shape[1])
        if counted[:, k].any()
    ]
    return float(np.mean(shares)) if shares else None
