"""One scene: meshes, materials and lamps handed to Mitsuba 3, and back come the photo and its whole truth.

Radiance is traced with few samples a pixel; `photograph` smooths what noise is left as a phone does. The class mask comes from one
ray through each pixel's centre, the corners' visibility from rays cast at the geometry.
Source of the renderer: Jakob et al., Mitsuba 3 (2022), variant ``scalar_rgb``.
"""

from dataclasses import dataclass

import mitsuba as mi
import numpy as np
import scipy.sparse as sparse
import trimesh

from scenes import labels, sheet
from scenes.camera import Camera
from scenes.rendering import surfaces
from scenes.rendering.foot import FOOT_HEIGHT_MM, sample_leg
from scenes.rendering.layout import LEG_TOP_MM, Layout, sample_layout

mi.set_variant("scalar_rgb")
mi.set_log_level(mi.LogLevel.Error)

SAMPLES_PER_PIXEL = 9  # a square number: the stratified sampler's cells
MAX_DEPTH = 2  # light straight from lamps and sky: a third bounce cost a fifth more and was hardly seen
SHEET_LIFT_MM = 0.4  # paper on a floor; keeps its rays clear of the floor's
TOUCH_MM = 8.0  # a sole lower than this over the sheet touches it
CORNER_INSET_MM = 1.5  # visibility is asked this far inside the corner, so that an edge's rounding does not answer
MIN_SHEET_SHARE = 0.03  # of the photo: sheet and feet together
MIN_FOOT_SHARE = 0.15  # of sheet and feet together
MAX_DRAWS = 12
TOE_CAP_FROM = 0.66  # of the foot's length, where the toes begin
LEG_BEND_FROM_MM = 95.0  # the shank leans from here on: above the foot's 80 mm

# Skin tones from light to deep (sRGB), spread along the Fitzpatrick types I to VI; only the range matters.
SKINS = ((243, 209, 184), (233, 188, 158), (222, 170, 136), (200, 146, 110), (176, 120, 86), (146, 96, 68),
         (112, 72, 52), (84, 54, 40), (62, 42, 34))


@dataclass(frozen=True)
class Rendered:
    """Linear radiance float32 (H, W, 3), the class mask uint8 (H, W) and the record of the dataset (see scenes.dataset)."""

    radiance: np.ndarray
    mask: np.ndarray
    record: dict


def _linear(srgb):
    """sRGB 0..255 to linear 0..1 (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _mesh(name, vertices, faces, material, texcoords=None, colours=None):
    """A Mitsuba mesh from (N, 3) mm, (M, 3) indices, optional (N, 2) texture coordinates and (N, 3) linear colours."""
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(material)
    mesh = mi.Mesh(name, len(vertices), len(faces), has_vertex_normals=texcoords is None,
                   has_vertex_texcoords=texcoords is not None, props=properties)
    parameters = mi.traverse(mesh)
    parameters["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
    parameters["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
    if texcoords is not None:
        parameters["vertex_texcoords"] = np.ascontiguousarray(texcoords, np.float32).ravel()
    parameters.update()
    if colours is not None:
        mesh.add_attribute("vertex_color", 3, np.ascontiguousarray(colours, np.float32).ravel())
    mesh.set_id(name)
    return mesh


def _two_sided(reflectance, gloss=None):
    """Diffuse material, under a rough clear coat when ``gloss`` (its roughness) is given."""
    inner = {"type": "diffuse", "reflectance": reflectance}
    if gloss is not None:
        inner = {"type": "roughplastic", "diffuse_reflectance": reflectance, "alpha": float(gloss), "nonlinear": True}
    return {"type": "twosided", "bsdf": inner}


def _paint(colour):
    """Matt material of one sRGB colour."""
    return _two_sided({"type": "rgb", "value": _linear(colour).tolist()})


def _bitmap(pixels, repeat="mirror"):
    return {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(pixels)), "wrap_mode": repeat, "raw": False}


def _grid(columns, rows):
    """Vertices (columns*rows, 2) in 0..1 and faces of a regular grid, anticlockwise seen from above."""
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    index = np.arange(columns * rows).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    quads = np.stack([a, b, c, d], -1).reshape(-1, 4)
    return np.stack([u.ravel(), v.ravel()], 1), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def sheet_mesh(rng, layout):
    """The paper: a grid with curled corners and a slow wave, flat under the middle; its print as texture."""
    paper = layout.sheet_format
    unit, faces = _grid(25, 33)
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
    material = _two_sided(_bitmap(texture, "clamp"))
    return _mesh("sheet", np.column_stack([plane, height]), faces, material, texcoords=unit)


def floor_mesh(rng, textures):
    """Six metres of floor with one texture, turned at random, sometimes polished."""
    unit, faces = _grid(2, 2)
    half = 3000.0
    patch = rng.uniform(500, 1700)  # mm that one texture covers
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.choice([0, np.pi / 2])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    plane = (unit - 0.5) * 2 * half
    texcoords = plane @ spin.T / patch + rng.random(2)
    gloss = rng.uniform(0.05, 0.35) if rng.random() < 0.35 else None
    material = _two_sided(_bitmap(surfaces.floor_texture(rng, textures)), gloss)
    return _mesh("floor", np.column_stack([plane, np.zeros(4)]), faces, material, texcoords=texcoords)


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


def _place(leg, place, camera):
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
    return _linear(np.clip(colour, 5, 252))


def _toe_cap(name, leg, vertices, colour):
    """What a sock spans between the toes: the convex hull of the forefoot, (N, 3) mm of the sock's vertices."""
    y, z = leg.vertices_mm[:, 1], leg.vertices_mm[:, 2]
    foot = z < FOOT_HEIGHT_MM
    start = y[foot].min() + TOE_CAP_FROM * np.ptp(y[foot])
    hull = trimesh.convex.convex_hull(vertices[foot & (y > start)])
    return _mesh(name, hull.vertices, hull.faces, _paint(colour))


