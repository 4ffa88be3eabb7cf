"""What is around the feet: the sheet, the floor, things that lie about, and the lamps."""

import mitsuba as mi
import numpy as np
import trimesh

from scenes import sheet
from scenes.rendering import surfaces
from scenes.rendering.meshes import SHEET_LIFT_MM, bitmap, grid, mesh, paint, two_sided


def sheet_mesh(rng, layout):
    """The paper: a grid with curled corners and a slow wave, flat under the middle; its print as texture."""
    paper = layout.sheet_format
    unit, faces = grid(25, 33)
    corners = sheet.corners_mm(paper)
    plane = (unit - 0.5) * (paper.short_mm, paper.long_mm)
    height = np.full(len(plane), SHEET_LIFT_MM)
    for corner, lift in zip(corners, layout.curl_mm, strict=True):
        reach = 35 + 2.5 * lift
        near = np.clip(1 - np.linalg.norm(plane - corner, axis=1) / reach, 0, 1)
        height += lift * near**2
    if rng.random() < 0.3:
        edge = np.abs(unit - 0.5).max(1) * 2
        wave = np.sin(plane @ rng.normal(0, 0.02, 2) + rng.uniform(0, 6.28))
        height += rng.gamma(2, 1.2) * (1 + wave) * np.clip(edge - 0.6, 0, 1)
    texture = surfaces.sheet_texture(rng, paper.short_mm, paper.long_mm)
    material = two_sided(bitmap(texture, "clamp"))
    return mesh("sheet", np.column_stack([plane, height]), faces, material, texcoords=unit)


def floor_mesh(rng, textures):
    """Six metres of floor with one texture, turned at random, sometimes polished."""
    unit, faces = grid(2, 2)
    half = 3000.0
    patch = rng.uniform(500, 1700)  # mm that one texture covers
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.choice([0, np.pi / 2])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    plane = (unit - 0.5) * 2 * half
    texcoords = plane @ spin.T / patch + rng.random(2)
    gloss = rng.uniform(0.05, 0.35) if rng.random() < 0.35 else None
    material = two_sided(bitmap(surfaces.floor_texture(rng, textures)), gloss)
    return mesh("floor", np.column_stack([plane, np.zeros(4)]), faces, material, texcoords=texcoords)


def _box(centre, size, turn, colour):
    """A cuboid: centre and size (3,) mm, turn about z in degrees, sRGB colour."""
    transform = (mi.ScalarTransform4f().translate([float(v) for v in centre]).rotate([0, 0, 1], float(turn))
                 .scale([float(v) / 2 for v in size]))
    return {"type": "cube", "to_world": transform, "bsdf": paint(colour)}


def _shoe(rng, name, centre, colour):
    """An ellipsoid of a shoe's size: at a few dozen pixels little else is to be told."""
    ball = trimesh.creation.icosphere(3)
    size = np.array([95, 270, 100]) * rng.uniform(0.8, 1.1)
    turn = rng.uniform(0, 2 * np.pi)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = ball.vertices * size / 2
    points = np.column_stack([points[:, :2] @ spin.T + centre, np.maximum(points[:, 2] + 20, 0)])
    return mesh(name, points, ball.faces, paint(colour))


