"""The command line: hands each sub-command to the package it belongs to, and imports nothing heavy itself."""

import importlib
import importlib.metadata

import click

# First name on the command line -> (where its click command is, what the overview says about it).
COMMANDS = {
    "measure": ("deploy.measure_command:measure", "Measure the feet in photos, in millimetres."),
    "serve": ("deploy.service.commands:serve", "Measure photos over HTTP, with a page to drop one on."),
    "scenes": ("scenes.commands:scenes", "Render photos with their truth; check, prepare, convert datasets."),
    "keypoints": ("keypoints.commands:keypoints", "Train and evaluate the network for the sheet's corners."),
    "segmentation": ("segmentation.commands:segmentation", "Train and evaluate the network for the masks."),
    "deploy": ("deploy.commands:deploy", "Convert trained networks into a bundle; quantize, verify, serve it."),
    "experiments": ("experiments.commands:experiments", "Run what the project claims, and compare networks on photos."),
}

# Import name -> the extra of setup.cfg that installs it, for a message that names the way out.
EXTRA_OF = {
    "mxnet": "train-keypoints",
    "gluoncv": "train-keypoints",
    "tensorflow": "train-segmentation",
    "keras": "train-segmentation",
    "onnx": "convert",
    "tf2onnx": "convert",
    "onnxruntime": "convert",
    "nncf": "convert",
    "mitsuba": "render",
    "mitsuba_oidn": "render",
    "drjit": "render",
    "trimesh": "render",
    "scipy": "render",
    "skimage": "render",
    "matplotlib": "prepare",
    "sklearn": "prepare",
    "pycocotools": "prepare",
    "fastapi": "serve",
    "starlette": "serve",
    "pydantic": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "prometheus_client": "serve",
    "ray": "ray",
}


class LazyGroup(click.Group):
    """A click group that imports a sub-command only when it is called.

    `lazy_commands` maps a name to ("module:attribute", one line of help); the overview shows that line, so
    that it needs no import either.
    """

    def __init__(self, *args, lazy_commands: dict[str, tuple[str, str]], **kwargs):
        super().__init__(*args, **kwargs)
        self.lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy_commands:
            return None
        module_name, attribute = self.lazy_commands[cmd_name][0].split(":")
        return getattr(importlib.import_module(module_name), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy_commands.items()])

    def invoke(self, ctx: click.Context):
        """Runs the sub-command; a framework that is missing becomes one line that says how to get it."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            extra = EXTRA_OF.get((error.name or "").split(".")[0])
            if extra is None:
                raise
            raise click.ClickException(
                f"this command needs {error.name}, which is not installed: pip install 'foliopie[{extra}]'"
            ) from error


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"foliopie {importlib.metadata.version('foliopie')}")
        ctx.exit()


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Show the version and exit.")
def main() -> None:
    """Measures feet in millimetres in an ordinary photo, with the sheet of paper under them as the ruler."""


if __name__ == "__main__":
    main()
