import json
import os
from math import cos, exp, hypot, log, pi, radians, sin, tan
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.camera import (
    DEFAULT_FOCAL_DIAGONALS,
    FILM_DIAGONAL_MM,
    Camera,
    camera_from_corners,
    decide_sheet,
    focal_from_exif,
)
from scenes.images import read_photo
from scenes.sheet import A4, LETTER, corners_mm, homography, order_corners, transform

SIZE = (1500, 2000)  # diagonal 2500
LOOKING_DOWN = np.diag([1.0, -1.0, -1.0])


def turn_about_x(angle):
    return np.array([[1, 0, 0], [0, cos(angle), -sin(angle)], [0, sin(angle), cos(angle)]])


def turn_about_z(angle):
    return np.array([[cos(angle), -sin(angle), 0], [sin(angle), cos(angle), 0], [0, 0, 1]])


def camera_at(tilt_deg, roll=0.3, azimuth=0.2, focal=1500.0, distance=600.0, aim=(20.0, -30.0)):
    rotation = turn_about_z(roll) @ LOOKING_DOWN @ turn_about_x(radians(tilt_deg)) @ turn_about_z(azimuth)
    return Camera(focal, None, rotation, (*aim, distance), *SIZE)


def on_paper(points_mm):
    return np.column_stack([points_mm, np.zeros(len(points_mm))])


def paper_seen_by(camera):
    return camera.project(on_paper(corners_mm(A4)))


def seen_corners(camera, fmt):
    """Corners in published order, and which side is then the long one."""
    corners = camera.project(on_paper(corners_mm(fmt)))
    order = order_corners(corners)
    return corners[order], "vertical" if order[0] % 2 == 0 else "horizontal"


def test_looking_straight_down_is_known_by_hand():
    camera = Camera(1000, None, LOOKING_DOWN, (0, 0, 500), 801, 601)
    assert camera.center_px.tolist() == [400, 300]
    assert camera.position_mm.tolist() == [0, 0, 500] and camera.height_mm == 500
    assert camera.tilt_deg == 0
    # 100 mm at 500 mm through 1000 px is 200 px; y is up on paper, down in the photo; 250 mm up: twice that.
    assert camera.project([[100, 50, 0], [100, 50, 250]]).tolist() == [[600, 200], [800, 100]]
    assert camera.backproject([[600, 200]]).tolist() == [[100, 50]]
    assert camera.backproject([[800, 100]], 250).tolist() == [[100, 50]]


def test_tilt_is_the_angle_from_straight_down():
    for tilt in (0.0, 1e-5, 10.0, 45.0, 90.0):
        assert camera_at(tilt).tilt_deg == pytest.approx(tilt, abs=1e-9)


def test_backprojection_undoes_projection_at_every_height():
    camera, rng = camera_at(35), np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-150, 150, (50, 2)), rng.uniform(0, 80, 50)])
    assert np.allclose(camera.backproject(camera.project(points), points[:, 2]), points[:, :2], atol=1e-8)


def test_homography_of_the_camera_is_its_projection_of_the_paper():
    camera = camera_at(35)
    corners = corners_mm(A4)
    assert np.allclose(transform(camera.sheet_to_image, corners), camera.project(on_paper(corners)))


def test_what_cannot_be_seen_is_nan():
    camera = camera_at(0)
    assert np.isnan(camera.project([[0, 0, 700]])).all()  # behind the camera
    assert np.isnan(camera.backproject([[0, 0]], 700)).all()
    level = Camera(1000, None, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], (0, 100, 0), 801, 601)
    assert level.height_mm == 100
    assert np.isnan(level.backproject([[400, 300]])).all()  # along the horizon
    assert np.allclose(level.backproject([[400, 400]]), [[0, 1000]])


def test_json_gives_the_same_camera():
    camera = camera_at(20)
    again = Camera.from_json(json.loads(json.dumps(camera.to_json())))
    assert again.to_json() == camera.to_json()


@pytest.mark.parametrize("key, value", [("focal_px", 0), ("focal_px", "far"), ("rotation", [1, 2, 3]),
                                        ("translation_mm", [0, 0, float("nan")]), ("center_px", {})])
def test_a_broken_camera_is_refused_by_name(key, value):
    with pytest.raises(ValueError, match=key):
        Camera.from_json({**camera_at(20).to_json(), key: value})


def test_a_camera_that_lacks_a_key_is_refused():
    document = camera_at(20).to_json()
    del document["rotation"]
    with pytest.raises(ValueError, match="lacks rotation"):
        Camera.from_json(document)


