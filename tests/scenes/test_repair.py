import json
import math
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from scenes.checking import check_dataset
from scenes.commands import scenes
from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.document import Category
from scenes.repair import fix_dataset, stored_class_ids

CORNERS = np.array([[10.25, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]])  # of every annotation
KEYPOINTS = np.column_stack([CORNERS, [2, 2, 1, 2]])


def change(folder, edit):
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def first(**values):
    """An edit of the first annotation."""
    return lambda document: document["annotations"][0].update(values)


def attributes(**values):
    return lambda document: document["annotations"][0]["attributes"].update(values)


def flat(keypoints):
    return np.asarray(keypoints, dtype=float).ravel().tolist()


def moved(k, x, y, v):
    keypoints = KEYPOINTS.copy()
    keypoints[k] = x, y, v
    return flat(keypoints)


def rules(folder):
    return {fault.rule for fault in check_dataset(folder)}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FIXABLE_DOCUMENTS = {
    "bones": lambda d: d["categories"][0].pop("skeleton"),
    "names of keypoints": lambda d: d["categories"][0].update(keypoints=["a", "b", "c", "d"]),
    "name of the category": lambda d: d["categories"][0].update(name="paper"),
    "turned": first(keypoints=flat(np.roll(KEYPOINTS, 1, axis=0))),
    "mirrored": first(keypoints=flat(KEYPOINTS[[0, 3, 2, 1]])),
    "crossed": first(keypoints=flat(KEYPOINTS[[0, 2, 1, 3]])),
    "seen outside": first(keypoints=moved(0, -3.0, 5.0, 2), num_keypoints=4),
    "unknown as zero": first(keypoints=moved(1, 0, 0, 0), num_keypoints=3),
    "unknown as NaN": first(keypoints=moved(1, math.nan, math.nan, 0), num_keypoints=3),
    "count": first(num_keypoints=1),
    "no box": lambda d: [d["annotations"][0].pop(key) for key in ("bbox", "area", "iscrowd", "num_keypoints")],
    "box of NaN": first(bbox=[math.nan, 0, 1, 1], area=math.nan),
    "negative box": first(bbox=[10, 10, -5, 5]),
    "id twice": lambda d: d["annotations"][1].update(id=1),
    "no id": lambda d: d["annotations"][2].pop("id"),
    "folder in the name": lambda d: d["images"][0].update(file_name="images/000000.jpg"),
    "backslash in the name": lambda d: d["images"][0].update(file_name="images\\000000.jpg"),
    "no size": lambda d: d["images"][0].pop("width"),
    "split": attributes(split="Training"),
    "format": attributes(sheet={"format": "A4", "long_side": "Vertical"}),
    "side": attributes(feet=[{"side": "Left", "length_mm": 250.0, "width_mm": 90.0}]),
    "no attributes": first(attributes=None),
}


@pytest.mark.parametrize("name", FIXABLE_DOCUMENTS)
def test_what_is_safe_is_repaired_once_and_for_all(folder, name):
    change(folder, FIXABLE_DOCUMENTS[name])
    damaged = (folder / "annotations.json").read_bytes()
    assert check_dataset(folder)
    assert fix_dataset(folder)
    assert check_dataset(folder) == []
    assert (folder / "annotations.json.bak").read_bytes() == damaged
    before = contents(folder)
    assert fix_dataset(folder) == []
    assert contents(folder) == before


@pytest.mark.parametrize("order", [[1, 2, 3, 0], [0, 3, 2, 1], [2, 1, 0, 3], [0, 2, 1, 3]])
def test_visibility_moves_with_its_corner(folder, order):
    change(folder, first(keypoints=flat(KEYPOINTS[order])))
    fix_dataset(folder)
    sample = read_dataset(folder)[0]
    assert sample.corners.tolist() == CORNERS.tolist() and sample.visibility.tolist() == [2, 2, 1, 2]
    assert sample.attributes["sheet"] == {"format": "a4", "long_side": "horizontal"}


