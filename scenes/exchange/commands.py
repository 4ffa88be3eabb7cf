"""`foliopie scenes import` and `export`: other people's data into a dataset, and a dataset for others."""

import importlib
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import click

# Format -> (module, what it is, for the help).
FORMATS = {
    "coco": ("scenes.exchange.coco", "COCO keypoints and regions"),
    "cvat": ("scenes.exchange.coco", "CVAT's COCO Keypoints 1.0, with COCO 1.0 for masks"),
    "label-studio": ("scenes.exchange.label_studio", "Label Studio's JSON"),
    "plain": ("scenes.exchange.plain", "images, label PNGs and a CSV of four points"),
    "landmarks": ("scenes.exchange.landmarks", "a CSV of 68 facial landmarks"),
}
FORMAT = click.Choice(list(FORMATS))
# As scenes.labels.NAMES, which needs numpy; a test holds them together.
CLASSES = ("background", "sheet", "left_foot", "right_foot", "ignore")
_LIST = "".join(f"\n\n    {name}: {what}" for name, (_, what) in FORMATS.items())


class ClassName(click.ParamType):
    """NAME=CLASS, as a pair."""

    name = "NAME=CLASS"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        name, separator, meaning = value.rpartition("=")
        if not (separator and name and meaning in CLASSES):
            self.fail(f"{value!r} is no NAME=CLASS with CLASS one of {', '.join(CLASSES)}", param, ctx)
        return name, meaning


@click.command(name="import", short_help="Other people's data into a dataset.",
               help=f"Make a dataset in the new folder DIR of SRC, a file, folder or zip archive in "
                                   f"another FORMAT:{_LIST}\n\n    What is wrong with an entry is said on standard "
                                   "error with file, line and rule, and the rest is imported; the exit status is "
                                   "then 1.")
@click.argument("format_name", metavar="FORMAT", type=FORMAT)
@click.argument("source", metavar="SRC", type=click.Path(exists=True, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--images", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Where the images are, if not where the format has them.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]),
              help="What the images are for, where the source does not say.")
@click.option("--class", "classes", multiple=True, type=ClassName(),
              help="What regions called NAME are: one of " + ", ".join(CLASSES) + ". Can be given again.")
@click.option("--link", is_flag=True, help="Hard links in place of copies of images, where the file system has them.")
def import_(format_name, source, folder, images, split, classes, link):
    from scenes.exchange.formats import Options
    from scenes.exchange.regions import ClassNames
    from scenes.exchange.source import SourceError
    from scenes.exchange.store import NothingStored, store

    read = _function("read", format_name)
    try:
        with _unpacked(source) as path:
            found = read(path, Options(images, ClassNames(dict(classes))))
            _say(found.problems)
            with _progress("images", len(found.items)) as advance:
                count, problems = store(found.items, folder, found.category, split, link, advance)
    except NothingStored as error:
        _say(error.problems)
        raise click.ClickException(str(error)) from error
    except (SourceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    masks = any(item.mask is not None for item in found.items)
    _finish(f"{folder}: {count} images with {_what(found.category, masks)}", found.problems, problems)


@click.command(name="export", short_help="A dataset in another format.",
               help=f"Write the dataset in DIR into the new folder DST in another FORMAT:{_LIST}")
@click.argument("format_name", metavar="FORMAT", type=FORMAT)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("destination", metavar="DST", type=click.Path(path_type=Path))
@click.option("--link", is_flag=True, help="Hard links in place of copies of images, where the file system has them.")
def export(format_name, folder, destination, link):
    from scenes.dataset import DatasetError, read_dataset
    from scenes.exchange.source import SourceError

    write = _function("write", format_name)
    try:
        with _progress("images", len(read_dataset(folder, category=None))) as advance:
            count, problems = write(folder, destination, link, advance)
    except (DatasetError, SourceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    _finish(f"{destination}: {count} images", [], problems)


def _function(verb, format_name):
    module = importlib.import_module(FORMATS[format_name][0])
    return getattr(module, f"{verb}_{format_name.replace('-', '_')}")


def _what(category, masks):
    from scenes.document import SHEET

    if category == SHEET:
        return "sheets" if masks else "sheets, without masks"
    return f"{len(category.keypoints)} keypoints of category {category.name}"


def _say(problems):
    for problem in problems:
        click.echo(str(problem), err=True)


def _finish(summary, told, problems):
    """The last line; `problems` are said before it, `told` have been."""
    _say(problems)
    count = len(told) + len(problems)
    click.echo(f"{summary}, {count} problems" if count else summary)
    if count:
        raise SystemExit(1)


@contextmanager
def _unpacked(source):
    """The source, or the folder that a zip archive has been unpacked into for as long as this lasts."""
    if source.is_file() and source.suffix.lower() == ".zip" and not zipfile.is_zipfile(source):
        raise click.ClickException(f"{source}: not_zip: no zip archive, or cut short: copy or download it again")
    if not (source.is_file() and zipfile.is_zipfile(source)):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="foliopie-import-") as folder:
        try:
            with zipfile.ZipFile(source) as archive:
                _check_room(source, archive, folder)
                archive.extractall(folder)
        except (click.ClickException, OSError):
            raise
        except Exception as error:  # what is damaged in it makes the decompressors raise nearly anything
            raise click.ClickException(f"{source}: not_zip: {error}: copy or download it again") from error
        yield Path(folder)


def _check_room(source, archive, folder):
    """No entry gives more than the archive says; what it says must fit."""
    needed, free = sum(entry.file_size for entry in archive.infolist()), shutil.disk_usage(folder).free
    if needed > free:
        raise click.ClickException(f"{source}: too_large: unpacked it is {needed / 1e6:,.0f} MB, and {folder} has room "
                                   f"for {free / 1e6:,.0f}: name a larger place with TMPDIR")


@contextmanager
def _progress(what, total):
    """A bar on standard error; gives the function that moves it on by one."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
