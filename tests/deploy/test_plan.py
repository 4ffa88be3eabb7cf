"""The sheet from above: lengths on the picture are the millimetres that were measured."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from deploy.drawing import captions, filled
from deploy.feet import HEEL, TOES
from deploy.meter import FootMeter
from deploy.plan import MARGIN_MM, SHEET_COLOUR, draw_plan, measured_lines
from scenes.images import Photo

_spec = importlib.util.spec_from_file_location("drawn_scenes", Path(__file__).with_name("test_meter.py"))
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)


@pytest.fixture(scope="module", params=["left", "right"])
def measured(request):
    rgb, labels, corners = drawn.draw_scene(drawn.camera_above(), request.param)
    return rgb, FootMeter(drawn.networks_of(labels, corners)).measure(Photo(rgb, drawn.FOCAL))


def test_lines_are_as_long_as_what_was_measured(measured):
    _, measurement = measured
    foot, = measurement.feet
    camera = measurement.sheet.camera
    lines = measured_lines(foot, camera)
    ends = camera.project(np.column_stack([[lines.heel, lines.toe], [HEEL.height_mm, TOES.height_mm]]))
    assert np.abs(ends - [foot.heel, foot.toe]).max() < 0.01
    pixel_mm = 1.5
    assert np.hypot(*(lines.toe - lines.heel)) == pytest.approx(foot.length_mm, abs=pixel_mm)
    breadth = np.subtract(*lines.breadth)
    assert np.hypot(*breadth) == pytest.approx(foot.width_mm)
    assert abs(breadth @ lines.along) < 1e-6
    # Across the ball, which is about seven tenths of the length from the heel.
    middle = (lines.breadth[0] + lines.breadth[1]) / 2
    assert 0.5 < (middle - lines.heel) @ lines.along / foot.length_mm < 0.9
    assert abs((middle - lines.heel) @ [lines.along[1], -lines.along[0]]) < 0.2 * foot.width_mm


def test_the_sheet_is_to_scale(measured):
    rgb, measurement = measured
    plan = draw_plan(rgb, measurement, 642, 1.0)  # 2 px a millimetre of A4 with its margins
    assert plan.shape[0] == 642 and plan.dtype == np.uint8
    blue = np.abs(plan.astype(int) - SHEET_COLOUR).sum(axis=2) < 40
    columns, rows = np.flatnonzero(blue.mean(axis=0) > 0.5), np.flatnonzero(blue.mean(axis=1) > 0.5)
    assert np.ptp(columns) == pytest.approx(420, abs=4) and np.ptp(rows) == pytest.approx(594, abs=4)
    assert columns.min() == pytest.approx(2 * MARGIN_MM, abs=3)
    # The floor is faded, the foot is not, a third of its length from its heel and beside the line that is drawn there.
    foot, = measurement.feet
    lines = measured_lines(foot, measurement.sheet.camera)
    place = lines.heel + 0.33 * foot.length_mm * lines.along + 12 * np.array([lines.along[1], -lines.along[0]])
    x, y = np.rint(2 * (place * [1, -1] + [105 + MARGIN_MM, 148.5 + MARGIN_MM])).astype(int)
    skin, floor = plan[y - 2 : y + 3, x - 2 : x + 3], plan[4:9, 4:9]
    assert np.abs(np.median(skin, axis=(0, 1)) - [176, 128, 104]).max() < 12
    assert np.abs(np.median(floor, axis=(0, 1)) - (0.45 * np.array([95, 80, 70]) + 0.55 * 255)).max() < 12


def test_captions_are_broken_between_words():
    one = captions(600, [("a few words", (255, 255, 255))], 1.0)
    two = captions(600, [("a few words " * 10, (255, 255, 255))], 1.0)
    assert one.shape[1] == two.shape[1] == 600 and two.shape[0] > one.shape[0]


def test_filled_is_the_inside():
    assert filled(np.array([[1, 1], [3, 1], [3, 3], [1, 3]]), (6, 5)).sum() == 9
