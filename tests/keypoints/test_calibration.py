import json
import math
import subprocess
import sys

import numpy as np
import pytest

from keypoints.calibration import (
    LOWEST_PROBABILITY,
    Calibration,
    expected_calibration_error,
    fit,
    fit_scores,
    fit_temperature,
    log_loss,
    reliability,
    soften,
)

TABLE = Calibration(limit_percent=1.0, scores=(0.2, 0.6, 0.8), probabilities=(0.1, 0.5, 0.9), temperature=2.0)


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_reliability_and_its_error_by_hand():
    confidence = [0.1, 0.3, 0.5, 0.9, 0.9, 1.0]
    right = [False, True, True, True, False, True]
    low, high = reliability(confidence, right, bins=2)
    assert (low["low"], low["high"], low["count"], low["right"]) == (0.0, 0.5, 2, 0.5)
    assert low["confidence"] == pytest.approx(0.2)
    # 0.5 belongs to the bin above and 1 to the last.
    assert (high["count"], high["right"]) == (4, 0.75) and high["confidence"] == pytest.approx(3.3 / 4)
    expected = (2 * abs(0.2 - 0.5) + 4 * abs(3.3 / 4 - 0.75)) / 6
    assert expected_calibration_error(confidence, right, bins=2) == pytest.approx(expected)


def test_borders_belong_to_the_bin_above():
    table = reliability(np.arange(11) / 10, np.ones(11, bool))
    assert [row["count"] for row in table] == [1] * 9 + [2]


def test_an_empty_bin_has_no_mean_and_no_answers_no_error():
    table = reliability([0.95], [True])
    assert [row["count"] for row in table] == [0] * 9 + [1]
    assert table[0]["confidence"] is None and table[0]["right"] is None
    assert expected_calibration_error([], []) is None


def test_who_says_what_is_so_has_no_error():
    right = np.arange(1000) % 4 > 0
    assert expected_calibration_error(np.full(1000, 0.75), right) == pytest.approx(0)
    assert expected_calibration_error(np.full(1000, 0.95), right) == pytest.approx(0.2)


def test_confidence_outside_zero_to_one_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        reliability([1.2], [True])


def test_soften_by_hand():
    # Square roots of 0.64 and 0.36 are 0.8 and 0.6.
    assert soften([0.64, 0.36], 2.0) == pytest.approx([0.8 / 1.4, 0.6 / 1.4])
    assert soften([0.8, 0.2], 0.5) == pytest.approx([0.64 / 0.68, 0.04 / 0.68])
    assert soften([1.0, 0.0, 0.0], 1).tolist() == [1.0, 0.0, 0.0]
    floor = math.sqrt(LOWEST_PROBABILITY)
    assert soften([1.0, 0.0], 2.0) == pytest.approx([1 / (1 + floor), floor / (1 + floor)])


