"""Small datasets, sources and bundles on disk for targets that read files: made once, then linked for each input."""

import atexit
import contextlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from scenes.dataset import write_annotations

SIZE = (64, 48)
CORNERS = [[10.25, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]


@contextlib.contextmanager
def folder():
    """A new folder, which is gone afterwards whatever is in it."""
    path = Path(tempfile.mkdtemp(prefix="foliopie-fuzz-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def linked(source, target):
    """`target`, a folder with hard links to the files of `source`: nothing of the project writes into a file that is
    there."""
    for path in source.rglob("*"):
        beside = target / path.relative_to(source)
        if path.is_file():
            beside.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, beside)
    return target


@cache
def dataset():
    """A good dataset of three scenes, in a folder of this process: a left foot, no foot, both feet."""
    path = Path(tempfile.mkdtemp(prefix="foliopie-fuzz-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    rng = np.random.default_rng(1)
    records = []
    for number, sides in enumerate([("left",), (), ("left", "right")]):
        for part in ("images", "masks"):
            (path / part).mkdir(exist_ok=True)
        name = f"{number}.jpg"
        noise = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        noise.resize(SIZE).save(path / "images" / name)
        mask = np.zeros(SIZE[::-1], np.uint8)
        for label in (1, *(("left", "right").index(side) + 2 for side in sides)):
            mask[10 * label:10 * label + 5, 10:30] = label
        Image.fromarray(mask).save(path / "masks" / f"{number}.png")
        records.append({
            "file_name": name, "width": SIZE[0], "height": SIZE[1], "corners": CORNERS, "visibility": [2, 2, 1, 2],
            "attributes": {"sheet": {"format": "a4", "long_side": "horizontal"}, "split": "train",
                           "feet": [{"side": side, "length_mm": 250.0, "width_mm": 95.0} for side in sides]},
        })  # fmt: skip
    write_annotations(path, records)
    return path