def test_a_camera_is_not_changed_by_accident():
    with pytest.raises(ValueError):
        camera_at(20).rotation[0, 0] = 5


# EXIF


def test_focal_from_the_35_mm_equivalent_goes_by_diagonals():
    assert focal_from_exif({0xA405: 26}, *SIZE) == pytest.approx(26 / FILM_DIAGONAL_MM * 2500)
    assert focal_from_exif({0xA405: 26}, *SIZE) == focal_from_exif({0xA405: 26}, *SIZE[::-1])


def test_focal_from_focal_plane_counts_the_pixels_of_the_photo_as_taken():
    # 5 mm lens, 5000 pixels to the centimetre: 2500 px on 4000 x 3000; the photo was halved since, and turned.
    tags = {0x920A: 5.0, 0xA20E: 5000.0, 0xA210: 3, 0xA002: 4000, 0xA003: 3000}
    assert focal_from_exif(tags, 1500, 2000) == pytest.approx(1250)
    inches = {**tags, 0xA20E: 12700.0, 0xA210: 2}
    assert focal_from_exif(inches, 1500, 2000) == pytest.approx(1250)


@pytest.mark.parametrize("tags", [{}, {0xA405: 0}, {0xA405: "26 mm"}, {0xA405: None}, {0x920A: 5.0},
                                  {0xA405: 60000}, {0x920A: 5.0, 0xA20E: 0.0}, {0x920A: (1, 0), 0xA20E: 9.0},
                                  {0x920A: 5.0, 0xA20E: 5000.0, 0xA210: 1}, {0xA405: float("nan")}])
def test_headers_that_tell_nothing_give_none(tags):
    assert focal_from_exif(tags, *SIZE) is None


def test_focal_is_found_in_the_inner_directory_of_a_pillow_header():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    assert focal_from_exif(exif, *SIZE) == pytest.approx(28 / FILM_DIAGONAL_MM * 2500)


# Camera from corners


@pytest.mark.parametrize("tilt", [0, 3, 20, 50])
def test_known_focal_and_exact_corners_give_the_exact_camera(tilt):
    truth = camera_at(tilt)
    camera, focal_from = camera_from_corners(paper_seen_by(truth), corners_mm(A4), SIZE, 1500.0)
    assert focal_from == "exif" and camera.focal_px == 1500
    assert np.allclose(camera.position_mm, truth.position_mm, atol=0.05)
    assert np.allclose(camera.rotation, truth.rotation, atol=1e-4)
    assert camera.height_mm > 0 and np.linalg.det(camera.rotation) == pytest.approx(1)


@pytest.mark.parametrize("tilt", [25, 40, 55])
@pytest.mark.parametrize("focal", [1200.0, 1500.0, 2200.0])
def test_a_tilted_sheet_tells_the_focal_length(tilt, focal):
    truth = camera_at(tilt, focal=focal, distance=focal * 0.4)
    camera, focal_from = camera_from_corners(paper_seen_by(truth), corners_mm(A4), SIZE)
    assert focal_from == "sheet"
    # The prior pulls a little: a lens of 38 mm equivalent is not what phones have.
    assert camera.focal_px == pytest.approx(focal, rel=0.06)
    assert camera.tilt_deg == pytest.approx(tilt, abs=1.5)


def test_seen_from_straight_above_the_focal_length_is_the_phones():
    truth = camera_at(0, focal=1234.0)
    camera, focal_from = camera_from_corners(paper_seen_by(truth), corners_mm(A4), SIZE)
    assert focal_from == "default"
    assert camera.focal_px == pytest.approx(DEFAULT_FOCAL_DIAGONALS * 2500)
    # Focal length and height cannot be told apart, but what they make together is right.
    assert camera.height_mm / camera.focal_px == pytest.approx(truth.height_mm / truth.focal_px, rel=1e-6)


def test_the_camera_sees_noisy_corners_about_where_they_are():
    rng = np.random.default_rng(4)
    corners = paper_seen_by(camera_at(30)) + rng.normal(0, 2.5, (4, 2))
    camera, _ = camera_from_corners(corners, corners_mm(A4), SIZE)
    assert np.linalg.norm(camera.project(on_paper(corners_mm(A4))) - corners, axis=1).max() < 5


