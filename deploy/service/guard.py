"""Around every request: headers that keep browsers strict, one line in the log, and a good end for what was refused."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field

from starlette.responses import JSONResponse

from deploy.service.refusal import Refusal

logger = logging.getLogger(__name__)

# Nothing but what the service itself has: no script or style inside a page, no other host, no frame around it.
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
# A client that still sends when its answer comes often does not read it, and sees a broken connection: so long is what
# it sends read on, and thrown away.
LINGER_S = 2.0
# What asks every few seconds.
NOT_LOGGED = ("/healthz", "/readyz", "/metrics")


@dataclass
class Record:
    """What is told of a request when it is over. code: of the answer. bytes: of the photo. answered: when the answer
    was sent; what a refused client still sends is read after that."""

    code: str = "-"
    bytes: int = 0
    status: int = 0
    began: float = field(default_factory=time.perf_counter)
    answered: float | None = None

    @property
    def seconds(self):
        """From its beginning to its answer, or to now."""
        return (self.answered or time.perf_counter()) - self.began


class Guard:
    """An ASGI application around another one, which finds a Record in its scope's state, as `record`.

    paths: those that the log names; any other one came from who knows where. over: called with the path and the Record
    of every request that is over. The attribute `cut_off` counts those that were cancelled by the server.
    """

    def __init__(self, app, paths, over):
        self._app, self._paths, self._over = app, paths, over
        self.cut_off = 0
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = scope.setdefault("state", {})["record"] = Record()
        exchange = _Exchange(scope, receive, send, record, self._headers)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # The server waits for it no longer. Cut off is only what has no answer yet, and so it gets one.
            if record.status:
                raise
            self.cut_off += 1
            refusal = Refusal("not_ready", "the service ended before the answer was there: ask again")
            record.code = refusal.code
            await JSONResponse(refusal.to_json(), refusal.status, refusal.headers())(scope, exchange.receive,
                                                                                     exchange.send)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._over(path, record)
            if path not in NOT_LOGGED:
                logger.info("%s status=%d code=%s ms=%.1f bytes=%d", path, record.status, record.code,
                            1e3 * record.seconds, record.bytes)


class _Exchange:
    """A request and its answer: what was read of the one, and whether the other may be the last of the connection."""

    def __init__(self, scope, receive, send, record, headers):
        names = {name: value for name, value in scope["headers"]}
        self._unread = b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0"
        self._receive, self._send, self._record, self._headers = receive, send, record, headers

    async def receive(self):
        message = await self._receive()
        if not message.get("more_body", False):  # nor is there anything to read from a client that is gone
            self._unread = False
        return message

    async def send(self, message):
        if message["type"] == "http.response.start":
            self._record.status = message["status"]
            close = [(b"connection", b"close")] if self._unread else []
            message = message | {"headers": [*message.get("headers", []), *self._headers, *close]}
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and self._unread:
            await self._send(message | {"more_body": True})
            self._record.answered = time.perf_counter()
            await self._read_on()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _read_on(self):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while self._unread:
                    await self.receive()
