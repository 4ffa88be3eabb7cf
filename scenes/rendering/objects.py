"""Things that lie about on floors, each at the size it has: papers, phones, rulers, cables, bowls, chairs, bags.

At one to three millimetres a pixel an outline, a colour and a few marks are all that is seen of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import mitsuba as mi
import numpy as np
import trimesh

from scenes.rendering.meshes import bitmap, linear, mesh, paint, two_sided
from scenes.rendering.shoes import sample_shoe, shoe_mesh
from scenes.rendering.turns import plane_turn, upright_turn

BROWNS = ((150, 104, 66), (104, 70, 46), (190, 150, 104), (74, 48, 34), (196, 160, 118), (128, 92, 62))
MUTED = ((70, 84, 110), (110, 52, 50), (84, 98, 80), (120, 110, 96), (52, 60, 78), (146, 120, 70), (96, 88, 104))


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing not yet placed: half its extent (2,) mm along its own x and y, its height, and how it is built.

    build(name, centre (2,) mm, turn_deg, base_mm) -> {name: shape or mesh} for Mitsuba.
    """

    half_mm: tuple[float, float]
    height_mm: float
    build: Callable


def household_colour(rng):
    """An sRGB colour (3,) of things in rooms: mostly black, white, grey or brown, seldom bright."""
    kind = rng.choice(["dark", "white", "grey", "brown", "muted", "bright"], p=[0.3, 0.18, 0.16, 0.18, 0.12, 0.06])
    if kind == "bright":
        return rng.uniform(15, 240, 3)
    if kind in ("brown", "muted"):
        palette = BROWNS if kind == "brown" else MUTED
        return np.clip(np.array(palette[rng.integers(len(palette))]) + rng.normal(0, 12), 5, 245)
    low, high = {"dark": (8, 55), "white": (205, 248), "grey": (70, 190)}[kind]
    return np.clip(rng.uniform(low, high) + rng.normal(0, 3, 3), 4, 250)


def cuboid(centre, size, turn, material):
    """A cuboid: centre and size (3,) mm, turn about z in degrees."""
    transform = (mi.ScalarTransform4f().translate([float(v) for v in centre]).rotate([0, 0, 1], float(turn))
                 .scale([float(v) / 2 for v in size]))
    return {"type": "cube", "to_world": transform, "bsdf": material}


def shiny(colour):
    """Smooth plastic or glazed material of one sRGB colour."""
    return {"type": "twosided", "bsdf": {"type": "plastic", "diffuse_reflectance": {
        "type": "rgb", "value": linear(colour).tolist()}, "nonlinear": False}}


def _turned(points, turn_deg, centre, base):
    """Points (N, 3) of a thing's own frame -> the world's."""
    return points @ upright_turn(np.deg2rad(turn_deg)).T + (*centre, base)


def lathe(profile, segments=20):
    """Vertices and faces of a surface of revolution; ``profile`` (K, 2) of radius and height in mm, from the axis."""
    profile = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.concatenate([np.column_stack([ring * radius, np.full(segments, height)]) for radius, height in profile])
    low = np.arange(segments * (len(profile) - 1)).reshape(-1, segments)
    right = np.roll(low, -1, axis=1)
    faces = np.concatenate([np.stack([low, right, right + segments], -1), np.stack([low, right + segments,
                                                                                   low + segments], -1)])
    return points, faces.reshape(-1, 3)


def tube(path, radius, sides=6):
    """Vertices and faces of a tube round ``path`` (K, 3) mm that runs nearly level."""
    path = np.asarray(path, float)
    ahead = np.gradient(path, axis=0)
    across = np.cross(ahead, (0, 0, 1.0))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[:, None, None] * across + np.sin(angle)[:, None, None] * np.array([0, 0, 1.0])
    points = (path + radius * ring).transpose(1, 0, 2).reshape(-1, 3)
    low = np.arange((len(path) - 1) * sides).reshape(-1, sides)
    right = np.roll(low, -1, axis=1)
    faces = np.concatenate([np.stack([low, right, right + sides], -1), np.stack([low, right + sides, low + sides], -1)])
    return points, faces.reshape(-1, 3)


