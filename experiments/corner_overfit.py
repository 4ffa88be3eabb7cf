"""Whether every corner network can learn at all: each is trained on a few scenes until it knows them by heart.

Every model, every loss, every kind of maps and both inputs, without augmentation, until the mean corner error on those
same scenes is below LIMIT_PX of the network's input or the image steps are used up. What cannot even learn sixteen
photos has a mistake in its targets, loss, gradients or decoding; how good it is on other photos is not asked. Each is
then converted to ONNX, and ONNX Runtime's outputs are held against MXNet's.

    OUT/scenes/            the scenes: the first of the dataset whose four corners are known and inside the photo
    OUT/runs, cases, logs  as in experiments.cases; a training is one of `foliopie keypoints train`

At scale `paper` a case takes two to four minutes of one core, SimplePose-R50 six.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deploy.parity import LIMITS
from deploy.processes import Task
from deploy.tables import markdown_table, number
from experiments.cases import Case, case_file, describe_cases, draw_curves, run_folder, run_missing
from experiments.catalogue import Outcome
from experiments.documents import LIBRARIES, head, page, write_results
from experiments.folder import begin
from experiments.overfitting import LIMIT_PX, overfit
from experiments.training import link_scenes, run_share
from keypoints.config import TrainConfig
from keypoints.loader import split_samples
from scenes.dataset import known_corners, read_dataset

NAME = "corner-overfit"
TITLE = "Every corner network on scenes that it is to know by heart"
ONNX_SHARE = LIMITS["fp32"].largest  # how far ONNX Runtime may be from MXNet, of the output's range
# Of a core, for an image step at 128 x 96, to weigh tasks against each other.
SECONDS = {"simple_pose_resnet18_v1b": 0.05, "simple_pose_resnet50_v1b": 0.16, "hourglass": 0.03,
           "pyramid_resnet18_v1b": 0.04, "regression_resnet18_v1b": 0.035}
# The learning rate stays until the error does. The moving average is over few steps: a long one would lag behind so
# short a training.
COMMON = {"height": 128, "width": 96, "fit": "turn", "batch": 8, "augment": False, "average_decay": 0.97,
          "schedule": "plateau"}
CHEAPEST = "SimplePose-R18"  # of the models, to learn sixteen scenes: that which losses, maps and inputs are tried with


@dataclass(frozen=True)
class Scale:
    """scenes: how many. passes: over them between two looks at the error. common: settings of all cases. cases."""

    scenes: int
    passes: int
    common: dict
    cases: tuple

    def config(self, case):
        """keypoints.config.TrainConfig of a Case."""
        return TrainConfig(**self.common | case.settings, epochs=case.image_steps // (self.scenes * self.passes))


def make_cases(image_steps):
    """Case of each model and, with the CHEAPEST, of each other loss, kind of maps and input. image_steps: a function of
    a case's settings."""
    settings = {
        CHEAPEST: {},
        "SimplePose-R50": {"model": "simple_pose_resnet50_v1b"},
        "hourglass": {"model": "hourglass"},
        "pyramid": {"model": "pyramid_resnet18_v1b", "maps": "sheet"},
        **{f"loss {loss}": {"loss": loss} for loss in ("focal", "ohkm", "visibility_l2")},
        # In a photo opposite edges are not parallel: with its usual weight of 0.1 corners stay 0.57 px off.
        "loss slope": {"loss": "slope", "slope_weight": 0.03},
        **{f"maps {maps}": {"maps": maps} for maps in ("shared", "sheet")},
        "input mask": {"input": "mask"},
        # Half of what its last layers hear is dropped: only a small learning rate quiets that, and it takes longest.
        "regression": {"model": "regression_resnet18_v1b", "schedule": "cosine"},
    }
    return tuple(Case(name, image_steps(values), values) for name, values in settings.items())


SCALES = {
    "quick": Scale(4, 2, COMMON | {"height": 64, "width": 64, "batch": 4}, make_cases(lambda settings: 8)),
    "paper": Scale(16, 16, COMMON, make_cases(
        lambda settings: 20480 if settings.get("model") == "regression_resnet18_v1b" else 8192)),
}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_cases(SCALES[request.scale], request)


