"""A run and the samples that it is judged on: photos, truth under a condition, and what the network says of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from scenes.annotated_photos import read_annotated_photos
from scenes.conditions import Condition, matrix_under, photo_under, turn_mask
from scenes.dataset import Sample, read_dataset, read_mask, unknown_keypoints
from scenes.files import file_sha256
from scenes.images import PhotoError, read_photo
from scenes.prediction_files import samples_sha256, with_condition
from scenes.progress import no_progress
from scenes.sheet import transform
from segmentation import predictions
from segmentation.config import ConfigError, TrainConfig
from segmentation.loader import DataError
from segmentation.metrics import UNKNOWN
from segmentation.network import load_network, predict_batches, read_run_config, weights_file

# Without a choice, the first of these splits that the dataset has is evaluated, else all of it.
SPLITS = ("test", "validation")

# Annotated photos, of which only shares are told, are held at this many times the input's longer side.
HELD_SIZE = 2
# Photos that are kept in memory from one condition to the next; those above are read again.
HELD_BYTES = 1 << 29


@dataclass(eq=False)
class Subject:
    """run: folder. samples: scenes.dataset.Samples. name: of the data. split: "train", ..., "all"; None for photos.
    longest: the longer side, pixels, that photos are shrunk to where they are larger; None for the photos' own size.
    made_of: what decides the predictions but for the condition (scenes.prediction_files). threads: that read photos.
    progress: as scenes.progress.no_progress.

    Sizes, corners and maps are those of the photos as they are held.
    """

    run: Path
    config: TrainConfig
    samples: list[Sample]
    name: str
    split: str | None
    longest: int | None
    made_of: dict
    threads: int = 2
    progress: object = no_progress
    _network: object = field(default=None, repr=False)
    _held: dict = field(default_factory=dict, repr=False)

    def size(self, index: int) -> tuple[int, int]:
        """(width, height) of a photo as it is held."""
        width, height = self.samples[index].width, self.samples[index].height
        if self.longest is None or max(width, height) <= self.longest:
            return width, height
        return tuple(max(1, round(side * self.longest / max(width, height))) for side in (width, height))

    def photo(self, index: int, condition: Condition | None = None) -> np.ndarray:
        """uint8 RGB (H, W, 3), under a condition. Raises DataError."""
        rgb = self._held.get(index)
        if rgb is None:
            rgb = self._read(index)
            if sum(one.nbytes for one in list(self._held.values())) + rgb.nbytes <= HELD_BYTES:
                self._held[index] = rgb
        return rgb if condition is None else photo_under(condition, rgb, self.matrix(index, condition))

    def corners(self, index: int, condition: Condition | None = None) -> np.ndarray:
        """The annotated corners float64 (4, 2) under a condition, NaN where nobody can tell."""
        sample = self.samples[index]
        corners = np.array(sample.corners, np.float64)
        corners[unknown_keypoints(corners, np.asarray(sample.visibility))] = np.nan
        corners = (corners + 0.5) * self.size(index) / np.array([sample.width, sample.height]) - 0.5
        return corners if condition is None else transform(self.matrix(index, condition), corners)

    def matrix(self, index: int, condition: Condition) -> np.ndarray:
        """The map (3, 3) from a photo's pixels to those under the condition; corners in the photo stay in it."""
        seen = self.corners(index)[np.asarray(self.samples[index].visibility) > 0]
        return matrix_under(condition, self.size(index), seen)

    def truth(self, index: int, condition: Condition | None = None) -> np.ndarray:
        """The true mask uint8 (H, W) under a condition; what a turn brings in from outside is `metrics.UNKNOWN`.

        Raises DataError where it is missing or of another size than its photo, DatasetError where it cannot be read.
        """
        sample = self.samples[index]
        if not sample.mask_path.is_file():
            raise DataError(f"{sample.name}: no mask at {sample.mask_path}; segmentation needs one for every photo")
        mask = read_mask(sample.mask_path)
        if mask.shape != (sample.height, sample.width):
            raise DataError(f"{sample.mask_path}: size {mask.shape[::-1]} differs from {sample.width, sample.height}, "
                            "which its photo has by the annotations")
        if condition is None or condition.name != "turn":
            return mask
        return turn_mask(mask, self.matrix(index, condition), UNKNOWN)

    def class_maps(self, condition: Condition | None = None) -> predictions.ClassMaps:
        """What the network says of all samples under a condition; predicted and kept where the run has none of it."""
        origin = with_condition(self.made_of, condition)
        names = [sample.name for sample in self.samples]
        found = predictions.cached(self.run, origin, names)
        if found is None:
            told = "photos" if condition is None else f"{condition.name.replace('_', ' ')} {condition.value:g}"
            tick = self.progress(told, len(names))
            found = predictions.predict(
                self._probabilities, self.config.input_spec, names, lambda index: self.photo(index, condition),
                self.threads, tick,
            )
            predictions.keep(self.run, origin, found)
        return found

    def _probabilities(self, images: np.ndarray) -> np.ndarray:
        if self._network is None:
            self._network = load_network(self.run)[0]
        return predict_batches(self._network, self.config, images)

    def _read(self, index: int) -> np.ndarray:
        sample = self.samples[index]
        try:
            rgb = read_photo(sample.image_path).rgb
        except PhotoError as error:
            raise DataError(f"{sample.image_path}: {error}") from error
        if rgb.shape[:2] != (sample.height, sample.width):
            raise DataError(f"{sample.image_path}: size {rgb.shape[1::-1]} differs from {sample.width, sample.height}, "
                            "which its annotation says; `foliopie scenes check` lists such faults")
        size = self.size(index)
        return rgb if size == rgb.shape[1::-1] else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def open_subject(run, data, split=None, photos=False, threads=2, progress=no_progress) -> Subject:
    """A Subject of the run folder `run` and the folder `data`.

    split: which samples of the dataset, see `choose_samples`. photos: `data` is a folder of annotated photos
    (scenes.annotated_photos), without splits. Raises ConfigError for a run that has no network yet and for a split of
    photos, DataError, ValueError and OSError for data that cannot be used.
    """
    config = read_run_config(Path(run))
    weights = weights_file(Path(run))
    if photos:
        if split:
            raise ConfigError(f"split is {split!r}, and annotated photos have none; leave --split or --photos out")
        samples, longest = read_annotated_photos(data), HELD_SIZE * max(config.height, config.width)
        if not samples:
            raise DataError(f"{data}: no annotated photo; corners are needed as COCO keypoints")
    else:
        (samples, split), longest = choose_samples(data, split), None
    origin = {
        "version": predictions.VERSION,
        "weights_sha256": file_sha256(weights),
        "samples_sha256": samples_sha256(samples, progress=progress("checking files", len(samples))),
        "settings": json.loads(json.dumps(config.to_json())),
        "longest": longest,
    }
    name = Path(data).resolve().name + (f"-{split}" if split in (*SPLITS, "train") else "")
    return Subject(Path(run), config, samples, name, split, longest, origin, threads, progress)


def choose_samples(data: Path, split: str | None) -> tuple[list[Sample], str]:
    """(samples of a dataset, the split they are): of `split`, of all of them for "all", or without a choice of the
    first of `SPLITS` that is there. Raises DataError where there is no such sample."""
    everything = read_dataset(data)
    of_split = {name: [s for s in everything if s.attributes.get("split") == name] for name in (*SPLITS, "train")}
    if split is None:
        split = next((name for name in SPLITS if of_split[name]), "all")
    samples = everything if split == "all" else of_split[split]
    if not samples:
        raise DataError(f"{data}: no sample of split {split!r} among {len(everything)}")
    return samples, split
