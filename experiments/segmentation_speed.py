"""How fast segmentation networks are in each runtime, what accuracy that costs, and where the time goes.

The unslimmed PSPNet on EfficientNetB0, with random weights, since it is there for its time alone, in every runtime, a
frozen graph of TensorFlow being what all is held against; `fast_pspnet` at several input sizes in OpenVINO, with the
weights of runs, or random ones without a run; and a bundle's INT8 network as it is. Each is timed in a process of its
own, in rounds (experiments.rounds), with the same number of threads. Runs and the bundle are judged beside it.

    OUT/networks/NETWORK/      converted networks and photos (experiments.segmentation_timing)
    OUT/rounds/N/WHAT.json     what was timed in a round
    OUT/accuracy/NETWORK.json  mean IoU at each precision (experiments.segmentation_accuracy)
    OUT/profiles/NETWORK.json  the layers that take most time (experiments.layer_profile)
    OUT/logs/                  what each process printed

What is done is not done again. Leave the machine alone while it runs.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from deploy.accuracy import judged_samples
from deploy.bundle import MANIFEST, Bundle, BundleError
from deploy.machine import processor
from deploy.processes import Task, plain, run_with_progress
from experiments.catalogue import Outcome
from experiments.documents import head, write_results
from experiments.folder import begin
from experiments.photos import read_photos
from experiments.rounds import Timed, read_rounds, round_tasks
from experiments.runs import describe_pixel_run, pixel_run_config
from experiments.segmentation_accuracy import judge, judge_bundle, read_accuracy
from experiments.segmentation_report import HEADINGS, LIBRARIES, cells, figure, markdown
from experiments.segmentation_timing import (
    BUNDLE,
    HINTS,
    READY,
    REFERENCE,
    RUNTIMES,
    Network,
    prepare,
    profile,
    time_bundle,
    time_runtime,
)
from scenes.dataset import ANNOTATIONS, read_dataset
from scenes.files import file_sha256
from scenes.processes import cores
from segmentation.config import TrainConfig

NAME = "segmentation-speed"
B0, FAST = "PSPNet-B0", "fast_pspnet"


@dataclass(frozen=True)
class Scale:
    """rounds. photos: each timed `repeats` times in a round. calibration: photos that INT8 is quantised on. b0: height
    and width of PSPNet-B0's input; sizes: of the others; profiled: the one of sizes whose layers are told. judged:
    photos of the dataset that accuracy is told of, None for all."""

    rounds: int
    photos: int
    repeats: int
    calibration: int
    b0: tuple
    sizes: tuple
    profiled: tuple
    judged: int | None


SCALES = {
    "quick": Scale(1, 2, 1, 4, (96, 96), ((224, 192), (192, 192)), (192, 192), 4),
    "paper": Scale(5, 16, 10, 20, (473, 473), ((480, 352), (384, 288), (320, 256), (256, 192)), (384, 288), None),
}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_rounds(SCALES[request.scale], request)


def run_rounds(scale, request):
    """`run` at a Scale."""
    check(scale, request)
    out, threads = Path(request.out), request.threads or cores()
    networks = networks_of(scale, request)
    configuration = configuration_of(scale, request, threads)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    tasks = make_tasks(scale, request, networks, threads)
    faults = run_with_progress(tasks, 1, out / "logs") if tasks else {}  # one at a time, whatever --workers says
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | read_all(scale, request, networks)
    if not found["timed"]:
        return Outcome(None, faults)
    for place in filter(None, (out, request.results)):
        write_results(place, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def check(scale, request):
    """Raises ValueError for a Request that cannot be run, before anything is made."""
    if len(request.data) != 1:
        raise ValueError(f"{len(request.data)} datasets are given; {NAME} takes one, to time, quantise and judge on: "
                         "--data DIR")
    names = [B0, BUNDLE, *(name for name, _ in request.runs)]
    if len({plain(name) for name in names}) < len(names):
        raise ValueError(f"the networks are called {', '.join(names)}; give each run a name of its own")
    needed, there = max(scale.photos, scale.calibration), len(read_dataset(request.data[0]))
    if there < needed:
        raise ValueError(f"{request.data[0]} has {there} photos; {needed} are needed: give a dataset with more")
    if request.runs or request.bundle:
        judged_samples(request.data[0], scale.judged)
    if request.photos and not (request.runs or request.bundle):
        raise ValueError("--photos tell how good trained networks are: give a --run or a --bundle too")
    if request.bundle:
        try:
            Bundle.load(request.bundle).model_path("segmentation", "int8")
        except BundleError as fault:
            raise ValueError(str(fault)) from fault


def networks_of(scale, request):
    """What is timed beside the bundle: list of Networks, PSPNet-B0 first. Raises ValueError (segmentation.config's
    ConfigError among it) for a folder that is no run, and a run whose network cannot have one of the sizes."""
    runs = [(name, pixel_run_config(folder), Path(folder)) for name, folder in request.runs]
    if not runs:
        height, width = scale.sizes[0]
        config = TrainConfig(architecture="fast_pspnet", backbone="resnet18", fit="turn", height=height, width=width)
        runs = [(FAST, config, None)]
    height, width = scale.b0
    return [Network(B0, TrainConfig(height=height, width=width)),
            *(Network(name, replace(config, height=height, width=width), folder)
              for name, config, folder in runs for height, width in scale.sizes)]


def configuration_of(scale, request, threads):
    """dict for JSON: all that decides the numbers, the processor among it."""
    data, photos = Path(request.data[0]), request.photos and read_photos(request.photos)
    return {**asdict(scale), "runs": {name: describe_pixel_run(folder) for name, folder in request.runs},
            "dataset": data.resolve().name, "dataset_sha256": file_sha256(data / ANNOTATIONS),
            "photos_sha256": photos and [photos.sha256, photos.truth_sha256],
            "bundle_sha256": request.bundle and file_sha256(Path(request.bundle) / MANIFEST),
            "threads": threads, "processor": processor()}


def make_tasks(scale, request, networks, threads):
    """What is not done yet, in order: conversion, rounds, profiles, accuracy."""
    out, data, tasks, timed = Path(request.out), request.data[0], [], []
    prepared = {}  # label -> names of the tasks that must be done before the network is used
    for network in networks:
        folder, is_b0 = network_folder(out, network.label), network.name == B0
        prepared[network.label] = ()
        if not (folder / READY).exists():
            tasks.append(Task(f"networks/{folder.name}", prepare, (network, data, scale.photos, scale.calibration,
                                                                   is_b0, folder), weight=4.0))
            prepared[network.label] = (tasks[-1].name,)
        timed += [Timed(f"{network.label}, {name}", time_runtime, (name, network, folder, threads, scale.repeats),
                        prepared[network.label]) for name in (RUNTIMES if is_b0 else HINTS)]
    if request.bundle:
        timed.append(Timed(f"{bundle_label(request)}, OpenVINO INT8", time_bundle,
                           (request.bundle, data, scale.photos, threads, scale.repeats)))
    tasks += round_tasks(out, scale.rounds, timed, threads)
    for network in profiled(scale, networks):
        file = result_file(out, "profiles", network.label)
        arguments = (network_folder(out, network.label), threads, scale.repeats, file)
        tasks += [] if file.exists() else [Task(f"profiles/{file.stem}", profile, arguments, prepared[network.label],
                                                threads=threads)]
    common = (data, scale.judged, request.photos, threads)
    for label, network in judged(request, networks).items():
        file = result_file(out, "accuracy", label)
        if network:
            function, arguments = judge, (network, network_folder(out, label), *common, file)
        else:
            function, arguments = judge_bundle, (request.bundle, *common, file)
        tasks += [] if file.exists() else [Task(f"accuracy/{file.stem}", function, arguments, prepared.get(label, ()),
                                                weight=8.0, threads=threads)]
    return tasks


def profiled(scale, networks):
    """The Networks whose layers are told: PSPNet-B0, and the first of the others at the profiled size."""
    others = [network for network in networks[1:] if (network.config.height, network.config.width) == scale.profiled]
    return [networks[0], *others[:1]]


def judged(request, networks):
    """{label: Network, or None for the bundle} of what has weights that were trained."""
    found = {network.label: network for network in networks if network.run}
    return found | ({bundle_label(request): None} if request.bundle else {})


def bundle_label(request):
    """What the bundle's network is called: with its input's size."""
    spec = Bundle.load(request.bundle).input_spec("segmentation")
    return f"{BUNDLE} {spec.height}x{spec.width}"


def network_folder(out, label):
    """Where a network is prepared."""
    return Path(out) / "networks" / plain(label)


def result_file(out, kind, label):
    """Where a network's "accuracy" or one of the "profiles" is."""
    return Path(out) / kind / f"{plain(label)}.json"


