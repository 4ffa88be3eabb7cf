"""The gate's figures on a drawn scene, where each is known by hand, and what is said at their limits."""

import dataclasses
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from deploy import gate
from deploy.gate import (
    Figures,
    SheetError,
    cautions,
    check,
    explained,
    flat_share,
    look,
    paper_on_border,
    second_sheet_share,
)
from experiments.gate_faults import outside
from scenes.camera import decide_sheet
from scenes.labels import BACKGROUND, LEFT_FOOT, SHEET
from scenes.sheet import A4, order_corners

# Test folders are no packages: the drawn scenes of the meter's tests are loaded by their path.
_spec = importlib.util.spec_from_file_location("drawn_scenes", Path(__file__).with_name("test_meter.py"))
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)

GOOD = Figures(side_px=900.0, level=210.0, burnt_share=0.0, edge_mm=1.0, outside_share=0.0, border_sides=0.0,
               second_share=0.0, notches=(0.0, 0.0), flat_share=0.1)


def figures_of(rgb, labels, corners):
    corners = np.asarray(corners, float)[order_corners(np.asarray(corners, float))]
    return look(rgb, labels, decide_sheet(corners, (rgb.shape[1], rgb.shape[0]), None, ("a4",)), corners)


@pytest.fixture(scope="module")
def scene():
    return drawn.draw_scene(drawn.camera_above(0.0))


def px_per_mm(corners):
    return np.linalg.norm(corners[1] - corners[0]) / 210


def test_figures_of_a_good_photo(scene):
    figures = figures_of(*scene)
    assert figures.level == pytest.approx(224, abs=2)  # the grey of (222, 224, 228)
    assert figures.side_px == pytest.approx(px_per_mm(scene[2]) * (210 + 297) / 2, rel=0.01)
    assert figures.burnt_share == figures.outside_share == figures.border_sides == figures.second_share == 0
    assert figures.notches == (0, 0) and figures.flat_share < 0.01
    assert figures.edge_mm < 2.0
    check(figures)


