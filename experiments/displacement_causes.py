"""What can displace a converted segmentation network's answers, each put into a right ONNX graph on purpose.

Every cause is a fault of one of three kinds: of the graph (`change`), of the converter (`opset`, one that cannot say
how a resizing maps pixels), or of the program that reads the answer (`read`). A right graph is one that
deploy.convert.keras_to_onnx wrote: input `image` float32 (1, H, W, 3), and a Transpose last.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from onnx import helper, numpy_helper

from scenes.labels import BACKGROUND

# tf2onnx refuses a half-pixel resizing at 9 and 10, and at 8 writes an Upsample, which has no rule for it.
OLD_OPSET = 8


class NotThere(Exception):
    """A network that has nothing which this cause could go wrong with."""


@dataclass(frozen=True)
class Cause:
    """name: in files. family: what it is about. text: for a table. change: function that puts it into an ONNX graph,
    in place; raises NotThere. opset: that the network is converted with instead. read: function (answers (N, h, w, 4),
    (H, W), boxes) -> answers (N, H, W, 4) as a wrong program sees them; boxes (N, 4) are left, top, width, height of
    each photo in the input; raises NotThere. reference: name of the cause whose answers are what is right, for a
    network that was built otherwise; None: the framework's own."""

    name: str
    family: str
    text: str
    change: Callable | None = None
    opset: int | None = None
    read: Callable | None = None
    reference: str | None = None


# How a resizing maps pixels


def map_pixels(mode, first=0):
    """Every linear `Resize`, from number `first` on, maps by `mode`, of ONNX's coordinate_transformation_mode."""

    def change(model):
        for node in _resizes(model, b"linear")[first:]:
            _set(node, "coordinate_transformation_mode", mode)

    return change


def round_to(nearest_mode):
    """Every nearest `Resize`, and in a network without any every linear one, takes what `nearest_mode` rounds the
    half-pixel position to."""

    def change(model):
        nodes = [node for node in model.graph.node if node.op_type == "Resize" and _get(node, "mode") == b"nearest"]
        for node in nodes or _resizes(model, b"linear"):
            _set(node, "mode", "nearest")
            _set(node, "coordinate_transformation_mode", "half_pixel")
            _set(node, "nearest_mode", nearest_mode)

    return change


# Padding of what has stride 2


def pad_by(automatic):
    """`SAME_UPPER` or `SAME_LOWER` for every convolution and pooling of stride 2 that pads: what is odd of the padding
    goes to the end or to the beginning."""

    def change(model):
        for node in _strided(model):
            _unset(node, "pads")
            _set(node, "auto_pad", automatic)

    return change