def test_a_pose_cannot_be_bettered_by_a_small_step():
    corners = paper_seen_by(camera_at(30)) + np.random.default_rng(4).normal(0, 2.5, (4, 2))
    camera, _ = camera_from_corners(corners, corners_mm(A4), SIZE, 1500.0)

    def cost(rotation, translation):
        moved = Camera(1500, None, rotation, translation, *SIZE)
        return ((moved.project(on_paper(corners_mm(A4))) - corners) ** 2).sum()

    least = cost(camera.rotation, camera.translation_mm)
    for step in (-1e-3, 1e-3):
        assert cost(camera.rotation @ turn_about_x(step), camera.translation_mm) > least
        assert cost(camera.rotation @ turn_about_z(step), camera.translation_mm) > least
        for axis in np.eye(3):
            assert cost(camera.rotation, camera.translation_mm + 100 * step * axis) > least


@pytest.mark.parametrize("corners", [
    [[0, 0], [0, 100], [100, 100], [100, 0]],  # counter-clockwise: seen from below
    [[0, 0], [100, 100], [100, 0], [0, 100]],  # crossed
    [[0, 0], [100, 0], [30, 30], [0, 100]],  # a dent
    [[0, 0], [50, 0], [100, 0], [50, 80]],  # a triangle
    [[0, 0], [100, 0], [100, 100], [0, float("nan")]],
    [[0, 0], [0, 0], [100, 100], [0, 100]],
    [[0, 0], [100, 0], [100, 100]]])
def test_corners_that_are_no_sheet_are_refused(corners):
    with pytest.raises(ValueError, match="corners"):
        camera_from_corners(corners, corners_mm(A4), SIZE)
    with pytest.raises(ValueError, match="corners"):
        decide_sheet(corners, SIZE)


def test_corners_may_be_a_view_into_another_array():
    keypoints = np.column_stack([seen_corners(camera_at(20), A4)[0], np.full(4, 2.0)])
    assert decide_sheet(keypoints[:, :2], SIZE).format is A4


# Which sheet


@pytest.mark.parametrize("fmt", [A4, LETTER])
@pytest.mark.parametrize("roll", [0.0, 1.6, -2.0])
def test_exact_corners_of_a_slightly_tilted_sheet_are_recognised(fmt, roll):
    corners, long_side = seen_corners(camera_at(8, roll=roll), fmt)
    decision = decide_sheet(corners, SIZE)
    assert (decision.format, decision.long_side) == (fmt, long_side)
    assert 0.9 < decision.confidence <= 1
    agreed = decision.camera.project(on_paper(corners_mm(fmt, long_side)))
    assert np.linalg.norm(agreed - corners, axis=1).max() < 1


def test_formats_can_be_restricted():
    corners, long_side = seen_corners(camera_at(8), LETTER)
    decision = decide_sheet(corners, SIZE, formats=("a4",))
    assert (decision.format, decision.long_side) == (A4, long_side)


def test_a_square_is_nobodys_sheet_and_confidence_says_so():
    decision = decide_sheet(np.array([[500.0, 500], [1000, 500], [1000, 1000], [500, 1000]]), SIZE)
    assert decision.confidence < 0.5


def test_between_the_formats_confidence_is_low():
    middle = np.sqrt(A4.long_mm / A4.short_mm * LETTER.long_mm / LETTER.short_mm)
    corners = np.array([[0, 0], [700, 0], [700, 700 * middle], [0, 700 * middle]]) + 300
    assert decide_sheet(corners, SIZE, focal_px=1500.0).confidence < 0.6


def test_confidence_is_near_the_share_of_right_answers():
    rng = np.random.default_rng(5)
    right, confidence = recognition(rng, tilts=[50], count=120, known_focal=False)
    assert np.mean(confidence) == pytest.approx(np.mean(right), abs=0.15)


def recognition(rng, tilts, count, known_focal):
    """Shares of right (format and long side) and confidences, with corners off by 0.1 % of the diagonal."""
    right, confidence = [], []
    for tilt in tilts:
        for k in range(count):
            fmt = (A4, LETTER)[k % 2]
            equivalent = 26 * exp(rng.normal(0, 0.1))
            focal = equivalent / FILM_DIAGONAL_MM * hypot(*SIZE)
            truth = camera_at(tilt, rng.uniform(0, 2 * pi), rng.uniform(0, 2 * pi), focal,
                              rng.uniform(0.33, 0.45) * focal, rng.uniform(-40, 40, 2))
            corners, long_side = seen_corners(truth, fmt)
            noisy = corners + rng.normal(0, 0.001 * hypot(*SIZE), (4, 2))
            told = focal * exp(rng.normal(0, 0.01)) if known_focal else None
            decision = decide_sheet(noisy, SIZE, told)
            right.append((decision.format is fmt, decision.long_side == long_side))
            confidence.append(decision.confidence)
    return np.array(right), np.array(confidence)


