"""The HTML page: self-contained, complete, and nothing in it is taken for markup."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from deploy.page import Entry, render_measurements, summarise, thumbnail, write_measurements, write_text

ANSWER = {
    "photo": "feet/one.jpg", "width": 300, "height": 400,
    "sheet": {"format": "a4", "long_side": "vertical", "confidence": 0.97},
    "corners": [], "camera": {"height_mm": 612.0, "tilt_deg": 21.3},
    "feet": [{"side": "left", "length_mm": 251.34, "width_mm": 97.8,
              "uncertainty_mm": {"length": 1.4, "width": 1.1},
              "shoe_sizes": {"eu": 39.5, "uk": 6.5, "us_men": 7.5, "us_women": 9.0, "child": False}}],
    "warnings": [{"code": "corner_covered", "message": "corner 4 is covered"}],
}
FAILURE = {"photo": "<script>alert(1)</script>.jpg",
           "error": {"code": "sheet_not_found", "message": "no sheet & <b>nothing</b>"}}


def test_everything_measured_is_on_the_page():
    page = render_measurements([Entry(ANSWER), Entry(FAILURE)], "Feet of <today>")
    for text in ("feet/one.jpg", "251.3", "97.8", "1.4", "A4", "corner_covered", "corner 4 is covered",
                 "sheet_not_found", "61 cm", "21&deg;", ">39.5 \u00b1 0<", ">6.5<", ">7.5<", ">9<", "approximate"):
        assert text in page


def test_nothing_in_it_is_taken_for_markup():
    page = render_measurements([Entry(FAILURE)], "Feet of <today>")
    assert "<script" not in page and "<b>nothing" not in page and "<today>" not in page
    assert "&lt;script&gt;" in page and "no sheet &amp; &lt;b&gt;" in page


def test_it_asks_the_network_for_nothing():
    page = render_measurements([Entry(ANSWER, thumbnail(np.zeros((30, 20, 3), np.uint8)))])
    assert "http" not in page
    assert all(source.startswith("data:image/jpeg;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert page.count("<img") == 1


def test_thumbnails_keep_their_proportions():
    uri = thumbnail(np.zeros((2000, 1000, 3), np.uint8), 100)
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))) as image:
        assert image.size == (50, 100)


def test_summary_counts():
    assert summarise([Entry(ANSWER), Entry(FAILURE), Entry({**ANSWER, "feet": [], "warnings": []})]) == {
        "photos": 3, "answered": 2, "failed": 1, "feet": 1, "warned": 1}


def test_a_name_that_is_no_unicode_is_escaped(tmp_path):
    write_text(tmp_path / "page.html", "bad\udcff.jpg")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "bad\\udcff.jpg"


def test_the_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "page.html"
    write_measurements(path, [Entry(ANSWER)])
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    with pytest.raises(TypeError):
        write_text(path, b"no text")
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]
