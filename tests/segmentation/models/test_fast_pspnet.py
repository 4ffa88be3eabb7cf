import keras
import numpy as np
import pytest

from segmentation.config import ConfigError, TrainConfig
from segmentation.network import build_networks

SIZE = {"height": 192, "width": 224}


@pytest.fixture(autouse=True)
def _fresh_session():
    keras.backend.clear_session()


def config(**settings):
    return TrainConfig(**{"architecture": "fast_pspnet", "backbone": "resnet18"} | SIZE | settings)


def test_shapes_and_parameters():
    networks = build_networks(config())
    assert networks.training.output_shape == [(None, 192, 224, 4)] * 2
    assert networks.inference.output_shape == (None, 192, 224, 4)
    encoder = networks.training.get_layer("encoder")
    assert [tuple(stage.shape[1:]) for stage in encoder.output] == [
        (48, 56, 64), (24, 28, 128), (12, 14, 256), (6, 7, 256)]
    # Weights in FP16 and an INT8 file take three bytes a parameter, and are to stay below 30 MB together.
    assert networks.training.count_params() < 10e6
    image = np.random.default_rng(0).normal(size=(1, 192, 224, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(networks.inference(image)).sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize(("wrong", "told"), [
    ({"height": 200}, "height 200: must be a multiple of 32, as are 192, 224, 256, 288"),
    ({"width": 160}, "width 160: gives 5 features at 1/32.*192 and more fit"),
    ({"backbone": "efficientnet_b0"}, "fast_pspnet stands on resnet18 alone"),
    ({"encoder_weights": "imagenet"}, "GluonCV's resnet18_v1b"),
])
def test_what_does_not_fit_is_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        build_networks(config(**wrong))
