"""Which photos a command line names, and what is to be called what: nothing is read here but standard input."""

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

STANDARD_INPUT = "-"
MAX_STANDARD_INPUT = 1_000_000_000  # bytes; what never ends must not fill the memory


@dataclass(frozen=True)
class Source:
    """A photo to measure. name: what the answer calls it, its path as given. output: relative path, without suffix,
    of what is written for it; no two of a batch are the same, and none leads out of a folder. data: its bytes, where
    it is no file."""

    name: str
    path: Path
    output: Path
    data: bytes | None = field(default=None, repr=False)

    @property
    def photo(self):
        """What to read it from: its bytes, or its path."""
        return self.path if self.data is None else self.data


def find_photos(given, recursive):
    """Sources that paths stand for, in the order given; a folder's in the order of their names; - is standard input.

    A file is taken as it is, whether or not it exists: what is wrong with it is said where it is read. A photo that
    is named twice is measured once. Outputs keep the relative path below the folder; photos that differ in their
    extension alone keep it in the output's name, and those of the same name below several folders the folder, too.
    Raises ValueError where standard input gives too much.
    """
    from scenes.images import PHOTO_EXTENSIONS

    found = {}
    for path in given:
        if os.path.isdir(path):  # False, where that of Path raises, of what may not be looked at
            try:
                entries = sorted(path.rglob("*") if recursive else path.iterdir())
            except OSError:  # said where the folder is read as if it were a photo
                entries = []
                found.setdefault(path.as_posix(), (path, path.parent))
            files = [file for file in entries if file.suffix.lower() in PHOTO_EXTENSIONS and not os.path.isdir(file)]
        else:
            files = [path]
        for file in files:
            found.setdefault(file.as_posix(), (file, path if os.path.isdir(path) else file.parent))
    files = list(found.values())
    outputs = [Path("stdin") if name == STANDARD_INPUT else file.relative_to(folder).with_suffix("")
               for name, (file, folder) in found.items()]
    for longer in (lambda file, folder: file.relative_to(folder), lambda file, folder: _without_root(file)):
        count = Counter(outputs)
        outputs = [longer(*source) if count[output] > 1 else output
                   for source, output in zip(files, outputs, strict=True)]
    return [Source(name, file, output, _standard_input() if name == STANDARD_INPUT else None)
            for (name, (file, _)), output in zip(found.items(), outputs, strict=True)]


def _without_root(path):
    return Path(*(part for part in path.parts if part not in ("..", path.anchor)))


def _standard_input():
    data = sys.stdin.buffer.read(MAX_STANDARD_INPUT + 1)
    if len(data) > MAX_STANDARD_INPUT:
        raise ValueError(f"standard input gives more than {MAX_STANDARD_INPUT // 1_000_000} MB: send one photo, or "
                         "name the files")
    return data
