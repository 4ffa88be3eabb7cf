import numpy as np
import pytest

from deploy.benchmark.operations import count_operations
from deploy.benchmark.peak import CONVOLUTION_FLOPS, PRODUCT_FLOPS, network
from deploy.runtimes import load_openvino, openvino_operators


def written(path, node, source):
    openvino = load_openvino()
    openvino.save_model(openvino.Model([node], [source], "one"), str(path))
    return path


def built(kind):
    ops = openvino_operators()
    source = ops.parameter((1, 6, 10, 8), np.float32, name="source")
    ones = np.ones
    if kind == "convolution":  # 4 x 5 x 4 numbers, of 6 x 3 x 3 each
        return source, ops.convolution(source, ones((4, 6, 3, 3), np.float32), [2, 2], [1, 1], [1, 1], [1, 1])
    if kind == "by channel":  # 6 x 8 x 6 numbers, of 3 x 3 each
        return source, ops.group_convolution(source, ones((6, 1, 1, 3, 3), np.float32), [1, 1], [0, 0], [0, 0], [1, 1])
    if kind == "transposed":  # each of 6 x 10 x 8 numbers to 5 x 2 x 2 places
        return source, ops.convolution_backprop_data(source, ones((6, 5, 2, 2), np.float32), strides=[2, 2])
    return source, ops.matmul(source, ones((8, 7), np.float32), False, False)  # 6 x 10 x 7 numbers, of 8 each


@pytest.mark.parametrize("kind, multiplications", [
    ("convolution", 4 * 5 * 4 * 54), ("by channel", 6 * 8 * 6 * 9), ("transposed", 6 * 10 * 8 * 20),
    ("product", 6 * 10 * 7 * 8)])  # fmt: skip
def test_two_for_each_multiply_and_add(tmp_path, kind, multiplications):
    source, node = built(kind)
    assert count_operations(written(tmp_path / "one.xml", node, source)) == 2 * multiplications


def test_a_networks_file(bundle):
    # 8 x 8 x 3 multiplications for each of 4 x 16 x 12 numbers; normalising is not counted.
    assert count_operations(bundle.model_path("keypoints", "fp32")) == 2 * 192 * 4 * 16 * 12
    assert count_operations(bundle.model_path("segmentation", "fp32")) == 2 * 3 * 4 * 24 * 32


@pytest.mark.parametrize("in_bytes", [False, True])
def test_the_work_of_the_peak_is_what_it_says(tmp_path, in_bytes):
    openvino = load_openvino()
    for work, flops in (("product", PRODUCT_FLOPS), ("convolution", CONVOLUTION_FLOPS)):
        openvino.save_model(network(work, in_bytes), str(tmp_path / f"{work}.xml"))
        assert count_operations(tmp_path / f"{work}.xml") == flops
