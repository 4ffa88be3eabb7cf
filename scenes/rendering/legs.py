"""Legs in the world: placed and leaned out of the photo, with skin, socks, trousers or shoes."""

from dataclasses import dataclass, replace

import numpy as np

from scenes.rendering.foot import LEG_TOP_MM
from scenes.rendering.meshes import SHEET_LIFT_MM, bitmap, mesh, two_sided
from scenes.rendering.shoes import CLOSED, Shoe, made_shoe, sample_shoe
from scenes.rendering.skin import TONES, Skin, sample_skin, skin_of
from scenes.rendering.socks import Sock, sock_mesh, sock_texture
from scenes.rendering.trousers import Trouser, trouser_mesh, trouser_texture
from scenes.rendering.turns import upright_turn

LEG_BEND_FROM_MM = 95.0  # the shank leans from here on: above the foot's 80 mm
BORDER_PX = 15  # what is further outside the photo than this is not seen
NEAREST_MM = 60.0  # no skin is nearer to the camera

# Cloth as it is worn most (sRGB); colours of all kinds are drawn beside.
DARK = np.array([(20, 20, 23), (28, 30, 36), (38, 42, 58), (58, 58, 60), (33, 27, 26)], float)
DENIM = np.array([(44, 56, 84), (70, 88, 122), (112, 132, 162), (34, 38, 50), (150, 166, 188)], float)
KHAKI = np.array([(176, 152, 116), (150, 132, 98), (112, 104, 78), (198, 184, 156), (96, 78, 60)], float)
GREYS = np.array([(120, 122, 126), (150, 150, 152), (86, 88, 94), (180, 180, 178)], float)


@dataclass(frozen=True)
class ClothesConfig:
    """What legs look like and wear. Shares are probabilities 0..1, pairs are ranges (low, high)."""

    varied_skin: bool = True  # False: one even, middle tone without nails
    painted_share: float = 0.14  # of nails
    dirt_share: float = 0.12
    hair_share: float = 0.3
    tan_share: float = 0.12
    sock_share: float = 0.34
    dark_sock_share: float = 0.5  # black above all
    white_sock_share: float = 0.18
    patterned_share: float = 0.22
    patch_share: float = 0.2  # heel and toe of another colour
    sheer_share: float = 0.06  # stockings
    trouser_share: float = 0.45
    rolled_share: float = 0.16
    cuffed_share: float = 0.15
    hem_mm: tuple[float, float] = (2.0, 300.0)  # from the floor behind the heel to below the knee
    long_share: float = 0.3  # of trousers: the hem is lower than the ankle
    ease_mm: tuple[float, float] = (4.0, 30.0)


PLAIN_CLOTHES = ClothesConfig(varied_skin=False, sock_share=0.0, trouser_share=0.0)


@dataclass(frozen=True)
class Clothes:
    """What both legs of a person wear, None: nothing, and how they lean."""

    skin: Skin
    sock: Sock | None
    trouser: Trouser | None
    knee_deg: float  # where the knees are: 0 over the heels' side, else turned from there, anticlockwise
    shoe: Shoe  # worn where a foot is shod; its length is what it is longer than the foot


@dataclass(frozen=True)
class PlacedLeg:
    """A leg in the world: ``vertices_mm`` (N, 3); the foot's points go there as ``points @ spin.T + shift``.

    Above `LEG_BEND_FROM_MM` the shank is stretched and leaned besides: `moved` does all of it to points of the leg's
    own frame.
    """

    vertices_mm: np.ndarray
    spin: np.ndarray
    shift: np.ndarray
    lean: np.ndarray  # (2,) mm sideways for each mm of height
    stretch: float

    def moved(self, points):
        """Points (N, 3) of the leg's frame in the world."""
        return _moved(points, self.spin, self.shift, self.lean, self.stretch)


def _moved(points, spin, shift, lean, stretch):
    placed = np.asarray(points, np.float64) @ spin.T + shift
    rise = np.maximum(placed[:, 2] - LEG_BEND_FROM_MM - shift[2], 0)
    soft = rise * rise / (rise + 40)  # bends over some centimetres, not at one height
    placed[:, 2] += (stretch - 1) * soft
    placed[:, :2] += lean * stretch * soft[:, None]
    return placed


