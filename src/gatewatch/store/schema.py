"""The tables, as a dated list of steps that only ever grows; a file says how many of them it has been through.

    2026-11-26  the first tables
    2026-11-26  many machines: projects and tokens, spans that wait for their trace, upstream sampling,
                back-fills, attempts that were paid for, runs, erasures
    2026-11-26  watching: versions and traits of requests, streams of conversations, alerts, markers, canaries
    2026-11-27  the loop: failures, items of review and their labels, changes that wait for a checkout
    2026-11-27  the pages: visits of people who signed in, and what was done apart from what was read

Times are in microseconds since the epoch, money in billionths of a dollar, values of scores in billionths where they
are added up: whole numbers, so that sums do not depend on the order in which things arrive.
"""

from collections.abc import Sequence

from msgspec import Struct

from gatewatch.core.errors import StoreVersion
from gatewatch.store import steps as texts
from gatewatch.store.database import Database


class Step(Struct, frozen=True):
    """A change of the tables: when and what, and its statements."""

    date: str
    what: str
    statements: tuple[str, ...]


def _statements(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(";") if each.strip())


STEPS: tuple[Step, ...] = (
    Step("2026-11-26", "the first tables", _statements(texts.FIRST)),
    Step("2026-11-26", "projects, tokens, spans, back-fills, runs, erasures", _statements(texts.SECOND)),
    Step("2026-11-26", "versions, streams of conversations, alerts, markers", _statements(texts.THIRD)),
    Step("2026-11-27", "failures, items of review, labels, changes for git", _statements(texts.FOURTH)),
    Step("2026-11-27", "visits of people who signed in", _statements(texts.FIFTH)),
)
"""Every step, oldest first. What stands here is never changed: a change is a new step."""
WITH_PROJECTS = 2
"""The version from which on projects may share an address."""


class Status(Struct, frozen=True):
    """How many steps a store has been through, and what the ones are that it has not."""

    version: int
    missing: tuple[Step, ...] = ()


def status(db: Database, steps: Sequence[Step] = STEPS) -> Status:
    """Where a store stands.

    Raises:
        StoreVersion: a later Gatewatch wrote it.
    """
    version = 0
    if db.has_tables():
        version = int(db.execute("SELECT value FROM meta WHERE key = 'schema'")[0][0])
    if version > len(steps):
        what = f"a later Gatewatch wrote it (schema {version}; this one reads up to {len(steps)})"
        raise StoreVersion(db.name, f"{what}: upgrade gatewatch to use it")
    return Status(version, tuple(steps[version:]))


def migrate(db: Database, steps: Sequence[Step] = STEPS) -> tuple[Step, ...]:
    """Bring a store's tables to the newest version, in one transaction, and give the steps that this took."""
    with db.transaction(patient=True):
        missing = status(db, steps).missing
        if len(missing) == len(steps):
            db.claim()
        for step in missing:
            for statement in step.statements:
                db.execute(statement)
        if missing and len(missing) < len(steps):
            db.go_on_from(db.numbers())  # a table that was made anew, with its rows, goes on from the last of them
        if missing:
            db.execute(
                "INSERT INTO meta (key, value) VALUES ('schema', ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                len(steps),
            )
    return missing


def ready(db: Database, steps: Sequence[Step] = STEPS) -> None:
    """Make the tables of a new file; refuse one whose tables are of another version.

    Raises:
        StoreVersion: for a later version's, and for an older one, which is never migrated without being asked.
    """
    found = status(db, steps)
    if not found.version:
        migrate(db, steps)
    elif found.missing:
        what = f"it is of an older version (schema {found.version}; this one needs {len(steps)})"
        raise StoreVersion(db.name, f"{what}: run `gatewatch db migrate`")
