"""What segmentation-speed found, for readers: tables, notes and a figure."""

import numpy as np

from deploy.tables import markdown_table, number
from experiments.documents import page
from experiments.rounds import RATE_HEADINGS, RATIO_HEADINGS, draw_rates, rate_cells
from experiments.segmentation_accuracy import KERAS
from experiments.segmentation_timing import BUNDLE, HINTS

TITLE = "How fast the segmentation networks are, what accuracy that costs, and where the time goes"
LIBRARIES = ("numpy", "tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime", "openvino", "nncf")
HEADINGS = ["network", "runtime", *RATE_HEADINGS, "ms, median", *RATIO_HEADINGS, "same pixels as Keras", "mean IoU",
            "points lost", "photos: sheet or foot inside"]  # fmt: skip
LAYER_HEADINGS = ["layer", "type", "kernel", "output", "ms", "share"]
COLOURS = {"OpenVINO FP32": "#0072B2", "OpenVINO BF16": "#009E73", "OpenVINO INT8": "#D55E00"}
MARKERS = "os^Dv*"


def milliseconds(told):
    """Median milliseconds an image of one runtime's figures."""
    return 1000 / float(np.median(told["images_per_second"]))


def cells(document):
    """Lines of the table of HEADINGS: list of lists of str. Keras has a line for its accuracy alone where there is
    any that was not timed."""
    lines = []
    for label, runtimes in document["timed"].items():
        judged = document["accuracy"].get(label, {}).get("precisions", {})
        if KERAS in judged:
            lines.append([label, KERAS, *["-"] * 6, *accuracy_cells(judged[KERAS])])
        for name, told in runtimes.items():
            rates, same = rate_cells(told), told["same_pixels"]
            lines.append([label, name, *rates[:2], number(milliseconds(told), ".1f"), *rates[2:],
                          "-" if None in same else f"{100 * np.median(same):.2f} %",
                          *accuracy_cells(judged.get(name))])
    return lines


def accuracy_cells(found):
    """Cells of the last three of HEADINGS of one precision, or of None."""
    if not found:
        return ["-"] * 3
    share = found.get("photos", {}).get("mean")
    return [number(found["mean_iou"], ".4f"), number(found["points_lost"]), number(share, ".3f")]


def layer_table(profile):
    """Lines of Markdown of what experiments.layer_profile found."""
    return markdown_table(LAYER_HEADINGS, [
        [f"`{layer['name']}`", layer["type"], layer["kernel"], " x ".join(map(str, layer["shape"] or "-")),
         number(layer["milliseconds"], ".3f"), f"{100 * layer['share']:.1f} %"] for layer in profile["most"]],
        texts=(0, 1, 2, 3))  # fmt: skip


def markdown(document):
    """README.md."""
    configuration = document["configuration"]
    threads = configuration["threads"]
    explanation = (f"One photo at a time from its pixels at the network's size to the probabilities of every pixel, on "
                   f"{configuration['processor']} with {threads} thread{'s' * (threads > 1)}; and mean IoU at the "
                   f"photos' own size on `{configuration['dataset']}`.")
    table = markdown_table(HEADINGS, cells(document), texts=(0, 1))
    for label, profile in document["profiles"].items():
        table += ["", f"Where the time goes: {label}, INT8, {profile['milliseconds']:.2f} ms in {profile['layers']} "
                      "layers, the most expensive:", "", *layer_table(profile)]
    return page(document, TITLE, explanation, table, notes(document))


