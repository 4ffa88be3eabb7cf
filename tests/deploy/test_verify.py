"""`foliopie deploy verify`, as whoever receives a bundle runs it: every fault has its message, OpenVINO is enough."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from deploy.bundle import MANIFEST, Bundle, file_record, write_manifest
from deploy.commands import deploy
from deploy.diagnosis import likely_fault, recoloured
from deploy.runtimes import OpenVinoRuntime

ROOT = Path(__file__).resolve().parents[2]


def said(folder, *options):
    """What the command says of a bundle that it refuses, in one line: rich folds its table."""
    done = CliRunner().invoke(deploy, ["verify", str(folder), *options])
    assert done.exit_code == 1, done.output
    assert "do not use it" in done.output or "copy the bundle again" in done.output, done.output
    return " ".join(done.output.split())


def shipped(tiny, model, change):
    colours = np.ascontiguousarray(change(tiny.colours), dtype=np.float32)
    return {model: lambda path: getattr(tiny, model)(path, colours)}


def test_another_file_of_the_same_name(build_bundle):
    one, other = build_bundle("one"), build_bundle("other", precisions=("fp32",))
    shutil.copyfile(other / "segmentation.fp32.xml", one / "keypoints.fp16.xml")
    assert f"{one / 'keypoints.fp16.xml'}: has sha256" in said(one)


def test_another_network_under_a_manifest_that_knows_it(bundle_folder):
    """As when somebody puts a file in its place and then has the hashes made anew."""
    manifest = json.loads((bundle_folder / MANIFEST).read_text())
    for part in ("xml", "bin"):
        shutil.copyfile(bundle_folder / f"segmentation.fp16.{part}", bundle_folder / f"keypoints.fp16.{part}")
        variant = manifest["models"]["keypoints"]["variants"]["fp16"]
        variant[part] = file_record(bundle_folder, f"keypoints.fp16.{part}")
    write_manifest(bundle_folder, manifest)
    told = said(bundle_folder)
    assert "keypoints fp16, OpenVINO model segmentation keypoints FAIL" in told
    assert "keypoints fp16, OpenVINO output probabilities" in told


@pytest.mark.parametrize("name", ["keypoints.fp32.bin", "segmentation.fp16.xml", "golden/golden.npz", "README.md"])
def test_a_flipped_byte(bundle_folder, name):
    path = bundle_folder / name
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)
    assert f"{path}: has sha256" in said(bundle_folder)


@pytest.mark.parametrize("model, precision", [("keypoints", "fp32"), ("segmentation", "fp32"), ("keypoints", "fp16")])
def test_swapped_channels(build_bundle, tiny, model, precision):
    exchanged = shipped(tiny, model, lambda colours: colours[:, ::-1])
    told = said(build_bundle(shipped=exchanged, precisions=(precision,)))
    assert f"{model} {precision}: it comes near when its first layer is given BGR in place of RGB" in told
    assert "largest difference" in told and told.count("it comes near") == 1


@pytest.mark.parametrize("changed, check, found", [
    ({"mean": (101, 110, 120)}, "mean in the graph", "101 110 120 100 110 120"),
    ({"std": (50, 61, 70)}, "std in the graph", "50 61 70 50 60 70"),
    ({"mean": (120, 110, 100), "std": (70, 60, 50)}, "mean in the graph", "120 110 100 100 110 120"),
])  # fmt: skip
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_another_normalisation(build_bundle, tiny, precision, changed, check, found):
    specs = {"keypoints": tiny.keypoints_spec, "segmentation": dataclasses.replace(tiny.segmentation_spec, **changed)}
    told = said(build_bundle(ir_spec=specs, precisions=(precision,)))
    assert f"segmentation {precision}, OpenVINO {check} {found} FAIL" in told
    assert told.count("FAIL") == len(changed)


def test_a_normalisation_that_fp16_rounds_is_the_same_one(build_bundle, tiny):
    spec = {"mean": (123.675, 116.28, 103.53)}
    specs = {"keypoints": tiny.keypoints_spec, "segmentation": dataclasses.replace(tiny.segmentation_spec, **spec)}
    folder = build_bundle(ir_spec=specs)
    inside = OpenVinoRuntime(folder / "segmentation.fp16.xml", threads=1).normalisation
    assert inside["mean"] != list(spec["mean"]) and inside["mean"] == pytest.approx(spec["mean"], rel=1e-3)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["models"]["segmentation"]["input"]["mean"] = list(spec["mean"])
    write_manifest(folder, manifest)
    assert "in the graph" not in said(folder, "--precision", "fp16")


def test_another_order_of_the_labels(build_bundle, tiny):
    told = said(build_bundle(shipped=shipped(tiny, "segmentation", lambda colours: colours[[0, 1, 3, 2]])))
    assert ("segmentation fp32: it is right with its outputs in another order: it gives background, sheet, right_foot, "
            "left_foot, must give background, sheet, left_foot, right_foot") in told  # fmt: skip
    assert "IoU of left_foot" in told


def test_another_order_of_the_labels_in_the_manifest(bundle_folder):
    path = bundle_folder / MANIFEST
    path.write_text(path.read_text().replace('"left_foot",\n', '"right_foot",\n', 1))
    done = CliRunner().invoke(deploy, ["verify", str(bundle_folder)])
    assert done.exit_code == 1 and "models.segmentation.labels is" in done.output


def test_another_order_of_the_sides_and_of_the_corners(build_bundle, tiny):
    for name, change in (("sides", lambda colours: colours[[0, 1, 3, 2]]), ("bgr", lambda colours: colours[:, ::-1])):
        told = said(build_bundle(name, shipped=shipped(tiny, "side", change), side=True, precisions=("fp32",)))
        assert "side fp32: " in told and "FAIL" in told
    turned = shipped(tiny, "keypoints", lambda colours: colours[[1, 2, 3, 0]])
    told = said(build_bundle("turned", shipped=turned, precisions=("fp32",)))
    assert "it gives map 1, map 2, map 3, map 0, must give map 0, map 1, map 2, map 3" in told


@pytest.mark.parametrize("model, factor", [("keypoints", 1.01), ("segmentation", 0.99), ("side", 1.01)])
def test_weights_changed_by_one_percent(build_bundle, tiny, model, factor):
    folder = build_bundle(shipped=shipped(tiny, model, lambda colours: colours * factor), side=model == "side",
                          precisions=("fp32",))  # fmt: skip
    told = said(folder)
    assert f"{model} fp32: no other order of colours or outputs makes it right: its weights or its layers are" in told
    assert told.count(": no other order") == 1 and f"{model} fp32, OpenVINO largest difference" in told


def test_colours_are_exchanged_behind_the_normalisation():
    spec = SimpleNamespace(mean=(100, 110, 120, 0), std=(50, 60, 70, 255))
    images = np.array([[[[150, 110, 50, 7]]]], np.uint8)  # normalised 1, 0, -1 and the mask
    assert recoloured(images, spec, (2, 0, 1)).tolist() == [[[[50, 170, 120, 7]]]]
    assert recoloured(np.array([[[[255, 0, 0, 0]]]], np.uint8), spec, (1, 2, 0)).tolist() == [[[[8, 7, 255, 0]]]]


def test_a_fault_is_told_by_hand():
    """A network that gives its input back, with channels in the order 2, 0, 1, and one that turns its classes."""
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 2, 3), dtype=np.uint8)
    spec, wanted = SimpleNamespace(mean=(0, 0, 0), std=(1, 1, 1)), images.astype(np.float32)
    # As colours, since four classes are not three.
    found = likely_fault("segmentation", lambda given: given[..., [2, 0, 1]].astype(np.float32), spec, images, wanted,
                         lambda outputs: False)  # fmt: skip
    assert "first layer is given GBR in place of RGB" in found
    classes = np.arange(8, dtype=np.float32).reshape(2, 4)
    found = likely_fault("segmentation", lambda given: classes[:, [3, 0, 1, 2]], spec, images, classes,
                         lambda outputs: (outputs == classes).all())  # fmt: skip
    assert "it gives right_foot, background, sheet, left_foot, must give background, sheet," in found


# What a server that only measures does not have.
ABSENT = ("onnxruntime", "onnx", "tensorflow", "keras", "mxnet", "gluoncv", "nncf", "tf2onnx", "torch", "scipy",
          "openvino_telemetry", "pandas", "matplotlib")  # fmt: skip
ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {absent!r}:
            raise ImportError(name + ' is not installed here')
sys.meta_path.insert(0, Absent())
import foliopie
foliopie.main(['deploy', 'verify', {folder!r}])
"""


def test_openvino_is_all_that_it_needs(side_folder):
    """In a process where nothing else can be imported."""
    assert Bundle.load(side_folder).models == ("keypoints", "segmentation", "side")
    program = ALONE.format(absent=set(ABSENT), folder=str(side_folder))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and "same side of 2 crops" in done.stdout and "FAIL" not in done.stdout
