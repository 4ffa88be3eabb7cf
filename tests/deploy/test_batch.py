"""Things side by side: order, how many at a time, how many wait, and what ends it."""

import contextlib
import importlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from deploy.batch import in_order, in_processes
from scenes.processes import cores


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_things(workers):
    first_may_end = threading.Event()

    def late(number):
        if workers > 1 and number == 0:
            assert first_may_end.wait(60)
        if number == 2:
            first_may_end.set()
        return 10 * number

    assert list(in_order(late, range(20), workers)) == [10 * number for number in range(20)]


def test_so_many_at_a_time_and_no_more():
    together = threading.Barrier(3)
    at_work, most = set(), []

    def meet(number):
        at_work.add(number)
        most.append(len(at_work))
        together.wait(60)  # passes only when three are there at once
        at_work.discard(number)

    list(in_order(meet, range(12), 3))
    assert 3 in most and max(most) <= 3


@pytest.mark.parametrize("workers", [1, 2])
def test_of_endless_things_few_are_taken(workers):
    taken = itertools.count()
    answers = in_order(lambda number: number, (next(taken) for _ in itertools.count()), workers)
    assert [next(answers) for _ in range(5)] == list(range(5))
    assert next(taken) <= 5 + 2 * workers
    answers.close()


def test_what_a_thing_raises_comes_in_its_place_and_the_rest_is_not_begun():
    begun = []

    def fails_at_3(number):
        begun.append(number)
        if number == 3:
            raise KeyboardInterrupt
        return number

    answers = in_order(fails_at_3, range(1000), 2)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyboardInterrupt):
        next(answers)
    assert len(begun) <= 8
    assert list(answers) == []


def test_closing_does_not_wait_for_what_is_under_way():
    may_end, begun = threading.Event(), []

    def slow(number):
        begun.append(number)
        if number:
            may_end.wait(60)
        return number

    answers = in_order(slow, range(100), 2)
    assert next(answers) == 0
    answers.close()  # would never come back if it waited
    may_end.set()
    assert max(begun) <= 4


def test_fewer_than_one_worker_is_refused():
    for workers in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"workers is {workers}; it must be a whole number, 1 or more"):
            next(in_order(str, [1], workers))
    assert cores() >= 1


def maker(step):
    """What a process works with: a number plus a step; it prints, and dies over some numbers."""

    def plus(number):
        print("noise", number)
        if number == 3:
            os._exit(7)
        if number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 7 and not (mark := Path(__file__).with_name("died once")).exists():
            mark.touch()
            os._exit(7)
        if number == 100:
            time.sleep(600)
        return number + step, os.getpid()

    return plus


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """A function (things) -> generator of (answer, process) from two processes that add 10, or (how it died, None)."""
    # A process finds what it works with where this one would: here as a module of its own.
    shutil.copyfile(__file__, tmp_path / "batch_of_a_test.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    make = partial(importlib.import_module("batch_of_a_test").maker, 10)
    return lambda things: in_processes(make, things, 2, lambda number, how: (f"{number}: {how}", None))


def test_a_process_that_dies_takes_one_thing_with_it(processes):
    answers = [answer for answer, _ in processes([*range(8), lambda: 8, 9])]  # over 7 one dies, and another does not
    assert answers.pop() == 19 and "cannot be sent to another process" in answers.pop()
    dead = "the process that worked on it"
    assert answers == [10, 11, 12, f"3: {dead} ended with status 7", 14, f"5: {dead} was ended by signal 9", 16, 17]


def test_processes_are_others_and_are_ended_when_nobody_asks(processes):
    answers = processes([0, 1, 100, 100, 100])
    found = [next(answers) for _ in range(2)]
    assert [answer for answer, _ in found] == [10, 11] and os.getpid() not in {process for _, process in found}
    answers.close()  # two are at work for ten minutes
    for _, process in found:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def wait_for_death(number):
    """Until a process of this one has ended; whoever started it is still told of it."""
    with contextlib.suppress(ChildProcessError):  # who has been told
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)


def test_processes_that_are_killed_over_nothing_take_nothing_with_them(processes):
    answers = processes(range(10, 20))
    found = [next(answers) for _ in range(4)]
    # In between nobody asks, and at most four more answers are made.
    time.sleep(0.2)
    for process in {process for _, process in found}:
        os.kill(process, signal.SIGKILL)
        wait_for_death(process)
    found += answers
    assert [answer for answer, _ in found] == list(range(20, 30))


PARENT = """
import pickle, sys
from functools import partial
from deploy.batch import Worker
hang = "lambda mark: (open(mark, 'w').close(), __import__('ctypes').PyDLL(None).sleep(600))"
worker = Worker(partial(eval, hang), 1)
print(worker._process.pid, flush=True)
worker.ask(pickle.dumps(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does elsewhere is not known")
def test_a_process_that_hangs_ends_with_the_one_that_started_it(tmp_path):
    """It holds Python's lock for ten minutes: nothing in it can see that its parent is gone."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "hangs")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as parent:
        number = int(parent.stdout.readline())
        wait_until((tmp_path / "hangs").exists)
        parent.kill()
        try:
            wait_until(lambda: not is_running(number))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


def wait_until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
