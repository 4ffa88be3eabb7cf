"""The whole path with networks that answer from drawn truth: geometry, states, warnings, errors."""

import dataclasses
import json
import pickle
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from deploy.bundle import MANIFEST, Bundle, CropSpec, write_manifest
from deploy.meter import (
    Candidate,
    Failure,
    FootMeter,
    Measurement,
    Networks,
    SheetError,
    candidate_quads,
    convex_iou,
    enclosing_quad,
    load_networks,
    surroundings,
)
from keypoints.calibration import Calibration
from keypoints.heatmaps import decode_corners, encode, encode_shared
from keypoints.outlines import encode_interior
from scenes.camera import FILM_DIAGONAL_MM, Camera
from scenes.images import InputSpec, Photo, PhotoError, as_photo, input_to_photo, mask_to_photo
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.sheet import A4, corners_mm, order_corners, transform

KEYPOINTS_SPEC = InputSpec(256, 192, "letterbox")
SEGMENTATION_SPEC = InputSpec(240, 240, "letterbox")
STRIDE = 4
WIDTH, HEIGHT, FOCAL = 720, 960, 760.0
COLOURS = np.array([[95, 80, 70], [222, 224, 228], [176, 128, 104], [176, 128, 104]], np.float32)


def camera_above(tilt_deg=14.0, distance_mm=560.0, shift_mm=(0.0, 0.0)):
    tilt = np.radians(tilt_deg)
    position = distance_mm * np.array([0.0, -np.sin(tilt), np.cos(tilt)]) + np.array([*shift_mm, 0.0])
    forward = np.array([*shift_mm, 0.0]) - position
    forward /= np.linalg.norm(forward)
    right = np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Camera(FOCAL, None, rotation, -rotation @ position, WIDTH, HEIGHT)


def draw_scene(camera, foot="left", seed=0):
    """(rgb, class ids, corners (4, 2) px in published order) of a sheet with a foot or without one."""
    from deploy.outline import OUTLINE

    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = camera.project(np.column_stack([corners_mm(A4), np.zeros(4)]))
    cv2.fillPoly(labels, [np.rint(corners * 16).astype(np.int32)], SHEET, shift=4)
    if foot:
        sign = 1 if foot == "left" else -1
        points = np.column_stack([sign * OUTLINE[:, 1] * 95, (OUTLINE[:, 0] - 0.5) * 242, OUTLINE[:, 2]])
        outline = np.rint(camera.project(points) * 16).astype(np.int32)
        cv2.fillPoly(labels, [outline], LEFT_FOOT if foot == "left" else RIGHT_FOOT, shift=4)
    rng = np.random.default_rng(seed)
    rgb = cv2.GaussianBlur(COLOURS[labels], (0, 0), 0.6) + rng.normal(0, 4, (HEIGHT, WIDTH, 1))
    return np.clip(rgb, 0, 255).astype(np.uint8), labels, corners[order_corners(corners)]


def heatmaps_of(points, kind, visibility=(2, 2, 1, 2)):
    """float32 (1, C, 64, 48) of corners (4, 2) px of the network's input."""
    if kind == "each":
        return encode(points, np.ones(4, bool), (64, 48), STRIDE, 2.0)[None]
    maps = encode_shared(points, visibility, (64, 48), STRIDE, 2.0)
    if kind == "sheet":
        maps = np.concatenate([maps, 20 * encode_interior(points, (64, 48), STRIDE)[None] - 10])
    return maps[None]


def networks_of(labels, corners, peak=1.0, error_px=0.0, blind=False, maps="each", calibration=None):
    """Networks that answer from the truth of one photo, whatever they are shown."""
    size = labels.shape[1], labels.shape[0]
    points = transform(np.linalg.inv(input_to_photo(size, KEYPOINTS_SPEC)), corners + error_px)
    heatmaps = peak * heatmaps_of(points, maps)
    matrix = np.linalg.inv(input_to_photo(size, SEGMENTATION_SPEC))
    side = (SEGMENTATION_SPEC.width, SEGMENTATION_SPEC.height)
    small = np.stack([cv2.warpPerspective((labels == k).astype(np.float32), matrix, side, flags=cv2.INTER_LINEAR)
                      for k in range(4)], axis=-1)
    small[..., 0] += 1 - small.sum(axis=-1)
    if blind:
        small[...] = (1, 0, 0, 0)
    return Networks(lambda image: heatmaps, KEYPOINTS_SPEC, STRIDE, lambda image: small[None], SEGMENTATION_SPEC,
                    maps=maps, calibration=calibration)


