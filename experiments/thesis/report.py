"""The report of the thesis's experiments for readers: a page, Markdown, and every table and figure as a file.

    OUT/index.html           one page; pictures and styles are in it, it asks no network for anything
    OUT/README.md            the same as Markdown
    OUT/tables/NAME.csv      each table, numbers as they came out
    OUT/figures/NAME.png     each figure

What the report says is `experiments.thesis.sections.Report`. The same report gives the same bytes.
"""

import base64
import io
import math
import numbers
import re
import struct
from collections import Counter
from itertools import groupby
from pathlib import Path

from PIL import Image

from deploy.page import render_thesis, write_text
from deploy.tables import markdown_table
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, VERDICTS
from scenes.files import write_whole

PAGE, TEXT, TABLES, FIGURES = "index.html", "README.md", "tables", "figures"
WEBP_QUALITY = 90
DPI, PAGE_DPI = 150, 100  # of the files, and of the page, where finer screens show what the files have more
# Verdict or state -> (sign, class in the page's style sheet): a colour is never all that tells them apart.
SIGNS = {REPRODUCED: ("\u2713", "yes"), NOT_REPRODUCED: ("\u2717", "no"), UNTOLD: ("?", "untold"),
         "partly": ("\u2026", "untold"), "not run": ("\u2013", "untold")}
STATES = {"partly": "partly done", "not run": "not run"}
NOTHING = "-"
IN_THESIS = "in the thesis"
# A text cell that is a number for the eye: 97.3, -1.2 %, < 0.1, 4.2 [3.9, 4.6], 1,234, 0.87 (+0.02).
_NUMBER = re.compile(r"[<>~+\u2212\u00b1-]?\s*\d[^A-Za-z]*(px|mm|ms|s|h|min|MB|M)?\s*")


def write(report, out):
    """Write a Report into a folder: path of its page.

    Raises ValueError where two sections, two tables or two figures have one name, or a table is said to have a
    published column that it lacks; OSError; and what drawing a figure raises.
    """
    out = Path(out)
    check(report)
    drawn = {drawing.name: png(drawing.draw()) for section in sections_of(report) for drawing in section.drawings}
    told = contents(report, drawn)
    for section in sections_of(report):
        for table in section.tables:
            if table.frame is not None:
                data = table.frame.to_csv(index=False, lineterminator="\n")
                write_whole(out / TABLES / f"{table.name}.csv", data.encode())
    for name, data in drawn.items():
        write_whole(out / FIGURES / f"{name}.png", data)
    write_text(out / TEXT, markdown(told))
    write_text(out / PAGE, render_thesis(told))
    return out / PAGE


def sections_of(report):
    """All Sections of a Report, in order."""
    return [section for sections in report.parts.values() for section in sections]


def check(report):
    """Raise ValueError for a Report that cannot be written: see `write`."""
    sections = sections_of(report)
    tables = [table for section in sections for table in section.tables]
    for kind, named in (("sections", sections), ("tables", tables),
                        ("figures", [drawing for section in sections for drawing in section.drawings])):
        # A file system may hold "A" and "a" for one name.
        doubles = [name for name, count in Counter(one.name.lower() for one in named).items() if count > 1]
        if doubles:
            raise ValueError(f"two {kind} of the report are named {', '.join(doubles)}: each is a file or a place on "
                             "the page, name them apart")
    for table in tables:
        lacking = [] if table.frame is None else [name for name in table.published if name not in table.frame.columns]
        if lacking:
            raise ValueError(f"table {table.name} has no column {', '.join(lacking)}, which it says is published")
    for section in sections:
        for finding, verdict in section.verdicts:
            if verdict.word not in VERDICTS:
                raise ValueError(f"section {section.name}, {finding}: a verdict is one of {', '.join(VERDICTS)}, not "
                                 f"{verdict.word!r}")


