"""The whole report out of what is there: sections in the thesis's order, and what stands above and below them."""

import importlib
from collections import Counter

from experiments.thesis import data, published
from experiments.thesis.items import BEYOND, CORNERS, DATA, ITEMS, PIXELS, SPEED
from experiments.thesis.material import DATA as MEASURED
from experiments.thesis.sections import VERDICTS, Report
from experiments.thesis.trainings import CHOSEN, SCALES

TITLE = "The thesis, table by table"
PARTS = (DATA, PIXELS, CORNERS, SPEED, BEYOND)


def assemble(material):
    """Report of a Material."""
    parts = {name: [] for name in PARTS}
    parts[DATA] = data.sections(material.measured(MEASURED))
    for item in ITEMS.values():
        if item.part == DATA:
            continue
        parts[item.part].append(build(item, material))
    return Report(TITLE, summary(material, parts), parts, published.UNAVAILABLE, machines(material))


def build(item, material):
    """Section of an Item."""
    function = getattr(importlib.import_module(item.builder), item.name.replace("-", "_"))
    return function(item, material)


def summary(material, parts):
    """Paragraphs at the top."""
    sections = [section for part in parts.values() for section in part]
    words = Counter(verdict.word for section in sections for _, verdict in section.verdicts)
    states = Counter(section.state for section in sections)
    counted = ", ".join(f"{words[word]} {word}" for word in VERDICTS)
    done = ", ".join(f"{states[state]} {state}" for state in ("done", "partly", "not run") if states[state])
    return (
        f"What was published in \"{published.SOURCE}\", beside what came out of the same configurations here. Its "
        "photos are private: here scenes are rendered, whose truth is known to the pixel. Levels can therefore not be "
        "held against each other; which of two configurations is better can.",
        f"Findings: {counted}. \"Cannot be told\" is the default: a verdict wants three seeds of both trainings and an "
        "interval of 95 %, over seeds and scenes drawn anew, that leaves no doubt. Two accuracies are alike when they "
        "differ by less than 0.01, which is what the thesis calls an improvement; two errors of corners when their "
        f"ratio is within 1.25. Sections: {done}.",
        f"Scale: {SCALES[material.scale].told}",
        "Scenes are those that are like the thesis's photos: the whole sheet in the photo, a foot on it, sheet and "
        "feet at least a fifth of the pixels.",
        "Where the thesis names no setting, these were taken. " + " ".join(CHOSEN),
    )


def machines(material):
    """What the trainings ran on, a line each, the most frequent first."""
    lines = Counter(", ".join(f"{name} {value}" for name, value in case["machine"].items() if value is not None)
                    for cases in material.cases.values() for case in cases)
    return tuple(f"{line} ({count} trainings)" for line, count in lines.most_common())
