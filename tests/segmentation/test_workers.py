import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from segmentation import train as training
from segmentation.config import ConfigError, TrainConfig
from segmentation.workers import Group, WorkerError, group_of, read_place, share_batch_norm

ROOT = Path(__file__).resolve().parents[2]
CONFIG = TrainConfig(architecture="unet", backbone="resnet18", height=32, width=32, batch=4)
SILENT = Console(quiet=True)
LIMIT_S = 600
# Processes that find each other by ports: asked for by name, lest a busy build server fails for nothing.
distributed = pytest.mark.skipif(not os.environ.get("FOLIOPIE_DISTRIBUTED"), reason="FOLIOPIE_DISTRIBUTED is not set")


class Pair(Group):
    """This worker and another one, whose part of every sum is `other`; None: the same as ours."""

    def __init__(self, rank=0, other=None):
        super().__init__(rank=rank)
        self.size, self.other = 2, other

    def sum(self, values):
        return values + (values if self.other is None else np.asarray(self.other, values.dtype))


def place(job="worker", index=0, **cluster):
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


def test_rank_and_number_of_workers():
    assert read_place(place(index=1, worker=["a:1", "b:1"])) == (1, 2)
    assert read_place(place("chief", chief=["a:1"], worker=["b:1", "c:1"])) == (0, 3)
    assert read_place(place(index=1, chief=["a:1"], worker=["b:1", "c:1"])) == (2, 3)


@pytest.mark.parametrize(("text", "fault"), [
    (None, "it is not set"),
    ("worker 1", "JSONDecodeError"),
    ('{"cluster": {}}', "KeyError: 'task'"),
    (place(index=2, worker=["a:1", "b:1"]), "there is no worker 2 in the cluster"),
    (place("ps", worker=["a:1"], ps=["b:1"]), "'ps' is neither of chief, worker"),
])
def test_a_wrong_environment_is_named_with_an_example(text, fault):
    with pytest.raises(ConfigError, match=f'TF_CONFIG.*{fault}.*"index": 0'):
        read_place(text)


def test_without_a_launcher_nothing_is_begun(make_dataset, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="leave --distributed out"):
        training.train(make_dataset(2), tmp_path / "run", CONFIG, console=SILENT, distributed=True)
    assert not (tmp_path / "run").exists()


def test_a_batch_without_equal_shares_is_refused(make_dataset, tmp_path, monkeypatch):
    @contextmanager
    def pair(distributed, console):
        yield Pair()

    monkeypatch.setattr(training, "group_of", pair)
    with pytest.raises(ConfigError, match="batch 3: has no equal shares for 2 workers"):
        training.train(make_dataset(2), tmp_path / "run", replace(CONFIG, batch=3), console=SILENT)
    assert not (tmp_path / "run").exists()


def test_one_process_is_a_group_of_itself():
    with group_of(False, SILENT) as group:
        assert (group.rank, group.size) == (0, 1)
        np.testing.assert_array_equal(group.sum(np.array([1, 2])), [1, 2])
        assert group.first_does(lambda: 3) == 3
        group.check_same(b"anything", "weights")


def test_workers_that_have_come_apart_are_told():
    with pytest.raises(WorkerError, match="after epoch 3 the weights of worker 1 are not those of worker 0"):
        Pair(other=[0, 5]).check_same(b"weights", "after epoch 3 the weights")


def test_the_first_gives_its_state_to_the_others():
    state = {"weights": np.array([0.1, 0.2], np.float32), "steps": np.int64(3)}
    for key, array in Pair(rank=0, other=0).from_first(state).items():
        assert array.dtype == state[key].dtype
        np.testing.assert_array_equal(array, state[key])
    assert Pair(rank=1, other=7).from_first(state)["steps"] == 7


def test_a_worker_that_is_gone_is_said_and_faults_of_one_process_are_not_called_that(monkeypatch):
    monkeypatch.setattr("segmentation.workers._joined", lambda console: Pair())
    gone = tf.errors.UnavailableError(None, None, "Connection reset by peer\nand more")
    with pytest.raises(WorkerError, match=r"has ended or cannot be reached \(Connection reset by peer\).*--resume"):
        with group_of(True, SILENT):
            raise gone
    with pytest.raises(tf.errors.UnavailableError), group_of(False, SILENT):
        raise gone


def network():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="inner")], name="encoder")
    inputs = keras.Input((4,))
    x = keras.layers.BatchNormalization(name="outer")(inner(inputs))
    return keras.Model(inputs, keras.layers.Dropout(0.5)(x))


