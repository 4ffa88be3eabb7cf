"""The card tells figures, conditions and limits; what is not known is said."""

import json

import pytest

from deploy.card import flatten, limits_of, model_card, notes_of


@pytest.fixture
def manifest(bundle):
    return json.loads(json.dumps(bundle.manifest))


def test_the_card_holds_figures_notes_and_versions(manifest):
    manifest["models"]["keypoints"]["accuracy"] = {"evaluation": {"corners": {"median_px": 1.23456}}}
    card = model_card(manifest, notes="Trained at night.")
    assert "evaluation / corners / median_px: 1.235" in card
    assert "Trained at night." in card and notes_of(card) == "Trained at night."
    assert notes_of(model_card(manifest)) == "" and model_card(manifest, notes_of(card)) == card
    assert "background, sheet, left_foot, right_foot" in card
    assert "python 3" in card


def test_accuracy_by_condition_is_a_table(manifest):
    manifest["models"]["segmentation"]["accuracy"] = {"photos": {"mean_iou": 0.9, "conditions": {
        "brightness, times": {"0.2": {"mean_iou": 0.51234, "p95": 3.0}, "2": {"mean_iou": 0.8}},
        "turn, degrees": {"15": {"mean_iou": 0.85, "p95": None}}}}}  # fmt: skip
    card = model_card(manifest)
    assert "photos / mean_iou: 0.9\n" in card and "conditions /" not in card
    table = card.split("photos, by condition: mean_iou")[1].splitlines()
    assert table[2:6] == ["| condition | step: figure |", "| --- | --- |",
                          "| brightness, times | 0.2: 0.512, 2: 0.8 |", "| turn, degrees | 15: 0.85 |"]  # fmt: skip
    assert "photos, by condition: p95" in card and "| brightness, times | 0.2: 3 |" in card


def test_the_card_says_where_it_ends(manifest):
    told = limits_of(manifest)
    assert ("Not known of keypoints: what it was trained on, its accuracy, its accuracy by condition (darker, blurred, "
            "turned, ...).") in told  # fmt: skip
    assert any("fp32 0.02 px" in line and "fp16 0.2 px" in line and "int8" not in line for line in told)
    assert not any("VNNI" in line for line in told)
    described = manifest["models"]["keypoints"]
    described |= {"trained_on": {"samples": 3}, "accuracy": {"photos": {"conditions": {"turn, degrees": {}}}}}
    described["variants"]["int8"] = described["variants"]["fp32"]
    told = limits_of(manifest)
    assert not any("of keypoints" in line for line in told) and any("VNNI" in line for line in told)
    assert all(f"- {line}" in model_card(manifest) for line in told)


def test_flatten():
    assert flatten({"a": {"b": 1, "c": {"d": 0.5}}, "e": "x"}) == [("a / b", "1"), ("a / c / d", "0.5"), ("e", "x")]
