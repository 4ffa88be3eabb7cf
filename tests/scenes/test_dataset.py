import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from scenes.commands import scenes
from scenes.dataset import (
    CATEGORY,
    DatasetError,
    Fault,
    check_dataset,
    coco_document,
    read_dataset,
    read_mask,
    write_annotations,
)

SIZE = (64, 48)
CORNERS = [[10.25, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]


def record(number, feet=("left",), split="train"):
    return {"file_name": f"{number:06d}.jpg", "width": SIZE[0], "height": SIZE[1], "corners": CORNERS,
            "visibility": [2, 2, 1, 2],
            "attributes": {"sheet": {"format": "a4", "long_side": "horizontal"}, "seed": 7, "split": split,
                           "feet": [{"side": side, "length_mm": 250.0, "width_mm": 95.0} for side in feet]}}


RECORDS = [record(0), record(1, feet=(), split="validation"), record(2, feet=("left", "right"))]


@pytest.fixture
def folder(tmp_path):
    """A good dataset of three scenes: a left foot, no foot, both feet."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for number, labels in enumerate([(1, 2), (1,), (1, 2, 3)]):
        Image.fromarray(noise).save(tmp_path / "images" / f"{number:06d}.jpg")
        mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        for label in labels:
            mask[10 * label:10 * label + 5, 10:30] = label
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number:06d}.png")
    write_annotations(tmp_path, RECORDS)
    return tmp_path


def rules(folder):
    return [fault.rule for fault in check_dataset(folder)]


def change(folder, edit):
    """Rewrite annotations.json after edit(document)."""
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


# Writing and reading


def test_what_is_written_is_read(folder):
    samples = read_dataset(folder)
    assert [sample.name for sample in samples] == ["000000", "000001", "000002"]
    first = samples[0]
    assert first.corners.tolist() == CORNERS and first.corners.dtype == np.float64
    assert first.visibility.tolist() == [2, 2, 1, 2]
    assert (first.width, first.height) == SIZE
    assert first.attributes == RECORDS[0]["attributes"]
    assert first.image_path.is_file() and first.mask_path == folder / "masks" / "000000.png"


def test_samples_written_again_give_the_same_document(folder):
    assert coco_document(read_dataset(folder)) == coco_document(RECORDS)


def test_a_split_is_read_alone(folder):
    assert [sample.name for sample in read_dataset(folder, "validation")] == ["000001"]
    assert [sample.name for sample in read_dataset(folder, "train")] == ["000000", "000002"]
    assert read_dataset(folder, "test") == []
    with pytest.raises(ValueError, match="'valid'"):
        read_dataset(folder, "valid")


def test_the_document_is_coco_keypoints():
    document = coco_document(RECORDS[:1])
    assert document["categories"] == [CATEGORY]
    assert CATEGORY["keypoints"] == ["corner_1", "corner_2", "corner_3", "corner_4"]
    assert CATEGORY["skeleton"] == [[1, 2], [2, 3], [3, 4], [4, 1]]  # COCO counts keypoints from 1
    annotation = document["annotations"][0]
    assert annotation["keypoints"] == [10.25, 5, 2, 50, 6, 2, 52, 40, 1, 8, 41, 2]
    assert annotation["num_keypoints"] == 4
    assert annotation["bbox"] == [8, 5, 44, 36] and annotation["area"] == 44 * 36
    assert annotation["image_id"] == document["images"][0]["id"]


def test_unknown_corners_and_those_outside_stay_out_of_the_box():
    far = dict(record(0), corners=[[-30, 5], [50, 6], [52, 40], [-1, -1]], visibility=[0, 2, 2, 0])
    annotation = coco_document([far])["annotations"][0]
    assert annotation["bbox"] == [-0.5, 5, 52.5, 35]
    assert annotation["num_keypoints"] == 2
    nothing = dict(record(0), corners=[[-1, -1]] * 4, visibility=[0] * 4)
    assert coco_document([nothing])["annotations"][0]["bbox"] == [0, 0, 0, 0]


@pytest.mark.parametrize("edit, said", [
    (lambda r: r.pop("corners"), "lacks corners"),
    (lambda r: r.update(corners=CORNERS[:3]), r"\(3, 2\)"),
    (lambda r: r.update(corners=[[math.nan, 0]] * 4), "finite"),
    (lambda r: r["attributes"].update(seed=np.int64(3)), "int64")])
def test_a_bad_record_leaves_the_old_file_as_it_was(folder, edit, said):
    before = (folder / "annotations.json").read_bytes()
    bad = record(0)
    edit(bad)
    with pytest.raises(DatasetError, match=said):
        write_annotations(folder, [bad])
    assert (folder / "annotations.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["annotations.json", "images", "masks"]


def test_a_failed_rename_leaves_nothing_behind(folder, monkeypatch):
    def refuse(*_):
        raise OSError("disk full")

    before = (folder / "annotations.json").read_bytes()
    monkeypatch.setattr("scenes.dataset.os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_annotations(folder, RECORDS[:1])
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


def test_a_mask_is_read_as_class_ids(folder):
    mask = read_mask(folder / "masks" / "000000.png")
    assert mask.dtype == np.uint8 and mask.shape == (48, 64) and np.unique(mask).tolist() == [0, 1, 2]


def test_a_mask_of_colours_is_not_read(folder):
    Image.new("RGB", SIZE).save(folder / "masks" / "000000.png")
    with pytest.raises(DatasetError, match="RGB"):
        read_mask(folder / "masks" / "000000.png")
    (folder / "masks" / "000000.png").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_mask(folder / "masks" / "000000.png")


# Checking


def test_a_good_dataset_has_no_fault(folder):
    assert check_dataset(folder) == []


def test_a_dataset_from_elsewhere_needs_no_attributes(folder):
    change(folder, lambda d: [annotation.pop("attributes") for annotation in d["annotations"]])
    assert check_dataset(folder) == []
    assert read_dataset(folder)[0].attributes == {}


def annotation_edit(**values):
    return lambda document: document["annotations"][0].update(values)


def keypoint_edit(place, value):
    return lambda document: document["annotations"][0]["keypoints"].__setitem__(place, value)


def attribute_edit(**values):
    return lambda document: document["annotations"][0]["attributes"].update(values)


def rolled(shift):
    return np.roll(np.column_stack([CORNERS, [2, 2, 1, 2]]), shift, axis=0).ravel().tolist()


DOCUMENT_FAULTS = {
    "images list missing": (lambda d: d.pop("images"), "images_structure"),
    "categories missing": (lambda d: d.pop("categories"), "categories_structure"),
    "annotations no list": (lambda d: d.update(annotations={}), "annotations_structure"),
    "image no object": (lambda d: d["images"].append(3), "images_structure"),
    "image without size": (lambda d: d["images"][0].pop("width"), "images_structure"),
    "image of size 0": (lambda d: d["images"][0].update(height=0), "images_structure"),
    "absolute file name": (lambda d: d["images"][0].update(file_name="/etc/passwd"), "images_structure"),
    "annotation without box": (lambda d: d["annotations"][0].pop("bbox"), "annotations_structure"),
    "id that is true": (annotation_edit(id=True), "annotations_structure"),
    "keypoint names": (lambda d: d["categories"][0].update(keypoints=["a", "b", "c", "d"]), "category"),
    "skeleton": (lambda d: d["categories"][0].pop("skeleton"), "category"),
    "no sheet": (lambda d: d["categories"][0].update(name="paper"), "category"),
    "other category": (annotation_edit(category_id=9), "category"),
    "image id twice": (lambda d: d["images"][1].update(id=1), "duplicate_id"),
    "annotation id twice": (lambda d: d["annotations"][1].update(id=1), "duplicate_id"),
    "name twice": (lambda d: d["images"][1].update(file_name="000000.jpg"), "duplicate_file_name"),
    "same stem": (lambda d: d["images"][1].update(file_name="000000.png"), "duplicate_file_name"),
    "no annotation": (lambda d: d["annotations"].pop(), "annotation_count"),
    "annotation of nothing": (lambda d: d["annotations"][1].update(image_id=99), "annotation_count"),
    "three corners": (annotation_edit(keypoints=[1, 2, 2] * 3), "corner_count"),
    "five corners": (annotation_edit(keypoints=[1, 2, 2] * 5), "corner_count"),
    "text for a corner": (keypoint_edit(0, "10"), "corner_count"),
    "NaN": (keypoint_edit(0, math.nan), "corner_not_finite"),
    "infinity": (keypoint_edit(4, math.inf), "corner_not_finite"),
    "visibility 3": (keypoint_edit(2, 3), "bad_visibility"),
    "visibility a half": (keypoint_edit(2, 1.5), "bad_visibility"),
    "visibility NaN": (keypoint_edit(2, math.nan), "bad_visibility"),
    "count of keypoints": (annotation_edit(num_keypoints=3), "num_keypoints"),
    "starts at another corner": (annotation_edit(keypoints=rolled(1)), "corner_order"),
    "counter-clockwise": (annotation_edit(keypoints=np.array(rolled(0)).reshape(4, 3)[[0, 3, 2, 1]].ravel().tolist()),
                          "corner_order"),
    "visible outside": (keypoint_edit(0, -5.0), "visible_outside"),
    "covered outside": (keypoint_edit(6, 64.0), "visible_outside"),
    "invisible inside": (lambda d: (keypoint_edit(2, 0)(d), annotation_edit(num_keypoints=3)(d)), "invisible_inside"),
    "unknown split": (attribute_edit(split="training"), "attributes"),
    "unknown format": (attribute_edit(sheet={"format": "a5", "long_side": "vertical"}), "attributes"),
    "no long side": (attribute_edit(sheet={"format": "a4"}), "attributes"),
    "feet no list": (attribute_edit(feet="left"), "attributes"),
    "length 0": (attribute_edit(feet=[{"side": "left", "length_mm": 0, "width_mm": 90}]), "attributes"),
    "attributes no object": (annotation_edit(attributes=[]), "attributes"),
    "foot not in the mask": (attribute_edit(feet=[{"side": side, "length_mm": 250, "width_mm": 90}
                                                  for side in ("left", "right")]), "foot_missing"),
    "foot not told of": (attribute_edit(feet=[]), "foot_extra"),
}


@pytest.mark.parametrize("name", DOCUMENT_FAULTS)
def test_every_fault_of_the_document_is_found(folder, name):
    edit, rule = DOCUMENT_FAULTS[name]
    change(folder, edit)
    assert rule in rules(folder)


def test_one_wrong_corner_is_one_fault(folder):
    change(folder, keypoint_edit(0, math.nan))
    fault, = check_dataset(folder)
    assert fault.file == "annotations.json" and "000000.jpg" in fault.message


def test_corners_of_equal_sums_may_start_at_either(folder):
    diamond = [[30.0, 10.004], [40.0, 20.0], [30.0, 30.0], [20.0, 20.0]]  # as rounded by some tool
    keypoints = np.column_stack([diamond, [2, 2, 2, 2]])
    for shift in (0, 1):
        change(folder, annotation_edit(keypoints=np.roll(keypoints, shift, axis=0).ravel().tolist()))
        assert check_dataset(folder) == []


def test_an_unknown_corner_is_no_fault(folder):
    def forget(document):
        document["annotations"][0]["keypoints"][9:] = [-1, -1, 0]
        document["annotations"][0]["num_keypoints"] = 3

    change(folder, forget)
    assert check_dataset(folder) == []


def rewrite_mask(edit, mode=None):
    def damage(folder):
        path = folder / "masks" / "000000.png"
        mask = read_mask(path)
        edit(mask)
        Image.fromarray(mask).convert(mode or "L").save(path)
    return damage


def cut(part, name):
    def damage(folder):
        content = (folder / part / name).read_bytes()
        (folder / part / name).write_bytes(content[:len(content) * 2 // 3])
    return damage


FILE_FAULTS = {
    "annotations missing": (lambda f: (f / "annotations.json").unlink(), "annotations.json", "annotations_missing"),
    "no JSON": (cut("", "annotations.json"), "annotations.json", "annotations_not_json"),
    "no object": (lambda f: (f / "annotations.json").write_text("[]"), "annotations.json", "annotations_structure"),
    "no text": (lambda f: (f / "annotations.json").write_bytes(b"\xff\xfe\xff"), "annotations.json",
                "annotations_unreadable"),
    "image missing": (lambda f: (f / "images" / "000001.jpg").unlink(), "images/000001.jpg", "image_missing"),
    "image extra": (lambda f: (f / "images" / "more.jpg").touch(), "images/more.jpg", "image_extra"),
    "image cut short": (cut("images", "000000.jpg"), "images/000000.jpg", "image_unreadable"),
    "image empty": (lambda f: (f / "images" / "000000.jpg").write_bytes(b""), "images/000000.jpg", "image_unreadable"),
    "image size": (lambda f: Image.new("RGB", (64, 50)).save(f / "images" / "000000.jpg"), "images/000000.jpg",
                   "image_size"),
    "mask missing": (lambda f: (f / "masks" / "000001.png").unlink(), "masks/000001.png", "mask_missing"),
    "mask extra": (lambda f: (f / "masks" / "more.png").touch(), "masks/more.png", "mask_extra"),
    "mask cut short": (cut("masks", "000000.png"), "masks/000000.png", "mask_unreadable"),
    "mask size": (lambda f: Image.new("L", (48, 64)).save(f / "masks" / "000001.png"), "masks/000001.png",
                  "mask_size"),
    "mask of colours": (rewrite_mask(lambda mask: None, "RGB"), "masks/000000.png", "mask_channels"),
    "mask of a palette": (rewrite_mask(lambda mask: None, "P"), "masks/000000.png", "mask_channels"),
    "mask with alpha": (rewrite_mask(lambda mask: None, "LA"), "masks/000000.png", "mask_channels"),
    "mask a JPEG": (lambda f: Image.new("L", SIZE).save(f / "masks" / "000001.png", format="JPEG"),
                    "masks/000001.png", "mask_channels"),
    "mask value 4": (rewrite_mask(lambda mask: mask.__setitem__((0, 0), 4)), "masks/000000.png", "mask_value"),
    "mask value 255": (rewrite_mask(lambda mask: mask.__setitem__((0, 0), 255)), "masks/000000.png", "mask_value"),
    "foot gone": (rewrite_mask(lambda mask: mask.__setitem__(mask == 2, 0)), "masks/000000.png", "foot_missing"),
    "foot too many": (rewrite_mask(lambda mask: mask.__setitem__((0, 0), 3)), "masks/000000.png", "foot_extra"),
}


@pytest.mark.parametrize("name", FILE_FAULTS)
def test_every_fault_of_a_file_is_found_and_no_other(folder, name):
    damage, file, rule = FILE_FAULTS[name]
    damage(folder)
    found = {(fault.file, fault.rule) for fault in check_dataset(folder)}
    assert (file, rule) in found
    assert {fault_file for fault_file, _ in found} == {file}


# Commands


def test_check_says_how_much_there_is(folder):
    result = CliRunner().invoke(scenes, ["check", str(folder)])
    assert result.exit_code == 0
    assert "3 images (2 train, 1 validation), 3 feet" in result.output


def test_check_names_each_fault_on_a_line_of_stderr(folder):
    (folder / "images" / "000001.jpg").unlink()
    (folder / "masks" / "more.png").touch()
    result = CliRunner().invoke(scenes, ["check", str(folder)])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("images/000001.jpg: image_missing: ") and len(lines) == 2
    assert lines[1] == str(Fault("masks/more.png", "mask_extra", "annotations.json does not know it"))


def test_check_of_no_folder_is_wrong_usage(tmp_path):
    assert CliRunner().invoke(scenes, ["check", str(tmp_path / "none")]).exit_code == 2


@pytest.mark.parametrize("size", ["480", "480x", "0x640", "axb", "480x640x3", "-4x-5"])
def test_render_refuses_a_size_that_is_none(tmp_path, size):
    result = CliRunner().invoke(scenes, ["render", str(tmp_path), "--size", size])
    assert result.exit_code == 2 and "480x640" in result.stderr


def test_render_hands_its_options_on(tmp_path, monkeypatch):
    generate = pytest.importorskip("scenes.rendering.generate")
    seen = {}
    monkeypatch.setattr(generate, "render_dataset", lambda *args, **options: seen.update(args=args, **options))
    result = CliRunner().invoke(scenes, ["render", str(tmp_path), "--count", "3", "--seed", "7", "--workers", "2",
                                         "--split", "test", "--size", "48x64"])
    assert result.exit_code == 0, result.output
    assert seen == {"args": (tmp_path, 3, 7, 2, "test"), "size": (48, 64), "legs": None, "textures": None}


def test_render_that_fails_says_so_in_one_line(tmp_path, monkeypatch):
    generate = pytest.importorskip("scenes.rendering.generate")

    def fail(*_, **__):
        raise ValueError("another recipe")

    monkeypatch.setattr(generate, "render_dataset", fail)
    result = CliRunner().invoke(scenes, ["render", str(tmp_path)])
    assert result.exit_code == 1 and result.stderr == "Error: another recipe\n"
