"""Sampling: which requests each scorer is to see, decided in order of arrival, above a watermark, from what is stored.

Nothing here is chosen at random: whether a request is scored follows from its `u`, the rules, and by how much the
budget lowers them. The latter is decided for a whole stretch of requests at once, from their number, before any `u` is
looked at: so it is a known part of each one's probability.
"""

from collections.abc import Callable, Sequence
from math import ceil, log2

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.rates import Epoch, Facts, Rule, probability, rate, u_of
from gatewatch.online.monitor import DAY_S, HOUR_S, Monitor, Watch
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Plan, Row, Said, Session, Work

BATCH = 2000
_HEAD_START = 0.1
_LEAST_MULTIPLIER = 2.0**-12
_STEPS = 4  # to each halving: few enough that neighbouring stretches often have the same


class Purse(Struct, frozen=True):
    """A monitor's money of one day: the name of its budget, its limit, and what is spent, set aside or promised."""

    name: str
    limit: float
    committed: float
    share: float  # of the day that has passed

    @property
    def allowed(self) -> float:
        """What may be promised now: money accrues over the day, with a head start, so that it lasts until the end."""
        return self.limit * (self.share + _HEAD_START * (1 - self.share)) - self.committed


def budget_name(monitor: str, now: float) -> str:
    """The name of a monitor's budget for the day (UTC) of a time."""
    return f"{monitor}:{int(now // DAY_S)}"


def facts_of(row: Row) -> Facts:
    """What rules look at."""
    return Facts(row.slice, row.variant, row.tags, row.marks, row.late, row.cost)


def stepped(share: float) -> float:
    """A share rounded down to a step, four to each halving, and no less than the least."""
    if share >= 1.0:
        return 1.0
    if share <= _LEAST_MULTIPLIER:
        return _LEAST_MULTIPLIER
    return float(2.0 ** -(ceil(-log2(share) * _STEPS) / _STEPS))


def plan_requests(store: Store, monitor: Monitor, watch: Watch, *, now: float, guess: float, most: int = BATCH) -> int:
    """Decide on the next requests of a flow for a scorer that looks at single ones, and say how many were decided on.

    Args:
        store: where the requests are.
        monitor: what watches the flow.
        watch: the scorer.
        now: the time, in seconds since the epoch.
        guess: what one score costs, in US dollars, by what is known so far.
        most: how many requests to decide on.
    """
    scorer = watch.scorer
    work = store.work(monitor.flow, scorer.name, scorer.fingerprint, scorer.source)
    rules = _with_target(store, monitor.flow, watch, now)
    work = _anew_if_changed(store, work, rules, watch)
    found = store.unplanned(work, most)
    if not found.new and not found.changed:
        if found.through > work.planned or found.changes > work.changes:
            store.plan(work.id, Plan(through=found.through, changes=found.changes))
        return 0
    rows = [*found.new, *found.changed]
    known = store.epochs(work.id, min(row.seq for row in rows), max(row.seq for row in rows))
    epoch = None
    if found.new:
        wanted = sum(rate(rules, facts_of(row), row.marks) for row in found.new)
        purse = purse_of(store, monitor, now, promised=_promised(store, monitor, now))
        multiplier = 1.0 if purse is None or not guess else _multiplier(purse, wanted * guess)
        epoch = Epoch(work.planned + 1, found.through, rules, multiplier)
    tasks: list[tuple[int, float, float]] = []
    moved: list[tuple[int, float]] = []
    for row in rows:
        epochs = _covering(known, row.seq)
        before = bool(epochs)
        if epoch is not None and epoch.first <= row.seq <= epoch.last:
            epochs.append(epoch)
        pi = probability(facts_of(row), epochs, kept=row.kept)
        if row.u < pi and row.payload in ("held", "kept"):
            tasks.append((row.seq, now, pi))
        if before and pi > 0:
            moved.append((row.seq, pi))
    store.plan(work.id, Plan(tuple(tasks), tuple(moved), epoch, found.through, found.changes))
    return len(rows)


