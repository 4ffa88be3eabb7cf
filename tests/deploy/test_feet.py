"""Feet drawn at known millimetres through known cameras."""

import cv2
import numpy as np
import pytest

from deploy.feet import class_mask, find_feet
from deploy.outline import OUTLINE
from scenes.camera import Camera
from scenes.labels import BACKGROUND, LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.sheet import A4, corners_mm

WIDTH, HEIGHT, FOCAL = 900, 1200, 950.0


def camera_over_sheet(tilt_deg=0.0, bearing_deg=0.0, distance_mm=620.0):
    """A camera that looks at the sheet's centre, leaning back towards `bearing` (0: from the sheet's lower edge)."""
    tilt, bearing = np.radians([tilt_deg, bearing_deg])
    ahead = np.array([-np.sin(bearing), np.cos(bearing), 0.0])
    position = distance_mm * (np.cos(tilt) * np.array([0, 0, 1.0]) - np.sin(tilt) * ahead)
    forward = -position / distance_mm
    right = np.array([ahead[1], -ahead[0], 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Camera(FOCAL, None, rotation, -rotation @ position, WIDTH, HEIGHT)


def foot_points(side, length, width, turn_deg=0.0, middle=(0.0, 0.0)):
    """Outline (48, 3) mm of a foot of the mean shape, heights included; toes at +y where turn is 0."""
    across = OUTLINE[:, 1] * (1 if side == "left" else -1) * width
    along = ((OUTLINE[:, 0] - OUTLINE[:, 0].min()) / np.ptp(OUTLINE[:, 0]) - 0.5) * length
    turn = np.radians(turn_deg)
    x = np.cos(turn) * across - np.sin(turn) * along + middle[0]
    y = np.sin(turn) * across + np.cos(turn) * along + middle[1]
    return np.column_stack([x, y, OUTLINE[:, 2]])


def draw_labels(camera, feet=(), legs=()):
    """Class ids (H, W) of a sheet with feet (side, points (N, 3)) and legs (polygons (N, 2) px) on it."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = camera.project(np.column_stack([corners_mm(A4), np.zeros(4)]))
    cv2.fillPoly(labels, [np.rint(corners * 16).astype(np.int32)], SHEET, shift=4)
    for side, points in feet:
        outline = np.rint(camera.project(points) * 16).astype(np.int32)
        cv2.fillPoly(labels, [outline], LEFT_FOOT if side == "left" else RIGHT_FOOT, shift=4)
    for leg in legs:
        cv2.fillPoly(labels, [np.rint(leg).astype(np.int32)], BACKGROUND)
    return labels, corners


def measure(camera, labels, corners, **options):
    probabilities = np.eye(4, dtype=np.float32)[labels]
    return find_feet(probabilities, camera, corners, 1.0, 1.0, **options)


@pytest.mark.parametrize(
    "places",
    [[(-36.0, 0.0), (36.0, 0.0)], [(0.0, 95.0), (0.0, -95.0)]],
    ids=["side by side", "one behind the other"],
)
def test_small_feet_are_two(places):
    camera = camera_over_sheet()
    feet = [(side, foot_points(side, 170.0, 62.0, 0.0, place))
            for side, place in zip(("left", "right"), places, strict=True)]
    assert sorted(foot.side for foot in measure(camera, *draw_labels(camera, feet))) == ["left", "right"]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("tilt, bearing, turn", [(0, 0, 0), (12, 0, 8), (10, 180, -5), (15, 90, 0), (10, 30, 170)])
def test_a_flat_outline_is_measured(side, tilt, bearing, turn):
    camera = camera_over_sheet(tilt, bearing)
    labels, corners = draw_labels(camera, [(side, foot_points(side, 240.0, 95.0, turn))])
    feet = measure(camera, labels, corners)
    assert len(feet) == 1
    foot = feet[0]
    assert foot.side == side
    # The drawn outline is flat wire, without the roundness that is corrected for: that is part of the tolerance.
    assert foot.length_mm == pytest.approx(240.0, abs=4.5)
    assert foot.width_mm == pytest.approx(95.0, abs=3.0)
    assert not foot.touches_border and not foot.heel_hidden
    assert foot.share_on_sheet > 0.99
    direction = camera.backproject(np.stack([foot.heel, foot.toe]), 20.0)
    along = (direction[1] - direction[0]) / np.linalg.norm(direction[1] - direction[0])
    expected = np.array([-np.sin(np.radians(turn)), np.cos(np.radians(turn))])
    assert along @ expected > 0.99


def test_straight_from_above_within_two_millimetres():
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera, [("left", foot_points("left", 250.0, 98.0))])
    foot, = measure(camera, labels, corners)
    assert foot.length_mm == pytest.approx(250.0, abs=2.0)
    assert foot.width_mm == pytest.approx(98.0, abs=2.0)
    assert foot.length_uncertainty_mm > 0 and foot.width_uncertainty_mm > 0


def test_a_heel_under_the_leg_is_estimated_and_said_to_be():
    camera = camera_over_sheet(8)
    labels, corners = draw_labels(camera, [("right", foot_points("right", 245.0, 96.0))])
    middle = camera.project(np.array([[0.0, -70.0, 40.0]]))[0]
    leg = np.array([[middle[0] - 130, HEIGHT], [middle[0] - 90, middle[1]], [middle[0] + 90, middle[1]],
                    [middle[0] + 130, HEIGHT]])
    whole, = measure(camera, labels, corners)
    labels, corners = draw_labels(camera, [("right", foot_points("right", 245.0, 96.0))], [leg])
    hidden, = measure(camera, labels, corners)
    assert hidden.heel_hidden
    assert hidden.side == "right"
    assert hidden.length_mm == pytest.approx(245.0, abs=15.0)
    assert hidden.length_uncertainty_mm > 2 * whole.length_uncertainty_mm


def test_two_feet_are_two():
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera, [("left", foot_points("left", 220.0, 85.0, middle=(-52, 0))),
                                           ("right", foot_points("right", 235.0, 90.0, middle=(52, 0)))])
    feet = measure(camera, labels, corners)
    assert sorted(foot.side for foot in feet) == ["left", "right"]
    assert feet[0].length_mm > feet[1].length_mm  # largest first
    assert feet[0].length_mm == pytest.approx(235.0, abs=4.0)


def test_two_feet_that_touch_are_parted_by_their_classes():
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera, [("left", foot_points("left", 230.0, 95.0, middle=(-46, 0))),
                                           ("right", foot_points("right", 230.0, 95.0, middle=(46, 0)))])
    feet = measure(camera, labels, corners)
    assert sorted(foot.side for foot in feet) == ["left", "right"]


@pytest.mark.parametrize("turn", [0, 40])
def test_two_ends_of_a_foot_whose_middle_is_lost_are_one(turn):
    camera = camera_over_sheet(8)
    feet = [("left", foot_points("left", 250.0, 97.0, turn))]
    whole, = measure(camera, *draw_labels(camera, feet))
    labels, corners = draw_labels(camera, feet)
    across, along = np.array([-np.sin(np.radians(turn)), np.cos(np.radians(turn))]), np.radians(turn)
    lost = [20.0 * up * across + 80.0 * side * np.array([np.cos(along), np.sin(along)]) - 30.0 * across
            for up, side in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    cv2.fillPoly(labels, [np.rint(camera.project(np.column_stack([lost, np.zeros(4)]))).astype(np.int32)], SHEET)
    labels[(labels == LEFT_FOOT) & (np.arange(HEIGHT)[:, None] > HEIGHT / 2 + 60)] = RIGHT_FOOT
    parts, _ = cv2.connectedComponents((labels >= LEFT_FOOT).astype(np.uint8))
    assert parts == 3  # with the background
    foot, = measure(camera, labels, corners)
    assert foot.side == "left"
    assert foot.length_mm == pytest.approx(whole.length_mm, abs=6.0)
    assert foot.width_mm == pytest.approx(whole.width_mm, abs=4.0)


def test_a_stray_blob_and_a_foot_beside_the_sheet_are_no_feet():
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera)
    cv2.circle(labels, (450, 600), 12, LEFT_FOOT, cv2.FILLED)
    cv2.ellipse(labels, (60, 600), (40, 150), 0, 0, 360, RIGHT_FOOT, cv2.FILLED)
    assert measure(camera, labels, corners) == []


def test_a_foot_at_the_photos_border_says_so():
    camera = camera_over_sheet(distance_mm=300.0)
    labels, corners = draw_labels(camera, [("left", foot_points("left", 400.0, 100.0, middle=(0, 120)))])
    feet = measure(camera, labels, corners)
    assert feet and feet[0].touches_border


def test_the_side_may_come_from_elsewhere():
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera, [("left", foot_points("left", 240.0, 95.0))])
    seen = []
    measure(camera, labels, corners, left_probability=lambda region: seen.append(region) or 0.5)
    assert len(seen) == 1 and seen[0].dtype == bool and (seen[0] == (labels == LEFT_FOOT)).mean() > 0.999


# An outline that speaks for the left one as clearly as it may is worth 1 log unit, the pixels 2.5 and the network for
# the side 3.4, and of their sum six tenths count.
@pytest.mark.parametrize("p_left, pixels_left, odds", [
    (0.99, 1.0, 3.4 + 2.5 + 1), (0.01, 0.5, -3.4 + 1), (0.01, 1.0, -3.4 + 2.5 + 1), (0.5, 0.0, -2.5 + 1),
    (0.5, 0.5, 1), (float("nan"), 1.0, 2.5 + 1),
])
def test_the_side_is_what_networks_and_outline_say_together(p_left, pixels_left, odds):
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera, [("left", foot_points("left", 240.0, 95.0))])
    probabilities = np.eye(4, dtype=np.float32)[labels]
    probabilities[labels == LEFT_FOOT] = [0, 0, pixels_left, 1 - pixels_left]
    foot, = find_feet(probabilities, camera, corners, 1.0, 1.0, left_probability=lambda region: p_left)
    assert foot.side == ("left" if odds > 0 else "right")
    assert foot.side_confidence == pytest.approx(1 / (1 + np.exp(-0.6 * abs(odds))), abs=1e-3)


def test_holes_and_narrow_tears_do_not_change_a_foot():
    camera = camera_over_sheet()
    labels, corners = draw_labels(camera, [("left", foot_points("left", 240.0, 95.0))])
    whole, = measure(camera, labels, corners)
    cv2.circle(labels, (450, 620), 20, SHEET, cv2.FILLED)
    cv2.line(labels, (200, 560), (700, 560), SHEET, 3)
    torn, = measure(camera, labels, corners)
    assert torn.length_mm == pytest.approx(whole.length_mm, abs=1.0)


def test_class_mask_takes_both_sides_together():
    probabilities = np.array([[[0.0, 0.4, 0.35, 0.25], [0.5, 0.1, 0.1, 0.3], [0.1, 0.6, 0.1, 0.2]]], np.float32)
    assert class_mask(probabilities).tolist() == [[LEFT_FOOT, BACKGROUND, SHEET]]
