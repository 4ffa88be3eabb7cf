import cv2
import numpy as np
import pytest

from scenes.camera import Camera
from scenes.crops import OUTSIDE_GREY, SPAN_MM, crop_to_sheet, foot_crop, upright
from scenes.sheet import transform

# One pixel a millimetre, the sheet's origin at pixel (200, 150), seen from above.
FROM_ABOVE = np.array([[1.0, 0, 200], [0, -1, 150], [0, 0, 1]])


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def smooth(height, width):
    """Blotches of full contrast, so coarse that resampling changes little."""
    blurred = cv2.GaussianBlur(noise(height, width).astype(np.float32), (0, 0), 8)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def assert_same_crop(a, b):
    """But for rounding: a warp's coordinates are rounded to 1/32 of a pixel, by which the mask's edge changes most."""
    difference = np.abs(a.astype(int) - b)
    assert difference[..., :3].max() <= 8 and difference[..., 3].max() <= 32 and difference[..., 3].mean() < 0.5


def ellipse(shape, centre, axes, angle_deg):
    mask = np.zeros(shape, np.uint8)
    cv2.ellipse(mask, centre, axes, angle_deg, 0, 360, 1, cv2.FILLED)
    return mask > 0


def tilted_camera(tilt_deg=35.0, distance_mm=700.0, focal_px=500.0):
    """Looks at the sheet's origin from its near side."""
    tilt = np.deg2rad(tilt_deg)
    back = np.array([0, -np.sin(tilt), np.cos(tilt)])
    down = np.array([0, -np.cos(tilt), -np.sin(tilt)])
    rotation = np.stack([[1.0, 0, 0], down, -back])
    return Camera(focal_px, (239.5, 319.5), rotation, -rotation @ (back * distance_mm), 480, 640)


def test_an_upright_foot_at_the_crop_s_scale_is_copied():
    rgb = noise(301, 401)
    foot = np.zeros((301, 401), bool)
    foot[100:181, 210:241] = True  # its middle is pixel (225, 140)
    crop = foot_crop(rgb, foot, FROM_ABOVE, size_px=97, span_mm=97.0)
    assert crop.shape == (97, 97, 4) and crop.dtype == np.uint8
    np.testing.assert_array_equal(crop[..., :3], rgb[140 - 48 : 140 + 49, 225 - 48 : 225 + 49])
    np.testing.assert_array_equal(crop[..., 3], foot[140 - 48 : 140 + 49, 225 - 48 : 225 + 49] * 255)


def test_crop_pixels_are_sheet_millimetres_seen_from_above():
    # 4 mm a pixel; up is the sheet's x: what lies to the right of that is the sheet's -y.
    matrix = crop_to_sheet((10.0, 20.0), (1.0, 0.0), size_px=5, span_mm=20.0)
    pixels = [[2, 2], [2, 0], [4, 2], [0, 4]]
    np.testing.assert_allclose(transform(matrix, pixels), [[10, 20], [18, 20], [10, 12], [2, 28]])
    # x right and y down against x right and y up: the determinant of a map that does not mirror is negative.
    assert np.linalg.det(matrix) == pytest.approx(-16)


@pytest.mark.parametrize("angle_deg", [0, 25, 65, 115, 160])
def test_the_longest_axis_is_found_and_stands_upright(angle_deg):
    # cv2 turns clockwise in the image from x; the sheet's angle is the opposite.
    foot = ellipse((301, 401), (230, 140), (100, 35), angle_deg)
    centre, axis = upright(foot, FROM_ABOVE)
    expected = np.array([np.cos(np.deg2rad(angle_deg)), -np.sin(np.deg2rad(angle_deg))])
    np.testing.assert_allclose(centre, [30, 10], atol=0.6)
    assert abs(axis @ expected) > np.cos(np.deg2rad(0.5)) and axis[1] >= 0
    crop = foot_crop(smooth(301, 401), foot, FROM_ABOVE, size_px=80)
    rows, columns = np.nonzero(crop[..., 3] > 127)
    np.testing.assert_allclose([rows.min() + rows.max(), columns.min() + columns.max()], 79, atol=1)
    assert np.ptp(rows) + 1 == pytest.approx(200 / 4, abs=1.5) and np.ptp(columns) + 1 == pytest.approx(70 / 4, abs=1.5)


def test_the_middle_is_that_of_the_extent_not_of_the_mass():
    foot = np.zeros((301, 401), bool)
    foot[50:251, 199:202] = True
    foot[50:81, 190:211] = True  # most of the mass is at one end
    centre, axis = upright(foot, FROM_ABOVE)
    np.testing.assert_allclose(centre, [0, 0], atol=1e-6)
    np.testing.assert_allclose(axis, [0, 1], atol=1e-6)


def test_a_mirrored_scene_gives_the_mirrored_crop():
    rgb, foot = smooth(640, 480), ellipse((640, 480), (250, 300), (90, 40), 70)
    sheet_to_image = tilted_camera().sheet_to_image
    mirror_image = np.array([[-1.0, 0, 479], [0, 1, 0], [0, 0, 1]])
    mirrored = foot_crop(rgb[:, ::-1], foot[:, ::-1], mirror_image @ sheet_to_image @ np.diag([-1.0, 1, 1]))
    crop = foot_crop(rgb, foot, sheet_to_image)
    assert_same_crop(mirrored[:, ::-1], crop)
    # which is not the crop itself, either way up
    assert np.abs(mirrored[..., :3].astype(int) - crop[..., :3]).mean() > 5
    assert np.abs(mirrored[::-1, ::-1, :3].astype(int) - crop[..., :3]).mean() > 5


