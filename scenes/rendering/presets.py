"""Named sizes of datasets. Splits never share a scene: each has seeds of its own."""

# Preset -> folder in the dataset's folder ("" is that folder itself) -> split -> scenes.
PRESETS = {
    # As many as the thesis had photos: a data set for each network, with its photos for training and validation.
    "thesis": {"segmentation": {"train": 4870, "validation": 1214},
               "keypoints": {"train": 4371, "validation": 1873}},
    "small": {"": {"train": 200, "validation": 40, "test": 40}},
    "tiny": {"": {"train": 12, "validation": 4, "test": 4}},
}
