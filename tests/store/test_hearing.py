"""What monitors hear of: each score and each conversation once, whatever became of the tasks and the requests."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.checks.spans import made
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take
from gatewatch.checks.watching import step
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Leased, Plan, Settled, Thinned
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def settled(store: Store, flow: str = FLOW, before: float = NOW + 1, most: int = 9) -> list[list[str]]:
    return [[turn.id for turn in each.turns] for each in store.unheard({flow: before}, most).settled]


def fresh(store: Store, before: float = NOW + 1) -> list[tuple[str, float | None, int]]:
    return [(each.turn.id, each.value, each.left) for each in store.unheard({FLOW: before}, 99).fresh]


def scored(store: Store, task: Leased, value: float | None = 1.0, name: str = "helpful") -> None:
    store.settle([Settled(task.task, task.attempt, judged(value, name=name))], NOW)


def test_requests_are_read_up_to_the_first_that_has_not_settled(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for n, name in enumerate("abc"):
        take(store, request(name), now=NOW + n)
    assert settled(store, before=NOW) == []
    assert settled(store, before=NOW + 2) == [["a"], ["b"]]
    assert store.unheard({FLOW: NOW + 2}, 9).cursors == {FLOW: (2, 0)}
    assert settled(store, before=NOW + 9, most=1) == [["a"]]
    assert settled(store, "other", before=NOW + 9) == []


def test_turns_of_sessions_are_passed_over_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", session="s" if n % 3 else "") for n in range(9)))
    seen = []
    for _ in range(9):
        found = store.unheard({FLOW: NOW + 1}, 2)
        seen += [[turn.id for turn in each.turns] for each in found.settled]
        step(store, cursors=found.cursors)
    assert sorted(seen, key=len) == [["0"], ["3"], ["6"], ["1", "2", "4", "5", "7", "8"]]
    assert found.cursors == {FLOW: (9, round(NOW * 1e6))}


def test_sessions_that_were_heard_of_at_the_same_moment_are_read_together(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", session=f"s{n}") for n in range(120)))
    take(store, request("late", session="later"), now=NOW + 5)
    assert len(settled(store, most=7)) == 120
    step(store, cursors=store.unheard({FLOW: NOW + 1}, 7).cursors)
    assert settled(store, before=NOW + 9, most=7) == [["late"]]


def test_what_is_left_holds_for_the_whole_conversation(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", session="s", at=NOW + n) for n in range(3)))
    work = planned(store)
    first, second, third = lease(store, work)
    scored(store, first, 1.0)
    assert fresh(store, NOW + 99) == [("0", 1.0, 2)]
    scored(store, second, 0.0)
    store.settle([Settled(third.task, third.attempt, state="failed")], NOW)
    assert fresh(store, NOW + 99) == [("0", 0.5, 0), ("1", 0.5, 0), ("2", 0.5, 0)]
    (conversation,) = store.unheard({FLOW: NOW + 99}, 9).settled
    assert (conversation.scores, conversation.left) == (((work.id, 0.5),), frozenset())


def test_a_score_of_a_whole_session_is_of_its_first_request(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("b", session="s", at=NOW + 1), request("a", session="s"))
    work = store.work(FLOW, "helpful", "f" * 12, "judge", 0.0)
    (session,) = store.ended(FLOW, NOW + 99, 9)
    store.plan_session(session, [(work.id, NOW, 1.0)])
    (conversation,) = store.unheard({FLOW: NOW + 99}, 9).settled
    assert (conversation.scores, conversation.left) == ((), frozenset({work.id}))
    scored(store, lease(store, work)[0], 0.75)
    (found,) = store.unheard({FLOW: NOW + 99}, 9).fresh
    assert (found.value, found.left, found.turn.seq, found.turn.first, found.turn.moved) == (0.75, 0, 1, 1, NOW + 1)


def test_scores_of_two_scorers_are_apart(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    other = store.work(FLOW, "kind", "f" * 12, "judge")
    store.plan(other.id, Plan(((1, NOW, 1.0),), through=1))
    scored(store, lease(store, other)[0], 0.25, "kind")
    found = store.unheard({FLOW: NOW + 1}, 9)
    assert [(each.work, each.scorer, each.value, each.left) for each in found.fresh] == [(other.id, "kind", 0.25, 0)]
    assert [(each.scores, each.left) for each in found.settled] == [(((other.id, 0.25),), frozenset({work.id}))]


@pytest.mark.parametrize("way", ["late", "let go", "retry", "expired", "lease"])
def test_whatever_a_task_is_given_up_for_is_heard_of(tmp_path: Path, way: str) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a")
    if way == "late":
        store.thin([Thinned(1, 0, 0.1, gone=True)])
    elif way == "let go":
        store.thin([Thinned(1, 0, 0.1, gone=False)])
        store.let_go(1, 9)
    elif way == "retry":
        (task,) = lease(store, work)
        store.thin([Thinned(1, 0, 0.1, gone=True)])
        assert fresh(store) == []
        store.settle([Settled(task.task, task.attempt, retry_at=NOW)], NOW)
    elif way == "expired":
        store.expire(0, 0, NOW + 99)
    else:
        lease(store, work)
        store.thin([Thinned(1, 0, 0.1, gone=True)])
        lease(store, work, now=NOW + 999)
    assert fresh(store) == [("a", None, 0)]


def test_a_score_that_is_withdrawn_is_not_heard_of_and_the_new_one_is(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, made("a", 1))
    work = planned(store)
    scored(store, lease(store, work)[0], 0.25)
    assert store.take_in(Arrivals((replace(made("a", 2), again=True),)), NOW).amended == 1
    assert fresh(store) == []
    found = store.unplanned(store.work(FLOW, "helpful", "f" * 12, "judge"), 9)
    store.plan(work.id, Plan(tuple((row.seq, NOW, 0.5) for row in found.changed), changes=found.changes))
    scored(store, lease(store, work)[0], 0.5)
    assert fresh(store) == [("a", 0.5, 0)]
