"""Canaries in a store that speaks SQL. A lease of a set is paid for as a task's is: in the list of attempts that were
paid for, a set stands under its stream's number below zero.
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from gatewatch.core import codec
from gatewatch.core.erasure import Whose
from gatewatch.core.money import Cost
from gatewatch.core.trace import Trace
from gatewatch.store import tombstones
from gatewatch.store.canaries import Canary, CanaryCheck, CanaryLease, CanarySet, Candidate, Rescored
from gatewatch.store.database import Database
from gatewatch.store.payloads import HELD, KEPT
from gatewatch.store.spending import Spending
from gatewatch.store.tasks import CAUTION, book, owes
from gatewatch.store.units import MICRO, from_micros, micros, nano
from gatewatch.store.watching import Stream

_DAY = 86_400 * MICRO
_CHECKS_LAST = 90 * _DAY
_FORGOTTEN = 7 * _DAY
_DEATHS = 5


class SQLCanaries:
    """What a store that speaks SQL does for canaries."""

    _db: Database

    def candidates(self, stream: Stream, most: int) -> list[Candidate]:
        """See `Canaries`."""
        found = self._db.execute(
            "SELECT s.seq, t.slice, s.value FROM score s JOIN trace t ON t.seq = s.seq"
            " WHERE s.flow = ? AND s.name = ? AND s.fingerprint = ? AND s.source = ? AND s.value IS NOT NULL"
            f" AND s.status = 'scored' AND s.turns = 0 AND t.payload IN ({HELD}, {KEPT})"
            " ORDER BY s.happened DESC, s.seq DESC LIMIT ?",
            *(stream.flow, stream.scorer, stream.fingerprint, stream.source, most),
        )
        return [Candidate(*row) for row in found]

    def freeze(self, stream: Stream, chosen: Mapping[int, float], now: float) -> int:
        """See `Canaries`."""
        db, at = self._db, micros(now)
        with db.transaction():
            bodies = db.among("SELECT seq, body FROM payload WHERE seq IN {}", chosen)
            others = db.execute(
                "SELECT stream FROM canary_set WHERE flow = ? AND scorer = ? AND stream <> ? AND due < ?",
                *(stream.flow, stream.scorer, stream.id, at - _FORGOTTEN),
            )
            for (other,) in others:
                _forget(db, other)
                db.execute("DELETE FROM canary_set WHERE stream = ?", other)
            _forget(db, stream.id)
            db.executemany(
                "INSERT INTO canary (stream, seq, body, value, at) VALUES (?, ?, ?, ?, ?)",
                [(stream.id, seq, body, chosen[seq], at) for seq, body in bodies],
            )
            # Who scores the old ones now finds that the attempt is another.
            db.execute(
                "INSERT INTO canary_set (stream, flow, scorer, frozen, settled, due, tries, reason, attempt, owner,"
                " until, budget, reserved) VALUES (?, ?, ?, ?, 0, ?, 0, '', 0, '', 0, '', 0)"
                " ON CONFLICT (stream) DO UPDATE SET frozen = excluded.frozen, settled = 0, due = excluded.due,"
                " tries = 0, reason = '', owner = '', attempt = canary_set.attempt + 1",
                *(stream.id, stream.flow, stream.scorer, at, at),
            )
        return len(bodies)

    def canary_set(self, stream: int) -> CanarySet | None:
        """See `Canaries`."""
        found = self._db.execute(
            "SELECT frozen, (SELECT count(*) FROM canary c WHERE c.stream = s.stream), settled, due, tries, reason"
            " FROM canary_set s WHERE stream = ?",
            stream,
        )
        if not found:
            return None
        frozen, n, settled, due, tries, reason = found[0]
        return CanarySet(stream, from_micros(frozen), n, bool(settled), from_micros(due), tries, reason)

    def want_check(self, stream: int, now: float) -> None:
        """See `Canaries`."""
        at = micros(now)
        self._db.execute("UPDATE canary_set SET due = ? WHERE stream = ? AND due > ? AND tries = 0", at, stream, at)

    def lease_canaries(self, streams: Iterable[int], owner: str, now: float, until: float) -> CanaryLease | None:
        """See `Canaries`."""
        db, at = self._db, micros(now)
        waiting = "SELECT due, stream FROM canary_set WHERE due <= ? AND (owner = '' OR until <= ?) AND stream IN {}"
        mine = list(streams)
        if not db.among(waiting, mine, at, at):  # most often: nobody need wait for this look
            return None
        with db.transaction():
            for _, stream in sorted(db.among(waiting, mine, at, at)):
                if _bury_the_dead(db, stream, at):
                    continue
                attempt, settled, tries = db.execute(
                    "UPDATE canary_set SET owner = ?, until = ?, attempt = attempt + 1 WHERE stream = ?"
                    " RETURNING attempt, settled, tries",
                    *(owner, micros(until), stream),
                )[0]
                return CanaryLease(stream, attempt, owner, bool(settled), tries, _canaries(db, stream))
        return None

    def extend_canaries(self, lease: CanaryLease, until: float) -> bool:
        """See `Canaries`."""
        return bool(
            self._db.execute(
                "UPDATE canary_set SET until = ? WHERE stream = ? AND attempt = ? AND owner = ? RETURNING stream",
                *(micros(until), lease.stream, lease.attempt, lease.owner),
            )
        )

    def reserve_canaries(self, lease: CanaryLease, budget: str, limit: float, amount: float) -> bool:
        """See `Canaries`."""
        db, wanted = self._db, nano(amount)
        with db.transaction():
            if not _has(db, lease):
                return False
            db.execute(
                "INSERT INTO budget (name, spent, reserved) VALUES (?, 0, 0) ON CONFLICT (name) DO NOTHING", budget
            )
            _let_go(db, lease.stream)
            got = db.execute(
                "UPDATE budget SET reserved = reserved + ? WHERE name = ? AND spent + reserved + ? <= ? RETURNING name",
                *(wanted, budget, wanted, nano(limit)),
            )
            if got:
                db.execute(
                    "UPDATE canary_set SET budget = ?, reserved = ? WHERE stream = ?", budget, wanted, lease.stream
                )
        return bool(got)

    def keep_canaries(self, rescored: Rescored, now: float) -> bool:
        """See `Canaries`."""
        db, lease, at = self._db, rescored.lease, micros(now)
        with db.transaction():
            mine = _has(db, lease)
            _pay(db, rescored, at, mine=mine)
            if not mine:
                return False
            if rescored.values is None:
                db.execute(
                    "UPDATE canary_set SET owner = '', due = ?, tries = tries + 1, reason = ? WHERE stream = ?",
                    *(micros(rescored.due), rescored.reason[:500], lease.stream),
                )
                return True
            there = {seq for (seq,) in db.execute("SELECT seq FROM canary WHERE stream = ?", lease.stream)}
            values = {seq: value for seq, value in rescored.values.items() if seq in there}
            if lease.settled:
                _keep_check(db, lease.stream, values, at)
            else:
                db.among("DELETE FROM canary WHERE stream = ? AND seq IN {}", there - values.keys(), lease.stream)
                db.executemany(
                    "UPDATE canary SET value = (value + ?) / 2 WHERE stream = ? AND seq = ?",
                    [(value, lease.stream, seq) for seq, value in values.items()],
                )
            db.execute(
                "UPDATE canary_set SET owner = '', due = ?, settled = 1, tries = 0, reason = '' WHERE stream = ?",
                *(micros(rescored.due), lease.stream),
            )
        return True

    def canary_checks(self, stream: int, most: int) -> list[CanaryCheck]:
        """See `Canaries`."""
        db, found = self._db, []
        with db.transaction(write=False):
            times = db.execute(
                "SELECT DISTINCT at FROM canary_check WHERE stream = ? ORDER BY at DESC LIMIT ?", stream, most
            )
            for (at,) in reversed(times):
                pairs = db.execute(
                    "SELECT c.value, k.value FROM canary_check k JOIN canary c ON c.stream = k.stream AND c.seq = k.seq"
                    " WHERE k.stream = ? AND k.at = ? ORDER BY k.seq",
                    *(stream, at),
                )
                number = db.execute(
                    "SELECT count(*) FROM (SELECT DISTINCT stream, at FROM canary_check WHERE at > ? AND at <= ?) k",
                    *(at - _DAY, at),
                )
                found.append(CanaryCheck(from_micros(at), tuple(map(tuple, pairs)), number[0][0]))
        return found


def erase_canaries(db: Database) -> int:
    """Delete every canary that is to stay out by some tombstone, and say how many; within the caller's transaction.

    They are looked through one by one: the request that one is a copy of may be long gone by its age."""
    gone = []
    for stream, seq, body in db.execute("SELECT stream, seq, body FROM canary ORDER BY stream, seq"):
        whose = _whose(body)
        if whose.request_gone(tombstones.buried(db, whose.marks)):
            gone.append((stream, seq))
    for table in ("canary", "canary_check"):
        db.executemany(f"DELETE FROM {table} WHERE stream = ? AND seq = ?", gone)
    return len(gone)


def whose_canaries(db: Database) -> list[Whose]:
    """Whose requests are frozen."""
    return [_whose(body) for (body,) in db.execute("SELECT body FROM canary")]


def _whose(body: bytes) -> Whose:
    try:
        return tombstones.whose(codec.decode(zlib.decompress(body), Trace))
    except ValueError:  # what cannot be read was not judged either
        return Whose()


def _canaries(db: Database, stream: int) -> tuple[Canary, ...]:
    found = db.execute("SELECT seq, body, value FROM canary WHERE stream = ? ORDER BY seq", stream)
    return tuple(Canary(seq, zlib.decompress(body), value) for seq, body, value in found)


def _forget(db: Database, stream: int) -> None:
    """Let go of a set's canaries and checks, and of what was set aside for it."""
    _let_go(db, stream)
    for table in ("canary", "canary_check"):
        db.execute(f"DELETE FROM {table} WHERE stream = ?", stream)


