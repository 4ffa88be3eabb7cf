import numpy as np
import pytest

from scenes import sheet
from scenes.rendering.layout import look_at, sample_layout


def test_camera_over_the_sheet_sees_its_top_at_the_top():
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 500.0, 201, 301)
    seen = camera.project(np.array([[0, 0, 0], [100, 0, 0], [0, 100, 0]], float))
    # 500 px focal length at 1000 mm: half a pixel a millimetre.
    np.testing.assert_allclose(seen, [[100, 150], [150, 150], [100, 100]], atol=1e-9)
    assert camera.height_mm == pytest.approx(1000)


def test_layouts_cover_what_phones_see():
    layouts = [sample_layout(np.random.default_rng(k), (120, 160)) for k in range(200)]
    counts = np.bincount([len(each.feet) for each in layouts], minlength=3)
    assert counts.min() > 10
    assert {each.view for each in layouts} == {"top", "left", "right"}
    assert {each.sheet_format.name for each in layouts} == {"a4", "letter"}
    assert any(each.camera.width > each.camera.height for each in layouts)
    assert any(each.camera.width < each.camera.height for each in layouts)
    assert all(each.camera.height_mm > 0 for each in layouts)
    middle = [each.camera.project(np.zeros((1, 3)))[0] / (each.camera.width, each.camera.height) for each in layouts]
    assert np.mean([(0 < m).all() and (m < 1).all() for m in middle]) > 0.95


def test_corners_go_clockwise_from_every_camera():
    for seed in range(60):
        layout = sample_layout(np.random.default_rng(seed), (120, 160))
        corners = np.column_stack([sheet.corners_mm(layout.sheet_format), np.zeros(4)])
        x, y = layout.camera.project(corners).T
        assert np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)) > 0
