"""What faults of photos do to the error in millimetres, and where the gate's limits stand.

Photos of a dataset get each fault of experiments.gate_faults in steps and are measured; errors are told against the
gate's own figure of that fault (deploy.gate.Figures), taken with the photo's true corners and mask, so that it is
there where no sheet was found. A limit belongs where the error begins to grow.

    OUT/faults/NAME.json   what was measured on each photo at each step; a fault that has it is done
    OUT/logs/              what each process printed

At scale `paper` 60 photos take about ten minutes of one core.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deploy import gate
from deploy.golden import spread
from deploy.processes import Task, run_with_progress
from deploy.tables import markdown_table, number
from experiments.catalogue import Outcome
from experiments.documents import head, page, write_results
from experiments.folder import begin
from experiments.gate_faults import FAULTS, Scene
from keypoints.metrics import cyclic_errors
from scenes.camera import decide_sheet
from scenes.dataset import known_corners, read_dataset, read_mask
from scenes.files import write_whole
from scenes.images import Photo, read_photo
from scenes.labels import BACKGROUND
from scenes.sheet import mean_side, order_corners, transform

NAME = "gate"
TITLE = "What faults of photos do to the error"
LIBRARIES = ("numpy", "openvino")
SPLIT = "validation"
VIEW = "top"
BINS = 8  # by the figure, of about as many photos each
GROWTH = 1.25  # of the median error of the photos as they are, from which on an error counts as grown
LOST_SHARE = 0.1  # photos lost beyond those that are lost as they are, from which on that counts as grown
NEAR_SHARE = 0.25  # of the diagonal: a measured foot further from a true one is another
ERRORS = {"corner": "corner error, % of the side", "length": "length error, mm", "breadth": "breadth error, mm"}


@dataclass(frozen=True)
class Scale:
    """photos: at most. steps: every how many-th step of a fault."""

    photos: int
    steps: int


SCALES = {"quick": Scale(4, 3), "paper": Scale(60, 1)}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_faults(SCALES[request.scale], request)


def run_faults(scale, request):
    """`run` at a Scale."""
    samples = chosen_samples(request, scale.photos)
    out = Path(request.out)
    configuration = configuration_of(scale, request, samples)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    names = [sample.name for sample in samples]
    tasks = [Task(name, measure_fault, (name, request.test, names, request.bundle, scale.steps, _file(out, name)))
             for name in FAULTS if not _file(out, name).exists()]
    faults = run_with_progress(tasks, request.workers, out / "logs") if tasks else {}
    measured = {name: json.loads(_file(out, name).read_text(encoding="utf-8"))
                for name in FAULTS if _file(out, name).exists()}
    if not measured:
        return Outcome(None, faults)
    document = head(NAME, request.scale, configuration, faults, LIBRARIES)
    document |= {"faults": {name: curve_of(FAULTS[name], lines) for name, lines in measured.items()}}
    for folder in filter(None, (out, request.results)):
        write_results(folder, document, markdown(document), figure(document))
    return Outcome(document, faults, (HEADINGS, cells(document)))


def chosen_samples(request, count):
    """At most `count` Samples with a foot, four known corners and a view from above, spread over the dataset. Raises
    ValueError where there are none."""
    if not request.test:
        raise ValueError(f"{NAME} needs photos with their truth: --test DIR, a dataset of `foliopie scenes render`")
    split = request.split or SPLIT
    samples = [sample for sample in read_dataset(request.test, split)
               if sample.attributes.get("feet") and sample.attributes.get("view") == VIEW
               and known_corners(sample.corners).all() and (sample.visibility > 0).all()]
    if not samples:
        raise ValueError(f"{request.test} has no photo of split {split} from above with a foot and four corners in it")
    return spread(samples, min(count, len(samples)))


def configuration_of(scale, request, samples):
    """dict for JSON: all that decides what comes out."""
    from deploy.bundle import DEFAULT_FOLDER, MANIFEST
    from scenes.files import file_sha256
    from scenes.prediction_files import samples_sha256

    steps = {name: list(fault.steps[:: scale.steps]) for name, fault in FAULTS.items()}
    return {"dataset": Path(request.test).resolve().name, "split": request.split or SPLIT, "photos": len(samples),
            "photos_sha256": samples_sha256(samples, masks=True), "steps": steps,
            "bundle_sha256": file_sha256((request.bundle or DEFAULT_FOLDER) / MANIFEST)}


def _file(out, name):
    return out / "faults" / f"{name}.json"


def measure_fault(name, data, names, bundle, every, file):
    """Measure photos of a dataset with a fault at every `every`-th step into a JSON file; for a process of its own."""
    from deploy.bundle import DEFAULT_FOLDER
    from deploy.meter import FootMeter, load_networks

    cv2.setNumThreads(1)
    meter = FootMeter(load_networks(bundle or DEFAULT_FOLDER, threads=1), refuses=False)
    samples = {sample.name: sample for sample in read_dataset(data)}
    lines = []
    for place, sample in enumerate(map(samples.get, names)):
        lines += measure_steps(meter, FAULTS[name], sample, every, np.random.default_rng(place))
    write_whole(file, (json.dumps(lines) + "\n").encode())


def measure_steps(meter, fault, sample, every, rng):
    """A photo at every `every`-th step of a fault: list of dicts of "photo", "step", "figure" (None where it cannot be
    told), "corner" (mean of the four, % of the sheet's side; None without an answer), "length" and "breadth" (mm, of
    each foot that was found), "feet" (how many there are)."""
    from deploy.meter import SheetError

    scene = Scene(read_photo(sample.image_path).rgb, read_mask(sample.mask_path), np.asarray(sample.corners))
    told = []
    for step in fault.steps[::every]:
        rgb, matrix = fault.put(scene, step, rng)
        line = {"photo": sample.name, "step": step, "figure": true_figure(fault, scene, rgb, matrix, sample),
                "corner": None, "length": [], "breadth": [], "feet": len(sample.attributes["feet"])}
        try:
            measured = meter.measure(Photo(rgb, None))
        except SheetError:
            pass
        else:
            line |= errors_of(measured, sample, transform(matrix, scene.corners), matrix)
        told.append(line)
    return told


def true_figure(fault, scene, rgb, matrix, sample):
    """The gate's figure of a fault, by the true corners and mask; None where they are those of no camera."""
    corners = transform(matrix, scene.corners)
    corners = corners[order_corners(corners)]
    size = rgb.shape[1], rgb.shape[0]
    mask = cv2.warpPerspective(scene.mask, matrix, size, flags=cv2.INTER_NEAREST, borderValue=BACKGROUND)
    try:
        decision = decide_sheet(corners, size, None, (sample.attributes["sheet"]["format"],))
    except ValueError:
        return None
    return getattr(gate.look(rgb, mask, decision, corners), fault.figure)


