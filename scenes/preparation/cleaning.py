"""Cleaning the borders of masks by the majority in a window (section 3.1.4 of the thesis), and a whole dataset's.

The thesis looks at the neighbourhood of each pixel in a window of 5 pixels and gives the pixel the window's "maximum".
Here that is the class that most of the window's pixels have: the largest id would let feet grow by two pixels all
round and leave no border clean. All pixels are looked at; inside an area nothing can change.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from scenes.dataset import IMAGES, MASKS, SIDE_CLASSES, DatasetError, read_dataset, read_mask
from scenes.document import ANNOTATIONS, masks_are_required, read_document
from scenes.files import mask_png, place
from scenes.labels import NAMES
from scenes.preparation.statistics import class_counts

WINDOW_PX = 5
REPORT = "cleaning.json"
# Counts, weighted as below, stay whole numbers in float32 for windows up to here.
LARGEST_WINDOW_PX = 255


@dataclass(frozen=True, eq=False)
class CleaningReport:
    """What was done to a dataset's masks.

    window_px: side of the window. masks: how many were cleaned, `pixels` in all. changes: int64 (4, 4), pixels of
    class `row` that became `column`. most_changed: (name, changed pixels) of the sample with the most, None when no
    pixel changed. kept: one line for each mask left as it was because a foot would have gone. problems: one line for
    each file that could not be read.
    """

    window_px: int
    masks: int
    pixels: int
    changes: np.ndarray
    most_changed: tuple | None
    kept: tuple
    problems: tuple

    def to_json(self):
        """Plain dict for cleaning.json."""
        return {"window_px": self.window_px, "masks": self.masks, "pixels": self.pixels,
                "changed": int(self.changes.sum()),
                "changes": {NAMES[k]: {NAMES[m]: int(self.changes[k, m]) for m in range(len(NAMES)) if m != k}
                            for k in range(len(NAMES))},
                "most_changed": self.most_changed and {"name": self.most_changed[0], "pixels": self.most_changed[1]},
                "kept_as_it_was": list(self.kept), "problems": list(self.problems)}


def check_window(window):
    """Raises ValueError unless `window` is an odd number of pixels, 3 to LARGEST_WINDOW_PX."""
    if window % 2 == 0 or not 3 <= window <= LARGEST_WINDOW_PX:
        raise ValueError(f"the window is {window} pixels; it must be odd, to have a middle, and 3 to "
                         f"{LARGEST_WINDOW_PX}")


def clean_mask(mask, window=WINDOW_PX):
    """Each pixel gets the class that most pixels of the window around it have: uint8 (H, W), new.

    mask: uint8 (H, W), class ids. window: side in pixels, odd. Beside the picture's border the window is what of it
    lies inside. Of classes with as many pixels each, the pixel's own stays; else the one that has more of the 3 x 3
    pixels around it; else the smallest id. All decisions are made on the mask as given. A corner is rounded, and what
    is narrower than half the window, such as a line or a gap of two pixels in five, goes.
    Raises ValueError for another shape, type or window.
    """
    check_window(window)
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}; uint8 (H, W) is needed")
    if not mask.size:
        return mask.copy()
    best = np.full(mask.shape, -1, np.float32)
    cleaned = np.zeros_like(mask)
    for label in np.flatnonzero(np.bincount(mask.ravel())):
        there = (mask == label).view(np.uint8)
        # One number that sorts as the rules do: count in the window, then own class (16), then count in 3 x 3 (0..9).
        score = cv2.addWeighted(_count(there, window), 32, _count(there, 3), 1, 0)
        score[there != 0] += 16
        better = score > best  # not "or equal": the smallest id wins a draw
        np.copyto(best, score, where=better)
        cleaned[better] = label
    return cleaned


def _count(there, window):
    return cv2.boxFilter(there, cv2.CV_32F, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT)


def class_changes(before, after):
    """Two masks of one shape, ids 0..3 -> int64 (4, 4): pixels of class `row` in the first that are `column` in the
    second, the diagonal zero."""
    pairs = before.astype(np.int64) * len(NAMES) + after
    changes = np.bincount(pairs.ravel(), minlength=len(NAMES) ** 2).reshape(len(NAMES), len(NAMES))
    np.fill_diagonal(changes, 0)
    return changes


def clean_dataset(folder, out, window=WINDOW_PX, link=False, progress=None):
    """A copy of the dataset `folder` in the new folder `out`, its masks cleaned: CleaningReport.

    All or nothing: `out` appears when everything is done (killed outright, it leaves a folder .OUT.* beside). Photos
    and annotations.json are copied as they are, and REPORT is written; link: hard links to the photos in place of
    copies, where the file system can. A mask that cannot be read is copied as it is and named in `problems`, as is what
    is missing; one that would lose a foot that its attributes tell of is copied as it is and named in `kept`. progress:
    called with (done, total) after each sample.
    Raises DatasetError for a dataset that cannot be read or has no masks, ValueError for a window or for an `out` that
    holds something or lies inside `folder`, OSError when writing fails.
    """
    check_window(window)
    folder, out = Path(folder), Path(out)
    refuse_filled(out)
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{out} is inside the dataset {folder}: name a folder elsewhere")
    samples = read_dataset(folder)
    if not masks_are_required(read_document(folder)[0]):
        raise DatasetError(f"{folder / ANNOTATIONS} says that the dataset comes without masks: nothing to clean")
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        made = staging / "dataset"
        for part in (IMAGES, MASKS):
            (made / part).mkdir(parents=True)
        report = _clean_into(made, folder, samples, window, link, progress)
        shutil.copyfile(folder / ANNOTATIONS, made / ANNOTATIONS)
        (made / REPORT).write_text(json.dumps(report.to_json(), indent=1) + "\n")
        os.replace(made, out)  # an empty folder gives way
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


def refuse_filled(folder):
    """Raises ValueError unless `folder` does not exist or is an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there already and not empty: name a new folder")


