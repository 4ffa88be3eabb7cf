"""Trouser legs: a tube around the shank from its hem upward, with folds, and its cloth as a texture.

Computed in the leg's own frame (see `foot`).
"""

from dataclasses import dataclass

import numpy as np

from scenes.rendering.foot_pose import smoothstep
from scenes.rendering.noise import FIELD_PX, drawn
from scenes.rendering.tubes import outline, tube

AROUND = 56
RINGS = 44
TEXTURE_PX = (320, 224)


@dataclass(frozen=True)
class Trouser:
    """What both trouser legs of a person share. Lengths in mm, colours sRGB (3,)."""

    colour: np.ndarray
    cloth: str  # "plain", "denim", "jersey", "striped" or "checked"
    hem: float  # height of the hem over the floor, behind
    ease: float  # from the skin to the cloth at the hem
    flare: float = 0.0  # how much wider the hem hangs than further up
    rolled: float = 0.0  # height of a turned-up cuff; 0: none
    cuffed: bool = False  # gathered at the hem, as joggers are
    folds: float = 3.0  # depth
    second: np.ndarray | None = None  # of stripes and checks
    worn: float = 0.0  # bleached along the front


def _shank(leg, heights):
    """Axis (R, 2) of the shank at heights (R,), carried on straight below the ankle."""
    points = leg.vertices_mm
    levels = np.linspace(0.42 * leg.length_mm, 440, 8)
    axis = np.array([points[np.abs(points[:, 2] - level) < 30].mean(0)[:2] for level in levels])
    return np.column_stack([np.interp(heights, levels, axis[:, k]) for k in (0, 1)])


def _instep_front(leg, forward):
    """Height of the foot's top at ``forward`` mm in front of the shank's axis."""
    points = leg.vertices_mm
    centre = _shank(leg, np.array([0.0]))[0]
    strip = points[(np.abs(points[:, 0] - centre[0]) < 0.1 * leg.length_mm) & (points[:, 2] < 0.45 * leg.length_mm)]
    near = strip[np.abs(strip[:, 1] - centre[1] - forward) < 0.05 * leg.length_mm]
    return near[:, 2].max() if len(near) else 0.0