def test_a_corner_outside_keeps_its_place(folder):
    change(folder, first(keypoints=moved(0, -3.0, 5.0, 2)))
    repair = fix_dataset(folder)[0]
    assert (repair.file, repair.rule) == ("annotations.json", "visible_outside") and "corner_1" in repair.message
    sample = read_dataset(folder)[0]
    assert sample.corners[0].tolist() == [-3, 5] and sample.visibility.tolist() == [0, 2, 1, 2]
    assert json.loads((folder / "annotations.json").read_text())["annotations"][0]["num_keypoints"] == 3


def test_what_other_tools_wrote_stays(folder):
    change(folder, lambda d: (d.update(licenses=[{"id": 7}]), d["images"][0].update(date_captured="2024"),
                              first(num_keypoints=1, track_id=5)(d)))
    fix_dataset(folder)
    document = json.loads((folder / "annotations.json").read_text())
    assert document["licenses"] == [{"id": 7}] and document["images"][0]["date_captured"] == "2024"
    assert document["annotations"][0]["track_id"] == 5 and document["annotations"][0]["num_keypoints"] == 4


LEFT_ALONE = {
    "not covered or seen": (first(keypoints=moved(0, 10.25, 5.0, 0), num_keypoints=3), "invisible_inside"),
    "seen NaN": (first(keypoints=moved(0, math.nan, 5, 2)), "corner_not_finite"),
    "visibility 3": (first(keypoints=moved(0, 10, 5, 3)), "bad_visibility"),
    "three corners": (first(keypoints=[1, 2, 2] * 3), "corner_count"),
    "on a line": (first(keypoints=flat([[1, 1, 2], [20, 20, 2], [40, 40, 2], [10, 30, 2]])), "corner_shape"),
    "one within the others": (first(keypoints=flat([[1, 1, 2], [40, 1, 2], [12, 12, 2], [1, 40, 2]])), "corner_shape"),
    "image id twice": (lambda d: d["images"][1].update(id=1), "duplicate_id"),
    "no annotation": (lambda d: d["annotations"].pop(), "annotation_count"),
    "other size": (lambda d: d["images"][0].update(width=100), "image_size"),
    "foot told, not there": (attributes(feet=[{"side": "right", "length_mm": 250.0, "width_mm": 90.0}]),
                             "foot_missing"),
    "odd split": (attributes(split="holdout"), "attributes"),
    "length 0": (attributes(feet=[{"side": "left", "length_mm": 0, "width_mm": 90.0}]), "attributes"),
    "no categories": (lambda d: d.pop("categories"), "categories_structure"),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_would_be_a_guess_stays_a_fault(folder, name):
    edit, rule = LEFT_ALONE[name]
    change(folder, edit)
    assert rule in rules(folder)
    before = contents(folder)
    assert fix_dataset(folder) == []
    assert rule in rules(folder) and contents(folder) == before


def test_each_backup_has_a_name_of_its_own(folder):
    for number in (1, 2, 3):
        change(folder, first(num_keypoints=number))
        fix_dataset(folder)
    kept = [json.loads((folder / name).read_text())["annotations"][0]["num_keypoints"]
            for name in ("annotations.json.bak", "annotations.json.bak2", "annotations.json.bak3")]
    assert kept == [1, 2, 3]


def test_a_document_that_cannot_be_read_is_left(folder):
    (folder / "annotations.json").write_text("{")
    (folder / "images" / "more.jpg").touch()
    before = contents(folder)
    assert fix_dataset(folder) == [] and contents(folder) == before


# Files


def palette(folder):
    path = folder / "masks" / "000000.png"
    image = Image.fromarray(read_mask(path))
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9])
    image.save(path)


def channels(mode):
    def store(folder):
        path = folder / "masks" / "000000.png"
        Image.fromarray(read_mask(path)).convert(mode).save(path)
    return store


def sixteen_bits(folder):
    path = folder / "masks" / "000000.png"
    Image.fromarray(read_mask(path).astype(np.uint16)).save(path)


def bitmap(folder):
    path = folder / "masks" / "000000.png"
    Image.fromarray(read_mask(path)).save(path, format="BMP")


