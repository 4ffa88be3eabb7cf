import keras
import numpy as np
import pytest

from segmentation.config import ConfigError, TrainConfig
from segmentation.models.layers import average_bins, pooling_window, resize
from segmentation.models.pspnet import build_pspnet


@pytest.fixture(autouse=True)
def _fresh_session():
    keras.backend.clear_session()


@pytest.mark.parametrize("size", [8, 12, 15, 18, 30, 60])
@pytest.mark.parametrize("bins", [1, 2, 3, 5, 6, 8])
def test_windows_are_exactly_the_bins_and_cover_everything(size, bins):
    window, stride = pooling_window(size, bins)
    starts = np.arange(0, size - window + 1, stride)
    assert len(starts) == bins and starts[-1] + window == size and window >= stride


@pytest.mark.parametrize(("size", "windows"), [(30, (9, 3)), (15, (8, 1)), (60, (11, 7))])
def test_how_8_bins_pool_the_features_of_473_and_240(size, windows):
    assert pooling_window(size, 8) == windows


@pytest.mark.parametrize(("size", "bins"), [(12, 3), (18, 6), (30, 6), (15, 1)])
def test_bin_means_are_block_means_where_bins_divide_the_size(size, bins):
    values = np.random.default_rng(0).random((1, size, size, 2), np.float32)
    block = size // bins
    expected = values.reshape(1, bins, block, bins, block, 2).mean((2, 4))
    np.testing.assert_allclose(average_bins(values, bins, "pool"), expected, rtol=1e-5)


def test_average_of_a_constant_stays_constant_where_bins_do_not_divide():
    constant = np.full((1, 15, 11, 1), 2.5, np.float32)
    level = average_bins(constant, 6, "pool")
    assert level.shape == (1, 6, 6, 1)
    np.testing.assert_allclose(resize(level, (15, 11), "up"), constant, rtol=1e-6)


def test_resize_keeps_pixel_centres_by_the_half_pixel_rule():
    ramp = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
    found = np.asarray(resize(ramp, (1, 8), "up")).ravel()
    expected = np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("height", "width", "pools", "skip"), [(64, 64, (1, 2, 4), 0), (96, 128, (1, 2, 3, 6), 4)])
def test_output_has_the_input_size(height, width, pools, skip):
    config = TrainConfig(height=height, width=width, pools=pools, skip=skip, head_channels=16)
    networks = build_pspnet(config)
    assert networks.inference.output_shape == (None, height, width, 4)
    assert networks.training.output_shape == [(None, height, width, 4)] * 2
    image = np.random.default_rng(0).normal(size=(1, height, width, 3)).astype(np.float32)
    probabilities = np.asarray(networks.inference(image))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)
    # A call that does not say whether it trains must not. Threads add up in no fixed order: equal to rounding.
    np.testing.assert_allclose(probabilities, networks.inference(image, training=False), atol=1e-5)
    logits = networks.training(image, training=False)[0]
    np.testing.assert_allclose(probabilities, keras.ops.softmax(logits), atol=1e-5)


def test_thesis_form_at_240():
    networks = build_pspnet(TrainConfig())
    assert networks.inference.output_shape == (None, 240, 240, 4)
    features = networks.training.get_layer("encoder").output[0]
    assert features.shape == (None, 15, 15, 672)
    assert networks.training.get_layer("pyramid").output.shape == (None, 15, 15, 672 + 4 * 168)


def test_names_are_stable_and_weights_free_of_the_size():
    def shapes(size):
        networks = build_pspnet(TrainConfig(height=size, width=size, head_channels=16))
        return {variable.path: variable.shape for variable in networks.training.weights}

    small, large = shapes(96), shapes(240)
    assert small == large and len(small) > 200
    assert {"stem_conv/kernel", "pool6_conv/kernel", "pool6_bn/gamma", "head_conv/kernel", "classifier/kernel",
            "auxiliary_classifier/bias"} <= set(small)


def test_encoder_settings_and_its_normalisation():
    network = build_pspnet(TrainConfig(height=96, width=96, head_channels=16, batchnorm_momentum=0.9)).training
    encoder = network.get_layer("encoder")
    kinds = {type(layer).__name__ for layer in encoder.layers}
    assert not kinds & {"Rescaling", "Normalization"}
    assert {layer.momentum for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)} == {0.9}
    assert {layer.rate for layer in encoder.layers if isinstance(layer, keras.layers.Dropout)} == {0.0}


@pytest.mark.parametrize("wrong", [{"backbone": "vgg16"}, {"cut": "block7a_project_bn"}])
def test_what_is_not_in_the_table_is_refused(wrong):
    with pytest.raises(ConfigError, match="vgg16.*efficientnet_b0|block7a.*block5c_add"):
        build_pspnet(TrainConfig(height=96, width=96, **wrong))
