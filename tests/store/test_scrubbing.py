"""Nothing that was deleted stays in PostgreSQL's files, and nobody is held up by that for long."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from gatewatch.checks.traffic import request, take
from gatewatch.core.errors import StoreError
from gatewatch.store import scrubbing
from gatewatch.store.postgres import PostgresDatabase
from gatewatch.store.sql import SQLStore
from store.postgres import a_database, server

MIA = "mia-of-the-session"


@pytest.fixture
def db() -> Iterator[PostgresDatabase]:
    """A schema that somebody was in."""
    made = a_database()
    store = SQLStore(made)
    take(store, *(request(f"a{n}", session=MIA, u=0.1) for n in range(50)), request("b"))
    with made.transaction():
        for table in ("trace", "session", "payload"):
            made.execute(f'ANALYZE "{made.schema}".{table}')
    made.execute("DELETE FROM trace WHERE session = ?", MIA)
    made.execute("DELETE FROM session WHERE id = ?", MIA)
    yield made
    made.close()


def files_with_her(db: PostgresDatabase) -> list[str]:
    server().execute("CHECKPOINT")
    tables = [*(f'"{db.schema}".{name}' for name in ("trace", "session")), "pg_catalog.pg_statistic"]
    found = []
    for table in tables:
        ((path,),) = server().execute(f"SELECT pg_relation_filepath('{table}')")
        if MIA.encode() in (server().data / path).read_bytes():
            found.append(table)
    return found


def test_what_was_deleted_is_in_no_file_and_in_no_statistics(db: PostgresDatabase) -> None:
    assert files_with_her(db)
    assert db.scrub(30.0)
    assert files_with_her(db) == []
    assert db.execute("SELECT id FROM trace") == [("b",)]


@pytest.mark.parametrize("look", ["SELECT id FROM {}.trace", "SELECT 1 FROM {}.budget"])
def test_who_looks_for_long_is_told_of_and_holds_up_nobody_else(db: PostgresDatabase, look: str) -> None:
    with closing(PostgresDatabase(server().address(), db.schema)) as other:
        with other.transaction(write=False):
            other.execute(look.format(f'"{db.schema}"'))
            db.execute("DELETE FROM trace WHERE id = ?", "b")
            assert not db.scrub(0.0)
            take(SQLStore(db), request("c"))
        assert db.scrub(30.0)


def test_a_table_that_is_gone_meanwhile_has_nothing_of_it(db: PostgresDatabase) -> None:
    assert scrubbing._rewritten(db, db.schema, "payload_20250101", "payload_20250101_pkey")


def test_whoever_may_not_do_it_is_told_so(db: PostgresDatabase) -> None:
    server().execute(f"CREATE ROLE {db.schema}_guest LOGIN")
    server().execute(f'GRANT USAGE ON SCHEMA "{db.schema}" TO {db.schema}_guest')
    server().execute(f'GRANT ALL ON ALL TABLES IN SCHEMA "{db.schema}" TO {db.schema}_guest')
    address = server().address().replace("postgres@", f"{db.schema}_guest@")
    with closing(PostgresDatabase(address, db.schema)) as guest, pytest.raises(StoreError, match="may not do that"):
        guest.scrub(30.0)
