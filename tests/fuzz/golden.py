"""golden.npz of a bundle: the arrays that it should hold, or BundleError."""

import io
import zipfile

import numpy as np

from deploy.bundle import BundleError, read_golden, write_golden
from tests.fuzz import places
from tests.fuzz.mutation import mutated_bytes

INSTRUMENTED = ("deploy", "zipfile", "numpy.lib.npyio", "numpy.lib.format")


def seeds():
    """Golden data of two networks and of three, packed and not: list[bytes]."""
    rng = np.random.default_rng(2)
    golden = {"keypoints": (rng.integers(0, 9, (1, 4, 4, 3), dtype=np.uint8), rng.random((1, 4, 2, 2))),
              "segmentation": (rng.integers(0, 9, (1, 4, 4, 3), dtype=np.uint8), rng.random((1, 4, 4, 4)))}
    crops = {"side": (rng.integers(0, 9, (1, 4, 4, 4), dtype=np.uint8), rng.random((1, 2)))}
    found = []
    with places.folder() as given:
        for contents in (golden, golden | crops):
            write_golden(given / "golden.npz", contents)
            found.append((given / "golden.npz").read_bytes())
            with np.load(given / "golden.npz") as arrays:
                np.savez(given / "stored.npz", **arrays)
            found.append((given / "stored.npz").read_bytes())
    return found


def mutated(data, rng):
    """The archive with its bytes changed, or with those of one of its arrays and a right checksum."""
    if rng.random() < 0.3:
        return mutated_bytes(data, rng)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # whatever it was mutated into before
        return mutated_bytes(data, rng)
    if files:
        name = rng.choice(sorted(files))
        files[name] = mutated_bytes(files[name], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def fuzz_one(data):
    """Whether it is golden data."""
    with places.folder() as given:
        (given / "golden.npz").write_bytes(data)
        try:
            golden = read_golden(given / "golden.npz")
        except BundleError as error:
            assert str(error)
            return False
        assert {"keypoints", "segmentation"} <= set(golden) <= {"keypoints", "segmentation", "side"}
        assert all(isinstance(array, np.ndarray) for pair in golden.values() for array in pair)
        return True