def measured(foot="left", camera=None, sheet="auto", focal=FOCAL, **options):
    camera = camera or camera_above()
    rgb, labels, corners = draw_scene(camera, foot)
    meter = FootMeter(networks_of(labels, corners, **options))
    return meter.measure(Photo(rgb, focal), sheet, "one.jpg"), corners, labels


def test_a_corner_that_a_network_puts_outside_is_not_believed():
    """Three shared maps: the network is sure that a corner is beyond the photo, and not where."""
    rgb, labels, corners = draw_scene(camera_above(), "left")
    networks = networks_of(labels, corners, maps="shared")
    size = rgb.shape[1], rgb.shape[0]
    inside = transform(np.linalg.inv(input_to_photo(size, KEYPOINTS_SPEC)), corners)
    inside[0] = (-30, 20)
    maps = heatmaps_of(inside, "shared", (0, 2, 2, 2))
    networks = dataclasses.replace(networks, keypoints=lambda image: maps)
    said, _ = networks.ask(Photo(rgb, FOCAL))
    assert said.scores.min() < 0.01 and np.sort(said.scores)[1] > 0.9
    assert said.confidences is None and said.states is None
    calibrated, _ = dataclasses.replace(networks, calibration=CALIBRATION).ask(Photo(rgb, FOCAL))
    assert (calibrated.scores == said.scores).all() and sorted(calibrated.states) == [0, 0, 0, 2]
    assert calibrated.confidences[calibrated.states == 2] < 0.01


CALIBRATION = Calibration(1.0, scores=(0.5, 0.9), probabilities=(0.2, 0.6), temperature=1.0)


@pytest.mark.parametrize("maps", ["each", "shared", "sheet"])
def test_what_a_calibrated_network_tells_of_corners_means_what_it_says(maps):
    raw, _, _ = measured(maps=maps)
    told, _, _ = measured(maps=maps, calibration=CALIBRATION)
    assert (points_of(told) == points_of(raw)).all()
    assert [corner.confidence for corner in raw.corners] == pytest.approx([1.0] * 4, abs=0.05)
    # Scores above 0.9 are right six times in ten.
    assert [corner.confidence for corner in told.corners] == pytest.approx([0.6] * 4, abs=0.01)
    # The networks draw the third corner as covered, and the mask shows the sheet there.
    assert [corner.state for corner in raw.corners] == ["visible"] * 4
    own = ["visible", "visible", "visible" if maps == "each" else "covered", "visible"]
    assert [corner.state for corner in told.corners] == own
    assert ("corner_covered" in codes(told)) == (maps != "each")


def test_a_calibration_says_nothing_of_corners_that_the_network_did_not_find():
    told, corners, _ = measured(foot=None, error_px=200.0, maps="shared", calibration=CALIBRATION)
    assert np.abs(points_of(told) - corners).max() < 2.0
    assert [(corner.state, corner.confidence) for corner in told.corners] == [("visible", 0.3)] * 4


def test_a_corner_whose_place_is_outside_the_photo_is_outside():
    shifted = camera_above(0.0, 560.0, (-170.0, 0.0))
    raw, _, _ = measured(None, shifted, maps="shared")
    told, _, _ = measured(None, shifted, maps="shared", calibration=CALIBRATION)
    where = [k for k, corner in enumerate(raw.corners) if corner.state == "outside"]
    assert where and all(told.corners[k].state == "outside" for k in where)


def points_of(measurement):
    return np.array([[corner.x, corner.y] for corner in measurement.corners])


def codes(measurement):
    return {warning.code for warning in measurement.warnings}


