"""What is wrong with a network that answers otherwise than it should, where that can be told from outside.

The two mistakes of every conversion leave a trace: a network that takes colours in another order comes near again when
it is given them so, and one whose outputs are in another order is right once they are put back.
"""
from itertools import permutations

import numpy as np

from scenes.labels import NAMES

COLOURS = "RGB"
# Colours in another order are the fault when they leave this share of the difference, or less. Not nothing: what the
# network sees then has been rounded to bytes, and cut off at 0 and 255.
LEFT_OVER = 0.5
# Axis of the outputs along which the maps or classes lie, and what they are called.
ORDERED = {"keypoints": (1, None), "segmentation": (-1, NAMES), "side": (-1, ("left", "right"))}


def likely_fault(model, network, spec, inputs, golden, is_right):
    """One line on what makes the outputs of `network` other than the golden ones.

    network: called with uint8 (N, H, W, C), as `inputs`; it normalises by the InputSpec or CropSpec `spec`. golden:
    what it should give, float32. is_right: tells of outputs whether they are within their limits.
    """
    outputs = network(inputs)
    axis, names = ORDERED[model]
    for order in list(permutations(range(outputs.shape[axis])))[1:]:
        if is_right(np.take(outputs, order, axis)):
            names = names or [f"map {number}" for number in range(len(order))]
            found = [names[order.index(place)] for place in range(len(order))]
            return (f"it is right with its outputs in another order: it gives {', '.join(found)}, "
                    f"must give {', '.join(names)}")
    differences = {order: float(np.linalg.norm(network(recoloured(inputs, spec, order)) - golden))
                   for order in permutations(range(3))}
    order = min(differences, key=differences.get)
    if differences[order] <= LEFT_OVER * differences[0, 1, 2]:
        return (f"it comes near when its first layer is given {''.join(COLOURS[i] for i in order)} in place of "
                f"{COLOURS}: export it from a run that was trained on RGB")
    return "no other order of colours or outputs makes it right: its weights or its layers are others"


def recoloured(images, spec, order):
    """Images uint8 (N, H, W, C) that look, normalised by `spec`, as `images` with their first three channels in `order`
    look: as far as bytes allow."""
    mean, std = np.float32(spec.mean), np.float32(spec.std)
    normalised = (images - mean) / std
    normalised = normalised[..., [*order, *range(3, images.shape[-1])]]
    return np.clip(np.round(normalised * std + mean), 0, 255).astype(np.uint8)
