"""Streams of conversations: steps that are kept whole or not at all, and what is left of them without the erased."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import FLOW, NOW, request, take
from gatewatch.checks.watching import alert, entry, step
from gatewatch.core.watch import Marker
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival
from gatewatch.store.sql import SQLStore
from gatewatch.store.watching import WatchStep
from store.making import a_store

SCORES = st.one_of(st.none(), st.floats(0, 1, allow_nan=False))


def everything(store: Store) -> list[Any]:
    """All that a step can change."""
    found = store.unheard({FLOW: NOW * 2}, 1000)
    entries = [store.entries(each.id, 0, 1000) for each in store.streams()]
    return [found, store.streams(), entries, store.alerts(every=True), store.untold(), store.markers()]


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    some = st.lists(st.tuples(st.integers(1, 2), st.integers(1, 9), SCORES), max_size=6)
    return {
        "fresh_through": draw(st.integers(0, 3)),
        "cursors": {FLOW: (draw(st.integers(0, 3)), draw(st.integers(0, 3)))},
        "entries": [(stream, entry(seq, value, at=NOW + seq)) for stream, seq, value in draw(some)],
        "states": [(draw(st.integers(1, 2)), draw(st.integers(0, 9)), draw(st.binary(max_size=9)))],
        "bases": [(draw(st.integers(1, 2)), draw(st.integers(0, 3)), draw(st.binary(max_size=9)))],
        "trim_before": draw(st.sampled_from([0.0, NOW + 3, NOW + 99])),
        "alerts": [alert(draw(st.sampled_from("ab")), severity=draw(st.sampled_from(["info", "page"])))],
        "resolved": draw(st.lists(st.tuples(st.sampled_from("ab"), st.just("so")), max_size=1)),
        "markers": [Marker(NOW, FLOW, draw(st.sampled_from("ab")), seen=draw(st.booleans()))],
    }


def a_stored(folder: Path) -> Store:
    store = a_store(folder)
    take(store, *(request(f"{n}", session="s" if n > 2 else "") for n in range(6)))
    store.stream(FLOW)
    store.stream(FLOW, "helpful", "f" * 12, "judge")
    return store


@settings(deadline=None, max_examples=30)
@given(every=st.lists(steps(), min_size=1, max_size=5))
def test_of_two_monitors_one_wins_and_the_other_leaves_nothing(every: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = a_stored(Path(folder))
        for fields in every:
            read_at = store.unheard({}, 0).read_at
            assert store.keep(WatchStep(read_at=read_at, **fields), NOW)
            before = everything(store)
            assert not store.keep(WatchStep(read_at=read_at, **every[0]), NOW)
            assert everything(store) == before
            for each in store.streams():
                entries = store.entries(each.id, 0, 1000)
                assert len({one.seq for one in entries}) == len(entries)
                assert [one.number for one in entries] == sorted({one.number for one in entries})
        store.close()


class Killed(BaseException):
    pass


@settings(deadline=None, max_examples=30)
@given(fields=steps(), after=st.integers(0, 40))
def test_a_step_that_is_killed_leaves_nothing(fields: dict[str, Any], after: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        store = a_stored(Path(folder))
        assert isinstance(store, SQLStore)
        before, left = everything(store), after

        def counted(plain: Any) -> Any:
            def call(statement: str, *rest: Any) -> Any:
                nonlocal left
                if statement.startswith(("INSERT", "UPDATE", "DELETE")):
                    left -= 1
                    if left < 0:
                        raise Killed
                return plain(statement, *rest)

            return call

        for name in ("execute", "executemany"):
            patch.setattr(store._db, name, counted(getattr(store._db, name)))
        read_at = before[0].read_at
        try:
            kept = store.keep(WatchStep(read_at=read_at, **fields), NOW)
        except Killed:
            kept = False
        left = 1000
        assert kept or everything(store) == before
        store.close()


def test_a_step_with_nothing_in_it_writes_nothing(tmp_path: Path) -> None:
    store = a_stored(tmp_path)
    step(store, cursors={FLOW: (3, 4)})
    read_at = store.unheard({}, 0).read_at
    step(store, cursors={FLOW: (3, 4)})
    assert store.unheard({}, 0).read_at == read_at
    assert not store.keep(WatchStep(read_at=read_at - 1), NOW)


# Without the erased


@st.composite
def people(draw: st.DrawFn) -> list[Arrival]:
    """Requests of two people, some of them in a conversation with each other."""
    return [
        request(
            f"t{n}",
            at=NOW + n,
            user=draw(st.sampled_from(["mia", "bob"])),
            session=draw(st.sampled_from(["", "s", "r"])),
            error=None,
            latency_s=draw(st.sampled_from([0.5, 1.0])),
        )
        for n in range(draw(st.integers(1, 10)))
    ]


def listened(store: Store) -> None:
    """A monitor hears of all that has settled, and has it enter: how many turns there are, and how slow they were."""
    stream, heard = store.stream(FLOW), None
    while (found := store.unheard({FLOW: NOW * 2}, 3)).cursors != heard:
        entries = [
            entry(
                *(each.turns[0].first, float(len(each.turns)), max(turn.latency_s or 0.0 for turn in each.turns)),
                at=each.turns[0].at,
            )
            for each in found.settled
        ]
        step(store, cursors=found.cursors, entries=[(stream.id, each) for each in entries])
        heard = found.cursors


def told(store: Store) -> list[Any]:
    """What entered, but for the numbers."""
    return sorted((each.at, each.values) for each in store.entries(store.stream(FLOW).id, 0, 1000))


@settings(deadline=None, max_examples=30)
@given(every=people(), cut=st.integers(0, 10))
def test_without_the_erased_it_is_as_if_they_had_never_come(every: Sequence[Arrival], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, never = a_store(Path(folder) / "a"), a_store(Path(folder) / "b")
        take(store, *every[:cut])
        listened(store)
        take(store, *every[cut:])
        erase(store)
        listened(store)
        take(never, *(each for each in every if each.trace.user != "mia"))
        listened(never)
        whole, part = told(store), told(never)
        if cut >= len(every) or cut == 0:  # else a conversation may have entered before it went on
            assert whole == part
        assert {at for at, _ in whole} == {at for at, _ in part}
        for each in (store, never):
            each.close()


def test_what_is_old_goes_from_the_store_and_stays_in_the_stream(tmp_path: Path) -> None:
    store = a_stored(tmp_path)
    listened(store)
    before = told(store)
    store.expire(NOW + 99, 0, 0)
    assert store.latest() == []
    assert told(store) == before
    assert store.unheard({FLOW: NOW * 2}, 9).settled == ()