@pytest.mark.parametrize("maps", ["each", "shared", "sheet"])
def test_a_photo_is_measured(maps):
    measurement, corners, labels = measured(error_px=5.0, maps=maps)
    assert np.abs(points_of(measurement) - corners).max() < 1.0
    assert measurement.sheet.format.name == "a4" and measurement.sheet.long_side == "vertical"
    assert measurement.sheet.camera.height_mm == pytest.approx(560 * np.cos(np.radians(14)), rel=0.02)
    foot, = measurement.feet
    assert foot.side == "left"
    assert foot.length_mm == pytest.approx(241, abs=6)
    assert foot.width_mm == pytest.approx(95, abs=5)
    assert [corner.state for corner in measurement.corners] == ["visible"] * 4
    assert [corner.found_by for corner in measurement.corners] == ["edges"] * 4
    mask = cv2.resize(measurement.mask, labels.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    assert (mask == labels).mean() > 0.97


def test_json_has_the_names_of_the_design_and_is_strict():
    document = json.loads(json.dumps(measured()[0].to_json(), allow_nan=False))
    assert set(document) == {"photo", "width", "height", "sheet", "corners", "camera", "feet", "warnings",
                             "milliseconds"}
    assert (document["photo"], document["width"], document["height"]) == ("one.jpg", WIDTH, HEIGHT)
    assert set(document["sheet"]) == {"format", "long_side", "confidence"}
    assert {"x", "y", "visible", "confidence"} <= set(document["corners"][0]) and len(document["corners"]) == 4
    assert set(document["camera"]) == {"focal_px", "focal_from", "height_mm", "tilt_deg", "sheet_to_image", "rotation",
                                       "translation_mm", "uncertainty"}
    uncertainty = document["camera"]["uncertainty"]
    assert set(uncertainty) == {"focal_px", "height_mm", "tilt_deg", "translation_mm", "rotation_deg", "covariance"}
    assert len(uncertainty["translation_mm"]) == len(uncertainty["rotation_deg"]) == 3
    assert np.array(uncertainty["covariance"]).shape == (7, 7)
    assert all(corner["uncertainty_px"] > 0 for corner in document["corners"])
    assert {"side", "length_mm", "width_mm", "uncertainty_mm", "heel", "toe",
            "touches_border"} <= set(document["feet"][0])
    assert set(document["feet"][0]["uncertainty_mm"]) == {"length", "width"}
    assert set(document["milliseconds"]) == {"read", "networks", "geometry"}


def test_the_instep_is_in_the_json_only_where_it_was_measured():
    measurement = measured()[0]
    (foot,) = measurement.to_json()["feet"]
    assert foot["from_side"] is False and "instep_height_mm" not in foot
    beside = dataclasses.replace(measurement.feet[0], from_side=True, instep_height_mm=64.26,
                                 instep_height_uncertainty_mm=7.34)
    (foot,) = dataclasses.replace(measurement, feet=(beside,)).to_json()["feet"]
    assert (foot["from_side"], foot["instep_height_mm"], foot["uncertainty_mm"]["instep_height"]) == (True, 64.3, 7.3)


def test_doubted_corners_make_a_doubtful_camera():
    sure, doubtful = (measured(foot=None, peak=peak)[0] for peak in (1.0, 0.7))
    assert np.allclose(points_of(sure), points_of(doubtful), atol=0.1)
    for one, other in zip(sure.corners, doubtful.corners, strict=True):
        assert other.uncertainty_px == pytest.approx(2 * one.uncertainty_px)
    assert doubtful.uncertainty.tilt_deg > 1.2 * sure.uncertainty.tilt_deg


@pytest.mark.parametrize("said", ["left", "right"])
def test_the_side_is_asked_of_its_own_network(said):
    camera = camera_above()
    rgb, labels, corners = draw_scene(camera, "left")
    seen = []

    def side(crops):
        seen.append(crops)
        return np.array([[0.98, 0.02] if said == "left" else [0.02, 0.98]], np.float32)

    spec = CropSpec(96, 320.0, (0.0,) * 4, (1.0,) * 4)
    # The pixels say nothing of the side.
    of_pixels = networks_of(labels, corners)

    def segmentation(images):
        probabilities = of_pixels.segmentation(images).copy()
        probabilities[..., LEFT_FOOT:] = probabilities[..., LEFT_FOOT:].mean(-1, keepdims=True)
        return probabilities

    networks = dataclasses.replace(of_pixels, segmentation=segmentation, side=side, side_spec=spec)
    measurement = FootMeter(networks).measure(Photo(rgb, FOCAL))
    foot, = measurement.feet
    assert foot.side == said
    assert (measurement.mask == (LEFT_FOOT if said == "left" else RIGHT_FOOT)).any()
    crop, = seen
    assert crop.shape == (1, 96, 96, 4) and crop.dtype == np.uint8
    truth = spec.cut(rgb, labels == LEFT_FOOT, camera.sheet_to_image)
    shared = (crop[0, ..., 3] > 127) & (truth[..., 3] > 127)
    assert shared.sum() / ((crop[0, ..., 3] > 127) | (truth[..., 3] > 127)).sum() > 0.9
    assert np.abs(crop[0, ..., :3].astype(int) - truth[..., :3]).mean() < 6


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_crop_of_the_surroundings_is_one_of_the_photo(scale):
    camera = camera_above(14.0, 1100.0)
    rgb, labels, _ = draw_scene(camera, "left")
    rgb = cv2.GaussianBlur(rgb, (0, 0), 3)
    region = labels == LEFT_FOOT
    photo = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    enlarge = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5], [0, 0, 1]])
    part, foot, matrix = surroundings(photo, region, enlarge @ camera.sheet_to_image)
    assert part.shape[:2] == foot.shape and part.size < photo.size
    spec = CropSpec(96, 320.0, (0.0,) * 4, (1.0,) * 4)
    difference = np.abs(spec.cut(part, foot, matrix).astype(int) - spec.cut(rgb, region, camera.sheet_to_image))
    assert difference[..., :3].mean() < 1.0 and difference[..., 3].mean() < 2.0