def errors_of(measured, sample, corners, matrix):
    """"corner", "length" and "breadth" of a Measurement. corners (4, 2): true ones in its photo. matrix: from the
    sample's pixels to the photo's. Feet that the border cuts are left out: they have a warning of their own."""
    found = np.array([(corner.x, corner.y) for corner in measured.corners])
    off = cyclic_errors(found[None], corners[None], np.full((1, 4), 2))[0]
    side = mean_side(corners)
    told = {"corner": float(100 * off.mean() / side), "length": [], "breadth": []}
    reach = NEAR_SHARE * np.hypot(measured.width, measured.height)
    for true in sample.attributes["feet"]:
        middle = transform(matrix, [true["heel"], true["toe"]]).mean(axis=0)
        feet = [(float(np.linalg.norm((foot.heel + foot.toe) / 2 - middle)), foot) for foot in measured.feet]
        away, foot = min(feet, key=lambda pair: pair[0], default=(np.inf, None))
        if away <= reach and not foot.touches_border:
            told["length"].append(abs(foot.length_mm - true["length_mm"]))
            told["breadth"].append(abs(foot.width_mm - true["width_mm"]))
    return told


def curve_of(fault, lines):
    """What a fault does: dict for JSON. "as_it_is": `summary` of the photos at the first step. "bins": of all, ordered
    by the figure from good to bad and cut in BINS of about as many photos, with "from" and "to" of the figure.
    "steps": by the amount. "grows_at": `grows_at` of the bins. "limit": where the gate has it."""
    first = lines[0]["step"]
    as_it_is = summary([line for line in lines if line["step"] == first])
    known = sorted((line for line in lines if line["figure"] is not None),
                   key=lambda line: fault.worse * line["figure"])
    bins = [{"from": part[0]["figure"], "to": part[-1]["figure"], **summary(part)} for part in _parts(known)]
    steps = [{"step": step, **summary([line for line in lines if line["step"] == step])}
             for step in dict.fromkeys(line["step"] for line in lines)]
    return {"figure": fault.figure, "unit": fault.unit, "code": fault.code, "as_it_is": as_it_is, "bins": bins,
            "steps": steps, "grows_at": grows_at(as_it_is, bins), "limit": getattr(gate, fault.limit)}


def _parts(lines):
    """Lines in the order of their figures, cut into BINS parts of about as many; what is equal stays together."""
    parts, least = [[]], len(lines) / BINS
    for line in lines:
        if len(parts[-1]) >= least and line["figure"] != parts[-1][-1]["figure"]:
            parts.append([])
        parts[-1].append(line)
    return parts if lines else []


