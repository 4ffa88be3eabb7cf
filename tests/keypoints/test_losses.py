import math
from types import SimpleNamespace

import numpy as np
import pytest

mx = pytest.importorskip("mxnet")

from keypoints.heatmaps import encode, to_input  # noqa: E402
from keypoints.loss_settings import check_loss  # noqa: E402
from keypoints.losses import (  # noqa: E402
    CoordinateLoss,
    FocalLoss,
    HardestMapsLoss,
    InteriorLoss,
    PeakL2Loss,
    SlopeLoss,
    VisibilityL2Loss,
    build_loss,
    soft_argmax,
    unparallel,
)


def loss_of(prediction, target, **settings):
    return PeakL2Loss(**settings)(mx.nd.array(prediction), mx.nd.array(target)).asnumpy()


def test_loss_against_a_value_computed_by_hand():
    prediction = np.array([[[[0.5, 0.0]], [[0.0, 0.2]]]])
    target = np.array([[[[1.0, 0.0]], [[0.0, 0.0]]]])
    # Channel 0: (1 + 2 * 1) * 0.25 = 0.75; channel 1: 1 * 0.04; the mean of both over pi * 1.5^2.
    expected = (0.75 + 0.04) / 2 / (math.pi * 2.25)
    assert loss_of(prediction, target, sigma_px=1.5, peak_weight=2.0) == pytest.approx([expected])


def test_drawing_nothing_costs_one_whatever_the_size():
    for size, sigma in (((64, 48), 2.0), ((32, 24), 1.5)):
        target = encode(to_input([[12, 12]] * 4, 4), np.ones(4, bool), size, 4, sigma)[None]
        assert loss_of(np.zeros_like(target), target, sigma_px=sigma) == pytest.approx([1.0], rel=1e-3)


def test_each_sample_has_its_own_loss_and_the_right_answer_costs_nothing():
    target = np.zeros((2, 4, 8, 8))
    target[:, :, 3, 3] = 1
    prediction = target.copy()
    prediction[1, 0, 3, 3] = 0
    first, second = loss_of(prediction, target, sigma_px=1.0)
    assert first == 0 and second > 0



AREA = math.pi  # of a peak with sigma 1: pi * sigma^2


def value(loss, prediction, target, visibility):
    arrays = (mx.nd.array(np.asarray(array), dtype="float32") for array in (prediction, target, visibility))
    return loss(*arrays).asnumpy()


def settings(**changed):
    """What a loss is built from, as TrainConfig has it."""
    given = dict(model="simple_pose_resnet18_v1b", maps="each", joints=4, loss="l2", sigma_px=1.0, peak_weight=0.0,
                 focal_threshold=0.1, focal_low=0.1, focal_high=1.0, ohkm_hardest=3, slope_weight=0.1,
                 covered_weight=2.0, peaks=3, interior_weight=1.0)
    return SimpleNamespace(**(given | changed))


def four_maps(pixels):
    """(1, 4, 1, len) out of four rows of pixels."""
    return np.array(pixels, float)[None, :, None, :]


def test_l2_takes_visibility_and_gives_the_same_as_without():
    rng = np.random.default_rng(0)
    prediction, target = rng.random((2, 4, 5, 5)), rng.random((2, 4, 5, 5))
    without = loss_of(prediction, target, sigma_px=1.5, peak_weight=2.0)
    taken = value(build_loss(settings(sigma_px=1.5, peak_weight=2.0)), prediction, target, [[2, 1, 0, 2]] * 2)
    np.testing.assert_array_equal(taken, without)


def test_focal_multiplies_pixels_below_and_from_the_threshold():
    prediction = np.array([[[[0.05, 0.5, 0.25, 0.9]]]])
    target = np.array([[[[0.0, 0.0, 0.0, 1.0]]]])
    loss = FocalLoss(0.25, 0.1, 2.0, sigma_px=1.0, peak_weight=1.0)
    # Errors 0.05 and 0.1 are low; 0.5 is high, and so is 0.25, the threshold itself. The last pixel weighs 1 + 1 * 1.
    expected = (0.1 * 0.0025 + 2 * 0.25 + 2 * 0.0625 + 0.1 * 2 * 0.01) / AREA
    assert value(loss, prediction, target, [[2]]) == pytest.approx([expected])


