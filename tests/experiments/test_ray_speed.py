"""The experiment with timing replaced by what takes no time, and one timing of a batch for real."""

import json
from pathlib import Path

import pytest
from PIL import Image

import deploy
from deploy.photo_task import Done
from experiments import ray_speed
from experiments.catalogue import EXPERIMENTS, Request
from experiments.ray_speed import SCALES, WAYS, Scale, run_rounds, time_batch

SAMPLES = Path(deploy.__file__).parent / "samples"


@pytest.fixture
def timed(monkeypatch, run_tasks_here):
    """What was timed, in order; rounds are faster and faster, and Ray's workers nine tenths as fast as processes."""
    order = []

    def batch(on_ray, workers, photos, count, bundle, file):
        order.append((on_ray, workers))
        rate = 10.0 * workers * (0.9 if on_ray else 1.0) * int(file.parent.name)
        file.write_text(json.dumps({"images_per_second": rate, "whole_per_second": rate / 2, "first_after_s": 3.0,
                                    "caller_ms": 1.5}))

    monkeypatch.setattr(ray_speed, "time_batch", batch)
    monkeypatch.setattr(ray_speed, "run_with_progress", run_tasks_here)
    return order


def test_every_way_is_timed_in_every_round_and_held_against_one_process(timed, tmp_path):
    request = Request(tmp_path / "out", photos=SAMPLES, results=tmp_path / "copy")
    outcome = run_rounds(Scale(2, 8), request)
    assert timed == [*WAYS.values(), *reversed(WAYS.values())] and not outcome.faults
    found = json.loads((tmp_path / "copy" / "results.json").read_text())
    assert found["ways"]["one process"]["ratio"] == [1.0, 1.0]
    assert found["ways"]["Ray, 4 workers"]["ratio"] == pytest.approx([3.6, 3.6])
    assert found["ways"]["Ray, 2 workers"]["images_per_second"] == [18.0, 36.0]
    assert str(tmp_path) not in json.dumps(found) and found["configuration"]["files"] == 5
    text = (tmp_path / "out" / "README.md").read_text()
    assert "| Ray, 2 workers | 27.0 | 18.0 to 36.0 | 1.80 | 1.80 to 1.80 | 13.5 | 3.0 | 1.5 |" in text
    with Image.open(tmp_path / "out" / "figure.png") as figure:
        assert figure.width > 500
    run_rounds(Scale(2, 8), request)
    assert len(timed) == 2 * len(WAYS)  # nothing is timed again
    with pytest.raises(ValueError, match="photos was 8, is 9"):
        run_rounds(Scale(2, 9), request)


def test_photos_are_asked_for(tmp_path):
    with pytest.raises(ValueError, match="needs photos to measure: --photos DIR"):
        run_rounds(SCALES["quick"], Request(tmp_path / "out"))
    with pytest.raises(ValueError, match="holds no photos"):
        run_rounds(SCALES["quick"], Request(tmp_path / "out", photos=tmp_path))
    assert EXPERIMENTS["ray-speed"].options == ("photos", "bundle")


def test_a_batch_is_timed_from_when_all_workers_have_answered(tmp_path, monkeypatch):
    """Answers after 10, 11, 12, 13, 14, 14.5, 15 and 15.5 s: of two workers four count as their start."""
    times = iter([0.0, 10.0, 11.0, 12.0, 13.0, 14.0, 14.5, 15.0, 15.5])
    asked = []

    def answers(on_ray, workers, sources, bundle, options):
        asked.extend(sources)
        yield from (Done({"photo": source.name}, None) for source in sources)

    monkeypatch.setattr(ray_speed, "answers", answers)
    monkeypatch.setattr(ray_speed.time, "perf_counter", lambda: next(times))
    used = iter([9.0, 9.5, 9.6, 9.7, 9.8, 9.81, 9.82, 9.83])
    monkeypatch.setattr(ray_speed.time, "process_time", lambda: next(used))
    time_batch(True, 2, [Path("a.jpg"), Path("b.jpg")], 8, None, tmp_path / "told.json")
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["images_per_second"] == 3 / (15.5 - 14.0) and told["first_after_s"] == 10.0
    assert told["whole_per_second"] == 8 / 15.5 and told["caller_ms"] == pytest.approx(10)
    assert [source.path.name for source in asked] == ["a.jpg", "b.jpg"] * 4
    assert len({source.name for source in asked}) == 8


def test_a_batch_for_real(tmp_path):
    time_batch(False, 1, sorted(SAMPLES.glob("*.jpg"))[:2], 4, None, tmp_path / "told.json")
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["images_per_second"] > 0 and told["caller_ms"] > 0


def test_a_batch_that_loses_a_photo_is_no_figure(tmp_path, monkeypatch):
    lost = {"photo": "one", "error": {"code": "internal_error", "message": "it died"}}
    monkeypatch.setattr(ray_speed, "answers", lambda *asked: (Done(lost, None) for _ in range(1)))
    with pytest.raises(RuntimeError, match="one: it died"):
        time_batch(True, 2, [Path("a.jpg")], 8, None, tmp_path / "told.json")
    assert not (tmp_path / "told.json").exists()
