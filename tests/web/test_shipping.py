"""`gatewatch ship` and the server agree on what was taken, whatever either of them forgot."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.traffic import traffic
from gatewatch.online import ship as shipping
from gatewatch.online.segments import segments
from gatewatch.store.open import open_store
from web.serving import Served, served, stretch


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


def send(folder: Path, client: httpx.Client) -> int:
    return shipping.ship(folder, client, source="here", wait=lambda seconds: None, tries=3).records


def stored(folder: Path) -> dict[str, int]:
    store = open_store(folder / ".gatewatch" / "gatewatch.db", project="bot")
    try:
        return {"requests": store.counts().traces, "lost": sum(store.counts().losses.values())}
    finally:
        store.close()


def test_all_of_a_spool_arrives(server: Served, tmp_path: Path) -> None:
    traffic(tmp_path, 40)
    spool = tmp_path / ".gatewatch" / "spool"
    with server.client(server.token()) as client:
        assert send(spool, client) == 42  # two thumbs
    assert segments(spool) == []
    assert stored(tmp_path) == {"requests": 40, "lost": 0}


@pytest.mark.parametrize("most", [1500, 4000])
def test_what_either_forgot_is_found_again(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(shipping, "_MOST_BYTES", most)
    traffic(tmp_path, 40)
    spool = tmp_path / ".gatewatch" / "spool"
    (segment,) = segments(spool)
    begin = segment.read_bytes()[:5000]
    begin = begin[: begin.rfind(b"\n") + 1]
    with server.client(server.token()) as client:
        # The server has some of it, and we do not know: our stretches would begin within what it has.
        assert stretch(client, begin, segment=f"here/{segment.name}").status_code == 200
        send(spool, client)
    assert stored(tmp_path) == {"requests": 40, "lost": 0}


def test_a_server_that_was_restored_is_sent_what_it_lacks(server: Served, tmp_path: Path) -> None:
    traffic(tmp_path, 40)
    spool = tmp_path / ".gatewatch" / "spool"
    (segment,) = segments(spool)
    shipping._keep(spool, {segment.name: segment.read_bytes().find(b"\n", 8000) + 1})
    with server.client(server.token()) as client:
        send(spool, client)
    assert stored(tmp_path) == {"requests": 40, "lost": 0}


def test_a_server_that_cannot_mean_this_segment_is_not_followed(server: Served, tmp_path: Path) -> None:
    traffic(tmp_path, 5)
    spool = tmp_path / ".gatewatch" / "spool"
    (segment,) = segments(spool)
    with server.client(server.token()) as client:
        data = segment.read_bytes()
        headers = {"x-gatewatch-stretch": f"0-{len(data) * 2}"}
        assert stretch(client, data[: data.find(b"\n") + 1], segment=f"here/{segment.name}", more=headers).is_success
        shipping._keep(spool, {segment.name: len(data[: data.find(b"\n") + 1])})
        send(spool, client)  # what the server has already is acknowledged
    assert segments(spool) == []


def test_a_project_s_token_that_may_not_send_is_told(server: Served, tmp_path: Path) -> None:
    traffic(tmp_path, 5)
    spool = tmp_path / ".gatewatch" / "spool"
    with server.client(server.token("read")) as client, pytest.raises(shipping.Refused, match="status 403"):
        send(spool, client)
    assert len(segments(spool)) == 1
