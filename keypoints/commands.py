"""The command line of keypoints. MXNet is imported inside the commands, after its number of threads is
set."""

import os
from pathlib import Path

import click


class InputSize(click.ParamType):
    """HEIGHTxWIDTH, as in 256x192, to (256, 192)."""

    name = "HxW"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            height, width = (int(side) for side in value.lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is no size; give HEIGHTxWIDTH, as in 256x192", param, ctx)
        return height, width


def _set_threads(threads):
    """MXNet reads the number once, when it is imported; left alone it uses one thread."""
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))


def _faults():
    """Errors whose message is for the user."""
    from keypoints.models.simple_pose import WeightsError
    from keypoints.run import RunError
    from scenes.images import PhotoError

    return RunError, WeightsError, PhotoError, ValueError, OSError


@click.group()
def keypoints():
    """Train and evaluate the network for the sheet's corners."""


FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@keypoints.command()
@click.argument("data", type=FOLDER)
@click.option(
    "--model",
    default="simple_pose_resnet18_v1b",
    show_default=True,
    help="GluonCV's name: SimplePose with ResNet 18 or 50.",
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the run."
)
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --out; its settings need not be given again."
)
@click.option(
    "--validation",
    type=FOLDER,
    help='Dataset to validate on when DATA has no split "validation". '
    "Without either, the last tenth of DATA is held out.",
)
@click.option(
    "--size", type=InputSize(), default="256x192", show_default=True, help="Network input, multiples of 32."
)
@click.option(
    "--fit",
    type=click.Choice(["letterbox", "stretch", "turn"]),
    default="letterbox",
    show_default=True,
    help="How a photo of another shape enters the network.",
)
@click.option("--epochs", type=int, default=20, show_default=True, help="Passes over the samples.")
@click.option(
    "--stop-after",
    type=click.IntRange(min=1),
    metavar="N",
    help="End after N epochs of this call, with the schedule of --epochs; go on with --resume.",
)
@click.option("--batch", type=int, default=16, show_default=True, help="Images a step.")
@click.option(
    "--lr", "learning_rate", type=float, default=1e-3, show_default=True, help="Learning rate after warm-up."
)
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "step"]),
    default="cosine",
    show_default=True,
    help="How the learning rate falls.",
)
@click.option(
    "--sigma",
    "sigma_px",
    type=float,
    default=2.0,
    show_default=True,
    help="Width of the target peaks, in heatmap pixels.",
)
@click.option(
    "--peak-weight", type=float, default=2.0, show_default=True, help="Extra weight of a peak in the loss."
)
@click.option(
    "--augment/--no-augment", default=True, show_default=True, help="Change the training photos at random."
)
@click.option(
    "--weights", metavar="FILE", help="Start from these parameters (best.params of a run, of any input size)."
)
@click.option("--pretrained", is_flag=True, help="Start from GluonCV's COCO weights (downloads them).")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads of MXNet; all cores unless OMP_NUM_THREADS says otherwise.",
)
@click.pass_context
def train(ctx, data, out, resume, validation, stop_after, threads, **settings):
    """Train on the dataset folder DATA.

    The run folder gets its configuration, one history line an epoch, the best and last weights, and what it
    needs to go on after an interruption at any moment.
    """
    _set_threads(threads)
    from keypoints.config import TrainConfig
    from keypoints.run import CONFIG, read_config
    from keypoints.train import train as train_run

    faults = _faults()
    settings["height"], settings["width"] = settings.pop("size")
    if settings["weights"] and not Path(settings["weights"]).is_file():
        raise click.UsageError(f"--weights {settings['weights']}: there is no such file")
    try:
        config = TrainConfig(**settings)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault
    try:
        if resume and (out / CONFIG).exists():
            config = _resumed(read_config(out)[0], config, ctx)
        train_run(data, out, config, validation, resume, stop_after)
    except KeyboardInterrupt as stop:
        raise click.exceptions.Exit(1) from stop
    except faults as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"run: {out}")


def _resumed(stored, given, ctx):
    """The stored configuration, with the settings that were typed on the command line in place of the stored
    ones.

    Those must agree with the stored ones; that they do is checked where the run folder is opened.
    """
    from dataclasses import replace

    names = {
        name
        for name in stored.to_json()
        if ctx.get_parameter_source("size" if name in ("height", "width") else name)
        is click.core.ParameterSource.COMMANDLINE
    }
    return replace(stored, **{name: getattr(given, name) for name in names})


@keypoints.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FOLDER)
@click.option(
    "--split", type=click.Choice(["train", "validation", "test"]), help="Only these samples; all by default."
)
@click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Which weights of the run.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads of MXNet; all cores unless OMP_NUM_THREADS says otherwise.",
)
def evaluate(run, data, split, weights, threads):
    """Measure the corner errors of the run folder RUN on the dataset folder DATA.

    Prints them and writes evaluation-DATA.json into the run.
    """
    _set_threads(threads)
    from keypoints.evaluate import evaluate as evaluate_run

    faults = _faults()
    try:
        result, path = evaluate_run(run, data, split, weights)
    except faults as fault:
        raise click.ClickException(str(fault)) from fault
    _print_errors(result)
    click.echo(f"written: {path}")


@keypoints.command()
@click.argument("data", type=FOLDER)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="The picture to write.",
)
@click.option("--name", metavar="SAMPLE", help="Name of the sample, without ending; the first one by default.")
@click.option(
    "--sigma",
    "sigma_px",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Width of the peaks, in heatmap pixels.",
)
def heatmaps(data, out, name, sigma_px):
    """Draw the four target heatmaps of a sample of the dataset folder DATA over its photo (figure 27)."""
    import importlib

    importlib.import_module("matplotlib")  # told before any work, where it is missing
    from keypoints.config import TrainConfig
    from keypoints.figures import heatmap_figure
    from keypoints.loader import HELD_SIZE, load_examples, plain_sample, target
    from scenes.dataset import read_dataset
    from scenes.images import PhotoError
    from scenes.preparation.figures import save_figure

    try:
        config = TrainConfig(sigma_px=sigma_px)
        samples = [sample for sample in read_dataset(data) if name in (None, sample.name)][:1]
        if not samples:
            raise ValueError(f"{data} has no sample {'at all' if name is None else f'named {name!r}'}")
        examples = load_examples(samples, HELD_SIZE * max(config.height, config.width))
        image, corners, visibility = plain_sample(examples[0], config)
        figure = heatmap_figure(
            image, corners, visibility, target(corners, config), samples[0].name, config.sigma_px
        )
        save_figure(figure, out)
    except (PhotoError, ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"written: {out}")


def _print_errors(result):
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"corner errors, {result['samples']} samples")
    for heading in (
        "matched",
        "corners",
        "n",
        "median px",
        "mean px",
        "p95 px",
        "median %",
        "mean %",
        "p95 %",
    ):
        table.add_column(heading, justify="left" if heading in ("matched", "corners") else "right")
    for matched, units in result["corners"].items():
        for which in ("visible", "covered", "all"):
            figures = [
                units[unit][which][figure]
                for unit in ("px", "percent")
                for figure in ("median", "mean", "p95")
            ]
            table.add_row(
                matched,
                which,
                str(units["px"][which]["count"]),
                *("-" if value is None else f"{value:.2f}" for value in figures),
            )
    console = Console()
    console.print(table)
    for name in ("heatmap_accuracy", "published_heatmap_accuracy"):
        value = result[name]
        console.print(f"{name.replace('_', ' ')}: {'-' if value is None else format(value, '.4f')}")
