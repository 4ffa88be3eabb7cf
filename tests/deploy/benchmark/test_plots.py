import pytest

from deploy.benchmark.plots import HEIGHT, TOP, Axis, panels
from deploy.benchmark.timing import latency_figures


def row(runtime, precision, p50, streams=1, rate=10.0, accuracy=None, subject="segmentation"):
    return {"subject": subject, "runtime": runtime, "precision": precision, "machine": 0, "batch": 1,
            "streams": streams, "latency_ms": latency_figures([p50 - 1, p50, p50 + 1]), "accuracy": accuracy,
            "images_per_second": {"median": rate, "least": rate, "most": rate}}


@pytest.mark.parametrize("values, log, ticks", [
    ([0, 9], False, [0, 2, 4, 6, 8, 10]), ([0.9701, 0.9762], False, [0.97, 0.972, 0.974, 0.976, 0.978]),
    ([3, 70], True, [2, 5, 10, 20, 50, 100]), ([5, 5], True, [5, 10]), ([7, 7], False, None),
])  # fmt: skip
def test_ticks_are_round_and_enclose(values, log, ticks):
    axis = Axis(values, 100, 200, log)
    assert ticks is None or axis.ticks == pytest.approx(ticks)
    assert axis.ticks[0] <= min(values) and axis.ticks[-1] >= max(values) and len(axis.ticks) > 1
    assert axis(axis.ticks[0]) == 100 and axis(axis.ticks[-1]) == 200


def test_a_logarithmic_axis_has_equal_ratios_at_equal_distances():
    axis = Axis([1, 100], 0, 200, log=True)
    assert (axis(1), axis(10), axis(100)) == (0, 100, 200)


def test_the_plots_of_a_document():
    rows = [row("Keras", "FP32", 80.0, accuracy={"mean_iou": 0.97}),
            row("OpenVINO CPU", "INT8", 20.0, accuracy={"mean_iou": 0.965}),
            row("OpenVINO CPU", "INT8", 35.0, streams=2, rate=55.0)]
    drawn = panels({"rows": rows, "machines": [{}]})
    assert list(drawn) == ["segmentation"]
    accuracy, latency, streams = drawn["segmentation"]
    keras, openvino = accuracy["marks"]
    assert keras["x"] > openvino["x"] and keras["y"] < openvino["y"] and keras["colour"] != openvino["colour"]
    assert (keras["shape"], openvino["shape"]) == ("circle", "triangle")
    # Fastest first; the second caller is no row of its own.
    assert [bar["name"] for bar in latency["bars"]] == ["OpenVINO CPU, INT8", "Keras, FP32"]
    assert all(bar["low"] <= bar["start"] <= bar["middle"] <= bar["end"] <= bar["high"] for bar in latency["bars"])
    assert [text for _, text in streams["x_ticks"]] == ["1", "2"] and len(streams["lines"]) == 1
    assert streams["marks"][1]["y"] < streams["marks"][0]["y"]


def test_corners_are_better_further_up_with_a_smaller_error():
    rows = [row("MXNet", "FP32", 80.0, accuracy={"corners_px": {"median": value}}, subject="keypoints")
            for value in (1.0, 3.0)]
    good, bad = panels({"rows": rows, "machines": [{}]})["keypoints"][0]["marks"]
    assert TOP <= good["y"] < bad["y"] <= HEIGHT


def test_nothing_is_drawn_of_nothing():
    assert panels({"rows": [], "machines": [{}]}) == {}
