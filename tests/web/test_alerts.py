"""Alerts and markers over HTTP: read by who may read, turned by who may review, marked by who may send."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.store.access import Role
from gatewatch.store.watching import WatchStep
from online.receiving import an_alert
from web.serving import Served, served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        with closing(store_of(Project.open(tmp_path))) as store:
            for flow in ("support", "other"):
                store.stream(flow)  # it is watched
            alerts = (an_alert(1), replace(an_alert(2), flow="other"), an_alert(3))
            assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=alerts), wall())
        yield found


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with server.client(server.token("review")) as found:
        yield found


def audited(folder: Path) -> list[tuple[str, str, str]]:
    with closing(store_of(Project.open(folder))) as store:
        return [(each.who, each.action, each.what) for each in store.audit(0.0, 10)]


def test_what_is_open_is_listed_newest_first_in_pages(client: httpx.Client) -> None:
    told = client.get("/v1/alerts", params={"limit": 2}).json()
    assert (told["kind"], told["version"]) == ("gatewatch.alerts", 1)
    assert [each["id"] for each in told["alerts"]] == [3, 2]
    rest = client.get("/v1/alerts", params={"limit": 2, "cursor": told["next"]}).json()
    assert ([each["id"] for each in rest["alerts"]], rest["next"]) == ([1], None)
    assert [each["id"] for each in client.get("/v1/alerts?flow=other").json()["alerts"]] == [2]


def test_one_is_told_whole_without_a_secret_of_its_channels(client: httpx.Client) -> None:
    said = client.get("/v1/alerts/1")
    alert = said.json()["alert"]
    assert (alert["name"], alert["evidence"]["n"], alert["owner"]) == ("helpful", 412, "support team")
    assert alert["to"] == ["webhook:hooks.example/..."]
    assert "SECRET" not in said.text
    assert client.get("/v1/alerts/9").status_code == 404


def test_it_is_acknowledged_snoozed_resolved_and_opened_again_with_who_and_why(
    client: httpx.Client, tmp_path: Path
) -> None:
    turns: list[dict[str, Any]] = [
        {"state": "acknowledged"},
        {"state": "snoozed", "until": wall() + 3600, "reason": "known"},
        {"state": "resolved", "reason": "prompt put back"},
        {"state": "open"},
    ]
    for turn in turns:
        alert = client.post("/v1/alerts/1", json=turn).json()["alert"]
        assert (alert["state"], alert["reason"]) == (turn["state"], turn.get("reason", ""))
        assert alert["who"].startswith("token ")
        assert (alert["until"] is None) == (turn["state"] != "snoozed")
    assert [action for _, action, _ in audited(tmp_path)] == [
        "alert open",
        "alert resolved",
        "alert snoozed",
        "alert acknowledged",
    ]
    assert client.get("/v1/alerts?all=true").json()["alerts"][-1]["state"] == "open"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"state": "resolved"}, "body.reason"),
        ({"state": "snoozed"}, "body.until"),
        ({"state": "snoozed", "until": 5.0}, "body.until"),
        ({"state": "gone"}, "body.state"),
        ({"state": "open", "who": "me"}, "body"),
        ({"state": "open", "reason": "x" * 401}, "body.reason"),
        ([], "body"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(client: httpx.Client, body: Any, where: str) -> None:
    said = client.post("/v1/alerts/1", json=body)
    assert (said.status_code, said.json()["where"]) == (422, where)


def test_it_is_not_opened_beside_another_of_its_cause(client: httpx.Client, tmp_path: Path) -> None:
    client.post("/v1/alerts/1", json={"state": "resolved", "reason": "x"})
    with closing(store_of(Project.open(tmp_path))) as store:
        store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=(an_alert(1),)), wall())
    said = client.post("/v1/alerts/1", json={"state": "open"})
    assert (said.status_code, said.json()["error"]) == (
        409,
        "it stays resolved: another alert of the same cause is open",
    )


def test_a_page_of_another_origin_can_change_nothing_unasked(client: httpx.Client) -> None:
    said = client.post("/v1/alerts/1", content='{"state": "acknowledged"}', headers={"content-type": "text/plain"})
    assert said.status_code == 415


@pytest.mark.parametrize(
    ("role", "reads", "turns", "marks", "accepts"),
    [
        ("ingest", 403, 403, 201, 403),
        ("feedback", 403, 403, 403, 403),
        ("read", 200, 403, 403, 403),
        ("review", 200, 200, 201, 201),
        ("admin", 200, 200, 201, 201),
    ],
)
def test_who_may_do_what(server: Served, role: Role, reads: int, turns: int, marks: int, accepts: int) -> None:
    mark = {"flow": "support", "what": "prompt 4"}
    with server.client(server.token(role)) as client:
        assert client.get("/v1/alerts").status_code == client.get("/v1/marks").status_code == reads
        assert client.post("/v1/alerts/1", json={"state": "acknowledged"}).status_code == turns
        assert client.post("/v1/marks", json=mark).status_code == marks
        accepted = client.post("/v1/marks", json=mark | {"accepted": True, "reason": "asked for"})
        assert accepted.status_code == accepts


def test_without_a_token_nothing_is_told_or_changed(server: Served) -> None:
    with server.client() as client:
        for path in ("/v1/alerts", "/v1/alerts/1", "/v1/marks"):
            assert client.get(path).status_code == 401
        assert client.post("/v1/alerts/1", json={"state": "open"}).status_code == 401
        assert client.post("/v1/marks", json={"flow": "a", "what": "b"}).status_code == 401


def test_a_deploy_is_noted_now_or_when_it_was(server: Served, tmp_path: Path) -> None:
    with server.client(server.token("admin")) as client:
        before = wall()
        now = client.post("/v1/marks", json={"flow": "support", "what": " prompt 4 "}).json()["mark"]
        assert (now["flow"], now["what"], now["accepted"]) == ("support", "prompt 4", False)
        assert before - 1 <= now["at"] <= wall()
        client.post("/v1/marks", json={"flow": "", "what": "model", "at": before - 7200})
        client.post("/v1/marks", json={"flow": "other", "what": "index"})
        odd = client.post("/v1/marks", json={"flow": "other", "what": "a\x00\x1b[31m\u202eb", "reason": "c\nd"}).json()
        assert (odd["mark"]["what"], odd["mark"]["reason"]) == ("a[31mb", "c d")
        told = client.get("/v1/marks", params={"flow": "support"}).json()
    assert (told["kind"], [each["what"] for each in told["marks"]]) == ("gatewatch.marks", ["model", "prompt 4"])
    assert ("mark", "1 support") in {(action, what) for _, action, what in audited(tmp_path)}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"flow": "a"}, "body"),
        ({"flow": "a", "what": ""}, "body.what"),
        ({"flow": "a", "what": "  "}, "body.what"),
        ({"flow": "a", "what": "b", "at": 1e11}, "body.at"),
        ({"flow": "a", "what": "b", "at": 0}, "body.at"),
        ({"flow": "support", "what": "b", "at": wall() + 3600, "accepted": True, "reason": "x"}, "body.at"),
        ({"flow": "a", "what": "b", "accepted": True}, "body.reason"),
        ({"flow": "suport", "what": "b"}, "body.flow"),
        ({"flow": "suport", "what": "b", "accepted": True, "reason": "x"}, "body.flow"),
        ({"flow": "a", "what": "\x00\x1b"}, "body.what"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused_with_its_place(server: Served, body: dict[str, Any], where: str) -> None:
    with server.client(server.token("admin")) as client:
        said = client.post("/v1/marks", json=body)
    assert (said.status_code, said.json()["where"]) == (422, where)
