"""Spans that wait for the rest of their trace: each kept once, gathered when the trace has settled, forgotten later.

A `gathering` stands for a trace of which spans arrived. `moved` grows with every new one, and `settled` is the `moved`
up to which the trace was made: where it is smaller, the trace is to be made, or made anew.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence

from gatewatch.store.database import Database
from gatewatch.store.payloads import lose
from gatewatch.store.rows import Gathered, Piece
from gatewatch.store.units import micros

_OPEN, _ROOTED, _CLOSED = range(3)
"""Of a gathering: its root has not ended, it has, its pieces are forgotten."""
_SMALL = 2000
_EACH = 400
"""Bytes that a span takes in memory besides its body, or less."""
_PAGE = 50  # bodies of one long trace that are in memory at once
_KEYS = 100
LATE = "span of a trace that was closed"


def stage(db: Database, pieces: Sequence[Piece], now: float) -> int:
    """Keep spans (see `Store.stage`)."""
    bodies = [_packed(each.body) for each in pieces]
    with db.transaction():
        there = {trace: (root, moved) for trace, root, moved in _gatherings(db, {each.trace for each in pieces})}
        late = [each for each in pieces if there.get(each.trace, (_OPEN,))[0] == _CLOSED]
        if late:
            lose(db, {LATE: len(late)})
        known = {(each.trace, each.span, each.part) for each in late}
        known |= _known(db, {(each.trace, each.span, each.part) for each in pieces if each.trace in there} - known)
        new: list[tuple[str, str, str, int, bytes]] = []
        rooted: dict[str, bool] = {}
        for each, body in zip(pieces, bodies, strict=True):
            key = each.trace, each.span, each.part
            if key not in known:
                known.add(key)
                new.append((*key, len(each.body), body))
                rooted[each.trace] = rooted.get(each.trace, False) or each.root
        db.executemany("INSERT INTO piece (trace, span, part, size, body) VALUES (?, ?, ?, ?, ?)", new)
        at = micros(now)
        rows = []
        for trace, root in rooted.items():
            was, moved = there.get(trace, (_OPEN, 0))
            rows.append((trace, _ROOTED if root or was == _ROOTED else _OPEN, max(at, moved + 1)))
        db.executemany(
            "INSERT INTO gathering (trace, root, moved, settled) VALUES (?, ?, ?, 0)"
            " ON CONFLICT (trace) DO UPDATE SET root = excluded.root, moved = excluded.moved",
            rows,
        )
    return len(new)


def _packed(body: bytes) -> bytes:
    """A body as it is stored; for an hour's stay a small one is not worth the time."""
    return body if len(body) < _SMALL else min(zlib.compress(body, 1), body, key=len)


def unpacked(size: int, stored: bytes) -> bytes:
    """A body of some size, as it was."""
    return stored if len(stored) == size else zlib.decompress(stored)


def _gatherings(db: Database, traces: set[str]) -> list[tuple[str, int, int]]:
    return db.among("SELECT trace, root, moved FROM gathering WHERE trace IN {}", traces)