@pytest.mark.parametrize("known_focal, tilts, least_format_rate", [
    (True, [0, 10, 20, 30, 40, 50], 0.98), (False, [0, 10, 20], 0.97), (False, [30, 40, 50], 0.85)])
def test_format_and_long_side_are_recognised(known_focal, tilts, least_format_rate):
    right, _ = recognition(np.random.default_rng(6), tilts, 30, known_focal)
    format_rate, side_rate = right.mean(axis=0)
    assert format_rate >= least_format_rate
    assert side_rate >= 0.99


def test_constants_are_what_their_comments_say():
    assert DEFAULT_FOCAL_DIAGONALS == pytest.approx(0.601, abs=5e-4)
    # A lens of that length sees 79.5 degrees across its diagonal, as phones' main cameras do.
    assert tan(radians(79.5 / 2)) == pytest.approx(0.5 / DEFAULT_FOCAL_DIAGONALS, rel=0.01)
    assert log(corners_mm(A4)[1, 1] / corners_mm(A4)[1, 0]) == pytest.approx(log(297 / 210))


def test_a_corner_that_is_said_to_be_uncertain_bends_nothing():
    truth = camera_at(25)
    corners = paper_seen_by(truth)
    corners[2] += (40, -30)
    sigmas = np.array([1.0, 1.0, 100.0, 1.0])
    believed, _ = camera_from_corners(corners, corners_mm(A4), SIZE, 1500.0)
    doubted, _ = camera_from_corners(corners, corners_mm(A4), SIZE, 1500.0, sigmas)
    assert abs(believed.tilt_deg - 25) > 1
    assert doubted.tilt_deg == pytest.approx(25, abs=0.1)
    assert doubted.height_mm == pytest.approx(truth.height_mm, rel=0.002)


def test_uncertain_corners_tell_less_of_the_format():
    corners, _ = seen_corners(camera_at(20), LETTER)
    sure, doubtful = (decide_sheet(corners, SIZE, 1500.0, sigmas_px=np.full(4, sigma)) for sigma in (2.0, 60.0))
    assert sure.format is LETTER and sure.confidence > 0.95
    assert doubtful.confidence < 0.7
    for decision in (sure, doubtful):
        assert len(decision.rivals) == 3
        assert decision.confidence + sum(rival.probability for rival in decision.rivals) == pytest.approx(1, abs=0.02)
        assert [rival.probability for rival in decision.rivals] == sorted(
            (rival.probability for rival in decision.rivals), reverse=True)


@pytest.mark.parametrize("sigmas", [[1, 1, 1], [1, 1, 1, 0], [1, 1, 1, float("nan")], 2.0])
def test_sigmas_are_four_positive_numbers(sigmas):
    with pytest.raises(ValueError, match="sigmas_px"):
        camera_from_corners(paper_seen_by(camera_at(20)), corners_mm(A4), SIZE, sigmas_px=sigmas)


def test_homography_and_camera_agree_on_the_paper():
    corners, long_side = seen_corners(camera_at(30), A4)
    decision = decide_sheet(corners, SIZE, 1500.0)
    direct = homography(corners, corners_mm(A4, long_side))
    inside = corners.mean(axis=0, keepdims=True)
    assert np.allclose(transform(direct, inside), decision.camera.backproject(inside), atol=0.1)


@pytest.mark.real_photos
def test_formats_of_real_photos_are_recognised_from_annotated_corners():
    if "FOLIOPIE_PHOTOS" not in os.environ:
        pytest.skip("FOLIOPIE_PHOTOS names no folder of photos")
    folder = Path(os.environ["FOLIOPIE_PHOTOS"])
    document = json.loads((folder / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in document["images"]}
    right = []
    for annotation in document["annotations"]:
        sheet = annotation["attributes"]["sheet"].lower()
        corners = np.array(annotation["keypoints"], dtype=float).reshape(4, 3)[:, :2]
        if sheet in ("a4", "letter") and not (corners == -1).all(axis=1).any():
            photo = read_photo(folder / names[annotation["image_id"]])
            size = (photo.rgb.shape[1], photo.rgb.shape[0])
            right.append(decide_sheet(corners, size, photo.focal_px).format.name == sheet)
    assert len(right) >= 20
    assert np.mean(right) >= 0.95
