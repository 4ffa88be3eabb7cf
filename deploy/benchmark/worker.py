"""What a process of its own does for the benchmark: converts, times one row in one round, judges, finds the peak.

    OUT/networks/keypoints.fp32.xml, segmentation.fp32.xml             converted runs, where runs are given
    OUT/networks/keypoints.b1.onnx, keypoints.b8.onnx, segmentation... the same for ONNX Runtime, a file for each batch
    OUT/networks/segmentation.b1.frozen.pb                             TensorFlow's frozen graph, likewise
    OUT/networks/keypoints.npy, segmentation.npy                       photos at the networks' sizes
    OUT/measured.jsonl                                                 a line for all that is measured

Each line is written whole or is not there, so that whatever is interrupted is done again and nothing else.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deploy.accuracy import judge_corners, judge_pipeline, judge_pixels, judged_samples
from deploy.benchmark import peak
from deploy.benchmark.rows import CLASSICAL, FROZEN, KEYPOINTS, OPENVINO, PIPELINE, PROVIDERS, SEGMENTATION
from deploy.benchmark.timing import time_callers
from deploy.bundle import Bundle
from deploy.golden import photo_paths
from deploy.machine import peak_memory_mb
from deploy.parity import LIMITS, compare
from scenes.images import PhotoError, fit_photo, read_photo

MEASURED = "measured.jsonl"
PHOTOS = 8  # that are asked over and over
JUDGED = 100  # labelled photos at most
WARM_SHARE = 0.25  # of the time that is measured, before it
HINTS = {"FP32": "f32", "BF16": "bf16", "FP16": "f16", "INT8": "f32"}
FULL_PRECISION = "fp32"
PATIENCE = 300.0  # seconds, and twenty times what is measured, after which a row is given up


@dataclass(frozen=True)
class Work:
    """What all processes of a benchmark are told. out: its folder. bundle: folder. runs: {network: folder or None}.
    files: {(network, precision): IR file that it is computed from, which `convert` may have to make, or None}. specs:
    {network: InputSpec}. threads, seconds: of what is timed. photos: folder whose photos are asked. data: labelled
    dataset, or None. batches: settings that runs are converted for, 1 among them."""

    out: Path
    bundle: Path
    runs: dict
    files: dict
    specs: dict
    threads: int
    seconds: float
    photos: Path
    data: Path | None = None
    batches: tuple = (1,)

    @property
    def networks(self):
        """Folder of what is made for the benchmark."""
        return Path(self.out) / "networks"

    @property
    def converted(self):
        """Networks whose runs are converted."""
        return [model for model in self.specs if converted_file(self.out, model) in self.files.values()]


def onnx_file(work, model, batch):
    """ONNX file that a run becomes for a batch."""
    return work.networks / f"{model}.b{batch}.onnx"


def frozen_file(work, batch):
    """Frozen graph that the run of the pixels becomes for a batch."""
    return work.networks / f"{SEGMENTATION}.b{batch}.frozen.pb"


def converted_file(out, model):
    """IR file that a run becomes."""
    return Path(out) / "networks" / f"{model}.{FULL_PRECISION}.xml"


def append(out, line):
    """Adds a dict to what is measured."""
    text = json.dumps(line) + "\n"
    with open(Path(out) / MEASURED, "a", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def read_measured(out):
    """Lines of what is measured: list of dicts, the first of each (kind, name, round) alone. A last line that was not
    written to its end is left out. Raises ValueError for any other that cannot be read."""
    file, found = Path(out) / MEASURED, {}
    lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else [""]
    for number, text in enumerate(lines[:-1], 1):
        try:
            line = json.loads(text)
            found.setdefault((line["kind"], line["name"], line["round"]), line)
        except (ValueError, KeyError, TypeError) as fault:
            raise ValueError(f"{file}, line {number}, is no measurement ({fault}); take the line out") from fault
    return list(found.values())


def mend(out):
    """Cuts off a last line that was not written to its end, before others are added behind it."""
    file = Path(out) / MEASURED
    if file.exists() and not (data := file.read_bytes()).endswith(b"\n"):
        with open(file, "r+b") as stream:
            stream.truncate(data.rfind(b"\n") + 1)


def fit_inputs(work):
    """Photos at the networks' sizes, as OUT/networks/NETWORK.npy."""
    photos = [read_photo(path).rgb for path in photo_paths(work.photos, None)[:PHOTOS]]
    work.networks.mkdir(parents=True, exist_ok=True)
    for model, spec in work.specs.items():
        images = np.stack([fit_photo(rgb, spec) for rgb in photos])
        np.save(work.networks / f".{model}.part.npy", images)
        os.replace(work.networks / f".{model}.part.npy", work.networks / f"{model}.npy")


