from dataclasses import replace

import numpy as np
import pytest

from scenes.rendering import printing, typesetting
from scenes.rendering.printing import PLAIN_PRINT, PrintConfig, paper_colour, sheet_texture

WHITE = (244.0, 245.0, 246.0)
CLEAN = PrintConfig(written_on=0.0, ruled_written_on=0.0, see_through=0.0, tone=0.0, dirt=0.0)


def _page(seed, config, colour=WHITE, size=(210, 297)):
    return sheet_texture(np.random.default_rng(seed), *size, config, colour)


@pytest.mark.parametrize("kind", sorted(printing.KINDS))
def test_every_kind_prints_something_darker_than_the_paper(kind):
    config = replace(CLEAN, blank=0.0, kinds=((kind, 1.0),))
    darkest = []
    for seed in range(6):
        page, marks = _page(seed, config)
        assert marks == (f"print:{kind}",)
        assert page.dtype == np.uint8 and page.shape == (371, 262, 3)  # 1.25 texels a millimetre
        assert page.max() <= 246
        darkest.append(page.min())
        if kind != "dark":
            assert (np.abs(page.astype(int) - np.round(WHITE)).max(2) < 12).mean() > 0.3  # paper is left
    assert np.median(darkest) < 200


def test_same_seed_same_page_whatever_was_set_before():
    config = PrintConfig(blank=0.0)
    first = [_page(seed, config)[0] for seed in range(4)]
    typesetting.strip_of_type.cache_clear()
    again = [_page(seed, config)[0] for seed in (3, 2, 1, 0)][::-1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], first[1])


def test_plain_paper_is_one_white():
    page, marks = _page(5, PLAIN_PRINT, paper_colour(np.random.default_rng(5), PLAIN_PRINT))
    assert marks == ()
    assert (page == 240).all()


def test_half_of_the_sheets_are_blank():
    blank = sum(not any(mark.startswith("print:") for mark in _page(seed, PrintConfig())[1]) for seed in range(80))
    assert 26 <= blank <= 54  # 40 expected, by chance 3 standard deviations more or less


def test_most_paper_is_nearly_white_and_some_is_not():
    rng = np.random.default_rng(0)
    colours = np.array([paper_colour(rng, PrintConfig()) for _ in range(600)])
    assert colours.min() >= 90 and colours.max() <= 253
    grey = np.ptp(colours, axis=1) < 15
    assert 0.75 < grey.mean() < 0.95
    assert colours[grey].min() > 210
    cream = np.array([paper_colour(rng, PrintConfig(cream=1.0, coloured=0.0)) for _ in range(50)])
    assert (cream[:, 0] > cream[:, 2] + 5).all()


def test_print_of_the_back_is_faint():
    config = replace(CLEAN, blank=1.0, see_through=1.0)
    pages = [_page(seed, config) for seed in range(8)]
    assert all(marks == ("see_through",) for _, marks in pages)
    shares = np.array([page.min() / 244 for page, _ in pages])
    assert (shares > 0.82).all()
    assert shares.min() < 0.98


def test_tone_stays_within_its_share():
    page, _ = _page(1, replace(CLEAN, blank=1.0, tone=0.1))
    assert 244 * 0.9 - 2 <= page.min() < page.max() <= 246


def test_texture_has_the_density_asked_for():
    page, _ = _page(0, replace(CLEAN, texels_per_mm=2.0), size=(215.9, 279.4))
    assert page.shape == (559, 432, 3)


def test_text_is_set_in_lines():
    config = replace(CLEAN, blank=0.0, kinds=(("text", 1.0),), texels_per_mm=2.0)
    striped = []
    for seed in range(8):
        ink = 255 - _page(seed, config)[0].mean(2)
        # Lines of type leave white between them along one side of the page and hardly any along the other.
        rows, columns = (np.diff(ink.mean(axis)).std() for axis in (1, 0))
        striped.append(max(rows, columns) / min(rows, columns))
    assert np.median(striped) > 2
