"""The whole experiment with trainings replaced by what takes no time."""

import json
from dataclasses import replace

import pytest

from experiments import corner_overfit
from experiments.catalogue import EXPERIMENTS, Request
from experiments.corner_overfit import SCALES, chosen_scenes, make_cases, run_cases, verdict
from scenes.dataset import read_dataset

pytest.importorskip("mxnet")  # which the hash of scenes comes with


@pytest.fixture
def done(monkeypatch, cases_in_this_process):
    """What was trained, in order; "hourglass" fails while it is in `broken`."""
    trained, broken = [], {"hourglass"}

    def overfit(run, scenes, config, passes, file):
        name = file.stem
        trained.append((name, config, len(read_dataset(scenes)), passes))
        if name in broken:
            raise RuntimeError("out of memory")
        known = config.loss != "slope"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({
            "curve": [[8, 5.0], [16, 0.4 if known else 2.0]], "mean_px": 0.4 if known else 2.0, "largest_px": 3.0,
            "visible_px": 0.4, "visible_count": 12, "covered_px": None, "covered_count": 0,
            "onnx_difference": 1e-3 if config.maps == "shared" else 1e-7, "output_range": 1.0}))

    monkeypatch.setattr(corner_overfit, "overfit", overfit)
    return trained, broken


def test_every_case_is_told_and_what_failed_is_tried_again(tmp_path, make_sheets, done):
    trained, broken = done
    request = Request(tmp_path / "out", data=(make_sheets("data", 12),), results=tmp_path / "copy")
    outcome = EXPERIMENTS["corner-overfit"].run(request)
    assert outcome.faults == {"hourglass": "out of memory"} and outcome.results["missing"] == ["hourglass"]
    assert len(trained) == 12 and all(count == 4 and not config.augment for _, config, count, _ in trained)
    headings, cells = outcome.table
    rows = {line[0]: line for line in cells}
    assert {len(line) for line in cells} == {len(headings)} and "hourglass" not in rows
    assert rows["SimplePose-R18"] == ["SimplePose-R18", "l2", "each", "rgb", "16", "0.40", "0.40", "-", "3.00",
                                      "1.0e-07", "learnt, ONNX the same"]
    assert rows["regression"][1:3] == ["coordinates", "-"] and rows["input mask"][3] == "mask"
    assert rows["loss slope"][-1] == "not learnt, ONNX the same"
    assert rows["maps shared"][-1] == "learnt, ONNX differs"
    for folder in (tmp_path / "out", tmp_path / "copy"):
        assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(outcome.results))
        assert "| loss ohkm | ohkm | each | rgb | 16 | 0.40 |" in (folder / "README.md").read_text()
        assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    broken.clear()
    trained.clear()
    outcome = EXPERIMENTS["corner-overfit"].run(request)
    assert [name for name, *_ in trained] == ["hourglass"] and not outcome.faults and not outcome.results["missing"]
    picture = tmp_path / "data" / "images" / "000000.jpg"
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="scenes_sha256 was"):
        EXPERIMENTS["corner-overfit"].run(request)


def test_nothing_is_told_where_nothing_was_done(tmp_path, make_sheets, done):
    done[1].update(["SimplePose-R18"])
    scale = replace(SCALES["quick"], cases=SCALES["quick"].cases[:1])
    outcome = run_cases(scale, Request(tmp_path / "out", data=(make_sheets("data", 12),)))
    assert outcome.results is None and list(outcome.faults) == ["SimplePose-R18"]


def test_scenes_have_all_four_corners_in_the_photo(tmp_path, make_sheets):
    data = make_sheets("data", 12)
    document = json.loads((data / "annotations.json").read_text())
    # One corner out of the photo, one that nobody knows, one beyond the border by half a pixel.
    document["annotations"][0]["keypoints"][:3] = [-20, 40, 0]
    document["annotations"][1]["keypoints"][:3] = [-1, -1, 0]
    document["annotations"][2]["keypoints"][:2] = [-0.5, 40]
    (data / "annotations.json").write_text(json.dumps(document))
    assert [sample.name for sample in chosen_scenes(data, 2)] == ["000003", "000004"]
    with pytest.raises(ValueError, match=r"has 8 training scenes .* 9 are needed"):  # one is held out
        chosen_scenes(data, 9)
    with pytest.raises(ValueError, match="0 datasets are given"):
        EXPERIMENTS["corner-overfit"].run(Request(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_every_model_loss_and_kind_of_maps_is_a_case():
    from keypoints.config import CHOICES, MODELS

    for scale in SCALES.values():
        configs = [scale.config(case) for case in scale.cases]
        assert {config.model for config in configs} == set(MODELS)
        for name in ("loss", "maps", "input"):
            assert {getattr(config, name) for config in configs} == set(CHOICES[name])
        # Whole batches, and whole epochs of the image steps that are meant.
        assert all(scale.scenes * scale.passes % config.batch == 0 for config in configs)
        assert all(case.image_steps == config.epochs * scale.scenes * scale.passes
                   for case, config in zip(scale.cases, configs, strict=True))
    names = [case.file_name for case in make_cases(lambda settings: 16)]
    assert len(set(names)) == len(names) and not any(" " in name for name in names)


def test_a_verdict_has_two_halves():
    found = {"mean_px": 0.5, "onnx_difference": 1e-4, "output_range": 1.0}
    assert verdict(found) == "learnt, ONNX the same"
    assert verdict(found | {"mean_px": 0.51, "onnx_difference": 2e-4}) == "not learnt, ONNX differs"
