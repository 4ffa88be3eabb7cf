"""Fitting a run's calibration to samples that it was not trained on, and telling what that is worth.

On the samples that it was fitted to a calibration looks better than it is. So its figures are told once more, of each
photo by a calibration fitted without it: photos are dealt into folds, and each fold is judged with what was fitted to
the others. Whole photos, for the corners of one are not independent.
"""

import numpy as np

from keypoints.calibration import OUTSIDE, expected_calibration_error, fit, log_loss
from keypoints.decoding import METHOD
from keypoints.evaluate import RIGHT_PERCENT, Findings
from keypoints.run import RunError
from keypoints.run_calibration import Kept, keep
from keypoints.subject import no_progress, open_subject

FOLDS = 5
SEED = 0  # of the deal


def calibrate(run, data, split="validation", weights="best", folds=FOLDS, progress=no_progress):
    """Fit what a run's scores and shares of visibility mean, and keep it in the run: (run_calibration.Kept, its path).

    run, data, split, weights, progress: as keypoints.subject.open_subject has them; the samples must not be those that
    the run was trained on. Raises RunError, WeightsError, PhotoError, ValueError, OSError.
    """
    subject = open_subject(run, data, split, weights, progress=progress)
    if subject.config.is_regression:
        raise RunError(f"{run} is a {subject.config.model}, which gives no scores: there is nothing to calibrate")
    findings = Findings(subject.predictions(), subject.truth)
    _check(findings, data, folds)
    calibration = fitted(findings)
    figures = {
        "samples": len(subject.samples),
        "folds": folds,
        "before": worth(findings, said(findings)),
        "fitted": worth(findings, said(findings, calibration)),
        "cross_validated": worth(findings, said_by_others(findings, folds)),
    }
    kept = Kept(calibration, subject.made_of, METHOD, subject.name, figures)
    return kept, keep(run, kept)


def _check(findings, data, folds):
    visibility = findings.truth.visibility
    if len(visibility) < folds:
        raise ValueError(f"{data} has {len(visibility)} samples, must have {folds} at least: one for each fold")
    if findings.told is not None and len(np.unique(visibility)) == 1:
        raise ValueError(f"every corner of {data} has visibility {visibility.flat[0]}, which does not tell what the "
                         "network's shares are worth; give samples with corners seen and covered")


def fitted(findings, samples=slice(None)):
    """keypoints.calibration.Calibration of some samples (an index) of a keypoints.evaluate.Findings: of the scores of
    the corners that are in the photo, and the shares of all."""
    visibility = findings.truth.visibility[samples]
    present = visibility > 0
    scores, errors = findings.scores[samples][present], findings.errors_percent[samples][present]
    if findings.told is None:
        return fit(scores, errors, RIGHT_PERCENT)
    return fit(scores, errors, RIGHT_PERCENT, findings.told[samples].reshape(-1, 3), visibility.ravel())


def said(findings, calibration=None, samples=slice(None)):
    """What is told of some samples' corners: {"score": (n, K), "visibility": (n, K, 3) or None, "confidence": (n, K)},
    probabilities as a Calibration tells them, or the raw values taken for such."""
    scores, shares = findings.scores[samples], None if findings.told is None else findings.told[samples]
    if calibration is None:
        scores = np.clip(scores, 0.0, 1.0)
        confidence = scores if shares is None else scores * (1 - shares[..., OUTSIDE])
        return {"score": scores, "visibility": shares, "confidence": confidence}
    return {
        "score": calibration.probability(scores),
        "visibility": None if shares is None else calibration.visibility(shares),
        "confidence": calibration.confidence(scores, shares),
    }


def said_by_others(findings, folds):
    """What `said` gives for all samples, each by a calibration that was fitted without its fold."""
    fold = np.random.default_rng(SEED).permutation(len(findings.scores)) % folds
    told = {name: None if values is None else np.empty(values.shape) for name, values in said(findings).items()}
    for k in range(folds):
        own = fold == k
        for name, values in said(findings, fitted(findings, ~own), own).items():
            if values is not None:
                told[name][own] = values
    return told


def worth(findings, told):
    """How far what `said` gives of all samples is so: {name: {"corners", "expected_calibration_error", "log_loss"}}.

    "score": that a corner in the photo is within RIGHT_PERCENT, "confidence": that a corner is both; "visibility": that
    it is seen, covered or outside, where the network tells it.
    """
    visibility = findings.truth.visibility
    present, near = visibility > 0, findings.errors_percent <= RIGHT_PERCENT
    figures = {"score": _of_one(told["score"][present], near[present])}
    if told["visibility"] is not None:
        figures["visibility"] = _of_several(told["visibility"].reshape(-1, 3), 2 - visibility.ravel())
    return figures | {"confidence": _of_one(told["confidence"].ravel(), (near & present).ravel())}


def _of_one(probabilities, right):
    """probabilities: (M,) that something is so. right: (M,) bool, whether it is."""
    error = expected_calibration_error(probabilities, right)
    both = np.stack([1 - probabilities, probabilities], axis=1)
    return {"corners": len(right), "expected_calibration_error": error, "log_loss": log_loss(both, right.astype(int))}


def _of_several(probabilities, place):
    """probabilities: (M, C) of classes. place: (M,) int, of the right one."""
    error = expected_calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == place)
    return {"corners": len(place), "expected_calibration_error": error, "log_loss": log_loss(probabilities, place)}
