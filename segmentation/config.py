"""What a training run is made of: one frozen dataclass, saved as JSON with the run."""

from dataclasses import asdict, dataclass, fields
from math import ceil

from scenes.images import InputSpec

# Mean and standard deviation of ImageNet's RGB in 0..255 units. With them the ImageNet weights of keras.applications
# hold without the normalisation layers those models carry inside, which this project's networks leave out.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

# Input pixels per feature pixel where the encoder is cut: the thesis's 30x30 features of a 473x473 input.
OUTPUT_STRIDE = 16

OPTIMIZERS = ("adam", "sgd", "rmsprop")
AUGMENTATIONS = ("default", "none")
SKIPS = (0, 4, 8)


class ConfigError(ValueError):
    """A configuration that no network can be built from, or a run that was made with another one."""


@dataclass(frozen=True)
class TrainConfig:
    """A segmentation network and how it is trained.

    The size rule: any height and width fit whose features, ceil(side / 16), are at least as many as the largest pool
    has bins (pools 1-2-3-6: 81 pixels and more). Multiples of 16 are best: others are resized by a broken factor.

    Fields whose meaning is not their name:
        cut: the encoder's layer the pyramid stands on (see `segmentation.models.backbones`).
        pools: bins a side of each pyramid level.
        pool_channels: channels of each level; 0 is the PSPNet paper's feature channels / levels, the thesis's 15 M
            parameters for EfficientNetB0 are reached with 512.
        head_channels: channels of the 3x3 convolution over features and levels.
        skip: 0 is PSPNet as in the paper and the thesis; 4 or 8 adds a light decoder that joins the encoder's
            features at 1/4 or 1/8, so that outlines are not drawn from 1/16 features alone.
        fit, mean, std: how a photo becomes the network's input, see `scenes.images.InputSpec`.
        loss: name or sum of names of `segmentation.losses`, e.g. "weighted+dice".
        warmup_share: part of all steps in which the learning rate rises linearly.
        average_decay: of the moving average of the weights that validation and export use.
        init_weights: a run folder or `.weights.h5` file the whole network starts from; its input size may differ.
        encoder_weights: "imagenet", or a file in the format of keras.applications (without top), for the encoder.
    """

    architecture: str = "pspnet"
    backbone: str = "efficientnet_b0"
    cut: str = "block6a_expand_activation"
    pools: tuple[int, ...] = (1, 2, 3, 6)
    pool_channels: int = 0
    head_channels: int = 512
    skip: int = 0
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
    poly_power: float = 0.9
    warmup_share: float = 0.03
    average_decay: float = 0.99
    batch: int = 8
    epochs: int = 20
    seed: int = 0
    augmentation: str = "default"
    init_weights: str | None = None
    encoder_weights: str | None = None

    def __post_init__(self):
        check_size(self.height, self.width, self.pools)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("augmentation", self.augmentation, AUGMENTATIONS)
        _check_choice("skip", self.skip, SKIPS)
        for name in ("batch", "epochs", "head_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be 1 or more")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate {self.learning_rate}: must be above 0")
        if self.init_weights and self.encoder_weights:
            raise ConfigError("init_weights and encoder_weights both given: the first brings an encoder, leave one out")

    @property
    def input_spec(self) -> InputSpec:
        """How a photo becomes the input, as it goes into a bundle's manifest."""
        return InputSpec(self.height, self.width, self.fit, self.mean, self.std)

    def to_json(self) -> dict:
        """Plain JSON values; `from_json` is the inverse."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: dict) -> "TrainConfig":
        """Raises ConfigError for a field this version does not know."""
        unknown = set(document) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown configuration fields {sorted(unknown)}: the run is from another version")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in document.items()})


def feature_side(side: int) -> int:
    """Feature pixels along an input side: every one of the four stride-2 layers rounds up, so together they do."""
    return ceil(side / OUTPUT_STRIDE)


def check_size(height: int, width: int, pools: tuple[int, ...]) -> None:
    """Raises ConfigError, naming sizes that fit, if a pyramid level has more bins than there are features."""
    if not pools or min(pools) < 1:
        raise ConfigError(f"pools {pools}: at least one pool, each of 1 bin or more")
    bins = max(pools)
    for name, side in (("height", height), ("width", width)):
        if feature_side(max(side, 0)) < bins:
            smallest = OUTPUT_STRIDE * (bins - 1) + 1
            multiples = ", ".join(str(OUTPUT_STRIDE * k) for k in range(bins, bins + 4))
            raise ConfigError(
                f"{name} {side}: gives {feature_side(max(side, 0))} features at 1/{OUTPUT_STRIDE}, fewer than the "
                f"{bins} bins of the largest pool; {smallest} and more fit (best: {multiples}, ...), or smaller pools"
            )


def _check_choice(name: str, value, choices: tuple) -> None:
    if value not in choices:
        raise ConfigError(f"{name} {value!r}: must be one of {', '.join(map(str, choices))}")
