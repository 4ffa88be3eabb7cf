import numpy as np
import pytest

from deploy.benchmark import peak
from deploy.benchmark.peak import PRODUCT_FLOPS, measure, subjects
from deploy.runtimes import load_openvino

SMALL = {"product": ((64, 64), (64, 64)), "convolution": ((1, 16, 8, 8), (16, 16, 3, 3))}


def test_the_best_call_counts(monkeypatch):
    took, now = iter([9.0, 4.0, 2.0, 3.0, 5.0]), [0.0]

    def call():
        now[0] += next(took)

    monkeypatch.setattr(peak, "_call", lambda *told: call)
    # The first call, of nine seconds, only warms; three more are past the two seconds that it may take.
    assert measure("numpy", "product", "FP32", 1, 2.0, lambda: now[0]) == PRODUCT_FLOPS / 2.0
    assert list(took) == [5.0]


def test_what_is_looked_at_is_what_there_is(monkeypatch):
    monkeypatch.setattr(peak.importlib.util, "find_spec", lambda name: name == "tensorflow" or None)
    assert subjects({"CPU": ("FP32", "INT8")}) == [
        ("numpy", "product", "FP32"), ("tensorflow", "product", "FP32"), ("tensorflow", "convolution", "FP32"),
        *(("OpenVINO CPU", work, precision) for precision in ("FP32", "INT8") for work in ("product", "convolution"))]


@pytest.mark.parametrize("work", ["product", "convolution"])
def test_bytes_are_computed_in_bytes(monkeypatch, work):
    monkeypatch.setattr(peak, "SHAPES", SMALL)
    compiled = load_openvino().Core().compile_model(peak.network(work, True), "CPU", {"INFERENCE_NUM_THREADS": 1})
    kinds = {node.get_rt_info()["layerType"].astype(str): node.get_rt_info()["runtimePrecision"].astype(str)
             for node in compiled.get_runtime_model().get_ordered_ops()}
    assert kinds["FullyConnected" if work == "product" else "Convolution"] in ("u8", "i8")
    result = compiled(np.full(compiled.inputs[0].shape, 0.5, np.float32))[0]
    assert np.isfinite(result).all() and np.ptp(result) > 0


@pytest.mark.parametrize("library", ["mxnet", "tensorflow", "ONNX Runtime"])
@pytest.mark.parametrize("work", ["product", "convolution"])
def test_every_library_does_the_work(monkeypatch, work, library):
    pytest.importorskip({"ONNX Runtime": "onnxruntime"}.get(library, library))
    monkeypatch.setattr(peak, "SHAPES", SMALL)
    monkeypatch.setattr(peak, "CHANNELS", 16)
    # TensorFlow takes neither once it has computed, as it may have in this process.
    for name in ("keep_to_cpu", "limit_tensorflow"):
        monkeypatch.setattr(f"deploy.frozen_graph.{name}", lambda *told: None)
    assert measure(library, work, "FP32", 1, 0.01) > 0
