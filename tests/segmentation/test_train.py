"""Real training on four tiny samples, with a narrow head."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from segmentation import loader
from segmentation import train as training
from segmentation.commands import segmentation
from segmentation.config import ConfigError, TrainConfig
from segmentation.evaluate import evaluate
from segmentation.network import load_network, normalise, predict
from segmentation.run_folder import RunFolder

CONFIG = TrainConfig(height=64, width=64, pools=(1, 2, 4), head_channels=16, batch=2, epochs=4, warmup_share=0.1)
SILENT = Console(quiet=True)


def run(data, out, config=CONFIG, **options):
    return training.train(data, out, config, console=SILENT, **options)


def weights(folder):
    """What is trained; the running statistics of BatchNorm move even at a learning rate of nothing."""
    return [variable.numpy() for variable in load_network(folder)[0].trainable_weights]


def test_training_leaves_a_run_that_evaluates_predicts_and_resumes_exactly(make_dataset, tmp_path, interrupted_at):
    data = make_dataset(5)
    straight = run(data, tmp_path / "straight")
    files = {file.name for file in straight.path.iterdir()}
    assert files == {"config.json", "history.jsonl", "best.weights.h5", "last.weights.h5", "state.npz", "log.txt"}
    history = [json.loads(line) for line in (straight.path / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < history[0]["loss"] and 0 <= history[0]["waiting"] <= 1
    assert set(history[0]["validation"]["iou"]) == {"background", "sheet", "left_foot", "right_foot"}
    check_interrupted_run(data, tmp_path / "broken", straight, interrupted_at)
    check_evaluation(data, straight.path)
    check_refusals(data, straight.path)
    check_larger_size_from_its_weights(data, straight.path, tmp_path / "larger")


def check_interrupted_run(data, out, straight, interrupted_at):
    """Stopped after the third epoch's weights and history are written, but not its state: epochs 3 and 4 again."""
    with interrupted_at(3):
        run(data, out)
    assert len((out / "history.jsonl").read_text().splitlines()) == 3
    resumed = run(data, out, resume=True)
    for ours, theirs in zip(resumed.history, straight.history, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
        assert ours["learning_rate"] == theirs["learning_rate"]
        assert ours["validation"]["loss"] == pytest.approx(theirs["validation"]["loss"], rel=1e-3)
    with np.load(out / "state.npz") as ours, np.load(straight.path / "state.npz") as theirs:
        assert int(ours["steps_done"]) == 8 and set(ours) == set(theirs)
        for key in ours:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-2, atol=1e-4, err_msg=key)


def check_evaluation(data, out):
    result = evaluate(out, data, split="all")
    matrix = np.array(result["confusion_matrix"])
    assert result["samples"] == 5 and matrix.sum() == 5 * 112 * 112
    assert result["pixel_accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum(), abs=1e-6)
    assert result["feet"]["count"] == 5
    model, config = load_network(out)
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    probabilities = predict(out, images, batch=2)
    assert config == CONFIG and probabilities.shape == (3, 64, 64, 4) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, model(normalise(images, config)), atol=1e-5)
    with pytest.raises(ValueError, match="must be uint8"):
        predict(out, images.astype(np.float32))


def check_refusals(data, out):
    with pytest.raises(ConfigError, match="--resume"):
        run(data, out)
    with pytest.raises(ConfigError, match="seed is 0 there, 1 here"):
        run(data, out, replace(CONFIG, seed=1), resume=True)
    before = (out / "history.jsonl").read_text()
    run(data, out, resume=True)
    assert (out / "history.jsonl").read_text() == before


def check_larger_size_from_its_weights(data, out, larger):
    config = replace(CONFIG, height=80, width=96, epochs=1, learning_rate=1e-9, init_weights=str(out))
    run(data, larger, config)
    model, config = load_network(larger)
    assert model.output_shape == (None, 80, 96, 4)
    for started, trained in zip(weights(larger), weights(out), strict=True):
        np.testing.assert_allclose(started, trained, atol=1e-6)
    # Keras also warns of each container of a file that does not fit.
    with pytest.warns(UserWarning), pytest.raises(ConfigError, match="do not fit the network"):
        run(data, larger.parent / "other", replace(config, head_channels=24))


def test_a_loss_that_is_not_finite_stops(monkeypatch):
    class Broken:
        config, total_steps, steps_done, learning_rate = CONFIG, 4, 2, 1.0
        optimizer = type("Optimizer", (), {"learning_rate": 0.0})()

        def _graph_step(self, images, masks):
            return [np.nan, 1.0, 1.0]

    batch = loader.Batch(np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 64, 64), np.uint8))
    with pytest.raises(training.TrainingError, match="nan at step 2"):
        training.Trainer.step(Broken(), batch)


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no run"):
        RunFolder(tmp_path, CONFIG, {"data": {}, "augmentation_values": {}}, resume=True)


def test_command_line_names_what_is_wrong(make_dataset, tmp_path):
    data, runner = make_dataset(2), CliRunner()
    result = runner.invoke(segmentation, ["train", str(data), "--out", str(tmp_path / "run"), "--size", "64"])
    assert result.exit_code == 2 and "240x240" in result.output
    help_text = runner.invoke(segmentation, ["train", "--help"])
    assert help_text.exit_code == 0 and "--imagenet" in help_text.output