def _block(size, material, top=None):
    """A `Thing` of one cuboid; ``top``: a picture uint8 (h, w, 3) over its faces."""
    material = material if top is None else two_sided(bitmap(top, "clamp"))
    return Thing((size[0] / 2, size[1] / 2), size[2], lambda name, centre, turn, base: {
        name: cuboid((*centre, base + size[2] / 2), size, turn, material)})


def _round(profile, material):
    """A `Thing` turned on a lathe."""
    points, faces = lathe(profile)
    reach = float(points[:, 0].max())
    return Thing((reach, reach), float(points[:, 2].max()), lambda name, centre, turn, base: {
        name: mesh(name, points + (*centre, base), faces, material)})


def printed(rng, colour):
    """A cover or a form, uint8 (96, 64, 3): blocks and lines on ``colour``."""
    page = np.empty((96, 64, 3), np.uint8)
    page[:] = np.clip(colour, 0, 255)
    for _ in range(int(rng.integers(0, 4))):
        x, y = int(rng.integers(0, 48)), int(rng.integers(0, 80))
        ink = [int(v) for v in household_colour(rng)]
        cv2.rectangle(page, (x, y), (x + int(rng.integers(6, 50)), y + int(rng.integers(4, 40))), ink, -1)
    ink = [int(v) for v in (np.full(3, 30) if np.mean(colour) > 120 else np.full(3, 220))]
    for y in range(int(rng.integers(6, 60)), int(rng.integers(20, 92)), int(rng.integers(3, 9))):
        cv2.line(page, (6, y), (int(rng.integers(20, 58)), y), ink, 1)
    return page


def box(rng):
    """A carton, a case, a drawer."""
    size = np.array([rng.uniform(50, 380), rng.uniform(80, 450), rng.uniform(25, 320)])
    return _block(size, paint(household_colour(rng)))


def book(rng):
    """A book, a magazine, a folder."""
    long_side = rng.uniform(160, 310)
    size = (long_side * rng.uniform(0.62, 0.78), long_side, rng.choice([rng.uniform(3, 8), rng.uniform(8, 45)]))
    return _block(size, None, printed(rng, household_colour(rng)))


def paper(rng):
    """An envelope, a receipt, a notebook, a napkin: white or nearly so, but of no paper format."""
    size = (rng.uniform(60, 235), rng.uniform(90, 250), rng.uniform(0.4, 3))
    colour = np.clip(rng.uniform(195, 250) + rng.normal(0, 2, 3) + np.array([3, 0, -6]) * abs(rng.normal()), 0, 252)
    return _block(size, paint(colour), printed(rng, colour) if rng.random() < 0.4 else None)


def device(rng):
    """A phone, a tablet, a remote control, a closed laptop: dark or light, glossy."""
    size = ((72, 150, 9), (170, 245, 8), (46, 170, 18), (230, 330, 18))[rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])]
    colour = rng.uniform(5, 40, 3) if rng.random() < 0.7 else np.full(3, rng.uniform(150, 240))
    size = np.array(size) * rng.uniform(0.92, 1.05)
    rim = np.clip(colour + rng.uniform(-20, 120), 5, 230)

    def build(name, centre, turn, base):
        parts = {name: cuboid((*centre, base + size[2] / 2), size, turn, paint(rim))}
        glass = (size[0] * 0.93, size[1] * 0.94, 0.6)
        parts[f"{name}_glass"] = cuboid((*centre, base + size[2] + 0.2), glass, turn, shiny(colour))
        return parts

    return Thing((size[0] / 2, size[1] / 2), size[2], build)


def power_strip(rng):
    """Sockets in a row."""
    count = int(rng.integers(2, 7))
    page = np.empty((24, 16 * count, 3), np.uint8)
    page[:] = 238 if rng.random() < 0.7 else 26
    for k in range(count):
        cv2.circle(page, (8 + 16 * k, 12), 6, [int(page[0, 0, 0] * 0.75)] * 3, -1)
        cv2.circle(page, (8 + 16 * k, 12), 2, (30, 30, 30), -1)
    return _block((60.0 + 50 * count, 56.0, 42.0), None, page)


def ruler(rng):
    """A ruler or the blade of a tape measure, with its marks."""
    width, length = rng.uniform(14, 40), rng.uniform(150, 700)
    page = np.empty((24, 256, 3), np.uint8)
    page[:] = ((236, 200, 40), (225, 225, 225), (205, 172, 120), (160, 165, 170))[rng.integers(4)]
    page[0:8, ::4] = page[0:8, ::4] // 3
    page[0:14, ::20] = 20
    return _block((length, width, rng.uniform(0.5, 3)), None, page)


