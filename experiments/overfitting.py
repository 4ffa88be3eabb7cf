"""A corner network trained until it knows a few scenes by heart, and what it then gives in ONNX Runtime."""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.training import WEIGHTS
from keypoints.config import TrainConfig
from keypoints.loader import HELD_SIZE, load_examples, plain_batches, plain_sample
from keypoints.metrics import cyclic_errors
from scenes.dataset import read_dataset
from scenes.files import write_whole

LIMIT_PX = 0.5  # of the mean corner error, in pixels of the network's input: below it the scenes are known
CURVE = "corner-errors.json"  # in a run's folder: pairs of image steps and mean error


def overfit(run, scenes, config, passes, file):
    """Train a run on a dataset of scenes until it knows them or its epochs are used up, and write what came out into a
    JSON file; goes on where it was interrupted. For a process of its own.

    config: TrainConfig. passes: over the scenes in an epoch, after each of which the error is looked at. Raises what
    keypoints.train.train raises.
    """
    import cv2

    from keypoints.run import RESUME, read_history
    from keypoints.train import train

    cv2.setNumThreads(1)
    samples = read_dataset(scenes)
    history, curve = read_history(run), _read_curve(run)
    while True:
        if history:
            measured = measure(run, samples)
            curve[len(history) * passes * len(samples)] = float(measured.errors_px.mean())
            write_whole(run / CURVE, json.dumps(list(curve.items())).encode())
            if measured.errors_px.mean() <= LIMIT_PX or len(history) >= config.epochs:
                break
        history = train([scenes] * passes, run, config, scenes, resume=True, stop_after=1)
    found = {"curve": list(curve.items()), **measured.to_json(), **compare_in_onnx(measured)}
    write_whole(file, (json.dumps(found, indent=1) + "\n").encode())
    (run / RESUME).unlink()


def _read_curve(run):
    """{image steps: error} as far as it has been looked at."""
    try:
        return dict(json.loads((run / CURVE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


@dataclass(frozen=True, eq=False)
class Measured:
    """A network on scenes. inputs: float32 (N, channels, H, W). outputs: what it gives for them. errors_px: float64
    (N, 4), pixels of the input, after the cyclic shift that suits best. visibility: int (N, 4), as in COCO."""

    network: object
    config: TrainConfig
    inputs: np.ndarray
    outputs: np.ndarray
    errors_px: np.ndarray
    visibility: np.ndarray

    def to_json(self):
        """Means and counts of the errors: dict for JSON; None without a corner of the kind."""
        told = {"mean_px": float(self.errors_px.mean()), "largest_px": float(self.errors_px.max())}
        for kind, value in (("visible", 2), ("covered", 1)):
            errors = self.errors_px[self.visibility == value]
            told |= {f"{kind}_px": float(errors.mean()) if errors.size else None, f"{kind}_count": int(errors.size)}
        return told


def measure(run, samples):
    """Measured of a run folder's last weights on scenes.dataset.Samples whose corners are all known."""
    from keypoints.decoding import points_in_input
    from keypoints.run import load_network, predict_normalised

    network, config = load_network(run, WEIGHTS)
    examples = load_examples(samples, HELD_SIZE * max(config.height, config.width), masks=config.input == "mask")
    inputs = next(plain_batches(examples, replace(config, batch=len(examples)))).images
    outputs = predict_normalised(network, [inputs])
    found = np.array([points_in_input(output, config)[0] for output in outputs])
    _, corners, visibility = map(np.array, zip(*(plain_sample(example, config) for example in examples), strict=True))
    return Measured(network, config, inputs, outputs, cyclic_errors(found, corners, visibility), visibility)


def compare_in_onnx(measured):
    """How far ONNX Runtime is from MXNet on the same inputs: dict for JSON with the largest difference of an output
    and the outputs' range."""
    from deploy.convert import mxnet_to_onnx

    config, network, inputs = measured.config, measured.network, measured.inputs
    if config.input == "mask":
        network, inputs = without_background(network), inputs[:, 1:]
    with tempfile.TemporaryDirectory() as folder:
        file = mxnet_to_onnx(network, config.height, config.width, Path(folder) / "network.onnx").path
        outputs = onnx_outputs(file, inputs)
    return {"onnx_difference": float(np.abs(outputs - measured.outputs).max()),
            "output_range": float(np.ptp(measured.outputs))}


def onnx_outputs(file, inputs):
    """What ONNX Runtime gives for float32 (N, ...), one after another, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: one[None]})[0] for one in inputs])


def without_background(network):
    """A network of class masks as one of three channels, as deploy.convert makes them: the first, background, is what
    the others leave."""
    from mxnet.gluon import HybridBlock

    class OfThreeClasses(HybridBlock):
        def __init__(self):
            super().__init__()
            self.network = network

        def hybrid_forward(self, F, classes):
            background = 1.0 - F.sum(classes, axis=1, keepdims=True)
            return self.network(F.concat(background, classes, dim=1))

    return OfThreeClasses()
