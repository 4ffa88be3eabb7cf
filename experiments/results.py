"""What an experiment on arms found, as experiments.documents writes it: the document, its table, its figure."""

from collections import Counter

import numpy as np

from deploy.tables import markdown_table, number
from experiments.comparison import RESAMPLES
from experiments.documents import head, page
from experiments.photos import SUCCESS_PERCENT

# The interval tells how photos differ, not how trainings do: a verdict on what was trained needs this many seeds, all
# on one side of zero.
LEAST_SEEDS = 3
# Okabe and Ito's colours, which can be told apart whatever one's colour vision.
POINT, SETTINGS, SEEDS = "#0072B2", "#999999", "#D55E00"


def results_document(experiment, scale, configuration, reference, photos, settings, arms, faults):
    """All that is told, as a dict for JSON: no path of the machine is in it.

    configuration: dict, what was trained. photos: PhotoSet. settings: {photo: setting} or None. arms: as
    experiments.arms.report gives them. faults: {what was not done: why}.
    """
    return head(experiment, scale, configuration, faults) | {
        "reference": reference, "photos": describe_photos(photos, settings), "least_seeds": LEAST_SEEDS, "arms": arms,
    }


def describe_photos(photos, settings):
    """dict for JSON: which photos of a PhotoSet, and how many are in each setting (None without settings)."""
    return {"name": photos.name, "count": len(photos.photos), "sha256": photos.sha256,
            "truth_sha256": photos.truth_sha256, "settings": dict(Counter(settings.values())) if settings else None}


def rows(document):
    """Rows of the table: list of dicts with name, success, visible, covered, mean (numbers, averaged over seeds;
    None where there is none), difference and ratio ((mean, low, high); None for the reference), verdict."""
    found = []
    for name, arm in document["arms"].items():
        row = {"name": name, "success": float(np.mean(arm["successes"]))}
        for key, column in (("visible_median_percent", "visible"), ("covered_median_percent", "covered"),
                            ("mean_percent", "mean")):
            values = [value for value in arm[key] if value is not None]
            row[column] = float(np.mean(values)) if values else None
        row |= {"difference": None, "ratio": None, "verdict": ""}
        if arm["difference"]:
            row["difference"] = _triple(arm["difference"]["by_setting"])
            row["ratio"] = tuple(2**value for value in _triple(arm["log2_ratio"]["by_setting"]))
            row["verdict"] = _verdict(row["difference"], arm["seed_differences"], document["least_seeds"])
        found.append(row)
    return found


def _verdict(interval, seeds, least_seeds):
    _, low, high = interval
    if len(seeds) < least_seeds:
        return "too few seeds"
    if low > 0 and min(seeds) > 0:
        return "worse"
    return "better" if high < 0 and max(seeds) < 0 else "cannot be told"


def _triple(interval):
    return interval["mean"], interval["low"], interval["high"]


def headings(document):
    """Headings of the table: list of str."""
    reference, count = document["reference"], document["photos"]["count"]
    return ["", f"found, of {count}", "seen corners, median", "covered corners, median", "mean error",
            f"difference to {reference} [95 %]", f"ratio to {reference} [95 %]", "verdict"]


def cells(document):
    """Lines of the table: list of lists of str, in the order of `headings`."""
    return [[row["name"], f"{row['success']:.1f}", *(number(row[key]) for key in ("visible", "covered", "mean")),
             _interval(row["difference"], "+.2f"), _interval(row["ratio"], ".2f"), row["verdict"] or "-"]
            for row in rows(document)]


def markdown(document, title, explanation):
    """README.md: what was done, the table, and how to read it."""
    photos, reference = document["photos"], document["reference"]
    groups = f" from {len(photos['settings'])} settings" if photos["settings"] else ", each a setting of its own"
    table = markdown_table(headings(document), cells(document), texts=(0, 7))
    note = ("Errors of corners in percent of the photo's diagonal, averaged over seeds. A photo is found when every "
            f"known corner is within {SUCCESS_PERCENT:g} %. Difference: the mean corner error of a photo, less that "
            f"of `{reference}`; above zero is worse. It is averaged within each setting, then over settings; its "
            f"interval is the percentile bootstrap of settings ({RESAMPLES:,} resamples). Ratio: the same for the "
            "errors' logarithms, which a few lost photos do not rule. The verdict is that of the difference's "
            f"interval, where there are {document['least_seeds']} seeds or more and all are on the same side of zero. "
            "Seeds, single photos and the figures by photo are in `results.json`.")
    return page(document, title, explanation, table, [note], f"{photos['count']} photos ({photos['name']}){groups}")


def _interval(triple, form):
    return "-" if triple is None else f"{triple[0]:{form}} [{triple[1]:{form}}, {triple[2]:{form}}]"


def figure(document, title):
    """Forest of the differences to the reference: mean and interval, each setting's mean, each seed's mean."""
    from matplotlib.figure import Figure

    arms = [(name, arm) for name, arm in document["arms"].items() if arm["difference"]]
    drawn = Figure(figsize=(8, 1.8 + 0.45 * max(len(arms), 1)), layout="constrained")
    panel = drawn.subplots()
    for place, (_, arm) in enumerate(reversed(arms)):
        mean, low, high = _triple(arm["difference"]["by_setting"])
        inside = list(arm["difference"]["settings"].values())
        seeds = arm["seed_differences"]
        labels = ("a setting", "a seed", "mean over settings, 95 % interval") if place == 0 else (None, None, None)
        panel.plot(inside, [place - 0.22] * len(inside), "|", color=SETTINGS, ms=7, label=labels[0])
        panel.plot(seeds, [place + 0.22] * len(seeds), ".", color=SEEDS, label=labels[1])
        panel.plot([low, high], [place, place], "-", color=POINT, lw=2)
        panel.plot([mean], [place], "o", color=POINT, label=labels[2])
    panel.axvline(0, color="black", lw=0.8)
    panel.set_yticks(range(len(arms)), [name for name, _ in reversed(arms)])
    panel.set_ylim(-0.6, max(len(arms), 1) - 0.4)
    panel.set_xlabel(f"corner error less that of {document['reference']}, % of the diagonal; right is worse")
    # Single lost photos reach far out; the intervals must stay to be read. Linear within one percent.
    panel.set_xscale("symlog", linthresh=1.0)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_title(title, fontsize=11)
    if arms:
        drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return drawn