def tape_measure(rng):
    """The case of a tape measure."""
    return _block(np.array([62, 66, 38]) * rng.uniform(0.8, 1.2),
                  paint((225, 185, 30) if rng.random() < 0.5 else household_colour(rng)))


def pen(rng):
    """A pen or pencil."""
    length, radius = rng.uniform(120, 180), rng.uniform(3, 6)
    material = paint(household_colour(rng) if rng.random() < 0.6 else rng.uniform(10, 235, 3))
    path = np.array([[0, -length / 2, radius], [0, length / 2 - 14, radius], [0, length / 2, radius]])
    points, faces = tube(path, radius)
    points[-6:] = (points[-6:] - path[-1]) * 0.2 + path[-1]
    return Thing((radius, length / 2), 2 * radius, lambda name, centre, turn, base: {
        name: mesh(name, _turned(points, turn, centre, base), faces, material)})


def coin(rng):
    """A coin or a bottle cap."""
    colour = ((196, 158, 84), (170, 168, 162), (150, 92, 60))[rng.integers(3)]
    radius = rng.uniform(8, 14)
    return _round([(radius, 0), (radius, 2), (0, 2)], paint(colour))


def plate(rng):
    """A plate."""
    radius = rng.uniform(80, 140)
    return _round([(radius * 0.6, 0), (radius, 18), (radius * 0.97, 19), (radius * 0.6, 4), (0, 3)],
                  shiny(np.clip(rng.uniform(190, 250) + rng.normal(0, 4, 3), 0, 252)))


def bowl(rng):
    """A pet's bowl or a dish."""
    radius = rng.uniform(60, 120)
    return _round([(radius, 0), (radius * 0.9, 55), (radius * 0.84, 55), (radius * 0.75, 14), (0, 10)],
                  shiny(household_colour(rng)))


def bin_(rng):
    """A bin or a bucket."""
    radius, height = rng.uniform(80, 160), rng.uniform(180, 380)
    return _round([(radius * 0.8, 0), (radius, height), (radius * 0.95, height), (radius * 0.76, 12), (0, 12)],
                  paint(household_colour(rng)))


def bottle(rng):
    """A bottle or a can, standing."""
    radius, height = rng.uniform(28, 45), rng.uniform(110, 260)
    neck = radius * rng.uniform(0.3, 1.0)
    return _round([(radius, 0), (radius, height * 0.7), (neck, height * 0.82), (neck, height), (0, height)],
                  shiny(household_colour(rng)))


def ball(rng):
    """A ball."""
    radius = rng.uniform(18, 110)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 12)
    return _round(np.stack([np.cos(angle) * radius, (1 + np.sin(angle)) * radius], 1), paint(rng.uniform(20, 240, 3)))


def bricks(rng):
    """A few toy bricks."""
    count = int(rng.integers(2, 6))
    places, turns = rng.uniform(-90, 90, (count, 2)), rng.uniform(0, 180, count)
    sizes, colours = rng.uniform(14, 45, (count, 3)), rng.uniform(10, 245, (count, 3))

    def build(name, centre, turn, base):
        return {f"{name}_{k}": cuboid((*(places[k] + centre), base + sizes[k, 2] / 2), sizes[k], turns[k],
                                      paint(colours[k])) for k in range(count)}

    return Thing((125.0, 125.0), 45.0, build)


def _lump(rng, size, rough, material):
    """A soft heap: a ball dented at random and flat below."""
    shape = trimesh.creation.icosphere(3)
    waves = rng.normal(0, 1.6, (5, 3))
    dents = np.sin(shape.vertices @ waves.T * 2 + rng.uniform(0, 6.28, 5)).mean(1, keepdims=True)
    points = shape.vertices * (1 + rough * dents) * np.asarray(size) / 2
    points[:, 2] = np.maximum(points[:, 2] + size[2] * 0.3, 0)
    return Thing(tuple(np.abs(points[:, :2]).max(0)), float(points[:, 2].max()), lambda name, centre, turn, base: {
        name: mesh(name, _turned(points, turn, centre, base), shape.faces, material)})


