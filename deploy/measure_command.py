"""The command `foliopie measure`."""

import sys
import warnings
from collections import ChainMap
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO|FOLDER|-...", type=PATH)
@click.option("--bundle", type=PATH, metavar="DIR",
              help="Networks to measure with.  [default: those that ship with foliopie]")
@click.option("--method", type=click.Choice(["networks", "classical"]), default="networks", show_default=True,
              help="What finds sheet and feet. classical: colour clusters, contours and a threshold, to compare with; "
                   "it takes no bundle.")
@click.option("--sheet", type=click.Choice(["auto", "a4", "letter"]), default="auto", show_default=True,
              help="Format of the sheet.")
@click.option("--json", "json_path", metavar="FILE|-",
              help="Write the measurements here as JSON; - is standard output.")
@click.option("--csv", "csv_path", type=PATH, metavar="FILE", help="Write them here as CSV, one row a foot.")
@click.option("--overlay", type=PATH, metavar="DIR",
              help="Write each photo with its measures drawn on it, and its sheet seen from above beside it.")
@click.option("--masks", type=PATH, metavar="DIR",
              help="Write each photo's classes as a PNG: 0 background, 1 sheet, 2 left foot, 3 right foot.")
@click.option("--page", type=PATH, metavar="FILE", help="Write one HTML page with everything.")
@click.option("--recursive", is_flag=True, help="Read the sub-folders of folders, too.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N",
              help="Photos measured at a time.  [default: one a core, with --ray of the cluster]")
@click.option("--ray", metavar="ADDRESS",
              help="Measure on a Ray cluster: HOST:PORT of one that this machine belongs to, ray://HOST:PORT of any, "
                   "or local for one that is started here.")
@click.option("--resume", is_flag=True,
              help="Take photos that --json FILE, or an interrupted batch into it, has an answer on from there, where "
                   "photo, networks and options are the same.")
def measure(photos, bundle, method, sheet, json_path, csv_path, overlay, masks, page, recursive, workers, ray,
            resume):
    """Measure the feet on sheets of paper in photos, in millimetres.

    PHOTO is a file, or - for the bytes of one on standard input.

    Exit status: 0 when every photo was measured, 1 when one was not (each is named on standard error), 2 for wrong
    usage, 130 when it was interrupted; what was measured by then is written all the same.
    """
    from deploy.photo_task import PhotoTask
    from scenes.processes import cores

    if resume and not _keeps_answers(json_path):
        raise click.UsageError("--resume goes on with a file of answers: name it with --json FILE")
    if bundle and method == "classical":
        raise click.UsageError("--method classical asks no network: leave --bundle out")
    # Pillow's word on a damaged header, which spoils no pixel: standard error has a line for each photo that failed.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    sources = _find(photos, recursive)
    held, measured_with = _networks(bundle, method, sheet)
    options = sheet, overlay, masks, page is not None, measured_with
    task = PhotoTask(None, *options)
    journal, known = _journal(json_path, resume, task, sources)
    missing = [source for source in sources if source.name not in known]
    if ray and missing:
        results = _results_of_ray(ray, missing, held, workers, options)
    else:
        results = _results(missing, held, min(workers or cores(), len(missing)), options)
    answers, pictures, interrupted = _measure_all(task, sources, known, results, journal)
    _write_results(answers, json_path, csv_path, journal)
    if page:
        _write_page(page, answers, pictures)
    if interrupted:
        click.echo(f"interrupted: {len(answers)} of {len(sources)} photos measured", err=True)
        sys.exit(130)
    sys.exit(1 if any(_trouble(answer) for answer in answers) else 0)


def _keeps_answers(json_path):
    """Whether the answers go into a file, which another call can go on with."""
    from scenes.files import is_stream

    return json_path not in (None, "-") and not is_stream(json_path)


def _find(photos, recursive):
    """Sources; raises click's exceptions where there are none."""
    from deploy.sources import find_photos
    from scenes.images import PHOTO_EXTENSIONS

    try:
        sources = find_photos(photos, recursive)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if not sources:
        raise click.UsageError(f"no photos in {', '.join(map(str, photos))}: files must end with "
                               f"{', '.join(PHOTO_EXTENSIONS)}, and sub-folders are read with --recursive only")
    return sources


def make_meter(bundle):
    """The FootMeter of a Bundle, or, without one, of classical means."""
    from deploy.bundle import BundleError
    from deploy.photo_task import meter_of

    try:
        return meter_of(bundle)
    except BundleError as error:  # what its hashes cannot tell: that there is memory for it
        raise click.ClickException(f"bundle_invalid: {error}") from error


