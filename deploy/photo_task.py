"""What is done with each photo of a batch: it is measured, drawn, and written."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from deploy.journal import source_of
from deploy.meter import Failure, FootMeter, load_networks, lost_photo, meter_alone
from deploy.overlay import draw_measurement, jpeg_bytes, with_words
from deploy.page import thumbnail
from scenes.files import mask_png, write_whole
from scenes.images import PhotoError, read_photo

logger = logging.getLogger(__name__)

OVERLAY, MASK = ".jpg", ".png"  # what the names of pictures end with


@dataclass(frozen=True)
class Done:
    """What is told of a photo: its answer as to_json gave it, and its picture for the page as a data URI or None."""

    answer: dict
    picture: str | None


@dataclass(frozen=True)
class Looked:
    """What there is of a photo before anything of it is written. answer, picture: of its Done. files: the bytes of each
    picture to write, by its suffix; problem: one line on why some are missing, or None."""

    answer: dict
    picture: str | None = None
    files: dict = field(default_factory=dict)
    problem: str | None = None


def meter_of(bundle):
    """The FootMeter of a Bundle, or, without one, of classical means."""
    if bundle is None:
        from deploy.classical import Classical

        return FootMeter(Classical())
    return FootMeter(load_networks(bundle))


def task_alone(bundle, threads, *rest):
    """PhotoTask of a process beside others, with so many threads. bundle: as of `meter_of`. rest: its fields but for
    the meter."""
    cv2.setNumThreads(threads)
    return PhotoTask(meter_of(bundle) if bundle is None else meter_alone(bundle, threads), *rest)


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
        file = self.file_of(source)
        return self.finish(source, file, self.look(source.name, source.photo))

    def look(self, name, photo):
        """Measures and draws a photo, a path or the bytes of a file: Looked. Of `overlay` and `masks` only whether they
        are wanted counts, so that it may be done where these folders are not."""
        result = self.meter.attempt(photo, self.sheet, name)
        answer = result.to_json()
        if isinstance(result, Failure):
            return Looked(answer, self._thumbnail(photo))
        files, picture, problem = {}, None, None
        try:
            if self.masks:
                files[MASK] = _mask_bytes(result)
            picture = self._draw(result, photo, files)
        except _NotWritten as error:
            problem = str(error)
        except Exception as error:  # one photo must never stop the others
            logger.debug("drawing %s", name, exc_info=True)
            problem = f"{type(error).__name__}: {str(error)[:200]}; please report it"
        return Looked(answer, picture, files, problem)

    def finish(self, source, file, looked):
        """Writes the pictures of a Source that was Looked at: Done. file: what `file_of` said before."""
        answer, problem = looked.answer, looked.problem
        if file:
            answer["source"] = file
        try:
            self._write(source, looked.files)
        except _NotWritten as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.strerror or error}: {error.filename}"
        if problem:
            answer["warnings"].append({"code": "output_not_written", "message": problem})
        return Done(answer, None if problem else looked.picture)

    def file_of(self, source):
        """What an answer on a Source is an answer to, as the journal has it; None where it is no file."""
        return None if source.data is not None else source_of(source.path, self.measured_with)

    def is_done(self, source, answer):
        """Whether an answer of before is what this task would give for a Source, and its pictures are there."""
        file, places = self.file_of(source), [] if "error" in answer else self._places(source)
        return file is not None and answer.get("source") == file and all(path.exists() for path in places)

    def done_before(self, source, answer):
        """Done of an answer of before: the page shows the overlay where there is one, else the photo."""
        overlay = _output_path(self.overlay, source.output, OVERLAY) if self.overlay else None
        return Done(answer, self._thumbnail(overlay if overlay is not None and overlay.exists() else source.photo))

    def _places(self, source):
        return [_output_path(folder, source.output, suffix) for suffix, folder in self._folders().items() if folder]

    def _folders(self):
        return {MASK: self.masks, OVERLAY: self.overlay}

    def _draw(self, measurement, photo, files):
        """Adds the overlay to files; the picture for the page, or None. Raises _NotWritten."""
        if not (self.overlay or self.wants_picture):
            return None
        try:
            rgb = read_photo(photo).rgb
        except PhotoError as error:  # measured a moment ago: the file has been changed since
            if not self.overlay:
                return None
            raise _NotWritten(f"no second look for the overlay: {error.message}") from error
        drawn = draw_measurement(rgb, measurement)
        if self.overlay:
            files[OVERLAY] = jpeg_bytes(with_words(drawn, measurement))
        return thumbnail(drawn) if self.wants_picture else None

    def _write(self, source, files):
        """Raises _NotWritten and OSError."""
        if files and source.data is None and any(path.exists() and path.samefile(source.path)
                                                 for path in self._places(source)):
            raise _NotWritten("it would replace the photo itself: name another folder")
        for suffix, data in files.items():
            path = _output_path(self._folders()[suffix], source.output, suffix)
            write_whole(path, data)

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


def _mask_bytes(measurement):
    """The classes at the photo's own size as the bytes of a PNG."""
    size = measurement.width, measurement.height
    return mask_png(cv2.resize(measurement.mask, size, interpolation=cv2.INTER_NEAREST_EXACT))
