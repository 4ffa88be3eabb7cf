"""The benchmark's arithmetic, with a clock that moves when it is told to."""

import threading

import pytest

from deploy.benchmark.timing import (
    Timed,
    cost_per_million,
    images_per_core_hour,
    latency_figures,
    merged,
    ratios,
    spread_of,
    time_callers,
    time_calls,
)


class FakeClock:
    """Stands still but for what calls take: `durations`, in turn, in seconds."""

    def __init__(self, durations):
        self.now, self.durations, self.asked = 100.0, list(durations), []

    def __call__(self):
        return self.now

    def answer(self, batch):
        self.asked.append(batch)
        self.now += self.durations[(len(self.asked) - 1) % len(self.durations)]


def test_calls_are_made_until_the_time_is_up_and_a_begun_one_counts():
    clock = FakeClock([0.25, 0.5])
    timed = time_calls(clock.answer, ["ab", "cd", "ef"], 1.0, clock)
    assert timed.latencies == (0.25, 0.5, 0.25) and timed.seconds == 1.0 and timed.images_per_second == 6.0
    assert clock.asked == ["ab", "cd", "ef"]


def test_slow_calls_are_made_three_times():
    clock = FakeClock([8.0])
    timed = time_calls(clock.answer, ["a"], 1.0, clock)
    assert timed.latencies == (8.0, 8.0, 8.0) and timed.images == 3 and timed.images_per_second == 0.125


def test_callers_are_counted_from_the_first_question_to_the_last_answer():
    first, second = Timed((1.0, 1.0), 2, 2.0), Timed((0.5, 1.5, 1.0), 6, 3.0)
    both = merged([(10.0, first), (10.5, second)])
    assert both == Timed((1.0, 1.0, 0.5, 1.5, 1.0), 8, 3.5)
    assert both.images_per_second == pytest.approx(8 / 3.5)


def test_callers_ask_at_the_same_time():
    both_ask = threading.Barrier(2, timeout=5)
    timed = time_callers([lambda batch: both_ask.wait()] * 2, ["ab"], 0.0)
    assert timed.images == 12 and len(timed.latencies) == 6


def test_what_a_caller_raises_is_raised():
    def fail(batch):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        time_callers([lambda batch: None, fail], ["a"], 0.0)


def test_percentiles_of_a_hundred_and_one_latencies():
    told = latency_figures([float(value) for value in range(101)][::-1])
    assert (told["calls"], told["mean"], told["p50"], told["p95"], told["p99"]) == (101, 50.0, 50.0, 95.0, 99.0)
    assert told["quantiles"] == [float(value) for value in range(101)]
    assert latency_figures([1.0, 2.0])["p95"] == 1.95


def test_a_ratio_is_to_the_same_round_and_has_its_spread():
    assert ratios({0: 20.0, 2: 30.0, 1: 9.0}, {0: 10.0, 2: 10.0}) == [2.0, 3.0]
    assert spread_of([3.0, 1.0, 2.5]) == {"median": 2.5, "least": 1.0, "most": 3.0}
    assert spread_of([]) is None


def test_core_hours_and_costs():
    assert images_per_core_hour(10.0, 4) == 9000.0
    # 100 a second are 360,000 an hour; a million takes 2.777 hours at 0.36 an hour.
    assert cost_per_million(100.0, 0.36) == pytest.approx(1.0)
    assert cost_per_million(100.0, None) is None
