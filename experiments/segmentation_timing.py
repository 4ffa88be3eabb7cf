"""How fast a segmentation network is in each runtime: what a process of its own prepares, times and profiles.

    FOLDER/segmentation.onnx, .fp32.xml, .int8.xml    a network, converted and quantised
    FOLDER/frozen.pb                                  the same as TensorFlow's frozen graph, uint8 in
    FOLDER/images.npy                                 photos at its input's size, uint8 (N, H, W, 3)
    FOLDER/classes.npy                                what Keras says of the first of them, class ids uint8 (n, H, W)
    FOLDER/ready.json                                 written last: what the processor can
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deploy.bundle import Bundle
from deploy.frozen_graph import FrozenGraph, freeze, limit_tensorflow
from deploy.golden import photo_paths, spread
from experiments.layer_profile import layer_times
from experiments.rounds import time_calls
from experiments.timing import HINTS
from scenes.files import write_whole
from scenes.images import fit_photo, read_photo
from segmentation.config import TrainConfig

ONNX, FROZEN, IMAGES, CLASSES, READY = "segmentation.onnx", "frozen.pb", "images.npy", "classes.npy", "ready.json"
FILES = {"OpenVINO FP32": "segmentation.fp32.xml", "OpenVINO BF16": "segmentation.fp32.xml",
         "OpenVINO INT8": "segmentation.int8.xml"}  # fmt: skip
REFERENCE = "TensorFlow frozen graph"
RUNTIMES = (REFERENCE, "Keras", "ONNX Runtime", *HINTS)
BUNDLE = "bundle"  # what a bundle's network is called
CHECKED = 2  # photos on which a runtime's answers are held against those of Keras


@dataclass(frozen=True)
class Network:
    """name: what it is called. config: of the network, at the size that it is timed at. run: folder of its weights, of
    any size; None: random ones."""

    name: str
    config: TrainConfig
    run: Path | None = None

    @property
    def label(self):
        """Its name and its input's height and width."""
        return f"{self.name} {self.config.height}x{self.config.width}"


def load(network):
    """The Keras model of a Network: normalised float32 (N, H, W, 3) -> probabilities. Raises
    segmentation.config.ConfigError for weights that do not fit."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from segmentation.network import build_networks, load_weights, weights_file

    networks = build_networks(network.config, initial_weights=False)
    if network.run:
        load_weights(networks, weights_file(Path(network.run)))
    return networks.inference


def prepare(network, data, photos, calibration, frozen, folder):
    """Convert a Network, quantise it on `calibration` of a dataset's photos (training ones where it has any), and fit
    the first `photos` of the dataset to its input. frozen: whether as a frozen graph too."""
    from deploy.convert import keras_to_onnx, onnx_to_ir
    from deploy.quantize import FLOATS, quantize_network
    from deploy.runtimes import KerasRuntime, load_openvino

    spec, folder, model = network.config.input_spec, Path(folder), load(network)
    folder.mkdir(parents=True, exist_ok=True)
    onnx_model = keras_to_onnx(model, spec.height, spec.width, folder / ONNX)
    onnx_to_ir(onnx_model, spec, folder, "segmentation", ("fp32",))
    quantize_network(folder / FILES["OpenVINO FP32"], fitted(spread(photo_paths(data, "train"), calibration), spec),
                     folder / FILES["OpenVINO INT8"], FLOATS["segmentation"])
    if frozen:
        freeze(model, spec, folder / FROZEN)
    images = timed_images(data, photos, spec)
    np.save(folder / IMAGES, images)
    np.save(folder / CLASSES, KerasRuntime(model, spec)(images[:CHECKED]).argmax(-1).astype(np.uint8))
    can = sorted(load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    write_whole(folder / READY, (json.dumps({"processor_can": can}) + "\n").encode())


def fitted(paths, spec):
    """Photos at the size of an InputSpec: uint8 (N, H, W, 3)."""
    return np.stack([fit_photo(read_photo(path).rgb, spec) for path in paths])


def timed_images(data, photos, spec):
    """The first `photos` of a dataset at the size of an InputSpec: uint8 (N, H, W, 3)."""
    return fitted(photo_paths(data, None)[:photos], spec)


def open_runtime(name, network, folder, threads):
    """A function from uint8 (N, H, W, 3) at the input's size to probabilities: one of RUNTIMES."""
    from deploy.runtimes import KerasRuntime, OnnxRuntime, OpenVinoRuntime

    folder, spec = Path(folder), network.config.input_spec
    if name in HINTS:
        return OpenVinoRuntime(folder / FILES[name], HINTS[name], threads)
    if name == "ONNX Runtime":
        return OnnxRuntime(folder / ONNX, spec, "NHWC", threads)
    limit_tensorflow(threads)
    return FrozenGraph(folder / FROZEN) if name == REFERENCE else KerasRuntime(load(network), spec)


def open_bundle(bundle, threads):
    """(a function from uint8 (N, H, W, 3) to probabilities, InputSpec) of a bundle's INT8 network, as it is."""
    from deploy.meter import PRECISION
    from deploy.runtimes import OpenVinoRuntime

    loaded = Bundle.load(bundle)
    runtime = OpenVinoRuntime(loaded.model_path("segmentation", "int8"), PRECISION, threads)
    return runtime, loaded.input_spec("segmentation")


def time_runtime(name, network, folder, threads, repeats, file):
    """Time one of RUNTIMES from the photo at the input's size to its probabilities: images_per_second into a JSON file,
    and same_pixels, the share of CHECKED photos' pixels that it gives the class that Keras gives."""
    cv2.setNumThreads(threads)
    runtime, images = open_runtime(name, network, folder, threads), np.load(Path(folder) / IMAGES)
    rate, outputs = time_calls(runtime, images, repeats)
    classes = np.load(Path(folder) / CLASSES)
    same = float((outputs[: len(classes)].argmax(-1) == classes).mean())
    write_whole(file, (json.dumps({"images_per_second": rate, "same_pixels": same}) + "\n").encode())


def time_bundle(bundle, data, photos, threads, repeats, file):
    """As `time_runtime`, of a bundle's INT8 network; there is no Keras model to hold it against."""
    cv2.setNumThreads(threads)
    runtime, spec = open_bundle(bundle, threads)
    rate, _ = time_calls(runtime, timed_images(data, photos, spec), repeats)
    write_whole(file, (json.dumps({"images_per_second": rate, "same_pixels": None}) + "\n").encode())


def profile(folder, threads, repeats, file):
    """experiments.layer_profile of a prepared network in INT8, into a JSON file."""
    images = np.load(Path(folder) / IMAGES)
    found = layer_times(Path(folder) / FILES["OpenVINO INT8"], images, threads, repeats, HINTS["OpenVINO INT8"])
    write_whole(file, (json.dumps(found) + "\n").encode())
