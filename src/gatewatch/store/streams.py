"""Streams: conversations as they entered them, and how far each is folded; a monitor's step is kept as a whole.

Entries outlive their requests, until they are folded into a stream's base. Whoever is erased leaves them at once: the
streams are folded anew, and a step that was read before that is not kept.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct as Packing
from typing import Any, Literal

from gatewatch.core.score import Source
from gatewatch.store import alerts, markers
from gatewatch.store.database import Database
from gatewatch.store.reading import traits_of, traits_text
from gatewatch.store.units import MICRO, micros
from gatewatch.store.watching import Entry, Stream, WatchStep

_STREAM = "SELECT id, flow, scorer, fingerprint, source, state, folded, base, base_at, told, last FROM stream"
_ENTRY = (
    "SELECT number, seq, at, nullif(slice, ''), nullif(variant, ''), nullif(version, ''), sampled, measures,"
    " nullif(traits, '') FROM entry WHERE stream = ?"  # what is empty need not be made a text
)
_NAN = float("nan")
_ONE = Packing("<d")


def stream(db: Database, flow: str, scorer: str, fingerprint: str, source: Source | Literal[""]) -> Stream:
    """A stream, made where there is none (see `Watching.stream`)."""
    key = (flow, scorer, fingerprint, source)
    lookup = f"{_STREAM} WHERE flow = ? AND scorer = ? AND fingerprint = ? AND source = ?"
    found = db.execute(lookup, *key)
    if not found:
        with db.transaction():
            db.execute(
                "INSERT INTO stream (flow, scorer, fingerprint, source, last, state, folded, told, base, base_at)"
                " VALUES (?, ?, ?, ?, 0, ?, 0, 0, ?, 0) ON CONFLICT (flow, scorer, fingerprint, source) DO NOTHING",
                *(*key, b"", b""),
            )
            found = db.execute(lookup, *key)
    return Stream(*found[0])


def streams(db: Database, flow: str) -> list[Stream]:
    """Every stream, or those of a flow, oldest first."""
    where, values = (" WHERE flow = ?", [flow]) if flow else ("", [])
    return [Stream(*row) for row in db.execute(f"{_STREAM}{where} ORDER BY id", *values)]


def entries(db: Database, stream: int, after: int, most: int) -> list[Entry]:
    """The entries of a stream numbered after one, in order."""
    return _entries(db.execute(f"{_ENTRY} AND number > ? ORDER BY number LIMIT ?", stream, after, most))


def entered(db: Database, stream: int, since: float, until: float) -> list[Entry]:
    """The entries of a stream that began in a window, in the order in which they entered."""
    return _entries(
        db.execute(f"{_ENTRY} AND at >= ? AND at < ? ORDER BY number", stream, micros(since), micros(until))
    )


def _entries(rows: Iterable[tuple[Any, ...]]) -> list[Entry]:
    return [
        Entry(
            number,
            seq,
            at / MICRO,
            slice_ or "",
            variant or "",
            version or "",
            sampled != 0,
            _unpacked(measures),
            traits_of(traits) if traits else {},
        )
        for number, seq, at, slice_, variant, version, sampled, measures, traits in rows
    ]


@lru_cache(maxsize=64)
def _packing(n: int) -> Packing:
    return Packing(f"<{n}d")


def _packed(values: Sequence[float | None]) -> bytes:
    return _packing(len(values)).pack(*[_NAN if value is None else value for value in values])


def _unpacked(data: bytes) -> tuple[float | None, ...]:
    if len(data) == _ONE.size:
        found = _ONE.unpack(data)
        return found if found[0] == found[0] else (None,)
    found = _packing(len(data) // 8).unpack(data)
    return tuple([None if value != value else value for value in found])  # noqa: PLR0124 - NaN


# A step


def keep(db: Database, step: WatchStep, now: float) -> bool:
    """Keep a step, and say whether that was done (see `Watching.keep`)."""
    if _has_nothing(db, step):  # most often, on a quiet flow: nobody need wait for that
        return bool(db.execute("SELECT 1 FROM meta WHERE key = 'steps' AND value = ?", step.read_at))
    with db.transaction():
        if not db.execute(
            "UPDATE meta SET value = value + 1 WHERE key = 'steps' AND value = ? RETURNING value", step.read_at
        ):
            return False
        if step.fresh_through:
            db.execute("DELETE FROM fresh WHERE number <= ?", step.fresh_through)
        db.executemany(
            "INSERT INTO heard (flow, alone, moved) VALUES (?, ?, ?)"
            " ON CONFLICT (flow) DO UPDATE SET alone = excluded.alone, moved = excluded.moved",
            [(flow, alone, moved) for flow, (alone, moved) in step.cursors.items()],
        )
        by_stream: dict[int, dict[int, Entry]] = {}
        for number, entry in step.entries:
            by_stream.setdefault(number, {}).setdefault(entry.seq, entry)
        for number, every in by_stream.items():
            _enter(db, number, every)
        db.executemany(
            "UPDATE stream SET folded = ?, state = ?, told = CASE WHEN told < ? THEN ? ELSE told END WHERE id = ?",
            [(folded, state, folded, folded, number) for number, folded, state in step.states],
        )
        db.executemany(
            "UPDATE stream SET base_at = ?, base = ? WHERE id = ?",
            [(base_at, base, number) for number, base_at, base in step.bases],
        )
        if step.trim_before:
            db.executemany(
                "DELETE FROM entry WHERE stream = ? AND at < ? AND number <= ?",
                [(number, micros(step.trim_before), base_at) for number, base_at, _ in step.bases],
            )
        alerts.resolve(db, step.resolved, now)
        alerts.bring_up(db, step.alerts, now)
        for marker in step.markers:
            markers.insert(db, marker)
    return True


def _has_nothing(db: Database, step: WatchStep) -> bool:
    parts = (step.entries, step.states, step.bases, step.alerts, step.resolved, step.markers)
    if step.fresh_through or any(parts):
        return False
    known = {flow: (alone, moved) for flow, alone, moved in db.execute("SELECT flow, alone, moved FROM heard")}
    return all(known.get(flow) == cursor for flow, cursor in step.cursors.items())


def _enter(db: Database, stream: int, every: dict[int, Entry]) -> None:
    """Have conversations, by their first request, enter a stream that they are not in."""
    there = {seq for (seq,) in db.among("SELECT seq FROM entry WHERE stream = ? AND seq IN {}", every, stream)}
    new = [entry for seq, entry in every.items() if seq not in there]
    found = db.execute("UPDATE stream SET last = last + ? WHERE id = ? RETURNING last", len(new), stream)
    if not found:
        return
    db.executemany(
        "INSERT INTO entry (stream, number, seq, at, slice, variant, version, sampled, measures, traits)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(stream, number, each.seq, micros(each.at), each.slice, each.variant, each.version),
                *(int(each.sampled), _packed(each.values), traits_text(each.traits)),
            )
            for number, each in enumerate(new, found[0][0] - len(new) + 1)
        ],
    )


# Erasing


def leave(db: Database, seqs: Iterable[int]) -> None:
    """Take conversations out of every stream, by their first requests, within the caller's transaction; their streams
    are to be folded anew. What a monitor has read until now is out of date, and so is what it was to hear of them."""
    every = list(seqs)
    gone = db.among("DELETE FROM entry WHERE seq IN {} RETURNING stream", every)
    db.among("DELETE FROM fresh WHERE seq IN {}", every)
    db.among("UPDATE stream SET folded = base_at, state = base WHERE id IN {}", {stream for (stream,) in gone})
    db.execute("UPDATE meta SET value = value + 1 WHERE key = 'steps'")


def forget(db: Database, seqs: Sequence[int]) -> int:
    """Let go of what monitors keep of some requests, within the caller's transaction; says of how many canaries."""
    leave(db, seqs)
    db.among("DELETE FROM canary_check WHERE seq IN {}", seqs)
    return len(db.among("DELETE FROM canary WHERE seq IN {} RETURNING seq", seqs))
