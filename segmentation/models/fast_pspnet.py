"""A PSPNet that a CPU runs in real time: pyramid of average poolings at 1/32, and a feature pyramid back to 1/4.

What costs in a PSPNet on a CPU, and what is here in its place:

- features at 1/16 or 1/8 that are still wide: the encoder goes on to 1/32, where the whole photo is a few pixels, with
  a last stage of half its usual width;
- the 3x3 convolution over features and all pooled channels: a 1x1 convolution, and 3x3 ones over few channels on the
  way back (Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017), whose finer features draw outlines
  that 1/16 features cannot;
- depthwise convolutions, squeeze and excitation and swish of EfficientNet, which INT8 hardly makes faster: the plain
  convolutions of ResNet18, which it makes four times as fast.
"""

import keras
from keras import layers

from segmentation.config import ConfigError, TrainConfig
from segmentation.gluon_weights import load_gluon_weights
from segmentation.models.layers import (
    INITIALIZER,
    Networks,
    auxiliary_classifier,
    classifier,
    convolution,
    networks_of,
    pyramid,
    resize,
)
from segmentation.models.resnet18 import WIDTHS, build_resnet18

LAST_WIDTH = 256  # of the encoder's last stage, 512 in ResNet18
LEVEL_CHANNELS = 64  # of each level of the pyramid of poolings
BACK_WIDTHS = (64, 128, 128, 128)  # of the way back, at 1/4, 1/8, 1/16 and 1/32
AUXILIARY_CHANNELS = 64
AUXILIARY_STAGE = 2  # the third: 1/16


def build_fast_pspnet(config: TrainConfig) -> Networks:
    """Builds the network `config` describes, with random weights but for those of `config.encoder_weights`, if any.

    Raises:
        ConfigError: for another backbone, or weights that do not fit.
    """
    if config.backbone != "resnet18":
        raise ConfigError(f"backbone {config.backbone!r}: fast_pspnet stands on resnet18 alone")
    momentum, size = config.batchnorm_momentum, (config.height, config.width)
    encoder = build_resnet18(*size, (*WIDTHS[:3], LAST_WIDTH), momentum)
    inputs = keras.Input((*size, 3), name="image")
    stages = encoder(inputs)
    x = pyramid(stages[-1], config.pools, config.pool_channels or LEVEL_CHANNELS, momentum)
    x = convolution(x, BACK_WIDTHS[-1], 1, "head", momentum)
    x = convolution(x, BACK_WIDTHS[-2], 3, "back32", momentum)
    for level in (2, 1, 0):
        x = _finer(x, stages[level], level, momentum)
    x = layers.Dropout(config.dropout, name="head_dropout")(x)
    logits = classifier(x, size, "classifier")
    auxiliary = auxiliary_classifier(stages[AUXILIARY_STAGE], AUXILIARY_CHANNELS, config.dropout, size, momentum)
    networks = networks_of(inputs, [logits, auxiliary], "fast_pspnet")
    if config.encoder_weights:
        load_gluon_weights(networks.training, config.encoder_weights)
    return networks


def _finer(x, features, level: int, momentum: float):
    """Features of twice the size: what comes back, and beside it the encoder's own of that size."""
    name = f"back{4 * 2**level}"
    x = resize(x, features.shape[1:3], f"{name}_up", "nearest")
    beside = layers.Conv2D(BACK_WIDTHS[level], 1, use_bias=False, kernel_initializer=INITIALIZER,
                           name=f"{name}_beside_conv")(features)
    beside = layers.BatchNormalization(momentum=momentum, name=f"{name}_beside_bn")(beside)
    x = layers.ReLU(name=f"{name}_relu_in")(layers.Add(name=f"{name}_add")([x, beside]))
    return convolution(x, BACK_WIDTHS[max(level - 1, 0)], 3, name, momentum)
