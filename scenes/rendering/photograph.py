"""From radiance to a phone's photo: exposure, white balance, lens, sensor, tone curve, sharpening, black bars.

Geometry is left alone, so that the scene's truth stays true (distortion is `scenes.rendering.lens`).
"""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class PhotographConfig:
    """What cameras do to light. A ``*_share`` is the probability; a pair (low, high) is drawn evenly.

    Blurs and grain are of pictures about 320 px long, in pixels of such a picture; longer ones get them in proportion.
    """

    # Photos of twelve megapixels, shrunk to what a network sees: nothing is left of the phone's blur, grain and JPEG.
    fine_share: float = 0.6
    fine_jpeg_quality: tuple[int, int] = (90, 99)
    exposure_stops: float = 0.45  # standard deviation around what automatic exposure asks for
    dim_share: float = 0.05  # too dark and grainy
    dim_stops: tuple[float, float] = (-2.8, -1.2)
    white_balance: tuple[float, float] = (0.2, 1.0)  # how much of the light's colour the phone takes out
    tint: float = 0.04  # standard deviation of what it gets wrong, per channel
    vignette_share: float = 0.5
    vignette: float = 0.4  # at most so much darker in the corners
    defocus_share: float = 0.3
    defocus_px: tuple[float, float] = (0.4, 1.6)  # radius of the disc
    motion_share: float = 0.12
    motion_px: tuple[float, float] = (1.0, 5.0)
    shot_noise: float = 0.008  # at most; standard deviation at white, of linear light
    read_noise: float = 0.003
    denoise_share: float = 0.5  # the phone smooths its noise to blotches
    contrast: tuple[float, float] = (-0.12, 0.3)
    saturation: tuple[float, float] = (0.7, 1.3)
    grey_share: float = 0.02
    clip_share: float = 0.35  # of photos whose bright parts are clipped hard; the rest have a shoulder
    sharpen_share: float = 0.55
    sharpen: tuple[float, float] = (0.2, 1.2)
    resample_share: float = 0.2  # saved small and shown large
    resample: tuple[float, float] = (1.1, 2.0)
    bars_share: float = 0.03  # black bars, as of a screenshot or a video's frame
    bars: tuple[float, float] = (0.03, 0.12)  # of the side, each
    jpeg_quality: tuple[int, int] = (55, 97)  # of the photos that are not fine


# The exposure right, nothing else: what a renderer gives without a camera.
PLAIN_PHOTOGRAPH = PhotographConfig(
    fine_share=0.0, exposure_stops=0.0, dim_share=0.0, white_balance=(0.0, 0.0), tint=0.0, vignette_share=0.0,
    defocus_share=0.0, motion_share=0.0, shot_noise=0.0, read_noise=0.0, denoise_share=0.0, contrast=(0.0, 0.0),
    saturation=(1.0, 1.0), grey_share=0.0, clip_share=1.0, sharpen_share=0.0, resample_share=0.0, bars_share=0.0,
    jpeg_quality=(95, 95))


@dataclass(frozen=True)
class Photograph:
    """A photo uint8 sRGB (H, W, 3); bars (left, top, right, bottom): how many of its border pixels are black;
    jpeg_quality: what it is saved with, of 100."""

    rgb: np.ndarray
    bars: tuple[int, int, int, int]
    jpeg_quality: int


def photograph(radiance, rng, config):
    """``radiance`` (linear float, (H, W, 3)) as a phone would have taken it; ``rng`` decides every setting."""
    unit = max(radiance.shape[:2]) / 320  # a pixel of a small picture, in pixels of this one
    if rng.random() < config.fine_share:
        config = _fine(config)
    picture = _developed(_exposed(radiance, rng, config), rng, config, unit)
    value = _toned(picture, rng, config)
    if rng.random() < config.sharpen_share:
        sigma, strength = unit * rng.uniform(0.6, 1.4), rng.uniform(*config.sharpen)
        value = value + (value - cv2.GaussianBlur(value, (0, 0), sigma)) * strength
    if rng.random() < config.resample_share:
        value = _resampled(value, rng.uniform(*config.resample))
    photo = (np.clip(value, 0, 1) * 255 + 0.5).astype(np.uint8)
    photo, bars = _barred(photo, rng, config)
    low, high = config.jpeg_quality
    return Photograph(photo, bars, int(rng.integers(low, high + 1)))


def _fine(config):
    """`PhotographConfig` of photos that are shrunk so far that what a phone does to single pixels is gone."""
    return dataclasses.replace(config, defocus_share=0.0, motion_share=0.0, shot_noise=0.0, read_noise=0.0,
                               denoise_share=0.0, resample_share=0.0, jpeg_quality=config.fine_jpeg_quality)


