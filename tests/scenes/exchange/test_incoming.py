import math

import numpy as np
import pytest

from scenes.document import Category
from scenes.exchange.incoming import checked_mask, settled, tidy_attributes
from scenes.exchange.source import Refused

SIZE = (64, 48)
CORNERS = np.array([[10.0, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]])
UNKNOWN = [math.nan, math.nan]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 2, 3, 0], [3, 2, 1, 0], [0, 2, 1, 3]])
def test_corners_come_in_published_order_with_their_visibility(order):
    points, visibility = settled(CORNERS[order], np.array([2, 1, 2, 2])[order], SIZE)
    assert points.tolist() == CORNERS.tolist() and visibility.tolist() == [2, 1, 2, 2]


def test_without_visibility_the_place_tells():
    points = CORNERS.copy()
    points[1] = 64.0, 6.0
    assert settled(points, None, SIZE)[1].tolist() == [2, 0, 2, 2]
    points[1] = UNKNOWN
    points, visibility = settled(points, None, SIZE)
    assert points[1].tolist() == [-1, -1] and visibility.tolist() == [2, 0, 2, 2]


def test_seen_outside_is_outside_and_absent_inside_is_not_known():
    points = CORNERS.copy()
    points[2] = 52.0, 49.0
    points, visibility = settled(points, np.array([0, 2, 2, 1]), SIZE)
    assert points.tolist() == [[-1, -1], [50, 6], [52, 49], [8, 41]] and visibility.tolist() == [0, 2, 0, 1]


def test_what_is_outside_keeps_its_place():
    points = CORNERS.copy()
    points[1] = 70.0, -9.0
    assert settled(points, np.array([2, 0, 2, 2]), SIZE)[0][1].tolist() == [70, -9]


def test_corners_that_no_sheet_has_are_refused():
    with pytest.raises(Refused, match="corner_shape"):
        settled([[1, 1], [20, 20], [40, 40], [10, 30]], None, SIZE)


def test_points_of_another_category_keep_their_order():
    face = Category("face", ("a", "b", "c", "d"))
    points, visibility = settled(CORNERS[[2, 0, 1, 3]], None, SIZE, face)
    assert points.tolist() == CORNERS[[2, 0, 1, 3]].tolist() and visibility.tolist() == [2, 2, 2, 2]


def test_attributes_of_another_form_stand_aside():
    attributes = {"sheet": "Letter", "feet": "none", "split": "test", "note": "x"}
    assert tidy_attributes(attributes, "train") == {"split": "test", "note": "x",
                                                    "source": {"sheet": "Letter", "feet": "none"}}
    assert tidy_attributes({"split": "fold 3"}, "train") == {"split": "train", "source": {"split": "fold 3"}}
    good = {"sheet": {"format": "a4", "long_side": "vertical"}, "feet": [], "source": {"a": 1}}
    assert tidy_attributes(good, None) == good
    assert tidy_attributes({"sheet": "mine"}, None, Category("face", ("a",))) == {"sheet": "mine"}


def test_attributes_that_json_cannot_hold_are_refused():
    with pytest.raises(Refused, match="not_finite"):
        tidy_attributes({"camera": {"rotation": [[1.0, math.nan]]}}, None)


@pytest.mark.parametrize("mask, rule", [
    (np.zeros((48, 63), np.uint8), "mask_size"), (np.full((48, 64), 4, np.uint8), "mask_value"),
    (np.full((48, 64), 2, np.uint8), "foot_without_sheet")])
def test_masks_that_are_none_are_refused(mask, rule):
    with pytest.raises(Refused) as refused:
        checked_mask(mask, SIZE, {"attributes": {}})
    assert refused.value.rule == rule
