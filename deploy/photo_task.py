"""What is done with each photo of a batch: it is measured, drawn, and written."""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from deploy.journal import source_of
from deploy.meter import Failure, FootMeter, lost_photo
from deploy.overlay import draw_measurement, with_words, write_jpeg
from deploy.page import thumbnail
from scenes.images import PhotoError, read_photo

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Done:
    """What is told of a photo: its answer as to_json gave it, and its picture for the page as a data URI or None."""

    answer: dict
    picture: str | None


def meter_of(bundle, method, threads=None):
    """The FootMeter of a bundle's folder (None: of the one that ships), or of the method "classical" without any."""
    if method == "classical":
        from deploy.classical import Classical

        return FootMeter(Classical())
    return FootMeter.load(bundle, threads)


def task_alone(bundle, method, threads, *rest):
    """PhotoTask of a process beside others, with so many threads; rest: its fields but for the meter."""
    cv2.setNumThreads(threads)
    return PhotoTask(meter_of(bundle, method, threads), *rest)


def lost(source, how):
    """Done of a Source over which a process died; how: one line on it."""
    return Done(lost_photo(source.name, how).to_json(), None)


@dataclass(frozen=True)
class PhotoTask:
    """meter: measures; without one it can only tell of photos of before. sheet: of `FootMeter.measure`. overlay, masks:
    folders to write into, or None. wants_picture: of every photo, for the page. measured_with: as
    deploy.journal.measured_with gives it."""

    meter: FootMeter | None
    sheet: str
    overlay: Path | None
    masks: Path | None
    wants_picture: bool
    measured_with: str

    def __call__(self, source):
        """Measures a Source and writes its pictures: Done. Nothing that is wrong with a photo is raised."""
        # Looked at first: a photo that is changed while it is measured is measured again the next time.
        file = self._file(source)
        result = self.meter.attempt(source.photo, self.sheet, source.name)
        answer = result.to_json()
        if file:
            answer["source"] = file
        if isinstance(result, Failure):
            return Done(answer, self._thumbnail(source.photo))
        problem, picture = None, None
        try:
            picture = self._pictures(result, source)
        except _NotWritten as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.strerror or error}: {error.filename}"
        except Exception as error:  # one photo must never stop the others
            logger.debug("drawing %s", source.name, exc_info=True)
            problem = f"{type(error).__name__}: {str(error)[:200]}; please report it"
        if problem:
            answer["warnings"].append({"code": "output_not_written", "message": problem})
        return Done(answer, picture)

    def is_done(self, source, answer):
        """Whether an answer of before is what this task would give for a Source, and its pictures are there."""
        file, places = self._file(source), [] if "error" in answer else self._places(source)
        return file is not None and answer.get("source") == file and all(path.exists() for path in places)

    def done_before(self, source, answer):
        """Done of an answer of before: the page shows the overlay where there is one, else the photo."""
        overlay = _output_path(self.overlay, source.output, ".jpg") if self.overlay else None
        return Done(answer, self._thumbnail(overlay if overlay is not None and overlay.exists() else source.photo))

    def _file(self, source):
        return None if source.data is not None else source_of(source.path, self.measured_with)

    def _places(self, source):
        return [_output_path(folder, source.output, suffix) for folder, suffix in ((self.overlay, ".jpg"),
                                                                                   (self.masks, ".png")) if folder]

    def _pictures(self, measurement, source):
        """Writes overlay and mask; the picture for the page, or None. Raises _NotWritten and OSError."""
        if source.data is None and any(path.exists() and path.samefile(source.path) for path in self._places(source)):
            raise _NotWritten("it would replace the photo itself: name another folder")
        if self.masks:
            _write_mask(_output_path(self.masks, source.output, ".png"), measurement)
        if not (self.overlay or self.wants_picture):
            return None
        try:
            rgb = read_photo(source.photo).rgb
        except PhotoError as error:  # measured a moment ago: the file has been changed since
            if not self.overlay:
                return None
            raise _NotWritten(f"no second look for the overlay: {error.message}") from error
        drawn = draw_measurement(rgb, measurement)
        if self.overlay:
            write_jpeg(_output_path(self.overlay, source.output, ".jpg"), with_words(drawn, measurement))
        return thumbnail(drawn) if self.wants_picture else None

    def _thumbnail(self, photo):
        if not self.wants_picture:
            return None
        try:
            return thumbnail(read_photo(photo).rgb)
        except PhotoError:
            return None


class _NotWritten(Exception):
    """Why a picture is not written: one line with the way out."""


def _output_path(folder, output, suffix):
    return Path(folder, output.parent, output.name + suffix)


def _write_mask(path, measurement):
    size = measurement.width, measurement.height
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(cv2.resize(measurement.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)).save(path)