def _has(db: Database, lease: CanaryLease) -> bool:
    return bool(
        db.execute(
            "SELECT 1 FROM canary_set WHERE stream = ? AND attempt = ? AND owner = ?",
            *(lease.stream, lease.attempt, lease.owner),
        )
    )


def _let_go(db: Database, stream: int) -> tuple[int, str, int]:
    """Set no money aside any more, and give what that was: (attempt, budget, reserved)."""
    found = db.execute("SELECT attempt, budget, reserved FROM canary_set WHERE stream = ?", stream)
    attempt, budget, reserved = found[0] if found else (0, "", 0)
    if reserved:
        db.execute("UPDATE budget SET reserved = reserved - ? WHERE name = ?", reserved, budget)
        db.execute("UPDATE canary_set SET budget = '', reserved = 0 WHERE stream = ?", stream)
    return attempt, budget, reserved


def _bury_the_dead(db: Database, stream: int, at: int) -> bool:
    """See to a lease that ran out: book what it cost on the mean, and say whether to leave the set alone for a day,
    since workers die over it."""
    owner, tries = db.execute("SELECT owner, tries FROM canary_set WHERE stream = ?", stream)[0]
    if not owner:
        return False
    attempt, budget, reserved = _let_go(db, stream)
    if reserved:
        guessed = reserved // CAUTION
        book(db, budget, guessed)
        db.execute(
            "INSERT INTO paid (task, attempt, at, budget, guessed) VALUES (?, ?, ?, ?, ?)",
            *(-stream, attempt, at, budget, guessed),
        )
    dead: bool = (tries + 1) % _DEATHS == 0
    db.execute(
        "UPDATE canary_set SET owner = '', tries = tries + 1, reason = 'its worker died', due = ? WHERE stream = ?",
        *(at + _DAY if dead else at, stream),
    )
    return dead


