"""Files as people send them, bad ones among them, through the command and the networks that ship: every code of the
closed lists comes from a real file, and the rest of the batch is measured."""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from deploy import measure_command
from experiments.gate_faults import expose
from scenes.images import read_photo

ROOT = Path(__file__).parents[2]
SAMPLES, DATA = ROOT / "deploy" / "samples", ROOT / "tests" / "data"
# What no photo can bring about. bundle_invalid is of the networks' folder, internal_error of a mistake that nobody
# knows yet, output_not_written of the place for pictures: see test_measure_command and test_meter. The others are of
# requests, which only a service has.
NOT_OF_PHOTOS = {"bundle_invalid", "internal_error", "output_not_written", "bad_request", "upload_timed_out",
                 "overloaded", "not_ready", "timed_out"}


def sample(name):
    return read_photo(SAMPLES / f"{name}.jpg").rgb


def jpeg(path, rgb):
    Image.fromarray(np.ascontiguousarray(rgb)).save(path, quality=92)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(count):
    """`count` zero bytes or a few more, deflated: a thousandth of them, without ever having them."""
    million = bytes(1_000_000)
    deflate = zlib.compressobj(9, zlib.DEFLATED, 15)
    first = deflate.compress(million) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(million) + deflate.flush(zlib.Z_FULL_FLUSH)
    times = -(-count // 1_000_000)
    # The Adler checksum of n zeros is n mod 65521 over 1.
    return first + again * (times - 1) + b"\x03\x00" + struct.pack(">HH", times * 1_000_000 % 65521, 1)


def black_png(width, height, bits, colours, channels, before=b""):
    """A whole PNG of zeros: what it says that it is, it is."""
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    rows = height * (1 + -(-width * bits * channels // 8))
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + before + png_chunk(b"IDAT", zeros(rows))
            + png_chunk(b"IEND", b""))


def with_exif(photo, exif):
    """A JPEG file's bytes with an APP1 segment of EXIF."""
    return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif + photo[2:]


def screenshot():
    """A page on a phone in the dark, with a light card such as a sheet would be."""
    picture = Image.new("RGB", (1080, 1920), (30, 30, 34))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1080, 160), fill=(45, 45, 52))
    draw.rectangle((240, 420, 840, 1260), fill=(240, 240, 240))
    for line in range(12):
        draw.rectangle((300, 500 + 50 * line, 780 if line % 3 else 620, 515 + 50 * line), fill=(90, 90, 90))
    return picture


def drawing():
    """A foot on a sheet, as a child would paint it."""
    picture = Image.new("RGB", (900, 1200), (120, 84, 52))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(220, 260), (690, 250), (710, 940), (205, 950)], fill=(240, 240, 240))
    draw.ellipse((370, 430, 540, 900), fill=(224, 172, 140))
    for toe in range(5):
        draw.ellipse((375 + 32 * toe, 385, 405 + 32 * toe, 440), fill=(224, 172, 140))
    return picture


def two_sheets():
    """The empty sheet twice, one beside the other on the same floor."""
    rgb = sample("empty_sheet")
    return np.vstack([rgb, rgb[::-1]])


