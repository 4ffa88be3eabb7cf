"""What a training run is made of: one frozen dataclass, saved as JSON with the run."""

from dataclasses import asdict, dataclass, fields
from math import ceil

from scenes.images import InputSpec
from segmentation.models.taps import BACKBONES
from segmentation.schedules import SCHEDULES

# Mean and standard deviation of ImageNet's RGB in 0..255 units. With them the ImageNet weights of keras.applications
# hold without the normalisation layers those models carry inside, which this project's networks leave out.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

# Name of a normalisation -> mean and standard deviation, of which a configuration and its bundle keep the numbers:
# ImageNet's, its mean alone, and 0 to 1.
NORMALISATIONS = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "mean": (IMAGENET_MEAN, (1.0, 1.0, 1.0)),
    "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
}

# Channels with which the counts that the thesis prints come out; it names none.
THESIS_FORM = {"pool_channels": 512, "auxiliary_channels": 512}

# Input pixels per pixel of the deepest features; None: as its backbone is cut, see `segmentation.models.taps`.
STRIDES = {"pspnet": None, "fast_pspnet": 32, "fcn32": 32, "fcn16": 32, "fcn8": 32, "unet": 16}
# The sides of the input are to be multiples of this: features of one size are added to those of twice the size.
MULTIPLES = {"fast_pspnet": 32}
# Fields that not every architecture reads; with the others they must keep their default.
READ_BY = {
    "cut": ("pspnet",),
    "skip": ("pspnet",),
    "auxiliary_channels": ("pspnet",),
    "pools": ("pspnet", "fast_pspnet"),
    "pool_channels": ("pspnet", "fast_pspnet"),
    "head_channels": ("pspnet", "fcn32", "fcn16", "fcn8"),
}
# keras.applications builds nothing smaller.
SMALLEST_SIDE = 32

OPTIMIZERS = ("adam", "sgd", "rmsprop")
AUGMENTATIONS = ("default", "thesis", "none")
SKIPS = (0, 4, 8)


class ConfigError(ValueError):
    """A configuration that no network can be built from, or a run that was made with another one."""


