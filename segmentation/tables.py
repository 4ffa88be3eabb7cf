"""An evaluation on the console."""

from scenes.tables import new_console, new_table, told


def print_evaluation(result: dict) -> None:
    """Prints a dict as `segmentation.evaluate.judge` makes it."""
    console = new_console()
    if "inside_sheet_or_foot" in result:
        console.print(photo_table(result))
        if result.get("conditions"):
            console.print(photo_condition_table(result))
        sides, empty = result["sides"], result["no_foot"]
        console.print(f"side right: {sides['right']} of {sides['photos']} (of most foot pixels: "
                      f"{sides['majority_right']}); no foot found where there is none: {empty['none_found']} of "
                      f"{empty['photos']}")
        return
    console.print(class_table(result))
    console.print(confusion_table(result))
    if result.get("conditions"):
        console.print(condition_table(result))
    feet, means = result["feet"], result["mean_f1"]
    console.print(f"pixel accuracy {percent(result['pixel_accuracy'])} %; left/right confused on "
                  f"{percent(result['left_right_confusion'])} % of foot pixels; side right, by most pixels of a foot: "
                  f"{feet['right_side']} of {feet['count']}")
    console.print(f"mean F1, over classes of one matrix: {told(means['over_classes_of_one_matrix'], 4)}; over samples "
                  f"and classes: {told(means['over_samples_and_classes'], 4)}")


def percent(share: float | None) -> str:
    """A share as text, in percent."""
    return told(None if share is None else 100 * share, 2)


def class_table(result: dict):
    """IoU, F1 and boundary F-score of each class and their means."""
    boundary, small = result["boundary"], result["at_network_size"]
    within = f"boundary F, {boundary['within_px']} px"
    table = new_table(f"{result['samples']} samples, {result['split'] or 'all'}, %", ("class",),
                      ("IoU", "F1 (Dice)", within, "IoU, network's size", f"{within}, network's size"))
    for name in result["labels"]:
        shares = (result["iou"][name], result["dice"][name], boundary["f"][name], small["iou"][name],
                  small["boundary"]["f"][name])
        table.add_row(name.replace("_", " "), *map(percent, shares))
    table.add_section()
    means = (result["mean_iou"], result["mean_dice"], boundary["mean_f"], small["mean_iou"],
             small["boundary"]["mean_f"])
    table.add_row("mean", *map(percent, means))
    return table


def confusion_table(result: dict):
    """Of the pixels of each true class, the share that is called each class."""
    names = [name.replace("_", " ") for name in result["labels"]]
    table = new_table("what the pixels of a class are called, %", ("is",), ("pixels", *names))
    for name, row in zip(names, result["confusion_matrix"], strict=True):
        table.add_row(name, str(sum(row)), *(percent(count / sum(row) if sum(row) else None) for count in row))
    return table


def condition_table(result: dict):
    """One line a step of a condition, after one of the photos as they are."""
    def figures(step: dict) -> tuple:
        return (step["pixel_accuracy"], step["mean_iou"], *step["iou"].values(), step["boundary"]["mean_f"],
                step["left_right_confusion"])

    headings = ("accuracy", "mean IoU", *(name.replace("_", " ") for name in result["labels"]), "boundary F",
                "left/right confused", "side right")
    return _steps("under conditions, %: IoU of each class", headings, result, lambda step: [
        *map(percent, figures(step)), f"{step['feet']['right_side']}/{step['feet']['count']}"])


def photo_table(result: dict):
    """One line a photo, and the means."""
    table = new_table(f"{result['samples']} photos, % of pixels", ("photo",),
                      ("sheet or foot inside", "sheet outside", "foot", "most of it", "found", "is"))
    for row in result["per_sample"]:
        side = f"{row['majority']} {percent(row['majority_share'])}" if row["majority"] else "-"
        found = " and ".join(row["sides_found"]) or "-"
        table.add_row(row["name"], percent(row["inside_sheet_or_foot"]), percent(row["sheet_outside"]),
                      percent(row["inside_foot"]), side, found, row["feet"] or "-")
    table.add_section()
    table.add_row("mean", percent(result["inside_sheet_or_foot"]["mean"]), percent(result["sheet_outside"]["mean"]))
    table.add_row("worst", percent(result["inside_sheet_or_foot"]["min"]), percent(result["sheet_outside"]["max"]))
    return table


def photo_condition_table(result: dict):
    """One line a step of a condition, after one of the photos as they are."""
    headings = ("inside, mean", "least", "sheet outside, mean", "most", "side right", "by most pixels")
    return _steps("under conditions, % of pixels", headings, result, lambda step: [
        percent(step["inside_sheet_or_foot"]["mean"]), percent(step["inside_sheet_or_foot"]["min"]),
        percent(step["sheet_outside"]["mean"]), percent(step["sheet_outside"]["max"]),
        *(f"{step['sides'][key]}/{step['sides']['photos']}" for key in ("right", "majority_right"))])


def _steps(title: str, headings: tuple, result: dict, cells):
    """A table of what `cells` makes of the result and of each step of its conditions."""
    table, last = new_table(title, ("condition", "step"), headings), None
    for step in [{"name": "none"} | result, *result["conditions"]]:
        if step["name"] != last:
            table.add_section()
        last = step["name"]
        value = f"{step['value']:g} {step['unit']}" if "value" in step else ""
        table.add_row(step["name"].replace("_", " "), value, *cells(step))
    return table
