"""Reading what others wrote: tables and JSON whose entries know their line, and images under the names that tools
give them."""

import csv
import io
import json
import os
import re
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from scenes.json_text import check_depth

# The ending of every kind of image that is looked for; whether a file is one is seen when it is decoded.
IMAGE_ENDINGS = frozenset((".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".jp2",
                           ".avif", ".heic", ".heif"))
# Label Studio puts eight hexadecimal digits before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")


@dataclass(frozen=True)
class Problem:
    """What is wrong with one entry of a source. file: path; line: counted from 1, or None where there is none;
    rule: name of what is broken; message: what, and what to do."""

    file: str
    line: int | None
    rule: str
    message: str

    def __str__(self):
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.rule}: {self.message}"


class SourceError(ValueError):
    """A source of which nothing can be used; the message is a Problem in one line."""

    def __init__(self, file, rule, message, line=None):
        super().__init__(str(Problem(str(file), line, rule, message)))


class Refused(ValueError):
    """One entry that cannot be used, to be told and gone past. rule, message: as in Problem. place: (file, line) where
    that is not that of the entry itself."""

    def __init__(self, rule, message, place=None):
        super().__init__(rule, message)
        self.rule = rule
        self.message = message
        self.place = place

    def problem(self, file, line):
        """The Problem of an entry that stands there."""
        return Problem(*(self.place or (file, line)), self.rule, self.message)

    def __str__(self):
        return f"{self.rule}: {self.message}"


# Text


