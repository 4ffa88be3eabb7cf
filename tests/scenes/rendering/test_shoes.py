"""Shoes: of a foot's size, where they are put, of every kind."""

import mitsuba as mi
import numpy as np
import pytest

from scenes.rendering.shoes import KINDS, sample_shoe, shoe_mesh


def points(meshes):
    return np.vstack([np.array(mi.traverse(mesh)["vertex_positions"]).reshape(-1, 3) for mesh in meshes])


@pytest.mark.parametrize("kind", KINDS)
def test_a_shoe_stands_where_it_is_put_and_is_as_long_as_made(kind):
    rng = np.random.default_rng(1)
    shoe = sample_shoe(rng, (kind,), length_mm=240.0)
    meshes = shoe_mesh(rng, "shoe4", "left", (300.0, -50.0), 90.0, shoe)
    assert all(mesh.id().startswith("shoe4") for mesh in meshes)
    assert len({mesh.id() for mesh in meshes}) == len(meshes)
    found = points(meshes)
    assert 250 < shoe.length < 270
    assert np.ptp(found[:, 0]) == pytest.approx(shoe.length, rel=0.03)
    assert np.ptp(found[:, 1]) == pytest.approx(shoe.width, rel=0.08)
    assert 0 < found[:, 2].min() < 1 and np.isfinite(found).all()
    assert found[:, 0].mean() == pytest.approx(300, abs=35) and found[:, 1].mean() == pytest.approx(-50, abs=20)


def test_a_right_shoe_is_a_left_one_mirrored():
    shoe = sample_shoe(np.random.default_rng(2), ("sneaker",))
    left, right = (points(shoe_mesh(np.random.default_rng(0), "shoe", side, (0, 0), 0.0, shoe))
                   for side in ("left", "right"))
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-4)
    # The tip lies on the inner side, which is towards +x of a left foot.
    assert left[left[:, 1] > 0.47 * shoe.length, 0].mean() > 2
