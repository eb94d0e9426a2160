"""Planning: what is next, and what two workers at once, a rewind or a late rule come to."""

from pathlib import Path

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
from gatewatch.store.rows import Plan, Settled
from store.making import a_store

RULES = (Rule(0.1),)


def test_a_stale_plan_does_not_pass_over_what_was_rewound(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}") for n in range(6)))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    store.plan(work.id, Plan(epoch=Epoch(1, 3, RULES), through=3))
    stale = Plan(epoch=Epoch(4, 6, RULES), through=6)
    store.rewind(work.id)
    store.plan(work.id, stale)
    assert store.works()[0].planned == 0
    store.plan(work.id, Plan(epoch=Epoch(1, 6, RULES), through=6))
    assert store.works()[0].planned == 6
    assert store.epochs(work.id, 1, 6) == [Epoch(1, 6, RULES)]


def test_a_plan_may_begin_at_the_first_request_of_its_flow(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("other", flow="x"), request("a"), request("other2", flow="x"))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    found = store.unplanned(work, 10)
    assert (found.new[0].seq, found.through) == (2, 3)
    store.plan(work.id, Plan(epoch=Epoch(2, 2, RULES), through=found.through))
    assert store.works()[0].planned == 3


def test_a_plan_of_an_unknown_work_or_request_makes_nothing(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    assert store.plan(work.id, Plan(((7, NOW, 1.0),), moved=((7, 0.5),))) == 0
    assert store.plan(99, Plan(((1, NOW, 1.0),))) == 0


def test_what_matches_when_the_payload_is_gone_is_told_so(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), request("b"))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    store.thin(2, {1: 0.1, 2: 0.1}, [2])
    store.plan(work.id, Plan(((1, NOW, 1.0), (2, NOW, 1.0))))
    assert [[task.state for task in store.tasks(seq)] for seq in (1, 2)] == [["waiting"], ["no_payload"]]
    assert [each.row.id for each in lease(store, work)] == ["a"]


def test_a_task_whose_payload_goes_while_it_is_leased_is_not_tried_again(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b", "c")
    a, b, _ = lease(store, work)
    store.thin(3, {1: 0.5, 2: 0.5, 3: 0.5}, [1, 2, 3])
    assert store.settle([Settled(a.task, a.attempt, judged())], NOW) == 1  # it had the payload in its hands
    store.settle([Settled(b.task, b.attempt, retry_at=NOW)], NOW)
    assert lease(store, work, now=NOW + 999) == []
    assert [[task.state for task in store.tasks(seq)] for seq in (1, 2, 3)] == [[], ["no_payload"], ["no_payload"]]


def test_changes_are_kept_until_all_works_have_passed_them(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"))
    one, other = (store.work(FLOW, name, "f" * 12, "judge") for name in ("x", "y"))
    for work in (one, other):
        store.plan(work.id, Plan(through=1))
    take(store, said=[thumb("1", "a")])
    one, other = store.works()
    found = store.unplanned(one, 9)
    store.plan(one.id, Plan(through=found.through, changes=found.changes))
    assert [row.id for row in store.unplanned(store.works()[0], 9).changed] == []
    assert [row.id for row in store.unplanned(other, 9).changed] == ["a"]
    store.plan(other.id, Plan(through=1, changes=found.changes))
    take(store, said=[thumb("2", "a", up=True)])
    assert [row.marks for row in store.unplanned(store.works()[1], 9).changed] == [6]


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
