"""What the thesis found of segmentation, section 5.1.2, beside what came out here: a function for each Item."""

from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.results import LEAST_SEEDS
from experiments.thesis import drawings, published
from experiments.thesis.findings import POINTS, accuracy, boundary, difference, same_order, verdict
from experiments.thesis.material import MODELS, seeds_told
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, Drawing, Section, Table, Verdict
from experiments.thesis.trainings import TRAININGS
from segmentation.config import THESIS_FORM

COUNTED = ("resnet50-1236", "efficientnetb3", "efficientnetb0", "efficientnetb5")
FEET = ("left_foot", "right_foot")
# What an accuracy must be to be called high, and how far Dice must lie below it to be hidden by it. All pixels called
# background are an accuracy of 0.6, and a gap of 0.4.
HIGH_ACCURACY, LEAST_GAP = 0.9, 0.1
PUBLISHED = {"train": "thesis: training", "train_f1": "thesis: training F1", "validation": "thesis: validation",
             "validation_f1": "thesis: validation F1"}
# How the thesis took the mean F1 of classes is not said, and matters: both readings are told.
READINGS = {"F1, all pixels": "over_classes_of_one_matrix", "F1, scene by scene": "over_samples_and_classes"}


def told(values, form=".4f"):
    """Mean of the seeds' values as text, with their range; None where a value is missing."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    mean = f"{np.mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}} to {max(values):{form}})"


def _row(name, cases):
    row = {"training": TRAININGS[name].label}
    row |= {heading: published.PIXELS.get(name, {}).get(key) for key, heading in PUBLISHED.items()}
    for split in ("train", "validation"):
        heading = "training" if split == "train" else "validation"
        row[f"here: {heading}"] = told([case[split]["pixel_accuracy"] for case in cases])
    for heading, reading in READINGS.items():
        row[f"here: {heading}"] = told([case["validation"]["mean_f1"][reading] for case in cases], ".3f")
    row["mean IoU"] = told([case["validation"]["mean_iou"] for case in cases], ".3f")
    feet = [[case["validation"]["iou"][foot] for foot in FEET] for case in cases]
    row["feet IoU"] = told([None if None in both else float(np.mean(both)) for both in feet], ".3f")
    row["boundary F"] = told([case["validation"]["boundary"]["mean_f"] for case in cases], ".3f")
    row["parameters"] = f"{cases[0]['parameters']:,}" if cases else None
    row["seeds"] = seeds_told(cases)
    return row


def accuracy_table(material, names, name, caption):
    """Table of trainings: pixel accuracy as the thesis prints it, and all that is told of them here. Columns that are
    empty in every row are left out."""
    frame = pd.DataFrame([_row(one, material.cases.get(one, [])) for one in names])
    frame = frame.dropna(axis="columns", how="all")
    return Table(name, caption, frame, tuple(heading for heading in PUBLISHED.values() if heading in frame))


CAPTION = ("Pixel accuracy of training and validation, with {what}. Published values are of the thesis's photos, ours "
           "of rendered scenes: levels cannot be held against each other, differences within a column can. Means over "
           "seeds, their range in brackets; boundary F within 2 pixels.")


def compared(material, first, second, values=accuracy):
    """Difference of two trainings by name."""
    return difference(material.cases.get(first, []), material.cases.get(second, []), values)


def half_of(first, second):
    """Half of what the thesis prints as the second's gain over the first, in validation: what counts as better where
    the claim is of so much."""
    levels = [float(published.PIXELS[name]["validation"]) for name in (first, second)]
    return (levels[1] - levels[0]) / 2


def pixel_section(item, material, claim, what, verdicts, own=(), notes=()):
    """A Section with the table of accuracies, learning curves and predictions."""
    shown = material.labelled(item.trainings)
    drawn = [Drawing(f"{item.name}-learning", "Pixel accuracy of the validation scenes after each epoch: a thin line a "
                     "seed, thick their mean.", lambda: drawings.learning_curves(shown, "pixel_accuracy",
                                                                                 "pixel accuracy"),
                     "curves of pixel accuracy against epoch, one for each training"),
             Drawing(f"{item.name}-masks", "What the networks say of scenes that none was trained on or judged by: "
                     "photo, truth, and each network's classes, of its first seed.", lambda: drawings.masks(shown),
                     "grids of class maps beside photo and truth")] if shown else []
    if shown:
        drawn += own
    table = accuracy_table(material, item.trainings, item.name, CAPTION.format(what=what))
    return Section(item.name, item.where, item.title, claim, (table,), tuple(drawn), tuple(verdicts), tuple(notes),
                   material.state(item.trainings), material.scale, material.dates(item.trainings))


def base_pspnet(item, material):
    shown = material.labelled(item.trainings)
    cases = material.cases.get("base", [])
    level = Verdict(UNTOLD, "Levels depend on the photos, which are private, and on ImageNet weights.")
    gap = Verdict(UNTOLD, "The training is not done.")
    if cases:
        scores = [(case["validation"]["pixel_accuracy"], case["validation"]["mean_dice"]) for case in cases]
        hidden = all(accuracy >= HIGH_ACCURACY and accuracy - dice > LEAST_GAP for accuracy, dice in scores)
        gap = Verdict(REPRODUCED if hidden else NOT_REPRODUCED,
                      f"Accuracy {told([one for one, _ in scores])}, mean Dice {told([other for _, other in scores])}, "
                      f"of {len(cases)} {'seeds' if len(cases) > 1 else 'seed'}; the thesis has 0.9576 and 0.70. An "
                      f"accuracy of {HIGH_ACCURACY:g} and more with a gap above {LEAST_GAP:g}, in every seed, counts: "
                      "it is no comparison of trainings, and one seed will do.")
    own = [Drawing("base-pspnet-confusion", "Confusion matrix of the base model (figure 36): of the pixels of each "
                   "true class, the percentage that is given each class.", lambda: drawings.confusion(shown),
                   "confusion matrix of four classes")]
    return pixel_section(
        item, material,
        "PSPNet on a dilated ResNet101, trained with SGD and cross-entropy on photos less their mean, reaches a high "
        "pixel accuracy (0.9576) while its Dice coefficient is 0.70: accuracy hides what is wrong with small classes.",
        "the base model", [("Accuracy 0.9576 and Dice 0.70", level),
                           ("Accuracy is high where the Dice coefficient is not", gap)], own,
        ["The thesis converted its base model from Caffe, with weights from ImageNet; here it is trained from random "
         "values, and with one seed: it takes ten times as long as the others."])


def truncated_resnet50(item, material):
    return pixel_section(
        item, material,
        "Outputs of the base model lack definition. Without the encoder's last block its features are 30 x 30 in place "
        "of 15 x 15; that, with RMSProp and the poly schedule, does not harm the result: accuracy rises from 0.9576 to "
        "0.9714.",
        "the base model and the truncated ResNet50",
        [("The shallower encoder is no worse",
          verdict(compared(material, "resnet50-1236", "base"), "not better", POINTS)),
         ("Outlines are drawn more exactly: boundary F within 2 px",
          outlines(compared(material, "base", "resnet50-1236", boundary)))],
        notes=["Depth, optimiser and schedule change at once, in the thesis and here: which of them helps is not "
               "told.",
               "The thesis's base model has features of 15 x 15, interpolated to an eighth of the input. Here the base "
               "model is the PSPNet paper's, whose dilated encoder has an eighth itself: 60 x 60 of 473 x 473, finer "
               "than the truncated ResNet50's."])


def outlines(found):
    """Verdict on the outlines of the base model and the truncated one: a figure, and why it says nothing."""
    told_so = f"{POINTS.text(found)} over {found.scenes} scenes; but here" if found else "Here"
    return Verdict(UNTOLD, f"{told_so} the base model has finer features than the truncated one, and coarser ones in "
                           "the thesis.")


def pools(item, material):
    first, second, third = item.trainings
    agree, of = same_ranking(material, item.trainings)
    return pixel_section(
        item, material,
        "Pools of 1-2-3-6, 1-2-3-8 and 1-3-5-6 bins give 0.9714, 0.9712 and 0.9701: the sizes hardly matter, and those "
        "of the PSPNet paper are the best.",
        "three combinations of pools",
        [("1-2-3-8 is like 1-2-3-6", verdict(compared(material, first, second), "alike", POINTS)),
         ("1-3-5-6 is like 1-2-3-6", verdict(compared(material, first, third), "alike", POINTS))],
        notes=[f"In order of accuracy, {agree} of {of} pairs are as in the thesis."] if of else [])


def frozen_resnet50(item, material):
    found = compared(material, *item.trainings)
    evidence = ("There are no ImageNet weights here, and random ones are not worth keeping: nothing was frozen. Of the "
                "two changes only the values from 0 to 1 were tried")
    evidence += f": {POINTS.text(found)}." if found else "; that training is not done."
    whole = Verdict(UNTOLD, evidence)
    if material.scale == "paper":
        whole = verdict(found, "better", POINTS, half_of("resnet50-1356", "resnet50-frozen-1356"))
    return pixel_section(
        item, material,
        "With the encoder's first two blocks frozen at their ImageNet weights, and values from 0 to 1 in place of "
        "values less their mean, accuracy rises by about 0.01, in training and in validation (0.9701 to 0.9801).",
        "ResNet50 with pools 1-3-5-6", [("About 0.01 better", whole)])


def efficientnets(item, material):
    models = material.result(*MODELS)
    # At its scale quick it counts narrow models, which nothing is printed of.
    counts = models and models["configuration"]["form"] == THESIS_FORM and {
        name: models["parameters"][f"pspnet-{name.removesuffix('-1236')}"] for name in COUNTED} or None
    verdicts = [(f"{TRAININGS[name].label} is like ResNet50",
                 verdict(compared(material, "resnet50-frozen-1356", name), "alike", POINTS))
                for name in ("efficientnetb3", "efficientnetb0", "efficientnetb5")]
    section = pixel_section(
        item, material,
        "EfficientNetB3 does as well as ResNet50 (0.9803 beside 0.9801) with 10 million parameters fewer; B0, of 15 "
        "million in all, nearly as well (0.9800), and B5, of 23 million, slightly better (0.9820).",
        "EfficientNets in place of ResNet50",
        [*verdicts, ("B0 has 15 million parameters, B5 23, and B3 10 fewer than ResNet50", parameter_verdict(counts))],
        notes=["ResNet50 has pools 1-3-5-6 here, EfficientNets 1-2-3-6, as in the thesis.",
               *(["In the thesis all of them begin with ImageNet's weights; here all begin with random values, so that "
                  "it is another comparison."] if material.scale == "quick" else [])])
    if counts is None:
        return section
    return replace(section, tables=(*section.tables, parameter_table(counts)))


def parameter_table(counts):
    """Table of {training: parameters}, in millions."""
    rows = [{"model": TRAININGS[name].label, "thesis: millions": published.PARAMETERS.get(name),
             "here: millions": f"{count / 1e6:.2f}"} for name, count in counts.items()]
    return Table("parameters", "Parameters of whole models with 512 channels in each pyramid level and in the "
                 "auxiliary branch, which the thesis does not name; with them its counts come out.", pd.DataFrame(rows),
                 ("thesis: millions",))


def parameter_verdict(counts):
    """Verdict on the counts of parameters, each to be within half of the last digit printed."""
    if counts is None:
        return Verdict(UNTOLD, "They have not been counted.")
    found = {name: count / 1e6 for name, count in counts.items()}
    fewer = found["resnet50-1236"] - found["efficientnetb3"]
    off = [abs(found[name] - value) for name, value in published.PARAMETERS.items()]
    off.append(abs(fewer - published.B3_FEWER))
    words = (f"B0 {found['efficientnetb0']:.2f}, B5 {found['efficientnetb5']:.2f} million, B3 {fewer:.2f} million "
             "fewer than ResNet50. The 512 channels were chosen so that they fit: one number for three counts.")
    return Verdict(REPRODUCED if max(off) <= 0.5 else NOT_REPRODUCED, words)


def augmentation(item, material):
    pairs = (("B4", "efficientnetb4", "efficientnetb4-augmented"), ("B5", "efficientnetb5", "efficientnetb5-augmented"))
    return pixel_section(
        item, material,
        "Turns of up to 5 degrees, up to a tenth smaller, and mirrored with left and right exchanged: EfficientNetB4 "
        "reaches 0.9920 and B5 0.9886, where B5 had 0.9820 without; training and validation come to the same.",
        "and without augmentation",
        [(f"{name} is better with augmentation",
          verdict(compared(material, one, other), "better", POINTS,
                  half_of("efficientnetb5", "efficientnetb5-augmented")))
         for name, one, other in pairs],
        notes=["B4 without augmentation is not in the thesis; it is here so that augmentation alone differs. Half of "
               "what B5 gains in the thesis, 0.33 points, counts as better, of B4 too."])


def weighted_cross_entropy(item, material):
    first, second = item.trainings
    return pixel_section(
        item, material,
        "Weighting the classes of cross-entropy by 0.1, 1, 2 and 2 gives no better accuracy (0.9803 after 0.9920), but "
        "the borders between classes look tighter.",
        "cross-entropy and its weighted form",
        [("Accuracy is no better", verdict(compared(material, first, second), "not better", POINTS)),
         ("Borders are tighter: boundary F within 2 px",
          verdict(compared(material, first, second, boundary), "better", POINTS))],
        notes=["The thesis judges borders by eye."])


def focal_loss(item, material):
    plain, weighted, focal = item.trainings
    shown = material.labelled((plain, focal))
    own = [Drawing("focal-loss-errors", "Where cross-entropy and focal loss are wrong (figure 45): wrong pixels over "
                   "the photo, and their share.", lambda: drawings.error_maps(shown),
                   "wrong pixels of two networks over photos")] if shown else []
    return pixel_section(
        item, material,
        "A focal loss with class weights 0.15, 0.45, 0.9 and 0.9 is like weighted cross-entropy (0.9879 beside "
        "0.9803); plain cross-entropy segments more cleanly than focal loss, but for single cases.",
        "three losses",
        [("Focal loss is like weighted cross-entropy", verdict(compared(material, weighted, focal), "alike", POINTS)),
         ("Cross-entropy is better than focal loss",
          verdict(compared(material, focal, plain), "better", POINTS,
                  half_of("efficientnetb4-focal", "efficientnetb4-augmented")))], own,
        ["The thesis does not say which cross-entropy its figure 45 shows; the plain one is taken, which is the more "
         "accurate of its two."])


def ranking(item, material):
    found = material.of(item.trainings)
    agree, of = same_ranking(material, item.trainings)
    apart = sum(difference_tells(compared(material, one, other)) for one, other in published_pairs(found))
    verdict_here = Verdict(UNTOLD, "Fewer than three trainings are done.")
    if len(found) > 2:
        verdict_here = Verdict(UNTOLD, f"Of {of} pairs that the thesis tells apart {agree} are in its order; {apart} "
                                       "differ by more than their interval here.")
    rows = [{"label": TRAININGS[name].label, "published": float(published.PIXELS[name]["validation"]),
             "seeds": [case["validation"]["pixel_accuracy"] for case in cases]} for name, cases in found.items()]
    drawn = [Drawing("ranking", "Pixel accuracy of validation photos in the thesis and of validation scenes here, in "
                     "the thesis's order: small dots are seeds.",
                     lambda: drawings.published_beside(rows, "pixel accuracy"),
                     "dots of published and reproduced accuracy")] if rows else []
    table = accuracy_table(material, item.trainings, item.name, CAPTION.format(what="all of the thesis's trainings"))
    return Section(
        item.name, item.where, item.title,
        "From the base model to the augmented EfficientNetB4 validation accuracy rises from 0.9576 to 0.9920; other "
        "losses and other pools, tried on the way, are no better.",
        (table,), tuple(drawn), (("Trainings rank as in the thesis", verdict_here),), (),
        material.state(item.trainings), material.scale, material.dates(item.trainings))


def published_pairs(names):
    """Pairs of trainings whose published accuracies differ."""
    names = list(names)
    return [(one, other) for place, one in enumerate(names) for other in names[place + 1:]
            if float(published.PIXELS[one]["validation"]) != float(published.PIXELS[other]["validation"])]


def difference_tells(found):
    """Whether a Difference rests on seeds enough and its interval leaves out zero."""
    return found.seeds >= LEAST_SEEDS and (found.low > 0 or found.high < 0)


def same_ranking(material, names):
    """(pairs in the thesis's order, pairs that it tells apart) of the mean validation accuracies of trainings."""
    found = {name: float(np.mean([case["validation"]["pixel_accuracy"] for case in cases]))
             for name, cases in material.of(names).items()}
    return same_order({name: float(published.PIXELS[name]["validation"]) for name in found}, found)
