"""An example under a condition of `scenes.conditions`: photo, mask and corners changed together."""

from dataclasses import replace

import numpy as np

from scenes.conditions import OF_MASKS, coarse_mask, matrix_under, photo_under, turn_mask
from scenes.sheet import transform


def under(condition, example):
    """(keypoints.loader.Example under a condition, the map (3, 3) from its held pixels before to those after).

    condition: scenes.conditions.Condition, or None for the example as it is. Corners keep their places in the list,
    visibility stays.
    """
    if condition is None:
        return example, np.eye(3)
    seen = example.corners[np.asarray(example.visibility) > 0]
    matrix = matrix_under(condition, example.rgb.shape[1::-1], seen)
    rgb, mask = photo_under(condition, example.rgb, matrix), example.mask
    if condition.name != "turn":
        if mask is not None and condition.name in OF_MASKS:
            mask = coarse_mask(mask, condition.value)
        return replace(example, rgb=rgb, mask=mask), matrix
    mask = None if mask is None else turn_mask(mask, matrix)
    return replace(example, rgb=rgb, mask=mask, corners=transform(matrix, example.corners)), matrix
