"""How a flow stands, over HTTP: a series with intervals beside the baseline, changes, alerts, signals."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from gatewatch.checks.traffic import request, take
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from web.browsing import open_server
from web.live_traffic import DAY, HOSTILE, alive


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = alive(tmp_path_factory.mktemp("live"))
    with open_server(Path(folder)) as server, httpx.Client(base_url=server.url, timeout=60) as found:
        yield found


def test_a_scorer_stands_beside_the_baseline(client: httpx.Client) -> None:
    told = client.get("/v1/monitor?scorer=polite").json()
    assert (told["kind"], told["version"]) == ("gatewatch.monitor", 1)
    assert told["beside"]["difference"] < told["beside"]["interval"]["high"] < 0
    low, high = (told["total"]["estimate"]["interval"][end] for end in ("low", "high"))
    assert low < told["total"]["estimate"]["mean"] < high
    assert told["tier"] == "day" and 7 <= len(told["points"]) <= 8  # by the hour there are too few of each
    assert all(each[1]["estimate"]["n"] > 0 for each in told["points"])
    assert [each["what"] for each in told["marks"]].count("prompt=7") >= 1
    assert any(each["state"] == "open" and each["name"] == "helpful" for each in told["alerts"])
    assert told["cost_per_thousand"] == pytest.approx(
        1000 * (told["money"]["cost"] / told["money"]["known"] + told["money"]["judge"] / told["money"]["requests"])
    )
    assert told["queue"]["scored"] == told["queue"]["requests"] > 0


def test_the_scorer_of_the_gravest_alert_is_shown_first(client: httpx.Client) -> None:
    assert client.get("/v1/monitor").json()["ruler"]["scorer"] == "helpful"  # which has no baseline


def test_a_window_a_part_and_the_period_before(client: httpx.Client) -> None:
    now = wall()
    one: dict[str, str | float] = {
        "scorer": "helpful",
        "since": now - 4 * DAY,
        "until": now,
        "by": "slice",
        "before": "true",
    }
    told = client.get("/v1/monitor", params=one).json()
    assert told["before_total"]["estimate"]["mean"] > told["total"]["estimate"]["mean"] + 0.05
    assert {"refunds", "<b>other</b>"} <= {each["name"] for each in told["parts"]}
    assert told["beside"] is None  # no suite has it
    part = client.get("/v1/monitor", params=one | {"slice": "refunds"}).json()
    mine = next(each for each in told["parts"] if each["name"] == "refunds")
    assert part["total"]["estimate"]["n"] == mine["total"]["estimate"]["n"]
    assert sum(each["requests"] for each in part["beats"]) < sum(each["requests"] for each in told["beats"])


def test_what_is_wrong_is_refused(client: httpx.Client) -> None:
    assert client.get("/v1/monitor?flow=none").status_code == 404
    assert "support" in client.get("/v1/monitor?flow=none").json()["hint"]
    for query in ("range=2h", "since=5&until=4", "by=user", "flw=support", "since=nan"):
        assert client.get(f"/v1/monitor?{query}").status_code == 422, query
    assert client.get("/v1/monitor?scorer=none").json()["ruler"] is None


def test_an_export_is_the_worst_of_the_stretch_and_no_formula(client: httpx.Client) -> None:
    now = int(wall())
    where = f"/monitor/traces.csv?scorer=polite&from={now - 86_400}&to={now}"
    lines = client.get(where).text.splitlines()
    assert lines[0].startswith("trace,at,flow") and 100 < len(lines) < 140
    listed = client.get("/traces.jsonl?range=1h")
    assert listed.headers["x-gatewatch-filter"] == listed.text.splitlines()[0]
    for cell in client.get(f"/traces.csv?range=30d&q={HOSTILE[:15]}").text.split(","):
        assert not cell.startswith(("=", "+", "@"))


def test_an_export_is_the_whole_of_what_was_filtered(tmp_path: Path) -> None:
    (tmp_path / "gatewatch.toml").write_text('[project]\nname = "bot"\n')
    now = wall()
    with closing(store_of(Project.open(tmp_path))) as store:
        for start in range(0, 5200, 400):
            take(store, *(request(f"{n}", at=now - 9000 + n) for n in range(start, start + 400)), now=now)
    with open_server(tmp_path) as server:
        told = httpx.get(f"{server.url}/traces.jsonl?range=7d", timeout=120).text
    assert len(told.splitlines()) == 1 + 5200  # its head, and more than any page looks at
