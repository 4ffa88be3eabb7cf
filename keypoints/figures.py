"""What the corner network is trained towards, drawn over the photo (figure 27 of the thesis)."""

import numpy as np

from keypoints.config import STRIDE
from scenes.preparation.figures import blank_figure

VISIBILITY_NAMES = ("outside", "covered", "seen")
CORNER_COLOURS = ((230, 25, 75), (60, 180, 75), (67, 99, 216), (245, 130, 49))  # RGB, 0..255


def heatmap_figure(image, corners, visibility, heatmaps, name, sigma_px):
    """The four targets of a sample, one panel each, and all four together: matplotlib Figure.

    image: uint8 (H, W, 3), RGB, the network's input. corners: (4, 2), its pixels; NaN for one that nobody can tell.
    visibility: (4,), as in COCO. heatmaps: (4, h, w) in 0..1, from keypoints.heatmaps.encode. sigma_px: what they were
    made with, heatmap pixels. A cross marks the corner, a circle is two sigma around it. Raises ValueError for a
    visibility that is not 0, 1 or 2.
    """
    if not np.isin(visibility, range(len(VISIBILITY_NAMES))).all():
        raise ValueError(f"{name}: visibility is {np.asarray(visibility).tolist()}; 0, 1 and 2 are allowed: "
                         "`foliopie scenes check` names every such fault")
    height, width = heatmaps.shape[1:]
    figure = blank_figure(13, 0.8 + 2.35 * image.shape[0] / image.shape[1],
                          f"{name}: targets of the corner network, {height} x {width} pixels, sigma {sigma_px:g}")
    panels = figure.subplots(1, 5)
    backdrop = (image.mean(axis=2, keepdims=True) * 0.6 + 60).astype(np.uint8).repeat(3, axis=2)
    # Half a pixel beyond the outer centres, as an image of the input's size has: the half-pixel rule of the stride.
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    for k, panel in enumerate(panels[:4]):
        panel.imshow(backdrop, extent=extent)
        drawn = panel.imshow(heatmaps[k], extent=extent, cmap="inferno", vmin=0, vmax=1, interpolation="nearest",
                             alpha=np.clip(heatmaps[k] * 3, 0, 1))
        _mark(panel, corners[k], 2 * sigma_px * STRIDE)
        state = VISIBILITY_NAMES[visibility[k]] if np.isfinite(corners[k]).all() else "unknown"
        panel.set_title(f"corner {k + 1}, {state}: highest {heatmaps[k].max():.2f}", fontsize=9)
    panels[4].imshow(image, extent=extent)
    for k, colour in enumerate(CORNER_COLOURS):
        tint = np.empty((height, width, 4))
        tint[..., :3], tint[..., 3] = np.array(colour) / 255, heatmaps[k] * 0.85
        panels[4].imshow(tint, extent=extent, interpolation="nearest")
        if np.isfinite(corners[k]).all():
            panels[4].annotate(str(k + 1), corners[k], color="white", weight="bold", fontsize=9, ha="center",
                               va="center", clip_on=True)
    panels[4].set_title("all four over the photo", fontsize=9)
    for panel in panels:
        panel.set(xticks=[], yticks=[], xlim=extent[:2], ylim=extent[2:])
    figure.colorbar(drawn, ax=panels, shrink=0.8, pad=0.01, label="target")
    return figure


def _mark(panel, corner, radius):
    from matplotlib.patches import Circle

    if np.isfinite(corner).all():
        panel.plot(*corner, "+", color="white", markersize=7)
        panel.add_patch(Circle(corner, radius, fill=False, edgecolor="white", linewidth=0.9))
