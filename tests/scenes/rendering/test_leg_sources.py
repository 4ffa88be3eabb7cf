"""Legs of both sources: their frame, their measures, their closed surface. The library is made here."""

from dataclasses import replace

import numpy as np
import pytest

from scenes.rendering.foot import FOOT_HEIGHT_MM, PLAIN_FOOT, FootConfig, arch_height, instep_height, mirrored
from scenes.rendering.foot_pose import posed
from scenes.rendering.leg_library import LegLibrary, loop_subdivision
from scenes.rendering.leg_pool import LegPool
from scenes.rendering.procedural_leg import random_shape, raw_leg

SHAPES = FootConfig(shapes=3)  # each shape of the pool takes a quarter of a second
# Toes as they grow.
STRAIGHT = replace(SHAPES, clawed_share=0.0, lifted_share=0.0, lifted_big_toe_share=0.0, spread_share=0.0,
                   hallux_valgus_share=0.0)  # fmt: skip

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


@pytest.fixture(scope="module")
def pool():
    return LegPool(3)


@pytest.fixture(params=["pool", "library"])
def sampler(request, library, pool):
    """(rng, side) -> Leg; the pool with few shapes, because each takes a quarter of a second."""
    if request.param == "pool":
        return lambda rng, side, config=SHAPES: pool.sample(rng, side, config)
    return library.sample


def signed_volume(vertices, faces):
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def directed_edges(faces):
    return np.column_stack([faces.ravel(), np.roll(faces, -1, axis=1).ravel()])


@pytest.mark.parametrize("side", ["left", "right"])
def test_leg_stands_in_its_frame(sampler, side):
    for seed in range(4):
        leg = sampler(np.random.default_rng(seed), side)
        vertices = leg.vertices_mm
        foot = vertices[vertices[:, 2] < FOOT_HEIGHT_MM]
        assert leg.side == side
        assert (vertices.dtype, leg.faces.dtype) == (np.float32, np.int32)
        assert vertices[:, 2].min() == 0
        assert (vertices[:, 2] < 0.01).sum() > 10, "a sole that carries weight is flat"
        assert vertices[:, 2].max() >= 450
        np.testing.assert_allclose((foot.min(axis=0) + foot.max(axis=0))[:2], 0, atol=1e-3)
        assert leg.heel_mm[0] == pytest.approx(leg.toe_mm[0], abs=1e-6)
        assert leg.heel_mm[1] < leg.ankle_mm[1] < leg.toe_mm[1]
        assert 20 < leg.ankle_mm[2] < 130


@pytest.mark.parametrize("side, sign", [("left", 1), ("right", -1)])
def test_big_toe_of_a_procedural_left_foot_is_at_positive_x(pool, side, sign):
    for seed in range(5):
        leg = pool.sample(np.random.default_rng(seed), side, STRAIGHT)
        across = leg.vertices_mm[:, 0] * sign / leg.width_mm
        inner, outer = (leg.vertices_mm[part, 1].max() for part in (across > 0.25, across < -0.25))
        assert inner > outer + 0.02 * leg.length_mm, "toes reach further forward on the big toe's side"


@pytest.mark.parametrize("side, sign", [("left", 1), ("right", -1)])
def test_inner_side_of_a_library_foot_stays_inner_however_it_was_made(library, side, sign):
    for seed in range(12):
        leg = library.sample(np.random.default_rng(seed), side, STRAIGHT)
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
        assert instep_height(leg.vertices_mm, leg.faces, leg.length_mm) == pytest.approx(leg.instep_mm, abs=0.01)
        assert arch_height(leg.vertices_mm, leg.faces, leg.side, leg.length_mm) == pytest.approx(leg.arch_mm, abs=0.01)


def test_sampled_feet_have_a_foot_s_size_and_proportions(pool):
    for leg in [pool.sample(np.random.default_rng(seed), "right", STRAIGHT) for seed in range(7)]:
        assert 150 <= leg.length_mm <= 320
        assert 0.32 < leg.width_mm / leg.length_mm < 0.48
        assert 0.18 < leg.instep_mm / leg.length_mm < 0.35
        assert 0 <= leg.arch_mm < 0.5 * leg.instep_mm


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


def test_an_unknown_side_is_refused(sampler):
    with pytest.raises(ValueError, match="'middle'"):
        sampler(np.random.default_rng(0), "middle")


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


