"""Verdicts on numbers of which one knows what they say."""

import re
from dataclasses import replace

import numpy as np
import pytest

from experiments.results import LEAST_SEEDS
from experiments.thesis import findings
from experiments.thesis.findings import (
    COVERED,
    LEAST_ERROR,
    POINT,
    POINTS,
    SEEN,
    SIMILAR_RATIO,
    TIMES,
    accuracy,
    boundary,
    difference,
    same_order,
    verdict,
)
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD

SCENES = 100


def cases_of(rows, seeds=None):
    """Case documents, one a row of accuracies (S, N)."""
    return [{"seed": seed, "each": {"pixel_accuracy": [None if np.isnan(value) else value for value in row]}}
            for seed, row in zip(seeds or range(len(rows)), np.asarray(rows, float).tolist(), strict=True)]


def values_of(case):
    return np.array(case["each"]["pixel_accuracy"], float)


def arm(level, seeds=3, rng=None, seed_spread=0.0, scene_spread=0.0, hard=0.0):
    """Accuracies (S, N) round a level: `hard` is added to each scene of all arms alike."""
    rng = rng or np.random.default_rng(0)
    return (level + hard + rng.normal(0, seed_spread, (seeds, 1)) * (seed_spread > 0)
            + rng.normal(0, 1, (seeds, SCENES)) * scene_spread)


def compared(first, second):
    return difference(cases_of(first), cases_of(second), values_of)


def test_the_difference_is_that_of_the_means():
    found = compared(arm(0.5), arm(0.75))
    assert (found.mean, found.low, found.high) == pytest.approx((0.25,) * 3)
    assert (found.seeds, found.scenes) == (3, SCENES)


def test_it_is_the_second_less_the_first():
    rng = np.random.default_rng(1)
    first, second = arm(0.5, rng=rng, scene_spread=0.1), arm(0.6, rng=rng, scene_spread=0.1)
    there, back = compared(first, second), compared(second, first)
    assert there.mean == pytest.approx(-back.mean) and there.low < there.mean < there.high
    assert there.mean == pytest.approx(0.1, abs=0.03)


def test_without_a_case_there_is_no_difference():
    assert difference([], cases_of(arm(0.5)), values_of) is None
    assert difference(cases_of(arm(0.5)), [], values_of) is None
    told = verdict(None, "better", POINTS)
    assert told.word == UNTOLD and "done" in told.evidence


def test_scenes_that_one_training_cannot_tell_are_left_out_of_all():
    first, second = arm(0.5), arm(0.6)
    first[:, :20], second[1, 30] = 99, np.nan
    first[2, :20] = np.nan  # what is left in the others would be far off
    found = compared(first, second)
    assert found.scenes == SCENES - 21 and found.mean == pytest.approx(0.1)
    assert compared(np.full((3, 4), np.nan), np.ones((3, 4))) is None


def test_seeds_need_not_be_as_many_nor_the_same():
    found = difference(cases_of(arm(0.5, 4), [0, 1, 2, 5]), cases_of(arm(0.7, 3), [1, 2, 3]), values_of)
    assert found.seeds == 3 and found.mean == pytest.approx(0.2)


def width(first, second):
    found = compared(first, second)
    return found.high - found.low


def test_scenes_that_are_hard_for_both_do_not_widen_the_interval():
    """Scenes differ by a hundred times what the trainings differ by; they are the same scenes."""
    rng = np.random.default_rng(2)
    hard = np.random.default_rng(3).normal(0, 0.1, SCENES)
    in_common = width(*(arm(level, rng=rng, scene_spread=0.001, hard=hard) for level in (0.8, 0.81)))
    apart = width(arm(0.8, rng=rng, scene_spread=0.001, hard=hard),
                  arm(0.81, rng=rng, scene_spread=0.001, hard=rng.permutation(hard)))
    assert in_common < 0.002 and apart > 20 * in_common


def test_seeds_that_differ_widen_the_interval():
    steady = width(arm(0.8, scene_spread=0.001), arm(0.82, scene_spread=0.001))
    seeds = np.array([[-0.02], [0.0], [0.02]])
    first, second = arm(0.8, scene_spread=0.001) + seeds, arm(0.82, scene_spread=0.001) + seeds
    assert width(first, second) > 10 * steady
    assert compared(first, second).low < 0 < compared(first, second).high  # 0.02 better, which seeds alone can do
    # The same seeds are no pairs: what a seed decides is not the same in two configurations.
    assert width(first, second) == pytest.approx(width(first, second[::-1]), rel=0.2)


def test_seeds_alone_do_not_make_a_training_better(monkeypatch):
    """Of pairs that differ by their seeds and nothing else one in twenty may seem to; a plain bootstrap of three seeds
    makes it one in five."""
    monkeypatch.setattr(findings, "RESAMPLES", 1000)
    rng, better, times = np.random.default_rng(7), 0, 200
    for _ in range(times):
        first, second = (arm(0.8, rng=rng, seed_spread=0.01, scene_spread=0.001)[:, :20] for _ in range(2))
        found = compared(first, second)
        better += found.low > 0 or found.high < 0
    assert better / times < 0.12


def test_the_same_cases_give_the_same_interval():
    rng = np.random.default_rng(4)
    first, second = (arm(level, rng=rng, seed_spread=0.01, scene_spread=0.1) for level in (0.8, 0.82))
    assert compared(first, second) == compared(first.copy(), second.copy())


