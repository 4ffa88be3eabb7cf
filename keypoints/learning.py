"""How a network learnt: the validations of one run, or of several that each went on from the last."""

from pathlib import Path

from keypoints.curves import COLOURS
from keypoints.run import RunError, read_config, read_history
from scenes.preparation.figures import blank_figure

# Of each epoch's validation, percent of the diagonal: name in the history, what it is called, colour, line.
CURVES = (
    ("all_mean_percent", "mean", COLOURS["all"], "-"),
    ("visible_median_percent", "seen, median", COLOURS["visible"], "-"),
    ("visible_p95_percent", "seen, 95 % are below", COLOURS["visible"], ":"),
    ("covered_median_percent", "covered, median", COLOURS["covered"], "-"),
    ("covered_p95_percent", "covered, 95 % are below", COLOURS["covered"], ":"),
)


def read_learning(folders):
    """The epochs of runs in the order given: list of dicts, the lines of their histories with "run" (name of the
    folder), "size" ((height, width) of the input) and "image_steps" (images trained on until then, runs before
    included) added.

    Raises RunError for a folder that is no run, or has no finished epoch.
    """
    lines, steps = [], 0
    for folder in map(Path, folders):
        config, data = read_config(folder)
        history = read_history(folder)
        if not history or "training" not in data:
            raise RunError(f"{folder} has no history: a run that was released, or has not finished an epoch; name the "
                           "folders that `foliopie keypoints train` wrote")
        images = -(-data["training"] // config.batch) * config.batch
        lines += [line | {"run": folder.resolve().name, "size": (config.height, config.width),
                          "image_steps": steps + images * line["epoch"]} for line in history]
        steps = lines[-1]["image_steps"]
    return lines


def learning_figure(lines):
    """Errors on the validation samples against image steps; a vertical line where one run goes on from another.

    lines: as `read_learning` gives them. A matplotlib Figure.
    """
    figure = blank_figure(8, 4.5, "error on the validation samples while learning")
    panel = figure.subplots()
    runs = list(dict.fromkeys(line["run"] for line in lines))
    for name, label, colour, style in CURVES:
        for number, run in enumerate(runs):
            points = [(line["image_steps"], line[name]) for line in lines if line["run"] == run and line[name]]
            if points:
                panel.plot(*zip(*points, strict=True), color=colour, linestyle=style, label=None if number else label)
    for run in runs:
        of_run = [line for line in lines if line["run"] == run]
        if run != runs[-1]:
            panel.axvline(of_run[-1]["image_steps"], color="#999999", linewidth=0.8)
        height, width = of_run[0]["size"]
        panel.annotate(f"{height} x {width}", (of_run[0]["image_steps"], 1), xycoords=("data", "axes fraction"),
                       xytext=(2, 2), textcoords="offset points", fontsize=8)
    panel.set(xlabel="image steps", ylabel="% of the diagonal", yscale="log")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.grid(alpha=0.25, which="both")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, frameon=False, loc="lower left")
    return figure
