"""Which foot is the left one: a small network that looks at one foot, upright and at a known scale.

Left and right are mirror images of each other, and no turn makes one of the other. A network that labels the pixels of
a photo held at any angle has to find out how the foot lies before it can tell; the crops of `scenes.crops` take that
away: what remains is a foot with its toes up or down. The network is trained on crops of true masks that are damaged
as a network's masks are.

Input: uint8 (N, size, size, 4), RGB and mask 0..255, as `scenes.crops.foot_crop` gives them. Output: probabilities
float32 (N, 2) of `SIDES`.
"""

import math
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from scenes.augment import UNKNOWN, AugmentConfig, augment
from scenes.crops import OUTSIDE_GREY, foot_crop, upright
from scenes.dataset import SIDE_CLASSES, Sample
from scenes.images import InputSpec
from scenes.sheet import FORMATS, corners_mm, homography, transform
from segmentation import loader
from segmentation.config import IMAGENET_MEAN, IMAGENET_STD, ConfigError
from segmentation.network import CONFIG_FILE, read_config_document, weights_file
from segmentation.run_folder import LOG_FILE, RunFolder
from segmentation.schedules import poly
from segmentation.train import WHERE, Log, Trainer, TrainingError, progress_bar

SIDES = ("left", "right")  # order of the outputs

# Feet of fewer mask pixels are not looked at: at the edge of the photo, or too far away to have toes.
MIN_FOOT_PX = 150

# Crops that are trained on are kept finer and wider than the network's, so that turning and moving them neither blurs
# them nor brings in what is not there.
SOURCE_PX = 160
SOURCE_SPAN_MM = 400.0

# Changes of the look alone; the geometry of a crop is this module's own.
LOOK = AugmentConfig(
    flip_share=0, rotation_deg=0, any_turn_share=0, zoom_out=0, zoom_in=0, shift=0, aspect=0, perspective=0,
    cut_off_share=0, print_share=0, clutter_share=0, occluder_share=0,
    motion_px=4.0, blur_sigma_px=1.2, coarse_factor=2.0,
)  # fmt: skip


