"""How well a run finds corners in a dataset, in photo pixels."""

import hashlib
import json
from pathlib import Path

import numpy as np

from keypoints import metrics
from keypoints.config import STRIDE
from keypoints.heatmaps import decode_quad
from keypoints.loader import HELD_SIZE, in_order, load_examples, plain_batches, prefetch
from keypoints.run import WEIGHTS, RunError, load_network, predict_normalised, write_text
from scenes.dataset import read_dataset
from scenes.images import input_to_photo
from scenes.sheet import transform


def corners_in_photo(heatmaps, examples, config):
    """Heatmaps (N, 4, h, w) -> corners (N, 4, 2) in pixels of the photos on disk, published order, and scores
    (N, 4)."""
    found, scores = np.empty((len(examples), 4, 2)), np.empty((len(examples), 4))
    for n, (maps, example) in enumerate(zip(heatmaps, examples, strict=True)):
        points, score = decode_quad(maps, STRIDE)
        held = transform(input_to_photo(example.rgb.shape[1::-1], config.input_spec), points)
        found[n], scores[n] = in_order((held + 0.5) * example.held_to_photo - 0.5, score)
    return found, scores


def report(heatmaps, targets, examples, config):
    """Everything that is told about predictions: dict for JSON.

    heatmaps, targets: (N, 4, h, w). "corners" as metrics.corner_report has it, "heatmap_accuracy" right and
    "published_heatmap_accuracy" as GluonCV has it, "samples".
    """
    found, _ = corners_in_photo(heatmaps, examples, config)
    # A corner that nobody can tell has no coordinates; its visibility 0 keeps it out of every figure.
    truth = np.nan_to_num(np.array([example.corners_in_photo for example in examples]), nan=-1.0)
    visibility = np.array([example.visibility for example in examples])
    return {
        "samples": len(examples),
        "corners": metrics.corner_report(found, truth, visibility, [example.size for example in examples]),
        "heatmap_accuracy": metrics.heatmap_accuracy(heatmaps, targets),
        "published_heatmap_accuracy": metrics.published_heatmap_accuracy(heatmaps, targets),
    }


def evaluate(run, data, split=None, weights="best"):
    """Evaluate a run on a dataset; writes evaluation-NAME.json into the run and returns (its content, its
    path).

    data: dataset folder. split: "train", "validation", "test", or None for all samples. weights: "best" or
    "last". Raises RunError when there is nothing to evaluate.
    """
    net, config = load_network(run, weights)
    samples = read_dataset(data, split)
    if not samples:
        raise RunError(
            f"{data} has no samples{f' of split {split}' if split else ''}; leave --split out for all of them"
        )
    examples = load_examples(samples, HELD_SIZE * max(config.height, config.width))
    targets = []

    def images():
        for batch in prefetch(plain_batches(examples, config)):
            targets.append(batch.targets[: batch.count])
            yield batch.images[: batch.count]

    heatmaps = predict_normalised(net, images())
    name = Path(data).resolve().name + (f"-{split}" if split else "")
    file = Path(run) / WEIGHTS[weights]
    result = {
        "data": name,
        "split": split,
        "weights": file.name,
        "weights_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        **report(heatmaps, np.concatenate(targets), examples, config),
    }
    path = Path(run) / f"evaluation-{name}.json"
    write_text(path, json.dumps(result, indent=2) + "\n")
    return result, path
