"""Finished trainings that an experiment is given: what they are, told without their framework."""

import json
from pathlib import Path

from experiments.photos import FILES
from keypoints.config import CORNERS, TrainConfig
from scenes.files import file_sha256
from segmentation.config import TrainConfig as PixelConfig

PIXEL_WEIGHTS = "best.weights.h5"  # of a run of `foliopie segmentation train`


def run_config(run):
    """TrainConfig of a run folder. Raises ValueError for a folder that is none."""
    try:
        return TrainConfig.from_json(json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))["config"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{run} is no run of `foliopie keypoints train`: {fault}") from fault


def check_runs(runs):
    """Raises ValueError unless all of [(name, folder), ...] have names of their own, and find a sheet's corners."""
    names = [name for name, _ in runs]
    if len(set(names)) < len(names):
        raise ValueError(f"the runs are called {', '.join(names)}; give each a name of its own")
    for name, folder in runs:
        config = run_config(folder)
        if config.joints != CORNERS:
            raise ValueError(f"{name} ({folder}) finds {config.joints} keypoints; a run that finds the {CORNERS} "
                             "corners of a sheet is needed")


def describe_run(run, weights="best"):
    """What a run is: dict for JSON. weights: "best" or "last". Raises ValueError where it has none."""
    config, file = run_config(run), Path(run) / FILES[weights]
    if not file.exists():
        raise ValueError(f"{file} is not there: the run has not finished its first epoch; train it with --resume")
    return {"weights": weights, "weights_sha256": file_sha256(file), "model": config.model, "maps": config.maps,
            "input": config.input, "height": config.height, "width": config.width}


def pixel_run_config(run):
    """segmentation.config.TrainConfig of a run folder. Raises ValueError for a folder that is none."""
    try:
        document = json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))
        return PixelConfig.from_json(document["train"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{run} is no run of `foliopie segmentation train`: {fault}") from fault


def describe_pixel_run(run):
    """What a run of `foliopie segmentation train` is: dict for JSON. Raises ValueError where it has no weights."""
    config, file = pixel_run_config(run), Path(run) / PIXEL_WEIGHTS
    if not file.exists():
        raise ValueError(f"{file} is not there: the run has not finished its first epoch; train it with --resume")
    return {"weights_sha256": file_sha256(file), "architecture": config.architecture, "backbone": config.backbone,
            "height": config.height, "width": config.width, "fit": config.fit}
