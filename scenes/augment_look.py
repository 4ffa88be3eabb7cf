"""Light, colour, lens, sensor and file: what changes the look of a picture and leaves its truth as it is."""

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, the luma of JPEG


def change_look(picture, rng, config):
    """Another photo of the same scene, its changes in the order in which light meets them.

    picture: uint8 (h, w, 3) RGB. config: `scenes.augment.AugmentConfig`. Returns uint8 (h, w, 3).
    """
    def wanted(share):
        return rng.random() < share

    picture = _light(picture, rng, config)
    picture = _colour(picture, rng, config)
    if wanted(config.exposure_share):
        picture = _tone(picture, rng, config)
    if wanted(config.blur_share):
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, max(config.blur_sigma_px, 0.3)))
    if wanted(config.motion_share):
        picture = _smear(picture, rng, config.motion_px)
    if wanted(config.coarse_share):
        picture = _coarsen(picture, rng, config.coarse_factor)
    if wanted(config.noise_share):
        picture = _noise(picture, rng, config.noise)
    if wanted(config.sharpen_share):
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.5))
        amount = rng.uniform(0, config.sharpen)
        picture = cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0)
    if wanted(config.jpeg_share):
        picture = _compress(picture, int(rng.integers(config.jpeg_worst, 96)))
    return picture


def _light(picture, rng, config):
    """Uneven light, the edge of a shadow, vignetting: one factor a pixel."""
    height, width = picture.shape[:2]
    factor = None
    if rng.random() < config.light_share:
        stops = rng.uniform(-1, 1, (4, 3)).astype(np.float32) * rng.uniform(0, config.light_stops)
        factor = np.exp2(cv2.resize(stops, (width, height), interpolation=cv2.INTER_LINEAR))
    if rng.random() < config.shadow_share:
        shade = 1 - _shadow(width, height, rng) * np.float32(rng.uniform(0, config.shadow_depth))
        factor = shade if factor is None else factor * shade
    if rng.random() < config.vignette_share:
        x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
        fall = 1 - np.float32(rng.uniform(0, config.vignette_depth) / 2) * (x[None] ** 2 + y[:, None] ** 2)
        factor = fall if factor is None else factor * fall
    if factor is None:
        return picture
    return np.clip(picture * factor[..., None] + 0.5, 0, 255).astype(np.uint8)


def _shadow(width, height, rng):
    """float32 (height, width): 1 in the shadow of something straight-edged, 0 in the light, soft between."""
    quarter = max(1, width // 4), max(1, height // 4)
    shape = np.zeros(quarter[::-1], np.float32)
    # Two corners near the picture and the rest far outside: the shadow comes in over the border.
    points = rng.uniform(-0.2, 1.2, (int(rng.integers(3, 6)), 2))
    points[0] += rng.choice([-1, 1], 2)
    cv2.fillPoly(shape, [(points * quarter).astype(np.int32)], 1.0)
    shape = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 0.08 * max(quarter) + 0.4))
    return cv2.resize(shape, (width, height), interpolation=cv2.INTER_LINEAR)


def _colour(picture, rng, config):
    """White balance, saturation, hue and grey: one 3 x 3 matrix on the RGB values."""
    matrix = np.eye(3)
    if rng.random() < config.saturation_share:
        angle = np.deg2rad(rng.uniform(-1, 1) * config.hue_deg)
        matrix = _chroma(1 + rng.uniform(-1, 1) * config.saturation, angle)
    if rng.random() < config.grey_share:
        matrix = np.tile(LUMA, (3, 1))
    if rng.random() < config.white_balance_share:
        red, blue = 1 + rng.uniform(-1, 1, 2) * config.white_balance
        matrix = np.diag([red, 1.0, blue]) @ matrix
    if np.array_equal(matrix, np.eye(3)):
        return picture
    return cv2.transform(picture, matrix)


def _chroma(saturation, angle):
    """RGB matrix (3, 3) that keeps the luma of a colour, scales its chroma and turns it by angle (radians).

    The turn is about the grey axis (Rodrigues' formula); what it changes in the luma is taken back.
    """
    axis = np.ones(3) / np.sqrt(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    luma = np.tile(LUMA, (3, 1))
    chroma = saturation * turn @ (np.eye(3) - luma)
    return luma + chroma - luma @ chroma


def _tone(picture, rng, config):
    """Exposure, contrast and gamma as one curve of 256 entries."""
    tones = np.arange(256) / 255
    tones = tones ** np.exp(rng.uniform(-1, 1) * np.log(1 + config.gamma))
    tones = (tones - 0.5) * (1 + rng.uniform(-1, 1) * config.contrast) + 0.5
    tones = tones * 2 ** (rng.uniform(-1, 1) * config.exposure_stops)
    return cv2.LUT(picture, np.clip(tones * 255 + 0.5, 0, 255).astype(np.uint8))


def _smear(picture, rng, longest_px):
    """Motion blur along a straight line."""
    length = rng.uniform(2, max(longest_px, 2))
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    # Dense points along the line, each counted in the pixel that it falls into.
    along = np.linspace(-length / 2, length / 2, 8 * half)[:, None] * [np.cos(angle), np.sin(angle)]
    columns, rows = np.round(along + half).astype(int).T
    np.add.at(kernel, (rows, columns), 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def _coarsen(picture, rng, most):
    """Fewer pixels and back: what a crop of a small or far photo looks like."""
    height, width = picture.shape[:2]
    factor = rng.uniform(1, max(most, 1))
    small = cv2.resize(picture, (max(1, round(width / factor)), max(1, round(height / factor))),
                       interpolation=cv2.INTER_AREA)
    back = cv2.INTER_NEAREST if rng.random() < 0.15 else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=back)


def _noise(picture, rng, strongest):
    """Sensor noise, even or growing with the light; fine, or blotchy as after a phone's denoising."""
    height, width = picture.shape[:2]
    grain = int(rng.integers(1, 3))
    channels = 3 if rng.random() < 0.7 else 1
    noise = rng.standard_normal((-(-height // grain), -(-width // grain), channels), dtype=np.float32)
    if grain > 1:
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    noise = noise.reshape(height, width, channels) * np.float32(rng.uniform(0, strongest))
    if rng.random() < 0.5:
        noise = noise * np.sqrt(picture.astype(np.float32) / 128)
    return np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8)


def _compress(picture, quality):
    """Through JPEG and back."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
