"""A request that is there already, and of which more is known now: its row, payload and trends are brought up.

What scorers said of it before was said of something else: it is withdrawn, and the request is planned anew. What people
said of it stays. What the withdrawn scores cost was spent, and stays spent.
"""

import zlib

from gatewatch.core import codec
from gatewatch.core.trace import Trace
from gatewatch.core.watch import version_label
from gatewatch.store import planning, scores, tasks
from gatewatch.store.database import Database
from gatewatch.store.payloads import GONE, HELD, NONE, add_payloads
from gatewatch.store.reading import traits_text
from gatewatch.store.rollups import SIGNALS, Place, Rollup, each_bit, signals_of
from gatewatch.store.rows import Arrival
from gatewatch.store.spending import Spending, spent_of
from gatewatch.store.units import micros

_COLUMNS = f"flow, slice, variant, at, share, version, session, marks, late, payload, received, {', '.join(SIGNALS)}"


def amend(
    db: Database, seq: int, arrival: Arrival, body: bytes, now: float, rollup: Rollup, spending: Spending
) -> bool:
    """Bring a request up to what is known of it now, within the caller's transaction, and say whether that is new.

    `body` is the arrival's payload as it is stored.
    """
    row = db.execute(f"SELECT {_COLUMNS} FROM trace WHERE seq = ?", seq)[0]
    before, (session, marks, late, state, received) = Place(*row[:6]), row[6:11]
    found = db.execute("SELECT body FROM payload WHERE seq = ?", seq)
    if found and zlib.decompress(found[0][0]) == arrival.payload and before.share == arrival.share:
        return False
    trace = arrival.trace
    version = version_label(trace.versions)
    after = Place(trace.flow, trace.slice, trace.variant, micros(arrival.at), arrival.share, version)
    signals, old_marks = signals_of(trace), marks | late
    marks |= arrival.marks
    rollup.request(before, **dict(zip(SIGNALS, row[11:], strict=True)), sign=-1)
    rollup.marks(before, old_marks, -1)
    rollup.request(after, **signals)
    rollup.marks(after, marks | late)
    if found:
        for spent in spent_of(codec.decode(zlib.decompress(found[0][0]), Trace)):
            spending.add(before.at, "task", before.flow, "", spent, -1)
        for spent in arrival.spent:
            spending.add(after.at, "task", after.flow, "", spent)
    db.execute(
        "UPDATE trace SET at = ?, flow = ?, session = ?, slice = ?, variant = ?, tags = ?, person = ?, external_id = ?,"
        " u = ?, latency = ?, first_token = ?, cost = ?, input_tokens = ?, output_tokens = ?, error = ?, marks = ?,"
        " share = ?, version = ?, traits = ? WHERE seq = ?",
        *(after.at, after.flow, trace.session, after.slice, after.variant),
        *(codec.encode(trace.tags).decode() if trace.tags else "", trace.user, trace.external_id, arrival.u),
        *(*signals.values(), marks, arrival.share, version, traits_text(arrival.traits), seq),
    )
    db.among("DELETE FROM mark WHERE seq = ? AND bit IN {}", each_bit(old_marks), seq)
    db.executemany(
        "INSERT INTO mark (bit, seq, flow, slice, at) VALUES (?, ?, ?, ?, ?)",
        [(bit, seq, after.flow, after.slice, after.at) for bit in each_bit(marks | late)],
    )
    _turn(db, seq, (before.flow, session), (after.flow, trace.session), after.at, received)
    _replace_payload(db, seq, state, found[0][0] if found else None, body)
    _withdraw(db, seq, before, after, micros(now), rollup)
    return True


def _turn(db: Database, seq: int, old: tuple[str, str], new: tuple[str, str], at: int, received: int) -> None:
    """Move a turn from one session to another, where it is of another one now."""
    if old == new:
        return
    if old[1]:
        left = db.execute("SELECT min(seq) FROM trace WHERE flow = ? AND session = ?", *old)[0][0]
        if left is None:
            db.execute("DELETE FROM session WHERE flow = ? AND id = ?", *old)
        else:
            db.execute("UPDATE session SET turns = turns - 1, first = ? WHERE flow = ? AND id = ?", left, *old)
    if new[1]:
        db.execute(
            "INSERT INTO session (flow, id, first, last_at, turns, moved) VALUES (?, ?, ?, ?, 1, ?)"
            " ON CONFLICT (flow, id) DO UPDATE SET turns = session.turns + 1,"
            " first = CASE WHEN excluded.first < session.first THEN excluded.first ELSE session.first END",
            *(*new, seq, at, max(at, received)),
        )


