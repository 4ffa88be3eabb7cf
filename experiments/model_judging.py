"""Corner networks judged by a rendered dataset and by annotated photos, corners seen and covered apart."""

import json
from dataclasses import dataclass

import numpy as np

from experiments.photos import SUCCESS_PERCENT, evaluate, read_photos
from experiments.runs import run_config
from scenes.files import write_whole
from scenes.images import input_to_photo

KINDS = {"visible": 2, "covered": 1}  # by COCO's visibility
# Percent of the diagonal, where the share of corners within it is told.
WITHIN_PERCENT = np.round(np.linspace(0, 5, 51), 1)


@dataclass(frozen=True, eq=False)
class Judged:
    """Errors of a network on N photos. errors: float64 (N, 4), percent of the diagonal, NaN where a corner is not
    known. visibility: int (N, 4), as in COCO. sizes: (N, 2), width and height of the photos."""

    errors: np.ndarray
    visibility: np.ndarray
    sizes: np.ndarray

    def figures(self, spec):
        """dict for JSON. spec: scenes.images.InputSpec of the network, for pixels of its input.

        "found": photos with every known corner within SUCCESS_PERCENT. Of each of KINDS "count", median and p95 in
        pixels of the input and in percent, and "within", the share of corners within WITHIN_PERCENT; None without any.
        """
        inside = np.where(np.isfinite(self.errors), self.errors, -np.inf)
        known = np.isfinite(self.errors).any(axis=1)
        told = {"photos": int(known.sum()), "found": int((inside.max(axis=1)[known] <= SUCCESS_PERCENT).sum())}
        pixels = self.errors / 100 * np.hypot(*self.sizes.T)[:, None] / photo_pixels(self.sizes, spec)[:, None]
        for kind, value in KINDS.items():
            chosen = (self.visibility == value) & np.isfinite(self.errors)
            told[kind] = {"count": int(chosen.sum())}
            for unit, errors in (("px", pixels[chosen]), ("percent", self.errors[chosen])):
                for figure, share in (("median", 50), ("p95", 95)):
                    told[kind][f"{figure}_{unit}"] = float(np.percentile(errors, share)) if errors.size else None
            told[kind]["within"] = [float((self.errors[chosen] <= limit).mean()) for limit in WITHIN_PERCENT
                                    ] if chosen.any() else None
        return told


def photo_pixels(sizes, spec):
    """How many pixels of a photo a pixel of the input is: (N,), of photos of sizes (N, 2); the mean of both sides where
    the fit is no plain scaling."""
    return np.sqrt([abs(np.linalg.det(input_to_photo(tuple(map(int, size)), spec)[:2, :2])) for size in sizes])


def judge_run(run, weights, test, photos, file):
    """Judge a run's weights ("best" or "last") by a dataset and a folder of annotated photos, either of which may be
    None, and write what was found into a JSON file; for a process of its own.

    What it says of the photos stays in the run's folder, where `judged_by_photos` finds it again.
    """
    import cv2

    cv2.setNumThreads(1)
    spec, found = run_config(run).input_spec, {"test": None, "photos": None}
    if photos:
        found["photos"] = judged_by_photos(run, weights, read_photos(photos))[0].figures(spec)
    if test:
        judged, heatmaps = _judged_by_dataset(run, weights, test)
        found["test"] = judged.figures(spec) | heatmaps
    write_whole(file, (json.dumps(found) + "\n").encode())


def judged_by_photos(run, weights, photos):
    """(Judged, experiments.photos.Evaluation) of a run on a PhotoSet."""
    evaluation = evaluate(run, photos, weights)
    visibility, sizes = (np.array([getattr(photo, name) for photo in photos.photos]) for name in ("visibility", "size"))
    return Judged(evaluation.errors, visibility, sizes), evaluation


def _judged_by_dataset(run, weights, test):
    from keypoints.evaluate import Findings
    from keypoints.subject import open_subject

    subject = open_subject(run, test, weights=weights)
    findings = Findings(subject.predictions(), subject.truth)
    told, visibility = findings.figures(), findings.truth.visibility
    errors = np.where(visibility > 0, findings.errors_percent, np.nan)
    return Judged(errors, visibility, findings.truth.sizes), {
        name: told[name] for name in ("heatmap_mse", "published_heatmap_accuracy")}