def _clean_into(made, folder, samples, window, link, progress):
    masks = pixels = 0
    changes, most_changed = np.zeros((len(NAMES),) * 2, np.int64), None
    kept, problems = [], []
    for done, sample in enumerate(samples, start=1):
        problem = _copy(sample.image_path, made / sample.image_path.relative_to(folder), link)
        problems += [problem] if problem else []
        mask_path = made / sample.mask_path.relative_to(folder)
        mask_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            before = read_mask(sample.mask_path)
            counts = class_counts(before)
        except ValueError as error:
            problems.append(str(error) if isinstance(error, DatasetError) else f"{sample.mask_path}: {error}")
            _copy(sample.mask_path, mask_path)
        else:
            after = clean_mask(before, window)
            gone = _feet_gone(sample, counts, class_counts(after))
            if gone:
                kept.append(f"{sample.mask_path}: left as it was, for cleaning takes away the whole {gone}")
                after = before
            mask_path.write_bytes(mask_png(after))
            changed = class_changes(before, after)
            masks, pixels, changes = masks + 1, pixels + before.size, changes + changed
            if changed.sum() > (most_changed[1] if most_changed else 0):
                most_changed = (sample.name, int(changed.sum()))
        if progress:
            progress(done, len(samples))
    return CleaningReport(window, masks, pixels, changes, most_changed, tuple(kept), tuple(problems))


def _copy(source, target, link=False):
    """Copy a file, or link it; one line where there is none that may be read, else None. Raises OSError."""
    if not (source.is_file() and os.access(source, os.R_OK)):
        return f"{source}: there is no such file, or it may not be read"
    place(source, target, link)
    return None


def _feet_gone(sample, before, after):
    """Name of a foot that the attributes tell of and that has pixels before and none after; None when all stay."""
    feet = sample.attributes.get("feet")
    for foot in feet if isinstance(feet, list) else ():
        label = SIDE_CLASSES.get(foot.get("side")) if isinstance(foot, dict) else None
        if label is not None and before[label] and not after[label]:
            return NAMES[label]
    return None
