"""Putting images and masks into a new folder: all of it or nothing, and never over what is there."""

import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from scenes.checking import attribute_faults, decoded_size
from scenes.dataset import IMAGES, MASKS, mask_name, write_annotations
from scenes.document import SHEET
from scenes.exchange.incoming import checked_mask, settled, tidy_attributes
from scenes.exchange.source import Refused, SourceError
from scenes.files import mask_png, place, write_whole


@contextmanager
def new_folder(target):
    """A folder beside `target` to write into, which becomes `target` at the end; after an error nothing is left.

    Raises SourceError where something is at `target` already.
    """
    target = Path(target)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise SourceError(target, "not_empty", "there is something already: name another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)
        if target.exists():
            target.rmdir()
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class NothingStored(SourceError):
    """Not one item could be used. problems: why, list[Problem]."""

    def __init__(self, target, problems):
        super().__init__(target, "nothing_imported", "no image could be imported; nothing is written")
        self.problems = problems


class _Storing:
    """What has been put into a dataset so far: its records, and what must not come twice."""

    def __init__(self, folder, category, with_masks, split, link):
        self.folder, self.category, self.with_masks = folder, category, with_masks
        self.split, self.link = split, link
        self.records = []
        self._names, self._contents = {}, {}

    def add(self, item):
        """Image, mask and record of an Incoming. Raises Refused."""
        stem = PurePosixPath(item.name).with_suffix("")
        if stem in self._names:
            raise Refused("duplicate_name", f"{item.name} comes after {self._names[stem]}: a name can be there once, "
                                            "whatever its ending")
        size = _size(item)
        digest = hashlib.sha256(item.image_path.read_bytes()).digest()
        if digest in self._contents:
            raise Refused("duplicate_image", f"{item.name} is {self._contents[digest]} once more")
        record = self._record(item, size)
        if self.with_masks:
            write_whole(self.folder / MASKS / mask_name(item.name), mask_png(_mask(item, record)))
        place(item.image_path, self.folder / IMAGES / item.name, self.link)
        self._names[stem], self._contents[digest] = item.name, item.name
        self.records.append(record)

    def _record(self, item, size):
        points, visibility = settled(item.points, item.visibility, size, self.category)
        attributes = tidy_attributes(item.attributes, self.split, self.category)
        annotation = {"keypoints": np.column_stack([points, visibility]).ravel().tolist(), "attributes": attributes}
        faults = attribute_faults({"file_name": item.name}, annotation, self.category)
        if faults:
            raise Refused(faults[0].rule, faults[0].message)
        return {"file_name": item.name, "width": size[0], "height": size[1], "corners": points,
                "visibility": visibility, "attributes": attributes}


def _mask(item, record):
    if item.mask is None:
        raise Refused("mask_missing", f"{item.name} has no mask, and others have")
    size = (record["width"], record["height"])
    return checked_mask(item.mask(size), size, {"attributes": record["attributes"]})


def _size(item):
    """(width, height) of the image, readable and of the size that the source says."""
    try:
        size = decoded_size(item.image_path)
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise Refused("image_unreadable", f"{item.image_path}: {type(error).__name__}: {error}") from error
    if item.size not in (None, size):
        turned = "; it seems to have been annotated without its EXIF turn" if item.size == size[::-1] else ""
        raise Refused("image_size", f"{item.image_path} is {size[0]} x {size[1]} pixels, annotated as {item.size[0]} x "
                                    f"{item.size[1]}{turned}")
    return size


def store(items, target, category=SHEET, split=None, link=False, advance=lambda: None):
    """Write a dataset of Incoming items into the new folder `target`: (number stored, list[Problem]).

    category: of the keypoints. split: for items without one. link: hard links in place of copies of images.
    advance: called after each item. One bad item does not stop the rest. Raises SourceError where `target` is not
    empty, or nothing could be stored (then nothing is written), OSError where it cannot be written.
    """
    problems = []
    with new_folder(target) as folder:
        with_masks = any(item.mask is not None for item in items)
        storing = _Storing(folder, category, with_masks, split, link)
        (folder / IMAGES).mkdir()
        for item in items:
            try:
                storing.add(item)
            except Refused as refused:
                problems.append(refused.problem(item.file, item.line))
            advance()
        if not storing.records:
            raise NothingStored(target, problems)
        write_annotations(folder, storing.records, category, masks=with_masks or category != SHEET)
    return len(storing.records), problems
