"""Converted networks answer as they did, at the size they should, and without what exporters leave behind."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy.bundle import CropSpec
from deploy.convert import (
    KERAS_OPSET,
    MXNET_OPSET,
    ConversionError,
    clean,
    keras_to_onnx,
    mxnet_to_onnx,
)
from deploy.frozen_graph import FrozenGraph, freeze
from deploy.runtimes import KerasRuntime, MxnetRuntime, OnnxRuntime
from scenes.images import InputSpec

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def resize_graph(size, target, mapping="half_pixel", mode="linear", batch=1, **more):
    """An ONNX graph with one Resize of (batch,1,size,size) by the float32 scale target/size, as tf2onnx writes it."""
    scale = np.float32(target) / np.float32(size)
    nodes = [helper.make_node("Resize", ["image", "", "scales"], ["answer"], mode=mode,
                              coordinate_transformation_mode=mapping, **more)]
    graph = helper.make_graph(
        nodes, "resize",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 1, size, size])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [batch, 1, target, target])],
        [numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "scales"),
         numpy_helper.from_array(np.zeros(3, np.float32), "unused")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def declared_size(graph):
    inferred = onnx.shape_inference.infer_shapes(graph, data_prop=True)
    return [axis.dim_value for axis in inferred.graph.output[0].type.tensor_type.shape.dim]


@pytest.fixture
def warned(capfd):
    """A function: what ONNX Runtime says, past Python, when it loads an ONNX graph."""

    def load(graph):
        capfd.readouterr()
        pytest.importorskip("onnxruntime").InferenceSession(graph.SerializeToString(),
                                                            providers=["CPUExecutionProvider"])
        return capfd.readouterr().err

    return load


@pytest.mark.parametrize(("size", "target"), [(30, 473), (7, 15), (60, 473), (15, 29)])
def test_a_resize_gives_the_size_it_was_meant_to_give(size, target):
    cleaned = clean(resize_graph(size, target), "answer")
    assert declared_size(cleaned) == [1, 1, target, target]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in cleaned.graph.initializer}
    assert [value.tolist() for value in weights.values()] == [[1, 1, target, target]]


def test_the_trap_is_there():
    """Left as it is, 30 to 473 comes to 472: the reason for the test above."""
    assert int(np.floor(30 * np.float32(np.float32(473) / np.float32(30)))) == 472


def test_a_resize_that_displaces_is_refused():
    for mapping in ("asymmetric", "align_corners"):
        with pytest.raises(ConversionError, match=f"maps pixels by {mapping}, must be half_pixel"):
            clean(resize_graph(4, 8, mapping), "answer")
    clean(resize_graph(4, 8, "asymmetric", mode="nearest"), "answer")


def test_the_nearest_pixel_is_the_same_without_the_deprecated_mapping(warned):
    for size, target in ((4, 8), (5, 15), (8, 4), (7, 3), (5, 7)):
        graph = resize_graph(size, target, "tf_half_pixel_for_nn", mode="nearest", nearest_mode="floor")
        graph.ir_version = 8
        image = np.random.default_rng(0).normal(size=(1, 1, size, size)).astype(np.float32)
        places = np.floor((np.arange(target) + 0.5) * size / target).astype(int)
        assert "deprecated" in warned(graph)
        cleaned = clean(graph, "answer")
        assert warned(cleaned) == ""
        np.testing.assert_array_equal(asked(cleaned, image), image[:, :, places][..., places])


def padded_pool(before="Relu", pads=(0, 0, 1, 1, 0, 0, 1, 1), value=0.0):
    """An ONNX graph of a layer, a Pad and a MaxPool of 3x3 in steps of 2, from (1,1,8,8)."""
    size = 8 + pads[2] + pads[6]
    nodes = [helper.make_node(before, ["image"], ["features"]),
             helper.make_node("Pad", ["features", "pads", "value"], ["padded"]),
             helper.make_node("MaxPool", ["padded"], ["answer"], kernel_shape=[3, 3], strides=[2, 2])]
    graph = helper.make_graph(
        nodes, "pool",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 1] + [(size - 3) // 2 + 1] * 2)],
        [numpy_helper.from_array(np.array(pads, np.int64), "pads"),
         numpy_helper.from_array(np.float32(value), "value")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def asked(graph, image):
    session = pytest.importorskip("onnxruntime").InferenceSession(graph.SerializeToString(),
                                                                  providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


@pytest.mark.parametrize(("settings", "left"), [
    ({}, ["Relu", "MaxPool"]),
    ({"pads": (0, 0, 0, 0, 0, 0, 1, 1)}, ["Relu", "MaxPool"]),
    # Below 0 a padded zero is the largest; other values are larger than any; two rows of padding hide the picture.
    ({"before": "Neg"}, ["Neg", "Pad", "MaxPool"]),
    ({"value": 5.0}, ["Relu", "Pad", "MaxPool"]),
    ({"pads": (0, 0, 2, 2, 0, 0, 2, 2)}, ["Relu", "Pad", "MaxPool"]),
])
def test_a_pooling_pads_by_itself_where_that_is_the_same(settings, left):
    image = np.random.default_rng(0).normal(0.5, 1, (1, 1, 8, 8)).astype(np.float32)
    expected = asked(padded_pool(**settings), image)
    cleaned = clean(padded_pool(**settings), "answer")
    assert [node.op_type for node in cleaned.graph.node] == left
    np.testing.assert_array_equal(asked(cleaned, image), expected)


def test_a_shape_that_is_not_static_is_refused():
    graph = resize_graph(4, 8)
    for value in (graph.graph.input[0], graph.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(ConversionError, match="static"):
        clean(graph, "answer")


def test_two_outputs_are_refused():
    graph = resize_graph(4, 8)
    graph.graph.output.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 4, 4]))
    with pytest.raises(ConversionError, match="2 outputs"):
        clean(graph, "answer")


def test_a_weight_among_the_inputs_is_what_onnx_runtime_warns_of(warned):
    graph = padded_pool(value=5.0)  # whose padding stays
    weights = [helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
               for tensor in graph.graph.initializer]
    graph.graph.input.extend(weights)
    assert "appears in graph inputs" in warned(graph)
    assert warned(clean(graph, "answer")) == ""


def test_a_gluon_network(tmp_path, check_conversion):
    mxnet = pytest.importorskip("mxnet")
    layers = mxnet.gluon.nn
    network = layers.HybridSequential()
    network.add(layers.Conv2D(6, 3, strides=2, padding=1), layers.BatchNorm(), layers.Activation("relu"),
                layers.MaxPool2D(3, 2, 1), layers.Conv2DTranspose(5, 4, strides=2, padding=1), layers.Conv2D(4, 1))
    mxnet.random.seed(1)
    network.initialize(mxnet.init.Xavier())
    spec = InputSpec(32, 24, "letterbox", MEAN, STD)
    onnx_model = mxnet_to_onnx(network, 32, 24, tmp_path / "network.onnx")
    assert onnx_model.input_shape == (1, 3, 32, 24) and onnx_model.output_shape == (1, 4, 16, 12)
    answers = check_conversion(onnx_model, MxnetRuntime(network, spec), spec, MXNET_OPSET, ("fp32", "fp16"))
    assert onnx_model.output == "heatmaps" and np.ptp(answers["native"]) > 0.1
    assert 1e-6 < np.abs(answers["fp16"] - answers["native"]).max() < 1e-2


def test_a_network_of_four_channels_that_looks_at_the_mirror_image_too(tmp_path, check_conversion):
    """As the network for the side is: one score of a crop and of its mirror image, asked both ways up."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    crop = layers.Input((24, 24, 4))
    features = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, activation="relu")(crop)
    score = keras.Model(crop, layers.Dense(1, use_bias=False)(layers.Flatten()(features)))
    side = keras.Model(crop, layers.Softmax()(layers.Concatenate()([score(crop), score(crop[:, :, ::-1])])))
    network = keras.Model(crop, layers.Average()([side(crop), side(crop[:, ::-1, ::-1])]))
    spec = CropSpec(24, 320.0, (*MEAN, 0.0), (*STD, 255.0))
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 4), dtype=np.uint8)
    onnx_model = keras_to_onnx(network, 24, 24, tmp_path / "network.onnx", channels=4)
    assert onnx_model.input_shape == (1, 24, 24, 4) and onnx_model.output_shape == (1, 2)
    runtime = KerasRuntime(network, spec)
    native = check_conversion(onnx_model, runtime, spec, KERAS_OPSET, images=images)["native"]
    mirrored = check_conversion(onnx_model, runtime, spec, KERAS_OPSET, images=images[:, :, ::-1])["fp32"]
    assert np.ptp(native) > 0.05 and np.abs(mirrored[:, ::-1] - native).max() < 1e-5


