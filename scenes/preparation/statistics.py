"""What a dataset's photos and masks hold: how pixel values are distributed, and each class's share of the pixels.

One pass, photo by photo, into histograms: no photo is kept, however many there are. Each photo weighs the same whatever
its size, as in the thesis, which brought all photos to one size first and gives mean shares of an image.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.dataset import DatasetError, read_mask
from scenes.images import PhotoError, read_photo
from scenes.labels import NAMES

CHANNELS = ("R", "G", "B")
# Figure 22 of the thesis: mean share of an image, by class id. (Its text says 11 % for both feet together.)
PUBLISHED_SHARES = (0.63, 0.25, 0.06, 0.06)
# Table 2 of the thesis: R, G, B of two pixels, and what standardisation made of them.
PUBLISHED_EXAMPLE = (((15, 26, 64), (-0.97439764, -1.1569542, -0.79871122)),
                     ((14, 25, 63), (-0.98871648, -1.17247691, -0.81455546)))
# OpenCV counts a histogram in float32, which is exact up to here.
_EXACT_COUNT = 1 << 24


@dataclass(frozen=True, eq=False)
class PixelDistribution:
    """photos: how many. histogram: float64 (3, 256), share of each value 0..255 in R, G, B; each row sums to 1."""

    photos: int
    histogram: np.ndarray

    @property
    def mean(self):
        """float64 (3,), 0..255."""
        return self.histogram @ np.arange(256.0)

    @property
    def std(self):
        """float64 (3,), of the population, in units of 0..255."""
        return np.sqrt((self.histogram * (np.arange(256.0) - self.mean[:, None]) ** 2).sum(axis=1))

    @property
    def low(self):
        """int (3,): the lowest value that occurs."""
        return (self.histogram > 0).argmax(axis=1)

    @property
    def high(self):
        """int (3,): the highest value that occurs."""
        return 255 - (self.histogram[:, ::-1] > 0).argmax(axis=1)

    def to_json(self):
        """dict: photos, and by channel mean, std, min, max and the 256 shares."""
        return {"photos": self.photos,
                **{channel: {"mean": float(self.mean[k]), "std": float(self.std[k]), "min": int(self.low[k]),
                             "max": int(self.high[k]), "histogram": self.histogram[k].tolist()}
                   for k, channel in enumerate(CHANNELS)}}


@dataclass(frozen=True, eq=False)
class ClassShares:
    """Shares in 0..1 by class id, each (4,).

    masks: how many. mean, std: of the shares of one mask. of_all_pixels: of the pixels of all masks together.
    masks_with: int, in how many masks the class is.
    """

    masks: int
    mean: np.ndarray
    std: np.ndarray
    of_all_pixels: np.ndarray
    masks_with: np.ndarray

    def to_json(self):
        """dict: masks, and by class name its shares beside the published one."""
        return {"masks": self.masks,
                **{name: {"mean_share": float(self.mean[k]), "std_of_shares": float(self.std[k]),
                          "share_of_all_pixels": float(self.of_all_pixels[k]), "masks_with": int(self.masks_with[k]),
                          "published_mean_share": PUBLISHED_SHARES[k]} for k, name in enumerate(NAMES)}}


@dataclass(frozen=True, eq=False)
class DatasetStatistics:
    """pixels: PixelDistribution, classes: ClassShares; None where not one photo or mask could be read. problems: one
    line for each file that could not be."""

    pixels: PixelDistribution | None
    classes: ClassShares | None
    problems: tuple

    def to_json(self):
        """Plain dict for stats.json."""
        return {"pixels": self.pixels and self.pixels.to_json(), "classes": self.classes and self.classes.to_json(),
                "problems": list(self.problems)}


def value_shares(rgb):
    """Share of each value in a photo uint8 (H, W, 3): float64 (3, 256), rows of R, G, B that sum to 1."""
    rows = max(1, _EXACT_COUNT // rgb.shape[1])
    counts = np.zeros((3, 256))
    for top in range(0, rgb.shape[0], rows):
        for k in range(3):
            counts[k] += cv2.calcHist([rgb[top:top + rows]], [k], None, [256], [0, 256])[:, 0]
    return counts / (rgb.shape[0] * rgb.shape[1])


def class_counts(mask):
    """Pixels of each class in a mask, integer (H, W): int64 (4,). Raises ValueError for an id above 3."""
    counts = np.bincount(np.ravel(mask), minlength=len(NAMES))
    if len(counts) > len(NAMES):
        raise ValueError(f"the mask holds {len(counts) - 1}; classes are 0 to {len(NAMES) - 1}")
    return counts


def dataset_statistics(samples, with_masks=True, progress=None):
    """Statistics of the photos and masks of scenes.dataset Samples: DatasetStatistics.

    with_masks: False for a dataset without masks, of which only the photos are looked at. progress: called with (done,
    total) after each sample. A file that cannot be read is left out and named in `problems`; nothing is raised for it.
    """
    photos, histogram = 0, np.zeros((3, 256))
    masks, of_masks = 0, np.zeros((4, len(NAMES)))  # sums of shares, their squares, pixels, occurrences
    problems = []
    for done, sample in enumerate(samples, start=1):
        try:
            histogram += value_shares(read_photo(sample.image_path).rgb)
            photos += 1
        except PhotoError as error:
            problems.append(f"{sample.image_path}: {error}")
        if with_masks:
            try:
                counts = class_counts(read_mask(sample.mask_path))
                of_masks += [counts / counts.sum(), (counts / counts.sum()) ** 2, counts, counts > 0]
                masks += 1
            except DatasetError as error:  # its message names the file
                problems.append(str(error))
            except ValueError as error:
                problems.append(f"{sample.mask_path}: {error}")
        if progress:
            progress(done, len(samples))
    return DatasetStatistics(PixelDistribution(photos, histogram / photos) if photos else None,
                             _shares(masks, *of_masks) if masks else None, tuple(problems))


def _shares(masks, sums, squares, pixels, occurrences):
    mean = sums / masks
    # Rounding may take a variance of nothing below zero.
    std = np.sqrt(np.maximum(squares / masks - mean ** 2, 0))
    return ClassShares(masks, mean, std, pixels / pixels.sum(), occurrences.astype(int))


def published_moments():
    """Mean and standard deviation of R, G, B in the thesis's photos: two float64 (3,), units of 0..255.

    The thesis does not print them; they follow from table 2, where two values of each channel stand beside their
    standardised ones. Its R is the darkest channel and its B the brightest, the other way round than in photos of skin
    and floors: the columns may well be named in OpenCV's order.
    """
    (first, first_z), (second, second_z) = (map(np.array, pixel) for pixel in PUBLISHED_EXAMPLE)
    std = (first - second) / (first_z - second_z)
    return first - first_z * std, std
