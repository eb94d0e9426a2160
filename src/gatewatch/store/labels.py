"""What reviewers say of items, and which item is whose for a while.

`label` has a row for each reviewer of an item: one with a body is a label, one whose `until` is ahead is a claim. A row
`counts` when it says on which side its reviewer is: one that was skipped does not.
"""

import zlib
from collections.abc import Collection, Iterable

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.failure import FailureState
from gatewatch.core.review import Item, ItemState, Label, Queue, is_right
from gatewatch.store import failures
from gatewatch.store.database import Database
from gatewatch.store.looping import Claim
from gatewatch.store.reviews import fitting, item, item_of, write
from gatewatch.store.units import from_micros, micros

_NEW: tuple[FailureState, ...] = ("new",)


def claim(
    db: Database,
    by: str,
    now: float,
    until: float,
    *,
    queue: Queue | None,
    flow: str,
    failure: int,
    number: int,
    besides: Collection[int],
) -> Claim | None:
    """The next item that needs a reviewer, or the one named, theirs until a time (see `Looping.claim`)."""
    at = micros(now)
    with db.transaction():
        if number:
            chosen = number if _is_free(db, number, by, at) else None
        else:
            where, values = fitting(queue=queue, flow=flow, failure=failure)
            mine = "SELECT item FROM label WHERE reviewer = ? AND until > 0 AND until > ? AND body IS NULL"
            chosen = _first(db, f" AND id IN ({mine}){where}", [by, at, *values], besides)
            if chosen is None:
                chosen = _first(db, _OPEN + where, [by, by, at, *values], besides)
        if chosen is None:
            return None
        db.execute(
            "INSERT INTO label (item, reviewer, at, until, counts, body) VALUES (?, ?, ?, ?, 0, NULL)"
            " ON CONFLICT (item, reviewer) DO UPDATE SET until = excluded.until",
            *(chosen, by, at, micros(until)),
        )
        _looked_at(db, chosen, by, now)
        ((body, payload),) = db.execute("SELECT body, payload FROM item WHERE id = ?", chosen)
    return Claim(item_of(chosen, body), zlib.decompress(payload), until)


_SAID = "FROM label l WHERE l.item = item.id AND l.reviewer = ? AND l.body IS NOT NULL"
_TAKEN = "FROM label l WHERE l.item = item.id AND l.reviewer <> ? AND (l.counts = 1 OR l.until > ?)"
"""The others that have labelled an item, or have it now."""
_OPEN = f" AND NOT EXISTS (SELECT 1 {_SAID}) AND (SELECT count(*) {_TAKEN}) < needed"
"""What makes an item need a reviewer."""


def _first(db: Database, where: str, values: list[object], besides: Collection[int]) -> int | None:
    """The gravest of the items that wait, and the oldest of these."""
    found = db.execute(
        f"SELECT id FROM item WHERE state = 'waiting'{where} ORDER BY rank, id LIMIT ?", *values, len(besides) + 1
    )
    return next((number for (number,) in found if number not in besides), None)


def awaiting(
    db: Database,
    by: str,
    now: float,
    *,
    queue: Queue | None,
    flow: str,
    failure: int,
    skip: int,
    most: int,
) -> tuple[list[Item], int]:
    """The items that need a reviewer, within the caller's transaction (see `Looping.awaiting`)."""
    where, values = fitting(queue=queue, flow=flow, failure=failure)
    fit, given = f"FROM item WHERE state = 'waiting'{_OPEN}{where}", [by, by, micros(now), *values]
    found = db.execute(f"SELECT id, body {fit} ORDER BY rank, id LIMIT ? OFFSET ?", *given, most, skip)
    ((number,),) = db.execute(f"SELECT count(*) {fit}", *given)
    return [item_of(*row) for row in found], number


def claimed(db: Database, by: str, now: float) -> list[tuple[Item, float]]:
    """The items that a reviewer has, and until when, by number."""
    found = db.execute(
        "SELECT i.id, i.body, l.until FROM label l JOIN item i ON i.id = l.item"
        " WHERE l.reviewer = ? AND l.until > 0 AND l.until > ? ORDER BY l.item",
        *(by, micros(now)),
    )
    return [(item_of(number, body), from_micros(until)) for number, body, until in found]


