"""Label pictures in colours, as tools and JPEG files have them, to class ids by a Gaussian mixture (section 3.1.6 of
the thesis).

A colour-coded picture that was saved as JPEG holds thousands of colours: each class's own with noise, and blends of
two along every border. A mixture with one Gaussian a class, fitted to a sample of the pixels, tells which class each
colour belongs to; the palette says which class a Gaussian is.
"""

import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.files import mask_png, write_whole
from scenes.images import PhotoError, read_photo
from scenes.json_text import parsed
from scenes.labels import NAMES, PALETTE

PICTURE_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# A fit looks at so many pixels, of so many pictures at most: more do not move it.
SAMPLE_PIXELS = 50_000
SAMPLE_PICTURES = 200
# Variance that is added to every channel, in squared grey levels: pictures without noise have none of their own.
NOISE_FLOOR = 1.0
# A Gaussian stands for a colour that its mean is this much nearer to than to any other; beyond, it may be a blend.
CLEARLY_NEARER = 0.5


class ColourMapError(ValueError):
    """A palette, or pictures whose colours are not the palette's; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Palette:
    """Which colour stands for which class. ids: uint8 (K,). names: K texts. colours: uint8 (K, 3), RGB."""

    ids: np.ndarray
    names: tuple
    colours: np.ndarray


@dataclass(frozen=True, eq=False)
class ColourModel:
    """A mixture that was fitted to pictures. palette: its classes. means: float64 (K, 3), the RGB that each class of
    the palette has in the pictures. mixture: the fitted sklearn GaussianMixture. component_ids: uint8 (K,), the class
    id of each of its components."""

    palette: Palette
    means: np.ndarray
    mixture: object
    component_ids: np.ndarray

    def label(self, rgb):
        """Class ids of a picture uint8 (H, W, 3): uint8 (H, W), each pixel's likeliest component."""
        # Colours repeat: each is looked at once.
        packed = (rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)).ravel()
        colours, places = np.unique(packed, return_inverse=True)
        values = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.float64)
        return self.component_ids[self.mixture.predict(values)][places].reshape(rgb.shape[:2])


def own_palette():
    """The palette of this project's four classes, scenes.labels.PALETTE."""
    return Palette(np.arange(len(NAMES), dtype=np.uint8), NAMES, PALETTE)


def read_palette(path):
    """Palette from JSON: an object of colours by class.

    A key is a class's name (background, sheet, left_foot, right_foot) or any id from "0" to "255"; a colour is
    [r, g, b], 0..255, or "#rrggbb". Leave out a class that no picture shows. Raises ColourMapError, with file and key.
    """
    path = Path(path)
    try:
        document = parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ColourMapError(f"{path}: no palette could be read: {error}") from error
    if not isinstance(document, dict):
        raise ColourMapError(f'{path}: an object of colours by class is needed, as in {{"background": [0, 0, 0]}}')
    ids, colours = [], []
    for key, value in document.items():
        ids.append(_class_id(path, key))
        colours.append(_colour(path, key, value))
    for what, entries in (("class", ids), ("colour", colours)):
        twice = [entry for entry, count in Counter(entries).items() if count > 1]
        if twice:
            raise ColourMapError(f"{path}: {what} {twice[0]} is there twice; each class has one colour of its own")
    if len(ids) < 2:
        raise ColourMapError(f"{path}: it names {len(ids)} classes; two or more are needed to tell apart")
    names = tuple(NAMES[label] if label < len(NAMES) else str(label) for label in ids)
    return Palette(np.array(ids, np.uint8), names, np.array(colours, np.uint8))


def _class_id(path, key):
    if key in NAMES:
        return NAMES.index(key)
    if re.fullmatch(r"[0-9]{1,3}", key) and int(key) <= 255:
        return int(key)
    raise ColourMapError(f"{path}: {key!r} is no class; give one of {', '.join(NAMES)}, or an id from 0 to 255")


def _colour(path, key, value):
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        return tuple(bytes.fromhex(value[1:]))
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v <= 255 for v in value):
        return tuple(value)
    raise ColourMapError(f'{path}: {key} is {value!r}; a colour is [r, g, b], each 0 to 255, or "#rrggbb"')


