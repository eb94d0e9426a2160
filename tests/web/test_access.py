"""Who may do what: no token, a wrong one, one of another role or project; open servers; hosts that are not meant."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewatch.core.clock import wall
from gatewatch.store import access
from gatewatch.store.access import Role
from gatewatch.web import visitors
from web.serving import Served, a_trace, frames, served, stretch


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


READS = ("/v1/traces", "/v1/traces/a", "/v1/trends", "/v1/monitor", "/v1/costs", "/v1/workers", "/metrics")
SENDS = ("/v1/segments", "/v1/feedback")


def test_nothing_but_health_is_told_without_a_token(server: Served) -> None:
    wrong = "gw_i_0123456789_" + "0" * 64
    with server.client() as client:
        for path in READS:
            for headers in ({}, {"authorization": f"Bearer {wrong}"}, {"authorization": "Basic !!"}):
                said = client.get(path, headers=headers)
                assert (said.status_code, said.headers["content-type"]) == (401, "application/json"), path
                assert "www-authenticate" in said.headers
        for path in SENDS:
            said = client.post(path, json={"trace": "a", "thumbs": "up"})
            assert said.status_code == 401 and wrong not in said.text
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("ingest", {"/v1/segments", "/v1/feedback"}),
        ("feedback", {"/v1/feedback"}),
        ("read", set(READS)),
        ("review", set(READS)),
        ("admin", {*READS, *SENDS}),
    ],
)
def test_a_role_may_do_what_it_is_for_and_nothing_else(server: Served, role: Role, may: set[str]) -> None:
    with server.client(server.token("admin")) as client:
        assert stretch(client, frames(a_trace("a"))).status_code == 200
    with server.client(server.token(role)) as client:
        got = {path: client.get(path).status_code for path in READS}
        got["/v1/segments"] = stretch(client, frames(a_trace("b"))).status_code
        got["/v1/feedback"] = client.post("/v1/feedback", json={"trace": "a", "thumbs": "up"}).status_code
    assert {path for path, status in got.items() if status != 403} == may
    assert all(got[path] in (200, 201, 409) for path in may), got


def test_a_project_sees_nothing_of_another(server: Served) -> None:
    with server.client(server.token("ingest")) as ours:
        stretch(ours, frames(a_trace("a", external_id="m1")))
    with server.client(server.token("admin", "shop")) as theirs:
        assert theirs.get("/v1/traces").json() == {"traces": [], "next": None}
        assert theirs.get("/v1/traces/a").status_code == theirs.get("/v1/traces/m1").status_code == 404
        assert theirs.get("/v1/trends").json()["flows"] == []
        assert "bot" not in theirs.get("/metrics").text


def test_a_token_that_was_revoked_is_good_for_nothing(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "KNOWN_S", 0.0)
    token = server.token("read")
    with server.client(token) as client:
        assert client.get("/v1/traces").status_code == 200
        access.revoke(server.host.base(), token, wall())
        said = client.get("/v1/traces")
        assert (said.status_code, said.json()["error"]) == (401, "the token was revoked")


def test_a_password_will_do_for_a_token(server: Served) -> None:
    basic = base64.b64encode(f"pk-any:{server.token('read')}".encode()).decode()
    with server.client() as client:
        assert client.get("/v1/traces", headers={"authorization": f"Basic {basic}"}).status_code == 200


def test_an_open_server_is_open_until_there_is_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "KNOWN_S", 0.0)
    with served(tmp_path, open_="untokened") as server, server.client() as client:
        assert stretch(client, frames(a_trace("a"))).status_code == 200
        assert client.get("/v1/traces/a").status_code == 200
        server.token()
        assert client.get("/v1/traces/a").status_code == 401


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.:1"])
def test_a_name_that_was_made_to_mean_this_machine_is_refused(server: Served, name: str) -> None:
    with server.client(server.token("read")) as client:
        assert client.get("/healthz", headers={"host": name}).status_code == 421
        for good in (f"localhost:{server.port}", "[::1]:5", "LOCALHOST"):
            assert client.get("/healthz", headers={"host": good}).status_code == 200


def test_a_server_that_others_reach_answers_to_any_name(tmp_path: Path) -> None:
    with served(tmp_path, names=None) as server, server.client() as client:
        assert client.get("/healthz", headers={"host": "gatewatch.example"}).status_code == 200


def test_reading_what_was_said_is_noted(server: Served) -> None:
    token = server.token("read")
    with server.client(server.token()) as client:
        stretch(client, frames(a_trace("a", external_id="m1"), a_trace("b")))
    with server.client(token) as client:
        client.get("/v1/traces")
        client.get("/v1/traces/none")
        assert client.get("/v1/traces/m1").json()["trace"]["input"] == "q"
    (opened,) = server.host.open_now()
    noted = opened.store.audit(0.0, 10)
    assert [(each.who, each.action, each.what) for each in noted] == [(token.split("_")[2], "read", "a")]
