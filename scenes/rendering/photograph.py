"""From radiance to a phone's photo: exposure, white balance, blur, noise, tone curve, sharpening."""

import cv2
import numpy as np


def _srgb(linear):
    """Linear 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-8) ** (1 / 2.4) - 0.055)


def photograph(radiance, rng):
    """Photo uint8 sRGB (H, W, 3) of ``radiance`` (linear float, (H, W, 3)), as a phone would have taken it.

    Geometry is left alone, so that the scene's truth stays true; ``rng`` decides every setting.
    """
    height, width = radiance.shape[:2]
    picture = np.minimum(radiance, np.percentile(radiance, 99.8) * 2)  # fireflies of few samples
    # Automatic exposure: the mean towards middle grey, but bright parts held; then the error that phones make.
    key = 0.6 * picture.mean() / 0.30 + 0.4 * np.percentile(picture, 97) / 0.85
    picture = picture / max(key, 1e-6) * 2 ** rng.normal(0.0, 0.45)
    grey = picture.reshape(-1, 3).mean(0)
    balance = grey.mean() / np.maximum(grey, 1e-6)
    picture = picture * (1 + (balance - 1) * rng.uniform(0.2, 1.0)) * rng.normal(1, 0.04, 3)
    if rng.random() < 0.5:
        y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
        picture = picture * (1 - rng.uniform(0, 0.35) * (x * x + y * y) / 2)[..., None]
    # The phone's own noise reduction, which also takes the grain of few samples a pixel; in square-root space, where
    # the noise is even.
    root = np.sqrt(np.maximum(picture, 0)).astype(np.float32)
    picture = cv2.bilateralFilter(root, 5, rng.uniform(0.06, 0.16), 1.6) ** 2
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9))
    shot, read = rng.uniform(0, 0.02), rng.uniform(0, 0.008)
    noise = rng.standard_normal(picture.shape).astype(np.float32)
    picture = picture + noise * np.sqrt(np.maximum(picture, 0) * shot * 0.05 + read * read)
    # A shoulder instead of hard clipping, as phones do.
    knee = rng.uniform(0.7, 1.0)
    over = np.maximum(picture - knee, 0)
    picture = np.minimum(picture, knee) + (1 - knee + 1e-3) * (1 - np.exp(-over / (1 - knee + 1e-3)))
    value = _srgb(np.clip(picture, 0, 1))
    contrast = rng.uniform(-0.1, 0.25)
    value = value + contrast * (value - 0.5) * (1 - np.abs(2 * value - 1)) * 2
    mean = value.mean(2, keepdims=True)
    value = mean + (value - mean) * rng.uniform(0.75, 1.3)
    if rng.random() < 0.4:
        value = value + (value - cv2.GaussianBlur(value, (0, 0), 1.2)) * rng.uniform(0.2, 0.9)
    return (np.clip(value, 0, 1) * 255 + 0.5).astype(np.uint8)
