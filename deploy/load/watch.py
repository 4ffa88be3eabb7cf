"""What a process and all that it started hold: memory, file handles, threads, time of the processor. Linux alone."""

import contextlib
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from deploy.benchmark.timing import spread_of

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
EVERY_S = 2.0
# Share of the photos after which memory is looked at: buffers grow to the largest photo first.
SETTLED = 0.1


@dataclass(frozen=True)
class Sample:
    """What a family of processes holds. second: from when the watch began. photos: done by then. pss_mb: memory of all,
    what several share divided among them, strangers too that use the same libraries. own_mb: of that what is in no
    file, which is where a leak is. parent_mb: resident memory of the first. handles, threads: of all."""

    second: float
    photos: int
    processes: int
    pss_mb: float
    own_mb: float
    parent_mb: float
    handles: int
    threads: int


def family(number):
    """Numbers of a process and of all that it, and they, started: list, itself first."""
    found = [number]
    for one in found:
        for children in (PROC / str(one) / "task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found += map(int, children.read_text().split())
    return found


def look(number, photos=0, second=0.0):
    """Sample of a process and all that it started. Raises OSError where it is gone."""
    held = [_held(number)]
    for one in family(number)[1:]:
        with contextlib.suppress(OSError):
            held.append(_held(one))
    pss, own, _, handles, threads = np.sum(held, axis=0).tolist()
    return Sample(round(second, 2), photos, len(held), round(pss, 2), round(own, 2), round(held[0][2], 2),
                  int(handles), int(threads))


def _held(number):
    """(PSS, anonymous and resident memory in MB, handles, threads) of one process."""
    folder = PROC / str(number)
    handles = len(os.listdir(folder / "fd"))
    own, resident, threads = (_field(folder / "status", name) for name in ("RssAnon", "VmRSS", "Threads"))
    return _field(folder / "smaps_rollup", "Pss") / 1024, own / 1024, resident / 1024, handles, threads


def _field(file, name):
    """The number after `name:` in a file of /proc; 0 where it is not told, as of a process that is ending."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def cpu_seconds(number):
    """(of the process, of all that it started and still run): processor's seconds that they have used."""
    used = []
    for one in family(number):
        with contextlib.suppress(OSError):
            fields = (PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
            used.append((int(fields[11]) + int(fields[12])) / TICKS)
    return (used[0], sum(used[1:])) if used else (0.0, 0.0)


class Watch:
    """Looks at a process every EVERY_S seconds, in a thread, as long as the context lasts. photos: a function that
    tells how many are done. `samples` is what was seen."""

    def __init__(self, number, photos, every=EVERY_S):
        self._number, self._photos, self._every = number, photos, every
        self._stop, self._began = threading.Event(), time.perf_counter()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self.samples = []

    def __enter__(self):
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._look()

    def _go(self):
        while not self._stop.wait(self._every):
            self._look()

    def _look(self):
        with contextlib.suppress(OSError):
            self.samples.append(look(self._number, self._photos(), time.perf_counter() - self._began))


def growth(samples):
    """dict for JSON of samples of one family: of each quantity first, last, least and most, and how much it grew per
    1,000 photos, a line fitted once the first SETTLED of the photos are done, and over the last half alone. None with
    fewer than four samples after that."""
    photos = np.array([sample.photos for sample in samples], float)
    done = photos - photos[:1]
    span = np.max(done, initial=0.0)
    settled, half = done >= SETTLED * span, done >= 0.5 * span
    if span == 0 or np.count_nonzero(settled) < 4 or np.count_nonzero(half) < 4:
        return None
    told = {"photos": int(span), "seconds": round(samples[-1].second - samples[0].second, 1)}
    for name in ("pss_mb", "own_mb", "parent_mb", "handles", "threads"):
        values = np.array([getattr(sample, name) for sample in samples], float)
        told[name] = {"first": values[0], "last": values[-1], "settled": spread_of(values[settled].tolist()),
                      "per_1000": _slope(photos[settled], values[settled]),
                      "per_1000_last_half": _slope(photos[half], values[half])}
    return told


def _slope(photos, values):
    if np.ptp(photos) == 0:
        return None
    return round(float(np.polyfit(photos / 1000, values, 1)[0]), 4) + 0.0  # never -0.0


def as_rows(samples):
    """Samples for JSON: {quantity: list}."""
    return {name: [asdict(sample)[name] for sample in samples] for name in Sample.__dataclass_fields__}
