"""Command line of segmentation: `foliopie segmentation train`, `evaluate`, `models` and `train-side`."""

import os
from contextlib import contextmanager
from pathlib import Path

import click

from segmentation.models.taps import MODELS

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class SizeType(click.ParamType):
    """"240x320" -> (240, 320): height, width."""

    name = "HxW"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        sides = str(value).lower().split("x")
        if len(sides) != 2 or not all(side.isdigit() for side in sides):
            self.fail(f"{value!r}: give height and width as in 240x240", param, ctx)
        return int(sides[0]), int(sides[1])


class PoolsType(click.ParamType):
    """"1,2,3,6" -> (1, 2, 3, 6)."""

    name = "N,N,..."

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if not all(part.isdigit() for part in parts):
            self.fail(f"{value!r}: give bins a side as in 1,2,3,6", param, ctx)
        return tuple(int(part) for part in parts)


@click.group()
def segmentation() -> None:
    """Train and evaluate the network that labels pixels."""


@segmentation.command(context_settings={"show_default": True})
@click.argument("data", type=FOLDER, nargs=-1, required=True)
@click.option("--model", type=click.Choice(list(MODELS)), default="pspnet-efficientnetb0",
              help="Network to train; `foliopie segmentation models` says what they are.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Run folder.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, from its last finished epoch.")
@click.option("--validation", type=FOLDER, help="Dataset to validate with; else DATA's split, else its last tenth.")
@click.option("--epochs", type=int, default=20, help="Passes over the training samples.")
@click.option("--batch", type=int, default=8, help="Samples a step.")
@click.option("--size", type=SizeType(), default="240x240", help="Input height and width.")
@click.option("--fit", type=click.Choice(["letterbox", "stretch", "turn"]), default="letterbox",
              help="How a photo of another shape becomes the input.")
@click.option("--normalisation", type=click.Choice(["imagenet", "mean", "unit"]), default="imagenet",
              help="Of the input, kept with the model: ImageNet's mean and standard deviation, its mean alone, 0 to 1.")
@click.option("--pools", type=PoolsType(), default="1,2,3,6", help="Bins a side of the pyramid's levels.")
@click.option("--cut", default="",
              help="Encoder layer under the pyramid, the widest at 1/16 if none is named; block5c_add of "
                   "efficientnetb0 is lighter.")
@click.option("--pool-channels", type=int, default=0, help="Channels of a level; 0: feature channels / levels.")
@click.option("--head-channels", type=int, default=512, help="Channels of the convolution over the pyramid.")
@click.option("--auxiliary-channels", type=int, default=128, help="Channels of a PSPNet's auxiliary branch.")
@click.option("--skip", type=click.Choice(["0", "4", "8"]), default="0",
              help="Join features at 1/4 or 1/8 for sharper outlines; 0 is PSPNet as published.")
@click.option("--frozen-blocks", type=click.IntRange(min=0), default=0,
              help="First blocks of the encoder that keep the weights they start with.")
@click.option("--loss", default="categorical",
              help="categorical, weighted, focal, dice, or a sum such as weighted+dice.")
@click.option("--optimizer", type=click.Choice(["adam", "sgd", "rmsprop"]), default="adam", help="Optimizer.")
@click.option("--lr", type=float, default=1e-3, help="Base learning rate of the schedule.")
@click.option("--schedule", type=click.Choice(["poly", "constant"]), default="poly", help="Of the learning rate.")
@click.option("--patience", type=click.IntRange(min=0), default=0,
              help="End after so many epochs without a better validation; 0: never.")
@click.option("--average-decay", type=click.FloatRange(0, 1, max_open=True), default=0.99,
              help="Of the moving average of the weights, which is what is validated and kept.")
@click.option("--seed", type=int, default=0, help="Of initial weights, order and augmentation.")
@click.option("--augment/--no-augment", default=True, help="Change training samples at random.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path),
              help="Run folder or .weights.h5 file to start from; its input size may differ.")
@click.option("--imagenet", is_flag=True, help="Start the encoder from ImageNet weights (Keras downloads them).")
@click.option("--encoder-weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Start the encoder from a keras.applications file without top; fast-pspnet from a .params file of "
                   "GluonCV's resnet18_v1b or of a corner network on it.")
@click.option("--distributed", is_flag=True,
              help="Share each batch among the processes that TF_CONFIG names, of which this is one.")
