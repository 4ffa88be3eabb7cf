"""Parts of scenes in which a coarse network can tell every class: large, with short outlines.

Of each scene, the square of half its shorter side in which no class has less than LEAST_SHARE of the pixels, and the
fewest pixels border on another class; of small scenes a larger one, as smaller pictures are no photos. A network whose
classes are told at every 16th pixel cannot draw toes at a small input: what it gets wrong in such a window it has not
learnt.
"""

import cv2
import numpy as np

from scenes.dataset import IMAGES, MASKS, known_corners, mask_name, read_mask, write_annotations
from scenes.document import ANNOTATIONS
from scenes.files import mask_png, write_whole
from scenes.images import MIN_SIDE_PX, read_photo
from scenes.labels import NAMES
from segmentation.metrics import edges

LEAST_SHARE = 1 / 8  # of a window's pixels, of each of the four classes


def best_window(mask, least_share=LEAST_SHARE):
    """The window of a class mask uint8 (H, W): ((left, top, side), share of its pixels that border another class), or
    None where there is none. Of several alike, the topmost, of these the leftmost."""
    side = max(min(mask.shape) // 2, MIN_SIDE_PX)
    if side > min(mask.shape):
        return None
    enough = np.all([_counts(mask == label, side) >= least_share * side**2 for label in range(len(NAMES))], axis=0)
    if not enough.any():
        return None
    outline = np.where(enough, _counts(edges(mask), side), np.inf)
    top, left = np.unravel_index(outline.argmin(), outline.shape)
    return (int(left), int(top), side), float(outline[top, left]) / side**2


def _counts(pixels, side):
    """True pixels in each window of `side` that lies within bool (H, W), by its first pixel:
    int (H - side + 1, W - side + 1)."""
    sums = cv2.integral(pixels.astype(np.uint8))
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]


def chosen_windows(samples, count):
    """[(Sample, (left, top, side))] of the `count` Samples whose windows have the shortest outlines for their size,
    these first. Raises ValueError where there are fewer."""
    found = []
    for number, sample in enumerate(samples):
        if window := best_window(read_mask(sample.mask_path)):
            found.append((window[1], number, window[0]))
    if len(found) < count:
        raise ValueError(f"of {len(samples)} scenes {len(found)} have a square of half their shorter side in which the "
                         f"background, the sheet and feet of both sides have an eighth of the pixels each; {count} are "
                         "needed: give a dataset with more")
    return [(samples[number], window) for _, number, window in sorted(found)[:count]]


def write_windows(folder, chosen):
    """Write windows, as `chosen_windows` gives them, as a dataset for training; one that is there already stays.

    Photos are PNG, so that they are as they were.
    """
    if (folder / ANNOTATIONS).exists():  # written last
        return
    records = []
    for sample, (left, top, side) in chosen:
        part, name = np.s_[top : top + side, left : left + side], f"{sample.name.replace('/', '-')}.png"
        photo = cv2.imencode(".png", read_photo(sample.image_path).rgb[part][..., ::-1])[1]
        write_whole(folder / IMAGES / name, photo.tobytes())
        write_whole(folder / MASKS / mask_name(name), mask_png(read_mask(sample.mask_path)[part]))
        records.append(_record(sample, name, left, top, side))
    write_annotations(folder, records)


def _record(sample, name, left, top, side):
    corners = np.where(known_corners(sample.corners)[:, None], sample.corners - (left, top), sample.corners)
    inside = ((corners >= 0) & (corners <= side - 1)).all(axis=1)
    return {"file_name": name, "width": side, "height": side, "corners": corners,
            "visibility": np.where(inside, sample.visibility, 0), "attributes": {"split": "train"}}
