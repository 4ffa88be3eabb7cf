"""The application on a socket: limits on connections, and an end that loses no photo."""

import logging
import signal
import socket
import sys
import time
from functools import partial

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from deploy.service.app import make_app
from deploy.service.pool import WorkerPool
from deploy.service.work import work_alone

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 1000
# More than these are told that they are too many, and any beyond hung up on: each is an open file, and without files
# nothing is accepted, and no worker replaced.
TOLD_CONNECTIONS = 50
# Accepted in one go, of which three pass before one of the first is hung up on; and that the system lets wait.
ACCEPTED_CONNECTIONS, WAITING_CONNECTIONS = 20, 2048
OTHER_FILES = 40, 6  # open files beside connections, and for each worker, of two that take turns
KEEP_ALIVE_S = 5
# What a request begins with must have arrived by then, and what is answered must be taken.
HEADERS_S = 10.0
STALLED_S = 20.0


class Protocol(H11Protocol):
    """uvicorn's, that waits neither for ever for a request's headers nor for a client that takes no answer, and hangs
    up where there are too many connections even to say so."""

    _clock = None

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self.connections) > self.limit_concurrency + TOLD_CONNECTIONS:
            transport.abort()
        else:
            self._expect_headers()

    def data_received(self, data):
        super().data_received(data)
        # Without a request under way, what came is a part of headers.
        if self.cycle is None or self.cycle.response_complete:
            self._expect_headers()
        else:
            self._stop_clock()

    def connection_lost(self, exc):
        self._stop_clock()
        super().connection_lost(exc)

    def pause_writing(self):
        super().pause_writing()
        self._stop_clock()
        self._clock = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self):
        super().resume_writing()
        self._stop_clock()

    def _expect_headers(self):
        if self._clock is None:
            self._clock = self.loop.call_later(HEADERS_S, self.transport.abort)

    def _stop_clock(self):
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class Server(uvicorn.Server):
    """uvicorn's, that tells the application when it is to end, and ends with status 0 after a signal.

    app, measuring: as make_app gives them. grace_s: as of `serve`. connections: that may ask at a time.
    """

    def __init__(self, app, measuring, grace_s, connections=MAX_CONNECTIONS):
        super().__init__(uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="on", log_config=None, access_log=False, server_header=False,
            proxy_headers=False, limit_concurrency=connections, backlog=ACCEPTED_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=grace_s))
        self._measuring = measuring

    async def startup(self, sockets=None):
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(WAITING_CONNECTIONS)  # what is accepted in one go was taken for both

    def handle_exit(self, sig, frame):
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = self._measuring.is_ending = True


def room_for_connections(workers):
    """How many connections may ask at a time, MAX_CONNECTIONS where the system lets this process open enough files,
    which it is asked to. workers: processes that measure."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    beside, each = OTHER_FILES
    wanted = MAX_CONNECTIONS + TOLD_CONNECTIONS + 3 * ACCEPTED_CONNECTIONS + beside + each * workers
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, MAX_CONNECTIONS - (wanted - most))


def listen(host, port):
    """A socket that listens there. Raises OSError."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family, backlog=WAITING_CONNECTIONS)


def serve(settings, bundle, listening, grace_s):
    """Answer requests on a socket with the networks that a Bundle holds, until SIGTERM or SIGINT; what is under way
    then has grace_s seconds to be answered. Returns how many requests had to be cut off."""
    log_to_stderr()
    make = partial(work_alone, bundle, settings.threads, settings.max_pixels)
    pool = WorkerPool(make, settings.workers, settings.threads, settings.queue, settings.timeout_s)
    app, measuring = make_app(settings, pool)
    host, port = listening.getsockname()[:2]
    logger.info("serving http://%s:%d, workers: %d, threads of each: %d", f"[{host}]" if ":" in host else host, port,
                settings.workers, settings.threads)
    connections = room_for_connections(settings.workers)
    if connections < MAX_CONNECTIONS:
        logger.warning("at most %d connections: the limit on open files allows no more", connections)
    Server(app, measuring, grace_s, connections).run([listening])
    logger.info("ended; %d requests were cut off", app.cut_off)
    return app.cut_off


def log_to_stderr():
    """One line of text an event, with the time in UTC."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(stream=sys.stderr, level=logging.INFO,
                        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    # Its lines on starting and ending say what ours do; and warnings on what was sent may hold a part of it.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
