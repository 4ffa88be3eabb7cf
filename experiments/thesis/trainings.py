"""Every training of the thesis, once: what its tables and figures are made of.

Settings are the thesis's own, with its sizes and epochs (scale `paper`); where it names none, ours are, and `CHOSEN`
says which. Scale `quick` takes less of everything, and no ImageNet weights. The same weights, data and
seed stand behind every table that uses a training: it is done once.
"""

from dataclasses import dataclass, field

# What the thesis does not say, and what is taken for it.
CHOSEN = (
    "SGD: base rate 0.01 with momentum 0.9, as the PSPNet paper has it. Batch, epochs and schedule of the base model: "
    "those of the others. The poly schedule's power: 0.9.",
    "RMSProp, rate, schedule, batch and epochs are named with the pools; they are taken for all that follow. So is "
    "augmentation, for the losses.",
    "Channels of a pyramid's level, of the convolution behind it and of the auxiliary branch: 512, with which the "
    "parameters come out that are printed.",
    "Dropout 0.1 before the classifier, as the PSPNet paper has it.",
    "Photos are stretched to the square input.",
    "SimplePose: rate 0.001, and the schedule and batch of the hourglass. It begins with random values, as the "
    "hourglass does: GluonCV's weights, with which the thesis begins, are for photos, and the input is a map of "
    "classes, a channel each.",
    "A corner's Gaussian: 2 pixels of the heatmap, as GluonCV has it; the smaller one 1. The hourglass's rate: 0.001.",
    "Losses on heatmaps count pixels of a peak up to three times, the L2 loss too: flat maps are left sooner.",
    "Focal loss on heatmaps: a pixel counts a tenth where it is off by less than 0.1 of a peak. Focal loss on pixels: "
    "gamma 2.",
    "No average of the weights, and those of the last epoch are judged.",
)


@dataclass(frozen=True)
class Training:
    """name: of files and of the report's rows. kind: "pixels" or "corners". label: in the report. settings: of the
    configuration at scale `paper`, beside those of its kind; of pixels "model" and "normalisation" are names as on the
    command line. seeds: how many trainings at most."""

    name: str
    kind: str
    label: str
    settings: dict = field(default_factory=dict)
    seeds: int | None = None


@dataclass(frozen=True)
class Scale:
    """common: {kind: settings of all trainings of it}. instead: settings that take the place of a training's own,
    where it has one of the name. scenes: {kind: training scenes used at most; None: all}. alike: use only scenes that
    are like the thesis's photos (`experiments.thesis.scenes`). seeds: trainings of each. told: for readers, by how much
    it is less than the thesis's."""

    common: dict
    instead: dict
    scenes: dict
    alike: bool
    seeds: int
    told: str

    def instead_of(self, settings):
        """Those of its settings that take the place of some of these: dict."""
        return {name: value for name, value in self.instead.items() if name in settings}

    def config(self, training, seed):
        """Configuration of a Training with a seed: a TrainConfig of segmentation.config or of keypoints.config."""
        return (pixel_config if training.kind == "pixels" else corner_config)(self, training, seed)


def pixel_config(scale, training, seed):
    """segmentation.config.TrainConfig of a Training at a Scale."""
    from segmentation.config import NORMALISATIONS, THESIS_FORM, TrainConfig
    from segmentation.models.taps import MODELS

    settings = dict(training.settings)
    architecture, backbone = MODELS[settings.pop("model")]
    mean, std = NORMALISATIONS[settings.pop("normalisation")]
    if architecture == "pspnet":
        settings |= THESIS_FORM
    return TrainConfig(architecture=architecture, backbone=backbone, mean=mean, std=std, seed=seed,
                       **scale.common["pixels"] | settings | scale.instead_of(settings))


def corner_config(scale, training, seed):
    """keypoints.config.TrainConfig of a Training at a Scale."""
    from keypoints.config import TrainConfig

    settings = training.settings
    return TrainConfig(**scale.common["corners"] | settings | scale.instead_of(settings), seed=seed)


def _pixels(name, label, model, loss="categorical", normalisation="mean", seeds=None, **settings):
    return Training(name, "pixels", label, {"model": model, "normalisation": normalisation, "loss": loss,
                                            "encoder_weights": "imagenet", **settings}, seeds)


def _corners(name, label, model, **settings):
    return Training(name, "corners", label, {"model": model, **settings})


