"""A whole benchmark of a tiny bundle, in this process: all that it writes, and how it goes on."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from deploy.benchmark import peak, worker
from deploy.benchmark.report import markdown, write_report
from deploy.benchmark.run import Request, doublings, read_results, run
from deploy.bundle import BundleError


@pytest.fixture
def request_of(build_bundle, tmp_path, monkeypatch):
    """A function (**changes) -> Request of the tiny bundle, a quick one."""
    monkeypatch.setattr(peak, "subjects", lambda *told: [("numpy", "product", "FP32")])
    monkeypatch.setattr(peak, "measure", lambda *told: 1e9)
    asked = Request(build_bundle(precisions=("fp32",)), tmp_path / "out", {"keypoints": None, "segmentation": None},
                    rounds=1, seconds=1e-3, threads=1, batches=())
    return lambda **changes: replace(asked, **changes)


def in_this_process(tasks, workers, logs):
    """deploy.processes.run_with_progress without the processes."""
    faults = {}
    for task in tasks:
        if any(name in faults for name in task.after):
            faults[task.name] = "not begun"
            continue
        try:
            task.function(*task.arguments)
        except Exception as fault:
            faults[task.name] = f"{type(fault).__name__}: {fault}"
    return faults


def test_all_that_a_base_install_measures(request_of, tmp_path, labelled_sheets):
    document, faults = run(request_of(price_per_hour=1.0, rounds=2, threads=2, batches=(2,), streams=(2,),
                                      data=labelled_sheets), in_this_process)
    assert faults == {} and document["failed"] == []
    rows = {row["name"]: row for row in document["rows"]}
    plain = rows["keypoints, OpenVINO CPU, FP32, batch 1, streams 1"]
    assert document["references"]["keypoints"] == plain["name"] and plain["rounds"] == 2
    assert plain["ratio"] == {"median": 1.0, "least": 1.0, "most": 1.0}
    assert plain["latency_ms"]["calls"] >= 6 and plain["cost_per_million"] > 0 and plain["file_mb"] > 0
    assert plain["peak_memory_mb"] is None or plain["peak_memory_mb"]["median"] > 10
    assert plain["parity"]["within_limits"] is True and plain["parity"]["corner_px"] < 0.02
    assert {"keypoints, OpenVINO CPU, FP32, batch 2, streams 1", "segmentation, OpenVINO CPU, FP32, batch 1, streams 2",
            "pipeline, OpenVINO CPU, FP32, batch 1, streams 1"} <= set(rows)
    classical = rows["pipeline, classical (no network), none, batch 1, streams 1"]
    # The tiny networks find no sheet in the drawn photo; colours do. Nothing but time is spent on it.
    assert classical["accuracy"]["answered"] == classical["accuracy"]["photos"] == 1
    assert classical["file_mb"] == 0 and classical["share_of_peak"] is None and classical["ratio"]["median"] > 0
    assert document["configuration"]["labelled"] == {"split": "test", "photos": 1}
    assert plain["accuracy"]["corners_px"]["count"] == 4
    assert 0 < rows["segmentation, OpenVINO CPU, FP32, batch 1, streams 1"]["accuracy"]["mean_iou"] < 1
    assert any(line["runtime"] == "OpenVINO GPU" for line in document["not_available"])
    write_report(tmp_path / "out", document)
    with open(tmp_path / "out" / "results.csv", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(rows) and float(lines[0]["p50 ms"]) == document["rows"][0]["latency_ms"]["p50"]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg viewBox") > 4 and "http" not in page and "<script" not in page
    for text in ("Tesla T4 (published: thesis)", "OpenVINO finds no GPU here"):
        assert text in page and text in markdown(document)
    assert "Throughput against streams, corners" in page
    assert str(tmp_path) not in json.dumps(document) + page


def test_what_is_measured_is_not_measured_again(request_of):
    run(request_of(), in_this_process)
    asked = []

    def note(tasks, workers, logs):
        asked.extend(task.name for task in tasks)
        return {}

    run(request_of(), note)
    assert asked == []
    document, _ = run(request_of(rounds=2), note)
    assert {name.partition("/")[0] for name in asked} == {"round-2"}
    assert asked[-1].startswith("round-2/peak-")  # backwards
    assert {row["rounds"] for row in document["rows"]} == {1}
    with pytest.raises(ValueError, match="seconds was 0.001, is 0.5"):
        run(request_of(seconds=0.5), note)


def test_half_a_line_is_measured_again(request_of, tmp_path):
    run(request_of(), in_this_process)
    file = tmp_path / "out" / worker.MEASURED
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]) + lines[-1][:20])
    again = []

    def note(tasks, workers, logs):
        again.extend(task.name for task in tasks)
        return in_this_process(tasks, workers, logs)

    run(request_of(), note)
    assert len(again) == 1 and file.read_text() == "".join(lines)
    file.write_text(lines[0] + "{}\n" + "".join(lines[1:]))
    with pytest.raises(ValueError, match="line 2, is no measurement"):
        run(request_of(), note)


def test_a_row_that_fails_is_a_row_with_its_error(request_of, monkeypatch):
    batches = worker.batches

    def fail(row, work):
        if row.subject == "keypoints" and row.batch == 2:
            raise MemoryError("no room")
        return batches(row, work)

    monkeypatch.setattr(worker, "batches", fail)
    document, faults = run(request_of(rounds=2, batches=(2,)), in_this_process)
    failed = "keypoints, OpenVINO CPU, FP32, batch 2, streams 1"
    assert {"name": failed, "what": "timing", "error": "MemoryError: no room"} in document["failed"]
    assert failed not in {row["name"] for row in document["rows"]}
    assert "segmentation, OpenVINO CPU, FP32, batch 2, streams 1" in {row["name"] for row in document["rows"]}
    monkeypatch.undo()
    monkeypatch.setattr(peak, "subjects", lambda *told: [("numpy", "product", "FP32")])
    document, faults = run(request_of(rounds=2, batches=(2,)), in_this_process)
    assert faults == {} and failed in {row["name"] for row in document["rows"]}


def test_another_machines_rows_stand_beside(request_of, tmp_path):
    document, _ = run(request_of(), in_this_process)
    write_report(tmp_path / "out", document)
    both, _ = run(request_of(merge=(tmp_path / "out" / "results.json",)), in_this_process)
    assert len(both["machines"]) == 2 and len(both["rows"]) == 2 * len(document["rows"])
    write_report(tmp_path / "both", both)
    assert "Corners, machine 2" in (tmp_path / "both" / "README.md").read_text()
    (tmp_path / "other.json").write_text('{"kind": "recipe", "schema": 1}')
    for file, told in (("other.json", "it is 'recipe' of schema 1"), ("out/results.csv", "JSONDecodeError")):
        with pytest.raises(ValueError, match=told):
            read_results(tmp_path / file)


@pytest.mark.parametrize("changes, fault, told", [
    ({"streams": (3,)}, ValueError, "3 streams cannot have a thread each of 1"),
    ({"runs": {"keypoints": "nowhere", "segmentation": None}}, ValueError, "no run of `foliopie keypoints train`"),
    ({"bundle": "nowhere"}, BundleError, "missing"),
    ({"photos": "nowhere"}, OSError, "nowhere"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_before_anything_is_made(request_of, tmp_path, changes, fault, told):
    with pytest.raises(fault, match=told):
        run(request_of(**changes), in_this_process)
    assert not (tmp_path / "out").exists()


def test_streams_that_are_tried():
    assert [doublings(threads) for threads in (1, 2, 3, 6, 8)] == [(), (2,), (2, 3), (2, 4, 6), (2, 4, 8)]


def test_batches_go_round_the_photos(request_of, tmp_path):
    from deploy.benchmark.rows import Row

    run(request_of(), lambda *told: {})
    work = worker.Work(tmp_path / "out", request_of().bundle, {}, {}, {}, 1, 1.0, tmp_path)
    work.networks.mkdir(parents=True, exist_ok=True)
    np.save(work.networks / "keypoints.npy", np.arange(5, dtype=np.uint8))
    given = worker.batches(Row("keypoints", "OpenVINO CPU", "INT8", batch=2), work)
    assert [batch.tolist() for batch in given] == [[0, 1], [2, 3], [4, 0]]
