"""Figures of the thesis's third chapter that `scenes.preparation.figures` does not draw: scenes with their truth,
photos standardised, borders before and after cleaning, and Gaussians of two sizes beside each other."""

import numpy as np

from keypoints.peaks import to_heatmap, to_input
from scenes.labels import NAMES, PALETTE
from scenes.preparation.figures import MARK, OURS, PUBLISHED, blank_figure, busiest

CLOSE_UP_PX = 40
# Okabe and Ito's, apart for colour-blind eyes too: of corners 1 to 4, and of Gaussians with their marks.
CORNER_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7")
GAUSSIANS = (("#D55E00", "o"), (OURS, "s"), ("#009E73", "^"))


def truth_figure(scenes):
    """Figure 19: photos and, under each, its mask. scenes: list of (name, rgb uint8 (H, W, 3), mask uint8 (H, W))."""
    tallest = max(rgb.shape[0] / rgb.shape[1] for _, rgb, _ in scenes)
    width = 12
    figure = blank_figure(width, 2 * tallest * width / len(scenes) + 0.8, "Photos and their ground truth")
    panels = figure.subplots(2, len(scenes), squeeze=False)
    for (upper, lower), (name, rgb, mask) in zip(panels.T, scenes, strict=True):
        upper.imshow(rgb)
        upper.set_title(f"{name}\n{rgb.shape[1]} x {rgb.shape[0]}", fontsize=9)
        lower.imshow(PALETTE[mask], interpolation="nearest")
    panels[0, 0].set_ylabel("photo")
    panels[1, 0].set_ylabel("class of each pixel")
    _without_ticks(panels.ravel())
    _legend(figure)
    return figure


def contrast_figure(pictures):
    """What a viewer makes of values. pictures: {title: float (H, W, 3), 0 is drawn black and 1 white}; what is beyond
    is cut, as matplotlib does."""
    first = next(iter(pictures.values()))
    figure = blank_figure(11, 11 / len(pictures) * first.shape[0] / first.shape[1] + 0.5,
                          "One photo, as it is and standardised")
    panels = figure.subplots(1, len(pictures))
    for panel, (title, values) in zip(panels, pictures.items(), strict=True):
        panel.imshow(np.clip(values, 0, 1))
        panel.set_title(title, fontsize=10)
    _without_ticks(panels)
    return figure


def borders_figure(rows, name):
    """Figures 23 and 24, close up: masks that were grown in a wrong way, and cleaned. All masks uint8 (H, W).

    rows: {title: (right mask, {title: mask})}; each row is cut out where the first of its masks has the most wrong
    pixels. Pixels that differ from the right mask are crossed.
    """
    columns = 1 + max(len(masks) for _, masks in rows.values())
    figure = blank_figure(3 * columns, 3.2 * len(rows) + 1, f"{name}: borders between classes, close up")
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for line, (row, (right, masks)) in zip(panels, rows.items(), strict=True):
        left, top, end, bottom = busiest(next(iter(masks.values())) != right, CLOSE_UP_PX)
        place = (slice(top, bottom), slice(left, end))
        for panel, (title, mask) in zip(line, {"right": right, **masks}.items(), strict=True):
            panel.imshow(PALETTE[mask[place]], interpolation="nearest")
            wrong = mask != right
            rows_wrong, columns_wrong = np.nonzero(wrong[place])
            panel.plot(columns_wrong, rows_wrong, "x", color=MARK, markersize=3.2, markeredgewidth=1.0)
            of_all = f"\n{100 * wrong.mean():.2f} % of the mask wrong" if mask is not right else "\n"
            panel.set_title(title + of_all, fontsize=10)
        line[0].set_ylabel(row)
    _without_ticks(panels.ravel())
    _legend(figure, crossed="wrong")
    return figure


def gaussians_figure(image, corners, maps, stride):
    """Figure 27 with Gaussians of several sizes: over the photo, and cut through the first corner.

    image: uint8 (H, W, 3), the network's input. corners: (4, 2), its pixels. maps: {sigma in pixels of the map: float
    (4, H / stride, W / stride)}.
    """
    from matplotlib.colors import to_rgb

    figure = blank_figure(12, 4.6, f"Targets of the four corners, {image.shape[0] // stride} x "
                                   f"{image.shape[1] // stride} pixels for an input of {image.shape[0]} x "
                                   f"{image.shape[1]}")
    panels = figure.subplots(1, len(maps) + 1, width_ratios=[1] * len(maps) + [1.7])
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    backdrop = (image.mean(axis=2, keepdims=True) * 0.6 + 60).astype(np.uint8).repeat(3, axis=2)
    for panel, (sigma_px, heatmaps) in zip(panels, maps.items(), strict=False):
        panel.imshow(backdrop, extent=extent)
        for heatmap, colour in zip(heatmaps, CORNER_COLOURS, strict=True):
            tint = np.empty((*heatmap.shape, 4))
            tint[..., :3], tint[..., 3] = to_rgb(colour), heatmap * 0.9
            panel.imshow(tint, extent=extent, interpolation="nearest")
        for k, corner in enumerate(corners, start=1):
            panel.annotate(str(k), corner, color="white", weight="bold", fontsize=9, ha="center", va="center",
                           clip_on=True)
        panel.set(xlim=extent[:2], ylim=extent[2:])
        panel.set_title(f"sigma {sigma_px:g} pixels of the map", fontsize=10)
    _without_ticks(panels[:-1])
    _profile(panels[-1], corners[0], maps, stride)
    return figure


def _profile(panel, corner, maps, stride):
    """Values of the first map along its row next to the corner; the line is the Gaussian that they are samples of."""
    point = to_heatmap(corner, stride)
    middle, row = np.round(point).astype(int)
    off_row = row - point[1]
    for (sigma_px, heatmaps), (colour, mark) in zip(maps.items(), GAUSSIANS, strict=False):
        width = heatmaps.shape[2]
        columns = np.arange(max(0, middle - 8), min(width, middle + 9))
        x = to_input(columns, stride)
        fine = np.linspace(x[0], x[-1], 300)
        curve = np.exp(-0.5 * (((fine - corner[0]) / stride) ** 2 + off_row ** 2) / sigma_px ** 2)
        panel.plot(fine, curve, color=colour, linewidth=1)
        panel.plot(x, heatmaps[0, row, columns], mark, color=colour, markersize=5, label=f"sigma {sigma_px:g}")
    panel.axvline(corner[0], color=PUBLISHED, linewidth=1, label="corner")
    panel.set(xlabel=f"x, pixels of the input (a pixel of the map is {stride} of them)", ylabel="value of the map",
              title="cut through corner 1", ylim=(0, 1.05))
    panel.legend(frameon=False, fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)


def _without_ticks(panels):
    for panel in panels:
        panel.set(xticks=[], yticks=[])


def _legend(figure, crossed=None):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour / 255, edgecolor="#555555", label=name.replace("_", " "))
               for name, colour in zip(NAMES, PALETTE, strict=True)]
    if crossed:
        handles.append(Line2D([], [], linestyle="", marker="x", color=MARK, label=crossed))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, frameon=False)