@click.option("--tensorboard", is_flag=True, help="Also write the history as TensorBoard's event files.")
@click.option("--threads", type=int, default=0, help="CPU threads; 0: all cores.")
def train(
    data: tuple[Path, ...], out: Path, resume: bool, validation: Path | None, tensorboard: bool, distributed: bool,
    threads: int, **options,
) -> None:
    """Train on the dataset folder DATA, or on several together.

    A run folder holds configuration, history, weights and log.
    """
    if options["imagenet"] and options["encoder_weights"]:
        raise click.UsageError("--imagenet and --encoder-weights: give one of them")
    threads = _prepare_tensorflow(threads)
    from segmentation.train import train as run_training

    with _training_into(out):
        run_training(list(data), out, _config(options), resume, validation, threads, tensorboard=tensorboard,
                     distributed=distributed)


@segmentation.command(context_settings={"show_default": True})
@click.argument("run", type=FOLDER)
@click.argument("data", type=FOLDER)
@click.option("--split", type=click.Choice(["train", "validation", "test", "all"]),
              help="Which samples; else test, else validation, else all, whichever is there first.")
@click.option("--photos", is_flag=True,
              help="DATA is a folder of photos with annotated corners and no masks: annotations.json with COCO "
                   "keypoints, and the files beside it.")
@click.option("--conditions", "with_conditions", is_flag=True,
              help="Also with the photos darker and lighter, flatter, smeared, coarser and turned, step by step.")
