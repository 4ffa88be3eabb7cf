"""The rows of the benchmark: what can be measured of which network in which runtime, and why the rest cannot.

A setting of batch and streams is part of a row; a stream is a caller who asks, waits and asks again.
"""

import importlib.util
from dataclasses import dataclass

KEYPOINTS, SEGMENTATION, PIPELINE = "keypoints", "segmentation", "pipeline"
NETWORKS = (KEYPOINTS, SEGMENTATION)
SUBJECTS = (*NETWORKS, PIPELINE)
PRECISIONS = ("FP32", "BF16", "FP16", "INT8")
MXNET, KERAS, BOTH_NATIVE = "MXNet", "Keras", "MXNet and Keras"
NATIVE = {KEYPOINTS: MXNET, SEGMENTATION: KERAS, PIPELINE: BOTH_NATIVE}
FROZEN = "TensorFlow frozen graph"
CLASSICAL, NO_PRECISION = "classical (no network)", "none"  # a pipeline that asks none, beside those that do
# Runtime -> ONNX Runtime's name for it.
PROVIDERS = {"ONNX Runtime CPU": "CPUExecutionProvider", "ONNX Runtime CUDA": "CUDAExecutionProvider",
             "TensorRT": "TensorrtExecutionProvider"}  # fmt: skip
# Runtime -> OpenVINO's name for the device.
OPENVINO = {"OpenVINO CPU": "CPU", "OpenVINO GPU": "GPU"}
PROVIDER_PRECISIONS = {"ONNX Runtime CPU": ("FP32",), "ONNX Runtime CUDA": ("FP32",), "TensorRT": ("FP32", "FP16")}
# Packages that a run's weights are read with; what ONNX files are made with.
READ_WITH = {KEYPOINTS: ("mxnet", "gluoncv"), SEGMENTATION: ("tensorflow", "keras")}
CONVERT_WITH = {KEYPOINTS: ("onnx",), SEGMENTATION: ("onnx", "tf2onnx")}
EXTRA = {"mxnet": "train-keypoints", "gluoncv": "train-keypoints", "tensorflow": "train-segmentation",
         "keras": "train-segmentation", "onnx": "convert", "tf2onnx": "convert", "onnxruntime": "convert"}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """subject: one of SUBJECTS. runtime, precision: as in this module. batch: images a call. streams: callers at a
    time."""

    subject: str
    runtime: str
    precision: str
    batch: int = 1
    streams: int = 1

    @property
    def name(self):
        """Unique among rows."""
        return f"{self.answers_as}, batch {self.batch}, streams {self.streams}"

    @property
    def answers_as(self):
        """Name of what decides its answers: batch and streams do not."""
        return f"{self.subject}, {self.runtime}, {self.precision}"

    @property
    def networks(self):
        """Names of the networks in it."""
        if self.runtime == CLASSICAL:
            return ()
        return NETWORKS if self.subject == PIPELINE else (self.subject,)

    @property
    def is_plain(self):
        """Whether it is one photo at a time, one caller."""
        return self.batch == self.streams == 1


@dataclass(frozen=True)
class Facts:
    """What there is. variants: {network: precisions in the bundle, lower case}. runs: networks whose trained weights
    are given. packages: importable ones of EXTRA. providers: of ONNX Runtime. devices: {OpenVINO's name of a device:
    precisions of PRECISIONS that it computes in}."""

    variants: dict
    runs: frozenset
    packages: frozenset
    providers: tuple
    devices: dict


def facts(bundle, runs):
    """Facts of this machine. bundle: deploy.bundle.Bundle. runs: {network: folder or None}."""
    from deploy.runtimes import load_openvino

    packages = frozenset(name for name in EXTRA if importlib.util.find_spec(name))
    providers = ()
    if "onnxruntime" in packages:
        import onnxruntime

        providers = tuple(onnxruntime.get_available_providers())
    core = load_openvino().Core()
    devices = {}
    for device in OPENVINO.values():
        # Several GPUs are called GPU.0, GPU.1; GPU is then the first.
        if any(name.split(".")[0] == device for name in core.available_devices):
            can = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
            devices[device] = tuple(name for name in PRECISIONS if name in can)
    return Facts({model: bundle.precisions(model) for model in NETWORKS},
                 frozenset(model for model, folder in runs.items() if folder), packages, providers, devices)


