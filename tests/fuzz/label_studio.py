"""Tasks of Label Studio, with points, outlines and brush strokes, imported."""

import json

from scenes.exchange.label_studio import TASKS, read_label_studio, write_label_studio
from tests.fuzz import places
from tests.fuzz.imported import import_one
from tests.fuzz.mutation import mutated_json

INSTRUMENTED = ("scenes", "json")

mutated = mutated_json


def seeds():
    """Tasks with brushes, and with outlines: list[bytes]."""
    with places.folder() as given:
        write_label_studio(places.dataset(), given / "tasks")
        brushes = json.loads((given / "tasks" / TASKS).read_text())
    outlines = json.loads(json.dumps(brushes))
    for task in outlines:
        for result in task["annotations"][0]["result"]:
            if result["type"] == "brushlabels":
                result |= {"type": "polygonlabels", "value": {
                    "points": [[10, 10], [60.5, 10], [60, 80]], "polygonlabels": result["value"]["brushlabels"]}}
    return [json.dumps(one).encode() for one in (brushes, outlines)]


def fuzz_one(data):
    """Whether it could be imported."""
    return import_one(read_label_studio, TASKS, data)
