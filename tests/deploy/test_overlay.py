"""Drawing: the size, what is drawn where, and that the photo itself is left alone."""

import numpy as np
import pytest
from PIL import Image

from deploy.feet import Foot
from deploy.meter import Caution, Corner, Measurement
from deploy.overlay import CORNER_COLOURS, draw_measurement, foot_colour, write_overlay
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


@pytest.mark.parametrize("scale", [0.4, 1.0, 6.0])
def test_size_is_kept_up_to_the_limit(scale):
    measurement = example(scale)
    rgb = np.full((measurement.height, measurement.width, 3), 120, np.uint8)
    drawn = draw_measurement(rgb, measurement, long_side=1600)
    assert drawn.dtype == np.uint8
    assert max(drawn.shape[:2]) == min(1600, max(rgb.shape[:2]))
    assert (rgb == 120).all()
    assert (drawn != 120).any()


def test_corners_have_the_colour_of_their_state():
    measurement = example()
    drawn = draw_measurement(np.full((480, 420, 3), 120, np.uint8), measurement).astype(int)
    for x, y, state in ((100, 90, "visible"), (310, 90, "covered")):
        window = drawn[y - 12 : y + 13, x - 12 : x + 13].reshape(-1, 3)
        assert (np.abs(window - CORNER_COLOURS[state]).sum(axis=1) < 12).any()


def test_a_foot_is_tinted_by_its_side_and_only_there():
    measurement = example()
    drawn = draw_measurement(np.full((480, 420, 3), 120, np.uint8), measurement).astype(float)
    tint = np.array(foot_colour(measurement.feet[0])) - 120.0
    assert (drawn[330, 180] - 120) @ tint > 0
    assert (drawn[440, 60] == 120).all()


def test_without_feet_and_with_corners_far_outside():
    measurement = example(feet=False)
    far = tuple(Corner(c.x * 1e4, c.y * 1e4, 0.1, "outside", "network") for c in measurement.corners)
    measurement = Measurement(**{**{f: getattr(measurement, f) for f in measurement.__dataclass_fields__},
                                 "corners": far})
    assert draw_measurement(np.zeros((480, 420, 3), np.uint8), measurement).shape == (480, 420, 3)


def test_a_file_is_written_in_new_folders(tmp_path):
    path = tmp_path / "a" / "b" / "one.jpg"
    write_overlay(path, np.zeros((480, 420, 3), np.uint8), example())
    with Image.open(path) as image:
        assert image.format == "JPEG" and image.size == (420, 480)
