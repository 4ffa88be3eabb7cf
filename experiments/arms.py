"""Experiments that compare arms: run as far as they are not done, then each arm's errors beside one of them.

An arm is what is trained on one kind of scenes, once for each seed. Errors are averaged over seeds within a photo
before anything is compared; how far seeds differ is told beside it.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from deploy.processes import Task, run_with_progress
from experiments.catalogue import Outcome
from experiments.comparison import compare
from experiments.documents import write_results
from experiments.folder import begin
from experiments.photos import evaluate, read_photos, read_settings
from experiments.results import cells, describe_photos, figure, headings, markdown, results_document
from experiments.training import WEIGHTS, is_finished, made_of, share_done, train_and_evaluate
from scenes.document import ANNOTATIONS

# Seconds of one core for an image step at 256 x 192, to weigh tasks against each other.
IMAGE_STEP_SECONDS = 0.13
# Errors below this (percent of the diagonal) count as this where their ratio is taken.
LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class Arm:
    """name. trainings: tuple of experiments.training.Training, one a seed. after: names of the tasks that make what
    they need."""

    name: str
    trainings: tuple
    after: tuple = ()

    def task_names(self):
        """Names of the tasks of its trainings, in their order."""
        return [f"{self.name}/seed-{training.seed}" for training in self.trainings]


@dataclass(frozen=True)
class Plan:
    """What an experiment is made of.

    name: in the catalogue. title, explanation: of the table of results. configuration: dict of plain values, all
    that decides what is trained. scenes: tasks that render what is not there yet. arms: tuple of Arm; reference: the
    name of the one that the others are compared with; base: an Arm that is only a beginning for others, or None.
    photos: folder of annotated photos, which need not be there before the scenes are.
    """

    name: str
    title: str
    explanation: str
    configuration: dict
    scenes: tuple
    arms: tuple
    reference: str
    photos: Path
    base: Arm | None = None


def run_plan(plan, request):
    """Do what is not done of a Plan as the experiments.catalogue.Request says: experiments.catalogue.Outcome.

    Writes results of the arms that are done, as soon as the reference is among them, into request.out, and into
    request.results where that is given. Raises ValueError, OSError.
    """
    out = Path(request.out)
    photos, settings = read_judges(plan, request)
    begin(out, {"experiment": plan.name, "scale": request.scale, **plan.configuration})
    arms = [*([plan.base] if plan.base else []), *plan.arms]
    tasks = open_tasks([*plan.scenes, *training_tasks(arms, photos)])
    faults = run_with_progress(tasks, request.workers, out / "logs") if tasks else {}
    done = [arm for arm in plan.arms if not faults.keys() & set(arm.task_names())]
    if plan.reference not in {arm.name for arm in done}:
        return Outcome(None, faults)
    photos = photos or read_photos(plan.photos)
    configuration = plan.configuration | {"seeds": len(plan.arms[0].trainings)}
    found = results_document(plan.name, request.scale, configuration, plan.reference, photos, settings,
                             report(done, plan.reference, photos, settings), faults)
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found, plan.title, plan.explanation), figure(found, plan.title))
    return Outcome(found, faults, (headings(found), cells(found)))


def read_judges(plan, request):
    """(PhotoSet, {photo: setting} or None) to judge by, read before hours are spent; the PhotoSet is None where it is
    of scenes that are still to be rendered. Raises ValueError, OSError."""
    if request.settings and not request.photos:
        raise ValueError("settings say which photos belong together: give --photos too")
    if not request.photos and not (Path(plan.photos) / ANNOTATIONS).exists():
        return None, None
    return open_judges(plan.photos, request.settings)


def open_judges(folder, settings_file):
    """(PhotoSet, {photo: setting}, or None without a file of settings) of a folder of annotated photos. Raises
    ValueError, also where no interval could be told; OSError."""
    photos = read_photos(folder)
    settings = read_settings(settings_file, photos.names) if settings_file else None
    none = dict.fromkeys(photos.names, 0.0)
    compare(none, none, settings, resamples=1)  # fails at once where no interval could be told
    return photos, settings


def training_tasks(arms, photos):
    """Tasks for what is left of the arms' trainings: all arms' first seeds before any arm's second."""
    tasks = []
    for arm in arms:
        for seed, (name, training) in enumerate(zip(arm.task_names(), arm.trainings, strict=True)):
            if not is_finished(training, photos):
                seconds = IMAGE_STEP_SECONDS * sum(stage.image_steps * stage.height * stage.width / (256 * 192)
                                                   for stage in training.stages)
                tasks.append((seed, Task(name, train_and_evaluate, (training,), arm.after, seconds,
                                         partial(share_done, training))))
    return [task for _, task in sorted(tasks, key=lambda pair: pair[0])]


