"""Stretches of segments over HTTP: stored before they are acknowledged, each once, in their order."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatewatch.store.open import open_store
from web.serving import Served, a_trace, frames, served, stretch


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


def stored(folder: Path, project: str = "bot") -> list[str]:
    store = open_store(folder / ".gatewatch" / "gatewatch.db", project=project)
    try:
        return sorted(row.id for row in store.latest(most=10_000))
    finally:
        store.close()


def test_what_is_acknowledged_is_stored(server: Served, tmp_path: Path) -> None:
    data = frames(a_trace("a"), a_trace("b"), ("loss", {"reasons": {"queue full": 3}}))
    with server.client(server.token()) as client:
        said = stretch(client, data)
        assert (said.status_code, said.json()) == (200, {"taken": len(data), "requests": 2, "repeated": 0})
    assert stored(tmp_path) == ["a", "b"]


def test_a_stretch_that_comes_again_is_kept_once_and_acknowledged(server: Served, tmp_path: Path) -> None:
    data = frames(a_trace("a"), ("loss", {"reasons": {"queue full": 3}}))
    with server.client(server.token()) as client:
        for _ in range(3):
            assert stretch(client, data).status_code == 200
        packed = gzip.compress(data)
        headers = {"content-encoding": "gzip", "x-gatewatch-stretch": f"0-{len(data)}"}
        assert stretch(client, packed, more=headers).status_code == 200
    store = open_store(tmp_path / ".gatewatch" / "gatewatch.db", project="bot")
    assert (store.counts().traces, store.counts().losses) == (1, {"queue full": 3})
    store.close()


@pytest.mark.parametrize("begins", [1, 100_000])
def test_a_stretch_that_begins_elsewhere_is_told_where_the_segment_goes_on(
    server: Served, tmp_path: Path, begins: int
) -> None:
    first, second = frames(a_trace("a")), frames(a_trace("b"), a_trace("c"))
    with server.client(server.token()) as client:
        assert stretch(client, first).status_code == 200
        said = stretch(client, second, begins)
        assert (said.status_code, said.json()["expected"]) == (409, len(first))
        assert stored(tmp_path) == ["a"]
        assert stretch(client, second, len(first)).status_code == 200
    assert stored(tmp_path) == ["a", "b", "c"]


def test_segments_of_two_machines_and_of_two_projects_are_apart(server: Served, tmp_path: Path) -> None:
    ours, theirs = server.token(), server.token(project="shop")
    with server.client(ours) as one, server.client(theirs) as other:
        assert stretch(one, frames(a_trace("a")), segment="web-1/1-a-0.seg").status_code == 200
        assert stretch(one, frames(a_trace("b")), segment="web-2/1-a-0.seg").status_code == 200
        assert stretch(other, frames(a_trace("c")), segment="web-1/1-a-0.seg").status_code == 200
    assert stored(tmp_path) == ["a", "b"]
    assert stored(tmp_path, "shop") == ["c"]


def test_what_many_send_at_once_is_all_there(server: Served, tmp_path: Path) -> None:
    with server.client(server.token()) as client, ThreadPoolExecutor(8) as threads:

        def send(number: int) -> int:
            return stretch(client, frames(a_trace(f"{number}")), segment=f"m{number}/1-a-0.seg").status_code

        assert set(threads.map(send, range(100))) == {200}
    assert len(stored(tmp_path)) == 100


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({"x-gatewatch-segment": "1-a-0.seg"}, "x-gatewatch-segment"),
        ({"x-gatewatch-segment": "a/../../b.seg"}, "x-gatewatch-segment"),
        ({"x-gatewatch-stretch": "5-5"}, "x-gatewatch-stretch"),
        ({"x-gatewatch-stretch": "-1-5"}, "x-gatewatch-stretch"),
        ({"x-gatewatch-stretch": ""}, "x-gatewatch-stretch"),
    ],
)
def test_a_place_that_is_none_is_refused(server: Served, headers: dict[str, str], where: str) -> None:
    with server.client(server.token()) as client:
        said = stretch(client, frames(a_trace("a")), more=headers)
        assert (said.status_code, said.json()["where"]) == (400, where)


def test_a_batch_with_a_damaged_record_is_refused_whole(server: Served, tmp_path: Path) -> None:
    data = frames(a_trace("a")) + frames(a_trace("b")).replace(b'"q"', b'"x"')
    with server.client(server.token()) as client:
        said = stretch(client, data)
        assert (said.status_code, said.json()) == (400, {"error": "line 2 is no whole record", "where": "body"})
        later = stretch(client, frames(("segment", {"kind": "gatewatch.segment", "version": 99})))
        assert later.status_code == 400 and "of format 99" in later.json()["error"]
        assert stretch(client, frames(a_trace("a"))).status_code == 200
    assert stored(tmp_path) == ["a"]


def test_what_comes_is_redacted_before_it_is_stored(server: Served, tmp_path: Path) -> None:
    with server.client(server.token()) as client:
        stretch(client, frames(a_trace("a", input="write to mia@example.com")))
    store = open_store(tmp_path / ".gatewatch" / "gatewatch.db", project="bot")
    row = store.find("a")
    assert row is not None
    assert b'"write to [email]"' in (store.payload(row.seq) or b"")
    store.close()
