"""Pictures of samples to be looked at: a folder of numbered PNG files and a contact sheet of them all."""

import re

import cv2
import numpy as np

from scenes.contact_sheet import tiled
from scenes.files import write_whole
from scenes.images import PHOTO_EXTENSIONS

CONTACT_SHEET = "contact-sheet.png"
HEADER_PX = 26
CELL_PX = (480, 340)
COLUMNS = 3


def check_folder(folder):
    """Raises ValueError unless `folder` is new or empty: pictures of two evaluations side by side would mislead."""
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name a new folder for the failures")


def write_gallery(folder, pictures, count, progress=None, cell=CELL_PX):
    """Write pictures as NN-NAME.png in the order given, and contact-sheet.png: list of the paths written.

    folder: made where it is missing. pictures: iterable of (name of the sample, uint8 (h, w, 3) RGB), `count` of them;
    nothing is written for none. progress: called with 1 after each. cell: (width, height) of one on the contact sheet.
    Raises OSError.
    """
    paths, shown = [], []
    digits = max(2, len(str(count)))
    for place, (name, picture) in enumerate(pictures, start=1):
        paths.append(folder / f"{place:0{digits}d}-{file_name(name)}.png")
        write_whole(paths[-1], png(picture))
        shown.append(picture)
        if progress:
            progress(1)
    if shown:
        paths.append(folder / CONTACT_SHEET)
        write_whole(paths[-1], png(tiled(shown, min(COLUMNS, len(shown)), cell)))
    return paths


def captioned(picture, *lines):
    """uint8 (h + HEADER_PX * lines, w, 3): the picture under white lines with a text each, ASCII."""
    header = np.full((HEADER_PX * len(lines), picture.shape[1], 3), 255, np.uint8)
    for number, line in enumerate(lines, start=1):
        text, place = line.encode("ascii", "replace").decode(), (4, number * HEADER_PX - 9)
        cv2.putText(header, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([header, picture])


def png(picture):
    """uint8 (h, w, 3), RGB, as the bytes of a PNG. Raises OSError."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    if not done:
        raise OSError(f"a picture of shape {picture.shape} could not be encoded as PNG")
    return data.tobytes()


def file_name(name):
    """A sample's name as part of a file's: no folders, no ending of a photo, not too long."""
    if name.lower().endswith(PHOTO_EXTENSIONS):
        name = name.rsplit(".", 1)[0]
    return re.sub(r"[^\w.-]+", "_", name)[-80:]
