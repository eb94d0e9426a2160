"""The tables: a new file has the newest, an older one is brought up only when that is asked for."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewatch.checks.looping import TRACE, failure, item, mine
from gatewatch.checks.traffic import NOW, request, take
from gatewatch.checks.watching import alert, step
from gatewatch.core import codec
from gatewatch.core.errors import StoreError
from gatewatch.store import schema
from gatewatch.store.database import Database
from gatewatch.store.looping import Mined
from gatewatch.store.open import open_database
from gatewatch.store.rows import TIER_S
from gatewatch.store.sql import SQLStore
from gatewatch.store.sqlite_file import SQLiteDatabase
from store.making import a_store
from store.postgres import a_database

MORE = (*schema.STEPS, schema.Step("2027-01-01", "a note", ("ALTER TABLE work ADD COLUMN note TEXT",)))
BROKEN = (*MORE, schema.Step("2027-02-02", "a slip", ("CREATE TABLE fine (x)", "CREATE TABEL slip (x)")))
OLD_TRACE = (
    "INSERT INTO trace (seq, id, span_id, at, received, flow, session, slice, variant, tags, person, external_id, u,"
    " error, marks, late, payload) VALUES (1, 't1', '1', 5, 5, 'support', '', 'de', 'b', '', '', '', 0.5, '', 0, 0, 0)"
)
EMPTY = [b"\x80"] * 3
"""Histograms with nothing in them."""


def test_a_new_file_is_of_the_newest_version(tmp_path: Path) -> None:
    assert a_store(tmp_path).counts().schema == len(schema.STEPS)
    assert schema.status(open_database(tmp_path / "gatewatch.db")) == schema.Status(len(schema.STEPS))
    assert schema.status(open_database(tmp_path / "none.db")) == schema.Status(0, schema.STEPS)


def test_an_older_file_is_refused_until_it_is_migrated(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"))
    store.close()
    db = open_database(tmp_path / "gatewatch.db")
    with pytest.raises(StoreError, match=r"older version \(schema 5; this one needs 6\): run `gatewatch db migrate`"):
        schema.ready(db, MORE)
    assert schema.status(db, MORE) == schema.Status(5, MORE[5:])
    assert schema.migrate(db, MORE) == MORE[5:]
    assert schema.migrate(db, MORE) == ()
    schema.ready(db, MORE)
    assert db.execute("SELECT count(*), max(note) FROM trace LEFT JOIN work ON note <> ''") == [(1, None)]


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    a_store(tmp_path).close()
    db = open_database(tmp_path / "gatewatch.db")
    with pytest.raises(StoreError, match="syntax error"):
        schema.migrate(db, BROKEN)
    assert schema.status(db, BROKEN).version == 5
    assert db.execute("SELECT name FROM sqlite_schema WHERE name = 'fine'") == []


def test_steps_that_have_landed_never_change(tmp_path: Path) -> None:
    """What is in it made files that are out there: a change of the tables is a new step."""
    from gatewatch.core.codec import digest

    assert [digest(each.statements, 12) for each in schema.STEPS[:4]] == [
        "b9e776d7d1d4",
        "57588d1408a1",
        "2551f3c5b61d",
        "142eee8a4475",
    ]


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    a_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "gatewatch.db") as db:
        assert db.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"GWST"
    db.close()


@pytest.mark.parametrize("make", [SQLiteDatabase.open, lambda path: a_database()], ids=["sqlite", "postgres"])
def test_a_store_of_the_second_version_is_brought_up_with_all_that_is_in_it(
    tmp_path: Path, make: Callable[[Path], Database]
) -> None:
    db = make(tmp_path / "old.db")
    schema.migrate(db, schema.STEPS[:2])
    with pytest.raises(StoreError, match=r"schema 2; this one needs 5"):
        schema.ready(db)
    with db.transaction():
        db.execute(OLD_TRACE)
        db.execute("UPDATE meta SET value = 1 WHERE key = 'seq'")
        for number, scorer in ((3, ""), (7, "helpful")):
            db.execute("INSERT INTO series VALUES (?, 'support', 'de', 'b', ?, '', '')", number, scorer)
            for length in TIER_S.values():
                if scorer:
                    db.execute("INSERT INTO score_cell VALUES (7, ?, 0, 0.5, 2, 1000000000, 500000000, 0, 0)", length)
                else:
                    db.execute(
                        "INSERT INTO signal_cell VALUES (3, ?, 0, 1, 1, 0, 0, 0, 1, 0, 0, ?, ?, ?)", length, *EMPTY
                    )
        db.go_on_from({"series": 7})
    assert schema.migrate(db) == schema.STEPS[2:]
    store = SQLStore(db)
    row = store.find("t1")
    assert row is not None
    assert (row.slice, row.version, row.traits) == ("de", "", {})
    for tier in TIER_S:
        (signals,), (scores,) = store.signals("support", tier, 0, 1), store.cells("support", tier, 0, 1)
        assert (signals.slice, signals.variant, signals.version, signals.n) == ("de", "b", "", 1)
        assert (scores.scorer, scores.version, scores.n, scores.total) == ("helpful", "", 2, 1.0)
    take(store, request("new", slice="de", variant="b", versions={"model": "x"}))
    assert sorted(number for (number,) in db.execute("SELECT id FROM series")) == [3, 7, 8]
    heard = [[turn.id for turn in each.turns] for each in store.unheard({"support": NOW + 1}, 9).settled]
    assert heard == [["t1"], ["new"]]
    store.close()


@pytest.mark.parametrize("make", [SQLiteDatabase.open, lambda path: a_database()], ids=["sqlite", "postgres"])
def test_a_store_of_the_third_version_is_brought_up_with_all_that_is_in_it(
    tmp_path: Path, make: Callable[[Path], Database]
) -> None:
    db = make(tmp_path / "old.db")
    schema.migrate(db, schema.STEPS[:3])
    with pytest.raises(StoreError, match=r"schema 3; this one needs 5"):
        SQLStore(db)
    db = make(tmp_path / "old.db") if isinstance(db, SQLiteDatabase) else db
    with db.transaction():
        db.execute(OLD_TRACE)
        db.execute("UPDATE meta SET value = 7 WHERE key = 'steps'")
        body = codec.encode(alert("fell"))
        db.execute("INSERT INTO alert (key, flow, state, body) VALUES ('fell', 'support', 'open', ?)", body)
        db.go_on_from({"alert": 5})
    assert schema.migrate(db) == schema.STEPS[3:]
    assert db.execute("SELECT value FROM meta WHERE key = 'steps'") == [(7,)]
    store = SQLStore(db)
    assert store.find("t1") is not None
    assert store.mined_at() == 0
    (kept,) = mine(store, Mined(failure=failure(), items=[(item("t1"), TRACE)]))
    assert (kept.id, [each.trace for each in store.items(failure=1)]) == (1, ["t1"])
    step(store, alerts=[alert("rose")])
    assert [each.key for each in store.alerts()] == ["rose", "fell"]
    assert store.alerts()[0].id == 6
    store.close()


@pytest.mark.parametrize("make", [SQLiteDatabase.open, lambda path: a_database()], ids=["sqlite", "postgres"])
def test_a_store_of_the_fourth_version_is_brought_up_with_all_that_is_in_it(
    tmp_path: Path, make: Callable[[Path], Database]
) -> None:
    db = make(tmp_path / "old.db")
    schema.migrate(db, schema.STEPS[:4])
    with db.transaction():
        for action in ("read", "erase"):
            db.execute("INSERT INTO audit (at, who, action, what) VALUES (5, 'ana', ?, 'x')", action)
    assert schema.migrate(db) == schema.STEPS[4:]
    store = SQLStore(db)
    assert [line.action for line in store.audited()] == ["erase"]
    store.note(NOW, "ana", "label", "I1")
    assert [(line.action, line.id) for line in store.audited(reads=True)] == [("label", 3), ("erase", 2), ("read", 1)]
    store.close()
