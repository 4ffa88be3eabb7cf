"""What the searches found, as a document and as a table for readers."""

import json
from pathlib import Path

from deploy.tables import markdown_table
from scenes.files import write_whole
from tests.fuzz import campaign
from tests.fuzz.targets import NAMES

TITLE = "Damaged and hostile files: fuzzing"
EXPLANATION = (
    "Every reader of what strangers send must answer, or refuse with an error of the project's own, whatever it is "
    f"given: never another exception, never more than {campaign.INPUT_SECONDS} s or {campaign.MEMORY_MB} MB. "
    "`python -m tests.fuzz` searches for what breaks that with atheris (libFuzzer, led by the branches of the Python "
    "code that an input takes), and asks the service with schemathesis what its `openapi.json` promises.")
NOTES = (
    "Runs: inputs tried. Answered: those of which there was a photo, a dataset, a bundle. Corpus: inputs kept because "
    "they took a new way. Broken: kinds and places of other exceptions, and inputs that took too long, too much "
    "memory or the process with them. Seconds are of the clock: the machine did other work beside it, and `processor` "
    "tells how much of them was spent on the search, at the lowest priority.",
    "Compiled code (Pillow's and libheif's decoders, pycocotools, OpenCV) is not instrumented: it was mutated into, "
    "and would have been seen to kill its process or to grow it, not to read past its memory without consequence. "
    "Networks of a bundle are not mutated: their hashes are checked before they are read, and who can write both can "
    "send a network of any kind.",
)
SUMMED = ("seconds", "processor", "runs", "answered")
# (target, input, what it did, what becomes of it now): found while the targets were written and in their first minutes,
# before the searches of the table. Each has a test of its own.
MENDED = (
    ("heic", "an item whose kind is no text", "pi-heif 1.4.0 ended the process (segmentation fault)",
     "pillow-heif 1.8.1 is asked for, which reads it"),
    ("request", "`charset=undefined` or `punycode` beside the boundary", "UnicodeError out of Starlette: status 500",
     "400, `bad_request`"),
    ("dataset, coco, manifest", "a number of 5,000 digits", "ValueError of Python's reader", "no JSON, says the error"),
    ("dataset", "attributes nested 400 deep", "RecursionError in check, repair", "nested more than 50 deep: refused"),
    ("dataset, label_studio, manifest", "a whole number beyond floats", "OverflowError, TypeError", "no number"),
    ("dataset, tables", "a file's name of more than 255 bytes", "OSError", "no such file"),
    ("dataset, manifest", "`./.` as a file's name", "ValueError of pathlib", "no path of a file"),
    ("manifest", "a list as `default_precision`; a name with a NUL", "TypeError, ValueError", "`bundle_invalid`"),
    ("golden", "damaged arrays, other methods of packing", "TokenError, NotImplementedError, OverflowError, "
     "AttributeError; bytes taken for an array", "`bundle_invalid`"),
    ("archive", "a damaged stream of Deflate or LZMA", "zlib.error, LZMAError", "`not_zip`"),
    ("mask", "another format under the name of a PNG, PostScript too", "Pillow would have started Ghostscript",
     "only the formats of photos are opened"),
)


def write(out, folder, remarks=()):
    """results.json and README.md of the searches in OUT, into a folder. remarks: paragraphs on these searches."""
    out, folder = Path(out), Path(folder)
    runs = {name: json.loads((out / name / "runs.json").read_text()) for name in (*NAMES, "http")
            if (out / name / "runs.json").exists()}
    http = runs.pop("http", [])
    mended = [dict(zip(("target", "input", "before", "now"), one, strict=True)) for one in MENDED]
    document = {"schema": 1, "experiment": "fuzz", "versions": campaign.versions(), "searches": runs, "http": http,
                "remarks": list(remarks), "mended": mended}
    write_whole(folder / "results.json", (json.dumps(document, indent=1) + "\n").encode())
    write_whole(folder / "README.md", markdown(document).encode())


def markdown(document):
    """README.md of a document."""
    cells = []
    for name, runs in document["searches"].items():
        broken = sum(len(one["raised"]) + sum(one[what] for what in campaign.ENDINGS.values()) for one in runs)
        total = {key: sum(one[key] for one in runs) for key in SUMMED}
        cells.append([f"`{name}`", *(f"{value:,.0f}" for value in total.values()), f"{runs[-1]['corpus']:,}",
                      f"{runs[-1]['branches']:,}", f"{max(one['peak_mb'] for one in runs)}", f"{broken}"])
    summed = [sum(one[key] for runs in document["searches"].values() for one in runs) for key in SUMMED]
    cells.append(["in all", *(f"{value:,.0f}" for value in summed), "", "", "", ""])
    headings = ["target", "seconds", "processor", "runs", "answered", "corpus", "branches", "most MB", "broken"]
    told = [f"{date}" for date in sorted({one["date"] for runs in document["searches"].values() for one in runs})]
    lines = [f"# {TITLE}", "", EXPLANATION, "", f"{', '.join(told)}.", "", *markdown_table(headings, cells)]
    for one in document["http"]:
        answers = ", ".join(f"{count} x {status}" for status, count in one["statuses"].items())
        failures = f"broke {'; '.join(one['failures'])}" if one["failures"] else "broke nothing that is promised"
        lines += ["", f"schemathesis {document['versions']['schemathesis']}, all checks, {one['seconds']:.0f} s: "
                      f"{one['cases']} requests {failures}; photos were answered {answers}; the service "
                      f"{'lived' if one['service_alive'] else 'died'} and logged {one['errors_logged']} errors."]
    for note in (*document["remarks"], *NOTES):
        lines += ["", note]
    lines += ["", "## What was found and mended", "", "Before the searches above; each has a test.", ""]
    headings = ["target", "input", "before", "now"]
    lines += markdown_table(headings, [list(one.values()) for one in document["mended"]], texts=range(4))
    return "\n".join([*lines, ""])
