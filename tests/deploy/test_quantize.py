"""INT8 variants: what is written, what is kept, what is refused, and that nothing is sent or said on the wrong side."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper

from deploy.bundle import CARD, CHANGES, GOLDEN, MANIFEST, Bundle, BundleError
from deploy.commands import deploy
from deploy.convert import OnnxModel
from deploy.golden import draw_scene
from deploy.meter import load_networks
from deploy.parity import LIMITS, verify
from deploy.quantize import (
    QuantizeError,
    calibration_inputs,
    check_start,
    quantize_bundle,
    quantize_network,
    quiet_nncf,
)
from deploy.runtimes import OpenVinoRuntime, load_openvino
from keypoints.quads import decode_corners
from scenes.dataset import write_annotations
from scenes.files import file_sha256

# Not by importing it, which would report itself to its makers.
pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="NNCF is not installed")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photos(tmp_path):
    """A folder of 12 drawn photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:02}.png"), draw_scene(rng)[0][::2, ::2, ::-1])
    return folder


@pytest.fixture
def loose_limits(monkeypatch):
    """Room for networks of one layer: their heatmaps are steps of the last quantiser, and nothing averages over it."""
    from deploy.parity import Limits

    monkeypatch.setitem(LIMITS, "int8", Limits(1.0, 0.1, 0.5, 3.0, 0.8, 0.5))


def test_the_new_bundle_holds_int8_beside_the_others(side_folder, photos, tmp_path, loose_limits):
    out = tmp_path / "new" / "bundle"
    report = quantize_bundle(side_folder, photos, out)
    assert report.passed and {(row.model, row.precision) for row in report.rows} == {
        ("keypoints", "int8"), ("segmentation", "int8")}  # fmt: skip
    old, new = Bundle.load(side_folder), Bundle.load(out)
    assert new.precisions("keypoints") == ("fp32", "fp16", "int8") and new.precisions("side") == ("fp32", "fp16")
    assert [new.default_precision(model) for model in new.models] == ["int8", "int8", "fp16"]
    for name in (GOLDEN, "keypoints.fp32.bin", "segmentation.fp16.xml", "side.fp16.bin"):
        assert file_sha256(out / name) == file_sha256(side_folder / name)
    variant = new.manifest["models"]["keypoints"]["variants"]["int8"]
    assert variant["quantized"]["from"] == "fp32" and variant["quantized"]["images"] == 12
    card = (out / CARD).read_text()
    assert "`keypoints.fp32.xml`, `keypoints.fp16.xml`, `keypoints.int8.xml`" in card and "without VNNI" in card
    told = (out / CHANGES).read_text()
    assert "- keypoints: int8 added, quantized from fp32 on 12 images\n" in told
    assert "- segmentation: measures in int8, before fp16\n" in told and "- now segmentation int8 against" in told
    assert new.manifest["made_from"]["manifest_sha256"] == file_sha256(side_folder / MANIFEST)
    kept = {"variants": 0, "default_precision": 0}
    for model in old.models:
        assert new.manifest["models"][model] | kept == old.manifest["models"][model] | kept
    assert [path.name for path in out.parent.iterdir()] == ["bundle"]


def test_int8_may_be_all_that_the_new_bundle_holds_of_a_network(side_folder, photos, tmp_path, loose_limits):
    out = tmp_path / "new"
    done = CliRunner().invoke(deploy, ["quantize", str(side_folder), "--images", str(photos), "--out", str(out),
                                       "--networks", "keypoints", "--only"])  # fmt: skip
    assert done.exit_code == 0, done.output
    new = Bundle.load(out)
    assert new.precisions("keypoints") == ("int8",) and new.default_precision("keypoints") == "int8"
    assert new.precisions("segmentation") == new.precisions("side") == ("fp32", "fp16")
    assert sorted(path.name for path in out.glob("keypoints.*")) == ["keypoints.int8.bin", "keypoints.int8.xml"]
    card = (out / CARD).read_text()
    assert "a test; `keypoints.int8.xml`" in card and "keypoints.fp" not in card and "`side.fp16.xml`" in card
    assert {row.precision for row in verify(new).rows if row.model == "keypoints"} == {"int8"}
    assert verify(new).passed
    networks = load_networks(out, threads=1)
    black = np.zeros((1, 64, 48, 3), np.uint8)
    assert networks.keypoints(black).shape == (1, 4, 16, 12)
    with pytest.raises(BundleError, match="keypoints is there in int8 alone"):
        quantize_bundle(out, photos, tmp_path / "again")


