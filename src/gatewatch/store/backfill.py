"""Back-fills: a scorer over requests that are stored, in a range that is fixed, by rules that never change.

A back-fill decides on its range step by step, a little ahead of what is scored. What it decided so far is an epoch of
its work, so that probabilities are true whenever it is stopped.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.rates import Rule
from gatewatch.store import planning
from gatewatch.store.database import Database
from gatewatch.store.reading import ROW, row_of
from gatewatch.store.rows import Plan, Row
from gatewatch.store.units import from_micros, from_nano, micros, nano

BackfillState = Literal["running", "stopped", "done"]
_BEFORE: Mapping[BackfillState, BackfillState] = {"running": "stopped", "stopped": "running", "done": "running"}
_SELECT = (
    "SELECT backfill.id, flow, scorer, fingerprint, work, state, reason, author, at, rules, first, last,"
    " backfill.planned, made, done, most FROM backfill JOIN work ON work.id = work"
)


class Backfill(Struct, frozen=True):
    """A scorer of one fingerprint over the requests of a flow that are numbered `first` to `last`, by `rules`.

    It decided on all up to `planned`, which `made` so many tasks, of which `done` have their score. `most` is its
    budget in US dollars, None for no limit; `reason` says why it was stopped.
    """

    id: int
    flow: str
    scorer: str
    fingerprint: str
    work: int
    state: BackfillState
    reason: str
    author: str
    at: float
    rules: tuple[Rule, ...]
    first: int
    last: int
    planned: int
    made: int
    done: int
    most: float | None = None

    @property
    def budget(self) -> str:
        """The name of the budget that its money is counted in."""
        return f"backfill:{self.id}"

    @property
    def share(self) -> float:
        """How much of its range is decided on, 0..1."""
        return (self.planned - self.first + 1) / max(1, self.last - self.first + 1)


class Unfilled(Struct, frozen=True):
    """Requests of a range, in order, up to the one numbered `through`: all of them are held, or the hold of all is over
    (`stored`). Those that are `there` have a score or a task of the work. `thinned` is up to where holds are over."""

    rows: tuple[Row, ...]
    through: int
    there: frozenset[int]
    stored: bool
    thinned: int


def numbered(db: Database, since: float, until: float) -> tuple[int, int]:
    """The first and the last number of the requests that arrived in a window (see `Store.numbered`)."""
    with db.transaction(write=False):
        return _number(db, micros(since)), _number(db, micros(until)) - 1


def _number(db: Database, at: int) -> int:
    """The first number from which on requests were received at a time or later."""
    low, high = 1, db.execute("SELECT value FROM meta WHERE key = 'seq'")[0][0] + 1
    while low < high:
        middle = (low + high) // 2
        found = db.execute("SELECT seq, received FROM trace WHERE seq >= ? ORDER BY seq LIMIT 1", middle)
        if found and found[0][1] < at:
            low = found[0][0] + 1
        else:
            high = middle
    return int(low)


def begin(
    db: Database,
    work: int,
    rules: tuple[Rule, ...],
    numbers: tuple[int, int],
    *,
    author: str,
    now: float,
    most: float | None,
) -> Backfill:
    """Begin a back-fill (see `Store.begin_backfill`)."""
    with db.transaction():
        (number,) = db.execute(
            "INSERT INTO backfill (work, state, reason, author, at, rules, first, last, planned, made, done, most)"
            " VALUES (?, 'running', '', ?, ?, ?, ?, ?, ?, 0, 0, ?) RETURNING id",
            *(work, author, micros(now), codec.encode(rules), *numbers, numbers[0] - 1),
            None if most is None else nano(most),
        )[0]
        return _backfill(db.execute(f"{_SELECT} WHERE backfill.id = ?", number)[0])


def backfills(db: Database, *, running: bool) -> list[Backfill]:
    """Back-fills, oldest first; all of them, or those that are running."""
    condition = " WHERE state = 'running'" if running else ""
    return [_backfill(row) for row in db.execute(f"{_SELECT}{condition} ORDER BY backfill.id")]


def _backfill(row: tuple[Any, ...]) -> Backfill:
    at, rules, *numbers, most = row[8:]
    found = codec.decode(rules, tuple[Rule, ...])
    return Backfill(*[*row[:8], from_micros(at), found, *numbers, None if most is None else from_nano(most)])


def undone(db: Database, backfill: int) -> dict[str, int]:
    """How many tasks of a back-fill have no score, by state."""
    return dict(
        db.execute(
            "SELECT state, count(*) FROM task WHERE backfill = ? AND backfill > 0 GROUP BY state ORDER BY state",
            backfill,
        )
    )


def unfilled(db: Database, flow: str, scorer: str, fingerprint: str, numbers: tuple[int, int], most: int) -> Unfilled:
    """The next requests of a range (see `Store.unfilled`)."""
    first, last = numbers
    with db.transaction(write=False):
        thinned = db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
        stored = first <= thinned
        through = min(last, thinned) if stored else last
        found = db.execute(
            f"SELECT {ROW} FROM trace WHERE flow = ? AND seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
            *(flow, first, through, most),
        )
        rows = tuple(map(row_of, found))
        seqs = [row.seq for row in rows]
        scored = planning.scored(db, scorer, fingerprint, seqs)
        tasked = db.among(
            "SELECT seq FROM task WHERE work = (SELECT id FROM work WHERE flow = ? AND scorer = ? AND fingerprint = ?)"
            " AND seq IN {}",
            seqs,
            *(flow, scorer, fingerprint),
        )
    if len(rows) == most:
        through = rows[-1].seq
    return Unfilled(rows, through, frozenset(scored | {seq for (seq,) in tasked}), stored, thinned)


def fill(db: Database, backfill: int, plan: Plan) -> int:
    """Keep a decision of a back-fill (see `Store.fill`)."""
    with db.transaction():
        found = db.execute("SELECT work, planned FROM backfill WHERE id = ? AND state = 'running'", backfill)
        thinned = db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
        if not found or plan.read_at is None:
            return 0
        (work, planned), (read_planned, read_thinned) = found[0], plan.read_at
        if planned != read_planned or min(thinned, plan.through) != min(read_thinned, plan.through):
            return 0
        made = planning.decided(db, work, plan, backfill=backfill)
        db.execute("UPDATE backfill SET planned = ?, made = made + ? WHERE id = ?", plan.through, made, backfill)
    return made


def turn(
    db: Database, backfill: int, state: BackfillState, *, now: float, reason: str = "", most: float | None = None
) -> bool:
    """Stop, end or go on with a back-fill (see `Store.turn_backfill`)."""
    with db.transaction():
        changed = db.execute(
            "UPDATE backfill SET state = ?, reason = ?, most = coalesce(?, most) WHERE id = ? AND state = ?"
            " RETURNING id",
            *(state, reason, None if most is None else nano(most), backfill, _BEFORE[state]),
        )
        if changed and state == "running":  # what was given up meanwhile has another chance
            db.execute(
                "UPDATE task SET state = 'waiting', since = ? WHERE backfill = ? AND backfill > 0"
                " AND state IN ('waiting', 'expired')",
                *(micros(now), backfill),
            )
    return bool(changed)


def running(db: Database, ids: Iterable[int]) -> list[tuple[int, int]]:
    """Those of some back-fills that are running: their works and ids."""
    return [tuple(row) for row in db.among("SELECT work, id FROM backfill WHERE state = 'running' AND id IN {}", ids)]
