"""How well a run finds keypoints in a dataset or in annotated photos, in photo pixels: figures of predictions."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keypoints import metrics, run_calibration
from keypoints.calibration import expected_calibration_error, reliability
from keypoints.config import CORNERS
from keypoints.decoding import METHOD
from keypoints.predictions import decoded
from keypoints.run import WEIGHTS, write_text
from keypoints.subject import Subject, Truth, open_subject
from scenes.conditions import UNITS, conditions
from scenes.progress import no_progress

__all__ = ["RIGHT_PERCENT", "Findings", "Judgement", "evaluate", "judge", "report"]
# A corner within this much of the photo's diagonal is right, where a score is taken for the probability of that.
RIGHT_PERCENT = 1.0
WORST = 24


class Findings:
    """Predictions beside the truth, corner for corner.

    predictions: keypoints.predictions.Predictions. truth: keypoints.subject.Truth. method: of decoding. From them:
    found (N, K, 2), photo pixels, as predicted; shifts (N,), see metrics.cyclic_shifts; errors_px and errors_percent
    (of the diagonal), (N, K), after those shifts; scores (N, K) and told (N, K, 3) or None, in the truth's places.
    Keypoints with visibility 0 have errors that mean nothing. calibration: keypoints.calibration.Calibration of the
    network, or None; all but the figures of its own is of raw scores.
    """

    def __init__(self, predictions, truth, method=METHOD, calibration=None):
        self.predictions, self.truth, self.calibration = predictions, truth, calibration
        self.found = predictions.points[method]
        self.shifts = metrics.cyclic_shifts(self.found, truth.corners, truth.visibility)
        self.errors_px = metrics.corner_errors(metrics.rolled(self.found, self.shifts), truth.corners)
        self.errors_percent = metrics.percent_of_diagonal(self.errors_px, truth.sizes)
        self.scores = metrics.rolled(predictions.scores[method], self.shifts)
        told = predictions.visibility[method]
        self.told = None if told is None else metrics.rolled(told, self.shifts)

    def figures(self):
        """Everything that is told about them: dict for JSON."""
        truth, heatmaps = self.truth, self.predictions.heatmaps
        present = truth.visibility > 0
        result = {
            "samples": len(truth.sizes),
            "corners": metrics.corner_report(self.found, truth.corners, truth.visibility, truth.sizes),
            "pck": metrics.pck_report(self.errors_px, truth.visibility, truth.sizes),
            "scores": self._score_figures(present, self.scores),
            "visibility": None if self.told is None else self._visibility_figures(self.told),
            "calibrated": None if self.calibration is None else self._calibrated_figures(present),
        }
        for name in ("mse", "mae"):
            result[f"heatmap_{name}"] = float(heatmaps[name].mean()) if name in heatmaps else None
        near = "near" in heatmaps
        result["heatmap_accuracy"] = metrics.share_near(heatmaps["near"]) if near else None
        result["published_heatmap_accuracy"] = (
            metrics.published_share_near(heatmaps["published_near"]) if near else None
        )
        return result

    def _calibrated_figures(self, present):
        """The same of what the calibration makes of scores and shares."""
        told = None if self.told is None else self.calibration.visibility(self.told)
        return {
            "scores": self._score_figures(present, self.calibration.probability(self.scores)),
            "visibility": None if told is None else self._visibility_figures(told),
        }

    def _score_figures(self, present, scores):
        """Scores taken for the probability that a corner is within RIGHT_PERCENT; None without scores."""
        scores, right = scores[present], self.errors_percent[present] <= RIGHT_PERCENT
        if not scores.size or not np.isfinite(scores).all():
            return None
        return {"right_percent": RIGHT_PERCENT, "accuracy": float(right.mean())} | calibration(scores, right)

    def _visibility_figures(self, told):
        """What is told of being seen, covered or outside, with the probability of the likeliest as confidence."""
        visibility = self.truth.visibility
        right = told.argmax(axis=-1) == 2 - visibility
        return metrics.visibility_report(told, visibility) | calibration(told.max(axis=-1).ravel(), right.ravel())

    def worst(self):
        """(indices of the samples, largest error of a corner of each in percent of the diagonal), worst first."""
        return metrics.worst_first(self.errors_percent, self.truth.visibility)

    def turns(self, turned_deg=0.0):
        """How far the sheets are turned in what the network saw, degrees (N,), NaN where nobody can tell.

        turned_deg: how far the photos were. Of keypoints that are no corners that alone is known.
        """
        own = metrics.sheet_turns(self.truth.corners) if self.found.shape[1] == CORNERS else np.zeros(len(self.found))
        return own + turned_deg


def report(outputs, targets, examples, config, method=METHOD):
    """Everything that is told about a network's outputs: dict for JSON, as Findings.figures.

    outputs, targets: (N, C, h, w), or coordinates (N, 2K). "corners" as metrics.corner_report has it, "pck", "scores",
    "visibility", "heatmap_mse", "heatmap_mae", "heatmap_accuracy" right and "published_heatmap_accuracy" as GluonCV has
    it, "samples". What a network has not (heatmaps, probabilities of visibility, a calibration) is None.
    """
    predictions = decoded(outputs, targets, examples, config, (method,))
    return Findings(predictions, Truth.of_examples(examples), method).figures()


def evaluate(run, data, split=None, weights="best", **options):
    """Evaluate a run on a dataset or on annotated photos: (its content, path of the evaluation-NAME.json written).

    Arguments and errors as `judge` has them.
    """
    judgement = judge(run, data, split, weights, **options)
    return judgement.result, judgement.path


@dataclass(frozen=True, eq=False)
class Judgement:
    """An evaluation. subject: keypoints.subject.Subject. findings: of the photos as they are. result: dict for JSON.
    path: where the run folder has it."""

    subject: Subject
    findings: Findings
    result: dict
    path: Path


def judge(
    run, data, split=None, weights="best", photos=False, with_conditions=False, method=METHOD, worst=WORST,
    calibrated=True, progress=no_progress,
):  # fmt: skip
    """Judgement of a run folder on a data folder; writes evaluation-NAME.json into the run.

    data, split, photos: as keypoints.subject.open_subject. weights: "best" or "last". with_conditions: also under every
    step of scenes.conditions. method: of decoding, see keypoints.decoding. worst: how many samples are named as
    the worst. calibrated: also what the run's calibration makes of scores and shares, where it has one that belongs to
    them. progress: as scenes.progress.no_progress.
    Raises RunError, WeightsError, PhotoError, ValueError, OSError.
    """
    subject = open_subject(run, data, split, weights, photos, progress)
    truth = subject.truth
    calibration, about = _calibration_of(subject, method) if calibrated else (None, None)
    findings = Findings(subject.predictions(), truth, method, calibration)
    result = {
        "data": subject.name,
        "split": split,
        "weights": WEIGHTS[weights],
        "weights_sha256": subject.made_of["weights_sha256"],
        "decode": method,
        "calibration": about,
        **findings.figures(),
        "worst": [
            {"name": subject.samples[index].name, "percent": float(error)}
            for index, error in zip(*findings.worst(), strict=True)
        ][:worst],
    }
    turned = [(findings, 0.0)]
    if with_conditions:
        result["conditions"] = []
        for condition in conditions(of_masks=subject.config.input == "mask"):
            under = Findings(subject.predictions(condition), truth, method, calibration)
            result["conditions"].append(
                {"name": condition.name, "value": condition.value, "unit": UNITS[condition.name]} | under.figures()
            )
            if condition.name == "turn":
                turned.append((under, condition.value))
    result["turn"] = turn_curve(turned)
    path = Path(run) / f"evaluation-{subject.name}.json"
    write_text(path, json.dumps(result, indent=2) + "\n")
    return Judgement(subject, findings, result, path)


def _calibration_of(subject, method):
    """(Calibration or None, what is told about it: dict or None) of the run of a Subject.

    Whether it was fitted to the very samples of the subject is told: there it looks better than it is.
    """
    kept = run_calibration.read(subject.run)
    if kept is None:
        return None, None
    about = {
        "left_out": kept.why_not(subject.made_of, method),
        "data": kept.data,
        "corners": kept.calibration.corners,
        "of_these_samples": kept.made_of["samples_sha256"] == subject.made_of["samples_sha256"],
    }
    return None if about["left_out"] else kept.calibration, about


def turn_curve(turned):
    """metrics.turn_curve of errors in percent of the diagonal, of [(Findings, how far its photos were turned), ...]."""
    return metrics.turn_curve(
        np.concatenate([findings.turns(degrees) for findings, degrees in turned]),
        np.concatenate([findings.errors_percent for findings, _ in turned]),
        np.concatenate([findings.truth.visibility for findings, _ in turned]),
    )


def calibration(probabilities, right):
    """{"bins": keypoints.calibration.reliability, "expected_calibration_error"} of M probabilities (M,), rounded into
    [0, 1], and whether what they stand for is so, bool (M,)."""
    probabilities = np.clip(probabilities, 0.0, 1.0)
    return {
        "bins": reliability(probabilities, right),
        "expected_calibration_error": expected_calibration_error(probabilities, right),
    }
