"""A corner training of the thesis: trained and judged."""

import numpy as np

from experiments.thesis.case import PICTURES, png_text, shortened

WEIGHTS = "last"


def train_and_judge(job):
    """dict for JSON of an experiments.thesis.case.Job: "parameters", "history", "train" and "validation" with figures,
    "each" with errors and visibility of each validation scene's corners, "pictures" {scene: {"corners", "heatmap"}},
    a scene's corners in its pixels and the largest of its maps, 255 a peak, as PNG; without where there are no maps.
    """
    from keypoints.evaluate import judge
    from keypoints.train import train

    history = train(job.data, job.run, job.config, resume=True)
    trained = judge(job.run, job.data, "train", WEIGHTS)
    judged = judge(job.run, job.data, "validation", WEIGHTS)
    findings = judged.findings
    known = findings.truth.visibility > 0
    found = {
        "parameters": parameters(judged.subject.network),
        "seconds": round(sum(line["seconds"] for line in history), 1),
        "history": [{"epoch": line["epoch"], "train_loss": line["train_loss"],
                     "validation_loss": line["validation_loss"], "mean_percent": line["all_mean_percent"],
                     "heatmap_accuracy": line["published_heatmap_accuracy"]} for line in history],
        "train": _figures(trained.result), "validation": _figures(judged.result),
        "each": {"percent": shortened(np.where(known, findings.errors_percent, np.nan)),
                 "visibility": findings.truth.visibility.tolist()},
        "pictures": pictures(job.run),
    }
    return found


def _figures(result):
    """What is told of an evaluation's result, errors in percent of the diagonal and in pixels of the photo."""
    errors = result["corners"]["cyclic"]
    return {"samples": result["samples"], "percent": errors["percent"], "px": errors["px"], "pck": result["pck"],
            **{name: result[name] for name in ("heatmap_mse", "heatmap_mae", "heatmap_accuracy",
                                               "published_heatmap_accuracy")}}


def parameters(network):
    """How many values a network has, the running statistics of BatchNorm included."""
    return int(sum(np.prod(parameter.shape) for parameter in network.collect_params().values()))


def pictures(run):
    """What a run says of the report's scenes."""
    from keypoints.decoding import METHOD
    from keypoints.subject import open_subject

    subject = open_subject(run, PICTURES, "test", WEIGHTS)
    said, found = subject.predictions(), {}
    _, outputs = subject.outputs(range(len(subject.samples)))
    for name, points, output in zip(said.names, said.points[METHOD], outputs, strict=True):
        found[name] = {"corners": shortened(points)}
        if output.ndim == 3:
            maps = output[:3] if subject.config.maps == "sheet" else output
            found[name]["heatmap"] = png_text(np.clip(255 * maps.max(axis=0), 0, 255).astype(np.uint8))
    return found
