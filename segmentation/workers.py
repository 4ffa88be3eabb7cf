"""A training in several processes, each of which takes its share of every batch.

A launcher, or somebody by hand, starts the same command once for each worker, with the environment variable TF_CONFIG
that names them all and says which of them it is. TensorFlow's MultiWorkerMirroredStrategy carries what they share: the
gradients are summed, and batch normalisation has the mean and variance of the whole batch, so that the weights are
those of one process with the same batch. What differs: the loss is the mean of the workers' losses, which is that of
the whole batch where all have as many pixels that belong to a class, and never for Dice; each worker drops out other
values.

The first worker, "chief" if there is one and else "worker" 0, alone has the run folder, and tells the others where it
stands. A worker that ends, is killed or freezes (for 10 seconds) ends the others with an error.

What of Keras 3 and TensorFlow was tried for this is in the README; why nothing smaller does:
    keras.distribution is for JAX: with TensorFlow it is taken and ignored.
    model.fit under MultiWorkerMirroredStrategy fails in Keras 3, loops of one's own do not.
    MirroredStrategy has its replicas in one process.
    ParameterServerStrategy has workers that do not wait for each other: no batch in common, no exact resume.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from scenes import workers
from segmentation.config import ConfigError

EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
# Kinds of tasks that train, in the order of their ranks.
JOBS = ("chief", "worker")
# Workers that come later than this after the first find nobody.
JOIN_LIMIT_S = 600
# What TensorFlow raises where another worker is gone: which of them depends on what was under way.
GONE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class WorkerError(Exception):
    """A training of several processes that has lost one, or whose processes have come apart."""


class Group:
    """This process among those that share each batch; by default the only one.

    Args:
        strategy: in its scope networks and optimizers are made.
        rank: 0 to size - 1; rank 0 alone writes the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, rank: int = 0):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.rank, self.size = rank, self.strategy.num_replicas_in_sync

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over all workers, each of which must ask for it, of arrays of one shape and dtype."""
        return self.strategy.reduce("SUM", tf.constant(values), axis=None).numpy()

    def first_does(self, action: Callable[[], float | None]) -> float:
        """As `scenes.workers.first_does`. Raises WorkerError where the first has failed."""
        return workers.first_does(self.rank, lambda values: self.sum(np.array(values)).tolist(), action, WorkerError)

    def from_first(self, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays as the first worker has them; those of the others must have the same names, shapes and dtypes."""
        return {key: self.sum(array if self.rank == 0 else np.zeros_like(array)) for key, array in state.items()}

    def check_same(self, content: bytes, what: str) -> None:
        """Raises WorkerError, at every worker, unless all give the same. what: it is, in words."""
        table = np.zeros(self.size, np.int64)
        table[self.rank] = int.from_bytes(hashlib.sha256(content).digest()[:8], "big", signed=True)
        table = self.sum(table)
        others = [str(rank) for rank in range(self.size) if table[rank] != table[0]]
        if others:
            raise WorkerError(f"{what} of worker {', '.join(others)} are not those of worker 0; all need the same "
                              "DATA, options and versions")

    def part_seeds(self, model: keras.Model) -> None:
        """Has dropout draw other values at each worker, from states that follow from those of the first."""
        for variable in model.variables:
            if "int" in str(variable.dtype):
                seed, drawn = variable.numpy()
                variable.assign([seed + self.rank, drawn])


@contextmanager
def group_of(distributed: bool, console: Console):
    """Gives the Group: of the processes that TF_CONFIG names, or of this one alone.

    Raises:
        ConfigError: if there is no such TF_CONFIG.
        WorkerError: within it, when another worker is gone.
    """
    try:
        yield _joined(console) if distributed else Group()
    except GONE as error:
        if not distributed:
            raise
        raise WorkerError(f"another worker has ended or cannot be reached ({_reason(error)}); its message says why; "
                          "finished epochs are kept: start all of them again with --resume") from error


def share_batch_norm(model: keras.Model) -> None:
    """BatchNorm takes mean and variance over all workers: of a share alone they would be poorer, and the running ones
    differ. The networks of keras.applications have no argument for it, but it is read when a layer is called."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            share_batch_norm(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def read_place(text: str | None) -> tuple[int, int]:
    """(rank, number of workers) of a TF_CONFIG. Raises ConfigError, with an example, where it says neither."""
    try:
        config = json.loads(text or "")
        cluster, task = config["cluster"], config["task"]
        counts = {job: len(cluster.get(job, [])) for job in JOBS}
        job, index = task["type"], int(task["index"])
        unknown = sorted({job, *cluster} - set(JOBS))
        fault = f"{unknown[0]!r} is neither of {', '.join(JOBS)}" if unknown else ""
        if not fault and not 0 <= index < counts[job]:
            fault = f"there is no {job} {index} in the cluster"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fault = f"{type(error).__name__}: {error}" if text else "it is not set"
    if fault:
        raise ConfigError(f"--distributed reads the environment variable TF_CONFIG, as launchers set it, and {fault}; "
                          f"it looks like {EXAMPLE}; leave --distributed out to train in one process")
    return index + (counts["chief"] if job == "worker" else 0), sum(counts.values())


def _reason(error: tf.errors.OpError) -> str:
    """The line of TensorFlow's message that says what happened, which may stand behind a list of nodes."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    return next((line for line in lines if "aborted by" in line), lines[0])


def _joined(console: Console) -> Group:
    """Waits for all the workers. TensorFlow waits for ever, and lets no Python run meanwhile, not even what answers
    Ctrl-C: hence the alarm, which ends the process."""
    rank, size = read_place(os.environ.get("TF_CONFIG"))
    console.print(f"worker {rank} of {size}: waiting for the others; it ends if they do not come in {JOIN_LIMIT_S} s")
    signal.alarm(JOIN_LIMIT_S)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise WorkerError(f"worker {rank} of {size} cannot join the others: {_reason(error)}") from error
    finally:
        signal.alarm(0)
    if strategy.num_replicas_in_sync != size:
        raise ConfigError(f"{strategy.num_replicas_in_sync} devices for {size} workers: let each see one GPU, with "
                          "CUDA_VISIBLE_DEVICES")
    return Group(strategy, rank)
