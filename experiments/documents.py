"""What any experiment found, written for readers: results.json, README.md with a table, figure.png."""

import io
import json
import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2

from experiments.folder import RESULTS
from scenes.files import write_whole

SCHEMA = 1
TABLE, FIGURE = "README.md", "figure.png"
LIBRARIES = ("numpy", "mxnet", "gluoncv", "mitsuba", "mitsuba-oidn")


def head(experiment, scale, configuration, faults, libraries=LIBRARIES):
    """What every results.json begins with: dict. No path of the machine is in it.

    configuration: dict, what was done. faults: {what was not done: why}. libraries: whose versions decide the numbers.
    """
    return {
        "schema": SCHEMA, "experiment": experiment, "scale": scale, "date": date.today().isoformat(),
        "machine": machine(libraries), "configuration": configuration, "missing": sorted(faults),
    }  # fmt: skip


def machine(libraries=LIBRARIES):
    """What it ran on: system, processor's kind, cores, and versions of what decides the numbers."""
    found = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(), "opencv": cv2.__version__, **found}


def page(document, title, explanation, table, notes, subject=None):
    """README.md of a document: what was done, its table, how to read it, the figure.

    table: lines of Markdown. notes: paragraphs below it. subject: what it was done on, a few words, or None.
    """
    lines = [f"# {title}", "", explanation, "",
             f"Scale `{document['scale']}`, {document['date']}{f'; {subject}' if subject else ''}.", "", *table]
    for note in notes:
        lines += ["", note]
    if document["missing"]:
        lines += ["", f"Not done: {', '.join(document['missing'])}."]
    return "\n".join([*lines, "", f"![figure]({FIGURE})", ""])


def write_results(folder, document, text, drawn):
    """Write results.json, README.md and figure.png into a folder. text: of README.md. drawn: matplotlib Figure."""
    folder = Path(folder)
    write_whole(folder / RESULTS, (json.dumps(document, indent=1) + "\n").encode())
    write_whole(folder / TABLE, text.encode())
    data = io.BytesIO()
    drawn.savefig(data, format="png", dpi=150)
    write_whole(folder / FIGURE, data.getvalue())
