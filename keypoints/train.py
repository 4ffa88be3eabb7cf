"""Training: an epoch is a pass over the samples, a validation of the averaged weights, and a checkpoint.

Same data and configuration give the same weights, interrupted or not: what is drawn at random depends on
(seed, epoch, place) alone, and resume.npz holds weights, averages and the optimizer's whole state.
"""

import hashlib
import logging
import math
import time
from contextlib import contextmanager
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from keypoints import run as runs
from keypoints.evaluate import report
from keypoints.loader import (
    HELD_SIZE,
    load_examples,
    plain_batches,
    prefetch,
    split_samples,
    training_batches,
)
from keypoints.losses import PeakL2Loss
from keypoints.models import simple_pose
from keypoints.run import RunError
from scenes.dataset import read_dataset

FINAL_SHARE = 0.01  # of the learning rate, where the cosine ends
STEP_DROPS = (0.6, 0.85)  # shares of the training after which the step schedule divides by ten


def learning_rate(config, step, steps):
    """Learning rate of step 0 <= step < steps; see TrainConfig."""
    warm = config.warmup * steps
    if step < warm:
        return config.learning_rate * (step + 1) / (warm + 1)
    if config.schedule == "step":
        return config.learning_rate * 0.1 ** sum(step >= share * steps for share in STEP_DROPS)
    done = (step - warm) / max(steps - warm, 1)
    return config.learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * done)))


def describe_data(training, validation, how):
    """dict for config.json: how many samples, where the validation is from, and a hash of names, corners and
    visibility."""
    digest = hashlib.sha256()
    for part in (training, validation):
        for sample in part:
            truth = [*np.round(sample.corners, 3).ravel().tolist(), *map(int, sample.visibility)]
            digest.update(f"{sample.name} {truth}\n".encode())
        digest.update(b"|")
    return {
        "training": len(training),
        "validation": len(validation),
        "validation_from": how,
        "sha256": digest.hexdigest(),
    }


class Learner:
    """The network with its optimizer, and the moving average of its weights that is validated and kept."""

    def __init__(self, config):
        self.net = simple_pose.build(config)
        self.left_random = simple_pose.initialise(self.net, config)
        self.average = simple_pose.build(config)
        self.average.initialize(mx.init.Zero())
        self.average(mx.nd.zeros((1, 3, config.height, config.width)))
        for net in (self.net, self.average):
            net.hybridize(static_alloc=True, static_shape=True)
        self.loss = PeakL2Loss(config.sigma_px, config.peak_weight)
        self.trainer = gluon.Trainer(
            self.net.collect_params(), config.optimizer, {"learning_rate": config.learning_rate}, kvstore=None
        )
        self.decay = config.average_decay
        self.parameters = self.net._collect_params_with_prefix()  # by the names that save_parameters writes
        self.averages = self.average._collect_params_with_prefix()
        self._follow(0.0)

    def step(self, batch, rate, steps_done):
        """One step on a loader.Batch; returns the loss of each sample, (N,), which MXNet may still be
        computing."""
        images, targets = mx.nd.array(batch.images), mx.nd.array(batch.targets)
        with autograd.record():
            loss = self.loss(self.net(images), targets)
        loss.backward()
        self.trainer.set_learning_rate(rate)
        self.trainer.step(len(batch.images))
        # A long memory would hold the random beginning: at first it is a tenth of the steps done.
        self._follow(min(self.decay, (1 + steps_done) / (10 + steps_done)))
        return loss

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
        beside = Path(path).with_suffix(".trainer")
        try:
            self.trainer.save_states(str(beside))
            states = np.frombuffer(beside.read_bytes(), np.uint8)
        finally:
            beside.unlink(missing_ok=True)
        arrays = {f"parameter/{name}": p.data().asnumpy() for name, p in self.parameters.items()}
        arrays |= {f"average/{name}": p.data().asnumpy() for name, p in self.averages.items()}
        with open(path, "wb") as stream:
            np.savez(
                stream, trainer=states, **arrays, **{f"place/{name}": value for name, value in place.items()}
            )

    def load(self, path):
        """Take over what `save` wrote; returns its `place`."""
        with np.load(path, allow_pickle=False) as stored:
            for name in self.parameters:
                self.parameters[name].set_data(mx.nd.array(stored[f"parameter/{name}"]))
                self.averages[name].set_data(mx.nd.array(stored[f"average/{name}"]))
            beside = Path(path).with_suffix(".trainer")
            try:
                beside.write_bytes(stored["trainer"].tobytes())
                self.trainer.load_states(str(beside))
            finally:
                beside.unlink(missing_ok=True)
            return {
                name.removeprefix("place/"): stored[name].item()
                for name in stored.files
                if name.startswith("place/")
            }


