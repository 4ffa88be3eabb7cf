import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints import run as runs  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.learner import Learner  # noqa: E402
from keypoints.loader import Batch  # noqa: E402
from keypoints.schedules import Watch  # noqa: E402
from keypoints.train import _place, train  # noqa: E402
from keypoints.workers import REQUIRED, share_of  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIG = TrainConfig(model="hourglass", filters=8, stacks=1, height=64, width=64, batch=2)
LIMIT_S = 240
# Four processes that find each other by ports: asked for by name, lest a busy build server fails for nothing.
distributed = pytest.mark.skipif(
    not os.environ.get("FOLIOPIE_DISTRIBUTED") or not mx.runtime.Features().is_enabled("DIST_KVSTORE"),
    reason="FOLIOPIE_DISTRIBUTED is not set, or MXNet has no distributed kvstore")


class Twins:
    """A group in which every worker has seen the same."""

    rank, size = 0, 2

    def sum(self, values):
        return 2 * values


def test_two_workers_that_see_the_same_step_as_one_does():
    rng = np.random.default_rng(0)
    batch = Batch(rng.normal(size=(1, 3, 64, 64)).astype(np.float32), rng.random((1, 4, 16, 16), np.float32),
                  np.full((1, 4), 2, np.float32), 1)
    alone, shared = Learner(replace(CONFIG, batch=1, clip_norm=1.0)), Learner(replace(CONFIG, clip_norm=1.0), Twins())
    losses = [float(learner.step(batch, 1e-3, 0).asnumpy()[0]) for learner in (alone, shared)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for name, parameter in alone.parameters.items():
        np.testing.assert_allclose(parameter.data().asnumpy(), shared.parameters[name].data().asnumpy(), atol=1e-6)


def test_without_a_launcher_it_is_said(sheets, tmp_path, monkeypatch):
    for name in REQUIRED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(runs.RunError, match="DMLC_ROLE, .*start the command with the launcher"):
        train(sheets, tmp_path / "run", CONFIG, kvstore="dist_sync")
    assert not (tmp_path / "run").exists()


def test_a_batch_without_equal_shares_is_refused(sheets, tmp_path, monkeypatch):
    monkeypatch.setattr("keypoints.train.Group", lambda kvstore: Twins())
    with pytest.raises(runs.RunError, match="a batch of 3 has no equal shares for 2 workers"):
        train(sheets, tmp_path / "run", replace(CONFIG, batch=3), kvstore="dist_sync")


class Strangers(Twins):
    """A group whose other worker has finished no epoch."""

    def sum(self, values):
        return 1 * values


def test_workers_that_see_different_runs_are_told(tmp_path):
    learner = Learner(CONFIG, Strangers())
    assert _place(tmp_path, learner) == (0, Watch())
    learner.save(tmp_path / runs.RESUME, epoch=3, workers=2, best=1.5)
    with pytest.raises(runs.RunError, match="this one 3 finished epochs; give them a folder that all of them share"):
        _place(tmp_path, learner)
    learner.group = Twins()
    assert _place(tmp_path, learner) == (3, Watch(best=1.5))


def test_one_process_is_the_first_of_one():
    assert share_of(None) == (0, 1) and share_of(Twins()) == (0, 2)


def launch(arguments, workers=2):
    """Start a scheduler, a server and workers; returns [(exit code, output), ...] of the workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": str(port), "DMLC_INTERFACE": "lo",
        "DMLC_NUM_SERVER": "1", "DMLC_NUM_WORKER": str(workers), "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([sys.executable, "foliopie.py", "keypoints", "train", *arguments], cwd=ROOT, text=True,
                                env=environment | {"DMLC_ROLE": role}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
               for role in ("scheduler", "server", *["worker"] * workers)]
    end = time.monotonic() + LIMIT_S
    try:
        told = [process.communicate(timeout=max(1, end - time.monotonic()))[0] for process in started[::-1]]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [(process.returncode, text) for process, text in zip(started[::-1], told, strict=True)][:workers]


@pytest.mark.slow
@distributed
def test_two_processes_train_one_run_and_resume_it_exactly(sheets, tmp_path):
    def arguments(out, *more):
        return [str(sheets), "--out", str(tmp_path / out), "--model", "hourglass", "--filters", "8", "--stacks", "1",
                "--size", "64x64", "--batch", "2", "--epochs", "2", "--schedule", "plateau", "--plateau-patience", "1",
                "--kvstore", "dist_sync", *more]

    for out, more in (("straight", []), ("broken", ["--stop-after", "1"]), ("broken", ["--resume"])):
        for code, told in launch(arguments(out, *more)):
            assert code == 0, told
    assert len(runs.read_history(tmp_path / "straight")) == 2
    assert (tmp_path / "straight" / runs.LOG).read_text().count("training on 3 samples") == 1
    with np.load(tmp_path / "straight" / runs.RESUME) as one, np.load(tmp_path / "broken" / runs.RESUME) as other:
        assert one["place/workers"] == 2
        for name in one.files:
            if name != "trainer":
                np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    # One process cannot go on where two have been.
    config = runs.read_config(tmp_path / "straight")[0]
    with pytest.raises(runs.RunError, match="trained by 2 workers; go on with as many, now there are 1"):
        train(sheets, tmp_path / "straight", config, resume=True)


@pytest.mark.slow
@distributed
def test_a_fault_of_the_first_worker_ends_them_all(sheets, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").write_bytes(b"")
    ended = launch([str(sheets), "--out", str(tmp_path / "full"), "--size", "64x64", "--batch", "2",
                    "--kvstore", "dist_sync"])
    assert [code for code, _ in ended] == [1, 1]
    told = " ".join(text for _, text in ended)
    assert "is not empty and holds no run" in told and "the worker of rank 0 has stopped" in told
