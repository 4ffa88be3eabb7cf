"""Socks and stockings: a tube drawn over foot and shank, round over the toes, with its knit as a texture.

A sock is computed in the leg's own frame (see `foot`). Its rings follow the foot from the toes backward, turn about a
point in front of the ankle, and go on up the shank.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull

from scenes.rendering.foot_pose import smoothstep
from scenes.rendering.noise import drawn
from scenes.rendering.tubes import outline, tube

AROUND = 64
STEP_MM = 4.5  # between rings
CAP_RINGS, TURN_RINGS = 7, 14
HULL_SHARE = 0.62  # from here to the tip the sock spans the hollows between the toes
TEXTURE_PX = (320, 160)  # along and around: 1.5 mm a texel
CLOTH_MM = 1.4


@dataclass(frozen=True)
class Sock:
    """What both socks of a person share. Colours are sRGB (3,), lengths shares of the foot's length."""

    colour: np.ndarray
    height: float  # of the upper edge over the floor
    patch: np.ndarray | None = None  # colour of heel and toe
    stripe: np.ndarray | None = None
    stripes: str = "none"  # "none", "cuff", "all", "dots" or "diamonds"
    cuff: float = 0.1  # length of the ribbed part
    wrinkles: float = 0.0  # mm
    relief: float = 0.3  # how much the toes show, 0..1
    heather: float = 0.0  # threads of two colours, 0..1
    sheer: float = 0.0  # how much skin shines through


@dataclass(frozen=True)
class _Path:
    """The line that the sock is drawn along: where the rings of the foot, the turn and the shank lie."""

    tip: float  # y of the foremost point
    cap: np.ndarray  # (3,) centre of the rounded end
    turn: np.ndarray  # (3,) the point in front of the ankle about which the rings turn
    foot_y: np.ndarray
    shank_z: np.ndarray


def _path(leg, top_mm):
    length = leg.length_mm
    tip = leg.vertices_mm[leg.vertices_mm[:, 2] < 0.3 * length, 1].max()
    heel = leg.heel_mm[1]
    turn = np.array([0.0, heel + 0.40 * length, max(0.37 * length, leg.instep_mm * 1.22)])
    cap = np.array([0.0, tip - 0.085 * length, 0.042 * length])
    foot_y = np.linspace(cap[1], turn[1], round((cap[1] - turn[1]) / STEP_MM))
    count = max(round((top_mm - turn[2]) / STEP_MM), 0)
    shank_z = turn[2] + STEP_MM * np.arange(1, count + 1)
    return _Path(tip, cap, turn, foot_y, shank_z)


def _spine(leg, path):
    """Centres (R, 3), the rings' upward and sideward directions (R, 3), how flat they are (R,), of all but the cap."""
    points, length = leg.vertices_mm, leg.length_mm
    foot = points[points[:, 2] < 0.32 * length]
    knots = np.linspace(path.turn[1], path.cap[1], 7)
    middle, height = [], []
    for y in knots:
        slab = foot[np.abs(foot[:, 1] - y) < 0.03 * length]
        middle.append((slab[:, 0].min() + slab[:, 0].max()) / 2)
        height.append(min(slab[:, 2].max(), path.turn[2]))
    x, z = np.interp(path.foot_y, knots, middle), 0.45 * np.interp(path.foot_y, knots, height)
    foot_rings = np.column_stack([x, path.foot_y, z])
    angle = np.deg2rad(np.linspace(0, 90, TURN_RINGS + 2)[1:])
    shank_y = leg.ankle_mm[1]
    reach = np.interp(angle, [0, np.pi / 2], [path.turn[2] - foot_rings[-1, 2], path.turn[1] - shank_y])
    down = np.column_stack([np.zeros_like(angle), -np.sin(angle), -np.cos(angle)])
    turn_rings = path.turn + reach[:, None] * down
    turn_rings[:, 0] = np.interp(angle, [0, np.pi / 2], [foot_rings[-1, 0], leg.ankle_mm[0]])
    shank = points[(points[:, 2] > path.turn[2])]
    levels = np.linspace(path.turn[2] + 10, max(path.turn[2] + 20, shank[:, 2].max() - 40), 8)
    axis = np.array([shank[np.abs(shank[:, 2] - level) < 25].mean(0)[:2] for level in levels])
    shank_rings = np.column_stack([np.interp(path.shank_z, levels, axis[:, k]) for k in (0, 1)] + [path.shank_z])
    blend = smoothstep((path.shank_z - path.turn[2]) / 60)[:, None]
    shank_rings[:, :2] = blend * shank_rings[:, :2] + (1 - blend) * turn_rings[-1, :2]
    centres = np.concatenate([foot_rings, turn_rings, shank_rings])
    upright, ahead = [[0.0, 0, 1]] * len(foot_rings), np.reshape([[0.0, 1, 0]] * len(shank_rings), (-1, 3))
    up = np.concatenate([upright, -down, ahead])
    flat = np.concatenate([np.interp(path.foot_y, [path.turn[1], path.cap[1]], [1.0, 0.5]),
                           np.ones(len(turn_rings) + len(shank_rings))])  # fmt: skip
    return centres, up, flat


