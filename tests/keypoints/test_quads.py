"""Corners in four maps, in three, and in three with the sheet's interior: every turn, every visibility, sheets far away
and half outside."""

from itertools import combinations

import cv2
import numpy as np
import pytest

from keypoints.config import TrainConfig
from keypoints.heatmaps import decode as decode_each
from keypoints.heatmaps import decode_corners, decode_quad, decode_shared, encode, encode_shared, to_heatmap, to_input
from keypoints.loader import target
from keypoints.quads import decode_sheet, to_region
from scenes.sheet import order_corners

STRIDE = 4
SIZE = (64, 48)
LIMIT = 0.05  # input pixels
SHEET_LIMIT = 0.3  # the same, where half of the answer is from edges of whole pixels


def turned_sheet(degrees, centre=(96.0, 128.0), size=(60.0, 85.0)):
    """Ordered corners (4, 2), input pixels, of a sheet turned clockwise."""
    turn = np.deg2rad(degrees)
    box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    corners = box @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
    return corners[order_corners(corners)]


@pytest.mark.parametrize("degrees", range(0, 360, 15))
def test_decode_quad_finds_every_turn(degrees):
    corners = turned_sheet(degrees + 3.7)
    found, scores = decode_quad(encode(corners, np.ones(4, bool), (64, 48), STRIDE, 2.0), STRIDE)
    np.testing.assert_allclose(found, corners, atol=0.3)
    assert (scores > 0.8).all()


@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize("share", [0.5, 0.45, 0.3])
def test_decode_quad_joins_peaks_torn_between_two_channels(shift, share):
    corners = turned_sheet(40)
    whole = encode(corners, np.ones(4, bool), (64, 48), STRIDE, 2.0)
    torn = (1 - share) * whole + share * np.roll(whole, shift, axis=0)
    found, scores = decode_quad(torn, STRIDE)
    np.testing.assert_allclose(found, corners, atol=0.3)
    assert (scores > 0.8).all()


def test_decode_quad_sees_what_single_channels_lose():
    corners = turned_sheet(40)
    whole = encode(corners, np.ones(4, bool), (64, 48), STRIDE, 2.0)
    # Channel 0 prefers corner 0, channel 1 also: single channels name corner 0 twice and corner 1 never.
    torn = whole.copy()
    torn[1] = 0.52 * whole[0] + 0.48 * whole[1]
    torn[2] = 0.5 * whole[1] + 0.5 * whole[2]
    torn[3] = 0.5 * whole[2] + 0.5 * whole[3]
    torn[0] = 0.48 * whole[0] + 0.5 * whole[3]
    single, _ = decode_each(torn, STRIDE)
    assert np.linalg.norm(single - corners, axis=1).max() > 20
    found, _ = decode_quad(torn, STRIDE)
    np.testing.assert_allclose(found, corners, atol=0.3)


def test_decode_quad_passes_over_a_false_peak_that_no_order_explains():
    corners = turned_sheet(10)
    heatmaps = encode(corners, np.ones(4, bool), (64, 48), STRIDE, 2.0)
    heatmaps[2] *= 0.3                                      # a covered corner, faint ...
    stray = encode([[20.0, 30.0]], [True], (64, 48), STRIDE, 2.0)[0]
    heatmaps[1] += 0.5 * stray                              # ... and something brighter in another channel
    found, scores = decode_quad(heatmaps, STRIDE)
    np.testing.assert_allclose(found, corners, atol=0.3)
    assert scores.argmin() == 2


def test_decode_quad_of_an_empty_map_has_score_zero():
    points, scores = decode_quad(np.zeros((4, 64, 48)), STRIDE)
    assert points.shape == (4, 2) and np.isfinite(points).all() and not scores.any()


# --- three maps ------------------------------------------------------------------------------------------------------


def convex_quad(rng, degrees, length, centre):
    """A random convex quadrangle (4, 2), heatmap pixels, in published order: a sheet of about `length`, turned."""
    turn = np.deg2rad(degrees)
    box = np.array([[-0.5, -0.7], [0.5, -0.7], [0.5, 0.7], [-0.5, 0.7]]) * length
    box += rng.uniform(-0.15, 0.15, (4, 2)) * length
    corners = box @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
    return corners[order_corners(corners)]


