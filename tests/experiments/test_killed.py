"""The whole experiment with commands replaced by what takes no time, and what it looks at after a kill."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments import killed
from experiments.catalogue import EXPERIMENTS, Request
from experiments.killed import SCALES, different_runs, history, rendered, resumed, run_cases, trained, victim_of

KILLS = [{"aim": "any moment", "after_s": 0.5, "unfinished": (), "left": {"done": 0, "ahead": 0}},
         {"aim": "while it writes", "after_s": 2.5, "unfinished": ("writing.x",), "left": {"done": 3, "ahead": 1}}]


def test_every_case_is_told(tmp_path, monkeypatch, cases_in_this_process):
    asked = []

    def kill_often(victim, folder, kills, seed, tell):
        asked.append((folder.name, kills))
        if folder.name == "pixels":
            raise RuntimeError("it ended with status 1 though nobody killed it: see log.txt")
        problems = ["killed-0: state.npz is another"] if folder.name == "corners" else []
        return {"kills": KILLS, "runs": 1, "pace": {"writing_s": 0.25}, "problems": problems}

    monkeypatch.setattr(killed, "kill_often", kill_often)
    monkeypatch.setattr(killed, "_render", lambda scale, folder: folder.mkdir())
    request = Request(tmp_path / "out", results=tmp_path / "copy")
    outcome = EXPERIMENTS["killed"].run(request)
    assert sorted(asked) == [("corners", 2), ("pixels", 2), ("rendering", 2)] and set(outcome.faults) == {"pixels"}
    headings, cells = outcome.table
    assert cells == [["rendering", "2", "1", "1", "1", "1", "1", "1", "nothing"],
                     ["corners", "2", "1", "1", "1", "1", "1", "1", "killed-0: state.npz is another"]]
    assert len(headings) == 9
    assert "rendering 0.250 s, corners 0.250 s." in (tmp_path / "copy" / "README.md").read_text()
    for folder in (tmp_path / "out", tmp_path / "copy"):
        assert "| rendering | 2 | 1 | 1 | 1 | 1 | 1 | 1 | nothing |" in (folder / "README.md").read_text()
        assert json.loads((folder / "results.json").read_text())["missing"] == ["pixels"]
    with pytest.raises(ValueError, match="kills was 2, is 3"):
        run_cases(replace(SCALES["quick"], kills=3), request)


def test_a_checkpoint_and_its_history_are_read_whole(tmp_path):
    look = {"file": "state.npz", "epoch": "epoch"}
    assert trained(tmp_path, **look) == {"done": 0, "ahead": 0}
    (tmp_path / "history.jsonl").write_text("".join(json.dumps({"epoch": n, "seconds": n / 7}) + "\n" for n in (1, 2)))
    np.savez(tmp_path / "state.npz", epoch=np.int64(1), weights=np.arange(1000))
    assert trained(tmp_path, **look) == {"done": 1, "ahead": 1} and history(tmp_path)[1] == {"epoch": 2}
    np.savez(tmp_path / "state.npz", epoch=np.int64(3), weights=np.arange(1000))
    with pytest.raises(ValueError, match="the checkpoint is of 3"):
        trained(tmp_path, **look)
    whole = (tmp_path / "state.npz").read_bytes()
    for data, fault in ((whole[:-50], "not a zip file"), (whole.replace(b"\7\0\0\0", b"\6\0\0\0", 1), "CRC")):
        (tmp_path / "state.npz").write_bytes(data)
        with pytest.raises(Exception, match=fault):
            trained(tmp_path, **look)


def test_a_scene_counts_when_all_of_it_is_there(tmp_path):
    for name in ("images/1.jpg", "images/2.jpg", "images/.3.jpg.part", "masks/1.png", ".scenes/.2.json.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert rendered(tmp_path) == {"done": 0, "ahead": 2}
    (tmp_path / ".scenes" / "1.json").write_text("{}")
    assert rendered(tmp_path) == {"done": 1, "ahead": 1}
    (tmp_path / ".scenes" / "2.json").write_text("{}")
    with pytest.raises(ValueError, match=r"without photo or mask: \['2'\]"):
        rendered(tmp_path)


def test_what_came_out_otherwise_is_named(tmp_path):
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "state.npz").write_bytes(b"state")
        (tmp_path / run / "history.jsonl").write_text(json.dumps({"epoch": 1, "loss": 0.5, "seconds": hash(run)}))
        (tmp_path / run / "log.txt").write_text(f"{run}\ngoing on after epoch 4\n")
    one, two = tmp_path / "one", tmp_path / "two"
    assert different_runs(one, two) == [] and resumed(one) == [4] and resumed(tmp_path) == []
    (one / "state.npz").write_bytes(b"State")
    (one / ".state.npz.part").touch()
    (one / "history.jsonl").write_text(json.dumps({"epoch": 1, "loss": 0.25}))
    assert different_runs(one, two) == ["one: .state.npz.part is too many", "one: state.npz is another",
                                        "one: history.jsonl is another"]


@pytest.mark.parametrize("name", killed.CASES)
def test_every_case_has_a_command(tmp_path, name):
    command = [*map(str, victim_of(SCALES["quick"], name, tmp_path / "scenes").command(tmp_path / "out"))]
    assert str(tmp_path / "out") in command and ("--resume" in command) == (name != "rendering")


@pytest.mark.slow
@pytest.mark.long
def test_corners_are_killed_twice_and_go_on(tmp_path, make_sheets):
    pytest.importorskip("mxnet")
    found = killed.kill_often(victim_of(SCALES["quick"], "corners", make_sheets("sheets", 6)), tmp_path / "out", 2, 1)
    assert len(found["kills"]) == 2 and found["problems"] == []
