"""`python -m tests.fuzz`: searches for inputs that break the readers of what strangers send. Needs the extra `fuzz`."""

import os
import sys
from pathlib import Path

import click

from tests.fuzz.targets import NAMES, target

HTTP = "http"


@click.group()
def main():
    """Give readers of strangers' files everything but what they expect."""


@main.command()
@click.argument("names", metavar="[TARGET]...", nargs=-1, type=click.Choice([*NAMES, HTTP]))
@click.option("--seconds", type=click.IntRange(min=5), default=300, show_default=True, help="Of each target.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out/fuzz"), show_default=True,
              help="Folder of inputs, logs and figures; a search goes on with what is there.")
def run(names, seconds, out):
    """Search TARGETs, all unless some are named. Exit status: 1 where something was found."""
    from scenes.progress import progress_bars
    from tests.fuzz import campaign, http

    out = out.absolute()
    names, broken = names or (*NAMES, HTTP), False
    with progress_bars() as progress:
        tick = progress("targets", len(names))
        for name in names:
            found = http.run(out, seconds) if name == HTTP else campaign.run(name, out, seconds)
            click.echo(", ".join(f"{key} {value}" for key, value in found.items() if key not in ("raised", "date")))
            for one in found.get("raised", ()):
                file = out / name / "found" / one["input"]
                click.echo(f"  {one['kind']} at {one['place']}: {one['message']} ({file})")
            broken |= campaign.is_broken(found) if name != HTTP else http.is_broken(found)
            tick(1)
    click.echo(str(out))
    sys.exit(1 if broken else 0)


@main.command()
@click.argument("name", metavar="TARGET", type=click.Choice(NAMES))
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def replay(name, files):
    """Give TARGET inputs once more; what is raised is shown."""
    for file in files:
        click.echo(f"{file}: {'answered' if target(name).fuzz_one(file.read_bytes()) else 'refused'}")


@main.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--remark", "remarks", multiple=True, metavar="TEXT",
              help="A paragraph on these searches; may be given several times.")
def report(out, folder, remarks):
    """Write the figures of the searches in OUT into FOLDER, results.json and README.md."""
    from tests.fuzz.report import write

    write(out, folder, remarks)
    click.echo(os.fspath(folder))


if __name__ == "__main__":
    main()
