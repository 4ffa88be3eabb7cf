"""Many photos of a dataset on one picture, beside photos of another folder if wanted.

Either as they are or changed as for training, with or without their truth drawn in.
"""

import cv2
import numpy as np

from scenes.augment import THESIS, AugmentConfig, augment
from scenes.dataset import read_mask
from scenes.images import InputSpec, PhotoError, read_photo
from scenes.labels import PALETTE

CELL_PX = (200, 240)  # width, height of one photo's place
GAP_PX = 4
PAPER = 255
# Corners as the visibility says: outside, covered, seen (RGB).
CORNER_COLOURS = ((160, 160, 160), (255, 60, 60), (60, 220, 60))
OUTLINE_PX = 1

AUGMENTATIONS = {"thesis": THESIS, "strong": AugmentConfig()}
AUGMENTED_SPEC = InputSpec(height=256, width=192, fit="letterbox")  # the size that the published work trained at


def chosen(items, count, seed=0):
    """``count`` of the list ``items`` at random, in their order; all where there are no more."""
    if count >= len(items):
        return list(items)
    picked = np.random.default_rng(seed).choice(len(items), count, replace=False)
    return [items[k] for k in sorted(picked)]


def draw_truth(rgb, mask, corners, visibility):
    """A copy of ``rgb`` uint8 (H, W, 3) with outlines of the classes of ``mask`` (H, W) and the corners (4, 2) px.

    Without a mask, None, only the corners are drawn. Raises ValueError for a visibility that is not 0, 1 or 2.
    """
    if not np.isin(visibility, range(len(CORNER_COLOURS))).all():
        raise ValueError(f"visibility is {np.asarray(visibility).tolist()}; 0, 1 and 2 are allowed")
    picture = rgb.copy()
    for class_id in range(1, len(PALETTE)) if mask is not None else ():
        outlines, _ = cv2.findContours((mask == class_id).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, PALETTE[class_id].tolist(), OUTLINE_PX)
    reach = max(2, round(max(rgb.shape[:2]) / 100))
    for (x, y), seen in zip(np.asarray(corners), visibility, strict=True):
        if np.isfinite([x, y]).all() and abs(x) < 1e5 and abs(y) < 1e5:
            cv2.circle(picture, (round(x), round(y)), reach, CORNER_COLOURS[int(seen)], 2, cv2.LINE_AA)
    return picture


def in_cell(rgb, cell=CELL_PX):
    """``rgb`` uint8 (H, W, 3) shrunk or grown to fit, in the middle of a white cell uint8 (height, width, 3)."""
    width, height = cell
    scale = min(width / rgb.shape[1], height / rgb.shape[0])
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    place = np.full((height, width, 3), PAPER, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    place[top:top + size[1], left:left + size[0]] = small
    return place


def tiled(pictures, columns, cell=CELL_PX):
    """uint8 (H, W, 3): ``pictures`` in rows of ``columns``, from the top left. Raises ValueError for none."""
    if not pictures:
        raise ValueError("a contact sheet needs one picture at least")
    width, height = cell
    rows = -(-len(pictures) // columns)
    page = np.full((rows * (height + GAP_PX) + GAP_PX, columns * (width + GAP_PX) + GAP_PX, 3), PAPER, np.uint8)
    for k, picture in enumerate(pictures):
        top, left = GAP_PX + k // columns * (height + GAP_PX), GAP_PX + k % columns * (width + GAP_PX)
        page[top:top + height, left:left + width] = in_cell(picture, cell)
    return page


def contact_sheet(samples, with_truth=False, beside=(), columns=None, augmentation=None, seed=0):
    """One picture, uint8 (H, W, 3), of the `Sample`s and, right of them, of the photos ``beside`` (paths).

    augmentation: an `AugmentConfig`; the samples are then changed at random by ``seed`` and shown at the size
    `AUGMENTED_SPEC`. Returns (picture, problems: one line for each photo that could not be read). Raises ValueError
    when none could.
    """
    problems, left, right = [], [], []
    for number, sample in enumerate(samples):
        try:
            left.append(_shown(sample, with_truth, augmentation, np.random.default_rng([seed, number])))
        except (PhotoError, ValueError) as error:
            problems.append(f"{sample.image_path}: {error}")
    for path in beside:
        try:
            right.append(read_photo(path).rgb)
        except PhotoError as error:
            problems.append(f"{path}: {error}")
    if not left and not right:
        raise ValueError("none of the photos could be read: " + "; ".join(problems[:3]))
    if not (left and right):
        return tiled(left or right, columns or _columns(len(left or right))), problems
    rows = max(1, round(np.sqrt(len(left) + len(right)) * 0.75))
    halves = [tiled(part, columns or -(-len(part) // rows)) for part in (left, right)]
    tall = max(half.shape[0] for half in halves)
    padded = [np.pad(half, ((0, tall - half.shape[0]), (0, 0), (0, 0)), constant_values=PAPER) for half in halves]
    divider = np.zeros((tall, 2 * GAP_PX, 3), np.uint8)
    return np.hstack([padded[0], divider, padded[1]]), problems


def _shown(sample, with_truth, augmentation, rng):
    """A `Sample` as it is drawn: uint8 (H, W, 3). Raises PhotoError, and ValueError for a mask that cannot be read or
    a visibility that there is not."""
    rgb, corners, visibility = read_photo(sample.image_path).rgb, sample.corners, sample.visibility
    if augmentation is None:
        return draw_truth(rgb, read_mask(sample.mask_path), corners, visibility) if with_truth else rgb
    mask = read_mask(sample.mask_path) if sample.mask_path.is_file() else None
    changed = augment(rgb, mask, corners, visibility, AUGMENTED_SPEC, rng, augmentation)
    if not with_truth:
        return changed.image
    return draw_truth(changed.image, changed.mask, changed.corners, changed.visibility)


def _columns(count):
    """A page about as wide as a screen."""
    return max(1, round(np.sqrt(count * 1.6)))
