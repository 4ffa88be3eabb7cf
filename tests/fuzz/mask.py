"""A mask as bytes, in a dataset and as somebody's label: read, checked, repaired, imported."""

import io

import numpy as np
from PIL import Image

from scenes.checking import check_dataset
from scenes.dataset import DatasetError, read_mask
from scenes.exchange.formats import Options
from scenes.exchange.plain import read_plain, write_plain
from scenes.exchange.source import SourceError
from scenes.exchange.store import store
from scenes.repair import fix_dataset
from tests.fuzz import places
from tests.fuzz.mutation import mutated_image

INSTRUMENTED = ("scenes", "PIL")

mutated = mutated_image


def seeds():
    """A right mask, and others in every wrapping that is repaired: list[bytes]."""
    grey = Image.open(places.dataset() / "masks" / "0.png")
    palette = grey.convert("P")
    found = []
    for image, kind, options in ((grey, "PNG", {}), (grey.convert("RGB"), "PNG", {}), (palette, "PNG", {"bits": 2}),
                                 (grey.convert("LA"), "PNG", {}), (grey, "BMP", {}), (grey.convert("RGBA"), "TIFF", {}),
                                 (Image.fromarray(np.asarray(grey).astype(np.uint16)), "PNG", {}),
                                 (grey.convert("1"), "PNG", {}), (grey, "JPEG", {})):  # fmt: skip
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        found.append(stream.getvalue())
    return found


def fuzz_one(data):
    """Whether it is a mask."""
    with places.folder() as given:
        folder = places.linked(places.dataset(), given / "dataset")
        (folder / "masks" / "0.png").unlink()
        (folder / "masks" / "0.png").write_bytes(data)
        write_plain(folder, given / "plain", link=True)
        faults = check_dataset(folder)
        mask = _read(folder / "masks" / "0.png")
        assert faults or mask is not None
        fix_dataset(folder)
        assert fix_dataset(folder) == []
        found = read_plain(given / "plain", Options())
        try:
            store(found.items, given / "brought")
        except SourceError as error:
            assert str(error).encode()
        else:
            assert check_dataset(given / "brought") == []
        return mask is not None


def _read(path):
    try:
        mask = read_mask(path)
    except DatasetError as error:
        assert str(error).encode()
        return None
    assert mask.dtype == np.uint8 and mask.ndim == 2
    return mask
