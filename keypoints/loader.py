"""From a dataset on disk to batches that are ready when the network is.

All photos are decoded once and held in memory as uint8 (225 KiB for 320 x 240). A thread of its own augments
and draws the targets (OpenCV and numpy let go of the interpreter while they work) into a queue of a few
batches.
"""

import queue
import threading
from dataclasses import dataclass

import cv2
import numpy as np

from keypoints.config import MEAN, STD, STRIDE
from keypoints.heatmaps import encode
from scenes.augment import UNKNOWN, AugmentConfig, augment
from scenes.dataset import read_mask
from scenes.images import fit_photo, input_to_photo, read_photo
from scenes.sheet import order_corners, transform

# Photos are held at most this many times as long as the network's input: room to zoom in, bounded memory.
HELD_SIZE = 2
QUEUE_BATCHES = 4
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Example:
    """A decoded photo and its corners.

    rgb: uint8 (h, w, 3), as held. mask: uint8 (h, w), class ids, or None. corners: float64 (4, 2), pixels of
    `rgb`. visibility: int (4,), as in COCO. size: (width, height) of the photo on disk. Corners that nobody
    can tell are NaN, with visibility 0.
    """

    name: str
    rgb: np.ndarray
    mask: np.ndarray | None
    corners: np.ndarray
    visibility: np.ndarray
    size: tuple

    @property
    def corners_in_photo(self):
        """(4, 2) in pixels of the photo on disk."""
        return (self.corners + 0.5) * self.held_to_photo - 0.5

    @property
    def held_to_photo(self):
        """(2,) photo pixels per held pixel, in x and in y."""
        return np.array(self.size) / (self.rgb.shape[1], self.rgb.shape[0])


@dataclass(frozen=True)
class Batch:
    """images: float32 (N, 3, H, W), normalised. targets: float32 (N, 4, h, w). Only the first `count` samples
    count."""

    images: np.ndarray
    targets: np.ndarray
    count: int


def split_samples(samples, validation_samples=None):
    """(training, validation, how) out of a dataset's samples; `how` says where the validation came from.

    "split": the samples whose split is "validation". Without any, "folder": `validation_samples`, all of
    them. Without those, "tail": the last tenth, at least one, in the dataset's order, which is held out of
    training. Samples of split "test" are in neither. Raises ValueError when nothing is left to train on.
    """
    usable = [sample for sample in samples if sample.attributes.get("split") != "test"]
    training = [sample for sample in usable if sample.attributes.get("split") != "validation"]
    validation = [sample for sample in usable if sample.attributes.get("split") == "validation"]
    how = "split"
    if not validation and validation_samples:
        validation, how = list(validation_samples), "folder"
    elif not validation:
        held_out = max(1, round(VALIDATION_SHARE * len(training)))
        training, validation, how = training[:-held_out], training[-held_out:], "tail"
    if not training:
        raise ValueError(
            f"{len(samples)} samples leave none to train on beside validation and test; add samples"
        )
    return training, validation, how


def load_examples(samples, longest_side, masks=False, progress=None):
    """Decode the photos of scenes.dataset samples, shrunk to `longest_side` pixels where they are larger.

    masks: also the masks, where there are any: augmentation prints on the sheet and lays things beside it
    with their help. progress: called with 1 after each photo. Raises scenes.images.PhotoError, and ValueError
    where a photo has another size than its annotation says.
    """
    examples = []
    for sample in samples:
        rgb = read_photo(sample.image_path).rgb
        if rgb.shape[:2] != (sample.height, sample.width):
            raise ValueError(
                f"{sample.image_path} is {rgb.shape[1]} x {rgb.shape[0]}, its annotation says "
                f"{sample.width} x {sample.height}; `foliopie scenes check` lists such faults"
            )
        mask = read_mask(sample.mask_path) if masks and sample.mask_path.exists() else None
        if mask is not None and mask.shape != rgb.shape[:2]:
            raise ValueError(
                f"{sample.mask_path} has not the size of its photo; `foliopie scenes check` lists such faults"
            )
        examples.append(_example(sample, rgb, mask, longest_side))
        if progress:
            progress(1)
    return examples


def _example(sample, rgb, mask, longest_side):
    corners = np.array(sample.corners, np.float64)
    visibility = np.array(sample.visibility, int)
    # Two ways of saying "nobody can tell where": this project's (-1, -1), and (0, 0) as in plain COCO.
    unknown = (visibility == 0) & ((corners == UNKNOWN).all(axis=1) | (corners == 0).all(axis=1))
    corners[unknown] = np.nan
    if max(rgb.shape[:2]) > longest_side:
        scale = longest_side / max(rgb.shape[:2])
        width, height = (max(1, round(side * scale)) for side in (sample.width, sample.height))
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        mask = (
            None if mask is None else cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        )
        corners = (corners + 0.5) * (width / sample.width, height / sample.height) - 0.5
    return Example(sample.name, rgb, mask, corners, visibility, (sample.width, sample.height))


