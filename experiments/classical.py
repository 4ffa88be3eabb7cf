"""Classical means beside networks: sheet and feet found by `foliopie measure --method classical` and by a bundle.

Both are asked for the same photos, one after the other in a process of its own, from the file to the answer: rendered
scenes, whose whole truth is known, and annotated photos, whose corners are. What follows the corners and the
pixels (sharpening on edges, camera, millimetres) is the same code for both.

    OUT/measured/METHOD-SET.jsonl   a line for each photo; what is there is not measured again
    OUT/logs/                       what each process printed

At scale `paper` 240 scenes and 26 photos take three minutes of one core.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deploy.accuracy import judged_samples
from deploy.bundle import DEFAULT_FOLDER, MANIFEST
from deploy.processes import Task, run_with_progress
from deploy.tables import markdown_table, number
from experiments.catalogue import Outcome
from experiments.documents import head, page, write_results
from experiments.folder import begin
from experiments.photos import SUCCESS_PERCENT, read_photos
from keypoints.metrics import cyclic_errors, summarise
from scenes.dataset import known_corners, read_dataset, read_mask
from scenes.files import file_sha256
from scenes.images import PhotoError
from scenes.labels import LEFT_FOOT
from scenes.processes import cores
from segmentation.metrics import confusion_matrix, iou, json_number

NAME = "classical"
TITLE = "Classical means beside networks"
METHODS = ("classical", "networks")
SCENES, PHOTOS = "scenes", "photos"
LIBRARIES = ("numpy", "openvino")
VISIBLE, COVERED = 2, 1
NEAR_SHARE = 0.5  # of a foot's length in the photo, within which a measured foot's middle has to be


@dataclass(frozen=True)
class Scale:
    """photos: how many of each set at most; None: all."""

    photos: int | None


SCALES = {"quick": Scale(6), "paper": Scale(None)}


@dataclass(frozen=True, eq=False)
class Shot:
    """A photo and what is known of it. size: (width, height). corners: float (4, 2), px. visibility: int (4,), as in
    COCO, 0 too where the place is not known. mask: file of its class ids, or None. feet: dicts as
    scenes.dataset.Sample.attributes has them."""

    name: str
    path: Path
    size: tuple
    corners: np.ndarray
    visibility: np.ndarray
    mask: Path | None = None
    feet: tuple = ()


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_methods(SCALES[request.scale], request)


def run_methods(scale, request):
    """`run` at a Scale."""
    if not request.test:
        raise ValueError(f"{NAME} needs scenes whose truth is known: --test DIR, and --photos DIR for photos beside "
                         "them")
    out, threads = Path(request.out), request.threads or cores()
    bundle = Path(request.bundle or DEFAULT_FOLDER)
    sets, configuration = sets_of(scale, request)
    configuration |= {"bundle_sha256": file_sha256(bundle / MANIFEST), "threads": threads}
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    tasks = [Task(file.stem, measure_all, (method, bundle, shots, threads, file), weight=len(shots), threads=threads,
                  share=_Share(file, len(shots)))
             for kind, shots in sets.items() for method in METHODS
             if len(read_lines(file := _file(out, method, kind))) < len(shots)]
    # One at a time: they are timed.
    faults = run_with_progress(tasks, 1, out / "logs") if tasks else {}
    lines = {kind: {method: read_lines(_file(out, method, kind)) for method in METHODS} for kind in sets}
    lines = {kind: told for kind, told in lines.items()
             if all(len(told[method]) == len(sets[kind]) for method in METHODS)}
    if not lines:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | {
        "sets": {kind: figures_of(told) for kind, told in lines.items()}}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found, "all")))


def sets_of(scale, request):
    """({SCENES, PHOTOS: list of Shots}, dict for JSON that says what they are). Raises ValueError for a dataset without
    photos."""
    from scenes.prediction_files import samples_sha256

    if request.split:
        samples, split = read_dataset(request.test, request.split)[: scale.photos], request.split
    else:
        samples, split = judged_samples(request.test, scale.photos)
    if not samples:
        raise ValueError(f"{request.test} has no photos of split {split}; leave --split out")
    configuration = {"dataset": Path(request.test).resolve().name, "split": split, "photos": len(samples),
                     "photos_sha256": samples_sha256(samples)}
    sets = {SCENES: [Shot(sample.name, sample.image_path, (sample.width, sample.height), sample.corners,
                          np.where(known_corners(sample.corners), sample.visibility, 0),
                          sample.mask_path if sample.mask_path.is_file() else None,
                          tuple(sample.attributes.get("feet", ()))) for sample in samples]}
    if request.photos:
        photos = read_photos(request.photos)
        sets[PHOTOS] = [Shot(photo.name, photo.path, photo.size, photo.corners,
                             np.where(photo.known, np.maximum(photo.visibility, COVERED), 0))
                        for photo in photos.photos[: scale.photos]]
        configuration["annotated"] = {"photos": len(sets[PHOTOS]), "sha256": photos.sha256,
                                      "truth_sha256": photos.truth_sha256}
    return sets, configuration


def _file(out, method, kind):
    return out / "measured" / f"{method}-{kind}.jsonl"


@dataclass(frozen=True)
class _Share:
    """How much of a file of so many lines is written."""

    file: Path
    count: int

    def __call__(self):
        return len(read_lines(self.file)) / self.count


def read_lines(file):
    """Lines of measured photos: list of dicts, a last one that was not written to its end left out."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def measure_all(method, bundle, shots, threads, file):
    """Measure what of the Shots is not measured yet, a line each into a JSON-lines file; for a process of its own."""
    from deploy.meter import FootMeter, load_networks

    cv2.setNumThreads(threads)
    if method == NAME:
        from deploy.classical import Classical

        meter = FootMeter(Classical())
    else:
        meter = FootMeter(load_networks(bundle, threads))
    done = read_lines(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in done)
    with open(file, "w", encoding="utf-8") as stream:  # without a torn last line
        stream.write(text)
        ask(meter, shots[0])  # what is loaded at the first photo is not the photo's
        for shot in shots[len(done):]:
            stream.write(json.dumps(judge(meter, shot)) + "\n")
            stream.flush()


