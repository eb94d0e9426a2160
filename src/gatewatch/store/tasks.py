"""Doing: tasks that are leased for a while and settled, and the money that is set aside and spent on them.

A lease is known by its task and attempt. Who was too slow finds that the attempt is another now, and changes nothing.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.store import scores
from gatewatch.store.backfill import running
from gatewatch.store.database import Database
from gatewatch.store.payloads import GONE
from gatewatch.store.reading import ROW, row_of
from gatewatch.store.rollups import Place, Rollup
from gatewatch.store.rows import Leased, Settled
from gatewatch.store.sharing import Queue, shared
from gatewatch.store.spending import Spending
from gatewatch.store.units import from_nano, micros, nano

CAUTION = 3
"""Times what an attempt costs on the mean is set aside for it: few cost more."""
_TASK = (
    "task.id, task.work, task.seq, pi, task.turns, leased_turns, budget, reserved, task.backfill, work.flow, scorer,"
    " work.fingerprint, source, trace.flow, trace.slice, variant, trace.at, share, version"
)


_DUE = ("state = 'waiting' AND crashes = 0 AND due",)
_SUSPECTS = ("state = 'waiting' AND crashes > 0 AND due", "state = 'leased' AND until")
_CHOICES = {None: (*_DUE, *_SUSPECTS), True: _SUSPECTS, False: _DUE}


def suspects(db: Database, works: Iterable[int], now: float, backfills: Iterable[int]) -> int:
    """How many tasks are due over which a worker died."""
    return sum(
        db.execute(
            f"SELECT count(*) FROM task WHERE work = ? AND backfill = ? AND {condition} <= ?", *queue, micros(now)
        )[0][0]
        for queue in _queues(db, works, backfills)
        for condition in _SUSPECTS
    )


def lease(
    db: Database,
    works: Iterable[int],
    owner: str,
    most: int,
    now: float,
    until: float,
    *,
    backfills: Iterable[int] = (),
    suspects: bool | None = None,
    turn: int = 0,
) -> list[Leased]:
    """Lease tasks, each queue its part, and in each those that are due for the longest first (see `Store.lease`)."""
    with db.transaction():
        due = {queue: _due(db, queue, _CHOICES[suspects], micros(now), most) for queue in _queues(db, works, backfills)}
        ids = shared(due, _in_hand(db, owner, due), most, turn)
        _book_the_lost(db, ids, now)
        db.executemany(
            "UPDATE task SET crashes = crashes + CASE WHEN state = 'leased' THEN 1 ELSE 0 END, state = 'leased',"
            " attempts = attempts + 1, owner = ?, until = ?, leased_turns = turns WHERE id = ?",
            [(owner, micros(until), task) for task in ids],
        )
        _give_up_the_gone(db, ids)
        columns = "id, work, seq, attempts, pi, failures, crashes, reason, backfill"
        leased = db.among(f"SELECT {columns} FROM task WHERE state = 'leased' AND id IN {{}}", ids)
        seqs = {seq for _, _, seq, *_ in leased}
        rows = {row[0]: row_of(row) for row in db.among(f"SELECT {ROW} FROM trace WHERE seq IN {{}}", seqs)}
        bodies = dict(db.among("SELECT seq, body FROM payload WHERE seq IN {}", seqs))
    order_of = {task: place for place, task in enumerate(ids)}
    return [
        Leased(task, work, rows[seq], attempt, pi, zlib.decompress(bodies[seq]) if seq in bodies else None, *more)
        for task, work, seq, attempt, pi, *more in sorted(leased, key=lambda each: order_of[each[0]])
    ]


def _queues(db: Database, works: Iterable[int], backfills: Iterable[int]) -> list[Queue]:
    """The live queue of each work, and that of each back-fill that is running."""
    return [(work, 0) for work in works] + running(db, backfills)


def _due(db: Database, queue: Queue, conditions: Sequence[str], now: int, most: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for condition in conditions:
        found += db.execute(
            f"SELECT due, id FROM task WHERE work = ? AND backfill = ? AND {condition} <= ? ORDER BY due LIMIT ?",
            *(*queue, now, most),
        )
    return sorted(found)[:most]


def _in_hand(db: Database, owner: str, queues: Iterable[Queue]) -> dict[Queue, int]:
    """How many tasks of each queue a worker has."""
    found = db.among(
        "SELECT work, backfill FROM task WHERE state = 'leased' AND owner = ? AND work IN {}",
        {work for work, _ in queues},
        owner,
    )
    return Counter((work, backfill) for work, backfill in found)


def _book_the_lost(db: Database, ids: Sequence[int], now: float) -> None:
    """Book what attempts whose lease ran out cost on the mean: their judges were asked, for all that is known."""
    lost = db.among("SELECT id, attempts, budget, reserved FROM task WHERE reserved > 0 AND id IN {}", ids)
    let_go(db, [(task, budget, reserved) for task, _, budget, reserved in lost])
    for task, attempt, budget, reserved in lost:
        guessed = reserved // CAUTION
        book(db, budget, guessed)
        db.execute(
            "INSERT INTO paid (task, attempt, at, budget, guessed) VALUES (?, ?, ?, ?, ?)",
            *(task, attempt, micros(now), budget, guessed),
        )


def _give_up_the_gone(db: Database, ids: Sequence[int]) -> None:
    gone = db.among(
        "UPDATE task SET state = 'no_payload', owner = '' WHERE (SELECT payload FROM trace WHERE trace.seq = task.seq)"
        f" = {GONE} AND id IN {{}} RETURNING work, seq, backfill",
        ids,
    )
    given_up(db, gone)


def extend(db: Database, owner: str, tasks: Iterable[int], until: float) -> None:
    """Keep leased tasks for longer."""
    with db.transaction():
        db.executemany(
            "UPDATE task SET until = ? WHERE id = ? AND owner = ? AND state = 'leased'",
            [(micros(until), task, owner) for task in tasks],
        )


# Money


def reserve(db: Database, budget: str, limit: float, amount: float, task: int) -> bool:
    """Set money aside for a leased task (see `Store.reserve`)."""
    wanted, most = nano(amount), nano(limit)
    with db.transaction():
        let_go(db, db.execute("SELECT id, budget, reserved FROM task WHERE id = ? AND reserved > 0", task))
        db.execute("INSERT INTO budget (name, spent, reserved) VALUES (?, 0, 0) ON CONFLICT (name) DO NOTHING", budget)
        got = db.execute(
            "UPDATE task SET budget = ?, reserved = ? WHERE id = ? AND state = 'leased' RETURNING id",
            *(budget, wanted, task),
        ) and db.execute(
            "UPDATE budget SET reserved = reserved + ? WHERE name = ? AND spent + reserved + ? <= ? RETURNING name",
            *(wanted, budget, wanted, most),
        )
        if not got:
            db.execute("UPDATE task SET budget = '', reserved = 0 WHERE id = ?", task)
    return bool(got)


def spent(db: Database, budget: str) -> tuple[float, float]:
    """What was spent of a budget, and what is set aside, in US dollars."""
    found = db.execute("SELECT spent, reserved FROM budget WHERE name = ?", budget)
    return (from_nano(found[0][0]), from_nano(found[0][1])) if found else (0.0, 0.0)


def let_go(db: Database, tasks: Iterable[tuple[int, str, int]]) -> None:
    """Set no money aside any more for some tasks (id, budget, reserved)."""
    for task, budget, reserved in tasks:
        db.execute("UPDATE budget SET reserved = reserved - ? WHERE name = ?", reserved, budget)
        db.execute("UPDATE task SET budget = '', reserved = 0 WHERE id = ?", task)


def drop(db: Database, condition: str, values: Iterable[Any]) -> None:
    """Delete the tasks of which a column is among some values, and let go of what was set aside for them."""
    every = list(values)
    let_go(
        db,
        db.among(f"SELECT id, budget, reserved FROM task WHERE reserved > 0 AND {condition} IN {{}}", every),
    )
    db.among(f"DELETE FROM task WHERE {condition} IN {{}}", every)


# What monitors hear of


def given_up(db: Database, tasks: Iterable[tuple[int, int, int]]) -> None:
    """Note for monitors that live ones of some tasks (work, seq, backfill) will have no score."""
    note(db, [(work, seq, None) for work, seq, backfill in tasks if not backfill])


def note(db: Database, fresh: Sequence[tuple[int, int, float | None]]) -> None:
    """Note for monitors what became of live tasks: (work, seq, value)."""
    db.executemany("INSERT INTO fresh (work, seq, value) VALUES (?, ?, ?)", fresh)


# What became of them

_PAID = "SELECT budget, guessed FROM paid WHERE task = ? AND attempt = ?"
"""Whoever does not know whether it settled an attempt settles it again; what it cost is booked once. What was booked
when its lease ran out was guessed, and is put right by what comes late."""


def settle(db: Database, settled: Iterable[Settled], now: float) -> int:
    """Keep what became of leased tasks (see `Store.settle`)."""
    rollup, spending, done = Rollup(), Spending(), 0
    paid: set[tuple[int, int]] = set()
    fresh: list[tuple[int, int, float | None]] = []
    with db.transaction():
        for each in settled:
            key = each.task, each.attempt
            score = each.score if each.score is not None and each.score.cost is not None else None
            found = db.execute(
                f"SELECT {_TASK}, state = 'leased' AND attempts = ? FROM task JOIN work ON work.id = task.work"
                " JOIN trace ON trace.seq = task.seq WHERE task.id = ?",
                *(each.attempt, each.task),
            )
            if found and found[0][-1]:
                task = _Task(found[0][:-1])
                _settle(db, task, each, micros(now), rollup, spending)
                fresh += _heard(task, each)
                done += 1
            elif score is not None and key not in paid and owes(before := db.execute(_PAID, *key)):
                budget, guessed = before[0] if before else (each.budget, 0)
                cost = score.cost or Cost()
                book(db, budget, max(nano(cost.amount), guessed if cost.unknown else 0) - guessed)
                if found:  # too late; spent anyway
                    late = _Task(found[0][:-1])
                    spending.judged(micros(now), late.flow, late.scorer, score, kept=False)
            if score is not None:
                paid.add(key)
        db.executemany(
            "INSERT INTO paid (task, attempt, at, budget, guessed) VALUES (?, ?, ?, '', 0)"
            " ON CONFLICT (task, attempt) DO UPDATE SET guessed = 0",
            [(*key, micros(now)) for key in sorted(paid)],
        )
        note(db, fresh)
        rollup.write(db)
        spending.write(db)
    return done


def _heard(task: "_Task", settled: Settled) -> list[tuple[int, int, float | None]]:
    """What monitors hear of a task that was settled."""
    if task.backfill or settled.retry_at is not None:
        return []
    if settled.state != "waiting":
        return [(task.work, task.seq, None)]
    return [] if settled.score is None else [(task.work, task.seq, scores.sound(settled.score).value)]


def owes(paid: Sequence[tuple[str, int]]) -> bool:
    """Whether what an attempt cost is still to be booked, or only guessed."""
    return not paid or paid[0][1] > 0


class _Task:
    """A leased task, with what is known of its work and request."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.id, self.work, self.seq, self.pi, self.turns, self.leased_turns, self.budget, self.reserved = row[:8]
        self.backfill, self.flow, self.scorer, self.fingerprint, self.source = row[8:13]
        self.place = Place(*row[13:])


