"""The same input through every runtime: tensors, decoded corners and masks compared with what the framework gave.

`verify` needs a bundle and OpenVINO, nothing else: the framework's outputs are the bundle's golden data. OpenVINO is
told to compute in f32 for it, whatever the CPU would rather take, so that what is measured is the file. An INT8 file's
quantised layers are computed in INT8 all the same: the hint is about what is in floats.
"""
from dataclasses import dataclass, replace

import numpy as np

from deploy.bundle import MANIFEST, BundleError, contract_of
from deploy.diagnosis import likely_fault
from deploy.runtimes import OpenVinoRuntime
from keypoints.quads import decode_corners
from scenes.labels import NAMES

PARITY_HINT = "f32"
# Below this height of the golden peaks the network sees no sheet there (noise), and where the highest points of such
# maps lie is a toss.
CORNER_SCORE = 0.2
# A golden crop whose two probabilities are nearer than this has no side, and which one is named is a toss.
SIDE_MARGIN = 0.05
# A class with a smaller share of the golden pixels has too few of them for an IoU to say anything.
CLASS_SHARE = 0.002


@dataclass(frozen=True)
class Limits:
    """What a runtime may differ by from the native framework.

    largest, mean: absolute differences as shares of the golden output's range (max - min; for the side, of 0..1).
    relative: root of the squared differences over root of the squared golden values. corner_px: in pixels of the
    network's input. pixels: smallest share of mask pixels that agree. iou: smallest IoU of a class's two masks.
    interior: like mean, of the shares that logits of the sheet's interior stand for, which are unsure along its border.
    """

    largest: float
    mean: float
    relative: float
    corner_px: float
    pixels: float
    iou: float
    interior: float = 2e-2


# FP32 differs by the order of summation alone. FP16 has weights rounded by up to 2^-11, computed with in f32. INT8 has
# 255 steps for weights and activations alike: two to five times what was found on the golden photos of the shipped
# bundle (corners 0.2 px, 0.997 of the pixels, IoU 0.88 of the feet), and on corners what
# sharpening on the photo's edges makes good.
LIMITS = {"fp32": Limits(largest=1e-4, mean=1e-5, relative=1e-4, corner_px=0.02, pixels=0.9999, iou=0.999,
                         interior=1e-5),
          "fp16": Limits(largest=2e-2, mean=1e-3, relative=3e-3, corner_px=0.2, pixels=0.998, iou=0.98,
                         interior=1e-3),
          "int8": Limits(largest=0.6, mean=5e-3, relative=0.06, corner_px=1.0, pixels=0.985, iou=0.7)}


@dataclass(frozen=True)
class Row:
    """One comparison. `value` passes at `limit` or below, with `at_least` at it or above; text when it is the same."""

    model: str
    runtime: str
    precision: str
    check: str
    value: float | str
    limit: float | str
    unit: str = ""
    at_least: bool = False

    @property
    def passed(self):
        if isinstance(self.limit, str):
            return self.value == self.limit
        # A comparison with NaN is false, so that NaN never passes.
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Report:
    """All comparisons of a run, in order. notes: what may be wrong with a network that failed, a line each."""

    rows: tuple
    notes: tuple = ()

    @property
    def passed(self):
        return all(row.passed for row in self.rows)

    @property
    def failures(self):
        return tuple(row for row in self.rows if not row.passed)

    def __add__(self, other):
        return Report(self.rows + other.rows, self.notes + other.notes)


