from dataclasses import replace

import numpy as np
import pytest

from scenes import sheet
from scenes.rendering.layout import PINHOLE, CameraConfig, StandingConfig, look_at, sample_feet, sample_layout
from scenes.rendering.lens import seen_at


def layouts(count, standing=None, camera=None):
    rooms = standing or StandingConfig(), camera or CameraConfig()
    return [sample_layout(np.random.default_rng(k), (120, 160), *rooms) for k in range(count)]


def test_camera_over_the_sheet_sees_its_top_at_the_top():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 500.0, 201, 301)
    seen = camera.project(np.array([[0, 0, 0], [100, 0, 0], [0, 100, 0]], float))
    # 500 px focal length at 1000 mm: half a pixel a millimetre.
    np.testing.assert_allclose(seen, [[100, 150], [150, 150], [100, 100]], atol=1e-9)
    assert camera.height_mm == pytest.approx(1000)


def test_layouts_cover_what_phones_see():
    found = layouts(300)
    counts = np.bincount([sum(foot.person == 0 for foot in each.feet) for each in found], minlength=3)
    assert counts.min() > 10
    assert {each.view for each in found} == {"top", "left", "right"}
    assert {each.sheet_format.name for each in found} == {"a4", "letter"}
    assert any(each.camera.width > each.camera.height for each in found)
    assert any(each.camera.width < each.camera.height for each in found)
    assert any(each.camera.width == each.camera.height for each in found)
    assert all(each.camera.height_mm > 0 for each in found)
    assert 0.2 < np.mean([each.lens.is_pinhole for each in found]) < 0.9
    assert any(foot.person == 1 for each in found for foot in each.feet)
    middle = [each.camera.project(np.zeros((1, 3)))[0] / (each.camera.width, each.camera.height) for each in found]
    assert np.mean([(0 < m).all() and (m < 1).all() for m in middle]) > 0.95


def test_a_foot_that_hovers_does_so_high_enough_to_be_seen():
    # Three centimetres over the sheet a foot is background by definition and looks like one that stands.
    hovering = [foot.lifted_mm for each in layouts(100, StandingConfig(lifted_share=0.5)) for foot in each.feet
                if foot.lifted_mm > 0]
    assert len(hovering) > 10
    assert min(hovering) >= 120
    assert 0 < StandingConfig().lifted_share <= 0.02


def test_the_sheet_is_seen_turned_by_any_angle():
    turns = []
    for each in layouts(400):
        top = each.camera.project(np.array([[0, 0, 0], [0, 100, 0]], float))
        turns.append(np.arctan2(*(top[1] - top[0])))
    counts, _ = np.histogram(turns, bins=12, range=(-np.pi, np.pi))
    assert counts.min() >= 4


def test_corners_go_clockwise_from_every_camera():
    for each in layouts(60):
        corners = np.column_stack([sheet.corners_mm(each.sheet_format), np.zeros(4)])
        x, y = seen_at(corners, each.camera, each.lens).T
        assert np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)) > 0


def test_configuration_decides():
    none = replace(StandingConfig(), feet_shares=(1, 0, 0), bystander_share=0, a4_share=0)
    assert all(each.feet == () and each.sheet_format == sheet.LETTER for each in layouts(20, none))
    flat = layouts(20, camera=replace(PINHOLE, side_share=1))
    assert all(each.lens.is_pinhole and each.view != "top" for each in flat)
    pair = replace(StandingConfig(), feet_shares=(0, 0, 1), bystander_share=1)
    feet = sample_feet(np.random.default_rng(0), sheet.A4, pair)
    assert [foot.side for foot in feet if foot.person == 0] == ["left", "right"]
    reach = np.hypot(sheet.A4.short_mm, sheet.A4.long_mm) / 2
    assert all(np.hypot(*foot.centre_mm) > reach for foot in feet if foot.person == 1)


def test_left_foot_stands_left_of_the_right_one_of_a_pair():
    pair = replace(StandingConfig(), feet_shares=(0, 0, 1), bystander_share=0)
    for seed in range(20):
        left, right = sample_feet(np.random.default_rng(seed), sheet.A4, pair)
        turn = np.deg2rad(left.turn_deg)
        rightward = np.array([np.cos(turn), np.sin(turn)])
        assert np.subtract(right.centre_mm, left.centre_mm) @ rightward > 80
