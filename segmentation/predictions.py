"""What a run says of samples: predicted once, kept in the run folder with the hash of what made it.

    predictions/KEY.zip    made_of.json, photo/NNNNNN.png and input/NNNNNN.png: class ids, one of each a sample

The largest probability is taken twice: at the photo's size, of probabilities that were resized, and at the input's,
bars cut off. Probabilities are not kept.
"""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from scenes.files import mask_png, write_whole
from scenes.images import InputSpec, content_of_input, fit_photo, mask_to_photo
from scenes.prediction_files import cache_file
from segmentation.config import ConfigError
from segmentation.loader import ahead

# Raise it whenever the same weights and samples would give something else.
VERSION = 1
BATCH = 8
ABOUT = "made_of.json"
PARTS = ("photo", "input")


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """What a network says of N samples, as PNGs: small enough to keep all of a dataset in memory.

    names: of the samples, in order. photo, input: N PNGs each of class ids, see the module.
    """

    names: list[str]
    photo: list[bytes]
    input: list[bytes]

    def at_photo(self, index: int) -> np.ndarray:
        """Class ids uint8 (H, W) at the photo's size."""
        return _decoded(self.photo[index])

    def at_input(self, index: int) -> np.ndarray:
        """Class ids uint8 (h, w) of the photo's part of the network's input, upright as the photo."""
        return _decoded(self.input[index])


def predict(
    probabilities_of: Callable, spec: InputSpec, names: list[str], photo_of: Callable, threads: int = 1,
    progress: Callable | None = None,
) -> ClassMaps:
    """The ClassMaps of samples, each predicted once.

    Args:
        probabilities_of: uint8 images (N, h, w, 3) of the spec's size -> probabilities float32 (N, h, w, 4).
        photo_of: index of a sample -> its photo uint8 (H, W, 3); called in `threads` background threads.
        progress: called with the number of photos after each batch.
    """
    def read(indices: list[int]):
        photos = [photo_of(index) for index in indices]
        return [rgb.shape[1::-1] for rgb in photos], np.stack([fit_photo(rgb, spec) for rgb in photos])

    maps = ClassMaps(names, [], [])
    parts = [list(range(len(names)))[start : start + BATCH] for start in range(0, len(names), BATCH)]
    for sizes, images in ahead(read, parts, threads):
        for size, probabilities in zip(sizes, probabilities_of(images), strict=True):
            maps.photo.append(mask_png(mask_to_photo(probabilities, size, spec).argmax(-1).astype(np.uint8)))
            maps.input.append(mask_png(content_of_input(probabilities, size, spec).argmax(-1).astype(np.uint8)))
        if progress:
            progress(len(sizes))
    return maps


def keep(run: Path, origin: dict, maps: ClassMaps) -> None:
    """Write class maps made of `origin` into the run, whole or not at all."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(ABOUT, json.dumps({"made_of": origin, "names": maps.names}))
        for part in PARTS:
            for index, png in enumerate(getattr(maps, part)):
                archive.writestr(_member(part, index), png)
    write_whole(cache_file(run, origin, "zip"), stream.getvalue())


def cached(run: Path, origin: dict, names: list[str]) -> ClassMaps | None:
    """The ClassMaps made of `origin` that a run has; None where it has none.

    names: of the samples. Raises ConfigError for a file that was made of something else than it is named for: whatever
    mixed them, neither can be told to be right.
    """
    file = cache_file(run, origin, "zip")
    try:
        with zipfile.ZipFile(file) as archive:
            about = json.loads(archive.read(ABOUT))
            if about != {"made_of": origin, "names": names}:
                raise ValueError("it was made of other weights, samples or settings than it is named for")
            parts = [[archive.read(_member(part, index)) for index in range(len(names))] for part in PARTS]
        return ClassMaps(names, *parts)
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, KeyError) as fault:
        raise ConfigError(f"{file} cannot be used: {fault}; remove it, and it is made again") from fault


def _member(part: str, index: int) -> str:
    return f"{part}/{index:06d}.png"


def _decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
