import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest

from experiments import cases
from keypoints.config import TrainConfig
from scenes.dataset import write_annotations
from scenes.sheet import order_corners

WIDTH, HEIGHT = 120, 160  # a diagonal of 200


def sheet_corners(rng):
    turn = rng.uniform(-0.3, 0.3)
    corners = np.array([[-30, -42], [30, -42], [30, 42], [-30, 42]]) @ [
        [np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + [WIDTH / 2, HEIGHT / 2]  # fmt: skip
    return corners[order_corners(corners)]


def write_sheets(folder, count, seed=5):
    """A dataset of light quadrangles on dark floors; covered is each third corner."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    records = []
    for index in range(count):
        corners = sheet_corners(rng)
        image = np.full((HEIGHT, WIDTH, 3), rng.integers(20, 90, 3), np.uint8)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(image, [np.round(corners).astype(np.int32)], (235, 230, 225))
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
        cv2.imwrite(str(folder / "images" / f"{index:06d}.jpg"), image)
        cv2.imwrite(str(folder / "masks" / f"{index:06d}.png"), mask)
        records.append({"file_name": f"{index:06d}.jpg", "width": WIDTH, "height": HEIGHT,
                        "corners": corners.tolist(), "visibility": [2, 2, 1, 2], "attributes": {"split": "train"}})
    write_annotations(folder, records)
    return folder


@pytest.fixture
def make_sheets(tmp_path):
    """A function (name, count, seed=5) -> dataset folder of photos of 120 x 160, a diagonal of 200."""
    return lambda name, count, seed=5: write_sheets(tmp_path / name, count, seed)


@pytest.fixture
def make_run(tmp_path):
    """A function (name, weights=bytes) -> folder that looks like a run of `keypoints train`, without a network."""
    def make(name, weights=b"weights"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = TrainConfig(height=96, width=64, fit="turn")
        (folder / "config.json").write_text(json.dumps({"schema": 1, "config": asdict(config), "data": {}}))
        for file in ("best.params", "last.params"):
            (folder / file).write_bytes(weights + file.encode())
        return folder

    return make


@pytest.fixture
def run_tasks_here():
    """deploy.processes.run_with_progress without processes: a task after another, a RuntimeError is its fault."""
    def run_tasks(tasks, workers, logs):
        faults = {}
        for task in tasks:
            if any(name in faults for name in task.after):
                faults[task.name] = "not begun"
                continue
            try:
                task.function(*task.arguments)
            except RuntimeError as fault:
                faults[task.name] = str(fault)
        return faults

    return run_tasks


@pytest.fixture
def cases_in_this_process(monkeypatch, run_tasks_here):
    """Tasks of experiments.cases are done here."""
    monkeypatch.setattr(cases, "run_with_progress", run_tasks_here)
