import json

import numpy as np
import pytest

from experiments.comparison import compare, resampled_means


def errors(*values):
    return {f"{k}.jpg": value for k, value in enumerate(values)}


def in_settings(*names):
    return {f"{k}.jpg": name for k, name in enumerate(names)}


def test_a_constant_difference_has_an_interval_without_width():
    first = errors(0.5, 1.0, 4.0, 2.5)
    second = {name: value - 0.25 for name, value in first.items()}
    result = compare(first, second, in_settings("a", "a", "b", "c"))
    for interval in (result.by_setting, result.by_photo):
        assert (interval.mean, interval.low, interval.high) == (-0.25, -0.25, -0.25)
        assert interval.excludes_zero
    assert result.settings == {"a": -0.25, "b": -0.25, "c": -0.25}
    assert result.photos == 4
    same = compare(first, first)
    assert same.by_setting.mean == 0 and not same.by_setting.excludes_zero


def test_two_settings_resample_to_what_can_be_counted():
    # a: differences 1, 2, 3 (mean 2); b: 6. Drawn: aa, ab, ba, bb, each with probability 1/4.
    sums, counts = np.array([6.0, 6.0]), np.array([3, 1])
    by_setting, by_photo = resampled_means(sums, counts, 20_000, np.random.default_rng(3))
    values, times = np.unique(by_setting, return_counts=True)
    assert values.tolist() == [2, 4, 6]
    # Standard error of a share of 20,000 draws: at most 0.0036.
    np.testing.assert_allclose(times / 20_000, [0.25, 0.5, 0.25], atol=0.015)
    # aa: 12 / 6, ab and ba: 12 / 4, bb: 12 / 2.
    assert np.unique(by_photo).tolist() == [2, 3, 6]
    result = compare(errors(0, 0, 0, 0), errors(1, 2, 3, 6), in_settings("a", "a", "a", "b"))
    assert (result.by_setting.mean, result.by_setting.low, result.by_setting.high) == (4, 2, 6)
    assert (result.by_photo.mean, result.by_photo.low, result.by_photo.high) == (3, 2, 6)
    assert result.settings == {"a": 2, "b": 6}


def test_a_setting_with_many_photos_weighs_as_one():
    first = errors(*[0.0] * 10)
    second = errors(*[1.0] * 9, -1.0)
    result = compare(first, second, in_settings(*["many"] * 9, "one"))
    assert result.by_setting.mean == 0
    assert result.by_photo.mean == pytest.approx(0.8)


def test_seed_and_order_of_the_photos():
    rng = np.random.default_rng(0)
    first, second = errors(*rng.uniform(0, 3, 12)), errors(*rng.uniform(0, 3, 12))
    result = compare(first, second, seed=5)
    backwards = compare(dict(reversed(first.items())), dict(reversed(second.items())), seed=5)
    assert result == backwards
    assert result.by_setting != compare(first, second, seed=6).by_setting
    # Without settings the two figures are one, and swapping the networks turns the sign.
    assert result.by_setting == result.by_photo
    swapped = compare(second, first, seed=5)
    assert swapped.by_setting.low == pytest.approx(-result.by_setting.high)
    assert json.loads(json.dumps(result.to_json()))["by_setting"]["mean"] == result.by_setting.mean


def test_a_wider_level_holds_a_narrower_one():
    rng = np.random.default_rng(1)
    first, second = errors(*rng.uniform(0, 3, 9)), errors(*rng.uniform(0, 3, 9))
    wide, narrow = compare(first, second, level=0.99).by_setting, compare(first, second, level=0.5).by_setting
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    """40 settings of 3 photos that are alike: the bootstrap of settings must not take 120 photos for independent."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        shared, own = rng.normal(0.3, 1, (40, 1)), rng.normal(0, 0.2, (40, 3))
        second = errors(*(shared + own).ravel())
        settings = in_settings(*np.repeat(np.arange(40), 3).tolist())
        interval = compare(dict.fromkeys(second, 0.0), second, settings, resamples=1_000).by_setting
        held += interval.low <= 0.3 <= interval.high
    # 95 % of 200, with a standard error of 1.5 %; photos as settings would hold it in about 75 %.
    assert 0.89 <= held / 200 <= 0.99


@pytest.mark.parametrize(("first", "second", "settings", "word"), [
    ({"a.jpg": 1.0, "b.jpg": 1.0}, {"a.jpg": 1.0}, None, "the first alone has b.jpg"),
    ({"a.jpg": 1.0}, {"a.jpg": 1.0, "c.jpg": 1.0}, None, "the second alone has c.jpg"),
    ({}, {}, None, "no photos"),
    ({"a.jpg": 1.0, "b.jpg": 1.0}, {"a.jpg": 1.0, "b.jpg": float("nan")}, None, "b.jpg: errors 1.0 and nan"),
    ({"a.jpg": 1.0, "b.jpg": 1.0}, {"a.jpg": 1.0, "b.jpg": 2.0}, {"a.jpg": "one"}, "b.jpg is in no setting"),
    ({"a.jpg": 1.0, "b.jpg": 1.0}, {"a.jpg": 1.0, "b.jpg": 2.0}, {"a.jpg": "one", "b.jpg": "one"}, "two or more"),
])  # fmt: skip
def test_what_cannot_be_compared_is_said(first, second, settings, word):
    with pytest.raises(ValueError, match=word):
        compare(first, second, settings)
