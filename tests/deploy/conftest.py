"""A bundle of tiny networks whose answers can be followed by hand: it is made in a second, without a framework."""

from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy.bundle import (
    CARD,
    CORNER_ORDER,
    CROP_COLOUR,
    CROP_FIT,
    GOLDEN,
    HEATMAPS,
    LABELS,
    SCHEMA,
    Bundle,
    CropSpec,
    contract_of,
    file_record,
    write_golden,
    write_manifest,
)
from deploy.card import model_card
from deploy.convert import OnnxModel, onnx_to_ir
from deploy.runtimes import OnnxRuntime
from scenes.dataset import write_annotations
from scenes.images import InputSpec
from scenes.labels import SHEET

MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
KEYPOINTS_SPEC = InputSpec(64, 48, "letterbox", MEAN, STD)
SEGMENTATION_SPEC = InputSpec(24, 32, "stretch", MEAN, STD)
SIDE_SPEC = CropSpec(16, 320.0, (*MEAN, 0.0), (*STD, 255.0))
# How much of red, green and blue each of the four channels takes.
COLOURS = np.array([[0.3, -0.1, -0.1], [-0.1, 0.3, -0.1], [-0.1, -0.1, 0.3], [0.15, 0.15, -0.2]], np.float32)
# One dot a corner, in colours that differ: input pixels (x, y) and RGB.
DOTS = (((9, 10), (255, 0, 0)), ((38, 12), (0, 255, 0)), ((36, 50), (0, 0, 255)), ((10, 48), (255, 255, 0)))


def write_onnx(path, nodes, weights, input_shape, output, output_shape):
    """An ONNX file of opset 13 from float32 `image` to `output`."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, output_shape)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def tiny_keypoints(path, colours=COLOURS):
    """Each channel is a blurred mix of the colours, cut at zero, at a quarter of the size: one a row of `colours`."""
    blur = np.exp(-((np.arange(8) - 3.5) ** 2) / 8)
    kernel = colours[:, :, None, None] * (np.outer(blur, blur) / blur.sum() ** 2)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["mixed"], strides=[4, 4], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["mixed"], ["heatmaps"]),
    ]
    size = KEYPOINTS_SPEC.height, KEYPOINTS_SPEC.width
    shapes = [1, 3, *size], [1, len(colours), size[0] // 4, size[1] // 4]
    write_onnx(path, nodes, {"kernel": kernel.astype(np.float32)}, shapes[0], "heatmaps", shapes[1])
    return OnnxModel(path, "NCHW", "heatmaps", tuple(shapes[0]), tuple(shapes[1]), 13)


def tiny_segmentation(path, colours=COLOURS):
    """Each pixel's class is the softmax of the same mixes, without a neighbour."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["pixels"], perm=[0, 2, 3, 1]),
        helper.make_node("Softmax", ["pixels"], ["probabilities"], axis=3),
    ]
    size = SEGMENTATION_SPEC.height, SEGMENTATION_SPEC.width
    kernel = {"kernel": colours[:, :, None, None].astype(np.float32)}
    write_onnx(path, nodes, kernel, [1, *size, 3], "probabilities", [1, *size, 4])
    return OnnxModel(path, "NHWC", "probabilities", (1, *size, 3), (1, *size, 4), 13)


