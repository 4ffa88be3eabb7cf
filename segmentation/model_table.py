"""What the models are: parameters beside those that the thesis prints, features, and sizes that fit."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras

from segmentation.config import THESIS_FORM, TrainConfig, feature_side, sizes_that_fit
from segmentation.models.taps import MODELS
from segmentation.network import build_networks

# The input's side in the thesis.
THESIS_SIDE = 473
# As printed in its section 5.1.2, of whole models with pools 1-2-3-6.
PRINTED = {
    "pspnet-efficientnetb0": "15M",
    "pspnet-efficientnetb3": "10M fewer than resnet50",
    "pspnet-efficientnetb5": "23M",
}


@dataclass(frozen=True)
class ModelRow:
    """One model with the settings of `foliopie segmentation train`.

    parameters: all values of the training model, auxiliary branch and BatchNorm's statistics included.
    thesis_form: the same with `THESIS_FORM`, of PSPNets; else None. printed: in the thesis, or "".
    features: pixels a side of the deepest features of a 473x473 input; None if 473 does not fit.
    stride: input pixels per pixel of these. smallest, best: sides that fit.
    """

    name: str
    parameters: int
    thesis_form: int | None
    printed: str
    features: int | None
    stride: int
    smallest: int
    best: list[int]
    multiple: int


def model_rows(names: list[str], progress: Callable = iter) -> list[ModelRow]:
    """Rows for names of `MODELS`; seconds each, as every network is built. `progress` wraps the list, e.g. a bar."""
    return [_row(name) for name in progress(names)]


def model_config(name: str, **settings) -> TrainConfig:
    """The default configuration of a model at the smallest of its best sizes, with other `settings`."""
    architecture, backbone = MODELS[name]
    side = 960  # fits every one of them, to ask its rule
    config = TrainConfig(architecture=architecture, backbone=backbone, height=side, width=side, **settings)
    side = sizes_that_fit(*config.size_rule)[1][0]
    return replace(config, height=side, width=side)


def _row(name: str) -> ModelRow:
    config = model_config(name)
    pools, stride, multiple = config.size_rule
    smallest, best = sizes_that_fit(pools, stride, multiple)
    fits = THESIS_SIDE >= smallest and THESIS_SIDE % multiple == 0
    thesis_form = _count(replace(config, **THESIS_FORM)) if config.architecture == "pspnet" else None
    return ModelRow(
        name=name, parameters=_count(config), thesis_form=thesis_form, printed=PRINTED.get(name, ""),
        features=feature_side(THESIS_SIDE, stride) if fits else None, stride=stride,
        smallest=smallest, best=best, multiple=multiple,
    )


def _count(config: TrainConfig) -> int:
    keras.backend.clear_session()
    return build_networks(config).training.count_params()
