"""`foliopie experiments`: list what there is, run one, compare two networks on photos."""

import importlib.util
import os
from pathlib import Path

import click

from experiments.catalogue import EXPERIMENTS, NAMES, SCALES, THESIS, Request

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
# Where an experiment works unless --out says otherwise.
WORK = Path("runs") / "experiments"
# Results that come with the project.
RESULTS_FOLDER = Path(__file__).parent / "results"
SETTINGS_HELP = ('JSON file {"setting": ["pattern of file names", ...]}: photos taken together count together. Without '
                 "it each photo is a setting of its own.")


@click.group()
def experiments():
    """Run what the project claims, and see what came out."""


@experiments.command("list", short_help="The experiments, and what has become of each.")
def list_command():
    """List the experiments, and what has become of each here and in the results that come with the project."""
    from experiments.folder import state

    for experiment in EXPERIMENTS.values():
        click.echo(f"{experiment.name}: {experiment.title}")
        click.echo(f"    options: {experiment.usage}")
        if experiment.trainings:  # told of each table
            continue
        click.echo(f"    with the project: {state(Path(__file__).parent / experiment.committed)}")
        for scale in SCALES:
            click.echo(f"    {_work_folder(experiment, scale)}: {state(_work_folder(experiment, scale))}")
    _list_thesis()


def _list_thesis():
    """Each table and figure of the thesis: what has become of it here and with the project."""
    from experiments.thesis.items import ITEMS
    from experiments.thesis.states import thesis_state

    click.echo("\nTables and figures of the thesis, by these names or as in `run table5`, `run figure36`:")
    for item in ITEMS.values():
        click.echo(f"{item.name}: {item.title}" + (f" ({item.where})" if item.where else ""))
        made_by = THESIS.get(item.name)
        if made_by is not None and not item.trainings and item.experiment:
            click.echo(f"    made by: {made_by.name}")
            continue
        for scale in SCALES:
            for folder in (RESULTS_FOLDER / "thesis" / scale, _work_folder(EXPERIMENTS["thesis"], scale) / "cases"):
                told = thesis_state(item, folder, scale)
                if told != "not run":
                    where = "with the project" if folder.is_relative_to(RESULTS_FOLDER) else folder.parent
                    click.echo(f"    {where}, {scale}: {told}")


def _work_folder(experiment, scale):
    return WORK / f"{experiment.shared or experiment.name}-{scale}"


class NamedFolder(click.ParamType):
    """NAME=FOLDER, as in hourglass=runs/hourglass, to ("hourglass", path)."""

    name = "NAME=FOLDER"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        name, sign, folder = value.partition("=")
        if not (name and sign):
            self.fail(f"{value!r} is no NAME=FOLDER, as in hourglass=runs/hourglass", param, ctx)
        return name, FOLDER.convert(folder, param, ctx)


# What an experiment may be given beside --scale, --out, --workers and --results; catalogue.Experiment.usage says which.
OWN_OPTIONS = (
    click.option("--data", multiple=True, type=FOLDER, metavar="DIR",
                 help="Dataset to train on; scene-comparison takes two, the second is held against the first; of the "
                 "thesis's trainings several are put together."),
    click.option("--test", type=FOLDER, metavar="DIR", help="Dataset to judge by."),
    click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Which split of it; all without."),
    click.option("--run", "runs", multiple=True, type=NamedFolder(), metavar="NAME=FOLDER",
                 help="A finished training (`foliopie keypoints train`, or `segmentation train` for "
                 "segmentation-speed and figure57), and what to call it."),
    click.option("--bundle", type=FOLDER, metavar="DIR",
                 help="A bundle with an INT8 variant: of the run's corner network, or of any segmentation network."),
    click.option("--photos", type=FOLDER, metavar="DIR",
                 help="Photos to judge by, with annotations.json (COCO keypoints)."),
    click.option("--settings", type=FILE, metavar="FILE", help=SETTINGS_HELP),
    click.option("--legs", type=FILE, metavar="FILE",
                 help="Shapes of lower legs for rendering, as in `scenes render`."),
    click.option("--textures", type=FOLDER, metavar="DIR", help="Pictures of floors for rendering."),
    click.option("--seeds", type=click.IntRange(min=1), help="Trainings of each kind; more can be added later."),
    click.option("--threads", type=click.IntRange(min=1),
                 help="CPU threads: of what is timed, all cores by default; of a training, one."),
)


def _own_options(function):
    for option in reversed(OWN_OPTIONS):
        function = option(function)
    return function


@experiments.command(short_help="Run an experiment; goes on where it stopped.", epilog="\b\n" + "\n".join(
    f"{experiment.name} {experiment.usage}" for experiment in EXPERIMENTS.values()))
