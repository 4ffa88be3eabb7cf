"""PSPNet (Zhao et al., Pyramid Scene Parsing Network, CVPR 2017) on an encoder cut at 1/16, in the thesis's forms, or
on a dilated ResNet101 at 1/8, in the paper's.

Reads top-down: encoder, pyramid of average poolings, 3x3 convolution over features and pyramid, classifier, bilinear
upsampling to the input size; an auxiliary classifier on the middle of the encoder for training. `skip` adds a light
decoder that is not part of PSPNet.
"""

import keras
from keras import layers

from segmentation.config import TrainConfig
from segmentation.models.backbones import build_encoder
from segmentation.models.layers import (
    Networks,
    auxiliary_classifier,
    classifier,
    convolution,
    networks_of,
    pyramid,
    resize,
)
from segmentation.models.taps import BACKBONES

SKIP_CHANNELS = 32
DECODER_CHANNELS = 64


def build_pspnet(config: TrainConfig) -> Networks:
    """Builds the network `config` describes, with random weights but for the encoder's where the config names some.

    Raises:
        ConfigError: for encoder weights that are missing or do not fit.
    """
    taps = BACKBONES[config.backbone]
    wanted = [config.cut or taps.cuts[0], taps.auxiliary] + ([taps.levels[config.skip]] if config.skip else [])
    encoder = build_encoder(config, wanted, dilated=True)
    size = (config.height, config.width)
    inputs = keras.Input((*size, 3), name="image")
    features, middle, *skip_features = encoder(inputs)

    x = pyramid(features, config.pools, config.pool_channels, config.batchnorm_momentum)
    x = convolution(x, config.head_channels, 3, "head", config.batchnorm_momentum)
    if skip_features:
        x = decoder(x, skip_features[0], config.batchnorm_momentum)
    x = layers.Dropout(config.dropout, name="head_dropout")(x)
    logits = classifier(x, size, "classifier")
    auxiliary = auxiliary_classifier(
        middle, config.auxiliary_channels, config.dropout, size, config.batchnorm_momentum
    )
    return networks_of(inputs, [logits, auxiliary], "pspnet")


def decoder(x, skip_features, momentum: float):
    """Head features brought to the skip features' size and joined with them; not part of PSPNet."""
    x = convolution(x, DECODER_CHANNELS, 1, "decoder_head", momentum)
    x = resize(x, skip_features.shape[1:3], "decoder_resize")
    skip = convolution(skip_features, SKIP_CHANNELS, 1, "decoder_skip", momentum)
    x = layers.Concatenate(name="decoder_join")([x, skip])
    return convolution(x, DECODER_CHANNELS, 3, "decoder", momentum)
