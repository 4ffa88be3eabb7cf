"""With the training replaced; and one small network for real, converted."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("mxnet")  # in one process MXNet comes first
pytest.importorskip("tensorflow")
pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

import segmentation.train
from experiments import pixel_overfitting
from experiments.pixel_overfitting import RUNTIMES, compare_converted, overfit
from scenes.dataset import read_dataset
from segmentation.config import TrainConfig
from segmentation.network import build_networks

SMALL = TrainConfig(architecture="fcn8", backbone="resnet18", head_channels=8, height=64, width=64, batch=2, epochs=3,
                    augmentation="none", fit="stretch")


@pytest.fixture
def scenes(make_sheets):
    """Two photos whose quarters are the four classes."""
    folder = make_sheets("scenes", 2)
    mask = np.repeat(np.repeat(np.arange(4, dtype=np.uint8).reshape(2, 2), 80, 0), 60, 1)
    for file in (folder / "masks").iterdir():
        cv2.imwrite(str(file), mask)
    return folder


def test_what_came_out_is_of_the_best_epoch(scenes, tmp_path, monkeypatch):
    run, file, asked = tmp_path / "run", tmp_path / "found" / "case.json", {}
    scores = [0.4, 0.8, 0.6]

    def train(data, out, config, **options):
        asked.update(options, data=data)
        run.mkdir()
        build_networks(config).training.save_weights(run / "best.weights.h5")
        for name in ("last.weights.h5", "state.npz"):
            (run / name).write_bytes(b"")
        return SimpleNamespace(history=[{"epoch": number + 1, "steps": 3, "validation": {
            "mean_iou": score, "iou": {"sheet": score / 2}}} for number, score in enumerate(scores)])

    monkeypatch.setattr(segmentation.train, "train", train)
    monkeypatch.setattr(pixel_overfitting, "limit_tensorflow", lambda threads: None)  # it may have begun before
    monkeypatch.setattr(pixel_overfitting, "compare_converted", lambda model, config, samples, threads: len(samples))
    overfit(run, scenes, SMALL, 3, 1, file)
    found = json.loads(file.read_text())
    assert found["curve"] == [[6, 0.4], [12, 0.8], [18, 0.6]]  # two scenes, three passes between looks
    assert (found["mean_iou"], found["iou"], found["converted"]) == (0.8, {"sheet": 0.4}, 2)
    assert found["parameters"] == build_networks(SMALL).training.count_params()
    assert asked == {"data": [scenes] * 3, "validation": scenes, "resume": True, "threads": 1, "enough": 0.95}
    assert [path.name for path in run.iterdir()] == ["best.weights.h5"]


def test_a_network_is_the_same_once_it_is_converted(scenes):
    model = build_networks(SMALL).inference
    found = compare_converted(model, SMALL, read_dataset(scenes))
    assert tuple(found) == RUNTIMES
    for told in found.values():
        assert 0 < told["largest"] < 1e-4 and told["same_pixels"] > 0.999


def test_differences_are_shares_of_the_range():
    wanted = np.float32([[0.0, 0.2, 0.5], [0.4, 0.1, 0.3]])
    outputs = np.float32([[0.0, 0.5, 0.2], [0.4, 0.1, 0.3]])
    assert pixel_overfitting._difference(wanted, outputs) == {"largest": pytest.approx(0.6), "same_pixels": 0.5}
