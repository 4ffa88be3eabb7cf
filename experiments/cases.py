"""An experiment of cases: each is a task of its own, and what came out of it a JSON file.

    OUT/runs/CASE/         a training
    OUT/cases/CASE.json    what came out; a case that has it is done
    OUT/logs/              what each process printed
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from deploy.processes import run_with_progress


@dataclass(frozen=True)
class Case:
    """name. image_steps: at most. settings: of the training's configuration, beside those of all cases."""

    name: str
    image_steps: int
    settings: dict = field(default_factory=dict)

    @property
    def file_name(self):
        """Its name where folders and files are called by it."""
        return self.name.replace(" ", "-")


def run_folder(out, case):
    """Where a case is trained."""
    return Path(out) / "runs" / case.file_name


def case_file(out, case):
    """Where a case's findings are."""
    return Path(out) / "cases" / f"{case.file_name}.json"


def run_missing(out, cases, make_task, workers):
    """Run the cases that have no findings yet, those of the least weight first: ({name: findings of each that has
    them}, {name: one line on why} of those that failed).

    make_task: a function of a Case, to a deploy.processes.Task that writes `case_file`.
    """
    tasks = sorted((make_task(case) for case in cases if not case_file(out, case).exists()),
                   key=lambda task: task.weight)
    faults = run_with_progress(tasks, workers, Path(out) / "logs") if tasks else {}
    found = {case.name: json.loads(case_file(out, case).read_text(encoding="utf-8"))
             for case in cases if case_file(out, case).exists()}
    return found, faults


def describe_cases(cases):
    """dict for JSON: all that decides what comes out of each."""
    return {case.name: {"image_steps": case.image_steps, "settings": case.settings} for case in cases}


def draw_curves(panels, ylabel, limit, scale):
    """matplotlib Figure of what was reached against image steps, a panel beside the other.

    panels: {title: {name of a case: list of (image steps, value)}}. limit: value that is to be reached. scale: of
    values, as matplotlib calls it.
    """
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10, 4.2), layout="constrained")
    axes = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, (title, curves) in zip(axes, panels.items(), strict=True):
        for name, curve in curves.items():
            panel.plot(*zip(*curve, strict=True), label=name, marker="o", ms=3)
        panel.axhline(limit, color="black", lw=0.8, ls="--")
        panel.set(xlabel="image steps", yscale=scale, title=title)
        panel.yaxis.set_major_formatter("{x:g}")
        panel.grid(alpha=0.25)
        if curves:
            panel.legend(fontsize=8, frameon=False)
    axes[0].set_ylabel(ylabel)
    return drawn
