"""Tombstones: who and what was erased, by digests, and what arrives of them all the same, which stays out."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gatewatch.core.erasure import Kind, Tombstone, Whose, base_of, mark_of
from gatewatch.core.trace import Trace
from gatewatch.store.database import Database
from gatewatch.store.rows import Arrival, Arrivals, Said
from gatewatch.store.units import from_micros, micros

ERASED = "erased"
"""The reason under which it is counted as lost what arrived of somebody who was erased."""


def bury(db: Database, stones: Iterable[Tombstone]) -> int:
    """Keep tombstones, and say how many are new; within the caller's transaction, if there is one."""
    return db.executemany(
        "INSERT INTO tombstone (mark, kind, at) VALUES (?, ?, ?) ON CONFLICT (mark) DO NOTHING",
        [(each.mark, each.kind, micros(each.at)) for each in stones],
    )


def every(db: Database) -> list[Tombstone]:
    """All tombstones, the oldest first."""
    found = db.execute("SELECT mark, kind, at FROM tombstone ORDER BY at, mark")
    return [Tombstone(mark, kind, from_micros(at)) for mark, kind, at in found]


def number(db: Database) -> int:
    """How many tombstones there are."""
    return int(db.execute("SELECT count(*) FROM tombstone")[0][0])


def buried(db: Database, marks: Iterable[str]) -> set[str]:
    """Which of some digests there are tombstones of."""
    return {mark for (mark,) in db.among("SELECT mark FROM tombstone WHERE mark IN {}", set(marks))}


def whose(trace: Trace) -> Whose:
    """By what an arriving request is known to be somebody's."""
    return Whose(trace.id, trace.user, trace.session, trace.flow)


def whose_feedback(said: Said) -> Whose:
    """By what arriving feedback is known to be somebody's; it may name one of several services' requests."""
    return Whose(base_of(said.trace), said.author, external_id=said.external_id)


class KeptOut:
    """What of some arrivals is to stay out. Where nobody was ever erased, finding that out is one look."""

    def __init__(self, db: Database, arrivals: Arrivals) -> None:
        self._buried: set[str] = set()
        self.number = 0
        self.again: list[Trace] = []
        """Of what is left out, the requests of which a part may be there."""
        if db.execute("SELECT 1 FROM tombstone LIMIT 1"):
            names = [*map(whose, (each.trace for each in arrivals.traces)), *map(whose_feedback, arrivals.said)]
            self._buried = buried(db, (mark for each in names for mark in each.marks))

    def without(self, db: Database, arrivals: Arrivals, now: float) -> Arrivals:
        """The arrivals without what is of somebody erased; what is left out is counted, and so is its like later."""
        if not self._buried:
            return arrivals
        gone = [each for each in arrivals.traces if whose(each.trace).request_gone(self._buried)]
        out = {id(each) for each in gone}
        said = tuple(each for each in arrivals.said if not whose_feedback(each).is_of(self._buried))
        self.number += len(gone) + len(arrivals.said) - len(said)
        self.again = [each.trace for each in gone if each.again]
        db.overwrite_deleted()
        stones = list(self._stones(gone, now))
        bury(db, stones)
        self._buried |= {each.mark for each in stones}
        db.among("DELETE FROM piece WHERE trace IN {}", {each.trace.id for each in gone})
        return replace(arrivals, traces=tuple(each for each in arrivals.traces if id(each) not in out), said=said)

    def _stones(self, gone: Sequence[Arrival], now: float) -> Iterable[Tombstone]:
        for each in gone:
            trace = each.trace
            of_user = mark_of("user", trace.user) in self._buried or mark_of("trace", trace.id) in self._buried
            kind: Kind = "trace" if of_user else "turn"
            yield Tombstone(mark_of(kind, trace.id), kind, now)
            if trace.external_id:
                yield Tombstone(mark_of("name", trace.external_id), "name", now)

    def refuses(self, said: Said) -> bool:
        """Whether feedback that found no request is of one that was erased; counted, where it is."""
        gone = bool(self._buried) and whose_feedback(said).feedback_gone(self._buried)
        self.number += gone
        return gone
