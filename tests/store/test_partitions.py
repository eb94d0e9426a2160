"""Payloads by the day: where they lie, where they move, and when a partition goes."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from gatewatch.checks.traffic import request, take
from gatewatch.core.clock import wall
from gatewatch.store import partitions
from gatewatch.store.postgres import PostgresDatabase
from gatewatch.store.rows import Thinned
from gatewatch.store.sql import SQLStore
from store.postgres import a_database

DAY = 86_400


@pytest.fixture
def db() -> Iterator[PostgresDatabase]:
    with closing(a_database()) as made:
        SQLStore(made)
        yield made


def where(db: PostgresDatabase) -> dict[int, str]:
    found = db.execute("SELECT seq, CAST(CAST(tableoid AS regclass) AS TEXT) FROM payload ORDER BY seq")
    return dict(found)


def decided(store: SQLStore) -> list[Thinned]:
    """Of what came yesterday, every second payload goes."""
    return [Thinned(row.seq, row.marks, 0.5, gone=row.seq % 2 == 0) for row in store.held(wall() - DAY / 2, 9)]


def a_day_ago(db: PostgresDatabase) -> int:
    """Let what came today have come yesterday."""
    today = db.execute(f"SELECT {partitions.TODAY}")[0][0]
    table = partitions.table_of(today - 1)
    db.execute(f"CREATE TABLE {table} PARTITION OF payload FOR VALUES IN ({today - 1})")
    db.execute("UPDATE payload SET part = ? WHERE part = ?", today - 1, today)
    db.execute("UPDATE trace SET received = received - ?", DAY * 1_000_000)
    return int(today) - 1


def test_what_outlives_its_hold_moves_to_the_month_and_the_day_is_dropped_when_over(
    db: PostgresDatabase,
) -> None:
    store = SQLStore(db)
    take(store, *(request(f"{n}", payload=b"p" * 99) for n in range(4)), now=wall())
    day = a_day_ago(db)
    take(store, request("today"), now=wall())
    yesterday = partitions.table_of(day)
    assert list(where(db).values()) == [yesterday] * 4 + [partitions.table_of(day + 1)]
    assert store.thin(
        [Thinned(row.seq, row.marks, 0.5, row.seq % 2 == 0) for row in store.held(wall() - DAY / 2, 9)][:2]
    )
    month = where(db)[1]
    assert month.startswith("payload_kept_")
    store.expire(0, 0, 0)
    assert where(db) == {1: month, 3: yesterday, 4: yesterday, 5: partitions.table_of(day + 1)}
    assert store.thin(decided(store)) == 2
    assert day in partitions.parts(db)
    store.expire(0, 0, 0)
    assert day not in partitions.parts(db)
    assert where(db) == {1: month, 3: month, 5: partitions.table_of(day + 1)}
    assert store.payload(3) == b"p" * 99


def test_a_partition_with_something_in_it_is_never_dropped(db: PostgresDatabase) -> None:
    store = SQLStore(db)
    take(store, request("a"), now=wall())
    day = a_day_ago(db)
    db.execute("UPDATE trace SET payload = 0")  # as if nothing were held
    store.expire(0, 0, 0)
    assert day in partitions.parts(db)
    assert len(where(db)) == 1


def test_what_comes_when_nobody_kept_house_has_a_place_and_the_next_days_are_made(db: PostgresDatabase) -> None:
    store = SQLStore(db)
    for part in partitions.parts(db):
        db.execute(f"DROP TABLE {partitions.table_of(part)}")
    take(store, request("a"), now=wall())
    assert where(db) == {1: "payload_rest"}
    store.expire(0, 0, 0)
    today = db.execute(f"SELECT {partitions.TODAY}")[0][0]
    assert {today + 1, today + 2} <= set(partitions.parts(db))
    assert today not in partitions.parts(db)  # what is in the rest keeps it from being made
    take(store, request("b"), now=wall())
    assert where(db) == {1: "payload_rest", 2: "payload_rest"}
    store.expire(0, 0, 0)


@pytest.mark.parametrize(
    ("part", "name", "end"),
    [
        (0, "payload_19700101", "1970-01-02"),
        (20_783, "payload_20261126", "2026-11-27"),
        (-(2026 * 12 + 11), "payload_kept_202612", "2027-01-01"),
        (-(2026 * 12), "payload_kept_202601", "2026-02-01"),
    ],
)
def test_a_partition_is_named_by_its_time(part: int, name: str, end: str) -> None:
    from datetime import UTC, datetime

    assert partitions.table_of(part) == name
    assert datetime.fromtimestamp(partitions.end_of(part) / 1e6, UTC).date().isoformat() == end
