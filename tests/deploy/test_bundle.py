"""A bundle is checked before it is used: schema, files, hashes; every fault names its file and the rule."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from deploy.bundle import (
    CARD,
    GOLDEN,
    HEATMAPS,
    MANIFEST,
    Bundle,
    BundleError,
    CropSpec,
    check_manifest,
    file_record,
    maps_of,
    read_golden,
    write_golden,
    write_manifest,
)
from deploy.card import model_card
from deploy.parity import verify
from keypoints.calibration import Calibration
from scenes.files import file_sha256
from scenes.images import InputSpec


def change(folder, path, value):
    """Sets one field of a manifest, `path` as "models.keypoints.input.fit", without any check."""
    file = folder / MANIFEST
    manifest = json.loads(file.read_text())
    *parents, last = path.split("/")
    place = manifest
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    file.write_text(json.dumps(manifest))


def test_a_bundle_says_what_its_networks_take(bundle, bundle_folder):
    assert bundle.input_spec("keypoints") == InputSpec(64, 48, "letterbox", (100, 110, 120), (50, 60, 70))
    assert bundle.input_spec("segmentation") == InputSpec(24, 32, "stretch", (100, 110, 120), (50, 60, 70))
    assert bundle.output("keypoints")["stride"] == 4
    assert bundle.precisions("keypoints") == ("fp32", "fp16")
    assert bundle.model_path("keypoints") == bundle_folder / "keypoints.fp16.xml"
    assert bundle.model_path("segmentation", "fp32") == bundle_folder / "segmentation.fp32.xml"


def test_a_bundle_may_have_a_network_for_the_side(bundle, side_folder):
    assert bundle.models == ("keypoints", "segmentation") and "side" not in bundle.golden()
    both = Bundle.load(side_folder)
    assert both.models == ("keypoints", "segmentation", "side")
    assert both.crop_spec() == CropSpec(16, 320.0, (100, 110, 120, 0), (50, 60, 70, 255))
    assert both.model_path("side") == side_folder / "side.fp16.xml"
    crops, probabilities = both.golden()["side"]
    assert crops.shape == (2, 16, 16, 4) and crops.dtype == np.uint8 and probabilities.shape == (2, 2)
    card = (side_folder / CARD).read_text()
    assert "## Side" in card and "320 mm" in card and "in this order: left, right" in card
    path = side_folder / "side.fp16.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match="side.fp16.bin.*changed or damaged"):
        Bundle.load(side_folder)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("models/side", [], "models.side must be there and be a dict"),
        ("models/side/labels", ["right", "left"], "models.side.labels is"),
        ("models/side/input/colour", "RGB", "must be 'RGB and mask'"),
        ("models/side/input/fit", "letterbox", "fit is 'letterbox'"),
        ("models/side/input/shape", [1, 16, 16, 3], "must be .1, height, width, 4"),
        ("models/side/input/shape", [1, 16, 18, 4], "must be a square"),
        ("models/side/input/mean", [1, 2, 3], "must be four numbers"),
        ("models/side/input/std", [1, 2, 3, 0], "must be above 0"),
        ("models/side/input/span_mm", 0, "span_mm is 0, must be millimetres above 0"),
        ("models/side/output/shape", [1, 4], "must be .1, 2"),
        ("models/side/output/name", "side", "must be 'probabilities'"),
    ],
)
def test_every_rule_of_the_side(side_folder, path, value, rule):
    change(side_folder, path, value)
    with pytest.raises(BundleError, match=rule):
        Bundle.load(side_folder)


@pytest.mark.parametrize("maps", HEATMAPS)
def test_a_bundle_names_the_kind_of_its_maps(build_bundle, maps):
    folder = build_bundle(maps=maps)
    bundle = Bundle.load(folder)
    assert bundle.maps == maps and bundle.output("keypoints")["shape"][1] == HEATMAPS[maps][0]
    assert f"- {HEATMAPS[maps][1]}; decoded corners go" in (folder / CARD).read_text()
    assert verify(bundle).passed
    # The file says it too, so that leaving it out of the manifest does not make another kind of it.
    change(folder, "models/keypoints/output/maps", None)
    failures = verify(Bundle.load(folder)).failures
    assert {(row.check, row.value, row.limit) for row in failures if isinstance(row.limit, str)} == {
        ("maps", maps, "not said in the manifest")}  # fmt: skip


def test_maps_without_a_name_are_told_by_their_number(bundle):
    """As in bundles of before there were three kinds."""
    assert "maps" not in bundle.output("keypoints") and bundle.maps == "each"
    assert maps_of({"shape": [1, 3, 16, 12]}) == "shared"


CALIBRATION = {"limit_percent": 1.0, "scores": [0.2, 0.6], "probabilities": [0.1, 0.9], "temperature": 1.5,
               "corners": 9}  # fmt: skip


def test_a_bundle_may_have_a_calibration(bundle, bundle_folder):
    assert bundle.calibration is None
    change(bundle_folder, "models/keypoints/calibration", CALIBRATION)
    found = Bundle.load(bundle_folder)
    assert found.calibration == Calibration(1.0, (0.2, 0.6), (0.1, 0.9), 1.5, 9)
    assert "- calibrated on 9 corners: " in model_card(found.manifest) and "less than 1 %" in model_card(found.manifest)


@pytest.mark.parametrize("told", [3, {}, CALIBRATION | {"more": 1}, CALIBRATION | {"scores": 0.2},
                                  CALIBRATION | {"scores": [0.6, 0.2]}, CALIBRATION | {"probabilities": [0.1, 2]},
                                  CALIBRATION | {"temperature": "hot"}, CALIBRATION | {"corners": None}])  # fmt: skip
def test_a_calibration_that_is_none_is_refused(bundle_folder, told):
    change(bundle_folder, "models/keypoints/calibration", told)
    with pytest.raises(BundleError, match="models.keypoints.calibration .*export the bundle anew"):
        Bundle.load(bundle_folder)


def test_a_precision_that_is_not_there_is_told_with_those_that_are(bundle):
    with pytest.raises(BundleError, match="int8; there is fp32, fp16"):
        bundle.model_path("keypoints", "int8")


@pytest.mark.parametrize("name", ["keypoints.fp16.bin", "segmentation.fp32.xml", GOLDEN, CARD])
def test_one_flipped_bit_in_any_file_is_found(bundle_folder, name):
    path = bundle_folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="changed or damaged") as caught:
        Bundle.load(bundle_folder)
    assert caught.value.file == str(path)
    assert caught.value.code == "bundle_invalid"


def test_a_missing_file_is_named(bundle_folder):
    (bundle_folder / "keypoints.fp16.bin").unlink()
    with pytest.raises(BundleError, match="keypoints.fp16.bin: cannot be read"):
        Bundle.load(bundle_folder)


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="manifest.json: missing.*deploy export"):
        Bundle.load(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="cannot be read as JSON"):
        Bundle.load(tmp_path)
    (tmp_path / MANIFEST).write_text("[]")
    with pytest.raises(BundleError, match="JSON object"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"schema": 1, "models": ',
                                     b'{"schema": ' + b"9" * 5000 + b"}",
                                     b'{"schema": 1, "models": ' + b"[" * 400 + b"]" * 400 + b"}"])
def test_a_manifest_that_cannot_be_read_says_what_to_do(bundle_folder, content):
    (bundle_folder / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match="manifest.json: cannot be read as JSON .*: export the bundle anew") as caught:
        Bundle.load(bundle_folder)
    assert "\n" not in caught.value.message


def test_files_that_were_damaged_before_they_were_hashed(bundle_folder):
    """As on a bad disk: what is inside is looked at when it is used, and says what to do as well."""
    path = bundle_folder / GOLDEN
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:60] + bytes(40) + content[100:]):
        path.write_bytes(damaged)
        change(bundle_folder, "golden", file_record(bundle_folder, GOLDEN))
        with pytest.raises(BundleError, match="golden.npz: is not golden data .*export the bundle anew"):
            Bundle.load(bundle_folder).golden()
    path.write_bytes(content)
    change(bundle_folder, "golden", file_record(bundle_folder, GOLDEN))
    for part in ("xml", "bin"):
        path = bundle_folder / f"keypoints.fp16.{part}"
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        change(bundle_folder, f"models/keypoints/variants/fp16/{part}", file_record(bundle_folder, path.name))
        with pytest.raises(BundleError, match="keypoints.fp16.xml: OpenVINO cannot load it .*copy or export"):
            verify(Bundle.load(bundle_folder), "fp16")
        path.write_bytes(content)
        change(bundle_folder, f"models/keypoints/variants/fp16/{part}", file_record(bundle_folder, path.name))


def test_a_bundle_from_the_future_asks_for_a_newer_program(bundle_folder):
    for content in ({"schema": 2}, {"schema": 2, "networks": ["all new"]}):
        (bundle_folder / MANIFEST).write_text(json.dumps(content))
        with pytest.raises(BundleError, match="schema 2.*install a newer foliopie"):
            Bundle.load(bundle_folder)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("schema", "1", "schema is '1'"),
        ("schema", True, "schema is True"),
        ("models", [], "models must be there and be a dict"),
        ("models/segmentation", None, "models.segmentation must be there"),
        ("models/keypoints/input/colour", "BGR", "must be 'RGB'"),
        ("models/keypoints/input/layout", "NCHW", "must be 'NHWC'"),
        ("models/keypoints/input/dtype", "float32", "must be 'uint8'"),
        ("models/keypoints/input/fit", "crop", "fit is 'crop'"),
        ("models/keypoints/input/shape", [1, 64, 48, 4], "must be .1, height, width, 3"),
        ("models/keypoints/input/mean", [1, 2], "must be three numbers"),
        ("models/keypoints/input/mean", [1, 2, float("nan")], "must be three numbers"),
        ("models/keypoints/input/std", [1, 0, 1], "must be above 0"),
        ("models/keypoints/output/name", "probabilities", "must be 'heatmaps'"),
        ("models/keypoints/output/shape", [1, 16, 12, 4], "4 or 3 channels at axis 1"),
        ("models/keypoints/output/stride", 0, "stride is 0"),
        ("models/keypoints/output/maps", "shared", "maps is 'shared' with 4 channels, must have 3: three heatmaps"),
        ("models/keypoints/output/maps", "all", "maps is 'all', must be one of each, shared, sheet"),
        ("models/keypoints/output/maps", ["each"], "must be one of each, shared, sheet"),
        ("models/keypoints/corner_order", "anticlockwise", "corner_order is 'anticlockwise'"),
        ("models/segmentation/labels", ["background", "sheet", "right_foot", "left_foot"], "labels is"),
        ("models/segmentation/variants", {}, "variants is empty"),
        ("models/segmentation/default_precision", "int8", "default_precision is 'int8'"),
        ("models/segmentation/default_precision", ["fp16"], "default_precision is .'fp16'."),
        ("models/keypoints/input/mean", [10**400, 1, 2], "must be three numbers"),
        ("models/keypoints/calibration", {"limit_percent": 1.0, "scores": [10**400], "probabilities": [0.5],
                                          "temperature": 1.0, "corners": 1}, "calibration cannot be used"),
        ("models/segmentation/variants/fp16/bin", None, "bin must be there"),
        ("models/segmentation/variants/fp16/bin/file", "segmentation.fp32.bin", "must name X.xml and X.bin"),
        ("models/segmentation/variants/fp16/xml/file", "../segmentation.fp16.xml", "relative path within the bundle"),
        ("golden/file", "/etc/passwd", "relative path within the bundle"),
        ("golden/file", ".", "relative path within the bundle"),
        ("golden/file", "a\0b", "relative path within the bundle"),
        ("golden/file", "\ud800", "relative path within the bundle"),
        ("models/segmentation/variants/fp16/bin/file", "./.", "relative path within the bundle"),
        ("golden/file", "..\\golden.npz", "relative path within the bundle"),
        ("golden/sha256", "abc", "64 hexadecimal digits"),
        ("golden", None, "golden must be there"),
    ],
)
def test_every_rule_of_the_schema(bundle_folder, path, value, rule):
    change(bundle_folder, path, value)
    with pytest.raises(BundleError, match=rule) as caught:
        Bundle.load(bundle_folder)
    assert caught.value.file == str(bundle_folder / MANIFEST)
    assert "\n" not in caught.value.message


def test_a_manifest_that_breaks_a_rule_is_not_written(bundle, bundle_folder):
    before = (bundle_folder / MANIFEST).read_bytes()
    with pytest.raises(BundleError):
        write_manifest(bundle_folder, bundle.manifest | {"schema": 0})
    write_manifest(bundle_folder, bundle.manifest)
    assert (bundle_folder / MANIFEST).read_bytes() == before
    assert not list(bundle_folder.glob("*.part"))


def test_a_manifest_without_a_card_is_one_too(bundle):
    check_manifest({key: value for key, value in bundle.manifest.items() if key != "card"}, "manifest.json")


def test_golden_data_come_back(tmp_path):
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(size=(2, 4, 3, 2)).astype(np.float32)
    probabilities = rng.random((2, 5, 6, 4)).astype(np.float32)
    images = rng.integers(0, 256, (2, 5, 6, 3), dtype=np.uint8)
    write_golden(tmp_path / "golden" / "golden.npz", {"keypoints": (images, heatmaps),
                                                      "segmentation": (images[::-1], probabilities)})
    read = read_golden(tmp_path / "golden" / "golden.npz")
    assert (read["keypoints"][0] == images).all() and (read["keypoints"][1] == heatmaps).all()
    assert (read["segmentation"][0] == images[::-1]).all()
    # half of 1/65535, and the rounding of float32
    assert read["segmentation"][1].dtype == np.float32
    assert np.abs(read["segmentation"][1] - probabilities).max() < 0.5 / 65535 + 1e-7


@pytest.mark.parametrize("span", [0.0, 1e-3])
def test_golden_probabilities_that_hardly_differ_keep_their_differences(tmp_path, span):
    """An untrained network's are all near a quarter, and its parity is a share of their range."""
    probabilities = (0.25 + span * np.random.default_rng(0).random((1, 5, 6, 4))).astype(np.float32)
    golden = {"keypoints": (np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 1, 1), np.float32)),
              "segmentation": (np.zeros((1, 5, 6, 3), np.uint8), probabilities)}
    write_golden(tmp_path / "golden.npz", golden)
    read = read_golden(tmp_path / "golden.npz")["segmentation"][1]
    assert np.abs(read - probabilities).max() <= span * 0.5 / 65535 + 6e-8


