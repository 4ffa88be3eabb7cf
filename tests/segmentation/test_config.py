import json

import pytest

from segmentation.config import ConfigError, TrainConfig, check_size, feature_side


def test_json_round_trip():
    config = TrainConfig(height=96, width=128, pools=(1, 2, 4), loss="weighted+dice", init_weights="run")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


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


def test_input_spec_carries_the_normalisation():
    spec = TrainConfig(height=96, width=128, fit="turn").input_spec
    assert (spec.height, spec.width, spec.fit) == (96, 128, "turn")
    assert spec.mean == (123.675, 116.28, 103.53) and spec.std == (58.395, 57.12, 57.375)


@pytest.mark.parametrize("wrong", [
    {"optimizer": "lion"}, {"skip": 2}, {"batch": 0}, {"learning_rate": 0.0}, {"augmentation": "wild"},
    {"init_weights": "a", "encoder_weights": "b"},
])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ConfigError):
        TrainConfig(**wrong)
