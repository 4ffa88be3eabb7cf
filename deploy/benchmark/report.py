"""The benchmark for readers: one table in the terminal, as CSV, as Markdown, and as HTML, which deploy.page writes."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

from deploy.benchmark.plots import panels
from deploy.benchmark.rows import SUBJECTS
from deploy.page import write_benchmark
from deploy.tables import markdown_table, number
from scenes.files import write_whole

RESULTS, CSV, TABLE, PAGE = "results.json", "results.csv", "README.md", "index.html"
NOT_ON_TERMINAL = ("least", "most", "load s", "first ms", "p99 ms", "file MB")  # for want of room
TITLES = {"keypoints": "Corners", "segmentation": "Pixels", "pipeline": "Whole pipeline, from the file to the feet"}


def _spread(key, form):
    return lambda row: None if row[key] is None else row[key]["median"], form


def _part(key, inner, form):
    return lambda row: (row[key] or {}).get(inner), form


def corner_px(row):
    """Median error of a row's corners on the labelled photos, pixels; None where it is not known."""
    return ((row["accuracy"] or {}).get("corners_px") or {}).get("median")


# Heading -> (value of a row, how it is written). Some stand in the table, all in the CSV.
SHOWN = {
    "runtime": (lambda row: row["runtime"], ""), "precision": (lambda row: row["precision"], ""),
    "batch": (lambda row: row["batch"], "d"), "streams": (lambda row: row["streams"], "d"),
    "p50 ms": _part("latency_ms", "p50", ".1f"), "p95 ms": _part("latency_ms", "p95", ".1f"),
    "p99 ms": _part("latency_ms", "p99", ".1f"), "images/s": _spread("images_per_second", ".1f"),
    "times the reference": _spread("ratio", ".2f"),
    "least": (lambda row: row["ratio"] and row["ratio"]["least"], ".2f"),
    "most": (lambda row: row["ratio"] and row["ratio"]["most"], ".2f"),
    "of the peak, %": (lambda row: row["share_of_peak"] and 100 * row["share_of_peak"], ".0f"),
    "mean IoU": _part("accuracy", "mean_iou", ".4f"), "corners, px": (corner_px, ".2f"),
    "answered": _part("accuracy", "answered", "d"),
    "parity, px": _part("parity", "corner_px", ".3f"), "parity, equal pixels": _part("parity", "equal_pixels", ".5f"),
    "images per core-hour": (lambda row: row["images_per_core_hour"], ",.0f"),
    "cost per million": (lambda row: row["cost_per_million"], ".2f"),
    "load s": _spread("load_seconds", ".2f"), "first ms": _spread("first_inference_ms", ".0f"),
    "memory MB": _spread("peak_memory_mb", ".0f"), "file MB": (lambda row: row["file_mb"], ".1f"),
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A table for readers: of a subject on a machine. lines: list of lists of str, `published` of them at the end."""

    title: str
    headings: list
    lines: list
    published: int

    def only(self, names):
        """The table without columns of other names."""
        kept = [place for place, name in enumerate(self.headings) if name in names]
        return Told(self.title, [self.headings[place] for place in kept],
                    [[line[place] for place in kept] for line in self.lines], self.published)


def tables(document):
    """Tables of a document: one for each subject on each machine, without columns of which nothing is known. What was
    published of a subject stands at the end of its first table."""
    found = []
    for subject in SUBJECTS:
        told = [published_cells(row) for row in document["published"] if row["subject"] == subject]
        for place in range(len(document["machines"])):
            rows = [row for row in document["rows"] if (row["subject"], row["machine"]) == (subject, place)]
            if not rows:
                continue
            lines = cells(rows) + told
            kept = {name for name, column in zip(SHOWN, zip(*lines, strict=True), strict=True) if set(column) != {"-"}}
            title = TITLES[subject] + (f", machine {place + 1}" if len(document["machines"]) > 1 else "")
            found.append(Told(title, list(SHOWN), lines, len(told)).only(kept))
            told = []
    return found


def cells(rows):
    """Lines of the table: list of lists of str, a cell for each of SHOWN."""
    return [[value if isinstance(value := read(row), str) else number(value, form) for read, form in SHOWN.values()]
            for row in rows]


def published_cells(row):
    """A line of what was published: a name, and milliseconds or images a second."""
    told = {"runtime": f"{row['name']} (published: {row['source']})",
            "p50 ms": number(row["milliseconds"], ".0f"), "images/s": number(row["images_per_second"], ".0f")}
    return [told.get(name, "-") for name in SHOWN]


def as_csv(document):
    """Every row with all its figures, unrounded, one line each."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["machine", "processor", "subject", *SHOWN, "images/s least", "images/s most", "threads", "rounds",
                     "calls"])
    for row in document["rows"]:
        writer.writerow([row["machine"], document["machines"][row["machine"]]["processor"], row["subject"],
                         *(read(row) for read, _ in SHOWN.values()), row["images_per_second"]["least"],
                         row["images_per_second"]["most"], row["threads"], row["rounds"], row["latency_ms"]["calls"]])
    return stream.getvalue()


def machine_line(machine):
    """A machine in words."""
    versions = ", ".join(f"{name} {found}" for name, found in machine["versions"].items() if found)
    price = "" if machine["price_per_hour"] is None else f"; {machine['price_per_hour']:g} an hour"
    return (f"{machine['processor']}, {machine['system']}, {machine['cores']} cores ({', '.join(machine['flags'])}), "
            f"{number(machine['memory_gib'], 'g')} GiB, {machine['threads']} threads for every row{price}; Python "
            f"{machine['python']}, {versions}")


