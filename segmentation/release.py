"""A run's weights in half precision, in a run folder of their own that is to be handed on.

    config.json, best.weights.h5    as in segmentation.run_folder; the weights in FP16

That is what evaluation, export and another training's --weights need. There is no history and nothing to go on from.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import keras
import numpy as np

from segmentation.config import ConfigError
from segmentation.network import (
    BEST_WEIGHTS,
    CONFIG_FILE,
    LAST_WEIGHTS,
    load_network,
    read_config_document,
)
from segmentation.side import load_side

IMAGES = 4
SEED = 0
WEIGHTS = {"best": BEST_WEIGHTS, "last": LAST_WEIGHTS}
# Places on a machine, which mean nothing on another.
STARTS = ("init_weights", "encoder_weights")


@dataclass(frozen=True)
class Difference:
    """How far FP16 is from the weights that it was made of, on `images` of smooth colours.

    bytes: of the two files, (before, after). largest, mean: of the probabilities' differences. changed: share of the
    pixels, or crops, whose likeliest class is another.
    """

    images: int
    bytes: tuple[int, int]
    largest: float
    mean: float
    changed: float

    def __str__(self):
        before, after = (size / 1e6 for size in self.bytes)
        return (f"{before:.1f} MB became {after:.1f} MB; on {self.images} images of smooth colours probabilities are "
                f"up to {self.largest:.2g} apart ({self.mean:.2g} in the mean), and {self.changed:.2%} of the answers "
                "are another class")


def release(run: Path, out: Path, weights: str = "best") -> Difference:
    """Writes the weights ("best" or "last") of a run of `segmentation train` or `train-side` in FP16 into the new run
    folder `out`, as its best.

    The configuration goes with them, without the files that the training started from and with the names of the data's
    folders in place of their paths.

    Raises:
        ConfigError: where `run` is no run or lacks the weights, or `out` is taken.
    """
    run, out = Path(run), Path(out)
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty; name a new folder")
    document, source = read_config_document(run, "train"), run / WEIGHTS[weights]
    if not source.is_file():
        raise ConfigError(f"{run}: has no {source.name}; a run has weights after its first epoch")
    document["train"] |= {name: None for name in STARTS if name in document["train"]}
    document["data"] = {name: _names(value) for name, value in document.get("data", {}).items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "run"
        made.mkdir()
        (made / CONFIG_FILE).write_text(json.dumps(document, indent=1) + "\n")
        write_half(source, made / BEST_WEIGHTS)
        found = _difference(_whole(run, source, Path(scratch)), made)
        os.replace(made, out)
    return found


def write_half(source: Path, target: Path) -> None:
    """A Keras weights file with its float32 values in float16; Keras reads it like any other."""
    with h5py.File(source) as whole, h5py.File(target, "w") as half:
        def copy(name, item):
            if isinstance(item, h5py.Group):
                half.require_group(name)
            else:
                values = item[()]
                if getattr(values, "dtype", None) == np.float32:
                    values = values.astype(np.float16)
                half.create_dataset(name, data=values)
            for key, value in item.attrs.items():
                half[name].attrs[key] = value

        whole.visititems(copy)
        half.attrs.update(whole.attrs)


def _names(value):
    """Paths, several joined by commas, without their folders; anything else as it is."""
    return ", ".join(Path(part).name for part in value.split(", ")) if isinstance(value, str) else value


def _whole(run: Path, source: Path, scratch: Path) -> Path:
    """A run folder whose best weights are `source`."""
    if source.name == BEST_WEIGHTS:
        return run
    folder = scratch / "whole"
    folder.mkdir()
    (folder / CONFIG_FILE).write_bytes((run / CONFIG_FILE).read_bytes())
    (folder / BEST_WEIGHTS).symlink_to(source.resolve())
    return folder


def _load(run: Path) -> keras.Model:
    is_side = "span_mm" in read_config_document(run, "train")["train"]
    return (load_side if is_side else load_network)(run)[0]


def _difference(before: Path, after: Path) -> Difference:
    models = _load(before), _load(after)
    rng = np.random.default_rng(SEED)
    _, height, width, channels = models[0].input_shape
    coarse = rng.normal(0, 1.5, (IMAGES, height // 16, width // 16, channels)).astype(np.float32)
    images = np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in coarse])
    first, second = (np.asarray(model(images, training=False)) for model in models)
    off, changed = np.abs(first - second), first.argmax(-1) != second.argmax(-1)
    sizes = (before / BEST_WEIGHTS).stat().st_size, (after / BEST_WEIGHTS).stat().st_size
    return Difference(IMAGES, sizes, float(off.max()), float(off.mean()), float(changed.mean()))
