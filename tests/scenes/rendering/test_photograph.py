import numpy as np

from scenes.rendering.photograph import photograph


def test_exposure_follows_the_light():
    """The same scene under a hundredth of the light gives the same photo: phones expose by themselves."""
    radiance = np.random.default_rng(0).uniform(0.1, 1, (48, 64, 3)).astype(np.float32)
    bright = photograph(radiance, np.random.default_rng(5)).astype(int)
    dim = photograph(radiance / 100, np.random.default_rng(5)).astype(int)
    assert bright.shape == (48, 64, 3)
    assert np.abs(bright - dim).max() <= 1


def test_black_stays_finite():
    photo = photograph(np.zeros((16, 16, 3), np.float32), np.random.default_rng(1))
    assert photo.dtype == np.uint8
    assert photo.mean() < 40


def test_edges_stay_where_they_are():
    radiance = np.full((60, 80, 3), 0.05, np.float32)
    radiance[:, 40:] = 0.8
    for seed in range(8):
        grey = photograph(radiance, np.random.default_rng(seed)).astype(float).mean((0, 2))
        half = (grey[:20].mean() + grey[-20:].mean()) / 2
        assert abs(np.interp(half, grey[36:45], np.arange(36, 45)) - 39.5) < 1.0
