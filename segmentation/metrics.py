"""Segmentation metrics, all of them computed from confusion matrices that add up over samples.

A confusion matrix here is int64 (C, C): row = true class, column = predicted class, entry = pixels.
Shares of nothing (a class that is neither there nor predicted) are NaN; means leave NaN out.
"""

import numpy as np

from scenes.labels import LEFT_FOOT, NAMES, RIGHT_FOOT

CLASSES = len(NAMES)
FEET = [LEFT_FOOT, RIGHT_FOOT]


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


def summary(matrix: np.ndarray) -> dict:
    """Every figure of one confusion matrix as JSON values, NaN as None."""
    return {
        "pixel_accuracy": _json_number(pixel_accuracy(matrix)),
        "mean_iou": _json_number(mean(iou(matrix))),
        "iou": {name: _json_number(value) for name, value in zip(NAMES, iou(matrix), strict=True)},
        "mean_dice": _json_number(mean(dice(matrix))),
        "dice": {name: _json_number(value) for name, value in zip(NAMES, dice(matrix), strict=True)},
        "left_right_confusion": _json_number(side_confusion(matrix)),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _json_number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
