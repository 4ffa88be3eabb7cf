"""Annotated photos that are no dataset: annotations.json (COCO keypoints) with the files beside it, or under
images/."""

from pathlib import Path, PurePosixPath

import numpy as np

from scenes.dataset import IMAGES, MASKS, Sample, mask_name
from scenes.document import ANNOTATIONS, is_keypoints, is_size, read_document, short
from scenes.files import is_inner_path


def read_annotated_photos(folder, keypoints=4):
    """scenes.dataset.Samples of the photos that have `keypoints` annotated points, in the order of the annotations.

    Less is asked of the document than of a dataset: only what is used here, images' id, file_name, width and height,
    and annotations' image_id and keypoints. Images without are left out; masks, where a network needs them, are under
    masks/. Raises ValueError for a document that cannot be used, FileNotFoundError for a photo that is not there.
    """
    folder = Path(folder)
    document, faults = read_document(folder)
    if faults:
        raise ValueError(f"{folder / ANNOTATIONS}: {faults[0].message}")
    try:
        images = {image["id"]: image for image in document["images"]}
        samples = [
            _sample(folder, images[annotation["image_id"]], annotation, keypoints)
            for annotation in document["annotations"]
            if "keypoints" in annotation
        ]
    except KeyError as fault:
        raise ValueError(f"{folder / ANNOTATIONS} has an entry without {fault}; COCO keypoints are needed") from fault
    except TypeError as fault:
        raise ValueError(f"{folder / ANNOTATIONS} cannot be used: {fault}; COCO keypoints are needed") from fault
    names = {sample.name for sample in samples}
    if len(names) < len(samples):
        raise ValueError(f"{folder / ANNOTATIONS} has {len(samples)} annotated photos of {len(names)} names; give each "
                         "its own, and one annotation")
    return samples


def _sample(folder, image, annotation, keypoints):
    name = image["file_name"]
    if not is_inner_path(name):
        raise ValueError(f"{folder / ANNOTATIONS}: file_name is {short(name)}; the path of a photo in the folder is "
                         "needed")
    if not (is_size(image["width"]) and is_size(image["height"])):
        raise ValueError(f"{folder / ANNOTATIONS}: {name} has width {image['width']!r} and height {image['height']!r}; "
                         "whole numbers of pixels are needed")
    points = annotation["keypoints"]
    if not is_keypoints(points, keypoints) or not np.isfinite(points).all():
        raise ValueError(f"{folder / ANNOTATIONS}: keypoints of {name} are not x, y, v of {keypoints} points")
    points = np.array(points, float).reshape(-1, 3)
    path = next((path for path in (folder / name, folder / IMAGES / name) if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{folder / name} is not there: photos are beside {ANNOTATIONS}, or under {IMAGES}/")
    # Photos of one name and two endings are two photos: the ending stays in the name.
    return Sample(PurePosixPath(name).as_posix(), path, folder / MASKS / mask_name(name), image["width"],
                  image["height"], points[:, :2].copy(), points[:, 2].astype(int), annotation.get("attributes", {}))