@dataclass(frozen=True)
class SideConfig:
    """The network for the side and how it is trained.

    Fields whose meaning is not their name:
        size_px, span_mm: of the crops, see `scenes.crops.foot_crop`.
        mean, std: per input channel, in 0..255 units: normalised = (x - mean) / std. The mask becomes 0..1.
        channels: of the convolutions; each halves height and width.
        average_decay: of the moving average of the weights that validation and export use.
    """

    size_px: int = 96
    span_mm: float = 320.0
    mean: tuple[float, ...] = (*IMAGENET_MEAN, 0.0)
    std: tuple[float, ...] = (*IMAGENET_STD, 255.0)
    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    dropout: float = 0.2
    label_smoothing: float = 0.02
    learning_rate: float = 2e-3
    poly_power: float = 0.9
    warmup_share: float = 0.05
    average_decay: float = 0.99
    batch: int = 32
    epochs: int = 30
    seed: int = 0

    def __post_init__(self):
        for name in ("batch", "epochs", "size_px"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be 1 or more")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate {self.learning_rate}: must be above 0")

    def to_json(self) -> dict:
        """Plain JSON values; `from_json` is the inverse."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: dict) -> "SideConfig":
        """Raises ConfigError for a field this version does not know."""
        unknown = set(document) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown configuration fields {sorted(unknown)}: no run of train-side of this version")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in document.items()})


@dataclass(frozen=True)
class SideAugmentation:
    """How crops are changed in training; shares are probabilities, lengths are millimetres."""

    turn_deg: float = 20.0  # beside the half turn of every second crop
    scale: tuple[float, float] = (0.85, 1.2)  # log-uniform
    shift_mm: float = 28.0
    stretch: float = 0.12  # one axis against the other, and as much of shear: corners that are off, parallax
    perspective: float = 0.12  # change of scale from the middle of the crop to its border
    cut_share: float = 0.4  # the mask ends before the ankle ...
    cut: float = 0.35  # ... by up to this part of its length
    leg_share: float = 0.3  # the mask goes on into the leg ...
    leg_mm: float = 90.0  # ... by up to this
    outline_share: float = 0.8  # the mask is blurred and cut at another level
    outline_mm: float = 14.0  # most of that blur's sigma
    bites: int = 4  # most discs added to or taken from the mask
    bite_mm: float = 22.0  # largest radius of one
    no_mask_share: float = 0.05  # a mask of nothing: the picture has to do alone


@dataclass(frozen=True)
class Foot:
    """One foot of a dataset: crop uint8 (s, s, 4), toes up where the dataset tells; side an index into `SIDES`."""

    crop: np.ndarray
    side: int
    view: str


def build_side(config: SideConfig) -> keras.Model:
    """Normalised crops float32 (N, size, size, 4) -> probabilities float32 (N, 2) in the order of `SIDES`.

    One small network scores how left a crop looks and how left its mirror image does, and the softmax is of the two: a
    mirrored crop has the mirrored answer by construction, and what says nothing of the side (light, skin, floor) cannot
    speak for either. The score keeps where in the crop something is, as the foot is always in the same place.
    """
    keras.utils.set_random_seed(config.seed)
    image = keras.Input((config.size_px, config.size_px, 4), name="image")
    score = _score_network(config)
    mirrored = image[:, :, ::-1]
    scores = keras.layers.Concatenate(name="scores")([score(image), score(mirrored)])
    return keras.Model(image, keras.layers.Softmax(name="side")(scores), name="side")


def _score_network(config: SideConfig) -> keras.Model:
    """Normalised crops -> float32 (N, 1)."""
    crop = x = keras.Input((config.size_px, config.size_px, 4), name="crop")
    for number, channels in enumerate(config.channels, start=1):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False, name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(momentum=0.95, epsilon=1e-3, name=f"norm_{number}")(x)
        x = keras.layers.ReLU(name=f"relu_{number}")(x)
    x = keras.layers.Flatten(name="places")(x)
    x = keras.layers.Dropout(config.dropout, seed=config.seed, name="dropout")(x)
    # Without a bias: it would cancel between a crop and its mirror image.
    return keras.Model(crop, keras.layers.Dense(1, use_bias=False, name="score")(x), name="left_score")


def load_side(run: Path) -> tuple[keras.Model, SideConfig]:
    """The trained network of a run folder with the averaged weights of its best epoch, and its configuration.

    Raises:
        ConfigError: if the folder is no run of `train_side` or has no weights yet.
    """
    config = SideConfig.from_json(read_config_document(Path(run), "train-side")["train"])
    model = build_side(config)
    model.load_weights(weights_file(Path(run)))
    return model, config


def predict_side(model: keras.Model, config: SideConfig, crops: np.ndarray) -> np.ndarray:
    """Probabilities float32 (N, 2), left and right, of crops uint8 (N, size, size, 4).

    A crop may have its toes up or down; the network is asked both ways and the answers are averaged.

    Raises:
        ValueError: for another type or size.
    """
    expected = (config.size_px, config.size_px, 4)
    if crops.dtype != np.uint8 or crops.shape[1:] != expected:
        raise ValueError(f"crops {crops.dtype} {crops.shape}: must be uint8 (N, {', '.join(map(str, expected))})")
    normalised = (crops.astype(np.float32) - np.float32(config.mean)) / np.float32(config.std)
    both = [model(turned, training=False).numpy() for turned in (normalised, normalised[:, ::-1, ::-1])]
    return (both[0] + both[1]) / 2


# Data


def read_feet(samples: list[Sample], size_px: int, span_mm: float, threads: int = 1) -> list[Foot]:
    """The crops of all feet that are large enough, cut by the dataset's own masks and corners.

    Samples without `attributes.sheet` are left out: how large the sheet is has to be known.

    Raises:
        loader.DataError, scenes.dataset.DatasetError: if a photo or mask is missing or does not fit.
    """
    told = [sample for sample in samples if "sheet" in sample.attributes and sample.attributes.get("feet")]
    feet = []
    # A few at a time: whole photos are not kept.
    for start in range(0, len(told), 64):
        for pixels in loader.read_pixels(told[start : start + 64], threads):
            feet += _feet_of(pixels, size_px, span_mm)
    return feet


def _feet_of(pixels: loader.Pixels, size_px: int, span_mm: float) -> list[Foot]:
    sample = pixels.sample
    sheet = sample.attributes["sheet"]
    sheet_to_image = homography(corners_mm(FORMATS[sheet["format"]], sheet["long_side"]), sample.corners)
    feet = []
    for side, name in enumerate(SIDES):
        region = _largest_part(pixels.mask == SIDE_CLASSES[name])
        if np.count_nonzero(region) < MIN_FOOT_PX:
            continue
        crop = foot_crop(pixels.rgb, region, sheet_to_image, size_px, span_mm)
        told = next((foot for foot in sample.attributes["feet"] if foot["side"] == name), {})
        if _toes_down(told, region, sheet_to_image):
            crop = crop[::-1, ::-1]
        feet.append(Foot(np.ascontiguousarray(crop), side, sample.attributes.get("view", "unknown")))
    return feet


def _largest_part(region: np.ndarray) -> np.ndarray:
    """A foot that a leg parts is one foot at run time only by its larger piece."""
    count, labels, figures, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    return region if count < 2 else labels == 1 + figures[1:, cv2.CC_STAT_AREA].argmax()


def _toes_down(told: dict, region: np.ndarray, sheet_to_image: np.ndarray) -> bool:
    if "heel" not in told or "toe" not in told:
        return False
    heel, toe = transform(np.linalg.inv(sheet_to_image), np.array([told["heel"], told["toe"]]))
    return bool((toe - heel) @ upright(region, sheet_to_image)[1] < 0)


# Augmentation


def change(
    foot: Foot, config: SideConfig, rng: np.random.Generator, augmentation: SideAugmentation | None = None
) -> np.ndarray:
    """A foot as the network is trained on it: crop uint8 (size, size, 4), another for every state of `rng`.

    foot: its crop of `SOURCE_PX` and `SOURCE_SPAN_MM`. Turned, never mirrored: the network looks both ways itself.
    """
    how = augmentation or SideAugmentation()
    crop = np.dstack([foot.crop[..., :3], damage_mask(foot.crop[..., 3], rng, how)])
    crop = cv2.warpPerspective(
        crop, _draw_geometry(config, rng, how), (config.size_px, config.size_px), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(OUTSIDE_GREY,) * 3 + (0,),
    )
    spec = InputSpec(config.size_px, config.size_px, "letterbox")
    look = augment(
        np.ascontiguousarray(crop[..., :3]), None, np.tile(UNKNOWN, (4, 1)), np.zeros(4, int), spec, rng, LOOK
    )
    return np.dstack([look.image, crop[..., 3]])


def damage_mask(mask: np.ndarray, rng: np.random.Generator, how: SideAugmentation) -> np.ndarray:
    """A true mask uint8 (s, s), toes up, made as poor as a network's: 0 and 255."""
    if rng.random() < how.no_mask_share:
        return np.zeros_like(mask)
    mask = _change_ankle(np.where(mask > 127, np.uint8(255), np.uint8(0)), rng, how)
    px_per_mm = SOURCE_PX / SOURCE_SPAN_MM
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.concatenate(contours)[:, 0] if contours else np.empty((0, 2), int)
    for _ in range(rng.integers(how.bites + 1) if len(outline) else 0):
        centre = outline[rng.integers(len(outline))] + rng.normal(0, 4, 2)
        radius = rng.uniform(0.2, 1) * how.bite_mm * px_per_mm
        cv2.circle(mask, tuple(int(value) for value in centre), int(radius), 255 * int(rng.integers(2)), cv2.FILLED)
    if rng.random() < how.outline_share:
        soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.15, 1) * how.outline_mm * px_per_mm)
        mask = np.where(soft > rng.uniform(0.25, 0.75) * 255, np.uint8(255), np.uint8(0))
    return mask


