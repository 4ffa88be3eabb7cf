"""Parameters and photos a second of the thesis's models."""

import json
import os

import pytest

from experiments.thesis import models
from experiments.thesis.models import COUNTED, HEADINGS, SCALES, TIMED, cells, config_of, count_all, figure, markdown
from segmentation.config import THESIS_FORM

# keras.applications.EfficientNetB0 up to block6a_expand_activation, without its layer that normalises.
ENCODER = 945_920
DOCUMENT = {
    "scale": "paper", "date": "2026-01-05", "missing": [], "experiment": models.NAME,
    "configuration": {"side": 473, "threads": 2, "rounds": 3},
    "parameters": {"pspnet-resnet101": 66_000_000, "pspnet-efficientnetb0": 15_000_000,
                   "pspnet-efficientnetb4": 22_123_456},
    "rates": {"base": {"images_per_second": [1.0, 1.25, 1.1], "ratio": [1.0] * 3},
              "final": {"images_per_second": [3.0, 2.5, 3.3], "ratio": [3.0, 2.0, 3.0]}},
}  # fmt: skip


def test_every_scale_has_configurations_of_all_models():
    for scale in SCALES.values():
        for model in {*COUNTED, *TIMED.values()}:
            config = config_of(scale, model)
            assert (config.height, config.width) == (scale.side,) * 2
            assert {name: getattr(config, name) for name in scale.form} == scale.form
    assert SCALES["paper"].form == THESIS_FORM and SCALES["paper"].side == 473
    assert set(TIMED) == {"base", "final"} and set(TIMED.values()) <= set(COUNTED)


def test_lines_tell_parameters_of_all_and_rates_of_two():
    base, counted, final = cells(DOCUMENT)
    assert all(len(line) == len(HEADINGS) for line in (base, counted, final))
    assert base[:3] == ["base", "pspnet-resnet101", "66,000,000"] and final[:3] == [
        "final", "pspnet-efficientnetb4", "22,123,456"]
    assert base[3:5] == ["1.1", "1.0 to 1.2"] and final[3:] == ["3.0", "2.5 to 3.3", "3.00", "2.00 to 3.00"]
    assert counted == ["", "pspnet-efficientnetb0", "15,000,000", "-", "-", "-", "-"]


def test_the_page_has_the_table_and_what_the_thesis_has():
    text = markdown(DOCUMENT)
    assert "| final | pspnet-efficientnetb4 | 22,123,456 | 3.0 | 2.5 to 3.3 | 3.00 | 2.00 to 3.00 |" in text
    assert "473 x 473" in text and "2 threads" in text and "12 photos a second" in text and "33" in text


def test_a_bar_a_model_and_a_point_a_round():
    (panel,) = figure(DOCUMENT).axes
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        "final: pspnet-efficientnetb4", "base: pspnet-resnet101"]
    assert [bar.get_width() for container in panel.containers for bar in container] == [3.0, 1.1]
    assert [list(line.get_xdata()) for line in panel.lines] == [[3.0, 2.5, 3.3], [1.0, 1.25, 1.1]]


def test_a_count_is_that_of_the_layers(tmp_path, monkeypatch):
    """Of EfficientNetB0 in the small form, from the shapes of its weights."""
    pytest.importorskip("keras")
    monkeypatch.setattr(models, "COUNTED", ("pspnet-efficientnetb0",))
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "tensorflow"))
    count_all(SCALES["quick"], tmp_path / "parameters.json")
    (name, count), = json.loads((tmp_path / "parameters.json").read_text()).items()
    levels, channels, classes = 4, 8, 4
    wide, deep = 672, 80  # channels where the pyramid and the auxiliary branch stand
    pyramid = levels * (wide * channels + 4 * channels)  # a 1 x 1 convolution and BatchNorm each
    head = 9 * (wide + levels * channels) * channels + 4 * channels + channels * classes + classes
    auxiliary = 9 * deep * channels + 4 * channels + channels * classes + classes
    assert (name, count) == ("pspnet-efficientnetb0", ENCODER + pyramid + head + auxiliary)