def convert(work, model):
    """Converts a run to ONNX, for each batch, and to IR, segmentation to frozen graphs too.

    Raises ValueError where the bundle holds another network than the run.
    """
    from deploy.convert import onnx_to_ir

    trained = load_run(work, model)
    check_same(trained, Bundle.load(work.bundle))
    work.networks.mkdir(parents=True, exist_ok=True)
    made = {batch: trained.to_onnx(onnx_file(work, model, batch), batch) for batch in work.batches}
    onnx_to_ir(made[1], trained.spec, work.networks, model, (FULL_PRECISION,))
    if model == SEGMENTATION:
        from deploy.frozen_graph import freeze

        for batch in work.batches:
            freeze(trained.native.model, trained.spec, frozen_file(work, batch), batch)
    append(work.out, {"kind": "converted", "name": model, "round": 0})


def load_run(work, model):
    """deploy.export.Trained of a run."""
    from deploy.export import load_keypoints, load_segmentation

    return (load_keypoints if model == KEYPOINTS else load_segmentation)(work.runs[model])


def check_same(trained, bundle):
    """Raises ValueError where a Bundle's golden outputs are not those of a deploy.export.Trained.

    They may be off by what FP32 may be off by, a share of their range.
    """
    images, outputs = bundle.golden()[trained.model]
    same = images.shape[1:3] == (trained.spec.height, trained.spec.width)
    if same:
        found = trained.native(images)
        same = found.shape == outputs.shape and np.abs(found - outputs).max() <= (
            LIMITS[FULL_PRECISION].largest * np.ptp(outputs))  # fmt: skip
    if not same:
        raise ValueError(f"{bundle.folder} was made of another network than the run; give one that was exported from "
                         "it")


