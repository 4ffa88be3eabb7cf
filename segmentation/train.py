"""The training loop: epochs over augmented batches, a moving average of the weights, validation, exact resume."""

import math
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from segmentation import loader, metrics
from segmentation.config import ConfigError, TrainConfig
from segmentation.losses import loss_named
from segmentation.models.layers import Networks
from segmentation.network import build_networks
from segmentation.run_folder import LOG_FILE, RunFolder
from segmentation.schedules import SCHEDULES
from segmentation.tensorboard_events import EventFiles
from segmentation.workers import Group, group_of, share_batch_norm

# Seconds between two lines of the log within an epoch.
LOG_INTERVAL_S = 60.0

# Where validation samples come from, see `loader.split_samples`.
WHERE = {
    "split": "those that the dataset marks",
    "folder": "of the validation folder",
    "tail": "the dataset's last tenth",
}

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "sgd": lambda learning_rate: keras.optimizers.SGD(learning_rate, momentum=0.9),
    "rmsprop": keras.optimizers.RMSprop,
}


class TrainingError(Exception):
    """Training cannot go on."""


class Trainer:
    """The network and all that training changes: weights, running statistics, optimizer, average, dropout seeds.

    As Keras's own, it trains by the tf.distribute strategy in whose scope it and the network are made: each worker
    takes its share of a batch, and makes the step of the whole one.

    Args:
        networks: what is trained, in place.
        config: its configuration.
        total_steps: of the whole run, for the schedule.
    """

    def __init__(self, networks: Networks, config: TrainConfig, total_steps: int):
        self.strategy = tf.distribute.get_strategy()
        self.model = networks.training
        self.config = config
        self.total_steps = total_steps
        self.steps_done = 0
        self.loss = loss_named(config.loss)
        self.schedule = SCHEDULES[config.schedule]
        self.optimizer = OPTIMIZERS[config.optimizer](learning_rate=config.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        # Running statistics are averaged with the weights they belong to: those of the moment do not fit averaged
        # weights. The whole-number states of dropout's generators are left out.
        self.averaged = [variable for variable in self.model.variables if "float" in str(variable.dtype)]
        self.average = [tf.Variable(variable.value, trainable=False) for variable in self.averaged]
        images = tf.TensorSpec((None, config.height, config.width, 3), tf.uint8)
        masks = tf.TensorSpec((None, config.height, config.width), tf.uint8)
        # XLA was 7 times slower than TensorFlow's own kernels on CPUs. AutoGraph has nothing to convert here, and reads
        # the source file anew: one edited after it was imported gives it another function's text.
        options = {"input_signature": (images, masks), "jit_compile": False, "autograph": False}
        self._graph_step = tf.function(self._step_of_all, **options)
        self._graph_validate = tf.function(self._validate, **options)

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        config = self.config
        warmup = math.ceil(config.warmup_share * self.total_steps)
        return self.schedule(self.steps_done, self.total_steps, config.learning_rate, config.poly_power, warmup)

    def step(self, batch: loader.Batch) -> np.ndarray:
        """One optimisation step. Returns [total, main, auxiliary] loss, float; without the last where there is no such
        branch. Raises TrainingError if not finite."""
        self.optimizer.learning_rate = self.learning_rate
        losses = np.array(self._graph_step(batch.images, batch.masks), np.float64)
        if not np.isfinite(losses).all():
            raise TrainingError(f"the loss became {losses[0]} at step {self.steps_done}: try a lower --lr")
        self.steps_done += 1
        return losses

    def validate(self, batches) -> tuple[np.ndarray, float]:
        """(confusion matrix over all samples, mean main loss per sample), with the weights as they are now."""
        matrix = np.zeros((metrics.CLASSES, metrics.CLASSES), np.int64)
        loss_sum, samples = 0.0, 0
        for batch in batches:
            loss, prediction = self._graph_validate(batch.images, batch.masks)
            matrix += metrics.confusion_matrix(batch.masks, prediction.numpy())
            loss_sum += float(loss) * len(batch.images)
            samples += len(batch.images)
        return matrix, loss_sum / samples

    @contextmanager
    def averaged_weights(self):
        """Within it the model has the averaged weights and running statistics of BatchNorm."""
        variables = self.averaged
        trained = [variable.numpy() for variable in variables]
        for variable, average in zip(variables, self.average, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(variables, trained, strict=True):
                variable.assign(value)

    def save_averaged(self, path: Path) -> None:
        """Writes the averaged weights, auxiliary branch included, to a path ending in .weights.h5."""
        with self.averaged_weights():
            self.model.save_weights(path)

    def state(self) -> dict[str, np.ndarray]:
        """All that training changes, for `restore`."""
        arrays = {key: np.asarray(variable) for key, variable in self._variables().items()}
        return arrays | {"steps_done": np.int64(self.steps_done)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes back to where `state` was taken. Raises ConfigError if it is of another network."""
        variables = self._variables()
        wrong = [key for key in variables if key not in state or state[key].shape != tuple(variables[key].shape)]
        if wrong:
            raise ConfigError(f"the run's state does not fit the network ({wrong[0]}): made by another version?")
        for key, variable in variables.items():
            variable.assign(state[key])
        self.steps_done = int(state["steps_done"])

    def _variables(self) -> dict:
        """Keyed by position: the names of dropout's seeds depend on what else was built in the same process."""
        groups = {"model": self.model.variables, "optimizer": self.optimizer.variables, "average": self.average}
        return {f"{name}.{i:04d}": variable for name, group in groups.items() for i, variable in enumerate(group)}

    def _normalise(self, images):
        return (tf.cast(images, tf.float32) - self.config.mean) / self.config.std

    def _logits(self, images, training: bool) -> list:
        """[logits] or [logits, auxiliary logits]: Keras gives a single output without its list."""
        return keras.tree.flatten(self.model(self._normalise(images), training=training))

    def _step_of_all(self, images, masks):
        """`_step` at every worker; the losses' means."""
        return self.strategy.reduce("MEAN", self.strategy.run(self._step, (images, masks)), axis=None)

    def _step(self, images, masks):
        with tf.GradientTape() as tape:
            main, *auxiliary = (self.loss(masks, logits) for logits in self._logits(images, training=True))
            total = main + self.config.auxiliary_weight * sum(auxiliary)
            # Keras sums the gradients of all workers.
            share = total / self.strategy.num_replicas_in_sync
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(share, variables), variables)
        self._update_average()
        return tf.stack([total, main, *auxiliary])

    def _update_average(self) -> None:
        """An average over few steps at first, so that random weights are soon forgotten."""
        steps = tf.cast(self.optimizer.iterations.value, tf.float32)
        decay = tf.minimum(self.config.average_decay, (1.0 + steps) / (10.0 + steps))
        for average, variable in zip(self.average, self.averaged, strict=True):
            average.assign_add((1.0 - decay) * (variable.value - average))

    def _validate(self, images, masks):
        logits, *_ = self._logits(images, training=False)
        return self.loss(masks, logits), tf.argmax(logits, axis=-1)


def train(
    data: Path | list[Path], out: Path, config: TrainConfig, resume: bool = False, validation: Path | None = None,
    threads: int = 2, console: Console | None = None, tensorboard: bool = False, distributed: bool = False,
    enough: float | None = None,
) -> RunFolder | None:
    """Trains to the end of `config.epochs`, or until `config.patience` is over, from where the run folder stands.

    Args:
        data: dataset folder, or several, whose samples are put together in that order; which samples validate, see
            `loader.split_samples`.
        out: run folder, see `run_folder`; made if missing.
        resume: go on with the run that is there; without it a folder that holds one is refused.
        threads: that decode and augment.
        tensorboard: also write the history as TensorBoard's event files, see `segmentation.tensorboard_events`.
        distributed: this is one of the processes that TF_CONFIG names, which share each batch, see
            `segmentation.workers`; TensorFlow must not have computed anything before. Of them the first alone has the
            run folder; at the others the answer is None.
        enough: ends earlier, after the first epoch with a validation mean IoU of that or more.

    Raises:
        ConfigError: a configuration, folder, weights file or TF_CONFIG that does not fit.
        loader.DataError: data that cannot be trained on.
        TrainingError: a loss that is not finite; the run keeps its last finished epoch.
        workers.WorkerError: another of the processes is gone or has gone astray; the same is kept.
    """
    console = console or Console()
    with group_of(distributed, console) as group:
        if config.batch % group.size:
            raise ConfigError(f"batch {config.batch}: has no equal shares for {group.size} workers, give a multiple")
        training, held_out, how = loader.split_samples(data, validation)
        loss_named(config.loss)
        group.check_same(repr((config, [sample.name for sample in training])).encode(), "options or samples")
        record = Record(group, config, console, enough)
        details = _details(data, validation, training, held_out, config)
        if record.open(out, details, resume, tensorboard):
            return record.folder
        record.log(f"{len(training)} samples to train on, {len(held_out)} to validate with ({WHERE[how]}); decoding")
        train_pixels = loader.read_pixels(training, threads)
        held_out_pixels = loader.read_pixels(held_out if group.rank == 0 else [], threads)
        trainer = _trainer(config, train_pixels, record)
        with progress_bar(record.console) as progress:
            task = progress.add_task("training", total=trainer.total_steps, completed=trainer.steps_done, note="")
            for epoch in range(record.epochs_done, config.epochs):
                line = _train_epoch(trainer, train_pixels, epoch, threads, group, record.log, progress, task)
                if record.finish_epoch(trainer, line, held_out_pixels, threads):
                    break
        return record.folder


class Record:
    """What a training leaves on disk and says; of several workers the first alone, whose `folder` the others lack.

    All that it does is done at every worker, and raises workers.WorkerError at the others where the first fails.
    """

    def __init__(self, group: Group, config: TrainConfig, console: Console, enough: float | None = None):
        self.group, self.config, self.enough = group, config, enough
        self.console = console if group.rank == 0 else Console(quiet=True)
        self.folder = self.log_file = self.events = None
        self.epochs_done = 0

    def log(self, text: str, quiet: bool = False) -> None:
        """A line for the log."""
        if self.log_file:
            self.log_file(text, quiet)

    def open(self, out: Path, details: dict, resume: bool, tensorboard: bool) -> bool:
        """Opens the run folder. Returns whether there is nothing left to do."""
        def open_folder():
            self.folder = RunFolder(out, self.config, details, resume)
            self.events = EventFiles(self.folder.path, self.folder.history) if tensorboard else None
            self.log_file = Log(self.folder.path / LOG_FILE, self.console)
            if ending := _ending(self.folder, self.config, self.enough):
                self.console.print(f"{self.folder.path}: {ending}, there is nothing left to do")
            return -1 if ending else self.folder.epochs_done

        self.epochs_done = int(self.group.first_does(open_folder))
        return self.epochs_done < 0

    def go_on(self, trainer: Trainer) -> None:
        """Brings the trainer to where the run stands: all workers start from what the first has."""
        if self.epochs_done:
            self.group.first_does(lambda: trainer.restore(self.folder.read_state()))
            self.log(f"going on after epoch {self.epochs_done}")
        if self.group.size > 1:
            trainer.restore(self.group.from_first(trainer.state()))
            self.group.part_seeds(trainer.model)

    def finish_epoch(self, trainer: Trainer, line: dict, held_out_pixels: list, threads: int) -> bool:
        """Validates and keeps an epoch, when all workers have the same weights. Returns whether it was the last."""
        if self.group.size > 1:
            weights = [array.tobytes() for array in trainer.state().values() if array.dtype.kind == "f"]
            self.group.check_same(b"".join(weights), f"after epoch {line['epoch']} the weights")

        def keep():
            with trainer.averaged_weights():
                matrix, loss = trainer.validate(loader.validation_batches(held_out_pixels, self.config, threads))
            line["validation"] = {"loss": round(loss, 6), **metrics.summary(matrix)}
            self.folder.finish_epoch(line, trainer.save_averaged, trainer.state())
            self.log(_epoch_text(line, self.config.epochs))
            if self.events:
                self.events.add(line)
            if ending := _ending(self.folder, self.config, self.enough):
                self.log(f"{ending}: {self.folder.path}, best validation mean IoU {self.folder.best_score:.4f}")
            return bool(ending)

        return bool(self.group.first_does(keep))


def _trainer(config: TrainConfig, pixels: list, record: Record) -> Trainer:
    """The trainer of a new network, or of that of the run that goes on."""
    steps = loader.steps_per_epoch(len(pixels), config.batch)
    with record.group.strategy.scope():
        networks = build_networks(config, initial_weights=not record.epochs_done)
        if record.group.size > 1:
            share_batch_norm(networks.training)
        if not (config.init_weights or record.epochs_done):
            _set_prior(networks, pixels)
        trainer = Trainer(networks, config, config.epochs * steps)
    record.go_on(trainer)
    workers = f", shared by {record.group.size} workers" if record.group.size > 1 else ""
    record.log(f"{networks.training.count_params():,} parameters, {config.epochs} epochs of {steps} steps of "
               f"{config.batch}{workers}")
    return trainer


def _ending(folder: RunFolder, config: TrainConfig, enough: float | None) -> str:
    """Why training is over, in words; "" while it is not. Known from the history alone, so that a resumed run ends
    where one that was never stopped does."""
    if enough is not None and folder.best_score >= enough:
        return f"mean IoU {enough:g} is reached after epoch {folder.epochs_done} of {config.epochs}"
    if folder.epochs_done >= config.epochs:
        return f"all {config.epochs} epochs are done"
    if config.patience and folder.epochs_since_best >= config.patience:
        best = folder.epochs_done - folder.epochs_since_best
        return f"ended after epoch {folder.epochs_done} of {config.epochs}, none better than epoch {best}"
    return ""


def _train_epoch(
    trainer: Trainer, pixels: list, epoch: int, threads: int, group: Group, log, progress, task
) -> dict:
    """One epoch's steps. Returns the training part of its line in the history; images are those of all workers."""
    config = trainer.config
    losses, images, waited = [], 0, 0.0
    start = last_log = before = time.perf_counter()
    for batch in loader.training_batches(pixels, config, epoch, threads, group.rank, group.size):
        waited += time.perf_counter() - before
        rate = trainer.learning_rate
        losses.append(trainer.step(batch))
        images += len(batch.images) * group.size
        before = time.perf_counter()
        note = f"loss {np.mean(losses[-50:], 0)[0]:.4f}  {images / (before - start):.1f} images/s"
        progress.update(task, advance=1, note=f"epoch {epoch + 1}  {note}")
        if before - last_log > LOG_INTERVAL_S:
            last_log = before
            log(f"epoch {epoch + 1}, step {trainer.steps_done} of {trainer.total_steps}: {note}", quiet=True)
    seconds = time.perf_counter() - start
    means = dict(zip(("loss", "main_loss", "auxiliary_loss"), np.mean(losses, 0), strict=False))
    return {
        "epoch": epoch + 1, "steps": trainer.steps_done,
        **{name: round(float(value), 6) for name, value in means.items()},
        "learning_rate": rate, "seconds": round(seconds, 2),
        "images_per_second": round(images / seconds, 2), "waiting": round(waited / seconds, 4),
    }


def _set_prior(networks: Networks, pixels: list) -> None:
    """Classifiers start at the classes' shares: the first steps need not learn that most pixels are background."""
    counts = sum(np.bincount(one.mask.ravel(), minlength=256)[: metrics.CLASSES] for one in pixels)
    bias = np.log((counts + 1.0) / (counts.sum() + metrics.CLASSES))
    for layer in networks.training.layers:
        if layer.name in ("classifier", "auxiliary_classifier"):
            layer.bias.assign(bias)


def _details(data, validation: Path | None, training: list, held_out: list, config: TrainConfig) -> dict:
    """What config.json says beside the configuration."""
    return {
        "augmentation_values": asdict(loader.augmentation_of(config)),
        "data": {
            "folder": loader.folders_in_words(data), "validation": str(validation) if validation else None,
            "training_samples": len(training), "validation_samples": len(held_out),
        },
    }


def _epoch_text(line: dict, epochs: int) -> str:
    validation = line["validation"]
    ious = " ".join(f"{name} {_text(value)}" for name, value in validation["iou"].items())
    return (
        f"epoch {line['epoch']}/{epochs}: loss {line['loss']:.4f}, validation {validation['loss']:.4f}, "
        f"accuracy {_text(validation['pixel_accuracy'])}, IoU {_text(validation['mean_iou'])} ({ious}), "
        f"left/right confused {_text(validation['left_right_confusion'])}, {line['seconds']:.0f} s, "
        f"{line['images_per_second']:.1f} images/s, waiting {line['waiting']:.1%}"
    )


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
    )


class Log:
    """Lines with the time, appended to a file and, unless quiet, printed."""

    def __init__(self, file: Path, console: Console):
        self.file, self.console = file, console

    def __call__(self, text: str, quiet: bool = False) -> None:
        with self.file.open("a") as stream:
            stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        if not quiet:
            self.console.print(text, highlight=False)
