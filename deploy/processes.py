"""Tasks in processes of their own, several at a time, some after others.

Each task gets a fresh interpreter, with one thread a library unless it says otherwise, which is what Mitsuba and MXNet
want, and a log file for all that it prints. One that fails, or is killed, stops those that need it and no other; Ctrl-C
stops all, and no task outlives the process that started it.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from scenes.processes import end_with_parent

# Read by OpenMP, OpenBLAS and MXNet when they are loaded: with a process a core, threads only get in the way.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LOOK_SECONDS = 1.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Task:
    """name: unique. function: importable, called with *arguments, all of which can be pickled. after: names of
    tasks that must be done first. weight: how much work it is, beside the others. share: called here without
    arguments while it runs; how much of it is done, in [0, 1]. threads: of each library in its process."""

    name: str
    function: Callable
    arguments: tuple = ()
    after: tuple = ()
    weight: float = 1.0
    share: Callable | None = None
    threads: int = 1


def plain(name):
    """A name as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter == "." else "-" for letter in name)


class _Running:
    """A task under way: its process and the pipe on which it says how it ended."""

    def __init__(self, task, log, context):
        self.task, self.log = task, log
        self.answers, answer = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(task.function, task.arguments, str(log), answer),
                                       name=task.name, daemon=True)
        with _environment(dict.fromkeys(THREADS, str(task.threads))):
            self.process.start()
        answer.close()

    def fault(self):
        """None where an ended task did well, else one line on why not."""
        self.process.join()
        try:
            return self.answers.recv() if self.answers.poll() else self._death()
        except EOFError:
            return self._death()

    def _death(self):
        code = self.process.exitcode
        return f"its process was ended by signal {-code}" if code < 0 else f"its process ended with status {code}"


def run_tasks(tasks, workers, logs, tell=None, progress=None):
    """Run tasks, `workers` at a time, in the order given as far as `after` lets them.

    logs: folder for NAME.log of each, to which is appended. tell: called with a line when something fails.
    progress: called about once a second with (work done, names of what runs); work as the tasks' weights count it.
    Returns {name: one line on why} of the tasks that failed, or were not begun because one that they need did. On
    KeyboardInterrupt, and any other exception, everything that runs is ended before it is raised on. Raises
    ValueError for a name that is there twice, and a task that comes before one that it needs.
    """
    _check_order(tasks)
    context = multiprocessing.get_context("spawn")
    Path(logs).mkdir(parents=True, exist_ok=True)
    waiting, running, done, faults = list(tasks), [], {}, {}
    try:
        while waiting or running:
            for task in _blocked(waiting, faults):
                waiting.remove(task)
                faults[task.name] = f"not begun: {', '.join(name for name in task.after if name in faults)} failed"
            while len(running) < workers and (task := _next(waiting, done)):
                waiting.remove(task)
                running.append(_Running(task, Path(logs) / f"{task.name.replace('/', '-')}.log", context))
            if running:
                wait([one.process.sentinel for one in running], LOOK_SECONDS)
            for one in [one for one in running if not one.process.is_alive()]:
                running.remove(one)
                fault = one.fault()
                if fault is None:
                    done[one.task.name] = one.task.weight
                    continue
                faults[one.task.name] = fault
                if tell:
                    tell(f"failed: {one.task.name}: {fault} (see {one.log})")
            if progress:
                under_way = sum(one.task.weight * one.task.share() for one in running if one.task.share)
                progress(sum(done.values()) + under_way, [one.task.name for one in running])
    finally:
        _stop(running)
    return faults


def run_with_progress(tasks, workers, logs):
    """`run_tasks` with a progress bar, and a line for each that fails, on stderr."""
    from rich import progress as rich_progress
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True)
    columns = (rich_progress.BarColumn(), rich_progress.TaskProgressColumn(), rich_progress.TimeElapsedColumn(),
               rich_progress.TimeRemainingColumn(), rich_progress.TextColumn("{task.fields[running]}"))
    with rich_progress.Progress(*columns, console=console, speed_estimate_period=600) as bar:
        whole = bar.add_task("", total=sum(task.weight for task in tasks), running="")
        return run_tasks(tasks, workers, logs, lambda line: console.print(line, markup=False, highlight=False),
                         lambda done, names: bar.update(whole, completed=done, running=", ".join(names)))


def _check_order(tasks):
    names = set()
    for task in tasks:
        missing = [name for name in task.after if name not in names]
        if missing or task.name in names:
            raise ValueError(f"task {task.name} needs {', '.join(missing)}, which does not come before it" if missing
                             else f"there are two tasks {task.name}")
        names.add(task.name)


def _blocked(waiting, faults):
    return [task for task in waiting if any(name in faults for name in task.after)]


def _next(waiting, done):
    return next((task for task in waiting if all(name in done for name in task.after)), None)


def _stop(running):
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.join(STOP_SECONDS)
        if one.process.is_alive():
            one.process.kill()


@contextmanager
def _environment(values):
    """Within: environment variables, which a process that is started inherits."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _work(function, arguments, log, answer):
    """What a task's process does: all output into `log`, None or one line on what went wrong into `answer`."""
    # Ctrl-C reaches every process of the terminal; the one that started this answers it and ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    with open(log, "a", encoding="utf-8") as stream:
        for number in (1, 2):  # those of the process: libraries written in C print too
            os.dup2(stream.fileno(), number)
    try:
        function(*arguments)
    except BaseException as fault:
        traceback.print_exc()
        answer.send(" ".join(f"{type(fault).__name__}: {fault}".split()))
        sys.exit(1)
    answer.send(None)


