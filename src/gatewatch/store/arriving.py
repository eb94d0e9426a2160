"""What arrives: requests and what is said of them, each kept once, in whatever order and however often they come."""

import logging
import zlib
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.errors import StoreRefused, said_by
from gatewatch.core.watch import version_label
from gatewatch.store import erasure, scores, staging
from gatewatch.store.amending import amend
from gatewatch.store.database import Database
from gatewatch.store.payloads import HELD, NONE, add_payloads, lose
from gatewatch.store.reading import traits_text
from gatewatch.store.rollups import Place, Rollup, each_bit, signals_of
from gatewatch.store.rows import Arrival, Arrivals, Said, TakenIn
from gatewatch.store.spending import Spending
from gatewatch.store.tombstones import ERASED, KeptOut
from gatewatch.store.units import micros

_log = logging.getLogger("gatewatch")
REFUSED = "record that the store cannot keep"
_LEVEL = 1  # `python -m benchmarks.store` says what the others cost and save


def take_in(db: Database, arrivals: Arrivals, now: float) -> TakenIn:
    """Keep what arrives (see `Store.take_in`). A record that cannot be kept is set aside, and counted as lost."""
    try:
        return _take_in(db, arrivals, now)
    except (StoreRefused, OverflowError):
        return _sorted_out(db, arrivals, now)


def _sorted_out(db: Database, arrivals: Arrivals, now: float) -> TakenIn:
    """Keep what can be kept: each record by itself, since each counts once however often it comes, then the rest."""
    moved = dict(arrivals.settled)
    alone = [
        Arrivals((each,), settled=((each.trace.id, moved[each.trace.id]),) if each.trace.id in moved else ())
        for each in arrivals.traces
    ] + [Arrivals(said=(each,)) for each in arrivals.said]
    good, done = [], TakenIn()
    for each in alone:
        try:
            found = _take_in(db, each, now)
        except (StoreRefused, OverflowError) as error:
            _log.warning("a record that cannot be kept is set aside: %s", said_by(error)[:300])
            continue
        good.append(each)
        done = TakenIn(
            done.traces + found.traces,
            done.repeated + found.repeated,
            done.said + found.said,
            done.parked + found.parked,
            done.amended + found.amended,
            done.erased + found.erased,
        )
    refused = len(alone) - len(good)
    rest = replace(
        arrivals,
        traces=tuple(trace for each in good for trace in each.traces),
        said=tuple(said for each in good for said in each.said),
        losses={**arrivals.losses, REFUSED: arrivals.losses.get(REFUSED, 0) + refused} if refused else arrivals.losses,
    )
    found = _take_in(db, rest, now)
    return replace(done, expected=found.expected)


def _take_in(db: Database, arrivals: Arrivals, now: float) -> TakenIn:
    packed = {id(each): zlib.compress(each.payload, _LEVEL) for each in arrivals.traces if each.payload}
    with db.transaction():
        if arrivals.segment:
            had = taken(db, arrivals.segment)
            if arrivals.offset <= had:
                return TakenIn(repeated=len(arrivals.traces))
            if arrivals.begins not in (None, had):
                return TakenIn(expected=had)
            db.execute(
                "INSERT INTO segment (name, taken, at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET taken = excluded.taken, at = excluded.at",
                *(arrivals.segment, arrivals.offset, micros(now)),
            )
        lose(db, arrivals.losses)
        kept_out = KeptOut(db, arrivals)
        arrivals = kept_out.without(db, arrivals, now)
        made = staging.made_of_more(db, arrivals.settled)
        traces = tuple(each for each in arrivals.traces if each.trace.id not in made)
        bodies = [packed.get(id(each), b"") for each in traces]
        rollup, spending = Rollup(), Spending()
        erasure.withdraw(db, kept_out.again, now, rollup)
        amended = _amend(db, traces, bodies, now, rollup, spending)
        new = _new(db, traces)
        if new:
            _insert(db, traces, bodies, new, now, rollup, spending)
            _join_parked(db, [(name, traces[place].trace.external_id) for name, place in new], rollup)
        said, parked = _hear(db, arrivals.said, rollup, kept_out)
        lose(db, {ERASED: kept_out.number})
        staging.settled(db, arrivals.settled)
        rollup.write(db)
        spending.write(db)
    repeated = len(arrivals.traces) - len(new) - amended
    return TakenIn(len(new), repeated, said, parked, amended, kept_out.number)