def read_all(scale, request, networks):
    """dict for JSON of what is done: "timed", {network: {runtime: figures}}; "accuracy", {network: what
    experiments.segmentation_accuracy tells}; "profiles", {network: layers}; and what the processor can."""
    out = Path(request.out)
    names = [(network.label, name) for network in networks for name in (RUNTIMES if network.name == B0 else HINTS)]
    names += [(bundle_label(request), "OpenVINO INT8")] if request.bundle else []
    rounds = read_rounds(out, scale.rounds, [", ".join(pair) for pair in names], f"{networks[0].label}, {REFERENCE}")
    timed = {}
    for label, name in names:
        if told := rounds.get(f"{label}, {name}"):
            timed.setdefault(label, {})[name] = told
    accuracy = {label: read_accuracy(result_file(out, "accuracy", label)) for label in judged(request, networks)}
    profiles = {network.label: result_file(out, "profiles", network.label) for network in profiled(scale, networks)}
    ready = network_folder(out, networks[0].label) / READY
    return {"timed": timed, "accuracy": {label: told for label, told in accuracy.items() if told},
            "profiles": {label: json.loads(file.read_text(encoding="utf-8")) for label, file in profiles.items()
                         if file.exists()},
            **(json.loads(ready.read_text(encoding="utf-8")) if ready.exists() else {})}
