"""The images that golden outputs are recorded of: photos where there are some, drawn ones else, and one of noise."""
from pathlib import Path

import cv2
import numpy as np

from scenes.dataset import read_dataset
from scenes.images import fit_photo, read_photo

PHOTOS = 3
DRAWN_SIZE = (480, 360)  # height, width
SEED = 20
SUFFIXES = (".jpg", ".jpeg", ".png")


def golden_inputs(spec, folder=None):
    """uint8 (PHOTOS + 1, H, W, 3) RGB at the size of the InputSpec `spec`, the same at every call.

    `folder` is a dataset (its validation images are taken) or a folder of photos; without one pictures are drawn. The
    last image is noise, in which every input pixel and channel matters. Raises ValueError where `folder` has no photos.
    """
    rng = np.random.default_rng(SEED)
    photos = [draw_scene(rng) for _ in range(PHOTOS)] if folder is None else _read(folder)
    noise = rng.integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8)
    return np.stack([*(fit_photo(photo, spec) for photo in photos), noise])


def draw_scene(rng):
    """A floor, a sheet of paper in perspective and a foot-like shape on it: uint8 (480, 360, 3) RGB."""
    height, width = DRAWN_SIZE
    floor = rng.integers(60, 150, 3)
    light = np.linspace(0.8, 1.2, height)[:, None, None]
    image = np.clip(floor * light + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)
    corners = np.array([[0.25, 0.2], [0.75, 0.2], [0.8, 0.8], [0.2, 0.8]]) + rng.uniform(-0.08, 0.08, (4, 2))
    cv2.fillConvexPoly(image, np.round(corners * (width, height)).astype(np.int32), (235, 233, 228), cv2.LINE_AA)
    skin = tuple(int(value) for value in rng.integers((150, 100, 80), (230, 180, 150)))
    middle = corners.mean(axis=0) * (width, height) + rng.uniform(-20, 20, 2)
    tilt = float(rng.uniform(-20, 20))
    cv2.ellipse(image, tuple(int(value) for value in middle), (35, 95), tilt, 0, 360, skin, -1, cv2.LINE_AA)
    return image


def _read(folder):
    folder = Path(folder)
    if (folder / "annotations.json").exists():
        paths = [sample.image_path for sample in read_dataset(folder, "validation") or read_dataset(folder)]
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} has no photos: give a dataset or a folder with {', '.join(SUFFIXES)} files in it")
    # Spread over the folder, because neighbours are often alike.
    chosen = np.linspace(0, len(paths) - 1, PHOTOS).round().astype(int)
    return [read_photo(paths[index]).rgb for index in chosen]
