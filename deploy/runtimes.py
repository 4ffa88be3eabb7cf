"""Array in, array out: one network in OpenVINO, ONNX Runtime, MXNet or Keras, all called alike.

A runtime is called with a batch of images, uint8 (N,H,W,3) RGB 0..255 already at the network's size (for the side,
crops (N,H,W,4) of RGB and mask), and answers with float32 of the network's own output layout. OpenVINO's files
normalise inside; for the others it is done here.
Every framework is imported when its runtime is made, and not before.
"""
import os
import sys
from contextlib import contextmanager

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


def openvino_operators():
    """The module of OpenVINO's operators, wherever its version has it."""
    load_openvino()
    try:
        from openvino import opset13
    except ImportError:  # before 2025
        from openvino.runtime import opset13
    return opset13


class OpenVinoRuntime:
    """An IR file (.xml with its .bin beside it) compiled for one device, for `batch` images a request.

    `precision_hint` ("f32", "bf16", "f16") is what it computes in; without it OpenVINO takes the fastest the device
    has, which is bf16 on some CPUs. `threads` bounds its threads, which `streams` share when there are several: as many
    requests are answered at a time then. It may be called from several threads at once. `input_shape` is (1,H,W,3),
    `input_name`, `output_name` and `output_shape` are those of the file, `contract` is what it says of itself,
    {key: text}, `normalisation` what it does, {"mean": three or four numbers, "std": as many}, {} where that is not the
    first it does. Raises BundleError when OpenVINO cannot read it.

    `contents` are bytes of (.xml, .bin) to read in place of the files; `xml_path` is what they are called then.
    """

    def __init__(self, xml_path, precision_hint=None, threads=None, batch=1, streams=1, device="CPU", contents=None):
        openvino = load_openvino()
        # A hint of latency would be one stream whatever else is said.
        config = {"PERFORMANCE_HINT": "LATENCY"} if streams == 1 else {"NUM_STREAMS": str(streams)}
        if precision_hint is not None:
            config["INFERENCE_PRECISION_HINT"] = precision_hint
        if threads is not None and device == "CPU":
            config["INFERENCE_NUM_THREADS"] = int(threads)
        try:
            core = openvino.Core()
            network = core.read_model(*contents) if contents else core.read_model(os.fspath(xml_path))
            source, target = network.inputs[0], network.outputs[0]
            self.input_shape, self.output_shape = _static_shape(source), _static_shape(target)
            if batch != 1:
                network.reshape([batch, *self.input_shape[1:]])
            self._compiled = core.compile_model(network, device, config)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            rule = f"OpenVINO cannot load it ({reason}): copy or export the bundle again"
            raise BundleError(xml_path, rule) from error
        self.contract, self.normalisation = _contract(network), _normalisation(network)
        self.batch = batch
        self._idle_requests = []
        source, target = self._compiled.inputs[0], self._compiled.outputs[0]
        self.input_name, self.output_name = source.get_any_name(), target.get_any_name()
        self.input_dtype = source.get_element_type().to_dtype().name

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N,H,W,3) RGB; N is a multiple of the batch. Raises ValueError
        for other images."""
        check_images(images, self.input_shape[1:])
        outputs = []
        with self._a_request() as request:
            for batch in in_batches(images, self.batch):
                request.infer([np.ascontiguousarray(batch)], share_inputs=True, share_outputs=True)
                # One copy, for the request writes its next answer into the same memory; left to itself it makes two.
                outputs.append(np.array(request.get_output_tensor(0).data, dtype=np.float32))
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    @contextmanager
    def _a_request(self):
        """A request that nobody else has: OpenVINO refuses one that is busy. As many are made as are in use at once."""
        try:
            request = self._idle_requests.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            yield request
        finally:
            self._idle_requests.append(request)


class OnnxRuntime:
    """An ONNX file in ONNX Runtime on the CPU. `layout` of its input is "NCHW" or "NHWC"; `spec` its InputSpec.

    `provider` is ONNX Runtime's name of another device or library, or (name, its options). Raises RuntimeError where it
    would fall back to the CPU.
    """

    def __init__(self, onnx_path, spec, layout, threads=None, provider="CPUExecutionProvider"):
        import onnxruntime
        wanted = provider if isinstance(provider, str) else provider[0]
        if wanted not in (there := onnxruntime.get_available_providers()):
            raise RuntimeError(f"this ONNX Runtime has no {wanted}, it has {', '.join(there)}: install another package "
                               "of it")
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = int(threads)
        self._session = onnxruntime.InferenceSession(os.fspath(onnx_path), options, providers=[provider])
        if (used := self._session.get_providers()[0]) != wanted:
            raise RuntimeError(f"ONNX Runtime computes with {used}, not with {wanted}, which cannot be used here")
        source = self._session.get_inputs()[0]
        self._input, self._batch = source.name, source.shape[0]
        self._spec, self._layout = spec, layout

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N,H,W,3) RGB; N is a multiple of the file's batch. Raises
        ValueError for other images."""
        inputs = normalise(images, self._spec)
        if self._layout == "NCHW":
            inputs = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
        outputs = [self._session.run(None, {self._input: batch})[0] for batch in in_batches(inputs, self._batch)]
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
    """A Keras model, float32 NHWC in, probabilities out. `spec` is its InputSpec or CropSpec.

    With `traced` TensorFlow makes a graph of it at the first call of each batch: slow once, faster from then on.
    """

    def __init__(self, model, spec, traced=False):
        self.model, self._spec, self._answer = model, spec, model
        if traced:
            import tensorflow
            self._answer = tensorflow.function(model)

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N,H,W,C)."""
        return np.asarray(self._answer(normalise(images, self._spec), training=False), dtype=np.float32)


def normalise(images, spec):
    """(images - mean) / std as float32, of images uint8 (N,H,W,C) at the size of the InputSpec or CropSpec `spec`."""
    check_images(images, (spec.height, spec.width, len(spec.mean)))
    return (images.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)


def in_batches(images, batch):
    """Parts of an array of images, `batch` each. Raises ValueError where they do not go up."""
    if len(images) % batch:
        raise ValueError(f"{len(images)} images are no multiple of the batch, {batch}: give whole batches")
    return [images[start : start + batch] for start in range(0, len(images), batch)]


def check_images(images, shape):
    """Raises ValueError unless `images` is uint8 with (N, *shape)."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != tuple(shape):
        raise ValueError(f"images are {images.dtype} {images.shape}, the network takes uint8 "
                         f"(N, {', '.join(map(str, shape))}): fit the photo with scenes.images.fit_photo")


def _contract(network):
    if not network.has_rt_info(["foliopie"]):
        return {}
    return {key: str(value) for key, value in network.get_rt_info(["foliopie"]).value.items()}


def _normalisation(network):
    """Mean and std of the first subtraction and division of an openvino Model, as OpenVinoRuntime.normalisation."""
    port, found = network.inputs[0].node.output(0), {}
    for kind, key in (("Convert", None), ("Subtract", "mean"), ("Divide", "std")):
        users = [user.get_node() for user in port.get_target_inputs()]
        if len(users) != 1 or users[0].get_type_name() != kind:
            return {}
        if key:
            constant = users[0].input_value(1).get_node()
            if constant.get_type_name() == "Convert":  # weights kept as FP16
                constant = constant.input_value(0).get_node()
            if constant.get_type_name() != "Constant":
                return {}
            found[key] = [float(value) for value in np.ravel(constant.data)]
        port = users[0].output(0)
    return found


def _static_shape(port):
    shape = port.get_partial_shape()
    return tuple(shape.to_shape()) if shape.is_static else None
