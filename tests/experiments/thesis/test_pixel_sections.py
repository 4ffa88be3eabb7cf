"""Verdicts on segmentation follow from what trainings came to, in the right direction."""

import pandas as pd
import pytest

from experiments.thesis import pixel_sections
from experiments.thesis.assemble import build
from experiments.thesis.items import ITEMS
from experiments.thesis.material import Material
from experiments.thesis.pixel_sections import parameter_table, parameter_verdict, same_ranking, told
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD

MUCH = 0.03  # of pixel accuracy, three times what counts as alike


@pytest.fixture
def words(make_cases, tmp_path):
    """A function (name of an item, gains={}, seeds=3) -> words of its verdicts. gains: {training: accuracy more}."""
    def give(name, gains=None, seeds=3):
        cases = make_cases(ITEMS[name].trainings, seeds, gains)
        return [verdict.word for _, verdict in build(ITEMS[name], Material(tmp_path, "quick", cases)).verdicts]

    return give


def test_values_of_seeds_are_told_with_their_range():
    assert told([0.5, 0.75, 1.0], ".2f") == "0.75 (0.50 to 1.00)"
    assert told([0.5, None], ".2f") == "0.50" and told([0.25]) == "0.2500"
    assert told([]) is None and told([None]) is None


def test_the_table_tells_what_the_cases_tell(make_cases, tmp_path):
    cases = make_cases(["resnet50-1236"])
    table = build(ITEMS["pools"], Material(tmp_path, "quick", cases)).tables[0]
    row, empty, _ = (line for _, line in table.frame.iterrows())
    accuracies = [case["validation"]["pixel_accuracy"] for case in cases["resnet50-1236"]]
    assert row["here: validation"] == told(accuracies) and row["parameters"] == "1,234,567"
    boundary = [case["validation"]["boundary"]["mean_f"] for case in cases["resnet50-1236"]]
    assert row["boundary F"] == told(boundary, ".3f")
    assert pd.isna(empty["here: validation"]) and empty["seeds"] == "0 of 3"
    assert "thesis: training F1" not in table.frame  # it prints none of these


def test_the_shallower_encoder_is_judged_beside_the_base(words):
    """At least three seeds of the base too, which are not meant at this scale."""
    assert words("truncated-resnet50", {"resnet50-1236": MUCH})[0] == REPRODUCED
    assert words("truncated-resnet50", {"base": MUCH})[0] == NOT_REPRODUCED
    assert words("truncated-resnet50")[0] == REPRODUCED  # no worse
    assert words("truncated-resnet50", {"resnet50-1236": MUCH}, seeds=1)[0] == UNTOLD


def test_pools_are_alike_or_not(words):
    assert words("pools") == [REPRODUCED, REPRODUCED]
    assert words("pools", {"resnet50-1238": MUCH}) == [NOT_REPRODUCED, REPRODUCED]
    assert words("pools", {"resnet50-1236": MUCH}) == [NOT_REPRODUCED, NOT_REPRODUCED]


def test_frozen_blocks_are_judged_with_imagenets_weights_alone(make_case, make_cases, tmp_path):
    item = ITEMS["frozen-resnet50"]
    better = {"resnet50-frozen-1356": MUCH}
    quick = build(item, Material(tmp_path, "quick", make_cases(item.trainings, gains=better)))
    ((_, verdict),) = quick.verdicts
    assert verdict.word == UNTOLD and "nothing was frozen" in verdict.evidence and "+3." in verdict.evidence
    for gains, word in ((better, REPRODUCED), ({"resnet50-1356": MUCH}, NOT_REPRODUCED)):
        cases = {name: [make_case(name, seed, gains.get(name, 0.0), "paper") for seed in range(3)]
                 for name in item.trainings}
        ((_, verdict),) = build(item, Material(tmp_path, "paper", cases)).verdicts
        assert verdict.word == word


def test_each_efficientnet_is_held_against_the_resnet(words):
    assert words("efficientnets")[:3] == [REPRODUCED] * 3
    assert words("efficientnets", {"efficientnetb0": MUCH})[:3] == [REPRODUCED, NOT_REPRODUCED, REPRODUCED]
    assert words("efficientnets")[3] == UNTOLD  # parameters are another experiment's


