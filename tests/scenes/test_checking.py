import json
import math
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from scenes.checking import check_dataset, decoded_size
from scenes.commands import scenes
from scenes.dataset import DatasetError, read_dataset, read_mask, write_annotations
from scenes.document import Category, Fault

CORNERS = [[10.25, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]  # of every annotation
SIZE = (64, 48)


def rules(folder):
    return [fault.rule for fault in check_dataset(folder)]


def change(folder, edit):
    """Rewrite annotations.json after edit(document)."""
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


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
    "image of a size that no format has": (lambda d: d["images"][0].update(width=10**400), "images_structure"),
    "file name of no file": (lambda d: d["images"][0].update(file_name="./."), "images_structure"),
    "file name too long": (lambda d: d["images"][0].update(file_name="x" * 300), "images_structure"),
    "half a character": (lambda d: d["images"][0].update(file_name="\ud800.jpg"), "images_structure"),
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
    "more than a float holds": (keypoint_edit(0, 10**400), "corner_count"),
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
    "corner at 0, 0 with visibility 0": (lambda d: (annotation_edit(num_keypoints=3)(d),
                                                    [keypoint_edit(k, 0)(d) for k in range(3)]), "unknown_at_zero"),
    "corners on a line": (annotation_edit(keypoints=[1, 1, 2, 20, 20, 2, 40, 40, 2, 9, 30, 2]), "corner_shape"),
    "a corner twice": (annotation_edit(keypoints=[1, 1, 2, 40, 1, 2, 40, 40, 2, 40, 40, 2]), "corner_shape"),
    "box of more than a float holds": (annotation_edit(bbox=[10**400, 0, 1, 1]), "annotations_structure"),
    "length of more than a float holds": (attribute_edit(feet=[{"side": "left", "length_mm": 10**400,
                                                                "width_mm": 90}]), "attributes"),
    "box of NaN": (annotation_edit(bbox=[math.nan, 0, 1, 1]), "not_finite"),
    "area infinite": (annotation_edit(area=math.inf), "not_finite"),
    "NaN deep in attributes": (attribute_edit(camera={"rotation": [[1.0, math.nan]]}), "not_finite"),
    "negative box": (annotation_edit(bbox=[5, 5, -1, 3]), "bad_box"),
    "foot told, no corner known": (annotation_edit(keypoints=[-1, -1, 0] * 4, num_keypoints=0), "foot_without_sheet"),
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
    "nested deeply": (lambda f: (f / "annotations.json").write_text('{"info": ' + "[" * 400 + "]" * 400 + "}"),
                      "annotations.json", "annotations_not_json"),
    "a number of many digits": (lambda f: (f / "annotations.json").write_text('{"info": ' + "9" * 5000 + "}"),
                                "annotations.json", "annotations_not_json"),
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
    "image twice": (lambda f: shutil.copy(f / "images" / "000000.jpg", f / "images" / "000002.jpg"),
                    "images/000002.jpg", "duplicate_image"),
    "image of text": (lambda f: (f / "images" / "000000.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0"),
                      "images/000000.jpg", "image_unreadable"),
    "foot without sheet": (rewrite_mask(lambda mask: mask.__setitem__(mask == 1, 0)), "masks/000000.png",
                           "foot_without_sheet"),
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


def test_a_mask_that_is_a_program_is_not_run(folder, monkeypatch):
    """PostScript, which Pillow hands to Ghostscript."""
    Image.new("L", SIZE).save(folder / "masks" / "000000.png", format="EPS")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args, **options: pytest.fail("it was run"))
    assert rules(folder) == ["mask_unreadable"]
    with pytest.raises(DatasetError, match="cannot be read"):
        read_mask(folder / "masks" / "000000.png")


def test_not_finite_names_the_place(folder):
    change(folder, attribute_edit(camera={"rotation": [[1.0, math.nan]]}))
    fault, = check_dataset(folder)
    assert "attributes.camera.rotation[0][1]" in fault.message


