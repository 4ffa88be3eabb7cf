"""Files that are written whole, what is no file, and what may be the name of one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scenes.files import LONGEST_NAME, LONGEST_PATH, is_inner_path, is_stream, write_npz, write_whole

ROOT = Path(__file__).resolve().parents[2]


def test_files_folders_links_and_nothing_are_no_streams(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "link", "loop", "none", "none/none", "file/none", "."):
        assert not is_stream(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="where these are is not known elsewhere")
def test_what_a_process_has_open_is_written_to_as_it_is(tmp_path):
    """Also where it is a file: /dev/stdout must stay what it is when output goes into one."""
    with open(tmp_path / "out", "w+b") as stream:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{stream.fileno()}")
        for path in ("/dev/stdout", "/dev/null", f"/dev/fd/{stream.fileno()}", f"/proc/self/fd/{stream.fileno()}"):
            assert is_stream(path)
        write_whole(f"/proc/self/fd/{stream.fileno()}", b"whole")
        assert stream.read() == b"whole" and [path.name for path in tmp_path.glob("o*")] == ["out"]
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb"):
        assert is_stream(f"/dev/fd/{write}")


NPZ = """
import resource, sys
import numpy as np
from scenes.files import write_npz
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
try:
    write_npz(sys.argv[1], {"a": np.zeros(30_000, np.uint8), "b": np.zeros(30_000, np.uint8)})
except OSError as error:
    print(error)
"""


def test_arrays_are_written_as_numpy_does(tmp_path):
    arrays = {"weights/0": np.arange(12.0).reshape(3, 4), "epoch": np.int64(3), "names": np.array(["a", "bc"])}
    write_npz(tmp_path / "ours.npz", arrays)
    np.savez(tmp_path / "numpys.npz", **arrays)
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "numpys.npz").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="another system's limits")
def test_arrays_that_have_no_room_are_one_error_and_no_word_more(tmp_path):
    done = subprocess.run([sys.executable, "-c", NPZ, str(tmp_path / "out.npz")], cwd=ROOT, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("[Errno 27] File too large\n", "", 0)


@pytest.mark.parametrize("value", ["a.jpg", "day 2/a.jpg", "..a", "a..", ".a.jpg", "\u8db3.png", "a/./b", "./a",
                                   "x" * LONGEST_NAME, "x/" * (LONGEST_PATH // 2 - 1) + "a"])
def test_paths_within_a_folder(value):
    assert is_inner_path(value)


@pytest.mark.parametrize("value", [
    "", ".", "./.", "..", "../a", "a/../b", "a/..", "/a", "//a", "a\\b", "a\0b", "\ud800.jpg", None, 3, ["a"],
    "x" * (LONGEST_NAME + 1), "\u8db3" * 81, "x/" * (LONGEST_PATH // 2) + "a"])
def test_what_leads_elsewhere_or_nowhere(value):
    assert not is_inner_path(value)
