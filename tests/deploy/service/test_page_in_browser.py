"""The page in a headless Chromium: photos dropped and chosen, what is seen then, and that no text runs."""

import io
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from deploy.bundle import DEFAULT_FOLDER
from deploy.service.pool import WorkerPool
from deploy.service.refusal import Refusal
from deploy.service.work import Answered, work_alone

SAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "samples" / "bare_foot.jpg"
HOSTILE = "<img src=x onerror=document.title=1>.jpg"


@pytest.fixture
def page(service, serve_in_thread, tab):
    """The page of a service that measures nothing, in a Tab."""
    measured, stream = service.pool.answer, io.BytesIO()
    Image.new("RGB", (60, 40)).save(stream, format="JPEG")
    service.pool.answer = lambda asked: Answered(measured(asked).answer, overlay=stream.getvalue())
    open_page(tab, serve_in_thread(service))
    return tab


def open_page(tab, address):
    tab.said.clear()
    tab.open(f"http://{address[0]}:{address[1]}/")


def texts(tab, selector):
    return tab.js(f"[...document.querySelectorAll({selector!r})].map(found => found.innerText)")


def is_seen(tab, selector):
    return tab.js(f"document.querySelector({selector!r}).checkVisibility()")


def test_a_dropped_photo_is_measured_and_shown(page, service, tmp_path):
    photo = tmp_path / HOSTILE
    photo.write_bytes(b"\xff\xd8 a photo")
    page.drop("#zone", photo)
    page.wait_for("document.querySelector('#result').checkVisibility()")
    (asked,) = service.pool.asked
    assert (asked.data, asked.name, asked.sheet, asked.overlay) == (b"\xff\xd8 a photo", HOSTILE, "auto", True)
    assert texts(page, "#name") == [HOSTILE] and page.js("document.title") == "Measure feet"
    assert texts(page, "#feet tbody tr :is(th, td)") == [
        "Left", "251.3 \u00b1 1.4", "97.8 \u00b1 1.1", "39.5", "6.5", "7.5", "9"]
    assert texts(page, "#warnings li") == ["corner_covered corner <b>4</b> is covered"]
    assert "A4, long side vertical \u00b7 camera 61 cm up, tilted 21\u00b0" in texts(page, "#facts")[0]
    page.wait_for("document.querySelector('#overlay').naturalWidth === 60")
    assert "left foot 251 mm long" in page.js("document.querySelector('#overlay').alt")
    assert not is_seen(page, "#trouble") and page.said == []


def test_a_chosen_photo_is_measured_once_more_when_the_sheet_is_named(page, service):
    page.choose("#photo", SAMPLE)
    page.wait_for("document.querySelector('#result').checkVisibility()")
    page.js("document.querySelector('#sheet').value = 'letter';"
            "document.querySelector('#sheet').dispatchEvent(new Event('change'))")
    page.wait_for("document.querySelector('#state').innerText.startsWith('Measured')")
    assert [asked.sheet for asked in service.pool.asked] == ["auto", "letter"]
    assert service.pool.asked[1].data == SAMPLE.read_bytes() and page.said == []


def test_why_there_is_no_answer_is_said_and_the_next_photo_is_measured(page, service):
    answer = service.pool.answer

    def refuse(asked):
        raise Refusal("sheet_not_found", "no <sheet> found", asked.name)

    service.pool.answer = refuse
    page.choose("#photo", SAMPLE)
    page.wait_for("document.querySelector('#trouble').checkVisibility()")
    assert texts(page, "#trouble") == ["bare_foot.jpg: no <sheet> found"] and not is_seen(page, "#result")
    service.pool.answer = answer
    page.choose("#photo", SAMPLE.with_name("two_feet.jpg"))
    page.wait_for("document.querySelector('#result').checkVisibility()")
    assert not is_seen(page, "#trouble")


def test_a_file_that_is_too_large_is_not_even_sent(make_service, serve_in_thread, tab):
    service = make_service(max_bytes=1000)
    open_page(tab, serve_in_thread(service))
    tab.choose("#photo", SAMPLE)
    tab.wait_for("document.querySelector('#trouble').checkVisibility()")
    assert texts(tab, "#trouble") == ["bare_foot.jpg has 0.1 MB; at most 0.001 MB are taken."]
    assert not service.pool.asked and tab.said == []


def test_the_keyboard_reaches_all_of_it(page):
    reached = []
    for _ in range(3):
        page.press("Tab")
        reached.append(page.js("document.activeElement.id || document.activeElement.innerText"))
    assert reached == ["photo", "sheet", "what can be asked"]
    page.js("document.querySelector('#photo').focus()")
    assert page.js("getComputedStyle(document.querySelector('#zone')).outlineStyle") == "solid"


def test_the_docs_are_shown_without_a_script(page):
    page.open(page.js("location.href") + "docs")
    assert "POST /v1/measure" in texts(page, "h2") and page.js("document.scripts.length") == 0
    # Its style is let in by the policy.
    assert page.js("getComputedStyle(document.querySelector('article')).borderRadius") == "12px"
    assert page.said == []


@pytest.mark.slow
def test_a_real_photo_is_really_measured(make_service, serve_in_thread, tab):
    pool = WorkerPool(partial(work_alone, DEFAULT_FOLDER, 1, 10**8), 1, 1, 4, 60.0)
    open_page(tab, serve_in_thread(make_service(pool)))
    tab.drop("#zone", SAMPLE)
    tab.wait_for("document.querySelector('#result').checkVisibility()")
    assert texts(tab, "#feet tbody th") == ["Right"]
    tab.wait_for("document.querySelector('#overlay').naturalWidth > 1000")
