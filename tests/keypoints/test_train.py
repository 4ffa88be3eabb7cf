import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints import run as runs  # noqa: E402
from keypoints.commands import keypoints as command  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.evaluate import evaluate  # noqa: E402
from keypoints.loader import Batch, normalise  # noqa: E402
from keypoints.models import simple_pose  # noqa: E402
from keypoints.run import load_network, predict  # noqa: E402
from keypoints.train import Learner, learning_rate, prepare_run, train  # noqa: E402

TINY = TrainConfig(height=64, width=64, batch=2, epochs=2, learning_rate=1e-3, seed=1)


def test_learning_rate_warms_up_and_falls():
    config = TrainConfig(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11) and rates[10] == 1.0
    assert np.all(np.diff(rates[:11]) > 0) and np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)
    steps = [learning_rate(replace(config, schedule="step"), step, 100) for step in (59, 60, 85)]
    assert steps == pytest.approx([1.0, 0.1, 0.01])


@pytest.mark.slow
def test_overfitting_one_sample_lowers_its_loss():
    rng = np.random.default_rng(0)
    config = replace(TINY, batch=1)
    learner = Learner(config)
    targets = np.zeros((1, 4, 16, 16), np.float32)
    targets[0, range(4), [3, 3, 12, 12], [3, 12, 12, 3]] = 1
    batch = Batch(normalise(rng.integers(0, 255, (1, 64, 64, 3))), targets, 1)
    losses = [float(learner.step(batch, 1e-3, step).asnumpy()[0]) for step in range(25)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
def test_a_run_resumes_exactly_and_refuses_another_configuration(sheets, tmp_path):
    config = replace(TINY, epochs=4)
    straight = train(sheets, tmp_path / "straight", config)
    train(sheets, tmp_path / "broken", config, stop_after=2)
    # As after a kill between the history and resume.npz: one line too many.
    lines = runs.read_history(tmp_path / "broken")
    runs.write_history(tmp_path / "broken", [*lines, {"epoch": 3}])
    resumed = train(sheets, tmp_path / "broken", config, resume=True)
    assert [line["epoch"] for line in resumed] == [1, 2, 3, 4]
    timings = {"seconds", "images_per_second", "waiting_share"}
    for one, other in zip(straight, resumed, strict=True):
        for name in set(one) - timings:
            assert one[name] == pytest.approx(other[name], rel=1e-6), name
    with pytest.raises(runs.RunError, match="learning_rate was 0.001, is 0.5"):
        train(sheets, tmp_path / "broken", replace(config, learning_rate=0.5), resume=True)
    with pytest.raises(runs.RunError, match="--resume"):
        train(sheets, tmp_path / "broken", config)


@pytest.mark.slow
def test_command_line_trains_resumes_and_evaluates(sheets, tmp_path, make_sheets):
    out = tmp_path / "run"
    runner = CliRunner()
    arguments = ["train", str(sheets), "--out", str(out)]
    done = runner.invoke(command, [*arguments, "--size", "64x64", "--epochs", "2", "--batch", "2", "--stop-after", "1"])
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        "config.json", "history.jsonl", "best.params", "last.params", "resume.npz", "log.txt"}
    assert len(runs.read_history(out)) == 1
    # Settings need not be given again, and those that are must agree.
    assert runner.invoke(command, [*arguments, "--resume"]).exit_code == 0
    assert [line["epoch"] for line in runs.read_history(out)] == [1, 2]
    refused = runner.invoke(command, [*arguments, "--resume", "--size", "96x64"])
    assert refused.exit_code == 1 and "height was 64, is 96" in refused.output
    other_data = runner.invoke(command, ["train", str(make_sheets(5)), "--out", str(out), "--resume"])
    assert other_data.exit_code == 1 and "other data" in other_data.output
    evaluated = runner.invoke(command, ["evaluate", str(out), str(sheets)])
    assert evaluated.exit_code == 0, evaluated.output
    written = json.loads((out / "evaluation-sheets.json").read_text())
    assert written["samples"] == 4
    assert written["corners"]["cyclic"]["px"]["visible"]["count"] == 12
    assert written["corners"]["cyclic"]["px"]["covered"]["count"] == 4
    # Validation in training and evaluation of the same samples tell the same.
    result, _ = evaluate(out, sheets, "validation", "last")
    assert result["corners"]["cyclic"]["px"]["all"]["mean"] == pytest.approx(
        runs.read_history(out)[-1]["all_mean_px"], rel=1e-5)


@pytest.mark.slow
def test_weights_go_on_at_another_input_size(sheets, tmp_path):
    train(sheets, tmp_path / "small", replace(TINY, epochs=1))
    net, config = load_network(tmp_path / "small")
    assert config == replace(TINY, epochs=1)
    larger = replace(TINY, height=96, weights=str(tmp_path / "small" / "best.params"))
    grown = simple_pose.build(larger)
    assert simple_pose.initialise(grown, larger) == []
    images = np.random.default_rng(0).integers(0, 255, (3, 96, 64, 3), np.uint8)
    heatmaps = predict(grown, images)
    assert heatmaps.shape == (3, 4, 24, 16) and heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, predict(net, images), atol=1e-4)
    # One by one or filled up to a batch, each image has the same answer.
    np.testing.assert_allclose(predict(net, images[2:]), heatmaps[2:], atol=1e-4)
    # Weights for another number of joints keep everything but the last layer.
    pose = simple_pose.build(larger, joints=17)
    left = simple_pose.initialise(pose, larger)
    assert left == ["final_layer.weight", "final_layer.bias"]


def test_wrong_usage_and_wrong_files_are_said_in_one_line(sheets, tmp_path):
    runner = CliRunner()
    arguments = ["train", str(sheets), "--out", str(tmp_path / "run")]
    for option, word in ((["--size", "100x64"], "multiple of 32"), (["--size", "big"], "HEIGHTxWIDTH"),
                         (["--weights", "none.params"], "no such file")):
        done = runner.invoke(command, [*arguments, *option])
        assert done.exit_code == 2 and word in done.output
    assert not (tmp_path / "run").exists()
    (tmp_path / "bad.params").write_bytes(b"nothing")
    done = runner.invoke(command, [*arguments, "--size", "64x64", "--weights", str(tmp_path / "bad.params")])
    assert done.exit_code == 1 and "cannot be read as MXNet parameters" in done.output
    done = runner.invoke(command, ["evaluate", str(sheets), str(sheets)])
    assert done.exit_code == 1 and "is no run" in done.output


def test_replacing_leaves_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), runs.replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_only_a_run_with_a_finished_epoch_is_protected(tmp_path):
    out = tmp_path / "run"
    prepare_run(out, TINY, {}, resume=False)
    other = replace(TINY, batch=4)
    prepare_run(out, other, {}, resume=False)
    assert runs.read_config(out)[0] == other
    (out / runs.RESUME).write_bytes(b"")
    with pytest.raises(runs.RunError, match="batch was 4, is 2"):
        prepare_run(out, TINY, {}, resume=True)
    with pytest.raises(runs.RunError, match="other data"):
        prepare_run(out, other, {"training": 1}, resume=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(runs.RunError, match="not empty"):
        prepare_run(tmp_path / "photos", TINY, {}, resume=False)
