"""Every runtime takes the same uint8 images and normalises them alike; none of them sends anything."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deploy.bundle import BundleError
from deploy.runtimes import KerasRuntime, MxnetRuntime, OnnxRuntime, OpenVinoRuntime, check_images, normalise
from scenes.images import InputSpec

ROOT = Path(__file__).resolve().parents[2]


def softmax(values):
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_normalise_is_the_formula():
    images = np.array([[[[0, 128, 255]]]], np.uint8)
    spec = InputSpec(1, 1, "letterbox", (10, 28, 55), (10, 50, 100))
    assert normalise(images, spec).tolist() == [[[[-1.0, 2.0, 2.0]]]]
    assert normalise(images, spec).dtype == np.float32


def test_openvino_and_onnx_runtime_give_what_the_formula_gives(bundle, tiny, tmp_path):
    images = tiny.inputs()["segmentation"]
    expected = softmax(normalise(images, tiny.segmentation_spec) @ tiny.colours.T)
    openvino = OpenVinoRuntime(bundle.model_path("segmentation", "fp32"), precision_hint="f32", threads=1)
    assert np.abs(openvino(images) - expected).max() < 1e-6
    onnx_model = tiny.segmentation(tmp_path / "segmentation.onnx")
    assert np.abs(OnnxRuntime(onnx_model.path, tiny.segmentation_spec, "NHWC", 1)(images) - expected).max() < 1e-6


def test_an_answer_is_not_overwritten_by_the_next(bundle, tiny):
    first, second = tiny.inputs()["segmentation"]
    runtime = OpenVinoRuntime(bundle.model_path("segmentation"), threads=1)
    answer = runtime(first[None])
    before = answer.copy()
    runtime(second[None])
    assert (answer == before).all()
    assert (runtime(np.stack([first, second]))[0] == before[0]).all()


def test_batches_and_streams_give_what_single_images_give(bundle, tiny):
    images = np.concatenate([tiny.inputs()["segmentation"]] * 2)
    path = bundle.model_path("segmentation", "fp32")
    single = OpenVinoRuntime(path, "f32", threads=2)(images)
    in_twos = OpenVinoRuntime(path, "f32", threads=2, batch=2)
    assert np.abs(in_twos(images) - single).max() < 1e-6 and in_twos.input_shape == (1, 24, 32, 3)
    with pytest.raises(ValueError, match="3 images are no multiple of the batch, 2"):
        in_twos(images[:3])
    one = OpenVinoRuntime(path, "f32", threads=2, streams=2)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda index: one(images[index % 4][None]), range(40)))
    assert all((answer == answers[index % 4]).all() for index, answer in enumerate(answers))
    assert np.abs(np.concatenate(answers[:4]) - single).max() < 1e-6


def test_onnx_runtime_does_not_fall_back_unnoticed(tiny, tmp_path):
    onnx_model = tiny.segmentation(tmp_path / "segmentation.onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(RuntimeError, match="has no CUDAExecutionProvider, it has .*CPUExecutionProvider"):
        OnnxRuntime(onnx_model.path, tiny.segmentation_spec, "NHWC", 1, "CUDAExecutionProvider")


def test_a_file_says_what_it_takes_and_gives(bundle):
    runtime = OpenVinoRuntime(bundle.model_path("keypoints"), threads=1)
    assert (runtime.input_name, runtime.input_dtype, runtime.input_shape) == ("image", "uint8", (1, 64, 48, 3))
    assert (runtime.output_name, runtime.output_shape) == ("heatmaps", (1, 4, 16, 12))
    assert runtime.contract["mean"] == "100 110 120" and runtime.contract["colour"] == "RGB"


@pytest.mark.parametrize("images", [np.zeros((1, 4, 5, 3), np.float32), np.zeros((4, 5, 3), np.uint8),
                                    np.zeros((1, 5, 4, 3), np.uint8), np.zeros((1, 4, 5, 1), np.uint8)])  # fmt: skip
def test_images_of_another_kind_are_refused(images):
    with pytest.raises(ValueError, match=r"the network takes uint8 \(N, 4, 5, 3\)"):
        check_images(images, (4, 5, 3))


def test_a_file_that_openvino_cannot_read_is_an_error_of_the_bundle(tmp_path):
    (tmp_path / "broken.xml").write_text("<net>")
    with pytest.raises(BundleError, match="broken.xml: OpenVINO cannot load it") as caught:
        OpenVinoRuntime(tmp_path / "broken.xml")
    assert "\n" not in caught.value.message


def test_the_frameworks_see_channels_and_axes_as_they_expect(tiny):
    images = tiny.inputs()["segmentation"]
    spec = tiny.segmentation_spec
    mxnet = pytest.importorskip("mxnet")
    gluon = MxnetRuntime(lambda planes: mxnet.nd.transpose(planes, axes=(0, 2, 3, 1)), spec)
    assert (gluon(images) == normalise(images, spec)).all()
    # A Keras model is called with `training`, and gives something that becomes an array.
    keras = KerasRuntime(lambda pixels, training: pixels if not training else None, spec)
    assert (keras(images) == normalise(images, spec)).all()


def test_openvino_is_imported_without_its_telemetry(bundle, tmp_path):
    """In a fresh interpreter and an empty home: telemetry would leave a client's number there before it sends."""
    program = (
        "import sys\n"
        "from deploy.runtimes import OpenVinoRuntime\n"
        "assert 'openvino' not in sys.modules\n"
        f"OpenVinoRuntime({str(bundle.model_path('keypoints'))!r}, threads=1)\n"
        "assert 'openvino' in sys.modules\n"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {"HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert not list(home.iterdir())
