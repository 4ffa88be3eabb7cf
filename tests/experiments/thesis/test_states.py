"""What has become of a table or figure, by the files of its trainings."""

import json

import pytest

from experiments.thesis.items import ITEMS
from experiments.thesis.states import thesis_state


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cases").mkdir()
    return tmp_path / "cases"


@pytest.fixture
def write(folder, make_case):
    """A function (name, seed, date="2026-01-02") that writes a case file into the folder."""
    def write_case(name, seed, date="2026-01-02"):
        (folder / f"{name}-s{seed}.json").write_text(json.dumps(make_case(name, seed, date=date)))

    return write_case


def test_trainings_are_counted_as_far_as_they_are_wanted(folder, write):
    item = ITEMS["truncated-resnet50"]  # of the base model one seed is meant, of the other three
    assert thesis_state(item, folder, "quick") == "not run"
    write("base", 0)
    write("resnet50-1236", 0, "2026-01-03")
    write("resnet50-1238", 0, "2026-01-09")  # of another
    assert thesis_state(item, folder, "quick") == "2 of 4 trainings, 2026-01-03"
    for seed in (1, 2):
        write("resnet50-1236", seed)
    assert thesis_state(item, folder, "quick") == "done, 2026-01-03"


def test_a_name_that_begins_like_another_is_not_taken_for_it(folder, write):
    for name in ("hourglass-focal", "hourglass-rgb", "hourglass-visibility"):
        write(name, 0)
    assert thesis_state(ITEMS["hourglass"], folder, "quick") == "not run"
    assert thesis_state(ITEMS["hourglass-rgb"], folder, "quick") == "1 of 6 trainings, 2026-01-02"


def test_each_scale_has_as_many_as_it_wants(folder, write):
    for name in ITEMS["pools"].trainings:
        write(name, 0)
    assert thesis_state(ITEMS["pools"], folder, "paper").startswith("done")
    assert thesis_state(ITEMS["pools"], folder, "quick").startswith("3 of 9")


@pytest.mark.parametrize("place", [".", ".."])
def test_the_data_are_measured_or_not(place, folder):
    assert thesis_state(ITEMS["data"], folder, "quick") == "not run"
    (folder / place / "data.json").write_text("{}")
    assert thesis_state(ITEMS["data"], folder, "quick") == "done"


def test_what_rests_on_no_training_is_not_told_by_the_data(folder):
    (folder / "data.json").write_text("{}")
    assert thesis_state(ITEMS["conditions"], folder, "quick") == "not run"


def test_a_file_that_cannot_be_read_is_named(folder, write):
    write("base", 0)
    (folder / "base-s0.json").write_text("{")
    assert "base-s0.json is no result of a training" in thesis_state(ITEMS["base-pspnet"], folder, "quick")
