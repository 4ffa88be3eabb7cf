"""A Measurement drawn for people to look at: on its photo, beside it the sheet from above, below it the words."""

import io

import cv2
import numpy as np
from PIL import Image

from deploy.corners import to_resized
from deploy.drawing import WHITE, Drawing, captions, filled
from deploy.feet import PLAN_HEIGHT_MM
from deploy.plan import SHEET_COLOUR, draw_plan, foot_colour, measured_lines
from deploy.shoe_sizes import eu_sizes_in, shoe_sizes

LONG_SIDES = 1000, 1600  # px; smaller photos are drawn larger, larger ones smaller
CORNER_COLOURS = {"visible": (46, 204, 113), "covered": (255, 165, 0), "outside": (231, 76, 60)}
WARNING_COLOUR, SOFT_COLOUR, GAP_COLOUR = (255, 200, 100), (165, 175, 186), (24, 28, 33)
WORDS_UNITS = 800  # a drawing is so many units of its words high
TINT = 0.2  # of a foot's colour over its pixels
JPEG_QUALITY = 88


def draw_measurement(rgb, measurement):
    """The photo with what was measured on it, and the sheet from above beside it: uint8 (h, w, 3).

    rgb: uint8 (H, W, 3). measurement: deploy.meter.Measurement of that photo. The photo is drawn within LONG_SIDES px.
    The sheet is outlined; a corner is ringed in green when seen, crossed in orange when covered, in red when outside
    the photo; feet are tinted by side, with the lines that were measured and their numbers.
    """
    photo, unit = _draw_on_photo(rgb, measurement)
    plan = draw_plan(rgb, measurement, photo.shape[0], unit)
    return np.concatenate([photo, np.full((photo.shape[0], round(6 * unit), 3), GAP_COLOUR, np.uint8), plan], axis=1)


def with_words(drawn, measurement):
    """A drawing of `draw_measurement` with what was measured below it in words: uint8 (h, w, 3)."""
    words = captions(drawn.shape[1], _words(measurement), drawn.shape[0] / WORDS_UNITS, GAP_COLOUR)
    return np.concatenate([drawn, words], axis=0)


def _draw_on_photo(rgb, measurement):
    """The photo with what was measured on it, uint8 (h, w, 3), and the unit of its lines in px."""
    height, width = rgb.shape[:2]
    factor = float(np.clip(max(height, width), *LONG_SIDES)) / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    canvas = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    scale = np.array([size[0] / width, size[1] / height])
    drawing = Drawing(canvas, max(size) / 800)
    for foot in measurement.feet:
        outline = to_resized(foot.contour, scale)
        drawing.tint(filled(outline, canvas.shape[:2]), foot_colour(foot), TINT)
        drawing.outline(outline, foot_colour(foot))
    _draw_sheet(drawing, measurement.corners, scale)
    camera = measurement.sheet.camera
    for foot in measurement.feet:
        ends = np.column_stack([measured_lines(foot, camera).breadth, [PLAN_HEIGHT_MM, PLAN_HEIGHT_MM]])
        drawing.dimension(to_resized(foot.heel, scale), to_resized(foot.toe, scale), f"{foot.length_mm:.0f} mm", 0.4)
        drawing.dimension(*to_resized(camera.project(ends), scale), f"{foot.width_mm:.0f} mm", 0.25)
    return drawing.finish(), drawing.unit


def jpeg_bytes(drawn):
    """A drawing, uint8 (h, w, 3), as the bytes of a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(drawn).save(stream, format="JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def _draw_sheet(drawing, corners, scale):
    places = [to_resized((corner.x, corner.y), scale) for corner in corners]
    for i in range(4):
        drawing.line(places[i], places[(i + 1) % 4], SHEET_COLOUR)
    for place, corner in zip(places, corners, strict=True):
        mark = drawing.ring if corner.state == "visible" else drawing.cross
        mark(place, CORNER_COLOURS[corner.state])
        if corner.state != "visible":
            drawing.label(place + np.array([0, 18 * drawing.unit]), corner.state, 11, CORNER_COLOURS[corner.state])


def _words(measurement):
    """Lines of the captions, (text, RGB)."""
    sheet = measurement.sheet
    lines = []
    for foot in measurement.feet:
        sizes, half = shoe_sizes(foot.length_mm), eu_sizes_in(foot.length_uncertainty_mm)
        lines.append((f"{foot.side.capitalize()} foot: {foot.length_mm:.0f} \u00b1 {foot.length_uncertainty_mm:.0f} mm "
                      f"long, {foot.width_mm:.0f} \u00b1 {foot.width_uncertainty_mm:.0f} mm wide; "
                      f"shoe size about EU {sizes.eu:g} \u00b1 {half:g}", WHITE))
    lines.append((f"{sheet.format.name.upper()} sheet ({sheet.confidence:.0%} sure), squares of 1 cm; camera "
                  f"{sheet.camera.height_mm / 10:.0f} cm up, tilted {sheet.camera.tilt_deg:.0f}\u00b0", SOFT_COLOUR))
    return lines + [(f"! {warning.message}", WARNING_COLOUR) for warning in measurement.warnings]
