"""The client of the load test against the application: what arrives, what it is told, connections that end."""

from functools import partial

from deploy.load import client
from deploy.load.client import BROKEN, Caller, Loop, figures, request_of
from deploy.load.phases import _workers_of
from deploy.service.pool import QueueFull


def test_a_photo_arrives_whole_and_statuses_are_told(service, serve_in_thread, tmp_path):
    path = tmp_path / "one.jpg"
    path.write_bytes(bytes(range(256)) * 1000 + b"\r\n--")
    caller, request = Caller(serve_in_thread(service)), request_of(path)
    assert caller.ask(request) == (200, None)
    (asked,) = service.pool.asked
    assert (asked.name, asked.data) == ("one.jpg", path.read_bytes())

    def full(asked):
        raise QueueFull

    service.pool.answer = full
    assert caller.ask(request) == (503, "2")
    caller.close()


def test_a_connection_is_kept_and_made_anew_where_it_was_idle_or_ended(service, serve_in_thread, tmp_path, monkeypatch):
    path = tmp_path / "one.jpg"
    path.write_bytes(b"photo")
    caller, request = Caller(serve_in_thread(service)), request_of(path)
    places = []
    for _ in range(2):
        assert caller.ask(request) == (200, None)
        places.append(caller._connection.sock.getsockname())
    monkeypatch.setattr(client, "MAX_IDLE_S", -1.0)  # idle for long, whenever it was used
    assert caller.ask(request) == (200, None)
    places.append(caller._connection.sock.getsockname())
    assert places[0] == places[1] != places[2]
    service.server.should_exit = True
    while caller.ask(request) != (BROKEN, None):
        pass


def test_the_load_test_waits_for_every_worker(service, serve_in_thread):
    address = serve_in_thread(service)
    for alive in (1, 2):
        service.pool.alive = alive
        assert _workers_of(address) == alive
    assert _workers_of(("127.0.0.1", 1)) == 0


def test_a_loop_counts_what_the_service_refuses(make_service, serve_in_thread, tmp_path):
    service = make_service()
    service.pool.is_full = True
    path = tmp_path / "one.jpg"
    path.write_bytes(b"photo" * 1000)
    address = serve_in_thread(service)
    told = figures(Loop(partial(Caller, address), [request_of(path)], 0).open([0.0, 0.01, 0.02]))
    assert (told["refused"], told["retry_after"], told["other_statuses"]) == (3, ["2"], {})
