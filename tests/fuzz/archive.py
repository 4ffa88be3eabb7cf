"""Zip archives given to `foliopie scenes import`: imported or refused, and nothing written anywhere else."""

import io
import zipfile

from click.testing import CliRunner

from scenes.checking import check_dataset
from scenes.exchange.coco import write_coco
from scenes.exchange.commands import import_
from tests.fuzz import places
from tests.fuzz.mutation import mutated_bytes

INSTRUMENTED = ("scenes", "zipfile")

mutated = mutated_bytes


def seeds():
    """A dataset stored and packed in three ways, and one with names that lead elsewhere: list[bytes]."""
    with places.folder() as given:
        write_coco(places.dataset(), given / "coco")
        files = {path.relative_to(given / "coco").as_posix(): path.read_bytes()
                 for path in (given / "coco").rglob("*") if path.is_file()}
    ways = [(kind, files) for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)]
    ways.append((zipfile.ZIP_DEFLATED, files | {"../outside.txt": b"x", "/outside.txt": b"x", "a/../../b": b"x"}))
    return [_packed(*way) for way in ways]


def _packed(kind, files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return stream.getvalue()


def fuzz_one(data):
    """Whether it could be imported."""
    with places.folder() as given:
        (given / "source.zip").write_bytes(data)
        done = CliRunner().invoke(import_, ["coco", str(given / "source.zip"), str(given / "brought")])
        if not isinstance(done.exception, (SystemExit, type(None))):
            raise done.exception
        assert {path.name for path in given.iterdir()} <= {"source.zip", "brought"}
        if not (given / "brought").exists():
            assert done.exit_code == 1 and done.output.strip()
            return False
        assert check_dataset(given / "brought") == []
        return True
