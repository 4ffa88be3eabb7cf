"""Photos as bytes, of every kind that Pillow reads by itself: a Photo, or PhotoError."""

import io
import zlib
from math import isfinite

import numpy as np
from PIL import Image

from scenes.images import PhotoError, is_of_known_kind, photo_size, read_photo
from tests.fuzz.mutation import mutated_image

INSTRUMENTED = ("scenes", "PIL")
CODES = ("unreadable_image", "image_too_small", "image_too_large")
SIZE = (112, 104)
ENOUGH_PX = 50

mutated = mutated_image


def seeds():
    """A small picture in every format, and in the modes that have their own way to RGB: list[bytes]."""
    rgb, exif = picture()
    ways = [
        (rgb, "JPEG", {"exif": exif}), (rgb, "JPEG", {"progressive": True}), (rgb.convert("CMYK"), "JPEG", {}),
        (rgb.convert("L"), "JPEG", {}), (rgb, "MPO", {"save_all": True, "append_images": [rgb]}),
        (rgb, "PNG", {"exif": exif}), (rgb.convert("RGBA"), "PNG", {}), (rgb.convert("P"), "PNG", {"transparency": 3}),
        (rgb.convert("LA"), "PNG", {}), (rgb.convert("1"), "PNG", {}), (rgb.convert("I;16"), "PNG", {}),
        (rgb, "WEBP", {"exif": exif}), (rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        (rgb, "WEBP", {"save_all": True, "append_images": [rgb.rotate(90)]}),
        (rgb, "TIFF", {"exif": exif}), (rgb, "TIFF", {"compression": "tiff_lzw"}), (rgb.convert("F"), "TIFF", {}),
        (rgb, "TIFF", {"compression": "jpeg"}), (rgb.convert("CMYK"), "TIFF", {"compression": "tiff_deflate"}),
        (rgb.convert("1"), "TIFF", {"compression": "group4"}), (rgb, "BMP", {}), (rgb.convert("P"), "BMP", {}),
        (rgb.convert("P"), "GIF", {"save_all": True, "append_images": [rgb.rotate(180).convert("P")]}),
        (rgb, "PPM", {}), (rgb.convert("1"), "PPM", {}), (rgb, "AVIF", {"exif": exif}),
    ]  # fmt: skip
    return [_saved(*way) for way in ways]


def picture():
    """(A Pillow image in colour, EXIF of a photo taken with a turned phone)."""
    rng = np.random.default_rng(5)
    rgb = Image.fromarray(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)).resize(SIZE)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769).update({0xA405: 26, 0x920A: 4.2, 0xA20E: 7000.0, 0xA210: 3, 0xA002: 4000, 0xA003: 3000})
    return rgb, exif


def _saved(image, kind, options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def fuzz_one(data):
    """Whether there was a photo."""
    try:
        size = photo_size(data)
    except PhotoError:
        size = None
    try:
        # The same bytes are always read the same way.
        photo = read_photo(data, ENOUGH_PX if zlib.crc32(data) & 1 else None)
    except PhotoError as error:
        assert error.code in CODES and len(error.message.splitlines()) == 1
        is_of_known_kind(data)
        return False
    assert is_of_known_kind(data)
    assert photo.rgb.dtype == np.uint8 and photo.rgb.ndim == 3 and photo.rgb.shape[2] == 3
    assert photo.size in (size, size[::-1])
    assert photo.focal_px is None or (isfinite(photo.focal_px) and photo.focal_px > 0)
    return True
