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

from keypoints.augmentation import augment_points
from keypoints.config import CORNERS, MEAN, STD, STRIDE
from keypoints.coordinates import encode_coordinates
from keypoints.heatmaps import encode, encode_shared
from keypoints.outlines import encode_interior
from scenes.augment import UNKNOWN, AugmentConfig, augment
from scenes.dataset import read_category, read_dataset, read_mask, unknown_keypoints
from scenes.images import PhotoError, fit_photo, input_to_photo, read_photo
from scenes.labels import BACKGROUND, NAMES
from scenes.sheet import order_corners, transform

# Photos are held at most this many times as long as the network's input: room to zoom in, bounded memory.
HELD_SIZE = 2
QUEUE_BATCHES = 4
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Example:
    """A decoded photo and its keypoints, the four corners of a sheet or K others.

    rgb: uint8 (h, w, 3), as held. mask: uint8 (h, w), class ids, or None. corners: float64 (K, 2), pixels of
    `rgb`. visibility: int (K,), as in COCO. size: (width, height) of the photo on disk. Keypoints that nobody
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
        """(K, 2) in pixels of the photo on disk."""
        return (self.corners + 0.5) * self.held_to_photo - 0.5

    @property
    def held_to_photo(self):
        """(2,) photo pixels per held pixel, in x and in y."""
        return np.array(self.size) / (self.rgb.shape[1], self.rgb.shape[0])


@dataclass(frozen=True)
class Batch:
    """images: float32 (N, channels, H, W), see network_input. targets: float32 (N, maps, h, w), or (N, 2K), see target.
    visibility: float32 (N, K), as in COCO. Only the first `count` samples count."""

    images: np.ndarray
    targets: np.ndarray
    visibility: np.ndarray
    count: int


def read_samples(folder, config, split=None):
    """scenes.dataset.read_dataset of a dataset with as many keypoints a sample as the configuration's network finds.

    Raises ValueError for a dataset of another number; DatasetError, also where four keypoints are no sheet's.
    """
    category = read_category(folder)
    if len(category.keypoints) != config.joints:
        raise ValueError(
            f"{folder} has {len(category.keypoints)} keypoints a sample, of category {category.name!r}; the network is "
            f"to find {config.joints}: train with --joints {len(category.keypoints)}"
        )
    return read_dataset(folder, split) if config.joints == CORNERS else read_dataset(folder, split, category=None)


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
    with their help, and they may be the input (see require_masks). progress: called with 1 after each photo.
    Raises scenes.images.PhotoError, and ValueError where a photo has another size than its annotation says, a
    keypoint another visibility than COCO's, or a mask other classes.
    """
    examples = []
    for sample in samples:
        try:
            rgb = read_photo(sample.image_path).rgb
        except PhotoError as fault:  # which does not say of what file
            raise PhotoError(fault.code, f"{sample.image_path}: {fault.message}") from fault
        if rgb.shape[:2] != (sample.height, sample.width):
            raise ValueError(
                f"{sample.image_path} is {rgb.shape[1]} x {rgb.shape[0]}, its annotation says "
                f"{sample.width} x {sample.height}; `foliopie scenes check` lists such faults"
            )
        if not np.isin(sample.visibility, (0, 1, 2)).all():
            raise ValueError(
                f"{sample.image_path}: visibility is {np.asarray(sample.visibility).tolist()}; 0, 1 and 2 are "
                "allowed: `foliopie scenes check` names every such fault"
            )
        mask = read_mask(sample.mask_path) if masks and sample.mask_path.exists() else None
        if mask is not None and mask.shape != rgb.shape[:2]:
            raise ValueError(
                f"{sample.mask_path} has not the size of its photo; `foliopie scenes check` lists such faults"
            )
        if mask is not None and mask.max() >= len(NAMES):
            raise ValueError(
                f"{sample.mask_path} has the class {mask.max()}; classes are 0 to {len(NAMES) - 1}: "
                "`foliopie scenes check` lists such faults"
            )
        examples.append(_example(sample, rgb, mask, longest_side))
        if progress:
            progress(1)
    return examples


def require_masks(samples, config):
    """Raises ValueError where masks are the input and a scenes.dataset sample has none."""
    lacking = [sample.name for sample in samples if config.input == "mask" and not sample.mask_path.exists()]
    if lacking:
        raise ValueError(_no_mask(lacking[0], f" (nor have {len(lacking) - 1} others)" if lacking[1:] else ""))


def _no_mask(name, others=""):
    return f"sample {name} has no mask{others}, and input is 'mask'; give a dataset with masks, or choose --input rgb"


def _example(sample, rgb, mask, longest_side):
    corners = np.array(sample.corners, np.float64)
    visibility = np.array(sample.visibility, int)
    corners[unknown_keypoints(corners, visibility)] = np.nan
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
    """uint8 RGB (N, H, W, 3) -> float32 (N, 3, H, W): (x - MEAN) / STD."""
    scale = 1.0 / np.array(STD, np.float32)
    return np.ascontiguousarray(
        (np.asarray(images, np.float32) * scale - np.array(MEAN, np.float32) * scale).transpose(0, 3, 1, 2)
    )


def one_hot(masks):
    """uint8 (N, H, W), class ids -> float32 (N, 4, H, W): 1 in the channel of the class, 0 in the others."""
    classes = np.arange(len(NAMES), dtype=np.uint8)[:, None, None]
    return (np.asarray(masks)[:, None] == classes).astype(np.float32)


