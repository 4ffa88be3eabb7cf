"""Type on a page: made-up words in strips that are drawn once and kept, and lines, paragraphs, columns set from them.

Pages are ``uint8`` sRGB arrays ``(rows, columns, 3)``, first row at the top of the page, `TEXELS_PER_MM` fine. What a
photo of some hundred pixels does not show (which letters, which words) is made up.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

TEXELS_PER_MM = 2.0  # of a page as it is drawn
STRIP_MM = 420.0  # of type in one strip: more than the widest line
LETTERS = "eeeeeeeetttttaaaaoooiiinnnssshhhrrrdlcumwfgypbvk"  # about as often as in English
STYLES = ("sans", "sans", "serif", "serif", "mono", "dense")


def px(mm):
    """Millimetres of a page in whole texels."""
    return int(round(mm * TEXELS_PER_MM))


def _words(rng, count):
    """Made-up words with a capital and a full stop now and then."""
    words = []
    for _ in range(count):
        word = "".join(rng.choice(list(LETTERS), int(np.clip(rng.poisson(3.6) + 1, 1, 12))))
        kind = rng.random()
        words.append(word.capitalize() if kind < 0.14 else word + "." if kind < 0.22 else
                     str(rng.integers(2000)) if kind < 0.25 else word)
    return words


def _set_dense(rng, size, columns):
    """Square characters of a few strokes each, as of scripts without letters."""
    strip = np.zeros((size + 2, columns), np.uint8)
    pitch = size + max(1, size // 8)
    for left in range(0, columns - size, pitch):
        if rng.random() < 0.06:
            continue
        for _ in range(int(rng.integers(4, 9))):
            (x, y), length = rng.integers(0, size, 2), int(size * rng.uniform(0.4, 1))
            kind = rng.random()  # lying, standing or slanting strokes
            end = (length, 0) if kind < 0.45 else (0, length) if kind < 0.8 else (length // 2, length)
            x, y = max(0, min(int(x), size - end[0])), max(0, min(int(y), size - end[1]))
            cv2.line(strip, (left + x, y), (left + x + end[0], y + end[1]), 190, max(1, size // 12), cv2.LINE_AA)
    return strip


def _set_words(rng, style, size, columns):
    """A line of words in a font: coverage uint8."""
    text = " ".join(_words(rng, 12 + int(0.7 * columns / size)))
    if style == "sans":
        picture = Image.new("L", (columns, int(size * 1.4)))
        ImageDraw.Draw(picture).text((0, 0), text, fill=255, font=ImageFont.load_default(size))
        return np.array(picture)
    font = cv2.FONT_HERSHEY_COMPLEX if style == "serif" else cv2.FONT_HERSHEY_PLAIN
    scale = size / (31 if style == "serif" else 14)
    # Thin strokes cannot be drawn at this size: drawn four times as large, then shrunk.
    large = np.zeros((int(size * 1.4) * 4, columns * 4), np.uint8)
    cv2.putText(large, text[:int(columns / size * 4)], (0, size * 4), font, scale * 4, 255, max(2, size // 3),
                cv2.LINE_AA)
    return cv2.resize(large, (columns, int(size * 1.4)), interpolation=cv2.INTER_AREA)


@lru_cache(maxsize=256)
def strip_of_type(style, size, bold):
    """A strip of type ``size`` texels high: (coverage uint8 (rows, columns), first columns of its words)."""
    rng = np.random.default_rng([size, bold, sum(style.encode())])
    columns = px(STRIP_MM) + 24 * size
    strip = _set_dense(rng, size, columns) if style == "dense" else _set_words(rng, style, size, columns)
    if bold:
        strip = np.maximum(strip, np.roll(strip, max(1, size // 10), axis=1))
    strip = np.clip(strip * 1.25, 0, 255).astype(np.uint8)  # ink spreads
    inked = strip.max(0) > 40
    # A gap as wide as a word space in front of ink: there a line may begin.
    width = max(1, size // 6)
    blank = np.convolve(inked, np.ones(width), "full")[:columns] == 0
    starts = np.flatnonzero(blank[:-1] & inked[1:]) + 1
    strip.flags.writeable = False
    return strip, starts if len(starts) > 8 else np.arange(0, columns // 2, 2 * size)


def ink_ramp(page, ink):
    """Table (256, 3) from coverage to colour: the paper's where nothing is printed, else towards ``ink``."""
    cover = np.arange(256, dtype=np.float32)[:, None] / 255
    return (page[0, 0] * (1 - cover) + np.asarray(ink, np.float32) * cover).astype(np.uint8)


