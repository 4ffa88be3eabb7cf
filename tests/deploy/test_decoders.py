"""The bytes of a photo are decoded by Pillow alone: OpenCV, whose wheel has decoders and an FFmpeg of its own, is given
pixels."""

import io
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

import deploy
from deploy.classical import Classical
from deploy.meter import FootMeter
from deploy.service.work import Asked, Work

SAMPLE = Path(deploy.__file__).parent / "samples" / "bare_foot.jpg"
DECODERS = sorted(name for name in dir(cv2) if name.startswith(("imread", "imdecode", "imcount", "VideoCapture"))
                  and callable(getattr(cv2, name)))


@pytest.fixture(scope="module")
def meter():
    return FootMeter.load()


@pytest.fixture(autouse=True)
def decoders(monkeypatch):
    """OpenCV without what reads files; no `except Exception` holds back what is raised in their place."""
    for name in DECODERS:
        monkeypatch.setattr(cv2, name, lambda *_, name=name, **__: pytest.fail(f"cv2.{name} was called"))


def sample_as(kind, **options):
    pillow_heif.register_heif_opener()
    stream = io.BytesIO()
    Image.open(SAMPLE).save(stream, format=kind, **options)
    return stream.getvalue()


def test_these_are_the_decoders():
    assert {"imread", "imdecode", "imreadmulti", "VideoCapture"} <= set(DECODERS)
    with pytest.raises(pytest.fail.Exception):
        cv2.imdecode(np.zeros(9, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("kind", "options"), [
    ("PNG", {}), ("WEBP", {"quality": 95}), ("TIFF", {"compression": "jpeg", "quality": 95}), ("HEIF", {"quality": 80}),
    ("AVIF", {"quality": 90, "speed": 10})])  # fmt: skip
def test_a_photo_of_any_kind_is_measured_without_them(meter, kind, options):
    assert [foot.side for foot in meter.measure(sample_as(kind, **options)).feet] == ["right"]


def test_many_photos_are_measured_without_them(meter):
    answers = list(meter.measure_many([SAMPLE, SAMPLE.read_bytes()], workers=1))
    assert [[foot.side for foot in answer.feet] for answer in answers] == [["right"], ["right"]]


def test_classical_means_measure_without_them():
    assert FootMeter(Classical()).measure(SAMPLE).sheet.format.name == "a4"


def test_the_service_measures_and_draws_without_them(meter):
    answered = Work(meter, 10**9)(Asked(SAMPLE.read_bytes(), "one.jpg", "auto", overlay=True))
    assert len(answered.answer["feet"]) == 1 and answered.overlay[:3] == b"\xff\xd8\xff"
