"""One scene: layout, meshes, materials and lamps handed to Mitsuba 3, and back come the photo and its whole truth.

Radiance is traced with few samples a pixel, and what noise is left is taken out by Intel's Open Image Denoise: four
samples so cleaned look like a hundred and more. Class mask and visibility come from rays cast at the geometry.
Source of the renderer: Jakob et al., Mitsuba 3 (2022), variant ``scalar_rgb``.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mitsuba as mi
import mitsuba_oidn
import numpy as np

from scenes import labels
from scenes.rendering.layout import Layout, sample_layout
from scenes.rendering.leg_library import LegLibrary
from scenes.rendering.leg_pool import LegPool
from scenes.rendering.legs import leg_meshes, place_leg, sample_clothes
from scenes.rendering.lens import pinhole_window, through_lens
from scenes.rendering.lights import lamps
from scenes.rendering.meshes import SHEET_LIFT_MM
from scenes.rendering.paper import other_sheets, sample_sheet, sheet_mesh, support_mesh
from scenes.rendering.photograph import photograph
from scenes.rendering.surfaces import floor_mesh
from scenes.rendering.surroundings import things
from scenes.rendering.truth import (
    TOUCH_MM,
    SheetNotSeen,
    class_mask,
    corner_visibility,
    foot_truth,
    probe_scene,
    published_frame,
    sensor,
    touches_sheet,
)

SAMPLES_PER_PIXEL = 4  # a square number: the stratified sampler's cells
MAX_DEPTH = 3  # from lamps and sky straight, and off one other surface: coloured floors tint what stands on them
MIN_SHEET_SHARE = 0.03  # of the photo: sheet and feet together
MIN_FOOT_SHARE = 0.15  # of sheet and feet together
MAX_DRAWS = 12


@dataclass(frozen=True)
class Sources:
    """Where shapes and floors come from: a `LegLibrary` or a `LegPool`, and image files."""

    legs: LegLibrary | LegPool
    textures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """What one scene gives.

    photo: uint8 sRGB (H, W, 3), to be saved with ``jpeg_quality`` of 100. mask: class ids uint8 (H, W). record: of the
    dataset, see `scenes.dataset`.
    """

    photo: np.ndarray
    mask: np.ndarray
    record: dict
    jpeg_quality: int


@dataclass(frozen=True)
class _Stage:
    """A scene that is set up and not yet lit: Mitsuba's shapes, mask and record, how many feet stand on the sheet."""

    layout: Layout
    shapes: dict
    mask: np.ndarray
    record: dict
    standing: int


def _untimed(_part):
    return nullcontext()


def _worth_learning(stage):
    """Whether a photographer would keep it: sheet and feet large enough to be seen, two corners in the photo at least.

    A foot that stands on the sheet and is hardly seen tells nothing.
    """
    of_sheet = stage.mask != labels.BACKGROUND
    foot = stage.mask >= labels.LEFT_FOOT
    foot_seen = foot.sum() > MIN_FOOT_SHARE * of_sheet.sum() or not stage.standing
    return of_sheet.mean() > MIN_SHEET_SHARE and np.greater(stage.record["visibility"], 0).sum() >= 2 and foot_seen


def _stand_feet(rng, layout, sources, config):
    """All legs of a scene: meshes {name: mesh}, {mesh name: class id}, [(`Leg`, `PlacedLeg`)] of those on the sheet."""
    shapes, classes, standing, clothes = {}, {}, [], {}
    window, _ = pinhole_window(layout.camera, layout.lens)
    for index, place in enumerate(layout.feet):
        if place.person not in clothes:
            clothes[place.person] = sample_clothes(rng, config.clothes)
        worn = clothes[place.person]
        leg = sources.legs.sample(rng, place.side, config.foot)
        placed = place_leg(rng, leg, place, window, worn.knee_deg)
        meshes, of_the_foot = leg_meshes(rng, index, leg, placed, place, worn)
        shapes |= {mesh.id(): mesh for mesh in meshes}
        if touches_sheet(placed.vertices_mm, layout.sheet_format):
            side = labels.LEFT_FOOT if place.side == "left" else labels.RIGHT_FOOT
            classes |= dict.fromkeys(of_the_foot, side)
            standing.append((leg, placed))
    return shapes, classes, standing


def _lay_sheets(rng, layout, standing, config):
    """The sheet under the feet as `Sheet`, and the meshes {name: mesh} of it and of others."""
    soles = [placed.vertices_mm[placed.vertices_mm[:, 2] < TOUCH_MM, :2] for _, placed in standing]
    soles = np.concatenate([np.empty((0, 2)), *soles])
    ours = sample_sheet(rng, layout.sheet_format, config, soles)
    others = other_sheets(rng, layout.sheet_format, config, bool(standing), soles, ours)
    shapes = {name: sheet_mesh(name, made) for name, made in
              [("sheet", ours), *((f"other_sheet{k}", other) for k, other in enumerate(others))]}
    under = support_mesh(rng, "support", ours)
    return ours, shapes if under is None else shapes | {"support": under}