def leg_meshes(rng, index, leg, place, vertices, clothes):
    """Meshes of one leg: foot (skin or sock, then with its cap over the toes) and trouser leg. Names say which is which."""
    skin_part = vertices
    if place.sock:
        low = np.clip((260 - leg.vertices_mm[:, 2:]) / 40, 0, 1)
        smooth = _smoothing(vertices, leg.faces, 40)
        smooth = smooth + _normals(smooth, leg.faces) * rng.uniform(1, 2.5)
        skin_part = vertices * (1 - low) + smooth * low
        skin_part[:, 2] = np.maximum(skin_part[:, 2], SHEET_LIFT_MM)
        height = rng.uniform(90, 240)
        knit = 1 + rng.normal(0, 0.06, len(vertices))
        colours = np.where(leg.vertices_mm[:, 2:] < height, _linear(clothes["sock"])[None] * knit[:, None],
                           _skin_colours(rng, leg.vertices_mm, clothes["skin"]))
    else:
        colours = _skin_colours(rng, leg.vertices_mm, clothes["skin"])
    colours = np.clip(colours, 0.003, 0.95)
    material = _two_sided({"type": "mesh_attribute", "name": "vertex_color"})
    meshes = [_mesh(f"foot{index}", skin_part, leg.faces, material, colours=colours)]
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
        meshes.append(_mesh(f"trouser{index}", cloth[used], faces.reshape(-1, 3), _paint(clothes["trouser"])))
    return meshes


def _clothes(rng):
    """Colours (sRGB) that both legs of a person share."""
    cloth = surfaces.CLOTHS
    dark = np.array([[22, 22, 26], [38, 42, 60], [60, 60, 62], [30, 30, 30]])
    sock = dark[rng.integers(4)] if rng.random() < 0.45 else rng.uniform(20, 245, 3)
    trouser = dark[rng.integers(4)] if rng.random() < 0.5 else np.array(cloth[rng.integers(len(cloth))])
    tone = rng.uniform(0, len(SKINS) - 1)
    below = int(tone)
    skin = np.array(SKINS[below]) + (tone - below) * (np.array(SKINS[min(below + 1, len(SKINS) - 1)]) - SKINS[below])
    return {"sock": np.clip(sock + rng.normal(0, 8, 3), 8, 248), "trouser": np.clip(trouser + rng.normal(0, 8, 3), 8, 240),
            "skin": np.clip(skin + rng.normal(0, 6, 3), 20, 250)}


def _box(centre, size, turn, colour):
    """A cuboid: centre and size (3,) mm, turn about z in degrees, sRGB colour."""
    transform = (mi.ScalarTransform4f().translate([float(v) for v in centre]).rotate([0, 0, 1], float(turn))
                 .scale([float(v) / 2 for v in size]))
    return {"type": "cube", "to_world": transform, "bsdf": _paint(colour)}


def _shoe(rng, name, centre, colour):
    """An ellipsoid of a shoe's size: at a few dozen pixels little else is to be told."""
    ball = trimesh.creation.icosphere(3)
    size = np.array([95, 270, 100]) * rng.uniform(0.8, 1.1)
    turn = rng.uniform(0, 2 * np.pi)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = ball.vertices * size / 2
    points = np.column_stack([points[:, :2] @ spin.T + centre, np.maximum(points[:, 2] + 20, 0)])
    return _mesh(name, points, ball.faces, _paint(colour))


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
    found = {"ambient": {"type": "constant", "radiance": {"type": "rgb", "value": (_warmth(warmth) * ambient).tolist()}}}
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


