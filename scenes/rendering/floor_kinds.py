"""What floors are made of: each kind a function that paints its texture.

A floor is drawn as one array of tones, -1 (dark) to 1 (light) around its colour, which a ramp of 256 colours turns into
sRGB: boards, tiles and pile are ways to fill that array. Textures are uint8 sRGB and repeat without a seam.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scenes.rendering import noise
from scenes.rendering.noise import FIELD_PX, drawn

# Colours (sRGB) as floors are sold and as they look in rooms: browns, greys, beiges, off-whites.
WOODS = ((203, 170, 128), (190, 140, 88), (176, 122, 72), (160, 104, 62), (139, 94, 60), (112, 72, 46), (96, 52, 36),
         (84, 44, 30), (72, 34, 28), (64, 50, 42), (52, 44, 40), (150, 138, 124), (126, 116, 106), (92, 84, 78),
         (222, 200, 168), (214, 186, 142), (232, 224, 210), (236, 232, 224), (186, 172, 152), (120, 64, 42))
STONES = ((228, 226, 220), (206, 202, 194), (184, 180, 172), (160, 158, 154), (138, 136, 132), (118, 116, 114),
          (96, 95, 94), (70, 70, 71), (46, 46, 48), (214, 198, 172), (196, 176, 148), (176, 150, 124), (150, 122, 98),
          (158, 100, 76), (240, 238, 234), (236, 230, 218), (244, 242, 238), (222, 212, 196), (128, 120, 110))
CLOTHS = ((92, 92, 94), (120, 118, 114), (146, 142, 136), (74, 74, 78), (52, 52, 56), (36, 36, 40), (170, 162, 150),
          (190, 180, 164), (206, 198, 186), (224, 218, 208), (130, 112, 92), (100, 82, 66), (78, 58, 48), (96, 48, 46),
          (52, 60, 84), (66, 76, 100), (74, 84, 72), (150, 130, 104), (112, 104, 98))
EARTHS = ((142, 138, 132), (120, 118, 116), (166, 160, 150), (98, 96, 94), (76, 76, 78), (128, 118, 104),
          (104, 108, 112), (150, 136, 116), (182, 178, 172), (62, 64, 66))
GRASSES = ((86, 104, 52), (104, 116, 62), (72, 92, 48), (120, 122, 74), (96, 112, 44), (134, 126, 84))
NEAR_WHITES = ((244, 242, 238), (240, 237, 230), (236, 231, 220), (243, 238, 226), (232, 230, 227), (226, 224, 220),
               (238, 232, 214), (228, 220, 206), (247, 246, 244), (230, 226, 214))
DARKS = ((58, 56, 55), (44, 42, 42), (70, 62, 56), (34, 34, 36), (54, 58, 62), (76, 70, 66))
DARK_WOODS = ((72, 34, 28), (60, 40, 32), (52, 44, 40), (84, 44, 30), (44, 34, 30), (66, 58, 52), (78, 52, 38))


@dataclass(frozen=True)
class Theme:
    """What a painter may choose from: "near_white", "dark", "vivid" or "ordinary", and its scale."""

    name: str
    texel_mm: float

    def colour(self, rng, palette, spread=9.0):
        """A colour (3,) float32 of the palette, or of the theme's own, slightly shifted."""
        if self.name == "vivid":
            colour = rng.uniform(25, 235, 3)
            return (colour + (colour.mean() - colour) * rng.uniform(0, 0.6)).astype(np.float32)
        palette = {"near_white": NEAR_WHITES, "dark": DARK_WOODS if palette is WOODS else DARKS}.get(self.name, palette)
        spread = spread * (0.5 if self.name == "near_white" else 1)
        shift = rng.normal(0, spread) + rng.normal(0, spread / 3) * np.array([1.0, 0.1, -1.0])
        shift = shift + rng.normal(0, spread / 8, 3)
        colour = np.array(palette[rng.integers(len(palette))], np.float32) + shift
        if self.name == "near_white":  # paper is whiter than floors are
            colour = colour * rng.uniform(0.84, 1.0)
        return np.clip(colour, 6, 251)

    def px(self, rng, low_mm, high_mm):
        """How many times a length drawn between two millimetres fits into the texture: at least 1."""
        return max(1, round(FIELD_PX * self.texel_mm / rng.uniform(low_mm, high_mm)))


