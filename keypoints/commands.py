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
        from scenes.processes import cores

        os.environ.setdefault("OMP_NUM_THREADS", str(cores()))


def _faults():
    """Errors whose message is for the user."""
    from keypoints.models.weights import WeightsError
    from keypoints.run import RunError
    from scenes.images import PhotoError

    return RunError, WeightsError, PhotoError, ValueError, OSError


@click.group()
def keypoints():
    """Train and evaluate the network for the sheet's corners."""


FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
WEIGHTS = click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Which weights of the run.",
)
THREADS = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads of MXNet; all cores unless OMP_NUM_THREADS says otherwise.",
)


@keypoints.command()
@click.argument("data", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--model",
    type=click.Choice(
        ["simple_pose_resnet18_v1b", "simple_pose_resnet50_v1b", "hourglass", "pyramid_resnet18_v1b",
         "regression_resnet18_v1b"]
    ),
    default="simple_pose_resnet18_v1b",
    show_default=True,
    help="GluonCV's SimplePose with ResNet 18 or 50; a stacked hourglass; a feature pyramid; or coordinates without "
    "heatmaps.",
)
@click.option(
    "--joints", type=int, default=4, show_default=True, help="Keypoints of a sample; 4 are the corners of a sheet."
)
@click.option(
    "--maps",
    type=click.Choice(["each", "shared", "sheet"]),
    default="each",
    show_default=True,
    help="A heatmap for each corner; three for all that are seen, covered and outside the photo; or these and one of "
    "where the sheet is.",
)
@click.option(
    "--input",
    type=click.Choice(["rgb", "mask"]),
    default="rgb",
    show_default=True,
    help="What the network sees: the photo, or the four classes of its mask.",
)
@click.option("--stacks", type=int, default=2, show_default=True, help="Of the hourglass.")
@click.option("--filters", type=int, default=128, show_default=True, help="Of the hourglass.")
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
    "--size",
    type=InputSize(),
    default="256x192",
    show_default=True,
    help="Network input, multiples of 32; of 16 for the hourglass.",
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
    "--warmup", type=float, default=0.03, show_default=True, help="Share of all steps in which the rate rises to --lr."
)
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "step", "poly", "plateau"]),
    default="cosine",
    show_default=True,
    help="How the learning rate falls; plateau: when the validation gets no better.",
)
@click.option("--plateau-factor", type=float, default=0.5, show_default=True, help="What plateau multiplies it by.")
@click.option(
    "--plateau-patience", type=int, default=3, show_default=True, help="After so many epochs without a better one."
)
@click.option(
    "--optimizer",
    type=click.Choice(["adam", "sgd"]),
    default="adam",
    show_default=True,
    help="sgd: with Nesterov's momentum, 0.9.",
)
@click.option("--weight-decay", type=float, default=0.0, show_default=True, help="L2 on the weights.")
@click.option(
    "--clip-norm", type=float, default=0.0, show_default=True, help="Largest norm of all gradients together; 0: any."
)
@click.option(
    "--early-stopping",
    type=int,
    default=0,
    show_default=True,
    help="End after so many epochs without a better validation; 0: never.",
)
@click.option(
    "--average-decay",
    type=float,
    default=0.999,
    show_default=True,
    help="Of the moving average of the weights, which is what is kept.",
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
    "--loss",
    type=click.Choice(["l2", "focal", "ohkm", "slope", "visibility_l2"]),
    default="l2",
    show_default=True,
    help="Squared error; with less weight on small errors; of the hardest keypoints alone; with the slopes of opposite "
    "edges; with more weight on covered keypoints.",
)
@click.option(
    "--peak-weight", type=float, default=2.0, show_default=True, help="Extra weight of a peak in the loss."
)
@click.option(
    "--focal-threshold", type=float, default=0.1, show_default=True, help="Error from which focal takes it for large."
)
@click.option("--focal-low", type=float, default=0.1, show_default=True, help="Weight of errors below.")
@click.option("--focal-high", type=float, default=1.0, show_default=True, help="Weight of errors above.")
@click.option("--ohkm-hardest", type=int, default=3, show_default=True, help="How many keypoints ohkm learns from.")
@click.option("--slope-weight", type=float, default=0.1, show_default=True, help="Weight of slope's own part.")
@click.option(
    "--covered-weight", type=float, default=2.0, show_default=True, help="Weight of covered keypoints in visibility_l2."
)
@click.option(
    "--interior-weight", type=float, default=1.0, show_default=True, help="Weight of that last map of --maps sheet."
)
@click.option(
    "--augment/--no-augment", default=True, show_default=True, help="Change the training photos at random."
)
@click.option(
    "--weights", metavar="FILE", help="Start from these parameters (best.params of a run, of any input size)."
)
@click.option("--pretrained", is_flag=True, help="Start from GluonCV's weights (downloads them).")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random."
)
@THREADS
@click.option(
    "--kvstore",
    type=click.Choice(["dist_sync"]),
    help="Share each batch among the workers that MXNet's launcher has started this command in.",
)
@click.pass_context
def train(ctx, data, out, resume, validation, stop_after, threads, kvstore, **settings):
    """Train on the dataset folder DATA, or on several together.

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
        if resume and (out / CONFIG).exists():
            settings = read_config(out)[0].to_json() | _typed(settings, ctx)
    except faults as fault:
        raise click.ClickException(str(fault)) from fault
    try:
        config = TrainConfig(**settings)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault
    try:
        train_run(data, out, config, validation, resume, stop_after, kvstore)
    except KeyboardInterrupt as stop:
        raise click.exceptions.Exit(1) from stop
    except faults as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"run: {out}")


def _typed(settings, ctx):
    """The settings that were typed on the command line.

    On a run that goes on they must agree with the stored ones; that they do is checked where its folder is opened.
    """
    return {
        name: value
        for name, value in settings.items()
        if ctx.get_parameter_source("size" if name in ("height", "width") else name)
        is click.core.ParameterSource.COMMANDLINE
    }


@keypoints.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FOLDER)
@click.option(
    "--split", type=click.Choice(["train", "validation", "test"]), help="Only these samples; all by default."
)
@click.option(
    "--photos",
    is_flag=True,
    help="DATA is a folder of annotated photos: annotations.json with COCO keypoints, and the files beside it.",
)
@WEIGHTS
@click.option(
    "--decode",
    type=click.Choice(["argmax", "quarter", "dark"]),
    default="dark",
    show_default=True,
    help="How a peak's place is told within a pixel of the heatmap.",
)
@click.option(
    "--conditions",
    is_flag=True,
    help="Also with the photos darker and lighter, flatter, smeared, coarser and turned, step by step.",
)
@click.option(
    "--calibration/--no-calibration",
    "calibrated",
    default=True,
    show_default=True,
    help="Also what the run's calibration.json makes of scores and visibility, where it is of these weights.",
)
@click.option(
    "--failures",
    type=NEW_FOLDER,
    metavar="DIR",
    help="Draw the worst samples into this new folder, with a contact sheet.",
)
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="How many samples are named, and drawn.",
)
@click.option(
    "--figures",
    type=NEW_FOLDER,
    metavar="DIR",
    help="Plot PCK, reliability and error against turn into this folder.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the result here.",
)
@THREADS
def evaluate(run, data, weights, failures, worst, figures, json_file, threads, **options):
    """Measure how far the run folder RUN is off on DATA, a dataset folder or one of annotated photos.

    Prints the errors and writes evaluation-DATA.json (with --split evaluation-DATA-SPLIT.json) into the run, in place
    of an earlier one. The run keeps what it predicted: asked again, it answers from there.
    """
    _set_threads(threads)
    if figures:
        import importlib

        importlib.import_module("matplotlib")  # told before any work, where it is missing
    from keypoints.evaluate import judge
    from keypoints.failures import write_failures
    from keypoints.tables import print_evaluation
    from scenes.files import write_whole
    from scenes.gallery import check_folder
    from scenes.progress import progress_bars

    faults = _faults()
    options["with_conditions"], options["method"] = options.pop("conditions"), options.pop("decode")
    written = []
    try:
        if failures:
            check_folder(failures)
        with progress_bars() as progress:
            judgement = judge(run, data, weights=weights, worst=worst, progress=progress, **options)
            written.append(judgement.path)
            if json_file:
                write_whole(json_file, judgement.path.read_bytes())
                written.append(json_file)
            if failures:
                tick = progress("drawing failures", min(worst, len(judgement.subject.samples)))
                written += write_failures(failures, judgement.subject, judgement.findings, worst, tick)[-1:]
            if figures:
                from keypoints.curves import write_curves

                written += write_curves(figures, judgement)
    except faults as fault:
        raise click.ClickException(str(fault)) from fault
    print_evaluation(judgement.result)
    for path in written:
        click.echo(f"written: {path}")


@keypoints.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FOLDER)
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "all"]),
    default="validation",
    show_default=True,
    help="The samples to fit to; none that RUN was trained on.",
)
@WEIGHTS
@THREADS
def calibrate(run, data, split, weights, threads):
    """Make the scores and visibilities of the run folder RUN mean what they say, on the dataset folder DATA.

    Writes calibration.json into the run, which `evaluate` and `foliopie deploy export` use from then on, and prints
    what it is worth: before, after on the samples that it was fitted to, and after in cross-validation, where every
    sample is told by a calibration fitted without it.
    """
    _set_threads(threads)
    import importlib

    importlib.import_module("sklearn")  # told before any work, where it is missing
    from keypoints.calibrate import calibrate as calibrate_run
    from keypoints.tables import print_calibration
    from scenes.progress import progress_bars

    try:
        with progress_bars() as progress:
            kept, path = calibrate_run(run, data, None if split == "all" else split, weights, progress=progress)
    except _faults() as fault:
        raise click.ClickException(str(fault)) from fault
    print_calibration(kept)
    click.echo(f"written: {path}")


@keypoints.command()
@click.argument("run", type=FOLDER)
@click.argument("out", type=NEW_FOLDER)
@click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Which weights of the run; they become the best of the new one.",
)
@THREADS
def release(run, out, weights, threads):
    """Write the weights of the run folder RUN in half precision (FP16) into the new folder OUT, to be handed on.

    OUT is a run of its own, without a history and nothing to go on from: configuration, weights, and the calibration
    where RUN has one. Says how far its answers are from those of RUN.
    """
    _set_threads(threads)
    from keypoints.release import release as release_run

    try:
        report = release_run(run, out, weights)
    except _faults() as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(report)
    click.echo(f"run: {out}")


@keypoints.command()
@click.argument("runs", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Also draw the learning curve.",
)
def history(runs, figure):
    """Print how the run folders RUNS learnt, epoch by epoch; give several in order where each went on from the last.

    Errors in pixels are of the validation photos, whatever size the network's input has.
    """
    if figure:
        import importlib

        importlib.import_module("matplotlib")  # told before any work, where it is missing
    from keypoints.learning import learning_figure, read_learning
    from keypoints.run import RunError
    from keypoints.tables import print_learning

    try:
        lines = read_learning(runs)
        print_learning(lines)
        if figure:
            from scenes.preparation.figures import save_figure

            save_figure(learning_figure(lines), figure)
            click.echo(f"written: {figure}")
    except (RunError, OSError) as fault:
        raise click.ClickException(str(fault)) from fault


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
            image, corners, visibility, target(corners, visibility, config), samples[0].name, config.sigma_px
        )
        save_figure(figure, out)
    except (PhotoError, ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"written: {out}")
