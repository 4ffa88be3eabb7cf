"""The folder that is handed over: networks, manifest, hashes, golden data, a model card and what changed.

What is loaded is checked first: the manifest's schema, then the sha256 of every file that it names. Nothing in a bundle
is ever executed, and no name in it may lead out of its folder.
"""
import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from keypoints.calibration import Calibration
from scenes.crops import foot_crop
from scenes.files import file_sha256, is_inner_path
from scenes.images import FITS, InputSpec
from scenes.json_text import is_number, parsed
from scenes.labels import NAMES

SCHEMA = 1
MANIFEST = "manifest.json"
CARD = "README.md"
CHANGES = "CHANGELOG.md"
GOLDEN = "golden/golden.npz"
DEFAULT_FOLDER = Path(__file__).parent / "bundles" / "default"
TEXTS = ("card", "changes")  # of the manifest: files to be read by people, which a bundle may be without
PRECISIONS = ("fp32", "fp16", "int8")
# What each network answers with; the output's name is the same in ONNX, in the IR and in the manifest.
OUTPUTS = {"keypoints": "heatmaps", "segmentation": "probabilities", "side": "probabilities"}
OPTIONAL = ("side",)  # a bundle may be without
LABELS = {"segmentation": NAMES, "side": ("left", "right")}  # order of the classes in the output
CROP_COLOUR, CROP_FIT = "RGB and mask", "foot_crop"  # in a manifest, of the input of "side"
CORNER_ORDER = "clockwise in the image, beginning at the corner with the smallest x + y"
# Kind of the keypoints network's maps -> how many they are, and what they show; keypoints.quads decodes each kind.
HEATMAPS = {
    "each": (4, "one heatmap a corner"),
    "shared": (3, "three heatmaps, of corners seen, covered and outside the photo"),
    "sheet": (4, "three heatmaps, of corners seen, covered and outside the photo, and logits of the sheet's interior"),
}
BEFORE_MAPS = ("each", "shared")  # the kinds that there were when a manifest did not name its own


class BundleError(Exception):
    """A bundle that cannot be used: `file` is the file at fault, `rule` what it breaks and the way out."""

    code = "bundle_invalid"

    def __init__(self, file, rule):
        super().__init__(f"{file}: {rule}")
        self.file = str(file)
        self.rule = rule
        self.message = str(self)


