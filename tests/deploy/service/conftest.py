"""A service without processes: its application, asked in this one, with a pool that answers as a test wants it to."""

import asyncio
import json
import shutil
import subprocess
import threading
import time
from types import SimpleNamespace

import httpx
import pytest

from deploy.service.app import make_app
from deploy.service.server import MAX_CONNECTIONS, Server, listen
from deploy.service.settings import Settings
from deploy.service.work import Answered

FOOT = {
    "side": "left", "side_confidence": 0.98, "length_mm": 251.34, "width_mm": 97.8,
    "uncertainty_mm": {"length": 1.4, "width": 1.1}, "heel": [402.0, 921.5], "toe": [490.2, 320.8],
    "shoe_sizes": {"eu": 39.5, "uk": 6.5, "us_men": 7.5, "us_women": 9.0, "child": False},
    "touches_border": False, "heel_hidden": False, "share_on_sheet": 0.95, "from_side": False,
}  # fmt: skip
CORNER = {"x": 812.4, "y": 1003.1, "visible": True, "confidence": 0.99, "state": "visible", "found_by": "edges"}
IDENTITY = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def measured(name):
    """An answer on a photo of that name."""
    return {
        "photo": name, "width": 3024, "height": 4032,
        "sheet": {"format": "a4", "long_side": "vertical", "confidence": 0.97}, "corners": [CORNER] * 4,
        "camera": {"focal_px": 2890.1, "focal_from": "exif", "height_mm": 612.0, "tilt_deg": 21.3,
                   "sheet_to_image": IDENTITY, "rotation": IDENTITY, "translation_mm": [0.0, 0.0, 612.0]},
        "feet": [FOOT], "warnings": [{"code": "corner_covered", "message": "corner <b>4</b> is covered"}],
        "milliseconds": {"read": 38.1, "networks": 29.5, "geometry": 6.2},
    }  # fmt: skip


class FakePool:
    """As a WorkerPool: `answer` is given an Asked, and what it returns, or raises, is told; it may be awaitable."""

    def __init__(self):
        self.alive, self.waiting, self.is_full, self.asked = 1, 0, False, []
        self.answer = lambda asked: Answered(measured(asked.name), overlay=b"jpeg" if asked.overlay else None)

    async def start(self):
        pass

    async def end(self):
        pass

    async def ask(self, thing):
        self.asked.append(thing)
        answer = self.answer(thing)
        return (await answer if asyncio.iscoroutine(answer) else answer), 0.25


@pytest.fixture
def make_service():
    """A function (settings) that gives an application with a FakePool, or another pool: app, pool, measuring, and
    `ask`, a function (method, path, httpx's arguments) -> httpx.Response."""

    def make(pool=None, **settings):
        pool = pool or FakePool()
        app, measuring = make_app(Settings(**settings), pool)

        async def asking(method, path, arguments):
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.request(method, path, **arguments)

        def ask(method, path, **arguments):
            return asyncio.run(asking(method, path, arguments))

        return SimpleNamespace(app=app, pool=pool, measuring=measuring, ask=ask)

    return make


@pytest.fixture
def service(make_service):
    return make_service()


class Tab:
    """A page in a browser, steered over its DevTools protocol."""

    def __init__(self, connection):
        self._connection, self._number, self._session = connection, 0, None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.said = []  # by the console, and as exceptions
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        """What the browser answers to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._connection.recv(timeout=60))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                self.said.append(answer["params"])

    def js(self, expression):
        """The value of an expression in the page."""
        done = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, expression, seconds=60):
        """Until an expression in the page is true."""
        end = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.05)

    def open(self, url):
        self("Page.navigate", url=url)
        self.wait_for(f"location.href === {url!r} && document.readyState === 'complete'")

    def choose(self, selector, path):
        """Choose a file in a file input."""
        root = self("DOM.getDocument")["root"]["nodeId"]
        node = self("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drop(self, selector, path):
        """Drop a file onto an element."""
        x, y = self.js(f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
                       f"(document.querySelector({selector!r}).getBoundingClientRect())")
        for kind in ("dragEnter", "dragOver", "drop"):
            self("Input.dispatchDragEvent", type=kind, x=x, y=y,
                 data={"items": [], "files": [str(path)], "dragOperationsMask": 1})

    def press(self, key, code=9):
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


@pytest.fixture(scope="session")
def tab(tmp_path_factory):
    """A Tab of a headless Chromium; skipped where there is none."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here")
    from websockets.sync.client import connect

    profile = tmp_path_factory.mktemp("chromium")
    browser = subprocess.Popen([chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
                                "--disable-component-update", "--remote-debugging-port=0",
                                f"--user-data-dir={profile}", "about:blank"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        told, end = profile / "DevToolsActivePort", time.monotonic() + 60
        while not (told.exists() and len(told.read_text().split()) == 2):
            assert browser.poll() is None and time.monotonic() < end, "Chromium does not begin"
            time.sleep(0.05)
        port, path = told.read_text().split()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as connection:
            yield Tab(connection)
    finally:
        browser.kill()
        browser.wait()


@pytest.fixture
def serve_in_thread():
    """A function (a service of make_service, connections) that gives the address at which its `server` serves it, in a
    thread."""
    servers = []

    def serve(service, connections=MAX_CONNECTIONS):
        listening = listen("127.0.0.1", 0)
        service.server = server = Server(service.app, service.measuring, 10, connections)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        servers.append((server, thread))
        address = listening.getsockname()[:2]
        thread.start()
        return address

    yield serve
    for server, thread in servers:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
