"""What trainings of the thesis came to, drawn: curves, confusion matrices, masks, heatmaps, and figures beside those
that were published.

`cases` is {label: list of what `experiments.thesis.case.read_case` gives, one a seed}; a label without any is left out.
Each function gives a matplotlib Figure and raises ValueError where there is nothing to draw. No pyplot, and matplotlib
is imported where it is used, as in `scenes.preparation.figures`.
"""

import math
import textwrap
from dataclasses import dataclass

import cv2
import numpy as np

from experiments.thesis.case import PICTURES, from_png_text
from scenes.dataset import Sample, known_corners, read_dataset, read_mask
from scenes.images import read_photo
from scenes.labels import NAMES, PALETTE

# Okabe and Ito's colours, which can be told apart whatever one's colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.")  # what tells lines apart when the colours begin again
OURS, PUBLISHED = "#0072B2", "#999999"
TRAINED, HELD_OUT = "#0072B2", "#D55E00"
WRONG = "#D6006E"  # no class has it
TRUE_CORNER, HEAT, SAID_CORNER = "#D55E00", "#E69F00", "#56B4E9"
INK = "#222222"
WIDTH = 9.0  # inches; a page shows it 900 pixels wide, so that text of 10 points is 14 pixels high
COLUMNS = 3  # of panels that are as wide as they are high
COVERED, SEEN = 1, 2


# Curves


def learning_curves(cases, key, ylabel):
    """A value of the history against the epoch: thin a line for each seed, thick their mean, where all have it.

    key: of "history". ylabel: what it is, with its unit.
    """
    lines = {label: _lines(documents, key) for label, documents in _with_cases(cases).items()}
    lines = {label: drawn for label, drawn in lines.items() if drawn}
    if not lines:
        raise ValueError(f"no training tells {key} in its history")
    figure = _figure(4.2)
    panel = figure.subplots()
    ends = {}
    for place, (label, drawn) in enumerate(lines.items()):
        colour, style = COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]
        middle = _draw_lines(panel, drawn, colour, style)
        ends[label] = (middle, colour)
    _epochs(panel)
    panel.set_ylabel(ylabel)
    _label_ends(panel, ends)
    return figure


def losses(cases):
    """Loss on the training and on the validation scenes against the epoch, logarithmic, a panel for each label."""
    cases = _with_cases(cases)
    figure, panels = _panels(len(cases), 2.7, sharey=True)
    for panel, (label, documents) in zip(panels, cases.items(), strict=True):
        for key, name, colour, style in (("train_loss", "training", TRAINED, "-"),
                                         ("validation_loss", "validation", HELD_OUT, "--")):
            drawn = _lines(documents, key)
            if drawn:
                # On a logarithmic axis there is no zero.
                drawn = [(epochs, np.where(values > 0, values, np.nan)) for epochs, values in drawn]
                _draw_lines(panel, drawn, colour, style, name)
        panel.set_yscale("log")
        panel.set_title(_wrapped(label, 34), fontsize=10)
        _epochs(panel)
    for panel in panels[::COLUMNS]:
        panel.set_ylabel("loss")
    _shared_legend(figure, panels)
    return figure


def _lines(documents, key):
    """[(epochs, values)] of each seed whose history has any: arrays of one length, NaN where a value is missing."""
    found = []
    for document in documents:
        epochs = np.array([line["epoch"] for line in document["history"]])
        values = np.array([line.get(key) for line in document["history"]], float)
        if np.isfinite(values).any():
            found.append((epochs, values))
    return found


def _mean(lines):
    """(epochs, mean over the lines) at the epochs that all of them tell."""
    told = [{int(epoch): value for epoch, value in zip(*line, strict=True) if np.isfinite(value)} for line in lines]
    epochs = sorted(set.intersection(*map(set, told)))
    return np.array(epochs), np.array([np.mean([line[epoch] for line in told]) for epoch in epochs])


