from dataclasses import replace

import numpy as np
import pytest

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints.config import TrainConfig  # noqa: E402
from keypoints.models import registry  # noqa: E402
from keypoints.models.registry import WeightsError, build, initialise, load_weights, training_outputs  # noqa: E402

HOURGLASS = TrainConfig(model="hourglass", height=48, width=32, stacks=2, filters=8)
REGRESSION = TrainConfig(model="regression_resnet18_v1b", height=64, width=64, joints=68)


def made(config):
    net = build(config)
    assert initialise(net, config) == []
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def noise(config, count=2):
    return mx.nd.array(np.random.default_rng(0).normal(size=(count, config.channels, config.height, config.width)))


@pytest.mark.parametrize("config, shape", [
    (HOURGLASS, (2, 4, 12, 8)),
    (replace(HOURGLASS, input="mask", maps="shared", stacks=3), (2, 3, 12, 8)),
    (replace(HOURGLASS, joints=68, stacks=1), (2, 68, 12, 8)),
    (REGRESSION, (2, 136)),
    (replace(REGRESSION, joints=4, input="mask"), (2, 8)),
    (TrainConfig(height=64, width=32, input="mask", maps="shared"), (2, 3, 16, 8)),
])
def test_one_output_of_the_right_shape(config, shape):
    net, images = made(config), noise(config)
    outputs = training_outputs(net, images)
    assert net(images).shape == shape
    assert len(outputs) == (config.stacks if config.model == "hourglass" else 1)
    # What is used is the last stack's, which is not the one before.
    np.testing.assert_array_equal(net(images).asnumpy(), outputs[-1].asnumpy())
    if len(outputs) > 1:
        assert not np.array_equal(outputs[0].asnumpy(), outputs[-1].asnumpy())


def test_the_lowest_level_of_the_hourglass_is_15_x_15_for_240_x_240():
    config = replace(HOURGLASS, height=240, width=240, stacks=1)
    net, seen = made(config), []
    net.hybridize(active=False)
    lowest = net.stages.bodies[0][0].below[2].below[2]
    lowest.register_forward_hook(lambda block, inputs, output: seen.append(output.shape))
    assert net(noise(config, 1)).shape == (1, 4, 60, 60)
    assert seen == [(1, 8, 15, 15)]


def test_the_first_stack_is_supervised_through_its_own_maps_alone():
    net, images = made(HOURGLASS), noise(HOURGLASS)
    with mx.autograd.record():
        first = training_outputs(net, images)[0].square().sum()
    first.backward()
    gradients = {name: float(parameter.grad().abs().sum().asscalar())
                 for name, parameter in net._collect_params_with_prefix().items() if parameter.grad_req != "null"}
    assert gradients["stages.final_layers.0.weight"] > 0 and gradients["stages.stem.0.weight"] > 0
    assert gradients["stages.final_layers.1.weight"] == 0


def test_a_regression_begins_in_the_middle_and_is_of_coordinates():
    net = made(REGRESSION)
    assert np.abs(net(noise(REGRESSION)).asnumpy() - 0.5).max() < 0.3
    shapes = {name: parameter.shape for name, parameter in net._collect_params_with_prefix().items()}
    assert shapes["hidden.2.weight"] == (4096, 512) and shapes["hidden.4.weight"] == (1024, 4096)
    assert shapes["final_layer.weight"] == (136, 1024)
    dropouts = [layer._rate for layer in net.hidden if isinstance(layer, mx.gluon.nn.Dropout)]
    assert dropouts == [0.4, 0.4]


@pytest.mark.parametrize("config, changed, left", [
    (HOURGLASS, {"maps": "shared"}, ["stages.final_layers.0.weight", "stages.final_layers.0.bias",
                                     "stages.final_layers.1.weight", "stages.final_layers.1.bias",
                                     "stages.final_layers_back.0.weight"]),
    (REGRESSION, {"joints": 4}, ["final_layer.weight", "final_layer.bias"]),
    (TrainConfig(height=64, width=64), {"joints": 17}, ["final_layer.weight", "final_layer.bias"]),
])
def test_weights_for_other_keypoints_keep_the_body(tmp_path, config, changed, left):
    file = str(tmp_path / "a.params")
    net = made(config)
    net.save_parameters(file)
    other = build(replace(config, **changed, seed=5))
    assert initialise(other, replace(config, **changed, seed=5, weights=file)) == left
    theirs = other._collect_params_with_prefix()
    for name, parameter in net._collect_params_with_prefix().items():
        if name not in left:
            np.testing.assert_array_equal(parameter.data().asnumpy(), theirs[name].data().asnumpy())
    # All of them fit their own network, at another size too.
    wider = replace(config, width=config.width * 2)
    again = build(wider)
    assert initialise(again, replace(wider, weights=file)) == []


def test_weights_of_another_network_are_refused_with_the_options(tmp_path):
    file = str(tmp_path / "a.params")
    made(HOURGLASS).save_parameters(file)
    for changed, parameter in (({"filters": 16}, "stages.stem.0.weight"), ({"input": "mask"}, "stages.stem.0.weight"),
                               ({"stacks": 3}, "bodies.2")):
        config = replace(HOURGLASS, **changed, weights=file)
        with pytest.raises(WeightsError, match=f"{parameter}.*--model and --input"):
            initialise(build(config), config)


@pytest.mark.parametrize("config, name", [(REGRESSION, "resnet18_v1b"),
                                          (TrainConfig(height=64, width=64), "simple_pose_resnet18_v1b")])
def test_pretrained_takes_what_gluoncv_has(tmp_path, monkeypatch, config, name):
    from gluoncv.model_zoo import get_model

    theirs = get_model(name, pretrained=False)
    theirs.initialize(mx.init.Xavier())
    theirs(mx.nd.zeros((1, 3, 64, 64)))
    theirs.save_parameters(str(tmp_path / "their.params"))
    asked = []
    monkeypatch.setattr(registry, "get_model_file", lambda name, tag: asked.append(name) or tmp_path / "their.params")
    net = build(config)
    left = initialise(net, replace(config, pretrained=True))
    assert asked == [name]
    assert {part.split(".")[0] for part in left} == ({"hidden", "final_layer"} if config.joints == 68 else set()) or (
        left == ["final_layer.weight", "final_layer.bias"])
    first = "conv1.weight" if config.joints == 68 else "resnet.0.weight"
    np.testing.assert_array_equal(net._collect_params_with_prefix()[first].data().asnumpy(),
                                  theirs._collect_params_with_prefix()[first].data().asnumpy())


def test_a_download_that_fails_says_the_way_out(monkeypatch):
    def fail(name, tag):
        raise OSError("no route")

    monkeypatch.setattr(registry, "get_model_file", fail)
    config = replace(REGRESSION, pretrained=True)
    with pytest.raises(WeightsError, match="resnet18_v1b cannot be had .no route.*--weights FILE"):
        initialise(build(config), config)


def test_a_file_that_is_none_is_told(tmp_path):
    (tmp_path / "bad.params").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be read as MXNet parameters"):
        load_weights(made(HOURGLASS), tmp_path / "bad.params")
