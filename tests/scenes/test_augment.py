"""Picture, mask, corners and visibility must move together; a change of look must leave the truth alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from scenes.augment import NONE, THESIS, AugmentConfig, augment
from scenes.images import InputSpec, fit_photo, input_to_photo
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.sheet import order_corners, transform

SPEC = InputSpec(height=256, width=192, fit="letterbox")
SEEN = np.array([2, 2, 2, 2])
# Strong geometry and no change of look: black floor and white sheet stay black and white.
GEOMETRY = replace(
    NONE,
    flip_share=0.5,
    rotation_deg=20,
    any_turn_share=0.4,
    zoom_out=0.3,
    zoom_in=0.35,
    shift=0.15,
    aspect=0.15,
    perspective=0.15,
    other_border_share=1.0,
)


def scene(width=480, height=640, corners=((120, 130), (370, 150), (350, 500), (100, 470)), foot=None):
    """A white sheet on a black floor: image, mask, corners (4, 2); foot: a class id, drawn grey."""
    corners = np.array(corners, np.float64)
    # Eight times finer, then averaged: the outline lies where the corners say, to a fraction of a pixel.
    fine = np.zeros((height * 8, width * 8), np.uint8)
    cv2.fillConvexPoly(fine, np.round((corners + 0.5) * 8 - 0.5).astype(np.int32), 255)
    grey = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    mask = np.where(grey > 127, SHEET, BACKGROUND).astype(np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    if foot is not None:
        x, y = corners.mean(axis=0)
        where = (slice(int(y) - 60, int(y) + 60), slice(int(x) - 60, int(x) - 10))
        mask[where], image[where] = foot, 128
    return image, mask, corners


def outline_corners(mask):
    """The four corners of the sheet in a mask, found from the mask alone: (4, 2) in published order."""
    contours, _ = cv2.findContours((mask == SHEET).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    for tolerance in np.arange(1, 12, 0.5):
        found = cv2.approxPolyDP(hull, tolerance, True).reshape(-1, 2).astype(np.float64)
        if len(found) == 4:
            break
    assert len(found) == 4
    # Lines through the sides' pixels, crossed: finer than the four pixels themselves.
    lines = []
    contour = max(contours, key=len).reshape(-1, 2).astype(np.float64)
    for start, end in zip(found, np.roll(found, -1, axis=0), strict=True):
        along = (end - start) / np.linalg.norm(end - start)
        t, away = (contour - start) @ along, np.abs((contour - start) @ [-along[1], along[0]])
        side = contour[(away < 2) & (t > 4) & (t < np.linalg.norm(end - start) - 4)]
        vx, vy, x, y = cv2.fitLine(side.astype(np.float32), cv2.DIST_L2, 0, 0.01, 0.01).ravel()
        lines.append(np.cross([x, y, 1], [x + vx, y + vy, 1]))
    crossed = np.array([np.cross(lines[side - 1], lines[side]) for side in range(4)])
    corners = crossed[:, :2] / crossed[:, 2:]
    return corners[order_corners(corners)]


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "turn"])
@pytest.mark.parametrize("size", [(480, 640), (640, 480)])
def test_none_is_the_plain_fit(fit, size):
    spec = replace(SPEC, fit=fit)
    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    _, mask, corners = scene(*size, corners=((100, 90), (300, 100), (310, 400), (90, 390)))
    got = augment(image, mask, corners, SEEN, spec, np.random.default_rng(1), NONE)
    assert np.array_equal(got.image, fit_photo(image, spec))
    expected = transform(np.linalg.inv(input_to_photo(size, spec)), corners)
    assert got.corners == pytest.approx(expected[order_corners(expected)])
    assert got.visibility.tolist() == [2, 2, 2, 2]
    assert np.abs(outline_corners(got.mask) - got.corners).max() < 1


@pytest.mark.parametrize("seed", range(20))
def test_corners_mask_and_picture_move_together(seed):
    image, mask, corners = scene()
    got = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), GEOMETRY)
    assert (got.visibility == 2).all()
    assert np.abs(outline_corners(got.mask) - got.corners).max() < 1
    # White is sheet and nothing else is, also where the border mirrors or smears the photo.
    white = got.image[..., 0] > 160
    outline = cv2.morphologyEx(got.mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert np.array_equal(white[~outline], (got.mask == SHEET)[~outline])
    assert got.corners == pytest.approx(got.corners[order_corners(got.corners)])


@pytest.mark.parametrize("seed", range(10))
def test_a_border_never_shows_a_second_sheet(seed):
    # The sheet runs out of the photo, so that mirroring or smearing the photo would repeat it.
    image, mask, corners = scene(corners=((-60, 130), (300, 150), (280, 500), (-80, 470)))
    config = replace(NONE, zoom_out=0.4, shift=0.2, cut_off_share=1, other_border_share=1)
    got = augment(image, mask, corners, np.array([0, 2, 2, 0]), SPEC, np.random.default_rng(seed), config)
    outline = cv2.dilate(got.mask, np.ones((5, 5), np.uint8)) > 0
    assert (got.image[~outline] <= 114).all()
    without = augment(image, None, corners, np.array([0, 2, 2, 0]), SPEC, np.random.default_rng(seed), config)
    assert np.array_equal(without.image, got.image)


def test_a_flip_swaps_sides_and_keeps_the_order():
    image, mask, corners = scene(foot=LEFT_FOOT)
    visibility = np.array([2, 1, 2, 2])
    plain = augment(image, mask, corners, visibility, SPEC, np.random.default_rng(0), NONE)
    flipped = augment(
        image, mask, corners, visibility, SPEC, np.random.default_rng(0), replace(NONE, flip_share=1)
    )
    assert np.array_equal(flipped.image, plain.image[:, ::-1])
    assert np.array_equal(flipped.mask == RIGHT_FOOT, (plain.mask == LEFT_FOOT)[:, ::-1])
    assert (flipped.mask == RIGHT_FOOT).sum() > 100 and not (flipped.mask == LEFT_FOOT).any()
    # Mirrored, the top right corner becomes the top left one: 0 and 1, and 2 and 3, change places.
    mirrored = plain.corners[[1, 0, 3, 2]] * [-1, 1] + [SPEC.width - 1, 0]
    assert flipped.corners == pytest.approx(mirrored)
    assert plain.visibility.tolist() == [2, 1, 2, 2] and flipped.visibility.tolist() == [1, 2, 2, 2]


def test_the_seed_decides_everything():
    image, mask, corners = scene(foot=RIGHT_FOOT)
    before = image.copy(), mask.copy(), corners.copy()
    first, second, other = (
        augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), AugmentConfig())
        for seed in (5, 5, 6)
    )
    for name in ("image", "mask", "corners", "visibility"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.image, other.image)
    assert all(np.array_equal(*pair) for pair in zip((image, mask, corners), before, strict=True))


def test_a_corner_outside_is_not_visible_but_keeps_its_place():
    image, mask, corners = scene()
    config = replace(NONE, shift=0.5, zoom_in=1.0, cut_off_share=1.0)
    lost = 0
    for seed in range(20):
        got = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), config)
        outside = ((got.corners < -0.5) | (got.corners >= np.array([SPEC.width, SPEC.height]) - 0.5)).any(
            axis=1
        )
        assert np.array_equal(got.visibility, np.where(outside, 0, 2))
        lost += outside.sum()
        # Scaled and moved only: the sides keep their proportion wherever the corners went.
        plain = transform(np.linalg.inv(input_to_photo((480, 640), SPEC)), corners)
        ratio = np.linalg.norm(got.corners[2] - got.corners[0]) / np.linalg.norm(
            got.corners[3] - got.corners[1]
        )
        assert ratio == pytest.approx(
            np.linalg.norm(plain[2] - plain[0]) / np.linalg.norm(plain[3] - plain[1])
        )
    assert lost > 10


def test_corners_that_are_seen_stay_in_the_picture_unless_cutting_is_allowed():
    image, mask, corners = scene(corners=((20, 20), (460, 30), (450, 620), (30, 610)))
    config = replace(GEOMETRY, any_turn_share=1.0, zoom_in=1.0)
    for seed in range(30):
        got = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), config)
        assert (got.visibility == 2).all()


def test_an_unknown_corner_stays_unknown_and_in_its_turn():
    image, mask, corners = scene()
    known = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(2), NONE)
    corners[1] = -1
    for config, place in ((NONE, 1), (replace(NONE, flip_share=1), 0)):
        got = augment(image, mask, corners, np.array([2, 0, 2, 2]), SPEC, np.random.default_rng(2), config)
        assert np.flatnonzero((got.corners == -1).all(axis=1)).size == 1
        assert (got.visibility == 0).sum() == 1
        if config is NONE:
            assert got.corners[place].tolist() == [-1, -1]
            assert got.corners[[0, 2, 3]] == pytest.approx(known.corners[[0, 2, 3]])
        else:
            # The known ones are still clockwise: the shoelace area with y down is positive.
            x, y = np.delete(got.corners, np.flatnonzero(got.visibility == 0), axis=0).T
            assert x @ np.roll(y, -1) - y @ np.roll(x, -1) > 0


def test_clutter_lies_on_the_background_only():
    image, mask, corners = scene(foot=LEFT_FOOT)
    plain = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(0), NONE)
    changed = 0
    for seed in range(10):
        config = replace(NONE, clutter_share=1, clutter_count=3)
        got = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), config)
        difference = (got.image != plain.image).any(axis=2)
        assert not difference[got.mask != BACKGROUND].any()
        changed += difference.sum()
    assert changed > 1000


def test_print_lies_on_the_sheet_only():
    image, mask, corners = scene(foot=LEFT_FOOT)
    plain = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(0), NONE)
    changed = 0
    for seed in range(10):
        got = augment(
            image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), replace(NONE, print_share=1)
        )
        difference = (got.image != plain.image).any(axis=2)
        assert not difference[got.mask != SHEET].any()
        # Ink is darker than paper.
        assert (got.image[difference] <= plain.image[difference]).all()
        changed += difference.sum()
    assert changed > 1000


LOOKS = [
    {"light_share": 1, "light_stops": 1},
    {"shadow_share": 1, "shadow_depth": 0.6},
    {"vignette_share": 1, "vignette_depth": 0.5},
    {"exposure_share": 1, "exposure_stops": 0.7, "contrast": 0.3},
    {"white_balance_share": 1, "white_balance": 0.2},
    {"saturation_share": 1, "saturation": 0.6, "hue_deg": 8},
    {"grey_share": 1},
    {"blur_share": 1, "blur_sigma_px": 1.5},
    {"motion_share": 1, "motion_px": 7},
    {"coarse_share": 1, "coarse_factor": 2.5},
    {"noise_share": 1, "noise": 14},
    {"sharpen_share": 1, "sharpen": 1.2},
    {"jpeg_share": 1, "jpeg_worst": 25},
]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: next(iter(look)))
def test_a_look_changes_the_picture_and_nothing_else(look):
    image, mask, corners = scene(foot=LEFT_FOOT)
    image = cv2.blur(image, (31, 31)) // 2 + np.array([90, 60, 30], np.uint8)
    plain = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(0), NONE)
    for seed in range(4):
        got = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), replace(NONE, **look))
        assert got.image.dtype == np.uint8 and got.image.shape == (256, 192, 3)
        assert not np.array_equal(got.image, plain.image)
        # Still that picture: no wrap-around of values, no channels changed about.
        one, other = (
            cv2.resize(each, (6, 8), interpolation=cv2.INTER_AREA).astype(float).ravel()
            for each in (got.image, plain.image)
        )
        assert np.corrcoef(one, other)[0, 1] > 0.6
        assert np.array_equal(got.mask, plain.mask) and np.array_equal(got.corners, plain.corners)


def test_jpeg_keeps_red_red():
    image, mask, corners = scene()
    image[:] = (220, 30, 40)
    got = augment(
        image, mask, corners, SEEN, SPEC, np.random.default_rng(0), replace(NONE, jpeg_share=1, jpeg_worst=95)
    )
    assert np.abs(got.image[100, 100].astype(int) - [220, 30, 40]).max() <= 4


def test_grey_has_equal_channels_of_the_same_luma():
    image, mask, corners = scene()
    image[:] = (200, 100, 50)
    got = augment(image, mask, corners, SEEN, SPEC, np.random.default_rng(0), replace(NONE, grey_share=1))
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    assert np.array_equal(np.unique(got.image), [124])


def test_the_published_setting_stays_within_its_bounds():
    image, mask, corners = scene()
    plain = transform(np.linalg.inv(input_to_photo((480, 640), SPEC)), corners)
    side = plain[1] - plain[0]
    for seed in range(20):
        got = augment(
            image, mask, corners, SEEN, SPEC, np.random.default_rng(seed), replace(THESIS, flip_share=0)
        )
        moved = got.corners[1] - got.corners[0]
        assert 0.9 - 1e-6 <= np.linalg.norm(moved) / np.linalg.norm(side) <= 1 + 1e-6
        turned = np.rad2deg(np.arctan2(*moved[::-1]) - np.arctan2(*side[::-1]))
        assert abs(turned) <= 5 + 1e-6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", np.zeros((20, 20), np.uint8)),
        ("image", np.zeros((640, 480, 3), np.float32)),
        ("mask", np.zeros((480, 640), np.uint8)),
        ("mask", np.zeros((640, 480), np.int64)),
        ("corners", np.zeros((3, 2))),
        ("visibility", np.zeros(3)),
    ],
)
def test_a_wrong_array_is_refused(name, value):
    image, mask, corners = scene()
    arguments = {"image": image, "mask": mask, "corners": corners, "visibility": SEEN, name: value}
    with pytest.raises(ValueError, match=name):
        augment(**arguments, spec=SPEC, rng=np.random.default_rng(0), config=NONE)
