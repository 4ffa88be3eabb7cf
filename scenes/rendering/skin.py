"""Skin: its colour at every vertex of a leg, with nails, veins, knuckles, sun, hair and dirt."""

from dataclasses import dataclass

import numpy as np

from scenes.rendering.foot_pose import smoothstep
from scenes.rendering.meshes import linear
from scenes.rendering.noise import FIELD_PX, drawn

# Skin tones from light to deep (sRGB), spread along the Fitzpatrick types I to VI; only the range matters.
TONES = np.array([(241, 208, 186), (231, 188, 160), (221, 172, 140), (203, 150, 116), (179, 124, 91), (148, 99, 71),
                  (114, 75, 55), (86, 56, 42), (60, 41, 34)], float)  # fmt: skip
SOLE = np.array([222.0, 172, 146])  # towards this the sole pales, the more the deeper the tone
NAIL = np.array([226.0, 178, 164])
NAIL_TIP = np.array([238.0, 228, 214])
VEIN = np.array([0.86, 0.95, 1.0])  # what a vein under the skin leaves of its colour
POLISHES = np.array([(170, 18, 40), (120, 10, 35), (225, 110, 140), (240, 190, 195), (25, 22, 26), (238, 236, 232),
                     (40, 60, 120), (90, 170, 160), (160, 120, 170), (215, 90, 50)], float)  # fmt: skip
DIRT = np.array([96.0, 82, 66])


@dataclass(frozen=True)
class Skin:
    """What both feet of a person share: ``tone`` sRGB (3,), strengths 0..1 of what is on it, sRGB of nails."""

    tone: np.ndarray
    mottle: float = 0.0
    redness: float = 0.0
    knuckles: float = 0.0
    veins: float = 0.0
    hair: float = 0.0
    dirt: float = 0.0
    tan: float = 0.0  # how much paler the skin is under a sock or strap
    tan_kind: str = "none"  # "none", "strap" or "sock"
    spots: int = 0
    nail: np.ndarray | None = None  # None: nails are not drawn
    nail_length: float = 1.0
    tipped: bool = False  # the free edge is white: nails worn long, or painted so


def sample_tone(rng):
    """A skin tone, sRGB (3,), anywhere along the types, warmer or cooler."""
    place = rng.uniform(0, len(TONES) - 1)
    below = min(int(place), len(TONES) - 2)
    tone = TONES[below] + (place - below) * (TONES[below + 1] - TONES[below])
    return np.clip(tone * rng.normal(1.0, 0.04) * (1 + rng.normal(0, 1, 3) * (0.02, 0.015, 0.035)), 22, 250)


def sample_skin(rng, painted_share, dirt_share, hair_share, tan_share):
    """A person's `Skin`."""
    tone = sample_tone(rng)
    depth = 1 - tone.mean() / 210
    nail = 0.5 * tone + 0.5 * NAIL * np.clip(1.15 - 0.5 * depth, 0, 1) + rng.normal(0, 5, 3)
    painted = rng.random() < painted_share
    polish = POLISHES[rng.integers(len(POLISHES))] + rng.normal(0, 10, 3)
    thick = rng.random() < 0.06  # thickened nails turn yellow
    if painted:
        nail = polish
    elif thick:
        nail = nail * (1.0, 0.96, 0.78)
    return Skin(
        tone=tone, mottle=rng.uniform(0.4, 1.4), redness=rng.uniform(0.1, 1.0) * np.clip(1.1 - depth, 0.3, 1),
        knuckles=rng.uniform(0, 0.5) + rng.uniform(0, 0.5) * np.clip(depth * 2, 0, 1),
        veins=rng.uniform(0.2, 1) if rng.random() < 0.55 else 0.0,
        hair=rng.uniform(0.2, 1) if rng.random() < hair_share else 0.0,
        dirt=rng.uniform(0.15, 0.8) if rng.random() < dirt_share else 0.0,
        tan=rng.uniform(0.1, 0.35), tan_kind=rng.choice(["strap", "sock"]) if rng.random() < tan_share else "none",
        spots=int(rng.poisson(2.0)) if rng.random() < 0.5 else 0,
        nail=np.clip(nail, 10, 250), nail_length=rng.uniform(0.9, 1.15),
        tipped=bool(rng.random() < (0.15 if painted else 0.3)),
    )  # fmt: skip


def _at(noise, points, mm):
    """Values of a periodic field at vertices (N, 3): laid slantwise through space, ``mm`` to a texel."""
    across = (points[:, 0] + 0.61 * points[:, 2]) / mm
    along = (points[:, 1] - 0.79 * points[:, 2]) / mm
    return noise[along.astype(int) % FIELD_PX, across.astype(int) % FIELD_PX]


