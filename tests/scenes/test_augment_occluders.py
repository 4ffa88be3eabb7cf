"""What lies over the sheet changes picture, mask and visibility in the same pixels, and never too many of them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from scenes import augment as module
from scenes import augment_occluders as occluders
from scenes.augment import NONE, THESIS, AugmentConfig, augment
from scenes.images import PADDING_GREY, InputSpec
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET

SPEC = InputSpec(height=128, width=96, fit="letterbox")
SEEN = np.array([2, 2, 2, 2])
CORNERS = np.array([[21.0, 22.0], [74.0, 26.0], [70.0, 105.0], [17.0, 99.0]])
ONLY = replace(NONE, occluder_share=1, occluder_count=2, occluder_corner_share=0.5, occluder_hides=0.33)
SEEDS = range(40)


def scene(size=(96, 128)):
    """A photo as large as the input: image of noise that nothing else looks like, mask with sheet and two feet."""
    image = np.random.default_rng(0).integers(60, 200, (size[1], size[0], 3), dtype=np.uint8)
    mask = np.full(size[::-1], BACKGROUND, np.uint8)
    cv2.fillConvexPoly(mask, CORNERS.astype(np.int32), SHEET)
    mask[50:90, 30:42], mask[50:90, 48:60] = LEFT_FOOT, RIGHT_FOOT
    return image, mask


def changed(seed, config=ONLY, visibility=SEEN, mask=True, corners=CORNERS):
    image, classes = scene()
    return augment(image, classes if mask else None, corners, visibility, SPEC, np.random.default_rng(seed), config)


def hide(area):
    """In place of `lay_over`: hides the given slices."""
    def lay_over(picture, told, *rest):
        hidden = np.zeros(told.shape, bool)
        hidden[area] = True
        return picture, hidden
    return lay_over


@pytest.mark.parametrize("config", [NONE, THESIS, replace(ONLY, occluder_share=0)])
def test_a_share_of_zero_draws_nothing(config, monkeypatch):
    assert config.occluder_share == 0
    image, mask = scene()
    states = []
    for settings in (config, replace(config, occluder_count=0, occluder_corner_share=0, occluder_hides=0)):
        rng = np.random.default_rng(3)
        result = augment(image, mask, CORNERS, SEEN, SPEC, rng, settings)
        states.append((rng.bit_generator.state, result.image.tobytes(), result.mask.tobytes()))
    assert states[0] == states[1]
    monkeypatch.setattr(module, "lay_over", None)  # not even asked
    augment(image, mask, CORNERS, SEEN, SPEC, np.random.default_rng(3), config)


def test_picture_and_mask_change_in_the_same_pixels(monkeypatch):
    monkeypatch.setattr(occluders, "SHADOW_DEPTH", (0, 0))
    # Paper all over the photo, so that the mask shows all that is hidden.
    image, mask = scene()
    mask[:] = SHEET
    corners = np.array([[-20.0, -20.0], [120.0, -20.0], [120.0, 150.0], [-20.0, 150.0]])
    plain = augment(image, mask, corners, np.zeros(4, int), SPEC, np.random.default_rng(0), NONE)
    for seed in SEEDS:
        got = augment(image, mask, corners, np.zeros(4, int), SPEC, np.random.default_rng(seed), ONLY)
        hidden = (got.mask == BACKGROUND).astype(np.uint8)
        difference = (got.image != plain.image).any(axis=2)
        # The edge of a thing is soft: a pixel that it covers by less than half changes, yet stays paper.
        assert not difference[cv2.dilate(hidden, np.ones((5, 5))) == 0].any()
        assert difference[hidden > 0].mean() > 0.98
        assert 0 < hidden.mean() <= 0.33


def test_a_shadow_darkens_and_the_mask_does_not_know(monkeypatch):
    monkeypatch.setattr(occluders, "SHADOW_DEPTH", (0.5, 0.5))
    plain, darker = changed(0, NONE), 0
    for seed in SEEDS:
        got = changed(seed)
        # Where the floor is hidden, only the picture tells: well away from all that has no noise in it.
        beside = got.mask != BACKGROUND
        beside &= cv2.dilate((plain.mask != got.mask).astype(np.uint8), np.ones((3, 3))) == 0
        beside &= cv2.erode((plain.mask != BACKGROUND).astype(np.uint8), np.ones((5, 5))) > 0
        assert (got.image[beside] <= plain.image[beside]).all()
        assert (got.image[beside] >= plain.image[beside] // 4 - 1).all()  # two shadows of one half
        darker += (got.image[beside] < plain.image[beside]).sum()
    assert darker > 1000


def test_mask_and_visibility_follow_what_is_hidden(monkeypatch):
    # The left part of the picture, with the first and last corner, is hidden.
    monkeypatch.setattr(module, "lay_over", hide(np.s_[:, :36]))
    plain, got = changed(0, NONE), changed(0)
    assert (got.mask[:, :36] == BACKGROUND).all() and np.array_equal(got.mask[:, 36:], plain.mask[:, 36:])
    assert got.visibility.tolist() == [1, 2, 2, 1] and np.array_equal(got.corners, plain.corners)
    # 0 stays 0 and 1 stays 1, in the picture or not.
    assert changed(0, visibility=np.array([0, 1, 0, 2])).visibility.tolist() == [0, 1, 0, 1]
    assert changed(0, visibility=np.array([1, 2, 2, 1])).visibility.tolist() == [1, 2, 2, 1]
    # Mirrored after that: the hidden part is on the right.
    flipped = changed(0, replace(ONLY, flip_share=1))
    assert (flipped.mask[:, -36:] == BACKGROUND).all() and flipped.visibility.tolist() == [2, 1, 1, 2]


def test_a_corner_lies_in_the_pixel_that_holds_it():
    hidden = np.zeros((10, 20), bool)
    hidden[3, 7] = hidden[0, 0] = hidden[9, 19] = True
    corners = np.array([[7.49, 2.51], [7.51, 3.0], [19.4, 9.4], [19.6, 9.0]])
    assert occluders.covered(corners, hidden).tolist() == [True, False, True, False]
    assert occluders.covered(np.array([[-1.0, -1]] * 4), hidden).tolist() == [False] * 4


def test_neither_sheet_nor_foot_nor_corners_are_hidden_too_much():
    plain, sizes = changed(0, NONE), []
    for seed in SEEDS:
        got = changed(seed, replace(ONLY, occluder_count=4, occluder_corner_share=1))
        for class_id in (SHEET, LEFT_FOOT, RIGHT_FOOT):
            area = plain.mask == class_id
            assert (got.mask[area] == BACKGROUND).mean() <= 0.33
            assert set(np.unique(got.mask[area])) <= {BACKGROUND, class_id}
        assert (got.mask[plain.mask == BACKGROUND] == BACKGROUND).all()
        assert np.array_equal(got.corners, plain.corners)
        assert 0 not in got.visibility and (got.visibility == 1).sum() <= 2
        sizes.append((got.mask != plain.mask).sum())
    assert min(sizes) > 0 and np.median(sizes) > 200


def test_corners_are_hidden_on_purpose():
    one = replace(ONLY, occluder_count=1)
    aimed = [(changed(seed, replace(one, occluder_corner_share=1)).visibility == 1).sum() for seed in SEEDS]
    chance = [(changed(seed, replace(one, occluder_corner_share=0)).visibility == 1).sum() for seed in SEEDS]
    assert np.mean(np.array(aimed) > 0) > 0.8 and np.mean(np.array(chance) > 0) < 0.5


@pytest.mark.parametrize("visibility", [(2, 1, 0, 2), (1, 1, 1, 2), (0, 0, 2, 2)])
def test_no_corner_is_taken_where_two_are_unseen(visibility):
    config = replace(ONLY, occluder_corner_share=1)
    for seed in SEEDS:
        assert tuple(changed(seed, config, np.array(visibility)).visibility) == visibility


def test_the_seed_decides_everything():
    first, second, other = (changed(seed) for seed in (5, 5, 6))
    for name in ("image", "mask", "visibility"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.image, other.image)


def test_without_a_mask_the_corners_tell_where_the_sheet_is():
    plain, covered = changed(0, NONE, mask=False), 0
    for seed in SEEDS:
        got = changed(seed, mask=False)
        assert got.mask is None and not np.array_equal(got.image, plain.image)
        assert np.array_equal(got.corners, plain.corners)
        covered += (got.visibility == 1).sum()
    assert covered > len(SEEDS) / 4


def test_without_mask_and_corners_nothing_is_laid():
    rng, untouched = np.random.default_rng(1), np.random.default_rng(1)
    corners, visibility = CORNERS.copy(), np.array([2, 0, 2, 2])
    corners[1] = -1
    got = augment(scene()[0], None, corners, visibility, SPEC, rng, ONLY)
    expected = augment(scene()[0], None, corners, visibility, SPEC, untouched, NONE)
    assert np.array_equal(got.image, expected.image) and rng.random() == untouched.random()
    # With a mask things are laid all the same, and the unknown corner stays unknown.
    masked = changed(1, visibility=visibility, corners=corners)
    assert (masked.mask != changed(1, NONE).mask).any()
    assert masked.visibility[1] == 0 and masked.corners[1].tolist() == [-1, -1]


def test_nothing_lies_beside_the_photo():
    # A wide photo in an upright input: 36 rows of padding above and below.
    image, mask = scene((128, 96))
    spec = InputSpec(height=168, width=128, fit="letterbox")
    for seed in SEEDS:
        got = augment(image, mask, CORNERS * 0.9, SEEN, spec, np.random.default_rng(seed), ONLY)
        assert (got.image[:36] == PADDING_GREY).all() and (got.image[-36:] == PADDING_GREY).all()


def test_training_has_some():
    config = AugmentConfig()
    assert 0.1 <= config.occluder_share <= 0.3 and config.occluder_count == 2
