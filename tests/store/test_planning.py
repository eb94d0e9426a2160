"""Planning: what is next, and what two workers at once, a rewind or a late rule come to."""

from pathlib import Path

from gatewatch.checks.traffic import (
    FLOW,
    NOW,
    judged,
    lease,
    planned,
    request,
    take,
    thumb,
)
from gatewatch.core.rates import Epoch, Rule
from gatewatch.store.rows import Plan, Settled, Thinned
from store.making import a_store, backend  # noqa: F401 - every test runs on both

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
    store.thin([Thinned(1, 0, 0.1, gone=False), Thinned(2, 0, 0.1, gone=True)])
    store.plan(work.id, Plan(((1, NOW, 1.0), (2, NOW, 1.0))))
    assert [[task.state for task in store.tasks(seq)] for seq in (1, 2)] == [["waiting"], ["no_payload"]]
    assert [each.row.id for each in lease(store, work)] == ["a"]


def test_a_task_whose_payload_goes_while_it_is_leased_is_not_tried_again(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b", "c")
    a, b, _ = lease(store, work)
    store.thin([Thinned(n, 0, 0.5, gone=True) for n in (1, 2, 3)])
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
