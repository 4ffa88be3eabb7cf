import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from scenes.commands import NARROWEST, scenes
from scenes.dataset import (
    DatasetError,
    coco_document,
    read_category,
    read_dataset,
    read_mask,
    write_annotations,
)
from scenes.document import SHEET, Category

CORNERS = [[10.25, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]  # of every record


def change(folder, edit):
    """Rewrite annotations.json after edit(document)."""
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


# Writing and reading


def test_what_is_written_is_read(folder, records):
    samples = read_dataset(folder)
    assert [sample.name for sample in samples] == ["000000", "000001", "000002"]
    first = samples[0]
    assert first.corners.tolist() == CORNERS and first.corners.dtype == np.float64
    assert first.visibility.tolist() == [2, 2, 1, 2]
    assert (first.width, first.height) == (64, 48)
    assert first.attributes == records[0]["attributes"]
    assert first.image_path.is_file() and first.mask_path == folder / "masks" / "000000.png"


def test_samples_written_again_give_the_same_document(folder, records):
    assert coco_document(read_dataset(folder)) == coco_document(records)


def test_a_split_is_read_alone(folder):
    assert [sample.name for sample in read_dataset(folder, "validation")] == ["000001"]
    assert [sample.name for sample in read_dataset(folder, "train")] == ["000000", "000002"]
    assert read_dataset(folder, "test") == []
    with pytest.raises(ValueError, match="'valid'"):
        read_dataset(folder, "valid")


def test_the_document_is_coco_keypoints(records):
    document = coco_document(records[:1])
    category, = document["categories"]
    assert category["name"] == "sheet"
    assert category["keypoints"] == ["corner_1", "corner_2", "corner_3", "corner_4"]
    assert category["skeleton"] == [[1, 2], [2, 3], [3, 4], [4, 1]]  # COCO counts keypoints from 1
    annotation = document["annotations"][0]
    assert annotation["keypoints"] == [10.25, 5, 2, 50, 6, 2, 52, 40, 1, 8, 41, 2]
    assert annotation["num_keypoints"] == 4
    assert annotation["bbox"] == [8, 5, 44, 36] and annotation["area"] == 44 * 36
    assert annotation["image_id"] == document["images"][0]["id"]


def test_unknown_corners_and_those_outside_stay_out_of_the_box(records):
    far = dict(records[0], corners=[[-30, 5], [50, 6], [52, 40], [-1, -1]], visibility=[0, 2, 2, 0])
    annotation = coco_document([far])["annotations"][0]
    assert annotation["bbox"] == [-0.5, 5, 52.5, 35]
    assert annotation["num_keypoints"] == 2
    nothing = dict(records[0], corners=[[-1, -1]] * 4, visibility=[0] * 4)
    assert coco_document([nothing])["annotations"][0]["bbox"] == [0, 0, 0, 0]


@pytest.mark.parametrize("edit, said", [
    (lambda r: r.pop("corners"), "lacks corners"),
    (lambda r: r.update(corners=CORNERS[:3]), r"\(3, 2\)"),
    (lambda r: r.update(corners=[[math.nan, 0]] * 4), "finite"),
    (lambda r: r["attributes"].update(seed=np.int64(3)), "int64")])
def test_a_bad_record_leaves_the_old_file_as_it_was(folder, records, edit, said):
    before = (folder / "annotations.json").read_bytes()
    bad = records[0]
    edit(bad)
    with pytest.raises(DatasetError, match=said):
        write_annotations(folder, [bad])
    assert (folder / "annotations.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["annotations.json", "images", "masks"]


def test_a_failed_rename_leaves_nothing_behind(folder, records, monkeypatch):
    def refuse(*_):
        raise OSError("disk full")

    before = (folder / "annotations.json").read_bytes()
    monkeypatch.setattr("scenes.document.os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_annotations(folder, records[:1])
    assert (folder / "annotations.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["annotations.json", "images", "masks"]


@pytest.mark.parametrize("edit, said", [
    (lambda d: d.pop("images"), "images"),
    (lambda d: d["images"][1].pop("width"), r"images\[1\].width"),
    (lambda d: d["images"][1].update(height="48"), r"images\[1\].height is '48'"),
    (lambda d: d["images"][1].update(file_name="../secret.jpg"), r"images\[1\].file_name"),
    (lambda d: d["annotations"][2].update(keypoints=[1, 2, 3]), r"annotations\[2\].keypoints"),
    (lambda d: d["annotations"][0].update(attributes=5), r"annotations\[0\].attributes"),
    (lambda d: d["annotations"].pop(0), r"images\[0\], 000000.jpg, has no annotation"),
    (lambda d: d["annotations"][0]["keypoints"].__setitem__(0, math.nan), "000000.jpg are not all finite")])
def test_reading_names_file_and_key_of_what_is_wrong(folder, edit, said):
    change(folder, edit)
    with pytest.raises(DatasetError, match=f"annotations.json: .*{said}"):
        read_dataset(folder)


def test_reading_what_is_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="annotations.json: there is no such file"):
        read_dataset(tmp_path)
    (tmp_path / "annotations.json").write_text("[1, 2")
    with pytest.raises(DatasetError, match="annotations.json"):
        read_dataset(tmp_path)


# Other categories

FACE = Category("face", ("nose", "chin", "ear"), ((1, 2), (2, 3)))
POINTS = [[-17.0, 20.0], [30.5, 40.0], [-1.0, -1.0]]


@pytest.fixture
def faces(folder, records):
    for record in records:
        record.update(corners=POINTS, visibility=[0, 2, 0], attributes={"age": 40})
    write_annotations(folder, records, FACE)
    return folder


def test_keypoints_of_another_category_are_read_as_written(faces):
    assert read_category(faces) == FACE
    sample = read_dataset(faces, category="face")[0]
    assert sample.corners.tolist() == POINTS and sample.visibility.tolist() == [0, 2, 0]
    assert sample.attributes == {"age": 40}
    assert coco_document(read_dataset(faces, category=None), FACE)["annotations"][0]["keypoints"] == [
        -17, 20, 0, 30.5, 40, 2, -1, -1, 0]


def test_who_wants_sheets_gets_no_faces_and_the_other_way_round(faces, folder, records):
    with pytest.raises(DatasetError, match="category 'face', not 'sheet'"):
        read_dataset(faces)
    for record in records:
        record.update(corners=CORNERS, visibility=[2] * 4)
    write_annotations(folder, records)
    assert read_category(folder) == SHEET
    with pytest.raises(DatasetError, match="category 'sheet', not 'face'"):
        read_dataset(folder, category="face")


def test_records_have_as_many_keypoints_as_their_category(records):
    with pytest.raises(DatasetError, match=r"\(4, 2\).*\(3, 2\)"):
        coco_document(records, FACE)


def test_an_image_in_a_subfolder_keeps_its_path(folder, records):
    records[0]["file_name"] = "day.one/a.b.jpg"
    write_annotations(folder, records)
    sample = read_dataset(folder)[0]
    assert sample.file_name == "day.one/a.b.jpg" and sample.mask_path == folder / "masks" / "day.one" / "a.b.png"
    assert coco_document([sample])["images"][0]["file_name"] == "day.one/a.b.jpg"


# Masks


def test_a_mask_is_read_as_class_ids(folder):
    mask = read_mask(folder / "masks" / "000000.png")
    assert mask.dtype == np.uint8 and mask.shape == (48, 64) and np.unique(mask).tolist() == [0, 1, 2]


def test_a_mask_of_colours_is_not_read(folder):
    Image.new("RGB", (64, 48)).save(folder / "masks" / "000000.png")
    with pytest.raises(DatasetError, match="RGB"):
        read_mask(folder / "masks" / "000000.png")
    (folder / "masks" / "000000.png").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_mask(folder / "masks" / "000000.png")
    (folder / "masks" / "000000.png").unlink()
    with pytest.raises(DatasetError, match="cannot be read: there is no such file"):
        read_mask(folder / "masks" / "000000.png")


# Commands
@pytest.mark.parametrize("size", ["480", "480x", "0x640", "axb", "480x640x3", "-4x-5"])
def test_render_refuses_a_size_that_is_none(tmp_path, size):
    result = CliRunner().invoke(scenes, ["render", str(tmp_path), "--size", size])
    assert result.exit_code == 2 and "480x640" in result.stderr


def test_render_hands_its_options_on(tmp_path, monkeypatch):
    generate = pytest.importorskip("scenes.rendering.generate")
    seen = {}
    monkeypatch.setattr(generate, "render_dataset", lambda *args, **options: seen.update(args=args, **options))
    result = CliRunner().invoke(scenes, ["render", str(tmp_path), "--count", "3", "--seed", "7", "--workers", "2",
                                         "--split", "test", "--size", "150x200"])
    assert result.exit_code == 0, result.output
    assert {key: seen[key] for key in ("args", "size", "legs", "textures")} == {
        "args": (tmp_path, {"test": 3}, 7, 2), "size": (150, 200), "legs": None, "textures": None}


def test_render_that_fails_says_so_in_one_line(tmp_path, monkeypatch):
    generate = pytest.importorskip("scenes.rendering.generate")

    def fail(*_, **__):
        raise ValueError("another recipe")

    monkeypatch.setattr(generate, "render_dataset", fail)
    result = CliRunner().invoke(scenes, ["render", str(tmp_path)])
    assert result.exit_code == 1 and result.stderr == "Error: another recipe\n"


@pytest.mark.parametrize("size, across", [("120x160", 90), ("99x400", 99), ("10x10", 6)])
def test_render_refuses_photos_that_nothing_reads(tmp_path, size, across):
    result = CliRunner().invoke(scenes, ["render", str(tmp_path / "out"), "--preset", "tiny", "--size", size])
    assert result.exit_code == 2 and f"would be {across} pixels across" in result.stderr
    assert not (tmp_path / "out").exists()


def test_photos_of_a_size_are_as_narrow_as_render_takes_them_to_be():
    layout = pytest.importorskip("scenes.rendering.layout")
    rng = np.random.default_rng(0)
    narrowest = min(min(layout._photo_size(rng, (300, 400), (0.25,) * 4)) for _ in range(50))
    assert narrowest == round(400 * NARROWEST)


def test_render_with_legs_that_are_none_begins_no_folder(tmp_path):
    pytest.importorskip("mitsuba")
    (tmp_path / "legs.npz").write_text("no legs")
    result = CliRunner().invoke(scenes, ["render", str(tmp_path / "out"), "--legs", str(tmp_path / "legs.npz"),
                                         "--workers", "2"])
    assert result.exit_code == 1 and "legs.npz: not a readable .npz archive" in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_benchmark_prints_what_it_found_before_it_writes(tmp_path, monkeypatch):
    benchmark = pytest.importorskip("scenes.rendering.benchmark")
    monkeypatch.setattr(benchmark, "run_benchmark", lambda *_: {"scenes": 1})
    monkeypatch.setattr(benchmark, "as_table", lambda _: "the table")
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(scenes, ["benchmark", "--json", str(tmp_path / "file" / "numbers.json")])
    assert result.exit_code == 1 and result.stdout == "the table\n" and result.stderr.startswith("Error: ")
