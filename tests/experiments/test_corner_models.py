"""The whole experiment with training and prediction replaced by what takes no time."""

import json

import numpy as np
import pytest

pytest.importorskip("mxnet")

import keypoints.subject
import keypoints.train
from experiments import corner_models
from experiments import photos as photos_module
from experiments.catalogue import EXPERIMENTS, Request
from experiments.corner_models import SCALES
from experiments.model_judging import Judged, photo_pixels
from experiments.training import passes
from keypoints.predictions import Predictions
from keypoints.subject import Truth
from scenes.dataset import read_dataset
from scenes.images import InputSpec

# How far each network is off, pixels along x of photos with a diagonal of 200; a covered corner twice as far.
OFF_PX = {"SimplePose-R18": 2.0, "hourglass": 1.0, "pyramid": 0.5, "given": 8.0}


def moved(arm, corners, visibility):
    corners = np.array(corners, float)
    corners[..., 0] += OFF_PX[arm] * np.where(np.asarray(visibility) == 1, 2, 1)
    return corners


class Answers:
    def __init__(self, arm, samples):
        self.truth, self.arm, self.names = Truth.of_samples(samples), arm, [sample.name for sample in samples]

    def predictions(self):
        points = moved(self.arm, self.truth.corners, self.truth.visibility)
        return Predictions(self.names, {"dark": points}, {"dark": np.zeros(points.shape[:2])}, {"dark": None},
                           {"mse": np.full(len(points), 2e-5), "mae": np.zeros(len(points)),
                            "near": np.ones(points.shape[:2]), "published_near": np.ones(points.shape[:2])})


@pytest.fixture
def trained(monkeypatch):
    """What was trained, in order: (arm, TrainConfig)."""
    done = []

    def train(data, out, config, validation, resume):
        done.append((out.parents[1].name, config))
        out.mkdir(parents=True)
        (out / "config.json").write_text(json.dumps({"schema": 1, "config": config.to_json(), "data": {}}))
        (out / "history.jsonl").write_text("{}\n" * config.epochs)
        (out / "last.params").write_bytes(f"{out} {config}".encode())
        (out / "resume.npz").write_bytes(b"state")

    def arm_of(run):
        return next(name for name in OFF_PX if name in run.parts)

    monkeypatch.setattr(keypoints.train, "train", train)
    monkeypatch.setattr(photos_module, "predict_corners", lambda run, photos, weights: np.array([
        moved(arm_of(run), photo.corners, photo.visibility) for photo in photos.photos]))
    monkeypatch.setattr(keypoints.subject, "open_subject", lambda run, data, weights: Answers(
        arm_of(run), read_dataset(data)))
    monkeypatch.setattr(corner_models, "run_with_progress", lambda tasks, workers, logs: [
        task.function(*task.arguments) for task in tasks] and {})
    return done


def test_arms_are_trained_alike_and_judged_by_both(tmp_path, trained, make_sheets):
    request = Request(tmp_path / "out", data=(make_sheets("data", 40),), test=make_sheets("test", 5, seed=6),
                      photos=make_sheets("photos", 3, seed=7), results=tmp_path / "copy")
    outcome = EXPERIMENTS["corner-models"].run(request)
    assert [name for name, _ in trained] == ["SimplePose-R18"] * 2 + ["hourglass"] * 2 + ["pyramid"] * 2
    configs = [config for _, config in trained]
    assert [(config.model, config.maps) for config in configs[::2]] == [
        ("simple_pose_resnet18_v1b", "each"), ("hourglass", "each"), ("pyramid_resnet18_v1b", "sheet")]
    assert len({(config.height, config.epochs, config.batch, config.learning_rate) for config in configs[1::2]}) == 1
    assert all(config.weights is None for config in configs[::2]) and all(config.weights for config in configs[1::2])
    arms = outcome.results["arms"]
    found = arms["SimplePose-R18"]["seeds"][0]
    assert found["test"]["photos"] == 4 and found["photos"]["photos"] == 3  # quick judges by four scenes
    assert found["test"]["visible"]["median_percent"] == pytest.approx(1.0)
    assert found["photos"]["covered"]["p95_percent"] == pytest.approx(2.0)
    # A photo of 120 x 160 in an input of 64 x 96: 64 pixels are 120.
    assert found["photos"]["visible"]["median_px"] == pytest.approx(2.0 * 64 / 120, rel=0.02)
    assert found["test"]["visible"]["count"] == 12 and found["test"]["covered"]["count"] == 4
    assert found["test"]["visible"]["within"][9:11] == [0.0, 1.0]  # 0.9 and 1 %
    differences = outcome.results["differences"]["arms"]
    # Three corners of four are off by as much, the covered one by twice that: 1.25 times.
    assert differences["pyramid"]["difference"]["by_photo"]["mean"] == pytest.approx((0.5 - 2.0) / 2 * 1.25)
    headings, cells = outcome.table
    assert {len(line) for line in cells} == {len(headings)} and len(cells) == 6
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "| hourglass | mean squared error of the last stack's heatmaps | 1.3e-05 | 2e-05 |" in text
    assert "| SimplePose-R18 | heatmap accuracy, as GluonCV computes it | 0.998 | 1 |" in text
    assert "12 seen in rendered scenes, 4 covered in rendered scenes, 9 seen in photos" in text
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    trained.clear()
    EXPERIMENTS["corner-models"].run(request)
    assert not trained  # nothing is done twice


