import math

import numpy as np
import pytest

mx = pytest.importorskip("mxnet")

from keypoints.heatmaps import encode, to_input  # noqa: E402
from keypoints.losses import PeakL2Loss  # noqa: E402


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


def test_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    prediction, target = mx.nd.array(rng.random((1, 2, 3, 3))), mx.nd.array(rng.random((1, 2, 3, 3)))
    loss = PeakL2Loss(2.0, 2.0)
    prediction.attach_grad()
    with mx.autograd.record():
        value = loss(prediction, target)
    value.backward()
    step = np.zeros((1, 2, 3, 3))
    step[0, 1, 2, 0] = 1e-2
    difference = loss(prediction + mx.nd.array(step), target) - loss(prediction - mx.nd.array(step), target)
    assert prediction.grad[0, 1, 2, 0].asscalar() == pytest.approx(difference.asscalar() / 2e-2, rel=1e-3)