def _srgb(linear):
    """Linear 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-8) ** (1 / 2.4) - 0.055)


def _exposed(radiance, rng, config):
    """Linear light in which 1 is white: exposure, dimness, white balance, vignette."""
    height, width = radiance.shape[:2]
    picture = np.minimum(radiance, np.percentile(radiance, 99.8) * 2)  # glints count as white, not as the sun
    # Automatic exposure: the mean towards middle grey, but bright parts held; then the error that phones make.
    key = 0.6 * picture.mean() / 0.30 + 0.4 * np.percentile(picture, 97) / 0.85
    stops = rng.normal(0.0, config.exposure_stops)
    if rng.random() < config.dim_share:
        stops = rng.uniform(*config.dim_stops)
    picture = picture / max(key, 1e-6) * 2**stops
    grey = picture.reshape(-1, 3).mean(0)
    balance = grey.mean() / np.maximum(grey, 1e-6)
    picture = picture * (1 + (balance - 1) * rng.uniform(*config.white_balance)) * rng.normal(1, config.tint, 3)
    if rng.random() < config.vignette_share:
        y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
        picture = picture * (1 - rng.uniform(0, config.vignette) * (x * x + y * y) / 2)[..., None]
    return picture.astype(np.float32)


def _disc(radius):
    """Kernel of a disc with soft edge: a point out of focus."""
    half = int(np.ceil(radius + 0.5))
    y, x = np.mgrid[-half:half + 1, -half:half + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return kernel / kernel.sum()


def _streak(length, angle):
    """Kernel of a straight line through its centre: a hand that moves."""
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for step in np.linspace(-length / 2, length / 2, 8 * half + 1):
        x, y = half + step * np.cos(angle), half + step * np.sin(angle)
        column, row = int(x), int(y)
        for k, share_y in ((row, 1 - (y - row)), (row + 1, y - row)):
            kernel[k, column] += share_y * (1 - (x - column))
            kernel[k, column + 1] += share_y * (x - column)
    return kernel / kernel.sum()


def _developed(picture, rng, config, unit):
    """Linear light after lens and sensor: defocus, motion, noise and the phone's remedy for it."""
    if rng.random() < config.defocus_share:
        picture = cv2.filter2D(picture, -1, _disc(unit * rng.uniform(*config.defocus_px)))
    if rng.random() < config.motion_share:
        picture = cv2.filter2D(picture, -1, _streak(unit * rng.uniform(*config.motion_px), rng.uniform(0, np.pi)))
    shot, read = rng.uniform(0, config.shot_noise), rng.uniform(0, config.read_noise)
    if shot or read:
        # Where there is little light the phone amplifies, and the noise with it.
        gain = np.sqrt(0.3 / max(float(picture.mean()), 0.03))
        noise = rng.standard_normal(picture.shape).astype(np.float32)
        picture = picture + noise * np.sqrt(np.maximum(picture, 0) * shot**2 + read**2) * np.float32(gain)
    if rng.random() < config.denoise_share:
        # In square-root space, where the noise is even.
        root = np.sqrt(np.maximum(picture, 0))
        picture = cv2.bilateralFilter(root, 5, rng.uniform(0.02, 0.08), 1.6) ** 2
    return picture


def _toned(picture, rng, config):
    """sRGB values about 0..1: shoulder or hard clipping, contrast, saturation."""
    knee = 1.0 if rng.random() < config.clip_share else rng.uniform(0.65, 0.95)
    over = np.maximum(picture - knee, 0)
    picture = np.minimum(picture, knee) + (1 - knee + 1e-3) * (1 - np.exp(-over / (1 - knee + 1e-3)))
    value = _srgb(np.clip(picture, 0, 1)).astype(np.float32)
    value = value + rng.uniform(*config.contrast) * (value - 0.5) * (1 - np.abs(2 * value - 1)) * 2
    mean = value.mean(2, keepdims=True)
    grey = rng.random() < config.grey_share
    return mean + (value - mean) * (0.0 if grey else rng.uniform(*config.saturation))


def _resampled(value, factor):
    height, width = value.shape[:2]
    small = cv2.resize(value, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _barred(photo, rng, config):
    """Black bars above and below, or left and right, in a share of the photos: (photo, bars)."""
    if rng.random() >= config.bars_share:
        return photo, (0, 0, 0, 0)
    height, width = photo.shape[:2]
    share = rng.uniform(*config.bars)
    if rng.random() < 0.6:
        bars = (0, round(height * share), 0, round(height * share))
    else:
        bars = (round(width * share), 0, round(width * share), 0)
    left, top, right, bottom = bars
    framed = np.zeros_like(photo)
    framed[top:height - bottom, left:width - right] = photo[top:height - bottom, left:width - right]
    return framed, bars
