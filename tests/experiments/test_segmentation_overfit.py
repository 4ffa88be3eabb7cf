"""The whole experiment with trainings replaced by what takes no time."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from experiments import segmentation_overfit
from experiments.catalogue import EXPERIMENTS, Request
from experiments.segmentation_overfit import LOSSES, SCALES, SECONDS, run_cases, verdict
from scenes.dataset import read_dataset
from segmentation.losses import LOSSES as ALL_LOSSES
from segmentation.losses import loss_named
from segmentation.models.taps import MODELS

FOUND = {"parameters": 1234567, "curve": [[8, 0.5], [16, 0.96]], "mean_iou": 0.96,
         "iou": {"background": 0.99, "sheet": 0.92}, "converted": {
             "ONNX Runtime": {"largest": 2e-6, "same_pixels": 1.0},
             "OpenVINO FP32": {"largest": 3e-6, "same_pixels": 0.99995}}}  # fmt: skip


@pytest.fixture
def data(make_sheets):
    """Ten photos, all four classes in strips of each, in colours of no meaning."""
    folder = make_sheets("data", 10)
    mask = np.repeat(np.repeat(np.arange(4, dtype=np.uint8)[None], 160, 0), 30, 1)
    for file in (folder / "masks").iterdir():
        cv2.imwrite(str(file), np.roll(mask, 15, 1))
    return folder


@pytest.fixture
def done(monkeypatch, cases_in_this_process):
    """What was trained, in order; "unet-resnet18" fails while it is in `broken`."""
    trained, broken = [], {"unet-resnet18"}

    def overfit(run, scenes, config, passes, threads, file):
        trained.append((file.stem, config, len(read_dataset(scenes)), passes, threads))
        if file.stem in broken:
            raise RuntimeError("out of memory")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(FOUND | ({"mean_iou": 0.9} if "dice" in config.loss else {})))

    monkeypatch.setattr(segmentation_overfit, "overfit", overfit)
    return trained, broken


def test_every_case_is_told_and_what_failed_is_tried_again(tmp_path, data, done):
    trained, broken = done
    request = Request(tmp_path / "out", data=(data,), threads=3, results=tmp_path / "copy")
    outcome = EXPERIMENTS["segmentation-overfit"].run(request)
    assert outcome.faults == {"unet-resnet18": "out of memory"} and outcome.results["missing"] == ["unet-resnet18"]
    assert len(trained) == 5
    assert all((scenes, passes, threads) == (4, 2, 3) for *_, scenes, passes, threads in trained)
    assert all(config.augmentation == "none" and config.schedule == "constant" for _, config, *_ in trained)
    headings, cells = outcome.table
    assert {len(line) for line in cells} == {len(headings)} and len(cells) == 4
    assert cells[0] == ["fast-pspnet", "categorical", "192 x 192", "1,234,567", "16", "0.960", "0.920", "2.0e-06",
                        "3.0e-06", "99.9950 %", "learnt, the same once converted"]
    assert cells[-1][:3] == ["loss weighted+dice", "weighted+dice", "192 x 192"]
    assert cells[-1][-1] == "not learnt, the same once converted"
    for folder in (tmp_path / "out", tmp_path / "copy"):
        assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(outcome.results))
        assert "| pspnet-resnet18 | categorical | 128 x 128 | 1,234,567 | 16 | 0.960 |" in (
            folder / "README.md").read_text()
        assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    broken.clear()
    trained.clear()
    outcome = EXPERIMENTS["segmentation-overfit"].run(replace(request, threads=None))
    assert [(name, threads) for name, *_, threads in trained] == [("unet-resnet18", 1)]
    assert not outcome.faults and not outcome.results["missing"]
    picture = tmp_path / "data" / "images" / "000000.jpg"
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="scenes_sha256 was"):
        EXPERIMENTS["segmentation-overfit"].run(request)


def test_nothing_is_told_where_nothing_was_done(tmp_path, data, done):
    done[1].add("fast-pspnet")
    scale = replace(SCALES["quick"], cases=SCALES["quick"].cases[:1])
    outcome = run_cases(scale, Request(tmp_path / "out", data=(data,)))
    assert outcome.results is None and list(outcome.faults) == ["fast-pspnet"]


def test_what_cannot_be_run_is_said_before_anything_is_made(tmp_path, make_sheets):
    for given, word in (((), "0 datasets are given"), ((make_sheets("sheets", 5),), "0 have a square")):
        with pytest.raises(ValueError, match=word):
            EXPERIMENTS["segmentation-overfit"].run(Request(tmp_path / "out", data=given))
    assert not (tmp_path / "out").exists()


def test_every_model_and_loss_is_a_case():
    configs = [SCALES["paper"].config(case) for case in SCALES["paper"].cases]
    assert [(config.architecture, config.backbone) for config in configs[: len(MODELS)]] == list(MODELS.values())
    assert set(SECONDS) == set(MODELS)
    assert {config.loss for config in configs} == {"categorical", *LOSSES}
    assert set("+".join(LOSSES).split("+")) == set(ALL_LOSSES) and all(loss_named(loss) for loss in LOSSES)
    for scale in SCALES.values():
        assert len({case.file_name for case in scale.cases}) == len(scale.cases)
        # Whole batches, and whole epochs of the image steps that are meant.
        assert all(scale.scenes * scale.passes % scale.config(case).batch == 0 and case.image_steps
                   == scale.config(case).epochs * scale.scenes * scale.passes for case in scale.cases)


def test_a_verdict_has_two_halves():
    assert verdict(FOUND | {"mean_iou": 0.95}) == "learnt, the same once converted"
    for told in ({"largest": 2e-4, "same_pixels": 1.0}, {"largest": 1e-6, "same_pixels": 0.9998}):
        converted = FOUND["converted"] | {"OpenVINO FP32": told}
        assert verdict(FOUND | {"mean_iou": 0.949, "converted": converted}) == "not learnt, different once converted"
