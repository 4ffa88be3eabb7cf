"""The benchmark of a bundle: all rows that the machine can measure, in rounds, each in a process of its own.

    OUT/benchmark.json     the settings that it was begun with
    OUT/measured.jsonl     a line for all that is measured; what is there is not measured again
    OUT/networks/          converted runs, photos at the networks' sizes
    OUT/logs/              what each process printed
    OUT/results.json       what it comes to, with results.csv, README.md and index.html beside it
"""

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.benchmark import peak, worker
from deploy.benchmark.results import results_document
from deploy.benchmark.rows import NETWORKS, OPENVINO, PRECISIONS, all_rows, divide, facts, source_of
from deploy.bundle import MANIFEST, Bundle
from deploy.folder import begin
from deploy.golden import photo_paths
from deploy.machine import processor
from deploy.processes import Task, plain, run_with_progress
from deploy.rounds import in_order
from scenes.files import file_sha256
from scenes.processes import cores

SETTINGS = "benchmark.json"
SAMPLES = Path(__file__).parents[1] / "samples"  # photos that come with the package
PACKAGES = ("numpy", "opencv-python-headless", "openvino", "onnxruntime", "mxnet", "tensorflow", "keras")


@dataclass(frozen=True)
class Request:
    """What is asked for. bundle, out: folders. runs: {network: folder or None}. data: labelled dataset, or None.
    photos: folder of what is timed; without it data, or the photos that come with the package. price_per_hour: of the
    machine, or None. merge: results.json files of other machines. rounds: of all rows; seconds: a row in a round.
    threads: of every row; None: all cores. batches, streams: settings beside 1. benchmark_app: whether OpenVINO's own
    tool is run beside its rows."""

    bundle: Path
    out: Path
    runs: dict
    data: Path | None = None
    photos: Path | None = None
    price_per_hour: float | None = None
    merge: tuple = ()
    rounds: int = 5
    seconds: float = 2.0
    threads: int | None = None
    batches: tuple = (8,)
    streams: tuple = ()
    benchmark_app: bool = False


@dataclass(frozen=True)
class Plan:
    """What is to be done. rows: that can be measured. cannot: (Row, why not) of the others. work: what all processes
    are told. peaks: what the machine's peak is looked for in."""

    rows: list
    cannot: list
    work: worker.Work
    peaks: list


def run(request, timed=run_with_progress):
    """Measures what is not measured yet and writes what it comes to: (results as a dict for JSON, {what failed: why}).

    timed: `deploy.processes.run_with_progress`, or what a test has in its place. Raises deploy.bundle.BundleError,
    ValueError and OSError, all before anything is measured; KeyboardInterrupt, after which another call goes on.
    """
    others = [read_results(file) for file in request.merge]
    plan = plan_of(request)
    begin(request.out, settings_of(request, plan), SETTINGS, "benchmark")
    worker.mend(request.out)
    tasks = tasks_of(request, plan)
    # Never two at a time: they would be measured against each other.
    faults = timed(tasks, 1, Path(request.out) / "logs") if tasks else {}
    document = results_document(plan, request, worker.read_measured(request.out), faults, PACKAGES, others)
    return document, faults


def plan_of(request):
    """Plan of a Request. Raises deploy.bundle.BundleError, ValueError and OSError for what cannot be used."""
    bundle, threads = Bundle.load(request.bundle), request.threads or cores()
    for model, folder in request.runs.items():
        if folder and not (Path(folder) / "config.json").is_file():
            raise ValueError(f"{folder} is no run of `foliopie {model} train`: it has no config.json")
    known = facts(bundle, request.runs)
    streams = request.streams or doublings(threads)
    if max((*streams, 1)) > threads:
        raise ValueError(f"{max(streams)} streams cannot have a thread each of {threads}: give fewer --streams, or "
                         "more --threads")
    rows, cannot = divide(all_rows(request.batches, streams), known)
    files = {(model, precision): _file(request, bundle, model, source_of(model, precision, known))
             for model in NETWORKS for precision in PRECISIONS}
    specs = {model: bundle.input_spec(model) for model in NETWORKS}
    photos = request.photos or request.data or SAMPLES
    photo_paths(photos, None)  # raises
    if request.data:
        worker.judged_samples(request.data, worker.JUDGED)
    work = worker.Work(request.out, request.bundle, request.runs, files, specs, threads, request.seconds, photos,
                       request.data, tuple(sorted({1, *request.batches})))
    return Plan(rows, cannot, work, peak.subjects(known.devices, tuple(known.devices)))


