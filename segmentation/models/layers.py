"""What the networks that label pixels are put together from. Only Keras, only static sizes, so that every converter can
read them. Features are float32 (N, h, w, C)."""

from dataclasses import dataclass

import keras
from keras import layers, ops

from scenes.labels import NAMES

# He initialisation, as these convolutions are followed by BatchNorm and ReLU.
INITIALIZER = "he_normal"


@dataclass(frozen=True)
class Networks:
    """One set of weights in two models; both take normalised RGB float32 (N, H, W, 3).

    training: -> [logits, auxiliary logits], each float32 (N, H, W, 4); the logits alone, without a list, where
        there is no auxiliary branch.
    inference: -> probabilities float32 (N, H, W, 4), the softmax of the first.
    """

    training: keras.Model
    inference: keras.Model


def networks_of(inputs, logits: list, name: str) -> Networks:
    """Networks from the input to [logits] or [logits, auxiliary logits]."""
    probabilities = layers.Softmax(name="probabilities")(logits[0])
    return Networks(
        training=keras.Model(inputs, logits, name=f"{name}_training"),
        inference=keras.Model(inputs, probabilities, name=name),
    )


def pyramid(features, pools: tuple[int, ...], channels: int, momentum: float):
    """Features and, for each entry of `pools`, their averages over that many bins a side, upsampled and joined.

    Args:
        features: (N, h, w, C).
        channels: of each level; 0 for C / levels.

    Returns:
        (N, h, w, C + levels * channels).
    """
    _, height, width, feature_channels = features.shape
    levels = [features]
    for bins in pools:
        name = f"pool{bins}"
        level = average_bins(features, bins, name)
        level = convolution(level, channels or feature_channels // len(pools), 1, name, momentum)
        levels.append(resize(level, (height, width), f"{name}_resize"))
    return layers.Concatenate(name="pyramid")(levels)


def pooling_window(size: int, bins: int) -> tuple[int, int]:
    """(window, stride) in pixels that divide `size` >= `bins` pixels into exactly `bins` windows.

    Where `bins` does not divide `size` the windows overlap; together they always cover every pixel. So 8 bins pool the
    30 features of a 473 pixel side in windows of 9, one every 3, and the 15 of 240 in windows of 8, one at each pixel;
    6 bins pool 30 in windows of 5 side by side, and 15 in windows of 5, one every 2.
    """
    stride = size // bins
    return size - (bins - 1) * stride, stride


def average_bins(features, bins: int, name: str):
    """Means over bins x bins windows: (N, h, w, C) -> (N, bins, bins, C)."""
    (window_y, stride_y), (window_x, stride_x) = (pooling_window(side, bins) for side in features.shape[1:3])
    return layers.AveragePooling2D((window_y, window_x), (stride_y, stride_x), name=f"{name}_average")(features)


def convolution(x, channels: int, kernel: int, name: str, momentum: float):
    """Convolution, BatchNorm, ReLU."""
    x = layers.Conv2D(channels, kernel, padding="same", use_bias=False, kernel_initializer=INITIALIZER,
                      name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=momentum, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def classifier(x, size: tuple[int, int], name: str):
    """Class logits at `size` (height, width): upsampled after the classifier, where there are few channels."""
    x = layers.Conv2D(len(NAMES), 1, name=name)(x)
    return resize(x, size, f"{name}_resize")


def auxiliary_classifier(features, channels: int, dropout: float, size: tuple[int, int], momentum: float):
    """Class logits from the middle of an encoder, which training alone uses: a 3x3 convolution and a classifier."""
    x = convolution(features, channels, 3, "auxiliary", momentum)
    x = layers.Dropout(dropout, name="auxiliary_dropout")(x)
    return classifier(x, size, "auxiliary_classifier")


@keras.saving.register_keras_serializable(package="foliopie")
class Resize(layers.Layer):
    """To a static (height, width) with the half-pixel rule, "bilinear" or "nearest".

    Not keras.layers.Resizing: it belongs to preprocessing, its `training` is True by default, and in a model that is
    called without `training` that default reaches the BatchNorm layers behind it. Not UpSampling2D: ONNX gets it as a
    Tile, which OpenVINO computes in floats, with conversions around it, in the midst of an INT8 network.
    """

    def __init__(self, height: int, width: int, interpolation: str = "bilinear", **kwargs):
        super().__init__(**kwargs)
        self.height, self.width, self.interpolation = height, width, interpolation

    def call(self, inputs):
        return ops.image.resize(inputs, (self.height, self.width), interpolation=self.interpolation)

    def get_config(self) -> dict:
        own = {"height": self.height, "width": self.width, "interpolation": self.interpolation}
        return {**super().get_config(), **own}


def resize(x, size: tuple[int, int], name: str, interpolation: str = "bilinear"):
    """(N, h, w, C) -> (N, *size, C), see `Resize`."""
    return Resize(*size, interpolation, name=name)(x)