def open_tasks(tasks):
    """Tasks that no longer wait for what is not among them: that is done."""
    names = {task.name for task in tasks}
    return [replace(task, after=tuple(name for name in task.after if name in names)) for task in tasks]


def report(arms, reference, photos, settings):
    """{arm's name: dict for JSON} of arms whose trainings are all done: `errors_report`, the seeds, and what the
    first of them was made of."""
    evaluations = {arm.name: [evaluate(training.last_run, photos, WEIGHTS) for training in arm.trainings]
                   for arm in arms}
    return {arm.name: {"seeds": [training.seed for training in arm.trainings], "made_of": made_of(arm.trainings[0]),
                       **errors_report(evaluations[arm.name],
                                       None if arm.name == reference else evaluations[reference], settings)}
            for arm in arms}


def errors_report(evaluations, references, settings):
    """Errors of one arm, dict for JSON: lists have one entry a seed, "photos" are averages over seeds.

    evaluations: experiments.photos.Evaluation of each seed. references: those of the arm that it is compared with, or
    None. "difference" compares mean corner errors in percent of the diagonal, "log2_ratio" their logarithms: own -
    reference, so above zero where this arm is worse; None without a reference.
    """
    mean = average([evaluation.mean() for evaluation in evaluations])
    found = {
        "successes": [evaluation.successes() for evaluation in evaluations],
        "visible_median_percent": [evaluation.median(2) for evaluation in evaluations],
        "covered_median_percent": [evaluation.median(1) for evaluation in evaluations],
        "mean_percent": [float(np.mean(list(evaluation.mean().values()))) for evaluation in evaluations],
        "photos": mean, "difference": None, "log2_ratio": None, "seed_differences": None,
    }  # fmt: skip
    if references:
        other = average([evaluation.mean() for evaluation in references])
        found["difference"] = compare(other, mean, settings).to_json()
        found["log2_ratio"] = compare(logarithms(other), logarithms(mean), settings).to_json()
        found["seed_differences"] = [compare(one.mean(), own.mean(), settings, resamples=1).by_setting.mean
                                     for one, own in zip(references, evaluations, strict=True)]
    return found


def compare_runs(run_a, run_b, photos, settings=None, weights="best"):
    """Two run folders on a folder of annotated photos: dict for JSON, arms "A" and "B", A the reference.

    settings: JSON file (experiments.photos.read_settings), or None. weights: "best" or "last". Raises ValueError,
    OSError, keypoints.run.RunError, scenes.images.PhotoError.
    """
    photos = read_photos(photos)
    groups = read_settings(settings, photos.names) if settings else None
    one, other = ([evaluate(run, photos, weights)] for run in (run_a, run_b))
    return {"reference": "A", "photos": describe_photos(photos, groups), "weights": weights, "least_seeds": 1,
            "arms": {"A": errors_report(one, None, groups), "B": errors_report(other, one, groups)}}


def average(errors):
    """Mean of several {photo: error} of the same photos, photo by photo."""
    return {name: float(np.mean([one[name] for one in errors])) for name in errors[0]}


def logarithms(errors):
    """{photo: log2 of its error}; what is below LEAST_ERROR counts as that."""
    return {name: float(np.log2(max(error, LEAST_ERROR))) for name, error in errors.items()}
