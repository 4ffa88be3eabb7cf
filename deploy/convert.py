"""From a trained network to a file that OpenVINO reads: MXNet and Keras to ONNX, ONNX to IR.

Shapes are static, and every ONNX file is cleaned and then held against the strict checker. Five things are put right:

- MXNet's exporter writes operators as they were in opset 13, declares the newest opset that the onnx package knows, and
  lists every weight among the graph's inputs, so that ONNX Runtime must not fold them.
- tf2onnx gives a `Resize` the float32 scale out/in. A reader that rounds in * scale down gets 472 pixels where 473 were
  meant. Sizes are written instead, and in the IR for height and width alone, so that its batch stays free.
- A linear `Resize` must map pixels by the half-pixel rule, as TensorFlow does: anything else displaces the output.
- A `Resize` to the nearest pixel is mapped by tf2onnx in a way that ONNX has given up, at which ONNX Runtime warns.
- Keras has no padding but "same" for a pooling and gives it a `Pad` before it, which OpenVINO computes by its slow
  reference code: where it changes nothing the pooling pads by itself.

This module imports onnx, and MXNet or TensorFlow where they are used: only `foliopie deploy export` needs it.
"""
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from deploy.runtimes import load_openvino, openvino_operators

MXNET_OPSET = 13
KERAS_OPSET = 17
IR_VERSION = 8  # the file format that came with opset 17; readers of that age refuse a newer one