def _ramp(base, dark=0.45, light=0.35):
    """256 colours from dark over ``base`` (3,) at 128 to light: uint8 (256, 3)."""
    t = np.linspace(-1, 1, 256, dtype=np.float32)[:, None]
    # Shadows of brown things are redder than the thing.
    low = base * (1 - dark) ** np.array([0.9, 1.0, 1.08], np.float32)
    high = base + (255 - base) * light
    return np.clip(np.where(t < 0, base + (base - low) * t, base + (high - base) * t), 0, 255).astype(np.uint8)


def _coloured(tones, ramp):
    """Tones float32 (h, w) of -1 to 1 through a ramp (256, 3): uint8 (h, w, 3)."""
    index = np.clip(tones * 127 + 128, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.merge([index] * 3), ramp[None])


def _painted(picture, mask, colour):
    """Sets ``picture`` uint8 (h, w, 3) to ``colour`` (3,) where the mask (h, w) holds; in place."""
    cv2.copyTo(np.broadcast_to(np.clip(colour, 0, 255).astype(np.uint8), picture.shape).copy(),
               mask.astype(np.uint8), picture)
    return picture


@dataclass(frozen=True, eq=False)
class _Pieces:
    """A floor laid of pieces: for each texel its piece, place within it (px) and distance to its border (px)."""

    piece: np.ndarray
    across: np.ndarray
    along: np.ndarray
    border: np.ndarray
    count: int


def _rows(rng, columns, rows, stagger):
    """Pieces in ``columns`` columns of ``rows`` each, the columns shifted: "none", "half" or "random"."""
    width, length = FIELD_PX / columns, FIELD_PX / rows
    axis = np.arange(FIELD_PX, dtype=np.float32)
    column = (axis / width).astype(np.int32)
    across = (axis - column * width).astype(np.float32)
    shift = {"none": np.zeros(columns), "half": np.arange(columns) % 2 * length / 2,
             "random": rng.random(columns) * length}[stagger].astype(np.float32)
    along = axis[:, None] + shift[column][None, :]
    row = (along / length).astype(np.int32)
    along -= row.astype(np.float32) * np.float32(length)
    border = np.minimum(np.minimum(across, width - across)[None, :], np.minimum(along, length - along))
    across = np.broadcast_to(across[None, :], along.shape)
    return _Pieces(column[None, :] * rows + row % rows, across, along, border, columns * rows)


def _herringbone(blocks, ratio):
    """Boards ``ratio`` times as long as wide, in turn along x and y; ``blocks`` repeats of the pattern."""
    width = FIELD_PX / (2 * ratio * blocks)
    cells = 2 * ratio * blocks
    axis = np.arange(FIELD_PX, dtype=np.float32)
    cell = np.minimum((axis / width).astype(np.int32), cells - 1)
    rest = (axis - cell * width).astype(np.float32)
    x, y, rest_x, rest_y = cell[None, :], cell[:, None], rest[None, :], rest[:, None]
    step = (x - y) % (2 * ratio)
    lying = step < ratio
    along = np.where(lying, step * width + rest_x, (2 * ratio - 1 - step) * width + rest_y).astype(np.float32)
    across = np.where(lying, rest_y, rest_x)
    first_x = np.where(lying, x - step, x) % cells
    first_y = np.where(lying, y, y - (2 * ratio - 1 - step)) % cells
    border = np.minimum(np.minimum(across, width - across), np.minimum(along, ratio * width - along))
    return _Pieces((first_y * cells + first_x) * 2 + lying, across, along, border, 2 * cells * cells)


