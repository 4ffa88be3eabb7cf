"""Keypoints as heatmaps and back, one map a keypoint: the encoder and its inverse, in numpy alone.

Frames are those of keypoints.peaks. What is known of the four corners of a sheet is used in keypoints.quads.
"""

import numpy as np

from keypoints.peaks import METHODS, OUTSIDE_LIMIT_PX, highest, to_heatmap, to_input
from keypoints.quads import decode_corners, decode_quad, decode_shared, encode_shared

__all__ = [
    "METHODS",
    "OUTSIDE_LIMIT_PX",
    "decode",
    "decode_corners",
    "decode_quad",
    "decode_shared",
    "encode",
    "encode_shared",
    "is_inside",
    "to_heatmap",
    "to_input",
]


def encode(corners_px, present, size, stride, sigma_px):
    """One Gaussian a corner.

    corners_px: (K, 2) input pixels. present: (K,) bool; a covered corner is present, one that nobody can tell
    is not. size: (height, width) of the maps. sigma_px: standard deviation in heatmap pixels. Returns (K,
    height, width) float32 in [0, 1]: 1 at the corner's exact sub-pixel position (so the largest pixel is a
    little less), all zero for a corner that is absent, not finite, or more than OUTSIDE_LIMIT_PX outside.
    """
    height, width = size
    centres = to_heatmap(corners_px, stride)
    maps = np.zeros((len(centres), height, width), np.float32)
    for k, (u, v) in enumerate(centres):
        if not present[k] or not is_inside((u, v), size):
            continue
        along_x = np.exp(-0.5 * ((np.arange(width) - u) / sigma_px) ** 2)
        along_y = np.exp(-0.5 * ((np.arange(height) - v) / sigma_px) ** 2)
        maps[k] = along_y[:, None] * along_x
    return maps


def is_inside(point_uv, size):
    """Whether a heatmap point (u, v) is at most OUTSIDE_LIMIT_PX outside a map of size (height, width)."""
    height, width = size
    u, v = point_uv
    margin = OUTSIDE_LIMIT_PX + 0.5  # a map reaches half a pixel beyond its outer pixel centres
    return bool(-margin <= u <= width - 1 + margin and -margin <= v <= height - 1 + margin)


def decode(heatmaps, stride, method="dark"):
    """The highest point of each channel, to a fraction of a pixel.

    heatmaps: (K, height, width) real. method: of keypoints.peaks.refine; "dark" also brings back peaks up to
    OUTSIDE_LIMIT_PX outside the map. Returns points (K, 2) float64 in input pixels and scores (K,) float64, the
    largest value of each channel cut to [0, 1]. A channel of one value gives its first pixel. Raises ValueError for an
    unknown method.
    """
    heatmaps = np.asarray(heatmaps, np.float64)
    scores = np.clip(heatmaps.max(axis=(1, 2)), 0.0, 1.0)
    return to_input(highest(heatmaps, method), stride), scores
