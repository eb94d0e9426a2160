"""Erasing somebody: their requests with all that hangs on them, in steps, so that others can write between.

The tombstones come first, so that nothing new arrives meanwhile, and what a step removed is taken out of the trends in
the same transaction. An erasure that was killed is found again by its digests, and goes on. Money that was spent stays.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from gatewatch.core import codec
from gatewatch.core.erasure import Kind, Subject, Tombstone, Whose, mark_of
from gatewatch.core.trace import Trace
from gatewatch.store import alerts, leaving, receipts, reviews, staging, streams, tasks, tombstones, uploads
from gatewatch.store.canary import erase_canaries, whose_canaries
from gatewatch.store.database import Database
from gatewatch.store.housekeeping import delete_requests
from gatewatch.store.reading import ROW, all_flows, row_of
from gatewatch.store.rollups import SIGNALS, Place, Rollup
from gatewatch.store.rows import Row, Said
from gatewatch.store.units import MICRO, micros

_PAUSE_S = 0.025  # as between other steps of housekeeping
_DAY = 86_400
_PAGE = 2000  # of what waits
_PLACE = "flow, slice, variant, at, share, version"
_COUNTED = f"seq, id, span_id, external_id, session, {', '.join(SIGNALS)}, marks, late, {_PLACE}"
LATE = "late"
"""The name of no erasure: what is counted under it went since it turned out late whose it was."""


def begin(db: Database, name: str, subject: Subject, who: str, now: float) -> str:
    """Keep the tombstones, and open an erasure under a name, or find the one that is under way; gives its name."""
    db.overwrite_deleted()
    with db.transaction():
        tombstones.bury(db, (Tombstone(mark, subject.kind, now) for mark in subject.marks))
        marks = " ".join(subject.marks)
        found = db.execute(
            "SELECT id FROM erasure WHERE marks = ? AND kind = ? AND receipt IS NULL", *(marks, subject.kind)
        )
        if found:
            return str(found[0][0])
        db.execute(
            "INSERT INTO erasure (id, at, who, kind, marks, receipt) VALUES (?, ?, ?, ?, ?, NULL)",
            *(name, micros(now), who, subject.kind, marks),
        )
    return name


def step(db: Database, name: str, subject: Subject, now: float, most: int) -> bool:
    """Erase at most so many requests, and say whether there is more to be done."""
    rollup, done = Rollup(), _Done()
    with db.transaction():
        seqs = [seq for seq, _ in _whole(db, subject, _found(db, subject, 0, most))]
        more = bool(seqs)
        if seqs:
            _remove(db, "trace" if subject.kind == "user" else "turn", seqs, now, rollup, done, subject.names)
        elif subject.kind == "user":
            more = _take_back_feedback(db, subject, most, rollup, done)
        rollup.write(db)
        done.write(db, name)
    if more:
        time.sleep(_PAUSE_S)
    else:
        _let_go_of_the_rest(db, name, subject, now)
    return more


class _Done:
    """What one step removed: by part, and by flow and day."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.days: dict[tuple[str, int], list[int]] = {}

    def day(self, flow: str, at: int) -> list[int]:
        return self.days.setdefault((flow, at // MICRO // _DAY * _DAY), [0, 0])

    def write(self, db: Database, name: str) -> None:
        receipts.count(db, name, self.parts)
        db.executemany(
            "INSERT INTO erased (erasure, flow, day, requests, scores) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (erasure, flow, day) DO UPDATE SET requests = erased.requests + excluded.requests,"
            " scores = erased.scores + excluded.scores",
            [(name, *key, *sums) for key, sums in self.days.items()],
        )


# Whose


def _found(db: Database, subject: Subject, after: int, most: int) -> list[tuple[Any, ...]]:
    """The next requests that say that they are of somebody: (seq, id, span_id), in order, at most so many."""
    columns = "SELECT seq, id, span_id FROM trace WHERE"
    found: list[tuple[Any, ...]] = []
    for name in subject.names:
        if subject.kind == "user":
            condition, keys = "person = ? AND person <> ''", [(name,)]
        else:
            flows = [subject.flow] if subject.flow else all_flows(db)
            condition, keys = "flow = ? AND session = ? AND session <> ''", [(flow, name) for flow in flows]  # type: ignore[misc]
        for key in keys:
            found += db.execute(f"{columns} {condition} AND seq > ? ORDER BY seq LIMIT ?", *key, after, most)
    return sorted(found)[:most]


def _whole(db: Database, subject: Subject, found: Iterable[tuple[Any, ...]]) -> list[tuple[int, str]]:
    """The numbers of some requests, each with its trace's id, and of those that other services recorded of the same
    traces, as long as these name nobody else."""
    seqs: dict[int, str] = {}
    column = "person" if subject.kind == "user" else "session"
    for seq, name, span in found:
        base = name.removesuffix(f"-{span}") if span else name
        seqs[seq] = base
        near = db.execute(f"SELECT seq, id, span_id, {column} FROM trace WHERE id >= ? AND id < ?", base, f"{base}.")
        for other, longer, its_span, its in near:
            if longer in (base, f"{base}-{its_span}") and its in ("", *subject.names):
                seqs[other] = base
    return sorted(seqs.items())


def belonging(db: Database, subject: Subject, after: int, most: int) -> tuple[list[Row], int]:
    """The next requests of somebody after a number, and the number to go on after: 0 when these were the last."""
    with db.transaction(write=False):
        found = _found(db, subject, after, most)
        seqs = [seq for seq, _ in _whole(db, subject, found)]
        rows = [row_of(row) for row in db.among(f"SELECT {ROW} FROM trace WHERE seq IN {{}}", seqs)]
    return sorted(rows, key=lambda row: row.seq), found[-1][0] if len(found) == most else 0


def said_elsewhere(db: Database, subject: Subject) -> list[tuple[int, str]]:
    """Where else a user said something: numbers of requests, with the name that the user has there."""
    if subject.kind != "user":
        return []
    wanted = "SELECT DISTINCT seq, author FROM score WHERE source = 'feedback' AND author <> '' AND author IN {}"
    return sorted(db.among(wanted, subject.names))


def waiting(db: Database, subject: Subject) -> list[Said]:
    """Feedback of somebody that waits for its request."""
    marks = set(subject.marks)
    return [said for said in _parked(db) if tombstones.whose_feedback(said).is_of(marks)]


def resolved(db: Database, stones: Iterable[Tombstone]) -> list[Subject]:
    """Whom of those that are stored some tombstones mean; it looks at everybody's name."""
    marks = {each.mark for each in stones}
    with db.transaction(write=False):
        people = {name for (name,) in db.execute("SELECT DISTINCT person FROM trace WHERE person <> ''")}
        people |= {
            name
            for (name,) in db.execute("SELECT DISTINCT author FROM score WHERE source = 'feedback' AND author <> ''")
        }
        people |= {said.author for said in _parked(db)}
        frozen = whose_canaries(db)
        people |= {each.user for each in frozen}
        sessions = {*db.execute("SELECT flow, id FROM session"), *((each.flow, each.session) for each in frozen)}
        reviewed = reviews.everybody(db)
        people, sessions = people | reviewed[0], sessions | reviewed[1]
    found = tuple(sorted(name for name in people if mark_of("user", name) in marks))
    every = [Subject("user", found)] if found else []
    everywhere = {name for _, name in sessions if mark_of("session", name) in marks}
    every += [Subject("session", (name,)) for name in sorted(everywhere)]
    every += [
        Subject("session", (name,), flow) for flow, name in sorted(sessions) if mark_of("session", flow, name) in marks
    ]
    return every


# Removing


def _remove(
    db: Database, kind: Kind, seqs: Sequence[int], now: float, rollup: Rollup, done: _Done, names: Collection[str]
) -> None:
    """Remove some requests, and have tombstones of a kind keep out what else there is of their traces; the audit does
    not tell those by their ids any more that have one of some names in it."""
    rows = db.among(f"SELECT {_COUNTED} FROM trace WHERE seq IN {{}}", seqs)
    places = {row[0]: Place(*row[13:]) for row in rows}
    stones: list[Tombstone] = []
    traces: set[str] = set()
    by_flow: dict[str, list[int]] = {}
    turned: Counter[tuple[str, str]] = Counter()
    for seq, name, span, external, session, *signals, marks, late in (row[:13] for row in rows):
        place = places[seq]
        rollup.request(place, **dict(zip(SIGNALS, signals, strict=True)), sign=-1)
        rollup.marks(place, marks | late, sign=-1)
        base = name.removesuffix(f"-{span}") if span else name
        traces.add(base)
        stones.append(Tombstone(mark_of(kind, base), kind, now))
        if external:
            stones.append(Tombstone(mark_of("name", external), "name", now))
        by_flow.setdefault(place.flow, []).append(seq)
        if session:
            turned[place.flow, session] += 1
        done.day(place.flow, place.at)[0] += 1
    _uncount(db, rollup, done, places)
    done.parts["requests"] += len(rows)
    for part, table in (("payloads", "payload"), ("tasks", "task")):
        done.parts[part] += len(db.among(f"SELECT seq FROM {table} WHERE seq IN {{}}", seqs))
    under_way = db.among("SELECT seq FROM task WHERE state = 'leased' AND seq IN {}", seqs)
    done.parts["tasks under way"] += len(under_way)
    tombstones.bury(db, stones)
    for flow, mine in by_flow.items():
        delete_requests(db, flow, mine)
    db.among("DELETE FROM changed WHERE seq IN {}", seqs)
    telling = [row[1] for row in rows if any(each and each in row[1] for each in names)]
    db.among("UPDATE audit SET what = '(erased)' WHERE action = 'read' AND what IN {}", telling)
    done.parts["spans"] += _drop_pieces(db, traces)
    done.parts["canaries"] += streams.forget(db, seqs)
    alerts.forget(db, [row[1] for row in rows])
    done.parts.update(leaving.forget(db, [row[1] for row in rows]))
    for (flow, session), turns in turned.items():
        _shorten(db, flow, session, turns, now, rollup, done)


def withdraw(db: Database, gone: Sequence[Trace], now: float, rollup: Rollup) -> None:
    """Remove requests of which only now is known that they are of somebody who was erased; within the caller's
    transaction."""
    seqs = [
        seq
        for each in gone
        for seq, person, session in db.execute(
            "SELECT seq, person, session FROM trace WHERE span_id = ? AND (id = ? OR id = ?)",
            *(each.span_id, each.id, f"{each.id}-{each.span_id}"),
        )
        if person in ("", each.user) and session in ("", each.session)
    ]
    if seqs:
        done = _Done()
        _remove(db, "trace", seqs, now, rollup, done, {name for each in gone for name in (each.user, each.session)})
        done.write(db, LATE)


def _uncount(db: Database, rollup: Rollup, done: _Done, places: dict[int, Place], condition: str = "") -> None:
    """Take the scores of some requests out of the trends."""
    for seq, name, source, fingerprint, pi, value, status in db.among(
        f"SELECT seq, name, source, fingerprint, pi, value, status FROM score WHERE {condition} seq IN {{}}", places
    ):
        rollup.score(places[seq], name, fingerprint, source, pi=pi, value=value, status=status, sign=-1)
        done.parts["feedback" if source == "feedback" else "scores"] += 1
        done.day(places[seq].flow, places[seq].at)[1] += 1


def _drop_pieces(db: Database, traces: Iterable[str]) -> int:
    names = list(traces)
    gone = db.among("SELECT trace FROM piece WHERE trace IN {}", names)
    for table in ("piece", "gathering"):
        db.among(f"DELETE FROM {table} WHERE trace IN {{}}", names)
    return len(gone)


_OF_SESSION = "(turns > 0 OR source = 'signal')"


def _shorten(db: Database, flow: str, session: str, turns: int, now: float, rollup: Rollup, done: _Done) -> None:
    """What is left of a session is shorter, and what was said of it as a whole is let go of, to be said anew."""
    left = {
        seq: Place(*place)
        for seq, *place in db.execute(
            f"SELECT seq, {_PLACE} FROM trace WHERE flow = ? AND session = ? AND session <> ''",
            *(flow, session),
        )
    }
    if not left:
        return
    streams.leave(db, left)  # what is left of the conversation enters anew
    _uncount(db, rollup, done, left, f"{_OF_SESSION} AND")
    db.among(f"DELETE FROM score WHERE {_OF_SESSION} AND seq IN {{}}", left)
    tasks.drop(db, "id", [task for (task,) in db.among("SELECT id FROM task WHERE turns > 0 AND seq IN {}", left)])
    told = [name for (name,) in db.among("SELECT id FROM said WHERE seq IN {}", left)]
    db.among(
        "DELETE FROM said WHERE id IN {}", [name for name in told if name.startswith(f"session:{flow}:{session}:")]
    )
    moved = micros(now)
    db.execute(
        "UPDATE session SET last_at = ?, turns = CASE WHEN turns - ? > ? THEN turns - ? ELSE ? END,"
        " moved = CASE WHEN moved >= ? THEN moved + 1 ELSE ? END WHERE flow = ? AND id = ?",
        *(max(place.at for place in left.values()), turns, len(left), turns, len(left), moved, moved, flow, session),
    )


def _take_back_feedback(db: Database, subject: Subject, most: int, rollup: Rollup, done: _Done) -> bool:
    """Take back what a user said of others' requests; a mark that it set there stays: somebody did say it."""
    found = db.among(
        "SELECT t.flow, t.slice, t.variant, t.at, t.share, t.version, s.seq, s.name, s.author, s.fingerprint, s.pi,"
        " s.value, s.status FROM score s JOIN trace t ON t.seq = s.seq"
        " WHERE s.source = 'feedback' AND s.author <> '' AND s.author IN {}",
        subject.names,
    )[:most]
    for *where, seq, name, author, fingerprint, pi, value, status in found:
        place = Place(*where)
        rollup.score(place, name, fingerprint, "feedback", pi=pi, value=value, status=status, sign=-1)
        db.execute(
            "DELETE FROM score WHERE seq = ? AND name = ? AND source = 'feedback' AND author = ? AND fingerprint = ?",
            *(seq, name, author, fingerprint),
        )
        done.parts["feedback"] += 1
        done.day(place.flow, place.at)[1] += 1
    return bool(found)


def _let_go_of_the_rest(db: Database, name: str, subject: Subject, now: float) -> None:
    """Let go of feedback, spans and parts of runs that wait, and of series that nothing is left of.

    What waits is looked through before the transaction, since that may take long."""
    heads = tuple(f"session:{subject.flow}:{each}:" for each in subject.names if subject.kind == "session")
    parked = [
        said.id
        for said in _parked(db)
        if said.id.startswith(heads) or tombstones.buried(db, tombstones.whose_feedback(said).marks)
    ]
    traces, done = _pieces_of(db, subject), _Done()
    with db.transaction():
        done.parts["feedback waiting"] += len(db.among("SELECT id FROM parked WHERE id IN {}", parked))
        db.among("DELETE FROM parked WHERE id IN {}", parked)
        done.parts["spans"] += _drop_pieces(db, traces)
        done.parts["canaries"] += erase_canaries(db)
        done.parts.update(leaving.forget_of(db, subject, now))
        uploads.let_go(db, micros(now) + 1)  # whoever pushes them begins anew
        db.execute(
            "DELETE FROM series WHERE id NOT IN (SELECT series FROM signal_cell)"
            " AND id NOT IN (SELECT series FROM score_cell)"
        )
        done.write(db, name)


def _parked(db: Database) -> Iterator[Said]:
    """All feedback that waits, page by page."""
    after = ""
    while page := db.execute("SELECT id, body FROM parked WHERE id > ? ORDER BY id LIMIT ?", after, _PAGE):
        yield from (codec.decode(body, Said) for _, body in page)
        after = page[-1][0]


class _Piece(msgspec.Struct, frozen=True):
    """What of a waiting span's body says whose it is."""

    user: str = ""
    session: str = ""
    flow: str = ""


def _pieces_of(db: Database, subject: Subject) -> set[str]:
    """The traces that waiting spans of somebody belong to."""
    marks, found = set(subject.marks), set()
    after = ("", "", "")
    while page := db.execute(
        "SELECT trace, span, part, size, body FROM piece WHERE (trace, span, part) > (?, ?, ?)"
        " ORDER BY trace, span, part LIMIT ?",
        *(*after, _PAGE),
    ):
        for trace, _, _, size, body in page:
            try:
                said = codec.decode(staging.unpacked(size, body), _Piece)
            except ValueError:
                continue
            if Whose(trace, said.user, said.session, said.flow).is_of(marks):
                found.add(trace)
        after = page[-1][:3]
    return found
