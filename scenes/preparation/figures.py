"""Figures 20 to 26 of the thesis, drawn from one's own data. All arrays as in the modules whose results they show.

Each function gives a matplotlib Figure; `save_figure` writes it. No pyplot: it keeps every figure in memory and picks
a backend for the whole process. matplotlib is imported where it is used, for the rest of the package does without.
"""

import io
from pathlib import Path

import numpy as np

from scenes.files import write_whole
from scenes.labels import NAMES, PALETTE
from scenes.preparation.statistics import CHANNELS, PUBLISHED_SHARES

DPI = 150
CHANNEL_COLOURS = ("#c0392b", "#2e8b57", "#2c5fa8")
OURS, PUBLISHED = "#2c5fa8", "#b8b8b8"
MARK = "#ff00ff"  # in no palette here, and hardly in a photo
# Side of what figure 24 shows close up, and the most points that a cloud of colours is drawn with.
ZOOM_PX = 48
CLOUD_POINTS = 4000


def save_figure(figure, path):
    """Write a matplotlib Figure as PNG, at once or not at all. Raises OSError, and ValueError for another ending."""
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"{path}: figures are written as PNG: name a file that ends with .png")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    write_whole(path, data.getvalue())


def blank_figure(width, height, title):
    """An empty matplotlib Figure, width and height in inches, drawn by Agg: it needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    return figure


def pixel_figure(pixels):
    """Figures 20 and 21: how the values of R, G, B are distributed as they are, standardised, and min-max
    normalised. pixels: scenes.preparation.statistics.PixelDistribution."""
    figure = blank_figure(11, 3.6, f"Pixel values of {pixels.photos} photos, before and after normalisation")
    panels = figure.subplots(1, 3)
    spread, extent = np.maximum(pixels.std, 1e-9), np.maximum(pixels.high - pixels.low, 1)
    forms = (("as they are", "value", np.zeros(3), np.ones(3)),
             ("standardised", "(value - mean) / standard deviation", pixels.mean, spread),
             ("min-max", "(value - min) / (max - min)", pixels.low, extent))
    for panel, (title, label, offset, scale) in zip(panels, forms, strict=True):
        for k, channel in enumerate(CHANNELS):
            edges = (np.arange(257) - 0.5 - offset[k]) / scale[k]
            legend = f"{channel}: mean {(pixels.mean[k] - offset[k]) / scale[k]:.2f}, " \
                     f"std {pixels.std[k] / scale[k]:.2f}"
            # Divided by a value's width, so that the area under each line is 1 in every panel.
            panel.stairs(pixels.histogram[k] * scale[k], edges, color=CHANNEL_COLOURS[k], label=legend, linewidth=1.2)
        # A peak at pure black or white must not press everything else flat; where it is cut the axis says so.
        inner = (pixels.histogram[:, 1:255] * scale[:, None]).max()
        outer = (pixels.histogram * scale[:, None]).max()
        panel.set_ylim(0, min(outer, 2 * inner or outer) * 1.3)
        cut = f"\n(cut off: up to {outer:.3g} at black or white)" if outer > 2 * inner > 0 else ""
        panel.set(title=title, xlabel=label + cut)
        panel.legend(fontsize=8, loc="upper left", frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("density")
    return figure


def share_figure(classes):
    """Figure 22: the mean share of each class in a mask, beside the published one.

    classes: scenes.preparation.statistics.ClassShares. The whiskers are one standard deviation between masks.
    """
    figure = blank_figure(7, 4, f"Mean share of each class in an image ({classes.masks} masks)")
    panel = figure.subplots()
    places, width = np.arange(len(NAMES)), 0.38
    # A share cannot be below 0 or above 1, whatever the deviation is.
    whiskers = np.minimum([classes.std] * 2, [classes.mean, 1 - classes.mean]) * 100
    panel.bar(places - width / 2, classes.mean * 100, width, yerr=whiskers, capsize=3, color=OURS, ecolor="#333333",
              label="this dataset (whiskers: one standard deviation between masks)")
    panel.bar(places + width / 2, np.array(PUBLISHED_SHARES) * 100, width, color=PUBLISHED,
              label="published (figure 22)")
    for k in range(len(NAMES)):
        for x, value, top, weight in ((-width / 2, classes.mean[k], classes.mean[k] * 100 + whiskers[1, k], "bold"),
                                      (width / 2, PUBLISHED_SHARES[k], PUBLISHED_SHARES[k] * 100, "normal")):
            panel.annotate(f"{value * 100:.1f} %" if weight == "bold" else f"{value * 100:.0f} %", (k + x, top),
                           xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9, weight=weight)
    panel.set_xticks(places, [name.replace("_", " ") for name in NAMES])
    panel.set_ylabel("% of the pixels")
    panel.legend(fontsize=8, frameon=False)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def cleaning_figure(rgb, before, after, name, window):
    """Figures 23 and 24: a photo with the pixels that cleaning changed, and close up the mask before and after.

    rgb: uint8 (H, W, 3). before, after: masks uint8 (H, W). The close-up is where most pixels changed.
    """
    changed = before != after
    left, top, right, bottom = busiest(changed, ZOOM_PX)
    figure = blank_figure(11, 4.7, f"{name}: {changed.sum():,} of {changed.size:,} pixels changed by the majority in a "
                              f"window of {window} pixels")
    panels = figure.subplots(1, 3)
    marked = (rgb * 0.45 + 140).astype(np.uint8)
    marked[changed] = _rgb(MARK)
    panels[0].imshow(marked, interpolation="nearest")
    panels[0].add_patch(_rectangle(left - 0.5, top - 0.5, right - left, bottom - top, "black"))
    panels[0].set_title("photo; changed pixels and close-up", fontsize=10)
    for panel, mask, title in ((panels[1], before, "mask before"), (panels[2], after, "mask after")):
        panel.imshow(PALETTE[mask[top:bottom, left:right]], interpolation="nearest",
                     extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5))
        for y, x in np.argwhere(changed[top:bottom, left:right]):
            panel.add_patch(_rectangle(left + x - 0.5, top + y - 0.5, 1, 1, MARK))
        panel.set_title(f"{title}: columns {left} to {right - 1}, rows {top} to {bottom - 1}", fontsize=10)
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    _class_legend(figure, NAMES, PALETTE, extra=[("changed", MARK)])
    return figure


def busiest(changed, side):
    """The square of `side` pixels with the most of bool (H, W): (left, top, right, bottom), right and bottom not
    in it; a picture that is narrower bounds it."""
    height, width = min(side, changed.shape[0]), min(side, changed.shape[1])
    sums = np.zeros((changed.shape[0] + 1, changed.shape[1] + 1), np.int64)
    sums[1:, 1:] = changed.cumsum(axis=0).cumsum(axis=1)
    counts = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    # Of many squares that hold as much, the one in the middle: what matters is then not at an edge.
    best = np.argwhere(counts == counts.max())
    top, left = best[np.linalg.norm(best - best.mean(axis=0), axis=1).argmin()].tolist()
    return left, top, left + width, top + height


def cluster_figure(pixels, model):
    """Figure 25: the colours of label pictures in RGB space, as they are and by the class that each was given.

    pixels: uint8 (N, 3), RGB; of more than CLOUD_POINTS some are drawn, spread evenly. model: scenes.preparation.
    colour_maps.ColourModel.
    """
    pixels = np.unique(pixels, axis=0)
    pixels = pixels[np.linspace(0, len(pixels) - 1, min(len(pixels), CLOUD_POINTS)).astype(int)]
    ids = model.label(pixels[:, None])[:, 0]
    colours = display_colours(model.palette)
    figure = blank_figure(10.5, 5.4, f"Colours of label pictures, classed by a mixture of {len(colours)} Gaussians")
    panels = [figure.add_subplot(1, 2, k + 1, projection="3d", computed_zorder=False) for k in range(2)]
    panels[0].scatter(*pixels.T, c=pixels / 255, s=7, linewidths=0.15, edgecolors="#888888", depthshade=False)
    panels[0].set_title("each colour as it is", fontsize=10)
    for label, colour in zip(model.palette.ids, colours, strict=True):
        panels[1].scatter(*pixels[ids == label].T, color=[colour / 255], s=7, linewidths=0.15, edgecolors="#888888",
                          depthshade=False)
    panels[1].scatter(*model.means.T, marker="X", s=110, color="white", edgecolors="black", depthshade=False, zorder=10)
    panels[1].set_title("by class; X: mean of each Gaussian", fontsize=10)
    for panel in panels:
        panel.set(xlabel="R", ylabel="G", zlabel="B", xlim=(0, 255), ylim=(0, 255), zlim=(0, 255),
                  xticks=(0, 100, 200), yticks=(0, 100, 200), zticks=(0, 100, 200))
        panel.view_init(elev=24, azim=-52)
        panel.set_box_aspect((1, 1, 0.9), zoom=0.95)
    _class_legend(figure, model.palette.names, colours)
    return figure


def colour_map_figure(picture, mask, palette, name):
    """Figure 26: a colour-coded picture uint8 (H, W, 3), the class ids uint8 (H, W) made of it, and what of the
    picture differs from the pure colours of those classes. palette: scenes.preparation.colour_maps.Palette."""
    lookup, shown = np.zeros((2, 256, 3), np.uint8)
    lookup[palette.ids], shown[palette.ids] = palette.colours, display_colours(palette)
    distance = np.linalg.norm(picture.astype(float) - lookup[mask], axis=2)
    figure = blank_figure(11, 5, f"{name}: from colours to class ids")
    panels = figure.subplots(1, 3)
    panels[0].imshow(picture, interpolation="nearest")
    panels[0].set_title(f"picture: {len(np.unique(picture.reshape(-1, 3), axis=0)):,} colours", fontsize=10)
    panels[1].imshow(shown[mask], interpolation="nearest")
    panels[1].set_title(f"class ids: {len(np.unique(mask))} values", fontsize=10)
    bar = panels[2].imshow(distance, cmap="magma_r", vmin=0, interpolation="nearest")
    panels[2].set_title("distance from the class's pure colour (RGB)", fontsize=10)
    figure.colorbar(bar, ax=panels[2], shrink=0.7)
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    _class_legend(figure, palette.names, display_colours(palette))
    return figure


def display_colours(palette):
    """Colours that classes are shown in, uint8 (K, 3): this project's where it has all of them, else the palette's."""
    return PALETTE[palette.ids] if (palette.ids < len(PALETTE)).all() else palette.colours


def _rgb(colour):
    return np.array([int(colour[k:k + 2], 16) for k in (1, 3, 5)], np.uint8)


def _rectangle(x, y, width, height, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=1.0)


def _class_legend(figure, names, colours, extra=()):
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=np.asarray(colour) / 255, edgecolor="#555555", label=name.replace("_", " "))
               for name, colour in zip(names, colours, strict=True)]
    patches += [Patch(facecolor="none", edgecolor=colour, label=name) for name, colour in extra]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 8), fontsize=9, frameon=False)
