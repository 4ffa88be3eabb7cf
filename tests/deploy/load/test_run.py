"""The whole load test with a service that is a caller of this process; and, long, with the real one."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner

import foliopie
from deploy.load import phases
from deploy.load import run as run_module
from deploy.load.phases import Running, ServiceError, serving
from deploy.load.report import markdown, write_report
from deploy.load.run import Request, enlarged, plan_of, run
from scenes.images import photo_size

PLACES = 2


class FakeService:
    """Callers of it are answered after some milliseconds, PLACES at a time, and refused beyond that."""

    def __init__(self):
        self._places = threading.Semaphore(PLACES)
        self.pause = threading.Event()

    def ask(self, request):
        if not self._places.acquire(blocking=False):
            return 503, "2"
        self.pause.wait(0.01)
        self._places.release()
        return 200, None

    def close(self):
        pass


@pytest.fixture
def fake(monkeypatch):
    """What was begun, in order: "service" or "batch"."""
    begun = []

    @contextmanager
    def serving(plan, requests, log):
        begun.append("service")
        service = FakeService()
        running = Running(os.getpid(), lambda: service, plan, requests)
        running.watch._every = 0.02
        with running.watch:
            yield running

    def batch(plan, passed):
        begun.append("batch")
        cpu = {"parent_ms": 0.5, "workers_ms": 40.25}
        return {"seconds": 1.0, "photos": 100, "images_per_second": 100.0, "cpu": cpu}

    monkeypatch.setattr(run_module, "serving", serving)
    monkeypatch.setattr(phases, "batch", batch)
    return begun


def test_all_phases_are_measured_once_and_told(fake, tmp_path):
    request = Request(tmp_path / "out", workers=2, threads=1, callers=PLACES, seconds=1.0, rounds=1)
    document = run(request)
    assert fake == ["service", "batch"]
    told = document["phases"]
    assert list(told) == ["batch-1", "service-1", "saturation", "steady", "random", "overload"]
    rate = told["saturation"]["images_per_second"]
    assert rate > 0 and told["saturation"]["refused"] == 0
    assert document["service_to_batch"]["median"] == told["service-1"]["images_per_second"] / 100
    assert told["steady"]["requests"] == int(0.8 * rate * 0.2)
    over = told["overload"]
    assert over["overload"]["requests"] == int(2.5 * rate * 0.1) and over["then"]["requests"] == int(0.5 * rate * 0.1)
    assert over["overload"]["retry_after"] in ([], ["2"]) and over["other_statuses"] == {}
    assert told["saturation"]["memory"]["pss_mb"]["first"] > 10
    write_report(tmp_path / "report", document)
    text = (tmp_path / "report" / "README.md").read_text()
    assert "2 workers of 1 threads, 5 photos" in text and "p99 / p50 at 80 %" in text
    assert "| batch, in rounds | - | - | - | 40.25 | - | 0.50 |" in text
    assert str(tmp_path) not in (tmp_path / "report" / "results.json").read_text()
    assert markdown(document, drawn=False).count("\n| ") == text.count("\n| ") > 20

    # Nothing is measured again; another round alone is.
    assert run(request)["phases"] == json.loads(json.dumps(told)) and fake == ["service", "batch"]
    assert list(run(replace(request, rounds=2))["phases"])[:4] == ["batch-1", "service-1", "service-2", "batch-2"]
    assert fake == ["service", "batch"] * 2
    with pytest.raises(ValueError, match=r"callers was 2, is 3"):
        run(replace(request, callers=3))


def test_a_service_that_answers_nothing_ends_the_test(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(FakeService, "ask", lambda self, request: self.pause.wait(0.01) or (500, None))
    request = Request(tmp_path / "out", workers=1, seconds=0.2, rounds=1)
    with pytest.raises(ServiceError, match="answered no photo while it was saturated"):
        run(request)
    kept = json.loads((tmp_path / "out" / "phases" / "saturation.json").read_text())
    assert kept["other_statuses"].keys() == {"500"}


def test_a_service_that_ends_while_it_is_asked_ends_the_test(tmp_path):
    plan = replace(plan_of(Request(tmp_path)), seconds=0.2)
    running = Running(os.getpid(), FakeService, plan, [None], lambda: 1)
    with pytest.raises(ServiceError, match="ended with status 1 while it was asked"):
        phases.phases_of(plan, 1)["saturation"][1](running, {}, lambda seconds: None)


def test_photos_are_enlarged_once(tmp_path):
    plan = plan_of(Request(tmp_path / "out", workers=3))
    assert (plan.workers, plan.callers, plan.threads) == (3, 5, 1) and len(plan.photos) == 5
    big = enlarged(plan, tmp_path / "photos", 1.0)
    sizes = [photo_size(path) for path in big.photos]
    assert all(abs(width * height / 1e6 - 1) < 0.01 for width, height in sizes)
    times = [path.stat().st_mtime_ns for path in big.photos]
    assert enlarged(plan, tmp_path / "photos", 1.0) == big
    assert [path.stat().st_mtime_ns for path in big.photos] == times


def test_a_service_that_does_not_begin_or_end_well_is_said(tmp_path, monkeypatch):
    plan = plan_of(Request(tmp_path, workers=1))
    real = subprocess.Popen

    def instead(program):
        return lambda command, **options: real([sys.executable, "-c", program], **options)

    monkeypatch.setattr(subprocess, "Popen", instead("import sys; sys.exit('no port')"))
    with pytest.raises(ServiceError, match="did not get ready"), serving(plan, [], tmp_path / "log"):
        pass
    assert "no port" in (tmp_path / "log").read_text()
    monkeypatch.setattr(subprocess, "Popen", instead("import time; time.sleep(60)"))
    monkeypatch.setattr(phases, "_address", lambda process, log, workers: ("127.0.0.1", 1))
    with pytest.raises(ServiceError, match="ended with status -15"), serving(plan, [], tmp_path / "log"):
        pass


def test_no_photos_is_said_before_anything_is_begun(tmp_path):
    (tmp_path / "photos").mkdir()
    done = CliRunner().invoke(foliopie.main, ["deploy", "load", "--out", str(tmp_path / "out"), "--photos",
                                              str(tmp_path / "photos")])
    assert done.exit_code == 1 and "has no photos" in done.output and not (tmp_path / "out").exists()


@pytest.mark.long
def test_the_real_service_is_loaded_and_ends_well(tmp_path):
    done = CliRunner().invoke(foliopie.main, ["deploy", "load", "--out", str(tmp_path / "out"), "--seconds", "60",
                                              "--rounds", "1", "--workers", "1", "--results", str(tmp_path / "copy")])
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "copy" / "results.json").read_text())
    told = document["phases"]
    assert told["batch-1"]["photos"] > 0 and told["batch-1"]["cpu"]["workers_ms"] > 5
    assert not any(phase.get("other_statuses") for phase in told.values())
    assert told["saturation"]["answered"] > 10 and told["saturation"]["refused"] == 0
    assert told["saturation"]["samples"]["processes"][-1] == 2
    assert told["saturation"]["cpu"]["workers_ms"] > told["saturation"]["cpu"]["service_ms"] > 0
    assert "0 requests were cut off" in (tmp_path / "out" / "service.log").read_text()
    assert "photos a second, saturation" in done.output and (tmp_path / "copy" / "README.md").exists()
