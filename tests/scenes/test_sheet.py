from itertools import permutations

import numpy as np
import pytest

from scenes.sheet import A4, FORMATS, LETTER, corners_mm, homography, order_corners, transform

QUAD = np.array([[120.0, 80.0], [610.0, 130.0], [560.0, 900.0], [60.0, 820.0]])


def test_corners_start_top_left_and_go_clockwise_with_y_up():
    assert corners_mm(A4).tolist() == [[-105, 148.5], [105, 148.5], [105, -148.5], [-105, -148.5]]
    assert corners_mm(LETTER, "horizontal")[1].tolist() == [139.7, 107.95]
    assert FORMATS == {"a4": A4, "letter": LETTER}


def test_corners_refuse_another_side():
    with pytest.raises(ValueError, match="'diagonal'"):
        corners_mm(A4, "diagonal")


@pytest.mark.parametrize("quad", [QUAD, QUAD * [-1, 1], np.array([[5.0, 0], [10, 5], [5, 10], [0, 5]])])
def test_order_does_not_depend_on_the_order_given(quad):
    ordered = {tuple(map(tuple, quad[list(p)][order_corners(quad[list(p)])])) for p in permutations(range(4))}
    assert len(ordered) == 1


def test_order_is_clockwise_in_the_image_from_the_smallest_sum():
    shuffled = QUAD[[2, 0, 3, 1]]
    assert np.array_equal(shuffled[order_corners(shuffled)], QUAD)


def test_of_equal_sums_the_upper_corner_is_first():
    diamond = np.array([[0.0, 5.0], [10.0, 5.0], [5.0, 10.0], [5.0, 0.0]])
    assert diamond[order_corners(diamond)].tolist() == [[5, 0], [10, 5], [5, 10], [0, 5]]


@pytest.mark.parametrize("points", [np.zeros((3, 2)), np.full((4, 2), np.nan)])
def test_order_refuses_other_than_four_finite_points(points):
    with pytest.raises(ValueError, match="four"):
        order_corners(points)


def test_homography_of_a_scaled_and_shifted_square_is_known():
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    matrix = homography(square, square * 10 + [3, 4])
    assert np.allclose(matrix / matrix[2, 2], [[10, 0, 3], [0, 10, 4], [0, 0, 1]], atol=1e-9)


def test_homography_is_exact_on_four_points_and_its_inverse_goes_back():
    matrix = homography(corners_mm(A4), QUAD)
    assert np.allclose(transform(matrix, corners_mm(A4)), QUAD, atol=1e-9)
    assert np.allclose(transform(np.linalg.inv(matrix), QUAD), corners_mm(A4), atol=1e-9)
    assert np.linalg.norm(matrix) == pytest.approx(1)


def test_homography_of_many_points_finds_the_one_that_made_them():
    truth = homography(corners_mm(A4), QUAD)
    points = np.random.default_rng(2).uniform(-100, 100, (40, 2))
    assert np.allclose(homography(points, transform(truth, points)), truth, atol=1e-12)


def test_homography_of_noisy_points_errs_less_than_they_do():
    rng = np.random.default_rng(3)
    truth = homography(corners_mm(A4), QUAD)
    points = rng.uniform(-100, 100, (200, 2))
    fitted = homography(points, transform(truth, points) + rng.normal(0, 1, points.shape))
    assert np.linalg.norm(transform(fitted, corners_mm(A4)) - QUAD, axis=1).max() < 1


@pytest.mark.parametrize("source, reason", [
    ([[0, 0], [1, 0], [2, 0], [3, 0]], "line"),
    ([[0, 0], [1, 0], [2, 0], [0, 1]], "line"),
    ([[1, 1], [1, 1], [1, 1], [1, 1]], "coincide"),
    ([[0, 0], [1, 0], [1, 1]], "N >= 4"),
    ([[0, 0], [1, 0], [1, 1], [0, np.inf]], "finite")])
def test_homography_refuses_what_decides_nothing(source, reason):
    target = [[0, 0], [1, 0], [1, 1], [0, 1]][:len(source)]
    with pytest.raises(ValueError, match=reason):
        homography(source, target)


def test_points_at_infinity_come_back_without_a_warning(recwarn):
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])
    assert not np.isfinite(transform(matrix, [[0.0, 5.0]])).all()
    assert not recwarn.list
