"""Long work killed at random moments (SIGKILL): both trainings and rendering, at tiny size.

Each is killed again and again, half of the times while it writes, begun once more with the same command each time, and
what it comes to held against what was never killed: every file is to be the same, byte for byte, but for the times in
histories. A checkpoint is read whole after each kill.

    OUT/scenes/            rendered without a kill: what the trainings learn from, and rendering is held against
    OUT/runs/CASE/         as in experiments.kill
    OUT/cases, logs        as in experiments.cases; a case that was interrupted is begun anew
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deploy.processes import Task
from deploy.tables import markdown_table
from experiments.cases import Case, case_file, run_folder, run_missing
from experiments.catalogue import Outcome
from experiments.documents import head, page, write_results
from experiments.folder import begin
from experiments.kill import ANY, MOST_ROUNDS, WRITING, Victim, kill_often
from scenes.files import write_whole

NAME = "killed"
TITLE = "Trainings and rendering, killed and gone on with"
LIBRARIES = ("numpy", "mxnet", "tensorflow", "keras", "mitsuba")
FOLIOPIE = sys.executable, str(Path(__file__).resolve().parents[1] / "foliopie.py")
WORKERS = 2  # that render
# What is no file's to be the same in: how long it took.
TIMES = {"seconds", "train_seconds", "images_per_second", "waiting", "waiting_share"}
# One thread a library: with several, sums may come out in another order.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "COLUMNS": "200"}
CASES = ("rendering", "corners", "pixels")


@dataclass(frozen=True)
class Scale:
    """kills: of each case. scenes: how many are rendered. epochs: {training: how many}. seed: of scenes and kills."""

    kills: int
    scenes: int
    epochs: dict
    cases: tuple = CASES
    seed: int = 1


SCALES = {"quick": Scale(2, 6, {"corners": 6, "pixels": 3}), "paper": Scale(20, 6, {"corners": 24, "pixels": 12})}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_cases(SCALES[request.scale], request)


def run_cases(scale, request):
    """`run` at a Scale."""
    out = Path(request.out)
    configuration = {"kills": scale.kills, "scenes": scale.scenes, "epochs": scale.epochs, "seed": scale.seed,
                     "cases": list(scale.cases)}
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    if not (out / "scenes").exists():
        _render(scale, out / "scenes")
    cases, faults = run_missing(out, [Case(name, 0) for name in scale.cases],
                                lambda case: _task(scale, case, out), request.workers)
    if not cases:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | {"cases": cases}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def _render(scale, folder):
    """Scenes that nobody killed the rendering of."""
    beside = folder.with_name("scenes-begun")
    shutil.rmtree(beside, ignore_errors=True)
    done = subprocess.run(rendering(scale, beside), env=os.environ | ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise OSError(f"scenes render ended with status {done.returncode}: {done.stderr[-500:]}")
    beside.rename(folder)


def _task(scale, case, out):
    folder, order = run_folder(out, case), CASES.index(case.name)
    return Task(case.name, kill_case, (scale, case.name, out / "scenes", folder, case_file(out, case)),
                weight=order + 1.0, share=partial(_share, folder, scale.kills))


def _share(folder, kills):
    try:
        return min(1.0, int((folder / "kills.txt").read_text()) / kills)
    except (OSError, ValueError):
        return 0.0


def kill_case(scale, name, scenes, folder, file):
    """Kill one kind of work and write what came out into a JSON file. For a process of its own. Raises RuntimeError
    where it fails without a kill, or time after time."""
    victim = victim_of(scale, name, scenes)
    found = kill_often(victim, folder, scale.kills, scale.seed,
                       lambda done: write_whole(folder / "kills.txt", str(done).encode()))
    write_whole(file, (json.dumps(found, indent=1) + "\n").encode())


def victim_of(scale, name, scenes):
    """The Victim of a case, one of CASES. scenes: folder of the dataset to train on."""
    if name == "rendering":
        return Victim(partial(rendering, scale), rendered, lambda folder: [], _different_scenes, ENVIRONMENT)
    file, epoch, command = {
        "corners": ("resume.npz", "place/epoch",
                    ["keypoints", "train", scenes, "--model", "hourglass", "--stacks", 1, "--filters", 128]),
        "pixels": ("state.npz", "epoch",
                   ["segmentation", "train", scenes, "--model", "pspnet-resnet18", "--pools", "1,2",
                    "--head-channels", 16]),
    }[name]
    command += ["--size", "64x64", "--batch", 4, "--epochs", scale.epochs[name], "--threads", 1, "--resume"]
    return Victim(lambda folder: [*FOLIOPIE, *command, "--out", folder], partial(trained, file=file, epoch=epoch),
                  resumed, different_runs, ENVIRONMENT)


def rendering(scale, folder):
    """Words of the command that renders into a folder."""
    return [*FOLIOPIE, "scenes", "render", str(folder), "--count", str(scale.scenes), "--seed", str(scale.seed),
            "--size", "150x200", "--workers", str(WORKERS)]


def rendered(folder):
    """What a kill has left of a rendering: {"done": scenes recorded, "ahead": photos without a record}. Raises
    ValueError where a record is no JSON, or one of its files is not there."""
    records = {path.stem for path in (folder / ".scenes").glob("[!.]*.json")}
    photos = {path.stem for path in (folder / "images").glob("[!.]*.jpg")}
    masks = {path.stem for path in (folder / "masks").glob("[!.]*.png")}
    for name in records:
        json.loads((folder / ".scenes" / f"{name}.json").read_text())
    if records - photos or records - masks:
        raise ValueError(f"recorded without photo or mask: {sorted((records - photos) | (records - masks))}")
    return {"done": len(records), "ahead": len(photos - records)}


def trained(folder, file, epoch):
    """What a kill has left of a training: {"done": epochs of the checkpoint, "ahead": lines of the history beyond
    it}. Raises what numpy does for a checkpoint that is not whole, and ValueError for a history that lacks an epoch."""
    done = 0
    if (folder / file).exists():
        with np.load(folder / file) as arrays:
            done = int({name: arrays[name] for name in arrays.files}[epoch])
    epochs = [line["epoch"] for line in history(folder)]
    if epochs != list(range(1, len(epochs) + 1)) or len(epochs) < done:
        raise ValueError(f"the history has the epochs {epochs}, the checkpoint is of {done}")
    return {"done": done, "ahead": len(epochs) - done}


def resumed(folder):
    """Epochs after which a training says that it went on, in order."""
    log = folder / "log.txt"
    return [int(number) for number in re.findall(r"going on after epoch (\d+)", log.read_text())
            ] if log.exists() else []


def history(folder):
    """Lines of a training's history without times: list of dicts."""
    file = folder / "history.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES} for line in lines]


