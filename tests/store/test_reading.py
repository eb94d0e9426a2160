"""Reading: windows with much and with little in them, sessions, values."""

from pathlib import Path

import pytest

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take
from gatewatch.store import reading
from gatewatch.store.rows import Settled
from store.making import a_store, backend  # noqa: F401 - every test runs on both


@pytest.mark.parametrize("few", [0, 3, 2000])
def test_a_window_gives_the_same_whichever_way_it_is_read(
    tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_FEW", few)
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", at=NOW + n, slice=f"s{n % 3}", flow=f"f{n % 2}") for n in range(30)))
    for since in (NOW + 10, NOW + 27, NOW + 99):
        for part in ("", "s1"):
            wanted = [n for n in range(29, -1, -1) if NOW + n >= since and (not part or n % 3 == 1)]
            assert [row.id for row in store.latest(slice=part, since=since)] == [f"{n}" for n in wanted]
            page = store.latest("f1", slice=part, since=since, before=25, most=2)
            assert [row.id for row in page] == [f"{n}" for n in wanted if n % 2 and n < 24][:2]


def test_values_are_those_of_a_window_newest_first(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", at=NOW + n, session="s" if n == 2 else "", slice="de") for n in range(5)))
    work = planned(store)
    for each in lease(store, work, now=NOW + 999):
        score = judged(None if each.row.id == "3" else each.row.seq / 10)
        store.settle([Settled(each.task, each.attempt, score)], NOW)
    found = store.values(FLOW, "helpful", "f" * 12, "judge", NOW + 1, NOW + 4, 9)
    assert [(each.at, each.cluster, each.slice, each.pi, each.value) for each in found] == [
        (NOW + 2, "s", "de", 0.5, 0.3),
        (NOW + 1, "1", "de", 0.5, 0.2),
    ]
    assert [each.value for each in store.values(FLOW, "helpful", "f" * 12, "judge", NOW, NOW + 5, 1)] == [0.5]
    assert store.values(FLOW, "helpful", "other", "judge", NOW, NOW + 5, 1) == []
    assert store.values(FLOW, "helpful", "f" * 12, "rule", NOW, NOW + 5, 1) == []


def test_a_request_without_session_is_in_none(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), request("b", session="s"))
    assert store.session(FLOW, "") == []
    assert store.ended(FLOW, NOW + 1, 9)[0].id == "s"
    assert store.find("") is None