def test_a_run_takes_the_place_of_an_arm_and_others_are_judged_beside(tmp_path, trained, make_sheets, make_run):
    runs = (("given", make_run("given")), ("hourglass", make_run("hourglass")))
    (runs[0][1] / "last.params").unlink()  # a run that was handed on has its best alone
    request = Request(tmp_path / "out", data=(make_sheets("data", 40),), test=make_sheets("test", 5), runs=runs)
    outcome = EXPERIMENTS["corner-models"].run(request)
    assert {name for name, _ in trained} == {"SimplePose-R18", "pyramid"}
    assert list(outcome.results["arms"]) == ["SimplePose-R18", "hourglass", "pyramid", "given"]
    told = outcome.results["configuration"]["arms"]
    assert (told["given"]["weights"], told["hourglass"]["weights"]) == ("best", "last")
    assert told["pyramid"] == {"model": "pyramid_resnet18_v1b", "maps": "sheet"}
    assert outcome.results["differences"] is None and len(outcome.table[1]) == 4
    assert outcome.results["arms"]["given"]["seeds"][0]["test"]["found"] == 0  # 4 and 8 %


def test_runs_alone_are_compared_without_training(tmp_path, trained, make_sheets, make_run):
    runs = (("given", make_run("given")), ("hourglass", make_run("hourglass")))
    request = Request(tmp_path / "out", photos=make_sheets("photos", 3), runs=runs)
    outcome = EXPERIMENTS["corner-models"].run(request)
    assert not trained and list(outcome.results["arms"]) == ["hourglass", "given"]
    assert outcome.results["differences"]["reference"] == "hourglass"
    assert all(line[1] == "photos" for line in outcome.table[1])
    assert "1.3e-05 | - |" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(("options", "word"), [
    ({}, "0 datasets and 0 runs"), ({"data": True}, "something to judge by"),
    ({"data": True, "test": True, "split": "validation"}, "no scenes of split validation"),
    ({"data": True, "photos": True, "split": "test"}, "is of --test DIR"),
    ({"data": True, "test": True, "settings": "s.json"}, "give --photos too"),
])  # fmt: skip
def test_what_cannot_be_run_is_said_before_anything_is_made(options, word, tmp_path, trained, make_sheets):
    given = {name: make_sheets(name, 40 if name == "data" else 2) for name in ("data", "test", "photos")
             if name in options}
    options = options | given | ({"data": (given["data"],)} if "data" in given else {})
    with pytest.raises(ValueError, match=word):
        EXPERIMENTS["corner-models"].run(Request(tmp_path / "out", **options))
    assert not (tmp_path / "out").exists() and not trained


def test_figures_of_errors_in_both_units():
    errors = np.array([[1.0, 2.0, np.nan, 4.0], [np.nan] * 4])
    judged = Judged(errors, np.array([[2, 2, 0, 1], [0] * 4]), np.array([[300, 400], [400, 300]]))
    told = judged.figures(InputSpec(200, 150, "turn"))
    assert (told["photos"], told["found"], told["visible"]["count"], told["covered"]["count"]) == (1, 0, 2, 1)
    assert told["visible"]["median_percent"] == 1.5 and told["covered"]["p95_percent"] == 4.0
    assert told["covered"]["median_px"] == pytest.approx(4.0 / 100 * 500 / 2)
    none = Judged(errors[1:], np.zeros((1, 4), int), np.array([[300, 400]])).figures(InputSpec(200, 150, "turn"))
    assert none["visible"] == {"count": 0, "median_px": None, "p95_px": None, "median_percent": None,
                               "p95_percent": None, "within": None}
    np.testing.assert_allclose(photo_pixels(np.array([[300, 400], [400, 300]]), InputSpec(200, 150, "turn")), 2.0)


def test_every_scale_has_image_steps_that_can_be_met():
    for stage in SCALES["paper"].stages:
        passes(stage.image_steps, stage.batch, 2400)
