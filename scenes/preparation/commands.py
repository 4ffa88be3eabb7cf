"""`foliopie scenes stats`, `clean` and `labels`: what comes before a training (chapter 3 of the thesis)."""

import importlib
from contextlib import contextmanager
from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="Pixel values and classes, beside the published numbers.")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--out", type=NEW_FOLDER, metavar="FOLDER",
              help="Write stats.json, pixels.png (figures 20 and 21) and shares.png (figure 22) here.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]),
              help="Only these samples; all by default.")
def stats(folder, out, split):
    """Tell how pixel values and classes are distributed in the dataset DIR, beside the published numbers.

    Each photo weighs the same. Of a dataset without masks the photos alone are looked at. Exit status 1 when a file
    could not be read: it is named, and the others count.
    """
    import json

    from scenes.dataset import DatasetError, read_dataset
    from scenes.document import masks_are_required, read_document
    from scenes.preparation.statistics import dataset_statistics

    _need("matplotlib", out)
    try:
        samples = read_dataset(folder, split, category=None)
    except DatasetError as error:
        raise click.ClickException(str(error)) from error
    if not samples:
        raise click.ClickException(f"{folder} has no samples{f' of split {split}' if split else ''}")
    with _progress("photos") as progress:
        result = dataset_statistics(samples, masks_are_required(read_document(folder)[0]), progress)
    _print_statistics(result)
    if out:
        document = {"dataset": folder.resolve().name, "split": split, **result.to_json()}
        with _writing():
            from scenes.files import write_whole
            from scenes.preparation.figures import pixel_figure, save_figure, share_figure

            write_whole(out / "stats.json", (json.dumps(document, indent=1) + "\n").encode())
            if result.pixels:
                save_figure(pixel_figure(result.pixels), out / "pixels.png")
            if result.classes:
                save_figure(share_figure(result.classes), out / "shares.png")
        click.echo(f"written: {out}")
    _end(result.problems)


@click.command(short_help="Copy a dataset, with the borders of its masks cleaned.")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.argument("out", metavar="OUT", type=NEW_FOLDER)
@click.option("--window", default=5, show_default=True, type=int,
              help="Side of the window in pixels, an odd number.")
@click.option("--link", is_flag=True,
              help="Link the photos (hard links, where the disk can) in place of copying them: what changes one in "
                   "place then changes both.")
def clean(folder, out, window, link):
    """Copy the dataset DIR to the new folder OUT, with the borders of its masks cleaned.

    Each pixel gets the class that most pixels of the window around it have. OUT appears when all is done. It also
    holds cleaning.json, what was changed, and cleaning.png, the mask that changed most (figures 23 and 24). A mask that
    would lose a whole foot that the annotations tell of stays as it was and is named. So does one that cannot be read;
    exit status 1 then.
    """
    from scenes.preparation.cleaning import check_window, clean_dataset

    _need("matplotlib")
    try:
        check_window(window)
    except ValueError as error:
        raise click.UsageError(f"--window: {error}") from error
    with _writing(), _progress("masks") as progress:
        report = clean_dataset(folder, out, window, link, progress)
    for line in report.kept:
        click.echo(line, err=True)
    _print_changes(report)
    if report.most_changed:
        with _writing():
            _draw_most_changed(folder, out, report)
    click.echo(f"written: {out}")
    _end(report.problems)