def _is_free(db: Database, number: int, by: str, at: int) -> bool:
    """Whether an item that is named is there, and nobody has it whose label may be all that it needs."""
    found = db.execute(f"SELECT state, needed, (SELECT count(*) {_TAKEN}) FROM item WHERE id = ?", by, at, number)
    if not found:
        return False
    state, needed, taken = found[0]
    if state == "waiting":
        return bool(taken < needed)
    return not db.execute("SELECT 1 FROM label WHERE item = ? AND reviewer <> ? AND until > ? LIMIT 1", number, by, at)


def let_go_of(db: Database, number: int, by: str) -> None:
    """End a claim without a label."""
    with db.transaction():
        db.execute("DELETE FROM label WHERE item = ? AND reviewer = ? AND body IS NULL", number, by)
        db.execute("UPDATE label SET until = 0 WHERE item = ? AND reviewer = ?", number, by)


def label(db: Database, said: Label, now: float) -> Item | None:
    """Keep a label, and give the item as it is then (see `Looping.label`)."""
    with db.transaction():
        there = item(db, said.item)
        if there is None:
            return None
        last = "SELECT coalesce(max(at), 0) FROM label WHERE item = ? AND body IS NOT NULL"
        at = max(micros(now), db.execute(last, said.item)[0][0] + 1)
        db.execute(
            "INSERT INTO label (item, reviewer, at, until, counts, body) VALUES (?, ?, ?, 0, ?, ?)"
            " ON CONFLICT (item, reviewer) DO UPDATE SET at = excluded.at, until = 0, counts = excluded.counts,"
            " body = excluded.body",
            *(said.item, said.by, at, int(_counts(said)), codec.encode(replace(said, at=now))),
        )
        _looked_at(db, said.item, said.by, now)
        return _turned(db, there)


def _looked_at(db: Database, number: int, by: str, now: float) -> None:
    """A failure that nobody looked at is in review once somebody takes one of its items."""
    found = item(db, number)
    if found is not None and found.failure:
        failures.turn(db, found.failure, "in_review", who=by, reason="", now=now, among=_NEW, owner=None, name=None)


def withdraw(db: Database, number: int, by: str) -> Item | None:
    """Take a reviewer's label of an item back, and give the item as it is then."""
    with db.transaction():
        there = item(db, number)
        db.execute("DELETE FROM label WHERE item = ? AND reviewer = ? AND body IS NOT NULL", number, by)
        return there and _turned(db, there)


def labels(db: Database, numbers: Iterable[int]) -> list[Label]:
    """The labels of some items, by item, then in the order in which they were given."""
    found = db.among("SELECT item, at, body FROM label WHERE body IS NOT NULL AND item IN {}", set(numbers))
    return [codec.decode(body, Label) for *_, body in sorted(found)]


def labels_by(db: Database, by: str, *, since: float, most: int) -> list[Label]:
    """What a reviewer said since some time, the last first."""
    found = db.execute(
        "SELECT body FROM label WHERE reviewer = ? AND at >= ? AND body IS NOT NULL ORDER BY at DESC LIMIT ?",
        *(by, micros(since), most),
    )
    return [codec.decode(body, Label) for (body,) in found]


def _counts(said: Label) -> bool:
    return not said.skipped and said.value is not None


def _turned(db: Database, there: Item) -> Item:
    """An item with the state that its labels come to."""
    state = state_of(there.needed, labels(db, [there.id]), there.mark)
    return there if state == there.state else write(db, replace(there, state=state))


def state_of(needed: int, said: Iterable[Label], mark: float = 0.5) -> ItemState:
    """What labels make of an item that needs so many of them, and is right from a mark on."""
    every = [each for each in said if not each.skipped]
    if any(each.settles for each in every):
        return "settled"
    if any(each.disputes for each in every):
        return "disputed"
    sides = [is_right(each.value, mark) for each in every if each.value is not None]
    if len(sides) < max(needed, 1):
        return "waiting"
    return "settled" if len(set(sides)) == 1 else "disputed"
