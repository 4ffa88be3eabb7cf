"""The tables, the figure and the verdict of figure57: everything that is written for readers of what it found."""

import numpy as np

from deploy.tables import markdown_table, number
from experiments.displacement import DESTROYED, NOTHING, OUTLINES, UNSEEN_SHARE, Move, is_seen
from experiments.displacement_causes import CAUSES
from experiments.documents import page
from scenes.labels import LEFT_FOOT, NAMES, RIGHT_FOOT, SHEET

TITLE = "What can displace a segmentation in ONNX (figure 57)"
LIBRARIES = ("numpy", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "openvino")
HEADINGS = ["cause", "shift in the middle, px", "at the first pixel", "at the last", "sheet", "left foot",
            "right foot", "pixels changed, %", "IoU with native", "mended by moving back, %", "what it looks like",
            "parity"]  # fmt: skip
TEXTS = (0, 10, 11)
# Okabe and Ito's blue and vermilion, and pale fills that differ in lightness.
NATIVE, WRONG = "#0072B2", "#D55E00"
FILLS = {SHEET: "#ECECEC", LEFT_FOOT: "#C9DDEB", RIGHT_FOOT: "#F3D9C4"}
COLUMNS = 4
PANEL_INCHES = 2.3
CAPTION = (
    "One photo's mask by the framework itself (filled pale: sheet grey, left foot blue, right foot orange; solid blue "
    "outline) and, dashed in vermilion, by the same network with one fault each. Numbers: how far this mask moved in "
    "the middle and, where these differ, at the first and the last pixel; x, y in pixels of the input."
)


def cells(network):
    """Lines of a network's table: list of lists of str, in the order of HEADINGS."""
    lines = [_line(f"**ours**, {name}", found) for name, found in network["ours"].items()]
    for name, cause in CAUSES.items():
        found = network["causes"][name]
        if "not_there" in found:
            lines.append([cause.text, *["-"] * 9, f"cannot arise: {found['not_there']}", "-"])
        else:
            lines.append(_line(cause.text, found))
    return lines


def brief(network):
    """What the console shows of a network: (headings, cells), without the columns that need room."""
    kept = (0, 1, 7, 8, 10, 11)
    return [HEADINGS[place] for place in kept], [[line[place] for place in kept] for line in cells(network)]


def _line(text, found):
    classes = [found["classes"][name] for name in NAMES if name in found["classes"]]
    told = found["kind"] != DESTROYED
    places = [_pair(found[place]) if told else "-" for place in ("shift", "first", "last")]
    places += [_pair(one["shift"]) if told and one else "-" for one in classes]
    mended = found["explained"] if found["kind"] not in (NOTHING, OUTLINES) else None
    return [text, *places, number(100 * found["changed"]), number(found["mean_iou"], ".3f"),
            number(None if mended is None else 100 * mended, ".0f"), found["kind"],
            "passes" if found["parity"] else "fails"]


def _pair(values):
    # Adding zero makes -0.0 a plain 0.
    return ", ".join(f"{round(value, 1) + 0.0:.1f}" for value in values)


def verdict(document):
    """Which cause looks like the thesis's figure, as far as its text tells: dict for JSON.

    "candidates": names of the causes that displace some network's masks so that it is seen, and leave them whole;
    "others": {name: what it does} of the rest; "text". Its text says that outputs came out displaced, not which way nor
    how far: one candidate would be named, of several nothing can be told.
    """
    candidates, others = [], {}
    for name in CAUSES:
        seen, kinds = False, []
        for network in document["networks"].values():
            found = network["causes"][name]
            if "not_there" not in found:
                kinds.append(found["kind"])
                seen = seen or is_seen(found, min(network["input"]))
        if seen:
            candidates.append(name)
        else:
            others[name] = sorted(set(kinds)) or ["cannot arise"]
    told = f"it looks like one: {CAUSES[candidates[0]].text}" if len(candidates) == 1 else "cannot be told"
    return {"candidates": candidates, "others": others, "text": told}


def markdown(document):
    """README.md."""
    labels = list(document["networks"])
    explanation = (
        "The thesis's PSPNet came out of ONNX with displaced masks (its figure 57), and the thesis does not say why. "
        "Here each cause that could do it was put into a right conversion on purpose, alone, and the masks were held "
        "against those of the framework itself (Keras), on sample photos of the project. The first network has the "
        "thesis's form, small: four convolutions of stride 2 with `SAME` padding, pools 1-2-3-6, bilinear resizing to "
        "the input's size. What decides displacements, sizes, paddings and resizings, is as in the whole one; it was "
        "taught these photos in a minute, so that its masks mean something."
    )
    table = []
    for label, network in document["networks"].items():
        table += [f"## {label}", "", *markdown_table(HEADINGS, cells(network), TEXTS), ""]
    return page(document, TITLE, explanation, [*table[:-1], "", *_verdict_lines(document)], NOTES,
                f"{len(document['configuration']['photos_sha256'])} photos, {len(labels)} networks")


