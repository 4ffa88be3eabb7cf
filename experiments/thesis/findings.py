"""Whether a finding of the thesis came out again: trainings held against each other on the same scenes.

Figures of a scene are compared with those of the same scene. What is drawn anew in the bootstrap is scenes and seeds,
both: two trainings of one configuration differ, and scenes alone would not say by how much. Three seeds drawn anew
differ by less than three new ones would: how far they lie apart is widened as Student's t has it, see `_widened`. With
three seeds each, and a spread of seeds that is all that differs, 92 of 100 intervals of 95 % then hold the true
difference, and 80 without. "Cannot be told" is the default; a verdict wants LEAST_SEEDS seeds of both, and an interval
that leaves no doubt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from experiments.comparison import LEVEL, RESAMPLES
from experiments.results import LEAST_SEEDS
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, Verdict

# Of pixel accuracy: what the thesis calls an improvement is "about 0.01"; what differs by less it calls similar.
POINT = 0.01
# Of corner errors, as a ratio: what differs by less is similar. The thesis gives no figure.
SIMILAR_RATIO = 1.25
# Percent of the diagonal: errors below it count as it where ratios are taken.
LEAST_ERROR = 0.05
# 97.5 % quantiles of Student's t by degrees of freedom, and of the normal distribution, which is taken beyond.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23}
NORMAL = 1.96


@dataclass(frozen=True)
class Difference:
    """Mean of second - first over scenes and seeds, and its interval, low <= high. seeds: how many the one with fewer
    has. scenes: how many."""

    mean: float
    low: float
    high: float
    seeds: int
    scenes: int


def difference(first, second, values):
    """Difference of two trainings, or None where either has no case.

    first, second: lists of case documents. values: of a case, to float (N,) of its N scenes; scenes where any is NaN
    are left out.
    """
    if not first or not second:
        return None
    one, other = (np.array([values(case) for case in cases], float) for cases in (first, second))
    known = np.isfinite(one).all(axis=0) & np.isfinite(other).all(axis=0)
    one, other = one[:, known], other[:, known]
    if not known.any():
        return None
    freedom = len(one) + len(other) - 2
    resampled = _resampled(_widened(other, freedom), 2) - _resampled(_widened(one, freedom), 1)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(other.mean() - one.mean()), float(low), float(high), min(len(one), len(other)),
                      int(known.sum()))


def _widened(values, freedom):
    """values (S, N) with the means of the seeds as far from their own mean as makes a percentile interval of S of them
    as wide as Student's: sqrt(S / (S - 1)) for the variance, which a bootstrap takes for too small, and t / 1.96."""
    seeds = len(values)
    if seeds < 2:
        return values
    factor = np.sqrt(seeds / (seeds - 1)) * STUDENT.get(freedom, NORMAL) / NORMAL
    means = values.mean(axis=1, keepdims=True)
    return values + (factor - 1) * (means - means.mean())


def _resampled(values, arm):
    """Means (RESAMPLES,) of values (S, N) with seeds and scenes drawn anew: the same scenes for both arms, so that
    differences are paired, and seeds of its own for each (a number)."""
    seeds, scenes = values.shape
    return (_draws(arm, seeds, RESAMPLES) @ values * _draws(0, scenes, RESAMPLES)).sum(axis=1)


@cache
def _draws(arm, count, resamples):
    """Shares (resamples, count) with which each of so many is drawn."""
    return np.random.default_rng(arm).multinomial(count, np.full(count, 1 / count), resamples) / count


@dataclass(frozen=True)
class Unit:
    """form: of a difference, to text. margin: what is less counts as alike. falling: whether a larger difference is a
    smaller number in the text."""

    form: Callable
    margin: float
    falling: bool = False

    def text(self, found):
        """A Difference with its interval."""
        low, high = (found.high, found.low) if self.falling else (found.low, found.high)
        low, high = (self.form(value).split()[0] for value in (low, high))
        return f"{self.form(found.mean)} [{low}, {high}]"


POINTS = Unit(lambda value: f"{100 * value:+.2f} points", POINT)
# Of `closeness`: the error of the second as a multiple of the first's.
TIMES = Unit(lambda value: f"{2.0**-value:.2f} times the error", float(np.log2(SIMILAR_RATIO)), falling=True)


def verdict(found, claim, unit, least=0.0):
    """Verdict on a claim about a Difference, larger values being better.

    claim: "better", "alike" or "not better", of the second beside the first. unit: a Unit; "alike" and "not better" are
    by less than its margin. least: what counts as better, for a claim that says by how much: where it is by less for
    sure, that is not reproduced.
    """
    if found is None:
        return Verdict(UNTOLD, "Not all of the trainings that it takes are done.")
    evidence = f"{unit.text(found)} over {found.scenes} scenes"
    if found.seeds < LEAST_SEEDS:
        return Verdict(UNTOLD, f"{evidence}, with {found.seeds} of the {LEAST_SEEDS} seeds that a verdict wants.")
    return Verdict(_word(found, claim, unit.margin, least), f"{evidence} and {found.seeds} seeds.")


def _word(found, claim, margin, least):
    if claim == "better":
        # The larger the interval's ends, the better the word: one that holds zero is never worse than one below it.
        holds, fails = found.low > 0 and found.mean >= least, found.high < max(least, 0)
    elif claim == "alike":
        holds, fails = -margin < found.low and found.high < margin, found.low > margin or found.high < -margin
    else:
        holds, fails = found.high < margin, found.low > margin
    return REPRODUCED if holds else NOT_REPRODUCED if fails else UNTOLD


def accuracy(case):
    """Pixel accuracy of each scene: (N,)."""
    return np.array(case["each"]["pixel_accuracy"], float)


def boundary(case):
    """Boundary F within 2 px of each scene: (N,), NaN where there is no boundary."""
    return np.array(case["each"]["mean_boundary_f"], float)


def closeness(kind):
    """A function of a case of corners, to (N,): minus the mean log2 of the errors of a scene's corners of a kind, 2
    seen or 1 covered; NaN without any. A difference of 1 is half the error."""
    def values(case):
        errors = np.array(case["each"]["percent"], float)
        of_kind = np.array(case["each"]["visibility"]) == kind
        logs = np.where(of_kind, -np.log2(np.maximum(errors, LEAST_ERROR)), 0.0).sum(axis=1)
        count = of_kind.sum(axis=1)
        return np.divide(logs, count, out=np.full(len(logs), np.nan), where=count > 0)

    return values


SEEN, COVERED = closeness(2), closeness(1)


def same_order(published, found):
    """(pairs in the same order, pairs that the thesis tells apart) of {name: value}; names that are in one alone are
    left out."""
    names = [name for name in published if name in found]
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1:]
             if published[one] != published[other]]
    agree = sum((published[one] > published[other]) == (found[one] > found[other]) for one, other in pairs)
    return agree, len(pairs)
