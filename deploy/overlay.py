"""A Measurement drawn on its photo, for people to look at."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deploy.corners import to_resized
from scenes.labels import LEFT_FOOT, PALETTE, RIGHT_FOOT

LONG_SIDE = 1600  # px; larger photos are drawn smaller
CORNER_COLOURS = {"visible": (46, 204, 113), "covered": (255, 165, 0), "outside": (231, 76, 60)}
SHEET_COLOUR = (52, 152, 219)
AXIS_COLOUR = (255, 255, 255)
TINT = 0.35  # of a foot's colour over its pixels
JPEG_QUALITY = 88


def draw_measurement(rgb, measurement, long_side=LONG_SIDE):
    """The photo, at most long_side pixels long, with what was measured on it.

    rgb: uint8 (H, W, 3). measurement: deploy.meter.Measurement of that photo. Returns uint8 (h, w, 3). The sheet is
    outlined; a corner is green when seen, orange when covered, red when outside the photo; feet are tinted by side,
    with the line from heel to toe that was measured and the measures beside it.
    """
    height, width = rgb.shape[:2]
    factor = min(1.0, long_side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    canvas = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if factor < 1 else rgb.copy()
    scale = np.array([size[0] / width, size[1] / height])
    unit = max(1.0, max(size) / 800)  # thickness of a thin line
    _tint_feet(canvas, measurement.feet, scale, unit)
    _draw_sheet(canvas, measurement.corners, scale, unit)
    for foot in measurement.feet:
        heel, toe = (to_resized(point, scale) for point in (foot.heel, foot.toe))
        for colour, thickness in (((0, 0, 0), 4 * unit), (AXIS_COLOUR, 2 * unit)):
            _line(canvas, heel, toe, colour, thickness)
            _bar(canvas, heel, toe - heel, colour, thickness, 8 * unit)
            _bar(canvas, toe, toe - heel, colour, thickness, 8 * unit)
    return _write_texts(canvas, measurement, scale, unit)


def write_overlay(path, rgb, measurement):
    """Draw and write a JPEG; folders are made. path: without regard to the extension that it ends with."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_measurement(rgb, measurement)).save(path, format="JPEG", quality=JPEG_QUALITY)


def _fixed(point):
    """A point in OpenCV's fixed-point pixels with 4 binary places, within what it can draw."""
    return tuple(int(v) for v in np.rint(np.clip(point, -30000, 30000) * 16))


def _line(canvas, start, end, colour, thickness):
    cv2.line(canvas, _fixed(start), _fixed(end), colour, max(1, round(thickness)), cv2.LINE_AA, shift=4)


def _bar(canvas, place, direction, colour, thickness, half_length):
    length = float(np.linalg.norm(direction))
    if length > 0:
        across = np.array([-direction[1], direction[0]]) / length * half_length
        _line(canvas, place - across, place + across, colour, thickness)


def foot_colour(foot):
    """RGB of a foot by its side, as in the palette of the labels."""
    return tuple(int(v) for v in PALETTE[LEFT_FOOT if foot.side == "left" else RIGHT_FOOT])


def _tint_feet(canvas, feet, scale, unit):
    for foot in feet:
        outline = np.rint(to_resized(foot.contour, scale)).astype(np.int32)
        region = np.zeros(canvas.shape[:2], np.uint8)
        cv2.drawContours(region, [outline], -1, 1, cv2.FILLED)
        colour = np.array(foot_colour(foot), np.float32)
        canvas[region > 0] = np.rint(canvas[region > 0] * (1 - TINT) + colour * TINT).astype(np.uint8)
        cv2.drawContours(canvas, [outline], -1, foot_colour(foot), max(1, round(1.5 * unit)), cv2.LINE_AA)


def _draw_sheet(canvas, corners, scale, unit):
    places = [to_resized((corner.x, corner.y), scale) for corner in corners]
    for i in range(4):
        _line(canvas, places[i], places[(i + 1) % 4], SHEET_COLOUR, 2 * unit)
    for place, corner in zip(places, corners, strict=True):
        radius = round(7 * unit * 16)
        cv2.circle(canvas, _fixed(place), radius, (0, 0, 0), max(1, round(4 * unit)), cv2.LINE_AA, shift=4)
        cv2.circle(canvas, _fixed(place), radius, CORNER_COLOURS[corner.state], max(1, round(2 * unit)), cv2.LINE_AA,
                   shift=4)


def _write_texts(canvas, measurement, scale, unit):
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(11, round(17 * unit)))
    sheet = measurement.sheet
    lines = [f"{sheet.format.name.upper()} {sheet.confidence:.0%}"] + [w.code for w in measurement.warnings]
    _text(draw, (8 * unit, 6 * unit), "\n".join(lines), font, image.size)
    for foot in measurement.feet:
        text = (
            f"{foot.side}\n{foot.length_mm:.0f} \u00b1 {foot.length_uncertainty_mm:.0f} mm long\n"
            f"{foot.width_mm:.0f} \u00b1 {foot.width_uncertainty_mm:.0f} mm wide"
        )
        middle = (to_resized(foot.heel, scale) + to_resized(foot.toe, scale)) / 2
        _text(draw, middle + 14 * unit, text, font, image.size)
    return np.asarray(image)


def _text(draw, place, text, font, size):
    """White text with a dark rim, moved so that all of it is in the image."""
    left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font=font)
    x = min(max(float(place[0]), 2), max(size[0] - right - 4, 2))
    y = min(max(float(place[1]), 2), max(size[1] - bottom - 4, 2))
    rim = max(1, round(font.size / 9))
    draw.multiline_text((x, y), text, font=font, fill=(255, 255, 255), stroke_width=rim, stroke_fill=(20, 20, 20))
