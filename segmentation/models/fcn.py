"""FCN-32s, -16s and -8s (Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015).

Classes are scored on an encoder's features at 1/32. FCN-16s and -8s double these scores with learned transposed
convolutions and add scores of the encoder's features at 1/16, and at 1/8; what is left to the input size is bilinear.
In place of VGG's two wide layers stands one 3x3 convolution.

No auxiliary branch: the scores of the finer features start at zero, so that training begins with FCN-32s.
"""

import keras
import numpy as np
from keras import layers

from scenes.labels import NAMES
from segmentation.config import TrainConfig
from segmentation.models.backbones import build_encoder
from segmentation.models.layers import Networks, convolution, networks_of, resize
from segmentation.models.taps import BACKBONES

# Architecture -> input pixels per feature pixel of all features whose scores are added up.
STRIDES = {"fcn32": (32,), "fcn16": (32, 16), "fcn8": (32, 16, 8)}


def build_fcn(config: TrainConfig) -> Networks:
    """Builds the network `config` describes, with random weights but for the encoder's where the config names some.

    Raises:
        ConfigError: for encoder weights that are missing or do not fit.
    """
    strides, levels = STRIDES[config.architecture], BACKBONES[config.backbone].levels
    encoder = build_encoder(config, [levels[stride] for stride in strides])
    size = (config.height, config.width)
    inputs = keras.Input((*size, 3), name="image")
    deepest, *finer = keras.tree.flatten(encoder(inputs))  # Keras gives a single output without its list

    x = convolution(deepest, config.head_channels, 3, "head", config.batchnorm_momentum)
    x = layers.Dropout(config.dropout, name="head_dropout")(x)
    scores = layers.Conv2D(len(NAMES), 1, name="classifier")(x)
    for stride, features in zip(strides[1:], finer, strict=True):
        beside = layers.Conv2D(len(NAMES), 1, kernel_initializer="zeros", name=f"score{stride}")(features)
        doubled = double(scores, features.shape[1:3], f"up{stride}")
        scores = layers.Add(name=f"add{stride}")([doubled, beside])
    return networks_of(inputs, [resize(scores, size, "classifier_resize")], config.architecture)


def double(scores, size: tuple[int, int], name: str):
    """(N, h, w, C) -> (N, *size, C), each side of `size` 2 h or 2 h - 1: a transposed convolution that starts as
    bilinear interpolation; where sizes are odd its last row or column is dropped."""
    _, height, width, channels = scores.shape
    doubled = layers.Conv2DTranspose(channels, 4, 2, padding="same", use_bias=False,
                                     kernel_initializer=bilinear_kernel, name=name)(scores)
    spare = ((0, 2 * height - size[0]), (0, 2 * width - size[1]))
    return doubled if spare == ((0, 0), (0, 0)) else layers.Cropping2D(spare, name=f"{name}_crop")(doubled)


def bilinear_kernel(shape: tuple[int, int, int, int], dtype=None) -> np.ndarray:
    """Kernel (k, k, out, in) of a transposed convolution of stride k / 2 that interpolates each channel by itself."""
    side, _, outputs, inputs = shape
    stride = side / 2
    ramp = 1 - np.abs(np.arange(side) + 0.5 - stride) / stride
    return (np.outer(ramp, ramp)[..., None, None] * np.eye(outputs, inputs)).astype(dtype or "float32")
