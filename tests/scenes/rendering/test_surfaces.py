import numpy as np
import pytest

from scenes.rendering import surfaces


@pytest.mark.parametrize("paint", sorted(set(surfaces.PROCEDURAL), key=lambda f: f.__name__))
def test_every_floor_is_a_picture_that_its_seed_decides(paint):
    size = surfaces.FLOOR_TEXTURE_PX
    first, again = (paint(np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (size, size, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, paint(np.random.default_rng(4)))


def test_noise_has_the_stated_spread():
    noise = surfaces.smooth_noise(np.random.default_rng(0), 128, (8, 8))
    assert noise.shape == (128, 128)
    assert noise.std() == pytest.approx(1, abs=1e-5)


def test_sheet_is_paper_bright_and_has_its_proportions():
    pages = [surfaces.sheet_texture(np.random.default_rng(k), 210, 297) for k in range(30)]
    assert all(page.shape == (594, 420, 3) for page in pages)
    blank = sum(len(np.unique(page.reshape(-1, 3), axis=0)) == 1 for page in pages)
    assert 8 <= blank <= 22  # half of them, drawn by chance
    assert np.mean([np.median(page) > 200 for page in pages]) > 0.7


def test_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(FileNotFoundError, match="no .jpg or .png"):
        surfaces.texture_files(tmp_path)


def test_unreadable_texture_is_named(tmp_path):
    path = tmp_path / "floor.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(OSError, match="floor.png"):
        for seed in range(40):  # an image is taken in 4 of 10 cases
            surfaces.floor_texture(np.random.default_rng(seed), [path])
