"""How a flow is doing: signals over every request, and what scorers say of all of it, by weighted means with intervals.

A window in which something was capped hard is not estimated: it is incomplete, and says why.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gatewatch.core.rates import Rule
from gatewatch.core.score import Source
from gatewatch.online.monitor import DAY_S, HOUR_S
from gatewatch.stats.intervals import Estimate, Interval, wilson
from gatewatch.stats.quantiles import quantile_places
from gatewatch.stats.weighting import (
    Cell,
    effective_size,
    spread_by,
    total_of,
    weighted_mean,
    weighted_mean_of_cells,
    weighted_rate,
)
from gatewatch.store.base import Store
from gatewatch.store.bins import edges, quantile
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import TIER_S, ScoreCell, SignalCell, Tier, Unsettled, Value, Work

T = TypeVar("T", ScoreCell, SignalCell, Unsettled)

EXACT = 2000
"""Up to so many values, an estimate is made from them, which know their sessions; from sums where there are more."""
_LOST_SHARE = 0.05
_LAST = 2**62


class Figure(Struct, frozen=True):
    """What a scorer says of a window. `unknown` are scorer errors; `waiting` is work that is not done; `lost` is work
    that will not be, by state. `incomplete` says why there is no estimate although there are values.
    """

    estimate: Estimate
    unknown: int = 0
    skipped: int = 0
    waiting: int = 0
    lost: Mapping[str, int] = {}
    incomplete: str = ""


class ScorerTrend(Struct, frozen=True):
    """A scorer by one fingerprint and source: over the whole window, and by bucket."""

    scorer: str
    fingerprint: str
    source: Source
    total: Figure
    points: tuple[tuple[float, Figure], ...]


class Quantile(Struct, frozen=True):
    """A quantile of durations in seconds, to within 1.1 %, with its bounds; `high` is None where too few tell."""

    value: float
    low: float
    high: float | None


class Total(Struct, frozen=True):
    """About how many there were of something of which only some came, with 95 % bounds."""

    value: float
    interval: Interval


class Signals(Struct, frozen=True):
    """Operational signals of a window, over every request. Times are in seconds, each with its 90 % bounds.

    Where whatever sent the requests chose some of them, `n` of them came, of about as many as `requests` says, and all
    else is an estimate for all of these.
    """

    n: int = 0
    errors: Estimate = Estimate(None, 0)
    timeouts: int = 0
    cost: float = 0.0
    unknown_cost: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: Mapping[str, Quantile] = {}
    first_token_s: Mapping[str, Quantile] = {}
    requests: Total | UnsetType = UNSET

    @property
    def every(self) -> float:
        """How many requests there were, as far as is known."""
        return float(self.n) if self.requests is UNSET else self.requests.value


class JudgeCost(Struct, frozen=True):
    """What judges cost on the days of a window, in US dollars; `unknown` calls have no known price."""

    calls: int = 0
    cost: float = 0.0
    unknown: int = 0


class Erased(Struct, frozen=True):
    """What of the days of a window was erased on request, and is in no figure any more."""

    requests: int = 0
    scores: int = 0


class Trend(Struct, frozen=True):
    """A flow over a window, in seconds since the epoch."""

    flow: str
    since: float
    until: float
    tier: Tier
    signals: Signals
    points: tuple[tuple[float, Signals], ...]
    scorers: tuple[ScorerTrend, ...]
    judges: JudgeCost = JudgeCost()
    erased: Erased = Erased()


def tier_of(seconds: float) -> Tier:
    """The tier whose buckets suit a window: some 60 at the most."""
    if seconds <= HOUR_S:
        return "minute"
    return "hour" if seconds <= 2.5 * DAY_S else "day"


def trend(store: Store, flow: str, *, since: float, until: float, tier: Tier | None = None, part: str = "") -> Trend:
    """How a flow did in a window; its cost is in the number of buckets, not of requests.

    Args:
        store: where it is kept.
        flow: the flow.
        since: the window's start; its bucket is taken in whole.
        until: the window's end.
        tier: how long buckets are; by default as suits the window.
        part: only this slice.
    """
    tier = tier or tier_of(until - since)
    since -= since % TIER_S[tier]
    signals = [cell for cell in store.signals(flow, tier, since, until) if not part or cell.slice == part]
    cells = [cell for cell in store.cells(flow, tier, since, until) if not part or cell.slice == part]
    undone = store.unsettled(flow, since, until)
    backfills = [each for each in store.backfills() if each.flow == flow and each.state != "done"]
    works = {(work.scorer, work.fingerprint, work.source): work for work in store.works() if work.flow == flow}
    by_scorer: dict[tuple[str, str, Source], list[ScoreCell]] = {}
    for cell in cells:
        by_scorer.setdefault((cell.scorer, cell.fingerprint, cell.source), []).append(cell)
    scorers = []
    for (scorer, fingerprint, source), mine in sorted(by_scorer.items()):
        work = works.get((scorer, fingerprint, source))
        values = store.values(flow, scorer, fingerprint, source, since, until, EXACT + 1)
        design = None if len(values) <= EXACT else _design(values)
        values = [value for value in values if not part or value.slice == part]
        by_bucket: dict[float, list[Value]] = {}
        for value in values:
            by_bucket.setdefault(value.at - value.at % TIER_S[tier], []).append(value)
        left = [
            each
            for each in undone
            if work is not None
            and (each.scorer, each.fingerprint) == (scorer, fingerprint)
            and (not part or each.slice == part)
        ]
        window = _Window(
            values,
            by_bucket,
            design=design,
            undone=dict(_by_bucket(left)),
            never=_never(store, work, part),
            ahead=_ahead(store, work, part, backfills),
            stopped=frozenset(each.id for each in backfills if each.state == "stopped"),
            since=since,
            until=until,
            tier=tier,
        )
        points = [(bucket, window.figure(part_, bucket)) for bucket, part_ in _by_bucket(mine)]
        scorers.append(ScorerTrend(scorer, fingerprint, source, window.figure(mine), tuple(points)))
    return Trend(
        flow,
        since,
        until,
        tier,
        signals_of(signals),
        tuple((bucket, signals_of(each)) for bucket, each in _by_bucket(signals)),
        tuple(scorers),
        _judges(store, flow, since, until),
        erased(store, since, until, flow),
    )


def erased(store: Store, since: float, until: float, flow: str = "") -> Erased:
    """What was erased of the days of a window, of a flow or of all."""
    days = [day for day in store.erased(since, until) if flow in ("", day.flow)]
    return Erased(sum(day.requests for day in days), sum(day.scores for day in days))


def _judges(store: Store, flow: str, since: float, until: float) -> JudgeCost:
    cells = [cell for cell in store.spend(since, until) if cell.kind == "judge" and cell.flow == flow]
    return JudgeCost(sum(c.calls for c in cells), sum(c.cost for c in cells), sum(c.unknown for c in cells))


def _by_bucket(cells: Iterable[T]) -> list[tuple[float, list[T]]]:
    found: dict[float, list[T]] = {}
    for cell in cells:
        found.setdefault(cell.bucket, []).append(cell)
    return sorted(found.items())


def _never(store: Store, work: Work | None, part: str) -> Callable[[float, float], bool]:
    """What says whether a scorer was never to see some of a window's requests (of a slice): by all rules that were in
    force for them, they had a share of 0 unless something was special about them, as their payload's being kept is."""
    epochs = store.epochs(work.id, 0, _LAST) if work is not None else []
    all_ = [each for each in epochs for rule in each.rules if rule.rate > 0 and _of_part(rule, part)]
    held = [(e.first, e.last) for e in all_ if any(not rule.stored and _of_part(rule, part) for rule in e.rules)]
    reached = [(e.first, e.last) for e in all_]
    bare = _without([(e.first, e.last) for e in epochs], reached)
    stored = _without(reached, held)

    def never(since: float, until: float) -> bool:
        return work is not None and (
            any(store.happened(work, each, since, until) for each in bare)
            or any(store.happened(work, each, since, until, never_kept=True) for each in stored)
        )

    return never


