"""A picture that is drawn on: lines between pixels, dimensions with their numbers, labels over everything."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
LABEL_GROUND, LABEL_ALPHA = (20, 24, 29), 200


class Drawing:
    """rgb: uint8 (h, w, 3), which is drawn over. unit: thickness of a thin line, px; everything else goes with it."""

    def __init__(self, rgb, unit):
        self.rgb, self.unit = np.ascontiguousarray(rgb), unit
        self._labels = []

    def line(self, start, end, colour, thickness=2.0):
        """A line between two points (2,), px; thickness in units."""
        cv2.line(self.rgb, fixed(start), fixed(end), colour, self._px(thickness), cv2.LINE_AA, shift=4)

    def ring(self, place, colour, radius=7.0):
        """A ring with a dark rim around a point."""
        size = round(radius * self.unit * 16)
        for tone, thickness in ((BLACK, 4), (colour, 2)):
            cv2.circle(self.rgb, fixed(place), size, tone, self._px(thickness), cv2.LINE_AA, shift=4)

    def cross(self, place, colour, radius=7.0):
        """A cross with a dark rim, as large as a ring."""
        reach = radius * self.unit * np.sqrt(0.5)
        for tone, thickness in ((BLACK, 4), (colour, 2)):
            for diagonal in ((1, 1), (1, -1)):
                self.line(place - reach * np.array(diagonal), place + reach * np.array(diagonal), tone, thickness)

    def outline(self, points, colour, thickness=1.5):
        """A closed outline through points (N, 2)."""
        whole = np.rint(np.clip(points, -30000, 30000) * 16).astype(np.int32)
        cv2.polylines(self.rgb, [whole], True, colour, self._px(thickness), cv2.LINE_AA, shift=4)

    def tint(self, region, colour, share):
        """Colours a region, bool (h, w), with a share of 0..1 of a colour."""
        self.rgb[region] = np.rint(self.rgb[region] * (1 - share) + np.array(colour) * share).astype(np.uint8)

    def dimension(self, start, end, text, at=0.5):
        """A line between two points with a bar at either end, and a label at a share of its way."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        along = end - start
        length = max(float(np.hypot(*along)), 1e-9)
        across = np.array([-along[1], along[0]]) / length * 7 * self.unit
        for tone, thickness in ((BLACK, 4), (WHITE, 2)):
            self.line(start, end, tone, thickness)
            for place in (start, end):
                self.line(place - across, place + across, tone, thickness)
        self.label(start + at * along, text)

    def label(self, middle, text, size=14.0, colour=WHITE, ground=True):
        """A text around a point, moved so that all of it is in the picture; drawn by `finish`."""
        self._labels.append((middle, text, size, colour, ground))

    def finish(self):
        """The picture with its labels: uint8 (h, w, 3)."""
        image = Image.fromarray(self.rgb)
        draw = ImageDraw.Draw(image, "RGBA")
        for middle, text, size, colour, ground in self._labels:
            letters = font(size * self.unit)
            left, top, right, bottom = draw.textbbox((0, 0), text, font=letters, anchor="mm")
            rim = 0.35 * letters.size
            box = np.array([left - rim, top - rim, right + rim, bottom + rim])
            room = np.array([*image.size, *image.size])
            place = np.clip(np.nan_to_num(np.asarray(middle, float)), -box[:2] + 2, room[2:] - box[2:] - 2)
            if ground:
                draw.rounded_rectangle(tuple(box + [*place, *place]), rim, fill=(*LABEL_GROUND, LABEL_ALPHA))
            draw.text(tuple(place), text, font=letters, fill=colour, anchor="mm")
        return np.asarray(image)

    def _px(self, thickness):
        return max(1, round(thickness * self.unit))


def font(size):
    """Pillow's own font, of at least 9 px."""
    return ImageFont.load_default(size=max(9.0, size))


def fixed(point):
    """A point in OpenCV's fixed-point pixels with 4 binary places, within what it can draw."""
    return tuple(int(v) for v in np.rint(np.clip(np.nan_to_num(point, nan=-30000), -30000, 30000) * 16))


def filled(points, shape):
    """Region bool (h, w) of an outline (N, 2), px."""
    region = np.zeros(shape, np.uint8)
    cv2.fillPoly(region, [np.rint(np.clip(points, -30000, 30000)).astype(np.int32)], 1)
    return region > 0


def captions(width, lines, unit, ground=(24, 28, 33)):
    """A strip of text, uint8 (h, width, 3). lines: (text, RGB); those that are too long are broken between words."""
    letters, rim = font(16 * unit), round(10 * unit)
    broken = [(part, colour) for text, colour in lines for part in _broken(text, letters, width - 2 * rim)]
    pitch = round(1.4 * letters.size)
    image = Image.new("RGB", (width, 2 * rim + pitch * len(broken)), ground)
    draw = ImageDraw.Draw(image)
    for number, (text, colour) in enumerate(broken):
        draw.text((rim, rim + (number + 0.5) * pitch), text, font=letters, fill=colour, anchor="lm")
    return np.asarray(image)


def _broken(text, letters, width):
    parts = [""]
    for word in text.split(" "):
        longer = f"{parts[-1]} {word}".strip()
        if parts[-1] and letters.getlength(longer) > width:
            parts.append(word)
        else:
            parts[-1] = longer
    return parts