def test_loop_subdivision_splits_only_what_is_coarse_and_stays_closed():
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 9]])
    matrix, finer = loop_subdivision(faces, 1, vertices, finest=3.0)
    assert matrix.shape == (7, 4), "three edges are longer than 3"
    edges = {tuple(edge) for edge in directed_edges(finer).tolist()}
    assert len(edges) == finer.size and all((b, a) in edges for a, b in edges)
    assert signed_volume(matrix @ vertices, finer) * signed_volume(vertices, faces) > 0
    same, unchanged = loop_subdivision(faces, 2, vertices, finest=20.0)
    np.testing.assert_array_equal(same.toarray(), np.eye(4))
    np.testing.assert_array_equal(unchanged, faces)


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


def spoil_unit(arrays):
    arrays["left_vertices_mm"] = arrays["left_vertices_mm"] / 1000


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
        (spoil_unit, "left_vertices_mm has a foot.*millimetres"),
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


def test_a_pooled_shape_depends_on_seed_and_number_alone():
    config = FootConfig(shapes=4)
    first, other = LegPool(5), LegPool(5)
    other.base(0, config)
    np.testing.assert_array_equal(first.base(1, config)[0].vertices, other.base(1, config)[0].vertices)
    assert LegPool(6).base(1, config)[1] != first.base(1, config)[1]


def test_a_pool_gives_more_legs_than_it_keeps(pool):
    config = SHAPES
    lengths = {round(pool.sample(np.random.default_rng(k), "left", config).length_mm, 3) for k in range(8)}
    assert len(lengths) == 8
    assert sum(key[1] == config for key in pool._made) <= 3


def toe_angles(leg):
    """Degrees of each toe's last bone over the floor."""
    bone = leg.toe_joints_mm[:, 2] - leg.toe_joints_mm[:, 1]
    return np.degrees(np.arctan2(bone[:, 2], np.linalg.norm(bone[:, :2], axis=1)))


def test_plain_feet_differ_in_size_only(library, pool):
    for source in (library, pool):
        legs = [source.sample(np.random.default_rng(seed), "left", PLAIN_FOOT) for seed in range(8)]
        ratios = [leg.width_mm / leg.length_mm for leg in legs]
        assert np.ptp(ratios) < 0.02 and np.ptp([leg.length_mm for leg in legs]) > 10
        assert np.ptp([toe_angles(leg) for leg in legs], axis=0).max() < 3


@pytest.fixture(scope="module")
def shape():
    return raw_leg(random_shape(np.random.default_rng(1)), 240.0, 240.0)


def posed_leg(shape, side, **choices):
    leg = posed(np.random.default_rng(0), shape, 240.0, replace(STRAIGHT, **choices))
    return leg if side == "left" else mirrored(leg)


@pytest.mark.parametrize("side, outward", [("left", -1), ("right", 1)])
def test_toes_bend_as_configured(shape, side, outward):
    def bent(**shares):
        return posed_leg(shape, side, toe_lift_deg=0.0, toe_fan_deg=0.0, **shares)

    plain = bent()
    lifted, clawed = bent(lifted_big_toe_share=1.0), bent(clawed_share=1.0)
    assert toe_angles(lifted)[0] > toe_angles(plain)[0] + 10
    assert (toe_angles(clawed)[1:] < toe_angles(plain)[1:] - 5).all()
    apart = [np.ptp(leg.toe_joints_mm[:, 2, 0]) for leg in (plain, bent(spread_share=1.0))]
    assert apart[1] > apart[0] + 5
    turned = bent(hallux_valgus_share=1.0).toe_joints_mm - plain.toe_joints_mm
    bone = turned[0, 2] - turned[0, 0]
    assert bone[0] * outward > 1, "the big toe turns to its neighbours"
    for leg in (lifted, clawed):
        assert leg.vertices_mm[:, 2].min() == 0


def test_arches_become_flat_and_high(shape):
    def arch(**shares):
        kinds = {"flat_share": 0.0, "high_share": 0.0, "arch_spread_mm": 0.0} | shares
        return posed_leg(shape, "left", **kinds).arch_mm

    assert arch(flat_share=1.0) + 2 < arch() < arch(high_share=1.0) - 2


def test_toes_are_known_vertex_by_vertex(pool):
    leg = pool.sample(np.random.default_rng(2), "right", FootConfig(shapes=1))
    tips = [leg.vertices_mm[leg.toe_of == k].mean(0) for k in range(5)]
    assert np.all(np.diff([tip[0] for tip in tips]) > 0), "from the big toe at -x to the little one"
    assert min(tip[1] for tip in tips) > 0.15 * leg.length_mm
    np.testing.assert_array_equal(mirrored(leg).toe_joints_mm[..., 0], -leg.toe_joints_mm[..., 0])
