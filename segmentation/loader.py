"""Samples into batches: pixels decoded once into memory, augmented in background threads while the network trains.

What a sample looks like in an epoch depends on (seed, epoch, index) alone, so the number of threads and where a run
was interrupted change nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.augment import NONE, THESIS, AugmentConfig, augment
from scenes.dataset import Sample, read_dataset, read_mask
from scenes.images import PhotoError, read_photo
from segmentation.config import TrainConfig

# Part of the samples, the last in the dataset's order, that validates when the data marks none for it.
HELD_OUT_SHARE = 0.1

# Batches that may be ready or in work per thread, above the one being trained on.
BATCHES_AHEAD = 2


class DataError(Exception):
    """A dataset that cannot be trained or evaluated on."""


@dataclass(frozen=True)
class Pixels:
    """One decoded sample: rgb uint8 (H, W, 3), mask uint8 (H, W) class ids, and its sample."""

    rgb: np.ndarray
    mask: np.ndarray
    sample: Sample


@dataclass(frozen=True)
class Batch:
    """images: uint8 (N, h, w, 3) RGB at the network's input size; masks: uint8 (N, h, w) class ids."""

    images: np.ndarray
    masks: np.ndarray


def split_samples(
    data: Path | list[Path], validation: Path | None = None
) -> tuple[list[Sample], list[Sample], str]:
    """(training samples, validation samples, where the latter come from) of a dataset folder, or of several together.

    Validation samples are the first of these that there are: those of split "validation" in `data` ("split"); all of
    the folder `validation` ("folder"); the last tenth of `data`, at least one ("tail"). Never trained on: what
    validates, and what `data` marks as "test".

    Raises:
        DataError: if either part would be empty.
    """
    samples = [sample for folder in folders_of(data) for sample in read_dataset(folder)
               if sample.attributes.get("split") != "test"]
    held_out = [sample for sample in samples if sample.attributes.get("split") == "validation"]
    training = [sample for sample in samples if sample.attributes.get("split") != "validation"]
    how = "split"
    if not held_out and validation is not None:
        held_out, how = read_dataset(validation), "folder"
    elif not held_out:
        count = max(1, round(len(training) * HELD_OUT_SHARE))
        training, held_out, how = training[:-count], training[-count:], "tail"
    if not training or not held_out:
        raise DataError(
            f"{folders_in_words(data)}: {len(training)} samples to train on and {len(held_out)} to validate with; both "
            "need at least one"
        )
    return training, held_out, how


def folders_of(data: Path | list[Path]) -> list[Path]:
    """One folder or several, as a list."""
    return [Path(data)] if isinstance(data, (str, Path)) else [Path(folder) for folder in data]


def folders_in_words(data: Path | list[Path]) -> str:
    """The same as text."""
    return ", ".join(map(str, folders_of(data)))


def read_pixels(samples: list[Sample], threads: int = 2) -> list[Pixels]:
    """Decodes photos and masks into memory (0.9 MB a 640x480 sample), in the order given.

    Raises:
        DataError: if a photo cannot be read, a mask is missing or has another size than its photo.
        scenes.dataset.DatasetError: if a mask cannot be read.
    """
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(_read_one, samples))


def prepare(pixels: Pixels, config: TrainConfig, rng: np.random.Generator, augmentation: AugmentConfig):
    """One sample as the network sees it: (image uint8 (h, w, 3), mask uint8 (h, w))."""
    sample = pixels.sample
    result = augment(
        pixels.rgb, pixels.mask, sample.corners, sample.visibility, config.input_spec, rng, augmentation
    )
    return result.image, result.mask


def augmentation_of(config: TrainConfig) -> AugmentConfig:
    """The augmentation that the configuration's name stands for."""
    return {"default": AugmentConfig(), "thesis": THESIS, "none": NONE}[config.augmentation]


def steps_per_epoch(samples: int, batch: int) -> int:
    """Full batches in an epoch; with fewer samples than a batch, one batch of them all."""
    return max(1, samples // batch)


def training_batches(
    data: list[Pixels], config: TrainConfig, epoch: int, threads: int = 1, rank: int = 0, workers: int = 1
) -> Iterator[Batch]:
    """The batches of one epoch, in an order of that epoch's own.

    Batches are all full, as a last one of one or two samples would spoil the running statistics of BatchNorm; the few
    samples left over are others in every epoch. Of several workers, whose number divides the batch, the one of this
    rank gets its share of each batch.

    Raises:
        DataError: where there is no sample for each worker.
    """
    if len(data) < workers:
        raise DataError(f"{len(data)} samples to train on are too few for {workers} workers; each needs at least one")
    order = np.random.default_rng([config.seed, epoch]).permutation(len(data))
    size = min(config.batch, len(data) - len(data) % workers)
    share = size // workers
    starts = range(0, len(order) - size + 1, size)
    parts = [order[start + rank * share : start + (rank + 1) * share] for start in starts]
    augmentation = augmentation_of(config)

    def make(indices: np.ndarray) -> Batch:
        return _stack(
            prepare(data[i], config, np.random.default_rng([config.seed, epoch, int(i)]), augmentation)
            for i in indices
        )

    return ahead(make, parts, threads)


def validation_batches(data: list[Pixels], config: TrainConfig, threads: int = 1) -> Iterator[Batch]:
    """Every sample once, in order, unaugmented; the last batch may be smaller."""
    parts = [data[start : start + config.batch] for start in range(0, len(data), config.batch)]

    def make(part: list[Pixels]) -> Batch:
        return _stack(prepare(pixels, config, np.random.default_rng(0), NONE) for pixels in part)

    return ahead(make, parts, threads)


def ahead(make: Callable, parts: list, threads: int) -> Iterator:
    """make(part) for every part, in order, computed in background threads a bounded number of parts ahead.

    An exception in `make` is raised here when its part's turn comes.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="loader")
    waiting = deque()
    rest = iter(parts)
    try:
        for part in rest:
            waiting.append(pool.submit(make, part))
            if len(waiting) >= threads * BATCHES_AHEAD + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _stack(pairs) -> Batch:
    images, masks = zip(*pairs, strict=True)
    return Batch(np.stack(images), np.stack(masks))


def _read_one(sample: Sample) -> Pixels:
    if not sample.mask_path.is_file():
        raise DataError(f"{sample.name}: no mask at {sample.mask_path}; segmentation needs one for every photo")
    try:
        rgb = read_photo(sample.image_path).rgb
    except PhotoError as error:
        raise DataError(f"{sample.image_path}: {error}") from error
    mask = read_mask(sample.mask_path)
    if mask.shape != rgb.shape[:2]:
        raise DataError(f"{sample.mask_path}: size {mask.shape[::-1]} differs from its photo's {rgb.shape[1::-1]}")
    return Pixels(rgb, mask, sample)