def test_how_the_phone_was_held_does_not_show():
    rgb, foot = smooth(640, 480), ellipse((640, 480), (250, 300), (90, 40), 70)
    sheet_to_image = tilted_camera().sheet_to_image
    crop = foot_crop(rgb, foot, sheet_to_image)
    # np.rot90 turns anticlockwise: (x, y) goes to (y, width - 1 - x).
    quarter = np.array([[0.0, 1, 0], [-1, 0, 479], [0, 0, 1]])
    turned = foot_crop(np.rot90(rgb), np.rot90(foot), quarter @ sheet_to_image)
    assert_same_crop(turned, crop)
    # With the sheet's frame half turned, the same crop comes the other way up.
    half = foot_crop(rgb, foot, sheet_to_image @ np.diag([-1.0, -1, 1]))
    assert_same_crop(half[::-1, ::-1], crop)


def test_millimetres_hold_under_perspective():
    camera = tilted_camera()
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    outline = np.column_stack([45 * np.cos(angles) + 20, 120 * np.sin(angles) - 10])
    pixels = camera.project(np.column_stack([outline, np.zeros(200)]))
    foot = np.zeros((640, 480), np.uint8)
    cv2.fillPoly(foot, [np.rint(pixels).astype(np.int32)], 1)
    centre, axis = upright(foot > 0, camera.sheet_to_image)
    np.testing.assert_allclose(centre, [20, -10], atol=1.5)
    assert axis[1] > 0.999
    crop = foot_crop(smooth(640, 480), foot > 0, camera.sheet_to_image)
    area_mm2 = crop[..., 3].sum() / 255 * (SPAN_MM / 96) ** 2
    assert area_mm2 == pytest.approx(np.pi * 45 * 120, rel=0.03)


def test_a_fine_photo_is_averaged_and_stays_in_place():
    # Stripes of one pixel, which a warp without averaging would show as one of them or as waves; 10 px a crop pixel.
    rgb = np.zeros((1200, 1200, 3), np.uint8)
    rgb[:, ::2] = 200
    rgb[300:400, 500:600, 0] = 255
    foot = np.zeros((1200, 1200), bool)
    foot[200:1000, 450:750] = True
    fine = np.array([[2.5, 0, 599.5], [0, -2.5, 599.5], [0, 0, 1]])
    crop = foot_crop(rgb, foot, fine, size_px=80)
    assert np.abs(crop[..., 1].astype(int) - 100).max() <= 25 and crop[..., 1].mean() == pytest.approx(100, abs=1)
    # The patch is at crop rows 10 to 20 and columns 30 to 40 from the photo's (200, 200), which is the crop's corner.
    rows, columns = np.nonzero(crop[..., 0] > 177)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 19, 30, 39)


def test_outside_the_photo_is_grey_and_no_foot():
    foot = np.zeros((301, 401), bool)
    foot[0:101, 0:31] = True
    crop = foot_crop(np.zeros((301, 401, 3), np.uint8), foot, FROM_ABOVE, size_px=80)
    assert (crop[:20, :, :3] == OUTSIDE_GREY).all() and (crop[:20, :, 3] == 0).all()
    assert (crop[45:60, 45:60, :3] == 0).all()


def test_behind_the_horizon_is_grey():
    camera = tilted_camera(tilt_deg=80.0, distance_mm=260.0)
    heights = camera.sheet_to_image @ np.array([0, 4000.0, 1])
    horizon = int(heights[1] / heights[2])
    foot = ellipse((640, 480), (240, 330), (60, 30), 0)
    foot[: horizon - 20] |= ellipse((horizon - 20, 480), (240, 20), (40, 10), 0)
    crop = foot_crop(np.full((640, 480, 3), 255, np.uint8), foot, camera.sheet_to_image, size_px=80, span_mm=2000.0)
    # 1000 mm nearer to the viewer than the foot is behind the camera.
    assert (crop[-5:, :, :3] == OUTSIDE_GREY).all() and (crop[..., :3] == 255).any()
    centre, _ = upright(foot, camera.sheet_to_image)
    assert np.abs(centre).max() < 200
    with pytest.raises(ValueError, match="horizon"):
        upright(ellipse((640, 480), (240, 20), (40, 10), 0), camera.sheet_to_image)


def test_what_cannot_be_cut_out_is_refused():
    rgb = noise(301, 401)
    with pytest.raises(ValueError, match="empty"):
        foot_crop(rgb, np.zeros((301, 401), bool), FROM_ABOVE)
    with pytest.raises(ValueError, match="must be uint8"):
        foot_crop(rgb, np.ones((300, 401), bool), FROM_ABOVE)
    with pytest.raises(ValueError, match="must be uint8"):
        foot_crop(rgb.astype(float), np.ones((301, 401), bool), FROM_ABOVE)