def png(figure):
    """A matplotlib Figure as the bytes of a PNG, without anything that tells when or by what it was written."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return data.getvalue()


def data_uri(data):
    """The bytes of a PNG for the page: as WebP where that is far smaller, as of figures of photos, a megabyte each."""
    smaller = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(smaller, "WEBP", quality=WEBP_QUALITY)
    kind, data = ("webp", smaller.getvalue()) if smaller.tell() < len(data) / 4 else ("png", data)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


# What is told, for the page and for Markdown alike


def contents(report, drawn):
    """What the page shows: dict. drawn: {name of a figure: bytes of its PNG}.

    Sections are counted through, tables and figures within their section: "Table 5" is always one of the thesis, "Table
    3.1" one of the report.
    """
    parts, number = [], 0
    for title, sections in report.parts.items():
        lines = []
        for section in sections:
            number += 1
            lines.append(section_contents(section, number, drawn))
        parts.append({"title": title, "sections": lines})
    words = Counter(verdict.word for section in sections_of(report) for _, verdict in section.verdicts)
    return {"title": report.title, "summary": _paragraphs(report.summary), "parts": parts,
            "counts": [badge(word) | {"count": words[word]} for word in VERDICTS],
            "unavailable": list(report.unavailable), "machine": _paragraphs(report.machine)}


def _paragraphs(text):
    """tuple of str, of one or of a single str."""
    return (text,) if isinstance(text, str) else tuple(text)


def badge(word, count=1):
    """How a verdict or a state is shown: dict with its word, sign, style and how many there are."""
    sign, style = SIGNS[word]
    return {"word": STATES.get(word, word), "sign": sign, "style": style, "count": count}


def section_contents(section, number, drawn):
    """What the page shows of a Section, the `number`th: dict."""
    words = Counter(verdict.word for _, verdict in section.verdicts)
    badges = [badge(word, words[word]) for word in VERDICTS if words[word]]
    if section.state in STATES:
        badges.append(badge(section.state))
    return {
        "name": section.name, "number": number, "where": section.where[:1].upper() + section.where[1:],
        "title": section.title, "badges": badges,
        "asked": "What the thesis says" if section.where else "What is asked", "claim": section.claim,
        "tables": [table_contents(table, f"{number}.{place}") for place, table in enumerate(section.tables, 1)],
        "figures": [figure_contents(drawing, f"{number}.{place}", drawn[drawing.name])
                    for place, drawing in enumerate(section.drawings, 1)],
        "verdicts": [badge(verdict.word) | {"finding": finding, "evidence": verdict.evidence}
                     for finding, verdict in section.verdicts],
        "notes": _paragraphs(section.notes), "scale": section.scale, "dates": section.dates,
    }  # fmt: skip


def figure_contents(drawing, number, data):
    """What the page shows of a Drawing: dict, width and height in the page's pixels. data: bytes of its PNG."""
    # A PNG's first chunk, its header, begins with both.
    width, height = (round(side * PAGE_DPI / DPI) for side in struct.unpack(">II", data[16:24]))
    return {"name": drawing.name, "number": number, "caption": drawing.caption, "alt": drawing.alt, "width": width,
            "height": height, "source": data_uri(data)}


def table_contents(table, number):
    """What the page shows of a Table: dict; its columns are (heading, whether published, whether words), `groups` are
    runs of neighbouring columns, (whether published, how many)."""
    told = {"name": table.name, "number": number, "caption": table.caption, "columns": [], "groups": [], "lines": []}
    if table.frame is None:
        return told
    columns = [[cell(value) for value in table.frame.iloc[:, place]] for place in range(table.frame.shape[1])]
    published = [name in table.published for name in table.frame.columns]
    words = [place == 0 or not is_numbers(column) for place, column in enumerate(columns)]
    # A heading that names the thesis needs nothing over it that does.
    tells = [key and not names_thesis(name) for key, name in zip(published, table.frame.columns, strict=True)]
    groups = [(key, len(list(run))) for key, run in groupby(published)] if any(tells) else []
    return told | {"columns": list(zip(map(str, table.frame.columns), published, words, strict=True)),
                   "groups": groups, "lines": [list(line) for line in zip(*columns, strict=True)]}


def names_thesis(heading):
    """Whether a column's heading says itself that it is the thesis's."""
    return "thesis" in str(heading).lower()


