"""A schema of a PostgreSQL database, as a place for a store.

Writers of a schema take turns, by an advisory lock that ends with the transaction: they change the same sums, and the
order of requests must be that in which they became visible. Nothing is kept in the session, so that a pooler may give
each transaction another one. Statements are sent without waiting for those that answer nothing. A connection that was
lost is made anew for the next transaction, never within one.
"""

import math
import re
import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from threading import RLock
from typing import TYPE_CHECKING, Any

from gatewatch.core.errors import StoreBusy, StoreError
from gatewatch.store import partitions, scrubbing
from gatewatch.store.database import Database, bound
from gatewatch.store.dialect import tables, together, translated
from gatewatch.store.postgres_driver import connected, is_lost, name_of, parsed, told

if TYPE_CHECKING:
    import psycopg

BASE = "gatewatch"
"""The schema that the base of a store has."""
_BATCH = 1000  # rows
_STATEMENT_S = 120
_PATIENT_S = 600
_IDLE_S = 60  # that a process may think within a transaction: one that was stopped does not block the others for ever
_HABITS = {
    "application_name": "gatewatch",
    "client_encoding": "utf8",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_OF_A_TABLE = (
    " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = c.oid"
    " WHERE nspname = ? AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped"
)
_COLUMNS = (
    f"SELECT relname, attname{_OF_A_TABLE} AND NOT relispartition AND (relname, attname) <> ('payload', 'part')"
    " ORDER BY relname, attnum"
)
_SEQUENCE = "pg_get_serial_sequence(format('%I.%I', nspname, relname), attname)"
_NUMBERED = (
    f"SELECT relname, attname, {_SEQUENCE}, pg_sequence_last_value(CAST({_SEQUENCE} AS regclass)){_OF_A_TABLE}"
    " AND attidentity <> ''"
)
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"  # each statement sees all that was kept before the lock
# A time-out while the standby is waited for would make of what was kept here, and perhaps not there, a success.
_COMMIT = ("SET LOCAL statement_timeout = 0", "COMMIT")


class PostgresDatabase(Database):
    """A schema that is open; it need not be there yet."""

    def __init__(self, address: str, schema: str = BASE, *, busy_s: float = 5.0) -> None:
        """Nothing is asked of the server yet.

        Raises:
            StoreError: the driver is not installed, or the address cannot be read.
        """
        parts = parsed(address)
        self.schema = schema
        self._name = name_of(parts, "" if schema == BASE else schema)
        self._parts = _HABITS | {"connect_timeout": max(5, math.ceil(busy_s))} | parts
        self._lock = RLock()
        self._open: ExitStack | None = None
        self._connection: psycopg.Connection[tuple[Any, ...]]
        self._pipeline: psycopg.Pipeline
        self._inside = self._failed = False
        self._warning, self._undead = "", 0
        key = int.from_bytes(blake2b(f"gatewatch:{schema}".encode(), digest_size=8).digest(), "big", signed=True)
        lock = f", pg_advisory_xact_lock({key})"
        self._reading = _limits(schema, statement_s=_STATEMENT_S, lock_s=busy_s)
        self._writing = self._reading + lock
        self._changing = _limits(schema, statement_s=0, lock_s=max(busy_s, _PATIENT_S)) + lock

    @property
    def name(self) -> str:
        """See `Database`."""
        return self._name

    @contextmanager
    def transaction(self, *, write: bool = True, patient: bool = False) -> Iterator[None]:
        """See `Database`."""
        with self._lock:
            if self._inside:
                raise StoreError(f"{self.name}: a transaction was begun within another")
            self._begin(
                _WRITE if write else _READ, self._changing if patient else self._writing if write else self._reading
            )
            self._inside = True
            try:
                with self._telling():
                    yield
                    self._commit()
            except BaseException as error:
                self._undo(whole=isinstance(error, Exception))
                raise
            finally:
                self._inside = False

    def execute(self, statement: str, *values: Any) -> list[Any]:
        """See `Database`."""
        reads = statement.startswith(("SELECT", "EXPLAIN", "SHOW", "FETCH"))
        with self._lock:
            if not self._inside:
                return self._alone(statement, values) if reads else self._in_one(statement, values)
            with self._telling():
                if statement.startswith(("CREATE", "ALTER")):
                    for each in tables(statement):
                        self._send(each)
                    if statement.startswith("CREATE TABLE payload "):
                        partitions.made_ahead(self)
                    return []
                cursor = self._send(translated(statement), values)
                return cursor.fetchall() if reads or " RETURNING " in statement else []

    def _in_one(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self.transaction():
            return self.execute(statement, *values)

    def _alone(self, statement: str, values: Sequence[Any]) -> list[Any]:
        """One look, for which the whole transaction is sent at once."""
        self._begin(_READ, self._reading)
        try:
            with self._telling():
                cursor = self._send(translated(statement), values)
                self._send("COMMIT")
                self._pipeline.sync()
                return cursor.fetchall()
        except BaseException as error:
            self._undo(whole=isinstance(error, Exception))
            raise

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        """See `Database`."""
        every = list(rows)
        if not every:
            return 0
        with self._lock:
            if not self._inside:
                with self.transaction():
                    return self.executemany(statement, every)
            with self._telling():
                done = [self._send(translated(one), values) for one, values in together(statement, every)]
                self._pipeline.sync()
                return sum(max(cursor.rowcount, 0) for cursor in done)

    def claim(self) -> None:
        """Make the schema, where it is not there."""
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", self.schema):
            self.execute(f"CREATE SCHEMA {_quoted(self.schema)}")

    def has_tables(self) -> bool:
        """See `Database`.

        Raises:
            StoreError: it has, and they are not a store's.
        """
        found = self.execute(
            "SELECT relname = 'meta' FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = ? AND relkind IN ('r', 'p', 'v', 'm')",
            self.schema,
        )
        if found and (True,) not in found:
            raise StoreError(f"{self.name}: the schema {self.schema!r} is some other program's; name another database")
        return bool(found)

    def tables(self) -> dict[str, tuple[str, ...]]:
        """See `Database`."""
        found: dict[str, tuple[str, ...]] = {}
        for table, column in self.execute(_COLUMNS, self.schema):
            found[table] = (*found.get(table, ()), column)
        return found

    def batches(self, statement: str) -> Iterator[list[Any]]:
        """See `Database`."""
        self.execute(f"DECLARE batches NO SCROLL CURSOR FOR {statement}")
        while rows := self.execute(f"FETCH {_BATCH} FROM batches"):
            yield rows
        self.execute("CLOSE batches")

    def numbers(self) -> dict[str, int]:
        """See `Database`."""
        return {table: last for table, _, _, last in self._numbered() if last is not None}

    def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """See `Database`."""
        for table, column, sequence, _ in self._numbered():
            largest = self.execute(f"SELECT coalesce(max({column}), 0) FROM {table}")[0][0]
            last = max(largest, numbers.get(table, 0))
            if last:
                self.execute("SELECT setval(CAST(CAST(? AS TEXT) AS regclass), ?)", sequence, last)

    def _numbered(self) -> list[Any]:
        """The columns that are given numbers: table, column, sequence, the last number."""
        return self.execute(_NUMBERED, self.schema)

    def outlived(self, seqs: Sequence[int]) -> None:
        """Move them to where payloads are kept for longer."""
        partitions.moved(self, seqs)

    def size(self) -> int:
        """See `Database`."""
        return int(
            self.execute(
                "SELECT CAST(coalesce(sum(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ? AND relkind IN ('r', 'm')",
                self.schema,
            )[0][0]
        )

    def shrink(self, pages: int) -> int:
        """Drop what partitions are over. PostgreSQL gives the rest back by itself."""
        partitions.tidied(self)
        return 0

    def free(self) -> int:
        """None: PostgreSQL fills them by itself."""
        return 0

    def overwrite_deleted(self) -> None:
        """PostgreSQL does not: `scrub` takes it out of the tables."""

    def scrub(self, patience_s: float) -> bool:
        """See `Database`: every table is written anew. What the server's log has of it goes as its segments do."""
        return scrubbing.scrub(self, self.schema, patience_s)

    @property
    def undead(self) -> int:
        """How many deleted rows the last table that was written anew still has: somebody may be looking at them."""
        return self._undead

    def close(self) -> None:
        """See `Database`."""
        with self._lock:
            self._drop()

    # The connection

    def _begin(self, kind: str, limits: str) -> None:
        """Begin a transaction, on another connection where the one that there was is lost."""
        import psycopg

        if self._open is not None and (_is_told_something(self._connection)):
            self._drop()
        for again in (self._open is None, True):
            try:
                if self._open is None:
                    self._connect()
                self._warning = ""
                self._send(kind)
                self._send(limits)
                return
            except psycopg.Error as error:
                self._drop()
                if again:
                    raise told(self.name, error) from error
            except BaseException:
                self._drop()
                raise

    def _connect(self) -> None:
        self._connection = connected(self._parts)
        self._connection.add_notice_handler(self._noticed)
        self._open = ExitStack()
        self._open.callback(self._connection.close)
        encoding = self._connection.info.parameter_status("server_encoding")
        if encoding not in (None, "UTF8"):
            what = f"the database keeps text in {encoding}, which has no place for all of it"
            raise StoreError(f"{self.name}: {what}: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")
        self._pipeline = self._open.enter_context(self._connection.pipeline())
        self._failed = False

    def _drop(self) -> None:
        import psycopg

        if self._open is not None:
            opened, self._open = self._open, None
            self._connection.close()
            with suppress(psycopg.Error):
                opened.close()

    def _send(self, statement: str, values: Sequence[Any] = ()) -> "psycopg.Cursor[tuple[Any, ...]]":
        return self._connection.execute(statement, bound(values), binary=True)

    def _commit(self) -> None:
        import psycopg

        if self._failed:
            raise StoreError(f"{self.name}: a statement failed, so that nothing can be kept of its transaction")
        for each in _COMMIT[:-1]:
            self._send(each)
        try:
            done = self._send(_COMMIT[-1])
            self._pipeline.sync()
        except psycopg.Error as error:
            if is_lost(error):
                self._failed = True
                what = "the connection was lost while it was to be kept, and perhaps it is"
                raise StoreBusy(f"{self.name}: {what}; try again: nothing counts twice") from error
            raise
        if self._warning:  # the only one there is to a commit: the standby was not waited for
            what = f"it is kept, but perhaps not on the standby ({self._warning})"
            raise StoreBusy(f"{self.name}: {what}; try again: nothing counts twice")
        if done.statusmessage != "COMMIT":
            raise StoreError(f"{self.name}: a transaction could not be kept ({done.statusmessage})")

    def _undo(self, *, whole: bool) -> None:
        """Leave a transaction that was not kept; `whole` is false where it may have been left amidst an answer."""
        import psycopg

        if whole and not self._failed:
            with suppress(psycopg.Error):
                self._send("ROLLBACK")
                self._pipeline.sync()
                return
        self._drop()  # what else was sent is not worth to be waited for

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors of the driver's in our words."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            self._failed = True
            raise told(self.name, error) from error

    def _noticed(self, notice: "psycopg.errors.Diagnostic") -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warning = notice.message_primary or "a warning"
        elif notice.severity_nonlocalized == "INFO" and (found := re.match(r"\d+", notice.message_detail or "")):
            self._undead = int(found[0])


def _limits(schema: str, *, statement_s: float, lock_s: float) -> str:
    """What makes a transaction one of a schema's, and keeps it from waiting or lasting for ever."""
    settings = {
        "search_path": _quoted(schema),
        "lock_timeout": max(1, round(lock_s * 1000)),
        "statement_timeout": round(statement_s * 1000),
        "idle_in_transaction_session_timeout": _IDLE_S * 1000,
    }
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


def _quoted(schema: str) -> str:
    assert '"' not in schema and "'" not in schema, schema
    return f'"{schema}"'


def _is_told_something(connection: "psycopg.Connection[Any]") -> bool:
    """Whether a server has something to say that was not asked: that it goes, as a rule."""
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))
    except OSError:
        return True
