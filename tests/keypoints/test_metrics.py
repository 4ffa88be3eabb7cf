import numpy as np
import pytest

from keypoints import metrics

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])


def peaks(points, size=(64, 48)):
    """One sample (1, K, h, w), 1 at each (x, y) pixel; None leaves a map empty."""
    maps = np.zeros((1, len(points), *size))
    for k, point in enumerate(points):
        if point is not None:
            maps[0, k, point[1], point[0]] = 1.0
    return maps


def test_corner_errors_are_distances():
    predicted = SQUARE + [[3, 4], [0, 0], [0, 1], [2, 0]]
    assert metrics.corner_errors(predicted[None], SQUARE[None]).tolist() == [[5.0, 0.0, 1.0, 2.0]]


def test_cyclic_errors_forgive_a_shift_and_nothing_else():
    turned = np.roll(SQUARE, 1, axis=0)
    mirrored = SQUARE[::-1]
    visibility = np.full((2, 4), 2)
    errors = metrics.cyclic_errors(np.stack([turned, mirrored]), np.stack([SQUARE, SQUARE]), visibility)
    assert errors[0].tolist() == [0, 0, 0, 0]
    assert errors[1].max() > 9
    assert metrics.corner_errors(turned, SQUARE).tolist() == [10, 10, 10, 10]


def test_absent_corners_have_no_say_in_the_shift():
    truth = SQUARE.copy()
    truth[3] = -1, -1
    predicted = np.roll(SQUARE, 2, axis=0)
    errors = metrics.cyclic_errors(predicted[None], truth[None], np.array([[2, 2, 2, 0]]))
    assert errors[0, :3].tolist() == [0, 0, 0]


def test_report_keeps_visible_and_covered_apart():
    predicted = SQUARE + [[1, 0], [2, 0], [3, 0], [100, 0]]
    report = metrics.corner_report(predicted[None], SQUARE[None], np.array([[2, 2, 1, 0]]), [(30, 40)])
    px, percent = report["direct"]["px"], report["direct"]["percent"]
    assert px["visible"] == {"count": 2, "mean": 1.5, "median": 1.5, "p95": pytest.approx(1.95)}
    assert px["covered"]["count"] == 1 and px["covered"]["mean"] == 3.0
    assert px["all"] == {"count": 3, "mean": 2.0, "median": 2.0, "p95": pytest.approx(2.9)}
    assert percent["covered"]["median"] == pytest.approx(6.0)       # the diagonal is 50


def test_summary_of_nothing():
    assert metrics.summarise([]) == {"count": 0, "mean": None, "median": None, "p95": None}


def test_heatmap_accuracy_measures_x_in_widths_and_y_in_heights():
    # 5 % of 48 columns are 2.4 pixels, of 64 rows 3.2.
    target = peaks([(20, 20), (20, 20), (20, 20), (20, 20)])
    predicted = peaks([(22, 20), (23, 20), (20, 23), (20, 24)])
    assert metrics.heatmap_accuracy(predicted, target) == 0.5
    # As published the sides are swapped: 3.2 pixels in x, 2.4 in y. Right is (22, 20) and (23, 20) here.
    assert metrics.published_heatmap_accuracy(predicted[:, 1:3], target[:, 1:3]) == 0.5
    assert metrics.heatmap_accuracy(predicted[:, 1:2], target[:, 1:2]) == 0.0
    assert metrics.published_heatmap_accuracy(predicted[:, 1:2], target[:, 1:2]) == 1.0


def test_heatmap_accuracy_counts_border_targets_and_no_empty_ones():
    target, predicted = peaks([(0, 30), None, (1, 1)]), peaks([(0, 30), (5, 5), (40, 40)])
    assert metrics.heatmap_accuracy(predicted, target) == 0.5
    assert metrics.published_heatmap_accuracy(predicted, target) is None
    assert metrics.heatmap_accuracy(predicted[:, 1:2], target[:, 1:2]) is None


def test_published_accuracy_is_that_of_gluoncv():
    mx = pytest.importorskip("mxnet")
    accuracy = pytest.importorskip("gluoncv.utils.metrics").HeatmapAccuracy()
    rng = np.random.default_rng(3)
    target = rng.random((6, 4, 64, 48)) ** 4
    predicted = target.copy()
    predicted[:3] = np.roll(predicted[:3], 3, axis=3)
    predicted[4] = -1
    accuracy.update([mx.nd.array(target)], [mx.nd.array(predicted)])
    assert metrics.published_heatmap_accuracy(predicted, target) == pytest.approx(accuracy.get()[1])
    assert 0 < accuracy.get()[1] < 1
