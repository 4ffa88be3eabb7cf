"""All experiments by name. What they are made of is imported when one is run."""

import importlib
from dataclasses import dataclass
from pathlib import Path

SCALES = ("quick", "paper")


@dataclass(frozen=True)
class Request:
    """How an experiment is to be run; None or empty: as it does by itself.

    out: folder to work in. scale: of SCALES. photos: folder of annotated photos to judge by. settings: JSON file of
    which photos belong together. data: datasets, in order. legs, textures: for rendering, as `scenes render` has
    them. workers: processes at a time. seeds: trainings of each kind. results: folder that gets a copy of the
    results.
    """

    out: Path
    scale: str = "quick"
    photos: Path | None = None
    settings: Path | None = None
    data: tuple = ()
    legs: Path | None = None
    textures: Path | None = None
    workers: int = 1
    seeds: int | None = None
    results: Path | None = None


@dataclass(frozen=True)
class Experiment:
    """name: on the command line. title: one line. module: has run(Request) -> Outcome. committed: folder of its
    results in the package."""

    name: str
    title: str
    module: str
    committed: str

    def run(self, request):
        """Run it: Outcome."""
        return importlib.import_module(self.module).run(request)


@dataclass(frozen=True)
class Outcome:
    """results: what results.json holds, or None where nothing could be told yet. faults: {what was not done: why}."""

    results: dict | None
    faults: dict


EXPERIMENTS = {experiment.name: experiment for experiment in (
    Experiment("scene-ablation", "Which of the choices in rendered scenes help on photos: each group left out in turn.",
               "experiments.scene_ablation", "results/scenes/ablation"),
    Experiment("scene-comparison", "Two datasets of scenes, the same image steps from scratch on each: which is better "
               "on photos.", "experiments.scene_comparison", "results/scenes/comparison"),
)}  # fmt: skip
