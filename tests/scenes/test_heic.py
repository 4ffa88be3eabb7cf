"""HEIC whose decoder is compiled code, in processes of their own."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scenes.checking import decoded_size

ROOT = Path(__file__).resolve().parents[2]
# Reads the bytes on its standard input, and says what came of it.
PROGRAM = """
import sys
from scenes.images import PhotoError, read_photo
try:
    print(read_photo(sys.stdin.buffer.read()).size)
except PhotoError as error:
    print(error.code)
"""


@pytest.fixture
def photo():
    """A right HEIC file with EXIF, bytes."""
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x010F] = "maker"
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (120, 100))).save(stream, exif=exif.tobytes(), quality=30)
    return stream.getvalue()


@pytest.mark.parametrize("kind", [b"Exif", b"Ex\xddf", b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_items_of_any_kind_do_not_end_the_process(photo, kind):
    """pi-heif 1.4, which was read with before, made text of what is none, and took the process with it."""
    at = photo.index(b"Exif")
    data = photo[:at] + kind + photo[at + 4:]
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=data, cwd=ROOT, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "(120, 100)")


def test_a_photo_of_a_dataset_may_be_heic(photo, tmp_path):
    (tmp_path / "a.heic").write_bytes(photo)
    # Whatever has been read in this process before must not be what teaches Pillow to read it.
    program = f"from scenes.checking import decoded_size; print(decoded_size({str(tmp_path / 'a.heic')!r}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "(120, 100)", done.stderr
    assert decoded_size(tmp_path / "a.heic") == (120, 100)