def _amend(
    db: Database,
    traces: Sequence[Arrival],
    bodies: Sequence[bytes],
    now: float,
    rollup: Rollup,
    spending: Spending,
) -> int:
    """Bring up requests that are there and of which more is known now, and say how many that was."""
    again = [place for place, each in enumerate(traces) if each.again]
    names = {name for place in again for name in (traces[place].trace.id, _longer(traces[place]))}
    there = {
        (name, span): seq for seq, name, span in db.among("SELECT seq, id, span_id FROM trace WHERE id IN {}", names)
    }
    amended = 0
    for place in again:
        each = traces[place]
        seq = next(
            (
                there[name, each.trace.span_id]
                for name in (each.trace.id, _longer(each))
                if (name, each.trace.span_id) in there
            ),
            None,
        )
        if seq is not None and amend(db, seq, each, bodies[place], now, rollup, spending):
            _join_parked(db, [(each.trace.id, each.trace.external_id)], rollup)
            amended += 1
    return amended


def taken(db: Database, segment: str) -> int:
    """How far a segment has been taken in, in bytes; 0 for one that is unknown."""
    found = db.execute("SELECT taken FROM segment WHERE name = ?", segment)
    return int(found[0][0]) if found else 0


def _new(db: Database, traces: Sequence[Arrival]) -> list[tuple[str, int]]:
    """The requests that are not there: the id to keep each under, and its place among the arrivals.

    Under one trace id several services may each record a request of theirs. The one that called the others has the bare
    id, by which feedback names it, though it ends last; the others have their span's id added. Of several that were not
    called by a known one, the first has it.
    """
    lookup = "SELECT id, span_id FROM trace WHERE id IN {}"
    there = dict(db.among(lookup, {each.trace.id for each in traces}))
    there |= db.among(lookup, {_longer(each) for each in traces if each.trace.id in there})
    for each in traces:
        name, span = each.trace.id, each.trace.span_id
        if not each.trace.parent_id and there.get(name, span) != span and _longer(each) not in there:
            _give_way(db, there, name)
    first, longer = dict(there), set()
    order = sorted(range(len(traces)), key=lambda place: bool(traces[place].trace.parent_id))
    for place in order:
        each = traces[place]
        if first.setdefault(each.trace.id, each.trace.span_id) != each.trace.span_id:
            longer.add(_longer(each))
    there |= db.among(lookup, longer)
    found = []
    for place in order:
        each = traces[place]
        name = each.trace.id
        if there.get(name, each.trace.span_id) != each.trace.span_id:
            name = _longer(each)
        if name not in there:
            there[name] = each.trace.span_id
            found.append((name, place))
    return sorted(found, key=lambda each: each[1])


def _give_way(db: Database, there: dict[str, str], name: str) -> None:
    """Let a request that was called by another, and ended before it, have the longer id."""
    found = db.execute("SELECT trace.seq, span_id, body FROM trace JOIN payload USING (seq) WHERE id = ?", name)
    for seq, span, body in found:
        if codec.decode(zlib.decompress(body), _Called).parent_id:
            db.execute("UPDATE trace SET id = ? WHERE seq = ?", f"{name}-{span}", seq)
            there[f"{name}-{span}"] = there.pop(name)


class _Called(Struct, frozen=True):
    parent_id: str = ""


def _longer(each: Arrival) -> str:
    return f"{each.trace.id}-{each.trace.span_id}"


def _insert(
    db: Database,
    traces: Sequence[Arrival],
    bodies: Sequence[bytes],
    new: Sequence[tuple[str, int]],
    now: float,
    rollup: Rollup,
    spending: Spending,
) -> None:
    last = db.execute("UPDATE meta SET value = value + ? WHERE key = 'seq' RETURNING value", len(new))[0][0]
    rows, payloads, marked, turns = [], [], [], []
    received = micros(now)
    for seq, (name, place) in enumerate(new, last - len(new) + 1):
        each, body = traces[place], bodies[place]
        trace, at = each.trace, micros(each.at)
        signals = signals_of(trace)
        tags = codec.encode(trace.tags).decode() if trace.tags else ""
        version = version_label(trace.versions) if trace.versions else ""
        rows.append(
            (
                *(seq, name, trace.span_id, at, received, trace.flow, trace.session, trace.slice, trace.variant),
                *(tags, trace.user, trace.external_id, each.u, *signals.values()),
                *(each.marks, 0, None, HELD if body else NONE, each.share, version, traits_text(each.traits)),
            )
        )
        if body:
            payloads.append((seq, body))
        if trace.session:
            turns.append((trace.flow, trace.session, seq, at, max(at, received)))
        counted = Place(trace.flow, trace.slice, trace.variant, at, each.share, version)
        rollup.request(counted, **signals)
        if each.marks:
            rollup.marks(counted, each.marks)
            marked += [(bit, seq, trace.flow, trace.slice, at) for bit in each_bit(each.marks)]
        for spent in each.spent:
            spending.add(at, "task", trace.flow, "", spent)
    db.executemany(f"INSERT INTO trace VALUES ({', '.join('?' * 26)})", rows)
    db.executemany("INSERT INTO payload (seq, body) VALUES (?, ?)", payloads)
    add_payloads(db, len(payloads), sum(len(body) for _, body in payloads))
    db.executemany("INSERT INTO mark (bit, seq, flow, slice, at) VALUES (?, ?, ?, ?, ?)", marked)
    db.executemany(
        "INSERT INTO session (flow, id, first, last_at, turns, moved) VALUES (?, ?, ?, ?, 1, ?)"
        " ON CONFLICT (flow, id) DO UPDATE SET turns = session.turns + 1,"
        " last_at = CASE WHEN excluded.last_at > session.last_at THEN excluded.last_at ELSE session.last_at END,"
        " moved = CASE WHEN excluded.moved > session.moved THEN excluded.moved ELSE session.moved END",
        turns,
    )


