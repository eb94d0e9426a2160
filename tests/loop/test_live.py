"""Live traffic as an audit looks at it, read from the store."""

from pathlib import Path

from gatewatch.checks.traffic import DAY, NOW, request, take
from gatewatch.loop.audit_live import unknown_stale
from gatewatch.loop.live import MOST, read_live
from store.making import a_store, backend  # noqa: F401 - a fixture


def test_requests_are_read_with_what_they_ask(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(
        store,
        request("a", at=NOW - 5 * DAY, payload=b'{"input":"Where is it?"}', slice="orders", session="s"),
        request("b", payload=b'{"input":{"messages":[{"role":"user","content":"How LONG?"}]}}'),
        request("c", payload=b"not json"),
        request("d", payload=b""),
        request("e", flow="other", payload=b'{"input":"elsewhere"}'),
        request("f", at=NOW - 40 * DAY, payload=b'{"input":"long ago"}'),
    )
    found = read_live(store, "support", days=30, until=NOW)
    assert sorted(each.text for each in found.asked) == ["how long", "where is it"]
    assert sorted(part.slice for part in found.parts) == ["", "", "", "orders"]
    assert found.known_days == 30


def test_of_many_requests_those_of_all_days_are_looked_at(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    number = 3 * MOST
    every = [request(f"r{each}", at=NOW - 40 * DAY * (1 - each / number), payload=b"") for each in range(number)]
    for start in range(0, number, 5000):
        take(store, *every[start : start + 5000])
    found = read_live(store, "support", days=30, until=NOW)
    assert found.known_days == 30
    assert MOST * 0.9 <= len(found.parts) <= MOST
    assert found.asked == []


def test_a_flow_without_traffic_is_known_for_no_day(tmp_path: Path) -> None:
    found = read_live(a_store(tmp_path), "support", days=30, until=NOW)
    assert found.known_days < 0
    assert "is known for 0.0 days" in unknown_stale(found)
