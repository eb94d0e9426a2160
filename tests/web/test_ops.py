"""Whether a server lives, is ready, and what it counts; and what it says of itself in OpenAPI."""

import re
import threading
from pathlib import Path

import pytest

from gatewatch.core.errors import StoreBusy
from gatewatch.store.open import open_database
from web.serving import a_trace, frames, served, stretch


def test_a_store_of_a_later_version_is_refused_by_name(tmp_path: Path) -> None:
    with served(tmp_path) as server, server.client(server.token("admin")) as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        server.host.base().execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
        said = client.get("/readyz")
        assert said.status_code == 503 and "schema 99" in said.json()["error"] and "retry-after" in said.headers
        assert str(tmp_path) not in said.text, "anybody may ask"
        assert client.get("/healthz").status_code == 200


def test_a_server_starts_though_its_store_cannot_be_used_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewatch.web import app

    monkeypatch.setattr(app, "_OPEN_AGAIN_S", 0.01)
    with served(tmp_path) as server, server.client(server.token("admin")) as client:
        base = server.host.base
        there, opened = threading.Event(), base._open
        tried = []

        def closed() -> object:
            tried.append(1)
            if not there.is_set():
                raise StoreBusy("nobody answers")
            return opened()

        base.close()
        base._open = closed  # type: ignore[assignment]
        said = client.get("/readyz")
        assert said.status_code == client.get("/v1/traces").status_code == 503 and "nobody answers" not in said.text
        there.set()
        assert client.get("/readyz").status_code == client.get("/v1/traces").status_code == 200
        assert len(tried) == 3


def test_what_it_counts_is_text_that_prometheus_reads(tmp_path: Path) -> None:
    with served(tmp_path) as server, server.client(server.token("admin")) as client:
        stretch(client, frames(a_trace("a"), a_trace("b"), ("loss", {"reasons": {'odd "reason"\n': 2}})))
        stretch(client, frames(a_trace("c")), 5)
        client.post("/v1/feedback", json={"trace": "a", "thumbs": "up"})
        with server.client() as nobody:
            nobody.get("/v1/traces")
        said = client.get("/metrics")
    assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? [0-9.e+-]+')
    lines = said.text.splitlines()
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines), said.text
    assert 'gatewatch_stored_total{project="bot",kind="request"} 2' in lines
    assert 'gatewatch_refused_total{reason="no token"} 1' in lines
    assert 'gatewatch_lost_total{project="bot",reason="odd \\"reason\\"\\n"} 2' in lines
    assert 'gatewatch_commit_seconds_bucket{project="bot",le="+Inf"} 3' in lines
    assert 'gatewatch_commit_seconds_count{project="bot"} 3' in lines
    assert any(line.startswith('gatewatch_settle_lag_seconds{project="bot"} ') for line in lines)


def test_every_route_is_described_and_nothing_is_fetched_from_elsewhere(tmp_path: Path) -> None:
    with served(tmp_path) as server, server.client() as client:
        document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        *("/v1/traces", "/v1/logs", "/v1/metrics", "/api/public/otel/v1/traces", "/v1/segments", "/v1/feedback"),
        *("/v1/traces/{trace}", "/v1/trends", "/v1/costs", "/v1/workers", "/healthz", "/readyz", "/metrics"),
        *("/v1/runs", "/v1/runs/{run}", "/v1/runs/{run}/parts/{part}", "/v1/runs/{run}/done"),
        *("/v1/compare", "/v1/compare/matrix", "/v1/compare/case/{case}", "/v1/failures", "/v1/failures/{number}"),
        *("/v1/alerts", "/v1/alerts/{number}", "/v1/marks", "/v1/changes", "/v1/changes/{number}/state"),
        *("/v1/monitor", "/v1/overview"),
    }
    assert set(document["paths"]["/v1/traces"]) == {"get", "post"}
    assert document["components"]["schemas"]["Told"]["additionalProperties"] is False
    assert document["paths"]["/healthz"]["get"]["security"] == []


def test_a_log_has_no_token_in_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0), served(tmp_path) as server:
        token = server.token("read")
        with server.client(token) as client:
            client.get("/v1/traces")
            client.get("/v1/traces?limit=x")
            client.get("/v1/traces", headers={"authorization": "Bearer gw_r_wrong"})
        assert token.rpartition("_")[2] not in "".join(
            each.getMessage() for each in caplog.records if not each.name.startswith(("httpx", "httpcore"))
        )


def test_each_project_has_a_store_of_its_own(tmp_path: Path) -> None:
    with served(tmp_path) as server, server.client(server.token("admin", "shop")) as client:
        stretch(client, frames(a_trace("a")))
    address = tmp_path / ".gatewatch" / "gatewatch.db"
    for project, number in (("bot", 0), ("shop", 1)):
        db = open_database(address, project=project)
        assert db.execute("SELECT count(*) FROM trace")[0][0] == number
        db.close()
