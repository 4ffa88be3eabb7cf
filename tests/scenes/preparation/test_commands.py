import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.labels import PALETTE
from scenes.preparation.cleaning import clean_mask
from scenes.preparation.commands import clean, labels, stats


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def is_png(path):
    return cv2.imread(str(path)) is not None


# stats


def test_stats_prints_and_writes_ours_beside_the_published(make_dataset, masks, tmp_path):
    folder = make_dataset(masks)
    result = run(stats, folder, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "published" in result.stdout and "right_foot" in result.stdout and "69.84" in result.stdout
    assert "-0.9744" in result.stdout  # table 2
    assert "0 0 0 1" in result.stdout  # table 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["pixels.png", "shares.png", "stats.json"]
    assert is_png(tmp_path / "out" / "pixels.png") and is_png(tmp_path / "out" / "shares.png")
    document = json.loads((tmp_path / "out" / "stats.json").read_text())
    expected = np.mean([(mask == 1).mean() for mask in masks])
    assert document["classes"]["sheet"]["mean_share"] == pytest.approx(expected)
    assert document["dataset"] == "data" and document["split"] is None
    assert document["pixels"]["R"]["mean"] == pytest.approx(65)


def test_stats_of_a_split(make_dataset, masks):
    folder = make_dataset(masks[:3], splits=["train", "validation", "train"])
    result = run(stats, folder, "--split", "validation")
    assert result.exit_code == 0
    assert "class shares of 1 masks" in result.stdout
    result = run(stats, folder, "--split", "test")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {folder} has no samples of split test\n"


def test_stats_names_what_cannot_be_read_and_counts_the_rest(make_dataset, masks):
    folder = make_dataset(masks[:3])
    (folder / "images" / "000001.png").write_bytes(b"nothing")
    result = run(stats, folder)
    assert result.exit_code == 1
    assert "pixel values of 2 photos" in result.stdout and "class shares of 3 masks" in result.stdout
    assert [line for line in result.stderr.splitlines() if "000001.png" in line and "not an image" in line]


def test_stats_of_a_dataset_without_masks(make_dataset, masks, tmp_path):
    folder = make_dataset(masks[:2])
    write_annotations(folder, read_dataset(folder), masks=False)
    for path in (folder / "masks").iterdir():
        path.unlink()
    result = run(stats, folder, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "class shares" not in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["pixels.png", "stats.json"]


def test_stats_of_what_is_no_dataset(tmp_path):
    result = run(stats, tmp_path)
    assert result.exit_code == 1 and "annotations.json" in result.stderr
    assert run(stats, tmp_path / "none").exit_code == 2


# clean


def test_clean_writes_a_dataset_and_what_changed(make_dataset, masks, tmp_path):
    folder, out = make_dataset(masks[:2]), tmp_path / "out"
    result = run(clean, folder, out, "--window", 3, "--link")
    assert result.exit_code == 0, result.output
    assert is_png(out / "cleaning.png")
    report = json.loads((out / "cleaning.json").read_text())
    expected = sum(int((clean_mask(mask, 3) != mask).sum()) for mask in masks[:2])
    assert report["changed"] == expected and report["window_px"] == 3
    assert f"{expected:,} of 153,600 pixels changed" in result.stdout
    assert (read_mask(out / "masks" / "000001.png") == clean_mask(masks[1], 3)).all()
    assert (out / "images" / "000001.png").samefile(folder / "images" / "000001.png")


def test_clean_of_clean_masks_draws_nothing(make_dataset, tmp_path):
    folder = make_dataset([np.ones((120, 120), np.uint8)], feet=())
    result = run(clean, folder, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "out" / "cleaning.png").exists()


def test_clean_names_bad_masks_and_ends_with_1(make_dataset, masks, tmp_path):
    folder = make_dataset(masks[:2])
    (folder / "masks" / "000000.png").write_bytes(b"nothing")
    result = run(clean, folder, tmp_path / "out")
    assert result.exit_code == 1
    assert "000000.png: the mask cannot be read" in result.stderr
    assert (tmp_path / "out" / "masks" / "000000.png").read_bytes() == b"nothing"
    assert is_png(tmp_path / "out" / "cleaning.png")


@pytest.mark.parametrize("content", [b"nothing", cv2.imencode(".png", np.zeros((110, 120, 3), np.uint8))[1].tobytes()],
                         ids=["unreadable", "of another size"])
def test_clean_without_a_photo_to_draw_on(make_dataset, masks, tmp_path, content):
    folder = make_dataset(masks[:1])
    (folder / "images" / "000000.png").write_bytes(content)
    result = run(clean, folder, tmp_path / "out")
    assert result.exit_code == 0 and "no cleaning.png" in result.stderr
    assert not (tmp_path / "out" / "cleaning.png").exists()


def test_clean_refuses_a_filled_folder_and_an_even_window(make_dataset, masks, tmp_path):
    folder = make_dataset(masks[:1])
    result = run(clean, folder, folder)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {folder} is there already and not empty: name a new folder\n"
    result = run(clean, folder, tmp_path / "out", "--window", 4)
    assert result.exit_code == 2 and "it must be odd" in result.stderr
    assert not (tmp_path / "out").exists()


# labels


@pytest.fixture
def pictures(tmp_path, masks):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k, mask in enumerate(masks[:3]):
        cv2.imwrite(str(folder / f"{k}.jpg"), PALETTE[mask][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    return folder


def test_labels_makes_masks_of_colours(pictures, masks, tmp_path):
    result = run(labels, pictures, tmp_path / "out", "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]
    for k, mask in enumerate(masks[:3]):
        assert (read_mask(tmp_path / "out" / f"{k}.png") != mask).mean() < 0.003
    assert "240 228 66" in result.stdout
    assert is_png(tmp_path / "figures" / "clusters.png") and is_png(tmp_path / "figures" / "example.png")


def test_labels_by_a_palette_of_ones_own(pictures, masks, tmp_path):
    path = tmp_path / "palette.json"
    path.write_text(json.dumps({str(10 * k): colour for k, colour in enumerate(PALETTE.tolist())}))
    result = run(labels, pictures, tmp_path / "out", "--palette", path)
    assert result.exit_code == 0, result.output
    assert set(np.unique(read_mask(tmp_path / "out" / "0.png"))) == {0, 10, 20, 30}


def test_labels_goes_on_after_a_bad_picture(pictures, tmp_path):
    (pictures / "1.jpg").write_bytes(b"nothing")
    result = run(labels, pictures, tmp_path / "out")
    assert result.exit_code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "2.png"]
    assert [line for line in result.stderr.splitlines() if line.startswith(f"{pictures / '1.jpg'}: ")]


def test_labels_of_colours_that_are_not_the_palettes_writes_nothing(pictures, tmp_path):
    path = tmp_path / "palette.json"
    path.write_text('{"background": [0, 0, 0], "sheet": [255, 255, 255]}')
    result = run(labels, pictures, tmp_path / "out", "--palette", path)
    assert result.exit_code == 1 and result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_labels_refuses_wrong_folders(pictures, tmp_path):
    result = run(labels, pictures, pictures)
    assert result.exit_code == 1 and "name a new folder" in result.stderr
    (tmp_path / "empty").mkdir()
    result = run(labels, tmp_path / "empty", tmp_path / "out")
    assert result.exit_code == 2 and "no pictures" in result.stderr


def test_labels_that_are_interrupted_leave_nothing(pictures, tmp_path, monkeypatch):
    import scenes.preparation.colour_maps as colour_maps

    whole, seen = colour_maps.mask_png, []

    def interrupted(mask):
        seen.append(mask)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return whole(mask)

    monkeypatch.setattr(colour_maps, "mask_png", interrupted)
    assert run(labels, pictures, tmp_path / "out").exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
    assert run(labels, pictures, tmp_path / "out").exit_code == 0


def test_labels_of_class_ids_tell_the_colours_that_are_there(masks, tmp_path):
    (tmp_path / "ids").mkdir()
    for k, mask in enumerate(masks[:2]):
        cv2.imwrite(str(tmp_path / "ids" / f"{k}.png"), mask)
    result = run(labels, tmp_path / "ids", tmp_path / "out")
    assert result.exit_code == 1 and "no pixel has the colour of sheet" in result.stderr
    assert "seem to be (1, 1, 1)" in result.stderr
