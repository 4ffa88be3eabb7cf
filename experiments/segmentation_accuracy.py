"""How good a segmentation network is at each precision: on a dataset's masks, and on photos whose corners are known."""

import json
from pathlib import Path

import cv2
import numpy as np

from deploy.accuracy import classes_at, judged_samples
from deploy.frozen_graph import limit_tensorflow
from experiments.photos import read_photos
from experiments.segmentation_timing import HINTS, load, open_bundle, open_runtime
from scenes.files import write_whole
from scenes.images import fit_photo, read_photo
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from segmentation.metrics import CLASSES, confusion_matrix, iou, mean

KERAS = "Keras FP32"
BATCH = 8


def judge(network, folder, data, limit, photos, threads, file):
    """What a Network that is prepared in `folder` reaches in Keras and in OpenVINO at each precision, into a JSON file:
    see `accuracies`. photos: folder of annotated photos, or None."""
    from deploy.runtimes import KerasRuntime

    limit_tensorflow(threads)
    spec = network.config.input_spec
    answers = {KERAS: KerasRuntime(load(network), spec)}
    answers |= {name: open_runtime(name, network, folder, threads) for name in HINTS}
    write_accuracies(answers, spec, data, limit, photos, threads, file)


def judge_bundle(bundle, data, limit, photos, threads, file):
    """As `judge`, of a bundle's INT8 network."""
    answer, spec = open_bundle(bundle, threads)
    write_accuracies({"OpenVINO INT8": answer}, spec, data, limit, photos, threads, file)


def write_accuracies(answers, spec, data, limit, photos, threads, file):
    """`accuracies` into a JSON file."""
    cv2.setNumThreads(threads)
    samples, split = judged_samples(data, limit)
    found = {"split": split, "samples": len(samples), "precisions": accuracies(answers, spec, samples, threads)}
    if photos:
        for name, shares in covered_shares(answers, spec, read_photos(photos)).items():
            found["precisions"][name]["photos"] = shares
    write_whole(file, (json.dumps(found) + "\n").encode())


def accuracies(answers, spec, samples, threads=1):
    """How good several runtimes of one network are on Samples, at the photos' own size.

    answers: {name: function from uint8 (N, H, W, 3) at the size of the InputSpec `spec` to probabilities (N, H, W, 4)}.
    Returns {name: {"mean_iou", "iou": of each class, "points_lost": hundredths of mean IoU that KERAS has more}}; None
    where a class is nowhere, or where KERAS is not among the answers.
    """
    from segmentation.loader import read_pixels

    matrices = {name: np.zeros((CLASSES, CLASSES), np.int64) for name in answers}
    for start in range(0, len(samples), BATCH):
        pixels = read_pixels(samples[start : start + BATCH], threads)
        images = np.stack([fit_photo(one.rgb, spec) for one in pixels])
        for name, answer in answers.items():
            for one, probabilities in zip(pixels, answer(images), strict=True):
                matrices[name] += confusion_matrix(one.mask, classes_at(probabilities, one.rgb, spec))
    ious = {name: iou(matrix) for name, matrix in matrices.items()}
    before = mean(ious[KERAS]) if KERAS in ious else None
    return {name: {"mean_iou": mean(found), "iou": [None if np.isnan(value) else value for value in found.tolist()],
                   "points_lost": None if before is None else 100 * (before - mean(found))}
            for name, found in ious.items()}  # fmt: skip


def covered_shares(answers, spec, photos):
    """Share of the pixels within the annotated corners that are called sheet or foot, on a PhotoSet.

    answers, spec: as in `accuracies`. Returns {name: {"mean", "least", "by_photo": {photo's name: share}}}, of the
    photos with four known corners that enclose a pixel. A leg above the sheet is background by the definition of the
    classes, so that the best there is may be less than 1; and a network that calls everything sheet has 1.
    """
    shares = {name: {} for name in answers}
    for photo in photos.photos:
        rgb = read_photo(photo.path).rgb
        inside = quadrangle(photo.corners, rgb.shape[:2]) if photo.known.all() else np.zeros(1, bool)
        if not inside.any():
            continue
        image = fit_photo(rgb, spec)[None]
        for name, answer in answers.items():
            called = classes_at(answer(image)[0], rgb, spec)[inside]
            shares[name][photo.name] = float(np.isin(called, (SHEET, LEFT_FOOT, RIGHT_FOOT)).mean())
    return {name: {"mean": float(np.mean(list(told.values()))) if told else None,
                   "least": min(told.values(), default=None), "by_photo": told} for name, told in shares.items()}


def quadrangle(corners, size):
    """Which pixels are within corners float (4, 2), x and y, their outline included: bool of size (height, width)."""
    inside = np.zeros(size, np.uint8)
    cv2.fillPoly(inside, [np.round(corners).astype(np.int32)], 1)
    return inside.astype(bool)


def read_accuracy(file):
    """What was written, or None where it was not."""
    file = Path(file)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