def _known(db: Database, keys: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Which of some spans are there: they are looked for one by one, for a trace may have any number."""
    every, found = list(keys), set()
    for start in range(0, len(every), _KEYS):
        part = every[start : start + _KEYS]
        marks = ", ".join(["(?, ?, ?)"] * len(part))
        statement = (
            f"SELECT trace, span, part FROM (VALUES {marks}) asked CROSS JOIN piece"
            " WHERE trace = column1 AND span = column2 AND part = column3"
        )
        found |= set(db.execute(statement, *(value for key in part for value in key)))
    return found


def gathered(
    db: Database, rooted_before: float, rest_before: float, most: int, room: int, shortened: Callable[[bytes], bytes]
) -> list[Gathered]:
    """Traces that have settled, with their spans (see `Store.gathered`)."""
    with db.transaction(write=False):
        found: list[tuple[str, int]] = []
        for root, before in ((_ROOTED, rooted_before), (_OPEN, rest_before)):
            found += db.execute(
                "SELECT trace, moved FROM gathering WHERE settled < moved AND root = ? AND moved < ?"
                " ORDER BY moved LIMIT ?",
                *(root, micros(before), most - len(found)),
            )
        sizes: dict[str, int] = dict(
            db.among(
                f"SELECT trace, CAST(sum(size + {_EACH}) AS BIGINT) FROM piece WHERE trace IN {{}} GROUP BY trace",
                [trace for trace, _ in found],
            )
        )
        total, fitting = 0, 0
        for trace, _ in found:
            total += sizes.get(trace, 0)
            if total > room:
                break
            fitting += 1
        if found and not fitting:
            trace, moved = found[0]
            return [_long(db, trace, moved, room, shortened)]
        pieces: defaultdict[str, list[bytes]] = defaultdict(list)
        for trace, size, body in db.among(
            "SELECT trace, size, body FROM piece WHERE trace IN {} ORDER BY trace, span, part",
            [trace for trace, _ in found[:fitting]],
        ):
            pieces[trace].append(unpacked(size, body))
    return [Gathered(trace, moved, tuple(pieces[trace])) for trace, moved in found[:fitting]]


def _long(db: Database, trace: str, moved: int, room: int, shortened: Callable[[bytes], bytes]) -> Gathered:
    """A trace that has no room as a whole: from where half of it is full its spans are shortened."""
    bodies: list[bytes] = []
    held, after = 0, ("", "")
    while page := db.execute(
        "SELECT span, part, size, body FROM piece WHERE trace = ? AND (span, part) > (?, ?)"
        " ORDER BY span, part LIMIT ?",
        *(trace, *after, _PAGE),
    ):
        for span, part, size, stored in page:
            body = unpacked(size, stored)
            if held + size + _EACH > room // 2:
                body = shortened(body)
            if held + len(body) + _EACH > room:
                number = int(db.execute("SELECT count(*) FROM piece WHERE trace = ?", trace)[0][0])
                return Gathered(trace, moved, tuple(bodies), number - len(bodies))
            bodies.append(body)
            held += len(body) + _EACH
            after = span, part
    return Gathered(trace, moved, tuple(bodies))


def made_of_more(db: Database, traces: Sequence[tuple[str, int]]) -> set[str]:
    """Of traces that were made of what was there at a time, those that another has made of more since."""
    found = dict(db.among("SELECT trace, settled FROM gathering WHERE trace IN {}", [trace for trace, _ in traces]))
    return {trace for trace, moved in traces if found.get(trace, 0) > moved}


def settled(db: Database, traces: Sequence[tuple[str, int]]) -> None:
    """Note up to which spans traces were made, within the caller's transaction; it never goes back."""
    db.executemany(
        "UPDATE gathering SET settled = ? WHERE trace = ? AND settled < ?",
        [(moved, trace, moved) for trace, moved in traces],
    )


def forget(db: Database, close_before: float, delete_before: float, most: int) -> int:
    """Let go of spans whose trace was made (see `Store.forget_spans`)."""
    with db.transaction():
        made: list[str] = []
        for root in (_OPEN, _ROOTED):
            made += _made(db, root, close_before, most - len(made))
        db.among("DELETE FROM piece WHERE trace IN {}", made)
        db.among(f"UPDATE gathering SET root = {_CLOSED} WHERE trace IN {{}}", made)
        old = _made(db, _CLOSED, delete_before, most)
        db.among("DELETE FROM gathering WHERE trace IN {}", old)
    return len(made) + len(old)


def _made(db: Database, root: int, before: float, most: int) -> list[str]:
    """Traces of one state that were made, and of which nothing was heard since a time, the oldest first."""
    found = db.execute(
        "SELECT trace FROM gathering WHERE settled >= moved AND root = ? AND moved < ? ORDER BY moved LIMIT ?",
        *(root, micros(before), most),
    )
    return [trace for (trace,) in found]
