"""Many scenes into a dataset folder: in parallel, resumable, the same files for the same seed.

Each scene's generator is seeded by (split, seed, index) alone, so neither the number of workers nor an
interruption changes a file. What is finished is recorded scene by scene under ``.scenes/`` and becomes
``annotations.json`` at the end.
"""

import hashlib
import json
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scenes.dataset import SPLITS, write_annotations
from scenes.files import write_whole
from scenes.processes import end_with_parent

RECORDS = ".scenes"
RECIPE_FILE = "render.json"
ATTEMPTS = 3  # at drawing a scene that can be built
# Raise it whenever the same seed would give other pictures: a folder of another version is not continued.
RECIPE_VERSION = 5


@dataclass(frozen=True)
class Recipe:
    """What decides every pixel of a dataset; kept beside it as ``render.json``.

    How many scenes a split has is not part of it: a dataset may grow.
    """

    seed: int
    size: tuple[int, int]
    legs: str | None  # sha256 of the file of legs; None: the project's own procedural leg
    textures: str | None  # sha256 over names and contents of the folder of textures; None: procedural floors only
    config: dict  # of the `SceneConfig`
    version: int = RECIPE_VERSION


@dataclass(frozen=True, order=True)
class Job:
    """One scene of a dataset."""

    split: str
    index: int

    @property
    def name(self):
        return f"{self.split}_{self.index:06d}"


def _sha256(paths):
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _encoded(extension, picture, parameters=()):
    done, data = cv2.imencode(extension, picture, list(parameters))
    if not done:
        raise OSError(f"OpenCV could not encode a {picture.shape} {picture.dtype} picture as {extension}")
    return data.tobytes()


class _Worker:
    """What one process keeps between scenes: settings, the library of legs, the list of textures."""

    def __init__(self, folder, seed, size, legs, textures, config):
        self.folder, self.seed, self.size, self.config = folder, seed, size, config
        self.sources = read_sources(legs, textures, seed)

    def render(self, job):
        """One scene's photo, mask and record on disk; the record last, for it says that the others are whole.

        Returns None, or what went wrong in one line.
        """
        from scenes.rendering.scene import render_scene

        for attempt in range(ATTEMPTS):
            draw = [attempt] if attempt else []
            rng = np.random.default_rng([SPLITS.index(job.split), self.seed, job.index, *draw])
            try:
                rendered = render_scene(rng, self.size, self.sources, self.config)
            except OSError:
                raise  # a file that cannot be read: nothing that another draw would mend
            except Exception as error:  # qhull, Mitsuba and OpenCV each have their own kinds
                # A shape that cannot be built costs one draw, not a night's rendering.
                problem = f"scene {job.name} of seed {self.seed}: {type(error).__name__}: {error}"
                continue
            write_scene(self.folder, job, self.seed, rendered)
            return None
        return problem


def read_sources(legs, textures, seed):
    """`Sources` of a file of legs and a folder of textures, each a path or None.

    Without a file the project's own shapes of ``seed`` are used.
    """
    from scenes.rendering.leg_library import LegLibrary
    from scenes.rendering.leg_pool import LegPool
    from scenes.rendering.scene import Sources
    from scenes.rendering.surfaces import texture_files

    return Sources(LegLibrary(legs) if legs else LegPool(seed), tuple(texture_files(textures)) if textures else ())


def write_scene(folder, job, seed, rendered):
    """Photo, mask and record of a `Rendered` scene into the dataset ``folder``."""
    jpeg = _encoded(".jpg", cv2.cvtColor(rendered.photo, cv2.COLOR_RGB2BGR),
                    (cv2.IMWRITE_JPEG_QUALITY, rendered.jpeg_quality))
    write_whole(folder / "images" / f"{job.name}.jpg", jpeg)
    write_whole(folder / "masks" / f"{job.name}.png", _encoded(".png", rendered.mask))
    attributes = rendered.record["attributes"] | {"seed": seed, "split": job.split}
    record = rendered.record | {"file_name": f"{job.name}.jpg", "attributes": attributes}
    write_whole(folder / RECORDS / f"{job.name}.json", json.dumps(record).encode())


_worker = None


def _start_worker(*arguments):
    global _worker  # one per process: pickling the library with every scene would cost more than the scene
    import drjit

    cv2.setNumThreads(1)
    drjit.set_thread_count(1)  # Mitsuba's own pool: one process a core is faster than threads
    _worker = _Worker(*arguments)


def _start_pooled_worker(*arguments):
    # Ctrl-C reaches every process of the terminal; the parent answers it, and these end with their scene.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _start_worker(*arguments)


def _render(job):
    return _worker.render(job)


