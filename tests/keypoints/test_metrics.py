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


def test_a_shift_brings_what_belongs_to_a_corner_along():
    visibility = np.full((2, 4), 2)
    truth = np.stack([SQUARE, SQUARE])
    predicted = np.stack([np.roll(SQUARE, 1, axis=0), SQUARE])
    shifts = metrics.cyclic_shifts(predicted, truth, visibility)
    assert shifts.tolist() == [3, 0]
    np.testing.assert_array_equal(metrics.rolled(predicted, shifts), truth)
    assert metrics.rolled([[0.1, 0.2, 0.3, 0.4]] * 2, shifts).tolist() == [[0.2, 0.3, 0.4, 0.1], [0.1, 0.2, 0.3, 0.4]]


def test_keypoints_that_are_no_corners_have_no_cyclic_order():
    truth = np.arange(10.0).reshape(1, 5, 2) * 10
    predicted = np.roll(truth, 1, axis=1)
    visibility = np.full((1, 5), 2)
    assert metrics.cyclic_shifts(predicted, truth, visibility).tolist() == [0]
    report = metrics.corner_report(predicted, truth, visibility, [(30, 40)])
    assert report["cyclic"] == report["direct"] and report["direct"]["px"]["all"]["count"] == 5
    assert report["direct"]["px"]["all"]["median"] == pytest.approx(np.hypot(20, 20))


def test_pck_counts_what_is_exactly_at_the_threshold():
    assert metrics.share_within([0.5, 1.0, 2.0, 30.0], (0.4, 0.5, 1.0, 29.9, 30.0)) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert metrics.share_within([], (1.0,)) is None
    # The diagonal is 50: 1 px is 2 percent of it.
    pck = metrics.pck_report(np.array([[0.5, 1.0, 3.0, 999.0]]), np.array([[2, 2, 1, 0]]), [(30, 40)])
    percent, px = (dict(zip(pck[unit]["thresholds"], pck[unit]["all"], strict=True)) for unit in ("percent", "px"))
    assert percent[0.75] == 0.0 and percent[1.0] == pytest.approx(1 / 3) and percent[2.0] == pytest.approx(2 / 3)
    assert percent[7.5] == 1.0 and px[0.5] == pytest.approx(1 / 3) and px[3.0] == 1.0
    assert pck["px"]["covered"][pck["px"]["thresholds"].index(2.0)] == 0.0
    nothing = metrics.pck_report(np.zeros((1, 4)), np.zeros((1, 4), int), [(30, 40)])
    assert nothing["px"]["all"] is None and nothing["percent"]["visible"] is None


def test_heatmap_errors_are_means_over_all_pixels_of_a_sample():
    predicted, target = np.zeros((2, 4, 2, 2)), np.zeros((2, 4, 2, 2))
    target[0, 0, 0, 0], predicted[0, 1, 1, 1] = 1.0, -0.5
    mse, mae = metrics.heatmap_errors(predicted, target)
    assert mse.tolist() == [1.25 / 16, 0.0] and mae.tolist() == [1.5 / 16, 0.0]


def test_visibility_is_counted_by_what_is_true():
    told = np.array([[[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]]])
    report = metrics.visibility_report(told, np.array([[2, 1, 1, 0]]))
    assert report["accuracy"] == 0.75
    assert report["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_the_turn_of_a_sheet_is_clockwise_as_seen():
    # With y down, the upper edge of a sheet turned clockwise goes down to the right.
    c, s = np.cos(np.deg2rad(30)), np.sin(np.deg2rad(30))
    turned = [[c * x - s * y, s * x + c * y] for x, y in SQUARE]
    unknown = SQUARE.copy()
    unknown[2] = np.nan
    turns = metrics.sheet_turns(np.array([SQUARE, turned, unknown]))
    assert turns[:2] == pytest.approx([0.0, 30.0]) and np.isnan(turns[2])


def test_the_curve_of_turns_wraps_and_leaves_absent_corners_out():
    errors = np.array([[1.0, 2.0], [3.0, 100.0], [5.0, 7.0], [9.0, 9.0]])
    visibility = np.array([[2, 2], [2, 0], [1, 2], [2, 2]])
    curve = metrics.turn_curve([-5.0, 355.0, 52.0, np.nan], errors, visibility)
    assert [point["degrees"] for point in curve] == [0, 45]
    assert curve[0]["count"] == 3 and curve[0]["median"] == 2.0 and curve[1]["mean"] == 6.0


def test_the_worst_sample_has_the_largest_error_of_a_present_corner():
    errors = np.array([[1.0, 50.0], [3.0, 2.0], [99.0, 99.0], [3.0, 4.0]])
    order, worst = metrics.worst_first(errors, np.array([[2, 0], [2, 1], [0, 0], [1, 2]]))
    assert order.tolist() == [3, 1, 0] and worst.tolist() == [4.0, 3.0, 1.0]
