"""INT8 variants of a bundle's networks, by NNCF's post-training quantisation.

What an activation ranges over is seen on photos that are like those to be measured; nothing is trained. The variant
goes beside those that are there: golden data stay as they are, and what the framework gave is what INT8 is held
against. Nothing is random, so that the same bundle and photos give the same files.

Where a limit is set to what INT8 may lose on labelled photos (deploy.labelled), and the plain quantisation loses more,
NNCF's accuracy control takes the layers that cost most back to floats, one group after the other.

Needs the extra `convert`.
"""
import contextlib
import importlib.metadata
import logging
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.bundle import MANIFEST, Bundle, BundleError, file_record, file_records, write_manifest
from deploy.card import model_card, notes_of
from deploy.changes import predecessor, record_changes
from deploy.golden import dataset_crops, photo_paths, spread
from deploy.labelled import Labelled, labelled_photos, read_rgb
from deploy.parity import PARITY_HINT, Report, verify
from deploy.place import check_place, move_into_place
from deploy.runtimes import load_openvino
from scenes.images import fit_photo

INT8 = "int8"
SOURCES = ("fp32", "fp16")  # precisions to start from, the best first
MIN_IMAGES = 10  # fewer do not tell what an activation ranges over
IMAGES = 100
# Not the side: it is a hundredth of the bundle and of the time, and photos alone do not give its crops.
NETWORKS = ("keypoints", "segmentation")
# Convolutions that stay in floats. With three in place of one, corners of the pyramid move half as far (0.04 px, not
# 0.09, in the median on real photos); the last ones of the pixels are large.
FLOATS = {"keypoints": 3, "segmentation": 1, "side": 1}
# What normalises, in the order in which deploy.convert puts it before a network. It stays in floats: a step of the
# first quantiser is then one of the normalised image, and no grey level is rounded before.
PREPROCESSING = (("Convert",), ("Subtract",), ("Divide", "Multiply"))
# Frameworks that NNCF would import only to ask whether the network is one of theirs (15 s for TensorFlow), and what it
# would report itself with.
NOT_FOR_NNCF = ("torch", "tensorflow", "onnx", "openvino_telemetry")


class QuantizeError(Exception):
    """A bundle that was not written. `report` is the parity Report where that is why, else None."""

    def __init__(self, message, report=None):
        super().__init__(message)
        self.report = report


