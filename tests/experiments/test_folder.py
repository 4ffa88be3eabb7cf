import json

import pytest

from experiments.folder import begin, state


def test_an_experiment_goes_on_with_its_own_settings_only(tmp_path):
    settings = {"scale": "quick", "sizes": (1, 2), "legs": None}
    begin(tmp_path / "run", settings)
    (tmp_path / "run" / "scenes").mkdir()
    begin(tmp_path / "run", settings)
    with pytest.raises(ValueError, match=r"scale was 'quick', is 'paper'; sizes was \[1, 2\], is \[1, 3\]"):
        begin(tmp_path / "run", settings | {"scale": "paper", "sizes": (1, 3)})
    with pytest.raises(ValueError, match="textures was None, is 3"):
        begin(tmp_path / "run", settings | {"textures": 3})


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds no experiment"):
        begin(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_state(tmp_path):
    assert state(tmp_path / "none") == "not run"
    begin(tmp_path, {})
    assert state(tmp_path) == "begun"
    results = {"scale": "paper", "date": "2026-01-02", "missing": []}
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert state(tmp_path) == "done, paper, 2026-01-02"
    (tmp_path / "results.json").write_text(json.dumps(results | {"missing": ["plain/seed-1", "all/seed-2"]}))
    assert state(tmp_path) == "done but for 2, paper, 2026-01-02"
    (tmp_path / "results.json").write_text("{")
    assert "cannot be read" in state(tmp_path)
