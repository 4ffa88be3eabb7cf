import io
import os
import pickle
import warnings
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageFile

import scenes.images
from scenes.camera import FILM_DIAGONAL_MM
from scenes.images import (
    FITS,
    PADDING_GREY,
    PHOTO_FORMATS,
    InputSpec,
    PhotoError,
    as_photo,
    content_of_input,
    fit_photo,
    input_to_photo,
    is_of_known_kind,
    mask_to_photo,
    photo_size,
    read_photo,
)
from scenes.sheet import transform


def halves(mode, left, right, size=(120, 100)):
    """Image whose left half has one value and whose right half another."""
    image = Image.new(mode, size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def saved(tmp_path, image, name="photo.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def heic(tmp_path, image, **options):
    """The image as a phone's HEIC file."""
    pillow_heif.from_pillow(image).save(tmp_path / "photo.heic", **options)
    return tmp_path / "photo.heic"


def two_colours(photo):
    return photo.rgb[50, 5].tolist(), photo.rgb[50, -5].tolist()


# Reading


@pytest.mark.parametrize("mode, left, right, name, seen", [
    ("1", 0, 1, "photo.png", ([0] * 3, [255] * 3)),
    ("L", 10, 200, "photo.png", ([10] * 3, [200] * 3)),
    ("LA", (10, 255), (10, 0), "photo.png", ([10] * 3, [255] * 3)),
    ("RGB", (1, 2, 3), (200, 100, 50), "photo.bmp", ([1, 2, 3], [200, 100, 50])),
    ("RGBA", (10, 20, 30, 255), (0, 0, 0, 0), "photo.png", ([10, 20, 30], [255] * 3)),
    ("RGBA", (10, 20, 30, 255), (0, 100, 0, 51), "photo.png", ([10, 20, 30], [204, 224, 204])),
    ("I;16", 257 * 40, 65535, "photo.png", ([40] * 3, [255] * 3)),
    ("I;16", 257 * 40, 257 * 3, "photo.tif", ([40] * 3, [3] * 3)),
    ("I", 257 * 40, -5, "photo.tif", ([40] * 3, [0] * 3)),
    ("F", 0.5, 7.0, "photo.tif", ([128] * 3, [255] * 3)),
    ("F", float("nan"), 1.0, "photo.tif", ([0] * 3, [255] * 3)),
    ("CMYK", (0, 0, 0, 0), (0, 0, 0, 255), "photo.tif", ([255] * 3, [0] * 3))])
def test_every_mode_becomes_rgb_of_a_known_value(tmp_path, mode, left, right, name, seen):
    photo = read_photo(saved(tmp_path, halves(mode, left, right), name))
    assert photo.rgb.dtype == np.uint8 and photo.rgb.shape == (100, 120, 3)
    assert two_colours(photo) == seen
    assert photo.focal_px is None


def test_a_dark_16_bit_image_stays_dark(tmp_path):
    # Nobody's range is guessed: the greatest value here is 2, and of 65535 that is black.
    dark = np.ones((100, 120), np.uint16)
    dark[50:] = 2
    assert read_photo(saved(tmp_path, Image.fromarray(dark))).rgb.max() == 0


def test_a_palette_with_a_transparent_colour_is_laid_on_white(tmp_path):
    image = halves("P", 0, 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert two_colours(read_photo(saved(tmp_path, image))) == ([10, 20, 30], [40, 50, 60])
    assert two_colours(read_photo(saved(tmp_path, image, transparency=1))) == ([10, 20, 30], [255] * 3)


def test_cmyk_jpeg_is_read_as_rgb(tmp_path):
    path = saved(tmp_path, halves("CMYK", (0, 0, 0, 0), (0, 255, 255, 0)), "photo.jpg", quality=100)
    left, right = two_colours(read_photo(path))
    assert np.allclose(left, 255, atol=3) and np.allclose(right, [255, 0, 0], atol=5)


def test_heic_is_read_with_its_alpha_and_from_bytes(tmp_path):
    path = heic(tmp_path, halves("RGBA", (10, 20, 30, 255), (0, 0, 0, 0)), quality=100)
    for photo in (read_photo(path), read_photo(path.read_bytes())):
        left, right = two_colours(photo)
        assert np.allclose(left, [10, 20, 30], atol=3) and np.allclose(right, 255, atol=3)
    path.write_bytes(path.read_bytes()[:-len(path.read_bytes()) // 3])
    code, message = code_and_message(path)
    assert code == "unreadable_image" and "damaged or cut short" in message


def test_heic_without_its_library_is_an_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes.images, "_register_heif", lambda: False)
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "pillow-heif, which is not installed" in code_and_message(tmp_path / "photo.heic")[1]


def test_a_photo_may_be_given_as_path_bytes_pixels_or_photo(tmp_path):
    path = saved(tmp_path, halves("RGB", (1, 2, 3), (200, 100, 50)))
    photo = read_photo(path)
    for given in (path, str(path), path.read_bytes(), photo.rgb, photo):
        assert np.array_equal(as_photo(given).rgb, photo.rgb)
    bgr = photo.rgb[:, :, ::-1]
    assert as_photo(bgr[:, :, ::-1]).rgb.flags.c_contiguous


@pytest.mark.parametrize("given, said", [
    (np.zeros((200, 200, 3)), "array float64 (200, 200, 3); it must be uint8 (H, W, 3)"),
    (np.zeros((200, 200), np.uint8), "array uint8 (200, 200)"),
    (np.zeros((200, 200, 4), np.uint8), "array uint8 (200, 200, 4)"),
    (np.zeros((3, 200, 200), np.uint8), "array uint8 (3, 200, 200)"),
    (np.zeros((200, 99, 3), np.uint8), "99 x 200 pixels"),
    (b"no image", "not an image"), (b"", "empty"), (7, "given as int; it must be a path"),
    (Image.new("RGB", (200, 200)), "numpy.asarray(image.convert('RGB'))")])
def test_what_is_no_photo_is_said(given, said):
    with pytest.raises(PhotoError) as caught:
        as_photo(given)
    assert said in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif", "a.ppm", "a.heic"])
def test_size_and_kind_are_told_by_the_beginning_of_a_file(tmp_path, name):
    if name == "a.heic":
        pillow_heif.register_heif_opener()
    Image.new("RGB", (130, 110)).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert photo_size(tmp_path / name) == photo_size(data) == (130, 110)
    assert is_of_known_kind(data) and is_of_known_kind(data[:20])


@pytest.mark.parametrize("data", [b"", b"\xff", b"%PDF-1.7", b"GIF", b"<svg xmlns", bytes(100)])
def test_what_is_of_no_known_kind(data):
    assert not is_of_known_kind(data)
    with pytest.raises(PhotoError) as told:
        photo_size(data)
    assert told.value.code == "unreadable_image"


def bytes_as(kind):
    stream = io.BytesIO()
    Image.new("RGB", (128, 128), (9, 9, 9)).save(stream, format=kind)
    return stream.getvalue()


@pytest.mark.parametrize("data", [
    *map(bytes_as, ["JPEG2000", "EPS", "ICNS", "ICO", "DDS", "TGA", "PCX", "SGI", "QOI", "PDF"]),
    b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x80\0\0\0\x80\0\x08\0\3" + bytes(99), b"\xd7\xcd\xc6\x9a" + bytes(99)],
    ids=["jp2", "eps", "icns", "ico", "dds", "tga", "pcx", "sgi", "qoi", "pdf", "psd", "wmf"])  # fmt: skip
def test_other_kinds_are_refused_before_their_reader_is_called(data, monkeypatch):
    Image.init()
    for name in set(Image.OPEN) - set(PHOTO_FORMATS):
        monkeypatch.setitem(Image.OPEN, name, (lambda *_, name=name: pytest.fail(f"{name} was read"), None))
    with pytest.raises(PhotoError) as told:
        read_photo(data)
    assert told.value.code == "unreadable_image" and "not an image of a known kind" in told.value.message
    assert not is_of_known_kind(data)


def test_the_size_is_held_to_the_limits_before_anything_is_decoded(tmp_path):
    Image.new("L", (99, 200)).save(tmp_path / "small.png")
    with pytest.raises(PhotoError) as told:
        photo_size(tmp_path / "small.png")
    assert told.value.code == "image_too_small"


def test_the_first_of_several_frames_is_taken(tmp_path):
    frames = [Image.new("L", (120, 100), value) for value in (30, 200)]
    path = saved(tmp_path, frames[0], "photo.gif", save_all=True, append_images=frames[1:])
    assert read_photo(path).rgb[0, 0].tolist() == [30, 30, 30]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_upright_photo(tmp_path, orientation):
    upright = np.zeros((110, 130, 3), np.uint8)
    upright[:20, :40], upright[-20:, :40], upright[:20, -40:] = 80, 160, 240
    # What a sensor wrote for EXIF to name the turn back: rows and columns as the standard tables them.
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.swapaxes(0, 1), 6: upright[:, ::-1].swapaxes(0, 1),
              7: upright[::-1, ::-1].swapaxes(0, 1), 8: upright[::-1].swapaxes(0, 1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0xA405] = 26
    turned = Image.fromarray(np.ascontiguousarray(stored))
    paths = [saved(tmp_path, turned, f"photo.{suffix}", exif=exif.tobytes(), **options) for suffix, options in (
        ("png", {}), ("webp", {"lossless": True}), ("jpg", {"quality": 98, "subsampling": 0}))]
    for path in [*paths, heic(tmp_path, turned, exif=exif.tobytes(), quality=95)]:
        photo = read_photo(path)
        assert photo.rgb.shape == upright.shape, path
        assert np.abs(photo.rgb.astype(int) - upright).max() <= (0 if path.suffix in (".png", ".webp") else 30), path
        assert photo.focal_px == pytest.approx(26 / FILM_DIAGONAL_MM * np.hypot(110, 130))


def test_tiff_is_turned_once(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (100, 150)), "photo.tif", tiffinfo={0x0112: 6})
    assert read_photo(path).rgb.shape == (100, 150, 3)


def smooth_photo(width, height):
    """uint8 (height, width, 3) that changes slowly, with one bright square of 8 x 8 pixels at (80, 48)."""
    rows, columns = np.mgrid[:height, :width]
    rgb = np.stack([columns * 200 / width, rows * 200 / height, np.full(rows.shape, 90.0)], axis=-1).astype(np.uint8)
    rgb[48:56, 80:88] = 255
    return rgb


@pytest.mark.parametrize("name, size, factor", [
    ("photo.jpg", (640, 400), 4), ("photo.jpg", (645, 403), 4), ("photo.jpg", (310, 400), 2),
    ("photo.jpg", (319, 200), 1), ("photo.png", (640, 400), 4), ("photo.png", (645, 403), 4),
    ("photo.tif", (160, 1300), 8)])  # fmt: skip
def test_a_large_photo_is_shrunk_while_it_is_read(tmp_path, name, size, factor):
    Image.fromarray(smooth_photo(*size)).save(tmp_path / name, **({"quality": 95} if name == "photo.jpg" else {}))
    photo, whole = read_photo(tmp_path / name, enough_px=160), read_photo(tmp_path / name)
    assert (photo.shrunk, photo.size, whole.shrunk, whole.size) == (factor, size, 1, size)
    width, height = (side // factor for side in size)
    # JPEG keeps a last pixel that is not whole.
    assert abs(photo.rgb.shape[1] - width) <= 1 and abs(photo.rgb.shape[0] - height) <= 1
    means = whole.rgb[: height * factor, : width * factor].reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    assert np.abs(photo.rgb[:height, :width] - means).max() <= (12 if name == "photo.jpg" else 1)


def test_a_photo_that_was_turned_is_shrunk_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth_photo(640, 400)).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    photo, whole = read_photo(tmp_path / "photo.jpg", 300), read_photo(tmp_path / "photo.jpg")
    assert photo.size == whole.size == (400, 640) and photo.rgb.shape == (320, 200, 3)
    assert np.abs(photo.rgb - whole.rgb.reshape(320, 2, 200, 2, 3).mean(axis=(1, 3))).max() <= 12


def test_a_damaged_header_spoils_no_pixel(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (120, 100), (9, 9, 9)), "photo.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, on the header
        assert read_photo(path).rgb.max() == 9


def code_and_message(path):
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("content, said", [
    (b"", "empty"), (b"not an image at all", "not an image"), (b"\xff\xd8\xff\xe0", "image"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n", "image")])
def test_what_is_no_image_is_unreadable(tmp_path, content, said):
    (tmp_path / "photo.jpg").write_bytes(content)
    code, message = code_and_message(tmp_path / "photo.jpg")
    assert code == "unreadable_image" and said in message and "\n" not in message


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif", "photo.bmp", "photo.gif"])
def test_a_file_cut_short_is_unreadable(tmp_path, name, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as importing GluonCV leaves it
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[:len(path.read_bytes()) // 2])
    assert code_and_message(path)[0] == "unreadable_image"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    code, message = code_and_message(tmp_path / "pipe.jpg")
    assert code == "unreadable_image" and "no regular file" in message


def test_folders_and_missing_files_are_unreadable(tmp_path):
    assert code_and_message(tmp_path) == ("unreadable_image", "this is a folder, not an image file")
    assert code_and_message(tmp_path / "none.jpg") == ("unreadable_image", "no such file")


def test_sizes_are_limited_on_both_sides(tmp_path, monkeypatch):
    assert code_and_message(saved(tmp_path, Image.new("L", (99, 500))))[0] == "image_too_small"
    assert read_photo(saved(tmp_path, Image.new("L", (100, 500)))).rgb.shape == (500, 100, 3)
    monkeypatch.setattr(scenes.images, "MAX_PIXELS", 49_999)
    code, message = code_and_message(tmp_path / "photo.png")
    assert code == "image_too_large" and "100 x 500" in message


def test_a_huge_image_is_refused_by_its_header_without_a_warning(tmp_path, recwarn):
    path = saved(tmp_path, Image.new("L", (100, 100)))
    header = bytearray(path.read_bytes())
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    path.write_bytes(header)
    limit = Image.MAX_IMAGE_PIXELS
    code, message = code_and_message(path)
    assert code == "image_too_large" and "60000 x 60000" in message
    assert Image.MAX_IMAGE_PIXELS == limit
    assert not recwarn.list


@pytest.mark.parametrize(("name", "at"), [("photo.gif", 6), ("photo.bmp", 18)])
def test_a_small_file_that_says_it_is_huge_is_refused_by_its_header(tmp_path, name, at):
    """Of a file with a damaged size Pillow would make room for all pixels before it finds out that there are none."""
    path = saved(tmp_path, Image.new("P", (120, 100)), name)
    data = bytearray(path.read_bytes())
    size = 2 if name.endswith("gif") else 4
    data[at:at + 2 * size] = b"".join(side.to_bytes(size, "little") for side in (14_000, 13_000))
    if name.endswith("gif"):  # its first frame, behind the palette, says it again
        frame = data.index(b",", 13)
        data[frame + 5:frame + 9] = data[6:10]
    path.write_bytes(data)
    code, message = code_and_message(path)
    assert code == "image_too_large" and "14000 x 13000" in message and f"{len(data)} bytes" in message


def test_a_photo_without_enough_memory_is_too_large(tmp_path, monkeypatch):
    def load(image):
        raise MemoryError

    path = saved(tmp_path, Image.new("L", (120, 100)))
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    code, message = code_and_message(path)
    assert code == "image_too_large" and "memory" in message


@pytest.mark.parametrize("mode", ["I;16", "F", "RGBA", "LA", "P"])
def test_strips_leave_no_seam(tmp_path, monkeypatch, mode):
    rng = np.random.default_rng(4)
    if mode in ("I;16", "F"):
        values = rng.uniform(0, 1, (130, 120))
        image = Image.fromarray((values * 65535).astype(np.uint16) if mode == "I;16" else values.astype(np.float32))
    else:
        noise = Image.fromarray(rng.integers(0, 256, (130, 120, 4), dtype=np.uint8), "RGBA")
        image = noise.convert("RGB").quantize(16) if mode == "P" else noise.convert(mode)
    options = {"transparency": 3} if mode == "P" else {}
    path = saved(tmp_path, image, "photo.tif" if mode == "F" else "photo.png", **options)
    whole = read_photo(path).rgb
    monkeypatch.setattr(scenes.images, "STRIP_PIXELS", 120 * 7)
    assert np.array_equal(read_photo(path).rgb, whole) and whole.std() > 10


def test_an_image_over_the_limit_of_pillow_and_under_ours_is_read(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_photo(saved(tmp_path, Image.new("L", (120, 100)))).rgb.shape == (100, 120, 3)
    assert not recwarn.list


def test_errors_pass_between_processes():
    error = pickle.loads(pickle.dumps(PhotoError("image_too_small", "tiny")))
    assert (error.code, error.message, str(error)) == ("image_too_small", "tiny", "tiny")


# InputSpec


def test_input_spec_goes_through_json():
    spec = InputSpec(256, 192, "turn", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    assert InputSpec.from_json(spec.to_json()) == spec
    assert InputSpec.from_json({**spec.to_json(), "name": "image"}) == spec


@pytest.mark.parametrize("change, said", [
    ({"fit": "crop"}, "fit"), ({"height": 0}, "height"), ({"width": 2.5}, "width"), ({"mean": (1, 2)}, "mean"),
    ({"std": (1, 0, 1)}, "std"), ({"std": (1, float("nan"), 1)}, "std")])
def test_input_spec_refuses_what_means_nothing(change, said):
    with pytest.raises(ValueError, match=said):
        InputSpec(**{"height": 4, "width": 4, "fit": "letterbox", **change})


def test_input_spec_names_the_key_that_is_missing():
    with pytest.raises(ValueError, match="lacks fit"):
        InputSpec.from_json({"height": 1, "width": 1, "mean": [0, 0, 0], "std": [1, 1, 1]})


# Geometry


def test_letterbox_by_hand():
    # 400 x 200 into 100 x 100: a quarter, 25 rows of grey above and below.
    matrix = input_to_photo((400, 200), InputSpec(100, 100, "letterbox"))
    assert np.allclose(matrix, [[4, 0, 1.5], [0, 4, -98.5], [0, 0, 1]])
    fitted = fit_photo(np.full((200, 400, 3), 7, np.uint8), InputSpec(100, 100, "letterbox"))
    assert (fitted[25:75] == 7).all() and (fitted[:25] == PADDING_GREY).all() and (fitted[75:] == PADDING_GREY).all()


def test_stretch_by_hand():
    matrix = input_to_photo((400, 200), InputSpec(100, 100, "stretch"))
    assert np.allclose(matrix, [[4, 0, 1.5], [0, 2, 0.5], [0, 0, 1]])


def test_turn_by_hand():
    spec = InputSpec(40, 20, "turn")
    photo = np.zeros((20, 40, 3), np.uint8)
    photo[:, 39] = 200  # the right edge of a landscape photo is the top of an upright input
    assert (fit_photo(photo, spec)[0] == 200).all() and fit_photo(photo, spec)[1:].max() == 0
    assert transform(input_to_photo((40, 20), spec), [[3, 0], [0, 39]]).tolist() == [[39, 3], [0, 0]]
    assert np.allclose(input_to_photo((20, 40), spec), np.eye(3))


def test_a_square_is_never_turned():
    assert np.allclose(input_to_photo((80, 80), InputSpec(40, 20, "turn")),
                       input_to_photo((80, 80), InputSpec(40, 20, "letterbox")))


@pytest.mark.parametrize("fit", FITS)
def test_a_photo_of_the_inputs_size_stays_as_it_is(fit):
    photo = np.random.default_rng(2).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    spec = InputSpec(64, 48, fit)
    assert np.array_equal(fit_photo(photo, spec), photo)
    assert np.allclose(input_to_photo((48, 64), spec), np.eye(3))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1511, 2013), (2013, 1511), (333, 1999), (150, 120), (999, 999), (200, 150)])
def test_what_is_drawn_in_the_photo_is_found_where_the_matrix_says(fit, size):
    spec, (width, height) = InputSpec(256, 192, fit), size
    point = np.array([[width * 0.43, height * 0.58]])
    to_input = np.linalg.inv(input_to_photo(size, spec))
    # A round spot in the photo, of about 3 input pixels along the side that is shrunk least.
    sigma = 3 / np.abs(to_input[:2, :2]).max()
    y, x = np.mgrid[:height, :width]
    spot = 255 * np.exp(-((x - point[0, 0]) ** 2 + (y - point[0, 1]) ** 2) / (2 * sigma ** 2))
    fitted = fit_photo(np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2), spec)[..., 0].astype(float)
    fitted[fitted == PADDING_GREY] = 0
    total, rows, columns = fitted.sum(), *np.mgrid[:256, :192]
    found = np.array([(fitted * columns).sum(), (fitted * rows).sum()]) / total
    assert np.abs(found - transform(to_input, point)[0]).max() < 0.1


@pytest.mark.parametrize("fit", FITS)
def test_an_edge_in_the_photo_is_an_edge_in_the_input(fit):
    size, spec = (1511, 2013), InputSpec(256, 192, fit)
    photo = np.zeros((2013, 1511, 3), np.uint8)
    photo[:, 700:] = 240  # the edge is at x = 699.5
    fitted = fit_photo(photo, spec)[128, :, 0].astype(float)
    bright = np.where(fitted == PADDING_GREY, 240, fitted)[40:]  # right of any bar on the left
    edge = 40 + (240 - bright).sum() / 240 - 0.5
    assert edge == pytest.approx(transform(np.linalg.inv(input_to_photo(size, spec)), [[699.5, 1000]])[0, 0], abs=0.1)


@pytest.mark.parametrize("fit", FITS)
def test_a_checkerboard_finer_than_the_input_becomes_its_mean(fit):
    photo = np.zeros((1024, 768, 3), np.uint8)
    photo[::2, ::2], photo[1::2, 1::2] = 200, 200
    assert np.abs(fit_photo(photo, InputSpec(256, 192, fit)).astype(int) - 100).max() <= 1


# Masks back to the photo


def test_mask_goes_back_by_hand():
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3] = [[1, 2, 3, 0], [0, 0, 3, 3]]  # the middle two rows hold a photo of 8 x 4
    back = mask_to_photo(mask, (8, 4), InputSpec(4, 4, "letterbox"))
    assert back.tolist() == [[1, 1, 2, 2, 3, 3, 0, 0]] * 2 + [[0, 0, 0, 0, 3, 3, 3, 3]] * 2


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(96, 128), (128, 96), (130, 40), (31, 77)])
def test_mask_of_a_photo_comes_back_to_where_it_was(fit, size):
    width, height = size
    spec = InputSpec(256, 192, fit)
    photo = np.zeros((height, width, 3), np.uint8)
    photo[height // 4:, width // 3:] = 200
    seen = fit_photo(photo, spec)[..., 0] > 150
    back = mask_to_photo(seen, size, spec)
    assert back.dtype == bool and back.shape == (height, width)
    truth = photo[..., 0] > 150
    truth_edge = np.zeros_like(truth)
    truth_edge[max(height // 4 - 1, 0):height // 4 + 1] = True
    truth_edge[:, max(width // 3 - 1, 0):width // 3 + 1] = True
    assert np.array_equal(back[~truth_edge], truth[~truth_edge])


@pytest.mark.parametrize("fit", FITS)
def test_probabilities_come_back_with_their_sum_and_their_place(fit):
    spec = InputSpec(64, 48, fit)
    probabilities = np.random.default_rng(3).dirichlet(np.ones(4), (64, 48)).astype(np.float32)
    back = mask_to_photo(probabilities, (150, 100), spec)
    assert back.shape == (100, 150, 4) and back.dtype == np.float32
    assert np.allclose(back.sum(axis=-1), 1, atol=1e-5)
    points = np.array([[20.0, 30.0], [25.0, 33.0]])
    ramp = np.tile(np.arange(48, dtype=np.float32), (64, 1))
    x, y = transform(input_to_photo((150, 100), spec), points).T.round().astype(int)
    expected = transform(np.linalg.inv(input_to_photo((150, 100), spec)), np.column_stack([x, y]))[:, 0]
    assert np.allclose(mask_to_photo(ramp, (150, 100), spec)[y, x], expected, atol=0.02)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="64 x 48"):
        mask_to_photo(np.zeros((48, 64)), (100, 100), InputSpec(64, 48, "letterbox"))


def test_content_of_input_cuts_the_bars_off_and_turns_back():
    seen = np.arange(24).reshape(4, 6)
    assert content_of_input(seen, (40, 40), InputSpec(4, 6, "letterbox")).tolist() == seen[:, 1:5].tolist()
    assert content_of_input(seen, (40, 90), InputSpec(4, 6, "stretch")).tolist() == seen.tolist()
    # An upright photo lies in the input with its right edge on top.
    upright = content_of_input(seen, (40, 60), InputSpec(4, 6, "turn"))
    assert upright.shape == (6, 4) and upright[:, -1].tolist() == seen[0].tolist()