def nearest_pair(points):
    return min(np.linalg.norm(a - b) for a, b in combinations(points, 2))


def roundtrip(corners_uv, visibility, sigma=2.0, method="dark"):
    """encode_shared then decode_shared: points in heatmap pixels, scores, probabilities."""
    maps = encode_shared(to_input(corners_uv, STRIDE), visibility, SIZE, STRIDE, sigma)
    points, scores, shares = decode_shared(maps, STRIDE, method)
    return to_heatmap(points, STRIDE), scores, shares


def assert_found(corners_uv, visibility, sigma=2.0):
    """Round trip with an answer to LIMIT. At a turn of just 45 degrees either of two corners may be the first."""
    points, scores, shares = roundtrip(corners_uv, visibility, sigma)
    shift = min(range(4), key=lambda s: np.abs(np.roll(points, s, axis=0) - corners_uv).max())
    np.testing.assert_allclose(np.roll(points, shift, axis=0), corners_uv, atol=LIMIT / STRIDE)
    np.testing.assert_array_equal(2 - np.roll(shares, shift, axis=0).argmax(axis=1), visibility)
    np.testing.assert_allclose(shares.max(axis=1), 1)
    return scores


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_shared_maps_give_corners_and_visibility_back_at_every_turn(sigma):
    rng = np.random.default_rng(5)
    for degrees in range(0, 360, 3):
        corners = convex_quad(rng, degrees, rng.uniform(12, 24), (23.4, 31.6))
        scores = assert_found(corners, rng.integers(1, 3, 4), sigma)
        assert (scores > 0.85).all()


def test_nothing_jumps_when_the_sheet_turns():
    rng = np.random.default_rng(0)
    shape = convex_quad(rng, 0, 22, (0, 0))
    visibility = np.array([2, 1, 2, 2])
    steps = []
    drawn = None
    for degrees in np.arange(0, 361, 3.0):
        turn = np.deg2rad(degrees)
        corners = shape @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + (23.4, 31.6)
        before, drawn = drawn, encode_shared(to_input(corners, STRIDE), visibility, SIZE, STRIDE, 2.0)
        if before is not None:
            steps.append(np.abs(drawn - before).max())
    # Turned by 3 degrees no corner moves more than 1.2 px, and no pixel of a hill of sigma 2 changes by more than 0.37.
    assert max(steps) < 0.37
    # One map a corner tears: at some turn the first corner is another one, and whole peaks change their channel.
    each = [encode(turned_sheet(degrees), np.ones(4, bool), SIZE, STRIDE, 2.0) for degrees in np.arange(0, 361, 3.0)]
    assert max(np.abs(b - a).max() for a, b in zip(each, each[1:], strict=False)) > 0.9


@pytest.mark.parametrize(("axis", "far_side"), [(0, False), (0, True), (1, False), (1, True)])
def test_shared_maps_at_the_borders(axis, far_side):
    """A sheet moved until its outermost corner is by a side of the map, up to 2 px outside, and all corners are near
    enough: found as anywhere else, and known to be outside."""
    rng = np.random.default_rng(2)
    last = SIZE[1 - axis] - 1
    tried = 0
    for degrees in range(0, 360, 3):
        corners = convex_quad(rng, degrees, 24, (23.4, 31.6))
        place = rng.uniform(-2.49, 0.4)
        outermost = corners[:, axis].max() - last if far_side else corners[:, axis].min()
        corners[:, axis] += -place - outermost if far_side else place - outermost
        if (to_region(corners, SIZE) != corners).any():
            continue
        corners = corners[order_corners(corners)]
        outside = ((corners < -0.5) | (corners > [47.5, 63.5])).any(axis=1)
        assert_found(corners, np.where(outside, 0, rng.integers(1, 3, 4)))
        tried += outside.any()
    assert tried > 60


def test_corners_up_to_the_limit_outside_are_found_where_they_are():
    for u in np.linspace(-2.49, 2.0, 10):
        for v in np.linspace(20, 21, 5):
            corners = np.array([[u, v], [30.0, 12.0], [33.0, 50.0], [3.0, 45.0]])
            visibility = np.array([0 if u < -0.5 else 2, 2, 1, 2])
            order = order_corners(corners)
            scores = assert_found(corners[order], visibility[order])
            assert (scores > 0.44).all()


