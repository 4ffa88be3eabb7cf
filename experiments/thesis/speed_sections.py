"""What the thesis found of speed and of conversion, beside what came out here: a function for each Item. All of it is
the result of other experiments."""

import numpy as np
import pandas as pd

from experiments import corner_speed
from experiments.figure57_report import HEADINGS as CAUSE_HEADINGS
from experiments.figure57_report import cells as cause_cells
from experiments.thesis import drawings, published
from experiments.thesis.material import MODELS
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, Drawing, Section, Table, Verdict

# The thesis: "almost three times".
TIMES_FASTER = published.RATES["final"] / published.RATES["base"]


def frame_of(headings, cells):
    """DataFrame of a table of str, as experiments print it; the first column is called "which" where it has no name,
    and headings that are there twice get a number."""
    names = []
    for place, heading in enumerate(headings):
        heading = heading or ("which" if place == 0 else "of")
        names.append(heading if heading not in names else f"{heading} ({names.count(heading) + 1})")
    return pd.DataFrame(cells, columns=names)


def section_of(item, document, claim, tables=(), drawings_=(), verdicts=(), notes=()):
    """A Section that rests on the results of another experiment; `document` is None where it has not been run."""
    if document is None:
        untold = tuple((finding, Verdict(UNTOLD, f"The experiment {item.experiment} has not been run."))
                       for finding, _ in verdicts)
        return Section(item.name, item.where, item.title, claim, verdicts=untold, notes=tuple(notes), state="not run")
    return Section(item.name, item.where, item.title, claim, tuple(tables), tuple(drawings_), tuple(verdicts),
                   tuple(notes), "partly" if document["missing"] else "done",
                   f"scale {document['scale']} of {document['experiment']}", document["date"])


def segmentation_rate(item, material):
    found = material.result(*MODELS)
    claim = ("The final model (EfficientNetB4) is almost three times as fast as the base one (ResNet101): 33 photos a "
             "second beside 12, both as TensorFlow's frozen graphs on an Nvidia Tesla T4.")
    finding = "The final model is almost three times as fast"
    if found is None:
        return section_of(item, None, claim, verdicts=[(finding, None)])
    rates = {name: np.median(told["images_per_second"]) for name, told in found["rates"].items()}
    ratios = found["rates"]["final"]["ratio"]
    labels = {"base": "base, ResNet101", "final": "final, EfficientNetB4"}
    side, threads = found["configuration"]["side"], found["configuration"]["threads"]
    frame = pd.DataFrame([{"model": labels[name], "thesis: photos a second, Tesla T4": published.RATES[name],
                           f"here: photos a second, {threads} threads": f"{rates[name]:.2f}"} for name in labels])
    words = (f"{np.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds) on a "
             f"CPU; the thesis has {TIMES_FASTER:.2f} on a GPU. At least twice as fast in every round counts.")
    word = REPRODUCED if min(ratios) >= 2 else NOT_REPRODUCED if max(ratios) < 2 else UNTOLD
    drawn = Drawing("segmentation-rate", "Photos a second of the base and the final model as frozen graphs (figure "
                    f"46): here on a CPU with {threads} threads, in the thesis on a GPU.",
                    lambda: drawings.bars({labels[name]: float(rate) for name, rate in rates.items()},
                                          "photos a second", {labels[name]: published.RATES[name] for name in rates}),
                    "bars of photos a second")
    return section_of(
        item, found, claim,
        [Table("segmentation-rate", f"Photos a second of frozen graphs at {side} x {side}, one at a time.", frame,
               ("thesis: photos a second, Tesla T4",))],
        [drawn], [(finding, Verdict(word, words))],
        ["The thesis's base model came from Caffe; this one is the same network in Keras. No GPU could be had."])


def corner_conversion(item, material):
    found = material.result("corners", "speed")
    claim = ("Exported to ONNX, SimplePose takes about 0.15 seconds on a GPU, and in OpenVINO's form about the same on "
             "an Intel CPU without one: OpenVINO makes up for the missing GPU.")
    findings = ("OpenVINO on a CPU is as fast as ONNX on a GPU", "OpenVINO makes the network faster on a CPU",
                "A corner network survives its conversion")
    if found is None:
        return section_of(item, None, claim, verdicts=[(finding, None) for finding in findings])
    runtimes = found["runtimes"]
    fast, threads = runtimes["OpenVINO FP32"]["ratio"], found["configuration"]["threads"]
    milliseconds = 1000 / np.median(runtimes["OpenVINO FP32"]["images_per_second"])
    off = max(runtimes[name]["corners_px"]["largest"] for name in ("ONNX Runtime", "OpenVINO FP32"))
    verdicts = (
        Verdict(UNTOLD, f"No GPU could be had. With {threads} threads OpenVINO takes {milliseconds:.1f} ms in FP32, of "
                        "which the thesis has 150: its machine and its network's input are not described."),
        Verdict(REPRODUCED if min(fast) > 1 else NOT_REPRODUCED if max(fast) < 1 else UNTOLD,
                f"{np.median(fast):.2f} times MXNet ({min(fast):.2f} to {max(fast):.2f} in {len(fast)} rounds), same "
                "threads, FP32."),
        Verdict(REPRODUCED if off < 0.01 else NOT_REPRODUCED,
                f"Corners of ONNX Runtime and OpenVINO in FP32 are at most {off:.1e} px from those of MXNet."))
    return section_of(
        item, found, claim,
        [Table("corner-conversion", "The released corner network in each runtime, one photo at a time with the same "
               "threads; times as fast as MXNet within a round.",
               frame_of(corner_speed.HEADINGS[:8], [line[:8] for line in corner_speed.cells(runtimes)]))],
        [Drawing("corner-conversion", "Photos a second of the corner network in each runtime, and in training: the "
                 "median as a bar, each round as a point.", lambda: corner_speed.figure(found),
                 "bars of photos a second")],
        zip(findings, verdicts, strict=True),
        ["The network is the released one, a pyramid on SimplePose's ResNet18; `deploy benchmark` has SimplePose's own "
         "rows, and rows for GPUs."])


def displaced_output(item, material):
    found = material.result("figure57")
    claim = ("Converted to ONNX, the segmentation network's output came out displaced; the cause was not found. "
             "SimplePose, through the same tools, came out right.")
    findings = ("The displaced output can be brought about", "Which cause it was")
    if found is None:
        return section_of(item, None, claim, verdicts=[(finding, None) for finding in findings])
    candidates = found["verdict"]["candidates"]
    tables = [Table(f"displaced-output-{place}", f"{label}: what each cause alone does to its masks, and how far they "
                    "move, in pixels of its input.", frame_of(CAUSE_HEADINGS, cause_cells(network)))
              for place, (label, network) in enumerate(found["networks"].items(), start=1)]
    verdicts = (Verdict(REPRODUCED if candidates else NOT_REPRODUCED,
                        f"{len(candidates)} causes displace masks visibly and leave them whole."),
                Verdict(UNTOLD, f"The text does not say which way nor how far: {found['verdict']['text']}."))
    return section_of(item, found, claim, tables, (), zip(findings, verdicts, strict=True),
                      ["Its picture of each cause is in `experiments/results/figure57`."])