def test_a_keras_network_of_an_odd_size(tmp_path, check_conversion):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    image = layers.Input((57, 45, 3))
    features = layers.Conv2D(6, 3, strides=2, padding="same", activation="swish")(image)
    features = layers.BatchNormalization()(features)
    size = features.shape[1:3]
    levels = [layers.Resizing(*size, interpolation="bilinear")(layers.AveragePooling2D(4)(features)),
              layers.Resizing(*size, interpolation="bilinear")(layers.GlobalAveragePooling2D(keepdims=True)(features))]
    scores = layers.Conv2D(4, 3, padding="same")(layers.Concatenate()([features, *levels]))
    network = keras.Model(image, layers.Softmax()(layers.Resizing(57, 45, interpolation="bilinear")(scores)))
    spec = InputSpec(57, 45, "stretch", MEAN, STD)
    onnx_model = keras_to_onnx(network, 57, 45, tmp_path / "network.onnx")
    assert onnx_model.output_shape == (1, 57, 45, 4)
    graph = onnx.load(str(onnx_model.path)).graph
    resizes = [node for node in graph.node if node.op_type == "Resize"]
    assert len(resizes) == 3 and all(node.input[2] == "" and node.input[3] for node in resizes)
    answers = check_conversion(onnx_model, KerasRuntime(network, spec), spec, KERAS_OPSET, ("fp32", "fp16"))
    assert 1e-6 < np.abs(answers["fp16"] - answers["native"]).max() < 1e-2
    _check_batches_of_two(network, spec, tmp_path)


def _check_batches_of_two(network, spec, folder):
    """Files of a Keras network for two images at a time answer as it does, and take nothing but whole batches."""
    images = np.random.default_rng(2).integers(0, 256, (4, spec.height, spec.width, 3), np.uint8)
    native = KerasRuntime(network, spec)(images)
    made = keras_to_onnx(network, spec.height, spec.width, folder / "twos.onnx", batch=2)
    freeze(network, spec, folder / "twos.pb", batch=2)
    in_twos = [OnnxRuntime(made.path, spec, made.layout), FrozenGraph(folder / "twos.pb")]
    for runtime in [*in_twos, KerasRuntime(network, spec, traced=True)]:
        answer = runtime(images)
        assert answer.shape == native.shape and np.abs(answer - native).max() < 1e-5
    for runtime in in_twos:
        with pytest.raises(ValueError, match="3 images are no multiple of the batch, 2"):
            runtime(images[:3])
