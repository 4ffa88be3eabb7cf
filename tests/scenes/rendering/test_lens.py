import numpy as np
import pytest

from scenes.rendering.layout import look_at
from scenes.rendering.lens import Lens, distort, pinhole_window, seen_at, through_lens, undistort

CAMERA = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 100.0, 121, 161)
LENSES = [Lens(-0.05), Lens(0.03), Lens(-0.04, 0.01)]


def test_a_point_moves_along_its_radius_by_the_stated_share():
    # 60 px right of the middle at a focal length of 100 px: r = 0.6, so k1 = 0.1 moves it by 3.6 %.
    seen = distort(np.array([[120.0, 80.0]]), CAMERA, Lens(0.1))
    np.testing.assert_allclose(seen, [[60 + 60 * 1.036, 80]])
    np.testing.assert_allclose(distort(np.array([[60.0, 80.0]]), CAMERA, Lens(0.1)), [[60, 80]])


@pytest.mark.parametrize("lens", LENSES)
def test_undistort_is_the_inverse(lens):
    points = np.random.default_rng(0).uniform(0, 1, (200, 2)) * (120, 160)
    np.testing.assert_allclose(distort(undistort(points, CAMERA, lens), CAMERA, lens), points, atol=1e-6)


def test_a_pinhole_needs_no_window():
    assert pinhole_window(CAMERA, Lens()) == (CAMERA, (0, 0))


@pytest.mark.parametrize("lens", LENSES)
def test_the_window_holds_all_that_the_photo_shows(lens):
    window, (left, top) = pinhole_window(CAMERA, lens)
    points = np.array([[0, 0], [120, 0], [120, 160], [0, 160], [60, 0], [0, 80]], float)
    inside = undistort(points, CAMERA, lens) + (left, top)
    assert (inside >= 0).all()
    assert (inside <= (window.width - 1, window.height - 1)).all()
    # The same ray through both cameras.
    mm = np.array([[50.0, 80.0, 0.0]])
    np.testing.assert_allclose(window.project(mm) - (left, top), CAMERA.project(mm))


@pytest.mark.parametrize("lens", LENSES)
def test_picture_and_points_are_bent_alike(lens):
    """A dot painted where the pinhole sees a point is found where `seen_at` says."""
    window, offset = pinhole_window(CAMERA, lens)
    for mm in ([[420.0, 560.0, 0.0]], [[-380.0, 500.0, 0.0]], [[100.0, -620.0, 0.0]]):
        x, y = window.project(np.array(mm))[0]
        column, row = np.meshgrid(np.arange(window.width), np.arange(window.height))
        dot = np.exp(-((column - x) ** 2 + (row - y) ** 2) / 8).astype(np.float32)
        photo = through_lens(np.dstack([dot] * 3), CAMERA, lens, offset)[..., 0]
        assert photo.shape == (161, 121)
        at = np.unravel_index(np.argmax(photo), photo.shape)
        expected = seen_at(np.array(mm), CAMERA, lens)[0]
        assert np.abs(np.array(at)[::-1] - expected).max() < 0.8


def test_class_ids_stay_class_ids():
    lens = Lens(-0.05)
    window, offset = pinhole_window(CAMERA, lens)
    fine = np.zeros((window.height * 2, window.width * 2), np.uint8)
    # The left half, seen from the middle of the photo, where the lens changes nothing.
    fine[:, :2 * (60 + offset[0]) + 1] = 3
    bent = through_lens(fine, CAMERA, lens, offset, scale=2)
    assert bent.shape == (161, 121)
    assert set(np.unique(bent)) == {0, 3}
    assert bent[80, 60] == 3 and bent[80, 61] == 0