@dataclass(frozen=True)
class CropSpec:
    """How a foot becomes the input of the network for its side, as `scenes.crops.foot_crop` cuts it.

    size_px: of the square crop; span_mm: millimetres on the sheet that it shows. mean, std: four each for R, G, B and
    mask in units of 0..255; the network sees (value - mean) / std.
    """

    size_px: int
    span_mm: float
    mean: tuple
    std: tuple

    @property
    def height(self):
        return self.size_px

    @property
    def width(self):
        return self.size_px

    def cut(self, rgb, foot, sheet_to_image):
        """uint8 (size_px, size_px, 4) of a photo uint8 (H, W, 3) and the foot in it bool (H, W); see `foot_crop`."""
        return foot_crop(rgb, foot, sheet_to_image, self.size_px, self.span_mm)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest and files have been checked. Made by `Bundle.load`.

    held: {name: bytes} of the manifest and of what `network_files` gives, where they were to be kept in memory.
    """

    folder: Path
    manifest: dict
    held: dict = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, folder=DEFAULT_FOLDER, hold=False):
        """Reads the manifest, checks its schema, then every file's sha256. Raises BundleError.

        hold: keep what is measured with in memory, as it was checked: processes that are handed this Bundle have the
        same networks whenever they begin, whatever becomes of the folder.
        """
        folder = Path(folder)
        data = _manifest_bytes(folder)
        manifest = _as_manifest(data, folder)
        check_manifest(manifest, folder / MANIFEST)
        held = {MANIFEST: data} if hold else {}
        wanted = _default_files(manifest) if hold else ()
        for record in file_records(manifest):
            content = _check_file(folder, record, record["file"] in wanted)
            if content is not None:
                held[record["file"]] = content
        return cls(folder, manifest, held)

    @property
    def models(self):
        """The networks that are there, ("keypoints", "segmentation") or with "side" behind them."""
        return models_of(self.manifest)

    def crop_spec(self):
        """How a foot becomes the input of "side": a CropSpec. KeyError in a bundle without it."""
        described = self.manifest["models"]["side"]["input"]
        return CropSpec(described["shape"][1], float(described["span_mm"]), tuple(described["mean"]),
                        tuple(described["std"]))

    def input_spec(self, model):
        """How a photo becomes the input of `model` ("keypoints" or "segmentation"): an InputSpec."""
        described = self.manifest["models"][model]["input"]
        _, height, width, _ = described["shape"]
        return InputSpec(height=height, width=width, fit=described["fit"],
                         mean=tuple(described["mean"]), std=tuple(described["std"]))

    def output(self, model):
        """The manifest's description of the output of `model`: name, shape, dtype, and the stride of heatmaps."""
        return self.manifest["models"][model]["output"]

    @property
    def maps(self):
        """The kind of the keypoints network's maps, a key of HEATMAPS: how they are decoded."""
        return maps_of(self.output("keypoints"))

    @property
    def calibration(self):
        """keypoints.calibration.Calibration of the keypoints network; None in a bundle without one."""
        told = self.manifest["models"]["keypoints"].get("calibration")
        return None if told is None else Calibration.from_json(told)

    def precisions(self, model):
        """The precisions in which `model` is in the bundle, a tuple such as ("fp16",)."""
        return tuple(self.manifest["models"][model]["variants"])

    def default_precision(self, model):
        return self.manifest["models"][model]["default_precision"]

    def model_path(self, model, precision=None):
        """Path of the .xml of `model`, in its default precision unless one is named. Raises BundleError."""
        precision = precision or self.default_precision(model)
        variants = self.manifest["models"][model]["variants"]
        if precision not in variants:
            raise BundleError(self.folder / MANIFEST, f"{model} is not there in {precision}; there is "
                                                      f"{', '.join(variants)}: choose one of these or export it")
        return self.folder / variants[precision]["xml"]["file"]

    def network_files(self, model):
        """(.xml, .bin) of `model` in its default precision as bytes; None in a bundle that holds none."""
        if not self.held:
            return None
        files = self.manifest["models"][model]["variants"][self.default_precision(model)]
        return tuple(self.held[files[part]["file"]] for part in ("xml", "bin"))

    def golden(self):
        """Golden data: {model: (inputs uint8 (N,H,W,3) RGB, outputs float32 as the native framework gave them)}."""
        return read_golden(self.folder / self.manifest["golden"]["file"])


def read_manifest(folder):
    """The manifest of a bundle as a dict, unchecked. Raises BundleError when it is missing or not JSON."""
    return _as_manifest(_manifest_bytes(folder), folder)


def _manifest_bytes(folder):
    path = Path(folder) / MANIFEST
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        rule = "missing: give the folder of a bundle, or make one with `foliopie deploy export`"
        raise BundleError(path, rule) from error
    except OSError as error:
        raise _no_json(path, error) from error


def _no_json(path, error):
    return BundleError(path, f"cannot be read as JSON ({error}): export the bundle anew")


def _as_manifest(data, folder):
    path = Path(folder) / MANIFEST
    try:
        manifest = parsed(data.decode("utf-8"))
    except ValueError as error:  # no text in UTF-8, no JSON
        raise _no_json(path, error) from error
    if not isinstance(manifest, dict):
        raise BundleError(path, "must hold a JSON object: export the bundle anew")
    return manifest


def models_of(manifest):
    """Names of the networks in a manifest, in the order of OUTPUTS."""
    return tuple(model for model in OUTPUTS if model not in OPTIONAL or model in manifest["models"])


