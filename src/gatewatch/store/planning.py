"""Planning: which requests a work has decided on, by which rules, and the tasks that came of it."""

from collections.abc import Sequence
from typing import Any

from gatewatch.core import codec
from gatewatch.core.rates import Epoch, Rule
from gatewatch.core.score import Source
from gatewatch.store import scores
from gatewatch.store.database import Database
from gatewatch.store.payloads import GONE
from gatewatch.store.reading import ROW, row_of
from gatewatch.store.rollups import Rollup
from gatewatch.store.rows import Plan, Session, Unplanned, Work
from gatewatch.store.units import MICRO, from_micros, micros

_WORK = (
    "SELECT id, flow, scorer, fingerprint, source, planned, changes,"
    " (SELECT value FROM meta WHERE key = 'thin'), sessions FROM work"
)
_HOUR = 3600 * MICRO


def work(
    db: Database, flow: str, scorer: str, fingerprint: str, source: Source, sessions_since: float | None = None
) -> Work:
    """The work of a scorer on a flow (see `Store.work`)."""
    lookup = f"{_WORK} WHERE flow = ? AND scorer = ? AND fingerprint = ?"
    found = db.execute(lookup, flow, scorer, fingerprint)
    if not found:
        with db.transaction():
            db.execute(
                "INSERT INTO work (flow, scorer, fingerprint, source, sessions, planned, changes)"
                " VALUES (?, ?, ?, ?, ?, coalesce(?, (SELECT value FROM meta WHERE key = 'thin')),"
                " (SELECT value FROM meta WHERE key = 'changes')) ON CONFLICT (flow, scorer, fingerprint) DO NOTHING",
                *(flow, scorer, fingerprint, source),
                *(int(sessions_since is not None), None if sessions_since is None else micros(sessions_since)),
            )
            found = db.execute(lookup, flow, scorer, fingerprint)
    return _work_of(found[0])


def works(db: Database) -> list[Work]:
    """Every work there is."""
    return [_work_of(row) for row in db.execute(f"{_WORK} ORDER BY id")]


def _work_of(row: tuple[Any, ...]) -> Work:
    id_, flow, scorer, fingerprint, source, planned, changes, thinned, sessions = row
    return Work(id_, flow, scorer, fingerprint, source, planned, changes, thinned, bool(sessions))


def unplanned(db: Database, work: Work, most: int) -> Unplanned:
    """The next requests that a work has not decided on (see `Store.unplanned`)."""
    with db.transaction(write=False):
        last = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('seq', 'changes')"))
        new = db.execute(
            f"SELECT {ROW} FROM trace WHERE flow = ? AND seq > ? ORDER BY seq LIMIT ?",
            *(work.flow, work.planned, most),
        )
        noted = db.execute(
            "SELECT number, seq FROM changed WHERE flow = ? AND number > ? ORDER BY number LIMIT ?",
            *(work.flow, work.changes, most),
        )
        before = {seq for _, seq in noted if seq <= work.planned}
        changed = db.among(f"SELECT {ROW} FROM trace WHERE seq IN {{}}", sorted(before))
    return Unplanned(
        tuple(map(row_of, new)),
        tuple(map(row_of, changed)),
        new[-1][0] if len(new) == most else max(last["seq"], work.planned),
        noted[-1][0] if len(noted) == most else max(last["changes"], work.changes),
    )


def plan(db: Database, work_id: int, plan: Plan) -> int:
    """Keep a decision (see `Store.plan`)."""
    with db.transaction():
        found = db.execute(f"{_WORK} WHERE id = ?", work_id)
        if not found:
            return 0
        work = _work_of(found[0])
        if plan.read_at is not None and plan.read_at != (work.planned, work.changes):
            return 0
        made = _decided(db, work, plan)
        if plan.epoch is None or not _between(db, work, plan.epoch.first):
            db.execute("UPDATE work SET planned = ? WHERE id = ? AND planned < ?", plan.through, work.id, plan.through)
        db.execute("UPDATE work SET changes = ? WHERE id = ? AND changes < ?", plan.changes, work.id, plan.changes)
        db.execute("DELETE FROM changed WHERE number <= (SELECT min(changes) FROM work)")
    return made


