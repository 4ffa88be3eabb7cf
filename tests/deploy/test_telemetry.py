"""Our commands send nothing and start no process that could: looked at from inside, through Python's audit events.

OpenVINO and NNCF report their use from a forked process, where `openvino_telemetry` is installed; on a closed network
that process hangs, and the command with it.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.bundle import DEFAULT_FOLDER
from deploy.golden import draw_scene

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = DEFAULT_FOLDER.parents[1] / "samples" / "empty_sheet.jpg"
# Tells on standard error of what sends or forks, and does not let it: the test itself must send nothing either.
WATCHED = """
import sys
def watch(event, arguments):
    if event in ("os.fork", "os.forkpty") or event.startswith("socket.") and event != "socket.__new__":
        print("SENDING:", event, arguments, file=sys.stderr)
        raise ConnectionRefusedError(event)
sys.addaudithook(watch)
"""
COMMANDS = WATCHED + """
import json
import foliopie
from deploy import parity
parity.LIMITS["int8"] = parity.Limits(1.0, 0.1, 0.5, 3.0, 0.8, 0.5)
for arguments in json.loads(sys.argv[1]):
    foliopie.main(arguments, standalone_mode=False)
"""
CONVERSION = WATCHED + """
from pathlib import Path
from deploy.convert import OnnxModel, onnx_to_ir
from scenes.images import InputSpec
path, folder = map(Path, sys.argv[1:])
model = OnnxModel(path, "NHWC", "probabilities", (1, 24, 32, 3), (1, 24, 32, 4), 13)
onnx_to_ir(model, InputSpec(24, 32, "stretch", (1, 2, 3), (4, 5, 6)), folder, "made")
"""


def run(program, home, *arguments):
    """Runs a program in a fresh interpreter and an empty home, where no telemetry has been refused before, and without
    the variables by which it knows a build server. A hang is a failure."""
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "NNCF_CI", "NNCF_DEV")}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, env=environment,
                          capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)  # fmt: skip


@pytest.mark.skipif(find_spec("openvino_telemetry") is None, reason="openvino_telemetry is not installed")
def test_telemetry_would_be_seen(tmp_path):
    """What the other tests look for is there when OpenVINO is imported as it comes."""
    assert "SENDING: os.fork" in run(WATCHED + "import openvino", tmp_path / "home").stderr


@pytest.mark.skipif(find_spec("nncf") is None, reason="NNCF is not installed")
def test_measuring_verifying_quantizing_and_serving_send_nothing(bundle_folder, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(10):
        cv2.imwrite(str(photos / f"{number}.png"), draw_scene(rng)[0][::2, ::2, ::-1])
    new, serving = tmp_path / "new", tmp_path / "serving"
    commands = [["deploy", "verify", bundle_folder], ["deploy", "serving", bundle_folder, "--out", serving],
                ["deploy", "quantize", bundle_folder, "--images", photos, "--out", new, "--networks", "segmentation"],
                ["deploy", "verify", new], ["measure", SAMPLE, "--json", tmp_path / "answer.json"]]  # fmt: skip
    done = run(COMMANDS, tmp_path / "home", json.dumps([[str(word) for word in command] for command in commands]))
    assert done.returncode == 0 and "SENDING" not in done.stderr, done.stderr
    for path in (new / "segmentation.int8.xml", serving / "config.json", tmp_path / "answer.json"):
        assert path.exists()


def test_converting_sends_nothing(tiny, tmp_path):
    path = tiny.segmentation(tmp_path / "network.onnx").path
    done = run(CONVERSION, tmp_path / "home", path, tmp_path)
    assert done.returncode == 0 and "SENDING" not in done.stderr, done.stderr
    assert (tmp_path / "made.fp16.bin").exists()
