import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from scenes.dataset import read_dataset
from scenes.exchange.commands import FORMATS, export, import_

HEAVY = ("numpy", "PIL", "cv2", "rich", "pycocotools")


@pytest.mark.parametrize("format_name", ["coco", "cvat", "label-studio", "plain"])
def test_out_and_in_again(folder, tmp_path, format_name):
    out, back = tmp_path / "out", tmp_path / "back"
    result = CliRunner().invoke(export, [format_name, str(folder), str(out)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{out}: 3 images\n"
    result = CliRunner().invoke(import_, [format_name, str(out), str(back), "--split", "test", "--link"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{back}: 3 images with sheets\n" and result.stderr == ""
    splits = {sample.attributes["split"] for sample in read_dataset(back)}
    assert splits == ({"test"} if format_name == "plain" else {"train", "validation"})


def test_a_zip_archive_is_a_source_too(folder, tmp_path):
    CliRunner().invoke(export, ["cvat", str(folder), str(tmp_path / "out")])
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for path in (tmp_path / "out").rglob("*"):
            archive.write(path, path.relative_to(tmp_path / "out"))
    result = CliRunner().invoke(import_, ["cvat", str(tmp_path / "task.zip"), str(tmp_path / "back")])
    assert result.exit_code == 0, result.stderr
    assert len(read_dataset(tmp_path / "back")) == 3


def test_a_broken_zip_archive_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("a.json", "[]" * 50)
    content = bytearray((tmp_path / "task.zip").read_bytes())
    content[40] ^= 0xFF
    (tmp_path / "task.zip").write_bytes(content)
    result = CliRunner().invoke(import_, ["cvat", str(tmp_path / "task.zip"), str(tmp_path / "back")])
    assert result.exit_code == 1 and "not_zip" in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_whose_packing_is_damaged_is_told(tmp_path, kind):
    packed = tmp_path / "task.zip"
    with zipfile.ZipFile(packed, "w", kind) as archive:
        archive.writestr(zipfile.ZipInfo("a"), bytes(range(256)) * 8, kind)
    content = bytearray(packed.read_bytes())
    content[40:80] = b"\xff" * 40
    packed.write_bytes(content)
    result = CliRunner().invoke(import_, ["cvat", str(packed), str(tmp_path / "back")])
    assert isinstance(result.exception, SystemExit) and result.exit_code == 1
    assert str(packed) in result.stderr or kind == zipfile.ZIP_BZIP2  # bzip2's error is one of the system's
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "back").exists()


def test_an_archive_that_would_fill_the_disk_is_not_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "task.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(3_000_000))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=2_000_000))
    monkeypatch.setattr(zipfile.ZipFile, "extractall", lambda *args: pytest.fail("it was"))
    result = CliRunner().invoke(import_, ["cvat", str(tmp_path / "task.zip"), str(tmp_path / "back")])
    assert result.exit_code == 1 and "too_large: unpacked it is 3 MB" in result.stderr and "TMPDIR" in result.stderr


def test_bad_rows_are_lines_of_stderr_and_the_rest_is_imported(folder, tmp_path):
    CliRunner().invoke(export, ["plain", str(folder), str(tmp_path / "out")])
    table = tmp_path / "out" / "corners.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], "000000.jpg,1,2", *rows[2:]]))
    (tmp_path / "out" / "labels" / "000001.png").unlink()
    result = CliRunner().invoke(import_, ["plain", str(tmp_path / "out"), str(tmp_path / "back")])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{table}:2: columns: ") and lines[1].startswith(f"{table}:3: label_missing: ")
    assert len(lines) == 2 and result.stdout == f"{tmp_path / 'back'}: 1 images with sheets, 2 problems\n"
    assert [sample.name for sample in read_dataset(tmp_path / "back")] == ["000002"]


def test_a_source_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "a.json").write_text("[1,\n")
    result = CliRunner().invoke(import_, ["label-studio", str(tmp_path), str(tmp_path / "back")])
    assert result.exit_code == 1 and not (tmp_path / "back").exists()
    line, = result.stderr.splitlines()
    assert line.startswith(f"Error: {tmp_path / 'a.json'}:2: not_json")


def test_when_nothing_is_left_nothing_is_written(folder, tmp_path):
    CliRunner().invoke(export, ["plain", str(folder), str(tmp_path / "out")])
    for path in (tmp_path / "out" / "images").iterdir():
        path.write_text("no image")
    result = CliRunner().invoke(import_, ["plain", str(tmp_path / "out"), str(tmp_path / "back")])
    assert result.exit_code == 1 and not (tmp_path / "back").exists()
    lines = result.stderr.splitlines()
    assert len(lines) == 4 and all("image_unreadable" in line for line in lines[:3]) and "nothing_imported" in lines[3]


@pytest.mark.parametrize("command, arguments", [(import_, ["plain"]), (export, ["coco"])])
def test_what_is_there_is_not_written_over(folder, tmp_path, command, arguments):
    CliRunner().invoke(export, ["plain", str(folder), str(tmp_path / "out")])
    source = tmp_path / "out" if command is import_ else folder
    before = (folder / "annotations.json").read_bytes()
    result = CliRunner().invoke(command, [*arguments, str(source), str(folder)])
    assert result.exit_code == 1 and "not_empty" in result.stderr and len(result.stderr.splitlines()) == 1
    assert (folder / "annotations.json").read_bytes() == before


def test_a_dataset_that_cannot_be_read_is_one_line(tmp_path):
    result = CliRunner().invoke(export, ["coco", str(tmp_path), str(tmp_path / "out")])
    assert result.exit_code == 1 and "annotations.json" in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [
    ["word", "a", "b"], ["coco", "not there", "b"], ["coco", ".", "b", "--split", "x"],
    ["coco", ".", "b", "--class", "sock"], ["coco", ".", "b", "--class", "a=sock"]])
def test_wrong_usage(arguments):
    assert CliRunner().invoke(import_, arguments).exit_code == 2


def test_names_of_classes_may_hold_an_equals_sign(folder, tmp_path):
    CliRunner().invoke(export, ["coco", str(folder), str(tmp_path / "out")])
    for path in (tmp_path / "out" / "annotations").glob("instances_*.json"):
        path.write_text(path.read_text().replace('"left_foot"', '"a=b"'))
    result = CliRunner().invoke(import_, ["coco", str(tmp_path / "out"), str(tmp_path / "back"), "--class",
                                          "a=b=left_foot"])
    assert result.exit_code == 0, result.stderr


def test_help_names_every_format_and_loads_nothing():
    program = ("import sys; from scenes.exchange.commands import import_\n"
               "try: import_(['--help'])\n"
               "except SystemExit: pass\n"
               f"print([name for name in {HEAVY!r} if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"{name}:" in done.stdout for name in FORMATS)


def test_a_zip_archive_that_is_cut_short_is_told(tmp_path):
    (tmp_path / "task.zip").write_bytes(b"PK\3\4 and no more")
    result = CliRunner().invoke(import_, ["cvat", str(tmp_path / "task.zip"), str(tmp_path / "back")])
    assert result.exit_code == 1 and "not_zip" in result.stderr and "cut short" in result.stderr


def test_sheets_that_came_without_masks_are_said_to(folder, tmp_path):
    result = CliRunner().invoke(import_, ["coco", str(folder), str(tmp_path / "back")])
    assert result.exit_code == 0 and result.stdout.endswith(": 3 images with sheets, without masks\n")
