"""Bars of long work on the console."""

import time
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def columns():
    """What a bar shows; its task has a field `rate`."""
    return (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip


def no_progress(description, total):
    """A progress that shows nothing: (description, total) -> function of how many more are done."""
    return lambda count: None


@contextmanager
def progress_bars():
    """Gives a function (description, total) -> function of how many more are done; each call of the first is a bar.

    On stderr where that is a terminal, and gone when the work is done.
    """
    console = Console(stderr=True)
    with Progress(*columns(), console=console, transient=True, disable=not console.is_terminal) as bars:

        def add(description, total):
            task, started, done = bars.add_task(description, total=total, rate=""), time.perf_counter(), 0

            def tick(count):
                nonlocal done
                done += count
                bars.update(task, advance=count, rate=f"{done / (time.perf_counter() - started):.1f}/s")
                if done >= total:
                    bars.remove_task(task)

            return tick

        yield add
