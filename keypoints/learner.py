"""What learns: the network with its loss, its optimizer and the moving average of its weights."""

import tempfile
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from keypoints.losses import build_loss
from keypoints.models.registry import allocate, build, initialise, training_outputs
from scenes.files import write_npz

# Name and arguments in MXNet, whose "nag" is gradient descent with Nesterov's momentum.
OPTIMIZERS = {"adam": ("adam", {}), "sgd": ("nag", {"momentum": 0.9})}


class Learner:
    """The network with its optimizer, and the moving average of its weights that is validated and kept.

    group: the keypoints.workers.Group of the processes that share each batch, or None for a training in one.
    """

    def __init__(self, config, group=None):
        self.config, self.group = config, group
        self.net = build(config)
        self.left_random = initialise(self.net, config)
        self.average = build(config)
        allocate(self.average, config, mx.init.Zero())
        for net in (self.net, self.average):
            net.hybridize(static_alloc=True, static_shape=True)
        self.loss = build_loss(config)
        self.parameters = self.net._collect_params_with_prefix()  # by the names that save_parameters writes
        self.averages = self.average._collect_params_with_prefix()
        self.trained = [parameter for parameter in self.parameters.values() if parameter.grad_req != "null"]
        for name, parameter in self.parameters.items():
            parameter.wd_mult = float(name.endswith("weight"))  # no decay of biases and of batch normalisation
        name, arguments = OPTIMIZERS[config.optimizer]
        arguments = arguments | {"learning_rate": config.learning_rate, "wd": config.weight_decay}
        # A list: of a dict MXNet takes the order of names, in which it counts all layers made in the process so far,
        # and the optimizer's state, which it keeps by number, would come back to other parameters.
        self.trainer = gluon.Trainer(list(self.parameters.values()), name, arguments, kvstore=None)
        self._follow(0.0)

    def begin_epoch(self, epoch):
        """What the network draws at random (dropout) depends on seed, epoch and worker alone from here."""
        rank = self.group.rank if self.group else 0
        drawn = np.random.default_rng([self.config.seed, epoch, rank]).integers(2**31)
        mx.random.seed(int(drawn))

    def step(self, batch, rate, steps_done):
        """One step on a loader.Batch; returns its loss, of each sample (N,) or the mean (1,), which MXNet may still
        be computing."""
        images, targets, visibility = (
            mx.nd.array(part) for part in (batch.images, batch.targets, batch.visibility)
        )
        with autograd.record():
            # Every stack of an hourglass is supervised.
            loss = sum(self.loss(drawn, targets, visibility) for drawn in training_outputs(self.net, images))
        loss.backward()
        if self.group:
            loss = self._share(loss)
        if self.config.clip_norm:
            # Gradients are sums over the batch until the trainer divides them.
            gluon.utils.clip_global_norm(
                [parameter.grad() for parameter in self.trained],
                self.config.clip_norm * self.config.batch,
                check_isfinite=False,  # which would wait for them; a loss that is no number ends the training anyway
            )
        self.trainer.set_learning_rate(rate)
        self.trainer.step(self.config.batch)
        # A long memory would hold the random beginning: at first it is a tenth of the steps done.
        self._follow(min(self.config.average_decay, (1 + steps_done) / (10 + steps_done)))
        return loss

    def _share(self, loss):
        """Put the sums of all workers' gradients in place of this one's; returns the mean loss of the whole batch, so
        that all workers see the same."""
        gradients = [parameter.grad() for parameter in self.trained]
        summed = self.group.sum(mx.nd.concat(*(part.reshape(-1) for part in [*gradients, loss.sum()]), dim=0))
        start = 0
        for gradient in gradients:
            gradient[:] = summed[start : start + gradient.size].reshape(gradient.shape)
            start += gradient.size
        return summed[start:] / self.config.batch

    def validate(self, batch):
        """What the averaged weights make of a loader.Batch: (outputs, loss of each sample), numpy, for its first
        `count`."""
        drawn = self.average(mx.nd.array(batch.images))
        loss = self.loss(drawn, mx.nd.array(batch.targets), mx.nd.array(batch.visibility))
        return drawn.asnumpy()[: batch.count], loss.asnumpy()[: batch.count]

    def _follow(self, decay):
        """average = decay * average + (1 - decay) * weights.

        The running means and variances of batch normalisation are averaged with the weights that they belong
        to: those of the moment do not fit averaged weights, and in short trainings made them worse than no
        average.
        """
        for name, parameter in self.parameters.items():
            average, value = self.averages[name].data(), parameter.data()
            if decay == 0:
                value.copyto(average)
            else:
                average *= decay
                average += (1.0 - decay) * value

    def save(self, path, **place):
        """Write everything to go on from here as npz. place: numbers to come back from `load`."""
        mx.nd.waitall()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trainer"
            self.trainer.save_states(str(file))
            states = np.frombuffer(file.read_bytes(), np.uint8)
        arrays = {f"parameter/{name}": p.data().asnumpy() for name, p in self.parameters.items()}
        arrays |= {f"average/{name}": p.data().asnumpy() for name, p in self.averages.items()}
        numbers = {f"place/{name}": value for name, value in place.items()}
        write_npz(path, {"trainer": states, "order": np.array(list(self.parameters))} | arrays | numbers)

    def load(self, path):
        """Take over what `save` wrote; returns its `place`."""
        with np.load(path, allow_pickle=False) as stored:
            for name in self.parameters:
                self.parameters[name].set_data(mx.nd.array(stored[f"parameter/{name}"]))
                self.averages[name].set_data(mx.nd.array(stored[f"average/{name}"]))
            # Not in the run's folder: workers read at the same time.
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "trainer"
                file.write_bytes(stored["trainer"].tobytes())
                self.trainer.load_states(str(file))
            # Runs of before there was an order had MXNet's.
            order = stored["order"].tolist() if "order" in stored.files else sorted(
                self.parameters, key=lambda name: self.parameters[name].name
            )
            self._reorder_states(order)
            return {
                name.removeprefix("place/"): stored[name].item()
                for name in stored.files
                if name.startswith("place/")
            }

    def _reorder_states(self, order):
        """Bring what the optimizer keeps by number from the order of these names to that of self.parameters."""
        places = {name: place for place, name in enumerate(self.parameters)}
        updater, = self.trainer._updaters
        counts = updater.optimizer._all_index_update_counts.values()
        for numbered in (updater.states, updater.states_synced, *counts):
            found = {places[name]: numbered[number] for number, name in enumerate(order) if number in numbered}
            numbered.clear()
            numbered.update(found)
