"""What lines come to, by hand: ratios round by round, shares of the peak, costs, agreement, other machines' rows."""

import pytest

from deploy.benchmark.results import agreement, failures, merge, peaks_of, pipeline_parity, row_figures
from deploy.benchmark.rows import Row
from deploy.benchmark.run import Plan

SLOW, FAST = Row("keypoints", "OpenVINO CPU", "FP32"), Row("keypoints", "OpenVINO CPU", "INT8")
MACHINE = {"threads": 2, "price_per_hour": 0.36}


def line(name, number, rate, latencies=(10.0,), kind="timed", **others):
    return {"kind": kind, "name": name, "round": number, "images_per_second": rate, "latencies_ms": list(latencies),
            "load_seconds": 1.0 + number, "first_inference_ms": 20.0, "peak_memory_mb": None, "file_mb": 3.5, **others}


def by_name(*lines):
    found = {}
    for one in lines:
        found.setdefault(one["name"], {})[one["round"]] = one
    return found


def test_a_rows_figures():
    timed = by_name(line(SLOW.name, 0, 50.0), line(SLOW.name, 1, 100.0),
                    line(FAST.name, 0, 150.0, [4.0, 6.0]), line(FAST.name, 1, 200.0, [8.0]))
    told = row_figures(FAST, timed, by_name(line(FAST.answers_as, 0, 0, kind="judged", accuracy=None, parity={"p": 1})),
                       {"keypoints": SLOW.name}, {"INT8": {"operations_per_second": 7e9}}, {"keypoints": 2e7}, MACHINE)
    assert told["images_per_second"] == {"median": 175.0, "least": 150.0, "most": 200.0}
    assert told["ratio"] == {"median": 2.5, "least": 2.0, "most": 3.0}
    assert (told["latency_ms"]["calls"], told["latency_ms"]["p50"]) == (3, 6.0)
    assert told["images_per_core_hour"] == 175 * 3600 / 2
    assert told["cost_per_million"] == pytest.approx(0.36 * 1e6 / (175 * 3600))
    assert told["share_of_peak"] == pytest.approx(2e7 * 175 / 7e9)
    assert told["load_seconds"] == {"median": 1.5, "least": 1.0, "most": 2.0}
    assert told["peak_memory_mb"] is None and told["parity"] == {"p": 1} and told["rounds"] == 2


def test_a_gpus_row_is_not_held_against_the_cpus_peak():
    row = Row("keypoints", "ONNX Runtime CUDA", "FP32")
    told = row_figures(row, by_name(line(row.name, 0, 50.0)), {}, {}, {"FP32": {"operations_per_second": 1e9}},
                       {"keypoints": 1e6}, MACHINE)
    assert told["share_of_peak"] is None and told["images_per_core_hour"] is None and told["ratio"] is None


def test_the_peak_is_the_fastest_of_a_precision_in_its_best_round():
    lines = [{"kind": "peak", "name": name, "round": number, "operations_per_second": rate} for name, number, rate in (
        ("numpy, product, FP32", 0, 5.0), ("OpenVINO CPU, convolution, FP32", 0, 4.0),
        ("OpenVINO CPU, convolution, FP32", 1, 9.0), ("OpenVINO CPU, product, INT8", 0, 30.0),
        ("OpenVINO GPU, product, FP32", 0, 900.0))]  # fmt: skip
    found = peaks_of(lines)
    assert {name: (told["operations_per_second"], told["by"]) for name, told in found.items()} == {
        "FP32": (9.0, "OpenVINO CPU, convolution"), "INT8": (30.0, "OpenVINO CPU, product")}
    assert found["FP32"]["all"] == {"numpy, product": 5.0, "OpenVINO CPU, convolution": 9.0}


def test_agreement_is_within_a_tenth_in_the_median():
    ours = [line(SLOW.name, 0, 100.0), line(SLOW.name, 1, 109.0), line(FAST.name, 0, 100.0)]
    theirs = [line(SLOW.name, 0, 100.0, kind="benchmark_app"), line(SLOW.name, 1, 100.0, kind="benchmark_app"),
              line(FAST.name, 0, 112.0, kind="benchmark_app"), line("never timed", 0, 1.0, kind="benchmark_app")]
    told = agreement(ours + theirs)
    assert [(one["name"], one["agrees"]) for one in told] == [(SLOW.name, True), (FAST.name, False)]
    assert told[0]["ratio"] == {"median": pytest.approx(1.045), "least": 1.0, "most": pytest.approx(1.09)}


def test_corners_of_a_pipeline_are_held_against_the_references():
    reference, row = (Row("pipeline", "OpenVINO CPU", precision) for precision in ("FP32", "INT8"))
    square = [[0, 0], [9, 0], [9, 9], [0, 9]]
    moved = [[3, 4], [9, 0], [9, 9], [0, 9]]
    judged = by_name(
        {"name": reference.answers_as, "round": 0, "accuracy": {"found": {"a": square, "b": square, "c": None}}},
        {"name": row.answers_as, "round": 0, "accuracy": {"found": {"a": moved, "b": None, "c": None}}})
    told = pipeline_parity(row, judged, {"pipeline": reference.name})
    assert told["corner_px"] == 5.0 and told["same_answered"] == pytest.approx(2 / 3)
    assert pipeline_parity(row, judged, {}) is None


def test_a_failure_is_told_once_by_its_rows_name():
    plan = Plan([FAST], [], None, [])
    found = failures(plan, {"round-1/timed-keypoints--OpenVINO-CPU--INT8--batch-1--streams-1": "ended by signal 11",
                            "round-2/timed-keypoints--OpenVINO-CPU--INT8--batch-1--streams-1": "not begun",
                            "judged/keypoints--OpenVINO-CPU--INT8": "ValueError: no",
                            "round-1/benchmark_app-keypoints--OpenVINO-CPU--INT8--batch-1--streams-1": "status 1",
                            "networks/keypoints": "no memory"})
    assert found == [{"name": FAST.name, "what": "timing", "error": "ended by signal 11"},
                     {"name": FAST.answers_as, "what": "judging", "error": "ValueError: no"},
                     {"name": FAST.name, "what": "benchmark_app", "error": "status 1"},
                     {"name": "keypoints", "what": "networks", "error": "no memory"}]


def test_rows_of_another_machine_keep_theirs():
    def document(processor, count):
        return {"machines": [{"processor": processor}], "rows": [{"name": "a", "machine": 0}] * count, "failed": [],
                "not_available": [{"machine": 0}], "benchmark_app": []}

    both = merge(document("CPU", 1), [document("GPU", 2), merge(document("x", 1), [document("y", 1)])])
    assert [machine["processor"] for machine in both["machines"]] == ["CPU", "GPU", "x", "y"]
    assert [row["machine"] for row in both["rows"]] == [0, 1, 1, 2, 3]
    assert [row["machine"] for row in both["not_available"]] == [0, 1, 2, 3]
