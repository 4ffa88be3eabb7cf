"""From a configuration or a run folder to a network, and from photos to probabilities."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from segmentation.config import ConfigError, TrainConfig
from segmentation.models.backbones import freeze_blocks
from segmentation.models.fast_pspnet import build_fast_pspnet
from segmentation.models.fcn import build_fcn
from segmentation.models.layers import Networks
from segmentation.models.pretrained import adapt_first_layer
from segmentation.models.pspnet import build_pspnet
from segmentation.models.taps import BACKBONES
from segmentation.models.unet import build_unet

ARCHITECTURES = {
    "pspnet": build_pspnet,
    "fast_pspnet": build_fast_pspnet,
    "fcn32": build_fcn,
    "fcn16": build_fcn,
    "fcn8": build_fcn,
    "unet": build_unet,
}

# In a run folder; both hold the averaged weights, those of the best validated epoch and of the last one.
BEST_WEIGHTS = "best.weights.h5"
LAST_WEIGHTS = "last.weights.h5"
CONFIG_FILE = "config.json"


def build_networks(config: TrainConfig, initial_weights: bool = True) -> Networks:
    """The network of the configuration.

    Args:
        initial_weights: whether to start from the files the configuration names, if any; without them, and where it
            names none, weights are random from `config.seed`.

    Raises:
        ConfigError: if initial weights are missing or do not fit.
    """
    keras.utils.set_random_seed(config.seed)
    if not initial_weights:
        config = replace(config, init_weights=None, encoder_weights=None)
    networks = ARCHITECTURES[config.architecture](config)
    encoder, taps = networks.training.get_layer("encoder"), BACKBONES[config.backbone]
    if config.encoder_weights:
        adapt_first_layer(encoder, taps, config.mean, config.std)
    freeze_blocks(encoder, taps, config.frozen_blocks)
    if config.init_weights:
        load_weights(networks, weights_file(Path(config.init_weights)))
    return networks


def weights_file(path: Path) -> Path:
    """A weights file itself, or the best (else the last) weights of a run folder. Raises ConfigError without any."""
    candidates = [path / BEST_WEIGHTS, path / LAST_WEIGHTS] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(f"{path}: no weights; looked for {', '.join(str(candidate) for candidate in candidates)}")


def load_weights(networks: Networks, file: Path) -> None:
    """Weights are free of the input size; everything else of the network must be the same."""
    try:
        networks.training.load_weights(file)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"{file}: these weights do not fit the network ({reason}); backbone, cut, pools, channels and skip must be "
            "those it was trained with, only the input size may differ"
        ) from error


def read_config_document(run: Path, command: str) -> dict:
    """config.json of a run of `segmentation <command>`. Raises ConfigError if the folder is none."""
    file = run / CONFIG_FILE
    if not file.is_file():
        raise ConfigError(f"{run}: no run of `segmentation {command}`, there is no {CONFIG_FILE}")
    try:
        document = json.loads(file.read_text())
    except ValueError as error:
        raise ConfigError(f"{file}: no JSON ({error}); is it damaged?") from error
    if not isinstance(document, dict) or "train" not in document:
        raise ConfigError(f"{run}: no run of `segmentation {command}` but of another command; name another folder")
    return document


def read_run_config(run: Path) -> TrainConfig:
    """The configuration a run folder was trained with. Raises ConfigError if the folder is no run."""
    return TrainConfig.from_json(read_config_document(run, "train")["train"])


def load_network(run: Path) -> tuple[keras.Model, TrainConfig]:
    """A trained network for inference.

    Returns:
        (model, its configuration); the model takes RGB normalised by the configuration's mean and std, float32
        (N, height, width, 3), and gives probabilities float32 (N, height, width, 4), with the averaged weights of the
        run's best epoch.

    Raises:
        ConfigError: if the folder is no run or has no weights yet.
    """
    run = Path(run)
    config = read_run_config(run)
    networks = build_networks(config, initial_weights=False)
    load_weights(networks, weights_file(run))
    return networks.inference, config


def predict(run: Path, images: np.ndarray, batch: int = 8) -> np.ndarray:
    """Class probabilities of images at the network's input size.

    Args:
        run: run folder.
        images: uint8 RGB (N, height, width, 3), see `scenes.images.fit_photo`.

    Returns:
        float32 (N, height, width, 4).
    """
    model, config = load_network(run)
    return predict_batches(model, config, images, batch)


def predict_batches(model: keras.Model, config: TrainConfig, images: np.ndarray, batch: int = 8) -> np.ndarray:
    """As `predict`, with a network that is loaded already. Raises ValueError for another dtype or size."""
    expected = (config.height, config.width, 3)
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise ValueError(f"images {images.dtype} {images.shape}: must be uint8 (N, {', '.join(map(str, expected))})")
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    answers = [model(normalise(part, config), training=False).numpy() for part in parts]
    return np.concatenate(answers) if answers else np.empty((0, config.height, config.width, 4), np.float32)


def normalise(images: np.ndarray, config: TrainConfig) -> np.ndarray:
    """uint8 RGB (..., 3) -> float32 (x - mean) / std."""
    return (images.astype(np.float32) - np.float32(config.mean)) / np.float32(config.std)