@pytest.mark.parametrize("orientation, size", [(6, (64, 48)), (3, (48, 64))])
def test_the_size_of_a_photo_is_that_after_its_exif_turn(folder, orientation, size):
    """Orientation 6 exchanges width and height of what is stored, 3 does not."""
    stored = Image.effect_noise((48, 64), 50).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(folder / "images" / "000000.jpg", exif=exif)
    assert rules(folder) == ([] if size == SIZE else ["image_size"])


def test_a_byte_order_mark_is_no_fault(folder):
    path = folder / "annotations.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert check_dataset(folder) == [] and len(read_dataset(folder)) == 3


def test_a_dataset_that_says_it_has_no_masks_needs_none(folder, records):
    shutil.rmtree(folder / "masks")
    assert rules(folder) == ["mask_missing"] * 3
    write_annotations(folder, records, masks=False)
    assert check_dataset(folder) == []


# Other categories


@pytest.fixture
def faces(folder, records):
    """Two keypoints of a face an image, one of them outside; masks with numbers of their own for two of three."""
    for number, record in enumerate(records):
        record.update(corners=[[-17.5, 20], [30 + number, 40]], visibility=[0, 2], attributes={"split": "train"})
    Image.new("L", SIZE, 77).save(folder / "masks" / "000000.png")
    (folder / "masks" / "000001.png").unlink()
    write_annotations(folder, records, Category("face", ("nose", "chin"), ((1, 2),)))
    return folder


def test_a_dataset_of_another_category_is_good_without_corners_masks_and_feet(faces):
    assert check_dataset(faces) == []


@pytest.mark.parametrize("edit, rule", [
    (annotation_edit(keypoints=[1, 2, 2]), "keypoint_count"),
    (keypoint_edit(0, math.nan), "corner_not_finite"),
    (keypoint_edit(2, 5), "bad_visibility"),
    (annotation_edit(num_keypoints=2), "num_keypoints"),
    (annotation_edit(category_id=4), "category"),
    (attribute_edit(split="holdout"), "attributes"),
    (lambda d: d["categories"].append({"id": 2, "name": "hand", "keypoints": ["thumb"]}), "category"),
    (lambda d: d["categories"][0].update(keypoints=["nose", "nose"]), "category"),
    (lambda d: d["categories"][0].update(skeleton=[[1, 3]]), "category")])
def test_faults_of_another_category_are_found(faces, edit, rule):
    change(faces, edit)
    assert rule in rules(faces)


@pytest.mark.parametrize("damage, rule", [
    (lambda f: Image.new("L", (9, 9)).save(f / "masks" / "000000.png"), "mask_size"),
    (lambda f: Image.new("RGB", SIZE).save(f / "masks" / "000000.png"), "mask_channels"),
    (lambda f: (f / "masks" / "more.png").touch(), "mask_extra"),
    (lambda f: shutil.copy(f / "images" / "000000.jpg", f / "images" / "000002.jpg"), "duplicate_image")])
def test_faults_of_files_beside_another_category_are_found(faces, damage, rule):
    damage(faces)
    assert rules(faces) == [rule]


# Commands


def test_check_says_how_much_there_is(folder):
    result = CliRunner().invoke(scenes, ["check", str(folder)])
    assert result.exit_code == 0
    assert "3 images (2 train, 1 validation), 3 feet" in result.output


def test_check_says_what_another_category_holds(faces):
    result = CliRunner().invoke(scenes, ["check", str(faces)])
    assert result.exit_code == 0 and "3 images (3 train), 2 keypoints of category face each" in result.output


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


def test_an_image_smaller_than_an_eighth_of_a_draft_is_read(tmp_path):
    Image.new("RGB", (6, 20)).save(tmp_path / "a.jpg")
    assert decoded_size(tmp_path / "a.jpg") == (6, 20)
