"""Many things side by side, in threads or in processes: answers in order, few under way at a time.

Measuring one photo holds Python's lock for four tenths of its time, so that threads get no more than two and a half
cores' work done, however many there are; processes have a lock each. They are started as programs of their own, not by
multiprocessing, which would run the caller's script once more in each and wants it written for that.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from deploy.processes import THREADS
from scenes.processes import cores, end_with_parent

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

# What a worker runs: first it learns where the caller finds its modules.
PROGRAM = "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); from deploy.batch import answer; answer()"
TRIES = 2  # of a thing over which a process died: it may have been killed for another reason


def in_order(function: Callable[[Thing], Answer], things: Iterable[Thing], workers: int) -> Iterator[Answer]:
    """Yields function(thing) of each, in the order of the things, `workers` at a time.

    The things may be endless: one is taken when a worker is about to be free, and at most 2 * workers answers wait for
    the slowest of them. What the function raises is raised in the place of its answer. Whoever stops asking (by an
    exception, KeyboardInterrupt among them, or by closing the generator) waits for nothing: what was not begun never
    is. Raises ValueError for fewer than 1 worker.
    """
    check_workers(workers)
    if workers == 1:
        yield from map(function, things)
        return
    things = iter(things)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    try:
        waiting = deque(pool.submit(function, thing) for thing in islice(things, 2 * workers))
        while waiting:
            answer = waiting.popleft().result()
            waiting.extend(pool.submit(function, thing) for thing in islice(things, 1))
            yield answer
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_processes(
    make: Callable[[], Callable[[Thing], Answer]], things: Iterable[Thing], workers: int,
    lost: Callable[[Thing, str], Answer],
) -> Iterator[Answer]:
    """As `in_order`, each worker a process that calls make() once and what that gives for every thing.

    make: importable, or a functools.partial of what is; it, things and answers can be pickled. A thing whose process
    died over it is given to another one, once. lost: gives the answer on one over which that died, too, or that cannot
    be pickled, out of the thing and one line on why; another process goes on with the rest.
    Whoever stops asking ends the processes at once, and they end when this process does.
    """
    pool = _Pool(make, max(1, cores() // workers))

    def ask(thing):
        try:
            return pool(thing)
        except NoAnswer as error:
            return lost(thing, str(error))

    try:
        yield from in_order(ask, things, workers)
    finally:
        pool.end()


class NoAnswer(Exception):
    """A thing on which no process answers; its text is one line on why."""


class _Pool:
    """Called in several threads, has a process answer for each; as many are started as are asked at once."""

    def __init__(self, make, threads):
        self._make, self._threads = make, threads
        self._idle, self._all, self._ended = [], [], False

    def __call__(self, thing):
        try:
            message = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # pickle raises nearly anything
            raise NoAnswer(f"it cannot be sent to another process ({type(error).__name__}: {error})") from error
        for tries_left in reversed(range(TRIES)):
            worker = self._worker()
            try:
                answer = worker.ask(message)
            except NoAnswer:
                self._all.remove(worker)
                if self._ended or not tries_left:
                    raise
                continue
            self._idle.append(worker)
            return answer

    def _worker(self):
        with contextlib.suppress(IndexError):
            while True:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                # It died over nothing: no thing is the worse for it.
                worker.end()
                self._all.remove(worker)
        worker = Worker(self._make, self._threads)
        self._all.append(worker)
        if self._ended:
            worker.end()
        return worker

    def end(self):
        self._ended = True
        for worker in list(self._all):
            worker.end()


class Worker:
    """A process that answers one thing after another: it calls make() once, as `in_processes` has it, and what that
    gives for every thing. threads: of each of its libraries. `end` may be called while another thread asks."""

    def __init__(self, make, threads):
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        # Nothing is ever written: it tells when this process is gone.
        theirs, ours = os.pipe()
        self._life = open(ours, "wb", buffering=0)
        try:
            # A group of its own: Ctrl-C is for the process that started it, which ends it.
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(theirs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env=environment, process_group=0, pass_fds=(theirs,))
        except BaseException:
            self._life.close()
            raise
        finally:
            os.close(theirs)
        self._first = pickle.dumps(sys.path) + pickle.dumps(make)

    def ask(self, message):
        """The answer to a pickled thing. Raises NoAnswer, after which there is no process any more."""
        try:
            self._process.stdin.write(self._first + message)
            self._process.stdin.flush()
            self._first = b""
            return pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
            # It may be ending by itself: its own status says more than that it was killed.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self.end()
            code = self._process.returncode
            how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
            raise NoAnswer(f"the process that worked on it {how}") from error

    def end(self):
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):  # what was still to be sent cannot be
            self._process.stdin.close()
        self._life.close()

    def is_alive(self):
        """Whether the process is there."""
        return self._process.poll() is None

    def fileno(self):
        """Of what it answers on: readable while nothing is asked, it is gone."""
        return self._process.stdout.fileno()


def answer():
    """What a worker does: reads what makes its function, then things, from standard input; writes an answer to each."""
    end_with_parent(int(sys.argv[1]))
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed must not come between the answers
    function = pickle.load(source)()
    while True:
        try:
            thing = pickle.load(source)
        except EOFError:
            return
        pickle.dump(function(thing), target, pickle.HIGHEST_PROTOCOL)
        target.flush()


def check_workers(workers: int) -> None:
    """Raises ValueError unless `workers` is a whole number, 1 or more."""
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers is {workers!r}; it must be a whole number, 1 or more: the number of cores is good")