def write_files(folder):
    """Every photo of EXPECTED."""
    good = (SAMPLES / "bare_foot.jpg").read_bytes()
    contents = {
        "truncated.jpg": good[: len(good) // 2], "zero_bytes.jpg": b"", "text.jpg": b"Dear shop, see my foot below.\n",
        "exif_to_nowhere.jpg": with_exif(good, b"MM\0*\0\0\0\x08\xff\xff" + b"\x88\x25\0\x04\xff\xff\xff\xff" * 4000),
        "pixels_30000.png": black_png(30_000, 30_000, 1, 0, 1),
        "bomb.png": black_png(14_000, 14_000, 16, 6, 4),
        "bomb_in_profile.png": black_png(400, 300, 8, 2, 3, png_chunk(b"iCCP", b"icc\0\0" + zeros(1_000_000_000))),
        "bomb_in_text.png": black_png(400, 300, 8, 2, 3, png_chunk(b"zTXt", b"note\0\0" + zeros(1_000_000_000))),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    Image.new("RGB", (1, 1)).save(folder / "one_pixel.png")
    screenshot().save(folder / "screenshot.png")
    drawing().save(folder / "drawing.png")
    night = np.random.default_rng(0)
    for name, rgb in {
        "no_sheet.jpg": sample("empty_sheet")[:200], "sheet_cut_off.jpg": sample("empty_sheet")[:480],
        "black_night.jpg": expose(sample("empty_sheet"), -9, night),
        "night.jpg": expose(sample("dark_sock"), -7, night),
        "burnt.jpg": expose(sample("two_feet"), 4), "blurred.jpg": cv2.GaussianBlur(sample("empty_sheet"), (0, 0), 12),
        "two_sheets.jpg": two_sheets(), "no_foot.jpg": sample("empty_sheet"),
        "far_away.jpg": cv2.resize(sample("bare_foot"), None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA),
    }.items():  # fmt: skip
        jpeg(folder / name, rgb)
    for source in (DATA / "foot_cut_off.jpg", DATA / "from_the_side.jpg", SAMPLES / "bare_foot.jpg"):
        (folder / source.name).write_bytes(source.read_bytes())


# The error, or warnings that are among those said.
EXPECTED = {
    "truncated.jpg": "unreadable_image", "zero_bytes.jpg": "unreadable_image", "text.jpg": "unreadable_image",
    "bomb_in_profile.png": "unreadable_image", "bomb_in_text.png": "unreadable_image",
    "one_pixel.png": "image_too_small", "pixels_30000.png": "image_too_large", "bomb.png": "image_too_large",
    "no_sheet.jpg": "sheet_not_found", "black_night.jpg": "sheet_not_found", "sheet_cut_off.jpg": "sheet_cut_off",
    "exif_to_nowhere.jpg": {"heel_hidden"}, "bare_foot.jpg": {"heel_hidden"},
    "screenshot.png": {"not_a_photo", "foot_not_found"}, "drawing.png": {"not_a_photo"},
    "night.jpg": {"too_dark", "heel_hidden"}, "burnt.jpg": {"overexposed"}, "blurred.jpg": {"blurred"},
    "two_sheets.jpg": {"more_than_one_sheet"}, "no_foot.jpg": {"foot_not_found"},
    "foot_cut_off.jpg": {"corner_outside", "foot_cut_off", "foot_over_edge", "heel_hidden"},
    "from_the_side.jpg": {"corner_covered", "format_uncertain", "steep_view", "foot_over_edge"},
    "far_away.jpg": {"sheet_small"},
}  # fmt: skip
# What the words of an error have to name.
WORDS = {
    "truncated.jpg": "cut short", "zero_bytes.jpg": "empty", "text.jpg": "not an image", "one_pixel.png": "1 x 1",
    "pixels_30000.png": "30000 x 30000", "bomb.png": "from a file of", "black_night.jpg": "dark",
    "sheet_cut_off.jpg": "whole sheet", "no_sheet.jpg": "no sheet",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    write_files(folder)
    return folder


@pytest.fixture(scope="module")
def batch(files, tmp_path_factory):
    """(exit status, {name: answer}, lines on standard error) of all files at once."""
    out = tmp_path_factory.mktemp("out") / "out.json"
    result = CliRunner().invoke(measure_command.measure, [str(files), "--json", str(out)])
    answers = json.loads(out.read_text())
    return result.exit_code, {Path(answer["photo"]).name: answer for answer in answers}, result.stderr.splitlines()


def test_no_photo_is_lost_whatever_stands_beside_it(batch):
    status, answers, said = batch
    assert status == 1
    assert set(answers) == set(EXPECTED)
    failed = [name for name, wanted in EXPECTED.items() if isinstance(wanted, str)]
    assert sorted(Path(line.split(": ")[0]).name for line in said) == sorted(failed)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_right_code_comes(batch, name):
    answer, wanted = batch[1][name], EXPECTED[name]
    if isinstance(wanted, str):
        assert answer["error"]["code"] == wanted
        assert WORDS.get(name, "") in answer["error"]["message"] and "\n" not in answer["error"]["message"]
    else:
        assert wanted <= {warning["code"] for warning in answer["warnings"]}


def test_a_good_photo_is_said_nothing_of(batch):
    assert [warning["code"] for warning in batch[1]["bare_foot.jpg"]["warnings"]] == ["heel_hidden"]
    assert [warning["code"] for warning in batch[1]["no_foot.jpg"]["warnings"]] == ["foot_not_found"]


def test_every_code_of_the_readme_comes_from_a_file(batch):
    tables = (ROOT / "README.md").read_text().split("Errors, a closed list:")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", tables, re.MULTILINE))
    came = {warning["code"] for answer in batch[1].values() for warning in answer.get("warnings", [])}
    came |= {answer["error"]["code"] for answer in batch[1].values() if "error" in answer}
    assert listed - came == NOT_OF_PHOTOS


READ = """
import resource, sys, time
from scenes.images import PhotoError, read_photo
before, codes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
for path in sys.argv[1:]:
    try:
        read_photo(path)
    except PhotoError as error:
        codes.append(error.code)
print(*codes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process's memory is told elsewhere")
def test_what_is_too_large_is_refused_before_it_is_decoded(files):
    """Files of a megabyte that would be gigabytes, in a process of its own, whose peak of memory can be told."""
    names = ["pixels_30000.png", "bomb.png", "bomb_in_profile.png", "bomb_in_text.png"]
    assert all((files / name).stat().st_size < 2_000_000 for name in names)
    done = subprocess.run([sys.executable, "-c", READ, *(str(files / name) for name in names)], cwd=ROOT,
                          capture_output=True, text=True, timeout=60, check=True)
    *codes, grown = done.stdout.split()
    assert codes == [EXPECTED[name] for name in names]
    # Kilobytes, but bytes on macOS. Reading the files and a megabyte of what they hold; decoded it would be 1.6 GB.
    assert int(grown) < 30_000 * (1000 if sys.platform == "darwin" else 1)


@pytest.fixture
def nobody():
    """A function that runs another as somebody who may not read everything: root becomes somebody else for it."""
    def run(function):
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65534)
        try:
            return function()
        finally:
            if was_root:
                os.seteuid(0)

    return run


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="another system's permissions")
def test_what_may_not_be_read_is_said_and_the_rest_is_measured(nobody, monkeypatch):
    meter = measure_command.make_meter(None)
    monkeypatch.setattr(measure_command, "make_meter", lambda *told: meter)
    monkeypatch.setattr(measure_command, "_networks", lambda *told: (None, "these networks"))
    with tempfile.TemporaryDirectory() as folder:  # one that others may look into
        files = [Path(folder, "secret.jpg"), Path(folder, "closed", "photo.jpg"), Path(folder, "good.jpg")]
        files[1].parent.mkdir()
        for file in files:
            file.write_bytes((SAMPLES / "bare_foot.jpg").read_bytes())
        for path, mode in ((folder, 0o755), (files[0], 0), (files[1].parent, 0o700), (files[2], 0o644)):
            os.chmod(path, mode)
        arguments = [*map(str, files), str(files[1].parent), "--json", "-", "--workers", "1"]
        # Once as oneself, so that all is imported: Python's own files may not be readable for others either.
        assert CliRunner().invoke(measure_command.measure, [str(files[2]), *arguments[-4:]]).exit_code == 0
        result = nobody(lambda: CliRunner().invoke(measure_command.measure, arguments))
    assert result.exit_code == 1
    secret, closed, good, *folder_answers = json.loads(result.stdout)
    assert good["feet"]
    # Who is not root owns the closed folder, and may look into it.
    assert len(folder_answers) == (os.geteuid() == 0)
    for answer in [secret, closed, *folder_answers] if os.geteuid() == 0 else [secret]:
        assert answer["error"]["code"] == "unreadable_image" and "ermission denied" in answer["error"]["message"]
