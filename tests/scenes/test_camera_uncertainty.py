from math import exp, hypot

import cv2
import numpy as np
import pytest

from scenes.camera import (
    DEFAULT_FOCAL_DIAGONALS,
    DEFAULT_FOCAL_LOG_SIGMA,
    EXIF_FOCAL_LOG_SIGMA,
    Camera,
    SheetDecision,
    camera_from_corners,
    decide_sheet,
)
from scenes.camera_uncertainty import LENS_SIGMA, LIFT_SIGMA_MM, camera_uncertainty, error_root
from scenes.sheet import A4, corners_mm
from tests.scenes.test_camera import SIZE, camera_at, on_paper, paper_seen_by, seen_corners

DIAGONAL = hypot(*SIZE)
DEFAULT_FOCAL = DEFAULT_FOCAL_DIAGONALS * DIAGONAL


def turns_between(camera, other):
    return cv2.Rodrigues(other.rotation @ camera.rotation.T)[0].ravel()


def difference(camera, other):
    """What `error_root` speaks of, from one camera to the other: (7,)."""
    return np.concatenate([turns_between(camera, other), other.translation_mm - camera.translation_mm,
                           [np.log(other.focal_px / camera.focal_px)]])


@pytest.mark.parametrize("tilt, focal_from", [(3, "exif"), (30, "exif"), (55, "exif"), (30, "sheet"), (55, "sheet")])
def test_the_root_is_what_a_small_error_does_to_the_fit(tilt, focal_from):
    truth, sigmas = camera_at(tilt, focal=DEFAULT_FOCAL), np.array([1.0, 2.0, 3.0, 4.0])
    corners = paper_seen_by(truth)
    known = DEFAULT_FOCAL if focal_from == "exif" else None
    fitted, found_from = camera_from_corners(corners, corners_mm(A4), SIZE, known, sigmas)
    assert found_from == focal_from
    root = error_root(fitted, corners_mm(A4), sigmas, focal_from)
    for coordinate in range(8):
        moved = corners.copy()
        moved.reshape(-1)[coordinate] += 0.1 * sigmas[coordinate // 2]
        other, _ = camera_from_corners(moved, corners_mm(A4), SIZE, known, sigmas)
        assert np.allclose(difference(fitted, other), 0.1 * root[:, coordinate], rtol=0.1, atol=3e-4)


def test_an_unknown_focal_length_moves_the_camera_away():
    camera = camera_at(0, focal=DEFAULT_FOCAL)
    root = error_root(camera, corners_mm(A4), np.full(4, 2.0), "default")
    # From straight above a longer lens is a higher camera and nothing else.
    assert root[6, -1] == DEFAULT_FOCAL_LOG_SIGMA
    assert root[5, -1] == pytest.approx(DEFAULT_FOCAL_LOG_SIGMA * camera.height_mm)
    assert np.allclose(root[:3, -1], 0, atol=1e-9)


def drawn_photo(rng, tilt, sigma_px, focal_log_sigma):
    """A camera and where it shows the corners of a sheet: through a lens, lifted, and found with an error."""
    focal = DEFAULT_FOCAL * exp(rng.normal(0, focal_log_sigma))
    truth = camera_at(tilt, rng.uniform(0, 6), rng.uniform(0, 6), focal, 0.45 * focal, rng.uniform(-60, 60, 2))
    paper, _ = seen_corners(truth, A4)
    flat = truth.backproject(paper)
    seen = truth.project(np.column_stack([flat, rng.normal(0, LIFT_SIGMA_MM, 4)]))
    offset = seen - truth.center_px
    bent = offset * (1 + rng.normal(0, LENS_SIGMA) * (offset**2).sum(axis=1, keepdims=True) / (DIAGONAL / 2) ** 2)
    return truth, truth.center_px + bent + rng.normal(0, sigma_px, (4, 2))


@pytest.mark.parametrize("tilt, known", [(0, True), (35, True), (55, True), (0, False), (35, False), (55, False)])
def test_intervals_hold_the_truth_nine_times_in_ten(tilt, known):
    rng, sigma, held = np.random.default_rng(7), 0.002 * DIAGONAL, []
    for _ in range(150):
        truth, corners = drawn_photo(rng, tilt, sigma, 0.0 if known else DEFAULT_FOCAL_LOG_SIGMA)
        told = truth.focal_px * exp(rng.normal(0, EXIF_FOCAL_LOG_SIGMA)) if known else None
        decision = decide_sheet(corners, SIZE, told, ("a4",), np.full(4, sigma))
        half = camera_uncertainty(decision, corners, np.full(4, sigma), told)
        camera = decision.camera
        errors = [camera.focal_px - truth.focal_px, camera.height_mm - truth.height_mm,
                  camera.tilt_deg - truth.tilt_deg, *(camera.translation_mm - truth.translation_mm)]
        held.append(np.abs(errors) <= [half.focal_px, half.height_mm, half.tilt_deg, *half.translation_mm])
    # 150 draws of a share of 0.9: the standard deviation is 0.024.
    assert (np.mean(held, axis=0) > 0.82).all()
    assert np.mean(held) < 0.97


def test_tilt_is_uncertain_also_where_it_is_least():
    # At its least, a tilt grows whatever the error is: its slope would say that it is known for certain.
    corners = paper_seen_by(camera_at(0, focal=DEFAULT_FOCAL))
    decision = decide_sheet(corners, SIZE, DEFAULT_FOCAL)
    half = camera_uncertainty(decision, corners, np.full(4, 3.0), DEFAULT_FOCAL)
    assert decision.camera.tilt_deg < 1e-3
    assert half.tilt_deg > 1.0
    # Nine in ten of draws about a point in a plane are within 2.15 standard deviations, on a line within 1.64.
    assert half.tilt_deg == pytest.approx(2.15 / 1.64 * half.rotation_deg[:2].mean(), rel=0.15)


def test_more_certain_corners_make_a_more_certain_camera():
    corners = paper_seen_by(camera_at(25, focal=DEFAULT_FOCAL))
    halves = []
    for sigma in (1.0, 5.0, 25.0):
        decision = decide_sheet(corners, SIZE, DEFAULT_FOCAL, ("a4",), np.full(4, sigma))
        half = camera_uncertainty(decision, corners, np.full(4, sigma), DEFAULT_FOCAL)
        # How far away it is, the focal length decides.
        halves.append([half.tilt_deg, *half.translation_mm[:2], *half.rotation_deg])
    assert (np.diff(halves, axis=0) > 0).all()


def test_a_format_that_may_be_another_widens_the_intervals():
    truth = camera_at(10, focal=DEFAULT_FOCAL)
    between = corners_mm(A4) * (1, (279.4 / 215.9 * 0.5 + 297 / 210 * 0.5) / (297 / 210))
    corners, sigmas = truth.project(on_paper(between)), np.full(4, 4.0)
    decision = decide_sheet(corners, SIZE, DEFAULT_FOCAL, sigmas_px=sigmas)
    assert decision.confidence < 0.8
    sure = SheetDecision(decision.format, decision.long_side, 1.0, decision.camera, decision.focal_from)
    narrow = camera_uncertainty(sure, corners, sigmas, DEFAULT_FOCAL)
    wide = camera_uncertainty(decision, corners, sigmas, DEFAULT_FOCAL)
    assert wide.tilt_deg > 1.3 * narrow.tilt_deg
    assert np.array_equal(wide.covariance, narrow.covariance)
    rival = decision.rivals[0]
    other, _ = camera_from_corners(corners, corners_mm(rival.format, rival.long_side), SIZE, DEFAULT_FOCAL, sigmas)
    assert abs(other.tilt_deg - decision.camera.tilt_deg) < wide.tilt_deg


def test_covariance_is_symmetric_and_positive():
    corners = paper_seen_by(camera_at(40, focal=DEFAULT_FOCAL))
    decision = decide_sheet(corners, SIZE)
    covariance = camera_uncertainty(decision, corners, np.full(4, 3.0)).covariance
    assert covariance.shape == (7, 7)
    assert np.allclose(covariance, covariance.T)
    assert (np.linalg.eigvalsh(covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))) > 0).all()


def test_the_same_photo_gets_the_same_uncertainty():
    corners = paper_seen_by(camera_at(20, focal=DEFAULT_FOCAL))
    decision = decide_sheet(corners, SIZE)
    first, second = (camera_uncertainty(decision, corners, np.full(4, 3.0)) for _ in range(2))
    assert (first.focal_px, first.height_mm, first.tilt_deg) == (second.focal_px, second.height_mm, second.tilt_deg)
    assert isinstance(decision.camera, Camera)
