"""`foliopie scenes`: render a dataset, and check one."""

import importlib
from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)


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


@scenes.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--count", default=100, show_default=True, type=click.IntRange(min=1),
              help="Scenes in the dataset.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="The same seed gives the same files, whatever the workers.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--split", default="train", show_default=True,
              type=click.Choice(["train", "validation", "test"]),
              help="What the scenes are for; written to their attributes.")
@click.option("--size", default="240x320", show_default=True, type=Size(),
              help="Width and height of an upright photo.")
@click.option("--legs", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Shapes of lower legs (.npz) to use in place of the project's own.")
@click.option("--textures", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              help="Pictures of floors to use beside the project's own.")
def render(folder, count, seed, workers, split, size, legs, textures):
    """Render scenes with their truth into DIR, and go on where an interrupted run stopped."""
    # Told before a folder is made: in a worker process a missing renderer would end one worker after another.
    importlib.import_module("mitsuba")
    from scenes.rendering.generate import render_dataset

    try:
        render_dataset(folder, count, seed, workers, split, size=size, legs=legs, textures=textures)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped; the same command goes on where {folder} is") from None


@scenes.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(folder):
    """Check the dataset in DIR and name every fault: file, rule, what is wrong."""
    from scenes.dataset import check_dataset, read_dataset

    faults = check_dataset(folder)
    for fault in faults:
        click.echo(str(fault), err=True)
    if faults:
        raise SystemExit(1)
    samples = read_dataset(folder)
    feet = sum(len(sample.attributes.get("feet", [])) for sample in samples)
    splits = [sample.attributes.get("split", "no split") for sample in samples]
    counts = ", ".join(f"{splits.count(split)} {split}" for split in dict.fromkeys(splits))
    click.echo(f"{folder}: {len(samples)} images ({counts or 'none'}), {feet} feet, no faults")
