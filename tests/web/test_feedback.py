"""Feedback over HTTP: kept once, write-only, from origins that may, and not too often."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.people import hashed
from web.serving import TOML, Served, a_trace, frames, served, stretch

ORIGIN = {"origin": "https://app.example"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        with found.client(found.token()) as client:
            stretch(client, frames(a_trace("a", external_id="m1")))
        yield found


def scores(server: Served, name: str = "a") -> list[dict[str, Any]]:
    with server.client(server.token("read")) as client:
        found: list[dict[str, Any]] = client.get(f"/v1/traces/{name}").json()["scores"]
        return found


def test_it_is_kept_with_its_request(server: Served) -> None:
    with server.client(server.token("feedback")) as client:
        said = client.post("/v1/feedback", json={"trace": "a", "thumbs": "down", "comment": "call mia@example.com"})
        assert said.status_code == 201
        assert client.post("/v1/feedback", json={"external_id": "m1", "rating": 4}).status_code == 201
        assert client.post("/v1/feedback", json={"trace": "a", "event": "copy", "value": 12}).status_code == 201
        assert client.post("/v1/feedback", json={"trace": "later", "thumbs": "up"}).status_code == 201
    found = {each["name"]: each for each in scores(server)}
    assert {name: each["value"] for name, each in found.items()} == {"thumbs": 0.0, "rating": 0.75, "copied": 1.0}
    assert "mia@example.com" not in found["thumbs"]["explanation"]
    with server.client(server.token("read")) as client:
        assert client.get("/v1/traces/a").json()["row"]["marks"] == ["thumbs_down", "copied"]
        assert [each["id"] for each in client.get("/v1/traces?mark=copied").json()["traces"]] == ["a"]


def test_who_said_it_is_kept_as_capture_keeps_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWATCH_USER_KEY", "k")
    with served(tmp_path) as server:
        with server.client(server.token()) as client:
            stretch(client, frames(a_trace("a", user=hashed("bob", b"k"))))
        with server.client(server.token("feedback")) as client:
            assert client.post("/v1/feedback", json={"trace": "a", "thumbs": "up", "user": "mia"}).status_code == 201
            assert client.post("/v1/feedback", json={"trace": "a", "rating": 2}).status_code == 201
        assert {each["name"]: each["author"] for each in scores(server)} == {
            "thumbs": hashed("mia", b"k"),
            "rating": "",
        }


def test_with_an_id_it_is_one_however_often_it_comes(server: Served) -> None:
    token = server.token("feedback")
    with server.client(token) as client:
        for thumbs in ("up", "down"):
            said = client.post("/v1/feedback", json={"id": "f1", "trace": "a", "thumbs": thumbs})
            assert (said.status_code, said.json()) == (201, {"id": "f1"})
    assert [each["value"] for each in scores(server)] == [1.0]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b'{"x":' + b"[" * 10_000, 422, ""),
        (b"[]", 422, "Expected `object`"),
        (b'{"thumbs":"up"}', 422, "names no request"),
        (b'{"trace":"a"}', 422, "says nothing"),
        (b'{"trace":"a","thumbs":"sideways"}', 422, "body.thumbs"),
        (b'{"trace":"a","rating":6}', 422, "body.rating"),
        (b'{"trace":"a","rating":NaN}', 400, "not JSON"),
        (b'{"trace":"a","rating":1e999}', 422, "body.rating"),
        (b'{"trace":"a","score":1}', 422, "score"),
        (b'{"trace":"' + b"a" * 401 + b'","thumbs":"up"}', 422, "body.trace"),
        (b'{"trace":"a","comment":"' + b"a" * 20_000 + b'"}', 413, "longer than 20,000 bytes"),
    ],
)
def test_what_is_wrong_is_told(server: Served, body: bytes, status: int, said: str) -> None:
    with server.client(server.token("feedback")) as client:
        got = client.post("/v1/feedback", content=body, headers={"content-type": "application/json"})
        assert (got.status_code, said in " ".join(got.json().values())) == (status, True), got.text
    assert scores(server) == []


def test_a_browser_may_where_its_page_may(server: Served) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}
    with server.client() as client:
        said = client.options("/v1/feedback", headers=ORIGIN | asked)
        assert said.status_code == 204
        assert said.headers["access-control-allow-origin"] == "https://app.example"
        assert said.headers["access-control-allow-headers"] == "authorization, content-type"
        assert client.options("/v1/feedback", headers={"origin": "https://evil.example"} | asked).status_code == 403
        assert "access-control-allow-origin" not in client.options("/v1/traces", headers=ORIGIN | asked).headers
    with server.client(server.token("feedback")) as client:
        told = {"trace": "a", "thumbs": "up"}
        said = client.post("/v1/feedback", json=told, headers=ORIGIN)
        assert (said.status_code, said.headers["access-control-allow-origin"]) == (201, "https://app.example")
        for origin in ("https://evil.example", "https://app.example.evil.example", "null", "http://[x"):
            assert client.post("/v1/feedback", json=told, headers={"origin": origin}).status_code == 403
        said = client.post("/v1/feedback", json={}, headers=ORIGIN)
        assert (said.status_code, said.headers["access-control-allow-origin"]) == (422, "https://app.example")
        assert client.post("/v1/feedback", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


def test_behind_a_proxy_too_much_is_that_of_one_browser(tmp_path: Path) -> None:
    toml = TOML + "feedback_rate = 1\n"
    for proxies, statuses in ((("127.0.0.0/8",), [201, 201, 429]), ((), [201, 429, 429])):
        with served(tmp_path, toml, proxies=proxies) as server, server.client(server.token("feedback")) as client:
            told = {"trace": "a", "thumbs": "up"}
            addresses = ("192.0.2.1", "192.0.2.2", "192.0.2.1")
            got = [client.post("/v1/feedback", json=told, headers={"x-forwarded-for": each}) for each in addresses]
            assert [each.status_code for each in got] == statuses


def test_there_may_be_too_much_of_it(tmp_path: Path) -> None:
    toml = TOML + "feedback_rate = 5\nfeedback_total = 8\n"
    with served(tmp_path, toml) as server, server.client(server.token("feedback")) as client:
        got = [client.post("/v1/feedback", json={"trace": "a", "thumbs": "up"}) for _ in range(7)]
        assert [each.status_code for each in got] == [201] * 5 + [429] * 2
        assert 1 <= int(got[-1].headers["retry-after"]) <= 20
