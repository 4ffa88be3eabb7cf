from dataclasses import replace

import numpy as np

from scenes.rendering.photograph import PLAIN_PHOTOGRAPH, PhotographConfig, photograph

FULL = replace(PhotographConfig(), bars_share=0.0)


def test_exposure_follows_the_light():
    """The same scene under a hundredth of the light gives the same photo: phones expose by themselves."""
    radiance = np.random.default_rng(0).uniform(0.1, 1, (48, 64, 3)).astype(np.float32)
    bright = photograph(radiance, np.random.default_rng(5), FULL).rgb.astype(int)
    dim = photograph(radiance / 100, np.random.default_rng(5), FULL).rgb.astype(int)
    assert bright.shape == (48, 64, 3)
    assert np.abs(bright - dim).max() <= 1


def test_black_stays_finite():
    photo = photograph(np.zeros((16, 16, 3), np.float32), np.random.default_rng(1), FULL).rgb
    assert photo.dtype == np.uint8
    assert photo.mean() < 60


def test_edges_stay_where_they_are():
    radiance = np.full((60, 80, 3), 0.05, np.float32)
    radiance[:, 40:] = 0.8
    quiet = replace(FULL, dim_share=0.0)
    for seed in range(30):
        grey = photograph(radiance, np.random.default_rng(seed), quiet).rgb.astype(float).mean((0, 2))
        half = (grey[:20].mean() + grey[-20:].mean()) / 2
        assert abs(np.interp(half, grey[30:50], np.arange(30, 50)) - 39.5) < 1.0


def test_bars_are_black_and_told():
    radiance = np.full((60, 80, 3), 0.5, np.float32)
    seen = set()
    for seed in range(12):
        taken = photograph(radiance, np.random.default_rng(seed), replace(PLAIN_PHOTOGRAPH, bars_share=1.0))
        left, top, right, bottom = taken.bars
        black = np.ones((60, 80), bool)
        black[top:60 - bottom, left:80 - right] = False
        assert black.any()
        np.testing.assert_array_equal((taken.rgb == 0).all(2), black)
        seen.add(left > 0)
    assert seen == {True, False}


def test_plain_photograph_is_only_exposed():
    """No blur, no noise, no colour cast: pixels of one radiance become pixels of one value, whatever the generator."""
    radiance = np.full((40, 40, 3), 0.1, np.float32)
    radiance[10:30, 10:30] = 0.6
    one, other = (photograph(radiance, np.random.default_rng(seed), PLAIN_PHOTOGRAPH).rgb for seed in (1, 2))
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one[10:30, 10:30])) == 1
    assert len(np.unique(one[:10])) == 1
    assert one[20, 20, 0] > one[0, 0, 0]


def test_everything_that_can_happen_does():
    """Dim photos, grey ones and blurred ones turn up in about their shares."""
    radiance = np.random.default_rng(0).uniform(0.02, 1, (64, 48, 3)).astype(np.float32)
    radiance[:, 24:] *= (1.0, 0.4, 0.2)
    photos = [photograph(radiance, np.random.default_rng(seed), FULL).rgb.astype(float) for seed in range(600)]
    dim = np.mean([photo.mean() < 70 for photo in photos])
    grey = np.mean([np.ptp(photo[:, 24:].mean((0, 1))) < 2 for photo in photos])
    assert 0.02 < dim < 0.25
    assert 0.0 < grey < 0.1


def test_fine_photos_keep_every_edge():
    """What is fine has neither blur nor grain, and a JPEG quality of its own; the rest has the wide range's."""
    radiance = np.full((60, 80, 3), 0.1, np.float32)
    radiance[:, 40:] = 0.5
    fine = replace(FULL, fine_share=1.0, dim_share=0.0, sharpen_share=0.0, vignette_share=0.0)
    for seed in range(20):
        taken = photograph(radiance, np.random.default_rng(seed), fine)
        assert len(np.unique(taken.rgb.reshape(-1, 3), axis=0)) == 2
        assert fine.fine_jpeg_quality[0] <= taken.jpeg_quality <= fine.fine_jpeg_quality[1]
    coarse = [photograph(radiance, np.random.default_rng(seed), replace(FULL, fine_share=0.0)).jpeg_quality
              for seed in range(60)]
    assert min(coarse) < 65
    assert max(coarse) > 92
