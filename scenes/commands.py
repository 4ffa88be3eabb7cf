"""`foliopie scenes`: render a dataset, look at one, check one."""

import importlib
from pathlib import Path

import click

from scenes.exchange.commands import export, import_
from scenes.preparation.commands import clean, labels, stats

FOLDER = click.Path(file_okay=False, path_type=Path)
# Of the photos that a size stands for, some are cut to 16:9.
NARROWEST = 9 / 16
PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg")


class Size(click.ParamType):
    """WIDTHxHEIGHT in pixels, as (width, height)."""

    name = "WxH"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        width, separator, height = value.lower().partition("x")
        if not (separator and width.isdecimal() and height.isdecimal() and int(width) * int(height) > 0):
            self.fail(f"{value!r} is no size: write width and height in pixels, as in 480x640", param, ctx)
        return int(width), int(height)


@click.group()
def scenes():
    """Datasets of feet on sheets of paper."""


class Choice(click.ParamType):
    """One of the names of a mapping of the renderer's, which is imported only when the option is used."""

    def __init__(self, name, module, attribute):
        self.name, self.module, self.attribute = name, module, attribute

    def convert(self, value, param, ctx):
        names = getattr(importlib.import_module(self.module), self.attribute)
        if value not in names:
            self.fail(f"{value!r} is none of {', '.join(names)}", param, ctx)
        return value


def _check_size(size):
    """Refuses a size of which some photos would be too small for every other command."""
    from scenes.images import MIN_SIDE_PX

    narrowest = min(min(size), round(max(size) * NARROWEST))
    if narrowest < MIN_SIDE_PX:
        raise click.UsageError(f"--size {size[0]}x{size[1]}: some photos would be {narrowest} pixels across, and a "
                               f"photo with a side under {MIN_SIDE_PX} is read nowhere here; 150x200 is enough")


def _need_renderer():
    """Tells at once what is not installed: in a worker process it would end one worker after another."""
    for library in ("mitsuba", "mitsuba_oidn"):
        importlib.import_module(library)


PRESET = Choice("NAME", "scenes.rendering.presets", "PRESETS")
GROUP = Choice("GROUP", "scenes.rendering.config", "GROUPS")


def _rendering_options(command):
    """The options that decide what a scene is drawn from."""
    for option in (
        click.option("--without", multiple=True, type=GROUP,
                     help="Leave a group of choices out, for comparisons: textures, camera, sheet, legs, things or "
                          "light. May be repeated."),
        click.option("--textures", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
                     help="Pictures of floors to use beside the project's own."),
        click.option("--legs", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
                     help="Shapes of lower legs (.npz) to use in place of the project's own."),
        click.option("--size", default="240x320", show_default=True, type=Size(),
                     help="Width and height of an upright photo."),
        click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes."),
    ):
        command = option(command)
    return command


@scenes.command(short_help="Render photos with their truth; goes on where it stopped.")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--preset", type=PRESET,
              help="A whole dataset with its splits: tiny (20 scenes), small (280), thesis (two datasets, 6084 and "
                   "6244).")
@click.option("--count", type=click.IntRange(min=1), help="Scenes of one split.  [default: 100]")
@click.option("--split", type=click.Choice(["train", "validation", "test"]),
              help="What these scenes are for; written to their attributes.  [default: train]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="The same seed gives the same files, whatever the workers.")
@_rendering_options
def render(folder, preset, count, split, seed, workers, size, legs, textures, without):
    """Render scenes with their truth into DIR, and go on where an interrupted run stopped."""
    if preset and (count or split):
        raise click.UsageError("--preset has its own numbers and splits: give it, or --count and --split")
    _check_size(size)
    _need_renderer()
    from scenes.rendering import config, generate, presets

    parts = presets.PRESETS[preset] if preset else {"": {split or "train": count or 100}}
    try:
        for part, counts in parts.items():
            generate.render_dataset(folder / part, counts, seed, workers, size=size, legs=legs, textures=textures,
                                    config=config.without(without))
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped; the same command goes on in {folder}") from None


@scenes.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=48, show_default=True, type=click.IntRange(min=1), help="Photos, drawn at random.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of what is drawn.")
@click.option("--truth", is_flag=True,
              help="Draw the outlines of the masks and the corners: seen ones green, covered ones red, those outside "
                   "grey.")
