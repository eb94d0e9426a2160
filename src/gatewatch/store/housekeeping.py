"""Keeping house: payloads thinned, old requests deleted, room given back, and what there is."""

import time
from collections.abc import Mapping, Sequence

from gatewatch.core import codec
from gatewatch.store import tasks
from gatewatch.store.counts import Counts
from gatewatch.store.database import Database
from gatewatch.store.filling import Heard
from gatewatch.store.payloads import GONE, HELD, KEPT, add_payloads, lose
from gatewatch.store.reading import ROW, all_flows, row_of
from gatewatch.store.rows import TIER_S, Expired, Row, Thinned
from gatewatch.store.units import MICRO, from_micros, micros

_STEP = 1000  # requests deleted at once: a tenth of a second, for which others wait
_FREED = 2000  # pages given back at once, likewise
_PAUSE_S = (
    0.025  # before the next step; without it others, who look every 0.1 s whether the file is free, find it taken
)
_DAY = 86_400
_LASTS_S = {"minute": 2 * _DAY, "hour": 90 * _DAY}
_WORKER_LASTS_S = 7 * _DAY


def held(db: Database, before: float, most: int) -> list[Row]:
    """The oldest requests whose payloads are held (see `Store.held`): up to the first that was received later."""
    found = db.execute(
        f"SELECT {ROW} FROM trace WHERE payload = {HELD} ORDER BY seq LIMIT ?",
        most,
    )
    limit, rows = micros(before), []
    for each in found:
        if each[3] >= limit:
            break
        rows.append(row_of(each))
    return rows


def thin(db: Database, decided: Sequence[Thinned], enough: int | None) -> int:
    """End the hold of the oldest requests that are held (see `Store.thin`)."""
    by_seq = {each.seq: each for each in decided}
    freed = 0
    with db.transaction():
        sizes = _sizes(db, [each.seq for each in decided if each.gone]) if enough is not None else {}
        held = f"SELECT seq, marks FROM trace WHERE payload = {HELD} AND seq <= ? ORDER BY seq"
        ended: list[Thinned] = []
        for seq, marks in db.execute(held, max(by_seq, default=0)):
            each = by_seq.get(seq)
            if each is None or each.marks != marks or (enough is not None and freed >= enough):
                break
            ended.append(each)
            freed += sizes.get(seq, 0)
        gone = [each.seq for each in ended if each.gone]
        db.executemany(
            "UPDATE trace SET payload = ?, kept = ? WHERE seq = ?",
            [(GONE if each.gone else KEPT, each.kept, each.seq) for each in ended],
        )
        _delete_payloads(db, gone)
        db.outlived([each.seq for each in ended if not each.gone])
        if ended:  # marks that come to these from now on are late
            last = ended[-1].seq
            db.execute("UPDATE meta SET value = ? WHERE key = 'thin' AND value < ?", last, last)
    return len(ended)


def let_go(db: Database, enough: int, most: int) -> int:
    """Let go of the oldest payloads that outlived their hold (see `Store.let_go`)."""
    with db.transaction():
        oldest = [
            seq for (seq,) in db.execute(f"SELECT seq FROM trace WHERE payload = {KEPT} ORDER BY seq LIMIT ?", most)
        ]
        sizes, gone, freed = _sizes(db, oldest), [], 0
        for seq in oldest:
            if freed >= enough:
                break
            gone.append(seq)
            freed += sizes.get(seq, 0)
        _delete_payloads(db, gone)
        db.among(f"UPDATE trace SET payload = {GONE} WHERE seq IN {{}}", gone)
        lose(db, {"payload over the quota": len(gone)})
    return len(gone)


def _sizes(db: Database, seqs: list[int]) -> dict[int, int]:
    return dict(db.among("SELECT seq, length(body) FROM payload WHERE seq IN {}", seqs))


def _delete_payloads(db: Database, seqs: list[int]) -> None:
    sizes = _sizes(db, seqs)
    db.among("DELETE FROM payload WHERE seq IN {}", seqs)
    waited = "UPDATE task SET state = 'no_payload' WHERE state = 'waiting' AND seq IN {} RETURNING work, seq, backfill"
    tasks.given_up(db, db.among(waited, seqs))
    add_payloads(db, -len(sizes), -sum(sizes.values()))


def payload_bytes(db: Database) -> int:
    """How much room payloads take, compressed."""
    return int(db.execute("SELECT value FROM meta WHERE key = 'payload_bytes'")[0][0])


# Letting go of what is old


def expire(db: Database, traces_before: float, parked_before: float, tasks_before: float) -> Expired:
    """Delete what is old, a step's worth (see `Store.expire`)."""
    left = _STEP
    for flow in all_flows(db):
        left -= _delete_requests(db, flow, micros(traces_before), left)
        if not left:
            time.sleep(_PAUSE_S)
            return Expired(_STEP, more=True)
    with db.transaction():
        parked = len(db.execute("DELETE FROM parked WHERE at < ? RETURNING id", micros(parked_before)))
        given_up = _give_up(db, micros(tasks_before))
        db.execute("DELETE FROM paid WHERE at < ?", micros(tasks_before))
        db.execute("DELETE FROM segment WHERE at < ?", micros(traces_before))  # whose requests are gone
        _let_go_of_trends(db)
        first = "SELECT coalesce((SELECT min(seq) FROM trace), value + 1) FROM meta WHERE key = 'seq'"
        oldest = db.execute(first)[0][0]
        db.execute("DELETE FROM epoch WHERE last < ?", oldest)
        db.execute("DELETE FROM ruleset WHERE hash NOT IN (SELECT ruleset FROM epoch)")
        db.execute("DELETE FROM changed WHERE seq < ?", oldest)
    before, free = db.free(), db.shrink(_FREED)
    return Expired(_STEP - left, parked, given_up, more=0 < free < before)