def notes(document):
    """Sentences on how to read the figures."""
    labelled, configuration = document["configuration"]["labelled"], document["configuration"]
    rounds = f"{configuration['rounds']} round{'s' * (configuration['rounds'] > 1)}"
    told = [f"Each row was timed in {rounds} of {configuration['seconds']:g} s, in a process of its own, one after "
            "another, every second round backwards. Rates, loading, first answers and memory are medians of the "
            "rounds; latencies are those of all calls. A network is timed from photos at its size to its output, the "
            "pipeline from the file on disk to the measurement.",
            *(f"Reference of {subject}: {name}; a ratio is of images a second in the same round."
              for subject, name in document["references"].items()),
            *(f"Peak in {precision}: {peak['operations_per_second'] / 1e9:.0f} GFLOP/s, by {peak['by']}."
              for precision, peak in document["peaks"].items()),
            *(f"{TITLES[model]}: {flops / 1e9:.2f} GFLOP an image, two for each multiply and add, in convolutions and "
              "matrix products." for model, flops in document["flops"].items()),
            *(f"FP32, BF16 and FP16 of {model} are computed from {file}." for model, file in
              configuration["weights"].items()),
            "INT8: the quantised layers are computed in bytes, what is around them in FP32.",
            "Cost per million: of a machine of that price which does nothing else.",
            *(["A ratio of another machine's row is to its own reference there."] if len(document["machines"]) > 1 else
              []),
            "Of the peak: operations a second of a row as a share of the fastest large product or convolution in that "
            "precision, at its best in the same run.",
            "Parity: largest difference of the corners, in pixels of the network's input, and share of equal pixels "
            "against the native framework's recorded answers; of the pipeline, median difference of a photo's corners "
            "from the reference's, in pixels of the photo.",
            f"Accuracy: on {labelled['photos']} labelled photos, split {labelled['split']}; corners of a network are "
            "before sharpening, those of the pipeline after, of the photos that it answered." if labelled else
            "Accuracy: no labelled set was given."]
    return told


def agreement_lines(document):
    """Sentences on rows beside benchmark_app."""
    return [f"{line['name']}: {line['ours']:.1f} images/s here, {line['theirs']:.1f} in benchmark_app, ratio "
            f"{line['ratio']['median']:.3f} ({line['ratio']['least']:.3f} to {line['ratio']['most']:.3f})"
            f"{'' if line['agrees'] else ', which is further apart than 10 %'}" for line in document["benchmark_app"]]


def lacking(document):
    """[(what, why)] of the rows that were not available, alike ones together."""
    found = {}
    for line in document["not_available"]:
        setting = "" if line["batch"] == line["streams"] == 1 else f", batch {line['batch']}, streams {line['streams']}"
        place = f" (machine {line['machine'] + 1})" if line["machine"] else ""
        found.setdefault((f"{line['subject']}, {line['runtime']}{setting}{place}", line["why"]), []).append(
            line["precision"])
    return [(f"{what}: {', '.join(precisions)}", why) for (what, why), precisions in found.items()]


def markdown(document):
    """README.md."""
    lines = ["# Benchmark", "", f"{document['date']}."]
    for place, machine in enumerate(document["machines"], 1):
        lines += ["", f"Machine {place}: {machine_line(machine)}."]
    for table in tables(document):
        lines += ["", f"## {table.title}", "", *markdown_table(table.headings, table.lines, texts=(0, 1))]
    lines += ["", "## How to read it", ""] + [f"- {note}" for note in notes(document)]
    for title, told in (("Beside OpenVINO's benchmark_app", agreement_lines(document)),
                        ("Failed", [f"{line['name']}, {line['what']}: {line['error']}" for line in document["failed"]]),
                        ("Not available", [f"{what}: {why}" for what, why in lacking(document)])):
        lines += ["", f"## {title}", "", *(f"- {line}" for line in told)] if told else []
    return "\n".join([*lines, ""])


def write_report(folder, document):
    """Writes the document in all forms into a folder: JSON, CSV, Markdown, HTML. Raises OSError."""
    folder = Path(folder)
    write_whole(folder / RESULTS, (json.dumps(document, indent=1) + "\n").encode())
    write_whole(folder / CSV, as_csv(document).encode())
    write_whole(folder / TABLE, markdown(document).encode())
    drawn = {TITLES[subject]: plots for subject, plots in panels(document).items()}
    machines = [machine_line(machine) for machine in document["machines"]]
    write_benchmark(folder / PAGE, {
        "date": document["date"], "machines": machines, "words": 2, "tables": tables(document), "panels": drawn,
        "notes": notes(document), "agreement": agreement_lines(document), "failed": document["failed"],
        "lacking": lacking(document)})  # fmt: skip


def print_report(document):
    """The table on the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    wide = Console(width=console.width if console.is_terminal else 200)
    for told in tables(document):
        told = told.only([name for name in SHOWN if name not in NOT_ON_TERMINAL])
        table = Table(title=told.title, box=box.SIMPLE, title_justify="left")
        for place, heading in enumerate(told.headings):
            table.add_column(heading, justify="left" if place < 2 else "right")
        for line in told.lines:
            table.add_row(*line)
        wide.print(table)
    for line in [*agreement_lines(document),
                 *(f"failed: {line['name']}, {line['what']}: {line['error']}" for line in document["failed"])]:
        wide.print(line, markup=False, highlight=False)
    wide.print(f"{len(document['not_available'])} rows are not available here; {TABLE} says why", highlight=False)
