"""Segmentation metrics, all of them computed from counts that add up over samples.

A confusion matrix here is int64 (C, C): row = true class, column = predicted class, entry = pixels; boundary counts
are int64 (C, 4), see `boundary_counts`. Shares of nothing (a class that is neither there nor predicted) are NaN; means
leave NaN out. A class that is there and not predicted, or predicted and not there, has 0.

How the thesis computed its mean F1 is guesswork: it says that the F1 of the classes is summed and divided by their
number, and not what one F1 is of. `f1_means` gives both readings, each under its own name.
"""

import cv2
import numpy as np

from scenes.labels import LEFT_FOOT, NAMES, RIGHT_FOOT

CLASSES = len(NAMES)
FEET = [LEFT_FOOT, RIGHT_FOOT]

# Of a pixel whose truth nobody knows; counted nowhere.
UNKNOWN = 255

# How far a predicted boundary may be from a true one, and the reverse, to be right.
BOUNDARY_PX = 2


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, classes: int = CLASSES) -> np.ndarray:
    """Counts pixels by true and predicted class.

    Args:
        truth: integer class ids, any shape; pixels with an id of `classes` or more are not counted.
        prediction: integer class ids below `classes`, same shape.

    Returns:
        int64 (classes, classes).

    Raises:
        ValueError: if the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape}: must have the same shape")
    counted = truth < classes
    pairs = truth[counted].astype(np.int64) * classes + prediction[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def pixel_accuracy(matrix: np.ndarray) -> float:
    """Share of pixels named right."""
    return _share(np.trace(matrix), matrix.sum())


def iou(matrix: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, float64 (C,): TP / (TP + FP + FN)."""
    hit = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - hit
    return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)


def dice(matrix: np.ndarray) -> np.ndarray:
    """Dice coefficient (F1) of each class, float64 (C,): 2 TP / (2 TP + FP + FN)."""
    hit = np.diag(matrix).astype(np.float64)
    both = matrix.sum(0) + matrix.sum(1)
    return np.divide(2 * hit, both, out=np.full(len(hit), np.nan), where=both > 0)


def mean(values: np.ndarray) -> float:
    """Mean over the classes that have a value; NaN if none has."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def side_confusion(matrix: np.ndarray) -> float:
    """Share, among the true foot pixels that are named a foot of either side, of those named the other side.

    Foot pixels lost to background or sheet count in neither part: a network that finds few feet must not look
    sure of their side. Chance is 0.5.
    """
    feet = matrix[np.ix_(FEET, FEET)]
    return _share(feet[0, 1] + feet[1, 0], feet.sum())


def named_sides(truth: np.ndarray, prediction: np.ndarray) -> list[tuple[int, int]]:
    """The side of each true foot of one sample, and the side that most of its pixels are given.

    Args:
        truth, prediction: integer class ids (H, W). The pixels of one foot class are taken for one foot.

    Returns:
        (true class, named class) for each foot class in `truth`; the named class is -1 when neither side has the
        majority of the foot's pixels that are named a foot.
    """
    answers = []
    for true_side in FEET:
        left, right = (np.count_nonzero(prediction[truth == true_side] == side) for side in FEET)
        if np.any(truth == true_side):
            named = -1 if left == right else LEFT_FOOT if left > right else RIGHT_FOOT
            answers.append((true_side, named))
    return answers


def f1_means(matrices: np.ndarray) -> dict:
    """The mean F1 (Dice) of N samples in its two readings, as JSON values.

    Args:
        matrices: confusion matrices int (N, C, C), one a sample.

    Returns:
        "over_classes_of_one_matrix": the F1 of each class from one matrix of all pixels, then the mean over classes; a
        large foot weighs more than a small one. "over_samples_and_classes": the F1 of each class in each sample, then
        the mean over all of them; a class that is neither in a sample nor predicted there has none and is left out (a
        library that smooths its F1 counts it as 1).
    """
    each = np.concatenate([dice(matrix) for matrix in matrices]) if len(matrices) else np.empty(0)
    return {
        "over_classes_of_one_matrix": json_number(mean(dice(np.sum(matrices, axis=0)))),
        "over_samples_and_classes": json_number(mean(each)),
    }


def edges(mask: np.ndarray) -> np.ndarray:
    """Pixels with another class above, below, left or right of them: bool, shape of the mask (H, W).

    The image's border is no boundary, and neither is a side next to a pixel of `UNKNOWN`.
    """
    found = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        low = tuple(slice(None, -1) if k == axis else slice(None) for k in (0, 1))
        high = tuple(slice(1, None) if k == axis else slice(None) for k in (0, 1))
        differ = (mask[low] != mask[high]) & (mask[low] != UNKNOWN) & (mask[high] != UNKNOWN)
        found[low] |= differ
        found[high] |= differ
    return found


def boundary_counts(
    truth: np.ndarray, prediction: np.ndarray, within_px: int = BOUNDARY_PX, classes: int = CLASSES
) -> np.ndarray:
    """What the boundary F-score of each class is made of; adds up over samples.

    The boundary of a class is those of its pixels that are `edges`; near is a distance of at most `within_px` between
    pixel centres, whatever the direction.

    Args:
        truth: uint8 class ids (H, W), `UNKNOWN` where nobody knows: there the prediction has no boundary either.
        prediction: uint8 class ids below `classes`, same shape.

    Returns:
        int64 (classes, 4): predicted boundary pixels near the true boundary, predicted ones, true ones near the
        predicted boundary, true ones.

    Raises:
        ValueError: if the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape}: must have the same shape")
    prediction = np.where(truth == UNKNOWN, np.uint8(UNKNOWN), prediction)
    true_edges, predicted_edges = edges(truth), edges(prediction)
    y, x = np.mgrid[-within_px : within_px + 1, -within_px : within_px + 1]
    disc = (x**2 + y**2 <= within_px**2).astype(np.uint8)
    counts = np.zeros((classes, 4), np.int64)
    for class_id in range(classes):
        true = true_edges & (truth == class_id)
        predicted = predicted_edges & (prediction == class_id)
        near_true, near_predicted = (cv2.dilate(one.astype(np.uint8), disc).astype(bool) for one in (true, predicted))
        counts[class_id] = [np.count_nonzero(part) for part in
                            (predicted & near_true, predicted, true & near_predicted, true)]
    return counts


