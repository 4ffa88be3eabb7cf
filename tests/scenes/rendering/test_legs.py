"""Legs in the world: what is hidden, what counts as foot, what leaves the photo."""

from dataclasses import dataclass, replace

import mitsuba as mi
import numpy as np
import pytest

from scenes.rendering.foot import FOOT_HEIGHT_MM, FootConfig
from scenes.rendering.layout import look_at
from scenes.rendering.leg_pool import LegPool
from scenes.rendering.legs import (
    PLAIN_CLOTHES,
    ClothesConfig,
    _normals,
    leg_meshes,
    place_leg,
    sample_clothes,
)
from scenes.rendering.meshes import SHEET_LIFT_MM
from scenes.rendering.skin import _nails


@dataclass(frozen=True)
class Place:
    side: str = "left"
    centre_mm: tuple = (10.0, -20.0)
    turn_deg: float = 30.0
    lifted_mm: float = 0.0
    shod: bool = False


@pytest.fixture(scope="module")
def leg():
    return LegPool(1).sample(np.random.default_rng(0), "left", FootConfig(shapes=1))


def above(height=900.0):
    return look_at((0, -60, height), (0, 0, 0), (0, 1, 0), 340.0, 240, 320)


def positions(mesh):
    return np.array(mi.traverse(mesh)["vertex_positions"]).reshape(-1, 3)


def dressed(leg, seed, place=Place(), **config):
    rng = np.random.default_rng(seed)
    clothes = sample_clothes(rng, ClothesConfig(**config))
    placed = place_leg(rng, leg, place, above())
    meshes, names = leg_meshes(rng, 0, leg, placed, place, clothes)
    return {mesh.id(): mesh for mesh in meshes}, names, placed, clothes


def test_a_foot_stands_where_it_is_placed_however_the_shank_leans(leg):
    for seed in range(4):
        placed = place_leg(np.random.default_rng(seed), leg, Place(), above(), knee_deg=40.0)
        low = leg.vertices_mm[:, 2] < FOOT_HEIGHT_MM
        rigid = leg.vertices_mm[low] @ placed.spin.T + placed.shift
        np.testing.assert_allclose(placed.vertices_mm[low], rigid, atol=1e-6)
        np.testing.assert_allclose(placed.shift, (10, -20, SHEET_LIFT_MM))
        toes = placed.spin @ [0, 1, 0]
        np.testing.assert_allclose(toes[:2], (-np.sin(np.deg2rad(30)), np.cos(np.deg2rad(30))), atol=1e-12)


def test_the_leg_s_end_is_out_of_the_photo(leg):
    camera = above(1000.0)
    for seed in range(6):
        placed = place_leg(np.random.default_rng(seed), leg, Place(), camera)
        top = placed.vertices_mm[leg.vertices_mm[:, 2] > 450]
        ahead = (top @ camera.rotation.T + camera.translation_mm)[:, 2]
        x, y = camera.project(top[ahead > 30]).T
        assert not ((x > 0) & (x < camera.width - 1) & (y > 0) & (y < camera.height - 1)).any()


def test_a_lifted_foot_is_off_the_sheet_by_as_much(leg):
    placed = place_leg(np.random.default_rng(0), leg, Place(lifted_mm=50.0), above())
    assert placed.vertices_mm[:, 2].min() == pytest.approx(50 + SHEET_LIFT_MM)


def test_bare_plain_leg_is_one_mesh_of_one_tone(leg):
    rng = np.random.default_rng(0)
    clothes = sample_clothes(rng, PLAIN_CLOTHES)
    assert clothes.sock is None and clothes.trouser is None
    np.testing.assert_array_equal(clothes.skin.tone, sample_clothes(np.random.default_rng(9), PLAIN_CLOTHES).skin.tone)
    placed = place_leg(rng, leg, Place(), above())
    meshes, names = leg_meshes(rng, 3, leg, placed, Place(), clothes)
    assert [mesh.id() for mesh in meshes] == ["foot3"] and "foot3" in names


def test_a_sock_lies_around_the_foot_and_hides_its_skin(leg):
    for seed in range(6):
        meshes, names, placed, clothes = dressed(leg, seed, sock_share=1.0, trouser_share=0.0)
        assert set(names) >= {"foot0", "sock0"}
        sock = (positions(meshes["sock0"]) - placed.shift) @ placed.spin
        low = leg.vertices_mm[:, 2] < min(50, 0.5 * clothes.sock.height * leg.length_mm)
        bare, worn = leg.vertices_mm[low], sock[sock[:, 2] < 60]
        assert worn[:, 2].min() > -0.01
        for k in (0, 1):
            assert bare[:, k].min() - 5 < worn[:, k].min() < bare[:, k].min() + 1.5
            assert bare[:, k].max() - 1.5 < worn[:, k].max() < bare[:, k].max() + 5
        skin = (positions(meshes["foot0"]) - placed.shift) @ placed.spin
        assert (skin[:, 1] < leg.heel_mm[1] + 0.6 * leg.length_mm).all(), "toes under a sock are not drawn"


def test_a_trouser_hangs_where_its_hem_says_and_is_no_foot(leg):
    meshes, names, placed, clothes = dressed(leg, 1, sock_share=0.0, trouser_share=1.0, long_share=0.0)
    assert "trouser0" in meshes and "trouser0" not in names
    cloth = (positions(meshes["trouser0"]) - placed.shift) @ placed.spin
    assert cloth[:, 2].min() == pytest.approx(clothes.trouser.hem, abs=18)
    skin = leg.vertices_mm[np.abs(leg.vertices_mm[:, 2] - clothes.trouser.hem - 20) < 5]
    hem = cloth[np.abs(cloth[:, 2] - clothes.trouser.hem - 20) < 20]
    assert np.ptp(hem[:, 0]) > np.ptp(skin[:, 0])


def test_of_a_shod_foot_nothing_is_foot(leg):
    meshes, names, placed, _ = dressed(leg, 2, Place(shod=True), sock_share=0.0, trouser_share=0.0)
    assert names == ()
    shoe = np.vstack([positions(mesh) for name, mesh in meshes.items() if name.startswith("shoe0")])
    shoe = (shoe - placed.shift) @ placed.spin
    assert np.ptp(shoe[:, 1]) > leg.length_mm and np.ptp(shoe[:, 0]) > leg.width_mm
    assert (positions(meshes["foot0"]) @ [0, 0, 1]).min() > 0.1 * leg.length_mm


def test_the_same_seed_gives_the_same_leg(leg):
    for config in ({"sock_share": 1.0}, {"trouser_share": 1.0}, {"sock_share": 0.0}):
        first, second = (dressed(leg, 4, **config)[0] for _ in range(2))
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_array_equal(positions(first[name]), positions(second[name]))


def test_nails_lie_on_top_of_every_toe(leg):
    rng = np.random.default_rng(0)
    skin = sample_clothes(rng, ClothesConfig()).skin
    upward = _normals(leg.vertices_mm, leg.faces)[:, 2]
    nail, _, _ = _nails(leg, replace(skin, nail_length=1.0))
    for k in range(5):
        found = (leg.toe_of == k) & (nail > 0.4)
        assert found.any()
        assert upward[found].mean() > 0.5
        assert leg.vertices_mm[found, 1].mean() > leg.toe_joints_mm[k, 1, 1]
    assert not nail[leg.toe_of < 0].any()
