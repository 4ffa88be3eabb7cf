"""A client that asks a service as an app's backend does: connections that are kept, photos in random order.

There are two ways to ask. In a closed loop each of so many callers asks again as soon as it has its answer: that finds
how many photos a second the service answers. In an open loop requests are due at moments that are fixed beforehand,
whatever became of those before, and a latency counts from the moment at which its request was due: else one slow
answer would keep away the very requests that would have waited behind it.
"""

import http.client
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from deploy.benchmark.timing import latency_figures

MEASURE = "/v1/measure"
# A connection without a request for longer is not used again: the service closes it after five seconds.
MAX_IDLE_S = 4.0
ANSWER_S = 120.0
# Requests of an open loop under way at a time; more are sent late, which counts in their latency and is told.
MOST_CALLERS = 256
LATE_S = 0.01
PAUSE_S = 0.1  # after a connection that broke: a service that is gone is not asked a thousand times a second
BROKEN = 0  # in place of a status where the connection ended before there was one
ANSWERED = (200, 422)  # 422: a photo without a sheet, which takes as much work
REFUSED = 503


@dataclass(frozen=True)
class Request:
    """One photo as a request: body of multipart/form-data, and its content type."""

    body: bytes
    kind: str


def request_of(path):
    """Request of a photo's file."""
    boundary = uuid.uuid4().hex
    begin = (f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="{Path(path).name}"\r\n'
             "Content-Type: application/octet-stream\r\n\r\n")
    body = begin.encode() + Path(path).read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return Request(body, f"multipart/form-data; boundary={boundary}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What became of a request. due, begun, ended: seconds from the loop's beginning; a closed loop's are due when they
    begin. status: of the answer, or BROKEN. retry_after: the header, or None."""

    due: float
    begun: float
    ended: float
    status: int
    retry_after: str | None = None

    @property
    def latency(self):
        """Seconds from when it was due to its answer."""
        return self.ended - self.due


class Caller:
    """One connection to (host, port), made anew when it was closed or idle for long."""

    def __init__(self, address, clock=time.perf_counter):
        self._connection = http.client.HTTPConnection(*address, timeout=ANSWER_S)
        self._clock, self._used = clock, 0.0

    def ask(self, request):
        """(status, Retry-After or None) of a Request; (BROKEN, None) where there was no answer."""
        if self._clock() - self._used > MAX_IDLE_S:
            self._connection.close()  # opens by itself
        try:
            self._connection.request("POST", MEASURE, request.body, {"Content-Type": request.kind})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return BROKEN, None
        self._used = self._clock()
        return answer.status, answer.getheader("retry-after")

    def close(self):
        """Closes the connection."""
        self._connection.close()


@dataclass(frozen=True)
class Loop:
    """How both loops ask. make_caller: gives a Caller. requests: list of Request, asked in random order. seed: of it.
    told: called with each Exchange, in the thread that asked. clock: seconds."""

    make_caller: Callable
    requests: list
    seed: int
    told: Callable = lambda exchange: None
    clock: Callable = time.perf_counter

    def closed(self, callers, seconds, passed=lambda seconds: None):
        """Exchanges of so many callers, in the order in which they ended; nobody asks after so many seconds. passed:
        called about once a second with how many more have gone by."""
        exchanges, stop, began = [], Event(), self.clock()

        def go(place):
            caller, rng = self.make_caller(), np.random.default_rng([self.seed, place])
            while not stop.is_set() and (begun := self.clock() - began) < seconds:
                if self._ask(caller, rng, began, begun, exchanges) == BROKEN:
                    stop.wait(PAUSE_S)
            caller.close()

        with ThreadPoolExecutor(callers) as threads:
            try:
                asking = [threads.submit(go, place) for place in range(callers)]
                for _ in range(int(seconds)):
                    stop.wait(1.0)
                    passed(1)
                for one in asking:
                    one.result()
            finally:
                stop.set()
        return exchanges

    def open(self, dues, passed=lambda seconds: None):
        """Exchanges of requests that are due at so many seconds from now, ascending, in the order in which they ended.
        passed: as of `closed`."""
        exchanges, idle, stop = [], [], Event()
        rng, began, told = np.random.default_rng(self.seed), self.clock(), 0

        def go(due):
            if stop.is_set():
                return
            # The one that was used last: as many connections are kept open as the load needs, and no more.
            caller = idle.pop() if idle else self.make_caller()
            self._ask(caller, rng, began, due, exchanges)
            idle.append(caller)

        with ThreadPoolExecutor(MOST_CALLERS) as threads:
            try:
                asking = []
                for due in dues:
                    time.sleep(max(0.0, began + due - self.clock()))
                    asking.append(threads.submit(go, due))
                    if int(due) > told:
                        passed(int(due) - told)
                        told = int(due)
                for one in asking:
                    one.result()
            finally:
                stop.set()
        for caller in idle:
            caller.close()
        return exchanges

    def _ask(self, caller, rng, began, due, exchanges):
        begun = self.clock() - began
        status, retry_after = caller.ask(self.requests[rng.integers(len(self.requests))])
        exchange = Exchange(float(due), begun, self.clock() - began, status, retry_after)
        exchanges.append(exchange)
        self.told(exchange)
        return status


def steady(rate, seconds, begin=0.0):
    """Moments, seconds float (N,), of so many requests a second, as far from each other."""
    return begin + np.arange(int(rate * seconds)) / rate


def at_random(rate, seconds, seed):
    """Moments, seconds float (N,), of so many requests a second of people who know nothing of each other: the times
    between them are exponential (a Poisson process)."""
    rng = np.random.default_rng(seed)
    moments = np.cumsum(rng.exponential(1 / rate, int(2 * rate * seconds) + 100))
    return moments[moments < seconds]


def figures(exchanges):
    """dict for JSON of what became of requests: how many of each kind, latencies in ms as latency_figures has them
    (None without any), Retry-After of the refused, statuses that are neither an answer nor a refusal."""
    answered = [one for one in exchanges if one.status in ANSWERED]
    refused = [one for one in exchanges if one.status == REFUSED]
    others = [str(one.status) for one in exchanges if one.status not in (*ANSWERED, REFUSED)]
    return {
        "requests": len(exchanges), "answered": len(answered), "refused": len(refused),
        "other_statuses": {status: others.count(status) for status in sorted(set(others))},
        "answered_ms": _latencies(answered), "refused_ms": _latencies(refused),
        "retry_after": sorted({str(one.retry_after) for one in refused}),
        "sent_late": sum(one.begun - one.due > LATE_S for one in exchanges),
    }  # fmt: skip


def _latencies(exchanges):
    return latency_figures([1e3 * one.latency for one in exchanges]) if exchanges else None


def rate_of(exchanges, seconds, skip=0):
    """Photos a second that were answered within so many seconds of the loop's beginning, from the `skip`th answer on:
    until then the service was not yet full."""
    ends = sorted(one.ended for one in exchanges if one.status in ANSWERED and one.ended <= seconds)
    return (len(ends) - skip) / (seconds - (ends[skip - 1] if skip else 0.0)) if len(ends) > skip else 0.0


def recovery(exchanges, moment):
    """dict for JSON of requests that were due from a moment on: how many were refused, and how many seconds after it
    the last of those was due (0 without any)."""
    refused = [one.due - moment for one in exchanges if one.due >= moment and one.status == REFUSED]
    return {"refused": len(refused), "last_refused_s": max(refused, default=0.0)}
