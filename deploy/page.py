"""The one place that writes HTML: a batch of measured photos, a benchmark, or the report of the thesis's experiments,
as one self-contained page; and the pages of the HTTP service.

Pictures travel inside the page as data URIs, so that it can be sent as one file and opened without a network. The
service's pages have their style and script in files beside them, for it forbids any inside.
"""

import base64
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jinja2
from PIL import Image

from deploy.answers import SIZES_NOTE, foot_cells
from scenes.files import is_stream

THUMBNAIL_PX = 720  # long side
JPEG_QUALITY = 80
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Entry:
    """One photo of a page: what `to_json` of its Measurement or Failure gave, and its picture as a data URI or None."""

    answer: dict
    picture: str | None = None


def thumbnail(rgb, long_side=THUMBNAIL_PX):
    """A picture uint8 (H, W, 3) as a JPEG data URI, at most long_side pixels long."""
    image = Image.fromarray(rgb)
    image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=JPEG_QUALITY)
    return data_uri(stream.getvalue())


def data_uri(jpeg):
    """The bytes of a JPEG as what an HTML page shows in place of a file."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def render_measurements(entries, title="Measured feet"):
    """The page as text. entries: Entry, in the order in which they are shown."""
    entries = list(entries)
    return _render("measurements.html.j2", title=title, entries=entries, summary=summarise(entries),
                   foot_cells=foot_cells, sizes_note=SIZES_NOTE)


def render_benchmark(report, title="Benchmark"):
    """The page of a benchmark as text. report: dict of what its template shows, from deploy.benchmark.report."""
    return _render("benchmark.html.j2", title=title, report=report)


def render_thesis(report):
    """The report of the thesis's experiments as text. report: dict of what its template shows, from
    experiments.thesis.report."""
    return _render("thesis.html.j2", report=report)


def render_service(max_bytes):
    """The page of the service on which a photo is dropped, as text. max_bytes: that it takes."""
    return _render("service.html.j2", max_bytes=max_bytes, sizes_note=SIZES_NOTE)


def render_service_docs(openapi):
    """What can be asked of the service, for people. openapi: dict, its OpenAPI document."""
    return _render("service_docs.html.j2", openapi=openapi)


def service_file(name):
    """The text of a style or script that the service's pages name."""
    return _render(name)


def _render(template, **values):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def summarise(entries):
    """Counts over the entries: dict with photos, answered, failed, feet, warned."""
    answers = [entry.answer for entry in entries]
    answered = [answer for answer in answers if "error" not in answer]
    return {
        "photos": len(answers),
        "answered": len(answered),
        "failed": len(answers) - len(answered),
        "feet": sum(len(answer["feet"]) for answer in answered),
        "warned": sum(bool(answer["warnings"]) for answer in answered),
    }


def write_measurements(path, entries, title="Measured feet"):
    """Write the page beside its place and rename it into it; folders are made."""
    write_text(path, render_measurements(entries, title))


def write_benchmark(path, report, title="Benchmark"):
    """Write the page of a benchmark, as `write_measurements` does."""
    write_text(path, render_benchmark(report, title))


def write_text(path, text):
    """Write a UTF-8 text file beside its place and rename it into it, so that nobody ever reads half of it.

    text: str, or the parts of one. What UTF-8 cannot say, as file names of other encodings have it, is written as an
    escape. What `is_stream` is written to as it is.
    """
    path = Path(path)
    parts = [text] if isinstance(text, str) else text
    if is_stream(path):
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(parts)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(parts)
        # mkstemp makes files for their owner alone; a result is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
