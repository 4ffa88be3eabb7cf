"""The HTTP interface, without processes: what is answered to what, with which status, and what is kept of it."""

import asyncio
import io
import json
import re
import tempfile

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect

from deploy.batch import NoAnswer
from deploy.service import guard
from deploy.service.metrics import RESTARTS, STAGES
from deploy.service.pool import QueueFull, TookTooLong, WaitedTooLong
from deploy.service.refusal import STATUS_OF
from deploy.service.schema import Measured, NotMeasured
from deploy.service.upload import AROUND_BYTES, plain_name
from deploy.service.work import Answered

PHOTO = b"\xff\xd8 a photo"


def send(service, data=PHOTO, name="one.jpg", address="", fields=None):
    return service.ask("POST", f"/v1/measure{address}", files={"photo": (name, data)}, data=fields or {})


def code_of(response, status):
    """The code of a refusal, which has that status and the one form that all of them have."""
    assert response.status_code == status, response.text
    NotMeasured.model_validate(response.json())
    assert ("retry-after" in response.headers) == (status == 503)
    return response.json()["error"]["code"]


def fails(pool, error):
    def answer(_):
        raise error

    pool.answer = answer


def refused(code, is_image=True):
    return lambda asked: Answered({"photo": asked.name, "error": {"code": code, "message": "why"}}, is_image)


@pytest.mark.parametrize(("charset", "status"), [("undefined", 400), ("punycode", 400), ("no-such", 200),
                                                 ("utf-16", 200)])  # fmt: skip
def test_a_charset_that_nothing_can_be_read_in_is_no_mistake_of_the_service(service, charset, status):
    """Of all that Python knows some raise another error than most."""
    body = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a..b.jpg"\r\n\r\n\xff\xd8\r\n--b--\r\n'
    kind = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
    response = service.ask("POST", "/v1/measure", content=body, headers=kind)
    assert response.status_code == status
    assert status == 200 or code_of(response, status) == "bad_request"


def test_the_answer_is_what_was_measured_under_the_name_of_the_file(service):
    response = send(service)
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    answer = response.json()
    Measured.model_validate(answer)
    assert answer["photo"] == "one.jpg" and answer["feet"][0]["length_mm"] == 251.34 and "overlay" not in answer
    (asked,) = service.pool.asked
    assert (asked.data, asked.name, asked.sheet, asked.overlay) == (PHOTO, "one.jpg", "auto", False)


@pytest.mark.parametrize(("address", "fields"), [("?sheet=letter&overlay=true", {}),
                                                 ("?sheet=a4", {"sheet": "letter", "overlay": "true"})])
def test_options_come_in_the_address_or_as_fields_which_go_before(service, address, fields):
    answer = send(service, address=address, fields=fields).json()
    assert answer["overlay"] == "data:image/jpeg;base64,anBlZw=="
    assert (service.pool.asked[0].sheet, service.pool.asked[0].overlay) == ("letter", True)
    Measured.model_validate(answer)


@pytest.mark.parametrize(("address", "fields"), [("?sheet=a5", {}), ("", {"sheet": "a5"}), ("?overlay=maybe", {}),
                                                 ("", {"overlay": "maybe"}), ("", {"sheet": "x" * 500}),
                                                 ("", {"colour": "red"})])  # fmt: skip
def test_an_unknown_option_is_refused(service, address, fields):
    assert code_of(send(service, address=address, fields=fields), 400) == "bad_request"
    assert not service.pool.asked


@pytest.mark.parametrize(("sent", "shown"), [
    ("/etc/pass wd.jpg", "pass wd.jpg"), ("C:\\feet\\one.jpg", "one.jpg"), ("../..", ".."),
    ("a\r\nb\x00\u202e.jpg", "ab.jpg"),
    ("<b>\u00e9\u8db3</b>.jpg", "b>.jpg"), ("x" * 999, "x" * 200), ("", ""), (None, "")])  # fmt: skip
def test_a_name_is_its_last_part_and_can_be_shown(sent, shown):
    assert plain_name(sent) == shown