def _sensor(camera, samples, jitter):
    """Mitsuba's sensor for an OpenCV-style `Camera`: its local frame is x left, y up, z ahead."""
    matrix = np.eye(4)
    matrix[:3, :3] = camera.rotation.T @ np.diag([-1.0, -1.0, 1.0])
    matrix[:3, 3] = camera.position_mm
    # Without jitter the one sample of a pixel lies in its centre.
    sampler = {"type": "stratified", "sample_count": samples, "jitter": jitter}
    return mi.load_dict({
        "type": "perspective", "fov_axis": "x", "near_clip": 10.0, "far_clip": 20000.0,
        "fov": float(np.rad2deg(2 * np.arctan(camera.width / 2 / camera.focal_px))),
        "to_world": mi.ScalarTransform4f(matrix), "sampler": sampler,
        "film": {"type": "hdrfilm", "width": camera.width, "height": camera.height, "pixel_format": "rgb",
                 "rfilter": {"type": "box"}}})


def class_mask(scene, camera, feet_on_sheet):
    """Class ids uint8 (H, W) from one ray through each pixel's centre.

    ``feet_on_sheet``: {mesh name: class id} of the feet that touch the sheet; of these, what is lower than 80 mm
    over the sole is foot. Everything else but the sheet is background.
    """
    probe = mi.load_dict({"type": "aov", "aovs": "place:position,shape:shape_index"})
    met = np.array(mi.render(scene, sensor=_sensor(camera, 1, False), integrator=probe))
    class_of = np.zeros(len(scene.shapes()) + 1, np.uint8)  # Mitsuba counts shapes from 1; 0 is a miss
    for number, shape in enumerate(scene.shapes(), 1):
        if shape.id() == "sheet":
            class_of[number] = labels.SHEET
        class_of[number] = feet_on_sheet.get(shape.id(), class_of[number])
    mask = class_of[met[..., 3].astype(int)]
    leg = (mask >= labels.LEFT_FOOT) & (met[..., 2] > FOOT_HEIGHT_MM + SHEET_LIFT_MM)
    mask[leg] = labels.BACKGROUND
    return mask


def corner_visibility(scene, camera, corners):
    """COCO visibility int (4,) of the sheet's corners (4, 2) mm: 2 seen, 1 covered, 0 outside the photo, by ray casting."""
    middle = corners.mean(0)
    pixels = camera.project(np.column_stack([corners, np.full(4, SHEET_LIFT_MM)]))
    visibility = np.zeros(4, int)
    for k, corner in enumerate(corners):
        x, y = pixels[k]
        if not (-0.5 <= x <= camera.width - 0.5 and -0.5 <= y <= camera.height - 0.5):
            continue
        inset = corner + (middle - corner) / np.linalg.norm(middle - corner) * CORNER_INSET_MM
        way = np.array([*inset, SHEET_LIFT_MM]) - camera.position_mm
        distance = float(np.linalg.norm(way))
        ray = mi.Ray3f(mi.Point3f(camera.position_mm.tolist()), mi.Vector3f((way / distance).tolist()))
        hit = scene.ray_intersect(ray)
        name = hit.shape.id() if hit.is_valid() else ""
        # The paper itself may curl up before its flat corner; anything else that is met first covers it.
        visibility[k] = 2 if name in ("sheet", "floor") or hit.t > distance - 1.0 else 1
    return visibility


