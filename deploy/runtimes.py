"""Array in, array out: one network in OpenVINO, ONNX Runtime, MXNet or Keras, all called alike.

A runtime is called with a batch of images, uint8 (N,H,W,3) RGB 0..255 already at the network's size (for the side,
crops (N,H,W,4) of RGB and mask), and answers with float32 of the network's own output layout. OpenVINO's files
normalise inside; for the others it is done here.
Every framework is imported when its runtime is made, and not before.
"""
import os
import sys

import numpy as np

from deploy.bundle import BundleError


def load_openvino():
    """The openvino module, imported so that it sends nothing.

    `import openvino` reports itself to its maker through the package `openvino_telemetry` (from a forked process, which
    on a closed network can hang), unless that package cannot be imported: then it takes a silent stand-in. A `None` in
    `sys.modules` is Python's way to say that a module cannot be imported, and holds for this process alone.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None
    import openvino
    return openvino


class OpenVinoRuntime:
    """An IR file (.xml with its .bin beside it) compiled for the CPU, for one request at a time.

    `precision_hint` ("f32", "bf16", "f16") is what it computes in; without it OpenVINO takes the fastest the CPU has,
    which is bf16 on some. `threads` bounds its threads. `input_shape` is (1,H,W,3), `input_name`, `output_name` and
    `output_shape` are those of the file, `contract` is what it says of itself, {key: text}. Raises BundleError when
    OpenVINO cannot read it.
    """

    def __init__(self, xml_path, precision_hint=None, threads=None):
        openvino = load_openvino()
        config = {"PERFORMANCE_HINT": "LATENCY"}
        if precision_hint is not None:
            config["INFERENCE_PRECISION_HINT"] = precision_hint
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = int(threads)
        try:
            core = openvino.Core()
            network = core.read_model(os.fspath(xml_path))
            self._compiled = core.compile_model(network, "CPU", config)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            rule = f"OpenVINO cannot load it ({reason}): copy or export the bundle again"
            raise BundleError(xml_path, rule) from error
        self.contract = _contract(network)
        self._request = self._compiled.create_infer_request()
        source, target = self._compiled.inputs[0], self._compiled.outputs[0]
        self.input_name, self.output_name = source.get_any_name(), target.get_any_name()
        self.input_dtype = source.get_element_type().to_dtype().name
        self.input_shape = _static_shape(source)
        self.output_shape = _static_shape(target)

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N,H,W,3) RGB. Raises ValueError for other images."""
        check_images(images, self.input_shape[1:])
        outputs = []
        for image in images:
            self._request.infer([np.ascontiguousarray(image[None])])
            # A copy: the request writes its next answer into the same memory.
            outputs.append(np.array(self._request.get_output_tensor(0).data, dtype=np.float32))
        return np.concatenate(outputs)


class OnnxRuntime:
    """An ONNX file in ONNX Runtime on the CPU. `layout` of its input is "NCHW" or "NHWC"; `spec` its InputSpec."""

    def __init__(self, onnx_path, spec, layout, threads=None):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = int(threads)
        self._session = onnxruntime.InferenceSession(os.fspath(onnx_path), options,
                                                     providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._spec, self._layout = spec, layout

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N,H,W,3) RGB."""
        inputs = normalise(images, self._spec)
        if self._layout == "NCHW":
            inputs = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
        outputs = [self._session.run(None, {self._input: image[None]})[0] for image in inputs]
        return np.concatenate(outputs).astype(np.float32, copy=False)


class MxnetRuntime:
    """A Gluon network, float32 NCHW in, heatmaps out, on MXNet's CPU. `spec` is its InputSpec."""

    def __init__(self, network, spec):
        self._network, self._spec = network, spec

    def __call__(self, images):
        """Outputs float32 (N,4,h,w) of images uint8 (N,H,W,3) RGB."""
        import mxnet
        inputs = np.ascontiguousarray(normalise(images, self._spec).transpose(0, 3, 1, 2))
        return self._network(mxnet.nd.array(inputs)).asnumpy()


class KerasRuntime:
    """A Keras model, float32 NHWC in, probabilities out. `spec` is its InputSpec or CropSpec."""

    def __init__(self, model, spec):
        self._model, self._spec = model, spec

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N,H,W,C)."""
        return np.asarray(self._model(normalise(images, self._spec), training=False), dtype=np.float32)


def normalise(images, spec):
    """(images - mean) / std as float32, of images uint8 (N,H,W,C) at the size of the InputSpec or CropSpec `spec`."""
    check_images(images, (spec.height, spec.width, len(spec.mean)))
    return (images.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)


def check_images(images, shape):
    """Raises ValueError unless `images` is uint8 with (N, *shape)."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != tuple(shape):
        raise ValueError(f"images are {images.dtype} {images.shape}, the network takes uint8 "
                         f"(N, {', '.join(map(str, shape))}): fit the photo with scenes.images.fit_photo")


def _contract(network):
    if not network.has_rt_info(["foliopie"]):
        return {}
    return {key: str(value) for key, value in network.get_rt_info(["foliopie"]).value.items()}


def _static_shape(port):
    shape = port.get_partial_shape()
    return tuple(shape.to_shape()) if shape.is_static else None