def ring_of(leg, path):
    """(N,) ring, counted from the end of the toes' cap, on which each vertex of a leg lies; -1: in the cap."""
    x, y, z = leg.vertices_mm.T
    feet = len(path.foot_y)
    angle = np.arctan2(path.turn[1] - y, path.turn[2] - z)
    in_turn = feet + np.round(np.rad2deg(angle) / 90 * (TURN_RINGS + 1) - 1).astype(int)
    on_foot = np.round((path.cap[1] - y) / (path.cap[1] - path.turn[1]) * (feet - 1)).astype(int)
    on_shank = feet + TURN_RINGS + np.round((z - path.turn[2]) / STEP_MM).astype(int)
    ring = np.where(z > path.turn[2], on_shank, np.where(y > path.turn[1], np.clip(on_foot, -1, feet - 1), in_turn))
    return np.where((y > path.cap[1]) & (z < path.turn[2]), -1, ring)


def _hull_reach(hull, start, direction):
    """How far rays (R, 3) from points (R, 3) inside a convex hull go in their direction (in its lengths)."""
    normal, offset = hull.equations[:, :3], hull.equations[:, 3]
    speed = direction @ normal.T
    room = -(start @ normal.T + offset)
    with np.errstate(divide="ignore"):
        return np.where(speed > 1e-9, np.maximum(room, 0.5) / speed, np.inf).min(1)


def sock_mesh(rng, leg, sock):
    """(vertices (V, 3) mm in the leg's frame, faces, texture coordinates, hidden (N,) bool of the leg's vertices).

    hidden: the leg's vertices that the sock covers and that need not be drawn.
    """
    top = sock.height * leg.length_mm
    path = _path(leg, top)
    centres, up, flat = _spine(leg, path)
    rings = len(centres)
    if not len(path.shank_z):  # ends at the ankle: the last rings of the turn are left out
        rings -= round((1 - np.clip(top / path.turn[2], 0.55, 1)) / 0.45 * 0.5 * TURN_RINGS)
    ring = ring_of(leg, path)
    held = np.clip(ring, 0, len(centres) - 1)
    offset = leg.vertices_mm - centres[held]
    across, upward = offset[:, 0], np.einsum("ij,ij->i", offset, up[held]) / flat[held]
    theta = np.arctan2(upward, across)
    reach = outline(ring, theta + np.pi / AROUND, np.hypot(across, upward), len(centres), AROUND)[:rings]
    angle = 2 * np.pi * np.arange(AROUND) / AROUND
    side = np.cos(angle)[:, None] * [1.0, 0, 0]
    spokes = side[None] + (np.sin(angle)[None, :, None] * (up * flat[:, None])[:rings, None])
    forefoot = leg.vertices_mm[(leg.vertices_mm[:, 1] > leg.heel_mm[1] + HULL_SHARE * leg.length_mm)
                               & (leg.vertices_mm[:, 2] < path.turn[2])]  # fmt: skip
    hull = ConvexHull(forefoot[::3])
    spanned = int((path.foot_y > leg.heel_mm[1] + (HULL_SHARE + 0.05) * leg.length_mm).sum())
    straight = _hull_reach(hull, np.repeat(centres[:spanned], AROUND, 0), spokes[:spanned].reshape(-1, 3))
    straight = gaussian_filter(straight.reshape(spanned, AROUND), (1.5, 1.2), mode=("nearest", "wrap"))
    fade = np.clip((spanned - np.arange(spanned)) / 5, 0, 1)[:, None]
    dip = np.minimum(np.maximum(straight - reach[:spanned], 0) * sock.relief, 5.0)
    reach[:spanned] += fade * (np.maximum(straight - dip, 0.6 * straight) - reach[:spanned])
    reach = reach + CLOTH_MM + _wrinkles(rng, sock, path, rings, angle)
    # The edge lies in one line, drawn tight over whatever it goes around.
    reach[-4:] = np.maximum(reach[-4:], gaussian_filter(reach[-4:], (1.0, 3.0), mode=("nearest", "wrap")) + 0.5)
    body = centres[:rings, None] + reach[..., None] * spokes
    lift = np.deg2rad(np.linspace(88, 90 / CAP_RINGS, CAP_RINGS))
    ahead = np.sin(lift)[:, None, None] * [0.0, 1, 0] + np.cos(lift)[:, None, None] * spokes[0][None]
    distance = _hull_reach(hull, np.repeat(centres[:1], CAP_RINGS * AROUND, 0), ahead.reshape(-1, 3))
    # Knit does not follow corners.
    distance = gaussian_filter(np.concatenate([distance.reshape(CAP_RINGS, AROUND), reach[:4]]), 1.4,
                               mode=("nearest", "wrap"))[:CAP_RINGS]  # fmt: skip
    cap = centres[0] + (distance[..., None] + CLOTH_MM) * ahead
    surface = np.concatenate([cap, body])
    surface[..., 2] = np.maximum(surface[..., 2], 0.0)
    surface = np.concatenate([surface, surface[-1:] + 0.35 * (centres[rings - 1] - surface[-1:])])  # the inside
    steps = np.linalg.norm(np.diff(surface[:-1].mean(1), axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 0.5))])
    vertices, faces, unit = tube(surface, np.append(along, along[-1] + 1.0))
    return vertices, faces, unit, ring < rings - 3


