"""A server under limits: of bytes, time, memory, heads; every refusal is JSON that says why."""

import gzip
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.errors import StoreBusy, StoreError, StoreFull
from gatewatch.web import body as bodies
from gatewatch.web import server as serving
from web.serving import Served, a_trace, frames, served, stretch


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found
        assert found.host.held.now == 0


HEAD = (
    "POST /v1/segments HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
    "content-type: application/x-ndjson\r\nx-gatewatch-segment: m/1-a-0.seg\r\nx-gatewatch-stretch: 0-9\r\n"
)


def sent(server: Served, head: str, body: bytes = b"") -> bytes:
    """What a server says to some bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(head.format(token=server.token()).encode() + body)
        return raw.makefile("rb").read()


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(server: Served) -> None:
    said = sent(server, HEAD + "content-length: 100000000\r\nconnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413 ") and b'{"error":"the body is longer than 1,000,000 bytes"' in said


def test_so_is_one_that_does_not_say_how_long_it_is(server: Served) -> None:
    with server.client(server.token()) as client:
        data = b"x" * 10_000
        said = client.post("/v1/segments", content=(data for _ in range(200)), headers=_stretched())
        assert said.status_code == 413


def _stretched(**more: str) -> dict[str, str]:
    return {
        "content-type": "application/x-ndjson",
        "x-gatewatch-segment": "m/1-a-0.seg",
        "x-gatewatch-stretch": "0-9",
        **more,
    }


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(bytes(2_000_000)), 413),
        ("gzip", gzip.compress(b"abc", mtime=0)[:-3], 400),
        ("gzip", b"abc", 400),
        ("gzip", b"", 400),
        ("deflate", b"abc", 400),
        ("br", b"abc", 415),
        ("gzip, gzip", b"abc", 415),
        ("identity", b"abc", 400),
    ],
)
def test_what_does_not_unpack_is_refused(server: Served, encoding: str, body: bytes, status: int) -> None:
    with server.client(server.token()) as client:
        said = client.post("/v1/segments", content=body, headers=_stretched(**{"content-encoding": encoding}))
        assert said.status_code == status and said.json()["error"], said.text


def test_a_body_that_comes_too_slowly_is_refused(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.05)
    said = sent(server, HEAD + "content-length: 100\r\n\r\n", b"abc")
    assert said.startswith(b"HTTP/1.1 408 ") and b"connection: close" in said and b"within 0.05 s" in said


def test_a_head_that_comes_too_slowly_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_HEAD_S", 0.05)
    with served(tmp_path) as server:
        assert sent(server, "") == sent(server, "GET /healthz HTTP/1.1\r\nho") == b""
        with server.client() as client:
            assert client.get("/healthz").status_code == 200


def test_a_body_that_is_cut_off_harms_nobody(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall((HEAD.format(token=server.token()) + "content-length: 100\r\n\r\nabc").encode())
    with server.client(server.token()) as client:
        assert stretch(client, frames(a_trace("a"))).status_code == 200


def test_more_than_there_is_room_for_is_refused_until_there_is(server: Served) -> None:
    room = server.host.held.most - 10
    server.host.held.take(room)
    with server.client(server.token()) as client:
        said = stretch(client, frames(a_trace("a")))
        assert (said.status_code, said.headers["retry-after"]) == (503, "2") and "room for" in said.json()["error"]
        server.host.held.give(room)
        assert stretch(client, frames(a_trace("a"))).status_code == 200
    with server.client(server.token("read")) as client:
        assert 'gatewatch_refused_total{reason="no room"} 1' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("error", "after"), [(StoreBusy("x"), "2"), (StoreFull("x"), "30"), (StoreError("secret path"), "2")]
)
def test_a_store_that_cannot_be_used_is_told_and_nothing_is_acknowledged(
    server: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, after: str
) -> None:
    with server.client(server.token("admin")) as client:
        stretch(client, frames(a_trace("a")))
        (opened,) = server.host.open_now()

        def fails(*_: Any) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(opened.writer._store, "take_in", fails)
            said = stretch(client, frames(a_trace("b")), segment="m/1-b-0.seg")
            assert (said.status_code, said.headers["retry-after"]) == (503, after) and "secret" not in said.text
            assert client.post("/v1/feedback", json={"trace": "a", "thumbs": "up"}).status_code == 503
        assert stretch(client, frames(a_trace("b")), segment="m/1-b-0.seg").status_code == 200
        assert len(client.get("/v1/traces").json()["traces"]) == 2


def test_a_fault_of_ours_is_told_as_one_that_may_pass(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.client(server.token("admin")) as client:
        stretch(client, frames(a_trace("a")))
        (opened,) = server.host.open_now()
        monkeypatch.setattr(opened.store, "works", lambda: 1 / 0)
        said = client.get("/v1/trends")
        assert (said.status_code, said.headers["retry-after"]) == (503, "2")
        assert said.json() == {"error": "this is a fault of gatewatch: ZeroDivisionError"}


def test_what_is_not_there_is_told_in_json(server: Served) -> None:
    with server.client() as client:
        assert client.get("/nothing").json() == {"error": "Not Found"}
        said = client.get("/v1/segments")
        assert (said.status_code, said.json(), said.headers["allow"]) == (405, {"error": "Method Not Allowed"}, "POST")
        assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "query.limit"),
        ("limit=x", "query.limit"),
        ("limit=501", "query.limit"),
        ("since=nan", "query.since"),
        ("since=inf", "query.since"),
        ("since=-1", "query.since"),
        ("cursor=99999999999999999999", "query.cursor"),
        ("mark=x", "query.mark"),
        ("flow=" + "x" * 401, "query.flow"),
    ],
)
def test_a_query_that_makes_no_sense_is_told_where(server: Served, query: str, where: str) -> None:
    with server.client(server.token("read")) as client:
        said = client.get(f"/v1/traces?{query}")
        assert (said.status_code, said.json()["where"]) == (422, where)


def test_a_head_that_is_too_long_is_refused(server: Served) -> None:
    with server.client() as client:
        assert client.get("/healthz", headers={"x": "a" * 100_000}).status_code in (400, 431)


def test_what_is_under_way_when_the_server_ends_is_kept_and_acknowledged(tmp_path: Path) -> None:
    """It stops listening, and ends once all that was being received is committed."""
    got: list[int] = []
    with served(tmp_path) as server:
        with server.client(server.token("admin")) as client:
            stretch(client, frames(a_trace("a")))
        (opened,) = server.host.open_now()
        writing, ending = threading.Event(), threading.Event()
        kept = opened.writer._store.take_in

        def slow(*given: Any) -> Any:
            writing.set()
            ending.wait()
            return kept(*given)

        opened.writer._store.take_in = slow  # type: ignore[method-assign, assignment]

        def send() -> None:
            with server.client(server.token()) as client:
                got.append(stretch(client, frames(a_trace("b")), segment="m/1-b-0.seg").status_code)

        sending = threading.Thread(target=send)
        sending.start()
        writing.wait()
        threading.Timer(0.2, ending.set).start()
    sending.join()
    assert got == [200]
