"""From two or three training runs to a bundle, with parity shown before anything is written into place.

Imports MXNet and TensorFlow: only `foliopie deploy export` needs it.
"""
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy import convert
from deploy.bundle import (
    CARD,
    CORNER_ORDER,
    CROP_COLOUR,
    CROP_FIT,
    GOLDEN,
    LABELS,
    OPTIONAL,
    OUTPUTS,
    SCHEMA,
    Bundle,
    CropSpec,
    contract_of,
    file_record,
    models_of,
    write_golden,
    write_manifest,
)
from deploy.card import CONDITIONS, model_card
from deploy.changes import predecessor, record_changes
from deploy.golden import golden_crops, golden_inputs
from deploy.parity import PARITY_HINT, Report, compare, verify
from deploy.place import check_place, move_into_place
from deploy.runtimes import KerasRuntime, MxnetRuntime, OnnxRuntime, OpenVinoRuntime
from keypoints.config import STRIDE

PACKAGES = ("foliopie", "mxnet", "gluoncv", "tensorflow", "keras", "onnx", "tf2onnx", "openvino", "numpy")


class ExportError(Exception):
    """A bundle that was not written. `report` is the parity Report where that is why, else None."""

    def __init__(self, message, report=None):
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class Trained:
    """A network out of its run: native runtime, InputSpec (CropSpec of the side), what it is, and how it becomes an
    OnnxModel at a path. Of the keypoints, the kind of maps (deploy.bundle.HEATMAPS), and the run's
    keypoints.calibration.Calibration or None."""

    model: str
    native: object
    spec: object
    architecture: str
    run: Path
    to_onnx: object
    maps: str | None = None
    calibration: object = None


def export_bundle(keypoints_run, segmentation_run, out, precisions=("fp16",), images=None, onnx_folder=None,
                  notes="", replace=False, say=lambda line: None, side_run=None, rest=None):
    """Writes a bundle into the folder `out` and returns the parity Report.

    The runs are converted (a bundle may be without `side_run`; a network without a run is taken over as it is from the
    bundle in the folder `rest`, where that is given), and the native framework, ONNX Runtime and
    OpenVINO (FP32 always, and `precisions`) are held against one another on `deploy.golden` images (of `images` where
    given). `onnx_folder` keeps the ONNX files. `say` is told of every step. With `replace` a bundle that is at `out`
    gives way, once the new one is whole.
    Raises ExportError when parity fails (nothing is written then) or a run cannot be loaded, BundleError when `out` is
    taken, and ConversionError.
    """
    out = Path(out)
    check_place(out, replace)
    runs = {"keypoints": (load_keypoints, keypoints_run), "segmentation": (load_segmentation, segmentation_run),
            "side": (load_side, side_run)}
    others = _others(rest, [model for model, (_, run) in runs.items() if run is None])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made, kept = Path(scratch) / "bundle", Path(onnx_folder or Path(scratch) / "onnx")
        made.mkdir()
        golden, models, report = {}, {}, Report(())
        for model, (load, run) in runs.items():
            if model in others:
                say(f"taking {model} from {rest}")
                models[model], golden[model] = _taken(others[model], model, made)
            if run is None:
                continue
            say(f"loading {run}")
            trained = load(run)
            inputs = (golden_crops if trained.model == "side" else golden_inputs)(trained.spec, images)
            golden[trained.model] = inputs, trained.native(inputs)
            described, compared = _convert(trained, golden[trained.model], precisions, kept, made, say)
            models[trained.model] = described
            report += compared
        say("writing golden data, manifest and card")
        write_golden(made / GOLDEN, golden)
        _describe(made, models, notes)
        say("verifying the bundle as a reader gets it")
        verified = verify(Bundle.load(made))
        report += verified
        if not report.passed:
            raise ExportError(f"nothing was written to {out}: {len(report.failures)} comparisons are over their limits",
                              report)
        record_changes(made, "foliopie deploy export", predecessor(rest or out), verified)
        move_into_place(made, out)
    return report


def _others(rest, missing):
    """{model: Bundle} of the networks `missing` that the bundle in the folder `rest` (or None) gives; raises
    ExportError where one that a bundle needs is nowhere."""
    bundle = None if rest is None else Bundle.load(rest)
    others = {model: bundle for model in missing if bundle is not None and model in models_of(bundle.manifest)}
    for model in missing:
        if model not in others and model not in OPTIONAL:
            raise ExportError(f"there is no run of {model}, and no bundle to take it from: give either")
    return others


