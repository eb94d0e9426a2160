"""The offline baseline beside live scores, on one axis: what it comes to at the mix of live traffic, and how far off.

A golden set has another mix than production, so that plain means differ although nothing else does. Held against each
other are slices, each with its share of the live traffic.
"""

from collections.abc import Mapping
from math import sqrt

from msgspec import Struct

from gatewatch.online.trends import ScorerTrend, Trend
from gatewatch.stats.intervals import Estimate, Interval

FEW = 5
"""With fewer cases than so many, or scores, a slice is too thin to be compared."""


class Golden(Struct, frozen=True):
    """What the pinned baseline of a suite says of a scorer: by slice, over cases. `flaw` says why it says nothing."""

    suite: str
    pinned: str = ""
    fingerprint: str = ""
    slices: Mapping[str, Estimate] = {}
    flaw: str = ""


class Thin(Struct, frozen=True):
    """A slice that is left out: its share of live traffic, its cases in the suite, and its live scores."""

    slice: str
    share: float
    cases: int
    scores: int


class Beside(Struct, frozen=True):
    """Live scores less the baseline's, over the slices that both know well enough, each with its share of the live
    traffic: both means, the difference, and its 95 % interval.

    `thin` slices are left out, which are `left_out` of all traffic. `why` says why nothing can be compared.
    """

    suite: str
    pinned: str = ""
    live: float | None = None
    golden: Estimate = Estimate(None, 0)
    difference: float | None = None
    interval: Interval | None = None
    thin: tuple[Thin, ...] = ()
    left_out: float = 0.0
    why: str = ""


def beside(found: Trend, scorer: ScorerTrend, golden: Golden) -> Beside:
    """A scorer's live scores beside a baseline.

    Args:
        found: the flow's trend, with its parts by slice.
        scorer: the scorer's, of the same trend.
        golden: the baseline.

    Source: post-stratification; the interval from those of the slices by Zou and Donner (2008), "Construction of
    confidence limits about effect measures": with symmetric ones it is that of the sum of their variances.
    """
    if golden.flaw:
        return Beside(golden.suite, golden.pinned, why=golden.flaw)
    if golden.fingerprint != scorer.fingerprint:
        why = "not comparable: another version of the scorer"
        return Beside(golden.suite, golden.pinned, why=why)
    if scorer.total.incomplete:
        return Beside(golden.suite, golden.pinned, why=f"not comparable: {scorer.total.incomplete}")
    every = sum(each.signals.every for each in found.parts if each.by == "slice")
    figures = {each.name: each.total.estimate for each in scorer.parts if each.by == "slice"}
    pairs, thin = [], []
    for part in found.parts:
        if part.by != "slice" or not part.signals.every:
            continue
        share = part.signals.every / every
        live, cases = figures.get(part.name, Estimate(None, 0)), golden.slices.get(part.name, Estimate(None, 0))
        if cases.n < FEW or live.n < FEW or live.interval is None or cases.interval is None:
            thin.append(Thin(part.name, share, cases.n, live.n))
        else:
            pairs.append((share, live, cases))
    left_out = sum((each.share for each in thin), 0.0)
    if not pairs:
        why = f"not comparable: no slice has {FEW} cases and {FEW} live scores"
        return Beside(golden.suite, golden.pinned, thin=tuple(thin), left_out=left_out, why=why)
    kept = sum(share for share, _, _ in pairs)
    ours = [(share / kept, live) for share, live, _ in pairs]
    theirs = [(share / kept, cases) for share, _, cases in pairs]
    live_mean, (live_low, live_high) = _sum(ours)
    mean, (low, high) = _sum(theirs)
    difference = live_mean - mean
    below = sqrt((live_mean - live_low) ** 2 + (high - mean) ** 2)
    above = sqrt((live_high - live_mean) ** 2 + (mean - low) ** 2)
    return Beside(
        golden.suite,
        golden.pinned,
        live_mean,
        Estimate(mean, sum(cases.n for _, _, cases in pairs), Interval(low, high, "post-stratified")),
        difference,
        Interval(max(-1.0, difference - below), min(1.0, difference + above), "post-stratified"),
        tuple(thin),
        left_out,
    )


def _sum(parts: list[tuple[float, Estimate]]) -> tuple[float, tuple[float, float]]:
    """The weighted mean of independent estimates, and its bounds."""
    mean = below = above = 0.0
    for weight, each in parts:
        assert each.mean is not None and each.interval is not None
        mean += weight * each.mean
        below += (weight * (each.mean - each.interval.low)) ** 2
        above += (weight * (each.interval.high - each.mean)) ** 2
    return mean, (max(0.0, mean - sqrt(below)), min(1.0, mean + sqrt(above)))
