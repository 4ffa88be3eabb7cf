import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scenes.checking import check_dataset
from scenes.dataset import read_dataset
from scenes.rendering import generate
from scenes.rendering.config import SceneConfig, without
from scenes.rendering.foot import FootConfig

ROOT = Path(__file__).resolve().parents[3]
SIZE = (48, 64)
# One shape of leg: made in a moment.
CONFIG = SceneConfig(foot=FootConfig(shapes=1))


def render(folder, counts=4, seed=5, **options):
    counts = {"train": counts} if isinstance(counts, int) else counts
    generate.render_dataset(folder, counts, seed, **{"size": SIZE, "config": CONFIG, **options})


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    render(folder)
    return folder


def test_dataset_is_whole_and_without_faults(dataset):
    assert check_dataset(dataset) == []
    samples = read_dataset(dataset)
    assert len(samples) == 4
    assert all(sample.attributes["split"] == "train" and sample.attributes["seed"] == 5 for sample in samples)


@pytest.mark.slow
def test_workers_do_not_change_a_file(dataset, tmp_path):
    render(tmp_path, workers=2)
    assert hashes(tmp_path) == hashes(dataset)


def test_interrupted_run_goes_on(dataset, tmp_path, monkeypatch):
    whole = generate._Worker.render

    def broken(self, job):
        if job.index == 2:
            raise KeyboardInterrupt
        return whole(self, job)

    monkeypatch.setattr(generate._Worker, "render", broken)
    with pytest.raises(KeyboardInterrupt):
        render(tmp_path)
    assert not (tmp_path / "annotations.json").exists()
    before = (tmp_path / "images" / "train_000000.jpg").stat().st_mtime_ns
    monkeypatch.setattr(generate._Worker, "render", whole)
    render(tmp_path)
    assert hashes(tmp_path) == hashes(dataset)
    assert (tmp_path / "images" / "train_000000.jpg").stat().st_mtime_ns == before


def test_a_scene_that_cannot_be_built_is_drawn_again(dataset, tmp_path, monkeypatch):
    import scenes.rendering.scene as scene_module

    whole, seen = scene_module.render_scene, []

    def fragile(rng, *rest, **options):
        seen.append(rng)
        if len(seen) == 2:
            raise RuntimeError("qhull: flat")
        return whole(rng, *rest, **options)

    monkeypatch.setattr(scene_module, "render_scene", fragile)
    render(tmp_path)
    assert len(seen) == 5
    same = [name for name, digest in hashes(tmp_path).items() if hashes(dataset).get(name) == digest]
    assert "images/train_000000.jpg" in same and "images/train_000001.jpg" not in same
    assert check_dataset(tmp_path) == []


def test_a_scene_that_never_succeeds_is_named_and_the_rest_is_rendered(tmp_path, monkeypatch):
    import scenes.rendering.scene as scene_module

    def broken(*arguments, **options):
        raise RuntimeError("no such shape")

    render(tmp_path, 1)
    monkeypatch.setattr(scene_module, "render_scene", broken)
    with pytest.raises(ValueError, match="2 of 3 scenes.*train_000001 of seed 5: RuntimeError: no such shape"):
        render(tmp_path, 3)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["train_000000.jpg"]


def test_splits_of_one_dataset_share_no_scene_and_a_dataset_grows(tmp_path):
    render(tmp_path, {"train": 1})
    first = hashes(tmp_path)
    render(tmp_path, {"train": 2, "validation": 1, "test": 1})
    files = hashes(tmp_path)
    photos = [digest for name, digest in files.items() if name.startswith("images/")]
    assert len(photos) == len(set(photos)) == 4
    assert files["images/train_000000.jpg"] == first["images/train_000000.jpg"]
    assert [sample.name for sample in read_dataset(tmp_path, "validation")] == ["validation_000000"]
    assert check_dataset(tmp_path) == []


@pytest.mark.parametrize("other, word", [({"seed": 6}, "seed"), ({"size": (64, 96)}, "size"),
                                         ({"config": without(["things"], CONFIG)}, "config: what --without leaves")])
def test_folder_of_another_recipe_is_refused(dataset, other, word):
    with pytest.raises(ValueError, match=word):
        render(dataset, **other)
    assert json.loads((dataset / "render.json").read_text())["seed"] == 5


def test_a_folder_of_another_version_is_refused_as_such(tmp_path):
    recipe = {"seed": 6, "version": generate.RECIPE_VERSION - 1}
    (tmp_path / "render.json").write_text(json.dumps(recipe))
    with pytest.raises(ValueError, match="was begun with another version of foliopie: name another folder$"):
        render(tmp_path)


def test_a_texture_that_is_no_picture_is_named_before_a_folder_is_made(tmp_path):
    (tmp_path / "floors").mkdir()
    (tmp_path / "floors" / "oak.png").write_bytes(b"not a picture")
    with pytest.raises(OSError, match="oak.png: not an image"):
        render(tmp_path / "data", textures=tmp_path / "floors")
    assert not (tmp_path / "data").exists()


def test_fewer_scenes_than_are_there_are_refused(dataset):
    with pytest.raises(ValueError, match="train_000003 already, and 3 of split train were asked for: ask for as many"):
        render(dataset, 3)
    with pytest.raises(ValueError, match="0 of split train were asked for: name another folder for a split"):
        render(dataset, {"test": 1})


@pytest.mark.parametrize("wrong, word", [({"counts": {"train": 0}}, "scenes"), ({"counts": {}}, "scenes"),
                                         ({"workers": 0}, "workers"), ({"seed": -1}, "seed"),
                                         ({"counts": {"exam": 1}}, "exam")])
def test_bad_numbers_are_refused(tmp_path, wrong, word):
    with pytest.raises(ValueError, match=word):
        render(tmp_path, **wrong)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_and_the_rest_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "_render", _killed)
    with pytest.raises(OSError, match="ended from outside"):
        render(tmp_path, workers=2)
    assert not (tmp_path / "annotations.json").exists()


LONG_RUN = """
import sys
from scenes.rendering.generate import render_dataset
if __name__ == "__main__":
    render_dataset(sys.argv[1], {"train": 500}, 1, workers=2, size=(48, 64))
"""


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_run(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(LONG_RUN)
    run = subprocess.Popen([sys.executable, script, tmp_path / "data"], env=os.environ | {"PYTHONPATH": str(ROOT)},
                           start_new_session=True)
    records = tmp_path / "data" / ".scenes"
    _wait_until(lambda: records.exists() and any(records.iterdir()), 60)
    workers = _children(run.pid)
    assert len(workers) >= 2
    run.kill()
    run.wait()
    _wait_until(lambda: not any(_is_alive(pid) for pid in workers), 20)


def _wait_until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _children(pid):
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat")
            if _stat(stat)[1:2] == [str(pid)] and "spawn_main" in (stat.parent / "cmdline").read_text()]


def _stat(path):
    """State, parent and the rest of a process's line; nothing where it has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_alive(pid):
    return _stat(Path(f"/proc/{pid}/stat"))[:1] not in ([], ["Z"])


def _killed(job):
    os.kill(os.getpid(), signal.SIGKILL)
