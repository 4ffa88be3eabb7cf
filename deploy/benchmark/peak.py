"""How many operations a second the machine does at its best: the limit that a network's speed is held against.

A large product of square matrices, and a convolution like those of the networks, in each library that is installed;
the fastest counts. Two operations for each multiply and add.
"""

import importlib.util
import time
from functools import partial

import numpy as np

from deploy.runtimes import load_openvino, openvino_operators

SIDE = 1536  # of the matrices
CHANNELS, MAP = 256, 64  # of the convolution, 3 x 3: channels in and out, side of the map
# Of what is given and of the weights; a convolution takes in as much as it gives out.
SHAPES = {"product": ((SIDE, SIDE), (SIDE, SIDE)),
          "convolution": ((1, CHANNELS, MAP, MAP), (CHANNELS, CHANNELS, 3, 3))}  # fmt: skip
PRODUCT_FLOPS = 2 * SIDE**3
CONVOLUTION_FLOPS = 2 * MAP**2 * CHANNELS**2 * 9
HINTS = {"FP32": "f32", "BF16": "bf16", "FP16": "f16", "INT8": "f32"}
LEAST_CALLS = 3
WORKS = ("product", "convolution")


def subjects(can, devices=("CPU",)):
    """What is measured here: list of (library, work, precision). can: {device of OpenVINO: precisions of HINTS that it
    computes in}."""
    found = [("numpy", "product", "FP32")]
    found += [(name, work, "FP32") for name in ("mxnet", "tensorflow") if importlib.util.find_spec(name)
              for work in WORKS]
    if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
        found += [("ONNX Runtime", work, "FP32") for work in WORKS]
    return found + [(f"OpenVINO {device}", work, precision) for device in devices for precision in HINTS
                    if precision in can[device] for work in WORKS]


def measure(library, work, precision, threads, seconds, clock=time.perf_counter):
    """Operations a second of one of `subjects`, to be called in a process of its own.

    The best call of those that `seconds` have room for: what disturbs a call only ever makes it slower.
    """
    flops = PRODUCT_FLOPS if work == "product" else CONVOLUTION_FLOPS
    call = _call(library, work, precision, threads)
    call()
    best, calls, begun = float("inf"), 0, clock()
    while calls < LEAST_CALLS or clock() - begun < seconds:
        asked = clock()
        call()
        best, calls = min(best, clock() - asked), calls + 1
    return flops / best


def _call(library, work, precision, threads):
    """A function without arguments that does the work once."""
    if library.startswith("OpenVINO"):
        return _openvino(library.removeprefix("OpenVINO "), work, precision, threads)
    if library == "ONNX Runtime":
        return _onnx_runtime(work, threads)
    first, second = (np.random.default_rng(seed).random(shape, np.float32)
                     for seed, shape in enumerate(SHAPES[work], 1))
    if library == "numpy":
        return partial(np.matmul, first, second, out=np.empty_like(first))
    return (_mxnet if library == "mxnet" else _tensorflow)(work, first, second, threads)


def _mxnet(work, first, second, threads):
    import mxnet

    first, second = mxnet.nd.array(first), mxnet.nd.array(second)
    if work == "product":
        return lambda: mxnet.nd.dot(first, second).wait_to_read()
    return lambda: mxnet.nd.Convolution(first, second, kernel=(3, 3), pad=(1, 1), num_filter=CHANNELS,
                                        no_bias=True).wait_to_read()  # fmt: skip


def _tensorflow(work, first, second, threads):
    import tensorflow

    from deploy.frozen_graph import keep_to_cpu, limit_tensorflow

    keep_to_cpu()
    limit_tensorflow(threads)
    if work == "product":
        first, second = tensorflow.constant(first), tensorflow.constant(second)
        return lambda: tensorflow.linalg.matmul(first, second).numpy()
    first, second = (tensorflow.constant(np.ascontiguousarray(array.transpose(order)))
                     for array, order in ((first, (0, 2, 3, 1)), (second, (2, 3, 1, 0))))
    return lambda: tensorflow.nn.conv2d(first, second, 1, "SAME").numpy()


def _onnx_runtime(work, threads):
    import onnx
    import onnxruntime

    given, weights = SHAPES[work]
    values = np.random.default_rng(2).random(weights, np.float32)
    node = (onnx.helper.make_node("MatMul", ["source", "weights"], ["done"]) if work == "product" else
            onnx.helper.make_node("Conv", ["source", "weights"], ["done"], kernel_shape=[3, 3], pads=[1] * 4))
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, given) for name in ("source", "done")]
    graph = onnx.helper.make_graph([node], work, tensors[:1], tensors[1:],
                                   [onnx.numpy_helper.from_array(values, "weights")])
    # Old enough for every ONNX Runtime that is about.
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {"source": np.random.default_rng(1).random(given, np.float32)})


def _openvino(device, work, precision, threads):
    openvino = load_openvino()
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": HINTS[precision]}
    if device == "CPU":
        config["INFERENCE_NUM_THREADS"] = threads
    request = openvino.Core().compile_model(network(work, precision == "INT8"), device, config).create_infer_request()
    request.get_input_tensor().data[:] = 0.5
    return request.infer


def network(work, in_bytes):
    """An openvino Model that does the work once: float32 in and out. in_bytes: what goes into it and its weights are
    quantised, as NNCF writes it, and what comes out too, so that neither is what takes the time."""
    openvino, operators, rng = load_openvino(), openvino_operators(), np.random.default_rng(1)
    shape, weights = SHAPES[work]
    source = operators.parameter(shape, np.float32, name="source")
    values = operators.constant(rng.uniform(-1, 1, weights).astype(np.float32))
    left, right = source, values
    if in_bytes:
        left, right = _in_steps(operators, source, 0.0, 1.0, 256), _in_steps(operators, values, -1.0, 1.0, 255)
    if work == "product":
        done = operators.matmul(left, right, False, False)
    else:
        done = operators.convolution(left, right, [1, 1], [1, 1], [1, 1], [1, 1])
    if in_bytes:
        done = _in_steps(operators, done, -64.0, 64.0, 256)
    return openvino.Model([done], [source], work)


def _in_steps(operators, values, low, high, levels):
    low, high = (operators.constant(np.full((1,) * len(values.get_output_shape(0)), limit, np.float32))
                 for limit in (low, high))
    return operators.fake_quantize(values, low, high, low, high, levels)