def _file(request, bundle, model, source):
    """IR file of a source as `rows.source_of` names it; None of None."""
    if source == "run":
        return worker.converted_file(request.out, model)
    return source and bundle.model_path(model, source)


def doublings(threads):
    """2, 4, 8 and so on to as many as there are threads, and that many: (2, 4, 6) of 6."""
    return tuple(sorted({2**power for power in range(1, threads.bit_length()) if 2**power <= threads}
                        | ({threads} if threads > 1 else set())))


def settings_of(request, plan):
    """dict for JSON: all that decides the figures but the number of rounds, to which more can be added later."""
    return {"bundle_sha256": file_sha256(Path(request.bundle) / MANIFEST), "processor": processor(),
            "threads": plan.work.threads, "seconds": request.seconds, "rows": [row.name for row in plan.rows],
            "photos": Path(plan.work.photos).resolve().name,
            "data": request.data and Path(request.data).resolve().name,
            "runs": {model: folder and Path(folder).resolve().name for model, folder in request.runs.items()}}


def tasks_of(request, plan):
    """deploy.processes.Tasks of what is not done yet, in order: photos, conversion, rounds, judging."""
    work, done = plan.work, {(line["kind"], line["name"], line["round"]) for line in worker.read_measured(request.out)}
    tasks, ready = [], {model: () for model in NETWORKS}
    if not all((work.networks / f"{model}.npy").exists() for model in NETWORKS):
        tasks.append(Task("photos", worker.fit_inputs, (work,), threads=work.threads))
        ready = {model: ("photos",) for model in NETWORKS}
    for model in work.converted:
        if ("converted", model, 0) not in done:
            tasks.append(Task(f"networks/{model}", worker.convert, (work, model), weight=4.0, threads=work.threads))
            ready[model] += (tasks[-1].name,)
    needed = {row: tuple(dict.fromkeys(name for model in row.networks for name in ready[model])) for row in plan.rows}
    # A row that fails in one round is not tried in the next.
    last = dict(needed)
    for number in range(request.rounds):
        for kind, key, name, function in in_order(_timed(request, plan), number):
            if (kind, name, number) in done:
                continue
            after = last.get(key, ()) if kind == "timed" else needed.get(key, ())
            tasks.append(Task(f"round-{number + 1}/{kind}-{plain(name)}", function, (key, work, number), after,
                              weight=1.0, threads=work.threads))
            if kind == "timed":
                last[key] = (tasks[-1].name,)
    tasks += [Task(f"judged/{plain(row.answers_as)}", worker.judge_row, (row, work), needed[row], weight=2.0,
                   threads=work.threads)
              for row in plan.rows if row.is_plain and ("judged", row.answers_as, 0) not in done]
    return tasks


def _timed(request, plan):
    """What a round that is not backwards goes through: list of (kind of line, what it is of, its name, function)."""
    found = [("peak", subject, ", ".join(subject), worker.time_peak) for subject in plan.peaks]
    for row in plan.rows:
        found.append(("timed", row, row.name, worker.time_row))
        if request.benchmark_app and row.is_plain and row.runtime in OPENVINO and row.subject in NETWORKS:
            found.append(("benchmark_app", row, row.name, worker.time_benchmark_app))
    return found


def read_results(file):
    """results.json of another machine. Raises ValueError for another file, OSError."""
    from deploy.benchmark.results import KIND, SCHEMA

    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        if document["kind"] == KIND and document["schema"] == SCHEMA:
            return document
        found = f"it is {document['kind']!r} of schema {document['schema']!r}"
    except (ValueError, KeyError, TypeError) as fault:
        found = f"{type(fault).__name__}: {fault}"
    raise ValueError(f"{file} is no results.json of `foliopie deploy benchmark`, schema {SCHEMA} ({found}); give one "
                     "that this version wrote")
