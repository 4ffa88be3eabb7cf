"""The side network on drawn feet: a heel, a ball and a big toe on one side."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from scenes.augment import NONE
from scenes.dataset import read_dataset, write_annotations
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from segmentation import commands, side
from segmentation.config import ConfigError
from segmentation.loader import DataError
from segmentation.side import (
    LOOK,
    SOURCE_PX,
    SOURCE_SPAN_MM,
    Foot,
    SideAugmentation,
    SideConfig,
    build_side,
    change,
    damage_mask,
    figures,
    load_side,
    predict_side,
    read_feet,
    train_side,
)

CONFIG = SideConfig(size_px=32, channels=(8, 8, 16), batch=4, epochs=2)
SILENT = Console(quiet=True)


def draw_foot(rgb, mask, centre, left, toes_up, label):
    """A foot of 57 by 20 pixels, its heel marked green and its inner side blue, drawn into rgb and mask.

    Seen from above with its toes up, a left foot's inner side is on the right. Returns (heel, toe), x and y.
    """
    x, y = centre
    up = -1 if toes_up else 1
    inner = 1 if left == toes_up else -1
    cv2.ellipse(mask, (x, y), (10, 26), 0, 0, 360, label, cv2.FILLED)
    cv2.circle(mask, (x + 4 * inner, y + 23 * up), 7, label, cv2.FILLED)
    rgb[mask == label] = (200, 120, 90)
    cv2.circle(rgb, (x, y - 18 * up), 5, (0, 255, 0), cv2.FILLED)
    cv2.circle(rgb, (x + 6 * inner, y), 5, (0, 0, 255), cv2.FILLED)
    return (float(x), float(y - 26 * up)), (float(x + 4 * inner), float(y + 30 * up))


def heel_of(crop):
    """Middle (x, y) of the green mark."""
    red, green, blue = crop[..., :3].astype(int).transpose(2, 0, 1)
    return np.argwhere((green > red + 60) & (green > blue + 60)).mean(axis=0)[::-1]


def side_of(crop):
    """0 for a left foot, 1 for a right one, from where the marks are, whichever end is up."""
    red, green, blue = crop[..., :3].astype(int).transpose(2, 0, 1)
    inner = np.argwhere((blue > red + 60) & (blue > green + 60)).mean(axis=0)[::-1]
    middle = np.argwhere(crop[..., 3] > 127).mean(axis=0)[::-1]
    (heel_x, heel_y), (inner_x, inner_y) = heel_of(crop) - middle, inner - middle
    return int(heel_x * inner_y - heel_y * inner_x > 0)


@pytest.fixture
def dataset(tmp_path):
    """Sixteen photos of 120x160 with an A4 sheet of 0.45 px a millimetre; the last four validate."""
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    records = []
    for i in range(16):
        left, toes_up = i % 2 == 0, i % 4 < 2
        mask = np.zeros((160, 120), np.uint8)
        mask[13:147, 12:107] = SHEET
        rgb = np.array([[80, 70, 60], [230, 230, 230]], np.uint8)[mask]
        heel, toe = draw_foot(rgb, mask, (50 + i, 80), left, toes_up, LEFT_FOOT if left else RIGHT_FOOT)
        cv2.imwrite(str(folder / "images" / f"{i}.jpg"), rgb[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{i}.png"), mask)
        records.append({
            "file_name": f"{i}.jpg", "width": 120, "height": 160, "visibility": [2, 2, 2, 2],
            "corners": [[12, 13], [106.5, 13], [106.5, 146.65], [12, 146.65]],
            "attributes": {
                "sheet": {"format": "a4", "long_side": "vertical"}, "split": "validation" if i >= 12 else "train",
                "feet": [{"side": "left" if left else "right", "heel": heel, "toe": toe}], "view": "top",
            },
        })  # fmt: skip
    write_annotations(folder, records)
    return folder


def source_foot(left=True):
    """As `read_feet` gives it for training: toes up."""
    rgb, mask = np.full((SOURCE_PX, SOURCE_PX, 3), 230, np.uint8), np.zeros((SOURCE_PX, SOURCE_PX), np.uint8)
    draw_foot(rgb, mask, (80, 80), left, True, 255)
    return Foot(np.dstack([rgb, mask]), 0 if left else 1, "top")


def test_feet_are_read_toes_up_with_their_side(dataset):
    feet = read_feet(read_dataset(dataset), SOURCE_PX, SOURCE_SPAN_MM)
    assert [foot.side for foot in feet] == [0, 1] * 8 and {foot.view for foot in feet} == {"top"}
    for foot in feet:
        mask = foot.crop[..., 3] > 127
        assert foot.crop.shape == (SOURCE_PX, SOURCE_PX, 4)
        # 57 pixels, 0.45 of them a millimetre, 2.5 mm a crop pixel
        assert np.ptp(np.flatnonzero(mask.any(axis=1))) + 1 == pytest.approx(57 / 0.45 / 2.5, abs=2)
        assert heel_of(foot.crop)[1] > SOURCE_PX / 2 and side_of(foot.crop) == foot.side


def test_small_feet_and_sheets_of_unknown_size_are_left_out(dataset, monkeypatch):
    samples = read_dataset(dataset)
    samples[0].attributes.pop("sheet")
    assert len(read_feet(samples, 32, 320.0)) == 15
    monkeypatch.setattr(side, "MIN_FOOT_PX", 2000)
    assert read_feet(samples, 32, 320.0) == []


def test_a_changed_foot_keeps_its_side_either_way_up(monkeypatch):
    monkeypatch.setattr(side, "LOOK", NONE)
    ends = set()
    for seed in range(24):
        foot = source_foot(left=seed % 3 == 0)
        crop = change(foot, SideConfig(), np.random.default_rng(seed), SideAugmentation(no_mask_share=0))
        assert crop.shape == (96, 96, 4) and crop.dtype == np.uint8
        assert side_of(crop) == foot.side
        ends.add(bool(heel_of(crop)[1] > 48))
    assert ends == {False, True}


def test_augmentation_is_that_of_its_generator():
    config, foot = SideConfig(), source_foot()
    first, again = (change(foot, config, np.random.default_rng(5)) for _ in range(2))
    other = change(foot, config, np.random.default_rng(6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    # Nothing of what is added by `scenes.augment` may move a pixel: the mask would not know.
    assert (LOOK.flip_share, LOOK.rotation_deg, LOOK.shift, LOOK.perspective, LOOK.zoom_in, LOOK.aspect) == (0,) * 6


def test_masks_are_damaged_at_the_ankle():
    mask = source_foot().crop[..., 3]
    calm = {"outline_share": 0, "bites": 0, "no_mask_share": 0}
    cut = SideAugmentation(cut_share=1, leg_share=0, **calm)
    grown = SideAugmentation(cut_share=0, leg_share=1, **calm)
    for seed in range(8):
        shorter = damage_mask(mask, np.random.default_rng(seed), cut)
        longer = damage_mask(mask, np.random.default_rng(seed), grown)
        assert ((shorter > 0) <= (mask > 0)).all() and ((longer > 0) >= (mask > 0)).all()
        np.testing.assert_array_equal(shorter[:70], mask[:70])  # the toes' half is whole
        np.testing.assert_array_equal(longer[:70], mask[:70])
    assert not damage_mask(mask, np.random.default_rng(0), SideAugmentation(no_mask_share=1)).any()
    empty = np.zeros_like(mask)
    assert set(np.unique(damage_mask(empty, np.random.default_rng(1), SideAugmentation()))) == {0}


def test_network_gives_two_probabilities_that_a_half_turn_leaves_alone():
    model = build_side(CONFIG)
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 4), np.uint8)
    probabilities = predict_side(model, CONFIG, crops)
    assert model.output_shape == (None, 2) and probabilities.shape == (3, 2) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(predict_side(model, CONFIG, crops[:, ::-1, ::-1]), probabilities, atol=1e-5)
    # and a mirror turns round
    assert np.abs(probabilities - 0.5).max() > 1e-3
    np.testing.assert_allclose(predict_side(model, CONFIG, crops[:, :, ::-1]), probabilities[:, ::-1], atol=1e-5)
    with pytest.raises(ValueError, match="must be uint8"):
        predict_side(model, CONFIG, crops[..., :3])


def test_figures_of_four_feet():
    feet = [Foot(None, truth, view) for truth, view in ((0, "top"), (0, "top"), (1, "top"), (1, "left"))]
    result = figures(np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.0, 1.0]]), feet)
    # argmax of a draw is left: truth 0 0 1 1, named 0 1 0 1; one right of three for either side
    assert result["accuracy"] == 0.5 and result["mean_iou"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["accuracy_by_view"] == {"left": 1.0, "top": pytest.approx(1 / 3, abs=1e-6)}
    assert result["loss"] == pytest.approx((np.log(2) + np.log(4) + np.log(2)) / 4, abs=1e-6)


def test_configuration_survives_json_and_refuses_nonsense():
    assert SideConfig.from_json(json.loads(json.dumps(CONFIG.to_json()))) == CONFIG
    with pytest.raises(ConfigError, match="pools"):
        SideConfig.from_json({"pools": [1]})
    with pytest.raises(ConfigError, match="batch 0"):
        SideConfig(batch=0)
    with pytest.raises(ConfigError, match="learning_rate"):
        SideConfig(learning_rate=0.0)


def test_training_leaves_a_run_that_predicts_and_resumes_exactly(dataset, tmp_path, monkeypatch):
    straight = train_side(dataset, tmp_path / "straight", CONFIG, console=SILENT)
    files = {file.name for file in straight.path.iterdir()}
    assert files == {"config.json", "history.jsonl", "best.weights.h5", "last.weights.h5", "state.npz", "log.txt"}
    assert json.loads((straight.path / "config.json").read_text())["data"]["training_samples"] == 12
    assert [line["validation"]["feet"] for line in straight.history] == [4, 4]
    model, config = load_side(straight.path)
    feet = read_feet(read_dataset(dataset, "validation"), 32, 320.0)
    result = figures(predict_side(model, config, np.stack([foot.crop for foot in feet])), feet)
    best = max(straight.history, key=lambda line: line["validation"]["mean_iou"])
    assert config == CONFIG and result["loss"] == pytest.approx(best["validation"]["loss"], rel=1e-3)

    epoch = side._train_epoch

    def interrupted(trainer, feet, number, *rest):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(trainer, feet, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(side, "_train_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_side(dataset, tmp_path / "broken", CONFIG, console=SILENT)
    with pytest.raises(ConfigError, match="--resume"):
        train_side(dataset, tmp_path / "broken", CONFIG, console=SILENT)
    resumed = train_side(dataset, tmp_path / "broken", CONFIG, resume=True, console=SILENT)
    ours, theirs = resumed.history[1], straight.history[1]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert ours["validation"]["loss"] == pytest.approx(theirs["validation"]["loss"], rel=1e-3)


def test_what_is_no_run_or_has_no_feet_is_refused(make_dataset, tmp_path):
    with pytest.raises(ConfigError, match="no run"):
        load_side(tmp_path)
    with pytest.raises(DataError, match="0 feet to train on"):
        train_side(make_dataset(3), tmp_path / "run", CONFIG, console=SILENT)
    assert not (tmp_path / "run").exists()


def test_command_line(make_dataset, tmp_path, monkeypatch):
    # TensorFlow refuses another number of threads once it has computed something, as it has in this process.
    monkeypatch.setattr(commands, "_prepare_tensorflow", lambda threads: 1)
    data, runner = make_dataset(2), CliRunner()
    arguments = ["train-side", str(data), "--out", str(tmp_path / "run"), "--lr", "0"]
    result = runner.invoke(commands.segmentation, arguments)
    assert result.exit_code == 1 and "learning_rate 0.0" in result.output
    help_text = runner.invoke(commands.segmentation, ["train-side", "--help"])
    assert help_text.exit_code == 0 and "--validation" in help_text.output
