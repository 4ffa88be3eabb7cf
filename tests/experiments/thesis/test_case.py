"""What came out of a training, as a file: whether it is of the same settings, and that a real one has all that is
told of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deploy.processes import Task, run_tasks
from experiments.thesis import drawings
from experiments.thesis.case import (
    PICTURES,
    Job,
    from_png_text,
    is_done,
    made_of,
    png_text,
    read_case,
    run_job,
    shortened,
)
from keypoints.config import TrainConfig as CornerConfig
from scenes.dataset import read_dataset, write_annotations
from segmentation.config import TrainConfig as PixelConfig

CONFIGS = {
    "pixels": PixelConfig(backbone="resnet18", height=64, width=64, pools=(1,), pool_channels=8, head_channels=8,
                          auxiliary_channels=8, batch=2, epochs=1, augmentation="none", fit="stretch"),
    "corners": CornerConfig(model="hourglass", stacks=1, filters=8, height=64, width=64, input="mask", batch=2,
                            epochs=1, fit="stretch"),
}


@pytest.fixture
def make_job(tmp_path, make_sheets):
    """A function kind -> Job on two scenes to train on and two to judge by, with a network as small as there is."""
    def make(kind):
        data = make_sheets("data", 4)
        splits = ("train", "train", "validation", "validation")
        write_annotations(data, [replace(sample, attributes={"split": split})
                                 for sample, split in zip(read_dataset(data), splits, strict=True)])
        return Job("base" if kind == "pixels" else "hourglass", kind, 3, "quick", CONFIGS[kind], data, "hash of scenes",
                   tmp_path / "runs" / "one-s3", tmp_path / "cases" / "one-s3.json")

    return make


@pytest.fixture
def done_job(make_job):
    """A Job of pixels with its file."""
    job = make_job("pixels")
    job.file.parent.mkdir()
    job.file.write_text(json.dumps({**made_of(job), "validation": {}}))
    return job


def test_a_job_is_done_that_has_its_file(make_job, done_job):
    assert is_done(done_job)
    assert not is_done(replace(done_job, file=done_job.file.with_name("other-s3.json")))
    assert is_done(replace(done_job, threads=2, run=done_job.run / "elsewhere"))  # what decides nothing


@pytest.mark.parametrize(("changes", "told"), [
    ({"seed": 4}, "seed"), ({"data_sha256": "of others", "scale": "paper"}, "data_sha256 and scale"),
    ({"config": replace(CONFIGS["pixels"], learning_rate=0.5)}, "configuration"),
    ({"config": replace(CONFIGS["pixels"], pools=(1, 2))}, "configuration"),
])  # fmt: skip
def test_a_file_of_other_settings_is_refused(changes, told, done_job):
    with pytest.raises(ValueError, match=f"was made with another {told}; remove it, or name another folder"):
        is_done(replace(done_job, **changes))


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "null", '{"training": "base", "validation": {}}'])
def test_a_file_that_is_no_result_is_refused(content, done_job):
    done_job.file.write_text(content)
    with pytest.raises(ValueError, match=r"one-s3\.json is no result of a training: .* remove it"):
        read_case(done_job.file)
    with pytest.raises(ValueError, match="no result of a training"):
        is_done(done_job)


@pytest.mark.parametrize("kind", CONFIGS)
def test_what_a_job_is_made_of_survives_json(kind, make_job):
    told = made_of(make_job(kind))
    assert json.loads(json.dumps(told)) == told and told["kind"] == kind
    assert type(CONFIGS[kind]).from_json(told["configuration"]) == CONFIGS[kind]


def test_pictures_survive_as_text():
    array = np.random.default_rng(0).integers(0, 256, (7, 5), np.uint8)
    text = png_text(array)
    assert text.isascii() and json.loads(json.dumps(text)) == text
    np.testing.assert_array_equal(from_png_text(text), array)


def test_numbers_are_shortened_and_nan_is_nothing():
    assert shortened([[1.23456, np.nan], [2, -np.inf]]) == [[1.2346, None], [2.0, None]]
    assert json.dumps(shortened(np.array([0.1, 1 / 3]))) == "[0.1, 0.3333]"


def shape_of(value):
    """Keys of nested dicts, and what kind their values are; of lists the first."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return "number" if isinstance(value, int | float) or value is None else type(value).__name__


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_real_training_has_all_that_is_told_of_it(kind, make_job, make_case, tmp_path):
    pytest.importorskip("tensorflow" if kind == "pixels" else "gluoncv")
    job = make_job(kind)
    # In a process of its own, as it is meant: TensorFlow's threads and generators are a process's.
    assert run_tasks([Task("one", run_job, (job,))], 1, tmp_path / "logs") == {}
    assert is_done(job) and {file.name for file in job.file.parent.iterdir()} == {"one-s3.json"}
    document = json.loads(job.file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    check_case(job, document)
    check_shape(document, make_case(job.training, 3))
    check_drawings(kind, {"a": [document], "b": [document, document]})
    assert not any(file.name in ("state.npz", "resume.npz") for file in job.run.iterdir())  # two thirds of the folder
    assert str(job.run.parents[1]) not in job.file.read_text()


def check_case(job, document):
    assert {name: document[name] for name in made_of(job)} == made_of(job)
    assert document["scenes"] == {"train": 2, "validation": 2} and [
        line["epoch"] for line in document["history"]] == [1]
    assert document["parameters"] > 1000 and document["seconds"] >= 0
    assert document["train"]["samples"] == document["validation"]["samples"] == 2
    assert {len(values) for values in document["each"].values()} == {2}
    assert set(document["pictures"]) == {sample.name for sample in read_dataset(PICTURES)}
    if job.kind == "pixels":
        told = document["validation"]
        assert np.sum(told["confusion_matrix"]) == 2 * 120 * 160
        assert np.mean(document["each"]["pixel_accuracy"]) == pytest.approx(told["pixel_accuracy"], abs=1e-5)
        assert {from_png_text(text).shape for text in document["pictures"].values()} == {(64, 64)}
        return
    assert document["each"]["visibility"] == [[2, 2, 1, 2]] * 2
    errors = np.array(document["each"]["percent"])
    told = document["validation"]["percent"]
    assert np.median(errors[:, [0, 1, 3]]) == pytest.approx(told["visible"]["median"], abs=1e-3)
    assert errors[:, 2].mean() == pytest.approx(told["covered"]["mean"], abs=1e-3)
    picture = document["pictures"]["000018"]
    assert np.shape(picture["corners"]) == (4, 2) and from_png_text(picture["heatmap"]).shape == (16, 16)


def check_shape(real, made_up):
    """What the other tests are done with has all that a real one has, and nothing more."""
    told = []
    for document in (real, made_up):
        shown = {name: value for name, value in document.items() if name not in ("configuration", "machine")}
        told.append(shape_of(shown | {"pictures": next(iter(document["pictures"].values()))}))
    assert told[0] == told[1]


def check_drawings(kind, cases):
    if kind == "pixels":
        drawn = [drawings.learning_curves(cases, "pixel_accuracy", "pixel accuracy"), drawings.confusion(cases),
                 drawings.masks(cases, limit=2), drawings.error_maps(cases, limit=2)]
    else:
        drawn = [drawings.losses(cases), drawings.corners(cases, limit=2)]
    assert all(len(figure.axes) >= 2 or figure.axes[0].lines for figure in drawn)
