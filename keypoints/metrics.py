"""How far corners are off, how many are near enough, and what of heatmaps: Numpy only.

Keypoints are (N, K, 2) in photo pixels, visibility (N, K) as in COCO: 2 seen, 1 covered, 0 outside. Errors of
keypoints that are outside are not counted: nobody promised to find them. Four keypoints are the corners of a sheet.
"""

import numpy as np

ACCURACY_RADIUS = 0.05  # of the map's width in x and of its height in y: GluonCV's 0.5 of a tenth
CORNERS = 4
# Where the PCK curve is told. Percent of the photo's diagonal, and photo pixels.
PCK_THRESHOLDS = {
    "percent": (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0),
    "px": (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0),
}
WHICH = {"all": (1, 2), "visible": (2,), "covered": (1,)}


def corner_errors(predicted, truth):
    """Euclidean distance of each corner to the one of the same place: (N, K), in the corners' unit."""
    return np.linalg.norm(np.asarray(predicted, float) - np.asarray(truth, float), axis=-1)


def cyclic_shifts(predicted, truth, visibility):
    """How far to roll each predicted quadrangle so that its present corners lie nearest to the truth: int (N,).

    np.roll(predicted[n], shifts[n], axis=0) has the truth's places. Keypoints that are not four have no cyclic
    order: no shift.
    """
    truth = np.asarray(truth, float)
    if truth.shape[1] != CORNERS:
        return np.zeros(len(truth), int)
    present = np.asarray(visibility) > 0
    shifted = np.stack([corner_errors(np.roll(predicted, shift, axis=1), truth) for shift in range(CORNERS)])
    return np.where(present, shifted, 0.0).sum(axis=-1).argmin(axis=0)


def rolled(values, shifts):
    """values (N, K, ...), those of sample n rolled by shifts[n] along K: what belongs to a predicted keypoint, brought
    to the truth's place."""
    values = np.asarray(values)
    if not len(values):
        return values
    return np.stack([np.roll(one, shift, axis=0) for one, shift in zip(values, shifts, strict=True)])


def cyclic_errors(predicted, truth, visibility):
    """Like corner_errors, after turning each predicted quadrangle by the cyclic shift that suits its present
    corners best.

    The order's jump at a turn of 45 degrees is no error of position: this leaves it out. (N, K), in the
    truth's places.
    """
    return corner_errors(rolled(predicted, cyclic_shifts(predicted, truth, visibility)), truth)


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
    gives them. Of keypoints that are no corners both say the same.
    """
    visibility = np.asarray(visibility)
    report = {}
    for name, errors in (
        ("direct", corner_errors(predicted, truth)),
        ("cyclic", cyclic_errors(predicted, truth, visibility)),
    ):
        report[name] = {
            unit: {which: summarise(scaled[np.isin(visibility, of)]) for which, of in WHICH.items()}
            for unit, scaled in (("px", errors), ("percent", percent_of_diagonal(errors, sizes)))
        }
    return report


def percent_of_diagonal(errors, sizes):
    """Errors (N, K) in pixels -> in percent of the diagonals of photos of sizes (N, 2), width and height."""
    return 100 * np.asarray(errors, float) / np.hypot(*np.asarray(sizes, float).T)[:, None]


def share_within(errors, thresholds):
    """Share of a flat list of errors at most each threshold: list of floats in [0, 1]; None without any error."""
    errors = np.asarray(errors, float)
    return [float((errors <= limit).mean()) for limit in thresholds] if errors.size else None


def pck_report(errors_px, visibility, sizes):
    """Percentage of correct keypoints (Yang & Ramanan, "Articulated Human Detection with Flexible Mixtures of Parts",
    PAMI 2013) as shares in [0, 1], at PCK_THRESHOLDS of the photo's diagonal and of its pixels: dict for JSON.

    errors_px: (N, K). Each unit has "thresholds", and "all", "visible" and "covered": a list as long, or None without
    such a keypoint.
    """
    visibility = np.asarray(visibility)
    scaled = {"percent": percent_of_diagonal(errors_px, sizes), "px": np.asarray(errors_px)}
    return {
        unit: {"thresholds": list(limits)}
        | {which: share_within(scaled[unit][np.isin(visibility, of)], limits) for which, of in WHICH.items()}
        for unit, limits in PCK_THRESHOLDS.items()
    }


def visibility_report(probabilities, visibility):
    """How well it is told whether corners are seen, covered or outside: dict for JSON.

    probabilities: (N, K, 3) of seen, covered, outside, in the truth's places. visibility: (N, K). "accuracy": share of
    corners whose largest probability is right; "confusion": 3 x 3 counts, a row for what is true, both in the order of
    "labels".
    """
    told, true = np.asarray(probabilities).argmax(axis=-1).ravel(), 2 - np.asarray(visibility).ravel()
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (true, told), 1)
    return {
        "labels": ["seen", "covered", "outside"],
        "accuracy": float((told == true).mean()) if true.size else None,
        "confusion": confusion.tolist(),
    }


def heatmap_errors(predicted, target):
    """(MSE, MAE) of each sample over all its channels and pixels, each (N,) float64. predicted, target: (N, C, h, w),
    targets in [0, 1]: with targets up to 255 the MSE is 65,025 times as large."""
    off = np.asarray(predicted, np.float64) - target
    return (off**2).mean(axis=(1, 2, 3)), np.abs(off).mean(axis=(1, 2, 3))


def largest_pixels(heatmaps):
    """Heatmaps (N, K, h, w) -> (N, K, 2) (x, y) of the largest pixel, and its value (N, K)."""
    n, k, _, width = heatmaps.shape
    flat = heatmaps.reshape(n, k, -1)
    index = flat.argmax(axis=-1)
    return np.stack([index % width, index // width], axis=-1).astype(float), flat.max(axis=-1)


def near_peaks(predicted, target):
    """Which peaks have their largest pixel within ACCURACY_RADIUS of the map: (N, K) float, 1 or 0, NaN where the
    target has no peak.

    predicted, target: (N, K, h, w). x counts in widths and y in heights.
    """
    points, _ = largest_pixels(predicted)
    truth, peak = largest_pixels(target)
    height, width = target.shape[2:]
    distance = np.linalg.norm((points - truth) / (width, height), axis=-1)
    return np.where(peak > 0, distance < ACCURACY_RADIUS, np.nan)


def published_near_peaks(predicted, target):
    """The same as GluonCV 0.10's HeatmapAccuracy decides it.

    It differs in three ways: x is divided by the height and y by the width; targets with x <= 1 or y <= 1 do
    not count, wherever their peak is; and a prediction without a value above 0 is put at (0, 0).
    """
    points, value = largest_pixels(predicted)
    points = np.where((value > 0)[..., None], points, 0.0)
    truth, peak = largest_pixels(target)
    truth = np.where((peak > 0)[..., None], truth, 0.0)
    height, width = target.shape[2:]
    distance = np.linalg.norm((points - truth) / (height, width), axis=-1)
    return np.where((truth > 1).all(axis=-1), distance < ACCURACY_RADIUS, np.nan)


def share_near(near):
    """Share of the peaks that count in what near_peaks gives, in [0, 1]; None where none does."""
    counted = np.isfinite(near)
    return float(near[counted].mean()) if counted.any() else None


def published_share_near(near):
    """The mean over channels of each channel's share, as GluonCV takes it; None where nothing counts."""
    shares = [share_near(channel) for channel in np.asarray(near).T]
    shares = [share for share in shares if share is not None]
    return float(np.mean(shares)) if shares else None


