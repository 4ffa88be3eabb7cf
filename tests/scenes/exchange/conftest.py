"""Comparing datasets, and a dataset with everything in it that a format may lose."""

import numpy as np
import pytest

from scenes.checking import check_dataset
from scenes.dataset import read_category, read_dataset, read_mask, write_annotations
from scenes.exchange.formats import Options
from scenes.exchange.store import store


def _same(one, other, tolerance=0.0, attributes=True):
    assert check_dataset(other) == []
    assert read_category(one) == read_category(other)
    before, after = (read_dataset(folder, category=None) for folder in (one, other))
    assert [sample.file_name for sample in before] == [sample.file_name for sample in after]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(b.corners, a.corners, rtol=0, atol=tolerance)
        assert b.visibility.tolist() == a.visibility.tolist()
        assert (b.width, b.height) == (a.width, a.height)
        assert b.attributes == (a.attributes if attributes else {})
        assert b.image_path.read_bytes() == a.image_path.read_bytes()
        assert b.mask_path.is_file() == a.mask_path.is_file()
        if a.mask_path.is_file():
            np.testing.assert_array_equal(read_mask(b.mask_path), read_mask(a.mask_path))


@pytest.fixture
def assert_same():
    """assert_same(one, other, tolerance=0, attributes=True): two datasets hold the same, the second without fault."""
    return _same


@pytest.fixture
def whole(folder, records):
    """A dataset with a corner outside the image, one that is not known, one covered, and a file in a subfolder."""
    records[1]["corners"][1] = [70.25, -3.5]
    records[1]["visibility"] = [2, 0, 1, 2]
    records[2]["corners"][2] = [-1.0, -1.0]
    records[2]["visibility"] = [2, 2, 0, 1]
    records[2]["file_name"] = "day 2/000002.jpg"
    for part, ending in (("images", "jpg"), ("masks", "png")):
        (folder / part / "day 2").mkdir()
        (folder / part / f"000002.{ending}").rename(folder / part / "day 2" / f"000002.{ending}")
    write_annotations(folder, records)
    assert check_dataset(folder) == []
    return folder


@pytest.fixture
def brought(tmp_path):
    """brought(read, path, **options): the dataset that a reader makes of a source, and all its problems."""
    def bring(read, path, split=None, **options):
        found = read(path, Options(**options))
        target = tmp_path / "brought"
        _, problems = store(found.items, target, found.category, split)
        return target, [*found.problems, *problems]
    return bring
