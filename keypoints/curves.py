"""Figures of an evaluation: share of keypoints found, reliability of what is told of them, error against turn.

Each function gives a matplotlib Figure (extra `prepare`), as scenes.preparation.figures.
"""

import numpy as np

from keypoints.metrics import WHICH
from scenes.preparation.figures import blank_figure, save_figure

COLOURS = {"all": "#333333", "visible": "#2c5fa8", "covered": "#c0392b"}
RAW = "#b8b8b8"  # of what a calibration changes
# Fine enough to look smooth; the table of an evaluation has few thresholds.
PCK_PERCENT = np.linspace(0, 10, 201)
PCK_PX = np.linspace(0, 50, 201)


def pck_figure(findings, name):
    """Share of keypoints within a distance of their place, in percent of the diagonal and in photo pixels.

    findings: keypoints.evaluate.Findings.
    """
    figure = blank_figure(9.5, 4, f"{name}: share of keypoints found within a distance (PCK)")
    panels = figure.subplots(1, 2, sharey=True)
    visibility = findings.truth.visibility
    for panel, errors, limits, label in (
        (panels[0], findings.errors_percent, PCK_PERCENT, "distance, % of the photo's diagonal"),
        (panels[1], findings.errors_px, PCK_PX, "distance, photo pixels"),
    ):
        for which, of in WHICH.items():
            chosen = np.sort(errors[np.isin(visibility, of)])
            if not chosen.size:
                continue
            shares = np.searchsorted(chosen, limits, side="right") / chosen.size
            panel.plot(limits, shares * 100, color=COLOURS[which], label=f"{which} ({chosen.size})",
                       linewidth=2 if which == "all" else 1.2)
        panel.set(xlabel=label, ylim=(0, 101), xlim=(0, limits[-1]))
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("% of the keypoints")
    panels[1].legend(loc="lower right", fontsize=9, frameon=False)
    return figure


def reliability_figure(reports, name):
    """How often what is told with a probability is so, beside that probability.

    reports: {title: {"bins", "expected_calibration_error"}}, as keypoints.evaluate.calibration gives them, one panel
    each; with "calibrated", another such dict, that is drawn over it. On the diagonal a probability means what it says;
    beside a point of the last drawn stands how many keypoints it is of.
    """
    figure = blank_figure(max(4.6 * len(reports), 4.6), 4.6, f"{name}: reliability of what the network tells")
    for panel, (title, report) in zip(np.atleast_1d(figure.subplots(1, len(reports))), reports.items(), strict=True):
        panel.plot((0, 1), (0, 1), color="#999999", linewidth=1, linestyle="--")
        after = report.get("calibrated")
        _draw_reliability(panel, report, RAW if after else COLOURS["visible"], "as the network tells it", not after)
        errors = f"expected calibration error {report['expected_calibration_error']:.3f}"
        if after:
            _draw_reliability(panel, after, COLOURS["visible"], "calibrated")
            errors += f", calibrated {after['expected_calibration_error']:.3f}"
            panel.legend(loc="lower right", fontsize=8, frameon=False)
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="told probability", aspect="equal")
        panel.set_title(f"{title}\n{errors}", fontsize=10)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("share that is so")
    return figure


def _draw_reliability(panel, report, colour, label, counted=True):
    bins = [one for one in report["bins"] if one["count"]]
    confidence, accuracy, count = (np.array([one[key] for one in bins], float)
                                   for key in ("confidence", "right", "count"))
    panel.plot(confidence, accuracy, color=colour, linewidth=1, label=label)
    panel.scatter(confidence, accuracy, s=15 + 150 * count / count.sum(), color=colour, zorder=3, clip_on=False)
    for x, y, n in zip(confidence, accuracy, count, strict=True) if counted else ():
        panel.annotate(f"{n:.0f}", (x, y), xytext=(6, -9), textcoords="offset points", fontsize=7, color="#555555")


def turn_figure(curve, name):
    """Median and 95th percentile of the error by how far the sheet is turned. curve: metrics.turn_curve, errors in
    percent of the diagonal."""
    figure = blank_figure(8, 4, f"{name}: error against the turn of the sheet")
    panel = figure.subplots()
    degrees = [point["degrees"] for point in curve]
    # Points of neighbouring turns are joined; where turns are missing the line is broken.
    grid = np.arange(0, 361, 15)
    for key, colour, label in (("median", COLOURS["visible"], "median"), ("p95", COLOURS["covered"], "95 % are below")):
        values = {point["degrees"]: point[key] for point in curve}
        panel.plot(grid, [values.get(int(turn) % 360, np.nan) for turn in grid], color=colour, label=label, marker="o",
                   markersize=3.5)
    panel.set(xlim=(-5, 365), xticks=range(0, 361, 45), xlabel="turn of the sheet in the photo, degrees clockwise",
              ylabel="error, % of the diagonal", ylim=(0, None))
    counts = [point["count"] for point in curve]
    if degrees:
        panel.set_title(f"{min(counts)} to {max(counts)} keypoints a point", fontsize=9)
    panel.legend(fontsize=9, frameon=False)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def write_curves(folder, judgement):
    """Write pck.png, turn.png and, where there is something to show, reliability.png: list of the paths.

    judgement: keypoints.evaluate.Judgement. Raises OSError.
    """
    name, result = judgement.subject.name, judgement.result
    figures = {"pck": pck_figure(judgement.findings, name), "turn": turn_figure(result["turn"], name)}
    titles = {"scores": "score: within {right_percent:g} % of the diagonal",
              "visibility": "visibility: seen, covered or outside"}
    calibrated = result["calibrated"] or {}
    reports = {title.format(**result[name]): result[name] | {"calibrated": calibrated.get(name)}
               for name, title in titles.items() if result[name]}
    if reports:
        figures["reliability"] = reliability_figure(reports, name)
    paths = []
    for title, figure in figures.items():
        paths.append(folder / f"{title}.png")
        save_figure(figure, paths[-1])
    return paths
