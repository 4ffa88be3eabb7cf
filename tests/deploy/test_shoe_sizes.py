"""Shoe sizes: the definitions by hand, and the ends of the scales."""

import pytest

from deploy.shoe_sizes import ShoeSizes, eu_sizes_in, shoe_sizes


@pytest.mark.parametrize("length_mm, sizes", [
    # 240 mm: 36 Paris points and 2; 28.35 barleycorns and 2, less 25, 24 and 22.5.
    (240.0, ShoeSizes(38.0, 5.5, 6.5, 8.0, False)),
    # 11 inches: 41.91 Paris points and 2; 33 barleycorns and 2.
    (279.4, ShoeSizes(44.0, 10.0, 11.0, 12.5, False)),
    # 8 inches: 24 barleycorns and 2 are grown-ups' size 1, the smallest; a barleycorn less is child's 13.
    (203.2, ShoeSizes(32.5, 1.0, 2.0, 3.5, False)),
    (203.2 - 25.4 / 3, ShoeSizes(31.0, 13.0, 14.0, None, True)),
    (150.0, ShoeSizes(24.5, 7.5, 8.5, None, True)),
    (60.0, ShoeSizes(11.0, None, None, None, True)),
])  # fmt: skip
def test_sizes_by_hand(length_mm, sizes):
    assert shoe_sizes(length_mm) == sizes
    assert shoe_sizes(length_mm).to_json()["child"] == sizes.is_child


def test_differences_in_eu_sizes():
    assert eu_sizes_in(20 / 3) == 1.0
    assert eu_sizes_in(30.0) == 4.5
