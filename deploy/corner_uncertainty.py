"""How far a corner of the sheet may be off, by how it was found and how sure the network was of it."""

import numpy as np

from deploy.corners import BY_EDGES, BY_SHAPE

SURE, LIKELY = 0.9, 0.5  # a corner's confidence

# Standard deviations of a coordinate, as shares of the photo's diagonal, from 833 rendered training scenes: nine errors
# in ten are below 1.645 of them, against the corner of a sheet that lies flat. A wrong corner seldom comes alone, and
# what follows from all four was told too well with the errors of each: those of the doubtful are larger by half.
EDGES_SURE = 0.0025
EDGES_LIKELY = 0.005
EDGES_DOUBTFUL = {"visible": 0.02, "covered": 0.008}  # edges that are seen and not believed are often another thing's
OUTSIDE = 0.03
SHAPE_LIKELY = 0.015
OTHER_LIKELY = 0.05
DOUBTFUL = 0.10


def corner_sigmas(found, states, confidences):
    """Standard deviations float64 (4,), shares of the photo's diagonal, of the corners' coordinates.

    found: how each was found, names of `deploy.corners`. states: "visible", "covered" or "outside". confidences: (4,)
    0..1, as deploy.meter.Corner tells them. Raw scores, of a bundle without calibration, are lower, and err to the
    wide side.
    """
    return np.array([_sigma(*corner) for corner in zip(found, states, confidences, strict=True)])


def _sigma(found, state, confidence):
    likely = confidence >= LIKELY
    if found != BY_EDGES:
        return (SHAPE_LIKELY if found == BY_SHAPE else OTHER_LIKELY) if likely else DOUBTFUL
    if confidence >= SURE:
        return EDGES_SURE
    if state == "outside":
        return OUTSIDE
    return EDGES_LIKELY if likely else EDGES_DOUBTFUL[state]
