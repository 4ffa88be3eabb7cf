"""What a batch has answered, kept as it goes, so that an interrupted one goes on where it ended.

FILE is the list that `foliopie measure --json FILE` promises, written whole at the end. Until then every answer is a
line of FILE.part, from the moment that it is there: a batch that is killed has lost nothing but what was under way.
Each answer holds, under `source`, what it is an answer to; it is taken again only for the same.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

# Of what the answers say and how they are computed: to be raised when photos measured before should be measured again.
ANSWERS_VERSION = 1
# Such answers may be others next time, though the photo is the same.
PASSING = ("internal_error", "output_not_written")


class JournalError(Exception):
    """A file of answers that cannot be gone on with; its text is one line with the way out."""


def measured_with(manifest, **options):
    """Hexadecimal digits that name what answers come from: the bytes of a bundle's manifest, and options that change
    answers. Options must be what JSON can say."""
    told = json.dumps([ANSWERS_VERSION, hashlib.sha256(manifest).hexdigest(), options], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def source_of(path, with_what):
    """What an answer on a file is an answer to: dict for its `source`; None for a file that cannot be looked at."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    modified = datetime.fromtimestamp(status.st_mtime_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {"bytes": status.st_size, "modified": f"{modified}.{status.st_mtime_ns % 1_000_000_000:09d}Z",
            "measured_with": with_what}


class Journal:
    """The answers of one batch, on their way into the file `path`."""

    def __init__(self, path):
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        self._stream = self._again = None

    def read(self):
        """{photo: answer} of the file of before and of what an interrupted batch left beside it; {} without either.

        Answers that may be others next time are left out. Raises JournalError where the file holds something else.
        """
        answers = {}
        if self.path.exists():
            try:
                answers.update((answer["photo"], answer) for answer in json.loads(self.path.read_text("utf-8")))
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise JournalError(f"cannot go on with {self.path}: it holds no answers of this command "
                                   f"({type(error).__name__}): give another file, or leave --resume out") from error
        answers.update((answer["photo"], answer) for answer in self._lines())
        return {photo: answer for photo, answer in answers.items() if not _is_passing(answer)}

    def _lines(self):
        """Answers of the part, without a last line that was cut off."""
        if not self.part.exists():
            return
        for line in self.part.read_bytes().split(b"\n"):
            try:
                answer = json.loads(line)
            except ValueError:
                continue
            if isinstance(answer, dict) and "photo" in answer:
                yield answer

    def begin(self, keep):
        """Starts the part. keep: what is there of it is kept, and added to. Raises OSError."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(self.part, "ab" if keep else "wb")
        if keep:
            self._stream.write(b"\n")  # after a line that was cut off
        self._again = open(self.part, "rb")

    def add(self, answer):
        """Writes an answer, so that it is there whatever happens next: its place, for `at`. Raises OSError."""
        place = self._stream.tell()
        self._stream.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
        self._stream.flush()
        return place

    def at(self, place):
        """The answer that was added at a place, read again. Raises OSError."""
        self._again.seek(place)
        return json.loads(self._again.readline())

    def finish(self, answers):
        """Writes the file whole, and removes the part, which `at` still reads: it is open. Raises OSError."""
        from deploy.page import write_text

        write_text(self.path, answers_text(answers))
        self._stream.close()
        self.part.unlink(missing_ok=True)


class Kept:
    """The answers of a batch by the names of their photos, without the memory that they take as objects, 15 kB each:
    they are read again from a Journal, or compressed to a tenth where there is none."""

    def __init__(self, journal=None):
        self._journal, self._held = journal, {}

    def add(self, name, answer):
        """Keeps an answer, in the journal where there is one. Raises OSError."""
        self._held[name] = self._journal.add(answer) if self._journal else zlib.compress(json.dumps(answer).encode(), 1)

    def __contains__(self, name):
        return name in self._held

    def __getitem__(self, name):
        held = self._held[name]
        return self._journal.at(held) if self._journal else json.loads(zlib.decompress(held))


@dataclass(frozen=True)
class InOrder(Sequence):
    """Answers in the order of their photos' names, each looked up when it is asked for. kept: Kept, or a dict."""

    names: list
    kept: Kept

    def __len__(self):
        return len(self.names)

    def __getitem__(self, place):
        return self.kept[self.names[place]]


def answers_text(answers):
    """The answers as the text of a JSON file, in parts: of a hundred thousand, one text would fill the memory."""
    end = "[]\n"
    for number, answer in enumerate(answers):
        # As json.dumps has it of the whole list; within a text JSON has no line breaks.
        told = json.dumps(answer, indent=1, allow_nan=False, ensure_ascii=False).replace("\n", "\n ")
        yield f"{',' if number else '['}\n {told}"
        end = "\n]\n"
    yield end


def _is_passing(answer):
    codes = [answer["error"]["code"]] if "error" in answer else [warning["code"] for warning in answer["warnings"]]
    return any(code in PASSING for code in codes)