def normalise(images):
    """uint8 RGB (N, H, W, 3) -> float32 (N, 3, H, W): (x - MEAN) / STD. The one place where channels come
    first."""
    scale = 1.0 / np.array(STD, np.float32)
    return np.ascontiguousarray(
        (np.asarray(images, np.float32) * scale - np.array(MEAN, np.float32) * scale).transpose(0, 3, 1, 2)
    )


def in_order(corners, visibility):
    """Corners (4, 2) and visibility (4,) in the published order of the frame they are in.

    A fit that is no plain scaling (stretch, turn) may change which corner is the first. With a corner unknown
    the order cannot be told anew and stays.
    """
    if not np.isfinite(corners).all():
        return corners, visibility
    order = order_corners(corners)
    return corners[order], visibility[order]


def plain_sample(example, config):
    """The network's input as in use, without augmentation: image uint8 (H, W, 3), corners (4, 2) input px,
    visibility (4,)."""
    spec = config.input_spec
    height, width = example.rgb.shape[:2]
    photo_to_input = np.linalg.inv(input_to_photo((width, height), spec))
    corners, visibility = in_order(transform(photo_to_input, example.corners), example.visibility)
    return fit_photo(example.rgb, spec), corners, visibility


def augmented_sample(example, config, rng):
    """Like plain_sample, changed at random by `rng` (numpy Generator)."""
    corners = np.where(np.isnan(example.corners), UNKNOWN, example.corners)
    result = augment(
        example.rgb, example.mask, corners, example.visibility, config.input_spec, rng, AugmentConfig()
    )
    unknown = (result.visibility == 0) & (result.corners == UNKNOWN).all(axis=1)
    return result.image, np.where(unknown[:, None], np.nan, result.corners), result.visibility


def target(corners, config):
    """Heatmaps (4, h, w) of corners in input pixels; covered corners have whole peaks, unknown ones none."""
    present = np.isfinite(corners).all(axis=1)
    return encode(corners, present, config.heatmap_size, STRIDE, config.sigma_px)


def training_order(count, config, epoch):
    """Indices of one epoch's samples, in whole batches: every sample once, then the first ones again to fill
    the last batch."""
    order = np.random.default_rng([config.seed, epoch]).permutation(count)
    return np.resize(order, -(-count // config.batch) * config.batch)


def training_batches(examples, config, epoch):
    """Batches of one epoch, each full. The same (seed, epoch, place in the epoch) gives the same sample."""
    order = training_order(len(examples), config, epoch)
    for start in range(0, len(order), config.batch):
        drawn = []
        for place in range(start, start + config.batch):
            example = examples[order[place]]
            if config.augment:
                drawn.append(
                    augmented_sample(example, config, np.random.default_rng([config.seed, epoch, place]))
                )
            else:
                drawn.append(plain_sample(example, config))
        yield _batch(drawn, config, config.batch)


def plain_batches(examples, config):
    """Every example once, in order, without augmentation; the last batch is filled up with zeros beyond
    `count`."""
    for start in range(0, len(examples), config.batch):
        drawn = [plain_sample(example, config) for example in examples[start : start + config.batch]]
        yield _batch(drawn, config, len(drawn))


def _batch(drawn, config, count):
    images = np.zeros((config.batch, config.height, config.width, 3), np.uint8)
    images[: len(drawn)] = [image for image, _, _ in drawn]
    targets = np.zeros((config.batch, len(drawn[0][1]), *config.heatmap_size), np.float32)
    targets[: len(drawn)] = [target(corners, config) for _, corners, _ in drawn]
    return Batch(normalise(images), targets, count)


def prefetch(items, depth=QUEUE_BATCHES):
    """Iterate over `items` with a thread that works ahead by at most `depth`.

    What the thread raises is raised here. Closing the generator (leaving the loop) ends the thread.
    """
    ahead = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    end = object()

    def put(item):
        while not stopped.is_set():
            try:
                return ahead.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work():
        try:
            for item in items:
                put((item, None))
                if stopped.is_set():
                    return
            put((end, None))
        except BaseException as fault:  # whatever it was, the consumer must not wait for ever
            put((end, fault))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, fault = ahead.get()
            if fault is not None:
                raise fault
            if item is end:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