def tiny_side(path, colours=COLOURS):
    """The last two mixes, left half less right half, and the mask with either sign: one score a side, and a softmax."""
    size = SIDE_SPEC.size_px
    ramp = np.linspace(1, -1, size)[None, None, None] / size**1.5
    kernel = np.concatenate([colours[2:], [[0.3], [-0.3]]], axis=1)[:, :, None, None] * np.ones((1, 1, size, 1)) * ramp
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["mixed"]),
        helper.make_node("Reshape", ["mixed", "pair"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    weights = {"kernel": kernel.astype(np.float32), "pair": np.array([1, 2])}
    write_onnx(path, nodes, weights, [1, size, size, 4], "probabilities", [1, 2])
    return OnnxModel(path, "NHWC", "probabilities", (1, size, size, 4), (1, 2), 13)


TINY = {"keypoints": tiny_keypoints, "segmentation": tiny_segmentation, "side": tiny_side}
SPECS = {"keypoints": KEYPOINTS_SPEC, "segmentation": SEGMENTATION_SPEC, "side": SIDE_SPEC}


def tiny_inputs(side=False):
    """{model: uint8 (2, H, W, 3)}: four dots on black, then noise. The side's are two crops, (2, S, S, 4):
    a ramp from one side to the other, and its mirror image."""
    rng = np.random.default_rng(3)
    inputs = {}
    for model, spec in (("keypoints", KEYPOINTS_SPEC), ("segmentation", SEGMENTATION_SPEC)):
        images = rng.integers(0, 256, (2, spec.height, spec.width, 3), dtype=np.uint8)
        images[0] = 0
        for (x, y), colour in DOTS:
            x, y = x * spec.width // 48, y * spec.height // 64
            images[0, y - 2 : y + 3, x - 2 : x + 3] = colour
        inputs[model] = images
    if side:
        y, x = np.mgrid[: SIDE_SPEC.size_px, : SIDE_SPEC.size_px]
        ramp = np.stack([255 - 12 * x, 10 * x, 200 - 3 * y, 255 * (x < 9)], axis=-1).astype(np.uint8)
        inputs["side"] = np.stack([ramp, ramp[:, ::-1]])
    return inputs


def describe(model, spec, onnx_model):
    """A network's manifest entry without its files."""
    own = {"output": {"name": onnx_model.output, "shape": list(onnx_model.output_shape), "dtype": "float32"}}
    if model == "keypoints":
        own["output"]["stride"] = 4
        own["corner_order"] = CORNER_ORDER
    else:
        own["labels"] = list(LABELS[model])
    channels = len(spec.mean)
    source = {"name": "image", "shape": [1, spec.height, spec.width, channels], "dtype": "uint8", "layout": "NHWC"}
    is_crop = model == "side"
    source |= {"colour": CROP_COLOUR, "fit": CROP_FIT, "span_mm": spec.span_mm} if is_crop else {
        "colour": "RGB", "fit": spec.fit}  # fmt: skip
    source |= {"mean": list(spec.mean), "std": list(spec.std)}
    return {"task": "a test", "architecture": "tiny", "input": source, **own, "trained_on": {}, "accuracy": {}}


@pytest.fixture
def build_bundle(tmp_path):
    """A function that writes a bundle and gives its folder.

    `golden_from` are the networks that the golden outputs come from and `shipped` those whose IR is in the bundle, each
    {model: function of a path that writes an ONNX file}, so that a test can ship another one than it should;
    `ir_spec` is the InputSpec whose mean and std go into the IR, likewise. With `side` there is a third network. `maps`
    is the kind of maps that the manifest names; without it none, as in bundles of before there was a choice.
    """

    def build(name="bundle", shipped=None, ir_spec=None, precisions=("fp32", "fp16"), side=False, maps=None):
        folder = tmp_path / name
        folder.mkdir()
        golden, models = {}, {}
        networks = TINY | {"keypoints": lambda path: tiny_keypoints(path, COLOURS[: HEATMAPS[maps or "each"][0]])}
        for model, inputs in tiny_inputs(side).items():
            right = networks[model](tmp_path / f"{name}-{model}.onnx")
            golden[model] = inputs, OnnxRuntime(right.path, SPECS[model], right.layout, threads=1)(inputs)
            sent = (shipped or {}).get(model, networks[model])(tmp_path / f"{name}-{model}-shipped.onnx")
            described = describe(model, SPECS[model], right)
            if model == "keypoints" and maps:
                described["output"]["maps"] = maps
            inside = (ir_spec or SPECS)[model]
            paths = onnx_to_ir(sent, inside, folder, model, precisions, contract_of(model, described))
            described["variants"] = {
                precision: {part: file_record(folder, path.with_suffix(f".{part}").name) for part in ("xml", "bin")}
                for precision, path in paths.items()
            }
            models[model] = described | {"default_precision": precisions[-1]}
        write_golden(folder / GOLDEN, golden)
        manifest = {"schema": SCHEMA, "created": "2026-01-01T00:00:00+00:00", "models": models}
        manifest |= {"golden": file_record(folder, GOLDEN), "versions": {"python": "3"}}
        (folder / CARD).write_text(model_card(manifest))
        write_manifest(folder, manifest | {"card": file_record(folder, CARD)})
        return folder

    return build


@pytest.fixture
def bundle_folder(build_bundle):
    """A right bundle."""
    return build_bundle()


@pytest.fixture
def bundle(bundle_folder):
    return Bundle.load(bundle_folder)


@pytest.fixture
def side_folder(build_bundle):
    """A right bundle with a network for the side."""
    return build_bundle("with-side", side=True)


@pytest.fixture
def tiny():
    """The parts that the bundle is made of, for tests that make another one of them."""
    return SimpleNamespace(
        colours=COLOURS, keypoints=tiny_keypoints, segmentation=tiny_segmentation, side=tiny_side, inputs=tiny_inputs,
        side_spec=SIDE_SPEC, keypoints_spec=KEYPOINTS_SPEC, segmentation_spec=SEGMENTATION_SPEC, write_onnx=write_onnx,
    )  # fmt: skip


@pytest.fixture
def labelled_sheets(tmp_path):
    """A dataset of two photos of a white sheet, 192 x 256, the second of split "test"; a corner of both is covered."""
    folder = tmp_path / "labelled"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    corners = np.array([[40.0, 50.0], [145.0, 50.0], [145.0, 198.0], [40.0, 198.0]])  # A4, seen from above
    records = []
    for number, split in enumerate(("train", "test")):
        mask = np.zeros((256, 192), np.uint8)
        cv2.fillPoly(mask, [corners.astype(np.int32)], SHEET)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.where(mask == SHEET, 230, 60))
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), mask)
        records.append({"file_name": f"{number}.png", "width": 192, "height": 256, "corners": corners.tolist(),
                        "visibility": [2, 2, 1, 2], "attributes": {"split": split}})
    write_annotations(folder, records)
    return folder
