"""Encoders, cut and tapped as `segmentation.models.taps` says.

All take RGB that is normalised already with the network's InputSpec. Those of keras.applications come without the
rescaling and normalisation that EfficientNets have inside; `segmentation.models.pretrained` makes published weights fit
whatever normalisation was chosen.
"""

import keras

from segmentation.config import ConfigError, TrainConfig
from segmentation.gluon_weights import load_gluon_weights
from segmentation.models.resnet18 import build_resnet18
from segmentation.models.taps import BACKBONES, Taps

# The drop-connect rate that keras.applications builds EfficientNets with.
BUILT_DROP_CONNECT = 0.2


def build_encoder(config: TrainConfig, wanted: list[str], dilated: bool = False) -> keras.Model:
    """Normalised RGB float32 (N, height, width, 3) -> a list with the features of each layer named in `wanted`;
    those of a single one without the list, as Keras does.

    Weights are those of `config.encoder_weights`, not yet fitted to the normalisation.

    Args:
        dilated: whether the backbone's `dilations` are put in.

    Raises:
        ConfigError: for weights that are missing or do not fit.
    """
    taps = BACKBONES[config.backbone]
    whole = _build_whole(config, taps)
    first = whole.get_layer(taps.first)
    encoder = keras.Model(first.input, [whole.get_layer(name).output for name in wanted], name="encoder")
    if dilated and taps.dilations:
        encoder = dilate(encoder, taps.dilations)
    _set_regularisation(encoder, config.batchnorm_momentum, config.drop_connect)
    return encoder


def dilate(encoder: keras.Model, dilations: dict[str, int]) -> keras.Model:
    """A copy of an encoder, weights included, in which stages give features as large as those they take.

    Convolutions of a stage in `dilations` have stride 1, and its 3x3 ones that dilation rate: every second pixel of the
    result (every fourth behind two such stages) is what the encoder gave before. Weights fit both ways.
    """

    def copy(layer):
        settings = layer.get_config()
        rate = dilations.get(layer.name.split("_")[0])
        if rate and isinstance(layer, keras.layers.Conv2D):
            settings["strides"] = (1, 1)
            settings["dilation_rate"] = (1, 1) if layer.kernel_size == (1, 1) else (rate, rate)
        return type(layer).from_config(settings)

    dilated = keras.models.clone_model(encoder, clone_function=copy)
    dilated.set_weights(encoder.get_weights())
    return dilated


def freeze_blocks(encoder: keras.Model, taps: Taps, count: int) -> None:
    """The first `count` blocks are not trained; their BatchNorm runs on the statistics it has, in training too."""
    prefixes = tuple(prefix for block in taps.blocks[:count] for prefix in block)
    for layer in encoder.layers:
        if layer.name.startswith(prefixes):
            layer.trainable = False


def _build_whole(config: TrainConfig, taps: Taps) -> keras.Model:
    """The backbone down to 1/32 without its classifier."""
    size, weights = (config.height, config.width), config.encoder_weights
    if taps.builder:
        try:
            return getattr(keras.applications, taps.builder)(
                include_top=False, weights=weights, input_shape=(*size, 3)
            )
        except (ValueError, OSError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"no {config.backbone} with encoder_weights {weights!r}: {reason}") from error
    whole = build_resnet18(*size, momentum=config.batchnorm_momentum)
    if weights:
        load_gluon_weights(whole, weights)
    return whole


def _set_regularisation(encoder: keras.Model, batchnorm_momentum: float, drop_connect: float) -> None:
    """keras.applications takes neither as an argument; both are read when the layers are called, not when built.

    batchnorm_momentum: of the running statistics; Keras's 0.99 is slow for runs of a few thousand steps.
    drop_connect: rate of the last block of a whole EfficientNet; earlier blocks have proportionally less.
    """
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = batchnorm_momentum
        elif isinstance(layer, keras.layers.Dropout):
            layer.rate *= drop_connect / BUILT_DROP_CONNECT
