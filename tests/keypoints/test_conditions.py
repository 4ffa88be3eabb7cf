import numpy as np

from keypoints.conditions import under
from keypoints.config import TrainConfig
from keypoints.loader import Example, plain_sample
from scenes.conditions import Condition, conditions
from scenes.sheet import transform

CORNERS = np.array([[20.0, 10.0], [99.0, 12.0], [95.0, 150.0], [18.0, 140.0]])


def example(mask=None):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (160, 120, 3), np.uint8)
    return Example("one", rgb, mask, CORNERS, np.array([2, 2, 1, 2]), (240, 320))


def test_a_turn_by_180_degrees_is_the_photo_upside_down():
    one = example(np.zeros((160, 120), np.uint8))
    one.mask[:10] = 1
    turned, matrix = under(Condition("turn", 180), one)
    assert (turned.rgb == one.rgb[::-1, ::-1]).all() and (turned.mask == one.mask[::-1, ::-1]).all()
    np.testing.assert_allclose(turned.corners, [119, 159] - CORNERS)
    np.testing.assert_allclose(transform(matrix, CORNERS), turned.corners)
    assert turned.size == one.size and turned.visibility is one.visibility


def test_a_corner_that_nobody_knows_neither_limits_nor_stops_a_turn():
    one = example()
    corners = CORNERS.copy()
    corners[1] = np.nan
    unknown = Example("one", one.rgb, None, corners, np.array([2, 0, 1, 2]), one.size)
    turned, _ = under(Condition("turn", 45), unknown)
    assert np.isnan(turned.corners[1]).all() and np.isfinite(turned.corners[[0, 2, 3]]).all()


def test_every_step_changes_the_photo_and_only_turns_move_corners():
    one = example()
    for step in conditions():
        changed, matrix = under(step, one)
        assert changed.rgb.shape == one.rgb.shape and changed.rgb.dtype == np.uint8
        assert (changed.rgb != one.rgb).any() or step == Condition("low_resolution", 256) or step.value == 192
        if step.name != "turn":
            assert changed.corners is one.corners and (matrix == np.eye(3)).all()
    assert under(None, one)[0] is one


def test_masks_become_coarse_without_mixing_classes():
    mask = np.zeros((160, 120), np.uint8)
    mask[43:117, 34:86] = 3
    coarse, _ = under(Condition("low_resolution", 16), example(mask))
    assert set(np.unique(coarse.mask)) == {0, 3} and (coarse.mask != mask).any()
    # The class is still where it was.
    assert coarse.mask[80, 60] == 3 and coarse.mask[5, 5] == 0


def test_a_turned_photo_enters_the_network_turned():
    config = TrainConfig(height=160, width=128)
    turned, matrix = under(Condition("turn", 90), example())
    _, corners, visibility = plain_sample(turned, config)
    # By a quarter turn the first corner in published order becomes the second, and the covered third the fourth.
    assert visibility.tolist() == [2, 2, 2, 1]
