import json

import pytest

from segmentation.config import ConfigError, TrainConfig, check_size, feature_side


def test_json_round_trip():
    config = TrainConfig(height=96, width=128, pools=(1, 2, 4), loss="weighted+dice", init_weights="run")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_cut_that_is_the_first_is_the_default():
    assert TrainConfig(cut="block6a_expand_activation") == TrainConfig()
    assert TrainConfig(cut="block5c_add").cut == "block5c_add"


def test_configurations_of_earlier_versions_load():
    """They named the cut, whatever the encoder, and knew neither schedules nor frozen blocks."""
    document = {"architecture": "fast_pspnet", "backbone": "resnet18", "cut": "block6a_expand_activation",
                "height": 192, "width": 192}
    assert TrainConfig.from_json(document) == TrainConfig(architecture="fast_pspnet", backbone="resnet18", height=192,
                                                          width=192)
    assert TrainConfig.from_json({"cut": "block6a_expand_activation"}) == TrainConfig()


def test_unknown_field_is_refused():
    with pytest.raises(ConfigError, match="colour"):
        TrainConfig.from_json({"colour": "red"})


@pytest.mark.parametrize(("side", "features"), [(473, 30), (240, 15), (241, 16), (64, 4)])
def test_feature_side(side, features):
    assert feature_side(side) == features


def test_size_error_names_sizes_that_fit():
    with pytest.raises(ConfigError, match=r"width 64: gives 4 features.*81 and more fit \(best: 96, 112, 128, 144"):
        TrainConfig(height=240, width=64)
    check_size(81, 96, (1, 2, 3, 6))
    with pytest.raises(ConfigError, match="height 80"):
        check_size(80, 96, (1, 2, 3, 6))


@pytest.mark.parametrize(("architecture", "backbone", "height", "told"), [
    ("pspnet", "resnet101", 40, r"gives 5 features at 1/8.*41 and more fit \(best: 48, 56, 64, 72"),
    ("fcn8", "resnet18", 20, r"height 20: no encoder takes less than 32; 32 and more fit \(best: 32, 64, 96, 128"),
    ("unet", "resnet50", 31, r"32 and more fit \(best: 32, 48, 64, 80"),
])
def test_sizes_go_by_architecture_and_backbone(architecture, backbone, height, told):
    with pytest.raises(ConfigError, match=told):
        TrainConfig(architecture=architecture, backbone=backbone, height=height)
    TrainConfig(architecture=architecture, backbone=backbone, height=473, width=473)


@pytest.mark.parametrize("pools", [(1, 2, 3, 6), (1, 2, 3, 8), (1, 3, 5, 6)])
@pytest.mark.parametrize("side", [473, 240])
def test_the_pools_of_the_thesis_fit_its_size_and_ours(pools, side):
    TrainConfig(pools=pools, height=side, width=side)


def test_input_spec_carries_the_normalisation():
    spec = TrainConfig(height=96, width=128, fit="turn").input_spec
    assert (spec.height, spec.width, spec.fit) == (96, 128, "turn")
    assert spec.mean == (123.675, 116.28, 103.53) and spec.std == (58.395, 57.12, 57.375)


@pytest.mark.parametrize("wrong", [
    {"optimizer": "lion"}, {"skip": 2}, {"batch": 0}, {"learning_rate": 0.0}, {"augmentation": "wild"},
    {"init_weights": "a", "encoder_weights": "b"}, {"backbone": "vgg16"}, {"cut": "block7a_add"}, {"frozen_blocks": 8},
    {"frozen_blocks": -1}, {"patience": -1}, {"schedule": "cosine"}, {"architecture": "unet", "pools": (1, 2)},
    {"architecture": "fcn8", "cut": "block5c_add"},
])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ConfigError):
        TrainConfig(**wrong)
