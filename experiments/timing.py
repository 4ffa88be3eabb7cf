"""How fast a corner network is in each runtime, and how fast it is trained: what a process of its own times.

    NETWORKS/keypoints.onnx, keypoints.fp32.xml    the run's network, converted
    NETWORKS/images.npy                            photos at its input's size, uint8 (N, H, W, 3)
    NETWORKS/ready.json                            written last: what the processor can
"""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from deploy.benchmark.worker import check_same
from deploy.bundle import Bundle
from experiments.rounds import time_calls
from experiments.runs import run_config
from scenes.dataset import read_dataset
from scenes.files import write_whole
from scenes.images import fit_photo, read_photo

ONNX, IR, IMAGES, READY = "keypoints.onnx", "keypoints.fp32.xml", "images.npy", "ready.json"
# OpenVINO -> what it computes floats in. An INT8 file's quantised layers are INT8 whatever the hint.
HINTS = {"OpenVINO FP32": "f32", "OpenVINO BF16": "bf16", "OpenVINO INT8": "f32"}
EPOCHS = 2  # of a timed training: the first makes what the second finds ready, and is not counted


def prepare(run, data, count, bundle, networks):
    """Convert a run's network, and fit the first `count` photos of a dataset to its input.

    bundle: folder with an INT8 variant, or None. Raises deploy.export.ExportError for a run without heatmaps of photos,
    ValueError for a bundle of another network.
    """
    from deploy.convert import onnx_to_ir
    from deploy.export import load_keypoints
    from deploy.runtimes import load_openvino

    trained, networks = load_keypoints(run), Path(networks)
    networks.mkdir(parents=True, exist_ok=True)
    if bundle:
        check_same(trained, Bundle.load(bundle))
    model = trained.to_onnx(networks / ONNX)
    onnx_to_ir(model, trained.spec, networks, "keypoints", ("fp32",))
    photos = [fit_photo(read_photo(sample.image_path).rgb, trained.spec) for sample in read_dataset(data)[:count]]
    np.save(networks / IMAGES, np.stack(photos))
    can = sorted(load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    write_whole(networks / READY, (json.dumps({"processor_can": can}) + "\n").encode())


def open_runtime(name, run, networks, bundle, threads):
    """A function from uint8 (N, H, W, 3) at the input's size to heatmaps: "MXNet", "ONNX Runtime", or one of HINTS."""
    from deploy.runtimes import OnnxRuntime, OpenVinoRuntime

    networks = Path(networks)
    if name == "MXNet":
        from deploy.export import load_keypoints

        return load_keypoints(run).native
    if name == "ONNX Runtime":
        return OnnxRuntime(networks / ONNX, run_config(run).input_spec, "NCHW", threads)
    file = Bundle.load(bundle).model_path("keypoints", "int8") if name == "OpenVINO INT8" else networks / IR
    return OpenVinoRuntime(file, HINTS[name], threads)


def time_runtime(name, run, networks, bundle, threads, repeats, file):
    """Time a runtime, one photo after another, each `repeats` times: images_per_second into a JSON file, and the
    heatmaps beside it. What is timed is all from the photo at the input's size to its heatmaps."""
    cv2.setNumThreads(threads)
    runtime, images = open_runtime(name, run, networks, bundle, threads), np.load(Path(networks) / IMAGES)
    rate, outputs = time_calls(runtime, images, repeats)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file.with_suffix(".npy"), outputs)
    write_whole(file, (json.dumps({"images_per_second": rate}) + "\n").encode())


def time_training(scenes, config, loader_workers, threads, file):
    """Time the last of EPOCHS of a training on a dataset: images_per_second and waiting_share into a JSON file.

    loader_workers: of GluonCV's loop (experiments.gluon_loop); None: it is keypoints.train that is timed.
    """
    cv2.setNumThreads(threads)
    if loader_workers is None:
        from keypoints.train import train

        with tempfile.TemporaryDirectory() as folder:
            last = train(scenes, Path(folder) / "run", config)[-1]
        found = {key: last[key] for key in ("images_per_second", "waiting_share")}
    else:
        from experiments.gluon_loop import train_epochs

        found = train_epochs(read_dataset(scenes, "train"), config, loader_workers, EPOCHS)
    write_whole(file, (json.dumps(found) + "\n").encode())
