"""Losses on heatmaps, as gluon blocks: (prediction, target) of shape (N, K, h, w) -> (N,), float32."""

import math

from mxnet.gluon.loss import Loss


class PeakL2Loss(Loss):
    """Squared error on Gaussian heatmaps, measured in peaks.

    loss[n] = mean over k of  sum over pixels of (1 + peak_weight * target) * (prediction - target)^2 / (pi *
    sigma^2)

    Two things differ from a plain mean of squares (Xiao et al., "Simple Baselines", ECCV 2018):
    * pi * sigma^2 is the sum of squares of a whole Gaussian, so with peak_weight 0 a network that draws
      nothing has loss 1 for every corner inside, whatever the size of the map. Gradients are then of order
      one, not a thousandth of it, and losses at different input sizes can be compared.
    * only about one pixel in a hundred belongs to a peak. With weight 1 + peak_weight there, flat zero is a
      worse answer and is left sooner. Where a position is uncertain a weight raises the peaks too: of a
      corner that is in this channel half of the time, half peaks become (1 + w) / (2 + w), 0.75 with w = 2.
    """

    def __init__(self, sigma_px, peak_weight=0.0):
        super().__init__(weight=None, batch_axis=0)
        self._scale = 1.0 / (math.pi * sigma_px**2)
        self._peak_weight = peak_weight

    def hybrid_forward(self, F, prediction, target):
        weight = 1.0 + self._peak_weight * target
        error = weight * F.square(prediction - target)
        return F.mean(F.sum(error, axis=(2, 3)), axis=1) * self._scale