def place_leg(rng, leg, place, camera, knee_deg=0.0):
    """A `PlacedLeg` whose shank is stretched and leaned until its end is out of the photo.

    It leans to where the knee is, ``knee_deg`` from straight behind the heel, and away from the camera.
    """
    turn = np.deg2rad(place.turn_deg)
    spin = upright_turn(turn)
    shift = np.array([*place.centre_mm, SHEET_LIFT_MM + place.lifted_mm])
    ankle = spin @ leg.ankle_mm + shift
    away = ankle[:2] - camera.position_mm[:2]
    away = away / max(np.linalg.norm(away), 1.0)
    knee = turn + np.deg2rad(knee_deg + rng.normal(0, 8))
    way = np.array([np.sin(knee), -np.cos(knee)]) + rng.uniform(0, 1.0) * away
    way = way / max(np.linalg.norm(way), 0.3)
    natural = way * abs(rng.normal(0, 0.15))
    end = leg.vertices_mm[leg.vertices_mm[:, 2] > 0.86 * LEG_TOP_MM]
    some = leg.vertices_mm[::9]
    for stretch in (1.0, 1.6, 2.4, 3.4):
        for lean in (0.0, 0.15, 0.3, 0.5, 0.8, 1.2):
            bend = spin, shift, natural + way * lean, stretch
            top = _moved(end, *bend)
            ahead = (top @ camera.rotation.T + camera.translation_mm)[:, 2]
            seen = camera.project(top[ahead > 30])
            inside = ((seen > -BORDER_PX) & (seen < (camera.width + BORDER_PX, camera.height + BORDER_PX))).all(1)
            if not inside.any() and np.linalg.norm(_moved(some, *bend) - camera.position_mm, axis=1).min() > NEAREST_MM:
                return PlacedLeg(_moved(leg.vertices_mm, *bend), *bend)
    return PlacedLeg(_moved(leg.vertices_mm, *bend), *bend)