def test_a_corner_far_outside_tells_where_but_not_how_far():
    rest = np.array([[30.0, 12.0], [33.0, 50.0], [8.0, 48.0]])
    for far in ([-10.0, 22.0], [-100.0, 22.0]):
        points, scores, shares = roundtrip(np.vstack([[far], rest]), [0, 2, 2, 2])
        np.testing.assert_allclose(points[0], [-2.5, 22.0], atol=LIMIT / STRIDE)
        assert shares[0].argmax() == 2 and scores[0] == pytest.approx(np.exp(-0.5 * (2.5 / 2) ** 2), abs=1e-3)
    # Beyond a corner of the map the direction from there is kept: 3 to the left, 4 up, at a distance of 2.
    points, _, _ = roundtrip(np.vstack([[[-30.5, -40.5]], rest]), [0, 2, 2, 2])
    np.testing.assert_allclose(points[0], [-0.5 - 1.2, -0.5 - 1.6], atol=LIMIT / STRIDE)


def test_to_region_moves_no_point_farther_than_it_moved():
    rng = np.random.default_rng(0)
    first = rng.uniform(-60, 120, (500, 2))
    second = first + rng.normal(0, 3, (500, 2))
    moved = np.linalg.norm(to_region(first, SIZE) - to_region(second, SIZE), axis=1)
    assert (moved <= np.linalg.norm(first - second, axis=1) + 1e-9).all()
    inside = rng.uniform([-2.5, 0], [49.5, 63], (100, 2))
    np.testing.assert_array_equal(to_region(inside, SIZE), inside)
    assert to_region([-8.5, 10.0], SIZE).tolist() == [-2.5, 10.0]


def test_three_corners_in_a_line_at_the_border_are_still_a_sheet():
    """Pulled to the border, three corners outside are in a line: no convex quadrangle, and yet the right four."""
    corners = to_region([[20.0, 30.0], [60.0, 10.0], [90.0, 31.0], [62.0, 50.0]], SIZE)
    maps = encode_shared(to_input(corners, STRIDE), [2, 0, 0, 0], SIZE, STRIDE, 2.0)
    maps += 0.3 * encode_shared(to_input([[10.0, 50.0]], STRIDE), [1], SIZE, STRIDE, 2.0)  # a false hill, convex with
    points, scores, _ = decode_shared(maps, STRIDE)
    np.testing.assert_allclose(to_heatmap(points, STRIDE), corners[order_corners(corners)], atol=LIMIT)
    assert (scores > 0.4).all()


@pytest.mark.parametrize("side", [4.3, 5.0, 6.0])
@pytest.mark.parametrize("sigma", [1.5, 2.0])
def test_a_sheet_far_away_keeps_four_corners(side, sigma):
    """Hills that overlap: at 4 px and sigma 2 a sum of Gaussians would have one top for two corners."""
    rng = np.random.default_rng(1)
    for degrees in range(0, 360, 3):
        centre = rng.uniform([12, 12], [36, 52])
        corners = to_heatmap(turned_sheet(degrees, (0, 0), (side * STRIDE, 1.4 * side * STRIDE)) + 1.5, STRIDE) + centre
        corners = corners[order_corners(corners)]
        assert_found(corners, rng.integers(1, 3, 4), sigma)


def test_at_four_pixels_the_corners_are_still_four():
    rng = np.random.default_rng(1)
    for degrees in range(0, 360, 3):
        corners = convex_quad(np.random.default_rng(0), degrees, 5.6, rng.uniform([12, 12], [36, 52]))
        assert nearest_pair(corners) > 4.0
        points, scores, shares = roundtrip(corners, [2, 1, 2, 1])
        assert np.linalg.norm(points - corners, axis=1).max() < 0.25 and (scores > 0.8).all()
        assert shares.argmax(axis=1).tolist() == [0, 1, 0, 1]


