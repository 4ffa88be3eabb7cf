import numpy as np
import pytest

from scenes.labels import BACKGROUND, LEFT_FOOT, NAMES, PALETTE, RIGHT_FOOT, SHEET, flip_mask


def test_ids_names_and_colours_belong_together():
    assert (BACKGROUND, SHEET, LEFT_FOOT, RIGHT_FOOT) == (0, 1, 2, 3)
    assert NAMES[LEFT_FOOT] == "left_foot" and len(NAMES) == 4
    assert PALETTE.shape == (4, 3) and PALETTE.dtype == np.uint8
    assert len(np.unique(PALETTE, axis=0)) == 4


def test_flip_mirrors_and_swaps_the_sides():
    mask = np.array([[0, 1, 2], [3, 1, 0]], dtype=np.uint8)
    flipped = flip_mask(mask)
    assert flipped.tolist() == [[3, 1, 0], [0, 1, 2]]
    assert flipped.dtype == np.uint8


def test_flip_twice_is_the_identity_and_leaves_its_argument():
    mask = np.random.default_rng(1).integers(0, 4, (5, 7)).astype(np.uint8)
    before = mask.copy()
    assert np.array_equal(flip_mask(flip_mask(mask)), mask)
    assert np.array_equal(mask, before)


def test_flip_refuses_what_is_no_class_mask():
    with pytest.raises(ValueError, match="channel"):
        flip_mask(np.zeros((2, 2, 1), np.uint8))
    with pytest.raises(IndexError):
        flip_mask(np.full((2, 2), 7, np.uint8))
