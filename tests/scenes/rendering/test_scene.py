"""The truth of a scene is held against its own geometry: rays, camera and mesh must tell the same."""

import numpy as np
import pytest

from scenes import labels, sheet
from scenes.camera import Camera
from scenes.rendering.config import SceneConfig
from scenes.rendering.foot import FootConfig
from scenes.rendering.layout import StandingConfig, look_at
from scenes.rendering.leg_pool import LegPool
from scenes.rendering.lens import Lens, seen_at
from scenes.rendering.meshes import SHEET_LIFT_MM, mesh, paint
from scenes.rendering.scene import Sources, _behind_bars, render_scene
from scenes.rendering.truth import class_mask, corner_visibility, probe_scene, published_frame, touches_sheet

SIZE = (72, 96)
PINHOLE = Lens()
# Few shapes, feet in most scenes: what is asked here holds for every scene.
CONFIG = SceneConfig(standing=StandingConfig(feet_shares=(0.1, 0.6, 0.3)), foot=FootConfig(shapes=2))


@pytest.fixture(scope="module")
def rendered():
    sources = Sources(LegPool(1))
    return [render_scene(np.random.default_rng([1, k]), SIZE, sources, CONFIG) for k in range(8)]


def _plate(name, low, high, z):
    """A horizontal rectangle from ``low`` to ``high`` (x, y) at height ``z``, mm."""
    (x0, y0), (x1, y1) = low, high
    points = [[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]]
    return mesh(name, np.array(points, float), np.array([[0, 1, 2], [0, 2, 3]]), paint((200, 200, 200)))


def _probe(height_mm, centre, half, classes):
    """A4 on nothing, with a plate named foot0 of that height over it."""
    centre = np.asarray(centre, float)
    parts = {"sheet": _plate("sheet", (-105, -148.5), (105, 148.5), 0.0),
             "foot0": _plate("foot0", centre - half, centre + half, height_mm)}
    return probe_scene(parts, {"sheet": labels.SHEET} | classes)


def test_mask_is_what_lies_behind_each_pixel_centre():
    # 1000 mm above, 198 px focal length: the sheet's edge is 105 mm or 20.8 px from the middle pixel (50, 50).
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 198.0, 101, 101)
    mask = class_mask(_probe(40, (0, 0), 20, {"foot0": labels.LEFT_FOOT}), camera, PINHOLE)
    assert mask[50, 50] == labels.LEFT_FOOT
    assert (mask[50] != labels.BACKGROUND).sum() == 41  # -20 ... 20
    assert (mask[50] == labels.LEFT_FOOT).sum() == 9  # the plate: 20 mm at 960 mm is 4.1 px
    assert mask[0, 0] == labels.BACKGROUND


def test_what_stands_higher_than_a_foot_is_background():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    low = class_mask(_probe(79, (0, 0), 20, {"foot0": labels.RIGHT_FOOT}), camera, PINHOLE)
    high = class_mask(_probe(90, (0, 0), 20, {"foot0": labels.RIGHT_FOOT}), camera, PINHOLE)
    assert low[50, 50] == labels.RIGHT_FOOT
    assert high[50, 50] == labels.BACKGROUND


def test_a_foot_that_is_not_on_the_sheet_is_background():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    mask = class_mask(_probe(40, (0, 0), 20, {}), camera, PINHOLE)
    assert set(np.unique(mask)) == {labels.BACKGROUND, labels.SHEET}
    assert touches_sheet(np.array([[100.0, 0, 1]]), sheet.A4)
    assert not touches_sheet(np.array([[110.0, 0, 1], [0, 0, 30]]), sheet.A4)


def test_paper_that_is_folded_over_shows_its_back_as_sheet():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    upside_down = mesh("sheet", np.array([[-100, -100, 5], [100, -100, 5], [100, 100, 5], [-100, 100, 5]], float),
                       np.array([[0, 2, 1], [0, 3, 2]]), paint((200, 200, 200)))
    mask = class_mask(probe_scene({"sheet": upside_down}, {"sheet": labels.SHEET}), camera, PINHOLE)
    assert mask[50, 50] == labels.SHEET


def test_a_mask_through_a_lens_is_bent_as_the_corners_are():
    camera = look_at((0, 0, 400), (0, 0, 0), (0, 1, 0), 120.0, 121, 161)
    lens = Lens(-0.08)
    mask = class_mask(_probe(40, (0, 0), 1, {}), camera, lens)
    corners = seen_at(np.column_stack([sheet.corners_mm(sheet.A4), np.zeros(4)]), camera, lens)
    rows, columns = np.nonzero(mask == labels.SHEET)
    assert [columns.min(), columns.max()] == pytest.approx([60 - 31.5 * 0.985, 60 + 31.5 * 0.985], abs=1.5)
    for corner in corners:
        distance = np.hypot(columns - corner[0], rows - corner[1]).min()
        assert distance < 1.5  # a pixel of the sheet lies at each of its corners...
        outward = corner + (corner - (60, 80)) / np.linalg.norm(corner - (60, 80)) * 2.5
        x, y = np.round(outward).astype(int)
        assert mask[y, x] == labels.BACKGROUND  # ... and none beyond it


