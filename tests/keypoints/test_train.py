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
from keypoints.learner import Learner  # noqa: E402
from keypoints.loader import Batch, network_input, read_samples, split_samples, target  # noqa: E402
from keypoints.models.registry import build, initialise  # noqa: E402
from keypoints.run import load_network, predict  # noqa: E402
from keypoints.train import describe_data, prepare_run, train  # noqa: E402

TINY = TrainConfig(height=64, width=64, batch=2, epochs=2, learning_rate=1e-3, seed=1)
HOURGLASS = replace(TINY, model="hourglass", filters=8, stacks=1)


# Every model, and what else decides how it learns: settings, and the step size that suits it.
WAYS = {
    "simple_pose": ({}, 1e-3),
    "simple_pose_50": ({"model": "simple_pose_resnet50_v1b"}, 1e-3),
    "hourglass": ({"model": "hourglass", "filters": 16}, 3e-3),
    "hourglass_of_masks": ({"model": "hourglass", "filters": 16, "input": "mask"}, 3e-3),
    "shared_maps": ({"model": "hourglass", "filters": 16, "maps": "shared"}, 3e-3),
    "regression": ({"model": "regression_resnet18_v1b"}, 1e-4),
    "landmarks": ({"model": "hourglass", "filters": 16, "joints": 68}, 3e-3),
    "focal": ({"model": "hourglass", "filters": 16, "loss": "focal", "focal_low": 0.5}, 3e-3),
    "ohkm": ({"model": "hourglass", "filters": 16, "loss": "ohkm"}, 3e-3),
    "slope": ({"model": "hourglass", "filters": 16, "loss": "slope"}, 3e-3),
    "visibility_l2": ({"model": "hourglass", "filters": 16, "loss": "visibility_l2"}, 3e-3),
    "pyramid_of_sheet": ({"model": "pyramid_resnet18_v1b", "maps": "sheet"}, 1e-3),
    "sgd_clipped": ({"model": "hourglass", "filters": 16, "optimizer": "sgd", "clip_norm": 1.0}, 3e-2),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_overfitting_one_sample_lowers_its_loss(way):
    settings, rate = WAYS[way]
    config = replace(TINY, batch=1, **settings)
    rng = np.random.default_rng(0)
    points = np.array([[14, 14], [50, 16], [48, 50], [12, 46]], float)
    if config.joints != 4:
        points = rng.uniform(5, 58, (config.joints, 2))
    visibility = np.resize([2, 2, 1, 2], config.joints)
    picture = rng.integers(0, 4, (64, 64)) if config.input == "mask" else rng.integers(0, 255, (64, 64, 3))
    batch = Batch(network_input([picture.astype(np.uint8)], config), target(points, visibility, config)[None],
                  visibility[None].astype(np.float32), 1)
    learner = Learner(config)
    learner.begin_epoch(0)
    losses = [float(learner.step(batch, rate, step).asnumpy()[0]) for step in range(20)]
    assert losses[-1] < 0.6 * losses[0], losses


def test_the_hourglass_has_the_loss_of_all_its_stacks():
    config = replace(HOURGLASS, batch=1, stacks=2)
    learner = Learner(config)
    batch = Batch(np.ones((1, 3, 64, 64), np.float32), np.full((1, 4, 16, 16), 0.1, np.float32), np.ones((1, 4)), 1)
    # Nearly empty maps, once a stack: sum of (1 + 2 * 0.1) * 0.1^2 over 256 pixels / (pi * 2^2), twice.
    expected = 2 * 1.2 * 0.01 * 256 / (np.pi * 4)
    assert float(learner.step(batch, 1e-9, 0).asnumpy()[0]) == pytest.approx(expected, rel=0.05)


def moved(config, batch, steps=1):
    """How far each trained parameter goes in some steps."""
    learner = Learner(config)
    before = {name: p.data().asnumpy() for name, p in learner.parameters.items() if p.grad_req != "null"}
    for step in range(steps):
        learner.step(batch, 0.01, step)
    return {name: learner.parameters[name].data().asnumpy() - value for name, value in before.items()}, before


def test_clipping_limits_the_whole_gradient_and_decay_shrinks_weights_alone():
    batch = Batch(np.ones((2, 3, 64, 64), np.float32), np.ones((2, 4, 16, 16), np.float32), np.ones((2, 4)), 2)
    config = replace(HOURGLASS, optimizer="sgd", clip_norm=0.01)
    steps, before = moved(config, batch)
    # The first step of Nesterov's descent is 1.9 times rate times gradient.
    assert np.sqrt(sum((step**2).sum() for step in steps.values())) == pytest.approx(1.9 * 0.01 * 0.01, rel=1e-2)
    decayed, _ = moved(replace(config, weight_decay=0.1), batch)
    for name, step in steps.items():
        expected = -1.9 * 0.01 * 0.1 * before[name] if name.endswith("weight") else 0
        np.testing.assert_allclose(decayed[name] - step, expected, atol=2e-7)


def test_the_optimizer_comes_back_to_the_parameters_that_it_was_of(tmp_path):
    rng = np.random.default_rng(0)
    batch = Batch(rng.random((2, 3, 64, 64), np.float32), rng.random((2, 4, 16, 16), np.float32), np.ones((2, 4)), 2)
    first = Learner(HOURGLASS)
    # As it was before the order was kept: MXNet's own, of names with numbers.
    order = sorted(first.parameters, key=lambda name: first.parameters[name].name)
    assert order != list(first.parameters)
    first.trainer = mx.gluon.Trainer(first.net.collect_params(), "adam", {"learning_rate": 1e-3}, kvstore=None)
    for step in range(3):
        first.step(batch, 1e-3, step)
    first.save(tmp_path / "resume.npz", epoch=1)
    with np.load(tmp_path / "resume.npz") as stored:
        np.savez(tmp_path / "before.npz", **{**stored, "order": np.array(order)})
    second = Learner(replace(HOURGLASS, seed=9))
    assert second.load(tmp_path / "before.npz") == {"epoch": 1}
    for learner in (first, second):
        learner.step(batch, 1e-3, 3)
    theirs = second.parameters
    for name, parameter in first.parameters.items():
        np.testing.assert_array_equal(parameter.data().asnumpy(), theirs[name].data().asnumpy(), err_msg=name)


RESUMED = {
    "adam": {"average_decay": 0.9},
    "sgd": {"optimizer": "sgd", "clip_norm": 1.0, "weight_decay": 1e-4, "schedule": "poly"},
    # A loss of no corner at all would do: with a patience of 1 the rate falls whenever it gets no better.
    "plateau": {"schedule": "plateau", "plateau_patience": 1, "learning_rate": 0.05},
    "dropout": {"model": "regression_resnet18_v1b", "learning_rate": 1e-4},
    "pyramid_of_sheet": {"model": "pyramid_resnet18_v1b", "maps": "sheet", "interior_weight": 0.5},
}


@pytest.mark.slow
@pytest.mark.parametrize("way", RESUMED)
def test_a_run_resumes_exactly(sheets, tmp_path, way):
    config = replace(TINY if "model" in RESUMED[way] else HOURGLASS, epochs=4, **RESUMED[way])
    straight = train(sheets, tmp_path / "straight", config)
    train(sheets, tmp_path / "broken", config, stop_after=2)
    # As after a kill between the history and resume.npz: one line too many.
    lines = runs.read_history(tmp_path / "broken")
    runs.write_history(tmp_path / "broken", [*lines, {"epoch": 3}])
    resumed = train(sheets, tmp_path / "broken", config, resume=True)
    assert [line["epoch"] for line in resumed] == [1, 2, 3, 4]
    timings = {"seconds", "images_per_second", "waiting_share"}
    for one, other in zip(straight, resumed, strict=True):
        assert {name: one[name] for name in one if name not in timings} == {
            name: other[name] for name in other if name not in timings}
    with np.load(tmp_path / "straight" / runs.RESUME) as one, np.load(tmp_path / "broken" / runs.RESUME) as other:
        assert set(one.files) == set(other.files)
        for name in one.files:
            # The optimizer is pickled: its momenta are compared through the weights that they lead to.
            if name != "trainer":
                np.testing.assert_array_equal(one[name], other[name], err_msg=name)
        if way == "plateau":
            assert one["place/scale"] < 1


@pytest.mark.slow
def test_a_run_refuses_another_configuration_and_goes_on_from_before_there_was_a_plateau(sheets, tmp_path):
    config = replace(HOURGLASS, epochs=2)
    train(sheets, tmp_path / "run", config, stop_after=1)
    with pytest.raises(runs.RunError, match="learning_rate was 0.001, is 0.5"):
        train(sheets, tmp_path / "run", replace(config, learning_rate=0.5), resume=True)
    with pytest.raises(runs.RunError, match="--resume"):
        train(sheets, tmp_path / "run", config)
    with np.load(tmp_path / "run" / runs.RESUME) as stored:
        kept = {name: stored[name] for name in stored.files
                if name not in ("place/stale", "place/waited", "place/scale", "place/workers")}
    np.savez(tmp_path / "run" / runs.RESUME, **kept)
    document = json.loads((tmp_path / "run" / runs.CONFIG).read_text())
    for name in ("joints", "maps", "input", "loss", "clip_norm", "early_stopping"):
        del document["config"][name]
    (tmp_path / "run" / runs.CONFIG).write_text(json.dumps(document))
    assert len(train(sheets, tmp_path / "run", config, resume=True)) == 2


@pytest.mark.slow
def test_a_run_goes_on_without_the_file_that_it_began_with(sheets, tmp_path):
    file = tmp_path / "begun.params"
    net = build(HOURGLASS)
    initialise(net, replace(HOURGLASS, seed=5))
    net.save_parameters(str(file))
    train(sheets, tmp_path / "run", replace(HOURGLASS, weights=str(file)), stop_after=1)
    file.unlink()
    # Settings that are typed beside --resume need not be those of the default model.
    done = CliRunner().invoke(command, ["train", str(sheets), "--out", str(tmp_path / "run"), "--resume",
                                        "--filters", "8"])
    assert done.exit_code == 0, done.output
    assert len(runs.read_history(tmp_path / "run")) == 2


@pytest.mark.slow
def test_early_stopping_ends_and_stays_ended(sheets, tmp_path):
    # The second epoch moves nothing that can be measured: it is no better, and the last.
    config = replace(HOURGLASS, epochs=9, early_stopping=1, learning_rate=1e-12, average_decay=0.0)
    history = train(sheets, tmp_path / "run", config)
    assert 2 <= len(history) < 9
    assert len(train(sheets, tmp_path / "run", config, resume=True)) == len(history)


@pytest.mark.slow
def test_landmarks_and_masks_train_from_the_command_line(sheets, faces, tmp_path):
    common = ["--size", "64x64", "--epochs", "1", "--batch", "2"]
    small = ["--model", "hourglass", "--filters", "8", "--stacks", "1", *common]
    runner = CliRunner()
    for name, data, options in (
        ("masks", sheets, [*small, "--input", "mask", "--maps", "shared", "--loss", "visibility_l2"]),
        ("maps", faces, [*small, "--joints", "68", "--loss", "ohkm", "--ohkm-hardest", "20"]),
        ("sheet", sheets, [*small, "--maps", "sheet", "--interior-weight", "0.5"]),
        ("points", faces, [*common, "--joints", "68", "--model", "regression_resnet18_v1b", "--optimizer", "sgd"]),
    ):
        done = runner.invoke(command, ["train", str(data), "--out", str(tmp_path / name), *options])
        assert done.exit_code == 0, done.output
        line, = runs.read_history(tmp_path / name)
        assert np.isfinite([line["train_loss"], line["validation_loss"], line["all_mean_percent"]]).all()
    refused = runner.invoke(command, ["train", str(faces), "--out", str(tmp_path / "no"), *small])
    assert refused.exit_code == 1 and "--joints 68" in refused.output


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
    # What is typed is read beside what is stored, here a model that 48 is no size for.
    refused = runner.invoke(command, [*arguments, "--resume", "--size", "48x48"])
    assert refused.exit_code == 2 and "multiple of 32" in refused.output
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
def test_several_folders_are_trained_on_together(sheets, make_sheets, tmp_path):
    """Four samples, one of which is held out, and five more: as one folder of nine."""
    more = make_sheets(5)
    config = replace(HOURGLASS, epochs=1, maps="sheet")
    alone = train(sheets, tmp_path / "alone", config)
    listed = train([sheets], tmp_path / "listed", config)
    assert alone[0]["train_loss"] == listed[0]["train_loss"]
    line, = train([str(sheets), more], tmp_path / "both", config)
    assert np.isfinite([line["train_loss"], line["validation_loss"], line["all_mean_percent"]]).all()
    described = {name: runs.read_config(tmp_path / name)[1] for name in ("alone", "listed", "both")}
    assert described["alone"] == described["listed"] != described["both"]
    assert (described["both"]["training"], described["both"]["validation"]) == (8, 1)
    samples = [sample for folder in (sheets, more) for sample in read_samples(folder, config)]
    assert described["both"] == describe_data(*split_samples(samples))
    # From the command line, and in that order: another is other data.
    runner = CliRunner()
    options = ["--model", "hourglass", "--filters", "8", "--stacks", "1", "--size", "64x64", "--epochs", "1",
               "--batch", "2", "--seed", "1", "--maps", "sheet", "--out", str(tmp_path / "typed")]
    done = runner.invoke(command, ["train", str(sheets), str(more), *options])
    assert done.exit_code == 0, done.output
    assert runs.read_config(tmp_path / "typed") == (config, described["both"])
    assert runs.read_history(tmp_path / "typed")[0]["train_loss"] == line["train_loss"]
    for folders in ([more, sheets], [sheets]):
        refused = runner.invoke(command, ["train", *map(str, folders), *options, "--resume"])
        assert refused.exit_code == 1 and "other data" in refused.output


def test_a_training_needs_a_folder_that_is_one(sheets, tmp_path):
    for folders, word in (([], "DATA"), ([str(sheets), str(tmp_path / "none")], "none")):
        done = CliRunner().invoke(command, ["train", *folders, "--out", str(tmp_path / "run")])
        assert done.exit_code == 2 and word in done.output and not (tmp_path / "run").exists()


@pytest.mark.slow
def test_weights_go_on_at_another_input_size(sheets, tmp_path):
    train(sheets, tmp_path / "small", replace(HOURGLASS, epochs=1))
    net, config = load_network(tmp_path / "small")
    assert config == replace(HOURGLASS, epochs=1)
    larger = replace(HOURGLASS, height=96, weights=str(tmp_path / "small" / "best.params"))
    grown = build(larger)
    assert initialise(grown, larger) == []
    images = np.random.default_rng(0).integers(0, 255, (3, 96, 64, 3), np.uint8)
    heatmaps = predict(grown, images)
    assert heatmaps.shape == (3, 4, 24, 16) and heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, predict(net, images), atol=1e-4)
    # One by one or filled up to a batch, each image has the same answer.
    np.testing.assert_allclose(predict(net, images[2:]), heatmaps[2:], atol=1e-4)


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


def test_a_kill_while_the_folder_is_begun_leaves_no_folder_of_something_else(tmp_path):
    (tmp_path / ".config.json.part").write_text('{"schema": 1, "con')
    prepare_run(tmp_path, TINY, {}, resume=True)
    assert runs.read_config(tmp_path)[0] == TINY


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
