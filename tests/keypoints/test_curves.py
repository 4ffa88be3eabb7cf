from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from keypoints.curves import pck_figure, reliability_figure, turn_figure  # noqa: E402


def test_the_pck_curve_steps_at_each_error():
    truth = SimpleNamespace(visibility=np.array([[2, 2, 1, 0]]))
    findings = SimpleNamespace(truth=truth, errors_percent=np.array([[1.0, 2.0, 4.0, 0.0]]),
                               errors_px=np.array([[5.0, 10.0, 20.0, 0.0]]))
    lines = {line.get_label(): line for line in pck_figure(findings, "data").axes[0].lines}
    assert set(lines) == {"all (3)", "visible (2)", "covered (1)"}
    x, y = lines["all (3)"].get_data()
    at = {limit: y[np.isclose(x, limit)][0] for limit in (0.95, 1.0, 1.95, 2.0, 4.0)}
    assert list(at.values()) == pytest.approx([0, 100 / 3, 100 / 3, 200 / 3, 100])
    assert lines["visible (2)"].get_ydata()[-1] == 100


def test_reliability_leaves_empty_bins_out_and_names_the_error():
    bins = [{"count": 0, "confidence": None, "right": None}, {"count": 3, "confidence": 0.15, "right": 1 / 3}]
    report = {"bins": bins, "expected_calibration_error": 0.1834}
    figure = reliability_figure({"scores": report, "visibility": report}, "data")
    assert len(figure.axes) == 2 and "0.183" in figure.axes[0].get_title()
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[0.15, pytest.approx(1 / 3)]]
    figure.canvas.draw()


def test_a_calibration_is_drawn_over_what_it_changes():
    raw = {"bins": [{"count": 3, "confidence": 0.8, "right": 0.5}], "expected_calibration_error": 0.3}
    after = {"bins": [{"count": 3, "confidence": 0.55, "right": 0.5}], "expected_calibration_error": 0.05}
    panel, = reliability_figure({"scores": raw | {"calibrated": after}}, "data").axes
    assert "0.300, calibrated 0.050" in panel.get_title()
    assert [points.get_offsets().tolist() for points in panel.collections] == [[[0.8, 0.5]], [[0.55, 0.5]]]
    assert [text.get_text() for text in panel.texts] == ["3"]


def test_the_curve_of_turns_is_broken_where_none_was_seen_and_closes_at_360():
    curve = [{"degrees": turn, "count": 4, "median": value, "p95": 2 * value} for turn, value in ((0, 1.0), (15, 3.0))]
    median, p95 = turn_figure(curve, "data").axes[0].lines
    values = np.asarray(median.get_ydata(), float)
    assert values[:2].tolist() == [1.0, 3.0] and np.isnan(values[2:-1]).all() and values[-1] == 1.0
    assert np.asarray(p95.get_ydata(), float)[1] == 6.0
    turn_figure([], "nothing").canvas.draw()
