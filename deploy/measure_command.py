"""The command `foliopie measure`."""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO|FOLDER...", type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(path_type=Path), metavar="DIR",
              help="Networks to measure with.  [default: those that ship with foliopie]")
@click.option("--sheet", type=click.Choice(["auto", "a4", "letter"]), default="auto", show_default=True,
              help="Format of the sheet.")
@click.option("--json", "json_path", metavar="FILE|-",
              help="Write the measurements here as JSON; - is standard output.")
@click.option("--overlay", type=click.Path(path_type=Path), metavar="DIR",
              help="Write each photo with its measures drawn on it.")
@click.option("--masks", type=click.Path(path_type=Path), metavar="DIR",
              help="Write each photo's classes as a PNG: 0 background, 1 sheet, 2 left foot, 3 right foot.")
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE", help="Write one HTML page with everything.")
@click.option("--recursive", is_flag=True, help="Read the sub-folders of folders, too.")
def measure(photos, bundle, sheet, json_path, overlay, masks, page, recursive):
    """Measure the feet on sheets of paper in photos, in millimetres.

    Exit status: 0 when every photo was measured, 1 when one was not (each is named on standard error), 2 for wrong
    usage.
    """
    from deploy.bundle import BundleError
    from scenes.images import PHOTO_EXTENSIONS

    named = find_photos(photos, recursive)
    if not named:
        raise click.UsageError(f"no photos in {', '.join(map(str, photos))}: files must end with "
                               f"{', '.join(PHOTO_EXTENSIONS)}, and sub-folders are read with --recursive only")
    try:
        meter = make_meter(bundle)
    except BundleError as error:
        raise click.ClickException(f"bundle_invalid: {error}") from error
    answers, entries, failed = [], [], 0
    interrupted = False
    try:
        for result, source in _with_progress(meter, named, sheet):
            answer = result.to_json()
            problem = None if "error" in answer else _write_pictures(result, source, overlay, masks)
            if problem:
                answer["warnings"].append(problem)
            answers.append(answer)
            if page:
                entries.append(_entry(result, source.path, answer))
            if "error" in answer or problem:
                failed += 1
                trouble = answer.get("error") or problem
                click.echo(f"{result.photo}: {trouble['code']}: {trouble['message']}", err=True)
    except KeyboardInterrupt:
        interrupted = True
    _write_results(answers, entries, json_path, page)
    if interrupted:
        click.echo(f"interrupted: {len(answers)} of {len(named)} photos measured", err=True)
        sys.exit(130)
    sys.exit(1 if failed else 0)


def make_meter(bundle):
    """The Meter of a bundle's folder, or of the bundle that ships with the package."""
    from deploy.meter import Meter

    return Meter(bundle)


@dataclass(frozen=True)
class Source:
    """A photo to measure. name: what the answer calls it, its path as given. output: relative path, without suffix,
    of what is written for it; no two of a batch are the same, and none leads out of a folder."""

    name: str
    path: Path
    output: Path


def find_photos(given, recursive):
    """Sources that paths stand for, in the order given; a folder's in the order of their names.

    A file is taken as it is, whether or not it exists: what is wrong with it is said where it is read. A photo that
    is named twice is measured once. Outputs keep the relative path below the folder; photos that differ in their
    extension alone keep it in the output's name, and those of the same name below several folders the folder, too.
    """
    from scenes.images import PHOTO_EXTENSIONS

    found = {}
    for path in given:
        if path.is_dir():
            entries = sorted(path.rglob("*") if recursive else path.iterdir())
            files = [file for file in entries if file.suffix.lower() in PHOTO_EXTENSIONS and not file.is_dir()]
        else:
            files = [path]
        for file in files:
            found.setdefault(file.as_posix(), (file, path if path.is_dir() else file.parent))
    files = list(found.values())
    outputs = [file.relative_to(folder).with_suffix("") for file, folder in files]
    for longer in (lambda file, folder: file.relative_to(folder), lambda file, folder: _without_root(file)):
        count = Counter(outputs)
        outputs = [longer(*source) if count[output] > 1 else output
                   for source, output in zip(files, outputs, strict=True)]
    return [Source(name, file, output) for (name, (file, _)), output in zip(found.items(), outputs, strict=True)]


