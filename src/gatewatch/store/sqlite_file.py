"""A SQLite file with the habits a store needs, and the only place that knows the driver.

One file, a write-ahead log, every commit on the disk (`synchronous=FULL`). A transaction takes the right to write when
it begins, so that it never fails half-way for want of it.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from gatewatch.core.errors import StoreBusy, StoreError, StoreFull
from gatewatch.core.own import make_own
from gatewatch.store.database import Database, bound, unescaped

if TYPE_CHECKING:
    import sqlite3

_APPLICATION_ID = 0x47_57_53_54  # "GWST", in the file's header
_OLDEST = (3, 35)  # it has RETURNING
_CACHE_KB = 32_000
_MODE_PAUSE_S = 0.02
_BATCH = 1000  # rows


class SQLiteDatabase(Database):
    """A SQLite file that is open."""

    def __init__(self, path: Path, connection: "sqlite3.Connection", file: tuple[int, int]) -> None:
        self.path = path
        self._connection = connection
        self._file = file
        self._lock = RLock()

    @classmethod
    def open(cls, path: Path, *, busy_s: float = 5.0) -> "SQLiteDatabase":
        """Open a file, or make one without tables.

        Raises:
            StoreBusy: others kept it locked for all of `busy_s` seconds.
            StoreError: it is no file of ours, or cannot be used; it is left as it is.
        """
        import sqlite3

        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old for a store: 3.35 or later is needed")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            make_own(path)
            connection = sqlite3.connect(
                path, timeout=busy_s, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except OSError as error:
            raise StoreError(f"{path}: cannot be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            raise _told(path, error) from error
        try:
            _prepared(path, connection, busy_s)
        except sqlite3.Error as error:
            connection.close()
            raise _told(path, error) from error
        except BaseException:
            connection.close()
            raise
        connection.text_factory = unescaped
        found = path.stat()
        return cls(path, connection, (found.st_dev, found.st_ino))

    @property
    def name(self) -> str:
        """See `Database`."""
        return str(self.path)

    @contextmanager
    def transaction(self, *, write: bool = True, patient: bool = False) -> Iterator[None]:
        """See `Database`."""
        import sqlite3

        with self._lock:
            if write:
                self._is_there()
            self.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                raise

    def _is_there(self) -> None:
        """Refuse to write into a file that has no name any more, where nobody would find it."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            raise StoreError(f"{self.path}: the store was removed or replaced while it was in use: start again")

    def execute(self, statement: str, *values: Any) -> list[Any]:
        """See `Database`."""
        import sqlite3

        with self._lock:
            try:
                return self._connection.execute(statement, bound(values)).fetchall()
            except sqlite3.Error as error:
                raise _told(self.path, error) from error

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        """See `Database`."""
        import sqlite3

        with self._lock:
            try:
                return max(self._connection.executemany(statement, map(bound, rows)).rowcount, 0)
            except sqlite3.Error as error:
                raise _told(self.path, error) from error

    def claim(self) -> None:
        """Write into the file's header that it is ours."""
        self.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    def has_tables(self) -> bool:
        """See `Database`."""
        return bool(self.execute("SELECT 1 FROM sqlite_schema LIMIT 1"))

    def tables(self) -> dict[str, tuple[str, ...]]:
        """See `Database`."""
        found: dict[str, tuple[str, ...]] = {}
        for table, column in self.execute(
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c"
            " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid"
        ):
            found[table] = (*found.get(table, ()), column)
        return found

    def batches(self, statement: str) -> Iterator[list[Any]]:
        """See `Database`."""
        import sqlite3

        try:
            cursor = self._connection.execute(statement)
            while rows := cursor.fetchmany(_BATCH):
                yield rows
        except sqlite3.Error as error:
            raise _told(self.path, error) from error

    def numbers(self) -> dict[str, int]:
        """See `Database`."""
        return dict(self.execute("SELECT name, seq FROM sqlite_sequence"))

    def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """See `Database`; a table that is not in `sqlite_sequence` goes on from the largest number in it."""
        own = self.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")
        for name in {name for (name,) in own} & numbers.keys():
            before = self.execute("DELETE FROM sqlite_sequence WHERE name = ? RETURNING seq", name)
            last = max([numbers[name], *(each[0] for each in before)])
            self.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", name, last)

    def outlived(self, seqs: Sequence[int]) -> None:
        """Nothing is to be done: a file keeps all payloads in one place."""

    def size(self) -> int:
        """How many bytes the file has, its log included."""
        return sum(
            each.stat().st_size for each in (self.path, self.path.with_name(f"{self.path.name}-wal")) if each.exists()
        )

    def shrink(self, pages: int) -> int:
        """See `Database`."""
        import sqlite3

        with self._lock:
            try:  # the driver would stop after one page, but for a script
                self._connection.executescript(f"PRAGMA incremental_vacuum({pages:d})")
            except sqlite3.Error as error:
                raise _told(self.path, error) from error
            return self.free()

    def free(self) -> int:
        """How many pages of the file are free."""
        return int(self.execute("PRAGMA freelist_count")[0][0])

    def overwrite_deleted(self) -> None:
        """See `Database`."""
        self.execute("PRAGMA secure_delete = ON")

    def scrub(self, patience_s: float) -> bool:
        """See `Database`: the file is rebuilt, and its log is emptied. Others can read meanwhile."""
        deadline = time.monotonic() + patience_s
        with self._lock:
            while True:
                try:
                    self.execute("VACUUM")
                    break
                except StoreBusy:
                    if time.monotonic() > deadline:
                        raise
            while self.execute("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(_MODE_PAUSE_S)
        return True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def _prepared(path: Path, connection: "sqlite3.Connection", busy_s: float) -> None:
    """See whose the file is, and set its mode."""
    import sqlite3

    connection.execute("BEGIN")  # one view for both: another process may be making the file
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    connection.execute("COMMIT")
    if owner != _APPLICATION_ID and (owner or tables):
        raise StoreError(f"{path}: is a database of some other program; name another file")
    if not tables:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect only before the first page is written
    deadline = time.monotonic() + busy_s
    while True:
        try:  # SQLite does not wait its busy time for this one when two processes change the mode at once
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_MODE_PAUSE_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")


def _told(path: Path, error: "sqlite3.Error") -> StoreError:
    """An error of SQLite's in our words."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path}: another process keeps it locked ({error}); try again later")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"{path}: the disk is full, or its quota is; make room: nothing that was kept is lost")
    if code == sqlite3.SQLITE_IOERR:
        return StoreFull(f"{path}: the disk cannot be written or read ({error}); is it full?")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreError(
            f"{path}: cannot be opened for writing ({error}); see to the permissions of it and its folder"
        )
    if code == sqlite3.SQLITE_NOTADB:
        return StoreError(f"{path}: is not a database; name another file")
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreError(f"{path}: is damaged ({error}); it is left as it is: put a backup in its place")
    return StoreError(f"{path}: {error}")