def _nails(leg, skin):
    """Of every vertex: how much it is nail, how far it lies along the nail from root to edge (-1..1), 0..1 rim."""
    count = len(leg.vertices_mm)
    nail, along, rim = np.zeros(count), np.zeros(count), np.zeros(count)
    for k, (_, middle, tip) in enumerate(leg.toe_joints_mm):
        mine = np.flatnonzero(leg.toe_of == k)
        ahead = (tip - middle) / np.linalg.norm(tip - middle)
        up = np.array([0, 0, 1.0]) - ahead[2] * ahead
        up /= np.linalg.norm(up)
        offset = leg.vertices_mm[mine] - middle
        s, t, h = offset @ ahead, offset @ np.cross(ahead, up), offset @ up
        front = s.max(initial=1.0)
        last = (s > 0.5 * front) & (s < 0.95 * front)
        if last.sum() < 12:
            continue
        left, right, low, high = t[last].min(), t[last].max(), h[last].min(), h[last].max()
        half = 0.34 * (right - left)
        length = 0.9 * half * (1.0 if k == 0 else 0.9) * skin.nail_length
        root_to_edge = (s - (front - 0.06 * front - length)) / length
        beside = (t - (left + right) / 2) / half
        from_rim = 1 - (np.abs(root_to_edge) ** 2.8 + np.abs(beside) ** 2.8)
        top = smoothstep((h - low - 0.52 * (high - low)) / (0.12 * (high - low)))
        nail[mine] = smoothstep(from_rim / 0.45 + 0.2) * top
        along[mine] = root_to_edge
        rim[mine] = np.exp(-((from_rim / 0.5) ** 2)) * top
    return nail, along, rim


def _vein_weight(rng, leg, up):
    """How much each vertex lies on a vein, 0..1: a few wandering lines over the instep."""
    heel, length = leg.heel_mm[1], leg.length_mm
    back = leg.vertices_mm[:, :2]
    found = np.zeros(len(back))
    near = np.flatnonzero((up > 0.25) & (back[:, 1] > leg.ankle_mm[1] - 10) & (leg.vertices_mm[:, 2] > 0.06 * length))
    for _ in range(int(rng.integers(2, 6))):
        first, second = leg.toe_joints_mm[rng.integers(5), 0, :2], leg.toe_joints_mm[rng.integers(5), 0, :2]
        start = first + rng.uniform(0.2, 0.6) * (second - first) - (0, 0.05 * length)
        end = np.array([leg.ankle_mm[0] + rng.normal(0, 0.07) * length, heel + rng.uniform(0.3, 0.48) * length])
        steps = np.linspace(0, 1, 9)[:, None]
        line = start + steps * (end - start)
        line[1:, 0] += np.cumsum(rng.normal(0, 0.011 * length, 8))
        # The line runs along the foot, so what lies beside it is told by x alone.
        x = np.interp(back[near, 1], line[::-1, 1], line[::-1, 0], left=1e6, right=1e6)
        wide = rng.uniform(1.4, 2.6) * length / 250
        weight = np.exp(-(((back[near, 0] - x) / wide) ** 2)) * rng.uniform(0.4, 1)
        found[near] = np.maximum(found[near], weight)
    return found


def _tan(leg, skin):
    """How much each vertex was covered from the sun, 0..1: under a sock, or under the straps of a flip-flop."""
    y, z = leg.vertices_mm[:, 1] - leg.heel_mm[1], leg.vertices_mm[:, 2]
    length = leg.length_mm
    if skin.tan_kind == "sock":
        return smoothstep((0.42 * length - z) / 8 + 0.5)
    fork = (leg.toe_joints_mm[0, 0] + leg.toe_joints_mm[1, 0]) / 2
    covered = np.zeros(len(y))
    for sign in (-1, 1):
        x = leg.vertices_mm[:, 0].min() if sign < 0 else leg.vertices_mm[:, 0].max()
        foot = np.array([x, fork[1] - 0.3 * length])
        way = foot - fork[:2]
        point = leg.vertices_mm[:, :2] - fork[:2]
        beside = np.abs(point @ [way[1], -way[0]]) / np.linalg.norm(way)
        ahead = point @ way / (way @ way)
        covered = np.maximum(covered, smoothstep((0.035 * length - beside) / 4) * (ahead > -0.02))
    return covered * (z > 0.05 * length) * (z < 0.4 * length)


def _hair(rng, leg):
    """Dark strokes down the shin, 0..1."""
    angle = np.arctan2(leg.vertices_mm[:, 0] - leg.ankle_mm[0], leg.vertices_mm[:, 1] - leg.ankle_mm[1])
    streaks = drawn(rng, "streak")
    z = leg.vertices_mm[:, 2]
    stroke = streaks[(z * 3.0).astype(int) % FIELD_PX, (angle * 244).astype(int) % FIELD_PX]
    return np.clip(stroke - 0.2, 0, 2) / 2 * smoothstep((z - 0.36 * leg.length_mm) / 40)


