"""`foliopie serve` as a process with one worker, asked by schemathesis what its openapi.json promises.

    OUT/http/service.log, schemathesis.log    what both said
    OUT/http/report.json                      schemathesis's report
    OUT/http/runs.json                        one entry a run: what `run` returns
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from scenes.files import write_whole

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120
REQUEST_SECONDS = 60  # what the service promises; schemathesis's own limit is 10, which a busy machine breaks
# What a request that is right by its schema may be answered with: bytes are any bytes there, and a sheet's photo here.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = [200, 400, 413, 415, 422]
"""


def run(folder, seconds):
    """Ask for so many seconds, something else than in earlier runs: dict for JSON. folder: OUT."""
    folder = Path(folder) / "http"
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "runs.json"
    before = json.loads(results.read_text()) if results.exists() else []
    (folder / "schemathesis.toml").write_text(CONFIG)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.fuzz.http_hooks"}
    began = time.monotonic()
    with _service(folder / "service.log") as (process, url), open(folder / "schemathesis.log", "wb") as log:
        st = Path(sys.executable).with_name("st")
        subprocess.run([st, "--no-color", "run", f"{url}/openapi.json", "--checks", "all", "--max-time", str(seconds),
                        "--continue-on-failure", "--request-timeout", str(REQUEST_SECONDS),
                        "--seed", str(len(before) + 1),
                        "--max-response-time", str(REQUEST_SECONDS),
                        "--report", "json", "--report-json-path", folder / "report.json",
                        "--generation-database", "none", "--workers", "1"],
                       cwd=folder, env=environment, stdout=log, stderr=log, check=False)  # fmt: skip
        alive = process.poll() is None
        statuses = _statuses(url)
    said = (folder / "schemathesis.log").read_text(errors="replace")
    result = {"target": "http", "date": date.today().isoformat(), "seconds": round(time.monotonic() - began, 1),
              "cases": int(re.search(r"(\d+) generated", said)[1]),
              "failures": sorted(set(re.findall(r"^- (ST\d+ .+)$", said, re.MULTILINE))), "statuses": statuses,
              "service_alive": alive, "service_status": process.returncode,
              "errors_logged": (folder / "service.log").read_text().count(" ERROR ")}
    write_whole(results, (json.dumps([*before, result], indent=1) + "\n").encode())
    return result


def is_broken(result):
    """Whether a run found something."""
    return bool(result["failures"] or result["errors_logged"] or not result["service_alive"]
                or result["service_status"])


@contextmanager
def _service(log):
    """(process, address) of a service that is ready; ended as an orchestrator ends it."""
    with open(log, "w") as stream:
        process = subprocess.Popen([sys.executable, "-m", "foliopie", "serve", "--port", "0", "--workers", "1",
                                    "--threads", "1"], cwd=ROOT, stderr=stream,
                                   env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        end, url = time.monotonic() + READY_SECONDS, None
        while not (url and _is_ready(url)):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the service did not get ready:\n{Path(log).read_text()[-2000:]}")
            found = re.search(r"http://[0-9.:]+", Path(log).read_text())
            url = found and found.group()
            time.sleep(0.2)
        yield process, url
        process.send_signal(signal.SIGTERM)
        process.wait(READY_SECONDS)
    finally:
        process.kill()
        process.wait()


def _is_ready(url):
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError):
        return False


def _statuses(url):
    """{"status code": photos so answered} by the service's own count."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    counted = re.findall(r'^foliopie_requests_total\{code="(\w+)",status="(\d+)"\} ([\d.e+]+)', text, re.MULTILINE)
    return {f"{status} {code}": int(float(count)) for code, status, count in sorted(counted, key=lambda one: one[1])}
