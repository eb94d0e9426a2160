"""Absolute bounds: floors on scores, ceilings on cost and latency. Each blocks only what its data rule out.

A mean that lies a little under its floor in forty cases says nothing yet: as a rule it would block at random. So a
floor blocks when the upper bound of the mean lies under it, and a ceiling when the lower bound lies above it.
"""

from collections.abc import Collection
from math import sqrt
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.core.money import dollars
from gatewatch.offline.summary import LOST_SHARE
from gatewatch.offline.verdict import Ceiling
from gatewatch.stats.quantiles import quantile_bounds
from gatewatch.stats.special import t_quantile

if TYPE_CHECKING:
    from gatewatch.offline.outcomes import Outcomes

_ONE_SIDED_95 = 0.90
_P95 = 0.95


class Floors(Struct, frozen=True):
    """What the floors said: why they block, which could not be looked at, and what else is to be noted."""

    blocks: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def floors(after: "Outcomes", limits: dict[str, float], *, besides: Collection[str] = ()) -> Floors:
    """Hold the candidate's means, over all of its cases `besides` those that may fail yet, against their floors."""
    blocks, unseen, notes = [], [], []
    for name, floor in limits.items():
        found = after.estimate(name, confidence=_ONE_SIDED_95, besides=besides)
        lost = sum(outcome.lost(name) for case, outcome in after.cases.items() if case not in besides)
        if found.mean is None:
            unseen.append(f"{name}: the floor of {floor:g} could not be looked at, there is no value")
        elif lost > LOST_SHARE * (len(after.cases) - len(besides)):
            unseen.append(f"{name}: the floor of {floor:g} could not be looked at, too many scores were lost")
        elif found.mean < floor:
            high = found.interval.high if found.interval else 1.0
            said = f"{name}: the mean is {found.mean:.3f}, its 95 % upper bound {high:.3f}, the floor {floor:g}"
            if high < floor:
                blocks.append(said)
            else:
                notes.append(f"{said}: under the floor, but within what chance does in {found.n} cases.")
    return Floors(tuple(blocks), tuple(unseen), tuple(notes))


def ceilings(after: "Outcomes", max_cost: float | None, max_latency: float | None) -> list[Ceiling]:
    """Hold what the candidate cost a case, and how long it took, against their ceilings."""
    found = []
    if max_cost is not None:
        found.append(_cost(after, max_cost))
    if max_latency is not None:
        found.append(_latency(after, max_latency))
    return found


def _cost(after: "Outcomes", limit: float) -> Ceiling:
    costs = after.costs
    n = len(costs)
    if after.unpriced or not n:
        what = "no row states it" if not n else f"{after.unpriced} rows do not state it"
        return Ceiling(name="cost", limit=limit, said=f"cost: the ceiling could not be looked at, {what}")
    mean = sum(costs) / n
    if n < 2:
        said = f"cost: {dollars(mean)} a row (one row, too few for a bound), the ceiling is {dollars(limit)}"
        return Ceiling(name="cost", limit=limit, value=mean, said=said)
    sd = sqrt(sum((cost - mean) ** 2 for cost in costs) / (n - 1))
    lower = mean - t_quantile(_P95, n - 1) * sd / sqrt(n)
    said = f"cost: {dollars(mean)} a row (95 % lower bound {dollars(max(0.0, lower))}), the ceiling is {dollars(limit)}"
    return Ceiling(name="cost", limit=limit, value=mean, lower=lower, blocks=lower > limit, said=said)


def _latency(after: "Outcomes", limit: float) -> Ceiling:
    import numpy as np

    if not len(after.latencies):
        said = "latency: the ceiling could not be looked at, no answer states its latency"
        return Ceiling(name="latency", limit=limit, said=said)
    values = np.sort(np.array(after.latencies))
    p95 = float(np.quantile(values, _P95))
    bounds = quantile_bounds(values, _P95, confidence=_ONE_SIDED_95)
    lower = None if bounds is None else bounds.low
    around = "too few answers for a bound" if lower is None else f"95 % lower bound {lower:.3g} s"
    said = f"latency: p95 is {p95:.3g} s ({around}), the ceiling is {limit:g} s"
    return Ceiling(
        name="latency", limit=limit, value=p95, lower=lower, blocks=lower is not None and lower > limit, said=said
    )
