"""How far a keypoint network is off on annotated photos, by itself: nothing sharpens its corners afterwards.

Photos are a folder with annotations.json (COCO keypoints: four corners x, y, v an image, pixels of the photo after
its EXIF turn) and the files beside it, or under images/ as in a dataset. Errors are in percent of the photo's
diagonal, of the corners whose place is known, after the cyclic shift that suits them best: a strongly turned sheet
has no first corner. A photo is a success when every known corner is within SUCCESS_PERCENT.

What a network says of the photos is kept in its run folder, as corners-KEY.json, with the hashes of the weights and
of the photos that it is made of; KEY is their digest, so that other weights or photos have a file of their own.
"""

import hashlib
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from deploy.bundle import MANIFEST
from keypoints.config import CORNERS, TrainConfig
from keypoints.metrics import cyclic_errors
from keypoints.quads import decode_corners
from scenes.dataset import known_corners
from scenes.files import file_sha256, is_inner_path, write_whole
from scenes.images import fit_photo, input_to_photo, read_photo
from scenes.json_text import parsed
from scenes.sheet import order_corners, transform

SUCCESS_PERCENT = 3.0
# Raise it whenever the same weights and photos would give other corners.
VERSION = 1
FILES = {"best": "best.params", "last": "last.params"}


@dataclass(frozen=True, eq=False)
class AnnotatedPhoto:
    """name: file name as annotated. size: (width, height), pixels. corners: float64 (4, 2), pixels. visibility: int
    (4,) as in COCO. known: bool (4,): the corners that have coordinates; neither (-1, -1) nor COCO's (0, 0, 0)."""

    name: str
    path: Path
    size: tuple
    corners: np.ndarray
    visibility: np.ndarray
    known: np.ndarray


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """The annotated photos of a folder. sha256: of their names and files; truth_sha256: of annotations.json."""

    name: str
    photos: tuple
    sha256: str
    truth_sha256: str

    @property
    def names(self):
        """Names of the photos, in order."""
        return [photo.name for photo in self.photos]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Errors of a network. errors: float64 (N, 4), percent of the diagonal, NaN where a corner is not known."""

    photos: PhotoSet
    errors: np.ndarray

    def mean(self):
        """{photo's name: mean error of its known corners, in percent}."""
        return dict(zip(self.photos.names, np.nanmean(self.errors, axis=1).tolist(), strict=True))

    def successes(self):
        """Number of photos with every known corner within SUCCESS_PERCENT."""
        return int((np.nanmax(self.errors, axis=1) <= SUCCESS_PERCENT).sum())

    def median(self, visibility):
        """Median error in percent of all known corners of that visibility (2 seen, 1 covered); None without any."""
        shown = np.array([photo.visibility for photo in self.photos.photos]) == visibility
        chosen = self.errors[shown & np.isfinite(self.errors)]
        return float(np.median(chosen)) if chosen.size else None


def read_photos(folder):
    """PhotoSet of a folder; images without keypoints are left out. Reads every file, to tell its hash.

    Raises ValueError for an annotations.json that cannot be used, without photos, or with one whose corners are all
    unknown, FileNotFoundError for a file that is not there.
    """
    folder = Path(folder)
    source = folder / "annotations.json"
    try:
        text = source.read_bytes()
        document = parsed(text)
        images = {image["id"]: image for image in document["images"]}
        photos = tuple(_photo(folder, images[annotation["image_id"]], annotation["keypoints"])
                       for annotation in document["annotations"] if "keypoints" in annotation)
    except FileNotFoundError as fault:
        raise FileNotFoundError(f"{fault.filename or fault} is not there: photos are annotations.json and the files "
                                "that it names, beside it or under images/") from fault
    except KeyError as fault:
        raise ValueError(f"{source} has an entry without {fault}; COCO keypoints are needed") from fault
    except (ValueError, TypeError, OverflowError) as fault:
        raise ValueError(f"{source} cannot be used: {fault}") from fault
    names = [photo.name for photo in photos]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{source} has {len(names)} annotated photos of {len(set(names))} names; each needs its own")
    digest = hashlib.sha256()
    for photo in photos:
        digest.update(f"{photo.name} {file_sha256(photo.path)}\n".encode())
    return PhotoSet(folder.resolve().name, photos, digest.hexdigest(), hashlib.sha256(text).hexdigest())


def _photo(folder, image, keypoints):
    name = image["file_name"]
    if not is_inner_path(name):
        raise ValueError(f"file_name is {name!r:.80}; the path of a photo in the folder is needed")
    points = np.array(keypoints, float)
    if points.shape != (12,) or not np.isfinite(points).all():
        raise ValueError(f"keypoints of {name} are not x, y, v of four corners")
    points = points.reshape(4, 3)
    corners, visibility = points[:, :2], points[:, 2].astype(int)
    known = known_corners(corners) & points.any(axis=1)
    if not known.any():
        raise ValueError(f"no corner of {name} is known; leave its annotation out")
    path = next((path for path in (folder / name, folder / "images" / name) if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(folder / name)
    return AnnotatedPhoto(name, path, (image["width"], image["height"]), corners, visibility, known)


def read_settings(file, names):
    """{photo's name: setting} of a JSON file {setting: [pattern of file names, ...]}.

    Patterns are those of the shell (*, ?, [...]) and tell upper from lower case. Raises ValueError unless every
    photo is in exactly one setting and every pattern matches a photo; OSError.
    """
    try:
        settings = json.loads(Path(file).read_text(encoding="utf-8"))
        pairs = [(setting, pattern) for setting, patterns in settings.items() for pattern in patterns]
        if not all(isinstance(patterns, list) for patterns in settings.values()):
            raise ValueError("patterns are not a list")
        found = {name: [] for name in names}
        for setting, pattern in pairs:
            matched = [name for name in names if fnmatchcase(name, pattern)]
            if not matched:
                raise ValueError(f"{pattern!r} of setting {setting!r} is the name of no photo")
            for name in matched:
                if setting not in found[name]:
                    found[name].append(setting)
    except (AttributeError, TypeError, ValueError) as fault:
        raise ValueError(f'{file} cannot be used: {fault}; it must be JSON, {{"setting": ["pattern", ...]}}') from fault
    for name, inside in found.items():
        if len(inside) != 1:
            raise ValueError(f"{file}: {name} is in {len(inside)} settings ({', '.join(inside) or 'none'}); each photo "
                             "must be in one")
    return {name: inside[0] for name, inside in found.items()}


def corner_errors(predicted, photos):
    """Errors (N, 4) in percent of the diagonal, NaN where a corner is not known. predicted: (N, 4, 2), photo
    pixels; photos: sequence of N AnnotatedPhoto."""
    truth, known = (np.array([getattr(photo, name) for photo in photos]) for name in ("corners", "known"))
    diagonals = np.array([np.hypot(*photo.size) for photo in photos])
    errors = cyclic_errors(predicted, truth, known)
    return np.where(known, 100 * errors / diagonals[:, None], np.nan)


def evaluate(run, photos, weights="last"):
    """Evaluation of a run folder on a PhotoSet, from its cached corners where there are any; or of a bundle.

    weights: "last" or "best", of a run. Raises ValueError as `cached_corners` does, keypoints.run.RunError,
    deploy.bundle.BundleError, and scenes.images.PhotoError.
    """
    if is_bundle(run):  # nothing is ever written into a bundle
        return Evaluation(photos, corner_errors(bundle_corners(run, photos), photos.photos))
    corners = cached_corners(run, photos, weights)
    if corners is None:
        corners = predict_corners(run, photos, weights)
        found = dict(zip(photos.names, corners.tolist(), strict=True))
        made_of = _made_of(run, photos, weights)
        document = json.dumps({"made_of": made_of, "corners": found}, indent=1)
        write_whole(_cache_file(run, made_of), (document + "\n").encode())
    return Evaluation(photos, corner_errors(corners, photos.photos))


def cached_corners(run, photos, weights="last"):
    """Corners (N, 4, 2), photo pixels, that a run has said of a PhotoSet before; None where it has not.

    Raises ValueError for a folder that is no run, and for a cache that was made of other weights or photos than its
    name says: whatever mixed them, neither can be told to be right.
    """
    if not (Path(run) / FILES[weights]).exists():
        return None
    made_of = _made_of(run, photos, weights)
    file = _cache_file(run, made_of)
    if not file.exists():
        return None
    document = json.loads(file.read_text(encoding="utf-8"))
    if document.get("made_of") != made_of or sorted(document["corners"]) != sorted(photos.names):
        raise ValueError(f"{file} was made of other weights or photos than it is named for; remove it")
    return np.array([document["corners"][name] for name in photos.names])


def _made_of(run, photos, weights):
    """What decides the corners: dict."""
    try:
        config = TrainConfig.from_json(json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))["config"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{run} is no run of `foliopie keypoints train`: {fault}") from fault
    return {"version": VERSION, "model": config.model, "height": config.height, "width": config.width,
            "fit": config.fit, "weights_sha256": file_sha256(Path(run) / FILES[weights]),
            "photos_sha256": photos.sha256}


def _cache_file(run, made_of):
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return Path(run) / f"corners-{digest[:12]}.json"


def predict_corners(run, photos, weights="last"):
    """Corners (N, 4, 2) float64 in photo pixels, in published order, by a run's network alone.

    Each photo is fitted to the input as the run was trained. Raises keypoints.run.RunError,
    scenes.images.PhotoError, and ValueError where a photo is of another size than its annotation says.
    """
    from keypoints.decoding import points_in_input
    from keypoints.run import PREDICT_BATCH, load_network, normalise, predict_normalised

    net, config = load_network(run, weights)
    if config.input != "rgb" or config.joints != CORNERS:
        raise ValueError(f"{run} finds {config.joints} keypoints in input {config.input!r}; photos need a network that "
                         f"finds {CORNERS} corners in 'rgb'")
    spec = config.input_spec

    def batches():
        for start in range(0, len(photos.photos), PREDICT_BATCH):
            chunk = photos.photos[start:start + PREDICT_BATCH]
            yield normalise(np.stack([fit_photo(_pixels(photo), spec) for photo in chunk]))

    corners = np.empty((len(photos.photos), 4, 2))
    for k, heatmaps in enumerate(predict_normalised(net, batches())):
        points, _, _ = points_in_input(heatmaps, config)
        points = transform(input_to_photo(photos.photos[k].size, spec), points)
        corners[k] = points[order_corners(points)]
    return corners


def is_bundle(folder):
    """Whether a folder is one that `foliopie deploy export` wrote."""
    return (Path(folder) / MANIFEST).is_file()


def bundle_corners(folder, photos):
    """Corners (N, 4, 2) float64 in photo pixels, in published order, by a bundle's corner network alone, in OpenVINO.

    Raises deploy.bundle.BundleError, scenes.images.PhotoError, and ValueError as `predict_corners` does.
    """
    from deploy.meter import load_networks

    networks = load_networks(folder)
    corners = np.empty((len(photos.photos), 4, 2))
    for k, photo in enumerate(photos.photos):
        heatmaps = networks.keypoints(fit_photo(_pixels(photo), networks.keypoints_spec)[None])[0]
        points, _, _ = decode_corners(np.asarray(heatmaps, np.float32), networks.stride, maps=networks.maps)
        points = transform(input_to_photo(photo.size, networks.keypoints_spec), points)
        corners[k] = points[order_corners(points)]
    return corners


def _pixels(photo):
    rgb = read_photo(photo.path).rgb
    if rgb.shape[1::-1] != tuple(photo.size):
        raise ValueError(f"{photo.path} is {rgb.shape[1]} x {rgb.shape[0]}, its annotation says {photo.size[0]} x "
                         f"{photo.size[1]}; annotate the photo as its EXIF turns it")
    return rgb
