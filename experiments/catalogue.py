"""All experiments by name. What they are made of is imported when one is run."""

import importlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.thesis.items import ITEMS, NUMBERS
from experiments.thesis.trainings import TRAININGS

SCALES = ("quick", "paper")


@dataclass(frozen=True)
class Request:
    """How an experiment is to be run; None or empty: as it does by itself.

    out: folder to work in. scale: of SCALES. photos: folder of annotated photos to judge by. settings: JSON file of
    which photos belong together. data: datasets, in order. test: dataset to judge by; split: which of its splits. runs:
    (name, folder of a finished training) in order. bundle: folder of a bundle. legs, textures: for rendering, as
    `scenes render` has them. workers: processes at a time. threads: of a process whose speed is told, or that
    trains. seeds: trainings of each kind. results: folder that gets a copy of the results.
    """

    out: Path
    scale: str = "quick"
    photos: Path | None = None
    settings: Path | None = None
    data: tuple = ()
    test: Path | None = None
    split: str | None = None
    runs: tuple = ()
    bundle: Path | None = None
    legs: Path | None = None
    textures: Path | None = None
    workers: int = 1
    threads: int | None = None
    seeds: int | None = None
    results: Path | None = None
    trainings: tuple = ()


@dataclass(frozen=True)
class Experiment:
    """name: on the command line. title: one line. module: has run(Request) -> Outcome. committed: folder of its
    results in the package. usage: the options of its own, as they are written on the command line. frameworks: what
    must be installed; renders: that it makes scenes where no --data is given. trainings: as in Request. shared: name of
    the folder to work in where several work in one."""

    name: str
    title: str
    module: str
    committed: str
    usage: str
    frameworks: tuple = ("mxnet", "gluoncv", "matplotlib")
    renders: bool = False
    trainings: tuple = ()
    shared: str = ""

    @property
    def options(self):
        """Names of the options of its own."""
        return tuple(re.findall(r"--(\w+)", self.usage))

    def run(self, request):
        """Run it: Outcome."""
        return importlib.import_module(self.module).run(replace(request, trainings=self.trainings))


@dataclass(frozen=True)
class Outcome:
    """results: what results.json holds, or None where nothing could be told yet. faults: {what was not done: why}.
    table: (headings, cells) of what is told on the console, lists of str, or None."""

    results: dict | None
    faults: dict
    table: tuple | None = None