@pytest.mark.parametrize(("arguments", "status"), [
    ({}, 415), ({"json": {"photo": "x"}}, 415), ({"data": {"photo": "x"}}, 415),
    ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, 400),
    ({"content": b"--x\r\nrubbish", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
    ({"content": b"--x--\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
    ({"files": {"picture": ("one.jpg", PHOTO)}}, 400),
    ({"files": [("photo", ("one.jpg", PHOTO)), ("photo", ("two.jpg", PHOTO))]}, 400),
    ({"files": {"photo": (None, b"no file")}}, 400),
    ({"files": {"photo": ("one.jpg", PHOTO), "sheet": ("a4", b"a4")}}, 400),
    ({"content": b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\ncut off',
      "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
])  # fmt: skip
def test_what_is_not_one_photo_is_refused(service, arguments, status):
    assert code_of(service.ask("POST", "/v1/measure", **arguments), status) == "bad_request"
    assert not service.pool.asked


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/measure", 405),
                                                        ("POST", "/healthz", 405)])
def test_what_does_not_exist_is_said_in_the_same_form(service, method, path, status):
    assert code_of(service.ask(method, path), status) == "bad_request"


@pytest.mark.parametrize(("code", "status"), [("unreadable_image", 400), ("image_too_small", 400),
                                              ("image_too_large", 413), ("sheet_not_found", 422),
                                              ("sheet_cut_off", 422)])  # fmt: skip
def test_a_photo_without_an_answer_has_the_status_of_its_code(service, code, status):
    service.pool.answer = refused(code)
    response = send(service)
    assert code_of(response, status) == code
    assert response.json() == {"photo": "one.jpg", "error": {"code": code, "message": "why"}}


def test_what_is_no_image_at_all_has_a_status_of_its_own(service):
    service.pool.answer = refused("unreadable_image", is_image=False)
    assert code_of(send(service), 415) == "unreadable_image"


@pytest.mark.parametrize(("error", "status", "code"), [
    (QueueFull(), 503, "overloaded"), (WaitedTooLong(), 503, "overloaded"), (TookTooLong(), 504, "timed_out"),
    (NoAnswer("killed"), 500, "internal_error"), (ZeroDivisionError("secret"), 500, "internal_error")])  # fmt: skip
def test_what_goes_wrong_inside_is_told_without_its_inside(service, error, status, code):
    fails(service.pool, error)
    response = send(service)
    assert code_of(response, status) == code and "secret" not in response.text and "killed" not in response.text


def test_a_mistake_in_measuring_is_logged_and_not_told(service, caplog):
    service.pool.answer = lambda asked: Answered(
        {"photo": asked.name, "error": {"code": "internal_error", "message": "cv2.error in /usr/lib/x"}})
    assert code_of(response := send(service), 500) == "internal_error"
    assert "cv2" not in response.text and "cv2.error in /usr/lib/x" in caplog.text


def test_without_a_place_it_is_refused_before_the_photo_is_read(service):
    service.pool.is_full = True
    assert code_of(asyncio.run(unread(service, 200)), 503) == "overloaded"


@pytest.mark.parametrize("announced", [1, 2])
def test_a_file_that_is_too_large_is_refused(make_service, announced):
    """In a request that says so before it is read; and in one that is no larger than what is around a photo."""
    service = make_service(max_bytes=1000)
    if announced == 1:
        assert code_of(asyncio.run(unread(service, 1000 + AROUND_BYTES + 1)), 413) == "image_too_large"
    assert code_of(response := send(service, bytes(1001)), 413) == "image_too_large"
    assert response.json()["photo"] == "one.jpg" and "0.001 MB" in response.text
    assert send(service, bytes(1000)).status_code == 200 and len(service.pool.asked) == 1


async def unread(service, length):
    """The answer to a photo of so many bytes, of which none may be asked for but by the time that it is answered."""
    sent, answered = [], asyncio.Event()

    async def receive():
        assert answered.is_set(), "read"
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if message["type"] == "http.response.body":
            answered.set()

    await service.app(post([(b"content-length", str(length).encode())]), receive, send)
    assert dict(sent[0]["headers"])[b"connection"] == b"close"
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=b"".join(
        message["body"] for message in sent[1:]))


def post(headers):
    """The scope of a request with a photo."""
    return {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/v1/measure", "raw_path": b"/v1/measure", "query_string": b"", "root_path": "",
            "server": ("service", 80), "client": ("127.0.0.1", 1),
            "headers": [(b"content-type", b"multipart/form-data; boundary=x"), *headers]}  # fmt: skip


async def answer_to(service, messages, then=None):
    """The (status, body) that are answered to ASGI messages, each an awaitable's; (None, b"") where there are none."""
    sent = []

    async def receive():
        return await messages.pop(0)() if messages else await (then or asyncio.Future())

    async def send(message):
        sent.append(message)

    await asyncio.wait_for(service.app(post([(b"transfer-encoding", b"chunked")]), receive, send), 30)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def chunk(body, more_body=True):
    async def give():
        return {"type": "http.request", "body": body, "more_body": more_body}

    return give


async def gone():
    return {"type": "http.disconnect"}


def test_a_body_that_never_says_how_long_it_is_is_cut_off_at_the_limit(make_service):
    service = make_service(max_bytes=100_000)
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    messages = [chunk(head), *[chunk(bytes(50_000))] * 100, gone]
    status, body = asyncio.run(answer_to(service, messages))
    # What came after it was refused was thrown away, so that the client gets to read the answer.
    assert status == 413 and b"image_too_large" in body and messages == []


def test_a_slow_upload_is_ended(make_service, monkeypatch):
    monkeypatch.setattr(guard, "LINGER_S", 0.01)
    service = make_service(upload_s=0.05)
    status, body = asyncio.run(answer_to(service, [chunk(b"--x\r\n")]))
    assert status == 408 and json.loads(body)["error"]["code"] == "upload_timed_out"


def test_a_client_that_goes_away_frees_its_place(service):
    cancelled = []

    async def for_ever():
        try:
            await asyncio.Future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    service.pool.answer = lambda asked: for_ever()
    body = httpx.Request("POST", "http://x", files={"photo": ("a.jpg", PHOTO)}, headers={
        "content-type": "multipart/form-data; boundary=x"}).read()
    status, _ = asyncio.run(answer_to(service, [chunk(body, False), gone]))
    assert status == 499 and cancelled == [True]  # which nobody reads
    assert counted(service, "foliopie_requests_total", code="client_gone") == 1
    assert counted(service, "foliopie_in_flight") == 0


def test_a_client_that_goes_away_while_it_sends_is_no_mistake(service, caplog):
    status, _ = asyncio.run(answer_to(service, [chunk(b"--x\r\n"), gone]))
    assert status == 499 and ClientDisconnect.__name__ not in caplog.text


def test_so_many_uploads_at_a_time(make_service, monkeypatch):
    monkeypatch.setattr(guard, "LINGER_S", 0.01)
    service = make_service(uploads=1)

    async def two():
        held = asyncio.Event()

        async def hold():
            held.set()
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}

        first = asyncio.ensure_future(answer_to(service, [hold]))
        await held.wait()
        second = await answer_to(service, [])
        return second, await first

    (status, body), (other, _) = asyncio.run(two())
    assert status == 503 and b"overloaded" in body and other == 499


def test_nothing_of_a_photo_is_written_to_a_disk(service, monkeypatch):
    def no_file(*_, **__):
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, no_file)
    data = bytes(range(256)) * 20_000  # 5 MB, five times what starlette keeps in memory by itself
    assert send(service, data).status_code == 200 and service.pool.asked[0].data == data


