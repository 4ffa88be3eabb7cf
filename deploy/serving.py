"""A bundle's networks as OpenVINO Model Server reads them: a folder a network, in it one a version, and a config.json.

A server gives raw maps; what a photo is made into for them and what they are decoded to is in deploy.serving_client.
"""
import json
import os
import shutil
import tempfile
from pathlib import Path

from deploy.bundle import BundleError
from deploy.meter import PRECISION
from deploy.runtimes import load_openvino

CONFIG = "config.json"
README = "README.md"
VERSION = "1"
MOUNT = "/models"  # where the server's container is given the folder
NOTES = ("The first size is the batch: as many images as a request must hold. Mean and std are applied inside. A photo",
         "is made into an input, and maps into corners and a mask, by `scenes.images` and `keypoints.quads`: see",
         "`deploy/serving_client.py`. `PERFORMANCE_HINT` may be changed to `THROUGHPUT` in `config.json`; without",
         "`INFERENCE_PRECISION_HINT` answers are others on CPUs that have bfloat16.")


def write_serving(bundle, out, mount=MOUNT, batch=1, precision=None):
    """Writes the networks of a Bundle into the new folder `out`, and returns the content of its config.json, a dict.

    mount: absolute path of `out` as the server sees it. batch: how many images each request holds. precision: of all
    networks, in place of the one that each is measured with.
    Raises BundleError, also for a place that is taken, and ValueError.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(out, "is there already: give a folder that does not exist yet")
    if not mount.startswith("/"):
        raise ValueError(f"mount is {mount!r}, must be the absolute path of the folder where the server runs")
    if batch < 1:
        raise ValueError(f"batch is {batch}, must be 1 or more")
    paths = {model: bundle.model_path(model, precision) for model in bundle.models}
    for model, path in paths.items():
        check_batch(path, bundle.manifest["models"][model], batch)
    entries = [{"config": _entry(bundle, model, mount, batch)} for model in bundle.models]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "serving"
        for model, path in paths.items():
            version = made / model / VERSION
            version.mkdir(parents=True)
            for file in (path, path.with_suffix(".bin")):
                shutil.copyfile(file, version / file.name)
        config = {"model_config_list": entries}
        (made / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (made / README).write_text(_readme(bundle, entries, mount), encoding="utf-8")
        if out.exists():
            out.rmdir()  # it is empty
        os.rename(made, out)
    return config


def _entry(bundle, model, mount, batch):
    """What config.json says of one network. It computes in what the meter has it compute in: the server left to itself
    may take bfloat16, and the same photo would get other millimetres."""
    shape = batch, *bundle.manifest["models"][model]["input"]["shape"][1:]
    return {"name": model, "base_path": f"{mount.rstrip('/')}/{model}",
            "shape": {"image": f"({','.join(map(str, shape))})"},
            "plugin_config": {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": PRECISION}}


def check_batch(path, described, batch):
    """Raises BundleError unless the network in the file `path` answers `batch` images with as many outputs."""
    wanted, reason = [batch, *described["output"]["shape"][1:]], ""
    try:
        network = load_openvino().Core().read_model(os.fspath(path))
        network.reshape([batch, *described["input"]["shape"][1:]])
        found = network.outputs[0].partial_shape.to_string()
        if network.outputs[0].partial_shape.is_static and list(network.outputs[0].shape) == wanted:
            return
        reason = f"its output would be {found}"
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
    raise BundleError(path, f"takes no batch of {batch} ({reason}): serve it with --batch 1")


def _readme(bundle, entries, mount):
    lines = ["# Networks for OpenVINO Model Server", "",
             f"Made by `foliopie deploy serving` of the bundle of {bundle.manifest.get('created', 'an unknown day')}.",
             "The server answers with raw maps, over gRPC and over REST, as KServe's protocol of version 2 says.", "",
             "```", f"docker run --rm -p 8000:8000 -v \"$PWD\":{mount}:ro openvino/model_server:latest \\",
             f"    --config_path {mount.rstrip('/')}/{CONFIG} --rest_port 8000",
             "python -m deploy.serving_client http://localhost:8000 photo.jpg --bundle BUNDLE", "```", "",
             "| network | input `image`, UINT8 | output, FP32 |", "| --- | --- | --- |"]
    for entry in entries:
        name, shape = entry["config"]["name"], entry["config"]["shape"]["image"]
        source, target = bundle.manifest["models"][name]["input"], bundle.manifest["models"][name]["output"]
        given = ",".join([shape[1:].split(",")[0], *map(str, target["shape"][1:])])
        lines.append(f"| {name} | {shape}, {source['colour']} 0..255, {source['fit']} | {target['name']} ({given}) |")
    return "\n".join([*lines, "", *NOTES, ""])