def skin_of(rng, leg, skin, normals):
    """Colour and relief of a leg's skin.

    normals (N, 3) of the leg's vertices. Returns linear RGB (N, 3) and how far each vertex is raised along its normal
    (N,) mm: nails and veins, less than a millimetre.
    """
    depth = 1 - skin.tone.mean() / 210
    cloud, patch, fine = drawn(rng, "cloud"), drawn(rng, "patch"), drawn(rng, "coarse")
    points, z = leg.vertices_mm, leg.vertices_mm[:, 2]
    slow = np.clip(_at(patch, points, 0.35), -1.5, 1.5)
    light, red = _shades(rng, leg, skin, normals, slow)
    light = light + skin.mottle * (0.022 * _at(cloud, points, 0.5) + 0.03 * _at(fine, points, 0.45))
    colour = skin.tone * np.stack([light, light * (1 - red), light * (1 - red)], 1)
    sole = smoothstep((9 + 4 * slow - z) / 9) * np.clip(-normals[:, 2] + 0.9, 0, 1)
    colour += (np.clip(0.35 + depth, 0, 0.75) * sole)[:, None] * (SOLE * (1 - 0.45 * depth) - colour)
    veins = _vein_weight(rng, leg, normals[:, 2]) * skin.veins if skin.veins else np.zeros(len(z))
    colour *= 1 - veins[:, None] * (1 - VEIN * (0.88 - 0.1 * depth))
    if skin.tan_kind != "none":
        colour += (_tan(leg, skin) * skin.tan)[:, None] * (np.minimum(skin.tone * 1.25 + 12, 245) - colour)
    if skin.hair:
        colour *= 1 - 0.35 * skin.hair * _hair(rng, leg)[:, None]
    colour = _with_spots(rng, leg, skin, colour, depth)
    colour, nail_mm = _with_nails(leg, skin, colour)
    if skin.dirt:
        grime = np.clip(0.5 + _at(cloud, points, 0.8), 0, 1.5) * np.clip(1.2 - z / 30, 0.1, 1) * skin.dirt
        colour += np.clip(0.6 * grime, 0, 0.8)[:, None] * (DIRT * 0.7 + 0.1 * colour - colour)
    return linear(np.clip(colour, 6, 250)), nail_mm + 0.55 * veins


def _shades(rng, leg, skin, normals, slow):
    """Brightness (N,) around 1 and redness (N,) around 0 of the parts of a foot: toes, knuckles, ball, heel."""
    length, z = leg.length_mm, leg.vertices_mm[:, 2]
    y = leg.vertices_mm[:, 1] - leg.heel_mm[1]
    low, toe, heel = rng.uniform(0, 0.05), rng.uniform(0, 0.04), rng.uniform(0.02, 0.06)
    light = np.ones(len(z))
    red = 0.012 * slow + low * np.clip(1 - z / 40, 0, 1) + heel * smoothstep(0.12 - y / length) * (z < 60)
    ahead = np.flatnonzero(y > 0.6 * length)
    points = leg.vertices_mm[ahead]
    for _, middle, tip in leg.toe_joints_mm:
        joint = np.exp(-((points - middle - (0, 0, 4)) ** 2).sum(1) / (0.03 * length) ** 2)
        light[ahead] *= 1 - 0.22 * skin.knuckles * joint * (normals[ahead, 2] > 0)
        red[ahead] += 0.08 * np.exp(-((points - tip) ** 2).sum(1) / (0.045 * length) ** 2)
    return light, skin.redness * (red + toe * (leg.toe_of >= 0))


def _with_nails(leg, skin, colour):
    """Colours with the nails, and their relief (N,) mm."""
    if skin.nail is None:
        return colour, np.zeros(len(colour))
    nail, along, rim = _nails(leg, skin)
    plate = np.repeat(skin.nail[None], len(colour), 0)
    if skin.tipped:
        plate += smoothstep((along - 0.55) / 0.3)[:, None] * (NAIL_TIP - plate)
    colour = colour * (1 - (0.2 * rim * (1 - nail))[:, None])
    colour += nail[:, None] * (plate * (1 + 0.05 * np.clip(along, -1, 1))[:, None] - colour)
    return colour, 0.4 * nail - 0.3 * rim * (1 - nail)


def _with_spots(rng, leg, skin, colour, depth):
    """Colours with moles, bites and scars: small, darker or redder than the skin."""
    for _ in range(skin.spots):
        place = leg.vertices_mm[rng.integers(len(leg.vertices_mm))]
        size, dark = rng.uniform(1.0, 2.6), rng.uniform(0.25, 0.65) * (1 - 0.4 * depth)
        near = np.flatnonzero(np.abs(leg.vertices_mm - place).max(1) < 3 * size)
        weight = np.exp(-(((leg.vertices_mm[near] - place) ** 2).sum(1) / size**2)) * dark
        tint = np.array([0.35, 0.75, 0.8]) if rng.random() < 0.4 else np.array([0.8, 1.0, 1.0])
        colour[near] *= 1 - weight[:, None] * tint
    return colour
