"""Items of review: requests, frozen as they were, and whose they are. What people say of them is in `store.labels`.

An item is kept as it is told; beside it stands what it is looked up by. Items outlive the age of their requests, since
people's work hangs on them, but not an erasure.
"""

import zlib
from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.erasure import Subject, Whose, base_of
from gatewatch.core.review import Item, ItemState, Queue, drawn_again
from gatewatch.store import tombstones
from gatewatch.store.database import Database
from gatewatch.store.units import MICRO

_ITEM = "SELECT id, body FROM item"
_LEVEL = 6


def item_of(number: int, body: bytes) -> Item:
    """An item as it is kept."""
    return replace(codec.decode(body, Item), id=number)


def put(db: Database, items: Sequence[tuple[Item, bytes]], now: float) -> list[Item]:
    """Put requests up to be labelled; within the caller's transaction. One that is there moves to the failure that it
    is given with, if any; one of somebody who was erased is not kept, and has no number."""
    buried = tombstones.buried(db, (mark for item, _ in items for mark in _whose(item).marks))
    return [
        replace(item, id=0)
        if _whose(item).request_gone(buried)
        else _brought_up(db, item) or _new(db, item, trace, now)
        for item, trace in items
    ]


def _whose(item: Item) -> Whose:
    return Whose(base_of(item.trace), item.user, item.session, item.flow)


def _brought_up(db: Database, item: Item) -> Item | None:
    """The item that is there of a request, as it is once it was put up again."""
    found = db.execute(f"{_ITEM} WHERE trace = ? AND queue = ? AND scorer = ?", *(item.trace, item.queue, item.scorer))
    if not found:
        return None
    there = item_of(*found[0])
    again = replace(drawn_again(there, item), failure=item.failure or there.failure)
    return there if again == there else write(db, again)


def _new(db: Database, item: Item, trace: bytes, now: float) -> Item:
    item = replace(item, id=0, state="waiting", added=now)
    found = db.execute(
        "INSERT INTO item (queue, flow, failure, trace, scorer, person, session, state, needed, rank, body, payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        *(item.queue, item.flow, item.failure, item.trace, item.scorer, item.user, item.session, item.state),
        *(item.needed, -round(item.severity * MICRO), codec.encode(item), zlib.compress(trace, _LEVEL)),
    )
    return replace(item, id=found[0][0])


def write(db: Database, item: Item) -> Item:
    """Keep an item that is there as it is now."""
    db.execute(
        "UPDATE item SET failure = ?, state = ?, body = ? WHERE id = ?",
        *(item.failure, item.state, codec.encode(replace(item, id=0)), item.id),
    )
    return item


def items(
    db: Database,
    *,
    queue: Queue | None,
    flow: str,
    failure: int,
    states: Collection[ItemState],
    trace: str,
    after: int,
    most: int,
) -> list[Item]:
    """Items by number, of those that fit all that is given."""
    where, values = fitting(queue=queue, flow=flow, failure=failure)
    if states:
        where += f" AND state IN ({', '.join('?' * len(states))})"
        values += states
    if trace:
        where += " AND trace = ?"
        values.append(trace)
    found = db.execute(f"{_ITEM} WHERE id > ?{where} ORDER BY id LIMIT ?", after, *values, most)
    return [item_of(*row) for row in found]


def fitting(*, queue: Queue | None, flow: str, failure: int) -> tuple[str, list[Any]]:
    """What makes items fit what is given of them, to be added to a condition; and its values."""
    where, values = "", list[Any]()
    if queue:
        where += " AND queue = ?"
        values.append(queue)
    if flow:
        where += " AND flow = ?"
        values.append(flow)
    if failure:
        where += " AND failure = ? AND failure > 0"
        values.append(failure)
    return where, values


def item(db: Database, number: int) -> Item | None:
    """An item by its number."""
    found = db.execute(f"{_ITEM} WHERE id = ?", number)
    return item_of(*found[0]) if found else None


def trace_of(db: Database, number: int) -> bytes | None:
    """The trace (JSON) of an item."""
    found = db.execute("SELECT payload FROM item WHERE id = ?", number)
    return zlib.decompress(found[0][0]) if found else None


# Whose


def of(db: Database, subject: Subject) -> list[Item]:
    """Items of somebody, and those of the same traces that name nobody else."""
    if subject.kind == "user":
        column, found = "person", db.among(f"{_ITEM} WHERE person <> '' AND person IN {{}}", subject.names)
    else:
        flow = (" AND flow = ?", subject.flow) if subject.flow else ("",)
        column = "session"
        found = db.among(f"{_ITEM} WHERE session <> ''{flow[0]} AND session IN {{}}", subject.names, *flow[1:])
    mine = {number: item_of(number, body) for number, body in found}
    for base in {base_of(each.trace) for each in mine.values()}:
        near = f"SELECT id, body, trace FROM item WHERE trace >= ? AND trace < ? AND {column} = ''"
        mine |= {
            number: item_of(number, body)
            for number, body, trace in db.execute(near, base, f"{base}.")
            if base_of(trace) == base
        }
    return [mine[number] for number in sorted(mine)]


def everybody(db: Database) -> tuple[set[str], set[tuple[str, str]]]:
    """Whose items there are: users, and sessions with their flows."""
    people = db.execute("SELECT DISTINCT person FROM item WHERE person <> ''")
    return {name for (name,) in people}, set(db.execute("SELECT DISTINCT flow, session FROM item WHERE session <> ''"))
