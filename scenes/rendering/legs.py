"""Legs in the world: placed and leaned out of the photo, with skin, socks and trousers."""

import numpy as np
import scipy.sparse as sparse
import trimesh

from scenes.rendering.foot import FOOT_HEIGHT_MM
from scenes.rendering.layout import LEG_TOP_MM
from scenes.rendering.meshes import SHEET_LIFT_MM, linear, mesh, paint, two_sided
from scenes.rendering.surfaces import CLOTHS

TOE_CAP_FROM = 0.66  # of the foot's length, where the toes begin
LEG_BEND_FROM_MM = 95.0  # the shank leans from here on: above the foot's 80 mm

# Skin tones from light to deep (sRGB), spread along the Fitzpatrick types I to VI; only the range matters.
SKINS = ((243, 209, 184), (233, 188, 158), (222, 170, 136), (200, 146, 110), (176, 120, 86), (146, 96, 68),
         (112, 72, 52), (84, 54, 40), (62, 42, 34))


def place_leg(leg, place, camera):
    """Vertices of ``leg`` in the world, its shank stretched and leaned away until its end is out of the photo."""
    points = leg.vertices_mm.astype(np.float64)
    foot = points[points[:, 2] < FOOT_HEIGHT_MM]
    middle = (foot.min(0) + foot.max(0)) / 2
    turn = np.deg2rad(place.turn_deg)
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    shift = np.array([*place.centre_mm, SHEET_LIFT_MM]) - spin @ np.array([middle[0], middle[1], 0])
    placed = points @ spin.T + shift
    ankle = spin @ np.array([0, foot[:, 1].min() + 50, LEG_BEND_FROM_MM]) + shift
    away = ankle[:2] - camera.position_mm[:2]
    away = away / max(np.linalg.norm(away), 1.0) * 0.6 + (spin @ np.array([0, -1.0, 0]))[:2] * 0.4
    rise = np.maximum(placed[:, 2] - LEG_BEND_FROM_MM, 0)
    for stretch in (1.0, 1.6, 2.4, 3.4):
        for lean in (0.0, 0.15, 0.3, 0.5, 0.8, 1.2):
            bent = placed.copy()
            soft = rise * rise / (rise + 40) * stretch  # bends over some centimetres, not at one height
            bent[:, 2] = np.where(rise > 0, LEG_BEND_FROM_MM + rise * (1 + (stretch - 1) * rise / (rise + 40)),
                                  placed[:, 2])
            bent[:, :2] += away * lean * soft[:, None]
            end = bent[placed[:, 2] > LEG_TOP_MM]
            ahead = (end @ camera.rotation.T + camera.translation_mm)[:, 2]
            seen = camera.project(end[ahead > 30])
            inside = ((seen > -15) & (seen < (camera.width + 15, camera.height + 15))).all(1)
            if not inside.any() and np.linalg.norm(bent - camera.position_mm, axis=1).min() > 60:
                return bent, spin, shift
    return bent, spin, shift


def _smoothing(vertices, faces, rounds):
    """Vertices after ``rounds`` of averaging with their neighbours: a sock drawn over the toes."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = len(vertices)
    ones = np.ones(len(edges), np.float32)
    link = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
    link = ((link + link.T) > 0).astype(np.float32)
    mean = sparse.diags(1 / np.maximum(np.asarray(link.sum(1)).ravel(), 1)) @ link
    for _ in range(rounds):
        vertices = 0.5 * vertices + 0.5 * (mean @ vertices)
    return vertices


def _normals(vertices, faces):
    """Area-weighted unit vertex normals (N, 3)."""
    across = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    corners = faces.T.ravel()  # np.add.at, the obvious way, is ten times slower
    total = np.stack([np.bincount(corners, np.tile(across[:, k], 3), len(vertices)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


def _skin_colours(rng, vertices, tone):
    """Linear skin colours (N, 3): a tone, reddened at toes and heel, mottled by slow waves."""
    redness = np.zeros(len(vertices))
    mottle = np.zeros(len(vertices))
    for _ in range(5):
        wave = np.sin(vertices @ rng.normal(0, rng.choice([0.02, 0.06, 0.15]), 3) + rng.uniform(0, 6.28))
        mottle += wave * rng.uniform(0, 0.035)
        redness += np.roll(wave, 7) * rng.uniform(0, 0.025)
    low = np.clip(1 - vertices[:, 2] / 45, 0, 1)
    redness += low * rng.uniform(0, 0.12)
    colour = np.asarray(tone)[None] * (1 + mottle)[:, None]
    colour = colour * np.stack([1 + redness * 0.6, 1 - redness, 1 - redness], 1)
    return linear(np.clip(colour, 5, 252))


def _toe_cap(name, leg, vertices, colour):
    """What a sock spans between the toes: the convex hull of the forefoot, (N, 3) mm of the sock's vertices."""
    y, z = leg.vertices_mm[:, 1], leg.vertices_mm[:, 2]
    foot = z < FOOT_HEIGHT_MM
    start = y[foot].min() + TOE_CAP_FROM * np.ptp(y[foot])
    hull = trimesh.convex.convex_hull(vertices[foot & (y > start)])
    return mesh(name, hull.vertices, hull.faces, paint(colour))