def few_bits(folder):
    """Grey PNG of 2 bits, which Pillow does not write: zlib and chunks by hand."""
    import struct
    import zlib

    path = folder / "masks" / "000000.png"
    ids = read_mask(path)
    packed = (ids[:, 0::4] << 6) | (ids[:, 1::4] << 4) | (ids[:, 2::4] << 2) | ids[:, 3::4]
    rows = b"".join(b"\0" + row.tobytes() for row in packed)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], 2, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
                     + chunk(b"IEND", b""))


@pytest.mark.parametrize("store", [palette, channels("RGB"), channels("RGBA"), channels("LA"), sixteen_bits, bitmap,
                                   few_bits])
def test_class_ids_in_another_wrapping_are_stored_anew(folder, store):
    path = folder / "masks" / "000000.png"
    ids = read_mask(path)
    store(folder)
    damaged = path.read_bytes()
    assert rules(folder) & {"mask_channels", "mask_value"}
    repair, = fix_dataset(folder)
    assert repair.file == "masks/000000.png" and "extra/masks/000000.png" in repair.message
    assert check_dataset(folder) == []
    np.testing.assert_array_equal(read_mask(path), ids)
    assert (folder / "extra" / "masks" / "000000.png").read_bytes() == damaged
    assert not (folder / "annotations.json.bak").exists()
    assert fix_dataset(folder) == []


def recoloured(folder):
    """A palette whose numbers are not class ids: the left foot is 3."""
    path = folder / "masks" / "000000.png"
    ids = np.array([0, 2, 3, 1], np.uint8)[read_mask(path)]
    image = Image.fromarray(ids)
    image.putpalette([0, 0, 0, 9, 9, 9, 90, 90, 90, 200, 0, 0])
    image.save(path)


def colours(folder):
    path = folder / "masks" / "000000.png"
    Image.fromarray(np.array([[0, 0, 0], [240, 228, 66], [0, 114, 178]], np.uint8)[read_mask(path)]).save(path)


def seen_through(folder):
    path = folder / "masks" / "000000.png"
    ids = read_mask(path)
    Image.fromarray(np.dstack([ids, ids, ids, np.full_like(ids, 128)])).save(path)


def value_4(folder):
    path = folder / "masks" / "000000.png"
    ids = read_mask(path)
    ids[0, 0] = 4
    Image.fromarray(ids).save(path)


UNFIXABLE_MASKS = {
    "colours": (colours, "mask_channels"),
    "ids of others": (recoloured, "mask_channels"),
    "transparent": (seen_through, "mask_channels"),
    "one bit": (channels("1"), "mask_channels"),
    "JPEG": (lambda f: Image.new("L", (64, 48)).save(f / "masks" / "000001.png", format="JPEG"), "mask_channels"),
    "value 4": (value_4, "mask_value"),
    "other size": (lambda f: Image.new("P", (32, 24)).save(f / "masks" / "000001.png"), "mask_channels"),
    "cut short": (lambda f: (f / "masks" / "000000.png").write_bytes(b"\x89PNG\r\n\x1a\n"), "mask_unreadable"),
}


@pytest.mark.parametrize("name", UNFIXABLE_MASKS)
def test_masks_are_not_guessed(folder, name):
    damage, rule = UNFIXABLE_MASKS[name]
    damage(folder)
    before = contents(folder)
    assert fix_dataset(folder) == []
    assert rule in rules(folder) and contents(folder) == before


def test_stored_class_ids_are_numbers_of_one_byte(tmp_path):
    Image.fromarray(np.array([[0, 300]], np.uint16)).save(tmp_path / "large.png")
    assert stored_class_ids(tmp_path / "large.png") is None
    Image.fromarray(np.array([[0.5]], np.float32)).save(tmp_path / "float.tif")
    assert stored_class_ids(tmp_path / "float.tif") is None