def _delete_requests(db: Database, flow: str, before: int, most: int) -> int:
    """Delete the oldest requests of a flow, at most so many, and say how many that was."""
    with db.transaction():
        found = db.execute("SELECT seq FROM trace WHERE flow = ? AND at < ? ORDER BY at LIMIT ?", *(flow, before, most))
        delete_requests(db, flow, [seq for (seq,) in found])
    return len(found)


def delete_requests(db: Database, flow: str, seqs: Sequence[int]) -> None:
    """Delete some requests of a flow with all that hangs on them but the trends, within the caller's transaction."""
    if not seqs:
        return
    tasks.drop(db, "seq", seqs)
    _delete_payloads(db, list(seqs))
    marked = db.among("SELECT seq, marks | late FROM trace WHERE marks | late <> 0 AND seq IN {}", seqs)
    db.executemany(
        "DELETE FROM mark WHERE bit = ? AND seq = ?",
        [(1 << place, seq) for seq, bits in marked for place in range(bits.bit_length()) if bits >> place & 1],
    )
    turned = {name for (name,) in db.among("SELECT session FROM trace WHERE session <> '' AND seq IN {}", seqs)}
    for table in ("score", "said", "fresh", "trace"):
        db.among(f"DELETE FROM {table} WHERE seq IN {{}}", seqs)
    first: dict[str, int] = {}
    turns = "SELECT session, seq FROM trace WHERE flow = ? AND session <> '' AND session IN {}"
    for name, seq in db.among(turns, turned, flow):
        first[name] = min(seq, first.get(name, seq))
    db.executemany(
        "UPDATE session SET first = ? WHERE flow = ? AND id = ?", [(seq, flow, name) for name, seq in first.items()]
    )
    db.executemany("DELETE FROM session WHERE flow = ? AND id = ?", [(flow, name) for name in turned - first.keys()])


def _give_up(db: Database, before: int) -> int:
    """Give up work that nobody did for too long; what a worker has now is left to it."""
    found = db.execute(
        "SELECT id, budget, reserved FROM task"
        " WHERE (state = 'waiting' OR (state = 'leased' AND until < ?)) AND since < ?",
        *(before, before),
    )
    tasks.let_go(db, [each for each in found if each[2]])
    over = "UPDATE task SET state = 'expired', owner = '' WHERE id IN {} RETURNING work, seq, backfill"
    tasks.given_up(db, db.among(over, [each[0] for each in found]))
    return len(found)


def _let_go_of_trends(db: Database) -> None:
    """Delete the cells of the finer tiers that are over age, as seen from the newest sign of life."""
    signs = db.execute("SELECT received FROM trace ORDER BY seq DESC LIMIT 1") + db.execute(
        "SELECT max(at) FROM worker"
    )
    newest = max((at for (at,) in signs if at is not None), default=0) // MICRO
    for tier, lasts in _LASTS_S.items():
        before = (newest - lasts) // _DAY * _DAY
        db.execute("UPDATE meta SET value = ? WHERE key = ? AND value < ?", before, f"{tier}_from", before)
        for table in ("signal_cell", "score_cell"):
            db.execute(
                f"DELETE FROM {table} WHERE tier = {TIER_S[tier]} AND bucket < ? AND series IN (SELECT id FROM series)",  # type: ignore[index]
                before,
            )
    db.execute("DELETE FROM worker WHERE at < ?", (newest - _WORKER_LASTS_S) * MICRO)


# Who is here, and what is in here


def heartbeat(db: Database, worker: str, now: float, note: str, scorers: Mapping[str, str]) -> None:
    """A worker says that it is at work, and which scorers it knows."""
    db.execute(
        "INSERT INTO worker (name, at, note, scorers) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at, note = excluded.note, scorers = excluded.scorers",
        *(worker, micros(now), note, codec.encode(scorers).decode() if scorers else ""),
    )


def workers(db: Database, since: float) -> dict[str, Heard]:
    """Workers heard of since a time."""
    found = db.execute("SELECT name, at, note, scorers FROM worker WHERE at >= ? ORDER BY name", micros(since))
    return {
        name: Heard(from_micros(at), note, codec.decode(scorers.encode(), dict[str, str]) if scorers else {})
        for name, at, note, scorers in found
    }


def counts(db: Database) -> Counts:
    """What is in here."""
    with db.transaction(write=False):
        meta = dict(db.execute("SELECT key, value FROM meta"))
        return Counts(
            traces=db.execute("SELECT count(*) FROM trace")[0][0],
            payloads=meta["payloads"],
            payload_bytes=meta["payload_bytes"],
            scores=db.execute("SELECT count(*) FROM score")[0][0],
            tasks=_by_state(db, "task"),
            parked=db.execute("SELECT count(*) FROM parked")[0][0],
            failures=db.execute("SELECT count(*) FROM failure")[0][0],
            items=_by_state(db, "item"),
            labels=db.execute("SELECT count(*) FROM label WHERE body IS NOT NULL")[0][0],
            changes=_by_state(db, "change"),
            losses=dict(db.execute("SELECT reason, n FROM loss ORDER BY reason")),
            file_bytes=db.size(),
            schema=meta["schema"],
        )


def _by_state(db: Database, table: str) -> dict[str, int]:
    return dict(db.execute(f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state"))
