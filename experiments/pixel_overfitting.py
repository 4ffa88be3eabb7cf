"""A network of pixels trained until it knows a few scenes by heart, and what it then gives once it is converted."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from experiments.segmentation_timing import limit_tensorflow
from scenes.dataset import read_dataset
from scenes.files import write_whole
from segmentation.loader import read_pixels, validation_batches

LIMIT_IOU = 0.95  # of the mean over the four classes: from it on the scenes are known
RUNTIMES = ("ONNX Runtime", "OpenVINO FP32")


def overfit(run, scenes, config, passes, threads, file):
    """Train a run on a dataset of scenes until it knows them or its epochs are used up, and write what came out into a
    JSON file; goes on where it was interrupted. For a process of its own.

    config: segmentation.config.TrainConfig. passes: over the scenes in an epoch, after each of which the mean IoU is
    looked at. threads: of TensorFlow. Raises what segmentation.train.train raises.
    """
    import cv2

    os.environ["KERAS_BACKEND"] = "tensorflow"
    from segmentation.network import LAST_WEIGHTS, build_networks, load_weights, weights_file
    from segmentation.run_folder import STATE_FILE
    from segmentation.train import train

    cv2.setNumThreads(threads)
    limit_tensorflow(threads)
    samples = read_dataset(scenes)
    # The same scenes validate: what is told of an epoch is how well they are known.
    folder = train([scenes] * passes, run, config, resume=True, validation=scenes, threads=1, enough=LIMIT_IOU)
    networks = build_networks(config, initial_weights=False)
    load_weights(networks, weights_file(run))
    # The weights are those of the first of the best epochs.
    known = max((line["validation"] for line in folder.history), key=lambda told: told["mean_iou"])
    found = {"parameters": networks.training.count_params(),
             "curve": [[line["epoch"] * passes * len(samples), line["validation"]["mean_iou"]]
                       for line in folder.history],
             "mean_iou": known["mean_iou"], "iou": known["iou"],
             "converted": compare_converted(networks.inference, config, samples, threads)}
    write_whole(file, (json.dumps(found, indent=1) + "\n").encode())
    for name in (STATE_FILE, LAST_WEIGHTS):
        (run / name).unlink()


def compare_converted(model, config, samples, threads=1):
    """How far a Keras model is from itself in RUNTIMES on scenes.dataset.Samples at its input's size: dict for JSON,
    {runtime: {"largest", the largest difference of a probability as a share of their range; "same_pixels", the share
    of pixels that are given the same class}}."""
    from deploy.convert import keras_to_onnx, onnx_to_ir
    from deploy.parity import PARITY_HINT
    from deploy.runtimes import KerasRuntime, OnnxRuntime, OpenVinoRuntime

    spec = config.input_spec
    images = np.concatenate([batch.images for batch in validation_batches(read_pixels(samples, 1), config)])
    wanted = np.concatenate([KerasRuntime(model, spec)(image[None]) for image in images])
    with tempfile.TemporaryDirectory() as folder:
        converted = keras_to_onnx(model, spec.height, spec.width, Path(folder) / "network.onnx")
        ir = onnx_to_ir(converted, spec, folder, "network", ("fp32",))["fp32"]
        runtimes = (OnnxRuntime(converted.path, spec, converted.layout, threads),
                    OpenVinoRuntime(ir, PARITY_HINT, threads))
        return {name: _difference(wanted, runtime(images)) for name, runtime in zip(RUNTIMES, runtimes, strict=True)}


def _difference(wanted, outputs):
    return {"largest": float(np.abs(outputs - wanted).max() / np.ptp(wanted)),
            "same_pixels": float((outputs.argmax(-1) == wanted.argmax(-1)).mean())}
