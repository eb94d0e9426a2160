"""Where PostgreSQL keeps payloads: in partitions by the day on which they came, so that old ones are dropped whole.

Payloads are the bulk of a store and the first to go. Those that outlive their hold move from the day's partition to the
month's. When a day is over and nothing of it is held any more, its partition is empty, and is dropped: the room is back
on the disk at once, and nothing is left to be vacuumed. docs/design/postgres.md says why it is so.

`part` is the number of a day since 1970, or, below 0, that of a month. Partitions are made some days ahead; what comes
when nobody kept house for longer goes to `payload_rest`.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from gatewatch.core.errors import StoreBusy
from gatewatch.store.database import Database
from gatewatch.store.payloads import HELD

TODAY = "CAST(floor(extract(epoch FROM now()) / 86400) AS INTEGER)"
_DAY_US = 86_400_000_000
_AHEAD = 2  # days
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = "SELECT set_config('lock_timeout', '200', true)"  # who reads payloads waits no longer for a drop than this

TABLES = (
    f"CREATE TABLE payload (seq BIGINT NOT NULL, body BYTEA NOT NULL, part INTEGER NOT NULL DEFAULT {TODAY},"
    " PRIMARY KEY (seq, part)) PARTITION BY LIST (part)",
    "ALTER TABLE payload ALTER COLUMN body SET STORAGE EXTERNAL",  # it is compressed already
    "CREATE TABLE payload_rest PARTITION OF payload DEFAULT",
    "ALTER TABLE payload ALTER COLUMN body SET STATISTICS 0",  # what is in no statistics need not be erased from them
)
"""What makes the table."""


def made_ahead(db: Database) -> None:
    """Make the partitions of these days, within the caller's transaction."""
    today = _today(db)
    days = range(today, today + _AHEAD + 1)
    wanted = [*days, *sorted({_month(day) for day in (today, today + 31)}, reverse=True)]
    there = set(parts(db))
    for part in wanted:
        if part not in there and not db.execute("SELECT 1 FROM payload_rest WHERE part = ? LIMIT 1", part):
            never = " WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)" if part >= 0 else ""
            db.execute(f"CREATE TABLE {table_of(part)} PARTITION OF payload FOR VALUES IN ({part}){never}")
            db.execute(f"ALTER TABLE {table_of(part)} ALTER COLUMN body SET STATISTICS 0")


def moved(db: Database, seqs: Sequence[int]) -> None:
    """Move payloads to the partition of this month."""
    if seqs:
        db.among(f"UPDATE payload SET part = {_month(_today(db))} WHERE seq IN {{}}", seqs)


def tidied(db: Database) -> None:
    """Make the partitions of these days, and drop those that are over and empty."""
    today = _today(db)
    over = {part for part in parts(db) if (0 <= part < today) or (part < 0 and part > _month(today))}
    if not {*range(today, today + _AHEAD + 1), _month(today)} <= set(parts(db)):
        with db.transaction():
            made_ahead(db)
    if not over:
        return
    held = db.execute(f"SELECT received FROM trace WHERE payload = {HELD} ORDER BY seq LIMIT 1")
    oldest = db.execute("SELECT received FROM trace ORDER BY seq LIMIT 1")
    for part in sorted(over):
        first = held if part >= 0 else oldest
        if first and first[0][0] < end_of(part):  # something of it is there: it is not gone through to find that out
            continue
        with suppress(StoreBusy), db.transaction():
            db.execute(_LOCK)
            if not db.execute(f"SELECT 1 FROM {table_of(part)} LIMIT 1"):
                db.execute(f"DROP TABLE {table_of(part)}")


def _today(db: Database) -> int:
    return int(db.execute(f"SELECT {TODAY}")[0][0])


def parts(db: Database) -> list[int]:
    """The partitions that there are."""
    found = db.execute(
        "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = to_regclass('payload')"
    )
    return [
        int(bound.split("'")[1] if "'" in bound else bound.split("(")[1].rstrip(")"))
        for (bound,) in found
        if bound != "DEFAULT"
    ]


def _month(day: int) -> int:
    date = _EPOCH + timedelta(days=day)
    return -(date.year * 12 + date.month - 1)


def table_of(part: int) -> str:
    """What a partition is called."""
    if part >= 0:
        return f"payload_{_EPOCH + timedelta(days=part):%Y%m%d}"
    return f"payload_kept_{-part // 12}{-part % 12 + 1:02d}"


def end_of(part: int) -> int:
    """When the day or month of a partition was over, in microseconds."""
    if part >= 0:
        return (part + 1) * _DAY_US
    year, month = divmod(1 - part, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
