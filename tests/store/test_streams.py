"""Streams of conversations: what is fresh, what has settled, and steps that are kept whole or not at all."""

from pathlib import Path

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take
from gatewatch.store.rows import Settled
from gatewatch.store.watching import Entry, WatchStep
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def entry(seq: int, *values: float | None, at: float = NOW, **more: object) -> Entry:
    fields = {"slice": "de", "variant": "a", "version": "model=x", "sampled": True} | more
    return Entry(0, seq, at, values=values, **fields)  # type: ignore[arg-type]


def test_a_score_is_fresh_until_a_step_has_heard_of_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b", "c")
    one, two, three = lease(store, work)
    store.settle([Settled(one.task, one.attempt, judged(0.25))], NOW)
    store.settle([Settled(two.task, two.attempt, state="failed", reason="no")], NOW)
    store.settle([Settled(three.task, three.attempt, retry_at=NOW + 9)], NOW)
    found = store.unheard({}, 9)
    assert [(each.turn.id, each.value, each.left, each.work) for each in found.fresh] == [
        ("a", 0.25, 0, work.id),
        ("b", None, 0, work.id),
    ]
    assert store.keep(WatchStep(read_at=found.read_at, fresh_through=found.fresh[0].number), NOW)
    assert [each.turn.id for each in store.unheard({}, 9).fresh] == ["b"]


def test_a_session_is_heard_of_once_with_the_mean_of_its_turns(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a1", session="s", at=NOW + 1), request("a0", session="s"), request("b"), request("c"))
    work = planned(store)
    tasks = {each.row.id: each for each in lease(store, work)}
    for name, value in (("a0", 0.0), ("a1", 1.0), ("b", 0.5)):
        store.settle([Settled(tasks[name].task, tasks[name].attempt, judged(value))], NOW)
    early = store.unheard({FLOW: NOW}, 9)
    assert early.settled == () and [each.value for each in early.fresh] == [0.0, 1.0, 0.5]
    found = store.unheard({FLOW: NOW + 60}, 9)
    told = [([turn.id for turn in each.turns], dict(each.scores), each.left) for each in found.settled]
    assert told == [
        (["b"], {work.id: 0.5}, frozenset()),
        (["c"], {}, frozenset({work.id})),
        (["a0", "a1"], {work.id: 0.5}, frozenset()),
    ]
    assert [(each.value, each.left) for each in found.fresh] == [(0.5, 0), (0.5, 0), (0.5, 0)]
    assert [each.turn.first for each in found.fresh] == [1, 1, 3]
    assert store.keep(WatchStep(read_at=found.read_at, cursors=found.cursors), NOW)
    assert store.unheard({FLOW: NOW + 60}, 9).settled == ()


def test_entries_are_numbered_as_they_come_and_each_enters_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    stream = store.stream(FLOW, "helpful", "f" * 12, "judge")
    assert store.stream(FLOW, "helpful", "f" * 12, "judge") == stream
    first, second = entry(7, 0.5, traits={"language": "de"}), entry(3, None, 1.0, at=NOW + 1, sampled=False)
    assert store.keep(WatchStep(read_at=0, entries=[(stream.id, first), (stream.id, second)]), NOW)
    assert not store.keep(WatchStep(read_at=0, entries=[(stream.id, entry(9, 0.1))]), NOW)
    assert store.keep(WatchStep(read_at=1, entries=[(stream.id, first), (stream.id, entry(9, 0.1))]), NOW)
    every = [first._replace(number=1), second._replace(number=2), entry(9, 0.1)._replace(number=3)]
    assert store.entries(stream.id, 0, 9) == every
    assert store.entries(stream.id, 1, 1) == every[1:2]
    assert store.entered(stream.id, NOW + 1, NOW + 2) == every[1:2]
