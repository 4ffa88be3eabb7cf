"""Worker processes behind an event loop: so many at work, so many things waiting, a time limit on each.

A process that dies over a thing is replaced, and the thing given to another one once more; one that takes too long over
it is ended and replaced. All is called in one event loop, what blocks runs in threads.
"""

import asyncio
import contextlib
import logging
import pickle
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from deploy.batch import TRIES, NoAnswer, Worker

logger = logging.getLogger(__name__)

LOAD_SECONDS = 120.0
# After a process that did not get ready; doubled each time, up to the last.
PAUSES_SECONDS = 1.0, 30.0
READY = pickle.dumps(None)


class QueueFull(Exception):
    """No place to wait in."""


class WaitedTooLong(Exception):
    """No worker took the thing up within the time limit."""


class TookTooLong(Exception):
    """A worker took the thing up, and had no answer within the time limit."""


@dataclass(eq=False)
class _Place:
    """A thing, pickled, that waits for its answer; since when it waits, how long it did, and what ends that."""

    # Not shown: whoever puts a place into words, a library's exception say, would write megabytes of photo.
    message: bytes = field(repr=False)
    answer: asyncio.Future
    since: float = 0.0
    waited: float = 0.0
    tries: int = 0
    clock: asyncio.TimerHandle | None = None


class WorkerPool:
    """Answers things in `workers` processes.

    make: as deploy.batch.in_processes has it; what it gives is called with None first, to get ready, then with things.
    threads: of each process. queue: how many things may wait while all are busy. timeout_s: how long a thing may wait,
    and may take. The attribute `told` is called with "died", "timed_out" or "not_loaded" when a process is replaced,
    `alive` is how many are ready.
    """

    def __init__(self, make, workers, threads, queue, timeout_s):
        self._make, self._workers, self._threads = make, workers, threads
        self._queue, self._timeout = queue, timeout_s
        self.told = lambda why: None
        self._waiting: deque[_Place] = deque()
        self._idle = 0
        self._changed = asyncio.Condition()
        self._tasks = []
        # One thread a process, to wait for its answer.
        self._threads_that_wait = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self.alive = 0

    @property
    def is_full(self):
        """Whether a thing that came now would be refused."""
        return len(self._waiting) >= self._queue + self._idle

    @property
    def waiting(self):
        """How many things wait for a worker."""
        return len(self._waiting)

    async def start(self):
        """Starts the processes, and does not wait until they are ready; `alive` counts those that are."""
        self._tasks = [asyncio.create_task(self._keep_a_worker()) for _ in range(self._workers)]

    async def end(self):
        """Ends the processes; whoever still asks is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for place in list(self._waiting):
            place.answer.cancel()
        self._threads_that_wait.shutdown()

    async def ask(self, thing):
        """(answer to a thing, seconds that it waited for a worker). Raises QueueFull, WaitedTooLong, TookTooLong, and
        NoAnswer where processes died over it. A call that is cancelled gives its place in the queue up."""
        if self.is_full:
            raise QueueFull
        message = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
        place = _Place(message, asyncio.get_running_loop().create_future())
        try:
            await self._let_wait(place, self._waiting.append)
            return await place.answer, place.waited
        finally:
            self._leave(place)

    async def _let_wait(self, place, queue_up):
        loop = asyncio.get_running_loop()
        place.since = loop.time()
        place.clock = loop.call_later(self._timeout, self._give_up, place)
        queue_up(place)
        async with self._changed:
            self._changed.notify()

    def _give_up(self, place):
        self._leave(place)
        if not place.answer.done():
            place.answer.set_exception(WaitedTooLong())

    def _leave(self, place):
        place.clock.cancel()
        if place in self._waiting:  # else a worker has it
            self._waiting.remove(place)

    async def _next(self, process):
        """The next thing that waits, for a process; None where that dies before there is one."""
        async with self._changed:
            self._idle += 1
            try:
                with process.watched(self._wake):
                    await self._changed.wait_for(lambda: self._waiting or not process.is_alive())
            finally:
                self._idle -= 1
            if not process.is_alive():
                self._changed.notify()  # whom it was told in place of
                return None
            place = self._waiting.popleft()
        place.clock.cancel()
        place.waited += asyncio.get_running_loop().time() - place.since
        place.tries += 1
        return place

    async def _wake(self):
        async with self._changed:
            self._changed.notify_all()

    async def _keep_a_worker(self):
        """Has a process work, and another one whenever it is gone."""
        pause, longest = PAUSES_SECONDS
        while True:
            try:
                with contextlib.closing(_Process(self._make, self._threads, self._threads_that_wait)) as process:
                    await process.answer(READY, LOAD_SECONDS)
                    pause = PAUSES_SECONDS[0]
                    self.told(await self._work(process))
            except (OSError, NoAnswer, TookTooLong) as error:
                self.told("not_loaded")
                logger.error("a worker did not get ready: %s; another one in %g s", error or "too slow", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)

    async def _work(self, process):
        """Has a process answer one thing after another; returns why there is no process any more."""
        self.alive += 1
        try:
            while True:
                place = await self._next(process)
                if place is None:
                    return "died"
                try:
                    answer = await process.answer(place.message, self._timeout)
                except TookTooLong as error:
                    _settle(place.answer, error)
                    return "timed_out"
                except NoAnswer as error:
                    await self._once_more(place, error)
                    return "died"
                except asyncio.CancelledError:
                    place.answer.cancel()
                    raise
                if not place.answer.done():
                    place.answer.set_result(answer)
        finally:
            self.alive -= 1

    async def _once_more(self, place, error):
        """To another process with a thing, before all others, unless it has had its tries."""
        if place.tries >= TRIES or place.answer.done():
            _settle(place.answer, error)
        else:
            await self._let_wait(place, self._waiting.appendleft)


def _settle(answer, error):
    if not answer.done():  # nobody waits for it any more
        answer.set_exception(error)


class _Process:
    """A deploy.batch.Worker, asked without blocking."""

    def __init__(self, make, threads, executor):
        self._worker, self._executor = Worker(make, threads), executor
        self._is_gone = False

    def close(self):
        self._worker.end()

    def is_alive(self):
        return not self._is_gone and self._worker.is_alive()

    @contextlib.contextmanager
    def watched(self, wake):
        """Within, while nothing is asked: has a coroutine run when the process dies."""
        loop, tasks = asyncio.get_running_loop(), []

        def gone():
            loop.remove_reader(self._worker)
            self._is_gone = True
            tasks.append(loop.create_task(wake()))

        loop.add_reader(self._worker, gone)
        try:
            yield
        finally:
            loop.remove_reader(self._worker)

    async def answer(self, message, seconds):
        """The answer to a pickled thing. Raises NoAnswer, and TookTooLong after so many seconds; after either there is
        no process any more."""
        asked = asyncio.get_running_loop().run_in_executor(self._executor, self._worker.ask, message)
        try:
            await asyncio.wait({asked}, timeout=seconds)
            if asked.done():
                return asked.result()
            raise TookTooLong
        finally:
            if not asked.done():
                self._worker.end()
                # Its thread is free once it has seen that.
                await asyncio.gather(asked, return_exceptions=True)
