"""The verdict by hand, and the whole experiment with a network that is too small and hardly taught."""

import json

import numpy as np
import pytest

from experiments import figure57
from experiments.catalogue import EXPERIMENTS, Request
from experiments.displacement import DESTROYED, GROWS, NOTHING, SHIFTS
from experiments.displacement_causes import CAUSES
from experiments.figure57 import SCALES, Scale, content_box, networks_of, photos_of, run_causes
from experiments.figure57_report import HEADINGS, brief, cells, markdown, verdict
from scenes.images import InputSpec

TINY = Scale(side=83, steps=2, photos=1, released=False)


def told(what=NOTHING, shift=0.0):
    """What is told of a cause that shifts a mask to the right, by as much everywhere."""
    place = [shift, 0.0]
    one = {"shift": place, "centroid": place}
    return {"shift": place, "first": place, "last": place, "spread": 0.0, "changed": 0.0 if what == NOTHING else 0.04,
            "explained": None if what == NOTHING else 0.1 if what == DESTROYED else 0.9, "mean_iou": 0.8,
            "classes": {"sheet": one, "left_foot": None, "right_foot": one}, "kind": what, "parity": what == NOTHING}


def document(**causes):
    """Results in which nothing does anything but the causes that are given."""
    found = {name: causes.get(name, told()) for name in CAUSES}
    return {"scale": "quick", "date": "2026-01-02", "missing": [], "configuration": {"photos_sha256": {"one.jpg": "0"}},
            "networks": {"small 100x100": {"input": [100, 100], "ours": {"OpenVINO": told()}, "causes": found}}}


def test_one_cause_alone_would_be_named():
    found = verdict(document(asymmetric=told(SHIFTS, -7.4), pad_begin=told(SHIFTS, 0.9), bars=told(DESTROYED, 40.0)))
    assert found["candidates"] == ["asymmetric"] and "map pixels `asymmetric`" in found["text"]
    assert found["others"]["bars"] == [DESTROYED] and found["others"]["one_less"] == [NOTHING]


def test_of_several_none_can_be_told():
    several = document(asymmetric=told(SHIFTS, -7.4), factor_up=told(GROWS, 3.5), factor_down={"not_there": "whole"})
    found = verdict(several)
    assert found["candidates"] == ["asymmetric", "factor_up"] and found["text"] == "cannot be told"
    assert found["others"]["factor_down"] == ["cannot arise"]
    text = markdown(several | {"verdict": found})
    assert "**Cannot be told.**" in text and f"- {CAUSES['factor_up'].text}\n" in text
    assert "cannot arise: whole" in text and "Displaces nothing: " in text and "-0.0" not in text


def test_a_line_says_what_became_of_the_mask():
    lines = cells(document(asymmetric=told(SHIFTS, -7.44), bars=told(DESTROYED, 40.0))["networks"]["small 100x100"])
    assert len(lines) == 1 + len(CAUSES) and {len(line) for line in lines} == {len(HEADINGS)}
    by_name = dict(zip(["ours", *CAUSES], lines, strict=True))
    assert by_name["ours"][1:] == ["0.0, 0.0", "0.0, 0.0", "0.0, 0.0", "0.0, 0.0", "-", "0.0, 0.0", "0.00", "0.800",
                                   "-", NOTHING, "passes"]
    assert by_name["asymmetric"][1] == "-7.4, 0.0" and by_name["asymmetric"][-3:] == ["90", SHIFTS, "fails"]
    assert by_name["bars"][1:7] == ["-"] * 6 and by_name["bars"][-2] == DESTROYED


@pytest.mark.parametrize(("size", "box"), [((720, 960), (59, 0, 355, 473)), ((960, 720), (0, 59, 473, 355)),
                                           ((500, 500), (0, 0, 473, 473))])  # fmt: skip
def test_where_a_photo_is_in_the_input(size, box):
    assert tuple(content_box(size, InputSpec(473, 473, "letterbox"))) == box


def test_the_shown_photo_is_the_first():
    assert [path.stem for path in photos_of(SCALES["quick"])] == ["two_feet", "bare_foot"]
    assert len(photos_of(SCALES["paper"])) == 5


def test_a_name_that_is_taken_is_refused(tmp_path):
    with pytest.raises(ValueError, match="called released already"):
        networks_of(SCALES["paper"], Request(tmp_path, runs=(("released", tmp_path),)))
    with pytest.raises(ValueError, match="no run of `foliopie segmentation train`"):
        networks_of(SCALES["quick"], Request(tmp_path, runs=(("other", tmp_path),)))


@pytest.mark.slow
def test_the_whole_experiment(tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    done = []
    monkeypatch.setattr(figure57, "run_with_progress", lambda tasks, workers, logs: [
        done.append(task.name) or task.function(*task.arguments) for task in tasks] and {})
    monkeypatch.setattr(figure57, "limit_tensorflow", lambda threads: None)  # too late in a process of many tests
    request = Request(tmp_path / "out", results=tmp_path / "copy")
    outcome = run_causes(TINY, request)
    assert done == ["networks/thesis-s-form--small-83x83", "causes/thesis-s-form--small-83x83"]
    found = outcome.results["networks"]["thesis's form, small 83x83"]
    for runtime in ("ONNX Runtime", "OpenVINO"):
        assert found["ours"][runtime]["parity"] and found["ours"][runtime]["kind"] == NOTHING
        assert np.abs(found["ours"][runtime]["shift"]).max() < 0.01
    assert set(found["causes"]) == set(CAUSES) and not found["causes"]["asymmetric"]["parity"]
    # 83 pixels become 6 of features: 42, 21 and 11 are between, of which the first is even.
    assert found["causes"]["pad_end"]["parity"] and not found["causes"]["pad_begin"]["parity"]
    assert found["causes"]["upsample"]["largest_difference"] == pytest.approx(
        found["causes"]["asymmetric"]["largest_difference"], abs=1e-5)
    assert outcome.table == brief(found)
    for folder in ("out", "copy"):
        assert (tmp_path / folder / "figure.png").read_bytes().startswith(b"\x89PNG")
        assert str(tmp_path) not in (tmp_path / folder / "results.json").read_text()
    assert json.loads((tmp_path / "copy" / "results.json").read_text())["verdict"] == outcome.results["verdict"]
    run_causes(TINY, request)
    assert len(done) == 2  # nothing is done twice
    with pytest.raises(ValueError, match="steps was 2, is 3"):
        run_causes(Scale(side=83, steps=3, photos=1, released=False), request)


def test_it_is_in_the_catalogue():
    assert EXPERIMENTS["figure57"].options == ("run",) and EXPERIMENTS["figure57"].committed == "results/figure57"
