import keras
import numpy as np
import pytest

from segmentation.config import IMAGENET_MEAN, NORMALISATIONS, ConfigError, TrainConfig
from segmentation.models.backbones import build_encoder, dilate, freeze_blocks
from segmentation.models.pretrained import EXPECTED, adapt_first_layer
from segmentation.models.taps import BACKBONES


def randomise(model, seed=0):
    """Statistics of BatchNorm as a trained network's may be."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(0.2, 0.6, channels), rng.normal(0, 0.1, channels),
                               rng.normal(0, 0.1, channels), rng.uniform(0.5, 1.5, channels)])


def test_a_dilated_encoder_gives_the_same_features_and_those_between():
    """ResNet50, as it has the same names as ResNet101 and is half as deep; 72 pixels are 9 at 1/8, an odd number."""
    config = TrainConfig(backbone="resnet50", height=72, width=104, pools=(1, 2))
    taps = BACKBONES["resnet101"]
    encoder = build_encoder(config, ["conv3_block4_out", "conv4_block6_out", "conv5_block3_out"])
    randomise(encoder)
    dilated = dilate(encoder, taps.dilations)
    assert [weight.path for weight in dilated.weights] == [weight.path for weight in encoder.weights]
    image = np.random.default_rng(1).normal(size=(1, 72, 104, 3)).astype(np.float32)
    before, after = encoder(image, training=False), dilated(image, training=False)
    assert [tuple(features.shape[1:3]) for features in after] == [(9, 13)] * 3
    for features, dense, step in zip(before, after, (1, 2, 4), strict=True):
        np.testing.assert_allclose(dense[:, ::step, ::step], features, rtol=1e-4, atol=1e-4)
        assert np.abs(features).max() > 0.1


def stem(taps, bias):
    """A network whose first two layers are named as the backbone's."""
    image = keras.Input((20, 24, 3))
    x = keras.layers.ZeroPadding2D(3, name=taps.first)(image)
    x = keras.layers.Conv2D(4, 7, 2, use_bias=bias, name=taps.stem[0])(x)
    x = keras.layers.BatchNormalization(name=taps.stem[1])(x)
    return keras.Model(image, x)


@pytest.mark.parametrize("normalisation", sorted(NORMALISATIONS))
@pytest.mark.parametrize(("backbone", "bias"), [("resnet50", True), ("efficientnet_b0", False), ("resnet18", False)])
def test_weights_fit_another_normalisation(backbone, bias, normalisation):
    taps, photo = BACKBONES[backbone], np.random.default_rng(2).integers(0, 256, (1, 20, 24, 3)).astype(np.float32)
    network = stem(taps, bias)
    randomise(network)
    expected = EXPECTED[taps.expects]
    wanted = ((photo - expected.mean) / expected.std).astype(np.float32)
    before = np.asarray(network(wanted[..., ::-1] if expected.bgr else wanted, training=False))
    mean, std = NORMALISATIONS[normalisation]
    adapt_first_layer(network, taps, mean, std)
    after = np.asarray(network(((photo - mean) / std).astype(np.float32), training=False))
    np.testing.assert_allclose(after[:, 2:-2, 2:-2], before[:, 2:-2, 2:-2], rtol=1e-3, atol=1e-2)
    if mean == expected.mean:
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-2)


def test_caffe_means_and_order_are_those_of_keras_applications():
    photo = np.random.default_rng(3).integers(0, 256, (2, 5, 3)).astype(np.float32)
    expected = EXPECTED[BACKBONES["resnet101"].expects]
    np.testing.assert_allclose(
        keras.applications.resnet.preprocess_input(photo.copy()), (photo - expected.mean)[..., ::-1], rtol=1e-5
    )


def test_weights_of_a_file_reach_the_network_fitted(tmp_path):
    from segmentation.network import build_networks

    whole = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(64, 64, 3))
    whole.save_weights(tmp_path / "resnet50.weights.h5")
    config = TrainConfig(backbone="resnet50", height=64, width=64, pools=(1, 2), head_channels=8,
                         encoder_weights=str(tmp_path / "resnet50.weights.h5"))
    encoder = build_networks(config).training.get_layer("encoder")
    kernel = np.asarray(encoder.get_layer("conv1_conv").kernel)
    theirs = np.asarray(whole.get_layer("conv1_conv").kernel)
    np.testing.assert_allclose(kernel[:, :, 0], theirs[:, :, 2] * config.std[0], rtol=1e-5)
    np.testing.assert_array_equal(encoder.get_layer("conv4_block6_3_conv").kernel,
                                  whole.get_layer("conv4_block6_3_conv").kernel)
    missing = TrainConfig(backbone="resnet50", height=64, width=64, pools=(1, 2), encoder_weights="nowhere.h5")
    with pytest.raises(ConfigError, match="no resnet50 with encoder_weights 'nowhere.h5'"):
        build_networks(missing)


@pytest.mark.parametrize(("count", "first_trained"), [(0, "stem_conv"), (1, "stage1_block1_1_conv"),
                                                      (2, "stage2_block1_1_conv")])
def test_blocks_are_frozen_from_the_front(count, first_trained):
    config = TrainConfig(architecture="unet", backbone="resnet18", height=32, width=32)
    encoder = build_encoder(config, ["stage4_block2_relu"])
    freeze_blocks(encoder, BACKBONES["resnet18"], count)
    trained = [layer.name for layer in encoder.layers if layer.trainable_weights]
    assert trained[0] == first_trained
    statistics = [layer for layer in encoder.layers if layer.name == "stem_bn"][0]
    assert statistics.trainable == (count == 0)


def test_the_mean_alone_is_that_of_imagenet():
    assert NORMALISATIONS["mean"] == (IMAGENET_MEAN, (1.0, 1.0, 1.0))