def test_the_maps_share_out_one_landscape():
    corners = np.array([[20.0, 20.0], [24.0, 20.0], [24.0, 40.0], [20.0, 40.0]])
    maps = encode_shared(to_input(corners, STRIDE), [2, 1, 1, 0], SIZE, STRIDE, 2.0)
    assert maps.shape == (3, 64, 48) and maps.dtype == np.float32
    each = encode(to_input(corners, STRIDE), np.ones(4, bool), SIZE, STRIDE, 2.0)
    np.testing.assert_allclose(maps.sum(axis=0), each.max(axis=0))
    assert maps[:, 20, 20].tolist() == [1, 0, 0] and maps[:, 20, 24].tolist() == [0, 1, 0]
    assert maps[:, 40, 24].tolist() == [0, 1, 0] and maps[:, 40, 20].tolist() == [0, 0, 1]
    assert ((maps > 0).sum(axis=0) <= 1).all()


def test_visibility_is_the_share_of_the_maps():
    corners = np.array([[10.0, 10.0], [38.0, 12.0], [36.0, 52.0], [9.0, 50.0]])
    seen = encode_shared(to_input(corners, STRIDE), [2, 2, 2, 2], SIZE, STRIDE, 2.0)
    covered = encode_shared(to_input(corners, STRIDE), [1, 2, 2, 0], SIZE, STRIDE, 2.0)
    points, scores, shares = decode_shared(0.7 * seen + 0.3 * covered - 0.0, STRIDE)
    np.testing.assert_allclose(to_heatmap(points, STRIDE), corners, atol=LIMIT / STRIDE)
    np.testing.assert_allclose(shares, [[0.7, 0.3, 0], [1, 0, 0], [1, 0, 0], [0.7, 0, 0.3]], atol=1e-6)
    np.testing.assert_allclose(scores, 1, atol=1e-6)


def test_two_tops_of_one_hill_are_one_corner():
    """An uncertain corner is a long hill, and noise gives it two tops; the faint fourth corner must not be lost."""
    corners = np.array([[10.0, 10.0], [38.0, 12.0], [36.0, 52.0], [9.0, 50.0]])
    maps = encode_shared(to_input(corners[[0, 2, 3]], STRIDE), [2, 2, 2], SIZE, STRIDE, 2.0)
    for along in range(1, 6):  # the third corner may be up to 5 px to the right
        there = corners[[0, 2, 3]] + [[0, 0], [along, 0], [0, 0]]
        maps = np.maximum(maps, encode_shared(to_input(there, STRIDE), [2, 2, 2], SIZE, STRIDE, 2.0))
    maps[0, 52, 37:41] -= 0.03  # the ripple
    maps += 0.3 * encode_shared(to_input(corners[[1]], STRIDE), [1], SIZE, STRIDE, 2.0)
    points, scores, shares = decode_shared(maps, STRIDE)
    assert np.linalg.norm(to_heatmap(points, STRIDE) - corners, axis=1).max() < 1.1
    assert scores[1] == pytest.approx(0.3, abs=1e-3) and shares[1].argmax() == 1


def test_a_false_hill_inside_the_sheet_is_passed_over():
    corners = np.array([[10.0, 10.0], [38.0, 12.0], [36.0, 52.0], [9.0, 50.0]])
    maps = encode_shared(to_input(corners, STRIDE), [2, 2, 2, 2], SIZE, STRIDE, 2.0)
    maps[0] += 0.9 * encode([to_input([22.0, 30.0], STRIDE)], [True], SIZE, STRIDE, 2.0)[0]
    points, _, _ = decode_shared(maps, STRIDE)
    np.testing.assert_allclose(to_heatmap(points, STRIDE), corners, atol=LIMIT)


@pytest.mark.parametrize("known", [0, 1, 2, 3])
def test_missing_corners_are_said_to_be_missing(known):
    corners = np.array([[10.0, 10.0], [38.0, 12.0], [36.0, 52.0], [9.0, 50.0]])
    corners[known:] = np.nan
    maps = encode_shared(to_input(corners, STRIDE), [2, 2, 2, 2], SIZE, STRIDE, 2.0)
    points, scores, shares = decode_shared(maps, STRIDE)
    assert np.isfinite(points).all() and ((0 <= points) & (points < 256)).all()
    assert (scores > 0.9).sum() == known and (scores == 0).sum() == 4 - known
    np.testing.assert_allclose(shares[scores == 0], 1 / 3)
    for corner in corners[:known]:
        assert np.abs(to_heatmap(points[scores > 0], STRIDE) - corner).sum(axis=1).min() < LIMIT