def _change_ankle(mask: np.ndarray, rng: np.random.Generator, how: SideAugmentation) -> np.ndarray:
    """Where foot ends and leg begins is what a network is least sure of: the mask ends sooner or later there."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return mask
    chance, (top, end) = rng.random(), (rows[0], rows[-1])
    if chance < how.cut_share:
        at = end - rng.uniform(0, how.cut) * (end - top)
        slope = np.tan(np.deg2rad(rng.uniform(-35, 35)))
        y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
        mask = np.where(y - at > slope * (x - mask.shape[1] / 2), np.uint8(0), mask)
    elif chance < how.cut_share + how.leg_share:
        columns = np.flatnonzero(mask[end - (end - top) // 6])
        along = np.array([rng.normal(0, 0.4), 1.0]) * rng.uniform(0, how.leg_mm) * SOURCE_PX / SOURCE_SPAN_MM
        if len(columns):
            start = np.array([[columns[0], end - (end - top) // 6], [columns[-1], end - (end - top) // 6]])
            leg = np.concatenate([start, (start + along)[::-1] + [0, (end - top) // 6]])
            cv2.fillPoly(mask, [np.rint(leg).astype(np.int32)], 255)
    return mask


def _draw_geometry(config: SideConfig, rng: np.random.Generator, how: SideAugmentation) -> np.ndarray:
    """Source pixel to crop pixel (3, 3)."""
    source_middle, middle = (SOURCE_PX - 1) / 2, (config.size_px - 1) / 2
    angle = np.deg2rad(rng.uniform(-1, 1) * how.turn_deg + 180 * int(rng.integers(2)))
    scale = np.exp(rng.uniform(*np.log(how.scale))) * (SOURCE_SPAN_MM / SOURCE_PX) / (config.span_mm / config.size_px)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.eye(2) + rng.uniform(-1, 1, (2, 2)) * how.stretch / 2
    matrix = np.eye(3)
    matrix[:2, :2] = scale * turn @ stretch
    # In source pixels about the middle: the third coordinate is 1 there.
    matrix[2, :2] = rng.uniform(-1, 1, 2) * how.perspective / (SOURCE_PX / 2)
    shift = rng.uniform(-1, 1, 2) * how.shift_mm * config.size_px / config.span_mm
    place = np.array([[1, 0, middle + shift[0]], [0, 1, middle + shift[1]], [0, 0, 1]])
    return place @ matrix @ np.array([[1, 0, -source_middle], [0, 1, -source_middle], [0, 0, 1]])


# Training


class SideTrainer(Trainer):
    """As `segmentation.train.Trainer`, with crops for photos and one side a foot for masks."""

    def __init__(self, model: keras.Model, config: SideConfig, total_steps: int):
        self.model = model
        self.config = config
        self.total_steps = total_steps
        self.steps_done = 0
        self.schedule = poly
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(model.trainable_variables)
        self.averaged = [variable for variable in model.variables if "float" in str(variable.dtype)]
        self.average = [tf.Variable(variable.value, trainable=False) for variable in self.averaged]
        self.loss = keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
        crops = tf.TensorSpec((None, config.size_px, config.size_px, 4), tf.uint8)
        sides = tf.TensorSpec((None,), tf.int32)
        self._graph_step = tf.function(self._step, input_signature=(crops, sides), autograph=False)

    def step(self, crops: np.ndarray, sides: np.ndarray) -> float:
        """One optimisation step. Returns its loss. Raises TrainingError if that is not finite."""
        self.optimizer.learning_rate = self.learning_rate
        loss = float(self._graph_step(crops, sides))
        if not math.isfinite(loss):
            raise TrainingError(f"the loss became {loss} at step {self.steps_done}: try a lower --lr")
        self.steps_done += 1
        return loss

    def validate(self, feet: list[Foot]) -> dict:
        """Figures of feet, with the weights as they are now; see `figures`."""
        parts = [feet[start : start + 256] for start in range(0, len(feet), 256)]
        probabilities = [predict_side(self.model, self.config, np.stack([f.crop for f in part])) for part in parts]
        return figures(np.concatenate(probabilities), feet)

    def _step(self, crops, sides):
        with tf.GradientTape() as tape:
            probabilities = self.model(self._normalise(crops), training=True)
            loss = self.loss(tf.one_hot(sides, len(SIDES)), probabilities)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self._update_average()
        return loss


def figures(probabilities: np.ndarray, feet: list[Foot]) -> dict:
    """How well sides are named: probabilities (N, 2) of N feet.

    "mean_iou" is that of the two sides counted in feet, right / (right + wrong either way): 1 when all are right. The
    run folder keeps the weights by it.
    """
    truth, named = np.array([foot.side for foot in feet]), probabilities.argmax(axis=1)
    overlaps = [
        float(((truth == side) & (named == side)).sum() / max(1, ((truth == side) | (named == side)).sum()))
        for side in range(len(SIDES))
    ]
    of_truth = np.clip(probabilities[np.arange(len(feet)), truth], 1e-7, 1)
    right = truth == named
    views = np.array([foot.view for foot in feet])
    return {
        "feet": len(feet), "accuracy": round(float(right.mean()), 6), "mean_iou": round(float(np.mean(overlaps)), 6),
        "loss": round(float(-np.log(of_truth).mean()), 6),
        "accuracy_by_view": {view: round(float(right[views == view].mean()), 6) for view in sorted(set(views))},
    }


def train_side(
    data: Path | list[Path], out: Path, config: SideConfig, resume: bool = False, validation: Path | None = None,
    threads: int = 1, console: Console | None = None,
) -> RunFolder:
    """Trains to the end of `config.epochs`, from where the run folder stands.

    Args:
        data: dataset folder with masks, sheets and feet, or several, put together in that order; which samples
            validate, see `loader.split_samples`.
        out: run folder, see `run_folder`; made if missing.
        resume: go on with the run that is there; without it a folder that holds one is refused.
        threads: that decode and augment.

    Raises:
        ConfigError: a configuration or folder that does not fit.
        loader.DataError: data without a foot to train on or to validate with.
        TrainingError: a loss that is not finite; the run keeps its last finished epoch.
    """
    console = console or Console()
    if (Path(out) / CONFIG_FILE).is_file() and not resume:  # told before minutes of decoding
        raise ConfigError(f"{out}: holds a run already; go on with --resume, or choose another folder")
    samples, held_out_samples, how = loader.split_samples(data, validation)
    feet = read_feet(samples, SOURCE_PX, SOURCE_SPAN_MM, threads)
    held_out = read_feet(held_out_samples, config.size_px, config.span_mm, threads)
    if not feet or not held_out:
        raise loader.DataError(f"{loader.folders_in_words(data)}: {len(feet)} feet to train on and {len(held_out)} to "
                               f"validate with; both need at least one, of {MIN_FOOT_PX} mask pixels and on a sheet of "
                               "known format")
    folder = RunFolder(out, config, _details(data, validation, feet, held_out), resume)
    if folder.epochs_done >= config.epochs:
        console.print(f"{folder.path}: all {config.epochs} epochs are done already")
        return folder
    log = Log(folder.path / LOG_FILE, console)
    log(f"{len(feet)} feet to train on, {len(held_out)} to validate with ({WHERE[how]})")
    steps = loader.steps_per_epoch(len(feet), config.batch)
    trainer = SideTrainer(build_side(config), config, config.epochs * steps)
    if folder.epochs_done:
        trainer.restore(folder.read_state())
        log(f"going on after epoch {folder.epochs_done}")
    with progress_bar(console) as progress:
        task = progress.add_task("training", total=config.epochs * steps, completed=trainer.steps_done, note="")
        for epoch in range(folder.epochs_done, config.epochs):
            line = _train_epoch(trainer, feet, epoch, threads, progress, task)
            with trainer.averaged_weights():
                line["validation"] = trainer.validate(held_out)
            folder.finish_epoch(line, trainer.save_averaged, trainer.state())
            log(f"epoch {epoch + 1}/{config.epochs}: loss {line['loss']:.4f}, "
                f"validation {line['validation']['loss']:.4f}, accuracy {line['validation']['accuracy']:.4f}, "
                f"{line['seconds']:.0f} s")
    log(f"done: {folder.path}")
    return folder


def _train_epoch(trainer: SideTrainer, feet: list[Foot], epoch: int, threads: int, progress, task) -> dict:
    """One epoch's steps over feet in an order of its own. Returns the training part of its line in the history."""
    config, start, losses = trainer.config, time.perf_counter(), []
    order = np.random.default_rng([config.seed, epoch]).permutation(len(feet))
    size = min(config.batch, len(feet))
    parts = [order[begin : begin + size] for begin in range(0, len(order) - size + 1, size)]

    def make(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        crops = [change(feet[i], config, np.random.default_rng([config.seed, epoch, int(i)])) for i in indices]
        return np.stack(crops), np.array([feet[i].side for i in indices], np.int32)

    for crops, sides in loader.ahead(make, parts, threads):
        rate = trainer.learning_rate
        losses.append(trainer.step(crops, sides))
        progress.update(task, advance=1, note=f"epoch {epoch + 1}  loss {np.mean(losses[-50:]):.4f}")
    return {
        "epoch": epoch + 1, "steps": trainer.steps_done, "loss": round(float(np.mean(losses)), 6),
        "learning_rate": rate, "seconds": round(time.perf_counter() - start, 2),
    }


def _details(data: Path, validation: Path | None, feet: list[Foot], held_out: list[Foot]) -> dict:
    """What config.json says beside the configuration."""
    return {
        "augmentation_values": {"crops": asdict(SideAugmentation()), "look": asdict(LOOK)},
        "data": {
            "folder": loader.folders_in_words(data), "validation": str(validation) if validation else None,
            "training_samples": len(feet), "validation_samples": len(held_out),
        },
    }