def _ahead(store: Store, work: Work | None, part: str, backfills: Sequence[Backfill]) -> Callable[[float, float], bool]:
    """What says whether a back-fill has not come yet to some of a window's requests, which nothing else covers: what
    it scored so far is the oldest of them, and no sample of all."""
    mine = [(each.planned + 1, each.last) for each in backfills if work is not None and each.work == work.id]
    epochs = store.epochs(work.id, 0, _LAST) if work is not None and mine else []
    reached = [(e.first, e.last) for e in epochs for rule in e.rules if rule.rate > 0 and _of_part(rule, part)]
    left = [each for each in _without(mine, reached) if each[0] <= each[1]]
    return lambda since, until: work is not None and any(store.happened(work, each, since, until) for each in left)


def _of_part(rule: Rule, part: str) -> bool:
    return rule.of_all or (part != "" and rule.slice == part and replace(rule, slice="").of_all)


def _without(stretches: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is in some stretches of numbers and in none of others."""
    left = list(stretches)
    for first, last in others:
        parts = [[(low, min(high, first - 1)), (max(low, last + 1), high)] for low, high in left]
        left = [part for both in parts for part in both if part[0] <= part[1]]
    return left


class _Window(Struct, frozen=True):
    """A scorer's values of a window; where there are too many, `design` is by how much sessions widen the variance."""

    values: list[Value]
    by_bucket: dict[float, list[Value]]
    design: float | None
    undone: Mapping[float, Sequence[Unsettled]]
    never: Callable[[float, float], bool]
    ahead: Callable[[float, float], bool]
    stopped: frozenset[int]
    since: float
    until: float
    tier: Tier

    def figure(self, cells: Sequence[ScoreCell], bucket: float | None = None) -> Figure:
        """What a scorer says of the window, or of one of its buckets."""
        length = TIER_S[self.tier]
        values = self.values if bucket is None else self.by_bucket.get(bucket, [])
        states: Counter[str] = Counter()
        for each in self._undone(bucket):
            idle = each.state == "waiting" and each.backfill in self.stopped  # nobody works on it
            states["of a stopped back-fill" if idle else each.state] += each.n
        waiting = states.pop("waiting", 0) + states.pop("leased", 0)
        n, unknown = sum(cell.n for cell in cells), sum(cell.unknown for cell in cells)
        lost = dict(states)
        gone = sum(lost.values()) + unknown
        since, until = (self.since, self.until) if bucket is None else (bucket, bucket + length)
        incomplete = "some requests are never sampled (a share of 0)" if self.never(since, until) else ""
        if not incomplete and self.ahead(since, until):
            incomplete = "a back-fill has not come to some requests"
        if gone > _LOST_SHARE * (n + gone):
            said = [f"{number} {state.replace('_', ' ')}" for state, number in sorted(lost.items())]
            incomplete = ", ".join([*said, *([f"{unknown} scorer errors"] if unknown else [])])
        estimate = Estimate(None, n) if incomplete else self._estimate(cells, values)
        return Figure(estimate, unknown, sum(cell.skipped for cell in cells), waiting, lost, incomplete)

    def _undone(self, bucket: float | None) -> Iterable[Unsettled]:
        """What is not done of a bucket; it is known by the hour: a minute shares its hour's."""
        if bucket is None:
            return (each for hour in self.undone.values() for each in hour)
        first, hours = bucket - bucket % HOUR_S, max(1, TIER_S[self.tier] // TIER_S["hour"])
        return (each for n in range(hours) for each in self.undone.get(first + n * HOUR_S, ()))

    def _estimate(self, cells: Sequence[ScoreCell], values: Sequence[Value]) -> Estimate:
        if self.design is None:
            return weighted_mean(*_columns(values))
        sums = [Cell(cell.pi, cell.n, cell.total, cell.squares) for cell in cells]
        return weighted_mean_of_cells(sums, design=self.design)


def _columns(values: Iterable[Value]) -> tuple[list[float], list[float], list[str]]:
    known = [v for v in values if v.pi > 0]
    return [v.value for v in known], [v.pi for v in known], [v.cluster for v in known]


def _design(values: Iterable[Value]) -> float:
    """By how much sessions widen the variance: told by the newest values, for older ones and for every slice too."""
    return spread_by(*_columns(values))


def signals_of(cells: Iterable[SignalCell]) -> Signals:
    """Signals of some buckets put together."""
    n: Counter[float] = Counter()  # by the share with which they were sent, as the rest
    errors: Counter[float] = Counter()
    timeouts = unknown = tokens_in = tokens_out = 0.0
    cost = 0.0
    latency: dict[float, Counter[int]] = {}
    first: dict[float, Counter[int]] = {}
    for cell in cells:
        weight = 1.0 / cell.share
        n[cell.share] += cell.n
        errors[cell.share] += cell.errors + cell.timeouts
        timeouts += cell.timeouts * weight
        cost += cell.cost * weight
        unknown += cell.unknown_cost * weight
        tokens_in += cell.input_tokens * weight
        tokens_out += cell.output_tokens * weight
        latency.setdefault(cell.share, Counter()).update(cell.latency)
        first.setdefault(cell.share, Counter()).update(cell.first_token)
    return Signals(
        n.total(),
        _rate(errors, n),
        round(timeouts),
        cost,
        round(unknown),
        round(tokens_in),
        round(tokens_out),
        _quantiles(latency),
        _quantiles(first),
        Total(*total_of(n)) if any(share < 1.0 for share in n) else UNSET,
    )


def _rate(errors: Mapping[float, int], n: Mapping[float, int]) -> Estimate:
    every = sum(n.values())
    if every < 2:
        return Estimate(None, every)
    if len(n) > 1:
        return weighted_rate([Cell(share, n[share], errors[share], errors[share]) for share in n])
    failed = sum(errors.values())
    return Estimate(failed / every, every, wilson(failed, every))


def _quantiles(by_share: Mapping[float, Mapping[int, int]]) -> dict[str, Quantile]:
    """Quantiles of durations, by the share with which they were sent; bounds are by order statistics or, where shares
    differ, Woodruff's: those of as many durations as would tell as exactly which part of all lies below."""
    kept = {share: each for share, each in by_share.items() if each}
    equal, found = len(kept) == 1, {}
    histogram: dict[int, float] = {}
    for share, each in kept.items():
        for place, count in each.items():
            histogram[place] = histogram.get(place, 0) + (count if equal else count / share)
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        at = quantile(histogram, q)
        if at is not None:
            n = int(sum(histogram.values())) if equal else _worth(kept, at[2])
            below, above = quantile_places(n, q, quick=True)
            low = quantile(histogram, below / n) if below else None
            high = quantile(histogram, above / n) if above else None
            found[name] = Quantile(at[0], 0.0 if low is None else low[1], None if high is None else high[2])
    return found


def _worth(by_share: Mapping[float, Mapping[int, int]], most: float) -> int:
    """How many equally weighted durations tell as exactly which part of all is at most so long, in seconds.

    One more of those that weigh most is taken to be longer: few are, and none may have been sent.
    """
    cells, least = [], min(by_share)
    for share, each in by_share.items():
        below = sum(count for place, count in each.items() if edges(place)[1] <= most)
        cells.append(Cell(share, sum(each.values()) + (share == least), below, below))
    return max(1, int(effective_size(cells)))
