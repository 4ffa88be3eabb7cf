"""Every model: built, trained one step, converted. The quick ones are one of each architecture on a small encoder, and
the base form; the others are long."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from segmentation.config import TrainConfig
from segmentation.loader import Batch
from segmentation.model_table import model_config
from segmentation.models.taps import MODELS
from segmentation.network import build_networks
from segmentation.train import Trainer

# At a small size with few bins and channels. Nothing is to be a single pixel: converters make a reshape of the
# transposition of one, which fixes the batch.
PYRAMID = {"pools": (1, 2), "head_channels": 16}
SMALL = {"pspnet": PYRAMID, "fast_pspnet": {"pools": (1, 2)}} | {f"fcn{n}": {"head_channels": 16} for n in (32, 16, 8)}
QUICK = ["pspnet-resnet18", "pspnet-efficientnetb0", "fcn8-resnet18", "unet-resnet18", "fast-pspnet"]


@pytest.fixture(autouse=True)
def _fresh_session():
    keras.backend.clear_session()
    yield
    tf.config.run_functions_eagerly(False)


def small(name, **settings) -> TrainConfig:
    config = model_config(name, batch=2, seed=3, **SMALL.get(MODELS[name][0], {}) | settings)
    return replace(config, height=64, width=64) if config.architecture.startswith("fcn") else config


def check_shapes(networks, config):
    shape = (None, config.height, config.width, 4)
    outputs = 2 if "pspnet" in config.architecture else 1
    assert [tuple(output.shape) for output in networks.training.outputs] == [shape] * outputs
    assert networks.inference.output_shape == shape
    return outputs


def check_step(networks, config, outputs):
    """One step of gradients, taken eagerly, as tracing takes longer: loss finite, kernels and scores move, what is
    frozen does not."""
    tf.config.run_functions_eagerly(True)
    rng = np.random.default_rng(0)
    size = (2, config.height, config.width)
    batch = Batch(rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 4, size, np.uint8))
    encoder = networks.training.get_layer("encoder")
    before = {layer.name: [np.array(value) for value in layer.variables] for layer in encoder.layers}
    trainer = Trainer(networks, config, total_steps=10)
    losses = trainer.step(batch)
    assert losses.shape == (1 + outputs,) and np.isfinite(losses).all()
    if outputs == 2:
        assert losses[0] == pytest.approx(losses[1] + 0.4 * losses[2], rel=1e-5)
    prefixes = FROZEN_PREFIXES if config.frozen_blocks else ()
    for layer in encoder.layers:
        for old, new in zip(before[layer.name], layer.variables, strict=True):
            if prefixes and layer.name.startswith(prefixes):
                np.testing.assert_array_equal(new, old, err_msg=layer.name)
    last = [layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)][-1]
    assert not np.array_equal(before[last.name][2], last.moving_mean)
    assert trainer.validate([batch])[0].sum() == batch.masks.size


# Of two frozen blocks in ResNets and in EfficientNets.
FROZEN_PREFIXES = ("stem", "stage1", "conv1", "conv2", "block1", "block2")


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow, pytest.mark.long]) for name in MODELS
])
def test_a_model_trains_and_converts(name, tmp_path, check_conversion):
    from deploy.convert import KERAS_OPSET, keras_to_onnx
    from deploy.runtimes import KerasRuntime

    config = small(name, frozen_blocks=2)
    networks = build_networks(config)
    outputs = check_shapes(networks, config)
    check_step(networks, config, outputs)
    tf.config.run_functions_eagerly(False)
    made = keras_to_onnx(networks.inference, config.height, config.width, tmp_path / "network.onnx")
    check_conversion(made, KerasRuntime(networks.inference, config.input_spec), config.input_spec, KERAS_OPSET)


def test_the_base_form_keeps_features_at_an_eighth():
    config = small("pspnet-resnet101")
    assert (config.height, config.width) == (32, 32)
    networks = build_networks(config)
    check_shapes(networks, config)
    features, middle = networks.training.get_layer("encoder").output
    assert features.shape == (None, 4, 4, 2048) and middle.shape == (None, 4, 4, 1024)


def test_odd_sizes_fit_networks_that_join_features():
    for name in ("fcn8-resnet18", "unet-resnet18"):
        config = replace(small(name), height=37, width=70)
        check_shapes(build_networks(config), config)
