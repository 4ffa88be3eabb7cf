"""Very many photos in a row: whether memory, file handles or threads grow.

    OUT/soak.json      the settings that it was begun with
    OUT/parts/*.json   what was seen of a part; what has one is not done again
    OUT/results.json   what it comes to, with README.md, and figure.png where matplotlib is installed

Two parts: `meter`, one FootMeter in this process; `measure`, `foliopie measure` on a folder of links to the photos.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from itertools import cycle, islice
from pathlib import Path

from deploy.benchmark.run import SAMPLES
from deploy.bundle import DEFAULT_FOLDER, MANIFEST, Bundle
from deploy.folder import begin
from deploy.golden import photo_paths
from deploy.load.report import FIGURE, MEMORY_HEADINGS, MEMORY_NOTE, draw_memory, memory_cells, png
from deploy.load.watch import Watch, as_rows, growth, look
from deploy.machine import describe, processor
from deploy.meter import Failure, FootMeter
from deploy.tables import markdown_table
from scenes.files import file_sha256, place, write_whole
from scenes.progress import progress_bars

KIND, SCHEMA = "foliopie soak", 1
SETTINGS = "soak.json"
PACKAGES = ("numpy", "opencv-python-headless", "pillow", "openvino")
LOOKS = 200  # at the meter's process
TITLES = {"meter": "one FootMeter", "measure": "foliopie measure"}


class SoakError(Exception):
    """`foliopie measure` did not answer on all photos; its text is one line."""


@dataclass(frozen=True)
class Request:
    """What is asked for. out: folder. bundle: folder, or None for the one that ships. photos: folders of photos that
    are measured in turn; without any, those of the package. count: photos in a row. workers: of `foliopie measure`.
    results: folder for another copy of the results."""

    out: Path
    bundle: Path | None = None
    photos: tuple = ()
    count: int = 10_000
    workers: int = 2
    results: Path | None = None


def run(request):
    """Does the parts that are not done yet: results as a dict for JSON. Raises deploy.bundle.BundleError, ValueError,
    OSError, SoakError; KeyboardInterrupt, after which another call goes on with the part that was not done."""
    bundle = Bundle.load(request.bundle or DEFAULT_FOLDER).folder
    paths = [path for folder in request.photos or (SAMPLES,) for path in photo_paths(folder, None)]
    settings = {"bundle_sha256": file_sha256(Path(bundle) / MANIFEST), "processor": processor(),
                "photos": [path.name for path in paths], "count": request.count, "workers": request.workers}
    begin(request.out, settings, SETTINGS, "soak test")
    parts = {"meter": soak_meter, "measure": soak_measure}
    files = {name: Path(request.out) / "parts" / f"{name}.json" for name in parts}
    with progress_bars() as bars:
        for name, part in parts.items():
            if not files[name].exists():
                found = part(request, paths, bars(TITLES[name], request.count))
                write_whole(files[name], (json.dumps(found) + "\n").encode())
    found = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}
    return {"kind": KIND, "schema": SCHEMA, "date": date.today().isoformat(), "machine": describe(PACKAGES),
            "settings": settings, "parts": found}


def soak_meter(request, paths, tick):
    """What this process holds while one FootMeter measures: dict for JSON."""
    meter = FootMeter.load(request.bundle)
    began, samples, failed = time.perf_counter(), [look(os.getpid())], 0
    step = max(1, request.count // LOOKS)
    for number, result in enumerate(meter.measure_many(islice(cycle(paths), request.count), workers=1), 1):
        failed += isinstance(result, Failure)
        tick(1)
        if number % step == 0:
            samples.append(look(os.getpid(), number, time.perf_counter() - began))
    return told_of(samples, request.count, failed, time.perf_counter() - began)


def soak_measure(request, paths, tick):
    """What `foliopie measure` and its workers hold: dict for JSON."""
    folder, answers = Path(request.out) / "photos", Path(request.out) / "answers.json"
    shutil.rmtree(folder, ignore_errors=True)
    for number, path in enumerate(islice(cycle(paths), request.count)):
        place(path, folder / f"{number:06d}{path.suffix}", link=True)
    command = [sys.executable, "-m", "foliopie", "measure", str(folder), "--workers", str(request.workers),
               "--json", str(answers), *(["--bundle", str(request.bundle)] if request.bundle else [])]
    began, told = time.perf_counter(), _Lines(answers.with_name(answers.name + ".part"), tick)
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, process_group=0)
    try:
        with Watch(process.pid, told.count) as watch:
            process.wait()
        found = json.loads(answers.read_text(encoding="utf-8")) if answers.exists() else []
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    if len(found) != request.count:
        raise SoakError(f"foliopie measure ended with status {process.returncode} and {len(found)} of {request.count} "
                        "answers: please report it")
    answers.unlink()
    # The first looks find a process that is still loading, the last one that writes its answers.
    measuring = [sample for sample in watch.samples if sample.processes > request.workers and sample.photos]
    return told_of(measuring, request.count, sum("error" in answer for answer in found), time.perf_counter() - began)


class _Lines:
    """How many lines a file has that is still written."""

    def __init__(self, path, tick):
        self._path, self._tick, self._read, self._lines = path, tick, 0, 0

    def count(self):
        """As many as there are now, or were when it was removed; tells a progress bar of the new ones."""
        if self._path.exists():
            with open(self._path, "rb") as stream:
                stream.seek(self._read)
                fresh = stream.read()
            self._read += len(fresh)
            new = fresh.count(b"\n")
            self._lines += new
            self._tick(new)
        return self._lines


def told_of(samples, count, failed, seconds):
    """dict for JSON of a part."""
    return {"photos": count, "failed": failed, "seconds": seconds, "images_per_second": count / seconds,
            "memory": growth(samples), "samples": as_rows(samples)}


def markdown(document, drawn):
    """README.md of a document. drawn: whether there is a figure beside it."""
    machine, settings = document["machine"], document["settings"]
    lines = [
        f"# {settings['count']:,} photos in a row", "",
        f"{document['date']}. {machine['processor']}, {machine['system']}, {machine['cores']} cores; Python "
        f"{machine['python']}. {len(settings['photos'])} photos in turn: through one FootMeter in one process, and as "
        f"links in a folder through `foliopie measure --workers {settings['workers']}`. "
        f"{MEMORY_NOTE} It begins with the first tenth of the photos.",
    ]  # fmt: skip
    for name, part in document["parts"].items():
        lines += ["", f"## {TITLES[name]}", "",
                  f"{part['photos']} photos, {part['failed']} without an answer, {part['images_per_second']:.2f} a "
                  "second.", "", *markdown_table(["", *MEMORY_HEADINGS[1:]], memory_cells(part["memory"]))]
    return "\n".join([*lines, *(["", f"![figure]({FIGURE})"] if drawn else []), ""])


def figure(document):
    """PNG, bytes: memory over the photos, a panel each part."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    for panel, (name, part) in zip(drawn.subplots(1, 2), document["parts"].items(), strict=True):
        draw_memory(panel, part["samples"])
        panel.set_title(TITLES[name])
    return png(drawn)