NOTES = [
    "Shifts are x, y in pixels of the input, to the right and down, medians over the photos; the move of a photo is a "
    "shift and a stretch fitted to all classes' probabilities together, sub-pixel, and for each class a shift of its "
    "own, which is that at its own place. *Mended by moving back*: of the pixels that changed class, those that are "
    "right again once the mask is moved back; the rest is what the network makes of features that no longer lie where "
    f"it learnt them. Displacements below {UNSEEN_SHARE:.0%} of the input's shorter side count as not seen at a "
    "glance. *Parity* is the check of `foliopie deploy verify` at FP32.",
    "By hand: a resizing from h to H pixels that maps `asymmetric` in place of half-pixel moves what it makes by "
    "(H/h - 1)/2 pixels to the left and up, 7.4 from 30 to 473; `align_corners` moves the first and the last pixel so "
    "far apart, and nothing in the middle. Padding of stride 2 at the beginning in place of the end moves by half of "
    "what a pixel behind it spans, for every layer whose input has an even side. From 473 pixels these sides are 473, "
    "237, 119 and 60: three are odd and are padded alike on both sides in any case, and the fourth makes 8 pixels. "
    "Where all resizings share a rule the pyramid's levels move too, which is why what is measured there is not quite "
    "what the last resizing alone does.",
    "*Nearest* rows with `floor` and `ceil` are held against the same network with pixels rounded to the nearest, and "
    "`align_corners` lost against a network that has it: what is right there is a network that was built so.",
    "tf2onnx 1.17, asked for opset 9 or 10, refuses a half-pixel resizing; at opset 8 it writes an `Upsample` without "
    "a word, and both ONNX Runtime and OpenVINO compute it `asymmetric`. From opset 11 on it writes float scales; the "
    "file then declares 472 pixels where 473 come out in both runtimes. `deploy.convert` writes sizes instead.",
    f"Figure: {CAPTION}",
]


def _verdict_lines(document):
    found = document["verdict"]
    lines = ["## Which one it was", "",
             f"**{found['text'][0].upper()}{found['text'][1:]}.** All that the thesis's text says is that the outputs "
             "of the segmentation model appeared displaced, and that those of SimplePose were satisfying. Direction, "
             "size, converter and opset are not in it. What displaces masks so that it is seen, and leaves them whole:",
             ""]
    lines += [f"- {CAUSES[name].text}" for name in found["candidates"]]
    harmless = [name for name, kinds in found["others"].items() if set(kinds) <= {NOTHING, OUTLINES, "cannot arise"}]
    broken = [name for name, kinds in found["others"].items() if DESTROYED in kinds]
    rest = [name for name in found["others"] if name not in (*harmless, *broken)]
    for text, names in (("Displaces nothing", harmless), ("Leaves no mask that one would call displaced", broken),
                        ("Displaces by too little to be seen", rest)):
        if names:
            lines += ["", f"{text}: {'; '.join(CAUSES[name].text for name in names)}."]
    lines += ["", "Only the `Upsample` came about without a wrong rule being asked for. That SimplePose was right "
                  "excludes nothing that is about resizing or `SAME` padding: it has neither."]
    return lines


def figure(document, rgb, masks):
    """A panel a cause, of the first network: its outlines beside the framework's own.

    rgb: uint8 (H, W, 3), the photo at the input's size. masks: {name of cause or "native": class ids (H, W)}.
    """
    from matplotlib.figure import Figure

    network = next(iter(document["networks"].values()))
    names = [name for name in CAUSES if name in masks]
    rows = -(-(len(names) + 1) // COLUMNS)
    drawn = Figure(figsize=(COLUMNS * PANEL_INCHES, rows * (PANEL_INCHES + 0.5) + 0.6), layout="constrained")
    panels = drawn.subplots(rows, COLUMNS, squeeze=False).ravel()
    for panel in panels:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_color("#CCCCCC")
    for panel in panels[len(names) + 1 :]:
        panel.set_axis_off()
    panels[0].imshow(_posterised(rgb), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    _outline(panels[0], masks["native"], NATIVE, "solid")
    panels[0].set_title(f"the photo; ours: {_told(network['ours']['ONNX Runtime'])}", fontsize=7)
    for panel, name in zip(panels[1:], names, strict=False):
        found = network["causes"][name]
        right = masks[CAUSES[name].reference or "native"]
        panel.imshow(_filled(right), interpolation="nearest")
        _outline(panel, right, NATIVE, "solid")
        _outline(panel, masks[name], WRONG, "dashed")
        panel.set_title(f"{_folded(CAUSES[name].text)}\n{_told(found)}", fontsize=6.5)
    drawn.suptitle(_folded(CAPTION, 135), fontsize=7.5)
    return drawn


def _told(found):
    """What became of the first photo."""
    if found["kind"] in (NOTHING, OUTLINES, DESTROYED):
        return found["kind"]
    move = Move(**found["moves"][0])
    if max(abs(move.growth_x), abs(move.growth_y)) < 0.5:
        return _pair(move.at(0, 0))
    return f"{_pair(move.at(0, 0))} ({_pair(move.first)} to {_pair(move.last)})"


def _folded(text, width=44):
    import textwrap

    return "\n".join(textwrap.wrap(text.replace("`", ""), width))


def _posterised(rgb):
    """A photo in a few greys, light, so that lines are seen on it and the file stays small: uint8 (H, W)."""
    import cv2

    grey = cv2.medianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 5)
    return (grey // 32 * 32 * 0.6 + 100).astype(np.uint8)


def _filled(mask):
    """Class ids as pale colours: uint8 (H, W, 3)."""
    from matplotlib.colors import to_rgb

    picture = np.full((*mask.shape, 3), 255, np.uint8)
    for label, colour in FILLS.items():
        picture[mask == label] = np.round(255 * np.array(to_rgb(colour)))
    return picture


def _outline(panel, mask, colour, style):
    for label in (SHEET, LEFT_FOOT, RIGHT_FOOT):
        there = (mask == label).astype(float)
        if 0 < there.mean() < 1:
            panel.contour(there, levels=[0.5], colors=[colour], linewidths=0.9, linestyles=[style],
                          antialiased=False)  # the file is a third
