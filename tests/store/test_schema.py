"""The tables: a new file has the newest, an older one is brought up only when that is asked for."""

import sqlite3
from pathlib import Path

import pytest

from gatewatch.checks.traffic import request, take
from gatewatch.core.errors import StoreError
from gatewatch.store import schema
from gatewatch.store.open import open_database
from store.making import a_store

MORE = (*schema.STEPS, schema.Step("2027-01-01", "a note", ("ALTER TABLE work ADD COLUMN note TEXT",)))
BROKEN = (*MORE, schema.Step("2027-02-02", "a slip", ("CREATE TABLE fine (x)", "CREATE TABEL slip (x)")))


def test_a_new_file_is_of_the_newest_version(tmp_path: Path) -> None:
    assert a_store(tmp_path).counts().schema == len(schema.STEPS)
    assert schema.status(open_database(tmp_path / "gatewatch.db")) == schema.Status(len(schema.STEPS))
    assert schema.status(open_database(tmp_path / "none.db")) == schema.Status(0, schema.STEPS)


def test_an_older_file_is_refused_until_it_is_migrated(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"))
    store.close()
    db = open_database(tmp_path / "gatewatch.db")
    with pytest.raises(StoreError, match=r"older version \(schema 3; this one needs 4\): run `gatewatch db migrate`"):
        schema.ready(db, MORE)
    assert schema.status(db, MORE) == schema.Status(3, MORE[3:])
    assert schema.migrate(db, MORE) == MORE[3:]
    assert schema.migrate(db, MORE) == ()
    schema.ready(db, MORE)
    assert db.execute("SELECT count(*), max(note) FROM trace LEFT JOIN work ON note <> ''") == [(1, None)]


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    a_store(tmp_path).close()
    db = open_database(tmp_path / "gatewatch.db")
    with pytest.raises(StoreError, match="syntax error"):
        schema.migrate(db, BROKEN)
    assert schema.status(db, BROKEN).version == 3
    assert db.execute("SELECT name FROM sqlite_schema WHERE name = 'fine'") == []


def test_steps_that_have_landed_never_change(tmp_path: Path) -> None:
    """What is in it made files that are out there: a change of the tables is a new step."""
    from gatewatch.core.codec import digest

    assert [digest(each.statements, 12) for each in schema.STEPS[:2]] == ["b9e776d7d1d4", "57588d1408a1"]


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    a_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "gatewatch.db") as db:
        assert db.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"GWST"
    db.close()
