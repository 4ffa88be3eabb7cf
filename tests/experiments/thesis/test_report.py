"""The report is one page, its Markdown and its files, and they say the same."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from experiments.thesis import report as thesis_report
from experiments.thesis.report import cell, is_numbers, plain, png, write
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, Drawing, Report, Section, Table, Verdict

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Reads a page: its tags with their attributes and its text; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def draw():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([0, 1], [1, 0])
    return figure


def drawing(name, draw=draw):
    return Drawing(name, f"What {name} shows.", draw, f"a falling line, \"{name}\"")


FRAME = pd.DataFrame({"network": ["R18 | small", "R50 <b>"], "accuracy, %": [98.125, None],
                      "accuracy here, %": ["81.2 \u00b1 0.5", "80.0 \u00b1 0.4"], "parameters": [1234567, 7]})
SECTIONS = {
    "Pixels": [
        Section("pools", "Table 5", "Which pools", "Pools of 1 and 3 are <best>: 98 & more.",
                (Table("pools", "Accuracy by pools.", FRAME, ("accuracy, %",)), Table("later", "Of later.", None)),
                (drawing("curves"), drawing("confusion")),
                (("1356 is best", Verdict(REPRODUCED, "81.2 against 80.0 %.")),
                 ("By 0.9 points", Verdict(NOT_REPRODUCED, "By 1.2."))),
                ("Photos are <rendered>.",), scale="quick", dates="2026-01-02"),
    ],
    "Corners": [
        Section("covered", "", "Covered corners", "Are they found?", drawings=(drawing("corners"),), state="not run"),
        Section("order", "section 5", "Their order", "It turns.", verdicts=(("It turns.", Verdict(UNTOLD, "Few.")),)),
    ],
}
REPORT = Report("The thesis, done again", ("First.", "Second < third."), SECTIONS, [("Table 9", "No such *phone*.")],
                ("Linux, 2 cores",))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "new"
    assert write(REPORT, out) == out / "index.html"
    return out


@pytest.fixture(scope="module")
def page(written):
    return Page((written / "index.html").read_text(encoding="utf-8"))


def test_every_section_is_on_the_page_and_in_its_contents(page):
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {attributes["href"].removeprefix("#") for attributes in page.all("a")}
    assert {"pools", "covered", "order", "part-1", "part-2", "unavailable", "machine"} <= anchors & links
    assert links <= anchors
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for text in ("What the thesis says", "What is asked", "What differs", "1 reproduced", "1 not reproduced",
                 "1 cannot be told", "not run", "81.2 against 80.0 %.", "Table 9", "Linux, 2 cores", "2026-01-02"):
        assert text in page.text


def test_it_asks_the_network_for_nothing_and_runs_nothing(written, page):
    assert "http" not in (written / "index.html").read_text(encoding="utf-8")
    assert not page.all("script") and not page.all("link")
    kinds = tuple(f"data:image/{kind};base64," for kind in ("png", "webp"))
    assert all(image["src"].startswith(kinds) for image in page.all("img"))


def test_figures_have_captions_sizes_and_words_for_who_cannot_see_them(page):
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(page.all("img")) == 3
    assert page.all("img")[0]["alt"] == 'a falling line, "curves"'
    assert (page.all("img")[0]["width"], page.all("img")[0]["height"]) == ("300", "200")
    assert [number in page.text for number in ("Figure 1.1.", "Figure 1.2.", "Figure 2.1.", "Figure 2.2.")] == [
        True, True, True, False]


def test_nothing_in_it_is_taken_for_markup(written, page):
    text = (written / "index.html").read_text(encoding="utf-8")
    assert "&lt;best&gt;: 98 &amp; more" in text and "<best>" not in text
    assert "R50 &lt;b&gt;" in text and "&lt;rendered&gt;" in text and not page.all("best") + page.all("rendered")


def test_what_the_thesis_prints_is_marked_in_tables(page):
    tinted = [(tag, attributes) for tag, attributes in page.tags if "published" in attributes.get("class", "").split()]
    assert [tag for tag, _ in tinted] == ["th", "th", "td", "td"]  # its group, its heading, its two cells
    assert "in the thesis" in page.text
    scopes = [attributes["scope"] for attributes in page.all("th")]
    assert (scopes.count("row"), scopes.count("col"), scopes.count("colgroup")) == (3, 6, 1)
    assert len(page.all("caption")) == 2 and "Of later. Not there yet." in page.text


def test_markdown_says_the_same(written):
    text = (written / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# The thesis, done again\n\nFirst.\n\nSecond \\< third.\n")
    assert "| network | accuracy, % (in the thesis) | accuracy here, % | parameters |\n| --- | ---: | ---: | ---: |\n" \
           "| R18 \\| small | 98.12 | 81.2 \u00b1 0.5 | 1,234,567 |\n| R50 \\<b> | - | 80.0 \u00b1 0.4 | 7 |\n" in text
    assert "- \u2713 **reproduced**: 1356 is best. 81.2 against 80.0 %." in text
    assert "\n*Section 5*\n" in text and "- ? **cannot be told**: It turns. Few." in text
    assert "| Table 9 | No such \\*phone\\*. |" in text
    for link in re.findall(r"\]\(((?:figures|tables)/[^)]*)\)", text):
        assert (written / link).is_file()
    anchors = re.findall(r'<a id="([^"]*)"', text)
    assert re.findall(r"\]\(#([^)]*)\)", text) == anchors == ["pools", "covered", "order"]


def test_tables_and_figures_are_files(written):
    assert sorted(path.name for path in (written / "tables").iterdir()) == ["pools.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(written / "tables" / "pools.csv"), FRAME)
    assert sorted(path.name for path in (written / "figures").iterdir()) == [
        "confusion.png", "corners.png", "curves.png"]
    with Image.open(written / "figures" / "curves.png") as image:
        assert image.size == (450, 300)


def test_the_same_report_gives_the_same_bytes(written, tmp_path):
    write(REPORT, tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    for file in files:
        assert (tmp_path / file).read_bytes() == (written / file).read_bytes(), file
    with Image.open(io.BytesIO(png(draw()))) as image:
        image.load()
        assert "Software" not in image.info and "Creation Time" not in image.info


def test_a_figure_is_drawn_once(tmp_path):
    drawn = []
    section = Section("one", "", "One", "?", drawings=(drawing("once", lambda: drawn.append(1) or draw()),))
    write(Report("Title", (), {"Part": [section]}), tmp_path)
    assert drawn == [1]


@pytest.mark.parametrize("sections, told", [
    ([Section("one", "", "A", "a"), Section("One", "", "B", "b")], "two sections of the report are named one"),
    ([Section("one", "", "A", "a", tables=(Table("t", "", None), Table("t", "", None)))], "two tables .* named t"),
    ([Section("one", "", "A", "a", drawings=(drawing("d"),)), Section("two", "", "B", "b", drawings=(drawing("d"),))],
     "two figures .* named d"),
    ([Section("one", "", "A", "a", tables=(Table("t", "", FRAME, ("loss",)),))], "t has no column loss"),
    ([Section("one", "", "A", "a", verdicts=(("B", Verdict("maybe", "")),))], "one, B: a verdict .*'maybe'"),
])
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path, sections, told):
    with pytest.raises(ValueError, match=told):
        write(Report("Title", (), {"Part": sections}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_report_is_a_page(tmp_path):
    page = Page(write(Report("Title", ("Nothing yet.",), {}), tmp_path).read_text(encoding="utf-8"))
    assert "Nothing yet." in page.text and "not available" not in page.text


@pytest.mark.parametrize("value, told", [
    (None, "-"), (float("nan"), "-"), ("", "-"), ("as it is", "as it is"), (np.float64(0.98765), "0.9877"), (3.0, "3"),
    (np.int64(46712345), "46,712,345"), (1.3e-5, "1.3e-05"), (12345.6, "12,346"), (np.bool_(True), "yes"),
    (float("inf"), "inf"), (pd.NA, "-"),
])  # fmt: skip
def test_cells(value, told):
    assert cell(value) == told


def test_columns_of_numbers_stand_to_the_right():
    assert is_numbers(["97.3", "-", "< 0.1", "-1.2 %", "4.2 [3.9, 4.6]", "0.87 (+0.02)", "2.1 px"])
    assert not is_numbers(["97.3", "1 of them"]) and not is_numbers(["B4"])


def test_markdown_leaves_names_alone():
    assert plain("mean_iou of a_b\n is *one*") == "mean_iou of a_b is \\*one\\*"
    assert plain("[x](y) `c` _d_ <e>") == "\\[x\\](y) \\`c\\` \\_d\\_ \\<e>"
    assert plain("# 1") == "\\# 1" and thesis_report.in_table("a|b") == "a\\|b"
    assert [plain(text) for text in ("1. One", "- 2", "-2 to 1.", "0.3 more")] == [
        "1\\. One", "\\- 2", "-2 to 1.", "0.3 more"]