def test_focal_with_both_factors_one_is_l2():
    rng = np.random.default_rng(0)
    prediction, target = rng.random((2, 4, 5, 5)), rng.random((2, 4, 5, 5))
    visibility = np.full((2, 4), 2)
    focal = build_loss(settings(loss="focal", focal_low=1.0, peak_weight=2.0))
    l2 = build_loss(settings(peak_weight=2.0))
    np.testing.assert_allclose(
        value(focal, prediction, target, visibility), value(l2, prediction, target, visibility), rtol=1e-5)


def test_ohkm_is_the_mean_of_the_hardest_maps_of_each_sample():
    target = np.zeros((2, 4, 1, 1))
    prediction = np.array([[1, 2, 3, 4], [4, 1, 1, 0]], float)[:, :, None, None]
    expected = np.array([(4 + 9 + 16) / 3, (16 + 1 + 1) / 3]) / AREA
    loss = build_loss(settings(loss="ohkm"))
    assert value(loss, prediction, target, np.full((2, 4), 2)) == pytest.approx(expected)


def test_ohkm_leaves_the_easiest_map_without_a_gradient():
    prediction = mx.nd.array(np.array([[1, 2, 3, 4]], float)[:, :, None, None])
    prediction.attach_grad()
    with mx.autograd.record():
        loss = HardestMapsLoss(3, sigma_px=1.0)(prediction, mx.nd.zeros_like(prediction), mx.nd.full((1, 4), 2))
    loss.backward()
    np.testing.assert_allclose(prediction.grad.asnumpy().ravel() * AREA, [0, 4 / 3, 6 / 3, 8 / 3], rtol=1e-5)


def test_ohkm_of_all_maps_is_l2():
    rng = np.random.default_rng(0)
    prediction, target = rng.random((2, 4, 3, 3)), rng.random((2, 4, 3, 3))
    np.testing.assert_allclose(
        value(HardestMapsLoss(4, 1.5, 2.0), prediction, target, np.full((2, 4), 2)),
        value(PeakL2Loss(1.5, 2.0), prediction, target, np.full((2, 4), 2)), rtol=1e-5)


def test_maps_of_covered_corners_count_more():
    prediction = four_maps([[1, 0], [2, 0], [0, 3], [1, 1]])
    visibility = [[2, 1, 0, 1]]
    # Squares 1, 4, 9, 2; the second and the fourth corner are covered and count three times.
    expected = (1 + 3 * 4 + 9 + 3 * 2) / 4 / AREA
    loss = VisibilityL2Loss(3.0, shared=False, sigma_px=1.0)
    assert value(loss, prediction, np.zeros_like(prediction), visibility) == pytest.approx([expected])


def test_of_shared_maps_the_covered_one_counts_more():
    prediction = np.array([[1.0, 2.0, 3.0]])[:, :, None, None]
    loss = build_loss(settings(loss="visibility_l2", maps="shared", covered_weight=5.0))
    expected = (1 + 5 * 4 + 9) / 3 / AREA
    # The corners' own visibility (four of three maps) is not asked.
    assert value(loss, prediction, np.zeros_like(prediction), [[1, 1, 1, 1]]) == pytest.approx([expected])


@pytest.mark.parametrize("name", ["l2", "focal", "visibility_l2", "ohkm"])
def test_a_corner_that_nobody_can_tell_is_taught_as_nothing(name):
    """Its target is empty: what is drawn there costs, like anything drawn in the background of another map."""
    target = four_maps([[1, 0], [1, 0], [1, 0], [0, 0]])
    drawn = four_maps([[1, 0], [1, 0], [1, 0], [1, 0]])
    loss = build_loss(settings(loss=name))
    assert value(loss, target, target, [[2, 2, 2, 0]]) == 0
    expected = 1 / (3 if name == "ohkm" else 4) / AREA
    assert value(loss, drawn, target, [[2, 2, 2, 0]]) == pytest.approx([expected])


def peaks_at(corners_uv, height=1.0, sigma=2.0, size=(40, 40)):
    return height * encode(to_input(corners_uv, 4), np.ones(len(corners_uv), bool), size, 4, sigma)[None]


@pytest.mark.parametrize("height", [1.0, 0.5, 0.15])
def test_soft_argmax_is_the_peak_however_high_it_is(height):
    corners = np.array([[10.0, 12.3], [20.5, 20.5], [30.7, 9.1], [14.2, 30.0]])
    found = soft_argmax(mx.nd, mx.nd.array(peaks_at(corners, height))).asnumpy()[0]
    np.testing.assert_allclose(found, corners, atol=0.025)


