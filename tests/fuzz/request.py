"""Requests to the service: a line with method and address, headers, an empty line, the body in pieces.

The application is asked as its server asks it, with a pool in place of worker processes that tells what it was given.
"""

import asyncio
import json
import urllib.parse

from deploy.service.app import MEASURE, make_app
from deploy.service.refusal import NO_IMAGE_STATUS, STATUS_OF
from deploy.service.settings import Settings
from deploy.service.upload import MAX_NAME
from deploy.service.work import Answered, Asked
from tests.fuzz.mutation import mutated_bytes

INSTRUMENTED = ("deploy", "starlette", "fastapi", "python_multipart")
MAX_BYTES = 2000
STATUSES = {200, 307, 404, 405, int(NO_IMAGE_STATUS), *(int(status) for status, _ in STATUS_OF.values())} - {500}
PIECES = (1 << 20, 1, 7, 64)  # bytes at a time

# What means something in a request, to put where it may not.
WORDS = (
    b"charset=undefined", b"charset=punycode", b"charset=utf-16", b"charset=idna", b"boundary=", b'boundary="', b"; ",
    b"content-length: -1", b"content-length: 99999999999999999999", b"transfer-encoding: chunked",
    b"expect: 100-continue", b"content-type: application/json", b"\xe2\x80\xae", b"\xff", b"origin: http://a",
    b"content-type: multipart/form-data; boundary=" + b"b" * 300, b"--b", b"--b--", b"\r\n", b"\n", b"range: bytes=0-1",
    b'filename="', b"filename*=UTF-8''%ff", b'name="photo"', b'name="sheet"', b"_charset_", b"%00", b"%ff", b"../",
    b"overlay=2", b"sheet=auto&sheet=a4", b"/v1/measure", b"OPTIONS", b"Content-Transfer-Encoding: base64",
    b"Content-Disposition: form-data",
)  # fmt: skip


def mutated(data, rng):
    """The request with words put into it, or its bytes changed."""
    if rng.random() < 0.5:
        return mutated_bytes(data, rng)
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.5:  # where another begins or ends
            at = next((place for place in range(at, len(data)) if data[place] in b";:\n "), at)
        data[at:at + rng.choice((0, 0, 1, 8))] = rng.choice((b"", b"; ", b"\n")) + rng.choice(WORDS)
    return bytes(data)


class Told:
    """As a WorkerPool, whose workers find no sheet in anything."""

    alive, waiting, is_full = 1, 0, False

    async def start(self):
        pass

    async def end(self):
        pass

    async def ask(self, asked):
        assert isinstance(asked, Asked) and len(asked.data) <= MAX_BYTES and len(asked.name) <= MAX_NAME
        assert asked.name.isprintable() and asked.sheet in ("auto", "a4", "letter") and type(asked.overlay) is bool
        return Answered({"photo": asked.name, "error": {"code": "sheet_not_found", "message": "none"}}), 0.0


APP, _ = make_app(Settings(max_bytes=MAX_BYTES), Told())


def seeds():
    """Requests that are answered, with each way to tell what is wanted: list[bytes]."""
    part = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n%s\r\n%s\r\n'
    photo = part % (b"photo", b'; filename="a b.jpg"', b"Content-Type: image/jpeg\r\n", b"\xff\xd8 a photo")
    coded = part % (b"photo", b"; filename*=UTF-8''%e8%b6%b3.png", b"Content-Transfer-Encoding: binary\r\n", b"\x89PNG")
    options = part % (b"sheet", b"", b"", b"a4") + part % (b"overlay", b"", b"", b"true")
    heads = [b"content-type: multipart/form-data; boundary=b\n", b'content-type: multipart/form-data; boundary="b"\n',
             b"content-type: multipart/form-data; boundary=b; charset=utf-16\n"]
    end = b"--b--\r\n"
    bodies = [photo + end, options + photo + end, coded + end[:-2], b"preamble\r\n" + photo + end]
    both_lengths = b"content-length: 5\ntransfer-encoding: chunked\n"
    address = f"POST {MEASURE}".encode()
    found = [b"%s\n%s\n%s" % (address + query, head, body) for query, head, body in (
        (b"", heads[0], bodies[0]), (b"?sheet=letter&overlay=1", heads[1], bodies[1]), (b"", heads[0], bodies[2]),
        (b"", heads[2], bodies[3]), (b"?sheet=a4", heads[0] + both_lengths, bodies[1]))]
    return [*found, b"GET /docs\naccept-language: de\n\n", b"HEAD /healthz\n\n", b"GET /openapi.json?x=%00\n\n",
            b"GET /\n\n"]


def fuzz_one(data):
    """Whether a photo was given to a worker, or a page sent."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    # What the server lets through nowhere in an address or a header stands for nothing here.
    method, _, address = first.partition(b" ")
    path, _, query = bytes(letter for letter in address if 0x21 <= letter <= 0x7E).partition(b"?")
    headers = [(name.strip().lower(), value.replace(b"\0", b"").strip(b" \t\r"))
               for name, _, value in (line.partition(b":") for line in lines)]
    size = PIECES[len(data) % len(PIECES)]
    pieces = [body[at:at + size] for at in range(0, len(body), size)] or [b""]
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
             "method": method.decode("latin-1"), "path": urllib.parse.unquote_to_bytes(path).decode("utf-8", "replace"),
             "raw_path": path, "query_string": query, "root_path": "", "headers": headers, "client": ("127.0.0.1", 1),
             "server": ("127.0.0.1", 8000), "state": {}}
    status, told, answer = asyncio.run(_asked(scope, pieces))
    assert status in STATUSES, status
    if told.get(b"content-type") == b"application/json" and status != 200 and method != b"HEAD":
        refusal = json.loads(answer)
        assert set(refusal) == {"photo", "error"} and refusal["error"]["code"] in STATUS_OF
    assert b"content-security-policy" in told
    return status in (200, STATUS_OF["sheet_not_found"][0])


async def _asked(scope, pieces):
    """(status, headers {name: value}, body) of the application's answer."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting[-1]["more_body"] = False
    sent = []

    async def receive():
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()  # a client that stays until it has its answer

    async def send(message):
        sent.append(message)

    await APP(scope, receive, send)
    start = sent[0]
    return start["status"], dict(start["headers"]), b"".join(message.get("body", b"") for message in sent[1:])