def _draw_lines(panel, lines, colour, style, label=None):
    """Draw lines thin and their mean thick; gives the mean."""
    if len(lines) > 1:
        for epochs, values in lines:
            panel.plot(epochs, values, color=colour, linestyle=style, linewidth=0.8, alpha=0.45)
    middle = _mean(lines)
    panel.plot(*middle, color=colour, linestyle=style, linewidth=2.4, marker="o", markersize=3, label=label)
    return middle


def _epochs(panel):
    from matplotlib.ticker import MaxNLocator

    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("epoch")
    _bare(panel)


def _label_ends(panel, ends):
    """Write each line's label behind its end; labels are pushed apart until none covers another.

    ends: {label: ((epochs, values), colour)}.
    """
    panel.autoscale_view()
    panel.set_xlim(panel.get_xlim())
    low, high = panel.get_ylim()
    panel.set_ylim(low, high)
    ends = {label: end for label, end in ends.items() if len(end[0][0])}
    texts = {label: _wrapped(label, 30) for label in ends}
    wanted = [(ends[label][0][1][-1] - low) / (high - low) for label in ends]
    heights = [0.025 + 0.045 * (text.count("\n") + 1) for text in texts.values()]
    for (label, ((epochs, values), colour)), place in zip(ends.items(), _apart(wanted, heights), strict=True):
        panel.annotate(texts[label], (epochs[-1], values[-1]), xytext=(1.06, place), textcoords="axes fraction",
                       va="center", fontsize=9, color=INK, annotation_clip=False,
                       arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.2, "relpos": (0, 0.5),
                                   "shrinkA": 3, "shrinkB": 3})


def _apart(wanted, heights):
    """Places between 0 and 1, as near to `wanted` as they can be while things of these heights do not overlap: list, in
    the order of `wanted`."""
    blocks = []  # of things that touch, from below: (feet wanted by each of them for the block, members, height)
    for member in np.argsort(wanted, kind="stable"):
        blocks.append(([wanted[member] - heights[member] / 2], [member], heights[member]))
        while len(blocks) > 1 and _foot(blocks[-2]) + blocks[-2][2] > _foot(blocks[-1]):
            feet, members, height = blocks.pop()
            below = blocks.pop()
            blocks.append((below[0] + [foot - below[2] for foot in feet], below[1] + members, below[2] + height))
    places = [0.0] * len(wanted)
    for block in blocks:
        foot = _foot(block)
        for member in block[1]:
            places[member] = foot + heights[member] / 2
            foot += heights[member]
    return places


def _foot(block):
    """Where a block of `_apart` begins: in the middle of what its members want, within 0 and 1 if it fits there."""
    feet, _, height = block
    return max(0.0, min(float(np.mean(feet)), 1 - height))


# Confusion


def confusion(cases):
    """Of each true class's pixels, how many percent were called which: a panel for each label, seeds summed."""
    cases = _with_cases(cases)
    names = [name.replace("_", " ") for name in NAMES]
    figure, panels = _panels(len(cases), 3.1)
    for place, (panel, (label, documents)) in enumerate(zip(panels, cases.items(), strict=True)):
        percent = confusion_percent([document["validation"]["confusion_matrix"] for document in documents])
        image = panel.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(percent):
            panel.text(column, row, f"{value:.1f}" if np.isfinite(value) else "-", ha="center", va="center", fontsize=9,
                       color="white" if value > 55 else INK)
        panel.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor", fontsize=9)
        panel.set_yticks(range(len(names)), names if place % COLUMNS == 0 else [], fontsize=9)
        panel.set_title(_wrapped(label, 30), fontsize=10)
        panel.set_xlabel("predicted class")
        if place % COLUMNS == 0:
            panel.set_ylabel("true class")
    figure.colorbar(image, ax=panels, shrink=0.75, aspect=30, label="% of the true class's pixels")
    return figure


