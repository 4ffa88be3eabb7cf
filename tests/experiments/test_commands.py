import importlib
import importlib.util
import json
import os

import numpy as np
import pytest
from click.testing import CliRunner

import foliopie
from experiments import catalogue, commands
from experiments import photos as photos_module
from experiments.catalogue import EXPERIMENTS, SCALES, Outcome


def experiments(*arguments):
    return CliRunner().invoke(foliopie.main, ["experiments", *map(str, arguments)])


@pytest.fixture
def ending(monkeypatch):
    """A function that sets how every experiment ends, with an Outcome or an exception; gives the requests."""
    requests = []

    def set_ending(end):
        def run(experiment, request):
            requests.append((experiment.name, request))
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr(catalogue.Experiment, "run", run)
        return requests

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    return set_ending


def test_every_experiment_names_a_module_that_runs_it():
    for name, experiment in EXPERIMENTS.items():
        module = importlib.import_module(experiment.module)
        assert module.NAME == name == experiment.name and callable(module.run)
        assert set(module.SCALES) == set(SCALES)


def test_list_tells_the_state_of_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work = tmp_path / "runs" / "experiments" / "scene-ablation-quick"
    work.mkdir(parents=True)
    (work / "results.json").write_text(json.dumps({"scale": "quick", "date": "2026-01-02", "missing": []}))
    told = experiments("list").output
    assert all(name in told for name in EXPERIMENTS)
    assert "base-pspnet: The base model (tables 4 and 5, figure 36)" in told and "made by: figure57" in told
    assert f"{os.path.join('runs', 'experiments', 'scene-ablation-quick')}: done, quick, 2026-01-02" in told
    assert f"{os.path.join('runs', 'experiments', 'scene-ablation-paper')}: not run" in told


def test_options_become_a_request(tmp_path, ending):
    requests = ending(Outcome(None, {}))
    done = experiments("run", "scene-comparison", "--scale", "paper", "--data", tmp_path, "--data", tmp_path,
                       "--photos", tmp_path, "--seeds", 2, "--workers", 3)  # fmt: skip
    assert done.exit_code == 0, done.output
    ((name, request),) = requests
    assert name == "scene-comparison" and request.data == (tmp_path, tmp_path) and request.photos == tmp_path
    assert (request.scale, request.seeds, request.workers, request.results) == ("paper", 2, 3, None)
    assert request.out.as_posix() == "runs/experiments/scene-comparison-paper"
    done = experiments("run", "corner-turn", "--run", f"one={tmp_path}", "--run", f"two={tmp_path}", "--test", tmp_path,
                       "--split", "test")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert requests[1][1].runs == (("one", tmp_path), ("two", tmp_path)) and requests[1][1].split == "test"


def test_an_option_that_an_experiment_does_nothing_with_is_wrong_usage(tmp_path, ending):
    requests = ending(Outcome(None, {}))
    for name, *options in (("corner-overfit", "--seeds", 2),
                           ("corner-turn", "--data", tmp_path),
                           ("thesis", "--photos", tmp_path),
                           ("scene-ablation", "--run", f"one={tmp_path}")):  # fmt: skip
        done = experiments("run", name, *options)
        assert done.exit_code == 2 and f"{name} takes no {options[0]}; it takes" in done.output
    for wrong in ("one", f"={tmp_path}", f"one={tmp_path / 'none'}"):
        assert experiments("run", "corner-turn", "--run", wrong).exit_code == 2
    assert not requests


def test_tables_and_figures_of_the_thesis_are_names_too(tmp_path, ending):
    requests = ending(Outcome(None, {}))
    for name, trainings in (("table5", ("base",)), ("figure56", ("simplepose-resnet18", "simplepose-small-gaussian")),
                            ("figure57", ())):
        done = experiments("run", name, *(("--data", tmp_path, "--data", tmp_path) if trainings else ()))
        assert done.exit_code == 0, done.output
        assert catalogue.NAMES[name].trainings == trainings
    # Those of one scale work in one folder: what one has trained the next has too.
    assert [request.out.name for _, request in requests] == ["thesis-quick", "thesis-quick", "figure57-quick"]


