"""Turns about the upright axis, which places everything that stands or lies on a floor."""

import numpy as np


def plane_turn(angle_rad):
    """Rotation matrix (2, 2) of the floor's x, y by an angle, anticlockwise seen from above."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, -sine], [sine, cosine]])


def upright_turn(angle_rad):
    """Rotation matrix (3, 3) about z by an angle, anticlockwise seen from above."""
    turn = np.eye(3)
    turn[:2, :2] = plane_turn(angle_rad)
    return turn
