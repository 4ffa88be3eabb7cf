"""The truth of a scene, asked of its geometry with rays: class mask, corners and their visibility, feet.

A second Mitsuba scene, the probe, holds the same shapes, but every shape of a class shines with the class's id and
with the height of the point that is met: one render without light or bounce gives both for each pixel, four times
faster than Mitsuba's own integrator for such quantities.
"""

import mitsuba as mi
import numpy as np

from scenes import labels, sheet
from scenes.camera import Camera
from scenes.rendering.foot import FOOT_HEIGHT_MM
from scenes.rendering.lens import pinhole_window, seen_at, through_lens
from scenes.rendering.meshes import SHEET_LIFT_MM

TOUCH_MM = 8.0  # a sole lower than this over the sheet touches it
CORNER_INSET_MM = 1.5  # visibility is asked this far inside the corner, so that an edge's rounding does not answer
OVERLAY_CLEARANCE_MM = 0.2  # of another sheet on top of ours, which lies less than a millimetre higher
BACK_MM = 0.01  # thickness of paper, for rays
LENS_OVERSAMPLING = 2  # a mask that goes through a lens is traced so much finer


class SheetNotSeen(ValueError):
    """The sheet's corners are no quadrilateral in the photo: it is bent and seen along its surface."""


def sensor(camera, samples, jitter):
    """Mitsuba's sensor for an OpenCV-style `Camera`: its local frame is x left, y up, z ahead."""
    matrix = np.eye(4)
    matrix[:3, :3] = camera.rotation.T @ np.diag([-1.0, -1.0, 1.0])
    matrix[:3, 3] = camera.position_mm
    # Without jitter the one sample of a pixel lies in its centre.
    sampler = {"type": "stratified", "sample_count": samples, "jitter": jitter}
    # Mitsuba gives the principal point's offset in shares of the film, the other way round.
    offset = camera.center_px - ((camera.width - 1) / 2, (camera.height - 1) / 2)
    return mi.load_dict({
        "type": "perspective", "fov_axis": "x", "near_clip": 10.0, "far_clip": 20000.0,
        "fov": float(np.rad2deg(2 * np.arctan(camera.width / 2 / camera.focal_px))),
        "principal_point_offset_x": float(-offset[0] / camera.width),
        "principal_point_offset_y": float(-offset[1] / camera.height),
        "to_world": mi.ScalarTransform4f(matrix), "sampler": sampler,
        "film": {"type": "hdrfilm", "width": camera.width, "height": camera.height, "pixel_format": "rgb",
                 "rfilter": {"type": "box"}}})


def _with_back(vertices, faces, emission):
    """A mesh with a second one close behind its surface that faces the other way.

    Emitters shine outward only, and paper that is folded over shows its back.
    """
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    behind = (corners - BACK_MM * normals[:, None])[:, ::-1].reshape(-1, 3)
    return (np.concatenate([vertices, behind]),
            np.concatenate([faces, np.arange(len(behind)).reshape(-1, 3) + len(vertices)]),
            np.concatenate([emission, emission[faces][:, ::-1].reshape(-1, 3)]))


