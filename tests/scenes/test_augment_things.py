"""Outlines are where they are said to be, things lie over the point that they are asked for, surfaces have colours."""

from functools import partial

import numpy as np
import pytest

from scenes.augment_surfaces import casing, cloth, field, plain, rounded, skin
from scenes.augment_things import THINGS, Outline, Surroundings, path

AROUND = Surroundings(width=96, height=128, px_per_mm=0.25, to_light=np.array([0.6, 0.8]))


def test_an_area_covers_its_pixels():
    outline = Outline(AROUND)
    outline.area([(19.5, 9.5), (39.5, 9.5), (39.5, 59.5), (19.5, 59.5)])
    cover = outline.cover()
    assert cover.shape == (128, 96) and cover.dtype == np.uint8
    assert (cover[10:60, 20:40] == 255).all()
    beyond = cover.copy()
    beyond[9:61, 19:41] = 0
    assert not beyond.any() and cover.sum() / 255 == pytest.approx(1000, rel=0.03)


def test_a_strip_has_its_widths_and_its_end():
    line = np.stack([np.full(9, 48.0), np.linspace(40, 120, 9)], axis=1)
    flat, capped = Outline(AROUND), Outline(AROUND)
    flat.strip(line, np.linspace(20, 40, 9), cap=0)
    capped.strip(line, np.linspace(20, 40, 9), cap=1)
    widths = flat.cover().sum(axis=1) / 255
    assert widths[[45, 80, 115]] == pytest.approx([20 + 5 / 4, 30, 40 - 5 / 4], abs=0.8)
    assert not widths[:39].any()
    # Half a circle of radius 10 more.
    assert (capped.cover().sum() - flat.cover().sum()) / 255 == pytest.approx(np.pi * 50, rel=0.06)


def test_a_path_without_bends_is_straight():
    line = path(np.array([5.0, 7.0]), np.array([0.6, 0.8]), 100, 0, AROUND, np.random.default_rng(0))
    assert line[0].tolist() == [5, 7]
    step = np.diff(line, axis=0)
    assert step == pytest.approx(np.tile([0.6, 0.8], (len(step), 1)) * AROUND.step_mm * 0.25)
    assert len(step) * AROUND.step_mm <= 100 < (len(step) + 1) * AROUND.step_mm


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.__name__)
def test_a_thing_lies_over_the_point_and_is_painted(thing):
    at, over = np.array([60.0, 80.0]), 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        drawn = thing(AROUND, at, np.array([0.6, 0.8]), 1.0, rng)
        over += max(part.cover[80, 60] for part in drawn.parts) > 127
        assert drawn.above_mm > 0
        for part in drawn.parts:
            colour = part.paint(part.cover[30:90, 20:80])
            assert colour.shape == (60, 60, 3) and colour.dtype == np.float32
            assert -40 < colour.min() and colour.max() < 420  # what light and grain leave of it is clipped later
    assert over >= 23


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 50), (40, 30)])
@pytest.mark.parametrize("value", [0, 255])
def test_surfaces_are_as_large_as_their_window(shape, value):
    window, rng, light = np.full(shape, value, np.uint8), np.random.default_rng(0), np.array([0.0, 1.0])
    surfaces = (
        partial(skin, px_per_mm=0.3, radius=5, to_light=light, rng=rng),
        partial(cloth, px_per_mm=0.3, direction=light, radius=0.2, to_light=light, rng=rng),
        partial(casing, px_per_mm=0.01, direction=light, colour=np.array([10.0, 20, 30]), rng=rng),
        partial(plain, colour=np.array([10.0, 20, 30]), rng=rng),
    )
    for surface in surfaces * 10:
        colour = surface(window)
        assert colour.shape == (*shape, 3) and colour.dtype == np.float32 and np.isfinite(colour).all()


def test_what_faces_the_light_is_brighter():
    outline = Outline(AROUND)
    outline.area([(20, 20), (76, 20), (76, 108), (20, 108)])
    shade = rounded(outline.cover(), 12, np.array([1.0, 0.0]), np.random.default_rng(0))
    assert shade[64, 72] > 1.1 * shade[64, 24]
    assert shade[64, 48] == pytest.approx(1, abs=0.01)  # the flat middle


def test_noise_lies_along_its_direction():
    noise = field(np.zeros((128, 96), np.uint8), 60, 4, (1.0, 0.0), np.random.default_rng(0))
    assert abs(noise.mean()) < 0.2 and 0.3 < noise.std() < 1.3
    assert np.abs(np.diff(noise, axis=1)).mean() < 0.3 * np.abs(np.diff(noise, axis=0)).mean()
