"""Whether every network of pixels can learn at all: each is trained on a few scenes until it knows them by heart.

Every model, and with the project's OWN every loss, without augmentation, until the mean IoU on those same scenes is
LIMIT_IOU or the image steps are used up. What cannot even learn sixteen pictures has a mistake in its targets, loss or
gradients; how good it is on other photos is not asked. Each is then converted, and ONNX Runtime and OpenVINO in FP32
are held against Keras.

    OUT/scenes/            the scenes: windows of a dataset's photos (experiments.scene_windows)
    OUT/runs, cases, logs  as in experiments.cases; a training is one of `foliopie segmentation train`

Mean IoU is that of the averaged weights, at the size of the network's input, which is small: a case takes minutes.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.parity import LIMITS
from deploy.processes import Task
from deploy.tables import markdown_table
from experiments.cases import Case, case_file, describe_cases, draw_curves, run_folder, run_missing
from experiments.catalogue import Outcome
from experiments.documents import head, page, write_results
from experiments.folder import begin
from experiments.pixel_overfitting import LIMIT_IOU, RUNTIMES, overfit
from experiments.scene_windows import chosen_windows, write_windows
from experiments.training import run_share
from scenes.prediction_files import samples_sha256
from segmentation.config import TrainConfig
from segmentation.loader import split_samples
from segmentation.models.taps import MODELS

NAME = "segmentation-overfit"
TITLE = "Every network of pixels on scenes that it is to know by heart"
LIBRARIES = ("numpy", "tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime", "openvino")
# Roughly, of a core, for an image step at the model's size: to begin with the cheapest and tell how much is left.
SECONDS = {"fcn8-resnet18": 0.03, "unet-resnet18": 0.04, "unet-efficientnetb0": 0.05, "unet-resnet50": 0.05,
           "fcn8-efficientnetb0": 0.05, "pspnet-resnet18": 0.06, "pspnet-efficientnetb0": 0.07, "fast-pspnet": 0.08,
           "fcn8-resnet50": 0.1, "fcn16-resnet50": 0.1, "pspnet-resnet50": 0.1, "pspnet-efficientnetb3": 0.09,
           "pspnet-efficientnetb4": 0.09, "pspnet-efficientnetb5": 0.11, "fcn32-resnet50": 0.3,
           "pspnet-resnet101": 0.4}
# Of the input, such that classes are told at eight pixels a side or more: with fewer no outline could be drawn. The
# auxiliary branch's and those that an FCN or a U-Net begins with may be coarser. fast-pspnet takes nothing smaller.
SIDE = 128
SIDES = {"fast-pspnet": 192, "fcn32-resnet50": 256}
SIDES |= dict.fromkeys(("pspnet-resnet101", *(name for name in MODELS if name.startswith(("fcn8", "unet")))), 96)
# Nothing that keeps a network from learning by heart: no dropout, and averages over few steps.
COMMON = {"fit": "stretch", "batch": 8, "augmentation": "none", "dropout": 0.0, "batchnorm_momentum": 0.9,
          "average_decay": 0.9, "schedule": "constant"}
OWN = "fast-pspnet"  # the model that is released: that which losses are tried with
LOSSES = ("weighted", "focal", "dice", "categorical+dice", "weighted+dice")  # beside "categorical", that of all cases


@dataclass(frozen=True)
class Scale:
    """scenes: how many. passes: over them between two looks at the mean IoU. common: settings of all cases. cases."""

    scenes: int
    passes: int
    common: dict
    cases: tuple

    def config(self, case):
        """segmentation.config.TrainConfig of a Case."""
        return TrainConfig(**self.common | case.settings, epochs=case.image_steps // (self.scenes * self.passes))


def make_cases(models, losses, image_steps):
    """Case of each of the models and, with the project's OWN, of each of the losses. image_steps: at most, of each."""
    settings = {name: (name, {}) for name in models} | {f"loss {loss}": (OWN, {"loss": loss}) for loss in losses}
    return tuple(Case(name, image_steps, model_settings(model) | values) for name, (model, values) in settings.items())


def model_settings(name):
    """Settings of a configuration that a model and the size of its input are."""
    architecture, backbone = MODELS[name]
    side = SIDES.get(name, SIDE)
    return {"architecture": architecture, "backbone": backbone, "height": side, "width": side}


SCALES = {
    "quick": Scale(4, 2, COMMON, make_cases((OWN, "pspnet-resnet18", "fcn8-resnet18", "unet-resnet18"),
                                            ("weighted+dice",), 16)),
    "paper": Scale(16, 8, COMMON, make_cases(MODELS, LOSSES, 4096)),
}


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_cases(SCALES[request.scale], request)


