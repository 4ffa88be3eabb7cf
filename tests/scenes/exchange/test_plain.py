import numpy as np
import pytest
from PIL import Image

from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.document import Category
from scenes.exchange.formats import Options
from scenes.exchange.plain import read_plain, write_plain
from scenes.exchange.source import SourceError

SIZE = (64, 48)
HEAD = "name,x1,y1,x2,y2,x3,y3,x4,y4"
POINTS = "10,5,50,6,52,40,8,41"


def test_the_plain_layout_brings_back_all_but_attributes(whole, tmp_path, brought, assert_same):
    assert write_plain(whole, tmp_path / "out") == (3, [])
    back, problems = brought(read_plain, tmp_path / "out")
    assert problems == []
    assert_same(whole, back, attributes=False)


def test_without_labels(folder, records, tmp_path, brought, assert_same):
    for path in (folder / "masks").iterdir():
        path.unlink()
    write_annotations(folder, records, masks=False)
    write_plain(folder, tmp_path / "out")
    back, problems = brought(read_plain, tmp_path / "out")
    assert problems == []
    assert_same(folder, back, attributes=False)


def test_what_is_written(whole, tmp_path):
    write_plain(whole, tmp_path / "out")
    rows = (tmp_path / "out" / "corners.csv").read_text().splitlines()
    assert rows[0] == HEAD + ",v1,v2,v3,v4"
    assert rows[2] == "000001.jpg,10.25,5.0,70.25,-3.5,52.0,40.0,8.0,41.0,2,0,1,2"
    assert rows[3] == "day 2/000002.jpg,10.25,5.0,50.0,6.0,,,8.0,41.0,2,2,0,1"
    assert (tmp_path / "out" / "labels" / "day 2" / "000002.png").is_file()


def test_only_sheets_have_the_plain_layout(folder, records, tmp_path):
    for record in records:
        record.update(corners=[[1, 1]], visibility=[2])
    write_annotations(folder, records, Category("face", ("nose",)))
    with pytest.raises(SourceError, match="category.*face"):
        write_plain(folder, tmp_path / "out")


# What data owners have


@pytest.fixture
def owner(tmp_path):
    """Two images, their labels, and a table."""
    root = tmp_path / "owner"
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    rng = np.random.default_rng(6)
    label = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    label[5:40, 10:50] = 1
    label[10:20, 20:30] = 3
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)).save(root / "images" / f"{name}.jpg")
        Image.fromarray(label).save(root / "labels" / f"{name}.png")
    (root / "points.csv").write_text(f"{HEAD}\na.jpg,{POINTS}\nb.jpg,{POINTS}\n")
    return root