def trouser_mesh(rng, leg, trouser, top_mm):
    """(vertices (V, 3) mm in the leg's frame, faces, texture coordinates) of one trouser leg up to ``top_mm``.

    The hem hangs at ``trouser.hem`` behind and rests on the instep in front where it is long enough.
    """
    angle = 2 * np.pi * np.arange(AROUND) / AROUND  # 0: to the right; a quarter turn: in front
    front = (0.5 + 0.5 * np.sin(angle)) ** 1.5
    # Closer together near the hem, where the folds are and where the foot begins.
    share = np.linspace(0, 1, RINGS) ** 1.4
    heights = np.linspace(0, 1.05 * top_mm, 60)
    points = leg.vertices_mm
    low = points[:, 2] < 1.05 * top_mm
    axis = _shank(leg, points[low, 2])
    offset = points[low, :2] - axis
    level = np.floor(points[low, 2] / (1.05 * top_mm) * 59.999).astype(int)
    limb = outline(level, np.arctan2(offset[:, 1], offset[:, 0]) + np.pi / AROUND, np.linalg.norm(offset, axis=1),
                   60, AROUND)  # fmt: skip
    ankle = np.interp(0.45 * leg.length_mm, heights, limb.mean(1))
    # Below the ankle the foot reaches out of the trouser leg in front; behind, cloth lies on the heel.
    limb = np.where(heights[:, None] < 0.45 * leg.length_mm, np.minimum(limb, ankle * 1.35), limb)
    forward = np.interp(trouser.hem, heights, limb[:, AROUND // 4]) + trouser.ease
    rest = _instep_front(leg, min(forward, 0.45 * leg.length_mm)) + 3
    hem = trouser.hem + front * max(rest - trouser.hem, rng.normal(0, 4)) + rng.normal(0, 1.5)
    hem = hem + rng.uniform(0, 4) * np.sin(angle * 2 + rng.uniform(0, 6.28))
    z = hem + share[:, None] * (top_mm - hem)
    above = z - hem
    cells = np.clip(z / (1.05 * top_mm) * 59, 0, 58.999)
    part = cells % 1
    spoke = np.arange(AROUND)
    body = limb[cells.astype(int), spoke] * (1 - part) + limb[cells.astype(int) + 1, spoke] * part
    ease = trouser.ease + trouser.flare * np.exp(-above / 130)
    if trouser.cuffed:
        ease = 3 + (trouser.ease - 3) * smoothstep((above - 35) / 45)
    # Cloth spans hollows: the calf above sets how far it hangs lower down.
    drape = np.maximum.accumulate(body[::-1], 0)[::-1].mean(1, keepdims=True) if trouser.ease > 14 else 0
    body = np.maximum(body, 0.86 * drape) if trouser.ease > 14 else body
    reach = body + ease + _folds(rng, trouser, angle, above)
    centres = _shank(leg, z.ravel()).reshape(RINGS, AROUND, 2)
    around = np.stack([np.cos(angle), np.sin(angle)], 1)
    surface = np.concatenate([centres + reach[..., None] * around, z[..., None]], -1)
    surface[..., 2] = np.maximum(surface[..., 2], 1.0)
    return tube(_hemmed(surface, around, trouser))


def _hemmed(surface, around, trouser):
    """Rings with the hem's thickness, or a turned-up cuff, put before the first one."""
    def ring(out, up):
        moved = surface[0].copy()
        moved[:, :2] += out * around
        moved[:, 2] += up
        return moved
    inner = [ring(-5, 25), ring(-3, 1)]
    if trouser.rolled:
        # Outside and up over the cloth, then back in: the cloth goes on from within the cuff.
        cuff = [ring(2, -1), ring(5, 3), ring(5.5, trouser.rolled * 0.5), ring(5, trouser.rolled - 3),
                ring(2.5, trouser.rolled), ring(0.5, trouser.rolled - 2)]  # fmt: skip
        above = surface[:, :, 2].mean(1) > surface[0, :, 2].mean() + trouser.rolled
        return np.concatenate([inner, cuff, surface[above]])
    return np.concatenate([inner, surface])


def _folds(rng, trouser, angle, above):
    """Depth of folds (RINGS, AROUND) mm: across where cloth piles up over the hem, lengthwise where it hangs wide."""
    piled = np.zeros_like(above)
    for _ in range(3):
        wave = rng.uniform(22, 60)
        phase = rng.uniform(0, 6.28) + rng.uniform(-2, 2) * np.sin(angle + rng.uniform(0, 6.28))
        piled += np.sin(above * 2 * np.pi / wave + phase) * rng.uniform(0.3, 1)
    piled *= 0.15 + np.exp(-((above - rng.uniform(20, 70)) / rng.uniform(50, 140)) ** 2)
    hanging = np.zeros_like(above)
    for lobes in (2, 3, 5):
        hanging += np.sin(lobes * angle + above / rng.uniform(60, 200) + rng.uniform(0, 6.28)) * rng.uniform(0, 0.8)
    return trouser.folds * (0.7 * piled + hanging) * smoothstep((above + 12) / 30)


def trouser_texture(rng, trouser):
    """The cloth as uint8 sRGB (rows along, columns around, 3); first row at the hem."""
    rows, columns = TEXTURE_PX
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    v, u = (v + 0.5) / rows, (u + 0.5) / columns
    pixels = np.broadcast_to(np.asarray(trouser.colour, np.float32), (rows, columns, 3)).copy()
    if trouser.cloth in ("striped", "checked"):
        on = ((u * rng.integers(8, 30)) % 1 < rng.uniform(0.05, 0.4)).astype(np.float32)
        if trouser.cloth == "checked":
            on = (on + ((v * rng.integers(10, 40)) % 1 < 0.4)) / 2
        pixels += on[..., None] * (np.asarray(trouser.second, np.float32) - pixels)
    light = 1 + 0.06 * drawn(rng, "cloud")[:rows, :columns] + 0.05 * drawn(rng, "fine")[:rows, :columns]
    if trouser.cloth == "denim":
        twill = drawn(rng, "streak")[np.arange(rows)[:, None] * 5 % FIELD_PX, np.arange(columns)[None] * 3 % FIELD_PX]
        light = light + 0.08 * twill
        # Bleached down the front and along the hem, as jeans wear.
        pale = trouser.worn * np.exp(-(((u - 0.25) / 0.1) ** 2)) * smoothstep((v - 0.1) / 0.3)
        pixels += pale[..., None] * (np.array([170, 182, 200], np.float32) - pixels) * 0.6
    seam = np.minimum(np.abs(u - 0.99), np.abs(u - 0.5)) < 0.006
    stitches = (np.abs(v - 0.055) < 0.004) if not trouser.cuffed else (np.abs(v - 0.09) < 0.006)
    light = light * (1 - 0.25 * (seam | stitches))
    if trouser.cuffed:
        light = light * (1 + 0.1 * np.sin(2 * np.pi * u * 50) * (v < 0.09))
    return np.clip(pixels * light[..., None], 6, 250).astype(np.uint8)
