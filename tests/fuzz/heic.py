"""HEIC, what iPhones write, as bytes: a Photo, or PhotoError. Its decoder is compiled code that is reached through no
other format, and so has a search to itself."""

import io

import pillow_heif

from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.photo import fuzz_one, picture

__all__ = ["INSTRUMENTED", "fuzz_one", "mutated", "seeds"]

INSTRUMENTED = ("scenes", "PIL", "pillow_heif")

mutated = mutated_bytes


def seeds():
    """In colour, grey, with transparency, 10 bits and several frames: list[bytes]."""
    rgb, exif = picture()
    deep = pillow_heif.from_bytes("RGB;16", rgb.size, bytes(range(256)) * (rgb.width * rgb.height * 6 // 256))
    many = pillow_heif.from_pillow(rgb)
    many.add_from_pillow(rgb.rotate(180))
    files = [(pillow_heif.from_pillow(rgb), {"exif": exif.tobytes(), "quality": 30}),
             (pillow_heif.from_pillow(rgb.convert("L")), {"quality": 30}),
             (pillow_heif.from_pillow(rgb.convert("RGBA")), {"quality": 30}), (deep, {"quality": 10}),
             (many, {"quality": 30, "xmp": b"<x/>"})]  # fmt: skip
    found = []
    for file, options in files:
        stream = io.BytesIO()
        file.save(stream, **options)
        found.append(stream.getvalue())
    return found
