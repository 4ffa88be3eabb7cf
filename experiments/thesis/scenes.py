"""The scenes that the thesis's trainings are done on: one dataset folder of links, out of one dataset or several.

The thesis's photos were taken with an app that asks for the whole sheet and a foot on it: a quarter of their pixels are
sheet, an eighth foot. Rendered scenes are of more kinds; `alike` says which of them are like those.
"""

import os
from pathlib import Path

import numpy as np

from scenes.dataset import IMAGES, MASKS, read_dataset, read_mask, write_annotations
from scenes.labels import BACKGROUND

FOLDER = "scenes"
# Sheet and feet together, of a photo's pixels: with it their mean shares are near the thesis's 25 and 11 %.
LEAST_SHARE = 0.2


def alike(sample):
    """Whether a scenes.dataset.Sample is like the thesis's photos: the sheet's corners all within the photo, seen or
    covered; a foot; sheet and feet at least LEAST_SHARE of the pixels."""
    if not (np.asarray(sample.visibility) > 0).all() or not sample.attributes.get("feet"):
        return False
    return float((read_mask(sample.mask_path) != BACKGROUND).mean()) >= LEAST_SHARE


def choose(folders, only_alike):
    """(training, validation) lists of Samples of dataset folders, test scenes left out.

    A scene's split is that of its dataset. Raises ValueError where either is empty, scenes.dataset.DatasetError for a
    folder that is no dataset.
    """
    samples = [sample for folder in folders for sample in read_dataset(folder)]
    samples = [sample for sample in samples if sample.attributes.get("split") != "test"]
    if only_alike:
        samples = [sample for sample in samples if alike(sample)]
    held_out = [sample for sample in samples if sample.attributes.get("split") == "validation"]
    training = [sample for sample in samples if sample.attributes.get("split") != "validation"]
    if not training or not held_out:
        why = "; of what there was, only scenes with the whole sheet and a foot are used" if only_alike else ""
        raise ValueError(f"{', '.join(map(str, folders))}: {len(training)} scenes to train on and {len(held_out)} to "
                         f"judge by, both are needed{why}: give a dataset with both splits, or one of each, "
                         "--data DIR --data DIR")
    return training, held_out


def link(folder, splits):
    """A dataset folder of links to photos and masks: {split: list of Samples}. Files are numbered, for names of several
    datasets may be the same."""
    folder, records = Path(folder), []
    for split, samples in splits.items():
        for number, sample in enumerate(samples):
            name = f"{split}-{number:05d}{sample.image_path.suffix}"
            _place(sample.image_path, folder / IMAGES / name)
            _place(sample.mask_path, (folder / MASKS / name).with_suffix(sample.mask_path.suffix))
            records.append({"file_name": name, "width": sample.width, "height": sample.height,
                            "corners": sample.corners, "visibility": sample.visibility,
                            "attributes": dict(sample.attributes, split=split)})
    write_annotations(folder, records)


def _place(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink():
        os.symlink(Path(source).resolve(), target)
