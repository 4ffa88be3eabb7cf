import numpy as np
import pytest

from keypoints.heatmaps import decode, decode_quad, encode, is_inside, to_heatmap, to_input
from scenes.sheet import order_corners

STRIDE = 4


def turned_sheet(degrees, centre=(96.0, 128.0), size=(60.0, 85.0)):
    """Ordered corners (4, 2), input pixels, of a sheet turned clockwise."""
    turn = np.deg2rad(degrees)
    box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    corners = box @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
    return corners[order_corners(corners)]


def test_heatmap_pixel_centres_follow_the_half_pixel_rule():
    # The first heatmap pixel covers input pixels 0..3, whose middle is 1.5.
    assert to_input([0, 0], STRIDE).tolist() == [1.5, 1.5]
    assert to_heatmap([1.5, 5.5], STRIDE).tolist() == [0.0, 1.0]


def test_encode_draws_a_gaussian_of_height_one():
    heatmap = encode([[1.5 + 4 * 10, 1.5 + 4 * 20]], [True], (64, 48), STRIDE, 2.0)
    assert heatmap.shape == (1, 64, 48) and heatmap.dtype == np.float32
    assert heatmap[0, 20, 10] == 1.0
    assert heatmap[0, 20, 12] == pytest.approx(np.exp(-0.5))
    assert heatmap[0, 22, 12] == pytest.approx(np.exp(-1.0))
    assert heatmap.sum() == pytest.approx(2 * np.pi * 4, rel=1e-3)


def test_absent_and_far_corners_have_empty_maps():
    corners = to_input([[10, 10], [-2.6, 10], [10, 65.6], [np.nan, np.nan]], STRIDE)
    heatmaps = encode(corners, [False, True, True, True], (64, 48), STRIDE, 2.0)
    assert not heatmaps.any()


def test_a_corner_two_heatmap_pixels_outside_still_has_a_peak():
    assert is_inside((-2.5, 10), (64, 48)) and not is_inside((-2.51, 10), (64, 48))
    assert is_inside((49.5, 65.5), (64, 48)) and not is_inside((49.51, 10), (64, 48))
    assert encode(to_input([[-2.4, 10]], STRIDE), [True], (64, 48), STRIDE, 2.0).max() > 0.4


@pytest.mark.parametrize("sigma", [1.5, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("size", [(64, 48), (32, 24)])
def test_decode_is_the_inverse_of_encode_also_at_the_borders(sigma, size):
    rng = np.random.default_rng(0)
    height, width = size
    points = to_input(rng.uniform(-2.5, [width + 1.5, height + 1.5], (200, 2)), STRIDE)
    on_borders = to_input(
        [[0, 0], [-0.5, 7.3], [width - 1, height - 0.6], [width - 0.5, -0.5], [3.5, height - 1]], STRIDE)
    points = np.concatenate([points, on_borders])
    found, scores = decode(encode(points, np.ones(len(points), bool), size, STRIDE, sigma), STRIDE)
    np.testing.assert_allclose(found, points, atol=0.05)
    inside = ((points > 0) & (points < np.array([width, height]) * STRIDE - 1)).all(axis=1)
    assert (scores[inside] > 0.8).all() and (scores <= 1).all()


def test_decode_of_an_empty_map_has_score_zero():
    points, scores = decode(np.zeros((4, 16, 16)), STRIDE)
    assert np.isfinite(points).all() and not scores.any()


def test_decode_stays_at_the_peak_beside_values_below_zero():
    heatmap = np.full((1, 16, 16), -0.1)
    heatmap[0, 5, 7] = 0.5
    points, scores = decode(heatmap, STRIDE)
    assert np.abs(points[0] - to_input([7, 5], STRIDE)).max() <= STRIDE and scores[0] == 0.5


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
    single, _ = decode(torn, STRIDE)
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
