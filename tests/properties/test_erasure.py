"""A store from which somebody was erased is as one that never had them, whatever came in which order."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, request, take, thumb, trends_agree_with_rows
from gatewatch.core.erasure import Subject
from gatewatch.store.base import Store
from gatewatch.store.rows import TIER_S, Arrival, Plan, Said, Settled
from store.making import a_store

PEOPLE = ("mia", "bob", "")
ERASED = Subject("user", ("mia", "hash-of-mia"))


@st.composite
def requests(draw: st.DrawFn, number: int) -> Arrival:
    user = draw(st.sampled_from([*PEOPLE, "hash-of-mia"]))
    return request(
        f"t{number}",
        at=NOW + draw(st.sampled_from([0, 1, 61, 4000, 90_000])),
        marks=draw(st.integers(0, 3)),
        payload=draw(st.sampled_from([b"", b'{"input":"?"}'])),
        user=user,
        session=draw(st.sampled_from(["", "shared", f"of {user}"])),
        slice=draw(st.sampled_from(["", "de"])),
        latency_s=draw(st.sampled_from([None, 0.1, 0.5])),
        first_token_s=draw(st.sampled_from([None, 0.2])),
        cost=draw(st.sampled_from([None, 0.001, 0.25])),
        external_id=draw(st.sampled_from(["", f"e{number}"])),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Requests and feedback, in any order, each thumb by whoever asked."""
    traces = [draw(requests(number)) for number in range(draw(st.integers(1, 12)))]
    events: list[tuple[str, Any]] = [("trace", each) for each in traces]
    for each in traces:
        for n in range(draw(st.integers(0, 2))):
            said = thumb(f"{each.trace.id}-{n}", each.trace.id, up=draw(st.booleans()), author=each.trace.user or "x")
            events.append(("said", replace(said, at=NOW + n)))
    return list(draw(st.permutations(events)))


def is_theirs(event: Any) -> bool:
    return (event.trace.user if isinstance(event, Arrival) else event.author) in ERASED.names


def lived(store: Store, events: Sequence[tuple[str, Any]], judge: frozenset[str]) -> None:
    """Everything arrives, and a judge says something of some requests."""
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    for kind, event in events:
        take(store, *([event] if kind == "trace" else []), said=[event] if kind == "said" else [])
    found = store.unplanned(work, 1000)
    tasks = tuple((row.seq, NOW, 0.5) for row in found.new if row.id in judge)
    store.plan(work.id, Plan(tasks, through=found.through, changes=found.changes))
    for each in lease(store, work):
        if each.row.id in judge:
            store.settle([Settled(each.task, each.attempt, judged(0.25))], NOW)


def told(store: Store) -> list[Any]:
    """All that a store tells, but for numbers and times of arrival."""
    rows = sorted(store.latest(most=1000), key=lambda row: row.id)
    every: list[Any] = [(replace(row, seq=0), store.payload(row.seq), store.scores(row.seq)) for row in rows]
    for tier in TIER_S:
        signals = sorted(store.signals(FLOW, tier, 0, NOW * 2), key=repr)
        every.append([replace(cell, cost=round(cell.cost, 9)) for cell in signals])
        every.append(sorted(store.cells(FLOW, tier, 0, NOW * 2), key=repr))
    sessions = [store.find_session(FLOW, name) for name in sorted({row.session for row in rows} - {""})]
    every.append([(each.id, each.turns, each.last_at) if each else None for each in sessions])
    counts = store.counts()
    return [*every, counts.payloads, counts.payload_bytes, counts.scores, counts.parked]


@settings(deadline=None, max_examples=60)
@given(events=histories(), data=st.data(), most=st.integers(1, 5))
def test_it_is_as_if_they_had_never_come(events: list[tuple[str, Any]], data: st.DataObject, most: int) -> None:
    names = [event.trace.id for kind, event in events if kind == "trace"]
    judge = frozenset(data.draw(st.lists(st.sampled_from(names))))
    late = data.draw(st.integers(0, len(events)))
    with tempfile.TemporaryDirectory() as folder:
        store, never = a_store(Path(folder) / "a"), a_store(Path(folder) / "b")
        lived(store, events[: len(events) - late], judge)
        erase(store, ERASED, most=most)
        others = [each for each in events if not is_theirs(each[1])]
        before = {id(each) for each in events[: len(events) - late]}
        lived(never, [each for each in others if id(each) in before], judge)
        for _ in range(2):  # what is late, and all of it once more
            lived(store, events[len(events) - late :], frozenset())
            lived(never, [each for each in others if id(each) not in before], frozenset())
            lived(store, events, frozenset())
            lived(never, others, frozenset())
        assert told(store) == told(never)
        trends_agree_with_rows(store)
        store.close()
        never.close()


def test_feedback_without_a_name_goes_with_its_request(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    said = Said("1", NOW, external_id="ticket", scores=(judged(1.0),))
    take(store, request("m", user="mia", external_id="ticket"), said=[said, thumb("2", "m", author="")])
    erase(store, ERASED)
    found = take(store, said=[replace(said, id="3"), thumb("4", "m", author="")])
    assert (found.parked, found.said, found.erased) == (0, 0, 2)
    assert store.counts().scores == 0
