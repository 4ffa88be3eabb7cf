"""What a worker does with a photo, with networks that answer from drawn truth."""

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.meter import FootMeter
from deploy.service import work as work_module
from deploy.service.schema import Measured
from deploy.service.work import Asked, Work

# Test folders are no packages: the drawn scenes of the meter's tests are loaded by their path.
_spec = importlib.util.spec_from_file_location("drawn_scenes", Path(__file__).parents[1] / "test_meter.py")
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)


def file_of(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, format=kind)
    return stream.getvalue()


@pytest.fixture(scope="module")
def photo():
    """(bytes of a drawn photo, the FootMeter that knows what is in it)."""
    rgb, labels, corners = drawn.draw_scene(drawn.camera_above())
    return file_of(Image.fromarray(rgb)), FootMeter(drawn.networks_of(labels, corners))


def test_the_answer_is_the_meter_s_and_of_the_form_that_is_told(photo):
    data, meter = photo
    answered = Work(meter, 10**9)(Asked(data, "one.png", "a4"))
    wanted = meter.measure(data, "a4", "one.png").to_json()
    milliseconds = answered.answer["milliseconds"]
    assert answered.answer | {"milliseconds": 0} == wanted | {"milliseconds": 0}
    assert answered.overlay is None and answered.is_image
    assert answered.seconds.keys() == milliseconds.keys() == {"read", "networks", "geometry"}
    assert answered.seconds["geometry"] == pytest.approx(milliseconds["geometry"] / 1e3, abs=1e-3)
    Measured.model_validate(answered.answer)


def test_the_overlay_is_the_photo_with_its_measures(photo):
    data, meter = photo
    answered = Work(meter, 10**9)(Asked(data, "one.png", "auto", overlay=True))
    with Image.open(io.BytesIO(answered.overlay)) as drawing:
        assert drawing.format == "JPEG" and drawing.height == 1000 and drawing.width > 1000
    assert answered.seconds["overlay"] > 0


def test_measures_are_told_where_there_is_no_overlay(photo, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(work_module, "draw_measurement", broken)
    answered = Work(photo[1], 10**9)(Asked(photo[0], "one.png", overlay=True))
    assert answered.overlay is None and answered.answer["feet"]
    (warning,) = [one for one in answered.answer["warnings"] if one["code"] == "output_not_written"]
    assert "ZeroDivisionError" in warning["message"] and "secret" not in warning["message"]


@pytest.mark.parametrize(("data", "code", "is_image"), [
    (b"", "unreadable_image", True), (b"%PDF-1.7 no photo at all", "unreadable_image", False),
    (b"\xff\xd8\xff\xe0 a JPEG of which nothing is left", "unreadable_image", True),
    (b"\xff", "unreadable_image", False),
    (file_of(Image.new("RGB", (99, 200))), "image_too_small", True),
    (file_of(Image.new("RGB", (300, 301))), "image_too_large", True),
    (file_of(Image.new("RGB", (300, 301)), "JPEG"), "image_too_large", True),
])  # fmt: skip
def test_what_gives_no_answer_is_told_apart(photo, data, code, is_image):
    answered = Work(photo[1], 300 * 300)(Asked(data, "two.jpg"))
    assert answered.answer["photo"] == "two.jpg" and answered.answer["error"]["code"] == code
    assert answered.is_image is is_image


def test_too_many_pixels_are_named_and_never_decoded(photo, monkeypatch):
    monkeypatch.setattr(FootMeter, "attempt", lambda *_: pytest.fail("read"))
    answered = Work(photo[1], 90_000)(Asked(file_of(Image.new("L", (300, 301))), "two.png"))
    assert "300 x 301 pixels; at most 0.09 million" in answered.answer["error"]["message"]


def test_it_is_ready_when_the_networks_answer(photo):
    assert Work(photo[1], 10**9)(None) == "ready"

    def broken(image):
        raise ZeroDivisionError

    blind = drawn.networks_of(np.zeros((960, 720), np.uint8), drawn.draw_scene(drawn.camera_above())[2])
    object.__setattr__(blind, "keypoints", broken)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        Work(FootMeter(blind), 10**9)(None)