@pytest.mark.parametrize(("method", "bound"), [("argmax", 0.5), ("quarter", 0.25)])
def test_the_other_methods_on_shared_maps(method, bound):
    rng = np.random.default_rng(3)
    for degrees in range(0, 360, 15):
        corners = convex_quad(rng, degrees, 20, (23.4, 31.6))
        points, _, _ = roundtrip(corners, [2, 2, 1, 1], method=method)
        nearest = np.abs(points[:, None] - corners).max(axis=-1).min(axis=1)
        assert bound / 10 < nearest.max() <= bound + 1e-6


def test_decode_corners_takes_every_kind_and_no_other():
    corners = turned_sheet(20)
    four = encode(corners, np.ones(4, bool), SIZE, STRIDE, 2.0)
    points, scores, visibility = decode_corners(four, STRIDE)
    np.testing.assert_array_equal(points, decode_quad(four, STRIDE)[0])
    assert visibility is None and (scores > 0.8).all()
    three = encode_shared(corners, [2, 2, 1, 2], SIZE, STRIDE, 2.0)
    points, _, visibility = decode_corners(three, STRIDE, maps="shared")
    np.testing.assert_allclose(points, corners, atol=LIMIT)
    assert visibility.shape == (4, 3) and visibility[2].argmax() == 1
    sheet = sheet_maps(corners, [2, 2, 1, 2])
    for found, expected in zip(decode_corners(sheet, STRIDE, maps="sheet"), decode_sheet(sheet, STRIDE), strict=True):
        np.testing.assert_array_equal(found, expected)
    for maps, wrong, right in (("each", 3, 4), ("shared", 4, 3), ("sheet", 3, 4), ("each", 5, 4)):
        with pytest.raises(ValueError, match=f"{wrong} heatmaps are no sheet's of maps '{maps}', which has {right}"):
            decode_corners(np.zeros((wrong, 16, 16)), STRIDE, maps=maps)


def test_a_visibility_that_is_none_is_refused():
    with pytest.raises(ValueError, match="visibility is .*3"):
        encode_shared(turned_sheet(20), [2, 3, 1, 2], SIZE, STRIDE, 2.0)


# --- three maps and the interior -------------------------------------------------------------------------------------


def logits(share):
    """What a network says that is sure of a share, or nearly."""
    share = np.clip(share, 0.01, 0.99)
    return np.log(share / (1 - share))


def sheet_maps(corners_px, visibility, hidden=(), share=None):
    """What a network without error would say of maps "sheet", but that it draws no peaks of the corners `hidden`, and
    for the interior `share`, if that is given."""
    maps = target(corners_px, np.asarray(visibility), TrainConfig(maps="sheet"))
    shown = corners_px.copy()
    shown[list(hidden)] = np.nan
    maps[:3] = encode_shared(shown, visibility, SIZE, STRIDE, 2.0)
    maps[3] = logits(maps[3] if share is None else share)
    return maps


def near(point_px, reach):
    """Heatmap pixels nearer than `reach` to a point of the input."""
    u, v = to_heatmap(point_px, STRIDE)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.hypot(x - u, y - v) < reach


def off(points, corners):
    """Distances (4,), input pixels. At a turn of just 45 degrees either of two corners may be the first."""
    return min((np.linalg.norm(np.roll(points, k, axis=0) - corners, axis=1) for k in range(4)), key=max)


@pytest.mark.parametrize("size", [(20, 28), (40, 57), (60, 85), (110, 150)])
def test_sheet_maps_give_corners_and_visibility_back_at_every_turn(size):
    rng = np.random.default_rng(5)
    for degrees in range(0, 360, 3):
        corners = turned_sheet(degrees, (95.3, 128.6), size)
        visibility = rng.integers(1, 3, 4)
        points, scores, shares = decode_sheet(sheet_maps(corners, visibility), STRIDE)
        shift = min(range(4), key=lambda s: np.abs(np.roll(points, s, axis=0) - corners).max())
        np.testing.assert_allclose(np.roll(points, shift, axis=0), corners, atol=SHEET_LIMIT)
        np.testing.assert_array_equal(2 - np.roll(shares, shift, axis=0).argmax(axis=1), visibility)
        assert (scores > 0.85).all()


