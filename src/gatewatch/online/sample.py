"""Sampling: which requests each scorer is to see, decided in order of arrival, above a watermark, from what is stored.

Nothing here is chosen at random: whether a request is scored follows from its `u`, the rules, and by how much the
budget lowers them. The latter is decided for a whole stretch of requests at once, from their number, before any `u` is
looked at: so it is a known part of each one's probability.

Where whatever sent the requests chose some of them (upstream sampling), a score's `pi` is the product of two: the share
with which its request was sent, and the probability, which alone `u` decides by, with which what was sent is scored.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil, expm1, fsum, log1p, log2

from msgspec.structs import replace

from gatewatch.core.rates import Epoch, Facts, Rule, probability, rate, u_of
from gatewatch.online.monitor import DAY_S, HOUR_S, Monitor, Watch
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Plan, Row, Said, Session, SpendCell, Unsettled, Work

BATCH, FEW = 2000, 50
SIGNALS = "session signals"
"""The scorer and the fingerprint of the work that keeps what sessions tell by themselves."""
_HEAD_START = 0.1
_LEAST_MULTIPLIER = 2.0**-12
_STAYS_S = 60.0
_MUCH_LOWER = 0.7
_ROUNDING = 1e-9
_STEPS = 4  # to each halving: few enough that neighbouring stretches often have the same


class Planner:
    """What decides for one worker. It keeps nothing that a decision follows from but what it said last, so that it does
    not change its mind many times a minute, or begin anew for rules that another worker does not know yet.

    Args:
        store: where the requests are.
        session_signals: gives what a session tells by itself, to be kept as feedback is.
    """

    def __init__(
        self, store: Store, session_signals: Callable[[Session, Sequence[Row]], Sequence[Said]] = lambda *_: ()
    ) -> None:
        self.store = store
        self._session_signals = session_signals
        self._looked_at: set[tuple[int, tuple[Rule, ...]]] = set()
        self._lowered: dict[int, tuple[float, float]] = {}  # by work: the multiplier, and since when

    def plan(self, monitor: Monitor, costs: Mapping[str, float], now: float, *, guessed: Collection[str] = ()) -> int:
        """Decide on what a monitor has not decided on, and say on how many requests and sessions that was.

        Args:
            monitor: what watches the flow.
            costs: by scorer, what one score costs in US dollars.
            now: the time, in seconds since the epoch.
            guessed: scorers whose cost is a guess. Where there is a budget they begin with a few scores, which tell.
        """
        decided = self._signals(monitor, now)
        learning = guessed if monitor.budget is not None else ()
        waiting = {each.scorer for each in _undone(self.store, monitor, now)} if learning else set()
        for watch in monitor.watches:
            name = watch.scorer.name
            if name in learning and name in waiting:
                continue
            one = self._sessions if watch.of_session else self._requests
            decided += one(monitor, watch, costs, now, FEW if name in learning else BATCH)
        return decided

    # Single requests

    def _requests(self, monitor: Monitor, watch: Watch, costs: Mapping[str, float], now: float, most: int) -> int:
        store, work = self.store, work_of(self.store, monitor, watch, now)
        rules = _with_target(store, monitor.flow, watch, now)
        work = self._anew_if_changed(work, rules, monitor, watch, now)
        found = store.unplanned(work, most)
        if not (found.new or found.changed) and (found.through, found.changes) == (work.planned, work.changes):
            return 0
        epoch = None
        if work.planned < work.thinned:  # nobody planned while these were held: only what was kept can be scored
            through = min(found.through, work.thinned)
            found = replace(found, new=tuple(row for row in found.new if row.seq <= through), through=through)
            rules = tuple(replace(rule, stored=True) for rule in rules)
        rows = [*found.new, *found.changed]
        if found.through > work.planned:  # requests of other flows too, so that there is no gap
            wanted = sum(rate(rules, facts_of(row), row.marks, kept=row.kept) for row in found.new)
            multiplier = self._multiplier(work, monitor, watch, wanted, costs, now)
            epoch = Epoch(work.planned + 1, found.through, rules, multiplier)
        known = store.epochs(work.id, min(row.seq for row in rows), max(row.seq for row in rows)) if rows else []
        tasks: list[tuple[int, float, float]] = []
        moved: list[tuple[int, float]] = []
        for row in rows:
            epochs = _covering(known, row.seq)
            before = bool(epochs)
            if epoch is not None and epoch.first <= row.seq <= epoch.last:
                epochs.append(epoch)
            chance = probability(facts_of(row), epochs, kept=row.kept)
            pi = chance * row.share
            if row.u < chance and row.payload in ("held", "kept"):
                tasks.append((row.seq, now, pi))
            if before and pi > 0:
                moved.append((row.seq, pi))
        read_at = work.planned, work.changes
        store.plan(work.id, Plan(tuple(tasks), tuple(moved), epoch, found.through, found.changes, read_at))
        return len(rows)

    # Whole sessions, which are numbered by when they were last heard of

    def _sessions(self, monitor: Monitor, watch: Watch, costs: Mapping[str, float], now: float, most: int) -> int:
        store, work = self.store, work_of(self.store, monitor, watch, now)
        work = self._anew_if_changed(work, watch.rules, monitor, watch, now)
        found = store.ended(monitor.flow, now - monitor.session_end_s, most, work.planned)
        noted = store.unplanned(work, BATCH)
        before = [store.find_session(monitor.flow, name) for name in {row.session for row in noted.changed} if name]
        again = [each for each in before if each is not None and each.moved <= work.planned]
        turns = {each.id: store.session(each.flow, each.id) for each in (*found, *again)}
        facts = {name: facts_of_session(rows) for name, rows in turns.items()}
        through, epoch = work.planned, None
        if found:
            through = found[-1].moved
            wanted = sum(rate(watch.rules, facts[each.id], facts[each.id].marks) for each in found)
            multiplier = self._multiplier(work, monitor, watch, wanted, costs, now)
            epoch = Epoch(work.planned + 1, through, watch.rules, multiplier)
        moved: list[tuple[int, float]] = []
        for session in (*found, *again):
            epochs = _covering(store.epochs(work.id, session.moved, session.moved), session.moved)
            if epoch is not None and epoch.first <= session.moved <= epoch.last:
                epochs.append(epoch)
            chance = probability(facts[session.id], epochs)
            pi = chance * share_of_session(turns[session.id])
            if u_of(session.id, "") < chance:
                store.plan_session(session, [(work.id, now, pi)])
            if session in again and pi > 0:
                moved.append((session.first, pi))
        if found or again or noted.changes > work.changes:
            read_at = work.planned, work.changes
            store.plan(work.id, Plan((), tuple(moved), epoch, through, noted.changes, read_at))
        return len(found) + len(again)

    def _signals(self, monitor: Monitor, now: float) -> int:
        """Keep what sessions tell by themselves, once they have ended: it may be what calls for scoring them."""
        store = self.store
        work = store.work(monitor.flow, SIGNALS, SIGNALS, "signal", now - monitor.hold_s)
        found = store.ended(monitor.flow, now - monitor.session_end_s, BATCH, work.planned)
        for session in found:
            said = self._session_signals(session, store.session(session.flow, session.id))
            if said:
                store.take_in(Arrivals(said=tuple(said)), now)
        noted = store.unplanned(work, BATCH).changes
        if found or noted > work.changes:
            store.plan(work.id, Plan(through=found[-1].moved if found else work.planned, changes=noted))
        return len(found)

    # What both go by

    def _anew_if_changed(self, work: Work, rules: tuple[Rule, ...], monitor: Monitor, watch: Watch, now: float) -> Work:
        """Begin again with the oldest payload that is held, where not all that was decided on was by these rules.

        Once for each worker: two whose rules differ, while a new version is rolled out, do not undo each other's work.
        """
        mine = _compared(rules, watch)
        if (work.id, mine) in self._looked_at:
            return work
        self._looked_at.add((work.id, mine))
        since = now - monitor.hold_s
        first = round(since * 1e6) if work.of_sessions else work.thinned
        known = self.store.epochs(work.id, first + 1, work.planned)
        if _gap([each for each in known if _compared(each.rules, watch) == mine], first + 1, work.planned):
            self.store.rewind(work.id, since if work.of_sessions else None)
            return work_of(self.store, monitor, watch, now)
        return work

    def _multiplier(
        self, work: Work, monitor: Monitor, watch: Watch, wanted: float, costs: Mapping[str, float], now: float
    ) -> float:
        """By how much the budget lowers every rate for the next stretch, whatever is in it.

        It stays for a minute unless it would have to be much lower, so that a day has few stretches.
        """
        cost = costs.get(watch.scorer.name, 0.0)
        if monitor.budget is None or not cost:
            return 1.0
        if wanted <= 0.0:
            return self._lowered.get(work.id, (1.0, 0.0))[0]
        committed = sum(self.store.spent(budget_name(monitor.name, now))) + _promised(self.store, monitor, costs, now)
        share = now % DAY_S / DAY_S
        # Money accrues over the day, with a head start, so that it lasts until the end.
        allowed = monitor.budget * (share + _HEAD_START * (1 - share)) - committed
        found = stepped(allowed / (wanted * cost))
        before, since = self._lowered.get(work.id, (0.0, 0.0))
        if before and now - since < _STAYS_S and before * _MUCH_LOWER <= found <= before / _MUCH_LOWER:
            return before
        self._lowered[work.id] = found, now
        return found


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
    return float(2.0 ** -(ceil(-log2(share) * _STEPS - _ROUNDING) / _STEPS))


def work_of(store: Store, monitor: Monitor, watch: Watch, now: float) -> Work:
    """The work of a watch: of one that looks at sessions, from those whose payloads are held."""
    scorer = watch.scorer
    since = now - monitor.hold_s if watch.of_session else None
    return store.work(monitor.flow, scorer.name, scorer.fingerprint, scorer.source, since)


def facts_of_session(rows: Sequence[Row]) -> Facts:
    """What rules look at of a session: what its first turn is, the marks of any, the cost of all."""
    marks, costs = 0, [row.cost for row in rows if row.cost is not None]
    for row in rows:
        marks |= row.marks
    first = rows[0]
    tags = tuple(dict.fromkeys(tag for row in rows for tag in row.tags))
    return Facts(first.slice, first.variant, tags, marks, 0, sum(costs) if costs else None)


def share_of_session(rows: Sequence[Row]) -> float:
    """The probability with which a session came to be known: that of at least one of its turns having been sent.

    Each turn is taken to be sent by itself, as head sampling does that decides by trace. It is of the turns that came:
    of others nothing is known, so that a session of many turns of which most were not sent weighs too much.
    """
    if len(rows) == 1 or any(row.share >= 1.0 for row in rows):
        return max(row.share for row in rows)
    return -expm1(fsum(log1p(-row.share) for row in rows))


def cost_of(store: Store, flow: str, watch: Watch, now: float) -> tuple[float, bool]:
    """What a score costs, in US dollars: the mean of the last two days. True beside it says that it is a guess."""
    if not watch.scorer.models:
        return 0.0, False
    scorer, since = watch.scorer, now - 2 * DAY_S
    since -= since % DAY_S
    cells = judged_cells(store, flow, scorer.name, since, now)
    scores = sum(cell.scores for cell in cells)
    return (sum(cell.cost for cell in cells) / scores, False) if scores else (watch.guess, watch.guess > 0)


def judged_cells(store: Store, flow: str, scorer: str, since: float, until: float) -> list[SpendCell]:
    """What a judge of a flow cost by day and model, whatever its version."""
    cells = store.spend(since, until)
    return [cell for cell in cells if cell.kind == "judge" and (cell.scorer, cell.flow) == (scorer, flow)]


def _promised(store: Store, monitor: Monitor, costs: Mapping[str, float], now: float) -> float:
    """What the work that waits will cost."""
    undone = _undone(store, monitor, now)
    return sum(costs.get(each.scorer, 0.0) * each.n for each in undone if each.state == "waiting")


def _undone(store: Store, monitor: Monitor, now: float) -> list[Unsettled]:
    """The live work that waits or is under way, by the monitor's scorers as they are: nobody does an older one's."""
    mine = {(each.scorer.name, each.scorer.fingerprint) for each in monitor.watches}
    found = store.unsettled(monitor.flow, now - 2 * DAY_S, now + HOUR_S)
    live = (each for each in found if not each.backfill and each.state in ("waiting", "leased"))
    return [each for each in live if (each.scorer, each.fingerprint) in mine]


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


def _compared(rules: tuple[Rule, ...], watch: Watch) -> tuple[Rule, ...]:
    return rules[1:] if watch.per_day is not None else rules  # a target's rate changes by itself


def _covering(epochs: Sequence[Epoch], seq: int) -> list[Epoch]:
    return [each for each in epochs if each.first <= seq <= each.last]


def _gap(epochs: Sequence[Epoch], first: int, last: int) -> bool:
    """Whether something from the first to the last is in none of some epochs."""
    for each in sorted(epochs, key=lambda epoch: epoch.first):
        if each.first > first:
            break
        first = max(first, each.last + 1)
    return first <= last
