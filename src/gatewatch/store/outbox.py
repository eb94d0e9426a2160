"""The outbox: changes of what belongs into git, each under a key that is there once, until it is withdrawn."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.change import Change, ChangeKind, ChangeState
from gatewatch.core.erasure import base_of, mark_of
from gatewatch.store import tombstones
from gatewatch.store.database import Database

_CHANGE = "SELECT id, body FROM change"
_ORDER: tuple[ChangeState, ...] = ("pending", "pulled", "merged")


def _change(number: int, body: bytes) -> Change:
    return replace(codec.decode(body, Change), id=number)


def propose(db: Database, changes: Sequence[Change], now: float) -> list[tuple[Change, bool]]:
    """Put changes into the outbox, each key once (see `Looping.propose`)."""
    with db.transaction():
        return [_proposed(db, each, now) for each in changes]


def _proposed(db: Database, change: Change, now: float) -> tuple[Change, bool]:
    found = db.execute(f"{_CHANGE} WHERE key = ? AND state <> 'withdrawn'", change.key)
    if found:
        return _change(*found[0]), False
    if change.trace and tombstones.buried(db, _marks(change.trace)):
        return replace(change, id=0), False
    change = replace(change, id=0, at=now, moved=now, state="pending", where="")
    made = db.execute(
        "INSERT INTO change (key, kind, failure, trace, state, body) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        *(change.key, change.kind, change.failure, change.trace, change.state, codec.encode(change)),
    )
    return replace(change, id=made[0][0]), True


def _marks(trace: str) -> tuple[str, str]:
    base = base_of(trace)
    return mark_of("trace", base), mark_of("turn", base)


def changes(
    db: Database, states: Collection[ChangeState], *, kind: ChangeKind | None, failure: int, after: int, most: int
) -> list[Change]:
    """Changes by number, of those that fit all that is given."""
    conditions, values = ["id > ?"], list[Any]([after])
    if states:
        conditions.append(f"state IN ({', '.join('?' * len(states))})")
        values += states
    if kind:
        conditions.append("kind = ?")
        values.append(kind)
    if failure:
        conditions.append("failure = ? AND failure > 0")
        values.append(failure)
    found = db.execute(f"{_CHANGE} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?", *values, most)
    return [_change(*row) for row in found]


def change(db: Database, number: int) -> Change | None:
    """A change by its number."""
    found = db.execute(f"{_CHANGE} WHERE id = ?", number)
    return _change(*found[0]) if found else None


def turn(db: Database, number: int, state: ChangeState, now: float, *, where: str) -> Change | None:
    """Move a change on (see `Looping.turn_change`)."""
    with db.transaction():
        there = change(db, number)
        if there is None or not _moves(there.state, state):
            return there
        turned = replace(there, state=state, moved=now, where=where or there.where)
        body = codec.encode(replace(turned, id=0))
        db.execute("UPDATE change SET state = ?, body = ? WHERE id = ?", state, body, number)
        return turned


def _moves(old: ChangeState, new: ChangeState) -> bool:
    """Whether a change may go from a state to another; another checkout may pull what is pulled."""
    if new == "withdrawn":
        return old == "pending"
    return old != "withdrawn" and (old == new == "pulled" or _ORDER.index(new) > _ORDER.index(old))


def forget(db: Database, traces: Iterable[str]) -> int:
    """Delete the changes that came of some requests, and say how many; within the caller's transaction."""
    gone = db.among("SELECT id FROM change WHERE trace <> '' AND trace IN {}", traces)
    db.among("DELETE FROM change WHERE id IN {}", [number for (number,) in gone])
    return len(gone)
