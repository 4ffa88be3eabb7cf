"""`foliopie deploy`: export trained networks as a bundle; quantize, verify, benchmark and serve a bundle."""
import os
from collections import Counter
from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
THERE = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
EXPORTED = click.Choice(["fp32", "fp16"])  # int8 is made of these, by quantize
PRECISION = click.Choice(["fp32", "fp16", "int8"])


@click.group()
def deploy():
    """Convert trained networks into a bundle; quantize, verify, benchmark and serve a bundle."""


@deploy.command()
@click.option("--keypoints", "keypoints_run", type=FOLDER, help="Run of `foliopie keypoints train`.")
@click.option("--segmentation", "segmentation_run", type=FOLDER, help="Run of `foliopie segmentation train`.")
@click.option("--side", "side_run", type=FOLDER,
              help="Run of `foliopie segmentation train-side`; without it the pixels' network and the shape of the "
                   "foot decide the side.")
@click.option("--rest", type=FOLDER, help="Bundle to take the networks from that no run is given of, as they are.")
@click.option("--out", required=True, type=FOLDER, help="Folder of the bundle to be made.")
@click.option("--precision", "precisions", multiple=True, type=EXPORTED, default=["fp16"], show_default=True,
              help="May be given more than once; the first is the one that is measured with.")
@click.option("--images", type=FOLDER, help="Dataset or folder of photos for the golden data; drawn ones without it.")
@click.option("--onnx", "onnx_folder", type=FOLDER, help="Keep the ONNX files here.")
@click.option("--notes", type=FILE,
              help="Markdown file that goes into the model card.")
