"""Keeping house: what is let go of when, and what stays."""

from pathlib import Path

import pytest

from gatewatch.checks.traffic import (
    DAY,
    FLOW,
    NOW,
    judged,
    lease,
    planned,
    request,
    take,
    thumb,
    trends_agree_with_rows,
)
from gatewatch.core.rates import Epoch, Rule
from gatewatch.store import housekeeping
from gatewatch.store.rows import Plan, Settled
from store.making import a_store, backend  # noqa: F401 - every test runs on both

RULES = (Rule(0.1),)


def test_a_probability_moves_in_the_trends_that_are_still_there(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (leased,) = lease(store, work)
    store.settle([Settled(leased.task, leased.attempt, judged(0.3))], NOW)
    trends_agree_with_rows(store)
    store.heartbeat("w", NOW + 3 * DAY)
    store.expire(0, 0, 0)
    assert not store.signals(FLOW, "minute", 0, NOW * 2) and not store.cells(FLOW, "minute", 0, NOW * 2)
    store.plan(work.id, Plan(moved=((1, 0.75),)))
    take(store, request("late"), said=[thumb("1", "a")])
    assert not store.signals(FLOW, "minute", 0, NOW * 2) and not store.cells(FLOW, "minute", 0, NOW * 2)
    for tier in ("hour", "day"):
        assert [(cell.pi, cell.n) for cell in store.cells(FLOW, tier, 0, NOW * 2)] == [(0.75, 1), (1.0, 1)]
        assert [(cell.n, cell.marks) for cell in store.signals(FLOW, tier, 0, NOW * 2)] == [(2, {2: 1})]
    store.heartbeat("w", NOW + 91 * DAY)
    store.expire(0, 0, 0)
    assert store.signals(FLOW, "hour", 0, NOW * 2) == []
    assert len(store.signals(FLOW, "day", 0, NOW * 2)) == 1


def test_a_session_loses_its_first_turns_and_goes_on(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a", session="s"), request("b", session="s", at=NOW + 9), request("z", session="gone"))
    store.expire(NOW + 1, 0, 0)
    (session,) = store.ended(FLOW, NOW + 10, 9)
    assert (session.id, session.first, session.last_at) == ("s", 2, NOW + 9)


def test_rules_of_requests_that_are_gone_go_too(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), request("b", at=NOW + 9))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    store.plan(work.id, Plan(epoch=Epoch(1, 1, RULES), through=1))
    store.plan(work.id, Plan(epoch=Epoch(2, 2, (Rule(0.5),)), through=2))
    store.expire(NOW + 1, 0, 0)
    assert store.epochs(work.id, 0, 99) == [Epoch(2, 2, (Rule(0.5),))]


def test_all_that_is_old_goes_however_many_steps_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_STEP", 3)
    monkeypatch.setattr(housekeeping, "_PAUSE_S", 0)
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", at=NOW + n, flow=f"f{n % 2}", session=f"{n % 5}", marks=3) for n in range(40)))
    steps = [store.expire(NOW + 30, 0, 0) for _ in range(11)]
    assert [(each.traces, each.more) for each in steps] == [(3, True)] * 10 + [(0, False)]
    assert [row.id for row in store.latest(marks=1)] == [f"{n}" for n in range(39, 29, -1)]
    assert store.counts().payloads == 10
    firsts = {(each.flow, each.id): each.first for flow in ("f0", "f1") for each in store.ended(flow, NOW * 2, 99)}
    assert firsts == {(f"f{n % 2}", f"{n % 5}"): n + 1 for n in range(30, 40)}


def test_a_request_that_went_may_come_again(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), said=[thumb("1", "a")])
    store.expire(NOW + 1, 0, 0)
    take(store, request("a"), said=[thumb("1", "a")])
    (row,) = store.latest()
    assert (row.seq, row.marks, len(store.scores(2))) == (2, 2, 1)


def test_what_a_worker_has_now_is_left_to_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b")
    a, b = lease(store, work)
    store.extend("w", [b.task], NOW + 9999)
    assert store.reserve("day", 1.0, 0.5, a.task)
    assert store.expire(0, 0, NOW + 1000).tasks == 1
    assert [[task.state for task in store.tasks(seq)] for seq in (1, 2)] == [["expired"], ["leased"]]
    assert store.spent("day") == (0.0, 0.0)
    assert store.settle([Settled(a.task, a.attempt, judged()), Settled(b.task, b.attempt, judged())], NOW) == 1


def test_held_stops_at_what_was_received_later(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for name, now in (("a", NOW), ("b", NOW + 9), ("c", NOW + 1)):  # the clock went back
        take(store, request(name), now=now)
    assert [row.id for row in store.held(NOW + 5, 9)] == ["a"]
    assert [row.id for row in store.held(NOW + 10, 9)] == ["a", "b", "c"]
