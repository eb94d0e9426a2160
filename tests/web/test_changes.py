"""The outbox over HTTP: given out to who may read, moved on by who may review; and a checkout that pulls from there."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.config.pulling import pull, waiting, withdraw
from gatewatch.core.change import Change
from gatewatch.core.errors import InputError
from gatewatch.loop.served import NotAnswered, ServerRefused
from gatewatch.loop.served import Served as Outbox
from gatewatch.store.access import Role
from loop.failing import NOW, TOML, a_project, cases
from web.serving import Served, served


def a_case(number: int, asked: str) -> Change:
    body = {"case": {"id": f"c{number}", "input": asked, "expected": "x"}, "into": ""}
    return Change(key=f"k{number}", kind="case", path="datasets/support.jsonl", body=body, by="mia", at=NOW, trace="t")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "server") as found:
        with closing(store_of(Project.open(tmp_path / "server"))) as store:
            store.propose([a_case(1, "one"), a_case(2, "two")], NOW)
        yield found


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with server.client(server.token("review")) as found:
        yield found


def audited(folder: Path) -> list[tuple[str, str]]:
    with closing(store_of(Project.open(folder))) as store:
        return [(each.action, each.what) for each in store.audit(0.0, 10)]


def test_they_are_listed_by_number_in_pages_and_that_is_noted(client: httpx.Client, tmp_path: Path) -> None:
    told = client.get("/v1/changes", params={"state": "pending", "limit": 1}).json()
    assert (told["kind"], told["version"], told["next"]) == ("gatewatch.changes", 1, 1)
    assert [each["name"] for each in told["changes"]] == ["C1"]
    rest = client.get("/v1/changes", params={"cursor": 1}).json()
    assert [(each["name"], each["body"]["case"]["input"]) for each in rest["changes"]] == [("C2", "two")]
    assert ("read", "changes C1 to C1") in audited(tmp_path / "server")
    assert client.get("/v1/changes", params={"state": "gone"}).status_code == 422


def test_one_is_moved_on_and_never_back(client: httpx.Client, tmp_path: Path) -> None:
    def move(number: int, **body: Any) -> httpx.Response:
        return client.post(f"/v1/changes/{number}/state", json=body)

    told = move(1, state="pulled", where="main@laptop").json()["change"]
    assert (told["state"], told["where"]) == ("pulled", "main@laptop")
    assert move(1, state="withdrawn").status_code == 409
    assert move(2, state="withdrawn").json()["change"]["state"] == "withdrawn"
    assert move(9, state="pulled").status_code == 404
    assert move(1, state="pending").status_code == 422
    assert ("change pulled", "C1") in audited(tmp_path / "server")


@pytest.mark.parametrize(("role", "reads", "moves"), [("ingest", 403, 403), ("read", 200, 403), ("admin", 200, 200)])
def test_who_may(server: Served, role: Role, reads: int, moves: int) -> None:
    with server.client(server.token(role)) as asking:
        assert asking.get("/v1/changes").status_code == reads
        assert asking.post("/v1/changes/1/state", json={"state": "pulled"}).status_code == moves


def test_a_checkout_pulls_from_it(client: httpx.Client, tmp_path: Path) -> None:
    path = a_project(tmp_path, TOML)
    outbox = Outbox(client)
    done, branch = pull(Project.open(tmp_path), outbox, NOW)
    assert ([each.change.state for each in done], branch) == (["pulled", "pulled"], "")
    assert [case.id for case in cases(path)] == ["greet", "c1", "c2"]
    assert pull(Project.open(tmp_path), outbox, NOW)[0] == []
    assert [each.state for each in waiting(outbox, ())] == ["pulled", "pulled"]
    with pytest.raises(InputError, match="C1: is pulled: it is in somebody's files"):
        withdraw(outbox, "C1", NOW, "mia")


def test_a_server_that_refuses_or_is_not_there(server: Served, client: httpx.Client) -> None:
    with server.client("gw_wrong") as asking, pytest.raises(ServerRefused, match=r"refuses: status 401 .*role review"):
        Outbox(asking).changes()
    with httpx.Client(base_url="http://127.0.0.1:9") as nobody, pytest.raises(NotAnswered, match="did not answer"):
        Outbox(nobody).changes()
    with pytest.raises(ServerRefused, match="there is no such change"):
        Outbox(client).turn_change(99, "pulled", NOW)
    odd = httpx.Client(
        base_url="http://x", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>hello</html>"))
    )
    with odd, pytest.raises(ServerRefused, match="answers as no Gatewatch server does"):
        Outbox(odd).changes()