def test_the_log_has_one_line_and_nothing_of_the_photo(service, caplog):
    caplog.set_level("DEBUG")
    send(service, b"\xff\xd8 content-of-it", "my-own-feet.jpg")
    service.ask("GET", "/my-own-feet?secret")
    for path in ("/healthz", "/readyz", "/metrics"):
        service.ask("GET", path)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("deploy")]
    assert [re.sub(r"ms=[0-9.]+", "ms", line) for line in lines] == [
        "/v1/measure status=200 code=measured ms bytes=16", "other status=404 code=bad_request ms bytes=0"]
    assert "content-of-it" not in caplog.text


def counted(service, name, **labels):
    families = text_string_to_metric_families(service.ask("GET", "/metrics").text)
    found = [sample.value for family in families for sample in family.samples
             if sample.name == name and labels.items() <= sample.labels.items()]
    assert found, name
    return sum(found)


def test_the_metrics_count_what_was_asked_answered_and_took_how_long(service):
    for stage in STAGES:
        assert counted(service, "foliopie_stage_seconds_count", stage=stage) == 0
    service.pool.answer = lambda asked: Answered(measured_of(asked), seconds={"read": 0.3, "networks": 0.2})
    send(service)
    service.pool.answer = refused("sheet_not_found")
    send(service)
    assert counted(service, "foliopie_requests_total", status="200", code="measured") == 1
    assert counted(service, "foliopie_requests_total", status="422", code="sheet_not_found") == 1
    assert counted(service, "foliopie_request_seconds_count") == 2
    assert counted(service, "foliopie_stage_seconds_sum", stage="read") == 0.3
    assert counted(service, "foliopie_stage_seconds_sum", stage="waiting") == 0.5  # the FakePool's, of both
    assert counted(service, "foliopie_photo_bytes_sum") == 2 * len(PHOTO)
    assert counted(service, "foliopie_warnings_total", code="corner_covered") == 1
    service.pool.alive, service.pool.waiting = 3, 7
    assert counted(service, "foliopie_workers_alive") == 3 and counted(service, "foliopie_queue_length") == 7
    for why in RESTARTS:
        service.pool.told(why)
        assert counted(service, "foliopie_worker_restarts_total", why=why) == 1


