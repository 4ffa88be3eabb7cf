"""How fast one corner network is in each runtime, and how fast it learns, everything timed alike.

Each runtime is timed in a process of its own, in rounds (experiments.rounds), with the same number of threads. So are
two training loops: `keypoints.train`, and the kind that comes with GluonCV (experiments.gluon_loop).

    OUT/networks/            the run's network, converted, and the photos (experiments.timing)
    OUT/scenes/              what is trained on
    OUT/rounds/N/WHAT.json   what was timed in a round
    OUT/logs/                what each process printed

At scale `paper` it takes ten minutes. Leave the machine alone meanwhile.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from deploy.bundle import MANIFEST, Bundle, BundleError
from deploy.machine import processor
from deploy.processes import Task, run_with_progress
from deploy.tables import markdown_table, number
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
    round_file,
    round_tasks,
)
from experiments.runs import check_runs, describe_run, run_config
from experiments.timing import EPOCHS, HINTS, READY, prepare, time_runtime, time_training
from experiments.training import link_scenes
from keypoints.config import TrainConfig
from keypoints.decoding import points_in_input
from keypoints.metrics import cyclic_errors
from scenes.dataset import read_dataset
from scenes.files import file_sha256
from scenes.processes import cores

NAME = "corner-speed"
TITLE = "How fast the corner network is, and how fast it learns"
LIBRARIES = ("numpy", "mxnet", "gluoncv", "onnx", "onnxruntime", "openvino", "nncf")
RUNTIMES = ("MXNet", "ONNX Runtime", *HINTS)
REFERENCE = RUNTIMES[0]
# Training loop -> threads that prepare GluonCV's batches; None: keypoints.train.
LOOPS = {"GluonCV's loop": 0, "GluonCV's loop, a thread for data": 1, "keypoints.train": None}
LOOP_REFERENCE = "GluonCV's loop"
TRAINED_MODEL = "simple_pose_resnet18_v1b"


@dataclass(frozen=True)
class Scale:
    """rounds. photos: each timed `repeats` times in a round. training_photos: in batches of `batch`, without a rest."""

    rounds: int
    photos: int
    repeats: int
    training_photos: int
    batch: int


SCALES = {"quick": Scale(1, 4, 2, 8, 4), "paper": Scale(5, 16, 10, 192, 16)}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_rounds(SCALES[request.scale], request)


def run_rounds(scale, request):
    """`run` at a Scale."""
    name, folder = check(request)
    out, threads = Path(request.out), request.threads or cores()
    samples = read_dataset(request.data[0])
    if len(samples) < max(scale.photos, scale.training_photos + 1):
        raise ValueError(f"{request.data[0]} has {len(samples)} photos; {max(scale.photos, scale.training_photos + 1)} "
                         "are needed: give a dataset with more")
    configuration = configuration_of(scale, request, name, folder, threads)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    link_scenes(out / "scenes", request.data[0], {"train": samples[:scale.training_photos],
                                                  "validation": samples[scale.training_photos:][:1]})
    tasks = make_tasks(scale, request, folder, threads)
    faults = run_with_progress(tasks, 1, out / "logs") if tasks else {}  # one at a time, whatever --workers says
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | read_all(scale, out, folder)
    if not found["runtimes"]:
        return Outcome(None, faults)
    for place in filter(None, (out, request.results)):
        write_results(place, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found["runtimes"]) + cells(found["training"])))


def check(request):
    """(name, folder) of the one run of a Request. Raises ValueError for anything else, before anything is made."""
    if len(request.runs) != 1 or len(request.data) != 1:
        raise ValueError(f"{len(request.runs)} runs and {len(request.data)} datasets are given; {NAME} times one run "
                         "on one dataset's photos: --run NAME=FOLDER --data DIR")
    check_runs(request.runs)
    name, folder = request.runs[0]
    config = run_config(folder)
    if config.is_regression or config.input != "rgb":
        raise ValueError(f"{folder} is a {config.model} of input {config.input!r}; {NAME} is for networks that see "
                         "photos and draw heatmaps")
    if request.bundle:
        try:
            Bundle.load(request.bundle).model_path("keypoints", "int8")
        except BundleError as fault:
            raise ValueError(str(fault)) from fault
    return name, Path(folder)


def configuration_of(scale, request, name, folder, threads):
    """dict for JSON: all that decides the numbers, the processor among it."""
    return {**asdict(scale), "run": name, **describe_run(folder), "dataset": Path(request.data[0]).resolve().name,
            "bundle_sha256": request.bundle and file_sha256(Path(request.bundle) / MANIFEST),
            "trained_model": TRAINED_MODEL, "threads": threads, "processor": processor()}


def training_config(scale, folder):
    """TrainConfig of the timed trainings: a SimplePose-R18 of the run's input."""
    config = run_config(folder)
    return TrainConfig(TRAINED_MODEL, height=config.height, width=config.width, batch=scale.batch, epochs=EPOCHS)