def stored(arrays, name, content):
    """An .npz of arrays, bytes of a file of the name `name` in it replaced."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    with zipfile.ZipFile(stream) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()} | {name: content}
    with zipfile.ZipFile(stream, "w") as archive:
        for entry, data in files.items():
            archive.writestr(entry, data)
    return stream.getvalue()


@pytest.mark.parametrize(("name", "content"), [
    ("keypoints_image.npy", b"no array"),  # which NumPy gives as bytes
    ("keypoints_image.npy", b"\x93NUMPY\1\0\x10\0{'descr': (         \n"),  # tokens without an end
    ("keypoints_image.npy", b"\x93NUMPY\1\0\x10\0{'descr': '|u1'}\n"),
    ("keypoints_heatmaps.npy", b""),
    ("segmentation_probabilities_u16.npy", b"no array"),
])  # fmt: skip
def test_golden_data_that_are_no_arrays(tmp_path, name, content):
    rng = np.random.default_rng(0)
    arrays = {"keypoints_image": rng.integers(0, 9, (1, 2, 2, 3), np.uint8),
              "keypoints_heatmaps": rng.random((1, 4, 1, 1)),
              "segmentation_image": rng.integers(0, 9, (1, 2, 2, 3), np.uint8),
              "segmentation_probabilities_u16": rng.integers(0, 9, (1, 2, 2, 4), np.uint16),
              "segmentation_range": np.array([0.0, 1.0])}
    path = tmp_path / "golden.npz"
    np.savez(path, **arrays)
    assert set(read_golden(path)) == {"keypoints", "segmentation"}
    path.write_bytes(stored(arrays, name, content))
    with pytest.raises(BundleError, match="is not golden data .*export the bundle anew") as caught:
        read_golden(path)
    assert "\n" not in caught.value.message
    for changed in ({"keypoints_heatmaps": np.zeros((2, 2))}, {"segmentation_range": np.zeros((1, 2))},
                    {"segmentation_image": np.array([["text"]])}):
        np.savez(path, **arrays | changed)
        with pytest.raises(BundleError, match="is no array of|not enough"):
            read_golden(path)


class Trap:
    """What a pickle would call when it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("golden data were executed",))


def test_nothing_in_a_bundle_is_executed(bundle_folder):
    path = bundle_folder / GOLDEN
    np.savez(path, keypoints_heatmaps=np.array([Trap()], dtype=object))
    change(bundle_folder, "golden", file_record(bundle_folder, GOLDEN))
    with pytest.raises(BundleError, match="is not golden data"):
        Bundle.load(bundle_folder).golden()
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BundleError, match="is not golden data"):
        read_golden(path)


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
