"""A request of which more is known is as if it had come so: in trends, session, payload and plan."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.checks.spans import made
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, take, thumb, trends_agree_with_rows
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Plan, Settled, Thinned
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def planned(store: Store) -> None:
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    found = store.unplanned(work, 99)
    rows = [*found.new, *found.changed]
    store.plan(work.id, Plan(tuple((row.seq, NOW, 0.5) for row in rows), through=found.through, changes=found.changes))


def scored(store: Store, value: float) -> None:
    planned(store)
    for each in lease(store, store.work(FLOW, "helpful", "f" * 12, "judge")):
        store.settle([Settled(each.task, each.attempt, judged(value), "w")], NOW)


CHANGES: list[dict[str, Any]] = [
    {"session": "t"},
    {"session": ""},
    {"slice": "de", "at": NOW + 90_000},
    {"variant": "b", "external_id": "ticket"},
    {"flow": "other"},
    {"cost": None, "latency_s": None, "usage": None},
]


@pytest.mark.parametrize("fields", CHANGES, ids=str)
def test_what_is_amended_is_as_if_it_had_come_so(tmp_path: Path, fields: dict[str, Any]) -> None:
    one, other = a_store(tmp_path / "one"), a_store(tmp_path / "other")
    take(one, made("a", 1, session="s"), made("b", 1, session="s"), said=[thumb("1", "a")])
    scored(one, 0.0)
    one.take_in(Arrivals((made("a", 2, **{"session": "s"} | fields),)), NOW)
    take(other, made("a", 2, **{"session": "s"} | fields), made("b", 1, session="s"), said=[thumb("1", "a")])
    for store in (one, other):
        scored(store, 1.0)
        for flow in (FLOW, "other"):
            trends_agree_with_rows(store, flow)
    rows = [{row.id: replace(row, seq=0) for row in store.latest()} for store in (one, other)]
    assert rows[0] == rows[1]
    for flow in (FLOW, "other"):
        assert one.signals(flow, "day", 0, 2 * NOW) == other.signals(flow, "day", 0, 2 * NOW)
        for name in ("s", "t"):
            sessions = [store.find_session(flow, name) for store in (one, other)]
            assert [each and (each.turns, each.first) for each in sessions[:1]] == [
                each and (each.turns, each.first) for each in sessions[1:]
            ]
    assert one.counts().payload_bytes == other.counts().payload_bytes
    task_money = [
        [(cell.flow, cell.calls, cell.cost, cell.unknown) for cell in store.spend(0, 2 * NOW) if cell.kind == "task"]
        for store in (one, other)
    ]
    assert task_money[0] == task_money[1]


def test_a_payload_that_was_let_go_stays_gone(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, made("a", 1))
    store.thin([Thinned(1, 0, 0.1, gone=True)])
    assert store.take_in(Arrivals((made("a", 2),)), NOW).amended == 1
    assert store.payload(1) is None
    row = store.find("a")
    assert row is not None
    assert row.payload == "gone"
    trends_agree_with_rows(store)


def test_feedback_that_waited_finds_the_name_that_came_late(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, made("a", 1), said=[thumb("1", external_id="ticket")])
    assert store.counts().parked == 1
    store.take_in(Arrivals((made("a", 1, external_id="ticket"),)), NOW)
    assert store.counts().parked == 0
    assert [each.score.name for each in store.scores(1)] == ["thumbs"]


def test_a_share_that_proves_to_be_another_is_that_of_all_that_was_said(tmp_path: Path) -> None:
    one, other = a_store(tmp_path / "one"), a_store(tmp_path / "other")
    before, after = made("a", 1), made("a", 2)
    take(one, replace(before, share=0.5), made("b", 1), said=[thumb("1", "a")])
    one.take_in(Arrivals((replace(after, share=0.25),)), NOW)
    one.take_in(Arrivals((replace(after, share=0.125),)), NOW)  # and nothing else is
    take(other, replace(after, share=0.125), made("b", 1), said=[thumb("1", "a")])
    for store in (one, other):
        trends_agree_with_rows(store, FLOW)
        row = store.find("a")
        assert row is not None and row.share == 0.125
        assert [kept.pi for kept in store.scores(row.seq)] == [0.125]
    assert one.signals(FLOW, "day", 0, 2 * NOW) == other.signals(FLOW, "day", 0, 2 * NOW)
    assert one.cells(FLOW, "day", 0, 2 * NOW) == other.cells(FLOW, "day", 0, 2 * NOW)
