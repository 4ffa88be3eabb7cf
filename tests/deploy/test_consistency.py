import numpy as np
import pytest

from deploy.consistency import consistent_corners
from scenes.camera import decide_sheet
from scenes.rendering.layout import look_at
from scenes.sheet import A4, LETTER, corners_mm

SIZE = (900, 1200)
DIAGONAL = 1500.0


def seen(paper, position=(60, -250, 700), up=(0.1, 1, 0)):
    """True corners (4, 2) px of a sheet under a phone's camera, in published order for these views."""
    camera = look_at(position, (0, 0, 0), up, 0.6 * DIAGONAL, *SIZE)
    return camera.project(np.column_stack([corners_mm(paper), np.zeros(4)]))


@pytest.mark.parametrize("paper", [A4, LETTER], ids=lambda paper: paper.name)
def test_a_false_edge_gives_way_to_the_sheets_shape(paper):
    """The lower side was taken too high and slanting, as where a leg crosses it; the network is off by some pixels."""
    truth = seen(paper)
    sharp = truth.copy()
    sharp[2:, 1] -= (15, 90)
    rng = np.random.default_rng(3)
    network = truth + rng.normal(0, 5, (4, 2))
    assert decide_sheet(sharp, SIZE).confidence < 0.5
    fitted = consistent_corners(sharp, network, np.full(4, 0.9), SIZE)
    assert fitted.believed[:2].all() and not fitted.believed[3]
    np.testing.assert_array_equal(fitted.corners[:2], truth[:2])
    # The third corner is off by 15 px, which another pose of the sheet explains nearly as well.
    assert np.linalg.norm(fitted.corners - truth, axis=1).max() < 25
    decision = decide_sheet(fitted.corners, SIZE)
    assert decision.confidence > 0.5


def test_one_corner_is_found_from_three():
    truth = seen(A4)
    sharp, network = truth.copy(), truth.copy()
    sharp[3] += (150, -120)
    network[3] += (-45, 50)  # a covered corner: far off, and its peak says so
    fitted = consistent_corners(sharp, network, np.array([1, 1, 1, 0.1]), SIZE)
    assert fitted.believed.tolist() == [True, True, True, False]
    assert np.linalg.norm(fitted.corners[3] - truth[3]) < 12


def test_corners_of_a_sheet_are_left_alone():
    truth = seen(LETTER)
    fitted = consistent_corners(truth, truth + 4.0, np.ones(4), SIZE)
    assert fitted.believed.all()
    np.testing.assert_array_equal(fitted.corners, truth)


def test_corners_that_no_camera_sees_give_nothing():
    crossed = seen(A4)[[0, 2, 1, 3]]
    assert consistent_corners(crossed, crossed, np.ones(4), SIZE) is None