def _difference(found, wanted):
    """With what else a folder was begun, and what to do: the rest of a sentence. Both are recipes as JSON has them."""
    if found.get("version") != wanted["version"]:
        return "with another version of foliopie: name another folder"
    options = {"config": "what --without leaves out", "legs": "the file of --legs",
               "textures": "the files of --textures"}
    different = sorted(key for key in wanted if found.get(key) != wanted[key])
    told = ", ".join(f"{key}: {options[key]}" if key in options else key for key in different)
    return f"with other settings ({told}): name another folder, or give the options that it was begun with"


def _check_recipe(folder, recipe):
    """Writes the recipe of a new folder; refuses to mix two recipes in one."""
    path = folder / RECIPE_FILE
    if path.exists():
        found = json.loads(path.read_text())
        wanted = json.loads(json.dumps(asdict(recipe)))
        if found != wanted:
            raise ValueError(f"{folder} was begun {_difference(found, wanted)}")
        return
    if (folder / "annotations.json").exists():
        raise ValueError(f"{folder} holds a dataset that was not rendered here: name another folder")
    write_whole(path, json.dumps(asdict(recipe), indent=1).encode())


def _check_numbers(counts, seed, workers):
    if not counts or min(counts.values()) < 1 or workers < 1 or seed < 0:
        raise ValueError(f"scenes {counts}, workers {workers}, seed {seed}: scenes and workers are at least 1, "
                         "the seed at least 0")
    unknown = [split for split in counts if split not in SPLITS]
    if unknown:
        raise ValueError(f"split {unknown[0]!r}: one of {', '.join(SPLITS)}")


def _check_growth(folder, counts):
    """Refuses to leave out scenes that are there already."""
    for path in sorted((folder / RECORDS).glob("*.json")):
        split, _, index = path.stem.rpartition("_")
        if int(index) >= counts.get(split, 0):
            asked = counts.get(split, 0)
            way_out = "ask for as many at least, or name another folder" if asked else "name another folder for a split"
            raise ValueError(f"{folder} has the scene {path.stem} already, and {asked} of split {split} were asked "
                             f"for: {way_out}")


def render_dataset(folder, counts, seed, workers=1, size=(240, 320), legs=None, textures=None, config=None):
    """Renders the scenes of ``seed`` into the dataset ``folder``; goes on where it was interrupted.

    ``counts``: {split: number of scenes}. ``size`` is (width, height) px of a portrait photo; scenes turn it to
    landscape or crop it to a square at random. ``legs`` is a file of leg shapes, ``textures`` a folder of floor images,
    ``config`` a `SceneConfig` (None: the full variety). Raises ValueError for a bad number or a folder of another
    recipe, OSError for files that cannot be read.
    """
    from scenes.rendering.config import SceneConfig
    from scenes.rendering.leg_library import LegLibrary
    from scenes.rendering.surfaces import check_images, texture_files

    config = config or SceneConfig()
    _check_numbers(counts, seed, workers)
    folder, legs, textures = Path(folder), legs and Path(legs), textures and Path(textures)
    # What cannot be used is told before a folder is begun with it.
    files = texture_files(textures) if textures else []
    check_images(files)
    if legs:
        LegLibrary(legs)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(seed, tuple(size), _sha256([legs]) if legs else None,
                    _sha256(files) if files else None, asdict(config))
    _check_recipe(folder, recipe)
    for part in ("images", "masks", RECORDS):
        (folder / part).mkdir(exist_ok=True)
    _check_growth(folder, counts)
    jobs = [Job(split, index) for split in SPLITS for index in range(counts.get(split, 0))]
    todo = [job for job in jobs if not (folder / RECORDS / f"{job.name}.json").exists()]
    arguments = (folder, seed, tuple(size), legs, textures, config)
    problems = _render_all(todo, len(jobs), workers, arguments)
    if problems:
        raise ValueError(f"{len(problems)} of {len(jobs)} scenes could not be rendered, the rest is in {folder}; "
                         f"please report {'; '.join(problems[:5])}")
    write_annotations(folder, [json.loads((folder / RECORDS / f"{job.name}.json").read_text()) for job in jobs])


def _render_all(todo, total, workers, arguments):
    """Renders the jobs under a progress bar; returns a line for each that failed."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("scenes", total=total, completed=total - len(todo), rate="")
        if workers == 1 and todo:
            _start_worker(*arguments)
            return _follow(progress, task, map(_render, todo))
        elif todo:
            # Fresh interpreters: Mitsuba's state does not survive a fork.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, context, _start_pooled_worker, arguments) as pool:
                try:
                    futures = [pool.submit(_render, job) for job in todo]
                    return _follow(progress, task, (future.result() for future in as_completed(futures)))
                except BrokenProcessPool as error:
                    raise OSError("a worker process was ended from outside, for lack of memory as a rule: "
                                  "the same command goes on; fewer --workers need less") from error
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
    return []


def _follow(progress, task, finished):
    problems = []
    for problem in finished:
        if problem:
            problems.append(problem)
        progress.advance(task)
        speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
        progress.update(task, rate=f"{speed * 60:.0f} a minute" if speed else "")
    return sorted(problems)
