"""How long answers take, and what follows from it: the arithmetic of the benchmark, with a clock that can be another.

A caller asks, waits for the answer and asks again. With several callers at a time each has a thread of its own, and
all stop asking at the same moment; images a second are counted from the first question to the last answer.
"""

import threading
import time
from dataclasses import dataclass

import numpy as np

LEAST_CALLS = 3  # however long one takes
QUANTILES = 101  # kept of a distribution
MILLION = 1_000_000
HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Timed:
    """latencies: seconds of each call, in the order in which a caller made them, caller after caller. images: answered
    in all. seconds: from the first question to the last answer."""

    latencies: tuple
    images: int
    seconds: float

    @property
    def images_per_second(self):
        return self.images / self.seconds


def time_calls(call, inputs, seconds, clock=time.perf_counter):
    """Ask one caller's questions for `seconds`: Timed.

    call: a function of one input. inputs: list of batches (any sequence that has a length, its number of images); they
    are asked over and over. A call that was begun is counted, and at least LEAST_CALLS are made.
    """
    latencies, images = [], 0
    begun = asked = clock()
    while asked - begun < seconds or len(latencies) < LEAST_CALLS:
        given = inputs[len(latencies) % len(inputs)]
        call(given)
        answered = clock()
        latencies.append(answered - asked)
        images += len(given)
        asked = answered
    return Timed(tuple(latencies), images, asked - begun)


def time_callers(calls, inputs, seconds, clock=time.perf_counter):
    """`time_calls` of several callers at a time, `calls` being a function each: Timed of them all.

    Raises the first exception of a caller.
    """
    if len(calls) == 1:
        return time_calls(calls[0], inputs, seconds, clock)
    done, faults, together = [None] * len(calls), [], threading.Barrier(len(calls) + 1)

    def ask(place):
        together.wait()
        started = clock()
        try:
            done[place] = started, time_calls(calls[place], inputs, seconds, clock)
        except Exception as fault:
            faults.append(fault)

    callers = [threading.Thread(target=ask, args=(place,), daemon=True) for place in range(len(calls))]
    for caller in callers:
        caller.start()
    together.wait()
    for caller in callers:
        caller.join()
    if faults:
        raise faults[0]
    return merged(done)


def merged(done):
    """Timed of several callers. done: list of (when it began, Timed) each, by the same clock."""
    begun = min(started for started, _ in done)
    ended = max(started + timed.seconds for started, timed in done)
    return Timed(tuple(latency for _, timed in done for latency in timed.latencies),
                 sum(timed.images for _, timed in done), ended - begun)


def latency_figures(latencies_ms):
    """dict for JSON of latencies in milliseconds: their count, mean, p50, p95 and p99 (linear between two calls), and
    QUANTILES from the least to the largest."""
    quantiles = np.quantile(latencies_ms, np.linspace(0, 1, QUANTILES))
    told = {f"p{percent}": round(float(np.percentile(latencies_ms, percent)), 4) for percent in (50, 95, 99)}
    return {"calls": len(latencies_ms), "mean": round(float(np.mean(latencies_ms)), 4), **told,
            "quantiles": np.round(quantiles, 4).tolist()}


def spread_of(values):
    """{"median", "least", "most"} of the values of rounds; None without any."""
    if not values:
        return None
    return {"median": float(np.median(values)), "least": float(min(values)), "most": float(max(values))}


def ratios(rates, reference):
    """Each round's rate over the reference's of the same round: list. rates, reference: {round: images a second}."""
    return [rate / reference[number] for number, rate in sorted(rates.items()) if number in reference]


def images_per_core_hour(images_per_second, threads):
    """Images that one of `threads` cores answers in an hour."""
    return images_per_second * HOUR_SECONDS / threads


def cost_per_million(images_per_second, price_per_hour):
    """What a million images cost on a machine of that price which does nothing else; None without a price."""
    return None if price_per_hour is None else price_per_hour * MILLION / (images_per_second * HOUR_SECONDS)