@dataclass(frozen=True)
class TrainConfig:
    """A segmentation network and how it is trained.

    The size rule: any height and width from 32 fit; those of a network with pools, if the features they give,
    ceil(side / stride), are at least as many as the largest pool has bins (pools 1-2-3-6 at 1/16: 81 pixels and more).
    Multiples of the stride are best: others are resized by a broken factor. Of fast_pspnet multiples of 32 alone, with
    the same pools from 192. `size_rule` says it of one configuration.

    Fields whose meaning is not their name:
        cut: the encoder's layer the pyramid stands on (see `segmentation.models.taps`); "" is the backbone's first,
            and what naming that one becomes.
        pools: bins a side of each pyramid level.
        pool_channels: channels of each level; 0 is the PSPNet paper's feature channels / levels.
        head_channels: channels of the 3x3 convolution over features and levels, or over an FCN's features.
        auxiliary_channels: of the auxiliary branch's 3x3 convolution. The parameters that the thesis prints are
            reached with 512 here and as pool_channels.
        skip: 0 is PSPNet as in the paper and the thesis; 4 or 8 adds a light decoder that joins the encoder's
            features at 1/4 or 1/8, so that outlines are not drawn from 1/16 features alone.
        frozen_blocks: the first so many blocks of the encoder are not trained, BatchNorm's statistics included; of
            use only with weights to start from. A stem counts as a block in ResNets, and with block 1 in EfficientNets.
        fit, mean, std: how a photo becomes the network's input, see `scenes.images.InputSpec`; mean and std as one of
            `NORMALISATIONS` has them, or others.
        loss: name or sum of names of `segmentation.losses`, e.g. "weighted+dice".
        schedule: of the learning rate, see `segmentation.schedules`.
        warmup_share: part of all steps in which the learning rate rises linearly.
        average_decay: of the moving average of the weights that validation and export use.
        augmentation: "default", as `scenes.augment.AugmentConfig` is; "thesis", its three changes alone; "none".
        patience: training ends after so many epochs without a better validation mean IoU; 0: never.
        init_weights: a run folder or `.weights.h5` file the whole network starts from; its input size may differ.
        encoder_weights: "imagenet", or a file in the format of keras.applications (without top), for the encoder; for
            resnet18 a `.params` file of GluonCV's resnet18_v1b or of a corner network on it.
    """

    architecture: str = "pspnet"
    backbone: str = "efficientnet_b0"
    cut: str = ""
    pools: tuple[int, ...] = (1, 2, 3, 6)
    pool_channels: int = 0
    head_channels: int = 512
    auxiliary_channels: int = 128
    skip: int = 0
    frozen_blocks: int = 0
    dropout: float = 0.1
    drop_connect: float = 0.0
    batchnorm_momentum: float = 0.95
    height: int = 240
    width: int = 240
    fit: str = "letterbox"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    loss: str = "categorical"
    auxiliary_weight: float = 0.4
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "poly"
    poly_power: float = 0.9
    warmup_share: float = 0.03
    average_decay: float = 0.99
    batch: int = 8
    epochs: int = 20
    patience: int = 0
    seed: int = 0
    augmentation: str = "default"
    init_weights: str | None = None
    encoder_weights: str | None = None

    def __post_init__(self):
        _check_choice("architecture", self.architecture, tuple(STRIDES))
        _check_choice("backbone", self.backbone, tuple(BACKBONES))
        self._check_read()
        self._check_encoder()
        check_size(self.height, self.width, *self.size_rule)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("schedule", self.schedule, tuple(SCHEDULES))
        _check_choice("augmentation", self.augmentation, AUGMENTATIONS)
        _check_choice("skip", self.skip, SKIPS)
        for name in ("batch", "epochs", "head_channels", "auxiliary_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be 1 or more")
        if self.patience < 0:
            raise ConfigError(f"patience {self.patience}: must be 0 (never stop early) or more epochs")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate {self.learning_rate}: must be above 0")
        if self.init_weights and self.encoder_weights:
            raise ConfigError("init_weights and encoder_weights both given: the first brings an encoder, leave one out")

    def _check_read(self) -> None:
        for name, architectures in READ_BY.items():
            default = getattr(type(self), name)
            if self.architecture not in architectures and getattr(self, name) != default:
                raise ConfigError(f"{name} {getattr(self, name)!r}: is for {', '.join(architectures)}; leave it out of "
                                  f"{self.architecture}")

    def _check_encoder(self) -> None:
        taps = BACKBONES[self.backbone]
        if self.cut and self.cut not in taps.cuts:
            raise ConfigError(f"cut {self.cut!r}: {self.backbone} can be cut at {', '.join(taps.cuts)}")
        if self.cut == taps.cuts[0]:
            object.__setattr__(self, "cut", "")  # one network, one configuration
        if not 0 <= self.frozen_blocks <= len(taps.blocks):
            raise ConfigError(f"frozen_blocks {self.frozen_blocks}: {self.backbone} has {len(taps.blocks)} blocks, "
                              f"give 0 to {len(taps.blocks)}")

    @property
    def size_rule(self) -> tuple[tuple[int, ...], int, int]:
        """(pools, stride, multiple) for `check_size`; without a pyramid there need be one feature."""
        pools = self.pools if self.architecture in READ_BY["pools"] else (1,)
        stride = STRIDES[self.architecture] or BACKBONES[self.backbone].stride
        return pools, stride, MULTIPLES.get(self.architecture, 1)

    @property
    def input_spec(self) -> InputSpec:
        """How a photo becomes the input, as it goes into a bundle's manifest."""
        return InputSpec(self.height, self.width, self.fit, self.mean, self.std)

    def to_json(self) -> dict:
        """Plain JSON values; `from_json` is the inverse."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: dict) -> "TrainConfig":
        """Fields that are missing have their default, and those that the architecture does not read get theirs: earlier
        versions stored another. Raises ConfigError for a field this version does not know."""
        architecture = document.get("architecture", cls.architecture)
        document = {name: value for name, value in document.items()
                    if architecture in READ_BY.get(name, (architecture,))}
        unknown = set(document) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown configuration fields {sorted(unknown)}: the run is from another version")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in document.items()})


def feature_side(side: int, stride: int = 16) -> int:
    """Feature pixels along an input side: every one of the stride-2 layers rounds up, so together they do."""
    return ceil(side / stride)


def check_size(height: int, width: int, pools: tuple[int, ...], stride: int = 16, multiple: int = 1) -> None:
    """Raises ConfigError, naming sizes that fit, if a pyramid level has more bins than there are features, or a side
    is no multiple of `multiple`, or too small for any encoder."""
    if not pools or min(pools) < 1:
        raise ConfigError(f"pools {pools}: at least one pool, each of 1 bin or more")
    bins = max(pools)
    smallest, best = sizes_that_fit(pools, stride, multiple)
    multiples = ", ".join(map(str, best))
    for name, side in (("height", height), ("width", width)):
        if side < SMALLEST_SIDE:
            raise ConfigError(f"{name} {side}: no encoder takes less than {SMALLEST_SIDE}; {smallest} and more fit "
                              f"(best: {multiples}, ...)")
        if feature_side(side, stride) < bins:
            raise ConfigError(
                f"{name} {side}: gives {feature_side(side, stride)} features at 1/{stride}, fewer than the "
                f"{bins} bins of the largest pool; {smallest} and more fit (best: {multiples}, ...), or smaller pools"
            )
        if side % multiple:
            raise ConfigError(f"{name} {side}: must be a multiple of {multiple}, as are {multiples}, ...")


def sizes_that_fit(pools: tuple[int, ...], stride: int = 16, multiple: int = 1) -> tuple[int, list[int]]:
    """(smallest side, four sides that are best), in pixels, of a network with a `TrainConfig.size_rule`."""
    smallest = max(stride * (max(pools) - 1) + 1, SMALLEST_SIDE)
    smallest = multiple * ceil(smallest / multiple)
    first = ceil(smallest / stride)
    return smallest, [stride * k for k in range(first, first + 4)]


def _check_choice(name: str, value, choices: tuple) -> None:
    if value not in choices:
        raise ConfigError(f"{name} {value!r}: must be one of {', '.join(map(str, choices))}")