def cell(value):
    """A table's value as text: four digits of a number that count, all of a whole one, "-" for nothing."""
    import pandas as pd

    if isinstance(value, str):
        return value or NOTHING
    if pd.isna(value):
        return NOTHING
    # numpy's are no bool and no int.
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 or abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def is_numbers(column):
    """Whether the texts of a column are numbers or nothing, so that it stands to the right."""
    return all(text == NOTHING or _NUMBER.fullmatch(text) for text in column)


# Markdown


def markdown(told):
    """README.md of what `contents` gave."""
    lines = [f"# {plain(told['title'])}", *_spaced(map(plain, told["summary"])), ""]
    lines += [", ".join(f"{line['sign']} {line['word']}: {line['count']}" for line in told["counts"]) + ".", ""]
    lines += ["## Contents", ""]
    for part in told["parts"]:
        lines += [f"- {plain(part['title'])}"]
        lines += [f"  - [{section['number']}. {plain(section['title'])}](#{section['name']}){_tail(section)}"
                  for section in part["sections"]]
    for part in told["parts"]:
        lines += ["", f"## {plain(part['title'])}"]
        for section in part["sections"]:
            lines += section_lines(section)
    if told["unavailable"]:
        lines += ["", "## Values that are not available", "", *markdown_table(
            ["in the thesis", "why"], [[in_table(where), in_table(why)] for where, why in told["unavailable"]], (0, 1))]
    if told["machine"]:
        lines += ["", "## Machine", *_spaced(map(plain, told["machine"]))]
    return "\n".join([*lines, ""])


def _tail(section):
    badges = [f"{line['sign']} {line['word']}" + (f" ({line['count']})" if line["count"] > 1 else "")
              for line in section["badges"]]
    where = [plain(section["where"])] if section["where"] else []
    return "".join(f"; {text}" for text in [*where, *badges])


def section_lines(section):
    """Lines of Markdown of a section of `contents`."""
    lines = ["", f'<a id="{section["name"]}"></a>', "", f"### {section['number']}. {plain(section['title'])}", ""]
    lines += [f"*{plain(section['where'])}*", ""] if section["where"] else []
    lines += [f"**{section['asked']}.** {plain(section['claim'])}"]
    for table in section["tables"]:
        lines += ["", f"**Table {table['number']}.** {plain(table['caption'])}", ""]
        lines += _table_lines(table) if table["columns"] else ["Not there yet."]
    for figure in section["figures"]:
        lines += ["", f"![{plain(figure['alt'])}]({FIGURES}/{figure['name']}.png)", "",
                  f"**Figure {figure['number']}.** {plain(figure['caption'])}"]
    if section["verdicts"]:
        lines += ["", "**Verdict**", ""]
        lines += [f"- {line['sign']} **{line['word']}**: {plain(line['finding'].rstrip('.'))}. "
                  f"{plain(line['evidence'])}" for line in section["verdicts"]]
    if section["notes"]:
        lines += ["", "**What differs**", *_spaced(map(plain, section["notes"]))]
    told = [f"{name}: {plain(section[key])}" for name, key in (("Scale", "scale"), ("Dates", "dates")) if section[key]]
    return lines + ["", "; ".join(text.rstrip(".") for text in told) + "."] if told else lines


def _table_lines(table):
    headings = [in_table(heading) + (f" ({IN_THESIS})" if published and not names_thesis(heading) else "")
                for heading, published, _ in table["columns"]]
    lines = [[in_table(text) for text in line] for line in table["lines"]]
    texts = [place for place, (_, _, words) in enumerate(table["columns"]) if words]
    return [*markdown_table(headings, lines, texts), "", f"As CSV: [{table['name']}]({TABLES}/{table['name']}.csv)"]


def _spaced(paragraphs):
    return [line for paragraph in paragraphs for line in ("", paragraph)]


def plain(text):
    """A text on one line, with nothing in it that Markdown would take for a sign of its own."""
    text = re.sub(r"([\\`*<\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d*)([#>+-]|(?<=\d)[.)])(?=\s)", r"\1\\\2", text)


def in_table(text):
    """`plain` for a cell of a table."""
    return text if text == NOTHING else plain(text).replace("|", "\\|")
