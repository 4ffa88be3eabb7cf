"""The sheet of a Measurement seen from straight above, on a grid of centimetres, with the feet to scale.

The picture is the photo as the sheet's plane shows it, faded. What is higher than the paper is displaced and too large
there; so a foot is cut out of the photo once more, as the plane at the height of its ball shows it, and laid over it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from deploy.drawing import Drawing, filled
from deploy.feet import FOREFOOT_SHARE, HEEL, PLAN_HEIGHT_MM, TOES
from scenes.labels import LEFT_FOOT, PALETTE, RIGHT_FOOT
from scenes.sheet import corners_mm, transform

MARGIN_MM = 12.0
REACH_MM = 120.0  # of feet beyond the sheet: what is farther is cut off
GRID_MM, BOLD_GRID_MM = 10.0, 50.0
FADED = 0.55  # share of white over the photo
GRID_COLOUR, GRID_SHARE, BOLD_GRID_SHARE = (40, 90, 140), 0.25, 0.6
SHEET_COLOUR = (52, 152, 219)


@dataclass(frozen=True, eq=False)
class Lines:
    """What was measured on a foot, on the sheet's plane: heel, toe and the two ends of the breadth, (2,) mm each."""

    heel: np.ndarray
    toe: np.ndarray
    breadth: tuple

    @property
    def along(self):
        """Unit direction from heel to toe."""
        return (self.toe - self.heel) / max(float(np.hypot(*(self.toe - self.heel))), 1e-9)


def foot_colour(foot):
    """RGB of a foot by its side, as in the palette of the labels."""
    return tuple(int(v) for v in PALETTE[LEFT_FOOT if foot.side == "left" else RIGHT_FOOT])


def measured_lines(foot, camera):
    """Lines of a foot; the breadth's is where the outline is broadest, and as long as was measured."""
    heel, toe = (camera.backproject(np.asarray(point, float)[None], height)[0]
                 for point, height in ((foot.heel, HEEL.height_mm), (foot.toe, TOES.height_mm)))
    along = (toe - heel) / max(float(np.hypot(*(toe - heel))), 1e-9)
    across = np.array([along[1], -along[0]])
    plan = camera.backproject(foot.contour, PLAN_HEIGHT_MM) - heel
    shares = plan @ along / foot.length_mm
    fore = plan[(shares > FOREFOOT_SHARE) & (shares < 0.9)]
    if len(fore):
        ends = fore[np.argmin(fore @ across)], fore[np.argmax(fore @ across)]
        middle = heel + (ends[0] + ends[1]) / 2
    else:
        middle = heel + 0.7 * (toe - heel)
    half = across * foot.width_mm / 2
    return Lines(heel, toe, (middle - half, middle + half))


def draw_plan(rgb, measurement, height_px, unit):
    """The sheet from above, uint8 (height_px, w, 3). rgb: the photo of the Measurement, uint8 (H, W, 3)."""
    camera = measurement.sheet.camera
    sheet = corners_mm(measurement.sheet.format, measurement.sheet.long_side)
    lines = [measured_lines(foot, camera) for foot in measurement.feet]
    low, high = _extent(sheet, lines)
    pitch = height_px / (high[1] - low[1])  # px per mm
    size = max(1, round((high[0] - low[0]) * pitch)), height_px
    to_px = np.array([[pitch, 0, -0.5 - low[0] * pitch], [0, -pitch, -0.5 + high[1] * pitch], [0, 0, 1]])
    ground = _seen_at(rgb, camera, 0.0, to_px, size)
    drawing = Drawing(np.rint(ground * (1 - FADED) + 255 * FADED).astype(np.uint8), unit)
    for foot in measurement.feet:
        outline = _smooth(transform(to_px, camera.backproject(foot.contour, PLAN_HEIGHT_MM)))
        region = filled(outline, size[::-1])
        drawing.rgb[region] = _seen_at(rgb, camera, PLAN_HEIGHT_MM, to_px, size)[region]
        drawing.outline(outline, foot_colour(foot))
    _draw_grid(drawing, sheet, low, high, to_px)
    drawing.outline(transform(to_px, sheet), SHEET_COLOUR)
    for foot, line in zip(measurement.feet, lines, strict=True):
        drawing.dimension(*transform(to_px, np.stack([line.heel, line.toe])), f"{foot.length_mm:.0f} mm", 0.4)
        drawing.dimension(*transform(to_px, np.stack(line.breadth)), f"{foot.width_mm:.0f} mm", 0.25)
    return drawing.finish()


def _extent(sheet, lines):
    """Lower left and upper right corner (2,) mm of what is shown: the sheet and the feet on it."""
    ends = [np.clip(point, sheet.min(axis=0) - REACH_MM, sheet.max(axis=0) + REACH_MM)
            for line in lines for point in (line.heel, line.toe, *line.breadth)]
    shown = np.nan_to_num(np.array([*sheet, *ends]))
    return shown.min(axis=0) - MARGIN_MM, shown.max(axis=0) + MARGIN_MM


def _seen_at(rgb, camera, height_mm, to_px, size):
    """The photo as the plane at a height over the sheet shows it, uint8 of (width, height) px."""
    to_image = camera.matrix @ np.column_stack([camera.rotation[:, :2],
                                                camera.rotation[:, 2] * height_mm + camera.translation_mm])
    return cv2.warpPerspective(rgb, to_image @ np.linalg.inv(to_px), size,
                               flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
                               borderValue=(255, 255, 255))


def _smooth(outline):
    """An outline (N, 2) without the steps of the mask's pixels."""
    reach = max(1, len(outline) // 150)
    around = np.stack([np.roll(outline, shift, axis=0) for shift in range(-reach, reach + 1)])
    return around.mean(axis=0)


def _draw_grid(drawing, sheet, low, high, to_px):
    """Lines every centimetre from the sheet's lower left corner on, and numbers in cm at the bolder ones."""
    corner = sheet.min(axis=0)
    layer = drawing.rgb.copy()
    for axis in (0, 1):
        for step in range(int(np.ceil((low - corner)[axis] / GRID_MM)), int((high - corner)[axis] // GRID_MM) + 1):
            start, end = low.copy(), high.copy()
            start[axis] = end[axis] = corner[axis] + step * GRID_MM
            bold = step * GRID_MM % BOLD_GRID_MM == 0
            places = np.rint(transform(to_px, np.stack([start, end]))).astype(int)
            first, last = (tuple(np.clip(place, 0, np.array(layer.shape[1::-1]) - 1)) for place in places)
            (left, right), (top, bottom) = (sorted(ends) for ends in zip(first, last, strict=True))
            line = np.s_[top : bottom + 1, left : right + 1]
            share = BOLD_GRID_SHARE if bold else GRID_SHARE
            drawing.rgb[line] = np.rint(layer[line] * (1 - share) + np.array(GRID_COLOUR) * share).astype(np.uint8)
            if bold and step:
                drawing.label(places[0], f"{step * GRID_MM / 10:.0f}", 10, GRID_COLOUR, ground=False)
