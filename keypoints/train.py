"""Training: an epoch is a pass over the samples, a validation of the averaged weights, and a checkpoint.

Same data and configuration give the same weights, interrupted or not: what is drawn at random depends on
(seed, epoch, place) alone, and resume.npz holds weights, averages and the optimizer's whole state.
"""

import hashlib
import logging
import math
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import mxnet as mx
import numpy as np
from rich.console import Console
from rich.progress import Progress

from keypoints import run as runs
from keypoints.evaluate import report
from keypoints.learner import Learner
from keypoints.loader import (
    HELD_SIZE,
    load_examples,
    plain_batches,
    prefetch,
    read_samples,
    require_masks,
    split_samples,
    training_batches,
)
from keypoints.run import RunError
from keypoints.schedules import Watch, learning_rate
from keypoints.workers import Group, share_of
from scenes.progress import columns


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


def train_epoch(learner, examples, config, epoch, tick, scale=1.0):
    """One pass; returns a dict with train_loss, learning_rate (the last), images, train_seconds and
    waiting_share.

    tick: called with the number of images after each step. scale: of the learning rate, see schedules.Watch. Of
    several workers this one takes its share of each batch; all count whole batches. Raises RunError when the loss is no
    longer a number.
    """
    per_epoch = -(-len(examples) // config.batch)
    losses, waited, pending = [], 0.0, None
    started = time.perf_counter()
    learner.begin_epoch(epoch)
    batches = prefetch(training_batches(examples, config, epoch, *share_of(learner.group)))
    try:
        for k in range(per_epoch):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            step = epoch * per_epoch + k
            rate = learning_rate(config, step, per_epoch * config.epochs, scale)
            loss = learner.step(batch, rate, step)
            # Reading the loss of the step before waits for that one alone: MXNet has the next in hand.
            if pending is not None:
                losses.append(_finite(pending, epoch))
            pending = loss
            tick(config.batch)
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
    found, targets, losses = [], [], []
    for batch in prefetch(plain_batches(examples, config)):
        outputs, loss = learner.validate(batch)
        found.append(outputs)
        losses.append(loss)
        targets.append(batch.targets[: batch.count])
    return float(np.concatenate(losses).mean()), report(
        np.concatenate(found), np.concatenate(targets), examples, config
    )


def history_line(epoch, trained, validation_loss, told, seconds):
    """One epoch for history.jsonl; corner errors are cyclic-matched, in photo pixels and percent of the
    diagonal.

    The training's loss is that of the moving weights under augmentation, summed over the stacks of an hourglass; the
    validation's that of the averaged weights on plain photos, of the last stack.
    """
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
    if not (out / runs.CONFIG).exists() and out.exists() and not runs.is_begun_at_most(out):
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


def train(data, out, config, validation=None, resume=False, stop_after=None, kvstore=None):
    """Train on a dataset folder, or several, into a run folder; returns the history (list of dicts, one an epoch).

    data: path, or a list of them, whose samples are put together in that order. validation: another dataset folder,
    used when `data` has no split "validation" (see loader.split_samples).
    resume: go on with the run in `out`; without one there it begins. stop_after: end after so many epochs of
    this call, with the schedule of the whole training, to go on later. kvstore: one of workers.KVSTORES, in a process
    that is one of several, of which the first alone writes the run and has its history. Raises RunError, WeightsError,
    PhotoError, ValueError.
    """
    group = Group(kvstore) if kvstore else None
    rank, workers = share_of(group)
    if config.batch % workers:
        raise RunError(f"a batch of {config.batch} has no equal shares for {workers} workers; choose another --batch")
    folders = [data] if isinstance(data, (str, os.PathLike)) else data
    samples = [sample for folder in folders for sample in read_samples(folder, config)]
    training, held_out, how = split_samples(samples, read_samples(validation, config) if validation else None)
    require_masks(training + held_out, config)
    out, described = Path(out), describe_data(training, held_out, how)
    _first(group, lambda: prepare_run(out, config, described, resume))
    with _logging(out / runs.LOG if rank == 0 else None) as log, _progress(rank == 0) as bar:
        log.info("training on %d samples, validating on %d (%s)", len(training), len(held_out), how)
        photos = training + held_out if rank == 0 else training
        loading = bar.add_task("photos", total=len(photos), rate="")
        longest = HELD_SIZE * max(config.height, config.width)

        def load(samples, masks):
            return load_examples(samples, longest, masks, progress=lambda count: bar.advance(loading, count))

        examples = load(training, config.augment or config.input == "mask")
        validation_examples = load(held_out if rank == 0 else [], config.input == "mask")
        bar.remove_task(loading)
        goes_on = (out / runs.RESUME).exists()
        # One that goes on has all its values in resume.npz: the file that it began with may be gone by now.
        learner = Learner(replace(config, weights=None, pretrained=False) if goes_on else config, group)
        if learner.left_random:
            log.info("random values kept in: %s", ", ".join(learner.left_random))
        try:
            return _epochs(out, config, learner, examples, validation_examples, stop_after, log, bar)
        except KeyboardInterrupt:
            log.info("stopped; the finished epochs are kept: go on with --resume")
            raise


def _first(group, action):
    """What the first of the workers does alone, or a training in one process."""
    return group.first_does(action) if group else action()


def _ticker(bar, task, started):
    """What is called with the count of images after each step, to move the bar and say the rate."""
    done = 0

    def tick(count):
        nonlocal done
        done += count
        bar.update(task, advance=count, rate=f"{done / (time.perf_counter() - started):.1f} images/s")

    return tick


def _epochs(out, config, learner, examples, validation_examples, stop_after, log, bar):
    first, watch = _place(out, learner)
    if first:
        log.info("going on after epoch %d", first)
    # A kill between the history and resume.npz leaves a line too many: that epoch is done again.
    history = runs.read_history(out)[:first]
    last = config.epochs if stop_after is None else min(config.epochs, first + stop_after)
    images = -(-len(examples) // config.batch) * config.batch
    task = bar.add_task("training", total=images * config.epochs, completed=images * first, rate="")
    for epoch in range(first, last):
        if watch.is_over(config):
            log.info("no better validation for %d epochs: this is the end", watch.stale)
            break
        started = time.perf_counter()
        trained = train_epoch(learner, examples, config, epoch, _ticker(bar, task, started), watch.scale)

        def measure(epoch=epoch, trained=trained, started=started):
            validation_loss, told = validate(learner, validation_examples, config)
            line = history_line(epoch, trained, validation_loss, told, time.perf_counter() - started)
            history.append(line)
            # Without a corner to be measured at all the loss decides.
            return validation_loss if line["all_mean_percent"] is None else line["all_mean_percent"]

        best_now = watch.note(_first(learner.group, measure), config)

        def keep(epoch=epoch, best_now=best_now):
            _keep(out, learner, history, epoch + 1, watch, best_now)
            log.info(_told(history[-1], config.epochs, best_now))

        _first(learner.group, keep)
    told = "validation loss" if history and history[-1]["all_mean_percent"] is None else "% mean corner error"
    log.info("run in %s: best.params has %.3f %s", out, watch.best, told)
    return history


def _place(out, learner):
    """(epochs done, schedules.Watch) of a run folder; the learner takes over what it was."""
    workers = share_of(learner.group)[1]
    place = learner.load(out / runs.RESUME) if (out / runs.RESUME).exists() else {"epoch": 0, "workers": workers}
    if learner.group and learner.group.sum(mx.nd.array([place["epoch"]])).asscalar() != workers * place["epoch"]:
        raise RunError(f"the workers see different runs in {out}, this one {place['epoch']} finished epochs; give them "
                       "a folder that all of them share")
    before = place.get("workers", 1)
    if before != workers:
        raise RunError(f"{out} was trained by {before} workers; go on with as many, now there are {workers}")
    # Runs of before there was a plateau have the best alone.
    return place["epoch"], Watch(**{name: place[name] for name in asdict(Watch()) if name in place})


def _keep(out, learner, history, epoch, watch, best_now):
    """Write an epoch: weights, history, and last of all resume.npz, which makes it count."""
    for name in ("last", "best") if best_now else ("last",):
        with runs.replacing(out / runs.WEIGHTS[name]) as beside:
            learner.average.save_parameters(str(beside))
    runs.write_history(out, history)
    with runs.replacing(out / runs.RESUME) as beside:
        learner.save(beside, epoch=epoch, workers=share_of(learner.group)[1], **asdict(watch))


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


def _progress(shown=True):
    return Progress(*columns(), console=_console, speed_estimate_period=300, disable=not shown)


class _ConsoleHandler(logging.Handler):
    def emit(self, record):
        _console.print(self.format(record), markup=False, highlight=False)


@contextmanager
def _logging(path):
    """A logger that writes to the console, above the progress bar, and with times to a file that it appends
    to; to neither where path is None."""
    log = logging.getLogger("foliopie.keypoints.train")
    log.setLevel(logging.INFO)
    log.propagate = False
    if path is None:
        handlers = [logging.NullHandler()]
    else:
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
