"""The thesis's data (its chapter 3): tables 1 to 3 and figures 19 to 27, from this project's scenes.

`measure` looks at the scenes that are trained on, once, and gives a small dict for JSON; `sections` tells and draws
from it. What is shown as pictures are the scenes of experiments/pictures, with which nothing is trained.
"""

import math

import cv2
import numpy as np

from experiments.thesis import data_drawings
from experiments.thesis.case import PICTURES
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, Drawing, Section, Table, Verdict
from keypoints.config import STRIDE, TrainConfig
from keypoints.figures import heatmap_figure
from keypoints.heatmaps import decode, encode
from keypoints.loader import load_examples, plain_sample
from scenes.dataset import read_dataset, read_mask
from scenes.images import read_photo
from scenes.labels import BACKGROUND, NAMES, PALETTE, SHEET
from scenes.preparation import figures
from scenes.preparation.cleaning import WINDOW_PX, clean_mask
from scenes.preparation.colour_maps import SAMPLE_PIXELS, fit_colours, own_palette
from scenes.preparation.encoding import class_ids, min_max, one_hot, standardise
from scenes.preparation.statistics import (
    CHANNELS,
    PUBLISHED_EXAMPLE,
    PUBLISHED_SHARES,
    ClassShares,
    PixelDistribution,
    dataset_statistics,
    published_moments,
)

# Masks are spoilt at about the size of the thesis's photos, 160 to 400 pixels long: ours are 480 for the most part.
THINNED = 3
# With these no pixel lies just half-way between two ids, where rounding and not interpolation would decide.
FACTORS = (1.6, 3)
THESIS_SIDE = 473
# A distribution is called normal where its cumulative one is nowhere farther off than this, and where beyond two
# deviations there is half to twice as much as in a normal one.
NORMAL_WITHIN, NORMAL_BEYOND = 0.05, 0.0455
# Colour-coded pictures: blur and noise (standard deviations, pixels and grey levels), and JPEG's quality.
BLUR_PX, NOISE, QUALITY = 0.7, 8.0, 75
BORDER_PX = 2
SIGMAS_PX = (1.0, 2.0)
STRIDES = (1, 2, 4, 8)
DECIMALS = 7  # of what is measured
SHOWN = 1  # of the pictures: both feet, and a corner under one of them
THESIS_CLASSES = ("background", "sheet of paper", "left foot", "right foot")
PUBLISHED_PHOTOS = (("photos to train on", "4870"), ("smallest photo", "160 x 120"), ("largest photo", "400 x 268"),
                    ("pixel values", "0 to 255"))
NOT_MEASURED = "The scenes were not measured yet; what is shown here does not need them."


