"""Command line of segmentation: `foliopie segmentation train` and `foliopie segmentation evaluate`."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import click

# Name of a model -> (architecture, backbone) of its configuration.
MODELS = {"pspnet-efficientnetb0": ("pspnet", "efficientnet_b0")}

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
@click.argument("data", type=FOLDER)
@click.option("--model", type=click.Choice(list(MODELS)), default="pspnet-efficientnetb0", help="Network to train.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Run folder.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, from its last finished epoch.")
@click.option("--validation", type=FOLDER, help="Dataset to validate with; else DATA's split, else its last tenth.")
@click.option("--epochs", type=int, default=20, help="Passes over the training samples.")
@click.option("--batch", type=int, default=8, help="Samples a step.")
@click.option("--size", type=SizeType(), default="240x240", help="Input height and width.")
@click.option("--fit", type=click.Choice(["letterbox", "stretch", "turn"]), default="letterbox",
              help="How a photo of another shape becomes the input.")
@click.option("--pools", type=PoolsType(), default="1,2,3,6", help="Bins a side of the pyramid's levels.")
@click.option("--cut", default="block6a_expand_activation",
              help="Encoder layer under the pyramid; block5c_add is lighter.")
@click.option("--pool-channels", type=int, default=0, help="Channels of a level; 0: feature channels / levels.")
@click.option("--head-channels", type=int, default=512, help="Channels of the convolution over the pyramid.")
@click.option("--skip", type=click.Choice(["0", "4", "8"]), default="0",
              help="Join features at 1/4 or 1/8 for sharper outlines; 0 is PSPNet as published.")
@click.option("--loss", default="categorical", help="categorical, weighted, dice, or a sum such as weighted+dice.")
@click.option("--optimizer", type=click.Choice(["adam", "sgd", "rmsprop"]), default="adam", help="Optimizer.")
@click.option("--lr", type=float, default=1e-3, help="Base learning rate of the poly schedule.")
@click.option("--seed", type=int, default=0, help="Of initial weights, order and augmentation.")
@click.option("--augment/--no-augment", default=True, help="Change training samples at random.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path),
              help="Run folder or .weights.h5 file to start from; its input size may differ.")
@click.option("--imagenet", is_flag=True, help="Start the encoder from ImageNet weights (Keras downloads them).")
@click.option("--encoder-weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Start the encoder from a keras.applications file without top.")
@click.option("--threads", type=int, default=0, help="CPU threads; 0: all cores.")
def train(data: Path, out: Path, resume: bool, validation: Path | None, threads: int, **options) -> None:
    """Train on the dataset folder DATA; a run folder holds configuration, history, weights and log."""
    if options["imagenet"] and options["encoder_weights"]:
        raise click.UsageError("--imagenet and --encoder-weights: give one of them")
    threads = _prepare_tensorflow(threads)
    from segmentation.train import train as run_training

    with _training_into(out):
        run_training(data, out, _config(options), resume, validation, threads)


@segmentation.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FOLDER)
@click.option("--split", type=click.Choice(["train", "validation", "test", "all"]),
              help="Which samples; else test, else validation, else all, whichever is there first.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Also write the result here.")
@click.option("--threads", type=int, default=0, help="CPU threads; 0: all cores.  [default: 0]")
def evaluate(run: Path, data: Path, split: str | None, json_file: Path | None, threads: int) -> None:
    """Print how good the network of the run folder RUN is on the dataset folder DATA, as JSON."""
    threads = _prepare_tensorflow(threads)
    from rich.console import Console
    from rich.progress import track

    from segmentation.config import ConfigError
    from segmentation.evaluate import evaluate as run_evaluation
    from segmentation.loader import DataError

    console = Console(stderr=True)
    try:
        result = run_evaluation(
            run, data, split, lambda parts: track(parts, "evaluating", console=console), threads
        )
    except (ConfigError, DataError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    text = json.dumps(result, indent=1)
    if json_file:
        json_file.write_text(text + "\n")
    click.echo(text)


def _config(options: dict):
    """The TrainConfig of the train command's options."""
    from segmentation.config import TrainConfig

    architecture, backbone = MODELS[options["model"]]
    height, width = options["size"]
    encoder_weights = "imagenet" if options["imagenet"] else options["encoder_weights"]
    return TrainConfig(
        architecture=architecture, backbone=backbone, height=height, width=width, fit=options["fit"],
        pools=options["pools"], cut=options["cut"], pool_channels=options["pool_channels"],
        head_channels=options["head_channels"], skip=int(options["skip"]), loss=options["loss"],
        optimizer=options["optimizer"], learning_rate=options["lr"], batch=options["batch"],
        epochs=options["epochs"], seed=options["seed"], augmentation="default" if options["augment"] else "none",
        init_weights=str(options["weights"]) if options["weights"] else None,
        encoder_weights=str(encoder_weights) if encoder_weights else None,
    )


@contextmanager
def _training_into(out: Path):
    """Within it what a training raises for its user becomes one line; at the end the run folder is named."""
    from segmentation.config import ConfigError
    from segmentation.loader import DataError
    from segmentation.train import TrainingError

    try:
        yield
    except (ConfigError, DataError, TrainingError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(str(error).splitlines()[0]) from error
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped; the same command with --resume goes on with {out}") from None
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


@segmentation.command("train-side", context_settings={"show_default": True})
@click.argument("data", type=FOLDER)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Run folder.")
@click.option("--validation", type=FOLDER, help="Dataset to validate with; else DATA's split, else its last tenth.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out, from its last finished epoch.")
@click.option("--epochs", type=int, default=30, help="Passes over the training feet.")
@click.option("--batch", type=int, default=32, help="Feet a step.")
@click.option("--lr", "learning_rate", type=float, default=2e-3, help="Base learning rate of the poly schedule.")
@click.option("--seed", type=int, default=0, help="Of initial weights, order and augmentation.")
@click.option("--threads", type=int, default=0, help="CPU threads; 0: all cores.")
def train_side(data: Path, out: Path, validation: Path | None, resume: bool, threads: int, **options) -> None:
    """Train the small network that tells a left foot from a right one, on the feet of the dataset folder DATA."""
    threads = _prepare_tensorflow(threads)
    from segmentation.side import SideConfig
    from segmentation.side import train_side as run_training

    with _training_into(out):
        run_training(data, out, SideConfig(**options), resume, validation, threads)
