"""The thesis's dilemma: SimplePose, which knew covered corners and was less exact on those seen, or an hourglass, which
was exact on corners seen and lost the covered ones. And a third, a pyramid whose maps the corners share, with a map of
the sheet's inside, by which covered corners are where its edges meet.

Each is trained on the same scenes for the same image steps through the same two stages; or given as runs that are
trained already (`--run NAME=FOLDER`; one with the name of an arm takes its place, others are judged beside them). They
are judged by a rendered dataset and by annotated photos, corners seen and covered apart.

    OUT/runs/ARM/seed-N/         a training (experiments.training)
    OUT/test/                    the scenes to judge by (links)
    OUT/judged/ARM/seed-N.json   what came out; what has one is not judged again
    OUT/logs/                    what each process printed

At scale `paper` a training takes about half an hour of one core.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.processes import Task, run_with_progress
from experiments.arms import Arm, errors_report, open_judges, open_tasks, training_tasks
from experiments.catalogue import Outcome
from experiments.documents import LIBRARIES, head, write_results
from experiments.folder import begin
from experiments.model_judging import judge_run, judged_by_photos
from experiments.model_results import HEADINGS, cells, figure, markdown
from experiments.photos import FILES
from experiments.results import LEAST_SEEDS, describe_photos
from experiments.runs import check_runs, describe_run, run_config
from experiments.training import WEIGHTS, Stage, Training, link_scenes, passes
from keypoints.loader import split_samples
from scenes.dataset import read_dataset

NAME = "corner-models"
ARMS = {
    "SimplePose-R18": {"model": "simple_pose_resnet18_v1b", "maps": "each"},
    "hourglass": {"model": "hourglass", "maps": "each"},
    "pyramid": {"model": "pyramid_resnet18_v1b", "maps": "sheet"},
}


@dataclass(frozen=True)
class Scale:
    """stages: of each training. seeds: trainings of each arm. test: how many rendered scenes to judge by; None: all."""

    stages: tuple
    seeds: int
    test: int | None = None


SCALES = {
    "quick": Scale((Stage(64, 64, 32, batch=8), Stage(96, 64, 16, batch=8)), 1, 4),
    "paper": Scale((Stage(128, 96, 21_600), Stage(256, 192, 7_200)), 1),
}


@dataclass(frozen=True)
class Candidate:
    """A network to judge. arm, seed: whose it is. run: its folder; weights: "best" or "last". after: names of tasks
    that make it."""

    arm: str
    seed: int
    run: Path
    weights: str
    after: tuple = ()

    def file(self, out):
        """Where what came out is."""
        return Path(out) / "judged" / self.arm / f"seed-{self.seed}.json"


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_models(SCALES[request.scale], request)


def run_models(scale, request):
    """`run` at a Scale."""
    check(scale, request)
    out = Path(request.out)
    photos, settings = open_judges(request.photos, request.settings) if request.photos else (None, None)
    samples = read_dataset(request.test, request.split)[:scale.test] if request.test else []
    configuration = configuration_of(scale, request, samples, photos)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    if samples:
        link_scenes(out / "test", request.test, {"test": samples})
    arms = make_arms(scale, request)
    tasks, chosen = training_tasks(arms, None), candidates(arms, request.runs)
    tasks += [Task(f"{one.arm}/seed-{one.seed}/judged", judge_run,
                   (one.run, one.weights, out / "test" if samples else None, request.photos, one.file(out)), one.after,
                   weight=60.0) for one in chosen if not one.file(out).exists()]
    faults = run_with_progress(open_tasks(tasks), request.workers, out / "logs") if tasks else {}
    done = by_arm(chosen, out)
    if not done:
        return Outcome(None, faults)
    configuration |= {"seeds": request.seeds or scale.seeds}
    found = head(NAME, request.scale, configuration, faults, LIBRARIES[:3]) | {
        "arms": {name: read_arm(arm, out) for name, arm in done.items()},
        "differences": differences(done, photos, settings) if photos else None}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def check(scale, request):
    """Raises ValueError where there is nothing to train, to judge or to judge by, before anything is made."""
    if len(request.data) > 1 or not (request.data or request.runs):
        raise ValueError(f"{len(request.data)} datasets and {len(request.runs)} runs are given; {NAME} trains on one, "
                         "--data DIR, or judges runs, --run NAME=FOLDER, or both")
    if not (request.test or request.photos):
        raise ValueError(f"{NAME} needs something to judge by: --test DIR, --photos DIR, or both")
    if request.settings and not request.photos:
        raise ValueError("settings say which photos belong together: give --photos too")
    if request.split and not request.test:
        raise ValueError(f"split {request.split!r} is of --test DIR: give it too")
    check_runs(request.runs)
    if request.test and not read_dataset(request.test, request.split):
        raise ValueError(f"{request.test} has no scenes of split {request.split}; leave --split out for all of them")
    if request.data:
        scenes = len(split_samples(read_dataset(request.data[0]))[0])
        for stage in scale.stages:  # told before hours are spent on the stages before
            passes(stage.image_steps, stage.batch, scenes)


def weights_of(run):
    """The last weights, as of what is trained here; the best of a run that has no others."""
    return WEIGHTS if (Path(run) / FILES[WEIGHTS]).exists() else "best"


def configuration_of(scale, request, samples, photos):
    """dict for JSON: all that decides what comes out; without the seeds, of which more can be added."""
    given = {name: describe_run(folder, weights_of(folder)) for name, folder in request.runs}
    arms = {name: given.pop(name, settings) for name, settings in ARMS.items() if request.data or name in given} | given
    told = {"arms": arms, "stages": [asdict(stage) for stage in scale.stages] if request.data else None,
            "dataset": Path(request.data[0]).resolve().name if request.data else None,
            "test": None, "photos": describe_photos(photos, None) if photos else None}
    if samples:
        from scenes.prediction_files import samples_sha256

        told["test"] = {"dataset": Path(request.test).resolve().name, "split": request.split, "scenes": len(samples),
                        "sha256": samples_sha256(samples)}
    return told


def make_arms(scale, request):
    """experiments.arms.Arm of each that is to be trained: of ARMS those that no run is given for."""
    given = dict(request.runs)
    return [Arm(name, tuple(Training(Path(request.out) / "runs" / name / f"seed-{seed}", request.data[0], scale.stages,
                                     seed, network=settings) for seed in range(request.seeds or scale.seeds)))
            for name, settings in ARMS.items() if request.data and name not in given]


def candidates(arms, runs):
    """[Candidate], in the order of ARMS, then further runs."""
    given = dict(runs)
    trained = {arm.name: [Candidate(arm.name, training.seed, training.last_run, WEIGHTS, (task,))
                          for task, training in zip(arm.task_names(), arm.trainings, strict=True)] for arm in arms}
    judged = {name: [Candidate(name, 0, Path(folder), weights_of(folder))] for name, folder in given.items()}
    names = [*(name for name in ARMS if name in trained or name in judged),
             *(name for name in judged if name not in ARMS)]
    return [one for name in names for one in (trained | judged)[name]]


def by_arm(chosen, out):
    """{arm: [Candidate]} of the arms all of whose seeds are judged."""
    arms = {name: [one for one in chosen if one.arm == name] for name in dict.fromkeys(one.arm for one in chosen)}
    return {name: arm for name, arm in arms.items() if all(one.file(out).exists() for one in arm)}


def read_arm(arm, out):
    """dict for JSON: settings of an arm's network, and what each of its seeds came to."""
    config = run_config(arm[0].run)
    return {"model": config.model, "maps": config.maps, "input": config.input, "height": config.height,
            "width": config.width, "seeds": [json.loads(one.file(out).read_text(encoding="utf-8")) for one in arm]}


def differences(done, photos, settings):
    """Mean corner errors on photos beside the first arm's: dict for JSON, as experiments.results tells them."""
    evaluations = {name: [judged_by_photos(one.run, one.weights, photos)[1] for one in arm]
                   for name, arm in done.items()}
    reference = next(iter(done))
    seeds = min(map(len, evaluations.values()))  # of a run that is given there is one
    arms = {name: errors_report(found[:seeds], None if name == reference else evaluations[reference][:seeds], settings)
            for name, found in evaluations.items()}
    return {"reference": reference, "photos": describe_photos(photos, settings), "least_seeds": LEAST_SEEDS,
            "arms": arms}