def _shining(mesh, class_id):
    """``mesh`` as an emitter of (class id, height in mm, 0), on both sides of its surface."""
    given = mi.traverse(mesh)
    vertices = np.array(given["vertex_positions"]).reshape(-1, 3)
    faces = np.array(given["faces"]).reshape(-1, 3)
    emission = np.zeros_like(vertices)
    emission[:, 0], emission[:, 1] = class_id, vertices[:, 2]
    if class_id == labels.SHEET:
        vertices, faces, emission = _with_back(vertices, faces, emission)
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict({"type": "diffuse"})
    properties["emitter"] = mi.load_dict(
        {"type": "area", "radiance": {"type": "mesh_attribute", "name": "vertex_color"}})
    made = mi.Mesh(mesh.id(), len(vertices), len(faces), props=properties)
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
    parameters["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
    parameters.update()
    made.add_attribute("vertex_color", 3, np.ascontiguousarray(emission, np.float32).ravel())
    made.set_id(mesh.id())
    return made


def probe_scene(parts, class_of):
    """The probe of ``parts`` {name: mesh or dict of a shape}, all that can hide or be seen, without lamps.

    ``class_of``: {name of a mesh: class id} of the sheet under the foot and of the feet that touch it.
    """
    shapes = {name: _shining(part, class_of[name]) if class_of.get(name) else part for name, part in parts.items()}
    return mi.load_dict({"type": "scene"} | shapes, parallel=False)


def _finer(camera, factor):
    """``camera`` with ``factor`` times as many pixels a side, pixel (x, y) of the old one at factor * (x, y)."""
    return Camera(camera.focal_px * factor, camera.center_px * factor, camera.rotation, camera.translation_mm,
                  camera.width * factor, camera.height * factor)


def class_mask(probe, camera, lens):
    """Class ids uint8 (H, W) from one ray through each pixel's centre, four where a lens bends the picture.

    Of the feet, what is lower than 80 mm over the sole is foot. Everything else but the sheet is background.
    """
    window, offset = pinhole_window(camera, lens)
    scale = 1 if lens.is_pinhole else LENS_OVERSAMPLING
    first_hit = mi.load_dict({"type": "path", "max_depth": 1})
    met = np.array(mi.render(probe, sensor=sensor(_finer(window, scale), 1, False), integrator=first_hit))
    mask = np.round(met[..., 0]).astype(np.uint8)
    leg = (mask >= labels.LEFT_FOOT) & (met[..., 1] > FOOT_HEIGHT_MM + SHEET_LIFT_MM)
    mask[leg] = labels.BACKGROUND
    return mask if lens.is_pinhole else through_lens(mask, camera, lens, offset, scale)


def corner_visibility(probe, camera, lens, corners):
    """COCO visibility int (4,) of the sheet's corners (4, 3) mm, by rays: 2 seen, 1 covered, 0 outside the photo."""
    middle = corners.mean(0)
    pixels = seen_at(corners, camera, lens)
    visibility = np.zeros(4, int)
    for k, corner in enumerate(corners):
        x, y = pixels[k]
        if not (-0.5 <= x <= camera.width - 0.5 and -0.5 <= y <= camera.height - 0.5):
            continue
        inset = corner + (middle - corner) / np.linalg.norm(middle - corner) * CORNER_INSET_MM
        way = inset - camera.position_mm
        distance = float(np.linalg.norm(way))
        ray = mi.Ray3f(mi.Point3f(camera.position_mm.tolist()), mi.Vector3f((way / distance).tolist()))
        hit = probe.ray_intersect(ray)
        name = hit.shape.id() if hit.is_valid() else ""
        # The paper itself may curl up before its corner, and what lies under it may touch it; anything else that is
        # met first covers it.
        clearance = OVERLAY_CLEARANCE_MM if name.startswith("other_sheet") else 1.0
        visibility[k] = 2 if name in ("", "sheet") or hit.t > distance - clearance else 1
    return visibility


def published_frame(camera, lens, paper, corners_mm):
    """The same camera in the frame of the published corner order.

    ``corners_mm`` (4, 3): the sheet's corners in the world, in the order of `sheet.corners_mm`. Returns (camera,
    corners (4, 2) px, corners (4, 3) mm in the published frame, long_side, turn (3, 3) world -> published frame). Of a
    flat sheet, corner k in the published order is `sheet.corners_mm(paper, long_side)[k]`. Raises `SheetNotSeen`.
    """
    pixels = seen_at(corners_mm, camera, lens)
    order = sheet.order_corners(pixels)
    quarter = int(order[0])
    turn = np.deg2rad(90 * quarter)  # brings world corner `quarter` to the top left
    spin = np.round([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    long_side = "vertical" if quarter % 2 == 0 else "horizontal"
    if not np.array_equal(order, (np.arange(4) + quarter) % 4):
        raise SheetNotSeen("the sheet's corners do not go clockwise in the photo: the camera looks along it")
    # The published origin lies on the paper, not on the floor under it.
    lift = np.array([0, 0, SHEET_LIFT_MM])
    published = Camera(camera.focal_px, camera.center_px, camera.rotation @ spin.T,
                       camera.translation_mm + camera.rotation @ lift, camera.width, camera.height)
    return published, pixels[order], (corners_mm[order] - lift) @ spin.T, long_side, spin


def foot_truth(leg, spin, shift, turn, camera, lens):
    """JSON of one foot: measures, heel and toe in the published sheet frame (mm) and in the photo (px).

    ``spin`` (3, 3) and ``shift`` (3,) bring the leg's frame to the world, ``turn`` (3, 3) that to the published frame.
    """
    points = np.stack([leg.heel_mm, leg.toe_mm]) @ spin.T + shift
    pixels = seen_at(points, camera, lens)
    points = (points - (0, 0, SHEET_LIFT_MM)) @ turn.T
    return {"side": leg.side, "length_mm": float(leg.length_mm), "width_mm": float(leg.width_mm),
            "instep_mm": float(leg.instep_mm), "arch_mm": float(leg.arch_mm),
            "heel": pixels[0].tolist(), "toe": pixels[1].tolist(),
            "heel_mm": points[0].tolist(), "toe_mm": points[1].tolist()}


def touches_sheet(vertices, paper):
    """Whether any part of the sole, (N, 3) mm, stands on the sheet."""
    sole = vertices[vertices[:, 2] < TOUCH_MM]
    return bool((np.abs(sole[:, :2]) < (paper.short_mm / 2, paper.long_mm / 2)).all(1).any())