@click.option("--augment", type=click.Choice(["thesis", "strong"]),
              help="Show the photos changed at random as for training, as in the thesis or as strongly as here.")
@click.option("--beside", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
              help="Photos of another folder, real ones say, to put beside.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The picture, .png or .jpg.  [default: DIR/contact_sheet.png]")
def sheet(folder, count, seed, truth, augment, beside, out):
    """Draw a contact sheet of the dataset in DIR."""
    out = out or folder / "contact_sheet.png"
    if out.suffix.lower() not in PICTURE_EXTENSIONS:
        raise click.UsageError(f"--out {out}: the name must end with {' or '.join(PICTURE_EXTENSIONS)}")
    import cv2

    from scenes.contact_sheet import AUGMENTATIONS, chosen, contact_sheet
    from scenes.dataset import read_dataset
    from scenes.files import write_whole
    from scenes.images import PHOTO_EXTENSIONS

    others = sorted(p for p in beside.iterdir() if p.suffix.lower() in PHOTO_EXTENSIONS) if beside else []
    if beside and not others:
        raise click.UsageError(f"--beside {beside}: no photo in this folder")
    try:
        picture, problems = contact_sheet(chosen(read_dataset(folder), count, seed), truth,
                                          chosen(others, count, seed), augmentation=AUGMENTATIONS.get(augment),
                                          seed=seed)
        write_whole(out, cv2.imencode(out.suffix, picture[..., ::-1])[1].tobytes())
    except (ValueError, OSError, cv2.error) as error:
        raise click.ClickException(str(error)) from error
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(out)
    if problems:
        raise SystemExit(1)


@scenes.command(short_help="How fast scenes are rendered, and what takes how long.")
@click.option("--count", default=20, show_default=True, type=click.IntRange(min=1), help="Scenes in each process.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the numbers there too.")
@_rendering_options
def benchmark(count, json_file, workers, size, legs, textures, without):
    """Scenes a minute, for one process and for more, and which part of the work takes how long."""
    _need_renderer()
    import json

    from scenes.files import write_whole
    from scenes.rendering.benchmark import as_table, run_benchmark
    from scenes.rendering.config import without as leave_out

    try:
        result = run_benchmark(count, workers, size, legs, textures, leave_out(without))
        click.echo(as_table(result))
        if json_file:
            write_whole(json_file, (json.dumps(result, indent=1) + "\n").encode())
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error


@scenes.command(short_help="Name every fault of a dataset; repair what is safe to.")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--fix", is_flag=True,
              help="First repair what is safe to repair. Nothing is deleted: annotations.json is kept as "
                   "annotations.json.bak, files that do not belong are moved to DIR/extra (unless an image or mask is "
                   "missing: one of them may be that one).")
def check(folder, fix):
    """Check the dataset in DIR and name every fault: file, rule, what is wrong."""
    from scenes.checking import check_dataset
    from scenes.dataset import read_category, read_dataset
    from scenes.document import SHEET
    from scenes.repair import fix_dataset

    if fix:
        try:
            for repair in fix_dataset(folder):
                click.echo(f"repaired: {repair}")
        except OSError as error:
            raise click.ClickException(f"{folder} cannot be written: {error}") from error
    faults = check_dataset(folder)
    for fault in faults:
        click.echo(str(fault), err=True)
    if faults:
        raise SystemExit(1)
    samples, category = read_dataset(folder, category=None), read_category(folder)
    splits = [sample.attributes.get("split", "no split") for sample in samples]
    counts = ", ".join(f"{splits.count(split)} {split}" for split in dict.fromkeys(splits))
    if category == SHEET:
        what = f"{sum(len(sample.attributes.get('feet', [])) for sample in samples)} feet"
    else:
        what = f"{len(category.keypoints)} keypoints of category {category.name} each"
    click.echo(f"{folder}: {len(samples)} images ({counts or 'none'}), {what}, no faults")


for command in (stats, clean, labels, import_, export):
    scenes.add_command(command)