def plan_sessions(
    store: Store,
    monitor: Monitor,
    watches: Sequence[Watch],
    *,
    now: float,
    said_by: Callable[[Session, Sequence[Row]], Sequence[Said]],
    most: int = 500,
) -> int:
    """Decide on sessions that have ended, for the scorers that look at whole ones, and say how many that were.

    `said_by` gives what a session itself tells (it was given up, say): it is kept as feedback is, and before the
    decision, which it may be a reason for.
    """
    works = [
        (store.work(monitor.flow, each.scorer.name, each.scorer.fingerprint, each.scorer.source), each)
        for each in watches
    ]
    found = store.ended(monitor.flow, now - monitor.session_end_s, most)
    for session in found:
        said = said_by(session, store.session(session.flow, session.id))
        if said:
            store.take_in(Arrivals(said=tuple(said)), now)
        facts = facts_of_session(store.session(session.flow, session.id))
        u = u_of(session.id, "")
        tasks = []
        for work, watch in works:
            pi = probability(facts, [Epoch(session.first, session.first, watch.rules)])
            if u < pi:
                tasks.append((work.id, now, pi))
        store.plan_session(session, tasks)
    return len(found)


def facts_of_session(rows: Sequence[Row]) -> Facts:
    """What rules look at of a session: what its first turn is, the marks of any, the cost of all."""
    marks, costs = 0, [row.cost for row in rows if row.cost is not None]
    for row in rows:
        marks |= row.marks
    first = rows[0]
    tags = tuple(dict.fromkeys(tag for row in rows for tag in row.tags))
    return Facts(first.slice, first.variant, tags, marks, 0, sum(costs) if costs else None)


def purse_of(store: Store, monitor: Monitor, now: float, *, promised: float = 0.0) -> Purse | None:
    """A monitor's money for today; None where it has no limit. `promised` is for work that was decided on."""
    if monitor.budget is None:
        return None
    name = budget_name(monitor.name, now)
    return Purse(name, monitor.budget, sum(store.spent(name)) + promised, now % DAY_S / DAY_S)


def cost_of(store: Store, monitor: Monitor, watch: Watch, now: float) -> float:
    """What a score costs, in US dollars: the mean of the last two days, or the guess where there is none."""
    if not watch.scorer.models:
        return 0.0
    name = watch.scorer.name
    cells = [
        cell
        for cell in store.spend(now - 2 * DAY_S, now)
        if cell.kind == "judge" and cell.scorer == name and cell.flow == monitor.flow
    ]
    calls = sum(cell.calls - cell.unknown for cell in cells)
    return sum(cell.cost for cell in cells) / calls if calls > 0 else watch.guess


def _promised(store: Store, monitor: Monitor, now: float) -> float:
    """What the work that waits will cost."""
    costs = {each.scorer.name: cost_of(store, monitor, each, now) for each in monitor.watches}
    waiting = store.unsettled(monitor.flow, now - 2 * DAY_S, now + HOUR_S)
    return sum(costs.get(scorer, 0.0) * number for _, scorer, _, _, state, number in waiting if state == "waiting")


def _multiplier(purse: Purse, wanted: float) -> float:
    return 1.0 if wanted <= 0.0 else stepped(purse.allowed / wanted)


def _with_target(store: Store, flow: str, watch: Watch, now: float) -> tuple[Rule, ...]:
    """The rules, of which the first has the rate that meets the day's target, where there is one.

    The traffic of the day before tells how much is to come; today's so far does if it is more.
    """
    if watch.per_day is None:
        return watch.rules
    today = now - now % DAY_S
    seen = [sum(cell.n for cell in store.signals(flow, "day", day, day + 1)) for day in (today - DAY_S, today)]
    pace = seen[1] / max(now - today, HOUR_S) * DAY_S
    expected = max(seen[0], pace, 1.0)
    return (replace(watch.rules[0], rate=stepped(watch.per_day / expected)), *watch.rules[1:])


def _anew_if_changed(store: Store, work: Work, rules: tuple[Rule, ...], watch: Watch) -> Work:
    """Begin again with the oldest payload that is held, where the rules are others than before."""
    if not work.rules or _compared(work.rules, watch) == _compared(rules, watch):
        return work
    store.rewind(work.id)
    return store.work(work.flow, work.scorer, work.fingerprint, work.source)


def _compared(rules: tuple[Rule, ...], watch: Watch) -> tuple[Rule, ...]:
    return rules[1:] if watch.per_day is not None else rules  # a target's rate changes by itself


def _covering(epochs: Sequence[Epoch], seq: int) -> list[Epoch]:
    return [each for each in epochs if each.first <= seq <= each.last]