def maps_of(described):
    """The kind of maps, a key of HEATMAPS, that a manifest's description of the keypoints network's output tells: by
    name, or in bundles of before there was a choice by their number."""
    if "maps" in described:
        return described["maps"]
    return next(kind for kind in BEFORE_MAPS if HEATMAPS[kind][0] == described["shape"][1])


def check_manifest(manifest, path):
    """Raises BundleError, with `path` as the file at fault, when `manifest` is not one of schema 1."""
    schema = manifest.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise BundleError(path, f"has schema {schema}, this foliopie knows {SCHEMA}: install a newer foliopie")
    if type(schema) is not int or schema != SCHEMA:
        raise BundleError(path, f"schema is {schema!r}, must be {SCHEMA}: export the bundle anew")
    models = _field(manifest, "models", dict, path)
    for model in models_of(manifest):
        where = f"models.{model}"
        described = _field(models, model, dict, path, "models.")
        _check_variants(described, path, where)
        _check_input(_field(described, "input", dict, path, f"{where}."), model, path, f"{where}.input")
        _check_output(_field(described, "output", dict, path, f"{where}."), model, path, f"{where}.output")
        if model in LABELS:
            labels = _field(described, "labels", list, path, f"{where}.")
            _require(labels == list(LABELS[model]), path, f"{where}.labels is {labels}, must be {list(LABELS[model])}")
    order = _field(models["keypoints"], "corner_order", str, path, "models.keypoints.")
    _require(order == CORNER_ORDER, path, f"models.keypoints.corner_order is {order!r}, must be {CORNER_ORDER!r}")
    _check_calibration(models["keypoints"], path)
    _check_record(_field(manifest, "golden", dict, path), path, "golden")
    for text in TEXTS:
        if text in manifest:
            _check_record(_field(manifest, text, dict, path), path, text)


def contract_of(model, described):
    """What a network's file must say of itself (`rt_info/foliopie` of the IR): {key: text}, from its manifest entry.

    The manifest and the file say the same twice, so that one cannot be changed without the other.
    """
    source = described["input"]
    told = {"model": model, "colour": source["colour"], "fit": source["fit"],
            "mean": " ".join(f"{value:g}" for value in source["mean"]),
            "std": " ".join(f"{value:g}" for value in source["std"])}
    if model == "keypoints":
        output = described["output"]
        told |= {"corner_order": described["corner_order"], "stride": str(output["stride"])}
        return told | ({"maps": output["maps"]} if "maps" in output else {})
    told["labels"] = " ".join(described["labels"])
    return told | {"span_mm": f"{source['span_mm']:g}"} if model == "side" else told


def file_records(manifest):
    """Every {"file", "sha256"} of a manifest whose schema has been checked, as a list."""
    records = [variant[part] for model in models_of(manifest)
               for variant in manifest["models"][model]["variants"].values() for part in ("xml", "bin")]
    records += [manifest[part] for part in ("golden", *TEXTS) if part in manifest]
    return records


def _default_files(manifest):
    """Names of the networks' files in their default precisions: those that are measured with."""
    models = [manifest["models"][model] for model in models_of(manifest)]
    return {model["variants"][model["default_precision"]][part]["file"] for model in models for part in ("xml", "bin")}


def file_record(folder, name):
    """{"file": name, "sha256": ...} of a file in a bundle's folder."""
    return {"file": name, "sha256": file_sha256(Path(folder) / name)}


def write_manifest(folder, manifest):
    """Checks `manifest` and writes it into `folder`, beside and renamed into place. Raises BundleError."""
    path = Path(folder) / MANIFEST
    check_manifest(manifest, path)
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    os.replace(beside, path)