def test_soft_argmax_of_a_map_of_nothing_is_its_middle():
    found = soft_argmax(mx.nd, mx.nd.zeros((1, 2, 9, 5))).asnumpy()
    np.testing.assert_allclose(found, [[[2, 4], [2, 4]]], atol=1e-5)


def test_directions_of_opposite_edges():
    def term(corners):
        return unparallel(mx.nd, mx.nd.array([corners])).asscalar()

    assert term([[0, 0], [30, 5], [27, 45], [-3, 40]]) == pytest.approx(0, abs=1e-6)  # a parallelogram
    assert term([[0, 0], [0, 30], [-40, 30], [-40, 0]]) == pytest.approx(0, abs=1e-6)  # edges without a slope
    # A trapezium: the left edge is vertical, the right one leans 45 degrees; above and below they are parallel.
    # One pair is at 45 degrees: 2 - 2 cos 45, the other at 0; long edges make the soft unit vectors unit vectors.
    far = [[0, 0], [1000, 0], [2000, 1000], [0, 1000]]
    assert term(far) == pytest.approx((2 - 2 * math.cos(math.radians(45))) / 2, rel=1e-4)
    # An edge of length 2 has the direction (2, 0) / sqrt(4 + 1); its opposite, of length 4, -(4, 0) / sqrt(16 + 1).
    small = [[0, 0], [2, 0], [2, 3], [-2, 3]]
    above, below = 2 / math.sqrt(5), 4 / math.sqrt(17)
    right, left = np.array([0, 3]) / math.sqrt(10), np.array([2, -3]) / math.sqrt(14)
    expected = ((above - below) ** 2 + ((right + left) ** 2).sum()) / 2
    assert term(small) == pytest.approx(expected, rel=1e-5)
    assert term([[5, 5]] * 4) == 0


def test_slope_is_l2_and_the_weighted_term():
    corners = np.array([[5.0, 5.0], [30.0, 8.0], [34.0, 36.0], [9.0, 22.0]])
    target = peaks_at(corners)
    loss = SlopeLoss(0.5, sigma_px=2.0)
    term = unparallel(mx.nd, mx.nd.array([corners])).asscalar()
    assert term > 0.02
    assert value(loss, target, target, [[2, 2, 2, 2]]) == pytest.approx([0.5 * term], rel=0.02)
    # L2 alone where a corner has no peak: the direction of its edges is unknown.
    gone = target.copy()
    gone[0, 2] = 0
    assert value(loss, gone, gone, [[2, 2, 0, 2]]) == 0


def test_coordinates_count_where_they_are_known():
    target = [[0.5, 0.5, 0.0, 0.0, -0.2, 0.4, 0.0, 0.0]]
    prediction = [[0.6, 0.3, 0.9, 0.9, 0.0, 0.4, 0.3, 0.4]]
    # The second is unknown; the third is outside at a known place; the fourth is seen, at the very corner.
    expected = ((0.01 + 0.04) + 0.04 + (0.09 + 0.16)) / 3
    loss = build_loss(settings(model="regression_resnet18_v1b"))
    assert value(loss, prediction, target, [[2, 0, 0, 2]]) == pytest.approx([expected])
    nothing = np.zeros((1, 8))
    assert value(loss, prediction, nothing, [[0, 0, 0, 0]]) == 0


def gradients(loss, prediction, target, visibility, places, step=1e-5):
    """Of the sum of losses at some indices of the prediction: MXNet's, and that of finite differences, in float64."""
    given, target, visibility = (
        mx.nd.array(array, dtype="float64") for array in (prediction, target, visibility))
    given.attach_grad()
    with mx.autograd.record():
        drawn = loss(given, target, visibility)
    drawn.backward()
    differences = []
    for index in places:
        there = []
        for sign in (1, -1):
            moved = prediction.copy()
            moved[index] += sign * step
            there.append(loss(mx.nd.array(moved, dtype="float64"), target, visibility).asnumpy().sum())
        differences.append((there[0] - there[1]) / (2 * step))
    return np.array([given.grad.asnumpy()[index] for index in places]), np.array(differences)


