"""Who looked at what, or had it erased or exported: lines that are only ever added."""

from msgspec import Struct

from gatewatch.store.database import Database
from gatewatch.store.units import from_micros, micros


class Audited(Struct, frozen=True):
    """A line of the audit: when, who, what was done, and to what; and its number."""

    at: float
    who: str
    action: str
    what: str
    id: int = 0


def note(db: Database, at: float, who: str, action: str, what: str) -> None:
    """Add a line: when (seconds since the epoch), who, what was done ("read", "export", "erase" ...), and to what.

    `what` names a request by its id, and a person only by a digest: lines outlive what they speak of.
    """
    db.execute(
        "INSERT INTO audit (at, who, action, what) VALUES (?, ?, ?, ?)",
        *(micros(at), who, action, what),
    )


def entries(db: Database, since: float, most: int) -> list[Audited]:
    """The newest lines from a time on, at most so many, newest first."""
    found = db.execute(
        "SELECT at, who, action, what, id FROM audit WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?",
        *(micros(since), most),
    )
    return [Audited(from_micros(at), *rest) for at, *rest in found]


def page(db: Database, *, before: int = 0, most: int = 48, reads: bool = False) -> list[Audited]:
    """Lines by their numbers, those that were noted last first: at most so many, of those before a number (0: from the
    newest on). Most lines say that something was read: they are there with `reads` alone."""
    only = "" if reads else " AND action <> 'read'"
    found = db.execute(
        f"SELECT at, who, action, what, id FROM audit WHERE id < ?{only} ORDER BY id DESC LIMIT ?",
        *(before or 2**62, most),
    )
    return [Audited(from_micros(at), *rest) for at, *rest in found]
