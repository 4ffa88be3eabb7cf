"""Corners in four maps and in three: every turn, every visibility, sheets far away and half outside."""

from itertools import combinations

import numpy as np
import pytest

from keypoints.heatmaps import decode as decode_each
from keypoints.heatmaps import decode_corners, decode_quad, decode_shared, encode, encode_shared, to_heatmap, to_input
from keypoints.quads import to_region
from scenes.sheet import order_corners

STRIDE = 4
SIZE = (64, 48)
LIMIT = 0.05  # input pixels


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


def test_decode_corners_takes_either_kind_and_no_other():
    corners = turned_sheet(20)
    four = encode(corners, np.ones(4, bool), SIZE, STRIDE, 2.0)
    points, scores, visibility = decode_corners(four, STRIDE)
    np.testing.assert_array_equal(points, decode_quad(four, STRIDE)[0])
    assert visibility is None and (scores > 0.8).all()
    three = encode_shared(corners, [2, 2, 1, 2], SIZE, STRIDE, 2.0)
    points, _, visibility = decode_corners(three, STRIDE)
    np.testing.assert_allclose(points, corners, atol=LIMIT)
    assert visibility.shape == (4, 3) and visibility[2].argmax() == 1
    with pytest.raises(ValueError, match="5 heatmaps"):
        decode_corners(np.zeros((5, 16, 16)), STRIDE)


def test_a_visibility_that_is_none_is_refused():
    with pytest.raises(ValueError, match="visibility is .*3"):
        encode_shared(turned_sheet(20), [2, 3, 1, 2], SIZE, STRIDE, 2.0)