def _piecewise(rng, field, pieces, across_scale=1.0, along_scale=1.0):
    """A periodic field (768, 768) seen at another place in each piece, scaled: float32 like the pieces."""
    start = (rng.random((2, pieces.count)) * FIELD_PX).astype(np.float32)
    side = rng.choice(np.array([-1, 1], np.float32), pieces.count) * np.float32(across_scale)
    x = start[0][pieces.piece] + side[pieces.piece] * pieces.across
    y = start[1][pieces.piece] + np.float32(along_scale) * pieces.along
    return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _each(rng, pieces, spread):
    """One random tone for each piece, over all texels."""
    return rng.normal(0, spread, pieces.count).astype(np.float32)[pieces.piece]


def _boarded(rng, theme, pieces):
    """Wood on pieces: grain, tone from board to board, dark or hardly seen joints."""
    variant = int(rng.integers(noise.VARIANTS))
    grain = _piecewise(rng, noise.wood(variant), pieces, theme.texel_mm / rng.uniform(0.25, 0.6),
                       theme.texel_mm / rng.uniform(1.6, 3.2))
    strong = rng.uniform(0.02, 0.4) if theme.name != "near_white" else rng.uniform(0.02, 0.2)
    tones = grain * strong + _each(rng, pieces, rng.uniform(0.02, 0.28) * (0.4 if theme.name == "near_white" else 1))
    depth = rng.uniform(0.1, 0.9)
    tones -= depth * np.clip(rng.uniform(0.8, 2.2) / theme.texel_mm + 0.3 - pieces.border, 0, 1)
    return _coloured(tones, _ramp(theme.colour(rng, WOODS), rng.uniform(0.4, 0.7), rng.uniform(0.15, 0.4)))


def planks(rng, theme):
    """Long boards, laminate or vinyl planks along y."""
    pieces = _rows(rng, theme.px(rng, 85, 230), theme.px(rng, 700, 1500), "random")
    return _boarded(rng, theme, pieces)


def parquet(rng, theme):
    """Short strips, staggered, as glued parquet and three-strip laminate show."""
    return _boarded(rng, theme, _rows(rng, theme.px(rng, 45, 80), theme.px(rng, 220, 480), "random"))


def herringbone(rng, theme):
    """Herringbone parquet."""
    ratio = int(rng.integers(4, 8))
    return _boarded(rng, theme, _herringbone(theme.px(rng, 2 * ratio * 50, 2 * ratio * 95), ratio))


def board(rng, theme):
    """One wide board without joints: a desk or table top, plain or veneered."""
    flat = np.arange(FIELD_PX, dtype=np.float32)
    grain = noise.wood(int(rng.integers(noise.VARIANTS)))
    stretch = rng.uniform(0.4, 1.6), rng.uniform(0.2, 0.6)
    x, y = np.meshgrid(flat * np.float32(stretch[0]), flat * np.float32(stretch[1]))
    start = rng.random(2) * FIELD_PX
    tones = cv2.remap(grain, x + np.float32(start[0]), y + np.float32(start[1]), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_WRAP) * rng.uniform(0.02, 0.28)
    tones += drawn(rng, "cloud") * rng.uniform(0, 0.06)
    return _coloured(tones, _ramp(theme.colour(rng, WOODS), rng.uniform(0.35, 0.7), rng.uniform(0.15, 0.4)))


def _veins(field, sharp):
    """Thin lines where a field crosses zero: float32, 0 to 1."""
    return np.exp(-np.abs(field) * np.float32(sharp))


def _stone(rng, theme, pieces):
    """Tones of a stone or ceramic face: plain, clouded, veined or specked, anew on each piece."""
    kind = rng.choice(["plain", "cloud", "veins", "specks"], p=[0.4, 0.3, 0.2, 0.1])
    if kind == "plain":
        return _each(rng, pieces, rng.uniform(0, 0.04))
    name = {"cloud": "cloud", "veins": "cloud", "specks": "fine"}[kind]
    face = _piecewise(rng, noise.field(name, int(rng.integers(noise.VARIANTS))), pieces, *[rng.uniform(0.5, 1.3)] * 2)
    if kind == "veins":
        face = face * 0.15 - _veins(face, rng.uniform(6, 20)) * rng.uniform(0.4, 1.4)
    return face * rng.uniform(0.04, 0.2) + _each(rng, pieces, rng.uniform(0, 0.08))


