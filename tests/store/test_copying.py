"""A store copied to another database: all of it as it was, and what it goes on from."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatewatch.checks.looping import change, failure, item, label, mine
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb, trends_agree_with_rows
from gatewatch.core.errors import StoreBusy, StoreError
from gatewatch.store import access, copying
from gatewatch.store.database import Database
from gatewatch.store.looping import Mined
from gatewatch.store.rows import TIER_S, Settled, Thinned
from gatewatch.store.sql import SQLStore
from gatewatch.store.sqlite_file import SQLiteDatabase
from store.postgres import a_database

Make = Callable[[Path], Database]


def sqlite(path: Path) -> Database:
    return SQLiteDatabase.open(path)


def postgres(path: Path) -> Database:
    return a_database()


@pytest.fixture(params=[(sqlite, postgres), (postgres, sqlite), (sqlite, sqlite), (postgres, postgres)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    source, target = (make(tmp_path / f"{n}.db") for n, make in enumerate(request.param))
    for each in (source, target):
        SQLStore(each)
    with closing(source), closing(target):
        yield source, target


def fill(db: Database) -> SQLStore:
    store = SQLStore(db)
    work = planned(store, *(f"a\x00{n}" for n in range(12)))
    take(store, request("\ud800", session="s", payload=b"\x00\xff" * 99, marks=3), said=[thumb("1", "nobody")])
    first, second, *_ = lease(store, work)
    store.reserve("day", 1.0, 0.5, first.task)
    store.settle([Settled(second.task, second.attempt, judged(0.25))], NOW)
    store.thin([Thinned(row.seq, row.marks, 0.5, gone=row.seq == 1) for row in store.held(NOW + 9, 3)])
    mine(store, Mined(failure=failure("a\x00"), items=[(item("\ud800", user="\ud800", needed=2), b"\x00\xff" * 99)]))
    store.label(label(1, "ana\x00"), NOW)
    store.claim("bob", NOW, NOW + 60)
    store.propose([change("k"), change("\ud800")], NOW)
    store.turn_change(1, "withdrawn", NOW)
    return store


def everything(store: SQLStore) -> object:
    rows = store.latest(most=100)
    by_request = [(row, store.payload(row.seq), store.scores(row.seq), store.tasks(row.seq)) for row in rows]
    trends = [(store.signals(FLOW, tier, 0, NOW * 2), store.cells(FLOW, tier, 0, NOW * 2)) for tier in TIER_S]
    counts = store.counts()
    loop = store.failures(), store.items(), store.item_trace(1), store.labels([1]), store.changes(), store.mined_at()
    return (
        loop,
        by_request,
        trends,
        store.works(),
        store.spent("day"),
        store.spend(0, NOW * 2),
        counts.tasks,
        counts.payloads,
    )


def test_a_copy_is_what_was_copied_and_goes_on_from_there(pair: tuple[Database, Database]) -> None:
    source, target = pair
    store = fill(source)
    said: dict[str, int] = {}
    copying.copy(source, target, said.__setitem__)
    copy = SQLStore(target)
    assert everything(copy) == everything(store)
    assert (said["trace"], said["payload"], said["parked"], said["erasure"]) == (13, 12, 1, 0)
    assert (said["failure"], said["item"], said["label"], said["change"]) == (1, 1, 2, 2)
    assert copy.claim("eve", NOW + 59, NOW + 99) is None  # a claim goes with it
    assert [kept.id for kept, _ in copy.propose([change("k")], NOW)] == [3]
    before = source.execute("SELECT max(id) FROM task")[0][0]
    planned(copy, "later")
    assert copy.latest()[0].seq == 14
    assert target.execute("SELECT max(id) FROM task")[0][0] > before
    copy.work(FLOW, "another", "n" * 12, "rule")
    trends_agree_with_rows(copy)


def test_numbers_that_were_given_once_are_not_given_again(pair: tuple[Database, Database]) -> None:
    source, target = pair
    fill(source)
    last = source.execute("SELECT max(id) FROM task")[0][0]
    source.execute("DELETE FROM task")
    copying.copy(source, target, lambda table, n: None)
    planned(SQLStore(target), "later")
    assert target.execute("SELECT min(id) FROM task")[0][0] > last


def test_a_target_that_is_not_empty_is_refused_and_left(pair: tuple[Database, Database]) -> None:
    source, target = pair
    fill(source)
    take(SQLStore(target), request("mine"))
    with pytest.raises(StoreError, match=r"is not empty \(there is something in \w+\): copy to a new one"):
        copying.copy(source, target, lambda table, n: None)
    assert [row.id for row in SQLStore(target).latest()] == ["mine"]


def test_a_copy_that_is_interrupted_leaves_nothing(pair: tuple[Database, Database]) -> None:
    source, target = pair
    fill(source)

    def stop(table: str, n: int) -> None:
        if table == "trace":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy(source, target, stop)
    assert SQLStore(target).counts().traces == 0
    copying.copy(source, target, lambda table, n: None)


def test_without_its_tokens_nothing_is_copied(pair: tuple[Database, Database], tmp_path: Path) -> None:
    source, target = pair
    store = fill(source)
    access.create(source, project="p", role="read", now=NOW)
    with closing(sqlite(tmp_path / "base.db")) as base:
        SQLStore(base)
        with closing(SQLiteDatabase.open(tmp_path / "base.db", busy_s=0.1)) as other:
            with base.transaction(), pytest.raises(StoreBusy):
                copying.copy(source, target, lambda *_: None, bases=(source, other), project="p")
            assert SQLStore(target).latest() == []
            assert copying.copy(source, target, lambda *_: None, bases=(source, other), project="p") == 1
        assert [each.project for each in access.tokens(base)] == ["p"]
    assert everything(SQLStore(target)) == everything(store)


def test_tokens_may_go_where_the_store_goes(pair: tuple[Database, Database]) -> None:
    source, target = pair
    fill(source)
    for name in ("other", "p"):
        access.create(source, project=name, role="read", now=NOW)
    assert copying.copy(source, target, lambda *_: None, bases=(source, target), project="p") == 1
    assert [each.project for each in access.tokens(target)] == ["p"]
