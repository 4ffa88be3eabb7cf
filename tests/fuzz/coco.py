"""COCO keypoints and regions, as the format says it and as CVAT writes it, imported."""

import json

from scenes.exchange.coco import read_coco, read_cvat, write_coco
from tests.fuzz import places
from tests.fuzz.imported import import_one
from tests.fuzz.mutation import mutated_json

INSTRUMENTED = ("scenes", "json")

mutated = mutated_json


def seeds():
    """One document of skeletons and regions, as outlines, run lengths and packed run lengths; one of a face:
    list[bytes]."""
    with places.folder() as given:
        write_coco(places.dataset(), given / "coco")
        keypoints, regions = (json.loads((given / "coco" / "annotations" / f"{name}_train.json").read_text())
                              for name in ("person_keypoints", "instances"))
    document = keypoints | {"categories": [keypoints["categories"][0] | {"id": 9}, *regions["categories"]]}
    for annotation in keypoints["annotations"]:
        annotation["category_id"] = 9
    regions["annotations"][1]["segmentation"] = [[10, 10, 30, 10, 30.5, 20.5, 10, 20], [1, 1, 5, 1, 5, 5]]
    regions["annotations"][2]["segmentation"] = {"size": [48, 64], "counts": "Q81n00000000"}
    document["annotations"] = keypoints["annotations"] + regions["annotations"]
    face = keypoints | {"categories": [{"id": 9, "name": "face", "keypoints": ["a", "b"], "skeleton": [[1, 2]]}]}
    face["annotations"] = [annotation | {"keypoints": [1, 2, 2, 30.5, 20, 1]} for annotation in face["annotations"]]
    return [json.dumps(one).encode() for one in (document, face)]


def fuzz_one(data):
    """Whether it could be imported."""
    return [import_one(read, "annotations/person_keypoints_train.json", data) for read in (read_coco, read_cvat)][0]
