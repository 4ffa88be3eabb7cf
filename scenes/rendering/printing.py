"""What is on a sheet of paper: its tone, print, handwriting, what shines through and dirt, as the sheet's texture.

Pages are ``uint8`` sRGB arrays ``(rows, columns, 3)``, first row at the top of the page, drawn at `TEXELS_PER_MM` and
then averaged to what a photo can resolve.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.rendering.draws import weighted
from scenes.rendering.pages import KINDS
from scenes.rendering.typesetting import TEXELS_PER_MM, px


@dataclass(frozen=True)
class PrintConfig:
    """Tone of the paper and what is on it. Chances are of one sheet; colours sRGB 0..255.

    cream, coloured: chances of these papers; the rest is white. white_level: range of the white paper's brightness.
    white_tint: standard deviation of its blue minus its red (cool papers have brighteners in them). blank: chance of
    nothing on it. kinds: (name, weight) of what is on the others, names as in `KINDS`. written_on: chance of
    handwriting or a traced foot on top of print; ruled_written_on: the same on lined and squared paper. see_through:
    chance that print of the back shines through. tone: largest slow change of brightness, a share. dirt: chance.
    texels_per_mm: of the finished texture; one finer than the photo's pixels turns to noise at few samples a pixel.
    """

    cream: float = 0.08
    coloured: float = 0.05
    white_level: tuple[float, float] = (228.0, 252.0)
    white_tint: float = 5.0
    blank: float = 0.5
    kinds: tuple[tuple[str, float], ...] = (
        ("text", 0.26), ("letter", 0.13), ("table", 0.07), ("form", 0.06), ("figure", 0.09), ("dark", 0.04),
        ("lined", 0.07), ("squared", 0.06), ("handwriting", 0.1), ("outline", 0.07), ("template", 0.05))
    written_on: float = 0.06
    ruled_written_on: float = 0.45
    see_through: float = 0.1
    tone: float = 0.03
    dirt: float = 0.12
    texels_per_mm: float = 1.25


PLAIN_PRINT = PrintConfig(cream=0.0, coloured=0.0, white_level=(240.0, 240.0), white_tint=0.0, blank=1.0,
                          see_through=0.0, tone=0.0, dirt=0.0)


def paper_colour(rng, config):
    """sRGB of unprinted paper, float (3,) in 90..253: white, cream or coloured."""
    kind = rng.random()
    if kind < config.coloured:
        hue = rng.uniform(0, 255, 3)
        hue = (hue - hue.min()) / max(np.ptp(hue), 1) - 0.5
        # Copying paper is sold in pastels; strong colours are rare.
        strength = rng.uniform(15, 60) if rng.random() < 0.8 else rng.uniform(60, 140)
        return np.clip(rng.uniform(200, 240) + hue * strength, 90, 253)
    level = rng.uniform(*config.white_level)
    if kind < config.coloured + config.cream:
        return np.clip(level - rng.uniform(0.3, 1) * np.array([1, 10, 38]), 90, 253)
    cool = rng.normal(0.4, 1) * config.white_tint / 2
    return np.clip(level + np.array([-cool, 0, cool]), 90, 253)


def _draw(rng, page, config):
    """One kind of page, and what somebody wrote on it; returns the names of both."""
    name = weighted(rng, config.kinds)
    KINDS[name](rng, page)
    if rng.random() < (config.ruled_written_on if name in ("lined", "squared") else config.written_on):
        extra = "handwriting" if rng.random() < 0.75 else "outline"
        KINDS[extra](rng, page)
        return name, extra
    return (name,)


def _slow(rng, shape, cells):
    """Smooth noise of ``shape`` (rows, columns), float32 in 0..1."""
    grid = rng.random(cells).astype(np.float32)
    return np.clip(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def _smudges(rng, page):
    """Specks, smears and stains."""
    rows, columns = page.shape[:2]
    brown = rng.uniform((90, 70, 50), (200, 190, 180))
    for _ in range(int(rng.integers(0, 4))):
        height, width = (rng.uniform(12, 90, 2) * TEXELS_PER_MM).astype(int)
        y, x = int(rng.uniform(0, rows - height)), int(rng.uniform(0, columns - width))
        spot = _slow(rng, (height, width), (5, 5)) - 0.35
        fade = np.outer(np.hanning(height), np.hanning(width))
        cover = (np.clip(spot, 0, 1) * fade * rng.uniform(0.1, 0.8))[..., None]
        part = page[y:y + height, x:x + width]
        part[:] = (part * (1 - cover) + part * (brown / 255) * cover).astype(np.uint8)
    dark = brown * rng.uniform(0.2, 0.8)
    for x, y in rng.uniform(0, (columns, rows), (int(rng.integers(2, 40)), 2)):
        radius = max(0, int(rng.exponential(0.7)))
        cv2.circle(page, (int(x), int(y)), radius, tuple(int(v) for v in dark), -1, cv2.LINE_AA)


def _shade(rng, page, config):
    """Slow changes of tone, and the back's print where it shines through, multiplied in; returns what shows."""
    marks, shape = (), page.shape[:2]
    shade = None
    if config.tone > 0:
        shade = 1 - rng.uniform(0, config.tone) * _slow(rng, shape, (4, 3))
    if rng.random() < config.see_through:
        back = np.full_like(page, 250)
        KINDS[str(rng.choice(["text", "text", "letter", "table", "figure"]))](rng, back)
        grey = cv2.GaussianBlur(np.ascontiguousarray(back[:, ::-1, 1]), (0, 0), 0.5 * TEXELS_PER_MM)
        through = 1 - rng.uniform(0.04, 0.13) * (1 - grey.astype(np.float32) / 250)
        shade = through if shade is None else shade * through
        marks = ("see_through",)
    if shade is not None:
        factor = cv2.merge([np.round(shade * 255).clip(0, 255).astype(np.uint8)] * 3)
        cv2.multiply(page, factor, dst=page, scale=1 / 255)
    return marks


def sheet_texture(rng, width_mm, height_mm, config, colour):
    """The face of a sheet: (uint8 sRGB (rows, columns, 3), names of what is on it).

    ``colour``: (3,) sRGB of the unprinted paper, see `paper_colour`. Names are "print:" with a kind of `KINDS`,
    "see_through", "dirt"; a clean blank sheet has none. Half of the printed ones lie head down, some are set across.
    """
    rows, columns = px(height_mm), px(width_mm)
    blank = rng.random() < config.blank
    across = not blank and rng.random() < 0.12
    page = np.empty((columns, rows, 3) if across else (rows, columns, 3), np.uint8)
    page[0] = np.round(np.clip(colour, 0, 255)).astype(np.uint8)
    page[1:] = page[0]  # many times as fast as from the colour
    marks = () if blank else tuple(f"print:{name}" for name in _draw(rng, page, config))
    marks += _shade(rng, page, config)
    if rng.random() < config.dirt:
        _smudges(rng, page)
        marks += ("dirt",)
    quarters = int(across) + 2 * int(rng.random() < 0.5)
    page = np.ascontiguousarray(np.rot90(page, quarters))
    size = round(width_mm * config.texels_per_mm), round(height_mm * config.texels_per_mm)
    return cv2.resize(page, size, interpolation=cv2.INTER_AREA), marks
