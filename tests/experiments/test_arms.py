"""Whole experiments with rendering, training and prediction replaced by what takes no time; all else is real."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deploy.processes import Task
from experiments import arms as arms_module
from experiments import photos as photos_module
from experiments import scene_ablation, scene_comparison, scene_tasks
from experiments.arms import average, compare_runs, errors_report, logarithms, open_tasks
from experiments.catalogue import EXPERIMENTS, SCALES, Request
from experiments.photos import Evaluation, read_photos
from experiments.training import passes

# What each kind of scenes leaves of a network's error, in pixels along x; a diagonal is 200 px, so 2 px are 1 %.
ERROR_PX = {"plain": 12.0, "without-sheet": 4.0, "without-legs": 1.0, "second": 1.0}
OTHERWISE_PX = 2.0


class Faked:
    """done: what was rendered or trained, in order. broken: arms whose training fails."""

    def __init__(self):
        self.done, self.broken = [], set()

    def train(self, data, out, config, validation, resume):
        arm = out.parent.parent.name
        self.done.append((out.parent.relative_to(out.parents[2]).as_posix(), config))
        if arm in self.broken:
            raise RuntimeError("out of memory")
        out.mkdir(parents=True)
        (out / "config.json").write_text(json.dumps({"schema": 1, "config": config.to_json(), "data": {}}))
        (out / "history.jsonl").write_text("{}\n" * config.epochs)
        (out / "last.params").write_bytes(f"{out.parent} {config}".encode())
        (out / "resume.npz").write_bytes(b"state")

    def predict(self, run, photos, weights):
        """Seed 0 is half a pixel better, seed 2 half a pixel worse."""
        arm, seed = run.parent.parent.name, int(run.parent.name.removeprefix("seed-"))
        corners = np.array([photo.corners for photo in photos.photos])
        corners[:, :, 0] += ERROR_PX.get(arm, OTHERWISE_PX) + 0.5 * (seed - 1)
        return corners


@pytest.fixture
def faked(monkeypatch, make_sheets, run_tasks_here):
    pytest.importorskip("mxnet")
    import keypoints.train

    fake = Faked()

    def render(folder, count, split, size, groups, legs, textures):
        fake.done.append((f"scenes/{folder.name}", groups))
        make_sheets(folder, count, seed=1 if split == "validation" else 2)

    monkeypatch.setattr(scene_tasks, "render", render)
    monkeypatch.setattr(scene_ablation, "scene_sources", lambda legs, textures: {"legs": legs})
    monkeypatch.setattr(scene_comparison, "scene_sources", lambda legs, textures: {"legs": legs})
    monkeypatch.setattr(arms_module, "run_with_progress", run_tasks_here)
    monkeypatch.setattr(keypoints.train, "train", fake.train)
    monkeypatch.setattr(photos_module, "predict_corners", fake.predict)
    return fake


def test_ablation_tells_what_each_group_is_worth(tmp_path, faked):
    request = Request(tmp_path / "out", seeds=3, results=tmp_path / "copy")
    outcome = EXPERIMENTS["scene-ablation"].run(request)
    assert outcome.faults == {}
    arms = outcome.results["arms"]
    assert list(arms) == ["all", "without-textures", "without-camera", "without-sheet", "without-legs", "plain"]
    assert arms["all"]["difference"] is None
    for name, difference, ratio in (("without-sheet", 1.0, 2.0), ("without-camera", 0.0, 1.0),
                                    ("without-legs", -0.5, 0.5), ("plain", 5.0, 6.0)):  # fmt: skip
        found = arms[name]["difference"]["by_setting"]
        np.testing.assert_allclose([found[key] for key in ("mean", "low", "high")], difference, atol=1e-9)
        assert 2 ** arms[name]["log2_ratio"]["by_photo"]["mean"] == pytest.approx(ratio)
        assert arms[name]["seed_differences"] == pytest.approx([difference] * 3)
    assert arms["all"]["successes"] == [8] * 3 and arms["plain"]["successes"] == [0] * 3
    assert arms["all"]["visible_median_percent"] == pytest.approx([0.75, 1.0, 1.25])
    for folder in (tmp_path / "out", tmp_path / "copy"):
        assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(outcome.results))
        assert "| without-sheet | 8.0 | 2.00 | 2.00 | 2.00 | +1.00 [+1.00, +1.00] | 2.00 [2.00, 2.00] | worse |" in (
            folder / "README.md").read_text()
        assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    # Nothing of this machine's folders is told.
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()


def test_all_arms_go_on_from_one_network_with_the_same_seeds(tmp_path, faked):
    EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out", seeds=2))
    rendered = {name: groups for name, groups in faked.done if name.startswith("scenes/")}
    assert rendered["scenes/plain"] == scene_tasks.GROUPS and rendered["scenes/without-legs"] == ("legs",)
    assert rendered["scenes/all"] == rendered["scenes/validation"] == ()
    trained = {name: config for name, config in faked.done if not name.startswith("scenes/")}
    base = trained.pop("runs/base")
    assert base.weights is None and len(trained) == 12
    assert {config.weights for config in trained.values()} == {str(tmp_path / "out/runs/base/1-64x64/last.params")}
    assert len({replace(config, seed=0) for config in trained.values()}) == 1
    assert trained["all/seed-1"].seed == trained["plain/seed-1"].seed == 1
    # Every arm's first seed comes before any arm's second.
    names = [name for name, _ in faked.done if "/seed-" in name]
    assert all("seed-0" in name for name in names[:6])


def test_one_arm_that_fails_leaves_the_others_and_is_tried_again(tmp_path, faked):
    faked.broken = {"without-legs"}
    outcome = EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out"))
    assert outcome.faults == {"without-legs/seed-0": "out of memory"}
    assert "without-legs" not in outcome.results["arms"] and len(outcome.results["arms"]) == 5
    assert outcome.results["missing"] == ["without-legs/seed-0"]
    faked.broken, faked.done[:] = set(), []
    outcome = EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out"))
    assert [name for name, _ in faked.done] == ["without-legs/seed-0"]
    assert not outcome.faults and len(outcome.results["arms"]) == 6
    # More seeds add to what is done; other settings are refused.
    faked.done.clear()
    EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out", seeds=2))
    assert len(faked.done) == 6 and all(name.endswith("/seed-1") for name, _ in faked.done)
    with pytest.raises(ValueError, match="legs was None, is 'other.npz'"):
        EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out", legs="other.npz"))


@pytest.mark.parametrize("arm", ["base", "all"])
def test_without_the_reference_nothing_can_be_told(tmp_path, faked, arm):
    faked.broken = {arm if arm != "base" else "runs"}  # the base's folder is one higher
    outcome = EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out"))
    assert outcome.results is None and not (tmp_path / "out" / "results.json").exists()
    assert ("base/seed-0" in outcome.faults) == (arm == "base")


def test_comparison_of_two_datasets_is_fair(tmp_path, faked, make_sheets):
    old, new = make_sheets("old", 20), make_sheets("new", 44, seed=6)
    photos = make_sheets("photos", 4, seed=7)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"floor": ["00000[012].jpg"], "desk": ["000003.jpg"]}))
    request = Request(tmp_path / "out", data=(old, new), photos=photos, settings=settings, seeds=3)
    outcome = EXPERIMENTS["scene-comparison"].run(request)
    first, second = (outcome.results["arms"][name] for name in ("first", "second"))
    assert second["difference"]["by_setting"]["mean"] == pytest.approx(-0.5)
    assert set(second["difference"]["settings"]) == {"floor", "desk"}
    assert outcome.results["photos"]["settings"] == {"floor": 3, "desk": 1}
    assert first["made_of"]["scenes"] == second["made_of"]["scenes"] == 18  # 20 less a tenth to validate on
    assert first["made_of"]["data_sha256"] != second["made_of"]["data_sha256"]
    configs = [config for name, config in faked.done if name in ("first/seed-0", "second/seed-0")]
    assert [replace(config, weights=None) for config in configs[:2]] == [replace(config, weights=None)
                                                                         for config in configs[2:]]
    assert configs[0].weights is None and configs[1].weights is not None


def test_image_steps_that_no_passes_make_are_said_before_anything_is_made(tmp_path, faked, make_sheets):
    photos = make_sheets("photos", 2)
    request = Request(tmp_path / "out", data=(make_sheets("old", 40), make_sheets("new", 41)), photos=photos)
    scale = replace(scene_comparison.SCALES["quick"], stages=(
        scene_comparison.Stage(64, 64, 32, batch=8), scene_comparison.Stage(96, 64, 8 * 19, batch=8)))
    with pytest.raises(ValueError, match="152 image steps .* 36 scenes"):
        scene_comparison.make_plan(scale, request)


def test_comparison_renders_its_own_scenes_at_scale_quick(tmp_path, faked):
    outcome = EXPERIMENTS["scene-comparison"].run(Request(tmp_path / "out"))
    assert faked.done[:3] == [("scenes/plain", scene_tasks.GROUPS), ("scenes/all", ()), ("scenes/validation", ())]
    assert outcome.results["photos"]["name"] == "validation" and outcome.faults == {}


@pytest.mark.parametrize(("name", "options", "word"), [
    ("scene-ablation", {"data": ("a",)}, "leave --data out"),
    ("scene-ablation", {"settings": "s.json"}, "give --photos too"),
    ("scene-comparison", {"data": ("a",)}, "1 datasets are given"),
    ("scene-comparison", {"scale": "paper"}, "needs two datasets"),
    ("scene-comparison", {"data": ("a", "b")}, "needs photos"),
])  # fmt: skip
def test_what_cannot_be_run_is_said_before_anything_is_made(tmp_path, faked, name, options, word):
    with pytest.raises(ValueError, match=word):
        EXPERIMENTS[name].run(Request(tmp_path / "out", **options))
    assert not (tmp_path / "out").exists() and not faked.done


def test_settings_are_read_before_anything_is_made(tmp_path, faked, make_sheets):
    photos = make_sheets("photos", 3)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"one": ["*"]}))
    with pytest.raises(ValueError, match="two or more"):
        EXPERIMENTS["scene-ablation"].run(Request(tmp_path / "out", photos=photos, settings=settings))
    assert not (tmp_path / "out").exists()


def test_every_scale_has_image_steps_that_can_be_met():
    for scale in SCALES:
        ablation, comparison = scene_ablation.SCALES[scale], scene_comparison.SCALES[scale]
        for stage in (*ablation.base, ablation.arm):
            epochs, used = passes(stage.image_steps, stage.batch, ablation.scenes)
            assert used == ablation.scenes  # nothing is rendered in vain
        for stage in comparison.stages:
            passes(stage.image_steps, stage.batch, comparison.scenes or 2400)
    assert scene_ablation.SCALES["paper"].arm.image_steps == 7_600


def test_errors_are_averaged_over_seeds_within_a_photo(make_sheets):
    photos = read_photos(make_sheets("photos", 2))
    one, other = (Evaluation(photos, np.array([[value] * 4, [3.0] * 4])) for value in (1.0, 2.0))
    references = [Evaluation(photos, np.ones((2, 4)))] * 2
    found = errors_report([one, other], references, None)
    assert found["photos"] == {"000000.jpg": 1.5, "000001.jpg": 3.0}
    assert found["difference"]["by_photo"]["mean"] == pytest.approx(1.25)
    assert found["seed_differences"] == pytest.approx([1.0, 1.5])
    assert found["log2_ratio"]["by_photo"]["mean"] == pytest.approx((np.log2(1.5) + np.log2(3)) / 2)
    assert average([{"a": 1.0}, {"a": 4.0}]) == {"a": 2.5}
    assert logarithms({"a": 4.0, "b": 0.0}) == {"a": 2.0, "b": np.log2(1e-3)}


def test_two_runs_on_the_same_photos(monkeypatch, make_run, make_sheets):
    runs = [make_run("a", b"a"), make_run("b", b"b")]

    def predict(run, photos, weights):
        return np.array([photo.corners for photo in photos.photos]) + [4.0 if run == runs[0] else 2.0, 0]

    monkeypatch.setattr(photos_module, "predict_corners", predict)
    found = compare_runs(*runs, make_sheets("photos", 5))
    assert found["arms"]["B"]["difference"]["by_setting"]["mean"] == pytest.approx(-1)
    assert found["weights"] == "best" and found["photos"]["count"] == 5


def test_tasks_do_not_wait_for_what_is_done():
    tasks = open_tasks([Task("b", print, after=("a",)), Task("c", print, after=("a", "b"))])
    assert [task.after for task in tasks] == [(), ("b",)]


def test_the_groups_are_those_of_the_renderer():
    pytest.importorskip("mitsuba")
    from scenes.rendering.config import GROUPS

    assert scene_tasks.GROUPS == tuple(GROUPS)


@pytest.mark.slow
def test_scenes_are_rendered_as_a_task_says(tmp_path):
    pytest.importorskip("mitsuba")
    sources = scene_tasks.scene_sources(None, None)
    assert sources["legs_sha256"] is None and len(sources["scene_config_sha256"]) == 64
    (task,) = scene_tasks.render_task("scenes", tmp_path / "scenes", 1, (120, 160), scene_tasks.GROUPS)
    assert task.share() == 0
    task.function(*task.arguments)
    assert task.share() == 1
    assert scene_tasks.render_task("scenes", tmp_path / "scenes", 1, (120, 160), scene_tasks.GROUPS) == []
    assert read_photos(tmp_path / "scenes").names == ["train_000000.jpg"]
