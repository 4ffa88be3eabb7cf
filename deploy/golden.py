"""The images that golden outputs are recorded of: photos where there are some, drawn ones else, and one of noise.

The network for the side takes crops of single feet; they need masks and sheets, which only a dataset tells.
"""
from pathlib import Path

import cv2
import numpy as np

from scenes.dataset import ANNOTATIONS, SIDE_CLASSES, known_corners, read_dataset, read_mask
from scenes.images import fit_photo, read_photo
from scenes.sheet import A4, FORMATS, corners_mm, homography

PHOTOS = 3
CROPS_A_SIDE = 3
DRAWN_SIZE = (480, 360)  # height, width
SEED = 20
SUFFIXES = (".jpg", ".jpeg", ".png")


def golden_inputs(spec, folder=None):
    """uint8 (N, H, W, 3) RGB at the size of the InputSpec `spec`, PHOTOS at most and one more, the same at every call.

    `folder` is a dataset (its validation images are taken) or a folder of photos; without one pictures are drawn. The
    last image is noise, in which every input pixel and channel matters. Raises ValueError where `folder` has no photos.
    """
    rng = np.random.default_rng(SEED)
    if folder is None:
        photos = [draw_scene(rng)[0] for _ in range(PHOTOS)]
    else:
        photos = [read_photo(path).rgb for path in spread(photo_paths(folder), PHOTOS)]
    noise = rng.integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8)
    return np.stack([*(fit_photo(photo, spec) for photo in photos), noise])


def golden_crops(spec, folder=None):
    """uint8 (N, size, size, 4) RGB and mask, crops of feet as the CropSpec `spec` says, the same at every call.

    Feet of `folder` where it is a dataset with masks and sheets, one of each side where there are both; drawn ones
    else. The last crop is noise. Raises scenes.dataset.DatasetError and PhotoError.
    """
    rng = np.random.default_rng(SEED)
    crops = [] if folder is None else dataset_crops(folder, spec, CROPS_A_SIDE)
    crops = crops or [spec.cut(*draw_scene(rng)) for _ in range(PHOTOS)]
    noise = rng.integers(0, 256, (spec.size_px, spec.size_px, 4), dtype=np.uint8)
    return np.stack([*crops, noise])


def draw_scene(rng):
    """A floor, a sheet of paper in perspective and a foot-like shape on it.

    Returns uint8 (480, 360, 3) RGB, bool (480, 360) the shape's pixels, (3, 3) sheet millimetres to pixels.
    """
    height, width = DRAWN_SIZE
    floor = rng.integers(60, 150, 3)
    light = np.linspace(0.8, 1.2, height)[:, None, None]
    image = np.clip(floor * light + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)
    corners = np.array([[0.25, 0.2], [0.75, 0.2], [0.8, 0.8], [0.2, 0.8]]) + rng.uniform(-0.08, 0.08, (4, 2))
    cv2.fillConvexPoly(image, np.round(corners * (width, height)).astype(np.int32), (235, 233, 228), cv2.LINE_AA)
    skin = tuple(int(value) for value in rng.integers((150, 100, 80), (230, 180, 150)))
    middle = corners.mean(axis=0) * (width, height) + rng.uniform(-20, 20, 2)
    tilt = float(rng.uniform(-20, 20))
    place = tuple(int(value) for value in middle), (35, 95), tilt, 0, 360
    cv2.ellipse(image, *place, skin, -1, cv2.LINE_AA)
    foot = cv2.ellipse(np.zeros((height, width), np.uint8), *place, 1, -1)
    return image, foot > 0, homography(corners_mm(A4), corners * (width, height))


def photo_paths(folder, split="validation"):
    """Paths of the photos of `folder`: of one split of a dataset (all where it has none), or its image files, sorted.

    Raises ValueError where there are no photos, OSError where there is no folder.
    """
    folder = Path(folder)
    if (folder / ANNOTATIONS).exists():
        paths = [sample.image_path for sample in read_dataset(folder, split) or read_dataset(folder)]
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} has no photos: give a dataset or a folder with {', '.join(SUFFIXES)} files in it")
    return paths


def dataset_crops(folder, spec, count, split="validation"):
    """At most `count` crops of feet of either side out of a dataset's photos, a list.

    [] of a folder that does not tell: a photo tells with a mask and with all corners of its sheet.
    """
    folder = Path(folder)
    if not (folder / ANNOTATIONS).exists():
        return []
    samples = [sample for sample in read_dataset(folder, split) or read_dataset(folder)
               if known_corners(sample.corners).all()]
    crops = []
    for side, label in SIDE_CLASSES.items():
        told = [sample for sample in samples if "sheet" in sample.attributes and sample.mask_path.is_file()
                and any(foot["side"] == side for foot in sample.attributes.get("feet", ()))]
        for sample in spread(told, count):
            mask = read_mask(sample.mask_path)
            if (mask == label).any():
                sheet = sample.attributes["sheet"]
                own = corners_mm(FORMATS[sheet["format"]], sheet["long_side"])
                crops.append(spec.cut(read_photo(sample.image_path).rgb, mask == label,
                                      homography(own, sample.corners)))
    return crops


def spread(items, count):
    """At most `count` of a list, spread over it, because neighbours are often alike."""
    chosen = np.linspace(0, len(items) - 1, count).round().astype(int) if items else []
    return [items[index] for index in sorted(set(chosen))]