def run_cases(scale, request):
    """`run` at a Scale."""
    if len(request.data) != 1:
        raise ValueError(f"{len(request.data)} datasets are given: {NAME} takes its scenes from one, --data DIR")
    out, samples = Path(request.out), chosen_scenes(request.data[0], scale.scenes)
    configuration = configuration_of(scale, request.data[0], samples)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    link_scenes(out / "scenes", request.data[0], {"train": samples})
    cases, faults = run_missing(out, scale.cases, lambda case: _task(scale, case, out), request.workers)
    if not cases:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, (*LIBRARIES[:3], "onnx", "onnxruntime")) | {
        "cases": cases}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def chosen_scenes(data, count):
    """The first `count` training scenes of a dataset with all four corners known and inside the photo.

    Raises ValueError where there are fewer.
    """
    training, _, _ = split_samples(read_dataset(data))
    chosen = [sample for sample in training if known_corners(sample.corners).all() and (sample.visibility > 0).all()
              and (sample.corners >= 0).all()
              and (sample.corners <= np.array([sample.width, sample.height]) - 1).all()][:count]
    if len(chosen) < count:
        raise ValueError(f"{data} has {len(chosen)} training scenes with all four corners known and inside the photo; "
                         f"{count} are needed: give a dataset with more")
    return chosen


def configuration_of(scale, data, samples):
    """dict for JSON: all that decides what comes out."""
    from scenes.prediction_files import samples_sha256

    return {"dataset": Path(data).resolve().name, "scenes": len(samples), "limit_px": LIMIT_PX,
            "scenes_sha256": samples_sha256(samples, masks=True), "passes": scale.passes, "common": scale.common,
            "cases": describe_cases(scale.cases)}


def _task(scale, case, out):
    config = scale.config(case)
    seconds = case.image_steps * SECONDS[config.model] * config.height * config.width / (128 * 96)
    folder = run_folder(out, case)
    return Task(case.name, overfit, (folder, out / "scenes", config, scale.passes, case_file(out, case)),
                weight=seconds, share=partial(run_share, folder))


HEADINGS = ["", "loss", "maps", "input", "image steps", "mean error, px", "seen", "covered", "largest",
            "ONNX differs by", "verdict"]


def verdict(found):
    """What a case came to, in words."""
    learnt = "learnt" if found["mean_px"] <= LIMIT_PX else "not learnt"
    same = found["onnx_difference"] <= ONNX_SHARE * found["output_range"]
    return f"{learnt}, ONNX {'the same' if same else 'differs'}"


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS."""
    lines, configuration = [], document["configuration"]
    for name, found in document["cases"].items():
        config = TrainConfig(**configuration["common"] | configuration["cases"][name]["settings"])
        coordinates = config.is_regression
        lines.append([name, "coordinates" if coordinates else config.loss, "-" if coordinates else config.maps,
                      config.input, f"{found['curve'][-1][0]:,}",
                      *(number(found[key]) for key in ("mean_px", "visible_px", "covered_px", "largest_px")),
                      f"{found['onnx_difference']:.1e}", verdict(found)])
    return lines


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    common = configuration["common"]
    first = next(iter(document["cases"].values()))
    explanation = (f"Each row is a corner network trained from random values on the same {configuration['scenes']} "
                   "scenes without augmentation, until its mean corner error on them was below "
                   f"{configuration['limit_px']:g} pixels of its {common['height']} x {common['width']} input, or the "
                   "image steps meant for it were used up. Then it was converted to ONNX.")
    notes = [f"Errors are means over the {first['visible_count']} corners seen and the {first['covered_count']} "
             "covered, in pixels of the network's input, and the largest of all. Rows that begin with loss, maps or "
             f"input are {CHEAPEST} with that alone changed; the regression's learning rate falls by a cosine, the "
             "others' when the error stays. Image steps are counted where the error was looked at, "
             f"once in {configuration['scenes'] * configuration['passes']}. ONNX differs by: the largest difference of "
             "an output between ONNX Runtime and MXNet on those scenes, heatmaps in units of a peak, coordinates in "
             f"widths and heights; the same is within {ONNX_SHARE:g} of the outputs' range."]
    table = markdown_table(HEADINGS, cells(document), texts=(0, 1, 2, 3, 10))
    return page(document, TITLE, explanation, table, notes, f"{configuration['scenes']} scenes")


def figure(document):
    """Error against image steps: models in one panel, what was tried with the CHEAPEST in the other."""
    kinds = ("loss ", "maps ", "input ")
    panels = {title: {name: found["curve"] for name, found in document["cases"].items()
                      if name.startswith(kinds) == changed}
              for title, changed in (("models", False), (f"{CHEAPEST}, one thing changed", True))}
    return draw_curves(panels, "mean corner error on the training scenes, px of the input",
                       document["configuration"]["limit_px"], "log")
