"""Files of a dataset or of results: written whole or not at all, copied or linked, hashed; masks as PNG."""

import hashlib
import os
import shutil
from pathlib import Path

import cv2


def write_whole(path, data):
    """Write bytes beside `path` and rename: an interruption leaves the old file or the new one, never half of it.

    The folder is made where it is missing. Raises OSError.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


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