def read_text(path):
    """Text of a file: UTF-8, with or without byte order mark, or what Windows writes in western Europe. Raises
    SourceError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SourceError(path, "unreadable", error.strerror or str(error)) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


@dataclass(frozen=True)
class Table:
    """Rows of a CSV file. rows: list of (line, cells), blank lines left out, cells without space around them.
    decimal_comma: numbers may be written with a comma, for another character parts the cells."""

    path: Path
    rows: list
    decimal_comma: bool

    def number(self, cell, column):
        """Number in a cell, NaN where it is empty. Raises Refused for text, "nan" and infinity among it."""
        if not cell:
            return float("nan")
        try:
            value = float(cell.replace(",", ".") if self.decimal_comma else cell)
        except ValueError:
            raise Refused("not_a_number", f"column {column} is {cell!r}; a number is needed") from None
        if value - value != 0:
            raise Refused("not_finite", f"column {column} is {cell!r}; a number is needed, or nothing where the point "
                                        "is not known")
        return value


def read_table(path):
    """Table of a CSV file whose cells are parted by commas, semicolons or tabs, told from its first line. Raises
    SourceError for a file that is none, or empty."""
    text = read_text(path)
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((character for character in ";\t" if character in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise SourceError(path, "not_csv", str(error), reader.line_num) from error
    if not rows:
        raise SourceError(path, "empty", "there is no row in it")
    return Table(Path(path), rows, delimiter != ",")


# JSON


@dataclass(frozen=True)
class JsonFile:
    """A JSON file. data: what it holds. lines: {(key, index): line} of each entry of a list that is the whole file
    (key None) or stands under a key of it."""

    path: Path
    data: object
    lines: dict = field(repr=False)

    def line(self, key, index):
        """Line of an entry, counted from 1, or None."""
        return self.lines.get((key, index))


_SPACE = re.compile(r"[ \t\n\r]*")


class _Walk:
    """Over a JSON text, which the decoder takes apart from any place that it is told."""

    def __init__(self, text):
        self.text, self.at, self.lines = text, 0, {}
        self._decode = json.JSONDecoder().raw_decode
        self._counted, self._line = 0, 1

    def next_is(self, character):
        """Whether that comes next, after space; then it is passed."""
        self.at = _SPACE.match(self.text, self.at).end()
        if not self.text.startswith(character, self.at):
            return False
        self.at += len(character)
        return True

    def expect(self, character):
        if not self.next_is(character):
            raise json.JSONDecodeError(f"Expecting {character!r}", self.text, self.at)

    def value(self):
        self.at = _SPACE.match(self.text, self.at).end()
        value, self.at = self._decode(self.text, self.at)
        return value

    def entries(self, key):
        """Values of the list whose bracket has been passed; their lines are kept."""
        found = []
        while not self.next_is("]"):
            if found:
                self.expect(",")
            self.at = _SPACE.match(self.text, self.at).end()
            self._line += self.text.count("\n", self._counted, self.at)
            self._counted = self.at
            self.lines[key, len(found)] = self._line
            found.append(self.value())
        return found

    def document(self):
        if self.next_is("["):
            data = self.entries(None)
        elif self.next_is("{"):
            data = {}
            while not self.next_is("}"):
                if data:
                    self.expect(",")
                key = self.value()
                self.expect(":")
                data[key] = self.entries(key) if self.next_is("[") else self.value()
        else:
            data = self.value()
        self.at = _SPACE.match(self.text, self.at).end()
        if self.at < len(self.text):
            raise json.JSONDecodeError("Extra data", self.text, self.at)
        return data


def read_json(path):
    """JsonFile of a file. Raises SourceError, with the line, for what is no JSON."""
    walk = _Walk(read_text(path))
    try:
        data = walk.document()
        check_depth(data)
    except json.JSONDecodeError as error:
        raise SourceError(path, "not_json", error.msg, error.lineno) from error
    except (RecursionError, TypeError, ValueError) as error:  # TypeError: a key that is no text
        raise SourceError(path, "not_json", f"{type(error).__name__}: {error}") from error
    return JsonFile(Path(path), data, walk.lines)


# Images


class ImageFinder:
    """Images by the names that annotation files have for them. folder: where they are, at any depth. paths: all of
    them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.take(path for path in self.folder.rglob("*")
                  if path.suffix.lower() in IMAGE_ENDINGS and path.is_file())

    def take(self, paths):
        """Know these paths within the folder, and no others."""
        self.paths = sorted(paths)
        self._by_name, self._by_stem = defaultdict(list), defaultdict(list)
        for path in self.paths:
            inner = PurePosixPath(path.relative_to(self.folder).as_posix())
            self._by_name[inner.name].append(path)
            self._by_stem[inner.stem].append(path)

    def find(self, name):
        """Path of the image that `name` means: a path, an address on the web or in Label Studio, or the name of a
        file with or without ending.

        The more of the path fits, the better; a file of that name in another folder is taken where there is only
        one. Raises Refused where there is none or more than one.
        """
        parts = plain_path(name).parts
        for start in range(len(parts)):
            path = self.folder.joinpath(*parts[start:])
            if os.path.isfile(path):  # False for a name that no file can have, where pathlib raises
                return path
        last = parts[-1] if parts else ""
        bare = _UPLOAD_PREFIX.sub("", last, count=1)
        for found in (self._by_name[last], self._by_name[bare], self._by_stem[last]):
            if len(found) == 1:
                return found[0]
            if found:
                one, other = (_inner(self.folder, path) for path in found[:2])
                raise Refused("image_ambiguous", f"{name!r} could be {one} or {other} in {self.folder}: name the "
                                                 "folder of the images with --images")
        raise Refused("image_missing", f"there is no image {name!r} in {self.folder}: name the folder of the images "
                                       "with --images")

    def name_of(self, path):
        """Path of a found image within the folder, with slashes."""
        return _inner(self.folder, path)


def _inner(folder, path):
    return path.relative_to(folder).as_posix()


def image_folder(root):
    """Where the images of a source are unless somebody says where: images/ in its folder, or the folder itself."""
    return root / "images" if (root / "images").is_dir() else root


def plain_path(name):
    """PurePosixPath of an image's name in an annotation file: addresses without host and query, Label Studio's
    local files without `/data/local-files/?d=`, backslashes as slashes, nothing that leads out of a folder."""
    name = name.replace("\\", "/")
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://|/data/(local-files|upload)/", name):
        parsed = urllib.parse.urlsplit(name)
        local = urllib.parse.parse_qs(parsed.query).get("d")
        name = local[0] if local else urllib.parse.unquote(parsed.path)
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", ".", "..")]
    if parts and re.fullmatch(r"[a-zA-Z]:", parts[0]):
        parts = parts[1:]
    return PurePosixPath(*parts)
