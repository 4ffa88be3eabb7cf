"""U-Net (Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015) on an
encoder down to 1/16, which is as deep as the published one goes.

On the way back features are narrowed, doubled bilinearly (which, unlike 2x2 transposed convolutions, fits any size),
joined with the encoder's of that size, and convolved twice. It ends at 1/2, the encoders' largest features; classes are
told there and resized. No auxiliary branch: the joints bring the gradient to every depth.
"""

import keras
from keras import layers

from segmentation.config import TrainConfig
from segmentation.models.backbones import build_encoder
from segmentation.models.layers import Networks, classifier, convolution, networks_of, resize
from segmentation.models.taps import BACKBONES

# Input pixels per feature pixel -> channels, on the way back.
WIDTHS = {8: 128, 4: 64, 2: 32}


def build_unet(config: TrainConfig) -> Networks:
    """Builds the network `config` describes, with random weights but for the encoder's where the config names some.

    Raises:
        ConfigError: for encoder weights that are missing or do not fit.
    """
    levels, momentum = BACKBONES[config.backbone].levels, config.batchnorm_momentum
    encoder = build_encoder(config, [levels[stride] for stride in (16, *WIDTHS)])
    size = (config.height, config.width)
    inputs = keras.Input((*size, 3), name="image")
    x, *skips = encoder(inputs)

    for (stride, width), skip in zip(WIDTHS.items(), skips, strict=True):
        name = f"up{stride}"
        x = convolution(x, width, 1, name, momentum)
        x = resize(x, skip.shape[1:3], f"{name}_resize")
        x = layers.Concatenate(name=f"{name}_join")([x, skip])
        x = convolution(x, width, 3, f"{name}_first", momentum)
        x = convolution(x, width, 3, f"{name}_second", momentum)
    x = layers.Dropout(config.dropout, name="head_dropout")(x)
    return networks_of(inputs, [classifier(x, size, "classifier")], "unet")
