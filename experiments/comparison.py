"""Whether one network's errors are smaller than another's on the same photos. Numpy only.

Photos of one setting (one floor, one camera, one person) are alike: a network that fails on one fails on its
neighbours, so that thirty photos from eight settings are nearer to eight observations than to thirty. What is drawn
anew in the bootstrap is therefore settings, never photos: the cluster bootstrap (Davison & Hinkley, "Bootstrap
Methods and their Application", 1997, section 3.8).

Two figures come from the same draws. `by_setting`, the one to judge by: the mean over settings of the mean difference
within each, so that a setting with many photos weighs no more than one with few. `by_photo`: the mean over all
photos of the settings that were drawn.
"""

from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.95
CHUNK = 1_000  # resamples at once: bounds the memory where every photo is a setting of its own


@dataclass(frozen=True)
class Interval:
    """A mean difference and its percentile interval, low <= high, all in the unit of the errors."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self):
        """Whether the whole interval is on one side of zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Paired difference, second - first: negative where the second has the smaller errors.

    settings: the mean difference within each setting. photos: how many there were.
    """

    by_setting: Interval
    by_photo: Interval
    settings: dict
    photos: int
    resamples: int
    level: float
    seed: int

    def to_json(self):
        """dict of plain values."""
        return asdict(self)


def compare(first, second, settings=None, resamples=RESAMPLES, seed=0, level=LEVEL):
    """Comparison of two networks' errors.

    first, second: {photo's name: error}, finite numbers of the same photos. settings: {photo's name: name of its
    setting}, or None: every photo is a setting of its own. The percentile interval holds the share `level` of the
    resampled means. With few settings it is too narrow: with eight, drawn from a normal distribution, 89 of 100
    intervals hold the true mean and not 95; with equal differences everywhere it has no width. Raises ValueError
    where photos are missing or differ, an error is no finite number, or there are fewer than two settings.
    """
    names = sorted(first)
    _check_photos(first, second, settings)
    differences = np.array([second[name] - first[name] for name in names], float)
    if not np.isfinite(differences).all():
        bad = names[int(np.argmin(np.isfinite(differences)))]
        raise ValueError(f"{bad}: errors {first[bad]} and {second[bad]} are not both finite; leave the photo out")
    groups, group = np.unique([settings[name] if settings else name for name in names], return_inverse=True)
    if len(groups) < 2:
        raise ValueError(f"{len(groups)} setting in {len(names)} photos: an interval needs two or more; without "
                         "settings every photo counts as one")
    sums = np.bincount(group, weights=differences)
    counts = np.bincount(group)
    by_setting, by_photo = resampled_means(sums, counts, resamples, np.random.default_rng(seed))
    means = sums / counts
    return Comparison(_interval(means.mean(), by_setting, level), _interval(differences.mean(), by_photo, level),
                      dict(zip(groups.tolist(), means.tolist(), strict=True)), len(names), resamples, level, seed)


def resampled_means(sums, counts, resamples, rng):
    """Draw as many settings as there are, with replacement, `resamples` times.

    sums, counts: (K,), the sum of the differences of each setting, and its number of photos. Returns two float64
    (resamples,): the mean of the drawn settings' means, and the mean over all photos of the drawn settings.
    """
    means = sums / counts
    by_setting, by_photo = [], []
    for start in range(0, resamples, CHUNK):
        drawn = rng.integers(0, len(sums), (min(CHUNK, resamples - start), len(sums)))
        by_setting.append(means[drawn].mean(axis=1))
        by_photo.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(by_setting), np.concatenate(by_photo)


def _interval(mean, resampled, level):
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(mean), float(low), float(high))


def _check_photos(first, second, settings):
    only_first, only_second = sorted(set(first) - set(second)), sorted(set(second) - set(first))
    if only_first or only_second:
        told = "; ".join(f"{which} alone has {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
                         for which, names in (("the first", only_first), ("the second", only_second)) if names)
        raise ValueError(f"the photos differ ({told}): evaluate both on the same folder")
    if not first:
        raise ValueError("there are no photos to compare on")
    without = sorted(set(first) - set(settings)) if settings else []
    if without:
        raise ValueError(f"{without[0]} is in no setting; put every photo into one")
