"""Faults put into photos, and the experiment with networks that answer from the truth."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy import gate as limits
from deploy.meter import FootMeter, SheetError
from experiments import gate
from experiments.catalogue import EXPERIMENTS, Request
from experiments.gate import curve_of, grows_at, summary
from experiments.gate_faults import FAULTS, Scene, cut_off, expose, outside, shrink
from scenes.dataset import write_annotations
from scenes.sheet import transform

# Test folders are no packages: the drawn scenes of the meter's tests are loaded by their path.
_spec = importlib.util.spec_from_file_location(
    "drawn_scenes", Path(__file__).parents[1] / "deploy" / "test_meter.py")
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)


@pytest.fixture(scope="module")
def scene():
    rgb, labels, corners = drawn.draw_scene(drawn.camera_above())
    rgb = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Scene(rgb, cv2.resize(labels, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST), (corners + 0.5) / 2 - 0.5)


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_step_changes_nothing_and_each_more(scene, name):
    fault = FAULTS[name]
    first, matrix = fault.put(scene, fault.steps[0], np.random.default_rng(0))
    assert np.array_equal(first, scene.rgb) and np.array_equal(matrix, np.eye(3))
    last, _ = fault.put(scene, fault.steps[-1], np.random.default_rng(0))
    assert last.dtype == np.uint8 and (last.shape != first.shape or (last != first).mean() > 0.05)
    assert hasattr(limits, fault.limit)


def test_a_stop_is_twice_the_light():
    grey = np.full((50, 50, 3), 128, np.uint8)
    assert (expose(expose(grey, -1), 1) == pytest.approx(128, abs=1))
    assert expose(grey, 1)[0, 0, 0] == round(128 * 2 ** (1 / 2.2))
    assert expose(grey, 5).min() == 255
    dark = expose(grey, -4, np.random.default_rng(0)).astype(float)
    assert dark.std() > 1 and dark.mean() == pytest.approx(128 * 2 ** (-4 / 2.2), abs=2)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.45])
def test_as_much_is_cut_off_as_was_asked(scene, share):
    rgb, matrix = cut_off(scene, share, None)
    corners = transform(matrix, scene.corners)
    assert outside(corners, (rgb.shape[1], rgb.shape[0])) == pytest.approx(share, abs=0.01)
    x, y = corners.mean(axis=0).astype(int)
    was_x, was_y = transform(np.linalg.inv(matrix), [[x, y]])[0].astype(int)
    assert (rgb[y - 5 : y + 5, x] == scene.rgb[was_y - 5 : was_y + 5, was_x]).all()


def test_half_of_a_square_outside_is_half():
    assert outside([[-10, 0], [10, 0], [10, 20], [-10, 20]], (101, 101)) == pytest.approx(0.475, abs=1e-6)


def test_what_is_smaller_is_where_its_matrix_says(scene):
    small, matrix = shrink(scene, 0.5, None)
    assert small.shape[0] == scene.rgb.shape[0] // 2
    assert transform(matrix, [[0.5, 0.5]]) == pytest.approx(np.zeros((1, 2)))


def line(figure, corner, length=(), step=0, feet=1):
    return {"photo": "one", "step": step, "figure": figure, "corner": corner, "length": list(length),
            "breadth": list(length), "feet": feet}


def test_a_summary_by_hand():
    told = summary([line(1.0, 2.0, [4.0]), line(3.0, 4.0), line(None, None), line(5.0, 6.0, [8.0])])
    assert told == {"photos": 4, "lost": 0.25, "figure": 3.0, "missed": pytest.approx(1 / 3), "corner": 4.0,
                    "length": 6.0, "breadth": 6.0}


def test_an_error_grows_where_it_stays_grown():
    before = {"corner": 1.0, "length": 4.0, "breadth": 4.0, "lost": 0.0}
    parts = [{"from": place, "corner": corner, "length": 4.0, "breadth": None, "lost": lost}
             for place, (corner, lost) in enumerate([(2.0, 0.0), (1.2, 0.05), (1.3, 0.05), (5.0, 0.2)])]
    # A single bad part among good ones is chance; of no answer no error can be told, and it has grown.
    assert grows_at(before, parts) == {"corner": 2, "length": None, "breadth": 0, "lost": 3}


def test_a_curve_goes_from_good_to_bad_and_keeps_equal_figures_together():
    lines = [line(figure, 1.0 + (figure < 100), [4.0], step)
             for step, figures in ((0, [200.0] * 12), (3, [90.0, 80.0, 70.0, 60.0])) for figure in figures]
    told = curve_of(FAULTS["darkness"], lines)
    assert [(part["from"], part["to"], part["photos"]) for part in told["bins"]] == [
        (200.0, 200.0, 12), (90.0, 80.0, 2), (70.0, 60.0, 2)]
    assert told["grows_at"]["corner"] == 90.0 and told["grows_at"]["length"] is None
    assert told["limit"] == limits.DARK_LEVEL and [step["step"] for step in told["steps"]] == [0, 3]


@pytest.fixture
def dataset(tmp_path, scene):
    """A dataset of one photo, whose foot is as long as the meter finds it."""
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "data" / "images" / "one.png"), scene.rgb[..., ::-1])
    cv2.imwrite(str(tmp_path / "data" / "masks" / "one.png"), scene.mask)
    measured = FootMeter(drawn.networks_of(scene.mask, scene.corners)).measure(
        tmp_path / "data" / "images" / "one.png")
    foot, = measured.feet
    truth = {"side": foot.side, "length_mm": foot.length_mm, "width_mm": foot.width_mm, "heel": foot.heel.tolist(),
             "toe": foot.toe.tolist()}
    attributes = {"split": "validation", "view": "top", "sheet": {"format": "a4"}, "feet": [truth]}
    write_annotations(tmp_path / "data", [{
        "file_name": "one.png", "width": drawn.WIDTH // 2, "height": drawn.HEIGHT // 2,
        "corners": scene.corners.tolist(),
        "visibility": [2, 2, 2, 2], "attributes": attributes}])
    return tmp_path / "data"


def test_the_experiment(tmp_path, monkeypatch, scene, dataset, run_tasks_here):
    class Blind(FootMeter):
        """Finds what is there as long as the photo has its size, and nothing in others."""

        def __init__(self, networks, refuses):
            assert not refuses  # else nothing would be known of what the gate refuses
            super().__init__(drawn.networks_of(scene.mask, scene.corners), refuses=refuses)

        def measure(self, photo):
            if photo.rgb.shape != scene.rgb.shape:
                raise SheetError("sheet_not_found", "of another size")
            return super().measure(photo)

    monkeypatch.setattr("deploy.meter.FootMeter", Blind)
    monkeypatch.setattr("deploy.meter.load_networks", lambda folder, threads: None)
    monkeypatch.setattr(gate, "run_with_progress", run_tasks_here)
    request = Request(tmp_path / "out", test=dataset, results=tmp_path / "copy")
    outcome = EXPERIMENTS["gate"].run(request)
    assert not outcome.faults and set(outcome.results["faults"]) == set(FAULTS)
    small, dark = (outcome.results["faults"][name] for name in ("smallness", "darkness"))
    assert small["as_it_is"]["lost"] == 0 and [step["lost"] for step in small["steps"]] == [0, 1, 1]
    assert small["as_it_is"]["length"] == pytest.approx(0, abs=0.5)
    levels = [step["figure"] for step in dark["steps"]]
    assert levels[0] > 2 * levels[1] > 2 * levels[2]  # three stops each
    headings, cells = outcome.table
    assert len(headings) == len(cells[0]) and [row[0] for row in cells] == list(FAULTS)
    assert (tmp_path / "copy" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "## darkness: level" in (tmp_path / "copy" / "README.md").read_text()
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    # What is there is not measured again.
    monkeypatch.setattr(gate, "measure_fault", None)
    assert EXPERIMENTS["gate"].run(request).results["faults"] == outcome.results["faults"]


def test_what_has_no_truth_is_refused_before_anything_is_made(tmp_path, dataset):
    with pytest.raises(ValueError, match="--test"):
        EXPERIMENTS["gate"].run(Request(tmp_path / "out"))
    document = json.loads((dataset / "annotations.json").read_text())
    document["annotations"][0]["attributes"]["view"] = "left"
    (dataset / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="no photo of split validation from above"):
        EXPERIMENTS["gate"].run(Request(tmp_path / "out", test=dataset))
    assert not (tmp_path / "out").exists()


