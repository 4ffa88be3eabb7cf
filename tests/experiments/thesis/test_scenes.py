"""Which scenes are trained on, and the dataset of links to them."""

import json
import shutil

import cv2
import numpy as np
import pytest

from experiments.thesis import scenes
from experiments.thesis.scenes import LEAST_SHARE, alike, choose, link
from scenes.dataset import DatasetError, read_dataset, read_mask
from scenes.labels import LEFT_FOOT, SHEET
from scenes.prediction_files import samples_sha256

FEET = [{"side": "left"}]


@pytest.fixture
def make_scenes(make_sheets):
    """A function (name, splits, feet=FEET, seed=5) -> dataset folder of photos with these splits, a foot in each."""
    def make(name, splits, feet=FEET, seed=5):
        folder = make_sheets(name, len(splits), seed)
        document = json.loads((folder / "annotations.json").read_text())
        for annotation, split in zip(document["annotations"], splits, strict=True):
            annotation["attributes"] = {"feet": feet} | ({"split": split} if split else {})
        (folder / "annotations.json").write_text(json.dumps(document))
        return folder

    return make


def set_mask(folder, number, share):
    """Let sheet and a foot, half of it each, take a share of a photo's pixels."""
    file = sorted((folder / "masks").iterdir())[number]
    mask = np.zeros(read_mask(file).size, np.uint8)
    mask[:round(share * mask.size)] = SHEET
    mask[:round(share * mask.size) // 2] = LEFT_FOOT
    cv2.imwrite(str(file), mask.reshape(read_mask(file).shape))


def test_a_scene_like_the_thesiss_has_all_corners_a_foot_and_enough_of_both(make_scenes):
    folder = make_scenes("data", ["train"] * 3)
    set_mask(folder, 1, LEAST_SHARE + 0.001)
    set_mask(folder, 2, LEAST_SHARE - 0.001)
    first, enough, little = read_dataset(folder)
    assert set(first.visibility.tolist()) == {1, 2} and alike(first)  # a covered corner is in the photo
    assert alike(enough) and not alike(little)
    first.visibility[2] = 0
    assert not alike(first)
    assert not any(map(alike, read_dataset(make_scenes("bare", ["train"] * 3, feet=[]))))


def test_splits_are_those_of_the_datasets_and_test_scenes_are_left_out(make_scenes):
    first = make_scenes("first", ["train", "test", "validation", None])
    second = make_scenes("second", ["validation", "train"], seed=6)
    training, held_out = choose([first, second], only_alike=False)

    def told(samples):
        return [(sample.image_path.parents[1].name, sample.name) for sample in samples]

    # One without a split is trained on.
    assert told(training) == [("first", "000000"), ("first", "000003"), ("second", "000001")]
    assert told(held_out) == [("first", "000002"), ("second", "000000")]


def test_scenes_that_are_not_alike_are_left_out_of_both_splits(make_scenes):
    folder = make_scenes("data", ["train", "train", "validation", "validation"])
    set_mask(folder, 1, 0.1)
    set_mask(folder, 2, 0.1)
    training, held_out = choose([folder], only_alike=True)
    assert [sample.name for sample in training + held_out] == ["000000", "000003"]
    assert [len(samples) for samples in choose([folder], only_alike=False)] == [2, 2]


def test_what_cannot_be_trained_on_is_refused(make_scenes, tmp_path):
    folder = make_scenes("data", ["train", "train", "test"])
    with pytest.raises(ValueError, match=r"data: 2 scenes to train on and 0 to judge by, both are needed: give"):
        choose([folder], only_alike=False)
    bare = make_scenes("bare", ["train", "validation"], feet=[])
    with pytest.raises(ValueError, match=r"0 scenes to train on and 0 .* only scenes with the whole sheet and a foot"):
        choose([bare], only_alike=True)
    assert choose([bare], only_alike=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError):
        choose([tmp_path / "empty"], only_alike=False)


def test_linked_scenes_are_those_of_their_datasets(make_scenes, tmp_path):
    first, second = make_scenes("first", ["train"] * 2), make_scenes("second", ["train", "validation"], seed=6)
    training, held_out = choose([first, second], only_alike=False)
    assert [sample.name for sample in training] == ["000000", "000001", "000000"]  # two are called the same
    folder = tmp_path / "linked"
    link(folder, {"train": training, "validation": held_out})
    found = read_dataset(folder)
    assert [sample.name for sample in found] == ["train-00000", "train-00001", "train-00002", "validation-00000"]
    assert [sample.attributes["split"] for sample in found] == ["train"] * 3 + ["validation"]
    for sample, source in zip(found, training + held_out, strict=True):
        assert sample.image_path.is_symlink() and sample.image_path.read_bytes() == source.image_path.read_bytes()
        assert (read_mask(sample.mask_path) == read_mask(source.mask_path)).all()
        np.testing.assert_array_equal(sample.corners, source.corners)
        np.testing.assert_array_equal(sample.visibility, source.visibility)
        assert (sample.width, sample.height) == (source.width, source.height)
        assert sample.attributes["feet"] == source.attributes["feet"]
    before = samples_sha256(found, masks=True)
    link(folder, {"train": training, "validation": held_out})  # gone on with after an interruption
    assert samples_sha256(read_dataset(folder), masks=True) == before
    assert len(list((folder / "images").iterdir())) == 4


def test_linking_changes_nothing_in_the_datasets(make_scenes, tmp_path):
    data = make_scenes("data", ["train", "validation"])
    before = {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}
    link(tmp_path / "linked", dict(zip(("train", "validation"), choose([data], only_alike=True), strict=True)))
    shutil.rmtree(tmp_path / "linked")
    assert {file: file.read_bytes() for file in data.rglob("*") if file.is_file()} == before


def test_enough_is_less_than_the_thesiss_mean():
    assert 0 < LEAST_SHARE < 0.25 + 0.11 and scenes.FOLDER == "scenes"
