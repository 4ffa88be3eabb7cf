"""Losses as gluon blocks: loss(prediction, target, visibility) -> (N,), float32.

On heatmaps prediction and target are (N, C, h, w), a map a keypoint or the three shared ones of keypoints.quads;
visibility is (N, K) as in COCO: 2 seen, 1 covered, 0 outside or unknown. All of them are measured in peaks, see
PeakL2Loss.

A keypoint that has no peak in the target (nobody can tell where it is, or too far outside the map) has a map of
nothing, and it counts: the network is taught to draw nothing there, by "l2", "focal", "visibility_l2" and "ohkm" alike.
The edges of "slope" are compared only where all four corners have a peak.
"""

import math

from mxnet.gluon.loss import Loss

from keypoints.loss_settings import check_loss

COVERED = 1  # COCO's visibility, and the place of the covered corners among shared maps
SHARPNESS = 16.0  # of the soft-argmax: a pixel of half the peak's height weighs e^-8
LOWEST_PEAK = 0.1  # a map that is lower is not stretched further: where there is no peak, noise is no position
SHORTEST_EDGE_PX = 1.0  # heatmap pixels; well below it an edge has no direction, nor a gradient that explodes


def build_loss(config):
    """The loss of a TrainConfig. Raises ValueError where it does not go with the network, as check_loss does."""
    check_loss(config)
    loss = _of_peaks_or_coordinates(config)
    return InteriorLoss(loss, config.peaks, config.interior_weight) if config.maps == "sheet" else loss


def _of_peaks_or_coordinates(config):
    if config.model.startswith("regression"):
        return CoordinateLoss()
    peaks = {"sigma_px": config.sigma_px, "peak_weight": config.peak_weight}
    if config.loss == "l2":
        return PeakL2Loss(**peaks)
    if config.loss == "focal":
        return FocalLoss(config.focal_threshold, config.focal_low, config.focal_high, **peaks)
    if config.loss == "ohkm":
        return HardestMapsLoss(config.ohkm_hardest, **peaks)
    if config.loss == "slope":
        return SlopeLoss(config.slope_weight, **peaks)
    if config.loss == "visibility_l2":
        return VisibilityL2Loss(config.covered_weight, config.maps != "each", **peaks)
    raise ValueError(
        f"loss is {config.loss!r}; choose one of: l2, focal, ohkm, slope, visibility_l2"
    )


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

    def hybrid_forward(self, F, prediction, target, visibility=None):
        return F.mean(self._maps(F, prediction, target), axis=1) * self._scale

    def _maps(self, F, prediction, target):
        """(N, C): weighted squares of each map, summed over its pixels."""
        weight = 1.0 + self._peak_weight * target
        return F.sum(weight * F.square(prediction - target), axis=(2, 3))


class FocalLoss(PeakL2Loss):
    """PeakL2Loss with each pixel's square multiplied by `low` where |prediction - target| < threshold and by `high`
    from there on.

    The focal loss of Lin et al. ("Focal Loss for Dense Object Detection", ICCV 2017) made for squares in the
    simplest way: one line between easy and hard. The loss itself has a step at the threshold, of (high - low) *
    threshold^2 a pixel; its gradient is that of either side.
    """

    def __init__(self, threshold, low, high, sigma_px, peak_weight=0.0):
        super().__init__(sigma_px, peak_weight)
        self._threshold, self._low, self._high = threshold, low, high

    def _maps(self, F, prediction, target):
        error = prediction - target
        hard = F.abs(error) >= self._threshold
        factor = self._low + (self._high - self._low) * hard
        return F.sum(factor * (1.0 + self._peak_weight * target) * F.square(error), axis=(2, 3))


class HardestMapsLoss(PeakL2Loss):
    """Mean over the `hardest` largest of each sample's map losses; the others have no gradient.

    Online hard keypoint mining (Chen et al., "Cascaded Pyramid Network", CVPR 2018).
    """

    def __init__(self, hardest, sigma_px, peak_weight=0.0):
        super().__init__(sigma_px, peak_weight)
        self._hardest = hardest

    def hybrid_forward(self, F, prediction, target, visibility=None):
        maps = self._maps(F, prediction, target)
        return F.mean(F.topk(maps, k=self._hardest, ret_typ="value", axis=1), axis=1) * self._scale


class VisibilityL2Loss(PeakL2Loss):
    """PeakL2Loss with the maps of covered corners counted `covered_weight` times.

    With a map a keypoint those are the maps of visibility 1; the mean stays one over K, so that weight 1 is
    PeakL2Loss. Of shared maps it is the map of covered corners, whatever is in it.
    """

    def __init__(self, covered_weight, shared, sigma_px, peak_weight=0.0):
        super().__init__(sigma_px, peak_weight)
        self._more = covered_weight - 1.0
        self._shared = shared

    def hybrid_forward(self, F, prediction, target, visibility):
        maps = self._maps(F, prediction, target)
        if self._shared:
            covered = F.one_hot(F.full((1,), COVERED), depth=3)  # (1, 3)
            weighted = F.broadcast_mul(1.0 + self._more * covered, maps)
        else:
            weighted = (1.0 + self._more * (visibility == COVERED)) * maps
        return F.mean(weighted, axis=1) * self._scale


