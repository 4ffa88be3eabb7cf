"""Shoes, slippers and sandals: sole and upper drawn over the outline of a foot. They are never feet: background."""

from dataclasses import dataclass

import numpy as np

from scenes.rendering.meshes import SHEET_LIFT_MM, bitmap, mesh, paint, polished, two_sided
from scenes.rendering.noise import drawn
from scenes.rendering.tubes import tube
from scenes.rendering.turns import upright_turn

# Share of the length from the heel, half breadths on the inner and the outer side over the length: a last's outline.
OUTLINE = np.array([(0.0, 0.02, 0.02), (0.006, 0.05, 0.05), (0.02, 0.082, 0.08), (0.06, 0.11, 0.105),
                    (0.15, 0.13, 0.125), (0.3, 0.12, 0.125), (0.45, 0.115, 0.14), (0.6, 0.15, 0.175),
                    (0.72, 0.178, 0.18), (0.85, 0.17, 0.135), (0.93, 0.142, 0.085), (0.975, 0.11, 0.03),
                    (0.993, 0.085, 0.0), (1.0, 0.06, -0.03)])  # fmt: skip
# Height of the upper over the sole along the length, over the length.
HEIGHTS = {"sneaker": ((0.0, 0.27), (0.25, 0.31), (0.45, 0.29), (0.62, 0.2), (0.85, 0.15), (1.0, 0.06)),
           "leather": ((0.0, 0.24), (0.25, 0.27), (0.45, 0.26), (0.62, 0.18), (0.85, 0.13), (1.0, 0.05)),
           "boot": ((0.0, 0.55), (0.3, 0.56), (0.42, 0.42), (0.6, 0.22), (0.85, 0.16), (1.0, 0.07)),
           "slipper": ((0.0, 0.0), (0.44, 0.0), (0.46, 0.24), (0.62, 0.2), (0.85, 0.14), (1.0, 0.05))}  # fmt: skip
CLOSED = ("sneaker", "leather", "boot")  # what can be worn here: nothing of the foot is seen
KINDS = (*CLOSED, "slipper", "sandal", "flip_flop")
AROUND, RINGS = 32, 36
COLOURS = np.array([(22, 22, 24), (236, 234, 230), (62, 44, 34), (110, 72, 46), (44, 52, 78), (128, 128, 130),
                    (150, 40, 46), (196, 178, 150)], float)  # fmt: skip


@dataclass(frozen=True)
class Shoe:
    """One shoe's kind and make; both of a pair share it. Lengths in mm, colours sRGB (3,)."""

    kind: str
    length: float
    width: float  # breadth over the ball
    height: float  # factor on the upper's height
    sole: float
    colour: np.ndarray
    sole_colour: np.ndarray
    inside: np.ndarray
    gloss: bool


def sample_shoe(rng, kinds=KINDS, length_mm=None):
    """A `Shoe` of one of ``kinds``; where ``length_mm`` is given, for a foot of that length."""
    kind = str(rng.choice(kinds))
    length = rng.uniform(190, 310) if length_mm is None else length_mm + rng.uniform(14, 26)
    width = length * rng.uniform(0.34, 0.39)
    colour = np.clip(COLOURS[rng.integers(len(COLOURS))] + rng.normal(0, 12, 3), 10, 242)
    pale = kind == "sneaker" and rng.random() < 0.7
    sole_colour = np.full(3, rng.uniform(190, 238) if pale else rng.uniform(15, 70)) + rng.normal(0, 4, 3)
    return Shoe(kind, length, width, rng.uniform(0.9, 1.15), rng.uniform(8, 16) if kind == "leather" else
                rng.uniform(14, 34), colour, sole_colour, np.clip(colour * rng.uniform(0.2, 0.8), 8, 200),
                bool(kind == "leather" and rng.random() < 0.7))  # fmt: skip


def _edges(shoe, share):
    """x of the inner and the outer edge (each as share's shape) of a left shoe at shares of its length, in mm."""
    scale = shoe.width / 0.358
    inner, outer = (np.interp(share, OUTLINE[:, 0], OUTLINE[:, k]) for k in (1, 2))
    return inner * scale, -outer * scale


def _sole(shoe):
    """Rings (6, AROUND, 3) of a plate of the shoe's outline, heel at y = 0."""
    turn = 2 * np.pi * np.arange(AROUND) / AROUND
    share = 0.5 - 0.5 * np.cos(turn)
    inner, outer = _edges(shoe, share)
    edge = np.column_stack([np.where(turn < np.pi, inner, outer), share * shoe.length])
    middle = edge.mean(0)
    rings = []
    for size, level in ((0.02, 0), (0.95, 0), (1.0, 2), (1.0, shoe.sole - 1), (0.96, shoe.sole), (0.02, shoe.sole)):
        heel = 1 + 0.3 * np.clip(1 - 2 * share, 0, 1) * (level > 2)  # the sole is thicker under the heel
        rings.append(np.column_stack([middle + size * (edge - middle), level * heel]))
    return np.array(rings)