def different_runs(run, whole):
    """Lines on what a training that was killed left otherwise than the whole one."""
    found = _different_files(run, whole, but=("history.jsonl", "log.txt", "config.json"))
    return found if history(run) == history(whole) else [*found, f"{run.name}: history.jsonl is another"]


def _different_scenes(run, whole):
    return _different_files(run, whole)


def _different_files(run, whole, but=()):
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} for folder in (run, whole)]
    found = [f"{run.name}: {name} is {'too many' if name in names[0] else 'missing'}"
             for name in sorted(names[0] ^ names[1])]
    same = sorted((names[0] & names[1]) - set(but))
    return found + [f"{run.name}: {name} is another" for name in same
                    if not filecmp.cmp(run / name, whole / name, shallow=False)]


HEADINGS = ["", "kills", "at any moment", "while it wrote", "left a file unfinished", "between a file and its "
            "checkpoint", "before anything was whole", "runs to their end", "what was wrong"]


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS."""
    lines = []
    for name, found in document["cases"].items():
        kills = found["kills"]
        lines.append([name, *map(str, (
            len(kills), sum(kill["aim"] == ANY for kill in kills), sum(kill["aim"] == WRITING for kill in kills),
            sum(bool(kill["unfinished"]) for kill in kills), sum(kill["left"].get("ahead", 0) > 0 for kill in kills),
            sum(kill["left"].get("done", 0) == 0 for kill in kills), found["runs"])),
            "; ".join(found["problems"]) or "nothing"])
    return lines


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    explanation = ("Rendering (two processes), the training of corners (MXNet) and that of pixels (Keras), each killed "
                   "with SIGKILL and begun again with the same command until it came to its end, a new one then, until "
                   f"it had been killed {configuration['kills']} times. Every second kill is at a random moment "
                   f"before a process first writes, or after it did so up to {MOST_ROUNDS} times; the others are "
                   f"within one of the first {MOST_ROUNDS} rounds of writing, from its first file to the renaming of "
                   "its last.")
    rounds = ", ".join(f"{name} {found['pace']['writing_s']:.3f} s" for name, found in document["cases"].items())
    notes = ["Nothing was wrong means: after each kill the checkpoint could be read whole and the history lacked no "
             "epoch; every training that went on did so after the checkpoint's epoch; no command ended by itself with "
             "a status but 0; and what came out in the end was the same as without a kill, file for file and byte for "
             "byte, but for the log, the place of the data in the configuration and the times in the history.",
             "Left a file unfinished: one that is written beside its place was there. Between a file and its "
             "checkpoint: the history had a line, or a scene its photo, that nothing counted yet; both are done again. "
             f"A round of writing, which a kill must hit for that, takes: {rounds}.",
             f"{configuration['scenes']} scenes of 150 x 200; an hourglass of one stack with 128 filters and a "
             f"PSPNet-ResNet18, both at 64 x 64, {configuration['epochs']['corners']} and "
             f"{configuration['epochs']['pixels']} epochs, on one thread."]
    table = markdown_table(HEADINGS, cells(document), texts=(0, len(HEADINGS) - 1))
    return page(document, TITLE, explanation, table, notes)


def figure(document):
    """How much was whole at the kills: a panel for each case."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 2.8), layout="constrained")
    panels = drawn.subplots(1, len(document["cases"]), squeeze=False)[0]
    for panel, (name, found) in zip(panels, document["cases"].items(), strict=True):
        done = {aim: [kill["left"].get("done", 0) for kill in found["kills"] if kill["aim"] == aim]
                for aim in (ANY, WRITING)}
        bins = [place - 0.5 for place in range(max(max(places, default=0) for places in done.values()) + 2)]
        panel.hist(list(done.values()), bins, stacked=True, label=list(done))
        panel.set(title=name, xlabel=f"{'scenes' if name == 'rendering' else 'epochs'} that were whole")
    panels[0].set_ylabel("kills")
    panels[0].legend(fontsize=8, frameon=False)
    return drawn
