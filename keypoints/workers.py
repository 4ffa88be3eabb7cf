"""A training in several processes, each of which takes its share of every batch.

They are started by MXNet's launcher, or by hand, with the environment that MXNet's parameter server reads (DMLC_ROLE
and the rest of REQUIRED): one scheduler, one or more servers, and the workers. A process whose role is not "worker"
serves from the moment it imports MXNet until the workers end. Only "dist_sync" is meant: every step waits for every
worker, so that the gradient is that of the whole batch. Batch normalisation sees the worker's share alone.
"""

import os

import mxnet as mx

from keypoints.run import RunError
from scenes.workers import first_does

KVSTORES = ("dist_sync",)
REQUIRED = ("DMLC_ROLE", "DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT", "DMLC_NUM_WORKER", "DMLC_NUM_SERVER")


class Group:
    """This worker among the others. rank: 0 to size - 1; the worker of rank 0 alone writes the run.

    Raises RunError where the environment is not that of a worker.
    """

    def __init__(self, kvstore):
        missing = [name for name in REQUIRED if not os.environ.get(name)]
        if missing:
            raise RunError(
                f"--kvstore {kvstore} needs the environment of MXNet's launcher, and {', '.join(missing)} is not set; "
                "start the command with the launcher, or leave --kvstore out"
            )
        self._store = mx.kv.create(kvstore)
        self.rank, self.size = self._store.rank, self._store.num_workers
        self._sizes = []

    def sum(self, values):
        """The sum over all workers of an NDArray (n,) float32, which every worker must ask for: a new NDArray."""
        if values.size not in self._sizes:
            self._sizes.append(values.size)
            self._store.init(len(self._sizes) - 1, mx.nd.zeros(values.size))
        key = self._sizes.index(values.size)
        # Waited for at both ends: MXNet hands its own buffers on, and a pull that is still under way may meet the next
        # push (its Trainer's broadcast of the first weights gave some workers gradients in their place).
        values.wait_to_read()
        self._store.push(key, values)
        summed = mx.nd.zeros(values.size)
        self._store.pull(key, out=summed)
        summed.wait_to_read()
        return summed

    def first_does(self, action):
        """Call `action` at rank 0 while the others wait; returns, at every worker, the number that it gives, in float32
        and 0 for None.

        Raises what it raises at rank 0, and RunError at the others.
        """
        def total(values):
            return self.sum(mx.nd.array(values)).asnumpy().tolist()

        return first_does(self.rank, total, action, RunError)


def share_of(group):
    """(rank, number of workers); (0, 1) without a group."""
    return (group.rank, group.size) if group else (0, 1)