def _set_up(rng, size, sources, config, timed):
    """A `_Stage`: everything but the lamps, and the truth of it."""
    with timed("layout"):
        layout = sample_layout(rng, size, config.standing, config.camera)
    camera, lens = layout.camera, layout.lens
    with timed("legs"):
        shapes, classes, standing = _stand_feet(rng, layout, sources, config)
    with timed("surroundings"):
        ours, sheets = _lay_sheets(rng, layout, standing, config.sheet)
        shapes |= sheets | things(rng, layout, config.things, config.floor)
        floor = floor_mesh(rng, config.floor, sources.textures)
    with timed("truth"):
        # The floor hides nothing, and without it the rays meet less.
        probe = probe_scene(shapes, classes | {"sheet": labels.SHEET})
        mask = class_mask(probe, camera, lens)
        record = _record(layout, ours, probe, standing)
    return _Stage(layout, shapes | {"floor": floor}, mask, record, len(standing))


def _record(layout, paper, probe, standing):
    """The dataset's record of a scene: corners, visibility, attributes."""
    camera, lens = layout.camera, layout.lens
    published, corners, corners_mm, long_side, turn = published_frame(camera, lens, layout.sheet_format,
                                                                      paper.corners_mm)
    # Corners in published order, back in the world's frame, where the rays are cast.
    world_mm = corners_mm @ turn + (0, 0, SHEET_LIFT_MM)
    visibility = corner_visibility(probe, camera, lens, world_mm)
    feet = [foot_truth(leg, placed.spin, placed.shift, turn, camera, lens) for leg, placed in standing]
    return {"width": camera.width, "height": camera.height, "corners": corners.tolist(),
            "visibility": visibility.tolist(),
            "attributes": {"sheet": {"format": layout.sheet_format.name, "long_side": long_side,
                                     "corners_mm": corners_mm.tolist(), "marks": list(paper.marks)},
                           "feet": feet, "view": layout.view, "camera": published.to_json(),
                           "lens": {"k1": lens.k1, "k2": lens.k2}}}


@cache
def _denoiser():
    """The CPU: a graphics card would be taken by itself where there is one, and give other pixels."""
    return mitsuba_oidn.Device(mitsuba_oidn.DeviceType.CPU)


def _light(rng, stage, config, timed):
    """Radiance float32 (H, W, 3) of the photo, noise taken out, through the lens."""
    camera, lens = stage.layout.camera, stage.layout.lens
    window, offset = pinhole_window(camera, lens)
    with timed("loading"):
        # Loaded one after another: in parallel the order of the lamps, and with it the noise, was a matter of luck.
        parts = stage.shapes | lamps(rng, stage.layout, config.light)
        scene = mi.load_dict({"type": "scene"} | parts, parallel=False)
    with timed("light"):
        integrator = mi.load_dict({"type": "path", "max_depth": MAX_DEPTH})
        radiance = np.array(mi.render(scene, sensor=sensor(window, SAMPLES_PER_PIXEL, True), integrator=integrator,
                                      seed=int(rng.integers(2**31))))
    with timed("denoising"):
        noisy = np.ascontiguousarray(radiance[..., :3], np.float32)
        radiance = np.array(mitsuba_oidn.denoise(noisy, hdr=True, device=_denoiser()))
    with timed("lens"):
        return radiance if lens.is_pinhole else through_lens(radiance, camera, lens, offset)


def _behind_bars(mask, record, bars):
    """Mask and record of a photo whose border is black: what lies there is covered."""
    left, top, right, bottom = bars
    height, width = mask.shape
    inner = np.zeros_like(mask)
    inner[top:height - bottom, left:width - right] = mask[top:height - bottom, left:width - right]
    corners = np.array(record["corners"])
    inside = ((corners > (left - 0.5, top - 0.5)) & (corners < (width - right - 0.5, height - bottom - 0.5))).all(1)
    return inner, record | {"visibility": np.where(inside, record["visibility"],
                                                   np.minimum(record["visibility"], 1)).tolist()}


def render_scene(rng, size, sources, config, timed=_untimed):
    """One random scene of ``size`` (width, height) px as `Rendered`; all of its randomness comes from ``rng``.

    ``sources``: `Sources`. ``config``: `scenes.rendering.config.SceneConfig`. ``timed`` takes the name of a part of the
    work and gives a context manager that it is done in. Scenes in which hardly anything of sheet or foot is to be seen
    are drawn again, up to `MAX_DRAWS` times.
    """
    stage = None
    for _ in range(MAX_DRAWS):
        try:
            stage = _set_up(rng, size, sources, config, timed)
        except SheetNotSeen:
            continue
        if _worth_learning(stage):
            break
    if stage is None:
        raise SheetNotSeen(f"in none of {MAX_DRAWS} scenes all corners of the sheet could be told")
    radiance = _light(rng, stage, config, timed)
    with timed("camera"):
        taken = photograph(radiance, rng, config.photograph)
        mask, record = _behind_bars(stage.mask, stage.record, taken.bars)
    attributes = record["attributes"]
    seen = [foot for foot in attributes["feet"] if (mask == labels.NAMES.index(f"{foot['side']}_foot")).any()]
    return Rendered(taken.rgb, mask, record | {"attributes": attributes | {"feet": seen}}, taken.jpeg_quality)