def notes(document):
    """Paragraphs below the tables: list of str."""
    configuration, timed = document["configuration"], document["timed"]
    versions = ", ".join(f"{name} {document['machine'][name]}" for name in LIBRARIES if document["machine"][name])
    random = [label for label in timed if label.rpartition(" ")[0] not in (*configuration["runs"], BUNDLE)]
    told = [f"Medians of {configuration['rounds']} rounds, each of which timed all of them, one process after another: "
            f"{configuration['photos']} photos {configuration['repeats']} times. Times as fast: as the frozen graph of "
            f"{next(iter(timed))} in the same round. The frozen graph takes the photo as it is and normalises inside, "
            "and so do OpenVINO's files; for Keras, which is called layer by layer, and ONNX Runtime it is done in "
            "NumPy, and counted.",
            f"INT8: quantised on {configuration['calibration']} of the dataset's photos, training ones where it has "
            "any, else such as are judged; the last convolution stays in floats, which are FP32 whatever the processor "
            "has. Same pixels as Keras: share of the pixels of two photos with the class that the same network has in "
            "Keras; random weights leave classes nearly even, so that it tells only that nothing is mistaken there."]
    if random:
        told.append(f"Random weights: {', '.join(random)}. They are there for their time alone.")
    splits = {f"{found['samples']} photos of split {found['split']}" for found in document["accuracy"].values()}
    if splits:
        told.append(f"Mean IoU: of {' and '.join(sorted(splits))}, all their pixels in one matrix. Points lost: "
                    "hundredths of mean IoU less than the same weights at the same size in Keras.")
    if configuration["photos_sha256"]:
        told.append("Photos: share of the pixels within the annotated corners that are called sheet or foot, mean of "
                    "the photos. A leg above the sheet is background by the definition of the classes, so that 1 "
                    "cannot always be reached, and what is wrongly called sheet outside is not seen.")
    if document["profiles"]:
        told.append("Layers: OpenVINO's own profile (PERF_COUNT); the kernel's name ends in what it computes in. "
                    "Layers that were fused into others count there.")
    if "BF16" not in document.get("processor_can", ["BF16"]):
        told.append("This processor has no BF16: OpenVINO computed those rows in FP32.")
    return [*told, f"Python {document['machine']['python']}, {versions}."]


def figure(document):
    """Images a second: the median as a bar, each round as a point; beside it, where there is any, accuracy against
    milliseconds: a line for each run and precision over its sizes."""
    from matplotlib.figure import Figure

    rates = {f"{label}, {name}": told for label, runtimes in document["timed"].items()
             for name, told in runtimes.items()}
    kinds = [kind for kind in ("mean_iou", "photos") if curves(document, kind)]
    drawn = Figure(figsize=(8, 1.4 + 0.3 * len(rates) + 3.2 * len(kinds)), layout="constrained")
    panels = drawn.subplots(1 + len(kinds), 1, squeeze=False,
                            height_ratios=[1.4 + 0.3 * len(rates), *[3.2] * len(kinds)])[:, 0]
    draw_rates(panels[0], rates)
    panels[0].margins(y=0.01)
    for panel, kind in zip(panels[1:], kinds, strict=True):
        draw_curves(panel, curves(document, kind))
        panel.set_ylabel("mean IoU" if kind == "mean_iou" else "sheet or foot inside\nthe corners of photos")
    return drawn


def curves(document, kind):
    """{(run or bundle, runtime): [(milliseconds, accuracy, size), ...]}, fastest first. kind: "mean_iou", "photos"."""
    found = {}
    for label, judged in document["accuracy"].items():
        name, _, size = label.rpartition(" ")
        for runtime in HINTS:
            told = document["timed"].get(label, {}).get(runtime)
            one = judged["precisions"].get(runtime, {})
            value = one.get("photos", {}).get("mean") if kind == "photos" else one.get("mean_iou")
            if told and value is not None:
                found.setdefault((name, runtime), []).append((milliseconds(told), value, size))
    return {key: sorted(points) for key, points in found.items()}


def draw_curves(panel, found):
    """Draw `curves` into matplotlib Axes."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    names = list(dict.fromkeys(name for name, _ in found))
    for (name, runtime), points in found.items():
        times, values, sizes = zip(*points, strict=True)
        panel.plot(times, values, f"-{MARKERS[names.index(name) % len(MARKERS)]}", color=COLOURS[runtime],
                   label=f"{name}, {runtime}")
        for place in range(len(points)):
            panel.annotate(sizes[place], (times[place], values[place]), fontsize=6, xytext=(3, 3),
                           textcoords="offset points")
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel("milliseconds an image")
    panel.legend(fontsize=7)
    panel.spines[["top", "right"]].set_visible(False)
