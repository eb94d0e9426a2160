"""Back-fills: a scorer over requests that are stored, in a range that is fixed, by rules that never change.

A back-fill decides on its range step by step, a little ahead of what is scored. What it decided so far is an epoch of
its work, so that probabilities are true whenever it is stopped.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gatewatch.core import codec
from gatewatch.core.rates import Rule
from gatewatch.store import planning
from gatewatch.store.database import Database
from gatewatch.store.filling import Backfill, BackfillState, Unfilled
from gatewatch.store.reading import ROW, row_of
from gatewatch.store.rows import Plan
from gatewatch.store.units import from_micros, from_nano, micros, nano

_BEFORE: Mapping[BackfillState, BackfillState] = {"running": "stopped", "stopped": "running", "done": "running"}
_SELECT = (
    "SELECT backfill.id, flow, scorer, fingerprint, work, state, reason, author, at, rules, first, last,"
    " backfill.planned, made, done, most FROM backfill JOIN work ON work.id = work"
)


class SQLFilling:
    """What a store that speaks SQL does of back-fills."""

    _db: Database

    def numbered(self, since: float, until: float) -> tuple[int, int]:
        """See `Filling`."""
        with self._db.transaction(write=False):
            return _number(self._db, micros(since)), _number(self._db, micros(until)) - 1

    def begin_backfill(
        self,
        work: int,
        rules: tuple[Rule, ...],
        numbers: tuple[int, int],
        *,
        author: str,
        now: float,
        most: float | None = None,
    ) -> Backfill:
        """See `Filling`."""
        with self._db.transaction():
            (number,) = self._db.execute(
                "INSERT INTO backfill (work, state, reason, author, at, rules, first, last, planned, made, done, most)"
                " VALUES (?, 'running', '', ?, ?, ?, ?, ?, ?, 0, 0, ?) RETURNING id",
                *(work, author, micros(now), codec.encode(rules), *numbers, numbers[0] - 1),
                None if most is None else nano(most),
            )[0]
            return _backfill(self._db.execute(f"{_SELECT} WHERE backfill.id = ?", number)[0])

    def backfills(self, *, running: bool = False) -> list[Backfill]:
        """See `Filling`."""
        condition = " WHERE state = 'running'" if running else ""
        return [_backfill(row) for row in self._db.execute(f"{_SELECT}{condition} ORDER BY backfill.id")]

    def undone(self, backfill: int) -> dict[str, int]:
        """See `Filling`."""
        return dict(
            self._db.execute(
                "SELECT state, count(*) FROM task WHERE backfill = ? AND backfill > 0 GROUP BY state ORDER BY state",
                backfill,
            )
        )

    def unfilled(self, flow: str, scorer: str, fingerprint: str, numbers: tuple[int, int], most: int) -> Unfilled:
        """See `Filling`."""
        first, last = numbers
        with self._db.transaction(write=False):
            thinned = self._db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
            stored = first <= thinned
            through = min(last, thinned) if stored else last
            found = self._db.execute(
                f"SELECT {ROW} FROM trace WHERE flow = ? AND seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
                *(flow, first, through, most),
            )
            rows = tuple(map(row_of, found))
            seqs = [row.seq for row in rows]
            scored = planning.scored(self._db, scorer, fingerprint, seqs)
            tasked = self._db.among(
                "SELECT seq FROM task"
                " WHERE work = (SELECT id FROM work WHERE flow = ? AND scorer = ? AND fingerprint = ?)"
                " AND (backfill NOT IN (SELECT id FROM backfill WHERE state <> 'running')"
                " OR state NOT IN ('waiting', 'expired')) AND seq IN {}",  # what one that is over left is taken over
                seqs,
                *(flow, scorer, fingerprint),
            )
        if len(rows) == most:
            through = rows[-1].seq
        return Unfilled(rows, through, frozenset(scored | {seq for (seq,) in tasked}), stored, thinned)

    def fill(self, backfill: int, plan: Plan) -> int:
        """See `Filling`."""
        with self._db.transaction():
            found = self._db.execute("SELECT work, planned FROM backfill WHERE id = ? AND state = 'running'", backfill)
            thinned = self._db.execute("SELECT value FROM meta WHERE key = 'thin'")[0][0]
            if not found or plan.read_at is None:
                return 0
            (work, planned), (read_planned, read_thinned) = found[0], plan.read_at
            if planned != read_planned or min(thinned, plan.through) != min(read_thinned, plan.through):
                return 0
            made = planning.decided(self._db, work, plan, backfill=backfill)
            self._db.execute(
                "UPDATE backfill SET planned = ?, made = made + ? WHERE id = ?", plan.through, made, backfill
            )
        return made

    def turn_backfill(
        self, backfill: int, state: BackfillState, *, now: float, reason: str = "", most: float | None = None
    ) -> bool:
        """See `Filling`."""
        with self._db.transaction():
            changed = self._db.execute(
                "UPDATE backfill SET state = ?, reason = ?, most = coalesce(?, most) WHERE id = ? AND state = ?"
                " RETURNING id",
                *(state, reason, None if most is None else nano(most), backfill, _BEFORE[state]),
            )
            if not changed and most is not None:
                return bool(
                    self._db.execute(
                        "UPDATE backfill SET most = ? WHERE id = ? AND state = ? RETURNING id",
                        *(nano(most), backfill, state),
                    )
                )
            if changed and state == "running":  # what was given up meanwhile has another chance
                self._db.execute(
                    "UPDATE task SET state = 'waiting', since = ? WHERE backfill = ? AND backfill > 0"
                    " AND state IN ('waiting', 'expired')",
                    *(micros(now), backfill),
                )
        return bool(changed)


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


def _backfill(row: tuple[Any, ...]) -> Backfill:
    at, rules, *numbers, most = row[8:]
    found = codec.decode(rules, tuple[Rule, ...])
    return Backfill(*[*row[:8], from_micros(at), found, *numbers, None if most is None else from_nano(most)])


def running(db: Database, ids: Iterable[int]) -> list[tuple[int, int]]:
    """Those of some back-fills that are running: their works and ids."""
    return [tuple(row) for row in db.among("SELECT work, id FROM backfill WHERE state = 'running' AND id IN {}", ids)]
