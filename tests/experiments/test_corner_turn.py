"""The whole experiment with a network's answers replaced by the truth, moved."""

import json

import numpy as np
import pytest

pytest.importorskip("mxnet")

import keypoints.subject
from experiments import corner_turn
from experiments.catalogue import EXPERIMENTS, Request
from experiments.corner_turn import curves_of, turn_all, turn_scales
from keypoints.predictions import Predictions
from keypoints.subject import Truth
from scenes.dataset import read_dataset

OFF_PX = 2.0  # of a diagonal of 200: 1 %


class Answers:
    """A Subject whose corners are off to the right, five times as far where the photo is turned by 45 degrees."""

    def __init__(self, samples):
        self.truth, self.names = Truth.of_samples(samples), [sample.name for sample in samples]

    def predictions(self, condition=None):
        far = 5 if condition and condition.value % 90 == 45 else 1
        points = self.truth.corners + [far * OFF_PX, 0]
        flat = np.zeros(points.shape[:2])
        return Predictions(self.names, {"dark": points}, {"dark": flat}, {"dark": None}, {})


@pytest.fixture
def answers(monkeypatch):
    asked = []

    def open_subject(run, data, weights):
        asked.append((run.name, weights))
        return Answers(read_dataset(data))

    monkeypatch.setattr(keypoints.subject, "open_subject", open_subject)
    monkeypatch.setattr(corner_turn, "run_with_progress", lambda tasks, workers, logs: [
        task.function(*task.arguments) for task in tasks] and {})
    return asked


def set_corners(data, keypoints):
    """Give every photo of a dataset the same corners."""
    document = json.loads((data / "annotations.json").read_text())
    for annotation in document["annotations"]:
        annotation["keypoints"] = keypoints
    (data / "annotations.json").write_text(json.dumps(document))
    return data


def test_a_network_that_is_torn_has_a_bump(tmp_path, answers, make_sheets, make_run):
    runs = (("torn", make_run("torn")), ("other", make_run("other")))
    data = set_corners(make_sheets("test", 6), [30, 40, 2, 90, 40, 2, 90, 120, 1, 30, 120, 2])
    request = Request(tmp_path / "out", runs=runs, test=data, results=tmp_path / "copy")
    outcome = EXPERIMENTS["corner-turn"].run(request)
    assert answers == [("torn", "best"), ("other", "best")] and not outcome.faults
    told = outcome.results["curves"]["torn"]
    # Quick: four photos, turned by every 45 degrees; their sheets are upright, and a corner of four is covered.
    assert told["by_direction"] == told["by_turn"]
    assert [point["degrees"] for point in told["by_turn"]] == list(range(0, 360, 45))
    assert {point["count"] for point in told["by_turn"]} == {4 * 3}
    by_turn = {point["degrees"]: point["median"] for point in told["by_turn"]}
    # The sheet is small: nothing has to shrink.
    assert by_turn[0] == pytest.approx(1.0) and by_turn[45] == pytest.approx(5.0) == told["at_jump"]["median"]
    headings, cells = outcome.table
    assert len(headings) == len(cells[0]) and [line[0] for line in cells] == ["torn", "other"]
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "| torn | simple_pose_resnet18_v1b | each |" in text and "| 45 | 5.00 | 5.00 | 5.00 | 5.00 |" in text
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    answers.clear()
    EXPERIMENTS["corner-turn"].run(request)
    assert not answers  # nothing is asked twice
    (runs[0][1] / "best.params").write_bytes(b"others")
    with pytest.raises(ValueError, match="runs was"):
        EXPERIMENTS["corner-turn"].run(request)


def test_errors_are_those_of_what_the_network_sees(tmp_path, monkeypatch, answers, make_sheets):
    """A sheet that fills a photo becomes smaller as it is turned, and so does an error."""
    data = set_corners(make_sheets("test", 1), [5, 5, 2, 114, 5, 2, 114, 154, 2, 5, 154, 1])
    truth = Truth.of_samples(read_dataset(data))
    assert turn_scales(truth, 180)[0] == pytest.approx(1.0)
    # At a quarter turn the sheet's 149 px lie along 120, of which 2 % on both sides are left.
    assert turn_scales(truth, 90)[0] == pytest.approx(0.96 * 60 / 74.5, rel=0.01)
    turn_all(tmp_path / "run", data, (0, 90), tmp_path / "turned.json")
    first, second = json.loads((tmp_path / "turned.json").read_text())
    assert first["errors"][0] == pytest.approx([1.0, 1.0, 1.0, None])
    assert second["errors"][0][:3] == pytest.approx([turn_scales(truth, 90)[0]] * 3)
    assert (first["directions"], second["directions"]) == ([0.0], [90.0])


def test_errors_are_binned_by_direction_and_by_turn():
    turned = [{"turn": 0, "directions": [-50.0, None], "errors": [[1.0, None, 3.0, None], [9.0] * 4]},
              {"turn": 90, "directions": [40.0, None], "errors": [[5.0, None, None, None], [None] * 4]}]
    told = curves_of(turned)
    assert [(point["degrees"], point["count"], point["median"]) for point in told["by_direction"]] == [
        (45, 1, 5.0), (315, 2, 2.0)]
    assert [(point["degrees"], point["count"]) for point in told["by_turn"]] == [(0, 6), (90, 1)]
    # A sheet of no known direction is neither here nor there.
    assert told["at_jump"]["count"] == 3 and told["elsewhere"]["median"] is None


@pytest.mark.parametrize(("options", "word"), [
    ({}, "needs networks and photos"), ({"test": "test"}, "needs networks"), ({"runs": True}, "needs networks"),
    ({"runs": True, "test": "test", "split": "validation"}, "no photos of split validation"),
])  # fmt: skip
def test_what_cannot_be_run_is_said_before_anything_is_made(options, word, tmp_path, make_sheets, make_run):
    if "runs" in options:
        options = options | {"runs": (("one", make_run("one")),)}
    if "test" in options:
        options = options | {"test": make_sheets("test", 2)}
    with pytest.raises(ValueError, match=word):
        EXPERIMENTS["corner-turn"].run(Request(tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()
