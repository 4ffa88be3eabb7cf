"""Drawing: the size, what is drawn where, and that the photo itself is left alone."""

import io

import numpy as np
import pytest
from PIL import Image

from deploy import overlay
from deploy.feet import Foot
from deploy.meter import Caution, Corner, Measurement
from deploy.overlay import CORNER_COLOURS, draw_measurement, jpeg_bytes, with_words
from deploy.plan import foot_colour
from scenes.camera import decide_sheet

CORNERS = np.array([[100.0, 90.0], [310.0, 90.0], [310.0, 387.0], [100.0, 387.0]])


def example(scale=1.0, feet=True):
    size = round(420 * scale), round(480 * scale)
    corners = CORNERS * scale
    states = ("visible", "covered", "visible", "visible")
    contour = np.array([[170, 150], [240, 150], [240, 350], [170, 350]]) * scale
    foot = Foot("left", 0.9, 240.0, 95.0, 2.0, 1.5, np.array([205.0, 350]) * scale, np.array([205.0, 150]) * scale,
                np.rint(contour).astype(np.int32), False, False, 1.0)
    drawn = tuple(Corner(x, y, 0.9, state, "edges") for (x, y), state in zip(corners, states, strict=True))
    cautions = (Caution("corner_covered", "covered"),)
    return Measurement("a.jpg", *size, decide_sheet(corners, size), drawn, (foot,) if feet else (), cautions,
                       {"read": 1.0}, np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("scale, height", [(0.4, 1000), (2.5, 1200), (6.0, 1600)])
def test_photos_are_drawn_within_the_limits(scale, height):
    measurement = example(scale)
    rgb = np.full((measurement.height, measurement.width, 3), 120, np.uint8)
    drawn = draw_measurement(rgb, measurement)
    assert drawn.dtype == np.uint8 and drawn.shape[0] == height
    assert (rgb == 120).all()
    assert drawn[10, round(10 * height / 480)].tolist() == [120, 120, 120]


def on_photo(measurement, places):
    """What is drawn of a grey photo at places (x, y) of the photo, 2.5 times the example, which is drawn as it is."""
    drawn = draw_measurement(np.full((1200, 1050, 3), 120, np.uint8), measurement).astype(int)
    return [drawn[round(2.5 * y) - 20 : round(2.5 * y) + 21, round(2.5 * x) - 20 : round(2.5 * x) + 21].reshape(-1, 3)
            for x, y in places]


def test_corners_have_the_colour_of_their_state():
    windows = on_photo(example(2.5), [(100, 90), (310, 90)])
    for window, state in zip(windows, ("visible", "covered"), strict=True):
        assert (np.abs(window - CORNER_COLOURS[state]).sum(axis=1) < 12).any()
        others = [colour for name, colour in CORNER_COLOURS.items() if name != state]
        assert not any((np.abs(window - colour).sum(axis=1) < 12).any() for colour in others)


def test_a_foot_is_tinted_by_its_side_and_only_there():
    measurement = example(2.5)
    inside, outside = on_photo(measurement, [(190, 320), (60, 440)])
    tint = np.array(foot_colour(measurement.feet[0])) - 120.0
    assert ((inside - 120.0) @ tint > 0).all()
    assert (outside == 120).all()


def test_words_tell_the_feet_and_the_warnings():
    measurement = example(2.5)
    said = [text for text, _ in overlay._words(measurement)]
    assert said[0] == "Left foot: 240 \u00b1 2 mm long, 95 \u00b1 2 mm wide; shoe size about EU 38 \u00b1 0.5"
    assert said[1].startswith("A4 sheet") and said[2] == "! covered"
    drawn = np.full((1200, 2000, 3), 120, np.uint8)
    worded = with_words(drawn, measurement)
    assert (worded[:1200] == drawn).all() and worded.shape[0] > 1260 and worded[1200:].max() > 200


def test_without_feet_and_with_corners_far_outside():
    measurement = example(feet=False)
    far = tuple(Corner(c.x * 1e4, c.y * 1e4, 0.1, "outside", "network") for c in measurement.corners)
    measurement = Measurement(**{**{f: getattr(measurement, f) for f in measurement.__dataclass_fields__},
                                 "corners": far})
    drawn = draw_measurement(np.zeros((480, 420, 3), np.uint8), measurement)
    assert drawn.shape[0] == 1000 and with_words(drawn, measurement).shape[1] == drawn.shape[1]


def test_a_drawing_as_the_bytes_of_a_file():
    with Image.open(io.BytesIO(jpeg_bytes(np.zeros((480, 420, 3), np.uint8)))) as image:
        assert image.format == "JPEG" and image.size == (420, 480)