def test_visibility_seen_covered_outside():
    corners = np.column_stack([sheet.corners_mm(sheet.A4), np.zeros(4)])
    probe = _probe(30, corners[1, :2], 12, {})
    above = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
    assert corner_visibility(probe, above, PINHOLE, corners).tolist() == [2, 1, 2, 2]
    narrow = look_at((0, 100, 1000), (0, 100, 0), (0, 1, 0), 200.0, 101, 81)
    assert corner_visibility(probe, narrow, PINHOLE, corners).tolist() == [2, 1, 0, 0]


def test_a_corner_under_another_sheet_is_covered_and_one_over_it_seen():
    corners = np.column_stack([sheet.corners_mm(sheet.A4), np.full(4, SHEET_LIFT_MM)])
    for tilt in (0, 300, 600):
        camera = look_at((0, -tilt, 1000), (0, 0, 0), (0, 1, 0), 200.0, 101, 101)
        for height, seen in ((0.8, 1), (-0.2, 2)):
            parts = {"sheet": _plate("sheet", (-105, -148.5), (105, 148.5), SHEET_LIFT_MM),
                     "other_sheet0": _plate("other_sheet0", (50, 80), (250, 280), SHEET_LIFT_MM + height)}
            probe = probe_scene(parts, {"sheet": labels.SHEET})
            assert corner_visibility(probe, camera, PINHOLE, corners).tolist() == [2, seen, 2, 2]


@pytest.mark.parametrize("turn", [0, 30, 60, 100, 170, 200, 260, 300])
def test_published_frame_keeps_the_picture(turn):
    up = (-np.sin(np.deg2rad(turn)), np.cos(np.deg2rad(turn)), 0)
    camera = look_at((60, -120, 800), (10, 5, 0), up, 300.0, 240, 320)
    lens = Lens(-0.03)
    flat = np.column_stack([sheet.corners_mm(sheet.LETTER), np.full(4, SHEET_LIFT_MM)])
    published, corners, corners_mm, long_side, spin = published_frame(camera, lens, sheet.LETTER, flat)
    np.testing.assert_allclose(corners_mm[:, :2], sheet.corners_mm(sheet.LETTER, long_side), atol=1e-9)
    np.testing.assert_allclose(seen_at(corners_mm, published, lens), corners, atol=1e-9)
    assert np.argmin(corners.sum(1)) == 0
    point = np.array([[20.0, 70.0, 35.0]])
    here = (point - (0, 0, SHEET_LIFT_MM)) @ spin.T
    np.testing.assert_allclose(published.project(here), camera.project(point), atol=1e-9)


def test_truth_projects_to_a_tenth_of_a_pixel(rendered):
    """What is stored, in millimetres, seen through the stored camera and lens, is what is stored in pixels."""
    feet = 0
    for each in rendered:
        attributes = each.record["attributes"]
        camera, lens = Camera.from_json(attributes["camera"]), Lens(**attributes["lens"])
        paper = sheet.FORMATS[attributes["sheet"]["format"]]
        corners_mm = np.array(attributes["sheet"]["corners_mm"])
        np.testing.assert_allclose(seen_at(corners_mm, camera, lens), each.record["corners"], atol=0.1)
        if "bent" not in attributes["sheet"]["marks"] and np.abs(corners_mm[:, 2]).max() < 0.1:
            model = sheet.corners_mm(paper, attributes["sheet"]["long_side"])
            np.testing.assert_allclose(corners_mm[:, :2], model, atol=0.1)
        for foot in attributes["feet"]:
            feet += 1
            for name in ("heel", "toe"):
                seen = seen_at(np.array([foot[f"{name}_mm"]]), camera, lens)[0]
                np.testing.assert_allclose(seen, foot[name], atol=0.1)
            along = np.linalg.norm(np.subtract(foot["toe_mm"], foot["heel_mm"]))
            assert along <= foot["length_mm"] + 40
            assert 140 < foot["length_mm"] < 330
            assert foot["arch_mm"] < foot["instep_mm"] < 0.5 * foot["length_mm"]
    assert feet > 3


def test_what_black_bars_hide_is_covered():
    mask = np.full((20, 10), labels.SHEET, np.uint8)
    record = {"corners": [[2, 1], [8, 1], [8, 15], [2, 25]], "visibility": [2, 1, 2, 0], "width": 10}
    inner, changed = _behind_bars(mask, record, (0, 4, 0, 4))
    assert changed["visibility"] == [1, 1, 2, 0] and record["visibility"] == [2, 1, 2, 0]
    assert (inner[:4] == labels.BACKGROUND).all() and (inner[16:] == labels.BACKGROUND).all()
    assert (inner[4:16] == labels.SHEET).all()


def test_mask_agrees_with_the_record(rendered):
    for each in rendered:
        sides = {foot["side"] for foot in each.record["attributes"]["feet"]}
        assert (each.mask == labels.LEFT_FOOT).any() == ("left" in sides)
        assert (each.mask == labels.RIGHT_FOOT).any() == ("right" in sides)
        assert each.mask.shape == each.photo.shape[:2]
        assert each.photo.dtype == np.uint8
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
