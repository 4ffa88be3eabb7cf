"""How photos and masks enter a network in the thesis (its sections 3.1.2 and 3.1.5): standardised or min-max values,
and one-hot classes with their inverse."""

import numpy as np

from scenes.labels import NAMES

CLASSES = len(NAMES)


def standardise(values, mean, std):
    """(values - mean) / std for each channel: float32 of the shape of `values`.

    values: (..., C), real. mean, std: (C,), in the unit of `values`. Over the data that mean and std are of, each
    channel has mean 0 and standard deviation 1. Raises ValueError for a std that is not above 0: a channel of one
    value cannot be standardised.
    """
    std = np.asarray(std, np.float64)
    if not (std > 0).all():
        raise ValueError(f"standard deviations are {std.tolist()}; each must be above 0: a channel of one value has "
                         "nothing to standardise")
    return ((np.asarray(values, np.float64) - mean) / std).astype(np.float32)


def min_max(values, low, high):
    """(values - low) / (high - low) for each channel: float32 of the shape of `values`, 0 at low and 1 at high.

    values: (..., C), real. low, high: (C,), in the unit of `values`. Raises ValueError unless high is above low.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (high > low).all():
        raise ValueError(f"values go from {low.tolist()} to {high.tolist()}; each channel needs a highest value "
                         "above its lowest")
    return ((np.asarray(values, np.float64) - low) / (high - low)).astype(np.float32)


def one_hot(mask, classes=CLASSES):
    """Class ids (...) -> uint8 (..., classes), 1 in the plane of the pixel's class and 0 in the others (table 3).

    Raises ValueError for an id that is not 0 to classes - 1 or no whole number.
    """
    mask = np.asarray(mask)
    if not np.issubdtype(mask.dtype, np.integer):
        raise ValueError(f"the mask is of type {mask.dtype}; class ids are whole numbers")
    if mask.size and not 0 <= mask.min() <= mask.max() < classes:
        raise ValueError(f"the mask holds {mask.min()} to {mask.max()}; classes are 0 to {classes - 1}")
    return np.eye(classes, dtype=np.uint8)[mask]


def class_ids(planes):
    """The inverse of one_hot, and the answer of a network's probabilities: (..., C) real -> uint8 (...).

    The class of the highest plane, the smallest id of equal ones. Raises ValueError for more than 256 planes or none.
    """
    planes = np.asarray(planes)
    if planes.ndim == 0 or not 1 <= planes.shape[-1] <= 256:
        raise ValueError(f"planes have shape {planes.shape}; the last axis is one plane a class, 1 to 256")
    return planes.argmax(axis=-1).astype(np.uint8)
