"""A run and the samples that it is judged on: its predictions, from the cache or made now and kept."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keypoints import predictions
from keypoints.config import TrainConfig
from keypoints.loader import (
    HELD_SIZE,
    load_examples,
    plain_batches,
    read_samples,
    require_masks,
)
from keypoints.run import WEIGHTS, RunError, load_network, predict_normalised, read_config
from scenes.annotated_photos import read_annotated_photos
from scenes.dataset import unknown_keypoints
from scenes.prediction_files import samples_sha256, with_condition
from scenes.progress import no_progress


@dataclass(frozen=True, eq=False)
class Truth:
    """corners: float64 (N, K, 2), photo pixels, NaN where unknown. visibility: int (N, K), as in COCO. sizes: int
    (N, 2), width and height of the photos on disk."""

    corners: np.ndarray
    visibility: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of_samples(cls, samples):
        """Truth of scenes.dataset.Samples."""
        corners = np.array([sample.corners for sample in samples], float)
        visibility = np.array([sample.visibility for sample in samples], int)
        corners[unknown_keypoints(corners, visibility)] = np.nan
        return cls(corners, visibility, np.array([(sample.width, sample.height) for sample in samples]))

    @classmethod
    def of_examples(cls, examples):
        """Truth of keypoints.loader.Examples."""
        corners, visibility, sizes = zip(
            *((example.corners_in_photo, example.visibility, example.size) for example in examples), strict=True
        )
        return cls(np.array(corners), np.array(visibility, int), np.array(sizes))


@dataclass(eq=False)
class Subject:
    """run: folder. weights: "best" or "last". samples: scenes.dataset.Samples. name: of the data. made_of: see
    keypoints.predictions. progress: as
    scenes.progress.no_progress."""

    run: Path
    weights: str
    config: TrainConfig
    samples: list
    name: str
    made_of: dict
    progress: object = no_progress
    _network: object = field(default=None, repr=False)
    _examples: list = field(default=None, repr=False)

    @property
    def truth(self):
        """Truth of the samples."""
        return Truth.of_samples(self.samples)

    @property
    def network(self):
        """The run's network; loaded when it is first needed."""
        if self._network is None:
            self._network = load_network(self.run, self.weights)[0]
        return self._network

    @property
    def examples(self):
        """The samples' photos, as small as the network can use; read one after another when first needed."""
        if self._examples is None:
            self._examples = self._read(self.samples, self.progress("reading photos", len(self.samples)))
        return self._examples

    def _read(self, samples, tick):
        longest = HELD_SIZE * max(self.config.height, self.config.width)
        return load_examples(samples, longest, masks=self.config.input == "mask", progress=tick)

    def predictions(self, condition=None):
        """predictions.Predictions of all samples under a condition; made and kept where the run has none of them."""
        origin = with_condition(self.made_of, condition)
        names = [sample.name for sample in self.samples]
        found = predictions.cached(self.run, origin, names)
        if found is None:
            net, examples = self.network, self.examples
            told = "photos" if condition is None else f"{condition.name.replace('_', ' ')} {condition.value:g}"
            tick = self.progress(told, len(names))
            found = predictions.predict(net, self.config, examples, condition, tick)
            predictions.keep(self.run, origin, found)
        return found

    def outputs(self, indices):
        """(keypoints.loader.Examples, what the network says of them) of some samples: heatmaps (n, C, h, w) or
        coordinates (n, 2K). Read and predicted anew: heatmaps are not kept."""
        chosen = [self.samples[index] for index in indices]
        examples = self._read(chosen, no_progress("", 0))
        batches = list(plain_batches(examples, self.config))
        found = predict_normalised(self.network, [batch.images for batch in batches])
        return examples, found[: len(examples)]


def open_subject(run, data, split=None, weights="best", photos=False, progress=no_progress):
    """A Subject of the run folder `run` and the dataset folder `data`.

    split: "train", "validation", "test", or None for all samples. photos: `data` is a folder of annotated photos
    (scenes.annotated_photos). Raises RunError where there is nothing to evaluate, ValueError and OSError for data that
    cannot be used.
    """
    config, _ = read_config(run)
    file = Path(run) / WEIGHTS[weights]
    if not file.exists():
        raise RunError(f"{file} is not there: the run has not finished its first epoch; train it with --resume")
    if photos:
        if split:
            raise RunError(f"split is {split!r}, and annotated photos have none; leave --split or --photos out")
        samples = read_annotated_photos(data, config.joints)
    else:
        samples = read_samples(data, config, split)
    if not samples:
        raise RunError(
            f"{data} has no samples{f' of split {split}' if split else ''}; leave --split out for all of them"
        )
    require_masks(samples, config)
    samples_hash = samples_sha256(samples, config.input == "mask", progress("checking files", len(samples)))
    name = Path(data).resolve().name + (f"-{split}" if split else "")
    origin = predictions.made_of(run, config, weights, samples_hash)
    return Subject(Path(run), weights, config, samples, name, origin, progress)
