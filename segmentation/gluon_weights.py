"""Weights of a ResNet18 of GluonCV, from its model zoo or from a corner network of this project, in a Keras network.

Layers are matched by name and shape; what has no counterpart stays as it is. A corner network with a feature pyramid
(`keypoints.models.pyramid`) also gives the way back from 1/16 to 1/4.
"""

import re
from pathlib import Path

import keras
import numpy as np

from segmentation.config import ConfigError
from segmentation.gluon_file import read_gluon_file

# Gluon's parameters of a BatchNorm, in the order of keras.layers.BatchNormalization.
NORMALISATION = ("gamma", "beta", "running_mean", "running_var")
# Pattern of a Gluon block's name -> its name in segmentation.models.resnet18 and fast_pspnet.
NAMES = (
    (r"(conv|bn)1", lambda m: f"stem_{m[1]}"),
    (r"layer(\d)\.(\d)\.(conv|bn)(\d)", lambda m: f"stage{m[1]}_block{int(m[2]) + 1}_{m[4]}_{m[3]}"),
    (r"layer(\d)\.(\d)\.downsample\.([01])",
     lambda m: f"stage{m[1]}_block{int(m[2]) + 1}_shortcut_{('conv', 'bn')[int(m[3])]}"),
    (r"backs\.(\d)\.([01])", lambda m: f"back{4 * 2 ** int(m[1])}_{('conv', 'bn')[int(m[2])]}"),
    (r"beside\.(\d)\.([01])", lambda m: f"back{4 * 2 ** int(m[1])}_beside_{('conv', 'bn')[int(m[2])]}"),
)


def load_gluon_weights(model: keras.Model, file: Path) -> list[str]:
    """Gives the layers of a Keras network the values of a Gluon `.params` file, in place.

    Returns:
        the names of the layers that took them.

    Raises:
        ConfigError: if the file cannot be read or none of its layers fits, and for "imagenet", which Keras has not.
    """
    if file == "imagenet":
        raise ConfigError("Keras has no ImageNet weights of ResNet18: give GluonCV's resnet18_v1b .params file as "
                          "--encoder-weights")
    blocks = _read_blocks(file)
    taken = []
    for layer in _flat_layers(model):
        values = blocks.get(layer.name)
        if values is None or [value.shape for value in values] != [tuple(weight.shape) for weight in layer.weights]:
            continue
        layer.set_weights(values)
        taken.append(layer.name)
    if not taken:
        raise ConfigError(f"{file}: none of its layers fits the network; a ResNet18 of GluonCV (resnet18_v1b), or the "
                          "best.params of a corner network that stands on one, is needed")
    return taken


def _read_blocks(file: Path) -> dict[str, list[np.ndarray]]:
    """Keras name of each layer in the file -> its values as Keras keeps them."""
    grouped = {}
    for name, values in read_gluon_file(file).items():
        block, _, kind = name.rpartition(".")
        grouped.setdefault(block, {})[kind] = values
    blocks = {}
    for block, values in grouped.items():
        name = _keras_name(block)
        if name and "weight" in values:
            blocks[name] = [values["weight"].transpose(2, 3, 1, 0)]  # out, in, h, w -> h, w, in, out
        elif name and set(NORMALISATION) <= set(values):
            blocks[name] = [values[kind] for kind in NORMALISATION]
    return blocks


def _keras_name(block: str) -> str | None:
    for pattern, name in NAMES:
        if match := re.fullmatch(pattern, block):
            return name(match)
    return None


def _flat_layers(model: keras.Model) -> list:
    """All layers, those of models inside included."""
    return [inner for layer in model.layers
            for inner in (_flat_layers(layer) if isinstance(layer, keras.Model) else [layer])]