def _settle(db: Database, task: _Task, settled: Settled, now: int, rollup: Rollup, spending: Spending) -> None:
    score = settled.score
    _pay(db, task, score, settled.budget)
    if score is not None:
        kept = settled.retry_at is None and settled.state == "waiting"
        spending.judged(now, task.flow, task.scorer, score, kept=kept)
    if settled.retry_at is not None:
        _stay(db, task, "waiting", settled.reason, due=micros(settled.retry_at), failed=settled.counts)
        _give_up_the_gone(db, [task.id])
    elif settled.state != "waiting":
        _stay(db, task, settled.state, settled.reason)
    elif score is None:
        _stay(db, task, "waiting", settled.reason)
    else:
        _keep(db, task, scores.sound(score), settled.author, now, rollup)
        if task.turns > task.leased_turns:  # the session went on meanwhile
            _stay(db, task, "waiting", "")
        else:
            db.execute("DELETE FROM task WHERE id = ?", task.id)
            if task.backfill:
                db.execute("UPDATE backfill SET done = done + 1 WHERE id = ?", task.backfill)


def _stay(db: Database, task: _Task, state: str, reason: str, *, due: int | None = None, failed: bool = False) -> None:
    db.execute(
        "UPDATE task SET state = ?, reason = ?, owner = '', until = 0, due = coalesce(?, due), failures = failures + ?"
        " WHERE id = ?",
        *(state, reason, due, int(failed), task.id),
    )


