"""A run: the folder of one training. What is in it, how it is written, and its network.

    config.json     TrainConfig, and which data it was trained on
    history.jsonl   one line an epoch
    best.params     averaged weights of the epoch with the smallest validation error
    last.params     averaged weights of the last epoch
    resume.npz      everything to go on from the last epoch: weights, averages, optimizer, place
    log.txt         what was printed
    calibration.json   what scores and visibility mean, where that was fitted (keypoints.run_calibration)

Every file is written beside its place and renamed into it, resume.npz last: a kill at any moment leaves whole
files, and what they tell beyond resume.npz is done again, the same.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import mxnet as mx
import numpy as np

from keypoints.config import TrainConfig
from keypoints.loader import normalise, one_hot
from keypoints.models.registry import allocate, build, load_weights

SCHEMA = 1
CONFIG, HISTORY, RESUME, LOG = "config.json", "history.jsonl", "resume.npz", "log.txt"
WEIGHTS = {"best": "best.params", "last": "last.params"}
PREDICT_BATCH = 16


class RunError(Exception):
    """A run folder that cannot be used as asked; the message says why and what to do."""


@contextmanager
def replacing(path):
    """Give a path beside `path` to write to; it takes the place of `path` when the block ends well."""
    path = Path(path)
    beside = _beside(path)
    try:
        yield beside
        with open(beside, "rb+") as stream:  # on the disk before the name points to it
            os.fsync(stream.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _beside(path):
    return path.with_name(f".{path.name}.part")


def is_begun_at_most(folder):
    """Whether a folder without a config.json holds nothing but what a kill left of writing it."""
    return all(path == _beside(Path(folder) / CONFIG) for path in Path(folder).iterdir())


def write_text(path, text):
    """Write text (UTF-8) beside and rename."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_config(folder, config, data):
    """config: TrainConfig. data: dict that describes the dataset (see keypoints.train.describe_data)."""
    document = {"schema": SCHEMA, "config": config.to_json(), "data": data}
    write_text(Path(folder) / CONFIG, json.dumps(document, indent=2) + "\n")


def read_config(folder):
    """(TrainConfig, data dict) of a run. Raises RunError when the folder is no run of this version."""
    path = Path(folder) / CONFIG
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}, this version reads {SCHEMA}")
        return TrainConfig.from_json(document["config"]), document["data"]
    except FileNotFoundError as fault:
        raise RunError(
            f"{folder} is no run: it has no {CONFIG}; give the folder that `keypoints train --out` wrote"
        ) from fault
    except (ValueError, KeyError, TypeError) as fault:
        raise RunError(f"{path} cannot be used: {fault}") from fault


def read_history(folder):
    """Lines of a run's history, oldest first: list of dicts; empty without a history."""
    path = Path(folder) / HISTORY
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def write_history(folder, lines):
    """One JSON object a line."""
    write_text(Path(folder) / HISTORY, "".join(json.dumps(line) + "\n" for line in lines))


def load_network(folder, weights="best"):
    """(network, TrainConfig) of a run, ready to infer.

    weights: "best", "last", or the path of a file of parameters. The network takes float32 (N, channels, H, W)
    (keypoints.loader.network_input) and gives heatmaps (N, maps, H/4, W/4), an hourglass those of its last stack, or
    coordinates (N, 2K). Raises RunError, WeightsError.
    """
    config, _ = read_config(folder)
    file = Path(folder) / WEIGHTS[weights] if weights in WEIGHTS else Path(weights)
    if not file.exists():
        raise RunError(
            f"{file} is not there: the run has not finished its first epoch; train it with --resume"
        )
    net = build(config)
    allocate(net, config, mx.init.Zero())
    load_weights(net, file, may_lack=())
    net.hybridize(static_alloc=True, static_shape=True)
    return net, config


def predict(run, images):
    """What a network says of images that are already at its size.

    run: a run folder, or a network. images: uint8 RGB (N, H, W, 3), or class ids (N, H, W) for a network of masks.
    Returns float32 (N, maps, H/4, W/4) or (N, 2K).
    """
    net = load_network(run)[0] if isinstance(run, (str, os.PathLike)) else run
    prepare = one_hot if np.ndim(images) == 3 else normalise
    return predict_normalised(
        net,
        (prepare(images[start : start + PREDICT_BATCH]) for start in range(0, len(images), PREDICT_BATCH)),
    )


def predict_normalised(net, batches):
    """The same for an iterable of float32 (n, channels, H, W), the last of which may be shorter."""
    found, size = [], None
    for images in batches:
        size = size or len(images)
        # A static graph wants one shape: the last batch is filled up, and cut again.
        filled = np.zeros((size, *images.shape[1:]), np.float32)
        filled[: len(images)] = images
        found.append(net(mx.nd.array(filled)).asnumpy()[: len(images)])
    return np.concatenate(found)
