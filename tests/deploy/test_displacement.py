"""Nothing that displaces a segmentation is in our conversions, and parity catches each of them where it is put in.

The network has all that the causes need: convolutions of stride 2 that pad unevenly and on both sides alike, a pyramid,
a nearest resizing by a whole factor and a bilinear one by a broken one.
"""

from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy.convert import keras_to_onnx, onnx_to_ir
from deploy.parity import compare
from deploy.runtimes import KerasRuntime, OnnxRuntime, OpenVinoRuntime
from experiments.displacement import find_move
from experiments.displacement_causes import CAUSES, Cause, NotThere, changed, enlarge_by, map_pixels, pad_by
from experiments.figure57 import OLD, ONNX, convert_at, wrong_answers
from scenes.images import InputSpec

SPEC = InputSpec(100, 84, "letterbox", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
BOXES = np.array([[10, 0, 64, 100]] * 2)
# By these a network of this kind is not changed: nothing in it becomes one pixel large, and a whole factor has no ties.
HARMLESS = ("pytorch_half_pixel", "nearest_prefer_floor")
OURS = "nearest_prefer_ceil"  # conversions have it by themselves


def build():
    import keras

    from segmentation.models.layers import pyramid, resize

    layers = keras.layers
    keras.utils.set_random_seed(1)
    image = layers.Input((SPEC.height, SPEC.width, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, activation="relu")(image)
    x = layers.ZeroPadding2D(1)(x)  # 50x42, which SAME would pad at the end alone
    x = layers.Conv2D(8, 3, 2, use_bias=False, activation="relu")(x)
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, activation="relu")(x)
    x = resize(pyramid(x, (1, 2), 4, 0.9), (26, 22), "finer", "nearest")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    return keras.Model(image, layers.Softmax()(resize(layers.Rescaling(20)(x), (SPEC.height, SPEC.width), "whole")))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The network converted by us, what Keras says of two images, and what the others say."""
    pytest.importorskip("tf2onnx")
    folder, model = tmp_path_factory.mktemp("network"), build()
    onnx_model = keras_to_onnx(model, SPEC.height, SPEC.width, folder / ONNX)
    paths = onnx_to_ir(onnx_model, SPEC, folder, "ours", ("fp32",))
    coarse = np.random.default_rng(0).integers(0, 256, (2, 13, 11, 3), dtype=np.uint8)
    images = np.stack([cv2.resize(one, (SPEC.width, SPEC.height), interpolation=cv2.INTER_CUBIC) for one in coarse])
    runtimes = {"ONNX Runtime": OnnxRuntime(folder / ONNX, SPEC, "NHWC", 1),
                "OpenVINO": OpenVinoRuntime(paths["fp32"], "f32", 1)}
    native = KerasRuntime(model, SPEC)(images)
    return SimpleNamespace(folder=folder, model=model, images=images, native=native,
                           ours={name: runtime(images) for name, runtime in runtimes.items()})


def agrees(network, answers):
    return compare("segmentation", network.native, answers, "", "fp32").passed


def test_the_masks_have_several_classes(network):
    assert np.ptp(network.native) > 0.5 and len(np.unique(network.native.argmax(-1))) >= 3


@pytest.mark.parametrize("runtime", ["ONNX Runtime", "OpenVINO"])
def test_ours_has_none_of_them(network, runtime):
    assert agrees(network, network.ours[runtime])


@pytest.mark.parametrize(
    "name", [name for name, cause in CAUSES.items() if not cause.opset and name not in (*HARMLESS, OURS)]
)
def test_parity_catches_it(network, name):
    assert not agrees(network, wrong_answers(CAUSES[name], network.folder, SPEC, network.images, BOXES))


def test_ties_between_pixels_go_up_in_ours_already(network):
    with pytest.raises(NotThere):
        wrong_answers(CAUSES[OURS], network.folder, SPEC, network.images, BOXES)


@pytest.mark.parametrize("name", HARMLESS)
def test_parity_lets_pass_what_changes_nothing(network, name):
    assert agrees(network, wrong_answers(CAUSES[name], network.folder, SPEC, network.images, BOXES))


def test_an_opset_without_a_rule_for_pixels_is_caught(tmp_path):
    """tf2onnx writes it without a word; ours is opset 17, which has one."""
    keras = pytest.importorskip("keras")
    pytest.importorskip("tf2onnx")
    from segmentation.models.layers import resize

    keras.utils.set_random_seed(1)
    image = keras.layers.Input((12, 12, 3))
    scores = keras.layers.Conv2D(4, 3, 2, padding="same", use_bias=False)(image)
    model = keras.Model(image, keras.layers.Softmax()(resize(scores, (12, 12), "whole")))
    spec = InputSpec(12, 12, "stretch", SPEC.mean, SPEC.std)
    images = np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3), dtype=np.uint8)
    convert_at(model, spec, CAUSES["upsample"].opset, tmp_path / OLD)
    keras_to_onnx(model, 12, 12, tmp_path / ONNX)
    native = KerasRuntime(model, spec)(images)
    ours, old = (OnnxRuntime(tmp_path / file, spec, "NHWC", 1)(images) for file in (ONNX, OLD))
    assert compare("segmentation", native, ours, "", "fp32").passed
    assert not compare("segmentation", native, old, "", "fp32").passed
    wrong = wrong_answers(CAUSES["asymmetric"], tmp_path, spec, images, BOXES)
    assert np.abs(old - wrong).max() < 1e-5  # it is that cause


def resize_alone(size, target, mode="linear"):
    """A right graph of one Resize of NHWC (1, size, size, 1)."""
    image, answer = ([1, side, side, 1] for side in (size, target))
    nodes = [helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
             helper.make_node("Resize", ["planes", "", "", "sizes"], ["larger"], mode=mode,
                              coordinate_transformation_mode="half_pixel"),
             helper.make_node("Transpose", ["larger"], ["answer"], perm=[0, 2, 3, 1])]
    graph = helper.make_graph(
        nodes, "resize", [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, answer)],
        [numpy_helper.from_array(np.array([1, 1, target, target]), "sizes")])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def blob(size):
    x = np.arange(size) - (size - 1) / 2
    return np.exp(-((x / (size / 6)) ** 2)).astype(np.float32)


@pytest.mark.parametrize(("mapping", "shift", "growth"), [
    ("asymmetric", -(473 / 30 - 1) / 2, 0.0), ("align_corners", 0.0, (473 / 30 - 1) / 2)])  # fmt: skip
def test_how_far_it_is_can_be_worked_out(mapping, shift, growth):
    """A feature pixel's middle is brought to i h/H instead of (i + 1/2) h/H - 1/2, or to where the ends stay ends."""
    onnxruntime = pytest.importorskip("onnxruntime")
    picture = np.outer(blob(30), blob(30))[None, :, :, None]
    right, wrong = resize_alone(30, 473), resize_alone(30, 473)
    changed(wrong, Cause("", "", "", map_pixels(mapping)))
    native, other = (onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"image": picture})[0][0] for model in (right, wrong))
    move = find_move(native, other)
    assert (move.shift_x, move.shift_y) == pytest.approx((shift, shift), abs=0.1)
    assert (move.growth_x, move.growth_y) == pytest.approx((growth, growth), abs=0.3)


@pytest.mark.parametrize(("size", "target", "mode", "change", "word"), [
    (4, 8, "linear", enlarge_by(np.floor), "the factor is whole"),
    (4, 8, "nearest", map_pixels("asymmetric"), "no linear Resize"),
    (4, 9, "linear", map_pixels("half_pixel"), "has this already"),
    (4, 9, "linear", pad_by("SAME_LOWER"), "nothing of stride 2"),
])  # fmt: skip
def test_what_a_network_has_nothing_of_is_said(size, target, mode, change, word):
    with pytest.raises(NotThere, match=word):
        changed(resize_alone(size, target, mode), Cause("", "", "", change))


def test_bars_that_are_not_there_cannot_be_forgotten():
    with pytest.raises(NotThere, match="no bars"):
        CAUSES["bars"].read(np.zeros((1, 6, 6, 4), np.float32), (6, 6), np.array([[0, 0, 6, 6]]))
