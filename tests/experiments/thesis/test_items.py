"""Every table and figure of the thesis's results has a section, whether anything was trained for it or not."""

import inspect

import numpy as np
import pandas as pd
import pytest

from experiments.catalogue import EXPERIMENTS, NAMES, THESIS
from experiments.thesis import published
from experiments.thesis.assemble import build
from experiments.thesis.items import BEYOND, DATA, ITEMS, NUMBERS, numbers
from experiments.thesis.material import Material
from experiments.thesis.sections import UNTOLD, VERDICTS, Section
from experiments.thesis.trainings import TRAININGS

BUILT = [name for name, item in ITEMS.items() if item.part != DATA]
TRAINED = [name for name, item in ITEMS.items() if item.trainings]


@pytest.fixture(scope="module")
def trained(all_cases, tmp_path_factory):
    """Sections by name, where every training is done and no other experiment is."""
    material = Material(tmp_path_factory.mktemp("nothing"), "quick", all_cases)
    return {name: build(ITEMS[name], material) for name in BUILT}


def test_names_of_tables_and_figures_are_read_from_words():
    assert numbers("tables 4 and 5, figure 36") == ["table4", "table5", "figure36"]
    assert numbers("figures 47 to 49") == ["figure47", "figure48", "figure49"]
    assert numbers("tables 1 to 3, figures 19 to 22") == [
        "table1", "table2", "table3", "figure19", "figure20", "figure21", "figure22"]
    assert numbers("figures 8 to 9 and 12") == ["figure8", "figure9", "figure12"]
    for where in ("", "section 5.2.2", "tables of section 5.1.2", "chapter 6", "section 5, 3 to 4"):
        assert numbers(where) == []


def test_every_table_and_figure_of_its_own_results_has_a_name():
    # Figures 28 to 35 and 39 show other people's work; before 19 none is of results.
    figures = {f"figure{number}" for number in range(19, 58) if number not in (*range(28, 36), 39)}
    assert set(NUMBERS) == figures | {f"table{number}" for number in range(1, 6)}
    assert all(number in numbers(item.where) for number, item in NUMBERS.items())
    assert len(numbers(" ".join(item.where for item in ITEMS.values()))) == len(NUMBERS)  # each has one place


def test_what_can_be_run_names_its_trainings_or_its_experiment():
    for name, item in ITEMS.items():
        assert item.name == name and set(item.trainings) <= set(TRAININGS)
        assert item.experiment == "" or item.experiment in EXPERIMENTS
        assert bool(item.where) == (item.part != BEYOND)
        assert {TRAININGS[one].kind for one in item.trainings} in (set(), {"pixels"}, {"corners"})
    assert set(NUMBERS) | set(TRAINED) <= set(THESIS) <= set(NAMES)
    assert THESIS["figure36"].trainings == ("base",) and THESIS["figure57"] is EXPERIMENTS["figure57"]
    assert THESIS["table2"].trainings == () and THESIS["table2"].module == "experiments.thesis.run"
    assert THESIS["hourglass"].frameworks == ("mxnet", "gluoncv")
    assert THESIS["figure42"].frameworks == ("tensorflow", "keras")


@pytest.mark.parametrize("name", BUILT)
def test_nothing_is_claimed_of_what_was_not_run(name, nothing):
    section = build(ITEMS[name], nothing)
    assert isinstance(section, Section) and section.state == "not run" and section.dates == ""
    assert (section.name, section.where, section.title) == (name, ITEMS[name].where, ITEMS[name].title)
    assert len(section.claim) > 40 and section.verdicts
    for finding, verdict in section.verdicts:
        assert finding and verdict.word == UNTOLD and verdict.evidence, finding
    assert not section.drawings
    for table in section.tables:
        assert not [heading for heading in table.frame if heading.startswith("here")]


def test_every_training_is_told(trained):
    for name in TRAINED:
        section = trained[name]
        assert section.state == "done" and section.scale == "quick", name
        assert section.dates.startswith("2026-01-01")
        frame = section.tables[0].frame
        assert list(frame["training"]) == [TRAININGS[one].label for one in ITEMS[name].trainings]
        assert set(frame["seeds"]) == {"3"} and not frame.filter(like="here:").iloc[0].isna().all()
        assert {verdict.word for _, verdict in section.verdicts} <= set(VERDICTS)


def test_what_is_published_stands_in_columns_that_say_so(trained):
    columns = {"thesis: training": "train", "thesis: training F1": "train_f1", "thesis: validation": "validation",
               "thesis: validation F1": "validation_f1"}
    seen = set()
    for name in TRAINED:
        for table in trained[name].tables:
            assert set(table.published) == {heading for heading in table.frame if heading.startswith("thesis")}
        table = trained[name].tables[0]
        for one, (_, row) in zip(ITEMS[name].trainings, table.frame.iterrows(), strict=True):
            for heading in set(table.published) & set(columns):
                wanted = published.PIXELS.get(one, {}).get(columns[heading])
                told = None if pd.isna(row[heading]) else float(row[heading])
                assert told == (None if wanted is None else float(wanted)), (one, heading)
                seen.add((one, columns[heading]))
    assert {(name, key) for name, values in published.PIXELS.items() for key in values} <= seen


def test_published_figures_of_corners_are_told(trained):
    frame = trained["hourglass"].tables[0].frame.set_index("training")
    assert frame["thesis: heatmap accuracy"]["SimplePose ResNet18"] in (0.998, "0.998")
    assert frame["thesis: MSE"]["hourglass"] == "1.3e-05"
    assert np.all(frame["here: heatmap accuracy"] == "0.250 (0.250 to 0.250)")


def test_a_section_is_told_the_same_twice(all_cases, trained, tmp_path):
    section = build(ITEMS["pools"], Material(tmp_path, "quick", all_cases))
    assert section.verdicts == trained["pools"].verdicts and section.notes == trained["pools"].notes
    assert section.tables[0].frame.equals(trained["pools"].tables[0].frame)


def test_fewer_seeds_are_told_no_verdict_by(make_cases, tmp_path):
    """One seed and two: nothing is said to be reproduced, or not to be, of what trainings are compared for."""
    for seeds in (1, 2):
        material = Material(tmp_path, "quick", make_cases(TRAININGS, seeds))
        for name in TRAINED:
            if name == "base-pspnet":
                continue
            for finding, verdict in build(ITEMS[name], material).verdicts:
                assert verdict.word == UNTOLD, (name, finding)


def test_builders_have_no_more_arguments_than_they_are_given():
    for name in BUILT:
        module = __import__(ITEMS[name].builder, fromlist=["builder"])
        assert list(inspect.signature(getattr(module, name.replace("-", "_"))).parameters) == ["item", "material"]