def test_an_int8_file_computes_in_int8_behind_its_preprocessing(bundle, photos, tmp_path):
    target = tmp_path / "keypoints.int8.xml"
    inputs = calibration_inputs(bundle, "keypoints", photos)
    quantize_network(bundle.model_path("keypoints", "fp32"), inputs, target)
    network = load_openvino().Core().read_model(str(target))
    kinds = [node.get_type_name() for node in network.get_ordered_ops()]
    assert kinds.index("FakeQuantize") > max(kinds.index("Subtract"), kinds.index("Parameter"))
    weights = [node for node in network.get_ordered_ops() if node.get_type_name() == "Constant"
               and node.get_output_element_type(0).get_type_name() == "i8"]  # fmt: skip
    assert weights[0].get_output_shape(0) == [4, 3, 8, 8]
    before, after = (OpenVinoRuntime(path, "f32", 1) for path in (bundle.model_path("keypoints", "fp32"), target))
    assert after.contract == before.contract and after.contract["mean"] == "100 110 120"
    assert (after.input_dtype, after.input_shape) == ("uint8", (1, 64, 48, 3))
    wanted, found = before(inputs), after(inputs)
    assert 0 < np.abs(found - wanted).max() < 0.1 * np.ptp(wanted)


def test_the_same_photos_give_the_same_files(bundle_folder, photos, tmp_path, loose_limits):
    for name in ("one", "two"):
        quantize_bundle(bundle_folder, photos, tmp_path / name)
    assert (tmp_path / "one" / MANIFEST).read_bytes() == (tmp_path / "two" / MANIFEST).read_bytes()
    quantize_bundle(bundle_folder, photos, tmp_path / "three", count=10)
    assert (tmp_path / "one" / MANIFEST).read_bytes() != (tmp_path / "three" / MANIFEST).read_bytes()


