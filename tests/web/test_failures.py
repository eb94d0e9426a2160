"""Failures over HTTP: listed in pages, turned by who may, and never behind somebody's back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.labelling import reviewed, the_store
from gatewatch.store.access import Role
from web.pages.test_failures import mined
from web.serving import Served, served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    project = reviewed(tmp_path)
    mined(project, "late refunds", "lost parcels", "rude answers")
    with served(project, (project / "gatewatch.toml").read_text()) as found:
        yield found


def test_they_are_listed_by_number_in_pages(server: Served) -> None:
    with server.client(server.token("read")) as client:
        first = client.get("/v1/failures", params={"limit": 2}).json()
        assert (first["kind"], [each["failure"] for each in first["failures"]]) == ("gatewatch.failures", ["F1", "F2"])
        rest = client.get("/v1/failures", params={"cursor": first["next"], "state": "new"}).json()
        assert ([each["name"] for each in rest["failures"]], rest["next"]) == (["rude answers"], None)
        assert client.get("/v1/failures", params={"flow": "other"}).json()["failures"] == []
        assert client.get("/v1/failures/2").json()["failure"]["impact"] == 0.01
        assert client.get("/v1/failures/9").status_code == 404


def test_one_is_turned_and_that_is_noted(server: Served, tmp_path: Path) -> None:
    with server.client(server.token("review")) as client:
        turned = client.post("/v1/failures/1", json={"act": "ignore", "reason": "the bank's fault"}).json()["failure"]
        assert (turned["state"], turned["turns"][0]["reason"]) == ("ignored", "the bank's fault")
        assert (
            client.post("/v1/failures/1", json={"act": "name", "name": "refunds"}).json()["failure"]["name"]
            == "refunds"
        )
        for wrong, status in (
            ({"act": "ignore"}, 409),
            ({"act": "assign", "owner": "x" * 300}, 422),
            ({"act": "fix"}, 422),
            ({"act": "reopen", "more": 1}, 422),
        ):
            assert client.post("/v1/failures/1", json=wrong).status_code == status, wrong
        assert client.post("/v1/failures/9", json={"act": "reopen"}).status_code == 404
    with the_store(tmp_path) as store:
        assert ("failure ignored", "F1") in [(each.action, each.what) for each in store.audit(0.0, 9)]


@pytest.mark.parametrize(("role", "reads", "turns"), [("ingest", 403, 403), ("read", 200, 403), ("admin", 200, 200)])
def test_who_may(server: Served, role: Role, reads: int, turns: int) -> None:
    with server.client(server.token(role)) as asking:
        assert asking.get("/v1/failures").status_code == reads
        assert asking.post("/v1/failures/1", json={"act": "assign", "owner": "mia"}).status_code == turns
