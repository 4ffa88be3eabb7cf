"""Keypoints as numbers between 0 and 1 and back: what a regression is trained towards."""

import numpy as np


def encode_coordinates(points_px, size):
    """Points (K, 2) in input pixels -> float32 (2K,): x0, y0, x1, y1 ... in units of the input's width and height.

    size: (height, width) of the input. The outer border of the first pixel is 0 and that of the last 1: the half-pixel
    rule. A point that is not finite is (0, 0).
    """
    height, width = size
    units = (np.asarray(points_px, np.float64) + 0.5) / (width, height)
    return np.nan_to_num(units, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32).ravel()


def decode_coordinates(coordinates, size):
    """The inverse: (2K,) -> points (K, 2) float64, input pixels."""
    height, width = size
    return np.asarray(coordinates, np.float64).reshape(-1, 2) * (width, height) - 0.5
