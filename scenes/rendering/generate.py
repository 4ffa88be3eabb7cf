"""Many scenes into a dataset folder: in parallel, resumable, the same files for the same seed.

Each scene's generator is seeded by (split, seed, index) alone, so neither the number of workers nor an
interruption changes a file. What is finished is recorded scene by scene under ``.scenes/`` and becomes
``annotations.json`` at the end.
"""

import hashlib
import json
import multiprocessing
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scenes.dataset import write_annotations

SPLITS = ("train", "validation", "test")
RECORDS = ".scenes"
RECIPE_FILE = "render.json"
# Raise it whenever the same seed would give other pictures: a folder of another version is not continued.
RECIPE_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """What decides every pixel of a dataset but the number of scenes; kept beside it as ``render.json``."""

    seed: int
    split: str
    size: tuple[int, int]
    legs: str | None  # sha256 of the file of legs; None: the project's own procedural leg
    textures: str | None  # sha256 over names and contents of the folder of textures; None: procedural floors only
    version: int = RECIPE_VERSION


def _sha256(paths):
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write_beside(path, data):
    """Bytes into ``path`` so that an interruption leaves the old file or the new one, never half of it."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(data)
    os.replace(beside, path)


def _encoded(extension, picture, parameters=()):
    done, data = cv2.imencode(extension, picture, list(parameters))
    if not done:
        raise OSError(f"OpenCV could not encode a {picture.shape} {picture.dtype} picture as {extension}")
    return data.tobytes()


class _Worker:
    """What one process keeps between scenes: the library of legs, the list of textures."""

    def __init__(self, folder, recipe, legs, textures):
        from scenes.rendering.foot import LegLibrary
        from scenes.rendering.surfaces import texture_files

        self.folder, self.recipe = folder, recipe
        self.library = LegLibrary(legs) if legs else None
        self.textures = tuple(texture_files(textures)) if textures else ()

    def render(self, index):
        """One scene's photo, mask and record on disk; the record last, for it says that the others are whole."""
        from scenes.rendering.photograph import photograph
        from scenes.rendering.scene import render_scene

        recipe = self.recipe
        rng = np.random.default_rng([SPLITS.index(recipe.split), recipe.seed, index])
        rendered = render_scene(rng, recipe.size, self.library, self.textures)
        photo = photograph(rendered.radiance, rng)
        name = f"{index:06d}"
        quality = int(rng.integers(72, 97))
        jpeg = _encoded(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))
        _write_beside(self.folder / "images" / f"{name}.jpg", jpeg)
        _write_beside(self.folder / "masks" / f"{name}.png", _encoded(".png", rendered.mask))
        record = dict(rendered.record, file_name=f"{name}.jpg")
        record["attributes"] = dict(record["attributes"], seed=recipe.seed, split=recipe.split)
        _write_beside(self.folder / RECORDS / f"{name}.json", json.dumps(record).encode())
        return index


_worker = None


def _start_worker(*arguments):
    global _worker  # one per process: pickling the library with every scene would cost more than the scene
    import drjit

    cv2.setNumThreads(1)
    drjit.set_thread_count(1)  # Mitsuba's own pool: one process a core is faster than threads
    _worker = _Worker(*arguments)


def _start_pooled_worker(*arguments):
    # Ctrl-C reaches every process of the terminal; the parent answers it and ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _start_worker(*arguments)


def _render(index):
    return _worker.render(index)


def _check_recipe(folder, recipe):
    """Writes the recipe of a new folder; refuses to mix two recipes in one."""
    path = folder / RECIPE_FILE
    if path.exists():
        found = json.loads(path.read_text())
        wanted = json.loads(json.dumps(asdict(recipe)))
        if found != wanted:
            different = sorted(key for key in wanted if found.get(key) != wanted[key])
            raise ValueError(f"{folder} was begun with other settings ({', '.join(different)}): "
                             "name another folder, or repeat the settings in its render.json")
        return
    if (folder / "annotations.json").exists():
        raise ValueError(f"{folder} holds a dataset that was not rendered here: name another folder")
    _write_beside(path, json.dumps(asdict(recipe), indent=1).encode())


def render_dataset(folder, count, seed, workers=1, split="train", size=(240, 320), legs=None, textures=None):
    """Renders scenes 0 to ``count`` - 1 of ``seed`` into the dataset ``folder``; goes on where it was interrupted.

    ``size`` is (width, height) px of a portrait photo; scenes turn it to landscape or crop it to a square at random.
    ``legs`` is a file of leg shapes, ``textures`` a folder of floor images. Raises ValueError for a bad number or a
    folder of another recipe, OSError for files that cannot be read.
    """
    if count < 1 or workers < 1 or seed < 0:
        raise ValueError(f"count {count}, workers {workers}, seed {seed}: count and workers are at least 1, "
                         "the seed at least 0")
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: one of {', '.join(SPLITS)}")
    folder, legs, textures = Path(folder), legs and Path(legs), textures and Path(textures)
    folder.mkdir(parents=True, exist_ok=True)
    if textures:
        from scenes.rendering.surfaces import texture_files
    recipe = Recipe(seed, split, tuple(size), _sha256([legs]) if legs else None,
                    _sha256(texture_files(textures)) if textures else None)
    _check_recipe(folder, recipe)
    for part in ("images", "masks", RECORDS):
        (folder / part).mkdir(exist_ok=True)
    beyond = [path.stem for path in (folder / RECORDS).glob("*.json") if int(path.stem) >= count]
    if beyond:
        raise ValueError(f"{folder} has {count + len(beyond)} scenes or more already, {count} were asked for: "
                         "ask for as many at least, or name another folder")
    todo = [k for k in range(count) if not (folder / RECORDS / f"{k:06d}.json").exists()]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("scenes", total=count, completed=count - len(todo), rate="")
        arguments = (folder, recipe, legs, textures)
        if workers == 1:
            _start_worker(*arguments)
            _follow(progress, task, map(_render, todo))
        elif todo:
            # Fresh interpreters: Mitsuba's state does not survive a fork.
            context = multiprocessing.get_context("spawn")
            with context.Pool(workers, _start_pooled_worker, arguments) as pool:
                _follow(progress, task, pool.imap_unordered(_render, todo))
    records = [json.loads((folder / RECORDS / f"{k:06d}.json").read_text()) for k in range(count)]
    write_annotations(folder, records)


def _follow(progress, task, finished):
    for _ in finished:
        progress.advance(task)
        speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
        progress.update(task, rate=f"{speed * 60:.0f} a minute" if speed else "")
