import math

import pytest

from scenes.exchange.source import ImageFinder, Problem, Refused, SourceError, plain_path, read_json, read_table

# JSON


def test_entries_of_lists_know_their_line(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"info": {"a":\n [1]},\n "images": [{"id": 1},\n\n  {"id":\n 2}], "annotations": [\n 5\n ]}')
    found = read_json(path)
    assert found.data == {"info": {"a": [1]}, "images": [{"id": 1}, {"id": 2}], "annotations": [5]}
    assert [found.line("images", 0), found.line("images", 1), found.line("annotations", 0)] == [3, 5, 7]
    assert found.line("images", 2) is None and found.line("info", 0) is None


def test_a_list_at_the_top_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[\n1,\n[2, 3] ]\n")
    found = read_json(path)
    assert found.data == [1, [2, 3]] and [found.line(None, 0), found.line(None, 1)] == [2, 3]


@pytest.mark.parametrize("text, line", [
    ("", 1), ("[1, 2", 1), ("[\n1\n2]", 3), ("{\n\n'a': 1}", 3), ('{"a": 1,}', 1), ("[1] [2]", 1), ('{"a"\n 1}', 2),
    ("[1,]", 1)])
def test_what_is_no_json_is_told_with_its_line(tmp_path, text, line):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=rf"a\.json:{line}: not_json: "):
        read_json(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 400 + "]" * 400, '{"a": [[' + "9" * 5000 + "]]}"])
def test_deep_json_and_endless_numbers_are_an_error_and_no_crash(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(SourceError, match="not_json"):
        read_json(path)


# Tables


@pytest.mark.parametrize("text, cells, decimal_comma", [
    ("a,1.5\n\nb,2\n", [(1, ["a", "1.5"]), (3, ["b", "2"])], False),
    ("a;1,5\nb ; 2\n", [(1, ["a", "1,5"]), (2, ["b", "2"])], True),
    ("a\t1,5\r\n", [(1, ["a", "1,5"])], True),
    ('"a,b",1\n', [(1, ["a,b", "1"])], False),
    ('"a\nb",1\nc,2\n', [(2, ["a\nb", "1"]), (3, ["c", "2"])], False)])
def test_rows_know_their_line_and_cells_are_parted_as_the_first_line_says(tmp_path, text, cells, decimal_comma):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    table = read_table(path)
    assert table.rows == cells and table.decimal_comma == decimal_comma


def test_numbers_of_cells(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n;1,5\n")
    table = read_table(path)
    assert table.number("1,5", "x1") == 1.5 and table.number("-2.25", "x1") == -2.25
    assert math.isnan(table.number("", "x1"))
    for cell, rule in (("ten", "not_a_number"), ("1.5.2", "not_a_number"), ("nan", "not_finite"),
                       ("-inf", "not_finite")):
        with pytest.raises(Refused, match="x1") as refused:
            table.number(cell, "x1")
        assert refused.value.rule == rule


def test_names_that_windows_wrote_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("niño.jpg,1\n".encode("cp1252"))
    assert read_table(path).rows == [(1, ["niño.jpg", "1"])]


@pytest.mark.parametrize("data, said", [
    (b"", "a.csv: empty"), (b"\n \n", "a.csv: empty"), (b'a,1\n"b,2\n', "a.csv:2: not_csv"),
    (b'a,1\n"b"c,2\n', "a.csv:2: not_csv")])
def test_what_is_no_table_is_told(tmp_path, data, said):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(SourceError, match=said):
        read_table(tmp_path / "a.csv")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SourceError, match="a.csv: unreadable: No such file"):
        read_table(tmp_path / "a.csv")


def test_a_problem_is_a_line_with_file_line_and_rule():
    assert str(Problem("a.csv", 3, "columns", "two of nine")) == "a.csv:3: columns: two of nine"
    assert str(Problem("a.jpg", None, "points_missing", "no row")) == "a.jpg: points_missing: no row"


# Images


@pytest.mark.parametrize("name, path", [
    ("a.jpg", "a.jpg"), ("images/a.jpg", "images/a.jpg"), ("images\\a.jpg", "images/a.jpg"), ("./a.jpg", "a.jpg"),
    ("../../a.jpg", "a.jpg"), ("/home/me/a.jpg", "home/me/a.jpg"), ("C:\\photos\\a.jpg", "photos/a.jpg"),
    ("a%20b.jpg", "a%20b.jpg"), ("https://host/x/a%20b.jpg?size=3", "x/a b.jpg"), ("s3://bucket/x/a.jpg", "x/a.jpg"),
    ("/data/upload/1/0a1b2c3d-a.jpg", "data/upload/1/0a1b2c3d-a.jpg"),
    ("/data/local-files/?d=day%202/a.jpg", "day 2/a.jpg")])
def test_names_of_images_become_plain_paths(name, path):
    assert plain_path(name).as_posix() == path


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "day/b.jpg", "day/c.PNG", "night/b.jpg", "night/notes.txt", "day/d.jpg", "day/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return ImageFinder(tmp_path)


@pytest.mark.parametrize("name, found", [
    ("a.jpg", "a.jpg"), ("elsewhere/a.jpg", "a.jpg"), ("photos/day/b.jpg", "day/b.jpg"), ("c.PNG", "day/c.PNG"),
    ("c", "day/c.PNG"), ("/data/upload/7/0a1b2c3d-a.jpg", "a.jpg"), ("night\\b.jpg", "night/b.jpg"),
    ("https://host/day/d.png", "day/d.png")])
def test_images_are_found_by_what_tools_call_them(photos, name, found):
    assert photos.name_of(photos.find(name)) == found


@pytest.mark.parametrize("name, rule", [
    ("e.jpg", "image_missing"), ("b.jpg", "image_ambiguous"), ("d", "image_ambiguous"), ("", "image_missing"),
    ("notes.txt", "image_missing"), ("x" * 300, "image_missing"), ("day/\0", "image_missing"),
    ("\ud800", "image_missing"), ("0a1b2c3-a.jpg", "image_missing")])
def test_images_that_are_not_there_or_twice_are_refused(photos, name, rule):
    with pytest.raises(Refused) as refused:
        photos.find(name)
    assert refused.value.rule == rule