def confusion_percent(matrices):
    """float (C, C), row = true class: percent of a true class's pixels, over confusion matrices int (C, C) of pixels;
    NaN in the row of a class that has none."""
    total = np.sum(np.asarray(matrices, float), axis=0)
    count = total.sum(axis=1, keepdims=True)
    return np.divide(100 * total, count, out=np.full_like(total, np.nan), where=count > 0)


# Pictures


@dataclass(frozen=True)
class Scene:
    """One of the report's scenes. sample: scenes.dataset.Sample. rgb: uint8 (H, W, 3). truth: class ids (H, W)."""

    sample: Sample
    rgb: np.ndarray
    truth: np.ndarray


def masks(cases, scenes=None, limit=4):
    """Scenes from above to below: the photo, the true classes, and those that each label's first seed predicts.

    scenes: names of scenes of experiments/pictures, in order; None: the first `limit`.
    """
    cases, shown = _with_cases(cases), _scenes(scenes, limit)
    figure, grid = _grid(shown, ["photo", "truth", *cases])
    for row, scene in zip(grid, shown, strict=True):
        row[0].imshow(scene.rgb)
        row[1].imshow(PALETTE[scene.truth], interpolation="nearest")
        for panel, documents in zip(row[2:], cases.values(), strict=True):
            said = predicted_mask(documents[0], scene)
            _picture(panel, scene, None if said is None else PALETTE[said])
    _class_legend(figure)
    return figure


def error_maps(cases, scenes=None, limit=4):
    """As `masks`, but what each label predicts is shown as the photo in grey with the wrong pixels marked; under it
    stands how many percent of the pixels those are."""
    from matplotlib.patches import Patch

    cases, shown = _with_cases(cases), _scenes(scenes, limit)
    figure, grid = _grid(shown, ["photo", "truth", *cases], under=0.24)
    for row, scene in zip(grid, shown, strict=True):
        row[0].imshow(scene.rgb)
        row[1].imshow(PALETTE[scene.truth], interpolation="nearest")
        for panel, documents in zip(row[2:], cases.values(), strict=True):
            said = predicted_mask(documents[0], scene)
            if said is None:
                _picture(panel, scene, None)
            else:
                wrong = said != scene.truth
                _picture(panel, scene, marked_errors(scene.rgb, wrong))
                panel.set_xlabel(f"{100 * wrong.mean():.1f} % wrong", fontsize=9, labelpad=3)
    _class_legend(figure, [Patch(facecolor=WRONG, edgecolor="#555555", label="wrong class (right-hand columns)")])
    return figure


def corners(cases, scenes=None, limit=4):
    """Scenes from above to below: the photo with the true corners, and for each label's first seed the photo darkened,
    its heatmaps over it where it has any, and its corners, joined. scenes, limit: as in `masks`."""
    cases, shown = _with_cases(cases), _scenes(scenes, limit)
    figure, grid = _grid(shown, ["photo, true corners", *cases])
    for row, scene in zip(grid, shown, strict=True):
        row[0].imshow(scene.rgb)
        _draw_true_corners(row[0], scene)
        for panel, documents in zip(row[1:], cases.values(), strict=True):
            said = documents[0]["pictures"].get(scene.sample.name)
            if said is None:
                _picture(panel, scene, None)
                continue
            heat = from_png_text(said["heatmap"]) if said.get("heatmap") else None
            _picture(panel, scene, heated(scene.rgb, heat))
            _draw_said_corners(panel, scene, said["corners"])
    _corner_legend(figure)
    return figure


