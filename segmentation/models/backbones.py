"""Encoders and where they are tapped.

The encoders are those of keras.applications without their own rescaling and normalisation layers: every network of
this project takes RGB that is already normalised with its InputSpec's mean and standard deviation. The ImageNet
weights of EfficientNet expect (x / 255 - mean) / std with ImageNet's mean and std, which is what
`segmentation.config.IMAGENET_MEAN` and `IMAGENET_STD` give.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras

# The first layer behind the normalisation, in every EfficientNet of keras.applications.
FIRST_LAYER = "stem_conv_pad"


@dataclass(frozen=True)
class Taps:
    """Layer names of one encoder.

    cuts: layers at 1/16 that a pyramid may stand on; the first is the thesis's (30x30 features of 473x473), the
        second ends the same stage with fewer channels and costs much less behind it.
    auxiliary: the layer of the auxiliary branch, in the middle of the encoder (block 4, at 1/16).
    skips: input pixels per feature pixel -> layer, for the optional decoder.
    """

    build: Callable[..., keras.Model]
    cuts: tuple[str, ...]
    auxiliary: str
    skips: dict[int, str]


BACKBONES = {
    "efficientnet_b0": Taps(
        build=keras.applications.EfficientNetB0,
        cuts=("block6a_expand_activation", "block5c_add"),
        auxiliary="block4c_add",
        skips={4: "block2b_add", 8: "block3b_add"},
    ),
}


def build_encoder(
    backbone: str, height: int, width: int, cut: str, skip: int = 0, weights: str | None = None,
    batchnorm_momentum: float = 0.99, drop_connect: float = 0.2,
) -> keras.Model:
    """Normalised RGB float32 (N, height, width, 3) -> [features at `cut`, auxiliary features, skip features if any].

    Args:
        weights: None for random ones, "imagenet" (downloaded by Keras), or a file in the format of keras.applications
            without top.
        batchnorm_momentum: of the running statistics; Keras's 0.99 is slow for runs of a few thousand steps.
        drop_connect: rate of the last block of the whole network; earlier blocks have proportionally less.

    Raises:
        ValueError: for a backbone or cut that is not in the table, or weights that do not fit.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"backbone {backbone!r}: must be one of {', '.join(BACKBONES)}")
    taps = BACKBONES[backbone]
    if cut not in taps.cuts:
        raise ValueError(f"cut {cut!r}: {backbone} can be cut at {', '.join(taps.cuts)}")
    whole = taps.build(include_top=False, weights=weights, input_shape=(height, width, 3))
    wanted = [cut, taps.auxiliary] + ([taps.skips[skip]] if skip else [])
    first = whole.get_layer(FIRST_LAYER)
    encoder = keras.Model(first.input, [whole.get_layer(name).output for name in wanted], name="encoder")
    _set_regularisation(encoder, batchnorm_momentum, drop_connect)
    return encoder


def _set_regularisation(encoder: keras.Model, batchnorm_momentum: float, drop_connect: float) -> None:
    """keras.applications takes neither as an argument; both are read when the layers are called, not when built."""
    built_for = 0.2  # the drop-connect rate that keras.applications builds with
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = batchnorm_momentum
        elif isinstance(layer, keras.layers.Dropout):
            layer.rate *= drop_connect / built_for