def make_tasks(scale, request, folder, threads):
    """What is not timed yet, in order; conversion first where it is not done."""
    out, tasks, after = Path(request.out), [], ()
    networks = out / "networks"
    if not (networks / READY).exists():
        tasks.append(Task("networks", prepare, (folder, request.data[0], scale.photos, request.bundle, networks),
                          weight=2.0))
        after = ("networks",)
    timed = [Timed(name, time_runtime, (name, folder, networks, request.bundle, threads, scale.repeats), after)
             for name in RUNTIMES if request.bundle or name != "OpenVINO INT8"]
    timed += [Timed(name, time_training, (out / "scenes", training_config(scale, folder), workers, threads), weight=3.0)
              for name, workers in LOOPS.items()]
    return tasks + round_tasks(out, scale.rounds, timed, threads)


def read_all(scale, out, folder):
    """dict for JSON: "runtimes" and "training", {name: figures}, and what the processor can."""
    found = {"runtimes": read_rounds(out, scale.rounds, RUNTIMES, REFERENCE),
             "training": read_rounds(out, scale.rounds, LOOPS, LOOP_REFERENCE)}
    for name, told in found["runtimes"].items():
        told["corners_px"] = None if name == REFERENCE else corner_differences(scale, out, folder, name)
    ready = out / "networks" / READY
    return found | (json.loads(ready.read_text(encoding="utf-8")) if ready.exists() else {})


def corner_differences(scale, out, folder, name):
    """How far the corners of a runtime are from MXNet's on the photos, pixels of the input: dict for JSON. Of the first
    round that has both; None without."""
    config = run_config(folder)
    for k in range(scale.rounds):
        files = [round_file(out, k, one).with_suffix(".npy") for one in (REFERENCE, name)]
        if all(file.exists() for file in files):
            ours, theirs = (np.array([points_in_input(heatmaps, config)[0] for heatmaps in np.load(file)])
                            for file in files)
            errors = cyclic_errors(theirs, ours, np.full(ours.shape[:2], 2))
            return {"median": float(np.median(errors)), "p95": float(np.percentile(errors, 95)),
                    "largest": float(errors.max())}
    return None


HEADINGS = ["", *RATE_HEADINGS, *RATIO_HEADINGS, "corners off by, median px", "p95", "largest", "waiting for data"]


def cells(found):
    """Lines of the table, of "runtimes" or "training": list of lists of str."""
    lines = []
    for name, told in found.items():
        corners, waiting = told.get("corners_px"), told.get("waiting_share")
        lines.append([name, *rate_cells(told),
                      *(number(corners and corners[key], ".3f") for key in ("median", "p95", "largest")),
                      f"{100 * np.median(waiting):.0f} %" if waiting else "-"])
    return lines


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    size = f"{configuration['height']} x {configuration['width']}"
    explanation = (f"`{configuration['run']}`, a {configuration['model']} of {size}, on {configuration['processor']} "
                   f"with {configuration['threads']} thread{'s' * (configuration['threads'] > 1)}: one photo at a time "
                   "from its pixels at the network's size to its heatmaps, in each runtime; and SimplePose-R18 in "
                   f"training, in batches of {configuration['batch']}.")
    table = [*markdown_table(HEADINGS[:8], [line[:8] for line in cells(document["runtimes"])]), "",
             *markdown_table(["training", *HEADINGS[1:5], HEADINGS[8]],
                             [[*line[:5], line[8]] for line in cells(document["training"])])]
    versions = ", ".join(f"{name} {document['machine'][name]}" for name in LIBRARIES if document["machine"][name])
    notes = [f"Medians of {configuration['rounds']} rounds, each of which timed all of them, one process after "
             f"another: {configuration['photos']} photos {configuration['repeats']} times, and a pass over "
             f"{configuration['training_photos']} photos. Times as fast: as {REFERENCE}, or as {LOOP_REFERENCE}, in "
             "the same round. Corners off by: distance to the corners that MXNet finds, in pixels of the network's "
             "input, nothing sharpened.",
             "INT8: the last convolutions stay in floats, as `foliopie deploy quantize` leaves it. The loops do not do "
             "the same for each photo: `keypoints.train` holds decoded photos in memory, changes them in more ways, "
             "reads ahead with a thread of its own and keeps an average of the weights; GluonCV's reads them anew, "
             "turns, scales and mirrors. Waiting for data: share of the training's time.",
             "The thesis that foliopie reproduces has (section 5.2.2) about 0.15 seconds for SimplePose in OpenVINO on "
             "the CPU of an Intel server, and about as much in ONNX on a GPU.",
             f"Python {document['machine']['python']}, {versions}."]
    if "BF16" not in document.get("processor_can", ["BF16"]):
        notes.append("This processor has no BF16: OpenVINO computed that row in FP32.")
    return page(document, TITLE, explanation, table, notes)


def figure(document):
    """Images a second: the median as a bar, each round as a point; runtimes above, training below."""
    from matplotlib.figure import Figure

    kinds = [kind for kind in ("runtimes", "training") if document[kind]]
    drawn = Figure(figsize=(8, 1.4 + 0.4 * sum(len(document[kind]) for kind in kinds)), layout="constrained")
    panels = drawn.subplots(len(kinds), 1, squeeze=False,
                            height_ratios=[len(document[kind]) for kind in kinds])[:, 0]
    for panel, kind in zip(panels, kinds, strict=True):
        draw_rates(panel, document[kind], "images a second" if kind == "runtimes" else "images a second in training")
    return drawn
