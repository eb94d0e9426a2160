"""Failures: kept as mining found them, with what people made of each; beside each stands what it is looked up by."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.failure import MOST_TURNS, Failure, FailureState, Turn
from gatewatch.store import reviews
from gatewatch.store.database import Database
from gatewatch.store.looping import Mined

_FAILURE = "SELECT id, body FROM failure"
_ERASED = "(erased)"


def _failure(number: int, body: bytes) -> Failure:
    return replace(codec.decode(body, Failure), id=number)


def _write(db: Database, failure: Failure) -> Failure:
    """Keep a failure as it is now: a new one where it has no number."""
    values = failure.state, codec.encode(replace(failure, id=0))
    if failure.id:
        db.execute("UPDATE failure SET state = ?, body = ? WHERE id = ?", *values, failure.id)
        return failure
    found = db.execute("INSERT INTO failure (flow, state, body) VALUES (?, ?, ?) RETURNING id", failure.flow, *values)
    return replace(failure, id=found[0][0])


def keep_mined(db: Database, found: Sequence[Mined], now: float, *, read_at: int) -> list[Failure] | None:
    """Keep what mining found, unless others kept theirs since (see `Looping.keep_mined`)."""
    with db.transaction():
        if mined_at(db) != read_at:
            return None
        db.execute("UPDATE meta SET value = value + 1 WHERE key = 'mined'")
        kept = [_write(db, _brought_up(db, each, now)) for each in found]
        items = [
            (replace(item, failure=failure.id), trace)
            for failure, each in zip(kept, found, strict=True)
            for item, trace in each.items
        ]
        reviews.put(db, items, now)
    return kept


def _brought_up(db: Database, mined: Mined, now: float) -> Failure:
    """A failure as it is to be kept: what people made of one that is there stays, and so does its name."""
    new = mined.failure
    old = failure(db, new.id) if new.id else None
    if old is None:
        return replace(new, id=0, opened=now, updated=now)
    back = mined.came_back and old.state == "fixed"
    named = new if old.name == _ERASED else old
    return replace(
        new,
        flow=old.flow,
        name=named.name,
        named_by=named.named_by,
        state="regressed" if back else old.state,
        turns=_turned(old, Turn(now, "regressed")) if back else old.turns,
        owner=old.owner,
        who=old.who,
        reason=old.reason,
        fixed=old.fixed,
        opened=old.opened,
        updated=now,
    )


def mined_at(db: Database) -> int:
    """A number that goes up with all that is mined and kept, and when requests are erased."""
    return int(db.execute("SELECT value FROM meta WHERE key = 'mined'")[0][0])


def failures(db: Database, flow: str, states: Collection[FailureState]) -> list[Failure]:
    """Failures of a flow or of all, in some states or in any, by number."""
    conditions, values = ["id > 0"], list[Any]()
    if flow:
        conditions.append("flow = ?")
        values.append(flow)
    if states:
        conditions.append(f"state IN ({', '.join('?' * len(states))})")
        values += states
    found = db.execute(f"{_FAILURE} WHERE {' AND '.join(conditions)} ORDER BY id", *values)
    return [_failure(*row) for row in found]


def failure(db: Database, number: int) -> Failure | None:
    """A failure by its number."""
    found = db.execute(f"{_FAILURE} WHERE id = ?", number)
    return _failure(*found[0]) if found else None


def turn(
    db: Database,
    number: int,
    state: FailureState,
    *,
    who: str,
    reason: str,
    now: float,
    among: Collection[FailureState],
    owner: str | None,
    name: str | None,
) -> Failure | None:
    """Turn a failure's state, within the caller's transaction (see `Looping.turn_failure`)."""
    there = failure(db, number)
    if there is None or (among and there.state not in among):
        return there
    return _write(
        db,
        replace(
            there,
            state=state,
            name=there.name if name is None else name,
            named_by=there.named_by if name is None else who,
            owner=there.owner if owner is None else owner,
            who=who,
            reason=reason,
            turns=_turned(there, Turn(now, state, who, reason, owner or "")),
            fixed=now if state == "fixed" else there.fixed,
            updated=now,
        ),
    )


def _turned(there: Failure, turn: Turn) -> tuple[Turn, ...]:
    return (*there.turns, turn)[-MOST_TURNS:]


def forget(db: Database, numbers: Iterable[int]) -> None:
    """Take the names from some failures of which an item was erased: their terms may be of those who were; within the
    caller's transaction. What is mined next names anew those that it finds again."""
    for number in sorted(set(numbers)):
        there = failure(db, number)
        if there:
            _write(db, replace(there, name=_ERASED, named_by=""))
