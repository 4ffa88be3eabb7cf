"""Procedural feet drawn as masks through cameras beside them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from deploy.feet import find_feet
from deploy.side_view import foot_profile, is_beside
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.rendering.foot import FOOT_HEIGHT_MM, FootConfig
from scenes.rendering.foot import mirrored as mirrored_leg
from scenes.rendering.leg_pool import LegPool
from scenes.sheet import A4, corners_mm
from tests.deploy.test_feet import HEIGHT, WIDTH, camera_over_sheet

PLAIN = FootConfig(shapes=3, clawed_share=0.0, lifted_share=0.0, lifted_big_toe_share=0.0)
SEEDS = range(3)


@pytest.fixture(scope="module")
def legs():
    """Left legs, {seed: Leg}; toes at +y."""
    pool = LegPool(3)
    return {seed: pool.sample(np.random.default_rng(seed), "left", PLAIN) for seed in SEEDS}


def drawn(leg, camera, cut_mm=None):
    """Class ids (H, W) of a sheet with a foot on it, its leg background; cut_mm: no foot behind this."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    paper = camera.project(np.column_stack([corners_mm(A4), np.zeros(4)]))
    cv2.fillPoly(labels, [np.rint(paper).astype(np.int32)], SHEET)
    seen = camera.project(leg.vertices_mm)
    order = np.argsort(-np.linalg.norm(leg.vertices_mm[leg.faces].mean(1) - camera.position_mm, axis=1))
    middles = leg.vertices_mm[leg.faces].mean(1)
    for face in order:  # from the back to the front
        x, y, z = middles[face]
        foot = z < FOOT_HEIGHT_MM and (cut_mm is None or y > cut_mm)
        colour = BACKGROUND if not foot else LEFT_FOOT if leg.side == "left" else RIGHT_FOOT
        cv2.fillConvexPoly(labels, np.rint(seen[leg.faces[face]]).astype(np.int32), int(colour))
    return labels


def outline_of(labels):
    contours, _ = cv2.findContours((labels >= LEFT_FOOT).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(contours, key=len)[:, 0].astype(np.float64)


@pytest.mark.parametrize("bearing, seen", [(90, "medial"), (-90, "lateral"), (-110, "lateral")])
def test_length_and_instep_are_those_of_the_mesh(legs, bearing, seen):
    # The camera is on the side to which it leans back: at +x for 90, where a left foot has its big toe.
    for leg in legs.values():
        camera = camera_over_sheet(58, bearing)
        profile = foot_profile(outline_of(drawn(leg, camera)), camera, "left")
        assert profile.axis @ (0, 1) > 0.97
        assert profile.length_mm == pytest.approx(leg.length_mm, rel=0.05)
        if seen == "medial":
            assert profile.instep_height_mm is None
        else:
            # The relation comes from other shapes than these, which have lower insteps for their length.
            assert profile.instep_height_mm == pytest.approx(leg.instep_mm, abs=10)


def test_a_right_foot_is_a_left_one_in_the_mirror(legs):
    camera, mirrored = camera_over_sheet(58, -80), camera_over_sheet(58, 80)
    left = foot_profile(outline_of(drawn(legs[1], camera)), camera, "left")
    right = foot_profile(outline_of(drawn(mirrored_leg(legs[1]), mirrored)), mirrored, "right")
    assert right.length_mm == pytest.approx(left.length_mm, abs=2)
    assert right.instep_height_mm == pytest.approx(left.instep_height_mm, abs=2)
    # Taken for the other side, another part of the foot is thought to be near.
    wrong = foot_profile(outline_of(drawn(legs[1], camera)), camera, "right")
    assert wrong is None or abs(wrong.length_mm - left.length_mm) > 10


@pytest.mark.parametrize("bearing, beside", [(0, False), (180, False), (90, True), (-60, True)])
def test_a_foot_seen_from_its_end_has_no_profile(legs, bearing, beside):
    camera = camera_over_sheet(55, bearing)
    outline = outline_of(drawn(legs[0], camera))
    assert is_beside(outline, camera) == beside
    assert (foot_profile(outline, camera, "left") is not None) == beside


@pytest.mark.parametrize("taller, told", [(0.6, "length"), (1.0, "both"), (1.4, "nothing")])
def test_a_height_that_no_foot_of_that_length_has_is_not_told(legs, taller, told):
    leg, camera = legs[1], camera_over_sheet(58, -90)
    changed = replace(leg, vertices_mm=leg.vertices_mm * np.array([1, 1, taller], np.float32))
    profile = foot_profile(outline_of(drawn(changed, camera)), camera, "left")
    assert (profile is None) == (told == "nothing")
    assert told == "nothing" or (profile.instep_height_mm is None) == (told == "length")


def measured(leg, camera, cut_mm=None):
    labels = drawn(leg, camera, cut_mm)
    paper = camera.project(np.column_stack([corners_mm(A4), np.zeros(4)]))
    (foot,) = find_feet(np.eye(4, dtype=np.float32)[labels], camera, paper, 1.0, 1.0)
    return foot


def test_feet_are_measured_from_the_side_where_they_are_seen_so(legs):
    leg = legs[1]
    side, above = measured(leg, camera_over_sheet(58, -90)), measured(leg, camera_over_sheet(5, -90))
    assert side.from_side and not above.from_side
    assert abs(side.length_mm - leg.length_mm) < side.length_uncertainty_mm < 40
    assert abs(side.width_mm - leg.width_mm) < side.width_uncertainty_mm < 25
    assert abs(side.instep_height_mm - leg.instep_mm) < 1.5 * side.instep_height_uncertainty_mm
    assert above.instep_height_mm is None and above.instep_height_uncertainty_mm is None
    ends = camera_over_sheet(58, -90).project(np.array([leg.heel_mm, leg.toe_mm]))
    assert np.linalg.norm(side.heel - ends[0]) < 25 and np.linalg.norm(side.toe - ends[1]) < 25


def test_half_a_foot_from_the_side_is_told_as_uncertain(legs):
    leg, camera = legs[1], camera_over_sheet(58, -90)
    cut = leg.vertices_mm[:, 1].min() + 0.3 * leg.length_mm
    whole, half = measured(leg, camera), measured(leg, camera, cut)
    assert not half.from_side and half.instep_height_mm is None
    assert half.length_uncertainty_mm > 2 * whole.length_uncertainty_mm
