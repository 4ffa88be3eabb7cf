import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

import mxnet as mx

import keypoints.run
import keypoints.train
from experiments import overfitting
from experiments.overfitting import CURVE, Measured, compare_in_onnx, measure, overfit
from keypoints.config import TrainConfig
from keypoints.learner import Learner
from keypoints.loader import load_examples, plain_batches, plain_sample
from scenes.dataset import read_dataset

SMALL = TrainConfig(model="hourglass", stacks=1, filters=4, height=96, width=64, fit="turn", batch=4, augment=False,
                    epochs=3)


@pytest.fixture
def trained(monkeypatch):
    """Trainings and errors are replaced; gives (errors to come, by epoch; how each epoch was asked for)."""
    errors, asked = [], []

    def train(data, out, config, validation, resume, stop_after):
        assert resume and stop_after == 1
        asked.append((data, validation))
        out.mkdir(parents=True, exist_ok=True)
        lines = (out / "history.jsonl").read_text() if (out / "history.jsonl").exists() else ""
        (out / "history.jsonl").write_text(lines + "{}\n")
        (out / "resume.npz").write_bytes(b"state")
        return [{}] * (lines.count("\n") + 1)

    def measured(run, samples):
        number = (run / "history.jsonl").read_text().count("\n")
        return Measured(None, SMALL, None, None, np.full((4, 4), errors[number - 1]), np.full((4, 4), 2))

    monkeypatch.setattr(keypoints.train, "train", train)
    monkeypatch.setattr(overfitting, "measure", measured)
    monkeypatch.setattr(overfitting, "compare_in_onnx", lambda measured: {"onnx_difference": 0.0})
    return errors, asked


def test_a_training_ends_when_the_scenes_are_known(tmp_path, make_sheets, trained):
    errors, asked = trained
    scenes, run, file = make_sheets("scenes", 4), tmp_path / "run", tmp_path / "found" / "case.json"
    errors[:] = [3.0, 0.4, 0.3]
    overfit(run, scenes, SMALL, 2, file)
    found = json.loads(file.read_text())
    assert found["curve"] == [[8, 3.0], [16, 0.4]]  # four scenes, two passes between looks
    assert found["mean_px"] == pytest.approx(0.4) and found["covered_px"] is None and found["visible_count"] == 16
    assert asked == [([scenes, scenes], scenes)] * 2 and not (run / "resume.npz").exists()


def test_a_training_ends_with_its_epochs_and_goes_on_where_it_stopped(tmp_path, make_sheets, trained):
    errors, asked = trained
    scenes, run, file = make_sheets("scenes", 4), tmp_path / "run", tmp_path / "case.json"
    errors[:] = [3.0, 2.0, 1.0]
    run.mkdir()
    # Interrupted between the second epoch and the look at it.
    (run / "history.jsonl").write_text("{}\n{}\n")
    (run / CURVE).write_text("[[8, 3.0]]")
    overfit(run, scenes, SMALL, 2, file)
    assert json.loads(file.read_text())["curve"] == [[8, 3.0], [16, 2.0], [24, 1.0]] and len(asked) == 1


@pytest.mark.parametrize("settings", [{}, {"maps": "sheet"}, {"model": "regression_resnet18_v1b", "filters": 128,
                                                              "stacks": 2}])
def test_errors_are_in_pixels_of_the_input(settings, monkeypatch, make_sheets):
    """A network that gives its own targets is right; in a photo of 120 x 160 and an input of 64 x 96, whatever the
    photo's scale."""
    samples, config = read_dataset(make_sheets("scenes", 3)), replace(SMALL, **settings)
    examples = load_examples(samples, 192)
    targets = next(plain_batches(examples, replace(config, batch=3))).targets
    if config.maps == "sheet":
        share = np.clip(targets[:, 3], 1e-3, 1 - 1e-3)
        targets[:, 3] = np.log(share / (1 - share))
    monkeypatch.setattr(keypoints.run, "load_network", lambda run, weights: ("network", config))
    monkeypatch.setattr(keypoints.run, "predict_normalised", lambda net, batches: targets)
    measured = measure("run", samples)
    assert measured.errors_px.max() < 0.3 and measured.visibility.tolist() == [[2, 2, 1, 2]] * 3
    if config.is_regression:
        targets[:, 0::2] += 3 / config.width
        assert measure("run", samples).to_json()["covered_px"] == pytest.approx(3)
        assert plain_sample(examples[0], config)[1].max() > 40  # of the input, not in shares of it


@pytest.mark.parametrize("channels", ["rgb", "mask"])
def test_a_network_is_the_same_in_onnx(channels):
    config = replace(SMALL, height=32, width=32, input=channels)
    network = Learner(config).net
    rng = np.random.default_rng(0)
    inputs = (rng.random((2, 3, 32, 32)) if channels == "rgb" else
              np.eye(4)[rng.integers(0, 4, (2, 32, 32))].transpose(0, 3, 1, 2)).astype(np.float32)
    outputs = network(mx.nd.array(inputs)).asnumpy()
    found = compare_in_onnx(Measured(network, config, inputs, outputs, None, None))
    assert found["onnx_difference"] < 1e-4 * found["output_range"] and found["output_range"] > 0
    found = compare_in_onnx(Measured(network, config, inputs, outputs + np.float32(0.25), None, None))
    assert found["onnx_difference"] == pytest.approx(0.25, rel=1e-3)