def test_networks_of_a_bundle_with_and_without_a_side(bundle_folder, side_folder):
    without, both = load_networks(bundle_folder, threads=1), load_networks(side_folder, threads=1)
    assert without.side is None and without.side_spec is None
    probabilities = both.side(np.zeros((1, both.side_spec.size_px, both.side_spec.size_px, 4), np.uint8))
    assert probabilities.shape == (1, 2) and probabilities.sum() == pytest.approx(1.0, abs=1e-5)


def test_networks_that_a_bundle_holds_are_those_of_its_folder_whatever_becomes_of_that(side_folder):
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 48, 3), np.uint8)
    wanted = load_networks(side_folder, threads=1)
    held = Bundle.load(side_folder, hold=True)
    shutil.rmtree(side_folder)
    found = load_networks(pickle.loads(pickle.dumps(held)), threads=1)
    np.testing.assert_array_equal(found.keypoints(images), wanted.keypoints(images))
    assert found.side is not None and found.segmentation_spec == wanted.segmentation_spec
    assert len(held.held) == 7  # of three networks two files each, and the manifest


def test_networks_of_a_bundle_have_its_kind_of_maps_and_its_calibration(build_bundle):
    folder = build_bundle(maps="sheet")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["models"]["keypoints"]["calibration"] = CALIBRATION.to_json()
    write_manifest(folder, manifest)
    networks = load_networks(folder, threads=1)
    assert networks.maps == "sheet" and networks.calibration == CALIBRATION
    heatmaps = networks.keypoints(np.zeros((1, 64, 48, 3), np.uint8))[0]
    assert decode_corners(heatmaps, networks.stride, maps=networks.maps)[2].shape == (4, 3)


def test_a_sheet_without_a_foot_is_an_answer():
    measurement, _, _ = measured(foot=None)
    assert measurement.feet == ()
    assert codes(measurement) == {"foot_not_found"}


def test_the_format_can_be_said():
    assert measured(sheet="letter")[0].sheet.format.name == "letter"
    with pytest.raises(ValueError, match="a5"):
        measured(sheet="a5")


def test_without_peaks_there_is_no_sheet_whatever_the_mask_says():
    with pytest.raises(SheetError) as caught:
        measured(peak=0.02)
    assert caught.value.code == "sheet_not_found"


def test_wrong_corners_fall_back_on_the_mask():
    wrong, corners, _ = measured(foot=None, error_px=200.0)
    assert np.abs(points_of(wrong) - corners).max() < 2.0


def test_a_corner_that_is_far_off_is_found_by_the_mask():
    camera = camera_above()
    rgb, labels, corners = draw_scene(camera, None)
    wrong = corners + np.array([[0.0, 0.0], [0.0, 0.0], [-90.0, -60.0], [0.0, 0.0]])
    networks = networks_of(labels, corners)
    misled = networks_of(labels, wrong)
    meter = FootMeter(Networks(misled.keypoints, KEYPOINTS_SPEC, STRIDE, networks.segmentation,
                                    SEGMENTATION_SPEC))
    assert np.abs(points_of(meter.measure(Photo(rgb, FOCAL))) - corners).max() < 2.0


