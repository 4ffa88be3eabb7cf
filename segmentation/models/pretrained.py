"""Weights that were trained with another normalisation than the network's, made to fit its input.

keras.applications normalises EfficientNets inside the model, which this project's networks leave out, and ResNets not
at all: their ImageNet weights expect BGR less Caffe's mean colour, at the scale of 0..255.
"""

from dataclasses import dataclass

import keras
import numpy as np

from segmentation.config import IMAGENET_MEAN, IMAGENET_STD
from segmentation.models.taps import Taps


@dataclass(frozen=True)
class Expected:
    """What weights expect: (x - mean) / std of RGB in 0..255, then in the order BGR if `bgr`."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


EXPECTED = {
    "imagenet": Expected(IMAGENET_MEAN, IMAGENET_STD),
    "caffe": Expected((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), bgr=True),
}


def adapt_first_layer(
    encoder: keras.Model, taps: Taps, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> None:
    """Lets an encoder whose weights expect `EXPECTED[taps.expects]` see (RGB - mean) / std instead, in place.

    With kernels k of one colour channel, expected mean m and std s: k std / s takes the place of k, and what the other
    mean adds everywhere, sum k (mean - m) / s, goes into the bias, or where there is none out of the BatchNorm's mean.
    Features are the same wherever the kernel lies within the image; on its border, which is padded with zeros, only
    where the means are the same too.
    """
    expected = EXPECTED[taps.expects]
    scale = np.divide(std, expected.std).astype(np.float32)
    shift = (np.subtract(mean, expected.mean) / expected.std).astype(np.float32)
    if not expected.bgr and (scale == 1).all() and not shift.any():
        return
    convolution, normalisation = (encoder.get_layer(name) for name in taps.stem)
    kernel = np.asarray(convolution.kernel)  # (h, w, colour, out)
    if expected.bgr:
        kernel = kernel[:, :, ::-1]
    added = (kernel * shift[:, None]).sum((0, 1, 2))
    convolution.kernel.assign(kernel * scale[:, None])
    if convolution.use_bias:
        convolution.bias.assign_add(added)
    else:
        normalisation.moving_mean.assign_sub(added)
