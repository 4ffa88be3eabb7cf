"""Files of a dataset or of results: written whole or not at all, copied or linked, hashed; masks as PNG."""

import hashlib
import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

# Bytes of a file's name and of its path in a folder. File systems have 255 for a name, of which another ending and the
# mark of a file that is being written take some.
LONGEST_NAME, LONGEST_PATH = 240, 1000


def write_whole(path, data):
    """Write bytes beside `path` and rename: an interruption leaves the old file or the new one, never half of it.

    The folder is made where it is missing. What `is_stream` is written to as it is. Raises OSError.
    """
    path = Path(path)
    if is_stream(path):
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # as of a full disk
            error.filename = str(path)
        raise


def is_stream(path):
    """Whether a path is that of a device, a pipe, or what a process has open (/dev/stdout): it can be written to, and
    a file renamed into its place would take it from everybody."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except OSError:  # nothing there, or nothing that may be looked at
        return False
    folder = path.parent.resolve()
    return (not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or folder == Path("/dev")
            or folder.is_relative_to("/proc"))


def write_npz(path, arrays):
    """Write {name: array} as numpy.savez does, byte for byte. Raises OSError, and says nothing more: numpy's own leaves
    a file that complains when it is collected, at the end of a full disk."""
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def is_inner_path(value):
    """Whether a value that somebody wrote is the path of a file within a folder, with slashes: text that a file can be
    called on any system, and that leads nowhere else."""
    if not isinstance(value, str) or "\\" in value or "\0" in value:
        return False
    try:
        encoded = value.encode()
    except UnicodeEncodeError:  # halves of characters, which JSON can hold
        return False
    path = PurePosixPath(value)
    return (path.name != "" and not path.is_absolute() and ".." not in path.parts and len(encoded) <= LONGEST_PATH
            and max(map(len, encoded.split(b"/"))) <= LONGEST_NAME)


def place(source, target, link=False):
    """Copy a file to `target`, whose folders are made. link: a hard link in its place where the file system has
    them. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(os.path.realpath(source), target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, target)


def mask_png(mask):
    """A class mask uint8 (H, W) as the bytes of an 8-bit PNG of one channel. Raises OSError."""
    done, data = cv2.imencode(".png", mask)
    if not done:
        raise OSError(f"a mask of shape {mask.shape} and type {mask.dtype} could not be encoded as PNG")
    return data.tobytes()


def file_sha256(path):
    """Hash of a file's content, hexadecimal. Raises OSError."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
