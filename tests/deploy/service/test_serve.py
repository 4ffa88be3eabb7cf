"""`foliopie serve` as a program: real networks, real processes, signals, and faults while a photo is measured."""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from click.testing import CliRunner

import foliopie
from deploy.bundle import DEFAULT_FOLDER
from deploy.service.schema import Measured

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "deploy" / "samples" / "bare_foot.jpg"


@pytest.fixture
def start():
    """A function (options) that starts the program with one worker and gives it when it is ready: process, url,
    lines of its log, and a client."""
    started = []

    def begin(*options):
        command = [sys.executable, "-m", "foliopie", "serve", "--port", "0", "--workers", "1", *options]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
        # The first line says where.
        first = process.stderr.readline()
        reader.start()
        url = re.search(r"http://[0-9.:]+", first).group()
        client = httpx.Client(base_url=url, timeout=120)
        service = SimpleNamespace(process=process, url=url, lines=lines, client=client, reader=reader)
        started.append(service)
        wait_until(lambda: client.get("/readyz").status_code == 200)
        return service

    yield begin
    for service in started:
        service.client.close()
        service.process.kill()
        service.process.wait()
        service.reader.join()


def wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def send(service, **options):
    with httpx.Client(base_url=service.url, timeout=120) as client:
        return client.post("/v1/measure", files={"photo": (SAMPLE.name, SAMPLE.read_bytes())}, params=options)


def worker_of(service):
    """The number of its worker process."""
    number = service.process.pid
    children = "".join(path.read_text() for path in Path(f"/proc/{number}/task").glob("*/children"))
    (worker,) = map(int, children.split())
    return worker


def gauge(service, name):
    return float(re.search(rf"^foliopie_{name} (.+)$", service.client.get("/metrics").text, re.MULTILINE).group(1))


@pytest.mark.slow
def test_the_answer_is_that_of_measure(start):
    service = start()
    served = send(service, overlay=True).json()
    Measured.model_validate(served)
    assert served.pop("overlay").startswith("data:image/jpeg;base64,/9j/")
    command = [sys.executable, "-m", "foliopie", "measure", "-", "--json", "-"]
    done = subprocess.run(command, cwd=ROOT, stdin=SAMPLE.open("rb"), capture_output=True, timeout=120)
    (wanted,) = json.loads(done.stdout)
    assert served.pop("milliseconds").keys() == wanted.pop("milliseconds").keys()
    assert served | {"photo": "-"} == wanted and served["photo"] == "bare_foot.jpg"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the worker in /proc")
def test_under_load_faults_and_a_signal_nothing_that_was_taken_is_lost(start, tmp_path):
    """One worker is made to stand still: one photo is under way, one waits, the next is refused; the worker is killed,
    and another one answers, although the bundle is gone; it stands still again while the service is told to end."""
    shutil.copytree(DEFAULT_FOLDER, tmp_path / "bundle")
    service = start("--queue", "1", "--bundle", tmp_path / "bundle")
    shutil.rmtree(tmp_path / "bundle")
    worker = worker_of(service)
    os.kill(worker, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        first = threads.submit(send, service)
        wait_until(lambda: gauge(service, "in_flight") == 1 and gauge(service, "queue_length") == 0)
        second = threads.submit(send, service)
        wait_until(lambda: gauge(service, "queue_length") == 1)
        refused = send(service)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        os.kill(worker, signal.SIGKILL)
        assert [answer.result().status_code for answer in (first, second)] == [200, 200]

        worker = worker_of(service)
        os.kill(worker, signal.SIGSTOP)
        last = threads.submit(send, service)
        wait_until(lambda: gauge(service, "in_flight") == 1)
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(service))
        assert service.process.poll() is None
        os.kill(worker, signal.SIGCONT)
        assert last.result().json()["feet"]
    assert service.process.wait(60) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    service.reader.join()
    log = "".join(service.lines)
    assert "0 requests were cut off" in log and log.count("code=measured") == 3 and SAMPLE.name not in log


def is_listening(service):
    try:
        socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2]))).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the worker in /proc")
def test_a_photo_that_takes_too_long_is_given_up_and_so_is_what_grace_does_not_wait_for(start):
    service = start("--timeout", "3", "--grace", "1")
    os.kill(worker_of(service), signal.SIGSTOP)
    late = send(service)
    assert (late.status_code, late.json()["error"]["code"]) == (504, "timed_out")
    wait_until(lambda: service.client.get("/readyz").status_code == 200)
    assert send(service).status_code == 200

    os.kill(worker_of(service), signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        lost = threads.submit(send, service)
        wait_until(lambda: gauge(service, "in_flight") == 1)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 1
        answer = lost.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    service.reader.join()
    assert "1 requests were cut off" in "".join(service.lines)


def test_a_bundle_that_is_none_is_said_before_anything_is_served(tmp_path):
    done = CliRunner().invoke(foliopie.main, ["serve", "--bundle", str(tmp_path / "nowhere")])
    assert done.exit_code == 1 and "bundle_invalid" in done.output


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(foliopie.main, ["serve", "--port", str(port)])
    assert done.exit_code == 1 and f"cannot listen at 127.0.0.1, port {port}" in done.output


@pytest.mark.parametrize("wrong", [["--workers", "0"], ["--port", "70000"], ["--timeout", "0"], ["--queue", "-1"],
                                   ["--max-megapixels", "201"], ["--upload-timeout", "-1"]])  # fmt: skip
def test_limits_that_make_no_sense_are_wrong_usage(wrong):
    assert CliRunner().invoke(foliopie.main, ["serve", *wrong]).exit_code == 2
