"""What the thesis found of corners, section 5.2.2 and chapter 6, beside what came out here: a function an Item."""

import pandas as pd

from experiments.thesis import drawings, published
from experiments.thesis.findings import COVERED, SEEN, TIMES, difference, verdict
from experiments.thesis.material import seeds_told
from experiments.thesis.pixel_sections import told
from experiments.thesis.sections import UNTOLD, Drawing, Section, Table, Verdict
from experiments.thesis.trainings import TRAININGS

COVERED_UNSOLVED = "Covered corners are no better"


def _row(name, cases):
    row = {"training": TRAININGS[name].label,
           "thesis: heatmap accuracy": published.HEATMAP_ACCURACY.get(name),
           "here: heatmap accuracy": told([case["validation"]["published_heatmap_accuracy"] for case in cases], ".3f"),
           "thesis: MSE": f"{published.HEATMAP_MSE[name]:.1e}" if name in published.HEATMAP_MSE else None,
           "here: MSE": told([case["validation"]["heatmap_mse"] for case in cases], ".5f")}
    for kind, word in (("visible", "seen"), ("covered", "covered")):
        for figure, heading in (("median", "median"), ("p95", "95 %")):
            row[f"{word}, {heading}"] = told([case["validation"]["percent"][kind][figure] for case in cases], ".2f")
    row["parameters"] = f"{cases[0]['parameters']:,}" if cases else None
    row["seeds"] = seeds_told(cases)
    return row


def corner_table(material, names, name, what):
    """Table of trainings: what the thesis prints, errors of corners seen and covered. Empty columns are left out."""
    frame = pd.DataFrame([_row(one, material.cases.get(one, [])) for one in names])
    frame = frame.dropna(axis="columns", how="all")
    published_columns = tuple(heading for heading in frame if heading.startswith("thesis"))
    caption = (f"{what}: errors of corners in percent of the photo's diagonal, median and 95 %, of the validation "
               "scenes. Means over seeds, their range in brackets. Heatmap accuracy is GluonCV's.")
    return Table(name, caption, frame, published_columns)


def compared(material, first, second, values):
    """Difference of two trainings by name, of closeness: 1 is half the error."""
    return difference(material.cases.get(first, []), material.cases.get(second, []), values)


def corner_section(item, material, claim, what, verdicts, notes=(), own=()):
    """A Section with the table of errors, learning curves and predictions."""
    shown = material.labelled(item.trainings)
    drawn = [Drawing(f"{item.name}-loss", "Training and validation loss after each epoch, one training each; losses of "
                     "different kinds have no common scale.", lambda: drawings.losses(shown),
                     "loss against epoch, a panel for each training"),
             Drawing(f"{item.name}-corners", "What the networks say of scenes that none was trained on or judged by: "
                     "true corners, covered ones drawn differently, then each network's heatmaps, largest of the four, "
                     "and corners, of its first seed.", lambda: drawings.corners(shown),
                     "photos with heatmaps and corners")] if shown else []
    return Section(item.name, item.where, item.title, claim, (corner_table(material, item.trainings, item.name, what),),
                   (*drawn, *own), tuple(verdicts), tuple(notes), material.state(item.trainings), material.scale,
                   material.dates(item.trainings))


def simplepose(item, material):
    cases = material.cases.get("simplepose-resnet18", [])
    evidence = "The training is not done."
    if cases:
        accuracy = told([case["validation"]["published_heatmap_accuracy"] for case in cases], ".3f")
        evidence = f"Heatmap accuracy {accuracy} here; levels depend on photos, on COCO weights and on the Gaussian."
    parameters = f"{cases[0]['parameters'] / 1e6:.1f} million" if cases else "15.4 million"
    return corner_section(
        item, material,
        "SimplePose on maps of classes, trained with the L2 loss and Adam, reaches a heatmap accuracy of 0.998; with "
        "more than 34 million parameters its lightest form is thought too large.",
        "SimplePose", [("Heatmap accuracy of 0.998", Verdict(UNTOLD, evidence))],
        [f"34 million parameters are those of SimplePose on ResNet50; on ResNet18, the lightest, it has {parameters}.",
         "Heatmap accuracy, as GluonCV computes it, counts a corner as right where the highest pixel of its map is "
         "within a twentieth of the map's size of the true one; a corner may be off by thirteen pixels of 256."])