def test_nothing_is_written_when_an_output_is_over_its_limit(bundle_folder, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(LIMITS, "int8", LIMITS["fp32"])
    with pytest.raises(QuantizeError, match="nothing was written.*over their limits") as caught:
        quantize_bundle(bundle_folder, photos, tmp_path / "out", ("keypoints",))
    assert caught.value.report.failures
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["bundle", "photos"]


def test_verify_leaves_out_a_network_that_is_not_there_in_a_precision(bundle_folder, photos, tmp_path, loose_limits):
    quantize_bundle(bundle_folder, photos, tmp_path / "out", ("segmentation",))
    assert {row.model for row in verify(Bundle.load(tmp_path / "out"), "int8").rows} == {"segmentation"}
    with pytest.raises(BundleError, match="no network is there in int8: choose another --precision"):
        verify(Bundle.load(bundle_folder), "int8")


def test_too_few_photos_a_taken_place_and_a_network_without_a_source_are_refused(bundle_folder, side_folder, photos,
                                                                                 tmp_path):  # fmt: skip
    with pytest.raises(QuantizeError, match="0 crops of feet of .* for side, must be 10 at least.*leave side out"):
        quantize_bundle(side_folder, photos, tmp_path / "out", ("side",))
    with pytest.raises(QuantizeError, match="no network 'side'"):
        quantize_bundle(bundle_folder, photos, tmp_path / "out", ("side",))
    with pytest.raises(BundleError, match="holds a bundle.*--replace"):
        quantize_bundle(bundle_folder, photos, side_folder)
    for path in sorted(photos.iterdir())[9:]:
        path.unlink()
    with pytest.raises(QuantizeError, match="9 photos of .* must be 10 at least"):
        quantize_bundle(bundle_folder, photos, tmp_path / "out")
    manifest = json.loads((bundle_folder / MANIFEST).read_text())
    described = manifest["models"]["keypoints"]
    described |= {"variants": {"int8": described["variants"]["fp16"]}, "default_precision": "int8"}
    (bundle_folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="keypoints is there in int8 alone, must be in fp32 or fp16"):
        quantize_bundle(bundle_folder, photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_does_not_begin_with_its_preprocessing_is_refused(bundle):
    network = load_openvino().Core().read_model(str(bundle.model_path("keypoints", "fp32")))
    check_start(network, "right.xml")
    source = network.inputs[0].node
    convert = next(iter(source.output(0).get_target_inputs())).get_node()
    subtract = next(iter(convert.output(0).get_target_inputs())).get_node()
    subtract.output(0).replace(convert.output(0))
    with pytest.raises(QuantizeError, match="wrong.xml: begins with Convert, Divide, .* must with Convert, Subtract, "):
        check_start(network, "wrong.xml")


def test_what_is_kept_away_from_nncf_is_there_again_afterwards():
    before = {name: sys.modules.get(name, "absent") for name in ("tensorflow", "onnx", "openvino_telemetry")}
    with quiet_nncf():
        with pytest.raises(ImportError):
            import tensorflow  # noqa: F401
    assert {name: sys.modules.get(name, "absent") for name in before} == before


def test_the_command_sends_nothing_and_keeps_standard_output_for_its_report(bundle_folder, photos, tmp_path):
    """In a fresh interpreter and an empty home: telemetry would leave a client's number there before it sends."""
    (tmp_path / "home").mkdir()
    program = (
        "import sys\n"
        "from deploy import parity\n"
        "parity.LIMITS['int8'] = parity.Limits(1.0, 0.1, 0.5, 3.0, 0.8, 0.5)\n"
        "from deploy.commands import deploy\n"
        f"deploy(['quantize', {str(bundle_folder)!r}, '--images', {str(photos)!r}, '--out', {str(tmp_path / 'out')!r},"
        " '--networks', 'segmentation'], standalone_mode=False)\n"
        "import nncf.telemetry\n"
        "assert type(nncf.telemetry.telemetry).__module__ == 'unittest.mock'\n"  # NNCF's own stand-in
        "assert not any(name.startswith(('openvino_telemetry', 'tensorflow')) and module\n"
        "               for name, module in sys.modules.items())\n"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "NNCF_CI", "NNCF_DEV")}
    environment |= {"HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Statistics collection" in done.stderr and "segmentation: fp32 to int8 on 12 images" in done.stderr
    assert "Statistics" not in done.stdout and "nncf" not in done.stdout.lower()
    assert done.stdout.splitlines()[-1] == f"bundle: {tmp_path / 'out'}"
    # matplotlib, which NNCF brings in, keeps a list of fonts.
    left = {path.name for path in (tmp_path / "home").rglob("*")} - {".cache", ".config", "matplotlib"}
    assert all(name.startswith("fontlist") for name in left), left


def write_labelled(folder, pictures, corners, masks, times):
    """A dataset of pictures uint8 (N, H, W, 3), corners (N, 4, 2) and masks (N, H, W), so many times as large: 12 to
    train, the others to validate."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    records = []
    pictures, masks = (part.repeat(times, axis=1).repeat(times, axis=2) for part in (pictures, masks))
    corners = (np.asarray(corners) + 0.5) * times - 0.5
    for number, (picture, points, mask) in enumerate(zip(pictures, corners, masks, strict=True)):
        cv2.imwrite(str(folder / "images" / f"{number:02}.png"), picture[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{number:02}.png"), mask.astype(np.uint8))
        records.append({"file_name": f"{number:02}.png", "width": picture.shape[1], "height": picture.shape[0],
                        "corners": points, "visibility": [2] * 4,
                        "attributes": {"split": "train" if number < 12 else "validation"}})  # fmt: skip
    write_annotations(folder, records)
    return folder


@pytest.fixture
def blocks(bundle, tmp_path):
    """A dataset of coloured blocks, whose masks are what the pixels' network of `bundle` says in floats."""
    pictures = np.random.default_rng(5).integers(0, 256, (16, 6, 8, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    said = OpenVinoRuntime(bundle.model_path("segmentation", "fp32"), "f32", 1)(pictures).argmax(axis=-1)
    return write_labelled(tmp_path / "blocks", pictures, np.ones((16, 4, 2)), said, 5)


@pytest.fixture
def dots(bundle, tiny, tmp_path):
    """A dataset of dots, whose corners are where the corners' network of `bundle` puts them in floats."""
    picture = tiny.inputs()["keypoints"][0]
    pictures = np.stack([np.roll(picture, (number % 4 - 2, number // 4 - 2), (0, 1)) for number in range(16)])
    heatmaps = OpenVinoRuntime(bundle.model_path("keypoints", "fp32"), "f32", 1)(pictures)
    corners = [decode_corners(drawn, 4)[0] for drawn in heatmaps]
    return write_labelled(tmp_path / "dots", pictures, corners, pictures[..., 0] * 0, 3)


def crowded_segmentation(tiny):
    """Writes what `tiny.segmentation` is with two channels more in between, a thousand times as large, which nobody
    reads: in the steps that they need the others are nothing."""

    def write(path):
        loud = 1000 * np.array([[1, -1, 0], [0, 1, -1]])
        kernels = {"wide": np.concatenate([tiny.colours, loud]), "narrow": np.eye(4, 6), "last": np.eye(4)}
        nodes = [helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
                 helper.make_node("Conv", ["planes", "wide"], ["six"], name="wide"),
                 helper.make_node("Conv", ["six", "narrow"], ["four"], name="narrow"),
                 helper.make_node("Conv", ["four", "last"], ["mixed"], name="last"),
                 helper.make_node("Transpose", ["mixed"], ["pixels"], perm=[0, 2, 3, 1]),
                 helper.make_node("Softmax", ["pixels"], ["probabilities"], axis=3)]
        shapes = (1, 24, 32, 3), (1, 24, 32, 4)
        weights = {name: kernel[:, :, None, None].astype(np.float32) for name, kernel in kernels.items()}
        tiny.write_onnx(path, nodes, weights, shapes[0], "probabilities", shapes[1])
        return OnnxModel(path, "NHWC", "probabilities", *shapes, 13)

    return write


def test_accuracy_control_takes_back_what_costs_too_much_and_nothing_else(build_bundle, tiny, blocks, tmp_path,
                                                                          loose_limits):  # fmt: skip
    folder = build_bundle("crowded", shipped={"segmentation": crowded_segmentation(tiny)})
    done = CliRunner().invoke(deploy, ["quantize", str(folder), "--images", str(blocks), "--out", str(tmp_path / "out"),
                                       "--networks", "segmentation", "--max-iou-loss", "20"])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "segmentation: plain INT8 loses" in done.output and "segmentation: with accuracy control" in done.output
    made = Bundle.load(tmp_path / "out")
    told = made.manifest["models"]["segmentation"]["variants"]["int8"]["quantized"]["accuracy"]
    assert told["controlled"] and told["photos"] == 4 and told["limit"] == 20 and told["unit"] == "points of mean IoU"
    assert 50 < told["plain_loss"] < 100 and 0 < told["loss"] <= 20
    network = load_openvino().Core().read_model(str(made.model_path("segmentation", "int8")))
    in_int8 = [node.get_output_shape(0) for node in network.get_ordered_ops() if node.get_type_name() == "Constant"
               and node.get_output_element_type(0).get_type_name() == "i8"]  # fmt: skip
    assert in_int8 == [[6, 3, 1, 1]]  # the first convolution's weights alone


def test_what_is_within_the_limit_is_the_plain_quantisation(bundle_folder, blocks, tmp_path, loose_limits):
    lines = []
    quantize_bundle(bundle_folder, blocks, tmp_path / "plain", ("segmentation",))
    quantize_bundle(bundle_folder, blocks, tmp_path / "held", ("segmentation",), max_loss={"segmentation": 20.0},
                    say=lines.append)  # fmt: skip
    plain, held = (Bundle.load(tmp_path / name).manifest["models"]["segmentation"]["variants"]["int8"]
                   for name in ("plain", "held"))  # fmt: skip
    assert held["xml"] == plain["xml"] and held["bin"] == plain["bin"] and "accuracy" not in plain["quantized"]
    told = held["quantized"]["accuracy"]
    assert not told["controlled"] and 0 < told["loss"] == told["plain_loss"] < 20
    assert not any("taking layers back" in line for line in lines)


def test_a_network_of_which_nothing_could_stay_in_int8_is_not_written(bundle_folder, dots, tmp_path):
    with pytest.raises(QuantizeError, match="nothing of the network is left in INT8 that loses 0 px at most"):
        quantize_bundle(bundle_folder, dots, tmp_path / "out", ("keypoints",), max_loss={"keypoints": 0.0})
    assert not (tmp_path / "out").exists()


def test_a_limit_wants_its_network_and_labelled_photos(bundle_folder, photos, tmp_path):
    command = ["quantize", str(bundle_folder), "--images", str(photos), "--out", str(tmp_path / "out")]
    other = CliRunner().invoke(deploy, [*command, "--networks", "segmentation", "--max-px-loss", "1"])
    assert other.exit_code == 2 and "--max-px-loss is about keypoints, which --networks leaves out" in other.output
    bare = CliRunner().invoke(deploy, [*command, "--max-px-loss", "1"])
    assert bare.exit_code == 1 and "annotations.json" in bare.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options, told", [(["--networks", "keypoints,feet"], "must be names out of keypoints"),
                                           (["--count", "9"], "9 is not in the range x>=10")])  # fmt: skip
def test_wrong_options_are_wrong_usage(bundle_folder, photos, tmp_path, options, told):
    done = CliRunner().invoke(deploy, ["quantize", str(bundle_folder), "--images", str(photos), "--out",
                                       str(tmp_path / "out"), *options])  # fmt: skip
    assert done.exit_code == 2 and told in done.output


def test_a_folder_without_photos_and_one_that_is_not_there_are_one_line(bundle_folder, photos, tmp_path):
    shutil.rmtree(photos)
    command = ["quantize", str(bundle_folder), "--images", str(photos), "--out", str(tmp_path / "out")]
    missing = CliRunner().invoke(deploy, command)
    photos.mkdir()
    empty = CliRunner().invoke(deploy, command)
    assert missing.exit_code == empty.exit_code == 1
    assert "No such file" in missing.output and "has no photos: give a dataset or a folder" in empty.output
    assert not (tmp_path / "out").exists()
