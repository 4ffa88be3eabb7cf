"""annotations.json of a dataset: checked, read, repaired and written in other formats, whatever it holds."""

import json
import zlib

from scenes.annotated_photos import read_annotated_photos
from scenes.checking import check_dataset
from scenes.dataset import DatasetError, read_category, read_dataset
from scenes.document import ANNOTATIONS
from scenes.exchange.coco import write_coco, write_cvat
from scenes.exchange.label_studio import write_label_studio
from scenes.exchange.landmarks import write_landmarks
from scenes.exchange.plain import write_plain
from scenes.exchange.source import SourceError
from scenes.repair import fix_dataset
from tests.fuzz import places
from tests.fuzz.mutation import mutated_json

INSTRUMENTED = ("scenes", "json")
WRITERS = (write_coco, write_cvat, write_label_studio, write_landmarks, write_plain)

mutated = mutated_json


def seeds():
    """A good document, one of another category, one that is to be repaired: list[bytes]."""
    good = json.loads((places.dataset() / ANNOTATIONS).read_text())
    face = json.loads(json.dumps(good))
    face["categories"] = [{"id": 1, "name": "face", "keypoints": ["a", "b"], "skeleton": [[1, 2]]}]
    for annotation in face["annotations"]:
        annotation |= {"keypoints": [1, 2, 2, 30.5, 20, 1], "num_keypoints": 2, "attributes": {}}
    torn = json.loads(json.dumps(good))
    torn["images"][0] |= {"file_name": "images\\0.jpg", "width": None}
    torn["annotations"][0] |= {"id": 2, "num_keypoints": 9, "bbox": []}
    torn["annotations"][1]["attributes"] |= {"split": "Training"}
    torn["annotations"][2]["keypoints"] = [52.0, 40.0, 1, 8.0, 41.0, 2, 10.25, 5.0, 2, 99.0, 6.0, 2]
    return [json.dumps(document).encode() for document in (good, face, torn)]


def fuzz_one(data):
    """Whether there was a dataset."""
    with places.folder() as given:
        folder = places.linked(places.dataset(), given / "dataset")
        (folder / ANNOTATIONS).unlink()
        (folder / ANNOTATIONS).write_bytes(data)
        faults = check_dataset(folder)
        assert all(str(fault).encode() for fault in faults)
        samples = _read(folder)
        assert faults or samples is not None
        _read_photos(folder)
        if samples:
            _write(WRITERS[zlib.crc32(data) % len(WRITERS)], folder, given / "written")
        fix_dataset(folder)
        assert fix_dataset(folder) == []
        # What is repaired has no new faults, but for those that were hidden behind one.
        assert faults or check_dataset(folder) == []
        return samples is not None


def _read(folder):
    try:
        return read_dataset(folder, category=read_category(folder).name)
    except DatasetError as error:
        assert str(error)
        return None


def _read_photos(folder):
    try:
        read_annotated_photos(folder)
    except (ValueError, FileNotFoundError) as error:
        # What NumPy or Python raise is no message of the project's.
        assert str(folder) in str(error), error


def _write(write, folder, target):
    try:
        write(folder, target)
    except (DatasetError, SourceError) as error:
        assert str(error).encode()