LOSSES = {
    "l2": PeakL2Loss(1.5, 2.0),
    "focal": FocalLoss(0.3, 0.2, 1.5, 1.5, 2.0),
    "ohkm": HardestMapsLoss(3, 1.5, 2.0),
    "visibility_l2": VisibilityL2Loss(3.0, False, 1.5, 2.0),
    "coordinates": CoordinateLoss(),
    "interior": InteriorLoss(PeakL2Loss(1.5, 2.0), 3, 0.7),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name):
    rng = np.random.default_rng(0)
    shape = (2, 8) if name == "coordinates" else (2, 4, 3, 3)
    prediction, target = rng.normal(0.3, 0.4, shape), rng.random(shape)
    visibility = np.array([[2, 1, 0, 2], [1, 2, 2, 0]], float)
    places = [index for index in np.ndindex(shape) if len(shape) == 2 or index[2:] in ((0, 1), (2, 2))]
    computed, expected = gradients(LOSSES[name], prediction, target, visibility, places)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-7)


def test_gradient_of_slope_but_for_the_height_of_the_map():
    """The peak's height is a constant to the gradient: the highest pixels are left out of the comparison."""
    rng = np.random.default_rng(0)
    corners = np.array([[1.0, 1.0], [4.2, 1.4], [4.0, 4.4], [0.5, 3.5]])
    target = peaks_at(corners, sigma=1.0, size=(6, 6)).astype(float)
    prediction = target + rng.normal(0, 0.05, target.shape)
    highest = prediction == prediction.max(axis=(2, 3), keepdims=True)
    places = [index for index in np.ndindex(target.shape) if not highest[index]][::7]
    visibility = np.full((1, 4), 2.0)
    computed, expected = gradients(SlopeLoss(1.0, sigma_px=1.0), prediction, target, visibility, places)
    plain, _ = gradients(PeakL2Loss(sigma_px=1.0), prediction, target, visibility, places)
    assert np.abs(computed - plain).max() > 1e-3  # the edges do have a part in it
    np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-6)


def test_slope_has_a_finite_gradient_where_all_maps_are_nothing():
    given = mx.nd.zeros((1, 4, 8, 8))
    given.attach_grad()
    target = peaks_at(np.array([[1.0, 1.0], [6.0, 1.0], [6.0, 6.0], [1.0, 6.0]]), size=(8, 8))
    with mx.autograd.record():
        drawn = SlopeLoss(1.0, 2.0)(given, mx.nd.array(target), mx.nd.full((1, 4), 2))
    drawn.backward()
    assert np.isfinite(given.grad.asnumpy()).all() and np.isfinite(drawn.asnumpy()).all()


def test_losses_can_be_hybridised():
    rng = np.random.default_rng(0)
    prediction, target = rng.random((2, 4, 6, 6)), rng.random((2, 4, 6, 6))
    visibility = np.full((2, 4), 1)
    for name in ("l2", "focal", "ohkm", "slope", "visibility_l2"):
        plain, hybrid = build_loss(settings(loss=name)), build_loss(settings(loss=name))
        hybrid.hybridize()
        np.testing.assert_allclose(
            value(hybrid, prediction, target, visibility), value(plain, prediction, target, visibility), rtol=1e-5)


@pytest.mark.parametrize(("wrong", "told"), [
    ({"loss": "ohkm", "maps": "shared"}, "'ohkm' with maps 'shared'.*choose maps 'each'"),
    ({"loss": "slope", "maps": "shared"}, "'slope' with maps 'shared'.*choose maps 'each'"),
    ({"loss": "ohkm", "maps": "sheet"}, "'ohkm' with maps 'sheet'.*choose maps 'each'"),
    ({"loss": "slope", "maps": "sheet"}, "'slope' with maps 'sheet'.*choose maps 'each'"),
    ({"loss": "ohkm", "ohkm_hardest": 5}, "ohkm_hardest is 5 with 4 keypoints"),
    ({"loss": "slope", "joints": 68}, "'slope' with 68 keypoints"),
    ({"loss": "focal", "model": "regression_resnet18_v1b"}, "'focal' with model regression"),
])  # fmt: skip
def test_losses_that_do_not_go_with_the_network_are_refused(wrong, told):
    for refuse in (check_loss, build_loss):
        with pytest.raises(ValueError, match=told):
            refuse(settings(**wrong))


@pytest.mark.parametrize("name", ["l2", "focal", "visibility_l2"])
def test_losses_of_shared_maps(name):
    loss = build_loss(settings(loss=name, maps="shared"))
    rng = np.random.default_rng(0)
    assert value(loss, rng.random((2, 3, 4, 4)), rng.random((2, 3, 4, 4)), np.full((2, 4), 2)).shape == (2,)