@pytest.mark.parametrize("sigma_mm", [2.0, 3.0])
def test_an_edge_is_as_wide_as_it_was_blurred_at_any_size(scene, sigma_mm):
    rgb, labels, corners = scene
    blurred = cv2.GaussianBlur(rgb, (0, 0), sigma_mm * px_per_mm(corners))
    small = cv2.resize(blurred, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    small_labels = cv2.resize(labels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    widths = [figures_of(*photo).edge_mm
              for photo in ((blurred, labels, corners), (small, small_labels, (corners + 0.5) / 2 - 0.5))]
    # Contrast over the steepest slope of an edge under a Gaussian is sigma sqrt(2 pi).
    assert widths == pytest.approx([sigma_mm * np.sqrt(2 * np.pi)] * 2, rel=0.15)


def test_a_smear_along_one_side_is_seen_on_the_two_sides_across(scene):
    rgb, labels, corners = scene
    smeared = cv2.blur(rgb, (int(round(7 * px_per_mm(corners))), 1))
    assert figures_of(smeared, labels, corners).edge_mm == pytest.approx(7.0, rel=0.15)


def test_no_edge_is_measured_where_floor_and_paper_are_alike(scene):
    _, labels, corners = scene
    assert figures_of(np.full((*labels.shape, 3), 200, np.uint8), labels, corners).edge_mm is None


@pytest.mark.parametrize(("burnt", "share"), [(SHEET, 0.0), (BACKGROUND, 1.0), (LEFT_FOOT, 1.0)])
def test_what_counts_as_burnt_is_what_has_to_differ_from_paper(scene, burnt, share):
    rgb, labels, corners = scene
    rgb = rgb.copy()
    rgb[labels == burnt] = 255
    assert figures_of(rgb, labels, corners).burnt_share == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("shift_mm", [-100.0, -200.0])
def test_the_share_outside_is_that_of_the_quadrilateral(shift_mm):
    rgb, labels, corners = drawn.draw_scene(drawn.camera_above(0.0, 560.0, (shift_mm, 0.0)), None)
    share = outside(corners, (drawn.WIDTH, drawn.HEIGHT))
    assert figures_of(rgb, labels, corners).outside_share == pytest.approx(share, abs=0.01)


def test_paper_on_the_border_is_counted_if_it_is_of_this_sheet():
    mask = np.full((100, 80), SHEET, np.uint8)
    mask[:, 60:] = BACKGROUND
    quad = np.array([[0, 20], [59, 20], [59, 80], [0, 80]], float)
    # On the left border, grown by 4 % to either side: rows 18 to 82.
    assert paper_on_border(mask, quad) == pytest.approx(65, abs=1)
    assert paper_on_border(mask, quad + [15, 0]) == 0
    mask[30:, 0] = BACKGROUND
    assert paper_on_border(mask, quad) == pytest.approx(12, abs=1)


def test_a_sheet_beside_the_sheet():
    labels = np.zeros((400, 400), np.uint8)
    quad = np.array([[50, 50], [180, 50], [180, 250], [50, 250]], float)
    cv2.fillConvexPoly(labels, quad.astype(np.int32), SHEET)
    assert second_sheet_share(labels, quad) == 0.0
    labels[100:300, 250:380] = SHEET
    assert second_sheet_share(labels, quad) == pytest.approx(1.0, abs=0.01)


def overlapping(across, leg=None):
    """(rgb, labels, corners) from above at 2 px a mm: two A4 on wood, the second below the first, upright or across;
    leg: colour of what lies over the lower one's left half."""
    labels = np.zeros((1400, 1000, 1), np.uint8)[..., 0]
    labels[200:620, 200:794] = SHEET  # across
    low = slice(290, 710) if across else slice(200, 794)
    labels[600:1194, low] = SHEET
    rgb = np.where(labels[..., None] == SHEET, 225, np.array([120, 90, 60])).astype(np.int16)
    if leg is not None:
        labels[640:1400, 100:500] = BACKGROUND
        rgb[640:1400, 100:500] = leg
    rgb = np.clip(rgb + np.random.default_rng(0).normal(0, 3, (*labels.shape, 1)), 0, 255).astype(np.uint8)
    # What a network says that takes both for one.
    return rgb, labels, np.array([[200, 200], [793, 200], [793, 1040], [200, 1040]], float)


def test_floor_between_edges_of_overlapping_sheets_is_a_notch():
    larger, smaller = figures_of(*overlapping(True)).notches
    assert larger >= smaller > 2 * gate.NOTCH_SHARES[0]
    assert figures_of(*overlapping(False)).notches == (0, 0)
    # A leg over one notch and the paper beside it is no floor, and leaves one notch.
    assert figures_of(*overlapping(True, leg=(60, 70, 160))).notches[1] == 0


def test_floor_beside_feet_is_no_notch():
    """Between feet, or feet and legs, much looks like floor."""
    rgb, labels, corners = overlapping(True)
    for across in (slice(290, 350), slice(650, 710)):
        labels[700:900, across], rgb[700:900, across] = LEFT_FOOT, (190, 140, 110)
    assert figures_of(rgb, labels, corners).notches == (0, 0)


def test_what_is_behind_the_camera_is_not_in_the_photo():
    camera = drawn.camera_above(75.0, 200.0)
    decision = SimpleNamespace(format=A4, long_side="vertical", camera=camera)
    size = drawn.HEIGHT, drawn.WIDTH
    plan = gate._Plan(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8), np.ones(2), decision)
    # The grid begins 248 mm before the sheet's middle, and the camera stands 193 mm before it.
    assert camera.position_mm[1] == pytest.approx(-193, abs=1)
    assert plan.inside.any() and not plan.inside[: int(40 / gate.STEP_MM)].any()


def test_flatness_is_told_where_nothing_is_burnt():
    noise = np.random.default_rng(0).integers(100, 110, (200, 300, 3), dtype=np.uint8)
    assert flat_share(np.full((200, 300, 3), 90, np.uint8)) == 1.0
    assert flat_share(noise) == 0.0
    half = noise.copy()
    half[:, :150] = 90
    assert flat_share(half) == pytest.approx(0.5, abs=0.03)
    half[:, :150] = 255
    assert flat_share(half) == 0.0
    assert flat_share(np.full((200, 300, 3), 255, np.uint8)) == 0.0


@pytest.mark.parametrize(("figure", "limit", "beyond", "code"), [
    ("side_px", gate.SMALL_SIDE_PX, -1, "sheet_small"), ("level", gate.DARK_LEVEL, -1, "too_dark"),
    ("burnt_share", gate.BURNT_SHARE, 0.01, "overexposed"), ("edge_mm", gate.EDGE_MM, 0.1, "blurred"),
    ("second_share", gate.SECOND_SHEET_SHARE, 0.01, "more_than_one_sheet"),
    ("flat_share", gate.FLAT_SHARE, 0.01, "not_a_photo"),
])  # fmt: skip
def test_a_figure_beyond_its_limit_is_said_and_nothing_else(figure, limit, beyond, code):
    assert said(dataclasses.replace(GOOD, **{figure: limit})) == []
    assert said(dataclasses.replace(GOOD, **{figure: limit + beyond})) == [code]


def test_no_edge_is_no_blurred_edge():
    assert said(dataclasses.replace(GOOD, edge_mm=None)) == []


def test_two_notches_are_two_sheets_unless_one_is_as_large_as_a_leg():
    small, large = gate.NOTCH_SHARES
    assert said(dataclasses.replace(GOOD, notches=(2 * small, 2 * small))) == ["more_than_one_sheet"]
    assert said(dataclasses.replace(GOOD, notches=(2 * small, 0.0))) == []
    assert said(dataclasses.replace(GOOD, notches=(2 * large, 2 * small))) == []


def foot(**changed):
    return SimpleNamespace(**{"touches_border": False, "share_on_sheet": 1.0, "heel_hidden": False, **changed})


@pytest.mark.parametrize(("feet", "codes"), [
    ([], ["foot_not_found"]), ([foot(touches_border=True)], ["foot_cut_off"]), ([foot()], []),
    ([foot(), foot(share_on_sheet=gate.OVER_EDGE_SHARE - 0.01)], ["foot_over_edge"]),
    ([foot(share_on_sheet=gate.OVER_EDGE_SHARE)], []), ([foot(heel_hidden=True)], ["heel_hidden"]),
])  # fmt: skip
def test_what_is_said_of_feet(feet, codes):
    assert said(GOOD, feet) == codes


def said(figures, feet=None):
    decision = SimpleNamespace(confidence=0.99, format=SimpleNamespace(name="a4"), camera=SimpleNamespace(tilt_deg=5.0))
    corners = [SimpleNamespace(state="visible")] * 4
    return [caution.code for caution in cautions(figures, decision, corners, [foot()] if feet is None else feet, True)]


@pytest.mark.parametrize("changed", [
    {"outside_share": gate.CUT_OFF_SHARE + 0.01}, {"border_sides": gate.BORDER_SIDES + 0.01},
])  # fmt: skip
def test_a_sheet_of_which_too_little_is_seen_is_an_error(changed):
    with pytest.raises(SheetError) as caught:
        check(dataclasses.replace(GOOD, **changed))
    assert caught.value.code == "sheet_cut_off"


def test_a_corner_outside_explains_paper_on_the_border():
    check(dataclasses.replace(GOOD, border_sides=0.5, outside_share=0.05))


NOISE = np.random.default_rng(0).normal(0, 3, (300, 400, 3))


@pytest.mark.parametrize(("rgb", "word"), [
    (20 + NOISE, "dark"), (300 + NOISE, "overexposed"), (np.full((300, 400, 3), 90), "drawing"), (120 + NOISE, "lay a"),
])  # fmt: skip
def test_why_there_is_no_sheet(rgb, word):
    error = SheetError("sheet_not_found", "lay a sheet")
    told = explained(error, np.clip(rgb, 0, 255).astype(np.uint8))
    assert told.code == "sheet_not_found" and word in told.message


def test_another_error_is_left_as_it_is():
    error = SheetError("sheet_cut_off", "cut off")
    assert explained(error, np.zeros((300, 400, 3), np.uint8)) is error
