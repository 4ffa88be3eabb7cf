import mxnet as mx
import numpy as np
import pytest
from gluoncv.model_zoo import get_model

from segmentation.config import ConfigError, TrainConfig
from segmentation.gluon_weights import load_gluon_weights
from segmentation.models.resnet18 import build_resnet18
from segmentation.network import build_networks


@pytest.fixture(scope="module")
def gluon(tmp_path_factory):
    """GluonCV's ResNet18 with random values, statistics of BatchNorm included, and its file."""
    mx.random.seed(1)
    network = get_model("resnet18_v1b", pretrained=False)
    network.initialize(mx.init.Xavier())
    network(mx.nd.zeros((1, 3, 64, 64)))
    rng = np.random.default_rng(2)
    for name, parameter in network.collect_params().items():
        if name.endswith(("gamma", "running_var")):
            parameter.set_data(mx.nd.array(rng.uniform(0.5, 1.5, parameter.shape)))
        elif name.endswith(("beta", "running_mean")):
            parameter.set_data(mx.nd.array(rng.normal(0, 0.1, parameter.shape)))
    file = tmp_path_factory.mktemp("gluon") / "resnet18_v1b.params"
    network.save_parameters(str(file))
    return network, file


def test_keras_gives_what_gluon_gives(gluon):
    network, file = gluon
    encoder = build_resnet18(64, 96)
    taken = load_gluon_weights(encoder, file)
    assert len(taken) == 2 * 20  # convolutions and BatchNorms of 17 layers and three shortcuts
    image = np.random.default_rng(3).normal(size=(1, 64, 96, 3)).astype(np.float32)
    x = network.maxpool(network.relu(network.bn1(network.conv1(mx.nd.array(image.transpose(0, 3, 1, 2))))))
    for number, stage in enumerate(encoder(image, training=False), 1):
        x = getattr(network, f"layer{number}")(x)
        np.testing.assert_allclose(np.asarray(stage), x.asnumpy().transpose(0, 2, 3, 1), atol=2e-4, rtol=1e-4)


def test_a_training_starts_from_the_file_and_leaves_out_what_is_wider(gluon):
    network, file = gluon
    config = TrainConfig(architecture="fast_pspnet", backbone="resnet18", height=192, width=192,
                         encoder_weights=str(file))
    encoder = build_networks(config).training.get_layer("encoder")
    kernel = network.conv1.weight.data().asnumpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(encoder.get_layer("stem_conv").get_weights()[0], kernel)
    assert encoder.get_layer("stage4_block1_1_conv").get_weights()[0].shape[-1] == 256


def test_other_files_are_refused(tmp_path):
    nothing = tmp_path / "nothing.params"
    mx.nd.save(str(nothing), {"conv.weight": mx.nd.zeros((1, 1))})
    text = tmp_path / "text.params"
    text.write_text("no parameters at all, but long enough to have a header")
    encoder = build_resnet18(64, 64, (8, 8, 8, 8))
    with pytest.raises(ConfigError, match="none of its layers fits.*resnet18_v1b"):
        load_gluon_weights(encoder, nothing)
    with pytest.raises(ConfigError, match="no file of named MXNet parameters"):
        load_gluon_weights(encoder, text)
