"""A run's weights in half precision, in a run folder of their own that is to be handed on.

    config.json, best.params    as in keypoints.run; the parameters in FP16
    calibration.json            where the run has one

That is what evaluation, export and another training's --weights need. There is no history and nothing to go on from.
"""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from keypoints.decoding import points_in_input
from keypoints.models.weights import save_half
from keypoints.run import WEIGHTS, RunError, load_network, predict, read_config, write_config
from keypoints.run_calibration import belonging, keep
from scenes.files import file_sha256

IMAGES = 4
SEED = 0


@dataclass(frozen=True)
class Difference:
    """How far FP16 is from the weights that it was made of, on `images` drawn sheets.

    bytes: of the two files, (before, after). largest, mean: of the outputs' differences, as shares of their range.
    points_px: median and largest distance of the keypoints, pixels of the network's input.
    """

    images: int
    bytes: tuple
    largest: float
    mean: float
    points_px: tuple

    def __str__(self):
        before, after = (size / 1e6 for size in self.bytes)
        median, largest = self.points_px
        return (
            f"{before:.1f} MB became {after:.1f} MB; on {self.images} drawn sheets outputs are up to "
            f"{self.largest:.2g} of their range apart ({self.mean:.2g} in the mean), keypoints {median:.2g} px of the "
            f"input (median; largest {largest:.2g})"
        )


def release(run, out, weights="best"):
    """Write a run's weights ("best" or "last") in FP16 into the new run folder `out`, as its best: a Difference.

    The configuration goes with them, without the file that the training started from, which is a place on a machine.
    Raises RunError where `run` is no run, its calibration is of other weights, or `out` is taken; WeightsError.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty; name a new folder")
    net, config = load_network(run, weights)
    kept = belonging(run, config, weights)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "run"
        made.mkdir()
        file = made / WEIGHTS["best"]
        save_half(net, file)
        write_config(made, replace(config, weights=None), read_config(run)[1])
        if kept:
            keep(made, kept.of_weights(file_sha256(file)))
        sizes = (Path(run) / WEIGHTS[weights]).stat().st_size, file.stat().st_size
        found = difference(net, load_network(made)[0], config, sizes)
        os.replace(made, out)
    return found


def difference(net, half, config, sizes):
    """Difference of two networks of one configuration. sizes: of their files, bytes."""
    images = drawn(config, np.random.default_rng(SEED))
    before, after = (predict(one, images).astype(np.float64) for one in (net, half))
    off = np.abs(after - before) / max(float(np.ptp(before)), np.finfo(np.float32).tiny)
    points = [np.array([points_in_input(output, config)[0] for output in outputs]) for outputs in (before, after)]
    apart = np.linalg.norm(points[1] - points[0], axis=-1)
    return Difference(
        len(images), sizes, float(off.max()), float(off.mean()), (float(np.median(apart)), float(apart.max()))
    )


def drawn(config, rng):
    """Light sheets on dark floors at the size of a configuration's input, as keypoints.run.predict takes them: uint8
    (IMAGES, H, W, 3), RGB, or class ids (IMAGES, H, W)."""
    size = np.array([config.width, config.height])
    images = []
    for _ in range(IMAGES):
        ids = np.zeros((config.height, config.width), np.uint8)
        corners = (np.array([[0.25, 0.2], [0.75, 0.2], [0.8, 0.8], [0.2, 0.8]]) + rng.uniform(-0.1, 0.1, (4, 2))) * size
        cv2.fillConvexPoly(ids, np.rint(corners).astype(np.int32), 1)
        colours = np.array([rng.integers(40, 140, 3), (232, 230, 226)])
        noisy = colours[ids] + rng.normal(0, 6, (*ids.shape, 3))
        images.append(ids if config.input == "mask" else np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(images)