def boundary_f(counts: np.ndarray) -> np.ndarray:
    """Boundary F-score of each class, float64 (C,), from `boundary_counts`: 2 P R / (P + R), with P the share of the
    predicted boundary that is near the true one, and R that of the true one near the predicted.

    Of one sample: BF of Csurka et al., "What is a good evaluation measure for semantic segmentation?" (BMVC 2013); of
    counts added up, the same with every boundary pixel of all samples weighing alike. A class without any boundary,
    true or predicted, has NaN; with one of the two alone it has 0.
    """
    near_true, predicted, near_predicted, true = counts.T.astype(np.float64)
    # P = a / b, R = c / d: 2 P R / (P + R) = 2 a c / (a d + c b), which is 0 / 0 for nothing near, too.
    below = near_true * true + near_predicted * predicted
    scores = np.divide(2 * near_true * near_predicted, below, out=np.zeros(len(counts)), where=below > 0)
    scores[predicted + true == 0] = np.nan
    return scores


def boundary_summary(counts: np.ndarray) -> dict:
    """The boundary F-scores of N samples, `boundary_counts` (N, C, 4), as JSON values.

    "f" of each class and "mean_f" over the classes are of all boundary pixels together;
    "mean_f_over_samples_and_classes" is the mean of those of each sample, NaN left out.
    """
    pooled = boundary_f(counts.sum(axis=0))
    each = np.concatenate([boundary_f(one) for one in counts]) if len(counts) else np.empty(0)
    return {
        "within_px": BOUNDARY_PX,
        "f": by_class(pooled),
        "mean_f": json_number(mean(pooled)),
        "mean_f_over_samples_and_classes": json_number(mean(each)),
    }


def by_class(values: np.ndarray) -> dict:
    """{name of the class: JSON value}, NaN as None."""
    return {name: json_number(value) for name, value in zip(NAMES, values, strict=True)}


def summary(matrix: np.ndarray) -> dict:
    """Every figure of one confusion matrix as JSON values, NaN as None."""
    return {
        "pixel_accuracy": json_number(pixel_accuracy(matrix)),
        "mean_iou": json_number(mean(iou(matrix))),
        "iou": by_class(iou(matrix)),
        "mean_dice": json_number(mean(dice(matrix))),
        "dice": by_class(dice(matrix)),
        "left_right_confusion": json_number(side_confusion(matrix)),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def json_number(value: float) -> float | None:
    """Rounded; NaN as None."""
    return None if np.isnan(value) else round(float(value), 6)
