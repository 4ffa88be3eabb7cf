from dataclasses import replace

import mitsuba as mi
import numpy as np
import pytest

from scenes.rendering import paper_corners
from scenes.rendering.layout import look_at
from scenes.rendering.meshes import SHEET_LIFT_MM, lattice
from scenes.rendering.paper import PLAIN_SHEET, SheetConfig, other_sheets, sample_sheet, sheet_mesh, support_mesh
from scenes.rendering.truth import sensor
from scenes.sheet import A4, LETTER, corners_mm

BARE = replace(PLAIN_SHEET, flat=0.0)  # nothing but what a test asks for
FOOT = np.stack(np.meshgrid(np.arange(-30, 31, 10), np.arange(-110, 111, 10)), -1).reshape(-1, 2).astype(float)


def _sheet(seed, config, fmt=A4, standing=()):
    return sample_sheet(np.random.default_rng(seed), fmt, config, standing)


def _flat_side(sheet, axis, end):
    """Points (N, 2) of one side's rim, as far as it lies flat, found from the faces: texture coordinate and height."""
    edges = np.sort(sheet.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    single, count = np.unique(edges, axis=0, return_counts=True)
    rim = single[count == 1]
    rim = np.unique(rim[(np.abs(sheet.texcoords[rim][..., axis] - end) < 1e-9).all(1)])
    flat = np.abs(sheet.vertices_mm[rim, 2] - SHEET_LIFT_MM) < 1e-6
    return sheet.vertices_mm[rim[flat], :2]


def _line(points):
    """Normal (2,) and offset of the line fitted to points (N, 2)."""
    middle = points.mean(0)
    normal = np.linalg.svd(points - middle)[2][1]
    return normal, normal @ middle


def _where_edges_meet(sheet):
    sides = [_line(_flat_side(sheet, axis, end)) for axis, end in ((1, 0), (0, 1), (1, 1), (0, 0))]
    # The corners' order: top left is where the left side (the last) meets the top (the first), and so on.
    return np.array([np.linalg.solve(*map(np.array, zip(sides[k - 1], sides[k], strict=True))) for k in range(4)])


def _area(vertices, faces):
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


@pytest.mark.parametrize("kind", ["curl", "dog_ear", "rounded", "cut", "torn"])
def test_true_corner_is_where_the_straight_edges_meet(kind):
    raised, missing = [], []
    for seed in range(12):
        sheet = _sheet(seed, replace(BARE, **{kind: 1.0}), LETTER if seed % 2 else A4)
        assert sheet.marks == (kind,)
        np.testing.assert_allclose(_where_edges_meet(sheet), sheet.corners_mm[:, :2], atol=1.0)
        np.testing.assert_allclose(sheet.corners_mm[:, 2], SHEET_LIFT_MM)
        away = np.linalg.norm(sheet.vertices_mm[:, None] - sheet.corners_mm, axis=2).min(0)
        missing.append(away.max())
        raised.append(sheet.vertices_mm[:, 2].max())
    assert min(missing) > 0.5  # no vertex is left at the corner that was curled, folded or cut
    assert max(missing) > 5
    assert (max(raised) > 5) == (kind in ("curl", "dog_ear"))
    if kind == "curl":
        assert max(raised) <= SHEET_LIFT_MM + 2 * 30.0  # two may meet on one side


@pytest.mark.parametrize("kind", ["lift", "bent", "crease", "crumpled", "wave"])
def test_a_bent_sheet_has_its_own_corners(kind):
    heights = []
    for seed in range(10):
        sheet = _sheet(seed, replace(BARE, **{kind: 1.0}))
        assert set(sheet.marks) <= {kind}
        for corner, at in zip(sheet.corners_mm, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
            vertex = np.abs(sheet.texcoords - at).sum(1).argmin()
            np.testing.assert_allclose(sheet.vertices_mm[vertex], corner, atol=1e-6)
        np.testing.assert_allclose(sheet.corners_mm[:, :2], corners_mm(A4), atol=60)
        heights.append(sheet.corners_mm[:, 2].max())
    assert max(heights) > 2


@pytest.mark.parametrize("kind", ["lift", "bent", "curl"])
def test_paper_bends_but_does_not_stretch(kind):
    for seed in range(8):
        sheet = _sheet(seed, replace(BARE, **{kind: 1.0}))
        assert _area(sheet.vertices_mm, sheet.faces) == pytest.approx(210 * 297, rel=0.01)


def test_a_dog_ear_loses_no_paper_and_lies_on_the_sheet():
    for seed in range(10):
        sheet = _sheet(seed, replace(BARE, dog_ear=1.0))
        assert _area(sheet.vertices_mm, sheet.faces) == pytest.approx(210 * 297, rel=1e-6)
        flap = sheet.vertices_mm[sheet.vertices_mm[:, 2] > SHEET_LIFT_MM + 0.4]
        assert len(flap) > 2
        assert (np.abs(flap[:, :2]) <= (105 + 1e-6, 148.5 + 1e-6)).all()


def test_cut_corners_lose_what_they_should():
    whole = 210 * 297
    for seed in range(6):
        cut = _sheet(seed, replace(BARE, cut=1.0, corner_mm=(30.0, 30.0)))
        assert 30 * 30 * 0.6**2 / 2 - 1 <= whole - _area(cut.vertices_mm, cut.faces) <= 30 * 30 / 2 + 1
        round_ = _sheet(seed, replace(BARE, rounded=1.0, rounded_mm=(18.0, 18.0)))
        one = (1 - np.pi / 4) * 18**2
        assert 0.9 * one < whole - _area(round_.vertices_mm, round_.faces) < 4.4 * one


def test_faces_of_a_flat_sheet_look_up():
    for seed in range(12):
        sheet = _sheet(seed, replace(BARE, rounded=1.0, cut=1.0, torn=1.0))
        a, b, c = (sheet.vertices_mm[sheet.faces[:, k]] for k in range(3))
        assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_under_the_feet_the_sheet_is_flat_and_nowhere_below_the_floor():
    bent = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        standing = FOOT[::3] + rng.normal(0, 40, 2)
        config = SheetConfig(curl=0.8, lift=0.7, wave=0.5, bent=0.4, crease=0.4, crumpled=0.3, dog_ear=0.3)
        sheet = sample_sheet(rng, LETTER, config, standing)
        assert len(sheet.vertices_mm) < 6000
        assert sheet.vertices_mm[:, 2].min() >= 0.2
        near = np.linalg.norm(sheet.vertices_mm[:, None, :2] - standing, axis=2).min(1) <= 40
        assert near.any()
        np.testing.assert_allclose(sheet.vertices_mm[near, 2], SHEET_LIFT_MM, atol=1e-9)
        plane = (sheet.texcoords[near] - 0.5) * (215.9, -279.4)
        np.testing.assert_allclose(sheet.vertices_mm[near, :2], plane, atol=3)  # it may slide, hardly
        bent += sheet.vertices_mm[:, 2].max() > 3
    assert bent > 30


def test_a_plain_sheet_is_flat_blank_white_and_alone():
    rng = np.random.default_rng(7)
    sheet = sample_sheet(rng, A4, PLAIN_SHEET)
    assert sheet.marks == () and sheet.support is None
    assert (sheet.vertices_mm[:, 2] == SHEET_LIFT_MM).all()
    np.testing.assert_allclose(sheet.corners_mm, np.column_stack([corners_mm(A4), np.full(4, SHEET_LIFT_MM)]))
    assert len(np.unique(sheet.texture)) == 1 and sheet.texture.min() >= 230
    assert all(other_sheets(rng, A4, PLAIN_SHEET, True) == [] for _ in range(20))


def test_the_seed_decides_everything():
    for seed in range(8):
        one, two = (_sheet(seed, SheetConfig(), standing=FOOT) for _ in range(2))
        assert one.marks == two.marks and one.colour == two.colour
        for name in ("vertices_mm", "faces", "texcoords", "texture", "corners_mm"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(_sheet(1, SheetConfig()).vertices_mm, _sheet(2, SheetConfig()).vertices_mm)


def test_what_a_bent_sheet_lies_over_stays_under_it():
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sheet = sample_sheet(rng, A4, replace(BARE, bent=1.0, ripple=0.5), FOOT * 0.4)
        support = support_mesh(rng, "support", sheet)
        assert (support is None) == ("bent" not in sheet.marks)
        if support is None:
            continue
        found += 1
        section, degrees = sheet.support
        direction = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
        assert section[:, 1].min() >= -1e-9 and 4 < section[:, 1].max() <= 40
        along = sheet.vertices_mm[:, :2] @ direction
        middle, radius = section[:, 0].mean(), np.ptp(section[:, 0]) / 2
        over = np.abs(along - middle) <= radius
        top = section[:, 1].max() if len(section) == 4 else radius * (
            1 + np.sqrt(np.maximum(1 - ((along[over] - middle) / radius) ** 2, 0)))
        assert (sheet.vertices_mm[over, 2] > top - 0.5).all()
        assert (FOOT * 0.4 @ direction).max() + 40 <= section[:, 0].min()
    assert found > 15


def _inside(points, corners):
    """Which points (N, 2) lie in the rectangle with corners (4, 2)."""
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    share = (points - corners[0]) @ np.stack([right / (right @ right), down / (down @ down)], 1)
    return ((share > 0) & (share < 1)).all(1)


def test_without_a_foot_no_sheet_overlaps_ours():
    ours, count = corners_mm(A4), 0
    for seed in range(20):
        for other in other_sheets(np.random.default_rng(seed), A4, replace(PLAIN_SHEET, overlapping=1.0, beside=1.0),
                                  False):
            grid = np.stack(np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30)), -1).reshape(-1, 2)
            assert not _inside(grid * (105, 148.5), other.corners_mm[:, :2]).any()
            assert not _inside(other.vertices_mm[:, :2], ours).any()
            count += 1
    assert count > 12


def test_an_overlapping_sheet_leaves_the_feet_on_ours():
    config = replace(SheetConfig(), overlapping=1.0, over=0.5, beside=0.0)
    under, over = 0, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ours = sample_sheet(rng, A4, replace(BARE, curl=0.5), FOOT)
        for other in other_sheets(rng, A4, config, True, FOOT, ours):
            assert _inside(FOOT, other.corners_mm[:, :2]).mean() <= 0.4
            assert other.vertices_mm[:, 2].min() >= 0.2 - 1e-9
            shared = _inside(other.vertices_mm[:, :2], corners_mm(A4))
            if not shared.any():
                continue
            height = other.vertices_mm[shared, 2]
            np.testing.assert_allclose(height, height[0], atol=1e-9)  # flat where the other lies on it
            assert abs(height[0] - SHEET_LIFT_MM) >= 0.19
            under, over = under + (height[0] < SHEET_LIFT_MM), over + (height[0] > SHEET_LIFT_MM)
    assert under > 5 and over > 3


def test_a_sheet_beside_is_not_stood_on():
    beside = FOOT + (180, 0)
    for seed in range(25):
        for other in other_sheets(np.random.default_rng(seed), LETTER, replace(PLAIN_SHEET, beside=1.0), True,
                                  np.concatenate([FOOT, beside])):
            assert not _inside(beside, other.corners_mm[:, :2]).any()


def test_rendered_page_is_upright_and_not_mirrored():
    page = np.full((60, 40, 3), 250, np.uint8)
    page[:30, :20] = 0  # top left of the page
    made = sheet_mesh("sheet", replace(_sheet(0, PLAIN_SHEET), texture=page))
    assert made.id() == "sheet"
    scene = mi.load_dict({"type": "scene", "sheet": made, "sky": {"type": "constant"}}, parallel=False)
    camera = look_at((0, 0, 800), (0, 0, 0), (0, 1, 0), 60.0, 21, 27)  # +y up in the photo, +x to the right
    photo = np.array(mi.render(scene, sensor=sensor(camera, 4, True), integrator=mi.load_dict({"type": "direct"})))
    quarters = [photo[13 + dy, 10 + dx].mean() for dy, dx in ((-5, -4), (-5, 4), (5, -4), (5, 4))]
    assert quarters[0] < 0.1 and min(quarters[1:]) > 0.7


def test_split_cuts_exactly_along_the_line():
    points, faces = lattice(np.linspace(0, 10, 4), np.linspace(0, 10, 5))
    cut, inner, outer = paper_corners._split(points, faces, points @ (1.0, 2.0) - 11)
    solid = np.column_stack([cut, np.zeros(len(cut))])
    # Left of x + 2y = 11 in the square: x from 11 - 20 < 0 to 10; a trapezium of 5.5 at x = 0 and 0.5 at x = 10.
    assert _area(solid, inner) == pytest.approx((5.5 + 0.5) / 2 * 10)
    assert _area(solid, outer) == pytest.approx(100 - 30)
    assert (cut[np.unique(inner)] @ (1.0, 2.0) <= 11 + 1e-9).all()
    assert (cut[np.unique(outer)] @ (1.0, 2.0) >= 11 - 1e-9).all()