def decided(db: Database, work: int, plan: Plan, *, backfill: int) -> int:
    """Keep a back-fill's decision, within its transaction: tasks, probabilities, rules. Says how many tasks are new."""
    return _decided(db, _work_of(db.execute(f"{_WORK} WHERE id = ?", work)[0]), plan, backfill)


def _decided(db: Database, work: Work, plan: Plan, backfill: int = 0) -> int:
    rollup = Rollup()
    made = _make_tasks(db, work, plan.tasks, backfill)
    for seq, pi in plan.moved:
        scores.move(db, rollup, seq, work.scorer, work.fingerprint, work.source, pi)
    db.executemany("UPDATE task SET pi = ? WHERE work = ? AND seq = ?", [(pi, work.id, seq) for seq, pi in plan.moved])
    rollup.write(db)
    if plan.epoch is not None:
        _keep_epoch(db, work.id, plan.epoch)
    return made


def rewind(db: Database, work: int, sessions_since: float | None = None) -> None:
    """Plan a work anew from the oldest request, or session, whose payload is still held."""
    with db.transaction():
        thinned = db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
        first = thinned if sessions_since is None else micros(sessions_since)
        db.execute("UPDATE work SET planned = ? WHERE id = ? AND planned > ?", first, work, first)


def _between(db: Database, work: Work, first: int) -> bool:
    """Whether requests are unplanned that come before the first that an epoch is of."""
    return bool(
        db.execute("SELECT 1 FROM trace WHERE flow = ? AND seq > ? AND seq < ? LIMIT 1", work.flow, work.planned, first)
    )


def _make_tasks(db: Database, work: Work, tasks: Sequence[tuple[int, float, float]], backfill: int) -> int:
    seqs = [seq for seq, _, _ in tasks]
    there = {seq: rest for seq, *rest in db.among("SELECT seq, at, payload FROM trace WHERE seq IN {}", seqs)}
    done = scored(db, work.scorer, work.fingerprint, seqs)
    rows = []
    for seq, due, pi in tasks:
        if seq in there and seq not in done:
            at, payload = there[seq]
            rows.append(new_task(work.id, seq, at, due=micros(due), pi=pi, gone=payload == GONE))
    return insert_tasks(db, rows, backfill)


def scored(db: Database, scorer: str, fingerprint: str, seqs: Sequence[int]) -> set[int]:
    """Those of some requests that have a score of a scorer."""
    found = db.among(
        "SELECT seq FROM score WHERE name = ? AND fingerprint = ? AND seq IN {}", seqs, scorer, fingerprint
    )
    return {seq for (seq,) in found}