@click.argument("name", metavar="NAME", type=click.Choice(list(NAMES)))
@click.option("--scale", default="quick", show_default=True, type=click.Choice(SCALES),
              help="quick: a minute, to see it work. paper: hours, to learn something.")
@click.option("--out", type=NEW_FOLDER, metavar="RUN", help=f"Folder to work in.  [default: {WORK}/NAME-SCALE]")
@_own_options
@click.option("--workers", type=click.IntRange(min=1), help="Processes at a time.  [default: one a core]")
@click.option("--results", type=NEW_FOLDER, metavar="DIR", help="Write the results here too.")
def run(name, out, workers, **options):
    """Run the experiment NAME of those that `experiments list` names, and go on where an earlier call stopped.

    NAME may be a table or a figure of the thesis, as in table5 or figure36.

    What is finished in RUN is not done again; other settings than RUN was begun with are refused. Each experiment takes
    the options that stand beside its name below, and --scale, --out, --workers and --results.
    """
    from scenes.processes import cores

    experiment = NAMES[name]
    _check_options(experiment, options)
    renderer = ("mitsuba", "mitsuba_oidn") if experiment.renders and not options["data"] else ()
    for framework in (*experiment.frameworks, *renderer):
        if importlib.util.find_spec(framework) is None:  # said before hours are spent
            raise ModuleNotFoundError(f"No module named {framework!r}", name=framework)
    request = Request(out=out or _work_folder(experiment, options["scale"]), workers=workers or cores(), **options)
    try:
        outcome = experiment.run(request)
    except (ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from fault
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped; the same command goes on in {request.out}") from None
    if outcome.results:
        _print_table(*outcome.table)
        click.echo(f"results: {request.out}")
    if outcome.faults:
        raise click.ClickException(f"{len(outcome.faults)} tasks were not done: {', '.join(outcome.faults)}; logs are "
                                   f"in {request.out / 'logs'}, and the same command tries them again")


def _check_options(experiment, options):
    """An option that an experiment does nothing with is a mistake."""
    flags = {"runs": "run"}
    for name, value in options.items():
        flag = flags.get(name, name)
        if value and name not in ("scale", "results") and flag not in experiment.options:
            raise click.UsageError(f"{experiment.name} takes no --{flag}; it takes {experiment.usage}")


def _print_table(headings, cells):
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings)
    for row in cells:
        table.add_row(*row)
    console = Console()
    # Into a file or a pipe rich would fold the table at 80 columns.
    Console(width=console.width if console.is_terminal else 160).print(table)


@experiments.command(short_help="Write the report: the thesis, table by table.")
@click.option("--out", required=True, type=NEW_FOLDER, metavar="DIR", help="Folder to write it into.")
@click.option("--scale", default="quick", show_default=True, type=click.Choice(SCALES),
              help="Of the thesis's trainings that are told.")
@click.option("--results", type=FOLDER, metavar="DIR", default=RESULTS_FOLDER,
              help="Folder of results: that of the project by default, or one like it, which `run thesis --results "
              "DIR/thesis` fills.")
def report(out, scale, results):
    """Write the report: every table and figure of the thesis, published beside reproduced.

    DIR gets index.html, one page that needs nothing else, README.md with its figures, and each table as CSV.
    """
    for module in ("matplotlib", "pandas"):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    from experiments.thesis.assemble import assemble
    from experiments.thesis.material import read_material
    from experiments.thesis.report import write

    try:
        page = write(assemble(read_material(results, scale)), out)
    except (ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"report: {page}")


@experiments.command(short_help="Compare the corner networks of two runs or bundles on photos.")
@click.argument("run_a", type=FOLDER)
@click.argument("run_b", type=FOLDER)
@click.option("--photos", required=True, type=FOLDER, metavar="DIR",
              help="Photos to judge by, with annotations.json (COCO keypoints).")
@click.option("--settings", type=FILE, metavar="FILE", help=SETTINGS_HELP)
@click.option("--weights", default="best", show_default=True, type=click.Choice(["best", "last"]),
              help="Which weights of the runs.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the comparison here.")
def compare(run_a, run_b, photos, settings, weights, json_file):
    """Compare two corner networks on the same photos: folders of `foliopie keypoints train` or bundles.

    Tells B - A: below zero where RUN_B has the smaller errors.
    """
    from scenes.processes import cores

    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))  # MXNet reads it when it is imported
    import json

    from deploy.bundle import BundleError
    from experiments.arms import compare_runs
    from experiments.results import cells, headings
    from keypoints.run import RunError
    from scenes.files import write_whole
    from scenes.images import PhotoError

    try:
        document = compare_runs(run_a, run_b, photos, settings, weights)
        if json_file:
            write_whole(json_file, (json.dumps(document, indent=1) + "\n").encode())
    except (RunError, BundleError, PhotoError, ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from fault
    _print_table(headings(document), cells(document))
