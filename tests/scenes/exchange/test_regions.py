import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from scenes.exchange.commands import CLASSES
from scenes.exchange.regions import ClassNames, filled, from_run_lengths, paint, run_lengths
from scenes.exchange.source import Refused
from scenes.labels import NAMES

SIZE = (6, 5)


def test_pixel_i_lies_between_i_and_i_plus_1():
    expected = np.zeros((5, 6), bool)
    expected[1:3, 2:4] = True
    np.testing.assert_array_equal(filled([[2, 1, 4, 1, 4, 3, 2, 3]], SIZE), expected)


def test_outlines_of_one_region_are_filled_together_and_cut_at_the_border():
    expected = np.zeros((5, 6), bool)
    expected[0, 0] = expected[3:, 4:] = True
    np.testing.assert_array_equal(filled([[0, 0, 1, 0, 1, 1, 0, 1], [4, 3, 9, 3, 9, 8, 4, 8]], SIZE), expected)


@pytest.mark.parametrize("polygon", [
    [], [1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 1, 2, 2, math.nan, 3], [0, 0, 1e9, 0, 1, 1], "1 2 3 4 5 6", [[1, 2], [3, 4]],
    [1, 1, None, 2, 2, 2]])
def test_outlines_that_are_none_are_refused(polygon):
    with pytest.raises(Refused, match="bad_polygon"):
        filled([polygon], SIZE)


def test_feet_lie_on_the_sheet_and_background_over_all():
    left, sheet, leg = (np.zeros((5, 6), bool) for _ in range(3))
    sheet[1:4] = True
    left[2:, :2] = True
    leg[:, 0] = True
    mask = paint([(0, leg), (2, left), (1, sheet)], SIZE)
    assert mask.tolist() == [[0] * 6, [0, 1, 1, 1, 1, 1], [0, 2, 1, 1, 1, 1], [0, 2, 1, 1, 1, 1], [0, 2, 0, 0, 0, 0]]


def test_run_lengths_go_down_the_columns_and_begin_outside():
    region = np.array([[0, 1], [1, 1]], bool)
    assert run_lengths(region) == {"size": [2, 2], "counts": [1, 3]}
    assert run_lengths(~region) == {"size": [2, 2], "counts": [0, 1, 3]}
    np.testing.assert_array_equal(from_run_lengths({"size": [2, 2], "counts": [1, 3]}, (2, 2)), region)


def test_run_lengths_are_those_of_pycocotools():
    region = np.random.default_rng(3).random((17, 23)) > 0.6
    packed = coco_mask.encode(np.asfortranarray(region.astype(np.uint8)))
    np.testing.assert_array_equal(coco_mask.decode(coco_mask.frPyObjects(run_lengths(region), 17, 23)), region)
    text = {"size": [17, 23], "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(from_run_lengths(text, (23, 17)), region)
    np.testing.assert_array_equal(from_run_lengths(run_lengths(region), (23, 17)), region)


@pytest.mark.parametrize("encoded, rule", [
    ({"size": [6, 5], "counts": [30]}, "mask_size"), ({"counts": [30]}, "mask_size"),
    ({"size": [5, 6], "counts": [29]}, "bad_run_lengths"), ({"size": [5, 6], "counts": [-1, 31]}, "bad_run_lengths"),
    ({"size": [5, 6], "counts": [1.5, 28.5]}, "bad_run_lengths"), ({"size": [5, 6], "counts": ""}, "bad_run_lengths"),
    ({"size": [5, 6], "counts": "~~~"}, "bad_run_lengths"), ({"size": [5, 6], "counts": 7}, "bad_run_lengths")])
def test_run_lengths_that_are_none_are_refused(encoded, rule):
    with pytest.raises(Refused) as refused:
        from_run_lengths(encoded, SIZE)
    assert refused.value.rule == rule


def test_names_of_regions():
    names = ClassNames({"Paper": "sheet", "shoe": "background", "hand": "ignore"})
    found = [names.label(name) for name in ("sheet", "Sheet mask", "Left Foot", "right-foot", "paper", "SHOE", "hand")]
    assert found == [1, 1, 2, 3, 1, 0, None]
    with pytest.raises(Refused, match="unknown_class.*'sock'.*--class"):
        names.label("sock")


def test_the_command_offers_the_classes_that_there_are():
    assert CLASSES == (*NAMES, "ignore")
