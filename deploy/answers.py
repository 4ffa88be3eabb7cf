"""Answers of a batch, as `to_json` gave them, one row a foot: a table on the terminal, and CSV."""

import csv
import io
import sys

from deploy.shoe_sizes import eu_sizes_in

CSV_COLUMNS = (
    "photo", "error", "message", "sheet", "sheet_confidence", "side", "side_confidence", "length_mm",
    "length_uncertainty_mm", "width_mm", "width_uncertainty_mm", "eu", "uk", "us_men", "us_women", "child", "warnings",
)  # fmt: skip
NO_FOOT = {"side": "", "shoe_sizes": {}}
SIZES_NOTE = "Shoe sizes are approximate: makers differ. C: children's."


def csv_text(answers):
    """The answers as CSV: a heading, then one row a foot; one without a foot for a photo without any, and one with the
    error for a photo without an answer. What a row lacks is empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for answer in answers:
        if "error" in answer:
            error = answer["error"]
            writer.writerow({"photo": answer["photo"], "error": error["code"], "message": error["message"]})
            continue
        common = {"photo": answer["photo"], "sheet": answer["sheet"]["format"],
                  "sheet_confidence": answer["sheet"]["confidence"],
                  "warnings": " ".join(warning["code"] for warning in answer["warnings"])}
        for foot in answer["feet"] or [NO_FOOT]:
            writer.writerow(common | _foot_columns(foot))
    return stream.getvalue()


def _foot_columns(foot):
    columns = {name: foot[name] for name in ("side", "side_confidence", "length_mm", "width_mm") if name in foot}
    for what, half_mm in foot.get("uncertainty_mm", {}).items():
        columns[f"{what}_uncertainty_mm"] = half_mm
    sizes = {name: "" if size is None else size for name, size in foot["shoe_sizes"].items()}
    return columns | {name: size for name, size in sizes.items() if name in CSV_COLUMNS}


def print_table(answers):
    """A table for people on standard output, one row a foot."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("photo", "sheet", "foot"):
        table.add_column(heading, overflow="fold")
    for heading in ("length mm", "width mm", "EU", "UK", "US men", "US women"):
        table.add_column(heading, justify="right")
    table.add_column("notes", overflow="fold")
    blank = [""] * 7
    for answer in answers:
        photo = Text(answer["photo"])
        if "error" in answer:
            table.add_row(photo, "", *blank, Text(answer["error"]["code"], style="red"))
            continue
        notes = Text(", ".join(warning["code"] for warning in answer["warnings"]), style="yellow")
        for foot in answer["feet"] or [None]:
            table.add_row(photo, answer["sheet"]["format"], *(blank if foot is None else foot_cells(foot)), notes)
    # A pipe has no width: lines must not be folded there.
    console = Console(width=None if sys.stdout.isatty() else 240, file=sys.stdout)
    console.print(table)
    if any(answer.get("feet") for answer in answers):
        console.print(SIZES_NOTE, style="dim", markup=False, highlight=False)


def foot_cells(foot):
    """Side, length, width, EU, UK, US men's and US women's size of a foot of an answer, as text."""
    sizes = foot["shoe_sizes"]
    half = eu_sizes_in(foot["uncertainty_mm"]["length"])
    return [foot["side"], _with_half(foot, "length"), _with_half(foot, "width"), f"{sizes['eu']:g} \u00b1 {half:g}",
            *(_size(sizes[name], sizes["child"]) for name in ("uk", "us_men", "us_women"))]


def _with_half(foot, what):
    return f"{foot[what + '_mm']:.1f} \u00b1 {foot['uncertainty_mm'][what]:.1f}"


def _size(size, is_child):
    return "-" if size is None else f"{size:g}{' C' if is_child else ''}"
