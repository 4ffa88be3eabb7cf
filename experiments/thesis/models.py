"""The thesis's segmentation models as they are: parameters of all, and photos a second of the base and the final one
(its figure 46), both as TensorFlow's frozen graphs at its input's size, and the final one as what is shipped here.

Weights are random: neither figure depends on them. Parameters are of the thesis's form (`segmentation.config`).

    OUT/networks/NAME/frozen.pb, images.npy    a model, and photos at its input's size
    OUT/parameters.json
    OUT/rounds/N/NAME.json                     as in experiments.rounds
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.processes import Task, run_with_progress
from deploy.tables import markdown_table
from experiments.catalogue import Outcome
from experiments.documents import head, page, write_results
from experiments.folder import begin
from experiments.rounds import (
    RATE_HEADINGS,
    RATIO_HEADINGS,
    Timed,
    draw_rates,
    rate_cells,
    read_rounds,
    round_tasks,
    time_calls,
)
from experiments.segmentation_timing import FROZEN, IMAGES
from experiments.thesis.case import PICTURES
from scenes.files import write_whole
from scenes.processes import cores
from segmentation.config import THESIS_FORM, TrainConfig
from segmentation.models.taps import MODELS

NAME = "thesis-models"
TITLE = "The thesis's segmentation models: parameters, and photos a second"
LIBRARIES = ("numpy", "tensorflow", "keras")
PARAMETERS = "parameters.json"
COUNTED = ("pspnet-resnet101", "pspnet-resnet50", "pspnet-efficientnetb0", "pspnet-efficientnetb3",
           "pspnet-efficientnetb4", "pspnet-efficientnetb5")
TIMED = {"base": "pspnet-resnet101", "final": "pspnet-efficientnetb4"}
REFERENCE = "base"


@dataclass(frozen=True)
class Scale:
    """side: of the input. rounds; repeats: answers a photo in a round. photos: how many. form: settings of models."""

    side: int
    rounds: int
    repeats: int
    photos: int
    form: dict


SCALES = {"quick": Scale(96, 1, 1, 2, {"pool_channels": 8, "auxiliary_channels": 8, "head_channels": 8}),
          "paper": Scale(473, 3, 2, 4, THESIS_FORM)}


def config_of(scale, model):
    """segmentation.config.TrainConfig of a model by its name on the command line."""
    architecture, backbone = MODELS[model]
    return TrainConfig(architecture=architecture, backbone=backbone, height=scale.side, width=scale.side, **scale.form)


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_models(SCALES[request.scale], request)


def run_models(scale, request):
    """`run` at a Scale."""
    out, threads = Path(request.out), request.threads or cores()
    configuration = {"side": scale.side, "rounds": scale.rounds, "repeats": scale.repeats, "photos": scale.photos,
                     "form": scale.form, "threads": threads}
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    faults = run_with_progress(make_tasks(scale, out, threads), 1, out / "logs")  # one at a time: they are timed
    rates = read_rounds(out, scale.rounds, TIMED, REFERENCE)
    if not (out / PARAMETERS).exists() or not rates:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | {
        "parameters": json.loads((out / PARAMETERS).read_text(encoding="utf-8")), "rates": rates}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def make_tasks(scale, out, threads):
    """Tasks of all that is not done."""
    tasks, timed = [], []
    if not (out / PARAMETERS).exists():
        tasks.append(Task("parameters", count_all, (scale, out / PARAMETERS), weight=30.0))
    for name, model in TIMED.items():
        folder, after = out / "networks" / name, ()
        if not (folder / IMAGES).exists():
            tasks.append(Task(f"{name}/frozen", prepare, (config_of(scale, model), scale.photos, folder), weight=60.0))
            after = (f"{name}/frozen",)
        timed.append(Timed(name, time_frozen, (folder, threads, scale.repeats), after, 30.0))
    return tasks + round_tasks(out, scale.rounds, timed, threads)


def count_all(scale, file):
    """Parameters of all models of COUNTED, auxiliary branch and BatchNorm's statistics included, into a JSON file; for
    a process of its own."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from segmentation.network import build_networks

    counts = {model: build_networks(config_of(scale, model), initial_weights=False).training.count_params()
              for model in COUNTED}
    write_whole(file, (json.dumps(counts, indent=1) + "\n").encode())


def prepare(config, photos, folder):
    """A frozen graph of a model with random weights, and photos at its input's size; for a process of its own."""
    from deploy.frozen_graph import freeze
    from experiments.segmentation_timing import Network, load, timed_images

    folder.mkdir(parents=True, exist_ok=True)
    freeze(load(Network("", config)), config.input_spec, folder / FROZEN)
    np.save(folder / IMAGES, timed_images(PICTURES, photos, config.input_spec))


def time_frozen(folder, threads, repeats, file):
    """Photos a second of a frozen graph, one after another, into a JSON file; for a process of its own."""
    from deploy.frozen_graph import FrozenGraph, keep_to_cpu, limit_tensorflow

    keep_to_cpu()
    limit_tensorflow(threads)
    rate, _ = time_calls(FrozenGraph(folder / FROZEN), np.load(folder / IMAGES), repeats)
    write_whole(file, (json.dumps({"images_per_second": rate}) + "\n").encode())


HEADINGS = ["", "model", "parameters", *RATE_HEADINGS, *RATIO_HEADINGS]


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS."""
    names = {model: name for name, model in TIMED.items()}
    lines = []
    for model, count in document["parameters"].items():
        told = document["rates"].get(names.get(model))
        lines.append([names.get(model, ""), model, f"{count:,}", *(rate_cells(told) if told else ["-"] * 4)])
    return lines


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    side = configuration["side"]
    explanation = (f"PSPNets of the thesis's forms at {side} x {side} with random weights, on which neither figure "
                   "depends. Parameters are those of the training model. The base model and the final one as "
                   f"TensorFlow's frozen graphs, one photo after another, {configuration['threads']} threads.")
    notes = ["The thesis has 12 photos a second for its base model and 33 for the final one, on an Nvidia Tesla T4."]
    return page(document, TITLE, explanation, markdown_table(HEADINGS, cells(document), texts=(0, 1)), notes)


def figure(document):
    """Photos a second, a bar a model, a point a round."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(8, 2), layout="constrained")
    draw_rates(drawn.subplots(), {f"{name}: {TIMED[name]}": told for name, told in document["rates"].items()},
               "photos a second")
    return drawn
