"""A server on PostgreSQL: the same answers, each project in a schema of its own, and two servers on one database."""

from contextlib import ExitStack
from pathlib import Path

from gatewatch.core.clock import wall
from gatewatch.online.settle import settle
from store.postgres import server as postgres
from web.serving import TOML, a_trace, frames, served, stretch


def test_two_servers_on_one_database_keep_what_comes_once(tmp_path: Path) -> None:
    address = postgres().new_database()
    toml = TOML.replace('name = "bot"', f'name = "bot"\nstore = "{address}"')
    with ExitStack() as stack:
        folders = [tmp_path / name for name in "ab"]
        for each in folders:
            each.mkdir()
        one, other = (stack.enter_context(served(each, toml)) for each in folders)
        token = one.token("admin")
        data = frames(a_trace("a"), a_trace("b"))
        span = {"traceId": "c" * 32, "spanId": "d" * 16, "name": "x"}
        for number, server in enumerate((one, other, one)):
            with server.client(token) as client:
                assert client.get("/readyz").status_code == 200
                assert stretch(client, data).json()["requests"] == (0 if number else 2)
                sent = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
                assert client.post("/v1/traces", json=sent).status_code == 200
                told = {"id": "f1", "trace": "a", "thumbs": "up"}
                assert client.post("/v1/feedback", json=told).status_code == 201
        for server in (one, other):
            opened = next(each for each in server.host.open_now() if each.name == "bot")
            settle(opened.store, server.host.ways, clock=lambda: wall() + 1000)
        with other.client(token) as client:
            assert sorted(row["id"] for row in client.get("/v1/traces").json()["traces"]) == ["a", "b", "c" * 32]
            assert len(client.get("/v1/traces/a").json()["scores"]) == 1
        with other.client(one.token("admin", "shop")) as client:
            assert client.get("/v1/traces").json()["traces"] == []
            assert client.get("/v1/traces/a").status_code == 404
