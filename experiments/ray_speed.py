"""How fast a batch is on Ray's workers, beside one process and beside processes of `foliopie measure --workers`.

Each is a process of its own that measures the same photos from the files to the answers, one after the other in rounds,
with a Ray cluster of this machine alone. A thread a worker everywhere. Two rates are told: of the whole batch, workers'
start included, and from the moment when all workers have answered once on.

    OUT/rounds/N/WHAT.json   what was timed in a round; what has one is not timed again
    OUT/logs/                what each process printed

On two cores that have nothing else to do, scale `paper` takes ten minutes.
"""

import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from deploy.bundle import DEFAULT_FOLDER, MANIFEST
from deploy.machine import processor
from deploy.processes import run_with_progress
from deploy.sources import Source, find_photos
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
    round_tasks,
)
from scenes.files import file_sha256, write_whole
from scenes.processes import cores

NAME = "ray-speed"
TITLE = "A batch on Ray's workers"
LIBRARIES = ("numpy", "openvino", "ray")
REFERENCE = "one process"
# What is timed -> (whether on Ray, workers).
WAYS = {REFERENCE: (False, 1), "2 processes": (False, 2), "Ray, 1 worker": (True, 1), "Ray, 2 workers": (True, 2),
        "Ray, 4 workers": (True, 4)}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """photos: of a batch, those that are given over and over."""

    rounds: int
    photos: int


SCALES = {"quick": Scale(1, 16), "paper": Scale(2, 100)}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_rounds(SCALES[request.scale], request)


def run_rounds(scale, request):
    """`run` at a Scale."""
    if not request.photos:
        raise ValueError(f"{NAME} needs photos to measure: --photos DIR")
    photos = [source.path.resolve() for source in find_photos([Path(request.photos)], recursive=False)]
    if not photos:
        raise ValueError(f"{request.photos} holds no photos: give another folder")
    out, bundle = Path(request.out), Path(request.bundle or DEFAULT_FOLDER).resolve()
    configuration = {**asdict(scale), "files": len(photos), "megabytes": round(sum(
        photo.stat().st_size for photo in photos) / 1e6, 1), "bundle_sha256": file_sha256(bundle / MANIFEST),
        "processor": processor(), "cores": cores()}  # fmt: skip
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    timed = [Timed(name, time_batch, (*way, photos, scale.photos, bundle), weight=1 / way[1])
             for name, way in WAYS.items()]
    tasks = round_tasks(out, scale.rounds, timed, 1)
    faults = run_with_progress(tasks, 1, out / "logs") if tasks else {}  # one at a time: they are timed
    ways = read_rounds(out, scale.rounds, WAYS, REFERENCE)
    if not ways:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | {"ways": ways}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def time_batch(on_ray, workers, photos, count, bundle, file):
    """Measure a batch of `count` photos, and write {"images_per_second", ...} into the JSON file."""
    sources = [Source(f"{number}-{photo.name}", photo, Path(str(number)))
               for number, photo in enumerate(islice(cycle(photos), count))]
    options = "auto", None, None, False, "0" * 16
    begun, ended, used = time.perf_counter(), [], []
    with closing(answers(on_ray, workers, sources, bundle, options)) as done:
        for one in done:
            if one.answer.get("error", {}).get("code") == "internal_error":
                raise RuntimeError(f"{one.answer['photo']}: {one.answer['error']['message']}")
            ended.append(time.perf_counter() - begun)
            used.append(time.process_time())
    # Answers come in order: with the one after the first of each worker none is still starting.
    warm = min(2 * workers, len(ended) - 2)
    told = {"images_per_second": (len(ended) - 1 - warm) / (ended[-1] - ended[warm]),
            "whole_per_second": len(ended) / ended[-1], "first_after_s": ended[0],
            "caller_ms": 1e3 * (used[-1] - used[warm]) / (len(ended) - 1 - warm)}
    write_whole(file, (json.dumps(told) + "\n").encode())


def answers(on_ray, workers, sources, bundle, options):
    """A generator of deploy.photo_task.Done, as `foliopie measure` has it, with a thread a worker."""
    from functools import partial

    from deploy.batch import in_order, in_processes
    from deploy.bundle import DEFAULT_FOLDER, Bundle
    from deploy.photo_task import lost, task_alone

    held = Bundle.load(bundle or DEFAULT_FOLDER, hold=True)
    if on_ray:
        from deploy.ray_cluster import LOCAL, measure_on_ray

        return measure_on_ray(LOCAL, sources, workers, held, options, lambda source, line: print(line))
    make = partial(task_alone, held, 1, *options)
    return in_order(make(), sources, 1) if workers == 1 else in_processes(make, sources, workers, lost)


HEADINGS = ["", *RATE_HEADINGS, *RATIO_HEADINGS, "whole batch, images/s", "first answer after, s",
            "caller's own, ms an image"]


def cells(document):
    """Lines of the table: list of lists of str."""
    return [[name, *rate_cells(told), number(np.median(told["whole_per_second"]), ".1f"),
             number(np.median(told["first_after_s"]), ".1f"), number(np.median(told["caller_ms"]), ".1f")]
            for name, told in document["ways"].items()]


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    explanation = (f"Batches of {configuration['photos']} photos, {configuration['files']} files of together "
                   f"{configuration['megabytes']} MB over and over, from the files to the answers, on "
                   f"{configuration['processor']}, {configuration['cores']} cores. Each worker computes in one thread.")
    notes = [f"Medians of {configuration['rounds']} rounds, each of which timed all of them, one after another. Times "
             f"as fast: as {REFERENCE}, in the same round. Nothing of the start is in these: the clock runs from when "
             "every worker has answered. The whole batch: with loading networks and, on Ray, starting a cluster. "
             "Caller's own: processor time of the process that sends photos and gathers answers; in one process that "
             "is all there is.",
             "More workers than cores gain nothing: four are here to see that they lose nothing.",
             f"Python {document['machine']['python']}, " + ", ".join(
                 f"{name} {document['machine'][name]}" for name in LIBRARIES) + "."]
    return page(document, TITLE, explanation, markdown_table(HEADINGS, cells(document)), notes)


def figure(document):
    """Images a second: the median as a bar, each round as a point."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(8, 1.0 + 0.4 * len(document["ways"])), layout="constrained")
    draw_rates(drawn.subplots(), document["ways"])
    return drawn
