"""A command killed (SIGKILL) again and again, at random moments and while it writes, and begun once more each time.

    FOLDER/whole/        what the command leaves where nobody kills it: what is held against
    FOLDER/killed-N/     what it leaves where it was killed until it came to its end; a new one when it did
    FOLDER/log.txt       what it printed
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count

import numpy as np

LOOK_SECONDS = 0.001
# Files beside their place, not renamed into it yet, by how they begin or end.
BEGIN, END = "writing.", ".part"
PAUSE_SECONDS = 0.05  # between two of them, at which one round of writing is over
MOST_ROUNDS = 3  # of writing that are seen before a kill
MOST_PROBLEMS = 3  # after which it is given up
MOST_ENDS = 5  # for each kill, of runs that come to their end before it
ANY, WRITING = "any moment", "while it writes"


@dataclass(frozen=True)
class Victim:
    """What is killed, by functions of the folder that it works in. command: its words. state: dict of what a kill has
    left, with "done", a number; raises where that is not whole. resumed: all numbers after which it said that it goes
    on. differences: of that folder and the whole one, a list of lines. environment: variables of the process."""

    command: Callable
    state: Callable
    resumed: Callable
    differences: Callable
    environment: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Kill:
    """aim: ANY or WRITING. after_s: seconds since it was begun. unfinished: names of files that it had begun beside
    their place. left: the Victim's `state`."""

    aim: str
    after_s: float
    unfinished: tuple
    left: dict


@dataclass(frozen=True)
class Pace:
    """Seconds of a run that nobody killed: until it first wrote, from one round of writing to the next, of a round, in
    all. What is likely of each."""

    first_s: float
    next_s: float
    writing_s: float
    whole_s: float


class Writing:
    """What a process has under way beside its place in a folder: what another one left there before is none of it."""

    def __init__(self, folder):
        self._folder, self._before, self._changed = folder, set(), None
        self._before = set(self._found())
        self.is_going_on()

    def is_going_on(self):
        """Whether something is under way, or came or was renamed since this was asked before."""
        changed = []
        for folder, _, _ in os.walk(self._folder):
            with contextlib.suppress(FileNotFoundError):
                changed.append((folder, os.stat(folder).st_mtime_ns))
        before, self._changed = self._changed, changed
        return changed != before or bool(self.names())

    def names(self):
        """Names of these files, sorted."""
        return tuple(sorted(path.rpartition(os.sep)[2] for path, written in self._found()
                            if (path, written) not in self._before))

    def _found(self):
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if name.endswith(END) or name.startswith(BEGIN):
                    with contextlib.suppress(FileNotFoundError):  # renamed by now
                        path = os.path.join(folder, name)
                        yield path, os.stat(path).st_mtime_ns


def kill_often(victim, folder, kills, seed, tell=lambda done: None):
    """Kill a Victim so many times, half of them while it writes, and let it come to its end: dict for JSON with the
    kills, the runs that came to an end, and `problems`, a list of lines that is empty where all went as it is meant to.

    folder: made anew. seed: of the moments. tell: called with the number of kills so far.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng, done, problems, begun = np.random.default_rng(seed), [], [], count()
    with open(folder / "log.txt", "ab") as log:
        pace = _measure(victim, folder / "whole", log)
        runs = 0
        while len(done) < kills or runs == 0:
            run = folder / f"killed-{runs}"
            _until_its_end(victim, run, log, done, problems,
                           lambda: len(done) < kills and _moment(rng, next(begun), pace), tell)
            problems += victim.differences(run, folder / "whole")
            runs += 1
            if runs > MOST_ENDS * kills:
                raise RuntimeError(f"killed {len(done)} times in {runs} runs: it comes to its end before")
    return {"kills": [asdict(kill) for kill in done], "runs": runs, "pace": asdict(pace), "problems": problems}


def _start(victim, run, log):
    words = map(str, victim.command(run))
    return subprocess.Popen(list(words), stdout=log, stderr=log, env=os.environ | victim.environment)


def _measure(victim, run, log):
    """Leaves what nobody killed in a folder: its Pace."""
    started, rounds, last, writing = time.monotonic(), [], None, Writing(run)
    process = _start(victim, run, log)
    while process.poll() is None:
        now = time.monotonic()
        if writing.is_going_on():
            if last is None or now - last > PAUSE_SECONDS:
                rounds.append([now, now])
            last = rounds[-1][1] = now
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise RuntimeError(f"it ended with status {process.returncode} though nobody killed it: see log.txt")
    ended = time.monotonic()
    # The first is of what is written before any work: settings.
    begins, lengths = [begin for begin, _ in rounds[1:]] or [ended], [end - begin for begin, end in rounds[1:]] or [0.0]
    return Pace(begins[0] - started, float(np.median(np.diff([*begins, ended]))), float(np.percentile(lengths, 75)),
                ended - started)


def _moment(rng, number, pace):
    """When a process is to be killed, by its number: (aim, rounds of writing to be begun, seconds to wait then)."""
    if number % 2:
        return WRITING, int(rng.integers(1, MOST_ROUNDS + 1)), rng.uniform(0, pace.writing_s)
    rounds = int(rng.integers(MOST_ROUNDS + 1))
    return ANY, rounds, rng.uniform(0, pace.next_s if rounds else pace.first_s)


def _until_its_end(victim, run, log, done, problems, moment, tell):
    """One run, begun again after each kill until it ends by itself."""
    left, seen = {}, 0
    while True:
        writing, started = Writing(run), time.monotonic()
        process, aimed = _start(victim, run, log), moment()
        if aimed and _wait(process, writing, *aimed[1:]):
            process.kill()
            after_s = time.monotonic() - started
        status = process.wait()
        told = victim.resumed(run)
        problems += [f"{run.name} went on after {number}, {left.get('done', 0)} was whole"
                     for number in told[seen:] if number != left.get("done", 0)]
        seen = len(told)
        if status == 0:
            return
        if status != -9:
            problems.append(f"{run.name} ended with status {status} after {len(done)} kills: see log.txt")
            if len(problems) > MOST_PROBLEMS:
                raise RuntimeError("; ".join(problems))
            continue
        left = {}
        try:
            left = victim.state(run)
        except Exception as error:  # whatever a reader makes of half a file
            problems.append(f"{run.name} after {len(done)} kills: {type(error).__name__}: {error}")
        done.append(Kill(aimed[0], round(after_s, 3), writing.names(), left))
        tell(len(done))


def _wait(process, writing, rounds, seconds):
    """Until the moment of a kill; False where the process ends before."""
    last = None
    while rounds:
        now = time.monotonic()
        if writing.is_going_on():
            rounds -= last is None or now - last > PAUSE_SECONDS
            last = now
        if process.poll() is not None:
            return False
        time.sleep(LOOK_SECONDS)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if process.poll() is not None:
            return False
        time.sleep(min(left, 0.01))
    return process.poll() is None