def predicted_mask(document, scene):
    """Class ids uint8 (H, W) at the size of a Scene's photo that a case predicts, or None. The network saw the photo
    stretched to its input."""
    text = document["pictures"].get(scene.sample.name)
    if text is None:
        return None
    return cv2.resize(from_png_text(text), scene.rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def marked_errors(rgb, wrong):
    """uint8 (H, W, 3): a photo of that shape in light grey, pixels of the bool (H, W) in the colour WRONG."""
    grey = 90 + 0.6 * rgb.astype(float).mean(axis=2, keepdims=True)
    return np.where(wrong[..., None], _rgb(WRONG), np.broadcast_to(grey, rgb.shape)).astype(np.uint8)


def heated(rgb, heat):
    """uint8 (H, W, 3): a photo of that shape in dark grey, and over it a heatmap uint8 (h, w), 255 a peak, in the
    colour HEAT; None: without one."""
    dark = np.broadcast_to(0.42 * rgb.astype(float).mean(axis=2, keepdims=True), rgb.shape)
    if heat is None:
        return dark.astype(np.uint8)
    share = cv2.resize(heat.astype(float), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None] / 255
    return (dark * (1 - share) + _rgb(HEAT) * share).astype(np.uint8)


def _scenes(names, limit):
    samples = read_dataset(PICTURES)
    if names is None:
        chosen = samples[:limit]
    else:
        by_name = {sample.name: sample for sample in samples}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such scene; there are {', '.join(sorted(by_name))}")
        chosen = [by_name[name] for name in names]
    return [Scene(sample, read_photo(sample.image_path).rgb, read_mask(sample.mask_path)) for sample in chosen]


def _grid(scenes, headings, under=0.0):
    """(Figure, panels (rows, columns)) for pictures: a row is as high as its photo; headings over the first row.
    under: inches below each picture."""
    across = WIDTH / len(headings)
    heights = [across * scene.rgb.shape[0] / scene.rgb.shape[1] + under for scene in scenes]
    # As wide as on the page, yet not higher than a page: fewer columns are drawn smaller, in the middle.
    shrunk = min(1.0, 11.0 / sum(heights), 2.1 / across)
    figure = _figure(sum(heights) * shrunk + 0.9, WIDTH * shrunk)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(len(scenes), len(headings), squeeze=False, height_ratios=heights)
    for panel in grid.flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    for panel, heading in zip(grid[0], headings, strict=True):
        panel.set_title(_wrapped(heading, max(9, int(12 * across * shrunk))), fontsize=9)
    return figure, grid


def _picture(panel, scene, rgb):
    """Show an RGB picture of a Scene's size; where there is none, say so in a frame of that size."""
    if rgb is not None:
        panel.imshow(rgb, interpolation="nearest")
        return
    height, width = scene.rgb.shape[:2]
    panel.imshow(np.full((height, width, 3), 240, np.uint8))
    panel.text(width / 2, height / 2, "not\npredicted", ha="center", va="center", fontsize=9, color=INK)


def _draw_true_corners(panel, scene):
    """Corners seen as discs, covered ones as rings."""
    known = known_corners(scene.sample.corners)
    seen = scene.sample.corners[known & (scene.sample.visibility == SEEN)].T
    covered = scene.sample.corners[known & (scene.sample.visibility == COVERED)].T
    panel.scatter(*seen, s=42, facecolors=TRUE_CORNER, edgecolors="white", linewidths=1.0)
    # On skin and cloth a ring alone is hardly seen.
    panel.scatter(*covered, s=62, facecolors="none", edgecolors="white", linewidths=3.6)
    panel.scatter(*covered, s=62, facecolors="none", edgecolors=TRUE_CORNER, linewidths=2.0)
    _keep_to(panel, scene.rgb)


def _draw_said_corners(panel, scene, points):
    """points: [[x, y] * 4], pixels of the photo, None where one is not known. True ones are small dots."""
    true = scene.sample.corners[known_corners(scene.sample.corners) & (scene.sample.visibility > 0)]
    panel.scatter(*true.T, s=16, facecolors=TRUE_CORNER, edgecolors="white", linewidths=0.6, zorder=2.5)
    points = np.array(points, float).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points):
        panel.plot(*np.vstack([points, points[:1]]).T, color=SAID_CORNER, linewidth=1.3)
        panel.scatter(*points.T, marker="x", s=44, color="white", linewidths=1.8, zorder=3)
    _keep_to(panel, scene.rgb)


def _keep_to(panel, picture):
    """What lies outside a picture (H, W, 3) is not drawn."""
    panel.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))