def _upper(shoe):
    """Rings (RINGS, AROUND, 3) across the shoe from heel to toe."""
    share = 0.5 - 0.5 * np.cos(np.linspace(0.09, np.pi - 0.09, RINGS))
    inner, outer = _edges(shoe, share)
    knots = np.array(HEIGHTS[shoe.kind])
    height = np.interp(share, knots[:, 0], knots[:, 1]) * shoe.length * shoe.height
    height *= np.clip(np.minimum(share / 0.012, (1 - share) / 0.02), 0.45, 1)  # rounded ends
    turn = 2 * np.pi * np.arange(AROUND) / AROUND
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.75
    high = np.maximum(np.sin(turn), 0) ** 0.8
    # Ankles are narrower than soles: the higher, the nearer to the middle.
    narrow = 1 - 0.28 * high * np.clip(height / (0.3 * shoe.length), 0, 1)[:, None]
    x = (inner + outer)[:, None] / 2 + (inner - outer)[:, None] / 2 * across * narrow * 0.97
    y = np.repeat(share[:, None] * shoe.length, AROUND, 1)
    z = 0.8 * shoe.sole + height[:, None] * high
    rings = np.stack([x, y, z], -1)
    # Closed at heel and toe.
    ends = (rings[k] * 0.15 + rings[k].mean(0) * 0.85 for k in (0, -1))
    return np.concatenate([next(ends)[None], rings, next(ends)[None]])


def _upper_texture(rng, shoe, worn):
    """uint8 sRGB (rows from heel to toe, columns around, 3): cloth or leather, opening, laces."""
    rows, columns = 96, 96
    v, u = (np.mgrid[0:rows, 0:columns].astype(np.float32) + 0.5) / rows
    v, top = 0.5 - 0.5 * np.cos(np.pi * v), np.abs(u - 0.25)
    light = 1 + 0.06 * drawn(rng, "cloud")[:rows, :columns] + 0.04 * drawn(rng, "fine")[:rows, :columns]
    pixels = shoe.colour * light[..., None]
    if shoe.kind == "sneaker":
        trim = np.clip(shoe.colour + rng.normal(0, 60, 3), 10, 245)
        pixels = np.where(((v > 0.84) | (v < 0.08))[..., None], trim * light[..., None], pixels)
    if shoe.kind != "slipper":
        laced = (v > 0.42) & (v < 0.66) & (top < 0.075) & ((v * 27) % 1 < 0.45)
        pixels = np.where(laced[..., None], np.where(shoe.colour.mean() > 120, 60.0, 215.0), pixels)
    if not worn and shoe.kind != "slipper":
        pixels = np.where(((((v - 0.23) / 0.14) ** 2 + (top / 0.15) ** 2) < 1)[..., None], shoe.inside * 0.5, pixels)
    return np.clip(pixels, 5, 248).astype(np.uint8)


def _straps(shoe):
    """Bands over the foot, each rings (2, AROUND, 3): across for sandals, a V from between the toes for flip-flops."""
    arc = np.linspace(0, np.pi, AROUND)
    if shoe.kind == "flip_flop":
        fork = np.array([0.06 * shoe.width, 0.76 * shoe.length, shoe.sole])
        bands = []
        for edge in _edges(shoe, np.array(0.42)):
            foot = np.array([edge * 0.95, 0.42 * shoe.length, shoe.sole])
            way = fork + np.linspace(0, 1, AROUND)[:, None] * (foot - fork)
            way[:, 2] += 0.13 * shoe.length * np.sin(arc) ** 0.7
            bands.append(np.array([way, way + [0, 0.035 * shoe.length, -2]]))
        return bands
    bands = []
    for place in (0.3, 0.52, 0.72):
        inner, outer = _edges(shoe, np.array([place, place + 0.07]))
        x = (inner + outer)[:, None] / 2 + (inner - outer)[:, None] / 2 * np.cos(arc)
        y = np.repeat([[place], [place + 0.07]], AROUND, 1) * shoe.length
        z = shoe.sole + np.sin(arc) ** 0.7 * shoe.length * np.array([[0.26 - 0.2 * place], [0.25 - 0.2 * place]])
        bands.append(np.stack([x, y, z], -1))
    return bands


def made_shoe(rng, name, shoe, side, moved, worn=False):
    """Meshes of a `Shoe`, named ``name_sole`` and the like; ``moved`` maps (N, 3) mm into the world.

    The shoe's own frame is a `Leg`'s: sole at z = 0, toes at +y, the origin under its middle.
    """
    flip = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])

    def part(label, rings, material):
        vertices, faces, unit = tube(rings)
        vertices = moved((vertices - (0, shoe.length / 2, 0)) * flip)
        return mesh(f"{name}_{label}", vertices, faces, material, unit, smooth=True)

    parts = [part("sole", _sole(shoe), paint(shoe.sole_colour))]
    if shoe.kind in HEIGHTS:
        picture = bitmap(_upper_texture(rng, shoe, worn))
        parts.append(part("upper", _upper(shoe), polished(picture, 0.3) if shoe.gloss else two_sided(picture)))
    else:
        parts += [part(f"strap{k}", band, paint(shoe.colour)) for k, band in enumerate(_straps(shoe))]
    return parts


def shoe_mesh(rng, name, side, centre_mm, turn_deg, shoe=None):
    """Meshes (a list) of an empty shoe that stands on the floor at ``centre_mm`` (2,), toes at ``turn_deg`` from +y.

    shoe: the `Shoe` where a pair shares it; else one is drawn. Names begin with ``name``.
    """
    shoe = sample_shoe(rng) if shoe is None else shoe
    spin = upright_turn(np.deg2rad(turn_deg))
    shift = np.array([*centre_mm, SHEET_LIFT_MM])
    return made_shoe(rng, name, shoe, side, lambda points: points @ spin.T + shift)
