"""Floors: their kind and colours, gloss and dirt, from image files or from `floor_kinds`.

Nothing is read from disk unless image files are given.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from scenes.rendering.draws import weighted
from scenes.rendering.floor_kinds import PAINTERS, Theme
from scenes.rendering.meshes import bitmap, grid, mesh, polished, two_sided
from scenes.rendering.noise import FIELD_PX, drawn
from scenes.rendering.turns import plane_turn

FLOOR_HALF_MM = 5000.0
IMAGE_BRIGHTEST = 236  # no channel of an image floor is brighter in the mean: paper is whiter
IMAGE_PX = 640  # a texture file in memory, 1.2 MB each: the last IMAGES_KEPT used are kept
IMAGES_KEPT = 128


@dataclass(frozen=True)
class FloorConfig:
    """What floors are drawn from. Shares are of 1; ranges are (low, high) of a uniform draw."""

    kinds: tuple[tuple[str, float], ...] = (  # names of PAINTERS with their weights
        ("planks", 0.17), ("parquet", 0.08), ("herringbone", 0.04), ("board", 0.11), ("tiles", 0.14), ("mosaic", 0.02),
        ("patterned_tiles", 0.03), ("marble", 0.05), ("terrazzo", 0.04), ("carpet", 0.12), ("rug", 0.03),
        ("fabric", 0.03), ("concrete", 0.06), ("asphalt", 0.02), ("grass", 0.01), ("vinyl", 0.05))
    image_share: float = 0.4  # of floors, where image files are given
    near_white_share: float = 0.15  # of drawn floors: white or cream tiles, marble, vinyl, laminate
    near_white_gloss_share: float = 0.8  # of these that mirror lamps
    dark_share: float = 0.14  # of drawn floors
    vivid_share: float = 0.02  # of drawn floors in a saturated colour of any hue
    gloss_factor: float = 1.0  # times the share of each kind that has a shine (GLOSS)
    texel_mm: tuple[float, float] = (1.1, 1.8)
    image_span_mm: tuple[float, float] = (500.0, 1700.0)  # what one image covers
    aligned_share: float = 0.5  # of floors whose lines run along a side of the sheet
    wear_share: float = 0.5  # of floors with stains and worn patches
    crumb_share: float = 0.3  # of floors with crumbs, hairs or drops

    def __post_init__(self):
        unknown = [name for name, _ in self.kinds if name not in PAINTERS]
        if unknown or not self.kinds:
            raise ValueError(f"floor kinds {unknown}: one or more of {', '.join(PAINTERS)}")


@dataclass(frozen=True, eq=False)
class Floor:
    """One floor: texture uint8 sRGB (h, w, 3), millimetres that its width covers, roughness of its shine or None, and
    how the texture goes on beyond its border: "repeat", or "mirror" for images, whose borders do not fit together."""

    texture: np.ndarray
    span_mm: float
    gloss: float | None
    repeat: str


# Share of floors of a kind that mirror lamps, and the roughness (alpha) of the shine.
GLOSS = {"planks": (0.55, 0.08, 0.35), "parquet": (0.6, 0.06, 0.3), "herringbone": (0.6, 0.06, 0.3),
         "board": (0.6, 0.06, 0.35), "tiles": (0.6, 0.03, 0.3), "mosaic": (0.6, 0.05, 0.3),
         "patterned_tiles": (0.4, 0.08, 0.35), "marble": (0.85, 0.025, 0.2), "terrazzo": (0.7, 0.04, 0.25),
         "concrete": (0.15, 0.15, 0.4), "vinyl": (0.5, 0.05, 0.35)}
IMAGE_GLOSS = (0.4, 0.04, 0.35)
# What near-white floors are made of, with weights.
NEAR_WHITE_KINDS = (("tiles", 0.4), ("marble", 0.17), ("vinyl", 0.2), ("terrazzo", 0.07), ("planks", 0.1),
                    ("board", 0.06))
PLAIN_FLOOR = FloorConfig(kinds=(("mid_tone", 1.0),), image_share=0.0, near_white_share=0.0, dark_share=0.0,
                          vivid_share=0.0, gloss_factor=0.0, wear_share=0.0, crumb_share=0.0)


def texture_files(folder):
    """Image files of ``folder`` in a fixed order; raises FileNotFoundError when there are none."""
    found = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not found:
        raise FileNotFoundError(f"--textures {folder}: no .jpg or .png file in this folder; "
                                "name a folder of images, or leave the option out for procedural floors")
    return found


def check_images(files):
    """Raises OSError that names the ``files`` that are no images, before any of them is drawn for a floor."""
    bad = [str(path) for path in files if cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_8) is None]
    if bad:
        raise OSError(f"{', '.join(bad)}: not an image that can be read; remove it from the folder of textures")


@lru_cache(maxsize=IMAGES_KEPT)
def _image(path):
    """The middle square of an image file, uint8 sRGB (640, 640, 3), read-only; raises OSError that names the file."""
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path}: not an image that can be read; remove it from the folder of textures")
    height, width = picture.shape[:2]
    side = min(height, width)
    picture = picture[(height - side) // 2:, (width - side) // 2:][:side, :side]
    picture = cv2.resize(picture, (IMAGE_PX, IMAGE_PX), interpolation=cv2.INTER_AREA)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    picture.flags.writeable = False
    return picture


def _from_image(rng, files):
    """A texture file, tinted; blue, green and pink ones mostly without their colour, for floors are seldom so."""
    picture = _image(str(files[rng.integers(len(files))]))
    mean = np.array(cv2.mean(picture)[:3])
    earthy = mean[0] >= mean[1] >= mean[2] or np.ptp(mean) < 20
    keep = 1.0 if earthy or rng.random() < 0.15 else rng.uniform(0, 0.35)
    gain = rng.uniform(0.7, 1.2) * rng.uniform(0.94, 1.06, 3) * [1.02, 1.0, 0.97]
    gain = gain * min(1.0, IMAGE_BRIGHTEST / (mean * gain).max())
    # Towards grey, then the gains, as one 3 x 3 matrix on colours.
    matrix = (np.eye(3) * keep + np.full((3, 3), (1 - keep) / 3)) * gain[:, None]
    return cv2.transform(picture, matrix)


def _worn(rng, picture):
    """Stains, worn ways and dust: slow darkening or lightening in blots, uint8 like the picture."""
    height, width = picture.shape[:2]
    dirt = np.clip(drawn(rng, "cloud") * rng.uniform(0.15, 0.4) + rng.uniform(0, 0.6), 0, 1) * rng.uniform(0.03, 0.25)
    if rng.random() < 0.3:  # blots with an edge: dried puddles
        blots = np.clip((drawn(rng, "patch") - rng.uniform(1.2, 2.2)) * rng.uniform(1, 4), 0, 1)
        dirt += blots * rng.uniform(-0.1, 0.2)
    gain = 1 - dirt
    gain = cv2.resize((np.clip(gain, 0, 1.2) * 200).astype(np.uint8), (width, height))
    return cv2.multiply(picture, cv2.merge([gain] * 3), scale=1 / 200)


def _littered(rng, picture):
    """Crumbs, drops, hairs on the floor."""
    size = picture.shape[0]
    for _ in range(int(rng.integers(4, 40))):
        centre = rng.integers(0, size, 2)
        ink = [int(v) for v in np.clip(rng.choice([35, 90, 150, 225]) + rng.normal(0, 12, 3), 0, 255)]
        if rng.random() < 0.15:
            bend = np.round(centre + rng.normal(0, 9, (5, 2)).cumsum(0)).astype(np.int32)
            cv2.polylines(picture, [bend], False, ink, 1, cv2.LINE_AA)
        else:
            axes = rng.integers(1, 3, 2) if rng.random() < 0.95 else rng.integers(3, 9, 2)
            cv2.ellipse(picture, tuple(int(v) for v in centre), tuple(int(v) for v in axes), float(rng.uniform(0, 180)),
                        0, 360, ink, -1, cv2.LINE_AA)
    return picture


def sample_floor(rng, config, files=()):
    """A `Floor` drawn from ``config``; ``files`` are the images that it may be taken from.

    Raises OSError for a file that is no image.
    """
    if files and rng.random() < config.image_share:
        picture, span, repeat = _from_image(rng, files), rng.uniform(*config.image_span_mm), "mirror"
        (share, low, high), name = IMAGE_GLOSS, "image"
    else:
        chance = rng.random()
        themes = (config.near_white_share, config.dark_share, config.vivid_share)
        name = ("near_white", "dark", "vivid", "ordinary")[int(np.searchsorted(np.cumsum(themes), chance, "right"))]
        kind = weighted(rng, NEAR_WHITE_KINDS if name == "near_white" else config.kinds)
        theme = Theme(name, rng.uniform(*config.texel_mm))
        picture, span, repeat = PAINTERS[kind](rng, theme), theme.texel_mm * FIELD_PX, "repeat"
        share, low, high = GLOSS.get(kind, (0.0, 0.1, 0.1))
        if name == "near_white":
            share, high = config.near_white_gloss_share, min(high, 0.25)
    if rng.random() < config.wear_share:
        picture = _worn(rng, picture)
    if rng.random() < config.crumb_share:
        picture = _littered(rng, picture)
    shines = rng.random() < share * config.gloss_factor
    gloss = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return Floor(picture, span, gloss if shines else None, repeat)


def floor_mesh(rng, config, files=()):
    """Ten metres of floor in the plane z = 0, one texture over it: a mesh named "floor".

    config: `FloorConfig`. files: image files for textures, see `texture_files`. Raises OSError for a file that is
    no image.
    """
    floor = sample_floor(rng, config, files)
    unit, faces = grid(2, 2)
    turn = rng.uniform(0, 2 * np.pi) if rng.random() >= config.aligned_share else rng.choice([0, np.pi / 2])
    plane = (unit - 0.5) * 2 * FLOOR_HALF_MM
    texcoords = plane @ plane_turn(turn).T / floor.span_mm + rng.random(2)
    picture = bitmap(floor.texture, floor.repeat)
    material = two_sided(picture) if floor.gloss is None else polished(picture, floor.gloss)
    return mesh("floor", np.column_stack([plane, np.zeros(4)]), faces, material, texcoords=texcoords)
