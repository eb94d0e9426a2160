"""A schema of PostgreSQL: who may use it when, what becomes of a connection that is lost, and what is said."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from gatewatch.checks.traffic import NOW, request, take, thumb, trends_agree_with_rows
from gatewatch.core.errors import StoreBusy, StoreError
from gatewatch.store import schema
from gatewatch.store.arriving import REFUSED
from gatewatch.store.open import open_store
from gatewatch.store.postgres import PostgresDatabase
from gatewatch.store.rows import Arrivals
from gatewatch.store.sql import SQLStore
from store.postgres import a_database, new_name, server


@pytest.fixture
def db() -> Iterator[PostgresDatabase]:
    made = a_database()
    with made.transaction():
        made.claim()
        made.execute("CREATE TABLE t (x BIGINT UNIQUE)")
    yield made
    made.close()


def other(db: PostgresDatabase, *, busy_s: float = 0.1) -> PostgresDatabase:
    return PostgresDatabase(server().address(), db.schema, busy_s=busy_s)


def kept(address: str, project: str) -> list[str]:
    with closing(open_store(address, project=project)) as store:
        return [row.id for row in store.latest()]


def cut(db: PostgresDatabase) -> None:
    """End the server's side of a connection."""
    pid = db._connection.info.backend_pid
    server().execute(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(db: PostgresDatabase) -> None:
    with pytest.raises(StoreError, match="duplicate key"), db.transaction():
        db.execute("INSERT INTO t VALUES (?)", 1)
        db.execute("INSERT INTO t VALUES (?)", 1)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("INSERT INTO t VALUES (?)", 1)
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), db.transaction():
        db.execute("INSERT INTO t VALUES (?)", 1)
        raise KeyboardInterrupt
    with db.transaction():
        assert db.executemany("INSERT INTO t VALUES (?)", [(2,), (3,)]) == 2
    assert db.execute("SELECT x FROM t ORDER BY x") == [(2,), (3,)]
    assert db.execute("DELETE FROM t WHERE x > ? RETURNING x", 2) == [(3,)]


def test_a_list_of_any_length_is_looked_up(db: PostgresDatabase) -> None:
    assert db.executemany("INSERT INTO t VALUES (?) ON CONFLICT DO NOTHING", [(n % 1300,) for n in range(1400)]) == 1300
    assert len(db.among("SELECT x FROM t WHERE x >= ? AND x IN {}", range(5000), 0)) == 1300
    assert db.among("SELECT x FROM t WHERE x IN {}", []) == []


def test_writers_take_turns_and_readers_see_what_was_there_at_their_first_look(db: PostgresDatabase) -> None:
    late = other(db)
    with db.transaction():
        db.execute("INSERT INTO t VALUES (1) RETURNING x")  # of one without an answer it is not waited for
        with pytest.raises(StoreBusy, match="others kept it locked"), late.transaction():
            late.execute("SELECT 1")
        with pytest.raises(StoreBusy):
            late.execute("INSERT INTO t VALUES (2)")
        assert late.execute("SELECT x FROM t") == []
    with late.transaction(write=False):
        assert late.execute("SELECT x FROM t") == [(1,)]
        db.execute("INSERT INTO t VALUES (2)")
        assert late.execute("SELECT x FROM t") == [(1,)]
    with pytest.raises(StoreBusy, match=r"cannot be reached .*read-only"), late.transaction(write=False):
        late.execute("INSERT INTO t VALUES (3) RETURNING x")
    with pytest.raises(StoreError, match="nothing can be kept"), late.transaction(), pytest.raises(StoreError):
        late.execute("SELECT x FROM nothing")
    late.close()


def test_a_lost_connection_is_made_anew_for_the_next_transaction_and_never_within_one(db: PostgresDatabase) -> None:
    db.execute("SELECT 1")
    cut(db)
    assert db.execute("SELECT 1") == [(1,)]
    with pytest.raises(StoreBusy, match="cannot be reached"), db.transaction():
        db.execute("INSERT INTO t VALUES (1) RETURNING x")
        cut(db)
        db.execute("INSERT INTO t VALUES (2) RETURNING x")
    with pytest.raises(StoreBusy, match="cannot be reached"), db.transaction():
        db.execute("INSERT INTO t VALUES (3) RETURNING x")
        cut(db)
    with db.transaction():
        db.execute("INSERT INTO t VALUES (4)")
    assert db.execute("SELECT x FROM t") == [(4,)]


def test_whoever_does_not_know_whether_it_was_kept_is_told_so(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreBusy, match="perhaps it is; try again: nothing counts twice"), db.transaction():
        db.execute("INSERT INTO t VALUES (1) RETURNING x")
        sync = db._pipeline.sync

        def cut_and_sync() -> None:
            cut(db)
            sync()

        monkeypatch.setattr(db._pipeline, "sync", cut_and_sync)
    assert db.execute("SELECT x FROM t") == [(1,)]  # the server did it before it was cut off


def test_nothing_is_left_in_the_session(db: PostgresDatabase) -> None:
    with db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
    db.execute("SELECT x FROM t")
    left = db._connection.execute("SELECT current_setting('search_path'), current_setting('statement_timeout')")
    assert left.fetchone() == ('"$user", public', "0")
    names = (
        "pg_prepared_statements",
        f"pg_locks WHERE locktype = 'advisory' AND pid = {db._connection.info.backend_pid}",
    )
    for name in names:
        assert db._connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() == (0,)


