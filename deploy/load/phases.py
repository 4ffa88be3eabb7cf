"""What is measured of a service, a phase after the other: each gives a dict for JSON.

    batch-N, service-N   photos a second of `foliopie measure`'s processes and of the service, in rounds
    saturation           more callers than workers, each asking again at once: photos a second
    steady               80 % of that, requests due at equal distances: latencies
    random               80 % of that, requests due at random as of many strangers: latencies
    overload             2.5 times that, and then at once half of it: refusals, and how soon there are none
"""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import islice
from pathlib import Path

import numpy as np

from deploy.batch import in_processes
from deploy.bundle import DEFAULT_FOLDER, Bundle
from deploy.load.client import ANSWERED, Caller, Loop, at_random, figures, rate_of, recovery, steady
from deploy.load.watch import Watch, as_rows, cpu_seconds, growth
from deploy.photo_task import lost, task_alone
from deploy.rounds import in_order
from deploy.sources import Source

LOADED, OVERLOADED, RELIEVED = 0.8, 2.5, 0.5  # shares of what the service reaches
READY_S = 180.0
ENDING_S = 90.0
CALLERS_BESIDE_WORKERS = 2  # so that a photo waits for whichever worker is free


class ServiceError(Exception):
    """The service did not begin, or did not end well; its text is one line with the way out."""


@dataclass(frozen=True)
class Plan:
    """What all phases are told. bundle: folder, or None for the one that ships. photos: paths. workers, threads: of the
    service, and of the batch. callers: of the closed loop. seconds: of saturation; the other phases take a part of
    it. seed: of the order of photos, and of the random moments."""

    bundle: Path | None
    photos: tuple
    workers: int
    threads: int
    callers: int
    seconds: float
    seed: int = 0

    @property
    def round_s(self):
        """Seconds of a batch, and of the service, in a round."""
        return self.seconds / 20

    @property
    def loaded_s(self):
        """Seconds of each kind of load below what the service reaches."""
        return self.seconds / 5

    @property
    def overload_s(self):
        """Seconds of overload, and of the rest after it."""
        return self.seconds / 10


class Counted:
    """How many exchanges, told by several threads, were answers with measures."""

    def __init__(self):
        self._lock, self._count = threading.Lock(), 0

    def add(self, exchange):
        """Counts an exchange, where it is one."""
        with self._lock:
            self._count += exchange.status in ANSWERED

    def __call__(self):
        return self._count


class Running:
    """A service that runs. number: of its process. make_caller: gives a deploy.load.client.Caller. status: gives the
    process's exit status, None as long as it runs. The attribute `watch` is a Watch of it, against the photos that it
    has answered on."""

    def __init__(self, number, make_caller, plan, requests, status=lambda: None):
        self._number, self._make_caller, self._plan, self._requests = number, make_caller, plan, requests
        self._status = status
        self._answered = Counted()
        self.watch = Watch(number, self._answered)

    def load(self, ask):
        """What `ask`, a function of a Loop, gives, and what it cost: (exchanges, dict for JSON). Raises ServiceError
        where the service has ended meanwhile."""
        loop = Loop(self._make_caller, self._requests, self._plan.seed, self._answered.add)
        seen, before, own = len(self.watch.samples), cpu_seconds(self._number), time.process_time()
        began, answered = time.perf_counter(), self._answered()
        exchanges = ask(loop)
        if (status := self._status()) is not None:
            raise ServiceError(f"the service ended with status {status} while it was asked: its log says more")
        seconds = time.perf_counter() - began
        own, used = time.process_time() - own, np.subtract(cpu_seconds(self._number), before)
        photos = max(1, self._answered() - answered)
        samples = self.watch.samples[seen:]
        return exchanges, {
            "seconds": seconds, **figures(exchanges),
            "cpu": {"client_cores": own / seconds, "service_cores": used[0] / seconds,
                    "workers_cores": used[1] / seconds, "client_ms": 1e3 * own / photos,
                    "service_ms": 1e3 * used[0] / photos, "workers_ms": 1e3 * used[1] / photos},
            "memory": growth(samples), "samples": as_rows(samples),
        }  # fmt: skip


@contextmanager
def serving(plan, requests, log):
    """Within: Running of `foliopie serve` on a free port, once it can measure. log: file for what it prints. Raises
    ServiceError, also where it does not end with status 0."""
    command = [sys.executable, "-m", "foliopie", "serve", "--port", "0", "--workers", str(plan.workers),
               "--threads", str(plan.threads), *(["--bundle", str(plan.bundle)] if plan.bundle else [])]
    with open(log, "w", encoding="utf-8") as stream:
        # A group of its own: Ctrl-C is for this process, which ends it.
        process = subprocess.Popen(command, stderr=stream, process_group=0)
    try:
        caller = partial(Caller, _address(process, log, plan.workers))
        running = Running(process.pid, caller, plan, requests, process.poll)
        with running.watch:
            yield running
        process.terminate()
        if process.wait(ENDING_S):
            raise ServiceError(f"the service ended with status {process.returncode}: {log} says more")
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"the service did not end within {ENDING_S:g} s: {log} says more") from error
    finally:
        process.kill()
        process.wait()