def _class_legend(figure, more=()):
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=colour / 255, edgecolor="#555555", label=name.replace("_", " "))
               for name, colour in zip(NAMES, PALETTE, strict=True)]
    _legend_below(figure, [*patches, *more])


def _corner_legend(figure):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    _legend_below(figure, [
        Line2D([], [], linestyle="none", marker="o", color=TRUE_CORNER, label="true corner"),
        Line2D([], [], linestyle="none", marker="o", markerfacecolor="none", color=TRUE_CORNER, markeredgewidth=2,
               markersize=8, label="covered (to the left)"),
        Line2D([], [], color=SAID_CORNER, marker="x", markeredgecolor=INK, label="predicted corners"),
        Patch(facecolor=HEAT, label="heatmap")])


def _legend_below(figure, handles):
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, frameon=False,
                  handlelength=1.4, columnspacing=1.4)


# Values


def bars(values, xlabel, published=None):
    """Horizontal bars, the first at the top, with their values: ours, and in grey under it what was published.

    values, published: {label: number or None}; a label that one of them lacks has no bar of it. xlabel: with unit.
    """
    published = published or {}
    labels = list(dict.fromkeys([*values, *published]))
    if not labels:
        raise ValueError("there are no values to draw")
    both = any(value is not None for value in published.values())
    figure = _figure(0.9 + len(labels) * (0.62 if both else 0.4))
    panel = figure.subplots()
    thick = 0.36 if both else 0.62
    form = _form([value for value in (*values.values(), *published.values()) if value is not None])
    for told, shift, colour, name in ((values, -thick / 2 if both else 0, OURS, "here"),
                                      (published, thick / 2, PUBLISHED, "thesis")):
        drawn = [(place + shift, told[label]) for place, label in enumerate(labels) if told.get(label) is not None]
        if drawn:
            container = panel.barh(*zip(*drawn, strict=True), height=thick, color=colour, label=name)
            panel.bar_label(container, [form(value) for _, value in drawn], padding=4, fontsize=9, color=INK)
    panel.set_yticks(range(len(labels)), [_wrapped(label, 34) for label in labels])
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.set_xlabel(xlabel)
    _bare(panel, "x")
    panel.spines["left"].set_visible(True)
    if both:
        _legend_below(figure, panel.get_legend_handles_labels()[0])
    return figure