TABLES = {
    "as it should be": f"{HEAD}\na.jpg,{POINTS}\nb.jpg,{POINTS}\n",
    "without names of columns": f"a.jpg,{POINTS}\nb.jpg,{POINTS}\n",
    "names without ending": f"{HEAD}\na,{POINTS}\nb,{POINTS}\n",
    "points in another order": f"{HEAD}\na.jpg,52,40,10,5,8,41,50,6\nb.jpg,{POINTS}\n",
    "columns in another order": "X1,Y1,X2,Y2,X3,Y3,X4,Y4,Name\n" + f"{POINTS},a.jpg\n{POINTS},b.jpg\n",
    "from a spreadsheet": f"{HEAD}\na.jpg,{POINTS}\nb.jpg,{POINTS}\n".replace(",", ";").replace("10;", "10,0;"),
    "with blank lines": f"\n{HEAD}\n\na.jpg,{POINTS}\n,,,,,,,,\nb.jpg,{POINTS}\n\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_as_people_write_them(owner, brought, name):
    (owner / "points.csv").write_text(TABLES[name])
    back, problems = brought(read_plain, owner)
    assert problems == []
    for sample in read_dataset(back):
        assert sample.corners.tolist() == [[10, 5], [50, 6], [52, 40], [8, 41]]
        assert sample.visibility.tolist() == [2, 2, 2, 2]
        assert np.bincount(read_mask(sample.mask_path).ravel(), minlength=4).tolist() == [1672, 1300, 0, 100]


def test_visibility_moves_with_its_point_and_what_is_not_known_is_empty_or_minus_one(owner, brought):
    (owner / "points.csv").write_text(f"{HEAD},v1,v2,v3,v4\na.jpg,52,40,10,5,8,41,50,6,1,2,2,2\n"
                                      "b.jpg,10,5,,,-1,-1,8,41,2,0,0,2\n")
    back, problems = brought(read_plain, owner)
    assert problems == []
    first, second = read_dataset(back)
    assert first.corners[2].tolist() == [52, 40] and first.visibility.tolist() == [2, 2, 1, 2]
    assert second.corners.tolist() == [[10, 5], [-1, -1], [-1, -1], [8, 41]]
    assert second.visibility.tolist() == [2, 0, 0, 2]


def test_a_point_outside_the_image_is_so(owner, brought):
    (owner / "points.csv").write_text(f"a.jpg,{POINTS}\nb.jpg,{POINTS.replace('50,6', '70,-2')}\n")
    back, _ = brought(read_plain, owner)
    sample = read_dataset(back)[1]
    assert sample.corners[1].tolist() == [70, -2] and sample.visibility.tolist() == [2, 0, 2, 2]


def test_all_in_one_folder(owner, brought):
    for path in [*(owner / "images").iterdir(), *(owner / "labels").iterdir()]:
        path.rename(owner / path.name)
    for name in ("images", "labels"):
        (owner / name).rmdir()
    (owner / "points.csv").write_text(f"a,{POINTS}\nb,{POINTS}\n")
    back, problems = brought(read_plain, owner)
    assert problems == [] and [sample.file_name for sample in read_dataset(back)] == ["a.jpg", "b.jpg"]
    assert (back / "masks" / "a.png").is_file()


def test_labels_may_be_stored_in_another_wrapping(owner, brought):
    label = Image.open(owner / "labels" / "a.png")
    label.convert("RGB").save(owner / "labels" / "a.png")
    label = Image.open(owner / "labels" / "b.png")
    label.putpalette([0, 0, 0, 9, 9, 9, 90, 90, 90, 200, 0, 0])
    label.save(owner / "labels" / "b.png")
    back, problems = brought(read_plain, owner)
    assert problems == []
    assert [np.count_nonzero(read_mask(sample.mask_path) == 3) for sample in read_dataset(back)] == [100, 100]


BAD_ROWS = {
    "cells missing": ("a.jpg,1,2,3", "columns"),
    "one cell too many": (f"a.jpg,{POINTS},2", "columns"),
    "text": (f"a.jpg,{POINTS.replace('52', 'right')}", "not_a_number"),
    "NaN": (f"a.jpg,{POINTS.replace('52', 'nan')}", "not_finite"),
    "infinity": (f"a.jpg,{POINTS.replace('52', '1e999')}", "not_finite"),
    "half a point": (f"a.jpg,{POINTS.replace('52', '')}", "half_a_point"),
    "no quadrilateral": ("a.jpg,1,1,1,1,9,9,1,9", "corner_shape"),
    "image missing": (f"z.jpg,{POINTS}", "image_missing"),
    "no name": (f",{POINTS}", "image_missing"),
    "named twice": (f"a.jpg,{POINTS}\na,{POINTS}", "duplicate_name"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_told_with_its_line_and_the_rest_is_imported(owner, brought, name):
    row, rule = BAD_ROWS[name]
    (owner / "points.csv").write_text(f"{HEAD}\nb.jpg,{POINTS}\n{row}\n")
    back, problems = brought(read_plain, owner)
    told = [problem for problem in problems if problem.rule != "points_missing"]
    assert [(problem.rule, problem.line) for problem in told] == [(rule, 4 if name == "named twice" else 3)]
    assert told[0].file.endswith("points.csv")
    assert "b" in [sample.name for sample in read_dataset(back)]


@pytest.mark.parametrize("visibility, rule", [("2,2,3,2", "bad_visibility"), ("2,2,,2", "bad_visibility"),
                                              ("2,2,x,2", "not_a_number")])
def test_bad_visibility_is_told(owner, brought, visibility, rule):
    (owner / "points.csv").write_text(f"{HEAD},v1,v2,v3,v4\nb.jpg,{POINTS},2,2,2,2\na.jpg,{POINTS},{visibility}\n")
    _, problems = brought(read_plain, owner)
    assert [(problem.rule, problem.line) for problem in problems] == [(rule, 3)]


def test_a_point_that_is_seen_has_a_place(owner, brought):
    (owner / "points.csv").write_text(f"{HEAD},v1,v2,v3,v4\nb.jpg,{POINTS},2,2,2,2\na.jpg,,{POINTS[2:]},2,2,2,2\n"
                                      .replace(",,,", ",,"))
    _, problems = brought(read_plain, owner)
    assert [problem.rule for problem in problems] == ["half_a_point"]


def test_an_image_without_row_is_told(owner, brought):
    (owner / "points.csv").write_text(f"{HEAD}\nb.jpg,{POINTS}\n")
    _, (problem,) = brought(read_plain, owner)
    assert problem.rule == "points_missing" and problem.file.endswith("a.jpg")


BAD_LABELS = {
    "missing": (lambda path: path.unlink(), "label_missing"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:60]), "label_unreadable"),
    "colours": (lambda path: Image.effect_noise(SIZE, 90).convert("HSV").convert("RGB").putpixel((0, 0), (1, 2, 3))
                or Image.merge("RGB", [Image.effect_noise(SIZE, 90) for _ in range(3)]).save(path), "label_channels"),
    "JPEG": (lambda path: Image.new("L", SIZE).save(path, format="JPEG"), "label_channels"),
    "size": (lambda path: Image.new("L", (48, 64)).save(path), "mask_size"),
    "value 7": (lambda path: Image.new("L", SIZE, 7).save(path), "mask_value"),
    "foot without sheet": (lambda path: Image.new("L", SIZE, 2).save(path), "foot_without_sheet"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_a_bad_label_is_told_with_the_line_of_its_image(owner, brought, name):
    damage, rule = BAD_LABELS[name]
    damage(owner / "labels" / "a.png")
    back, problems = brought(read_plain, owner)
    assert [(problem.rule, problem.line) for problem in problems] == [(rule, 2)]
    assert [sample.name for sample in read_dataset(back)] == ["b"]


def test_a_bad_image_is_told_with_its_line(owner, brought):
    (owner / "images" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    _, problems = brought(read_plain, owner)
    assert [(problem.rule, problem.line) for problem in problems] == [("image_unreadable", 2)]


@pytest.mark.parametrize("text, said", [
    ("name,x1,y1\na.jpg,1,2\n", "points.csv:1: columns: x2"), (f"{HEAD},x1\n", "points.csv:1: columns: x1"),
    (f"{HEAD},v1\n", "points.csv:1: columns: v1"), ("", "points.csv: empty")])
def test_tables_of_which_nothing_can_be_used_are_told(owner, text, said):
    (owner / "points.csv").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_plain(owner, Options())


def test_which_table_is_meant_must_be_clear(owner):
    (owner / "more.csv").write_text(HEAD)
    with pytest.raises(SourceError, match="2 CSV files"):
        read_plain(owner, Options())


def test_a_table_alone_means_the_images_beside_it(owner, tmp_path, brought):
    (owner / "points.csv").write_text(f"{HEAD}\na.jpg,{POINTS}\n")
    back, problems = brought(read_plain, owner / "points.csv")
    assert problems == [] and [sample.mask_path.is_file() for sample in read_dataset(back)] == [True]
