import numpy as np
import pytest

from scenes import conditions
from scenes.conditions import Condition
from scenes.sheet import transform

CORNERS = np.array([[20.0, 10.0], [99.0, 12.0], [95.0, 150.0], [18.0, 140.0]])


def test_brightness_and_contrast_by_hand():
    rgb = np.array([[[0, 10, 100], [200, 255, 35]]], np.uint8)  # the mean is 100
    assert conditions.brightness(rgb, 0.5).tolist() == [[[0, 5, 50], [100, 128, 18]]]
    assert conditions.brightness(rgb, 2.0).tolist() == [[[0, 20, 200], [255, 255, 70]]]
    assert conditions.contrast(rgb, 0.0).tolist() == [[[100] * 3, [100] * 3]]
    assert conditions.contrast(rgb, 0.5).tolist() == [[[50, 55, 100], [150, 178, 68]]]
    assert conditions.contrast(rgb, 2.0).tolist() == [[[0, 0, 100], [255, 255, 0]]]


def test_a_smear_is_as_long_as_told_centred_and_diagonal():
    for length in (0.5, 3.0, 10.0, 25.6):
        kernel = conditions.line_kernel(length)
        y, x = np.mgrid[:len(kernel), :len(kernel)] - len(kernel) // 2
        along, across = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)
        assert kernel.sum() == pytest.approx(1) and np.allclose(kernel, kernel[::-1, ::-1])
        # A line of length L has variance L^2 / 12; the four pixels round a point add some, less than a pixel's own.
        assert length**2 / 12 <= (kernel * along**2).sum() < length**2 / 12 + 0.5
        assert (kernel * across**2).sum() < 0.2
    rgb = np.zeros((100, 80, 3), np.uint8)
    rgb[50, 40] = 255
    rows, columns, _ = np.nonzero(conditions.motion_blur(rgb, 8.0))  # 8 pixels: 2.83 either way in x and in y
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (47, 53, 37, 43)
    assert np.abs((rows - 50) - (columns - 40)).max() <= 1


def test_low_resolution_leaves_blocks_averages_and_smaller_photos():
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[::2] = 200
    assert conditions.low_resolution(rgb, 80) is rgb
    coarse = conditions.low_resolution(rgb, 40)
    assert coarse.shape == rgb.shape and (coarse == 100).all()


@pytest.mark.parametrize("degrees", [15, 45, 90, 180, 300])
def test_a_turn_keeps_every_corner_in_the_picture_and_turns_clockwise(degrees):
    matrix = conditions.turn_matrix((120, 160), CORNERS, degrees)
    moved = transform(matrix, CORNERS)
    assert (moved >= -0.5).all() and (moved <= [119.5, 159.5]).all()
    before, after = CORNERS[1] - CORNERS[0], moved[1] - moved[0]
    angle = np.rad2deg(np.arctan2(after[1], after[0]) - np.arctan2(before[1], before[0]))
    assert angle % 360 == pytest.approx(degrees)
    # Nothing is smaller than it has to be: the middle stays, and where it fits so does the size.
    assert transform(matrix, [[59.5, 79.5]])[0] == pytest.approx([59.5, 79.5])
    scale = np.linalg.norm(after) / np.linalg.norm(before)
    # At 90 degrees the farthest corner, 70.5 below the middle, would be 70.5 beside it, where there are 60.
    by_hand = {15: 1.0, 180: 1.0, 90: 0.96 * 60 / 70.5}
    assert scale == pytest.approx(by_hand[degrees]) if degrees in by_hand else 0.6 < scale < 1.0


def test_an_unknown_condition_is_told():
    with pytest.raises(ValueError, match="condition is 'fog'; choose one of: brightness"):
        Condition("fog", 1)


def test_every_step_has_a_unit_and_masks_have_their_own():
    assert len(conditions.conditions()) == sum(map(len, conditions.STEPS.values()))
    assert set(conditions.UNITS) == set(conditions.STEPS)
    assert {step.name for step in conditions.conditions(of_masks=True)} == {"low_resolution", "turn"}


def test_a_turned_mask_says_what_came_in_from_outside():
    mask = np.ones((40, 40), np.uint8)
    matrix = conditions.matrix_under(Condition("turn", 45), (40, 40), [])
    turned = conditions.turn_mask(mask, matrix, outside=255)
    assert turned[0, 0] == turned[39, 0] == 255 and turned[20, 20] == turned[0, 20] == 1
    assert set(np.unique(turned)) == {1, 255} and set(np.unique(conditions.turn_mask(mask, matrix))) == {0, 1}
    still = conditions.matrix_under(Condition("contrast", 0.4), (40, 40), [])
    assert (still == np.eye(3)).all()