def measure(samples):
    """What tables 1 and 2 and figures 20 to 24 are made of: dict for JSON. The same samples give the same.

    samples: scenes.dataset Samples with photos and masks, those that are trained on. Of "pixels": mean and std (R, G,
    B) in 0..255, and the share of each value. Of "classes": shares in 0..1 by id, as ClassShares has them. Of
    "cleaning": share of a mask's pixels that a window of WINDOW_PX changes. Of "spoilt": for each of FACTORS the counts
    of `repaired_counts`, of all masks together. Raises ValueError for no samples, or one that cannot be read.
    """
    samples = list(samples)
    if not samples:
        raise ValueError("there are no scenes to measure; give the ones that are trained on")
    statistics = dataset_statistics(samples)
    if statistics.problems:
        raise ValueError(f"{len(statistics.problems)} files cannot be measured: {statistics.problems[0]}")
    pixels, classes = statistics.pixels, statistics.classes
    sizes = sorted((sample.width * sample.height, sample.width, sample.height) for sample in samples)
    changed, spoilt = [], {factor: {} for factor in FACTORS}
    for sample in samples:
        mask = read_mask(sample.mask_path)
        changed.append((clean_mask(mask) != mask).mean())
        small = np.ascontiguousarray(mask[THINNED // 2::THINNED, THINNED // 2::THINNED])
        for factor, counts in spoilt.items():
            for name, count in repaired_counts(small, factor).items():
                counts[name] = counts.get(name, 0) + count
    return {
        "photos": len(samples), "smallest": list(sizes[0][1:]), "largest": list(sizes[-1][1:]),
        "pixels": {"mean": _rounded(pixels.mean), "std": _rounded(pixels.std), "low": pixels.low.tolist(),
                   "high": pixels.high.tolist(), "histogram": _rounded(pixels.histogram)},
        "classes": {"mean": _rounded(classes.mean), "std": _rounded(classes.std),
                    "of_all_pixels": _rounded(classes.of_all_pixels), "masks_with": classes.masks_with.tolist()},
        "cleaning": {"window_px": WINDOW_PX, "mean": _rounded(np.mean(changed)), "largest": _rounded(max(changed))},
        "spoilt": [{"factor": factor, **counts} for factor, counts in spoilt.items()]}


def _rounded(values):
    return np.round(values, DECIMALS).tolist()


def spoil(mask, factor):
    """A mask uint8 (h, w) grown by a factor: (right, spoilt, shares), H and W the nearest to factor * h and factor * w.

    spoilt: uint8 (H, W), ids interpolated linearly and rounded, as grey values are; between ids that are no neighbours
    it makes others, that are not there. shares: float32 (4, H, W), each class interpolated as a plane of its own.
    right: uint8 (H, W), the class with the largest share.
    """
    size = (round(mask.shape[1] * factor), round(mask.shape[0] * factor))
    shares = np.stack([cv2.resize((mask == label).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
                       for label in range(len(NAMES))])
    # In float32: OpenCV's own arithmetic for uint8 is too coarse for numbers as small as ids.
    between = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return class_ids(np.moveaxis(shares, 0, -1)), np.floor(between + 0.5).astype(np.uint8), shares


def largest_id(mask, window=WINDOW_PX):
    """Each pixel gets the largest class id in the window around it, the other way to read the thesis's rule."""
    return cv2.dilate(mask, np.ones((window, window), np.uint8))


def repaired_counts(mask, factor):
    """What cleaning does to a mask uint8 (h, w) that `spoil` has grown: dict of numbers of pixels.

    pixels: of the grown mask. wrong: of the spoilt one. foreign: wrong ones of a class that is not there at all.
    repaired: wrong ones that cleaning makes right. harmed: right ones that it makes wrong. foreign_after: of a class
    that is not there, after cleaning. wrong_by_largest_id: with `largest_id` in place of the majority.
    """
    right, spoilt, shares = spoil(mask, factor)
    cleaned = clean_mask(spoilt)
    wrong, still = spoilt != right, cleaned != right
    return {"pixels": wrong.size, "wrong": int(wrong.sum()), "foreign": _foreign(spoilt, shares),
            "repaired": int((wrong & ~still).sum()), "harmed": int((still & ~wrong).sum()),
            "foreign_after": _foreign(cleaned, shares), "wrong_by_largest_id": int((largest_id(spoilt) != right).sum())}


def _foreign(mask, shares):
    return int((np.take_along_axis(shares, mask[None].astype(np.intp), axis=0) <= 1e-6).sum())


def sections(found):
    """Sections of the thesis's chapter on its data, in its order: list. found: dict of `measure`, or None."""
    scenes = [(sample.name, read_photo(sample.image_path).rgb, read_mask(sample.mask_path))
              for sample in read_dataset(PICTURES)]
    return [_labels(found), _truth(scenes), _standardisation(found, scenes), _shares(found), _cleaning(found, scenes),
            _one_hot(scenes), _clusters(scenes), _heatmaps()]


def _frame(headings, rows):
    import pandas

    return pandas.DataFrame(rows, columns=list(headings))


def _percent(share, digits=2):
    return f"{100 * share:.{digits}f} %"


def _spaced(name):
    return name.replace("_", " ")


# Tables 1 and 3, figure 19


def _labels(found):
    rows = [(k, THESIS_CLASSES[k], _spaced(name), "#{:02x}{:02x}{:02x}".format(*PALETTE[k]))
            for k, name in enumerate(NAMES)]
    tables = [Table("table-1-labels", "Ids of the classes in a mask, in the thesis and here, and the colour in which "
                    "this report draws them.", _frame(("id", "class in the thesis", "class here", "colour"), rows),
                    ("id", "class in the thesis"))]
    if found:
        low, high = min(found["pixels"]["low"]), max(found["pixels"]["high"])
        ours = (str(found["photos"]), *("{} x {}".format(*found[key]) for key in ("smallest", "largest")),
                f"{low} to {high}")
        caption = ("Photos with masks: those of the thesis, and the scenes that are trained on here. Sizes in pixels; "
                   "the thesis does not say which side is named first.")
        tables.append(Table("table-1-photos", caption,
                            _frame(("what", "thesis", "here"), [(*row, our) for row, our in
                                                            zip(PUBLISHED_PHOTOS, ours, strict=True)]), ("thesis",)))
    return Section(
        "table-1", "Table 1", "Classes",
        "A mask tells of each pixel of a photo whether it is background (0), sheet (1), left foot (2) or right foot "
        "(3). There are 6084 photos with masks: 4870 to train on, 1214 to judge by.",
        tuple(tables), (),
        (("The four classes have the ids 0 to 3.",
          Verdict(REPRODUCED, "All masks here are written, read and checked with these ids.")),),
        ("The thesis's photos are private. In their place stand scenes that this project renders, whose masks follow "
         "from the geometry.",), "done" if found else "partly")


def _truth(scenes):
    fitting = sum(mask.shape == rgb.shape[:2] and mask.max() < len(NAMES) for _, rgb, mask in scenes)
    return Section(
        "figure-19", "Figure 19", "A photo and its ground truth",
        "Each sample is a photo and a map of the class of each of its pixels.", (),
        (Drawing("figure-19-truth", f"{len(scenes)} rendered scenes and, under each, its mask. Sizes are width x "
                 "height in pixels.", lambda: data_drawings.truth_figure(scenes),
                 "Photos from above of bare feet and feet in socks on a sheet of paper on different floors; under each "
                 "a picture of four colours for floor, sheet, left and right foot."),),
        (("A photo comes with the class of each pixel.",
          Verdict(REPRODUCED if fitting == len(scenes) else NOT_REPRODUCED,
                  f"{fitting} of {len(scenes)} masks have the size of their photo and hold ids 0 to 3 alone.")),),
        ("These scenes are for looking at: no network is trained on them. Feet, sheet and floors are rendered, not "
         "photographed.",))


def _one_hot(scenes):
    rows = [(k, _spaced(name), " ".join("1" if m == k else "0" for m in range(len(NAMES))),
             " ".join(map(str, one_hot(k)))) for k, name in enumerate(NAMES)]
    pixels = sum(mask.size for _, _, mask in scenes)
    lost = sum(int((class_ids(one_hot(mask)) != mask).sum()) for _, _, mask in scenes)
    same = sum(row[2] == row[3] for row in rows)
    caption = ("One-hot code of each class: the planes of background, sheet, left foot and right foot, in this order, "
               "1 where the pixel is of the class.")
    return Section(
        "table-3", "Table 3", "One-hot code",
        "A network is to say how probable each class is at each pixel; so the truth is coded as four planes, of which "
        "the one of the pixel's class is 1 and the others are 0.",
        (Table("table-3-one-hot", caption, _frame(("id", "class", "thesis", "here"), rows), ("thesis",)),), (),
        (("Each class has the code of table 3, and the code tells the class.",
          Verdict(REPRODUCED if same == len(rows) and not lost else NOT_REPRODUCED,
                  f"{same} codes of {len(rows)} are the same. Of {pixels:,} pixels of the six scenes, coded and "
                  f"decoded, {lost} come back as another class.")),),
        ("The losses here take ids and codes them inside; what they compute is the same.",))


# Table 2, figures 20 and 21


def distribution(found):
    """scenes.preparation.statistics.PixelDistribution out of what `measure` gave."""
    histogram = np.array(found["pixels"]["histogram"])
    return PixelDistribution(found["photos"], histogram / histogram.sum(axis=1, keepdims=True))


def _standardisation(found, scenes):
    verdicts = [("The two pixels of table 2 are standardised by the mean and the deviation of their channel.",
                 _example_verdict())]
    tables, drawings, notes = (), (), [NOT_MEASURED]
    if found:
        tables = _standardisation_tables(found)
        drawings = _standardisation_drawings(found, scenes)
        verdicts += _shape_verdicts(found)
        verdicts.append(("Standardised, sheet and feet stand out more from the floor.",
                         _contrast_verdict(found, scenes)))
        notes = [_channel_order(found),
                 "Where the thesis took 1000 photos for its distributions, all that are trained on are taken here."]
    verdicts.append(("A standardised photo needs four times the memory.", _memory_verdict()))
    return Section(
        "table-2", "Table 2, figures 20 and 21", "Standardised pixel values",
        "Values are brought from 0 to 255 to mean 0 and standard deviation 1, channel by channel, which gives them the "
        "properties of a normal distribution and lets sheet and feet stand out; it costs four times the memory. "
        "Bringing them to 0 to 1 by their lowest and highest value is the other way that is named.",
        tables, drawings, tuple(verdicts), tuple(notes), "done" if found else "not run")


def _example_verdict():
    mean, std = published_moments()
    off = max(np.abs(standardise(values, mean, std) - printed).max() for values, printed in PUBLISHED_EXAMPLE)
    return Verdict(UNTOLD, f"With the mean and deviation that follow from the table its six values come out to "
                           f"{off:.0e}; but two values a channel settle these two unknowns, and none is left to check "
                           "them by. All three means lie in 0 to 255 and all deviations are possible with them.")


def _standardisation_tables(found):
    mean, std = (np.array(found["pixels"][key]) for key in ("mean", "std"))
    low, high = found["pixels"]["low"], found["pixels"]["high"]
    published_mean, published_std = published_moments()
    rows = []
    for number, (values, printed) in enumerate(PUBLISHED_EXAMPLE, start=1):
        again = standardise(values, published_mean, published_std)
        ours, scaled = standardise(values, mean, std), min_max(values, low, high)
        rows += [(number, channel, values[k], f"{printed[k]:.8f}", f"{again[k]:.8f}", f"{ours[k]:.8f}",
                  f"{scaled[k]:.8f}") for k, channel in enumerate(CHANNELS)]
    headings = ("pixel", "channel", "value", "standardised, thesis", "with the moments that follow from it",
                "with those of our scenes", "min-max, our scenes")
    moments = [(channel, f"{published_mean[k]:.2f}", f"{published_std[k]:.2f}", f"{mean[k]:.2f}", f"{std[k]:.2f}",
                f"{low[k]} to {high[k]}") for k, channel in enumerate(CHANNELS)]
    return (
        Table("table-2-example", "The two pixels of the thesis's table 2, standardised. The second but last column "
              f"uses mean and standard deviation of the {found['photos']} scenes that are trained on; the last brings "
              "their lowest value to 0 and their highest to 1.", _frame(headings, rows), headings[2:4]),
        Table("table-2-moments", "Mean and standard deviation of each channel, in units of 0 to 255. The thesis does "
              "not print its own; they follow from the two pixels of its table 2.",
              _frame(("channel", "mean, from table 2", "std, from table 2", "mean here", "std here", "values here"),
                     moments)))


def _standardisation_drawings(found, scenes):
    pixels, name = distribution(found), scenes[SHOWN][0]
    pictures = _as_viewed(scenes[SHOWN][1], found)
    return (
        Drawing("figure-20-21-values", f"How the values of red, green and blue are distributed in {found['photos']} "
                "scenes: as they are (figure 20), standardised (figure 21) and between 0 and 1. The area under each "
                "line is 1.", lambda: figures.pixel_figure(pixels),
                "Three plots of three lines each: the same shapes, from 0 to 255, around 0, and from 0 to 1."),
        Drawing("figure-21-contrast", f"Scene {name} as it is, standardised as a viewer shows it that cuts values "
                "below 0 and above 1, and standardised between the values that black and white become.",
                lambda: data_drawings.contrast_figure(pictures),
                "Three pictures of one scene; in the middle one dark parts are black and bright ones white."))


def _as_viewed(rgb, found):
    mean, std = (np.array(found["pixels"][key]) for key in ("mean", "std"))
    standardised, black, white = (standardise(values, mean, std) for values in (rgb, np.zeros(3), np.full(3, 255)))
    # In float64: means over a photo in float32 are off by more than what is told from them.
    standardised, black, white = (values.astype(float) for values in (standardised, black, white))
    return {"as it is": rgb / 255, "standardised, cut at 0 and 1": np.clip(standardised, 0, 1),
            "standardised, black to white": (standardised - black) / (white - black)}


def _shape_verdicts(found):
    pixels = distribution(found)
    mean, std = (np.array(found["pixels"][key]) for key in ("mean", "std"))
    values = (np.arange(256)[:, None] - mean) / std
    means = (pixels.histogram.T * values).sum(axis=0)
    stds = np.sqrt((pixels.histogram.T * (values - means) ** 2).sum(axis=0))
    off = max(np.abs(means).max(), np.abs(stds - 1).max())
    yield ("Standardised values have mean 0 and standard deviation 1.",
           Verdict(REPRODUCED if off < 1e-3 else NOT_REPRODUCED,
                   f"Over {found['photos']} scenes they are off by at most {off:.0e} in R, G and B; it follows from "
                   "the definition."))
    beyond = (pixels.histogram.T * (np.abs(values) > 2)).sum(axis=0).max()
    gap = np.abs(np.cumsum(pixels.histogram.T, axis=0) - _normal_below(values + 0.5 / std)).max()
    alike = gap <= NORMAL_WITHIN and NORMAL_BEYOND / 2 <= beyond <= 2 * NORMAL_BEYOND
    theirs = (0 - published_moments()[0]) / published_moments()[1]
    yield ("They are then distributed as a standard normal distribution.",
           Verdict(REPRODUCED if alike else NOT_REPRODUCED,
                   "A shift and a factor leave the shape as it was. Beyond two deviations lie "
                   f"{_percent(beyond, 1)} of our values, and {_percent(NORMAL_BEYOND, 1)} of normal ones; our "
                   f"cumulative distribution is up to {gap:.3f} off. In the thesis's own table nothing can be below "
                   f"{theirs[0]:.2f} in R, which is what 0 becomes; {_percent(_normal_below(theirs[:1])[0], 0)} of "
                   "normal values are."))


def _normal_below(values):
    return 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def separations(pictures, mask):
    """How far sheet and feet stand out from the background: {title: float (2, 2)}, rows sheet and feet.

    pictures: {title: float (H, W, 3)}. First the difference of mean brightness, in units of black to white, then this
    difference in standard deviations within the two, mean of the three channels: how well they can be told apart.
    """
    there = {"sheet": mask == SHEET, "feet": mask > SHEET}
    floor, result = mask == BACKGROUND, {}
    for title, values in pictures.items():
        rows = []
        for place in there.values():
            gap = np.abs(values[place].mean(axis=0) - values[floor].mean(axis=0))
            within = np.sqrt((values[place].var(axis=0) + values[floor].var(axis=0)) / 2)
            brightness = values.mean(axis=2)
            rows.append((abs(brightness[place].mean() - brightness[floor].mean()), (gap / within).mean()))
        result[title] = np.array(rows)
    return result


def _contrast_verdict(found, scenes):
    each = [separations(_as_viewed(rgb, found), mask) for _, rgb, mask in scenes]
    plain, cut, whole = (np.mean([one[title] for one in each], axis=0) for title in each[0])
    off = np.abs(whole - plain).max()
    return Verdict(UNTOLD, "It depends on how they are drawn. Each channel is moved and scaled as a whole: from black "
                           f"to white the photo is the same, to {off:.0e}. Cut at 0 and 1, as viewers of numbers do, "
                           f"the brightness of sheet and floor differs by {cut[0, 0]:.2f} of black to white in place "
                           f"of {plain[0, 0]:.2f}, that of feet and floor by {cut[1, 0]:.2f} and {plain[1, 0]:.2f} "
                           f"(means of {len(scenes)} scenes). In deviations within them, which is how well they can be "
                           f"told apart, feet and floor then differ by {cut[1, 1]:.2f} in place of {plain[1, 1]:.2f}.")


def _memory_verdict():
    plain = np.zeros((THESIS_SIDE, THESIS_SIDE, 3), np.uint8)
    ratio = standardise(plain, np.zeros(3), np.ones(3)).nbytes / plain.nbytes
    return Verdict(REPRODUCED if ratio == 4 else NOT_REPRODUCED,
                   f"{plain.nbytes:,} bytes of a photo of {THESIS_SIDE} x {THESIS_SIDE} become {ratio:g} times as "
                   "many, as 32-bit floats.")


def _channel_order(found):
    ours = np.array(found["pixels"]["mean"])
    # Which channel is brighter than the other, for each of the three pairs: that does not depend on the light.
    same = (np.sign(np.diff(ours)) == np.sign(np.diff(published_moments()[0]))).all()
    ours = ", ".join(f"{channel} {value:.0f}" for channel, value in zip(CHANNELS, ours, strict=True))
    return ("In the thesis's table the channel called R is the darkest and B the brightest; in our scenes the means "
            f"are {ours}, " + ("in the same order." if same else "in another order. OpenCV reads photos as B, G, R; it "
                               "may be that the columns were named so."))


# Figure 22


def class_shares(found):
    """scenes.preparation.statistics.ClassShares out of what `measure` gave."""
    values = {name: np.array(values) for name, values in found["classes"].items()}
    return ClassShares(found["photos"], **values)


def _shares(found):
    tables = drawings = verdicts = ()
    if found:
        shares = class_shares(found)
        text = ("63", "25", "11, both feet", "")
        rows = [(_spaced(name), f"{100 * PUBLISHED_SHARES[k]:.0f}", text[k], f"{100 * shares.mean[k]:.2f}",
                 f"{100 * shares.std[k]:.2f}", f"{100 * shares.of_all_pixels[k]:.2f}", int(shares.masks_with[k]))
                for k, name in enumerate(NAMES)]
        headings = ("class", "thesis, figure 22", "thesis, text", "here, mean of a mask", "std between masks",
                    "of all pixels", "masks with it")
        tables = (Table("figure-22-shares", "Mean share of each class in a mask, percent of its pixels. Ours are of "
                        f"{found['photos']} scenes that are trained on.", _frame(headings, rows), headings[1:3]),)
        drawings = (Drawing("figure-22-shares", "Mean share of each class in a mask, percent of its pixels, beside the "
                            f"published one. Whiskers: one standard deviation between {found['photos']} masks.",
                            lambda: figures.share_figure(shares),
                            "Pairs of bars for background, sheet, left and right foot, ours beside the thesis's."),)
        verdicts = _share_verdicts(shares)
    return Section(
        "figure-22", "Figure 22", "Share of each class",
        "In a mean photo 63 % of the pixels are background, 25 % sheet and 6 % each foot; the text has 11 % for both "
        "feet. A network may lean to the classes with many pixels where it is in doubt, as at borders.",
        tables, drawings, verdicts,
        ("Text and figure do not contradict each other: with 5.50 to 5.75 % for each foot, one rounds to 6 % and both "
         "together to 11 %.",
         "A scene with one foot has none of the other, so that the shares of a foot differ a lot between masks.",
         *(() if found else (NOT_MEASURED,))), "done" if found else "not run")


def _share_verdicts(shares):
    background, sheet, left, right = shares.mean
    ordered = background > sheet > max(left, right)
    pairs = ", ".join(f"{_spaced(name)} {100 * mean:.1f} % ({100 * published:.0f} %)"
                      for name, mean, published in zip(NAMES, shares.mean, PUBLISHED_SHARES, strict=True))
    return (
        ("Classes are unbalanced: most pixels are background, then sheet, and few are of a foot.",
         Verdict(REPRODUCED if ordered else NOT_REPRODUCED,
                 f"Background has {background / max(min(left, right), 1e-9):.1f} times the pixels of the rarer foot "
                 f"here, and {PUBLISHED_SHARES[0] / min(PUBLISHED_SHARES):.1f} times in the thesis.")),
        ("The shares are 63, 25, 6 and 6 %.",
         Verdict(UNTOLD, f"Here, and in the thesis: {pairs}. They are of other photos, and scenes with little sheet "
                         "and foot may have been left out to be like the thesis's: being near confirms nothing.")))


# Figures 23 and 24


def _cleaning(found, scenes):
    tables, verdicts, notes = (), (), ()
    if found:
        tables, verdicts = (_cleaning_table(found),), tuple(_cleaning_verdicts(found))
    else:
        notes = (NOT_MEASURED,)
    return Section(
        "figure-23", "Figures 23 and 24", "Borders of masks cleaned",
        "Close up, masks have wrong pixels where classes meet, probably from an interpolation that masks are not made "
        "for. All of them are cleaned: each pixel gets the maximum of a window of 5 pixels around it, and borders are "
        "then clean.",
        tables, _cleaning_drawings(scenes), verdicts,
        ("A rendered mask has no such pixels. To have some to clean, masks are grown with the ids interpolated "
         "linearly and rounded: half-way between background (0) and left foot (2) lies sheet (1). What is right is the "
         "same mask with each class interpolated as a plane of its own.",
         "\"Maximum\" is read as the class that most pixels of the window have. Read as the largest id, it makes feet "
         "grow by two pixels all round. The caption of figure 24 speaks of the nearest neighbour, which would be a "
         "third rule.", *notes), "done" if found else "not run")


def _cleaning_table(found):
    names = ("wrong", "foreign", "repaired", "harmed", "after", "wrong_by_largest_id")
    rows = []
    for one in found["spoilt"]:
        shares = {name: 100 * count / one["pixels"] for name, count in {**one, "after": _wrong_after(one)}.items()}
        shares["repaired"] = 100 * one["repaired"] / max(one["wrong"], 1)
        rows.append((f"{one['factor']:g} times", *(f"{shares[name]:.{1 if name == 'repaired' else 3}f}"
                                                 for name in names)))
    headings = ("grown", "wrong, %", "of a class that is not there, %", "of the wrong ones repaired, %",
                "made wrong, %", "wrong after cleaning, %", "wrong by the largest id, %")
    return Table("figure-23-cleaning", f"Masks of {found['photos']} scenes, spoilt by growing them with interpolated "
                 f"ids, and cleaned with a window of {WINDOW_PX} pixels. Percent of all pixels, but for those "
                 "repaired. \"Not there\" is a class that no pixel has from which this one is interpolated. Before "
                 "they are grown, the masks are brought to a third of their size, which is about that of the thesis's "
                 "photos.", _frame(headings, rows))


def _wrong_after(counts):
    return counts["wrong"] - counts["repaired"] + counts["harmed"]


def _cleaning_verdicts(found):
    spoilt, cleaning = found["spoilt"], found["cleaning"]

    def each(value):
        return ", and ".join(f"in masks grown {one['factor']:g} times {value(one)}" for one in spoilt)

    gone = [2 * one["foreign_after"] <= one["foreign"] for one in spoilt]
    halved = [2 * _wrong_after(one) <= one["wrong"] for one in spoilt]
    grew = all(one["wrong_by_largest_id"] > one["wrong"] for one in spoilt)
    yield ("Masks have wrong pixels at borders, which an interpolation may have made.",
           Verdict(UNTOLD, "The thesis's masks are private. An interpolation of ids does make such pixels: "
                   + each(lambda one: f"{_percent(one['wrong'] / one['pixels'])} of all pixels, "
                                      f"{_percent(one['foreign'] / max(one['wrong'], 1), 0)} of them of a class that "
                                      "is not there") + ". In the scenes' own masks cleaning changes "
                   f"{_percent(cleaning['mean'], 3)}, {_percent(cleaning['largest'], 3)} at most: it rounds corners."))
    yield (f"The majority in a window of {WINDOW_PX} pixels leaves clean borders.",
           Verdict(REPRODUCED if all(gone + halved) else UNTOLD if any(gone + halved) else NOT_REPRODUCED,
                   "Of the pixels of a class that is not there, cleaning takes away, "
                   + each(lambda one: _percent(1 - one["foreign_after"] / max(one["foreign"], 1), 0))
                   + "; lines two pixels wide between two classes stay. All wrong pixels together go, "
                   + each(lambda one: f"from {_percent(one['wrong'] / one['pixels'])} to "
                                      f"{_percent(_wrong_after(one) / one['pixels'])}")
                   + ", as fine shapes are rounded. Half as many of either would count as clean."))
    yield ("The largest id in the window leaves clean borders.",
           Verdict(NOT_REPRODUCED if grew else UNTOLD, "Wrong pixels go, " + each(
               lambda one: f"to {_percent(one['wrong_by_largest_id'] / one['pixels'])}")
               + (": it does more harm than good, and can hardly be what was meant." if grew else ".")))


def _cleaning_drawings(scenes):
    name, rgb, mask = scenes[SHOWN]

    def close_up():
        rows = {}
        for factor in FACTORS:
            right, spoilt, _ = spoil(mask, factor)
            masks = {"ids interpolated": spoilt, "majority of 5 x 5": clean_mask(spoilt),
                     "largest id of 5 x 5": largest_id(spoilt)}
            rows[f"grown {factor:g} times"] = (right, masks)
        return data_drawings.borders_figure(rows, f"Scene {name}")

    def whole():
        _, spoilt, _ = spoil(mask, FACTORS[0])
        photo = cv2.resize(rgb, spoilt.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return figures.cleaning_figure(photo, spoilt, clean_mask(spoilt), f"Scene {name}", WINDOW_PX)

    return (
        Drawing("figure-23-24-close-up", f"Part of the mask of scene {name}, grown "
                f"{' and '.join(f'{factor:g}' for factor in FACTORS)} times: as it should be, with "
                "interpolated ids (as figure 23), and cleaned by the majority and by the largest id of a window of 5 "
                "pixels (as figure 24). Crosses mark wrong pixels.", close_up,
                "Two rows of four close-ups of a mask. With interpolated ids, thin lines of wrong classes run along "
                "the feet; the majority takes many of them away; the largest id makes feet wider."),
        Drawing("figure-24-changes", f"What the majority in a window of 5 pixels changes in the mask of scene {name}, "
                f"grown {FACTORS[0]:g} times with interpolated ids: where in the photo, and close up.", whole,
                "A pale photo with a thin marked line around the feet, and the mask there before and after cleaning."))


# Figures 25 and 26


def colour_coded(mask, rng):
    """A mask as a colour picture that went through other hands: uint8 (H, W, 3), blurred, with noise, out of a JPEG."""
    picture = cv2.GaussianBlur(PALETTE[mask].astype(np.float32), (0, 0), BLUR_PX)
    picture = np.clip(picture + rng.normal(0, NOISE, picture.shape), 0, 255).astype(np.uint8)
    stream = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return np.ascontiguousarray(cv2.imdecode(stream, cv2.IMREAD_COLOR)[..., ::-1])


def near_borders(mask, distance):
    """Where another class is at most `distance` pixels away, in x and in y: bool (H, W)."""
    window = np.ones((2 * distance + 1,) * 2, np.uint8)
    return cv2.dilate(mask, window) != cv2.erode(mask, window)


def _clusters(scenes):
    rng = np.random.default_rng(0)
    pictures = [colour_coded(mask, rng) for _, _, mask in scenes]
    colours = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    sampled = colours[rng.choice(len(colours), min(SAMPLE_PIXELS, len(colours)), replace=False)]
    model = fit_colours(sampled, own_palette())
    labels = [model.label(picture) for picture in pictures]
    truth = np.concatenate([mask.ravel() for _, _, mask in scenes])
    wrong = np.concatenate([label.ravel() for label in labels]) != truth
    rows = [(_spaced(name), " ".join(map(str, PALETTE[k])), " ".join(f"{value:.0f}" for value in model.means[k]),
             f"{100 * (truth == k).mean():.2f}", f"{100 * wrong[truth == k].mean():.3f}")
            for k, name in enumerate(NAMES)]
    name = scenes[SHOWN][0]
    return Section(
        "figure-25", "Figures 25 and 26", "Colours to class ids by a mixture of Gaussians",
        "A dataset may come with masks in colours, and with many more colours than classes. A mixture of as many "
        "Gaussians as there are classes sorts the colours; its masks have faults, mostly at borders and in what is "
        "small, but can be trained with. The thesis shows it on Cityscapes.",
        (Table("figure-25-colours", "Classes found by a mixture of four Gaussians in six colour-coded pictures: the "
               "colour that each class was drawn in, the mean colour of its Gaussian (R, G, B), its share of the "
               "pixels and how many of them were given another class, percent.",
               _frame(("class", "colour", "mean of its Gaussian", "share, %", "given another class, %"), rows)),),
        (Drawing("figure-25-clusters", "Colours of six colour-coded pictures in the space of red, green and blue: as "
                 "they are, and by the class that a mixture of four Gaussians gives them.",
                 lambda: figures.cluster_figure(sampled, model),
                 "Two clouds of points: four dense clusters with bridges between, then each cluster in one colour."),
         Drawing("figure-26-labels", f"The colour-coded picture of scene {name}, the class ids that the mixture makes "
                 "of it, and how far its colours are from those that the classes were drawn in.",
                 lambda: figures.colour_map_figure(pictures[SHOWN], labels[SHOWN], model.palette, f"Scene {name}"),
                 "A noisy picture in four colours, the same in four pure colours, and a map, dark along borders.")),
        _cluster_verdicts(scenes, labels, colours, wrong),
        ("Cityscapes has to be asked for, and is not used here. These pictures are made for the purpose: the masks of "
         f"six scenes in their colours, blurred by {BLUR_PX} pixels, with noise of {NOISE:g} grey levels, saved as "
         f"JPEG of quality {QUALITY}. In pictures made so little can go wrong but what is blended at borders.",
         "All Gaussians share one covariance here. Each begins at the colour of its class, so that which class it "
         "stands for is known; the thesis does not say how it told them.",
         "That experts who draw Cityscapes err in 17.6 % of cases, as the thesis has it from the PSPNet paper, cannot "
         "be looked into here."))


def _cluster_verdicts(scenes, labels, colours, wrong):
    border = np.concatenate([near_borders(mask, BORDER_PX).ravel() for _, _, mask in scenes])
    counts = len(np.unique(colours, axis=0))
    at_border = wrong[border].sum() / max(wrong.sum(), 1)
    cleaned = sum(int((clean_mask(label) != mask).sum()) for label, (_, _, mask) in zip(labels, scenes, strict=True))
    return (
        ("A mixture of Gaussians makes class ids of colours.",
         Verdict(REPRODUCED if wrong.mean() < 0.05 else NOT_REPRODUCED,
                 f"{counts:,} colours become {len(NAMES)} classes, and {_percent(1 - wrong.mean())} of "
                 f"{wrong.size:,} pixels get the class that they were drawn with.")),
        ("Its faults are mostly at borders between classes.",
         Verdict(REPRODUCED if at_border > 0.5 else NOT_REPRODUCED,
                 f"{_percent(at_border, 1)} of the wrong pixels lie within {BORDER_PX} pixels of another class, where "
                 f"{_percent(border.mean(), 1)} of all pixels lie. Cleaning with a window of {WINDOW_PX} pixels brings "
                 f"the wrong ones from {_percent(wrong.mean())} to {_percent(cleaned / wrong.size)}.")),
        ("Networks can be trained with such masks.", Verdict(UNTOLD, "Nothing was trained with them.")))


# Figure 27


def _heatmaps():
    config = TrainConfig(fit="stretch", sigma_px=SIGMAS_PX[-1])
    examples = load_examples(read_dataset(PICTURES), max(config.height, config.width) * 2)
    image, corners, visibility = plain_sample(examples[SHOWN], config)
    present = np.isfinite(corners).all(axis=1)
    maps = {sigma: encode(corners, present, config.heatmap_size, STRIDE, sigma) for sigma in SIGMAS_PX}
    every = np.concatenate([plain_sample(example, config)[1] for example in examples])
    errors = decoding_errors(every, (config.height, config.width), SIGMAS_PX[-1])
    name, size = examples[SHOWN].name, f"{config.heatmap_size[0]} x {config.heatmap_size[1]}"
    rows = [(f"{config.height // stride} x {config.width // stride}",
             *(f"{value:.3f}" for method in ("argmax", "quarter", "dark")
               for value in (errors[stride][method].mean(), errors[stride][method].max()))) for stride in STRIDES]
    headings = ("size of the map", *(f"{method}, {what}" for method in ("highest pixel", "quarter pixel", "DARK")
                                     for what in ("mean", "largest")))
    return Section(
        "figure-27", "Figure 27", "Corners as heatmaps",
        "The corners vary too much for their coordinates to be learnt, so each becomes a map: a Gaussian, 1 at the "
        "corner and near 0 almost everywhere. Its radius is to be chosen: a small one is hard to learn, a large one "
        "not precise. So is the size of the map: a large one costs time, a small one adds an error when scaled back.",
        (Table("figure-27-decoding", f"How far corners come back from their own heatmaps, pixels of an input of "
               f"{config.height} x {config.width}, for {len(every)} corners and a Gaussian of {SIGMAS_PX[-1]:g} pixels "
               "of the map: by its highest pixel, by a quarter pixel towards the higher neighbour, and by the top of "
               "the Gaussian through the highest pixels (DARK).", _frame(headings, rows)),),
        (Drawing("figure-27-heatmaps", f"Targets of the corner network for scene {name}, {size} pixels each: a map a "
                 "corner, and all four over the photo. A cross marks the corner; the circle is two standard deviations "
                 "around it.",
                 lambda: heatmap_figure(image, corners, visibility, maps[SIGMAS_PX[-1]], f"Scene {name}",
                                        SIGMAS_PX[-1]),
                 "Five pictures of a sheet with feet on it: a bright spot on one corner in each of the first four, and "
                 "spots of four colours on all corners in the last."),
         Drawing("figure-27-gaussians", f"Targets for scene {name} with Gaussians of two sizes, and both cut through "
                 "the first corner: dots are pixels of the map, lines what they are samples of.",
                 lambda: data_drawings.gaussians_figure(image, corners, maps, STRIDE),
                 "Two photos with small and larger coloured spots on the corners, and a plot of two bell curves, the "
                 "larger twice as wide.")),
        _heatmap_verdicts(maps, errors),
        ("The thesis does not say how large its Gaussian is. It gives 4371 and 1873 photos for this task, 6244 "
         "together, and says that they are the 6084 photos of the masks.",
         "A corner under a foot gets a whole Gaussian too, where it would be seen without the foot."))


def decoding_errors(corners, size, sigma_px):
    """How far corners come back from their heatmaps: {stride: {method: float (N,)}}, pixels of the input.

    corners: (N, 2), pixels of an input of size (height, width), inside it. sigma_px: of the Gaussians, pixels of the
    map. Strides are STRIDES, methods those of keypoints.heatmaps.decode.
    """
    errors = {}
    for stride in STRIDES:
        maps = encode(corners, np.ones(len(corners), bool), (size[0] // stride, size[1] // stride), stride, sigma_px)
        errors[stride] = {method: np.linalg.norm(decode(maps, stride, method)[0] - corners, axis=1)
                          for method in ("argmax", "quarter", "dark")}
    return errors


def _heatmap_verdicts(maps, errors):
    highest = [float(heatmap.max()) for heatmap in maps[SIGMAS_PX[-1]]]
    low = ", ".join(f"{_percent((values < 0.01).mean(), 1)} with {sigma:g}" for sigma, values in maps.items())
    mean = {stride: {method: values.mean() for method, values in found.items()} for stride, found in errors.items()}
    grows = all(mean[one]["argmax"] < mean[other]["argmax"] for one, other in zip(STRIDES, STRIDES[1:], strict=False))
    exact = max(values["dark"].max() for values in errors.values())
    return (
        ("Most of a map is near 0, and its highest value, near 1, is at the corner.",
         Verdict(REPRODUCED if all((values < 0.01).mean() > 0.5 for values in maps.values()) else NOT_REPRODUCED,
                 f"Below 0.01 are, for a standard deviation in pixels of the map: {low}. The highest pixels have "
                 f"{min(highest):.2f} to {max(highest):.2f}; 1 is between pixels, where the corner is.")),
        ("A smaller map adds an error when the result is scaled back.",
         Verdict(REPRODUCED if grows else NOT_REPRODUCED,
                 f"By the highest pixel the mean error goes from {mean[STRIDES[0]]['argmax']:.2f} to "
                 f"{mean[STRIDES[-1]]['argmax']:.2f} pixels of the input as the map shrinks to an eighth of its sides. "
                 f"It is in the reading: the top of the Gaussian comes back to {exact:.0e} pixels at every size.")),
        ("A small Gaussian is hard to learn, a large one not precise.",
         Verdict(UNTOLD, "From targets alone it cannot be told: the trainings with Gaussians of two sizes say it.")))