def write_golden(path, golden):
    """Writes golden data, {model: (inputs uint8 (N,H,W,C), outputs float32)}, as a compressed .npz.

    Heatmaps and sides are kept as float32. Probabilities of pixels are many, so they are kept in 65535 steps from their
    smallest to their largest, off by 8e-6 of that range at most (a float16 near 1 would be off by 2.4e-4, more than
    fp32 may differ by).
    """
    heatmap_inputs, heatmaps = golden["keypoints"]
    mask_inputs, probabilities = golden["segmentation"]
    low, high = np.float32(probabilities.min()), np.float32(probabilities.max())
    steps = np.round((probabilities - low) / max(high - low, np.finfo(np.float32).tiny) * 65535.0)
    arrays = {"keypoints_image": heatmap_inputs, "keypoints_heatmaps": heatmaps.astype(np.float32),
              "segmentation_image": mask_inputs, "segmentation_probabilities_u16": steps.astype(np.uint16),
              "segmentation_range": np.array([low, high])}
    if "side" in golden:
        crops, sides = golden["side"]
        arrays |= {"side_image": crops, "side_probabilities": sides.astype(np.float32)}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def read_golden(path):
    """What `write_golden` wrote. Raises BundleError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            low, high = _array(arrays, "segmentation_range", "f", 1)
            steps = _array(arrays, "segmentation_probabilities_u16", "u").astype(np.float32)
            probabilities = low + steps / np.float32(65535.0) * (high - low)
            heatmaps = _array(arrays, "keypoints_heatmaps", "f")
            golden = {"keypoints": (_array(arrays, "keypoints_image", "u"), heatmaps),
                      "segmentation": (_array(arrays, "segmentation_image", "u"), probabilities)}
            if "side_image" in arrays:
                golden["side"] = _array(arrays, "side_image", "u"), _array(arrays, "side_probabilities", "f", 2)
            return golden
    # What is damaged within the archive makes NumPy raise nearly anything.
    except Exception as error:
        told = " ".join(str(error).split())[:160] or type(error).__name__
        raise BundleError(path, f"is not golden data ({told}): export the bundle anew") from error


def _array(arrays, name, kind, axes=4):
    """The array of a name, whose numbers are of a kind as `numpy.dtype.kind` has it; raises ValueError, KeyError."""
    found = arrays[name]
    if not isinstance(found, np.ndarray) or found.dtype.kind != kind or found.ndim != axes:
        raise ValueError(f"{name} is no array of {axes} axes and kind {kind!r}")
    return found


def _require(condition, path, rule):
    if not condition:
        raise BundleError(path, f"{rule}: export the bundle anew")


def _field(mapping, key, kind, path, prefix=""):
    value = mapping.get(key)
    _require(isinstance(value, kind), path, f"{prefix}{key} must be there and be a {kind.__name__}, is {value!r:.60}")
    return value


def _check_variants(described, path, where):
    variants = _field(described, "variants", dict, path, f"{where}.")
    _require(len(variants) > 0, path, f"{where}.variants is empty, must name one precision at least")
    for precision, files in variants.items():
        here = f"{where}.variants.{precision}"
        _require(precision in PRECISIONS, path, f"{here} is not one of {', '.join(PRECISIONS)}")
        _require(isinstance(files, dict), path, f"{here} must name an xml and a bin")
        for part in ("xml", "bin"):
            _check_record(_field(files, part, dict, path, f"{here}."), path, f"{here}.{part}")
        names = [PurePosixPath(files[part]["file"]) for part in ("xml", "bin")]
        # OpenVINO looks for the weights beside the .xml under the same name: another one would never be read.
        _require(names[0] == names[1].with_suffix(".xml") and names[1].suffix == ".bin", path,
                 f"{here} must name X.xml and X.bin, names {names[0]} and {names[1]}")
    default = described.get("default_precision")
    _require(isinstance(default, str) and default in variants, path,
             f"{where}.default_precision is {default!r}, must be one of {list(variants)}")


def _check_record(record, path, where):
    name = _field(record, "file", str, path, f"{where}.")
    _require(is_inner_path(name), path, f"{where}.file is {name!r}, must be a relative path within the bundle")
    digest = _field(record, "sha256", str, path, f"{where}.")
    _require(len(digest) == 64 and set(digest) <= set("0123456789abcdef"), path,
             f"{where}.sha256 must be 64 hexadecimal digits, is {digest!r:.80}")


def _check_input(described, model, path, where):
    is_crop = model == "side"
    colour, fits, channels = (CROP_COLOUR, (CROP_FIT,), 4) if is_crop else ("RGB", FITS, 3)
    for key, wanted in (("name", "image"), ("dtype", "uint8"), ("layout", "NHWC"), ("colour", colour)):
        _require(described.get(key) == wanted, path, f"{where}.{key} is {described.get(key)!r}, must be {wanted!r}")
    _require(described.get("fit") in fits, path, f"{where}.fit is {described.get('fit')!r}, must be one of {fits}")
    shape = described.get("shape")
    _require(_is_shape(shape, 4) and shape[0] == 1 and shape[3] == channels, path,
             f"{where}.shape is {shape!r}, must be [1, height, width, {channels}]")
    for key in ("mean", "std"):
        values = described.get(key)
        _require(isinstance(values, list) and len(values) == channels and all(_is_number(value) for value in values),
                 path, f"{where}.{key} is {values!r}, must be {'four' if is_crop else 'three'} numbers")
    _require(min(described["std"]) > 0, path, f"{where}.std is {described['std']}, must be above 0")
    if is_crop:
        _require(shape[1] == shape[2], path, f"{where}.shape is {shape!r}, must be a square")
        span = described.get("span_mm")
        _require(_is_number(span) and span > 0, path, f"{where}.span_mm is {span!r}, must be millimetres above 0")


def _check_output(described, model, path, where):
    for key, wanted in (("name", OUTPUTS[model]), ("dtype", "float32")):
        _require(described.get(key) == wanted, path, f"{where}.{key} is {described.get(key)!r}, must be {wanted!r}")
    shape = described.get("shape")
    if model == "side":
        _require(shape == [1, 2], path, f"{where}.shape is {shape!r}, must be [1, 2]")
        return
    axis, counts = (1, (4, 3)) if model == "keypoints" else (3, (4,))
    told = " or ".join(map(str, counts))
    _require(_is_shape(shape, 4) and shape[0] == 1 and shape[axis] in counts, path,
             f"{where}.shape is {shape!r}, must have 4 axes with {told} channels at axis {axis}")
    if model == "keypoints":
        _check_maps(described, path, where)
        stride = described.get("stride")
        _require(type(stride) is int and stride > 0, path, f"{where}.stride is {stride!r}, must be an int above 0")


def _check_maps(described, path, where):
    if "maps" not in described:
        return
    maps, channels = described["maps"], described["shape"][1]
    _require(isinstance(maps, str) and maps in HEATMAPS, path,
             f"{where}.maps is {maps!r}, must be one of {', '.join(HEATMAPS)}")
    count, shown = HEATMAPS[maps]
    _require(channels == count, path,
             f"{where}.maps is {maps!r} with {channels} channels, must have {count}: {shown}")


def _check_calibration(described, path):
    if "calibration" not in described:
        return
    told = _field(described, "calibration", dict, path, "models.keypoints.")
    try:
        Calibration.from_json(told)
    except ValueError as error:
        raise BundleError(path, f"models.keypoints.calibration cannot be used ({error}): export the bundle anew, or "
                                "take it out") from error


def _is_shape(shape, axes):
    return isinstance(shape, list) and len(shape) == axes and all(type(size) is int and size > 0 for size in shape)


def _is_number(value):
    return is_number(value) and math.isfinite(value)


def _check_file(folder, record, hold):
    """Raises BundleError unless a file of the manifest has its sha256. Returns the bytes that have it, or None where
    they are not to be held."""
    path, content = folder / record["file"], None
    try:
        if hold:
            content = path.read_bytes()
            found = hashlib.sha256(content).hexdigest()
        else:
            found = file_sha256(path)
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror}): copy the bundle again, whole") from error
    if found != record["sha256"]:
        raise BundleError(path, f"has sha256 {found[:12]}..., the manifest says {record['sha256'][:12]}...: "
                                "the file was changed or damaged, copy the bundle again")
    return content