def pad_both(model):
    """Half a kernel on every side, as Caffe, MXNet and PyTorch are told to pad."""
    for node in _strided(model):
        _set(node, "auto_pad", "NOTSET")
        _set(node, "pads", [side // 2 for side in _get(node, "kernel_shape")] * 2)


# Sizes


def enlarge_by(rounding):
    """The last `Resize` enlarges by a whole factor: `rounding` (math.floor or math.ceil) of the broken one."""

    def change(model):
        node = _resizes(model, b"linear")[-1]
        tensor = _tensor(model, node.input[3])
        source, wanted = _shape_before(model, node), numpy_helper.to_array(tensor)
        sizes = [int(side * rounding(target / side)) for side, target in zip(source, wanted, strict=True)]
        if sizes == wanted.tolist():
            raise NotThere(f"{source[2]}x{source[3]} becomes {wanted[2]}x{wanted[3]}: the factor is whole")
        _set_output_size(model, tensor, sizes)

    return change


def lose_last(answers, size, boxes):
    """An answer without its last row and column, where the float32 scale rounds down to one less, stretched."""
    return stretch(answers[:, : size[0] - 1, : size[1] - 1], size, boxes)


def stretch(answers, size, boxes=None):
    """An answer of any size brought to (H, W) by the half-pixel rule."""
    return np.stack([cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in answers])


def lay_at_corner(answers, size, boxes=None):
    """An answer of any size laid at the top left of (H, W): cut, or its last row and column repeated."""
    missing = [(0, 0), *((0, max(wanted - side, 0)) for wanted, side in zip(size, answers.shape[1:3], strict=True)),
               (0, 0)]
    return np.pad(answers, missing, mode="edge")[:, : size[0], : size[1]]


# Whatever else is plausible


def misread_input(model):
    """The photo, channels last, is taken for one with channels first, as it lies in memory."""
    node = next(node for node in model.graph.node if "image" in node.input)
    if node.op_type != "Transpose":
        raise NotThere("the graph does not begin with a Transpose")
    height, width = _dims(model.graph.input[0])[1:3]
    _reshape(model, node, [1, 3, height, width])


def misread_output(model):
    """The answer, channels first inside, is taken for one with channels last, as it lies in memory."""
    node = next(node for node in model.graph.node if model.graph.output[0].name in node.output)
    if node.op_type != "Transpose":
        raise NotThere("the graph does not end with a Transpose")
    _reshape(model, node, _dims(model.graph.output[0]))


def swap_sides(answers, size, boxes):
    """Rows read as columns."""
    return np.ascontiguousarray(answers.swapaxes(1, 2)).reshape(answers.shape)


def forget_bars(answers, size, boxes):
    """The photo is cut out of the answer as though all bars were behind it, and none before."""
    if not boxes[:, :2].any():
        raise NotThere("photos fill the input: there are no bars")
    wrong = np.zeros_like(answers)
    wrong[..., BACKGROUND] = 1
    for one, answer, (left, top, width, height) in zip(wrong, answers, boxes, strict=True):
        one[top : top + height, left : left + width] = answer[:height, :width]
    return wrong


CAUSES = {cause.name: cause for cause in (
    Cause("asymmetric", "mapping", "resizings map pixels `asymmetric`", map_pixels("asymmetric")),
    Cause("asymmetric_last", "mapping", "the last resizing alone maps pixels `asymmetric`",
          map_pixels("asymmetric", -1)),
    Cause("align_corners", "mapping", "resizings map pixels by `align_corners`", map_pixels("align_corners")),
    Cause("pytorch_half_pixel", "mapping", "resizings map pixels by `pytorch_half_pixel`",
          map_pixels("pytorch_half_pixel")),
    Cause("corners_lost", "mapping", "a network built with `align_corners` has `asymmetric` resizings after conversion",
          map_pixels("asymmetric"), reference="align_corners"),
    Cause("upsample", "mapping", f"tf2onnx at opset {OLD_OPSET}: `Upsample`, which has no rule", opset=OLD_OPSET),
    Cause("nearest_prefer_floor", "rounding", "nearest pixel, ties down (`round_prefer_floor`)",
          round_to("round_prefer_floor")),
    Cause("nearest_prefer_ceil", "rounding", "nearest pixel, ties up (`round_prefer_ceil`)",
          round_to("round_prefer_ceil")),
    Cause("nearest_floor", "rounding", "nearest pixel, always rounded down (`floor`)", round_to("floor"),
          reference="nearest_prefer_floor"),
    Cause("nearest_ceil", "rounding", "nearest pixel, always rounded up (`ceil`)", round_to("ceil"),
          reference="nearest_prefer_floor"),
    Cause("pad_end", "padding", "stride 2 pads at the end (`SAME_UPPER`, TensorFlow)", pad_by("SAME_UPPER")),
    Cause("pad_begin", "padding", "stride 2 pads at the beginning (`SAME_LOWER`)", pad_by("SAME_LOWER")),
    Cause("pad_both", "padding", "stride 2 pads on both sides alike (explicit pads)", pad_both),
    Cause("one_less", "sizes", "the scale rounds the size down by one; stretched", read=lose_last),
    Cause("factor_stretched", "sizes", "enlarged by the factor rounded down; stretched", enlarge_by(math.floor),
          read=stretch),
    Cause("factor_down", "sizes", "enlarged by the factor rounded down; laid at the first corner",
          enlarge_by(math.floor), read=lay_at_corner),
    Cause("factor_up", "sizes", "enlarged by the factor rounded up; cut off", enlarge_by(math.ceil),
          read=lay_at_corner),
    Cause("input_layout", "reading", "the photo's channels last read as first", misread_input),
    Cause("output_layout", "reading", "the answer's channels first read as last", misread_output),
    Cause("sides_swapped", "reading", "rows of the answer read as columns", read=swap_sides),
    Cause("bars", "reading", "bars around the photo taken off at the end alone", read=forget_bars),
)}  # fmt: skip


def changed(model, cause):
    """Whether a graph could be given a Cause's fault: puts it in, in place. Raises NotThere, also where the graph is
    the same after it."""
    before = model.SerializeToString(deterministic=True)
    cause.change(model)
    if model.SerializeToString(deterministic=True) == before:
        raise NotThere("the graph has this already, or nothing that it could be done to")


def _resizes(model, mode):
    nodes = [node for node in model.graph.node if node.op_type == "Resize" and _get(node, "mode") == mode]
    if not nodes:
        raise NotThere(f"the graph has no {mode.decode()} Resize")
    return nodes


def _strided(model):
    """Convolutions and largest-value poolings of stride 2 that see more than their own pixels. Average poolings stand
    in the pyramid alone, where windows lie side by side."""
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "MaxPool")
             and max(_get(node, "strides") or [1]) > 1 and max(_get(node, "kernel_shape")) > 1]
    if not nodes:
        raise NotThere("the graph has nothing of stride 2 that pads")
    return nodes


def _get(node, name):
    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), None)


def _unset(node, name):
    for one in [one for one in node.attribute if one.name == name]:
        node.attribute.remove(one)


def _set(node, name, value):
    made = helper.make_attribute(name, value)
    for one in node.attribute:
        if one.name == name:
            one.CopyFrom(made)
            return
    node.attribute.append(made)


def _tensor(model, name):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def _dims(value):
    return [axis.dim_value for axis in value.type.tensor_type.shape.dim]


def _shape_before(model, node):
    """Shape of what a node is given first."""
    return next(_dims(value) for value in model.graph.value_info if value.name == node.input[0])


def _set_output_size(model, tensor, sizes):
    """Sizes of the last resizing, NCHW, and of the graph's answer, NHWC."""
    tensor.CopyFrom(numpy_helper.from_array(np.array(sizes, np.int64), tensor.name))
    del model.graph.value_info[:]
    dims = model.graph.output[0].type.tensor_type.shape.dim
    dims[1].dim_value, dims[2].dim_value = sizes[2:]


def _reshape(model, node, shape):
    """A node's place is taken by a Reshape to `shape`."""
    name = "misread_shape"
    model.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
    wrong = helper.make_node("Reshape", [node.input[0], name], list(node.output), name=node.name)
    node.CopyFrom(wrong)