def new_task(work: int, seq: int, at: int, *, due: int, pi: float, gone: bool, turns: int = 0) -> tuple[object, ...]:
    """The columns of a new task; `gone`: there is nothing left to score."""
    return (work, seq, at // _HOUR, "no_payload" if gone else "waiting", due, due, pi, turns)


def insert_tasks(db: Database, rows: Sequence[tuple[object, ...]], backfill: int = 0) -> int:
    """Insert tasks that are not there, and say how many that was; those of a back-fill have its id."""
    _take_over(db, rows, backfill)
    return db.executemany(
        "INSERT INTO task (work, seq, hour, state, due, since, pi, turns, attempts, failures, crashes, reason, owner,"
        " until, budget, reserved, leased_turns, backfill, slice) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', '', 0,"
        " '', 0, 0, ?, (SELECT slice FROM trace WHERE seq = ?)) ON CONFLICT (work, seq) DO NOTHING",
        [(*row, backfill, row[1]) for row in rows],
    )


def _take_over(db: Database, rows: Sequence[tuple[object, ...]], backfill: int) -> None:
    """Take tasks that wait from other back-fills: for live work from any, for a back-fill from those that are over."""
    for work in {row[0] for row in rows}:
        held = db.among(
            "SELECT task.id, task.backfill FROM task JOIN backfill ON backfill.id = task.backfill WHERE task.work = ?"
            " AND task.backfill <> ? AND (? = 0 OR backfill.state <> 'running')"
            " AND task.state IN ('waiting', 'expired') AND seq IN {}",
            [row[1] for row in rows if row[0] == work],
            *(work, backfill, backfill),
        )
        db.among("DELETE FROM task WHERE id IN {}", [task for task, _ in held])
        db.executemany("UPDATE backfill SET made = made - 1 WHERE id = ?", [(each,) for _, each in held])


# Rules that were in force


def epochs(db: Database, work: int, first: int, last: int) -> list[Epoch]:
    """The rules that were in force for any of some requests, oldest first."""
    return [
        Epoch(start, end, codec.decode(rules, tuple[Rule, ...]), multiplier)
        for start, end, rules, multiplier in db.execute(
            "SELECT first, last, rules, multiplier FROM epoch JOIN ruleset ON hash = ruleset"
            " WHERE work = ? AND last >= ? AND first <= ? ORDER BY first, last, ruleset, multiplier",
            *(work, first, last),
        )
    ]


def _keep_epoch(db: Database, work: int, epoch: Epoch) -> None:
    """Keep rules; those of neighbours that are the same become one."""
    if epoch.last < epoch.first:
        return
    rules = codec.encode(epoch.rules)
    name = codec.digest(epoch.rules, 32)
    db.execute("INSERT INTO ruleset (hash, rules) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", name, rules)
    same = (work, name, epoch.multiplier)
    near = db.execute(
        "SELECT first, last FROM epoch WHERE work = ? AND ruleset = ? AND multiplier = ? AND last >= ? AND first <= ?",
        *(*same, epoch.first - 1, epoch.last + 1),
    )
    db.executemany(
        "DELETE FROM epoch WHERE work = ? AND ruleset = ? AND multiplier = ? AND first = ?",
        [(*same, first) for first, _ in near],
    )
    first = min([epoch.first, *(each[0] for each in near)])
    last = max([epoch.last, *(each[1] for each in near)])
    db.execute("INSERT INTO epoch (work, ruleset, multiplier, first, last) VALUES (?, ?, ?, ?, ?)", *same, first, last)


# Sessions


_SESSION = "SELECT flow, id, first, last_at, turns, moved FROM session WHERE flow = ?"


def ended(db: Database, flow: str, before: float, most: int, after: int = 0) -> list[Session]:
    """Sessions that ended, those that ended first come first (see `Store.ended`)."""
    found = db.execute(
        f"{_SESSION} AND moved > ? AND moved < ? ORDER BY moved, id LIMIT ?", flow, after, micros(before), most
    )
    if len(found) == most:  # all that were heard of at the same moment, since they are planned up to it
        found += db.execute(f"{_SESSION} AND moved = ? AND id > ? ORDER BY id", flow, found[-1][5], found[-1][1])
    return [_session_of(row) for row in found]


def find_session(db: Database, flow: str, name: str) -> Session | None:
    """A session by its id."""
    found = db.execute(f"{_SESSION} AND id = ?", flow, name)
    return _session_of(found[0]) if found else None


def _session_of(row: tuple[Any, ...]) -> Session:
    flow, name, first, last_at, turns, moved = row
    return Session(flow, name, first, from_micros(last_at), turns, moved)


def plan_session(db: Database, session: Session, tasks: Sequence[tuple[int, float, float]]) -> None:
    """Make the tasks of a session (see `Store.plan_session`)."""
    with db.transaction():
        found = db.execute("SELECT at, payload FROM trace WHERE seq = ?", session.first)
        for work_id, due, pi in tasks if found else ():
            _session_task(db, session, work_id, micros(due), pi, at=found[0][0], gone=found[0][1] == GONE)


def _session_task(db: Database, session: Session, work_id: int, due: int, pi: float, *, at: int, gone: bool) -> None:
    done = db.execute(
        "SELECT s.turns FROM score s JOIN work w ON w.scorer = s.name AND w.fingerprint = s.fingerprint"
        " WHERE s.seq = ? AND w.id = ? AND s.source = w.source",
        *(session.first, work_id),
    )
    if any(turns >= session.turns for (turns,) in done):
        return
    insert_tasks(db, [new_task(work_id, session.first, at, due=due, pi=pi, gone=gone, turns=session.turns)])
    # One that a worker has now is done again afterwards; one that was given up has another chance with the new turns.
    db.execute(
        "UPDATE task SET turns = ?, due = ?, since = ?, pi = ?, failures = 0, crashes = 0,"
        " state = CASE WHEN state = 'leased' OR state = 'no_payload' THEN state ELSE 'waiting' END"
        " WHERE work = ? AND seq = ? AND turns < ?",
        *(session.turns, due, due, pi, work_id, session.first, session.turns),
    )
