"""Run what a table or figure of the thesis is made of, or all of it. Trainings are shared: what one table has done the
next does not do again.

    OUT/scenes/KIND/    the scenes (links)
    OUT/data.json       what they are like, of those for pixels
    OUT/runs, cases     as `experiments.thesis.case` has them
    OUT/logs/           what each process printed

What the folder of --results has of the same scenes and settings counts as done here too.

Seeds go round: all trainings with the first, the cheapest first, then with the second; an interrupted run has most.
"""

import json
import shutil
from functools import cache, partial
from pathlib import Path

from deploy.processes import Task, run_with_progress
from experiments.catalogue import Outcome
from experiments.folder import begin
from experiments.thesis import scenes
from experiments.thesis.case import Job, changed_in, is_done, run_job
from experiments.thesis.material import DATA
from experiments.thesis.trainings import SCALES, TRAININGS
from experiments.training import run_share
from scenes.dataset import read_dataset
from scenes.files import write_whole
from scenes.prediction_files import samples_sha256

NAME = "thesis"
# Roughly, of a core, for an image step at scale quick: to tell how much is left.
SECONDS = {"base": 0.95, "efficientnetb0": 0.08, "efficientnetb3": 0.12, "efficientnetb5": 0.18,
           "simplepose-resnet50": 0.06}
SECONDS_OF = {"pixels": 0.11, "corners": 0.025}


def run(request):
    """Run what is not done of the trainings of request.trainings: experiments.catalogue.Outcome. Raises ValueError,
    OSError."""
    return run_trainings(SCALES[request.scale], request)


def run_trainings(scale, request):
    """`run` at a Scale."""
    out = Path(request.out)
    trainings = [TRAININGS[name] for name in request.trainings]
    jobs = make_jobs(scale, trainings, request)
    kept = request.results and Path(request.results) / request.scale
    if kept:
        _take(jobs, kept)
    tasks = [_task(job) for job in jobs if not is_done(job)]
    if not (out / DATA).exists():
        tasks.insert(0, Task("data", measure_data, (out / scenes.FOLDER / "pixels", out / DATA), weight=20.0))
    faults = run_with_progress(tasks, request.workers, out / "logs") if tasks else {}
    done = [job for job in jobs if is_done(job)]
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        for file in filter(Path.exists, [out / DATA, *(job.file for job in done)]):
            shutil.copyfile(file, kept / file.name)
    return Outcome({"done": len(done), "of": len(jobs)}, faults, (HEADINGS, cells(trainings, jobs)))


def _take(jobs, kept):
    """Take over what a folder of results has of Jobs that are not done here, made of the same scenes and settings."""
    for job in jobs:
        file = kept / job.file.name
        if file.exists() and not job.file.exists() and not changed_in(job, file):
            write_whole(job.file, file.read_bytes())


def measure_data(folder, file):
    """What the training scenes of a dataset folder are like, into a JSON file; for a process of its own."""
    from experiments.thesis.data import measure

    write_whole(file, (json.dumps(measure(read_dataset(folder, "train"))) + "\n").encode())


def make_jobs(scale, trainings, request):
    """Jobs of Trainings, in the order in which they are done. Links the scenes. Raises ValueError where
    there are none, or the folder was begun with others."""
    out = Path(request.out)
    if not request.data:
        raise ValueError("the thesis's trainings need scenes: --data DIR with the splits train and validation, as "
                         "`foliopie scenes render DIR --preset small` makes them, or one of each")
    training, held_out = scenes.choose(request.data, scale.alike)
    begin(out, {"experiment": NAME, "scale": request.scale, "scenes": [len(training), len(held_out)],
                "scenes_sha256": samples_sha256([*training, *held_out], masks=True)})
    hashes = {}
    for kind in sorted(scale.scenes):
        chosen = {"train": training[:scale.scenes[kind]], "validation": held_out}
        folder = out / scenes.FOLDER / kind
        if not (folder / "annotations.json").exists():
            scenes.link(folder, chosen)
        hashes[kind] = samples_sha256(read_dataset(folder), masks=True)
    jobs = [Job(one.name, one.kind, seed, request.scale, scale.config(one, seed), out / scenes.FOLDER / one.kind,
                hashes[one.kind], out / "runs" / f"{one.name}-s{seed}", out / "cases" / f"{one.name}-s{seed}.json",
                request.threads or 1)
            for seed in range(request.seeds or scale.seeds) for one in trainings
            if seed < (one.seeds or seed + 1)]
    return sorted(jobs, key=lambda job: (job.seed, seconds(job)))


def image_steps(job):
    """How many image steps a Job is, the few samples that fill no batch included."""
    return job.config.epochs * _training_scenes(job.data)


@cache
def _training_scenes(folder):
    """How many there are in a dataset folder, which stays as it was linked."""
    return sum(sample.attributes["split"] == "train" for sample in read_dataset(folder))


def seconds(job):
    """Roughly how long a Job takes a core at scale quick."""
    return SECONDS.get(job.training, SECONDS_OF[job.kind]) * image_steps(job)


def _task(job):
    return Task(f"{job.training}-s{job.seed}", run_job, (job,), weight=seconds(job), share=partial(run_share, job.run),
                threads=job.threads)


HEADINGS = ["training", "seeds done", "of", "image steps"]


def cells(trainings, jobs):
    """A line for each training: list of lists of str."""
    lines = []
    for training in trainings:
        own = [job for job in jobs if job.training == training.name]
        lines.append([training.label, str(sum(is_done(job) for job in own)), str(len(own)),
                      f"{image_steps(own[0]):,}"])
    return lines