def ask(meter, shot):
    """(Measurement or the error that is the answer, {"milliseconds" from the file to it, "cpu_milliseconds" of this
    process, in all its threads})."""
    from deploy.meter import SheetError

    started, worked = time.perf_counter(), time.process_time()
    try:
        answer = meter.measure(shot.path)
    except (PhotoError, SheetError) as error:
        answer = error
    return answer, {"milliseconds": 1000 * (time.perf_counter() - started),
                    "cpu_milliseconds": 1000 * (time.process_time() - worked)}


def judge(meter, shot):
    """A FootMeter's answer to a Shot against the truth: dict for JSON.

    "photo"; its time as `ask` tells it; "error", a code or None; "corners", errors in percent of the diagonal, None
    where a place is not known or said, and their "visibility"; "pixels", confusion matrix of background, sheet and
    foot, nothing being found where there is no answer, or None without a mask; "feet", of each true one None where it
    was not measured, else "side" (whether it is right), "length_mm" and "width_mm", by how much they are too large.
    """
    answer, spent = ask(meter, shot)
    is_error = isinstance(answer, Exception)
    told = {"photo": shot.name, **spent, "error": answer.code if is_error else None, "corners": [None] * 4,
            "visibility": shot.visibility.tolist(), "pixels": None, "feet": [None] * len(shot.feet)}
    if shot.mask:
        truth = np.minimum(read_mask(shot.mask), LEFT_FOOT)
        mask = np.zeros_like(truth) if is_error else cv2.resize(answer.mask, truth.shape[::-1],
                                                                interpolation=cv2.INTER_NEAREST)
        told["pixels"] = confusion_matrix(truth, np.minimum(mask, LEFT_FOOT), LEFT_FOOT + 1).tolist()
    if is_error:
        return told
    corners, known = np.array([(corner.x, corner.y) for corner in answer.corners]), shot.visibility > 0
    errors = 100 * cyclic_errors(corners[None], shot.corners[None], known[None].astype(int))[0] / np.hypot(*shot.size)
    return told | {"corners": [float(error) if there else None for error, there in zip(errors, known, strict=True)],
                   "feet": feet_errors(answer.feet, shot.feet)}


def feet_errors(measured, truth):
    """Errors of measured deploy.feet.Foots against true feet, as `judge` tells them: each true one's nearest, if it is
    near, and no measured one twice."""
    found = [None] * len(truth)
    ends = [(np.array(foot["heel"]), np.array(foot["toe"])) for foot in truth]
    apart = [(float(np.linalg.norm((heel + toe) / 2 - (foot.heel + foot.toe) / 2)), place, other)
             for place, (heel, toe) in enumerate(ends) for other, foot in enumerate(measured)]
    used = set()
    for distance, place, other in sorted(apart):
        heel, toe = ends[place]
        if found[place] is None and other not in used and distance < NEAR_SHARE * np.linalg.norm(toe - heel):
            used.add(other)
            foot, true = measured[other], truth[place]
            found[place] = {"side": foot.side == true["side"], "length_mm": float(foot.length_mm - true["length_mm"]),
                            "width_mm": float(foot.width_mm - true["width_mm"])}
    return found


def is_found(line):
    """Whether every known corner of a line is within SUCCESS_PERCENT."""
    errors = [error for error, visibility in zip(line["corners"], line["visibility"], strict=True) if visibility]
    return all(error is not None and error <= SUCCESS_PERCENT for error in errors)


def figures_of(lines):
    """What lines of one set come to: dict for JSON. lines: {method: lines}, of the same photos in the same order.

    "all" and "both" (the photos whose sheet both methods found) have {method: dict}; "worst" each photo's worst corner.
    """
    both = [all(map(is_found, of_photo)) for of_photo in zip(*lines.values(), strict=True)]
    return {"all": {method: summary(told) for method, told in lines.items()},
            "both": {method: summary([line for line, kept in zip(told, both, strict=True) if kept])
                     for method, told in lines.items()},
            "worst": {method: [_worst(line) for line in told] for method, told in lines.items()}}


