"""What a project's store says over HTTP: the same as the commands say of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.building import run
from cli.traffic import project, traffic
from web.serving import Served, served


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    traffic(tmp_path, 40)
    assert run(capsys, "work", "--once")[0] == 0
    return tmp_path


@pytest.fixture
def client(here: Path) -> Iterator[httpx.Client]:
    toml = (here / "gatewatch.toml").read_text()
    with served(here, toml) as server, server.client(server.token("read")) as found:
        found.server = server  # type: ignore[attr-defined]
        yield found


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for the moment at which they were asked for, and for what lies in files."""
    return bool(_timeless(one) == _timeless(other))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _timeless(item) for key, item in value.items() if key not in ("since", "until", "baseline", "parts")
        }
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def test_requests_are_listed_page_by_page(client: httpx.Client) -> None:
    found: list[str] = []
    cursor: int | None = 0
    while cursor is not None:
        page = client.get("/v1/traces", params={"limit": 7, "cursor": cursor, "flow": "support"}).json()
        found += [row["id"] for row in page["traces"]]
        cursor = page["next"]
    assert len(found) == len(set(found)) == 40
    marked = client.get("/v1/traces?mark=error&mark=thumbs_down").json()["traces"]
    assert {mark for row in marked for mark in row["marks"]} == {"error", "thumbs_down"} and len(marked) == 6
    assert len(client.get("/v1/traces?slice=odd").json()["traces"]) == 20
    assert client.get("/v1/traces?flow=none").json() == {"traces": [], "next": None}
    assert client.get("/v1/traces?since=99999999999").json()["traces"] == []


def test_a_request_is_told_with_all_that_is_known_of_it(client: httpx.Client) -> None:
    told = client.get("/v1/traces/m20").json()
    assert told["row"]["external_id"] == "m20" and told["trace"]["input"] == "q20"
    assert {"thumbs", "pii"} <= {each["name"] for each in told["scores"]}
    assert "mia@example.com" not in json.dumps(told)
    assert client.get("/v1/traces/none").status_code == 404
    assert client.get(f"/v1/traces/{'a' * 500}").status_code == 404


def test_trends_and_costs_are_as_the_commands_tell_them(
    client: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert same(client.get("/v1/trends").json(), json.loads(run(capsys, "trends", "--json")[1]))
    assert same(
        client.get("/v1/trends?flow=support&by=hour&slice=odd&days=1").json(),
        json.loads(run(capsys, "trends", "support", "--by", "hour", "--slice", "odd", "--days", "1", "--json")[1]),
    )
    assert client.get("/v1/trends?flow=none").status_code == 404
    costs = client.get("/v1/costs?by=model,day").json()
    assert costs == json.loads(run(capsys, "costs", "--by", "model,day", "--json")[1]) and costs["rows"]
    for query in ("by=x", "month=13"):
        assert client.get(f"/v1/costs?{query}").status_code == 422


def test_workers_are_told(client: httpx.Client) -> None:
    (worker,) = client.get("/v1/workers").json()["workers"]
    assert worker["at_work"] is False  # it has ended
    assert {"polite", "pii"} <= worker["scorers"].keys()


def test_what_is_new_is_seen_at_once(client: httpx.Client) -> None:
    server: Served = client.server  # type: ignore[attr-defined]
    with server.client(server.token("ingest")) as other:
        other.post("/v1/feedback", json={"external_id": "m3", "event": "escalate"})
    assert client.get("/v1/traces/m3").json()["row"]["marks"] == ["escalated"]


def test_what_is_not_known_behind_the_question_mark_is_refused(client: httpx.Client) -> None:
    for path in ("/v1/traces?flw=support", "/v1/traces/x?flow=support", "/v1/trends?since=1", "/v1/runs?flow=x"):
        said = client.get(path)
        assert said.status_code == 422 and "is not known here" in said.json()["error"], path
    assert client.get("/v1/traces?flw=support").json()["hint"] == 'did you mean "flow"?'
