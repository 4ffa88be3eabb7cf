"""The thesis's tables and figures by name, in its order: what each wants trained. What they tell is in the modules
that `builder` names; they are imported when the report is made."""

import re
from dataclasses import dataclass

# Parts of the report.
DATA, PIXELS, CORNERS, SPEED, BEYOND = (
    "The data", "Segmentation", "Corners", "Speed and conversion", "Beyond the thesis")
_PIXELS, _CORNERS, _SPEED, _BEYOND = (
    f"experiments.thesis.{name}_sections" for name in ("pixel", "corner", "speed", "beyond"))


@dataclass(frozen=True)
class Item:
    """name: on the command line. where: in the thesis, "" for what goes beyond it; its tables and figures are names
    too, see `NUMBERS`. title. part: of the report. builder:
    module with a function of the same name, dashes as underscores, that makes its Section. trainings: names, those
    it compares with included. experiment: name of another experiment that makes its results, or ""."""

    name: str
    where: str
    title: str
    part: str
    builder: str
    trainings: tuple = ()
    experiment: str = ""


_AUGMENTED = "efficientnetb4-augmented"
ITEMS = {item.name: item for item in (
    Item("data", "tables 1 to 3, figures 19 to 27", "The data", DATA, "experiments.thesis.data"),
    Item("base-pspnet", "tables 4 and 5, figure 36", "The base model", PIXELS, _PIXELS, ("base",)),
    Item("truncated-resnet50", "figure 37", "A shallower encoder with finer features", PIXELS, _PIXELS,
         ("base", "resnet50-1236")),
    Item("pools", "tables of section 5.1.2", "Sizes of the pools", PIXELS, _PIXELS,
         ("resnet50-1236", "resnet50-1238", "resnet50-1356")),
    Item("frozen-resnet50", "figure 38", "Frozen blocks, and values from 0 to 1", PIXELS, _PIXELS,
         ("resnet50-1356", "resnet50-frozen-1356")),
    Item("efficientnets", "figures 40 and 41", "EfficientNet in place of ResNet50", PIXELS, _PIXELS,
         ("resnet50-frozen-1356", "efficientnetb3", "efficientnetb0", "efficientnetb5")),
    Item("augmentation", "figure 42", "Augmentation", PIXELS, _PIXELS,
         ("efficientnetb4", _AUGMENTED, "efficientnetb5", "efficientnetb5-augmented")),
    Item("weighted-cross-entropy", "figure 43", "Weighted cross-entropy", PIXELS, _PIXELS,
         (_AUGMENTED, "efficientnetb4-weighted")),
    Item("focal-loss", "figures 44 and 45", "Focal loss", PIXELS, _PIXELS,
         (_AUGMENTED, "efficientnetb4-weighted", "efficientnetb4-focal")),
    Item("ranking", "section 5.1.2", "All trainings beside each other", PIXELS, _PIXELS,
         ("base", "resnet50-1236", "resnet50-1238", "resnet50-1356", "resnet50-frozen-1356", "efficientnetb0",
          "efficientnetb3", "efficientnetb5", "efficientnetb4-weighted", "efficientnetb4-focal",
          "efficientnetb5-augmented", _AUGMENTED)),
    Item("simplepose", "section 5.2.2", "SimplePose", CORNERS, _CORNERS, ("simplepose-resnet18",)),
    Item("hourglass", "figures 47 to 49", "The hourglass", CORNERS, _CORNERS, ("simplepose-resnet18", "hourglass")),
    Item("hourglass-focal", "figure 50", "A focal loss on heatmaps", CORNERS, _CORNERS,
         ("hourglass", "hourglass-focal")),
    Item("hourglass-rgb", "figure 51", "The photo in place of the map of classes", CORNERS, _CORNERS,
         ("hourglass", "hourglass-rgb")),
    Item("hourglass-ohkm", "figures 52 and 53", "The three hardest corners", CORNERS, _CORNERS,
         ("hourglass", "hourglass-ohkm")),
    Item("simplepose-covered", "figure 54", "SimplePose on covered corners", CORNERS, _CORNERS,
         ("hourglass", "simplepose-resnet18")),
    Item("simplepose-resnet50", "figure 55", "A deeper SimplePose", CORNERS, _CORNERS,
         ("simplepose-resnet18", "simplepose-resnet50")),
    Item("small-gaussian", "figure 56", "A smaller Gaussian", CORNERS, _CORNERS,
         ("simplepose-resnet18", "simplepose-small-gaussian")),
    Item("slope-loss", "chapter 6", "A loss on the slopes of the sheet's edges", CORNERS, _CORNERS,
         ("hourglass", "hourglass-slope")),
    Item("segmentation-rate", "figure 46", "Photos a second, base and final", SPEED, _SPEED,
         experiment="thesis-models"),
    Item("corner-conversion", "section 5.2.2", "SimplePose in ONNX and OpenVINO", SPEED, _SPEED,
         experiment="corner-speed"),
    Item("displaced-output", "figure 57", "The displaced output", SPEED, _SPEED, experiment="figure57"),
    Item("dilemma", "", "Exact corners or covered ones: the dilemma", BEYOND, _BEYOND,
         ("simplepose-resnet18", "hourglass", "hourglass-visibility", "pyramid"), "corner-models"),
    Item("regression", "", "Coordinates in place of heatmaps", BEYOND, _BEYOND,
         ("simplepose-resnet18", "regression")),
    Item("architectures", "", "FCN and U-Net beside PSPNet", BEYOND, _BEYOND,
         ("resnet50-1236", "fcn8-resnet50", "unet-resnet50")),
    Item("classical-means", "", "Classical means beside networks", BEYOND, _BEYOND, experiment="classical"),
    Item("conditions", "", "Light, blur, size and turn", BEYOND, _BEYOND),
    Item("rendered-to-real", "", "From rendered scenes to photos", BEYOND, _BEYOND, experiment="scene-ablation"),
)}  # fmt: skip


def numbers(where):
    """The tables and figures of a place in the thesis, as names: "tables 4 and 5, figure 36" is table4, table5 and
    figure36; "figures 47 to 49" is three."""
    found, kind = [], ""
    for word in re.findall(r"[a-z]+|\d+", where):
        if word in ("table", "tables", "figure", "figures"):
            kind = word.removesuffix("s")
        elif word == "to" and found:
            found.append("to")
        elif word.isdigit() and kind:
            if found and found[-1] == "to":
                first = int(re.search(r"\d+$", found[-2]).group())
                found[-1:] = [f"{kind}{number}" for number in range(first + 1, int(word))]
            found.append(f"{kind}{word}")
        elif word not in ("and", "to"):
            kind = ""
    return found


# table5, figure36, ... -> the Item that it belongs to.
NUMBERS = {number: item for item in ITEMS.values() for number in numbers(item.where)}
