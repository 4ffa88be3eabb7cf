"""The truth of a scene is held against its own geometry: rays, camera and mesh must tell the same."""

import mitsuba as mi
import numpy as np
import pytest

from scenes import labels, sheet
from scenes.camera import Camera
from scenes.rendering.layout import look_at
from scenes.rendering.meshes import SHEET_LIFT_MM
from scenes.rendering.scene import render_scene
from scenes.rendering.truth import class_mask, corner_visibility, published_frame, touches_sheet

SIZE = (72, 96)


@pytest.fixture(scope="module")
def rendered():
    return [render_scene(np.random.default_rng([1, k]), SIZE) for k in range(6)]


def _box_scene(height_mm, centre, half):
    """A4 on nothing, with a box named foot0 standing on it."""
    plate = {"type": "rectangle", "id": "sheet",
             "to_world": mi.ScalarTransform4f().scale([105, 148.5, 1])}
    box = {"type": "cube", "id": "foot0", "to_world": mi.ScalarTransform4f().translate(
        [*centre, height_mm / 2]).scale([half, half, height_mm / 2])}
    return mi.load_dict({"type": "scene", "sheet": plate, "foot0": box})


def test_mask_is_what_lies_behind_each_pixel_centre():
    # 1000 mm above, 198 px focal length: the sheet's edge is 105 mm or 20.8 px from the middle pixel (50, 50).
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 198.0, 101, 101)
    mask = class_mask(_box_scene(40, (0, 0), 20), camera, {"foot0": labels.LEFT_FOOT})
    assert mask[50, 50] == labels.LEFT_FOOT
    assert (mask[50] != labels.BACKGROUND).sum() == 41  # -20 ... 20
    assert (mask[50] == labels.LEFT_FOOT).sum() == 9  # top of the box: 20 mm at 960 mm is 4.1 px
    assert mask[0, 0] == labels.BACKGROUND


def test_what_stands_higher_than_a_foot_is_background():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    low = class_mask(_box_scene(79, (0, 0), 20), camera, {"foot0": labels.RIGHT_FOOT})
    high = class_mask(_box_scene(90, (0, 0), 20), camera, {"foot0": labels.RIGHT_FOOT})
    assert low[50, 50] == labels.RIGHT_FOOT
    assert high[50, 50] == labels.BACKGROUND


def test_a_foot_that_is_not_on_the_sheet_is_background():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    mask = class_mask(_box_scene(40, (0, 0), 20), camera, {})
    assert set(np.unique(mask)) == {labels.BACKGROUND, labels.SHEET}
    assert touches_sheet(np.array([[100.0, 0, 1]]), sheet.A4)
    assert not touches_sheet(np.array([[110.0, 0, 1], [0, 0, 30]]), sheet.A4)


def test_visibility_seen_covered_outside():
    corners = sheet.corners_mm(sheet.A4)
    scene = _box_scene(30, corners[1], 12)
    above = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    assert corner_visibility(scene, above, corners).tolist() == [2, 1, 2, 2]
    narrow = look_at((0, 100, 1000), (0, 100, 0), (0, 1, 0), 200.0, 101, 81)
    assert corner_visibility(scene, narrow, corners).tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize("turn", [0, 30, 60, 100, 170, 200, 260, 300])
def test_published_frame_keeps_the_picture(turn):
    up = (-np.sin(np.deg2rad(turn)), np.cos(np.deg2rad(turn)), 0)
    camera = look_at((60, -120, 800), (10, 5, 0), up, 300.0, 240, 320)
    published, corners, long_side, spin = published_frame(camera, sheet.LETTER)
    model = np.column_stack([sheet.corners_mm(sheet.LETTER, long_side), np.zeros(4)])
    np.testing.assert_allclose(published.project(model), corners, atol=1e-9)
    assert np.argmin(corners.sum(1)) == 0
    point = np.array([[20.0, 70.0, 35.0]])
    here = (point - (0, 0, SHEET_LIFT_MM)) @ spin.T
    np.testing.assert_allclose(published.project(here), camera.project(point), atol=1e-9)


def test_truth_projects_to_a_tenth_of_a_pixel(rendered):
    assert any(each.record["attributes"]["feet"] for each in rendered)
    for each in rendered:
        attributes = each.record["attributes"]
        camera = Camera.from_json(attributes["camera"])
        paper = sheet.FORMATS[attributes["sheet"]["format"]]
        model = sheet.corners_mm(paper, attributes["sheet"]["long_side"])
        seen = camera.project(np.column_stack([model, np.zeros(4)]))
        np.testing.assert_allclose(seen, each.record["corners"], atol=0.1)
        for foot in attributes["feet"]:
            for name in ("heel", "toe"):
                np.testing.assert_allclose(camera.project(np.array([foot[f"{name}_mm"]]))[0], foot[name], atol=0.1)
            along = np.linalg.norm(np.subtract(foot["toe_mm"], foot["heel_mm"]))
            assert along <= foot["length_mm"] + 40
            assert 130 < foot["length_mm"] < 330


def test_mask_agrees_with_the_record(rendered):
    for each in rendered:
        sides = {foot["side"] for foot in each.record["attributes"]["feet"]}
        assert (each.mask == labels.LEFT_FOOT).any() == ("left" in sides)
        assert (each.mask == labels.RIGHT_FOOT).any() == ("right" in sides)
        assert each.mask.shape == each.radiance.shape[:2]
        assert np.isfinite(each.radiance).all()
        for (x, y), seen in zip(each.record["corners"], each.record["visibility"], strict=True):
            inside = -0.5 <= x <= each.mask.shape[1] - 0.5 and -0.5 <= y <= each.mask.shape[0] - 0.5
            assert inside == (seen > 0)


def test_seen_corners_lie_at_the_masks_sheet(rendered):
    found = []
    for each in rendered:
        middle = np.mean(each.record["corners"], axis=0)
        for corner, seen in zip(np.array(each.record["corners"]), each.record["visibility"], strict=True):
            x, y = np.round(corner + (middle - corner) * 0.08).astype(int)
            if seen == 2 and 0 <= x < each.mask.shape[1] and 0 <= y < each.mask.shape[0]:
                found.append(each.mask[y, x] != labels.BACKGROUND)
    assert len(found) > 8
    assert np.mean(found) > 0.9
