"""Operational signals of a window, over every request: how many, errors, marks, money, durations."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import UNSET, Struct, UnsetType

from gatewatch.core import marks
from gatewatch.stats.intervals import Estimate, Interval, wilson
from gatewatch.stats.quantiles import quantile_places
from gatewatch.stats.weighting import Cell, effective_size, total_of, weighted_rate
from gatewatch.store.bins import edges, quantile
from gatewatch.store.rows import SignalCell

RATES = ("thumbs_down", "retried", "abandoned", "escalated", "guardrail")
"""Marks that are told of as shares of requests; an error is one too, and told apart."""


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
    else is an estimate for all of these. `marks` are shares of requests, by name (see `RATES`).
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
    marks: Mapping[str, Estimate] = {}

    @property
    def every(self) -> float:
        """How many requests there were, as far as is known."""
        return float(self.n) if self.requests is UNSET else self.requests.value


def signals_of(cells: Iterable[SignalCell]) -> Signals:
    """Signals of some buckets put together."""
    n: Counter[float] = Counter()  # by the share with which they were sent, as the rest
    errors: Counter[float] = Counter()
    marked: dict[int, Counter[float]] = {marks.bits([name]): Counter() for name in RATES}
    timeouts = unknown = tokens_in = tokens_out = 0.0
    cost = 0.0
    latency: dict[float, Counter[int]] = {}
    first: dict[float, Counter[int]] = {}
    for cell in cells:
        weight = 1.0 / cell.share
        n[cell.share] += cell.n
        errors[cell.share] += cell.errors + cell.timeouts
        for bit, counts in marked.items():
            counts[cell.share] += cell.marks.get(bit, 0)
        timeouts += cell.timeouts * weight
        cost += cell.cost * weight
        unknown += cell.unknown_cost * weight
        tokens_in += cell.input_tokens * weight
        tokens_out += cell.output_tokens * weight
        latency.setdefault(cell.share, Counter()).update(cell.latency)
        first.setdefault(cell.share, Counter()).update(cell.first_token)
    return Signals(
        n.total(),
        rate_of(errors, n),
        round(timeouts),
        cost,
        round(unknown),
        round(tokens_in),
        round(tokens_out),
        _quantiles(latency),
        _quantiles(first),
        Total(*total_of(n)) if any(share < 1.0 for share in n) else UNSET,
        {name: rate_of(counts, n) for name, counts in zip(RATES, marked.values(), strict=True)} if n else {},
    )


def rate_of(found: Mapping[float, int], n: Mapping[float, int]) -> Estimate:
    """The share of requests that something is true of: how many, by the share that they were sent with, of how many."""
    every = sum(n.values())
    if every < 2:
        return Estimate(None, every)
    if len(n) > 1:
        return weighted_rate([Cell(share, n[share], found[share], found[share]) for share in n])
    k = sum(found.values())
    return Estimate(k / every, every, wilson(k, every))


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