def measured_of(asked):
    warnings = [{"code": "corner_covered", "message": "a corner is covered"}]
    return {"photo": asked.name, "feet": [], "warnings": warnings}


def test_it_is_ready_when_a_worker_is_and_until_it_ends(service):
    assert service.ask("GET", "/healthz").json() == {"state": "alive"}
    assert service.ask("GET", "/readyz").json() == {"state": "ready"}
    service.pool.alive = 0
    assert code_of(service.ask("GET", "/readyz"), 503) == "not_ready"
    service.pool.alive, service.measuring.is_ending = 1, True
    assert code_of(service.ask("GET", "/readyz"), 503) == "not_ready"
    assert code_of(send(service), 503) == "not_ready"
    assert service.ask("GET", "/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/service.js", "/service.css", "/healthz", "/nowhere", "/v1/measure"])
def test_every_answer_keeps_browsers_strict(service, path):
    headers = service.ask("GET", path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers and "server" not in headers


def test_other_origins_are_let_in_by_name_alone(make_service):
    service = make_service(allow_origins=("https://app.example",))

    def allowed(origin):
        response = service.ask("GET", "/healthz", headers={"origin": origin})
        return response.headers.get("access-control-allow-origin")

    assert allowed("https://app.example") == "https://app.example" and allowed("https://other.example") is None


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_ask_no_other_host_and_hold_no_script(service, path):
    text = service.ask("GET", path).text
    assert text.startswith("<!doctype html>")
    assert not re.findall(r"(?:src|href)=\"(?:[a-z]+:)?//", text) and not re.search(r"<style|\son[a-z]+=|style=", text)
    assert re.findall(r"<script([^>]*)>([^<]*)</script>", text) in ([], [(' src="service.js" defer', "")])
    for name in re.findall(r"(?:src|href)=\"([^\"#]+)\"", text):
        if not name.startswith("data:"):
            assert service.ask("GET", f"/{name.removeprefix('./')}").status_code == 200, name


def test_the_script_sets_nothing_but_text(service):
    script = service.ask("GET", "/service.js").text
    assert "textContent" in script and not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval", script)


def test_openapi_says_what_is_asked_and_answered(service):
    document = service.ask("GET", "/openapi.json").json()
    asked = document["paths"]["/v1/measure"]["post"]
    assert asked["requestBody"]["content"]["multipart/form-data"]["schema"]["required"] == ["photo"]
    assert {parameter["name"] for parameter in asked["parameters"]} == {"sheet", "overlay"}
    told = {(int(status), code) for status, answer in asked["responses"].items() if status != "200"
            for code in answer["content"]["application/json"]["examples"]}
    assert told == {(int(status), code) for code, (status, _) in STATUS_OF.items()} | {
        (415, "unreadable_image"), (415, "bad_request")}
    for example in document["components"]["schemas"]["Measured"]["examples"]:
        Measured.model_validate(example)
    for code in STATUS_OF:
        assert code in service.ask("GET", "/docs").text


def test_a_photo_of_any_name_is_json(service):
    response = send(service, name='"\u8db3<script>.jpg')
    assert json.load(io.BytesIO(response.content))["photo"].endswith("<script>.jpg")