def run_cases(scale, request):
    """`run` at a Scale."""
    if len(request.data) != 1:
        raise ValueError(f"{len(request.data)} datasets are given: {NAME} takes its scenes from one, --data DIR")
    out, data, threads = Path(request.out), request.data[0], request.threads or 1
    samples, _, _ = split_samples(data)
    chosen = chosen_windows(samples, scale.scenes)
    configuration = configuration_of(scale, data, chosen)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    write_windows(out / "scenes", chosen)
    cases, faults = run_missing(out, scale.cases, lambda case: _task(scale, case, out, threads), request.workers)
    if not cases:
        return Outcome(None, faults)
    found = head(NAME, request.scale, configuration, faults, LIBRARIES) | {"cases": cases}
    for folder in filter(None, (out, request.results)):
        write_results(folder, found, markdown(found), figure(found))
    return Outcome(found, faults, (HEADINGS, cells(found)))


def configuration_of(scale, data, chosen):
    """dict for JSON: all that decides what comes out."""
    return {"dataset": Path(data).resolve().name, "limit_iou": LIMIT_IOU,
            "scenes": {sample.name: window for sample, window in chosen},
            "scenes_sha256": samples_sha256([sample for sample, _ in chosen], masks=True), "passes": scale.passes,
            "common": scale.common, "cases": describe_cases(scale.cases)}


def _task(scale, case, out, threads):
    config, folder = scale.config(case), run_folder(out, case)
    model = next(name for name, made_of in MODELS.items() if made_of == (config.architecture, config.backbone))
    seconds = case.image_steps * SECONDS[model]
    return Task(case.name, overfit, (folder, out / "scenes", config, scale.passes, threads, case_file(out, case)),
                weight=seconds, share=partial(run_share, folder), threads=threads)


HEADINGS = ["", "loss", "input", "parameters", "image steps", "mean IoU", "least class",
            *(f"{name} differs by" for name in RUNTIMES), "same pixels", "verdict"]


def verdict(found):
    """What a case came to, in words."""
    limits = LIMITS["fp32"]
    same = all(told["largest"] <= limits.largest and told["same_pixels"] >= limits.pixels
               for told in found["converted"].values())
    learnt = "learnt" if found["mean_iou"] >= LIMIT_IOU else "not learnt"
    return f"{learnt}, {'the same' if same else 'different'} once converted"


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS."""
    lines, configuration = [], document["configuration"]
    for name, found in document["cases"].items():
        config = TrainConfig(**configuration["common"] | configuration["cases"][name]["settings"])
        converted = [found["converted"][runtime] for runtime in RUNTIMES]
        lines.append([name, config.loss, f"{config.height} x {config.width}", f"{found['parameters']:,}",
                      f"{found['curve'][-1][0]:,}", f"{found['mean_iou']:.3f}", f"{min(found['iou'].values()):.3f}",
                      *(f"{told['largest']:.1e}" for told in converted),
                      f"{100 * min(told['same_pixels'] for told in converted):.4f} %", verdict(found)])
    return lines


def markdown(document):
    """README.md."""
    configuration, limits = document["configuration"], LIMITS["fp32"]
    count, passes = len(configuration["scenes"]), configuration["passes"]
    explanation = (f"Each row is a network trained from random values on the same {count} scenes without augmentation, "
                   f"until its mean IoU on them was {configuration['limit_iou']:g} or the image steps meant for it "
                   "were used up. Then it was converted, and compared with Keras on those scenes.")
    notes = ["Mean IoU is over the four classes, of all pixels of the scenes together, with the averaged weights (an "
             f"average over about ten steps), at the size of the network's input; least class is the lowest of the "
             f"four. It was looked at once in {count * passes} image steps. A row that begins with loss is {OWN} "
             "with another loss. Parameters are all values of the training model, auxiliary branch included.",
             "A scene is a square window of half the shorter side of a photo, enlarged or reduced to the input: that "
             "in which no class has less than an eighth of the pixels and the fewest pixels border on another class; "
             f"of the dataset's training photos, the {count} in which these are the smallest share. At inputs this "
             "small whole scenes have toes that are finer than the features at 1/16 and 1/32 can draw, whatever was "
             "learnt.",
             "Differs by: the largest difference of a probability to that of Keras, as a share of their range; same "
             f"pixels: those of the class that Keras gives, in the worse of the two. The same is within "
             f"{limits.largest:g}, and {100 * limits.pixels:g} % of the pixels."]
    table = markdown_table(HEADINGS, cells(document), texts=(0, 1, 2, len(HEADINGS) - 1))
    return page(document, TITLE, explanation, table, notes, f"{count} scenes")


def figure(document):
    """Mean IoU against image steps: PSPNets, the other models, and losses, a panel each."""
    curves = {name: found["curve"] for name, found in document["cases"].items()}
    losses = {"categorical" if name == OWN else name.removeprefix("loss "): curve
              for name, curve in curves.items() if name == OWN or name.startswith("loss ")}
    models = {name: curve for name, curve in curves.items() if not name.startswith("loss ")}
    panels = {"PSPNet": {name: curve for name, curve in models.items() if "pspnet" in name},
              "FCN and U-Net": {name: curve for name, curve in models.items() if "pspnet" not in name},
              f"losses of {OWN}": losses}
    return draw_curves(panels, "mean IoU on the training scenes", document["configuration"]["limit_iou"], "linear")
