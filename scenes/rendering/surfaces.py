"""Procedural textures: floors to stand on and what is printed on the sheet.

Every texture is a ``uint8`` sRGB array ``(rows, columns, 3)`` drawn from an explicit generator; nothing is read
from disk unless a folder of images is given.
"""

from pathlib import Path

import cv2
import numpy as np

FLOOR_TEXTURE_PX = 768  # with FLOOR_PATCH_MM about 2 mm a texel: as fine as a rendered pixel shows
SHEET_TEXELS_PER_MM = 2
INK = (20, 20, 30)

# Typical floor colours (sRGB): light and dark woods, stones and fabrics as they are sold; only their spread matters.
WOODS = ((203, 170, 128), (176, 133, 88), (139, 94, 60), (102, 62, 40), (74, 46, 36), (58, 48, 44), (150, 140, 128),
         (120, 60, 42), (222, 200, 168))
STONES = ((228, 226, 220), (200, 196, 188), (160, 158, 154), (120, 118, 116), (82, 82, 84), (214, 198, 172),
          (176, 150, 124), (240, 238, 234), (60, 62, 66))
CLOTHS = ((90, 92, 98), (140, 136, 128), (60, 70, 96), (110, 60, 60), (70, 88, 70), (180, 168, 150), (40, 40, 44),
          (150, 150, 156), (200, 190, 176), (120, 104, 84))


def smooth_noise(rng, size, cells, octaves=3):
    """Fractal value noise ``(size, size)`` float32 around 0 with a standard deviation near 1.

    ``cells`` is the number of random values along x and y of the coarsest octave: unequal numbers stretch it.
    """
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        across, along = (max(2, min(size, int(c * 2**octave))) for c in cells)
        grid = rng.standard_normal((along, across)).astype(np.float32)
        total += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return total / max(float(total.std()), 1e-6)


def _tinted(rng, colours, spread=14):
    return np.clip(np.array(colours[rng.integers(len(colours))], np.float32) + rng.normal(0, spread, 3), 8, 247)


def _colour(base, *layers):
    """``base`` (3,) sRGB plus brightness layers ``(size, size)``, as uint8."""
    return np.clip(base + sum(layers)[..., None], 0, 255).astype(np.uint8)


def wood(rng):
    """Planks along y with grain, tone differing from plank to plank and dark gaps."""
    size = FLOOR_TEXTURE_PX
    width = int(rng.uniform(28, 100))
    grain = smooth_noise(rng, size, (size / rng.uniform(3, 8), 5)) * rng.uniform(3, 12)
    base = _tinted(rng, WOODS)
    tones = np.zeros((size, size), np.float32)
    gaps = np.zeros((size, size), np.float32)
    gap_depth, tone_spread = -rng.uniform(5, 60), rng.uniform(2, 16)
    for left in range(0, size, width):
        length = int(rng.uniform(250, 700))
        start = -int(rng.integers(length))
        for top in range(start, size, length):
            tones[max(0, top):top + length, left:left + width] = rng.normal(0, tone_spread)
            if top >= 0:
                gaps[top:top + 2, left:left + width] = gap_depth
        gaps[:, left:left + int(rng.integers(1, 3))] = gap_depth
    return _colour(base, grain, tones, gaps)


def tiles(rng):
    """Square or oblong tiles with grout; the tile itself plain, clouded or veined."""
    size = FLOOR_TEXTURE_PX
    base = _tinted(rng, STONES)
    clouds = smooth_noise(rng, size, (6, 6), 4) * rng.uniform(0, 12)
    width = int(rng.uniform(60, 320))
    height = int(width * rng.choice([1, 1, 1, 2, 0.5]))
    joint, grout = int(rng.integers(1, 5)), rng.uniform(-70, 40)
    layer = np.zeros((size, size), np.float32)
    for top in range(0, size, height):
        for left in range(0, size, width):
            layer[top:top + height, left:left + width] = rng.normal(0, 4)
    for k in range(joint):
        layer[k::height] = grout
        layer[:, k::width] = grout
    return _colour(base, clouds, layer)