# What is said


def _hear(db: Database, said: Sequence[Said], rollup: Rollup, kept_out: KeptOut) -> tuple[int, int]:
    """Keep feedback: how much found its request, and how much waits for one."""
    if not said:
        return 0, 0
    ids = [each.id for each in said]
    known = {row[0] for row in db.among("SELECT id FROM said WHERE id IN {}", ids)}
    known |= {row[0] for row in db.among("SELECT id FROM parked WHERE id IN {}", ids)}
    heard = parked = 0
    for each in said:
        if each.id in known:
            continue
        known.add(each.id)
        seq = _request(db, each)
        if seq is None and kept_out.refuses(each):
            continue
        if seq is None:
            db.execute(
                "INSERT INTO parked (id, at, trace, external_id, body) VALUES (?, ?, ?, ?, ?)",
                each.id,
                micros(each.at),
                each.trace,
                each.external_id,
                codec.encode(replace(each, scores=tuple(map(scores.sound, each.scores)))),
            )
            parked += 1
        else:
            _apply(db, seq, each, rollup)
            heard += 1
    return heard, parked


def _request(db: Database, said: Said) -> int | None:
    """The number of the request that feedback names."""
    if said.trace:
        found = db.execute("SELECT seq FROM trace WHERE id = ?", said.trace)
        if found:
            return int(found[0][0])
    if said.external_id:
        found = db.execute(
            "SELECT seq FROM trace WHERE external_id = ? AND external_id <> '' ORDER BY seq DESC LIMIT 1",
            said.external_id,
        )
        if found:
            return int(found[0][0])
    return None


def _join_parked(db: Database, names: Iterable[tuple[str, str]], rollup: Rollup) -> None:
    """Apply the feedback that waited for some new requests, named by trace id and by external id."""
    if not db.execute("SELECT 1 FROM parked LIMIT 1"):
        return
    names = list(names)
    found = dict(db.among("SELECT id, body FROM parked WHERE trace <> '' AND trace IN {}", {each[0] for each in names}))
    others = {each[1] for each in names if each[1]}
    found |= db.among("SELECT id, body FROM parked WHERE external_id <> '' AND external_id IN {}", others)
    for name, body in found.items():
        said = codec.decode(body, Said)
        seq = _request(db, said)
        if seq is not None:
            db.execute("DELETE FROM parked WHERE id = ?", name)
            _apply(db, seq, said, rollup, planned=False)


def _apply(db: Database, seq: int, said: Said, rollup: Rollup, *, planned: bool = True) -> None:
    """Keep what was said of a request; `planned`: works may have decided on it, and have to hear of new marks."""
    db.execute("INSERT INTO said (id, seq) VALUES (?, ?)", said.id, seq)
    row = db.execute("SELECT flow, slice, variant, at, share, version, marks, late FROM trace WHERE seq = ?", seq)[0]
    place, marks, late = Place(*row[:6]), row[6], row[7]
    pi = place.share if said.pi is None else said.pi
    for score in said.scores:
        scores.put(db, rollup, seq, place, scores.sound(score), author=said.author, at=micros(said.at), pi=pi)
    fresh = said.marks & ~(marks | late)
    if not fresh:
        return
    thinned = db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
    column = "late" if seq <= thinned else "marks"
    db.execute(f"UPDATE trace SET {column} = {column} | ? WHERE seq = ?", fresh, seq)
    db.executemany(
        "INSERT INTO mark (bit, seq, flow, slice, at) VALUES (?, ?, ?, ?, ?)",
        [(bit, seq, place.flow, place.slice, place.at) for bit in each_bit(fresh)],
    )
    rollup.marks(place, fresh)
    if planned:
        number = db.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes' RETURNING value")[0][0]
        db.execute("INSERT INTO changed (number, flow, seq) VALUES (?, ?, ?)", number, place.flow, seq)