def clutter(rng, layout):
    """Things around the sheet, clear of it: furniture legs, shoes, other papers, cables, a wall."""
    things = {}
    reach = np.hypot(layout.sheet_format.short_mm, layout.sheet_format.long_mm) / 2
    for k in range(layout.clutter):
        bearing, distance = rng.uniform(0, 2 * np.pi), reach + rng.gamma(2.0, 110)
        outward = np.array([np.cos(bearing), np.sin(bearing)])
        kind = rng.choice(["box", "shoe", "paper", "cable"])
        colour = rng.uniform(5, 245, 3) if rng.random() < 0.5 else rng.uniform(10, 90) + rng.normal(0, 6, 3)
        colour = np.clip(colour, 5, 245)
        if kind == "box":
            size = rng.uniform([30, 30, 20], [220, 220, 260])
            centre = outward * (distance + np.hypot(*size[:2]) / 2)
            things[f"box{k}"] = _box((*centre, size[2] / 2), size, rng.uniform(0, 360), colour)
        elif kind == "shoe":
            things[f"shoe{k}"] = _shoe(rng, f"shoe{k}", outward * (distance + 130), colour)
        elif kind == "paper":
            size = np.array([rng.uniform(80, 300), rng.uniform(80, 300), 0.6])
            centre = outward * (distance + np.hypot(*size[:2]) / 2)
            colour = np.clip(rng.uniform(190, 250) + rng.normal(0, 4, 3), 0, 252)
            things[f"paper{k}"] = _box((*centre, 0.4), size, rng.uniform(0, 360), colour)
        else:
            # Tangential, so that a long cable passes the sheet instead of crossing it.
            centre, thick = outward * (distance + 20), rng.uniform(4, 16)
            size = (rng.uniform(200, 1200), thick, thick)
            things[f"cable{k}"] = _box((*centre, thick / 2), size, np.rad2deg(bearing) + 90 + rng.normal(0, 8), colour)
    if rng.random() < (0.35 if layout.view == "top" else 0.8):
        ahead = layout.camera.rotation[2, :2]
        bearing = np.arctan2(ahead[1], ahead[0]) + rng.normal(0, 0.35)
        centre = np.array([np.cos(bearing), np.sin(bearing)]) * rng.uniform(520, 1800)
        things["wall"] = _box((*centre, 1000), (40, 6000, 2000), np.rad2deg(bearing), rng.uniform(40, 245, 3))
    return things


def _warmth(kelvin_like):
    """RGB of a lamp from warm (0) to cool (1), unit mean."""
    colour = np.array([1.25, 1.0, 0.62]) * (1 - kelvin_like) + np.array([0.82, 1.0, 1.22]) * kelvin_like
    return colour / colour.mean()


def lamps(rng, layout):
    """Sky or room light all round, one or two soft lamps or windows, seldom the sun or the phone's flash."""
    warmth = rng.uniform(0, 1)
    ambient = rng.uniform(0.12, 0.9)
    sky = (_warmth(warmth) * ambient).tolist()
    found = {"ambient": {"type": "constant", "radiance": {"type": "rgb", "value": sky}}}
    for k in range(int(rng.choice([1, 2], p=[0.7, 0.3]))):
        bearing, steep = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(25, 88))
        spot = np.array([np.cos(bearing) * np.cos(steep), np.sin(bearing) * np.cos(steep), np.sin(steep)]) * 2500
        colour = _warmth(np.clip(warmth + rng.normal(0, 0.25), 0, 1)) * rng.uniform(0.2, 1.6)
        if rng.random() < 0.2:
            found[f"lamp{k}"] = {"type": "directional", "direction": (-spot / 2500).tolist(),
                                 "irradiance": {"type": "rgb", "value": (colour * 2.2).tolist()}}
            continue
        half = rng.uniform(80, 800)
        frame = mi.ScalarTransform4f().look_at(origin=spot.tolist(), target=[0, 0, 0], up=[0.1, 0.2, 1])
        power = colour * 2500**2 / (2 * half) ** 2 * 0.9
        found[f"lamp{k}"] = {"type": "rectangle", "to_world": frame.scale([half, half, 1]),
                             "emitter": {"type": "area", "radiance": {"type": "rgb", "value": power.tolist()}}}
    if rng.random() < 0.08:
        near = layout.camera.position_mm + np.array([15.0, 10.0, 0])
        strength = rng.uniform(0.3, 1.2) * np.linalg.norm(near) ** 2
        found["flash"] = {"type": "point", "position": near.tolist(),
                          "intensity": {"type": "rgb", "value": (_warmth(0.7) * strength).tolist()}}
    return found