def test_a_blind_mask_leaves_the_corners():
    measurement, corners, _ = measured(blind=True)
    assert np.abs(points_of(measurement) - corners).max() < 1.5
    assert measurement.feet == ()


def test_no_sheet_is_an_error():
    with pytest.raises(SheetError) as caught:
        measured(peak=0.0, blind=True)
    assert caught.value.code == "sheet_not_found"


def test_a_covered_corner_and_one_outside():
    camera = camera_above()
    rgb, labels, corners = draw_scene(camera, None)
    centre = tuple(int(v) for v in corners[2])
    cv2.circle(rgb, centre, 60, (30, 40, 80), cv2.FILLED)
    cv2.circle(labels, centre, 60, 0, cv2.FILLED)
    measurement = FootMeter(networks_of(labels, corners)).measure(Photo(rgb, FOCAL))
    assert [corner.state for corner in measurement.corners] == ["visible", "visible", "covered", "visible"]
    assert "corner_covered" in codes(measurement)
    shifted = camera_above(0.0, 560.0, (-170.0, 0.0))
    outside, _, _ = measured(None, shifted)
    assert "corner_outside" in codes(outside)
    assert sum(corner.state == "outside" for corner in outside.corners) == 2


def test_dark_blurred_and_small_are_said():
    rgb, labels, corners = draw_scene(camera_above(), None)
    meter = FootMeter(networks_of(labels, corners))
    assert "too_dark" in codes(meter.measure(Photo((rgb * 0.12).astype(np.uint8), FOCAL)))
    assert "blurred" in codes(meter.measure(Photo(cv2.GaussianBlur(rgb, (0, 0), 9), FOCAL)))
    assert "sheet_small" in codes(measured(None, camera_above(0.0, 2100.0))[0])


def test_one_broken_photo_never_stops_the_rest(tmp_path):
    rgb, labels, corners = draw_scene(camera_above())
    good = tmp_path / "good.png"
    Image.fromarray(rgb).save(good)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a photo")
    results = list(FootMeter(networks_of(labels, corners)).measure_many([bad, good, tmp_path / "gone.jpg", good]))
    assert [type(result) for result in results] == [Failure, Measurement, Failure, Measurement]
    assert results[0].to_json()["error"]["code"] == results[2].to_json()["error"]["code"] == "unreadable_image"


def test_arrays_bytes_and_paths_have_one_answer(tmp_path):
    rgb, labels, corners = draw_scene(camera_above())
    path = tmp_path / "one.png"
    Image.fromarray(rgb).save(path)
    meter = FootMeter(networks_of(labels, corners))
    before = rgb.copy()
    answers = list(meter.measure_many([path, str(path), path.read_bytes(), rgb, rgb.astype(float)]))
    assert [answer.photo for answer in answers] == [str(path), str(path), "", "", ""]
    assert len({tuple(points_of(answer).ravel()) for answer in answers[:4]}) == 1
    assert answers[4].code == "unreadable_image" and "float64" in answers[4].message
    assert (rgb == before).all()
    with pytest.raises(PhotoError, match="float64"):
        meter.measure(rgb.astype(float))
    for wrong in ({"sheet": "a5"}, {"workers": 0}):
        with pytest.raises(ValueError, match="must be"):
            meter.measure_many([rgb], **wrong)
    with pytest.raises(TypeError, match="must be several"):
        meter.measure_many(str(path))


def test_what_nobody_expected_is_an_internal_error(tmp_path):
    rgb, labels, corners = draw_scene(camera_above())
    path = tmp_path / "one.png"
    Image.fromarray(rgb).save(path)
    good = networks_of(labels, corners)

    def broken(image):
        raise ZeroDivisionError("nothing to divide by")

    networks = Networks(broken, KEYPOINTS_SPEC, STRIDE, good.segmentation, SEGMENTATION_SPEC)
    failure, = FootMeter(networks).measure_many([path])
    assert failure.code == "internal_error" and "ZeroDivisionError" in failure.message and failure.photo == str(path)


def test_corners_of_a_cut_off_sheet_is_an_error():
    mask = np.zeros((300, 300), np.uint8)
    mask[:, :120] = SHEET
    with pytest.raises(SheetError) as caught:
        candidate_quads(Candidate(np.zeros((4, 2)), np.ones(4), False), mask, np.ones(2))
    assert caught.value.code == "sheet_cut_off"