def _keep(db: Database, task: _Task, score: Score, author: str, now: int, rollup: Rollup) -> None:
    if task.turns:  # what was said of fewer turns, whoever said it
        old = db.execute(
            "SELECT value, status, pi, author FROM score WHERE seq = ? AND name = ? AND source = ? AND fingerprint = ?"
            " AND turns < ? AND turns > 0",
            *(task.seq, score.name, score.source, score.fingerprint, task.leased_turns),
        )
        for value, status, pi, _ in old:
            rollup.score(
                *(task.place, score.name, score.fingerprint, score.source),
                pi=pi,
                value=value,
                status=status,
                sign=-1,
            )
        db.executemany(
            "DELETE FROM score WHERE seq = ? AND name = ? AND source = ? AND fingerprint = ? AND author = ?",
            [(task.seq, score.name, score.source, score.fingerprint, row[3]) for row in old],
        )
    scores.put(
        *(db, rollup, task.seq, task.place, score),
        author=author,
        at=now,
        pi=task.pi,
        turns=task.leased_turns,
    )


def _pay(db: Database, task: _Task, score: Score | None, budget: str) -> None:
    """Turn what was set aside for a task into what was spent on it."""
    cost = score.cost if score is not None else None
    paid = nano(cost.amount) if cost is not None else 0
    if cost is not None and cost.unknown:
        paid = max(paid, task.reserved)
    if task.reserved:
        let_go(db, [(task.id, task.budget, task.reserved)])
    book(db, task.budget or budget, paid)


def book(db: Database, budget: str, paid: int) -> None:
    """Count money as spent of a budget, where there is one."""
    if paid and budget:
        db.execute(
            "INSERT INTO budget (name, spent, reserved) VALUES (?, ?, 0)"
            " ON CONFLICT (name) DO UPDATE SET spent = budget.spent + excluded.spent",
            *(budget, paid),
        )