def _pay(db: Database, rescored: Rescored, at: int, *, mine: bool) -> None:
    """Turn what was set aside into what was spent. An attempt is paid once, however often it is settled; one whose cost
    was guessed, since its lease ran out, is put right."""
    lease = rescored.lease
    key = -lease.stream, lease.attempt
    before = db.execute("SELECT budget, guessed FROM paid WHERE task = ? AND attempt = ?", *key)
    _, budget, reserved = _let_go(db, lease.stream) if mine else (0, "", 0)
    if not rescored.scores or not owes(before):
        return
    costs = [each.cost or Cost() for each in rescored.scores]
    paid = sum(nano(cost.amount) for cost in costs)
    budget, guessed = before[0] if before else (budget or rescored.budget, 0)
    unknown = sum(cost.unknown for cost in costs)
    if unknown:  # each is taken for what one costs on the mean
        paid = max(paid + reserved // CAUTION // max(1, len(lease.canaries)) * unknown, guessed)
    book(db, budget, paid - guessed)
    spending = Spending()
    for score in rescored.scores:
        spending.judged(at, rescored.stream.flow, rescored.stream.scorer, score, kept=mine)
    spending.write(db)
    db.execute(
        "INSERT INTO paid (task, attempt, at, budget, guessed) VALUES (?, ?, ?, '', 0)"
        " ON CONFLICT (task, attempt) DO UPDATE SET guessed = 0",
        *(*key, at),
    )


def _keep_check(db: Database, stream: int, values: Mapping[int, float], at: int) -> None:
    last: Any = db.execute("SELECT max(at) FROM canary_check WHERE stream = ?", stream)[0][0]
    at = max(at, (last or 0) + 1)
    db.executemany(
        "INSERT INTO canary_check (stream, at, seq, value) VALUES (?, ?, ?, ?)",
        [(stream, at, seq, value) for seq, value in values.items()],
    )
    db.execute("DELETE FROM canary_check WHERE stream = ? AND at < ?", stream, at - _CHECKS_LAST)
