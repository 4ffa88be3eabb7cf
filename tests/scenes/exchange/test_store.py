import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from scenes.checking import check_dataset
from scenes.dataset import read_dataset
from scenes.exchange.incoming import Incoming
from scenes.exchange.source import Refused, SourceError
from scenes.exchange.store import NothingStored, new_folder, store

CORNERS = np.array([[10.0, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]])


@pytest.fixture
def item(tmp_path):
    """item(name, **changes): an Incoming with an image of its own."""
    def make(name, **changes):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = int.from_bytes(name.encode(), "little") % 2**32
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)).save(path)
        fields = {"name": name, "image_path": path, "points": CORNERS, "visibility": None, "size": (64, 48),
                  "attributes": {}, "mask": None, "file": "table.csv", "line": 7}
        return Incoming(**{**fields, **changes})
    return make


def test_items_become_a_dataset(item, tmp_path):
    count, problems = store([item("a.png"), item("b/c.jpg")], tmp_path / "new" / "set", split="test")
    assert (count, problems) == (2, []) and check_dataset(tmp_path / "new" / "set") == []
    samples = read_dataset(tmp_path / "new" / "set", "test")
    assert [sample.file_name for sample in samples] == ["a.png", "b/c.jpg"]
    assert samples[1].image_path.read_bytes() == (tmp_path / "source" / "b" / "c.jpg").read_bytes()


def refuse(_):
    raise Refused("bad_polygon", "two points")


@pytest.mark.parametrize("changes, rule", [
    ({"size": (48, 64)}, "image_size"), ({"image_path": "text"}, "image_unreadable"),
    ({"name": "a.bmp"}, "duplicate_name"), ({"image_path": "twin"}, "duplicate_image"),
    ({"mask": None}, "mask_missing"), ({"mask": refuse}, "bad_polygon"),
    ({"mask": lambda size: np.zeros((4, 4), np.uint8)}, "mask_size"), ({"attributes": {"x": np.inf}}, "not_finite"),
    ({"points": CORNERS * 0 + 1}, "corner_shape"),
    ({"points": CORNERS * np.nan, "attributes": {"feet": [{"side": "left", "length_mm": 1, "width_mm": 1}]}},
     "foot_without_sheet")])
def test_one_bad_item_is_told_and_the_others_are_stored(item, tmp_path, changes, rule):
    good = {"mask": lambda size: np.ones(size[::-1], np.uint8)}
    first = item("a.png", **good)
    text = tmp_path / "text.png"
    text.write_text("no image")
    if changes.get("image_path"):
        changes = {"image_path": text if changes["image_path"] == "text" else first.image_path}
    items = [first, replace(item("b.png", **good), **changes), item("c.png", **good)]
    count, (problem,) = store(items, tmp_path / "set")
    assert count == 2 and (problem.file, problem.line, problem.rule) == ("table.csv", 7, rule)
    assert check_dataset(tmp_path / "set") == []


def test_a_photo_annotated_without_its_turn_is_told_so(item, tmp_path):
    _, (problem,) = store([item("a.png"), item("b.png", size=(48, 64))], tmp_path / "set")
    assert "EXIF turn" in problem.message


def test_where_something_is_nothing_is_written(item, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(SourceError, match="set: not_empty"):
        store([item("a.png")], tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]
    with pytest.raises(SourceError, match="not_empty"):
        store([item("a.png")], tmp_path / "set" / "mine.txt")


def test_an_empty_folder_is_as_good_as_none(item, tmp_path):
    (tmp_path / "set").mkdir()
    store([item("a.png")], tmp_path / "set")
    assert len(read_dataset(tmp_path / "set")) == 1


def test_when_nothing_can_be_stored_nothing_is_left(item, tmp_path):
    with pytest.raises(NothingStored) as error:
        store([item("a.png", size=(1, 1))], tmp_path / "set")
    assert [problem.rule for problem in error.value.problems] == ["image_size"]
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_interruption_leaves_nothing(item, tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store([item("a.png")], tmp_path / "set", advance=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_links_share_the_file_and_copies_do_not(item, tmp_path):
    source = item("a.png")
    store([source], tmp_path / "copied")
    store([source], tmp_path / "linked", link=True)
    same = [os.path.samefile(source.image_path, tmp_path / name / "images" / "a.png") for name in ("copied", "linked")]
    assert same == [False, True]


def test_where_there_are_no_links_files_are_copied(item, tmp_path, monkeypatch):
    def refuse_link(*_):
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse_link)
    source = item("a.png")
    store([source], tmp_path / "set", link=True)
    assert (tmp_path / "set" / "images" / "a.png").read_bytes() == source.image_path.read_bytes()


def test_others_may_read_what_was_written(tmp_path):
    with new_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
