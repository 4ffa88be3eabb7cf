"""What is fitted to which samples, what that is said to be worth, and where it is used."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")
pytest.importorskip("sklearn")

from keypoints import run as runs  # noqa: E402
from keypoints import run_calibration  # noqa: E402
from keypoints.calibrate import calibrate, fitted, said, said_by_others, worth  # noqa: E402
from keypoints.calibration import Calibration  # noqa: E402
from keypoints.commands import keypoints as command  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.evaluate import Findings, judge  # noqa: E402
from keypoints.models.registry import build, initialise  # noqa: E402
from keypoints.predictions import Predictions, made_of  # noqa: E402
from keypoints.subject import Truth  # noqa: E402

TINY = TrainConfig(model="hourglass", stacks=1, filters=8, maps="shared", height=64, width=64, batch=4)
SQUARE = np.array([[0.0, 0.0], [30.0, 0.0], [30.0, 40.0], [0.0, 40.0]])


def untrained(folder, config=TINY):
    """A run folder with random weights."""
    folder.mkdir()
    runs.write_config(folder, config, {})
    net = build(config)
    initialise(net, config)
    for weights in runs.WEIGHTS.values():
        net.save_parameters(str(folder / weights))
    return folder


def call(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments), "--threads", "1"])


def findings(count, seed=0, told=True):
    """Of a network that is right as often as the square of its score says, of photos whose diagonal is 500 px, and is
    twice as sure of the visibility as it should be."""
    rng = np.random.default_rng(seed)
    scores = rng.random((count, 4))
    off = np.where(rng.random((count, 4)) < scores**2, 1.0, 20.0)  # px: 0.2 and 4 percent
    found = SQUARE + off[..., None] * [1.0, 0.0]
    right = rng.dirichlet([6, 3, 3], (count, 4))
    visibility = 2 - (rng.random((count, 4, 1)) > right.cumsum(axis=-1)[..., :2]).sum(axis=-1)
    shares = right**2 / (right**2).sum(axis=-1, keepdims=True)
    predictions = Predictions(list("x" * count), {"dark": found}, {"dark": scores},
                              {"dark": shares if told else None}, {})  # fmt: skip
    return Findings(predictions, Truth(np.array([SQUARE] * count), visibility, np.array([(300, 400)] * count)))


def test_what_a_network_tells_is_fitted():
    given = findings(1500)
    made = fitted(given)
    assert made.corners == (given.truth.visibility > 0).sum() < 6000 and made.limit_percent == 1.0
    assert np.abs(made.probability([0.4, 0.6, 0.8]) - np.array([0.4, 0.6, 0.8]) ** 2).max() < 0.08
    assert made.temperature == pytest.approx(2.0, abs=0.25)
    assert fitted(findings(300, told=False)).temperature == 1.0


def test_figures_by_hand():
    right = findings(1)
    right.scores, right.errors_percent = np.full((1, 4), 0.75), np.array([[0.5, 0.5, 5.0, 0.1]])
    right.truth.visibility[:] = [[2, 1, 2, 0]]
    right.told = np.array([[[0.8, 0.2, 0.0]] * 2 + [[0.8, 0.1, 0.1], [0.0, 0.5, 0.5]]])
    figures = worth(right, said(right))
    assert figures["score"]["corners"] == 3 and figures["visibility"]["corners"] == 4
    assert figures["score"]["expected_calibration_error"] == pytest.approx(0.75 - 2 / 3)
    assert figures["score"]["log_loss"] == pytest.approx(-(2 * np.log(0.75) + np.log(0.25)) / 3)
    assert figures["visibility"]["log_loss"] == pytest.approx(-np.log([0.8, 0.2, 0.8, 0.5]).mean())
    # The last two are not in the photo as far as 0.1 and 0.5 of it goes; the last is none that is right.
    told = np.array([0.75, 0.75, 0.75 * 0.9, 0.75 * 0.5])
    assert figures["confidence"]["log_loss"] == pytest.approx(-np.log([*told[:2], *(1 - told[2:])]).mean())


def test_each_fold_is_told_by_what_was_fitted_to_the_others():
    few = findings(10)
    own, others = said(few, fitted(few)), said_by_others(few, 5)
    assert {name: values.shape for name, values in others.items()} == {
        "score": (10, 4), "visibility": (10, 4, 3), "confidence": (10, 4)}  # fmt: skip
    # With ten photos what is fitted to oneself is too good, and what is fitted to others no better than it is.
    losses = {name: [worth(few, told)[name]["log_loss"] for told in (own, others)] for name in own}
    assert all(fitted_to < told_by for fitted_to, told_by in losses.values())
    # Each photo's answer changes with others alone: changing what is true of one leaves its own as it is.
    changed = findings(10)
    changed.errors_percent[0], changed.truth.visibility[0] = 99.0, 1
    after = said_by_others(changed, 5)
    assert (after["confidence"][0] == others["confidence"][0]).all()
    assert (after["confidence"] != others["confidence"]).any()


def test_a_calibration_is_worth_something_on_other_samples():
    made, held = fitted(findings(800)), findings(800, seed=1)
    before, after = worth(held, said(held)), worth(held, said(held, made))
    for name in ("score", "visibility", "confidence"):
        assert after[name]["log_loss"] < before[name]["log_loss"] - 0.02
        assert after[name]["expected_calibration_error"] < 0.04 < before[name]["expected_calibration_error"]


@pytest.fixture
def run(tmp_path):
    return untrained(tmp_path / "run")


def test_the_command_keeps_it_beside_the_weights_and_tells_what_it_is_worth(run, make_sheets):
    data = make_sheets(8, ["validation"] * 6 + ["test"] * 2)
    done = call("calibrate", run, data)
    assert done.exit_code == 0, done.output
    assert "5 folds" in done.output and "confidence: in the photo, within 1 % of the diagonal" in done.output
    kept = run_calibration.read(run)
    assert kept.data == "sheets-8-validation" and kept.calibration.corners == 24 and kept.decode == "dark"
    assert kept.figures["samples"] == 6 and kept.figures["folds"] == 5
    assert set(kept.figures["cross_validated"]) == {"score", "visibility", "confidence"}
    assert run_calibration.belonging(run, TINY).calibration == kept.calibration

    # An evaluation uses it, on predictions that stay as they are, and says so.
    raw = judge(run, data, "test", calibrated=False).result
    result = judge(run, data, "test").result
    assert raw["calibration"] is raw["calibrated"] is None
    assert result["calibration"] == {"left_out": None, "data": "sheets-8-validation", "corners": 24,
                                     "of_these_samples": False}  # fmt: skip
    assert result["scores"] == raw["scores"] and result["corners"] == raw["corners"]
    means = [bin["confidence"] for bin in result["calibrated"]["scores"]["bins"] if bin["count"]]
    lowest, highest = kept.calibration.probability([0.0, 1.0])
    assert means and all(lowest <= mean <= highest for mean in means)
    assert result["calibrated"]["visibility"]["confusion"] == raw["visibility"]["confusion"]
    assert len(list((run / "predictions").iterdir())) == 2
    told = call("evaluate", run, data, "--split", "test")
    assert "calibration: of the run, fitted to 24 corners of sheets-8-validation" in told.output
    assert "calibrated 0." in told.output and "these are the samples" not in told.output
    assert "these are the samples" in call("evaluate", run, data, "--split", "validation").output
    told = call("evaluate", run, data, "--split", "test", "--no-calibration").output
    assert "calibrat" not in told.replace("expected calibration error", "")


def test_one_of_other_weights_is_noticed(run, make_sheets, tmp_path):
    data = make_sheets(6)
    kept, path = calibrate(run, data, None)
    assert judge(run, data).result["calibration"]["of_these_samples"]
    other = untrained(tmp_path / "other", replace(TINY, seed=9))
    shutil.copy(other / "best.params", run / "best.params")
    assert "the run's calibration is left out: it is of other weights" in call("evaluate", run, data).output
    assert judge(run, data).result["calibrated"] is None
    with pytest.raises(runs.RunError, match="does not belong to the best weights: it is of other weights; remove it"):
        run_calibration.belonging(run, TINY)
    run_calibration.belonging(run, TINY, "last")
    assert "decoded by dark, not argmax" in kept.why_not(made_of(run, TINY, "last", None), "argmax")
    assert "other settings" in kept.why_not(made_of(run, replace(TINY, fit="turn"), "last", None))
    for text in ("{", "[]", "{}", json.dumps(json.loads(path.read_text()) | {"schema": 2}),
                 json.dumps(json.loads(path.read_text()) | {"calibration": {}})):  # fmt: skip
        path.write_text(text)
        done = call("evaluate", run, data)
        assert done.exit_code == 1 and "calibration.json cannot be used" in done.output
        assert len(done.output.splitlines()) == 1
    path.unlink()
    assert run_calibration.read(run) is None and run_calibration.belonging(run, TINY) is None


def test_what_cannot_be_calibrated_is_refused_in_one_line(run, make_sheets, tmp_path):
    few = make_sheets(4)
    regression = tmp_path / "regression"
    regression.mkdir()
    runs.write_config(regression, TrainConfig(model="regression_resnet18_v1b", height=64, width=64), {})
    (regression / "best.params").write_bytes(b"")  # not even read
    seen = make_sheets(6)
    document = json.loads((seen / "annotations.json").read_text())
    for annotation in document["annotations"]:
        annotation["keypoints"][2::3] = [2] * 4
    (seen / "annotations.json").write_text(json.dumps(document))
    for arguments, word in (
        ((run, few, "--split", "all"), "has 4 samples, must have 5 at least"),
        ((run, few), "has no samples of split validation"),
        ((regression, few, "--split", "all"), "gives no scores"),
        ((run, seen, "--split", "all"), "every corner of .* has visibility 2"),
        ((few, few), "is no run"),
    ):
        done = call("calibrate", *arguments)
        assert done.exit_code == 1 and len(done.output.splitlines()) == 1, done.output
        assert re.search(word, done.output)
    assert not (run / run_calibration.FILE).exists()


def test_a_calibration_goes_through_its_file(tmp_path):
    origin = {"version": 1, "weights_sha256": "a", "samples_sha256": "b", "settings": {"maps": "shared"}}
    table = Calibration(1.0, (0.25, 0.5), (0.125, 0.75), 1.5, 12)
    kept = run_calibration.Kept(table, origin, "dark", "scenes", {"samples": 3})
    run_calibration.keep(tmp_path, kept)
    found = run_calibration.read(tmp_path)
    assert vars(found) == vars(kept)
    assert found.of_weights("c").why_not(origin) == "it is of other weights" and found.why_not(origin) is None
