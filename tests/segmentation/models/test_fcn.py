import keras
import numpy as np

from segmentation.config import TrainConfig
from segmentation.models.fcn import bilinear_kernel, build_fcn, double


def test_bilinear_kernel_by_hand():
    kernel = bilinear_kernel((4, 4, 2, 2))
    row = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(kernel[..., 0, 0], np.outer(row, row))
    np.testing.assert_allclose(kernel[..., 1, 1], np.outer(row, row))
    assert not kernel[..., 0, 1].any() and not kernel[..., 1, 0].any()


def test_doubling_interpolates_and_drops_what_is_over():
    ramp = np.tile(np.arange(5, dtype=np.float32)[None, :, None, None], (1, 1, 4, 2))
    doubled = np.asarray(double(keras.ops.convert_to_tensor(ramp), (9, 8), "up"))
    assert doubled.shape == (1, 9, 8, 2)
    # Pixel centres of the doubled ramp lie a quarter beside its own; the outermost row and column see zeros beyond.
    expected = np.tile(np.arange(1, 9)[:, None] / 2 - 0.25, (1, 6))
    np.testing.assert_allclose(doubled[0, 1:9, 1:-1, 0], expected, rtol=1e-6)


def test_finer_scores_start_as_the_coarse_ones():
    """FCN-8s begins with FCN-32s: what it adds is nothing yet."""
    config = TrainConfig(architecture="fcn8", backbone="resnet18", height=64, width=64, head_channels=8)
    networks = build_fcn(config)
    for name in ("score16", "score8"):
        kernel, bias = networks.training.get_layer(name).get_weights()
        assert not kernel.any() and not bias.any()
    assert networks.training.get_layer("classifier").get_weights()[0].any()
