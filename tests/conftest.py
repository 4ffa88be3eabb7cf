"""What every converted network is held to, whichever package it is of."""

import tempfile
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def check_conversion(tmp_path, capfd):
    """A function that holds a network's ONNX file, and the IR made of it, to what is promised of all of them.

    native: the network in its framework, as deploy.runtimes calls one. spec: its InputSpec or CropSpec, or what has
    height, width, mean and std of any number of channels. images: uint8 (3, H, W, C); noise by default, dark noise and
    light. Returns the answers to them, {"native", "onnx" and each of `precisions`: float32 array}.
    """

    def check(onnx_model, native, spec, opset, precisions=("fp32",), images=None):
        from deploy.convert import onnx_to_ir
        from deploy.parity import LIMITS
        from deploy.runtimes import OnnxRuntime, OpenVinoRuntime

        if images is None:
            shape = (3, spec.height, spec.width, len(spec.mean))
            images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
            images[1], images[2] = images[1] // 4, 255 - images[2] // 4
        answers = {"native": native(images)}
        check_onnx_file(onnx_model, opset, answers["native"].shape)
        capfd.readouterr()
        runtime = OnnxRuntime(onnx_model.path, spec, onnx_model.layout, threads=1)
        said = capfd.readouterr()
        assert said.err + said.out == ""  # ONNX Runtime writes its warnings past Python
        answers["onnx"] = runtime(images)
        paths = onnx_to_ir(onnx_model, spec, Path(tempfile.mkdtemp(dir=tmp_path)), "network", precisions)
        for precision, path in paths.items():
            answers[precision] = OpenVinoRuntime(path, "f32", threads=1)(images)
        limit = LIMITS["fp32"].largest * np.ptp(answers["native"])
        # Were images answered alike, a batch of which the first alone is answered would not show.
        assert np.abs(np.diff(answers["native"], axis=0)).max() > limit > 0
        for name in ("onnx", "fp32"):
            np.testing.assert_allclose(answers[name], answers["native"], rtol=0, atol=limit, err_msg=name)
        np.testing.assert_allclose(in_one_batch(paths["fp32"], images), answers["fp32"], rtol=0, atol=limit)
        return answers

    return check


def check_onnx_file(onnx_model, opset, answered):
    """The file is what the strict checkers want, nothing in it is left to be computed from constants, and it tells its
    opset and its shapes, which are those of the answer `answered` but for the batch."""
    import onnx

    graph = onnx.load(str(onnx_model.path))
    onnx.checker.check_model(graph, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True, data_prop=True).graph
    assert [value.name for value in inferred.input] == ["image"]
    assert [value.name for value in inferred.output] == [onnx_model.output]
    shapes = [tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
              for value in (inferred.input[0], inferred.output[0])]
    assert shapes == [onnx_model.input_shape, onnx_model.output_shape] and shapes[1] == (1, *answered[1:])
    assert {entry.version for entry in graph.opset_import if not entry.domain} == {opset} == {onnx_model.opset}
    constants = {"", *(tensor.name for tensor in inferred.initializer)}
    constants |= {name for node in inferred.node if node.op_type == "Constant" for name in node.output}
    foldable = [node.name for node in inferred.node if node.op_type != "Constant" and constants.issuperset(node.input)]
    assert not foldable


def in_one_batch(path, images):
    """What an IR file, reshaped to the batch of `images`, answers to all of them at once."""
    from deploy.runtimes import load_openvino

    core = load_openvino().Core()
    network = core.read_model(str(path))
    network.reshape(list(images.shape))
    return core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([images])[0]
