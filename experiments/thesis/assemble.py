"""The whole report out of what is there: sections in the thesis's order, and what stands above and below them."""

import importlib
from collections import Counter

from experiments.comparison import LEVEL
from experiments.results import LEAST_SEEDS
from experiments.thesis import data, published
from experiments.thesis.findings import POINT, SIMILAR_RATIO
from experiments.thesis.items import BEYOND, CORNERS, DATA, ITEMS, PIXELS, SPEED
from experiments.thesis.material import DATA as MEASURED
from experiments.thesis.scenes import LEAST_SHARE
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
    states = Counter(section.state for section in sections)
    counted = "; ".join(f"{name}: {counted_words(part)}" for name, part in parts.items())
    done = ", ".join(f"{states[state]} {state}" for state in ("done", "partly", "not run") if states[state])
    return (
        f"What was published in \"{published.SOURCE}\", beside what came out of the same configurations here. Its "
        "photos are private: here scenes are rendered, whose truth is known to the pixel. Levels can therefore not be "
        "held against each other; which of two configurations is better can.",
        f"Findings. {counted}. Sections: {done}. What the thesis does not claim itself stands beyond it; there, "
        "\"reproduced\" means that what is asked came out so.",
        "How trainings are compared: \"cannot be told\" is the default, and a verdict wants "
        f"{LEAST_SEEDS} seeds of both and an interval of {LEVEL:.0%} over scenes and seeds. One is better where "
        "the whole interval is above zero and, if the thesis says by how much, its mean is at least half of that; it "
        f"is not where the whole interval is below. Two are alike where the whole interval is within {100 * POINT:g} "
        f"points of accuracy (what the thesis calls an improvement) or of boundary F, or a ratio of {SIMILAR_RATIO:g} "
        "of corner errors, geometric means over scenes; one is no better, or no worse, where it is by less than that "
        "for sure. One verdict in twenty may be wrong by chance. Other verdicts say what they rest on.",
        f"Scale: {SCALES[material.scale].told} {scenes_told(material)}",
        *(["Scenes are those that are like the thesis's photos: the whole sheet in the photo, a foot on it, sheet and "
           f"feet at least {LEAST_SHARE:.0%} of the pixels."] if SCALES[material.scale].alike else []),
        "Where the thesis names no setting, these were taken. " + " ".join(CHOSEN),
    )


def counted_words(sections):
    """How many verdicts of Sections there are of each word, words."""
    words = Counter(verdict.word for section in sections for _, verdict in section.verdicts)
    return ", ".join(f"{words[word]} {word}" for word in VERDICTS)


def scenes_told(material):
    """How many scenes the trainings there are were done on, words; "" without any."""
    counts = sorted({(case["kind"], case["scenes"]["train"], case["scenes"]["validation"])
                     for cases in material.cases.values() for case in cases}, reverse=True)
    return " ".join(f"Used for {kind}: {train:,} scenes to train on, {held_out:,} to judge by."
                    for kind, train, held_out in counts)


def machines(material):
    """What the trainings ran on, a line each, the most frequent first."""
    lines = Counter(", ".join(f"{name} {value}" for name, value in case["machine"].items() if value is not None)
                    for cases in material.cases.values() for case in cases)
    return tuple(f"{line} ({count} trainings)" for line, count in lines.most_common())