@pytest.mark.parametrize("size", [(24, 34), (60, 85), (110, 150)])
@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_covered_corner_without_a_peak_is_where_its_edges_meet(size, missing):
    errors = []
    for degrees in range(0, 360, 9):
        corners = turned_sheet(degrees, (95.3, 128.6), size)
        hidden = (degrees // 9 + np.arange(missing)) % 4
        points, scores, shares = decode_sheet(sheet_maps(corners, [2] * 4, hidden), STRIDE)
        errors.append(off(points, corners).max())
        # Nothing was drawn there: the score says so.
        assert (scores < 0.5).sum() == missing and (scores > 0.85).sum() == 4 - missing
        np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.median(errors) < 0.5 and max(errors) < 1  # input pixels: a quarter of a heatmap pixel


def test_a_corner_that_is_blurred_in_the_interior_is_found_from_what_is_clear_of_its_edges():
    rng = np.random.default_rng(6)
    errors = []
    for degrees in range(0, 360, 9):
        corners = turned_sheet(degrees, (95.3, 128.6), (90, 127))
        hidden = degrees // 9 % 4
        share = target(corners, np.full(4, 2), TrainConfig(maps="sheet"))[3]
        share = np.where(near(corners[hidden], 6), cv2.GaussianBlur(share, (0, 0), 2.5), share)
        maps = sheet_maps(corners, [2] * 4, [hidden], share)
        maps += rng.normal(0, 1, maps.shape) * np.array([0.02, 0.02, 0.02, 0.5])[:, None, None]
        errors.append(off(decode_sheet(maps.astype(np.float32), STRIDE)[0], corners)[hidden])
    assert np.median(errors) < 1.2 and max(errors) < 3


@pytest.mark.parametrize("height", [0.5, 1.0])
def test_a_decoy_far_from_the_interior_does_not_win(height):
    decoys = height * encode_shared(np.array([[15.0, 240.0], [170.0, 20.0]]), [2, 2], SIZE, STRIDE, 2.0)
    for degrees in range(0, 360, 15):
        corners = turned_sheet(degrees, (95.3, 128.6))
        faint, gone = degrees // 15 % 4, (degrees // 15 + 1) % 4
        maps = sheet_maps(corners, [2] * 4, [gone])
        maps[:3] *= np.where(near(corners[faint], 5), 0.4, 1)
        maps[:3] = np.maximum(maps[:3], decoys)
        assert off(decode_shared(maps[:3], STRIDE)[0], corners).max() > 40
        points, scores, _ = decode_sheet(maps, STRIDE)
        assert off(points, corners).max() < 1 and scores.max() > 0.85 > 0.41 > np.sort(scores)[1]


def test_a_false_peak_beside_a_corner_that_is_seen_is_passed_over():
    for degrees in range(0, 360, 15):
        corners = turned_sheet(degrees, (95.3, 128.6), (90, 127))
        maps = sheet_maps(corners, [2] * 4)
        beside = corners[degrees // 15 % 4] + (corners.mean(axis=0) - corners[degrees // 15 % 4]) * 0.35
        maps[:3] = np.maximum(maps[:3], 0.9 * encode_shared(beside[None], [1], SIZE, STRIDE, 2.0))
        np.testing.assert_allclose(off(decode_sheet(maps, STRIDE)[0], corners), 0, atol=0.4)


def test_a_peak_that_the_edges_do_not_agree_with_has_a_part_in_the_corner():
    for degrees in range(0, 360, 15):
        corners = turned_sheet(degrees, (95.3, 128.6), (90, 127))
        which = degrees // 15 % 4
        inwards = corners.mean(axis=0) - corners[which]
        inwards *= 4 / np.linalg.norm(inwards)  # a heatmap pixel
        maps = sheet_maps(corners, [2] * 4)
        drawn = corners.copy()
        drawn[which] += inwards
        maps[:3] = encode_shared(drawn, [2] * 4, SIZE, STRIDE, 2.0)
        points, _, _ = decode_sheet(maps, STRIDE)
        nearest = np.linalg.norm(points - corners[which], axis=1).argmin()
        along = (points[nearest] - corners[which]) @ inwards / 4
        assert 1 < along < 3.5 and np.linalg.norm(points[nearest] - corners[which] - along * inwards / 4) < 0.5


@pytest.mark.parametrize("out", [0.5, 1.5, 4.0, 7.0])
def test_a_corner_outside_the_photo_is_where_its_edges_meet_however_far_outside(out):
    """Its peak tells it up to 2 heatmap pixels outside at best, and not how far away it is beyond."""
    rng = np.random.default_rng(7)
    errors = []
    while len(errors) < 16:
        corners = to_heatmap(turned_sheet(rng.uniform(0, 360), (0, 0), (110, 150)), STRIDE)
        axis = rng.integers(2)
        last = SIZE[1 - axis] - 0.5
        corners[:, axis] += rng.choice([-0.5 - out - corners[:, axis].min(), last + out - corners[:, axis].max()])
        corners[:, 1 - axis] += rng.uniform(20, 44 - 16 * axis)
        outside = ((corners < -0.5) | (corners > [SIZE[1] - 0.5, SIZE[0] - 0.5])).any(axis=1)
        along = np.linspace(0, 1, 51)[:, None, None]
        edges = corners + (np.roll(corners, -1, axis=0) - corners) * along
        inside = ((edges >= 0) & (edges <= [SIZE[1] - 1, SIZE[0] - 1])).all(axis=2).mean(axis=0)
        if outside.sum() != 1 or inside.min() < 0.6:
            continue
        corners = corners[order_corners(corners)]
        outside = ((corners < -0.5) | (corners > [SIZE[1] - 0.5, SIZE[0] - 0.5])).any(axis=1)
        maps = sheet_maps(to_input(corners, STRIDE), np.where(outside, 0, 2))
        points, scores, shares = decode_sheet(maps, STRIDE)
        place = int(np.linalg.norm(points - to_input(corners[outside], STRIDE), axis=1).argmin())
        errors.append(off(points, to_input(corners, STRIDE)).max())
        assert shares[place].argmax() == 2 and (np.delete(shares, place, axis=0).argmax(axis=1) == 0).all()
        assert (np.delete(scores, place) > 0.85).all()
    assert np.median(errors) < 0.5 and max(errors) < 3  # input pixels


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("logit", [0.0, -20.0, -1000.0, 1000.0])
@pytest.mark.parametrize("peaks", [0.0, -1000.0])
def test_nothing_at_all_has_score_zero(logit, peaks):
    maps = np.full((4, *SIZE), peaks, np.float32)
    maps[3] = logit
    points, scores, shares = decode_sheet(maps, STRIDE)
    assert points.shape == (4, 2) and np.isfinite(points).all() and ((points > -1) & (points < 256)).all()
    assert not scores.any()
    np.testing.assert_allclose(shares, 1 / 3)


@pytest.mark.parametrize("share", [np.zeros(SIZE), np.full(SIZE, 0.02), np.pad(np.ones((2, 2)), ((52, 10), (3, 43)))],
                         ids=["empty", "faint", "tiny"])  # fmt: skip
def test_an_interior_that_says_nothing_leaves_the_shared_maps(share):
    maps = sheet_maps(turned_sheet(25), [2, 2, 1, 2], share=share)
    for found, expected in zip(decode_sheet(maps, STRIDE), decode_shared(maps[:3], STRIDE), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_visibility_of_noisy_maps_is_still_probabilities():
    rng = np.random.default_rng(8)
    for degrees in range(0, 360, 15):
        maps = sheet_maps(turned_sheet(degrees), rng.integers(0, 3, 4), [degrees % 4])
        maps += rng.normal(0, 0.2, maps.shape)
        points, scores, shares = decode_sheet(maps, STRIDE)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert (shares >= 0).all() and ((scores >= 0) & (scores <= 1)).all() and np.isfinite(points).all()
        np.testing.assert_array_equal(order_corners(points), np.arange(4))


@pytest.mark.parametrize(("method", "bound"), [("argmax", 0.5), ("quarter", 0.25)])
def test_the_other_methods_on_sheet_maps(method, bound):
    worst = 0.0
    for degrees in range(0, 360, 15):
        corners = turned_sheet(degrees, (95.3, 128.6))
        points, _, _ = decode_sheet(sheet_maps(corners, [2, 2, 1, 1]), STRIDE, method)
        worst = max(worst, np.abs(points[:, None] - corners).max(axis=-1).min(axis=1).max())
    assert bound / 10 < worst / STRIDE <= bound + 1e-6