def callers(row, work):
    """Functions of a batch, one a stream, and the files that the row's networks are in."""
    if row.subject == PIPELINE:
        return [_measures(row, work)], _files(row, work)
    if row.runtime in OPENVINO:
        return [_openvino(row, work, row.subject)] * row.streams, _files(row, work)
    threads = max(1, work.threads // row.streams)
    return [network(row, work, row.subject, threads) for _ in range(row.streams)], _files(row, work)


def network(row, work, model, threads):
    """A function of uint8 (N, H, W, 3) that answers as a row's runtime does, for one of its networks."""
    if row.runtime in OPENVINO:
        return _openvino(row, work, model)
    if row.runtime in PROVIDERS:
        from deploy.runtimes import OnnxRuntime

        provider = PROVIDERS[row.runtime]
        if row.runtime == "TensorRT":
            provider = provider, {"trt_fp16_enable": row.precision == "FP16"}
        layout = "NCHW" if model == KEYPOINTS else "NHWC"
        return OnnxRuntime(onnx_file(work, model, row.batch), work.specs[model], layout, threads, provider)
    if model == SEGMENTATION:
        from deploy.frozen_graph import FrozenGraph, keep_to_cpu, limit_tensorflow

        keep_to_cpu()
        limit_tensorflow(threads)
        if row.runtime == FROZEN:
            return FrozenGraph(frozen_file(work, row.batch))
        from deploy.runtimes import KerasRuntime

        return KerasRuntime(load_run(work, model).native.model, work.specs[model], traced=True)
    return load_run(work, model).native


def _openvino(row, work, model):
    from deploy.runtimes import OpenVinoRuntime

    return OpenVinoRuntime(work.files[model, row.precision], HINTS[row.precision], work.threads, row.batch, row.streams,
                           OPENVINO[row.runtime])


def pipeline_answerer(row, work):
    """deploy.meter.Answerer of a pipeline's row. The network of the side, which is small and of no run, is the bundle's
    in OpenVINO whatever the row."""
    from deploy.meter import PRECISION, Networks
    from deploy.runtimes import OpenVinoRuntime

    if row.runtime == CLASSICAL:
        from deploy.classical import Classical

        return Classical()
    bundle = Bundle.load(work.bundle)
    # MXNet first: the other way round the two crash.
    keypoints = network(row, work, KEYPOINTS, work.threads)
    segmentation = network(row, work, SEGMENTATION, work.threads)
    side = None
    if "side" in bundle.models:
        side = OpenVinoRuntime(bundle.model_path("side"), PRECISION, work.threads)
    return Networks(keypoints, bundle.input_spec(KEYPOINTS), int(bundle.output(KEYPOINTS)["stride"]), segmentation,
                    bundle.input_spec(SEGMENTATION), side, bundle.crop_spec() if side else None, bundle.maps,
                    bundle.calibration)


def _measures(row, work):
    """A function of [path of a photo]: all from the file to the Measurement, or to the error that is the answer."""
    from deploy.meter import FootMeter, SheetError

    meter = FootMeter(pipeline_answerer(row, work))

    def measure_one(paths):
        try:
            return meter.measure(paths[0])
        except (PhotoError, SheetError) as answer:
            return answer

    return measure_one


def _files(row, work):
    """Files that a row's networks are in."""
    found = []
    for model in row.networks:
        if row.runtime in OPENVINO:
            xml = Path(work.files[model, row.precision])
            found += [xml, xml.with_suffix(".bin")]
        elif row.runtime in PROVIDERS:
            found.append(onnx_file(work, model, row.batch))
        elif row.runtime == FROZEN:
            found.append(frozen_file(work, row.batch))
        else:
            weights = "best.params" if model == KEYPOINTS else "best.weights.h5"
            found.append(Path(work.runs[model]) / weights)
    return found


def batches(row, work):
    """What a row's callers are asked, over and over: list of batches."""
    if row.subject == PIPELINE:
        return [[path] for path in photo_paths(work.photos, None)[:PHOTOS]]
    images = np.load(work.networks / f"{row.subject}.npy")
    return [np.ascontiguousarray(np.take(images, range(start, start + row.batch), axis=0, mode="wrap"))
            for start in range(0, len(images), row.batch)]


def time_row(row, work, number_of_round):
    """Times a row: loading with all that it imports, the first inference, and after a warm-up its callers."""
    with _patience(work):
        started = time.perf_counter()
        calls, files = callers(row, work)
        loaded = time.perf_counter()
        inputs = batches(row, work)
        asked = time.perf_counter()
        calls[0](inputs[0])
        first = time.perf_counter() - asked
        time_callers(calls, inputs, WARM_SHARE * work.seconds)
        timed = time_callers(calls, inputs, work.seconds)
    append(work.out, {
        "kind": "timed", "name": row.name, "round": number_of_round, "images_per_second": timed.images_per_second,
        "latencies_ms": [round(1000 * latency, 4) for latency in timed.latencies],
        "load_seconds": loaded - started, "first_inference_ms": 1000 * first, "peak_memory_mb": peak_memory_mb(),
        "file_mb": sum(Path(file).stat().st_size for file in files if Path(file).exists()) / 1e6})  # fmt: skip


@contextmanager
def _patience(work):
    """Within: what hangs is given up, its process being ended by a signal; OpenCV has the threads of all."""
    cv2.setNumThreads(work.threads)
    if not hasattr(signal, "alarm"):  # not on Windows
        yield
        return
    signal.alarm(int(PATIENCE + 20 * work.seconds))
    try:
        yield
    finally:
        signal.alarm(0)


def judge_row(row, work):
    """How good a plain row's answers are on the labelled set, and how far from those of the native framework."""
    cv2.setNumThreads(work.threads)
    bundle, spec, told = Bundle.load(work.bundle), work.specs.get(row.subject), {}
    samples, split = judged_samples(work.data, JUDGED) if work.data else ([], None)
    if row.subject == PIPELINE:
        accuracy = judge_pipeline(pipeline_answerer(row, work), samples) if samples else None
    else:
        answer = network(row, work, row.subject, work.threads)
        told["parity"] = parity(row, answer, bundle)
        accuracy = None
        if samples and row.subject == KEYPOINTS:
            accuracy = judge_corners(answer, spec, int(bundle.output(KEYPOINTS)["stride"]), bundle.maps, samples)
        elif samples:
            accuracy = judge_pixels(answer, spec, samples)
    append(work.out, {"kind": "judged", "name": row.answers_as, "round": 0, "split": split, "samples": len(samples),
                      "accuracy": accuracy, **told})


def parity(row, answer, bundle):
    """A row's answers to the bundle's golden images against those of the native framework: dict for JSON.

    "largest", "mean": difference as shares of the golden output's range. "corner_px", in pixels of the input,
    or "equal_pixels", a share. "within_limits": whether all is within deploy.parity.LIMITS of its precision, None for
    BF16, which has none. INT8 and BF16 are not held to the last image, noise.
    """
    images, golden = bundle.golden()[row.subject]
    limits = row.precision.lower() if row.precision.lower() in LIMITS else "int8"
    seen = slice(len(images) - 1) if row.precision in ("INT8", "BF16") and len(images) > 1 else slice(None)
    report = compare(row.subject, golden[seen], np.concatenate([answer(image[None]) for image in images[seen]]),
                     row.runtime, limits, bundle.output(row.subject).get("stride"), bundle.maps)
    values = {one.check: one.value for one in report.rows}
    told = {"largest": values.get("largest difference"), "mean": values.get("mean difference"),
            "within_limits": None if row.precision == "BF16" else report.passed}
    if row.subject == KEYPOINTS:
        return told | {"corner_px": next((one.value for one in report.rows if one.check.startswith("corners")), None)}
    return told | {"equal_pixels": values.get("equal mask pixels")}


def time_peak(subject, work, number_of_round):
    """One of deploy.benchmark.peak.subjects, in a round."""
    with _patience(work):
        rate = peak.measure(*subject, work.threads, work.seconds / 2)
    append(work.out, {"kind": "peak", "name": ", ".join(subject), "round": number_of_round,
                      "operations_per_second": rate})


# OpenVINO's own tool without what would report its use; see deploy.runtimes.load_openvino.
BENCHMARK_APP = ("import sys; sys.modules['openvino_telemetry'] = None; "
                 "from openvino.tools.benchmark.main import main; main()")


def time_benchmark_app(row, work, number_of_round):
    """OpenVINO's benchmark_app on a plain row's network, with the same threads, precision and time."""
    device, seconds = OPENVINO[row.runtime], max(1, round(work.seconds))
    command = [sys.executable, "-c", BENCHMARK_APP, "-m", str(work.files[row.subject, row.precision]), "-d", device,
               "-api", "sync", "-t", str(seconds), "-infer_precision", HINTS[row.precision],
               # It takes no number of threads beside a hint of latency, which means one stream too.
               *(["-hint", "none", "-nstreams", "1", "-nthreads", str(work.threads)] if device == "CPU"
                 else ["-hint", "latency"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE + 20 * work.seconds)
    print(done.stdout, done.stderr)
    rate, median = (re.search(rf"{word}:\s*([\d.]+)", done.stdout) for word in ("Throughput", "Median"))
    if done.returncode or not rate:
        raise RuntimeError(f"benchmark_app ended with status {done.returncode}: {done.stdout.strip()[-200:]}")
    append(work.out, {"kind": "benchmark_app", "name": row.name, "round": number_of_round,
                      "images_per_second": float(rate[1]), "median_ms": float(median[1]) if median else None})
