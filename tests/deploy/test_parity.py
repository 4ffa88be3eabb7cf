"""What counts as equal, by hand; and that every way to ship a wrong network is caught."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from deploy.bundle import GOLDEN, MANIFEST, Bundle, BundleError, file_record, write_golden, write_manifest
from deploy.commands import deploy
from deploy.parity import LIMITS, Report, Row, compare, verify
from keypoints.heatmaps import encode


def rows_of(report):
    return {row.check: row for row in report.rows}


def four_corners(shift=0.0):
    corners = np.array([[10.0, 8], [40, 9], [42, 50], [8, 52]]) + (shift, 0)
    return encode(corners, np.ones(4, bool), (16, 14), 4, 1.0)[None]


def test_equal_outputs_pass_with_nothing_between_them():
    report = compare("keypoints", four_corners(), four_corners(), "X", "fp32", stride=4)
    assert report.passed and not report.failures
    assert [row.value for row in report.rows] == [0, 0, 0, 0]
    assert rows_of(report)["corners of 1 images"].unit == "px"


def test_differences_are_shares_of_range_and_norm():
    golden = np.zeros((1, 4, 2, 2), np.float32)
    golden[0, 0, 0] = (-1, 1)
    other = golden.copy()
    other[0, 3, 1, 1] = 0.02
    rows = rows_of(compare("keypoints", golden, other, "X", "fp16", stride=4))
    assert rows["largest difference"].value == pytest.approx(0.01)
    assert rows["mean difference"].value == pytest.approx(0.01 / 16)
    assert rows["relative difference"].value == pytest.approx(0.02 / np.sqrt(2))
    assert not rows["relative difference"].passed


def test_corners_are_compared_in_input_pixels():
    rows = rows_of(compare("keypoints", four_corners(), four_corners(0.1), "X", "fp32", stride=4))
    assert rows["corners of 1 images"].value == pytest.approx(0.1, abs=0.02)
    assert not rows["corners of 1 images"].passed


def test_corners_of_an_image_without_a_sheet_are_not_compared():
    noise = np.random.default_rng(0).random((1, 4, 16, 14)).astype(np.float32) * 0.1
    assert "corners of 0 images" in rows_of(compare("keypoints", noise, noise, "X", "fp32", stride=4))


def test_logits_of_the_interior_do_not_hide_the_heatmaps():
    heatmaps = np.zeros((1, 3, 16, 14), np.float32)
    heatmaps[:, 0] = four_corners().max(axis=1)
    golden = np.concatenate([heatmaps, np.full((1, 1, 16, 14), -50, np.float32)], axis=1)
    golden[:, 3, 2:13, 2:11] = 50
    off = golden.copy()
    off[0, 0, 5, 5] += 0.05
    off[0, 3, 5, 5] += 7  # of a pixel that is inside in any case
    rows = rows_of(compare("keypoints", golden, off, "X", "fp16", stride=4, maps="sheet"))
    assert rows["largest difference"].value == pytest.approx(0.05, rel=0.1)
    assert not rows["largest difference"].passed and rows["interior, largest difference"].value < 1e-6
    assert rows["corners of 1 images"].value < 0.2
    off[0, 3, 5, 5] = 0
    rows = rows_of(compare("keypoints", golden, off, "X", "fp16", stride=4, maps="sheet"))
    assert rows["interior, largest difference"].value == pytest.approx(0.5)


def test_masks_are_compared_pixel_by_pixel_and_class_by_class():
    golden = np.zeros((1, 10, 10, 4), np.float32)
    golden[0, :5, :, 0] = 1
    golden[0, 5:, :, 1] = 1
    other = golden.copy()
    other[0, 0, 0] = (0, 1, 0, 0)
    rows = rows_of(compare("segmentation", golden, other, "X", "fp32"))
    assert rows["equal mask pixels"].value == pytest.approx(0.99) and not rows["equal mask pixels"].passed
    assert rows["IoU of background"].value == pytest.approx(49 / 50)
    assert rows["IoU of sheet"].value == pytest.approx(50 / 51)
    assert "IoU of left_foot" not in rows


def test_sides_are_compared_where_there_is_one():
    golden = np.array([[0.9, 0.1], [0.2, 0.8], [0.51, 0.49]], np.float32)
    # The third has no side; what the others differ by is not a share of their own range.
    other = np.array([[0.9, 0.1], [0.215, 0.785], [0.49, 0.51]], np.float32)
    rows = rows_of(compare("side", golden, other, "X", "fp16"))
    assert rows["same side of 2 crops"].passed and rows["same side of 2 crops"].value == 1
    assert rows["largest difference"].value == pytest.approx(0.02, abs=1e-6)
    assert rows["mean difference"].value == pytest.approx(0.07 / 6, abs=1e-6)
    swapped = rows_of(compare("side", golden, golden[:, ::-1], "X", "fp16"))
    assert swapped["same side of 2 crops"].value == 0 and not swapped["same side of 2 crops"].passed


def test_nan_and_another_shape_never_pass():
    golden = np.random.default_rng(0).random((1, 6, 6, 4)).astype(np.float32)
    broken = golden.copy()
    broken[0, 0, 0, 0] = np.nan
    assert not rows_of(compare("segmentation", golden, broken, "X", "fp16"))["largest difference"].passed
    shape = compare("segmentation", golden, golden[:, :5], "X", "fp16")
    assert not shape.passed and shape.rows[0].check == "shape"


def test_a_report_fails_with_its_worst_row():
    good, bad = Row("m", "r", "fp32", "c", 0.1, 0.1), Row("m", "r", "fp32", "c", 0.9, 1.0, at_least=True)
    assert Report((good,)).passed
    assert (Report((good,)) + Report((bad,))).failures == (bad,)
    assert Row("m", "r", "fp32", "c", "NHWC", "NHWC").passed and not Row("m", "r", "fp32", "c", "NCHW", "NHWC").passed


def test_the_limits_of_fp32_are_the_tighter_ones():
    tight, loose = LIMITS["fp32"], LIMITS["fp16"]
    assert tight.largest < loose.largest and tight.mean < loose.mean and tight.relative < loose.relative
    assert tight.corner_px < loose.corner_px and tight.pixels > loose.pixels and tight.iou > loose.iou


def test_a_right_bundle_passes_in_every_precision(bundle):
    report = verify(bundle)
    assert report.passed, report.failures
    assert {(row.model, row.precision) for row in report.rows} == {
        (model, precision) for model in ("keypoints", "segmentation") for precision in ("fp32", "fp16")
    }
    assert "corners of 1 images" in rows_of(report)
    assert {row.precision for row in verify(bundle, "fp32").rows} == {"fp32"}


def test_a_bundle_with_a_network_for_the_side_passes(side_folder):
    report = verify(Bundle.load(side_folder))
    assert report.passed, report.failures
    rows = [row for row in report.rows if row.model == "side"]
    assert {row.precision for row in rows} == {"fp32", "fp16"}
    assert {"same side of 2 crops", "span_mm", "labels"} <= {row.check for row in rows}


def test_golden_data_without_the_side_are_an_error_of_the_bundle(side_folder):
    manifest = json.loads((side_folder / MANIFEST).read_text())
    golden = Bundle.load(side_folder).golden()
    write_golden(side_folder / GOLDEN, {model: golden[model] for model in ("keypoints", "segmentation")})
    write_manifest(side_folder, manifest | {"golden": file_record(side_folder, GOLDEN)})
    with pytest.raises(BundleError, match="no golden data of side"):
        verify(Bundle.load(side_folder))


def wrong_network(tiny, model, change):
    """What `build_bundle` takes as `shipped`: the network `model` with `change` applied to its weights."""
    colours = np.ascontiguousarray(change(tiny.colours), dtype=np.float32)
    return {model: lambda path: getattr(tiny, model)(path, colours)}


@pytest.mark.parametrize("change", [lambda colours: colours[:, ::-1], lambda colours: colours[[0, 1, 3, 2]]])
@pytest.mark.parametrize("model", ["keypoints", "segmentation", "side"])
def test_a_wrong_network_is_caught_in_fp16(build_bundle, tiny, model, change):
    """Its limits are wide; tests/deploy/test_verify.py has what is said of every fault in FP32."""
    shipped = wrong_network(tiny, model, change)
    failures = verify(Bundle.load(build_bundle(shipped=shipped, side=model == "side")), "fp16").failures
    assert failures and {row.model for row in failures} == {model}


@pytest.mark.parametrize(("key", "value"), [("mean", [101, 110, 120]), ("std", [50, 60, 71]), ("fit", "turn")])
def test_a_manifest_that_says_other_than_the_file_is_caught(bundle_folder, key, value):
    manifest = json.loads((bundle_folder / MANIFEST).read_text())
    manifest["models"]["keypoints"]["input"][key] = value
    write_manifest(bundle_folder, manifest)
    told = {key} if key == "fit" else {key, f"{key} in the graph"}
    assert {row.check for row in verify(Bundle.load(bundle_folder)).failures} == told


def test_a_network_in_the_place_of_the_other_is_caught(bundle_folder):
    manifest = json.loads((bundle_folder / MANIFEST).read_text())
    models = manifest["models"]
    models["keypoints"]["variants"] = models["segmentation"]["variants"]
    write_manifest(bundle_folder, manifest)
    checks = {row.check for row in verify(Bundle.load(bundle_folder)).failures}
    assert {"model", "input", "output"} <= checks


def test_golden_data_of_another_size_are_an_error_of_the_bundle(bundle_folder):
    manifest = json.loads((bundle_folder / MANIFEST).read_text())
    golden = Bundle.load(bundle_folder).golden()
    inputs, outputs = golden["keypoints"]
    write_golden(bundle_folder / GOLDEN, golden | {"keypoints": (inputs[:, :-1], outputs)})
    write_manifest(bundle_folder, manifest | {"golden": file_record(bundle_folder, GOLDEN)})
    with pytest.raises(BundleError, match="golden inputs of keypoints"):
        verify(Bundle.load(bundle_folder))


def test_verify_on_the_command_line(build_bundle, tiny):
    runner = CliRunner()
    right = runner.invoke(deploy, ["verify", str(build_bundle())])
    assert right.exit_code == 0 and "equal mask pixels" in right.output and "FAIL" not in right.output
    folder = build_bundle("wrong", shipped=wrong_network(tiny, "keypoints", lambda colours: colours[:, ::-1]))
    wrong = runner.invoke(deploy, ["verify", str(folder), "--precision", "fp32"])
    assert wrong.exit_code == 1 and "FAIL" in wrong.output and "comparisons failed" in wrong.output
    path = folder / "keypoints.fp32.bin"
    path.write_bytes(path.read_bytes()[:-1])
    damaged = runner.invoke(deploy, ["verify", str(folder)])
    assert damaged.exit_code == 1 and "keypoints.fp32.bin" in damaged.output
    assert runner.invoke(deploy, ["verify", str(folder), "--precision", "int4"]).exit_code == 2