def compare(model, golden, outputs, runtime, precision, stride=None, maps="each"):
    """Report on `outputs` against `golden`, both float32 as `model` ("keypoints", "segmentation", "side") gives them.

    `precision` chooses the limits; `stride` (input pixels a heatmap pixel) is needed for keypoints, and `maps` is their
    kind, of deploy.bundle.HEATMAPS.
    """
    limits, place = LIMITS[precision], (model, runtime, precision)
    if outputs.shape != golden.shape:
        return Report((Row(*place, "shape", str(outputs.shape), str(golden.shape)),))
    golden, outputs = golden.astype(np.float64), outputs.astype(np.float64)
    if model == "keypoints" and maps == "sheet":
        # Logits reach far beyond the height of a peak: together with the heatmaps they would hide what those differ by.
        rows = _difference_rows(golden[:, :-1], outputs[:, :-1], place, limits)
        shares = ((1 + np.tanh(part[:, -1] / 2)) / 2 for part in (golden, outputs))
        rows += _difference_rows(*shares, place, replace(limits, mean=limits.interior), "interior, ", span=1.0)
    else:
        # A few pairs of probabilities may by chance be nearly alike: what they may differ by does not depend on it.
        rows = _difference_rows(golden, outputs, place, limits, span=1.0 if model == "side" else None)
    if model == "keypoints":
        rows += _corner_rows(golden, outputs, stride, maps, place, limits)
    elif model == "segmentation":
        rows += _mask_rows(golden, outputs, place, limits)
    else:
        rows += _side_rows(golden, outputs, place)
    return Report(tuple(rows))


def verify(bundle, precision=None):
    """Report on the IR files of a Bundle, in all precisions that are there or in one.

    A network that is not there in that one is left out. Raises BundleError, also when none is.
    """
    if precision and not any(precision in bundle.precisions(model) for model in bundle.models):
        raise BundleError(bundle.folder / MANIFEST, f"no network is there in {precision}: choose another --precision, "
                                                    "or make it with `foliopie deploy export` or `deploy quantize`")
    report = Report(())
    golden = bundle.golden()
    for model in bundle.models:
        if model not in golden:
            path = bundle.folder / bundle.manifest["golden"]["file"]
            raise BundleError(path, f"has no golden data of {model}: export the bundle anew")
        inputs, outputs = golden[model]
        _check_golden(bundle, model, inputs, outputs)
        for name in bundle.precisions(model):
            if precision not in (None, name):
                continue
            if name not in LIMITS:
                raise BundleError(bundle.folder / MANIFEST, f"{model} in {name} has no limits to be held to, "
                                                            f"{', '.join(LIMITS)} have: verify one with --precision")
            runtime = OpenVinoRuntime(bundle.model_path(model, name), precision_hint=PARITY_HINT)
            told = _contract_report(bundle, model, name, runtime)
            report += told
            if told.passed:
                seen = _seen(inputs, name)
                report += _compare_or_explain(bundle, model, name, runtime, inputs[seen], outputs[seen])
    return report


def _compare_or_explain(bundle, model, precision, runtime, inputs, golden):
    """The Report on what `runtime` gives, with a note on what may be wrong when it fails."""
    def compared(outputs):
        return compare(model, golden, outputs, "OpenVINO", precision, bundle.output(model).get("stride"), bundle.maps)

    report = compared(runtime(inputs))
    if report.passed:
        return report
    spec = bundle.crop_spec() if model == "side" else bundle.input_spec(model)
    fault = likely_fault(model, runtime, spec, inputs, golden, lambda outputs: compared(outputs).passed)
    return replace(report, notes=(f"{model} {precision}: {fault}",))


def _seen(inputs, precision):
    """The golden inputs that a precision is held against, a slice: all; for INT8 not the last of several, the noise.

    INT8's layers range over what photos give; noise is cut off there, and its classes are a toss (a quarter changed).
    """
    return slice(len(inputs) - 1) if precision == "int8" and len(inputs) > 1 else slice(None)


def _contract_report(bundle, model, precision, runtime):
    """What the manifest says of a file against what the file itself takes, gives and says."""
    described = bundle.manifest["models"][model]
    source, target = described["input"], described["output"]
    pairs = [("input", f"{runtime.input_name} {runtime.input_dtype} {runtime.input_shape}",
              f"{source['name']} {source['dtype']} {tuple(source['shape'])}"),
             ("output", f"{runtime.output_name} {runtime.output_shape}", f"{target['name']} {tuple(target['shape'])}")]
    told = contract_of(model, described)
    pairs += [(key, runtime.contract.get(key, "not said in the file"), told.get(key, "not said in the manifest"))
              for key in (told | runtime.contract)]
    pairs += [(f"{key} in the graph", found, told[key]) for key, found in _normalisation_rows(runtime, source)]
    return Report(tuple(Row(model, "OpenVINO", precision, check, found, wanted) for check, found, wanted in pairs))