def quantize_bundle(folder, images, out, networks=NETWORKS, count=IMAGES, replace=False, say=lambda line: None,
                    only=False, max_loss=None):
    """Writes the bundle in `folder` with INT8 variants of `networks` to the folder `out`. Returns the parity Report.

    images: a dataset (its training photos are taken) or a folder of photos, `count` of which, spread over it, are
    looked at. An INT8 variant becomes its network's default; one that was there is made anew. With `only` the other
    precisions of `networks` are left out of the new bundle, from which no other can then be quantised. max_loss: {one
    of `networks`: most that its figure of deploy.labelled may fall by}, in px for "keypoints", in points for
    "segmentation"; held on `count` photos at most of the validation split of `images`, then a dataset. `say` is told of
    every step; NNCF's own progress goes to standard error. With `replace` a bundle at `out` gives way to the new one.
    Raises QuantizeError (nothing is written then), BundleError, PhotoError, and what reading `images` raises.
    """
    out, bundle = Path(out), Bundle.load(folder)
    check_place(out, replace)
    sources = {model: _source(bundle, model) for model in networks}
    inputs = {model: calibration_inputs(bundle, model, images, count) for model in networks}
    controls = {model: Control(labelled_photos(bundle, model, images, count), limit)
                for model, limit in (max_loss or {}).items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "bundle"
        manifest = _without_variants(bundle.manifest, networks) if only else bundle.manifest
        _copy(bundle, manifest, made)
        for model in networks:
            say(f"{model}: {sources[model]} to {INT8} on {len(inputs[model])} images")
            path = made / f"{model}.{INT8}.xml"
            source, control = bundle.model_path(model, sources[model]), controls.get(model)
            accuracy = quantize_network(source, inputs[model], path, FLOATS[model], control,
                                        lambda line, model=model: say(f"{model}: {line}"))
            about = {"from": sources[model], "images": len(inputs[model])}
            manifest = _with_variant(manifest, model, made, path, about | ({"accuracy": accuracy} if accuracy else {}))
        if "card" in manifest:
            manifest = _with_card(manifest, made)
        write_manifest(made, manifest)
        say("verifying the bundle as a reader gets it")
        report = _verified(made, networks)
        if not report.passed:
            raise QuantizeError(f"nothing was written to {out}: {len(report.failures)} comparisons are over their "
                                "limits: give more photos, or photos like those to be measured", report)
        record_changes(made, "foliopie deploy quantize", predecessor(folder), report)
        move_into_place(made, out)
    return report


def calibration_inputs(bundle, model, folder, count=IMAGES):
    """uint8 (N, H, W, C) as `model` of a Bundle takes them, `count` at most, out of a dataset or a folder of photos.

    For the side, crops of feet, as many of either side, which a dataset alone gives. Raises QuantizeError for fewer
    than MIN_IMAGES, PhotoError, ValueError (DatasetError among them) and OSError.
    """
    if model == "side":
        inputs = dataset_crops(folder, bundle.crop_spec(), -(-count // 2), "train")
        what, way_out = "crops of feet", "give a dataset with masks and sheets, or leave side out of --networks"
    else:
        spec = bundle.input_spec(model)
        inputs = [fit_photo(read_rgb(path), spec) for path in spread(photo_paths(folder, "train"), count)]
        what, way_out = "photos", "give more photos"
    if len(inputs) < MIN_IMAGES:
        raise QuantizeError(f"{len(inputs)} {what} of {folder} for {model}, must be {MIN_IMAGES} at least to see what "
                            f"its activations range over: {way_out}")
    return np.stack(inputs)


@dataclass(frozen=True, eq=False)
class Control:
    """What INT8 may lose: `limit`, in the unit of the Labelled `photos`."""

    photos: Labelled
    limit: float


def quantize_network(source, inputs, target, floats=1, control=None, say=lambda line: None):
    """Writes the IR file `source` in INT8 to `target` (.xml, its .bin beside it), as seen on uint8 (N, H, W, C) inputs.

    The last `floats` of its convolutions stay in floats: they are small, and what they give is what corners are read
    off. Both that and PERFORMANCE (symmetric steps) brought the corners nearer to those of floats than NNCF's own
    choice. With a Control more of them do, where it takes that to keep its limit, and what was lost is returned as a
    dict: "unit", "photos" (how many), "limit", "plain_loss" (of plain INT8), "loss" (of what was written), "controlled"
    (whether that is not the plain one); without it None. `say` is told of it.
    Raises QuantizeError when the quantised file would not be one of this project's: preprocessing inside and in floats,
    something in INT8, within its limit.
    """
    openvino = load_openvino()
    network = openvino.Core().read_model(os.fspath(source))
    names = {node.get_friendly_name() for node in network.get_ops()}
    accuracy = None
    with quiet_nncf() as nncf:
        kept = last_convolutions(network, floats)
        settings = {"subset_size": len(inputs), "preset": nncf.QuantizationPreset.PERFORMANCE,
                    "target_device": nncf.TargetDevice.CPU,
                    "ignored_scope": nncf.IgnoredScope(names=kept) if kept else None}
        seen = nncf.Dataset(list(inputs[:, None]))
        quantized = nncf.quantize(network, seen, **settings)
        if control is not None:
            quantized, accuracy = _held(nncf, network, quantized, seen, settings, control, say)
    check_start(quantized, source)
    _number(quantized, names)
    # What is not INT8 stays as exact as it is: it is small.
    openvino.save_model(quantized, os.fspath(target), compress_to_fp16=False)
    return accuracy


def _held(nncf, network, plain, seen, settings, control, say):
    """(an openvino Model of `network` in INT8 that keeps the limit of a Control, what was lost as `quantize_network`
    returns it). plain: the Model as quantised from the nncf.Dataset `seen` with `settings`. Raises QuantizeError."""
    photos, limit = control.photos, control.limit
    floats = _figure(network, photos)
    lost = floats - _figure(plain, photos)
    told = {"unit": photos.unit, "photos": len(photos.inputs), "limit": limit, "plain_loss": lost}
    say(f"plain INT8 loses {lost:.3g} {photos.unit} on {len(photos.inputs)} labelled photos, may lose {limit:g}")
    if lost <= limit:
        return plain, told | {"loss": lost, "controlled": False}
    say("taking layers back to floats until it is within the limit")

    def judged(compiled, indices):
        return photos.judge(lambda image: compiled([image])[0], list(indices))

    # One worker: more would compile models beside one another for what takes no longer in turn.
    quantized = nncf.quantize_with_accuracy_control(
        network, seen, nncf.Dataset(list(range(len(photos.inputs)))), judged, max_drop=limit,
        drop_type=nncf.DropType.ABSOLUTE, **settings,
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(num_ranking_workers=1))
    # NNCF hands on what it has when nothing is left to take back, within the limit or not.
    left = floats - _figure(quantized, photos)
    in_int8 = any(node.get_type_name() == "FakeQuantize" for node in quantized.get_ops())
    if left > limit or not in_int8:
        raise QuantizeError(f"nothing of the network is left in INT8 that loses {limit:g} {photos.unit} at most (plain "
                            f"INT8 loses {lost:.3g}): allow it to lose more, or keep it in fp16")
    say(f"with accuracy control INT8 loses {left:.3g} {photos.unit}")
    return quantized, told | {"loss": left, "controlled": True}


def _figure(network, photos):
    """The figure of an openvino Model on Labelled photos, computed as it is measured with: in f32 around INT8."""
    hint = {"INFERENCE_PRECISION_HINT": PARITY_HINT}
    compiled = load_openvino().Core().compile_model(network, "CPU", hint)
    return photos.judge(lambda image: compiled([image])[0])[0]


@contextlib.contextmanager
def quiet_nncf():
    """Within: the nncf module, which sends nothing, loads no framework but OpenVINO, and talks to standard error.

    It reports its calls through `openvino_telemetry` from a forked process, which on a closed network hangs; without
    that package it takes a stand-in, and keeps it. As in `load_openvino`, a `None` in `sys.modules` is a module that
    cannot be imported; here it is taken back. Raises ModuleNotFoundError where NNCF is not installed.
    """
    absent = object()
    before = {name: sys.modules.get(name, absent) for name in NOT_FOR_NNCF}
    logger, disabled = logging.getLogger("nncf"), logging.root.manager.disable
    with contextlib.redirect_stdout(sys.stderr):
        try:
            sys.modules.update(dict.fromkeys(NOT_FOR_NNCF))
            logging.disable(logging.INFO)  # "initialized successfully", and a line for each network
            import nncf
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:  # made once, with the standard output of that time
                    handler.setStream(sys.stderr)
            yield nncf
        finally:
            logging.disable(disabled)
            for name, module in before.items():
                if module is absent:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module


def last_convolutions(network, count):
    """Names of the `count` convolutions nearest to the output of an openvino Model, fewer where that would be all."""
    found = [node.get_friendly_name() for node in network.get_ordered_ops()
             if "Convolution" in node.get_type_name()]  # transposed and grouped ones among them
    return found[max(len(found) - count, 1):]


def check_start(network, name):
    """Raises QuantizeError unless an openvino Model begins with the PREPROCESSING, in floats, on a uint8 input."""
    port, found = network.inputs[0].node.output(0), []
    for kinds in PREPROCESSING:
        users = {user.get_node().get_type_name(): user.get_node() for user in port.get_target_inputs()}
        found += sorted(users)
        if len(users) != 1 or found[-1] not in kinds:
            wanted = ", ".join(" or ".join(some) for some in PREPROCESSING)
            raise QuantizeError(f"{name}: begins with {', '.join(found)} once quantised, must with {wanted}: "
                                "export the bundle anew")
        port = users[found[-1]].output(0)
    dtype = network.inputs[0].get_element_type().to_dtype().name
    if dtype != "uint8":
        raise QuantizeError(f"{name}: its input is {dtype}, must be uint8: export the bundle anew")


def _number(network, known):
    """Names an openvino Model's nodes that are not among the names `known` and have none of their own, in place.

    OpenVINO calls them by a number that counts up through the process: the same files would have other names inside.
    """
    for place, node in enumerate(network.get_ordered_ops()):
        name, kind = node.get_friendly_name(), node.get_type_name()
        if name not in known and re.fullmatch(rf"{kind}_\d+", name):
            node.set_friendly_name(f"{kind}_int8_{place}")


def _source(bundle, model):
    """The precision that `model` is quantised from."""
    if model not in bundle.models:
        raise QuantizeError(f"{bundle.folder} has no network {model!r}, it has {', '.join(bundle.models)}: "
                            "leave it out of --networks")
    there = bundle.precisions(model)
    for precision in SOURCES:
        if precision in there:
            return precision
    raise BundleError(bundle.folder / MANIFEST, f"{model} is there in {', '.join(there)} alone, must be in fp32 or "
                                                "fp16 to be quantised: export the bundle anew with --precision fp16")


def _without_variants(manifest, networks):
    """`manifest` with none of the files of `networks`, as a new dict."""
    return manifest | {"models": {model: described | ({"variants": {}} if model in networks else {})
                                  for model, described in manifest["models"].items()}}


def _with_card(manifest, folder):
    """`manifest` with the card in `folder` written anew, which names its files and their limits; as a new dict."""
    path = folder / manifest["card"]["file"]
    path.write_text(model_card(manifest, notes_of(path.read_text(encoding="utf-8"))), encoding="utf-8")
    return manifest | {"card": file_record(folder, manifest["card"]["file"])}


def _copy(bundle, manifest, made):
    """The files of a bundle that `manifest` names, and no others, into the new folder `made`."""
    for record in file_records(manifest):
        target = made / record["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.folder / record["file"], target)


def _with_variant(manifest, model, folder, path, about):
    """`manifest` with the INT8 variant of `model`, made into the file `path`, as its default; as a new dict.
    about: what is told of how it was made."""
    described = manifest["models"][model]
    variant = {"xml": file_record(folder, path.name), "bin": file_record(folder, path.with_suffix(".bin").name),
               "quantized": about | {"nncf": importlib.metadata.version("nncf")}}
    variants = described["variants"] | {INT8: variant}
    described = described | {"variants": variants, "default_precision": INT8}
    return manifest | {"models": manifest["models"] | {model: described}}


def _verified(folder, networks):
    """Report on what was made, after the hashes of all files."""
    report = verify(Bundle.load(folder), INT8)
    return Report(tuple(row for row in report.rows if row.model in networks))
