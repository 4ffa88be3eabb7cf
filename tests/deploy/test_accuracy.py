"""Judging with networks whose answers are known: the truth itself, and the truth moved."""

import numpy as np
import pytest

from deploy.accuracy import judge_corners, judge_pipeline, judge_pixels, judged_samples
from deploy.meter import Networks
from keypoints.heatmaps import encode
from scenes.dataset import read_dataset, read_mask
from scenes.images import InputSpec
from scenes.labels import SHEET

CORNERS = np.array([[40.0, 50.0], [145.0, 50.0], [145.0, 198.0], [40.0, 198.0]])  # of labelled_sheets
WIDTH, HEIGHT = 192, 256
SPEC = InputSpec(HEIGHT, WIDTH, "stretch", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def corners_at(points):
    """A network of corners that finds them at points, with heatmaps of stride 4."""
    maps = encode(points, np.ones(4, bool), (HEIGHT // 4, WIDTH // 4), 4, 1.5)
    return lambda images: np.stack([maps] * len(images))


def pixels_of(mask):
    """A network of pixels that gives the classes of a mask."""
    return lambda images: np.stack([np.eye(4, dtype=np.float32)[mask]] * len(images))


def test_the_test_split_is_judged_by(labelled_sheets):
    samples, split = judged_samples(labelled_sheets, 5)
    assert split == "test" and [sample.name for sample in samples] == ["1"]


def test_corners_that_are_off_by_what_they_were_moved(labelled_sheets):
    samples = read_dataset(labelled_sheets)
    right = judge_corners(corners_at(CORNERS), SPEC, 4, "each", samples)
    assert right["corners_px"]["count"] == 8 and right["corners_px"]["p95"] < 0.1
    moved = judge_corners(corners_at(CORNERS + [6.0, 8.0]), SPEC, 4, "each", samples)
    assert moved["corners_px"]["median"] == pytest.approx(10.0, abs=0.1)
    assert moved["corners_percent"]["median"] == pytest.approx(100 * 10 / 320, abs=0.1)  # a diagonal of 320


def test_pixels_by_hand(labelled_sheets):
    samples = read_dataset(labelled_sheets)
    mask = read_mask(samples[0].mask_path)
    assert judge_pixels(pixels_of(mask), SPEC, samples) == {"photos": 2, "mean_iou": 1.0, "iou": [1.0, 1.0, None, None]}
    everything = judge_pixels(pixels_of(np.full_like(mask, SHEET)), SPEC, samples)
    assert everything["iou"][:2] == [0.0, pytest.approx(float((mask == SHEET).mean()), abs=1e-6)]


def test_the_pipeline_is_judged_by_what_it_answers(labelled_sheets):
    samples = read_dataset(labelled_sheets)
    mask = read_mask(samples[0].mask_path)
    told = judge_pipeline(Networks(corners_at(CORNERS), SPEC, 4, pixels_of(mask), SPEC), samples)
    assert (told["photos"], told["answered"]) == (2, 2) and told["corners_px"]["p95"] < 1.5
    assert told["mean_iou"] > 0.95 and np.abs(np.array(told["found"]["1"]) - CORNERS).max() < 1.5
    nothing = judge_pipeline(Networks(lambda images: np.zeros((1, 4, HEIGHT // 4, WIDTH // 4), np.float32), SPEC, 4,
                                      pixels_of(np.zeros_like(mask)), SPEC), samples)
    assert nothing["answered"] == 0 and nothing["found"] == {"0": None, "1": None}
    assert nothing["corners_px"]["median"] is None
