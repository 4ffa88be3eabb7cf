"""Timing in rounds: each goes through all that is timed, one process after another and never two at a time, every
second round backwards, so that a machine that gets slower or faster meanwhile does so to all.

    OUT/rounds/N/WHAT.json   what was timed in a round; what has one is not timed again
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.processes import Task, plain
from deploy.rounds import in_order
from deploy.tables import number

POINT, ROUND = "#0072B2", "#D55E00"


@dataclass(frozen=True)
class Timed:
    """name: unique. function: importable; called with *arguments and the JSON file that it writes {"images_per_second",
    ...} to. after, weight: of its deploy.processes.Task."""

    name: str
    function: Callable
    arguments: tuple
    after: tuple = ()
    weight: float = 1.0


def round_file(out, number_of_round, name):
    """Where a round's figures of what is timed are."""
    return Path(out) / "rounds" / str(number_of_round + 1) / f"{plain(name)}.json"


def round_tasks(out, rounds, timed, threads):
    """Tasks of what is not timed yet, in order. timed: Timed, as a round that is not backwards goes through them."""
    tasks = []
    for number_of_round in range(rounds):
        for one in in_order(timed, number_of_round):
            file = round_file(out, number_of_round, one.name)
            if file.exists():
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            tasks.append(Task(f"round-{number_of_round + 1}/{file.stem}", one.function, (*one.arguments, file),
                              one.after, weight=one.weight, threads=threads))
    return tasks


def time_calls(runtime, images, repeats):
    """Time a runtime, one photo after another, each `repeats` times: (images a second, its outputs).

    runtime: a function of uint8 (1, H, W, 3). images: uint8 (N, H, W, 3). Each is answered once before the clock runs.
    """
    outputs = np.concatenate([runtime(image[None]) for image in images])
    started = time.perf_counter()
    for _ in range(repeats):
        for image in images:
            runtime(image[None])
    return repeats * len(images) / (time.perf_counter() - started), outputs


def read_rounds(out, rounds, names, reference):
    """{name: figures} of the names that were timed; {} where the reference was not."""
    done = {name: {k: json.loads(round_file(out, k, name).read_text(encoding="utf-8"))
                   for k in range(rounds) if round_file(out, k, name).exists()} for name in names}
    return {name: figures(found, done[reference]) for name, found in done.items() if found and done[reference]}


def figures(done, reference):
    """dict for JSON of one name's rounds {round: {"images_per_second", ...}}: each a list, a round's ratio to the
    reference's figure of the same round among them."""
    told = {key: [one[key] for one in done.values()] for key in next(iter(done.values()))}
    told["ratio"] = [one["images_per_second"] / reference[k]["images_per_second"]
                     for k, one in done.items() if k in reference]
    return told


RATE_HEADINGS = ["images/s, median", "least to most"]
RATIO_HEADINGS = ["times as fast", "least to most"]


def rate_cells(told):
    """Cells of RATE_HEADINGS and RATIO_HEADINGS, of one name's figures: list of str."""
    rates, ratios = told["images_per_second"], told["ratio"]
    return [number(np.median(rates), ".1f"), f"{min(rates):.1f} to {max(rates):.1f}",
            *([number(np.median(ratios)), f"{min(ratios):.2f} to {max(ratios):.2f}"] if ratios else "--")]


def draw_rates(panel, found, label="images a second"):
    """Draw {name: figures} into matplotlib Axes: the median as a bar, each round as a point."""
    names = list(found)[::-1]
    for place, name in enumerate(names):
        rates = found[name]["images_per_second"]
        panel.barh(place, np.median(rates), color=POINT, height=0.6)
        panel.plot(rates, [place] * len(rates), ".", color=ROUND)
    panel.set_yticks(range(len(names)), names)
    panel.set_xlabel(label)
    panel.spines[["top", "right"]].set_visible(False)