class SlopeLoss(PeakL2Loss):
    """PeakL2Loss plus slope_weight times how far opposite edges of the predicted quadrangle are from parallel.

    For unit vectors a, b along two opposite edges, in the same sense, it is |a - b|^2 = 2 - 2 cos(angle); the mean of
    both pairs, in 0 to 4. Comparing directions is the idea of comparing slopes dy / dx without their poles: a
    vertical edge has no slope, and a sheet's edges become vertical. So the numbers are not those of slopes. Corners
    are the soft-argmax of the four maps.

    A sheet seen at a slant is no parallelogram: its true corners do not have loss 0, and the term pulls away from
    them. With maps free to become anything, of a sheet tilted by 50 degrees, weight 0.1 moved corners by up to 0.25
    input pixels; with weight 1 a lone spike elsewhere in a map pays, and the corner is lost.
    """

    def __init__(self, slope_weight, sigma_px, peak_weight=0.0):
        super().__init__(sigma_px, peak_weight)
        self._slope_weight = slope_weight

    def hybrid_forward(self, F, prediction, target, visibility=None):
        squares = F.mean(self._maps(F, prediction, target), axis=1) * self._scale
        present = F.min(F.max(target, axis=(2, 3)) > 0, axis=1)  # (N,): 1 where all four corners have a peak
        return squares + self._slope_weight * present * unparallel(F, soft_argmax(F, prediction))


def soft_argmax(F, heatmaps):
    """Heatmaps (N, K, h, w) -> differentiable positions (u, v) of their peaks, heatmap pixels, (N, K, 2).

    The mean of the pixels' coordinates under softmax(SHARPNESS * map / its height). What keeps it stable: the softmax
    (no division by a sum near zero, no overflow); the height, by which low peaks are as sharp as high ones, is
    a constant to the gradient and at least LOWEST_PEAK, so that a map of nothing gives the middle of the map. On
    Gaussians of sigma 2 it is off by up to 0.025 px (pixels are coarse for so sharp a top).
    """
    height = F.BlockGrad(F.maximum(F.max(heatmaps, axis=(2, 3), keepdims=True), LOWEST_PEAK))
    sharp = SHARPNESS * F.broadcast_div(heatmaps, height)
    share = F.reshape_like(F.softmax(F.reshape(sharp, (0, 0, -1)), axis=-1), heatmaps)
    u = F.reshape(F.contrib.arange_like(heatmaps, axis=3), (1, 1, -1))
    v = F.reshape(F.contrib.arange_like(heatmaps, axis=2), (1, 1, -1))
    return F.stack(
        F.sum(F.broadcast_mul(F.sum(share, axis=2), u), axis=2),
        F.sum(F.broadcast_mul(F.sum(share, axis=3), v), axis=2),
        axis=2,
    )


def unparallel(F, corners):
    """Corners (N, 4, 2), going round, heatmap pixels -> (N,): mean over the two pairs of opposite edges of the square
    of the difference of their directions.

    A direction is edge / sqrt(|edge|^2 + SHORTEST_EDGE_PX^2): of length nearly 1 for the edges of a sheet, and a smooth
    0 for an edge of length 0.
    """
    following = F.concat(F.slice_axis(corners, 1, 1, 4), F.slice_axis(corners, 1, 0, 1), dim=1)
    edges = following - corners
    length = F.sqrt(F.sum(F.square(edges), axis=2, keepdims=True) + SHORTEST_EDGE_PX**2)
    directions = F.broadcast_div(edges, length)
    # Going round, opposite edges run against each other: their difference is a sum.
    difference = F.slice_axis(directions, 1, 0, 2) + F.slice_axis(directions, 1, 2, 4)
    return F.mean(F.sum(F.square(difference), axis=2), axis=1)


class CoordinateLoss(Loss):
    """Squared distance of coordinates: the mean over the known keypoints of dx^2 + dy^2; 0 for a sample without any.

    prediction, target: (N, 2K), x0, y0, x1, y1 ... in units of the input's width and height. visibility: (N, K). A
    keypoint counts unless it has visibility 0 and target (0, 0), which is how one that nobody can tell is written.
    One outside the photo whose place is known counts like the others.
    """

    def __init__(self):
        super().__init__(weight=None, batch_axis=0)

    def hybrid_forward(self, F, prediction, target, visibility):
        target = F.reshape(target, (0, -1, 2))
        squares = F.sum(F.square(F.reshape(prediction, (0, -1, 2)) - target), axis=2)
        somewhere = F.max(F.abs(target), axis=2) > 0
        known = F.maximum(visibility > 0, somewhere)
        return F.sum(known * squares, axis=1) / F.maximum(F.sum(known, axis=1), 1.0)


class InteriorLoss(Loss):
    """Another loss on the first `maps` channels, plus `weight` times the cross-entropy of the last one, the sheet's
    interior.

    prediction: (N, maps + 1, h, w), the last channel in logits. target: the same shape; its last channel has the share
    of each pixel that the sheet fills, or -1 throughout where nobody can tell, which has loss 0
    (keypoints.outlines.encode_interior). The cross-entropy is the mean over the pixels.
    """

    def __init__(self, loss, maps, weight):
        super().__init__(weight=None, batch_axis=0)
        self.loss = loss
        self._maps, self._interior_weight = maps, weight

    def hybrid_forward(self, F, prediction, target, visibility):
        logits, share = (F.slice_axis(part, 1, self._maps, None) for part in (prediction, target))
        # Written so that no exponential grows: log(1 + e^x) = max(x, 0) + log(1 + e^-|x|).
        entropy = F.relu(logits) - logits * share + F.Activation(-F.abs(logits), act_type="softrelu")
        interior = F.mean((share >= 0) * entropy, axis=(1, 2, 3))
        peaks = (F.slice_axis(part, 1, 0, self._maps) for part in (prediction, target))
        return self.loss(*peaks, visibility) + self._interior_weight * interior
