"""Many things given to workers that may die: answers in order, few under way at a time, what is lost tried again.

The workers are elsewhere, on Ray's machines say, and are told of by a Fleet. Each works on one thing at a time, so that
when it dies it is known over which.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

from deploy.batch import TRIES, check_workers

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

STARTS = 5  # of workers in a row, that may die before the first of them is ready
LOOK_SECONDS = 30.0  # without anything done, after which it is said what is waited for


class WorkerDied(Exception):
    """A worker that gives no answer, and will give none."""


class FleetError(Exception):
    """No worker can do anything at all; its text is one line with the way out."""


class Fleet(Protocol):
    """Starts and asks workers. A ticket stands for what is not there yet; tickets and workers can be hashed."""

    def start(self):
        """(worker, ticket of its being ready)."""

    def ask(self, worker, thing):
        """Ticket of the answer of a worker that is ready and has nothing to do. May raise WorkerDied."""

    def wait(self, tickets, seconds):
        """Those of a list of tickets that are done, as soon as one is; [] after so many seconds without any."""

    def result(self, ticket):
        """What a ticket that is done stands for. Raises WorkerDied, and FleetError where starting is in vain."""

    def end(self, worker):
        """Ends a worker, dead or alive, at once."""


def in_order_again(
    fleet: Fleet, things: Iterable[Thing], workers: int, lost: Callable[[Thing, str], Answer],
    tell: Callable[[Thing | None, str], None],
) -> Iterator[Answer]:
    """Yields the fleet's answer to each thing, in the order of the things, from so many workers.

    A thing over which a worker died is given to another before anything new; over which TRIES died, its answer is
    lost(thing, one line on why). A worker that died is replaced. The things may be endless: at most 2 * workers are
    taken and not yet answered to. tell: called with a thing over which a worker died, or None, and a line on what
    happens. Whoever stops asking ends the workers. Raises FleetError where STARTS workers in a row die before they are
    ready, and what the fleet raises.
    """
    check_workers(workers)
    run = _Run(fleet, iter(things), workers, lost, tell)
    try:
        for _ in range(workers):
            run.start()
        while True:
            yield from run.in_turn()
            run.hand_out()
            if run.over():
                return
            run.wait()
    finally:
        run.end()


class _Run:
    """One run of `in_order_again`. Jobs are (number in the order of the things, thing)."""

    def __init__(self, fleet, things, workers, lost, tell):
        self.fleet, self.things, self.workers, self.lost, self.tell = fleet, things, workers, lost, tell
        self.starting, self.busy = {}, {}  # ticket -> worker; ticket -> (worker, job)
        self.idle, self.again = [], deque()
        self.answers, self.deaths = {}, Counter()  # by a job's number
        self.taken = self.given = self.failed_starts = 0
        self.told_to_wait = False

    def start(self):
        worker, ticket = self.fleet.start()
        self.starting[ticket] = worker

    def hand_out(self):
        while self.idle and (job := self.next_job()):
            worker = self.idle.pop()
            try:
                self.busy[self.fleet.ask(worker, job[1])] = worker, job
            except WorkerDied as error:
                self.bury(worker, job, error)

    def next_job(self):
        if self.again:
            return self.again.popleft()
        if self.taken >= self.given + 2 * self.workers:  # the slowest is waited for, and must not fill the memory
            return None
        for thing in islice(self.things, 1):
            self.taken += 1
            return self.taken - 1, thing
        return None

    def in_turn(self):
        while self.given in self.answers:
            self.given += 1
            yield self.answers.pop(self.given - 1)

    def over(self):
        if self.given < self.taken:
            return False
        if job := self.next_job():  # nobody may be free to do it yet
            self.again.append(job)
            return False
        return True

    def wait(self):
        done = self.fleet.wait([*self.busy, *self.starting], LOOK_SECONDS)
        if not (done or self.busy or self.told_to_wait):
            self.told_to_wait = True
            self.tell(None, f"no worker has started within {LOOK_SECONDS:.0f} s: waiting for a free processor")
        for ticket in done:
            if ticket in self.starting:
                self.greet(self.starting.pop(ticket), ticket)
            else:
                self.take(*self.busy.pop(ticket), ticket)

    def greet(self, worker, ticket):
        try:
            self.fleet.result(ticket)
        except WorkerDied as error:
            self.fleet.end(worker)
            self.failed_starts += 1
            if self.failed_starts >= STARTS:
                raise FleetError(f"{STARTS} workers in a row were lost before they were ready; of the last: {error}: "
                                 "see that there is memory for them, or take fewer with --workers") from error
            self.start()
        else:
            self.failed_starts = 0
            self.idle.append(worker)

    def take(self, worker, job, ticket):
        try:
            self.answers[job[0]] = self.fleet.result(ticket)
        except WorkerDied as error:
            self.bury(worker, job, error)
        else:
            self.idle.append(worker)

    def bury(self, worker, job, error):
        number, thing = job
        self.fleet.end(worker)
        self.start()
        self.deaths[number] += 1
        if self.deaths[number] < TRIES:
            self.tell(thing, f"{error}; it is given to another worker")
            self.again.append(job)
        else:
            self.answers[number] = self.lost(thing, f"no answer from {TRIES} workers; of the last: {error}")

    def end(self):
        for worker in [*self.starting.values(), *(worker for worker, _ in self.busy.values()), *self.idle]:
            self.fleet.end(worker)