def sample_pixels(paths, seed=0):
    """Pixels drawn at random from pictures: uint8 (N, 3), RGB, N about SAMPLE_PIXELS.

    Of more than SAMPLE_PICTURES pictures some are drawn; each gives as many pixels, with repetition. What cannot be
    read is passed over. Raises ColourMapError when nothing can be read.
    """
    rng = np.random.default_rng(seed)
    paths = list(paths)
    if len(paths) > SAMPLE_PICTURES:
        paths = [paths[k] for k in rng.choice(len(paths), SAMPLE_PICTURES, replace=False)]
    drawn = []
    for path in paths:
        try:
            pixels = read_photo(path).rgb.reshape(-1, 3)
        except PhotoError:
            continue
        drawn.append(pixels[rng.integers(0, len(pixels), -(-SAMPLE_PIXELS // len(paths)))])
    if not drawn:
        raise ColourMapError(f"none of {len(paths)} pictures can be read")
    return np.concatenate(drawn)


def fit_colours(pixels, palette, seed=0):
    """Fit one Gaussian a class to pixels uint8 (N, 3), RGB: ColourModel. The same pixels and seed give the same.

    All Gaussians share one covariance. With one of its own, that of the largest class becomes so narrow that the
    blends at borders are left to another class's, which then grows until it covers two classes; with a shared one
    they fall to the nearer colour, in the measure that the noise itself gives. It starts from the palette's colours;
    a component is the class whose colour its mean is nearest to.
    Raises ColourMapError when two components fall on one class, when a class has none, or when a component lies
    between two colours (CLEARLY_NEARER): then the pictures do not show the palette's colours, or not all of them.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    colours = palette.colours.astype(np.float64)
    found = len(np.unique(pixels, axis=0))
    if found < len(colours):
        raise ColourMapError(f"the pictures hold {found} colours and the palette {len(colours)}: leave out of the "
                             "palette what no picture shows")
    mixture = GaussianMixture(len(colours), covariance_type="tied", means_init=colours, reg_covar=NOISE_FLOOR,
                              max_iter=200, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below
        mixture.fit(pixels.astype(np.float64))
    if not mixture.converged_:
        raise ColourMapError(f"the mixture of {len(colours)} colours did not settle in 200 rounds: are these "
                             "pictures of flat colours?")
    # Components keep the order of the palette that they started from; an empty one has no mean worth looking at.
    empty = [name for name, weight in zip(palette.names, mixture.weights_, strict=True) if weight * len(pixels) < 1]
    if empty:
        found = _told(mixture.means_[mixture.weights_ * len(pixels) >= 1])
        raise ColourMapError(f"no pixel has the colour of {', '.join(empty)}, or it is nearer to another of the "
                             f"palette; the pictures' colours seem to be {found}: leave out what no picture shows, or "
                             "give the colour it has")
    nearest = _match(mixture.means_, palette)
    means = np.empty_like(colours)
    means[nearest] = mixture.means_
    return ColourModel(palette, means, mixture, palette.ids[nearest])


def _told(means):
    return ", ".join(f"({', '.join(f'{value:.0f}' for value in mean)})" for mean in means)


def _match(means, palette):
    """Index into the palette of each component (K, 3): int (K,), a permutation. Raises ColourMapError."""
    distances = np.linalg.norm(means[:, None] - palette.colours.astype(np.float64), axis=2)
    nearest = distances.argmin(axis=1)
    way_out = (f"the pictures' colours seem to be {_told(means)}: give a palette of the colours that they have, "
               "without classes that none of them shows")
    for k, count in Counter(nearest.tolist()).items():
        if count > 1:
            without = [name for m, name in enumerate(palette.names) if m not in nearest]
            raise ColourMapError(f"{count} colours fall on {palette.names[k]} and none on {', '.join(without)}; "
                                 f"{way_out}")
    ordered = np.sort(distances, axis=1)
    for k in np.flatnonzero(ordered[:, 0] > CLEARLY_NEARER * ordered[:, 1]):
        raise ColourMapError(f"the colour found for {palette.names[nearest[k]]} lies between two of the palette's; "
                             f"{way_out}")
    return nearest


def find_pictures(folder):
    """The pictures that lie in a folder, not in its sub-folders, by name: list of Path."""
    return sorted(path for path in Path(folder).iterdir()
                  if path.suffix.lower() in PICTURE_EXTENSIONS and path.is_file())


def mask_path(out, picture):
    """Where the class ids of a picture are written: out/STEM.png."""
    return Path(out, f"{picture.stem}.png")


@dataclass(frozen=True, eq=False)
class LabelReport:
    """pixels: int64 (K,), of each class of the palette. example: the picture whose classes share it most evenly, None
    where none was labelled. problems: one line for each picture that was not."""

    pixels: np.ndarray
    example: Path | None
    problems: tuple


def label_pictures(paths, out, model, progress=None):
    """Write each picture's class ids at its mask_path: LabelReport.

    A picture that cannot be read, or whose name another one has taken, is a line in `problems`, and the rest goes on.
    progress: called with (done, total) after each picture. Raises OSError when writing fails.
    """
    pixels, problems, taken = np.zeros(256, np.int64), [], {}
    example, highest = None, -1.0
    for done, path in enumerate(paths, start=1):
        try:
            if path.stem in taken:
                raise PhotoError("name_taken", f"{taken[path.stem].name} has the name {path.stem}.png already")
            mask = model.label(read_photo(path).rgb)
        except PhotoError as error:
            problems.append(f"{path}: {error}")
        else:
            write_whole(mask_path(out, path), mask_png(mask))
            taken[path.stem] = path
            counts = np.bincount(mask.ravel(), minlength=256)
            pixels += counts
            shares = counts[counts > 0] / mask.size
            entropy = float(-(shares * np.log(shares)).sum())
            if entropy > highest:
                example, highest = path, entropy
        if progress:
            progress(done, len(paths))
    return LabelReport(pixels[model.palette.ids], example, tuple(problems))