@click.option("--failures", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Draw the worst samples into this new folder, with a contact sheet; with --photos every one.")
@click.option("--worst", type=click.IntRange(min=1), default=24, help="How many samples are named, and drawn.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write the result here.")
@click.option("--threads", type=int, default=0, help="CPU threads; 0: all cores.")
def evaluate(
    run: Path, data: Path, failures: Path | None, worst: int, json_file: Path | None, threads: int, **options
) -> None:
    """Tell how good the network of the run folder RUN is on DATA, a dataset folder or one of annotated photos.

    Prints tables and writes evaluation-DATA.json (of a split evaluation-DATA-SPLIT.json) into the run, in place of an
    earlier one. The run keeps what it predicted: asked again, it answers from there.
    """
    threads = _prepare_tensorflow(threads)
    from scenes.files import write_whole
    from scenes.gallery import check_folder
    from scenes.progress import progress_bars
    from segmentation.config import ConfigError
    from segmentation.evaluate import judge
    from segmentation.failures import write_failures
    from segmentation.loader import DataError
    from segmentation.tables import print_evaluation

    written = []
    try:
        if failures:
            check_folder(failures)
        with progress_bars() as progress:
            judgement = judge(run, data, worst=worst, threads=threads, progress=progress, **options)
            written.append(judgement.path)
            if json_file:
                write_whole(json_file, judgement.path.read_bytes())
                written.append(json_file)
            if failures:
                count = len(judgement.subject.samples) if options["photos"] else worst
                tick = progress("drawing", min(count, len(judgement.subject.samples)))
                written.append(write_failures(failures, judgement, count, tick)[-1])
    except (ConfigError, DataError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    print_evaluation(judgement.result)
    for path in written:
        click.echo(f"written: {path}")


@segmentation.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
def models(names: tuple[str, ...]) -> None:
    """Print what the networks are, or those of the given NAMEs: parameters, features, and sizes that fit.

    Each is built for it, which takes seconds.
    """
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise click.UsageError(f"no network called {unknown[0]!r}; there are {', '.join(MODELS)}")
    _prepare_tensorflow(0)
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from segmentation.model_table import model_rows

    progress = Console(stderr=True)
    rows = model_rows(list(names or MODELS), lambda parts: track(parts, "building", console=progress))
    table = Table("name", caption="Parameters with the auxiliary branch. In the thesis's form: --pool-channels 512 "
                                  "--auxiliary-channels 512. Sizes: a side, with pools 1,2,3,6.")
    for heading in ("parameters", "in the thesis's form", "printed there", "features of 473", "sizes that fit"):
        table.add_column(heading, justify="right")
    for row in rows:
        if row.multiple > 1:
            sizes = f"multiples of {row.multiple} from {row.smallest}"
        else:
            sizes = f"{row.smallest} and more, best multiples of {row.stride}"
        table.add_row(
            row.name, f"{row.parameters / 1e6:.2f} M", f"{row.thesis_form / 1e6:.2f} M" if row.thesis_form else "",
            row.printed, f"{row.features}x{row.features}" if row.features else "does not fit", sizes,
        )
    Console().print(table)


def _config(options: dict):
    """The TrainConfig of the train command's options."""
    from segmentation.config import NORMALISATIONS, TrainConfig

    mean, std = NORMALISATIONS[options["normalisation"]]
    architecture, backbone = MODELS[options["model"]]
    height, width = options["size"]
    encoder_weights = "imagenet" if options["imagenet"] else options["encoder_weights"]
    return TrainConfig(
        architecture=architecture, backbone=backbone, height=height, width=width, fit=options["fit"],
        mean=mean, std=std, pools=options["pools"], cut=options["cut"], pool_channels=options["pool_channels"],
        head_channels=options["head_channels"], auxiliary_channels=options["auxiliary_channels"],
        skip=int(options["skip"]), frozen_blocks=options["frozen_blocks"], loss=options["loss"],
        optimizer=options["optimizer"], learning_rate=options["lr"], schedule=options["schedule"],
        average_decay=options["average_decay"], batch=options["batch"], epochs=options["epochs"],
        patience=options["patience"], seed=options["seed"],
        augmentation="default" if options["augment"] else "none",
        init_weights=str(options["weights"]) if options["weights"] else None,
        encoder_weights=str(encoder_weights) if encoder_weights else None,
    )


@contextmanager
def _training_into(out: Path):
    """Within it what a training raises for its user becomes one line; at the end the run folder is named."""
    from segmentation.config import ConfigError
    from segmentation.loader import DataError
    from segmentation.train import TrainingError
    from segmentation.workers import WorkerError

    try:
        yield
    except (ConfigError, DataError, TrainingError, WorkerError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(str(error).splitlines()[0]) from error
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped; the same command with --resume goes on with {out}") from None
    if out.is_dir():  # of several workers the first alone has it
        click.echo(f"run folder: {out}")


def _prepare_tensorflow(threads: int) -> int:
    """Sets what TensorFlow reads when it is imported or first used. Returns the number of threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    threads = threads or os.cpu_count() or 1
    import cv2
    import tensorflow as tf

    cv2.setNumThreads(1)  # augmentation runs in threads of its own
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return threads


@segmentation.command(context_settings={"show_default": True})
@click.argument("run", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--weights", type=click.Choice(["best", "last"]), default="best",
              help="Which weights of the run; they become the best of the new one.")
def release(run: Path, out: Path, weights: str) -> None:
    """Write the weights of RUN, of `train` or `train-side`, in half precision (FP16) into the new folder OUT.

    OUT is a run of its own, to be handed on: configuration and weights, without a history and nothing to go on from.
    Says how far its answers are from those of RUN.
    """
    _prepare_tensorflow(0)
    from segmentation.config import ConfigError
    from segmentation.release import release as release_run

    try:
        report = release_run(run, out, weights)
    except (ConfigError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(report)
    click.echo(f"run folder: {out}")


@segmentation.command("train-side", context_settings={"show_default": True})
@click.argument("data", type=FOLDER, nargs=-1, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Run folder.")
@click.option("--validation", type=FOLDER, help="Dataset to validate with; else DATA's split, else its last tenth.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, from its last finished epoch.")
@click.option("--epochs", type=int, default=30, help="Passes over the training feet.")
@click.option("--batch", type=int, default=32, help="Feet a step.")
@click.option("--lr", "learning_rate", type=float, default=2e-3, help="Base learning rate of the poly schedule.")
@click.option("--seed", type=int, default=0, help="Of initial weights, order and augmentation.")
@click.option("--threads", type=int, default=0, help="CPU threads; 0: all cores.")
def train_side(
    data: tuple[Path, ...], out: Path, validation: Path | None, resume: bool, threads: int, **options
) -> None:
    """Train the small network that tells a left foot from a right one, on the feet of the dataset folder DATA, or of
    several together."""
    threads = _prepare_tensorflow(threads)
    from segmentation.side import SideConfig
    from segmentation.side import train_side as run_training

    with _training_into(out):
        run_training(list(data), out, SideConfig(**options), resume, validation, threads)
