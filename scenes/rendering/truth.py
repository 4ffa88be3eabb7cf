"""The truth of a scene, asked of its geometry with rays: class mask, corners and their visibility, feet."""

import mitsuba as mi
import numpy as np

from scenes import labels, sheet
from scenes.camera import Camera
from scenes.rendering.foot import FOOT_HEIGHT_MM
from scenes.rendering.meshes import SHEET_LIFT_MM

TOUCH_MM = 8.0  # a sole lower than this over the sheet touches it
CORNER_INSET_MM = 1.5  # visibility is asked this far inside the corner, so that an edge's rounding does not answer


def sensor(camera, samples, jitter):
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
    met = np.array(mi.render(scene, sensor=sensor(camera, 1, False), integrator=probe))
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
    """COCO visibility int (4,) of the sheet's corners (4, 2) mm, by rays: 2 seen, 1 covered, 0 outside the photo."""
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


def foot_truth(leg, spin, shift, turn, camera):
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
