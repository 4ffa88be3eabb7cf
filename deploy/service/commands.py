"""The command `foliopie serve`."""

import sys

import click

from deploy.service.settings import Settings

DEFAULTS = Settings()
SECONDS = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--bundle", type=click.Path(), metavar="DIR",
              help="Networks to measure with.  [default: those that ship with foliopie]")
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address to listen at; 0.0.0.0 is all of this machine's.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="Port to listen at; 0 takes a free one, and says which.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N",
              help="Processes that measure.  [default: one a core]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="Threads of each; name it in a container with a share of its machine.  [default: cores/workers]")
@click.option("--max-bytes", type=click.IntRange(min=1), default=DEFAULTS.max_bytes, show_default=True, metavar="N",
              help="Largest file of a photo.")
@click.option("--max-megapixels", type=click.FloatRange(min=0.01, max=200), default=DEFAULTS.max_pixels / 1e6,
              show_default=True, metavar="N", help="Largest photo, in millions of pixels.")
@click.option("--queue", type=click.IntRange(min=0), default=DEFAULTS.queue, show_default=True, metavar="N",
              help="Photos that may wait while every worker is busy.")
@click.option("--uploads", type=click.IntRange(min=1), default=DEFAULTS.uploads, show_default=True, metavar="N",
              help="Photos that may be received at a time.")
@click.option("--upload-timeout", type=SECONDS, default=DEFAULTS.upload_s, show_default=True, metavar="S",
              help="Seconds in which a photo must have arrived.")
@click.option("--timeout", type=SECONDS, default=DEFAULTS.timeout_s, show_default=True, metavar="S",
              help="Seconds that a photo may wait for a worker, and then be measured.")
@click.option("--grace", type=click.IntRange(min=0), default=60, show_default=True, metavar="S",
              help="Seconds that photos under way have to be answered after SIGTERM or Ctrl-C.")
@click.option("--allow-origin", "allow_origins", multiple=True, metavar="ORIGIN",
              help="Let pages of this origin (https://example.org) ask, too; may be given several times.")
def serve(bundle, host, port, workers, threads, max_bytes, max_megapixels, queue, uploads, upload_timeout, timeout,
          grace, allow_origins):
    """Measure photos over HTTP: POST /v1/measure, and a page to drop a photo on.

    /docs says what can be asked and answered, /healthz whether it is alive, /readyz whether it can measure, /metrics
    how it does. Photos are in memory alone, and in no log.

    Exit status: 0 when it was ended by SIGTERM or Ctrl-C and all photos under way were answered, 1 when one was not
    or it could not begin, 2 for wrong usage.
    """
    from deploy.bundle import DEFAULT_FOLDER, Bundle, BundleError
    from deploy.service.server import listen
    from deploy.service.server import serve as serve_on
    from scenes.processes import cores

    try:
        # Once for all: a process that is started later has the networks of the others, whatever became of the folder.
        held = Bundle.load(bundle or DEFAULT_FOLDER, hold=True)
    except BundleError as error:
        raise click.ClickException(f"bundle_invalid: {error}") from error
    workers = workers or cores()
    settings = Settings(workers, threads or max(1, cores() // workers), max_bytes, round(max_megapixels * 1e6),
                        queue, uploads, upload_timeout, timeout, allow_origins)
    try:
        listening = listen(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen at {host}, port {port}: {error.strerror}; choose another --port or "
                                   "--host") from error
    sys.exit(1 if serve_on(settings, held, listening, grace) else 0)
