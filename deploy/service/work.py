"""What a worker process does with a photo: it is measured, and drawn where that is wanted, in memory alone."""

import logging
import time
import warnings
from dataclasses import dataclass, field

import numpy as np

from deploy.meter import Failure, FootMeter, meter_alone
from deploy.overlay import draw_measurement, jpeg_bytes
from scenes.images import PhotoError, is_of_known_kind, photo_size, read_photo

logger = logging.getLogger(__name__)

WARM_UP_PX = 256


@dataclass(frozen=True)
class Asked:
    """A photo to measure. data: bytes of its file. name: what the answer calls it. sheet: of `FootMeter.measure`.
    overlay: whether it is to be drawn."""

    data: bytes = field(repr=False)
    name: str
    sheet: str = "auto"
    overlay: bool = False


@dataclass(frozen=True)
class Answered:
    """answer: dict as `to_json` gave it. is_image: False where the bytes are no image of a kind that is read. overlay:
    bytes of a JPEG, or None. seconds: spent, by stage."""

    answer: dict
    is_image: bool = True
    overlay: bytes | None = field(default=None, repr=False)
    seconds: dict = field(default_factory=dict)


def work_alone(bundle, threads, max_pixels):
    """The Work of a process beside others."""
    # Pillow's word on a damaged header, which spoils no pixel, and may hold what the header says.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return Work(meter_alone(bundle, threads), max_pixels)


@dataclass(frozen=True)
class Work:
    """Called with an Asked: Answered; with None it makes ready, and says so. max_pixels: of a photo."""

    meter: FootMeter
    max_pixels: int

    def __call__(self, asked):
        if asked is None:
            return self._make_ready()
        result = self._too_large(asked) or self.meter.attempt(asked.data, asked.sheet, asked.name)
        answer = result.to_json()
        if isinstance(result, Failure):
            is_image = result.code != "unreadable_image" or not asked.data or is_of_known_kind(asked.data)
            return Answered(answer, is_image)
        seconds = {stage: spent / 1e3 for stage, spent in result.milliseconds.items()}
        overlay = None
        if asked.overlay:
            started = time.perf_counter()
            overlay = self._drawn(asked, result, answer)
            seconds["overlay"] = time.perf_counter() - started
        return Answered(answer, True, overlay, seconds)

    def _make_ready(self):
        """Has the networks answer once: the first answer takes longest, and tells that they can."""
        result = self.meter.attempt(np.full((WARM_UP_PX, WARM_UP_PX, 3), 128, np.uint8))
        if isinstance(result, Failure) and result.code == "internal_error":
            raise RuntimeError(result.message)
        return "ready"

    def _too_large(self, asked):
        try:
            width, height = photo_size(asked.data)
        except PhotoError:  # said where it is measured
            return None
        if width * height <= self.max_pixels:
            return None
        return Failure(asked.name, "image_too_large",
                       f"the image is {width} x {height} pixels; at most {self.max_pixels / 1e6:g} million are taken "
                       "here: make it smaller")

    def _drawn(self, asked, measurement, answer):
        """A JPEG of the measured photo; None, and a warning in the answer, where it cannot be drawn."""
        try:
            return jpeg_bytes(draw_measurement(read_photo(asked.data).rgb, measurement))
        except Exception as error:  # the measures are worth telling without a picture
            logger.debug("drawing", exc_info=True)
            answer["warnings"].append({"code": "output_not_written",
                                       "message": f"no overlay: {type(error).__name__}; please report it"})
            return None
