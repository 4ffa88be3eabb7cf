"""What changed from bundle to bundle, by hand, and that every bundle carries it on."""

import json
import shutil

import pytest

from deploy.bundle import CHANGES, MANIFEST, Bundle, BundleError
from deploy.changes import changes, predecessor, record_changes
from deploy.parity import Report, Row, verify


@pytest.fixture
def pair(side_folder):
    """Two copies of a manifest, the second to be changed."""
    text = (side_folder / MANIFEST).read_text()
    return json.loads(text), json.loads(text)


def test_the_same_bundle_has_no_changes(pair):
    assert changes(*pair) == []
    pair[1]["created"] = "2027"
    assert changes(*pair) == []


def test_networks_come_go_and_become_others(pair):
    before, after = pair
    del before["models"]["side"]
    assert changes(before, after) == ["side: new, tiny"]
    assert changes(after, before) == ["side: left out"]
    before["models"]["keypoints"]["architecture"] = "larger"
    before["models"]["keypoints"]["input"]["shape"] = [1, 96, 64, 3]
    before["models"]["keypoints"]["calibration"] = {"corners": 9, "scores": [0.1, 0.9]}
    before["golden"]["sha256"] = "0" * 64
    before["versions"] = {"python": "2"}
    del after["models"]["side"]
    assert changes(before, after) == [
        "keypoints: is tiny, before larger",
        "keypoints: input: shape [1, 64, 48, 3], before [1, 96, 64, 3]",
        "keypoints: calibration: corners not told, before 9",
        "golden data: others",
        "versions: python 3, before 2",
    ]


def test_precisions_and_files(pair):
    before, after = (manifest["models"]["segmentation"] for manifest in pair)
    del after["variants"]["fp32"]
    after["variants"]["fp16"]["bin"]["sha256"] = "0" * 64
    after["variants"]["int8"] = before["variants"]["fp32"] | {"quantized": {"from": "fp32", "images": 12}}
    after["default_precision"] = "int8"
    assert changes(*pair) == [
        "segmentation: int8 added, quantized from fp32 on 12 images",
        "segmentation: fp32 left out",
        "segmentation: fp16 is another file",
        "segmentation: measures in int8, before fp16",
    ]


def test_accuracy_before_and_after(pair):
    before, after = (manifest["models"]["keypoints"] for manifest in pair)
    before["trained_on"], after["trained_on"] = {"samples": 100, "sha256": "a" * 64}, {"samples": 250, "epochs": 3}
    turned = {"turn, degrees": {"15": {"m": 1.0}, "30": {"m": 3.0}}}
    before["accuracy"] = {"photos": {"median": 0.5, "p95": 2.0, "conditions": turned}, "old": {"median": 0.1}}
    turned = {"turn, degrees": {"15": {"m": 1.0}, "30": {"m": 2.0}}}
    after["accuracy"] = {"photos": {"median": 0.25, "p95": 2.0, "conditions": turned}, "new": {"median": 0.2}}
    assert changes(*pair) == [
        "keypoints: trained on: samples 250, before 100",
        "keypoints: trained on: sha256 not told, before aaaaaaaaaaaa",
        "keypoints: trained on: epochs 3, before not told",
        "keypoints: accuracy on photos: median 0.25, before 0.5",
        "keypoints: accuracy by condition on photos: 1 of 2 figures changed, see the card",
        "keypoints: accuracy on old: no longer told",
        "keypoints: accuracy on new: told for the first time",
    ]


def test_every_bundle_carries_the_changes_on(bundle_folder, tmp_path):
    report = Report((Row("keypoints", "OpenVINO", "fp16", "corners of 1 images", 0.01234, 0.2, "px"),
                     Row("keypoints", "ONNX Runtime", "fp32", "corners of 1 images", 0.5, 0.2, "px"),
                     Row("keypoints", "OpenVINO", "fp16", "largest difference", 0.5, 0.2)))  # fmt: skip
    record_changes(bundle_folder, "foliopie deploy export", None, report)
    first = (bundle_folder / CHANGES).read_text()
    assert first == ("# Changes\n\n## `foliopie deploy export`\n\n- first bundle of keypoints, segmentation\n"
                     "- now keypoints fp16 against the framework: corners of 1 images 0.01234 px\n")  # fmt: skip
    assert verify(Bundle.load(bundle_folder)).passed
    second = tmp_path / "second"
    shutil.copytree(bundle_folder, second)
    manifest = json.loads((second / MANIFEST).read_text())
    del manifest["models"]["segmentation"]["variants"]["fp32"]
    (second / MANIFEST).write_text(json.dumps(manifest))
    record_changes(second, "foliopie deploy quantize", predecessor(bundle_folder), Report(()))
    digest = predecessor(bundle_folder)[1]
    heading = f"## `foliopie deploy quantize`, from the bundle of 2026-01-01T00:00:00+00:00 (manifest {digest[:12]})"
    assert (second / CHANGES).read_text() == (
        f"# Changes\n\n{heading}\n\n- segmentation: fp32 left out\n" + first.removeprefix("# Changes\n"))  # fmt: skip
    loaded = Bundle.load(second)
    assert loaded.manifest["made_from"] == {"created": "2026-01-01T00:00:00+00:00", "manifest_sha256": digest}
    (second / CHANGES).write_text("nothing happened")
    with pytest.raises(BundleError, match="CHANGELOG.md: has sha256"):
        Bundle.load(second)


def test_a_damaged_predecessor_is_none(bundle_folder, tmp_path):
    assert predecessor(tmp_path / "nowhere") is None
    (bundle_folder / MANIFEST).write_text("{}")
    assert predecessor(bundle_folder) is None
