"""Every training is a configuration that can be built from, with the thesis's sizes, and what is published has its
name."""

import pytest

from experiments.thesis import published
from experiments.thesis.items import ITEMS
from experiments.thesis.trainings import SCALES, TRAININGS
from keypoints.config import TrainConfig as CornerConfig
from segmentation.config import IMAGENET_MEAN, READ_BY, THESIS_FORM
from segmentation.config import TrainConfig as PixelConfig
from segmentation.losses import loss_named

EVERY = [(scale, name) for scale in SCALES for name in TRAININGS]


def config_of(name, scale="paper", seed=0):
    return SCALES[scale].config(TRAININGS[name], seed)


@pytest.mark.parametrize(("scale", "name"), EVERY)
def test_every_training_is_a_configuration_of_its_kind(scale, name):
    training, config = TRAININGS[name], config_of(name, scale, 7)
    assert isinstance(config, {"pixels": PixelConfig, "corners": CornerConfig}[training.kind])
    assert config.seed == 7 and training.name == name
    assert config == type(config).from_json(config.to_json())
    assert (config.average_decay, config.batch, config.fit) == (0.0, 8, "stretch")
    if training.kind == "pixels":
        assert loss_named(config.loss)


def test_labels_and_names_are_told_apart():
    assert len({training.label for training in TRAININGS.values()}) == len(TRAININGS)
    # Files are NAME-sSEED.json.
    assert not any("-s0" in name or "/" in name for name in TRAININGS)


def test_paper_has_the_thesiss_sizes():
    for name, training in TRAININGS.items():
        config = config_of(name)
        if training.kind == "corners":
            assert (config.height, config.width, config.epochs, config.optimizer) == (256, 192, 50, "adam")
            assert (config.schedule, config.learning_rate, config.warmup) == ("plateau", 1e-3, 0)
            assert config.input == ("rgb" if name == "hourglass-rgb" else "mask") and not config.augment
            continue
        assert (config.height, config.width, config.epochs, config.schedule) == (473, 473, 10, "poly")
        assert config.warmup_share == 0 and config.encoder_weights == "imagenet"
        sgd = ("sgd", 1e-2) if name == "base" else ("rmsprop", 1e-3)
        assert (config.optimizer, config.learning_rate) == sgd
        form = {key: getattr(config, key) for key in THESIS_FORM}
        assert form == THESIS_FORM or config.architecture not in READ_BY["auxiliary_channels"]


def test_what_the_thesis_tries_is_what_differs():
    """Each of its trainings beside the one that it is compared with: settings that are not the same."""
    def changed(first, second):
        one, other = (config_of(name).to_json() for name in (first, second))
        return {name: other[name] for name in other if one[name] != other[name]}

    unit = {"mean": [0.0] * 3, "std": [255.0] * 3}
    assert config_of("base").mean == IMAGENET_MEAN and config_of("base").std == (1.0, 1.0, 1.0)
    assert changed("base", "resnet50-1236") == {"backbone": "resnet50", "optimizer": "rmsprop", "learning_rate": 1e-3}
    assert changed("resnet50-1236", "resnet50-1238") == {"pools": [1, 2, 3, 8]}
    assert changed("resnet50-1236", "resnet50-1356") == {"pools": [1, 3, 5, 6]}
    assert changed("resnet50-1356", "resnet50-frozen-1356") == {"frozen_blocks": 2, **unit}
    assert changed("resnet50-frozen-1356", "efficientnetb3") == {"backbone": "efficientnet_b3", "pools": [1, 2, 3, 6]}
    for number in (0, 4, 5):
        assert changed("efficientnetb3", f"efficientnetb{number}") == {"backbone": f"efficientnet_b{number}"}
    for number in (4, 5):
        assert changed(f"efficientnetb{number}", f"efficientnetb{number}-augmented") == {"augmentation": "thesis"}
    for loss in ("weighted", "focal"):
        assert changed("efficientnetb4-augmented", f"efficientnetb4-{loss}") == {"loss": loss}
    for loss, name in (("focal", "focal"), ("ohkm", "ohkm"), ("slope", "slope"), ("visibility_l2", "visibility")):
        assert changed("hourglass", f"hourglass-{name}") == {"loss": loss}
    assert changed("hourglass", "hourglass-rgb") == {"input": "rgb"}
    assert changed("simplepose-resnet18", "simplepose-resnet50") == {"model": "simple_pose_resnet50_v1b"}
    assert changed("simplepose-resnet18", "simplepose-small-gaussian") == {"sigma_px": 1.0}


@pytest.mark.parametrize("name", TRAININGS)
def test_quick_replaces_what_it_names_and_no_more(name):
    training, quick = TRAININGS[name], SCALES["quick"]
    small, large = (config_of(name, scale).to_json() for scale in ("quick", "paper"))
    changed = {key for key in small if small[key] != large[key]}
    of_all = {key for key, value in quick.common[training.kind].items()
              if value != SCALES["paper"].common[training.kind][key]}
    assert changed <= of_all | set(quick.instead)
    for key in quick.instead:
        if key in training.settings or key in THESIS_FORM and "pspnet-" in training.settings["model"]:
            assert small[key] == quick.instead[key]
        elif key in small:  # a training that does not set it keeps its default
            assert small[key] == large[key]
    assert {"height", "width"} <= changed


def test_seeds_differ_in_their_seed_alone():
    for name in TRAININGS:
        one, other = (config_of(name, "quick", seed).to_json() for seed in (0, 1))
        assert {key for key in one if one[key] != other[key]} == {"seed"}


def test_what_is_published_has_names_of_trainings():
    for values in (published.PIXELS, published.PARAMETERS, published.HEATMAP_ACCURACY, published.HEATMAP_MSE):
        assert set(values) <= set(TRAININGS)
    assert all(TRAININGS[name].kind == "pixels" for name in published.PIXELS)
    for values in published.PIXELS.values():
        assert {"validation"} <= set(values) <= {"train", "train_f1", "validation", "validation_f1"}
        assert all(0.5 < float(value) < 1 for value in values.values())
        assert ("train_f1" in values) <= ("validation_f1" in values)
    # Best and worst of the thesis, and the two that its conclusions rest on.
    levels = {name: float(values["validation"]) for name, values in published.PIXELS.items()}
    assert (min(levels, key=levels.get), max(levels, key=levels.get)) == ("base", "efficientnetb4-augmented")
    assert (levels["base"], levels["efficientnetb4-augmented"]) == (0.9576, 0.9920)
    assert published.RATES == {"base": 12, "final": 33}


def test_every_training_is_wanted_by_a_table_or_figure():
    assert {name for item in ITEMS.values() for name in item.trainings} == set(TRAININGS)