def marble(rng):
    """Veined stone: ridges of warped noise."""
    size = FLOOR_TEXTURE_PX
    field = smooth_noise(rng, size, (3, 3), 5)
    veins = -np.exp(-np.abs(field) * rng.uniform(8, 25)) * rng.uniform(15, 80)
    return _colour(_tinted(rng, STONES), veins, smooth_noise(rng, size, (5, 5), 3) * rng.uniform(1, 8))


def carpet(rng):
    """Pile: strong fine noise on a slow one."""
    size = FLOOR_TEXTURE_PX
    fine = smooth_noise(rng, size, (size / rng.uniform(1, 3), size / rng.uniform(1, 3)), 1) * rng.uniform(6, 28)
    return _colour(_tinted(rng, CLOTHS), fine, smooth_noise(rng, size, (8, 8)) * rng.uniform(2, 10))


def concrete(rng):
    """Clouded grey with specks; also earth and asphalt."""
    size = FLOOR_TEXTURE_PX
    specks = (rng.random((size, size)) < rng.uniform(0, 0.03)) * rng.uniform(-60, 60)
    clouds = smooth_noise(rng, size, (4, 4), 6) * rng.uniform(3, 16)
    return _colour(_tinted(rng, STONES[2:5] + WOODS[-3:]), clouds, specks.astype(np.float32))


def fabric(rng):
    """Stripes, checks or a weave in two or three colours."""
    size = FLOOR_TEXTURE_PX
    picture = np.broadcast_to(_tinted(rng, CLOTHS, 30), (size, size, 3)).copy()
    axis = np.arange(size)
    for _ in range(int(rng.integers(1, 4))):
        period, share = rng.uniform(6, 140), rng.uniform(0.1, 0.6)
        stripe = (axis % period) < period * share
        strength = rng.uniform(0.2, 0.9)
        mask = stripe[None, :] if rng.random() < 0.5 else stripe[:, None]
        mask = np.broadcast_to(mask, (size, size))
        picture[mask] += (_tinted(rng, CLOTHS, 40) - picture[mask]) * strength
    return _colour(picture, smooth_noise(rng, size, (size / 2, size / 2), 1) * rng.uniform(0, 10))


def plain(rng):
    """One colour, of any hue, hardly clouded: vinyl, a table top, a mat, a white glossy floor."""
    colour = rng.uniform(10, 245, 3) if rng.random() < 0.3 else _tinted(rng, STONES + WOODS + CLOTHS, 10)
    return _colour(colour, smooth_noise(rng, FLOOR_TEXTURE_PX, (4, 4)) * rng.uniform(0, 5))


PROCEDURAL = (wood, wood, wood, tiles, tiles, marble, carpet, carpet, concrete, fabric, plain, plain)


def texture_files(folder):
    """Image files of ``folder`` in a fixed order; raises FileNotFoundError when there are none."""
    found = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not found:
        raise FileNotFoundError(f"--textures {folder}: no .jpg or .png file in this folder; "
                                "name a folder of images, or leave the option out for procedural floors")
    return found


def floor_texture(rng, files=()):
    """One floor, uint8 sRGB ``(768, 768, 3)``: an image of ``files`` in 4 of 10 cases where there are any."""
    if files and rng.random() < 0.4:
        path = files[rng.integers(len(files))]
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise OSError(f"{path}: not an image that can be read; remove it from the folder of textures")
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        picture = cv2.resize(picture, (FLOOR_TEXTURE_PX, FLOOR_TEXTURE_PX), interpolation=cv2.INTER_AREA)
        gain = rng.uniform(0.75, 1.2) * rng.uniform(0.92, 1.08, 3)
        return np.clip(picture * gain, 0, 255).astype(np.uint8)
    return PROCEDURAL[rng.integers(len(PROCEDURAL))](rng)


