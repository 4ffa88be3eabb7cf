"""A training run on disk: configuration, history, weights, and what an exact resume needs.

    config.json       the TrainConfig or SideConfig, the augmentation's values, and the data
    history.jsonl     one line an epoch
    best.weights.h5   averaged weights of the epoch with the best validation mean IoU
    last.weights.h5   averaged weights of the last epoch
    state.npz         everything that training changes, as it was when the last epoch ended
    log.txt
    tensorboard/      the history once more, as event files, when asked for

Files are written beside and renamed. state.npz is written last in an epoch and decides which epochs are done: what a
killed run had written of a later one is dropped and done again.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from scenes.files import write_npz
from segmentation.config import ConfigError, TrainConfig
from segmentation.network import BEST_WEIGHTS, CONFIG_FILE, LAST_WEIGHTS, read_config_document

HISTORY_FILE = "history.jsonl"
STATE_FILE = "state.npz"
LOG_FILE = "log.txt"


class RunFolder:
    """The files of one run; knows nothing of networks.

    Raises:
        ConfigError: when opened, if the folder holds a run and `resume` is not set, or a run of another configuration.
    """

    def __init__(self, path: Path, config: TrainConfig, details: dict, resume: bool):
        self.path = Path(path)
        document = {"schema": 1, "train": config.to_json(), **json.loads(json.dumps(details))}
        existing = self.path / CONFIG_FILE
        if existing.is_file():
            stored = read_config_document(self.path, "train")
            # Fields that are newer than the run have their default.
            stored["train"] = type(config).from_json(stored["train"]).to_json()
            _check_same(self.path, stored, document)
            if not resume:
                raise ConfigError(f"{self.path}: holds a run already; go on with --resume, or choose another folder")
        elif self.path.is_dir() and any(not file.name.startswith("writing.") for file in self.path.iterdir()):
            raise ConfigError(f"{self.path}: is not empty and holds no run; choose another folder")
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            self._write_text(CONFIG_FILE, json.dumps(document, indent=1) + "\n")
        self.epochs_done = self._read_epochs_done()
        self.history = self._read_history()[: self.epochs_done]

    @property
    def best_score(self) -> float:
        """Highest validation mean IoU so far, -1 before the first epoch."""
        return max((line["validation"]["mean_iou"] or 0.0 for line in self.history), default=-1.0)

    @property
    def epochs_since_best(self) -> int:
        """How many of the last finished epochs brought no better validation mean IoU."""
        scores = [line["validation"]["mean_iou"] or 0.0 for line in self.history]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    def finish_epoch(self, line: dict, save_weights, state: dict[str, np.ndarray]) -> None:
        """Keeps an epoch for good.

        Args:
            line: the history's line, with validation.mean_iou.
            save_weights: called with a path ending in .weights.h5, writes the averaged weights there.
            state: arrays by name, given back by `read_state` when the run is opened again.
        """
        score = line["validation"]["mean_iou"] or 0.0
        names = [LAST_WEIGHTS] + ([BEST_WEIGHTS] if score > self.best_score else [])
        for name in names:
            with self._replacing(name) as beside:
                save_weights(beside)
        self.history.append(line)
        self._write_text(HISTORY_FILE, "".join(json.dumps(entry) + "\n" for entry in self.history))
        with self._replacing(STATE_FILE) as beside:
            write_npz(beside, {"epoch": np.int64(len(self.history))} | state)
        self.epochs_done = len(self.history)

    def read_state(self) -> dict[str, np.ndarray]:
        """The arrays of the last finished epoch; there must be one."""
        with np.load(self.path / STATE_FILE) as arrays:
            return dict(arrays)

    def _read_epochs_done(self) -> int:
        file = self.path / STATE_FILE
        if not file.is_file():
            return 0
        with np.load(file) as arrays:
            return int(arrays["epoch"])

    def _read_history(self) -> list[dict]:
        file = self.path / HISTORY_FILE
        return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []

    def _write_text(self, name: str, text: str) -> None:
        with self._replacing(name) as beside:
            beside.write_text(text)

    @contextmanager
    def _replacing(self, name: str):
        """Gives a path beside a file, which takes its place; nothing of it is left where that fails."""
        beside = self.path / f"writing.{name}"
        try:
            yield beside
            os.replace(beside, self.path / name)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _check_same(path: Path, old: dict, new: dict) -> None:
    """The folder's place of the data may differ, how much there is of it may not."""
    def values(document: dict) -> dict:
        data = {f"data {key}": value for key, value in document.get("data", {}).items() if key.endswith("samples")}
        return document["train"] | data | {"augmentation values": document.get("augmentation_values")}

    old_values, new_values = values(old), values(new)
    changed = [name for name in old_values | new_values if old_values.get(name) != new_values.get(name)]
    if changed:
        what = "; ".join(f"{name} is {old_values.get(name)!r} there, {new_values.get(name)!r} here" for name in changed)
        raise ConfigError(f"{path}: holds a run of another configuration ({what}); choose another folder")