def network_input(pictures, config):
    """What plain_sample and augmented_sample give, N of them -> float32 (N, channels, H, W)."""
    return one_hot(pictures) if config.input == "mask" else normalise(pictures)


def fit_mask(mask, spec):
    """Class ids uint8 (h, w) at the input's size: uint8 (spec.height, spec.width), the nearest pixel's, background
    beside the photo; scenes.images.fit_photo for masks."""
    photo_to_input = np.linalg.inv(input_to_photo(mask.shape[::-1], spec))
    return cv2.warpPerspective(
        mask, photo_to_input, (spec.width, spec.height), flags=cv2.INTER_NEAREST, borderValue=BACKGROUND
    )


def in_order(corners, visibility):
    """Corners (4, 2) and visibility (4,) in the published order of the frame they are in.

    A fit that is no plain scaling (stretch, turn) may change which corner is the first. With a corner unknown
    the order cannot be told anew and stays, and so does that of keypoints (K, 2) that are no sheet's corners.
    """
    if len(corners) != CORNERS or not np.isfinite(corners).all():
        return corners, visibility
    order = order_corners(corners)
    return corners[order], visibility[order]


def plain_sample(example, config):
    """The network's input as in use, without augmentation: picture, keypoints (K, 2) input px, visibility (K,).

    The picture is the photo, uint8 (H, W, 3), or the mask, uint8 (H, W), as config.input says. Raises ValueError
    where there is no mask and it should be the input.
    """
    spec = config.input_spec
    height, width = example.rgb.shape[:2]
    photo_to_input = np.linalg.inv(input_to_photo((width, height), spec))
    corners, visibility = in_order(transform(photo_to_input, example.corners), example.visibility)
    if config.input == "rgb":
        return fit_photo(example.rgb, spec), corners, visibility
    if example.mask is None:
        raise ValueError(_no_mask(example.name))
    return fit_mask(example.mask, spec), corners, visibility


def augmented_sample(example, config, rng):
    """Like plain_sample, changed at random by `rng` (numpy Generator)."""
    if config.input == "mask" and example.mask is None:
        raise ValueError(_no_mask(example.name))
    corners = np.where(np.isnan(example.corners), UNKNOWN, example.corners)
    change = augment if config.joints == CORNERS else augment_points
    result = change(
        example.rgb, example.mask, corners, example.visibility, config.input_spec, rng, AugmentConfig()
    )
    unknown = (result.visibility == 0) & (result.corners == UNKNOWN).all(axis=1)
    picture = result.mask if config.input == "mask" else result.image
    return picture, np.where(unknown[:, None], np.nan, result.corners), result.visibility


def target(corners, visibility, config):
    """What the network is to give for keypoints (K, 2) in input pixels, NaN where unknown, and visibility (K,).

    Heatmaps float32 (maps, h, w): covered keypoints have whole peaks, unknown ones none; the last of maps "sheet" has
    shares of the sheet.
    (2K,), see keypoints.coordinates.
    """
    if config.is_regression:
        return encode_coordinates(corners, (config.height, config.width))
    if config.maps != "each":
        maps = encode_shared(corners, visibility, config.heatmap_size, STRIDE, config.sigma_px)
        if config.maps == "shared":
            return maps
        return np.concatenate([maps, encode_interior(corners, config.heatmap_size, STRIDE)[None]])
    present = np.isfinite(corners).all(axis=1)
    return encode(corners, present, config.heatmap_size, STRIDE, config.sigma_px)


def training_order(count, config, epoch):
    """Indices of one epoch's samples, in whole batches: every sample once, then the first ones again to fill
    the last batch."""
    order = np.random.default_rng([config.seed, epoch]).permutation(count)
    return np.resize(order, -(-count // config.batch) * config.batch)


def training_batches(examples, config, epoch, rank=0, workers=1):
    """Batches of one epoch, each full. The same (seed, epoch, place in the epoch) gives the same sample.

    Of several workers, whose number divides the batch, the one of this rank gets its share of each batch.
    """
    order = training_order(len(examples), config, epoch)
    share = config.batch // workers
    for start in range(rank * share, len(order), config.batch):
        drawn = []
        for place in range(start, start + share):
            example = examples[order[place]]
            if config.augment:
                drawn.append(
                    augmented_sample(example, config, np.random.default_rng([config.seed, epoch, place]))
                )
            else:
                drawn.append(plain_sample(example, config))
        yield _batch(drawn, config, share)


def plain_batches(examples, config):
    """Every example once, in order, without augmentation; the last batch is filled up with zeros beyond
    `count`."""
    for start in range(0, len(examples), config.batch):
        drawn = [plain_sample(example, config) for example in examples[start : start + config.batch]]
        yield _batch(drawn, config, config.batch)


def _batch(drawn, config, size):
    """A Batch of (picture, keypoints, visibility), filled up with zeros to `size`."""
    columns = (
        network_input([picture for picture, _, _ in drawn], config),
        np.array([target(corners, visibility, config) for _, corners, visibility in drawn]),
        np.array([visibility for _, _, visibility in drawn], np.float32),
    )
    filled = (np.concatenate([part, np.zeros((size - len(drawn), *part.shape[1:]), np.float32)]) for part in columns)
    return Batch(*filled, count=len(drawn))


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
