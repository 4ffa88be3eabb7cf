"""How right a network of a bundle is on labelled photos, at its input's size: by this it is told what INT8 loses."""
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from deploy.golden import spread
from keypoints.metrics import cyclic_errors
from keypoints.quads import decode_corners
from scenes.dataset import read_dataset, read_mask
from scenes.images import PhotoError, content_of_input, fit_photo, input_to_photo, read_photo
from scenes.sheet import transform
from segmentation.metrics import confusion_matrix, iou, mean

SPLIT = "validation"
SEEN = 2  # COCO's visibility
# A corner that is off by more is lost, and counts no more than this: one that jumps to another guess would outweigh
# hundreds that are placed a little worse.
LOST_PX = 10.0


@dataclass(frozen=True, eq=False)
class Labelled:
    """Photos of a dataset as one network takes them, and how right its answers are.

    inputs: uint8 (N, H, W, 3). truths: N of what `compare` takes beside an output without its batch axis. total: from
    a list of what `compare` gives to a figure, the higher the better, in the unit `unit`.
    """

    inputs: np.ndarray
    truths: list
    compare: Callable
    total: Callable
    unit: str

    def judge(self, ask, indices=None):
        """(figure of all photos together, [figure of each]); of the photos `indices` where these are given.

        ask: function from uint8 (1, H, W, 3) to the network's output with a batch of 1.
        """
        indices = range(len(self.inputs)) if indices is None else indices
        parts = [self.compare(np.asarray(ask(self.inputs[i : i + 1]), np.float32)[0], self.truths[i]) for i in indices]
        return self.total(parts), [self.total([part]) for part in parts]


def labelled_photos(bundle, model, folder, count):
    """Labelled: at most `count` photos of a dataset's validation split, spread over it, for `model` of a Bundle.

    "keypoints": the mean error of the corners seen, in pixels of the network's input, none counted with more than
    LOST_PX, below zero; photos without such a corner are left out. "segmentation": the mean IoU of the classes in
    points of 100, all photos' pixels together.
    Raises ValueError (DatasetError among them) where there are no such photos, PhotoError and OSError.
    """
    samples = read_dataset(folder, SPLIT)
    if model == "keypoints":
        samples = [sample for sample in samples if (sample.visibility == SEEN).any()]
        what = "with a corner that is seen"
    else:
        samples = [sample for sample in samples if sample.mask_path.is_file()]
        what = "with a mask"
    if not samples:
        raise ValueError(f"{folder} has no photos of split {SPLIT!r} {what}, which tell what INT8 loses: give a "
                         "dataset with some, or set no limit to the loss")
    samples, spec = spread(samples, count), bundle.input_spec(model)
    photos = [read_rgb(sample.image_path) for sample in samples]
    sizes = [photo.shape[1::-1] for photo in photos]
    inputs = np.stack([fit_photo(photo, spec) for photo in photos])
    if model == "keypoints":
        truths = [(transform(np.linalg.inv(input_to_photo(size, spec)), sample.corners), sample.visibility)
                  for size, sample in zip(sizes, samples, strict=True)]
        return of_corners(inputs, truths, bundle.output(model)["stride"], bundle.maps)
    return of_pixels(inputs, [(size, read_mask(sample.mask_path)) for size, sample in zip(sizes, samples, strict=True)],
                     spec)


def read_rgb(path):
    """A photo uint8 (H, W, 3) RGB. Raises a PhotoError that names the file, and OSError."""
    try:
        return read_photo(path).rgb
    except PhotoError as error:
        raise PhotoError(error.code, f"{path}: {error.message}") from error


def of_corners(inputs, truths, stride, maps):
    """Labelled of inputs uint8 (N, H, W, 3) and N pairs of corners (4, 2), pixels of the input, and visibility (4,).

    stride, maps: how heatmaps are decoded, see keypoints.quads.decode_corners.
    """
    def compare(heatmaps, truth):
        corners, visibility = truth
        found = decode_corners(heatmaps, stride, maps=maps)[0]
        return cyclic_errors(found[None], corners[None], visibility[None])[0][visibility == SEEN]

    def total(errors):
        return -float(np.minimum(np.concatenate(errors), LOST_PX).mean())

    return Labelled(inputs, truths, compare, total, "px")


def of_pixels(inputs, truths, spec):
    """Labelled of inputs uint8 (N, H, W, 3) as the InputSpec `spec` has them and N pairs of a photo's (width, height)
    and its mask uint8 (height, width)."""
    def compare(probabilities, truth):
        size, mask = truth
        said = content_of_input(probabilities, size, spec).argmax(axis=-1)
        return confusion_matrix(cv2.resize(mask, said.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT), said)

    def total(matrices):
        return 100 * mean(iou(np.sum(matrices, axis=0)))

    return Labelled(inputs, truths, compare, total, "points of mean IoU")