def test_interior_against_a_value_computed_by_hand():
    prediction = np.array([[[[0.5, 0.0]], [[0.0, 2.0]]]])
    target = np.array([[[[1.0, 0.0]], [[1.0, 0.25]]]])
    loss = InteriorLoss(PeakL2Loss(sigma_px=1.0), 1, 3.0)
    # A logit of 0 is a half: -log 0.5. One of 2 is p = 1 / (1 + exp -2): -0.25 log p - 0.75 log (1 - p).
    p = 1 / (1 + math.exp(-2))
    entropy = (math.log(2) - 0.25 * math.log(p) - 0.75 * math.log(1 - p)) / 2
    assert value(loss, prediction, target, [[2]]) == pytest.approx([0.25 / AREA + 3 * entropy])


def sheet_arrays(count=2):
    """Prediction, target and visibility of three shared maps and an interior."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 2, (count, 4, 5, 6)), rng.random((count, 4, 5, 6)), np.full((count, 4), 2)


def test_an_interior_that_is_right_and_sure_costs_next_to_nothing():
    _, target, visibility = sheet_arrays(1)
    target[:, 3] = target[:, 3] > 0.5
    prediction = target.copy()
    prediction[:, 3] = np.where(target[:, 3] > 0, 12.0, -12.0)
    loss = build_loss(settings(maps="sheet"))
    assert 0 < value(loss, prediction, target, visibility)[0] < 1e-4
    prediction[:, 3] *= -1
    assert value(loss, prediction, target, visibility) == pytest.approx([12], rel=1e-4)
    prediction[:, 3] = 0  # undecided everywhere
    assert value(loss, prediction, target, visibility) == pytest.approx([math.log(2)])


def test_the_least_loss_of_an_interior_is_at_the_share():
    _, target, visibility = sheet_arrays(1)
    prediction = target.copy()
    prediction[:, 3] = np.log(target[:, 3] / (1 - target[:, 3]))
    at_share, _ = gradients(build_loss(settings(maps="sheet")), prediction, target, visibility, [(0, 3, 2, 2)])
    np.testing.assert_allclose(at_share, 0, atol=1e-8)


@pytest.mark.parametrize("logit", [1e4, -1e4, 100.0, -100.0])
def test_huge_logits_have_a_finite_loss_and_gradient(logit):
    given, target = mx.nd.zeros((1, 4, 2, 2)), mx.nd.zeros((1, 4, 2, 2))
    given[:, 3] = logit
    target[:, 3, 0] = 1
    given.attach_grad()
    with mx.autograd.record():
        drawn = build_loss(settings(maps="sheet"))(given, target, mx.nd.full((1, 4), 2))
    drawn.backward()
    # Half of the pixels are right, the others off by the logit.
    assert drawn.asnumpy() == pytest.approx([abs(logit) / 2])
    wrong = 0 if logit < 0 else 1
    assert np.abs(given.grad.asnumpy()[0, 3, wrong]) == pytest.approx([0.25, 0.25])
    assert not given.grad.asnumpy()[0, 3, 1 - wrong].any()


def test_an_unknown_interior_has_the_loss_of_the_peaks_alone():
    prediction, target, visibility = sheet_arrays(3)
    target[1, 3] = -1
    inner = build_loss(settings(maps="shared", peak_weight=2.0))
    whole = build_loss(settings(maps="sheet", peak_weight=2.0, interior_weight=5.0))
    of_peaks = value(inner, prediction[:, :3], target[:, :3], visibility)
    of_both = value(whole, prediction, target, visibility)
    assert of_both[1] == of_peaks[1]
    assert (of_both[[0, 2]] > of_peaks[[0, 2]] + 1).all()
    computed, _ = gradients(whole, prediction, target, visibility, [(1, 3, 2, 2), (0, 3, 2, 2)])
    assert computed[0] == 0 and abs(computed[1]) > 1e-4


@pytest.mark.parametrize("name", ["l2", "focal", "visibility_l2"])
def test_every_loss_of_shared_maps_goes_with_an_interior(name):
    prediction, target, visibility = sheet_arrays()
    inner = build_loss(settings(loss=name, maps="shared"))
    weighted = {weight: build_loss(settings(loss=name, maps="sheet", interior_weight=weight)) for weight in (0, 1, 2)}
    weighted[2].hybridize()
    of = {weight: value(loss, prediction, target, visibility) for weight, loss in weighted.items()}
    np.testing.assert_allclose(of[0], value(inner, prediction[:, :3], target[:, :3], visibility), rtol=1e-6)
    assert (of[1] > of[0]).all()
    np.testing.assert_allclose(of[2] - of[0], 2 * (of[1] - of[0]), rtol=1e-4)
