"""The model card of a bundle: what its networks are, how good they are and where that ends, as Markdown."""

from deploy.bundle import HEATMAPS, MANIFEST, maps_of, models_of
from deploy.parity import LIMITS

NOTES = "## Notes"  # heading of what the one who exported wrote; the card's last
CONDITIONS = "conditions"  # the part of an evaluation's figures that is told step by step
# What is true of any networks that foliopie measures with.
LIMITS_OF_ALL = (
    "One sheet of A4 or US Letter paper, flat on a floor of another colour. Paper of the same shape and another size, "
    "A5 or A3, is taken for A4.",
    "Feet that stand on the sheet, bare or in socks. What is higher than 80 mm over the sole, and any trouser, is "
    "background. A heel under a leg is estimated, and said to be.",
    "Intervals of lengths and widths hold for photos like those that they were set on.",
)
INT8_LIMIT = ("INT8 layers add up products of bytes; a CPU without VNNI does that in 16 bits, which can overflow, and "
              "may answer otherwise: run `foliopie deploy verify` there.")


def model_card(manifest, notes=""):
    """The model card, Markdown: what the networks are, what they were trained on, how well they do, how to use them.

    `notes` is Markdown of whoever exports (training story, limits) that goes in as it is.
    """
    lines = ["# Networks that find a sheet of paper and the feet on it", "",
             f"Made {manifest['created']} by `foliopie deploy export`. Every file's sha256 is in `{MANIFEST}`; "
             "`foliopie deploy verify FOLDER` holds the networks against the golden data.", ""]
    for model in models_of(manifest):
        lines += _card_of(model, manifest["models"][model])
    lines += ["## Limits", "", *(f"- {limit}" for limit in limits_of(manifest)), ""]
    lines += ["## Versions", "", *(f"- {name} {version}" for name, version in manifest["versions"].items()), ""]
    if notes:
        lines += [NOTES, "", notes.strip(), ""]
    return "\n".join(lines)


def notes_of(card):
    """The notes that a card, as model_card gives it, was made with."""
    return card.partition(f"\n{NOTES}\n")[2].strip()


def _card_of(model, described):
    inputs, outputs = described["input"], described["output"]
    lines = [f"## {model.capitalize()}", "",
             f"- {described['architecture']} for {described['task']}; {_files_in_words(described)}",
             f"- input `{inputs['name']}`: {inputs['dtype']} {inputs['colour']} {inputs['layout']} {inputs['shape']}, "
             f"0..255, " + (_crop_in_words(inputs) if model == "side" else f"photo fitted by {inputs['fit']}"),
             f"- mean {inputs['mean']} and std {inputs['std']} are applied inside",
             f"- output `{outputs['name']}`: {outputs['dtype']} {outputs['shape']}"]
    if model == "keypoints":
        lines += [f"- {HEATMAPS[maps_of(outputs)][1]}; decoded corners go {described['corner_order']}; stride "
                  f"{outputs['stride']}"]
        if "calibration" in described:
            lines += ["- " + _calibration_in_words(described["calibration"])]
    else:
        lines += [f"- classes in this order: {', '.join(described['labels'])}"]
    for title, figures in (("Trained on", described["trained_on"]), ("Accuracy", described["accuracy"])):
        lines += ["", f"### {title}", ""]
        lines += [f"- {key}: {value}" for key, value in flatten(without_conditions(figures))] or [
            "- not recorded with the run"]
    for data, figures in described["accuracy"].items():
        lines += _conditions_table(data, figures.get(CONDITIONS))
    return lines + [""]


def limits_of(manifest):
    """What the networks of a manifest are not good for, or is not known of them: list of lines."""
    limits = list(LIMITS_OF_ALL)
    precisions = {name for model in models_of(manifest) for name in manifest["models"][model]["variants"]}
    held = "; ".join(f"{name} {limit.corner_px:g} px of the network's input at a corner and "
                     f"{100 * (1 - limit.pixels):.2g} % of a mask's pixels"
                     for name, limit in LIMITS.items() if name in precisions)
    limits.append(f"Accuracy is that of the networks in their framework. From its answers to the golden photos these "
                  f"files may differ by up to: {held}.")
    limits += [INT8_LIMIT] if "int8" in precisions else []
    for model in models_of(manifest):
        described = manifest["models"][model]
        missing = [what for what, there in (
            ("what it was trained on", described["trained_on"]), ("its accuracy", described["accuracy"]),
            ("its accuracy by condition (darker, blurred, turned, ...)", _has_conditions(described))) if not there]
        limits += [f"Not known of {model}: {', '.join(missing)}."] if missing else []
    return limits


def without_conditions(figures):
    """Nested dicts of figures without those that are told step by step."""
    return {key: without_conditions(value) if isinstance(value, dict) else value
            for key, value in figures.items() if key != CONDITIONS}


def _has_conditions(described):
    return any(CONDITIONS in figures for figures in described["accuracy"].values())


def _conditions_table(data, told):
    """Lines on {"brightness, times": {"0.2": {"median": ...}, ...}, ...}; a table a figure, a row a condition."""
    lines = []
    steps = [figures for condition in (told or {}).values() for figures in condition.values()]
    for name in dict.fromkeys(key for figures in steps for key in figures):
        lines += ["", f"{data}, by condition: {name}", "", "| condition | step: figure |", "| --- | --- |"]
        for condition, by_step in told.items():
            cells = [f"{step}: {figures[name]:.3g}" for step, figures in by_step.items()
                     if figures.get(name) is not None]
            lines.append(f"| {condition} | {', '.join(cells)} |")
    return lines


def _files_in_words(described):
    """What the card calls the files of a network, from its manifest entry."""
    return ", ".join(f"`{variant['xml']['file']}`" for variant in described["variants"].values())


def _calibration_in_words(told):
    return (f"calibrated on {told['corners']} corners: a corner's confidence is the probability that it is in the "
            f"photo and, before sharpening, less than {told['limit_percent']:g} % of the diagonal off")


def _crop_in_words(inputs):
    return (f"one foot cut out by `scenes.crops.{inputs['fit']}`: {inputs['span_mm']:g} mm of the sheet's plane seen "
            "from above, the foot's longest axis upright, toes at either end, never mirrored")


def flatten(figures, prefix=""):
    """Nested dicts as a list of ("a / b", text), floats with four digits."""
    rows = []
    for key, value in figures.items():
        if isinstance(value, dict):
            rows += flatten(value, f"{prefix}{key} / ")
        else:
            rows.append((f"{prefix}{key}", f"{value:.4g}" if isinstance(value, float) else str(value)))
    return rows
