"""What a run says of samples: predicted once, kept in the run folder with the hash of what made it.

    predictions/KEY.json    {"made_of": ..., "names": [...], "points": {method: ...}, ...}, KEY the digest of made_of

Keypoints are kept, decoded by every method, and of heatmaps the figures that need them; not the heatmaps, which are 50
KB a photo and more. The photos are read once for all conditions, and held as small as the network can use.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keypoints import metrics
from keypoints.conditions import under
from keypoints.decoding import METHODS, corners_in_photo
from keypoints.loader import plain_batches, prefetch
from keypoints.run import WEIGHTS, RunError, predict_normalised, write_text
from scenes.files import file_sha256
from scenes.prediction_files import cache_file

# Raise it whenever the same weights and samples would give something else.
VERSION = 1
# Settings that decide what a network's outputs are and mean; of the rest only the weights are left.
OF_INPUT = ("model", "joints", "maps", "input", "stacks", "filters", "height", "width", "fit", "sigma_px")
# Figures of heatmaps, one a sample or one a peak.
HEATMAP_FIGURES = ("mse", "mae", "near", "published_near")


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of N samples.

    names: of the samples, in order. points: {method: (N, K, 2)}, pixels of the photos on disk. scores: {method: (N,
    K)}, NaN without. visibility: {method: (N, K, 3)}, or {method: None}. heatmaps: {"mse", "mae": (N,); "near",
    "published_near": (N, K), see keypoints.metrics}; {} of coordinates, without the last two of shared maps.
    """

    names: list
    points: dict
    scores: dict
    visibility: dict
    heatmaps: dict

    def to_json(self):
        """dict of plain values; NaN is null."""
        return {"names": self.names} | {
            part: {name: _plain(values) for name, values in getattr(self, part).items()}
            for part in ("points", "scores", "visibility", "heatmaps")
        }

    @classmethod
    def from_json(cls, document):
        """Raises KeyError, ValueError, TypeError for a document that is none."""
        parts = [
            {name: None if values is None else np.array(values, float) for name, values in document[part].items()}
            for part in ("points", "scores", "visibility", "heatmaps")
        ]
        return cls(document["names"], *parts)


def _plain(values):
    if values is None:
        return None
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), values.astype(object), None).tolist()


def heatmap_figures(outputs, targets, config):
    """Predictions.heatmaps of outputs and targets (N, C, h, w).

    Shared maps have several peaks in one map, of which GluonCV's accuracy would follow the highest alone.
    """
    if config.is_regression:
        return {}
    outputs, targets = outputs[:, : config.peaks], targets[:, : config.peaks]
    mse, mae = metrics.heatmap_errors(outputs, targets)
    found = {"mse": mse, "mae": mae}
    if config.maps == "each":
        found["near"] = metrics.near_peaks(outputs, targets)
        found["published_near"] = metrics.published_near_peaks(outputs, targets)
    return found


def decoded(outputs, targets, examples, config, methods=METHODS, turns=None):
    """Predictions of a network's outputs for examples; targets: (N, C, h, w), as the outputs."""
    found = {method: corners_in_photo(outputs, examples, config, method, turns) for method in methods}
    parts = [{method: found[method][k] for method in methods} for k in range(3)]
    return Predictions([example.name for example in examples], *parts, heatmap_figures(outputs, targets, config))


def predict(net, config, examples, condition=None, progress=None):
    """Predictions of a network under a condition (scenes.conditions.Condition, or None), batch by batch.

    progress: called with the number of photos after each batch.
    """

    def batches():
        for start in range(0, len(examples), config.batch):
            chunk = examples[start : start + config.batch]
            changed, turns = zip(*(under(condition, example) for example in chunk), strict=True)
            yield changed, turns, next(plain_batches(changed, config))

    parts = []
    for changed, turns, batch in prefetch(batches()):
        outputs = predict_normalised(net, [batch.images])[: batch.count]
        parts.append(decoded(outputs, batch.targets[: batch.count], changed, config, turns=turns))
        if progress:
            progress(batch.count)
    return joined(parts)


def joined(parts):
    """One Predictions of several, in order."""

    def all_of(part):
        first = getattr(parts[0], part)
        return {
            name: None if first[name] is None else np.concatenate([getattr(one, part)[name] for one in parts])
            for name in first
        }

    names = [name for one in parts for name in one.names]
    return Predictions(names, *map(all_of, ("points", "scores", "visibility", "heatmaps")))


def made_of(run, config, weights, samples_hash):
    """What decides the predictions of a run but for the condition: dict. weights: "best", "last", or a path."""
    file = Path(run) / WEIGHTS[weights] if weights in WEIGHTS else Path(weights)
    settings = config.to_json()
    return {
        "version": VERSION,
        "weights_sha256": file_sha256(file),
        "samples_sha256": samples_hash,
        "settings": {name: settings[name] for name in OF_INPUT},
    }


def keep(run, origin, predictions):
    """Write predictions into the run, whole or not at all."""
    file = cache_file(run, origin)
    file.parent.mkdir(exist_ok=True)
    write_text(file, json.dumps({"made_of": origin} | predictions.to_json()) + "\n")


def cached(run, origin, names):
    """The Predictions made of `origin` that a run has; None where it has none.

    names: of the samples. Raises RunError for a file that was made of something else than it is named for: whatever
    mixed them, neither can be told to be right.
    """
    file = cache_file(run, origin)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["made_of"] != origin or document["names"] != names:
            raise ValueError("it was made of other weights, samples or settings than it is named for")
        return Predictions.from_json(document)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as fault:
        raise RunError(f"{file} cannot be used: {fault}; remove it, and it is made again") from fault
