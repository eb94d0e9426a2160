"""Who may do what: projects and their tokens, which are in the base of a store.

Of a token only a SHA-256 is kept: its secret has 256 random bits, so that a slow hash would add nothing.
"""

import hmac
import re
import secrets
from contextlib import suppress
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from gatewatch.core.errors import InputError, Problem, StoreError, did_you_mean
from gatewatch.store.database import Database
from gatewatch.store.units import from_micros, micros

Role = Literal["ingest", "feedback", "read", "review", "admin"]
ROLES: dict[Role, str] = {
    "ingest": "i",
    "feedback": "f",
    "read": "r",
    "review": "v",
    "admin": "a",
}
"""The roles, each with the letter that its tokens bear."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What a project may be called."""

_TOKEN = re.compile(r"gw_([ifrva])_([0-9a-f]{10})_([0-9a-f]{64})")
_NOBODY = sha256(b"").hexdigest()
_USED_EVERY_S = 60.0


class Token(Struct, frozen=True, kw_only=True):
    """A token, without its secret. Times are in seconds since the epoch; 0 is never."""

    id: str
    project: str
    role: Role
    note: str = ""
    created: float
    expires: float = 0.0
    revoked: float = 0.0
    used: float = 0.0

    def flaw(self, now: float) -> str:
        """Why it is good for nothing any more, or nothing."""
        if self.revoked:
            return "was revoked"
        return "has expired" if self.expires and now >= self.expires else ""


# Projects


def register(db: Database, name: str, now: float) -> str:
    """The place of a project's part of a store; a new one is given one: the first the base itself, "".

    Raises:
        StoreError: for a name that no project can have.
    """
    lookup = "SELECT place FROM project WHERE name = ?"
    found = db.execute(lookup, name)
    if not found:
        if not NAME.fullmatch(name):
            what = f"{name!r} is no name for a project: small letters, digits, _ and -, at most 63"
            raise StoreError(f"{what}, a letter or digit first")
        with db.transaction():
            place = name if db.execute("SELECT 1 FROM project LIMIT 1") else ""
            db.execute(
                "INSERT INTO project (name, place, at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
                *(name, place, micros(now)),
            )
            found = db.execute(lookup, name)
    return str(found[0][0])


def projects(db: Database) -> list[str]:
    """The names of all projects, in the order in which they were registered."""
    return [name for (name,) in db.execute("SELECT name FROM project ORDER BY at, name")]


# Tokens


def create(
    db: Database, *, project: str, role: Role, now: float, note: str = "", expires: float = 0.0
) -> tuple[Token, str]:
    """A new token and its secret, which is told this once; the project is registered.

    Raises:
        StoreError: for a name that no project can have.
    """
    register(db, project, now)
    token = Token(id=secrets.token_hex(5), project=project, role=role, note=note, created=now, expires=expires)
    secret = f"gw_{ROLES[role]}_{token.id}_{secrets.token_hex(32)}"
    db.execute(
        "INSERT INTO token (id, project, role, note, hash, at, until, revoked, used)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
        *(token.id, project, role, note, _hash(secret), micros(now), micros(expires)),
    )
    return token, secret


def revoke(db: Database, name: str, now: float) -> Token:
    """End a token, named by its id or by its whole text, and the visits that it began. One that was revoked stays so.

    Raises:
        InputError: there is none of that id.
    """
    match = _TOKEN.fullmatch(name)
    id_ = match[2] if match else name
    db.execute("UPDATE token SET revoked = ? WHERE id = ? AND revoked = 0", micros(now), id_)
    db.execute("DELETE FROM visit WHERE token = ?", id_)
    every = {each.id: each for each in tokens(db)}
    if id_ not in every:
        raise InputError(Problem(id_, "there is no such token", did_you_mean(id_, every) if every else ""))
    return every[id_]


_COLUMNS = "id, project, role, note, at, until, revoked, used"


def tokens(db: Database) -> list[Token]:
    """Every token, the oldest first."""
    return [_token(row) for row in db.execute(f"SELECT {_COLUMNS} FROM token ORDER BY at, id")]


def known(db: Database, secret: str, now: float) -> Token | None:
    """The token that a secret is of, if any, whether or not it is still good (see `Token.flaw`).

    That it was used is noted, once a minute at most.
    """
    match = _TOKEN.fullmatch(secret)
    found = db.execute(f"SELECT hash, {_COLUMNS} FROM token WHERE id = ?", match[2]) if match else []
    same = hmac.compare_digest(found[0][0] if found else _NOBODY, _hash(secret))
    if not found or not same:
        return None
    token = _token(found[0][1:])
    if not token.flaw(now) and now - token.used >= _USED_EVERY_S:
        with suppress(StoreError):  # a store that cannot be written now is no reason to turn anybody away
            db.execute("UPDATE token SET used = ? WHERE id = ? AND used < ?", micros(now), token.id, micros(now))
    return token


def any_token(db: Database) -> bool:
    """Whether any token was ever created."""
    return bool(db.execute("SELECT 1 FROM token LIMIT 1"))


def _token(row: tuple[str, str, Role, str, int, int, int, int]) -> Token:
    id_, project, role, note, at, until, revoked, used = row
    return Token(
        id=id_,
        project=project,
        role=role,
        note=note,
        created=from_micros(at),
        expires=from_micros(until),
        revoked=from_micros(revoked),
        used=from_micros(used),
    )


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