@pytest.mark.parametrize("temperature", [0.5, 1.7, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    rng = np.random.default_rng(0)
    true = softmax(rng.normal(0, 1, (20000, 3)))
    place = (rng.random((20000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    # A network that is `temperature` times too sure: its probabilities to the power 1 / temperature are the true ones.
    said = softmax(np.log(true) * temperature)
    found = fit_temperature(said, 2 - place)
    assert found == pytest.approx(temperature, rel=0.06)
    confidence, right = said.max(axis=1), said.argmax(axis=1) == place
    softened = soften(said, found)
    assert log_loss(softened, place) < log_loss(said, place)
    assert expected_calibration_error(confidence, right) > 0.03
    assert expected_calibration_error(softened.max(axis=1), right) < 0.02


def test_the_temperature_of_two_answers_can_be_computed():
    # Right in 3 of 4, each time with 0.9 against 0.05 and 0.05. Best: x / (x + 2) = 3 / 4 with x = 18^(1/T): x = 6.
    shares = [[0.9, 0.05, 0.05]] * 4
    assert fit_temperature(shares, [2, 2, 2, 1]) == pytest.approx(math.log(18) / math.log(6), rel=1e-4)


def test_a_network_that_is_always_right_gets_the_lowest_temperature():
    assert fit_temperature([[0.6, 0.3, 0.1]] * 5, [2] * 5) == pytest.approx(0.05, rel=1e-3)


def test_log_loss_by_hand():
    assert log_loss([[0.5, 0.5], [0.25, 0.75]], [0, 1]) == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)
    assert log_loss([[1.0, 0.0]], [1]) == pytest.approx(-math.log(LOWEST_PROBABILITY))


def test_isotonic_map_by_hand():
    pytest.importorskip("sklearn")
    # Right or wrong by rising score: 0, 1, 0, 1. The middle two contradict and are pooled: 1/2. Ends at 1/6 and 5/6.
    scores, probabilities = fit_scores([0.1, 0.2, 0.3, 0.4], [False, True, False, True])
    assert scores == (0.1, 0.2, 0.3, 0.4)
    assert probabilities == pytest.approx((1 / 6, 0.5, 0.5, 5 / 6))


def test_a_fitted_score_means_what_it_says():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    scores = rng.random(8000)
    errors = np.where(rng.random(8000) < scores**3, 0.2, 3.0)  # P(error below 1) is the cube of the score
    errors[:10] = np.nan
    made = fit(scores[:4000], errors[:4000], limit_percent=1.0)
    assert made.corners == 3990 and made.temperature == 1
    held_scores, held_right = scores[4000:], errors[4000:] < 1
    probability = made.probability(held_scores)
    order = np.argsort(held_scores)
    assert (np.diff(probability[order]) >= 0).all()
    assert expected_calibration_error(probability, held_right) < 0.03
    assert expected_calibration_error(held_scores, held_right) > 0.2
    assert np.abs(made.probability([0.3, 0.6, 0.9]) - np.array([0.3, 0.6, 0.9]) ** 3).max() < 0.08


def test_scores_that_are_all_the_same_give_their_mean():
    pytest.importorskip("sklearn")
    made = fit([1.0, 1.0, 1.0, 1.0], [0.1, 0.1, 0.1, 5.0], 1.0)
    assert made.probability([0.0, 1.0, 2.0]) == pytest.approx([0.75] * 3)


def test_without_corners_nothing_is_fitted():
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="no corner"):
        fit([0.5], [np.nan], 1.0)
    with pytest.raises(ValueError, match="2 scores and 1 errors"):
        fit([0.5, 0.6], [1.0], 1.0)
    with pytest.raises(ValueError, match=r"\(M, 3\)"):
        fit_temperature(np.zeros((0, 3)), [])


def test_the_table_is_read_with_straight_lines_and_ends():
    found = TABLE.probability([[0.0, 0.2], [0.4, 0.7], [0.8, 1.0]])
    np.testing.assert_allclose(found, [[0.1, 0.1], [0.3, 0.7], [0.9, 0.9]])
    assert TABLE.visibility([[0.64, 0.36, 0.0]])[0].argmax() == 0


def test_a_corner_outside_the_photo_is_not_right():
    # At temperature 2 shares are as their square roots: 0.3, 0.4 and 0.3, of which 0.7 are in the photo.
    even = Calibration(1.0, (0.0, 1.0), (0.0, 1.0), temperature=2.0)
    assert even.confidence([0.8, 0.8], [[0.09, 0.16, 0.09], [1.0, 0.0, 0.0]])[0] == pytest.approx(0.8 * 0.7)
    assert even.confidence(0.8) == pytest.approx(0.8)
    sharp = Calibration(1.0, (0.0, 1.0), (0.0, 1.0), temperature=1.0)
    assert sharp.confidence(0.8, [0.0, 0.0, 1.0]) == 0.0


def test_a_calibration_comes_back_from_json():
    text = json.dumps(TABLE.to_json())
    assert Calibration.from_json(json.loads(text)) == TABLE
    with pytest.raises(ValueError, match="has the fields .*temperature"):
        Calibration.from_json({"scores": [0.1]})
    with pytest.raises(ValueError, match="of another kind"):
        Calibration.from_json(TABLE.to_json() | {"scores": 0.1})
    with pytest.raises(ValueError, match="of another kind"):
        Calibration.from_json(TABLE.to_json() | {"temperature": "2"})


@pytest.mark.parametrize(("wrong", "told"), [
    ({"scores": (0.2, 0.2, 0.8)}, "rise"),
    ({"probabilities": (0.5, 0.4, 0.9)}, "must not fall"),
    ({"probabilities": (0.5, 0.6, 1.1)}, "must not fall, within"),
    ({"scores": (), "probabilities": ()}, "one length"),
    ({"scores": (0.1, 0.2)}, "one length"),
    ({"temperature": 0.0}, "temperature is 0.0"),
    ({"limit_percent": -1.0}, "limit_percent is -1.0"),
    ({"corners": -1}, "corners is -1"),
    ({"corners": 2.5}, "corners is 2.5"),
])  # fmt: skip
def test_tables_that_are_none_are_refused(wrong, told):
    given = {"limit_percent": 1.0, "scores": (0.2, 0.6, 0.8), "probabilities": (0.1, 0.5, 0.9)}
    with pytest.raises(ValueError, match=told):
        Calibration(**(given | wrong))


def test_applying_needs_numpy_alone():
    program = (
        "import sys; from keypoints.calibration import Calibration;"
        "print(Calibration(1.0, (0.0, 1.0), (0.0, 1.0), 2.0).probability(0.25));"
        "print(sorted({'sklearn', 'scipy', 'mxnet', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["0.25", "[]"]
