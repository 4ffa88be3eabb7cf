import json
from dataclasses import replace

import numpy as np
import pytest

from experiments import photos as photos_module
from experiments.photos import read_photos
from experiments.training import (
    Stage,
    Training,
    is_finished,
    is_stage_finished,
    made_of,
    passes,
    run_share,
    share_done,
    train_and_evaluate,
    training_scenes,
)
from scenes.dataset import read_dataset


@pytest.mark.parametrize(("image_steps", "batch", "scenes", "expected"), [
    (7600, 16, 1520, (5, 1520)),
    (7600, 16, 3000, (5, 1520)),  # 3 and 4 passes are no whole number of batches
    (32, 8, 100, (1, 32)),
    (32, 8, 31, (2, 16)),
    (16, 16, 16, (1, 16)),
])  # fmt: skip
def test_image_steps_are_met_by_whole_passes_over_whole_batches(image_steps, batch, scenes, expected):
    epochs, used = passes(image_steps, batch, scenes)
    assert (epochs, used) == expected
    assert epochs * used == image_steps and used % batch == 0 and used <= scenes


@pytest.mark.parametrize(("image_steps", "batch", "scenes"), [
    (30, 8, 100), (4, 8, 100),
    (8 * 13, 8, 60),  # 13 passes over 8 scenes
    (7600, 16, 1519),  # 19 passes over 400
])  # fmt: skip
def test_image_steps_that_cannot_be_met_are_refused(image_steps, batch, scenes):
    with pytest.raises(ValueError, match=f"{image_steps} image steps in batches of {batch}"):
        passes(image_steps, batch, scenes)


STAGES = (Stage(64, 64, 32, batch=8), Stage(96, 64, 16, batch=8))


def test_a_stage_gets_the_first_scenes_and_nothing_else(tmp_path, make_sheets):
    data, validation = make_sheets("data", 20), make_sheets("validation", 3, seed=6)
    training = Training(tmp_path / "run", data, STAGES, 0, validation=validation)
    for number, (epochs, used) in enumerate([(2, 16), (1, 16)]):
        found, folder = training_scenes(training, number)
        assert found == epochs
        samples = read_dataset(folder)
        assert [sample.name for sample in samples] == [sample.name for sample in read_dataset(data)[:used]]
        assert all(sample.image_path.is_file() and sample.mask_path.is_file() for sample in samples)
        np.testing.assert_array_equal(samples[3].corners, read_dataset(data)[3].corners)
    assert training_scenes(replace(training, scenes=8), 1)[0] == 2
    # Without another dataset to validate on it holds out a tenth of its own, as `keypoints train` does.
    _, folder = training_scenes(replace(training, folder=tmp_path / "own", validation=None), 1)
    assert [len(read_dataset(folder, split)) for split in ("train", "validation")] == [16, 2]


@pytest.fixture
def trained(monkeypatch):
    """Training and prediction are replaced; gives the list of (folder's name, TrainConfig, scenes) that were asked."""
    pytest.importorskip("mxnet")
    import keypoints.train

    asked = []

    def train(data, out, config, validation, resume):
        assert resume
        asked.append((out.name, config, len(read_dataset(data, "train"))))
        out.mkdir(parents=True, exist_ok=True)
        (out / "config.json").write_text(json.dumps({"schema": 1, "config": config.to_json(), "data": {}}))
        (out / "history.jsonl").write_text("{}\n" * config.epochs)
        (out / "last.params").write_bytes(f"{config.height} {config.weights}".encode())
        (out / "resume.npz").write_bytes(b"state")

    monkeypatch.setattr(keypoints.train, "train", train)
    monkeypatch.setattr(photos_module, "predict_corners",
                        lambda run, photos, weights: np.zeros((len(photos.photos), 4, 2)))
    return asked


@pytest.fixture
def training(tmp_path, make_sheets):
    return Training(tmp_path / "run", make_sheets("data", 16), STAGES, 3, photos=make_sheets("photos", 2, seed=8),
                    validation=make_sheets("validation", 2, seed=7))  # fmt: skip


def test_stages_follow_each_other_once(training, trained):
    photos = read_photos(training.photos)
    assert not is_finished(training, photos) and share_done(training) == 0
    train_and_evaluate(training)
    first, second = trained
    assert (first[0], first[2], second[0], second[2]) == ("1-64x64", 16, "2-96x64", 16)
    assert (first[1].epochs, first[1].weights, first[1].seed, first[1].fit) == (2, None, 3, "turn")
    assert second[1].weights == str(training.run(0) / "last.params") and second[1].epochs == 1
    assert is_finished(training, photos) and share_done(training) == 1
    assert not is_finished(training, None)  # whether the photos were judged cannot be told
    assert list(training.last_run.glob("corners-*.json")) and not (training.last_run / "resume.npz").exists()
    train_and_evaluate(training)
    assert len(trained) == 2
    told = made_of(training)
    assert (told["seed"], told["image_steps"]) == (3, 16) and len(told["data_sha256"]) == 64
    assert str(training.data) not in json.dumps(told)


def test_what_is_left_is_done(training, trained, make_sheets):
    train_and_evaluate(training)
    (training.run(1) / "finished.json").unlink()
    assert not is_finished(training, read_photos(training.photos))
    # The history is there to its end: a kill just before the stage was said to be finished.
    train_and_evaluate(training)
    assert [name for name, _, _ in trained] == ["1-64x64", "2-96x64", "2-96x64"]
    other = replace(training, photos=make_sheets("other", 2, seed=9))
    assert not is_finished(other, read_photos(other.photos))
    train_and_evaluate(other)
    assert len(trained) == 3 and is_finished(other, read_photos(other.photos))


def test_a_stage_of_other_scenes_weights_or_settings_is_refused(training, trained):
    train_and_evaluate(training)
    for changed, word in ((replace(training, seed=4), "seed"), (replace(training, scenes=8), "scenes"),
                          (replace(training, stages=(replace(STAGES[0], learning_rate=1.0), STAGES[1])),
                           "learning_rate")):  # fmt: skip
        with pytest.raises(ValueError, match=rf"something else \({word} changed\); remove it"):
            is_finished(changed, None)
    (training.run(0) / "last.params").write_bytes(b"others")
    with pytest.raises(ValueError, match="start_sha256 changed"):
        is_stage_finished(training, 1, training.run(0) / "last.params")
    picture = sorted((training.data / "images").iterdir())[0]
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="data_sha256 changed"):
        train_and_evaluate(training)


def test_a_stage_under_way_counts_by_its_epochs(training):
    folder = training.run(0)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"config": {"epochs": 2}}))
    assert share_done(training) == 0
    (folder / "history.jsonl").write_text("{}\n")
    assert share_done(training) == pytest.approx(16 / 48)
    (folder / "config.json").write_text(json.dumps({"train": {"epochs": 4}}))  # of a network of pixels
    assert run_share(folder) == 1 / 4
