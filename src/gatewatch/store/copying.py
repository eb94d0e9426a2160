"""Copying a store to another database: all of it or nothing, as it was at one moment."""

from collections.abc import Callable

from gatewatch.core.errors import StoreError
from gatewatch.store import schema
from gatewatch.store.database import Database
from gatewatch.store.payloads import KEPT

_NOT_COPIED = {
    "project",
    "token",
    "visit",
    "worker",
}  # of the base, not of a project; signs of life, which are of there
_MADE_WITH_ROWS = {"meta"}


def copy(
    source: Database,
    target: Database,
    said: Callable[[str, int], None],
    *,
    bases: tuple[Database, Database] | None = None,
    project: str = "",
) -> int:
    """Copy a store into one that is empty, with the project's tokens where the bases of the two are given, and tell of
    each table how many rows that was. Gives how many tokens are new there.

    Raises:
        StoreError: the target is not empty, one of the two is of another version, or what arrived is not what was sent;
            the target is as it was.
    """
    look_at(source)
    schema.ready(target)
    with source.transaction(write=False), target.transaction(patient=True):
        tables = {name: columns for name, columns in source.tables().items() if name not in _NOT_COPIED}
        for name in tables:
            if name not in _MADE_WITH_ROWS and target.execute(f"SELECT 1 FROM {name} LIMIT 1"):
                raise StoreError(f"{target.name}: is not empty (there is something in {name}): copy to a new one")
        for name, columns in tables.items():
            target.execute(f"DELETE FROM {name}")
            _copy(source, target, name, columns)
            sent, arrived = (db.execute(f"SELECT count(*) FROM {name}")[0][0] for db in (source, target))
            if sent != arrived:
                raise StoreError(f"{target.name}: of {sent} rows of {name} {arrived} arrived; nothing was kept")
            said(name, arrived)
        target.go_on_from(source.numbers())
        if bases is None:
            return 0
        base, other = bases  # at last: tokens without a store harm nobody, and are there when it is copied again
        return _copy_tokens(base, target if other.name == target.name else other, project)


def look_at(db: Database) -> None:
    """See whether a database can be copied.

    Raises:
        StoreError: it is empty, or of another version.
    """
    found = schema.status(db)
    if not found.version:
        raise StoreError(f"{db.name}: nothing was ever stored there: there is nothing to copy")
    if found.missing:
        raise StoreError(f"{db.name}: it is of an older version: run `gatewatch db migrate` on it first")


def _copy_tokens(source: Database, target: Database, project: str) -> int:
    """Copy a project's tokens from one base to another, and say how many are new there."""
    columns = "id, project, role, note, hash, at, until, revoked, used"
    found = source.execute(f"SELECT {columns} FROM token WHERE project = ? ORDER BY id", project)
    marks = ", ".join("?" * len(columns.split(",")))
    return target.executemany(f"INSERT INTO token ({columns}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING", found)


def _copy(source: Database, target: Database, name: str, columns: tuple[str, ...]) -> None:
    statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for rows in source.batches(f"SELECT {', '.join(columns)} FROM {name}"):
        target.executemany(statement, rows)
        if name == "payload":
            seqs = [row[columns.index("seq")] for row in rows]
            kept = source.among(f"SELECT seq FROM trace WHERE payload = {KEPT} AND seq IN {{}}", seqs)
            target.outlived([seq for (seq,) in kept])
