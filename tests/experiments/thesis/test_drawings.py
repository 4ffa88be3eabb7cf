"""What is drawn is what the trainings came to: lines, cells and pixels are read back from the figures."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from experiments.thesis import drawings
from experiments.thesis.case import PICTURES, png_text
from scenes.dataset import read_dataset, read_mask
from scenes.labels import PALETTE, SHEET

UPRIGHT, LYING = "000018", "000008"  # 240 x 320 and 320 x 240 pixels


def history(values, key="pixel_accuracy"):
    return [{"epoch": epoch, key: value} for epoch, value in enumerate(values, 1)]


def sample_of(name):
    return next(sample for sample in read_dataset(PICTURES) if sample.name == name)


def lines_of(panel, width):
    return [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in panel.lines
            if line.get_linewidth() == width]


def test_a_line_for_each_seed_and_one_for_their_mean():
    cases = {"a": [{"history": history([0.2, 0.4, 0.6])}, {"history": history([0.4, None, 0.8])}], "none": []}
    panel = drawings.learning_curves(cases, "pixel_accuracy", "pixel accuracy").axes[0]
    (epochs, first), (_, second) = lines_of(panel, 0.8)
    assert epochs == [1, 2, 3] and first == [0.2, 0.4, 0.6]
    assert np.isnan(second[1]) and second[2] == 0.8
    (epochs, mean), = lines_of(panel, 2.4)
    assert epochs == [1, 3] and mean == pytest.approx([0.3, 0.7])  # epoch 2 is not told by both
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("epoch", "pixel accuracy")
    assert [text.get_text() for text in panel.texts] == ["a"]


def test_five_labels_stay_apart():
    cases = {f"network {k}": [{"history": history([0.5, 0.9 + k / 1000])}] for k in range(5)}
    panel = drawings.learning_curves(cases, "pixel_accuracy", "pixel accuracy").axes[0]
    places = sorted(text.xyann[1] for text in panel.texts)
    assert np.diff(places).min() > 0.06 and 0 <= places[0] and places[-1] <= 1
    order = sorted(panel.texts, key=lambda text: text.xyann[1])
    assert [text.get_text() for text in order] == list(cases)  # as the lines end
    assert len({line.get_color() for line in panel.lines}) == 5


def test_things_are_moved_apart_no_more_than_they_must():
    assert drawings._apart([0.9, 0.1], [0.2, 0.2]) == pytest.approx([0.9, 0.1])
    assert drawings._apart([0.5, 0.5], [0.2, 0.2]) == pytest.approx([0.4, 0.6])
    assert drawings._apart([0.5, 1.0, 1.0], [0.1, 0.1, 0.3]) == pytest.approx([0.5, 0.65, 0.85])


def test_there_must_be_something_to_draw():
    with pytest.raises(ValueError, match="no finished trainings"):
        drawings.losses({"a": []})
    with pytest.raises(ValueError, match="no training tells mean_iou"):
        drawings.learning_curves({"a": [{"history": history([0.5])}]}, "mean_iou", "mean IoU")
    with pytest.raises(ValueError, match="no values"):
        drawings.bars({}, "px")


def test_losses_are_a_panel_for_each_label():
    document = {"history": [{"epoch": 1, "train_loss": 1.0, "validation_loss": 2.0},
                            {"epoch": 2, "train_loss": 0.0, "validation_loss": 0.5}]}
    figure = drawings.losses({"a": [document], "b": [document], "c": [document], "d": [document]})
    assert [panel.get_title() for panel in figure.axes] == ["a", "b", "c", "d"]
    assert {panel.get_yscale() for panel in figure.axes} == {"log"}
    training, validation = (line.get_ydata().tolist() for line in figure.axes[0].lines)
    assert training == [1.0] and validation == [2.0, 0.5]  # a loss of 0 has no place
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "validation"]


def test_confusion_is_of_the_true_classes_pixels_of_all_seeds():
    first, second = np.zeros((2, 4, 4), int)
    first[0, 0], second[0, 0], second[0, 1], first[2, 3] = 10, 80, 10, 7
    percent = drawings.confusion_percent([first.tolist(), second.tolist()])
    assert percent[0].tolist() == [90, 10, 0, 0] and percent[2].tolist() == [0, 0, 0, 100]
    assert np.isnan(percent[[1, 3]]).all()
    cases = {"a": [{"validation": {"confusion_matrix": matrix.tolist()}} for matrix in (first, second)]}
    panel = drawings.confusion(cases).axes[0]
    assert [text.get_text() for text in panel.texts][:5] == ["90.0", "10.0", "0.0", "0.0", "-"]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["background", "sheet", "left foot", "right foot"]


def test_predicted_masks_are_shown_at_the_photos_proportions():
    half = np.zeros((64, 64), np.uint8)
    half[:, 32:] = SHEET
    said = {"pictures": {name: png_text(half) for name in (UPRIGHT, LYING)}}
    figure = drawings.masks({"a": [said]}, [UPRIGHT, LYING])
    panels = np.reshape(figure.axes, (2, 3))
    for row, shape in zip(panels, ((320, 240, 3), (240, 320, 3)), strict=True):
        assert [panel.images[0].get_array().shape for panel in row] == [shape] * 3
        shown = row[2].images[0].get_array()
        middle = shape[1] // 2
        assert (shown[:, :middle] == PALETTE[0]).all() and (shown[:, middle:] == PALETTE[SHEET]).all()
    assert (panels[0, 1].images[0].get_array() == PALETTE[read_mask(sample_of(UPRIGHT).mask_path)]).all()
    assert [panel.get_title() for panel in panels[0]] == ["photo", "truth", "a"]


def test_scenes_are_the_first_ones_or_those_that_are_named():
    said = {"pictures": {}}
    figure = drawings.masks({"a": [said]}, limit=2)
    assert len(figure.axes) == 6
    assert figure.axes[2].texts[0].get_text() == "not\npredicted"
    with pytest.raises(ValueError, match="x, y: no such scene; there are 000001"):
        drawings.masks({"a": [said]}, ["x", LYING, "y"])


def test_an_error_map_marks_and_counts_the_wrong_pixels():
    truth = read_mask(sample_of(UPRIGHT).mask_path)
    wrong = truth.copy()
    wrong[:32] = (wrong[:32] + 1) % 4  # a tenth of 320 rows
    cases = {"right": [{"pictures": {UPRIGHT: png_text(truth)}}], "wrong": [{"pictures": {UPRIGHT: png_text(wrong)}}]}
    _, _, right, marked = drawings.error_maps(cases, [UPRIGHT]).axes
    assert (right.get_xlabel(), marked.get_xlabel()) == ("0.0 % wrong", "10.0 % wrong")
    shown = marked.images[0].get_array()
    assert (shown[:32] == np.round(np.array(to_rgb(drawings.WRONG)) * 255)).all()
    grey = shown[32:]
    assert (grey == grey[..., :1]).all() and (right.images[0].get_array()[32:] == grey).all()
    # Otherwise the mark would hardly be seen.
    assert grey.min() >= 90 and not (PALETTE == shown[0, 0]).all(axis=1).any()


def test_heatmaps_lie_over_a_darkened_photo():
    rgb = np.full((40, 30, 3), 200, np.uint8)
    heat = np.zeros((20, 10), np.uint8)
    heat[10:12, 4:6] = 255
    plain, over = drawings.heated(rgb, None), drawings.heated(rgb, heat)
    assert plain.shape == over.shape == rgb.shape and plain.max() == 84
    assert (over[:15] == 84).all()
    np.testing.assert_allclose(over[21, 15], np.array(to_rgb(drawings.HEAT)) * 255, atol=1)


def test_predicted_corners_are_joined_and_covered_ones_told_apart():
    sample = sample_of(LYING)
    points = sample.corners.tolist()
    cases = {"all": [{"pictures": {LYING: {"corners": points, "heatmap": png_text(np.zeros((32, 24), np.uint8))}}}],
             "three": [{"pictures": {LYING: {"corners": [*points[:3], [None, None]]}}}]}
    true, joined, three = drawings.corners(cases, [LYING]).axes
    seen, *covered = (marks.get_offsets().data for marks in true.collections)
    np.testing.assert_allclose(seen, sample.corners[:3])
    for ring in covered:
        np.testing.assert_allclose(ring, sample.corners[3:])
    np.testing.assert_allclose(joined.lines[0].get_xydata(), [*points, points[0]])
    np.testing.assert_allclose(three.lines[0].get_xydata(), [*points[:3], points[0]])
    assert true.get_xlim() == joined.get_xlim() == (-0.5, 319.5) and joined.get_ylim() == (239.5, -0.5)


def test_bars_stand_in_order_with_what_was_published_beside_them():
    panel = drawings.bars({"a": 3.0, "b": None}, "millions", {"b": 2.25}).axes[0]
    ours, theirs = panel.containers
    assert [bar.get_width() for bar in ours] == [3.0] and [bar.get_width() for bar in theirs] == [2.25]
    assert [text.get_text() for text in panel.texts] == ["3.00", "2.25"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["a", "b"]
    assert panel.yaxis_inverted() and panel.get_xlabel() == "millions"
    assert len(drawings.bars({"a": 3.0}, "millions").legends) == 0


def row_of(label, published, *seeds, low=None, high=None):
    return {"label": label, "published": published, "seeds": list(seeds), "low": low, "high": high}


def test_ranges_that_are_apart_get_a_panel_each():
    rows = [row_of("a", 98.1, 80.0, 82.0, low=79.0, high=83.0), row_of("b", 97.2), row_of("c", None, 70.0)]
    theirs, ours = drawings.published_beside(rows, "accuracy, %").axes
    assert [panel.get_title() for panel in (theirs, ours)] == ["thesis", "here"]
    assert [line.get_xydata().tolist() for line in theirs.lines] == [[[98.1, 0]], [[97.2, 1]]]
    interval, seeds, mean, single = (line.get_xydata().tolist() for line in ours.lines)
    assert interval == [[79, 0], [83, 0]] and seeds == [[80, 0], [82, 0]] and mean == [[81, 0]] and single == [[70, 2]]
    assert theirs.get_ylim() == ours.get_ylim() == (2.5, -0.5)


def test_ranges_that_meet_share_an_axis():
    rows = [row_of("a", 0.9, 0.91), row_of("b", 0.8, 0.82)]
    panel, = drawings.published_beside(rows, "mean IoU").axes
    assert [text.get_text() for text in panel.texts] == ["0.9", "0.91", "0.8", "0.82"]
    assert not drawings.ranges_differ([], [1.0]) and not drawings.ranges_differ([1.0], [1.0])
    assert drawings.ranges_differ([97.0, 98.0], [60.0, 99.0])  # one would be flat
    assert drawings.ranges_differ([100.0], [1.0, 2.0])


def test_values_are_written_alike():
    assert [drawings._form([98.1, 7.25])(value) for value in (98.1, 7.25)] == ["98.10", "7.25"]
    assert drawings._form([12345.6])(12345.6) == "12,346"
    assert drawings._form([1.3e-5])(1.3e-5) == "1.3e-05"
