"""The history of a run as event files for TensorBoard: every number of a line under its names, joined with slashes,
with the epoch as its step."""

import shutil
from pathlib import Path

EVENTS_FOLDER = "tensorboard"


class EventFiles:
    """Event files in a run folder that tell what its history tells.

    They are written anew from the history when a run goes on: what a killed run had told of an epoch that is done again
    is not told twice.
    """

    def __init__(self, run: Path, history: list[dict]):
        import tensorflow as tf

        folder = Path(run) / EVENTS_FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder))
        for line in history:
            self.add(line)

    def add(self, line: dict) -> None:
        """One line of the history; on disk when this returns."""
        with self._writer.as_default(step=line["epoch"]):
            for name, value in scalars(line).items():
                self._summary.scalar(name, value)
        self._writer.flush()


def scalars(line: dict, prefix: str = "") -> dict[str, float]:
    """{"validation": {"iou": {"sheet": 0.5}}, "label": None} -> {"validation/iou/sheet": 0.5}: numbers only, without
    "epoch" and "steps"."""
    found = {}
    for name, value in line.items():
        if isinstance(value, dict):
            found |= scalars(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name not in ("epoch", "steps"):
            found[prefix + name] = float(value)
    return found