def _draw_text(rng, page, margin):
    """Lines of word-like dashes, with headings now and then: print as a photo of this size resolves it."""
    rows, columns = page.shape[:2]
    size = rng.uniform(4, 9)
    ink = tuple(int(v) for v in np.clip(np.array(INK) + rng.integers(0, 90), 0, 255))
    y = margin + rng.uniform(0, 0.2) * rows
    last = rows * rng.uniform(0.5, 0.97)
    while y < min(last, rows - margin):
        heading = rng.random() < 0.08
        height = size * (2 if heading else 1)
        x, right = margin, columns - margin - rng.uniform(0, 0.3 if rng.random() < 0.3 else 0.05) * columns
        while x < right:
            word = height * rng.uniform(0.8, 4.5)
            for letter in np.arange(x, min(x + word, right), height * 0.6):
                top = y - height * rng.uniform(0.45, 0.8)
                cv2.line(page, (int(letter), int(y)), (int(letter + height * 0.3), int(top)), ink, 1 + int(height > 8),
                         cv2.LINE_AA)
            x += word + height * 0.6
        y += height * rng.uniform(1.6, 2.0) + (size * 2 if rng.random() < 0.12 else 0)


def _draw_handwriting(rng, page, margin):
    """A few lines of a wandering pen."""
    rows, columns = page.shape[:2]
    ink = tuple(int(v) for v in rng.integers(0, 110, 3))
    scale = rng.uniform(8, 40)
    y = margin + scale
    for _ in range(int(rng.integers(1, 9))):
        steps = np.arange(margin, columns * rng.uniform(0.4, 0.9), scale * 0.25)
        heights = y + rng.normal(0, scale * 0.35, len(steps))
        points = np.stack([steps + rng.normal(0, scale * 0.15, len(steps)), heights], 1).astype(np.int32)
        cv2.polylines(page, [points], False, ink, int(rng.integers(1, 4)), cv2.LINE_AA)
        y += scale * rng.uniform(1.8, 3)
        if y > rows - margin:
            break


def _draw_rules(rng, page, margin):
    """Ruled or squared paper."""
    ink = tuple(int(v) for v in rng.integers(120, 215, 3))
    step = int(rng.uniform(10, 20))
    page[margin::step] = ink
    if rng.random() < 0.5:
        page[:, margin::step] = ink


def _draw_outline(rng, page, margin):
    """The outline of a foot, as measuring instructions print it, or a frame."""
    rows, columns = page.shape[:2]
    ink = tuple(int(v) for v in rng.integers(0, 160, 3))
    t = np.linspace(0, 2 * np.pi, 60)
    shape = np.stack([columns * (0.5 + 0.2 * np.cos(t) * (1 - 0.25 * np.sin(t))), rows * (0.5 + 0.4 * np.sin(t))], 1)
    cv2.polylines(page, [shape.astype(np.int32)], True, ink, int(rng.integers(1, 4)), cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.rectangle(page, (margin, margin), (columns - margin, rows - margin), ink, int(rng.integers(1, 3)))


def _draw_blocks(rng, page, margin):
    """A letterhead: a dark or coloured block or two."""
    rows, columns = page.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.uniform(margin, columns * 0.7)), int(rng.uniform(margin, rows * 0.85))
        w, h = int(rng.uniform(20, columns * 0.3)), int(rng.uniform(8, rows * 0.12))
        cv2.rectangle(page, (x, y), (x + w, y + h), tuple(int(v) for v in rng.integers(0, 200, 3)), -1)


def sheet_texture(rng, width_mm, height_mm):
    """Paper with what is on it, uint8 sRGB, 2 texels a millimetre: blank in half of the cases."""
    shape = (round(height_mm * SHEET_TEXELS_PER_MM), round(width_mm * SHEET_TEXELS_PER_MM), 3)
    if rng.random() < 0.94:
        paper = rng.uniform(222, 252) + rng.normal(0, 3, 3) + np.array([0, 0, -1]) * max(0, rng.normal(0, 8))
    else:
        paper = rng.uniform(130, 250, 3)  # coloured paper
    page = np.empty(shape, np.uint8)
    page[:] = np.clip(paper, 60, 253)
    if rng.random() < 0.5:
        return page
    margin = int(rng.uniform(14, 50))
    marks = (_draw_text, _draw_text, _draw_handwriting, _draw_rules, _draw_outline, _draw_blocks)
    for _ in range(1 + int(rng.random() < 0.3)):
        marks[rng.integers(len(marks))](rng, page, margin)
    return page if rng.random() < 0.5 else np.ascontiguousarray(page[::-1, ::-1])