@click.option("--replace", is_flag=True, help="Replace the bundle that is at --out.")
def export(keypoints_run, segmentation_run, side_run, rest, out, precisions, images, onnx_folder, notes, replace):
    """Convert training runs into one bundle and show that it answers as they do.

    Nothing is written to --out when it does not.
    """
    if keypoints_run is None and segmentation_run is None and side_run is None:
        raise click.UsageError("there is nothing to convert: give --keypoints, --segmentation or --side")
    from scenes.processes import cores

    # Before the frameworks are loaded, which read these once: MXNet runs on one thread unless told, TensorFlow talks.
    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from deploy.bundle import BundleError
    from deploy.convert import ConversionError
    from deploy.export import ExportError, export_bundle
    try:
        report = export_bundle(keypoints_run, segmentation_run, out, tuple(dict.fromkeys(precisions)), images,
                               onnx_folder, notes.read_text(encoding="utf-8") if notes else "", replace,
                               lambda line: click.echo(line, err=True), side_run, rest)
    except ExportError as error:
        if error.report is not None:
            _print_report(error.report)
        raise click.ClickException(str(error)) from error
    except (BundleError, ConversionError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    _print_report(report)
    click.echo(f"bundle: {out}")


def _networks(_context, option, text):
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    known = ("keypoints", "segmentation", "side")
    if not set(names) <= set(known):
        raise click.BadParameter(f"{text!r} must be names out of {', '.join(known)}, with commas between", param=option)
    return names


@deploy.command()
@click.argument("bundle", type=FOLDER)
@click.option("--images", required=True, type=FOLDER, help="Dataset, or folder of photos like those to be measured.")
@click.option("--out", required=True, type=FOLDER, help="Folder of the bundle to be made.")
@click.option("--count", type=click.IntRange(min=10), default=100, show_default=True,
              help="Images to look at, at most.")
@click.option("--networks", default="keypoints,segmentation", show_default=True, callback=_networks,
              help="Which to quantize; side, which needs a dataset with masks, gains next to nothing.")
@click.option("--only", is_flag=True, help="Leave the other precisions of these networks out of the new bundle.")
@click.option("--max-px-loss", type=click.FloatRange(min=0), metavar="PX",
              help="Most that the corners' mean error may grow by, pixels of their network's input, on the validation "
                   "photos of --images; layers are kept in floats until it holds.")
@click.option("--max-iou-loss", type=click.FloatRange(min=0), metavar="POINTS",
              help="Most that the mean IoU of the pixels may fall by, points of 100, likewise.")
@click.option("--replace", is_flag=True, help="Replace the bundle that is at --out.")
def quantize(bundle, images, out, count, networks, only, max_px_loss, max_iou_loss, replace):
    """Add INT8 variants of its networks to a copy of a BUNDLE, which then measures with them.

    What layers range over is seen on --images; golden data stay, and INT8 is held against them. Nothing is written to
    --out when an output differs by more than its limit.
    """
    limits = {"keypoints": ("--max-px-loss", max_px_loss), "segmentation": ("--max-iou-loss", max_iou_loss)}
    limits = {model: limit for model, limit in limits.items() if limit[1] is not None}
    for model, (option, _) in limits.items():
        if model not in networks:
            raise click.UsageError(f"{option} is about {model}, which --networks leaves out: name it there, or leave "
                                   f"{option} out")
    from deploy.bundle import BundleError
    from deploy.quantize import QuantizeError, quantize_bundle
    from scenes.images import PhotoError
    try:
        report = quantize_bundle(bundle, images, out, networks, count, replace, lambda line: click.echo(line, err=True),
                                 only, {model: limit for model, (_, limit) in limits.items()})
    except QuantizeError as error:
        if error.report is not None:
            _print_report(error.report)
        raise click.ClickException(str(error)) from error
    except (BundleError, PhotoError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    _print_report(report)
    click.echo(f"bundle: {out}")


@deploy.command()
@click.argument("bundle", type=FOLDER)
@click.option("--precision", type=PRECISION, help="Verify this one only.")
def verify(bundle, precision):
    """Hold the networks of a BUNDLE against its golden data, with OpenVINO alone.

    Exit status 1 when a file is missing or changed, or an output differs by more than its limit.
    """
    from deploy.bundle import Bundle, BundleError
    from deploy.parity import verify as verify_bundle
    try:
        report = verify_bundle(Bundle.load(bundle), precision)
    except BundleError as error:
        raise click.ClickException(str(error)) from error
    _print_report(report)
    if not report.passed:
        raise click.ClickException(f"{bundle}: {len(report.failures)} of {len(report.rows)} comparisons failed: "
                                   "do not use it, export or copy it again")


@deploy.command()
@click.argument("bundle", type=FOLDER)
@click.option("--out", required=True, type=FOLDER, help="Folder to be made.")
@click.option("--mount", default="/models", show_default=True, metavar="PATH",
              help="Absolute path of that folder where the server runs.")
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True,
              help="How many images each request holds.")
@click.option("--precision", type=PRECISION, help="Of all networks, in place of the one that each is measured with.")
def serving(bundle, out, mount, batch, precision):
    """Lay out the networks of a BUNDLE for OpenVINO Model Server: models/1/*.xml and config.json.

    deploy/serving_client.py is an example of a client.
    """
    from deploy.bundle import Bundle, BundleError
    from deploy.serving import write_serving
    try:
        config = write_serving(Bundle.load(bundle), out, mount, batch, precision)
    except (BundleError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for entry in config["model_config_list"]:
        click.echo(f"{entry['config']['name']}: image {entry['config']['shape']['image']}")
    click.echo(f"serving: {out}")


@deploy.command()
@click.argument("bundle", type=FOLDER)
@click.option("--out", required=True, type=FOLDER, help="Folder of the benchmark; one that was begun is gone on with.")
@click.option("--keypoints", "keypoints_run", type=FOLDER, help="Run that the bundle's corners are of: adds MXNet, "
              "ONNX Runtime and other precisions.")
@click.option("--segmentation", "segmentation_run", type=FOLDER, help="Run that the bundle's pixels are of: adds Keras "
              "and TensorFlow.")
@click.option("--data", type=THERE, help="Labelled dataset that accuracy is told of.")
@click.option("--photos", type=THERE, help="Photos that are timed.  [default: of --data, or those of the package]")
@click.option("--price-per-hour", type=click.FloatRange(min=0),
              help="Of this machine, to tell what a million photos cost.")
@click.option("--merge", multiple=True, type=FILE, help="results.json of another machine, to stand in the same report.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="More can be added later.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=2.0, show_default=True,
              help="Of each row in a round.")
@click.option("--threads", type=click.IntRange(min=1), help="Of every row.  [default: all cores]")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(min=1), default=[8], show_default=True,
              help="Images at a time, beside 1; may be given more than once.")
@click.option("--streams", multiple=True, type=click.IntRange(min=1),
              help="Callers at a time, beside 1; may be given more than once.  [default: one a thread]")
@click.option("--check-benchmark-app", "benchmark_app", is_flag=True,
              help="Time OpenVINO's networks with its own benchmark_app too.")
def benchmark(bundle, keypoints_run, segmentation_run, **options):
    """Time and judge the networks of a BUNDLE and the whole pipeline in every runtime that is installed.

    Leave the machine alone meanwhile. What is measured is kept: another call with the same --out goes on, with more
    --rounds adds to it, and with other --merge or --price-per-hour only writes the report anew. Exit status 1 when a
    row failed; it stands in the report, and is tried again by another call.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from deploy.benchmark.report import print_report, write_report
    from deploy.benchmark.run import Request, run
    from deploy.bundle import BundleError
    runs = {"keypoints": keypoints_run, "segmentation": segmentation_run}
    try:
        document, faults = run(Request(bundle=bundle, runs=runs, **options))
        write_report(options["out"], document)
    except (BundleError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    print_report(document)
    click.echo(f"report: {options['out'] / 'index.html'}")
    if faults:
        raise click.ClickException(f"{len(faults)} tasks failed; {options['out'] / 'logs'} has what they printed")


@deploy.command()
@click.option("--out", required=True, type=FOLDER, help="Folder of the test; one that was begun is gone on with.")
@click.option("--bundle", type=FOLDER, help="Networks to measure with.  [default: those that ship with foliopie]")
@click.option("--photos", multiple=True, type=THERE,
              help="Folder of photos that are sent; may be given more than once.  [default: those of the package]")
@click.option("--megapixels", type=click.FloatRange(min=0.1, max=50), metavar="N",
              help="Enlarge the photos to so many millions of pixels.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N",
              help="Processes of the service, and of the batch.  [default: one a core]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of each.  [default: cores/workers]")
@click.option("--callers", type=click.IntRange(min=1), metavar="N",
              help="Requests at a time that saturate it.  [default: workers + 2]")
@click.option("--seconds", type=click.FloatRange(min=20), default=600.0, show_default=True,
              help="Of saturation; all of it takes twice as long, with three rounds.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True,
              help="Of batch and service beside each other; more can be added later.")
@click.option("--results", type=FOLDER, help="Write the results there, too.")
def load(out, results, **options):
    """Load `foliopie serve` on this machine: photos a second, latencies, refusals, memory.

    The service is begun on a free port and asked over the loopback: in rounds beside a batch's processes, saturated,
    at 80 % of what it reaches, at 2.5 times that, and then at half. Leave the machine alone meanwhile; what is measured
    is kept, and another call with the same --out goes on.
    """
    from deploy.bundle import BundleError
    from deploy.load.phases import ServiceError
    from deploy.load.report import verdicts, write_report
    from deploy.load.run import Request, run
    try:
        document = run(Request(out=out, results=results, **options))
        for folder in filter(None, (out, results)):
            write_report(folder, document)
    except (BundleError, ServiceError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for what, wanted, found in verdicts(document):
        click.echo(f"{what}{f' ({wanted})' if wanted else ''}: {found}")
    click.echo(f"report: {out / 'README.md'}")


@deploy.command()
@click.option("--out", required=True, type=FOLDER, help="Folder of the test; one that was begun is gone on with.")
@click.option("--bundle", type=FOLDER, help="Networks to measure with.  [default: those that ship with foliopie]")
@click.option("--photos", multiple=True, type=THERE,
              help="Folder of photos that are measured in turn; may be given more than once.  [default: those of the "
                   "package]")
@click.option("--count", type=click.IntRange(min=20), default=10_000, show_default=True, help="Photos in a row.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True,
              help="Processes of `foliopie measure`.")
@click.option("--results", type=FOLDER, help="Write the results there, too.")
def soak(out, results, **options):
    """Measure very many photos in a row, and see whether memory, file handles or threads grow.

    Once with one meter in this process, once with `foliopie measure`. What is done is kept, and another call with the
    same --out goes on with the rest.
    """
    from deploy.bundle import BundleError
    from deploy.load.report import memory_lines, write_report
    from deploy.load.soak import TITLES, Request, SoakError, figure, markdown, run
    try:
        document = run(Request(out=out, results=results, **options))
        for folder in filter(None, (out, results)):
            write_report(folder, document, markdown, figure)
    except (BundleError, SoakError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for name, part in document["parts"].items():
        for line in memory_lines(part["memory"]):
            click.echo(f"{TITLES[name]}: {line}")
    click.echo(f"report: {out / 'README.md'}")


def _print_report(report):
    """One line a comparison; what a file says of itself is one line for all of it, as long as it is right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    table = Table("network", "compared with the framework", "found", "limit", "", box=box.SIMPLE)
    right = Counter((row.model, row.runtime, row.precision) for row in report.rows if _is_text(row) and row.passed)
    for row in report.rows:
        network = f"{row.model} {row.precision}, {row.runtime}"
        if _is_text(row) and row.passed:
            count = right.pop((row.model, row.runtime, row.precision), 0)
            if count:
                table.add_row(network, f"{count} entries of its manifest", "equal", "equal", "pass")
            continue
        found, limit = row.value, row.limit
        if not _is_text(row):
            found = f"{row.value:.5f}" if row.at_least else f"{row.value:.2g} {row.unit}"
            limit = f"{'>=' if row.at_least else '<='} {row.limit:g}"
        table.add_row(network, row.check, found, limit, "[green]pass[/]" if row.passed else "[bold red]FAIL[/]")
    console = Console()
    # Into a file or a pipe rich would fold the table at 80 columns.
    Console(width=console.width if console.is_terminal else 120).print(table)
    for note in report.notes:
        click.echo(note, err=True)


def _is_text(row):
    return isinstance(row.limit, str)
