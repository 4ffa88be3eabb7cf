"""The tasks are functions of the standard library: a fresh interpreter cannot import what is in a test."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.processes import Task, run_tasks

ROOT = Path(__file__).resolve().parents[2]


def test_one_that_fails_stops_those_that_need_it_and_no_other(tmp_path):
    told = []
    faults = run_tasks([
        Task("missing", os.rmdir, (tmp_path / "none",)),
        Task("needs it", os.mkdir, (tmp_path / "a",), after=("missing",)),
        Task("needs that", os.mkdir, (tmp_path / "b",), after=("needs it",)),
        Task("leaves", os._exit, (3,)),
        Task("crashes", os.abort),
        Task("alone", os.mkdir, (tmp_path / "c",)),
        Task("after/alone", os.mkdir, (tmp_path / "c" / "d",), after=("alone",)),
    ], 2, tmp_path / "logs", told.append)  # fmt: skip
    assert (tmp_path / "c" / "d").is_dir()
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()
    assert set(faults) == {"missing", "needs it", "needs that", "leaves", "crashes"}
    assert faults["missing"].startswith("FileNotFoundError: ") and "\n" not in faults["missing"]
    assert faults["needs it"] == "not begun: missing failed"
    assert faults["needs that"] == "not begun: needs it failed"
    assert faults["leaves"] == "its process ended with status 3"
    assert faults["crashes"] == f"its process was ended by signal {signal.SIGABRT.value}"
    assert sorted(line.split(":")[1].strip() for line in told) == ["crashes", "leaves", "missing"]
    assert "Traceback" in (tmp_path / "logs" / "missing.log").read_text()
    assert (tmp_path / "logs" / "after-alone.log").exists()


def test_progress_counts_weights_and_shares(tmp_path):
    told = []
    run_tasks([Task("short", time.sleep, (0.01,), weight=3.0),
               Task("long", time.sleep, (1.5,), after=("short",), weight=4.0, share=lambda: 0.5)],
              1, tmp_path, progress=lambda *told_now: told.append(told_now))
    assert (5.0, ["long"]) in told
    assert told[-1] == (7.0, [])


def test_a_task_has_the_threads_it_asks_for_and_this_process_keeps_its_own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    # The program fails unless the variable is what it should be.
    program = "import os, sys; sys.exit(os.environ['OMP_NUM_THREADS'] != sys.argv[1])"
    tasks = [Task(f"{threads} threads", subprocess.check_call, ([sys.executable, "-c", program, str(threads)],),
                  threads=threads) for threads in (1, 3)]  # fmt: skip
    assert tasks[0].threads == Task("any", os.getpid).threads and run_tasks(tasks, 1, tmp_path) == {}
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize("tasks", [
    [Task("a", os.getpid, after=("b",)), Task("b", os.getpid)],
    [Task("a", os.getpid), Task("a", os.getpid)],
])  # fmt: skip
def test_an_order_that_cannot_be_is_refused(tasks, tmp_path):
    with pytest.raises(ValueError, match="before it|two tasks a"):
        run_tasks(tasks, 1, tmp_path)


# Each task writes the number of its process, then sleeps in it.
SLEEPERS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests behind it has it ignored
from deploy.processes import Task, run_tasks
code = "import os, time; open({!r}, 'w').write(str(os.getpid())); time.sleep(120)"
run_tasks([Task(name, exec, (code.format(os.path.join(sys.argv[1], name)),)) for name in "ab"], 2, sys.argv[1])
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_no_task_outlives_it(ending, tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", SLEEPERS, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        files = [tmp_path / name for name in "ab"]
        wait_for(lambda: all(file.exists() and file.read_text() for file in files))
        children = [int(file.read_text()) for file in files]
        assert all(is_running(child) for child in children)
        parent.send_signal(ending)
        assert parent.wait(20) != 0
        wait_for(lambda: not any(is_running(child) for child in children))
    finally:
        parent.kill()
        parent.wait()


def wait_for(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_running(number):
    try:
        # A process that has ended stays in the table until somebody asks for its status.
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
