"""Back-fills: a scorer over history, decided on a little ahead of what is scored, by rules that never change.

It sees the same nested sample as live scoring does: a request is scored if its `u` is below the rate and, where its
hold is over, its payload outlived that. So each one's probability is known, and what was scored live counts with it.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from gatewatch.core.rates import Epoch, Rule, probability
from gatewatch.online.sample import facts_of
from gatewatch.store.base import Store
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import Plan, Row

_AT_ONCE = 1000
_AHEAD = 500
"""Tasks that may wait: few enough that one that is stopped leaves little half done."""


def fill(store: Store, backfill: Backfill, now: float) -> int:
    """Decide on the next requests of a back-fill that is running, and say on how many. One that has nothing left to
    decide on, and no task that waits, is done."""
    undone = store.undone(backfill.id)
    open_ = undone.get("waiting", 0) + undone.get("leased", 0)
    if backfill.planned >= backfill.last:
        if not open_:
            store.turn_backfill(backfill.id, "done", now=now)
        return 0
    if open_ >= _AHEAD:
        return 0
    first = backfill.planned + 1
    found = store.unfilled(backfill.flow, backfill.scorer, backfill.fingerprint, (first, backfill.last), _AT_ONCE)
    rules = reaching(backfill.rules, found.stored)
    epoch = Epoch(first, found.through, rules)
    known = store.epochs(backfill.work, first, found.through)
    tasks: list[tuple[int, float, float]] = []
    moved: list[tuple[int, float]] = []
    for row in found.rows:
        before = [each for each in known if each.first <= row.seq <= each.last]
        pi = probability(facts_of(row), [*before, epoch], kept=row.kept) * row.share
        if row.seq in found.there:
            moved.append((row.seq, pi))
        elif wanted(row, rules) and row.payload != "none":  # what is gone all the same is counted as lost
            tasks.append((row.seq, now - 1.0 + row.u, pi))  # at random, so that what is done at any time is a sample
    plan = Plan(tuple(tasks), tuple(moved), epoch, found.through, read_at=(backfill.planned, found.thinned))
    store.fill(backfill.id, plan)
    return found.through - backfill.planned


def reaching(rules: Sequence[Rule], stored: bool) -> tuple[Rule, ...]:
    """A back-fill's rules for requests that are held, or whose hold is over."""
    return tuple(replace(rule, stored=stored) for rule in rules)


def wanted(row: Row, rules: tuple[Rule, ...]) -> bool:
    """Whether a request is to be scored by the rules of a back-fill."""
    return row.u < probability(facts_of(row), [Epoch(row.seq, row.seq, rules)], kept=row.kept)
