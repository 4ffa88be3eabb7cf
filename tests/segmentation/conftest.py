import os
from contextlib import contextmanager

# Before any test module of this folder imports keras.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import pytest

from scenes.dataset import write_annotations
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from segmentation import run_folder


@pytest.fixture
def interrupted_at(monkeypatch):
    """interrupted_at(epoch) -> context of a training that is stopped there: weights and history written, state not."""

    @contextmanager
    def interrupted_at_epoch(last):
        save = run_folder.write_npz

        def interrupted(file, arrays):
            if arrays["epoch"] == last:
                raise KeyboardInterrupt
            save(file, arrays)

        with monkeypatch.context() as patch:
            patch.setattr(run_folder, "write_npz", interrupted)
            with pytest.raises(KeyboardInterrupt):
                yield

    return interrupted_at_epoch


@pytest.fixture
def make_dataset(tmp_path):
    """make(count, splits=...) -> folder of 112x112 photos: a white sheet with one coloured block for a foot."""

    def make(count, splits=("train",), name="data"):
        folder = tmp_path / name
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        records = []
        for i in range(count):
            mask = np.zeros((112, 112), np.uint8)
            left, top = 16 + 2 * i, 12
            mask[top : top + 72, left : left + 52] = SHEET
            mask[30:66, left + 8 : left + 28] = LEFT_FOOT if i % 2 else RIGHT_FOOT
            colours = np.array([[40, 90, 60], [250, 250, 250], [220, 60, 40], [40, 60, 220]], np.uint8)
            cv2.imwrite(str(folder / "images" / f"{i:06d}.jpg"), colours[mask][..., ::-1])
            cv2.imwrite(str(folder / "masks" / f"{i:06d}.png"), mask)
            right, bottom = left + 51.0, top + 71.0
            records.append({
                "file_name": f"{i:06d}.jpg", "width": 112, "height": 112, "visibility": [2, 2, 2, 2],
                "corners": [[left, top], [right, top], [right, bottom], [left, bottom]],
                "attributes": {"split": splits[i % len(splits)]},
            })
        write_annotations(folder, records)
        return folder

    return make
