import cv2
import mitsuba as mi
import numpy as np
import pytest

from scenes.rendering import floor_kinds, noise, surfaces
from scenes.rendering.surfaces import FloorConfig, sample_floor

DRAWN = sorted(set(floor_kinds.PAINTERS) - {"mid_tone"})


@pytest.mark.parametrize("kind", DRAWN)
def test_every_floor_is_a_picture_that_its_seed_decides(kind):
    theme = floor_kinds.Theme("ordinary", 1.4)
    first, again, other = (floor_kinds.PAINTERS[kind](np.random.default_rng(seed), theme) for seed in (3, 3, 4))
    assert first.shape == (noise.FIELD_PX, noise.FIELD_PX, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def _floors(count, config):
    return [sample_floor(np.random.default_rng([8, k]), config) for k in range(count)]


@pytest.fixture(scope="module")
def floors():
    return _floors(100, FloorConfig())


def test_floors_have_natural_colours_light_and_dark(floors):
    colours = np.array([cv2.mean(floor.texture)[:3] for floor in floors])
    saturation = 1 - colours.min(1) / colours.max(1)
    coloured = saturation > 0.25
    warm = (colours[:, 0] >= colours[:, 1]) & (colours[:, 1] >= colours[:, 2])
    # What is coloured is brown; blue carpets, lawns and the rare vivid floor are the exception.
    assert (coloured & ~warm).mean() < 0.12
    lightness = colours.mean(1)
    assert (lightness > 200).mean() > 0.12
    assert (lightness < 85).mean() > 0.12


def test_a_clear_share_of_floors_is_near_white_and_glossy(floors):
    white = [floor.gloss is not None and floor.texture.mean() > 195 for floor in floors]
    assert 0.12 < np.mean(white) < 0.4
    glosses = [floor.gloss for floor in floors if floor.gloss]
    assert 0.02 < min(glosses) < max(glosses) < 0.45


def test_textures_repeat_without_a_seam():
    for kind in ("cloud", "streak", "warp"):
        field = noise.field(kind)
        for axis in (0, 1):
            lines = np.moveaxis(field, axis, 0)
            steps = np.abs(np.diff(lines, axis=0)).mean(1)
            assert np.abs(lines[0] - lines[-1]).mean() < 1.2 * steps.max()
        assert field.mean() == pytest.approx(0, abs=1e-3)
        assert field.std() == pytest.approx(1, abs=1e-3)


def test_rows_know_their_pieces():
    pieces = floor_kinds._rows(np.random.default_rng(0), 4, 2, "none")
    assert pieces.count == 8
    assert pieces.piece[0, 0] == 0 and pieces.piece[-1, 0] == 1 and pieces.piece[0, -1] == 6
    assert pieces.across[0, 192] == 0 and pieces.along[400, 0] == 400 - 384
    assert pieces.border[10, 100] == 10  # 10 px from the top border of the first tile, 92 from its sides
    assert (np.bincount(pieces.piece.ravel()) == 192 * 384).all()


def test_herringbone_boards_are_ratio_times_as_long_as_wide():
    ratio, blocks = 4, 3
    pieces = floor_kinds._herringbone(blocks, ratio)
    width = noise.FIELD_PX / (2 * ratio * blocks)
    areas = np.bincount(pieces.piece.ravel())
    np.testing.assert_allclose(areas[areas > 0], ratio * width**2)
    assert pieces.along.max() == pytest.approx(ratio * width - 1, abs=1)
    assert pieces.across.max() == pytest.approx(width - 1, abs=1)


def test_plain_floor_is_one_matt_middle_tone():
    for floor in _floors(20, surfaces.PLAIN_FLOOR):
        assert len(np.unique(floor.texture.reshape(-1, 3), axis=0)) == 1
        assert 90 <= floor.texture.min() and floor.texture.max() <= 190
        assert floor.gloss is None


def test_plain_floor_ignores_image_files(tmp_path):
    floor = sample_floor(np.random.default_rng(0), surfaces.PLAIN_FLOOR, [tmp_path / "missing.png"])
    assert floor.texture.shape == (8, 8, 3)


def test_images_are_taken_in_their_share_and_read_once(tmp_path):
    path = tmp_path / "floor.png"
    cv2.imwrite(str(path), np.full((40, 60, 3), (60, 100, 140), np.uint8))  # BGR of a brown
    surfaces._image.cache_clear()
    config = FloorConfig(wear_share=0.0, crumb_share=0.0)
    floors = [sample_floor(np.random.default_rng(k), config, [path]) for k in range(100)]
    taken = [floor for floor in floors if floor.repeat == "mirror"]
    assert 25 < len(taken) < 55
    assert surfaces._image.cache_info().misses == 1
    for floor in taken:
        red, green, blue = floor.texture[0, 0].astype(float)
        assert red > green > blue
        assert 500 <= floor.span_mm <= 1700


def test_image_floors_are_never_whiter_than_paper(tmp_path):
    path = tmp_path / "white.png"
    cv2.imwrite(str(path), np.full((40, 40, 3), 255, np.uint8))
    config = FloorConfig(image_share=1.0, wear_share=0.0, crumb_share=0.0)
    for seed in range(10):
        floor = sample_floor(np.random.default_rng(seed), config, [path])
        assert 140 < floor.texture.mean() and floor.texture.max() <= 237


def test_floor_mesh_lies_at_zero_and_is_its_seeds():
    seen = []
    for _ in range(2):
        mesh = surfaces.floor_mesh(np.random.default_rng(5), FloorConfig())
        assert mesh.id() == "floor"
        parameters = mi.traverse(mesh)
        vertices = np.array(parameters["vertex_positions"]).reshape(-1, 3)
        assert (vertices[:, 2] == 0).all()
        assert np.abs(vertices[:, :2]).min() >= 3000
        seen.append(np.array(parameters["vertex_texcoords"]))
    np.testing.assert_array_equal(*seen)


def test_unknown_kind_of_floor_is_named():
    with pytest.raises(ValueError, match="lava"):
        FloorConfig(kinds=(("lava", 1.0),))


def test_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(FileNotFoundError, match="no .jpg or .png"):
        surfaces.texture_files(tmp_path)


def test_unreadable_texture_is_named(tmp_path):
    path = tmp_path / "floor.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(OSError, match="floor.png"):
        sample_floor(np.random.default_rng(0), FloorConfig(image_share=1.0), [path])
