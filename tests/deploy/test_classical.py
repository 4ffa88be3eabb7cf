"""The baseline without networks, on drawn photos whose answer is known; on a sample photo; where there is no sheet."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy import classical
from deploy.classical import (
    Classical,
    cluster_centres,
    clusters,
    filled_quad,
    find_sheet,
    foot_regions,
    light_stretches,
    otsu,
    paper_distance,
    pixel_classes,
    quad_scores,
    quadrilaterals,
    shrunk,
    smooth_lab,
    sureness,
    without_legs,
)
from deploy.meter import FootMeter, SheetError
from scenes.images import Photo
from scenes.labels import BACKGROUND, LEFT_FOOT, SHEET

SAMPLES = Path(classical.__file__).with_name("samples")
FLOOR, PAPER, SKIN = (90, 80, 70), (225, 225, 220), (150, 95, 70)
# 210 x 297 pixels, upright: a pixel is a millimetre.
UPRIGHT = np.array([[75.0, 60.0], [285.0, 60.0], [285.0, 357.0], [75.0, 357.0]])
SLANTED = np.array([[112.0, 70.0], [300.0, 110.0], [250.0, 390.0], [52.0, 330.0]])


def draw(corners, covers=(), size=(440, 360)):
    """A photo uint8 (h, w, 3) of paper on floor; covers: (polygon or (x, y, radius), colour)."""
    rgb = np.full((*size, 3), FLOOR, np.uint8)
    cv2.fillPoly(rgb, [np.rint(corners * 16).astype(np.int32)], PAPER, shift=4, lineType=cv2.LINE_AA)
    for shape, colour in covers:
        if np.ndim(shape) == 1:
            cv2.circle(rgb, tuple(shape[:2]), shape[2], colour, -1)
        else:
            cv2.fillPoly(rgb, [np.array(shape, np.int32)], colour)
    noise = np.random.default_rng(1).normal(0, 3, (*size, 1))
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


def test_clusters_are_numbered_from_the_lightest_and_the_same_each_time():
    bands = np.array([[50, 128, 128], [200, 120, 130], [120, 140, 110]], np.uint8)
    lab = np.repeat(np.repeat(bands[:, None], 16, axis=1), 16, axis=0)
    numbers, centres = clusters(lab, 3)
    np.testing.assert_allclose(centres, [[200, 120, 130], [120, 140, 110], [50, 128, 128]])
    assert [np.unique(numbers[16 * band : 16 * band + 16]).tolist() for band in range(3)] == [[2], [0], [1]]
    cv2.setRNGSeed(7)
    np.testing.assert_array_equal(clusters(lab, 3)[0], numbers)
    assert len(cluster_centres(lab[0, :2], 8)) == 2


def test_four_stretches_make_the_quadrilateral_whose_sides_they_lie_on():
    following = np.roll(SLANTED, -1, axis=0)
    # Each is the second quarter of its side alone; a corner is where two of them would meet.
    stretches = np.column_stack([SLANTED + 0.25 * (following - SLANTED), SLANTED + 0.5 * (following - SLANTED)])
    found = quadrilaterals(stretches[[2, 0, 3, 1]], (440, 360))
    assert len(found) == 1
    assert min(np.abs(np.roll(found[0], turn, axis=0) - SLANTED).max() for turn in range(4)) < 1e-9
    turned_round = stretches.copy()
    turned_round[0] = turned_round[0, [2, 3, 0, 1]]
    assert not len(quadrilaterals(turned_round, (440, 360)))
    assert not len(quadrilaterals(stretches[:3], (440, 360)))
    far = stretches.copy()  # the piece that is seen lies beyond the side
    far[0] += 2 * np.tile(following[0] - SLANTED[0], 2)
    assert not len(quadrilaterals(far, (440, 360)))
    needle = np.array([[20.0, 40.0], [320.0, 60.0], [330.0, 110.0], [30.0, 90.0]])
    for lean, found in ((0.0, 1), (200.0, 0)):  # its two sharp corners have 63 degrees, then 18
        sheared = needle + [[0, 0], [0, 0], [lean, 0], [lean, 0]]
        assert len(quadrilaterals(np.column_stack([sheared, np.roll(sheared, -1, axis=0)]), (440, 600))) == found


def test_stretches_have_the_light_side_to_the_right():
    lab = smooth_lab(draw(SLANTED))
    found = light_stretches(lab, clusters(lab)[0])
    directions = found[:, 2:] - found[:, :2]
    sides = np.roll(SLANTED, -1, axis=0) - SLANTED
    angles, wanted = (np.degrees(np.arctan2(one[:, 1], one[:, 0])) for one in (directions, sides))
    off = np.abs((angles[:, None] - wanted + 180) % 360 - 180)
    assert off.min(axis=1).max() < 12 and off.min(axis=0).max() < 1.5


def test_the_sheets_own_outline_scores_most():
    lab = smooth_lab(draw(UPRIGHT, [((180, 210, 40), SKIN)]))
    middle = UPRIGHT.mean(axis=0)
    quads = np.stack([middle + (UPRIGHT - middle) * scale for scale in (1.0, 0.8, 1.2)])
    half = UPRIGHT.copy()
    half[2:, 1] = 210
    scores = quad_scores(np.concatenate([quads, half[None]]), lab)
    assert scores.argmax() == 0 and scores[0] > scores[1:].max() + 0.3
    # Sheet, or floor, goes on beyond every side of the smaller and the larger one: that alone costs 1.
    assert scores[1:3].max() < -1
    assert quad_scores(quads[:0], lab).shape == (0,)


@pytest.mark.parametrize("covers", [
    [],
    [((250, 390, 45), SKIN)],  # a corner
    [([[170, 440], [260, 440], [215, 250], [150, 240]], SKIN)],  # the middle of a side
    [((180, 220, 50), SKIN), ((112, 70, 30), (20, 20, 20))],
], ids=["bare", "corner", "side", "corner and middle"])  # fmt: skip
def test_a_drawn_sheet_is_found_also_where_something_covers_it(covers):
    corners, score = find_sheet(draw(SLANTED, covers))
    assert np.abs(corners - SLANTED).max() < 3 and sureness(score) > 0.5


def test_corners_are_in_pixels_of_the_photo():
    rgb = cv2.resize(draw(SLANTED), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    assert shrunk(rgb, 480)[0].shape == (480, 393, 3)
    corners, _ = find_sheet(rgb)
    assert np.abs(corners - (SLANTED * 3 + 1)).max() < 6


def floors():
    rng = np.random.default_rng(2)
    yield "grey", np.full((300, 200, 3), 128, np.uint8)
    yield "black", np.zeros((300, 200, 3), np.uint8)
    yield "noise", rng.integers(0, 256, (300, 200, 3), dtype=np.uint8)
    yield "slope", np.repeat(np.linspace(20, 240, 300).astype(np.uint8), 600).reshape(300, 200, 3)
    planks = np.full((300, 200, 3), (150, 110, 80), np.uint8)
    planks[::30] = 40
    yield "planks", planks
    disc = np.full((300, 200, 3), FLOOR, np.uint8)
    yield "plate", cv2.circle(disc, (100, 150), 70, PAPER, -1)
    yield "speck", np.full((2, 3, 3), 200, np.uint8)


@pytest.mark.parametrize("rgb", [pytest.param(rgb, id=name) for name, rgb in floors()])
def test_where_there_is_no_sheet_none_is_found(rgb):
    with pytest.raises(SheetError) as caught:
        FootMeter(Classical()).measure(Photo(rgb, None))
    assert caught.value.code == "sheet_not_found" and caught.value.message.startswith("no sheet of paper found")


def test_paper_distance_counts_hue_more_than_shade_and_is_the_same_in_the_dark():
    lab = np.full((4, 4, 3), (200, 128, 128), np.uint8)
    lab[0, 0], lab[0, 1], lab[0, 2] = (150, 128, 128), (200, 138, 128), (200, 122, 136)
    distance = paper_distance(lab, np.ones((4, 4), bool))
    np.testing.assert_allclose(distance[0], [50, 40, 40, 0])
    dark = lab.copy()
    dark[..., 0] //= 2
    assert paper_distance(dark, np.ones((4, 4), bool))[0, 0] == pytest.approx(50)
    assert 10 <= otsu(np.array([9, 10, 10, 11, 80, 81, 82])) < 80


def test_an_ellipse_on_the_sheet_is_a_foot_without_a_leg():
    rgb = draw(UPRIGHT)
    true = np.zeros(rgb.shape[:2], np.uint8)
    cv2.ellipse(true, (180, 210), (42, 120), 0, 0, 360, 1, -1)
    rgb[true > 0] = SKIN
    classes = pixel_classes(rgb, UPRIGHT)
    assert set(np.unique(classes)) == {BACKGROUND, SHEET, LEFT_FOOT}
    assert ((classes == LEFT_FOOT) != (true > 0)).sum() < 0.05 * true.sum()
    sheet = filled_quad(UPRIGHT, true.shape) & (true == 0)
    assert ((classes == SHEET) != sheet).sum() < 0.05 * sheet.sum()
    assert set(np.unique(pixel_classes(draw(UPRIGHT), UPRIGHT))) == {BACKGROUND, SHEET}


def test_print_is_no_foot():
    rgb = draw(UPRIGHT)
    for row in range(90, 330, 20):  # a table, whose rules hang together
        cv2.line(rgb, (100, row), (260, row), (30, 30, 30), 5)
    cv2.line(rgb, (100, 90), (100, 310), (30, 30, 30), 5)
    assert not foot_regions(rgb, UPRIGHT).any()


def test_a_leg_is_cut_off_by_the_breadth_of_its_foot():
    """A bar 80 mm wide comes in over the lower edge: of it CUT_BREADTHS times its breadth is foot."""
    region = np.zeros((440, 360), bool)
    region[150:440, 140:221] = True
    feet = without_legs(region, UPRIGHT)
    # The bar has no toes: which way it points is told a few degrees off, by its farthest corner.
    ends = [np.flatnonzero(feet[:, column])[[0, -1]] for column in range(140, 221)]
    assert all(first == 150 for first, _ in ends) and feet.sum() == feet[:, 140:221].sum()
    assert np.mean([last - 150 for _, last in ends]) == pytest.approx(classical.CUT_BREADTHS * 80, rel=0.1)
    # What leaves at the other end is cut at the other end.
    mirrored = without_legs(region[::-1], UPRIGHT[[3, 2, 1, 0]] * [1, -1] + [0, 439])[::-1]
    assert (mirrored & feet).sum() > 0.9 * (mirrored | feet).sum()


def test_a_sample_photo_is_measured():
    measured = FootMeter(Classical()).measure(SAMPLES / "bare_foot.jpg")
    corners = np.array([(corner.x, corner.y) for corner in measured.corners])
    by_eye = [(271, 47), (722, 172), (538, 588), (217, 517)]
    assert np.abs(corners - by_eye).max() < 5 and len(measured.feet) == 1
    assert measured.sheet.format.name == "a4" and measured.feet[0].side == "right"
    assert 190 < measured.feet[0].length_mm < 290 and measured.feet[0].length_uncertainty_mm > 5
    answer = measured.to_json()
    assert {"corners", "camera", "feet", "warnings", "milliseconds"} <= set(answer)
    again = FootMeter(Classical()).measure(SAMPLES / "bare_foot.jpg").to_json()
    assert {**again, "milliseconds": 0} == {**answer, "milliseconds": 0}