def test_augmentation_is_to_be_better(words):
    assert words("augmentation", {"efficientnetb4-augmented": MUCH})[0] == REPRODUCED
    assert words("augmentation", {"efficientnetb5-augmented": MUCH})[1] == REPRODUCED
    assert words("augmentation", {"efficientnetb4": MUCH})[0] == NOT_REPRODUCED
    assert words("augmentation", {"efficientnetb5": MUCH})[1] == NOT_REPRODUCED


def test_losses_are_judged_in_their_direction(words):
    plain, weighted, focal = ITEMS["focal-loss"].trainings
    assert words("weighted-cross-entropy", {plain: MUCH})[0] == REPRODUCED
    assert words("weighted-cross-entropy", {weighted: MUCH})[0] == NOT_REPRODUCED
    assert words("weighted-cross-entropy", {weighted: MUCH})[1] == REPRODUCED  # fewer wrong pixels at borders too
    assert words("focal-loss", {plain: MUCH}) == [REPRODUCED, REPRODUCED]
    assert words("focal-loss", {focal: MUCH}) == [NOT_REPRODUCED, NOT_REPRODUCED]


@pytest.mark.parametrize(("accuracy", "dice", "word"), [
    (0.96, 0.70, REPRODUCED), (0.99, 0.97, NOT_REPRODUCED),
    # All pixels called background: there is a gap, and no high accuracy.
    (0.63, 0.19, NOT_REPRODUCED),
])  # fmt: skip
def test_accuracy_that_hides_what_dice_tells(accuracy, dice, word, make_cases, tmp_path):
    cases = make_cases(["base"])
    for case in cases["base"]:
        case["validation"] |= {"pixel_accuracy": accuracy, "mean_dice": dice}
    section = build(ITEMS["base-pspnet"], Material(tmp_path, "quick", cases))
    assert [verdict.word for _, verdict in section.verdicts] == [UNTOLD, word]
    assert f"{accuracy:.4f}" in section.verdicts[1][1].evidence


def test_the_ranking_counts_pairs(make_cases, tmp_path):
    names = ITEMS["pools"].trainings
    gains = dict(zip(names, (0.02, 0.01, 0.0), strict=True))
    for order, agree in ((names, 3), (names[::-1], 0)):
        material = Material(tmp_path, "quick", make_cases(names, gains=dict(zip(order, gains.values(), strict=True))))
        assert same_ranking(material, names) == (agree, 3)
    ((_, verdict),) = build(ITEMS["ranking"], material).verdicts
    assert verdict.word == UNTOLD and "Of 3 pairs that the thesis tells apart 0 are in its order; 3 differ" in (
        verdict.evidence)
    two = Material(tmp_path, "quick", make_cases(names[:2]))
    assert "Fewer than three" in build(ITEMS["ranking"], two).verdicts[0][1].evidence


def test_parameters_are_held_against_what_is_printed():
    counts = {"resnet50-1236": 24.0e6, "efficientnetb3": 14.2e6, "efficientnetb0": 15.4e6, "efficientnetb5": 22.6e6}
    right = parameter_verdict(counts)
    assert right.word == REPRODUCED and "B3 9.80 million fewer" in right.evidence
    for name, millions in (("efficientnetb0", 15.6), ("efficientnetb5", 22.4), ("efficientnetb3", 13.4)):
        assert parameter_verdict(counts | {name: millions * 1e6}).word == NOT_REPRODUCED
    assert parameter_verdict(None).word == UNTOLD
    table = parameter_table(counts)
    assert list(table.frame["here: millions"]) == ["24.00", "14.20", "15.40", "22.60"]
    assert [None if pd.isna(value) else value for value in table.frame["thesis: millions"]] == [None, None, 15, 23]


def test_only_published_trainings_are_ranked():
    assert set(ITEMS["ranking"].trainings) == set(pixel_sections.published.PIXELS)