def test_every_option_of_an_experiment_is_one_of_the_command(tmp_path):
    options = {option.opts[0].removeprefix("--") for option in commands.run.params}
    shown = experiments("run", "--help").output
    for experiment in EXPERIMENTS.values():
        assert bool(experiment.options) == bool(experiment.usage) and set(experiment.options) <= options
        assert f"{experiment.name} {experiment.usage}" in shown


@pytest.mark.parametrize(("end", "word"), [
    (ValueError("textures was 1, is 2"), "Error: textures was 1, is 2"),
    (FileNotFoundError("a.jpg is not there"), "Error: a.jpg is not there"),
    (KeyboardInterrupt(), "stopped; the same command goes on in"),
    (Outcome(None, {"base/seed-0": "killed", "all/seed-0": "not begun"}), "2 tasks were not done: base/seed-0, all"),
])  # fmt: skip
def test_what_goes_wrong_is_one_line(ending, end, word):
    ending(end)
    done = experiments("run", "scene-ablation")
    assert done.exit_code == 1 and word in done.output
    assert done.output.strip().count("\n") == 0


def test_wrong_usage(tmp_path):
    for arguments in (("run", "table99"), ("run", "scene-ablation", "--scale", "huge"), ("run",),
                      ("run", "scene-ablation", "--photos", tmp_path / "none"), ("compare", tmp_path, tmp_path)):
        assert experiments(*arguments).exit_code == 2


def test_a_framework_that_is_missing_is_said_before_hours_are_spent(monkeypatch, ending):
    requests = ending(Outcome(None, {}))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mxnet" else True)
    done = experiments("run", "scene-ablation")
    assert done.exit_code == 1 and "foliopie[train-keypoints]" in done.output and not requests


def test_two_runs_are_compared(tmp_path, monkeypatch, make_run, make_sheets):
    runs = [make_run("a", b"a"), make_run("b", b"b")]

    def predict(run, photos, weights):
        assert weights == "last"
        return np.array([photo.corners for photo in photos.photos]) + [2.0 if run == runs[0] else 4.0, 0]

    monkeypatch.setattr(photos_module, "predict_corners", predict)
    photos, settings = make_sheets("photos", 4), tmp_path / "settings.json"
    settings.write_text(json.dumps({"floor": ["00000[01].jpg"], "desk": ["00000[23].jpg"]}))
    arguments = ("compare", *runs, "--photos", photos, "--settings", settings, "--weights", "last")
    done = experiments(*arguments, "--json", tmp_path / "told" / "compared.json")
    assert done.exit_code == 0, done.output
    assert "+1.00 [+1.00, +1.00]" in done.output and "worse" in done.output
    told = json.loads((tmp_path / "told" / "compared.json").read_text())
    assert told["arms"]["B"]["difference"]["settings"] == pytest.approx({"floor": 1.0, "desk": 1.0})
    (runs[0] / "config.json").unlink()
    refused = experiments(*arguments)
    assert refused.exit_code == 1 and "is no run of" in refused.output


@pytest.mark.slow
def test_the_whole_way_on_two_equal_datasets(tmp_path, make_sheets):
    """Real trainings in processes of their own: the same scenes make the same network, whatever runs beside it."""
    pytest.importorskip("mxnet")
    pytest.importorskip("gluoncv")
    done = experiments("run", "scene-comparison", "--out", tmp_path / "out", "--workers", 2, "--data",
                       make_sheets("one", 18), "--data", make_sheets("two", 18), "--photos",
                       make_sheets("photos", 3, seed=8))  # fmt: skip
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    first, second = (results["arms"][name] for name in ("first", "second"))
    assert first["photos"] == second["photos"] and all(error > 0 for error in first["photos"].values())
    assert second["difference"]["by_setting"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert list((tmp_path / "out" / "runs" / "first" / "seed-0" / "2-96x64").glob("corners-*.json"))


def test_a_name_that_is_none_is_told_the_names():
    told = experiments("run", "nothing")
    assert told.exit_code == 2 and "'NAME': 'nothing' is not one of" in told.output
