"""One training sample of any keypoints made different; those of a sheet have scenes.augment, which knows what one is.

The photo is fitted to the input and then turned, scaled, stretched and shifted about the middle of its keypoints, by as
much as scenes.augment does; light, colour, lens and sensor are its own. Two of its changes need more than is known here
and are not made: a mirrored face has its left eye where the right one was, and which keypoints change places no dataset
tells; and what lies over a keypoint and hides it would need a mask.
"""

import cv2
import numpy as np

from scenes.augment import UNKNOWN, Augmented
from scenes.augment_look import change_look
from scenes.images import PADDING_GREY, fit_photo, input_to_photo
from scenes.labels import BACKGROUND
from scenes.sheet import transform


def augment_points(image, mask, corners, visibility, spec, rng, config):
    """scenes.augment.augment for keypoints (K, 2) with visibility (K,), in whatever order, which stays.

    A keypoint that leaves the input has visibility 0.
    """
    corners, visibility = np.asarray(corners, np.float64), np.asarray(visibility, np.int64)
    known = ~((visibility == 0) & (corners == UNKNOWN).all(axis=1))
    fit = np.linalg.inv(input_to_photo(image.shape[1::-1], spec))
    moved = corners.copy()
    moved[known] = transform(fit, corners[known])
    size = np.array([spec.width, spec.height], np.float64)
    change = draw_change(moved[known].mean(axis=0) if known.any() else (size - 1) / 2, size, rng, config)
    moved[known] = transform(change, moved[known])
    picture = cv2.warpPerspective(fit_photo(image, spec), change, (spec.width, spec.height), flags=cv2.INTER_LINEAR,
                                  borderValue=(PADDING_GREY,) * 3)
    if mask is not None:
        mask = cv2.warpPerspective(mask, change @ fit, (spec.width, spec.height), flags=cv2.INTER_NEAREST,
                                   borderValue=BACKGROUND)
    inside = known & ((moved >= -0.5) & (moved < size - 0.5)).all(axis=1)
    return Augmented(change_look(picture, rng, config), mask, moved, np.where(inside, visibility, 0))


def draw_change(centre, size, rng, config):
    """Affine map (3, 3) of input pixels, drawn from rng: about `centre` (2,), which lands in the inner 80 % of the
    input of `size` (width, height)."""
    angle = np.deg2rad(rng.uniform(-1, 1) * config.rotation_deg)
    scale = np.exp(rng.uniform(np.log(1 - config.zoom_out), np.log(1 + config.zoom_in)))
    aspect = np.exp(rng.uniform(-0.5, 0.5) * np.log(1 + config.aspect))
    landing = np.clip(centre + rng.uniform(-1, 1, 2) * config.shift * size, 0.1 * size, 0.9 * size)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag([scale * aspect, scale / aspect]) @ turn
    change = np.eye(3)
    change[:2, :2], change[:2, 2] = linear, landing - linear @ centre
    return change