def stamp(page, coverage, x, y, ramp):
    """Print ``coverage`` with its top left texel at x, y; what lies outside the page is cut off."""
    left, top = max(0, -x), max(0, -y)
    target = page[max(0, y):max(0, y + coverage.shape[0]), max(0, x):max(0, x + coverage.shape[1])]
    source = coverage[top:top + target.shape[0], left:left + target.shape[1]]
    if target.size:
        np.minimum(target, ramp[source], out=target)


def set_line(rng, page, x, y, width, size, ramp, style="sans", bold=False, justified=False):
    """One line of type of about ``width`` texels, ``size`` high, with its top at y."""
    strip, starts = strip_of_type(style, size if size <= 12 else size // 4 * 4, bold)
    first = starts[rng.integers(np.searchsorted(starts, strip.shape[1] - width - 2 * size) or 1)]
    ends = starts[(starts > first + width * 0.5) & (starts <= first + width + size // 2)]
    last = ends[-1] if len(ends) else first + width
    piece = strip[:, first:last]
    if justified and len(ends):
        piece = cv2.resize(piece, (width, piece.shape[0]), interpolation=cv2.INTER_LINEAR)
    stamp(page, piece, x, y, ramp)


def printers_ink(rng):
    """Printer's black, more or less black; seldom a colour."""
    if rng.random() < 0.9:
        return tuple(rng.uniform(15, 85) + rng.normal(0, 4, 3))
    return tuple(rng.uniform(0, 130, 3))


@dataclass(frozen=True)
class Setting:
    """How a page's text is set: style, size and pitch in texels, table from coverage to colour, justified or not."""

    style: str
    size: int
    pitch: float
    ramp: np.ndarray
    justified: bool


def sample_setting(rng, page):
    """A `Setting` drawn for a page of unprinted paper."""
    size = px(np.clip(rng.normal(4.0, 0.7), 2.8, 6.5))  # 11 point is 3.9 mm
    return Setting(str(rng.choice(STYLES)), size, size * rng.uniform(1.15, 1.75), ink_ramp(page, printers_ink(rng)),
                    bool(rng.random() < 0.4))


def set_paragraph(rng, page, box, setting, lines):
    """Lines of text in ``box`` (left, top, right, bottom) texels; returns where the next thing may begin."""
    left, y, right, bottom = box
    for k in range(lines):
        if y + setting.size > bottom:
            break
        last = k == lines - 1
        width = int((right - left) * (rng.uniform(0.2, 0.95) if last else 1))
        set_line(rng, page, left, int(y), width, setting.size, setting.ramp, setting.style,
              justified=setting.justified and not last)
        y += setting.pitch
    return y


def set_column(rng, page, box, setting):
    """Paragraphs and headings one under another until ``box`` is full; returns where they end."""
    left, y, right, bottom = box
    space = setting.pitch * rng.choice([0.0, 0.5, 1.0, 1.5])
    heading, long = rng.uniform(0.05, 0.4), rng.uniform(2, 11)
    grown = int(setting.size * rng.uniform(1.0, 1.8))
    while y + setting.size < bottom:
        if rng.random() < heading and y + grown * 2 < bottom:
            set_line(rng, page, left, int(y), int((right - left) * rng.uniform(0.2, 0.75)), grown, setting.ramp,
                  setting.style, bold=True)
            y += grown * 1.5
        y = set_paragraph(rng, page, (left, y, right, bottom), setting, 1 + int(rng.poisson(long))) + space
    return y
