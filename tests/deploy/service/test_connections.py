"""The service behind a real socket: clients that lie, stall, or send on after they were refused."""

import contextlib
import resource
import socket
import time

import pytest

from deploy.service import guard, server
from deploy.service.upload import AROUND_BYTES

MAX_BYTES = 100_000
ASK = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
HEAD = b"POST /v1/measure HTTP/1.1\r\nhost: service\r\ncontent-type: multipart/form-data; boundary=x\r\n"


@pytest.fixture
def address(make_service, serve_in_thread):
    return serve_in_thread(make_service(max_bytes=MAX_BYTES, upload_s=60))


def exchange(address, *parts, patience=30):
    """All that is answered to parts of a request, each sent as long as that works, until the connection ends."""
    with socket.create_connection(address, timeout=patience) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while got := connection.recv(65536):
            answer += got
    return answer


def test_too_many_connections_are_told_so_and_even_more_hung_up_on(make_service, serve_in_thread, monkeypatch):
    monkeypatch.setattr(server, "TOLD_CONNECTIONS", 2)
    address = serve_in_thread(make_service(), 3)
    with contextlib.ExitStack() as closing:
        silent = [closing.enter_context(socket.create_connection(address, timeout=30)) for _ in range(4)]
        assert exchange(address, ASK).startswith(b"HTTP/1.1 503 ")
        silent.append(closing.enter_context(socket.create_connection(address, timeout=30)))
        with socket.create_connection(address, timeout=30) as sixth:
            assert rest_of(sixth) == b""
    while not exchange(address, ASK).startswith(b"HTTP/1.1 200 "):  # it takes a moment to see that they are gone
        time.sleep(0.02)


@pytest.mark.parametrize(("soft", "hard", "asked", "room"), [
    (1024, 4096, [1156], 1000), (4096, 4096, [], 1000), (-1, -1, [], 1000), (1024, -1, [1156], 1000),
    (256, 256, [], 100), (100, 256, [256], 100), (64, 64, [], 1),
])  # fmt: skip
def test_there_are_files_for_so_many_connections(monkeypatch, soft, hard, asked, room):
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert server.room_for_connections(1) == room and limits == [(most, hard) for most in asked]


def test_a_request_that_says_that_it_is_too_large_is_refused_before_it_is_sent(address, monkeypatch):
    monkeypatch.setattr(guard, "LINGER_S", 0.1)
    headers = HEAD + b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % (MAX_BYTES + AROUND_BYTES + 1)
    answer = exchange(address, headers)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"image_too_large" in answer and b"100 Continue" not in answer


def test_one_that_is_not_too_large_is_asked_to_go_on(address):
    body = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n\xff\xd8\r\n--x--\r\n'
    headers = HEAD + b"connection: close\r\ncontent-length: %d\r\nexpect: 100-continue\r\n\r\n" % len(body)
    answer = exchange(address, headers, body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n") and b"HTTP/1.1 200 OK" in answer


def test_a_client_that_sends_on_gets_to_read_why_it_was_refused(address):
    """Ten megabytes are more than any socket keeps: left unread, the answer would be lost with the connection."""
    answer = exchange(address, HEAD + b"content-length: 10000000\r\n\r\n", *[bytes(100_000)] * 100)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"image_too_large" in answer


def test_a_body_in_chunks_is_cut_off_at_the_limit(address):
    part = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    chunks = [b"%x\r\n%s\r\n" % (len(data), data) for data in (part, *[bytes(50_000)] * 40)]
    answer = exchange(address, HEAD + b"transfer-encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ") and b"image_too_large" in answer


@pytest.mark.parametrize(("before", "said"), [(b"", b""), (b"", HEAD),
                                              (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", HEAD)])
def test_who_does_not_say_what_is_asked_is_hung_up_on(address, monkeypatch, before, said):
    """With nothing said; with half a request; with half a request after one that was answered."""
    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    with socket.create_connection(address, timeout=30) as connection:
        if before:
            connection.sendall(before)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(said)
        assert rest_of(connection).count(b"HTTP/1.1") == 0


def rest_of(connection):
    """What is still answered, until the connection ends or is broken."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while got := connection.recv(1_000_000):
            answer += got
    return answer


def test_who_takes_no_answer_is_hung_up_on(make_service, serve_in_thread, monkeypatch):
    monkeypatch.setattr(server, "STALLED_S", 0.3)
    service = make_service()
    size, plain = 20_000_000, service.pool.answer
    service.pool.answer = lambda asked: with_message(plain(asked), "x" * size)
    body = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n\xff\xd8\r\n--x--\r\n'
    with socket.create_connection(serve_in_thread(service), timeout=30) as connection:
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(12) == b"HTTP/1.1 200"
        end = time.monotonic() + 30
        while service.server.server_state.connections:
            assert time.monotonic() < end, "it waits for ever"
            time.sleep(0.02)
        assert len(rest_of(connection)) < size


def with_message(answered, message):
    answered.answer["warnings"] = [{"code": "blurred", "message": message}]
    return answered


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/9\r\n\r\n",
                                     b"A" * 100_000 + b"\r\n\r\n"])
def test_what_is_no_http_is_refused_and_the_next_is_answered(address, rubbish):
    assert exchange(address, rubbish).startswith(b"HTTP/1.1 400 ")
    assert exchange(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").endswith(b"alive\"}")