def _normalisation_rows(runtime, source):
    """[("mean", text), ("std", text)] of what an OpenVinoRuntime's file computes with; [] where that is not plain.

    The text is the manifest's own as long as the numbers are, within what FP16 rounds.
    """
    rows = []
    for key, found in runtime.normalisation.items():
        same = len(found) == len(source[key]) and np.allclose(found, source[key], rtol=1e-3, atol=0)
        rows.append((key, " ".join(f"{value:g}" for value in (source[key] if same else found))))
    return rows


def _check_golden(bundle, model, inputs, outputs):
    described = bundle.manifest["models"][model]
    path = bundle.folder / bundle.manifest["golden"]["file"]
    for what, array, dtype, key in (("inputs", inputs, np.uint8, "input"), ("outputs", outputs, np.float32, "output")):
        wanted = tuple(described[key]["shape"])[1:]
        if array.dtype != dtype or array.shape != (len(inputs), *wanted) or not len(inputs):
            raise BundleError(path, f"golden {what} of {model} are {array.dtype} {array.shape}, must be "
                                    f"{np.dtype(dtype)} (N, {', '.join(map(str, wanted))}): export the bundle anew")


def _difference_rows(golden, outputs, place, limits, name="", span=None):
    """Rows on two arrays, number for number. span: what differences are shares of; golden's own range by default."""
    tiny = np.finfo(np.float32).tiny
    span = span or max(float(golden.max() - golden.min()), tiny)
    difference = np.abs(outputs - golden)
    relative = np.linalg.norm(outputs - golden) / max(float(np.linalg.norm(golden)), tiny)
    measured = [("largest difference", difference.max() / span, limits.largest, "of range"),
                ("mean difference", difference.mean() / span, limits.mean, "of range"),
                ("relative difference", relative, limits.relative, "of norm")]
    return [Row(*place, f"{name}{check}", float(value), limit, unit) for check, value, limit, unit in measured]


def _corner_rows(golden, outputs, stride, maps, place, limits):
    distances = []
    for wanted, found in zip(golden, outputs, strict=True):
        corners, scores, _ = decode_corners(wanted, stride, maps=maps)
        if scores.min() >= CORNER_SCORE:
            distances.append(np.linalg.norm(decode_corners(found, stride, maps=maps)[0] - corners, axis=1).max())
    # That there was no image to decode is said, rather than leaving the row out.
    check = f"corners of {len(distances)} images"
    return [Row(*place, check, float(max(distances, default=0.0)), limits.corner_px, "px")]


def _mask_rows(golden, outputs, place, limits):
    wanted, found = golden.argmax(axis=-1), outputs.argmax(axis=-1)
    rows = [Row(*place, "equal mask pixels", float((wanted == found).mean()), limits.pixels, at_least=True)]
    for label, name in enumerate(NAMES):
        there, told = wanted == label, found == label
        if there.mean() >= CLASS_SHARE:
            iou = (there & told).sum() / (there | told).sum()
            rows.append(Row(*place, f"IoU of {name}", float(iou), limits.iou, at_least=True))
    return rows


def _side_rows(golden, outputs, place):
    told = np.abs(golden[:, 0] - golden[:, 1]) >= SIDE_MARGIN
    same = (golden.argmax(axis=1) == outputs.argmax(axis=1))[told]
    # As with corners, that there was no crop to tell is said.
    return [Row(*place, f"same side of {len(same)} crops", float(same.mean()) if len(same) else 1.0, 1.0,
                at_least=True)]
