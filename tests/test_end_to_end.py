"""The whole path once, each step by its own command: render, train, train, export, verify, measure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
MEASURED_KEYS = {"photo", "width", "height", "sheet", "corners", "camera", "feet", "warnings", "milliseconds"}


def foliopie(*arguments, status=0):
    """Runs a command in a process of its own, as a user does; gives its stdout."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run([sys.executable, str(ROOT / "foliopie.py"), *map(str, arguments)], capture_output=True,
                          text=True, env=environment, timeout=300)  # fmt: skip
    assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with four rendered scenes, two runs of two steps each, and the bundle made of them."""
    pytest.importorskip("mitsuba")
    folder = tmp_path_factory.mktemp("path")
    foliopie("scenes", "render", folder / "scenes", "--count", 4, "--seed", 1, "--size", "150x200")
    training = ("--batch", 2, "--epochs", 1, "--threads", 1)
    foliopie("keypoints", "train", folder / "scenes", "--out", folder / "keypoints", "--size", "96x64", *training)
    foliopie("segmentation", "train", folder / "scenes", "--out", folder / "segmentation", "--size", "96x96",
             "--head-channels", 32, *training)  # fmt: skip
    foliopie("deploy", "export", "--keypoints", folder / "keypoints", "--segmentation", folder / "segmentation",
             "--out", folder / "bundle", "--images", folder / "scenes", "--onnx", folder / "onnx",
             "--precision", "fp16", "--precision", "fp32")  # fmt: skip
    return folder


def test_the_scenes_are_a_dataset_without_fault(made):
    foliopie("scenes", "check", made / "scenes")
    assert len(list((made / "scenes" / "images").iterdir())) == 4


def test_the_bundle_is_whole_and_says_where_it_is_from(made):
    manifest = json.loads((made / "bundle" / "manifest.json").read_text())
    assert manifest["models"]["keypoints"]["input"]["shape"] == [1, 96, 64, 3]
    assert manifest["models"]["keypoints"]["output"]["shape"] == [1, 4, 24, 16]
    assert manifest["models"]["segmentation"]["output"]["shape"] == [1, 96, 96, 4]
    assert set(manifest["models"]["segmentation"]["variants"]) == {"fp32", "fp16"}
    assert {"mxnet", "keras", "openvino"} <= set(manifest["versions"])
    # No path of the machine that it was made on.
    assert str(made) not in (made / "bundle" / "manifest.json").read_text()
    assert not [path for path in made.iterdir() if path.name.startswith(".bundle")]
    assert (made / "onnx" / "keypoints.onnx").exists() and (made / "onnx" / "segmentation.onnx").exists()


def test_the_bundle_answers_as_its_frameworks_did(made):
    told = foliopie("deploy", "verify", made / "bundle")
    assert "keypoints fp32" in told and "segmentation fp16" in told and "FAIL" not in told


def test_a_bundle_in_place_is_not_written_over(made):
    before = (made / "bundle" / "manifest.json").read_bytes()
    foliopie("deploy", "export", "--keypoints", made / "keypoints", "--segmentation", made / "segmentation",
             "--out", made / "bundle", status=1)  # fmt: skip
    assert (made / "bundle" / "manifest.json").read_bytes() == before


def test_a_photo_is_answered_by_the_bundle(made):
    """After two steps no corner can be expected; the answer has its form, be it a measurement or an error."""
    photo = sorted((made / "scenes" / "images").iterdir())[0]
    command = [sys.executable, str(ROOT / "foliopie.py"), "measure", str(photo), "--bundle", str(made / "bundle"),
               "--json", str(made / "answer.json")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    (answer,) = json.loads((made / "answer.json").read_text())
    assert answer["photo"] == str(photo)
    if "error" in answer:
        assert done.returncode == 1 and answer["error"]["code"] in {"sheet_not_found", "sheet_cut_off"}
        assert answer["error"]["message"] in done.stderr
    else:
        assert done.returncode == 0 and set(answer) >= MEASURED_KEYS
        assert len(answer["corners"]) == 4 and answer["sheet"]["format"] in {"a4", "letter"}
