"""What is on a sheet of paper: its tone, print, rules, handwriting, outlines and dirt, as the sheet's texture.

Pages are ``uint8`` sRGB arrays ``(rows, columns, 3)``, first row at the top of the page, drawn at `TEXELS_PER_MM` and
then averaged to what a photo can resolve. Print is set from strips of type that are drawn once and kept: a page takes
a few milliseconds. What a photo of some hundred pixels does not show (which letters, which words) is made up.
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
FAR_MM = 9.0  # margin inside which nothing is printed


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


def _px(mm):
    return int(round(mm * TEXELS_PER_MM))


# --- type -----------------------------------------------------------------------------------------------------------


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
def _type(style, size, bold):
    """A strip of type ``size`` texels high: (coverage uint8 (rows, columns), first columns of its words)."""
    rng = np.random.default_rng([size, bold, sum(style.encode())])
    columns = _px(STRIP_MM) + 24 * size
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


def _ramp(page, ink):
    """Table (256, 3) from coverage to colour: the paper's where nothing is printed, else towards ``ink``."""
    cover = np.arange(256, dtype=np.float32)[:, None] / 255
    return (page[0, 0] * (1 - cover) + np.asarray(ink, np.float32) * cover).astype(np.uint8)


def _stamp(page, coverage, x, y, ramp):
    """Print ``coverage`` with its top left texel at x, y; what lies outside the page is cut off."""
    left, top = max(0, -x), max(0, -y)
    target = page[max(0, y):max(0, y + coverage.shape[0]), max(0, x):max(0, x + coverage.shape[1])]
    source = coverage[top:top + target.shape[0], left:left + target.shape[1]]
    if target.size:
        np.minimum(target, ramp[source], out=target)


