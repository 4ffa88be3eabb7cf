"""What a keypoint training is made of, written into its run folder."""

import dataclasses
import json
from dataclasses import dataclass

from keypoints.loss_settings import check_loss
from scenes.images import InputSpec
from scenes.labels import NAMES

CORNERS = 4  # of a sheet
STRIDE = 4  # input pixels per heatmap pixel, of every model that draws heatmaps
MEAN = (123.675, 116.28, 103.53)  # of ImageNet's RGB, in 0..255 units
STD = (58.395, 57.12, 57.375)
# Model -> what height and width of the input must be multiples of: its halvings.
INPUT_MULTIPLES = {
    "simple_pose_resnet18_v1b": 32,
    "simple_pose_resnet50_v1b": 32,
    "hourglass": 16,
    "pyramid_resnet18_v1b": 32,
    "regression_resnet18_v1b": 32,
}
MODELS = tuple(INPUT_MULTIPLES)
REGRESSION_MODELS = ("regression_resnet18_v1b",)
PRETRAINED_MODELS = tuple(name for name in MODELS if name.endswith("_v1b"))  # GluonCV has weights for these
SHARED_MAPS = 3  # corners seen, covered, outside the photo
SHEET_MAPS = SHARED_MAPS + 1  # and after them the sheet's interior, in logits
CHANNELS = {"rgb": 3, "mask": len(NAMES)}
CHOICES = {
    "model": MODELS,
    "maps": ("each", "shared", "sheet"),
    "input": tuple(CHANNELS),
    "fit": ("letterbox", "stretch", "turn"),
    "loss": ("l2", "focal", "ohkm", "slope", "visibility_l2"),
    "optimizer": ("adam", "sgd"),
    "schedule": ("cosine", "step", "poly", "plateau"),
}
ABOVE_ZERO = ("joints", "stacks", "filters", "batch", "epochs", "sigma_px", "learning_rate", "focal_threshold",
              "ohkm_hardest", "plateau_factor", "plateau_patience")
NOT_NEGATIVE = ("peak_weight", "focal_low", "focal_high", "slope_weight", "covered_weight",
                "interior_weight", "weight_decay", "clip_norm", "early_stopping")
