"""What a keypoint training is made of, written into its run folder."""

import dataclasses
import json
from dataclasses import dataclass

from scenes.images import InputSpec

JOINTS = 4
STRIDE = 4  # input pixels per heatmap pixel of SimplePose
INPUT_MULTIPLE = 32  # five halvings in the backbone, three doublings after it
MEAN = (123.675, 116.28, 103.53)  # of ImageNet's RGB, in 0..255 units
STD = (58.395, 57.12, 57.375)
MODELS = ("simple_pose_resnet18_v1b", "simple_pose_resnet50_v1b")
FITS = ("letterbox", "stretch", "turn")
OPTIMIZERS = ("adam",)
SCHEDULES = ("cosine", "step")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the weights, but for the data.

    model: GluonCV's name. height, width: network input in pixels, multiples of 32. fit: how a photo of
    another shape enters (scenes.images.InputSpec). sigma_px: of the target peaks, in heatmap pixels.
    peak_weight: see keypoints.losses. learning_rate: after warm-up, which is linear over `warmup` (a share of
    all steps); then `schedule`: "cosine" down to 1 % of it, or "step" to a tenth after 60 % and again after
    85 %. average_decay: largest decay of the moving average of the weights, which is what is validated and
    kept. weights: file of parameters to start from, or None. pretrained: start from GluonCV's COCO weights (a
    download). Raises ValueError where a value is out of its range.
    """

    model: str = "simple_pose_resnet18_v1b"
    height: int = 256
    width: int = 192
    fit: str = "letterbox"
    sigma_px: float = 2.0
    peak_weight: float = 2.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    warmup: float = 0.03
    schedule: str = "cosine"
    average_decay: float = 0.999
    batch: int = 16
    epochs: int = 20
    augment: bool = True
    seed: int = 0
    weights: str | None = None
    pretrained: bool = False

    def __post_init__(self):
        for name, allowed in (
            ("model", MODELS),
            ("fit", FITS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of: {', '.join(allowed)}")
        for name in ("height", "width"):
            if getattr(self, name) <= 0 or getattr(self, name) % INPUT_MULTIPLE:
                raise ValueError(
                    f"input {name} is {getattr(self, name)}; it must be a multiple of {INPUT_MULTIPLE}"
                )
        for name in ("batch", "epochs", "sigma_px", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("warmup", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        if self.peak_weight < 0:
            raise ValueError(f"peak_weight is {self.peak_weight}; it must be 0 or more")
        if self.weights and self.pretrained:
            raise ValueError("weights and pretrained are both given; a network starts from one of them")

    @property
    def input_spec(self):
        """scenes.images.InputSpec of the network: size, fit, mean and standard deviation of RGB."""
        return InputSpec(self.height, self.width, self.fit, MEAN, STD)

    @property
    def heatmap_size(self):
        """(height, width) of the heatmaps."""
        return self.height // STRIDE, self.width // STRIDE

    def to_json(self):
        """dict of plain values; from_json gives the same configuration back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values):
        """Raises ValueError for a name that is no setting, so that a run of another version is not
        misread."""
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"unknown settings {', '.join(unknown)}; the run was made by another version")
        return cls(**values)

    def dumps(self):
        """The configuration as JSON text."""
        return json.dumps(self.to_json(), indent=2) + "\n"
