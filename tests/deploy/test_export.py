"""Which runs become networks of a bundle."""

import json

import numpy as np
import pytest

from deploy.bundle import CropSpec
from deploy.golden import golden_crops


@pytest.fixture
def run(tmp_path):
    """The folder of a run whose second epoch of three was the best, with untrained weights."""
    pytest.importorskip("keras")
    from segmentation.side import SideConfig, build_side

    config = SideConfig(size_px=32, channels=(4, 8))
    build_side(config).save_weights(tmp_path / "best.weights.h5")
    data = {"folder": "/home/somebody/scenes", "training_samples": 12}
    (tmp_path / "config.json").write_text(json.dumps({"train": config.to_json(), "data": data}))
    lines = [{"epoch": epoch, "validation": {"feet": 9, "accuracy": value, "mean_iou": value}}
             for epoch, value in ((1, 0.5), (2, 0.9), (3, 0.8))]  # fmt: skip
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_a_side_run_is_converted_as_it_is_validated(run, tmp_path):
    pytest.importorskip("mxnet")
    from deploy.export import ExportError, _convert, load_side
    from segmentation.side import load_side as load_network
    from segmentation.side import predict_side

    trained = load_side(run)
    assert trained.spec == CropSpec(32, 320.0, (123.675, 116.28, 103.53, 0.0), (58.395, 57.12, 57.375, 255.0))
    crops = golden_crops(trained.spec)
    outputs = trained.native(crops)
    np.testing.assert_allclose(outputs, predict_side(*load_network(run), crops), atol=1e-6)
    folder = tmp_path / "bundle"
    folder.mkdir()
    described, report = _convert(trained, (crops, outputs), ("fp16",), tmp_path, folder, lambda line: None)
    assert report.passed, report.failures
    assert {row.runtime for row in report.rows} == {"ONNX Runtime", "OpenVINO"}
    assert sorted(path.name for path in folder.iterdir()) == ["side.fp16.bin", "side.fp16.xml"]
    assert described["input"]["shape"] == [1, 32, 32, 4] and described["input"]["span_mm"] == 320.0
    assert described["output"]["shape"] == [1, 2] and described["labels"] == ["left", "right"]
    assert described["trained_on"] == {"folder": "scenes", "training_samples": 12, "epochs": 3}
    assert described["accuracy"] == {"best epoch": {"epoch": 2, "feet": 9, "accuracy": 0.9, "mean_iou": 0.9}}
    with pytest.raises(ExportError, match="no run"):
        load_side(folder)


@pytest.mark.parametrize("settings, word", [
    ({"model": "regression_resnet18_v1b"}, "regression_resnet18_v1b of 4 keypoints"),
    ({"input": "mask"}, "input 'mask'"),
    ({"joints": 68}, "of 68 keypoints"),
])
def test_a_network_that_no_photo_can_be_measured_with_is_refused(monkeypatch, tmp_path, settings, word):
    pytest.importorskip("mxnet")
    from deploy.export import ExportError, load_keypoints
    from keypoints import run as runs
    from keypoints.config import TrainConfig

    monkeypatch.setattr(runs, "load_network", lambda folder: (None, TrainConfig(**settings)))
    with pytest.raises(ExportError, match=word):
        load_keypoints(tmp_path)