def _grouted(rng, theme, picture, pieces):
    """Joints of 2 to 9 mm, darker or lighter than the tiles, with a soft rim."""
    joint = rng.uniform(1.0, 4.5) / theme.texel_mm
    grout = theme.colour(rng, STONES) * rng.uniform(0.45, 1.05)
    if theme.name == "near_white" and rng.random() < 0.5:
        grout = rng.uniform(140, 235) + np.array([2.0, 0.0, -5.0])
    return _painted(picture, pieces.border < joint, grout)


def tiles(rng, theme):
    """Square or oblong tiles with grout, plain, clouded or veined; now and then a chequerboard."""
    columns = theme.px(rng, 150, 620)
    rows = max(1, round(columns * rng.choice([1, 1, 1, 0.5, 0.25, 2])))
    pieces = _rows(rng, columns, rows, str(rng.choice(["none", "none", "half", "random"])))
    base = theme.colour(rng, STONES)
    tones = _stone(rng, theme, pieces)
    if rng.random() < 0.07 and theme.name == "ordinary" and columns % 2 == 0 and rows % 2 == 0:
        row, column = pieces.piece % rows, pieces.piece // rows
        tones = tones + np.where((row + column) % 2, 1.0, -0.4).astype(np.float32) * np.float32(rng.uniform(0.3, 0.9))
    picture = _coloured(tones, _ramp(base, rng.uniform(0.35, 0.75), 0.5))
    return _grouted(rng, theme, picture, pieces)


def mosaic(rng, theme):
    """Small square tiles, each of its own tone."""
    count = theme.px(rng, 20, 60)
    pieces = _rows(rng, count, count, "none")
    tones = _each(rng, pieces, rng.uniform(0.05, 0.6))
    return _grouted(rng, theme, _coloured(tones, _ramp(theme.colour(rng, STONES), 0.5, 0.4)), pieces)


def _motif(rng, levels):
    """A square ornament, mirrored four ways and along its diagonal: uint8 (96, 96) of 0 to ``levels`` - 1."""
    small = cv2.resize(rng.standard_normal((7, 7)).astype(np.float32), (48, 48), interpolation=cv2.INTER_CUBIC)
    small = small + small.T
    whole = np.block([[small, small[:, ::-1]], [small[::-1], small[::-1, ::-1]]])
    ranks = np.quantile(whole, np.linspace(0, 1, levels + 1)[1:-1])
    return np.digitize(whole, ranks).astype(np.uint8)


def patterned_tiles(rng, theme):
    """Cement tiles with an ornament in two or three colours."""
    columns = theme.px(rng, 140, 330)
    pieces = _rows(rng, columns, columns, "none")
    levels = int(rng.integers(2, 4))
    inks = np.stack([theme.colour(rng, (STONES, STONES, CLOTHS)[k]) for k in range(levels)])
    scale = np.float32(96 * columns / FIELD_PX)
    level = cv2.remap(_motif(rng, levels), np.ascontiguousarray(pieces.across) * scale, pieces.along * scale,
                      cv2.INTER_NEAREST, borderMode=cv2.BORDER_WRAP)
    ramp = np.clip(inks[np.minimum(np.arange(256), levels - 1)], 0, 255).astype(np.uint8)
    return _grouted(rng, theme, cv2.LUT(cv2.merge([level] * 3), ramp[None]), pieces)


def marble(rng, theme):
    """A slab of veined stone."""
    field, other = drawn(rng, "cloud"), drawn(rng, "cloud")
    tones = -_veins(field, rng.uniform(5, 25)) * np.clip(other + 0.6, 0, 1.5) * rng.uniform(0.1, 0.7)
    tones += drawn(rng, "cloud") * rng.uniform(0.02, 0.14)
    return _coloured(tones, _ramp(theme.colour(rng, STONES), rng.uniform(0.4, 0.8), 0.4))


