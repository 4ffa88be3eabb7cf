"""The load test of `foliopie serve` on this machine, and what it comes to.

    OUT/load.json          the settings that it was begun with
    OUT/photos/            photos enlarged to --megapixels
    OUT/phases/NAME.json   what was measured in a phase (deploy.load.phases); what has one is not measured again
    OUT/service.log        what the service printed
    OUT/results.json       what it comes to, with README.md, and figure.png where matplotlib is installed
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np

from deploy.benchmark.run import SAMPLES
from deploy.benchmark.timing import ratios, spread_of
from deploy.bundle import DEFAULT_FOLDER, MANIFEST, Bundle
from deploy.folder import begin
from deploy.golden import photo_paths
from deploy.load.client import request_of
from deploy.load.phases import CALLERS_BESIDE_WORKERS, Plan, phases_of, serving
from deploy.machine import describe, processor
from deploy.overlay import jpeg_bytes
from deploy.service.settings import Settings
from scenes.files import file_sha256, write_whole
from scenes.images import read_photo
from scenes.processes import cores
from scenes.progress import progress_bars

KIND, SCHEMA = "foliopie load", 1
SETTINGS = "load.json"
PACKAGES = ("numpy", "opencv-python-headless", "openvino", "fastapi", "starlette", "uvicorn", "h11", "pydantic",
            "python-multipart")


@dataclass(frozen=True)
class Request:
    """What is asked for. out: folder. bundle: folder, or None for the one that ships. photos: folders of what is sent;
    without any, those of the package. megapixels: to which they are enlarged, or None. workers, threads: of the
    service; None: as of `foliopie serve`. callers: of the closed loop; None: two more than workers. seconds: of
    saturation. rounds: of batch and service beside each other. results: folder for another copy of the results."""

    out: Path
    bundle: Path | None = None
    photos: tuple = ()
    megapixels: float | None = None
    workers: int | None = None
    threads: int | None = None
    callers: int | None = None
    seconds: float = 600.0
    rounds: int = 3
    results: Path | None = None


def run(request):
    """Measures what is not measured yet: results as a dict for JSON.

    Raises deploy.bundle.BundleError, ValueError and OSError, all before anything is measured; ServiceError;
    KeyboardInterrupt, after which another call goes on.
    """
    plan = plan_of(request)
    begin(request.out, settings_of(request, plan), SETTINGS, "load test")
    if request.megapixels:
        plan = enlarged(plan, request.out / "photos", request.megapixels)
    done = measure(plan, request.rounds, request.out)
    return results_document(request, plan, done)


def plan_of(request):
    """deploy.load.phases.Plan of a Request. Raises what `run` does."""
    Bundle.load(request.bundle or DEFAULT_FOLDER)
    photos = tuple(path for folder in request.photos or (SAMPLES,) for path in photo_paths(folder, None))
    workers = request.workers or cores()
    threads = request.threads or max(1, cores() // workers)
    return Plan(request.bundle, photos, workers, threads, request.callers or workers + CALLERS_BESIDE_WORKERS,
                request.seconds)


def settings_of(request, plan):
    """dict for JSON: all that decides the figures but the number of rounds, to which more can be added later."""
    plain = {key: value for key, value in asdict(plan).items() if key not in ("bundle", "photos")}
    bundle = Path(request.bundle or DEFAULT_FOLDER) / MANIFEST
    return plain | {"bundle_sha256": file_sha256(bundle), "processor": processor(),
                    "photos": [path.name for path in plan.photos], "megapixels": request.megapixels}


def enlarged(plan, folder, megapixels):
    """The Plan with its photos at so many million pixels, as JPEGs in a folder."""
    paths = []
    for number, path in enumerate(plan.photos):
        paths.append(folder / f"{number:04d}-{path.stem}.jpg")
        if not paths[-1].exists():
            rgb = read_photo(path).rgb
            factor = np.sqrt(megapixels * 1e6 / (rgb.shape[0] * rgb.shape[1]))
            size = round(rgb.shape[1] * factor), round(rgb.shape[0] * factor)
            write_whole(paths[-1], jpeg_bytes(cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)))
    return replace(plan, photos=tuple(paths))


def measure(plan, rounds, out):
    """{phase: what was measured}, after all that is not there yet was measured, with a progress bar."""
    folder, phases = Path(out) / "phases", phases_of(plan, rounds)
    files = {name: folder / f"{name}.json" for name in phases}
    done = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}
    missing = [name for name in phases if name not in done]
    if not missing:
        return done
    requests = [request_of(path) for path in plan.photos]
    with progress_bars() as bars, serving(plan, requests, Path(out) / "service.log") as running:
        passed = bars("seconds", round(sum(phases[name][0] for name in missing)))
        for name in missing:
            done[name] = phases[name][1](running, done, passed)
            write_whole(files[name], (json.dumps(done[name]) + "\n").encode())
    return {name: done[name] for name in phases}


def results_document(request, plan, done):
    """dict for JSON of all that was measured; no path of the machine is in it."""
    rates = {kind: {int(name.split("-")[1]): told["images_per_second"] for name, told in done.items()
                    if name.startswith(f"{kind}-")} for kind in ("batch", "service")}
    sizes = [path.stat().st_size for path in plan.photos]
    return {
        "kind": KIND, "schema": SCHEMA, "date": date.today().isoformat(), "machine": describe(PACKAGES),
        "settings": settings_of(request, plan) | {
            "rounds": request.rounds, "queue": Settings.queue, "uploads": Settings.uploads,
            "photo_bytes": {"mean": float(np.mean(sizes)), "most": max(sizes)}},
        "batch": spread_of(list(rates["batch"].values())), "service": spread_of(list(rates["service"].values())),
        "service_to_batch": spread_of(ratios(rates["service"], rates["batch"])), "phases": done,
    }  # fmt: skip