def _replace_payload(db: Database, seq: int, state: int, old: bytes | None, body: bytes) -> None:
    if old is not None and body:
        db.execute("UPDATE payload SET body = ? WHERE seq = ?", body, seq)
        add_payloads(db, 0, len(body) - len(old))
    elif old is None and body and state == NONE:
        thinned = db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
        if seq > thinned:  # another's hold is over, and would never be looked at again
            db.execute("INSERT INTO payload (seq, body) VALUES (?, ?)", seq, body)
            db.execute("UPDATE trace SET payload = ? WHERE seq = ?", HELD, seq)
            add_payloads(db, 1, len(body))


def _withdraw(db: Database, seq: int, before: Place, after: Place, now: int, rollup: Rollup) -> None:
    """Withdraw what scorers said of the request by itself, have it planned again, and move the rest with it."""
    said = db.execute(
        "SELECT name, fingerprint, source, author, pi, value, status, turns FROM score WHERE seq = ?", seq
    )
    works = {
        tuple(key): work
        for work, *key in db.execute("SELECT id, scorer, fingerprint, source FROM work WHERE flow = ?", before.flow)
    }
    withdrawn: list[tuple[int, float]] = []
    for name, fingerprint, source, author, pi, value, status, turns in said:
        scores.take_away(rollup, before, name, fingerprint, source, pi=pi, value=value, status=status)
        if (name, fingerprint, source) in works and not turns:
            db.execute(
                "DELETE FROM score WHERE seq = ? AND name = ? AND source = ? AND author = ? AND fingerprint = ?",
                *(seq, name, source, author, fingerprint),
            )
            db.execute("DELETE FROM fresh WHERE seq = ? AND work = ?", seq, works[name, fingerprint, source])
            withdrawn.append((works[name, fingerprint, source], pi / before.share * after.share))
        else:
            new = after.share if pi == before.share else pi  # what people said is of whatever was sent
            rollup.score(after, name, fingerprint, source, pi=new, value=value, status=status)
    db.execute(
        "UPDATE score SET flow = ?, happened = ?, pi = CASE WHEN pi = ? THEN ? ELSE pi END WHERE seq = ?",
        *(after.flow, after.at, before.share, after.share, seq),
    )
    if after.flow != before.flow:
        tasks.drop(db, "seq", [seq])
    else:  # a worker that is at it now looks at the old payload: its lease is no more
        tasks.let_go(db, db.execute("SELECT id, budget, reserved FROM task WHERE seq = ? AND reserved > 0", seq))
        db.execute(
            "UPDATE task SET state = 'waiting', attempts = attempts + 1, owner = '', until = 0, failures = 0, slice = ?"
            " WHERE seq = ? AND state IN ('leased', 'failed', 'waiting')",
            *(after.slice, seq),
        )
        for work, pi in withdrawn:
            _fill_again(db, seq, work, pi, after.at, now)
    number = db.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes' RETURNING value")[0][0]
    db.execute("INSERT INTO changed (number, flow, seq) VALUES (?, ?, ?)", number, after.flow, seq)


def _fill_again(db: Database, seq: int, work: int, pi: float, at: int, now: int) -> None:
    """Have a back-fill make again the score that it made: nobody plans for it when its range was gone through."""
    found = db.execute(
        "SELECT id FROM backfill WHERE work = ? AND first <= ? AND planned >= ? ORDER BY id DESC LIMIT 1",
        work,
        seq,
        seq,
    )
    for (backfill,) in found:
        gone = db.execute("SELECT payload FROM trace WHERE seq = ?", seq)[0][0] == GONE
        made = planning.insert_tasks(db, [planning.new_task(work, seq, at, due=now, pi=pi, gone=gone)], backfill)
        db.execute(
            "UPDATE backfill SET made = made + ?, state = CASE WHEN state = 'done' THEN 'running' ELSE state END"
            " WHERE id = ?",
            *(made, backfill),
        )
