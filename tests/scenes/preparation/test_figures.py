import cv2
import numpy as np
import pytest

from scenes.labels import PALETTE
from scenes.preparation.cleaning import clean_mask
from scenes.preparation.colour_maps import Palette, fit_colours, own_palette
from scenes.preparation.figures import (
    blank_figure,
    busiest,
    cleaning_figure,
    cluster_figure,
    colour_map_figure,
    display_colours,
    pixel_figure,
    save_figure,
    share_figure,
)
from scenes.preparation.statistics import ClassShares, PixelDistribution, value_shares


def drawn(figure):
    """Whether the figure can be drawn, and is not blank."""
    figure.canvas.draw()
    return np.ptp(figure.canvas.buffer_rgba()) > 200


def test_a_figure_is_written_at_once(tmp_path):
    save_figure(blank_figure(3, 2, "title"), tmp_path / "new" / "figure.png")
    picture = cv2.imread(str(tmp_path / "new" / "figure.png"))
    assert picture.shape == (300, 450, 3) and picture.min() < 100
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["figure.png"]


def test_the_area_under_each_distribution_is_one():
    photo = np.random.default_rng(1).integers(10, 240, (100, 90, 3), dtype=np.uint8)
    figure = pixel_figure(PixelDistribution(1, value_shares(photo)))
    assert drawn(figure)
    assert len(figure.axes) == 3
    for panel in figure.axes:
        assert len(panel.patches) == 3
        for patch in panel.patches:
            heights, edges, _ = patch.get_data()
            assert (heights * np.diff(edges)).sum() == pytest.approx(1)
    heights, edges, _ = figure.axes[1].patches[0].get_data()
    assert (heights * np.diff(edges) * (edges[:-1] + edges[1:]) / 2).sum() == pytest.approx(0, abs=1e-9)
    lowest = figure.axes[2].patches[0].get_data()
    held = np.flatnonzero(lowest.values)
    assert lowest.edges[held[0]:held[0] + 2].mean() == pytest.approx(0)
    assert lowest.edges[held[-1]:held[-1] + 2].mean() == pytest.approx(1)


def test_photos_of_one_value_are_drawn_too():
    assert drawn(pixel_figure(PixelDistribution(1, value_shares(np.full((10, 10, 3), 255, np.uint8)))))


def test_bars_are_ours_beside_the_published():
    mean, std = np.array([0.7, 0.2, 0.1, 0.0]), np.array([0.1, 0.3, 0.0, 0.0])
    shares = ClassShares(3, mean, std, np.full(4, 0.25), np.zeros(4))
    figure = share_figure(shares)
    assert drawn(figure)
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    np.testing.assert_allclose(heights, [70, 20, 10, 0, 63, 25, 6, 6])
    assert {text.get_text() for text in figure.axes[0].texts} == {"70.0 %", "20.0 %", "10.0 %", "0.0 %", "63 %", "25 %",
                                                                  "6 %"}
    assert figure.axes[0].get_ylim()[0] == 0


def test_the_close_up_is_where_most_changed():
    changed = np.zeros((100, 80), bool)
    changed[70:75, 50:55] = True
    changed[3, 3] = True
    left, top, right, bottom = busiest(changed, 20)
    assert (right - left, bottom - top) == (20, 20)
    assert changed[top:bottom, left:right].sum() == 25
    assert abs((left + right) / 2 - 52.5) <= 1 and abs((top + bottom) / 2 - 72.5) <= 1
    assert busiest(changed[:10, :15], 20) == (0, 0, 15, 10)


def test_each_changed_pixel_of_the_close_up_is_marked():
    before = np.ones((60, 70), np.uint8)
    before[20, 30], before[22, 33:35] = 2, 3
    after = clean_mask(before)
    figure = cleaning_figure(np.full((60, 70, 3), 90, np.uint8), before, after, "000007", 5)
    assert "000007: 3 of 4,200 pixels" in figure.get_suptitle()
    photo, first, second = figure.axes
    marks = [{(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in panel.patches} for panel in (first, second)]
    assert marks[0] == marks[1] == {(30, 20), (33, 22), (34, 22)}
    shown = photo.images[0].get_array()
    assert (shown == (255, 0, 255)).all(axis=-1).sum() == 3
    assert drawn(figure)


def test_colours_are_drawn_as_they_are_and_by_class(masks):
    shown = np.array([[10, 10, 10], [200, 30, 30], [30, 200, 30], [30, 30, 200]], np.uint8)
    palette = Palette(np.arange(4, dtype=np.uint8), own_palette().names, shown)
    noise = np.random.default_rng(1).integers(-5, 6, (*masks[0].shape, 3))
    picture = (shown[masks[0]] + noise).astype(np.uint8)
    model = fit_colours(picture.reshape(-1, 3)[::5], palette)
    figure = cluster_figure(picture.reshape(-1, 3)[::5], model)
    assert drawn(figure)
    assert len(figure.axes) == 2
    assert len(figure.axes[1].collections) == 5  # four classes and the means
    figure = colour_map_figure(picture, model.label(picture), palette, "one.jpg")
    assert drawn(figure)
    assert (figure.axes[1].images[0].get_array() == PALETTE[masks[0]]).all()
    assert figure.axes[2].images[0].get_array().max() <= np.sqrt(75)


def test_classes_of_others_are_shown_in_their_own_colours():
    assert (display_colours(own_palette()) == PALETTE).all()
    others = Palette(np.array([0, 19], np.uint8), ("background", "19"), np.array([[9, 9, 9], [80, 90, 100]], np.uint8))
    assert (display_colours(others) == others.colours).all()


def test_a_figure_is_no_jpeg(tmp_path):
    for name in ("figure.jpg", "figure"):
        with pytest.raises(ValueError, match="ends with .png"):
            save_figure(blank_figure(3, 2, "title"), tmp_path / name)
    assert not list(tmp_path.iterdir())
