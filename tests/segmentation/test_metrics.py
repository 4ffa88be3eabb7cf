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
    assert metrics.mean(metrics.dice(matrix)) == pytest.approx((2 / 3 + 4 / 5 + 2 / 4 + 4 / 6) / 4)
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
    with pytest.raises(ValueError, match="same shape"):
        metrics.boundary_counts(TRUTH, PREDICTION[:2])


def test_both_readings_of_the_mean_f1_by_hand():
    # One sample without error, of background alone; one with an F1 of 2/3, 4/5, 1/2 and 2/3.
    matrices = np.array([np.diag([3, 0, 0, 0]), metrics.confusion_matrix(TRUTH, PREDICTION)])
    assert metrics.f1_means(matrices) == {
        # Background: 2 * 4 of 4 + 5 pixels.
        "over_classes_of_one_matrix": pytest.approx((8 / 9 + 4 / 5 + 1 / 2 + 2 / 3) / 4, abs=1e-6),
        "over_samples_and_classes": pytest.approx((1 + 2 / 3 + 4 / 5 + 1 / 2 + 2 / 3) / 5, abs=1e-6),
    }


def scores(truth, prediction, within_px=2):
    truth, prediction = np.array(truth, np.uint8), np.array(prediction, np.uint8)
    return metrics.boundary_f(metrics.boundary_counts(truth, prediction, within_px))


def test_edges_by_hand():
    mask = np.array([[0, 0, 0, 0], [0, 1, 1, 255], [0, 1, 1, 255], [0, 1, 1, 255]])
    expected = [[0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    np.testing.assert_array_equal(metrics.edges(mask), np.array(expected, bool))
    assert not metrics.edges(np.ones((3, 3), int)).any()


def test_boundary_f_of_a_row_by_hand():
    truth = [[0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]]
    longer = [[0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]]
    # Sheet: of the predicted ends 3 and 9 the first is right, the true 3 and 5 are both within 2 of 3: P 1/2, R 1.
    # Background: predicted 2 and 10, true 2 and 6: P 1/2, R 1/2.
    counts = metrics.boundary_counts(np.array(truth, np.uint8), np.array(longer, np.uint8))
    assert counts[:2].tolist() == [[1, 2, 1, 2], [1, 2, 2, 2]]
    np.testing.assert_allclose(scores(truth, longer), [1 / 2, 2 / 3, np.nan, np.nan])
    step = np.repeat([[1, 0]], 8, axis=1)
    for longer_by, expected in ((2, 1), (3, 0)):
        assert scores(step, np.repeat([[1, 0]], [8 + longer_by, 8 - longer_by], axis=1))[:2].tolist() == [expected] * 2


def test_near_is_a_distance_whatever_the_direction():
    def dot(y, x):
        mask = np.zeros((12, 12), np.uint8)
        mask[y, x] = 3
        return mask

    for place, expected in (((5, 5), 1), ((5, 7), 1), ((6, 6), 1), ((7, 6), 0), ((8, 5), 0)):
        assert scores(dot(5, 5), dot(*place))[3] == expected


def test_where_every_pixel_is_an_edge_and_nothing_is_forgiven_the_boundary_f_is_dice():
    np.testing.assert_allclose(scores(TRUTH, PREDICTION, 0), [2 / 3, 4 / 5, 2 / 4, 4 / 6])
    np.testing.assert_allclose(scores(TRUTH, PREDICTION), 1)


def test_absent_classes_and_unknown_pixels_of_a_boundary():
    truth, nothing = np.zeros((3, 12), np.uint8), np.zeros((3, 12), np.uint8)
    truth[:, 6:] = 1
    # Sheet is there and not found: 0; feet are neither: no value. Background has no boundary in the prediction: 0.
    np.testing.assert_array_equal(scores(truth, nothing), [0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(scores(nothing, truth), [0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(scores(nothing, nothing), [np.nan] * 4)
    unknown = truth.copy()
    unknown[:, 3:9] = 255
    assert not metrics.boundary_counts(unknown, truth).any()


def test_boundary_counts_add_up_and_means_are_named():
    rows = np.array([[0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]], np.uint8), np.zeros((1, 12), np.uint8)
    longer = np.array([[0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]], np.uint8)
    told = metrics.boundary_summary(np.array([metrics.boundary_counts(row, longer) for row in rows]))
    # Sheet, both samples: P 1/4, R 1; background: P 1/4, R 1/2. Sample by sample: 2/3 and 0, 1/2 and 0.
    assert told["f"] == {"background": pytest.approx(1 / 3, abs=1e-6), "sheet": pytest.approx(2 / 5),
                         "left_foot": None, "right_foot": None}
    assert told["mean_f"] == pytest.approx((1 / 3 + 2 / 5) / 2, abs=1e-6) and told["within_px"] == 2
    assert told["mean_f_over_samples_and_classes"] == pytest.approx((2 / 3 + 1 / 2) / 4, abs=1e-6)