def _taken(bundle, model, folder):
    """Copies a network's files out of another Bundle into `folder`: (its manifest entry, its golden data)."""
    described = bundle.manifest["models"][model]
    for variant in described["variants"].values():
        for part in ("xml", "bin"):
            target = folder / variant[part]["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.folder / variant[part]["file"], target)
    return described, bundle.golden()[model]


def load_keypoints(run):
    """A run of `foliopie keypoints train` as a Trained. Raises ExportError when it cannot be loaded, for a network that
    no photo can be measured with, and for a calibration of other weights."""
    from keypoints.config import CORNERS
    from keypoints.models.registry import WeightsError
    from keypoints.run import RunError, load_network
    from keypoints.run_calibration import belonging
    try:
        network, config = load_network(run)
        kept = belonging(run, config)
    except (RunError, WeightsError) as error:
        raise ExportError(str(error)) from error
    if config.is_regression or config.input != "rgb" or config.joints != CORNERS:
        raise ExportError(f"{run} is a {config.model} of {config.joints} keypoints in input {config.input!r}; a bundle "
                          f"needs one that draws heatmaps of {CORNERS} corners and sees 'rgb'")
    spec = config.input_spec

    def to_onnx(path, batch=1):
        return convert.mxnet_to_onnx(network, spec.height, spec.width, path, OUTPUTS["keypoints"], batch=batch)

    return Trained("keypoints", MxnetRuntime(network, spec), spec, config.model, Path(run), to_onnx, config.maps,
                   kept and kept.calibration)


def load_segmentation(run):
    """A run of `foliopie segmentation train` as a Trained. Raises ExportError when it cannot be loaded."""
    from segmentation.config import ConfigError
    from segmentation.network import load_network
    try:
        network, config = load_network(run)
    except ConfigError as error:
        raise ExportError(str(error)) from error
    spec = config.input_spec

    def to_onnx(path, batch=1):
        return convert.keras_to_onnx(network, spec.height, spec.width, path, OUTPUTS["segmentation"], batch=batch)

    return Trained("segmentation", KerasRuntime(network, spec), spec, f"{config.architecture} on {config.backbone}",
                   Path(run), to_onnx)


def load_side(run):
    """A run of `foliopie segmentation train-side` as a Trained. Raises ExportError when it cannot be loaded.

    The network of the bundle takes a crop with its toes up or down: it looks both ways and gives the mean.
    """
    import keras

    from segmentation.config import ConfigError
    from segmentation.side import SIDES
    from segmentation.side import load_side as load_network
    try:
        network, config = load_network(run)
    except ConfigError as error:
        raise ExportError(f"{run}: {error}") from error
    if SIDES != LABELS["side"]:
        raise ExportError(f"the network answers in the order {SIDES}, a bundle's is {LABELS['side']}")
    spec = CropSpec(config.size_px, config.span_mm, tuple(config.mean), tuple(config.std))
    crop = keras.Input((config.size_px, config.size_px, len(config.mean)), name="image")
    both_ways = keras.layers.Average(name="both_ways")([network(crop), network(crop[:, ::-1, ::-1])])
    both = keras.Model(crop, both_ways, name="side_both_ways")

    def to_onnx(path, batch=1):
        return convert.keras_to_onnx(both, spec.height, spec.width, path, OUTPUTS["side"], len(spec.mean), batch)

    architecture = f"{len(config.channels)} convolutions that score a crop and its mirror image"
    return Trained("side", KerasRuntime(both, spec), spec, architecture, Path(run), to_onnx)


def _convert(trained, golden, precisions, onnx_folder, folder, say):
    """Writes one network's IR files into `folder`. Returns its manifest entry and the Report of ONNX and FP32 IR."""
    model, (inputs, outputs) = trained.model, golden
    say(f"{model}: to ONNX")
    onnx_model = trained.to_onnx(onnx_folder / f"{model}.onnx")
    say(f"{model}: {onnx_model.path.name} has opset {onnx_model.opset}, passes the strict checker")
    described = _entry(trained, onnx_model)
    answers = OnnxRuntime(onnx_model.path, trained.spec, onnx_model.layout)(inputs)
    decoding = {"stride": STRIDE, "maps": trained.maps} if model == "keypoints" else {}
    report = compare(model, outputs, answers, "ONNX Runtime", "fp32", **decoding)
    wanted = tuple(dict.fromkeys(("fp32", *precisions)))
    say(f"{model}: to OpenVINO IR in {', '.join(wanted)}")
    paths = convert.onnx_to_ir(onnx_model, trained.spec, folder, model, wanted, contract_of(model, described))
    if "fp32" not in precisions:
        # Held against the framework all the same: its limits are the tight ones.
        answers = OpenVinoRuntime(paths["fp32"], precision_hint=PARITY_HINT)(inputs)
        report += compare(model, outputs, answers, "OpenVINO", "fp32", **decoding)
        for path in (paths["fp32"], paths["fp32"].with_suffix(".bin")):
            path.unlink()
    described["variants"] = {
        precision: {"xml": file_record(folder, paths[precision].name),
                    "bin": file_record(folder, paths[precision].with_suffix(".bin").name)} for precision in precisions}
    described["default_precision"] = precisions[0]
    return described, report


def _entry(trained, onnx_model):
    """The manifest's description of a network, as yet without its files."""
    spec = trained.spec
    output = {"name": onnx_model.output, "shape": list(onnx_model.output_shape), "dtype": "float32"}
    source = {"name": "image", "shape": [1, spec.height, spec.width, len(spec.mean)], "dtype": "uint8",
              "layout": "NHWC"}
    if trained.model == "side":
        source |= {"colour": CROP_COLOUR, "fit": CROP_FIT, "span_mm": spec.span_mm}
    else:
        source |= {"colour": "RGB", "fit": spec.fit}
    source |= {"mean": list(spec.mean), "std": list(spec.std)}
    if trained.model == "keypoints":
        task = "finding the four corners of a sheet of paper"
        own = {"output": output | {"layout": "NCHW", "stride": STRIDE, "maps": trained.maps},
               "corner_order": CORNER_ORDER}
        own |= {"calibration": trained.calibration.to_json()} if trained.calibration else {}
    elif trained.model == "segmentation":
        task = "telling sheet, left foot and right foot pixel by pixel"
        own = {"output": output | {"layout": "NHWC"}, "labels": list(LABELS["segmentation"])}
    else:
        task = "telling whether a foot is a left or a right one"
        own = {"output": output | {"layout": "NC"}, "labels": list(LABELS["side"])}
    return {"task": task, "architecture": trained.architecture, "input": source, **own,
            "onnx_opset": onnx_model.opset, **_figures(trained.model, trained.run)}


def _figures(model, run):
    """What a run folder records of its data and its figures: {"trained_on": {...}, "accuracy": {...}}."""
    config = json.loads((run / "config.json").read_text())
    history = run / "history.jsonl"
    epochs = [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else []
    accuracy = dict(_headline(model, json.loads(path.read_text())) for path in sorted(run.glob("evaluation*.json")))
    if model == "side" and epochs:
        # The epoch whose weights were kept, as in segmentation.run_folder; the side has no evaluation of its own.
        best = max(epochs, key=lambda line: line["validation"]["mean_iou"] or 0.0)
        accuracy["best epoch"] = {"epoch": best["epoch"], **best["validation"]}
    # A released run has no history, and does not tell how many they were.
    trained_on = {**config.get("data", {}), "epochs": len(epochs) or None}
    return _without_places({"trained_on": trained_on, "accuracy": accuracy})


def _headline(model, evaluation):
    """What a reader of the card asks first, of an `evaluate` command's JSON: (what it was measured on, figures)."""
    split = evaluation.get("split")
    where = Path(str(evaluation.get("data", "evaluation"))).name
    if model == "keypoints":  # which names an evaluation by folder and split
        where = where.removesuffix(f"-{split}")
    figures = {"samples": evaluation.get("samples")}
    if model == "keypoints":
        errors = evaluation.get("corners", {}).get("cyclic", {}).get("percent", {})
        for kind in ("visible", "covered"):
            figures[f"{kind} corners, % of the diagonal"] = {
                name: errors.get(kind, {}).get(name) for name in ("count", "median", "p95")}
        wanted = ("heatmap_accuracy", "published_heatmap_accuracy")
    else:
        wanted = ("pixel_accuracy", "mean_iou", "iou", "mean_dice", "left_right_confusion",
                  "inside_sheet_or_foot", "sheet_outside", "sides", "no_foot")  # the last four of annotated photos
    figures |= {name: evaluation.get(name) for name in wanted}
    figures[CONDITIONS] = _by_condition(model, evaluation.get("conditions"))
    return (f"{where}, split {split}" if split else where), figures


def _by_condition(model, told):
    """{"brightness, times": {"0.2": {figure: value}, ...}, ...} of an evaluation's list of conditions; None without."""
    found = {}
    for step in told or ():
        if model == "keypoints":
            errors = step.get("corners", {}).get("cyclic", {}).get("percent", {}).get("visible", {})
            figures = {f"visible corners, % of the diagonal, {name}": errors.get(name) for name in ("median", "p95")}
        else:
            inside = step.get("inside_sheet_or_foot") or {}
            figures = {"mean_iou": step.get("mean_iou"), "inside_sheet_or_foot, mean": inside.get("mean")}
        found.setdefault(f"{step['name']}, {step['unit']}", {})[f"{step['value']:g}"] = figures
    return found or None


def _without_places(figures):
    """Nested dicts without what is None, and with names in place of absolute paths, which tell of a machine alone."""
    if isinstance(figures, dict):
        return {key: _without_places(value) for key, value in figures.items() if value is not None}
    return Path(figures).name if isinstance(figures, str) and os.path.isabs(figures) else figures


def _describe(folder, models, notes):
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    manifest = {"schema": SCHEMA, "created": created, "models": models, "golden": file_record(folder, GOLDEN),
                "versions": versions}
    (folder / CARD).write_text(model_card(manifest, notes), encoding="utf-8")
    write_manifest(folder, manifest | {"card": file_record(folder, CARD)})
