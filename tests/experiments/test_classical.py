"""The experiment on drawn sheets, with networks that find nothing; its figures where they can be computed by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import deploy.meter
from deploy.meter import SheetError
from experiments import classical
from experiments.catalogue import EXPERIMENTS, Request
from experiments.classical import feet_errors, figures_of, read_lines


class Blind:
    """An Answerer that never finds a sheet; counts what it is asked."""

    def __init__(self):
        self.asked = 0

    def ask(self, photo):
        self.asked += 1
        raise SheetError("sheet_not_found", "no sheet")


@pytest.fixture
def blind(monkeypatch, run_tasks_here):
    networks = Blind()
    monkeypatch.setattr(deploy.meter, "load_networks", lambda folder, threads: networks)
    monkeypatch.setattr(classical, "run_with_progress", run_tasks_here)
    return networks


def test_both_are_asked_and_what_is_measured_is_not_measured_again(tmp_path, blind, make_sheets):
    request = Request(tmp_path / "out", test=make_sheets("scenes", 3), split="train", threads=1,
                      photos=make_sheets("photos", 2, 7), results=tmp_path / "copy")
    outcome = EXPERIMENTS["classical"].run(request)
    assert not outcome.faults and blind.asked == 3 + 2 + 2  # the first photo of each set twice
    found = outcome.results["sets"]
    told, nothing = (found["scenes"]["all"][method] for method in ("classical", "networks"))
    # The photos are small: a corner of one is off by a little more than counts as found.
    assert told["answered"] == 3 and told["found"] >= 2 and nothing["answered"] == 0
    assert told["sheet_iou"] > 0.6 and nothing["sheet_iou"] == 0
    assert found["photos"]["all"]["classical"]["visible"]["count"] == 2 * 3
    assert found["photos"]["all"]["classical"]["sheet_iou"] is None  # annotated photos have corners alone
    assert found["photos"]["both"]["classical"]["photos"] == 0 and found["photos"]["worst"]["networks"] == [None, None]
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "3 scenes (scenes, split train) and 2 annotated photos" in text and str(tmp_path) not in text
    file = tmp_path / "out" / "measured" / "networks-scenes.jsonl"
    lines = file.read_text().splitlines()
    file.write_text(lines[0] + "\n" + lines[1][:20])  # as if it had been stopped while it wrote
    again = EXPERIMENTS["classical"].run(request)
    assert blind.asked == 7 + 1 + 2 and again.results["sets"] != {}
    assert [line["photo"] for line in read_lines(file)] == [json.loads(line)["photo"] for line in lines]
    with pytest.raises(ValueError, match="threads was 1, is 2"):
        EXPERIMENTS["classical"].run(Request(request.out, test=request.test, split="train", photos=request.photos,
                                             threads=2))


def test_scenes_are_needed(tmp_path):
    with pytest.raises(ValueError, match="--test DIR"):
        EXPERIMENTS["classical"].run(Request(tmp_path))


def foot(heel, toe, side="left", length_mm=250.0, width_mm=100.0):
    return SimpleNamespace(heel=np.array(heel, float), toe=np.array(toe, float), side=side, length_mm=length_mm,
                           width_mm=width_mm)


def test_feet_are_matched_to_the_nearest():
    truth = [vars(foot((0, 0), (0, 100))), vars(foot((60, 0), (60, 100), "right")), vars(foot((900, 0), (900, 100)))]
    measured = [foot((58, 0), (58, 98), "left", 253.0, 99.0), foot((10, 4), (10, 104), "left", 240.0, 104.0)]
    assert feet_errors(measured, truth) == [
        {"side": True, "length_mm": -10.0, "width_mm": 4.0}, {"side": False, "length_mm": 3.0, "width_mm": -1.0}, None]
    near_both = foot((25, 0), (25, 100))
    assert [one is None for one in feet_errors([near_both], truth)] == [False, True, True]  # it is not two
    assert feet_errors([], []) == []


def line(corners, feet=(), error=None, pixels=None):
    return {"photo": "one", "milliseconds": 10.0, "cpu_milliseconds": 9.0, "error": error, "corners": corners,
            "visibility": [2, 2, 1, 0], "pixels": pixels, "feet": list(feet)}


def test_figures_of_few_lines():
    good, missed = line([0.1, 0.3, 2.0, None], [{"side": True, "length_mm": -4.0, "width_mm": 2.0}]), line(
        [None] * 4, [None], "sheet_not_found")
    # Sheet: 6 right, 2 called background, 0 wrongly; feet: 3 right, 1 called sheet.
    wrong = line([0.1, 0.3, 3.5, None], [{"side": False, "length_mm": 90.0, "width_mm": 9.0}],
                 pixels=[[10, 0, 0], [2, 6, 0], [0, 1, 3]])
    found = figures_of({"classical": [good, missed, wrong], "networks": [good, good, wrong]})
    told = found["all"]["classical"]
    counts = [told[key] for key in ("answered", "found", "feet", "feet_measured", "sides_right")]
    assert counts == [2, 1, 3, 2, 1]
    assert told["visible"]["median"] == pytest.approx(0.2) and told["covered"]["median"] == pytest.approx(2.75)
    assert told["sheet_iou"] == pytest.approx(6 / 9, abs=1e-6) and told["feet_iou"] == pytest.approx(3 / 4)
    assert told["length_mm"] == {"count": 1, "mean": 4.0, "median": 4.0, "p95": 4.0}  # no foot of a wrong sheet
    assert found["all"]["networks"]["found"] == 2 and found["both"]["networks"]["photos"] == 1
    assert found["worst"] == {"classical": [2.0, None, 3.5], "networks": [2.0, 2.0, 3.5]}
