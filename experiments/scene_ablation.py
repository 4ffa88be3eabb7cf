"""Which choices in rendered scenes help a network on photos: each group of them left out in turn.

One network learns on plain scenes, every group switched off. From its weights each arm trains on, with the same
number of image steps, seeds and settings, on scenes of its own: `all` groups on, one of `LEFT_OUT` left out, and
`plain` again. What an arm does worse on photos than `all` is what the group that it lacks is worth.

    OUT/scenes/ARM/          its scenes;  OUT/scenes/validation/: scenes with all groups, of other seeds
    OUT/runs/base/           the network that all begin with
    OUT/runs/ARM/seed-N/     a training of an arm (experiments.training)
    OUT/logs/                what each process printed

At scale `paper` an arm's training takes 3 minutes of one core, its scenes 4; all of it 45 minutes of two cores.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.arms import Arm, Plan, run_plan
from experiments.scene_tasks import GROUPS, render_task, scene_sources
from experiments.training import Stage, Training

NAME = "scene-ablation"
REFERENCE = "all"
LEFT_OUT = ("textures", "camera", "sheet", "legs")  # of GROUPS, in turn
# Arm -> the groups of choices that its scenes are without.
ARMS = {REFERENCE: (), **{f"without-{group}": (group,) for group in LEFT_OUT}, "plain": GROUPS}

TITLE = "What rendered scenes teach about photos"
EXPLANATION = (
    "Each row is a corner network that began with the weights of one that had learnt on plain scenes, and trained on "
    "for the same number of image steps on scenes with all groups of choices (`all`), with one group left out, or "
    "with none of them (`plain`). Worse without a group: the group helps. Of five intervals of 95 % one is beside "
    "zero by chance in nearly one table out of four."
)


@dataclass(frozen=True)
class Scale:
    """scenes: of each arm. validation: scenes. size: (width, height) of an upright scene, px. base: stages of the
    network that all begin with. arm: the stage of an arm. seeds: trainings of each arm."""

    scenes: int
    validation: int
    size: tuple
    base: tuple
    arm: Stage
    seeds: int


SCALES = {
    "quick": Scale(8, 8, (150, 200), (Stage(64, 64, 32, batch=8),), Stage(96, 64, 16, batch=8), 1),
    "paper": Scale(400, 100, (240, 320), (Stage(128, 96, 15_200),), Stage(128, 96, 7_600), 3),
}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome.

    Without photos the networks are judged by rendered scenes with all groups. Raises ValueError, OSError.
    """
    if request.data:
        raise ValueError(f"{NAME} renders its own scenes: leave --data out")
    return run_plan(make_plan(SCALES[request.scale], request), request)


def make_plan(scale, request):
    """experiments.arms.Plan of a Scale."""
    scenes = Path(request.out) / "scenes"
    photos = Path(request.photos or scenes / "validation")
    configuration = {**asdict(scale), "arms": ARMS, **scene_sources(request.legs, request.textures)}
    del configuration["seeds"]  # more can be added to what is done
    sources = {"legs": request.legs, "textures": request.textures}
    tasks = render_task("scenes/validation", scenes / "validation", scale.validation, scale.size, split="validation",
                        **sources)
    for name, groups in reversed(ARMS.items()):  # plain first, on which the base is trained
        tasks += render_task(f"scenes/{name}", scenes / name, scale.scenes, scale.size, groups, **sources)

    def training(name, folder, stages, seed, start, judged):
        return Training(Path(request.out) / "runs" / folder, scenes / name, stages, seed, start,
                        validation=scenes / "validation", photos=judged)

    base = Arm("base", (training("plain", "base", scale.base, 0, None, None),), ("scenes/plain", "scenes/validation"))
    start = base.trainings[0].weights
    arms = [Arm(name, tuple(training(name, f"{name}/seed-{seed}", (scale.arm,), seed, start, photos)
                            for seed in range(request.seeds or scale.seeds)),
                (*base.task_names(), f"scenes/{name}", "scenes/validation")) for name in ARMS]
    return Plan(NAME, TITLE, EXPLANATION, configuration, tuple(tasks), tuple(arms), REFERENCE, photos, base)
