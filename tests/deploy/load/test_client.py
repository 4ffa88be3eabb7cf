"""Both loops with callers that answer as a test wants them to, and the figures that are made of what they saw."""

import itertools
import threading
import time

import numpy as np
import pytest

from deploy.load import client
from deploy.load.client import Exchange, Loop, at_random, figures, rate_of, recovery, steady


class Answering:
    """A caller that calls a function for every request."""

    def __init__(self, answer):
        self.ask, self.closed = answer, False

    def close(self):
        self.closed = True


def test_a_closed_loop_has_so_many_callers_and_takes_photos_at_random():
    together, asked, callers, told = threading.Barrier(3), [], [], []

    def answer(request):
        asked.append(request)
        return 200, None

    def make_caller():
        together.wait(60)  # passes only when three are there at once
        callers.append(Answering(answer))
        return callers[-1]

    ticks = itertools.count()  # a millisecond for every look at the clock
    exchanges = Loop(make_caller, list("abcde"), 0, told.append, lambda: next(ticks) / 1000).closed(3, 0.9)
    assert 200 < len(exchanges) == len(asked) == len(told) < 450
    assert set(asked) == set("abcde") and asked[:20] != asked[20:40]
    assert all(one.due < 0.9 and one.due < one.begun < one.ended for one in exchanges)
    assert [caller.closed for caller in callers] == [True] * 3


def test_a_latency_counts_from_when_a_request_was_due(monkeypatch):
    """With one caller, and a first answer that takes long, the rest are sent late: that is their latency too."""
    monkeypatch.setattr(client, "MOST_CALLERS", 1)
    waits, callers = iter([0.1]), []

    def answer(request):
        time.sleep(next(waits, 0))
        return 200, None

    loop = Loop(lambda: callers.append(Answering(answer)) or callers[-1], ["a"], 0)
    first, *rest = loop.open([0.0, 0.01, 0.02])
    assert first.ended >= 0.1 and [one.due for one in rest] == [0.01, 0.02]
    for one in rest:
        assert one.begun >= first.ended and one.latency >= 0.1 - one.due
    assert figures([first, *rest])["sent_late"] >= 2
    assert [caller.closed for caller in callers] == [True]  # one connection, for all of them


def test_an_open_loop_does_not_wait_for_answers():
    together = threading.Barrier(3)

    def answer(request):
        together.wait(60)  # none answers before three are asked
        return 200, None

    assert len(Loop(lambda: Answering(answer), ["a"], 0).open([0.0, 0.0, 0.0])) == 3


def test_what_a_caller_raises_ends_a_loop():
    def answer(request):
        raise MemoryError("no more")

    loop = Loop(lambda: Answering(answer), ["a"], 0)
    for ask in (lambda: loop.closed(2, 0.1), lambda: loop.open([0.0])):
        with pytest.raises(MemoryError):
            ask()


def test_figures_of_what_became_of_requests():
    exchanges = [Exchange(0.0, 0.0, 0.1, 200), Exchange(0.5, 0.6, 0.7, 422), Exchange(1.0, 1.0, 1.01, 503, "2"),
                 Exchange(1.1, 1.1, 1.2, 0), Exchange(3.0, 3.0, 3.02, 503, "2"), Exchange(4.0, 4.0, 4.4, 200)]
    told = figures(exchanges)
    assert (told["requests"], told["answered"], told["refused"], told["sent_late"]) == (6, 3, 2, 1)
    assert told["other_statuses"] == {"0": 1} and told["retry_after"] == ["2"]
    assert told["answered_ms"]["p50"] == pytest.approx(200.0) and told["refused_ms"]["p50"] == pytest.approx(15.0)
    assert told["answered_ms"]["quantiles"][100] == pytest.approx(400.0)
    assert rate_of(exchanges, 4.0) == 0.5  # two answers in four seconds; the last came later
    assert rate_of(exchanges, 4.7, skip=1) == pytest.approx(2 / 4.6) and rate_of(exchanges, 4.0, skip=2) == 0.0
    assert recovery(exchanges, 2.0) == {"refused": 1, "last_refused_s": 1.0}
    assert recovery(exchanges, 3.5) == {"refused": 0, "last_refused_s": 0.0}
    assert figures([])["answered_ms"] is None


def test_moments_at_equal_distances_and_at_random():
    np.testing.assert_allclose(steady(4.0, 1.0, 10.0), [10.0, 10.25, 10.5, 10.75])
    moments = at_random(100.0, 50.0, 3)
    between = np.diff(moments)
    assert (between >= 0).all() and moments[-1] < 50 and abs(len(moments) - 5000) < 5 * np.sqrt(5000)
    assert between.std() == pytest.approx(between.mean(), rel=0.1)  # as of an exponential distribution
    np.testing.assert_array_equal(moments, at_random(100.0, 50.0, 3))
