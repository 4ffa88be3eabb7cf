import pytest

from scenes.json_text import DEEPEST, LARGEST, check_depth, is_number, is_whole, parsed


def nested(depth):
    return "[" * depth + "]" * depth


def test_what_a_text_holds():
    assert parsed('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]} and parsed(nested(DEEPEST)) is not None


@pytest.mark.parametrize("text", [
    nested(DEEPEST + 1), '{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), nested(100_000), "[" * 100_000,
    "[0, " + "9" * 5000 + "]", "{", "", "\ufeff[]"])
def test_what_breaks_programs_is_refused(text):
    with pytest.raises(ValueError):
        parsed(text)


def test_the_depth_is_that_of_the_deepest_place():
    flat = [[]] * 1000
    check_depth([flat, {"a": flat}])
    value = []
    for _ in range(DEEPEST):
        value = {"a": 1, "b": value}
    with pytest.raises(ValueError, match=f"more than {DEEPEST} deep"):
        check_depth([1, value, 2])
    check_depth(value["b"])


@pytest.mark.parametrize(("value", "number", "whole"), [
    (3, True, True), (-LARGEST, True, True), (10**400, False, True), (0.5, True, False), (float("nan"), True, False),
    (True, False, False), ("3", False, False), (None, False, False)])
def test_numbers_are_those_that_a_float_can_hold(value, number, whole):
    assert (is_number(value), is_whole(value)) == (number, whole)
    if number:
        float(value)