@click.command(short_help="Masks of class ids out of colour-coded label pictures.")
@click.argument("source", metavar="SRC", type=FOLDER)
@click.argument("target", metavar="DST", type=NEW_FOLDER)
@click.option("--palette", "palette_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE.json",
              help="Colour of each class: {\"background\": [0, 0, 0], \"sheet\": \"#f0e442\", ...}; ids in place of "
                   "names for other classes.  [default: this project's colours]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="The same seed gives the same masks.")
@click.option("--figures", type=NEW_FOLDER, metavar="FOLDER",
              help="Write clusters.png (figure 25) and example.png (figure 26) here.")
def labels(source, target, palette_file, seed, figures):
    """Make class-id masks in the new folder DST of the colour-coded label pictures in SRC.

    A Gaussian mixture is fitted to the colours, so that pictures may be JPEGs and their colours a little off. DST
    appears when all is done. A picture that cannot be read is named and the rest goes on; exit status 1 then.
    """
    _need("sklearn")
    _need("matplotlib", figures)
    from scenes.exchange.store import new_folder
    from scenes.preparation.cleaning import refuse_filled
    from scenes.preparation.colour_maps import (
        PICTURE_EXTENSIONS,
        find_pictures,
        fit_colours,
        label_pictures,
        own_palette,
        read_palette,
        sample_pixels,
    )

    pictures = find_pictures(source)
    if not pictures:
        raise click.UsageError(f"no pictures in {source}: files must end with {', '.join(PICTURE_EXTENSIONS)}")
    with _writing():
        refuse_filled(target)
        palette = read_palette(palette_file) if palette_file else own_palette()
        pixels = sample_pixels(pictures, seed)
        model = fit_colours(pixels, palette, seed)
        with new_folder(target) as made, _progress("pictures") as progress:
            report = label_pictures(pictures, made, model, progress)
        _print_colours(model, report.pixels)
        if figures:
            _draw_colours(figures, report.example, pixels, model)
    click.echo(f"written: {target}{f' and {figures}' if figures else ''}")
    _end(report.problems)


def _need(module, wanted=True):
    """A library that is missing is told before any work is done."""
    if wanted:
        importlib.import_module(module)


@contextmanager
def _writing():
    """What is wrong with folders, files and datasets, in one line."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _progress(what):
    """Yields a function of (done, total) that moves a progress bar on standard error, which its first call shows: what
    fails before that is said in one line alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(what)

    def move(done, total):
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield move
    finally:
        if bar.live.is_started:
            bar.stop()


def _end(problems):
    for line in problems:
        click.echo(line, err=True)
    if problems:
        raise SystemExit(1)


def _table(title, *headings):
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _print_statistics(result):
    from rich.console import Console

    from scenes.labels import NAMES
    from scenes.preparation.encoding import min_max, one_hot, standardise
    from scenes.preparation.statistics import (
        CHANNELS,
        PUBLISHED_EXAMPLE,
        PUBLISHED_SHARES,
        published_moments,
    )

    console = Console()
    if result.pixels:
        pixels, (published_mean, published_std) = result.pixels, published_moments()
        table = _table(f"pixel values of {pixels.photos} photos, 0 to 255", "channel", "mean", "std", "min", "max",
                       "published mean", "published std")
        for k, channel in enumerate(CHANNELS):
            table.add_row(channel, f"{pixels.mean[k]:.2f}", f"{pixels.std[k]:.2f}", str(pixels.low[k]),
                          str(pixels.high[k]), f"{published_mean[k]:.2f}", f"{published_std[k]:.2f}")
        console.print(table)
        if (pixels.std > 0).all():
            table = _table("standardisation of the pixels of table 2", "pixel", "channel", "value", "standardised",
                           "published", "min-max")
            for number, (values, published) in enumerate(PUBLISHED_EXAMPLE, start=1):
                ours, scaled = standardise(values, pixels.mean, pixels.std), min_max(values, pixels.low, pixels.high)
                for k, channel in enumerate(CHANNELS):
                    table.add_row(str(number), channel, str(values[k]), f"{ours[k]:.4f}", f"{published[k]:.4f}",
                                  f"{scaled[k]:.4f}")
            console.print(table)
    if result.classes:
        classes = result.classes
        table = _table(f"class shares of {classes.masks} masks, %", "class", "mean of a mask", "std between masks",
                       "published mean", "of all pixels", "masks with it")
        for k, name in enumerate(NAMES):
            table.add_row(name, f"{100 * classes.mean[k]:.2f}", f"{100 * classes.std[k]:.2f}",
                          f"{100 * PUBLISHED_SHARES[k]:.0f}", f"{100 * classes.of_all_pixels[k]:.2f}",
                          str(classes.masks_with[k]))
        console.print(table)
        table = _table("one-hot code of each class (table 3)", "class", "id", "planes")
        for k, planes in enumerate(one_hot(range(len(NAMES)))):
            table.add_row(NAMES[k], str(k), " ".join(map(str, planes)))
        console.print(table)


def _print_changes(report):
    from rich.console import Console

    from scenes.labels import NAMES

    table = _table(f"pixels changed in {report.masks} masks", "class", "lost", "gained")
    for k, name in enumerate(NAMES):
        table.add_row(name, f"{report.changes[k].sum():,}", f"{report.changes[:, k].sum():,}")
    Console().print(table)
    changed = int(report.changes.sum())
    click.echo(f"{changed:,} of {report.pixels:,} pixels changed ({100 * changed / max(report.pixels, 1):.3f} %)")


def _draw_most_changed(folder, out, report):
    from scenes.dataset import read_dataset, read_mask
    from scenes.images import PhotoError, read_photo
    from scenes.preparation.figures import cleaning_figure, save_figure

    before, after = (next(sample for sample in read_dataset(where) if sample.name == report.most_changed[0])
                     for where in (folder, out))
    old, new = read_mask(before.mask_path), read_mask(after.mask_path)
    try:
        rgb = read_photo(before.image_path).rgb
        if rgb.shape[:2] != old.shape:
            raise PhotoError("other_size", "photo and mask are of different sizes")
    except PhotoError as error:
        click.echo(f"no cleaning.png: {before.image_path}: {error}", err=True)
    else:
        save_figure(cleaning_figure(rgb, old, new, before.name, report.window_px), out / "cleaning.png")


def _print_colours(model, counts):
    from rich.console import Console

    table = _table("colours of the classes", "class", "id", "palette", "in the pictures", "% of pixels")
    for k, name in enumerate(model.palette.names):
        table.add_row(name, str(model.palette.ids[k]), " ".join(map(str, model.palette.colours[k])),
                      " ".join(f"{value:.0f}" for value in model.means[k]),
                      f"{100 * counts[k] / max(counts.sum(), 1):.2f}")
    Console().print(table)


def _draw_colours(figures, example, pixels, model):
    from scenes.images import read_photo
    from scenes.preparation.figures import cluster_figure, colour_map_figure, save_figure

    save_figure(cluster_figure(pixels, model), figures / "clusters.png")
    if example:
        picture = read_photo(example).rgb
        figure = colour_map_figure(picture, model.label(picture), model.palette, example.name)
        save_figure(figure, figures / "example.png")