def test_every_batch_norm_is_shared():
    model = network()
    share_batch_norm(model)
    assert model.get_layer("outer").synchronized and model.get_layer("encoder").get_layer("inner").synchronized


def test_dropout_differs_from_worker_to_worker():
    model = network()
    before = [variable.numpy() for variable in model.variables]
    Pair(rank=1).part_seeds(model)
    changed = [variable.numpy() - old for variable, old in zip(model.variables, before, strict=True)]
    assert [difference.tolist() for difference in changed if difference.any()] == [[1, 0]]


# The command line with a network of two layers, in a worker that ends before the epoch it is told.
PROGRAM = """
import os, sys
from dataclasses import replace
import keras
from segmentation import commands, loader, train
from segmentation.models.layers import classifier, convolution, networks_of

config, batches = commands._config, loader.training_batches
last, arguments = int(sys.argv[1]), sys.argv[2:]

def small(config, initial_weights):
    keras.utils.set_random_seed(config.seed)
    inputs = keras.Input((config.height, config.width, 3))
    x = keras.layers.Dropout(config.dropout)(convolution(inputs, 8, 3, "first", 0.9))
    return networks_of(inputs, [classifier(x, (config.height, config.width), "classifier")], "small")

def until_the_end(data, config, epoch, *rest):
    return os._exit(7) if epoch == last else batches(data, config, epoch, *rest)

commands._config = lambda options: replace(config(options), dropout=0.0)
loader.training_batches, train.build_networks = until_the_end, small
commands.segmentation(["train", *arguments])
"""
# Without what makes two workers differ from one: dropout, and pixels outside of the photo, which no loss counts.
OPTIONS = ["--model", "unet-resnet18", "--size", "32x32", "--batch", "4", "--epochs", "2", "--no-augment",
           "--optimizer", "sgd", "--lr", "0.1", "--threads", "1"]


def launch(data, out, *more, workers=2, ends=None):
    """Train in so many processes; returns [(exit code, output), ...]. ends: epoch, from 0, that the last does not
    begin."""
    with socket.socket() as one, socket.socket() as other:
        addresses = []
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
            addresses.append(f"127.0.0.1:{probe.getsockname()[1]}")
    started = []
    for rank in range(workers):
        last = ends if ends is not None and rank == workers - 1 else -1
        arguments = [str(data), "--out", str(out), *OPTIONS, *more, *["--distributed"] * (workers > 1)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CONFIG": place(index=rank, worker=addresses)}
        started.append(subprocess.Popen([sys.executable, "-c", PROGRAM, str(last), *arguments], cwd=ROOT, text=True,
                                        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    end = time.monotonic() + LIMIT_S
    try:
        told = [process.communicate(timeout=max(1, end - time.monotonic()))[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [(process.returncode, text) for process, text in zip(started, told, strict=True)]


def check_same_state(one, other, **tolerance):
    with np.load(one / "state.npz") as ours, np.load(other / "state.npz") as theirs:
        assert set(ours) == set(theirs)
        for key in ours:
            np.testing.assert_allclose(ours[key], theirs[key], **tolerance, err_msg=key)


@pytest.mark.slow
@distributed
def test_two_processes_train_what_one_does_and_go_on_after_one_has_died(make_dataset, tmp_path):
    data = make_dataset(9)
    for name, workers in (("alone", 1), ("straight", 2)):
        for code, told in launch(data, tmp_path / name, workers=workers):
            assert code == 0, told
    assert (tmp_path / "straight" / "log.txt").read_text().count("shared by 2 workers") == 1
    check_same_state(tmp_path / "alone", tmp_path / "straight", rtol=1e-3, atol=1e-4)

    (code, told), (ended, _) = launch(data, tmp_path / "broken", ends=1)
    assert (code, ended) == (1, 7) and "Error: another worker has ended" in told, told
    assert len((tmp_path / "broken" / "history.jsonl").read_text().splitlines()) == 1
    for code, told in launch(data, tmp_path / "broken", "--resume"):
        assert code == 0, told
    check_same_state(tmp_path / "straight", tmp_path / "broken", rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@distributed
def test_a_fault_of_the_first_worker_ends_both(make_dataset, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").write_bytes(b"")
    (first, its_word), (second, other_word) = launch(make_dataset(5), tmp_path / "full")
    assert (first, second) == (1, 1), (its_word, other_word)
    assert "is not empty and holds no run" in its_word and "the worker of rank 0 has stopped" in other_word