def _wrinkles(rng, sock, path, rings, angle):
    """Folds across the instep and around the ankle (rings, AROUND) mm."""
    place = np.arange(rings)[:, None] - len(path.foot_y) - TURN_RINGS / 2
    turn, slant = rng.uniform(0, 6.28, 2), rng.uniform(-1.2, 1.2, 2)
    wave = np.sin(place * rng.uniform(0.7, 1.3) + slant[0] * np.sin(angle) + turn[0])
    wave = wave + 0.6 * np.sin(place * rng.uniform(1.5, 2.4) + slant[1] * 2 * np.cos(angle) + turn[1])
    return sock.wrinkles * wave * np.exp(-((place / 12) ** 2)) * (0.4 + 0.6 * np.abs(np.sin(angle)))


def _blend(pixels, weight, colour):
    return pixels + weight[..., None] * (np.asarray(colour) - pixels)


def sock_texture(rng, sock, tone, heel_from=0.47, heel_to=0.62):
    """The knit as uint8 sRGB (rows along, columns around, 3); first row at the toes. tone: of the skin, sRGB."""
    rows, columns = TEXTURE_PX
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    v, u = (v + 0.5) / rows, (u + 0.5) / columns
    pixels = np.broadcast_to(np.asarray(sock.colour, np.float32), (rows, columns, 3)).copy()
    fine = drawn(rng, "fine")[:rows, :columns]
    if sock.stripes in ("cuff", "all"):
        count = rng.integers(1, 4) if sock.stripes == "cuff" else rng.integers(8, 26)
        first = 1 - sock.cuff - 0.02 if sock.stripes == "cuff" else 0.0
        phase = (v - first) / (1 - first) * count
        pixels = _blend(pixels, ((v > first) & (phase % 1 < rng.uniform(0.3, 0.6))).astype(np.float32), sock.stripe)
    elif sock.stripes in ("dots", "diamonds"):
        wide, long = int(rng.integers(5, 11)), int(rng.integers(9, 22))
        a, b = (u * wide) % 1 - 0.5, (v * long + 0.5 * np.floor(u * wide)) % 1 - 0.5
        inside = np.hypot(a, b) < 0.28 if sock.stripes == "dots" else np.abs(a) + np.abs(b) < 0.42
        pixels = _blend(pixels, inside.astype(np.float32), sock.stripe)
    if sock.patch is not None:
        below = 0.5 - 0.5 * np.cos(2 * np.pi * (u - 0.25))  # 0 on top and in front, 1 under the sole and behind
        heel = smoothstep((below - 0.45) / 0.06) * (v > heel_from) * (v < heel_to)
        pixels = _blend(pixels, np.maximum(heel, smoothstep((0.13 - v) / 0.01)), sock.patch)
    rib = np.sin(2 * np.pi * u * 40) * (v > 1 - sock.cuff)
    light = 1 + 0.07 * rib + 0.05 * fine + 0.05 * drawn(rng, "cloud")[:rows, :columns]
    light = light + 0.03 * np.sin(2 * np.pi * u * 26) * (v <= 1 - sock.cuff)
    light = light - 0.18 * (np.abs(v - 1 + sock.cuff) < 0.004)
    if sock.heather:
        light = light + sock.heather * 0.07 * drawn(rng, "streak").T[::2, ::2][:rows, :columns]
    pixels = pixels * light[..., None]
    lint = (drawn(rng, "fine")[:rows, :columns] > rng.uniform(2.2, 3.6)) * rng.uniform(10, 60)
    pixels = pixels + lint[..., None]
    if sock.sheer:
        pixels = _blend(pixels, np.full((rows, columns), sock.sheer, np.float32), tone)
    return np.clip(pixels, 6, 250).astype(np.uint8)
