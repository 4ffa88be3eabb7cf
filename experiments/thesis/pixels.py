"""A segmentation training of the thesis: trained and judged."""

import os

from experiments.thesis.case import PICTURES, png_text

JUDGED = ("pixel_accuracy", "mean_iou", "iou", "mean_dice", "dice", "left_right_confusion", "mean_f1", "boundary",
          "confusion_matrix", "samples")
EACH = ("pixel_accuracy", "mean_iou", "mean_dice", "mean_boundary_f")


def train_and_judge(job):
    """dict for JSON of an experiments.thesis.case.Job: "parameters", "history", "train" and "validation" with figures,
    "each" with those of each validation scene, "pictures" {scene: class ids at the network's size, PNG}."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from experiments.segmentation_timing import limit_tensorflow
    from segmentation.evaluate import judge
    from segmentation.network import BEST_WEIGHTS, LAST_WEIGHTS, build_networks
    from segmentation.subject import open_subject
    from segmentation.train import train

    limit_tensorflow(job.threads)
    folder = train(job.data, job.run, job.config, resume=True, threads=1)
    # An evaluation takes the best epoch's. Which that is the judging scenes have said: the last is judged.
    (job.run / BEST_WEIGHTS).write_bytes((job.run / LAST_WEIGHTS).read_bytes())
    trained = judge(job.run, job.data, "train", threads=1).result
    judged = judge(job.run, job.data, "validation", threads=1).result
    pictures = open_subject(job.run, PICTURES, "test", threads=1).class_maps()
    found = {
        "parameters": build_networks(job.config, initial_weights=False).training.count_params(),
        "seconds": round(sum(line["seconds"] for line in folder.history), 1),
        "history": [_epoch(line) for line in folder.history],
        "train": {name: trained[name] for name in JUDGED},
        "validation": {name: judged[name] for name in JUDGED},
        "each": {name: [row[name] for row in judged["per_sample"]] for name in EACH},
        "pictures": {name: png_text(pictures.at_input(index)) for index, name in enumerate(pictures.names)},
    }
    return found


def _epoch(line):
    validation = line["validation"]
    return {"epoch": line["epoch"], "train_loss": line["main_loss"], "validation_loss": validation["loss"],
            "pixel_accuracy": validation["pixel_accuracy"], "mean_iou": validation["mean_iou"]}