def summary(lines):
    """{"photos", "lost" (share without an answer), "figure" (median), "missed" (share of the feet of the others that
    were not measured), and the median of each of ERRORS}, None where there is nothing to tell."""
    answered = [line for line in lines if line["corner"] is not None]
    feet = sum(line["feet"] for line in answered)
    values = {"corner": [line["corner"] for line in answered]}
    values |= {key: [value for line in answered for value in line[key]] for key in ("length", "breadth")}
    figures = [line["figure"] for line in lines if line["figure"] is not None]
    return {"photos": len(lines), "lost": 1 - len(answered) / len(lines), "figure": _median(figures),
            "missed": 1 - len(values["length"]) / feet if feet else None,
            **{key: _median(values[key]) for key in ERRORS}}


def _median(values):
    return float(np.median(values)) if values else None


def grows_at(as_it_is, bins):
    """The figure from which on, and in all worse bins, an error has grown by GROWTH or LOST_SHARE of the photos are
    lost: {cause: figure, or None where it never grows}, causes being ERRORS and "lost"."""
    told = {}
    for key in (*ERRORS, "lost"):
        bad = [_has_grown(key, as_it_is[key], part[key]) for part in bins]
        first = next((place for place in range(len(bad)) if all(bad[place:])), None)
        told[key] = None if first is None else bins[first]["from"]
    return told


def _has_grown(key, before, now):
    if now is None:
        return True
    return now > before + LOST_SHARE if key == "lost" else before is not None and now > GROWTH * before


HEADINGS = ["fault", "figure", "warning or error", "limit", "corner error grows at", "length error", "breadth error",
            "photos are lost at"]


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS."""
    return [[name, told["figure"], told["code"], _plain(told["limit"]),
             *(_plain(told["grows_at"][key]) for key in (*ERRORS, "lost"))]
            for name, told in document["faults"].items()]


def _plain(value):
    return number(value, ".3g")


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    explanation = (
        "Rendered photos from above, with a foot and all four corners in them, were made worse in steps and measured. "
        "Errors stand against the figure by which the gate (`deploy/gate.py`) tells each fault, of which the first "
        f"table has the limit and the values from which on the median error is {GROWTH:g} times that of the photos as "
        f"they are, or {LOST_SHARE:.0%} more of the photos have no answer; - where that does not happen.")
    table = markdown_table(HEADINGS, cells(document), texts=(0, 1, 2))
    for name, told in document["faults"].items():
        table += ["", f"## {name}: {told['figure']}", "", *markdown_table(
            [told["figure"], "photos", "without an answer, %", *ERRORS.values(), "feet not measured, %"],
            [_line("as they are", told["as_it_is"])]
            + [_line(f"{_plain(part['from'])} to {_plain(part['to'])}", part) for part in told["bins"]])]
    notes = ["Medians. Figures are those of the photos' true corners and masks. *As they are*: before anything was "
             "done to them; the scenes are hard, and small, so that the leg's hiding of the heel outweighs most faults "
             "in the length. Steps of each fault, and what came out by step, are in `results.json`."]
    return page(document, TITLE, explanation, table, notes,
                f"{configuration['photos']} photos ({configuration['dataset']}), {len(document['faults'])} faults")


def _line(name, told):
    return [name, str(told["photos"]), number(100 * told["lost"], ".0f"), *(number(told[key]) for key in ERRORS),
            number(None if told["missed"] is None else 100 * told["missed"], ".0f")]


def figure(document):
    """A panel a fault: errors, and the share without an answer, relative to the photos as they are, by the figure."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11, 6.4), layout="constrained")
    panels = drawn.subplots(2, 3, squeeze=False).ravel()
    for panel, (name, told) in zip(panels, document["faults"].items(), strict=False):
        places = [part["figure"] for part in told["bins"]]
        for key, label in ERRORS.items():
            before = told["as_it_is"][key]
            values = [part[key] / before if before and part[key] is not None else np.nan for part in told["bins"]]
            panel.plot(places, values, marker="o", ms=3, label=label.split(",")[0])
        lost = [1 + part["lost"] - told["as_it_is"]["lost"] for part in told["bins"]]
        panel.plot(places, lost, color="#999999", ls="--", lw=1, label="1 + share lost")
        panel.axvline(told["limit"], color="black", lw=0.8, ls=":")
        panel.axhline(GROWTH, color="#CCCCCC", lw=0.8)
        panel.set(title=f"{name}: {told['code']}", xlabel=told["figure"], yscale="log", ylim=(0.5, 20))
        panel.yaxis.set_major_formatter("{x:g}")
        if FAULTS[name].worse < 0:
            panel.invert_xaxis()
    for panel in panels[len(document["faults"]) :]:
        panel.set_axis_off()
    panels[0].set_ylabel("times the error without the fault")
    panels[0].legend(fontsize=8, frameon=False)
    return drawn
