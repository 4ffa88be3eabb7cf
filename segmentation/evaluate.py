"""How good a trained network is: figures of what it says of a dataset or of annotated photos, under conditions too."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from scenes.conditions import UNITS, Condition, conditions
from scenes.files import write_whole
from scenes.labels import NAMES
from scenes.progress import no_progress
from segmentation import metrics
from segmentation.photo_findings import PhotoFindings
from segmentation.predictions import ClassMaps
from segmentation.subject import Subject, open_subject

# How many samples are named as the worst.
WORST = 24


class Findings:
    """Class maps beside the true masks, every sample counted once.

    Args:
        subject: the samples, with masks.
        maps: what the network says of them under the condition.
        condition: which one; None for the photos as they are.
        progress: called with 1 after each sample.

    From them, one a sample: matrices and boundaries, at the photo's size; input_matrices and input_boundaries, at the
    network's, bars left out (see `metrics` for both); sides, lists of `metrics.named_sides`.
    """

    def __init__(
        self, subject: Subject, maps: ClassMaps, condition: Condition | None = None, progress: Callable | None = None
    ):
        self.names = maps.names
        matrices, boundaries, input_matrices, input_boundaries, self.sides = [], [], [], [], []
        for index in range(len(maps.names)):
            truth, said = subject.truth(index, condition), maps.at_photo(index)
            matrices.append(metrics.confusion_matrix(truth, said))
            boundaries.append(metrics.boundary_counts(truth, said))
            self.sides.append(metrics.named_sides(truth, said))
            said = maps.at_input(index)
            small = cv2.resize(truth, said.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            input_matrices.append(metrics.confusion_matrix(small, said))
            input_boundaries.append(metrics.boundary_counts(small, said))
            if progress:
                progress(1)
        self.matrices, self.boundaries = np.array(matrices), np.array(boundaries)
        self.input_matrices, self.input_boundaries = np.array(input_matrices), np.array(input_boundaries)

    def figures(self) -> dict:
        """Everything that is told about all samples together, as JSON values."""
        matrix, small = self.matrices.sum(axis=0), metrics.summary(self.input_matrices.sum(axis=0))
        return {
            "samples": len(self.names),
            **metrics.summary(matrix),
            "mean_f1": metrics.f1_means(self.matrices),
            "boundary": metrics.boundary_summary(self.boundaries),
            "at_network_size": {name: small[name] for name in ("pixel_accuracy", "mean_iou", "iou")}
            | {"boundary": metrics.boundary_summary(self.input_boundaries)},
            "feet": summarise_sides([pair for sides in self.sides for pair in sides]),
            "labels": list(NAMES),
            "confusion_matrix": matrix.tolist(),
        }

    @cached_property
    def per_sample(self) -> list[dict]:
        """The figures of each sample alone, in their order, as JSON values."""
        rows = []
        for name, matrix, counts in zip(self.names, self.matrices, self.boundaries, strict=True):
            told = metrics.summary(matrix)
            shown = ("pixel_accuracy", "mean_iou", "iou", "mean_dice", "left_right_confusion")
            mean_boundary = metrics.json_number(metrics.mean(metrics.boundary_f(counts)))
            rows.append({"name": name} | {key: told[key] for key in shown} | {"mean_boundary_f": mean_boundary})
        return rows

    def worst(self) -> list[int]:
        """Indices of all samples, those of the lowest mean IoU first."""
        return sorted(range(len(self.names)), key=lambda index: self.per_sample[index]["mean_iou"] or 0.0)


@dataclass(frozen=True, eq=False)
class Judgement:
    """An evaluation. findings: of the photos as they are. maps: what the network says of them. result: dict for JSON.
    path: where the run folder has it."""

    subject: Subject
    findings: Findings | PhotoFindings
    maps: ClassMaps
    result: dict
    path: Path


def judge(
    run, data, split=None, photos=False, with_conditions=False, worst=WORST, threads=2, progress=no_progress
) -> Judgement:
    """The Judgement of a run folder on a data folder; writes evaluation-DATA[-SPLIT].json into the run.

    Args:
        run, data, split, photos, threads: as `segmentation.subject.open_subject`.
        with_conditions: also under every step of `scenes.conditions`.
        worst: how many samples are named as the worst.
        progress: as `scenes.progress.no_progress`.

    Returns:
        A Judgement; its result holds `Findings.figures` or, of photos, `PhotoFindings.figures`, "per_sample" with those
        of each, "worst" with names, "conditions" with the figures under each step, and what was evaluated.

    Raises:
        ConfigError, loader.DataError, ValueError, OSError: for a run or data that cannot be used.
    """
    subject = open_subject(run, data, split, photos, threads, progress)
    kind = PhotoFindings if photos else Findings

    def find(condition=None):
        maps = subject.class_maps(condition)
        return kind(subject, maps, condition, progress("comparing", len(maps.names))), maps

    findings, maps = find()
    result = {
        "run": str(run), "data": str(data), "split": subject.split,
        "weights_sha256": subject.made_of["weights_sha256"],
        **findings.figures(),
        "worst": [subject.samples[index].name for index in findings.worst()[:worst]],
        "per_sample": findings.per_sample,
    }
    if with_conditions:
        result["conditions"] = [
            {"name": step.name, "value": step.value, "unit": UNITS[step.name]} | find(step)[0].figures()
            for step in conditions()
        ]
    path = Path(run) / f"evaluation-{subject.name}.json"
    write_whole(path, (json.dumps(result, indent=1) + "\n").encode())
    return Judgement(subject, findings, maps, result, path)


def evaluate(run, data, split=None, **options) -> dict:
    """The result of `judge`, with its options."""
    return judge(run, data, split, **options).result


def summarise_sides(sides: list[tuple[int, int]]) -> dict:
    """Counts of feet by whether their majority has the right side; pairs as `metrics.named_sides` gives them.

    "left_right_confusion" is wrong / (right + wrong), None without either.
    """
    right = sum(truth == named for truth, named in sides)
    undecided = sum(named < 0 for _, named in sides)
    wrong = len(sides) - right - undecided
    return {
        "count": len(sides), "right_side": right, "wrong_side": wrong, "undecided": undecided,
        "left_right_confusion": round(wrong / (right + wrong), 6) if right + wrong else None,
    }