class ConversionError(Exception):
    """A network that cannot be converted without changing what it computes."""


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file with what its reader must know.

    layout: of its float32 input, "NCHW" or "NHWC". output: name of its output. Shapes are static.
    """

    path: Path
    layout: str
    output: str
    input_shape: tuple
    output_shape: tuple
    opset: int


def mxnet_to_onnx(network, height, width, path, output="heatmaps", channels=3, batch=1):
    """Writes a hybridisable Gluon network, float32 (batch,channels,H,W) in, as ONNX. Returns an OnnxModel."""
    import mxnet
    shape = (batch, channels, height, width)
    network.hybridize()
    network(mxnet.nd.zeros(shape))
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "network")
        network.export(prefix)
        exported = mxnet.onnx.export_model(f"{prefix}-symbol.json", f"{prefix}-0000.params",
                                           [shape], np.float32, f"{prefix}.onnx")
        graph = onnx.load(exported)
    graph.opset_import[0].version = MXNET_OPSET
    return _save(graph, path, "NCHW", output)


def keras_to_onnx(model, height, width, path, output="probabilities", channels=3, batch=1):
    """Writes a Keras model, float32 (batch,H,W,channels) in, as ONNX. Returns an OnnxModel."""
    import tensorflow
    import tf2onnx

    def infer(image):
        return model(image, training=False)

    signature = [tensorflow.TensorSpec((batch, height, width, channels), tensorflow.float32, name="image")]
    graph, _ = tf2onnx.convert.from_function(tensorflow.function(infer), input_signature=signature,
                                             opset=KERAS_OPSET)
    return _save(graph, path, "NHWC", output)


def clean(graph, output):
    """Puts an exported graph right, in place: inputs, names, `Resize`, unused parts. Returns it checked.

    The one input is called `image` and the one output `output` afterwards. Raises ConversionError for more than one of
    either, a shape that is not static or a displacing `Resize`, onnx's own errors for what the strict checker finds.
    """
    weights = {tensor.name for tensor in graph.graph.initializer}
    inputs = [value for value in graph.graph.input if value.name not in weights]
    del graph.graph.input[:]
    graph.graph.input.extend(inputs)
    if len(inputs) != 1 or len(graph.graph.output) != 1:
        raise ConversionError(f"the graph has {len(inputs)} inputs and {len(graph.graph.output)} outputs, must have "
                              "one of each: give the network that answers, without auxiliary outputs")
    _rename(graph, inputs[0].name, "image")
    _rename(graph, graph.graph.output[0].name, output)
    fix_resizes(graph)
    fuse_pads(graph)
    _drop_unused(graph)
    graph.ir_version = IR_VERSION
    for value in (graph.graph.input[0], graph.graph.output[0]):
        if not all(_shape(value)):
            raise ConversionError(f"{value.name} has shape {_shape(value)}, must be static: export it at a fixed size")
    onnx.checker.check_model(graph, full_check=True)
    return onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True, data_prop=True)


def fix_resizes(graph):
    """Gives every `Resize` of a graph the sizes it is meant to give in place of float scales, and those to the nearest
    pixel a mapping that is not deprecated, in place.

    Raises ConversionError for a linear one that does not map by half pixels, and for scales that are not constant.
    """
    resizes = [node for node in graph.graph.node if node.op_type == "Resize"]
    for number, node in enumerate(resizes):
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        mapping = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
        if attributes.get("mode") == b"linear" and mapping != "half_pixel":
            raise ConversionError(f"Resize {node.name} maps pixels by {mapping}, must be half_pixel: build the "
                                  "network with keras.layers.Resizing or UpSampling2D")
        if mapping == "tf_half_pixel_for_nn" and attributes.get("nearest_mode") == b"floor":
            # floor((x + 0.5) / scale), which is (x + 0.5) / scale - 0.5 rounded, halves up.
            _set_attributes(node, coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil")
        if len(node.input) > 3 and node.input[3]:
            continue
        sizes = _resize_sizes(graph, node)
        tensor = numpy_helper.from_array(np.array(sizes, np.int64), f"resize_sizes_{number}")
        graph.graph.initializer.append(tensor)
        del node.input[1:]
        node.input.extend(["", "", tensor.name])


def fuse_pads(graph):
    """Lets every `MaxPool` behind a `Pad` with zeros pad by itself, in place.

    Itself it pads with what is never the largest: that is the same behind a `Relu`, where all is 0 or more, and there
    alone it is done.
    """
    made_by = {name: node for node in graph.graph.node for name in node.output}
    readers = [name for node in graph.graph.node for name in node.input]
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    for pool in [node for node in graph.graph.node if node.op_type == "MaxPool"]:
        pad = made_by.get(pool.input[0])
        if pad is None or pad.op_type != "Pad" or readers.count(pool.input[0]) != 1:
            continue
        before, amounts = made_by.get(pad.input[0]), constants.get(pad.input[1])
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute)
                      for node in (pad, pool) for attribute in node.attribute}
        value = constants.get(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else np.zeros(1)
        plain = (attributes.get("mode", b"constant") == b"constant" and not any(attributes.get("pads", ()))
                 and attributes.get("auto_pad", b"NOTSET") == b"NOTSET" and not attributes.get("ceil_mode", 0))
        if before is None or before.op_type != "Relu" or amounts is None or value is None or value.any() or not plain:
            continue
        batch_and_channels, sides = amounts.reshape(2, -1)[:, :2], amounts.reshape(2, -1)[:, 2:]
        # More than half a window of padding is not allowed: a window could then see nothing else.
        if batch_and_channels.any() or (2 * sides > np.array(attributes["kernel_shape"])).any():
            continue
        _set_attributes(pool, pads=sides.ravel().tolist())
        pool.input[0] = pad.input[0]
        graph.graph.node.remove(pad)


def onnx_to_ir(model, spec, folder, name, precisions=("fp32", "fp16"), contract=None):
    """Writes IR files of an OnnxModel: `folder/name.<precision>.xml` and `.bin`, uint8 RGB NHWC input `image`.

    Mean and std of the InputSpec `spec` and the change of layout go inside. `contract` is a flat dict of texts and
    numbers that is written into the file, so that the file itself says what it takes and gives (`rt_info/foliopie`).
    Returns {precision: path of the .xml}.
    """
    openvino = load_openvino()
    paths = {}
    for precision in precisions:
        network = openvino.convert_model(os.fspath(model.path))
        free_batch(network)
        network = with_preprocessing(network, model, spec)
        for key, value in (contract or {}).items():
            network.set_rt_info(str(value), ["foliopie", key])
        paths[precision] = Path(folder) / f"{name}.{precision}.xml"
        openvino.save_model(network, os.fspath(paths[precision]), compress_to_fp16=precision == "fp16")
    return paths


def free_batch(network):
    """Lets an openvino Model of NCHW or NHWC input be reshaped to any batch, in place.

    ONNX before opset 18 gives a resize the sizes of all axes, and tf2onnx turns a transposition of a 1x1 map into a
    reshape to (1, ...): with both, the batch of 1 is written into the graph. Axis 0 is the batch everywhere in these
    networks. Raises ConversionError when the network still cannot take another batch.
    """
    operators = openvino_operators()
    for node in network.get_ordered_ops():
        if node.get_type_name() == "Interpolate" and node.get_input_size() == 2:
            sizes = node.input_value(1).get_node().get_vector()
            kept = {key: value for key, value in node.get_attributes().items()
                    if key not in ("pads_begin", "pads_end")}
            freed = operators.interpolate(node.input_value(0), operators.constant(sizes[2:], np.int64),
                                          axes=operators.constant([2, 3], np.int64), **kept)
            freed.set_friendly_name(node.get_friendly_name())
            node.output(0).replace(freed.output(0))
        elif node.get_type_name() == "Reshape" and node.input_value(1).get_node().get_type_name() == "Constant":
            shape = node.input_value(1).get_node().get_vector()
            if shape[0] == 1 and node.get_attributes()["special_zero"]:
                # 0 is "as it is" for this operator
                freed = operators.constant([0, *shape[1:]], np.int64)
                node.input(1).replace_source_output(freed.output(0))
    single = list(network.inputs[0].shape)
    try:
        network.reshape([2, *single[1:]])
        doubled = network.outputs[0].partial_shape
        network.reshape(single)
    except RuntimeError as error:
        raise ConversionError(f"the network takes no batch but 1: {str(error).splitlines()[-1]}") from error
    if not doubled.is_static or doubled.to_shape()[0] != 2:
        raise ConversionError(f"a batch of 2 gives an output {doubled}: the batch is fixed somewhere in the network")


def with_preprocessing(network, model, spec):
    """An openvino Model of float32 input turned into one of uint8 RGB NHWC input `image`, normalised inside."""
    openvino = load_openvino()
    prepost = openvino.preprocess.PrePostProcessor(network)
    source = prepost.input(0)
    source.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    source.model().set_layout(openvino.Layout(model.layout))
    source.preprocess().convert_element_type(openvino.Type.f32).mean(list(spec.mean)).scale(list(spec.std))
    network = prepost.build()
    network.inputs[0].tensor.set_names({"image"})
    network.inputs[0].node.set_friendly_name("image")
    network.outputs[0].tensor.set_names({model.output})
    return network


def _save(graph, path, layout, output):
    graph = clean(graph, output)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, os.fspath(path))
    return OnnxModel(path, layout, output, _shape(graph.graph.input[0]), _shape(graph.graph.output[0]),
                     graph.opset_import[0].version)


def _rename(graph, old, new):
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info):
        if value.name == old:
            value.name = new


def _set_attributes(node, **values):
    for attribute in [one for one in node.attribute if one.name in values]:
        node.attribute.remove(attribute)
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in values.items())


def _resize_sizes(graph, node):
    """The shape that a `Resize` with constant scales is meant to give, a list."""
    scales = [numpy_helper.to_array(tensor) for tensor in graph.graph.initializer if tensor.name == node.input[2]]
    # Inferred anew for each, because sizes after a wrong Resize are wrong: resizes before this one are right by now.
    inferred = onnx.shape_inference.infer_shapes(graph, data_prop=True).graph
    shapes = [_shape(value) for value in (*inferred.value_info, *inferred.input) if value.name == node.input[0]]
    if len(scales) != 1 or len(shapes) != 1 or not all(shapes[0]):
        raise ConversionError(f"Resize {node.name} has no constant scales or no static input size: "
                              "export the network at a fixed height and width")
    return [round(float(size) * float(scale)) for size, scale in zip(shapes[0], scales[0], strict=True)]


def _drop_unused(graph):
    used = {name for node in graph.graph.node for name in node.input}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    # Shapes written by an exporter may be those of the wrong Resize: the checker infers them itself.
    del graph.graph.value_info[:]


def _shape(value):
    """Shape of an ONNX value as a tuple, None where it is not static."""
    return tuple(axis.dim_value or None for axis in value.type.tensor_type.shape.dim)