def bag(rng):
    """A bag, a rucksack."""
    return _lump(rng, rng.uniform([200, 250, 120], [380, 450, 300]), 0.25, paint(household_colour(rng)))


def cloth(rng):
    """Socks, a towel, a garment left on the floor."""
    return _lump(rng, rng.uniform([60, 90, 25], [300, 350, 70]), 0.6, paint(household_colour(rng)))


def scale(rng):
    """A bathroom scale or a loose tile."""
    side = rng.uniform(150, 330)
    return _block((side, side * rng.choice([1.0, 1.0, 0.6]), rng.uniform(8, 30)), shiny(household_colour(rng)))


def post(rng):
    """One leg of a table, a bed or a cupboard."""
    reach, height = rng.uniform(12, 45), rng.uniform(120, 760)
    material = paint(household_colour(rng))
    if rng.random() < 0.5:
        return _block((2 * reach, 2 * reach, height), material)
    return _round([(reach * rng.uniform(0.6, 1), 0), (reach, height), (0, height)], material)


def chair(rng):
    """A chair or a stool: four legs under a seat."""
    half, height, leg = rng.uniform(160, 230, 2), rng.uniform(380, 480), rng.uniform(18, 45)
    wood, seat = household_colour(rng), household_colour(rng)

    def build(name, centre, turn, base):
        spin = plane_turn(np.deg2rad(turn))
        parts = {f"{name}_seat": cuboid((*centre, height), (*(2 * half + leg), 35), turn, paint(seat))}
        for k, corner in enumerate(((-1, -1), (-1, 1), (1, 1), (1, -1))):
            foot = spin @ (corner * half) + centre
            parts[f"{name}_{k}"] = cuboid((*foot, base + height / 2), (leg, leg, height), turn, paint(wood))
        return parts

    return Thing((half[0] + leg, half[1] + leg), height + 20, build)


def star_base(rng):
    """The foot of an office chair: five spokes with castors and a column."""
    reach, colour = rng.uniform(250, 330), rng.uniform(10, 50, 3) if rng.random() < 0.7 else np.full(3, 170.0)

    def build(name, centre, turn, base):
        parts = {f"{name}_column": cuboid((*centre, base + 250), (50, 50, 380), turn, paint(colour))}
        for k in range(5):
            angle = np.deg2rad(turn + 72 * k)
            out = np.array([np.cos(angle), np.sin(angle)])
            parts[f"{name}_spoke{k}"] = cuboid((*(centre + out * reach / 2), base + 75), (reach, 40, 30),
                                               turn + 72 * k, paint(colour))
            parts[f"{name}_castor{k}"] = cuboid((*(centre + out * reach), base + 30), (50, 25, 60), turn + 72 * k + 40,
                                                paint(colour * 0.5))
        return parts

    return Thing((reach + 30.0, reach + 30.0), 440.0, build)


def _shoe_height(worn):
    return worn.length * (0.75 if worn.kind == "boot" else 0.5)


def shoe(rng):
    """One shoe or slipper that nobody wears."""
    worn = sample_shoe(rng)
    side = str(rng.choice(["left", "right"]))
    return Thing((worn.width * 0.55, worn.length / 2), _shoe_height(worn), lambda name, centre, turn, base: {
        part.id(): part for part in shoe_mesh(rng, name, side, centre, turn, worn)})


def shoe_pair(rng):
    """A pair of them, side by side."""
    worn = sample_shoe(rng)
    apart = worn.width * rng.uniform(0.55, 0.75)
    askew = rng.normal(0, 6, 2)

    def build(name, centre, turn, base):
        aside = np.array([np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))]) * apart
        parts = [part for side, sign, lean in (("left", -1, askew[0]), ("right", 1, askew[1]))
                 for part in shoe_mesh(rng, f"{name}_{side}", side, centre + sign * aside, turn + lean, worn)]
        return {part.id(): part for part in parts}

    return Thing((apart + worn.width * 0.65, worn.length * 0.52), _shoe_height(worn), build)


MAKERS = {make.__name__.rstrip("_"): make for make in (
    box, book, paper, device, power_strip, ruler, tape_measure, pen, coin, plate, bowl, bin_, bottle, ball, bricks, bag,
    cloth, scale, post, chair, star_base, shoe, shoe_pair)}
