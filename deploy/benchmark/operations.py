"""Floating-point operations of a network, counted in its OpenVINO graph: two for each multiply and add."""

import math

from deploy.runtimes import load_openvino

CONVOLUTIONS = ("Convolution", "GroupConvolution")
TRANSPOSED = ("ConvolutionBackpropData", "GroupConvolutionBackpropData")


def count_operations(xml_path):
    """FLOPs of one image through an IR file: of its convolutions and matrix products, which are nearly all there are.

    What is done number by number (activations, resizing, softmax) is not counted.
    """
    network = load_openvino().Core().read_model(str(xml_path))
    return sum(_operations(node) for node in network.get_ordered_ops())


def _operations(node):
    kind = node.get_type_name()
    if kind not in (*CONVOLUTIONS, *TRANSPOSED, "MatMul"):
        return 0
    source, weights = (tuple(node.input(place).get_shape()) for place in (0, 1))
    target = tuple(node.output(0).get_shape())
    if kind == "MatMul":
        inner = source[-2] if node.get_attributes()["transpose_a"] else source[-1]
        return 2 * math.prod(target) * inner
    if kind == "Convolution":  # weights (out, in, y, x)
        return 2 * math.prod(target) * math.prod(weights[1:])
    if kind == "GroupConvolution":  # weights (groups, out, in, y, x)
        return 2 * math.prod(target) * math.prod(weights[2:])
    # Transposed: each input number goes to every place of a kernel, of every output of its group; weights (in, out, y,
    # x) or (groups, in, out, y, x).
    return 2 * math.prod(source) * math.prod(weights[1 if kind == TRANSPOSED[0] else 2 :])
