import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from foliopie import main
from scenes.contact_sheet import (
    AUGMENTATIONS,
    CELL_PX,
    GAP_PX,
    chosen,
    contact_sheet,
    draw_truth,
    in_cell,
    tiled,
)
from scenes.dataset import read_dataset, write_annotations
from scenes.labels import PALETTE, SHEET


@pytest.fixture
def dataset(tmp_path):
    """Five grey photos of rising brightness, each with a sheet in its middle."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    records = []
    for k in range(5):
        Image.new("RGB", (120, 160), (40 * k,) * 3).save(folder / "images" / f"{k}.png")
        mask = np.zeros((160, 120), np.uint8)
        mask[40:120, 30:90] = SHEET
        Image.fromarray(mask).save(folder / "masks" / f"{k}.png")
        records.append({"file_name": f"{k}.png", "width": 120, "height": 160, "visibility": [2, 1, 2, 0],
                        "corners": [[30, 40], [89, 40], [89, 119], [30, 119]]})
    write_annotations(folder, records)
    return folder


def test_chosen_are_drawn_once_in_their_order_and_by_seed():
    items = list(range(100))
    some = chosen(items, 10, seed=3)
    assert len(set(some)) == 10 and some == sorted(some)
    assert some == chosen(items, 10, seed=3) != chosen(items, 10, seed=4)
    assert chosen(items, 500) == items


def test_a_photo_keeps_its_shape_in_its_cell():
    cell = in_cell(np.full((50, 100, 3), 7, np.uint8), (60, 60))
    assert cell.shape == (60, 60, 3)
    assert (cell[15:45] == 7).all()  # 60 x 30, in the middle
    assert (cell[:15] == 255).all() and (cell[45:] == 255).all()


def test_tiles_fill_rows_from_the_top_left():
    page = tiled([np.full((10, 10, 3), k, np.uint8) for k in (1, 2, 3)], 2, (10, 10))
    assert page.shape == (2 * (10 + GAP_PX) + GAP_PX,) * 2 + (3,)
    second = GAP_PX + 10 + GAP_PX
    assert page[GAP_PX, GAP_PX, 0] == 1 and page[GAP_PX, second, 0] == 2 and page[second, GAP_PX, 0] == 3
    assert page[second, second, 0] == 255
    with pytest.raises(ValueError, match="one picture"):
        tiled([], 2)


def test_truth_is_drawn_on_a_copy():
    rgb = np.zeros((60, 60, 3), np.uint8)
    mask = np.zeros((60, 60), np.uint8)
    mask[20:40, 20:40] = SHEET
    drawn = draw_truth(rgb, mask, [[5, 5], [50, 5], [50, 50], [-1e9, np.nan]], [2, 1, 0, 0])
    assert not rgb.any()
    assert (drawn[20, 30] == PALETTE[SHEET]).all()  # outline
    assert not drawn[30, 30].any()  # not the inside
    assert drawn[:10, :10].any() and drawn[45:55, 45:55].any()


def test_command_writes_the_sheet_with_real_photos_beside(dataset, tmp_path):
    beside = tmp_path / "real"
    beside.mkdir()
    Image.new("RGB", (300, 200), (250, 0, 0)).save(beside / "a.jpg")
    (beside / "notes.txt").write_text("no photo")
    out = tmp_path / "sheet.png"
    result = CliRunner().invoke(main, ["scenes", "sheet", str(dataset), "--count", "4", "--beside", str(beside),
                                       "--out", str(out), "--truth"])
    assert result.exit_code == 0, result.output
    with Image.open(out) as picture:
        pixels = np.array(picture.convert("RGB")).astype(int)
    reddish = (pixels[..., 0] > 200) & (pixels[..., 1] < 60)
    assert reddish[:, pixels.shape[1] // 2:].any() and pixels.shape[1] > CELL_PX[0]


def test_an_unreadable_photo_is_named_and_the_rest_drawn(dataset):
    (dataset / "images" / "2.png").write_bytes(b"no picture")
    picture, problems = contact_sheet(read_dataset(dataset))
    assert len(problems) == 1 and "2.png" in problems[0]
    result = CliRunner().invoke(main, ["scenes", "sheet", str(dataset)])
    assert result.exit_code == 1 and "2.png" in result.output
    assert (dataset / "contact_sheet.png").exists()


def yellow_px(page):
    """How many pixels of grey photos are as yellow as the outline of a sheet, shrunk with its photo."""
    red, green, blue = page.astype(int).transpose(2, 0, 1)
    return ((red - blue > 50) & (green - blue > 50)).sum()


def test_changed_photos_are_those_of_the_seed_with_their_truth(dataset):
    samples = read_dataset(dataset)
    plain, _ = contact_sheet(samples)
    first, again, other = (contact_sheet(samples, augmentation=AUGMENTATIONS["strong"], seed=seed)[0]
                           for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other) and not np.array_equal(first, plain)
    thesis, _ = contact_sheet(samples, True, augmentation=AUGMENTATIONS["thesis"])
    assert yellow_px(thesis) > 5 * 150  # five outlines, each longer than that
    # Without masks only the corners can be drawn.
    for sample in samples:
        sample.mask_path.unlink()
    corners_only, problems = contact_sheet(samples, True, augmentation=AUGMENTATIONS["thesis"])
    assert not problems and yellow_px(corners_only) == 0
    assert ((corners_only.max(axis=2).astype(int) - corners_only.min(axis=2)) > 60).any()


def test_command_shows_the_augmentation(dataset, tmp_path):
    out = tmp_path / "strong.png"
    result = CliRunner().invoke(main, ["scenes", "sheet", str(dataset), "--augment", "strong", "--truth",
                                       "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.exists() and not (dataset / "contact_sheet.png").exists()
    assert CliRunner().invoke(main, ["scenes", "sheet", str(dataset), "--augment", "weak"]).exit_code == 2


def test_a_visibility_that_there_is_not_is_named_and_the_rest_drawn(dataset):
    samples = read_dataset(dataset)
    samples[1].visibility[0], samples[3].visibility[2] = 7, -1
    picture, problems = contact_sheet(samples, True)
    assert len(problems) == 2 and "1.png: visibility is [7, 1, 2, 0]" in problems[0] and "3.png" in problems[1]
    assert yellow_px(picture) > 3 * 150


def test_command_names_the_endings_and_an_empty_folder_beside(dataset, tmp_path):
    for options, word in ((["--out", str(tmp_path / "a.gif")], ".png or .jpg"),
                          (["--out", str(tmp_path / "a")], ".png or .jpg"),
                          (["--beside", str(dataset)], "no photo in this folder")):
        result = CliRunner().invoke(main, ["scenes", "sheet", str(dataset), *options])
        assert result.exit_code == 2 and word in result.stderr
    assert not (dataset / "contact_sheet.png").exists()
    out = tmp_path / "new" / "a.jpg"
    assert CliRunner().invoke(main, ["scenes", "sheet", str(dataset), "--out", str(out)]).exit_code == 0
    with Image.open(out) as picture:
        assert picture.format == "JPEG"
