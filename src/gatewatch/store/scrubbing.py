"""Taking what was deleted out of PostgreSQL's files: each table is written anew, and what is told of it looked up anew.

Each in a transaction of its own, in its turn among the writers and by a lock that is waited for only a moment: who
reads holds it up, and it must not hold up everybody else behind itself.
"""

import time
from typing import Protocol

from gatewatch.core.errors import StoreBusy
from gatewatch.store.database import Database

_LOCK_MS = 500
_PAUSE_S = 0.5
_LOCKED = "55P03"
_OF_SCHEMA = (
    " FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_index i ON i.indrelid = t.oid"
    " JOIN pg_class k ON k.oid = i.indexrelid WHERE nspname = ? AND t.relkind = 'r' AND indisprimary"
)
_NOW = "SELECT set_config('lock_timeout', ?, true), set_config('statement_timeout', '0', true)"


class Rewritten(Database, Protocol):
    """A database that knows how many deleted rows could not be left out of a table that was written anew."""

    @property
    def undead(self) -> int:
        """So many, of the last table."""
        ...


def scrub(db: Rewritten, schema: str, patience_s: float) -> bool:
    """Write every table of a schema anew (see `Database.scrub`)."""
    deadline = time.monotonic() + patience_s
    for table, key in db.execute(f"SELECT t.relname, k.relname{_OF_SCHEMA} ORDER BY t.relname", schema):
        while not _rewritten(db, schema, table, key):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_S)
    return True


def _rewritten(db: Rewritten, schema: str, table: str, key: str) -> bool:
    """Write a table anew, and say whether nothing of what was deleted is left; one that is gone has nothing."""
    try:
        with db.transaction():
            db.execute(_NOW, str(_LOCK_MS))
            if not db.execute(f"SELECT 1{_OF_SCHEMA} AND t.relname = ?", schema, table):
                return True
            db.execute(f'CLUSTER VERBOSE "{schema}"."{table}" USING "{key}"')
            db.execute(f'ANALYZE "{schema}"."{table}"')
    except StoreBusy as error:
        if getattr(error.__cause__, "sqlstate", None) != _LOCKED:
            raise
        return False
    return db.undead == 0
