"""What takes pi-heif's process with it, made by hand and of a right file."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scenes.checking import decoded_size
from scenes.heic import check_item_names, is_box_file

ROOT = Path(__file__).resolve().parents[2]
NO_TEXT = b"Ex\xddf"
# Reads the bytes on its standard input, and says what came of it.
PROGRAM = """
import sys
from scenes.images import PhotoError, read_photo
try:
    print(read_photo(sys.stdin.buffer.read()).size)
except PhotoError as error:
    print(error.code)
"""


def box(kind, content, size=None):
    size = 8 + len(content) if size is None else size
    return size.to_bytes(4) + kind + content


def long_box(kind, content):
    return b"\0\0\0\1" + kind + (16 + len(content)).to_bytes(8) + content


def infe(texts, version=2):
    return bytes([version, 0, 0, 0]) + bytes(4 if version == 3 else 2) + b"\0\0" + texts


def file(entries, make=box, wide=False):
    counted = b"\1\0\0\0" + bytes(4) if wide else bytes(4) + bytes(2)
    meta = make(b"meta", bytes(4) + box(b"hdlr", b"pict") + make(b"iinf", counted + entries))
    return box(b"ftyp", b"heic") + box(b"free", NO_TEXT) + meta


@pytest.mark.parametrize("made", [
    file(box(b"infe", infe(NO_TEXT))), file(box(b"infe", infe(NO_TEXT)), wide=True),
    file(long_box(b"infe", infe(NO_TEXT)), make=long_box), file(box(b"infe", infe(NO_TEXT), size=0)),
    file(box(b"infe", infe(b"hvc1\0")) + box(b"infe", infe(NO_TEXT, version=3))),
    file(box(b"infe", infe(b"name\0text/\xff\0", version=0))), file(box(b"infe", infe(b"mime\0text/\xff\0"))),
    file(box(b"infe", infe(NO_TEXT), size=10**6)),  # further than the file goes
    file(box(b"infe", infe(b"hvc1\0"))) + file(box(b"infe", infe(NO_TEXT)))[12:],  # a second meta
])  # fmt: skip
def test_items_whose_names_are_no_text_are_refused(made):
    with pytest.raises(ValueError, match="which is no text"):
        check_item_names(made)


@pytest.mark.parametrize("made", [
    b"", b"\0" * 100, file(b""), file(box(b"infe", infe("Exif\u8db3\0".encode()))),
    file(box(b"infe", b"\2\0\0\0\xff\xff\0\0Exif\0")),  # a number of an item, and no text
    file(box(b"infe", infe(b"Exif"), size=3)), file(box(b"infe", b""), make=long_box),
    file(box(b"infe", infe(b"Exif\0"))) + box(b"mdat", box(b"infe", infe(NO_TEXT)))])  # fmt: skip
def test_other_bytes_are_left_to_the_decoder(made):
    check_item_names(made)


def test_files_of_boxes_are_told_by_their_beginning():
    assert is_box_file(b"\0\0\0\x18ftypheic") and not is_box_file(b"\xff\xd8\xff\xe0") and not is_box_file(b"")


@pytest.fixture
def photo():
    """A right HEIC file with EXIF, bytes."""
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x010F] = "maker"
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (120, 100))).save(stream, exif=exif.tobytes(), quality=30)
    return stream.getvalue()


def test_a_photo_that_would_end_the_process_is_unreadable(photo):
    at = photo.index(b"Exif")
    for data, said in ((photo, "(120, 100)"), (photo[:at] + NO_TEXT + photo[at + 4:], "unreadable_image")):
        done = subprocess.run([sys.executable, "-c", PROGRAM], input=data, cwd=ROOT, capture_output=True, timeout=120)
        assert (done.returncode, done.stdout.decode().strip()) == (0, said)


def test_a_photo_of_a_dataset_may_be_heic(photo, tmp_path):
    (tmp_path / "a.heic").write_bytes(photo)
    # Whatever has been read in this process before must not be what teaches Pillow to read it.
    program = f"from scenes.checking import decoded_size; print(decoded_size({str(tmp_path / 'a.heic')!r}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "(120, 100)", done.stderr
    assert decoded_size(tmp_path / "a.heic") == (120, 100)
