import json

import cv2
import numpy as np
import pytest

from scenes.dataset import read_mask
from scenes.images import read_photo
from scenes.labels import PALETTE
from scenes.preparation import colour_maps
from scenes.preparation.cleaning import clean_mask
from scenes.preparation.colour_maps import (
    ColourMapError,
    Palette,
    find_pictures,
    fit_colours,
    label_pictures,
    own_palette,
    read_palette,
    sample_pixels,
)

PRIMARIES = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


def as_jpeg(mask, colours, quality):
    """A mask in colours, as a JPEG of that quality gives it back: uint8 (H, W, 3)."""
    bgr = np.ascontiguousarray(colours[mask][..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def pixels_of(pictures):
    return np.concatenate([picture.reshape(-1, 3)[::7] for picture in pictures])


def palette_of(colours):
    return Palette(np.arange(4, dtype=np.uint8), own_palette().names, colours)


def nearest(picture, colours):
    distances = np.linalg.norm(picture[..., None, :].astype(float) - colours, axis=-1)
    return distances.argmin(axis=-1).astype(np.uint8)


@pytest.mark.parametrize("colours", [PALETTE, PRIMARIES], ids=["own", "primaries"])
@pytest.mark.parametrize("quality, error_allowed", [(90, 0.0008), (60, 0.0025), (30, 0.006)])
def test_labels_of_pictures_damaged_by_jpeg(masks, colours, quality, error_allowed):
    pictures = [as_jpeg(mask, colours, quality) for mask in masks]
    model = fit_colours(pixels_of(pictures), palette_of(colours))
    labelled = [model.label(picture) for picture in pictures]
    error, cleaned, plain = (
        np.mean([(found != mask).mean() for found, mask in zip(founds, masks, strict=True)])
        for founds in (labelled, map(clean_mask, labelled), (nearest(picture, colours) for picture in pictures)))
    print(f"quality {quality}: error {error:.3%}, after cleaning {cleaned:.3%}, by the nearest colour {plain:.3%}")
    assert error < error_allowed
    assert error <= plain  # or the mixture would be for nothing


def test_cleaning_helps_where_jpeg_has_done_its_worst(masks):
    pictures = [as_jpeg(mask, PALETTE, 5) for mask in masks]
    model = fit_colours(pixels_of(pictures), own_palette())
    labelled = [model.label(picture) for picture in pictures]
    error, cleaned = (np.mean([(found != mask).mean() for found, mask in zip(founds, masks, strict=True)])
                      for founds in (labelled, map(clean_mask, labelled)))
    print(f"quality 5: error {error:.3%}, after cleaning {cleaned:.3%}")
    assert cleaned < 0.8 * error


def test_pure_colours_give_the_mask_itself(masks):
    pictures = [PALETTE[mask] for mask in masks]
    model = fit_colours(pixels_of(pictures), own_palette())
    for picture, mask in zip(pictures, masks, strict=True):
        found = model.label(picture)
        assert found.dtype == np.uint8 and (found == mask).all()
    np.testing.assert_allclose(model.means, PALETTE, atol=1e-6)


def test_colours_may_be_a_little_off_and_ids_any(masks):
    shown = np.array([[20, 20, 25], [215, 30, 40], [20, 220, 10], [40, 20, 225]], np.uint8)
    palette = Palette(np.array([7, 200, 3, 0], np.uint8), ("7", "200", "right_foot", "background"), PRIMARIES)
    pictures = [as_jpeg(mask, shown, 75) for mask in masks]
    model = fit_colours(pixels_of(pictures), palette)
    np.testing.assert_allclose(model.means, shown, atol=12)
    assert (model.label(pictures[0]) != palette.ids[masks[0]]).mean() < 0.003


def test_the_same_seed_gives_the_same_masks(masks):
    pictures = [as_jpeg(mask, PRIMARIES, 50) for mask in masks]
    first, second = (fit_colours(pixels_of(pictures), palette_of(PRIMARIES), seed=5) for _ in range(2))
    assert (first.means == second.means).all()
    assert (first.label(pictures[0]) == second.label(pictures[0])).all()


@pytest.mark.parametrize("quality", [30, 100])
def test_a_class_without_a_component_is_an_error(masks, quality):
    pictures = [as_jpeg(np.minimum(mask, 2), PALETTE, quality) for mask in masks]
    with pytest.raises(ColourMapError, match="right_foot"):
        fit_colours(pixels_of(pictures), own_palette())
    colours = np.concatenate([PALETTE[:1], PALETTE[2:]])
    without = Palette(np.array([0, 2, 3], np.uint8), ("background", "left_foot", "right_foot"), colours)
    with pytest.raises(ColourMapError):  # the sheet's colour is none of these
        fit_colours(pixels_of(pictures), without)


def test_two_components_on_one_class_are_an_error(masks):
    pictures = [as_jpeg(mask, PRIMARIES, 30) for mask in masks]  # of another palette
    with pytest.raises(ColourMapError, match="2 colours fall on right_foot and none on sheet; .*: give a palette"):
        fit_colours(pixels_of(pictures), own_palette())


def test_a_component_between_two_classes_is_an_error():
    rng = np.random.default_rng(1)
    colours = np.repeat([[0, 0, 0], [150, 0, 0]], 500, axis=0)
    pixels = np.clip(colours + rng.normal(0, 3, colours.shape), 0, 255).astype(np.uint8)
    palette = Palette(np.array([0, 1], np.uint8), ("background", "sheet"), np.array([[0, 0, 0], [255, 0, 0]], np.uint8))
    with pytest.raises(ColourMapError, match="sheet lies between"):
        fit_colours(pixels, palette)


def test_fewer_colours_than_classes_are_an_error():
    with pytest.raises(ColourMapError, match="hold 2 colours and the palette 4"):
        fit_colours(PALETTE[:2].repeat(50, axis=0), own_palette())


# Palettes


def palette_file(tmp_path, document):
    path = tmp_path / "palette.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_palette_is_read_with_names_and_ids(tmp_path):
    document = {"right_foot": "#0000fF", "background": [0, 0, 0], "19": [1, 2, 255]}
    palette = read_palette(palette_file(tmp_path, document))
    assert palette.ids.tolist() == [3, 0, 19] and palette.ids.dtype == np.uint8
    assert palette.colours.tolist() == [[0, 0, 255], [0, 0, 0], [1, 2, 255]]
    assert palette.names == ("right_foot", "background", "19")


@pytest.mark.parametrize("document, said", [
    ("{", "no palette could be read"),
    ("[" * 100_000, "no palette could be read"),
    ([[0, 0, 0]], "an object of colours by class"),
    ({"floor": [0, 0, 0]}, "'floor' is no class"),
    ({"256": [0, 0, 0]}, "'256' is no class"),
    ({"sheet": [0, 0]}, r"sheet is \[0, 0\]"),
    ({"sheet": [0, 0, 256]}, "sheet is"),
    ({"sheet": [0, 0, True]}, "sheet is"),
    ({"sheet": "red"}, "sheet is 'red'"),
    ({"sheet": [1, 2, 3], "1": [4, 5, 6]}, "class 1 is there twice"),
    ({"sheet": [1, 2, 3], "left_foot": "#010203"}, "colour .* is there twice"),
    ({"sheet": [1, 2, 3]}, "names 1 classes")])
def test_a_bad_palette_is_named_with_its_key(tmp_path, document, said):
    with pytest.raises(ColourMapError, match=f"palette.json: .*{said}"):
        read_palette(palette_file(tmp_path, document))
    with pytest.raises(ColourMapError, match="none.json"):
        read_palette(tmp_path / "none.json")


# Files


@pytest.fixture
def pictures(tmp_path, masks):
    """A folder of label pictures, JPEG, with a file that is none and a folder beside them."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    (folder / "notes.txt").touch()
    for k, mask in enumerate(masks[:3]):
        cv2.imwrite(str(folder / f"{k}.JPG"), PALETTE[mask][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    return folder


def test_pictures_are_found_by_their_ending(pictures):
    assert [path.name for path in find_pictures(pictures)] == ["0.JPG", "1.JPG", "2.JPG"]


def test_a_sample_is_of_all_pictures_that_can_be_read(pictures, monkeypatch):
    (pictures / "1.JPG").write_bytes(b"nothing")
    paths = find_pictures(pictures)
    first = sample_pixels(paths, seed=1)
    assert first.shape == (2 * 16667, 3) and first.dtype == np.uint8
    assert (first == sample_pixels(paths, seed=1)).all()
    assert (first != sample_pixels(paths, seed=2)).any()
    monkeypatch.setattr(colour_maps, "SAMPLE_PICTURES", 1)
    monkeypatch.setattr(colour_maps, "SAMPLE_PIXELS", 90)
    assert len(sample_pixels(paths[:1] + paths[2:])) == 90
    with pytest.raises(ColourMapError, match="none of 1 pictures"):
        sample_pixels(paths[1:2])


def test_masks_are_written_for_all_but_the_bad_pictures(pictures, masks, tmp_path):
    model = fit_colours(sample_pixels(find_pictures(pictures)), own_palette())
    content = (pictures / "1.JPG").read_bytes()
    (pictures / "1.JPG").write_bytes(content[:len(content) // 2])
    cv2.imwrite(str(pictures / "2.png"), PALETTE[masks[3]][..., ::-1])
    seen = []
    out = tmp_path / "masks"
    report = label_pictures(find_pictures(pictures), out, model, lambda *at: seen.append(at))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "2.png"]
    assert [line.split(": ")[0] for line in report.problems] == [str(pictures / "1.JPG"), str(pictures / "2.png")]
    assert "2.JPG has the name 2.png already" in report.problems[1]
    for k in (0, 2):
        mask = read_mask(out / f"{k}.png")
        assert (mask == model.label(read_photo(pictures / f"{k}.JPG").rgb)).all()
        assert (mask != masks[k]).mean() < 0.005
    assert report.pixels.sum() == 2 * masks[0].size
    assert report.example in (pictures / "0.JPG", pictures / "2.JPG")
