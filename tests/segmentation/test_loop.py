"""The loop around the steps: early stopping, resuming, event files. The trainer is a stand-in that scores as told."""

import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console

from segmentation import train as training
from segmentation.config import TrainConfig
from segmentation.tensorboard_events import EventFiles, scalars

CONFIG = TrainConfig(architecture="unet", backbone="resnet18", height=32, width=32, batch=2, epochs=9, patience=2)
SCORES = [0.2, 0.5, 0.5, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9]


class Trainer:
    """Takes steps of a known loss, without an auxiliary one, and validates with the scores of its epochs."""

    learning_rate = 0.1

    def __init__(self, networks, config, total_steps):
        self.config, self.total_steps, self.steps_done = config, total_steps, 0

    def step(self, batch):
        self.steps_done += 1
        return np.array([1.5, 1.5])

    def validate(self, batches):
        return np.diag([3, 1, 1, 1]), 0.25

    def averaged_weights(self):
        return nullcontext()

    def save_averaged(self, path):
        path.write_text(str(self.steps_done))

    def state(self):
        return {"steps_done": np.int64(self.steps_done)}

    def restore(self, state):
        self.steps_done = int(state["steps_done"])


@pytest.fixture
def run(make_dataset, tmp_path, monkeypatch):
    """run(name, config, resume=..., tensorboard=...) -> the RunFolder of a training on 4 samples, 2 steps an epoch."""
    data = make_dataset(5)
    networks = SimpleNamespace(training=keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    monkeypatch.setattr(training, "build_networks", lambda config, initial_weights: networks)
    monkeypatch.setattr(training, "Trainer", Trainer)

    def start(name, config=CONFIG, scores=SCORES, **options):
        folder = tmp_path / name
        rest = iter(scores[_epochs_done(folder):])
        monkeypatch.setattr(training.metrics, "summary", lambda matrix: {
            "pixel_accuracy": 0.5, "mean_iou": next(rest), "iou": {"sheet": 0.5, "left_foot": None},
            "left_right_confusion": None,
        })
        return training.train(data, folder, config, console=Console(quiet=True), **options)

    return start


def _epochs_done(folder):
    """What state.npz says: an epoch whose line alone was written is done again."""
    file = folder / "state.npz"
    return int(np.load(file)["epoch"]) if file.is_file() else 0


def test_training_ends_when_validation_is_no_better_and_a_resumed_one_ends_there_too(run, interrupted_at):
    straight = run("straight")
    assert [line["epoch"] for line in straight.history] == [1, 2, 3, 4] and straight.epochs_since_best == 2
    assert (straight.path / "best.weights.h5").read_text() == "4" and straight.best_score == 0.5
    assert run("straight", resume=True).epochs_done == 4

    with interrupted_at(4):
        run("broken")
    resumed = run("broken", resume=True)
    assert [line["epoch"] for line in resumed.history] == [1, 2, 3, 4]


def test_without_patience_training_goes_to_the_end(run):
    folder = run("long", replace(CONFIG, patience=0))
    assert folder.epochs_done == 9 and folder.best_score == 0.9
    assert "auxiliary_loss" not in folder.history[0] and folder.history[0]["main_loss"] == 1.5


def test_training_ends_with_a_mean_iou_that_is_enough_and_a_resumed_one_ends_there_too(run):
    folder = run("enough", enough=0.5)
    assert [line["epoch"] for line in folder.history] == [1, 2] and folder.best_score == 0.5
    log = (folder.path / "log.txt").read_text()
    assert "mean IoU 0.5 is reached after epoch 2 of 9" in log
    assert run("enough", resume=True, enough=0.5).epochs_done == 2
    assert (folder.path / "log.txt").read_text() == log
    assert run("enough", resume=True, enough=0.6).epochs_done == 4  # where patience ends it


def test_a_run_of_an_earlier_version_goes_on(run):
    """Its config.json lacks the fields that are newer."""
    config = replace(CONFIG, patience=0, epochs=1)
    folder = run("old", config)
    file = folder.path / "config.json"
    document = json.loads(file.read_text())
    for name in ("patience", "schedule", "frozen_blocks", "auxiliary_channels"):
        del document["train"][name]
    file.write_text(json.dumps(document))
    assert run("old", config, resume=True).epochs_done == 1


def test_event_files_tell_the_history_once(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    folder = run("events", tensorboard=True)
    EventFiles(folder.path, folder.history)  # as when the run goes on
    events = EventAccumulator(str(folder.path / "tensorboard"), size_guidance={"tensors": 0}).Reload()
    names = events.Tags()["tensors"]
    assert {"loss", "main_loss", "learning_rate", "validation/mean_iou", "validation/iou/sheet"} <= set(names)
    assert "validation/iou/left_foot" not in names
    told = events.Tensors("validation/mean_iou")
    assert [event.step for event in told] == [1, 2, 3, 4]
    values = [float(make_ndarray(event.tensor_proto)) for event in told]
    np.testing.assert_allclose(values, SCORES[:4])


def test_scalars_are_the_numbers_of_a_line():
    line = {"epoch": 3, "steps": 6, "loss": 2, "validation": {"iou": {"sheet": 0.5, "left_foot": None}}, "note": "x"}
    assert scalars(line) == {"loss": 2.0, "validation/iou/sheet": 0.5}
