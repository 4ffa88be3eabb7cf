"""Which runs become networks of a bundle."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from deploy.bundle import GOLDEN, Bundle, CropSpec, file_record, write_golden, write_manifest
from deploy.golden import golden_crops, golden_inputs
from deploy.parity import verify
from keypoints.calibration import Calibration


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


def test_a_side_run_is_converted_as_it_is_validated(run, tmp_path, check_conversion):
    pytest.importorskip("mxnet")
    from deploy.convert import KERAS_OPSET
    from deploy.export import ExportError, _convert, load_side
    from segmentation.side import load_side as load_network
    from segmentation.side import predict_side

    trained = load_side(run)
    assert trained.spec == CropSpec(32, 320.0, (123.675, 116.28, 103.53, 0.0), (58.395, 57.12, 57.375, 255.0))
    crops = golden_crops(trained.spec)
    outputs = trained.native(crops)
    np.testing.assert_allclose(outputs, predict_side(*load_network(run), crops), atol=1e-6)
    check_conversion(trained.to_onnx(tmp_path / "alone.onnx"), trained.native, trained.spec, KERAS_OPSET)
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


@pytest.fixture
def sheet_run(tmp_path):
    """A function (model) -> a run with untrained weights of a network that draws maps of the kind "sheet"."""
    pytest.importorskip("mxnet")
    from keypoints.config import TrainConfig
    from keypoints.models.registry import build, initialise
    from keypoints.run import write_config

    def made(model="hourglass"):
        folder = tmp_path / "keypoints"
        folder.mkdir()
        small = {"stacks": 1, "filters": 8} if model == "hourglass" else {}
        config = TrainConfig(model=model, maps="sheet", height=64, width=64, seed=1, **small)
        net = build(config)
        initialise(net, config)
        net.save_parameters(str(folder / "best.params"))
        write_config(folder, config, {"training": 3})
        return folder

    return made


@pytest.mark.parametrize("model", ["hourglass", pytest.param("pyramid_resnet18_v1b", marks=pytest.mark.slow)])
def test_a_network_of_the_sheets_interior_becomes_one_of_a_bundle(sheet_run, model, bundle, bundle_folder, tmp_path):
    from deploy.export import _convert, load_keypoints

    trained = load_keypoints(sheet_run(model))
    assert trained.maps == "sheet" and trained.calibration is None
    inputs = golden_inputs(trained.spec)
    outputs = trained.native(inputs)
    precisions = ("fp16", "fp32")
    described, report = _convert(trained, (inputs, outputs), precisions, tmp_path, bundle_folder, lambda line: None)
    assert report.passed, report.failures
    assert "interior, largest difference" in {row.check for row in report.rows}
    assert described["output"]["maps"] == "sheet" and "calibration" not in described
    # Without a history there is no telling how long it was trained.
    assert described["trained_on"] == {"training": 3}
    write_golden(bundle_folder / GOLDEN, bundle.golden() | {"keypoints": (inputs, outputs)})
    models = bundle.manifest["models"] | {"keypoints": described}
    write_manifest(bundle_folder, bundle.manifest | {"models": models, "golden": file_record(bundle_folder, GOLDEN)})
    made = Bundle.load(bundle_folder)
    assert made.maps == "sheet" and verify(made).passed


def test_a_calibration_goes_with_its_weights_and_no_others(sheet_run):
    from deploy.export import ExportError, _entry, load_keypoints
    from keypoints import run_calibration
    from keypoints.predictions import made_of
    from keypoints.run import read_config

    run, table = sheet_run(), Calibration(1.0, (0.0, 1.0), (0.25, 0.75), 2.0, 16)
    kept = run_calibration.Kept(table, made_of(run, read_config(run)[0], "best", ""), "dark", "scenes", {})
    run_calibration.keep(run, kept)
    trained = load_keypoints(run)
    entry = _entry(trained, SimpleNamespace(output="heatmaps", output_shape=(1, 4, 16, 16), opset=13))
    assert Calibration.from_json(entry["calibration"]) == trained.calibration == table
    run_calibration.keep(run, kept.of_weights("0" * 64))
    with pytest.raises(ExportError, match="does not belong to the best weights: it is of other weights"):
        load_keypoints(run)


def test_what_was_evaluated_under_conditions_goes_into_the_bundle():
    pytest.importorskip("mxnet")
    from deploy.export import _headline

    errors = {"corners": {"cyclic": {"percent": {"visible": {"count": 8, "median": 0.5, "p95": 2.5}}}}}
    steps = [{"name": "turn", "value": 15, "unit": "degrees", **errors},
             {"name": "turn", "value": 30, "unit": "degrees"}]  # fmt: skip
    _, figures = _headline("keypoints", {"data": "photos", "conditions": steps, **errors})
    median, p95 = (f"visible corners, % of the diagonal, {name}" for name in ("median", "p95"))
    assert figures["conditions"] == {"turn, degrees": {"15": {median: 0.5, p95: 2.5}, "30": {median: None, p95: None}}}
    steps = [{"name": "brightness", "value": 0.2, "unit": "times", "inside_sheet_or_foot": {"mean": 0.75}},
             {"name": "brightness", "value": 2.0, "unit": "times", "mean_iou": 0.5}]  # fmt: skip
    _, figures = _headline("segmentation", {"data": "photos", "conditions": steps})
    inside = "inside_sheet_or_foot, mean"
    assert figures["conditions"] == {"brightness, times": {"0.2": {"mean_iou": None, inside: 0.75},
                                                           "2": {"mean_iou": 0.5, inside: None}}}  # fmt: skip
    assert _headline("segmentation", {"data": "photos"})[1]["conditions"] is None
