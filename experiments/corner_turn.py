"""How far corner networks are off against the direction of the sheet, all the way round.

Every photo of a dataset is turned about its middle in steps (scenes.conditions, "turn"), and each run's errors are
told by the direction that the sheet then has in the photo: that of its upper edge, corner 1 to 2 and 4 to 3 together,
as it lay before the turn, plus the turn; 0 to 360 degrees, clockwise as seen. Which corner is the first jumps where an
edge stands at 45 degrees. A network with a map a corner is torn there; one whose maps the corners share is not.

    OUT/photos/            the photos that are turned (links)
    OUT/turned/RUN.json    errors of each photo at each turn; a run that has it is done
    OUT/logs/              what each process printed

What a run says of the turned photos is kept in its own folder, as `foliopie keypoints evaluate --conditions` keeps it.
At scale `paper` 100 photos take three minutes of one core for each run.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.processes import Task, run_with_progress
from deploy.tables import markdown_table, number
from experiments.catalogue import Outcome
from experiments.documents import LIBRARIES, head, page, write_results
from experiments.folder import begin
from experiments.runs import check_runs, describe_run
from experiments.training import link_scenes
from keypoints.metrics import summarise, turn_curve
from scenes.conditions import STEPS, Condition, turn_matrix
from scenes.dataset import read_dataset
from scenes.files import write_whole

NAME = "corner-turn"
TITLE = "Corners against the direction of the sheet"
TURNS = (0, *STEPS["turn"])
STEP_DEG = 15
JUMP_DEG = 45  # of every quarter turn: where the first corner becomes another one
WEIGHTS = "best"
VISIBLE = 2


@dataclass(frozen=True)
class Scale:
    """photos: how many, the first ones; None: all. turns: degrees."""

    photos: int | None
    turns: tuple


SCALES = {"quick": Scale(4, TURNS[::3]), "paper": Scale(None, TURNS)}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_turns(SCALES[request.scale], request)


def run_turns(scale, request):
    """`run` at a Scale."""
    check(request)
    out, samples = Path(request.out), read_dataset(request.test, request.split)[:scale.photos]
    if not samples:
        raise ValueError(f"{request.test} has no photos{f' of split {request.split}' if request.split else ''}; leave "
                         "--split out for all of them")
    configuration = configuration_of(scale, request, samples)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    link_scenes(out / "photos", request.test, {"test": samples})
    tasks = [Task(name, turn_all, (folder, out / "photos", scale.turns, _turned_file(out, name)))
             for name, folder in request.runs if not _turned_file(out, name).exists()]
    faults = run_with_progress(tasks, request.workers, out / "logs") if tasks else {}
    curves = {name: curves_of(json.loads(_turned_file(out, name).read_text(encoding="utf-8")))
              for name, _ in request.runs if _turned_file(out, name).exists()}
    if not curves:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, LIBRARIES[:3]) | {"curves": curves}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def check(request):
    """Raises ValueError where there is nothing to turn or to ask, before anything is made."""
    if not request.runs or not request.test:
        raise ValueError(f"{NAME} needs networks and photos: --run NAME=FOLDER, once for each, and --test DIR")
    check_runs(request.runs)


def configuration_of(scale, request, samples):
    """dict for JSON: all that decides what comes out."""
    from scenes.prediction_files import samples_sha256

    return {"dataset": Path(request.test).resolve().name, "split": request.split, "photos": len(samples),
            "photos_sha256": samples_sha256(samples), "turns": list(scale.turns),
            "runs": {name: describe_run(folder, WEIGHTS) for name, folder in request.runs}}


def _turned_file(out, name):
    return out / "turned" / f"{name}.json"


def turn_all(run, photos, turns, file):
    """Errors of a run on a dataset's photos at each turn, into a JSON file; for a process of its own.

    A list with, for each turn, "turn", "directions" of the sheets, and "errors" of the corners seen in percent of the
    turned photo's diagonal, four a photo; null where there is none.
    """
    from keypoints.evaluate import Findings
    from keypoints.subject import open_subject

    subject = open_subject(run, photos, weights=WEIGHTS)
    truth, found = subject.truth, []
    for degrees in turns:
        findings = Findings(subject.predictions(Condition("turn", degrees) if degrees else None), truth)
        # As it is turned the photo may have to become smaller; so do its errors in pixels of what the network sees.
        errors = findings.errors_percent * turn_scales(truth, degrees)[:, None]
        errors[truth.visibility != VISIBLE] = np.nan
        found.append({"turn": degrees, "directions": _plain(findings.turns(degrees)), "errors": _plain(errors)})
    write_whole(file, (json.dumps(found) + "\n").encode())


def turn_scales(truth, degrees):
    """How much smaller each photo of a keypoints.subject.Truth becomes as it is turned: (N,), at most 1."""
    matrices = [turn_matrix(size, corners[visibility > 0], degrees)
                for size, corners, visibility in zip(truth.sizes, truth.corners, truth.visibility, strict=True)]
    return np.sqrt(np.linalg.det([matrix[:2, :2] for matrix in matrices]))


def _plain(values):
    return np.where(np.isfinite(values), values.astype(object), None).tolist()


def curves_of(turned):
    """dict for JSON of what `turn_all` wrote: errors of the corners seen, "by_direction" and "by_turn" as
    keypoints.metrics.turn_curve gives them, "at_jump" and "elsewhere" as `summarise`."""
    errors = np.concatenate([np.array(one["errors"], float) for one in turned])
    directions = np.concatenate([np.array(one["directions"], float) for one in turned])
    turns = np.concatenate([np.full(len(one["errors"]), one["turn"], float) for one in turned])
    present = np.where(np.isfinite(errors), VISIBLE, 0)
    nearest = np.round(directions / STEP_DEG) * STEP_DEG % 90
    told = {"by_direction": turn_curve(directions, errors, present, STEP_DEG),
            "by_turn": turn_curve(turns, errors, present, STEP_DEG)}
    for key, chosen in (("at_jump", nearest == JUMP_DEG), ("elsewhere", np.isfinite(nearest) & (nearest != JUMP_DEG))):
        told[key] = summarise(errors[chosen][np.isfinite(errors[chosen])])
    return told


HEADINGS = ["", "model", "maps", "corners at 45 degrees", "median there, %", "elsewhere", "ratio", "p95 there, %",
            "elsewhere", "ratio"]


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS."""
    lines = []
    for name, told in document["curves"].items():
        run, there, elsewhere = document["configuration"]["runs"][name], told["at_jump"], told["elsewhere"]
        lines.append([name, run["model"], run["maps"], str(there["count"])])
        for key in ("median", "p95"):
            both = there[key] is not None and elsewhere[key]
            lines[-1] += [number(there[key]), number(elsewhere[key]),
                          number(there[key] / elsewhere[key] if both else None)]
    return lines