def _address(process, log, workers):
    """(host, port) of a service, once all of its workers can measure."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"http://([0-9.]+):(\d+)", Path(log).read_text(encoding="utf-8"))
        if found and _workers_of(address := (found.group(1), int(found.group(2)))) == workers:
            return address
        time.sleep(0.1)
    raise ServiceError(f"the service did not get ready within {READY_S:g} s: {log} says more")


def _workers_of(address):
    """How many workers of a service can measure: /readyz is content with one."""
    connection = HTTPConnection(*address, timeout=10)
    try:
        connection.request("GET", "/metrics")
        found = re.search(r"^foliopie_workers_alive (\S+)", connection.getresponse().read().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def batch(plan, passed):
    """Photos a second of the processes of `foliopie measure`, each with a file's name as its input."""
    rng = np.random.default_rng(plan.seed)

    def endless():
        while True:
            path = plan.photos[rng.integers(len(plan.photos))]
            yield Source(path.as_posix(), path, Path(path.stem))

    make = partial(task_alone, Bundle.load(plan.bundle or DEFAULT_FOLDER, hold=True), plan.threads, "auto", None, None,
                   False, "load")
    dones = in_processes(make, endless(), plan.workers, lost)
    try:
        for _ in islice(dones, 4 * plan.workers):  # until every process has its networks
            pass
        before = cpu_seconds(os.getpid())
        began, photos, told = time.perf_counter(), 0, 0
        while (seconds := time.perf_counter() - began) < plan.round_s:
            next(dones)
            photos += 1
            if int(seconds) > told:
                passed(int(seconds) - told)
                told = int(seconds)
        seconds = time.perf_counter() - began
        # The service is among what this process started, and does nothing meanwhile.
        parent, workers = 1e3 * np.subtract(cpu_seconds(os.getpid()), before) / photos
        return {"seconds": seconds, "photos": photos, "images_per_second": photos / seconds,
                "cpu": {"parent_ms": parent, "workers_ms": workers}}
    finally:
        dones.close()


def closed(plan, seconds, running, passed):
    """Photos a second of the service with more callers than workers."""
    exchanges, told = running.load(lambda loop: loop.closed(plan.callers, seconds, passed))
    return {"callers": plan.callers, "images_per_second": rate_of(exchanges, seconds, plan.callers), **told}


def loaded(plan, dues, running, passed):
    """Latencies of requests that are due at so many seconds, ascending."""
    _, told = running.load(lambda loop: loop.open(dues, passed))
    return {"due_per_second": len(dues) / plan.loaded_s, **told}


def overload(plan, rate, running, passed):
    """Refusals at more than the rate that the service reaches, and what follows at half of it."""
    seconds = plan.overload_s
    dues = np.concatenate([steady(OVERLOADED * rate, seconds), steady(RELIEVED * rate, seconds, seconds)])
    exchanges, told = running.load(lambda loop: loop.open(dues, passed))
    return {"due_per_second": OVERLOADED * rate, "then_per_second": RELIEVED * rate, **told,
            "overload": figures([one for one in exchanges if one.due < seconds]),
            "answered_per_second": rate_of(exchanges, seconds), "recovery": recovery(exchanges, seconds),
            "then": figures([one for one in exchanges if one.due >= seconds])}


def phases_of(plan, rounds):
    """What is to be done, in order: {name: (seconds that it takes, function of (Running, results of the phases before
    it by name, passed) to a dict for JSON)}. passed: called about once a second with how many more have gone by."""
    found = {}
    for number in range(rounds):
        for kind in in_order(["batch", "service"], number):
            found[f"{kind}-{number + 1}"] = plan.round_s, partial(_round, plan, kind)
    found["saturation"] = plan.seconds, partial(_saturated, plan)
    for name, moments in (("steady", steady), ("random", partial(at_random, seed=plan.seed))):
        found[name] = plan.loaded_s, partial(_loaded, plan, moments)
    found["overload"] = 2 * plan.overload_s, partial(_overloaded, plan)
    return found


def reached(done):
    """Photos a second that the service reached, by the results of phases. Raises ServiceError where it was none."""
    if rate := done["saturation"]["images_per_second"]:
        return rate
    raise ServiceError("the service answered no photo while it was saturated: its log says more, and more --seconds "
                       "may help")


def _round(plan, kind, running, done, passed):
    return batch(plan, passed) if kind == "batch" else closed(plan, plan.round_s, running, passed)


def _loaded(plan, moments, running, done, passed):
    return loaded(plan, moments(LOADED * reached(done), plan.loaded_s), running, passed)


def _saturated(plan, running, done, passed):
    return closed(plan, plan.seconds, running, passed)


def _overloaded(plan, running, done, passed):
    return overload(plan, reached(done), running, passed)