FROZEN = {"frozen_blocks": 2, "normalisation": "unit"}
EFFICIENT = "pspnet-efficientnetb"
R18, R50, HOURGLASS = "simple_pose_resnet18_v1b", "simple_pose_resnet50_v1b", "hourglass"
TRAININGS = {training.name: training for training in (
    _pixels("base", "PSPNet ResNet101, SGD", "pspnet-resnet101", optimizer="sgd", learning_rate=1e-2, seeds=1),
    _pixels("resnet50-1236", "ResNet50 1236", "pspnet-resnet50"),
    _pixels("resnet50-1238", "ResNet50 1238", "pspnet-resnet50", pools=(1, 2, 3, 8)),
    _pixels("resnet50-1356", "ResNet50 1356", "pspnet-resnet50", pools=(1, 3, 5, 6)),
    _pixels("resnet50-frozen-1356", "ResNet50 1356, frozen, 0 to 1", "pspnet-resnet50", pools=(1, 3, 5, 6), **FROZEN),
    _pixels("efficientnetb0", "EfficientNetB0", EFFICIENT + "0", **FROZEN),
    _pixels("efficientnetb3", "EfficientNetB3", EFFICIENT + "3", **FROZEN),
    _pixels("efficientnetb5", "EfficientNetB5", EFFICIENT + "5", **FROZEN),
    _pixels("efficientnetb4", "EfficientNetB4", EFFICIENT + "4", **FROZEN),
    _pixels("efficientnetb4-augmented", "EfficientNetB4, augmented", EFFICIENT + "4", augmentation="thesis", **FROZEN),
    _pixels("efficientnetb5-augmented", "EfficientNetB5, augmented", EFFICIENT + "5", augmentation="thesis", **FROZEN),
    _pixels("efficientnetb4-weighted", "EfficientNetB4, augmented, weighted", EFFICIENT + "4", "weighted",
            augmentation="thesis", **FROZEN),
    _pixels("efficientnetb4-focal", "EfficientNetB4, augmented, focal", EFFICIENT + "4", "focal",
            augmentation="thesis", **FROZEN),
    _pixels("fcn8-resnet50", "FCN-8 ResNet50", "fcn8-resnet50"),
    _pixels("unet-resnet50", "U-Net ResNet50", "unet-resnet50"),
    _corners("simplepose-resnet18", "SimplePose ResNet18", R18),
    _corners("hourglass", "hourglass", HOURGLASS),
    _corners("hourglass-focal", "hourglass, focal", HOURGLASS, loss="focal"),
    _corners("hourglass-rgb", "hourglass, RGB input", HOURGLASS, input="rgb"),
    _corners("hourglass-ohkm", "hourglass, OHKM", HOURGLASS, loss="ohkm"),
    _corners("simplepose-resnet50", "SimplePose ResNet50", R50),
    _corners("simplepose-small-gaussian", "SimplePose ResNet18, smaller Gaussian", R18, sigma_px=1.0),
    _corners("hourglass-slope", "hourglass, slopes", HOURGLASS, loss="slope"),
    _corners("hourglass-visibility", "hourglass, covered corners count twice", HOURGLASS, loss="visibility_l2"),
    _corners("pyramid", "pyramid with the sheet's inside", "pyramid_resnet18_v1b", maps="sheet"),
    _corners("regression", "coordinates, no heatmaps", "regression_resnet18_v1b"),
)}  # fmt: skip

_PLAIN = {"average_decay": 0.0, "batch": 8, "fit": "stretch"}
_PIXELS = _PLAIN | {"optimizer": "rmsprop", "learning_rate": 1e-3, "schedule": "poly", "warmup_share": 0.0,
                    "augmentation": "none"}
_CORNERS = _PLAIN | {"input": "mask", "augment": False, "optimizer": "adam", "learning_rate": 1e-3, "warmup": 0.0}
SCALES = {
    "quick": Scale(
        {"pixels": _PIXELS | {"height": 128, "width": 128, "epochs": 10},
         "corners": _CORNERS | {"height": 128, "width": 96, "epochs": 10, "schedule": "cosine"}},
        # Without ImageNet's weights there is nothing to freeze, and narrow pyramids cost half.
        {"encoder_weights": None, "frozen_blocks": 0, "pool_channels": 0, "auxiliary_channels": 128},
        {"pixels": 640, "corners": 1000}, True, 3,
        "Networks begin with random values, and nothing is frozen: there were no ImageNet or COCO weights. Pixels: 640 "
        "scenes in place of 4,870 photos, 128 x 128 in place of 473 x 473, a quarter to a half of the channels in "
        "pyramid and auxiliary branch, the same 10 epochs. Corners: 1,000 scenes in place of 4,371, 128 x 96 in place "
        "of 256 x 192, 10 epochs in place of 50, and a cosine in place of the plateau, which would hardly begin."),
    "paper": Scale(
        {"pixels": _PIXELS | {"height": 473, "width": 473, "epochs": 10},
         "corners": _CORNERS | {"height": 256, "width": 192, "epochs": 50, "schedule": "plateau"}},
        {}, {"pixels": None, "corners": None}, False, 1,
        "The thesis's sizes and epochs, on all scenes of the datasets that were given."),
}  # fmt: skip