def hourglass(item, material):
    cases = material.cases.get("hourglass", [])
    evidence = "The training is not done."
    if cases:
        mse = told([case["validation"]["heatmap_mse"] for case in cases], ".1e")
        evidence = (f"{mse} here, of heatmaps from 0 to 1. An MSE of 1.3e-5 on that scale is a heatmap of which nearly "
                    "all is right; the thesis speaks of 0 to 255 and of 0 to 1, a factor of 65,025 between them.")
    return corner_section(
        item, material,
        "Two stacked hourglasses with bottlenecks of up to 128 filters and supervision after each reach a mean squared "
        "error of 1.3e-5: very exact on corners seen, more than SimplePose. For a covered corner they take the place "
        "where foot and sheet meet.",
        "SimplePose and the hourglass",
        [("Corners seen are more exact than SimplePose's",
          verdict(compared(material, *item.trainings, SEEN), "better", TIMES)),
         ("Covered corners are no better than SimplePose's",
          verdict(compared(material, *item.trainings, COVERED), "not better", TIMES)),
         ("An MSE of 1.3e-5", Verdict(UNTOLD, evidence))],
        ["Multiples are of the error of the second training beside the first: below 1 is better."])


def _variant(item, material, claim, what, note=None):
    """A variant of the hourglass: like it on corners seen, no better on those covered."""
    first, second = item.trainings
    return corner_section(item, material, claim, what, [
        ("Corners seen are alike", verdict(compared(material, first, second, SEEN), "alike", TIMES)),
        (COVERED_UNSOLVED, verdict(compared(material, first, second, COVERED), "not better", TIMES))],
        [note] if note else ())


def hourglass_focal(item, material):
    return _variant(item, material,
                    "A loss that counts pixels above a threshold of the error with one factor and those below with "
                    "another gives a like result; it does not solve covered corners.",
                    "The hourglass with and without the focal loss",
                    "The thesis names neither threshold nor factors; here 0.1 of a peak, 1 and 0.1.")


def hourglass_rgb(item, material):
    first, second = item.trainings
    return corner_section(
        item, material,
        "On the photo itself in place of the map of classes the precision is like, though the map with its four values "
        "should be the easier.",
        "The hourglass on maps of classes and on photos",
        [("Corners seen are alike", verdict(compared(material, first, second, SEEN), "alike", TIMES))],
        ["Maps of classes are the true ones here, in training and in validation; the thesis's came out of its "
         "classical segmentation."])


def hourglass_ohkm(item, material):
    return _variant(item, material,
                    "Taking the loss of the three worst of the four corners alone (online hard keypoint mining) gives "
                    "a like result; it does not solve covered corners.",
                    "The hourglass with and without mining")


def simplepose_covered(item, material):
    first, second = item.trainings
    return corner_section(
        item, material,
        "SimplePose, tried again, is right on covered corners where the hourglass is not, and less precise.",
        "The hourglass and SimplePose",
        [("Covered corners are better than the hourglass's",
          verdict(compared(material, first, second, COVERED), "better", TIMES)),
         ("Corners seen are less exact", verdict(compared(material, second, first, SEEN), "better", TIMES))],
        ["The second comparison is of the hourglass beside SimplePose."])


def no_better(item, material):
    """Findings that the second of an Item's two trainings is no better than the first, on either kind of corners."""
    return [(finding, verdict(compared(material, *item.trainings, kind), "not better", TIMES))
            for finding, kind in (("Corners seen are no better", SEEN), (COVERED_UNSOLVED, COVERED))]


def simplepose_resnet50(item, material):
    return corner_section(
        item, material, "A ResNet50 in place of the ResNet18 gives like results; it is not worth while.",
        "SimplePose on two depths",
        no_better(item, material))


def small_gaussian(item, material):
    first, second = item.trainings
    return corner_section(
        item, material, "A smaller Gaussian round each corner makes SimplePose considerably more precise.",
        "SimplePose with Gaussians of 2 and of 1 pixels",
        # "Considerably": by more than what is called similar elsewhere.
        [("Corners seen are considerably more exact",
          verdict(compared(material, first, second, SEEN), "better", TIMES, TIMES.margin))],
        ["The thesis names no size. Pixels are those of the heatmap, a quarter of the input's; at half the thesis's "
         "input a Gaussian of 2 is as large a part of the sheet as one of 4 in its own."])


def slope_loss(item, material):
    return corner_section(
        item, material,
        "A loss on the difference of the slopes of opposite edges was tried and did not work out; no figures are "
        "given.",
        "The hourglass with and without the loss on slopes",
        no_better(item, material),
        ["Opposite edges of a sheet are parallel in a photo from straight above alone; the loss asks for it "
         "everywhere."])