def published_beside(rows, xlabel):
    """For each label what was published, a hollow grey dot, and what came out here: a dot at the mean, a small one
    for each seed, and an interval where there is one. Two panels, the thesis's to the left, where the ranges are so far
    apart that one axis would press one of them flat.

    rows: dicts {"label", "published": number or None, "seeds": list of numbers, "low", "high": number or None}, from
    above to below. xlabel: with unit.
    """
    if not rows:
        raise ValueError("there are no rows to draw")
    theirs = [row["published"] for row in rows if row["published"] is not None]
    ours = [value for row in rows for value in (*row["seeds"], row.get("low"), row.get("high")) if value is not None]
    split = ranges_differ(theirs, ours)
    figure = _figure(1.3 + 0.36 * len(rows))
    panels = figure.subplots(1, 2 if split else 1, sharey=True, squeeze=False)[0]
    form_published, form_ours = _form(theirs), _form([np.mean(row["seeds"]) for row in rows if row["seeds"]])
    for place, row in enumerate(rows):
        # On one axis the two are drawn a little apart, or equal ones would hide each other.
        shift = 0 if split else 0.16
        if row["published"] is not None:
            panels[0].plot(row["published"], place - shift, "o", color=PUBLISHED, markerfacecolor="white",
                           markersize=8, markeredgewidth=1.8)
            _write_value(panels[0], row["published"], place - shift, form_published(row["published"]))
        _draw_ours(panels[-1], row, place + shift, form_ours)
    panels[0].set_yticks(range(len(rows)), [_wrapped(row["label"], 34) for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    for panel, title in zip(panels, ("thesis", "here") if split else ("",), strict=True):
        panel.margins(x=0.14)
        panel.set(xlabel=xlabel, title=title)
        _bare(panel, "both")
    _legend_below(figure, _beside_legend(bool(theirs), any(len(row["seeds"]) > 1 for row in rows),
                                         any(row.get("low") is not None for row in rows)))
    return figure


def ranges_differ(first, second):
    """Whether two lists of numbers would not do on one axis: one lies far from the other, or is much narrower."""
    if not first or not second:
        return False
    low, high = min(*first, *second), max(*first, *second)
    gap = max(min(first) - max(second), min(second) - max(first))
    spans = [max(values) - min(values) for values in (first, second) if len(values) > 1]
    return high > low and (gap > (high - low) / 3 or min(spans, default=high - low) < (high - low) / 4)


def _draw_ours(panel, row, y, form):
    if not row["seeds"]:
        return
    mean, right = float(np.mean(row["seeds"])), max(row["seeds"])
    if row.get("low") is not None and row.get("high") is not None:
        panel.plot([row["low"], row["high"]], [y, y], color=OURS, linewidth=1.6, solid_capstyle="butt")
        right = max(right, row["high"])
    if len(row["seeds"]) > 1:
        panel.plot(row["seeds"], [y] * len(row["seeds"]), "o", color=OURS, markersize=3.5, alpha=0.55)
    panel.plot(mean, y, "o", color=OURS, markersize=8)
    _write_value(panel, right, y, form(mean))


def _write_value(panel, x, y, text):
    panel.annotate(text, (x, y), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8, color=INK)


def _beside_legend(published, seeds, intervals):
    from matplotlib.lines import Line2D

    dot = {"linestyle": "none", "marker": "o"}
    handles = [Line2D([], [], **dot, color=OURS, markersize=8, label="here, mean" if seeds else "here")]
    if seeds:
        handles.append(Line2D([], [], **dot, color=OURS, markersize=3.5, alpha=0.55, label="here, a seed"))
    if intervals:
        handles.append(Line2D([], [], color=OURS, linewidth=1.6, label="here, interval"))
    if published:
        handles.insert(0, Line2D([], [], **dot, color=PUBLISHED, markerfacecolor="white", markersize=8,
                                 markeredgewidth=1.8, label="thesis"))
    return handles


# Shared


def _with_cases(cases):
    found = {label: documents for label, documents in cases.items() if documents}
    if not found:
        raise ValueError("there are no finished trainings to draw")
    return found


def _figure(height, width=WIDTH):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(count, height, **shared):
    """(Figure, list of `count` panels), up to COLUMNS in a row that is `height` inches high."""
    across = min(count, COLUMNS)
    down = math.ceil(count / COLUMNS)
    figure = _figure(height * down + 0.4, WIDTH * max(across, 1.5) / COLUMNS)
    panels = list(figure.subplots(down, across, squeeze=False, **shared).flat)
    for panel in panels[count:]:
        panel.remove()
    return figure, panels[:count]


def _bare(panel, grid="y"):
    panel.grid(axis=grid, color="#e3e3e3", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    if grid != "y":
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)


def _shared_legend(figure, panels):
    """One legend for panels that show the same, below them."""
    found = {}
    for panel in panels:
        found |= {label: handle for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    if found:
        _legend_below(figure, list(found.values()))


def _wrapped(text, width):
    return "\n".join(textwrap.wrap(text, width)) or text


def _form(values):
    """Function that writes each of these numbers with the same decimals: as many as give the largest four digits,
    without those that are 0 in all of them."""
    most = max(map(abs, values), default=0) or 1
    decimals = max(0, 3 - math.floor(math.log10(most)))
    if decimals > 6:
        return lambda value: f"{value:.3g}"
    while decimals and all(f"{value:.{decimals}f}".endswith("0") for value in values):
        decimals -= 1
    return lambda value: f"{value:,.{decimals}f}"


def _rgb(colour):
    return np.array([int(colour[k:k + 2], 16) for k in (1, 3, 5)], np.uint8)