def published_frame(camera, paper):
    """The same camera in the frame of the published corner order.

    Returns (camera, corners (4, 2) px, long_side, turn (3, 3) world -> published frame): corner k in the published
    order is `sheet.corners_mm(paper, long_side)[k]`.
    """
    world = sheet.corners_mm(paper)
    pixels = camera.project(np.column_stack([world, np.full(4, SHEET_LIFT_MM)]))
    order = sheet.order_corners(pixels)
    quarter = int(order[0])
    turn = np.deg2rad(90 * quarter)  # brings world corner `quarter` to the top left
    spin = np.round([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    long_side = "vertical" if quarter % 2 == 0 else "horizontal"
    if not np.allclose((world[order] @ spin[:2, :2].T), sheet.corners_mm(paper, long_side)):
        raise ValueError("the sheet's corners do not go clockwise in the photo: the camera looks at it from below")
    # The published origin lies on the paper, not on the floor under it.
    translation = camera.translation_mm + camera.rotation @ np.array([0, 0, SHEET_LIFT_MM])
    published = Camera(camera.focal_px, camera.center_px, camera.rotation @ spin.T, translation,
                       camera.width, camera.height)
    return published, pixels[order], long_side, spin


def _foot_truth(leg, spin, shift, turn, camera):
    """JSON of one foot: measures, heel and toe in the published sheet frame (mm) and in the photo (px)."""
    points = np.stack([leg.heel_mm, leg.toe_mm]) @ spin.T + shift
    pixels = camera.project(points)
    points = (points - (0, 0, SHEET_LIFT_MM)) @ turn.T
    return {"side": leg.side, "length_mm": float(leg.length_mm), "width_mm": float(leg.width_mm),
            "heel": pixels[0].tolist(), "toe": pixels[1].tolist(),
            "heel_mm": points[0].tolist(), "toe_mm": points[1].tolist()}


def touches_sheet(vertices, paper):
    """Whether any part of the sole, (N, 3) mm, stands on the sheet."""
    sole = vertices[vertices[:, 2] < TOUCH_MM]
    return bool((np.abs(sole[:, :2]) < (paper.short_mm / 2, paper.long_mm / 2)).all(1).any())


def _worth_learning(mask, visibility, feet):
    """Whether a photographer would keep it: sheet and feet large enough to be seen, two corners in the photo at least.

    ``feet``: how many stand on the sheet, seen or not.
    """
    standing = mask != labels.BACKGROUND
    foot = mask >= labels.LEFT_FOOT
    foot_seen = foot.sum() > MIN_FOOT_SHARE * standing.sum() or not feet
    return standing.mean() > MIN_SHEET_SHARE and (visibility > 0).sum() >= 2 and foot_seen


def _build(rng, size, library, textures):
    """Mitsuba's scene with its truth: (scene, camera, mask, record, whether it is worth learning from)."""
    layout: Layout = sample_layout(rng, size)
    camera, paper = layout.camera, layout.sheet_format
    published, corners, long_side, turn = published_frame(camera, paper)
    parts = {"type": "scene", "sheet": sheet_mesh(rng, layout), "floor": floor_mesh(rng, textures)}
    clothes, classes, feet = _clothes(rng), {}, []
    for index, place in enumerate(layout.feet):
        leg = sample_leg(rng, place.side, library)
        vertices, spin, shift = _place(leg, place, camera)
        for mesh in leg_meshes(rng, index, leg, place, vertices, clothes):
            parts[mesh.id()] = mesh
        if touches_sheet(vertices, paper):
            side = labels.LEFT_FOOT if place.side == "left" else labels.RIGHT_FOOT
            classes |= {f"foot{index}": side, f"cap{index}": side}
            feet.append(_foot_truth(leg, spin, shift, turn, camera))
    # Loaded one after another: in parallel the order of the lamps, and with it the noise, was a matter of luck.
    scene = mi.load_dict(parts | clutter(rng, layout) | lamps(rng, layout), parallel=False)
    mask = class_mask(scene, camera, classes)
    # The ray's corner is the one in the world's order; the record's is in the published one.
    world = sheet.corners_mm(paper)
    order = sheet.order_corners(camera.project(np.column_stack([world, np.full(4, SHEET_LIFT_MM)])))
    visibility = corner_visibility(scene, camera, world)[order]
    seen = [foot for foot in feet if (mask == labels.NAMES.index(f"{foot['side']}_foot")).any()]
    record = {"width": camera.width, "height": camera.height, "corners": corners.tolist(),
              "visibility": visibility.tolist(),
              "attributes": {"sheet": {"format": paper.name, "long_side": long_side}, "feet": seen, "view": layout.view,
                             "camera": published.to_json()}}
    return scene, camera, mask, record, _worth_learning(mask, visibility, len(feet))


def render_scene(rng, size, library=None, textures=()):
    """One random scene of ``size`` (width, height) px as `Rendered`; all of its randomness comes from ``rng``.

    ``library`` is a `LegLibrary` or None for procedural legs, ``textures`` image files for floors. Scenes in which
    hardly anything of sheet or foot is to be seen are drawn again, up to `MAX_DRAWS` times.
    """
    for _ in range(MAX_DRAWS):
        scene, camera, mask, record, worth = _build(rng, size, library, textures)
        if worth:
            break
    integrator = mi.load_dict({"type": "path", "max_depth": MAX_DEPTH})
    sensor = _sensor(camera, SAMPLES_PER_PIXEL, True)
    radiance = np.array(mi.render(scene, sensor=sensor, integrator=integrator, seed=int(rng.integers(2**31))))
    return Rendered(radiance.astype(np.float32), mask, record)
