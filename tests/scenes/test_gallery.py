import cv2
import numpy as np
import pytest

from scenes import gallery


def test_pictures_are_numbered_in_order_beside_a_contact_sheet(tmp_path):
    names, done = [f"day 1/{k}.jpg" for k in range(4)], []
    pictures = [(name, np.full((20, 30, 3), [200, 10 * k, 0], np.uint8)) for k, name in enumerate(names)]
    paths = gallery.write_gallery(tmp_path / "new", iter(pictures), 4, done.append)
    assert [path.name for path in paths] == [
        "01-day_1_0.png", "02-day_1_1.png", "03-day_1_2.png", "04-day_1_3.png", "contact-sheet.png"]
    assert done == [1, 1, 1, 1]
    assert cv2.imread(str(paths[3]))[0, 0].tolist() == [0, 30, 200]  # OpenCV's BGR
    assert cv2.imread(str(paths[4])).shape[0] > 2 * gallery.CELL_PX[1]
    assert gallery.write_gallery(tmp_path / "none", [], 0) == [] and not (tmp_path / "none").exists()


def test_a_caption_is_above_and_ascii():
    picture = gallery.captioned(np.zeros((10, 200, 3), np.uint8), "1: caf\u00e9")
    assert picture.shape == (10 + gallery.HEADER_PX, 200, 3) and not picture[gallery.HEADER_PX:].any()
    assert (picture[:gallery.HEADER_PX] < 128).any()
    two = gallery.captioned(np.zeros((10, 200, 3), np.uint8), "one", "two")
    assert two.shape[0] == 10 + 2 * gallery.HEADER_PX and (two[gallery.HEADER_PX:2 * gallery.HEADER_PX] < 128).any()


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    gallery.check_folder(tmp_path)
    gallery.check_folder(tmp_path / "new")
    (tmp_path / "old.png").write_bytes(b"")
    with pytest.raises(ValueError, match="is not empty; name a new folder"):
        gallery.check_folder(tmp_path)


def test_names_of_samples_become_names_of_files():
    assert gallery.file_name("day 1/IMG_0001.JPG") == "day_1_IMG_0001"
    assert gallery.file_name("000001") == "000001" and len(gallery.file_name("x" * 300)) == 80
