"""One scene: layout, meshes, materials and lamps handed to Mitsuba 3, and back come the photo and its whole truth.

Radiance is traced with few samples a pixel; `photograph` smooths what noise is left as a phone does. The class mask
comes from one ray through each pixel's centre, the corners' visibility from rays cast at the geometry.
Source of the renderer: Jakob et al., Mitsuba 3 (2022), variant ``scalar_rgb``.
"""

from dataclasses import dataclass

import mitsuba as mi
import numpy as np

from scenes import labels, sheet
from scenes.rendering.foot import sample_leg
from scenes.rendering.layout import Layout, sample_layout
from scenes.rendering.legs import leg_meshes, place_leg, sample_clothes
from scenes.rendering.surroundings import clutter, floor_mesh, lamps, sheet_mesh
from scenes.rendering.truth import class_mask, corner_visibility, foot_truth, published_frame, sensor, touches_sheet

SAMPLES_PER_PIXEL = 9  # a square number: the stratified sampler's cells
MAX_DEPTH = 2  # light straight from lamps and sky: a third bounce cost a fifth more and was hardly seen
MIN_SHEET_SHARE = 0.03  # of the photo: sheet and feet together
MIN_FOOT_SHARE = 0.15  # of sheet and feet together
MAX_DRAWS = 12


@dataclass(frozen=True)
class Rendered:
    """What one scene gives.

    radiance: linear float32 (H, W, 3). mask: class ids uint8 (H, W). record: of the dataset, see `scenes.dataset`.
    """

    radiance: np.ndarray
    mask: np.ndarray
    record: dict


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
    clothes, classes, feet = sample_clothes(rng), {}, []
    for index, place in enumerate(layout.feet):
        leg = sample_leg(rng, place.side, library)
        vertices, spin, shift = place_leg(leg, place, camera)
        for mesh in leg_meshes(rng, index, leg, place, vertices, clothes):
            parts[mesh.id()] = mesh
        if touches_sheet(vertices, paper):
            side = labels.LEFT_FOOT if place.side == "left" else labels.RIGHT_FOOT
            classes |= {f"foot{index}": side, f"cap{index}": side}
            feet.append(foot_truth(leg, spin, shift, turn, camera))
    # Loaded one after another: in parallel the order of the lamps, and with it the noise, was a matter of luck.
    scene = mi.load_dict(parts | clutter(rng, layout) | lamps(rng, layout), parallel=False)
    mask = class_mask(scene, camera, classes)
    # Corners in published order, back in the world's frame, where the rays are cast.
    visibility = corner_visibility(scene, camera, sheet.corners_mm(paper, long_side) @ turn[:2, :2])
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
    radiance = np.array(mi.render(scene, sensor=sensor(camera, SAMPLES_PER_PIXEL, True), integrator=integrator,
                                  seed=int(rng.integers(2**31))))
    return Rendered(radiance.astype(np.float32), mask, record)
