"""The store keeps the same whatever the order in which things arrive, and however often they do."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.checks.traffic import NOW, request, take, thumb
from gatewatch.store.rows import Arrival, Said
from store.making import a_store

NAMES = range(4)
THINGS: list[Arrival | Said] = [
    *(
        request(f"{n}", session=f"s{n % 2}", external_id=f"e{n}", at=NOW + n * 2000, cost=0.1 * n, marks=n % 2)
        for n in NAMES
    ),
    *(thumb(f"a{n}", f"{n}", up=n % 2 == 0, at=NOW + n) for n in NAMES),
    *(thumb(f"b{n}", external_id=f"e{n}", up=n % 3 == 0, at=NOW + 2) for n in NAMES),
    thumb("c", "never arrives"),
]


def all_there_is(things: list[Arrival | Said], cuts: list[int]) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder:
        store = a_store(Path(folder))
        for start, end in zip([0, *cuts], [*cuts, len(things)], strict=True):
            some = things[start:end]
            said = tuple(each for each in some if isinstance(each, Said))
            take(store, *(each for each in some if isinstance(each, Arrival)), said=said)
        rows = sorted(((row.id, replace(row, seq=0), store.scores(row.seq)) for row in store.latest()), key=repr)
        sessions = sorted((replace(each, first=0) for each in store.ended("support", NOW * 2, 99)), key=repr)
        signals = [store.signals("support", tier, 0, NOW * 2) for tier in ("minute", "hour", "day")]
        cells = [store.cells("support", tier, 0, NOW * 2) for tier in ("minute", "hour", "day")]
        parked = store.counts().parked
        store.close()
    return rows, sessions, signals, cells, parked


EXPECTED = all_there_is(THINGS, [])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_order_and_any_repetition_give_the_same(data: st.DataObject) -> None:
    more = data.draw(st.lists(st.sampled_from(THINGS), max_size=6))
    order = data.draw(st.permutations(THINGS + more))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=6)))
    assert all_there_is(order, cuts) == EXPECTED
