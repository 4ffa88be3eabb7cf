"""PSPNet (Zhao et al., Pyramid Scene Parsing Network, CVPR 2017) on an encoder cut at 1/16, in the thesis's form.

Reads top-down: encoder, pyramid of average poolings, 3x3 convolution over features and pyramid, classifier, bilinear
upsampling to the input size; an auxiliary classifier on the middle of the encoder for training. `skip` adds a light
decoder that is not part of PSPNet. Only Keras, only static sizes, so that every converter can read it.
"""

from dataclasses import dataclass

import keras
from keras import layers, ops

from scenes.labels import NAMES
from segmentation.config import ConfigError, TrainConfig, check_size
from segmentation.models.backbones import build_encoder

AUXILIARY_CHANNELS = 128
SKIP_CHANNELS = 32
DECODER_CHANNELS = 64

# He initialisation, as these convolutions are followed by BatchNorm and ReLU.
INITIALIZER = "he_normal"


@dataclass(frozen=True)
class Networks:
    """One set of weights in two models; both take normalised RGB float32 (N, H, W, 3).

    training: -> [logits, auxiliary logits], each float32 (N, H, W, 4).
    inference: -> probabilities float32 (N, H, W, 4), the softmax of the first.
    """

    training: keras.Model
    inference: keras.Model


def build_pspnet(config: TrainConfig) -> Networks:
    """Builds the network `config` describes, with random weights but for the encoder's where the config names some.

    Raises:
        ConfigError: for an unknown backbone or cut, or a size that does not fit the pools.
    """
    check_size(config.height, config.width, config.pools)
    try:
        encoder = build_encoder(
            config.backbone, config.height, config.width, config.cut, config.skip, config.encoder_weights,
            config.batchnorm_momentum, config.drop_connect,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    size = (config.height, config.width)
    inputs = keras.Input((*size, 3), name="image")
    features, middle, *skip_features = encoder(inputs)

    x = pyramid(features, config.pools, config.pool_channels, config.batchnorm_momentum)
    x = convolution(x, config.head_channels, 3, "head", config.batchnorm_momentum)
    if skip_features:
        x = decoder(x, skip_features[0], config.batchnorm_momentum)
    x = layers.Dropout(config.dropout, name="head_dropout")(x)
    logits = classifier(x, size, "classifier")

    y = convolution(middle, AUXILIARY_CHANNELS, 3, "auxiliary", config.batchnorm_momentum)
    y = layers.Dropout(config.dropout, name="auxiliary_dropout")(y)
    auxiliary_logits = classifier(y, size, "auxiliary_classifier")

    probabilities = layers.Softmax(name="probabilities")(logits)
    return Networks(
        training=keras.Model(inputs, [logits, auxiliary_logits], name="pspnet_training"),
        inference=keras.Model(inputs, probabilities, name="pspnet"),
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

    Where `bins` does not divide `size` the windows overlap; together they always cover every pixel.
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


def decoder(x, skip_features, momentum: float):
    """Head features brought to the skip features' size and joined with them; not part of PSPNet."""
    x = convolution(x, DECODER_CHANNELS, 1, "decoder_head", momentum)
    x = resize(x, skip_features.shape[1:3], "decoder_resize")
    skip = convolution(skip_features, SKIP_CHANNELS, 1, "decoder_skip", momentum)
    x = layers.Concatenate(name="decoder_join")([x, skip])
    return convolution(x, DECODER_CHANNELS, 3, "decoder", momentum)


def classifier(x, size: tuple[int, int], name: str):
    """Class logits at `size` (height, width): upsampled after the classifier, where there are few channels."""
    x = layers.Conv2D(len(NAMES), 1, name=name)(x)
    return resize(x, size, f"{name}_resize")


@keras.saving.register_keras_serializable(package="foliopie")
class BilinearResize(layers.Layer):
    """Bilinear with the half-pixel rule, to a static (height, width).

    Not keras.layers.Resizing: it belongs to preprocessing, its `training` is True by default, and in a model that is
    called without `training` that default reaches the BatchNorm layers behind it.
    """

    def __init__(self, height: int, width: int, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def call(self, inputs):
        return ops.image.resize(inputs, (self.height, self.width), interpolation="bilinear")

    def get_config(self) -> dict:
        return {**super().get_config(), "height": self.height, "width": self.width}


def resize(x, size: tuple[int, int], name: str):
    """(N, h, w, C) -> (N, *size, C), see `BilinearResize`."""
    return BilinearResize(*size, name=name)(x)
