"""Every model with every kind of maps and of input becomes ONNX and IR. The hourglass, which is small, and what the
shipped network is are quick; the others are long."""

from types import SimpleNamespace

import numpy as np
import pytest

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")
pytest.importorskip("onnx")

from deploy.convert import MXNET_OPSET, mxnet_to_onnx  # noqa: E402
from deploy.runtimes import MxnetRuntime  # noqa: E402
from keypoints.config import CHOICES, MODELS, REGRESSION_MODELS, TrainConfig  # noqa: E402
from keypoints.loader import one_hot  # noqa: E402
from keypoints.models.registry import build, initialise  # noqa: E402
from scenes.labels import NAMES  # noqa: E402

SMALL = {"hourglass": {"stacks": 2, "filters": 8}}
KINDS = [("each", "mask"), *((maps, "rgb") for maps in CHOICES["maps"])]
CASES = [(model, *kind) for model in MODELS for kind in KINDS if model not in REGRESSION_MODELS or kind[0] == "each"]


def is_quick(model, maps, source):
    return model == "hourglass" or (model, maps, source) == ("pyramid_resnet18_v1b", "sheet", "rgb")


@pytest.mark.parametrize("model, maps, source", [
    pytest.param(*case, marks=[] if is_quick(*case) else [pytest.mark.slow, pytest.mark.long]) for case in CASES
])
def test_a_model_converts(model, maps, source, tmp_path, check_conversion):
    config = TrainConfig(model=model, maps=maps, input=source, height=64, width=96, seed=1, **SMALL.get(model, {}))
    net = build(config)
    initialise(net, config)
    rng = np.random.default_rng(0)
    # Means and variances of batch normalisation as after some training.
    with mx.autograd.record():
        net(mx.nd.array(rng.normal(size=(2, config.channels, config.height, config.width))))
    spec, images = config.input_spec, None
    if source == "mask":
        spec = SimpleNamespace(height=64, width=96, mean=(0.0,) * len(NAMES), std=(1.0,) * len(NAMES))
        masks = rng.integers(0, len(NAMES), (3, 8, 12)).repeat(8, axis=1).repeat(8, axis=2)
        images = one_hot(masks).transpose(0, 2, 3, 1).astype(np.uint8)
    made = mxnet_to_onnx(net, 64, 96, tmp_path / "net.onnx", "answer", config.channels)
    answers = check_conversion(made, MxnetRuntime(net, spec), spec, MXNET_OPSET, images=images)
    assert answers["onnx"].shape == (3, config.outputs, *(() if config.is_regression else (16, 24)))
