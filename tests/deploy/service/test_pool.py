"""Worker processes behind an event loop: places, time limits, processes that die, clients that go."""

import asyncio
import importlib
import os
import signal

import pytest

from deploy.batch import NoAnswer
from deploy.service import pool as pool_module
from deploy.service.pool import QueueFull, TookTooLong, WaitedTooLong, WorkerPool, _Place

# What the processes do; a module of its own, so that they load nothing else.
WORK = '''
import os, pathlib, signal, time

def make():
    if pathlib.Path(FOLDER, "broken").exists():
        raise SystemExit(3)
    return answer

def answer(thing):
    if thing is None:
        return "ready"
    what, value = thing
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "die once" and not pathlib.Path(FOLDER, value).exists():
        pathlib.Path(FOLDER, value).touch()
        os._exit(1)
    if what == "wait for":
        pathlib.Path(FOLDER, value + " begun").touch()
        # Not for ever: it must not outlive a test that is killed.
        end = time.monotonic() + 120
        while not pathlib.Path(FOLDER, value).exists() and time.monotonic() < end:
            time.sleep(0.01)
    return os.getpid(), value
'''


@pytest.fixture
def make_pool(tmp_path, monkeypatch):
    """A function (workers, queue, timeout_s) that gives a WorkerPool of processes that do WORK, and why processes of it
    were replaced."""
    monkeypatch.setattr(pool_module, "PAUSES_SECONDS", (0.05, 0.05))
    name = f"work_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(f"FOLDER = {str(tmp_path)!r}\n{WORK}")
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(workers=1, queue=4, timeout_s=60.0):
        pool, told = WorkerPool(importlib.import_module(name).make, workers, 1, queue, timeout_s), []
        pool.told = told.append
        return pool, told

    return make


def run(pool, test):
    """What a coroutine gives while a pool works."""
    async def whole():
        await pool.start()
        try:
            return await asyncio.wait_for(test(), 120)
        finally:
            await pool.end()

    return asyncio.run(whole())


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


def test_processes_answer_what_they_are_asked(make_pool):
    pool, told = make_pool(workers=2)

    async def test():
        assert pool.alive == 0
        # Before anyone is ready they wait.
        answers = await asyncio.gather(*[pool.ask(("plain", number)) for number in range(4)])
        assert 1 <= pool.alive <= 2
        return [answer for answer, waited in answers if waited >= 0]

    answers = run(pool, test)
    assert [value for _, value in answers] == [0, 1, 2, 3] and os.getpid() not in {process for process, _ in answers}
    assert pool.alive == 0 and told == []
    for process, _ in answers:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_what_is_asked_is_never_put_into_words(make_pool, monkeypatch):
    """Writing a photo out as text took a quarter of the time that the service spent beside measuring."""
    written = []
    monkeypatch.setattr(_Place, "__repr__", lambda place: written.append(place) or "place")
    pool, _ = make_pool()
    assert run(pool, lambda: pool.ask(("plain", b"photo" * 1000)))[0][1] == b"photo" * 1000
    assert not written
    monkeypatch.undo()
    assert "photo" not in repr(_Place(b"photo", None))


def test_a_thing_over_which_a_process_dies_is_tried_once_more(make_pool):
    pool, told = make_pool()

    async def test():
        answer = await pool.ask(("die once", "mark"))
        with pytest.raises(NoAnswer, match="was ended by signal 9"):
            await pool.ask(("die", 0))
        return answer, await pool.ask(("plain", 5))

    ((_, first), waited), ((_, last), _) = run(pool, test)
    assert (first, last) == ("mark", 5) and told == ["died"] * 3 and waited > 0


def test_what_takes_too_long_is_ended_and_the_next_is_answered(make_pool):
    pool, told = make_pool(timeout_s=2.0)

    async def test():
        await until(lambda: pool.alive)
        with pytest.raises(TookTooLong):
            await pool.ask(("wait for", "nothing"))
        await until(lambda: pool.alive)
        return await pool.ask(("plain", 1))

    assert run(pool, test)[0][1] == 1 and told == ["timed_out"]


def test_processes_that_are_killed_over_nothing_are_replaced_at_once_and_take_nothing_with_them(make_pool):
    pool, told = make_pool(workers=2)

    async def test():
        await until(lambda: pool.alive == 2)
        numbers = set()
        while len(numbers) < 2:  # one that waits longest is asked first
            numbers |= {process for (process, _), _ in [await pool.ask(("plain", 0))]}
        for number in numbers:
            os.kill(number, signal.SIGKILL)
            os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
        # The event loop has seen nothing of it yet.
        answer = await pool.ask(("plain", 1))
        assert told == ["died", "died"]
        await until(lambda: pool.alive == 2)
        os.kill(answer[0][0], signal.SIGKILL)
        await until(lambda: len(told) == 3)
        await until(lambda: pool.alive == 2)
        return answer

    (_, value), _ = run(pool, test)
    assert value == 1 and told == ["died"] * 3


def test_so_many_wait_and_no_more_and_who_goes_frees_a_place(make_pool, tmp_path):
    pool, told = make_pool(queue=2)

    async def test():
        await until(lambda: pool.alive)
        first = asyncio.ensure_future(pool.ask(("wait for", "end")))
        await until((tmp_path / "end begun").exists)
        waiting = [asyncio.ensure_future(pool.ask(("plain", number))) for number in (1, 2)]
        await until(lambda: pool.waiting == 2)
        assert pool.is_full
        with pytest.raises(QueueFull):
            await pool.ask(("plain", 3))
        waiting[0].cancel()
        await until(lambda: pool.waiting == 1)
        fourth = asyncio.ensure_future(pool.ask(("plain", 4)))
        await until(lambda: pool.waiting == 2)
        (tmp_path / "end").touch()
        return [answer[1] for answer, _ in await asyncio.gather(first, waiting[1], fourth)]

    assert run(pool, test) == ["end", 2, 4] and told == []


def test_without_a_queue_an_idle_worker_takes_one_thing(make_pool, tmp_path):
    pool, _ = make_pool(queue=0)

    async def test():
        assert pool.is_full  # nobody is ready
        await until(lambda: not pool.is_full)
        first = asyncio.ensure_future(pool.ask(("wait for", "end")))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await pool.ask(("plain", 3))
        (tmp_path / "end").touch()
        return await first

    assert run(pool, test)[0][1] == "end"


def test_what_waits_too_long_for_a_worker_is_refused(make_pool, tmp_path, monkeypatch):
    pool, told = make_pool(timeout_s=0.2)
    (tmp_path / "broken").touch()

    async def test():
        with pytest.raises(WaitedTooLong):
            await pool.ask(("plain", 1))
        assert pool.waiting == 0
        await until(lambda: len(told) >= 2)  # it goes on trying
        (tmp_path / "broken").unlink()
        await until(lambda: pool.alive)

    run(pool, test)
    assert set(told) == {"not_loaded"}


def test_ending_cancels_whoever_still_asks(make_pool, tmp_path):
    pool, _ = make_pool()
    asked = []

    async def test():
        await until(lambda: pool.alive)
        asked.extend(asyncio.ensure_future(pool.ask(thing)) for thing in (("wait for", "nothing"), ("plain", 1)))
        await until((tmp_path / "nothing begun").exists)

    run(pool, test)
    assert [task.cancelled() for task in asked] == [True, True]
