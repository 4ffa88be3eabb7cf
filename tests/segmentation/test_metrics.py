import numpy as np
import pytest

from segmentation import metrics

TRUTH = np.array([[0, 0, 1], [1, 2, 2], [3, 3, 3]])
PREDICTION = np.array([[0, 1, 1], [1, 2, 3], [3, 3, 2]])


def test_confusion_matrix_by_hand():
    expected = [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1], [0, 0, 1, 2]]
    assert metrics.confusion_matrix(TRUTH, PREDICTION).tolist() == expected


def test_shares_by_hand():
    matrix = metrics.confusion_matrix(TRUTH, PREDICTION)
    assert metrics.pixel_accuracy(matrix) == pytest.approx(6 / 9)
    np.testing.assert_allclose(metrics.iou(matrix), [1 / 2, 2 / 3, 1 / 3, 2 / 4])
    np.testing.assert_allclose(metrics.dice(matrix), [2 / 3, 4 / 5, 2 / 4, 4 / 6])
    assert metrics.mean(metrics.iou(matrix)) == pytest.approx(0.5)
    assert metrics.side_confusion(matrix) == pytest.approx(2 / 5)


def test_matrices_add_up_and_unknown_labels_do_not_count():
    truth = TRUTH.copy()
    truth[0, 0] = 255
    parts = metrics.confusion_matrix(truth[:1], PREDICTION[:1]) + metrics.confusion_matrix(truth[1:], PREDICTION[1:])
    assert parts.tolist() == metrics.confusion_matrix(truth, PREDICTION).tolist()
    assert parts.sum() == 8


def test_absent_class_is_no_value_and_left_out_of_the_mean():
    matrix = metrics.confusion_matrix(np.zeros((3, 3), int), np.zeros((3, 3), int))
    assert metrics.iou(matrix)[0] == 1 and np.isnan(metrics.iou(matrix)[1:]).all()
    assert metrics.mean(metrics.iou(matrix)) == 1
    summary = metrics.summary(matrix)
    assert summary["iou"]["sheet"] is None and summary["left_right_confusion"] is None


def test_side_confusion_ignores_feet_that_are_lost():
    truth, prediction = np.array([2, 2, 2, 2]), np.array([0, 1, 2, 3])
    assert metrics.side_confusion(metrics.confusion_matrix(truth, prediction)) == 0.5


def test_named_sides_by_majority():
    truth = np.array([[2, 2, 2], [0, 0, 1], [3, 3, 3]])
    prediction = np.array([[2, 2, 3], [2, 2, 2], [2, 2, 3]])
    assert metrics.named_sides(truth, prediction) == [(2, 2), (3, 2)]
    assert metrics.named_sides(truth, np.zeros_like(truth)) == [(2, -1), (3, -1)]
    assert metrics.named_sides(np.ones((3, 3), int), prediction) == []


def test_other_shape_is_refused():
    with pytest.raises(ValueError, match="same shape"):
        metrics.confusion_matrix(TRUTH, PREDICTION[:2])