def _worst(line):
    return None if line["error"] else max(error for error in line["corners"] if error is not None)


def summary(lines):
    """Figures of some lines: dict for JSON. Errors of feet are absolute, of those whose sheet was found."""
    corners = {key: [error for line in lines for error, seen in zip(line["corners"], line["visibility"], strict=True)
                     if seen == visibility and error is not None]
               for key, visibility in (("visible", VISIBLE), ("covered", COVERED))}
    matrices = [line["pixels"] for line in lines if line["pixels"]]
    shares = iou(np.sum(matrices, axis=0)) if matrices else np.full(3, np.nan)
    measured = [foot for line in lines for foot in line["feet"] if foot]
    trusted = [foot for line in lines if is_found(line) for foot in line["feet"] if foot]
    return {"photos": len(lines), "answered": sum(line["error"] is None for line in lines),
            "found": sum(map(is_found, lines)),
            **{key: summarise(np.array(errors)) for key, errors in corners.items()},
            "sheet_iou": json_number(shares[1]), "feet_iou": json_number(shares[2]),
            "feet": sum(len(line["feet"]) for line in lines), "feet_measured": len(measured),
            "sides_right": sum(foot["side"] for foot in measured),
            **{key: summarise(np.abs([foot[key] for foot in trusted])) for key in ("length_mm", "width_mm")},
            **{key: summarise([line[key] for line in lines]) for key in ("milliseconds", "cpu_milliseconds")}}


HEADINGS = ["", "method", "photos", "answered", "sheet found", "seen corners, %", "95 % below", "covered, %",
            "sheet IoU", "feet IoU", "feet", "measured", "side right", "length off, mm", "breadth off, mm", "ms",
            "of the CPU"]  # fmt: skip


def cells(document, part):
    """Lines of the table, in the order of HEADINGS: list of lists of str. part: "all" or "both"."""
    lines = []
    for kind, told in document["sets"].items():
        for method, one in told[part].items():
            lines.append([
                kind, method, str(one["photos"]), str(one["answered"]), str(one["found"]),
                number(one["visible"]["median"]), number(one["visible"]["p95"]), number(one["covered"]["median"]),
                number(one["sheet_iou"]), number(one["feet_iou"]),
                *([str(one[key]) for key in ("feet", "feet_measured", "sides_right")] if one["feet"] else "---"),
                number(one["length_mm"]["median"], ".1f"), number(one["width_mm"]["median"], ".1f"),
                *(number(one[key]["median"], ".0f") for key in ("milliseconds", "cpu_milliseconds"))])  # fmt: skip
    return lines


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    explanation = ("`foliopie measure --method classical` (colour clusters, contours, a threshold) beside the networks "
                   "of a bundle. Corners are sharpened on the sheet's edges, and feet measured, by the same code after "
                   "either.")
    notes = [f"Sheet found: every corner whose place is known within {SUCCESS_PERCENT:g} % of the diagonal. Corner "
             "errors in percent of the diagonal, of the answered photos, medians. IoU over all pixels of all photos, "
             "of feet whatever their side; where there is no answer nothing is found. Feet: all true ones; length and "
             "breadth are medians of the absolute error of feet on a sheet that was found. Milliseconds: from the file "
             f"to the answer or the error, medians, and what the CPU worked for it (threads: "
             f"{configuration['threads']}), which others on the machine do not lengthen.",
             "The same of the photos whose sheet both methods found:",
             "\n".join(markdown_table(HEADINGS, cells(document, "both"), texts=(0, 1)))]
    annotated = configuration.get("annotated")
    return page(document, TITLE, explanation, markdown_table(HEADINGS, cells(document, "all"), texts=(0, 1)), notes,
                f"{configuration['photos']} scenes ({configuration['dataset']}, split {configuration['split']})"
                + (f" and {annotated['photos']} annotated photos" if annotated else ""))


def figure(document):
    """Share of the photos whose worst corner is within an error, a panel a set."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 4), layout="constrained")
    panels = drawn.subplots(1, len(document["sets"]), sharey=True, squeeze=False)[0]
    for panel, (kind, told) in zip(panels, document["sets"].items(), strict=True):
        for method, worst in told["worst"].items():
            errors = np.sort([error for error in worst if error is not None])
            panel.step(errors, 100 * np.arange(1, len(errors) + 1) / len(worst), where="post", label=method)
        panel.axvline(SUCCESS_PERCENT, color="#999999", lw=0.8, ls=":")
        panel.set(title=f"{kind} ({len(worst)})", xscale="log", xlabel="worst corner, % of the diagonal", ylim=(0, 100))
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("photos, %")
    panels[0].legend(fontsize=8, frameon=False)
    return drawn
