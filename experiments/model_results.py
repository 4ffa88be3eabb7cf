"""What corner-models found, as experiments.documents writes it: its tables and its figure."""

from itertools import product

import numpy as np

from deploy.tables import markdown_table, number
from experiments.documents import page
from experiments.model_judging import KINDS, SUCCESS_PERCENT, WITHIN_PERCENT
from experiments.results import cells as difference_cells
from experiments.results import headings as difference_headings

TITLE = "SimplePose, hourglass or pyramid: corners seen and corners covered"
JUDGES = {"test": "rendered scenes", "photos": "photos"}
WORDS = {"visible": "seen", "covered": "covered"}  # of experiments.model_judging.KINDS
# What the thesis prints, both in section 5.2.2, of 1,873 validation images; its input were maps of classes, its photos
# other ones. Arm -> (what, its key here, the value).
PUBLISHED = {
    "SimplePose-R18": ("heatmap accuracy, as GluonCV computes it", "published_heatmap_accuracy", 0.998),
    "hourglass": ("mean squared error of the last stack's heatmaps", "heatmap_mse", 1.3e-5),
}


def averaged(arm, judge, *keys):
    """A figure of an arm averaged over its seeds; None where one has none."""
    values = []
    for seed in arm["seeds"]:
        value = seed[judge]
        for key in keys:
            value = value and value.get(key)
        values.append(value)
    return None if None in values else float(np.mean(values))


HEADINGS = ["", "judged by", "found", *(f"{kind}, {figure}" for kind in WORDS.values()
                                        for figure in ("median px", "p95 px", "median %", "p95 %"))]


def judges_of(document):
    """Those of JUDGES that were asked: list of str."""
    return [judge for judge in JUDGES if next(iter(document["arms"].values()))["seeds"][0][judge]]


def cells(document):
    """Lines of the table: list of lists of str, in the order of HEADINGS; all arms by one judge, then by the other."""
    lines = []
    for judge, (name, arm) in product(judges_of(document), document["arms"].items()):
        figures = [number(averaged(arm, judge, kind, figure)) for kind in KINDS
                   for figure in ("median_px", "p95_px", "median_percent", "p95_percent")]
        found = number(averaged(arm, judge, "found"), ".1f" if len(arm["seeds"]) > 1 else ".0f")
        lines.append([name, JUDGES[judge], f"{found} of {arm['seeds'][0][judge]['photos']}", *figures])
    return lines


def published_cells(document):
    """What the thesis prints beside what came out on rendered scenes: list of lists of str."""
    return [[name, what, f"{value:g}", number(averaged(document["arms"][name], "test", key), ".2g")]
            for name, (what, key, value) in PUBLISHED.items() if name in document["arms"]]


def markdown(document):
    """README.md."""
    configuration, arms = document["configuration"], document["arms"]
    explanation = ("The thesis that foliopie reproduces found SimplePose right on covered corners and less exact on "
                   "those seen, and an hourglass exact on those seen and wrong on covered ones (section 5.2.2). Each "
                   "row is a network by itself: nothing sharpens its corners.")
    if configuration["stages"]:
        stages = ", then ".join(f"{stage['image_steps']:,} image steps at {stage['height']} x {stage['width']}"
                                for stage in configuration["stages"])
        explanation += f" Those trained here learnt from random values on the same scenes: {stages}."
    table = markdown_table(HEADINGS, cells(document), texts=(0, 1))
    if document["differences"]:
        told = document["differences"]
        table += ["", *markdown_table(difference_headings(told), difference_cells(told), texts=(0, 7))]
    if published_cells(document):
        table += ["", *markdown_table(["", "", "thesis", "here"], published_cells(document), texts=(0, 1))]
    networks = "; ".join(f"{name}: {arm['model']}, maps {arm['maps']}, {arm['height']} x {arm['width']}"
                         for name, arm in arms.items())
    first = next(iter(arms.values()))["seeds"][0]
    counts = [f"{first[judge][kind]['count']} {word} in {JUDGES[judge]}"
              for judge, (kind, word) in product(judges_of(document), WORDS.items())]
    notes = [f"Found: every known corner within {SUCCESS_PERCENT:g} % of the diagonal. Pixels are those of the "
             "network's input, percent is of the photo's diagonal; 95 % of the corners are below p95; errors after the "
             "cyclic shift that suits best; "
             f"corners: {', '.join(counts)}. Figures are averaged over seeds. {networks}.",
             "The thesis's figures are of its own photos, not these, with maps of classes as input; its mean squared "
             "error is of heatmaps from 0 to 1 or to 255, which it does not say of one and the same; here they go to "
             "1. Differences are of mean errors on photos, as in `scene-comparison`."]
    return page(document, TITLE, explanation, table, notes)


def figure(document):
    """Share of corners within a distance: a column for each kind, a row for each judge."""
    from matplotlib.figure import Figure

    judges = judges_of(document)
    drawn = Figure(figsize=(9, 3.4 * len(judges)), layout="constrained")
    panels = drawn.subplots(len(judges), 2, squeeze=False, sharex=True, sharey=True)
    for row, judge in zip(panels, judges, strict=True):
        for panel, (kind, word) in zip(row, WORDS.items(), strict=True):
            for name, arm in document["arms"].items():
                shares = [seed[judge][kind]["within"] for seed in arm["seeds"] if seed[judge][kind]["within"]]
                if shares:
                    panel.plot(WITHIN_PERCENT, 100 * np.mean(shares, axis=0), label=name)
            panel.set(title=f"{JUDGES[judge]}: corners {word}", xlim=(0, WITHIN_PERCENT[-1]), ylim=(0, 101))
            panel.grid(alpha=0.25)
        row[0].set_ylabel("% of the corners")
    for panel in panels[-1]:
        panel.set_xlabel("within, % of the diagonal")
    panels[0][0].legend(fontsize=8, frameon=False)
    return drawn