def test_enclosing_quad_gives_back_a_cut_corner():
    # A square of 100 whose lower right corner is cut off by 20: the quadrilateral is the whole square again.
    hull = np.array([[0, 0], [100, 0], [100, 80], [80, 100], [0, 100]], np.int32)[:, None]
    quad = enclosing_quad(hull)
    assert sorted(map(tuple, quad.round(6))) == [(0, 0), (0, 100), (100, 0), (100, 100)]


def test_convex_iou_of_halves():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    assert convex_iou(square, square) == pytest.approx(1.0)
    assert convex_iou(square, square + [5, 0]) == pytest.approx(1 / 3)
    assert convex_iou(square, square + [50, 0]) == 0.0


def test_mask_geometry_of_the_fake_network_is_right():
    _, labels, corners = draw_scene(camera_above())
    networks = networks_of(labels, corners)
    back = mask_to_photo(networks.segmentation(None)[0].astype(np.float32), (WIDTH, HEIGHT), SEGMENTATION_SPEC)
    assert (back.argmax(axis=-1) == labels).mean() > 0.97


def test_a_large_file_is_measured_in_its_own_pixels(tmp_path):
    """It is read at a fraction of its size, and nothing of that is seen in the answer."""
    rgb, labels, corners = draw_scene(camera_above(), "left")
    networks = networks_of(labels, corners)
    small = FootMeter(networks).measure(Photo(rgb, FOCAL))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = round(FOCAL / np.hypot(WIDTH, HEIGHT) * FILM_DIAGONAL_MM)
    large = cv2.resize(rgb, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=92, exif=exif)
    found = FootMeter(networks).measure(tmp_path / "large.jpg")
    assert (found.width, found.height) == (4 * WIDTH, 4 * HEIGHT) and max(found.mask.shape) <= 768
    assert np.abs(points_of(found) - ((corners + 0.5) * 4 - 0.5)).max() < 4.0
    camera = found.sheet.camera
    assert (camera.width, camera.height) == (4 * WIDTH, 4 * HEIGHT) and found.sheet.focal_from == "exif"
    assert camera.focal_px == pytest.approx(4 * FOCAL, rel=0.02)
    assert found.uncertainty.focal_px == pytest.approx(4 * small.uncertainty.focal_px, rel=0.05)
    assert found.uncertainty.height_mm == pytest.approx(small.uncertainty.height_mm, rel=0.05)
    assert [corner.uncertainty_px for corner in found.corners] == pytest.approx(
        [4 * corner.uncertainty_px for corner in small.corners])
    sheet = camera.project(np.column_stack([corners_mm(A4), np.zeros(4)]))
    assert np.abs(sheet[order_corners(sheet)] - points_of(found)).max() < 6.0
    one, other = small.feet[0], found.feet[0]
    assert other.length_mm == pytest.approx(one.length_mm, abs=2.0)
    assert other.width_mm == pytest.approx(one.width_mm, abs=2.0)
    for at_one, at_other in ((one.heel, other.heel), (one.toe, other.toe)):
        assert np.abs(at_other - ((at_one + 0.5) * 4 - 0.5)).max() < 16.0
    assert np.ptp(other.contour, axis=0) == pytest.approx(4 * np.ptp(one.contour, axis=0), rel=0.03)


def test_a_small_sheet_in_a_large_photo_is_looked_at_in_all_its_pixels(tmp_path, monkeypatch):
    """Laid into a floor of five times the size it would have a fifth of the pixels."""
    rgb, labels, corners = draw_scene(camera_above(), "left")
    at, size = (1500, 1700), (3600, 4800)
    photo = np.full((*size[::-1], 3), COLOURS[0].astype(np.uint8))
    photo[at[1] : at[1] + HEIGHT, at[0] : at[0] + WIDTH] = rgb
    classes = np.zeros(size[::-1], np.uint8)
    classes[at[1] : at[1] + HEIGHT, at[0] : at[0] + WIDTH] = labels
    Image.fromarray(photo).save(tmp_path / "far.png")
    networks = networks_of(classes, corners + at)
    read = []
    monkeypatch.setattr("deploy.meter.as_photo", lambda given, *enough: read.append(enough) or as_photo(given, *enough))
    found = FootMeter(networks).measure(tmp_path / "far.png")
    assert len(read) == 2 and read[1] == ()
    assert np.abs(points_of(found) - corners - at).max() < 1.5