def leg_meshes(rng, index, leg, place, vertices, clothes):
    """Meshes of one leg, named for what they are: foot (skin or sock, then with its cap over the toes), trouser."""
    skin_part = vertices
    if place.sock:
        low = np.clip((260 - leg.vertices_mm[:, 2:]) / 40, 0, 1)
        smooth = _smoothing(vertices, leg.faces, 40)
        smooth = smooth + _normals(smooth, leg.faces) * rng.uniform(1, 2.5)
        skin_part = vertices * (1 - low) + smooth * low
        skin_part[:, 2] = np.maximum(skin_part[:, 2], SHEET_LIFT_MM)
        height = rng.uniform(90, 240)
        knit = 1 + rng.normal(0, 0.06, len(vertices))
        colours = np.where(leg.vertices_mm[:, 2:] < height, linear(clothes["sock"])[None] * knit[:, None],
                           _skin_colours(rng, leg.vertices_mm, clothes["skin"]))
    else:
        colours = _skin_colours(rng, leg.vertices_mm, clothes["skin"])
    colours = np.clip(colours, 0.003, 0.95)
    material = two_sided({"type": "mesh_attribute", "name": "vertex_color"})
    meshes = [mesh(f"foot{index}", skin_part, leg.faces, material, colours=colours)]
    if place.sock:
        meshes.append(_toe_cap(f"cap{index}", leg, skin_part, clothes["sock"]))
    if place.trouser_from_mm is not None:
        start = place.trouser_from_mm
        high = leg.vertices_mm[:, 2] > start
        faces = leg.faces[high[leg.faces].all(1)]
        over = leg.vertices_mm[:, 2] - start
        folds = np.sin(over * rng.uniform(0.03, 0.09) + rng.uniform(0, 6)) * rng.uniform(0, 4)
        loose = rng.uniform(4, 12) + folds + rng.normal(0, 0.5, len(over))
        cloth = _smoothing(vertices, leg.faces, 6) + _normals(vertices, leg.faces) * loose[:, None]
        used, faces = np.unique(faces, return_inverse=True)
        meshes.append(mesh(f"trouser{index}", cloth[used], faces.reshape(-1, 3), paint(clothes["trouser"])))
    return meshes


def sample_clothes(rng):
    """Colours (sRGB) that both legs of a person share."""
    cloth = CLOTHS
    dark = np.array([[22, 22, 26], [38, 42, 60], [60, 60, 62], [30, 30, 30]])
    sock = dark[rng.integers(4)] if rng.random() < 0.45 else rng.uniform(20, 245, 3)
    trouser = dark[rng.integers(4)] if rng.random() < 0.5 else np.array(cloth[rng.integers(len(cloth))])
    tone = rng.uniform(0, len(SKINS) - 1)
    below = int(tone)
    skin = np.array(SKINS[below]) + (tone - below) * (np.array(SKINS[min(below + 1, len(SKINS) - 1)]) - SKINS[below])
    return {"sock": np.clip(sock + rng.normal(0, 8, 3), 8, 248),
            "trouser": np.clip(trouser + rng.normal(0, 8, 3), 8, 240),
            "skin": np.clip(skin + rng.normal(0, 6, 3), 20, 250)}
