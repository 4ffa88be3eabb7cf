"""What the thesis prints, by the names of `experiments.thesis.trainings`: facts and figures, with where they stand.

Its fractions are printed with a percent sign here and there ("0.9576%"); they are taken for the fractions that they
must be. What stands only inside its figures is not in its text, and is listed in `UNAVAILABLE`.
"""

SOURCE = ("Identificación, segmentación y regresión de elementos para modelado 3D de pies, master's thesis, "
          "Universitat Politècnica de València with the Instituto de Biomecánica de Valencia")
# Section 5.1.2, as printed: pixel accuracy of training and validation photos; mean F1 (Dice) of both where there is.
PIXELS = {
    "base": {"validation": "0.9576", "validation_f1": "0.70"},
    "resnet50-1236": {"train": "0.9818", "validation": "0.9714"},
    "resnet50-1238": {"train": "0.9816", "validation": "0.9712"},
    "resnet50-1356": {"train": "0.9813", "validation": "0.9701"},
    "resnet50-frozen-1356": {"train": "0.9901", "validation": "0.9801"},
    "efficientnetb3": {"train": "0.9913", "validation": "0.9803"},
    "efficientnetb0": {"train": "0.9885", "validation": "0.9800"},
    "efficientnetb5": {"train": "0.9903", "validation": "0.9820"},
    "efficientnetb4-augmented": {"train": "0.9927", "train_f1": "0.7456",
        "validation": "0.9920", "validation_f1": "0.8082"},
    "efficientnetb5-augmented": {"train": "0.9888", "train_f1": "0.7419",
        "validation": "0.9886", "validation_f1": "0.7395"},
    "efficientnetb4-weighted": {"train": "0.9794", "train_f1": "0.7107",
        "validation": "0.9803", "validation_f1": "0.7334"},
    "efficientnetb4-focal": {"train": "0.9887", "train_f1": "0.7405",
        "validation": "0.9879", "validation_f1": "0.7385"},
}
# Section 5.1.2: millions of parameters of whole models; of B3 only that it has 10 fewer than the ResNet50 form.
PARAMETERS = {"efficientnetb0": 15, "efficientnetb5": 23}
B3_FEWER = 10
# Section 5.1.2, of TensorFlow frozen graphs on an Nvidia Tesla T4: photos a second.
RATES = {"base": 12, "final": 33}
# Section 5.2.2.
HEATMAP_ACCURACY = {"simplepose-resnet18": 0.998}
HEATMAP_MSE = {"hourglass": 1.3e-5}

# (where, what)
UNAVAILABLE = (
    ("figures 20 and 21", "distributions of pixel values; only the two pixels of table 2 are printed"),
    ("figure 36", "the confusion matrix of the base model: its cells are not in the text"),
    ("figures 38, 40, 41", "accuracy by epoch; only the last values are printed"),
    ("figure 45", "the error map: one photo, no figures"),
    ("figure 46", "seconds a photo as bars; the text gives photos a second, rounded"),
    ("figures 47, 50, 52", "loss by epoch of the hourglass and its variants; only the last of figure 47 is printed"),
    ("figures 37, 42 to 44, 48, 49, 51, 53 to 57", "predictions on single photos, which are private"),
)