def heatmap_accuracy(predicted, target):
    """Share of peaks whose largest pixel is within ACCURACY_RADIUS of the map, in [0, 1]; None without any
    peak.

    predicted, target: (N, K, h, w). Every target with a peak counts once; a target without one (all zero: no
    corner there) does not.
    """
    return share_near(near_peaks(predicted, target))


def published_heatmap_accuracy(predicted, target):
    """The same as GluonCV 0.10's HeatmapAccuracy computes it, to be set beside published numbers.

    Beside what published_near_peaks says, it is the mean over channels of each channel's share, not the share over
    all (GluonCV also takes that mean batch by batch; this is the mean over all samples at once). In [0, 1]; None where
    nothing counts.
    """
    return published_share_near(published_near_peaks(predicted, target))


def sheet_turns(corners):
    """How far sheets are turned in their photos: degrees (N,) in (-180, 180], clockwise as seen; NaN with a corner
    unknown.

    corners: (N, 4, 2) in published order, NaN where unknown. It is the direction of the upper and the lower edge,
    corner 1 to 2 and 4 to 3, together.
    """
    corners = np.asarray(corners, float)
    along = (corners[:, 1] - corners[:, 0]) + (corners[:, 2] - corners[:, 3])
    return np.rad2deg(np.arctan2(along[:, 1], along[:, 0]))


def turn_curve(turns_deg, errors, visibility, step_deg=15):
    """Errors by how far the sheet is turned: list of dicts {"degrees", and what `summarise` gives}, by degrees.

    turns_deg: (N,), any whole turns more; NaN is left out. errors, visibility: (N, K). A bin is `step_deg` wide, about
    its degrees: 0, step_deg, ... below 360; bins without a corner are left out.
    """
    turns_deg, errors, present = np.asarray(turns_deg, float), np.asarray(errors), np.asarray(visibility) > 0
    known = np.isfinite(turns_deg)
    bins = np.full(len(turns_deg), -1)
    bins[known] = np.round(turns_deg[known] / step_deg).astype(int) % (360 // step_deg)
    curve = [
        {"degrees": k * step_deg} | summarise(errors[bins == k][present[bins == k]]) for k in range(360 // step_deg)
    ]
    return [point for point in curve if point["count"]]


def worst_first(errors, visibility):
    """(samples, their errors): indices of the samples by their largest error of a present keypoint, largest first.

    errors, visibility: (N, K). Samples without a present keypoint are left out; equals stay in order.
    """
    present = np.asarray(visibility) > 0
    worst = np.where(present, errors, -np.inf).max(axis=1)
    order = np.argsort(-worst, kind="stable")
    order = order[present[order].any(axis=1)]
    return order, worst[order]
