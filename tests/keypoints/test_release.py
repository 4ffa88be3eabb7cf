"""Weights in half precision: what is written, that it is accepted where weights are, and how far off it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints import run as runs  # noqa: E402
from keypoints import run_calibration  # noqa: E402
from keypoints.calibration import Calibration  # noqa: E402
from keypoints.commands import keypoints as command  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.evaluate import judge  # noqa: E402
from keypoints.models.registry import WeightsError, build, initialise, load_weights  # noqa: E402
from keypoints.predictions import made_of  # noqa: E402
from keypoints.release import drawn, release  # noqa: E402

TINY = TrainConfig(model="hourglass", stacks=1, filters=8, maps="sheet", height=64, width=64, batch=2)
DATA = {"training": 3, "validation": 1, "validation_from": "split", "sha256": "0" * 64}


@pytest.fixture
def run(tmp_path):
    """A run folder with random weights, trained from a file somewhere on this machine, with a calibration."""
    folder = tmp_path / "run"
    folder.mkdir()
    net = build(TINY)
    initialise(net, TINY)
    for weights in runs.WEIGHTS.values():
        net.save_parameters(str(folder / weights))
    config = replace(TINY, weights=str(tmp_path / "before" / "best.params"))
    runs.write_config(folder, config, DATA)
    table = Calibration(1.0, (0.0, 1.0), (0.25, 0.75), 2.0, 16)
    run_calibration.keep(folder, run_calibration.Kept(table, made_of(folder, config, "best", "d"), "dark", "s", {}))
    return folder


def call(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments), "--threads", "1"])


def test_a_released_run_is_one_in_half_the_size(run, sheets, tmp_path):
    out = tmp_path / "new" / "released"
    done = call("release", run, out)
    assert done.exit_code == 0, done.output
    assert "on 4 drawn sheets outputs are up to" in done.output and done.output.splitlines()[-1] == f"run: {out}"
    assert sorted(path.name for path in out.iterdir()) == ["best.params", "calibration.json", "config.json"]
    assert [path.name for path in out.parent.iterdir()] == ["released"]
    assert str(tmp_path) not in (out / "config.json").read_text()
    assert runs.read_config(out) == (TINY, DATA)
    stored = mx.nd.load(str(out / "best.params"))
    assert {value.dtype for value in stored.values()} == {np.float16}
    before, after = ((folder / "best.params").stat().st_size for folder in (run, out))
    assert before - after == 2 * sum(value.size for value in stored.values())

    # It is evaluated, with its calibration, and answers nearly as the run does.
    (net, config), (half, _) = runs.load_network(run), runs.load_network(out)
    assert {parameter.data().dtype for parameter in half.collect_params().values()} == {np.float32}
    images = drawn(config, np.random.default_rng(1))
    before, after = runs.predict(net, images), runs.predict(half, images)
    assert 0 < np.abs(after - before).max() < 0.01 * np.ptp(before)
    result = judge(out, sheets).result
    assert result["calibration"]["left_out"] is None and result["calibration"]["corners"] == 16
    assert result["calibrated"]["visibility"]["expected_calibration_error"] >= 0

    # And trained from.
    grown = build(replace(TINY, weights=str(out / "best.params")))
    assert initialise(grown, replace(TINY, weights=str(out / "best.params"))) == []
    network = ["--model", "hourglass", "--stacks", 1, "--filters", 8, "--maps", "sheet", "--size", "64x64"]
    again = call("train", sheets, "--out", tmp_path / "again", *network, "--batch", 2, "--epochs", 1, "--weights",
                 out / "best.params")  # fmt: skip
    assert again.exit_code == 0, again.output


def test_other_weights_and_masks_are_released_too(run, tmp_path):
    (run / run_calibration.FILE).unlink()
    found = release(run, tmp_path / "last", "last")
    assert sorted(path.name for path in (tmp_path / "last").iterdir()) == ["best.params", "config.json"]
    assert found.images == 4 and 0 < found.mean < found.largest < 0.01 and found.bytes[1] < found.bytes[0]
    masks = drawn(replace(TINY, input="mask"), np.random.default_rng(0))
    assert masks.shape == (4, 64, 64) and np.unique(masks).tolist() == [0, 1]


def test_what_is_no_run_is_refused(run, sheets, tmp_path):
    done = call("release", sheets, tmp_path / "out")
    assert done.exit_code == 1 and "is no run" in done.output and len(done.output.splitlines()) == 1
    done = call("release", run, sheets)
    assert done.exit_code == 1 and "is not empty; name a new folder" in done.output
    document = json.loads((run / run_calibration.FILE).read_text())
    document["made_of"]["weights_sha256"] = "0" * 64
    (run / run_calibration.FILE).write_text(json.dumps(document))
    done = call("release", run, tmp_path / "out")
    assert done.exit_code == 1 and "does not belong to the best weights" in done.output
    (run / run_calibration.FILE).unlink()
    (run / "best.params").unlink()
    done = call("release", run, tmp_path / "out")
    assert done.exit_code == 1 and "has not finished its first epoch" in done.output
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_a_weight_that_half_precision_cannot_hold_is_refused(run, tmp_path):
    net, _ = runs.load_network(run)
    name, parameter = next(iter(net._collect_params_with_prefix().items()))
    parameter.set_data(parameter.data() + 1e5)
    net.save_parameters(str(run / "best.params"))
    (run / run_calibration.FILE).unlink()
    with pytest.raises(WeightsError, match=f"{name} has values .* beyond the 65504 that FP16 holds"):
        release(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_of_halves_gives_the_nearest_weights(run, tmp_path):
    net, _ = runs.load_network(run)
    parameters = net._collect_params_with_prefix()
    mx.nd.save(str(tmp_path / "half"), {name: p.data().astype("float16") for name, p in parameters.items()})
    before = {name: parameter.data().asnumpy() for name, parameter in parameters.items()}
    load_weights(net, tmp_path / "half", may_lack=())
    for name, parameter in parameters.items():
        assert parameter.data().dtype == np.float32
        np.testing.assert_array_equal(parameter.data().asnumpy(), before[name].astype(np.float16).astype(np.float32))