def direction_cells(document):
    """Lines of the table by direction: degrees, then median and p95 of each run."""
    places = sorted({point["degrees"] for told in document["curves"].values() for point in told["by_direction"]})
    lines = []
    for degrees in places:
        lines.append([str(degrees)])
        for told in document["curves"].values():
            point = next((point for point in told["by_direction"] if point["degrees"] == degrees), {})
            lines[-1] += [number(point.get("median")), number(point.get("p95"))]
    return lines


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    explanation = ("Each photo was turned about its middle, and the corners that can be seen were looked for in it, by "
                   "each network alone. The sheet's direction is that of its upper edge in the photo as it was, plus "
                   "the turn, clockwise. At 45, 135, 225 and 315 degrees another corner becomes the first.")
    notes = ["Errors in percent of the turned photo's diagonal, after the cyclic shift that suits best. At 45 degrees: "
             f"of every quarter turn, within {STEP_DEG / 2:g} degrees. The same errors by the turn that was applied, "
             "whatever the sheet's direction, are in `results.json`."]
    by_direction = markdown_table(
        ["direction", *(f"{name}, {what}" for name in document["curves"] for what in ("median", "p95"))],
        direction_cells(document), texts=())
    table = [*markdown_table(HEADINGS, cells(document), texts=(0, 1, 2)), "", *by_direction]
    return page(document, TITLE, explanation, table, notes,
                f"{configuration['photos']} photos ({configuration['dataset']}) at {len(configuration['turns'])} turns")


def figure(document):
    """Median and 95th percentile against the sheet's direction, a curve a run."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 6), layout="constrained")
    panels = drawn.subplots(2, 1, sharex=True)
    grid = np.arange(0, 361, STEP_DEG)
    for panel, key, label in zip(panels, ("median", "p95"), ("median", "95 % are below"), strict=True):
        for name, told in document["curves"].items():
            values = {point["degrees"]: point[key] for point in told["by_direction"]}
            # Where directions are missing the line is broken.
            panel.plot(grid, [values.get(int(degrees) % 360, np.nan) for degrees in grid], marker="o", ms=3, label=name)
        for jump in range(JUMP_DEG, 360, 90):
            panel.axvline(jump, color="#999999", lw=0.8, ls=":")
        panel.set(ylabel=f"error, % of the diagonal: {label}", ylim=(0, None), xlim=(-5, 365),
                  xticks=range(0, 361, 45))
        panel.grid(axis="y", alpha=0.25)
    panels[0].legend(fontsize=8, frameon=False)
    panels[1].set_xlabel("direction of the sheet in the photo, degrees clockwise")
    return drawn
