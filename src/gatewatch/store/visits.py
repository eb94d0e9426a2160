"""Who is signed in: visits of people to the pages, which are in the base of a store.

A visit has a secret of 256 random bits, which the browser's cookie bears, and of which only a SHA-256 is kept. It may
be to several projects, by a token of each. It ends 12 hours after it was last heard of, after seven days at the most,
and with the token that it was begun with.
"""

import re
import secrets
from contextlib import suppress
from hashlib import sha256

from msgspec import Struct

from gatewatch.core.errors import StoreError
from gatewatch.store.access import Role
from gatewatch.store.database import Database
from gatewatch.store.units import from_micros, micros

IDLE_S = 12 * 3600.0
"""After how long without a word a visit ends, in seconds."""
LONGEST_S = 7 * 86_400.0
"""How long a visit lasts at the most, in seconds."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_SEEN_EVERY_S = 60.0
_GOOD = (
    "visit LEFT JOIN token ON token.id = visit.token WHERE visit.until > ? AND visit.seen > ?"
    " AND (visit.token = '' OR (token.revoked = 0 AND (token.until = 0 OR token.until > ?)))"
)
"""Visits that go on."""


class Place(Struct, frozen=True):
    """A project that a visit is to, its role there, and the token that gave it ("" for the link of a server)."""

    project: str
    role: Role
    token: str


class Visit(Struct, frozen=True):
    """A visit that goes on: whose it is, and to where, the project first that it began with. `id` is a hash."""

    id: str
    who: str
    places: tuple[Place, ...]


class Guest(Struct, frozen=True):
    """Who is signed in to a project, as an admin sees it. Times are in seconds since the epoch."""

    who: str
    role: Role
    token: str
    begun: float
    seen: float
    until: float


def begin(db: Database, place: Place, who: str, now: float, *, before: str = "") -> str:
    """Begin a visit, and give its secret.

    `before` is the secret of an earlier visit in the same browser. It ends; where it was the same person's, its other
    places go on under the new secret, each for as long as it would have.
    """
    secret = secrets.token_urlsafe(32)
    id_, old, at = _hash(secret), _hash(before), micros(now)
    with db.transaction():
        db.execute("DELETE FROM visit WHERE until <= ?", at)
        if before:
            db.execute(
                "UPDATE visit SET id = ? WHERE id = ? AND who = ? AND project <> ?", id_, old, who, place.project
            )
            db.execute("DELETE FROM visit WHERE id = ?", old)
        db.execute(
            "INSERT INTO visit (id, project, token, role, who, begun, seen, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(id_, place.project, place.token, place.role, who, at, at, micros(now + LONGEST_S)),
        )
    return secret


def find(db: Database, secret: str, now: float) -> Visit | None:
    """The visit of a secret, with the places that are still good, if any. That it was seen is noted, once a minute at
    most."""
    if not _SECRET.fullmatch(secret):
        return None
    id_, at = _hash(secret), micros(now)
    found = db.execute(
        f"SELECT visit.project, visit.role, visit.token, visit.who, visit.seen FROM {_GOOD} AND visit.id = ?"
        " ORDER BY visit.begun, visit.project",
        *(*_good(now), id_),
    )
    if not found:
        return None
    if now - min(from_micros(row[4]) for row in found) >= _SEEN_EVERY_S:
        with suppress(StoreError):  # a store that cannot be written now is no reason to turn anybody away
            db.execute("UPDATE visit SET seen = ? WHERE id = ? AND seen < ?", at, id_, at)
    return Visit(id_, found[0][3], tuple(Place(*row[:3]) for row in found))


def guests(db: Database, project: str, now: float, most: int = 200) -> list[Guest]:
    """Who is signed in to a project, the newest first, at most so many."""
    found = db.execute(
        f"SELECT visit.who, visit.role, visit.token, visit.begun, visit.seen, visit.until FROM {_GOOD}"
        " AND visit.project = ? ORDER BY visit.begun DESC LIMIT ?",
        *(*_good(now), project, most),
    )
    return [Guest(who, role, token, *map(from_micros, times)) for who, role, token, *times in found]


def end(db: Database, secret: str) -> None:
    """End a visit."""
    db.execute("DELETE FROM visit WHERE id = ?", _hash(secret))


def end_those_to(db: Database, project: str) -> int:
    """End every visit to a project, and say how many those were."""
    return db.executemany("DELETE FROM visit WHERE project = ?", [(project,)])


def _good(now: float) -> tuple[int, int, int]:
    return micros(now), micros(now - IDLE_S), micros(now)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
