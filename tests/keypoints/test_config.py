import json

import pytest

from keypoints.config import TrainConfig


def test_json_gives_the_configuration_back():
    config = TrainConfig(model="simple_pose_resnet50_v1b", height=128, width=96, fit="turn", weights="a.params", seed=3)
    assert TrainConfig.from_json(json.loads(config.dumps())) == config


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="colour"):
        TrainConfig.from_json({"colour": 1})


@pytest.mark.parametrize("setting", [
    {"height": 100}, {"width": 0}, {"model": "vgg"}, {"fit": "crop"}, {"schedule": "flat"}, {"batch": 0},
    {"epochs": -1}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"warmup": 1.0}, {"peak_weight": -1.0},
    {"weights": "a.params", "pretrained": True}])
def test_values_out_of_range_are_named(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        TrainConfig(**setting)


def test_heatmaps_are_a_quarter_of_the_input():
    assert TrainConfig(height=256, width=192).heatmap_size == (64, 48)
    assert TrainConfig(height=128, width=96).input_spec.height == 128