def train_epoch(learner, examples, config, epoch, tick):
    """One pass; returns a dict with train_loss, learning_rate (the last), images, train_seconds and
    waiting_share.

    tick: called with the number of images after each step. Raises RunError when the loss is no longer a
    number.
    """
    per_epoch = -(-len(examples) // config.batch)
    losses, waited, pending = [], 0.0, None
    started = time.perf_counter()
    batches = prefetch(training_batches(examples, config, epoch))
    try:
        for k in range(per_epoch):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            step = epoch * per_epoch + k
            rate = learning_rate(config, step, per_epoch * config.epochs)
            loss = learner.step(batch, rate, step)
            # Reading the loss of the step before waits for that one alone: MXNet has the next in hand.
            if pending is not None:
                losses.append(_finite(pending, epoch))
            pending = loss
            tick(len(batch.images))
        losses.append(_finite(pending, epoch))
    finally:
        batches.close()
    seconds = time.perf_counter() - started
    return {
        "train_loss": float(np.mean(losses)),
        "learning_rate": rate,
        "images": per_epoch * config.batch,
        "train_seconds": seconds,
        "waiting_share": waited / seconds,
    }


def _finite(loss, epoch):
    value = float(loss.asnumpy().mean())
    if not math.isfinite(value):
        raise RunError(f"the loss became {value} in epoch {epoch + 1}; start a new run with a smaller --lr")
    return value


def validate(learner, examples, config):
    """The averaged weights on examples: (mean loss, keypoints.evaluate.report). Each example counts once."""
    heatmaps, targets, losses = [], [], []
    for batch in prefetch(plain_batches(examples, config)):
        drawn = learner.average(mx.nd.array(batch.images))
        losses.append(learner.loss(drawn, mx.nd.array(batch.targets)).asnumpy()[: batch.count])
        heatmaps.append(drawn.asnumpy()[: batch.count])
        targets.append(batch.targets[: batch.count])
    return float(np.concatenate(losses).mean()), report(
        np.concatenate(heatmaps), np.concatenate(targets), examples, config
    )


def history_line(epoch, trained, validation_loss, told, seconds):
    """One epoch for history.jsonl; corner errors are cyclic-matched, in photo pixels and percent of the
    diagonal."""
    px, percent = (told["corners"]["cyclic"][unit] for unit in ("px", "percent"))
    line = {
        "epoch": epoch + 1,
        "learning_rate": trained["learning_rate"],
        "train_loss": trained["train_loss"],
        "validation_loss": validation_loss,
    }
    for which in ("all", "visible", "covered"):
        line |= {
            f"{which}_{figure}_{unit}": errors[which][figure]
            for unit, errors in (("px", px), ("percent", percent))
            for figure in ("mean", "median", "p95")
        }
    return line | {
        "direct_mean_percent": told["corners"]["direct"]["percent"]["all"]["mean"],
        "heatmap_accuracy": told["heatmap_accuracy"],
        "published_heatmap_accuracy": told["published_heatmap_accuracy"],
        "images_per_second": trained["images"] / trained["train_seconds"],
        "waiting_share": trained["waiting_share"],
        "seconds": seconds,
    }


def prepare_run(out, config, data, resume):
    """Make the run folder, or check that it is this run's. Raises RunError where it is not.

    A run that has not finished an epoch has nothing to lose: it begins again, with whatever settings.
    """
    out = Path(out)
    if not (out / runs.CONFIG).exists() and out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty and holds no run; choose another --out")
    if not (out / runs.RESUME).exists():
        out.mkdir(parents=True, exist_ok=True)
        runs.write_config(out, config, data)
        return
    old_config, old_data = runs.read_config(out)
    changed = [
        f"{name} was {value!r}, is {getattr(config, name)!r}"
        for name, value in old_config.to_json().items()
        if value != getattr(config, name)
    ]
    if changed:
        raise RunError(
            f"{out} holds a run with another configuration ({'; '.join(changed)}); "
            "choose another --out, or resume with the same options"
        )
    if old_data != data:
        raise RunError(
            f"{out} was trained on other data ({old_data} then, {data} now); choose another --out"
        )
    if not resume:
        raise RunError(f"{out} holds a run already; go on with --resume, or choose another --out")


def train(data, out, config, validation=None, resume=False, stop_after=None):
    """Train on a dataset folder into a run folder; returns the history (list of dicts, one an epoch).

    validation: another dataset folder, used when `data` has no split "validation" (see loader.split_samples).
    resume: go on with the run in `out`; without one there it begins. stop_after: end after so many epochs of
    this call, with the schedule of the whole training, to go on later. Raises RunError, WeightsError,
    PhotoError.
    """
    samples = read_dataset(data)
    training, held_out, how = split_samples(samples, read_dataset(validation) if validation else None)
    prepare_run(out, config, describe_data(training, held_out, how), resume)
    with _logging(Path(out) / runs.LOG) as log, _progress() as bar:
        log.info("training on %d samples, validating on %d (%s)", len(training), len(held_out), how)
        loading = bar.add_task("photos", total=len(training) + len(held_out), rate="")
        longest = HELD_SIZE * max(config.height, config.width)

        def count(photos):
            bar.advance(loading, photos)

        examples = load_examples(training, longest, masks=config.augment, progress=count)
        validation_examples = load_examples(held_out, longest, progress=count)
        bar.remove_task(loading)
        learner = Learner(config)
        if learner.left_random:
            log.info("random values kept in: %s", ", ".join(learner.left_random))
        try:
            return _epochs(Path(out), config, learner, examples, validation_examples, stop_after, log, bar)
        except KeyboardInterrupt:
            log.info("stopped; the finished epochs are kept: go on with --resume")
            raise


def _ticker(bar, task, started):
    """What is called with the count of images after each step, to move the bar and say the rate."""
    done = 0

    def tick(count):
        nonlocal done
        done += count
        bar.update(task, advance=count, rate=f"{done / (time.perf_counter() - started):.1f} images/s")

    return tick


def _epochs(out, config, learner, examples, validation_examples, stop_after, log, bar):
    first, best = 0, math.inf
    if (out / runs.RESUME).exists():
        place = learner.load(out / runs.RESUME)
        first, best = place["epoch"], place["best"]
        log.info("going on after epoch %d", first)
    # A kill between the history and resume.npz leaves a line too many: that epoch is done again.
    history = runs.read_history(out)[:first]
    last = config.epochs if stop_after is None else min(config.epochs, first + stop_after)
    images = -(-len(examples) // config.batch) * config.batch
    task = bar.add_task("training", total=images * config.epochs, completed=images * first, rate="")
    for epoch in range(first, last):
        started = time.perf_counter()

        trained = train_epoch(learner, examples, config, epoch, _ticker(bar, task, started))
        validation_loss, told = validate(learner, validation_examples, config)
        line = history_line(epoch, trained, validation_loss, told, time.perf_counter() - started)
        history.append(line)
        error = line["all_mean_percent"]
        # Without a corner to be measured at all the loss decides.
        error = validation_loss if error is None else error
        best_now = error < best
        best = min(best, error)
        _keep(out, learner, history, epoch + 1, best, best_now)
        log.info(_told(line, config.epochs, best_now))
    log.info("run in %s: best.params has %.3f %% mean corner error", out, best)
    return history


def _keep(out, learner, history, epoch, best, best_now):
    """Write an epoch: weights, history, and last of all resume.npz, which makes it count."""
    for name in ("last", "best") if best_now else ("last",):
        with runs.replacing(out / runs.WEIGHTS[name]) as beside:
            learner.average.save_parameters(str(beside))
    runs.write_history(out, history)
    with runs.replacing(out / runs.RESUME) as beside:
        learner.save(beside, epoch=epoch, best=best)


def _told(line, epochs, best_now):
    def figure(name):
        return "-" if line[name] is None else f"{line[name]:.2f}"

    return (
        f"epoch {line['epoch']}/{epochs}: "
        f"loss {line['train_loss']:.4f}, validation {line['validation_loss']:.4f}, "
        f"corners median {figure('visible_median_px')} px seen, {figure('covered_median_px')} px covered, "
        f"mean {figure('all_mean_percent')} %, p95 {figure('all_p95_percent')} % of the diagonal, "
        f"heatmap accuracy {figure('heatmap_accuracy')}, {line['images_per_second']:.1f} images/s, "
        f"waiting {100 * line['waiting_share']:.1f} %, {line['seconds']:.0f} s{' *' if best_now else ''}"
    )


_console = Console(stderr=True, soft_wrap=True)


def _progress():
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=_console,
        speed_estimate_period=300,
    )


class _ConsoleHandler(logging.Handler):
    def emit(self, record):
        _console.print(self.format(record), markup=False, highlight=False)


@contextmanager
def _logging(path):
    """A logger that writes to the console, above the progress bar, and with times to a file that it appends
    to."""
    log = logging.getLogger("foliopie.keypoints.train")
    log.setLevel(logging.INFO)
    log.propagate = False
    to_file = logging.FileHandler(path, encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handlers = [to_file, _ConsoleHandler()]
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield log
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