BELOW_ONE = ("warmup", "average_decay", "plateau_factor")
# Setting -> (the setting that it goes with, the value of that one): with another value it would do nothing.
BELONGS_TO = {
    "stacks": ("model", "hourglass"),
    "filters": ("model", "hourglass"),
    "focal_threshold": ("loss", "focal"),
    "focal_low": ("loss", "focal"),
    "focal_high": ("loss", "focal"),
    "ohkm_hardest": ("loss", "ohkm"),
    "slope_weight": ("loss", "slope"),
    "covered_weight": ("loss", "visibility_l2"),
    "interior_weight": ("maps", "sheet"),
    "plateau_factor": ("schedule", "plateau"),
    "plateau_patience": ("schedule", "plateau"),
}
OF_PEAKS = ("sigma_px", "peak_weight")  # of all models but regressions


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the weights, but for the data.

    Network. model: one of MODELS. joints: keypoints of a sample; 4 are the corners of a sheet. maps: "each", a
    heatmap a keypoint; "shared", three for corners seen, covered and outside the photo; or "sheet", those and a fourth
    of where the sheet is, covered or not. input: "rgb", or "mask",
    the four classes of the dataset's masks, one channel each. stacks, filters: of the hourglass. height, width:
    network input in pixels, multiples of INPUT_MULTIPLES[model]. fit: how a photo of another shape enters
    (scenes.images.InputSpec).

    Loss, see keypoints.losses. sigma_px: of the target peaks, in heatmap pixels. peak_weight: of every loss on
    heatmaps. focal_threshold, focal_low, focal_high: of "focal". ohkm_hardest: of "ohkm". slope_weight: of "slope".
    covered_weight: of "visibility_l2". interior_weight: of the fourth map of "sheet".

    Optimizer. learning_rate: after warm-up, which is linear over `warmup` (a share of all steps); then `schedule`, see
    keypoints.schedules, with plateau_factor and plateau_patience (epochs) for "plateau". weight_decay: of L2 on the
    weights. clip_norm: largest norm of all gradients together, 0 for any. early_stopping: end after so many epochs
    without a better validation, 0 for never. average_decay: largest decay of the moving average of the weights, which
    is what is validated and kept.

    weights: file of parameters to start from, or None. pretrained: start from GluonCV's weights (a download).
    Raises ValueError where a value is out of its range, or does not go with another.
    """

    model: str = "simple_pose_resnet18_v1b"
    joints: int = CORNERS
    maps: str = "each"
    input: str = "rgb"
    stacks: int = 2
    filters: int = 128
    height: int = 256
    width: int = 192
    fit: str = "letterbox"
    sigma_px: float = 2.0
    loss: str = "l2"
    peak_weight: float = 2.0
    focal_threshold: float = 0.1
    focal_low: float = 0.1
    focal_high: float = 1.0
    ohkm_hardest: int = 3
    slope_weight: float = 0.1
    covered_weight: float = 2.0
    interior_weight: float = 1.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    warmup: float = 0.03
    schedule: str = "cosine"
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    early_stopping: int = 0
    average_decay: float = 0.999
    batch: int = 16
    epochs: int = 20
    augment: bool = True
    seed: int = 0
    weights: str | None = None
    pretrained: bool = False

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of: {', '.join(allowed)}")
        self._check_ranges()
        self._check_size()
        self._check_combinations()

    def _check_ranges(self):
        for name in ABOVE_ZERO:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name in BELOW_ONE:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        if self.filters % 2:
            raise ValueError(f"filters is {self.filters}; it must be even: a bottleneck has half of them inside")

    def _check_size(self):
        multiple = INPUT_MULTIPLES[self.model]
        for name in ("height", "width"):
            side = getattr(self, name)
            if side <= 0 or side % multiple:
                below, above = (max(multiple, side // multiple * multiple + more) for more in (0, multiple))
                raise ValueError(f"input {name} is {side}; for {self.model} it must be a multiple of {multiple}: "
                                 f"choose {below} or {above}")

    def _check_combinations(self):
        for field in dataclasses.fields(self):
            other, value = BELONGS_TO.get(field.name, (None, None))
            if other and getattr(self, field.name) != field.default and getattr(self, other) != value:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}, and {other} is "
                                 f"{getattr(self, other)!r}; it goes with {other} {value!r} alone: choose that, or "
                                 f"leave {field.name} out")
        if self.maps != "each" and (self.is_regression or self.joints != CORNERS):
            raise ValueError(f"maps is {self.maps!r} with model {self.model} and joints {self.joints}; it is for "
                             f"models that draw heatmaps of {CORNERS} corners: choose maps 'each'")
        for field in dataclasses.fields(self):
            if self.is_regression and field.name in OF_PEAKS and getattr(self, field.name) != field.default:
                raise ValueError(f"{field.name} is {getattr(self, field.name)} with model {self.model}, which draws no "
                                 f"peaks: leave {field.name} out, or choose a model that draws heatmaps")
        check_loss(self)
        if self.weights and self.pretrained:
            raise ValueError("weights and pretrained are both given; a network starts from one of them")
        if self.pretrained and self.model not in PRETRAINED_MODELS:
            raise ValueError(f"pretrained is given with model {self.model}, which GluonCV has no weights for; choose "
                             f"one of {', '.join(PRETRAINED_MODELS)}, or start from random values")
        if self.pretrained and self.input != "rgb":
            raise ValueError("pretrained is given with input 'mask'; GluonCV's weights are for photos: choose input "
                             "'rgb', or start from random values")

    @property
    def is_regression(self):
        """Whether the network gives coordinates in place of heatmaps."""
        return self.model in REGRESSION_MODELS

    @property
    def channels(self):
        """Of the network's input."""
        return CHANNELS[self.input]

    @property
    def outputs(self):
        """Channels that the network gives: heatmaps, or coordinates."""
        if self.is_regression:
            return 2 * self.joints
        return {"each": self.joints, "shared": SHARED_MAPS, "sheet": SHEET_MAPS}[self.maps]

    @property
    def peaks(self):
        """How many of the outputs are heatmaps with peaks: the first ones."""
        return SHARED_MAPS if self.maps == "sheet" else self.outputs

    @property
    def input_spec(self):
        """scenes.images.InputSpec of the network: size, fit, mean and standard deviation of RGB; a mask's classes
        have none."""
        if self.input == "mask":
            return InputSpec(self.height, self.width, self.fit)
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
        """A setting that is not there has its default, which is what was before there was a choice. Raises ValueError
        for a name that is no setting, so that a run of another version is not misread."""
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"unknown settings {', '.join(unknown)}; the run was made by another version")
        return cls(**values)

    def dumps(self):
        """The configuration as JSON text."""
        return json.dumps(self.to_json(), indent=2) + "\n"