def _networks(folder, method, sheet):
    """(Bundle, held in memory, or None for classical means; what answers come from, as the journal names it). Refuses
    a folder that is no bundle."""
    from deploy.bundle import DEFAULT_FOLDER, MANIFEST, Bundle, BundleError
    from deploy.journal import measured_with

    if method == "classical":
        return None, measured_with(method.encode(), sheet=sheet)
    try:
        bundle = Bundle.load(folder or DEFAULT_FOLDER, hold=True)
    except BundleError as error:
        raise click.ClickException(f"bundle_invalid: {error}") from error
    return bundle, measured_with(bundle.held[MANIFEST], sheet=sheet)


def _results(sources, bundle, workers, options):
    """A generator of Done on every source, in their order, from so many processes, or from this one. options: the
    fields of a PhotoTask but for its meter."""
    from functools import partial

    from deploy.batch import in_order, in_processes
    from deploy.photo_task import PhotoTask, lost, task_alone
    from scenes.processes import cores

    if workers <= 1:
        return in_order(PhotoTask(make_meter(bundle) if sources else None, *options), sources, 1)
    make = partial(task_alone, bundle, max(1, cores() // workers), *options)
    return in_processes(make, sources, workers, lost)


def _results_of_ray(address, sources, bundle, workers, options):
    """As `_results`, from workers of a Ray cluster."""
    from deploy.fleet import FleetError
    from deploy.ray_cluster import measure_on_ray

    def tell(source, line):
        click.echo(f"{source.name}: {line}" if source else line, err=True)

    try:
        yield from measure_on_ray(address, sources, workers, bundle, options, tell)
    except FleetError as error:
        raise click.ClickException(str(error)) from error


def _journal(json_path, resume, task, sources):
    """(Journal, begun, or None without a file; {name: answer of before} of the sources that need no measuring)."""
    from deploy.journal import Journal, JournalError

    if not _keeps_answers(json_path):
        return None, {}
    journal = Journal(json_path)
    try:
        before = journal.read() if resume else {}
        journal.begin(keep=resume)
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise _cannot_write(journal.part, error) from error
    return journal, {source.name: before[source.name] for source in sources
                     if source.name in before and task.is_done(source, before[source.name])}


def _measure_all(task, sources, known, results, journal):
    """(answers on every source that there is one on, in their order; their pictures for the page; whether the rest was
    interrupted).

    results: a generator of Done of the sources that are not known. Failures are said on standard error as they come,
    with a progress bar there when that is a terminal.
    """
    from contextlib import closing
    from functools import partial

    from deploy.journal import InOrder, Kept
    from scenes.progress import progress_bars

    missing = [source for source in sources if source.name not in known]
    if known:
        click.echo(f"{len(known)} of {len(sources)} photos were measured before", err=True)
    for answer in known.values():
        _tell_trouble(answer)
    kept, pictures, interrupted = Kept(journal), {}, False
    try:
        with closing(results), progress_bars() as bar:
            tick = bar("measuring", len(missing))
            for source, done in zip(missing, results, strict=True):
                _written(journal and journal.part, partial(kept.add, source.name, done.answer))
                if done.picture is not None:
                    pictures[source.name] = done.picture
                _tell_trouble(done.answer)
                tick(1)
    except KeyboardInterrupt:
        interrupted = True
    for source in sources:
        if source.name in known and (picture := task.done_before(source, known[source.name]).picture):
            pictures[source.name] = picture
    names = [source.name for source in sources if source.name in kept or source.name in known]
    return InOrder(names, ChainMap(known, kept)), [pictures.get(name) for name in names], interrupted


def _tell_trouble(answer):
    if trouble := _trouble(answer):
        click.echo(f"{answer['photo']}: {trouble['code']}: {trouble['message']}", err=True)


def _trouble(answer):
    """What makes an answer count as a failure, {"code", "message"}, or None."""
    if "error" in answer:
        return answer["error"]
    return next((warning for warning in answer["warnings"] if warning["code"] == "output_not_written"), None)


def _write_results(answers, json_path, csv_path, journal):
    from deploy.answers import csv_text, print_table
    from deploy.journal import answers_text
    from deploy.page import write_text

    if journal:
        _written(json_path, lambda: journal.finish(answers))
    elif json_path == "-":
        _written("standard output", lambda: _echo_parts(answers_text(answers)))
    elif json_path:
        _written(json_path, lambda: write_text(json_path, answers_text(answers)))
    if csv_path:
        _written(csv_path, lambda: write_text(csv_path, csv_text(answers)))
    if not (json_path or csv_path):
        _written("standard output", lambda: print_table(answers))


def _echo_parts(parts):
    for part in parts:
        click.echo(part, nl=False)


def _write_page(path, answers, pictures):
    from deploy.page import Entry, render_measurements, write_text

    text = render_measurements([Entry(answer, picture) for answer, picture in zip(answers, pictures, strict=True)])
    _written(path, lambda: write_text(path, text))


def _written(path, write):
    try:
        write()
    except BrokenPipeError:  # who reads has read enough: no fault, and nobody to tell
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path, error):
    return click.ClickException(f"cannot write {path}: {error.strerror or error}")
