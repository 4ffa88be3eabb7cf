import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keypoints.commands import keypoints
from keypoints.config import STRIDE
from keypoints.figures import heatmap_figure
from keypoints.heatmaps import encode

CORNERS = np.array([[51.0, 60.5], [100.0, 58.0], [np.nan, np.nan], [22.0, 120.0]])


def figure_of(sigma_px=2.0):
    heatmaps = encode(CORNERS, np.isfinite(CORNERS).all(axis=1), (40, 32), STRIDE, sigma_px)
    image = np.full((160, 128, 3), 120, np.uint8)
    return heatmap_figure(image, CORNERS, np.array([2, 1, 0, 2]), heatmaps, "000003", sigma_px), heatmaps


def test_each_corner_has_its_target_and_all_stand_together():
    figure, heatmaps = figure_of()
    panels = figure.axes[:5]
    for k in range(4):
        assert (panels[k].images[1].get_array() == heatmaps[k]).all()
    assert [panel.get_title().split(":")[0] for panel in panels] == [
        "corner 1, seen", "corner 2, covered", "corner 3, unknown", "corner 4, seen", "all four over the photo"]
    assert len(panels[4].images) == 5
    assert len(panels[2].patches) == 0 and len(panels[4].texts) == 3
    figure.canvas.draw()


def test_target_and_photo_lie_on_one_another():
    figure, heatmaps = figure_of()
    panel = figure.axes[0]
    photo, target = panel.images
    assert photo.get_extent() == target.get_extent() == [-0.5, 127.5, 159.5, -0.5]
    # The middle of the target's mass, in the panel's coordinates, is the corner.
    left, right, bottom, top = target.get_extent()
    u, v = np.meshgrid(np.arange(32), np.arange(40))
    x = left + (u + 0.5) / 32 * (right - left)
    y = top + (v + 0.5) / 40 * (bottom - top)
    weights = heatmaps[0] / heatmaps[0].sum()
    np.testing.assert_allclose([(weights * x).sum(), (weights * y).sum()], CORNERS[0], atol=0.05)
    circle = panel.patches[0]
    assert tuple(circle.get_center()) == tuple(CORNERS[0]) and circle.get_radius() == 2 * 2.0 * STRIDE


def test_the_command_draws_the_sample_that_is_named(sheets, tmp_path):
    names = {}
    for name in ("000000", "000002"):
        out = tmp_path / "out" / f"{name}.png"
        result = CliRunner().invoke(keypoints, ["heatmaps", str(sheets), "--out", str(out), "--name", name])
        assert result.exit_code == 0, result.output
        names[name] = cv2.imread(str(out))
    first = CliRunner().invoke(keypoints, ["heatmaps", str(sheets), "--out", str(tmp_path / "first.png")])
    assert first.exit_code == 0 and "first.png" in first.output
    drawn = cv2.imread(str(tmp_path / "first.png"))
    assert (drawn == names["000000"]).all()
    assert drawn.shape != names["000002"].shape or (drawn != names["000002"]).any()


def test_a_sample_that_is_not_there_is_named(sheets, tmp_path):
    result = CliRunner().invoke(keypoints, ["heatmaps", str(sheets), "--out", str(tmp_path / "x.png"), "--name", "9"])
    assert result.exit_code == 1 and "no sample named '9'" in result.output
    assert not (tmp_path / "x.png").exists()
    result = CliRunner().invoke(keypoints, ["heatmaps", str(sheets), "--out", str(tmp_path / "x.png"), "--sigma", "0"])
    assert result.exit_code == 2


def test_a_visibility_that_there_is_not_is_told():
    heatmaps = encode(CORNERS, np.isfinite(CORNERS).all(axis=1), (40, 32), STRIDE, 2.0)
    for wrong in (7, -1):
        with pytest.raises(ValueError, match=f"000003: visibility is .{wrong}, 1, 0, 2"):
            heatmap_figure(np.zeros((160, 128, 3), np.uint8), CORNERS, [wrong, 1, 0, 2], heatmaps, "000003", 2.0)


def test_the_command_writes_png_alone(sheets, tmp_path):
    done = CliRunner().invoke(keypoints, ["heatmaps", str(sheets), "--out", str(tmp_path / "a.jpg")])
    assert done.exit_code == 1 and "ends with .png" in done.output and not list(tmp_path.glob("a.*"))
