"""What a network says -> keypoints in the photo: the one way there, of heatmaps one a keypoint, of shared ones and of
coordinates."""

import numpy as np

from keypoints.config import CORNERS, STRIDE
from keypoints.coordinates import decode_coordinates
from keypoints.heatmaps import METHODS, decode, decode_corners
from scenes.images import input_to_photo
from scenes.sheet import order_corners, transform

__all__ = ["METHODS", "METHOD", "corners_in_photo", "points_in_input"]
METHOD = "dark"  # what is used where nothing else is said


def points_in_input(output, config, method=METHOD):
    """One sample's output -> points (K, 2) in input pixels, scores (K,), and probabilities of being seen, covered and
    outside (K, 3), or None where the network tells none.

    output: heatmaps (C, h, w), or coordinates (2K,), which come without scores: NaN. method: one of METHODS, for
    heatmaps.
    """
    if config.is_regression:
        points = decode_coordinates(output, (config.height, config.width))
        return points, np.full(len(points), np.nan), None
    if config.joints == CORNERS:
        return decode_corners(output, STRIDE, method, config.maps)
    return *decode(output, STRIDE, method), None


def corners_in_photo(outputs, examples, config, method=METHOD, turns=None):
    """What a network says of N examples -> keypoints (N, K, 2) in pixels of the photos on disk, corners in published
    order, scores (N, K), and visibility (N, K, 3) or None: see points_in_input.

    outputs: heatmaps (N, C, h, w) or coordinates (N, 2K), of keypoints.loader.Example's fitted to the input. turns:
    (N, 3, 3), the maps from the pixels of the photos as held to those of what the network saw in their place, of the
    same size (keypoints.conditions.under); None where it saw the photos.
    """
    found = []
    for n, (output, example) in enumerate(zip(outputs, examples, strict=True)):
        points, scores, visibility = points_in_input(output, config, method)
        to_held = input_to_photo(example.rgb.shape[1::-1], config.input_spec)
        if turns is not None:
            to_held = np.linalg.inv(turns[n]) @ to_held
        points = (transform(to_held, points) + 0.5) * example.held_to_photo - 0.5
        # A fit that is no plain scaling may change which corner is the first, and so does a turn.
        order = order_corners(points) if config.joints == CORNERS else np.arange(len(points))
        found.append((points[order], scores[order], None if visibility is None else visibility[order]))
    points, scores, visibility = (list(column) for column in zip(*found, strict=True))
    return np.array(points), np.array(scores), None if visibility[0] is None else np.array(visibility)
