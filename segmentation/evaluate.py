"""How good a trained network is on a dataset, at the photos' own size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from scenes.dataset import Sample, read_dataset
from scenes.images import fit_photo, mask_to_photo
from scenes.labels import NAMES
from segmentation import loader, metrics
from segmentation.network import load_network, predict_batches

BATCH = 8

# Without a choice, the first of these splits that the dataset has is evaluated, else all of it.
SPLITS = ("test", "validation")


def evaluate(run: Path, data: Path, split: str | None = None, progress: Callable = iter, threads: int = 2) -> dict:
    """Predicts every sample once and compares at photo size: probabilities are resized, then the largest taken.

    Args:
        run: run folder of `segmentation train`.
        data: dataset folder.
        split: which samples; None for the first of `SPLITS` that is there, "all" for every sample.
        progress: wraps the list of batches, e.g. a bar.

    Returns:
        JSON values: the figures of `metrics.summary`, "confusion_matrix" in pixels (row = truth), "feet" with the side
        that each true foot is given by the majority of its pixels, and what was evaluated.

    Raises:
        loader.DataError: if there is no such sample or a mask is missing.
    """
    samples, split = choose_samples(data, split)
    model, config = load_network(run)
    spec = config.input_spec
    matrix = np.zeros((metrics.CLASSES, metrics.CLASSES), np.int64)
    sides = []
    parts = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    for part in progress(parts):
        pixels = loader.read_pixels(part, threads)
        images = np.stack([fit_photo(one.rgb, spec) for one in pixels])
        for one, probabilities in zip(pixels, predict_batches(model, config, images, BATCH), strict=True):
            size = (one.rgb.shape[1], one.rgb.shape[0])
            prediction = mask_to_photo(probabilities, size, spec).argmax(-1)
            matrix += metrics.confusion_matrix(one.mask, prediction)
            sides += metrics.named_sides(one.mask, prediction)
    return {
        "run": str(run), "data": str(data), "split": split, "samples": len(samples),
        **metrics.summary(matrix), "feet": summarise_sides(sides),
        "labels": list(NAMES), "confusion_matrix": matrix.tolist(),
    }


def choose_samples(data: Path, split: str | None) -> tuple[list[Sample], str]:
    """(samples, the split they are) for `evaluate`."""
    everything = read_dataset(data)
    of_split = {name: [s for s in everything if s.attributes.get("split") == name] for name in (*SPLITS, "train")}
    if split is None:
        split = next((name for name in SPLITS if of_split[name]), "all")
    samples = everything if split == "all" else of_split[split]
    if not samples:
        raise loader.DataError(f"{data}: no sample of split {split!r} among {len(everything)}")
    return samples, split


def summarise_sides(sides: list[tuple[int, int]]) -> dict:
    """Counts of feet by whether their majority has the right side; pairs as `metrics.named_sides` gives them.

    "left_right_confusion" is wrong / (right + wrong), None without either.
    """
    right = sum(truth == named for truth, named in sides)
    undecided = sum(named < 0 for _, named in sides)
    wrong = len(sides) - right - undecided
    return {
        "count": len(sides), "right_side": right, "wrong_side": wrong, "undecided": undecided,
        "left_right_confusion": round(wrong / (right + wrong), 6) if right + wrong else None,
    }
