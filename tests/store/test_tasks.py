"""Tasks: leased to one worker at a time, settled once, their money set aside and booked."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.store.rows import Settled, Spent
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def test_what_is_due_for_the_longest_is_leased_first(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b", "c")
    assert lease(store, work, now=NOW) == []
    first = lease(store, work, most=2)
    assert [(each.row.id, each.attempt, each.pi, each.payload) for each in first] == [
        ("a", 1, 0.5, b'{"input":"?"}'),
        ("b", 1, 0.5, b'{"input":"?"}'),
    ]
    assert [each.row.id for each in lease(store, work, "other")] == ["c"]
    assert lease(store, work, "third") == []


def test_a_lease_that_ran_out_is_another_workers_and_the_slow_one_changes_nothing(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (slow,) = lease(store, work, "slow")
    (quick,) = lease(store, work, "quick", now=NOW + 1000)
    assert (quick.task, quick.attempt) == (slow.task, 2)
    assert store.settle([Settled(slow.task, slow.attempt, judged(0.0))], NOW) == 0
    assert store.scores(1) == []
    assert store.settle([Settled(quick.task, quick.attempt, judged(1.0))], NOW) == 1
    assert store.settle([Settled(quick.task, quick.attempt, judged(0.0))], NOW) == 0
    assert [each.score for each in store.scores(1)] == [judged(1.0)]
    assert store.tasks(1) == []


def test_an_extended_lease_does_not_run_out(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (leased,) = lease(store, work, "w")
    store.extend("other", [leased.task], NOW + 5000)
    store.extend("w", [leased.task], NOW + 2000)
    assert lease(store, work, "x", now=NOW + 1999) == []
    assert len(lease(store, work, "x", now=NOW + 2000)) == 1


def test_a_task_that_failed_is_tried_again_when_it_is_due_and_set_aside_at_last(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (leased,) = lease(store, work)
    store.settle([Settled(leased.task, leased.attempt, retry_at=NOW + 500, reason="429")], NOW)
    (row,) = store.tasks(1)
    assert (row.state, row.due, row.attempts, row.reason, row.owner) == ("waiting", NOW + 500, 1, "429", "")
    assert lease(store, work, now=NOW + 499) == []
    (leased,) = lease(store, work, now=NOW + 500)
    store.settle([Settled(leased.task, leased.attempt, state="failed", reason="poison")], NOW)
    assert [(each.state, each.reason) for each in store.tasks(1)] == [("failed", "poison")]
    assert lease(store, work, now=NOW + 9999) == []
    assert store.unsettled("support", NOW, NOW + 1) == [(NOW, "helpful", "f" * 12, "", "failed", 1, 0, "", "")]


def test_a_task_that_is_given_back_is_due_at_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (leased,) = lease(store, work)
    assert store.settle([Settled(leased.task, leased.attempt)], NOW) == 1
    assert [each.attempt for each in lease(store, work)] == [2]


def test_money_is_set_aside_within_the_limit_and_becomes_what_was_spent(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b", "c")
    a, b, c = lease(store, work)
    assert store.reserve("day", 0.1, 0.04, a.task)
    assert store.reserve("day", 0.1, 0.06, b.task)
    assert not store.reserve("day", 0.1, 0.001, c.task)
    assert store.spent("day") == (0.0, 0.1)
    store.settle([Settled(a.task, a.attempt, judged(cost=0.01))], NOW)
    assert store.spent("day") == (0.01, 0.06)
    assert store.reserve("day", 0.1, 0.03, c.task)
    store.settle([Settled(c.task, c.attempt, retry_at=NOW)], NOW)
    assert store.spent("day") == (0.01, 0.06)
    unknown = Score(1.0, name="helpful", source="judge", fingerprint="f" * 12, cost=Cost(0.02, 1))
    store.settle([Settled(b.task, b.attempt, unknown)], NOW)
    assert store.spent("day") == (0.07, 0.0)  # all that was set aside, since the price is not known
    assert store.spent("another") == (0.0, 0.0)


def test_money_set_aside_by_a_worker_that_died_is_spent_until_more_is_known(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (lost,) = lease(store, work)
    assert store.reserve("day", 0.1, 0.1, lost.task)
    assert store.reserve("day", 0.1, 0.09, lost.task)  # instead of the first
    (again,) = lease(store, work, now=NOW + 1000)
    assert store.spent("day") == (0.03, 0.0)
    assert store.reserve("tomorrow", 0.1, 0.1, again.task)
    late = Settled(lost.task, lost.attempt, judged(cost=0.02), budget="day")
    for _ in range(2):
        assert store.settle([late], NOW) == 0
        assert (store.spent("day"), store.spent("tomorrow")) == ((0.02, 0.0), (0.0, 0.1))
    store.settle([Settled(again.task, again.attempt, state="failed")], NOW)
    assert store.spent("tomorrow") == (0.0, 0.0)
    assert not store.reserve("day", 0.1, 0.1, again.task)  # it is leased to nobody
    assert store.spent("day") == (0.02, 0.0)


def test_the_cost_of_a_try_that_failed_counts(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (leased,) = lease(store, work)
    assert store.reserve("day", 1.0, 0.1, leased.task)
    prose = judged(None, cost=0.02)
    store.settle([Settled(leased.task, leased.attempt, prose, retry_at=NOW + 1)], NOW)
    assert store.spent("day") == (0.02, 0.0)
    assert store.scores(1) == []
    (cell,) = store.spend(NOW, NOW + 1)
    assert (cell.kind, cell.scorer, cell.model, cell.calls, cell.cost) == ("judge", "helpful", "m-1", 1, 0.02)
    assert (cell.input_tokens, cell.output_tokens) == (50, 5)


def test_a_judge_of_several_models_is_booked_by_model(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (leased,) = lease(store, work)
    parts = {"x": Score(1.0, cost=Cost(0.01), model="m-1"), "y": Score(0.0, cost=Cost(0.02), model="big=m-2")}
    store.settle([Settled(leased.task, leased.attempt, Score(0.5, name="helpful", cost=Cost(0.03), parts=parts))], NOW)
    assert [(each.model, each.cost) for each in store.spend(NOW, NOW + 1)] == [("m-1", 0.01), ("m-2", 0.02)]
    assert store.scores(1)[0].score.parts == parts


def test_what_the_application_spent_stands_by_the_day_it_happened(tmp_path: Path) -> None:
    from msgspec.structs import replace

    store = a_store(tmp_path)
    spent = (Spent("a", 2, 0.5, 10, 20), Spent("b", 1, None))
    take(store, replace(request("x"), spent=spent), replace(request("y"), spent=spent[:1]))
    cells = [(each.kind, each.model, each.calls, each.cost, each.unknown) for each in store.spend(NOW, NOW + 1)]
    assert cells == [("task", "a", 4, 1.0, 0), ("task", "b", 1, 0.0, 1)]


def test_a_session_that_goes_on_is_scored_again_and_the_new_score_takes_the_old_ones_place(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = store.work("support", "helpful", "f" * 12, "judge")
    take(store, request("a", session="s"), request("b", session="s", at=NOW + 1))
    assert store.ended("support", NOW + 1, 10) == []
    (session,) = store.ended("support", NOW + 2, 10)
    assert (session.id, session.first, session.last_at, session.turns) == ("s", 1, NOW + 1, 2)
    store.plan_session(session, [(work.id, NOW, 0.5)])
    assert store.ended("support", NOW + 2, 10, session.moved) == []
    (leased,) = lease(store, work)
    take(store, request("c", session="s", at=NOW + 5))
    (session,) = store.ended("support", NOW + 6, 10)
    assert (session.turns, session.first) == (3, 1)
    store.plan_session(session, [(work.id, NOW + 7, 0.25)])
    store.settle([Settled(leased.task, leased.attempt, judged(1.0), "one")], NOW)
    assert [(each.state, each.pi) for each in store.tasks(1)] == [("waiting", 0.25)]
    (leased,) = lease(store, work)
    store.settle([Settled(leased.task, leased.attempt, judged(0.5), "other")], NOW)
    assert [(each.score.value, each.pi, each.author) for each in store.scores(1)] == [(0.5, 0.25, "other")]
    assert [(cell.pi, cell.n, cell.total) for cell in store.cells("support", "day", NOW, NOW + 1)] == [(0.25, 1, 0.5)]
    store.plan_session(session, [(work.id, NOW, 0.5)])
    assert store.tasks(1) == []


@pytest.mark.parametrize("state", ["failed", "expired", "over_budget"])
def test_new_turns_give_a_session_that_was_given_up_another_chance(tmp_path: Path, state: str) -> None:
    store = a_store(tmp_path)
    work = store.work("support", "helpful", "f" * 12, "judge")
    take(store, request("a", session="s"))
    store.plan_session(store.ended("support", NOW + 1, 10)[0], [(work.id, NOW, 0.5)])
    (leased,) = lease(store, work)
    store.settle([Settled(leased.task, leased.attempt, state=state)], NOW)  # type: ignore[arg-type]
    take(store, request("b", session="s"))
    store.plan_session(store.ended("support", NOW + 1, 10)[0], [(work.id, NOW, 0.5)])
    assert len(lease(store, work)) == 1


def test_what_comes_too_late_is_paid_for_all_the_same(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    (slow,) = lease(store, work)
    (quick,) = lease(store, work, now=NOW + 1000)
    late = Settled(slow.task, slow.attempt, judged(cost=0.25), "slow", budget="day")
    assert store.settle([late], NOW) == 0
    assert store.settle([Settled(quick.task, quick.attempt, judged(cost=0.5), "quick", budget="day")], NOW) == 1
    assert store.settle([late], NOW) == 0  # its task is gone by now, and it is paid for
    assert store.spent("day") == (0.75, 0.0)
    assert sum(cell.cost for cell in store.spend(0, NOW * 2) if cell.kind == "judge") == 0.75
    assert [kept.author for kept in store.scores(1)] == ["quick"]


def test_what_is_settled_again_since_nobody_knew_is_paid_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b")
    settled = []
    for each in lease(store, work):
        assert store.reserve("day", 1.0, 0.05, each.task)
        settled.append(Settled(each.task, each.attempt, judged(cost=0.01), budget="day"))
    settled[1] = replace(settled[1], retry_at=NOW + 5)
    assert store.settle(settled, NOW) == 2
    before = (store.spent("day"), store.spend(0, NOW * 2), store.cells(FLOW, "day", 0, NOW * 2))
    assert store.settle(settled, NOW) == 0
    assert (store.spent("day"), store.spend(0, NOW * 2), store.cells(FLOW, "day", 0, NOW * 2)) == before
    assert before[0] == (0.02, 0.0)
