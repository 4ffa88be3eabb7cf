"""The whole report, of nothing and of made-up trainings."""

from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from experiments.thesis import report as thesis_report
from experiments.thesis.assemble import PARTS, assemble
from experiments.thesis.items import BEYOND, DATA, ITEMS
from experiments.thesis.material import Material, read_material
from experiments.thesis.sections import REPRODUCED, UNTOLD, VERDICTS
from experiments.thesis.trainings import CHOSEN, SCALES, TRAININGS

# In few sections, yet of both kinds: drawings take most of the time.
WRITTEN = ("base", "pyramid")


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    return assemble(read_material(folder, "quick"))


def test_all_of_the_thesis_is_there_in_its_order(empty):
    assert tuple(empty.parts) == PARTS and all(empty.parts.values())
    names = [section.name for part, sections in empty.parts.items() if part != DATA for section in sections]
    assert names == [name for name, item in ITEMS.items() if item.part != DATA]
    assert all(section.where for part, sections in empty.parts.items() if part != BEYOND for section in sections)


def test_of_an_empty_folder_nothing_is_claimed_of_trainings(empty):
    for part, sections in empty.parts.items():
        if part == DATA:  # some of it needs no scenes but those that come with the project
            continue
        assert {section.state for section in sections} == {"not run"}
        assert {verdict.word for section in sections for _, verdict in section.verdicts} == {UNTOLD}
    assert empty.machine == () and len(empty.unavailable) > 5


def test_the_summary_counts_what_is_below_it(all_cases, tmp_path):
    report = assemble(Material(tmp_path, "quick", all_cases))
    words = [verdict.word for section in thesis_report.sections_of(report) for _, verdict in section.verdicts]
    assert {word: words.count(word) for word in VERDICTS}[REPRODUCED] > 0
    text = " ".join(report.summary)
    assert SCALES["quick"].told in text and all(line in text for line in CHOSEN)
    (line,) = report.machine
    assert "Linux" in line and f"({3 * len(TRAININGS)} trainings)" in line


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.sources = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        if tag == "img":
            self.sources.append(attributes["src"].partition("/")[0])


def test_it_can_be_written(make_cases, write_cases, tmp_path, monkeypatch):
    """Once, with figures: sections without trainings have none. Those of the data are drawn in tests of their own."""
    monkeypatch.setattr(thesis_report, "DPI", 40)
    material = read_material(write_cases(make_cases(WRITTEN, 2)), "quick")
    report = assemble(material)
    report = replace(report, parts={**report.parts, DATA: [replace(section, drawings=())
                                                           for section in report.parts[DATA]]})
    page = thesis_report.write(report, tmp_path / "report")
    found = Links(page.read_text(encoding="utf-8"))
    drawings = {drawing.name for section in thesis_report.sections_of(report) for drawing in section.drawings}
    assert {section.name for section in thesis_report.sections_of(report)} <= found.ids
    assert found.sources == ["data:image"] * len(drawings)
    assert {file.stem for file in (tmp_path / "report" / "figures").iterdir()} == drawings == {
        "base-pspnet-learning", "base-pspnet-masks", "base-pspnet-confusion", "truncated-resnet50-learning",
        "truncated-resnet50-masks", "ranking", "dilemma-loss", "dilemma-corners"}
    frame = pd.read_csv(tmp_path / "report" / "tables" / "truncated-resnet50.csv")
    assert list(frame["thesis: validation"]) == [0.9576, 0.9714] and list(frame["seeds"]) == ["2 of 3", "0 of 3"]
    assert str(tmp_path) not in page.read_text(encoding="utf-8")
