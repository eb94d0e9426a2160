"""Markers: what changed and when, of a flow and of all."""

from pathlib import Path

from gatewatch.checks.traffic import FLOW, NOW
from gatewatch.core.watch import Marker
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def test_what_somebody_tells_twice_is_kept_twice_and_what_is_seen_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for seen in (False, True, False, True):
        store.mark(Marker(NOW, FLOW, "v2", seen=seen))
    store.mark(Marker(NOW, "other", "v2", seen=True))
    assert [(each.id, each.seen) for each in store.markers(FLOW)] == [(1, False), (2, True), (3, False)]


def test_of_too_many_the_newest_come_oldest_first(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for n in (3, 1, 2):
        store.mark(Marker(NOW + n, "" if n == 2 else FLOW, f"v{n}"))
    assert [each.what for each in store.markers(FLOW, most=2)] == ["v2", "v3"]
    assert [each.what for each in store.markers()] == ["v1", "v2", "v3"]
    assert [each.what for each in store.markers("other")] == ["v2"]
