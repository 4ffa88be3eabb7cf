import numpy as np
import pytest

from keypoints import failures
from keypoints.config import STRIDE, TrainConfig
from keypoints.heatmaps import encode
from keypoints.loader import Example, plain_sample
from scenes.gallery import HEADER_PX

CORNERS = np.array([[30.0, 20.0], [90.0, 24.0], [85.0, 130.0], [24.0, 120.0]])


def example(visibility=(2, 2, 1, 2)):
    return Example("a", np.full((160, 120, 3), 90, np.uint8), None, CORNERS, np.array(visibility), (240, 320))


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "turn"])
def test_heat_lies_on_the_corner_it_is_of(fit):
    config = TrainConfig(height=128, width=192, fit=fit)
    _, corners, _ = plain_sample(example(), config)
    heatmaps = encode(corners, [True] * 4, config.heatmap_size, STRIDE, 1.5)
    for k in range(4):
        heat = failures.heat_of_photo(heatmaps[[k]], (120, 160), (360, 480), config)
        assert heat.shape == (480, 360) and 0 <= heat.min() and heat.max() <= 1
        y, x = np.mgrid[:480, :360]
        middle = np.array([(heat * x).sum(), (heat * y).sum()]) / heat.sum()
        distance = np.linalg.norm((CORNERS + 0.5) * 3 - 0.5 - middle, axis=1)
        assert distance.min() < 1.5  # of 360 x 480 pixels


def test_the_interior_of_a_sheet_is_no_heat():
    config = TrainConfig(height=64, width=64, maps="sheet")
    heatmaps = np.zeros((4, 16, 16), np.float32)
    heatmaps[1, 4, 4], heatmaps[3] = 1, 9
    drawn = failures.heat_of_photo(heatmaps, (120, 160), (120, 160), config)
    of_peaks = failures.heat_of_photo(heatmaps[:3], (120, 160), (120, 160), TrainConfig(height=64, width=64))
    np.testing.assert_array_equal(drawn, of_peaks)
    assert drawn.max() > 0.5 and np.median(drawn) == 0


def test_rings_are_drawn_where_the_points_are_and_not_for_those_outside():
    picture = np.zeros((200, 200, 3), np.uint8)
    points = np.array([[50.0, 60.0], [150, 60], [100, 150], [np.nan, 1], [1e9, 1]])
    drawn = failures.draw_points(picture, points, (10, 20, 30), [2, 1, 0, 2, 2])
    assert not picture.any()
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert rows.min() == 54 or rows.min() == 55
    assert drawn[60, 50].tolist() == drawn[60, 150].tolist() == [10, 20, 30] and not drawn[100:].any()
    # A covered one has the smaller ring, and fewer than four corners no outline.
    assert drawn[60, 45].any() and not drawn[60, 145].any() and not drawn[60, 80:120].any()
    corners = failures.draw_points(picture, CORNERS, (10, 20, 30))
    assert corners[22, 60].any()


def test_truth_and_answer_have_their_own_colours_beside_the_heat():
    config = TrainConfig(height=64, width=64)
    heatmaps = np.zeros((4, 16, 16), np.float32)
    picture = failures.failure_picture(example(), heatmaps, example().corners_in_photo + 20, config, "1: a")
    assert picture.shape == (480 + HEADER_PX, 720, 3)
    photo, heat = picture[HEADER_PX:, :360], picture[HEADER_PX:, 360:]
    # Photo pixels are 1.5 picture pixels.
    truth, said = ((example().corners_in_photo[0] + shift + 0.5) * 1.5 - 0.5 for shift in (0, 20))
    for point, colour in ((truth, failures.TRUTH), (said, failures.SAID)):
        x, y = np.round(point).astype(int)
        assert photo[y, x].tolist() == list(colour)
    assert len(np.unique(heat)) == 1
    only = failures.failure_picture(example(), np.zeros(8), CORNERS, TrainConfig(model="regression_resnet18_v1b"), "é")
    assert only.shape[1] == 360


def test_heat_is_blended_by_how_high_it_is():
    photo = np.full((1, 3, 3), 100, np.uint8)
    blended = failures.blended(photo, np.array([[0.0, 0.2, 1.0]], np.float32))
    assert blended[0, 0].tolist() == [90] * 3  # grey, 0.7 * 100 + 20
    assert blended[0, 1, 0] > blended[0, 1, 2] and blended[0, 2, 0] > 220