def terrazzo(rng, theme):
    """Chips of a few colours in a plain ground."""
    base = theme.colour(rng, STONES)
    picture = _coloured(drawn(rng, "fine") * 0.03, _ramp(base, 0.3, 0.3))
    largest = rng.uniform(3, 14) / theme.texel_mm
    count = int(min(1800, rng.uniform(0.1, 0.4) * FIELD_PX**2 / largest**2))
    centres = rng.random((count, 2)) * FIELD_PX
    angles = np.sort(rng.random((count, 5)) * 2 * np.pi, axis=1)
    radius = largest * rng.uniform(0.25, 1.0, (count, 1)) ** 1.5
    outline = centres[:, None] + np.stack([np.cos(angles), np.sin(angles)], -1) * radius[..., None]
    outline = np.round(outline * 8).astype(np.int32)
    colours = int(rng.integers(1, 5))
    for k in range(colours):
        ink = base + rng.normal(0, rng.uniform(8, 45)) + rng.normal(0, 8, 3)
        cv2.fillPoly(picture, list(outline[k::colours]), [int(v) for v in np.clip(ink, 10, 250)], cv2.LINE_AA, 3)
    return picture


def carpet(rng, theme):
    """Pile: tufts of a few millimetres in one or two colours, trodden into patches; or loops in rows."""
    fine = drawn(rng, "fine") + rng.uniform(0, 1) * drawn(rng, "coarse")
    tones = fine * rng.uniform(0.06, 0.34) + drawn(rng, "cloud") * rng.uniform(0.01, 0.1)
    if rng.random() < 0.3:
        rows = FIELD_PX // max(2, round(rng.uniform(3, 9) / theme.texel_mm))
        wave = np.sin(np.arange(FIELD_PX, dtype=np.float32) * np.float32(2 * np.pi * rows / FIELD_PX))
        tones += (wave * rng.uniform(0.05, 0.25))[None, :]
    return _coloured(tones, _ramp(theme.colour(rng, CLOTHS), rng.uniform(0.5, 0.8), rng.uniform(0.25, 0.5)))


