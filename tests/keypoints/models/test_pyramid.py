from dataclasses import replace

import numpy as np
import pytest

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints.config import TrainConfig  # noqa: E402
from keypoints.models import registry  # noqa: E402
from keypoints.models.pyramid import LEVELS, NEW, STEM  # noqa: E402
from keypoints.models.registry import WeightsError, build, initialise, training_outputs  # noqa: E402

PYRAMID = TrainConfig(model="pyramid_resnet18_v1b", maps="sheet", height=64, width=64)


def made(config):
    net = build(config)
    assert initialise(net, config) == []
    return net


@pytest.fixture(scope="module")
def pyramid():
    """One that nobody changes."""
    return made(PYRAMID)


def noise(config, count=2):
    return mx.nd.array(np.random.default_rng(0).normal(size=(count, config.channels, config.height, config.width)))


def values(net):
    return {name: parameter.data().asnumpy() for name, parameter in net._collect_params_with_prefix().items()}


def features(net, images):
    """What the ResNet in a network makes of images, at the four levels."""
    found = images
    for name in STEM:
        found = getattr(net, name)(found)
    levels = []
    for name in LEVELS:
        found = getattr(net, name)(found)
        levels.append(found.asnumpy())
    return levels


@pytest.mark.parametrize("changed, shape", [
    ({}, (2, 4, 16, 16)),
    ({"height": 96, "width": 160}, (2, 4, 24, 40)),
    ({"maps": "shared", "input": "mask"}, (2, 3, 16, 16)),
    ({"maps": "each", "joints": 17}, (2, 17, 16, 16)),
])
def test_maps_are_a_quarter_of_the_input_and_begin_nearly_empty(changed, shape):
    config = replace(PYRAMID, **changed)
    net, images = made(config), noise(config)
    drawn = net(images)
    assert drawn.shape == shape and drawn.dtype == np.float32
    assert 0 < np.abs(drawn.asnumpy()).max() < 0.2
    output, = training_outputs(net, images)
    np.testing.assert_array_equal(output.asnumpy(), drawn.asnumpy())
    assert [level.shape for level in features(net, images)] == [
        (2, channels, config.height // stride, config.width // stride)
        for channels, stride in ((64, 4), (128, 8), (256, 16), (512, 32))
    ]


def test_every_level_has_a_part_in_the_maps(pyramid):
    with mx.autograd.record(train_mode=False):
        drawn = pyramid(noise(PYRAMID)).square().sum()
    drawn.backward()
    for name, parameter in pyramid._collect_params_with_prefix().items():
        if parameter.grad_req != "null":
            assert float(parameter.grad().abs().sum().asscalar()) > 0, name


def test_what_is_fine_is_from_the_fine_level_and_the_deep_ones_see_far(pyramid):
    """One bright pixel more changes maps on the other side of the input, and next to it the most."""
    images = noise(replace(PYRAMID, width=128), 1)
    before = pyramid(images).asnumpy()
    images[0, :, 30, 34] += 20
    change = np.abs(pyramid(images).asnumpy() - before).max(axis=(0, 1, 2))
    assert abs(int(change.argmax()) - 34 // 4) <= 2
    assert change.argmax() < 12 and change[28:].max() > 1e-3 * change.max()


def test_weights_fit_any_input_size(tmp_path, pyramid):
    file = str(tmp_path / "a.params")
    pyramid.save_parameters(file)
    larger = replace(PYRAMID, height=96, width=128, seed=5)
    grown = build(larger)
    assert initialise(grown, replace(larger, weights=file)) == []
    theirs = values(grown)
    for name, value in values(pyramid).items():
        np.testing.assert_array_equal(theirs[name], value)
    images = noise(larger)
    np.testing.assert_array_equal(grown(images).asnumpy(), pyramid(images).asnumpy())
    assert grown(images).shape == (2, 4, 24, 32)


def test_weights_for_other_maps_keep_all_but_the_last_layer(tmp_path, pyramid):
    file = str(tmp_path / "a.params")
    pyramid.save_parameters(file)
    config = replace(PYRAMID, maps="shared", seed=5, weights=file)
    other = build(config)
    left = initialise(other, config)
    assert left == ["final_layer.weight", "final_layer.bias"]
    theirs = values(other)
    for name, value in values(pyramid).items():
        if name not in left:
            np.testing.assert_array_equal(theirs[name], value)


def test_weights_of_another_model_are_refused(tmp_path):
    config = TrainConfig(model="hourglass", height=64, width=64, stacks=1, filters=8)
    made(config).save_parameters(str(tmp_path / "a.params"))
    with pytest.raises(WeightsError, match="no value for .*--model and --input"):
        initialise(build(PYRAMID), replace(PYRAMID, weights=str(tmp_path / "a.params")))


def test_pretrained_takes_the_resnet_that_gluoncv_has(tmp_path, monkeypatch):
    from gluoncv.model_zoo import get_model

    theirs = get_model("resnet18_v1b", pretrained=False)
    theirs.initialize(mx.init.Xavier())
    theirs(mx.nd.zeros((1, 3, 64, 64)))
    theirs.save_parameters(str(tmp_path / "their.params"))
    asked = []
    monkeypatch.setattr(registry, "get_model_file", lambda name, tag: asked.append(name) or tmp_path / "their.params")
    net = build(PYRAMID)
    left = initialise(net, replace(PYRAMID, pretrained=True))
    assert asked == ["resnet18_v1b"]
    assert {name.split(".")[0] for name in left} == set(NEW)
    ours, expected = values(net), values(theirs)
    assert set(ours) - set(left) == set(expected) - {"fc.weight", "fc.bias"}
    for name in set(ours) - set(left):
        np.testing.assert_array_equal(ours[name], expected[name], err_msg=name)
    # Not only the same values: they do the same in it.
    for own, their in zip(features(net, noise(PYRAMID)), features(theirs, noise(PYRAMID)), strict=True):
        np.testing.assert_array_equal(own, their)