def _line(rng, page, x, y, width, size, ramp, style="sans", bold=False, justified=False):
    """One line of type of about ``width`` texels, ``size`` high, with its top at y."""
    strip, starts = _type(style, size if size <= 12 else size // 4 * 4, bold)
    first = starts[rng.integers(np.searchsorted(starts, strip.shape[1] - width - 2 * size) or 1)]
    ends = starts[(starts > first + width * 0.5) & (starts <= first + width + size // 2)]
    last = ends[-1] if len(ends) else first + width
    piece = strip[:, first:last]
    if justified and len(ends):
        piece = cv2.resize(piece, (width, piece.shape[0]), interpolation=cv2.INTER_LINEAR)
    _stamp(page, piece, x, y, ramp)


def _ink(rng):
    """Printer's black, more or less black; seldom a colour."""
    if rng.random() < 0.9:
        return tuple(rng.uniform(15, 85) + rng.normal(0, 4, 3))
    return tuple(rng.uniform(0, 130, 3))


@dataclass(frozen=True)
class _Setting:
    """How a page's text is set: style, size and pitch in texels, table from coverage to colour, justified or not."""

    style: str
    size: int
    pitch: float
    ramp: np.ndarray
    justified: bool


def _setting(rng, page):
    size = _px(np.clip(rng.normal(4.0, 0.7), 2.8, 6.5))  # 11 point is 3.9 mm
    return _Setting(str(rng.choice(STYLES)), size, size * rng.uniform(1.15, 1.75), _ramp(page, _ink(rng)),
                    bool(rng.random() < 0.4))


def _paragraph(rng, page, box, setting, lines):
    """Lines of text in ``box`` (left, top, right, bottom) texels; returns where the next thing may begin."""
    left, y, right, bottom = box
    for k in range(lines):
        if y + setting.size > bottom:
            break
        last = k == lines - 1
        width = int((right - left) * (rng.uniform(0.2, 0.95) if last else 1))
        _line(rng, page, left, int(y), width, setting.size, setting.ramp, setting.style,
              justified=setting.justified and not last)
        y += setting.pitch
    return y


def _column(rng, page, box, setting):
    """Paragraphs and headings one under another until ``box`` is full; returns where they end."""
    left, y, right, bottom = box
    space = setting.pitch * rng.choice([0.0, 0.5, 1.0, 1.5])
    heading, long = rng.uniform(0.05, 0.4), rng.uniform(2, 11)
    grown = int(setting.size * rng.uniform(1.0, 1.8))
    while y + setting.size < bottom:
        if rng.random() < heading and y + grown * 2 < bottom:
            _line(rng, page, left, int(y), int((right - left) * rng.uniform(0.2, 0.75)), grown, setting.ramp,
                  setting.style, bold=True)
            y += grown * 1.5
        y = _paragraph(rng, page, (left, y, right, bottom), setting, 1 + int(rng.poisson(long))) + space
    return y


def _margins(rng, page):
    """A text area (left, top, right, bottom) in texels."""
    rows, columns = page.shape[:2]
    side, top, foot = _px(rng.uniform(12, 32)), _px(rng.uniform(10, 35)), _px(rng.uniform(12, 30))
    return side, top, columns - side, rows - foot


# --- kinds of pages -------------------------------------------------------------------------------------------------


def _text(rng, page):
    """A page of a report: paragraphs and headings in one or two columns, full or only begun."""
    left, top, right, bottom = _margins(rng, page)
    setting = _setting(rng, page)
    if rng.random() < 0.3:  # running head
        small = max(5, int(setting.size * 0.8))
        _line(rng, page, left, _px(FAR_MM), (right - left) // 2, small, setting.ramp, setting.style)
    if rng.random() < 0.4:
        size = int(setting.size * rng.uniform(1.6, 3.2))
        width = int((right - left) * rng.uniform(0.3, 0.9))
        x = left if rng.random() < 0.5 else (left + right - width) // 2
        _line(rng, page, x, top, width, size, setting.ramp, setting.style, bold=True)
        top += int(size * rng.uniform(1.6, 3))
    if rng.random() < 0.35:
        bottom = int(top + (bottom - top) * rng.uniform(0.15, 0.9))
    if rng.random() < 0.15:
        gap = _px(6)
        middle = (left + right) // 2
        _column(rng, page, (left, top, middle - gap // 2, bottom), setting)
        left = middle + gap // 2
    _column(rng, page, (left, top, right, bottom), setting)
    if rng.random() < 0.4:
        _line(rng, page, (left + right) // 2, page.shape[0] - _px(FAR_MM + 3), _px(8), setting.size, setting.ramp)


def _logo(rng, page, x, y, size):
    """A letterhead's mark: a shape or two of one or two colours, ``size`` texels high."""
    for _ in range(int(rng.integers(1, 4))):
        colour = rng.integers(0, 210, 3) if rng.random() < 0.6 else rng.integers(10, 90, 1).repeat(3)
        colour = tuple(map(int, colour))
        width = int(size * rng.uniform(0.4, 2.2))
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(page, (x, y), (x + width, y + size), colour, -1)
        elif kind == 1:
            cv2.ellipse(page, (x + size // 2, y + size // 2), (size // 2, size // 2), 0, 0, 360, colour,
                        -1 if rng.random() < 0.6 else max(1, size // 6), cv2.LINE_AA)
        else:
            points = np.array([x, y]) + rng.uniform(0, size, (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(page, [points.astype(np.int32)], colour, cv2.LINE_AA)
        x += int(size * rng.uniform(0.1, 1.3))


def _letter(rng, page):
    """A letter: letterhead, address, some text, a signature."""
    left, top, right, bottom = _margins(rng, page)
    setting = _setting(rng, page)
    size = _px(rng.uniform(6, 22))
    x = left if rng.random() < 0.6 else int(rng.uniform(left, right - 2 * size))
    y = _px(rng.uniform(FAR_MM, 18))
    _logo(rng, page, x, y, size)
    name = int(np.clip(size * rng.uniform(0.3, 0.7), 8, 26))
    _line(rng, page, min(x + 2 * size, right - _px(50)), y + size // 4, _px(rng.uniform(30, 80)), name, setting.ramp,
          setting.style, bold=True)
    y += size + _px(4)
    if rng.random() < 0.5:
        cv2.line(page, (left, y), (right, y), tuple(int(v) for v in setting.ramp[200]), int(rng.integers(1, 4)))
    y += _px(rng.uniform(4, 20))
    for _ in range(int(rng.integers(0, 6))):
        _line(rng, page, left, y, _px(rng.uniform(25, 60)), setting.size, setting.ramp, setting.style)
        y += int(setting.pitch)
    y += _px(rng.uniform(5, 25))
    foot = y + (bottom - y) * rng.uniform(0.15, 0.95)
    y = _column(rng, page, (left, y, right, foot), setting)
    if rng.random() < 0.5 and y < bottom - _px(20):
        _pen_line(rng, page, left, int(y + _px(9)), _px(rng.uniform(25, 55)), _px(rng.uniform(3, 6)), (40, 40, 120), 2)
    for x in np.arange(left, right - _px(40), _px(60)) if rng.random() < 0.4 else ():
        _line(rng, page, int(x), page.shape[0] - _px(FAR_MM + 4), _px(40), 5, setting.ramp, setting.style)


def _table(rng, page, box=None):
    """A table with text in its cells, under a line of heading."""
    setting = _setting(rng, page)
    left, top, right, bottom = box or _margins(rng, page)
    if box is None:
        size = int(setting.size * 1.5)
        _line(rng, page, left, top, (right - left) // 2, size, setting.ramp, setting.style, bold=True)
        top += _px(14)
        bottom = int(top + (bottom - top) * rng.uniform(0.3, 1))
    step = _px(rng.uniform(5.5, 13))
    edges = np.sort(rng.uniform(0.12, 0.92, int(rng.integers(1, 6))))
    columns = [left, *(int(left + (right - left) * e) for e in edges), right]
    rows = list(range(top, bottom, step))
    line = tuple(int(v) for v in setting.ramp[int(rng.integers(70, 256))])
    if rng.random() < 0.5:
        page[rows[0]:rows[0] + step, left:right] = _ramp(page, _ink(rng))[int(rng.integers(20, 160))]
    ruled, filled = rng.random() < 0.7, rng.uniform(0.3, 1)
    for y in rows:
        if ruled or y == rows[0]:
            page[y, left:right] = line
        for a, b in zip(columns, columns[1:], strict=False):
            room = b - a - _px(3)
            if room > 3 * setting.size and rng.random() < filled:
                _line(rng, page, a + _px(1.5), y + max(1, (step - setting.size) // 2),
                      int(room * rng.uniform(0.2, 1)), setting.size, setting.ramp, setting.style)
    page[min(rows[-1] + step, bottom), left:right] = line
    if ruled and rng.random() < 0.7:
        for x in columns:
            page[rows[0]:min(rows[-1] + step, bottom), min(x, page.shape[1] - 1)] = line
    return bottom


def _code(rng, page, x, y, size, ink):
    """A square code: modules black or blank, three finders, ``size`` texels wide; now and then just a dark block."""
    count = int(rng.integers(21, 34))
    modules = (rng.random((count, count)) < 0.5).astype(np.uint8) * 255
    for top, left in ((0, 0), (0, count - 7), (count - 7, 0)):
        modules[top:top + 7, left:left + 7] = 255
        modules[top + 1:top + 6, left + 1:left + 6] = 0
        modules[top + 2:top + 5, left + 2:left + 5] = 255
    if rng.random() < 0.3:
        modules[:] = 255
    _stamp(page, cv2.resize(modules, (size, size), interpolation=cv2.INTER_AREA), x, y, ink)


def _form(rng, page):
    """A form: labels with lines or boxes to fill in, squares to tick, a bar code or a square code."""
    left, top, right, bottom = _margins(rng, page)
    setting = _setting(rng, page)
    dark = tuple(int(v) for v in setting.ramp[int(rng.integers(120, 256))])
    size = _px(rng.uniform(12, 35))
    if rng.random() < 0.6:
        _code(rng, page, right - size if rng.random() < 0.6 else left, _px(FAR_MM), size, setting.ramp)
        top = max(top, _px(FAR_MM) + size + _px(4))
    elif rng.random() < 0.5:
        bars = np.repeat((rng.random(90) < 0.5).astype(np.uint8) * 255, 1)
        _stamp(page, cv2.resize(bars[None], (_px(45), _px(10)), interpolation=cv2.INTER_AREA), right - _px(48),
               _px(FAR_MM), setting.ramp)
    if rng.random() < 0.5:
        band = _px(rng.uniform(6, 12))
        page[top:top + band, left:right] = dark
        top += band + _px(3)
    y, step = top, _px(rng.uniform(7, 14))
    while y + step < bottom:
        kind = rng.integers(4)
        label = _px(rng.uniform(15, 60))
        _line(rng, page, left, y, label, setting.size, setting.ramp, setting.style)
        if kind == 0:
            cv2.rectangle(page, (left + label + 8, y - 2), (right, y + step - 8), dark, 1)
        elif kind == 1:
            cv2.line(page, (left + label + 8, y + setting.size), (right, y + setting.size), dark, 1)
        elif kind == 2:
            for x in range(left + label + 12, right - 20, _px(22)):
                cv2.rectangle(page, (x, y), (x + setting.size, y + setting.size), dark, 1)
                _line(rng, page, x + setting.size + 4, y, _px(10), setting.size, setting.ramp, setting.style)
        else:
            y = int(_paragraph(rng, page, (left, y, right, bottom), setting, 1 + int(rng.poisson(2))))
        y += step


def _picture(rng, rows, columns):
    """Something like a printed photo: soft shapes of any colours."""
    cells = rng.integers(2, 7, 2)
    grid = rng.uniform(0, 255, (*cells, 3)) * rng.uniform(0.3, 1) + rng.uniform(0, 120)
    grey = grid.mean(2, keepdims=True)
    grid = grey + (grid - grey) * rng.choice([0.0, 0.4, 0.8])
    picture = cv2.resize(np.clip(grid, 0, 255).astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 6))):
        centre, axes = rng.uniform(0, (columns, rows)).astype(int), (rng.uniform(0.05, 0.4, 2) * columns).astype(int)
        cv2.ellipse(picture, tuple(map(int, centre)), tuple(map(int, axes)), float(rng.uniform(0, 180)), 0, 360,
                    tuple(int(v) for v in rng.uniform(0, 220) + rng.uniform(-30, 30, 3)), -1, cv2.LINE_AA)
    return picture


def _chart(rng, page, box, dark):
    """Axes with bars or lines."""
    left, top, right, bottom = box
    cv2.polylines(page, [np.array([[left, top], [left, bottom], [right, bottom]], np.int32)], False, dark, 1)
    count = int(rng.integers(4, 14))
    heights = bottom - rng.uniform(0.05, 0.95, count) * (bottom - top)
    at = np.linspace(left, right, count + 1)
    colour = tuple(int(v) for v in rng.integers(20, 220, 3))
    if rng.random() < 0.5:
        for x, y in zip(at, heights, strict=False):
            cv2.rectangle(page, (int(x) + 3, int(y)), (int(x + (at[1] - at[0]) * 0.75), bottom), colour, -1)
        return
    for _ in range(int(rng.integers(1, 4))):
        points = np.stack([at[:-1], np.clip(heights + rng.normal(0, (bottom - top) / 8, count), top, bottom)], 1)
        cv2.polylines(page, [points.astype(np.int32)], False, colour, int(rng.integers(1, 3)), cv2.LINE_AA)
        colour = tuple(int(v) for v in rng.integers(20, 220, 3))


def _figure(rng, page):
    """Text around a picture or a chart."""
    left, top, right, bottom = _margins(rng, page)
    setting = _setting(rng, page)
    dark = tuple(int(v) for v in setting.ramp[230])
    if rng.random() < 0.7:
        top = int(_column(rng, page, (left, top, right, top + (bottom - top) * rng.uniform(0.05, 0.5)), setting))
    top += _px(4)
    height = int(np.clip((bottom - top) * rng.uniform(0.3, 0.95), _px(25), max(_px(25), bottom - top)))
    width = int((right - left) * rng.uniform(0.4, 1))
    x = int(rng.uniform(left, right - width + 1))
    height = min(height, page.shape[0] - top - _px(FAR_MM))
    if rng.random() < 0.55:
        np.minimum(page[top:top + height, x:x + width], _picture(rng, height, width),
                   out=page[top:top + height, x:x + width])
    else:
        _chart(rng, page, (x, top, x + width, top + height), dark)
    top += height + _px(2)
    _column(rng, page, (left, top, right, min(bottom, top + _px(rng.uniform(5, 90)))), setting)


def _dark(rng, page):
    """Mostly ink: a poster, a cover or a flyer, with light type on dark grounds."""
    rows, columns = page.shape[:2]
    edge = _px(rng.uniform(4, 14))
    ground = (rng.uniform(5, 90) + rng.normal(0, 5, 3)) if rng.random() < 0.5 else rng.uniform(0, 170, 3)
    top, bottom = np.sort(rng.uniform(0, 1, 2))
    if bottom - top < 0.3 or rng.random() < 0.4:
        top, bottom = 0.0, 1.0
    first, last = max(edge, int(rows * top)), min(rows - edge, int(rows * bottom))
    light = page[0, 0].copy()
    area = page[first:last, edge:columns - edge]
    area[:] = np.minimum(np.clip(ground, 0, 255), area)
    if rng.random() < 0.4:
        part = area[:len(area) // 2]
        part[:] = np.minimum(_picture(rng, *part.shape[:2]), light)
    y = first + _px(8)
    while y < last - _px(20):
        size = int(_px(rng.uniform(4, 14)))
        strip, _ = _type("sans", size, True)
        width = int((columns - 2 * edge - _px(12)) * rng.uniform(0.3, 1))
        shift = int(rng.integers(strip.shape[1] - width))
        target = page[y:y + strip.shape[0], edge + _px(6):edge + _px(6) + width]
        cover = strip[:target.shape[0], shift:shift + target.shape[1], None] / 255.0
        target[:] = (target * (1 - cover) + light * cover).astype(np.uint8)
        y += int(size * rng.uniform(1.4, 5))


def _rule_colour(rng):
    tone = rng.uniform(120, 215)
    return np.clip(tone + rng.choice([0.0, 1.0]) * np.array([-30, -5, 25]) + rng.normal(0, 5, 3), 0, 250)


def _lined(rng, page):
    """Ruled paper, with a margin line, a free head and filing holes now and then."""
    step = rng.uniform(6, 10) * TEXELS_PER_MM
    first = _px(rng.uniform(8, 35))
    lines = np.arange(first, page.shape[0] - 2, step).astype(int)
    colour = _rule_colour(rng)
    page[lines] = np.minimum(page[lines], colour).astype(np.uint8)
    if rng.random() < 0.4:
        x = _px(rng.uniform(18, 35))
        page[:, x:x + 1] = np.minimum(page[:, x:x + 1], rng.uniform((170, 60, 70), (235, 150, 150))).astype(np.uint8)
    if rng.random() < 0.25:
        dark = tuple(int(v) for v in rng.uniform(40, 120, 3))
        for y in np.linspace(0.12, 0.88, int(rng.choice([2, 3, 4]))) * page.shape[0]:
            cv2.circle(page, (_px(10), int(y)), _px(2.8), dark, -1, cv2.LINE_AA)


def _squared(rng, page):
    """Squared or dotted paper, to the edge or with a margin."""
    step = rng.choice([4.0, 5.0, 5.0, 7.0, 10.0]) * TEXELS_PER_MM
    edge = _px(rng.uniform(5, 15)) if rng.random() < 0.4 else 0
    inner = page[edge:page.shape[0] - edge, edge:page.shape[1] - edge]
    rows = (np.arange(step / 2, inner.shape[0], step)).astype(int)
    columns = (np.arange(step / 2, inner.shape[1], step)).astype(int)
    colour = _rule_colour(rng)
    if rng.random() < 0.12:
        inner[np.ix_(rows, columns)] = np.minimum(inner[0, 0], colour * 0.8).astype(np.uint8)
        return
    inner[rows] = np.minimum(inner[rows], colour).astype(np.uint8)
    inner[:, columns] = np.minimum(inner[:, columns], colour).astype(np.uint8)


def _pen(rng):
    """A pen's colour: black, blue, pencil, seldom red or green."""
    kind = rng.random()
    if kind < 0.45:
        return tuple(int(v) for v in rng.uniform(20, 70) + rng.normal(0, 4, 3))
    if kind < 0.8:
        return tuple(int(v) for v in rng.uniform((10, 20, 90), (70, 80, 190)))
    if kind < 0.92:
        return tuple(int(v) for v in np.full(3, rng.uniform(90, 150)))
    return tuple(int(v) for v in rng.uniform((10, 10, 10), (220, 120, 90)))


def _pen_line(rng, page, x, base, width, height, ink, thick):
    """One line of joined-up writing: loops of a wandering pen, ``height`` the small letters', in words."""
    stroke = height * rng.uniform(0.6, 1.1)  # texels along the line for one up and down
    count = max(2, int(width / stroke))
    steps = np.arange(count * 6)
    phase = steps / 6 * 2 * np.pi
    tall = rng.choice([1.0, 1.0, 1.0, 1.0, 2.1, 2.4, 0.6], count).repeat(6)
    deep = rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], count).repeat(6)
    lean = rng.uniform(-0.1, 0.5)
    up = (1 - np.cos(phase)) / 2 * tall - np.maximum(-np.cos(phase + 1), 0) * deep
    along = steps / 6 * stroke + np.sin(phase) * stroke * rng.uniform(0.15, 0.5)
    along += rng.normal(0, stroke * 0.06, len(steps))
    drift = np.cumsum(rng.normal(0, height * 0.012, len(steps)))
    points = np.stack([x + along + lean * up * height, base - up * height + drift + along * rng.normal(0, 0.006)], 1)
    ends = np.flatnonzero(rng.random(count) < 0.17) * 6  # pen up between words
    gap = stroke * rng.uniform(0.6, 1.4)
    for k, piece in enumerate(np.split(points, ends)):
        piece = piece + (k * gap, 0)
        if len(piece) > 4 and piece[-1, 0] < x + width:
            cv2.polylines(page, [np.round(piece[:-3] * 16).astype(np.int32)], False, ink, thick, cv2.LINE_AA, 4)


def _handwriting(rng, page):
    """From a note of a few words in large letters to a page in small ones; a doodle now and then."""
    rows, columns = page.shape[:2]
    ink = _pen(rng)
    large = rng.random() < 0.3
    height = _px(rng.uniform(6, 16) if large else rng.uniform(1.7, 4))
    pitch = height * rng.uniform(2.6, 4.5)
    left = _px(rng.uniform(8, 35))
    y = _px(rng.uniform(8, 40)) + height * 2
    lines = int(rng.integers(1, 7)) if rng.random() < 0.6 else 60
    thick = int(np.clip(round(height / _px(3)), 1, 3))
    # A line thinner than a texel is a paler one.
    faint = rng.uniform(0, 0.55) if height < _px(4) else 0.0
    ink = tuple(int(a + (b - a) * faint) for a, b in zip(ink, page[0, 0], strict=True))
    slope = rng.normal(0, 0.01)
    for _ in range(lines):
        if y > rows - _px(12):
            break
        room = columns - left - _px(10)
        width = room * (rng.uniform(0.8, 1) if lines > 8 and rng.random() < 0.8 else rng.uniform(0.15, 0.9))
        _pen_line(rng, page, left + rng.normal(0, 3), y + slope * width / 2, width, height, ink, thick)
        y += pitch * rng.uniform(0.9, 1.15)
    if rng.random() < 0.2:
        centre, axes = rng.uniform((columns * 0.3, rows * 0.4), (columns * 0.8, rows * 0.9)), rng.uniform(6, 50, 2)
        cv2.ellipse(page, tuple(map(int, centre)), tuple(map(int, axes)), float(rng.uniform(0, 180)), 0,
                    float(rng.uniform(200, 420)), ink, -1 if rng.random() < 0.3 else thick, cv2.LINE_AA)


def _sole(rng, side):
    """Outline of a sole, (N, 2) with y from heel 0 to toes 1 and x across; ``side`` -1 for a left foot, 1 right."""
    y = np.array([0.0, 0.02, 0.08, 0.2, 0.35, 0.5, 0.62, 0.72, 0.8, 0.86, 0.92, 0.96, 1.0, 0.98, 0.88, 0.76, 0.62,
                  0.48, 0.34, 0.2, 0.08, 0.02])
    x = np.array([0.0, 0.08, 0.12, 0.135, 0.15, 0.17, 0.185, 0.19, 0.185, 0.17, 0.13, 0.06, -0.06, -0.14, -0.17, -0.185,
                  -0.14, -0.09, -0.09, -0.11, -0.11, -0.07])
    x = x + rng.normal(0, 0.006, len(x))
    # The corners of so few points are rounded by Chaikin's rule: each side gives its quarter points.
    points = np.stack([x * side * rng.uniform(0.9, 1.12), y], 1)
    for _ in range(2):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points


def _outline(rng, page):
    """One or two feet traced with a pen, with measuring strokes now and then."""
    rows, columns = page.shape[:2]
    ink, thick = _pen(rng), int(rng.integers(1, 4))
    length = min(_px(rng.uniform(190, 275)), 0.93 * max(rows, columns))
    both = rng.random() < 0.3
    lying = columns > rows
    for side in (-1, 1) if both else (int(rng.choice([-1, 1])),):
        shape = (_sole(rng, side) - (0, 0.5)) * length
        shape = shape @ _spin(rng.normal(0, 4)).T * (1, -1)
        middle = np.array([columns / 2, rows / 2]) + rng.normal(0, 8, 2)
        middle += (side * length * 0.24, 0) if both and not lying else 0
        middle += (0, side * length * 0.24) if both and lying else 0
        points = (shape[:, ::-1] if lying else shape) + middle
        wobble = np.cumsum(rng.normal(0, 0.5, points.shape), 0)
        wobble -= np.linspace(0, 1, len(points))[:, None] * wobble[-1]
        points = np.round((points + wobble) * 16).astype(np.int32)
        cv2.polylines(page, [points], bool(rng.random() < 0.8), ink, thick, cv2.LINE_AA, 4)
        if rng.random() < 0.4:
            for level in (points[:, 1].min(), points[:, 1].max()):
                cv2.line(page, (int(middle[0]) - 40, level // 16), (int(middle[0]) + 40, level // 16), ink, thick)


def _template(rng, page):
    """What shops print for measuring: a frame, rulers, a foot's outline or nested ones, a few words."""
    rows, columns = page.shape[:2]
    edge = _px(rng.uniform(5, 16))
    ramp = _ramp(page, _ink(rng))
    dark = tuple(int(v) for v in ramp[int(rng.integers(90, 256))])
    if rng.random() < 0.7:
        cv2.rectangle(page, (edge, edge), (columns - edge, rows - edge), dark, int(rng.integers(1, 4)))
    side = edge if rng.random() < 0.5 else columns // 2
    for k, y in enumerate(np.arange(rows - edge, edge, -TEXELS_PER_MM * 5)):
        cv2.line(page, (side, int(y)), (side + _px(6 if k % 2 == 0 else 3), int(y)), dark, 1)
        if k % 4 == 0:
            _line(rng, page, side + _px(7), int(y) - 4, _px(5), 7, ramp)
    length = _px(min(rng.uniform(200, 275), rows / TEXELS_PER_MM - 20))
    shape = _sole(rng, int(rng.choice([-1, 1])))
    for _ in range(int(rng.choice([1, 1, 1, 4, 7]))):
        points = (shape - (0, 0.5)) * (1, -1) * length + (columns / 2, rows / 2)
        if rng.random() < 0.12:
            cv2.fillPoly(page, [points.astype(np.int32)], tuple(int(v) for v in ramp[int(rng.integers(20, 120))]))
        points = np.round(points * 16).astype(np.int32)
        cv2.polylines(page, [points], True, dark, int(rng.integers(1, 3)), cv2.LINE_AA, 4)
        length = int(length * 0.95)
    _line(rng, page, edge + _px(5), edge + _px(3), _px(rng.uniform(40, 110)), _px(rng.uniform(4, 8)), ramp, bold=True)
    if rng.random() < 0.5:
        _paragraph(rng, page, (edge + _px(4), edge + _px(16), columns // 2 - _px(10), rows // 2),
                   _Setting("sans", 7, 10.0, ramp, False), int(rng.integers(2, 9)))


KINDS = {"text": _text, "letter": _letter, "table": _table, "form": _form, "figure": _figure, "dark": _dark,
         "lined": _lined, "squared": _squared, "handwriting": _handwriting, "outline": _outline, "template": _template}


# --- the whole texture ----------------------------------------------------------------------------------------------


def _spin(degrees):
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


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
    names, weights = zip(*config.kinds, strict=True)
    name = str(rng.choice(names, p=np.array(weights) / sum(weights)))
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
    rows, columns = _px(height_mm), _px(width_mm)
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
