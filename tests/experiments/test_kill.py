"""Killing, with a work of a moment: it counts to 12, and keeps each number, which takes most of the time."""

import json
import os
import sys

import pytest

from experiments import kill
from experiments.kill import ANY, WRITING, Victim, Writing, kill_often

WORK = """
import os, pathlib, sys, time
folder, way = pathlib.Path(sys.argv[1]), sys.argv[2]
folder.mkdir(exist_ok=True)
state = folder / "state"
done = int(state.read_text() or 0) if state.exists() else 0
if done:
    with open(folder / "log.txt", "a") as log:
        print(done - (way == "forgets"), file=log)
for number in range(done + 1, 13):
    beside = folder / "writing.state"
    with open(beside, "w") as stream:
        time.sleep(0.02)
        stream.write(str(number))
    if way == "in place":
        with open(state, "w") as stream:
            time.sleep(0.06)
            stream.write(str(number))
    os.replace(beside, state)
    if way == "stumbles" and done:
        sys.exit(3)
    time.sleep(0.02)
if way == "differs" and folder.name != "whole":
    state.write_text("13")
"""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(kill, "PAUSE_SECONDS", 0.005)


def victim(way):
    def numbers(folder):
        log = folder / "log.txt"
        return [int(line) for line in log.read_text().splitlines()] if log.exists() else []

    def state(folder):
        return {"done": int((folder / "state").read_text()) if (folder / "state").exists() else 0}

    def differences(run, whole):
        return [] if state(run) == state(whole) else [f"{run.name} is another"]

    return Victim(lambda folder: [sys.executable, "-c", WORK, folder, way], state, numbers, differences)


def test_what_goes_on_from_whole_states_has_no_problem(tmp_path):
    told = []
    found = kill_often(victim("right"), tmp_path / "out", 6, 1, told.append)
    assert found["problems"] == [] and told == [1, 2, 3, 4, 5, 6]
    assert {one["aim"] for one in found["kills"]} <= {ANY, WRITING} and len(found["kills"]) == 6
    assert found["runs"] >= 1 and json.dumps(found) and (tmp_path / "out" / "whole" / "state").read_text() == "12"


def test_what_is_beside_its_place_is_told_but_not_what_was_there_before(tmp_path):
    (tmp_path / "images").mkdir()
    for name in (".resume.npz.part", "writing.state.npz", "resume.npz"):
        (tmp_path / name).touch()
    writing = Writing(tmp_path)
    assert writing.names() == () and not writing.is_going_on()
    os.utime(tmp_path / "images", ns=(7, 7))  # as by a file that came and was renamed in between
    assert writing.is_going_on() and not writing.is_going_on()
    for name in ("images/.1.jpg.part", "images/2.jpg"):
        (tmp_path / name).touch()
    os.utime(tmp_path / "writing.state.npz", ns=(5, 5))
    assert writing.names() == (".1.jpg.part", "writing.state.npz") and writing.is_going_on()
    assert writing.is_going_on()  # as long as they are there


@pytest.mark.parametrize(("way", "said"), [("forgets", "went on after"), ("differs", "is another"),
                                           ("in place", "ValueError")])  # fmt: skip
def test_what_does_not_is_told(tmp_path, way, said):
    found = kill_often(victim(way), tmp_path / "out", 8, 1)
    assert any(said in problem for problem in found["problems"])


def test_what_nobody_can_kill_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(kill, "_wait", lambda *_: False)
    with pytest.raises(RuntimeError, match="killed 0 times in 6 runs"):
        kill_often(victim("right"), tmp_path / "out", 1, 1)


def test_what_fails_time_after_time_is_given_up(tmp_path):
    with pytest.raises(RuntimeError, match="ended with status 3 after"):
        kill_often(victim("stumbles"), tmp_path / "out", 6, 1)
