import json

import pytest

from experiments.runs import check_runs, describe_run, run_config


def test_a_run_is_described_without_its_framework(make_run):
    run = make_run("run")
    assert run_config(run).width == 64
    told = describe_run(run, "last")
    assert (told["weights"], told["model"], told["maps"], told["height"]) == (
        "last", "simple_pose_resnet18_v1b", "each", 96)
    assert told["weights_sha256"] != describe_run(run)["weights_sha256"]
    (run / "best.params").unlink()
    with pytest.raises(ValueError, match="best.params is not there"):
        describe_run(run)


def test_runs_need_names_of_their_own_and_a_sheets_corners(tmp_path, make_run):
    run = make_run("run")
    check_runs([("one", run), ("other", run)])
    with pytest.raises(ValueError, match="called one, one; give each a name"):
        check_runs([("one", run), ("one", run)])
    with pytest.raises(ValueError, match="is no run of"):
        check_runs([("one", tmp_path)])
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"config": config["config"] | {"joints": 68}}))
    with pytest.raises(ValueError, match="one .* finds 68 keypoints"):
        check_runs([("one", run)])
