"""The loop's part of a store where many use it at once, or die over it: nothing is lost, nothing doubled."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.checks.looping import TRACE, change, failure, item, label, put
from gatewatch.checks.traffic import NOW
from gatewatch.core.review import Label
from gatewatch.store.base import Store
from gatewatch.store.labels import state_of
from gatewatch.store.looping import Mined
from gatewatch.store.sql import SQLStore
from store.making import a_store, backend
from store.postgres import server

__all__ = ["backend"]
WORKERS = 4


def together(folder: Path, work: Callable[[Store, str], Any]) -> list[Any]:
    """What some workers at once, each with a store of its own, come to."""
    a_store(folder).close()
    start = Barrier(WORKERS)

    def one(name: str) -> Any:
        with closing(a_store(folder, busy_s=60)) as store:
            start.wait()
            return work(store, name)

    with ThreadPoolExecutor(WORKERS) as threads:
        return list(threads.map(one, [f"w{n}" for n in range(WORKERS)]))


def reviewed(store: Store, by: str) -> list[int]:
    """The items that a reviewer was given, each of which they label."""
    given_: list[int] = []
    while found := store.claim(by, NOW, NOW + 60):
        given_.append(found.item.id)
        assert store.label(label(found.item.id, by), NOW) is not None
    return given_


@pytest.mark.parametrize("needed", [1, 3])
def test_reviewers_at_once_label_each_item_as_often_as_it_needs(tmp_path: Path, needed: int) -> None:
    store = a_store(tmp_path)
    put(store, *(item(f"{n}", needed=needed, severity=n % 3 / 2) for n in range(20)))
    given_ = Counter(number for each in together(tmp_path, reviewed) for number in each)
    assert given_ == dict.fromkeys(range(1, 21), needed)
    assert Counter(each.item for each in store.labels(range(1, 21))) == given_
    assert {each.state for each in store.items()} == {"settled"}
    store.close()


def test_claims_at_once_are_of_different_items(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    put(store, *(item(f"{n}") for n in range(3)))
    found = together(tmp_path, lambda store, by: store.claim(by, NOW, NOW + 60))
    assert sorted(each.item.id if each else 0 for each in found) == [0, 1, 2, 3]
    store.close()


def test_a_key_that_many_propose_at_once_is_there_once(tmp_path: Path) -> None:
    keys = [f"k{n}" for n in range(10)]
    found = together(tmp_path, lambda store, by: store.propose([change(key, suite=by) for key in keys], NOW))
    assert Counter(kept.key for each in found for kept, new in each if new) == dict.fromkeys(keys, 1)
    with closing(a_store(tmp_path)) as store:
        kept = store.changes()
        assert [each.key for each in kept] == keys
        assert all([one for one, _ in each] == kept for each in found)


def test_what_is_mined_at_once_is_kept_whole_by_one_at_a_time(tmp_path: Path) -> None:
    def mine(store: Store, name: str) -> int:
        tries = 0
        while True:
            tries, read_at = tries + 1, store.mined_at()
            there = [Mined(failure=each) for each in store.failures()]
            new = Mined(failure=failure(name, n=read_at), items=[(item(name), TRACE), (item("of all"), TRACE)])
            if store.keep_mined([*there, new], NOW, read_at=read_at) is not None:
                return tries

    tries = together(tmp_path, mine)
    with closing(a_store(tmp_path)) as store:
        assert store.mined_at() == WORKERS <= sum(tries)
        found = store.failures()
        assert sorted(each.n for each in found) == list(range(WORKERS))  # each saw all that was kept before it
        assert sorted(each.trace for each in store.items()) == ["of all", "w0", "w1", "w2", "w3"]
        (of_all,) = store.items(trace="of all")
        assert of_all.failure == found[-1].id


LABELLING = """
import sys
from gatewatch.checks.looping import label
from gatewatch.checks.traffic import NOW
from gatewatch.store.postgres import PostgresDatabase
from gatewatch.store.sql import SQLStore
from gatewatch.store.sqlite_file import SQLiteDatabase
from pathlib import Path

address, schema, by = sys.argv[1:]
db = PostgresDatabase(address, schema, busy_s=60) if schema else SQLiteDatabase.open(Path(address), busy_s=60)
store = SQLStore(db)
while found := store.claim(by, NOW, NOW + 60):
    store.label(label(found.item.id, by, value=float(by == "a")), NOW)
    print(found.item.id, flush=True)
"""


def test_reviewers_that_are_killed_leave_each_item_as_its_labels_say(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert isinstance(store, SQLStore)
    put(store, *(item(f"{n}", needed=2) for n in range(200)))
    schema = getattr(store._db, "schema", "")
    address = server().address() if schema else store._db.name
    running = [
        subprocess.Popen([sys.executable, "-c", LABELLING, address, schema, by], stdout=subprocess.PIPE, text=True)
        for by in "ab"
    ]
    told: dict[str, list[int]] = {"a": [], "b": []}
    for by, each in zip("ab", running, strict=True):
        assert each.stdout is not None
        told[by] = [int(each.stdout.readline()) for _ in range(5)]
    for by, each in zip("ab", running, strict=True):
        each.send_signal(signal.SIGKILL)
        told[by] += map(int, each.communicate()[0].split())
    kept = store.labels(range(1, 201))
    for by, numbers in told.items():
        assert set(numbers) <= {each.item for each in kept if each.by == by}
    assert len(kept) == len({(each.item, each.by) for each in kept})
    assert sum(map(len, told.values())) <= len(kept) <= sum(map(len, told.values())) + 2
    for one in store.items():
        assert one.state == state_of(2, [said for said in kept if said.item == one.id])
    assert {each.state for each in store.items()} >= {"disputed"}
    assert store.claim("c", NOW + 61, NOW + 99) is not None
    store.close()


values = st.one_of(st.none(), st.floats(0, 1))
said = st.builds(label, st.just(1), st.sampled_from("abc"), values, skipped=st.booleans(), settles=st.booleans())


@settings(deadline=None)
@given(needed=st.integers(1, 3), given_=st.lists(said, max_size=4, unique_by=lambda each: each.by))
def test_labels_settle_an_item_in_whatever_order(needed: int, given_: list[Label]) -> None:
    state = state_of(needed, given_)
    assert state == state_of(needed, given_[::-1])
    counting = [each for each in given_ if each.value is not None and not each.skipped]
    if state == "waiting":
        assert len(counting) < needed
    if state == "disputed":
        assert len({each.value >= 0.5 for each in counting if each.value is not None}) == 2
        assert not any(each.settles for each in counting)
    if any(each.settles and not each.skipped for each in given_):
        assert state == "settled"
