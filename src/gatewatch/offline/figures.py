"""The figures of one scorer over a set of pairs: how it moved, how sure that is, and how much could have been seen."""

from math import sqrt

from msgspec.structs import replace

from gatewatch.offline.compare import Comparison, Pairs
from gatewatch.offline.verdict import Figures
from gatewatch.stats.intervals import Interval
from gatewatch.stats.paired import difference, sign_flip
from gatewatch.stats.power import cases_to_decide, smallest_detectable
from gatewatch.stats.special import normal_quantile

_Z95 = normal_quantile(0.975)


def figures(
    comparison: Comparison, pairs: Pairs, *, alpha: float, max_drop: float, level: float = 0.05, seed: int = 0
) -> Figures:
    """The figures of some pairs; the verdict is left for the gate to say.

    Args:
        comparison: what the pairs are of.
        pairs: one scorer's, all of them or those of a slice.
        alpha: the level that the mean layer runs at, for the smallest detectable fall.
        max_drop: the fall that would matter, for the number of cases that would decide.
        level: of the lower bound.
        seed: of the sign flips, where there are too many to count them all.
    """
    n, bar, differences = pairs.n, pairs.bar, pairs.differences
    found = Figures(
        verdict="UNDECIDED",
        n=n,
        errors=pairs.lost,
        lost_share=pairs.lost_share,
        skipped=pairs.skipped,
        dropped=pairs.dropped,
    )
    if not n:
        return found
    clusters = comparison.clusters(pairs)
    moved = difference(differences, clusters=clusters, binary=pairs.binary, step=pairs.step, level=level)
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    fixed = 0 if bar is None else int(((pairs.before < bar) & (pairs.after >= bar)).sum())
    broke = 0 if bar is None else int(((pairs.before >= bar) & (pairs.after < bar)).sum())
    sd = _spread(moved.sd, moved.interval, n, clustered=clusters is not None)
    return replace(
        found,
        baseline=float(pairs.before.mean()),
        candidate=float(pairs.after.mean()),
        delta=moved.mean,
        interval=None if moved.interval is None else (moved.interval.low, moved.interval.high),
        lower=moved.lower,
        groups=moved.clusters,
        method=moved.method,
        p=sign_flip(differences, clusters=clusters, seed=seed),
        wins=wins,
        losses=losses,
        ties=n - wins - losses,
        fixed=fixed,
        broke=broke,
        sd=sd,
        mde=None if sd is None else min(1.0, smallest_detectable(sd, n, alpha=alpha)),
        needed=None if sd is None or max_drop <= 0 else cases_to_decide(sd, max_drop),
    )


def _spread(sd: float | None, interval: Interval | None, n: int, *, clustered: bool) -> float | None:
    """The standard deviation of a difference, as far as forecasts go by it.

    Where cases share an origin, or nothing moved at all (which does not say that nothing ever will), it is read from
    the width of the interval, which knows of both.
    """
    if sd is None or interval is None:
        return None
    if sd > 0 and not clustered:
        return sd
    return (interval.high - interval.low) / 2 / _Z95 * sqrt(n)