def _normals(vertices, faces):
    """Area-weighted unit vertex normals (N, 3)."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    corners = faces.T.ravel()  # np.add.at, the obvious way, is ten times slower
    total = np.stack([np.bincount(corners, np.tile(across[:, k], 3), len(vertices)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


def leg_meshes(rng, index, leg, placed, place, clothes):
    """Meshes of one leg and the names of those that count as foot below `foot.FOOT_HEIGHT_MM`.

    Named ``foot{index}`` (skin), ``sock{index}``, ``trouser{index}``, ``shoe{index}``...: of a shod foot nothing
    counts as foot, and a trouser never does.
    """
    meshes, hidden = [], np.zeros(len(leg.vertices_mm), bool)
    if place.shod:
        shoe = replace(clothes.shoe, length=leg.length_mm + clothes.shoe.length, width=leg.width_mm + 8.0)
        meshes += made_shoe(rng, f"shoe{index}", shoe, leg.side, placed.moved, worn=True)
        hidden = leg.vertices_mm[:, 2] < 0.22 * leg.length_mm
    elif clothes.sock is not None:
        vertices, faces, unit, hidden = sock_mesh(rng, leg, clothes.sock)
        picture = bitmap(sock_texture(rng, clothes.sock, clothes.skin.tone))
        meshes.append(mesh(f"sock{index}", placed.moved(vertices), faces, two_sided(picture), unit, smooth=True))
    if clothes.trouser is not None:
        vertices, faces, unit = trouser_mesh(rng, leg, clothes.trouser, LEG_TOP_MM - 20)
        picture = bitmap(trouser_texture(rng, clothes.trouser))
        meshes.append(mesh(f"trouser{index}", placed.moved(vertices), faces, two_sided(picture), unit, smooth=True))
        hidden = hidden | (leg.vertices_mm[:, 2] > clothes.trouser.hem + 0.6 * leg.length_mm)
    if not hidden.all():
        meshes.append(_skin_mesh(rng, f"foot{index}", leg, placed, clothes.skin, hidden))
    return meshes, () if place.shod else (f"foot{index}", f"sock{index}")


def _skin_mesh(rng, name, leg, placed, skin, hidden):
    """The skin of a leg but for what is hidden (N,) bool."""
    normals = _normals(leg.vertices_mm, leg.faces)
    faces = leg.faces[~hidden[leg.faces].all(1)]
    used = np.zeros(len(normals), bool)
    used[faces] = True
    faces = (np.cumsum(used) - 1)[faces]
    shown = replace(leg, vertices_mm=leg.vertices_mm[used], toe_of=leg.toe_of[used], faces=faces)
    colours, relief = skin_of(rng, shown, skin, normals[used])
    vertices = placed.moved(shown.vertices_mm + normals[used] * relief[:, None])
    vertices[:, 2] = np.maximum(vertices[:, 2], SHEET_LIFT_MM)
    material = {"type": "mesh_attribute", "name": "vertex_color"}
    return mesh(name, vertices, faces, two_sided(material), colours=colours)


def _any_colour(rng):
    """A colour as cloth has it, sRGB (3,): any hue, seldom garish."""
    grey, tint = rng.uniform(30, 230), rng.normal(0, 1, 3)
    return np.clip(grey + (tint - tint.mean()) * rng.uniform(3, 32), 12, 242)


def _sample_sock(rng, config):
    kind = rng.random()
    if kind < config.dark_sock_share:
        colour = DARK[0] if rng.random() < 0.6 else DARK[rng.integers(len(DARK))]
    elif kind < config.dark_sock_share + config.white_sock_share:
        colour = np.full(3, rng.uniform(205, 240)) + rng.normal(0, 3, 3)
    else:
        colour = GREYS[rng.integers(len(GREYS))] if rng.random() < 0.35 else _any_colour(rng)
    colour = np.clip(colour + rng.normal(0, 4, 3), 10, 245)
    cut = rng.random()  # no-show, ankle, crew or knee-high
    height = rng.uniform(*((0.24, 0.34) if cut < 0.15 else (0.36, 0.55) if cut < 0.6 else (0.6, 1.0) if cut < 0.9 else
                           (1.1, 1.6)))  # fmt: skip
    sheer = rng.random() < config.sheer_share
    if sheer:
        colour, height = DARK[rng.integers(3)] if rng.random() < 0.5 else KHAKI[rng.integers(2)], 1.6
    patterned, patched = rng.random() < config.patterned_share, rng.random() < config.patch_share
    stripes = str(rng.choice(["cuff", "all", "dots", "diamonds"], p=[0.4, 0.35, 0.15, 0.1])) if patterned else "none"
    stripe, patch = (_any_colour(rng) if rng.random() < 0.6 else np.full(3, 225.0) for _ in range(2))
    return Sock(colour, height, patch if patched and not sheer else None, stripe, "none" if sheer else stripes,
                cuff=rng.uniform(0.05, 0.2), wrinkles=0.3 if sheer else rng.gamma(2.0, 0.5),
                relief=0.85 if sheer else rng.uniform(0.1, 0.6),
                heather=rng.uniform(0, 1) if rng.random() < 0.3 else 0.0,
                sheer=rng.uniform(0.4, 0.75) if sheer else 0.0)  # fmt: skip


def _sample_trouser(rng, config):
    kind = rng.random()
    cloth = "plain"
    if kind < 0.36:
        cloth, colour = "denim", DENIM[rng.integers(len(DENIM))]
    elif kind < 0.68:
        colour = DARK[rng.integers(len(DARK))]
    elif kind < 0.82:
        colour = KHAKI[rng.integers(len(KHAKI))]
    else:
        cloth, colour = str(rng.choice(["jersey", "striped", "checked"])), _any_colour(rng)
    low, high = config.hem_mm
    hem = rng.uniform(low, min(low + 70, high)) if rng.random() < config.long_share else rng.uniform(low + 60, high)
    tight, wide = config.ease_mm
    ease = tight + (wide - tight) * rng.beta(1.3, 2.2)
    cuffed = rng.random() < config.cuffed_share
    rolled = rng.uniform(18, 60) if rng.random() < config.rolled_share and not cuffed else 0.0
    return Trouser(np.clip(colour + rng.normal(0, 6, 3), 10, 240), cloth, max(hem, 85.0) if cuffed else hem, ease,
                   flare=rng.uniform(0, 28) if rng.random() < 0.25 else 0.0, rolled=rolled, cuffed=bool(cuffed),
                   folds=rng.uniform(0.5, 4.5) * (0.4 + ease / wide), second=_any_colour(rng),
                   worn=rng.uniform(0, 1))  # fmt: skip


def sample_clothes(rng, config=ClothesConfig()):
    """The `Clothes` of one person."""
    if config.varied_skin:
        skin = sample_skin(rng, config.painted_share, config.dirt_share, config.hair_share, config.tan_share)
    else:
        skin = Skin(TONES[3])
    sock = _sample_sock(rng, config) if rng.random() < config.sock_share else None
    trouser = _sample_trouser(rng, config) if rng.random() < config.trouser_share else None
    knee = rng.normal(0, 16) if rng.random() < 0.85 else rng.uniform(-90, 90)
    return Clothes(skin, sock, trouser, float(knee), sample_shoe(rng, CLOSED, length_mm=0.0))