EXPERIMENTS = {experiment.name: experiment for experiment in (
    Experiment("scene-ablation", "Which of the choices in rendered scenes help on photos: each group left out in turn.",
               "experiments.scene_ablation", "results/scenes/ablation",
               "[--photos DIR [--settings FILE]] [--legs FILE] [--textures DIR] [--seeds N]", renders=True),
    Experiment("scene-comparison", "Two datasets of scenes, the same image steps from scratch on each: which is better "
               "on photos.", "experiments.scene_comparison", "results/scenes/comparison",
               "[--data FIRST --data SECOND --photos DIR] [--settings FILE] [--legs FILE] [--textures DIR] [--seeds N]",
               renders=True),
    Experiment("corner-overfit", "Whether every model, loss and kind of maps can learn sixteen scenes by heart, and is "
               "the same in ONNX.", "experiments.corner_overfit", "results/corners/overfit", "--data DIR",
               ("mxnet", "gluoncv", "matplotlib", "onnx", "onnxruntime")),
    Experiment("corner-models", "SimplePose, hourglass or pyramid, on corners seen and covered: trained on the same "
               "scenes, or as given.", "experiments.corner_models", "results/corners/models",
               "[--data DIR] [--run NAME=FOLDER ...] [--test DIR [--split NAME]] [--photos DIR [--settings FILE]] "
               "[--seeds N]"),
    Experiment("corner-turn", "Errors of corner networks against the direction of the sheet, all the way round.",
               "experiments.corner_turn", "results/corners/turn", "--run NAME=FOLDER ... --test DIR [--split NAME]"),
    Experiment("corner-speed", "How fast a corner network is in each runtime, and how fast it learns beside GluonCV's "
               "loop.", "experiments.corner_speed", "results/corners/speed",
               "--run NAME=FOLDER --data DIR [--bundle DIR] [--threads N]",
               ("mxnet", "gluoncv", "matplotlib", "onnx", "onnxruntime", "openvino")),
    Experiment("segmentation-overfit", "Whether every segmentation model and loss can learn sixteen scenes by heart, "
               "and is the same once it is converted.", "experiments.segmentation_overfit",
               "results/segmentation/overfit", "--data DIR [--threads N]",
               ("tensorflow", "keras", "matplotlib", "onnx", "tf2onnx", "onnxruntime", "openvino")),
    Experiment("segmentation-speed", "How fast segmentation networks are in each runtime, what accuracy that costs, "
               "and where the time goes.", "experiments.segmentation_speed", "results/segmentation/speed",
               "--data DIR [--run NAME=FOLDER ...] [--bundle DIR] [--photos DIR] [--threads N]",
               ("tensorflow", "keras", "matplotlib", "tf2onnx", "onnxruntime", "openvino", "nncf")),
    Experiment("figure57", "What can displace a segmentation network's masks on the way through ONNX: each cause "
               "alone, and ours.", "experiments.figure57", "results/figure57", "[--run NAME=FOLDER ...]",
               ("tensorflow", "keras", "matplotlib", "onnx", "tf2onnx", "onnxruntime", "openvino")),
    Experiment("gate", "What faults of photos do to the error in millimetres: where the limits of warnings belong.",
               "experiments.gate", "results/gate", "--test DIR [--split NAME] [--bundle DIR]",
               ("openvino", "matplotlib")),
    Experiment("classical", "Sheet and feet by classical means, no network, beside a bundle's networks.",
               "experiments.classical", "results/classical",
               "--test DIR [--split NAME] [--photos DIR] [--bundle DIR] [--threads N]", ("openvino", "matplotlib")),
    Experiment("ray-speed", "How many photos a second Ray's workers measure, beside one process and two.",
               "experiments.ray_speed", "results/ray", "--photos DIR [--bundle DIR]",
               ("openvino", "matplotlib", "ray")),
    Experiment("killed", "Both trainings and rendering killed at random moments and begun again: what comes out beside "
               "what was never killed.", "experiments.killed", "results/killed", "",
               ("mxnet", "gluoncv", "tensorflow", "keras", "matplotlib"), renders=True),
    Experiment("thesis-models", "Parameters of the thesis's segmentation models, and photos a second of its base and "
               "its final one.", "experiments.thesis.models", "results/thesis/models", "[--threads N]",
               ("tensorflow", "keras", "matplotlib")),
    Experiment("thesis", "All trainings of the thesis, for all of its tables and figures.", "experiments.thesis.run",
               "results/thesis", "--data DIR ... [--seeds N] [--threads N]",
               ("mxnet", "gluoncv", "tensorflow", "keras"), trainings=tuple(TRAININGS), shared="thesis"),
)}  # fmt: skip


def _experiment_of(item):
    """Experiment that makes what an experiments.thesis.items.Item tells."""
    if item.experiment and not item.trainings:
        return EXPERIMENTS[item.experiment]
    kinds = {TRAININGS[name].kind for name in item.trainings} or {"pixels"}
    frameworks = [name for kind, names in (("corners", ("mxnet", "gluoncv")), ("pixels", ("tensorflow", "keras")))
                  for name in names if kind in kinds]
    return replace(EXPERIMENTS["thesis"], name=item.name, title=f"{item.title}.", trainings=item.trainings,
                   frameworks=tuple(frameworks))


# Tables and figures of the thesis, by name and by number, and what makes them.
THESIS = {item.name: _experiment_of(item) for item in ITEMS.values() if item.trainings or item.experiment
          or item.name == "data"} | {number: _experiment_of(item) for number, item in NUMBERS.items()}
NAMES = EXPERIMENTS | THESIS