def all_rows(batches, streams):
    """Every Row that there could be, plain ones first of each. batches, streams: settings that are tried beside 1; the
    pipeline takes photos one by one."""
    settings = [(1, 1), *((batch, 1) for batch in sorted(set(batches) - {1})),
                *((1, count) for count in sorted(set(streams) - {1}))]
    found = []
    for subject in SUBJECTS:
        own = (NATIVE[subject], *([FROZEN] if subject == SEGMENTATION else []), *PROVIDERS, *OPENVINO)
        found += [Row(subject, runtime, precision, *setting) for runtime in own for precision in PRECISIONS
                  for setting in (settings[:1] if subject == PIPELINE else settings)]
    return [*found, Row(PIPELINE, CLASSICAL, NO_PRECISION)]


def divide(rows, known):
    """(rows that can be measured, [(Row, why not)]) of a list of Rows; known: Facts. Of what cannot be measured in any
    setting only the plain row is told."""
    can, cannot, without = [], [], set()
    for row in rows:
        why = unavailable(row, known)
        if why is None:
            can.append(row)
        elif row.answers_as not in without:
            cannot.append((row, why))
            if row.is_plain:
                without.add(row.answers_as)
    return can, cannot


def unavailable(row, known):
    """One line on why a Row cannot be measured, or None where it can."""
    if row.runtime == CLASSICAL:
        return None
    if row.runtime in OPENVINO:
        return _openvino_lacks(row, known)
    if row.runtime in PROVIDERS:
        return _onnx_lacks(row, known)
    if row.precision != "FP32":
        return "nothing but FP32 is made for this runtime"
    # A frozen graph is made where a run is converted.
    lacking = _run_lacks(row.networks, known, convert=row.runtime == FROZEN)
    if lacking:
        return lacking
    return None if row.streams == 1 else "this runtime is asked by one caller at a time"


def _run_lacks(networks, known, convert=False):
    for model in networks:
        if model not in known.runs:
            return f"needs the trained weights of {model}: give --{model} RUN"
        for package in (*READ_WITH[model], *(CONVERT_WITH[model] if convert else ())):
            if package not in known.packages:
                return _install(package)
    return None


def _install(package):
    return f"{package} is not installed: pip install 'foliopie[{EXTRA[package]}]'"


def _onnx_lacks(row, known):
    if row.precision not in PROVIDER_PRECISIONS[row.runtime]:
        return f"nothing but {' and '.join(PROVIDER_PRECISIONS[row.runtime])} is made for this runtime"
    if "onnxruntime" not in known.packages:
        return _install("onnxruntime")
    if PROVIDERS[row.runtime] not in known.providers:
        return f"the ONNX Runtime that is installed has no {PROVIDERS[row.runtime]}"
    return _run_lacks(row.networks, known, convert=True)


def _openvino_lacks(row, known):
    device = OPENVINO[row.runtime]
    if device not in known.devices:
        return f"OpenVINO finds no {device} here"
    if row.precision not in known.devices[device]:
        return f"the {device} does not compute in {row.precision}"
    for model in row.networks:
        if source_of(model, row.precision, known) is None:
            if row.precision == "INT8":
                return f"{model} is not in the bundle in INT8: make it with `foliopie deploy quantize`"
            return (_run_lacks((model,), known, convert=True)
                    or f"{model} is in the bundle in {', '.join(known.variants[model])} only")
    return None


def source_of(model, precision, known):
    """Where the IR file of a network for a precision is from: "run", which is converted to FP32, or a precision of the
    bundle's; None where there is none.

    FP32, BF16 and FP16 are all computed from the file with the most exact weights; INT8 is a file of its own.
    """
    if precision == "INT8":
        return "int8" if "int8" in known.variants[model] else None
    if _run_lacks((model,), known, convert=True) is None:
        return "run"
    return next((name for name in ("fp32", "fp16") if name in known.variants[model]), None)


def reference_of(subject, rows):
    """The Row that a subject's rows are held against: the first plain one in the order of `all_rows`, native where it
    can be measured. None where there is none."""
    return next((row for row in rows if row.subject == subject and row.is_plain), None)
