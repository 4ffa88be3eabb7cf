"""Verdicts on corners follow from what trainings came to, in the right direction."""

import pytest

from experiments.thesis.assemble import build
from experiments.thesis.items import CORNERS, ITEMS
from experiments.thesis.material import Material
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD

HALF = 1.0  # the error, of corners seen and covered


@pytest.fixture
def found(make_cases, tmp_path):
    """A function (name of an item, gains={}) -> {finding: word} in order. gains: {training: halvings of errors}."""
    def give(name, gains=None):
        cases = make_cases(ITEMS[name].trainings, gains=gains)
        return {finding: verdict.word
                for finding, verdict in build(ITEMS[name], Material(tmp_path, "quick", cases)).verdicts}

    return give


VARIANTS = ("hourglass-focal", "hourglass-ohkm")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_alike_and_solves_nothing(name, found):
    assert list(found(name).values()) == [REPRODUCED, REPRODUCED]
    assert list(found(name, {name: HALF}).values()) == [NOT_REPRODUCED, NOT_REPRODUCED]  # it would be better
    assert list(found(name, {"hourglass": HALF}).values()) == [NOT_REPRODUCED, REPRODUCED]  # it is worse


def test_the_hourglass_is_exact_and_wrong_on_covered_corners(found):
    assert list(found("hourglass", {"hourglass": HALF}).values()) == [REPRODUCED, NOT_REPRODUCED, UNTOLD]
    assert list(found("hourglass", {"simplepose-resnet18": HALF}).values()) == [NOT_REPRODUCED, REPRODUCED, UNTOLD]


def test_simplepose_is_right_on_covered_corners_and_less_exact(found):
    assert list(found("simplepose-covered", {"simplepose-resnet18": HALF}).values()) == [REPRODUCED, NOT_REPRODUCED]
    assert list(found("simplepose-covered", {"hourglass": HALF}).values()) == [NOT_REPRODUCED, REPRODUCED]


@pytest.mark.parametrize(("name", "tried"), [("simplepose-resnet50", "simplepose-resnet50"),
                                             ("slope-loss", "hourglass-slope")])
def test_what_did_not_help_is_no_better(name, tried, found):
    first = ITEMS[name].trainings[0]
    assert set(found(name).values()) == set(found(name, {first: HALF}).values()) == {REPRODUCED}
    assert set(found(name, {tried: HALF}).values()) == {NOT_REPRODUCED}


def test_a_smaller_gaussian_is_more_exact(found):
    assert list(found("small-gaussian", {"simplepose-small-gaussian": HALF}).values()) == [REPRODUCED]
    assert list(found("small-gaussian", {"simplepose-resnet18": HALF}).values()) == [NOT_REPRODUCED]


def test_photos_and_maps_are_alike(found):
    assert list(found("hourglass-rgb").values()) == [REPRODUCED]
    assert list(found("hourglass-rgb", {"hourglass": HALF}).values()) == [NOT_REPRODUCED]


def test_levels_are_told_and_not_judged(make_cases, tmp_path):
    material = Material(tmp_path, "quick", make_cases(["simplepose-resnet18", "hourglass"]))
    ((_, accuracy),) = build(ITEMS["simplepose"], material).verdicts
    assert accuracy.word == UNTOLD and "0.250 (0.250 to 0.250)" in accuracy.evidence
    _, _, (_, mse) = build(ITEMS["hourglass"], material).verdicts
    assert mse.word == UNTOLD and "2.5e-01" in mse.evidence and "65,025" in mse.evidence
    assert any("1.2 million" in note for note in build(ITEMS["simplepose"], material).notes)


def test_tables_tell_errors_of_both_kinds_of_corners(make_cases, tmp_path):
    cases = make_cases(["hourglass"], 1)
    frame = build(ITEMS["hourglass"], Material(tmp_path, "quick", cases)).tables[0].frame.set_index("training")
    percent = cases["hourglass"][0]["validation"]["percent"]
    for kind, word in (("visible", "seen"), ("covered", "covered")):
        for figure, heading in (("median", "median"), ("p95", "95 %")):
            assert frame.loc["hourglass", f"{word}, {heading}"] == f"{percent[kind][figure]:.2f}"
    assert frame.loc["hourglass", "seeds"] == "1 of 3"


def test_every_corner_section_draws_what_it_tells(make_cases, tmp_path):
    item = ITEMS["hourglass"]
    section = build(item, Material(tmp_path, "quick", make_cases(item.trainings)))
    losses, corners = (drawing.draw() for drawing in section.drawings)
    assert [panel.get_title() for panel in losses.axes] == ["SimplePose ResNet18", "hourglass"]
    assert len(corners.axes) == 4 * 3  # scenes by the photo and two networks
    names = [drawing.name for one in ITEMS.values() if one.part == CORNERS and one.trainings
             for drawing in build(one, Material(tmp_path, "quick", make_cases(one.trainings, 1))).drawings]
    assert len(names) == len(set(names)) == 2 * 9
