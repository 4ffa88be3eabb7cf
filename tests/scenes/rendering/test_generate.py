import hashlib
import json

import pytest

from scenes.dataset import check_dataset, read_dataset
from scenes.rendering import generate
from scenes.rendering.generate import render_dataset

SIZE = (48, 64)


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    render_dataset(folder, 4, seed=5, workers=1, size=SIZE)
    return folder


def test_dataset_is_whole_and_without_faults(dataset):
    assert check_dataset(dataset) == []
    samples = read_dataset(dataset)
    assert len(samples) == 4
    assert all(sample.attributes["split"] == "train" and sample.attributes["seed"] == 5 for sample in samples)


@pytest.mark.slow
def test_workers_do_not_change_a_file(dataset, tmp_path):
    render_dataset(tmp_path, 4, seed=5, workers=2, size=SIZE)
    assert hashes(tmp_path) == hashes(dataset)


def test_interrupted_run_goes_on(dataset, tmp_path, monkeypatch):
    whole = generate._Worker.render

    def broken(self, index):
        if index == 2:
            raise KeyboardInterrupt
        return whole(self, index)

    monkeypatch.setattr(generate._Worker, "render", broken)
    with pytest.raises(KeyboardInterrupt):
        render_dataset(tmp_path, 4, seed=5, size=SIZE)
    assert not (tmp_path / "annotations.json").exists()
    before = (tmp_path / "images" / "000000.jpg").stat().st_mtime_ns
    monkeypatch.setattr(generate._Worker, "render", whole)
    render_dataset(tmp_path, 4, seed=5, size=SIZE)
    assert hashes(tmp_path) == hashes(dataset)
    assert (tmp_path / "images" / "000000.jpg").stat().st_mtime_ns == before


def test_splits_with_one_seed_differ(dataset, tmp_path):
    render_dataset(tmp_path, 1, seed=5, split="validation", size=SIZE)
    assert hashes(tmp_path)["images/000000.jpg"] != hashes(dataset)["images/000000.jpg"]


def test_folder_of_another_recipe_is_refused(dataset):
    with pytest.raises(ValueError, match="seed"):
        render_dataset(dataset, 4, seed=6, size=SIZE)
    assert json.loads((dataset / "render.json").read_text())["seed"] == 5


def test_fewer_scenes_than_are_there_are_refused(dataset):
    with pytest.raises(ValueError, match="4 scenes or more already, 3 were asked for"):
        render_dataset(dataset, 3, seed=5, size=SIZE)


@pytest.mark.parametrize("wrong, word", [({"count": 0}, "count"), ({"workers": 0}, "workers"), ({"seed": -1}, "seed"),
                                         ({"split": "exam"}, "exam")])
def test_bad_numbers_are_refused(tmp_path, wrong, word):
    with pytest.raises(ValueError, match=word):
        render_dataset(tmp_path, **{"count": 1, "seed": 0, **wrong})
