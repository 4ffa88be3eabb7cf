"""Two datasets of scenes, the same training on each: which makes the better network on photos.

Both are trained from scratch through the same stages: as many image steps, passes and scenes of the one as of the
other (the first ones of each dataset, as many as the smaller has), with the same seeds.

    OUT/runs/ARM/seed-N/     a training (experiments.training); ARM is `first` or `second`
    OUT/logs/                what each process printed
    OUT/scenes/              at scale `quick` without datasets: plain scenes, scenes with all groups of choices

At scale `paper` a training takes 27 minutes of one core; all of it an hour and a half of two cores.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.arms import Arm, Plan, run_plan
from experiments.scene_tasks import GROUPS, render_task, scene_sources
from experiments.training import Stage, Training, passes
from keypoints.loader import split_samples
from scenes.dataset import read_dataset

NAME = "scene-comparison"
REFERENCE, OTHER = "first", "second"

TITLE = "Two datasets of scenes, judged by photos"
EXPLANATION = (
    "Each row is a corner network trained from scratch on one dataset, both for the same number of image steps over "
    "as many scenes. Better: the second dataset teaches more about photos."
)


@dataclass(frozen=True)
class Scale:
    """stages: of each training. seeds: trainings on each dataset. scenes, size: count and (width, height) in px of
    what is rendered where no datasets are given; None: they must be."""

    stages: tuple
    seeds: int
    scenes: int | None = None
    size: tuple | None = None


SCALES = {
    "quick": Scale((Stage(64, 64, 32, batch=8), Stage(96, 64, 16, batch=8)), 1, 16, (150, 200)),
    "paper": Scale((Stage(128, 96, 21_600), Stage(256, 192, 7_200)), 3),
}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome.

    Without photos the networks are judged by rendered scenes, which only scale `quick` has. Raises ValueError,
    OSError.
    """
    return run_plan(make_plan(SCALES[request.scale], request), request)


def make_plan(scale, request):
    """experiments.arms.Plan of a Scale. Raises ValueError where datasets or photos are needed and not there."""
    if len(request.data) not in (0, 2):
        raise ValueError(f"{len(request.data)} datasets are given: {NAME} compares two, --data FIRST --data SECOND")
    rendered = Path(request.out) / "scenes"
    if not request.data and not scale.scenes:
        raise ValueError(f"{NAME} at scale {request.scale} needs two datasets: --data FIRST --data SECOND")
    if request.data and not request.photos:
        raise ValueError(f"{NAME} of datasets needs photos to judge by: give --photos")
    photos = Path(request.photos or rendered / "validation")
    tasks, folders, limit = (), tuple(map(Path, request.data)), None
    sources = {"legs": request.legs, "textures": request.textures}
    if request.data:
        limit = min(len(split_samples(read_dataset(folder))[0]) for folder in folders)
        for stage in scale.stages:  # told before hours are spent on the stages before
            passes(stage.image_steps, stage.batch, limit)
    else:
        folders = (rendered / "plain", rendered / "all")
        tasks = (*render_task("scenes/first", folders[0], scale.scenes, scale.size, GROUPS, **sources),
                 *render_task("scenes/second", folders[1], scale.scenes, scale.size, **sources),
                 *render_task("scenes/validation", rendered / "validation", scale.scenes, scale.size,
                              split="validation", **sources))
    # Without the seeds: more of them can be added to what is done.
    configuration = {"stages": [asdict(stage) for stage in scale.stages], "scenes": limit or scale.scenes,
                     "datasets": [folder.resolve().name for folder in folders],
                     "rendered": None if request.data else
                     {"size": scale.size, **scene_sources(request.legs, request.textures)}}
    validation = None if request.data else rendered / "validation"
    arms = [Arm(name, tuple(Training(Path(request.out) / "runs" / name / f"seed-{seed}", folder, scale.stages, seed,
                                     scenes=limit, validation=validation, photos=photos)
                            for seed in range(request.seeds or scale.seeds)), (f"scenes/{name}", "scenes/validation"))
            for name, folder in ((REFERENCE, folders[0]), (OTHER, folders[1]))]
    return Plan(NAME, TITLE, EXPLANATION, configuration, tasks, tuple(arms), REFERENCE, photos)
