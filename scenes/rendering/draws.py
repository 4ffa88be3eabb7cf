"""Random draws that several rooms make in the same way."""

import numpy as np


def weighted(rng, pairs):
    """One of the names of (name, weight) pairs; the weights need not add up to 1."""
    names, weights = zip(*pairs, strict=True)
    return names[rng.choice(len(names), p=np.array(weights) / sum(weights))]


def log_uniform(rng, bounds):
    """A number between two bounds above 0, even in its logarithm."""
    return float(np.exp(rng.uniform(*np.log(bounds))))
