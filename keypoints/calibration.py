"""What scores and probabilities of corners are worth, and making them mean what they say.

A network's probability is calibrated when, of all corners of which it says 0.8, 80 % are so. Applying a Calibration
needs numpy alone; fitting one needs scikit-learn too (the extra `prepare`), and corners that no training has seen.
What a calibration is worth is told on yet others: on those it was fitted to it is too good.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

# A share of a map is often exactly 0, where others are a little more: without a floor one surprise costs infinitely.
LOWEST_PROBABILITY = 1e-3
TEMPERATURES = (0.05, 20.0)  # the search's ends
BINS = 10
OUTSIDE = 2  # place of the probability of being outside the photo, after seen and covered


@dataclass(frozen=True)
class Calibration:
    """Two small tables, fitted to a network.

    temperature: of the visibility, see `soften`; 1 leaves it as it is. scores, probabilities: rising tables of the
    same length; a corner with a score of the first has an error below `limit_percent` (of the photo's diagonal) with
    the probability of the second, with straight lines between and the end values beyond. corners: how many they
    were fitted to. Raises ValueError for tables that are not so.
    """

    limit_percent: float
    scores: tuple
    probabilities: tuple
    temperature: float = 1.0
    corners: int = 0

    def __post_init__(self):
        scores, probabilities = np.asarray(self.scores, float), np.asarray(self.probabilities, float)
        if scores.ndim != 1 or not scores.size or scores.shape != probabilities.shape:
            raise ValueError(
                f"scores {scores.shape} and probabilities {probabilities.shape} must be lists of one length, above 0"
            )
        if not (np.diff(scores) > 0).all() or not np.isfinite(scores).all():
            raise ValueError(f"scores are {list(self.scores)}; they must be finite and rise")
        if not ((np.diff(probabilities) >= 0).all() and 0 <= probabilities[0] and probabilities[-1] <= 1):
            raise ValueError(f"probabilities are {list(self.probabilities)}; they must not fall, within [0, 1]")
        for name in ("limit_percent", "temperature"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be finite and above 0")
        if type(self.corners) is not int or self.corners < 0:
            raise ValueError(f"corners is {self.corners!r}; it must be how many they were, 0 or more")

    def probability(self, scores):
        """Scores (...) of corners in the photo -> probabilities (...) float64 that the error is below limit_percent."""
        return np.interp(scores, self.scores, self.probabilities)

    def confidence(self, scores, shares=None):
        """Probabilities (...) float64 that a corner is in the photo and its error below limit_percent.

        scores: (...), raw. shares: (..., 3) raw probabilities of seen, covered, outside; None where the network tells
        none, and the corner is then taken to be in the photo.
        """
        inside = 1.0 if shares is None else 1 - self.visibility(shares)[..., OUTSIDE]
        return self.probability(scores) * inside

    def visibility(self, probabilities):
        """Raw probabilities (..., 3) of seen, covered, outside -> calibrated ones, rows of sum 1."""
        return soften(probabilities, self.temperature)

    def to_json(self):
        """dict of plain values; from_json gives the same calibration back."""
        return dataclasses.asdict(self) | {"scores": list(self.scores), "probabilities": list(self.probabilities)}

    @classmethod
    def from_json(cls, values):
        """Raises ValueError where a field is missing or unknown, or a table is no table."""
        names = sorted(field.name for field in dataclasses.fields(cls))
        if sorted(values) != names:
            raise ValueError(f"a calibration has the fields {', '.join(names)}, not {', '.join(sorted(values))}")
        try:
            tables = {name: tuple(values[name]) for name in ("scores", "probabilities")}
            return cls(**values | tables)
        except (TypeError, OverflowError) as fault:
            raise ValueError(f"a field is of another kind than it must be: {fault}") from fault


def fit(scores, errors_percent, limit_percent, shares=None, visibility=None):
    """Calibration of corners that no training has seen.

    scores: (N,). errors_percent: (N,), of the photo's diagonal; a corner whose error is not finite (its place is
    unknown) is left out. shares, visibility: (M, 3) and (M,) as for fit_temperature, where the network tells
    visibility; the two lists need not be of the same corners. Raises ValueError without a corner.
    """
    scores, errors = np.ravel(np.asarray(scores, float)), np.ravel(np.asarray(errors_percent, float))
    if scores.shape != errors.shape:
        raise ValueError(f"{scores.size} scores and {errors.size} errors; there must be one of each a corner")
    known = np.isfinite(errors)
    table = fit_scores(scores[known], errors[known] < limit_percent)
    temperature = 1.0 if shares is None else fit_temperature(shares, visibility)
    return Calibration(limit_percent, *table, temperature, int(known.sum()))


def fit_scores(scores, right):
    """A monotone map from score to probability: (scores, probabilities), tuples for Calibration.

    scores: (N,). right: (N,) bool. Isotonic regression (Zadrozny & Elkan, "Transforming Classifier Scores into Accurate
    Multiclass Probability Estimates", KDD 2002): of all maps that do not fall, the one of least squares. N corners
    cannot show that nothing ever fails: what is below 1 / (N + 2), or as near to 1, becomes that (Laplace's rule).
    Needs scikit-learn. Raises ValueError without a corner.
    """
    from sklearn.isotonic import IsotonicRegression

    scores, right = np.asarray(scores, float), np.asarray(right, bool)
    if not scores.size:
        raise ValueError("there is no corner to calibrate with; choose data with corners in the photos")
    lowest = 1 / (len(scores) + 2)
    fitted = IsotonicRegression(y_min=lowest, y_max=1 - lowest).fit(scores, right)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())


def soften(probabilities, temperature):
    """Probabilities (..., C) -> (..., C), each to the power 1 / temperature and made to sum to 1.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017), with the logarithms as
    logits: above 1 doubts more, below 1 less, and the largest stays the largest. Before, what is below
    LOWEST_PROBABILITY becomes that, but for temperature 1, which changes nothing.
    """
    probabilities = np.asarray(probabilities, float)
    if temperature == 1:
        return probabilities.copy()
    logits = np.log(np.maximum(probabilities, LOWEST_PROBABILITY)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def log_loss(probabilities, place):
    """Mean of -log of the probability (N, C) of what was so, place (N,) int; at most -log(LOWEST_PROBABILITY) each."""
    said = np.asarray(probabilities, float)[np.arange(len(place)), place]
    return float(-np.log(np.maximum(said, LOWEST_PROBABILITY)).mean())


def fit_temperature(shares, visibility):
    """The temperature of least log-loss, in TEMPERATURES.

    shares: (M, 3) probabilities of seen, covered, outside. visibility: (M,) as in COCO: 2 seen, 1 covered, 0 outside.
    Golden-section search on the logarithm: the loss is convex in 1 / temperature, so there is one valley. A network
    that is always right has none, and gets the lowest. Raises ValueError without a corner, or for other shapes.
    """
    shares, visibility = np.asarray(shares, float), np.asarray(visibility, int)
    if shares.ndim != 2 or shares.shape[1] != 3 or visibility.shape != shares.shape[:1] or not len(shares):
        raise ValueError(f"shares {shares.shape} and visibility {visibility.shape} must be (M, 3) and (M,), M above 0")
    logits = np.log(np.maximum(shares, LOWEST_PROBABILITY))
    logits -= logits[np.arange(len(shares)), 2 - visibility, None]  # against the right one, which is then 0

    def loss(log_temperature):
        return np.logaddexp.reduce(logits / np.exp(log_temperature), axis=1).mean()

    low, high = np.log(TEMPERATURES)
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        first, second = high - golden * (high - low), low + golden * (high - low)
        if loss(first) <= loss(second):
            high = second
        else:
            low = first
    return float(np.exp((low + high) / 2))


def reliability(confidence, right, bins=BINS):
    """What was said against what was so: list of dicts, one a bin of equal width over [0, 1], empty ones too.

    confidence: (N,) probabilities. right: (N,) bool. Each has "low" and "high" (a value on a border belongs to the
    bin above, 1 to the last), "count", and, None when empty, "confidence" and "right", the means in it.
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, bool)
    if confidence.shape != right.shape or not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("confidence must be one probability in [0, 1] for each answer, right or wrong")
    borders = np.arange(bins + 1) / bins
    places = np.clip(np.searchsorted(borders, confidence, side="right") - 1, 0, bins - 1)
    table = []
    for k in range(bins):
        inside = places == k
        table.append({
            "low": float(borders[k]),
            "high": float(borders[k + 1]),
            "count": int(inside.sum()),
            "confidence": float(confidence[inside].mean()) if inside.any() else None,
            "right": float(right[inside].mean()) if inside.any() else None,
        })
    return table


def expected_calibration_error(confidence, right, bins=BINS):
    """Mean over the answers of |what was said - what was so| of their bin of `reliability`; None without any.

    Of probabilities of several classes the confidence is the largest, and it is right where the largest was so
    (Guo et al., 2017).
    """
    table = [row for row in reliability(confidence, right, bins) if row["count"]]
    count = sum(row["count"] for row in table)
    if not count:
        return None
    return sum(row["count"] * abs(row["confidence"] - row["right"]) for row in table) / count
