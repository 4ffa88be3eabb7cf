import json
from dataclasses import fields

import pytest

from keypoints.commands import train as train_command
from keypoints.config import BELONGS_TO, CHOICES, TrainConfig


def test_json_gives_the_configuration_back():
    config = TrainConfig(model="hourglass", joints=68, input="mask", stacks=3, filters=32, height=240, width=240,
                         loss="ohkm", ohkm_hardest=8, optimizer="sgd", fit="turn", weights="a.params", seed=3)
    assert TrainConfig.from_json(json.loads(config.dumps())) == config


def test_a_run_of_before_the_choices_means_what_it_meant():
    before = {"model": "simple_pose_resnet18_v1b", "height": 128, "width": 96, "fit": "turn", "sigma_px": 2.0,
              "peak_weight": 2.0, "optimizer": "adam", "learning_rate": 0.001, "warmup": 0.03, "schedule": "cosine",
              "average_decay": 0.999, "batch": 16, "epochs": 20, "augment": True, "seed": 0, "weights": None,
              "pretrained": False}
    config = TrainConfig.from_json(before)
    assert (config.joints, config.maps, config.input, config.loss) == (4, "each", "rgb", "l2")
    assert config.interior_weight == 1
    assert (config.weight_decay, config.clip_norm, config.early_stopping) == (0, 0, 0)
    assert {name: value for name, value in config.to_json().items() if name in before} == before


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="colour"):
        TrainConfig.from_json({"colour": 1})


@pytest.mark.parametrize("setting", [
    {"height": 100}, {"width": 0}, {"model": "vgg"}, {"fit": "crop"}, {"schedule": "flat"}, {"batch": 0},
    {"epochs": -1}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"warmup": 1.0}, {"peak_weight": -1.0},
    {"joints": 0}, {"maps": "both"}, {"input": "grey"}, {"loss": "l1"}, {"optimizer": "lamb"}, {"clip_norm": -1.0},
    {"weight_decay": float("nan")}, {"early_stopping": -1}, {"plateau_factor": 1.0, "schedule": "plateau"},
    {"plateau_factor": 0.0, "schedule": "plateau"}, {"filters": 33, "model": "hourglass"},
    {"stacks": 0, "model": "hourglass"}, {"weights": "a.params", "pretrained": True},
    {"interior_weight": -1.0, "maps": "sheet"}, {"interior_weight": float("nan"), "maps": "sheet"}])
def test_values_out_of_range_are_named(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        TrainConfig(**setting)


@pytest.mark.parametrize("settings, words", [
    ({"maps": "shared", "joints": 68}, "maps is 'shared'"),
    ({"maps": "shared", "model": "regression_resnet18_v1b"}, "choose maps 'each'"),
    ({"maps": "sheet", "joints": 68}, "maps is 'sheet' with .* joints 68; .*choose maps 'each'"),
    ({"maps": "sheet", "model": "regression_resnet18_v1b"}, "maps is 'sheet' with model regression_resnet18_v1b"),
    ({"pretrained": True, "model": "hourglass"}, "which GluonCV has no weights for; choose one of simple_pose"),
    ({"pretrained": True, "input": "mask"}, "GluonCV's weights are for photos"),
    ({"loss": "slope", "maps": "shared"}, "choose maps 'each'"),
    ({"loss": "slope", "maps": "sheet"}, "loss is 'slope' with maps 'sheet'.*choose maps 'each'"),
    ({"loss": "ohkm", "maps": "sheet"}, "loss is 'ohkm' with maps 'sheet'.*choose maps 'each'"),
    ({"loss": "ohkm", "ohkm_hardest": 5}, "choose 1 to 4"),
    ({"loss": "focal", "model": "regression_resnet18_v1b"}, "loss 'l2' alone"),
    ({"sigma_px": 3.0, "model": "regression_resnet18_v1b"}, "draws no peaks"),
    ({"height": 240, "width": 240}, "must be a multiple of 32: choose 224 or 256"),
    ({"model": "pyramid_resnet18_v1b", "height": 80, "width": 64}, "must be a multiple of 32: choose 64 or 96"),
    ({"model": "hourglass", "height": 250, "width": 240}, "must be a multiple of 16: choose 240 or 256"),
])
def test_settings_that_do_not_go_together_say_the_way_out(settings, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**settings)


@pytest.mark.parametrize("name", BELONGS_TO)
def test_a_setting_that_would_do_nothing_is_refused(name):
    other, value = BELONGS_TO[name]
    changed = {name: getattr(TrainConfig(), name) / 2 if name == "plateau_factor" else 2 * getattr(TrainConfig(), name)}
    if name == "ohkm_hardest":
        changed = {name: 2}
    TrainConfig(**{other: value}, **changed)
    with pytest.raises(ValueError, match=f"goes with {other} '{value}' alone"):
        TrainConfig(**changed)


def test_heatmaps_are_a_quarter_of_the_input():
    assert TrainConfig(height=256, width=192).heatmap_size == (64, 48)
    assert TrainConfig(height=128, width=96).input_spec.height == 128
    assert TrainConfig(model="hourglass", height=240, width=240).heatmap_size == (60, 60)


def test_channels_that_go_in_and_come_out():
    assert (TrainConfig().channels, TrainConfig().outputs) == (3, 4)
    masks = TrainConfig(input="mask", maps="shared")
    assert (masks.channels, masks.outputs) == (4, 3)
    assert masks.input_spec.mean == (0, 0, 0) and masks.input_spec.std == (1, 1, 1)
    assert TrainConfig(model="regression_resnet18_v1b", joints=68).outputs == 136
    assert TrainConfig(maps="sheet").outputs == 4


def test_how_many_of_the_maps_have_peaks():
    assert TrainConfig(maps="sheet").peaks == TrainConfig(maps="shared").peaks == 3
    assert TrainConfig().peaks == 4 and TrainConfig(joints=68).peaks == 68


def test_every_setting_is_an_option_with_the_same_default_and_choices():
    options = {option.name: option for option in train_command.params}
    given = train_command.make_context("train", [".", "--out", "run"]).params
    config = TrainConfig()
    for field in fields(TrainConfig):
        if field.name in ("height", "width"):
            assert given["size"] == (config.height, config.width)
            continue
        assert given[field.name] == field.default, field.name
        if field.name in CHOICES:
            assert tuple(options[field.name].type.choices) == CHOICES[field.name]
