"""Which rows there are, and the reason that each of the others is given."""

import pytest

from deploy.benchmark.rows import Facts, Row, all_rows, divide, reference_of, source_of, unavailable

EVERYTHING = frozenset({"mxnet", "gluoncv", "tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime"})
BASE = Facts({"keypoints": ("int8",), "segmentation": ("fp16", "int8")}, frozenset(), frozenset(), (),
             {"CPU": ("FP32", "BF16", "INT8")})  # fmt: skip
FULL = Facts(BASE.variants, frozenset({"keypoints", "segmentation"}), EVERYTHING, ("CPUExecutionProvider",),
             BASE.devices)  # fmt: skip


def test_a_bundle_alone_has_networks_in_openvino_only():
    can, cannot = divide(all_rows((1, 8), (2,)), BASE)
    assert {row.runtime for row in can if row.subject != "pipeline"} == {"OpenVINO CPU"}
    assert [row.name for row in can if row.subject == "keypoints"] == [
        f"keypoints, OpenVINO CPU, INT8, batch {one}, streams {two}" for one, two in ((1, 1), (8, 1), (1, 2))]
    assert {row.precision for row in can if row.subject == "segmentation"} == {"FP32", "BF16", "INT8"}
    assert [(row.runtime, row.precision) for row in can if row.subject == "pipeline"] == [
        ("OpenVINO CPU", "INT8"), ("classical (no network)", "none")]
    # Every other (subject, runtime, precision) is told once, however many settings it has.
    told = [row.answers_as for row, _ in cannot]
    assert len(told) == len(set(told)) and not set(told) & {row.answers_as for row in can}
    assert len(told) + len({row.answers_as for row in can}) == len({row.answers_as for row in all_rows((1,), ())})


def test_with_runs_the_native_framework_is_the_reference():
    can, cannot = divide(all_rows((8,), ()), FULL)
    assert [reference_of(subject, can).runtime for subject in ("keypoints", "segmentation", "pipeline")] == [
        "MXNet", "Keras", "MXNet and Keras"]
    assert Row("segmentation", "TensorFlow frozen graph", "FP32") in can
    assert Row("segmentation", "TensorFlow frozen graph", "FP32", batch=8) in can
    assert (Row("keypoints", "OpenVINO GPU", "FP32"), "OpenVINO finds no GPU here") in cannot
    assert reference_of("keypoints", divide(all_rows((), ()), BASE)[0]).name.startswith("keypoints, OpenVINO CPU, INT8")
    assert reference_of("keypoints", []) is None


@pytest.mark.parametrize("row, known, why", [
    (Row("keypoints", "MXNet", "FP32"), BASE, "needs the trained weights of keypoints: give --keypoints RUN"),
    (Row("pipeline", "MXNet and Keras", "FP32"), Facts(BASE.variants, frozenset({"keypoints"}), EVERYTHING, (), {}),
     "needs the trained weights of segmentation: give --segmentation RUN"),
    (Row("keypoints", "MXNet", "FP32"), Facts(BASE.variants, FULL.runs, EVERYTHING - {"mxnet"}, (), {}),
     "mxnet is not installed: pip install 'foliopie[train-keypoints]'"),
    (Row("keypoints", "MXNet", "INT8"), FULL, "nothing but FP32 is made for this runtime"),
    (Row("keypoints", "MXNet", "FP32", streams=2), FULL, "this runtime is asked by one caller at a time"),
    (Row("keypoints", "ONNX Runtime CPU", "FP32", batch=8), FULL, None),
    (Row("keypoints", "ONNX Runtime CUDA", "FP32"), FULL,
     "the ONNX Runtime that is installed has no CUDAExecutionProvider"),
    (Row("keypoints", "TensorRT", "INT8"), FULL, "nothing but FP32 and FP16 is made for this runtime"),
    (Row("keypoints", "OpenVINO GPU", "FP32"), FULL, "OpenVINO finds no GPU here"),
    (Row("keypoints", "OpenVINO CPU", "FP16"), FULL, "the CPU does not compute in FP16"),
    (Row("keypoints", "OpenVINO CPU", "FP32"), BASE, "needs the trained weights of keypoints: give --keypoints RUN"),
    (Row("keypoints", "OpenVINO CPU", "INT8"), Facts({"keypoints": ("fp16",)}, frozenset(), frozenset(), (),
                                                     BASE.devices),
     "keypoints is not in the bundle in INT8: make it with `foliopie deploy quantize`"),
    (Row("keypoints", "OpenVINO CPU", "INT8"), BASE, None),
    (Row("keypoints", "OpenVINO CPU", "BF16", streams=2), FULL, None),
])  # fmt: skip
def test_why_a_row_cannot_be_measured(row, known, why):
    assert unavailable(row, known) == why


def test_the_classical_pipeline_needs_nothing_and_is_the_reference_of_none():
    nothing = Facts({"keypoints": (), "segmentation": ()}, frozenset(), frozenset(), (), {})
    can, _ = divide(all_rows((8,), (2,)), nothing)
    assert [row.name for row in can] == ["pipeline, classical (no network), none, batch 1, streams 1"]
    assert can[0].networks == ()
    assert reference_of("pipeline", divide(all_rows((), ()), BASE)[0]).runtime == "OpenVINO CPU"


def test_the_most_exact_weights_are_computed_from():
    assert [source_of("segmentation", precision, BASE) for precision in ("FP32", "BF16", "INT8")] == [
        "fp16", "fp16", "int8"]
    assert source_of("segmentation", "BF16", FULL) == "run" and source_of("segmentation", "INT8", FULL) == "int8"
    assert source_of("keypoints", "FP32", BASE) is None