def rug(rng, theme):
    """A woven rug: an ornament, bands or checks in muted colours."""
    levels = int(rng.integers(2, 5))
    inks = np.stack([theme.colour(rng, CLOTHS) for _ in range(levels)])
    kind = rng.choice(["ornament", "bands", "checks"])
    if kind == "ornament":
        level = np.tile(cv2.resize(_motif(rng, levels), (FIELD_PX // 4,) * 2, interpolation=cv2.INTER_NEAREST), (4, 4))
        if rng.random() < 0.5:
            level = cv2.resize(level[:FIELD_PX // 2, :FIELD_PX // 2], (FIELD_PX, FIELD_PX),
                               interpolation=cv2.INTER_NEAREST)
    else:
        edges = np.sort(rng.integers(0, FIELD_PX // 2, rng.integers(3, 9)))
        band = np.searchsorted(edges, np.arange(FIELD_PX) % (FIELD_PX // 2)) % levels
        across = band[None, :] if kind == "checks" else np.zeros((1, FIELD_PX), int)
        level = np.broadcast_to((band[:, None] + across) % levels, (FIELD_PX, FIELD_PX)).astype(np.uint8)
    picture = inks[level]
    picture += (drawn(rng, "fine") * rng.uniform(2, 12))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def fabric(rng, theme):
    """A weave: a blanket, a towel, a straw or rubber mat, a bath mat."""
    axis = np.arange(FIELD_PX, dtype=np.float32) * np.float32(2 * np.pi / FIELD_PX)
    threads = FIELD_PX // rng.integers(3, 14, 2)
    tones = (np.sin(axis * threads[0])[:, None] * np.float32(rng.uniform(0, 0.22))
             + np.sin(axis * threads[1])[None, :] * np.float32(rng.uniform(0, 0.22)))
    tones = tones + drawn(rng, "streak") * rng.uniform(0.01, 0.12) + drawn(rng, "fine") * rng.uniform(0.01, 0.1)
    tones = tones + drawn(rng, "cloud") * rng.uniform(0.02, 0.12)
    return _coloured(tones, _ramp(theme.colour(rng, CLOTHS), 0.6, 0.4))


def _cracks(rng, picture, colour):
    """A few wandering dark lines."""
    for _ in range(int(rng.integers(1, 4))):
        steps = rng.normal(0, 1, (40, 2)).cumsum(0) * rng.uniform(1, 4) + np.arange(40)[:, None] * rng.normal(0, 9, 2)
        line = np.round((rng.random(2) * FIELD_PX + steps) * 8).astype(np.int32)
        cv2.polylines(picture, [line], False, [int(v) for v in colour], int(rng.integers(1, 3)), cv2.LINE_AA, 3)


def concrete(rng, theme):
    """Screed, concrete or earth: clouds, dust, pores, now and then cracks."""
    tones = drawn(rng, "cloud") * rng.uniform(0.04, 0.28) + drawn(rng, "fine") * rng.uniform(0.02, 0.12)
    tones -= np.clip(drawn(rng, "coarse") - rng.uniform(1.8, 3.5), 0, 1) * rng.uniform(0, 0.8)
    tones += np.clip(drawn(rng, "cloud"), 0, 2) * rng.uniform(0, 0.25)
    base = theme.colour(rng, EARTHS)
    picture = _coloured(tones, _ramp(base, 0.6, 0.4))
    if rng.random() < 0.25:
        _cracks(rng, picture, base * rng.uniform(0.3, 0.7))
    return picture


def asphalt(rng, theme):
    """Asphalt, gravel or exposed aggregate: stones of a few millimetres."""
    stones = drawn(rng, "coarse") + rng.uniform(0.3, 1.2) * drawn(rng, "fine")
    tones = np.tanh(stones * rng.uniform(0.6, 2)) * rng.uniform(0.12, 0.45) + drawn(rng, "cloud") * 0.06
    return _coloured(tones, _ramp(theme.colour(rng, EARTHS), 0.75, rng.uniform(0.2, 0.5)))


def grass(rng, theme):
    """A lawn or artificial turf: blades on dark ground."""
    blades = np.maximum(np.maximum(drawn(rng, "brush"), drawn(rng, "brush").T), drawn(rng, "coarse"))
    tones = (blades - 0.6) * rng.uniform(0.25, 0.5) + drawn(rng, "cloud") * rng.uniform(0.02, 0.15)
    return _coloured(tones, _ramp(theme.colour(rng, GRASSES, 6.0), 0.8, 0.3))


def vinyl(rng, theme):
    """One colour, hardly clouded or finely flecked: vinyl, linoleum, a painted floor, a coated table, a mat."""
    palette = (STONES, WOODS, CLOTHS)[rng.choice(3, p=[0.6, 0.2, 0.2])]
    tones = drawn(rng, "cloud") * rng.uniform(0, 0.06)
    if rng.random() < 0.4:
        tones = tones + np.clip(np.abs(drawn(rng, "coarse")) - 1, 0, 2) * rng.uniform(-0.35, 0.2)
    return _coloured(tones, _ramp(theme.colour(rng, palette), 0.5, 0.4))


def mid_tone(rng, theme):
    """One plain middle grey-brown and nothing else: what `PLAIN_FLOOR` is made of."""
    colour = np.array((140, 134, 126)) + rng.normal(0, 8)
    return np.broadcast_to(np.clip(colour, 90, 190).astype(np.uint8), (8, 8, 3)).copy()


PAINTERS = {paint.__name__: paint for paint in (
    planks, parquet, herringbone, board, tiles, mosaic, patterned_tiles, marble, terrazzo, carpet, rug, fabric,
    concrete, asphalt, grass, vinyl, mid_tone)}