def interval(low, high, seeds=3):
    return replace(compared(arm(0.5), arm(0.5)), mean=(low + high) / 2, low=low, high=high, seeds=seeds)


def numbers_of(text):
    return [float(value) for value in re.findall(r"[-+]?\d+\.\d+", text)]


@pytest.mark.parametrize(("low", "high", "claim", "word"), [
    # Points of accuracy of the second beside the first.
    (1.5, 2.5, "better", REPRODUCED), (-2.5, -1.5, "better", NOT_REPRODUCED), (-0.5, 2.5, "better", UNTOLD),
    (-2.5, 2.5, "better", UNTOLD),
    (-0.5, 0.5, "alike", REPRODUCED), (1.5, 2.5, "alike", NOT_REPRODUCED), (-2.5, -1.5, "alike", NOT_REPRODUCED),
    (0.5, 1.5, "alike", UNTOLD), (-1.5, 0.5, "alike", UNTOLD), (-2, 2, "alike", UNTOLD),
    (-2.5, -1.5, "not better", REPRODUCED), (-0.5, 0.5, "not better", REPRODUCED),
    (1.5, 2.5, "not better", NOT_REPRODUCED), (0.5, 1.5, "not better", UNTOLD), (-2, 2, "not better", UNTOLD),
])  # fmt: skip
def test_a_verdict_wants_an_interval_that_leaves_no_doubt(low, high, claim, word):
    assert verdict(interval(low * POINT, high * POINT), claim, POINTS).word == word
    # The same of errors of corners: 1 is half the error.
    assert verdict(interval(low * TIMES.margin, high * TIMES.margin), claim, TIMES).word == word


def test_fewer_seeds_are_told_and_nothing_more():
    for claim in ("better", "alike", "not better"):
        told = verdict(interval(0.02, 0.03, LEAST_SEEDS - 1), claim, POINTS)
        assert told.word == UNTOLD and f"{LEAST_SEEDS - 1} of the {LEAST_SEEDS} seeds" in told.evidence
        assert numbers_of(told.evidence) == [2.5, 2.0, 3.0] and "+2.50 points" in told.evidence
    assert verdict(interval(0.02, 0.03, LEAST_SEEDS), "better", POINTS).word == REPRODUCED


def test_errors_are_told_as_multiples_from_low_to_high():
    half_to_same = interval(0.0, 1.0)
    assert numbers_of(TIMES.text(half_to_same)) == [0.71, 0.5, 1.0] and "0.71 times" in TIMES.text(half_to_same)
    assert numbers_of(TIMES.text(interval(-1.0, -1.0))) == [2.0, 2.0, 2.0]
    assert numbers_of(POINTS.text(interval(-0.01, 0.0))) == [-0.5, -1.0, 0.0]
    assert 2**TIMES.margin == pytest.approx(SIMILAR_RATIO)


def corners(percent, visibility):
    return {"each": {"percent": percent, "visibility": visibility}}


def test_closeness_is_of_the_corners_of_a_kind():
    case = corners([[1.0, 4.0, 8.0, None], [2.0, 2.0, 2.0, 2.0], [None] * 4], [[2, 2, 1, 0], [2, 2, 2, 2], [0] * 4])
    np.testing.assert_allclose(SEEN(case), [-1.0, -1.0, np.nan])  # 1 and 4 % are 2 %, geometrically
    np.testing.assert_allclose(COVERED(case), [-3.0, np.nan, np.nan])


def test_half_the_error_is_closer_by_one_and_nothing_is_closer_than_can_be_told():
    first, second = ([[error] * 4] for error in (3.0, 1.5))
    assert SEEN(corners(second, [[2] * 4])) - SEEN(corners(first, [[2] * 4])) == pytest.approx(1.0)
    np.testing.assert_array_equal(*(SEEN(corners([[error] * 4], [[2] * 4])) for error in (0.0, LEAST_ERROR)))


def test_a_corner_training_with_half_the_error_is_better(make_cases):
    names = ("hourglass", "simplepose-resnet18")
    cases = make_cases(names, gains={"hourglass": 1.0})
    for values in (SEEN, COVERED):
        found = difference(cases["simplepose-resnet18"], cases["hourglass"], values)
        assert found.mean == pytest.approx(1.0, abs=0.15)
        told = verdict(found, "better", TIMES)
        assert told.word == REPRODUCED and told.evidence.startswith("0.5")
        assert verdict(found, "alike", TIMES).word == NOT_REPRODUCED
    assert found.scenes == 6  # a corner covered in each


def test_values_of_a_case(make_case):
    case = make_case("resnet50-1236")
    assert accuracy(case).tolist() == case["each"]["pixel_accuracy"]
    case["each"]["mean_boundary_f"][0] = None
    assert np.isnan(boundary(case)).tolist() == [True] + [False] * 5


def test_pairs_that_the_thesis_tells_apart_are_counted():
    published = {"a": 1.0, "b": 2.0, "c": 2.0, "d": 3.0, "not done": 0.0}
    assert same_order(published, {"a": 10, "b": 20, "c": 25, "d": 30, "e": 5}) == (5, 5)
    assert same_order(published, {"a": 30, "b": 20, "c": 20, "d": 10}) == (0, 5)
    assert same_order(published, {"d": 1, "b": 2}) == (0, 1)
    assert same_order(published, {"a": 1}) == (0, 0)


def test_the_least_seeds_are_those_of_the_other_experiments():
    assert findings.LEAST_SEEDS == LEAST_SEEDS == 3
