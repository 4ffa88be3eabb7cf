"""Corners sharpened on drawn sheets whose true corners are known."""

import cv2
import numpy as np
import pytest

from deploy.corners import BY_EDGES, BY_NETWORK, edge_support, from_resized, is_convex, sharpen_corners, to_resized
from scenes.labels import RIGHT_FOOT, SHEET

TRUTH = np.array([[210.3, 130.7], [505.2, 155.4], [560.8, 610.1], [150.6, 580.9]])
SIZE = 720, 760  # width, height


def draw(rng, quad=TRUTH, noise=4.0, shadow=True, foot=True, contrast=90):
    """A sheet on a textured floor, drawn at four times the size and averaged: (rgb, mask)."""
    width, height = SIZE
    floor = cv2.resize(rng.normal(0, 14, (height // 8, width // 8)).astype(np.float32), SIZE)
    big = np.zeros((height * 4, width * 4), np.float32)
    cv2.fillConvexPoly(big, np.rint((quad + 0.5) * 4 - 0.5).astype(np.int32), 1.0)
    cover = cv2.resize(big, SIZE, interpolation=cv2.INTER_AREA)
    image = (110 + floor) * (1 - cover) + (110 + contrast) * cover
    if shadow:
        image *= np.linspace(1.0, 0.6, width)[None]
    image = np.repeat(image[..., None], 3, axis=2) * np.array([1.0, 0.97, 0.92])
    mask = np.where(cover > 0.5, SHEET, 0).astype(np.uint8)
    if foot:
        foot_mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(foot_mask, (350, 520), (60, 170), 5, 0, 360, 1, cv2.FILLED)
        image[foot_mask > 0] = (150, 110, 90)
        mask[foot_mask > 0] = RIGHT_FOOT
    image += rng.normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def perturbed(rng, share):
    """TRUTH with corners off by `share` of the diagonal, each in a direction of its own."""
    angle = rng.uniform(0, 2 * np.pi, 4)
    return TRUTH + share * np.hypot(*SIZE) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_corners_off_by_one_percent_are_sharpened():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(6):
        rgb, mask = draw(rng)
        sharp, found = sharpen_corners(rgb, perturbed(rng, 0.01), mask)
        errors += list(np.linalg.norm(sharp - TRUTH, axis=1) / np.hypot(*SIZE))
        assert found == (BY_EDGES,) * 4
    assert np.median(errors) < 0.0007
    assert np.max(errors) < 0.0035


def test_true_corners_stay_where_they_are():
    rgb, mask = draw(np.random.default_rng(1), foot=False, shadow=False)
    sharp, _ = sharpen_corners(rgb, TRUTH, mask)
    assert np.abs(sharp - TRUTH).max() < 0.6


def test_an_edge_between_equal_colours_leaves_the_network_corners():
    rng = np.random.default_rng(2)
    flat = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    flat = np.clip(flat + rng.normal(0, 3, flat.shape), 0, 255).astype(np.uint8)
    start = perturbed(rng, 0.005)
    sharp, found = sharpen_corners(flat, start)
    assert found == (BY_NETWORK,) * 4
    np.testing.assert_array_equal(sharp, start)


def test_a_dark_sheet_on_a_light_floor_is_found_too():
    rng = np.random.default_rng(3)
    rgb, mask = draw(rng, contrast=-70, foot=False)
    sharp, found = sharpen_corners(rgb, perturbed(rng, 0.008), mask)
    assert found == (BY_EDGES,) * 4
    assert np.linalg.norm(sharp - TRUTH, axis=1).max() < 2.0


def test_a_covered_corner_comes_from_its_two_edges():
    rng = np.random.default_rng(4)
    rgb, mask = draw(rng, foot=False)
    cv2.circle(rgb, (150, 581), 70, (40, 50, 90), cv2.FILLED)
    cv2.circle(mask, (150, 581), 70, 0, cv2.FILLED)
    sharp, _ = sharpen_corners(rgb, perturbed(rng, 0.007), mask)
    assert np.linalg.norm(sharp[3] - TRUTH[3]) < 4.0


def test_the_mask_may_be_smaller_than_the_photo():
    rng = np.random.default_rng(5)
    rgb, mask = draw(rng)
    start = perturbed(rng, 0.01)
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
    sharp, _ = sharpen_corners(rgb, start, small)
    assert np.linalg.norm(sharp - TRUTH, axis=1).max() < 2.5


def test_no_corner_moves_beyond_the_limit():
    rng = np.random.default_rng(6)
    rgb, mask = draw(rng)
    start = perturbed(rng, 0.06)
    sharp, _ = sharpen_corners(rgb, start, mask)
    assert (np.linalg.norm(sharp - start, axis=1) <= 0.03 * np.hypot(*SIZE) + 1e-6).all()
    assert is_convex(sharp)


def test_support_is_highest_on_the_edges():
    rgb, _ = draw(np.random.default_rng(7), foot=False)
    true = edge_support(rgb, TRUTH)
    one_off = TRUTH + np.array([[0, 0], [0, 0], [40.0, 50.0], [0, 0]])
    assert true > 0.8
    assert edge_support(rgb, one_off) < true - 0.1
    assert edge_support(rgb, TRUTH + 35.0) < 0.5


def test_half_pixel_rule_and_its_inverse():
    points = np.array([[0.0, 0.0], [3.0, 7.5]])
    np.testing.assert_allclose(to_resized(points, np.array([2.0, 2.0])), [[0.5, 0.5], [6.5, 15.5]])
    scale = np.array([0.3, 0.7])
    np.testing.assert_allclose(from_resized(to_resized(points, scale), scale), points, atol=1e-12)


@pytest.mark.parametrize("corners, convex", [
    ([[0, 0], [10, 0], [10, 10], [0, 10]], True),
    ([[0, 0], [10, 0], [4, 4], [0, 10]], False),  # one corner pushed in
    ([[0, 0], [0, 10], [10, 10], [10, 0]], False),  # counter-clockwise
    ([[0, 0], [10, 10], [10, 0], [0, 10]], False),  # crossed
])
def test_convexity(corners, convex):
    assert is_convex(np.array(corners, float)) is convex