def test_extra_files_are_moved_and_kept(folder):
    (folder / "images" / "sub").mkdir()
    (folder / "images" / "sub" / "more.jpg").write_bytes(b"1")
    (folder / "images" / ".DS_Store").write_bytes(b"2")
    (folder / "masks" / "more.png").write_bytes(b"3")
    (folder / "extra" / "masks").mkdir(parents=True)
    (folder / "extra" / "masks" / "more.png").write_bytes(b"earlier")
    assert {repair.rule for repair in fix_dataset(folder)} == {"image_extra", "mask_extra"}
    assert check_dataset(folder) == []
    kept = contents(folder / "extra")
    assert kept == {"images/sub/more.jpg": b"1", "images/.DS_Store": b"2", "masks/more.png": b"earlier",
                    "masks/more-2.png": b"3"}


def test_an_extra_file_stays_while_one_is_missing(folder):
    (folder / "images" / "000001.jpg").rename(folder / "images" / "000001.jpeg")
    (folder / "masks" / "more.png").touch()
    assert [repair.file for repair in fix_dataset(folder)] == ["masks/more.png"]
    assert (folder / "images" / "000001.jpeg").is_file() and rules(folder) == {"image_missing", "image_extra"}


def test_an_extra_file_stays_while_an_entry_cannot_be_read(folder):
    change(folder, lambda d: d["images"][0].pop("file_name"))
    before = contents(folder)
    assert fix_dataset(folder) == [] and contents(folder) == before


def copied(folder, split):
    for part, ending in (("images", "jpg"), ("masks", "png")):
        shutil.copy(folder / part / f"000000.{ending}", folder / part / f"copy.{ending}")

    def edit(document):
        document["images"].append(dict(document["images"][0], id=9, file_name="copy.jpg"))
        twin = json.loads(json.dumps(document["annotations"][0]))
        twin["attributes"]["split"] = split
        document["annotations"].append(dict(twin, id=9, image_id=9))

    change(folder, edit)


def test_a_whole_copy_is_taken_out(folder):
    copied(folder, "train")
    assert rules(folder) == {"duplicate_image"}
    assert [repair.rule for repair in fix_dataset(folder)] == ["duplicate_image", "image_extra", "mask_extra"]
    assert check_dataset(folder) == [] and len(read_dataset(folder)) == 3
    assert (folder / "extra" / "images" / "copy.jpg").is_file() and (folder / "extra" / "masks" / "copy.png").is_file()


def test_a_copy_with_another_annotation_stays(folder):
    copied(folder, "validation")
    assert fix_dataset(folder) == [] and rules(folder) == {"duplicate_image"}


def test_only_what_every_category_shares_is_repaired_in_another(folder, records):
    for record in records:
        record["corners"], record["visibility"] = [[-9, 20], [1, 1]], [2, 2]
        record["attributes"] = {"split": "VAL"}
    write_annotations(folder, records, Category("face", ("nose", "chin")))
    change(folder, first(num_keypoints=0))
    fix_dataset(folder)
    assert check_dataset(folder) == []
    sample = read_dataset(folder, category="face")[0]
    assert sample.corners.tolist() == [[-9, 20], [1, 1]] and sample.visibility.tolist() == [2, 2]
    assert sample.attributes == {"split": "validation"}


# Command


def test_check_with_fix_repairs_and_says_what(folder):
    change(folder, first(num_keypoints=1))
    (folder / "masks" / "more.png").touch()
    result = CliRunner().invoke(scenes, ["check", str(folder), "--fix"])
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split(": ")[:3] for line in lines[:2]] == [["repaired", "annotations.json", "num_keypoints"],
                                                            ["repaired", "masks/more.png", "mask_extra"]]
    assert lines[2].endswith("3 images (2 train, 1 validation), 3 feet, no faults") and not result.stderr


def test_check_with_fix_names_what_is_left(folder):
    change(folder, first(num_keypoints=1))
    (folder / "images" / "000001.jpg").unlink()
    result = CliRunner().invoke(scenes, ["check", str(folder), "--fix"])
    assert result.exit_code == 1 and result.stdout.startswith("repaired: annotations.json: num_keypoints")
    assert result.stderr.startswith("images/000001.jpg: image_missing") and len(result.stderr.splitlines()) == 1
