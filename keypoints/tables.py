"""An evaluation on the console."""

from keypoints.metrics import WHICH
from scenes.tables import new_console, new_table, told

ERRORS = tuple((unit, figure) for unit in ("px", "percent") for figure in ("median", "mean", "p95"))
WITHIN_PERCENT = 1.0  # of the diagonal: one point of the PCK curve for the table of conditions


def print_evaluation(result):
    """Print a dict as keypoints.evaluate.judge makes it."""
    console = new_console()
    console.print(error_table(result))
    console.print(pck_table(result["pck"]))
    if result.get("conditions"):
        console.print(condition_table(result))
    for name in ("heatmap_accuracy", "published_heatmap_accuracy"):
        console.print(f"{name.replace('_', ' ')}: {told(result[name], 4)}")
    console.print(f"heatmap MSE: {told(result['heatmap_mse'], 8)}, MAE: {told(result['heatmap_mae'], 6)}")
    for name in ("scores", "visibility"):
        if result[name]:
            after = (result["calibrated"] or {}).get(name)
            calibrated = f", calibrated {told(after['expected_calibration_error'], 4)}" if after else ""
            console.print(f"{name}: right {told(result[name]['accuracy'], 4)}, expected calibration error "
                          f"{told(result[name]['expected_calibration_error'], 4)}{calibrated}")
    if result["calibration"]:
        console.print(_about_calibration(result["calibration"]))


def _about_calibration(about):
    if about["left_out"]:
        return f"the run's calibration is left out: {about['left_out']}"
    text = f"calibration: of the run, fitted to {about['corners']} corners of {about['data']}"
    if about["of_these_samples"]:
        text += "; these are the samples, and on others it does worse"
    return text


def print_calibration(kept):
    """Print what a keypoints.run_calibration.Kept is worth."""
    figures, near = kept.figures, f"within {kept.calibration.limit_percent:g} % of the diagonal"
    table = new_table(f"what is told of corners, {figures['samples']} samples", ("told", "figure"),
                      ("corners", "before", "after", f"after, {figures['folds']} folds"))
    meanings = {"score": near, "visibility": "seen, covered or outside", "confidence": f"in the photo, {near}"}
    for name, before in figures["before"].items():
        table.add_section()
        for figure, left in (("expected_calibration_error", (f"{name}: {meanings[name]}", str(before["corners"]))),
                             ("log_loss", ("", ""))):
            after = [figures[part][name][figure] for part in ("fitted", "cross_validated")]
            table.add_row(left[0], figure.replace("_", " "), left[1],
                          *(told(value, 4) for value in (before[figure], *after)))
    new_console().print(table)


def print_learning(lines):
    """Print the epochs that keypoints.learning.read_learning gives."""
    table = new_table("validation after each epoch", ("run", "epoch"),
                   ("image steps", "loss", "seen, median px", "95 %", "covered, median px", "95 %", "mean %",
                    "images/s", "waiting"))
    before = None
    for line in lines:
        if line["run"] != before:
            table.add_section()
        figures = [told(line[f"{which}_{figure}_px"], 2) for which in ("visible", "covered")
                   for figure in ("median", "p95")]
        table.add_row("" if line["run"] == before else line["run"], str(line["epoch"]), f"{line['image_steps']:,}",
                      told(line["validation_loss"], 4), *figures, told(line["all_mean_percent"], 2),
                      told(line["images_per_second"], 1), f"{100 * line['waiting_share']:.1f} %")
        before = line["run"]
    new_console().print(table)


def error_table(result):
    """Errors by corners seen and covered, as they are numbered and after the shift that suits them best."""
    table = new_table(f"corner errors, {result['samples']} samples", ("matched", "corners"),
                      ("n", *(f"{figure} {'%' if unit == 'percent' else unit}" for unit, figure in ERRORS)))
    for matched, units in result["corners"].items():
        for which in ("visible", "covered", "all"):
            figures = [told(units[unit][which][figure], 2) for unit, figure in ERRORS]
            table.add_row(matched, which, str(units["px"][which]["count"]), *figures)
    return table


def pck_table(pck):
    """Share of keypoints within each distance, in percent."""
    table = new_table("keypoints within a distance, %", ("distance",), tuple(WHICH))
    for unit, sign in (("percent", "% of the diagonal"), ("px", "px")):
        for k, limit in enumerate(pck[unit]["thresholds"]):
            shares = [pck[unit][which] for which in WHICH]
            table.add_row(f"{limit:g} {sign}", *("-" if share is None else f"{100 * share[k]:.1f}" for share in shares))
        table.add_section()
    return table


def condition_table(result):
    """One line a step of a condition, after one of the photos as they are."""
    table = new_table("under conditions: errors of all corners, cyclic", ("condition", "step"),
                      ("median px", "median %", "mean %", "p95 %", f"within {WITHIN_PERCENT:g} %", "covered median %",
                       "heatmap accuracy"))
    last = None
    for step in [{"name": "none"} | result, *result["conditions"]]:
        if step["name"] != last:
            table.add_section()
        last = step["name"]
        px, percent = (step["corners"]["cyclic"][unit] for unit in ("px", "percent"))
        within = step["pck"]["percent"]["all"]
        place = step["pck"]["percent"]["thresholds"].index(WITHIN_PERCENT)
        table.add_row(
            step["name"].replace("_", " "), f"{step['value']:g} {step['unit']}" if "value" in step else "",
            told(px["all"]["median"], 2), *(told(percent["all"][figure], 2) for figure in ("median", "mean", "p95")),
            "-" if within is None else f"{100 * within[place]:.1f}", told(percent["covered"]["median"], 2),
            told(step["heatmap_accuracy"], 4),
        )
    return table
