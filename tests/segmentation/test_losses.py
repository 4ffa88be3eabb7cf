import numpy as np
import pytest

from segmentation.losses import DICE_SMOOTHING, loss_named

LABELS = np.array([[[0, 0, 1], [1, 2, 2], [3, 3, 3]]])
# Every pixel gives its own class 0.7 and the others 0.1 each; the first pixel is unsure.
PROBABILITIES = np.where(np.eye(4)[LABELS] == 1, 0.7, 0.1)
PROBABILITIES[0, 0, 0] = 0.25
LOGITS = np.log(PROBABILITIES).astype(np.float32) + 3  # logits are free up to a constant


def value(name, labels=LABELS, logits=LOGITS):
    return float(loss_named(name)(labels, logits))


def test_categorical_by_hand():
    assert value("categorical") == pytest.approx((8 * -np.log(0.7) - np.log(0.25)) / 9, rel=1e-5)


def test_weighted_by_hand():
    sure, unsure = -np.log(0.7), -np.log(0.25)
    expected = (0.1 * (sure + unsure) + 1.0 * 2 * sure + 2.0 * 5 * sure) / 9
    assert value("weighted") == pytest.approx(expected, rel=1e-5)


def test_focal_by_hand():
    sure, unsure = 0.3**2 * -np.log(0.7), 0.75**2 * -np.log(0.25)
    expected = (0.15 * (sure + unsure) + 0.45 * 2 * sure + 0.9 * 5 * sure) / 9
    assert value("focal") == pytest.approx(expected, rel=1e-5)


def test_dice_by_hand():
    overlap = np.array([0.25 + 0.7, 2 * 0.7, 2 * 0.7, 3 * 0.7])
    predicted = np.array([0.25 + 0.7 + 7 * 0.1] + [0.25 + n * 0.7 + (8 - n) * 0.1 for n in (2, 2, 3)])
    true = np.array([2, 2, 2, 3])
    expected = 1 - np.mean((2 * overlap + DICE_SMOOTHING) / (predicted + true + DICE_SMOOTHING))
    assert value("dice") == pytest.approx(expected, rel=1e-5)


def test_sum_by_name():
    assert value("weighted+dice") == pytest.approx(value("weighted") + value("dice"), rel=1e-6)
    with pytest.raises(ValueError, match="hinge"):
        loss_named("categorical+hinge")


@pytest.mark.parametrize("name", ["categorical", "weighted", "focal", "dice"])
def test_right_answer_costs_nothing_and_pixels_of_no_class_do_not_count(name):
    sure = (np.eye(4)[LABELS] * 50).astype(np.float32)
    assert value(name, logits=sure) == pytest.approx(0, abs=1e-5)
    labels, other = LABELS.copy(), LOGITS.copy()
    labels[0, 1, 1] = 255
    other[0, 1, 1] = [9, -9, 0, 0]
    assert value(name, labels=labels) == pytest.approx(value(name, labels=labels, logits=other), rel=1e-6)
    assert np.isfinite(value(name, logits=LOGITS * 1e4))