def test_threads_share_a_connection(db: PostgresDatabase) -> None:
    def add(n: int) -> None:
        with db.transaction():
            (before,) = db.execute("SELECT count(*) FROM t")[0]
            db.execute("INSERT INTO t VALUES (?)", before)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(100)))
    assert db.execute("SELECT count(*), max(x) FROM t") == [(100, 99)]


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("postgresql://me:s3cret@/none?host={host}", StoreError, "lets nobody in so .*does not exist"),
        ("postgresql://me:s3cret@/none?host=/nowhere", StoreBusy, "cannot be reached .*try again later"),
        ("postgresql://me:s3cret@/none?host={host}&sslmode=foo", StoreError, "address cannot be used .*sslmode"),
        ("postgresql://me:s3%zzcret@h/x", StoreError, "the address of the store cannot be read"),
        ("postgresql://me:s3cret@h/x?nonsense=1", StoreError, "the address of the store cannot be read"),
        ("postgresql://me:p@s3cret@h/x", StoreError, "the address of the store cannot be read"),
        ("postgresql://me:p/s3cret@h:5432/x", StoreError, "the address of the store cannot be read"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(
    address: str, kind: type[StoreError], message: str
) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(address.format(host=server().folder), project="a", busy_s=0.1)
    assert type(caught.value) is kind
    assert "s3" not in str(caught.value)


def test_a_schema_of_some_other_program_is_left_as_it_is() -> None:
    address = server().new_database()
    database = address.partition("?")[0].rpartition("/")[2]
    server().execute("CREATE SCHEMA gatewatch CREATE TABLE mine (x int)", database)
    with pytest.raises(StoreError, match="the schema 'gatewatch' is some other program's"):
        open_store(address, project="a")
    assert server().execute("SELECT count(*) FROM gatewatch.mine", database) == [(0,)]


def test_who_may_not_make_a_schema_is_told_so_and_can_be_given_one() -> None:
    address = server().new_database()
    name = new_name()
    server().execute(f"CREATE ROLE {name} LOGIN")
    with pytest.raises(StoreError, match=r"its user may not do that .*see to the rights"):
        open_store(address.replace("postgres@", f"{name}@"), project="a")
    database = address.partition("?")[0].rpartition("/")[2]
    server().execute(f"CREATE SCHEMA gatewatch AUTHORIZATION {name}", database)
    with closing(open_store(address.replace("postgres@", f"{name}@"), project="a")) as store:
        take(store, request("a"))


def test_a_database_that_has_no_place_for_all_text_is_refused() -> None:
    name = new_name()
    server().execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="keeps text in LATIN1"):
        open_store(server().address(name), project="a")


def test_a_later_schema_is_refused_by_name() -> None:
    db = a_database()
    SQLStore(db)
    db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    with pytest.raises(StoreError, match=r"a later Gatewatch wrote it \(schema 99"):
        schema.ready(db)
    db.close()


def test_many_that_start_at_once_make_the_tables_once_and_register_once() -> None:
    address = server().new_database()
    together = threading.Barrier(8)

    def start(n: int) -> str:
        together.wait()
        store = open_store(address, project=("a", "b")[n % 2], busy_s=60)
        take(store, request(f"{n}"))
        found = "".join(sorted(row.id for row in store.latest()))
        store.close()
        return found

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(start, range(8)))
    assert [sorted(kept(address, name)) for name in "ab"] == [["0", "2", "4", "6"], ["1", "3", "5", "7"]]


def test_a_migration_runs_once_however_many_ask_for_it() -> None:
    db = a_database()
    SQLStore(db)
    more = (*schema.STEPS, schema.Step("2027-01-01", "a note", ("ALTER TABLE work ADD COLUMN note TEXT",)))
    with pytest.raises(StoreError, match="run `gatewatch db migrate`"):
        schema.ready(db, more)
    each = [other(db, busy_s=60) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(lambda one: schema.migrate(one, more), each))
    for one in each:
        one.close()
    assert sorted(map(len, done)) == [0] * 5 + [1]
    broken = (*more, schema.Step("2027-02-02", "a slip", ("CREATE TABLE fine (x TEXT)", "CREATE TABEL slip (x)")))
    with pytest.raises(StoreError, match="syntax error"):
        schema.migrate(db, broken)
    assert schema.status(db, broken).version == len(more)
    assert db.execute("SELECT to_regclass('fine')::text") == [(None,)]
    db.close()


def test_projects_have_a_schema_each_and_the_first_has_the_base(caplog: pytest.LogCaptureFixture) -> None:
    address = server().new_database()
    for name in ("one", "two", "x" * 63):
        with closing(open_store(address, project=name)) as store:
            take(store, request(name))
    said = [each.getMessage() for each in caplog.records if "is new here" in each.getMessage()]
    assert len(said) == 2 and said[0].endswith("project two is new here, beside one")
    assert [kept(address, name) for name in ("one", "two", "x" * 63)] == [["one"], ["two"], ["x" * 63]]
    with pytest.raises(StoreError, match="is no name for a project"):
        open_store(address, project='x"; DROP')
    with pytest.raises(StoreError, match="is shared by projects, and none was named: there are one, two"):
        open_store(address)


def test_a_record_that_cannot_be_kept_is_set_aside_and_the_others_are_kept() -> None:
    odd = "".join(chr(0x1F300 + number * 7919 % 1700) for number in range(3000))  # what no index has room for
    with closing(SQLStore(a_database())) as store:
        found = store.take_in(
            Arrivals(
                (request("a"), request("b", flow=odd), request("c")),
                (thumb("1", "a"), thumb("2", odd), thumb("3", "c")),
                losses={"full": 3},
                segment="s-1",
                offset=100,
            ),
            NOW,
        )
        assert (found.traces, found.said, store.taken("s-1")) == (2, 2, 100)
        assert store.counts().losses == {"full": 3, REFUSED: 2}
        assert [row.id for row in store.latest()] == ["c", "a"]
        take(store, request("d"))
        trends_agree_with_rows(store)
