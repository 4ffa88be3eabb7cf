"""Made-up cases of trainings: documents with all that a real one has (`test_case.py` holds them against it), their
figures from the project's own metrics."""

import json
import zlib

import numpy as np
import pytest

from experiments.thesis.case import PICTURES, png_text, shortened
from experiments.thesis.material import Material
from experiments.thesis.trainings import SCALES, TRAININGS
from keypoints import metrics as corner_metrics
from scenes.dataset import read_dataset
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from segmentation import metrics

SIDE, SCENES = 24, 6
DIAGONAL_PX = 200  # of photos of 120 x 160
MACHINE = {"system": "Linux", "processor": "x86_64", "cores": 2, "python": "3.11.7", "opencv": "4.11.0"}


def _masks():
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[4:20, 4:20], mask[6:18, 6:10], mask[6:18, 13:17] = SHEET, LEFT_FOOT, RIGHT_FOOT
    return [np.roll(mask, place, axis=1) for place in range(SCENES)]


def _pixels(rng, gain):
    """Figures and values of each scene where about 5 % of the pixels, less the gain, are called background and are
    not."""
    matrices, boundaries, each = [], [], {"pixel_accuracy": [], "mean_iou": [], "mean_dice": [], "mean_boundary_f": []}
    for truth in _masks():
        wrong = round((0.05 - gain) * truth.size) + rng.integers(-1, 2)
        said = truth.copy()
        said.flat[rng.choice(np.flatnonzero(truth), wrong, replace=False)] = 0
        matrices.append(metrics.confusion_matrix(truth, said))
        boundaries.append(metrics.boundary_counts(truth, said))
        told = metrics.summary(matrices[-1])
        boundary = metrics.json_number(metrics.mean(metrics.boundary_f(boundaries[-1])))
        for name in each:
            each[name].append(told.get(name, boundary))
    matrix = np.sum(matrices, axis=0)
    figures = {**metrics.summary(matrix), "mean_f1": metrics.f1_means(np.array(matrices)),
               "boundary": metrics.boundary_summary(np.array(boundaries)), "confusion_matrix": matrix.tolist(),
               "samples": SCENES}
    return figures, each


def _corners(rng, gain, maps):
    """The same where seen corners are off by about 1 % of the diagonal, covered ones by 4 %, half of it for a gain
    of 1."""
    visibility = np.tile([2, 2, 1, 2], (SCENES, 1))
    visibility[0, 0] = 0
    truth = np.tile([[30.0, 38], [90, 38], [90, 122], [30, 122]], (SCENES, 1, 1))
    off = np.where(visibility == 1, 4.0, 1.0) / 100 * DIAGONAL_PX * 2.0**-gain * rng.uniform(0.8, 1.2, visibility.shape)
    found = truth + np.stack([off, np.zeros_like(off)], axis=-1)
    sizes = np.tile([120, 160], (SCENES, 1))
    errors = corner_metrics.corner_report(found, truth, visibility, sizes)["cyclic"]
    figures = {"samples": SCENES, "percent": errors["percent"], "px": errors["px"],
               "pck": corner_metrics.pck_report(off, visibility, sizes),
               **dict.fromkeys(("heatmap_mse", "heatmap_mae", "heatmap_accuracy", "published_heatmap_accuracy"),
                               0.25 if maps else None)}
    percent = np.where(visibility > 0, 100 * off / DIAGONAL_PX, np.nan)
    return figures, {"percent": shortened(percent), "visibility": visibility.tolist()}


def _picture(kind, sample, maps):
    if kind == "pixels":
        said = np.zeros((16, 16), np.uint8)
        said[:, 8:] = SHEET
        return png_text(said)
    heat = np.zeros((16, 12), np.uint8)
    heat[4, 4] = 255
    return {"corners": (sample.corners + 3).tolist(), **({"heatmap": png_text(heat)} if maps else {})}


def _history(kind, epochs=3):
    values = {"pixels": {"pixel_accuracy": 0.9, "mean_iou": 0.8}, "corners": {"mean_percent": 2.0,
                                                                           "heatmap_accuracy": 0.9}}[kind]
    return [{"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 1.5 / epoch, **values}
            for epoch in range(1, epochs + 1)]


@pytest.fixture(scope="session")
def make_case():
    """A function (name, seed=0, gain=0.0, scale="quick", **changes) -> case document of a training. gain: how much
    better it is, in pixel accuracy, or in halvings of the corners' errors."""
    samples = read_dataset(PICTURES)

    def make(name, seed=0, gain=0.0, scale="quick", **changes):
        training = TRAININGS[name]
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        config = SCALES[scale].config(training, seed).to_json()
        maps = name != "regression"
        figures, each = _pixels(rng, gain) if training.kind == "pixels" else _corners(rng, gain, maps)
        document = {
            "schema": 1, "training": name, "kind": training.kind, "seed": seed, "scale": scale,
            "data_sha256": f"scenes of {training.kind}", "configuration": config, "date": f"2026-01-{1 + seed:02}",
            "scenes": {"train": 10, "validation": SCENES}, "machine": MACHINE, "parameters": 1234567, "seconds": 9.5,
            "history": _history(training.kind), "train": figures, "validation": figures, "each": each,
            "pictures": {sample.name: _picture(training.kind, sample, maps) for sample in samples[:2]}}  # fmt: skip
        return json.loads(json.dumps(document | changes))

    return make


@pytest.fixture(scope="session")
def make_cases(make_case):
    """A function (names, seeds=3, gains={}) -> {name: case documents}. gains: {name: gain}."""
    def make(names, seeds=3, gains=None):
        return {name: [make_case(name, seed, (gains or {}).get(name, 0.0)) for seed in range(seeds)] for name in names}

    return make


@pytest.fixture(scope="session")
def all_cases(make_cases):
    """Cases of all trainings, three seeds each, all alike; not to be changed."""
    return make_cases(TRAININGS)


@pytest.fixture
def nothing(tmp_path):
    """Material of an empty folder."""
    return Material(tmp_path / "results", "quick", {})


@pytest.fixture
def write_cases(tmp_path):
    """A function {name: case documents} -> folder of results that holds them, as `run --results` writes them."""
    def write(cases):
        folder = tmp_path / "results" / "thesis" / "quick"
        folder.mkdir(parents=True, exist_ok=True)
        for name, documents in cases.items():
            for document in documents:
                (folder / f"{name}-s{document['seed']}.json").write_text(json.dumps(document))
        return tmp_path / "results"

    return write