def _without_root(path):
    return Path(*(part for part in path.parts if part not in ("..", path.anchor)))


def _output_path(folder, output, suffix):
    return Path(folder, output.parent, output.name + suffix)


def _with_progress(meter, named, sheet):
    """(result, Source) of every photo, with a progress bar on standard error when that is a terminal."""
    results = meter.measure_many([(source.name, source.path) for source in named], sheet)
    pairs = zip(results, named, strict=True)
    if not sys.stderr.isatty():
        yield from pairs
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(named), rate="")
        for pair in pairs:
            yield pair
            speed = progress.tasks[0].speed
            progress.update(task, advance=1, rate=f"{speed:.1f} photos/s" if speed else "")


def _write_pictures(measurement, source, overlay, masks):
    """Write overlay and mask of one photo; returns None or what went wrong, {"code", "message"}."""
    wanted = [_output_path(folder, source.output, suffix) for folder, suffix in ((overlay, ".jpg"), (masks, ".png"))
              if folder]
    if any(path.exists() and path.samefile(source.path) for path in wanted):
        return {"code": "output_not_written", "message": "it would replace the photo itself: name another folder"}
    try:
        if overlay:
            from deploy.overlay import write_overlay
            from scenes.images import PhotoError, read_photo

            try:
                rgb = read_photo(source.path).rgb
            except PhotoError as error:  # measured a moment ago: the file has been changed since, or was a pipe
                return {"code": "output_not_written", "message": f"no second look for the overlay: {error.message}"}
            write_overlay(_output_path(overlay, source.output, ".jpg"), rgb, measurement)
        if masks:
            _write_mask(_output_path(masks, source.output, ".png"), measurement)
    except OSError as error:
        return {"code": "output_not_written", "message": f"{error.strerror or error}: {error.filename}"}
    return None


def _write_mask(path, measurement):
    import cv2
    from PIL import Image

    size = measurement.width, measurement.height
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(cv2.resize(measurement.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)).save(path)


def _entry(result, path, answer):
    """An Entry of the page, with the overlay as its picture, or the photo where there is no answer but an image."""
    from deploy.overlay import draw_measurement
    from deploy.page import THUMBNAIL_PX, Entry, thumbnail
    from scenes.images import PhotoError, read_photo

    try:
        rgb = read_photo(path).rgb
    except PhotoError:
        return Entry(answer)
    return Entry(answer, thumbnail(rgb if "error" in answer else draw_measurement(rgb, result, 2 * THUMBNAIL_PX)))


def _write_results(answers, entries, json_path, page):
    if json_path:
        text = json.dumps(answers, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        if json_path == "-":
            click.echo(text, nl=False)
        else:
            _written(Path(json_path), text)
    else:
        _print_table(answers)
    if page:
        from deploy.page import render_measurements

        _written(page, render_measurements(entries))


def _written(path, text):
    from deploy.page import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror or error}") from error


def _print_table(answers):
    """A table of the feet for people, one row a foot, on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("photo", "left"), ("sheet", "left"), ("foot", "left"), ("length mm", "right"),
                             ("width mm", "right"), ("notes", "left")):
        table.add_column(heading, justify=justify, overflow="fold")
    for answer in answers:
        if "error" in answer:
            table.add_row(Text(answer["photo"]), "", "", "", "", Text(answer["error"]["code"], style="red"))
            continue
        notes = Text(", ".join(warning["code"] for warning in answer["warnings"]), style="yellow")
        sheet = Text(answer["sheet"]["format"])
        for foot in answer["feet"] or [None]:
            cells = ("", "", "") if foot is None else (foot["side"], _measure_text(foot, "length"),
                                                       _measure_text(foot, "width"))
            table.add_row(Text(answer["photo"]), sheet, *cells, notes)
    # A pipe has no width: lines must not be folded there.
    Console(width=None if sys.stdout.isatty() else 200, file=sys.stdout).print(table)


def _measure_text(foot, what):
    return f"{foot[what + '_mm']:.1f} \u00b1 {foot['uncertainty_mm'][what]:.1f}"
