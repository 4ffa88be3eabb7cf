"""A command killed (SIGKILL) again and again, at random moments and while it writes, and begun once more each time.

    FOLDER/whole/        what the command leaves where nobody kills it: what is held against
    FOLDER/killed-N/     what it leaves where it was killed until it came to its end; a new one when it did
    FOLDER/log.txt       what it printed
"""

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
# Of a whole run's time in which a random moment lies, for one that goes on takes less; and at most.
EARLY, EARLY_SECONDS = 0.6, 60.0
MOST_ROUNDS = 3  # of writing, in the last of which it is killed
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
    """aim: ANY or WRITING. after_s: seconds since it was begun. unfinished: names of files that were beside their
    place. left: the Victim's `state`."""

    aim: str
    after_s: float
    unfinished: tuple
    left: dict


def kill_often(victim, folder, kills, seed, tell=lambda done: None):
    """Kill a Victim so many times, half of them while it writes, and let it come to its end: dict for JSON with the
    kills, the runs that came to an end, and `problems`, a list of lines that is empty where all went as it is meant to.

    folder: made anew. seed: of the moments. tell: called with the number of kills so far.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng, done, problems, begun = np.random.default_rng(seed), [], [], count()
    with open(folder / "log.txt", "ab") as log:
        seconds, writing_s = _measure(victim, folder / "whole", log)
        runs = 0
        while len(done) < kills or runs == 0:
            run = folder / f"killed-{runs}"
            _until_its_end(victim, run, log, done, problems,
                           lambda: len(done) < kills and _moment(rng, next(begun), seconds, writing_s), tell)
            if runs > MOST_ENDS * kills:
                raise RuntimeError(f"killed {len(done)} times in {runs} runs: it comes to its end before")
            problems += victim.differences(run, folder / "whole")
            runs += 1
    return {"kills": [asdict(kill) for kill in done], "runs": runs, "whole_s": seconds, "writing_s": writing_s,
            "problems": problems}


def unfinished(folder):
    """Names of files of a folder, and of those in it, that are beside their place."""
    return tuple(sorted(name for _, _, names in os.walk(folder) for name in names
                        if name.endswith(END) or name.startswith(BEGIN)))


def _start(victim, run, log):
    words = map(str, victim.command(run))
    return subprocess.Popen(list(words), stdout=log, stderr=log, env=os.environ | victim.environment)


def _measure(victim, run, log):
    """Leaves what nobody killed in a folder: (seconds that it took, of a long round of writing)."""
    started, rounds, last = time.monotonic(), [], None
    process = _start(victim, run, log)
    while process.poll() is None:
        now = time.monotonic()
        if unfinished(run):
            if last is None or now - last > PAUSE_SECONDS:
                rounds.append([now, now])
            last = rounds[-1][1] = now
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise RuntimeError(f"it ended with status {process.returncode} though nobody killed it: see log.txt")
    return time.monotonic() - started, float(np.percentile([end - begin for begin, end in rounds] or [0.0], 75))


def _moment(rng, number, seconds, writing_s):
    """When a process is to be killed, by its number: (aim, seconds to wait, rounds of writing before that)."""
    if number % 2:
        return WRITING, rng.uniform(0, writing_s), int(rng.integers(MOST_ROUNDS))
    return ANY, rng.uniform(0, min(EARLY * seconds, EARLY_SECONDS)), 0


def _until_its_end(victim, run, log, done, problems, moment, tell):
    """One run, begun again after each kill until it ends by itself."""
    left, seen = {}, 0
    while True:
        process, aimed, started = _start(victim, run, log), moment(), time.monotonic()
        if aimed and _wait(process, run, aimed, started):
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
        done.append(Kill(aimed[0], round(after_s, 3), unfinished(run), left))
        tell(len(done))


def _wait(process, run, aimed, started):
    """Until the moment of a kill; False where the process ends before."""
    aim, seconds, rounds = aimed
    if aim == WRITING:
        for number in range(rounds + 1):
            if number:
                pause_from = time.monotonic()
                while time.monotonic() - pause_from < PAUSE_SECONDS:
                    if unfinished(run):
                        pause_from = time.monotonic()
                    if process.poll() is not None:
                        return False
                    time.sleep(LOOK_SECONDS)
            while not unfinished(run):
                if process.poll() is not None:
                    return False
                time.sleep(LOOK_SECONDS)
        started = time.monotonic()
    while (left := started + seconds - time.monotonic()) > 0:
        if process.poll() is not None:
            return False
        time.sleep(min(left, 0.01))
    return process.poll() is None
