"""Tombstones: what of arrivals they keep out, in one look where nobody was ever erased."""

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import NOW, request, thumb
from gatewatch.core import codec
from gatewatch.core.erasure import Tombstone, mark_of
from gatewatch.store import tombstones
from gatewatch.store.database import Database
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrivals, Piece
from gatewatch.store.sql import SQLStore
from store.making import a_store, backend

__all__ = ["backend"]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = a_store(tmp_path)
    assert isinstance(made, SQLStore)
    yield made._db
    made.close()


def erased(db: Database, *names: tuple[str, ...]) -> None:
    tombstones.bury(db, (Tombstone(mark_of(*name), name[0], NOW) for name in names))  # type: ignore[arg-type]


def test_where_nobody_was_erased_all_comes_in(db: Database) -> None:
    arrivals = Arrivals((request("a", user="mia"),), (thumb("1", "a"),))
    kept_out = tombstones.KeptOut(db, arrivals)
    assert kept_out.without(db, arrivals, NOW) is arrivals and kept_out.number == 0


def test_a_request_that_stays_out_takes_what_hangs_on_it_along(db: Database) -> None:
    erased(db, ("user", "mia"))
    first = Arrivals((request("a", user="mia", external_id="ticket"), request("b", user="bob")))
    kept_out = tombstones.KeptOut(db, first)
    assert [each.trace.id for each in kept_out.without(db, first, NOW).traces] == ["b"]
    assert (kept_out.number, kept_out.again) == (1, [])
    later = Arrivals((request("a", span_id="2" * 16),), (thumb("1", "a"), thumb("2", external_id="ticket")))
    kept_out = tombstones.KeptOut(db, later)
    left = kept_out.without(db, later, NOW)
    assert left.traces == () and len(left.said) == 2  # what it is about is looked for first
    assert all(kept_out.refuses(said) for said in left.said) and kept_out.number == 3
    assert not kept_out.refuses(thumb("3", "b"))


def test_a_session_is_erased_of_one_flow_or_of_all(db: Database) -> None:
    erased(db, ("session", "support", "s"), ("session", "t"))
    arrivals = Arrivals(
        tuple(request(f"{flow}{s}", flow=flow, session=s) for flow in ("support", "other") for s in ("s", "t", "u"))
    )
    kept = tombstones.KeptOut(db, arrivals).without(db, arrivals, NOW)
    assert [each.trace.id for each in kept.traces] == ["supportu", "others", "otheru"]


def test_each_is_kept_once_the_oldest_first(db: Database) -> None:
    stones = [Tombstone(mark_of("user", name), "user", NOW - n) for n, name in enumerate("abc")]
    assert (tombstones.bury(db, stones), tombstones.bury(db, stones)) == (3, 0)
    assert tombstones.every(db) == stones[::-1] and tombstones.number(db) == 3
    assert tombstones.buried(db, [stones[0].mark, "0" * 32]) == {stones[0].mark}


def test_what_came_late_is_not_left_in_free_room_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    body = codec.encode({"user": "mia", "x": random.Random(1).randbytes(10_000).hex()})
    server, other = open_store(path), open_store(path)
    assert isinstance(server, SQLStore)
    server._db.execute("PRAGMA secure_delete = OFF")  # as in most builds of SQLite
    erase(other)
    other.close()
    server.stage([Piece("t", f"{n}", "", root=True, body=body) for n in range(5)], NOW)
    (found,) = server.gathered(NOW + 100, NOW + 100, 9)
    late = Arrivals((request("t", user="mia"),), settled=((found.trace, found.moved),))
    assert server.take_in(late, NOW + 200).erased == 1
    server.close()
    data = path.read_bytes()
    for kept in (body, zlib.compress(body, 1)):
        assert not any(kept[start : start + 64] in data for start in range(500, len(kept) - 600, 500))
