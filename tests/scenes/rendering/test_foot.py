"""Legs of both sources: their frame, their measures, their closed surface. The library is made here."""

import numpy as np
import pytest

from scenes.rendering.foot import (
    FOOT_HEIGHT_MM,
    LegLibrary,
    loop_subdivision,
    measure_foot,
    mirrored,
    procedural_leg,
    sample_leg,
    sample_length_mm,
)

TOE_X = np.array([30.0, 10.0, -8.0, -24.0, -38.0])


def tiny_side(sign):
    """A crude leg of 32-sided rings: sole closed, top open and ragged, a bulge on the inner side.

    sign 1: left, -1: right. Returns vertices (256, 3), quads, joint names, joints (17, 3).
    """
    n = 32
    angle = 2 * np.pi * (np.arange(n) + 0.5) / n
    levels = [(0, 50, 125, 0), (12, 52, 127, 0), (25, 50, 125, 0), (45, 46, 100, -25), (75, 42, 58, -65)]
    levels += [(130, 38, 42, -70), (220, 48, 50, -72), (310, 55, 57, -70)]
    vertices = np.vstack(
        [np.column_stack([a * np.cos(angle), y + b * np.sin(angle), np.full(n, z)]) for z, a, b, y in levels]
    )
    vertices[-n:, 2] += 15 * np.sin(3 * angle)
    vertices[:, 0] += 25 * (vertices[:, 0] > 20) * (np.abs(vertices[:, 1] - 30) < 40) * (vertices[:, 2] < 40)
    i = np.arange(n)
    band = np.column_stack([i, np.roll(i, -1), np.roll(i, -1) + n, i + n])
    i = np.arange(n // 2 - 1)
    sole = np.column_stack([i, n - 1 - i, n - 2 - i, i + 1])
    quads = np.vstack([sole, *(band + k * n for k in range(len(levels) - 1))])
    joints = {"ankle": (0, -65, 70), "knee": (-5, -60, 380)}
    for k, x in enumerate(TOE_X, start=1):
        joints |= {f"toe-{k}-1": (x, 80, 20), f"toe-{k}-2": (x, 95, 18)}
        joints[f"toe-{k}-3"] = (x, 118 - 4 * (k - 2) ** 2, 12)
    flip = [sign, 1, 1]
    quads = quads if sign == 1 else quads[:, ::-1]
    return vertices * flip, quads, list(joints), np.array(list(joints.values())) * flip


def tiny_arrays():
    arrays = {"shape_offset_names": np.array(["wider"])}
    for side, sign in (("left", 1), ("right", -1)):
        vertices, quads, names, joints = tiny_side(sign)
        sizes = np.array([0.7, 0.9, 1.1])[:, None, None]
        arrays[f"{side}_vertices_mm"] = (vertices * sizes).astype(np.float32)
        arrays[f"{side}_quads"] = quads.astype(np.int32)
        arrays[f"{side}_joints_mm"] = (joints * sizes).astype(np.float32)
        arrays[f"{side}_joint_names"] = np.array(names)
        arrays[f"{side}_shape_offsets_mm"] = (vertices * [0.2, 0, 0])[None].astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("legs") / "legs.npz"
    np.savez(path, **tiny_arrays())
    return LegLibrary(path)


@pytest.fixture(params=["procedural", "library"])
def sampler(request, library):
    if request.param == "procedural":
        return procedural_leg
    return library.sample


def signed_volume(vertices, faces):
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def directed_edges(faces):
    return np.column_stack([faces.ravel(), np.roll(faces, -1, axis=1).ravel()])


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


@pytest.mark.parametrize("side", ["left", "right"])
def test_leg_stands_in_its_frame(sampler, side):
    for seed in range(4):
        leg = sampler(np.random.default_rng(seed), side)
        vertices = leg.vertices_mm
        foot = vertices[vertices[:, 2] < FOOT_HEIGHT_MM]
        assert leg.side == side
        assert (vertices.dtype, leg.faces.dtype) == (np.float32, np.int32)
        assert vertices[:, 2].min() == 0
        assert (vertices[:, 2] < 0.01).sum() > 20, "a sole that carries weight is flat"
        assert vertices[:, 2].max() >= 450
        np.testing.assert_allclose((foot.min(axis=0) + foot.max(axis=0))[:2], 0, atol=1e-3)
        assert leg.heel_mm[0] == pytest.approx(leg.toe_mm[0], abs=1e-6)
        assert leg.heel_mm[1] < leg.ankle_mm[1] < leg.toe_mm[1]
        assert 20 < leg.ankle_mm[2] < 130


@pytest.mark.parametrize("side, sign", [("left", 1), ("right", -1)])
def test_big_toe_of_a_procedural_left_foot_is_at_positive_x(side, sign):
    for seed in range(5):
        leg = procedural_leg(np.random.default_rng(seed), side)
        across = leg.vertices_mm[:, 0] * sign / leg.width_mm
        inner, outer = (leg.vertices_mm[part, 1].max() for part in (across > 0.25, across < -0.25))
        assert inner > outer + 0.02 * leg.length_mm, "toes reach further forward on the big toe's side"


@pytest.mark.parametrize("side, sign", [("left", 1), ("right", -1)])
def test_inner_side_of_a_library_foot_stays_inner_however_it_was_made(library, side, sign):
    for seed in range(12):
        leg = library.sample(np.random.default_rng(seed), side)
        across = (leg.vertices_mm[leg.vertices_mm[:, 2] < FOOT_HEIGHT_MM, 0] - leg.toe_mm[0]) * sign
        assert across.max() > 1.1 * -across.min(), "the bulge made on the inner side lies on the outer one"


def test_stored_measures_are_those_of_the_mesh(sampler):
    for seed in range(4):
        leg = sampler(np.random.default_rng(seed), "left")
        foot = leg.vertices_mm[leg.vertices_mm[:, 2] < FOOT_HEIGHT_MM].astype(float)
        front = foot[foot[:, 1] > foot[:, 1].min() + 0.5 * leg.length_mm]
        assert np.ptp(foot[:, 1]) == pytest.approx(leg.length_mm, abs=0.01)
        assert np.ptp(front[:, 0]) == pytest.approx(leg.width_mm, abs=0.01)
        for point in (leg.heel_mm, leg.toe_mm):
            assert np.linalg.norm(leg.vertices_mm - point, axis=1).min() < 1e-3
        assert foot[:, 1].min() == pytest.approx(leg.heel_mm[1], abs=0.01)


def test_lengths_lie_in_range_and_adults_prevail():
    rng = np.random.default_rng(0)
    lengths = np.array([sample_length_mm(rng) for _ in range(3000)])
    assert 150 <= lengths.min() < 175 and 290 < lengths.max() <= 320
    assert 0.65 < ((lengths >= 220) & (lengths <= 290)).mean() < 0.9


def test_sampled_feet_have_a_foot_s_size_and_proportions():
    for seed in range(4):
        leg = procedural_leg(np.random.default_rng(seed), "right")
        assert 150 <= leg.length_mm <= 320
        assert 0.32 < leg.width_mm / leg.length_mm < 0.48


def test_library_feet_have_the_wanted_range_of_lengths(library):
    lengths = [library.sample(np.random.default_rng(seed), "left").length_mm for seed in range(40)]
    assert 150 <= min(lengths) < 215 and 255 < max(lengths) <= 320


def test_surface_is_closed_and_outward(sampler):
    for side in ("left", "right"):
        leg = sampler(np.random.default_rng(3), side)
        edges = {tuple(edge) for edge in directed_edges(leg.faces).tolist()}
        assert len(edges) == leg.faces.size, "two faces run along an edge in the same direction"
        assert all((b, a) in edges for a, b in edges)
        assert signed_volume(leg.vertices_mm, leg.faces) > 0


def test_mirrored_leg_is_the_other_side_with_the_same_measures(sampler):
    leg = sampler(np.random.default_rng(1), "left")
    other = mirrored(leg)
    assert other.side == "right"
    assert (other.length_mm, other.width_mm) == (leg.length_mm, leg.width_mm)
    np.testing.assert_array_equal(other.vertices_mm, leg.vertices_mm * np.float32([-1, 1, 1]))
    volume = signed_volume(leg.vertices_mm, leg.faces)
    assert signed_volume(other.vertices_mm, other.faces) == pytest.approx(volume)
    again = mirrored(other)
    assert again.side == "left"
    np.testing.assert_array_equal(again.faces, leg.faces)
    np.testing.assert_array_equal(again.ankle_mm, leg.ankle_mm)


def test_same_seed_same_leg_and_another_seed_another(sampler):
    first, second, third = (sampler(np.random.default_rng(seed), "left") for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.vertices_mm, second.vertices_mm)
    np.testing.assert_array_equal(first.faces, second.faces)
    assert first.width_mm == second.width_mm != third.width_mm


def test_sample_leg_takes_the_library_when_there_is_one(library):
    faces = library.sample(np.random.default_rng(0), "left").faces
    assert len(sample_leg(np.random.default_rng(0), "left", library).faces) == len(faces)
    own = sample_leg(np.random.default_rng(0), "left")
    same = procedural_leg(np.random.default_rng(0), "left")
    np.testing.assert_array_equal(own.vertices_mm, same.vertices_mm)


@pytest.mark.parametrize("make", [procedural_leg, "library"])
def test_an_unknown_side_is_refused(make, library):
    make = library.sample if make == "library" else make
    with pytest.raises(ValueError, match="'middle'"):
        make(np.random.default_rng(0), "middle")


def test_loop_subdivision_of_a_tetrahedron_by_hand():
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    vertices = np.array([[1.0, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])
    matrix, finer = loop_subdivision(faces, rounds=1)
    smooth = matrix @ vertices
    assert smooth.shape == (10, 3) and finer.shape == (16, 3)
    # Three neighbours: 7/16 of the vertex and 3/16 of each other one, whose sum is minus the vertex.
    np.testing.assert_allclose(smooth[:4], vertices * (7 / 16 - 3 / 16))
    # An edge's middle: 3/8 of its ends and 1/8 of the two others, whose sum is minus theirs.
    np.testing.assert_allclose(smooth[4], (vertices[0] + vertices[1]) * (3 / 8 - 1 / 8))
    assert signed_volume(smooth, finer) * signed_volume(vertices, faces) > 0


def test_loop_subdivision_of_an_open_mesh_is_refused():
    with pytest.raises(ValueError, match="closed"):
        loop_subdivision(np.array([[0, 1, 2], [0, 2, 3]]), rounds=1)


@pytest.mark.parametrize(
    "name",
    ["left_vertices_mm", "right_quads", "left_joints_mm", "right_joint_names", "left_shape_offsets_mm"],
)
def test_a_missing_array_is_named(tmp_path, name):
    arrays = tiny_arrays()
    del arrays[name]
    np.savez(tmp_path / "legs.npz", **arrays)
    with pytest.raises(ValueError, match=f"legs.npz.*{name}"):
        LegLibrary(tmp_path / "legs.npz")


def spoil_shape(arrays):
    arrays["left_quads"] = arrays["left_quads"][:, :3]


def spoil_number(arrays):
    arrays["left_vertices_mm"][1, 5, 2] = np.nan


def spoil_index(arrays):
    arrays["left_quads"][0, 0] = 9999


def spoil_joint(arrays):
    arrays["left_joint_names"][0] = "hock"


def spoil_count(arrays):
    arrays["left_joints_mm"] = arrays["left_joints_mm"][:2]


def spoil_offsets(arrays):
    arrays["left_shape_offsets_mm"] = arrays["left_shape_offsets_mm"][:, :7]


def spoil_boundary(arrays):
    arrays["left_quads"] = np.delete(arrays["left_quads"], 40, axis=0)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (spoil_shape, "left_quads.*shape"),
        (spoil_number, "left_vertices_mm.*NaN"),
        (spoil_index, "left_quads.*9999"),
        (spoil_joint, "left_joint_names.*ankle"),
        (spoil_count, "left_joints_mm"),
        (spoil_offsets, "left_shape_offsets_mm"),
        (spoil_boundary, "left_quads.*one open end"),
    ],
)
def test_a_wrong_array_is_named_with_the_rule(tmp_path, spoil, words):
    arrays = tiny_arrays()
    spoil(arrays)
    np.savez(tmp_path / "legs.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        LegLibrary(tmp_path / "legs.npz")


def test_a_damaged_file_is_named_with_the_rule(tmp_path):
    for content in (b"", b"no archive", b"PK\x03\x04 torn"):
        (tmp_path / "legs.npz").write_bytes(content)
        with pytest.raises(ValueError, match="legs.npz: not a readable .npz"):
            LegLibrary(tmp_path / "legs.npz")


def test_a_missing_file_is_reported_as_such(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npz"):
        LegLibrary(tmp_path / "nowhere.npz")
