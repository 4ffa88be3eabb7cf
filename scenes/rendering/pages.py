"""Kinds of pages: reports, letters, tables, forms, figures, posters, ruled paper, handwriting, outlines of feet.

Each draws on a page of unprinted paper, see `typesetting`, in a few milliseconds.
"""

import cv2
import numpy as np

from scenes.rendering.turns import plane_turn
from scenes.rendering.typesetting import (
    TEXELS_PER_MM,
    Setting,
    ink_ramp,
    printers_ink,
    px,
    sample_setting,
    set_column,
    set_line,
    set_paragraph,
    stamp,
    strip_of_type,
)

FAR_MM = 9.0  # margin inside which nothing is printed


def _margins(rng, page):
    """A text area (left, top, right, bottom) in texels."""
    rows, columns = page.shape[:2]
    side, top, foot = px(rng.uniform(12, 32)), px(rng.uniform(10, 35)), px(rng.uniform(12, 30))
    return side, top, columns - side, rows - foot


def _text(rng, page):
    """A page of a report: paragraphs and headings in one or two columns, full or only begun."""
    left, top, right, bottom = _margins(rng, page)
    setting = sample_setting(rng, page)
    if rng.random() < 0.3:  # running head
        small = max(5, int(setting.size * 0.8))
        set_line(rng, page, left, px(FAR_MM), (right - left) // 2, small, setting.ramp, setting.style)
    if rng.random() < 0.4:
        size = int(setting.size * rng.uniform(1.6, 3.2))
        width = int((right - left) * rng.uniform(0.3, 0.9))
        x = left if rng.random() < 0.5 else (left + right - width) // 2
        set_line(rng, page, x, top, width, size, setting.ramp, setting.style, bold=True)
        top += int(size * rng.uniform(1.6, 3))
    if rng.random() < 0.35:
        bottom = int(top + (bottom - top) * rng.uniform(0.15, 0.9))
    if rng.random() < 0.15:
        gap = px(6)
        middle = (left + right) // 2
        set_column(rng, page, (left, top, middle - gap // 2, bottom), setting)
        left = middle + gap // 2
    set_column(rng, page, (left, top, right, bottom), setting)
    if rng.random() < 0.4:
        set_line(rng, page, (left + right) // 2, page.shape[0] - px(FAR_MM + 3), px(8), setting.size, setting.ramp)


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
    setting = sample_setting(rng, page)
    size = px(rng.uniform(6, 22))
    x = left if rng.random() < 0.6 else int(rng.uniform(left, right - 2 * size))
    y = px(rng.uniform(FAR_MM, 18))
    _logo(rng, page, x, y, size)
    name = int(np.clip(size * rng.uniform(0.3, 0.7), 8, 26))
    set_line(rng, page, min(x + 2 * size, right - px(50)), y + size // 4, px(rng.uniform(30, 80)), name, setting.ramp,
          setting.style, bold=True)
    y += size + px(4)
    if rng.random() < 0.5:
        cv2.line(page, (left, y), (right, y), tuple(int(v) for v in setting.ramp[200]), int(rng.integers(1, 4)))
    y += px(rng.uniform(4, 20))
    for _ in range(int(rng.integers(0, 6))):
        set_line(rng, page, left, y, px(rng.uniform(25, 60)), setting.size, setting.ramp, setting.style)
        y += int(setting.pitch)
    y += px(rng.uniform(5, 25))
    foot = y + (bottom - y) * rng.uniform(0.15, 0.95)
    y = set_column(rng, page, (left, y, right, foot), setting)
    if rng.random() < 0.5 and y < bottom - px(20):
        _pen_line(rng, page, left, int(y + px(9)), px(rng.uniform(25, 55)), px(rng.uniform(3, 6)), (40, 40, 120), 2)
    for x in np.arange(left, right - px(40), px(60)) if rng.random() < 0.4 else ():
        set_line(rng, page, int(x), page.shape[0] - px(FAR_MM + 4), px(40), 5, setting.ramp, setting.style)


def _table(rng, page, box=None):
    """A table with text in its cells, under a line of heading."""
    setting = sample_setting(rng, page)
    left, top, right, bottom = box or _margins(rng, page)
    if box is None:
        size = int(setting.size * 1.5)
        set_line(rng, page, left, top, (right - left) // 2, size, setting.ramp, setting.style, bold=True)
        top += px(14)
        bottom = int(top + (bottom - top) * rng.uniform(0.3, 1))
    step = px(rng.uniform(5.5, 13))
    edges = np.sort(rng.uniform(0.12, 0.92, int(rng.integers(1, 6))))
    columns = [left, *(int(left + (right - left) * e) for e in edges), right]
    rows = list(range(top, bottom, step))
    line = tuple(int(v) for v in setting.ramp[int(rng.integers(70, 256))])
    if rng.random() < 0.5:
        page[rows[0]:rows[0] + step, left:right] = ink_ramp(page, printers_ink(rng))[int(rng.integers(20, 160))]
    ruled, filled = rng.random() < 0.7, rng.uniform(0.3, 1)
    for y in rows:
        if ruled or y == rows[0]:
            page[y, left:right] = line
        for a, b in zip(columns, columns[1:], strict=False):
            room = b - a - px(3)
            if room > 3 * setting.size and rng.random() < filled:
                set_line(rng, page, a + px(1.5), y + max(1, (step - setting.size) // 2),
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
    stamp(page, cv2.resize(modules, (size, size), interpolation=cv2.INTER_AREA), x, y, ink)


def _form(rng, page):
    """A form: labels with lines or boxes to fill in, squares to tick, a bar code or a square code."""
    left, top, right, bottom = _margins(rng, page)
    setting = sample_setting(rng, page)
    dark = tuple(int(v) for v in setting.ramp[int(rng.integers(120, 256))])
    size = px(rng.uniform(12, 35))
    if rng.random() < 0.6:
        _code(rng, page, right - size if rng.random() < 0.6 else left, px(FAR_MM), size, setting.ramp)
        top = max(top, px(FAR_MM) + size + px(4))
    elif rng.random() < 0.5:
        bars = (rng.random(90) < 0.5).astype(np.uint8) * 255
        stamp(page, cv2.resize(bars[None], (px(45), px(10)), interpolation=cv2.INTER_AREA), right - px(48),
               px(FAR_MM), setting.ramp)
    if rng.random() < 0.5:
        band = px(rng.uniform(6, 12))
        page[top:top + band, left:right] = dark
        top += band + px(3)
    y, step = top, px(rng.uniform(7, 14))
    while y + step < bottom:
        kind = rng.integers(4)
        label = px(rng.uniform(15, 60))
        set_line(rng, page, left, y, label, setting.size, setting.ramp, setting.style)
        if kind == 0:
            cv2.rectangle(page, (left + label + 8, y - 2), (right, y + step - 8), dark, 1)
        elif kind == 1:
            cv2.line(page, (left + label + 8, y + setting.size), (right, y + setting.size), dark, 1)
        elif kind == 2:
            for x in range(left + label + 12, right - 20, px(22)):
                cv2.rectangle(page, (x, y), (x + setting.size, y + setting.size), dark, 1)
                set_line(rng, page, x + setting.size + 4, y, px(10), setting.size, setting.ramp, setting.style)
        else:
            y = int(set_paragraph(rng, page, (left, y, right, bottom), setting, 1 + int(rng.poisson(2))))
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
    setting = sample_setting(rng, page)
    dark = tuple(int(v) for v in setting.ramp[230])
    if rng.random() < 0.7:
        top = int(set_column(rng, page, (left, top, right, top + (bottom - top) * rng.uniform(0.05, 0.5)), setting))
    top += px(4)
    height = int(np.clip((bottom - top) * rng.uniform(0.3, 0.95), px(25), max(px(25), bottom - top)))
    width = int((right - left) * rng.uniform(0.4, 1))
    x = int(rng.uniform(left, right - width + 1))
    height = min(height, page.shape[0] - top - px(FAR_MM))
    if rng.random() < 0.55:
        np.minimum(page[top:top + height, x:x + width], _picture(rng, height, width),
                   out=page[top:top + height, x:x + width])
    else:
        _chart(rng, page, (x, top, x + width, top + height), dark)
    top += height + px(2)
    set_column(rng, page, (left, top, right, min(bottom, top + px(rng.uniform(5, 90)))), setting)


def _dark(rng, page):
    """Mostly ink: a poster, a cover or a flyer, with light type on dark grounds."""
    rows, columns = page.shape[:2]
    edge = px(rng.uniform(4, 14))
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
    y = first + px(8)
    while y < last - px(20):
        size = int(px(rng.uniform(4, 14)))
        strip, _ = strip_of_type("sans", size, True)
        width = int((columns - 2 * edge - px(12)) * rng.uniform(0.3, 1))
        shift = int(rng.integers(strip.shape[1] - width))
        target = page[y:y + strip.shape[0], edge + px(6):edge + px(6) + width]
        cover = strip[:target.shape[0], shift:shift + target.shape[1], None] / 255.0
        target[:] = (target * (1 - cover) + light * cover).astype(np.uint8)
        y += int(size * rng.uniform(1.4, 5))


def _rule_colour(rng):
    tone = rng.uniform(120, 215)
    return np.clip(tone + rng.choice([0.0, 1.0]) * np.array([-30, -5, 25]) + rng.normal(0, 5, 3), 0, 250)


def _lined(rng, page):
    """Ruled paper, with a margin line, a free head and filing holes now and then."""
    step = rng.uniform(6, 10) * TEXELS_PER_MM
    first = px(rng.uniform(8, 35))
    lines = np.arange(first, page.shape[0] - 2, step).astype(int)
    colour = _rule_colour(rng)
    page[lines] = np.minimum(page[lines], colour).astype(np.uint8)
    if rng.random() < 0.4:
        x = px(rng.uniform(18, 35))
        page[:, x:x + 1] = np.minimum(page[:, x:x + 1], rng.uniform((170, 60, 70), (235, 150, 150))).astype(np.uint8)
    if rng.random() < 0.25:
        dark = tuple(int(v) for v in rng.uniform(40, 120, 3))
        for y in np.linspace(0.12, 0.88, int(rng.choice([2, 3, 4]))) * page.shape[0]:
            cv2.circle(page, (px(10), int(y)), px(2.8), dark, -1, cv2.LINE_AA)


def _squared(rng, page):
    """Squared or dotted paper, to the edge or with a margin."""
    step = rng.choice([4.0, 5.0, 5.0, 7.0, 10.0]) * TEXELS_PER_MM
    edge = px(rng.uniform(5, 15)) if rng.random() < 0.4 else 0
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
    height = px(rng.uniform(6, 16) if large else rng.uniform(1.7, 4))
    pitch = height * rng.uniform(2.6, 4.5)
    left = px(rng.uniform(8, 35))
    y = px(rng.uniform(8, 40)) + height * 2
    lines = int(rng.integers(1, 7)) if rng.random() < 0.6 else 60
    thick = int(np.clip(round(height / px(3)), 1, 3))
    # A line thinner than a texel is a paler one.
    faint = rng.uniform(0, 0.55) if height < px(4) else 0.0
    ink = tuple(int(a + (b - a) * faint) for a, b in zip(ink, page[0, 0], strict=True))
    slope = rng.normal(0, 0.01)
    for _ in range(lines):
        if y > rows - px(12):
            break
        room = columns - left - px(10)
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
    length = min(px(rng.uniform(190, 275)), 0.93 * max(rows, columns))
    both = rng.random() < 0.3
    lying = columns > rows
    for side in (-1, 1) if both else (int(rng.choice([-1, 1])),):
        shape = (_sole(rng, side) - (0, 0.5)) * length
        shape = shape @ plane_turn(np.deg2rad(rng.normal(0, 4))).T * (1, -1)
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
    edge = px(rng.uniform(5, 16))
    ramp = ink_ramp(page, printers_ink(rng))
    dark = tuple(int(v) for v in ramp[int(rng.integers(90, 256))])
    if rng.random() < 0.7:
        cv2.rectangle(page, (edge, edge), (columns - edge, rows - edge), dark, int(rng.integers(1, 4)))
    side = edge if rng.random() < 0.5 else columns // 2
    for k, y in enumerate(np.arange(rows - edge, edge, -TEXELS_PER_MM * 5)):
        cv2.line(page, (side, int(y)), (side + px(6 if k % 2 == 0 else 3), int(y)), dark, 1)
        if k % 4 == 0:
            set_line(rng, page, side + px(7), int(y) - 4, px(5), 7, ramp)
    length = px(min(rng.uniform(200, 275), rows / TEXELS_PER_MM - 20))
    shape = _sole(rng, int(rng.choice([-1, 1])))
    for _ in range(int(rng.choice([1, 1, 1, 4, 7]))):
        points = (shape - (0, 0.5)) * (1, -1) * length + (columns / 2, rows / 2)
        if rng.random() < 0.12:
            cv2.fillPoly(page, [points.astype(np.int32)], tuple(int(v) for v in ramp[int(rng.integers(20, 120))]))
        points = np.round(points * 16).astype(np.int32)
        cv2.polylines(page, [points], True, dark, int(rng.integers(1, 3)), cv2.LINE_AA, 4)
        length = int(length * 0.95)
    set_line(rng, page, edge + px(5), edge + px(3), px(rng.uniform(40, 110)), px(rng.uniform(4, 8)), ramp, bold=True)
    if rng.random() < 0.5:
        set_paragraph(rng, page, (edge + px(4), edge + px(16), columns // 2 - px(10), rows // 2),
                   Setting("sans", 7, 10.0, ramp, False), int(rng.integers(2, 9)))


KINDS = {"text": _text, "letter": _letter, "table": _table, "form": _form, "figure": _figure, "dark": _dark,
         "lined": _lined, "squared": _squared, "handwriting": _handwriting, "outline": _outline, "template": _template}
