"""What a tape would read on a foot, on meshes measured by hand."""

import numpy as np
import pytest

from scenes.rendering.foot import (
    FOOT_HEIGHT_MM,
    FootConfig,
    arch_height,
    instep_height,
    measure_foot,
    sample_length_mm,
)


def turned(points, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T


# A foot of a few points: heel, second toe, a longer big toe, the ball's two sides; then what must not count.
COUNTED = [(0, -130, 20), (0, 115, 10), (25, 120, 10), (48, 50, 15), (-50, 40, 15), (0, 0, 0)]
IGNORED = [(95, -80, 70), (-95, -80, 70), (0, 200, FOOT_HEIGHT_MM), (0, -300, 250), (300, 60, 90)]


@pytest.mark.parametrize("degrees", [0, 8, -12])
def test_length_and_breadth_of_a_foot_measured_by_hand(degrees):
    points = turned(np.array(COUNTED + IGNORED, dtype=float), degrees)
    measure = measure_foot(points, second_toe=[1])
    assert measure.length_mm == pytest.approx(250)
    assert measure.width_mm == pytest.approx(98)
    np.testing.assert_allclose(measure.heel_mm, points[0])
    np.testing.assert_allclose(measure.toe_mm, points[1])
    np.testing.assert_allclose(measure.axis, turned(np.array([[0.0, 1, 0]]), degrees)[0, :2], atol=1e-12)


def test_axis_of_a_turned_ellipse_is_found_although_its_rearmost_point_depends_on_the_axis():
    angle = np.linspace(0, 2 * np.pi, 7200, endpoint=False)
    points = turned(np.column_stack([48 * np.cos(angle), 125 * np.sin(angle), np.full(7200, 10.0)]), 6)
    measure = measure_foot(points, second_toe=np.abs(angle - np.pi / 2) < 0.3)
    assert measure.length_mm == pytest.approx(250, abs=0.05)
    assert measure.width_mm == pytest.approx(96, abs=0.3)


def test_a_foot_without_second_toe_cannot_be_measured():
    with pytest.raises(ValueError, match="second toe"):
        measure_foot(np.array(COUNTED, dtype=float) + [0, 0, 100], second_toe=[1])


def test_lengths_lie_in_range_and_adults_prevail():
    rng = np.random.default_rng(0)
    lengths = np.array([sample_length_mm(rng) for _ in range(3000)])
    assert 150 <= lengths.min() < 175 and 290 < lengths.max() <= 320
    assert 0.65 < ((lengths >= 220) & (lengths <= 290)).mean() < 0.9


def test_lengths_follow_their_configuration():
    rng = np.random.default_rng(0)
    children = FootConfig(child_share=1.0, any_share=0.0, child_mm=(170.0, 180.0))
    assert all(170 <= sample_length_mm(rng, children) <= 180 for _ in range(50))


def box(low, high):
    """Vertices and outward faces of a cuboid between two corners."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])
    return np.array(low) + corners * np.subtract(high, low), faces


def together(*parts):
    start, vertices, faces = 0, [], []
    for points, triangles in parts:
        vertices.append(points)
        faces.append(triangles + start)
        start += len(points)
    return np.vstack(vertices), np.vstack(faces)


def bridge():
    """A left foot 240 long: it stands on its outer half; the inner half hangs 12 over the floor and is 50 high.

    A shank's block hangs over all of it, from 120 up.
    """
    outer, inner = box((-40, -120, 0), (0.4, 120, 40)), box((0.4, -120, 12), (40, 120, 50))
    return together(outer, inner, box((-50, -100, 120), (60, 90, 400)))


def test_instep_is_the_top_of_the_foot_at_half_its_length_and_not_the_shank_above():
    vertices, faces = bridge()
    assert instep_height(vertices, faces, 240.0) == pytest.approx(50)
    slanted = vertices.copy()
    slanted[:16, 2] *= np.where(slanted[:16, 1] > 0, 0.5, 1.5)  # 75 at the heel, 25 at the toes
    assert instep_height(slanted, faces, 240.0) == pytest.approx(50)


def test_arch_is_the_clearance_under_the_inner_quarter_of_the_foot():
    vertices, faces = bridge()
    assert arch_height(vertices, faces, "left", 240.0) == pytest.approx(12)
    assert arch_height(vertices, faces, "right", 240.0) == pytest.approx(0)
    mirrored = vertices * [-1, 1, 1]
    assert arch_height(mirrored, faces[:, ::-1], "right", 240.0) == pytest.approx(12)
