import numpy as np
import pytest

from keypoints.heatmaps import METHODS, decode, encode, is_inside, to_heatmap, to_input

STRIDE = 4
SIZE = (64, 48)


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


def decoding_errors(points_uv, method, sigma=2.0):
    """Largest of the errors in u and v, heatmap pixels, of encoding and decoding points (N, 2): (N,)."""
    drawn = encode(to_input(points_uv, STRIDE), np.ones(len(points_uv), bool), SIZE, STRIDE, sigma)
    found, _ = decode(drawn, STRIDE, method)
    return np.abs(to_heatmap(found, STRIDE) - points_uv).max(axis=1)


def phases(low, high, step=1 / 16):
    """Every pair of sub-pixel positions between low and high, (N, 2)."""
    # A little off the halves, where two pixels are equally high and either may be the largest.
    steps = np.arange(low, high, step) + 1e-3
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


# What each method promises, in heatmap pixels; 0.0125 of them are 0.05 input pixels.
@pytest.mark.parametrize(("method", "bound"), [("argmax", 0.5), ("quarter", 0.25), ("dark", 0.0125)])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_each_method_keeps_its_promise_at_every_phase(method, bound, sigma):
    errors = decoding_errors(20 + phases(-0.5, 0.5), method, sigma)
    assert errors.max() <= bound + 2e-3
    if method != "dark":
        assert errors.max() > 0.98 * bound  # and it promises no more


def test_quarter_goes_a_quarter_towards_the_higher_neighbour():
    heatmap = np.zeros((1, 5, 6))
    heatmap[0, 2, 3], heatmap[0, 2, 2], heatmap[0, 2, 4], heatmap[0, 1, 3] = 1.0, 0.5, 0.2, 0.3
    points, scores = decode(heatmap, STRIDE, "quarter")
    assert to_heatmap(points[0], STRIDE).tolist() == [2.75, 1.75] and scores[0] == 1
    heatmap[0, 1, 3] = 0  # neighbours alike: no shift
    assert to_heatmap(decode(heatmap, STRIDE, "quarter")[0][0], STRIDE).tolist() == [2.75, 2.0]


def test_quarter_and_argmax_have_no_more_than_the_pixel_in_the_outermost_row_and_column():
    points = np.array([[0.3, 10.3], [47.4, 10.3], [10.3, -0.4], [10.3, 63.3]])
    drawn = encode(to_input(points, STRIDE), np.ones(4, bool), SIZE, STRIDE, 2.0)
    quarter = to_heatmap(decode(drawn, STRIDE, "quarter")[0], STRIDE)
    np.testing.assert_array_equal(quarter, [[0, 10.25], [47, 10.25], [10.25, 0], [10.25, 63]])
    argmax = to_heatmap(decode(drawn, STRIDE, "argmax")[0], STRIDE)
    np.testing.assert_array_equal(argmax, [[0, 10], [47, 10], [10, 0], [10, 63]])


def test_dark_alone_finds_peaks_outside_the_map():
    around = np.array([[-2.4, 20.3], [49.4, 20.3], [20.3, -2.4], [20.3, 65.4], [-2.4, 65.4]])
    assert decoding_errors(around, "dark").max() < 0.0125
    for method in ("argmax", "quarter"):
        assert decoding_errors(around, method).min() > 2


def test_an_unknown_method_is_refused_by_name():
    assert METHODS == ("argmax", "quarter", "dark")
    with pytest.raises(ValueError, match="'softmax'.*argmax, quarter, dark"):
        decode(np.zeros((1, 8, 8)), STRIDE, "softmax")
